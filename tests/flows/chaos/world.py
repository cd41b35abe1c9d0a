"""A daemon that is killed at random moments, and the clients that use it."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx

from tests.flows.chaos.storyteller import WORDS, Storyteller, Ticks
from tests.support.client import Follower, Picture
from tests.support.daemon import Daemon, Json
from tests.support.provider import ProviderDouble

WAIT_S = 45.0
"""The longest wait, in seconds. Only an operation that hangs takes that long."""
SESSIONS = 4
MISSING: Json = {"success": False, "code": "nobody_answered"}
"""Takes the place of the answer when the daemon was killed before it answered."""
STILL = ("idle", "failed")
"""The states of a session in which no turn runs or waits."""


@dataclass
class Send:
    """A message that was sent, and all answers to it. A message without an answer may or may not have arrived."""

    body: Json
    answers: list[tuple[int, Json]] = field(default_factory=list[tuple[int, Json]])

    @property
    def text(self) -> str:
        return self.body["message"]

    @property
    def taken(self) -> Json:
        """The data of the answer that accepted the message. None: no answer accepted it."""
        return next((answer["data"] for status, answer in self.answers if status == 200), None)

    @property
    def refused(self) -> bool:
        return bool(self.answers) and all(400 <= status < 500 for status, _ in self.answers)


Exchange: TypeAlias = tuple[Json, int, Json]
"""A request's body, the status and the answer. Status 0: the daemon was killed before it answered."""


@dataclass
class Notes:
    """What all windows did."""

    sends: list[Send] = field(default_factory=list[Send])
    approves: list[Exchange] = field(default_factory=list[Exchange])
    cancels: list[Exchange] = field(default_factory=list[Exchange])
    reads: list[Exchange] = field(default_factory=list[Exchange])


class Window:
    """A client that follows the event stream and sends random requests, as a person at a window would."""

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
        assert not self._thread.is_alive(), f"the window {self.name} did not stop within 60 s"

    def close(self) -> None:
        self._stop.set()
        self.follower.close()
        self._client.close()

    def ask(self, method: str, path: str, body: Json = None, **parameters: Any) -> tuple[int, Json]:
        """Send one request. Status 0: the daemon was killed before it answered."""
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
        """Send a message in a random session, unless the session has more than three open turns."""
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
        """Repeat one of the last 20 messages that were not refused, whether it was answered or not."""
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
    """A daemon that is killed repeatedly, two windows, and a witness: a client that only follows the event stream."""

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
        """Wait for a random number of ticks, kill the daemon and start it again."""
        if self.chance.random() < 0.8:
            self.ticks.wait(1, "request", 8.0)  # the engine is loaded by the first turn
        if self.chance.random() < 0.9:
            self.ticks.wait(int(self.chance.expovariate(1 / 60)))
        self.up.clear()
        self.daemon.kill()
        self.daemon.start()
        self.up.set()

    def settle(self) -> None:
        """Repeat the messages, answer the questions that wait, and wait until no turn runs, waits or is queued."""
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
        self.witness.wait_for(lambda picture: still(picture), "every turn has its done event", WAIT_S)

    def _is_still(self) -> bool:
        states = [self.daemon.status(session_id=session_id) for session_id in self.sessions]
        return all(status["state"] in STILL and not status["queue"] for status in states) and still(
            self.witness.picture
        )


def still(picture: Picture) -> bool:
    """Whether the client shows that no turn of any session runs or waits."""
    return all(
        not session.open_turns and not session.waiting and session.state in STILL
        for session in picture.sessions.values()
    )


@contextlib.contextmanager
def open_world(daemon: Daemon, provider: ProviderDouble, seed: int) -> Generator[World]:
    world = World(daemon, provider, seed)
    try:
        yield world
    finally:
        world.close()
