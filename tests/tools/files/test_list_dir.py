"""list_dir: entries, limits and names that are not UTF-8."""

from __future__ import annotations

import os

import pytest

from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.support import call


def test_listing(place: Surroundings) -> None:
    (place.work_dir / "sub" / "deep").mkdir(parents=True)
    (place.work_dir / "sub" / "deep" / "x").write_text("12345")
    (place.work_dir / "a").write_text("1")
    (place.work_dir / "out").symlink_to("/")
    assert call("list_dir", place).value["entries"] == [
        {"name": "a", "kind": "file", "bytes": 1},
        {"name": "out", "kind": "link", "to": "/"},
        {"name": "sub", "kind": "directory"},
    ]
    names = [one["name"] for one in call("list_dir", place, depth=3).value["entries"]]
    assert names == ["a", "out", "sub", "sub/deep", "sub/deep/x"]
    with pytest.raises(ToolError):
        call("list_dir", place, path="a")


def test_listing_is_bounded_and_tells(place: Surroundings) -> None:
    for number in range(1005):
        (place.work_dir / f"{number:04}").touch()
    found = call("list_dir", place)
    assert found.truncated
    assert [one["name"] for one in found.value["entries"]] == [f"{number:04}" for number in range(1000)]
    assert "first 1000" in found.value["notes"][0]


def test_listing_leaves_the_daemons_files_out(place: Surroundings) -> None:
    found = call("list_dir", place, path="..", depth=3)
    assert not any("aster.db" in one["name"] for one in found.value["entries"])
    assert "Aster's own data" in found.value["notes"][0]


def test_names_that_are_not_utf8_can_be_listed(place: Surroundings) -> None:
    try:
        os.close(os.open(os.fsencode(place.work_dir) + b"/caf\xe9", os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system wants UTF-8")
    (place.work_dir / "plain").write_text("x")
    listed = call("list_dir", place).value
    assert listed["entries"][0]["name"] == "caf‹U+DCE9›"
    assert any("not UTF-8" in note and "no file tool" in note for note in listed["notes"])
    found = call("search_files", place, pattern="x").value
    assert (found["files_searched"], found["notes"]) == (2, [])
    with open(os.fsencode(place.work_dir) + b"/caf\xe9", "w") as file:
        file.write("x")
    found = call("search_files", place, pattern="x").value
    assert [hit["path"] for hit in found["hits"]] == ["caf‹U+DCE9›", "plain"]
    assert found["notes"] == listed["notes"]
