"""Estimates of tokens. tests/conversation/test_compaction.py compares them with real tokenizers."""

from __future__ import annotations

import pytest

from aster_sidecar.models.token_estimate import BEYOND_ASCII, cut_text, estimate_tokens


def test_no_text_has_no_tokens() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens(" ") == 1


@pytest.mark.parametrize(
    ("fewer", "more"),
    [
        ("hello world", "hello big world"),
        ("word", "WORD"),
        ("abcdefgh", "12345678"),
        ("plain words here", "f(x)[y]{z};"),
        ("hello", "привет"),
        ("漢字", "漢字漢字"),
        ("one line", "one\nline\n  indented"),
    ],
)
def test_what_tokenizers_split_more_costs_more(fewer: str, more: str) -> None:
    assert estimate_tokens(fewer) < estimate_tokens(more)


def test_every_character_costs_something() -> None:
    ranges = [byte for first, last, _ in BEYOND_ASCII for byte in range(first, last + 1)]
    assert ranges == list(range(0xC2, 0xF8)), "each leading byte of UTF-8 once, in order"
    assert estimate_tokens("\ud800" * 100) >= 100, "also for unpaired surrogates"


def test_a_text_that_fits_stays() -> None:
    assert cut_text("short", 10) == "short"


@pytest.mark.parametrize("tail_share", [0.0, 0.5, 1.0])
def test_a_cut_text_keeps_its_beginning_and_the_share_of_its_end(tail_share: float) -> None:
    text = "a" * 3000 + "z" * 3000
    short = cut_text(text, 100, tail_share=tail_share)
    head, _, rest = short.partition("[… ")
    count, _, tail = rest.partition(" characters left out …]")
    assert len(head) + len(tail) + int(count) == len(text)
    assert (set(head) <= {"a"}, set(tail) <= {"z"}) == (True, True)
    assert abs(len(tail) - tail_share * (len(head) + len(tail))) <= 1
    assert estimate_tokens(short) <= 100


def test_without_room_only_the_note_is_left() -> None:
    assert cut_text("x" * 5000, 0) == "[… 5000 characters left out …]"
