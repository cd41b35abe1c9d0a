"""What a picker shows of directories: their order, what is left out, and who may open them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aster_sidecar.companion import folder_picker
from aster_sidecar.companion.folder_picker import as_people_sort, home, look, parent_of, roots, scan
from aster_sidecar.errors import InvalidShape


@pytest.mark.parametrize(
    "names",
    [
        ["a", "B", "c"],
        ["Älg", "alm", "Alp"],
        ["v1", "v2", "v10", "v10b"],
        ["1", "01x", "2", "10", "a"],
        ["x" + "9" * 250, "y"],
    ],
)
def test_the_order_is_that_of_people(names: list[str]) -> None:
    names_by_code_point = sorted(names)
    assert sorted(names_by_code_point, key=as_people_sort) == names


def test_names_that_only_differ_in_case_have_a_fixed_order() -> None:
    assert sorted(["a", "A"], key=as_people_sort) == sorted(["A", "a"], key=as_people_sort)


def test_files_are_not_listed_and_links_only_if_they_lead_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "to-file").symlink_to(tmp_path / "file")
    found = scan(str(tmp_path), hidden=False)
    assert [os.path.basename(path) for path in found.paths] == ["folder", "link", "to-file"]
    assert [folder.name for path in found.paths if (folder := look(path)) is not None] == ["folder", "link"]


def test_a_very_large_directory_is_cut_before_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(folder_picker, "ENTRIES_MOST", 2)
    found = scan(str(tmp_path), hidden=False)
    assert ([os.path.basename(path) for path in found.paths], found.truncated) == (["a", "b"], True)


def test_a_directory_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(folder_picker.os, "scandir", refuse)
    with pytest.raises(InvalidShape, match="Permission denied"):
        scan(str(tmp_path), hidden=False)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0)
    found = look(str(tmp_path / "private"))
    assert found is not None
    assert not found.usable


def test_a_project_has_either_mark(tmp_path: Path) -> None:
    (tmp_path / "worktree").mkdir()
    (tmp_path / "worktree" / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "plain").mkdir()
    found = [look(str(tmp_path / name)) for name in ("worktree", "plain")]
    assert [folder is not None and folder.project for folder in found] == [True, False]


@pytest.mark.skipif(os.name != "posix", reason="drives are the roots there")
def test_the_root_has_a_name_and_no_parent() -> None:
    assert roots() == ["/"]
    assert parent_of("/") is None
    assert parent_of("/home/ada") == "/home"
    found = look("/")
    assert found is not None
    assert found.name == "/"


@pytest.mark.skipif(os.name != "posix", reason="HOME")
def test_a_home_that_can_not_be_named_is_unknown() -> None:
    assert home({"HOME": "/home/ada"}) == "/home/ada"
    assert home({"HOME": "somewhere"}) is None
    assert home({"HOME": "/home/\udcff"}) is None
