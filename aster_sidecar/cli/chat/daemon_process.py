"""The daemon that a chat talks to: the one that runs for a data directory, or one that the chat starts and stops."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Unreachable
from aster_sidecar.config.places import Places
from aster_sidecar.daemon import lock_holder
from aster_sidecar.daemon.state_file import read_live_state
from aster_sidecar.frozen import own_command
from aster_sidecar.services.process_facts import state_of

EXIT_S = 30.0
"""Longest wait for the exit of a daemon that failed to start."""
STOP_S = 10.0
"""Longest wait for a daemon to stop; then it is killed."""
START_S = 15.0
"""Longest wait for a daemon that holds the lock of its data directory to be ready, or to have stopped."""
BACK_S = 5.0
"""Longest wait for an app to start its daemon again after it was killed."""
FIND_EVERY_S = 0.1
LOG_CHARS = 4000
"""How much of the log is shown when a daemon fails to start."""


class NotStarted(Exception):
    """A daemon could not be started; `code` is its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Found:
    """What `sidecar.json` says about a daemon whose process exists."""

    url: str
    pid: int
    instance_id: str
    framework: str
    version: str
    needs_token: bool

    @property
    def words(self) -> str:
        """The daemon in a few words."""
        return f"pid {self.pid}, {self.framework}, {self.url}"


def find(data_dir: Path) -> Found | None:
    """The daemon of a data directory; None without a `sidecar.json` that can be read, or when its process is gone.

    A process with that pid is the daemon only if it started when `sidecar.json` says.
    """
    try:
        content = read_live_state(data_dir) or {}
        return Found(
            url=str(content["url"]),
            pid=int(content["pid"]),
            instance_id=str(content["instance_id"]),
            framework=str(content["framework"]),
            version=str(content["version"]),
            needs_token=bool(content["token"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def wait_for(data_dir: Path, back_s: float = 0.0) -> Found | None:
    """The daemon of a data directory, as soon as it is ready; None if there is none.

    Blocks for `START_S` at most while a daemon starts or stops there, and for `back_s` before one does.
    """
    begun = time.monotonic()
    while (found := find(data_dir)) is None:
        held = lock_holder.look(data_dir)
        longest_s = START_S if held is not None and state_of(held.pid) != "stopped" else back_s
        if time.monotonic() - begun >= longest_s:
            return None
        time.sleep(FIND_EVERY_S)
    return found


def connect(found: Found, data_dir: Path, token: str | None) -> Connection:
    """A connection to a running daemon that follows it across restarts. `token`: sent if the daemon needs one."""

    def relocate() -> tuple[str, str, str | None]:
        now = find(data_dir)
        if now is None:
            raise Unreachable(texts.no_daemon(data_dir))
        return now.url, now.instance_id, token if now.needs_token else None

    return Connection(found.url, found.instance_id, token if found.needs_token else None, relocate)


@dataclass
class Child:
    """A daemon that runs until this process closes its stdin."""

    process: subprocess.Popen[bytes]
    url: str
    pid: int
    instance_id: str
    token: str = field(repr=False)

    def stop(self) -> None:
        """Close its stdin and wait until it has stopped; after STOP_S it is killed."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


def start(flags: Sequence[str], places: Places, environment: Mapping[str, str], token: str | None = None) -> Child:
    """Start a daemon on a free port that stops with this process. Blocks until it is ready.

    `flags`: its command line; `token`: used if the daemon accepts it, else a random one. Raises: NotStarted, OSError.
    """
    token = token if token is not None and len(token) >= 16 and token.isascii() else secrets.token_urlsafe(32)
    places.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # first: mkdir gives no mode to parents
    places.logs_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    log_path = places.logs_dir / "chat.log"
    # Ctrl-C in this terminal must not reach the daemon. On Windows: CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP.
    creation_flags = 0x08000200 if sys.platform == "win32" else 0
    with os.fdopen(os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        before = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            [*own_command(), "--supervised", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={name: value for name, value in environment.items() if name != "ASTER_SIDECAR_TOKEN"},
            creationflags=creation_flags,
            start_new_session=sys.platform != "win32",
        )
    assert process.stdin is not None
    assert process.stdout is not None
    line = b""
    with contextlib.suppress(OSError):
        process.stdin.write(json.dumps({"token": token, "port": 0}).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
    if not line:
        process.stdin.close()
        process.stdout.close()
        code = process.wait(EXIT_S)
        with open(log_path, "rb") as log:
            log.seek(before)
            said = log.read(LOG_CHARS).decode("utf-8", "replace").strip()
        raise NotStarted(said.removeprefix("aster-sidecar: ") or texts.daemon_exited(code), code)
    ready = json.loads(line)
    return Child(process, ready["url"], ready["pid"], ready["instance_id"], token)


class OwnDaemon:
    """A daemon that runs as long as the `with` block; if it crashes, the connection starts another.

    Raises: NotStarted, OSError.
    """

    def __init__(self, flags: Sequence[str], at: Places, environment: Mapping[str, str], token: str | None) -> None:
        self._flags = list(flags)
        self._at, self._environment, self._token = at, environment, token
        self._lock = threading.Lock()
        self.child: Child

    def __enter__(self) -> OwnDaemon:
        self.child = start(self._flags, self._at, self._environment, self._token)
        return self

    def __exit__(self, *error: object) -> None:
        self.child.stop()

    def connection(self) -> Connection:
        """A connection to the daemon."""
        return Connection(self.child.url, self.child.instance_id, self.child.token, self._relocate)

    def _relocate(self) -> tuple[str, str, str | None]:
        with self._lock:
            if self.child.process.poll() is not None:
                self.child.stop()
                try:
                    self.child = start(self._flags, self._at, self._environment, self._token)
                except NotStarted as error:
                    raise Unreachable(str(error)) from error
            return self.child.url, self.child.instance_id, self.child.token
