"""A time limit that stands still while a person is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self


class TimeLimit:
    """Limits a block to this many seconds (None: no limit), like `asyncio.timeout`, and can stand still.

    Raises: TimeoutError, at the end of the block.
    """

    def __init__(self, seconds: float | None) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._within = False
        self._holds = 0
        self._held_since = 0.0
        self._left_s: float | None = None
        self._final = False
        self.held_s = 0.0
        """How long it has stood still, in seconds."""

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._within = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._within = False
        return await self._timeout.__aexit__(kind, error, trace)

    def expired(self) -> bool:
        return self._timeout.expired()

    def end_within(self, seconds: float) -> None:
        """Let the block end this soon, also while the limit stands still."""
        if self._within and not self.expired():
            self._final = True
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    @contextmanager
    def held(self) -> Generator[None]:
        """Stand still for a block. Blocks may overlap."""
        self._holds += 1
        if self._holds == 1:
            self._held_since = time.monotonic()
            self._stop()
        try:
            yield
        finally:
            self._holds -= 1
            if self._holds == 0:
                self.held_s += time.monotonic() - self._held_since
                self._go_on()

    def _stop(self) -> None:
        due = self._timeout.when()
        self._left_s = None if due is None else due - asyncio.get_running_loop().time()
        if self._movable:
            self._timeout.reschedule(None)

    def _go_on(self) -> None:
        if self._movable and self._left_s is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._left_s)

    @property
    def _movable(self) -> bool:
        return self._within and not self._final and not self.expired()
