"""Reads streams of Anthropic's Messages API, from Anthropic and servers that imitate it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from aster_sidecar.models.streams.events import Fields, NoStream, ProviderError, dump, with_counts
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.streams.shapes import GONE, Shape, arguments, fit, sound

BLOCK: Shape = {"type": "text", "text": "text", "thinking": "text", "signature": "text", "id": "text", "name": "text"}
CONTAINER: Shape = {"id": "text", "expires_at": "text"}
MESSAGE: Shape = {
    "id": "text",
    "model": "text",
    "role": "text",
    "content": ["fields"],
    "stop_reason": "text",
    "stop_sequence": "text",
    "container": CONTAINER,
    "context_management": "fields",
    "diagnostics": "fields",
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
        "container": CONTAINER,
    },
    "context_management": "fields",
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
    """Reads Anthropic messages."""

    path = "/messages"

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(known)
        self._begun = False
        self._blocks = 0
        """How many blocks began; servers may reuse an index."""
        self._at: dict[int, int] = {}
        """An open block's index in the input → its index in the output."""

    def encode(self, kind: str, value: Fields) -> bytes:
        return b"event: " + str(value.get("type") or kind).encode() + b"\ndata: " + dump(value) + b"\n\n"

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        if not odd and kind and self._is_plain(frame, value):
            return
        event_type = value.get("type")
        repaired = odd or not kind or kind != event_type
        if not isinstance(event_type, str):
            event_type, repaired = kind, True
        if event_type == "error" or value.get("error"):
            if not self.finished:
                raise ProviderError(value)
            return
        if (self.known and event_type not in self.known and event_type != "ping") or not event_type:
            return
        right = cast("Fields", fit({**value, "type": event_type}, ANTHROPIC))
        repaired = repaired or any(right.get(name, GONE) is not one for name, one in value.items())
        value = right
        delta = cast("Fields", value.get("delta")) if isinstance(value.get("delta"), dict) else None
        if not self._begun and event_type not in ("ping", "message_start"):
            self._start()
        match event_type:
            case "content_block_start":
                block: Any = value.get("content_block")
                if not isinstance(block, dict) or (self.known and cast("Fields", block).get("type") not in self.known):
                    return
                repaired = self._open(value) or repaired
            case "content_block_delta":
                if delta is None or delta.get("type") not in (*DELTAS, *OTHER_DELTAS):
                    return
                index = value.get("index", max(self._at, default=0))
                if index not in self._at and delta["type"] not in STARTS:
                    return
                repaired = self._repair_delta(value, delta, index) or repaired
            case "content_block_stop":
                index = self._at.pop(value.get("index", -1), None)
                if index is None:
                    return
                repaired = repaired or index != value["index"]
                value["index"] = index
            case "message_delta":
                repaired = self._repair_end(value, delta or {}) or repaired
            case "message_start":
                message: Any = value.get("message")
                if not isinstance(message, dict):
                    return
                start = with_counts(cast("Fields", message), "usage", ("input_tokens", "output_tokens"))
                if not isinstance(start.get("usage"), dict):
                    start = {**start, "usage": {"input_tokens": 0, "output_tokens": 0}}
                repaired = repaired or start is not message
                value["message"] = start
                self._begun = True
            case "message_stop":
                self._end_halves()
                self.whole = True
            case _:
                pass
        if odd:
            value = sound(value)
        self.pass_on(frame, event_type, value, repaired=repaired)

    def _is_plain(self, frame: bytes, value: Fields) -> bool:
        delta: Any = value.get("delta")
        if value.get("type") != "content_block_delta" or not isinstance(delta, dict) or self._halves:
            return False
        fields = cast("Fields", delta)
        name = DELTAS.get(cast("Any", fields.get("type")), "") if isinstance(fields.get("type"), str) else ""
        text = fields.get(name)
        if type(text) is not str or not text or type(value.get("index")) is not int:
            return False
        if self._at.get(value["index"]) != value["index"]:
            return False

        def place(value: Fields, text: str) -> None:
            value["delta"][name] = text

        others = {key: one for key, one in fields.items() if key != name}
        rest = {key: one for key, one in value.items() if key != "delta"}
        self.piece(frame, value, text, (others, rest), place)
        return True

    def _start(self) -> None:
        """Output the beginning of a message that arrived without one."""
        self._begun = True
        usage = {"input_tokens": 0, "output_tokens": 0}
        message: Fields = {"id": "", "type": "message", "role": "assistant", "model": "", "content": [], "usage": usage}
        self._flush()
        self._out.append(self.encode("", {"type": "message_start", "message": message}))

    def _open(self, value: Fields) -> bool:
        """Give a block an unused index. Returns whether it differs from the given one."""
        given = value.get("index")
        index = given if isinstance(given, int) and given >= self._blocks else self._blocks
        self._blocks = index + 1
        self._at[index if given is None else given] = value["index"] = index
        return index != given

    def _repair_delta(self, value: Fields, delta: Fields, given: int) -> bool:
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

        right = self.repair_text(index, text, {**value, "delta": {}}, place)
        delta[name] = right
        return changed or right != text

    def _repair_end(self, value: Fields, delta: Fields) -> bool:
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
            if self._begun:
                self._out.append(self.encode("message_stop", {"type": "message_stop"}))

    def done(self, frame: bytes) -> None:
        if self._begun:
            super().done(frame)

    def is_answer(self, value: Fields) -> bool:
        return super().is_answer(value) or value.get("type") == "message"

    def answer(self, value: Fields) -> None:
        """Process a complete message as the events of a stream; or one such event on a line of its own."""
        content: Any = value.get("content")
        if value.get("type") == "error" or value.get("error"):
            raise ProviderError(value)
        if isinstance(value.get("type"), str) and value["type"] != "message":
            self.event(b"", "", value, True)
            return
        if not isinstance(content, list):
            raise NoStream(dump(value))
        message = cast("Fields", fit(value, MESSAGE))
        start: Fields = {**message, "content": [], "stop_reason": None}
        self.event(b"", "", {"type": "message_start", "message": start}, True)
        for index, block in enumerate(message.get("content") or ()):
            self._answer_block(index, cast("Fields", block))
        end = {"stop_reason": message.get("stop_reason") or "end_turn", "stop_sequence": message.get("stop_sequence")}
        last = {"type": "message_delta", "delta": end, "usage": message.get("usage") or {"output_tokens": 0}}
        self.event(b"", "", last, True)
        self.event(b"", "", {"type": "message_stop"}, True)

    def _answer_block(self, index: int, block: Fields) -> None:
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
