"""The token, and the few requests that need none."""

from __future__ import annotations

import pytest

from aster_sidecar.http.gate import Gate
from aster_sidecar.http.guard import Guard
from tests.http.guard.support import BEARER, HANDSHAKE, TOKEN, Daemon, small_app, words


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_token_opens_every_route(daemon: Daemon, scheme: str) -> None:
    assert daemon.ask("GET /api/echo", f"Authorization: {scheme} {TOKEN}").status == 200
    assert daemon.ask("GET /api/echo", f"AUTHORIZATION:  {scheme}  {TOKEN} ").status == 200
    assert daemon.ask("GET /ws", *HANDSHAKE, f"Authorization: {scheme} {TOKEN}").status == 101


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization:",),
        ("Authorization: Bearer",),
        ("Authorization: Bearer ",),
        (f"Authorization: {TOKEN}",),
        (f"Authorization: Bearer{TOKEN}",),
        (f"Authorization: Bearer\t{TOKEN}",),
        (f"Authorization: Basic {TOKEN}",),
        (f"Authorization: Token {TOKEN}",),
        (f"Authorization: Bearer Bearer {TOKEN}",),
        (f"Authorization: Bearer {TOKEN[:-1]}",),
        (f"Authorization: Bearer {TOKEN[1:]}",),
        (f"Authorization: Bearer {TOKEN}x",),
        (f"Authorization: Bearer {TOKEN} x",),
        (f"Authorization: Bearer {TOKEN},",),
        (f'Authorization: Bearer "{TOKEN}"',),
        (f"Authorization: Bearer {TOKEN.upper()}",),
        (f"Authorization: Bearer {TOKEN}, Bearer {TOKEN}",),
        ("Authorization: Bearer \xe9\xff\x80",),
        (f"Authorization: Bearer {TOKEN}\xe9",),
        ("Authorization: \xff",),
        ("Authorization: Bearer None",),
        ("Authorization: Bearer null",),
        (BEARER, BEARER),
        (BEARER, "Authorization: Bearer wrong"),
        ("Authorization: Bearer wrong", BEARER),
        (BEARER, "authorization:"),
        (f"Proxy-Authorization: Bearer {TOKEN}",),
        (f"X-Authorization: Bearer {TOKEN}",),
        (f"Cookie: token={TOKEN}; Authorization=Bearer {TOKEN}",),
        (f"Sec-WebSocket-Protocol: bearer, {TOKEN}",),
    ],
)
def test_anything_but_one_right_token_is_refused(daemon: Daemon, headers: tuple[str, ...]) -> None:
    for line, *more in (("GET /api/echo",), ("POST /api/echo",), ("GET /nowhere",), ("GET /ws", *HANDSHAKE)):
        answer = daemon.refuses(401, "token_refused", line, *headers, *more)
        assert answer.one("www-authenticate") == "Bearer"
        assert TOKEN.encode() not in answer.body


@pytest.mark.parametrize("name", ["token", "access_token", "bearer", "authorization"])
def test_the_token_is_never_taken_from_the_url(daemon: Daemon, name: str) -> None:
    for value in (TOKEN, f"Bearer%20{TOKEN}"):
        daemon.refuses(401, "token_refused", f"GET /api/echo?{name}={value}")
        daemon.refuses(401, "token_refused", f"GET /ws?{name}={value}", *HANDSHAKE)
    daemon.refuses(401, "token_refused", f"GET http://127.0.0.1:PORT/api/echo?{name}={TOKEN}")


def test_the_token_is_no_substitute_for_a_listed_origin(daemon: Daemon) -> None:
    daemon.refuses(403, "origin_refused", "GET /api/echo", BEARER, "Origin: http://evil.com")


def test_health_needs_no_token(daemon: Daemon) -> None:
    for line in ("GET /health", "GET /health?x", "GET /health?", "GET /%68ealth", "GET /health HTTP/1.0"):
        assert daemon.ask(line).status == 200, line
    assert daemon.ask("GET /health", "Authorization: Bearer wrong").status == 200
    assert daemon.ask("HEAD /health").status == 200


@pytest.mark.parametrize(
    "path",
    words(r"""
    /health/ //health /health// /Health /HEALTH /health;x /health%3fx /health%23 /health%20 /health%00 /health%0a
    /health%2f /%2fhealth /./health /health/. /health/../api/echo /health/%2e%2e/api/echo /health%2f..%2fapi%2fecho
    /health\..\api\echo /api/../health /api/echo/../../health /api/echo?/health /api/echo;/health
    /api/echo%00/health /healthz /health%68 /
    """),
)
def test_nothing_else_passes_for_health(daemon: Daemon, path: str) -> None:
    for method in ("GET", "HEAD"):
        daemon.refuses(401, "token_refused", f"{method} {path}")


def test_only_get_and_head_health_are_free(daemon: Daemon) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "QUERY"):
        # httptools itself refuses methods that it doesn't know
        with daemon.unreached():
            assert daemon.ask(f"{method} /health").status in (401, 400), method
    daemon.refuses(401, "token_refused", "GET /health", *HANDSHAKE)
    override = ("X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET")
    daemon.refuses(401, "token_refused", "POST /health", *override)
    daemon.refuses(401, "token_refused", "POST /health?_method=GET", *override)
    daemon.refuses(401, "token_refused", "GET /api/echo", "X-Original-URL: /health", "X-Rewrite-URL: /health")


def test_method_override_headers_change_nothing(daemon: Daemon) -> None:
    assert daemon.ask("GET /health?_method=POST", "X-HTTP-Method-Override: POST").status == 200
    assert daemon.reached[-1] == "GET /health"


def test_an_empty_token_is_not_taken_for_one() -> None:
    with pytest.raises(ValueError, match="empty token"):
        Guard(small_app(), Gate(framework="web", token="", port=lambda: 1))
