"""`sidecar.json` in the data directory, by which clients find the daemon. Imports nothing slow."""

from __future__ import annotations

import os

from aster_sidecar.services.process_facts import started_at, state_of
from aster_sidecar.text.json_text import parse_object

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from typing import Any

STATE_NAME = "sidecar.json"
STATE_BYTES = 1 << 16


def read_state(data_dir: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The content, whether or not its daemon still runs, with `written_at`; None if it can't be read.

    `written_at`: seconds since 1970. `started_at` only identifies the process.
    """
    try:
        with open(os.path.join(data_dir, STATE_NAME), "rb", opener=_open) as file:
            content = parse_object(file.read(STATE_BYTES) or b"")
            return {**content, "written_at": os.fstat(file.fileno()).st_mtime}
    except (OSError, ValueError):
        return None


def read_live_state(data_dir: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The content, if the process with its pid started when the file says; None otherwise."""
    content = read_state(data_dir)
    try:
        if content is None or state_of(pid := int(content["pid"])) == "dead":
            return None
        born = started_at(pid)
        return content if born is not None and born == content["started_at"] else None
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _open(path: str, flags: int) -> int:
    """Open without waiting for a writer, if a FIFO is in the file's place."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
