"""Opening by the canonical path: no link is followed. tests/tools/files/test_races.py has the races."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aster_sidecar.tools import opening
from aster_sidecar.tools.base import ToolError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@pytest.fixture(params=[opening.HANDLES, False], ids=["by descriptor", "by path"])
def handles(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_a_file_is_read_and_listed_in_its_folder(place: Path, handles: bool) -> None:
    (place / "a").write_text("text")
    with opening.opened_folder(place, handles=handles) as folder:
        with open(opening.opened_file(folder, "a"), "rb") as file:
            assert file.read() == b"text"
        listed = opening.opened_list(folder)
        with os.scandir(listed) as entries:
            assert [entry.name for entry in entries] == ["a"]
        opening.closed(listed)
        assert opening.status(folder, "b") is None


def test_missing_folders_are_made_on_request(place: Path, handles: bool) -> None:
    with pytest.raises(ToolError, match="No such file"), opening.opened_folder(place / "x" / "y", handles=handles):
        pass
    with opening.opened_folder(place / "x" / "y", create=True, handles=handles):
        assert (place / "x" / "y").is_dir()


@pytest.mark.parametrize("made", ["link", "file"])
def test_a_link_or_a_file_on_the_way_is_refused(place: Path, handles: bool, made: str) -> None:
    (place / "real" / "inner").mkdir(parents=True)
    if made == "link":
        (place / "way").symlink_to(place / "real")
    else:
        (place / "way").write_text("")
    with pytest.raises(ToolError, match="way"), opening.opened_folder(place / "way" / "inner", handles=handles):
        pass


def test_only_regular_files_are_opened(place: Path, handles: bool) -> None:
    (place / "link").symlink_to("elsewhere")
    (place / "folder").mkdir()
    os.mkfifo(place / "pipe")
    with opening.opened_folder(place, handles=handles) as folder:
        for name, kind in (("link", "a link"), ("folder", "a directory"), ("pipe", "a FIFO")):
            with pytest.raises(ToolError, match=f"{name} is {kind}, not a regular file"):
                opening.opened_file(folder, name)
            found = opening.status(folder, name)
            assert found is not None
            assert opening.kind(found) == kind


def test_an_error_names_the_path(place: Path) -> None:
    assert str(opening.refused(place, OSError(13, "Permission denied"))) == f"{place}: Permission denied"
