"""A real Chromium, started with our settings, reaches nothing of this machine but what a person has allowed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from aster_sidecar.tools.browser.launch import Choices, settings_of
from aster_sidecar.tools.browser.proxy import BrowserProxy
from tests.support.seed import missing
from tests.tools.browser.support import ELSEWHERE, HERE, Names, Origin, origin, running

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of this machine on Linux only"),
    pytest.mark.xdist_group("chromium"),
]

ATTACKS = """
<!doctype html><title>attacks</title>
<img src="http://127.0.0.1:PORT/image"><img src="http://evil.test:PORT/image2">
<iframe src="http://evil.test:PORT/frame"></iframe><iframe src="http://public.test:SITE/redirect"></iframe>
<link rel="stylesheet" href="http://[::ffff:127.0.0.1]:PORT/style"><script src="http://localhost:PORT/script"></script>
<link rel="preconnect" href="http://127.0.0.1:PORT"><link rel="dns-prefetch" href="http://evil.test:PORT">
<script>
const tries = {
  fetch: () => fetch('http://127.0.0.1:PORT/fetch', {mode: 'no-cors'}),
  number: () => fetch('http://2130706433:PORT/number', {mode: 'no-cors'}),
  redirect: () => fetch('/redirect', {mode: 'no-cors'}),
  tls: () => fetch('https://127.0.0.1:PORT/tls', {mode: 'no-cors'}),
  subdomain: () => fetch('http://a.localhost:PORT/sub', {mode: 'no-cors'}),
  beacon: () => navigator.sendBeacon('http://evil.test:PORT/beacon', 'x'),
  events: () => new Promise((done) => { new EventSource('http://127.0.0.1:PORT/events').onerror = done }),
  socket: () => new Promise((done) => { new WebSocket('ws://127.0.0.1:PORT/ws').onerror = done }),
  names: () => new Promise((done) => { new WebSocket('ws://evil.test:PORT/ws').onerror = done }),
  worker: () => new Promise((done) => {
    const code = `fetch('http://127.0.0.1:PORT/worker', {mode: 'no-cors'}).finally(() => postMessage(1))`
    new Worker(URL.createObjectURL(new Blob([code]))).onmessage = done
  }),
  transport: () => new WebTransport('https://127.0.0.1:UDP/').ready,
  quic: () => new WebTransport('https://evil.test:UDP/').ready,
  peers: async () => {
    const urls = ['stun:127.0.0.1:UDP', 'stun:evil.test:UDP']
    const turn = ['turn:127.0.0.1:UDP', 'turn:127.0.0.1:PORT?transport=tcp', 'turns:evil.test:PORT?transport=tcp']
    const peer = new RTCPeerConnection({iceServers: [{urls}, {urls: turn, username: 'a', credential: 'b'}]})
    peer.createDataChannel('x')
    await peer.setLocalDescription(await peer.createOffer())
    const remote = 'candidate:1 1 udp 2130706431 127.0.0.1 UDP typ host'
    await peer.addIceCandidate({candidate: remote, sdpMid: '0'}).catch(() => {})
    await new Promise((done) => setTimeout(done, 2500))
  },
}
window.done = Promise.all(Object.entries(tries).map(async ([name, go]) => {
  try { await Promise.race([go(), new Promise((done) => setTimeout(done, 8000))]); return name } catch { return name }
}))
</script>
"""

PAGE = """
<!doctype html><title>allowed</title>
<script>fetch('/data').then((r) => r.text()).then((t) => document.title = t)</script>
"""


@dataclass
class Machine:
    """`site`: a server that counts as public; `secret` and `allowed`: servers of this machine; `udp`: a port of it."""

    site: Origin
    secret: Origin
    allowed: Origin
    proxy: BrowserProxy
    udp: socket.socket
    refusals: list[str] = field(default_factory=list[str])

    def datagrams(self) -> int:
        """How many datagrams have arrived."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while self.udp.recv(2048):
                count += 1
        return count


def answer_of(path: str, secret: int, site: int, udp: int) -> bytes:
    if path == "/redirect":
        place = f"http://127.0.0.1:{secret}/redirected"
        return f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
    body = ATTACKS.replace("PORT", str(secret)).replace("SITE", str(site)).replace("UDP", str(udp))
    body = {"/attacks": body, "/page": PAGE, "/data": "fetched"}.get(path, "<!doctype html><title>site</title>")
    return f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def machine(ready: Future[Machine], over: asyncio.Event) -> None:
    """Run the servers and the proxy until `over`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((HERE, 0))
        udp.setblocking(False)
        ports: dict[str, int] = {}

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            seen = origins.get(writer.get_extra_info("sockname")[:2])
            if seen is not None:
                seen.heads.append(head.decode("latin-1"))
            if b"Upgrade: websocket" in head:
                writer.write(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\nX-WebSocket: reached\r\n\r\n")
            else:
                writer.write(answer_of(path, ports["secret"], ports["site"], udp.getsockname()[1]))
            await writer.drain()
            await reader.read()

        origins: dict[tuple[str, int], Origin] = {}
        names = Names(
            {
                "public.test": [[ELSEWHERE]],
                "evil.test": [[HERE]],
                "localhost": [["::1", HERE]],
                "a.localhost": [[HERE]],
                "mine.test": [[HERE]],
            }
        )
        refusals: list[str] = []
        async with (
            origin(serve) as site,
            origin(serve, host=HERE) as secret,
            origin(serve, host=HERE) as allowed,
            running(names, allow=[f"localhost:{allowed.port}", "mine.test"], refusals=refusals) as proxy,
        ):
            ports |= {"site": site.port, "secret": secret.port}
            origins |= {(ELSEWHERE, site.port): site, (HERE, secret.port): secret, (HERE, allowed.port): allowed}
            ready.set_result(Machine(site, secret, allowed, proxy, udp, refusals))
            await over.wait()


@pytest.fixture(scope="module")
def here() -> Generator[Machine]:
    ready: Future[Machine] = Future()
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    def work() -> None:
        try:
            loop.run_until_complete(machine(ready, over))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise
        finally:
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ready.result(20)
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(over.set)
        thread.join()


@pytest.fixture(scope="module")
def chromium(here: Machine) -> Generator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        missing("chromium is not installed")
    login = (here.proxy.url, here.proxy.user, here.proxy.password)
    choices = Choices(Path("/nowhere"), isolated=True)
    options: dict[str, Any] = settings_of(choices, path, login, Path("/nowhere"), headless=True, sandbox=False)
    launch = options["browser"]["launchOptions"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=launch["executablePath"],
            headless=launch["headless"],
            chromium_sandbox=launch["chromiumSandbox"],
            proxy=launch["proxy"],
            args=launch["args"],
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def page(chromium: Browser) -> Generator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def test_no_page_reaches_this_machine(here: Machine, page: Page) -> None:
    page.goto(f"http://public.test:{here.site.port}/attacks")
    tried = page.evaluate("window.done")
    assert len(tried) == 13
    time.sleep(0.5)
    assert here.secret.connections == 0
    assert here.datagrams() == 0
    for place in ("127.0.0.1", "evil.test", "localhost", "a.localhost", "::ffff:7f00:1"):
        assert any(place in told for told in here.refusals), place
    assert not any("proxy-authorization" in head.lower() for head in here.site.heads)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "localhost.", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0", "evil.test"],
)
def test_no_address_of_this_machine_can_be_opened(host: str, here: Machine, page: Page) -> None:
    answer = page.goto(f"http://{host}:{here.secret.port}/")
    assert answer is not None
    assert answer.status == 403
    assert "is on this machine or in its local network" in page.inner_text("body")
    with pytest.raises(Error, match="ERR_TUNNEL_CONNECTION_FAILED"):
        page.goto(f"https://{host}:{here.secret.port}/")
    assert here.secret.connections == 0


def test_a_redirect_to_this_machine_is_refused(here: Machine, page: Page) -> None:
    answer = page.goto(f"http://public.test:{here.site.port}/redirect")
    assert answer is not None
    assert answer.status == 403
    assert here.secret.connections == 0


def test_an_allowed_host_works_with_all_that_it_loads(here: Machine, page: Page) -> None:
    for place in (f"localhost:{here.allowed.port}", f"mine.test:{here.allowed.port}"):
        page.goto(f"http://{place}/page")
        page.wait_for_function("document.title === 'fetched'")
    page.evaluate("() => new Promise((done) => { new WebSocket(`ws://${location.host}/ws`).onerror = done })")
    assert any("Upgrade: websocket" in head for head in here.allowed.heads)
    page.goto(f"http://public.test:{here.site.port}/")
    assert page.title() == "site"
