"""The headers Sec-Fetch-Site and Sec-Fetch-Mode, by which a browser names the source of a request."""

from __future__ import annotations

import pytest

from aster_sidecar.http.gate import Framework
from tests.http.guard.support import BEARER, FRAMEWORKS, HANDSHAKE, Daemon, Serve, allows


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "None", "same-origin, cross-site", "\xff"])
@pytest.mark.parametrize("mode", ["no-cors", "navigate", "cors", "websocket", "CORS", None])
def test_without_a_token_foreign_pages_are_refused_by_fetch_site(
    serve: Serve, framework: Framework, site: str, mode: str | None
) -> None:
    daemon = serve(framework=framework, token=None)
    headers = (f"Sec-Fetch-Site: {site}", *([] if mode is None else [f"Sec-Fetch-Mode: {mode}"]))
    for line, *more in (("GET /health",), ("GET /api/echo",), ("POST /api/echo",), ("GET /ws", *HANDSHAKE)):
        if framework == "electron" and mode == "cors":  # how a preload script of a file:// page fetches
            assert daemon.ask(line, *headers, *more).status in (200, 101)
        else:
            allows(daemon.refuses(403, "origin_refused", line, *headers, *more), None)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_without_a_token_own_pages_and_programs_are_served(serve: Serve, framework: Framework) -> None:
    daemon = serve(framework=framework, token=None)
    for headers in ((), ("Sec-Fetch-Site: none",), ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors")):
        assert daemon.ask("GET /api/echo", *headers).status == 200
        assert daemon.ask("GET /ws", *HANDSHAKE, *headers).status == 101


def test_doubled_fetch_headers_are_read_as_the_worse(serve: Serve) -> None:
    cross, same = "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"
    for framework in FRAMEWORKS:
        daemon = serve(framework=framework, token=None)
        daemon.refuses(403, "origin_refused", "GET /api/echo", same, cross)
        daemon.refuses(403, "origin_refused", "GET /api/echo", cross, same)
        modes = ("Sec-Fetch-Mode: cors", "Sec-Fetch-Mode: no-cors")
        daemon.refuses(403, "origin_refused", "GET /api/echo", cross, *modes)


def test_a_bearer_counts_more_than_the_fetch_site(daemon: Daemon) -> None:
    assert daemon.ask("GET /api/echo", BEARER, "Sec-Fetch-Site: cross-site").status == 200
    daemon.refuses(401, "token_refused", "GET /api/echo", "Sec-Fetch-Site: cross-site")
    daemon.refuses(403, "origin_refused", "GET /health", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")
    assert daemon.ask("GET /health", BEARER, "Sec-Fetch-Site: cross-site").status == 200
