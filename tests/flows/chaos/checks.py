"""What must hold after the daemon was killed many times."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.flows.chaos.storyteller import mark_of
from tests.flows.chaos.world import World
from tests.support.client import ALLOWS, CHUNKS, parts_of
from tests.support.client import Call as Seen
from tests.support.daemon import Daemon, Json
from tests.support.provider import RecordedRequest

NO_OUTPUT = "Please return text or call a tool."
"""pydantic-ai sends this to a model whose response had only thinking. It is the one system message that may come later
than at the beginning."""


def state_from_events(events: list[Json], session_id: str) -> str:
    """The state of a session that a client knows from these events."""
    changes = [event for event in events if event["type"] == "status_change" and event["session_id"] == session_id]
    return changes[-1]["data"]["state"] if changes else "idle"


def history_of(daemon: Daemon, session_id: str) -> list[Json]:
    """All messages of a session, the oldest first."""
    messages: list[Json] = []
    before: str | None = None
    while True:
        page = daemon.call(
            "GET", "/api/history", None, agent_id="default", session_id=session_id, before=before, limit=100
        )
        messages = [*page["messages"], *messages]
        before = page["next_before"]
        if before is None:
            return messages


def check_picture(world: World) -> None:
    """The witness, the windows, a client that reads all events from the first one, and the REST calls agree."""
    witness = world.witness.picture
    assert witness.wrong == [], "\n".join(witness.wrong)
    fresh = world.follow()
    try:
        for follower in (fresh, *(window.follower for window in world.windows)):
            follower.wait_for(lambda picture: picture.last_seq >= witness.last_seq, "all events")
            assert follower.picture.wrong == []
            assert follower.picture.state() == witness.state()
    finally:
        fresh.close()
    assert world.daemon.call("GET", "/api/approvals") == []
    for session_id in world.sessions:
        session = witness.of(session_id)
        history = history_of(world.daemon, session_id)
        assert [message["message_id"] for message in history] == list(session.messages)
        for message in history:
            shown = session.messages[message["message_id"]]
            assert message["text"] == shown.said["text"], message
            assert parts_of(message) == witness.parts(shown), message
            reason = session.ended[message["turn_id"]]["stop_reason"]
            ended = {"denied": "complete", "limit": "complete"}.get(reason, reason)
            assert message["status"] == (ended if message["role"] == "assistant" else "complete")
        status = world.daemon.status(session_id=session_id)
        assert (status["state"], status["turn_id"], status["queue"]) == (session.state, None, [])


def check_sends(world: World) -> None:
    """The history has an accepted message once, a refused one never, and one without an answer at most once."""
    texts = Counter(
        message["text"]
        for session_id in world.sessions
        for message in history_of(world.daemon, session_id)
        if message["role"] == "user"
    )
    seqs = {event["seq"]: event for event in world.witness.seen}
    for entry in world.notes.sends:
        assert all(status < 500 for status, _ in entry.answers), entry
        answers = [answer["data"] for status, answer in entry.answers if status == 200]
        assert all(answer == answers[0] for answer in answers), entry
        if entry.taken is not None:
            assert texts[entry.text] == 1, entry
            added = seqs[entry.taken["seq"]]
            assert added["type"] == "message_added"
            assert added["turn_id"] == entry.taken["turn_id"]
            assert added["data"]["message"]["message_id"] == entry.taken["message_id"]
        elif entry.refused:
            assert texts[entry.text] == 0, entry
            assert {answer["code"] for _, answer in entry.answers} == {"agent_busy"}, entry
        else:
            assert texts[entry.text] <= 1, entry
    assert set(texts) <= {entry.text for entry in world.notes.sends}


def with_events(world: World, call: Seen) -> str:
    """The call and the events of its turn, as the message of an assertion that fails."""
    said = [event for event in world.witness.seen if event["turn_id"] == call.turn_id and "chunk" not in event["type"]]
    return "\n".join([repr(call), *(json.dumps(event)[:600] for event in said)])


def check_calls(world: World) -> None:
    """No command ran twice, no denied one ran, each one with the outcome `done` ran. No call has two decisions."""
    calls: dict[str, Seen] = {}
    reasons: dict[str, str] = {}
    for session in world.witness.picture.sessions.values():
        calls |= session.calls
        reasons |= {turn_id: done["stop_reason"] for turn_id, done in session.ended.items()}
    path = world.daemon.work_dir / "marks"
    marks = Counter(path.read_text().split()) if path.exists() else Counter[str]()
    assert [mark for mark, count in marks.items() if count > 1] == [], "these commands ran twice"
    could: set[str] = set()
    for call in calls.values():
        mark = mark_of(call.arguments) if call.name == "run_command" else None
        if mark is None:
            continue
        if call.started:
            could.add(mark)
        if call.state == "done":
            assert marks[mark] == 1, call
        elif not call.started:
            assert marks[mark] == 0, call
    assert set(marks) <= could, "a command ran, and its call has no tool_start event"
    for body, status, answer in world.notes.approves:
        call = calls.get(body["call_id"])
        if status == 200:
            assert call is not None
            given = [decision for decision in call.decisions if decision["decision"] == body["decision"]]
            assert [decision["resolved_at"] for decision in given] == [answer["data"]["resolved_at"]], (call, answer)
            if body["decision"] not in ALLOWS:
                assert (call.started, call.state in ("denied", "cancelled")) == (False, True), call
            elif reasons[call.turn_id] in ("complete", "denied", "interrupted"):
                # The daemon was killed after the end of a cancelled call and before the end of its turn.
                cut = call.state == "cancelled" and call.started and reasons[call.turn_id] == "interrupted"
                assert call.state in ("done", "unknown") or cut, with_events(world, call)
        elif status:
            assert answer["code"] in ("approval_resolved", "approval_not_found"), answer
            assert (answer["code"] == "approval_not_found") == (call is None), answer
    for call in calls.values():
        assert len(call.decisions) <= 1, call
    for _, status, answer in world.notes.cancels:
        if status:
            assert status == 200, answer
            assert {reasons[turn_id] for turn_id in answer["data"]["cancelled"]} <= {"cancelled"}, answer
    for path_read, status, answer in world.notes.reads:
        assert status in (0, 200), (path_read, status, answer)


def check_store(world: World) -> None:
    """The database passes its integrity checks and has every event that a client saw. Each turn has one done event."""
    with contextlib.closing(sqlite3.connect(world.daemon.data_dir / "aster.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        assert store.execute("SELECT turn_id FROM turns WHERE state<>'ended'").fetchall() == []
        assert store.execute("SELECT call_id, state FROM calls WHERE state NOT IN ('ended', 'closed')").fetchall() == []
        assert store.execute("SELECT call_id FROM approvals WHERE state='pending'").fetchall() == []
        assert wrong_decisions(store.execute) == []
        rows = store.execute("SELECT seq, type, agent_id, session_id, turn_id, time, data FROM events ORDER BY seq")
        names = ("seq", "type", "agent_id", "session_id", "turn_id", "time")
        events = {row[0]: {**dict(zip(names, row, strict=False)), "data": json.loads(row[6])} for row in rows}
        turns = {row[0] for row in store.execute("SELECT turn_id FROM turns")}
    done = Counter(event["turn_id"] for event in events.values() if event["type"] == "done")
    assert set(done) == turns
    assert set(done.values()) <= {1}
    last = {event["turn_id"]: event["type"] for event in events.values() if event["turn_id"] is not None}
    assert set(last.values()) <= {"done"}
    runs: dict[tuple[str, str], list[Json]] = {}
    for event in events.values():
        if event["type"] in CHUNKS:
            runs.setdefault((event["data"]["message_id"], event["type"]), []).append(event)
    for follower in (world.witness, *(window.follower for window in world.windows)):
        for event in follower.seen:
            if event["type"] not in CHUNKS:
                assert events.get(event["seq"]) == event
            else:
                assert any(covers(run, event) for run in runs.get((event["data"]["message_id"], event["type"]), [])), (
                    event
                )


def wrong_decisions(rows: Callable[[str], Iterable[Any]]) -> list[Any]:
    """Calls that have ended without a decision that has their outcome, and answers without their decision.

    `rows` runs a query.
    """
    ended = (
        "SELECT c.call_id, c.outcome, d.outcome FROM calls c LEFT JOIN decisions d USING (call_id)"
        " WHERE c.outcome IS NOT NULL AND d.outcome IS NOT c.outcome AND d.outcome IS NOT 'asked_again'"
    )
    answered = (
        "SELECT call_id, count(*) FROM approvals a WHERE state<>'pending' GROUP BY call_id HAVING count(*) <>"
        " (SELECT count(*) FROM decisions d WHERE d.call_id=a.call_id"
        " AND decided_by IN ('person', 'expired', 'cancelled'))"
    )
    too_early = (
        "SELECT call_id FROM calls c JOIN decisions d USING (call_id) WHERE c.state='waiting' AND d.outcome IS NULL"
    )
    return [row for sql in (ended, answered, too_early) for row in rows(sql)]


def covers(run: Json, chunk: Json) -> bool:
    """Whether the recorded chunk has the text of the chunk that a client saw."""
    start = chunk["data"]["offset"] - run["data"]["offset"]
    delta = chunk["data"]["delta"]
    return start >= 0 and run["seq"] >= chunk["seq"] and run["data"]["delta"][start : start + len(delta)] == delta


def check_conversation(request: RecordedRequest) -> None:
    """A real provider would accept the request's conversation: each call has one result, directly after the calls."""
    systems = [item for item in request.messages if item.get("role") in ("system", "developer")]
    systems = [item for item in systems if item["content"] != NO_OUTPUT]
    fields = [request.body.get("instructions"), request.body.get("system")]
    assert len(systems) + sum(bool(entry) for entry in fields) == 1
    assert not systems or request.messages[0] is systems[0]
    owed: set[str] = set()
    for item in request.messages:
        content: Any = item.get("content")
        blocks: list[Json] = (
            [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        )
        answers = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
        answers += [item["call_id"]] if item.get("type") == "function_call_output" else []
        answers += [item["tool_call_id"]] if item.get("role") == "tool" else []
        calls = [block["id"] for block in blocks if block.get("type") == "tool_use"]
        calls += [item["call_id"]] if item.get("type") == "function_call" else []
        calls += [call["id"] for call in item.get("tool_calls") or []]
        assert len(set(answers)) == len(answers), item
        assert set(answers) <= owed, f"has the result of a call that does not wait for one: {item}"
        owed -= set(answers)
        if not answers and not calls and item.get("type") != "reasoning":
            says_on = item.get("role") == "assistant" and request.protocol == "responses"
            assert not owed or says_on, f"comes before the results of the calls {owed}: {item}"
        owed |= set(calls)
    assert owed == set(), "these calls have no result"
    assert request.messages[-1].get("role") == "user"
