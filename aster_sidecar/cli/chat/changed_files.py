"""Files that a turn changed, as lines for a terminal."""

from __future__ import annotations

import os

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Json
from aster_sidecar.text.safe_text import still_visible, visible


def changed_line(file: Json, work_dir: str, number: int | None = None) -> str:
    """One line for a `ChangedFile`; paths in `work_dir` are relative to it. `number`: its place in a list."""
    path = _shown(file["path"], work_dir)
    state: Json | None = file["after"] or file["before"]
    if state is not None and state["type"] == "directory":
        path += os.sep
    moved_from = _shown(file["moved_from"], work_dir) if file["moved_from"] else None
    why = None if file["kept"] else still_visible(file["why_not_kept"] or "", newlines=False)
    return texts.changed_file(file, path, moved_from, why, number)


def _shown(path: str, work_dir: str) -> str:
    beneath = os.path.join(work_dir, "")
    return visible(path.removeprefix(beneath) or path, newlines=False)
