"""Refusals of providers and model servers in their real forms, and the meaning of each."""

from __future__ import annotations

import json
import math
import time
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.errors import ModelError, Refused
from aster_sidecar.models.provider_errors.classify import not_a_stream, understand
from aster_sidecar.models.provider_errors.kinds import REFUSAL_CODES

WAITED_OUT = {"rate_limited", "provider_unavailable", "provider_error", "provider_timeout", "model_loading"}


def error(message: str, **members: Any) -> dict[str, Any]:
    """An error in the usual form."""
    return {"error": {"message": message, **members}}


CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "refusals.jsonl").read_text("utf-8").splitlines()
]
"""One refusal per line: what a provider sent, and its meaning. A missing member is None or the default."""


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_a_refusal_is_understood(case: dict[str, Any]) -> None:
    name, status, body = case.get("name", "openai-chat:m"), case["status"], case["body"]
    for sent in (body, body.encode()) if isinstance(body, str) else (body, json.dumps(body)):
        refused = understand(
            status, sent, case.get("headers", {}), name=name, key_variable="THE_KEY", base_variable="THE_BASE"
        )
        assert refused.code == case["code"], refused.message
        assert (refused.window_tokens, refused.asked_tokens) == (case.get("window"), case.get("asked"))
        assert refused.retryable == case.get("retryable", refused.code in WAITED_OUT)
        assert refused.lacks == case.get("lacks")
        assert refused.retry_after_s == pytest.approx(case.get("after"))
        assert refused.provider_status == (status if status and status >= 400 else None)
        assert refused.message.startswith(f"{name}: ")
        assert case.get("hint", "") in (refused.hint or "")
        assert case.get("says", "") in refused.message


# -- what is shown -----------------------------------------------------------------------------------------------------


def said(message: str, status: int = 400, **more: Any) -> Refused:
    return understand(status, error(message, **more), {}, name="openai-chat:m")


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-0123456789abcdefghij",
        "sk-abc1***************wxyz",
        "gsk_0123456789abcdef",
        "xai-0123456789abcdef",
        "0123456789abcdef0123456789abcdef.ABCDEFGHIJKLMNOP",
    ],
)
def test_a_key_is_in_no_message(secret: str) -> None:
    for text in (f"Incorrect API key provided: {secret}.", f"Authorization: Bearer {secret}", f"no: {secret} is bad"):
        refused = said(text, 401)
        assert secret not in refused.message + (refused.hint or "")
        assert secret[:12] not in refused.message


def test_a_key_of_no_known_form_is_masked_where_it_is_called_a_key() -> None:
    assert "Zx9Zx9Zx9Zx9" not in said("Incorrect API key provided: Zx9Zx9Zx9Zx9.", 401).message


def test_a_message_is_one_short_line_without_controls() -> None:
    refused = said("a\x1b[31m\u202eb\ud83d\r\n" + "long " * 1000)
    assert len(refused.message) < 500
    assert refused.message.isprintable()
    refused.message.encode()
    assert "b\ufffd long" in refused.message


def test_the_upstream_s_words_are_shown_and_not_the_gateway_s_alone() -> None:
    raw = json.dumps(error("Something of its own"))
    refused = said("Provider returned error", code=400, metadata={"raw": raw})
    assert refused.message.endswith("the provider refused the request: Something of its own")


def test_an_answer_that_nobody_knows_is_shown_and_is_no_evidence() -> None:
    refused = understand(400, {"odd": "context length exceeded"}, {}, name="openai-chat:m")
    assert refused.code == "request_refused"
    assert "context length exceeded" in refused.message


def test_hints_name_the_variables_or_speak_of_them_in_general() -> None:
    named = understand(404, None, {}, name="m:m", base_variable="OLLAMA_BASE_URL")
    assert "OLLAMA_BASE_URL" in (named.hint or "")
    assert "the base URL" in (understand(404, None, {}, name="m:m").hint or "")
    assert "check the key" in (understand(401, None, {}, name="m:m").hint or "")


def test_a_refusal_is_a_model_error() -> None:
    assert isinstance(said("no"), ModelError)
    assert said("no").status == ModelError.status


# -- answers that are no stream ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "status", "body", "words"),
    [
        ("text/html; charset=utf-8", 200, b"<!doctype html><title>Sign in</title>", "returned an HTML page"),
        ("text/html", 200, b"<html><body><h1>Welcome</h1>", "Welcome"),
        (None, 204, b"", "empty answer (HTTP 204)"),
        ("application/json", 202, b" \n", "empty answer (HTTP 202)"),
        ("text/plain", 200, b"Ollama is running", "Ollama is running"),
        ("application/x-ndjson", 200, b'{"model":"m","done":false}\n{"done":true}', "application/x-ndjson"),
        ("application/octet-stream", 200, b"\xff\x00\xfe", "octet-stream"),
    ],
)
def test_what_is_no_stream_is_said(content_type: str | None, status: int, body: bytes, words: str) -> None:
    refused = not_a_stream(content_type, status, body, name="ollama:qwen3", base_variable="OLLAMA_BASE_URL")
    assert (refused.code, refused.retryable, refused.provider_status) == ("malformed_stream", False, status)
    assert words in refused.message
    assert refused.message.isprintable()
    assert "OLLAMA_BASE_URL" in (refused.hint or "")
    assert refused.lacks == ("responses" if "html" in (content_type or "") else None)


# -- any refusal -------------------------------------------------------------------------------------------------------

SCRAPS = (
    "error message code type status detail context length exceeded maximum 8192 tokens model not found try again in 5s"
    ' {" "} [{ <html> data: retry-after \ud83d \x00 \u202e sk-0123456789abcdef rate limit TPM Limit 1, Requested 2'
)
MEMBERS = "error message code type status detail errors metadata raw n_ctx retryDelay headers param"
WORDS = st.sampled_from(SCRAPS.split(" "))
TEXT = st.one_of(st.text(st.characters(exclude_categories=())), st.lists(WORDS, max_size=30).map(" ".join))
KEYS = st.sampled_from(MEMBERS.split())
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.one_of(KEYS, TEXT), inner, max_size=5), inner.map(str)
    ),
    max_leaves=20,
)
HEADERS = st.dictionaries(
    st.one_of(st.sampled_from(["retry-after", "Retry-After-Ms", "x-ratelimit-reset-tokens", "content-type"]), TEXT),
    TEXT,
    max_size=4,
)


def well_formed(refused: Refused) -> None:
    """Check what is true of every refusal."""
    assert refused.code in REFUSAL_CODES
    assert len(refused.message) < 1000
    (refused.message + (refused.hint or "")).encode()
    assert not {unicodedata.category(character) for character in refused.message} & {"Cc", "Cs", "Zl", "Zp"}
    assert "sk-0123456789abcdef" not in refused.message
    assert refused.retry_after_s is None or (
        math.isfinite(refused.retry_after_s) and 0 < refused.retry_after_s <= 86400
    )
    for number in (refused.window_tokens, refused.asked_tokens):
        assert number is None or (type(number) is int and 0 < number < 10**10)
    assert refused.window_tokens is None or refused.code == "context_too_long"
    assert refused.lacks in (None, "tools", "images", "files", "responses", "roles", "ids", "items", "system")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=400)
@given(
    status=st.one_of(st.none(), st.integers(100, 700)),
    body=st.one_of(JSON, TEXT, st.binary(max_size=200), JSON.map(lambda value: json.dumps(value))),
    headers=HEADERS,
    name=st.one_of(st.just("openai-chat:gpt-5.2"), TEXT),
)
def test_nothing_that_comes_raises(status: int | None, body: object, headers: Mapping[str, str], name: str) -> None:
    well_formed(understand(status, body, headers, name=name))


@settings(deadline=None, max_examples=100)
@given(st.one_of(st.none(), TEXT), st.integers(200, 299), st.binary(max_size=500), TEXT)
def test_nothing_that_is_no_stream_raises(kind: str | None, status: int, body: bytes, name: str) -> None:
    well_formed(not_a_stream(kind, status, body, name=name))


def nested(depth: int) -> object:
    body: object = "end"
    for _ in range(depth):
        body = {"error": [body]}
    return body


@pytest.mark.parametrize(
    "body",
    [
        nested(50_000),
        "[" * 100_000,
        '{"error":' * 20_000,
        "x" * 5_000_000,
        b"\xff" * 5_000_000,
        {"error": {"message": "model " * 500_000}},
        {"error": {"message": "context " * 500_000, "code": 10**4000}},
        "<script" * 200_000,
        "<html>" + "<title" * 200_000,
        {"errors": [{"message": "try again in 1 m " * 1000}] * 10_000},
        {str(number): number for number in range(100_000)},
        json.dumps(json.dumps(json.dumps(json.dumps(json.dumps(json.dumps(error("x"))))))),
    ],
    ids=range(12),
)
def test_what_is_huge_or_deep_is_read_in_a_bounded_time(body: object) -> None:
    began = time.monotonic()
    well_formed(understand(400, body, {}, name="openai-chat:gpt-5.2"))
    assert time.monotonic() - began < 10
