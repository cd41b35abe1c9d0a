"""The browser's proxy: who may use it, where it connects to, and that nobody can make it hold on to anything."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time

import pytest

from aster_sidecar.tools.browser.messages import HEAD_BYTES
from aster_sidecar.tools.browser.proxy import BrowserProxy, Limits
from tests.support.socks import SocksProxy
from tests.tools.browser.support import (
    ELSEWHERE,
    HERE,
    Names,
    ask,
    connected,
    get,
    origin,
    proof,
    public,
    running,
    status,
    tunnel,
)

# -- requests that it serves -------------------------------------------------------------------------------------------


def test_a_request_reaches_the_server_without_what_is_meant_for_the_proxy() -> None:
    async def once() -> None:
        async with origin() as site, running() as proxy:
            headers = (
                "Host: other.test\r\nCookie: a=b\r\nConnection: x-one\r\nX-One: 1\r\nUpgrade: h2c\r\nTE: trailers\r\n"
            )
            answer = await ask(proxy, get(f"http://PUBLIC.test.:{site.port}/a%2fb?c=%20"), headers)
            assert status(answer) == 200
            assert answer.endswith("\r\n\r\nhello")
            assert "Connection: close\r\n" in answer
            assert site.heads == [
                f"GET /a%2fb?c=%20 HTTP/1.1\r\nHost: public.test:{site.port}\r\n"
                "Cookie: a=b\r\nConnection: close\r\n\r\n"
            ]

    asyncio.run(once())


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        ("GET", "200 OK\r\nContent-Length: 3\r\n\r\nabc and more", "abc"),
        (
            "GET",
            "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
            "3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
        ),
        ("HEAD", "200 OK\r\nContent-Length: 3\r\n\r\n", ""),
        ("GET", "204 No Content\r\n\r\n", ""),
        ("GET", "304 Not Modified\r\nContent-Length: 3\r\n\r\n", ""),
        ("GET", "103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x"),
    ],
)
def test_an_answer_ends_where_it_says_although_the_server_keeps_the_connection(
    method: str, answer: str, body: str
) -> None:
    async def once() -> str:
        async with origin(f"HTTP/1.1 {answer}".encode()) as site, running() as proxy:
            return await ask(proxy, f"{method} http://public.test:{site.port}/ HTTP/1.1")

    assert asyncio.run(once()).rpartition("Connection: close\r\n\r\n")[2] == body


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1_000_000)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async def once() -> str:
        async with origin(serve) as site, running() as proxy:
            return await ask(proxy, get(f"http://public.test:{site.port}/"))

    assert asyncio.run(once()).endswith("\r\n\r\n" + "x" * 1_000_000)


def _echo_body(size: int):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"Expect: 100-continue" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await reader.read()

    return serve


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 5\r\n", b"abcde"),
        ("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n2;a=b\r\nde\r\n0\r\n\r\n"),
        # A header can't have the length removed on the way, so that the server reads another request in the body.
        ("Content-Length: 5\r\nConnection: content-length\r\n", b"abcde"),
    ],
)
def test_a_body_arrives_as_it_was_sent(headers: str, body: bytes) -> None:
    async def once() -> str:
        async with origin(_echo_body(len(body))) as site, running() as proxy:
            return await ask(proxy, f"POST http://public.test:{site.port}/ HTTP/1.1", headers, body)

    assert asyncio.run(once()).endswith("\r\n\r\n" + body.decode())


def test_a_client_that_waits_for_100_gets_it_from_the_server() -> None:
    async def once() -> None:
        async with origin(_echo_body(5)) as site, running() as proxy, connected(proxy.port) as (reader, writer):
            head = f"POST http://public.test:{site.port}/ HTTP/1.1\r\n{proof(proxy)}"
            writer.write(f"{head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abcde")
            assert (await reader.read(-1)).endswith(b"\r\n\r\nabcde")

    asyncio.run(once())


def test_a_server_may_answer_before_it_has_read_the_request() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()

    async def once() -> str:
        async with origin(serve) as site, running() as proxy:
            line = f"POST http://public.test:{site.port}/ HTTP/1.1"
            return await ask(proxy, line, "Content-Length: 100000\r\n", b"x" * 1000)

    assert status(asyncio.run(once())) == 413


def test_a_second_request_on_a_connection_is_not_served_and_its_password_goes_nowhere() -> None:
    async def once() -> None:
        async with origin() as site, running() as proxy:
            second = f"GET http://evil.test:{site.port}/ HTTP/1.1\r\n{proof(proxy)}\r\n".encode()
            answer = await ask(proxy, get(f"http://public.test:{site.port}/"), body=second)
            assert answer.count("HTTP/1.1") == 1
            assert answer.endswith("hello")
            (head,) = site.heads
            assert "Proxy-Authorization" not in head

    asyncio.run(once())


def test_the_server_sees_that_the_browser_is_gone() -> None:
    async def once() -> None:
        waiting, over = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            waiting.set()
            with contextlib.suppress(ConnectionError):
                await reader.read()
            over.set()

        async with origin(serve) as site, running() as proxy, asyncio.timeout(20):
            async with connected(proxy.port) as (_, writer):
                writer.write(f"GET http://public.test:{site.port}/ HTTP/1.1\r\n{proof(proxy)}\r\n".encode())
                await waiting.wait()
            await over.wait()

    asyncio.run(once())


# -- who may use it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Proxy-Authorization: Basic d3Jvbmc6cGFzc3dvcmQ=\r\n",
        "Proxy-Authorization: Basic é\r\n",
        "Proxy-Authorization: Bearer {}\r\n",
        "Proxy-Authorization: {}\r\n",
        "Authorization: Basic {}\r\n",
        "Proxy-Authorization: Basic {0}\r\nProxy-Authorization: Basic {0}\r\n",
    ],
)
@pytest.mark.parametrize("line", ["GET http://public.test:{}/ HTTP/1.1", "CONNECT public.test:{} HTTP/1.1", "nonsense"])
def test_without_the_password_nothing_is_looked_up_or_connected(line: str, header: str) -> None:
    async def once() -> None:
        names = public()
        async with origin() as site, running(names) as proxy:
            token = proof(proxy).split()[-1]
            answer = await ask(proxy, line.format(site.port), header.format(token), login=False)
            assert status(answer) == 407
            assert 'Proxy-Authenticate: Basic realm="' in answer
            assert names.asked == []
            assert site.connections == 0

    asyncio.run(once())


def test_each_start_has_a_new_password() -> None:
    async def once() -> str:
        async with running() as proxy:
            return proxy.password

    first, second = asyncio.run(once()), asyncio.run(once())
    assert first != second
    assert len(first) >= 32


# -- where it connects to ----------------------------------------------------------------------------------------------

PRIVATE = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "100.64.0.1", "169.254.169.254", "192.168.1.1", "224.0.0.1"),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1]"),
    *(
        "[fd00::1]",
        "[2002:7f00:1::]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "evil.test",
    ),
]


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("line", ["GET http://{}:{}/ HTTP/1.1", "CONNECT {}:{} HTTP/1.1"])
def test_addresses_of_this_machine_and_its_networks_are_refused(line: str, host: str) -> None:
    async def once() -> None:
        refusals: list[str] = []
        async with origin(host=HERE) as site, running(refusals=refusals) as proxy:
            answer = await ask(proxy, line.format(host, site.port))
            assert status(answer) == 403
            assert "is on this machine or in its local network" in answer
            assert site.connections == 0
            assert len(refusals) == 1

    asyncio.run(once())


def test_the_system_s_resolver_and_the_strict_check_are_the_defaults() -> None:
    async def once() -> None:
        async with origin(host=HERE) as site:
            proxy = BrowserProxy(lambda host, port: False, environment={})
            await proxy.start()
            try:
                for host in ("localhost", HERE, "[::ffff:127.0.0.1]", ELSEWHERE):
                    assert status(await ask(proxy, f"CONNECT {host}:{site.port} HTTP/1.1")) == 403
            finally:
                await proxy.close()
            assert site.connections == 0

    asyncio.run(once())


@pytest.mark.parametrize(
    "place",
    [
        *("2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.1.nip%2eio"),
        *("user@127.0.0.1", "user:pass@public.test", "public.test@127.0.0.1", "public.test\\@127.0.0.1", "[::1%25lo]"),
        *("[::1", "::1", "", "1.2.3.4.5", "256.1.1.1", "１２７.0.0.1", "127。0。0。1", "a b", "<script>"),
    ],
)
@pytest.mark.parametrize("line", ["GET http://{}:{}/ HTTP/1.1", "CONNECT {}:{} HTTP/1.1"])
def test_addresses_in_unusual_forms_are_refused_before_they_are_looked_up(line: str, place: str) -> None:
    async def once() -> None:
        names = public()
        async with origin(host=HERE) as site, running(names) as proxy:
            answer = await ask(proxy, line.format(place, site.port).encode().decode("latin-1"))
            assert status(answer) == 400
            assert "<script>" not in answer
            assert site.connections == 0
            assert names.asked == []

    asyncio.run(once())


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1",
        "GET https://public.test/ HTTP/1.1",
        "GET ws://public.test/ HTTP/1.1",
        "GET ftp://public.test/ HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET http://public.test:0/ HTTP/1.1",
        "GET http://public.test:65536/ HTTP/1.1",
        "GET http://public.test:80:80/ HTTP/1.1",
        "GET http://public.test/#a HTTP/1.1",
        "GET http://public.test/ HTTP/2.0",
        "GET  http://public.test/ HTTP/1.1",
        "GET http://public.test/",
        "CONNECT public.test HTTP/1.1",
        "CONNECT public.test:0 HTTP/1.1",
        "CONNECT public.test:443/a HTTP/1.1",
        "CONNECT http://public.test:443 HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        "PRI * HTTP/2.0",
    ],
)
def test_other_requests_are_refused(line: str) -> None:
    async def once() -> str:
        async with running() as proxy:
            return await ask(proxy, line)

    assert status(asyncio.run(once())) == 400


@pytest.mark.parametrize(
    "addresses", [[ELSEWHERE, HERE], [HERE, ELSEWHERE], [ELSEWHERE, "::1"], ["fe80::1%eth0"], ["10.0.0.1"]]
)
def test_one_private_address_among_public_ones_is_enough_to_refuse(addresses: list[str]) -> None:
    async def once() -> str:
        async with origin() as site, running(Names({"mixed.test": [addresses]})) as proxy:
            return await ask(proxy, get(f"http://mixed.test:{site.port}/"))

    assert status(asyncio.run(once())) == 403


def test_a_name_that_changes_its_address_is_checked_each_time_and_asked_once() -> None:
    async def once() -> None:
        names = Names({"rebinding.test": [[ELSEWHERE], [HERE]]})
        async with origin() as site, origin(host=HERE, port=site.port) as secret, running(names) as proxy:
            url = get(f"http://rebinding.test:{site.port}/")
            assert status(await ask(proxy, url)) == 200
            assert names.asked == ["rebinding.test"]
            assert status(await ask(proxy, url)) == 403
            assert (site.connections, secret.connections) == (1, 0)

    asyncio.run(once())


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def once() -> str:
        # Nothing listens at the first one.
        async with origin() as site, running(Names({"two.test": [[HERE, ELSEWHERE]]}), allow=["two.test"]) as proxy:
            return await ask(proxy, get(f"http://two.test:{site.port}/"))

    assert status(asyncio.run(once())) == 200


def test_an_allowed_host_and_port_are_reached_and_no_other() -> None:
    async def once() -> None:
        async with origin(host=HERE) as site, origin(host=HERE) as other:
            async with running(allow=[f"localhost:{site.port}"]) as proxy:
                assert status(await ask(proxy, get(f"http://localhost:{site.port}/"))) == 200
                async with tunnel(proxy, f"localhost:{site.port}") as (reader, writer):
                    writer.write(b"GET / HTTP/1.1\r\n\r\n")
                    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
                for place in (f"localhost:{other.port}", f"{HERE}:{site.port}", f"evil.test:{site.port}"):
                    assert status(await ask(proxy, get(f"http://{place}/"))) == 403
            assert other.connections == 0

    asyncio.run(once())


def test_the_proxy_does_not_connect_to_itself() -> None:
    async def once() -> str:
        async with running(allow=["localhost", HERE]) as proxy:
            return await ask(proxy, f"CONNECT {HERE}:{proxy.port} HTTP/1.1")

    assert status(asyncio.run(once())) == 403


def test_an_unreachable_server_is_named() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    async def nothing(host: str, port: int) -> list[str]:
        return []

    async def once() -> None:
        async with origin() as site:
            port = site.port
        async with running() as proxy:
            answer = await ask(proxy, get(f"http://public.test:{port}/"))
            assert status(answer) == 502
            assert f"public.test:{port} can&#x27;t be reached" in answer
            answer = await ask(proxy, get("http://unknown.test/"))
            assert status(answer) == 502
            assert "unknown.test has no address (unknown name)" in answer
        for resolve, expected in ((never, 504), (nothing, 502)):
            proxy = BrowserProxy(
                lambda host, port: False, resolve=resolve, environment={}, limits=Limits(connect_s=0.1)
            )
            await proxy.start()
            assert status(await ask(proxy, get("http://public.test/"))) == expected
            await proxy.close()

    asyncio.run(once())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * (HEAD_BYTES + 10) + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_not_passed_on(answer: bytes) -> None:
    async def once() -> str:
        async with origin(answer) as site, running() as proxy:
            return await ask(
                proxy, get(f"http://public.test:{site.port}/"), "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            )

    told = asyncio.run(once())
    assert status(told) == 502
    assert "No answer" in told


def test_a_server_that_hangs_up_is_named() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async def once() -> str:
        async with origin(serve) as site, running() as proxy:
            return await ask(proxy, get(f"http://public.test:{site.port}/"))

    assert status(asyncio.run(once())) == 502


# -- what it does not accept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        ("Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", b"abcdef"),
        ("Content-Length: -1\r\n", b""),
        ("Content-Length: 1_0\r\n", b"a"),
        ("Transfer-Encoding: chunked\r\n", b"g\r\n"),
        ("Transfer-Encoding: chunked\r\n", b"3\r\nabcd\r\n"),
        ("Transfer-Encoding: chunked\r\n", b"1\nx\n"),
        ("Transfer-Encoding: chunked\r\n", b"1" * 100_000),
        ("Transfer-Encoding: chunked\r\n", b"0\r\n" + b"a: b\r\n" * 20_000),
    ],
)
def test_a_body_with_an_unclear_end_is_refused(headers: str, body: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async def once() -> str:
        async with origin(serve) as site, running() as proxy:
            return await ask(proxy, f"POST http://public.test:{site.port}/ HTTP/1.1", headers, body)

    assert status(asyncio.run(once())) == 400


@pytest.mark.parametrize(
    "header", ["A : b\r\n", " folded: b\r\n", "A\r\n", "A: b\nB: c\r\n", "A: \0\r\n", ": b\r\n", "A: b\rB: c\r\n"]
)
def test_malformed_headers_are_refused(header: str) -> None:
    async def once() -> str:
        async with running() as proxy:
            return await ask(proxy, get("http://public.test/"), header)

    assert status(asyncio.run(once())) == 400


def test_headers_above_the_limit_are_refused() -> None:
    async def once() -> str:
        async with running() as proxy:
            return await ask(proxy, get("http://public.test/"), f"A: {'x' * 2 * HEAD_BYTES}\r\n", login=False)

    assert status(asyncio.run(once())) == 431


def test_a_client_that_does_not_finish_its_headers_is_disconnected() -> None:
    async def once() -> None:
        async with running(limits=Limits(head_s=0.2)) as proxy:
            for start in (b"", b"GET http://public.test/ HTTP/1.1\r\nA: "):
                async with connected(proxy.port) as (reader, writer), asyncio.timeout(10):
                    writer.write(start)
                    assert await reader.read() == b""

    asyncio.run(once())


def test_connections_above_the_limit_are_refused_and_the_others_work_on() -> None:
    async def once() -> None:
        async with (
            origin() as site,
            running(limits=Limits(connections=2)) as proxy,
            tunnel(proxy, f"public.test:{site.port}") as (reader, writer),
        ):
            async with connected(proxy.port):
                await asyncio.sleep(0.1)
                async with connected(proxy.port) as (third, _):
                    assert (await third.read(-1)).startswith(b"HTTP/1.1 503 ")
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"hello")
            deadline = time.monotonic() + 10
            while status(await ask(proxy, get(f"http://public.test:{site.port}/"))) == 503:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)

    asyncio.run(once())


# -- tunnels -----------------------------------------------------------------------------------------------------------


def test_bytes_that_follow_connect_at_once_reach_the_server() -> None:
    async def once() -> None:
        async with origin() as site, running() as proxy, connected(proxy.port) as (reader, writer):
            head = f"CONNECT public.test:{site.port} HTTP/1.1\r\n{proof(proxy)}\r\n"
            writer.write(head.encode() + b"GET / HTTP/1.1\r\n\r\n")
            assert (await reader.readuntil(b"hello")).count(b"200") == 2

    asyncio.run(once())


def test_each_direction_of_a_tunnel_ends_by_itself() -> None:
    size = 3_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(-1)  # until the client has ended its direction
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async def once() -> None:
        async with (
            origin(serve) as site,
            running() as proxy,
            tunnel(proxy, f"public.test:{site.port}") as (reader, writer),
        ):
            writer.write(b"y" * size)
            writer.write_eof()
            assert len(await reader.read(-1)) == size

    asyncio.run(once())


def test_a_server_that_ends_first_still_gets_what_the_client_sends() -> None:
    got: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.write_eof()
        got.append(await reader.read(-1))
        done.set()

    async def once() -> None:
        async with (
            origin(serve) as site,
            running() as proxy,
            tunnel(proxy, f"public.test:{site.port}") as (reader, writer),
        ):
            assert await reader.read(-1) == b"bye"
            writer.write(b"z" * 500_000)
            writer.write_eof()
            await done.wait()

    asyncio.run(once())
    assert got == [b"z" * 500_000]


def test_a_client_that_does_not_read_stops_the_server() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async def once() -> None:
        async with (
            origin(serve) as site,
            running() as proxy,
            tunnel(proxy, f"public.test:{site.port}") as (reader, _),
        ):
            reader._transport.pause_reading()  # pyright: ignore
            before = -1
            while sent != before:  # until it can't send any more
                before = sent
                await asyncio.sleep(0.3)

    asyncio.run(once())
    assert sent < 32 * 1024 * 1024  # the system's own buffers hold some MiB


def test_an_idle_tunnel_ends_and_a_busy_one_does_not() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(10):
            writer.write(b"x")
            await asyncio.sleep(0.1)
        await asyncio.sleep(60)

    async def once() -> None:
        async with (
            origin(serve) as site,
            running(limits=Limits(idle_s=0.5)) as proxy,
            tunnel(proxy, f"public.test:{site.port}") as (reader, _),
        ):
            assert await reader.read(-1) == b"x" * 10

    asyncio.run(once())


def test_a_request_without_an_answer_ends() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def once() -> str:
        async with origin(serve) as site, running(limits=Limits(idle_s=0.2)) as proxy:
            return await ask(proxy, get(f"http://public.test:{site.port}/"))

    assert status(asyncio.run(once())) == 504


def test_closing_ends_everything() -> None:
    async def once() -> None:
        async with origin() as site, running() as proxy:
            async with (
                tunnel(proxy, f"public.test:{site.port}") as (reader, writer),
                connected(proxy.port) as (idle, _),
            ):
                writer.write(b"GET ")
                await asyncio.sleep(0.05)
                async with asyncio.timeout(5):
                    await proxy.close()
                    assert await reader.read(-1) == b""
                    assert await idle.read(-1) == b""
            with pytest.raises(OSError):
                await asyncio.open_connection(HERE, proxy.port)

    asyncio.run(once())


# -- through the proxy of the environment ------------------------------------------------------------------------------


def test_plain_http_goes_to_the_environment_s_proxy_in_absolute_form_with_its_own_login() -> None:
    async def once() -> None:
        names = Names()
        async with origin(host=HERE) as outer:
            environment = {"http_proxy": f"http://me:pass%20word@{HERE}:{outer.port}"}
            async with running(names, environment=environment) as proxy:
                assert status(await ask(proxy, get("http://public.test/a"), "Host: x\r\n")) == 200
                assert outer.heads == [
                    "GET http://public.test/a HTTP/1.1\r\nHost: public.test\r\nConnection: close\r\n"
                    "Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk\r\n\r\n"
                ]
                assert names.asked == []

    asyncio.run(once())


def test_a_tunnel_goes_through_the_environment_s_proxy() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nfirst" if b"public" in heads[-1] else b"HTTP/1.1 407 No\r\n\r\n")
        await reader.read()

    async def once() -> None:
        async with origin(serve, host=HERE) as outer:
            environment = {"https_proxy": f"http://me:secret@{HERE}:{outer.port}"}
            async with running(environment=environment) as proxy:
                async with tunnel(proxy, "public.test:443") as (reader, _):
                    assert await reader.readexactly(5) == b"first"
                answer = await ask(proxy, "CONNECT other.test:443 HTTP/1.1")
                assert status(answer) == 502
                assert "the proxy that the environment sets answered 407" in answer

    asyncio.run(once())
    assert heads[0].decode() == (
        "CONNECT public.test:443 HTTP/1.1\r\nHost: public.test:443\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"
    )


@pytest.mark.parametrize("login", [None, ("me", "secret")])
def test_requests_and_tunnels_go_through_a_socks_proxy(login: tuple[str, str] | None) -> None:
    async def once() -> None:
        async with origin(host=HERE) as site:
            socks = SocksProxy(site.port, login)
            user = f"{login[0]}:{login[1]}@" if login else ""
            environment = {"ALL_PROXY": f"socks5://{user}{HERE}:{socks.port}"}
            try:
                async with running(Names(), environment=environment) as proxy:
                    assert status(await ask(proxy, get("http://public.test/"))) == 200
                    async with tunnel(proxy, "public.test:8443") as (reader, writer):
                        writer.write(b"GET / HTTP/1.1\r\n\r\n")
                        await reader.readuntil(b"hello")
                    if login:
                        environment["ALL_PROXY"] = f"socks5h://me:wrong@{HERE}:{socks.port}"
                        answer = await ask(proxy, get("http://public.test/"))
                        assert status(answer) == 502
                        assert "it refused the user name or password" in answer
            finally:
                socks.close()
            assert socks.asked == [("public.test", 80), ("public.test", 8443)]

    asyncio.run(once())


@pytest.mark.parametrize(
    "host", [HERE, "[::1]", "[::ffff:10.0.0.1]", "192.168.1.1", "localhost", "printer", "nas.local"]
)
def test_what_is_known_to_be_local_never_reaches_the_environment_s_proxy(host: str) -> None:
    async def once() -> None:
        async with origin(host=HERE) as outer:
            address = f"http://{HERE}:{outer.port}"
            names = Names({"localhost": [[HERE]]})
            async with running(names, environment={"http_proxy": address, "https_proxy": address}) as proxy:
                assert status(await ask(proxy, get(f"http://{host}:8080/"))) == 403
                assert status(await ask(proxy, f"CONNECT {host}:8080 HTTP/1.1")) == 403
            assert outer.connections == 0

    asyncio.run(once())


def test_hosts_that_the_environment_excludes_are_reached_directly() -> None:
    async def once() -> None:
        async with (
            origin() as site,
            running(environment={"http_proxy": f"http://{HERE}:1", "no_proxy": ".test"}) as proxy,
        ):
            assert status(await ask(proxy, get(f"http://public.test:{site.port}/"))) == 200
            assert status(await ask(proxy, get(f"http://evil.test:{site.port}/"))) == 403

    asyncio.run(once())


def test_a_proxy_that_can_t_be_used_is_named() -> None:
    async def once() -> str:
        async with running(environment={"http_proxy": "gopher://a"}) as proxy:
            return await ask(proxy, get("http://public.test/"))

    told = asyncio.run(once())
    assert status(told) == 502
    assert re.search("http_proxy is not a usable proxy", told)
