"""Nothing damages a session permanently, whatever a provider sent or an earlier version stored: it still has turns."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.daemon import Daemon, Json, text_of

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def event(**fields: Any) -> str:
    """One event of a chat completion's stream. JSON escapes the texts, so that half a surrogate pair can be sent."""
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields}
    return f"data: {json.dumps(chunk)}\n\n"


def delta(finish_reason: str | None = None, **fields: Any) -> str:
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": finish_reason}])


def calling(call_id: Any, arguments: Any, name: Any = "read_file") -> str:
    """An answer that calls a tool."""
    call = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return delta(role="assistant", tool_calls=[call]) + ending("tool_calls")


def ending(finish_reason: str = "stop", usage: Json = USAGE) -> str:
    return delta(finish_reason) + event(choices=[], usage=usage) + "data: [DONE]\n\n"


def saying(text: str, usage: Json = USAGE) -> str:
    return delta(role="assistant", content=text) + ending(usage=usage)


WAIT = ": wait\n\n"


class Provider:
    """A chat completions server that sends the given answers unchanged, and then answers `ok`."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.gate = threading.Event()
        """An answer that ends in `WAIT` waits for this before it breaks off."""
        self.requests: list[Json] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                provider.requests.append(json.loads(body))
                answer = provider.answers.pop(0) if provider.answers else saying("ok")
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(answer.encode())
                    if answer.endswith(WAIT):
                        provider.gate.wait(60)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def odd() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def daemon(launch: Callable[..., Daemon], odd: Provider) -> Daemon:
    environment = {
        "ASTER_MODEL": "openai-chat:m",
        "OPENAI_API_KEY": "sk-canary-openai-5f0c",
        "OPENAI_BASE_URL": odd.url,
    }
    return launch(environment=environment, arguments=["--permission-mode", "auto_approve"])


@contextlib.contextmanager
def store_of(daemon: Daemon) -> Generator[sqlite3.Connection]:
    """The store of a daemon that is not running."""
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store, store:
        yield store


def healthy(daemon: Daemon, odd: Provider, session_id: str) -> None:
    """A turn of the session completes, and its request is a conversation that a server can answer."""
    odd.answers.clear()
    events = daemon.ask("and now?", session_id=session_id)
    assert text_of(events) == "ok"
    assert events[-1]["data"]["stop_reason"] == "complete"
    roles = [message["role"] for message in odd.requests[-1]["messages"]]
    assert roles[-1] == "user"


def deletable(daemon: Daemon, session_id: str) -> None:
    """The session's history and the session itself can be deleted."""
    daemon.call("DELETE", "/api/history", None, agent_id="default", session_id=session_id)
    assert daemon.history(session_id=session_id) == []
    daemon.call("DELETE", f"/api/sessions/{session_id}")


def begin(daemon: Daemon) -> str:
    return daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]


ODD_ANSWERS = {
    "id 7": calling(7, '{"path": "x"}'),
    "id null": calling(None, '{"path": "x"}'),
    "id list": calling(["a"], '{"path": "x"}'),
    "arguments []": calling("call_1", []),
    "arguments false": calling("call_1", False),
    "arguments 5": calling("call_1", 5),
    "arguments {}": calling("call_1", {"path": "x"}),
    "name 5": calling("call_1", "{}", 5),
    "name null": calling("call_1", "{}", None),
    "reasoning tokens": saying("hi", {**USAGE, "completion_tokens_details": {"reasoning_tokens": 2.5}}),
    "prompt tokens": saying("hi", {**USAGE, "prompt_tokens": 10.5}),
    "negative tokens": saying("hi", {**USAGE, "prompt_tokens": -4}),
    "huge tokens": saying("hi", {**USAGE, "prompt_tokens": 10**30}),
    "text tokens": saying("hi", {**USAGE, "prompt_tokens": "10", "completion_tokens": 5.0}),
    "usage list": saying("hi", []),
    "content number": delta(role="assistant", content=5) + ending(),
    "content list": delta(role="assistant", content=["a"]) + ending(),
    "lone half": saying("a \udcaf b"),
    "half in arguments": calling("call_1", '{"path": "a\udcaf.txt"}'),
    "escape in arguments": calling("call_1", '{"path": "a\\udcaf.txt"}'),
    "half in a name": calling("call_1", "{}", "read\ud83d"),
    "half in an id": calling("call\ud83d", '{"path": "x"}'),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_whatever_a_provider_sends_the_turn_ends_and_the_session_goes_on(
    daemon: Daemon, odd: Provider, answer: str
) -> None:
    session_id = begin(daemon)
    odd.answers = [answer]
    daemon.ask("first", session_id=session_id)
    status = daemon.status(session_id=session_id)
    assert status["state"] in ("idle", "failed")
    assert all(type(status["usage"][name]) is int for name in ("input_tokens", "output_tokens", "requests"))
    healthy(daemon, odd, session_id)
    assert daemon.call("POST", "/api/cancel", {"agent_id": "default"})["cancelled"] == []
    daemon.restart()
    assert len(daemon.history(session_id=session_id)) == 4
    healthy(daemon, odd, session_id)
    deletable(daemon, session_id)


def test_a_pair_that_was_cut_is_whole_for_people_and_for_the_model(daemon: Daemon, odd: Provider) -> None:
    session_id = begin(daemon)
    odd.answers = [
        delta(role="assistant", reasoning_content="so \ud83d")
        + delta(reasoning_content="\ude00 then")
        + delta(content="Hi \ud83d")
        + delta(content="\ude00!")
        + ending()
    ]
    events = daemon.ask("hello", session_id=session_id)
    assert text_of(events) == "Hi 😀!"
    thoughts = [
        part["text"] for part in daemon.history(session_id=session_id)[-1]["parts"] if part["type"] == "thinking"
    ]
    assert thoughts == ["so 😀 then"]
    for _ in range(2):
        healthy(daemon, odd, session_id)
        assert "Hi 😀!" in [message["content"] for message in odd.requests[-1]["messages"]]
        daemon.restart()
        assert daemon.history(session_id=session_id)[1]["text"] == "Hi 😀!"


def test_killed_with_half_a_pair_said_the_rest_is_kept(daemon: Daemon, odd: Provider) -> None:
    """The daemon is killed before the other half can come, in the request after a call whose id is a number."""
    session_id = begin(daemon)
    odd.answers = [calling(7, '{"path": "x"}'), delta(role="assistant", content="Half \ud83d") + WAIT]
    with daemon.watch() as watcher:
        daemon.chat("go", session_id=session_id)
        last = watcher.until("text_chunk")[-1]["seq"]
    daemon.restart()
    odd.gate.set()
    with daemon.watch(after=last) as watcher:
        assert watcher.until("done")[-1]["data"]["stop_reason"] == "interrupted"
    healthy(daemon, odd, session_id)
    assert "Half" in [str(message["content"]).strip() for message in odd.requests[-1]["messages"]]
    deletable(daemon, session_id)


def test_killed_while_a_call_with_an_odd_id_waits_its_answer_counts(daemon: Daemon, odd: Provider) -> None:
    daemon.config(permission_mode="always_ask")
    session_id = begin(daemon)
    odd.answers = [calling(7, '{"path": "x"}')]
    with daemon.watch() as watcher:
        daemon.chat("go", session_id=session_id)
        required = watcher.until("approval_required")[-1]
    daemon.restart()
    with daemon.watch(after=required["seq"]) as watcher:
        daemon.approve(required["data"]["call_id"])
        events = watcher.until("done")
    assert [event["data"]["outcome"] for event in events if event["type"] == "tool_end"] == ["failed"]
    assert events[-1]["data"]["stop_reason"] == "complete"
    [call] = [call for message in odd.requests[-1]["messages"] for call in message.get("tool_calls", [])]
    [result] = [message for message in odd.requests[-1]["messages"] if message["role"] == "tool"]
    assert call["id"] == result["tool_call_id"] == "7"
    healthy(daemon, odd, session_id)


POISONED = [
    "not JSON",
    "",
    '{"parts":[{"part_kind":"text","content":"cut',
    '{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"t","args":[],"tool_call_id":7}]}',
    '{"kind":"request","parts":[{"part_kind":"tool-return","tool_name":"t","content":"\\ud83d","tool_call_id":7}]}',
    '{"kind":"response","parts":[{"part_kind":"text","content":"half \\ud83d"}],"usage":{"input_tokens":2.5}}',
    '{"kind":"response","parts":[{"part_kind":"of-a-later-version","content":"later words"}]}',
    '{"kind":"request","parts":[{"part_kind":"tool-return","tool_name":"t","content":1,"tool_call_id":"nobody"}]}',
    '{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"t","args":"{}","tool_call_id":"open"}]}',
]


def poison(daemon: Daemon, session_id: str, row: str, turn_id: str = "gone") -> None:
    with store_of(daemon) as store:
        store.execute(
            "INSERT INTO model_messages (session_id, turn_id, message) VALUES (?,?,?)", (session_id, turn_id, row)
        )


@pytest.mark.parametrize("row", POISONED)
def test_a_row_that_cannot_be_read_costs_that_message_not_the_session(daemon: Daemon, odd: Provider, row: str) -> None:
    odd.answers = [saying("The first answer.")]
    session_id = daemon.ask("first", session_id=begin(daemon))[0]["session_id"]
    daemon.stop()
    poison(daemon, session_id, row)
    daemon.start()
    healthy(daemon, odd, session_id)
    sent = odd.requests[-1]["messages"]
    assert any("The first answer." in str(message["content"]) for message in sent)
    daemon.restart()
    healthy(daemon, odd, session_id)
    deletable(daemon, session_id)


def test_all_of_them_in_one_session_are_said_in_the_log(daemon: Daemon, odd: Provider) -> None:
    session_id = daemon.ask("first", session_id=begin(daemon))[0]["session_id"]
    daemon.stop()
    for row in POISONED:
        poison(daemon, session_id, row)
    daemon.start()
    healthy(daemon, odd, session_id)
    sent = json.dumps(odd.requests[-1]["messages"])
    assert "later words" in sent
    assert "left out" in sent
    lines = (daemon.data_dir / "logs" / "aster.log").read_text("utf-8").splitlines()
    told = [line for line in map(json.loads, lines) if "was damaged" in line["message"]]
    assert told
    assert told[0]["session_id"] == session_id


def nuls(daemon: Daemon, odd: Provider, session_id: str, since: int = 0) -> list[Any]:
    """The texts with NUL in the requests from `since` on (also in arguments) and in the history."""
    found: list[Any] = []

    def look(value: Any) -> None:
        if isinstance(value, str):
            if "\0" in value:
                found.append(value)
        elif isinstance(value, list):
            for item in value:
                look(item)
        elif isinstance(value, dict):
            for name, item in value.items():
                look(name)
                look(json.loads(item) if name == "arguments" and isinstance(item, str) else item)

    look(odd.requests[since:])
    look(daemon.history(session_id=session_id))
    return found


SAID_WITH_NUL = {
    "text": saying("one\0two"),
    "thinking": delta(role="assistant", reasoning_content="one\0two") + saying("done"),
    "arguments": calling("call_1", json.dumps({"path": "one\0two"})),
    "arguments as they are": calling("call_1", '{"path": "one\0two"}'),
    "a name in them": calling("call_1", json.dumps({"path": "x", "one\0two": 1})),
    "arguments of a command": calling("call_1", json.dumps({"command": "echo one\0two"}), "run_command"),
    "a file's text": calling("call_1", json.dumps({"path": "new.txt", "content": "one\0two"}), "write_file"),
    "a tool's name": calling("call_1", json.dumps({"path": "x"}), "read\0file"),
    "an id": calling("call\0_1", json.dumps({"path": "x"})),
    "a command's output": calling("call_1", json.dumps({"command": "printf 'one\\0two'"}), "run_command"),
    "a hit of a search": calling("call_1", json.dumps({"pattern": "^one"}), "search_files"),
}


@pytest.mark.parametrize("answer", SAID_WITH_NUL.values(), ids=SAID_WITH_NUL)
def test_no_request_holds_nul(daemon: Daemon, odd: Provider, answer: str) -> None:
    # Only a file's first part decides whether it is binary, so this one is searched.
    (daemon.work_dir / "late.txt").write_bytes(b"x\n" * 9000 + b"one\0two\n")
    session_id = begin(daemon)
    odd.answers = [answer]
    events = daemon.ask("go", session_id=session_id)
    assert events[-1]["data"]["stop_reason"] == "complete"
    healthy(daemon, odd, session_id)
    assert nuls(daemon, odd, session_id) == []
    assert "one" in json.dumps(odd.requests[-1]) or "call" in json.dumps(odd.requests[-1])
    assert not (daemon.work_dir / "new.txt").exists()  # NUL can't be written, and no other text is written instead
    daemon.restart()
    since = len(odd.requests)
    healthy(daemon, odd, session_id)
    assert nuls(daemon, odd, session_id, since) == []


def test_nul_in_what_a_person_says_is_replaced(daemon: Daemon, odd: Provider) -> None:
    session = daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": "one\0two"})
    assert session["title"] == "one\ufffdtwo"
    session_id = session["session_id"]
    path = f"/api/sessions/{session_id}"
    assert daemon.call("PATCH", path, {"title": "three\0four"})["title"] == "three\ufffdfour"
    daemon.ask("one\0two", session_id=session_id)
    assert odd.requests[-1]["messages"][-1]["content"] == "one\ufffdtwo"
    healthy(daemon, odd, session_id)
    assert nuls(daemon, odd, session_id) == []


NUL_IN_STORE = [
    '{"kind":"request","parts":[{"part_kind":"user-prompt","content":"one\\u0000two"}]}',
    '{"kind":"response","parts":[{"part_kind":"text","content":"a \\\\\\u0000 b"}]}',
    '{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"t","args":"{\\"a\\":\\"\\\\u0000\\"}","tool_call_id":"c1"}]}',
    '{"kind":"request","parts":[{"part_kind":"tool-return","tool_name":"t","content":{"\\u0000":"\\u0000"},"tool_call_id":"c1"}]}',
    '{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"t","args":{"a":"\\u0000"},"tool_call_id":"c2"}]}',
]


@pytest.mark.parametrize("also", [None, "not JSON"])
def test_nul_that_is_stored_already_is_not_sent(daemon: Daemon, odd: Provider, also: str | None) -> None:
    session_id = daemon.ask("first", session_id=begin(daemon))[0]["session_id"]
    daemon.stop()
    for row in [*NUL_IN_STORE, *([also] if also else [])]:
        poison(daemon, session_id, row)
    daemon.start()
    healthy(daemon, odd, session_id)
    assert nuls(daemon, odd, session_id) == []
    assert "one\ufffdtwo" in json.dumps(odd.requests[-1], ensure_ascii=False)


def test_the_escape_of_nul_is_text_like_any_other(daemon: Daemon, odd: Provider) -> None:
    session_id = begin(daemon)
    source = r"if '\u0000' in text: pass  # \\u0000"
    (daemon.work_dir / "source.py").write_text(source)
    odd.answers = [calling("call_1", json.dumps({"path": "source.py"}))]
    daemon.ask(source, session_id=session_id)
    healthy(daemon, odd, session_id)
    said = [message["content"] for message in odd.requests[-1]["messages"]]
    assert source in said
    assert any(source in json.loads(text).get("text", "") for text in said if text and text.startswith("{"))


BROKEN_TURNS = {
    "usage": ("turns", "usage", '{"input_tokens": 2.5, "gone": 1}'),
    "usage no JSON": ("turns", "usage", "{"),
    "context": ("messages", "context", "{"),
    "arguments of a call": ("calls", "arguments", "{"),
    "result of a call": ("calls", "result", "{"),
    "events": ("events", "data", "{}"),
    "events no JSON": ("events", "data", "{"),
    "state of a call": ("calls", "state", "dreaming"),
}


@pytest.mark.parametrize(("table", "column", "value"), BROKEN_TURNS.values(), ids=BROKEN_TURNS)
@pytest.mark.parametrize("answered", [True, False])
def test_a_broken_turn_ends_and_keeps_nothing_else_from_running(
    daemon: Daemon, odd: Provider, table: str, column: str, value: str, answered: bool
) -> None:
    daemon.config(permission_mode="always_ask")
    session_id = begin(daemon)
    odd.answers = [calling("call_1", '{"path": "x"}')]
    with daemon.watch() as watcher:
        turn_id = daemon.chat("read it", session_id=session_id)["turn_id"]
        required = watcher.until("approval_required")[-1]
    daemon.stop()
    with store_of(daemon) as store:
        last = store.execute("SELECT max(seq) FROM events").fetchone()[0]
        where = "type<>'status_change' AND" if table == "events" else ""
        changed = store.execute(f"UPDATE {table} SET {column}=? WHERE {where} turn_id=?", (value, turn_id))
        assert changed.rowcount
        if not answered:  # as after a kill
            store.execute("UPDATE approvals SET state='cancelled' WHERE turn_id=?", (turn_id,))
            store.execute("UPDATE turns SET state='running' WHERE turn_id=?", (turn_id,))
    daemon.start()
    with daemon.watch(after=last) as watcher:
        if answered:
            daemon.approve(required["data"]["call_id"])
        watcher.until("done", turn_id=turn_id)
    assert daemon.status(session_id=session_id)["state"] in ("idle", "failed")
    healthy(daemon, odd, session_id)
    healthy(daemon, odd, begin(daemon))
    daemon.restart()
    healthy(daemon, odd, session_id)
    deletable(daemon, session_id)


def test_a_denial_whose_row_is_broken_does_not_keep_the_turn_from_its_end(daemon: Daemon, odd: Provider) -> None:
    daemon.config(permission_mode="always_ask")
    session_id = begin(daemon)
    odd.answers = [calling("call_1", '{"path": "x"}')]
    with daemon.watch() as watcher:
        turn_id = daemon.chat("read it", session_id=session_id)["turn_id"]
        last = watcher.until("approval_required")[-1]["seq"]
    daemon.kill()
    with store_of(daemon) as store:
        store.execute("UPDATE approvals SET state='resolved', decision='deny', edited='{' WHERE turn_id=?", (turn_id,))
        store.execute("UPDATE calls SET state='denied' WHERE turn_id=?", (turn_id,))
        store.execute("UPDATE turns SET state='running' WHERE turn_id=?", (turn_id,))
    daemon.start()
    with daemon.watch(after=last) as watcher:
        assert watcher.until("done", turn_id=turn_id)[-1]["data"]["stop_reason"] == "interrupted"
    healthy(daemon, odd, session_id)
    deletable(daemon, session_id)


def test_a_waiting_turn_that_is_broken_can_be_cancelled(daemon: Daemon, odd: Provider) -> None:
    daemon.config(permission_mode="always_ask")
    session_id = begin(daemon)
    odd.answers = [calling(7, '{"path": "a\udcaf"}')]
    with daemon.watch() as watcher:
        turn_id = daemon.chat("read it", session_id=session_id)["turn_id"]
        watcher.until("approval_required")
    daemon.stop()
    poison(daemon, session_id, "not JSON", turn_id)
    with store_of(daemon) as store:
        store.execute("UPDATE calls SET arguments='{', result='{' WHERE turn_id=?", (turn_id,))
    daemon.start()
    answer = daemon.call("POST", "/api/cancel", {"agent_id": "default", "turn_id": turn_id})
    assert answer["cancelled"] == [turn_id]
    healthy(daemon, odd, session_id)
    deletable(daemon, session_id)


def test_a_failure_inside_the_daemon_is_in_the_log_with_its_place_and_without_words(
    daemon: Daemon, odd: Provider
) -> None:
    daemon.config(permission_mode="always_ask")
    session_id = begin(daemon)
    odd.answers = [calling("call_1", '{"path": "x"}')]
    with daemon.watch() as watcher:
        turn_id = daemon.chat("a secret question", session_id=session_id)["turn_id"]
        required = watcher.until("approval_required")[-1]
    daemon.stop()
    with store_of(daemon) as store:
        store.execute("UPDATE calls SET arguments='{\"secret-words\"' WHERE turn_id=?", (turn_id,))
    daemon.start()
    with daemon.watch() as watcher:
        daemon.approve(required["data"]["call_id"])
        events = watcher.until("done", turn_id=turn_id)
    assert [event["data"]["code"] for event in events if event["type"] == "error"] == ["internal_error"]
    log = (daemon.data_dir / "logs" / "aster.log").read_text("utf-8")
    lines = [line for line in map(json.loads, log.splitlines()) if "inside the daemon" in line["message"]]
    assert lines
    assert any("tool_executor.py" in place for entry in lines[-1]["exception"] for place in entry["at"])
    assert "secret" not in log
    assert "canary" not in log
