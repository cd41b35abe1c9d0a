"""The command line: arguments and environment → settings → serve → exit code."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aster_sidecar import __version__, frozen
from aster_sidecar.daemon import parent_process

if TYPE_CHECKING:
    from aster_sidecar.agents.app_code import AppProgram
    from aster_sidecar.config.settings import Places
    from aster_sidecar.daemon.wiring import Daemon

EXIT_FAILED = 1
"""A command could not do it, or the doctor found something wrong; a daemon never ends with it."""
EXIT_STOPPED, EXIT_USAGE, EXIT_RUNNING, EXIT_PORT, EXIT_CONFIG, EXIT_STORE, EXIT_CRASH = 0, 2, 3, 4, 5, 6, 70
SAYABLE = frozenset(("port", "framework", "data_dir", "config_dir", "allow_origin", "uds", "any_port"))
"""What the first line may say besides the settable keys."""
COMMANDS = {
    "chat": "talk with an agent, here in the terminal",
    "doctor": "check keys, model, ports, directories, disk, store, sandbox and proxy settings, with a remedy for each",
    "sessions": "list, show, search, rename, archive or delete conversations",
    "config": "show or change settings, and say where each comes from",
    "agents": "which agents there are",
    "paths": "where files live",
    "store": "list copies of the store, go back to one, or begin anew",
    "trust": "let a project bring settings and agents of its own; alone: which may",
    "untrust": "take that back",
    "completion": "print the completion of bash, zsh or fish",
    "version": "which version this is",
}
"""The first words that don't serve; cli/commands.py runs them."""
FRAMEWORKS = ("tauri", "electron", "wails", "web")


class Help(argparse.HelpFormatter):
    """Wraps paragraphs; lines that begin with a space stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            line if line.startswith(" ") else super(Help, self)._fill_text(line, width, indent)
            for line in text.splitlines()
        )


def parser() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    from aster_sidecar.config.settings import DEFAULT_PORTS
    from aster_sidecar.text.repair import typed_path as place

    ports = ", ".join(f"{name} {port}" for name, port in DEFAULT_PORTS.items())
    text = argparse.ArgumentParser(
        prog="aster-sidecar",
        usage="%(prog)s [flags]\n       %(prog)s COMMAND [arguments]\n",
        formatter_class=Help,
        description="The local agent daemon that a desktop app ships inside itself: chat, tools, approvals, sessions "
        "and history over REST and SSE on 127.0.0.1. Without a command it serves, until it is stopped.",
        epilog="commands (each has its own --help):\n"
        + "\n".join(f"  {name:<11} {words}" for name, words in COMMANDS.items())
        + "\n\nEnvironment: ASTER_SIDECAR_TOKEN asks every client for that token; ASTER_MODEL, "
        "ASTER_PERMISSION_MODE and so on set what the flags set; OPENAI_API_KEY, OPENAI_BASE_URL, ANTHROPIC_API_KEY, "
        "ANTHROPIC_BASE_URL and the other providers' own variables are read. With neither model nor key the offline "
        "demo model answers.",
    )
    text.add_argument("--version", action="version", version=f"aster-sidecar {__version__}")
    text.add_argument("--framework", choices=FRAMEWORKS, help="whose pages may talk to it (default web)")
    text.add_argument("--port", type=int, help=f"port on 127.0.0.1, 0 for a free one (default: {ports})")
    text.add_argument("--any-port", action="store_true", help="take a free port when that one can't be had")
    text.add_argument(
        "--uds",
        type=place,
        metavar="PATH",
        help="listen on a Unix socket as well, in a directory that only you can read",
    )
    text.add_argument("--data-dir", type=place, help="keep everything of this daemon in one directory")
    text.add_argument("--config-dir", type=place, help="where config.toml is (default: the data directory's, if given)")
    text.add_argument("--allow-origin", action="append", default=[], metavar="ORIGIN", help="let pages of ORIGIN in")
    text.add_argument("--app", metavar="MODULE:OBJECT", help="serve the agents and tools of a Sidecar in Python code")
    text.add_argument("--open", action="store_true", help="open the web UI in the browser, signed in")
    turns = text.add_argument_group("what a turn may do (also POST /api/config)")
    turns.add_argument("--model", help="provider:name, for example openai:gpt-5.2 or ollama:qwen3; demo needs nothing")
    turns.add_argument("--work-dir", help="where tools work (default: where it is started)")
    turns.add_argument(
        "--permission-mode", help="auto_approve, smart_approve (default: asks for medium and high risk), always_ask"
    )
    turns.add_argument("--approval-timeout-s", type=float, help="seconds a question waits (default 0: for ever)")
    turns.add_argument("--on-unattended", help="wait (default) or deny, when no client watches")
    turns.add_argument("--max-requests", type=int, help="provider requests in one turn")
    turns.add_argument("--max-tool-calls", type=int, help="tool calls in one turn")
    turns.add_argument("--max-tokens", type=int, help="tokens in one turn")
    turns.add_argument("--max-turn-s", type=float, help="seconds one turn may run")
    programs = text.add_argument_group("commands, MCP servers and services")
    programs.add_argument(
        "--pass-environment", metavar="NAMES", help="variables that they get besides the usual ones: AWS_PROFILE,MY_*"
    )
    programs.add_argument(
        "--command-path",
        metavar="PATH",
        help="their PATH: login (what your login shell makes of it), inherit (the daemon's own), directories, or auto "
        "(default: login, unless it is started from a terminal)",
    )
    life = text.add_argument_group("life and death")
    life.add_argument(
        "--supervised",
        action="store_true",
        help='the launcher says {"token": "…"} and settings on the first line of stdin, gets one JSON line on stdout '
        "when requests are answered, and its end of stdin is our end",
    )
    life.add_argument("--parent-pid", type=int, metavar="PID", help="stop when this process is gone")
    life.add_argument(
        "--detach",
        action="store_true",
        help="outlive the parent (with tauri, electron and wails it is watched, unless that is a shell or the like)",
    )
    life.add_argument(
        "--replace",
        action="store_true",
        help="end a daemon that holds the data directory and does not answer; one that answers stays",
    )
    text.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="how much the log says (default: info in aster.log, warning on stderr)",
    )
    text.add_argument(
        "--log-file",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep aster.log in the log directory (default)",
    )
    return text


def main(arguments: Sequence[str] | None = None, sidecar: AppProgram | None = None) -> int:
    """Run the command, for an app's own `sidecar` if given; returns its exit code (0, 2, 3, 4, 5, 6, 70)."""
    started_by = parent_process.look()
    frozen.enter()
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["--tool-worker"]:  # a packaged daemon has no other Python to run a tool's child with
        frozen.run_worker(words[1])
        return EXIT_STOPPED
    if words[:1] == ["--tool-keeper"]:  # nor to keep what tools start
        from aster_sidecar.services import keeper

        keeper.main(list(words[1:]))
        return EXIT_STOPPED
    if words[:1] == ["--show-page"]:  # the daemon's, which must not be the browser's ancestor
        import webbrowser

        webbrowser.open(words[1])
        return EXIT_STOPPED
    hide_secrets()
    if words and words[0] in COMMANDS:
        from aster_sidecar.cli import commands

        return commands.main(words)
    if words and not words[0].startswith("-"):
        parser().error(f"no such command: {words[0][:100]!r}; there are {', '.join(COMMANDS)}")

    from aster_sidecar.agents.app_code import AppCode
    from aster_sidecar.config.settings import DEFAULT_PORTS, DEFAULTS, Settings, places
    from aster_sidecar.contract.wire import Framework
    from aster_sidecar.daemon.launcher_watch import BadFirstLine, read_first_line
    from aster_sidecar.daemon.server import AlreadyRunning, Launch, redactor_for, serve
    from aster_sidecar.errors import ConfigInvalid, StoreError
    from aster_sidecar.http.sockets import PortTaken
    from aster_sidecar.telemetry import log_file

    given = parser().parse_args(words)
    if given.work_dir:  # typed by hand, so from where the person stands
        given.work_dir = str(absolute(Path(given.work_dir)))
    environment = dict(os.environ)
    # Not even the app's own code is to read it there.
    token = os.environ.pop("ASTER_SIDECAR_TOKEN", None) or None
    environment.pop("ASTER_SIDECAR_TOKEN", None)
    if given.supervised:
        try:
            first = read_first_line(sys.stdin.fileno(), frozenset(DEFAULTS) | SAYABLE)
        except (BadFirstLine, OSError) as error:
            return fail(EXIT_USAGE, f"--supervised: {error}")
        token = first.token or token
        environment |= first.environment
        given.__dict__.update(first.settings)
        if (wrong := misfit(first.settings)) is not None:
            return fail(EXIT_USAGE, f"--supervised: {wrong}")
        given.data_dir = Path(given.data_dir) if given.data_dir is not None else None
        given.config_dir = Path(given.config_dir) if given.config_dir is not None else None
        given.uds = Path(given.uds) if given.uds is not None else None
    code = AppCode()
    if given.app is not None or sidecar is not None:
        from aster_sidecar.cli.app_program import fill, load

        try:
            if sidecar is not None and given.app is not None:
                raise ConfigInvalid(
                    f"--app {given.app}: the program that was started is an app itself",
                    hint="a module that --app loads calls run() under if __name__ == '__main__' only",
                )
            sidecar = sidecar or load(str(given.app))
            code = sidecar.code()
            fill(given, sidecar)
        except ConfigInvalid as error:
            return fail(EXIT_CONFIG, error.message, error.hint)
    framework: Framework = given.framework or "web"
    launch = Launch(
        stdin=sys.stdin.fileno() if given.supervised else None,
        parent=parent_process.to_watch(started_by, framework, given.parent_pid, given.detach),
        replace=given.replace,
    )
    settings = Settings(
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
    log_file.to_stderr(settings.log_level, redactor_for(settings))
    if not 0 <= settings.port <= 65_535:
        return fail(EXIT_USAGE, f"--port {settings.port}: must be from 0 to 65535")
    if settings.uds is not None and sys.platform == "win32":
        return fail(EXIT_USAGE, "--uds: not on Windows", "use the port: it is on 127.0.0.1 only")

    if (wrong_name := misnamed_places(given, settings.places)) is not None:
        return fail(*wrong_name)

    if token:
        hide_memory()
    try:
        say = announce_ready if given.supervised else announce_and_open if given.open else announce
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
        if given.supervised and isinstance(error, BrokenPipeError):  # the launcher, which was to be told, is gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its end
            return EXIT_STOPPED
        return fail(EXIT_STORE, f"{error.filename or settings.places.data_dir}: {error.strerror or error}")
    except KeyboardInterrupt:
        return EXIT_STOPPED
    except Exception:
        logging.getLogger(__name__).exception("the daemon crashed")
        return EXIT_CRASH
    return EXIT_STOPPED


def misfit(said: Mapping[str, Any]) -> str | None:
    """What is wrong with the settings on the first line that no flag parser has seen; None when they fit."""
    port, origins = said.get("port"), said.get("allow_origin", [])
    if port is not None and (not isinstance(port, int) or isinstance(port, bool)):
        return f"port must be a whole number, not {port!r}"
    if said.get("framework", FRAMEWORKS[0]) not in FRAMEWORKS:
        return f"framework must be one of {', '.join(FRAMEWORKS)}"
    for name in ("data_dir", "config_dir", "uds"):
        if name in said and (not isinstance(said[name], str) or not said[name]):
            return f"{name} must be a path"
    if not isinstance(said.get("any_port", False), bool):
        return "any_port must be true or false"
    entries: list[Any] = origins if isinstance(origins, list) else [None]  # pyright: ignore[reportUnknownVariableType]
    if not all(isinstance(origin, str) for origin in entries):
        return "allow_origin must be a list of origins"
    return None


def misnamed_places(given: argparse.Namespace, where: Places) -> tuple[int, str, str] | None:
    """Exit code, message and hint for a place whose name is not UTF-8; None when all are."""
    from aster_sidecar.text.repair import misnamed

    for flag in ("data_dir", "config_dir", "uds"):
        if (shown := misnamed(getattr(given, flag, None) or "")) is not None:
            name = flag.replace("_", "-")
            return EXIT_USAGE, f"--{name} {shown[:200]}: its name is not UTF-8", "rename it, or choose another"
    for path in (where.data_dir, where.config_dir, where.logs_dir):
        if (shown := misnamed(path)) is not None:
            hint = "start it elsewhere, pass --data-dir, or set HOME (on Linux also XDG_DATA_HOME and its like)"
            return EXIT_CONFIG, f"{shown[:200]}, where it would keep its files, is not UTF-8", hint
    return None


def absolute(path: Path | None) -> Path | None:
    return path.expanduser().absolute() if path is not None else None


def fail(code: int, message: str, hint: str | None = None) -> int:
    """Say on stderr why it ends. The code counts, also where stderr is a file on a disk that is full."""
    try:
        print(f"aster-sidecar: {message}" + (f"\n  {hint}" if hint else ""), file=sys.stderr, flush=True)
    except OSError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno()
        )  # else the interpreter ends with a code of its own
    return code


def announce(daemon: Daemon) -> None:
    """Say on stdout where it listens, whether a token is set, and how to try it."""
    from aster_sidecar.api.browser_login import PRINTED_S
    from aster_sidecar.telemetry.log_file import FILE as LOG

    settings = daemon.identity.settings
    url = daemon.identity.url
    token = settings.token is not None
    who = "a token is set" if token else "no token: programs of this user are answered"
    curl = "curl" + (' -H "Authorization: Bearer $ASTER_SIDECAR_TOKEN"' if token else "")
    places = settings.places
    kept = [places.config_path, places.data_dir, *([places.logs_dir / LOG] if settings.log_file else [])]
    files = ", ".join(map(str, kept))
    model = daemon.models.name() or "none chosen: a key is set, choose a model with POST /api/config"
    also = f" and on {settings.uds}" if settings.uds is not None else ""
    lines = [
        f"Aster Sidecar {__version__} listens on {url}{also} for {settings.framework} ({who})",
        f"  model: {model}   work dir: {daemon.config.work_dir}",
        f"  files: {files}",
        f"  watch: {curl} -N {url}/api/events",
        f"  talk:  {curl} {url}/api/chat -H 'Content-Type: application/json' "
        '-d \'{"agent_id": "default", "message": "hello"}\'',
    ]
    if daemon.has_page and settings.framework == "web":
        once = f" (once, within {PRINTED_S / 60:g} minutes)" if token else ""
        lines.insert(1, f"  open:  {daemon.page_link(printed=True)}{once}")
    print("\n".join(lines), flush=True)


def announce_and_open(daemon: Daemon) -> None:
    """The same, and show the UI to the person: this machine's browser decides how."""
    announce(daemon)
    if daemon.has_page:
        show_page(daemon.page_link())


def show_page(url: str) -> None:
    """Open the browser. On Linux it is detached first, because the daemon answers no program that descends from it."""
    if sys.platform == "linux":
        import subprocess

        from aster_sidecar.cli.chat.connection import own_command

        argv = ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", *own_command(), "--show-page", url]
        with contextlib.suppress(OSError):
            subprocess.run(argv, check=False, start_new_session=True)
        return
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def announce_ready(daemon: Daemon) -> None:
    """Tell the launcher, in one JSON line, that requests are answered now, and by whom."""
    from aster_sidecar.contract.wire import PROTOCOL

    identity = daemon.identity
    told = {
        "event": "ready",
        "url": identity.url,
        "port": identity.port,
        "pid": identity.pid,
        "instance_id": identity.instance_id,
        "protocol": PROTOCOL,
        "version": __version__,
    }
    if identity.settings.uds is not None:
        told["uds"] = str(identity.settings.uds)
    print(json.dumps(told), flush=True)


def hide_secrets() -> None:
    """Take keys and tokens out of what programs can read of this process's environment."""
    from aster_sidecar.daemon.own_environment import hide

    hide()


def hide_memory() -> None:
    """Make /proc/<pid> of this process unreadable for others of the same user: the token is in there. Linux only."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_dumpable = 4  # Source: prctl(2)
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_dumpable, 0, 0, 0, 0)
