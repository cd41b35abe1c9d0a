"""delete_file and move_file."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.support import assess, call


def test_deleting(place: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    (place.work_dir / "link").symlink_to(tmp_path / "kept.txt")
    (place.work_dir / "full").mkdir()
    (place.work_dir / "full" / "x").write_text("x")
    assert call("delete_file", place, path="link").value["deleted"] == "link"
    assert (tmp_path / "kept.txt").read_text() == "kept"
    with pytest.raises(ToolError, match="not empty"):
        call("delete_file", place, path="full")
    call("delete_file", place, path="full/x")
    assert call("delete_file", place, path="full/").value["deleted"] == "directory"
    for path in (".", "", "full/..", "..", "/"):
        with pytest.raises((ToolError, ValidationError)):
            call("delete_file", place, path=path)


def test_a_link_is_deleted_by_where_it_stands(place: Surroundings) -> None:
    (place.work_dir / "link").symlink_to("/etc/hostname")
    found = assess("delete_file", place, path="link")
    assert (found.target, found.risk) == (str(place.work_dir / "link"), "medium")


def test_moving(place: Surroundings) -> None:
    work = place.work_dir
    (work / "a").write_text("a")
    (work / "b").write_text("b")
    (work / "folder").mkdir()
    (work / "link").symlink_to("a")
    with pytest.raises(ToolError, match="exists already"):
        call("move_file", place, source="a", destination="b")
    for destination in ("folder", "."):
        with pytest.raises(ToolError):
            call("move_file", place, source="a", destination=destination, overwrite=True)
    with pytest.raises(ToolError):
        call("move_file", place, source="folder", destination="other")
    call("move_file", place, source="link", destination="new/link")
    assert os.readlink(work / "new/link") == "a"
    result = call("move_file", place, source="a", destination="b", overwrite=True).value
    assert result == {"path": str(work / "b"), "moved_from": str(work / "a"), "replaced": True}
    assert (work / "b").read_text() == "a"
    assert not (work / "a").exists()
    call("move_file", place, source="b", destination="c/d/e")
    assert (work / "c/d/e").read_text() == "a"


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second file system")
def test_moving_to_another_file_system(place: Surroundings, tmp_path: Path) -> None:
    if os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        (place.work_dir / "a").write_bytes(b"x" * 3_000_000)
        (place.work_dir / "a").chmod(0o6750)
        os.utime(place.work_dir / "a", (1_000_000_000, 1_000_000_000))
        call("move_file", place, source="a", destination=f"{other}/b")
        moved = Path(other, "b").stat()
        assert (moved.st_size, stat.S_IMODE(moved.st_mode), moved.st_mtime) == (3_000_000, 0o6750, 1_000_000_000)
        assert not (place.work_dir / "a").exists()
        Path(other, "c").write_text("c")
        with pytest.raises(ToolError):
            call("move_file", place, source=f"{other}/b", destination=f"{other}/c")
        (place.work_dir / "link").symlink_to("a")
        with pytest.raises(ToolError, match="another file system"):
            call("move_file", place, source="link", destination=f"{other}/link")
