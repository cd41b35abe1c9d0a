"""What a service is: one `[services.NAME]` table of the user's `config.toml`, checked."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.safe_text import visible


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A program that the daemon runs and keeps running. Source of the times: the design's companion page."""

    name: str
    command: tuple[str, ...]
    """The program, and its arguments."""
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None
    autostart: bool = False
    description: str = ""
    stop_timeout_s: float = 8.0
    """How long it may take to end by itself once its stdin is closed."""
    backoff_s: float = 1.0
    backoff_max_s: float = 30.0
    healthy_s: float = 60.0
    """After so long a life its crashes are forgotten."""
    crash_limit: int = 5
    crash_window_s: float = 60.0


ALLOWED = {
    "command": "the name or path of a program, or a list of it and its arguments",
    "args": "a list of strings",
    "env": "a table of strings: names of variables, and their values",
    "cwd": "the absolute path of a directory",
    "autostart": "true, false",
    "description": "a text of at most 500 characters",
    "stop_timeout_s": "seconds above 0, at most 3600",
    "backoff_s": "seconds above 0, at most 3600",
    "backoff_max_s": "seconds above 0, at most 3600",
    "healthy_s": "seconds above 0, at most 3600",
    "crash_limit": "a whole number from 1 to 1000",
    "crash_window_s": "seconds above 0, at most 3600",
}
"""The keys of a table, and what each may be, in words."""
DESCRIPTION_CHARS = 500


def service_specs(table: Mapping[str, Any]) -> list[ServiceSpec]:
    """The services of the `services` table. Raises: ConfigInvalid, naming table, key, value and what is allowed."""
    return [_spec(name, value) for name, value in table.items()]


def _spec(name: str, table: Any) -> ServiceSpec:
    where = f"[services.{visible(name, newlines=False)[:64]}]"
    if not re.fullmatch(r"[a-z0-9_-]{1,32}", name):
        raise ConfigInvalid(f"{where}: the name can't be used", hint="allowed: 1 to 32 of a-z, 0-9, _ and -")
    if not isinstance(table, Mapping):
        raise ConfigInvalid(
            f"services.{name} = {str(table)[:100]!r}: not a table", hint=f"write {where} and its keys below"
        )
    values: dict[str, Any] = dict(cast("Mapping[str, Any]", table))
    for key, value in values.items():
        if key not in ALLOWED:
            raise ConfigInvalid(
                f"{where} {visible(key, newlines=False)[:64]}: unknown key", hint=f"allowed: {', '.join(ALLOWED)}"
            )
        if not _fits(key, value):
            shown = "the value" if key == "env" else f"{key} = {str(value)[:100]!r}"
            raise ConfigInvalid(f"{where} {shown} of {key} can't be used", hint=f"allowed: {ALLOWED[key]}")
    if "command" not in values:
        raise ConfigInvalid(f"{where}: no command is given", hint=f"command: {ALLOWED['command']}")
    command = values.pop("command")
    argv = [command] if isinstance(command, str) else command
    values["command"] = (*argv, *values.pop("args", ()))
    if "cwd" in values:
        values["cwd"] = os.path.expanduser(values["cwd"])
    return ServiceSpec(name, **values)


def _fits(key: str, value: Any) -> bool:
    if key == "command" and isinstance(value, list):
        argv = cast("list[Any]", value)
        return bool(argv) and _text(argv[0]) and all(_text(item, empty=True) for item in argv)
    if key == "args":
        return isinstance(value, list) and all(_text(item, empty=True) for item in cast("list[Any]", value))
    if key == "env":
        pairs = cast("Mapping[Any, Any]", value) if isinstance(value, Mapping) else None
        return pairs is not None and all(
            _text(name) and "=" not in name and _text(text, empty=True) for name, text in pairs.items()
        )
    if key == "autostart":
        return isinstance(value, bool)
    if key == "crash_limit":
        return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000
    if key.endswith("_s"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and 0 < value <= 3600
    if key == "description":
        return _text(value, empty=True) and len(value) <= DESCRIPTION_CHARS
    return _text(value) and (key != "cwd" or os.path.isabs(os.path.expanduser(value)))


def _text(value: Any, *, empty: bool = False) -> bool:
    return isinstance(value, str) and "\0" not in value and (empty or bool(value.strip()))
