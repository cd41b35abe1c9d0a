"""What the child process finds, without the process; test_matching.py has the process."""

from __future__ import annotations

import re

import pytest

from aster_sidecar.tools.files.matching_worker import MOST_COUNTED, compiled, ignored, matches, trimmed


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        *(("a", "a"), ("a  ", "a"), ("", ""), ("a\\ ", "a\\ "), ("a\\  ", "a\\ "), ("a\\\\ ", "a\\\\")),
        *(("a\t", "a[\t]"), ("a\t ", "a[\t]"), ("a\\\t", "a[\t]"), ("a\\\\\t", "a\\\\[\t]")),
    ],
)
def test_spaces_at_the_end_of_a_pattern_are_read_as_git_does(line: str, pattern: str) -> None:
    assert trimmed(line) == pattern


@pytest.mark.parametrize(
    ("rules", "name", "left_out"),
    [
        *(("*.log\n!keep.log", "a.log", True), ("*.log\n!keep.log", "keep.log", False), ("a/", "a", False)),
        *(("a/", "a/", True), ("a/**", "a/", False), ("a/**", "a/b", True), ("a/**/", "a/", False)),
        *(("[", "[", False), ("# a", "# a", False), ("/top", "sub/top", False), ("*.log\r\n", "a.log", True)),
    ],
)
def test_the_last_pattern_of_a_file_decides(rules: str, name: str, left_out: bool) -> None:
    assert ignored([(compiled(rules), "")], name) is left_out


def test_an_excerpt_says_how_much_follows_it() -> None:
    [(number, length, column, text_column, text, others)] = matches(re.compile("x"), "x" * 5000)
    assert (number, length, column, text_column, len(text), others) == (1, 5000, 1, 1, 400, MOST_COUNTED)
