"""What can be said on the command line of a daemon, and on the first line of its stdin."""

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

SAYABLE = frozenset(("port", "framework", "data_dir", "config_dir", "allow_origin", "uds", "any_port"))
"""What the first line may say besides the settable keys."""
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
