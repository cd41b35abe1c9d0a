"""Files that a message names by their path: the one that was looked at is the one that is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aster_sidecar.conversation.message_files import opened
from aster_sidecar.tools import paths
from aster_sidecar.tools.base import ToolError
from tests.tools.support import make_surroundings


def to_link(work: Path, secret: Path) -> None:
    (work / "docs" / "photo.png").unlink()
    (work / "docs" / "photo.png").symlink_to(secret)


def to_linked_folder(work: Path, secret: Path) -> None:
    (work / "docs").rename(work / "before")
    (work / "docs").symlink_to(secret.parent)


def to_fifo(work: Path, secret: Path) -> None:
    (work / "docs" / "photo.png").unlink()
    os.mkfifo(work / "docs" / "photo.png")


def to_nothing(work: Path, secret: Path) -> None:
    (work / "docs" / "photo.png").unlink()


@pytest.mark.skipif(os.name == "nt", reason="needs links and FIFOs")
@pytest.mark.parametrize("swap", [to_link, to_linked_folder, to_fifo, to_nothing])
def test_a_path_that_is_swapped_after_it_was_looked_at_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: Callable[[Path, Path], None]
) -> None:
    place = make_surroundings(tmp_path)
    secret = tmp_path / "elsewhere" / "photo.png"
    secret.parent.mkdir()
    secret.write_bytes(b"secret")
    (place.work_dir / "docs").mkdir()
    (place.work_dir / "docs" / "photo.png").write_bytes(b"picture")
    path, file = opened("docs/photo.png", place)
    with file:
        assert (path.name, file.read()) == ("photo.png", b"picture")
    look = paths.look

    def looked(*given: object, **more: object) -> paths.Place:
        found = look(*given, **more)  # type: ignore[arg-type]
        swap(place.work_dir, secret)
        return found

    monkeypatch.setattr(paths, "look", looked)
    with pytest.raises(ToolError):
        opened("docs/photo.png", place)
