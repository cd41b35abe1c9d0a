"""A project's `.aster/config.toml`: read only if the user trusts the project, and limited to some of the settings.

Errors in it are reported as problems and never raised, so that no repository can keep an app from starting.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aster_sidecar.config.toml_file import SETTINGS
from aster_sidecar.config.trusted_projects import FILE as TRUSTED
from aster_sidecar.config.trusted_projects import FOLDER, project_of, trusted
from aster_sidecar.errors import ConfigInvalid

FILE_BYTES = 64 * 1024
LINKED = "a link; a project's settings must be a file in the project"


@dataclass(frozen=True, slots=True)
class Project:
    """A trusted project's settings; `directory` None: no trusted project. `problems`: what was ignored, and why."""

    directory: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    problems: tuple[str, ...] = ()

    @property
    def path(self) -> Path | None:
        return self.directory / FOLDER / "config.toml" if self.directory is not None else None


def read_project(config_dir: Path, work_dir: Path) -> Project:
    """The project that contains `work_dir`. Its `values` are limited to keys that a project may set, not validated."""
    directory = project_of(work_dir)
    path = directory / FOLDER / "config.toml" if directory is not None else None
    if directory is None or path is None or not os.path.lexists(path):
        return Project()
    try:
        if directory not in trusted(config_dir):
            return Project(
                problems=(f"{path} is not read: its directory is not trusted (aster-sidecar trust {directory})",)
            )
        return settings_in(directory, read_settings(directory))
    except ConfigInvalid as error:  # the list of trusted projects is invalid, so no project is trusted
        return Project(problems=(f"{error.message}; {path} is not read",))
    except UnicodeDecodeError as error:
        return Project(directory, problems=(f"{path}: {error}; ignored",))
    except OSError as error:
        return Project(directory, problems=(f"{path}: {error.strerror}; ignored",))


def read_settings(directory: Path) -> str:
    """The text of a project's `.aster/config.toml`, trusted or not.

    Raises: OSError, also for a link; UnicodeDecodeError.
    """
    folder = directory / FOLDER
    if os.path.realpath(folder) != str(folder):
        raise OSError(0, LINKED)
    return read_small(folder / "config.toml")


def settings_in(directory: Path, text: str) -> Project:
    """The settings in the text of a project's file, limited to keys that a project may set, not validated."""
    path = directory / FOLDER / "config.toml"
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Project(directory, problems=(f"{path}: {error}; ignored",))
    values = {key: value for key, value in content.items() if key in SETTINGS and SETTINGS[key].in_project}
    free = ", ".join(key for key, setting in SETTINGS.items() if setting.in_project)
    problems = tuple(
        f"{path}: {key[:100]!r} can't be set by a project, ignored (it may set {free})"
        if key in SETTINGS
        else f"{path}: unknown key {key[:100]!r}, ignored (a project may set {free})"
        for key in content
        if key not in values
    )
    return Project(directory, values, problems)


ProjectStamp = tuple[str, ...]
"""Changes when the settings of a project may have changed."""


def project_stamp(config_dir: Path, work_dir: Path) -> ProjectStamp:
    """The stamp of the project that contains `work_dir`: of its file, and of the list of trusted projects."""
    directory = project_of(work_dir)
    if directory is None:
        return ()
    return (str(directory), file_stamp(directory / FOLDER / "config.toml"), file_stamp(config_dir / TRUSTED))


def file_stamp(path: Path) -> str:
    """What changes with the content of a file; empty for one that can't be read."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size} {status.st_ino}"


def read_small(path: Path) -> str:
    """The text of a regular file of at most `FILE_BYTES`, no link. Raises: OSError, UnicodeDecodeError."""
    if path.is_symlink():
        raise OSError(0, LINKED)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(0, "not a regular file")
        content = opened.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise OSError(0, f"larger than {FILE_BYTES} bytes")
    return content.decode("utf-8-sig")
