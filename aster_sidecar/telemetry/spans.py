"""The spans of a turn: one for each run, model request and tool call. `otel` sends them to a collector.

Where tracing is not configured, `NoSpans` measures nothing, and OpenTelemetry's SDK is not imported.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

Value = str | int | float | bool | tuple[str, ...]


class Span(Protocol):
    """An open span. An exception that leaves its context marks it as failed."""

    def note(self, **attributes: Value | None) -> None:
        """Add attributes. `__` in a name becomes a dot (`gen_ai__system`); None adds nothing."""
        ...

    def fail(self, kind: str) -> None:
        """Mark the span as failed. `kind`: an error code or the name of an exception, never its message."""
        ...


class Spans(Protocol):
    """Makes the spans. Each method returns the context in which its span is open."""

    def run(self, *, turn_id: str, session_id: str, agent_id: str, agent_name: str) -> AbstractContextManager[Span]: ...

    def request(self, *, model: str, attempt: int) -> AbstractContextManager[Span]: ...

    def tool(self, *, call_id: str, name: str) -> AbstractContextManager[Span]: ...

    async def close(self) -> None:
        """Send the remaining spans. Takes at most about a second."""
        ...


class NoSpan:
    """A span that records nothing."""

    def note(self, **attributes: Value | None) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class NoSpans:
    """Makes spans that record nothing."""

    _none = NoSpan()

    def run(self, *, turn_id: str, session_id: str, agent_id: str, agent_name: str) -> NoSpan:
        return self._none

    def request(self, *, model: str, attempt: int) -> NoSpan:
        return self._none

    def tool(self, *, call_id: str, name: str) -> NoSpan:
        return self._none

    async def close(self) -> None:
        pass
