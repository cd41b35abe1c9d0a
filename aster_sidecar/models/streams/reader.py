"""The base of all dialects' readers: reads a provider's answer event by event, repairs or drops malformed events.

`transport.py` feeds a reader with bytes and gives its output to the provider's SDK. A well-formed event passes byte for
byte; adjacent pieces of one text that arrived together become one event. The words and shapes that servers use are
data: `FINISHES`, and the shapes of each dialect.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from aster_sidecar.models.request_context import Ending, Finish
from aster_sidecar.models.streams.events import (
    Fields,
    Malformed,
    NoStream,
    ProviderError,
    dump,
    frame_parts,
    is_comment,
    parse,
    parse_or_none,
)
from aster_sidecar.models.streams.framing import Framing
from aster_sidecar.models.streams.shapes import Shape, fit, joined, sound, split_half

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
"""A server's finish reason → its meaning. An unknown one means `stop`."""

DONE = (b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n")
"""The forms of the `[DONE]` event that are passed on as they came; others are sent in the first form."""

TAG = re.compile(r"</?[a-zA-Z_|]+>")
"""A text that consists of one tag, which may start or end the model's thinking."""


@dataclass(slots=True)
class Run:
    """Adjacent pieces of one text, to be joined into one event.

    `rest` is everything except the text: pieces with an equal `rest` belong together. `place` sets an event's text.
    """

    value: Fields
    frame: bytes
    rest: Any
    place: Callable[[Fields, str], None]
    pieces: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Event:
    """An event on its way to the SDK, in dialects whose events have types.

    `repaired`: it differs from the one that arrived, so it must be encoded anew.
    """

    type: str
    value: Fields
    repaired: bool

    def fit_to(self, shape: Shape) -> None:
        """Convert fields that do not fit the shape, or remove them. Its fields may be changed in place afterwards."""
        fields = {**self.value, "type": self.type}
        self.value = cast("Fields", fit(fields, shape))
        self.repaired = self.repaired or self.value is not fields

    def put(self, name: str, value: str | int) -> None:
        """Set a field."""
        if self.value.get(name) != value:
            self.value[name], self.repaired = value, True


class Reader:
    """Reads one answer. `feed` and `end` return the bytes for the SDK.

    `known`: the types of events that the SDK knows; empty: all types are passed on.
    """

    path: ClassVar = ""
    """The end of the path of this dialect's requests."""

    def __init__(self, known: Collection[str] = ()) -> None:
        self.known = known
        self.whole = False
        """Whether the answer is complete and the rest of the stream does not matter."""
        self.finished = False
        """Whether the answer had a finish reason; only usage may follow."""
        self.ending: Ending | None = None
        self.progress = 0
        """How many pieces of text, thinking or arguments arrived."""
        self.has_events = False
        """Whether any event arrived."""
        self.failed: ValueError | None = None
        """An error behind the output so far; the next call of `feed` or `end` raises it."""
        self._framing = Framing()
        self._out: list[bytes] = []
        self._run: Run | None = None
        self._fitted: tuple[Fields, list[type]] | None = None
        self._halves: dict[Any, tuple[str, Fields, Callable[[Fields, str], None]]] = {}

    # -- bytes → events ----------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> bytes:
        """Process bytes that arrived together. Raises: Malformed, NoStream, ProviderError."""
        if self.whole:
            return b""
        if not self._framing.add(data):
            return b""
        if self._framing.form == "events":
            try:
                for frame in self._framing.frames():
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
        """Process the end of the provider's stream. Raises: as `feed`."""
        if self.failed is not None:
            raise self.failed
        if self.whole:
            return self._take()
        rest, form = self._framing.rest(), self._framing.form
        if form == "events" and rest.strip():
            # The stream ended in the middle of an event. If that cannot be parsed, the answer has no end either.
            with contextlib.suppress(Malformed):
                self._frame(rest.rstrip(b"\r\n") + b"\n\n")
        elif form == "json":
            self._read_json(rest)
        elif form == "unknown":
            raise NoStream(rest)
        if self.finished and not self.whole:
            self.close()
        return self._take()

    @property
    def is_no_stream(self) -> bool:
        """Whether the response is JSON or something else instead of an event stream."""
        return self._framing.is_no_stream

    def settle(self) -> bytes:
        """Process a response that is no stream and has paused, if it is complete or unusable. Raises: as `end`."""
        if self._framing.form == "unknown":
            return self.end()
        text = self._framing.joined().strip()
        value = parse_or_none(text)
        over = self.is_answer(cast("Fields", value)) if isinstance(value, dict) else self._has_finish_reason(text)
        return self.end() if over else b""

    def _has_finish_reason(self, lines: bytes) -> bool:
        """Whether one of several lines of JSON has a finish reason."""
        another = type(self)(self.known)
        try:
            another._read_json(lines)
        except ProviderError:
            pass
        except (Malformed, NoStream):
            return False
        return True

    def is_answer(self, value: Fields) -> bool:
        """Whether an object is a complete answer or an error, and not one event of several lines."""
        return bool(value.get("error"))

    def close(self) -> None:
        """Complete an answer that had a finish reason, although its stream goes on or broke."""
        self._end_halves()
        self.whole = True

    def _frame(self, frame: bytes) -> None:
        """Process the bytes of one event. Raises: Malformed, ProviderError."""
        kind, body, plain = frame_parts(frame)
        if not body:
            self._flush()
            if plain and is_comment(frame):
                self._out.append(frame)
        elif body.startswith(b"[DONE]"):
            self.done(frame if frame in DONE else DONE[0])
        else:
            self.has_events = True
            self._data(frame if plain else b"", kind, body)

    def _data(self, frame: bytes, kind: str, body: bytes) -> None:
        """Process one event with data. `frame` is empty when the event must be encoded anew.

        Raises: Malformed, ProviderError.
        """
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
        if isinstance(value, dict):
            self.event(frame, kind, cast("Fields", value), odd)
        elif isinstance(value, list):
            for one in cast("list[Any]", value):
                if isinstance(one, dict):
                    self.event(b"", kind, cast("Fields", one), True)
        elif isinstance(value, str) and value.strip():
            raise ProviderError(value)

    def _read_json(self, text: bytes) -> None:
        """Process an answer that is no stream: one JSON text, or one per line. Raises: NoStream, ProviderError."""
        try:
            value, _ = parse(text.strip())
            values = cast("list[Any]", value) if isinstance(value, list) else [value]
        except Malformed:
            values = [parse_or_none(line) for line in text.splitlines() if line.strip()]
        self.has_events = True
        if not values or not all(isinstance(one, dict) for one in values):
            raise NoStream(text)
        for one in cast("list[Fields]", values):
            self.answer(sound(one))
        if not self.finished:
            raise NoStream(text)

    # -- events → bytes ----------------------------------------------------------------------------------------------

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        """Process one event, as bytes (empty: it must be encoded anew) and parsed. `odd`: it has unpaired surrogates.

        Raises: ProviderError.
        """
        raise NotImplementedError

    def answer(self, value: Fields) -> None:
        """Process an object of an answer that is no stream. Raises: NoStream, ProviderError."""
        self.event(b"", "", value, True)

    def done(self, frame: bytes) -> None:
        """Process the `[DONE]` event."""
        self.close()
        self._out.append(frame)

    def pass_on(self, frame: bytes, kind: str, value: Fields, *, repaired: bool) -> None:
        """Output an event: as it came, unless it was repaired."""
        self._flush()
        self._out.append(frame if frame and not repaired else self.encode(kind, value))

    def encode(self, kind: str, value: Fields) -> bytes:
        return b"data: " + dump(value) + b"\n\n"

    def fits(self, rest: Fields, shape: Shape) -> bool:
        """Whether everything around a text fits its shape. A value equal to the last one is not checked again."""
        kinds: list[type] = [type(one) for one in rest.values()]  # 0 and False are equal
        if (rest, kinds) != self._fitted:
            if fit(rest, shape) is not rest:
                return False
            self._fitted = rest, kinds
        return True

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
        """Output a piece of text, joined with adjacent pieces that arrived with it.

        `rest` and `place` are as in `Run`. `latest`: the joined event has the other fields of its last piece instead
        of its first.
        """
        self.progress += 1
        run = self._run
        if run is not None and run.rest == rest and not TAG.fullmatch(text):
            run.pieces.append(text)
            if latest:
                run.value = value
            return
        self._flush()
        if TAG.fullmatch(text) or text.isspace():  # SDKs look for it as a separate event
            self._out.append(frame or self.encode("", value))
        else:
            self._run = Run(value, frame, rest, place, [text])

    def _flush(self) -> None:
        """Output the joined pieces."""
        run, self._run = self._run, None
        if run is None:
            return
        if len(run.pieces) == 1:
            self._out.append(run.frame or self.encode("", run.value))
            return
        text = "".join(run.pieces)
        for part in run.pieces if TAG.fullmatch(text) else (text,):
            run.place(run.value, part)
            self._out.append(self.encode("", run.value))

    def _take(self) -> bytes:
        """Remove and return the output so far."""
        self._flush()
        out = b"".join(self._out)
        self._out.clear()
        return out

    # -- text --------------------------------------------------------------------------------------------------------

    def repair_text(self, key: Any, text: str, value: Fields, place: Callable[[Fields, str], None]) -> str:
        """The text without an unpaired surrogate at its end, which is held until the next piece of the same text.

        `key` identifies the text. `value` and `place` make the event for a half that stays alone.
        """
        held = self._halves.pop(key, None)
        text, half = split_half((held[0] if held else "") + text)
        if half:
            self._halves[key] = (half, value, place)
        return joined(text)

    def _end_halves(self) -> None:
        """Output held surrogates whose other half never came, as U+FFFD."""
        for half, value, place in self._halves.values():
            self._flush()
            value = json.loads(json.dumps(value))
            place(value, joined(half))
            self._out.append(self.encode("", value))
        self._halves.clear()

    def finish(self, word: str) -> Finish:
        """Record a finish reason; returns its meaning."""
        meaning = FINISHES.get(re.sub(r"[\s-]+", "_", word.strip().lower()), "stop")
        self.finished = True
        self.ending = Ending(meaning, word)
        return meaning
