"""Where the parts of a TOML text are: its headers, its assignments, the entries of inline tables, and its comments.

The text must be valid TOML, which `tomllib` has checked. All offsets are in characters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

Names = tuple[str, ...]
"""The names that lead to a value, such as `("mcp", "files", "command")`."""

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*")
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_INDENT = re.compile(r"[ \t]*")
_HEADER = re.compile(r"[ \t]*\[\[?[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_REST = re.compile(r"[^\n]*\n?")
_TOKEN = re.compile(
    r"""
    (?P<string> \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<comment> \#[^\r\n]* )
    | (?P<mark> [\[\]{},\n] )
    | (?P<blank> [ \t\r]+ )
    | [^\s"'\#\[\]{},]+
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
ROW_CHARS = 100
"""An array whose line would be longer has each value on its own line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A header, or an assignment: one of the text's lines, or an entry of an inline table.

    `start` to `end` is all of it: of a line, also the indentation, a comment and the line break.
    """

    start: int
    end: int
    table: Names
    """The table in which it is: the one that the last header names, or the inline table."""
    path: Names
    """The table that a header names, or the value that is assigned."""
    value: tuple[int, int] | None
    """Where the value begins and ends; None for a header."""


def lines(text: str) -> Iterator[Line]:
    """The headers and assignments of a text, in its order."""
    table: Names = ()
    at = 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            at = blank.end()
            continue
        if header := _HEADER.match(text, at):
            table, after = _key(text, header.end())
            end = _end_of_line(text, after)
            yield Line(at, end, table, table, None)
        else:
            key, start, value_end = _assignment(text, at + len(indentation(text, at)))
            end = _end_of_line(text, value_end)
            yield Line(at, end, table, (*table, *key), (start, value_end))
        at = end


def entries(text: str, inline: Line) -> Iterator[Line]:
    """The assignments of the inline table that this assignment has; none if its value is another one."""
    assert inline.value is not None
    at, end = inline.value
    if text[at] != "{":
        return
    at += 1
    while at < end:
        token = _token(text, at)
        if token.lastgroup is not None and token.lastgroup != "string":  # not the beginning of a key
            at = token.end()
            continue
        key, start, value_end = _assignment(text, at)
        yield Line(at, value_end, inline.path, (*inline.path, *key), (start, value_end))
        at = value_end


def indentation(text: str, at: int) -> str:
    """The blanks at the beginning of a line."""
    found = _INDENT.match(text, at)
    assert found is not None
    return found.group()


def comments(text: str, start: int, end: int) -> list[str]:
    """The comments in a part of the text that begins and ends outside of strings."""
    found = _TOKEN.finditer(text, start, end)
    return [token.group() for token in found if token.lastgroup == "comment"]


def _assignment(text: str, at: int) -> tuple[Names, int, int]:
    """The key of the assignment that begins here, and where its value begins and ends."""
    key, at = _key(text, at)
    equals = _EQUALS.match(text, at)
    assert equals is not None
    start = end = at = equals.end()
    depth = 0
    while at < len(text):
        token = _token(text, at)
        mark = token.group()
        closes = token.lastgroup == "mark" and mark in "]}"
        if not depth and (token.lastgroup == "comment" or (token.lastgroup == "mark" and mark in ",\n]}")):
            break
        if token.lastgroup == "mark" and mark in "[{":
            depth += 1
        depth -= closes
        at = token.end()
        end = at if token.lastgroup not in ("blank", "comment") else end
    return key, start, end


def _token(text: str, at: int) -> re.Match[str]:
    token = _TOKEN.match(text, at)
    assert token is not None
    return token


def _key(text: str, at: int) -> tuple[Names, int]:
    """The names of the dotted key that begins here, and where it ends."""
    found = _KEY.match(text, at)
    assert found is not None
    value: Any = tomllib.loads(f"{found.group()} = 0")
    names: list[str] = []
    while value != 0:
        [(name, value)] = value.items()
        names.append(name)
    return tuple(names), found.end()


def _end_of_line(text: str, at: int) -> int:
    rest = _REST.match(text, at)
    assert rest is not None
    return rest.end()


# -- values as text ----------------------------------------------------------------------------------------------------


def dotted(path: Sequence[str]) -> str:
    """A key or the name of a table."""
    return ".".join(part if _BARE.fullmatch(part) else _string(part) for part in path)


def assignment(path: Sequence[str], value: Any, indent: str = "") -> str:
    """The line `key = value` without a line break at its end. A long array takes several. Raises: ValueError."""
    return f"{indent}{dotted(path)} = {in_line(value, indent, len(dotted(path)) + len(' = '))}"


def in_line(value: Any, indent: str, before: int) -> str:
    """A value in a line that has `before` characters and an indentation in front of it. Raises: ValueError."""
    text = inline(value)
    if not isinstance(value, list | tuple) or not value or len(indent) + before + len(text) <= ROW_CHARS:
        return text
    rows = [f"{indent}    {inline(one)},\n" for one in cast("Sequence[Any]", value)]
    return f"[\n{''.join(rows)}{indent}]"


def inline(value: Any) -> str:
    """A value as TOML without line breaks. Raises: ValueError for a type that TOML does not have."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(inline(one) for one in cast('Sequence[Any]', value))}]"
    if isinstance(value, Mapping):
        inner = [f"{dotted((key,))} = {inline(one)}" for key, one in cast("Mapping[str, Any]", value).items()]
        return f"{{ {', '.join(inner)} }}" if inner else "{}"
    raise ValueError(f"TOML has no {type(value).__name__}")


def _string(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return (
        '"'
        + "".join(
            escapes.get(sign) or (f"\\u{ord(sign):04X}" if ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 else sign)
            for sign in text
        )
        + '"'
    )
