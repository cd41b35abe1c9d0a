"""Which projects the person trusts: only those may bring settings and agents of their own, in `.aster/`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aster_sidecar.errors import ConfigInvalid

FOLDER = ".aster"
FILE = "trusted.json"
TOOL_MARK = "ASTER_TOOL_CALL"
"""The variable that every process of a tool carries: none of them may decide whom the person trusts."""
LATER = "A daemon that is running reads it when its settings are changed the next time, or when it is started again."


def project_of(directory: Path) -> Path | None:
    """The nearest directory from this one upwards that has an `.aster` folder."""
    directory = directory.resolve()
    return next((place for place in (directory, *directory.parents) if (place / FOLDER).is_dir()), None)


def trusted_project(config_dir: Path, directory: Path) -> Path | None:
    """The project that `directory` is in, when the person trusts it. Raises: ConfigInvalid."""
    project = project_of(directory)
    return project if project is not None and project in trusted(config_dir) else None


def trusted(config_dir: Path) -> list[Path]:
    """The directories the person trusts, in the order in which they were added. Raises: ConfigInvalid."""
    path = config_dir / FILE
    try:
        told = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="mend or remove the file") from error
    if not isinstance(told, list) or not all(isinstance(entry, str) for entry in told):  # pyright: ignore[reportUnknownVariableType]
        raise ConfigInvalid(f"{path}: not a list of directories", hint="mend or remove the file")
    return [Path(entry) for entry in told]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def trust_command(config_dir: Path, directory: Path | None, environment: Mapping[str, str]) -> str:
    """`trust DIR`, or the list without one; returns what to tell the person. Raises: ConfigInvalid."""
    if directory is None:
        known = trusted(config_dir)
        return "\n".join(map(str, known)) if known else "No directory is trusted. aster-sidecar trust DIR adds one."
    refuse_tools(environment)
    added = trust(config_dir, directory)
    lines = [f"{added} is trusted now: its {FOLDER}/config.toml holds for work in there."]
    project = project_of(added)
    if project is None:
        lines.append(f"There is no {FOLDER} folder in it yet.")
    elif project != added:
        lines.append(f"But the nearest {FOLDER} folder is {project / FOLDER}: aster-sidecar trust {project}")
    return "\n".join([*lines, LATER])


def untrust_command(config_dir: Path, directory: Path, environment: Mapping[str, str]) -> str:
    """`untrust DIR`; returns what to tell the person. Raises: ConfigInvalid."""
    refuse_tools(environment)
    directory = directory.expanduser().resolve()
    if not distrust(config_dir, directory):
        return f"{directory} was not trusted."
    return f"{directory} is not trusted any more.\n{LATER}"


def refuse_tools(environment: Mapping[str, str]) -> None:
    """Raises: ConfigInvalid in a process that a tool has started."""
    if environment.get(TOOL_MARK):
        raise ConfigInvalid("a tool's own process can't decide whom to trust", hint="run it in a terminal of your own")


def trust(config_dir: Path, directory: Path) -> Path:
    """Trust a directory; returns it as it is kept. Raises: ConfigInvalid."""
    directory = directory.expanduser().resolve()
    if not directory.is_dir():
        raise ConfigInvalid(f"{directory}: not a directory", hint="allowed: the path of an existing directory")
    known = trusted(config_dir)
    if directory not in known:
        keep(config_dir, [*known, directory])
    return directory


def distrust(config_dir: Path, directory: Path) -> bool:
    """Take the trust back. Returns whether there was any. Raises: ConfigInvalid."""
    directory = directory.expanduser().resolve()
    known = trusted(config_dir)
    if directory not in known:
        return False
    keep(config_dir, [place for place in known if place != directory])
    return True


def keep(config_dir: Path, directories: list[Path]) -> None:
    """Write the list, atomically, for its owner only. Raises: ConfigInvalid."""
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
