"""Builds an answer from its events: a pure fold from events to the message that people see.

The same fold is used for a running turn, for a history page that is read during a turn, and for recovery after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aster_sidecar.contract import wire
from aster_sidecar.text.notices import compacted


@dataclass(slots=True)
class Segment:
    """A run of adjacent chunks of text or thinking, which the journal later merges into one event."""

    kind: str
    offset: int
    first_seq: int
    last_seq: int
    chunks: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Transcript:
    """One answer. Apply its events in order; applying a text chunk twice changes nothing."""

    message_id: str
    segments: list[Segment] = field(default_factory=list[Segment])
    tools: dict[str, wire.ToolPart] = field(default_factory=dict[str, wire.ToolPart])
    order: list[Segment | wire.ToolPart | wire.NoticePart] = field(
        default_factory=list[Segment | wire.ToolPart | wire.NoticePart]
    )
    length: dict[str, int] = field(default_factory=lambda: {"text_chunk": 0, "thinking_chunk": 0})

    def apply(self, seq: int, kind: str, data: Mapping[str, Any]) -> None:
        """Apply one event of the turn; events that don't change the message are ignored."""
        match kind:
            case "text_chunk" | "thinking_chunk":
                self.chunk(seq, kind, data["offset"], data["delta"])
            case "tool_start" | "approval_required":
                part = self._tool(data)
                part.arguments = data["arguments"]
                part.risk = data["risk"]
                part.display = data["display"]
                part.state = "running" if kind == "tool_start" else "pending"
                part.decided_by = data.get("decided_by", part.decided_by)
                part.reason = data.get("reason", part.reason)
                if data.get("preview") is not None:
                    part.preview = wire.Preview.model_validate(data["preview"])
            case "tool_end":
                part = self._tool(data)
                if data.get("display") is not None:
                    part.arguments, part.risk, part.display = data["arguments"], data["risk"], data["display"]
                part.state = data["outcome"]
                part.result, part.error = data.get("result"), data.get("error")
                part.duration_ms, part.truncated = data["duration_ms"], data["truncated"]
                if data.get("attachments"):
                    part.attachments = [wire.AttachmentInfo.model_validate(one) for one in data["attachments"]]
            case "question_asked":
                part = self._tool(data)
                part.arguments = data["arguments"]
                if part.state != "running":  # a running call may ask, too
                    part.state, part.reason = "pending", data["reason"]
                part.question = wire.AskedQuestion(
                    question_id=data["question_id"],
                    reason=data["reason"],
                    fields=[wire.QuestionField.model_validate(one) for one in data["fields"]],
                    server=data.get("server"),
                    url=data.get("url"),
                )
            case "question_answered":
                part = self.tools.get(data["call_id"])
                asked = part.question.question_id if part is not None and part.question is not None else None
                # A call may ask several things at once; the message has the last of them.
                if part is not None and part.question is not None and asked == data["question_id"]:
                    part.question.outcome = data["outcome"]
                    part.question.answers, part.question.note = data.get("answers"), data.get("note")
            case "approval_resolved":
                part = self.tools.get(data["call_id"])
                if part is not None and data.get("arguments") is not None:
                    part.arguments = data["arguments"]
            case "error":
                self.order.append(wire.NoticePart(code=data["code"], message=data["message"], hint=data.get("hint")))
            case "history_compacted":
                words = compacted(data["messages_before"], data["messages_after"])
                self.order.append(wire.NoticePart(code="history_compacted", message=words))
            case _:
                pass

    def chunk(self, seq: int, kind: str, offset: int, delta: str) -> None:
        """Append a piece of text (`text_chunk`) or thinking; `offset` counts code points."""
        known = self.length[kind] - offset
        if known >= len(delta) and delta:
            return
        fresh = delta[known:] if known > 0 else delta
        last = self.order[-1] if self.order else None
        if isinstance(last, Segment) and last.kind == kind:
            last.chunks.append(fresh)
            last.last_seq = seq
        else:
            segment = Segment(kind, self.length[kind], seq, seq, [fresh])
            self.segments.append(segment)
            self.order.append(segment)
        self.length[kind] += len(fresh)

    def _tool(self, data: Mapping[str, Any]) -> wire.ToolPart:
        part = self.tools.get(data["call_id"])
        if part is None:
            part = wire.ToolPart(call_id=data["call_id"], name=data["name"], arguments={}, risk="low", state="pending")
            self.tools[part.call_id] = part
            self.order.append(part)
        return part

    @property
    def text(self) -> str:
        return "".join(c for segment in self.segments if segment.kind == "text_chunk" for c in segment.chunks)

    def parts(self) -> list[wire.Part]:
        """The message's parts, in the order in which they came."""
        parts: list[wire.Part] = []
        for entry in self.order:
            if not isinstance(entry, Segment):
                parts.append(entry.model_copy())
            elif entry.kind == "text_chunk":
                parts.append(wire.TextPart(text="".join(entry.chunks)))
            else:
                parts.append(wire.ThinkingPart(text="".join(entry.chunks)))
        return parts
