"""The type and the size of a request's body."""

from __future__ import annotations

import pytest

from tests.http.guard.support import BEARER, JSON, MIB, Daemon, is_refusal
from tests.support.raw import Connection


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json ; charset="utf-8"',
        "application/json; charset=utf8",
        "application/json; profile=x; charset=utf-8",
        "application/json;",
    ],
)
def test_json_bodies_are_let_in(daemon: Daemon, content_type: str) -> None:
    answer = daemon.post(BEARER, f"Content-Type: {content_type}")
    assert (answer.status, answer.json()["length"]) == (200, 7)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/plain; application/json",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; charset",
        "application/json, text/plain",
        "text/plain, application/json",
        "application/json\xa0",
        "application/jsonp",
        "application/problem+json",
        "application/ json",
        "application/*",
        "json",
        "*/*",
        "\xff",
        "",
        None,
    ],
)
def test_every_other_body_is_an_unsupported_type(daemon: Daemon, content_type: str | None) -> None:
    headers = [BEARER, *([] if content_type is None else [f"Content-Type: {content_type}"])]
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS"):
        daemon.refuses(415, "wrong_media_type", f"{method} /api/echo", *headers, "Content-Length: 2", body=b"{}")
    # Without a length, only the first chunk shows that there is a body. The app may have been called before it.
    answer = daemon.ask("POST /api/echo", *headers, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n")
    is_refusal(answer, 415, "wrong_media_type")


def test_two_content_types_are_refused(daemon: Daemon) -> None:
    other = "Content-Type: text/plain"
    for pair in ((JSON, other), (other, JSON), (JSON, JSON)):
        daemon.refuses(415, "wrong_media_type", "POST /api/echo", BEARER, *pair, "Content-Length: 2", body=b"{}")


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain"])
def test_a_post_without_a_body_is_let_through(daemon: Daemon, content_type: str | None) -> None:
    headers = [BEARER, *([] if content_type is None else [f"Content-Type: {content_type}"])]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert daemon.ask(f"{method} /api/echo", *headers).json()["length"] == 0
        assert daemon.ask(f"{method} /api/echo", *headers, "Content-Length: 0").json()["length"] == 0
    if content_type != "text/plain":
        answer = daemon.ask("POST /api/echo", *headers, "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
        assert answer.json()["length"] == 0


def test_a_body_of_exactly_one_mib_is_let_in(daemon: Daemon) -> None:
    body = b"1" * MIB
    assert daemon.post(BEARER, JSON, body=body).json()["length"] == MIB
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (MIB, body)
    answer = daemon.ask("POST /api/echo", BEARER, JSON, "Transfer-Encoding: chunked", body=chunked)
    assert answer.json()["length"] == MIB


@pytest.mark.parametrize("length", [MIB + 1, 10**12, 10**19])
def test_a_larger_length_is_refused_before_a_byte_of_it_is_sent(daemon: Daemon, length: int) -> None:
    # The lengths fit into 64 bits: llhttp (httptools) itself refuses larger ones.
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET"):
        sized = f"Content-Length: {length}"
        daemon.refuses(413, "body_too_large", f"{method} /api/echo", BEARER, JSON, sized)
        daemon.refuses(413, "body_too_large", f"{method} /api/echo", BEARER, JSON, sized, "Expect: 100-continue")


@pytest.mark.parametrize("path", ["/api/echo", "/fast/typed"])
def test_an_endless_chunked_body_is_refused_while_it_streams(daemon: Daemon, path: str) -> None:
    chunk = b"10000\r\n" + b"1" * 0x10000 + b"\r\n"
    with Connection(daemon.port) as connection:
        connection.send(daemon.bytes_of(f"POST {path}", BEARER, JSON, "Transfer-Encoding: chunked"))
        connection.send(chunk * 16 + b"1\r\n1\r\n")  # one byte more than 1 MiB, and no last chunk
        is_refusal(connection.read(), 413, "body_too_large")
        connection.send(chunk * 32 + b"0\r\n\r\n" + daemon.bytes_of("GET /health"))
        assert connection.read().status == 200


def test_an_app_that_answers_early_never_sees_more_than_the_limit(daemon: Daemon) -> None:
    body = (b"10000\r\n" + b"1" * 0x10000 + b"\r\n") * 20 + b"0\r\n\r\n"
    answer = daemon.ask("POST /talks-first/x", BEARER, JSON, "Transfer-Encoding: chunked", body=body)
    assert answer.status == 200
    assert int(answer.body) <= MIB
