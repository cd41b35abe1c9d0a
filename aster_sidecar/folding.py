"""Text in the form in which it is compared: case, composition and what nobody sees do not count."""

from __future__ import annotations

import re
import unicodedata

UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Soft hyphens, joiners, direction marks, variation selectors. Source: Default_Ignorable_Code_Point, Unicode 15."""
I_OF_TURKISH = re.compile("i\u0307|ı")
"""What `İ` and `ı` become when case does not count. Other alphabets write `I` and `i` for both."""


def fold(text: str) -> str:
    """The text without case, with one spelling for what looks the same: `Straße` is `STRASSE`.

    Accents stay: `cafe` is another word than `café`. Of ASCII only, it is the text in lower case.
    """
    if text.isascii():
        return text.lower()
    # Taken apart first: case folding turns an iota beneath a letter into a letter, which must come after its accents.
    apart = UNSEEN.sub("", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFKC", I_OF_TURKISH.sub("i", apart))
