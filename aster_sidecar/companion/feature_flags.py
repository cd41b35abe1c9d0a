"""Feature flags of the companion app, stored in the `[flags]` table of the user's `config.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from aster_sidecar.config.toml_file import read_file, write_in_table
from aster_sidecar.contract import wire
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.publisher import Publisher

TABLE = "flags"
DEFAULTS: dict[str, bool | str] = {
    "companion_shell": True,
    "desktop_notifications": True,
    "offline_drafts": True,
    "ambient": True,
    "browser": False,
    "voice_capture": False,
    "voice_overlay": False,
    "tts": False,
    "release_channel": "stable",
}
"""The value of each flag that the file does not set. docs/protocol.md describes the flags."""


class Flags:
    """The current flags. Raises: ConfigInvalid if the file's table is invalid."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.changed: Publisher[[]] = Publisher()
        """Publishes after flags have changed."""
        self._file = checked(read_file(path).get(TABLE, {}), path)

    def value(self, name: str) -> bool | str:
        """A flag's value: the file's, otherwise the default."""
        return self._file.get(name, DEFAULTS[name])

    def values(self) -> dict[str, bool | str]:
        """The values of all flags."""
        return {name: self.value(name) for name in DEFAULTS}

    def info(self, name: str) -> wire.FlagInfo:
        """A flag as clients see it."""
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
        """All flags as clients see them."""
        return [self.info(name) for name in DEFAULTS]

    def change(self, patch: wire.FlagsPatch) -> list[wire.FlagInfo]:
        """Set flags, also in the file; None resets one. Returns the flags that changed. Raises: ConfigInvalid."""
        given = patch.model_dump(include=patch.model_fields_set)
        before = self.values()
        write_in_table(self._path, TABLE, given)
        for name, value in given.items():
            if value is None:
                self._file.pop(name, None)
            else:
                self._file[name] = value
        changed = [self.info(name) for name in DEFAULTS if self.value(name) != before[name]]
        if changed:
            self.changed.publish()
        return changed


def checked(table: Any, path: Path) -> dict[str, bool | str]:
    """The flags of a table. Raises: ConfigInvalid, which names the flag and its allowed values."""
    if not isinstance(table, Mapping):
        raise ConfigInvalid(f"{path}: flags is not a table", hint="write [flags], and below it: name = true")
    try:
        parsed = wire.FlagsPatch.model_validate(dict(table))  # pyright: ignore[reportUnknownArgumentType]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        raise ConfigInvalid(
            f"{path}: flags.{name} = {str(first.get('input'))[:100]!r}: {first['msg']}",
            hint=f"the flags are {', '.join(DEFAULTS)}; true or false, release_channel stable or beta",
        ) from error
    return parsed.model_dump(exclude_none=True)
