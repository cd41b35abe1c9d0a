"""fetch_url against a real server on loopback, and everything that must not reach one."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import ssl
import subprocess
import time
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from aster_sidecar.tools.base import Outcome, Surroundings, ToolError
from aster_sidecar.tools.web import page_text
from aster_sidecar.tools.web.addresses import Address
from aster_sidecar.tools.web.fetch_tool import FetchTool
from aster_sidecar.tools.web.fetching import Fetcher, resolve, trusted
from aster_sidecar.tools.web.urls import parse
from tests.tools.support import Listener, assess, left, make_surroundings, module_of, until

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    return make_surroundings(tmp_path)


def page(body: bytes, kind: str = "text/html; charset=utf-8", *more: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    return page(b"", "text/plain", f"Location: {location}", status=f"{status} Found")


@dataclass
class Site:
    """A server on loopback that answers from a table, and what it was asked."""

    answers: dict[str, Answer]
    port: int = 0
    requests: list[str] = field(default_factory=list[str])
    connections: int = 0
    closed: int = 0

    def paths(self) -> list[str]:
        return [request.split(" ")[1] for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(request)
            answer = self.answers.get(request.split(" ")[1].split("?")[0], page(b"", status="404 Not Found"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.closed += 1
            writer.close()


@asynccontextmanager
async def site(answers: dict[str, Answer], tls: ssl.SSLContext | None = None) -> AsyncGenerator[Site, None]:
    found = Site(answers)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await until(lambda: found.closed == found.connections)
        await asyncio.sleep(0)


def only_loopback(address: Address) -> bool:
    return str(address) == "127.0.0.1"


def anywhere(address: Address) -> bool:
    return True


def fetcher(
    *addresses: str,
    allow_address: Callable[[Address], bool] = only_loopback,
    tls: Callable[[], ssl.SSLContext] = trusted,
    total_s: float = 50,
    markdown_s: float = 50,
) -> FetchTool:
    """One that resolves every name to `addresses` (by default loopback), and may connect to loopback's first."""

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses) or ["127.0.0.1"]

    return FetchTool(Fetcher(resolve=resolve, allow_address=allow_address, tls=tls, total_s=total_s), markdown_s)


async def fetch(by: FetchTool, place: Surroundings, url: str, **more: Any) -> Outcome:
    tool = by.tool()
    arguments = tool.arguments(url=url, **more)
    return await tool.run(arguments, tool.assess(arguments, place), Listener(place))


def fetched(place: Surroundings, answer: Answer, by: FetchTool | None = None, **more: Any) -> Outcome:
    async def once() -> Outcome:
        async with site({"/": answer}) as found:
            return await fetch(by or fetcher(), place, f"http://example.test:{found.port}/", **more)

    return asyncio.run(once())


# --- judging -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin", "shown"),
    [
        ("https://example.org", "https://example.org:443", "https://example.org/"),
        ("HTTP://Example.ORG:80/a?b=c#d", "http://example.org:80", "http://example.org/a?b=c"),
        ("https://example.org.:8443/%2e%2e/", "https://example.org:8443", "https://example.org:8443/%2e%2e/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example:443", "https://xn--bcher-kva.example/%C3%BC"),
        ("http://[2606:4700:0::1111]:81/", "http://[2606:4700::1111]:81", "http://[2606:4700::1111]:81/"),
        ("http://1.1.1.1?x", "http://1.1.1.1:80", "http://1.1.1.1/?x"),
    ],
)
def test_a_fetch_is_high_and_bound_to_its_origin(place: Surroundings, url: str, origin: str, shown: str) -> None:
    found = assess("fetch_url", place, url=url)
    assert (found.risk, found.target, found.display) == ("high", origin, f"fetch {shown}")
    assert found.remember is not None
    assert (found.remember.kind, found.remember.value) == ("exact", origin)
    assert found.binding == {"url": shown, "origin": origin}


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://example.org/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "example.org",
            "//example.org",
        ),
        *(
            "http:example.org",
            "http:///path",
            "http://",
            "https://:443/",
            "http://example.org:0/",
            "http://example.org:99999/",
        ),
        *(
            "http://user@example.org/",
            "http://user:pass@example.org/",
            "http://@example.org/",
            "http://a@b@example.org/",
        ),
        *(
            "http://example.org\\@127.0.0.1/",
            "http://1.1.1.1 &@2.2.2.2# @3.3.3.3/",
            "http://exa mple.org/",
            "http://a\tb/",
        ),
        *(
            "http://example.org%2f@127.0.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://127.0.0.1%00.example.org/",
            "http://a\nb/",
        ),
        *(
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0/",
        ),
        *("http://127.0.0.1/", "http://127.0.0.1./", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::]/"),
        *("http://[::ffff:7f00:1]/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://0.0.0.0/"),
        *(
            "http://localhost/",
            "http://LOCALHOST:8080/",
            "http://a.localhost/",
            "http://localhost./",
            "http://printer.local/",
        ),
        *(
            "http://[fe80::1%25eth0]/",
            "http://[fe80::1%eth0]/",
            "http://①②⑦.⓪.⓪.①/",
            "http://１２７.0.0.1/",
            "http://a..b%/",
        ),
        *("http://metadata.google.internal/", "http://127。0。0。1/", "http://exa\u202emple.org/", "http://\u200b/"),
    ],
)
def test_addresses_that_trick_or_lead_inside_are_refused(place: Surroundings, url: str) -> None:
    with pytest.raises(ToolError):
        assess("fetch_url", place, url=url)


# --- where it connects ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [
        *(
            ["127.0.0.1"],
            ["::1"],
            ["::ffff:127.0.0.1"],
            ["169.254.169.254"],
            ["93.184.216.34", "127.0.0.1"],
            ["10.1.2.3"],
        ),
        *(["fe80::1%lo"], ["0.0.0.0"], []),
    ],
)
def test_a_name_that_leads_inside_is_refused_before_any_connection(place: Surroundings, addresses: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    async def once() -> int:
        async with site({"/": page(b"secret")}) as found:
            with pytest.raises(ToolError, match="outside the public internet"):
                await fetch(FetchTool(Fetcher(resolve=resolve)), place, f"http://example.org:{found.port}/")
            return found.connections

    assert asyncio.run(once()) == 0


def test_the_system_resolver_is_held_to_it_too(place: Surroundings) -> None:
    found = asyncio.run(resolve("127.0.0.1", 80))
    assert found == ["127.0.0.1"]


def test_the_connection_goes_to_the_address_that_was_checked(place: Surroundings) -> None:
    asked: list[tuple[str, int]] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1" if len(asked) == 1 else "127.0.0.2"]

    async def once() -> None:
        async with site({"/": page(b"<p>hello"), "/again": redirect("/")}) as found:
            by = FetchTool(Fetcher(rebinding, only_loopback))
            url = f"http://rebind.test:{found.port}/"
            assert (await fetch(by, place, url)).value["text"] == "hello"
            assert asked == [("rebind.test", found.port)]
            assert f"\r\nHost: rebind.test:{found.port}\r\n" in found.requests[0]
            with pytest.raises(ToolError, match="outside the public internet"):
                await fetch(by, place, url)
            assert found.connections == 1
            asked.clear()
            with pytest.raises(ToolError, match="outside the public internet"):
                await fetch(by, place, url + "again")
            assert found.paths() == ["/", "/again"]

    asyncio.run(once())


def test_a_dead_address_is_followed_by_the_next(place: Surroundings) -> None:
    async def once() -> Any:
        async with site({"/": page(b"<p>hello")}) as found:
            by = fetcher("127.0.0.3", "127.0.0.1", allow_address=anywhere)
            return (await fetch(by, place, f"http://two.test:{found.port}/")).value["text"]

    assert asyncio.run(once()) == "hello"


def test_no_proxy_cookie_or_password_is_used(
    place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (tmp_path / "netrc").write_text(
        "machine example.test login me password canary\nmachine 127.0.0.1 login me password canary"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    async def once() -> str:
        async with site({"/": redirect("/x"), "/x": page(b"<p>x", "text/html", "Set-Cookie: a=b")}) as found:
            await fetch(fetcher(), place, f"http://example.test:{found.port}/")
            return "".join(found.requests).lower()

    requests = asyncio.run(once())
    assert requests.count("get ") == 2
    assert not any(word in requests for word in ("authorization", "cookie", "canary", "referer"))


# --- redirects -----------------------------------------------------------------------------------------------------


def test_redirects_on_the_same_origin_are_followed(place: Surroundings) -> None:
    async def once() -> Any:
        answers: dict[str, Answer] = {"/": redirect("a/b?c"), "/a/b": redirect("../end", 308), "/end": page(b"<p>end")}
        async with site(answers) as found:
            value = (await fetch(fetcher(), place, f"http://example.test:{found.port}/")).value
            assert found.paths() == ["/", "/a/b?c", "/end"]
            assert value["url"] == f"http://example.test:{found.port}/end"
            return value["text"]

    assert asyncio.run(once()) == "end"


@pytest.mark.parametrize(
    "location",
    [
        *(
            "http://other.test/",
            "https://example.test/",
            "http://127.0.0.1:{port}/x",
            "http://[::ffff:127.0.0.1]:{port}/x",
        ),
        *("//127.0.0.1:{port}/x", "http://169.254.169.254/", "http://example.test:1/", "http://localhost:{port}/x"),
    ],
)
def test_redirects_to_another_origin_are_reported_not_followed(place: Surroundings, location: str) -> None:
    async def once() -> None:
        async with site({"/x": page(b"secret")}) as found:
            aim = location.format(port=found.port)
            found.answers["/"] = redirect(aim)
            outcome = await fetch(fetcher(), place, f"http://example.test:{found.port}/")
            assert outcome.value["redirects_to"] == (aim if "://" in aim else f"http:{aim}")
            assert outcome.value["status"] == 302
            assert "text" not in outcome.value
            assert found.connections == 1

    asyncio.run(once())


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "http://2130706433/", "http://0177.0.0.1/", "http://a:b@example.test/", "ftp://x/"],
)
def test_redirects_to_what_is_never_fetched_are_errors(place: Surroundings, location: str) -> None:
    with pytest.raises(ToolError):
        fetched(place, redirect(location))


def test_redirects_end(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="more than 5 redirects"):
        fetched(place, redirect("/"))


# --- what comes back -----------------------------------------------------------------------------------------------


def test_html_becomes_markdown(place: Surroundings) -> None:
    body = (
        "<!doctype html><title>The Title</title><style>p{color:red}</style><script>alert('canary')</script>"
        "<h2>Part é</h2><p>Some <b>bold</b> &amp; <a href='/x'>link</a><ul><li>one</li><li>two</li></ul>"
        "<img alt='pic' src='data:image/png;base64,canary'><noscript>canary</noscript><pre>a  b</pre>"
    )
    outcome = fetched(place, page(body.encode()))
    text = outcome.value["text"]
    for piece in ("# The Title\n", "## Part é\n", "Some **bold** & [link](/x)", "- one\n- two", "a  b"):
        assert piece in text, text
    assert "canary" not in text
    assert "color" not in text
    assert (outcome.value["status"], outcome.value["content_type"], outcome.truncated) == (200, "text/html", False)


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("application/json", b'{"a": 1}', '{"a": 1}'),
        ("text/plain; charset=latin-1", b"caf\xe9", "café"),
        ("text/plain", b"caf\xe9", "caf\ufffd"),
        ("text/plain; charset=no-such", b"ok", "ok"),
        ("text/plain; charset=unicode_escape", b"\\ud800", "\\ud800"),
        ("text/plain; charset=rot13", b"ok", "ok"),
        ("text/plain", b"\xef\xbb\xbfok", "ok"),
        ("text/plain; charset=utf-16", "wide".encode("utf-16"), "wide"),
        ('text/html; charset="windows-1252"', b"<p>\x80", "€"),
        ("text/html", b"<meta charset=shift_jis><p>\x93\xfa\x96\x7b", "日本"),
        ("application/rss+xml", b"<rss/>", "<rss/>"),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
    ],
)
def test_text_is_returned_as_it_is(place: Surroundings, kind: str, body: bytes, text: str) -> None:
    assert fetched(place, page(body, kind)).value["text"] == text


def test_an_answer_without_a_type_is_looked_at(place: Surroundings) -> None:
    bare = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    assert fetched(place, bare + b"<!DOCTYPE html><p>x").value["text"] == "x"
    assert fetched(place, bare + b"a <b> c").value["text"] == "a <b> c"
    assert fetched(place, bare + b"\x89PNG\0\0").value["binary"] is True


def test_binary_answers_are_named_and_not_read(place: Surroundings) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 5000000000\r\n\r\n")
        while True:
            writer.write(b"\0" * 65536)
            await writer.drain()

    value = fetched(place, endless).value
    assert value["binary"] is True
    assert "4768.4 MiB" in value["note"]


def test_errors_of_the_site_come_with_their_text(place: Surroundings) -> None:
    outcome = fetched(place, page(b"<p>gone", status="410 Gone"))
    assert (outcome.value["status"], outcome.value["text"]) == (410, "gone")


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
def test_broken_answers_are_errors(place: Surroundings, answer: bytes) -> None:
    with pytest.raises(ToolError):
        fetched(place, answer)


# --- bounds --------------------------------------------------------------------------------------------------------


def test_an_endless_body_is_cut(place: Surroundings) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write("é".encode() * 40_000)
            await writer.drain()

    outcome = fetched(place, endless)
    assert outcome.truncated
    assert outcome.value["text"] == "é" * (32 * 1024)
    assert "2.0 MiB" in outcome.value["note"]
    small = fetched(place, endless, max_bytes=101)
    assert (small.value["text"], small.truncated) == ("é" * 50 + "\ufffd", True)


def test_a_body_that_unpacks_to_much_is_cut(place: Surroundings) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"A" * 1_000_000) for _ in range(100)) + packer.flush()
    parse("http://example.org")
    tracemalloc.start()
    try:
        outcome = fetched(place, page(bomb, "text/plain", "Content-Encoding: gzip"))
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert outcome.truncated
    assert outcome.value["text"] == "A" * 64 * 1024
    good = fetched(place, page(gzip.compress(b"<p>hello"), "text/html", "Content-Encoding: gzip"))
    assert good.value["text"] == "hello"
    for encoding in ("br", "gzip, gzip"):
        with pytest.raises(ToolError, match="not requested"):
            fetched(place, page(b"x", "text/plain", f"Content-Encoding: {encoding}"))
    with pytest.raises(ToolError, match="compressed answer is damaged"):
        fetched(place, page(b"not gzip", "text/plain", "Content-Encoding: gzip"))


def test_a_slow_answer_has_an_end(place: Surroundings) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    began = time.monotonic()
    with pytest.raises(ToolError, match=r"within 0\.3 s"):
        fetched(place, drip, fetcher(total_s=0.3))
    assert time.monotonic() - began < 30


def test_a_slow_name_server_has_an_end(place: Surroundings) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(ToolError, match="no complete answer"):
        asyncio.run(fetch(FetchTool(Fetcher(resolve=never, total_s=0.1)), place, "http://example.org/"))


def test_headers_without_end_are_refused(place: Surroundings) -> None:
    async def headers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Long: " + b"y" * 8000 + b"\r\n")
            await writer.drain()

    with pytest.raises(ToolError):
        fetched(place, headers)


def test_a_page_made_to_tie_up_the_parser_does_not(place: Surroundings) -> None:
    began = time.monotonic()
    outcome = fetched(place, page(b"<p>words<!--" * 100_000), fetcher(markdown_s=1.0))
    assert outcome.value["text"].startswith("words")  # a later Python's parser may well be through in time
    assert outcome.value["text"].startswith("words words") or "could not be converted" not in outcome.value["note"]
    assert time.monotonic() - began < 30
    assert left() == []


def test_a_parser_that_never_ends_is_ended(
    place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = module_of(tmp_path, "import time\n\n\ndef main():\n    time.sleep(1000)\n")
    monkeypatch.setattr(page_text, "markdown_worker", endless)
    outcome = fetched(place, page(b"<p>words<!--" * 3), fetcher(markdown_s=0.5))
    assert outcome.value["text"] == "words words words"
    assert "could not be converted" in outcome.value["note"]
    assert left() == []


def test_a_deeply_nested_page_still_gives_its_text(place: Surroundings) -> None:
    assert "word" in fetched(place, page(b"<div>" * 30_000 + b"word")).value["text"]


def test_cancelling_closes_the_connection(place: Surroundings) -> None:
    async def cancelled() -> None:
        async def silent(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.005)

        async with site({"/": silent}) as found:
            task = asyncio.create_task(fetch(fetcher(), place, f"http://example.test:{found.port}/"))
            await until(lambda: bool(found.requests))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: found.closed == 1)

    asyncio.run(cancelled())


def test_fetching_leaves_no_descriptor_open(place: Surroundings) -> None:
    fetched(place, page(b"<p>x"))
    before = psutil.Process().num_fds()
    for answer in (page(b"<p>x"), b"", redirect("http://other.test/")):
        with suppress(ToolError):
            fetched(place, answer)
    assert psutil.Process().num_fds() <= before


# --- TLS -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_the_certificate_must_be_that_of_the_name(place: Surroundings, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=named.test"
    more = ["-addext", "subjectAltName=DNS:named.test", "-keyout", key, "-out", certificate]
    subprocess.run([*request.split(), *more], check=True, capture_output=True)
    names: list[str | None] = []

    def note(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        names.append(name)

    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    served.sni_callback = note
    by = fetcher(tls=lambda: ssl.create_default_context(cafile=str(certificate)))

    async def once() -> None:
        async with site({"/": page(b"<p>safe")}, served) as found:
            outcome = await fetch(by, place, f"https://named.test:{found.port}/")
            assert outcome.value["text"] == "safe"
            assert names == ["named.test"]
            assert f"\r\nHost: named.test:{found.port}\r\n" in found.requests[0]
            with pytest.raises(ToolError, match="certificate"):
                await fetch(by, place, f"https://other.test:{found.port}/")
            with pytest.raises(ToolError, match="certificate"):
                await fetch(fetcher(), place, f"https://named.test:{found.port}/")
            assert found.paths() == ["/"]

    asyncio.run(once())
