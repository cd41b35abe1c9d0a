"""The place of a search hit is counted in the original text, whatever its folded form is."""

from __future__ import annotations

import random

import pytest

from aster_sidecar.text import finding
from aster_sidecar.text.finding import MOST_CHARS, PIECE_CHARS, around, places
from aster_sidecar.text.folding import fold

LETTERS = [
    *"aZ ß.İıæﬁé",
    *("e\u0301", "e\u0308\u0301", "Ё", "\u0435\u0308", "ᾳ", "ΐ", "\u03a9\u0301", "\u1e9e", "½", "①", "ﷺ"),
    *(
        "가",
        "각",
        "\u1100\u1161\u11a8",
        "\uac00\u11a8",
        "ｶﾞ",
        "が",
        "\u304b\u3099",
        "क्षि",
        "\u094d",
        "\u0cca",
        "\u0dd9\u0dcf",
    ),
    *(
        "\u05e9\u05c1\u05b0",
        "\u200d",
        "\u00ad",
        "\0",
        "\ufe0f",
        "\u0301",
        "\u0345",
        "😀",
        "👩\u200d👩\u200d👧",
        "🇩🇪",
        "\n",
    ),
]


@pytest.mark.parametrize("piece", [1, 3, PIECE_CHARS])
def test_places_are_all_that_the_search_compares_with(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """The folded forms of the letters, joined, are the folded text: everything that LIKE finds has a place."""
    monkeypatch.setattr(finding, "PIECE_CHARS", piece)
    dice = random.Random(7)
    for _ in range(10_000):
        text = "".join(dice.choice(LETTERS) for _ in range(dice.randint(1, 8)))
        folded = fold(text)
        for _ in range(3):
            start = dice.randrange(len(folded) + 1)
            wanted = folded[start : start + dice.randint(1, 4)]
            if not wanted:
                continue
            found = list(places(text, wanted))
            assert found, (text, wanted)
            for start, end in found:
                assert wanted in fold(text[start:end]), (text, wanted)


@pytest.mark.parametrize(
    ("text", "counted"), [("Ä b " * 100_000 + "ß", 1), ("ß" + "Ä b " * 100_000, 1), ("ß" * 8192, 2)]
)
def test_of_a_long_text_only_what_is_around_a_place_is_counted(
    monkeypatch: pytest.MonkeyPatch, text: str, counted: int
) -> None:
    pieces: list[str] = []
    starts = finding._starts  # pyright: ignore[reportPrivateUsage]

    def counting(piece: str) -> list[int]:
        pieces.append(piece)
        return starts(piece)

    monkeypatch.setattr(finding, "_starts", counting)
    found = list(places(text, "ss"))
    assert [text[start:end] for start, end in found] == ["ß"] * text.count("ß")
    assert len(pieces) == counted
    assert max(map(len, pieces)) <= PIECE_CHARS


def test_places_stand_in_order_and_not_over_each_other() -> None:
    dice = random.Random(8)
    for _ in range(5_000):
        text = "".join(dice.choice(LETTERS) for _ in range(dice.randint(1, 30)))
        end = 0
        for start, then in places(text, "s" if dice.random() < 0.5 else "a"):
            assert end <= start < then <= len(text)
            end = then


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Hello hello", "HELLO", ["Hello", "hello"]),
        ("Die Straße, STRASSE", "strasse", ["Straße", "STRASSE"]),
        ("CAFÉ cafe\u0301 cafe", "café", ["CAFÉ", "cafe\u0301", "cafe"]),
        ("im İstanbul", "istanbul", ["İstanbul"]),
        ("oﬃce", "f", ["ﬃ"]),
        ("so\u00adft", "soft", ["so\u00adft"]),
        ("ｶﾞ x ガ", "ガ", ["ｶﾞ", "ガ"]),
        ("각 각", "각", ["각", "각"]),
        ("aaaa", "aa", ["aa", "aa"]),
        ("nothing here", "x", []),
        ("anything", "\u00ad", []),
    ],
)
def test_what_was_found_is_what_stands_there(text: str, query: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in places(text, fold(query))] == expected


def test_the_words_around_a_place_are_whole_and_on_one_line() -> None:
    text = "The first words\nof a\tlong text that says where the needle lies, and " + "more words " * 20
    start = text.index("needle")
    shown, first, last = around(text, start, start + 6)
    assert shown[first:last] == "needle"
    assert shown.startswith("…of a long text that says where the needle lies")
    assert shown.endswith(" words…")
    assert "\n" not in shown


def test_a_short_text_is_shown_whole() -> None:
    assert around("  one needle \n", 6, 12) == ("one needle", 4, 10)
    assert around("needle", 0, 6) == ("needle", 0, 6)
    assert around("needle here", 0, 0) == ("needle here", 0, 0)


def test_texts_without_spaces_are_cut_between_letters() -> None:
    family = "👩\u200d👩\u200d👧"
    text = family * 60 + "x" + family * 60
    at = text.index("x")
    shown, first, last = around(text, at, at + 1)
    assert shown[first:last] == "x"
    assert set(shown.replace("x", "").replace("…", "").split(family)) == {""}


def test_a_long_place_is_shortened() -> None:
    shown, first, last = around("a" * 1000, 0, 1000)
    assert (first, last, shown[-1]) == (0, MOST_CHARS, "…")
