"""A question's form on the screen, and questions and answers in words."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.form_view import host_of, show_field, show_form
from aster_sidecar.cli.chat.question_words import answer_words, asked_lines, ended_lines, question_lines
from tests.cli.chat.support import printed, screen

FIELD: dict[str, Any] = {
    "id": "a",
    "text": "Which?",
    "kind": "choice",
    "options": ["r", "b"],
    "labels": ["Red", "Blue"],
}
ASKED: dict[str, Any] = {"reason": "I need\nto know", "fields": [FIELD], "server": None, "url": None}


def shown(**changes: object) -> list[str]:
    at = screen(100)
    show_form(at, {**ASKED, **changes})
    return printed(at).splitlines()


def test_a_form_says_who_asks_and_why() -> None:
    assert shown() == ["? The agent asks you:", "  ┃ I need", "  ┃ to know", f"  {texts.FORM_KEYS}"]
    assert shown(server="files\x1b", fields=[FIELD, FIELD])[::3] == [
        "? The MCP server files‹U+001B› asks you:",
        f"  {texts.FORM_KEYS_OF_MANY}",
    ]


def test_a_page_is_shown_with_its_exact_address_and_its_host() -> None:
    address = "https://bank.example@evil.example/login?a=" + "x" * 200
    lines = shown(server="files", fields=[], url=address)
    assert lines[0] == "? The MCP server files asks you to visit a page."
    assert lines[3:] == [f"  {address}", "  This page is on the host evil.example. Nothing opens it by itself."]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com:8443/x", "example.com"),
        ("https://ex\u0430mple.com", "xn--exmple-4nf.com"),
        ("https://[::1]/", "::1"),
        ("https://[", "?"),
        ("nonsense", "?"),
    ],
)
def test_the_host_of_a_page_looks_like_no_other(url: str, host: str) -> None:
    assert host_of(url) == host


def test_a_field_shows_its_number_and_its_options() -> None:
    at = screen(100)
    show_field(at, {**FIELD, "text": "Which?\nOf these."}, 2, 3)
    assert printed(at).splitlines() == ["  2 of 3  Which?", "  Of these.", "     1  Red", "     2  Blue"]


@pytest.mark.parametrize(
    ("field", "default", "label"),
    [
        ({"kind": "choice"}, None, "A number"),
        ({"kind": "choice", "other": True}, "red", "A number, or another text · Enter: red"),
        ({"kind": "multi", "required": False}, None, "Numbers with commas · Enter skips it"),
        ({"kind": "multi", "other": True}, None, "Numbers with commas, or other texts"),
        ({"kind": "number", "minimum": 1.0, "maximum": 2.5}, None, "A number from 1 to 2.5"),
        ({"kind": "number", "whole": True, "maximum": 3}, None, "A whole number up to 3"),
        ({"kind": "number", "minimum": -1}, None, "A number from -1"),
        ({"kind": "boolean", "required": False}, "yes", "yes/no · Enter: yes · -: no answer"),
        ({"kind": "text", "format": "date"}, None, "A date, such as 2026-01-31"),
        ({"kind": "text"}, None, "A text"),
        ({"kind": "file"}, None, "The path of a file"),
        ({"kind": "folder"}, None, "The path of a folder"),
    ],
)
def test_a_label_says_what_can_be_typed(field: dict[str, Any], default: str | None, label: str) -> None:
    assert texts.field_label(field, default) == label


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "yes"), (None, "no answer"), ([], "no answer"), (["b", "else"], "Blue, else"), (2.5, "2.5"), ("r", "Red")],
)
def test_an_answer_is_shown_in_words(value: object, words: str) -> None:
    assert answer_words(FIELD, value) == words


def test_a_question_and_its_end_are_lines() -> None:
    assert asked_lines({**ASKED, "url": "https://a.example"}) == [
        "The agent asks you to visit a page.",
        "  I need to know",
        "  https://a.example",
        "  Which?",
    ]
    assert question_lines({**ASKED, "outcome": None}) == ["  Which?"]
    answered = {**ASKED, "outcome": "answered", "answers": {"a": "b"}, "note": "soon"}
    assert question_lines(answered) == ["  Which? → Blue", "  soon"]
    assert ended_lines(ASKED, {"outcome": "declined", "note": "no\nway"}) == ["  Declined: no way"]
    assert ended_lines(ASKED, {"outcome": "cancelled"}) == ["  Canceled."]
    assert ended_lines({**ASKED, "fields": []}, {"outcome": "answered", "answers": {}}) == ["  Answered."]
