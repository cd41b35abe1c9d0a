"""Counts, durations and sizes are written as the web UI writes them."""

from __future__ import annotations

import re

import pytest

from aster_sidecar.cli.chat.figures import duration, local_time, sentence, size, times


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (3449, "3.4 s"), (34_000, "34 s"), (125_000, "2 min 5 s")],
)
def test_durations(ms: float, shown: str) -> None:
    assert duration(ms) == shown


def test_sizes() -> None:
    assert [size(value) for value in (0, 1023, 1024, 3000, 1 << 20, 25 << 20)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "2.9 KiB",
        "1.0 MiB",
        "25.0 MiB",
    ]


def test_counts() -> None:
    assert (times(1, "token"), times(0, "token"), times(1200, "token")) == ("1 token", "0 tokens", "1,200 tokens")
    assert times(2, "question is", "questions are") == "2 questions are"


def test_times_are_local_and_to_the_minute() -> None:
    assert re.fullmatch(r"2026-0[12]-\d\d \d\d:\d\d", local_time("2026-01-31T12:34:56Z"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("the agent is busy", "The agent is busy."), (" Done! ", "Done!"), ("é…", "É…"), ("", "")],
)
def test_words_become_a_sentence(text: str, shown: str) -> None:
    assert sentence(text) == shown
