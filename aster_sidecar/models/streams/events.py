"""Parses and writes server-sent events and the JSON in them, for the readers of all dialects."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias, cast

from pydantic_core import from_json, to_json

from aster_sidecar.text.json_text import parse_json

Fields: TypeAlias = dict[str, Any]
"""A JSON object."""

LINE = re.compile(r"\r\n|\n|\r")
UNREAD_LINE = re.compile(rb"(?:^|[\r\n])(?:[{\[]|\xef\xbb\xbf)")
"""A line that SDKs skip: JSON without a field's name, or a byte-order mark."""


class Malformed(ValueError):
    """An event that cannot be parsed and may have been part of the answer."""


class NoStream(ValueError):
    """The response is neither an event stream nor a complete answer in JSON. `first` is its first bytes."""

    def __init__(self, first: bytes) -> None:
        super().__init__("no stream")
        self.first = first


class ProviderError(ValueError):
    """The provider reports an error inside its answer. `body` is the report."""

    def __init__(self, body: Any) -> None:
        super().__init__("the provider failed")
        self.body = body


def parts(frame: bytes) -> tuple[str, bytes | None]:
    """Name and data of an event; data None for a comment. A line of JSON without a field's name counts as data."""
    kind, data = "", list[str]()
    for line in LINE.split(frame.decode("utf-8", "surrogateescape").lstrip("\ufeff")):
        name, _, value = line.partition(":")
        if line[:1] in ("{", "["):
            data.append(line)
        elif name == "data":
            data.append(value.removeprefix(" "))
        elif name == "event":
            kind = value.strip().encode("ascii", "ignore").decode()
    return kind, "\n".join(data).encode("utf-8", "surrogateescape") if data else None


def frame_parts(frame: bytes) -> tuple[str, bytes, bool]:
    """Name and data of an event, each empty if it has none, and whether SDKs read the same from its bytes.

    Events of the two usual forms, `data:` alone or after one line with the name, are not split into lines.
    """
    body = frame[5:-2]
    if frame.startswith(b"data:") and b"\n" not in body and b"\r" not in body:
        return "", body.strip(), True
    first = frame.find(b"\n")
    if frame.startswith(b"event: ") and frame.startswith(b"data:", first + 1) and b"\r" not in frame:
        name, body = frame[7:first], frame[first + 6 : -2]
        kind = name.decode("ascii", "ignore")
        if kind and b"\n" not in body:
            return kind, body.strip(), name.isascii()
    kind, data = parts(frame)
    return kind, (data or b"").strip(), is_text(frame) and UNREAD_LINE.search(frame) is None


def parse(body: bytes) -> tuple[Any, bool]:
    """The value of a JSON text, and whether it has unpaired surrogates or bytes that are not UTF-8.

    Raises: Malformed.
    """
    try:
        return from_json(body), False
    except ValueError:
        pass
    try:
        return parse_json(body.decode("utf-8", "replace")), True
    except ValueError as error:
        raise Malformed(f"an event that is not JSON: {body[:200].decode('utf-8', 'replace')!r}") from error


def parse_or_none(body: bytes) -> Any:
    """The value of a JSON text; None when it is not JSON."""
    try:
        return parse(body)[0]
    except Malformed:
        return None


def dump(value: Any) -> bytes:
    """JSON in UTF-8."""
    try:
        return to_json(value)
    except ValueError:  # unpaired surrogates
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def with_counts(holder: Fields, name: str, needed: tuple[str, str]) -> Fields:
    """The object with its usage (the field `name`) as SDKs need it: with both counts, or without any usage."""
    usage: Any = holder.get(name)
    if not isinstance(usage, dict):
        return holder
    counts = cast("Fields", usage)
    if all(isinstance(counts.get(one), int) for one in needed):
        return holder
    if not any(isinstance(counts.get(one), int) for one in needed):
        return {key: value for key, value in holder.items() if key != name}
    return {**holder, name: {**counts, **{one: counts.get(one) or 0 for one in needed}}}


def is_text(frame: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_comment(frame: bytes) -> bool:
    """Whether an event without data has only comments, not a field."""
    return all(not line or line.startswith(b":") for line in frame.splitlines())
