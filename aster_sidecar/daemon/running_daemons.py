"""The list of this user's running daemons: one small file for each, in one directory.

A command without --data-dir looks here when no daemon uses the default data directory. Only daemons without a token
are listed: a daemon that a desktop app started is private to that app.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path

from aster_sidecar.daemon import client
from aster_sidecar.services.process_facts import started_at
from aster_sidecar.text.json_text import parse_object

log = logging.getLogger(__name__)

ENTRY_BYTES = 1 << 14


def enter(directory: Path, instance_id: str, data_dir: Path) -> Path | None:
    """List this process as the daemon of `data_dir`; returns its entry file, None if that can't be written.

    Also removes the entries of processes that have ended.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in directory.glob("*.json"):
            if _read(path) is None:
                path.unlink(missing_ok=True)
        entry = {"data_dir": str(data_dir), "pid": os.getpid(), "started_at": started_at(os.getpid())}
        place = directory / f"{instance_id}.json"
        fresh = place.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(entry, out)
        os.replace(fresh, place)
    except OSError as error:
        log.info("not listed in %s: %s", directory, error.strerror)
        return None
    return place


def leave(place: Path | None) -> None:
    """Remove the entry file that `enter` returned."""
    if place is not None:
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)


def running(directory: Path) -> list[Path]:
    """The data directories of the listed daemons that answer, sorted. Never raises."""
    try:
        found = {_read(path) for path in directory.glob("*.json")}
    except OSError:
        return []
    return sorted(data_dir for data_dir in found if data_dir is not None and client.find(data_dir) is not None)


def _read(path: Path) -> Path | None:
    """The data directory in an entry; None if its process has ended or the entry can't be read."""
    try:
        with path.open("rb") as file:
            entry = parse_object(file.read(ENTRY_BYTES))
        data_dir, pid, born = Path(entry["data_dir"]), int(entry["pid"]), float(entry["started_at"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return data_dir if data_dir.is_absolute() and started_at(pid) == born else None
