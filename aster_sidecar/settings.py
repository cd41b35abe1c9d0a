"""Settings: flags > environment > user `config.toml` > defaults, each value with its source; and where files live.

The settable keys can be changed while the daemon runs: a change holds at once, is kept in `config.toml`, and says so.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from aster_sidecar import wire
from aster_sidecar.agents import Own
from aster_sidecar.errors import ConfigInvalid

STORE_NAME = "aster.db"
Source = Literal["api", "flag", "environment", "file", "default"]

DEFAULT_PORTS: dict[wire.Framework, int] = {"tauri": 9528, "electron": 9527, "wails": 9529, "web": 8080}
DEFAULTS: dict[str, Any] = {
    "model": "",
    "permission_mode": "smart_approve",
    "work_dir": None,
    "approval_timeout_s": 0.0,
    "on_unattended": "wait",
    "max_requests": 50,
    "max_tool_calls": 200,
    "max_tokens": 2_000_000,
    "max_turn_s": 3600.0,
}
"""The settable keys. `work_dir` None: where the daemon was started; `approval_timeout_s` 0: for ever."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where files live. Source: the seed's path table."""

    config_dir: Path
    data_dir: Path
    logs_dir: Path

    @property
    def config_path(self) -> Path:
        return self.config_dir / "config.toml"


def places(
    environment: Mapping[str, str],
    platform: str = sys.platform,
    data_dir: Path | None = None,
    config_dir: Path | None = None,
) -> Places:
    """The platform's places; with `data_dir` everything lives in there, so that two apps never meet."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or Path.home())
    if data_dir is not None:
        return Places(config_dir or data_dir, data_dir, data_dir / "logs")
    if platform == "darwin":
        base = home / "Library" / "Application Support" / "aster"
        return Places(config_dir or base, base, base)
    if platform == "win32":
        base = Path(environment.get("APPDATA") or home / "AppData" / "Roaming") / "aster"
        return Places(config_dir or base, base, base)

    def xdg(name: str, default: str) -> Path:
        given = environment.get(name, "")
        return Path(given) if os.path.isabs(given) else home / default

    return Places(
        config_dir or xdg("XDG_CONFIG_HOME", ".config") / "aster",
        xdg("XDG_DATA_HOME", ".local/share") / "aster",
        xdg("XDG_STATE_HOME", ".local/state") / "aster" / "logs",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """What was decided before the daemon started, and stays. The settable keys are in `Config`."""

    framework: wire.Framework
    port: int
    places: Places
    token: str | None = field(default=None, repr=False)
    allow_origins: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    started_in: Path = field(default_factory=Path.cwd)
    look_only: bool = False
    """Make no directory: who asks is no daemon."""
    own: Own = field(default_factory=Own)
    """What the app's own code brings (`sidecar`)."""


class Config:
    """The settable keys as they are now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.places.config_path
        self._api: dict[str, Any] = {}
        self._flags = validated({k: v for k, v in settings.flags.items() if k in DEFAULTS and v is not None}, "flag")
        self._environment = validated(
            {
                key: settings.environment[f"ASTER_{key.upper()}"]
                for key in DEFAULTS
                if settings.environment.get(f"ASTER_{key.upper()}")
            },
            "environment",
        )
        self._file = validated(
            {key: value for key, value in read_file(self._path).items() if key in DEFAULTS}, str(self._path)
        )

    def value(self, key: str) -> Any:
        """The effective value of a settable key."""
        return self.sourced(key).value

    def sourced(self, key: str) -> wire.ConfigValue:
        """The effective value and where it comes from."""
        layers: tuple[tuple[Source, dict[str, Any]], ...] = (
            ("api", self._api),
            ("flag", self._flags),
            ("environment", self._environment),
            ("file", self._file),
        )
        for source, layer in layers:
            if key in layer:
                return wire.ConfigValue(value=layer[key], source=source)
        value = str(self._default_work_dir()) if key == "work_dir" else DEFAULTS[key]
        return wire.ConfigValue(value=value, source="default")

    def _default_work_dir(self) -> Path:
        """Where the daemon was started; where that is no place to work in, `workspace` in the data directory."""
        started_in = self._settings.started_in.resolve()
        home = Path(self._settings.environment.get("HOME") or Path.home()).resolve()
        if started_in != Path(started_in.anchor) and started_in != home and os.access(started_in, os.W_OK):
            return started_in
        workspace = self._settings.places.data_dir / "workspace"
        if not self._settings.look_only:
            workspace.mkdir(parents=True, exist_ok=True)
        return workspace.resolve()

    @property
    def work_dir(self) -> Path:
        return Path(self.value("work_dir"))

    def view(self, extra: Mapping[str, wire.ConfigValue]) -> wire.ConfigView:
        """The whole effective configuration; `extra` are values that can't be set."""
        values = {key: self.sourced(key) for key in DEFAULTS}
        return wire.ConfigView(
            values={**values, **extra},
            config_path=str(self._path),
            data_dir=str(self._settings.places.data_dir),
        )

    def change(self, patch: wire.ConfigPatch) -> dict[str, wire.ConfigValue]:
        """Take changes over, for now and for the next start. Returns those that changed something.

        Raises: ConfigInvalid; then nothing changed.
        """
        given = patch.model_dump(include=patch.model_fields_set)
        checked = validated({key: value for key, value in given.items() if value is not None}, "request")
        before = {key: self.sourced(key) for key in given}
        write_file(self._path, {key: checked.get(key) for key in given})
        for key in given:
            self._api.pop(key, None)
            self._file.pop(key, None)
        self._api.update(checked)
        self._file.update(checked)
        after = {key: self.sourced(key) for key in given}
        return {key: after[key] for key in given if after[key].value != before[key].value}


def validated(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values in their types. Raises: ConfigInvalid, naming key, value and what is allowed."""
    try:
        parsed = wire.ConfigPatch.model_validate(dict(values), strict=where == "request")
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "?"
        raise ConfigInvalid(
            f"{key} = {str(first.get('input'))[:100]!r} ({where}): {first['msg']}",
            hint=f"allowed: {allowed(key)}",
        ) from error
    result = {key: getattr(parsed, key) for key in values}
    if result.get("work_dir") is not None:
        work_dir = Path(result["work_dir"]).expanduser()
        if not work_dir.is_absolute() or not work_dir.is_dir():
            raise ConfigInvalid(
                f"work_dir = {str(work_dir)[:200]!r} ({where}): not a directory",
                hint="allowed: the absolute path of an existing directory",
            )
        result["work_dir"] = str(work_dir.resolve())
    return result


def allowed(key: str) -> str:
    """What a settable key may be, in words."""
    words = {
        "model": "provider:name, for example openai:gpt-5.2, or demo, or empty",
        "permission_mode": "auto_approve, smart_approve, always_ask",
        "on_unattended": "wait, deny",
        "approval_timeout_s": "seconds from 0 (for ever) to 31536000",
        "max_requests": "a whole number from 1 to 10000",
        "max_tool_calls": "a whole number from 0 to 100000",
        "max_tokens": "a whole number from 1 to 1000000000",
        "max_turn_s": "seconds above 0, at most 31536000",
        "work_dir": "the absolute path of an existing directory",
    }
    return words.get(key, "one of " + ", ".join(DEFAULTS))


def read_file(path: Path) -> dict[str, Any]:
    """What `config.toml` holds; nothing when there is none. Raises: ConfigInvalid."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="mend or remove the file") from error
    except OSError as error:
        raise ConfigInvalid(f"{path}: {error.strerror}", hint="make it readable for this user") from error


def write_file(path: Path, values: Mapping[str, Any]) -> None:
    """Set (or with None remove) top-level keys, atomically; comments and everything else stay.

    Raises: ConfigInvalid.
    """
    import tomlkit

    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
        for key, value in values.items():
            if value is not None:
                document[key] = value
            elif key in document:
                del document[key]
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(tomlkit.dumps(document))
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="the change was not kept and does not hold") from error
