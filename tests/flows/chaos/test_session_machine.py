"""A state machine over one session: Hypothesis chooses the steps, and the daemon is compared with a model."""

from __future__ import annotations

import contextlib
import json
from collections import Counter

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from tests.flows.chaos.checks import check_conversation
from tests.flows.chaos.session_model import Question, SessionModel, Stage
from tests.flows.chaos.world import WAIT_S
from tests.support.client import Picture, parts_of
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, ProviderDouble


class SessionMachine(SessionModel):
    """The steps that Hypothesis chooses from, and what must hold after each of them."""

    def fresh(self, what: str) -> str:
        """A text that occurs nowhere else."""
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
        assert ran == self.marks, "other commands ran than were allowed"
        self.check_requests()

    def settle(self) -> None:
        """Wait until the client shows the expected state. After that, the daemon has no more work to do."""

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

        expected = f"{self.state}, active {self.active}, ended {self.ended}, asked {self.waiting}, {self.held} requests"
        self.stage.follower.wait_for(shows, expected, WAIT_S)
        session = self.stage.follower.picture.of(self.session_id)
        for question, call in zip(self.waiting, session.waiting.values(), strict=True):
            question.call_id = call.call_id

    def check_requests(self) -> None:
        """At most one request is open, and the last one has every message, once and in order."""
        requests = self.stage.provider.requests[self.first_request :]
        for request in requests[:-1] if self.talks else requests:
            assert request.finished.wait(WAIT_S), "two requests at once"
        assert len(self.stage.mind.held) - self.first_held == self.held
        if self.talks:
            check_conversation(requests[-1])
            told = json.dumps(requests[-1].body, ensure_ascii=False)
            places = [told.find(text) for text in self.told]
            assert -1 not in places, f"the request does not have: {self.told[places.index(-1)]}"
            assert places == sorted(places), "the messages are not in order"
            assert all(told.count(text) == 1 for text in self.told), "a message is in the request twice"

    def teardown(self) -> None:
        with contextlib.suppress(AssertionError, httpx.HTTPError):  # the daemon may be what failed
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
