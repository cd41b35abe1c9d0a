"""`/ws` as a page uses it: the bearer is a subprotocol, REST calls are messages, and signing out ends the socket."""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from aster_sidecar.http import static_ui
from tests.flows.test_websocket import HANDSHAKE, Client, handshake, opened
from tests.support.daemon import Daemon, Json
from tests.support.raw import Connection

pytestmark = pytest.mark.timeout(180)
TOKEN = "a-token-of-the-launcher"
OFFER = "Sec-WebSocket-Protocol: "


@pytest.fixture
def guarded(launch: Callable[..., Daemon]) -> Daemon:
    """A daemon with a token, and with the page that links lead to."""
    if not (static_ui.FOLDER / "index.html").exists():
        pytest.skip("the web UI is not built: make ui, which needs Node")
    return launch(token=TOKEN, arguments=["--log-level", "debug"])


def sign_in(daemon: Daemon) -> Json:
    """What a browser gets for a new link: `bearer`, `bearer_id`."""
    code = daemon.call("POST", "/api/handoff", {})["url"].partition("#handoff=")[2]
    answer = httpx.post(f"{daemon.url}/api/handoff/redeem", json={"code": code}, trust_env=False)
    return answer.json()["data"]


def tab(daemon: Daemon, bearer: str) -> Any:
    """A page's socket: the browser sends its Origin, and the page can set only the subprotocols."""
    return connect(
        daemon.url.replace("http", "ws") + "/ws",
        origin=daemon.url,  # type: ignore[arg-type]
        subprotocols=["aster.1", f"aster.bearer.{bearer}"],  # type: ignore[list-item]
        proxy=None,
        max_size=None,
    )


def rest(host: Client, method: str, path: str, **more: Any) -> Json:
    return host.answer(host.send("request", method=method, path=path, **more))


# -- who gets in -------------------------------------------------------------------------------------------------------


def test_a_signed_in_page_opens_a_socket_and_its_bearer_is_neither_selected_nor_logged(guarded: Daemon) -> None:
    signed = sign_in(guarded)
    with tab(guarded, signed["bearer"]) as connection:
        assert connection.subprotocol == "aster.1"
        host = Client(connection)
        assert rest(host, "GET", "/webui/bootstrap")["data"]["runtime_surface"] == "browser"
        host.call("subscribe")
        started = rest(host, "POST", "/api/chat", body={"agent_id": "default", "message": "hello"})["data"]
        host.until("done", turn_id=started["turn_id"])
    accepted = handshake(guarded, f"Origin: {guarded.url}", f"{OFFER}aster.1, aster.bearer.{signed['bearer']}")
    assert (accepted.status, accepted.all("sec-websocket-protocol")) == (101, ["aster.1"])
    guarded.stop()
    written = [path for path in guarded.home.rglob("*") if path.is_file()]
    assert any('"path": "/ws"' in path.read_text("utf-8", "replace") for path in written if path.suffix == ".log")
    for path in written:
        assert signed["bearer"].encode() not in path.read_bytes(), path


def test_only_what_a_handoff_gave_counts_as_a_page_s_bearer(guarded: Daemon) -> None:
    bearer = sign_in(guarded)["bearer"]
    origin = f"Origin: {guarded.url}"
    for offer in (
        f"aster.1, aster.bearer.{TOKEN}",
        "aster.1, aster.bearer.wrong-token-of-some-length",
        f"aster.1, aster.bearer.{bearer}x",
        f"aster.1, aster.bearer.{bearer[:-1]}",
        "aster.1",
        f"aster.bearer.{bearer}",
        f"aster.2, aster.bearer.{bearer}",
        "aster.1, aster.bearer.",
        f"aster.1, aster.bearer.{bearer}, aster.bearer.{bearer}",
        f"aster.1, Aster.Bearer.{bearer}",
    ):
        answer = handshake(guarded, origin, OFFER + offer)
        assert (answer.status, answer.json()["code"]) == (401, "token_refused"), offer
        assert bearer.encode() not in answer.body
    doubled = handshake(guarded, origin, f"{OFFER}aster.1, aster.bearer.{bearer}", f"Authorization: Bearer {TOKEN}")
    assert (doubled.status, doubled.json()["code"]) == (401, "token_refused")
    # Two header lines are one list. The launcher's own way still works.
    assert handshake(guarded, origin, f"{OFFER}aster.1", f"{OFFER}aster.bearer.{bearer}").status == 101
    assert handshake(guarded, f"Authorization: Bearer {TOKEN}", f"{OFFER}aster.1").status == 101


def test_a_bearer_opens_no_socket_for_a_page_of_another_origin(guarded: Daemon) -> None:
    offer = f"{OFFER}aster.1, aster.bearer.{sign_in(guarded)['bearer']}"
    for origin, code in (("https://evil.example", 403), ("null", 403), (guarded.url, 101)):
        assert handshake(guarded, f"Origin: {origin}", offer).status == code
    assert handshake(guarded, offer, host="evil.example").status == 421


def test_without_a_token_a_page_needs_none_and_may_offer_what_it_kept(daemon: Daemon) -> None:
    for offer, selected in (
        ("aster.1", ["aster.1"]),
        ("aster.1, aster.bearer.of-an-earlier-daemon", ["aster.1"]),
        ("chat", []),
    ):
        answer = handshake(daemon, f"Origin: {daemon.url}", OFFER + offer)
        assert (answer.status, answer.all("sec-websocket-protocol")) == (101, selected)
    assert handshake(daemon, "Origin: https://evil.example", f"{OFFER}aster.1").status == 403


def test_signing_a_browser_out_closes_its_sockets_and_no_others(guarded: Daemon) -> None:
    gone, stays = sign_in(guarded), sign_in(guarded)
    with tab(guarded, gone["bearer"]) as first, tab(guarded, gone["bearer"]) as second, opened(guarded) as host:
        idle, streaming = Client(first), Client(second)
        streaming.call("subscribe")
        with tab(guarded, stays["bearer"]) as other:
            guarded.call("DELETE", f"/api/handoff/{gone['bearer_id']}")
            assert [one.read_to_the_end() for one in (idle, streaming)] == [4401, 4401]
            assert Client(other).call("get_status", "default")["state"] == "idle"
            assert host.call("get_status", "default")["state"] == "idle"
    with pytest.raises(InvalidStatus) as refused, tab(guarded, gone["bearer"]):
        pass
    assert refused.value.response.status_code == 401
    assert "Traceback" not in guarded.log


# -- any call of REST --------------------------------------------------------------------------------------------------

SAME: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/agents", {}),
    ("GET", "/api/config", {}),
    ("GET", "/api/flags", {}),
    ("GET", "/api/tools", {}),
    ("GET", "/api/sessions", {"query": {"limit": 1, "archived": False, "before": None}}),
    ("GET", "/api/history", {"query": {"agent_id": "default", "limit": 2}}),
    ("GET", "/api/history", {"query": {"agent_id": "default", "limit": 0}}),
    ("GET", "/api/history", {}),
    ("GET", "/api/status", {"query": {"agent_id": "ä &=?"}}),
    ("GET", "/api/sessions/no%2Fsuch%20one", {}),
    ("GET", "/api/nowhere", {}),
    ("GET", "/api/", {}),
    ("GET", "/nowhere", {}),
    ("GET", "/ws", {}),
    ("DELETE", "/api/agents", {}),
    ("POST", "/api/chat", {}),
    ("POST", "/api/chat", {"body": None}),
    ("POST", "/api/chat", {"body": []}),
    ("POST", "/api/chat", {"body": {"agent_id": "default", "message": " "}}),
    ("POST", "/api/chat", {"body": {"agent_id": "nobody", "message": "Grüße 😀"}}),
    ("POST", "/api/chat", {"body": {"agent_id": "default", "message": "x", "more": 1}}),
    ("POST", "/api/approve", {"body": {"agent_id": "default", "call_id": "x", "decision": "allow"}}),
    ("POST", "/api/focus", {"body": {"client_id": "nobody", "session_id": None}}),
    ("PUT", "/api/config", {"body": {"work_dir": "/no/such"}}),
    ("PATCH", "/api/config", {"body": {}}),
    ("GET", "/api/diagnostics/no.zip", {}),
    ("DELETE", "/api/handoff/nobody", {}),
    ("GET", "/webui/bootstrap", {}),
]


def test_a_request_is_answered_as_over_http(daemon: Daemon) -> None:
    daemon.ask("hello")
    daemon.ask("think")
    with opened(daemon) as host, httpx.Client(trust_env=False, base_url=daemon.url) as client:
        for method, path, more in SAME:
            query = {name: value for name, value in more.get("query", {}).items() if value is not None}
            request_id = host.send("request", method=method, path=path, **more)
            over = client.request(
                method,
                path,
                params=query or None,
                headers={"X-Request-Id": request_id, "Content-Type": "application/json"},
                content=json.dumps(more["body"]) if "body" in more else None,
            )
            assert host.answer(request_id) == {"status": over.status_code, **over.json()}, (method, path, more)


def test_a_conversation_is_begun_changed_and_deleted_by_requests(daemon: Daemon) -> None:
    with opened(daemon) as host:
        host.call("subscribe")
        made = rest(host, "POST", "/api/sessions", body={"title": "Grüße 😀"})["data"]
        session_id = made["session_id"]
        path = f"/api/sessions/{session_id}"
        body = {"agent_id": "default", "session_id": session_id, "message": "write hello.txt"}
        rest(host, "POST", "/api/chat", body=body)
        asked = host.until("approval_required")[-1]["data"]
        answer = {"agent_id": "default", "call_id": asked["call_id"], "decision": "allow"}
        rest(host, "POST", "/api/approve", body=answer, client="a browser window")
        assert host.until("approval_resolved")[-1]["data"]["resolved_by"] == "a browser window"
        host.until("done")
        assert rest(host, "PATCH", path, body={"title": "else"})["data"]["title"] == "else"
        assert daemon.call("GET", path)["title"] == "else"
        assert rest(host, "DELETE", path)["status"] == 200
        gone = rest(host, "GET", path)
        assert (gone["status"], gone["code"]) == (404, "session_not_found")


def test_a_stream_or_a_file_is_no_answer_and_nothing_of_it_stays_open(daemon: Daemon) -> None:
    bundle = daemon.call("POST", "/api/diagnostics", {})["name"]
    with opened(daemon) as host:
        for path in ("/api/events", f"/api/diagnostics/{bundle}", "/health", "/openapi.json", "/"):
            refused = rest(host, "GET", path)
            assert (refused["status"], refused["code"]) == (422, "invalid_shape"), path
            assert "HTTP" in refused["hint"]
        assert rest(host, "GET", "/api/snapshot")["data"]["metrics"]["streams"] == 0


def test_a_long_history_comes_whole_while_another_socket_reads_nothing(daemon: Daemon) -> None:
    text = "0123456789abcde " * 30_000
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    narrow.connect(("127.0.0.1", daemon.port))
    for _ in range(6):
        daemon.ask(text)
    query = {"agent_id": "default", "limit": 500}
    with opened(daemon) as quick, opened(daemon, sock=narrow, max_queue=1, close_timeout=0.1) as slow:
        asked = [slow.send("request", method="GET", path="/api/history", query=query) for _ in range(4)]
        messages = rest(quick, "GET", "/api/history", query=query)["data"]["messages"]
        assert [message["text"] for message in messages if message["role"] == "user"] == [text] * 6
        for one in asked:
            assert slow.answer(one)["data"]["messages"] == messages


def test_the_focus_of_a_socket_holds_until_it_is_closed(daemon: Daemon) -> None:
    session_id = daemon.call("POST", "/api/sessions", {})["session_id"]
    with opened(daemon) as host:
        host.call("subscribe")
        client_id = host.until("connected")[-1]["data"]["client_id"]
        body = {"client_id": client_id, "session_id": session_id}
        assert rest(host, "POST", "/api/focus", body=body)["data"] == body
        daemon.ask("hello", session_id=session_id)
        seen = daemon.call("GET", "/api/notifications")["notifications"]
        assert [one for one in seen if one["session_id"] == session_id] == []
    with daemon.watch() as watcher:
        while daemon.call("GET", "/api/snapshot")["metrics"]["streams"] > 1:
            pass
        assert daemon.refused("POST", "/api/focus", body).code == "client_not_found"
        daemon.chat("hello", session_id=session_id)
        added = watcher.until("notification_added")[-1]
        assert added["session_id"] == session_id


# -- a socket that is passed on ----------------------------------------------------------------------------------------

RELAY = """
import array, socket, struct, sys
asking = socket.socket(socket.AF_UNIX)
asking.connect(sys.argv[1])
_, passed, _, _ = asking.recvmsg(1, socket.CMSG_SPACE(4))
taken = socket.socket(fileno=array.array('i', passed[0][2])[0])
taken.setblocking(True)
asking.sendall(b'taken')
while said := asking.recv(65536):
    taken.sendall(said)
    head = taken.recv(4, socket.MSG_WAITALL)
    asking.sendall(taken.recv(struct.unpack('!H', head[2:])[0], socket.MSG_WAITALL))
sys.stdin.read()
"""


def frame(text: str) -> bytes:
    """A client's text frame of at least 126 bytes, masked with zeros."""
    body = text.ljust(126).encode()
    return b"\x81\xfe" + struct.pack("!H", len(body)) + b"\0\0\0\0" + body


@pytest.mark.skipif(sys.platform != "linux", reason="whose socket it is is seen on Linux only")
def test_a_socket_that_a_tool_s_process_holds_is_answered_no_more(
    launch: Callable[..., Daemon], tmp_path: Path
) -> None:
    place = tmp_path / "s"
    command = [sys.executable, "-I", "-u", "-c", RELAY, os.fspath(place)]
    data = tmp_path / "a" / "data"
    data.mkdir(parents=True)
    lines = ["[services.relay]", f"command = {json.dumps(command)}", "autostart = false"]
    (data / "config.toml").write_text("\n".join(lines))
    daemon = launch(token=TOKEN)
    answers: list[Json] = []
    upgrade = ("GET /ws HTTP/1.1", f"Host: 127.0.0.1:{daemon.port}", f"Authorization: Bearer {TOKEN}", *HANDSHAKE)
    with contextlib.ExitStack() as opened_here:
        listening = opened_here.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(os.fspath(place))
        listening.listen()
        with Connection(daemon.port) as mine:
            mine.send("\r\n".join((*upgrade, "", "")).encode())
            assert mine.read().status == 101
            daemon.call("POST", "/api/services/relay/start")
            taking = opened_here.enter_context(listening.accept()[0])
            descriptors = array.array("i", [mine.socket.fileno()])
            taking.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            assert taking.recv(5, socket.MSG_WAITALL) == b"taken"
        for message in (
            {"id": "1", "type": "request", "payload": {"method": "POST", "path": "/api/shutdown"}},
            {"id": "2", "type": "get_config"},
            {"id": "3", "type": "chat", "agent_id": "default", "payload": {"message": "hello"}},
            {"id": "4", "type": "subscribe"},
        ):
            taking.sendall(frame(json.dumps(message)))
            answers.append(json.loads(taking.recv(65536)))
    assert [answer["code"] for answer in answers] == ["peer_refused"] * 4
    assert answers[0]["status"] == 403
    assert daemon.history() == []
