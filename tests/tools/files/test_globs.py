"""Globs by themselves; tests/tools/test_searching.py uses them in a search."""

from __future__ import annotations

import pytest

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files.globs import MOST_PATTERNS, Glob


def matches(glob: str, path: str) -> bool:
    return Glob(glob).matches(path.rpartition("/")[2], path)


def test_a_star_matches_slashes_in_a_glob_with_a_slash() -> None:
    assert matches("src/*.py", "src/deep/b.py")
    assert not matches("src/*.py", "other/src/b.py")
    assert not matches("src*.py", "src/b.py")  # without a slash it is compared with the name


def test_a_leading_slash_or_dot_means_the_directory_itself() -> None:
    assert matches("/a.c", "a.c")
    assert matches("./src/a.c", "src/a.c")


@pytest.mark.parametrize(("glob", "yes", "no"), [("?.c", "a.c", "ab.c"), ("[!a].c", "b.c", "a.c"), ("[a-c]", "b", "d")])
def test_one_character(glob: str, yes: str, no: str) -> None:
    assert matches(glob, yes)
    assert not matches(glob, no)


def test_braces_expand_up_to_a_bound() -> None:
    Glob("{a,b}" * 8)
    assert MOST_PATTERNS == 2**8
    with pytest.raises(ToolError, match="expands to more than 256"):
        Glob("{a,b}" * 9)


def test_many_stars_do_not_backtrack() -> None:
    """An expression that backtracks to earlier stars would exceed this suite's time limit."""
    assert not matches("*a" * 40 + "b", "a" * 200)
    assert matches("*a" * 40 + "b", "a" * 200 + "b")
