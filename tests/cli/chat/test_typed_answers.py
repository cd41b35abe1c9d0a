"""What a person types as the answer to a field."""

from __future__ import annotations

import os
from typing import Any

import pytest

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.always import NotUnderstood
from aster_sidecar.cli.chat.typed_answers import marks, read_answer

COLOUR: dict[str, Any] = {"kind": "choice", "options": ["red", "blue"], "other": True}
ONLY: dict[str, Any] = {**COLOUR, "other": False}
LABELLED: dict[str, Any] = {"kind": "choice", "options": ["r", "b"], "labels": ["Red one", "Blue one"]}
NUMBERS: dict[str, Any] = {"kind": "choice", "options": ["2", "4", "8"], "other": True}
SOME: dict[str, Any] = {"kind": "multi", "options": ["x", "y, z", "w"]}


@pytest.mark.parametrize(
    ("field", "typed", "answer"),
    [
        (COLOUR, " 2 ", "blue"),
        (COLOUR, "RED", "red"),
        (COLOUR, "green", "green"),
        (LABELLED, "blue ONE", "b"),
        (LABELLED, "r", "r"),
        (NUMBERS, "2", "2"),
        (NUMBERS, "#2", "4"),
        (NUMBERS, "16", "16"),
        (SOME, "1, 3", ["x", "w"]),
        (SOME, "3 1 1", ["w", "x"]),
        (SOME, "Y, z", ["y, z"]),
        (SOME, "w,x,", ["w", "x"]),
        ({**SOME, "other": True}, "x, else", ["x", "else"]),
        ({"kind": "number"}, "-3", -3),
        ({"kind": "number"}, "2.50", 2.5),
        ({"kind": "number"}, "1e3", 1000.0),
        ({"kind": "boolean"}, "Yes", True),
        ({"kind": "boolean"}, "n", False),
        ({"kind": "text"}, "  two\nlines ", "two\nlines"),
        ({"kind": "folder"}, "/a/b/../c", "/a/c"),
    ],
)
def test_an_answer_is_understood(field: dict[str, Any], typed: str, answer: object) -> None:
    found = read_answer(field, typed)
    assert (found, type(found)) == (answer, type(answer))


@pytest.mark.parametrize(
    ("field", "typed", "why"),
    [
        (COLOUR, "0", texts.no_such_choice("0", 2)),
        (COLOUR, "3", texts.no_such_choice("3", 2)),
        (NUMBERS, "#4", texts.no_such_choice("#4", 3)),
        (ONLY, "green\x1b", texts.no_such_option("green‹U+001B›")),
        (SOME, "x, q", texts.no_such_option("q")),
        ({"kind": "number"}, "1_000", texts.NUMBER_NEEDED),
        ({"kind": "number"}, "٣", texts.NUMBER_NEEDED),
        ({"kind": "number"}, "1e999", texts.NUMBER_NEEDED),
        ({"kind": "number"}, "9" * 400, texts.NUMBER_NEEDED),
        ({"kind": "number"}, "9" * 5000, texts.NUMBER_NEEDED),
        ({"kind": "number"}, "nan", texts.NUMBER_NEEDED),
        ({"kind": "boolean"}, "maybe", texts.YES_OR_NO_NEEDED),
    ],
)
def test_what_is_no_answer_says_why(field: dict[str, Any], typed: str, why: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_answer(field, typed)
    assert str(refused.value) == why


def test_a_path_is_that_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.setenv("USERPROFILE", "/home/ana")
    assert read_answer({"kind": "file"}, "~/a b.txt") == os.path.normpath("/home/ana/a b.txt")
    assert read_answer({"kind": "file"}, "../x") == os.path.normpath(os.path.join(os.getcwd(), "../x"))


def test_options_are_numbered() -> None:
    assert (marks(COLOUR), marks(NUMBERS)) == (["1", "2"], ["#1", "#2", "#3"])
    assert marks({"kind": "text"}) == []
