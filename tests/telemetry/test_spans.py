"""Without tracing nothing is measured, and a turn runs as it does with tracing."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from aster_sidecar.telemetry.spans import NoSpans, Span, Spans


def test_spans_that_record_nothing_can_be_used_like_any_others() -> None:
    spans: Spans = NoSpans()
    with (
        spans.run(turn_id="t", session_id="s", agent_id="a", agent_name="A") as run,
        spans.request(model="demo", attempt=1) as request,
        spans.tool(call_id="c", name="read_file") as tool,
    ):
        for span in (run, request, tool):
            span.note(gen_ai__system="x", nothing=None)
            span.fail("timeout")
    asyncio.run(spans.close())


def test_an_exception_leaves_a_span_as_it_is() -> None:
    with pytest.raises(KeyError), NoSpans().tool(call_id="c", name="x"):
        raise KeyError


def test_opentelemetry_s_spans_take_the_same_arguments() -> None:
    otel = pytest.importorskip("aster_sidecar.telemetry.otel", exc_type=ImportError)
    for protocol, real in ((Spans, otel.Tracing), (Span, otel.Measured)):
        names = [name for name in vars(protocol) if not name.startswith("_")]
        assert names
        for name in names:
            asked, given = (inspect.signature(getattr(one, name)).parameters for one in (protocol, real))
            assert list(asked) == list(given), name
