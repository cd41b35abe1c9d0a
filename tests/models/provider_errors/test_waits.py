"""How long a provider asks to wait: in headers, in fields of its answer, in sentences."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from aster_sidecar.errors import Refused
from aster_sidecar.models.provider_errors.classify import understand
from aster_sidecar.models.provider_errors.waits import duration_s, wait_s


def said(message: str, status: int = 400, **more: Any) -> Refused:
    return understand(status, {"error": {"message": message, **more}}, {}, name="openai-chat:m")


@pytest.mark.parametrize(
    ("headers", "after_s"),
    [
        ({"Retry-After": "20"}, 20.0),
        ({"RETRY-AFTER": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "99999999999999999999"}, None),
        ({"retry-after": "86401"}, None),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": formatdate(time.time() - 60, usegmt=True)}, None),
        ({"retry-after": "Thu, 99 Foo 2026 00:00:00 GMT"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "0", "retry-after": "2"}, 2.0),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        (
            {
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-remaining-requests": "59",
            },
            360.0,
        ),
        ({"x-ratelimit-reset": "30"}, 30.0),
        ({"x-request-reset": "30"}, None),
        ({}, None),
    ],
)
def test_headers_say_how_long_to_wait(headers: dict[str, str], after_s: float | None) -> None:
    assert understand(429, None, headers, name="openai-chat:m").retry_after_s == pytest.approx(after_s)


@pytest.mark.parametrize(
    "header",
    [
        lambda at: {"retry-after": formatdate(at, usegmt=True)},
        lambda at: {"x-ratelimit-reset": str(int(at * 1000))},
        lambda at: {"x-ratelimit-reset": str(int(at))},
        lambda at: {"anthropic-ratelimit-tokens-reset": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))},
    ],
    ids=["a date", "milliseconds", "seconds", "ISO"],
)
def test_a_moment_is_a_wait_until_then(header: Callable[[float], dict[str, str]]) -> None:
    after_s = understand(429, None, header(time.time() + 3000), name="openai-chat:m").retry_after_s
    assert after_s is not None
    assert 2000 < after_s <= 3001


def test_a_moment_may_stand_in_the_answer_s_own_headers() -> None:
    reset = str(int((time.time() + 3000) * 1000))
    refused = said("Rate limit exceeded", 429, metadata={"headers": {"X-RateLimit-Reset": reset}})
    assert refused.retry_after_s is not None


@pytest.mark.parametrize(
    ("sentence", "after_s"),
    [
        ("Please try again in 1.5s.", 1.5),
        ("Please try again in 120ms.", 0.12),
        ("Please try again in 1h2m3s.", 3723.0),
        ("please retry after 20 seconds", 20.0),
        ("Wait 5 minutes", 300.0),
        ("please try again after 1 seconds", 1.0),
        ("try again in 2 days", None),
        ("try again in 0s", None),
        ("try again in 5 or so", None),
        ("the limit is 60s of audio", None),
    ],
)
def test_sentences_say_how_long_to_wait(sentence: str, after_s: float | None) -> None:
    assert said(f"Rate limit reached. {sentence}", 429).retry_after_s == pytest.approx(after_s)


@pytest.mark.parametrize(
    ("field", "value", "after_s"),
    [
        ("retryDelay", "33s", 33.0),
        ("retry_delay", {"seconds": 33}, 33.0),
        ("estimated_time", 20.5, 20.5),
        ("retry_after_ms", 250, 0.25),
        ("retry_after", True, None),
        ("retry_after", float("nan"), None),
        ("retry_after", float("inf"), None),
        ("retry_after", -5, None),
        ("retry_after", 10**400, None),
        ("retry_after", [5], None),
    ],
)
def test_fields_say_how_long_to_wait(field: str, value: object, after_s: float | None) -> None:
    assert understand(429, {field: value}, {}, name="openai-chat:m").retry_after_s == pytest.approx(after_s)


def test_headers_go_before_fields_and_fields_before_sentences() -> None:
    assert wait_s({"retry-after": "1"}, [("retryDelay", "2s")], ["try again in 3s"]) == 1
    assert wait_s({"retry-after": "0"}, [("retryDelay", "2s")], ["try again in 3s"]) == 2
    assert wait_s({}, [("retryDelay", "never")], ["try again in 3s"]) == 3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("6m0s", 360.0), ("120ms", 0.12), ("20 seconds", 20.0), ("1h 30m", 5400.0), ("2 days", 172_800.0)],
        *[("soon", None), ("", None), ("5", None), ("5 parsecs", None)],
    ],
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


def test_the_longest_reset_of_a_used_up_limit_counts() -> None:
    headers = {"x-ratelimit-reset-requests": "5s", "x-ratelimit-reset-tokens": "9s"}
    assert wait_s(headers) == 5
    assert wait_s({**headers, "x-ratelimit-remaining-tokens": "0", "x-ratelimit-remaining-requests": "1"}) == 9
