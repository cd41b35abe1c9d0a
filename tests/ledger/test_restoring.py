"""One path is written back only if it is in the state that was seen, also if it changes at the last moment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aster_sidecar.errors import StoreError
from aster_sidecar.ledger.keeping import state_of
from aster_sidecar.ledger.path_state import NOTHING, PathState
from aster_sidecar.ledger.restoring import restore
from aster_sidecar.ledger.writing import Writing, write_all
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files import replacing
from aster_sidecar.tools.files.replacing import Changed

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and permission bits")


@pytest.fixture
def files(tmp_path: Path) -> Iterator[KeptFiles]:
    kept = KeptFiles(tmp_path)
    yield kept
    kept.close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def put(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("a file")
        path.chmod(0o640)
    elif kind == "other":
        path.write_text("another file")
        path.chmod(0o444)
    elif kind == "link":
        path.symlink_to("target")
    elif kind == "directory":
        path.mkdir(mode=0o710)


KINDS = ("nothing", "file", "other", "link", "directory")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", KINDS)
def test_each_state_is_restored_from_each(kind: str, wanted: str, work: Path, files: KeptFiles) -> None:
    put(work / "model", wanted)
    put(work / "path", kind)
    state = state_of(work / "model", files)
    restore(work / "path", state_of(work / "path", files), state, files)
    assert state_of(work / "path", files) == state
    assert {path.name for path in work.iterdir()} <= {"model", "path"}


def test_several_names_of_a_file_stay_one(work: Path, files: KeptFiles) -> None:
    (work / "path").write_text("before")
    os.link(work / "path", work / "name")
    before = state_of(work / "path", files)
    (work / "path").write_text("after")
    restore(work / "path", state_of(work / "path", files), before, files)
    assert (work / "name").read_text() == "before"


def meddle(work: Path, monkeypatch: pytest.MonkeyPatch, do: Callable[[Path], None]) -> None:
    """Let another program act right before the new file gets its name, after the last check."""
    exchange, done = replacing.exchange, list[bool]()

    def late(*names: object) -> bool:
        if not done:
            done.append(True)
            do(work / "path")
        return exchange(*names)  # type: ignore[arg-type]

    monkeypatch.setattr(replacing, "exchange", late)


def edit(path: Path) -> None:
    path.write_text("a person's")


def to_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("../outside")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that exchanges two names")
@pytest.mark.parametrize("do", [edit, to_link])
def test_an_edit_at_the_last_moment_is_not_lost(
    do: Callable[[Path], None], work: Path, files: KeptFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work.parent / "outside").write_text("outside")
    (work / "path").write_text("before")
    before = state_of(work / "path", files)
    (work / "path").write_text("after")
    seen = state_of(work / "path", files)
    meddle(work, monkeypatch, do)
    with pytest.raises(Changed):
        restore(work / "path", seen, before, files)
    expected = work.parent / "expected"
    expected.write_text("x")
    do(expected)
    assert state_of(work / "path", files)._replace(mode=0) == state_of(expected, files)._replace(mode=0)
    assert (work.parent / "outside").read_text() == "outside"
    assert [path.name for path in work.iterdir()] == ["path"]


def test_a_link_above_the_path_is_refused(work: Path, files: KeptFiles) -> None:
    (work / "real").mkdir()
    (work / "real" / "a").write_text("after")
    (work / "d").symlink_to("real")
    sha256 = files.keep(b"before")
    seen = state_of(work / "real" / "a", files)
    with pytest.raises(ToolError):
        restore(work / "d" / "a", seen, PathState("file", 6, 0o644, sha256), files)
    assert (work / "real" / "a").read_text() == "after"


def test_a_content_that_is_gone_leaves_the_file(work: Path, files: KeptFiles) -> None:
    (work / "path").write_text("after")
    with pytest.raises(StoreError):
        restore(work / "path", state_of(work / "path", files), PathState("file", 1, 0o644, "0" * 64), files)
    assert (work / "path").read_text() == "after"


def test_a_full_disk_stops_one_path_and_not_the_others(
    work: Path, files: KeptFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        (work / name).write_text("after")
    wanted = PathState("file", 6, 0o644, files.keep(b"before"))
    fsync = os.fsync
    calls: list[int] = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    writings = [Writing(work / name, state_of(work / name, files), wanted) for name in ("one", "other")]
    failed = write_all(writings, files)
    assert [(path.name, left and left.code) for path, left in failed.items()] == [("one", "unwritable")]
    assert ((work / "one").read_text(), (work / "other").read_text()) == ("after", "before")
    assert sorted(path.name for path in work.iterdir()) == ["one", "other"]


def test_a_directory_without_write_permission_gets_its_files_first(work: Path, files: KeptFiles) -> None:
    closed = PathState("directory", 0, 0o555)
    content = PathState("file", 1, 0o600, files.keep(b"x"))
    writings = [Writing(work / "d", NOTHING, closed), Writing(work / "d" / "a", NOTHING, content)]
    assert write_all(writings, files) == {}
    assert (work / "d").stat().st_mode & 0o777 == 0o555
    (work / "d").chmod(0o755)
    assert (work / "d" / "a").read_bytes() == b"x"
