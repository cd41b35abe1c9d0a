"""Text in the form in which it is compared: case, accents, composition and what nobody sees do not count."""

from __future__ import annotations

import re
import unicodedata

UNSEEN = re.compile(
    "[\0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""NUL, at which SQLite's LIKE ends a text; soft hyphens, joiners, direction marks, variation selectors.

Source: Default_Ignorable_Code_Point, Unicode 15.
"""
ACCENTS = re.compile(
    "(?<=[a-z\u0250-\u02af\u0370-\u03ff])[\u0300-\u036f]+"  # Latin and Greek: all
    "|(?<=[\u0400-\u052f])[\u0300\u0301]|(?<=\u0435)\u0308"  # Cyrillic: stress, and ё; й and ї are other letters
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"  # Hebrew: vowels and chant
    "|[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]"  # Arabic: vowels, hamza, tatweel
)
"""Marks that people leave out when they write or look for a word. Elsewhere (Devanagari, Thai, kana) a mark is a part
of a letter, without which it is another word."""
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
"""Letters with a stroke or joined, which Unicode does not take apart; those that Arabic and Persian keyboards swap."""


def folds_itself(text: str) -> bool:
    """Whether SQLite's LIKE compares the text as it is: it folds ASCII, and reads up to the first NUL."""
    return text.isascii() and "\0" not in text


def fold(text: str) -> str:
    """The text without case and accents, with one spelling for what looks the same: `Straße` is `STRASSE`.

    Of ASCII only, it is the text in lower case.
    """
    if folds_itself(text):
        return text.lower()
    # Taken apart first: case folding turns an iota beneath a letter into a letter, which must come after its accents.
    apart = UNSEEN.sub("", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFKC", ACCENTS.sub("", apart.translate(LETTERS)))
