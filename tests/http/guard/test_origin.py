"""The Origin header, CORS headers and preflight requests."""

from __future__ import annotations

import pytest

from aster_sidecar.http.gate import Framework
from tests.http.guard.support import BEARER, FRAMEWORKS, HANDSHAKE, JSON, MIB, TOKEN, Daemon, Serve, allows, words

OWN = ["http://127.0.0.1:PORT", "http://localhost:PORT", "http://[::1]:PORT"]
TAURI = ["tauri://localhost", "http://tauri.localhost", "https://tauri.localhost"]
ELECTRON = ["aster-app://app", "file://"]
WAILS = ["wails://wails", "wails://wails.localhost", "http://wails.localhost"]
LISTED: dict[Framework, list[str]] = {"tauri": TAURI, "electron": ELECTRON, "wails": WAILS, "web": []}
UNLISTED = [
    *words("""
    null NULL * http://evil.com http://evil.com:PORT http://127.0.0.1 http://127.0.0.1:1 https://127.0.0.1:PORT
    http://127.0.0.1:PORT/ http://127.0.0.1:PORT.evil.com http://localhost:PORT@evil.com http://LOCALHOST:PORT
    HTTP://localhost:PORT http://localhost.:PORT http://127.1:PORT 127.0.0.1:PORT http://tauri.localhost.evil.com
    http://evil.tauri.localhost http://tauri.localhost:80 http://tauri.localhost/ HTTP://tauri.localhost
    Tauri://localhost tauri://localhost:80 tauri://localhost/ tauri://LOCALHOST tauri://evil tauri://
    aster-app://app/ aster-app://app2 aster-app:// file:/// file://localhost file:
    chrome-extension://abcdefghijklmnop wails://wails/ wails://wails.localhost:34115 https://wails.localhost
    """),
    "",
    "http://127.0.0.1:PORT http://evil.com",
    "http://127.0.0.1:PORT, http://evil.com",
    "tauri://localhost\xe9",
]
ON_THIS_MACHINE = set(
    words("""
    http://127.0.0.1 http://127.0.0.1:1 https://127.0.0.1:PORT
    """)
)
"""Unlisted origins on this machine. Their pages may read the refusal."""


@pytest.mark.parametrize("token", [TOKEN, None])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_exactly_the_frameworks_own_origins_are_listed(serve: Serve, framework: Framework, token: str | None) -> None:
    daemon = serve(framework=framework, token=token)
    bearer = [BEARER] if token else []
    listed = LISTED[framework] + OWN
    for origin in listed:
        # Also with cross-site: browsers send it with a CORS fetch of the app's own page.
        answer = daemon.ask("GET /api/echo", f"Origin: {origin}", "Sec-Fetch-Site: cross-site", *bearer)
        assert answer.status == 200, origin
        allows(answer, origin.replace("PORT", str(daemon.port)))
        assert daemon.ask("GET /ws", *HANDSHAKE, f"Origin: {origin}", *bearer).status == 101
    for origin in {*UNLISTED, *TAURI, *ELECTRON, *WAILS}.difference(listed):
        for line, more in (("GET /health", ()), ("GET /api/echo", bearer), ("GET /ws", (*HANDSHAKE, *bearer))):
            answer = daemon.refuses(403, "origin_refused", line, f"Origin: {origin}", *more)
            if line != "GET /ws":  # no page can read the answer to a handshake
                allows(answer, origin.replace("PORT", str(daemon.port)) if origin in ON_THIS_MACHINE else None)


def test_a_refusal_names_the_origin_and_the_flag_once_at_the_terminal(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = serve()
    answers = [daemon.refuses(403, "origin_refused", "GET /health", "Origin: http://localhost:5173") for _ in range(3)]
    told = answers[0].json()
    assert "http://localhost:5173" in told["error"]
    assert "--allow-origin http://localhost:5173" in told["hint"]
    [line] = [record.getMessage() for record in caplog.records if "allow-origin" in record.getMessage()]
    assert "--allow-origin http://localhost:5173" in line
    for number in range(100):
        daemon.refuses(403, "origin_refused", "GET /health", f"Origin: http://{number}.example")
    assert len([record for record in caplog.records if "allow-origin" in record.getMessage()]) == 20
    strange = daemon.refuses(403, "origin_refused", "GET /health", "Origin: http://x\x1b[2Jy").json()
    assert "\x1b" not in strange["error"]
    assert "http://x" not in strange["hint"]
    assert len([record for record in caplog.records if "allow-origin" in record.getMessage()]) == 20


@pytest.mark.parametrize("second", ["http://evil.com", "http://127.0.0.1:PORT", "null", ""])
def test_two_origins_are_refused(daemon: Daemon, second: str) -> None:
    own = "Origin: http://127.0.0.1:PORT"
    for pair in ((own, f"Origin: {second}"), (f"ORIGIN: {second}", own)):
        for line in ("GET /health", "GET /api/echo"):
            allows(daemon.refuses(403, "origin_refused", line, *pair, BEARER), None)
        with daemon.unreached():  # websockets refuses it before the gate does
            assert daemon.ask("GET /ws", *HANDSHAKE, *pair, BEARER).status in (400, 403)


def test_allow_origin_adds_exactly_that_origin_and_never_null(serve: Serve) -> None:
    daemon = serve(allow_origins=("https://app.example:8443", "null", " NULL"))
    allows(daemon.ask("GET /api/echo", BEARER, "Origin: https://app.example:8443"), "https://app.example:8443")
    for origin in ("https://app.example", "http://app.example:8443", "null", "NULL", " null", "Null"):
        daemon.refuses(403, "origin_refused", "GET /api/echo", BEARER, f"Origin: {origin}")


def test_listed_origin_can_read_every_answer_errors_included(serve: Serve) -> None:
    daemon = serve(framework="tauri")
    origin = "Origin: tauri://localhost"
    answers = {
        200: daemon.ask("GET /api/echo", BEARER, origin),
        401: daemon.ask("GET /api/echo", origin),
        404: daemon.ask("GET /nowhere", BEARER, origin),
        405: daemon.ask("POST /api/boom", BEARER, origin),
        413: daemon.ask("POST /api/echo", BEARER, origin, JSON, f"Content-Length: {MIB + 1}"),
        415: daemon.post(BEARER, origin, "Content-Type: text/plain"),
        421: daemon.ask("GET /api/echo", BEARER, origin, host="evil.com"),
        422: daemon.ask("POST /fast/typed", BEARER, origin, JSON, "Content-Length: 2", body=b"[]"),
        500: daemon.ask("GET /api/boom", BEARER, origin),
    }
    for status, answer in answers.items():
        assert answer.status == status, answer
        allows(answer, "tauri://localhost")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_preflight_of_a_listed_origin_is_answered_before_the_token(serve: Serve, framework: Framework) -> None:
    daemon = serve(framework=framework)
    for origin in LISTED[framework] + OWN:
        with daemon.unreached():
            answer = daemon.ask(
                "OPTIONS /api/echo",
                f"Origin: {origin}",
                "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: authorization, x-evil",
                "Access-Control-Request-Private-Network: true",
                "Sec-Fetch-Site: cross-site",
            )
        assert (answer.status, answer.body) == (204, b"")
        allows(answer, origin.replace("PORT", str(daemon.port)))
        assert answer.one("access-control-allow-methods") == "GET, POST, PUT, PATCH, DELETE"
        allowed = "authorization, content-type, last-event-id, x-aster-client, x-filename, x-request-id"
        assert answer.one("access-control-allow-headers") == allowed
        assert answer.one("access-control-max-age") == "600"
        assert answer.one("access-control-allow-private-network") == "true"


def test_private_network_is_allowed_only_when_asked_for(daemon: Daemon) -> None:
    preflight = ("Origin: http://localhost:PORT", "Access-Control-Request-Method: GET")
    for more in ((), ("Access-Control-Request-Private-Network: false",)):
        answer = daemon.ask("OPTIONS /api/echo", *preflight, *more)
        assert answer.status == 204
        assert not answer.all("access-control-allow-private-network")


@pytest.mark.parametrize("origin", ["null", "http://evil.com", "http://localhost:1", ""])
@pytest.mark.parametrize("path", ["/api/echo", "/health", "*"])
def test_preflight_of_an_unlisted_origin_gets_no_cors_headers(serve: Serve, origin: str, path: str) -> None:
    daemon = serve()
    with daemon.unreached():
        answer = daemon.ask(
            f"OPTIONS {path}",
            f"Origin: {origin}",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Private-Network: true",
        )
    assert answer.status == (421 if path == "*" else 403)
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]


def test_only_a_real_preflight_goes_without_the_token(daemon: Daemon) -> None:
    own = "Origin: http://localhost:PORT"
    method = "Access-Control-Request-Method: POST"
    daemon.refuses(401, "token_refused", "OPTIONS /api/echo", own)  # without Access-Control-Request-Method
    daemon.refuses(401, "token_refused", "OPTIONS /api/echo", method)  # without Origin
    daemon.refuses(401, "token_refused", "OPTIONS /health", method)
    for verb in ("GET", "POST", "HEAD"):
        daemon.refuses(401, "token_refused", f"{verb} /api/echo", own, method)
    daemon.refuses(421, "host_refused", "OPTIONS /api/echo", own, method, host="evil.com")
