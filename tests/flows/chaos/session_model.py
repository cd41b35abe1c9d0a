"""A model of one session, which follows the contract, and the daemon that it is compared with."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis.stateful import RuleBasedStateMachine

from tests.support.client import Follower
from tests.support.daemon import Daemon, Json
from tests.support.provider import Answer, Call, Fault, ProviderDouble, RecordedRequest, Reply, Say, Think


@dataclass
class Held:
    """A response of the model that has begun with `words` and continues when the test opens `gate`."""

    words: str
    parts: list[Say | Think | Call]
    gate: threading.Event


class Mind:
    """Decides what the provider double answers: holds every response, or fails once after `fails` was set."""

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
    """What all examples share: a daemon, the provider double, and a client that follows the event stream."""

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
    """A call of the model's last response: its command, and whether it was allowed (None: the question waits)."""

    command: str
    call_id: str = ""
    allowed: bool | None = None


class SessionModel(RuleBasedStateMachine):
    """One session of the daemon, and the state that the contract requires for it."""

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
        """Whether the model is responding."""
        return self.state == "running"

    def decide(self, command: str) -> str:
        """allow, deny or ask: sections 6 and 10 of docs/protocol.md."""
        if self.remembered.get(command) == "deny":
            return "deny"
        if self.mode == "always_ask":
            return "ask"
        return "allow" if self.remembered.get(command) == "allow" or self.mode == "auto_approve" else "ask"

    def expect_request(self) -> None:
        """Expect another request to the model, with the messages that were sent with `steer`."""
        self.told += self.steered
        self.steered = []
        self.held += 1

    def expect_begin(self) -> None:
        """Expect that the next turn of the queue begins, if no turn is active."""
        if self.active is None and self.queue:
            self.active = self.queue.pop(0)
            self.answers_begun += 1
            self.told.append(self.texts[self.active])
            self.held += 1

    def expect_end(self, reason: str) -> None:
        """Expect that the active turn ends, and that the next one begins."""
        assert self.active is not None
        self.ended[self.active] = reason
        self.over += [question.call_id for question in self.questions]
        self.told += self.steered
        self.active, self.questions, self.steered = None, [], []
        self.failed = reason == "failed"
        self.expect_begin()

    def expect_runs(self) -> None:
        """The last question was answered: expect that the allowed commands run, and another request to the model."""
        for question in self.questions:
            if question.allowed and self.remembered.get(question.command) != "deny":
                self.marks[question.command] += 1
        self.over += [question.call_id for question in self.questions]
        self.questions = []
        self.expect_request()

    def expect_message(self, data: Json, text: str) -> None:
        """Expect the message in the history. `data` is the answer of `POST /api/chat`."""
        self.texts[data["turn_id"]] = text
        self.said.append(text)
