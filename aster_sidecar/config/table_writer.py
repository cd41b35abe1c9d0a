"""Changes of the tables `[mcp.NAME]` and `[services.NAME]` in the user's `config.toml`.

A change replaces, adds and removes parts of the text and leaves every other character as it is. tomlkit, which writes
the settings, can't do this in each valid file: it deletes the comments below a table that it removes, adds headers in
the middle of dotted keys, and does not read some files whose tables have another order. What the changed text means is
compared with what it should mean before the file is replaced.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from aster_sidecar.config.toml_file import change_file
from aster_sidecar.config.toml_text import (
    Line,
    Names,
    assignment,
    comments,
    dotted,
    entries,
    in_line,
    indentation,
    inline,
    lines,
)
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.safe_text import visible

Kind = Literal["mcp", "services"]


def write_named(path: Path, kind: Kind, name: str, changes: Mapping[str, Any] | None) -> None:
    """Set keys of `[KIND.NAME]`, or remove those with None, atomically; comments and everything else stay.

    A table is created if it is missing, or in place of something that is no table. Mappings, such as `env`, are changed
    key by key in the same way; one without keys is removed. `changes` None: remove the whole table. Comments in what is
    removed stay, as lines of their own.

    Raises: ConfigInvalid; the file is then as it was.
    """
    if changes is None and not path.exists():
        return
    change_file(path, lambda text: changed(text, kind, name, changes))


def changed(text: str, kind: Kind, name: str, changes: Mapping[str, Any] | None) -> str:
    """The text of a file with these changes of a table. Raises: ConfigInvalid, ValueError."""
    wanted = tomllib.loads(text)
    where, shown = (kind, name), f"[{kind}.{visible(name, newlines=False)[:64]}]"
    tables: Any = wanted.setdefault(kind, {})
    if not isinstance(tables, dict):
        raise ConfigInvalid(f"{kind} is not a table", hint=f"write [{kind}.NAME] and the keys below")
    named = cast("dict[str, Any]", tables)
    if changes is None:
        named.pop(name, None)
        edited = without(text, where)
    else:
        edited, there = text, named.get(name, {})
        old = cast("dict[str, Any]", there) if isinstance(there, dict) else dict[str, Any]()
        if not isinstance(there, dict):
            edited = without(text, where)
        named[name] = merged(old, changes)
        for key, value in differences(where, old, named[name]):
            edited = without(edited, key) if value is None else with_value(edited, key, value)
        if name not in tomllib.loads(edited).get(kind, {}):
            edited = with_table(edited, where, "")
    if meaning(tomllib.loads(edited), kind) != meaning(wanted, kind):
        why = f"{shown} cannot be changed without changing something else in the file"
        raise ConfigInvalid(why, hint="change the file in an editor")
    return edited


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The table after the changes."""
    result = dict(table)
    for key, value in changes.items():
        if isinstance(value, Mapping):
            inner = result.get(key)
            old = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
            value = merged(old, cast("Mapping[str, Any]", value)) or None
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def differences(where: Names, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Names, Any]]:
    """The values to set, then those to remove (None), which turn a table into the new one.

    Values are set first, so that the new ones are written beside the old ones.
    """
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            yield from differences((*where, key), old[key], cast("dict[str, Any]", value))
        elif key not in old or meaning(old[key]) != meaning(value):
            yield (*where, key), value
    for key in old:
        if key not in new:
            yield (*where, key), None


def meaning(value: Any, kind: str = "") -> str:
    """A text that two values have in common if they are the same, with the same types.

    Of a file, `kind` without tables is the same as no `kind`.
    """
    if kind and value.get(kind) == {}:
        value = {key: one for key, one in value.items() if key != kind}
    return json.dumps(value, sort_keys=True, default=repr)


# -- edits of the text -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """An assignment, and the line of the text in which it is. They are the same outside of inline tables."""

    line: Line
    within: Line
    inline: Line | None
    """The inline table whose entry it is; None: it is a line."""


def assignments(text: str) -> Iterator[Found]:
    """All assignments, also those in inline tables."""

    def inside(line: Line, within: Line) -> Iterator[Found]:
        for entry in entries(text, line):
            yield Found(entry, within, line)
            yield from inside(entry, within)

    for line in lines(text):
        if line.value is not None:
            yield Found(line, line, None)
            yield from inside(line, line)


def with_value(text: str, path: Names, value: Any) -> str:
    """The text with a value set: in its place, or as a new key of its table. Raises: ValueError."""
    for found in assignments(text):
        if found.line.path == path and found.line.value is not None:
            start, end = found.line.value
            indent = indentation(text, found.within.start)
            before = len(text[found.within.start : start]) - len(indent)
            shown = in_line(value, indent, before) if found.inline is None else inline(value)
            return replaced(text, start, end, shown, above=found.within)
    return with_key(without(text, path), path, value)


def without(text: str, path: Names) -> str:
    """The text without a value or table, and without everything below it."""

    def is_below(line: Line) -> bool:
        return line.path[: len(path)] == path

    while found := next((found for found in assignments(text) if is_below(found.line)), None):
        if found.inline is None:
            text = without_line(text, found.line)
        else:
            start, end = extent(text, found.line, found.inline)
            text = replaced(text, start, end, "", above=found.within)
    for header in reversed([line for line in lines(text) if line.value is None and is_below(line)]):
        text = without_line(text, header)
    return text


def without_line(text: str, line: Line) -> str:
    """The text without a line. A header that is removed takes the empty line above it with it."""
    kept = as_lines(text, comments(text, line.start, line.end), indentation(text, line.start))
    before, after = text[: line.start], text[line.end :]
    if line.value is None and not kept and (not after or re.match(r"[ \t]*\r?\n", after)):
        before = re.sub(r"(\A|(?<=\n))[ \t]*\r?\n\Z", "", before)
    return before + kept + after


def extent(text: str, entry: Line, table: Line) -> tuple[int, int]:
    """What is removed from an inline table with one of its entries: also the comma before or after it."""
    all_entries = list(entries(text, table))
    place = all_entries.index(entry)
    if place + 1 < len(all_entries):
        return entry.start, all_entries[place + 1].start
    if place:
        return all_entries[place - 1].end, entry.end
    assert table.value is not None
    return table.value[0] + 1, table.value[1] - 1


def with_key(text: str, path: Names, value: Any) -> str:
    """The text with a new key, where its table is: in an inline table, below its header, or beside its dotted keys."""
    table, found = path[:-1], list(assignments(text))
    # An inline table takes all keys below it: nothing outside of it can add one.
    holders = [one.line for one in found if is_inline(text, one.line) and table[: len(one.line.path)] == one.line.path]
    if holders:
        return in_inline_table(text, max(holders, key=lambda line: len(line.path)), path, value)
    section = [line for line in lines(text) if line.table == table]
    if section:
        return below(text, section[-1], path[len(table) :], value)
    beside = [
        one.line
        for one in found
        if one.inline is None and len(one.line.table) < len(table) and one.line.path[: len(table)] == table
    ]
    if beside:
        return below(text, beside[-1], path[len(beside[-1].table) :], value)
    return with_table(text, table, assignment(path[len(table) :], value))


def is_inline(text: str, line: Line) -> bool:
    return line.value is not None and text[line.value[0]] == "{"


def in_inline_table(text: str, table: Line, path: Names, value: Any) -> str:
    """The text with a new key in an inline table, or in the tables inside it that its dotted keys make."""
    assert table.value is not None
    inside = list(entries(text, table))
    steps = path[len(table.path) :]
    shared = max((common(steps, one.path[len(table.path) :]) for one in inside), default=0)
    key, rest = steps[: shared + 1], steps[shared + 1 :]
    for name in reversed(rest):
        value = {name: value}
    new = f"{dotted(key)} = {inline(value)}"
    if inside:
        return f"{text[: inside[-1].end]}, {new}{text[inside[-1].end :]}"
    start, end = table.value
    return f"{text[: start + 1]} {new} {text[end - 1 :]}"


def common(one: Names, other: Names) -> int:
    """How many names two paths share at their beginnings."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def below(text: str, line: Line, key: Names, value: Any) -> str:
    """The text with a new assignment below a line."""
    new = assignment(key, value, indentation(text, line.start))
    return inserted(text, line.end, f"{new}\n")


def with_table(text: str, table: Names, body: str) -> str:
    """The text with a new table `[KIND.NAME]`: above its sub-tables, below the last table of its kind, or at the end.

    `body` is what is below its header.
    """
    all_lines = list(lines(text))
    inline_kind = next((one for one in all_lines if one.path == table[:1] and is_inline(text, one)), None)
    if inline_kind is not None:
        return in_inline_table(text, inline_kind, table, {})
    new = f"[{dotted(table)}]\n{body}\n" if body else f"[{dotted(table)}]\n"
    headers = [line for line in all_lines if line.value is None]
    sub = next((line for line in headers if line.path[: len(table)] == table), None)
    if sub is not None:
        ends = [line.end for line in all_lines if line.end <= sub.start]
        return inserted(text, over_comments(text, sub.start, max(ends, default=0)), f"{new}\n")
    if not any(line.path[0] == table[0] for line in headers):
        return inserted(text, len(text), f"\n{new}" if text.strip() else new)
    last = max(place for place, line in enumerate(all_lines) if line.table[:1] == table[:1])
    if last + 1 == len(all_lines):
        at = past_comments(text, all_lines[last].end, len(text))
    else:
        above = over_comments(text, all_lines[last + 1].start, all_lines[last].end)
        at = past_comments(text, all_lines[last].end, above)
    return inserted(text, at, f"\n{new}" if re.match(r"[ \t]*\r?(\n|\Z)", text[at:]) else f"\n{new}\n")


def over_comments(text: str, at: int, least: int) -> int:
    """The beginning of the comments that are directly above a line; not before `least`."""
    while at > least:
        start = text.rfind("\n", least, at - 1) + 1 or least
        if not text[start:at].lstrip().startswith("#"):
            break
        at = start
    return at


def past_comments(text: str, at: int, most: int) -> int:
    """The end of the comments that are directly below a line; not after `most`."""
    while at < most and text[at:most].lstrip(" \t").startswith("#"):
        at = text.find("\n", at, most) + 1 or most
    return at


def replaced(text: str, start: int, end: int, new: str, *, above: Line) -> str:
    """The text with another part from `start` to `end`. Comments that were in it become lines above the line."""
    kept = as_lines(text, comments(text, start, end), indentation(text, above.start))
    return text[: above.start] + kept + text[above.start : start] + with_breaks(text, new) + text[end:]


def inserted(text: str, at: int, new: str) -> str:
    """The text with new lines at the beginning of a line, or at its end."""
    before = text[:at]
    if before and not before.endswith("\n"):
        new = f"\n{new}"
    return before + with_breaks(text, new) + text[at:]


def as_lines(text: str, kept: list[str], indent: str) -> str:
    return with_breaks(text, "".join(f"{indent}{comment}\n" for comment in kept))


def with_breaks(text: str, new: str) -> str:
    """New text with the line breaks of the text."""
    return new.replace("\n", "\r\n") if "\r\n" in text else new
