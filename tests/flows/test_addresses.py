"""A daemon whose addresses, keys, proxies and certificates are written as people write them."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.daemon import DAEMON, Daemon, text_of
from tests.support.held import HeldPort
from tests.support.socks import SocksProxy

KEY = "sk-test-0123456789"
NOT_FOUND = {"ollama": (b"404 page not found", "text/plain"), "vllm": (b'{"detail":"Not Found"}', "application/json")}


class ChatServer:
    """Speaks chat completions and lists its models under /v1; as `ollama` it also lists what it has loaded.

    Otherwise 404.
    """

    def __init__(self, kind: str = "vllm", certificate: Path | None = None, lists: bool = True) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        asked = self.asked
        listing = json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}).encode()
        chunks = [
            {"delta": {"role": "assistant", "content": "from there"}, "finish_reason": None},
            {"delta": {}, "finish_reason": "stop"},
        ]
        events = [
            {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, **c}]}
            for c in chunks
        ]
        stream = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"
        answers = {("POST", "/v1/chat/completions"): (stream, "text/event-stream")}
        if lists:
            answers["GET", "/v1/models"] = (listing, "application/json")
        if kind == "ollama":
            loaded = {"models": [{"name": "m", "model": "m", "context_length": 8192}]}
            for path in ("/api/ps", "/api/tags"):
                answers["GET", path] = (json.dumps(loaded).encode(), "application/json")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.answer()

            def answer(self) -> None:
                asked.append((self.command, self.path, self.headers["Authorization"]))
                body, kind_of = answers.get((self.command, self.path), NOT_FOUND[kind])
                self.send_response(200 if (self.command, self.path) in answers else 404)
                self.send_header("Content-Type", kind_of)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def chats(self) -> list[tuple[str, str | None]]:
        """The requests of turns and checks, each with its key."""
        return [(path, key) for method, path, key in self.asked if method == "POST"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., ChatServer]]:
    started: list[ChatServer] = []

    def start(*arguments: Any, **more: Any) -> ChatServer:
        started.append(ChatServer(*arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


def failure(daemon: Daemon) -> dict[str, Any]:
    """The single error of a turn that fails."""
    events = daemon.ask("hello")
    [error] = [event["data"] for event in events if event["type"] == "error"]
    assert events[-1]["data"]["stop_reason"] == "failed"
    return error


def check(daemon: Daemon) -> dict[str, Any]:
    return daemon.call("POST", "/api/models/check", {})


def works(daemon: Daemon) -> None:
    events = daemon.ask("hello")
    assert [event["data"] for event in events if event["type"] == "error"] == []
    assert text_of(events) == "from there"
    assert check(daemon)["ok"] is True


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["{at}", "{at}/", "{at}/api", "{at}/api/chat", "{at}/v1/", '"{at}/v1"\n', "{host}"])
def test_ollamas_address_is_taken_as_people_type_it(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], typed: str
) -> None:
    server = serve("ollama")
    host = f"127.0.0.1:{server.port}"
    typed = typed.format(at=f"http://{host}", host=host)
    daemon = launch(environment={"ASTER_MODEL": "ollama:m", "OLLAMA_BASE_URL": typed})
    [chosen] = [model for model in daemon.call("GET", "/api/models") if model["chosen"]]
    assert (chosen["ready"], chosen["why_not"], chosen["context_window"]) == (True, None, 8192)
    works(daemon)
    asked_what_it_takes = {"/api/show"}
    assert {path for path, _ in server.chats} - asked_what_it_takes == {"/v1/chat/completions"}


@pytest.mark.parametrize("model", ["openai-chat:m", "openai:m"])
@pytest.mark.parametrize("typed", ["{at}", "{at}/", "{at}/v1/chat/completions", "{host}/v1"])
def test_a_servers_address_is_taken_as_people_type_it(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], typed: str, model: str
) -> None:
    server = serve()
    host = f"127.0.0.1:{server.port}"
    typed = typed.format(at=f"http://{host}", host=host)
    daemon = launch(environment={"ASTER_MODEL": model, "OPENAI_BASE_URL": typed})
    works(daemon)
    assert {path for path, _ in server.chats} <= {"/v1/chat/completions", "/v1/responses"}


def test_what_is_no_address_is_said_everywhere_alike(launch: Callable[..., Daemon]) -> None:
    typed = "http://me:secret-word@127.0.0.1:99999/v1"
    daemon = launch(environment={"ASTER_MODEL": "openai:m", "OPENAI_BASE_URL": typed})
    error = failure(daemon)
    assert (error["code"], error["retryable"]) == ("address_invalid", False)
    assert "OPENAI_BASE_URL" in error["message"]
    told = check(daemon)["error"]
    assert (told["code"], told["message"], told["hint"]) == (error["code"], error["message"], error["hint"])
    [chosen] = [model for model in daemon.call("GET", "/api/models") if model["chosen"]]
    assert chosen["why_not"] == error["message"]
    assert "secret-word" not in json.dumps([error, told, daemon.call("GET", "/api/config")]) + daemon.log


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", [KEY + "\n", KEY + " ", f"“{KEY}”", f"'{KEY}'\r\n", f"Bearer {KEY}", f"\u200b{KEY}"])
def test_a_key_is_taken_as_people_paste_it(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], typed: str
) -> None:
    server = serve()
    address = f"http://127.0.0.1:{server.port}/v1"
    daemon = launch(environment={"ASTER_MODEL": "openai-chat:m", "OPENAI_BASE_URL": address, "OPENAI_API_KEY": typed})
    works(daemon)
    assert {key for _, key in server.chats} == {f"Bearer {KEY}"}
    assert KEY not in daemon.log


@pytest.mark.parametrize("typed", ["sk-tést-0123456789", "sk-test 0123456789", "sk-test\n0123456789"])
def test_a_key_that_cant_be_sent_is_not_sent(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], typed: str
) -> None:
    server = serve()
    address = f"http://127.0.0.1:{server.port}/v1"
    daemon = launch(environment={"ASTER_MODEL": "openai-chat:m", "OPENAI_BASE_URL": address, "OPENAI_API_KEY": typed})
    error = failure(daemon)
    assert (error["code"], error["retryable"]) == ("key_refused", False)
    assert "OPENAI_API_KEY" in error["message"]
    assert "0123456789" not in json.dumps(error) + daemon.log
    assert check(daemon)["error"]["message"] == error["message"]
    assert server.asked == []


def test_a_launchers_key_is_cleaned_too(tmp_path: Path, serve: Callable[..., ChatServer]) -> None:
    server = serve()
    told = {
        "token": "t" * 32,
        "model": "openai-chat:m",
        "environment": {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.port}", "OPENAI_API_KEY": f"“{KEY}”\n"},
    }
    (tmp_path / "work").mkdir()
    flags = ["--supervised", "--framework", "web", "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(
        [sys.executable, "-m", "aster_sidecar", *flags, "--work-dir", str(tmp_path / "work")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        daemon = Daemon(tmp_path, token="t" * 32, url=json.loads(process.stdout.readline())["url"])
        works(daemon)
    finally:
        process.stdin.close()
        assert process.stderr is not None
        log = process.stderr.read().decode()
        process.stdout.close()
        process.wait(30)
        process.stderr.close()
    assert {key for _, key in server.chats} == {f"Bearer {KEY}"}
    assert KEY not in log


def test_a_key_put_through_the_api_is_cleaned_too(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer]
) -> None:
    server = serve()
    address = f"http://127.0.0.1:{server.port}/v1"
    daemon = launch(environment={"ASTER_MODEL": "openai-chat:m", "OPENAI_BASE_URL": address})
    daemon.call("PUT", "/api/secrets/openai", {"value": f" “{KEY}”\n"})
    works(daemon)
    assert {key for _, key in server.chats} == {f"Bearer {KEY}"}
    for typed in ("sk-...", "your-api-key", "sk-tést-0123456789", "sk test", " \n"):
        refused = daemon.refused("PUT", "/api/secrets/openai", {"value": typed})
        assert (refused.status, refused.code) == (422, "invalid_shape")
        assert typed.strip() not in json.dumps(refused.body) or not typed.strip()


# -- proxies and certificates ------------------------------------------------------------------------------------------


def certificate(directory: Path, host: str = "127.0.0.1", days: int = 30) -> Path:
    """A self-signed certificate with its key, in one file."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    named = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    path = directory / f"{host}{days}.pem"
    key = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key)
    return path


def test_a_certificate_that_ssl_cert_file_has_is_trusted(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], tmp_path: Path
) -> None:
    pem = certificate(tmp_path)
    server = serve(certificate=pem)
    address = f"https://127.0.0.1:{server.port}/v1"
    daemon = launch(environment={"ASTER_MODEL": "openai-chat:m", "OPENAI_BASE_URL": address, "SSL_CERT_FILE": str(pem)})
    works(daemon)


@pytest.mark.parametrize(
    ("host", "days", "trusted", "says", "hints"),
    [
        ("127.0.0.1", 30, False, "is not trusted", "SSL_CERT_FILE"),
        ("other.example", 30, True, "is for another host", "OPENAI_BASE_URL"),
        ("127.0.0.1", -1, True, "has expired", "clock"),
    ],
)
def test_a_certificate_that_doesnt_hold_is_named(
    launch: Callable[..., Daemon],
    serve: Callable[..., ChatServer],
    tmp_path: Path,
    host: str,
    days: int,
    trusted: bool,
    says: str,
    hints: str,
) -> None:
    pem = certificate(tmp_path, host, days)
    server = serve(certificate=pem)
    more = {"SSL_CERT_FILE": str(pem)} if trusted else {}
    daemon = launch(
        environment={"ASTER_MODEL": "openai-chat:m", "OPENAI_BASE_URL": f"https://127.0.0.1:{server.port}/v1", **more}
    )
    told = check(daemon)["error"]
    assert told["code"] == "provider_unreachable"
    assert f"the certificate of 127.0.0.1:{server.port} {says}" in told["message"]
    assert hints in told["hint"]


def test_a_missing_file_of_certificates_is_named(launch: Callable[..., Daemon]) -> None:
    daemon = launch(
        environment={"ASTER_MODEL": "openai:m", "OPENAI_API_KEY": KEY, "SSL_CERT_FILE": "/nowhere/company.pem"}
    )
    error = failure(daemon)
    assert (error["code"], error["retryable"]) == ("provider_unreachable", False)
    assert "SSL_CERT_FILE is set to /nowhere/company.pem" in error["message"]
    assert check(daemon)["error"]["message"] == error["message"]


@pytest.mark.parametrize(
    "value", ["foo://127.0.0.1:1", "127.0.0.1:99999", "http:127.0.0.1:8080", "socks4://127.0.0.1:1"]
)
@pytest.mark.parametrize("model", ["openai:m", "anthropic:m"])
def test_a_proxy_that_cant_be_one_is_named(launch: Callable[..., Daemon], value: str, model: str) -> None:
    keys = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    daemon = launch(environment={"ASTER_MODEL": model, "HTTPS_PROXY": value, **keys})
    error = failure(daemon)
    assert (error["code"], error["retryable"]) == ("address_invalid", False)
    assert "HTTPS_PROXY" in error["message"]
    assert check(daemon)["error"]["message"] == error["message"]
    [chosen] = [entry for entry in daemon.call("GET", "/api/models") if entry["chosen"]]
    assert chosen["why_not"] == error["message"]


def test_a_proxy_that_cant_be_used_harms_nothing_that_goes_without_it(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer]
) -> None:
    server = serve()
    proxies = {"ALL_PROXY": "socks5://127.0.0.1:9", "HTTP_PROXY": "nonsense://", "HTTPS_PROXY": "nonsense://"}
    daemon = launch(
        environment={"ASTER_MODEL": "openai-chat:m", "OPENAI_BASE_URL": f"127.0.0.1:{server.port}", **proxies}
    )
    works(daemon)


def test_a_proxy_that_is_not_there_is_named(launch: Callable[..., Daemon]) -> None:
    dead = HeldPort()
    daemon = launch(
        environment={"ASTER_MODEL": "openai:m", "OPENAI_API_KEY": KEY, "https_proxy": f"127.0.0.1:{dead.port}"}
    )
    told = check(daemon)["error"]
    assert told["code"] == "provider_unreachable"
    assert f"the proxy 127.0.0.1:{dead.port} (https_proxy) refuses connections" in told["message"]
    assert "NO_PROXY" in told["hint"]


@pytest.fixture
def socks() -> Iterator[Callable[..., SocksProxy]]:
    started: list[SocksProxy] = []

    def start(*arguments: Any, **more: Any) -> SocksProxy:
        started.append(SocksProxy(*arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


FAR = {"ASTER_MODEL": "openai-chat:m", "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://provider.example/v1"}


@pytest.mark.parametrize(
    ("variable", "scheme"),
    [
        ("ALL_PROXY", "socks5"),
        ("ALL_PROXY", "socks5h"),
        ("all_proxy", "socks"),
        ("HTTP_PROXY", "socks5"),
        ("ALL_PROXY", "SOCKS5"),
    ],
)
def test_a_model_is_reached_through_socks(
    launch: Callable[..., Daemon],
    serve: Callable[..., ChatServer],
    socks: Callable[..., SocksProxy],
    variable: str,
    scheme: str,
) -> None:
    server = serve()
    proxy = socks(server.port)
    daemon = launch(environment={**FAR, variable: f"{scheme}://127.0.0.1:{proxy.port}/"})
    works(daemon)
    assert {host for host, _ in proxy.asked} == {"provider.example"}, "the proxy resolves the name"
    assert check(daemon)["ok"]


def test_https_goes_through_socks_too(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], socks: Callable[..., SocksProxy], tmp_path: Path
) -> None:
    pem = certificate(tmp_path, "203.0.113.7", 30)
    proxy = socks(serve(certificate=pem).port)
    more = {"HTTPS_PROXY": f"socks5://127.0.0.1:{proxy.port}", "SSL_CERT_FILE": str(pem)}
    works(launch(environment={**FAR, "OPENAI_BASE_URL": "https://203.0.113.7/v1", **more}))
    assert set(proxy.asked) == {("203.0.113.7", 443)}


def test_a_socks_proxy_asks_for_a_name_and_a_password(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], socks: Callable[..., SocksProxy]
) -> None:
    proxy = socks(serve().port, ("me", "p@ss:word"))
    where = f"127.0.0.1:{proxy.port}"
    works(launch("right", environment={**FAR, "ALL_PROXY": f"socks5://me:p%40ss%3Aword@{where}"}))
    for name, login in (("none", ""), ("wrong", "me:other@")):
        daemon = launch(name, environment={**FAR, "ALL_PROXY": f"socks5://{login}{where}"})
        error = check(daemon)["error"]
        assert error["code"] == "provider_unreachable"
        assert f"the proxy {where} (ALL_PROXY) refused" in error["message"]
        assert f"give ALL_PROXY a name and a password: socks5://NAME:PASSWORD@{where}" in error["hint"]
        assert "other" not in str(error)


def test_socks_stands_behind_the_proxy_of_the_scheme_and_no_proxy(
    launch: Callable[..., Daemon], serve: Callable[..., ChatServer], socks: Callable[..., SocksProxy]
) -> None:
    server = serve()
    good, dead = socks(server.port), HeldPort()
    both = {"HTTP_PROXY": f"socks5://127.0.0.1:{good.port}", "ALL_PROXY": f"socks5://127.0.0.1:{dead.port}"}
    works(launch("both", environment={**FAR, **both}))
    spared = launch("spared", environment={**FAR, "ALL_PROXY": both["HTTP_PROXY"], "NO_PROXY": "provider.example"})
    asked = len(good.asked)
    assert check(spared)["error"]["code"] == "provider_unreachable", "the name is resolved here, and does not exist"
    assert len(good.asked) == asked


@pytest.fixture
def refuser() -> Iterator[Callable[[], int]]:
    """The port of a server that speaks only HTTP, and answers the first byte with 400."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.connection.recv(1)
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield lambda: server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("what", ["nothing listens", "no socks", "target refused"])
def test_a_socks_proxy_that_does_not_help_is_named(
    launch: Callable[..., Daemon], socks: Callable[..., SocksProxy], refuser: Callable[[], int], what: str
) -> None:
    dead = HeldPort()
    port = {"nothing listens": lambda: dead.port, "no socks": refuser}.get(what, lambda: socks(dead.port).port)()
    # The HTTP library does not close its connection to such a proxy; the garbage collector does.
    calm = ("-W", "ignore::ResourceWarning", *DAEMON)
    daemon = launch(environment={**FAR, "ALL_PROXY": f"socks5://127.0.0.1:{port}"}, program=calm)
    error = failure(daemon)
    assert error["code"] == "provider_unreachable"
    assert f"the proxy 127.0.0.1:{port} (ALL_PROXY)" in error["message"]
    assert "NO_PROXY" in error["hint"]
    assert check(daemon)["error"]["message"] == error["message"]


@pytest.mark.parametrize("base", ["http://provider.example/v1", "https://provider.example/v1"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_socks_proxy_that_is_named_as_one_for_http_is_told_apart(
    launch: Callable[..., Daemon], socks: Callable[..., SocksProxy], scheme: str, base: str
) -> None:
    where = f"127.0.0.1:{socks(HeldPort().port).port}"
    daemon = launch(environment={**FAR, "OPENAI_BASE_URL": base, "ALL_PROXY": f"{scheme}{where}"})
    error = failure(daemon)
    assert error["code"] == "provider_unreachable"
    assert f"the proxy {where} (ALL_PROXY) did not answer in HTTP" in error["message"]
    assert "use socks5:// instead of http:// in ALL_PROXY" in error["hint"]
    assert "add provider.example to NO_PROXY" in error["hint"]


def test_a_server_that_hangs_up_is_no_proxy(launch: Callable[..., Daemon], socks: Callable[..., SocksProxy]) -> None:
    where = f"127.0.0.1:{socks(HeldPort().port).port}"
    daemon = launch(environment={**FAR, "OPENAI_BASE_URL": f"http://{where}/v1", "ALL_PROXY": "http://127.0.0.1:9"})
    assert "proxy" not in failure(daemon)["message"]


def test_an_mcp_server_elsewhere_is_reached_through_socks(
    launch: Callable[..., Daemon], socks: Callable[..., SocksProxy]
) -> None:
    script = Path(__file__).parent.parent / "support" / "mcp_server.py"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = [sys.executable, str(script), "http", str(listener.fileno())]
        server = subprocess.Popen(words, stderr=subprocess.DEVNULL, pass_fds=[listener.fileno()])
        proxy = socks(listener.getsockname()[1])
    try:
        daemon = launch(environment={"ALL_PROXY": f"socks://127.0.0.1:{proxy.port}"})
        table = '[mcp.far]\nurl = "http://mcp.example/mcp"\nheaders = { Host = "127.0.0.1:1" }\n'
        (daemon.data_dir / "config.toml").write_text(table)
        daemon.restart()
        assert daemon.tool("far_echo")["name"] == "far_echo"
        assert ("mcp.example", 80) in proxy.asked
    finally:
        server.kill()
        server.wait()


def test_a_server_that_does_not_run_is_told_how_to_start(launch: Callable[..., Daemon]) -> None:
    dead = HeldPort()
    daemon = launch(environment={"ASTER_MODEL": "ollama:m", "OLLAMA_BASE_URL": f"127.0.0.1:{dead.port}"})
    told = check(daemon)["error"]
    assert told["code"] == "provider_unreachable"
    assert "`ollama serve`" in told["hint"]
    assert "OLLAMA_BASE_URL" in told["hint"]
    assert f"nothing listens on 127.0.0.1:{dead.port}" in told["message"]
