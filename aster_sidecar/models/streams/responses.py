"""Reads streams of OpenAI's Responses API, from OpenAI and servers that imitate it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from aster_sidecar.models.streams.events import Fields, NoStream, ProviderError, dump, with_counts
from aster_sidecar.models.streams.reader import Event, Reader
from aster_sidecar.models.streams.shapes import Shape, fit, sound

ITEM: Shape = {
    "id": "text",
    "type": "text",
    "call_id": "text",
    "name": "text",
    "arguments": "arguments",
    "role": "text",
    "phase": "text",
    "encrypted_content": "text",
    "action": {"type": "text"},
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
    "logprobs": "logprobs",
    "annotation": {
        "type": "text",
        "start_index": "count",
        "end_index": "count",
        "index": "count",
        "url": "text",
        "title": "text",
        "file_id": "text",
        "filename": "text",
        "container_id": "text",
    },
    "item": ITEM,
    "response": RESPONSE,
}
BEGINS = ("response.created", "response.in_progress", "response.queued")
ENDS = ("response.completed", "response.incomplete", "response.failed", "response.done", "response.cancelled")
PIECES = {
    "response.output_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta",
}
INDEXES = {"response.reasoning_text": "content_index", "response.reasoning_summary": "summary_index"}
"""The beginning of an event's type → the index that it requires. llama.cpp omits it."""
WITH_ITEM = "response.output_item"
"""The beginning of the types whose events contain an item."""
OF_AN_ITEM = ("response.function_call", "response.output_text", *INDEXES)
"""The beginnings of the types whose events name the item that they belong to."""


def with_output(response: Fields, event_type: str) -> Fields:
    """The response with a list of items, which pydantic-ai needs to count searches by their action."""
    output = response.get("output")
    if output is None and event_type in BEGINS:
        known = response.get("status") in ("in_progress", "queued")
        return response if known else {**response, "output": []}
    items = [item for item in output or () if item.get("type") != "web_search_call" or item.get("action")]
    return response if output is not None and len(items) == len(output) else {**response, "output": items}


def index_of(event_type: str) -> str | None:
    """The index that an event of this type requires; None when it requires none."""
    return next((name for begins, name in INDEXES.items() if event_type.startswith(begins)), None)


def raise_failure(event_type: str, value: Fields) -> None:
    """Raises: ProviderError when an event reports a failure, or belongs to another dialect."""
    error = value.get("error")
    if event_type == "error" or (error and not event_type.startswith("response.")):
        raise ProviderError(value if error else {"error": value})
    if not event_type and isinstance(value.get("choices"), list):
        raise ProviderError({"error": {"code": "unsupported_endpoint", "message": "chat completions came instead"}})
    if event_type in ("response.failed", "response.done"):
        response: Any = value.get("response")
        fields = cast("Fields", response) if isinstance(response, dict) else {}
        if event_type == "response.failed" or fields.get("status") == "failed":
            reason = fields.get("error") or {"code": "server_error", "message": "the response failed"}
            raise ProviderError({"error": reason})


def reason_of_end(event_type: str, response: Fields) -> str:
    """Why a response ended: the server's word, or one for the type of the event."""
    if event_type == "response.cancelled":
        return "cancelled"
    details: Any = response.get("incomplete_details")
    reason: Any = cast("Fields", details).get("reason") if isinstance(details, dict) else None
    if isinstance(reason, str) and reason:
        return reason
    incomplete = event_type == "response.incomplete" or response.get("status") == "incomplete"
    return "max_output_tokens" if incomplete else "completed"


class ResponsesReader(Reader):
    """Reads OpenAI Responses."""

    path = "/responses"

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(known)
        self._items: dict[Any, str] = {}
        self._begun = False
        """Whether the event `response.created` was output."""
        self._goes_on = False
        """Whether other events followed it."""
        self.resumes = False
        """Whether the stream continues one whose first events were read before."""

    def encode(self, kind: str, value: Fields) -> bytes:
        return b"event: " + str(value.get("type") or kind).encode() + b"\ndata: " + dump(value) + b"\n\n"

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        if not odd and self._is_plain(frame, value):
            return
        given = value.get("type")
        has_type = isinstance(given, str)
        event = Event(given if has_type else kind, value, repaired=odd or not has_type)
        raise_failure(event.type, value)
        if not self._follow(event) or not self._repair(event):
            return
        self.pass_on(frame, event.type, sound(event.value) if odd else event.value, repaired=event.repaired)
        if self.finished:
            self.close()

    def _follow(self, event: Event) -> bool:
        """Follow the response from its beginning to its end. Returns whether the SDK gets the event."""
        if event.type in ENDS and not self._end(event):
            return False
        if (self.known and event.type not in self.known) or not event.type:
            return False
        if event.type in BEGINS:
            return self._begin(event)
        self._start()
        return True

    def _repair(self, event: Event) -> bool:
        """Give an event the fields that the SDK requires. Returns whether the SDK gets it."""
        event.fit_to(EVENT)
        response: Fields | None = event.value.get("response")
        if response is not None:
            right = with_output(with_counts(response, "usage", ("input_tokens", "output_tokens")), event.type)
            event.value["response"] = right
            event.repaired = event.repaired or right is not response
        if event.type.endswith(".delta") and not self._repair_delta(event):
            return False
        if not self._repair_item(event):
            return False
        index = index_of(event.type)
        if index is not None and event.value.get(index) is None:
            event.put(index, 0)
        return True

    def _is_plain(self, frame: bytes, value: Fields) -> bool:
        event_type, text = value.get("type"), value.get("delta")
        if not isinstance(event_type, str) or event_type not in PIECES or type(text) is not str or not text:
            return False
        if self._halves or value.get("logprobs"):
            return False
        rest = {name: one for name, one in value.items() if name not in ("delta", "sequence_number", "obfuscation")}
        if (index := index_of(event_type)) is not None and index not in rest:
            return False
        if not rest.get("item_id") or not self.fits(rest, EVENT) or type(value.get("sequence_number", 0)) is not int:
            return False

        def place(value: Fields, text: str) -> None:
            value["delta"] = text

        self._start()
        self.piece(frame, value, text, rest, place, latest=True)
        return True

    # -- the beginning and the end -----------------------------------------------------------------------------------

    def _begin(self, event: Event) -> bool:
        """Process an event that begins a response. Returns whether the SDK gets it."""
        response: Any = event.value.get("response")
        if not isinstance(response, dict):
            return False
        if self._goes_on and not cast("Fields", response).get("background"):
            return False  # after other events, the SDK would take it for one of a response in the background
        if event.type != "response.created":
            self._create()
        self._begun = True
        return True

    def _start(self) -> None:
        self._create()
        self._goes_on = True

    def _create(self) -> None:
        """Output the beginning of a response that arrived without one."""
        if not self._begun and not self.resumes:
            self._flush()
            created: Fields = {"id": "", "object": "response", "status": "in_progress", "output": []}
            self._out.append(self.encode("", {"type": "response.created", "sequence_number": 0, "response": created}))
        self._begun = True

    def _end(self, event: Event) -> bool:
        """Process an event that ends a response: give it the type and status that the SDK knows.

        Returns whether it has a response.
        """
        given: Any = event.value.get("response")
        if not isinstance(given, dict):
            return False
        response = self._repair_end(event.type, cast("Fields", given))
        event_type = "response.incomplete" if response.get("status") == "incomplete" else "response.completed"
        event.repaired = event.repaired or response is not given or event.type != event_type
        event.type, event.value = event_type, {**event.value, "type": event_type, "response": response}
        return True

    def _repair_end(self, event_type: str, response: Fields) -> Fields:
        """The last event's response with a known status; the same object if it has one. Records the finish reason."""
        meaning = self.finish(reason_of_end(event_type, response))
        self._end_halves()
        right: Fields = {"status": "completed"}
        if meaning in ("length", "content_filter"):
            known = "max_output_tokens" if meaning == "length" else "content_filter"
            right = {"status": "incomplete", "incomplete_details": {"reason": known}}
        elif response.get("incomplete_details"):
            right["incomplete_details"] = None
        changed = any(response.get(name) != one for name, one in right.items())
        return {**response, **right} if changed else response

    # -- deltas and items --------------------------------------------------------------------------------------------

    def _repair_delta(self, event: Event) -> bool:
        """Repair a piece of text or arguments. Returns whether it is text, as the SDK requires."""
        delta = event.value.get("delta")
        if not isinstance(delta, str):
            return False
        self.progress += bool(delta)

        def place(value: Fields, text: str) -> None:
            value["delta"] = text

        key = (event.type, event.value.get("item_id"))
        event.put("delta", self.repair_text(key, delta, dict(event.value), place))
        return True

    def _repair_item(self, event: Event) -> bool:
        """Repair an event's item, or the id of the item that it belongs to. Returns whether the SDK gets the event."""
        item: Fields | None = event.value.get("item")
        if item is not None:
            if self.known and item.get("type") not in self.known:
                return False
            self._complete_item(event, item)
        elif event.type.startswith(WITH_ITEM):
            return False
        elif event.type.startswith(OF_AN_ITEM) and not event.value.get("item_id"):
            event.put("item_id", self._items.get(event.value.get("output_index"), "item"))
        return True

    def _complete_item(self, event: Event, item: Fields) -> None:
        """Add, in place, the fields that an event's item requires."""
        index = event.value.get("output_index")
        if not item.get("id"):
            item["id"], event.repaired = self._items.get(index) or f"item_{index or 0}", True
        self._items[index] = item["id"]
        if item.get("type") != "function_call":
            return
        if not item.get("call_id"):
            item["call_id"], event.repaired = item["id"], True
        for name in ("name", "arguments"):
            if not isinstance(item.get(name), str):
                item[name], event.repaired = "", True
        if event.type == "response.output_item.done" and item["arguments"]:
            self.progress += 1

    # -- an answer that is no stream ---------------------------------------------------------------------------------

    def is_answer(self, value: Fields) -> bool:
        return super().is_answer(value) or isinstance(value.get("output"), list)

    def answer(self, value: Fields) -> None:
        """Process a complete response as the events of a stream; or one such event on a line of its own."""
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
                for index, part in enumerate(cast("list[Any]", parts) if isinstance(parts, list) else ()):
                    self._answer_part(place, kind, index, part)
            self.event(b"", "", {"type": "response.output_item.done", "output_index": number, "item": dict(item)}, True)
        status = response.get("status")
        last = "response.incomplete" if status == "incomplete" else "response.completed"
        self.event(b"", "", {"type": last, "response": response}, True)

    def _answer_part(self, place: Fields, kind: str, index: int, part: Any) -> None:
        fields = cast("Fields", part) if isinstance(part, dict) else {}
        if kind == "summary_text" and fields.get("type") == kind:
            text = {
                "type": "response.reasoning_summary_text.delta",
                "summary_index": index,
                "delta": fields.get("text"),
            }
            self.event(b"", "", {**place, **text}, True)
        elif fields.get("type") in (kind, "text"):
            text = {"type": "response.output_text.delta", "content_index": index, "delta": fields.get("text")}
            self.event(b"", "", {**place, **text, "logprobs": []}, True)
        elif fields.get("type") == "refusal":
            text = {"type": "response.refusal.delta", "content_index": index, "delta": fields.get("refusal")}
            self.event(b"", "", {**place, **text}, True)
