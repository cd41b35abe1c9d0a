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


BITS = 0o777
"""The mode bits that are compared and restored: a program that was changed never gets set-user-ID back."""


def same(one: PathState, other: PathState) -> bool:
    """Whether the same is there: type, content and permission bits. Content that is not known is never the same."""
    if one.type != other.type or one.type is None:
        return one.type == other.type
    if one.type == "link":
        return one.sha256 is not None and one.sha256 == other.sha256
    if one.mode & BITS != other.mode & BITS:
        return False
    return one.type == "directory" or same_content(one, other)


def same_content(one: PathState, other: PathState) -> bool:
    """Whether both are of one type and have the same content; permission bits don't count."""
    return one.type == other.type and one.sha256 == other.sha256 and (one.sha256 is not None or one.type != "file")


def alike(one: PathState, other: PathState) -> bool:
    """Whether the same seems to be there: of a file whose content is not known, the size decides."""
    if same(one, other):
        return True
    known = one.sha256 is not None and other.sha256 is not None
    return one.type == other.type == "file" and not known and one.size == other.size and one.mode == other.mode
