"""What is measured of a turn: a span for each run, model request and tool call. `otel` sends them to a collector;
where nobody asked for that nothing is measured, and nothing of OpenTelemetry's SDK is imported.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

Value = str | int | float | bool | tuple[str, ...]


class Span(Protocol):
    """A span under way. An exception that leaves it is its failure."""

    def note(self, **attributes: Value | None) -> None:
        """Add attributes; `_` in names stands for itself, `__` for a dot; None adds nothing."""
        ...

    def fail(self, kind: str) -> None:
        """It failed: `kind` is a code or an exception's name, never its words."""
        ...


class Spans(Protocol):
    """Where spans come from."""

    def run(self, *, turn_id: str, session_id: str, agent_id: str, agent_name: str) -> AbstractContextManager[Span]: ...

    def request(self, *, model: str, attempt: int) -> AbstractContextManager[Span]: ...

    def tool(self, *, call_id: str, name: str) -> AbstractContextManager[Span]: ...

    async def close(self) -> None:
        """Send what is left, within a second."""
        ...


class NoSpan:
    """A span that nobody wants."""

    def note(self, **attributes: Value | None) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class NoSpans:
    """Measures nothing."""

    _none = NoSpan()

    def run(self, *, turn_id: str, session_id: str, agent_id: str, agent_name: str) -> NoSpan:
        return self._none

    def request(self, *, model: str, attempt: int) -> NoSpan:
        return self._none

    def tool(self, *, call_id: str, name: str) -> NoSpan:
        return self._none

    async def close(self) -> None:
        pass
