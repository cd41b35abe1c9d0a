"""The seed's own JavaScript, read at test time and never copied here, and a Chromium tab to run it in."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, sync_playwright

from tests.support.daemon import WAIT_S, Json

HOST = "127.0.0.1"
PORTS = {"tauri": 9528, "electron": 9527}
POLL_MS = 20  # not by animation frame, as Playwright does by default: drawing without a GPU takes most of a core
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # the tests run as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# -- what may be missing -----------------------------------------------------------------------------------------------


def missing(what: str) -> NoReturn:
    """Skip and say what is missing; fail where CI=true, since everything must be installed there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true", pytrace=False)
    pytest.skip(what)


def seed_path() -> Path:
    """The seed's file."""
    seeds = Path(os.environ.get("ASTER_SEEDS_DIR") or Path(__file__).parent.parents[2] / "shared" / "seeds")
    found = sorted(seeds.glob("000_*.txt"))
    if not found:
        missing(f"no seed: {seeds}/000_*.txt is not there (ASTER_SEEDS_DIR says where seeds are)")
    return found[0]


# -- the seed's code ---------------------------------------------------------------------------------------------------


def cut(first_line: str, line_after: str) -> bytes:
    """The seed's bytes from the line `first_line`, which must be unique, up to the line before `line_after`."""
    lines = seed_path().read_bytes().splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.rstrip(b"\n") == first_line.encode()]
    assert len(begins) == 1, f"{first_line!r} is {len(begins)} lines of the seed"
    ends = [n for n in range(begins[0], len(lines)) if lines[n].rstrip(b"\n") == line_after.encode()]
    assert ends, f"{line_after!r} doesn't follow {first_line!r} in the seed"
    return b"".join(lines[begins[0] : ends[0]])


def tauri_module() -> bytes:
    """The seed's `src/api.js` for Tauri."""
    code = cut("// src/api.js", "3. Electron")
    check(code, f"const API_URL = 'http://{HOST}:{PORTS['tauri']}';")
    check(code, "export async function chat(agentId, message) {", "export function subscribeEvents(onEvent) {")
    assert b"contextBridge" not in code
    return code


def electron_preload() -> bytes:
    """The seed's `preload.js` for Electron."""
    code = cut("// preload.js", "API Reference")
    check(code, f"const API_URL = 'http://{HOST}:{PORTS['electron']}';", "contextBridge.exposeInMainWorld('aster', {")
    check(code, *(f"{name}: " for name in ("chat", "cancel", "approve", "subscribeEvents")))
    assert code.endswith(b"\n});\n"), code[-80:]
    return code


def check(code: bytes, *expected: str) -> None:
    """Check that the cut contains what it should."""
    for text in expected:
        assert code.count(text.encode()) == 1, f"the cut has {text!r} {code.count(text.encode())} times:\n{code!r}"
    assert code.count(b"{") == code.count(b"}"), "the cut ends in the middle"


# -- its ports ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def seed_ports() -> Generator[None, None, None]:
    """Hold the seed's fixed ports. Other test runs with these ports wait; another program on a port is named.

    The lock is on the seed's file, which all of them read.
    """
    import fcntl  # not on Windows, where these tests are skipped because they need Debian

    with seed_path().open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for port in PORTS.values():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise AssertionError(
                        f"the seed's port {port} is taken: {error.strerror}: {holder(port)}"
                    ) from error
        yield


def holder(port: int) -> str:
    """The program that listens on the port."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr == (HOST, port) and connection.pid:
            with contextlib.suppress(psutil.Error):
                return f"pid {connection.pid}, {' '.join(psutil.Process(connection.pid).cmdline())[:200]}"
    return "by nobody this user can see"


# -- the browser -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chromium:
    """A running Chromium, and the origin of its pages' server, which to the daemon is another local server."""

    browser: Browser
    neighbour: str


@contextlib.contextmanager
def open_chromium(sites: Mapping[str, Mapping[str, bytes]]) -> Generator[Chromium, None, None]:
    """Debian's Chromium, for which `sites` (origin → path → file) exist. Nothing is downloaded.

    A server of the test has the files, and the browser resolves the hosts to it. Requests are not intercepted, for two
    reasons seen with Playwright 1.65 and Chromium 156:

    - While a `page.route` is set, Playwright answers every CORS preflight itself: the daemon's would never be seen.
    - A page from an interceptor has no address, so Chromium's Local Network Access treats it as a public page. Its
      calls to 127.0.0.1 fail without the permission. Even with it, a stream that is cut (kill -9) counts as denied, and
      its EventSource is closed permanently instead of reconnecting. Only `--disable-features=LocalNetworkAccessChecks`
      would help.

    Chromium treats a page from this server as a loopback page, so it needs neither permission nor flag. How the pages
    of a real shell are treated can be seen only there.
    """
    path = shutil.which("chromium")
    if path is None:
        missing("chromium is not installed")
    with serve(sites) as port, sync_playwright() as playwright:
        hosts = [origin.removeprefix("http://") for origin in sites]
        rules = ", ".join(f"MAP {host}:80 {HOST}:{port}" for host in hosts)
        arguments = [*CHROMIUM_ARGUMENTS, f"--host-resolver-rules={rules}"]
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=arguments)
        try:
            yield Chromium(browser, f"http://{HOST}:{port}")
        finally:
            browser.close()


@contextlib.contextmanager
def serve(sites: Mapping[str, Mapping[str, bytes]]) -> Generator[int, None, None]:
    """Serve the files of the sites, each under its Host, and an empty page for every other Host. Yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files = sites.get(f"http://{self.headers['Host']}", {"/": b"<!doctype html><title>neighbour</title>"})
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Exchange:
    """A request as it left the browser, and its response. Header names are in lower case."""

    url: str = ""
    method: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    status: int | None = None
    answered: dict[str, str] = field(default_factory=dict[str, str])
    address: str = ""
    ended: str = ""


@dataclass(frozen=True)
class Frame:
    """A server-sent event as the browser parsed it, also without a listener in the page."""

    name: str
    cursor: str
    data: str


class Tab:
    """A page of `origin`, in a separate profile, and its network traffic as the browser reports it."""

    def __init__(self, chromium: Chromium, origin: str) -> None:
        self.origin = origin
        self.frames: list[Frame] = []
        self.errors: list[str] = []
        self.console: list[str] = []
        self._exchanges: dict[str, Exchange] = {}
        self._context = chromium.browser.new_context()
        self._context.set_default_timeout(WAIT_S * 1000)
        self.page = self._context.new_page()
        self.page.on("pageerror", self._on_error)
        self.page.on("console", self._on_console)
        session = self._context.new_cdp_session(self.page)
        session.on("Network.requestWillBeSent", self._on_request)
        session.on("Network.requestWillBeSentExtraInfo", self._on_wire_request)
        session.on("Network.responseReceived", self._on_response)
        session.on("Network.responseReceivedExtraInfo", self._on_wire_response)
        session.on("Network.loadingFinished", self._on_end)
        session.on("Network.loadingFailed", self._on_end)
        session.on("Network.eventSourceMessageReceived", self._on_frame)
        session.send("Network.enable")  # pyright: ignore[reportUnknownMemberType]
        self.page.goto(f"{origin}/")

    def close(self) -> None:
        self._context.close()

    def online(self, value: bool) -> None:
        """Switch the page's network on or off."""
        self._context.set_offline(not value)

    def run(self, script: str, *arguments: Any) -> Json:
        """The return value (or resolved value) of the function `script`, called in the page with these arguments."""
        return self.page.evaluate(f"arguments => ({script})(...arguments)", list(arguments))

    def wait(self, script: str, *arguments: Any) -> None:
        """Wait until the function `script` is true in the page."""
        self.page.wait_for_function(f"arguments => ({script})(...arguments)", arg=list(arguments), polling=POLL_MS)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until the tab's records meet the condition. Events are delivered during a call to the page."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {WAIT_S:g} s: {what}; the last requests: {self.calls()[-10:]}")
            self.page.evaluate("poll_ms => new Promise(done => setTimeout(done, poll_ms))", POLL_MS)

    def calls(self, part: str = "") -> list[Exchange]:
        """Requests to other origins than the page's own, including preflights; with `part` in the URL."""
        return [
            exchange
            for exchange in self._exchanges.values()
            if part in exchange.url and not exchange.url.startswith(f"{self.origin}/")
        ]

    def named(self, name: str) -> list[Frame]:
        """The server-sent events of this name."""
        return [frame for frame in self.frames if frame.name == name]

    def _of(self, event: Json) -> Exchange:
        """The exchange that an event is about. Data from the network may come before the request itself."""
        return self._exchanges.setdefault(event["requestId"], Exchange())

    def _on_request(self, event: Json) -> None:
        exchange, request = self._of(event), event["request"]
        exchange.url, exchange.method = request["url"], request["method"]

    def _on_wire_request(self, event: Json) -> None:
        self._of(event).headers = lower(event["headers"])

    def _on_response(self, event: Json) -> None:
        response = event["response"]
        self._of(event).address = f"{response.get('remoteIPAddress')}:{response.get('remotePort')}"

    def _on_wire_response(self, event: Json) -> None:
        exchange = self._of(event)
        exchange.status, exchange.answered = event["statusCode"], lower(event["headers"])

    def _on_end(self, event: Json) -> None:
        self._of(event).ended = event.get("errorText", "finished")

    def _on_frame(self, event: Json) -> None:
        self.frames.append(Frame(event["eventName"], event["eventId"], event["data"]))

    def _on_error(self, error: Error) -> None:
        self.errors.append(f"{error.name}: {error.message}")

    def _on_console(self, message: ConsoleMessage) -> None:
        self.console.append(message.text)


def lower(headers: Json) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}
