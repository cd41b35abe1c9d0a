"""The state of a path at one moment: what is there, and under which hash its content is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple


class PathState(NamedTuple):
    """`type` None: there is nothing. `sha256` is of the content of a file, or of the text of a link, else None.

    `mode`: the permission bits. `kept`: the content is in the ledger's store, so that it can be restored.
    `why_not_kept`: a reason, for people. A file that was not read, such as a large one, has no `sha256`. A FIFO, socket
    or device is a file that is not kept.
    """

    type: Literal["file", "link", "directory"] | None = None
    size: int = 0
    mode: int = 0
    sha256: str | None = None
    kept: bool = True
    why_not_kept: str | None = None


NOTHING = PathState()


class PathChange(NamedTuple):
    """A path that changed between two moments. `path` is absolute."""

    path: Path
    before: PathState
    after: PathState
