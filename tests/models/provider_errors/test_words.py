"""The tables of codes and sentences are consistent with one another and with the kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aster_sidecar.models.provider_errors.kinds import HINTS_BY_PROVIDER, KINDS, REFUSAL_CODES
from aster_sidecar.models.provider_errors.words import (
    ASKED,
    BASE_NUMBERS,
    CODES,
    KIND_OF,
    NUMBERS,
    PER_DAY,
    PER_MINUTE,
    SENTENCES,
    STATUS_OF,
    WINDOW,
    plain,
)

REFUSALS = (Path(__file__).parent / "refusals.jsonl").read_text("utf-8").splitlines()


def test_every_kind_in_the_tables_is_one() -> None:
    named = {*CODES, *(kind for kind, _ in SENTENCES), *NUMBERS.values(), *BASE_NUMBERS.values()}
    assert named - set(KINDS) == set()
    assert {kind for kind, _ in HINTS_BY_PROVIDER} - set(KINDS) == set()


def test_every_code_of_a_kind_is_shown_by_a_refusal() -> None:
    assert {json.loads(line)["code"] for line in REFUSALS} == REFUSAL_CODES - {"malformed_stream"}


def test_every_hint_can_be_filled_in() -> None:
    fill = {"key": "KEY", "base": "BASE", "model": "m", "wait": " for 5 s"}
    for hint in (*(kind.hint for kind in KINDS.values()), *HINTS_BY_PROVIDER.values()):
        assert "{" not in hint.format(**fill)


def test_no_code_means_two_kinds() -> None:
    assert {code for kind, codes in CODES.items() for code in codes.split() if KIND_OF[plain(code)] != kind} == set()


def test_a_code_that_means_a_status_means_no_kind() -> None:
    assert set(STATUS_OF) & set(KIND_OF) == set()
    assert STATUS_OF["notfounderror"] == 404


def test_the_form_of_a_code_does_not_matter() -> None:
    assert plain("ContextLengthExceeded") == plain("context_length-exceeded") == "contextlengthexceeded"


@pytest.mark.parametrize(
    ("sentence", "window", "asked"),
    [
        ("maximum context length is 8192 tokens. However, you requested 9001 tokens", "8192", "9001"),
        ("prompt is too long: 201266 tokens > 200000 maximum", "200000", "201266"),
        ("request (9001 tokens) exceeds the available context size (8,192 tokens)", "8,192", "9001"),
        ("the context window of 32k is full", None, None),
    ],
)
def test_numbers_of_tokens_are_found_in_sentences(sentence: str, window: str | None, asked: str | None) -> None:
    found = next((match for pattern in WINDOW if (match := pattern.search(sentence))), None)
    assert (next(filter(None, found.groups())) if found else None) == window
    found = next((match for pattern in ASKED if (match := pattern.search(sentence))), None)
    assert (next(filter(None, found.groups())) if found else None) == asked


def test_a_limit_a_minute_is_not_one_a_day() -> None:
    assert PER_MINUTE.search("tokens per min (TPM): Limit 1000")
    assert not PER_DAY.search("tokens per min (TPM): Limit 1000")
    assert PER_DAY.search("tokens per day (TPD): Limit 1000")
