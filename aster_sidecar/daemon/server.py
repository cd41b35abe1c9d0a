"""Runs one daemon: lock the data directory, bind the sockets, serve, and stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import IO

import uvicorn

from aster_sidecar import __version__, clock
from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.api.identity import Identity
from aster_sidecar.config.settings import Settings
from aster_sidecar.config.toml_file import read_file, write_first
from aster_sidecar.contract.wire import PROTOCOL
from aster_sidecar.daemon import lock_holder, running_daemons
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.daemon.launcher_watch import Watch
from aster_sidecar.daemon.lock_holder import LOCK_BYTES, LOCK_NAME, Holder
from aster_sidecar.daemon.state_file import STATE_NAME, read_state
from aster_sidecar.daemon.wiring import build
from aster_sidecar.http.sockets import BACKLOG, HOST, PROTOCOLS, bind, unix_socket
from aster_sidecar.services.process_facts import started_at
from aster_sidecar.telemetry import log_file as logs
from aster_sidecar.telemetry.redaction import Redactor, secrets_in, secrets_of

log = logging.getLogger(__name__)

STOP_S = 4.8
"""Time limit of an orderly stop; docs/protocol.md promises 5 s."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What stops the daemon when it ends: the pipe on descriptor `stdin`, the process with pid `parent`; None: nothing.

    `replace`: end a daemon that holds the data directory and does not answer.
    """

    stdin: int | None = None
    parent: int | None = None
    replace: bool = False


class AlreadyRunning(Exception):
    """Another daemon uses this data directory. `holder`: that daemon, if its lock file names it; `hint`: what to do."""

    def __init__(self, message: str, hint: str, holder: Holder | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.holder = holder


@dataclass(frozen=True, slots=True)
class DataDirLock:
    """The lock on a data directory: the lock file, and the directory's descriptor where the system can lock it."""

    file: IO[str]
    directory: int | None

    def close(self) -> None:
        self.file.close()
        if self.directory is not None:
            os.close(self.directory)


def lock(data_dir: Path, launcher_pid: int | None = None) -> DataDirLock:
    """Lock the data directory for this process, until it exits. Raises: AlreadyRunning, OSError.

    `launcher_pid`, the process whose exit stops this one, is written into the lock file.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(data_dir)) from error
    held = os.fdopen(os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        text = ""
        with contextlib.suppress(OSError, ValueError):  # on Windows a locked file can't be read either
            text = held.read(LOCK_BYTES).strip()
        held.close()
        raise refusal(data_dir, text) from error
    try:
        taken = DataDirLock(held, lock_directory(data_dir))
    except BlockingIOError as error:
        held.close()
        raise refusal(data_dir, "") from error
    write(held, lock_holder.own(launcher_pid))
    return taken


def lock_directory(data_dir: Path) -> int | None:
    """Lock the directory itself, because a user may delete the lock file of a running daemon by mistake.

    None where directories can't be locked: on Windows, which does not delete open files, and on some network disks.
    Raises: BlockingIOError when another process has the lock.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    directory = os.open(data_dir, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(directory)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return directory


def refusal(data_dir: Path, text: str) -> AlreadyRunning:
    """The error for a refused start: which daemon holds the data directory, since when, and whether it answers.

    Waits at most 2 s for its answer. `text`: the lock file's content.
    """
    named = lock_holder.read(text)
    other = read_state(data_dir) or {}
    if named is None and isinstance(other.get("pid"), int):
        with contextlib.suppress(TypeError, ValueError):
            since = clock.stamp(clock.at(float(other["written_at"])))
            named = Holder(int(other["pid"]), float(other["started_at"]), since, str(other["url"]))
    used = f"the data directory {data_dir} is used by another daemon"
    if named is None or not named.lives:
        return AlreadyRunning(f"{used} ({text or 'unknown'})", "use that daemon, or pass another --data-dir")
    if named.answers():
        return AlreadyRunning(f"{used} ({named.words})", "use that daemon, or pass another --data-dir")
    why, hint = named.trouble()
    return AlreadyRunning(f"{used} ({named.words}): {why}", hint, named)


def take(data_dir: Path, launch: Launch) -> DataDirLock:
    """`lock`, after ending a daemon that hangs if that is allowed. Takes at most about 10 s.

    It is allowed with `replace`, and when a launcher starts us while the other daemon's launcher has exited.
    Raises: AlreadyRunning, OSError.
    """
    watched = launch.parent if launch.parent is not None else os.getppid() if launch.stdin is not None else None
    try:
        return lock(data_dir, watched)
    except AlreadyRunning as error:
        found = error.holder
        if found is None or not (launch.replace or (launch.stdin is not None and found.orphaned)):
            raise
        log.warning("%s; ending it", error)
        if not lock_holder.end(found):
            raise AlreadyRunning(f"{error}; it can't be ended", error.hint, found) from error
        return lock(data_dir, watched)


def write(lock_file: IO[str], own: Holder) -> None:
    """Write the holder into its lock file."""
    lock_file.seek(0)
    lock_file.truncate()
    lock_file.write(lock_holder.written(own))
    lock_file.flush()


def add_url(held: DataDirLock, port: int) -> None:
    """Add this daemon's URL to its lock file, so that a refused start can report it."""
    held.file.seek(0)
    own = lock_holder.read(held.file.read())
    if own is not None:
        write(held.file, replace(own, url=f"http://{HOST}:{port}"))


def redactor_for(settings: Settings) -> Redactor:
    """A redactor for the secrets that the daemon was started with."""
    return Redactor([settings.token or "", *secrets_of(settings.environment)])


@contextlib.contextmanager
def log_file(settings: Settings) -> Generator[None, None, None]:
    """A context in which the daemon logs to a file in the log directory."""
    if not settings.log_file:
        yield
        return
    handler = logs.to_file(settings.places.logs_dir, settings.log_level, redactor_for(settings))
    try:
        yield
    finally:
        logs.remove(handler)


def write_config(path: Path) -> None:
    """Write the commented `config.toml` at the first run. If that fails, log it: the daemon runs without the file."""
    try:
        write_first(path)
    except OSError as error:
        log.warning("%s could not be written: %s", path, error.strerror)


class Server(uvicorn.Server):
    """A uvicorn server that waits for events instead of polling ten times a second, and stops in the daemon's order."""

    def __init__(
        self, config: uvicorn.Config, daemon: Daemon, stop: asyncio.Event, announce: Callable[[Daemon], None]
    ) -> None:
        super().__init__(config)
        self._daemon = daemon
        self._announce = announce
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ask for an orderly stop; a second SIGINT exits immediately."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._stop.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """As in uvicorn, but signals are not raised again afterwards, so that the daemon sets its own exit code."""
        names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
        before = {name: signal.signal(getattr(signal, name), self.handle_exit) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(getattr(signal, name), handler)

    async def main_loop(self) -> None:
        """Wait for the stop, then end turns and streams, before uvicorn waits for its connections to close."""
        self.server_state.default_headers = self.config.encoded_headers
        self._announce(self._daemon)
        await self._stop.wait()
        self.should_exit = True
        give_up_after(STOP_S)
        for server in self.servers:
            server.close()
        await self._daemon.close()


def give_up_after(seconds: float) -> None:
    """Exit the process after `seconds`, whatever still hangs. Safe: everything durable is in the journal by then."""

    def leave() -> None:
        log.warning("the stop took longer than %g s: exiting", seconds)
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def write_state(identity: Identity) -> None:
    """Write `sidecar.json`, by which clients find this daemon; atomically, readable by its owner. Raises: OSError."""
    place = identity.settings.places.data_dir / STATE_NAME
    state_fields = {
        "url": identity.url,
        "port": identity.port,
        "pid": identity.pid,
        "started_at": started_at(identity.pid),
        "instance_id": identity.instance_id,
        "protocol": PROTOCOL,
        "version": __version__,
        "framework": identity.settings.framework,
        "token": identity.settings.token is not None,
        "uds": str(identity.settings.uds) if identity.settings.uds is not None else None,
    }
    fresh = place.with_name(f".{STATE_NAME}-{identity.pid}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(state_fields, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, place)


async def serve(settings: Settings, code: AppCode, announce: Callable[[Daemon], None], launch: Launch) -> None:
    """Run one daemon until it is stopped or its launcher exits. `announce` is called once it answers requests.

    Raises: PortTaken, AlreadyRunning, ConfigInvalid, StoreError, OSError.
    """
    held = take(settings.places.data_dir, launch)
    with (
        contextlib.closing(held),
        log_file(settings),
        contextlib.closing(bind(settings.port, settings.any_port)) as bound,
        unix_socket(settings.uds) as local,
    ):
        stop = asyncio.Event()

        def launcher_gone(reason: str) -> None:
            log.info("stopping: %s", reason)
            stop.set()

        watch = Watch(launcher_gone)
        if launch.stdin is not None:
            watch.stdin(launch.stdin)
        if launch.parent is not None:
            watch.process(launch.parent)
        write_config(settings.places.config_path)
        daemon = build(settings, code, bound.getsockname()[1], stop.set)
        config_file = read_file(settings.places.config_path)
        logs.learn([*secrets_in(config_file.get("mcp")), *secrets_in(config_file.get("services"))])
        identity = daemon.identity
        add_url(held, identity.port)
        await daemon.open()
        config = uvicorn.Config(
            logs.Access(daemon.app),
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            backlog=BACKLOG,
            **PROTOCOLS,
        )

        listed: Path | None = None

        def ready(daemon: Daemon) -> None:
            nonlocal listed
            write_state(identity)
            if launch.stdin is None and settings.token is None:
                listed = running_daemons.enter(
                    settings.places.daemons_dir, identity.instance_id, settings.places.data_dir
                )
            log.info(
                "listening",
                extra={
                    "port": identity.port,
                    "framework": settings.framework,
                    "version": __version__,
                    "pid": identity.pid,
                },
            )
            announce(daemon)
            daemon.begin_services()

        try:
            await Server(config, daemon, stop, ready).serve(sockets=[bound] if local is None else [bound, local])
        finally:
            watch.close()
            running_daemons.leave(listed)
            (settings.places.data_dir / STATE_NAME).unlink(missing_ok=True)
            log.info("stopped")
