"""A model's messages as stored text: written so that it reads back, read so that one broken row costs one message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest
from pydantic_core import from_json

from aster_sidecar.text.repair import as_text, count, plain, price, without_nul

Fields = dict[str, Any]

LOST = "[A message that stood here can't be read from the store and was left out.]"
LOST_PART = "[A part of this message can't be read from the store and was left out.]"
UNNAMED = "unnamed_tool"
ANSWERS = frozenset(("text", "thinking", "tool-call", "builtin-tool-call", "builtin-tool-return", "compaction", "file"))
"""The kinds of part that only a response has."""
COUNTS = frozenset(
    (
        *("input_tokens", "cache_write_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens"),
        *("output_reasoning_tokens", "input_audio_tokens", "cache_audio_read_tokens", "output_audio_tokens"),
    )
)


def dump(message: ModelMessage) -> str:
    """The message as JSON. Raises: whatever pydantic raises for a value that has no form in JSON."""
    return ModelMessagesTypeAdapter.dump_json([message], warnings=False)[1:-1].decode()


def validated(text: str) -> ModelMessage:
    """The message that the text holds. Raises: ValueError."""
    [message] = ModelMessagesTypeAdapter.validate_json(f"[{text}]")
    return message


def stored(message: ModelMessage) -> str:
    """The text that the message reads back from. A message that has none is changed to what can be kept of it.

    It is changed in place, so that whoever holds it goes on with what is stored. Never raises.
    """
    try:
        text = without_nul(dump(message))
        read = validated(text)
        if not counted(read):
            read, text = kept_of(message)
        if read == message:
            return text
        text = dump(read)
    except Exception:
        read, text = kept_of(message)
    vars(message).update(vars(read))
    return text


def counted(message: ModelMessage) -> bool:
    """Whether the usage numbers of a response are plausible; absurd ones would trigger a compaction every turn."""
    if isinstance(message, ModelRequest):
        return True
    usage = vars(message.usage)
    return all(count(usage.get(name, 0)) == usage.get(name, 0) for name in COUNTS)


def kept_of(message: ModelMessage) -> tuple[ModelMessage, str]:
    """What can be kept of a message that does not read back as it is, and its text."""
    try:
        raw = plain(ModelMessagesTypeAdapter.dump_python([message], warnings=False)[0])
    except Exception:
        raw = plain(message)
    try:
        text = dump(in_form(raw, message.kind) or note(LOST, message.kind))
        return validated(text), text
    except Exception:
        read = note(LOST, message.kind)
        return read, dump(read)


def note(words: str, kind: str) -> ModelMessage:
    """A message in place of one that is lost."""
    part = {"part_kind": "text" if kind == "response" else "user-prompt", "content": words}
    return validated(json.dumps({"kind": kind, "parts": [part]}))


def read_row(text: str) -> tuple[ModelMessage | None, bool]:
    """The message of a stored row, and whether it is there as it was written. None: nothing of it can be read."""
    try:
        return validated(without_nul(text)), True
    except Exception:
        raw, cut = parsed(text)
    try:
        return in_form(raw, cut=cut), False
    except Exception:
        return None, False


def parsed(text: str) -> tuple[Any, bool]:
    """The JSON value of a text that is not quite JSON, and whether its end is missing."""
    try:
        return plain(json.loads(text, strict=False)), False
    except (ValueError, RecursionError):
        pass
    try:
        return plain(from_json(text, allow_partial=True)), True
    except ValueError:
        return None, True


# -- bringing into form ------------------------------------------------------------------------------------------------


def in_form(raw: object, kind: str | None = None, *, cut: bool = False) -> ModelMessage | None:
    """A message made of what is right in `raw`, which is plain, or None. `cut`: its end is missing; it says so."""
    given = fields_of(raw)
    found = given.get("parts")
    parts: list[object] = cast("list[object]", found) if isinstance(found, list) else []
    kind = kind or kind_of(given.get("kind"), parts)
    if kind is None or (not parts and found != []):
        return None
    mended = [part for part in (part_in_form(kind, part) for part in parts) if part is not None]
    if cut:
        mended.append(text_part(kind, LOST_PART))
    message: Fields = {"kind": kind, "parts": mended}
    rest = {name: value for name, value in given.items() if name not in message}
    if "usage" in rest:
        rest["usage"] = usage_in_form(rest["usage"])
    return validated(json.dumps(with_what_fits(message, rest, fits)))


def kind_of(said: object, parts: list[object]) -> str | None:
    """Whether a message is a request or a response, by what it says or what it is made of."""
    if said in ("request", "response"):
        return said
    kinds = [str(fields_of(part).get("part_kind")) for part in parts]
    return None if not kinds else "response" if ANSWERS.intersection(kinds) else "request"


def part_in_form(kind: str, raw: object) -> Fields | None:
    """A part that can be read: as it is, mended, or what is known of it; its text where its kind is unknown."""
    if not isinstance(raw, dict):
        return text_part(kind, as_text(raw)) if raw else None
    given = fields_of(cast("object", raw))
    if not given:
        return None

    def alone(part: Fields) -> bool:
        return fits({"kind": kind, "parts": [part]})

    smallest = smallest_of(kind, given)
    mended = {**given, **smallest}
    if alone(mended):
        return mended
    if alone(smallest):
        return with_what_fits(smallest, {name: given[name] for name in given.keys() - smallest.keys()}, alone)
    if alone(given):
        return given
    return text_part(kind, as_text(given.get("content") or given.get("transcript")) or LOST_PART)


def text_part(kind: str, text: str) -> Fields:
    return {"part_kind": "text" if kind == "response" else "user-prompt", "content": text}


def smallest_of(kind: str, given: Fields) -> Fields:
    """What a part can't be without, in form. A kind that is unknown is taken for what it looks like."""
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
    if name == "retry-prompt":  # an earlier pydantic-ai's; it answers a call when it names a tool
        named = given.get("tool_name") is not None
        call = {"tool_name": tool_name(given.get("tool_name")), "tool_call_id": call_id(given.get("tool_call_id"))}
        return {"part_kind": name, "content": as_text(given.get("content")), **(call if named else {})}
    return given


def with_what_fits(smallest: Fields, rest: Mapping[str, Any], right: Callable[[Fields], bool]) -> Fields:
    """`smallest` with every other field that is right, found one by one when not all are."""
    whole = {**smallest, **rest}
    if right(whole):
        return whole
    found = smallest
    for name, value in rest.items():
        if right(more := {**found, name: value}):
            found = more
    return found


def fits(message: Fields) -> bool:
    """Whether a message can be read."""
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
    """The same id for the same value, so that a call and its result stay together."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return "call_" + hashlib.sha256(as_text(value).encode()).hexdigest()[:24]


def arguments(value: object) -> Any:
    """A call's arguments: an object, or what the model wrote. Nothing, in whatever form, is an object without names."""
    if value is None or isinstance(value, str | dict):
        return cast("object", value)
    return json.dumps(value) if value else "{}"


def prompt(value: object) -> Any:
    """What a person said: text, or a list of text and files that can be read, else its texts."""
    if not isinstance(value, list):
        return as_text(value)
    items = [item for item in cast("list[object]", value) if item]
    if fits({"kind": "request", "parts": [{"part_kind": "user-prompt", "content": items}]}):
        return items
    texts = [item if isinstance(item, str) else fields_of(item).get("content") for item in items]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def usage_in_form(value: object) -> Fields:
    """What a provider counted: whole numbers from 0 up."""
    given = fields_of(value)
    usage: Fields = {name: count(given[name]) for name in given.keys() & COUNTS}
    details = fields_of(given.get("details"))
    usage["details"] = {name: count(number) for name, number in details.items()}
    if price(given.get("cost")) is not None:
        usage["cost"] = str(given["cost"])
    return usage
