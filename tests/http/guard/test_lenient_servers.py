"""Requests that uvicorn's parsers refuse before they reach the gate, and that another server may let through."""

from __future__ import annotations

import json

import pytest

from tests.http.guard.support import call


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([], 400, "host_ambiguous"),
        ([(b"host", b"127.0.0.1:7"), (b"host", b"127.0.0.1:7")], 400, "host_ambiguous"),
        ([(b"host", b"127.0.0.1:7"), (b"Host", b"evil.com")], 400, "host_ambiguous"),
        ([(b"host", b"127.0.0.1:7"), (b"Origin", b"http://evil.com")], 403, "origin_refused"),
        ([(b"host", b"127.0.0.1:7"), *[(b"origin", b"http://127.0.0.1:7")] * 2], 403, "origin_refused"),
        ([(b"host", b"127.0.0.1:7"), (b"content-length", b"2"), (b"content-length", b"3")], 400, "bad_request"),
        ([(b"host", b"127.0.0.1:7"), (b"transfer-encoding", b"gzip, chunked")], 400, "bad_request"),
        ([(b"host", b"127.0.0.1:7"), (b"content-length", b"-1")], 400, "bad_request"),
        ([(b"host", b"127.0.0.1:7"), (b"content-length", b"\xb2")], 400, "bad_request"),
    ],
)
def test_the_gate_relies_on_no_parser(headers: list[tuple[bytes, bytes]], status: int, code: str) -> None:
    start, body = call({"type": "http", "method": "POST", "path": "/api/echo", "headers": headers})
    assert (start["status"], json.loads(body["body"])["code"]) == (status, code)


def test_space_around_a_value_is_no_part_of_it() -> None:
    headers = [(b"host", b" 127.0.0.1:7\t"), (b"origin", b"http://127.0.0.1:7 ")]
    start, *_ = call({"type": "http", "method": "GET", "path": "/health", "headers": headers})
    assert start["status"] == 200
    assert (b"access-control-allow-origin", b"http://127.0.0.1:7") in start["headers"]
