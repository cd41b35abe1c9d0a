"""Why a provider cannot be reached. The table of causes is in tests/text/test_addresses.py."""

from __future__ import annotations

import ssl

import httpx2
import pytest

from aster_sidecar.errors import ModelError
from aster_sidecar.models.provider_errors.unreachable import causes, why_unreachable

URL = "https://box.example/v1"


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def test_causes_are_followed_once_each_through_groups_and_circles() -> None:
    inner = OSError("inner")
    outer = caused(ValueError("outer"), ExceptionGroup("all", [inner]))
    inner.__context__ = outer
    assert [str(one) for one in causes(outer)] == ["outer", "all (1 sub-exception)", "inner"]


def test_a_failure_after_the_connection_is_not_reported_here() -> None:
    for error in (ValueError("odd"), httpx2.ReadTimeout("late"), caused(ValueError("x"), ConnectionRefusedError())):
        assert why_unreachable(error, "openai:m", URL, "OPENAI_BASE_URL", {}) is None


def test_an_error_of_ours_below_is_given_back() -> None:
    ours = ModelError("address_invalid", "ours", hint="x")
    assert why_unreachable(caused(httpx2.ConnectError("x"), ours), "openai:m", URL, None, {}) is ours


@pytest.mark.parametrize(
    ("words", "hint", "retryable"),
    [
        (
            "407 Proxy Authentication Required",
            "give HTTPS_PROXY a name and a password: http://NAME:PASSWORD@p:1",
            False,
        ),
        ("403 Forbidden", "check HTTPS_PROXY, or add box.example to NO_PROXY", False),
        ("502 Bad Gateway", "check HTTPS_PROXY, or add box.example to NO_PROXY", True),
    ],
)
def test_a_proxy_that_refuses_is_reported_in_its_words(words: str, hint: str, retryable: bool) -> None:
    environment = {"HTTPS_PROXY": "http://p:1"}
    told = why_unreachable(httpx2.ProxyError(words), "openai:m", URL, "OPENAI_BASE_URL", environment)
    assert told is not None
    assert told.message == f"openai:m: the proxy p:1 (HTTPS_PROXY) refused: {words}"
    assert (told.hint, told.retryable) == (hint, retryable)


def test_tls_to_a_server_without_it() -> None:
    plain = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    plain.reason = "WRONG_VERSION_NUMBER"
    told = why_unreachable(caused(httpx2.ConnectError("x"), plain), "openai:m", URL, "OPENAI_BASE_URL", {})
    assert told is not None
    assert "does not use TLS" in told.message
    assert told.hint == "use http:// instead of https:// in OPENAI_BASE_URL"


def test_an_invalid_proxy_is_reported_instead_of_the_failure() -> None:
    told = why_unreachable(httpx2.ConnectError("x"), "openai:m", URL, None, {"HTTPS_PROXY": "foo://x"})
    assert told is not None
    assert told.code == "address_invalid"
