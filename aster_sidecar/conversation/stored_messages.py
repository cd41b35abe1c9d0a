"""Converts the model's messages to stored text and back, for `model_history`; damage affects only one message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest
from pydantic_core import from_json

from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.numbers import count, price
from aster_sidecar.text.repair import without_nul
from aster_sidecar.text.values import as_text, json_value

Fields = dict[str, Any]

LOST = "[A message that stood here can't be read from the store and was left out.]"
LOST_PART = "[A part of this message can't be read from the store and was left out.]"
UNNAMED = "unnamed_tool"
ANSWERS = frozenset(("text", "thinking", "tool-call", "builtin-tool-call", "builtin-tool-return", "compaction", "file"))
"""Kinds of part that occur only in responses."""
COUNTS = frozenset(
    (
        *("input_tokens", "cache_write_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens"),
        *("output_reasoning_tokens", "input_audio_tokens", "cache_audio_read_tokens", "output_audio_tokens"),
    )
)


def dump(message: ModelMessage) -> str:
    """The message as JSON. Raises: any error of pydantic for a value that can't be JSON."""
    return ModelMessagesTypeAdapter.dump_json([message], warnings=False)[1:-1].decode()


def validated(text: str) -> ModelMessage:
    """The message parsed from JSON. Raises: ValueError."""
    [message] = ModelMessagesTypeAdapter.validate_json(f"[{text}]")
    return message


def stored(message: ModelMessage) -> str:
    """JSON that the message can be read back from. If there is none, the message is reduced to what can be stored.

    It is changed in place, so that memory holds the same message as the store. Never raises.
    """
    try:
        text = without_nul(dump(message))
        read = validated(text)
        if not has_plausible_usage(read):
            read, text = storable(message)
        if read == message:
            return text
        text = dump(read)
    except Exception:
        read, text = storable(message)
    vars(message).update(vars(read))
    return text


def has_plausible_usage(message: ModelMessage) -> bool:
    """Whether the usage numbers of a response are plausible; absurd ones would trigger a compaction every turn."""
    if isinstance(message, ModelRequest):
        return True
    usage = vars(message.usage)
    return all(count(usage.get(name, 0)) == usage.get(name, 0) for name in COUNTS)


def storable(message: ModelMessage) -> tuple[ModelMessage, str]:
    """The part of a message that can be stored and read back, and its JSON."""
    try:
        raw = json_value(ModelMessagesTypeAdapter.dump_python([message], warnings=False)[0])
    except Exception:
        raw = json_value(message)
    try:
        text = dump(repaired(raw, message.kind) or note(LOST, message.kind))
        return validated(text), text
    except Exception:
        read = note(LOST, message.kind)
        return read, dump(read)


def note(words: str, kind: str) -> ModelMessage:
    """A message with a note, in place of a lost one."""
    part = {"part_kind": "text" if kind == "response" else "user-prompt", "content": words}
    return validated(json.dumps({"kind": kind, "parts": [part]}))


def read_row(text: str) -> tuple[ModelMessage | None, bool]:
    """The message of a stored row, and whether it is undamaged. None: nothing of it can be read."""
    try:
        return validated(without_nul(text)), True
    except Exception:
        raw, cut = parsed(text)
    try:
        return repaired(raw, cut=cut), False
    except Exception:
        return None, False


def parsed(text: str) -> tuple[Any, bool]:
    """The value of damaged JSON, and whether the end of the text is missing."""
    try:
        return json_value(parse_json(text, strict=False)), False
    except ValueError:
        pass
    try:
        return json_value(from_json(text, allow_partial=True)), True
    except ValueError:
        return None, True


# -- repair ------------------------------------------------------------------------------------------------------------


def repaired(raw: object, kind: str | None = None, *, cut: bool = False) -> ModelMessage | None:
    """A message made of the valid parts of the plain value `raw`, or None. `cut`: adds a note of the missing end."""
    given = fields_of(raw)
    found = given.get("parts")
    parts: list[object] = cast("list[object]", found) if isinstance(found, list) else []
    kind = kind or kind_of(given.get("kind"), parts)
    if kind is None or (not parts and found != []):
        return None
    valid = [part for part in (repaired_part(kind, part) for part in parts) if part is not None]
    if cut:
        valid.append(text_part(kind, LOST_PART))
    message: Fields = {"kind": kind, "parts": valid}
    rest = {name: value for name, value in given.items() if name not in message}
    if "usage" in rest:
        rest["usage"] = repaired_usage(rest["usage"])
    return validated(json.dumps(with_valid_fields(message, rest, is_readable)))


def kind_of(said: object, parts: list[object]) -> str | None:
    """Whether a message is a request or a response, by its `kind` or else by its parts."""
    if said in ("request", "response"):
        return said
    kinds = [str(fields_of(part).get("part_kind")) for part in parts]
    return None if not kinds else "response" if ANSWERS.intersection(kinds) else "request"


def repaired_part(kind: str, raw: object) -> Fields | None:
    """A valid part: with required fields repaired, with fewer fields, unchanged, or as text. None: it is empty."""
    if not isinstance(raw, dict):
        return text_part(kind, as_text(raw)) if raw else None
    given = fields_of(cast("object", raw))
    if not given:
        return None

    def is_valid(part: Fields) -> bool:
        return is_readable({"kind": kind, "parts": [part]})

    required = required_fields(kind, given)
    complete = {**given, **required}
    if is_valid(complete):
        return complete
    if is_valid(required):
        return with_valid_fields(required, {name: given[name] for name in given.keys() - required.keys()}, is_valid)
    if is_valid(given):
        return given
    return text_part(kind, as_text(given.get("content") or given.get("transcript")) or LOST_PART)


def text_part(kind: str, text: str) -> Fields:
    return {"part_kind": "text" if kind == "response" else "user-prompt", "content": text}


def required_fields(kind: str, given: Fields) -> Fields:
    """The required fields of a part, repaired. An unknown kind of part is inferred from its fields."""
    name = str(given.get("part_kind"))
    known = name in ANSWERS if kind == "response" else name.endswith(("-prompt", "-return", "-feedback"))
    if name in ("tool-call", "builtin-tool-call") or (kind == "response" and not known and "args" in given):
        return {
            "part_kind": name if known else "tool-call",
            "tool_name": tool_name(given.get("tool_name")),
            "args": arguments(given.get("args")),
            "tool_call_id": call_id(given.get("tool_call_id")),
        }
    if name in ("tool-return", "builtin-tool-return") or (kind == "request" and not known and "tool_name" in given):
        return {
            "part_kind": name if known else "tool-return",
            "tool_name": tool_name(given.get("tool_name")),
            "content": given.get("content"),
            "tool_call_id": call_id(given.get("tool_call_id")),
        }
    if name == "user-prompt":
        return {"part_kind": name, "content": prompt(given.get("content"))}
    if name in ("text", "thinking", "system-prompt"):
        return {"part_kind": name, "content": as_text(given.get("content"))}
    if name == "retry-prompt":  # from earlier releases of pydantic-ai; it answers a call if it names a tool
        named = given.get("tool_name") is not None
        call = {"tool_name": tool_name(given.get("tool_name")), "tool_call_id": call_id(given.get("tool_call_id"))}
        return {"part_kind": name, "content": as_text(given.get("content")), **(call if named else {})}
    return given


def with_valid_fields(required: Fields, rest: Mapping[str, Any], is_valid: Callable[[Fields], bool]) -> Fields:
    """`required` with all fields of `rest` that are valid, tested one by one if they are not all valid."""
    whole = {**required, **rest}
    if is_valid(whole):
        return whole
    found = required
    for name, value in rest.items():
        if is_valid(more := {**found, name: value}):
            found = more
    return found


def is_readable(message: Fields) -> bool:
    """Whether a message can be parsed."""
    try:
        validated(json.dumps(message))
    except Exception:
        return False
    return True


def fields_of(value: object) -> Fields:
    return cast("Fields", value) if isinstance(value, dict) else {}


def tool_name(value: object) -> str:
    return (str(value) if isinstance(value, str | int | float) else "") or UNNAMED


def call_id(value: object) -> str:
    """An id; equal values give equal ids, so that a result still matches its call."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return "call_" + hashlib.sha256(as_text(value).encode()).hexdigest()[:24]


def arguments(value: object) -> Any:
    """A call's arguments: an object, or the text that the model wrote. Other empty values become `{}`."""
    if value is None or isinstance(value, str | dict):
        return cast("object", value)
    return json.dumps(value) if value else "{}"


def prompt(value: object) -> Any:
    """A prompt: text, or a list of texts and files; only the texts if the list can't be parsed."""
    if not isinstance(value, list):
        return as_text(value)
    items = [item for item in cast("list[object]", value) if item]
    if is_readable({"kind": "request", "parts": [{"part_kind": "user-prompt", "content": items}]}):
        return items
    texts = [item if isinstance(item, str) else fields_of(item).get("content") for item in items]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def repaired_usage(value: object) -> Fields:
    """A provider's usage with all counts as whole numbers from 0 up."""
    given = fields_of(value)
    usage: Fields = {name: count(given[name]) for name in given.keys() & COUNTS}
    details = fields_of(given.get("details"))
    usage["details"] = {name: count(number) for name, number in details.items()}
    if price(given.get("cost")) is not None:
        usage["cost"] = str(given["cost"])
    return usage
