"""The state of one path, and its kept content: whatever is there, and without following a link."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from aster_sidecar.ledger import keeping
from aster_sidecar.ledger.keeping import state_of
from aster_sidecar.ledger.path_state import NOTHING, PathState
from aster_sidecar.store.kept_files import KeptFiles

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and FIFOs as on POSIX")


@pytest.fixture
def files(tmp_path: Path) -> KeptFiles:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    return KeptFiles(data_dir)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def test_a_file_is_kept(folder: Path, files: KeptFiles) -> None:
    (folder / "a").write_bytes(b"content")
    state = state_of(folder / "a", files)
    assert (state.type, state.size, state.kept) == ("file", 7, True)
    assert files.read(state.sha256 or "") == b"content"
    assert state.mode == (folder / "a").stat().st_mode & 0o7777


def test_without_a_store_nothing_is_kept(folder: Path) -> None:
    (folder / "a").write_bytes(b"content")
    state = state_of(folder / "a", None)
    assert (state.kept, state.why_not_kept) == (False, "its content was not kept")
    assert state.sha256 is not None


def test_what_is_not_there_is_nothing(folder: Path, files: KeptFiles) -> None:
    (folder / "a").write_bytes(b"")
    assert state_of(folder / "b", files) == NOTHING
    assert state_of(folder / "none" / "b", files) == NOTHING
    assert state_of(folder / "a" / "b", files) == NOTHING


def test_a_directory_has_a_mode(folder: Path, files: KeptFiles) -> None:
    assert state_of(folder, files) == PathState("directory", 0, folder.stat().st_mode & 0o7777)
    assert state_of(Path(folder.anchor), files).type == "directory"


@POSIX
def test_a_link_is_kept_as_its_text(folder: Path, files: KeptFiles) -> None:
    (folder / "link").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    state = state_of(folder / "link", files)
    assert (state.type, state.size) == ("link", 7)
    assert files.read(state.sha256 or "") == b"nowhere"
    assert files.read(state_of(folder / "loop", files).sha256 or "") == b"loop"


@POSIX
def test_a_file_behind_a_link_is_there_but_not_read(folder: Path, files: KeptFiles) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "a").write_bytes(b"content")
    (folder / "link").symlink_to("real")
    state = state_of(folder / "link" / "a", files)
    assert (state.type, state.kept, state.sha256) == ("file", False, None)


@POSIX
def test_what_is_no_regular_file_is_not_opened(folder: Path, files: KeptFiles) -> None:
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path may only be short
        bound.bind("socket")
        os.chdir(here)
        assert state_of(folder / "fifo", files).why_not_kept == "it is a FIFO, not a regular file"
        assert state_of(folder / "socket", files).why_not_kept == "it is a socket, not a regular file"
    assert state_of(Path("/dev/null"), files).why_not_kept == "it is a device, not a regular file"


def test_a_large_file_is_not_kept(folder: Path, files: KeptFiles) -> None:
    with (folder / "large").open("wb") as file:
        file.truncate(keeping.MOST_FILE_BYTES + 1)
    state = state_of(folder / "large", files)
    assert (state.kept, state.sha256, state.size) == (False, None, keeping.MOST_FILE_BYTES + 1)
    assert state.why_not_kept == "it has 32.0 MiB, and files of more than 32.0 MiB are not kept"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="whose files can't be read by their user")
def test_an_unreadable_file_has_a_reason(folder: Path, files: KeptFiles) -> None:
    (folder / "a").write_bytes(b"content")
    (folder / "a").chmod(0)
    state = state_of(folder / "a", files)
    assert (state.type, state.kept, state.why_not_kept) == ("file", False, "it can't be read: Permission denied")


@POSIX
def test_a_name_that_is_not_utf8(folder: Path, files: KeptFiles) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff"))
    path.write_bytes(b"content")
    assert files.read(state_of(path, files).sha256 or "") == b"content"


def test_a_store_that_fails_is_a_reason(folder: Path, tmp_path: Path) -> None:
    (folder / "a").write_bytes(b"content")
    state = state_of(folder / "a", KeptFiles(tmp_path / "gone"))
    assert not state.kept
    assert "cannot be used" in (state.why_not_kept or "")
