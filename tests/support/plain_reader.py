"""A simple reader of well-formed provider streams. Tests compare other readers with it."""

from __future__ import annotations

import json
import re
from typing import Any

LINE_END = re.compile(r"\r\n|\n|\r")


def events(data: bytes) -> list[str]:
    """The data of each complete event, by the rules of server-sent events. An event without data doesn't count.

    Raises: UnicodeDecodeError.
    """
    found: list[str] = []
    lines: list[str] = []
    for line in LINE_END.split(data.decode("utf-8").removeprefix("\ufeff"))[:-1]:
        name, _, value = line.partition(":")
        if not line:
            if any(lines):
                found.append("\n".join(lines))
            lines = []
        elif name == "data":
            lines.append(value.removeprefix(" "))
    return found


def values(data: bytes) -> list[Any]:
    """The JSON of each event, without the `[DONE]` of chat completions.

    Raises: UnicodeDecodeError, json.JSONDecodeError, RecursionError.
    """
    return [json.loads(text) for text in events(data) if not text.startswith("[DONE]")]


def text(data: bytes) -> str:
    """The text of the answer, in any of the three dialects. Raises: like `values`."""
    return "".join(map(text_of, values(data)))


def text_of(value: Any) -> str:
    """The text in one event's JSON."""
    match value:
        case {"choices": [{"delta": {"content": str(said)}}, *_]}:
            return said
        case {"type": "response.output_text.delta", "delta": str(said)}:
            return said
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(said)}}:
            return said
        case {"type": "content_block_start", "content_block": {"type": "text", "text": str(said)}}:
            return said
        case _:
            return ""
