"""Chooses the spans: OpenTelemetry's if its standard variables ask for traces, otherwise none."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aster_sidecar.frozen import how_to_get
from aster_sidecar.telemetry.spans import NoSpans, Spans

log = logging.getLogger(__name__)


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces over OTLP. Source: OpenTelemetry's SDK environment variables."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").lower().replace(" ", "")
    if exporters:
        return "otlp" in exporters.split(",")
    return bool(environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def make_spans(environment: Mapping[str, str]) -> Spans:
    """The daemon's spans. Blocks while it imports the SDK, if traces are wanted. Logs errors, never raises."""
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
