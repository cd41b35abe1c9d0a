"""The gate's rules one by one, without a server. tests/http/guard/ attacks all of them over a real socket."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from starlette.types import Scope

from aster_sidecar.errors import AsterError, HostAmbiguous, HostRefused, OriginRefused, PeerRefused, TokenRefused
from aster_sidecar.http.gate import PAGE_ORIGINS, REDEEM_PATH, Checks, Descent, Framework, Gate
from aster_sidecar.http.peer_credentials import Credentials
from aster_sidecar.http.request_head import Headers

TOKEN = "correct-horse-battery-staple"


def checks(framework: Framework = "web", token: str | None = None, port: int = 7, **gate: Any) -> Checks:
    made = Checks(Gate(framework=framework, token=token, port=lambda: port, check_peer=False, **gate))
    made.update_port()
    return made


def caller(gate: Checks, headers: Headers | None = None, **scope: Any) -> Scope:
    """The scope of a request that passed the checks of its caller. Raises: AsterError."""
    made: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/echo",
        "client": ("127.0.0.1", 9),
        "server": ("127.0.0.1", 7),
        **scope,
    }
    made["state"] = {**scope.get("state", {})}
    asyncio.run(gate.check_caller(made, headers or {}))
    return made


def bearer(token: str) -> Headers:
    return {b"authorization": [f"Bearer {token}".encode()]}


# -- Host and Origin ---------------------------------------------------------------------------------------------------


def test_hosts_and_own_origins_follow_the_bound_port() -> None:
    port = 7
    gate = Checks(Gate(framework="web", token=None, port=lambda: port))
    for port in (7, 8):
        gate.update_port()
        gate.check_host({b"host": [f"LocalHost:{port}".encode()]})
        assert gate.allowed_origin({b"origin": [f"http://[::1]:{port}".encode()]})
        with pytest.raises(HostRefused):
            gate.check_host({b"host": [f"localhost:{15 - port}".encode()]})
        assert not gate.allowed_origin({b"origin": [f"http://localhost:{15 - port}".encode()]})


@pytest.mark.parametrize("hosts", [[], [b"localhost:7", b"localhost:7"]])
def test_a_request_has_one_host(hosts: list[bytes]) -> None:
    with pytest.raises(HostAmbiguous):
        checks().check_host({b"host": hosts})


@pytest.mark.parametrize("framework", PAGE_ORIGINS)
def test_a_framework_s_pages_are_allowed_and_no_other_s(framework: Framework) -> None:
    gate = checks(framework=framework, allow_origins=("https://app.example", "null"))
    allowed = {
        origin for origin in sum(PAGE_ORIGINS.values(), ()) if gate.allowed_origin({b"origin": [origin.encode()]})
    }
    assert allowed == set(PAGE_ORIGINS[framework])
    assert gate.allowed_origin({b"origin": [b"https://app.example"]}) == b"https://app.example"
    assert gate.allowed_origin({b"origin": [b"null"]}) is None
    assert gate.allowed_origin({b"origin": [b"https://app.example"] * 2}) is None


def test_a_request_without_origin_and_an_allowed_one_pass() -> None:
    checks().check_origin({}, None)
    checks().check_origin({b"origin": [b"http://localhost:7"]}, b"http://localhost:7")


@pytest.mark.parametrize(
    ("origins", "words", "in_hint"),
    [
        ([b"http://evil.com"], "http://evil.com", True),
        ([b"http://a", b"http://a"], "2 Origin headers", False),
        ([b"null"], "null", False),
        ([b"http://evil.com/path"], "http://evil.com/path", False),
        ([b"http://" + b"a" * 200], "aaa", False),
    ],
)
def test_a_refused_origin_is_named_and_how_to_allow_it(origins: list[bytes], words: str, in_hint: bool) -> None:
    with pytest.raises(OriginRefused) as refused:
        checks().check_origin({b"origin": origins}, None)
    assert words in refused.value.message
    assert ("start the daemon with --allow-origin" in (refused.value.hint or "")) is in_hint


# -- the token ---------------------------------------------------------------------------------------------------------


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="empty token"):
        Checks(Gate(framework="web", token="", port=lambda: 7))


def test_the_token_and_public_paths_pass() -> None:
    gate = checks(token=TOKEN, is_page=lambda path: path == "/")
    caller(gate, bearer(TOKEN))
    for method, path in (("GET", "/health"), ("HEAD", "/health"), ("GET", "/"), ("POST", REDEEM_PATH)):
        caller(gate, method=method, path=path)
    for method, path in (("POST", "/health"), ("PUT", REDEEM_PATH), ("GET", "/x")):
        with pytest.raises(TokenRefused, match="missing"):
            caller(gate, method=method, path=path)
    with pytest.raises(TokenRefused, match="missing"):
        caller(gate, type="websocket", path="/health")


@pytest.mark.parametrize("sent", [b"Bearer wrong", b"Basic " + TOKEN.encode(), b"Bearer \xe9", b""])
def test_any_other_token_is_wrong(sent: bytes) -> None:
    with pytest.raises(TokenRefused, match="wrong"):
        caller(checks(token=TOKEN), {b"authorization": [sent]})
    with pytest.raises(TokenRefused, match="wrong"):
        caller(checks(token=TOKEN), {b"authorization": [f"Bearer {TOKEN}".encode(), sent]})


class Browser:
    def __init__(self) -> None:
        self.revoked = asyncio.Event()


def test_a_page_s_subprotocol_may_be_a_handoff_s_credentials_and_not_the_token() -> None:
    browser = Browser()
    gate = checks(token=TOKEN, find_signed_in=lambda credentials: browser if credentials == b"handed" else None)
    assert caller(gate, bearer("handed"), state={"sent_by_page": True})["state"]["signed_in"] is browser
    with pytest.raises(TokenRefused):
        caller(gate, bearer(TOKEN), state={"sent_by_page": True})


# -- fetch site and connecting program ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framework", "site", "mode", "passes"),
    [
        ("web", b"none", b"navigate", True),
        ("web", b"same-origin", b"cors", True),
        ("web", b"cross-site", b"cors", False),
        ("electron", b"cross-site", b"cors", True),
        ("electron", b"cross-site", b"no-cors", False),
        ("web", b"same-site", b"navigate", False),
    ],
)
def test_a_foreign_page_s_request_without_origin_is_refused(
    framework: Framework, site: bytes, mode: bytes, passes: bool
) -> None:
    gate = checks(framework=framework)
    headers = {b"sec-fetch-site": [site], b"sec-fetch-mode": [mode]}
    if passes:
        caller(gate, headers)
    else:
        with pytest.raises(OriginRefused, match="another site"):
            caller(gate, headers)
    caller(gate, {**headers, b"origin": [b"http://localhost:7"]})
    caller(checks(framework=framework, token=TOKEN), {**headers, **bearer(TOKEN)})


class Family:
    """Answers as a test says."""

    def __init__(self, descent: Descent, *, alone: bool = False) -> None:
        self._descent: Descent = descent
        self._alone = alone

    def alone(self) -> bool:
        return self._alone

    async def of_socket(self, inode: int) -> Descent:
        return self._descent

    def of_process(self, pid: int, started: float | None) -> Descent:
        return self._descent


OWN = os.geteuid() if hasattr(os, "geteuid") else 0


@pytest.mark.parametrize(
    ("peer", "family", "words"),
    [
        (Credentials(OWN, 1), None, None),
        (Credentials(OWN, 1), Family("other"), None),
        (Credentials(OWN, 1), Family("ours", alone=True), None),
        (None, None, "is unknown"),
        (Credentials(OWN + 1, 1), None, "another user"),
        (Credentials(OWN, 1), Family("ours"), "a tool started"),
        (Credentials(OWN, 1), Family("unknown"), "could not be identified"),
    ],
)
def test_on_the_unix_socket_only_the_own_user_s_programs_pass(
    peer: Credentials | None, family: Family | None, words: str | None
) -> None:
    scope = {"client": None, "server": ("/run/aster", None), "state": {"peer": peer}}
    gate = checks(token=TOKEN, kin=family)
    if words is None:
        caller(gate, bearer(TOKEN), **scope)
        return
    with pytest.raises(AsterError, match=words) as refused:
        caller(gate, bearer(TOKEN), **scope)
    assert type(refused.value) is PeerRefused
