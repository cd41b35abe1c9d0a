"""Flags: which parts of the companion there are. Kept in the `[flags]` table of the user's `config.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from aster_sidecar.config.toml_file import read_file, write_in_table
from aster_sidecar.contract import wire
from aster_sidecar.errors import ConfigInvalid

TABLE = "flags"
DEFAULTS: dict[str, bool | str] = {
    "companion_shell": True,
    "desktop_notifications": True,
    "offline_drafts": True,
    "ambient": True,
    "voice_capture": False,
    "voice_overlay": False,
    "tts": False,
    "release_channel": "stable",
}
"""Source: companion.md."""


class Flags:
    """The flags as they hold now. Raises: ConfigInvalid, when the file's table is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = checked(read_file(path).get(TABLE, {}), path)

    def value(self, name: str) -> bool | str:
        return self._file.get(name, DEFAULTS[name])

    def values(self) -> dict[str, bool | str]:
        return {name: self.value(name) for name in DEFAULTS}

    def info(self, name: str) -> wire.FlagInfo:
        field = wire.FlagsPatch.model_fields[name]
        choices = [choice for member in get_args(field.annotation) for choice in get_args(member)]
        return wire.FlagInfo(
            name=name,
            description=field.description or "",
            value=self.value(name),
            default=DEFAULTS[name],
            choices=choices or None,
            source="file" if name in self._file else "default",
        )

    def list(self) -> list[wire.FlagInfo]:
        return [self.info(name) for name in DEFAULTS]

    def change(self, patch: wire.FlagsPatch) -> list[wire.FlagInfo]:
        """Take flags over, for now and for the next start. Returns those that changed. Raises: ConfigInvalid."""
        given = patch.model_dump(include=patch.model_fields_set)
        before = self.values()
        write_in_table(self._path, TABLE, given)
        for name, value in given.items():
            if value is None:
                self._file.pop(name, None)
            else:
                self._file[name] = value
        return [self.info(name) for name in DEFAULTS if self.value(name) != before[name]]


def checked(told: Any, path: Path) -> dict[str, bool | str]:
    """The table's flags. Raises: ConfigInvalid, naming the flag and what it may be."""
    if not isinstance(told, Mapping):
        raise ConfigInvalid(f"{path}: flags is no table", hint="write [flags], and below it: name = true")
    try:
        parsed = wire.FlagsPatch.model_validate(dict(told))  # pyright: ignore[reportUnknownArgumentType]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        raise ConfigInvalid(
            f"{path}: flags.{name} = {str(first.get('input'))[:100]!r}: {first['msg']}",
            hint=f"the flags are {', '.join(DEFAULTS)}; true or false, release_channel stable or beta",
        ) from error
    return parsed.model_dump(exclude_none=True)
