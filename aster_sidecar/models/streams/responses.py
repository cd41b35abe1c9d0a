"""Reads streams of OpenAI's Responses API, from OpenAI and servers that imitate it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from aster_sidecar.models.streams.events import Fields, NoStream, ProviderError, dump, with_counts
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.streams.shapes import GONE, Shape, fit, sound

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
PIECES = {
    "response.output_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta",
}
INDEXES = {"response.reasoning_text": "content_index", "response.reasoning_summary": "summary_index"}
"""The beginning of an event's type → the index that it requires. llama.cpp omits it."""
OF_AN_ITEM = ("response.function_call", "response.output_text", *INDEXES)
ENDS = ("response.completed", "response.incomplete", "response.failed", "response.done", "response.cancelled")


def with_output(response: Fields, event_type: str) -> Fields:
    """The response with a list of items, which pydantic-ai needs to count searches by their action."""
    output = response.get("output")
    if output is None and event_type in ("response.created", "response.in_progress", "response.queued"):
        known = response.get("status") in ("in_progress", "queued")
        return response if known else {**response, "output": []}
    items = [item for item in output or () if item.get("type") != "web_search_call" or item.get("action")]
    return response if output is not None and len(items) == len(output) else {**response, "output": items}


def index_of(event_type: str) -> str | None:
    """The index that an event of this type requires; None when it requires none."""
    return next((name for begins, name in INDEXES.items() if event_type.startswith(begins)), None)


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
        event_type = value.get("type")
        repaired = odd
        if not isinstance(event_type, str):
            event_type, repaired = kind, True
        if event_type == "error" or (value.get("error") and not event_type.startswith("response.")):
            raise ProviderError(value if value.get("error") else {"error": value})
        if not event_type and isinstance(value.get("choices"), list):
            raise ProviderError({"error": {"code": "unsupported_endpoint", "message": "chat completions came instead"}})
        response: Any = value.get("response")
        fields = cast("Fields", response) if isinstance(response, dict) else {}
        if event_type == "response.failed" or (event_type == "response.done" and fields.get("status") == "failed"):
            reason = fields.get("error")
            raise ProviderError({"error": reason or {"code": "server_error", "message": "the response failed"}})
        if event_type in ENDS and isinstance(response, dict):
            response, changed = self._repair_end(cast("Fields", response), event_type)
            event_type = "response.incomplete" if response.get("status") == "incomplete" else "response.completed"
            value, repaired = (
                {**value, "type": event_type, "response": response},
                repaired or changed or value["type"] != event_type,
            )
        elif event_type in ENDS:
            return
        if (self.known and event_type not in self.known) or not event_type:
            return
        if event_type in ("response.created", "response.in_progress", "response.queued"):
            # After other events, the SDK would take them for those of a response in the background.
            if not isinstance(response, dict) or (self._goes_on and not fields.get("background")):
                return
            if event_type != "response.created":
                self._create()
            self._begun = True
        else:
            self._start()
        right = cast("Fields", fit({**value, "type": event_type}, EVENT))
        if isinstance(right.get("response"), dict):
            right["response"] = with_counts(right["response"], "usage", ("input_tokens", "output_tokens"))
            right["response"] = with_output(right["response"], event_type)
        repaired = repaired or any(right.get(name, GONE) is not one for name, one in value.items())
        value = right
        if event_type.endswith(".delta"):
            delta = value.get("delta")
            if not isinstance(delta, str):
                return
            repaired = self._repair_delta(event_type, value, delta) or repaired
        item: Any = value.get("item")
        if isinstance(item, dict):
            if self.known and cast("Fields", item).get("type") not in self.known:
                return
            repaired = self._repair_item(value, cast("Fields", item), event_type) or repaired
        elif event_type.startswith("response.output_item"):
            return
        elif event_type.startswith(OF_AN_ITEM) and not value.get("item_id"):
            value["item_id"] = self._items.get(value.get("output_index"), "item")
            repaired = True
        if (index := index_of(event_type)) is not None and value.get(index) is None:
            value[index], repaired = 0, True
        if odd:
            value = sound(value)
        self.pass_on(frame, event_type, value, repaired=repaired)
        if self.finished:
            self.close()

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

    def _repair_delta(self, event_type: str, value: Fields, delta: str) -> bool:
        self.progress += bool(delta)

        def place(value: Fields, text: str) -> None:
            value["delta"] = text

        text = self.repair_text((event_type, value.get("item_id")), delta, dict(value), place)
        value["delta"] = text
        return text != delta

    def _repair_item(self, value: Fields, item: Fields, event_type: str) -> bool:
        """Add the fields that a tool call requires. Returns whether anything was changed."""
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
            if event_type == "response.output_item.done" and item["arguments"]:
                self.progress += 1
        return changed

    def _repair_end(self, response: Fields, event_type: str) -> tuple[Fields, bool]:
        """The last event's response with a known status, and whether it was changed. Records the finish reason."""
        details: Any = response.get("incomplete_details")
        reason: Any = cast("Fields", details).get("reason") if isinstance(details, dict) else None
        status = response.get("status")
        if not isinstance(reason, str) or not reason:
            reason = (
                "max_output_tokens" if event_type == "response.incomplete" or status == "incomplete" else "completed"
            )
        if event_type == "response.cancelled":
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
