"""Names that look the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.tools import lookalikes
from aster_sidecar.tools.lookalikes import likeness, resemblance, similar, spelled, spelled_all


@pytest.mark.parametrize(
    ("one", "other"),
    [("cafe\u0301", "caf\u00e9"), ("a\u202fb", "a b"), ("a\u00a0b", "a b"), ("a\u200bb", "ab"), ("a\ufe0f", "a")],
)
def test_names_that_look_the_same_have_one_likeness(one: str, other: str) -> None:
    assert likeness(one) == likeness(other)


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("a", "\u0430"), ("e", "\u00e9"), ("a b", "ab"), ("ﬁ", "fi")])
def test_names_that_look_different_have_not(one: str, other: str) -> None:
    assert likeness(one) != likeness(other)


def test_similar_names_are_found_beside_a_path(tmp_path: Path) -> None:
    for name in ("caf\u00e9", "cafe", "a b"):
        (tmp_path / name).touch()
    assert similar(tmp_path / "cafe\u0301") == [tmp_path / "caf\u00e9"]
    assert similar(tmp_path / "cafe") == [], "a name is not similar to itself"
    assert similar(tmp_path / "none" / "a") == []


def test_a_huge_directory_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookalikes, "SCAN_ENTRIES", 1)
    (tmp_path / "a b").touch()
    assert similar(tmp_path / "a\u00a0b") == [tmp_path / "a b"]
    (tmp_path / "c").touch()
    assert similar(tmp_path / "a\u00a0b") == []


def test_names_that_look_the_same_are_spelled_differently() -> None:
    composed, apart = Path("/caf\u00e9"), Path("/cafe\u0301")
    assert spelled(composed) == "/caf\u00e9"
    assert spelled(apart) == "/cafe‹U+0301›"
    assert spelled_all([composed, apart]) == "/caf\u00e9 and /cafe‹U+0301›"
    assert resemblance("cafe", apart).startswith("cafe was not found, /cafe‹U+0301› is used instead.")
