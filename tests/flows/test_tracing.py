"""Spans as a collector gets them: which spans there are, their parents and content, and that nothing waits for them."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from aster_sidecar.telemetry.choose import make_spans, wanted
from aster_sidecar.telemetry.spans import NoSpans
from tests.conftest import provider_environment
from tests.support.daemon import WAIT_S, Daemon
from tests.support.held import HeldPort
from tests.support.provider import Call, Fault, ProviderDouble, Reply, Say


class Collector:
    """A real OTLP/HTTP receiver. `spans` are the received ones, each with its resource's attributes."""

    def __init__(self) -> None:
        self.spans: list[tuple[Span, dict[str, Any]]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(self.path, dict(self.headers), body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        assert path == "/v1/traces"
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        self.bodies.append(body)
        self.headers.append(headers)
        for resource in request.resource_spans:
            about = attributes(resource.resource)
            self.spans += [(span, about) for scope in resource.scope_spans for span in scope.spans]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def runs(self, count: int = 1) -> list[Span]:
        """Wait for `count` spans of agent runs. The span of a run is the last of its tree to be sent."""
        until = time.monotonic() + WAIT_S
        while len(found := self.named("invoke_agent")) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} runs came"
            time.sleep(0.02)
        return found

    def named(self, start: str) -> list[Span]:
        return [span for span, _ in self.spans if span.name.startswith(start)]


def attributes(holder: Any) -> dict[str, Any]:
    """A span's or resource's attributes as plain values."""
    found: dict[str, Any] = {}
    for entry in holder.attributes:
        kind = entry.value.WhichOneof("value")
        value = getattr(entry.value, kind)
        found[entry.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def traced(collector_url: str, provider: ProviderDouble, **more: str) -> dict[str, str]:
    """The environment of a daemon that sends spans soon, since the stop does not wait long for them."""
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector_url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    return {**provider_environment(provider), **where, **more}


def test_a_turn_its_requests_and_its_tools_are_one_tree(
    launch: Callable[..., Daemon], provider: ProviderDouble, collector: Collector
) -> None:
    daemon = launch(environment=traced(collector.url, provider))
    (daemon.work_dir / "a.txt").write_text("canary in a file")
    provider.script(
        Reply([Say("canary"), Call("read_file", {"path": "a.txt"})], input_tokens=11, output_tokens=7),
        Reply([Say("canary done")], input_tokens=13, output_tokens=5),
    )
    events = daemon.ask("canary in a message", context={"canary": "yes"})
    done, turn_id = events[-1]["data"], events[-1]["turn_id"]
    call_id = next(event["data"]["call_id"] for event in events if event["type"] == "tool_start")
    [run] = collector.runs()
    assert daemon.stop() == 0
    [tool], requests = collector.named("execute_tool"), collector.named("chat")
    assert done["stop_reason"] == "complete"
    assert (run.name, tool.name) == ("invoke_agent Assistant", "execute_tool read_file")
    assert [request.name for request in requests] == ["chat double"] * 2
    assert run.parent_span_id == b""
    assert {span.parent_span_id for span in (tool, *requests)} == {run.span_id}
    assert {span.trace_id for span, _ in collector.spans} == {run.trace_id}
    first, second = sorted(requests, key=lambda span: span.start_time_unix_nano)
    assert run.start_time_unix_nano <= first.start_time_unix_nano
    assert first.end_time_unix_nano <= tool.start_time_unix_nano
    assert tool.end_time_unix_nano <= second.start_time_unix_nano
    assert second.end_time_unix_nano <= run.end_time_unix_nano
    told = attributes(run)
    assert told["gen_ai.operation.name"] == "invoke_agent"
    assert (told["gen_ai.agent.id"], told["aster.turn.id"]) == ("default", turn_id)
    assert (told["gen_ai.conversation.id"], told["aster.turn.outcome"]) == (events[-1]["session_id"], "finished")
    told = attributes(first)
    assert (told["gen_ai.operation.name"], told["gen_ai.provider.name"]) == ("chat", "openai")
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (11, 7)
    assert attributes(second)["gen_ai.response.finish_reasons"] == ["stop"]
    assert first.kind == Span.SPAN_KIND_CLIENT
    told = attributes(tool)
    assert (told["gen_ai.tool.name"], told["gen_ai.tool.call.id"]) == ("read_file", call_id)
    assert {span.status.code for span, _ in collector.spans} == {Status.STATUS_CODE_UNSET}
    assert {about["service.name"] for _, about in collector.spans} == {"aster-sidecar"}
    assert not any(b"canary" in body for body in collector.bodies), "no message text and no key"
    assert not any(span.events for span, _ in collector.spans)


def test_what_is_left_is_sent_at_the_stop(
    launch: Callable[..., Daemon], provider: ProviderDouble, collector: Collector
) -> None:
    daemon = launch(environment=traced(collector.url, provider, OTEL_BSP_SCHEDULE_DELAY="3600000"))
    daemon.ask("hello")
    assert collector.spans == []
    assert daemon.stop() == 0
    assert len(collector.spans) == 2


def test_a_turn_that_waited_over_a_restart_is_one_trace(
    launch: Callable[..., Daemon], provider: ProviderDouble, collector: Collector
) -> None:
    daemon = launch(environment=traced(collector.url, provider, OTEL_SERVICE_NAME="my-app"))
    provider.script(Reply([Call("write_file", {"path": "a.txt", "content": "x"})]), Reply([Say("done")]))
    with daemon.watch() as watcher:
        daemon.chat("write")
        asked = watcher.until("approval_required")[-1]["data"]
        watcher.until("status_change", state="waiting_approval")
    assert [attributes(run)["aster.turn.outcome"] for run in collector.runs()] == ["paused"]
    assert daemon.stop() == 0
    assert collector.named("execute_tool") == [], "a question is not a tool that ran"
    daemon.start()
    with daemon.watch() as watcher:
        daemon.approve(asked["call_id"])
        watcher.until("done")
    paused, finished = collector.runs(2)
    assert daemon.stop() == 0
    assert attributes(finished)["aster.turn.outcome"] == "finished"
    assert paused.trace_id == finished.trace_id
    assert paused.span_id != finished.span_id
    [tool] = collector.named("execute_tool")
    assert tool.parent_span_id == finished.span_id
    assert {about["service.name"] for _, about in collector.spans} == {"my-app"}
    assert {span.status.code for span, _ in collector.spans} == {Status.STATUS_CODE_UNSET}


def test_what_fails_is_marked_with_its_kind_and_not_its_words(
    launch: Callable[..., Daemon], provider: ProviderDouble, collector: Collector
) -> None:
    daemon = launch(environment=traced(collector.url, provider))
    provider.script(Fault(529, message="canary"), Reply([Call("read_file", {"path": "canary.txt"})]))
    provider.otherwise = Fault(401, message="canary")
    assert daemon.ask("canary")[-1]["data"]["stop_reason"] == "failed"
    [run] = collector.runs()
    assert daemon.stop() == 0
    [tool], requests = collector.named("execute_tool"), collector.named("chat")
    kinds = [(span.status.code, attributes(span).get("error.type")) for span in (run, tool, *requests)]
    assert [code for code, _ in kinds] == [Status.STATUS_CODE_ERROR] * 3 + [0, Status.STATUS_CODE_ERROR]
    assert [kind for _, kind in kinds] == [
        "key_refused",
        "ToolError",
        "provider_unavailable",
        None,
        "key_refused",
    ]
    assert [attributes(request)["aster.attempt"] for request in requests] == [1, 2, 1]
    assert {span.status.message for span, _ in collector.spans} == {""}
    assert not any(b"canary" in body for body in collector.bodies)


def test_a_cancelled_turn_is_no_failure(
    launch: Callable[..., Daemon], provider: ProviderDouble, collector: Collector
) -> None:
    daemon = launch(environment=traced(collector.url, provider))
    gate = threading.Event()
    provider.script(Reply([Say(deltas=["a", "b"])], gate=gate, gate_at=1))
    with daemon.watch() as watcher:
        daemon.chat("hello")
        watcher.until("text_chunk")
        daemon.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done")
    gate.set()
    collector.runs()
    assert daemon.stop() == 0
    assert [(span.status.code, attributes(span)["aster.cancelled"]) for span, _ in collector.spans] == [(0, True)] * 2


def test_a_loopback_collector_is_reached_past_any_proxy(
    launch: Callable[..., Daemon], provider: ProviderDouble, collector: Collector
) -> None:
    nobody = HeldPort()
    names = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY")
    proxies = dict.fromkeys(names, f"http://127.0.0.1:{nobody.port}")
    more = {"OTEL_EXPORTER_OTLP_HEADERS": "x-team=canary-header-value", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    daemon = launch(environment=traced(collector.url, provider, **proxies, **more))
    daemon.ask("hello")
    collector.runs()
    assert daemon.stop() == 0
    assert collector.headers[0]["x-team"] == "canary-header-value"
    assert "canary" not in (daemon.data_dir / "logs" / "aster.log").read_text() + daemon.log


@pytest.mark.parametrize("how", ["gone", "silent", "nonsense"])
def test_a_collector_in_trouble_disturbs_neither_a_turn_nor_the_stop(
    launch: Callable[..., Daemon], provider: ProviderDouble, how: str
) -> None:
    """The collector's port is closed, or it never answers, or its address is invalid."""
    nobody = HeldPort()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = {
            "gone": f"http://127.0.0.1:{nobody.port}",
            "silent": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "nonsense": "::",
        }
        daemon = launch(environment=traced(url[how], provider))
        for _ in range(3):
            assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
        assert daemon.stop(within_s=30) == 0


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_TRACES_EXPORTER": "console, OTLP"}, True),
        ({"OTEL_SDK_DISABLED": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_the_usual_variables_decide(environment: dict[str, str], expected: bool) -> None:
    assert wanted(environment) is expected


def test_without_the_extra_there_is_a_warning_and_no_trace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "aster_sidecar.telemetry.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    made = make_spans({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert isinstance(made, NoSpans)
    assert "aster-sidecar[otel]" in caplog.text


def test_switched_off_nothing_is_sent(
    launch: Callable[..., Daemon], provider: ProviderDouble, collector: Collector
) -> None:
    daemon = launch(environment=traced(collector.url, provider, OTEL_SDK_DISABLED="true"))
    daemon.ask("hello")
    assert daemon.stop() == 0
    assert collector.spans == []
