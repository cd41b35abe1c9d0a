"""The child process that matches lines and names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.files.matching import Match, Matcher


@pytest.fixture
def matcher() -> Iterator[Matcher]:
    started = Matcher("needle", deadline_s=60)
    yield started
    started.close()


def test_lines_are_found_with_their_place(matcher: Matcher) -> None:
    assert matcher.find("a\nthe needle\r\nb\nneedle\n") == [
        Match(2, 10, 5, 1, "the needle", 0),
        Match(4, 6, 1, 1, "needle", 0),
    ]
    assert matcher.find("") == []


def test_a_long_line_is_shown_as_an_excerpt(matcher: Matcher) -> None:
    found = matcher.find("x" * 1000 + "needle" + "y" * 1000 + "needle")
    assert found is not None
    [hit] = found
    assert (hit.number, hit.length, hit.column, hit.text_column, hit.others) == (1, 2012, 1001, 901, 1)
    assert len(hit.text) == 400
    assert hit.text[hit.column - hit.text_column :].startswith("needle")


def test_no_more_lines_are_returned_than_a_search_can_use(matcher: Matcher) -> None:
    found = matcher.find("needle\n" * 1000)
    assert found is not None
    assert len(found) == 201


def test_half_a_surrogate_pair_in_a_text_does_no_harm(matcher: Matcher) -> None:
    found = matcher.find("\ud800 needle")
    assert found is not None
    assert found[0].text == "\ud800 needle"


@pytest.mark.parametrize("pattern", ["(", "[", "a{99999999999}", "(?P<a>x)(?P<a>y)"])
def test_what_is_no_regular_expression_is_refused(pattern: str) -> None:
    with pytest.raises(ToolError, match="not a regular expression"):
        Matcher(pattern, deadline_s=60)


def test_the_nearest_file_with_a_pattern_for_a_name_decides(matcher: Matcher) -> None:
    rules = {0: "*.log\n!keep.log\n/top\n", 1: "!a.log\nsub/\n"}
    near_first = [(1, ""), (0, "deep/")]
    names = ["a.log", "b.log", "keep.log", "top", "sub", "sub/"]
    assert matcher.ignored(rules, near_first, names) == [False, True, False, False, False, True]
    assert matcher.ignored({}, [(0, "")], ["top", "a.log"]) == [True, True], "each file is sent only once"


def test_a_wrong_pattern_in_an_ignore_file_matches_nothing(matcher: Matcher) -> None:
    assert matcher.ignored({0: "[b-a]\n!\n\\\na\n"}, [(0, "")], ["a", "b", "\\"]) == [True, False, False]


def test_after_the_deadline_there_is_no_answer() -> None:
    matcher = Matcher("(a+)+$", deadline_s=1)
    assert matcher.find("a" * 60 + "!") is None
    assert matcher.find("a") is None
    assert matcher.ignored({0: "a"}, [(0, "")], ["a"]) is None
    matcher.close()
    assert matcher._process.returncode is not None
