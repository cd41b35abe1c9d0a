"""The table of settable keys, and reading and writing `config.toml`. The first run writes the file with all keys
commented out; later changes keep comments.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aster_sidecar.errors import ConfigInvalid


@dataclass(frozen=True, slots=True)
class Setting:
    """A settable key. `what` and `allowed` are texts for people; `in_project`: whether a trusted project may set it."""

    key: str
    default: Any
    what: str
    allowed: str
    in_project: bool = True


SETTINGS = {
    setting.key: setting
    for setting in (
        Setting(
            "model",
            "",
            "The model to ask. Empty: the offline demo, unless a provider's key or URL is set; then choose one.",
            "provider:name, for example openai:gpt-5.2, or demo, or empty; at most 200 characters",
        ),
        Setting(
            "vision",
            None,
            "Whether this model takes images, where that is not known or is known wrongly. Empty: as it is known.",
            'true, false, or "" (as it is known)',
            in_project=False,
        ),
        Setting(
            "permission_mode",
            "smart_approve",
            "When tools ask a person first: never, for medium and high risk, always. Deny rules hold in each mode.",
            "auto_approve, smart_approve, always_ask",
            in_project=False,
        ),
        Setting(
            "work_dir",
            None,
            "Where tools work. Empty: where the daemon was started, or `workspace` in the data directory.",
            "the absolute path of an existing directory",
            in_project=False,
        ),
        Setting(
            "approval_timeout_s",
            0.0,
            "How long an approval waits for a person before it counts as denied; 0: no limit.",
            "seconds from 0 (no limit) to 31536000",
        ),
        Setting(
            "on_unattended",
            "wait",
            "What happens to an approval that is requested while no stream is open.",
            "wait, deny",
        ),
        Setting("max_requests", 50, "Provider requests in one turn.", "a whole number from 1 to 10000"),
        Setting("max_tool_calls", 200, "Tool calls in one turn.", "a whole number from 0 to 100000"),
        Setting("max_tokens", 2_000_000, "Input and output tokens in one turn.", "a whole number from 1 to 1000000000"),
        Setting(
            "max_turn_s",
            3600.0,
            "How long one turn may run; waiting for a person does not count.",
            "seconds above 0, at most 31536000",
        ),
        Setting(
            "changes_keep_days",
            30,
            "How long the contents of files that agents changed are kept, so that the changes can be undone.",
            "a whole number of days from 1 to 3650",
            in_project=False,
        ),
        Setting(
            "changes_keep_mb",
            1024,
            "How much space these contents take at most; the oldest are deleted first.",
            "a whole number of MiB from 16 to 1048576",
            in_project=False,
        ),
        Setting(
            "audit_keep_days",
            365,
            "How long the record of decisions about tool calls is kept; 0: forever.",
            "a whole number of days from 0 (forever) to 3650",
            in_project=False,
        ),
        Setting(
            "sandbox",
            # Elsewhere there is none, or one that was never run.
            "auto" if sys.platform == "linux" else "off",
            "Whether commands run in a sandbox: they can change only the work folder, and have no network. auto: where "
            "there is one. required: commands that can't be in one fail.",
            "off, auto, required",
            in_project=False,
        ),
        Setting(
            "pass_environment",
            [],
            'Variables that commands, MCP servers and services get besides the usual ones: ["AWS_PROFILE", "MY_*"]. '
            "A * never matches one that holds a secret.",
            "names of variables, with * for any characters; not * alone, and not ASTER_SIDECAR_TOKEN",
            in_project=False,
        ),
        Setting(
            "command_path",
            "auto",
            "The PATH of commands, MCP servers and services. login: the PATH of your login shell. inherit: the "
            "daemon's own. auto: login if the daemon was not started from a terminal, otherwise inherit.",
            f"auto, login, inherit, or absolute directories with {os.pathsep} between them, at most 32768 characters",
            in_project=False,
        ),
    )
}
DEFAULTS: dict[str, Any] = {key: setting.default for key, setting in SETTINGS.items()}
"""The settable keys. `work_dir` None: where the daemon was started; `vision` None: as it is known; `approval_timeout_s`
0: no limit."""
TABLES = frozenset(("mcp", "services", "flags", "browser"))
"""The tables that the user's file may also contain."""

HEAD = """\
# Settings of Aster Sidecar. Lines that begin with "#" are comments: they show each key with its default.
# To set a key, remove the "# " in front of it and change the value.
#
# Command line flags win over ASTER_… variables, those over a trusted project's .aster/config.toml, that over this file.
# Changes made by an app (POST /api/config) are saved here, below the line that shows the default; comments stay.
"""
MCP = """\

# MCP servers. Every agent gets their tools. They need an extra: pip install 'aster-sidecar[mcp]'
# A server that runs as a program and communicates over stdin and stdout:
# [mcp.example]
# command = "calendar-mcp"
# args = ["--readonly"]
# env = { CALENDAR_TOKEN = "" }
# cwd = "~"
# enabled = true            # false: it is not started, and its tools are not offered
# tools = ["list_events"]   # which of its tools are offered; without this line: all
# disabled_tools = []       # which of its tools are not offered
# agents = ["default"]      # which agents get its tools; without this line: all
# roots = ["~"]             # where it is told to work; without this line: in the folder of the conversation
# risk = "high"             # the minimum risk of its tools: low, medium, high
# timeout_s = 60            # how long a call may take: seconds above 0, at most 3600

# A server with a URL:
# [mcp.example-at-an-address]
# url = "https://tickets.example.com/mcp"
# headers = { Authorization = "Bearer TOKEN" }
"""
SERVICES = """\

# Programs that run beside the daemon. It restarts them when they exit, and stops them when it stops.
# [services.example]
# command = "example-server"
# args = ["--port", "4000"]
# env = { EXAMPLE_TOKEN = "" }
# cwd = "~"
# description = ""
# autostart = false     # whether it starts with the daemon
# stop_timeout_s = 8    # how long it may take to exit after its stdin was closed
# backoff_s = 1         # delay before its first restart; it doubles with each restart …
# backoff_max_s = 30    # … up to this
# healthy_s = 60        # after running this long its crashes are forgotten
# crash_limit = 5       # after this many crashes …
# crash_window_s = 60   # … within this time it is not restarted until you start it
"""


def allowed(key: str) -> str:
    """The allowed values of a settable key, in words; for an unknown key, the list of all keys."""
    return SETTINGS[key].allowed if key in SETTINGS else "one of " + ", ".join(SETTINGS)


def template() -> str:
    """The content of `config.toml` at the first run: comments only."""
    blocks = [
        f"\n# {setting.what}\n# Allowed: {setting.allowed}.\n# {key} = {toml(setting.default)}\n"
        for key, setting in SETTINGS.items()
    ]
    return HEAD + "".join(blocks) + MCP + SERVICES


def toml(value: Any) -> str:
    """A default value as TOML."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f'"{value or ""}"' if value is None or isinstance(value, str) else str(value)


def read_file(path: Path) -> dict[str, Any]:
    """The content of `config.toml`; empty if the file does not exist. Raises: ConfigInvalid."""
    try:
        return tomllib.loads(text_of(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="fix or remove the file") from error
    except OSError as error:
        raise ConfigInvalid(f"{path}: {error.strerror}", hint="make it readable for this user") from error


def text_of(path: Path) -> str:
    """The file's text with its line endings, without a byte order mark. Raises: OSError, UnicodeDecodeError."""
    return path.read_bytes().decode("utf-8-sig")


def write_first(path: Path) -> None:
    """Write the commented file atomically if none exists, readable by its owner only. Raises: OSError."""
    if os.path.lexists(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = write_beside(path, template())
    try:
        # A link fails if another process has created the file meanwhile; a rename would replace that file.
        os.rename(fresh, path) if os.name == "nt" else os.link(fresh, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not os.path.lexists(path):
            os.rename(fresh, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(fresh)


def write_file(path: Path, values: Mapping[str, Any]) -> None:
    """Set top-level keys, or remove those with None, atomically; comments and everything else stay.

    Raises: ConfigInvalid.
    """

    def changed(text: str) -> str:
        for key, value in values.items():
            text = without(text, key) if value is None else with_value(text, key, value)
        return text

    change_file(path, changed)


def change_file(path: Path, changed: Callable[[str], str]) -> None:
    """Replace the file's text by `changed(text)`, atomically; a byte order mark stays. Raises: ConfigInvalid."""
    path = Path(os.path.realpath(path))  # keeps a symbolic link, for example into the user's dotfiles
    try:
        content = path.read_bytes() if path.exists() else None
        text = changed(template() if content is None else content.decode("utf-8-sig"))
        mark = "\ufeff" if content is not None and content.startswith(codecs.BOM_UTF8) else ""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = write_beside(path, mark + text)
        try:
            os.replace(fresh, path)
        except BaseException:
            os.unlink(fresh)
            raise
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="the change was not saved and has no effect") from error


def write_in_table(path: Path, table: str, values: Mapping[str, Any]) -> None:
    """Set keys of one table, or remove those with None, as `write_file` does. Raises: ConfigInvalid."""

    def changed(text: str) -> str:
        import tomlkit

        document = tomlkit.parse(text)
        if table not in document:
            document[table] = tomlkit.table()
        found: Any = document[table]
        for key, value in values.items():
            if value is not None:
                found[key] = value
            elif key in found:
                del found[key]
        if not found:
            document.remove(table)
        return tomlkit.dumps(document)

    change_file(path, changed)


def write_beside(path: Path, text: str) -> str:
    """Write a temporary file next to `path`, readable by its owner only; returns its path. Raises: OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        os.unlink(name)
        raise
    return name


def with_value(text: str, key: str, value: Any) -> str:
    """The text with a key set: in its place, or, if it is new, below the comment that shows it. Raises: ValueError."""
    import tomlkit

    document = tomlkit.parse(text)
    if key not in document:
        shown = tomlkit.dumps({key: value}).partition("=")[2].strip()
        below = set_below_comment(text, key, shown)
        # Verified by parsing, because a line that looks like the comment may be part of a multi-line string.
        if below is not None and tomllib.loads(below) == {**tomllib.loads(text), key: value}:
            return below
    document[key] = value
    return tomlkit.dumps(document)


def set_below_comment(text: str, key: str, value: str) -> str | None:
    """The text with `key = value` below the last comment `# key =` before the first table; None if there is none."""
    lines = text.splitlines(keepends=True)
    above = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    shown = [n for n, line in enumerate(lines[:above]) if re.match(rf"\s*#\s*{re.escape(key)}\s*=", line)]
    if not shown:
        return None
    place = shown[-1]
    end = "\r\n" if lines[place].endswith("\r\n") else "\n"
    if not lines[place].endswith("\n"):
        lines[place] += end
    return "".join([*lines[: place + 1], f"{key} = {value}{end}", *lines[place + 1 :]])


def without(text: str, key: str) -> str:
    """The text without a key; a comment on its line is kept as a separate line. Raises: ValueError."""
    import tomlkit
    from tomlkit.items import Comment, Item, Trivia

    document = tomlkit.parse(text)
    if key not in document:
        return text
    item: Any = document[key]
    comment: str = item.trivia.comment if isinstance(item, Item) else ""
    if comment:
        trail = item.trivia.trail
        place = next(n for n, (name, _) in enumerate(document.body) if name is not None and name.key == key)
        document.body[place] = (None, Comment(Trivia(comment=comment, trail=trail)))
    else:
        document.remove(key)
    return tomlkit.dumps(document)
