"""What is measured of a turn: a span for each run, model request and tool call. `otel` sends them to a collector;
where nobody asked for that nothing is measured, and nothing of OpenTelemetry's SDK is imported.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from aster_sidecar.frozen import how_to_get

log = logging.getLogger(__name__)

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


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's usual variables ask for traces over OTLP. Source: its SDK environment specification."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").lower().replace(" ", "")
    if exporters:
        return "otlp" in exporters.split(",")
    return bool(environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def make_spans(environment: Mapping[str, str]) -> Spans:
    """What measures. Blocks for an import where it is wanted. What keeps it from measuring is logged, never raised."""
    if not wanted(environment):
        return NoSpans()
    try:
        from aster_sidecar.telemetry.otel import Tracing

        return Tracing(environment)
    except ImportError as error:
        log.warning("no traces are sent: %s is missing (%s)", error.name, how_to_get("otel"))
    except Exception as error:
        log.warning("no traces are sent", exc_info=error)
    return NoSpans()
