"""The message that a command line gives to `chat`. Imports nothing slow."""

from __future__ import annotations

import sys

from aster_sidecar.text.repair import valid_text

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Iterable


def given_message(words: Iterable[str]) -> str:
    """The words, and what stdin holds below them unless it is a terminal; blocks until stdin ends."""
    piped = "" if sys.stdin.isatty() else valid_text(sys.stdin.read()).strip()
    return "\n\n".join(filter(None, (valid_text(" ".join(words)), piped)))
