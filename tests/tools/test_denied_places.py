"""The places that deny rules cover, by name and by identity of the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

from aster_sidecar.policy.permissions import Rule
from aster_sidecar.tools import denied_places
from aster_sidecar.tools.denied_places import Denied


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path.resolve() / "private"
    (place / "deep").mkdir(parents=True)
    (place / "deep" / "a").write_text("secret")
    return place


def denied(path: Path, kind: Literal["exact", "beneath"] = "beneath") -> Denied:
    return Denied([Rule("r", "deny", "read_file", kind, str(path))])


def test_a_rule_covers_its_directory_and_everything_in_it(folder: Path) -> None:
    found = denied(folder)
    assert found.reason(folder)
    assert found.reason(folder / "deep" / "a")
    assert found.reason(folder / "not there")
    assert found.reason(folder.parent) is None
    assert found.reason(folder.with_name("private2")) is None


def test_an_exact_rule_covers_only_its_path(folder: Path) -> None:
    found = denied(folder / "deep", "exact")
    assert found.reason(folder / "deep")
    assert found.reason(folder / "deep" / "a") is None


def test_a_hard_link_to_a_denied_file_is_denied(folder: Path) -> None:
    twin = folder.parent / "twin"
    os.link(folder / "deep" / "a", twin)
    found = denied(folder)
    assert "hard link" in (found.reason(twin) or "")
    assert found.reason_of_file(os.lstat(twin)) == found.reason(twin)
    (folder.parent / "own").write_text("x")
    os.link(folder.parent / "own", folder.parent / "own2")
    assert found.reason(folder.parent / "own") is None


def test_in_a_huge_denied_directory_every_file_with_several_names_is_denied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denied_places, "WALK_ENTRIES", 0)
    (folder.parent / "own").write_text("x")
    os.link(folder.parent / "own", folder.parent / "own2")
    assert "too many files" in (denied(folder).reason(folder.parent / "own") or "")


def test_an_entry_is_known_by_its_identity(folder: Path) -> None:
    found = denied(folder)
    assert found.reason_of_entry(Path("/elsewhere"), os.lstat(folder))
    assert found.reason_of_entry(folder.parent, os.lstat(folder.parent)) is None


def test_without_rules_nothing_is_denied(folder: Path) -> None:
    assert Denied([]).reason(folder) is None
