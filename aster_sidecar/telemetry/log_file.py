"""The log: JSON lines in `aster.log`, rotated by size, and plain lines on stderr; no conversations, no secrets.

Only messages of our own modules are written in full. For an exception the log has its type and place, for a library's
message its place, because their texts can quote requests, responses and arguments.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import logging
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aster_sidecar.errors import ConfigInvalid, StoreError
from aster_sidecar.telemetry.redaction import Redactor

log = logging.getLogger(__name__)

OWN = "aster_sidecar"
FILE = "aster.log"
FILE_BYTES = 5 * 1024 * 1024
KEPT_FILES = 5
"""The number of older files that are kept; `aster.log.1` is the newest."""
LEVELS = ("debug", "info", "warning", "error")
STDERR_LEVEL, FILE_LEVEL = "warning", "info"
TEXT_CHARS = 2000
FRAMES = 30
CHAIN = 4
FIELDS = (
    *("turn_id", "session_id", "agent_id", "call_id", "request_id", "method", "path", "status", "duration_ms"),
    *("code", "model", "tool", "outcome", "stop_reason", "attempt", "requests", "input_tokens", "output_tokens"),
    *("port", "framework", "version", "pid", "revert_id"),
)
"""The fields that a line may have besides its message: `log.info("…", extra={"turn_id": …})`."""
PLAIN_SPOKEN = frozenset(("asyncio", "uvicorn.error"))
"""Libraries whose messages begin with a fixed text, up to the first bracket or quotation mark."""

FIRST_DETAIL = re.compile(r"""[(<{\[:"'\n]""")

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


# -- what is written ---------------------------------------------------------------------------------------------------


def is_own(name: str) -> bool:
    """Whether a logger is one of our modules."""
    return name == OWN or name.startswith(OWN + ".")


def words_of(record: logging.LogRecord) -> str:
    """The part of a record's message that can't contain personal data."""
    if is_own(record.name):
        return record.getMessage()
    place = f"{Path(record.pathname).name}:{record.lineno}"
    message = str(record.msg)
    if record.args:  # the format without its arguments
        return f"{message.splitlines()[0][:200] if message else ''} ({place})"
    if record.name in PLAIN_SPOKEN:
        return f"{re.split(FIRST_DETAIL, message)[0].strip()[:200]} ({place})"
    return f"a library's message, not recorded ({place})"


def describe(error: BaseException) -> str:
    """An exception's type; its message only if it comes from the system or from us."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name}: {errno.errorcode.get(error.errno, error.errno)} {os.strerror(error.errno)}"
    if isinstance(error, StoreError | ConfigInvalid):
        return f"{name}: {error.message}"
    if isinstance(error, ImportError) and error.name:
        return f"{name}: {error.name}"
    code = getattr(error, "code", None)
    return f"{name} ({code})" if isinstance(code, str) and code.isidentifier() else name


def chain_of(error: BaseException | None) -> list[dict[str, Any]]:
    """The types and places of an exception and of its causes, newest first."""
    found: list[dict[str, Any]] = []
    while error is not None and len(found) < CHAIN:
        codes = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)][-FRAMES:]
        places = [f"{Path(code.co_filename).name}:{line} {code.co_name}" for code, line in codes]
        found.append({"error": describe(error), "at": places})
        within: list[BaseException] = list(getattr(error, "exceptions", ()))  # of an exception group: only the first
        error = within[0] if within else error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def exceptions_of(record: logging.LogRecord) -> list[dict[str, Any]]:
    """The exception of a record, as `chain_of` gives it."""
    return chain_of(record.exc_info[1]) if record.exc_info else []


def plain(text: str) -> str:
    """The text as one line without control characters, at most TEXT_CHARS long."""
    return "".join(char if char.isprintable() else " " for char in text[:TEXT_CHARS])


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, message, and the FIELDS that it has."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self.redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        clean = self.redactor.clean
        line: dict[str, Any] = {
            "time": stamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(plain(words_of(record))),
        }
        for name in FIELDS:
            value = record.__dict__.get(name)
            if value is not None:
                line[name] = clean(plain(value)) if isinstance(value, str) else value
        if exceptions := exceptions_of(record):
            line["exception"] = [{**entry, "error": clean(plain(entry["error"]))} for entry in exceptions]
        return json.dumps(line, ensure_ascii=False, default=lambda value: type(value).__name__)


class Words(logging.Formatter):
    """Formats a record as a line for a person at a terminal."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self.redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={record.__dict__[name]}" for name in FIELDS if record.__dict__.get(name) is not None)
        text = f"{stamp(record.created)} {record.levelname} {record.name}: {words_of(record)}"
        lines = [self.redactor.clean(plain(f"{text} [{fields}]" if fields else text))]
        for entry in exceptions_of(record):
            lines.append(f"  {self.redactor.clean(plain(entry['error']))}")
            lines += [f"    {place}" for place in entry["at"]]
        return "\n".join(lines)


def stamp(created: float) -> str:
    """A time in seconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- where it goes -----------------------------------------------------------------------------------------------------


class LogFile(logging.Handler):
    """Appends to a file with mode 0600 and rotates it. A line that can't be written is lost; stderr says so once."""

    def __init__(self, path: Path, most_bytes: int = FILE_BYTES, kept: int = KEPT_FILES) -> None:
        super().__init__()
        self.path = path
        self._most_bytes = most_bytes
        self._kept = kept
        self._file: io.FileIO | None = None
        self._size = 0
        self._torn = False
        self._reported = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            self._write(line)
            self._reported = False
        except Exception as error:  # a log must never take the daemon down
            self._report(error)

    def write_lines(self, lines: bytes) -> None:
        """Append whole lines, from any thread. A failure is reported once, as for records."""
        with self.lock or contextlib.nullcontext():
            try:
                self._write(lines)
                self._reported = False
            except Exception as error:
                self._report(error)

    def _write(self, line: bytes) -> None:
        opened = self._file
        if opened is not None and os.fstat(opened.fileno()).st_nlink == 0:  # the file was deleted
            opened.close()
            opened = None
        if opened is None:
            opened = self._open()
        if self._size and self._size + len(line) > self._most_bytes:
            opened = self._rotate(opened)
        if self._torn:
            line = b"\n" + line
        written = opened.write(line) or 0
        self._size += written
        self._torn = written < len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> io.FileIO:
        self._file = None
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._file = io.FileIO(os.open(self.path, flags, 0o600), "w")
        self._size = os.fstat(self._file.fileno()).st_size
        return self._file

    def _rotate(self, opened: io.FileIO) -> io.FileIO:
        """Rename the full file and open a new one. Raises: OSError; then nothing is written, so the file can't grow."""
        opened.close()
        self._file = None
        for number in range(self._kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
        os.replace(self.path, f"{self.path}.1")
        return self._open()

    def _report(self, error: Exception) -> None:
        if not self._reported:
            self._reported = True
            with contextlib.suppress(Exception):
                print(f"aster-sidecar: the log {self.path} can't be written: {describe(error)}", file=sys.stderr)

    def close(self) -> None:
        with self.lock or contextlib.nullcontext():
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()
                self._file = None
        super().close()


def to_stderr(level: str | None, redactor: Redactor) -> None:
    """Log to stderr from now on, also exceptions of threads and destructors. `level` None means `warning`."""
    for earlier in [handler for handler in logging.getLogger().handlers if isinstance(handler.formatter, Words)]:
        remove(earlier)
    logging.raiseExceptions = False  # a broken log call would print its arguments
    handler = logging.StreamHandler()
    handler.setLevel((level or STDERR_LEVEL).upper())
    handler.setFormatter(Words(redactor))
    add(handler)

    def in_thread(given: threading.ExceptHookArgs) -> None:
        log.error("a thread ended with an exception", exc_info=given.exc_value)

    def unraisable(given: Any) -> None:
        log.error("an exception was ignored", exc_info=given.exc_value)

    threading.excepthook, sys.unraisablehook = in_thread, unraisable


def to_file(directory: Path, level: str | None, redactor: Redactor) -> logging.Handler:
    """Log to `aster.log` in the directory from now on. `level` None means `info`. Undo with `remove(handler)`."""
    handler = LogFile(directory / FILE)
    handler.setLevel((level or FILE_LEVEL).upper())
    handler.setFormatter(JsonLines(redactor))
    add(handler)
    return handler


def add(handler: logging.Handler) -> None:
    """Send a handler our records from its level on, and warnings of libraries."""
    root, own = logging.getLogger(), logging.getLogger(OWN)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    own.setLevel(min(handler.level, own.level or logging.CRITICAL))


def remove(handler: logging.Handler) -> None:
    """Remove and close a handler."""
    logging.getLogger().removeHandler(handler)
    handler.close()


def learn(secrets: Iterable[str]) -> None:
    """Mask these secrets in every log from now on."""
    values = list(secrets)
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, JsonLines | Words):
            handler.formatter.redactor.learn(values)


# -- requests ----------------------------------------------------------------------------------------------------------


class Access:
    """ASGI middleware, outermost: logs a line for each request, without its query, headers and body."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            scope.setdefault("state", {})["outer_app"] = self  # requests over a WebSocket are logged too
        began = time.monotonic()
        status = 0

        async def noted(message: Any) -> None:
            nonlocal status
            kind = message["type"]
            if kind.endswith("response.start"):
                status = message["status"]
            elif kind == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            level = logging.WARNING if status >= 500 else logging.INFO if status >= 400 else logging.DEBUG
            if log.isEnabledFor(level):
                fields = {
                    "request_id": scope.get("state", {}).get("request_id"),
                    "method": scope.get("method", "WEBSOCKET"),
                    "path": scope["path"][:200],
                    "status": status or None,
                    "duration_ms": round((time.monotonic() - began) * 1000, 1),
                }
                log.log(level, "request", extra=fields)
