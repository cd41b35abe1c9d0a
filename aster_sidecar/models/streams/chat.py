"""Reads streams of OpenAI's chat completions, from OpenAI and many other servers."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from aster_sidecar.models.streams.events import Fields, ProviderError, parse_or_none, with_counts
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.streams.shapes import Shape, fit, joined, sound

CALL: Shape = {
    "index": "position",
    "id": "text",
    "type": "text",
    "function": {"name": "text", "arguments": "arguments"},
}
DELTA: Shape = {
    "role": "text",
    "content": "anything",
    "refusal": "text",
    "reasoning_content": "text",
    "reasoning": "text",
    "tool_calls": [CALL],
    "function_call": {"name": "text", "arguments": "arguments"},
}
CHOICE: Shape = {
    "index": "position",
    "delta": DELTA,
    "message": DELTA,
    "logprobs": {"content": "logprobs", "refusal": "logprobs"},
    "finish_reason": "text",
}
CHUNK: Shape = {
    "id": "text",
    "object": "text",
    "created": "moment",
    "model": "text",
    "choices": [CHOICE],
    "usage": "counts",
    "service_tier": "text",
    "system_fingerprint": "text",
    "moderation": "fields",
}
TEXTS = ("content", "reasoning_content", "reasoning")
PASSING = ("choices", "created", "obfuscation")
"""Fields of a chunk that may differ between pieces of one text."""


@dataclass(slots=True)
class Call:
    """A tool call of the answer so far. `number` is its index in the output."""

    number: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    held: str = ""
    """Arguments that arrived before the call's name."""

    @property
    def complete(self) -> bool:
        """Whether its arguments are a complete JSON object."""
        arguments = self.arguments.rstrip()
        return arguments.endswith("}") and isinstance(parse_or_none(arguments.encode("utf-8", "replace")), dict)

    def is_followed_by(self, name: str, args: str) -> bool:
        """Whether a piece that seems to continue this call begins another: this one is complete, and a name comes."""
        return bool(name and self.name) and args.lstrip()[:1] == "{" and self.complete


class ChatReader(Reader):
    """Reads chat completions, with the variations of some fifty servers."""

    path = "/chat/completions"

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(known)
        self._calls: list[Call] = []
        self._at_index: dict[int, Call] = {}
        self._usage: tuple[bytes, bytes] | None = None
        """The last event with usage, and the event to send instead if newer usage arrives: some servers send totals."""
        self._pattern: Fields = {}
        """The fields of the last event without choices and usage, to make further events from."""

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        if not odd and self._is_plain(frame, value):
            return
        choices = value.get("choices")
        if self._says_error(kind, value):
            if not self.finished:
                raise ProviderError(value)
            return
        right = cast("Fields", fit(value, CHUNK))
        if right.get("usage") is not None:
            right = with_counts(right, "usage", ("prompt_tokens", "completion_tokens"))
        repaired = right is not value or odd
        value = right
        if not isinstance(choices, list):
            repaired = True
        choice: Fields | None = next(iter(value.get("choices") or ()), None)
        if len(value.get("choices") or ()) > 1:
            value, repaired = {**value, "choices": [choice]}, True
        if choice is not None and choice.get("delta") is None:
            choice = {**choice, "delta": choice.get("message") or {}}
            value, repaired = {**value, "choices": [choice]}, True
        if choice is not None:
            repaired = self._repair_choice(value, choice) or repaired
        elif not isinstance(choices, list) and not value.get("usage"):
            return  # nothing for the SDK
        if odd:
            value = sound(value)
        self._pattern = {name: one for name, one in value.items() if name not in ("choices", "usage")}
        if value.get("usage"):
            self._hold(frame, value, repaired=repaired)
        else:
            self.pass_on(frame, "", value, repaired=repaired)

    def _is_plain(self, frame: bytes, value: Fields) -> bool:
        """Output an event that is only a piece of text. Returns whether it was one."""
        match value:
            case {"choices": [{"delta": {**delta}, **choice}]} if value.get("usage") is None:
                pass
            case _:
                return False
        name, text = "", ""
        for key, one in delta.items():
            if key in TEXTS and type(one) is str and one and not name:
                name, text = key, one
            elif one is not None and not (key == "role" and one == "assistant"):
                return False
        if not name or any(one is not None for key, one in choice.items() if key != "index"):
            return False
        rest = {key: one for key, one in value.items() if key not in PASSING}
        if type(value.get("created", 0)) is not int or not self.fits(rest, CHUNK):
            return False
        index = choice.get("index", 0)
        if index != 0 or type(index) is not int or self._halves or not 0 <= value.get("created", 0) < 4_102_444_800:
            return False
        self._pattern = rest

        def place(value: Fields, text: str) -> None:
            value["choices"][0]["delta"][name] = text

        self.piece(frame, value, text, (name, rest, "index" in choice), place)
        return True

    def _says_error(self, kind: str, value: Fields) -> bool:
        if value.get("error") and not value.get("choices"):
            return True
        if value.get("choices"):
            return False
        is_error = kind == "error" or value.get("object") == "error"
        has_message = any(isinstance(value.get(name), str) for name in ("message", "detail", "code"))
        return is_error or ("choices" not in value and "usage" not in value and has_message)

    def _hold(self, frame: bytes, value: Fields, *, repaired: bool) -> None:
        """Hold an event's usage until the end: later usage replaces it, because each counts from the beginning."""
        if self._usage is not None:
            self._flush()
            self._out.append(self._usage[1])
            self._usage = None
        choices: list[Any] = value.get("choices") or []
        rest = self.encode("", {name: one for name, one in value.items() if name != "usage"}) if choices else b""
        if rest and not self.finished:  # the answer goes on: its text must not wait
            self._flush()
            self._out.append(rest)
            alone: Fields = {**value, "choices": []}
            value, rest, repaired = alone, b"", True
        if not choices:
            value.setdefault("choices", [])
        self._usage = (frame if frame and not repaired else self.encode("", value), rest)

    def _repair_choice(self, value: Fields, choice: Fields) -> bool:
        """Repair a choice of `value` in place. Returns whether anything was changed."""
        delta: Fields = choice["delta"]
        changed = False
        for name in TEXTS:
            text = delta.get(name)
            if isinstance(text, str) and text:
                self.progress += 1
                pattern: Fields = {**value, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}

                def place(value: Fields, text: str, name: str = name) -> None:
                    value["choices"][0]["delta"][name] = text

                right = self.repair_text(name, text, pattern, place)
                if choice.get("finish_reason") and (half := self._halves.pop(name, None)) is not None:
                    right += joined(half[0])  # its other half cannot come any more
                changed |= right != text
                delta[name] = right
            elif name == "content" and not isinstance(text, list | str | None):
                delta[name] = json.dumps(text) if isinstance(text, int | float) else None
                changed = True
        calls: Any = delta.get("tool_calls")
        if delta.get("function_call") and not calls:
            calls = [{"index": 0, "function": delta.pop("function_call")}]
            changed = True
        if calls:
            right = [piece for call in calls if (piece := self._renumber(call)) is not None]
            changed |= right != calls
            delta["tool_calls"] = right
        elif "tool_calls" in delta and calls is not None:
            delta.pop("tool_calls")
            changed = True
        if choice.get("index", 0) != 0:
            choice["index"], changed = 0, True
        return self._repair_finish(choice) or changed

    def _repair_finish(self, choice: Fields) -> bool:
        word = choice.get("finish_reason")
        if word is None:
            return False
        if word.strip().lower() in ("", "null", "none", "false"):
            choice["finish_reason"] = None
            return True
        meaning = self.finish(word)
        self._end_halves()
        sent = "stop" if meaning == "error" else meaning
        choice["finish_reason"] = sent
        return sent != word

    def _renumber(self, entry: Fields) -> Fields | None:
        """A piece of a tool call with the index of its call, and with name and id only in the first piece.

        None while the call's name is unknown.
        """
        function: Fields = entry.get("function") or {}
        given, name, args = entry.get("id") or "", function.get("name") or "", function.get("arguments") or ""
        if args:
            self.progress += 1
        call = self._call_of(entry.get("index"), given, name, args)
        right = {**entry, "index": call.number}
        function = dict(function)
        call.id = call.id or given
        if name and call.name:
            # Some servers repeat the name in each piece; some split it into pieces.
            if call.name.startswith(name) or call.arguments:
                function.pop("name")
            else:
                call.name += name
        else:
            call.name = name or call.name
        if not call.name:
            call.held += args
            return None
        if call.held:
            args, call.held = call.held + args, ""
            right["id"] = call.id or None
        if isinstance(args, str) and args:
            args = self._repair_arguments(call, args)
            function["arguments"] = args
            call.arguments += args
        if "function" in entry or function:
            right["function"] = function
        return right

    def _repair_arguments(self, call: Call, args: str) -> str:
        number = call.number
        pattern: Fields = {**self._pattern, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}

        def place(value: Fields, text: str) -> None:
            value["choices"][0]["delta"]["tool_calls"] = [{"index": number, "function": {"arguments": text}}]

        return self.repair_text(("call", number), args, pattern, place)

    def _call_of(self, index: int | None, given: str, name: str, args: str) -> Call:
        """The call that a piece belongs to. Servers reuse indexes, and omit indexes, ids or both."""
        call = self._begun_call(index, given, name)
        if call is None or call.is_followed_by(name, args):
            call = self._new_call(index)
        if index is not None:
            self._at_index[index] = call
        return call

    def _begun_call(self, index: int | None, given: str, name: str) -> Call | None:
        """The call that a piece continues; None when it begins one."""
        if index is not None:
            call = self._at_index.get(index)
            if call is None or not given or call.id in ("", given):
                return call
            return self._call_with(given)  # the server reuses the index
        last = self._calls[-1] if self._calls else None
        if not given or last is None:
            return last
        known = self._call_with(given)
        if known is None and not last.id and not (name and last.name):
            return last  # its id arrives after its beginning
        return known

    def _call_with(self, given: str) -> Call | None:
        """The first call with this id."""
        return next((call for call in self._calls if call.id == given), None)

    def _new_call(self, index: int | None) -> Call:
        """A further call, where possible with the given index as its number."""
        used = {call.number for call in self._calls}
        call = Call(index if index is not None and index not in used else max(used, default=-1) + 1)
        self._calls.append(call)
        return call

    def is_answer(self, value: Fields) -> bool:
        choices: Any = value.get("choices")
        items = cast("list[Any]", choices) if isinstance(choices, list) else []
        return super().is_answer(value) or any(isinstance(one, dict) and "message" in one for one in items)

    def answer(self, value: Fields) -> None:
        message: Any = value.get("message")
        if isinstance(message, dict) and "choices" not in value and "done" in value:  # Ollama's native API
            value = from_ollama(value, cast("Fields", message))
        choices: Any = value.get("choices")
        if isinstance(choices, list):
            for choice in cast("list[Any]", choices):
                whole: Any = cast("Fields", choice).get("message") if isinstance(choice, dict) else None
                calls: Any = cast("Fields", whole).get("tool_calls") if isinstance(whole, dict) else None
                if isinstance(whole, dict) and not cast("Fields", choice).get("finish_reason"):
                    choice["finish_reason"] = "tool_calls" if calls else "stop"  # a complete message
                for number, call in enumerate(cast("list[Any]", calls) if isinstance(calls, list) else ()):
                    if isinstance(call, dict):
                        cast("Fields", call).setdefault("index", number)
        self.event(b"", "", {**value, "object": "chat.completion.chunk"} if choices else value, True)

    def done(self, frame: bytes) -> None:
        if not self.finished and (self.progress or self._calls):
            # The server reports the end without a finish reason.
            meaning = self.finish("tool_calls" if self._calls else "stop")
            self._end_halves()
            self._flush()
            choice: Fields = {"index": 0, "delta": {}, "finish_reason": meaning}
            self._out.append(self.encode("", {**self._pattern, "choices": [choice]}))
        self._put_usage()
        super().done(frame)

    def close(self) -> None:
        super().close()
        self._flush()
        self._put_usage()

    def _put_usage(self) -> None:
        if self._usage is not None:
            self._flush()
            self._out.append(self._usage[0])
            self._usage = None


def from_ollama(value: Fields, message: Fields) -> Fields:
    """An event of Ollama's native API as a chunk."""
    usage = {"completion_tokens": value.get("eval_count"), "prompt_tokens": value.get("prompt_eval_count")}
    delta = {**message, "reasoning": message.get("thinking")}
    finish = (value.get("done_reason") or "stop") if value.get("done") else None
    chunk: Fields = {
        "id": "ollama",
        "object": "chat.completion.chunk",
        "model": value.get("model"),
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return {**chunk, "usage": usage} if value.get("done") else chunk
