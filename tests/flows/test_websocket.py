"""`/ws`: the calls of REST and the events of SSE over one socket, behind the same gate, with the same errors."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import struct
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from aster_sidecar.contract import wire
from tests.support.daemon import WAIT_S, Daemon, Json, text_of
from tests.support.provider import ProviderDouble, Reply, Say, Think
from tests.support.raw import Answer, Connection, exchange

pytestmark = pytest.mark.timeout(180)
TOKEN = "a-token-for-this-test"
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Client:
    """A host's socket. `events` are those seen, without heartbeats; answers are matched by their id."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.events: list[Json] = []
        self._looked = 0
        self._answers: dict[str, Json] = {}
        self._ids = itertools.count(1)

    def send(self, kind: str, agent_id: str | None = None, **payload: Any) -> str:
        """Send a message; returns its id."""
        request_id = f"m{next(self._ids)}"
        message = {"id": request_id, "type": kind, "payload": payload}
        self.connection.send(json.dumps(message | ({"agent_id": agent_id} if agent_id is not None else {})))
        return request_id

    def take(self, within_s: float = WAIT_S) -> Json:
        """The next message: an answer or an event."""
        said = json.loads(self.connection.recv(within_s))
        if "success" in said:
            self._answers[said["id"]] = said
        elif said["type"] != "heartbeat":
            self.events.append(said)
        return said

    def answer(self, request_id: str) -> Json:
        while request_id not in self._answers:
            self.take()
        return self._answers.pop(request_id)

    def call(self, kind: str, agent_id: str | None = None, **payload: Any) -> Json:
        answer = self.answer(self.send(kind, agent_id, **payload))
        assert answer["success"], answer
        return answer["data"]

    def refused(self, kind: str, agent_id: str | None = None, **payload: Any) -> Json:
        answer = self.answer(self.send(kind, agent_id, **payload))
        assert not answer["success"], answer
        return answer

    def until(self, kind: str, **fields: Any) -> list[Json]:
        """Read until the next such event after the one of the last `until`. Returns all events so far."""
        deadline = time.monotonic() + WAIT_S
        while True:
            while self._looked == len(self.events):
                self.take(max(0.01, deadline - time.monotonic()))
            event = self.events[self._looked]
            self._looked += 1
            if event["type"] == kind and all(
                event.get(name, event["data"].get(name)) == value for name, value in fields.items()
            ):
                return self.events[: self._looked]

    def read_to_the_end(self) -> int | None:
        """Read everything that still comes. Returns the daemon's close code, None if it sent none."""
        try:
            while True:
                self.take()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else None

    def of_the_journal(self) -> list[Json]:
        return [event for event in self.events if event["seq"] is not None]


@contextlib.contextmanager
def opened(daemon: Daemon, path: str = "/ws", **options: Any) -> Generator[Client, None, None]:
    headers = {**daemon.headers(), **options.pop("headers", {})}
    url = daemon.url.replace("http://", "ws://") + path
    with connect(url, additional_headers=headers, proxy=None, max_size=None, **options) as connection:
        yield Client(connection)


def of_the_journal(events: Iterable[Json]) -> list[Json]:
    return [event for event in events if event["seq"] is not None]


def folded(events: Iterable[Json]) -> tuple[list[Json], dict[str, str]]:
    """The events that are not text; and the texts, with each piece at its offset."""
    others: list[Json] = []
    texts = {"text_chunk": "", "thinking_chunk": ""}
    for event in events:
        if event["type"] not in texts:
            others.append(event)
            continue
        known, offset, delta = texts[event["type"]], event["data"]["offset"], event["data"]["delta"]
        assert offset <= len(known), event
        texts[event["type"]] = known[:offset] + delta + known[offset + len(delta) :]
    return others, texts


def test_a_host_chats_over_one_socket_and_sees_what_sse_sees(daemon: Daemon) -> None:
    with opened(daemon) as host, daemon.watch() as page:
        subscribed = host.call("subscribe")
        started = host.call("chat", "default", message="think")
        host.until("done", turn_id=started["turn_id"])
        page.until("done", turn_id=started["turn_id"])
        assert host.events[0]["type"] == "connected"
        # A late reader gets neighbouring pieces of a text as one.
        assert folded(of_the_journal(host.events)) == folded(of_the_journal(page.events))
        assert subscribed["after"] < started["seq"]
        assert text_of(host.events) == daemon.history()[-1]["text"] != ""


def test_each_call_answers_what_rest_answers(daemon: Daemon) -> None:
    daemon.ask("hello")
    daemon.ask("think")
    with opened(daemon) as host:
        assert host.call("get_status", "default") == daemon.status()
        page = daemon.call("GET", "/api/history", None, agent_id="default", limit=2)
        assert host.call("get_history", "default", limit=2) == page
        earlier = daemon.call("GET", "/api/history", None, agent_id="default", before=page["next_before"])
        within = json.dumps({"agent_id": "default", "before": page["next_before"]})
        host.connection.send(f'{{"id": "own", "type": "get_history", "payload": {within}}}')
        assert host.answer("own")["data"] == earlier
        assert host.call("get_config") == daemon.call("GET", "/api/config")
        changed = host.call("set_config", permission_mode="always_ask")
        assert changed == daemon.call("GET", "/api/config")
        assert changed["values"]["permission_mode"]["value"] == "always_ask"
        assert host.call("cancel", "default") == {"cancelled": []}
        assert host.call("clear_history", "default") == {"deleted": 4}
        assert daemon.history() == []


def test_the_same_send_over_both_ways_is_one_turn(daemon: Daemon) -> None:
    with opened(daemon) as host:
        first = host.call("chat", "default", message="hello", client_message_id="c1")
        assert daemon.chat("hello", client_message_id="c1") == first
        refused = host.refused("chat", "default", message="another", client_message_id="c1")
        assert (
            refused["code"]
            == daemon.refused(
                "POST", "/api/chat", {"agent_id": "default", "message": "another", "client_message_id": "c1"}
            ).code
        )


def test_a_question_is_answered_over_the_socket_and_says_by_whom(daemon: Daemon) -> None:
    with opened(daemon, headers={"X-Aster-Client": "the panel"}) as host:
        host.call("subscribe")
        host.call("chat", "default", message="write hello.txt")
        asked = host.until("approval_required")[-1]["data"]
        host.call("approve", "default", call_id=asked["call_id"], decision="allow")
        resolved = host.until("approval_resolved")[-1]["data"]
        host.until("done")
        late = host.refused("approve", "default", call_id=asked["call_id"], decision="deny")
    assert (resolved["decision"], resolved["resolved_by"]) == ("allow", "the panel")
    assert late["code"] == "approval_resolved"
    assert (daemon.work_dir / "hello.txt").exists()


def test_a_turn_is_cancelled_over_the_socket(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment={"ASTER_MODEL": "demo"})
    with opened(daemon) as host:
        host.call("subscribe")
        started = host.call("chat", "default", message="long")
        host.until("text_chunk")
        assert host.call("cancel", "default") == {"cancelled": [started["turn_id"]]}
        assert host.until("done")[-1]["data"]["stop_reason"] == "cancelled"


def test_a_subscription_resumes_after_any_event(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Reply([Think("hm, 想"), Say("Grüße 😀 und so weiter. " * 3, chunk=9)], flush_each=True))
    with opened(real) as host:
        host.call("subscribe")
        host.call("chat", "default", message="tell me")
        seen = of_the_journal(host.until("done"))
    assert len(seen) > 4
    for number, event in enumerate(seen[:-1]):
        # A cursor may be a number or its text.
        with opened(real) as again:
            again.call("subscribe", after=event["seq"] if number % 2 else str(event["seq"]))
            told = of_the_journal(again.until("done"))
        # A client that resumes in the middle of a text may get the complete text again.
        assert folded([*seen[: number + 1], *told]) == folded(seen)


@pytest.mark.parametrize(("after", "reason"), [("nonsense", "malformed"), (-4, "malformed"), (10**15, "future")])
def test_a_cursor_that_cannot_be_served_is_said_and_then_it_goes_on(daemon: Daemon, after: Any, reason: str) -> None:
    daemon.ask("hello")
    with opened(daemon) as host:
        host.call("subscribe", after=after)
        assert host.until("resync")[-1]["data"]["reason"] == reason
        host.call("chat", "default", message="hello")
        assert {event["type"] for event in host.until("done")} >= {"connected", "resync", "text_chunk", "done"}


def test_a_subscription_sees_only_what_it_asked_for(daemon: Daemon) -> None:
    other = daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    with opened(daemon) as host:
        host.call("subscribe", session_id=other, types=["message_added", "done"])
        daemon.ask("hello")
        host.call("chat", "default", message="hello", session_id=other)
        host.until("done")
        assert {event["session_id"] for event in host.of_the_journal()} == {other}
        assert {event["type"] for event in host.of_the_journal()} == {"message_added", "done"}


def test_a_second_subscription_takes_the_place_of_the_first(daemon: Daemon) -> None:
    with opened(daemon) as host:
        first = host.call("subscribe")["after"]
        host.call("subscribe", types=["done"])
        host.call("chat", "default", message="hello")
        host.until("done")
        host.call("subscribe", after=first)
        seen = len(host.events)
        host.until("done")
    assert [event["type"] for event in host.events[:seen] if event["seq"] is not None] == ["done"]
    assert [event["type"] for event in host.events].count("connected") == 3
    replayed = [event["seq"] for event in host.events[seen:] if event["seq"] is not None]
    assert replayed == sorted(set(replayed))
    assert len(replayed) > 4


def test_messages_are_begun_in_their_order_however_many_come_at_once(daemon: Daemon) -> None:
    with opened(daemon) as host:
        ids = [host.send("subscribe"), *(host.send("chat", "default", message=f"hello {n}") for n in range(150))]
        answers = [host.answer(one) for one in ids]
        assert all(answer["success"] for answer in answers)
        sequence = [answer["data"]["seq"] for answer in answers[1:]]
        assert sequence == sorted(set(sequence))
        for turn in answers[1:]:
            if not any(
                event["type"] == "done" and event["turn_id"] == turn["data"]["turn_id"] for event in host.events
            ):
                host.until("done", turn_id=turn["data"]["turn_id"])
    said = [message["text"] for message in daemon.history(limit=500) if message["role"] == "user"]
    assert said == [f"hello {n}" for n in range(150)]


OF = '{"id": "1", "type": "%s", "agent_id": "%s", "payload": {%s}}'
BAD: list[tuple[str | bytes, str, str]] = [
    ("", "", "malformed_body"),
    ("{", "", "malformed_body"),
    ("[" * 100_000, "", "malformed_body"),
    (b"\x00\x01", "", "malformed_body"),
    ("[]", "", "invalid_shape"),
    ("null", "", "invalid_shape"),
    ("{}", "", "invalid_shape"),
    ('{"id": 7, "type": "get_config"}', "", "invalid_shape"),
    ('{"id": "a b", "type": "get_config"}', "", "invalid_shape"),
    ('{"id": "a\\n", "type": "get_config"}', "", "invalid_shape"),
    ('{"id": "1"}', "1", "invalid_shape"),
    ('{"id": "1", "type": "shutdown"}', "1", "invalid_shape"),
    ('{"id": "1", "type": "get_config", "payload": []}', "1", "invalid_shape"),
    ('{"id": "1", "type": "get_config", "payload": {"x": 1}}', "1", "invalid_shape"),
    ('{"id": "1", "type": "get_config", "more": 1}', "1", "invalid_shape"),
    ('{"id": "1", "type": "chat", "agent_id": "default"}', "1", "invalid_shape"),
    (OF % ("chat", "default", '"message": " "'), "1", "invalid_shape"),
    (OF % ("chat", "a", '"agent_id": "b", "message": "x"'), "1", "invalid_shape"),
    (OF % ("chat", "nobody", '"message": "x"'), "1", "agent_not_found"),
    (OF % ("get_status", "nobody", ""), "1", "agent_not_found"),
    (OF % ("get_history", "default", '"limit": 501'), "1", "invalid_shape"),
    (OF % ("get_history", "default", '"limit": true'), "1", "invalid_shape"),
    (OF % ("get_history", "default", '"session_id": "x"'), "1", "session_not_found"),
    (OF % ("approve", "default", '"call_id": "x", "decision": "allow"'), "1", "approval_not_found"),
    (OF % ("set_config", "default", '"permission_mode": "no"'), "1", "invalid_shape"),
    (OF % ("set_config", "default", '"work_dir": "/no/such"'), "1", "config_invalid"),
    (OF % ("subscribe", "default", '"types": ["nope"]'), "1", "invalid_shape"),
    (OF % ("subscribe", "default", '"types": "done"'), "1", "invalid_shape"),
    (OF % ("subscribe", "default", '"after": true'), "1", "invalid_shape"),
    (OF % ("subscribe", "default", '"session_id": "x"'), "1", "session_not_found"),
    (OF % ("request", "default", '"method": "GET"'), "1", "invalid_shape"),
    (OF % ("request", "default", '"method": "HEAD", "path": "/api/agents"'), "1", "invalid_shape"),
    (OF % ("request", "default", '"method": "GET", "path": "api/agents"'), "1", "invalid_shape"),
    (OF % ("request", "default", '"method": "GET", "path": "/api/agents?x=1"'), "1", "invalid_shape"),
    (OF % ("request", "default", '"method": "GET", "path": "/api/agents#x"'), "1", "invalid_shape"),
    (OF % ("request", "default", '"method": "GET", "path": "/api/ü"'), "1", "invalid_shape"),
    (OF % ("request", "default", '"method": "GET", "path": "/api/agents", "query": {"a": [1]}'), "1", "invalid_shape"),
    (OF % ("request", "default", '"method": "GET", "path": "/api/agents", "headers": {}'), "1", "invalid_shape"),
    (
        OF % ("request", "default", '"method": "POST", "path": "/api/chat", "body": {"a": "\\ud800"}'),
        "1",
        "invalid_shape",
    ),
]


def test_bad_messages_get_the_errors_of_rest_and_the_socket_goes_on(daemon: Daemon) -> None:
    with opened(daemon) as host:
        for said, request_id, code in BAD:
            host.connection.send(said)
            answer = json.loads(host.connection.recv(WAIT_S))
            assert (answer["id"], answer["success"], answer["code"]) == (request_id, False, code), (said, answer)
            assert answer["error"]
            assert wire.Failure.model_validate(answer)
        assert host.call("get_status", "default")["state"] == "idle"


def test_a_body_over_1_mib_is_refused_as_over_rest_and_the_socket_goes_on(daemon: Daemon) -> None:
    body = {"agent_id": "default", "message": "x" * (1 << 20)}
    rest = daemon.refused("POST", "/api/chat", body)
    with opened(daemon) as host:
        assert host.refused("chat", **body)["code"] == rest.code == "body_too_large"
        asked = host.refused("request", method="POST", path="/api/chat", body=body)
        assert (asked["status"], asked["code"]) == (rest.status, rest.code)
        assert host.call("get_status", "default")["state"] == "idle"


def test_a_message_over_2_mib_ends_that_socket_and_no_other(daemon: Daemon) -> None:
    with opened(daemon) as host, opened(daemon) as other:
        # The daemon closes before it has read everything. With small buffers the client then gets no close code.
        with contextlib.suppress(ConnectionClosed):
            host.connection.send(json.dumps({"id": "1", "type": "chat", "payload": {"message": "x" * (2 << 20)}}))
        assert host.read_to_the_end() in (1009, None)
        with Connection(daemon.port) as announced:
            lines = ("GET /ws HTTP/1.1", f"Host: 127.0.0.1:{daemon.port}", *HANDSHAKE, "", "")
            announced.send("\r\n".join(lines).encode())
            assert announced.read().status == 101
            announced.send(b"\x81\xff" + struct.pack("!Q", (2 << 20) + 1) + b"mask")
            closed = announced.socket.recv(4, socket.MSG_WAITALL)
            assert (closed[0], struct.unpack("!H", closed[2:])[0]) == (0x88, 1009)
        assert other.call("get_status", "default")["state"] == "idle"


@pytest.mark.parametrize("as_request", [False, True])
def test_what_was_sent_before_hanging_up_is_done(launch: Callable[..., Daemon], as_request: bool) -> None:
    # While a process of the daemon runs, such as one that tries the sandbox out, a client that has hung up is refused:
    # it could have been that process.
    daemon = launch(environment={"ASTER_SANDBOX": "off"})
    body = {"agent_id": "default", "message": "write and run"}
    with daemon.watch() as page:
        with opened(daemon) as host:
            if as_request:
                host.send("request", method="POST", path="/api/chat", body=body)
            else:
                host.send("chat", **body)
        page.until("approval_required", count=2)
    assert len(daemon.call("GET", "/api/approvals")) == 2


def test_one_that_reads_nothing_holds_up_nobody_and_gets_it_all_later(real: Daemon, provider: ProviderDouble) -> None:
    text = "0123456789abcde " * 200_000  # more than all buffers between them hold
    provider.script(Reply([Say(text, chunk=4096)]))
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    narrow.connect(("127.0.0.1", real.port))
    with opened(real) as quick, opened(real, sock=narrow, max_queue=1, close_timeout=0.1) as slow:
        slow.call("subscribe")
        quick.call("subscribe")
        quick.call("chat", "default", message="much")
        assert text_of(quick.until("done")) == text
        assert text_of(slow.until("done")) == text


def test_a_stop_delivers_the_last_events_and_says_goodbye(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment={"ASTER_MODEL": "demo"})
    with opened(daemon) as host, opened(daemon) as idle:
        host.call("subscribe")
        host.call("chat", "default", message="long")
        host.until("text_chunk")
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGTERM)
        host.until("done")
        for one in (host, idle):
            assert one.read_to_the_end() == 1001
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


def test_after_kill_9_a_socket_goes_on_where_it_was(daemon: Daemon) -> None:
    with opened(daemon) as host:
        host.call("subscribe")
        host.call("chat", "default", message="write hello.txt")
        host.until("approval_required")
        daemon.kill()
        assert host.read_to_the_end() is None
        seen = host.of_the_journal()
    daemon.start()
    with opened(daemon) as host:
        host.call("subscribe", after=seen[-1]["seq"])
        (waiting,) = daemon.call("GET", "/api/approvals")
        host.call("approve", "default", call_id=waiting["call_id"], decision="allow")
        host.until("done")
        numbers = [event["seq"] for event in (*seen, *host.of_the_journal())]
    assert numbers == sorted(set(numbers))
    assert (daemon.work_dir / "hello.txt").exists()


# -- the gate ----------------------------------------------------------------------------------------------------------


def handshake(daemon: Daemon, *headers: str, path: str = "/ws", host: str | None = None) -> Answer:
    """Send exactly these bytes. The handshake is refused, or the socket is open."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{daemon.port}'}", *HANDSHAKE, *headers, "", ""]
    return exchange(daemon.port, "\r\n".join(lines).encode("latin-1"))


BEARER = f"Authorization: Bearer {TOKEN}"


def test_the_gate_stands_before_the_socket(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token=TOKEN, framework="tauri")
    assert handshake(daemon, BEARER).status == 101
    assert handshake(daemon, BEARER, "Origin: tauri://localhost").status == 101
    refused = [
        (handshake(daemon), 401, "token_refused"),
        (handshake(daemon, "Authorization: Bearer wrong-token-of-some-length"), 401, "token_refused"),
        (handshake(daemon, path=f"/ws?token={TOKEN}"), 401, "token_refused"),
        (handshake(daemon, BEARER, "Origin: https://evil.example"), 403, "origin_refused"),
        (handshake(daemon, BEARER, "Origin: null"), 403, "origin_refused"),
        (handshake(daemon, BEARER, host="evil.example"), 421, "host_refused"),
        (handshake(daemon, BEARER, host=f"127.0.0.1:{daemon.port + 1}"), 421, "host_refused"),
        (handshake(daemon, BEARER, path="http://evil.example/ws"), 421, "host_refused"),
        (handshake(daemon, BEARER, path="/api/events"), 404, "not_found"),
        (handshake(daemon, BEARER, path="/ws/"), 404, "not_found"),
        (handshake(daemon, BEARER, path="//ws"), 404, "not_found"),
    ]
    for answer, status, code in refused:
        assert (answer.status, answer.json()["code"]) == (status, code), answer
        assert answer.json()["success"] is False
        assert not answer.all("access-control-allow-credentials")
    # The server refuses this before the gate does.
    assert handshake(daemon, BEARER, "Origin: tauri://localhost", "Origin: tauri://localhost").status == 400
    assert handshake(daemon, BEARER, "Host: evil.example").status == 400


def test_without_a_token_a_page_of_another_site_gets_no_socket(daemon: Daemon) -> None:
    assert handshake(daemon).status == 101
    for headers in (("Origin: https://evil.example",), ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: websocket")):
        assert handshake(daemon, *headers).status == 403


def test_a_plain_request_is_told_that_a_socket_is_there(daemon: Daemon) -> None:
    refusal = daemon.refused("GET", "/ws")
    assert (refusal.status, refusal.code) == (404, "not_found")
    assert "WebSocket" in refusal.body["hint"]


def test_a_broken_handshake_is_refused_and_the_daemon_goes_on(daemon: Daemon) -> None:
    host = f"Host: 127.0.0.1:{daemon.port}"
    for lines in (
        ("GET /ws HTTP/1.1", host, "Connection: Upgrade", "Upgrade: websocket"),
        ("POST /ws HTTP/1.1", host, *HANDSHAKE, "Content-Length: 0"),
        ("GET /ws HTTP/1.1", host, *HANDSHAKE[:2], "Sec-WebSocket-Version: 7", HANDSHAKE[3]),
        ("GET /ws HTTP/1.1", host, *HANDSHAKE[:3], "Sec-WebSocket-Key: short"),
        ("GET /ws HTTP/1.1", host, "Connection: Upgrade", "Upgrade: h2c"),
    ):
        answer = exchange(daemon.port, "\r\n".join((*lines, "", "")).encode())
        assert 400 <= answer.status < 500, (lines, answer)
    with Connection(daemon.port) as raw:
        raw.send("\r\n".join(("GET /ws HTTP/1.1", host, *HANDSHAKE, "", "")).encode())
        assert raw.read().status == 101
        raw.send(b"\x81\x05hello")  # a client's frame must be masked
        assert raw.socket.recv(2)[0] & 0x0F == 8
    with Connection(daemon.port) as raw:
        raw.send("\r\n".join(("GET /ws HTTP/1.1", host, *HANDSHAKE, "", "")).encode())
        assert raw.read().status == 101
        raw.socket.shutdown(socket.SHUT_RDWR)
    with opened(daemon) as client:
        assert client.call("get_status", "default")["state"] == "idle"
    assert "Traceback" not in daemon.log


def test_a_library_says_why_it_was_refused(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token=TOKEN)
    daemon.token = None
    with pytest.raises(InvalidStatus) as refused, opened(daemon):
        pass
    assert json.loads(refused.value.response.body or b"")["code"] == "token_refused"


def test_a_host_over_the_socket_is_there_until_it_is_closed(daemon: Daemon) -> None:
    tools = [{"name": "open_tab", "description": "Open a tab.", "risk": "low"}]
    with opened(daemon) as host:
        host.answer(host.send("subscribe", types=["host_call"]))
        registered = host.answer(host.send("host_register", name="browser", instance="one", tools=tools))["data"]
        mine = {"host_id": registered["host_id"], "lease": registered["lease"]}
        with daemon.watch() as watcher:
            daemon.chat("call open_tab {}")
            while not host.events or host.events[-1]["type"] != "host_call":
                host.take()
            call_id = host.events[-1]["data"]["call_id"]
            taken = host.answer(host.send("host_accept", **mine, call_id=call_id))["data"]
            assert (taken["tool"], taken["arguments"]) == ("open_tab", {})
            host.answer(host.send("host_progress", **mine, call_id=call_id, message="half"))
            done = host.answer(host.send("host_result", **mine, call_id=call_id, result=[1, 2]))
            assert done["data"] == {"call_id": call_id, "state": "done"}
            again = host.answer(host.send("host_result", **mine, call_id=call_id, result=[3]))
            assert again["code"] == "host_call_ended"
            assert watcher.until("done")[-1]["data"]["stop_reason"] == "complete"
        [info] = daemon.call("GET", "/api/hosts")
        assert info["online"]
    with daemon.watch(after=0) as watcher:
        watcher.until("host_changed", online=False)
    [info] = daemon.call("GET", "/api/hosts")
    assert not info["online"]
