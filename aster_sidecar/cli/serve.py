"""Serving: turns arguments, the launcher's first line and the environment into settings, and runs the daemon."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aster_sidecar.agents.app_code import AppCode, AppProgram
from aster_sidecar.cli.announce import announce, announce_and_open, announce_ready
from aster_sidecar.cli.app_program import fill, load
from aster_sidecar.cli.exit_codes import (
    EXIT_CONFIG,
    EXIT_CRASH,
    EXIT_PORT,
    EXIT_RUNNING,
    EXIT_STOPPED,
    EXIT_STORE,
    EXIT_USAGE,
    fail,
)
from aster_sidecar.cli.serve_args import FIRST_LINE_KEYS, absolute, first_line_problem, misnamed_places, parser
from aster_sidecar.config.places import places
from aster_sidecar.config.settings import DEFAULT_PORTS, DEFAULTS, Settings
from aster_sidecar.contract.wire import Framework
from aster_sidecar.daemon import parent_process
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.daemon.launcher_watch import BadFirstLine, read_first_line
from aster_sidecar.daemon.server import AlreadyRunning, Launch, redactor_for, serve
from aster_sidecar.errors import ConfigInvalid, StoreError
from aster_sidecar.http.sockets import PortTaken
from aster_sidecar.telemetry import log_file

log = logging.getLogger(__name__)


def serve_command(
    words: Sequence[str],
    started_by: parent_process.Parent,
    program: AppProgram | None,
    *,
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Run the daemon until it is stopped; returns the exit code.

    `program`: the app whose code calls this, if any; `on_ready` is called once the daemon answers.
    """
    given = parser().parse_args(words)
    if given.work_dir:  # relative to the current directory
        given.work_dir = str(absolute(Path(given.work_dir)))
    environment = dict(os.environ)
    # The app's own code must not read it from there either.
    token = os.environ.pop("ASTER_SIDECAR_TOKEN", None) or None
    environment.pop("ASTER_SIDECAR_TOKEN", None)
    try:
        if given.supervised:
            token = take_first_line(given, environment) or token
    except BadFirstLine as error:
        return fail(EXIT_USAGE, f"--supervised: {error}")
    try:
        code = code_of(given, program)
    except ConfigInvalid as error:
        return fail(EXIT_CONFIG, error.message, error.hint)
    settings = settings_of(given, environment, token)
    log_file.to_stderr(settings.log_level, redactor_for(settings))
    if (wrong := unusable(given, settings)) is not None:
        return fail(*wrong)
    if token:
        hide_memory()
    launch = Launch(
        stdin=sys.stdin.fileno() if given.supervised else None,
        parent=parent_process.to_watch(started_by, settings.framework, given.parent_pid, given.detach),
        replace=given.replace,
    )
    say = announce_ready if given.supervised else announce_and_open if given.open else announce

    def ready(daemon: Daemon) -> None:
        say(daemon)
        if on_ready is not None:
            on_ready()

    return run(settings, code, ready, launch)


def take_first_line(given: argparse.Namespace, environment: dict[str, str]) -> str | None:
    """Read the launcher's first line from stdin into `given` and `environment`; returns the token in it, or None.

    Raises: BadFirstLine.
    """
    try:
        first = read_first_line(sys.stdin.fileno(), frozenset(DEFAULTS) | FIRST_LINE_KEYS)
    except OSError as error:
        raise BadFirstLine(str(error)) from error
    environment |= first.environment
    given.__dict__.update(first.settings)
    if (wrong := first_line_problem(first.settings)) is not None:
        raise BadFirstLine(wrong)
    for name in ("data_dir", "config_dir", "uds"):
        said = getattr(given, name)
        setattr(given, name, Path(said) if said is not None else None)
    return first.token


def code_of(given: argparse.Namespace, program: AppProgram | None) -> AppCode:
    """The app's own agents and tools; flags from its code are put into `given`. Raises: ConfigInvalid."""
    if program is not None and given.app is not None:
        raise ConfigInvalid(
            f"--app {given.app}: the program that is running is an app already",
            hint="a module that --app loads must call run() only under if __name__ == '__main__'",
        )
    if program is None and given.app is None:
        return AppCode()
    program = program or load(str(given.app))
    code = program.code()
    fill(given, program)
    return code


def settings_of(given: argparse.Namespace, environment: Mapping[str, str], token: str | None) -> Settings:
    """The settings from the flags, the first line and the environment."""
    framework: Framework = given.framework or "web"
    return Settings(
        framework=framework,
        port=DEFAULT_PORTS[framework] if given.port is None else given.port,
        places=places(environment, data_dir=absolute(given.data_dir), config_dir=absolute(given.config_dir)),
        token=token,
        allow_origins=tuple(map(str, given.allow_origin)),
        flags={key: getattr(given, key) for key in (*DEFAULTS, "framework", "port", "allow_origin", "supervised")},
        environment=environment,
        uds=absolute(given.uds),
        any_port=given.any_port,
        log_level=given.log_level,
        log_file=given.log_file,
    )


def unusable(given: argparse.Namespace, settings: Settings) -> tuple[int, str, str | None] | None:
    """Exit code, message and hint for settings that a daemon can't run with; None when they are usable."""
    if not 0 <= settings.port <= 65_535:
        return EXIT_USAGE, f"--port {settings.port}: must be from 0 to 65535", None
    if settings.uds is not None and sys.platform == "win32":
        return EXIT_USAGE, "--uds: not supported on Windows", "use the port, which listens on 127.0.0.1 only"
    return misnamed_places(given, settings.places)


def run(settings: Settings, code: AppCode, say: Callable[[Daemon], None], launch: Launch) -> int:
    """Serve; returns the exit code for the reason why it ended."""
    try:
        asyncio.run(serve(settings, code, say, launch))
    except ConfigInvalid as error:
        return fail(EXIT_CONFIG, error.message, error.hint)
    except AlreadyRunning as error:
        return fail(EXIT_RUNNING, str(error), error.hint)
    except PortTaken as error:
        return fail(EXIT_PORT, str(error), error.hint)
    except StoreError as error:
        return fail(EXIT_STORE, error.message, error.hint)
    except OSError as error:
        if launch.stdin is not None and isinstance(error, BrokenPipeError):
            # The launcher is gone. The interpreter would fail to flush stdout when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_STOPPED
        return fail(EXIT_STORE, f"{error.filename or settings.places.data_dir}: {error.strerror or error}")
    except KeyboardInterrupt:
        return EXIT_STOPPED
    except Exception:
        log.exception("the daemon crashed")
        return EXIT_CRASH
    return EXIT_STOPPED


def hide_memory() -> None:
    """Make /proc/<pid> unreadable for other processes of this user, because it contains the token. Linux only."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_dumpable = 4  # Source: prctl(2)
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_dumpable, 0, 0, 0, 0)
