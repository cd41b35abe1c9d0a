"""The context of a request, and the marks that replace stored messages."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.models.request_context import (
    CURRENT,
    MARK,
    MARKS,
    Exchange,
    exchanging,
    only_text,
    without_marks,
)


def message(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


OLD, KEPT, NEW = ([message(name)] for name in ("old", "kept", "new"))
MARKED = [message(MARKS[0]), *OLD, message(MARKS[1]), *KEPT, message(MARKS[2]), *NEW]


def test_messages_between_the_first_two_marks_are_left_out() -> None:
    with exchanging(Exchange(complete=lambda body: body)):
        assert without_marks(MARKED) == [MARKS[1], *KEPT, MARKS[2], *NEW]


@pytest.mark.parametrize("gone", [0, 2, 4])
def test_messages_stay_when_a_mark_is_missing(gone: int) -> None:
    items = MARKED[:gone] + MARKED[gone + 1 :]
    with exchanging(Exchange(complete=lambda body: body)):
        assert without_marks(items) is items


def test_messages_stay_without_a_request_that_completes_them() -> None:
    assert without_marks(MARKED) is MARKED
    with exchanging(Exchange()):
        assert without_marks(MARKED) is MARKED


def test_a_request_is_current_inside_its_block() -> None:
    with exchanging(Exchange(name="outer")) as outer:
        with exchanging(Exchange(name="inner")) as inner:
            assert CURRENT.get() is inner
        assert CURRENT.get() is outer
    assert CURRENT.get(None) is None


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (message("x"), "x"),
        ({"content": [{"type": "text", "text": "x"}]}, "x"),
        ({"content": [{"text": "x"}, {"text": "y"}]}, None),
        ({"content": []}, None),
        ({"content": [{"type": "image"}]}, None),
        ("x", None),
        ({}, None),
    ],
)
def test_the_only_text_of_a_message(item: Any, text: str | None) -> None:
    assert only_text(item) == text


def test_marks_cannot_be_guessed() -> None:
    assert len(set(MARKS)) == 3
    assert all(mark.startswith(MARK) for mark in MARKS)
    assert len(MARK) > 32
