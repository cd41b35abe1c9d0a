"""Folds text for comparison: case, accents, composition and invisible characters are ignored."""

from __future__ import annotations

import re
import unicodedata

UNSEEN = re.compile(
    "[\0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""NUL (where SQLite's LIKE stops reading), soft hyphens, joiners, direction marks and variation selectors.

Source: Default_Ignorable_Code_Point, Unicode 15.
"""
ACCENTS = re.compile(
    "(?<=[a-z\u0250-\u02af\u0370-\u03ff])[\u0300-\u036f]+"  # Latin and Greek: all
    "|(?<=[\u0400-\u052f])[\u0300\u0301]|(?<=\u0435)\u0308"  # Cyrillic: stress, and ё; й and ї are other letters
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"  # Hebrew: vowels and cantillation
    "|[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]"  # Arabic: vowels, hamza, tatweel
)
"""Marks that people omit when they write or search. In other scripts (Devanagari, Thai, kana) a mark is part of its
letter, and the word without it is a different word."""
LETTERS = str.maketrans(
    {
        "ı": "i",
        "đ": "d",
        "ø": "o",
        "ł": "l",
        "ħ": "h",
        "ŧ": "t",
        "æ": "ae",
        "œ": "oe",
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ة": "ه",
    }
)
"""Letters that Unicode does not decompose, and letters that differ between Arabic and Persian keyboards."""


def folds_itself(text: str) -> bool:
    """Whether SQLite's LIKE folds the text correctly: it folds only ASCII, and stops at the first NUL."""
    return text.isascii() and "\0" not in text


def fold(text: str) -> str:
    """The text without case and accents, in a single composition: `Straße` and `STRASSE` fold to the same text.

    ASCII text is only converted to lower case.
    """
    if folds_itself(text):
        return text.lower()
    # Decompose first: case folding turns an iota subscript into a letter, which must follow the accents.
    apart = UNSEEN.sub("", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFKC", ACCENTS.sub("", apart.translate(LETTERS)))
