"""The list of trusted projects. Only these may add their own settings and agents, in `.aster/`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aster_sidecar.config.toml_file import write_beside
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.json_text import parse_json, parse_object

FOLDER = ".aster"
FILE = "trusted.json"
CONTENT = "trusted_files.json"
"""For each trusted project the digests of its files at the moment when the person trusted it. The list of trusted
projects is a file of its own, because earlier versions read it."""
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


def trusted_files(config_dir: Path, directory: Path) -> dict[str, str] | None:
    """The digests of a trusted project's files when the person trusted it, by name; None: not known. Never raises."""
    files = _contents(config_dir).get(str(directory))
    if not isinstance(files, dict):
        return None
    return {str(name): str(digest) for name, digest in files.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _contents(config_dir: Path) -> dict[str, Any]:
    """The file of digests; a damaged one counts as empty, because it decides on nothing."""
    try:
        return parse_object((config_dir / CONTENT).read_bytes())
    except (OSError, ValueError):
        return {}


def trust(
    config_dir: Path, directory: Path, environment: Mapping[str, str], files: Mapping[str, str] | None = None
) -> Path:
    """Trust a directory; returns its resolved path. `environment`: this process's; a process of a tool is refused.

    `files`: the digests of the project's files that the person saw, by name. Raises: ConfigInvalid.
    """
    refuse_tools(environment)
    directory = directory.expanduser().resolve()
    if not directory.is_dir():
        raise ConfigInvalid(f"{directory}: not a directory", hint="allowed: the path of an existing directory")
    known = trusted(config_dir)
    listed = known if directory in known else [*known, directory]
    if files is not None:  # before the list: no trusted project lacks its digests
        _keep_contents(config_dir, listed, {str(directory): dict(files)})
    if listed != known:
        _write(config_dir, FILE, [str(place) for place in listed])
    return directory


def distrust(config_dir: Path, directory: Path, environment: Mapping[str, str]) -> bool:
    """Stop trusting a directory; returns whether it was trusted. `environment`: as for `trust`.

    Raises: ConfigInvalid.
    """
    refuse_tools(environment)
    directory = Path(os.path.abspath(directory.expanduser()))
    known = trusted(config_dir)
    if directory not in known:  # a listed one is not looked at: it may be gone, or a link by now
        directory = directory.resolve()
    if directory not in known:
        return False
    listed = [place for place in known if place != directory]
    _write(config_dir, FILE, [str(place) for place in listed])
    if (config_dir / CONTENT).exists():
        _keep_contents(config_dir, listed, {})
    return True


def _keep_contents(config_dir: Path, listed: list[Path], fresh: Mapping[str, Mapping[str, str]]) -> None:
    """Write the digests of the listed projects; `fresh` replaces known ones. Raises: ConfigInvalid."""
    contents = {**_contents(config_dir), **fresh}
    kept = {str(place) for place in listed}
    _write(config_dir, CONTENT, {name: files for name, files in contents.items() if name in kept})


def _write(config_dir: Path, name: str, value: object) -> None:
    """Write a file of JSON atomically, readable by its owner only. Raises: ConfigInvalid."""
    path = config_dir / name
    try:
        config_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = write_beside(path, json.dumps(value, indent=2))
        try:
            os.replace(fresh, path)
        except BaseException:
            os.unlink(fresh)
            raise
    except OSError as error:
        raise ConfigInvalid(f"{path}: {error.strerror}", hint="nothing was changed") from error
