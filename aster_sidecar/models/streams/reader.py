"""Reads a provider's answer event by event: repairs or drops what is odd and passes on the rest.

The edge feeds a reader bytes and gives what comes out to the provider's SDK. An event that is well-formed leaves byte
for byte; adjacent pieces of one text that arrived in one read leave as one event. Each dialect has a reader of its own.
Words that servers use for the same thing are data: `FINISHES`, and the shapes.
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
    UNREAD_LINE,
    Fields,
    Malformed,
    NoStream,
    ProviderError,
    dump,
    is_comment,
    is_text,
    parse,
    parse_or_none,
    parts,
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
"""Why an answer ended, in the words of servers → what is meant. A word that is not here ends a whole answer."""

TAG = re.compile(r"</?[a-zA-Z_|]+>")
"""A text that is this and nothing else may start or end the model's thinking."""


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
        self._framing = Framing()
        self._out: list[bytes] = []
        self._run: Run | None = None
        self._fitted: tuple[Fields, list[type]] | None = None
        self._halves: dict[Any, tuple[str, Fields, Callable[[Fields, str], None]]] = {}

    # -- bytes → events ----------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> bytes:
        """Take in what arrived in one read. Raises: Malformed, NoStream, ProviderError."""
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
        """The provider closed the stream. Raises: as `feed`."""
        if self.failed is not None:
            raise self.failed
        if self.whole:
            return self._take()
        rest, form = self._framing.rest(), self._framing.form
        if form == "events" and rest.strip():
            # It ended in the middle of an event, where that can't be read; then the answer has no end either.
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
        """Whether JSON comes instead of a stream, or something else."""
        return self._framing.is_no_stream

    def settle(self) -> bytes:
        """Read what came instead of a stream and has paused, if it is a whole answer or none. Raises: as `end`."""
        if self._framing.form == "unknown":
            return self.end()
        text = self._framing.joined().strip()
        value = parse_or_none(text)
        over = self.is_answer(cast("Fields", value)) if isinstance(value, dict) else self._says_its_end(text)
        return self.end() if over else b""

    def _says_its_end(self, lines: bytes) -> bool:
        """Whether JSON texts, one a line, say how the answer ended."""
        another = type(self)(self.known)
        try:
            another._read_json(lines)
        except ProviderError:
            pass
        except (Malformed, NoStream):
            return False
        return True

    def is_answer(self, value: Fields) -> bool:
        """Whether an object is a whole answer, or an error in place of one, and not an event on a line of its own."""
        return bool(value.get("error"))

    def close(self) -> None:
        """Finish an answer that said why it ended, though its stream goes on or broke."""
        self._end_halves()
        self.whole = True

    def _frame(self, frame: bytes) -> None:
        """Read one event. Raises: Malformed, ProviderError."""
        kind, body, plain = "", frame[5:-2], True
        if not frame.startswith(b"data:") or b"\n" in body or b"\r" in body:
            first = frame.find(b"\n")
            kind = frame[7:first].decode("ascii", "ignore") if frame.startswith(b"event: ") else ""
            body = frame[first + 6 : -2]
            if not kind or not frame.startswith(b"data:", first + 1) or b"\n" in body or b"\r" in frame:
                kind, body = parts(frame)
                plain = is_text(frame) and UNREAD_LINE.search(frame) is None
            else:
                plain = frame[7:first].isascii()
        if body is None or not (body := body.strip()):
            self._flush()
            if plain and is_comment(frame):
                self._out.append(frame)
            return
        if body.startswith(b"[DONE]"):
            self.done(frame if frame in (b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n") else b"data: [DONE]\n\n")
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

    def fits(self, rest: Fields, shape: Shape) -> bool:
        """Whether what is around a text fits its shape. The same as before is not looked through again."""
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
            self._out.append(frame or self.encode("", value))
        else:
            self._run = Run(value, frame, rest, place, [text])

    def _flush(self) -> None:
        """Let the pieces that were gathered leave."""
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
