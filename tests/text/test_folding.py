"""Text that looks or is typed alike folds to the same text, and other words do not."""

from __future__ import annotations

import sys

import pytest

from aster_sidecar.text.folding import fold, folds_itself


@pytest.mark.parametrize(
    "same",
    [
        ("Straße", "STRASSE", "straẞe"),
        ("café", "cafe\u0301", "CAFE", "Cafè"),
        ("Ångström", "angstrom", "\u212bngstrom"),
        ("łódź", "Lodz"),
        ("Đà Nẵng", "da nang"),
        ("ısparta", "ISPARTA", "İsparta"),
        ("Æsop", "aesop"),
        ("ﬁle", "FILE", "file"),
        ("Ελλάς", "ελλασ", "ΕΛΛΑΣ"),
        ("ᾳ", "Αι", "αι"),
        ("ёлка", "елка", "ЁЛКА"),
        ("за\u0301мок", "замок"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("علي", "على", "علی"),
        ("ガ", "ｶﾞ", "カ\u3099"),
        ("각", "\u1100\u1161\u11a8"),
        ("so\u00adft", "soft", "so\u200bft"),
        ("❤\ufe0f", "❤"),
    ],
)
def test_what_is_typed_alike_folds_to_the_same(same: tuple[str, ...]) -> None:
    assert len({fold(text) for text in same}) == 1, [fold(text) for text in same]


@pytest.mark.parametrize(
    ("one", "other"),
    [("мой", "мои"), ("їжа", "іжа"), ("か", "が"), ("क", "कि"), ("น้ำ", "นำ"), ("a", "b"), ("½", "1 2")],
)
def test_other_words_stay_other_words(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(("part", "letter"), [("가", "각"), ("か", "が"), ("и", "й")])
def test_a_part_of_a_letter_is_not_found_in_it(part: str, letter: str) -> None:
    assert fold(part) not in fold(letter)


def test_ascii_is_lower_case_as_sqlite_folds_it() -> None:
    text = "".join(map(chr, range(1, 128)))
    assert folds_itself(text)
    assert fold(text) == text.lower()


def test_nul_and_letters_beyond_ascii_are_not_left_to_sqlite() -> None:
    assert not folds_itself("a\0b")
    assert not folds_itself("é")
    assert fold("a\0B") == "ab"


def test_a_folded_text_folds_to_itself() -> None:
    """For every character, alone and after a letter with which it may be combined."""
    for code in range(sys.maxunicode + 1):
        if not 0xD800 <= code < 0xE000:
            for text in (chr(code), f"e{chr(code)}"):
                folded = fold(text)
                assert fold(folded) == folded, hex(code)
