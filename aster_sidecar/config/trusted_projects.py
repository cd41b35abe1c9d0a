"""The list of trusted projects. Only these may add their own settings and agents, in `.aster/`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.json_text import parse_json

FOLDER = ".aster"
FILE = "trusted.json"
TOOL_MARK = "ASTER_TOOL_CALL"
"""The variable in the environment of every process that a tool started. None of them may change the list."""


def project_of(directory: Path) -> Path | None:
    """The nearest directory from this one upwards that has an `.aster` folder."""
    directory = directory.resolve()
    return next((place for place in (directory, *directory.parents) if (place / FOLDER).is_dir()), None)


def trusted_project(config_dir: Path, directory: Path) -> Path | None:
    """The project that contains `directory`; None if there is none or it is not trusted. Raises: ConfigInvalid."""
    project = project_of(directory)
    return project if project is not None and project in trusted(config_dir) else None


def trusted(config_dir: Path) -> list[Path]:
    """The trusted directories, in the order in which they were added. Raises: ConfigInvalid."""
    path = config_dir / FILE
    try:
        told = parse_json(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="fix or remove the file") from error
    if not isinstance(told, list) or not all(isinstance(entry, str) for entry in told):  # pyright: ignore[reportUnknownVariableType]
        raise ConfigInvalid(f"{path}: not a list of directories", hint="fix or remove the file")
    return [Path(entry) for entry in told]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def refuse_tools(environment: Mapping[str, str]) -> None:
    """Raises: ConfigInvalid in a process that a tool has started."""
    if environment.get(TOOL_MARK):
        raise ConfigInvalid(
            "a process that a tool has started cannot decide which projects are trusted",
            hint="run the command yourself in a terminal",
        )


def trust(config_dir: Path, directory: Path, environment: Mapping[str, str]) -> Path:
    """Trust a directory; returns its resolved path. `environment`: this process's; a process of a tool is refused.

    Raises: ConfigInvalid.
    """
    refuse_tools(environment)
    directory = directory.expanduser().resolve()
    if not directory.is_dir():
        raise ConfigInvalid(f"{directory}: not a directory", hint="allowed: the path of an existing directory")
    known = trusted(config_dir)
    if directory not in known:
        keep(config_dir, [*known, directory])
    return directory


def distrust(config_dir: Path, directory: Path, environment: Mapping[str, str]) -> bool:
    """Stop trusting a directory; returns whether it was trusted. `environment`: as for `trust`.

    Raises: ConfigInvalid.
    """
    refuse_tools(environment)
    directory = directory.expanduser().resolve()
    known = trusted(config_dir)
    if directory not in known:
        return False
    keep(config_dir, [place for place in known if place != directory])
    return True


def keep(config_dir: Path, directories: list[Path]) -> None:
    """Write the list atomically, readable by its owner only. Raises: ConfigInvalid."""
    try:
        config_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=config_dir, prefix=".trusted-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump([str(place) for place in directories], out, indent=2)
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, config_dir / FILE)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise ConfigInvalid(f"{config_dir / FILE}: {error.strerror}", hint="nothing was changed") from error
