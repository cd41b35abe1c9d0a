"""Effective settings, each value with its source. Precedence: flags > environment > a trusted project's
`.aster/config.toml` > the user's `config.toml` > defaults.

The settable keys can be changed while the daemon runs: a change takes effect immediately and is saved in `config.toml`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from aster_sidecar.config.named_tables import check_name
from aster_sidecar.config.places import Places
from aster_sidecar.config.project_file import Project, ProjectStamp, project_stamp, read_project
from aster_sidecar.config.toml_file import DEFAULTS, TABLES, allowed, read_file, write_file
from aster_sidecar.contract import wire
from aster_sidecar.errors import ConfigInvalid, InvalidShape
from aster_sidecar.text.path_names import misnamed

log = logging.getLogger(__name__)

Source = Literal["api", "flag", "environment", "project", "file", "default"]

ANY_FOLDER = "the absolute path of an existing directory"
NAMED_FOLDER = "a directory whose whole path is UTF-8; rename it, or work in another"

PROJECTS_MOST = 500
"""The most projects of sessions' folders that are kept in memory."""

DEFAULT_PORTS: dict[wire.Framework, int] = {"tauri": 9528, "electron": 9527, "wails": 9529, "web": 8080}


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings fixed at the start of the daemon. The settable keys are in `Config`."""

    framework: wire.Framework
    port: int
    places: Places
    token: str | None = field(default=None, repr=False)
    allow_origins: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    started_in: Path = field(default_factory=Path.cwd)
    look_only: bool = False
    """Create no directories: for commands that only show settings."""
    log_level: str | None = None
    uds: Path | None = None
    any_port: bool = False
    log_file: bool = True


class Config:
    """The current values of the settable keys. Raises: ConfigInvalid when it is created from invalid settings."""

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
        content = read_file(self._path)
        for key in content.keys() & TABLES:
            if not isinstance(content[key], dict):
                raise ConfigInvalid(
                    f"{self._path}: {key} is not a table", hint=f"write [{key}.NAME] and its keys below"
                )
        unknown = sorted(content.keys() - DEFAULTS.keys() - TABLES)
        self._own_problems = [f"{self._path}: unknown key {key[:100]}, ignored ({allowed(key)})" for key in unknown]
        self._own_problems += [f"{self._path}: {problem}" for problem in misnamed_servers(content.get("mcp", {}))]
        self._file = validated(
            {
                key: value
                for key, value in content.items()
                if key in DEFAULTS and not (value == "" and DEFAULTS[key] is None)
            },
            str(self._path),
            base=settings.places.data_dir,
        )
        self._project = Project()
        self._projects: dict[Path, tuple[ProjectStamp, Project]] = {}
        """The projects of sessions' folders."""
        self._logged: set[str] = set()
        self.read_project()

    def read_project(self) -> None:
        """Load the settings of the work directory's project. Errors in it are added to `problems`, never raised."""
        self._project = Project()  # a project can't set `work_dir`, which decides on the project
        self._project = checked(read_project(self._settings.places.config_dir, self.work_dir))
        self._log(self.problems)

    def _log(self, problems: Iterable[str]) -> None:
        for problem in problems:
            if problem not in self._logged:
                self._logged.add(problem)
                log.warning("%s", problem)

    def project_in(self, folder: Path) -> Project:
        """The settings of the project that contains a session's folder, read again when its file has changed."""
        if folder == self.work_dir:
            return self._project
        config_dir = self._settings.places.config_dir
        stamp = project_stamp(config_dir, folder)
        kept = self._projects.get(folder)
        if kept is None or kept[0] != stamp:
            if len(self._projects) >= PROJECTS_MOST:
                self._projects.clear()
            kept = self._projects[folder] = (stamp, checked(read_project(config_dir, folder)))
            self._log(kept[1].problems)
        return kept[1]

    @property
    def problems(self) -> list[str]:
        """Messages about keys in the user's and the project's file that are ignored."""
        return [*self._own_problems, *self._project.problems]

    def value(self, key: str, folder: Path | None = None) -> Any:
        """The effective value of a settable key; in a session's `folder`, its project's settings count."""
        return self.sourced(key, folder).value

    def sourced(self, key: str, folder: Path | None = None) -> wire.ConfigValue:
        """The effective value and where it comes from; in a session's `folder`, its project's settings count."""
        project = self._project if folder is None else self.project_in(folder)
        layers: tuple[tuple[Source, Mapping[str, Any]], ...] = (
            ("api", self._api),
            ("flag", self._flags),
            ("environment", self._environment),
            ("project", project.values),
            ("file", self._file),
        )
        for source, layer in layers:
            if key in layer:
                return wire.ConfigValue(value=layer[key], source=source)
        value = str(self._default_work_dir()) if key == "work_dir" else DEFAULTS[key]
        return wire.ConfigValue(value=value, source="default")

    def _default_work_dir(self) -> Path:
        """The directory where the daemon was started; `workspace` in the data directory if that one is unsuitable."""
        started_in = self._settings.started_in.resolve()
        home = Path(self._settings.environment.get("HOME") or Path.home()).resolve()
        fit = misnamed(started_in) is None and os.access(started_in, os.W_OK)
        if started_in != Path(started_in.anchor) and started_in != home and fit:
            return started_in
        workspace = self._settings.places.data_dir / "workspace"
        if not self._settings.look_only:
            workspace.mkdir(parents=True, exist_ok=True)
        return workspace.resolve()

    @property
    def work_dir(self) -> Path:
        return Path(self.value("work_dir"))

    def view(self, extra: Mapping[str, wire.ConfigValue]) -> wire.ConfigView:
        """The whole effective configuration; `extra`: values that can't be set through the API."""
        return wire.ConfigView(
            values={**self._values(), **extra},
            config_path=str(self._path),
            data_dir=str(self._settings.places.data_dir),
            logs_dir=str(self._settings.places.logs_dir),
            project=str(self._project.directory) if self._project.directory is not None else None,
            problems=self.problems,
        )

    def change(self, patch: wire.ConfigPatch) -> dict[str, wire.ConfigValue]:
        """Apply changes and save them in `config.toml`. Returns the effective values that changed.

        Raises: ConfigInvalid; then nothing has changed.
        """
        given = patch.model_dump(include=patch.model_fields_set)
        checked = validated({key: value for key, value in given.items() if value is not None}, "request")
        before = self._values()
        write_file(self._path, {key: self._kept(key, checked.get(key)) for key in given})
        for key in given:
            self._api.pop(key, None)
            self._file.pop(key, None)
        self._api.update(checked)
        self._file.update(checked)
        return self._read_project_since(before)

    def read_project_again(self) -> dict[str, wire.ConfigValue]:
        """As `read_project`, when the trusted projects have changed. Returns the effective values that changed."""
        return self._read_project_since(self._values())

    def _read_project_since(self, before: Mapping[str, wire.ConfigValue]) -> dict[str, wire.ConfigValue]:
        self.read_project()
        after = self._values()
        return {key: after[key] for key in DEFAULTS if after[key].value != before[key].value}

    def _values(self) -> dict[str, wire.ConfigValue]:
        return {key: self.sourced(key) for key in DEFAULTS}

    def _kept(self, key: str, value: Any) -> Any:
        """A value as it is saved: a directory inside the data directory as a relative path, as that may be moved."""
        data_dir = self._settings.places.data_dir.resolve()
        if key == "work_dir" and value is not None and Path(value) != data_dir and Path(value).is_relative_to(data_dir):
            return Path(value).relative_to(data_dir).as_posix()
        return value


def checked(project: Project) -> Project:
    """The project with valid values only; the others are among its problems."""
    problems = list(project.problems)
    values: dict[str, Any] = {}
    for key, value in project.values.items():
        try:
            values |= validated({key: value}, str(project.path))
        except ConfigInvalid as error:
            problems.append(f"{error.message}; ignored ({error.hint})")
    return Project(project.directory, values, tuple(problems))


def misnamed_servers(tables: Iterable[str]) -> Iterator[str]:
    """A message for each MCP server with a name that is not allowed. Such a table is ignored."""
    for name in tables:
        try:
            check_name("mcp", name)
        except ConfigInvalid as error:
            yield f"{error.message}, ignored ({error.hint})"


def unfit(work_dir: Path) -> str | None:
    """Why a directory can't be the work directory; None if it can."""
    try:
        if not work_dir.is_absolute():
            return "not an absolute path"
        return None if work_dir.resolve().is_dir() else "not a directory"
    except OSError as error:  # a name that is too long, or a parent directory without permission
        return error.strerror or str(error)
    except RuntimeError:  # a loop of symbolic links
        return "not a directory"


def validated(values: Mapping[str, Any], where: str, base: Path | None = None) -> dict[str, Any]:
    """The values, checked and converted to their types. `where` names their source in errors.

    With `base`, a relative `work_dir` is resolved in it. Raises: ConfigInvalid with key, value and what is allowed.
    """
    given = dict(values)
    if where != "request" and isinstance(names := given.get("pass_environment"), str):
        given["pass_environment"] = [name for name in re.split(r"[,\s]+", names) if name]
    try:
        parsed = wire.ConfigPatch.model_validate(given, strict=where == "request")
    except ValidationError as error:
        first = error.errors()[0]
        key, text = str(first["loc"][0]) if first["loc"] else "?", str(first.get("input"))
        shown_value = repr(text[:100]) if (shown := misnamed(text)) is None else shown[:100]
        raise ConfigInvalid(
            f"{key} = {shown_value} ({where}): {first['msg']}",
            hint=f"allowed: {allowed(key)}",
        ) from error
    result = {key: getattr(parsed, key) for key in values}
    if result.get("work_dir") is not None:
        try:
            result["work_dir"] = canonical_folder(result["work_dir"], base)
        except UnfitFolder as error:
            message = f"work_dir = {error.shown} ({where}): {error}"
            raise ConfigInvalid(message, hint=f"allowed: {error.hint}") from error
    return result


class UnfitFolder(Exception):
    """Tools can't work in a folder; says why. `shown`: its path, to be printed; `hint`: what can be used."""

    def __init__(self, shown: str, why: str, hint: str = ANY_FOLDER) -> None:
        super().__init__(why)
        self.shown = shown
        self.hint = hint


def folder_in_request(given: str, field: str) -> str:
    """The canonical path of an existing directory that a `field` of a request names. Raises: InvalidShape."""
    try:
        return canonical_folder(given)
    except UnfitFolder as error:
        raise InvalidShape(f"{field}: {error.shown}: {error}", hint=f"choose {error.hint}") from error


def canonical_folder(given: str, base: Path | None = None) -> str:
    """The path of an existing directory, without `~`, links and "..". A relative one is resolved in `base`.

    Raises: UnfitFolder.
    """
    try:
        work_dir = Path(given).expanduser()
    except RuntimeError as error:  # "~name" of a user that does not exist
        shown = repr(given[:200]) if (escaped := misnamed(given)) is None else escaped[:200]
        raise UnfitFolder(shown, "no such user") from error
    if base is not None:
        work_dir = base / work_dir
    if (shown := misnamed(work_dir)) is not None:
        raise UnfitFolder(shown[:200], "its name is not UTF-8", NAMED_FOLDER)
    if (wrong := unfit(work_dir)) is not None:
        raise UnfitFolder(repr(str(work_dir)[:200]), wrong)
    resolved = str(work_dir.resolve())
    if (shown := misnamed(resolved)) is not None:
        raise UnfitFolder(str(work_dir), f"it leads to {shown[:200]}, whose name is not UTF-8", NAMED_FOLDER)
    return resolved
