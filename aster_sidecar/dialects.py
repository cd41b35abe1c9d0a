"""What a provider streams, event by event: each dialect's reader repairs or drops what is odd and passes on the rest.

The edge feeds a reader bytes and gives what comes out to the provider's SDK. An event that is well-formed leaves byte
for byte; adjacent pieces of one text that arrived in one read leave as one event. Words that servers use for the same
thing are data: `FINISHES`, and the shapes.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, cast

from pydantic_core import from_json, to_json

from aster_sidecar.exchange import Ending, Finish
from aster_sidecar.shapes import GONE, Shape, arguments, fit, joined, sound, split_half

Fields: TypeAlias = dict[str, Any]

FINISHES: dict[str, Finish] = {
    **dict.fromkeys(
        ("stop", "eos", "eos_token", "stop_sequence", "stop_token", "end_turn", "end", "complete", "completed", "done"),
        "stop",
    ),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit", "max_new_tokens"),
        "length",
    ),
    **dict.fromkeys(("model_context_window_exceeded", "context_length", "context_window", "limit"), "length"),
    **dict.fromkeys(("tool_calls", "tool_use", "tool_call", "tools", "malformed_function_call"), "tool_calls"),
    "function_call": "function_call",
    **dict.fromkeys(
        ("content_filter", "content_filtered", "sensitive", "safety", "refusal", "recitation", "blocklist", "spii"),
        "content_filter",
    ),
    **dict.fromkeys(("prohibited_content", "image_safety", "guardrail_intervened", "moderation"), "content_filter"),
    **dict.fromkeys(
        ("error", "abort", "aborted", "cancelled", "canceled", "network_error", "insufficient_system_resource"), "error"
    ),
    **dict.fromkeys(("failed", "failure", "server_error", "timeout", "unexpected_error"), "error"),
}
"""Why an answer ended, in the words of servers → what is meant. A word that is not here ends a whole answer."""

MOST_BYTES = 32 << 20
"""A single event, or an answer that is no stream, may be this long."""
MOST_FIRST_BYTES = 64 << 10
"""So much is read of an answer that is neither events nor JSON."""
BOM = b"\xef\xbb\xbf"
BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)+")
LINE = re.compile(r"\r\n|\n|\r")
KNOWN_FIELD = re.compile(rb"\s*(data|event|id|retry)?\s*:")
TAG = re.compile(r"</?[a-zA-Z_|]+>")
"""A text that is this and nothing else may start or end the model's thinking."""


class Malformed(ValueError):
    """An event that can't be read, and that may have been part of the answer."""


class NoStream(ValueError):
    """The answer is neither a stream nor a whole answer. `first` is what it begins with."""

    def __init__(self, first: bytes) -> None:
        super().__init__("no stream")
        self.first = first


class ProviderError(ValueError):
    """The provider says within its answer that it failed. `body` is what it says."""

    def __init__(self, body: Any) -> None:
        super().__init__("the provider failed")
        self.body = body


@dataclass(slots=True)
class Run:
    """Adjacent pieces of one text. `rest` is all that must be equal for a piece to belong; `place` puts text in."""

    value: Fields
    frame: bytes
    rest: Any
    place: Callable[[Fields, str], None]
    pieces: list[str] = field(default_factory=list[str])


class Reader:
    """Reads one answer. `feed` and `end` return what the SDK is to read."""

    path: ClassVar = ""
    """How the path of such requests ends."""

    def __init__(self, known: Collection[str] = ()) -> None:
        self.known = known
        """Types of events that the SDK knows; empty: all are passed on."""
        self.whole = False
        """Whether nothing more can come that matters."""
        self.finished = False
        """Whether the answer said why it ended; only figures may follow."""
        self.ending: Ending | None = None
        self.progress = 0
        """How many pieces of text, thinking or arguments came."""
        self.said = False
        """Whether any event came."""
        self.failed: ValueError | None = None
        """What is wrong with the answer behind all that was given so far: `end` raises it."""
        self._buffer = b""
        self._form: Literal["events", "json", "unknown"] | None = None
        self._out: list[bytes] = []
        self._run: Run | None = None
        self._halves: dict[Any, tuple[str, Fields, Callable[[Fields, str], None]]] = {}

    # -- bytes → events ----------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> bytes:
        """Take in what arrived in one read. Raises: Malformed, NoStream, ProviderError."""
        if self.whole:
            return b""
        self._buffer += data
        if self._form is None and not self._begin():
            return b""
        if len(self._buffer) > (MOST_FIRST_BYTES if self._form == "unknown" else MOST_BYTES):
            if self._form == "unknown":
                raise NoStream(self._buffer)
            raise Malformed(f"an event of more than {MOST_BYTES >> 20} MiB")
        if self._form == "events":
            try:
                for frame in self._frames():
                    self._frame(frame)
                    if self.whole:
                        break
            except (Malformed, ProviderError) as error:
                self.failed = error
        out = self._take()
        if self.failed is not None and not out:
            raise self.failed
        return out

    def end(self) -> bytes:
        """The provider closed the stream. Raises: as `feed`."""
        if self.failed is not None:
            raise self.failed
        if self.whole:
            return self._take()
        if self._form is None:
            self._begin(last=True)
        rest, self._buffer = self._buffer, b""
        if self._form == "events" and rest.strip():
            # It ended in the middle of an event, where that can't be read; then the answer has no end either.
            with contextlib.suppress(Malformed):
                self._frame(rest.rstrip(b"\r\n") + b"\n\n")
        elif self._form == "json":
            self._read_json(rest)
        elif self._form == "unknown":
            raise NoStream(rest)
        if self.finished and not self.whole:
            self.close()
        return self._take()

    def close(self) -> None:
        """Finish an answer that said why it ended, though its stream goes on or broke."""
        self._end_halves()
        self.whole = True

    def _begin(self, *, last: bool = False) -> bool:
        """Find out what is coming. Returns whether that is known now."""
        start = self._buffer.removeprefix(BOM).lstrip()
        if not last and (len(start) < 8 or BOM.startswith(self._buffer)):
            return False
        self._buffer = self._buffer.removeprefix(BOM)
        if start[:1] in (b"{", b"["):
            self._form = "json"
        elif KNOWN_FIELD.match(start):
            self._form = "events"
        else:
            self._form = "unknown"
        return True

    def _frames(self) -> list[bytes]:
        """Cut whole events off the buffer, each with the blank line behind it."""
        if b"\r" not in self._buffer:
            *frames, self._buffer = self._buffer.split(b"\n\n")
            return [frame + b"\n\n" for frame in frames]
        frames, at = list[bytes](), 0
        for blank in BLANK_LINE.finditer(self._buffer):
            frames.append(self._buffer[at : blank.end()])
            at = blank.end()
        self._buffer = self._buffer[at:]
        return frames

    def _frame(self, frame: bytes) -> None:
        """Read one event. Raises: Malformed, ProviderError."""
        kind, body, plain = "", frame[5:-2], True
        if not frame.startswith(b"data:") or b"\n" in body or b"\r" in body:
            first = frame.find(b"\n")
            kind = frame[7:first].decode("ascii", "ignore") if frame.startswith(b"event: ") else ""
            body = frame[first + 6 : -2]
            if not kind or not frame.startswith(b"data:", first + 1) or b"\n" in body or b"\r" in frame:
                kind, body = parts(frame)
                plain = is_text(frame)
        if body is None or not (body := body.strip()):
            self._flush()
            if plain and is_comment(frame):
                self._out.append(frame)
            return
        if body.startswith(b"[DONE]"):
            self.done(frame if frame.startswith(b"data: [DONE]") else b"data: [DONE]\n\n")
            return
        self.said = True
        try:
            value, odd = parse(body)
        except Malformed:
            if kind == "error":
                raise ProviderError(body.decode("utf-8", "replace")) from None
            if self.finished:
                return
            raise
        if kind == "error" and not isinstance(value, dict):
            value = {"error": value}
        if not plain:
            frame = b""
        if isinstance(value, dict):
            self.event(frame, kind, cast("Fields", value), odd)
        elif isinstance(value, list):
            for one in cast("list[Any]", value):
                if isinstance(one, dict):
                    self.event(b"", kind, cast("Fields", one), True)
        elif isinstance(value, str) and value.strip():
            raise ProviderError(value)

    def _read_json(self, text: bytes) -> None:
        """An answer that is no stream: one JSON text, or one a line. Raises: NoStream, ProviderError."""
        try:
            value, _ = parse(text.strip())
            values = cast("list[Any]", value) if isinstance(value, list) else [value]
        except Malformed:
            values = [parse_or_none(line) for line in text.splitlines() if line.strip()]
        self.said = True
        if not values or not all(isinstance(one, dict) for one in values):
            raise NoStream(text)
        for one in cast("list[Fields]", values):
            self.answer(sound(one))
        if not self.finished:
            raise NoStream(text)

    # -- events → bytes ----------------------------------------------------------------------------------------------

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        """Read one event, given as it came, and parsed. `odd`: its text has halves of surrogate pairs."""
        raise NotImplementedError

    def answer(self, value: Fields) -> None:
        """Read an object of an answer that is no stream. Raises: ProviderError."""
        self.event(b"", "", value, True)

    def done(self, frame: bytes) -> None:
        """The stream says that it is over."""
        self.close()
        self._out.append(frame)

    def pass_on(self, frame: bytes, kind: str, value: Fields, *, mended: bool) -> None:
        """Let an event leave: as it came, unless it was mended."""
        self._flush()
        self._out.append(frame if frame and not mended else self.encode(kind, value))

    def encode(self, kind: str, value: Fields) -> bytes:
        return b"data: " + dump(value) + b"\n\n"

    def piece(
        self,
        frame: bytes,
        value: Fields,
        text: str,
        rest: Any,
        place: Callable[[Fields, str], None],
        *,
        latest: bool = False,
    ) -> None:
        """Let a piece of plain text leave, with those before and behind it that arrived with it.

        `latest`: what else is in their events is to be as in the last of them, not as in the first.
        """
        self.progress += 1
        run = self._run
        if run is not None and run.rest == rest and not TAG.fullmatch(text):
            run.pieces.append(text)
            if latest:
                run.value = value
            return
        self._flush()
        if TAG.fullmatch(text) or text.isspace():  # what SDKs look for as a whole
            self._out.append(frame)
        else:
            self._run = Run(value, frame, rest, place, [text])

    def _flush(self) -> None:
        """Let the pieces that were gathered leave."""
        run, self._run = self._run, None
        if run is None:
            return
        if len(run.pieces) == 1:
            self._out.append(run.frame)
            return
        text = "".join(run.pieces)
        for part in run.pieces if TAG.fullmatch(text) else (text,):
            run.place(run.value, part)
            self._out.append(self.encode("", run.value))

    def _take(self) -> bytes:
        self._flush()
        out = b"".join(self._out)
        self._out.clear()
        return out

    # -- text --------------------------------------------------------------------------------------------------------

    def mend_text(self, key: Any, text: str, value: Fields, place: Callable[[Fields, str], None]) -> str:
        """The text with whole characters only; the half of one that it ends with is held until the other half comes.

        `key` names the text that the piece belongs to, `value` and `place` are a pattern for an event with the rest.
        """
        held = self._halves.pop(key, None)
        text, half = split_half((held[0] if held else "") + text)
        if half:
            self._halves[key] = (half, value, place)
        return joined(text)

    def _end_halves(self) -> None:
        """Let halves of characters leave that never got the other half."""
        for half, value, place in self._halves.values():
            self._flush()
            value = json.loads(json.dumps(value))
            place(value, joined(half))
            self._out.append(self.encode("", value))
        self._halves.clear()

    def finish(self, word: str) -> Finish:
        """Note why the answer ended; returns what the word means."""
        meaning = FINISHES.get(re.sub(r"[\s-]+", "_", word.strip().lower()), "stop")
        self.finished = True
        self.ending = Ending(meaning, word)
        return meaning


# -- OpenAI chat completions -------------------------------------------------------------------------------------------

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
CHOICE: Shape = {"index": "position", "delta": DELTA, "message": DELTA, "logprobs": "fields", "finish_reason": "text"}
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
    """A tool call of the answer so far. `number` is the index it leaves under."""

    number: int
    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def complete(self) -> bool:
        """Whether its arguments are a whole JSON object."""
        return isinstance(parse_or_none(self.arguments.encode("utf-8", "replace")), dict)


class ChatReader(Reader):
    """OpenAI chat completions, as OpenAI and some fifty other servers speak it."""

    path = "/chat/completions"

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(known)
        self._calls: list[Call] = []
        self._at_index: dict[int, Call] = {}
        self._usage: tuple[bytes, bytes] | None = None
        """The event with the last figures, and what is left of it when others come: some servers count on and on."""
        self._pattern: Fields = {}

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
        mended = right is not value or odd
        value = right
        if not isinstance(choices, list):
            mended = True
        choice: Fields | None = next(iter(value.get("choices") or ()), None)
        if len(value.get("choices") or ()) > 1:
            value, mended = {**value, "choices": [choice]}, True
        if choice is not None and choice.get("delta") is None:
            choice = {**choice, "delta": choice.get("message") or {}}
            value, mended = {**value, "choices": [choice]}, True
        if choice is not None:
            mended = self._mend_choice(value, choice) or mended
        elif not isinstance(choices, list) and not value.get("usage"):
            return  # nothing in it for the SDK
        if odd:
            value = sound(value)
        self._pattern = {name: one for name, one in value.items() if name not in ("choices", "usage")}
        if value.get("usage"):
            self._hold(frame, value, mended=mended)
        else:
            self.pass_on(frame, "", value, mended=mended)

    def _is_plain(self, frame: bytes, value: Fields) -> bool:
        """Whether the event is a piece of text and nothing else; then it leaves."""
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
        if type(value.get("created", 0)) is not int or fit(rest, CHUNK) is not rest:
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
        told = kind == "error" or value.get("object") == "error"
        said = any(isinstance(value.get(name), str) for name in ("message", "detail", "code"))
        return told or ("choices" not in value and "usage" not in value and said)

    def _hold(self, frame: bytes, value: Fields, *, mended: bool) -> None:
        """Keep an event's figures until the end: others may come, which count from the beginning again."""
        if self._usage is not None:
            self._flush()
            self._out.append(self._usage[1])
            self._usage = None
        choices = value.get("choices") or []
        rest = self.encode("", {name: one for name, one in value.items() if name != "usage"}) if choices else b""
        if rest and not self.finished:  # it goes on: what is said here must not wait
            self._flush()
            self._out.append(rest)
            value, rest, mended = {**value, "choices": []}, b"", True
        if not choices:
            value.setdefault("choices", [])
        self._usage = (frame if frame and not mended else self.encode("", value), rest)

    def _mend_choice(self, value: Fields, choice: Fields) -> bool:
        """Mend a choice within `value`, in place. Returns whether anything was changed."""
        delta: Fields = choice["delta"]
        changed = False
        for name in TEXTS:
            text = delta.get(name)
            if isinstance(text, str) and text:
                self.progress += 1
                pattern = {**value, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}

                def place(value: Fields, text: str, name: str = name) -> None:
                    value["choices"][0]["delta"][name] = text

                right = self.mend_text(name, text, pattern, place)
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
            right = [self._renumber(call) for call in calls]
            changed |= right != calls
            delta["tool_calls"] = right
        elif "tool_calls" in delta and calls is not None:
            delta.pop("tool_calls")
            changed = True
        if choice.get("index", 0) != 0:
            choice["index"], changed = 0, True
        return self._mend_finish(choice) or changed

    def _mend_finish(self, choice: Fields) -> bool:
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

    def _renumber(self, entry: Fields) -> Fields:
        """A piece of a tool call, under the index of the call that it belongs to, with its name and id once."""
        function: Fields = entry.get("function") or {}
        given, name, args = entry.get("id") or "", function.get("name") or "", function.get("arguments") or ""
        if args:
            self.progress += 1
        call = self._call_of(entry.get("index"), given, name, args)
        right = {**entry, "index": call.number}
        function = dict(function)
        call.id = call.id or given
        if name and call.name:
            # Some repeat the name in each piece; some cut it into pieces.
            if call.name.startswith(name) or call.arguments:
                function.pop("name")
            else:
                call.name += name
        else:
            call.name = name or call.name
        if isinstance(args, str) and args:
            args = self._mend_arguments(call, args)
            function["arguments"] = args
            call.arguments += args
        if "function" in entry or function:
            right["function"] = function
        return right

    def _mend_arguments(self, call: Call, args: str) -> str:
        number = call.number
        pattern = {**self._pattern, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}

        def place(value: Fields, text: str) -> None:
            value["choices"][0]["delta"]["tool_calls"] = [{"index": number, "function": {"arguments": text}}]

        return self.mend_text(("call", number), args, pattern, place)

    def _call_of(self, index: int | None, given: str, name: str, args: str) -> Call:
        """The call that a piece belongs to. Servers reuse indexes, and leave out indexes, ids or both."""
        known = next((call for call in self._calls if given and call.id == given), None)
        at = self._at_index.get(index) if index is not None else (self._calls[-1] if self._calls else None)
        if given and at is not None and at.id and at.id != given:
            at = known
        elif index is None and given:
            at = known or (at if at is not None and not at.id and not (name and at.name) else None)
        if at is not None and name and args and at.name and at.arguments and at.complete:
            at = None  # whole already, and a name again: another call
        if at is None:
            used = {call.number for call in self._calls}
            number = index if index is not None and index not in used else max(used, default=-1) + 1
            at = Call(number)
            self._calls.append(at)
        if index is not None:
            self._at_index[index] = at
        return at

    def answer(self, value: Fields) -> None:
        message: Any = value.get("message")
        if isinstance(message, dict) and "choices" not in value and "done" in value:  # Ollama's own interface
            value = from_ollama(value, cast("Fields", message))
        choices: Any = value.get("choices")
        if isinstance(choices, list):
            for choice in cast("list[Any]", choices):
                told: Any = cast("Fields", choice).get("message") if isinstance(choice, dict) else None
                calls: Any = cast("Fields", told).get("tool_calls") if isinstance(told, dict) else None
                if isinstance(told, dict) and not cast("Fields", choice).get("finish_reason"):
                    choice["finish_reason"] = "tool_calls" if calls else "stop"  # a whole message
                for number, call in enumerate(cast("list[Any]", calls) if isinstance(calls, list) else ()):
                    if isinstance(call, dict):
                        cast("Fields", call).setdefault("index", number)
        self.event(b"", "", {**value, "object": "chat.completion.chunk"} if choices else value, True)

    def done(self, frame: bytes) -> None:
        if not self.finished and (self.progress or self._calls):
            # The server says that it is over, though not why.
            meaning = self.finish("tool_calls" if self._calls else "stop")
            self._end_halves()
            self._flush()
            choice = {"index": 0, "delta": {}, "finish_reason": meaning}
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
    """An event of Ollama's own interface as a chunk."""
    told = {"completion_tokens": value.get("eval_count"), "prompt_tokens": value.get("prompt_eval_count")}
    delta = {**message, "reasoning": message.get("thinking")}
    finish = (value.get("done_reason") or "stop") if value.get("done") else None
    chunk: Fields = {
        "id": "ollama",
        "object": "chat.completion.chunk",
        "model": value.get("model"),
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return {**chunk, "usage": told} if value.get("done") else chunk


# -- OpenAI Responses --------------------------------------------------------------------------------------------------

ITEM: Shape = {
    "id": "text",
    "type": "text",
    "call_id": "text",
    "name": "text",
    "arguments": "arguments",
    "role": "text",
    "phase": "text",
    "encrypted_content": "text",
    "content": ["fields"],
    "summary": ["fields"],
}
RESPONSE: Shape = {
    "id": "text",
    "created_at": "moment",
    "model": "text",
    "status": "text",
    "output": [ITEM],
    "usage": "counts",
    "service_tier": "text",
    "incomplete_details": {"reason": "text"},
    "conversation": {"id": "text"},
    "moderation": "fields",
    "prompt_cache_diagnostics": "fields",
}
EVENT: Shape = {
    "sequence_number": "count",
    "output_index": "position",
    "content_index": "position",
    "summary_index": "position",
    "item_id": "text",
    "delta": "text",
    "text": "text",
    "refusal": "text",
    "name": "text",
    "arguments": "arguments",
    "logprobs": ["fields"],
    "item": ITEM,
    "response": RESPONSE,
}
PIECES = {
    "response.output_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta",
}
ENDS = ("response.completed", "response.incomplete", "response.failed", "response.done", "response.cancelled")


class ResponsesReader(Reader):
    """OpenAI Responses."""

    path = "/responses"

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(known)
        self._items: dict[Any, str] = {}

    def encode(self, kind: str, value: Fields) -> bytes:
        return b"event: " + str(value.get("type") or kind).encode() + b"\ndata: " + dump(value) + b"\n\n"

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        if not odd and self._is_plain(frame, value):
            return
        told = value.get("type")
        mended = odd
        if not isinstance(told, str):
            told, mended = kind, True
        if told == "error" or (value.get("error") and not told.startswith("response.")):
            raise ProviderError(value if value.get("error") else {"error": value})
        if not told and isinstance(value.get("choices"), list):
            raise ProviderError({"error": {"code": "unsupported_endpoint", "message": "chat completions came instead"}})
        response: Any = value.get("response")
        fields = cast("Fields", response) if isinstance(response, dict) else {}
        if told == "response.failed" or (told == "response.done" and fields.get("status") == "failed"):
            said = fields.get("error")
            raise ProviderError({"error": said or {"code": "server_error", "message": "the response failed"}})
        if told in ENDS and isinstance(response, dict):
            response, changed = self._mend_end(cast("Fields", response), told)
            told = "response.incomplete" if response.get("status") == "incomplete" else "response.completed"
            value, mended = {**value, "type": told, "response": response}, mended or changed or value["type"] != told
        elif told in ENDS:
            return
        if (self.known and told not in self.known) or not told:
            return
        if told in ("response.created", "response.in_progress", "response.queued") and not isinstance(response, dict):
            return
        right = cast("Fields", fit({**value, "type": told}, EVENT))
        if isinstance(right.get("response"), dict):
            right["response"] = with_counts(right["response"], "usage", ("input_tokens", "output_tokens"))
        mended = mended or any(right.get(name, GONE) is not one for name, one in value.items())
        value = right
        if told.endswith(".delta"):
            delta = value.get("delta")
            if not isinstance(delta, str):
                return
            mended = self._mend_delta(told, value, delta) or mended
        item: Any = value.get("item")
        if isinstance(item, dict):
            if self.known and cast("Fields", item).get("type") not in self.known:
                return
            mended = self._mend_item(value, cast("Fields", item), told) or mended
        elif told.startswith("response.output_item"):
            return
        elif told.startswith(("response.function_call", "response.output_text")) and not value.get("item_id"):
            value["item_id"] = self._items.get(value.get("output_index"), "item")
            mended = True
        if odd:
            value = sound(value)
        self.pass_on(frame, told, value, mended=mended)
        if self.finished:
            self.close()

    def _is_plain(self, frame: bytes, value: Fields) -> bool:
        told, text = value.get("type"), value.get("delta")
        if not isinstance(told, str) or told not in PIECES or type(text) is not str or not text:
            return False
        if self._halves or value.get("logprobs"):
            return False
        rest = {name: one for name, one in value.items() if name not in ("delta", "sequence_number", "obfuscation")}
        if not rest.get("item_id") or fit(rest, EVENT) is not rest or type(value.get("sequence_number", 0)) is not int:
            return False

        def place(value: Fields, text: str) -> None:
            value["delta"] = text

        self.piece(frame, value, text, rest, place, latest=True)
        return True

    def _mend_delta(self, told: str, value: Fields, delta: str) -> bool:
        self.progress += bool(delta)

        def place(value: Fields, text: str) -> None:
            value["delta"] = text

        text = self.mend_text((told, value.get("item_id")), delta, dict(value), place)
        value["delta"] = text
        return text != delta

    def _mend_item(self, value: Fields, item: Fields, told: str) -> bool:
        """Give a tool call what it can't do without."""
        changed = False
        if not item.get("id"):
            index = value.get("output_index")
            item["id"], changed = self._items.get(index) or f"item_{index or 0}", True
        self._items[value.get("output_index")] = item["id"]
        if item.get("type") == "function_call":
            if not item.get("call_id"):
                item["call_id"], changed = item["id"], True
            for name in ("name", "arguments"):
                if not isinstance(item.get(name), str):
                    item[name], changed = "", True
            if told == "response.output_item.done" and item["arguments"]:
                self.progress += 1
        return changed

    def _mend_end(self, response: Fields, told: str) -> tuple[Fields, bool]:
        """What the last event says of why the answer ended."""
        details: Any = response.get("incomplete_details")
        reason: Any = cast("Fields", details).get("reason") if isinstance(details, dict) else None
        status = response.get("status")
        if not isinstance(reason, str) or not reason:
            reason = "max_output_tokens" if told == "response.incomplete" or status == "incomplete" else "completed"
        if told == "response.cancelled":
            reason = "cancelled"
        meaning = self.finish(reason)
        self._end_halves()
        right: Fields = {"status": "completed"}
        if meaning in ("length", "content_filter"):
            known = "max_output_tokens" if meaning == "length" else "content_filter"
            right = {"status": "incomplete", "incomplete_details": {"reason": known}}
        changed = any(response.get(name) != one for name, one in right.items())
        if right["status"] == "completed" and response.get("incomplete_details"):
            right["incomplete_details"], changed = None, True
        return ({**response, **right}, True) if changed else (response, False)

    def answer(self, value: Fields) -> None:
        """A whole response: the events that would have told it. Or one of these, on a line of its own."""
        if isinstance(value.get("type"), str) and (value["type"].startswith("response.") or value["type"] == "error"):
            self.event(b"", "", value, True)
            return
        if value.get("error"):
            raise ProviderError(value)
        if not isinstance(value.get("output"), list):
            raise NoStream(dump(value))
        response = cast("Fields", fit(value, RESPONSE))
        self.event(b"", "", {"type": "response.created", "response": {**response, "output": []}}, True)
        for number, item in enumerate(response.get("output") or ()):
            self.event(
                b"", "", {"type": "response.output_item.added", "output_index": number, "item": dict(item)}, True
            )
            place = {"item_id": self._items.get(number, ""), "output_index": number}
            for kind, name in (("output_text", "content"), ("summary_text", "summary")):
                parts: Any = item.get(name)
                for index, part in enumerate(parts if isinstance(parts, list) else ()):
                    self._tell_part(place, kind, index, part)
            self.event(b"", "", {"type": "response.output_item.done", "output_index": number, "item": dict(item)}, True)
        status = response.get("status")
        last = "response.incomplete" if status == "incomplete" else "response.completed"
        self.event(b"", "", {"type": last, "response": response}, True)

    def _tell_part(self, place: Fields, kind: str, index: int, part: Any) -> None:
        told = cast("Fields", part) if isinstance(part, dict) else {}
        if kind == "summary_text" and told.get("type") == kind:
            text = {"type": "response.reasoning_summary_text.delta", "summary_index": index, "delta": told.get("text")}
            self.event(b"", "", {**place, **text}, True)
        elif told.get("type") in (kind, "text"):
            text = {"type": "response.output_text.delta", "content_index": index, "delta": told.get("text")}
            self.event(b"", "", {**place, **text, "logprobs": []}, True)
        elif told.get("type") == "refusal":
            text = {"type": "response.refusal.delta", "content_index": index, "delta": told.get("refusal")}
            self.event(b"", "", {**place, **text}, True)


# -- Anthropic messages ------------------------------------------------------------------------------------------------

BLOCK: Shape = {"type": "text", "text": "text", "thinking": "text", "signature": "text", "id": "text", "name": "text"}
MESSAGE: Shape = {
    "id": "text",
    "model": "text",
    "role": "text",
    "content": ["fields"],
    "stop_reason": "text",
    "stop_sequence": "text",
    "usage": "counts",
}
ANTHROPIC: Shape = {
    "index": "position",
    "message": MESSAGE,
    "content_block": BLOCK,
    "delta": {
        "type": "text",
        "text": "text",
        "thinking": "text",
        "signature": "text",
        "partial_json": "arguments",
        "stop_reason": "text",
        "stop_sequence": "text",
    },
    "usage": "counts",
}
DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
STARTS: dict[str, Fields] = {
    "text_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": "", "signature": ""},
}
OTHER_DELTAS = ("signature_delta", "citations_delta", "compaction_delta")
STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "error": "end_turn",
}
OWN_REASONS = (
    *("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "compaction"),
    "model_context_window_exceeded",
)


class AnthropicReader(Reader):
    """Anthropic messages."""

    path = "/messages"

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(known)
        self._begun = False
        self._blocks = 0
        """How many blocks began; servers may use an index again."""
        self._at: dict[int, int] = {}
        """The index that each open block leaves under, by the one that it came with."""

    def encode(self, kind: str, value: Fields) -> bytes:
        return b"event: " + str(value.get("type") or kind).encode() + b"\ndata: " + dump(value) + b"\n\n"

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        if not odd and kind and self._is_plain(frame, value):
            return
        told = value.get("type")
        mended = odd or not kind or kind != told
        if not isinstance(told, str):
            told, mended = kind, True
        if told == "error" or value.get("error"):
            if not self.finished:
                raise ProviderError(value)
            return
        if (self.known and told not in self.known and told != "ping") or not told:
            return
        right = cast("Fields", fit({**value, "type": told}, ANTHROPIC))
        mended = mended or any(right.get(name, GONE) is not one for name, one in value.items())
        value = right
        delta = cast("Fields", value.get("delta")) if isinstance(value.get("delta"), dict) else None
        if not self._begun and told not in ("ping", "message_start"):
            self._start()
        match told:
            case "content_block_start":
                block: Any = value.get("content_block")
                if not isinstance(block, dict) or (self.known and block.get("type") not in self.known):
                    return
                mended = self._open(value) or mended
            case "content_block_delta":
                if delta is None or delta.get("type") not in (*DELTAS, *OTHER_DELTAS):
                    return
                index = value.get("index", max(self._at, default=0))
                if index not in self._at and delta["type"] not in STARTS:
                    return
                mended = self._mend_delta(value, delta, index) or mended
            case "content_block_stop":
                index = self._at.pop(value.get("index", -1), None)
                if index is None:
                    return
                mended = mended or index != value["index"]
                value["index"] = index
            case "message_delta":
                mended = self._mend_end(value, delta or {}) or mended
            case "message_start":
                message: Any = value.get("message")
                if not isinstance(message, dict):
                    return
                start = with_counts(cast("Fields", message), "usage", ("input_tokens", "output_tokens"))
                if not isinstance(start.get("usage"), dict):
                    start = {**start, "usage": {"input_tokens": 0, "output_tokens": 0}}
                mended = mended or start is not message
                value["message"] = start
                self._begun = True
            case "message_stop":
                self._end_halves()
                self.whole = True
            case _:
                pass
        if odd:
            value = sound(value)
        self.pass_on(frame, told, value, mended=mended)

    def _is_plain(self, frame: bytes, value: Fields) -> bool:
        delta: Any = value.get("delta")
        if value.get("type") != "content_block_delta" or not isinstance(delta, dict) or self._halves:
            return False
        told = cast("Fields", delta)
        name = DELTAS.get(cast("Any", told.get("type")), "") if isinstance(told.get("type"), str) else ""
        text = told.get(name)
        if type(text) is not str or not text or type(value.get("index")) is not int:
            return False
        if self._at.get(value["index"]) != value["index"]:
            return False

        def place(value: Fields, text: str) -> None:
            value["delta"][name] = text

        others = {key: one for key, one in told.items() if key != name}
        rest = {key: one for key, one in value.items() if key != "delta"}
        self.piece(frame, value, text, (others, rest), place)
        return True

    def _start(self) -> None:
        """Begin a message of which no beginning came."""
        self._begun = True
        usage = {"input_tokens": 0, "output_tokens": 0}
        message: Fields = {"id": "", "type": "message", "role": "assistant", "model": "", "content": [], "usage": usage}
        self._flush()
        self._out.append(self.encode("", {"type": "message_start", "message": message}))

    def _open(self, value: Fields) -> bool:
        """Begin a block, under an index that none had before. Returns whether that is another than it came with."""
        given = value.get("index")
        index = given if isinstance(given, int) and given >= self._blocks else self._blocks
        self._blocks = index + 1
        self._at[index if given is None else given] = value["index"] = index
        return index != given

    def _mend_delta(self, value: Fields, delta: Fields, given: int) -> bool:
        kind = delta["type"]
        if given not in self._at:
            opened: Fields = {"type": "content_block_start", "index": given, "content_block": dict(STARTS[kind])}
            self._open(opened)
            self._at[given] = opened["index"]
            self._flush()
            self._out.append(self.encode("content_block_start", opened))
        index = self._at[given]
        changed = value.get("index") != index
        value["index"] = index
        name = DELTAS.get(kind)
        if name is None:
            return changed
        text = delta.get(name)
        if not isinstance(text, str):
            delta[name] = ""
            return True
        if text:
            self.progress += 1

        def place(value: Fields, text: str) -> None:
            value["delta"] = {"type": kind, name: text}

        right = self.mend_text(index, text, {**value, "delta": {}}, place)
        delta[name] = right
        return changed or right != text

    def _mend_end(self, value: Fields, delta: Fields) -> bool:
        changed = value.get("delta") is not delta
        value["delta"] = delta
        usage: Any = value.get("usage")
        if not isinstance(usage, dict) or cast("Fields", usage).get("output_tokens") is None:
            given = cast("Fields", usage) if isinstance(usage, dict) else {}
            value["usage"], changed = {**given, "output_tokens": 0}, True
        word = delta.get("stop_reason")
        if not isinstance(word, str) or not word:
            return changed
        meaning = self.finish(word)
        self._end_halves()
        if word in OWN_REASONS:
            return changed
        value["delta"] = {**delta, "stop_reason": STOP_REASONS[meaning]}
        return True

    def close(self) -> None:
        if not self.whole:
            super().close()
            self._flush()
            self._out.append(self.encode("message_stop", {"type": "message_stop"}))

    def answer(self, value: Fields) -> None:
        """A whole message: the events that would have told it. Or one of these, on a line of its own."""
        content: Any = value.get("content")
        if value.get("type") == "error" or value.get("error"):
            raise ProviderError(value)
        if isinstance(value.get("type"), str) and value["type"] != "message":
            self.event(b"", "", value, True)
            return
        if not isinstance(content, list):
            raise NoStream(dump(value))
        message = cast("Fields", fit(value, MESSAGE))
        start = {**message, "content": [], "stop_reason": None}
        self.event(b"", "", {"type": "message_start", "message": start}, True)
        for index, block in enumerate(message.get("content") or ()):
            self._tell_block(index, cast("Fields", block))
        end = {"stop_reason": message.get("stop_reason") or "end_turn", "stop_sequence": message.get("stop_sequence")}
        told = {"type": "message_delta", "delta": end, "usage": message.get("usage") or {"output_tokens": 0}}
        self.event(b"", "", told, True)
        self.event(b"", "", {"type": "message_stop"}, True)

    def _tell_block(self, index: int, block: Fields) -> None:
        first, pieces = dict(block), list[Fields]()
        for kind, name in DELTAS.items():
            given = block.get("input" if name == "partial_json" else name)
            if name == "partial_json" and given is not None:
                first["input"] = {}
                pieces.append({"type": kind, name: arguments(given)})
            elif isinstance(given, str) and block.get("type") == name:
                first[name] = ""
                pieces.append({"type": kind, name: given})
        self.event(b"", "", {"type": "content_block_start", "index": index, "content_block": first}, True)
        for delta in pieces:
            self.event(b"", "", {"type": "content_block_delta", "index": index, "delta": delta}, True)
        self.event(b"", "", {"type": "content_block_stop", "index": index}, True)


READERS: tuple[type[Reader], ...] = (ChatReader, ResponsesReader, AnthropicReader)


# -- reading -----------------------------------------------------------------------------------------------------------


def parts(frame: bytes) -> tuple[str, bytes | None]:
    """Name and data of an event; no data: it is a comment. A line of JSON alone counts as data."""
    kind, data = "", list[str]()
    for line in LINE.split(frame.decode("utf-8", "surrogateescape").lstrip("\ufeff")):
        name, _, value = line.partition(":")
        if line[:1] in ("{", "["):
            data.append(line)
        elif name == "data":
            data.append(value.removeprefix(" "))
        elif name == "event":
            kind = value.strip()
    return kind, "\n".join(data).encode("utf-8", "surrogateescape") if data else None


def parse(body: bytes) -> tuple[Any, bool]:
    """What a JSON text says, and whether it has halves of surrogate pairs or bytes that are no text.

    Raises: Malformed.
    """
    try:
        return from_json(body), False
    except ValueError:
        pass
    try:
        return json.loads(body.decode("utf-8", "replace")), True
    except (ValueError, RecursionError) as error:
        raise Malformed(f"an event that is not JSON: {body[:200].decode('utf-8', 'replace')!r}") from error


def parse_or_none(body: bytes) -> Any:
    try:
        return parse(body)[0]
    except Malformed:
        return None


def with_counts(holder: Fields, name: str, needed: tuple[str, str]) -> Fields:
    """An object with the usage in it as SDKs need it: both counts, or no usage at all."""
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
    """Whether an event without data is a comment, and no field alone."""
    return all(not line or line.startswith(b":") for line in frame.splitlines())


def dump(value: Any) -> bytes:
    """JSON in UTF-8."""
    try:
        return to_json(value)
    except ValueError:  # halves of surrogate pairs
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
