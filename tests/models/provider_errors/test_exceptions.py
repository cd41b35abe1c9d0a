"""Exceptions of libraries become one of our errors, each with its code and whether a retry may help."""

from __future__ import annotations

import pytest
from pydantic_ai import exceptions as ai

from aster_sidecar.errors import ConfigInvalid, ModelError
from aster_sidecar.models.catalog import PROVIDERS
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.demo import demo_model
from aster_sidecar.models.provider_errors.exceptions import MOST_TEXT, explain, own_error, translate

OPENAI = PROVIDERS["openai"]


class Foreign(Exception):
    """An exception like those of an SDK."""


Foreign.__module__ = "openai._exceptions"


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (ai.ModelContextWindowExceededError("m", "full"), "context_too_long", False),
        (ai.ContentFilterError("no"), "content_refused", False),
        (ai.UnexpectedModelBehavior("Exceeded maximum output retries (1)"), "bad_tool_call", False),
        (ai.UnexpectedModelBehavior("odd"), "malformed_stream", True),
        (ai.ModelAPIError("m", "odd"), "malformed_stream", True),
        (ValueError("odd"), "malformed_stream", True),
        (Foreign("odd"), "malformed_stream", True),
        (KeyError("x"), "internal_error", False),
        (ai.ModelHTTPError(429, "m", {"error": {"message": "slow down"}}), "rate_limited", True),
        (ai.ModelHTTPError(401, "m"), "key_refused", False),
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:40] if isinstance(value, Exception) else str(value),
)
def test_an_exception_has_a_code(error: Exception, code: str, retryable: bool) -> None:
    told = translate(error, "openai:m", OPENAI)
    assert (told.code, told.retryable) == (code, retryable)
    assert told.hint


def test_a_refusal_outside_the_edge_names_the_variables() -> None:
    told = translate(ai.ModelHTTPError(401, "m"), "openai:m", OPENAI)
    assert "OPENAI_API_KEY" in (told.hint or "")
    assert "the key" in (translate(ai.ModelHTTPError(401, "m"), "x:m", None).hint or "")


def test_an_error_of_ours_is_found_below_those_of_libraries() -> None:
    ours = ModelError("demo_failure", "ours", hint="x")
    outer = ValueError("outer")
    outer.__cause__ = RuntimeError("middle")
    outer.__cause__.__context__ = ours
    assert own_error(outer) is ours
    assert explain(outer, Chosen("demo", demo_model(), 1), None, {}) is ours
    assert own_error(ConfigInvalid("x", hint="y")) is not None


def test_errors_that_cause_one_another_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert own_error(one) is None


def test_the_words_of_a_library_are_one_short_line() -> None:
    told = translate(ValueError("a\nb " + "x" * 1000), "openai:m", OPENAI)
    assert "ValueError: a b xxx" in told.message
    assert len(told.message) < MOST_TEXT + 100


def test_a_connection_that_failed_is_reported_with_its_address() -> None:
    import httpx2

    error = httpx2.ConnectError("no")
    error.__cause__ = ConnectionRefusedError()
    chosen = Chosen("openai:m", demo_model(), 1, "http://box.example:8000/v1")
    told = explain(error, chosen, "OPENAI_BASE_URL", {})
    assert isinstance(told, ModelError)
    assert (told.code, told.retryable) == ("provider_unreachable", True)
    assert "box.example:8000 refuses connections" in told.message
    assert "OPENAI_BASE_URL" in (told.hint or "")
