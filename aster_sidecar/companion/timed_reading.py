"""Reads the file system in threads, within a time: a network drive that does not answer holds up nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from aster_sidecar.errors import FolderUnusable

T = TypeVar("T")

THREADS = 4
"""Threads of one call: so many paths may not answer before the others are not read any more."""
STUCK_MOST = 16
"""Paths that did not answer yet. Beyond this, nothing is read, so that the number of threads stays bounded."""


class TimedReading:
    """Runs functions that read paths.

    The threads are daemon threads of their own: one that never ends must neither block the threads that others use nor
    the end of the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stuck: set[str] = set()
        """Paths that a thread still reads although the time of its call is over. They are not read again."""

    async def each(self, paths: Sequence[str], read: Callable[[str], T], within_s: float) -> dict[str, T | Exception]:
        """What `read` returned or raised for each path; those that did not answer in time are absent."""
        with self._lock:
            left = deque(path for path in paths if path not in self._stuck)
            if len(self._stuck) >= STUCK_MOST:
                return {}
        loop = asyncio.get_running_loop()
        results: dict[str, T | Exception] = {}
        reading: set[str] = set()
        ended = asyncio.Semaphore(0)

        def work() -> None:
            while True:
                with self._lock:
                    if not left:
                        break
                    path = left.popleft()
                    reading.add(path)
                found: T | Exception
                try:
                    found = read(path)
                except Exception as error:  # raised again, or handled, by the caller
                    found = error
                with self._lock:
                    results[path] = found
                    reading.discard(path)
                    self._stuck.discard(path)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(ended.release)

        threads = min(THREADS, len(left))
        for _ in range(threads):
            threading.Thread(target=work, name="reads-a-folder", daemon=True).start()
        try:
            async with asyncio.timeout(within_s):
                for _ in range(threads):
                    await ended.acquire()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                left.clear()
                self._stuck |= reading
                finished = dict(results)
        return finished

    async def one(self, path: str, read: Callable[[str], T], within_s: float) -> T:
        """What `read` returns for one path. Raises: what it raises; FolderUnusable if it does not answer in time."""
        found = await self.each([path], read, within_s)
        if path not in found:
            raise FolderUnusable(
                f"{path[:200]} does not answer", hint="if it is on a network drive, check the connection; try again"
            )
        result = found[path]
        if isinstance(result, Exception):
            raise result
        return result
