"""Reads streams of Anthropic's Messages API, from Anthropic and servers that imitate it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from aster_sidecar.models.streams.events import Fields, NoStream, ProviderError, dump, with_counts
from aster_sidecar.models.streams.reader import Event, Reader
from aster_sidecar.models.streams.shapes import Shape, arguments, fit, sound

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
"""Types of deltas with text → the field that has it."""
STARTS: dict[str, Fields] = {
    "text_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": "", "signature": ""},
}
"""Types of deltas whose block may have no start event → the block to start."""
KNOWN_DELTAS = frozenset((*DELTAS, "signature_delta", "citations_delta", "compaction_delta"))
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
        given = value.get("type")
        event = Event(given if isinstance(given, str) else kind, value, repaired=odd or not kind or kind != given)
        if event.type == "error" or value.get("error"):
            if not self.finished:
                raise ProviderError(value)
            return
        if self._is_known(event.type) and self._repair(event):
            self.pass_on(frame, event.type, sound(event.value) if odd else event.value, repaired=event.repaired)

    def _is_known(self, event_type: str) -> bool:
        """Whether the SDK can read events of this type. It skips `ping`, although no type of its own says so."""
        return bool(event_type) and (not self.known or event_type in self.known or event_type == "ping")

    def _repair(self, event: Event) -> bool:
        """Repair an event of a known type. Returns whether the SDK gets it."""
        event.fit_to(ANTHROPIC)
        if not self._begun and event.type not in ("ping", "message_start"):
            self._start()
        match event.type:
            case "message_start":
                return self._message_start(event)
            case "content_block_start":
                return self._block_start(event)
            case "content_block_delta":
                return self._block_delta(event)
            case "content_block_stop":
                return self._block_stop(event)
            case "message_delta":
                self._message_delta(event)
            case "message_stop":
                self._message_stop()
            case _:
                pass
        return True

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

    # -- events by type. A method that returns a value returns whether the SDK gets the event -------------------------

    def _message_start(self, event: Event) -> bool:
        """Give the message counts of tokens."""
        message: Fields | None = event.value.get("message")
        if message is None:
            return False
        right = with_counts(message, "usage", ("input_tokens", "output_tokens"))
        if not isinstance(right.get("usage"), dict):
            right = {**right, "usage": {"input_tokens": 0, "output_tokens": 0}}
        event.value["message"] = right
        event.repaired = event.repaired or right is not message
        self._begun = True
        return True

    def _block_start(self, event: Event) -> bool:
        """Give the block an unused index."""
        block: Fields | None = event.value.get("content_block")
        if block is None or (self.known and block.get("type") not in self.known):
            return False
        event.put("index", self._open(event.value.get("index")))
        return True

    def _block_delta(self, event: Event) -> bool:
        """Give the delta its block's index. Text and thinking get a block if none was started for them."""
        delta: Fields = event.value.get("delta") or {}
        kind = delta.get("type")
        if kind not in KNOWN_DELTAS:
            return False
        given = event.value.get("index", max(self._at, default=0))
        if given not in self._at:
            if kind not in STARTS:
                return False
            self._start_block(given, STARTS[kind])
        event.put("index", self._at[given])
        if kind in DELTAS:
            self._repair_text(event, delta)
        return True

    def _block_stop(self, event: Event) -> bool:
        """Give the end of a block that block's index."""
        index = self._at.pop(event.value.get("index", -1), None)
        if index is None:
            return False
        event.put("index", index)
        return True

    def _message_delta(self, event: Event) -> None:
        """Give the event a count of tokens and a stop reason that the SDK knows. Records the finish reason."""
        given, usage = event.value.get("delta"), event.value.get("usage")
        delta: Fields = given or {}
        if delta is not given:
            event.value["delta"], event.repaired = delta, True
        if usage is None or usage.get("output_tokens") is None:
            event.value["usage"], event.repaired = {**(usage or {}), "output_tokens": 0}, True
        word = delta.get("stop_reason")
        if not word:
            return
        meaning = self.finish(word)
        self._end_halves()
        if word not in OWN_REASONS:
            event.value["delta"], event.repaired = {**delta, "stop_reason": STOP_REASONS[meaning]}, True

    def _message_stop(self) -> None:
        """Complete the answer."""
        self._end_halves()
        self.whole = True

    # -- repairs -----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Output the beginning of a message that arrived without one."""
        self._begun = True
        usage = {"input_tokens": 0, "output_tokens": 0}
        message: Fields = {"id": "", "type": "message", "role": "assistant", "model": "", "content": [], "usage": usage}
        self._flush()
        self._out.append(self.encode("", {"type": "message_start", "message": message}))

    def _start_block(self, given: int, block: Fields) -> None:
        """Output the beginning of a block that arrived without one."""
        start = {"type": "content_block_start", "index": self._open(given), "content_block": dict(block)}
        self._flush()
        self._out.append(self.encode("content_block_start", start))

    def _open(self, given: int | None) -> int:
        """An unused index for a block that has the given one in the input, where possible the same."""
        index = self._blocks if given is None else max(given, self._blocks)
        self._blocks = index + 1
        self._at[index if given is None else given] = index
        return index

    def _repair_text(self, event: Event, delta: Fields) -> None:
        """Repair the text of a delta in place."""
        kind = delta["type"]
        name = DELTAS[kind]
        text = delta.get(name)
        if text is None:
            delta[name], event.repaired = "", True
            return
        if text:
            self.progress += 1

        def place(value: Fields, text: str) -> None:
            value["delta"] = {"type": kind, name: text}

        right = self.repair_text(event.value["index"], text, {**event.value, "delta": {}}, place)
        delta[name] = right
        event.repaired = event.repaired or right != text

    # -- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        if not self.whole:
            super().close()
            self._flush()
            if self._begun:
                self._out.append(self.encode("message_stop", {"type": "message_stop"}))

    def done(self, frame: bytes) -> None:
        if self._begun:
            super().done(frame)

    # -- an answer that is no stream ---------------------------------------------------------------------------------

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
