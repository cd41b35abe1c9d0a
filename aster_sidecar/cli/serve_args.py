"""The command line of a daemon, and checks of the settings on the launcher's first line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aster_sidecar import __version__
from aster_sidecar.cli.command_list import COMMANDS
from aster_sidecar.cli.exit_codes import EXIT_CONFIG, EXIT_USAGE

if TYPE_CHECKING:
    from aster_sidecar.config.places import Places

FIRST_LINE_KEYS = frozenset(("port", "framework", "data_dir", "config_dir", "allow_origin", "uds", "any_port"))
"""Keys that the first line may have besides the settable ones."""
FRAMEWORKS = ("tauri", "electron", "wails", "web")


class Help(argparse.HelpFormatter):
    """Wraps paragraphs; lines that begin with a space are printed as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            line if line.startswith(" ") else super(Help, self)._fill_text(line, width, indent)
            for line in text.splitlines()
        )


def parser() -> argparse.ArgumentParser:
    """The parser of the flags for serving."""
    from aster_sidecar.config.settings import DEFAULT_PORTS
    from aster_sidecar.text.path_names import typed_path as place

    ports = ", ".join(f"{name} {port}" for name, port in DEFAULT_PORTS.items())
    text = argparse.ArgumentParser(
        prog="aster-sidecar",
        usage="%(prog)s [flags]\n       %(prog)s COMMAND [arguments]\n",
        formatter_class=Help,
        description="The local agent daemon that a desktop app ships inside itself: chat, tools, approvals, sessions "
        "and history over REST and SSE on 127.0.0.1. Without a command it serves until it is stopped.",
        epilog="commands (each has its own --help):\n"
        + "\n".join(f"  {name:<11} {words}" for name, words in COMMANDS.items())
        + "\n\nEnvironment: if ASTER_SIDECAR_TOKEN is set, every client needs that token; ASTER_MODEL, "
        "ASTER_PERMISSION_MODE and so on set the same values as the flags; OPENAI_API_KEY, OPENAI_BASE_URL, "
        "ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL and the variables of the other providers are read. Without a model and "
        "a key, the offline demo model answers.",
    )
    text.add_argument("--version", action="version", version=f"aster-sidecar {__version__}")
    text.add_argument("--framework", choices=FRAMEWORKS, help="the kind of app whose pages may connect (default web)")
    text.add_argument("--port", type=int, help=f"port on 127.0.0.1, 0 for a free one (default: {ports})")
    text.add_argument("--any-port", action="store_true", help="use a free port when that one is already in use")
    text.add_argument(
        "--uds",
        type=place,
        metavar="PATH",
        help="also listen on a Unix socket, in a directory that only you can read",
    )
    text.add_argument("--data-dir", type=place, help="keep all files of this daemon in one directory")
    text.add_argument("--config-dir", type=place, help="the directory of config.toml (default: --data-dir, if given)")
    text.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN", help="also let pages of ORIGIN connect"
    )
    text.add_argument(
        "--app", metavar="MODULE:OBJECT", help="serve the agents and tools of a Sidecar that Python code defines"
    )
    text.add_argument("--open", action="store_true", help="open the web UI in the browser, signed in")
    turns = text.add_argument_group("what a turn may do (also POST /api/config)")
    turns.add_argument("--model", help="provider:name, for example openai:gpt-5.2 or ollama:qwen3; demo needs no key")
    turns.add_argument("--vision", help="true or false: whether this model takes images (default: as it is known)")
    turns.add_argument("--work-dir", help="the directory in which tools work (default: the current one)")
    turns.add_argument(
        "--permission-mode", help="auto_approve, smart_approve (default; asks for medium and high risk) or always_ask"
    )
    turns.add_argument("--approval-timeout-s", type=float, help="seconds until a question expires (default 0: never)")
    turns.add_argument("--on-unattended", help="wait (default) or deny, when no client is connected")
    turns.add_argument("--sandbox", help="off, auto (default on Linux) or required: whether commands run in a sandbox")
    turns.add_argument("--max-requests", type=int, help="provider requests in one turn")
    turns.add_argument("--max-tool-calls", type=int, help="tool calls in one turn")
    turns.add_argument("--max-tokens", type=int, help="tokens in one turn")
    turns.add_argument("--max-turn-s", type=float, help="seconds one turn may run")
    changes = text.add_argument_group("undoing changes to files")
    changes.add_argument("--changes-keep-days", type=int, help="days for which changes can be undone (default 30)")
    changes.add_argument("--changes-keep-mb", type=int, help="MiB of contents that are kept for this (default 1024)")
    record = text.add_argument_group("the record of decisions about tool calls")
    record.add_argument("--audit-keep-days", type=int, help="days for which it is kept (default 365); 0: forever")
    programs = text.add_argument_group("commands, MCP servers and services")
    programs.add_argument(
        "--pass-environment", metavar="NAMES", help="variables to pass to them besides the usual ones: AWS_PROFILE,MY_*"
    )
    programs.add_argument(
        "--command-path",
        metavar="PATH",
        help="their PATH: login (as your login shell sets it), inherit (the daemon's own), directories, or auto "
        "(default: login, but inherit when the daemon is started from a terminal)",
    )
    life = text.add_argument_group("lifecycle")
    life.add_argument(
        "--supervised",
        action="store_true",
        help='read {"token": "…"} and settings from the first line of stdin, print one line of JSON on stdout when '
        "ready, and stop when stdin is closed",
    )
    life.add_argument("--parent-pid", type=int, metavar="PID", help="stop when this process exits")
    life.add_argument(
        "--detach",
        action="store_true",
        help="keep running when the parent exits (default: for tauri, electron and wails, stop with the parent, unless "
        "it is a shell or the like)",
    )
    life.add_argument(
        "--replace",
        action="store_true",
        help="kill a daemon that holds the data directory and does not answer; never one that answers",
    )
    text.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="the lowest level to log (default: info in aster.log, warning on stderr)",
    )
    text.add_argument(
        "--log-file",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write aster.log in the log directory (default)",
    )
    return text


def first_line_problem(said: Mapping[str, Any]) -> str | None:
    """What is wrong with the settings of the first line, which the parser has not checked; None when they are valid."""
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
    """Exit code, message and hint for a path whose name is not UTF-8; None when all are."""
    from aster_sidecar.text.path_names import misnamed

    for flag in ("data_dir", "config_dir", "uds"):
        if (shown := misnamed(getattr(given, flag, None) or "")) is not None:
            name = flag.replace("_", "-")
            return EXIT_USAGE, f"--{name} {shown[:200]}: its name is not UTF-8", "rename it, or choose another"
    for path in (where.data_dir, where.config_dir, where.logs_dir):
        if (shown := misnamed(path)) is not None:
            hint = "start it elsewhere, pass --data-dir, or set HOME (on Linux also XDG_DATA_HOME and the like)"
            return EXIT_CONFIG, f"the name of {shown[:200]}, where its files would be, is not UTF-8", hint
    return None


def absolute(path: Path | None) -> Path | None:
    """The path from the current directory, with ~ expanded; None for None."""
    return path.expanduser().absolute() if path is not None else None
