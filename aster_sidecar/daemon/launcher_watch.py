"""The launcher of this daemon: reads its first line on stdin, and notices its exit, so that the daemon stops as well.

Two things are watched, because either can be missed: the end of stdin (another child may have inherited the pipe) and
the launcher's process, by a handle or start time, because pids are reused.
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aster_sidecar.services.process_facts import started_at
from aster_sidecar.text.json_text import parse_json

FIRST_LINE_S = 10.0
"""How long the launcher may take to send its first line."""
FIRST_LINE_BYTES = 64 * 1024


class BadFirstLine(Exception):
    """The first line on stdin is missing or not what --supervised expects; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class FirstLine:
    """The launcher's first line: the token, settings that count as flags, and variables with provider keys."""

    token: str | None = field(default=None, repr=False)
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    environment: dict[str, str] = field(default_factory=dict[str, str], repr=False)


def read_first_line(descriptor: int, allowed: frozenset[str]) -> FirstLine:
    """Read one JSON line from `descriptor`, byte by byte so that nothing after it is consumed. Raises: BadFirstLine."""
    line = b""
    reader: list[bytes] = []

    def read() -> None:
        nonlocal line
        while not line.endswith(b"\n") and len(line) <= FIRST_LINE_BYTES:
            try:
                byte = os.read(descriptor, 1)
            except OSError:
                break
            if not byte:
                break
            line += byte
        reader.append(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(FIRST_LINE_S)
    if not reader:
        raise BadFirstLine(f"nothing came on stdin within {FIRST_LINE_S:g} s")
    return parse_first_line(line, allowed)


def parse_first_line(line: bytes, allowed: frozenset[str]) -> FirstLine:
    """Parse and check the first line; `allowed` are the settings that it may hold. Raises: BadFirstLine."""
    if not line.strip():
        raise BadFirstLine('stdin ended before its first line, which must be JSON such as {"token": "…"}')
    try:
        parsed = parse_json(line)
    except ValueError as error:
        raise BadFirstLine(f"the first line on stdin is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise BadFirstLine("the first line on stdin must be a JSON object")
    fields: dict[str, Any] = dict(parsed)  # pyright: ignore[reportUnknownArgumentType]
    token = fields.pop("token", None)
    environment: Any = fields.pop("environment", {})
    if token is not None and (not isinstance(token, str) or len(token) < 16 or not token.isascii()):
        raise BadFirstLine("token must be at least 16 ASCII characters")
    if not isinstance(environment, dict) or not all(
        isinstance(item, str)
        for pair in environment.items()  # pyright: ignore[reportUnknownVariableType]
        for item in pair  # pyright: ignore[reportUnknownVariableType]
    ):
        raise BadFirstLine("environment must be an object of strings")
    unknown = sorted(set(fields) - allowed)
    if unknown:
        raise BadFirstLine(f"unknown fields on the first line: {', '.join(unknown)[:200]}")
    variables: dict[str, str] = dict(environment)  # pyright: ignore[reportUnknownArgumentType]
    return FirstLine(token, fields, variables)


class Watch:
    """Calls `gone` once, on the loop, when the launcher has exited. It does not poll."""

    def __init__(self, gone: Callable[[str], None]) -> None:
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._descriptors: list[int] = []
        self._kqueue: Any = None
        self._notified = False

    def _notify(self, reason: str) -> None:
        self.close()
        if not self._notified:
            self._notified = True
            self._gone(reason)

    def stdin(self, descriptor: int) -> None:
        """Watch for the end of stdin; data on it is discarded."""
        if sys.platform == "win32":
            threading.Thread(target=self._drain, args=(descriptor,), daemon=True).start()
            return

        def readable() -> None:
            try:
                data = os.read(descriptor, 4096)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._notify("stdin ended")

        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, readable)
        self._descriptors.append(descriptor)

    def _drain(self, descriptor: int) -> None:
        try:
            while os.read(descriptor, 4096):
                pass
        except OSError:
            pass
        self._loop.call_soon_threadsafe(self._notify, "stdin ended")

    def process(self, pid: int) -> None:
        """Watch for a process's exit. If it has exited, or started after us (a reused pid), `gone` is called soon."""
        born, own = started_at(pid), started_at(os.getpid())
        if born is None or (own is not None and born > own):
            self._loop.call_soon(self._notify, f"process {pid} is gone")
            return
        if sys.platform == "linux":
            try:
                handle = os.pidfd_open(pid)
            except OSError:
                self._loop.call_soon(self._notify, f"process {pid} is gone")
                return
            if started_at(pid) != born:
                os.close(handle)
                self._loop.call_soon(self._notify, f"process {pid} is gone")
                return
            self._loop.add_reader(handle, lambda: (os.close(handle), self._notify(f"process {pid} ended")))
            self._descriptors.append(handle)
            return
        threading.Thread(target=self._wait, args=(pid, born), daemon=True).start()

    def _wait(self, pid: int, born: float) -> None:
        """Wait in a thread for the exit: with kqueue on macOS, with the process handle on Windows."""
        if sys.platform == "darwin":
            queue = select.kqueue()
            event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            try:
                queue.control([event], 1, None)
            except OSError:
                pass
            finally:
                queue.close()
        else:
            import psutil

            try:
                process = psutil.Process(pid)
                if process.create_time() == born:
                    process.wait()
            except psutil.Error:
                pass
        self._loop.call_soon_threadsafe(self._notify, f"process {pid} ended")

    def close(self) -> None:
        """Stop watching."""
        for descriptor in self._descriptors:
            self._loop.remove_reader(descriptor)
        self._descriptors.clear()
