"""Traces are sent when OpenTelemetry's standard variables ask for them, and no failure of tracing stops the daemon."""

from __future__ import annotations

import sys

import pytest

from aster_sidecar.telemetry.choose import make_spans, wanted
from aster_sidecar.telemetry.spans import NoSpans

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console, OTLP"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "console"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": " True "}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
    ],
)
def test_the_standard_variables_ask_for_traces(environment: dict[str, str], asked: bool) -> None:
    assert wanted(environment) is asked


def test_without_the_variables_nothing_is_imported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "aster_sidecar.telemetry.otel", None)
    assert isinstance(make_spans({}), NoSpans)
    assert caplog.text == ""


def test_a_missing_extra_is_logged_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "aster_sidecar.telemetry.otel", None)
    assert isinstance(make_spans(ENDPOINT), NoSpans)
    assert "pip install 'aster-sidecar[otel]'" in caplog.text
