"""The context that a Python tool may take, and the progress that it reports: limited in size and rate."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aster_sidecar.errors import AsterError
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import CallContext

TOLD_BYTES = 256 * 1024
"""How much output one call may show while it runs."""
AT_ONCE = 100
"""How many progress events are sent without delay; later ones are sent at most every `TELL_S`."""
TELL_S = 0.1


class ToolContext:
    """What a tool can get besides its arguments: annotate the function's first parameter with this class.

    `context` is what the app sent with the message; `work_dir` is where tools work; `cancelled` becomes true when the
    call has to end: a function that is not async should check it from time to time, and return.
    """

    def __init__(self, call: CallContext) -> None:
        self._call = call
        self._teller = Teller(call)
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def agent_id(self) -> str:
        return self._call.agent_id

    @property
    def session_id(self) -> str:
        return self._call.session_id

    @property
    def turn_id(self) -> str:
        return self._call.turn_id

    @property
    def call_id(self) -> str:
        return self._call.call_id

    @property
    def context(self) -> Mapping[str, Any]:
        return self._call.context

    @property
    def work_dir(self) -> Path:
        return self._call.surroundings.work_dir

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def progress(
        self, message: str | None = None, progress: float | None = None, *, delta: str | None = None
    ) -> Awaitable[None]:
        """Show the progress of the call: a message, a share from 0 to 1, or a piece of output (`delta`).

        It also works in a thread, and does not have to be awaited. After the end of the call it does nothing. Raises:
        ValueError, TypeError.
        """
        if progress is not None and not 0 <= progress <= 1:
            raise ValueError(f"progress must be from 0 to 1, not {progress!r}")
        for name, text in (("message", message), ("delta", delta)):
            if text is not None and not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"{name} must be text, not {type(text).__name__}")
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._teller.take(message, progress, delta)
        elif not self._stop.is_set() and not self._loop.is_closed():
            # Wait for the loop: otherwise a thread could publish faster than the journal can be written.
            taken = threading.Event()

            def take() -> None:
                self._teller.take(message, progress, delta)
                taken.set()

            try:
                self._loop.call_soon_threadsafe(take)
            except RuntimeError:  # the daemon has stopped meanwhile
                return Pause()
            while not taken.wait(1.0):
                if self._stop.is_set() or self._loop.is_closed():
                    break
        return Pause()


class Pause:
    """Yields to the event loop when it is awaited; otherwise it does nothing."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from asyncio.sleep(0).__await__()


class Teller:
    """Passes the progress of a call on to the journal, limited in size and rate. Used on the event loop only."""

    def __init__(self, call: CallContext) -> None:
        self._call = call
        self._sent = 0
        self._sent_at = 0.0
        self._left = TOLD_BYTES
        self._dropped = 0
        self._message: str | None = None
        self._progress: float | None = None
        self._pieces: list[str] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._over = False

    def take(self, message: str | None, progress: float | None, delta: str | None) -> None:
        if self._over or message is progress is delta is None:
            return
        self._message = visible(message[:1000], newlines=False) if message is not None else self._message
        self._progress = float(progress) if progress is not None else self._progress
        if delta:
            size = len(delta.encode("utf-8", "replace"))
            if size > self._left:
                self._dropped += size
                self._message = f"{sized(self._dropped)} of its output is not shown"
            else:
                self._left -= size
                self._pieces.append(delta)
        due_s = self._sent_at + TELL_S - time.monotonic()
        if self._sent < AT_ONCE or due_s <= 0:
            self.flush()
        elif self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(due_s, self.flush)

    def flush(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._over or (self._message is self._progress is None and not self._pieces):
            return
        self._sent, self._sent_at = self._sent + 1, time.monotonic()
        delta = "".join(self._pieces) or None
        with suppress(AsterError):  # an error of the store comes again at the end of the call
            self._call.tell(self._message, progress=self._progress, stream="stdout" if delta else None, delta=delta)
        self._message, self._progress = None, None
        self._pieces.clear()

    def close(self) -> None:
        """Send what is left; nothing is sent after this."""
        self.flush()
        self._over = True
