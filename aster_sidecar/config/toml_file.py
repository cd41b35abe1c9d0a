"""The settable keys in one table, and `config.toml`: written with all of them in comments at the first run, and
changed without losing a comment.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aster_sidecar.errors import ConfigInvalid


@dataclass(frozen=True, slots=True)
class Setting:
    """A settable key: what it is and what it may be, in words; `in_project`: whether a trusted project may set it."""

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
            "How long a question waits for a person before it counts as denied; 0: for ever.",
            "seconds from 0 (for ever) to 31536000",
        ),
        Setting(
            "on_unattended",
            "wait",
            "What becomes of a question that is asked while no stream is open.",
            "wait, deny",
        ),
        Setting("max_requests", 50, "Provider requests in one turn.", "a whole number from 1 to 10000"),
        Setting("max_tool_calls", 200, "Tool calls in one turn.", "a whole number from 0 to 100000"),
        Setting("max_tokens", 2_000_000, "Tokens in one turn, in and out.", "a whole number from 1 to 1000000000"),
        Setting(
            "max_turn_s",
            3600.0,
            "How long one turn may run; waiting for a person does not count.",
            "seconds above 0, at most 31536000",
        ),
        Setting(
            "pass_environment",
            [],
            'Variables that commands, MCP servers and services get besides the usual ones: ["AWS_PROFILE", "MY_*"]. '
            "A * never stands for one that holds a secret.",
            "names of variables, with * for any characters; not * alone, and not ASTER_SIDECAR_TOKEN",
            in_project=False,
        ),
        Setting(
            "command_path",
            "auto",
            "The PATH of commands, MCP servers and services. auto: as login when the daemon was not started from a "
            "terminal, else as inherit. login: what your login shell makes of it. inherit: the daemon's own.",
            f"auto, login, inherit, or absolute directories with {os.pathsep} between them, at most 32768 characters",
            in_project=False,
        ),
    )
}
DEFAULTS: dict[str, Any] = {key: setting.default for key, setting in SETTINGS.items()}
"""The settable keys. `work_dir` None: where the daemon was started; `approval_timeout_s` 0: for ever."""
TABLES = frozenset(("mcp", "services", "flags"))
"""What else the user's file may hold at its top."""

HEAD = """\
# Settings of Aster Sidecar. Lines that begin with "#" hold nothing: they show each key with its default.
# To set one, take away the "# " in front of it and change the value.
#
# Command line flags win over ASTER_… variables, those over a trusted project's .aster/config.toml, that over this file.
# What an app changes (POST /api/config) is kept here, below the line that shows the default; comments stay.
"""
MCP = """\

# MCP servers, whose tools every agent gets. They need an extra: pip install 'aster-sidecar[mcp]'
# A program that speaks over its stdin and stdout:
# [mcp.example]
# command = "calendar-mcp"
# args = ["--readonly"]
# env = { CALENDAR_TOKEN = "" }
# cwd = "~"
# tools = ["list_events"]   # which of its tools are offered; without this line: all
# risk = "high"             # what each of its tools is at least: low, medium, high
# timeout_s = 60            # how long a call may take: seconds above 0, at most 3600

# Or a server at an address:
# [mcp.example-at-an-address]
# url = "https://tickets.example.com/mcp"
# headers = { Authorization = "Bearer TOKEN" }
"""
SERVICES = """\

# Programs that run beside the daemon: it starts them again when they end, and ends them with itself.
# [services.example]
# command = "example-server"
# args = ["--port", "4000"]
# env = { EXAMPLE_TOKEN = "" }
# cwd = "~"
# description = ""
# autostart = false     # whether it starts with the daemon
# stop_timeout_s = 8    # how long it may take to end by itself once its stdin is closed
# backoff_s = 1         # delay before its first restart; it doubles with each one …
# backoff_max_s = 30    # … up to this
# healthy_s = 60        # after so long its crashes are forgotten
# crash_limit = 5       # after so many crashes …
# crash_window_s = 60   # … within this time it is not started again until somebody asks
"""


def allowed(key: str) -> str:
    """What a settable key may be, in words."""
    return SETTINGS[key].allowed if key in SETTINGS else "one of " + ", ".join(SETTINGS)


def template() -> str:
    """The file of a first run: nothing but comments."""
    blocks = [
        f"\n# {setting.what}\n# Allowed: {setting.allowed}.\n# {key} = {toml(setting.default)}\n"
        for key, setting in SETTINGS.items()
    ]
    return HEAD + "".join(blocks) + MCP + SERVICES


def toml(value: Any) -> str:
    """A default as it stands in the file."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f'"{value or ""}"' if value is None or isinstance(value, str) else str(value)


def read_file(path: Path) -> dict[str, Any]:
    """What `config.toml` holds; nothing when there is none. Raises: ConfigInvalid."""
    try:
        return tomllib.loads(text_of(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="mend or remove the file") from error
    except OSError as error:
        raise ConfigInvalid(f"{path}: {error.strerror}", hint="make it readable for this user") from error


def text_of(path: Path) -> str:
    """The file's text, line ends as they are; some editors begin it with a mark of their own. Raises: OSError."""
    return path.read_bytes().decode("utf-8-sig")


def write_first(path: Path) -> None:
    """Write the commented file where there is none, whole or not at all, for its owner only. Raises: OSError."""
    if os.path.lexists(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = write_beside(path, template())
    try:
        # A link fails where a file has come up by now; a rename would take its place.
        os.rename(fresh, path) if os.name == "nt" else os.link(fresh, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not os.path.lexists(path):
            os.rename(fresh, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(fresh)


def write_file(path: Path, values: Mapping[str, Any]) -> None:
    """Set (or with None remove) top-level keys, atomically; comments and everything else stay.

    Raises: ConfigInvalid.
    """

    def changed(text: str) -> str:
        for key, value in values.items():
            text = without(text, key) if value is None else with_value(text, key, value)
        return text

    change_file(path, changed)


def change_file(path: Path, changed: Callable[[str], str]) -> None:
    """Put a changed text in the file's place, whole or not at all. Raises: ConfigInvalid."""
    path = Path(os.path.realpath(path))  # a file that is a link into somebody's dotfiles stays one
    try:
        text = changed(text_of(path) if path.exists() else template())
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = write_beside(path, text)
        try:
            os.replace(fresh, path)
        except BaseException:
            os.unlink(fresh)
            raise
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="the change was not kept and does not hold") from error


def write_in_table(path: Path, table: str, values: Mapping[str, Any]) -> None:
    """Set (or with None remove) keys of one table, as `write_file` does. Raises: ConfigInvalid."""

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
    """A complete file next to `path`, for its owner only; returns its path. Raises: OSError."""
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
    """The text with a key set: where it stands, else below the comment that shows it. Raises: ValueError."""
    import tomlkit

    document = tomlkit.parse(text)
    if key not in document:
        shown = tomlkit.dumps({key: value}).partition("=")[2].strip()
        below = set_below_comment(text, key, shown)
        # Verified by reading it, because a line that looks like the comment may be part of a text.
        if below is not None and tomllib.loads(below) == {**tomllib.loads(text), key: value}:
            return below
    document[key] = value
    return tomlkit.dumps(document)


def set_below_comment(text: str, key: str, value: str) -> str | None:
    """The text with `key = value` below the last `# key =` above all tables; None where there is none."""
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
    """The text without a key; a comment behind it stays as a line of its own. Raises: ValueError."""
    import tomlkit
    from tomlkit.items import Comment, Item, Trivia

    document = tomlkit.parse(text)
    if key not in document:
        return text
    item: Any = document[key]
    said: str = item.trivia.comment if isinstance(item, Item) else ""
    if said:
        trail = item.trivia.trail
        place = next(n for n, (name, _) in enumerate(document.body) if name is not None and name.key == key)
        document.body[place] = (None, Comment(Trivia(comment=said, trail=trail)))
    else:
        document.remove(key)
    return tomlkit.dumps(document)
