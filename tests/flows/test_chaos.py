"""Chaos: kill -9 at random moments, a state machine over one session, and the faults these have found."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.config.places import places
from aster_sidecar.config.settings import Settings
from aster_sidecar.contract import wire
from aster_sidecar.daemon.daemon import Daemon as Inside
from aster_sidecar.daemon.wiring import build
from aster_sidecar.store.rows.meta import remember
from tests.conftest import PROTOCOLS
from tests.support.client import ALLOWS, CHUNKS, Follower, Picture, parts_of
from tests.support.client import Call as Seen
from tests.support.daemon import Daemon, Json
from tests.support.provider import Answer, Call, Fault, ProviderDouble, RecordedRequest, Reply, Say, Think
from tests.support.provider_wire import FaultKind

KILLS = 25
KILLING_S = 45.0
"""No more kills after this time: a slow machine does fewer, but not fewer than `KILLS_LEAST`."""
KILLS_LEAST = 5
WAIT_S = 45.0
"""Longest that anything is waited for: only what hangs takes that long."""
SESSIONS = 4
WORDS = [
    "alpha ",
    "größer ",
    "想法 ",
    "😀🎉 ",
    "line\u2028break ",
    "\x85next ",
    "tab\t",
    "new\nline ",
    "\\u0000 ",
    '"q" ',
]
NO_OUTPUT = "Please return text or call a tool."
"""pydantic-ai's own word to a model that only thought: the one thing of a system kind that is not at the beginning."""
MISSING: Json = {"success": False, "code": "nobody_answered"}
STILL = ("idle", "failed")
FAULTS: list[FaultKind] = ["cut", "error_event", "truncate"]


# -- what the model says -------------------------------------------------------------------------------------------


class Storyteller:
    """The double's mind: makes up an answer for each request. Each command it asks for has a mark of its own."""

    def __init__(self, chance: random.Random, ticks: Ticks) -> None:
        self.calm = False
        self._chance = chance
        self._ticks = ticks
        self._numbers = itertools.count()

    def __call__(self, request: RecordedRequest) -> Answer:
        self._ticks.tick("request")
        chance = self._chance
        if self.calm or request.last_user_text.startswith("probe"):
            return Reply([Say("calm again")])
        parts: list[Say | Think | Call] = []
        if chance.random() < 0.4:
            parts.append(Think(self._words(6), chunk=chance.randint(1, 7), delay_s=self._delay()))
        if chance.random() < 0.8:
            parts.append(Say(self._words(12), chunk=chance.randint(1, 7), delay_s=self._delay()))
        asked_before = len(request.tool_results)
        if asked_before < 40 and chance.random() < (0.3 if request.new_tool_results else 0.75):
            parts += [self._call() for _ in range(chance.choice([1, 1, 1, 2, 3]))]
            if chance.random() < 0.1:
                parts.append(Say(self._words(3), delay_s=self._delay()))
        reply = Reply(
            parts or [Say("yes")], flush_each=chance.random() < 0.3, wait_before_s=chance.choice([0, 0, 0.05])
        )
        if chance.random() < 0.05 and reply.delta_count() > 3:
            kind = chance.choice(FAULTS)
            return Fault(kind=kind, code="server_error", reply=reply, after=chance.randint(1, reply.delta_count() - 1))
        return reply

    def _delay(self) -> float:
        return self._chance.choice([0, 0, 0.001, 0.005, 0.02])

    def _words(self, most: int) -> str:
        return "".join(self._chance.choice(WORDS) for _ in range(self._chance.randint(1, most)))

    def _call(self) -> Call:
        mark = f"m{next(self._numbers)}."
        line = self._chance.choice(
            [
                f"echo {mark} >> marks",
                f"echo {mark} >> marks",
                f"echo {mark} | tee -a marks",
                f"echo {mark} >> marks; sleep 0.2; echo slept",
                f"sleep 0.1; echo {mark} >> marks",
                f"echo {mark} >> marks; seq 1 3000",
                f"echo {mark} >> marks; exit 3",
                None,
                None,
            ]
        )
        if line is not None:
            return Call("run_command", {"command": line})
        return self._chance.choice([Call("list_dir", {"path": "."}), Call("read_file", {"path": "there.txt"})])


def mark_of(arguments: Json) -> str | None:
    """The mark that a call would leave."""
    words = str(arguments.get("command", "")).split() if arguments else []
    return next((word for word in words if word.endswith(".") and word[0] in "me"), None)


class Ticks:
    """Counts whatever happens anywhere, so that a kill can come after any of it."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self._changed = threading.Condition()

    def tick(self, kind: str) -> None:
        with self._changed:
            self.count[kind] += 1
            self._changed.notify_all()

    def wait(self, more: int, kind: str | None = None, within_s: float = 5.0) -> None:
        """Wait for so many more (of a kind), or for the time."""
        with self._changed:

            def total() -> int:
                return self.count[kind] if kind is not None else self.count.total()

            due = total() + more
            self._changed.wait_for(lambda: total() >= due, within_s)


# -- those who use it ----------------------------------------------------------------------------------------------


@dataclass
class Send:
    """A message: what was sent, and every answer it got. One without an answer may or may not have arrived."""

    body: Json
    answers: list[tuple[int, Json]] = field(default_factory=list[tuple[int, Json]])

    @property
    def text(self) -> str:
        return self.body["message"]

    @property
    def taken(self) -> Json:
        """What the daemon said when it took the message, None when it did not."""
        return next((answer["data"] for status, answer in self.answers if status == 200), None)

    @property
    def refused(self) -> bool:
        return bool(self.answers) and all(400 <= status < 500 for status, _ in self.answers)


Told: TypeAlias = tuple[Json, int, Json]
"""A request's body, the status and the answer; status 0: the daemon was gone before it answered."""


@dataclass
class Notes:
    """What all windows did, together."""

    sends: list[Send] = field(default_factory=list[Send])
    approves: list[Told] = field(default_factory=list[Told])
    cancels: list[Told] = field(default_factory=list[Told])
    reads: list[Told] = field(default_factory=list[Told])


class Window:
    """A person at a window: reads a stream, and does something at random."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.world = world
        self.chance = random.Random(f"{world.seed} {name}")
        self.follower = Follower(lambda: world.daemon.url, world.up)
        self.calls_seen: set[str] = set()
        self._numbers = itertools.count()
        self._client = httpx.Client(trust_env=False, verify=False, timeout=30, headers={"X-Aster-Client": name})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self._stop.set()
        self.follower.close()
        self._client.close()

    def ask(self, method: str, path: str, body: Json = None, **parameters: Any) -> tuple[int, Json]:
        """One request; status 0 when the daemon was gone before it answered."""
        ticks = self.world.ticks
        ticks.tick("asking")
        try:
            answer = self._client.request(method, self.world.daemon.url + path, json=body, params=parameters)
        except httpx.HTTPError:
            return 0, MISSING
        finally:
            ticks.tick("asked")
        return answer.status_code, answer.json()

    def _live(self) -> None:
        while not self._stop.is_set():
            self.follower.wait_for_news(self.chance.choice([0.01, 0.05, 0.2]))
            if not self.world.up.wait(0.1):
                continue
            with self.follower.changed:
                waiting = list(self.follower.picture.waiting)
            if waiting and self.chance.random() < 0.5:
                self.answer(self.chance.choice(waiting))
            elif self.chance.random() < 0.4:
                self.chance.choices(
                    [self.send, self.again, self.cancel, self.answer_what_is_over, self.read, self.follower.drop],
                    [30, 10, 5, 3, 8, 6],
                )[0]()

    def send(self) -> None:
        """Say something in some session that has not too much to do."""
        session_id = self.chance.choice(self.world.sessions)
        with self.follower.changed:
            session = self.follower.picture.sessions.get(session_id)
            if session is not None and len(session.open_turns) > 3:
                return
        body = {
            "agent_id": "default",
            "session_id": session_id,
            "message": f"[{self.name} {next(self._numbers)}] {self.chance.choice(WORDS)}",
            "if_busy": self.chance.choices(["queue", "steer", "reject", "interrupt"], [5, 4, 2, 2])[0],
        }
        if self.chance.random() < 0.7:
            body["client_message_id"] = f"{self.name}-{next(self._numbers)}"
        entry = Send(body)
        self.world.notes.sends.append(entry)
        self._post(entry)

    def again(self) -> None:
        """Send something again that was sent, answered or not."""
        known = [entry for entry in self.world.notes.sends if "client_message_id" in entry.body and not entry.refused]
        if known:
            self._post(self.chance.choice(known[-20:]))

    def _post(self, entry: Send) -> None:
        status, answer = self.ask("POST", "/api/chat", entry.body)
        if status:
            entry.answers.append((status, answer))

    def answer(self, call_id: str) -> None:
        decision = self.chance.choices(["allow", "deny", "edit", "allow_always", "deny_always"], [10, 4, 4, 2, 1])[0]
        body: Json = {"agent_id": "default", "call_id": call_id, "decision": decision}
        if decision == "deny" and self.chance.random() < 0.5:
            body["note"] = "rather not"
        if decision == "edit":
            body["decision"] = "allow"
            body["arguments"] = {"command": f"echo e{call_id}{self.name}{next(self._numbers)}. >> marks"}
        self.calls_seen.add(call_id)
        self.world.notes.approves.append((body, *self.ask("POST", "/api/approve", body)))

    def answer_what_is_over(self) -> None:
        self.answer(self.chance.choice([*self.calls_seen, "call_nobody"]))

    def cancel(self) -> None:
        body: Json = {"agent_id": "default", "session_id": self.chance.choice(self.world.sessions)}
        with self.follower.changed:
            session = self.follower.picture.sessions.get(body["session_id"])
            turns = sorted(session.open_turns) if session is not None else []
        if turns and self.chance.random() < 0.7:
            body["turn_id"] = self.chance.choice(turns)
        elif self.chance.random() < 0.1:
            del body["session_id"]
        self.world.notes.cancels.append((body, *self.ask("POST", "/api/cancel", body)))

    def read(self) -> None:
        session_id = self.chance.choice(self.world.sessions)
        path = self.chance.choice(["/api/history", "/api/status", "/api/approvals", "/api/sessions"])
        parameters = {"agent_id": "default"} | ({"session_id": session_id} if path != "/api/sessions" else {})
        self.world.notes.reads.append((path, *self.ask("GET", path, None, **parameters)))


class World:
    """A daemon that is killed again and again, two windows and a witness."""

    def __init__(self, daemon: Daemon, provider: ProviderDouble, seed: int) -> None:
        self.daemon = daemon
        self.seed = seed
        self.chance = random.Random(seed)
        self.ticks = Ticks()
        self.notes = Notes()
        self.up = threading.Event()
        self.up.set()
        self.story = Storyteller(random.Random(f"{seed} story"), self.ticks)
        provider.otherwise = self.story
        self.sessions = [
            daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": f"Session {number}"})["session_id"]
            for number in range(SESSIONS)
        ]
        self.witness = self.follow(on_event=lambda: self.ticks.tick("event"))
        self.windows = [Window(self, name) for name in ("left", "right")]

    def follow(self, **more: Any) -> Follower:
        return Follower(lambda: self.daemon.url, self.up, **more)

    def close(self) -> None:
        self.up.set()
        for window in self.windows:
            window.close()
        self.witness.close()

    def kill_at_random(self) -> None:
        """Wait until some random number of things happened, and begin the next life."""
        if self.chance.random() < 0.8:
            self.ticks.wait(1, "request", 8.0)  # until then the engine is not even loaded
        if self.chance.random() < 0.9:
            self.ticks.wait(int(self.chance.expovariate(1 / 60)))
        self.up.clear()
        self.daemon.kill()
        self.daemon.start()
        self.up.set()

    def settle(self) -> None:
        """Send again what got no answer, answer what waits, and wait until nothing is going on."""
        self.story.calm = True
        for entry in self.notes.sends:
            if "client_message_id" in entry.body and not entry.refused:
                entry.answers.append(self.daemon.raw("POST", "/api/chat", entry.body))
        for _ in range(200):
            with self.witness.changed:
                waiting = list(self.witness.picture.waiting)
            for call_id in waiting:
                body = {"agent_id": "default", "call_id": call_id, "decision": self.chance.choice(["allow", "deny"])}
                self.notes.approves.append((body, *self.daemon.raw("POST", "/api/approve", body)))
            if self._is_still():
                break
            self.witness.wait_for_news(1.0)
        last = self.daemon.call("GET", "/api/sessions", None, agent_id="default")
        assert {entry["state"] for entry in last["sessions"]} <= set(STILL), last
        self.witness.wait_for(lambda picture: still(picture), "every turn has its done", WAIT_S)

    def _is_still(self) -> bool:
        states = [self.daemon.status(session_id=session_id) for session_id in self.sessions]
        return all(status["state"] in STILL and not status["queue"] for status in states) and still(
            self.witness.picture
        )


def still(picture: Picture) -> bool:
    return all(
        not session.open_turns and not session.waiting and session.state in STILL
        for session in picture.sessions.values()
    )


@contextlib.contextmanager
def living(daemon: Daemon, provider: ProviderDouble, seed: int) -> Generator[World]:
    world = World(daemon, provider, seed)
    try:
        yield world
    finally:
        world.close()


# -- what must hold ------------------------------------------------------------------------------------------------


def history_of(daemon: Daemon, session_id: str) -> list[Json]:
    """All of a session's messages."""
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
    """The witness, the windows, a client that begins at 0, and the daemon itself say the same."""
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
    """Acknowledged: there, once. Refused: not there. Not answered: there at most once."""
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


def heard_of(world: World, call: Seen) -> str:
    """What was said of a turn with a call that is not as it should be."""
    said = [event for event in world.witness.seen if event["turn_id"] == call.turn_id and "chunk" not in event["type"]]
    return "\n".join([repr(call), *(json.dumps(event)[:600] for event in said)])


def check_calls(world: World) -> None:
    """No command ran twice, none that was denied ran, each that is done ran; answers count once."""
    calls: dict[str, Seen] = {}
    reasons: dict[str, str] = {}
    for session in world.witness.picture.sessions.values():
        calls |= session.calls
        reasons |= {turn_id: done["stop_reason"] for turn_id, done in session.ended.items()}
    path = world.daemon.work_dir / "marks"
    marks = Counter(path.read_text().split()) if path.exists() else Counter[str]()
    assert [mark for mark, count in marks.items() if count > 1] == []
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
    assert set(marks) <= could, "something ran that nobody was told of"
    for body, status, answer in world.notes.approves:
        call = calls.get(body["call_id"])
        if status == 200:
            assert call is not None
            given = [decision for decision in call.decisions if decision["decision"] == body["decision"]]
            assert [decision["resolved_at"] for decision in given] == [answer["data"]["resolved_at"]], (call, answer)
            if body["decision"] not in ALLOWS:
                assert (call.started, call.state in ("denied", "cancelled")) == (False, True), call
            elif reasons[call.turn_id] in ("complete", "denied", "interrupted"):
                # Killed between the end of a call that was cancelled and the end of its turn.
                cut = call.state == "cancelled" and call.started and reasons[call.turn_id] == "interrupted"
                assert call.state in ("done", "unknown") or cut, heard_of(world, call)
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
    """The store is whole, and has what the witness saw; each turn has one end."""
    with contextlib.closing(sqlite3.connect(world.daemon.data_dir / "aster.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        assert store.execute("SELECT turn_id FROM turns WHERE state<>'ended'").fetchall() == []
        assert store.execute("SELECT call_id, state FROM calls WHERE state NOT IN ('ended', 'closed')").fetchall() == []
        assert store.execute("SELECT call_id FROM approvals WHERE state='pending'").fetchall() == []
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


def covers(run: Json, chunk: Json) -> bool:
    """Whether the recorded chunk holds the one that was seen."""
    start = chunk["data"]["offset"] - run["data"]["offset"]
    delta = chunk["data"]["delta"]
    return start >= 0 and run["seq"] >= chunk["seq"] and run["data"]["delta"][start : start + len(delta)] == delta


def check_conversation(request: RecordedRequest) -> None:
    """What the provider was sent is a conversation that a real one would take: each call answered once, at once."""
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
        assert set(answers) <= owed, f"answers what was not asked: {item}"
        owed -= set(answers)
        if not answers and not calls and item.get("type") != "reasoning":
            says_on = item.get("role") == "assistant" and request.protocol == "responses"
            assert not owed or says_on, f"comes before the answers to {owed}: {item}"
        owed |= set(calls)
    assert owed == set()
    assert request.messages[-1].get("role") == "user"


@pytest.mark.timeout(400)
def test_random_kills(real: Daemon, provider: ProviderDouble, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("ASTER_CHAOS_SEED") or secrets.randbelow(1 << 32))
    print(f"ASTER_CHAOS_SEED={seed}")  # pytest shows it when the test fails
    (real.work_dir / "there.txt").write_text("here I am")
    began = time.monotonic()
    with living(real, provider, seed) as world:
        for window in world.windows:
            window.start()
        kills = 0
        while kills < KILLS_LEAST or (kills < KILLS and time.monotonic() - began < KILLING_S):
            world.kill_at_random()
            kills += 1
        print(f"{kills} kills in {time.monotonic() - began:.0f} s; {dict(world.ticks.count)}")
        for window in world.windows:
            window.stop()
        world.settle()
        print(f"settled after {time.monotonic() - began:.0f} s; {len(world.notes.sends)} messages")
        check_picture(world)
        check_sends(world)
        check_calls(world)
        for model in PROTOCOLS.values():
            real.config(model=model)
            for session_id in world.sessions:
                turn_id = real.chat(f"probe {model}", session_id=session_id)["turn_id"]
                world.witness.wait_for(lambda picture, of=session_id, turn=turn_id: turn in picture.of(of).ended, "end")
                assert world.witness.picture.of(session_id).ended[turn_id]["stop_reason"] == "complete"
                check_conversation(provider.requests[-1])
        assert "Traceback" not in real.log, real.log
        world.witness.wait_for(still, "idle")
        assert real.stop() == 0
        world.up.clear()
        check_store(world)
        print(f"checked after {time.monotonic() - began:.0f} s")


# -- one session as a state machine --------------------------------------------------------------------------------


@dataclass
class Held:
    """An answer that has begun with `words` and goes on when the machine says how."""

    words: str
    parts: list[Say | Think | Call]
    gate: threading.Event


class Mind:
    """The double's mind in the machine: holds every answer, or fails once when told so."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.fails = False
        self._numbers = itertools.count()

    def __call__(self, request: RecordedRequest) -> Answer:
        if self.fails:
            self.fails = False
            return Fault(code="invalid_request")
        words = f"words {next(self._numbers)} "
        held = Held(words, [Say(deltas=[words, "and more. "])], threading.Event())
        self.held.append(held)
        return Reply(held.parts, gate=held.gate, gate_at=1)


class Stage:
    """What the examples of a machine share: a daemon, the double, and one window that is always open."""

    def __init__(self, daemon: Daemon, provider: ProviderDouble) -> None:
        self.daemon = daemon
        self.provider = provider
        self.mind = Mind()
        provider.otherwise = self.mind
        self.up = threading.Event()
        self.up.set()
        self.follower = Follower(lambda: daemon.url, self.up)
        self.examples = itertools.count()
        self._client = httpx.Client(trust_env=False, verify=False, timeout=30)

    def close(self) -> None:
        self.up.clear()
        self.follower.close()
        self._client.close()

    def restart(self, kindly: bool) -> None:
        self.up.clear()
        self._client.close()
        if kindly:
            assert self.daemon.stop() == 0
        else:
            self.daemon.kill()
        self.daemon.start()
        self._client = httpx.Client(trust_env=False, verify=False, timeout=30)
        self.up.set()

    def raw(self, method: str, path: str, body: Json = None, **parameters: Any) -> tuple[int, Json]:
        answer = self._client.request(method, self.daemon.url + path, json=body, params=parameters)
        return answer.status_code, answer.json()

    def call(self, method: str, path: str, body: Json = None, **parameters: Any) -> Json:
        status, answer = self.raw(method, path, body, **parameters)
        assert status == 200, answer
        return answer["data"]

    def refused(self, method: str, path: str, body: Json = None, **parameters: Any) -> tuple[int, str]:
        status, answer = self.raw(method, path, body, **parameters)
        assert status != 200, answer
        return status, answer["code"]


@dataclass
class Question:
    """A call of the model's last response: what it would run, and how it was answered (None: it waits)."""

    command: str
    call_id: str = ""
    allowed: bool | None = None


class SessionMachine(RuleBasedStateMachine):
    """One session, and beside it a model of what the contract says it is."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.name = f"x{next(stage.examples)}"
        self.numbers = itertools.count()
        self.session_id: str = stage.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
        self.here = {"agent_id": "default", "session_id": self.session_id}
        self.first_request = len(stage.provider.requests)
        self.first_held = len(stage.mind.held)
        self.mode = "smart_approve"
        stage.call("POST", "/api/config", {"permission_mode": self.mode})
        self.remembered: dict[str, str] = {}
        self.marks: Counter[str] = Counter()
        self.active: str | None = None
        self.queue: list[str] = []
        self.questions: list[Question] = []
        self.texts: dict[str, str] = {}
        self.said: list[str] = []
        self.told: list[str] = []
        self.steered: list[str] = []
        self.answers_begun = 0
        self.ended: dict[str, str] = {}
        self.failed = False
        self.held = 0
        self.over: list[str] = []
        self.sends: list[tuple[Json, Json]] = []
        self.restarts = 0

    # what the contract says happens

    @property
    def waiting(self) -> list[Question]:
        return [question for question in self.questions if question.allowed is None]

    @property
    def state(self) -> str:
        if self.active is not None:
            return "waiting_approval" if self.waiting else "running"
        return "failed" if self.failed else "idle"

    @property
    def talks(self) -> bool:
        return self.state == "running"

    def decide(self, command: str) -> str:
        """allow, deny or ask: sections 6 and 10."""
        if self.remembered.get(command) == "deny":
            return "deny"
        if self.mode == "always_ask":
            return "ask"
        return "allow" if self.remembered.get(command) == "allow" or self.mode == "auto_approve" else "ask"

    def expect_request(self) -> None:
        """The model is asked again, and hears what it was not told yet."""
        self.told += self.steered
        self.steered = []
        self.held += 1

    def expect_begin(self) -> None:
        if self.active is None and self.queue:
            self.active = self.queue.pop(0)
            self.answers_begun += 1
            self.told.append(self.texts[self.active])
            self.held += 1

    def expect_end(self, reason: str) -> None:
        assert self.active is not None
        self.ended[self.active] = reason
        self.over += [question.call_id for question in self.questions]
        self.told += self.steered
        self.active, self.questions, self.steered = None, [], []
        self.failed = reason == "failed"
        self.expect_begin()

    def expect_runs(self) -> None:
        """The last question was answered: what was allowed runs, and the model goes on."""
        for question in self.questions:
            if question.allowed and self.remembered.get(question.command) != "deny":
                self.marks[question.command] += 1
        self.over += [question.call_id for question in self.questions]
        self.questions = []
        self.expect_request()

    def expect_message(self, data: Json, text: str) -> None:
        self.texts[data["turn_id"]] = text
        self.said.append(text)

    # what people and models do

    def fresh(self, what: str) -> str:
        return f"{what} {self.name}.{next(self.numbers)}."

    @rule(if_busy=st.sampled_from(["queue", "queue", "steer", "steer", "reject", "interrupt"]))
    def send(self, if_busy: str) -> None:
        text = self.fresh("message")
        body = {**self.here, "message": text, "if_busy": if_busy, "client_message_id": text}
        if self.active is not None and if_busy == "reject":
            assert self.stage.refused("POST", "/api/chat", body) == (409, "agent_busy")
            return
        data = self.stage.call("POST", "/api/chat", body)
        self.sends.append((body, data))
        if self.active is None:
            assert data["status"] == "started"
            self.expect_message(data, text)
            self.queue.append(data["turn_id"])
            self.expect_begin()
        elif if_busy == "steer":
            assert (data["status"], data["turn_id"]) == ("steered", self.active)
            self.said.append(text)
            self.steered.append(text)
        else:
            assert data["status"] == "queued"
            self.expect_message(data, text)
            self.queue.insert(0 if if_busy == "interrupt" else len(self.queue), data["turn_id"])
            if if_busy == "interrupt":
                self.expect_end("cancelled")

    @precondition(lambda self: self.sends)
    @rule(which=st.integers(0, 99), otherwise=st.booleans())
    def send_again(self, which: int, otherwise: bool) -> None:
        body, data = self.sends[which % len(self.sends)]
        if otherwise:
            other = {**body, "message": "something else"}
            assert self.stage.refused("POST", "/api/chat", other) == (409, "idempotency_mismatch")
        else:
            assert self.stage.call("POST", "/api/chat", body) == data

    @precondition(lambda self: self.active is None)
    @rule()
    def send_what_the_provider_refuses(self) -> None:
        self.stage.mind.fails = True
        text = self.fresh("message")
        data = self.stage.call("POST", "/api/chat", {**self.here, "message": text})
        self.expect_message(data, text)
        self.queue.append(data["turn_id"])
        self.expect_begin()
        self.held -= 1
        self.expect_end("failed")

    @precondition(lambda self: self.talks)
    @rule()
    def finish(self) -> None:
        self.stage.mind.held[-1].gate.set()
        if self.steered:
            self.expect_request()
        else:
            self.expect_end("complete")

    @precondition(lambda self: self.talks)
    @rule(count=st.integers(1, 3), known=st.integers(0, 99))
    def ask_for_tools(self, count: int, known: int) -> None:
        commands = [f"echo {self.fresh('mark').replace(' ', '-')} | tee -a marks" for _ in range(count)]
        if self.remembered and known % 2:
            commands[-1] = sorted(self.remembered)[known % len(self.remembered)]
        held = self.stage.mind.held[-1]
        held.parts += [Call("run_command", {"command": command}) for command in commands]
        for command in commands:
            verdict = self.decide(command)
            if verdict == "ask":
                self.questions.append(Question(command))
            elif verdict == "allow":
                self.marks[command] += 1
        if not self.questions:
            self.expect_request()
        held.gate.set()

    @precondition(lambda self: self.waiting)
    @rule(
        which=st.integers(0, 99),
        decision=st.sampled_from(["allow", "allow", "deny", "allow_always", "deny_always", "edited", "unfit"]),
    )
    def answer(self, which: int, decision: str) -> None:
        question = self.waiting[which % len(self.waiting)]
        body: Json = {"agent_id": "default", "call_id": question.call_id, "decision": decision}
        if decision == "unfit":
            body |= {"decision": "allow", "arguments": {"command": ["no text"]}}
            assert self.stage.refused("POST", "/api/approve", body) == (422, "arguments_invalid")
            return
        if decision == "edited":
            question.command = f"echo {self.fresh('edited').replace(' ', '-')} | tee -a marks"
            body |= {"decision": "allow", "arguments": {"command": question.command}}
        data = self.stage.call("POST", "/api/approve", body)
        assert (data["call_id"], data["decision"]) == (question.call_id, body["decision"])
        verdict, _, always = decision.partition("_")
        if always:
            assert data["rule"]["decision"] == verdict
            if self.remembered.get(question.command) != "deny":
                self.remembered[question.command] = verdict
        else:
            assert data["rule"] is None
        question.allowed = verdict != "deny"
        if not self.waiting:
            self.expect_runs()

    @rule(which=st.integers(0, 99))
    def answer_what_does_not_wait(self, which: int) -> None:
        body = {"agent_id": "default", "call_id": "call_nobody", "decision": "allow"}
        assert self.stage.refused("POST", "/api/approve", body) == (404, "approval_not_found")
        answered = self.over + [question.call_id for question in self.questions if question.allowed is not None]
        if answered:
            body["call_id"] = answered[which % len(answered)]
            assert self.stage.refused("POST", "/api/approve", body) == (409, "approval_resolved")

    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        turns = [*([self.active] if self.active is not None else []), *self.queue]
        if which < 4 or not turns:
            assert set(self.stage.call("POST", "/api/cancel", self.here)["cancelled"]) == set(turns)
            for turn_id in self.queue:
                self.ended[turn_id] = "cancelled"
                self.failed = False
            self.queue = []
            if self.active is not None:
                self.expect_end("cancelled")
            return
        turn_id = turns[which % len(turns)]
        assert self.stage.call("POST", "/api/cancel", {**self.here, "turn_id": turn_id})["cancelled"] == [turn_id]
        if turn_id == self.active:
            self.expect_end("cancelled")
        else:
            self.queue.remove(turn_id)
            self.ended[turn_id] = "cancelled"

    @rule(mode=st.sampled_from(["smart_approve", "auto_approve", "always_ask"]))
    def change_mode(self, mode: str) -> None:
        self.stage.call("POST", "/api/config", {"permission_mode": mode})
        self.mode = mode

    @rule()
    def clear(self) -> None:
        if self.active is not None:
            assert self.stage.refused("DELETE", "/api/history", None, **self.here) == (409, "agent_busy")
            return
        data = self.stage.call("DELETE", "/api/history", None, **self.here)
        assert data == {"deleted": len(self.said) + self.answers_begun}
        for kept in (self.said, self.told, self.ended, self.over, self.sends):
            kept.clear()
        self.answers_begun = 0
        self.failed = False

    @precondition(lambda self: self.restarts < 2)
    @rule(kindly=st.booleans())
    def restart(self, kindly: bool) -> None:
        self.restarts += 1
        self.stage.restart(kindly)
        if self.talks:
            self.expect_end("interrupted")

    # what must hold after each of them

    @invariant()
    def fits(self) -> None:
        self.settle()
        stage, session = self.stage, self.stage.follower.picture.of(self.session_id)
        assert stage.follower.picture.wrong == [], "\n".join(stage.follower.picture.wrong)
        status = stage.call("GET", "/api/status", None, **self.here)
        assert status["state"] == self.state
        assert status["turn_id"] == self.active
        assert status["queue"] == self.queue
        assert status["pending_approvals"] == len(self.waiting)
        assert (status["last_error"] is not None) == (self.state == "failed")
        inbox = stage.call("GET", "/api/approvals", None, **self.here)
        assert [entry["call_id"] for entry in inbox] == [question.call_id for question in self.waiting]
        history = stage.call("GET", "/api/history", None, **self.here, limit=500)["messages"]
        assert [message["text"] for message in history if message["role"] == "user"] == self.said
        assert len(history) == len(self.said) + self.answers_begun
        assert [message["message_id"] for message in history] == list(session.messages)
        for message in history:
            shown = session.messages[message["message_id"]]
            assert message["text"] == shown.said["text"]
            assert parts_of(message) == stage.follower.picture.parts(shown)
        path = stage.daemon.work_dir / "marks"
        lines = path.read_text().split() if path.exists() else []
        ran = Counter(f"echo {line} | tee -a marks" for line in lines if f"-{self.name}." in line)
        assert ran == self.marks
        self.check_requests()

    def settle(self) -> None:
        """Wait until the window shows what the contract says; then nothing is under way."""

        def shows(picture: Picture) -> bool:
            session = picture.of(self.session_id)
            asked = [call.arguments["command"] for call in session.waiting.values()]
            if session.state != self.state or {k: v["stop_reason"] for k, v in session.ended.items()} != self.ended:
                return False
            if asked != [question.command for question in self.waiting]:
                return False
            if len(session.messages) != len(self.said) + self.answers_begun:
                return False
            held = self.stage.mind.held[self.first_held :]
            if not self.talks:
                return True
            answer = next(message for message in reversed(session.messages.values()) if message.role == "assistant")
            return len(held) == self.held and answer.said["text"].endswith(held[-1].words)

        expected = f"{self.state}, on {self.active}, ended {self.ended}, asked {self.waiting}, {self.held} requests"
        self.stage.follower.wait_for(shows, expected, WAIT_S)
        session = self.stage.follower.picture.of(self.session_id)
        for question, call in zip(self.waiting, session.waiting.values(), strict=True):
            question.call_id = call.call_id

    def check_requests(self) -> None:
        """At most one turn talks to the model, and what it is told is whole."""
        requests = self.stage.provider.requests[self.first_request :]
        for request in requests[:-1] if self.talks else requests:
            assert request.finished.wait(WAIT_S), "two requests at once"
        assert len(self.stage.mind.held) - self.first_held == self.held
        if self.talks:
            check_conversation(requests[-1])
            told = json.dumps(requests[-1].body, ensure_ascii=False)
            places = [told.find(text) for text in self.told]
            assert -1 not in places, f"the model was not told: {self.told[places.index(-1)]}"
            assert places == sorted(places)
            assert all(told.count(text) == 1 for text in self.told)

    def teardown(self) -> None:
        with contextlib.suppress(AssertionError, httpx.HTTPError):  # it may be what failed
            self.stage.call("POST", "/api/cancel", self.here)
        for held in self.stage.mind.held:
            held.gate.set()


@pytest.mark.timeout(400)
def test_state_machine(real: Daemon, provider: ProviderDouble) -> None:
    stage = Stage(real, provider)
    try:
        run_state_machine_as_test(
            lambda: SessionMachine(stage),  # pyright: ignore[reportArgumentType]
            settings=settings(
                max_examples=12,
                stateful_step_count=12,
                deadline=None,
                derandomize=True,
                database=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        stage.close()
    assert "Traceback" not in real.log, real.log


# -- what they found, each by itself -------------------------------------------------------------------------------


def states_told(events: list[Json], session_id: str) -> str:
    """The state that a client knows who follows the events."""
    changes = [event for event in events if event["type"] == "status_change" and event["session_id"] == session_id]
    return changes[-1]["data"]["state"] if changes else "idle"


def test_a_client_hears_that_a_turn_waits_since_the_kill(real: Daemon, provider: ProviderDouble) -> None:
    """Killed between a question and the pause that follows it."""
    target = real.call("POST", "/api/permissions/check", {"tool": "run_command", "arguments": {"command": "sleep 9"}})[
        "target"
    ]
    real.call("POST", "/api/permissions/rules", {"decision": "allow", "tool": "run_command", "value": target})
    calls = [Call("run_command", {"command": line}) for line in ("echo ran >> marks", "sleep 9")]
    provider.script(Reply(calls), Reply([Say("ok")]))
    with real.watch() as watcher:
        session_id = real.chat("go")["session_id"]
        seen = watcher.until("tool_start").copy()
    real.restart()
    with real.watch(after=seen[-1]["seq"]) as watcher:
        watcher.until("tool_end")
        last = real.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
        seen += watcher.until("session_changed", session_id=last)
    assert real.status()["state"] == "waiting_approval"
    assert states_told(seen, session_id) == "waiting_approval"


def test_nothing_of_a_cancelled_turn_comes_after_its_done(real: Daemon, provider: ProviderDouble) -> None:
    """A turn that waits and one behind it, cancelled together."""
    provider.script(Reply([Call("run_command", {"command": "echo hi"})]))
    with real.watch() as watcher:
        turn_id = real.chat("go")["turn_id"]
        watcher.until("status_change", state="waiting_approval")
        real.chat("and then")
        real.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done", 2)
        events = watcher.until("status_change", state="idle")
        real.call("POST", "/api/sessions", {"agent_id": "default"})
        events = watcher.until("session_changed")
    assert [event["type"] for event in events if event["turn_id"] == turn_id][-1] == "done"
    assert [event["data"]["state"] for event in watcher.of("status_change")] == ["running", "waiting_approval", "idle"]


def test_cancel_names_only_the_turns_that_it_ended(real: Daemon, provider: ProviderDouble) -> None:
    """Right after a kill, while the turn that ran is being closed as interrupted."""
    provider.script(Reply([Say("One two three.")], gate=threading.Event(), gate_at=1))
    with real.watch() as watcher:
        turn_id = real.chat("count")["turn_id"]
        cursor = watcher.until("text_chunk")[-1]["seq"]
    real.restart()
    cancelled = real.call("POST", "/api/cancel", {"agent_id": "default"})["cancelled"]
    with real.watch(after=cursor) as watcher:
        done = watcher.until("done", turn_id=turn_id)[-1]
    assert done["data"]["stop_reason"] == ("cancelled" if turn_id in cancelled else "interrupted")


def test_clearing_a_session_whose_turn_failed_tells_its_state(real: Daemon, provider: ProviderDouble) -> None:
    provider.script(Fault(code="invalid_request"))
    with real.watch() as watcher:
        session_id = real.chat("go")["session_id"]
        watcher.until("status_change", state="failed")
        real.call("DELETE", "/api/history", None, agent_id="default")
        watcher.until("history_cleared")
        last = real.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
        events = watcher.until("session_changed", session_id=last)
    assert states_told(events, session_id) == real.status()["state"]


def test_a_session_that_failed_says_why_also_after_a_restart(real: Daemon, provider: ProviderDouble) -> None:
    """The turn that was sent last was cancelled while queued; the one that ended last failed."""
    gate = threading.Event()
    reply = Reply([Say("one two three four five")], gate=gate)
    provider.script(Fault(kind="error_event", code="server_error", reply=reply, after=3))
    with real.watch() as watcher:
        real.chat("one")
        watcher.until("text_chunk")
        second = real.chat("two")["turn_id"]
        real.call("POST", "/api/cancel", {"agent_id": "default", "turn_id": second})
        gate.set()
        watcher.until("status_change", state="failed")
    status = real.status()
    assert (status["state"], status["last_error"] is None) == ("failed", False)
    real.restart()
    again = real.status()
    assert (again["state"], again["last_error"]) == (status["state"], status["last_error"])


def test_an_interrupting_message_stays_before_the_queue_over_a_kill(real: Daemon, provider: ProviderDouble) -> None:
    """Killed while the interrupted turn's tool is still being ended."""
    real.config(permission_mode="auto_approve")
    provider.script(Reply([Call("run_command", {"command": "trap '' TERM; echo on; while :; do sleep 0.1; done"})]))
    with real.watch() as watcher, ThreadPoolExecutor(1) as pool:
        first = real.chat("one")["turn_id"]
        watcher.until("tool_progress")
        second = real.chat("two")["turn_id"]
        sending = pool.submit(real.raw, "POST", "/api/chat", {**INTERRUPT, "message": "three"})
        message = watcher.until("message_added", turn_id=second)[-1]
        while message["data"]["message"]["text"] != "three":
            message = watcher.until("message_added")[-1]
        third = message["turn_id"]
        status = real.status()  # the tool is killed after 2 s: who looks later than that finds the next turn on
        assert [status["turn_id"], *status["queue"]] in ([first, third, second], [third, second], [second], [None])
        real.kill()
        with contextlib.suppress(httpx.HTTPError):
            sending.result(WAIT_S)
    real.start()
    with real.watch(after=message["seq"]) as watcher:
        events = watcher.until("done", 3)
    assert [event["turn_id"] for event in events if event["type"] == "done"][1:] == [third, second]


INTERRUPT = {"agent_id": "default", "if_busy": "interrupt"}


# Moments that no client can choose: the daemon's parts, in this process.


@contextlib.asynccontextmanager
async def inside(home: Path, mode: str = "smart_approve") -> AsyncGenerator[Inside]:
    (home / "work").mkdir()
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "ASTER_MODEL": "demo:instant",
        "ASTER_WORK_DIR": str(home / "work"),
        "ASTER_PERMISSION_MODE": mode,
    }
    settings = Settings("web", 0, places(environment, data_dir=home / "data"), environment=environment)
    parts = build(settings, AppCode(), 0, lambda: None)
    await parts.open()
    await parts._engine.load()
    try:
        yield parts
    finally:
        await parts.close()


async def until(holds: Callable[[], object], within_s: float = WAIT_S) -> None:
    """Turn the event loop until something holds."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def start(parts: Inside, command: str = "echo ran >> marks") -> str:
    request = wire.ChatRequest(agent_id="default", message=f"run `{command}`")
    return (await parts._turns.chat(request)).turn_id


def told_of(parts: Inside, turn_id: str) -> list[str]:
    """The types of the turn's recorded events."""
    rows = parts._journal.all("SELECT type FROM events WHERE turn_id=? ORDER BY seq", (turn_id,))
    return [row[0] for row in rows if not row[0].endswith("_chunk")]


def being_recorded(parts: Inside, *, waits: bool = True) -> list[str]:
    """The types of the events that are not recorded yet: of the transaction under way, and of the one that `waits`."""
    batches = (parts._journal._under_way, parts._journal._batch if waits else None)
    return [event.type for batch in batches if batch is not None for event in batch.events]


def test_an_answer_counts_that_comes_while_the_pause_is_recorded(tmp_path: Path) -> None:
    """The pause is being written, the denial behind it: the turn must not go on as if nobody had answered."""

    async def story() -> None:
        async with inside(tmp_path) as parts:
            turn_id = await start(parts)
            await until(parts._approvals.list)
            [asked] = parts._approvals.list()
            parts.config.change(wire.ConfigPatch(permission_mode="auto_approve"))
            await until(lambda: "status_change" in being_recorded(parts, waits=False))
            while parts._journal.one("SELECT state FROM turns") != ("waiting",):
                pass  # the pause is written in a thread; the loop does not know it yet
            other = apsw.Connection(str(tmp_path / "data" / "aster.db"))  # the same library: locks are per process
            other.set_busy_timeout(30_000)
            other.execute("BEGIN IMMEDIATE")  # from now on recording takes a while
            asyncio.get_running_loop().call_later(0.3, other.close)
            await parts._approvals.answer(
                wire.ApproveRequest(agent_id="default", call_id=asked.call_id, decision="deny"), "somebody"
            )
            await until(lambda: "done" in told_of(parts, turn_id) or parts._approvals.list())
            assert told_of(parts, turn_id).count("approval_required") == 1
            assert "tool_start" not in told_of(parts, turn_id), "what was denied ran"
            assert not (tmp_path / "work" / "marks").exists()

    asyncio.run(story())


@pytest.mark.parametrize(("kind", "mode"), [("tool_start", "auto_approve"), ("approval_required", "smart_approve")])
def test_a_call_has_an_end_when_it_is_cancelled_while_its_beginning_is_recorded(
    tmp_path: Path, kind: str, mode: str
) -> None:
    async def story(home: Path) -> bool:
        """Whether the moment was met: a disk that was slow with the message lets the call be recorded right behind."""
        async with inside(home, mode) as parts:
            turn_id = await start(parts)
            other = apsw.Connection(str(home / "data" / "aster.db"))  # the same library: locks are per process
            other.set_busy_timeout(30_000)
            other.execute("BEGIN IMMEDIATE")  # from now on recording takes a while
            await until(lambda: kind in being_recorded(parts) or kind in told_of(parts, turn_id))
            if kind not in being_recorded(parts):
                other.close()
                return False
            asyncio.get_running_loop().call_later(0.3, other.close)
            cancelled = await parts._turns.cancel(wire.CancelRequest(agent_id="default"))
            assert cancelled.cancelled == [turn_id]
            assert told_of(parts, turn_id)[-1] == "done"
            assert told_of(parts, turn_id).count("tool_end") == told_of(parts, turn_id).count(kind) == 1
            [row] = parts._journal.all("SELECT state, outcome FROM calls WHERE turn_id=?", (turn_id,))
            assert row in (("ended", "cancelled"), ("ended", "unknown"))
            return True

    homes = [tmp_path / str(number) for number in range(20)]
    for home in homes:
        home.mkdir()
    assert any(asyncio.run(story(home)) for home in homes)


def test_a_message_that_comes_while_a_turn_ends_tells_no_state_that_is_not(tmp_path: Path) -> None:
    """The old turn's done is being recorded: nothing of it may come behind, and it does not run again."""

    async def story() -> None:
        async with inside(tmp_path, "auto_approve") as parts:
            turn_id = await start(parts, "true")
            await until(lambda: "done" in being_recorded(parts))
            second = await start(parts, "true")
            await until(lambda: "done" in told_of(parts, second))
            assert told_of(parts, turn_id)[-1] == "done"
            rows = parts._journal.all("SELECT data FROM events WHERE type='status_change' ORDER BY seq")
            changes = [json.loads(row[0]) for row in rows]
            assert [change["previous"] for change in changes] == ["idle", *[change["state"] for change in changes[:-1]]]

    asyncio.run(story())


def test_a_snapshot_is_at_least_as_new_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the transaction that ends a turn, and is woken before the turn is."""

    async def story() -> None:
        async with inside(tmp_path, "auto_approve") as parts:
            asked: list[asyncio.Task[wire.Snapshot]] = []
            put_ending = parts._turns._ending.put

            async def ask_first(*ending: Any) -> None:
                parts._journal.put(writes=[remember("one", "write")])
                await until(lambda: parts._journal._under_way is not None)
                parts._journal.put(writes=[remember("another", "write")])
                asked.append(asyncio.create_task(parts.calls.snapshot.snapshot()))
                await asyncio.sleep(0)
                await put_ending(*ending)

            monkeypatch.setattr(parts._turns._ending, "put", ask_first)
            turn_id = await start(parts, "true")
            await until(lambda: asked)
            snapshot = await asked[0]
            [row] = parts._journal.all("SELECT seq FROM events WHERE turn_id=? AND type='done'", (turn_id,))
            assert snapshot.last_seq >= row[0]
            assert [session.state for session in snapshot.sessions] == ["idle"]
            assert snapshot.turns == []

    asyncio.run(story())


def test_a_turn_ends_that_is_cancelled_just_when_it_goes_on(tmp_path: Path) -> None:
    """The last answer and a cancel, in the same turn of the loop: the task is cancelled before its first step."""

    async def story() -> None:
        async with inside(tmp_path) as parts:
            turn_id = await start(parts)
            await until(lambda: parts.calls.conversations._status.read("default", None, "").state == "waiting_approval")
            await parts._journal.commit()
            [asked] = parts._approvals.list()
            answer = wire.ApproveRequest(agent_id="default", call_id=asked.call_id, decision="allow")
            parts._journal.put(writes=[remember("one", "write")])
            await until(lambda: parts._journal._under_way is not None)
            parts._journal.put(writes=[remember("another", "write")])
            recorded = parts._journal.commit()
            answering = asyncio.create_task(parts._approvals.answer(answer, "somebody"))
            await recorded
            cancelled = await parts._turns.cancel(wire.CancelRequest(agent_id="default"))
            await answering
            assert cancelled.cancelled == [turn_id]
            assert parts.calls.conversations._status.read("default", None, "").state == "idle"
            assert told_of(parts, turn_id)[-1] == "done"

    asyncio.run(story())


def test_an_edit_that_comes_while_its_turn_is_cancelled_is_in_the_history(tmp_path: Path) -> None:
    """The ending reads what is recorded of the turn while the edit is being recorded."""

    async def story() -> None:
        async with inside(tmp_path) as parts:
            turn_id = await start(parts)
            await until(lambda: parts.calls.conversations._status.read("default", None, "").state == "waiting_approval")
            await parts._journal.commit()
            [asked] = parts._approvals.list()
            edited = {"command": "echo edited >> marks"}
            answer = wire.ApproveRequest(agent_id="default", call_id=asked.call_id, decision="allow", arguments=edited)
            other = apsw.Connection(str(tmp_path / "data" / "aster.db"))  # the same library: locks are per process
            other.set_busy_timeout(30_000)
            other.execute("BEGIN IMMEDIATE")  # from now on recording takes a while
            asyncio.get_running_loop().call_later(0.3, other.close)
            parts._journal.put(writes=[remember("one", "write")])
            await until(lambda: parts._journal._under_way is not None)
            cancelling = asyncio.create_task(parts._turns.cancel(wire.CancelRequest(agent_id="default")))
            for _ in range(5):  # it waits for that transaction
                await asyncio.sleep(0)
            assert "done" not in being_recorded(parts)
            await asyncio.gather(parts._approvals.answer(answer, "somebody"), cancelling)
            told = [
                json.loads(row[0])
                for row in parts._journal.all(
                    "SELECT data FROM events WHERE turn_id=? AND type='approval_resolved'", (turn_id,)
                )
            ]
            assert [event.get("arguments") for event in told] == [edited]
            [row] = parts._journal.all("SELECT parts FROM messages WHERE turn_id=? AND role='assistant'", (turn_id,))
            [call] = [part for part in json.loads(row[0]) if part["type"] == "tool"]
            assert (call["arguments"], call["state"]) == (edited, "cancelled")
            assert not (tmp_path / "work" / "marks").exists()

    asyncio.run(story())
