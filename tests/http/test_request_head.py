"""A request's head is read without trusting the server in front: spelling, repeated headers, targets, subprotocols."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aster_sidecar.errors import HostRefused, TokenRefused
from aster_sidecar.http.request_head import (
    QUOTED_BYTES,
    is_preflight,
    is_unix_socket,
    loopback_origin,
    move_bearer,
    quoted,
    read_headers,
    request_id_of,
    resolve_target,
    values,
)

PROTOCOL = b"Sec-WebSocket-Protocol"


def handshake(*pairs: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "websocket", "headers": list(pairs), "subprotocols": ["as the server read them"], "state": {}}


def test_every_value_of_a_header_is_kept_whatever_its_spelling() -> None:
    headers = read_headers([(b"Host", b" one\t"), (b"hOST", b"two"), (b"X-Other", b"three")])
    assert values(headers, b"host") == [b"one", b"two"]
    assert values(headers, b"x-other") == []
    assert set(headers) == {b"host"}


def test_a_quoted_value_is_short_and_ascii_safe() -> None:
    assert quoted(b'a"\x00\n') == "'a\"\\x00\\n'"
    assert quoted(b"A" * 4000) == repr("A" * QUOTED_BYTES)


@pytest.mark.parametrize("sent", [b"a", b"A.b_c-9", b"x" * 64])
def test_a_suitable_request_id_is_the_client_s(sent: bytes) -> None:
    assert request_id_of({b"x-request-id": [sent]}) == sent.decode()


@pytest.mark.parametrize("sent", [[], [b"a", b"b"], [b""], [b"x" * 65], [b"a b"], [b"a\n"], [b"\xe9"]])
def test_any_other_request_id_is_a_new_one(sent: list[bytes]) -> None:
    first, second = (request_id_of({b"x-request-id": sent}) for _ in range(2))
    assert re.fullmatch("req_[0-9a-f]{16}", first)
    assert first != second


def test_a_unix_socket_has_no_client_and_a_server_without_a_port() -> None:
    assert is_unix_socket({"client": None, "server": ("/run/aster", None)})
    assert not is_unix_socket({"client": None, "server": ("127.0.0.1", 7)})  # a TCP client after a reset
    assert not is_unix_socket({"client": ("127.0.0.1", 9), "server": ("127.0.0.1", 7)})
    assert not is_unix_socket({"client": None, "server": None})


def test_a_preflight_is_an_options_request_that_names_a_method() -> None:
    named = {b"access-control-request-method": [b"POST"]}
    assert is_preflight({"type": "http", "method": "OPTIONS"}, named)
    assert not is_preflight({"type": "http", "method": "OPTIONS"}, {})
    assert not is_preflight({"type": "http", "method": "POST"}, named)
    assert not is_preflight({"type": "websocket"}, named)


@pytest.mark.parametrize(
    ("origins", "local"),
    [
        ([b"http://localhost:5173"], True),
        ([b"https://127.0.0.1"], True),
        ([b"http://[::1]:80"], True),
        ([b"http://localhost.evil.com"], False),
        ([b"http://localhost:5173/"], False),
        ([b"file://localhost"], False),
        ([b"http://localhost", b"http://localhost"], False),
        ([], False),
    ],
)
def test_only_one_origin_of_this_machine_is_a_loopback_origin(origins: list[bytes], local: bool) -> None:
    assert loopback_origin({b"origin": origins}) == (origins[0] if local else None)


@pytest.mark.parametrize(
    ("target", "raw", "path"),
    [
        (b"/a%20b", b"/a%20b", "as the server read it"),
        (b"http://localhost:7/a%20b", b"/a%20b", "/a b"),
        (b"HTTP://LocalHost:7/a", b"/a", "/a"),
        (b"http://localhost:7", b"/", "/"),
    ],
)
def test_a_target_of_this_host_becomes_its_path(target: bytes, raw: bytes, path: str) -> None:
    scope: dict[str, Any] = {"raw_path": target, "path": "as the server read it"}
    resolve_target(scope, {b"host": [b"localhost:7"]})
    assert (scope["raw_path"], scope["path"]) == (raw, path)


@pytest.mark.parametrize("target", [b"http://evil.com/", b"https://localhost:7/", b"localhost:7", b"*", b""])
def test_a_target_of_another_host_is_refused(target: bytes) -> None:
    with pytest.raises(HostRefused, match="not a path on this daemon"):
        resolve_target({"raw_path": target, "path": target.decode()}, {b"host": [b"localhost:7"]})


def test_two_hosts_agree_with_no_target() -> None:
    with pytest.raises(HostRefused):
        resolve_target({"raw_path": b"http://a/", "path": ""}, {b"host": [b"a", b"a"]})


def test_a_page_s_token_becomes_its_authorization_and_is_offered_no_more() -> None:
    scope = handshake((b"host", b"x"), (PROTOCOL, b"aster.1 , aster.bearer.abc"), (PROTOCOL, b"other"))
    headers = read_headers(scope["headers"])
    move_bearer(scope, headers)
    assert scope["headers"] == [(b"host", b"x"), (b"authorization", b"Bearer abc")]
    assert values(headers, b"authorization") == [b"Bearer abc"]
    assert scope["subprotocols"] == ["aster.1", "other"]
    assert scope["state"] == {"sent_by_page": True}


def test_a_handshake_without_a_token_keeps_its_offers() -> None:
    scope = handshake((PROTOCOL, b"aster.1"), (b"authorization", b"Bearer own"))
    headers = read_headers(scope["headers"])
    move_bearer(scope, headers)
    assert scope["subprotocols"] == ["aster.1"]
    assert values(headers, b"authorization") == [b"Bearer own"]
    assert scope["state"] == {}


@pytest.mark.parametrize(
    "pairs",
    [
        [(PROTOCOL, b"aster.bearer.abc")],
        [(PROTOCOL, b"aster.1, aster.bearer.")],
        [(PROTOCOL, b"aster.1, aster.bearer.abc, aster.bearer.def")],
        [(PROTOCOL, b"aster.1"), (PROTOCOL, b"aster.bearer.abc"), (b"authorization", b"Bearer own")],
    ],
)
def test_a_token_among_the_subprotocols_that_is_not_usable_is_refused(pairs: list[tuple[bytes, bytes]]) -> None:
    scope = handshake(*pairs)
    with pytest.raises(TokenRefused) as refused:
        move_bearer(scope, read_headers(scope["headers"]))
    assert "abc" not in refused.value.message
