"""Bind the socket, say where it listens, serve, stop in order."""

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
from aster_sidecar.daemon.client import state
from aster_sidecar.daemon.launcher_watch import Watch
from aster_sidecar.daemon.lock_holder import LOCK_BYTES, LOCK_NAME, Holder
from aster_sidecar.daemon.wiring import Daemon, build
from aster_sidecar.http.sockets import BACKLOG, HOST, PROTOCOLS, bind, unix_socket
from aster_sidecar.services.process_facts import started_at
from aster_sidecar.telemetry import log_file as logs
from aster_sidecar.telemetry.redaction import Redactor, secrets_in, secrets_of

log = logging.getLogger(__name__)

STATE_NAME = "sidecar.json"
STOP_S = 4.8
"""Longest that an ordered stop may take; the promise is 5 s."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Whose end is ours: a pipe on `stdin`, a process `parent`; None where nobody is watched.

    `replace`: a daemon that holds the data directory and does not answer may be ended.
    """

    stdin: int | None = None
    parent: int | None = None
    replace: bool = False


class AlreadyRunning(Exception):
    """Another daemon uses this data directory. `holder`: who, where its lock file says so; `hint`: the remedy."""

    def __init__(self, message: str, hint: str, holder: Holder | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Held:
    """A data directory that is taken: its lock file, and the directory itself where the system locks those."""

    file: IO[str]
    directory: int | None

    def close(self) -> None:
        self.file.close()
        if self.directory is not None:
            os.close(self.directory)


def lock(data_dir: Path, launcher_pid: int | None = None) -> Held:
    """Take the data directory for this process; the lock goes when it goes. Raises: AlreadyRunning, OSError.

    `launcher_pid` is kept beside it: the program whose exit ends this one.
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
        with contextlib.suppress(OSError, ValueError):  # on Windows what is locked can't be read either
            text = held.read(LOCK_BYTES).strip()
        held.close()
        raise refusal(data_dir, text) from error
    try:
        taken = Held(held, lock_directory(data_dir))
    except BlockingIOError as error:
        held.close()
        raise refusal(data_dir, "") from error
    write(held, lock_holder.own(launcher_pid))
    return taken


def lock_directory(data_dir: Path) -> int | None:
    """Lock the directory itself: somebody may delete the lock file of a daemon that runs, as if it were left over.

    None where the system has no such lock: Windows, which deletes no file that is open, and some network disks.
    Raises: BlockingIOError when another process has it.
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
    """Why a start is refused: who holds the data directory, since when, and whether it answers (asked for 2 s)."""
    named = lock_holder.read(text)
    told = state(data_dir) or {}
    if named is None and isinstance(told.get("pid"), int):
        with contextlib.suppress(TypeError, ValueError):
            since = clock.stamp(clock.at(float(told["written_at"])))
            named = Holder(int(told["pid"]), float(told["started_at"]), since, str(told["url"]))
    used = f"the data directory {data_dir} is used by another daemon"
    if named is None or not named.lives:
        return AlreadyRunning(f"{used} ({text or 'unknown'})", "talk to that one, or pass another --data-dir")
    if named.answers():
        return AlreadyRunning(f"{used} ({named.words})", "talk to that one, or pass another --data-dir")
    why, hint = named.trouble()
    return AlreadyRunning(f"{used} ({named.words}): {why}", hint, named)


def take(data_dir: Path, launch: Launch) -> Held:
    """`lock`, from one that hangs too: when it may be ended, it is. Takes at most some 10 s.

    It may be when a person says so (`replace`), and when a launcher starts us and the launcher of that one is gone.
    Raises: AlreadyRunning, OSError.
    """
    watched = launch.parent if launch.parent is not None else os.getppid() if launch.stdin is not None else None
    try:
        return lock(data_dir, watched)
    except AlreadyRunning as error:
        found = error.holder
        if found is None or not (launch.replace or (launch.stdin is not None and found.orphaned)):
            raise
        log.warning("%s; it is ended", error)
        if not lock_holder.end(found):
            raise AlreadyRunning(f"{error}; it can't be ended", error.hint, found) from error
        return lock(data_dir, watched)


def write(lock_file: IO[str], own: Holder) -> None:
    """Write into the lock file who holds it."""
    lock_file.seek(0)
    lock_file.truncate()
    lock_file.write(lock_holder.written(own))
    lock_file.flush()


def sign(held: Held, port: int) -> None:
    """Add where it listens, for those whose daemon is refused."""
    held.file.seek(0)
    own = lock_holder.read(held.file.read())
    if own is not None:
        write(held.file, replace(own, url=f"http://{HOST}:{port}"))


def redactor_for(settings: Settings) -> Redactor:
    """Knows the secrets that the daemon was started with."""
    return Redactor([settings.token or "", *secrets_of(settings.environment)])


@contextlib.contextmanager
def log_file(settings: Settings) -> Generator[None, None, None]:
    """Log to the log directory while this holds."""
    if not settings.log_file:
        yield
        return
    handler = logs.to_file(settings.places.logs_dir, settings.log_level, redactor_for(settings))
    try:
        yield
    finally:
        logs.remove(handler)


def write_config(path: Path) -> None:
    """Write the commented `config.toml` of a first run. Where that can't be, it runs without."""
    try:
        write_first(path)
    except OSError as error:
        log.warning("%s could not be written: %s", path, error.strerror)


class Server(uvicorn.Server):
    """uvicorn, woken by what happens instead of ten times a second, and stopped in our order."""

    def __init__(
        self, config: uvicorn.Config, daemon: Daemon, stop: asyncio.Event, announce: Callable[[Daemon], None]
    ) -> None:
        super().__init__(config)
        self._daemon = daemon
        self._announce = announce
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for an orderly stop; SIGINT a second time leaves at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._stop.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """As uvicorn's, but a signal is not raised again at the end: the exit code is ours to give."""
        names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
        before = {name: signal.signal(getattr(signal, name), self.handle_exit) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(getattr(signal, name), handler)

    async def main_loop(self) -> None:
        """Wait for the stop, then end turns and streams before uvicorn waits for its connections."""
        self.server_state.default_headers = self.config.encoded_headers
        self._announce(self._daemon)
        await self._stop.wait()
        self.should_exit = True
        give_up_after(STOP_S)
        for server in self.servers:
            server.close()
        await self._daemon.close()


def give_up_after(seconds: float) -> None:
    """Leave whatever still hangs after the time a stop may take. Safe: what matters is in the journal by then."""

    def leave() -> None:
        log.warning("the stop took longer than %g s: leaving", seconds)
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def say_where(identity: Identity) -> None:
    """Write `sidecar.json`, atomically and for the owner only: how others find this daemon. Raises: OSError."""
    place = identity.settings.places.data_dir / STATE_NAME
    told = {
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
        json.dump(told, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, place)


async def serve(settings: Settings, code: AppCode, announce: Callable[[Daemon], None], launch: Launch) -> None:
    """Run one daemon until it is stopped or its launcher is gone. `announce` is called once requests are answered.

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

        def launcher_gone(sign: str) -> None:
            log.info("stopping: %s", sign)
            stop.set()

        watch = Watch(launcher_gone)
        if launch.stdin is not None:
            watch.stdin(launch.stdin)
        if launch.parent is not None:
            watch.process(launch.parent)
        write_config(settings.places.config_path)
        daemon = build(settings, code, bound.getsockname()[1], stop.set)
        told = read_file(settings.places.config_path)
        logs.learn([*secrets_in(told.get("mcp")), *secrets_in(told.get("services"))])
        identity = daemon.identity
        sign(held, identity.port)
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
            say_where(identity)
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
