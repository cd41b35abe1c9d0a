"""Parses JSON with comments and trailing commas, as editors write it in their settings (JSONC).

Comments (`//` to the end of the line, and `/*` to `*/`) and a comma before a closing bracket are replaced by spaces, so
that positions in errors are those in the file. Everything else is JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(
    r"""
    "(?:[^"\\]|\\.)*+"?       # a string; without its end, json.loads reports it
    | //[^\n\r]*
    | /\*(?:.*?\*/)?          # a comment; only its beginning when it does not end
    | ,
    | [ \t\n\r]+
    | [^",/ \t\n\r]+
    | /
    """,
    re.VERBOSE | re.DOTALL,
)


class JsonObject(dict[str, Any]):
    """A JSON object. `repeated` has the names that occur more than once; the last value counts, as in JavaScript."""

    repeated: frozenset[str] = frozenset()


def parse_json_with_comments(text: str) -> Any:
    """The value of a JSON text that may have comments and trailing commas. Objects are `JsonObject`.

    Raises: ValueError, with a message that shows a line and a column, and nothing of the text.
    """
    try:
        return json.loads(_plain_json(text), object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _plain_json(text: str) -> str:
    """The text with spaces in place of comments and trailing commas. Raises: ValueError for one without an end."""
    pieces: list[str] = []
    last = ""  # the last character that is neither blank nor in a comment
    comma: int | None = None  # the place in `pieces` of a comma that is a trailing one if a closing bracket follows
    for found in _TOKEN.finditer(text):
        token = found.group()
        if token == "/*":
            line = text.count("\n", 0, found.start()) + 1
            raise ValueError(f"the comment that begins in line {line} has no end")
        if token.startswith(("//", "/*")):
            pieces.append(re.sub(r"[^\n\r]", " ", token))
            continue
        pieces.append(token)
        if token[0] in " \t\n\r":
            continue
        if comma is not None and token[0] in "}]":
            pieces[comma] = " "
        comma = len(pieces) - 1 if token == "," and last not in ("", "[", "{", ",", ":") else None
        last = token[-1]
    return "".join(pieces)


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    made = JsonObject(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        made.repeated = frozenset(name for name, _ in pairs if name in seen or seen.add(name))
    return made


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON value")
