"""Where tools work, and which paths they may not touch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from aster_sidecar.config.kept_secrets import FILE as KEYS_FILE
from aster_sidecar.config.places import STORE_NAME
from aster_sidecar.config.settings import Settings
from aster_sidecar.config.trusted_projects import CONTENT, FOLDER, project_of
from aster_sidecar.config.trusted_projects import FILE as TRUSTED
from aster_sidecar.sandbox.commands import CommandSandbox
from aster_sidecar.tools.base import Surroundings

SANDBOX_FILES = "sandbox"
"""The directory of the sandbox in the data directory."""


def surroundings_of(settings: Settings, sandbox: CommandSandbox) -> Callable[[Path], Surroundings]:
    """A function from the folder in which tools work to their surroundings: also the paths that they may not touch.

    These are the daemon's directories, or, if tools work inside one (`workspace`), all else in it; and the project's
    `.aster` folder: otherwise instructions from a web page could be made permanent.
    """
    places = settings.places
    own = tuple({Path(os.path.realpath(place)) for place in (places.data_dir, places.config_dir, places.logs_dir)})
    own_files = tuple(
        Path(os.path.realpath(place))  # `resolve` raises on a loop of symbolic links
        for place in (
            *(places.data_dir / f"{STORE_NAME}{more}" for more in ("", "-wal", "-shm")),
            *(places.data_dir / name for name in ("aster.lock", "sidecar.json", KEYS_FILE, SANDBOX_FILES)),
            *(places.config_path, places.logs_dir),
            *(places.config_dir / name for name in ("agents", TRUSTED, CONTENT)),
            *([settings.uds] if settings.uds is not None else []),
        )
    )

    def surroundings(work_dir: Path) -> Surroundings:
        around = [place for place in own if work_dir.is_relative_to(place)]
        mine = (*own_files, *(path for place in around for path in _beside(work_dir, place))) if around else own
        project_folder = (project_of(work_dir) or work_dir) / FOLDER
        return Surroundings(work_dir, (*dict.fromkeys(mine), project_folder), sandbox=sandbox)

    return surroundings


def _beside(work_dir: Path, place: Path) -> list[Path]:
    """What is in the directory `place` besides the entry in which `work_dir` is."""
    way = work_dir.relative_to(place).parts[:1]
    try:
        return [place / name for name in os.listdir(place) if way and name != way[0]]
    except OSError:
        return []
