"""What a person types for an MCP server, in the form that the daemon takes."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aster_sidecar.cli.serve_args import absolute
from aster_sidecar.text.path_names import misnamed
from aster_sidecar.text.safe_text import visible

DEFAULT = "-"
"""The value with which `mcp change` takes the default of a setting again."""
NAME = re.compile("[a-z0-9_-]{1,32}")


class BadSettings(Exception):
    """What was typed makes no settings of a server. `hint`: what is possible."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def check_name(name: str) -> None:
    """Raises: BadSettings when this can't be the name of a server."""
    if not NAME.fullmatch(name):
        raise BadSettings(f"NAME: {name[:100]!r} can't be the name of a server", "use 1 to 32 of a-z, 0-9, _ and -")


def whole_spec(given: argparse.Namespace) -> dict[str, Any]:
    """All settings of a server, without the values of secrets. Raises: BadSettings."""
    if bool(given.program) == (given.url is not None):
        both = "both a command and --url" if given.program else "neither a command nor --url"
        raise BadSettings(f"there is {both}", "give one of them: -- COMMAND ARGUMENTS, or --url URL")
    spec: dict[str, Any] = {"url": given.url}
    if given.program:
        spec = {"command": from_here(given.program[0]), "args": given.program[1:]}
    return spec | settings(given, changing=False)


def settings(given: argparse.Namespace, *, changing: bool) -> dict[str, Any]:
    """The settings that the flags name, without the values of secrets. `changing`: `-` takes a default again.

    Raises: BadSettings.
    """
    found: dict[str, Any] = {}
    for key, typed in (("risk", given.risk), ("cwd", given.cwd), ("timeout_s", given.timeout_s)):
        if typed is not None:
            found[key] = None if changing and str(typed) == DEFAULT else typed
    for key, several in (("roots", given.root), ("agents", given.agent)):
        if several:
            found[key] = None if changing and list(map(str, several)) == [DEFAULT] else several
    if found.get("cwd") is not None:
        found["cwd"] = directory("--cwd", found["cwd"])
    if found.get("roots") is not None:
        found["roots"] = [directory("--root", root) for root in found["roots"]]
    if found.get("timeout_s") is not None:
        try:
            found["timeout_s"] = float(found["timeout_s"])
        except ValueError as error:
            raise BadSettings(
                f"--timeout-s {found['timeout_s']}: not a number", "write seconds, such as 120"
            ) from error
    for key, flag, values in (("env", "--env", given.env), ("headers", "--header", given.header)):
        if values:
            found[key] = dict(pair(flag, value) for value in values)
    return found


def pair(flag: str, text: str) -> tuple[str, str]:
    """NAME=VALUE. Raises: BadSettings."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise BadSettings(f"{flag} {name[:100]}: there is no value", f"write it as {flag} NAME=VALUE")
    return name, value


def directory(flag: str, typed: Any) -> str:
    """The absolute path of a directory. Raises: BadSettings."""
    path = absolute(typed)
    if (shown := misnamed(path)) is not None:
        raise BadSettings(f"{flag} {shown[:200]}: its name is not UTF-8", "rename it, or choose another")
    return str(path)


def from_here(command: str) -> str:
    """A program that is named by a path is the one from the current directory; others are found on the PATH."""
    if os.sep in command or (os.altsep and os.altsep in command):
        return os.path.normpath(os.path.join(os.getcwd(), os.path.expanduser(command)))
    return command


# -- secrets -----------------------------------------------------------------------------------------------------------


def with_secrets(spec: Mapping[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """The settings with the values of the secrets, which are asked for. Raises: BadSettings."""
    found = dict(spec)
    for key, names in (("env", given.secret_env), ("headers", given.secret_header)):
        for name in names:
            found[key] = {**found.get(key, {}), name: {"secret": secret(name)}}
    return found


def secret(what: str) -> str:
    """A value that the person types without echo; without a terminal, the next line of stdin.

    Raises: BadSettings.
    """
    try:
        typed = getpass.getpass(f"{visible(what, newlines=False)}: ") if sys.stdin.isatty() else next_line()
    except EOFError as error:
        hint = "write the values to stdin, one a line, in the order of --secret-env and then --secret-header"
        raise BadSettings(f"there is no value for {what}", hint) from error
    if not typed:
        raise BadSettings(f"the value for {what} is empty", "a secret has at least one character")
    return typed


def next_line() -> str:
    """A line of stdin without its end. Raises: EOFError."""
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


# -- tools -------------------------------------------------------------------------------------------------------------


def tool_changes(
    config: Mapping[str, Any], own_name: Callable[[str], str], enable: Sequence[str], disable: Sequence[str]
) -> dict[str, Any]:
    """The changes of `tools` and `disabled_tools` that offer some tools and not others; `config`: an `McpConfig`.

    `own_name`: the server's own name of a tool.
    """
    only: list[str] | None = config["tools"]
    off: list[str] = list(config["disabled_tools"])
    for tool in map(own_name, enable):
        off = [name for name in off if name != tool]
        if only is not None and tool not in only:
            only = [*only, tool]
    for tool in map(own_name, disable):
        off = [*(name for name in off if name != tool), tool]
    changes: dict[str, Any] = {}
    if off != config["disabled_tools"]:
        changes["disabled_tools"] = off or None
    if only != config["tools"]:
        changes["tools"] = only
    return changes
