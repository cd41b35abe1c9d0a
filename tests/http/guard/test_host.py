"""The Host header and the request target: only those of this daemon are served."""

from __future__ import annotations

import pytest

from tests.http.guard.support import BEARER, HANDSHAKE, Daemon, Serve, words


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT", "LocalHost:PORT", "[::1]:PORT", " \t127.0.0.1:PORT \t"],
)
def test_own_hosts_are_served(open_daemon: Daemon, host: str) -> None:
    assert open_daemon.ask("GET /health", host=host).status == 200
    assert open_daemon.ask("GET /api/echo", host=host).status == 200


FOREIGN_HOSTS = [
    *words("""
    evil.com evil.com:PORT 127.0.0.1 127.0.0.1: 127.0.0.1:1 127.0.0.1:0PORT 127.0.0.1:+PORT 127.0.0.1:PORT.
    127.0.0.1:PORT0 localhost [::1] :PORT 127.0.0.1.:PORT localhost.:PORT 127.0.0.1.evil.com:PORT
    localhost.evil.com:PORT evil.localhost:PORT tauri.localhost:PORT 127.0.0.1:PORT@evil.com evil.com@127.0.0.1:PORT
    127.0.0.1:PORT/ 127.0.0.1:PORT# 127.0.0.1:PORT\\ http://127.0.0.1:PORT //127.0.0.1:PORT
    127.0.0.1:PORT,127.0.0.1:PORT 127.1:PORT 127.0.0.2:PORT 127.0.1:PORT 0.0.0.0:PORT 0:PORT 0x7f.0.0.1:PORT
    0177.0.0.1:PORT 127.000.000.001:PORT 2130706433:PORT ::1:PORT [::]:PORT [0:0:0:0:0:0:0:1]:PORT
    [::ffff:127.0.0.1]:PORT [::1%25lo]:PORT [127.0.0.1]:PORT
    """),
    "",
    "127.0.0.1:PORT, evil.com",
    "evil.com, 127.0.0.1:PORT",
    "127.0.0.1 :PORT",
    "127.0.0.1: PORT",
    "127.0.0.1:PORT evil.com",
    "127.0.0.1:PORT\tevil.com",
    "127.0.0.1:PORT\xa0",
    "127.0.0.1:PORT\xe9",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_every_other_host_is_misdirected(daemon: Daemon, host: str) -> None:
    daemon.refuses(421, "host_refused", "GET /api/echo", BEARER, host=host)
    daemon.refuses(421, "host_refused", "GET /health", host=host)
    daemon.refuses(421, "host_refused", "GET /ws", *HANDSHAKE, BEARER, host=host)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("127.0.0.1:PORT", "127.0.0.1:PORT"),
        ("127.0.0.1:PORT", "evil.com"),
        ("evil.com", "127.0.0.1:PORT"),
        ("127.0.0.1:PORT", ""),
    ],
)
@pytest.mark.parametrize("name", ["Host", "host", "HOST"])
def test_two_hosts_are_ambiguous(daemon: Daemon, name: str, first: str, second: str) -> None:
    for line, *more in (("GET /health",), ("GET /api/echo",), ("GET /ws", *HANDSHAKE)):
        with daemon.unreached():
            answer = daemon.ask(line, f"{name}: {second}", *more, BEARER, host=first)
        assert answer.status == 400  # h11 refuses it before the gate does


def test_no_host_is_ambiguous(daemon: Daemon) -> None:
    daemon.refuses(400, "host_ambiguous", "GET /api/echo HTTP/1.0", BEARER, host=None)
    daemon.refuses(400, "host_ambiguous", "GET /health HTTP/1.0", "X-Forwarded-Host: 127.0.0.1:PORT", host=None)
    with daemon.unreached():
        assert daemon.ask("GET /health HTTP/1.1", host=None).status == 400


@pytest.mark.parametrize(
    "header",
    [
        "Host : 127.0.0.1:PORT",
        " Host: 127.0.0.1:PORT",
        "Host\t: 127.0.0.1:PORT",
        "Host\0: 127.0.0.1:PORT",
        "Host: 127.0.0.1:PORT\0",
        "Host: 127.0.0.1:PORT\0evil.com",
        "Host: evil.com\rHost: 127.0.0.1:PORT",
        "Host: 127.0.0.1:PORT\r\n evil.com",
        "Host:\r\n evil.com",
        "Host",
    ],
)
def test_malformed_host_lines_are_refused(daemon: Daemon, header: str) -> None:
    with daemon.unreached():
        assert daemon.ask("GET /health", header, host=None).status in (400, 421)


@pytest.mark.parametrize(
    "target",  # an own host in the target does not help when it differs from Host
    words("""
    http://evil.com/health http://evil.com:PORT/api/echo http://localhost:PORT/health
    http://127.0.0.1:PORT@evil.com/health http://evil.com@127.0.0.1:PORT/health http://127.0.0.1/health
    https://127.0.0.1:PORT/health file://127.0.0.1:PORT/health http:///health http:/127.0.0.1:PORT/health
    http:127.0.0.1:PORT/health 127.0.0.1:PORT health * ?/health
    """),
)
def test_targets_that_are_no_path_of_ours_are_misdirected(serve: Serve, target: str) -> None:
    daemon = serve()
    for method in ("GET", "OPTIONS", "CONNECT"):
        daemon.refuses(421, "host_refused", f"{method} {target}", BEARER)
    daemon.refuses(421, "host_refused", f"GET {target}", *HANDSHAKE, BEARER)


def test_absolute_target_that_agrees_with_host_is_routed_as_its_path(serve: Serve) -> None:
    daemon = serve()
    assert daemon.ask("GET http://127.0.0.1:PORT/health?x=1").status == 200
    assert daemon.ask("GET HTTP://LOCALHOST:PORT/%68ealth", host="localhost:PORT").status == 200
    assert daemon.ask("GET http://127.0.0.1:PORT/api/echo", BEARER).status == 200
    assert daemon.ask("GET http://127.0.0.1:PORT", BEARER).status == 404
    daemon.refuses(401, "token_refused", "GET http://127.0.0.1:PORT/api/echo")
    daemon.refuses(401, "token_refused", "GET http://127.0.0.1:PORT")
    daemon.refuses(421, "host_refused", "GET http://evil.com/health", host="evil.com")
