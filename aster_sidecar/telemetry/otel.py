"""Sends spans over OTLP/HTTP, by OpenTelemetry's conventions for generative AI. They contain no conversation text.

The SDK reads its standard variables and sends from a thread, so a slow or missing collector does not delay a turn.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode

from aster_sidecar import __version__
from aster_sidecar.telemetry.spans import Value
from aster_sidecar.text.addresses import is_loopback

CLOSE_S = 1.0
"""The longest time that a stop waits until the last spans are sent."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROVIDER_NAMES = {"openai-chat": "openai", "openai-responses": "openai", "google": "gcp.gemini"}
"""The conventions' names of providers that differ from ours."""


class TurnIds(RandomIdGenerator):
    """Random ids, except that a turn's runs share a trace id, even across days and restarts."""

    def __init__(self) -> None:
        self.turn_id: str | None = None

    def generate_trace_id(self) -> int:
        if self.turn_id is None:
            return super().generate_trace_id()
        return int.from_bytes(hashlib.sha256(self.turn_id.encode()).digest()[:16], "big") or 1

    def is_trace_id_random(self) -> bool:
        return True  # a turn id is random, and so is its hash


class Measured:
    """An open span (`spans.Span`)."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, **attributes: Value | None) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(name.replace("__", "."), value)

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


class Tracing:
    """Makes spans and sends them (`spans.Spans`). One per daemon."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        for name, value in environment.items():  # those that the launcher sent on stdin are not in os.environ
            if name.startswith("OTEL_"):
                os.environ.setdefault(name, value)
        attributes = {SERVICE_VERSION: __version__}
        if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in environment.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        ):
            attributes[SERVICE_NAME] = "aster-sidecar"
        session = requests.Session()
        endpoint = next((environment[name] for name in ENDPOINTS if environment.get(name)), "http://localhost")
        session.trust_env = not is_loopback(endpoint)  # no proxy and no password from .netrc for this machine
        self._ids = TurnIds()
        self._provider = TracerProvider(
            resource=Resource.create(attributes), shutdown_on_exit=False, id_generator=self._ids
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(session=session)))
        self._tracer = self._provider.get_tracer("aster_sidecar", __version__)

    @contextmanager
    def run(self, *, turn_id: str, session_id: str, agent_id: str, agent_name: str) -> Generator[Measured, None, None]:
        """A run of a turn. A turn that waits for a person has several runs, all in one trace."""
        self._ids.turn_id = turn_id
        try:
            span = self._tracer.start_span(f"invoke_agent {agent_name}", context=Context())
        finally:
            self._ids.turn_id = None
        measured = Measured(span)
        measured.note(
            gen_ai__operation__name="invoke_agent",
            gen_ai__agent__id=agent_id,
            gen_ai__agent__name=agent_name,
            gen_ai__conversation__id=session_id,
            aster__turn__id=turn_id,
        )
        with under_way(span, measured):
            yield measured

    @contextmanager
    def request(self, *, model: str, attempt: int) -> Generator[Measured, None, None]:
        """A request to the model, up to the last byte of the response."""
        provider, _, name = model.partition(":")
        span = self._tracer.start_span(f"chat {name or provider}", kind=SpanKind.CLIENT)
        measured = Measured(span)
        measured.note(
            gen_ai__operation__name="chat",
            gen_ai__provider__name=PROVIDER_NAMES.get(provider, provider),
            gen_ai__request__model=name or provider,
            aster__attempt=attempt,
        )
        with under_way(span, measured):
            yield measured

    @contextmanager
    def tool(self, *, call_id: str, name: str) -> Generator[Measured, None, None]:
        """The execution of a tool, without the time in which a person decided about it."""
        span = self._tracer.start_span(f"execute_tool {name}")
        measured = Measured(span)
        measured.note(
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name=name,
            gen_ai__tool__type="function",
            gen_ai__tool__call__id=call_id,
        )
        with under_way(span, measured):
            yield measured

    async def close(self) -> None:
        """Send the remaining spans. Gives up after CLOSE_S."""
        loop = asyncio.get_running_loop()
        sent: asyncio.Future[None] = loop.create_future()

        def send() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(lambda: sent.done() or sent.set_result(None))

        # Not asyncio's executor: the interpreter would wait at exit until the collector answers.
        threading.Thread(target=send, name="last spans", daemon=True).start()
        await asyncio.wait([sent], timeout=CLOSE_S)


@contextmanager
def under_way(span: trace.Span, measured: Measured) -> Generator[None, None, None]:
    """Keep the span open as the parent of inner spans. An exception marks it as failed, a cancellation does not."""
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            measured.note(aster__cancelled=True)
            raise
        except BaseException as error:
            code = getattr(error, "code", None)
            measured.fail(code if isinstance(code, str) and code.isidentifier() else type(error).__qualname__)
            raise
