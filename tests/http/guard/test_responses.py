"""What the gate adds to responses: request ids, security headers, and the text of a refusal."""

from __future__ import annotations

import pytest

from tests.http.guard.support import BEARER, Daemon, Serve, allows


def test_no_cors_headers_for_a_client_without_origin(daemon: Daemon) -> None:
    allows(daemon.ask("GET /api/echo", BEARER), None)
    allows(daemon.ask("GET /api/echo"), None)


def test_a_route_cannot_open_what_the_gate_keeps_shut(daemon: Daemon) -> None:
    origin = f"http://localhost:{daemon.port}"
    for answer, expected in (
        (daemon.ask("GET /api/wild", BEARER), None),
        (daemon.ask("GET /api/wild", BEARER, f"Origin: {origin}"), origin),
    ):
        allows(answer, expected)
        assert answer.one("cache-control") == "max-age=60"
        assert answer.all("vary") == ["Accept", "Origin"]


def test_answers_are_not_cached_unless_the_route_says_so(daemon: Daemon) -> None:
    for answer in (daemon.ask("GET /health"), daemon.ask("GET /api/echo"), daemon.ask("GET /nowhere", BEARER)):
        assert answer.one("cache-control") == "no-store"


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_a_clients_request_id_is_echoed(daemon: Daemon, given: str) -> None:
    answer = daemon.ask("GET /api/echo", BEARER, f"X-Request-Id: {given}")
    assert answer.one("x-request-id") == given == answer.json()["id"]
    assert daemon.refuses(401, "token_refused", "GET /api/echo", f"X-Request-Id: {given}").json()["id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a/b", "<b>", "\xe9", "a,b", "a\tb"])
def test_any_other_request_id_is_replaced(daemon: Daemon, given: str) -> None:
    first, second = (daemon.ask("GET /api/echo", BEARER, f"X-Request-Id: {given}") for _ in range(2))
    made = first.one("x-request-id")
    assert made.startswith("req_")
    assert len(made) == 20
    assert int(made[4:], 16) >= 0
    assert made == first.json()["id"] != second.one("x-request-id")


def test_two_request_ids_are_replaced(daemon: Daemon) -> None:
    answer = daemon.ask("GET /api/echo", BEARER, "X-Request-Id: a", "X-Request-Id: b")
    assert answer.one("x-request-id").startswith("req_")


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site", "Content-Type"])
def test_a_refusal_shows_little_of_a_hostile_header_and_only_as_ascii(serve: Serve, name: str) -> None:
    daemon = serve(token=None)
    hostile = '"</script>\x9b\xad\xff' + "A" * 4000
    headers = [] if name == "Host" else [f"{name}: {hostile}"]
    with daemon.unreached():
        answer = daemon.ask(
            "POST /api/echo",
            *headers,
            "Content-Length: 2",
            body=b"{}",
            host=hostile if name == "Host" else "127.0.0.1:PORT",
        )
    assert answer.status in (403, 415, 421)
    assert answer.one("content-type") == "application/json"
    assert answer.body.isascii()
    assert 50 < answer.json()["error"].count("A") <= 100
