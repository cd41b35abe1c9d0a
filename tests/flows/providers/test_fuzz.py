"""A daemon whose provider sends damaged streams: each turn ends with a reason, no text is lost, the next turn works."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Generator, Iterator
from typing import Any, get_args

import pytest

from aster_sidecar.contract import wire
from aster_sidecar.conversation import engine
from tests.contract.test_protocol_doc import error_classes, turn_codes
from tests.support.broken_streams import BROKEN
from tests.support.bytes_provider import Answer, BytesProvider, RecordedRequest
from tests.support.daemon import Daemon
from tests.support.mangled import Answers, Mangled, made, mangled, recorded
from tests.support.soak import TIMEOUT_S, try_all
from tests.support.stream_bytes import DIALECTS, Dialect, say
from tests.support.strict_servers import NothingEmpty, Strict, WholePairs, blocks, call_ids
from tests.support.talk import Outcome, Talk, environment

pytestmark = pytest.mark.timeout(TIMEOUT_S)
REASONS = get_args(wire.StopReason)
EXAMPLES = 30
LIFE = 15
"""How many streams are tried before the daemon is restarted."""
AFTER = "Going on."
ROLES = ("system", "developer", "user", "assistant", "tool")


class WholeText(Strict):
    """A server that accepts only known roles, valid text, JSON arguments, and ids and names of letters and digits."""

    def why_not(self, request: RecordedRequest) -> str | None:
        try:
            json.dumps(request.body, ensure_ascii=False, allow_nan=False).encode()
        except ValueError as error:
            return f"the body is not valid: {error}"
        for message in request.messages:
            if "role" in message and message["role"] not in ROLES:
                return f"unknown role {message['role']!r}"
            for name, arguments in calls_of(message):
                if not re.fullmatch("[a-zA-Z0-9_-]{1,64}", name):
                    return f"no name of a tool: {name!r}"
                if not isinstance(arguments, dict):
                    return f"arguments that are no object: {arguments!r}"
        for call_id in call_ids(request):
            if not re.fullmatch("[!-~]{1,64}", call_id):
                return f"no id of a call: {call_id!r}"
        return None


def calls_of(message: Any) -> list[tuple[str, Any]]:
    """Name and arguments of the calls in one message or item, in any dialect."""
    if message.get("type") == "function_call":
        return [(message["name"], parsed(message["arguments"]))]
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    if functions:
        return [(function["name"], parsed(function["arguments"])) for function in functions]
    return [(block["name"], block["input"]) for block in blocks(message) if block.get("type") == "tool_use"]


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Fuzzed:
    """The daemon of this process, the sessions that were not deleted, and what is known about turns."""

    def __init__(self, daemon: Daemon, provider: BytesProvider) -> None:
        self.daemon = daemon
        self.provider = provider
        self.earlier: list[tuple[Talk, str]] = []
        self.tried = 0
        self.model = ""
        assert engine, "importing the engine defines more error classes"
        self.codes = ({error.code for error in error_classes()} | turn_codes()) - {"internal_error"}

    def choose(self, model: str) -> None:
        """Use this model from now on."""
        self.model = model
        self.daemon.config(model=model)

    def try_out(self, dialect: Dialect, stream: Mangled) -> None:
        """Run a conversation in which one answer is this stream. Raises: AssertionError."""
        daemon = self.daemon
        session_id = daemon.call("POST", "/api/sessions", {})["session_id"]
        talk = Talk(daemon, self.provider, session_id)
        strict = Refusing()
        self.provider.script(Answer(stream.pieces() if len(stream.reads) < 9 else stream.data), strict)
        outcome = talk.ask("hello")
        assert {request.path for request in outcome.requests} == {dialect.path}, str(outcome)
        self.ended(talk, outcome, stream)
        assert strict.refusals() == [], strict.refusals()
        self.goes_on(talk)
        assert daemon.status(session_id=session_id)["state"] == "idle"
        self.tried += 1
        self.earlier.append((talk, outcome.text))
        if len(self.earlier) > 3:
            old, _ = self.earlier.pop(0)
            daemon.call("DELETE", f"/api/sessions/{old.session_id}")
            assert daemon.refused("GET", "/api/history", agent_id="default", session_id=old.session_id).status == 404
        if self.tried % LIFE == 0:
            self.live_again()

    def ended(self, talk: Talk, outcome: Outcome, stream: Mangled) -> None:
        """The turn has an end that gives its reason, and all text that arrived is in it."""
        assert len(outcome.of("done")) == 1, str(outcome)
        assert outcome.stop_reason in REASONS, str(outcome)
        assert set(outcome.codes) <= self.codes, str(outcome)
        assert set(outcome.retried) <= self.codes, str(outcome)
        fatal = [error for error in outcome.errors if error["severity"] != "warning"]
        assert (outcome.stop_reason == "failed") == bool(fatal), str(outcome)
        assert all(error["message"] and error["hint"] for error in fatal), str(outcome)
        assert outcome.text.lstrip().startswith(stream.intact.strip()), f"{outcome.text!r} lacks {stream.intact!r}"
        assert talk.history()[-1]["text"] == outcome.text, "the history differs from the events"
        started = [data["call_id"] for data in outcome.of("tool_start")]
        assert len(set(started)) == len(started), f"calls ran twice: {started}"
        if not stream.may_end:
            assert outcome.stop_reason == "failed" or outcome.text == AFTER, f"taken for complete: {outcome}"
            assert started == [], f"a call ran although its answer broke off: {outcome}"
        assert sorted(started) == sorted(data["call_id"] for data in outcome.of("tool_end")), str(outcome)

    def goes_on(self, talk: Talk) -> None:
        """The next turn is answered, and strict servers accept its request."""
        strict = Refusing()
        self.provider.script(strict)
        outcome = talk.ask("and now")
        assert strict.refusals() == [], strict.refusals()
        assert (outcome.stop_reason, outcome.text, outcome.errors) == ("complete", AFTER, []), str(outcome)
        assert talk.history()[-1]["text"] == AFTER

    def live_again(self) -> None:
        """kill -9 and a new start; the earlier sessions continue."""
        before = [talk.history() for talk, _ in self.earlier]
        self.daemon.restart()
        self.choose(self.model)  # the environment variable names another model
        assert [talk.history() for talk, _ in self.earlier] == before
        for talk, _ in self.earlier:
            self.goes_on(talk)


class Refusing:
    """Strict servers around an answer, and the requests that they refused."""

    def __init__(self) -> None:
        self.servers: list[Strict] = []
        answer: Any = say(AFTER)
        for kind in (WholePairs, NothingEmpty, WholeText):
            answer = kind(answer)
            self.servers.append(answer)
        self.answer = answer

    def __call__(self, request: RecordedRequest) -> Answer:
        return self.answer(request)

    def refusals(self) -> list[str]:
        """The reasons for which requests were refused."""
        return [
            f"{server.why_not(request)}: {request.messages}" for server in self.servers for request in server.refused
        ]


@pytest.fixture(scope="module")
def fuzzed(shared_provider: BytesProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    variables = environment(shared_provider, ASTER_MODEL_TIMEOUT_S="2")
    home = tmp_path_factory.mktemp("fuzzed")
    daemon = Daemon(home, arguments=["--permission-mode", "auto_approve"], environment=variables)
    daemon.start()
    for name in ("a.txt", "b.txt"):
        (daemon.work_dir / name).write_text(f"in {name}\n")
    yield Fuzzed(daemon, shared_provider)
    daemon.stop()


GROUPS = [pytest.param(name, marks=pytest.mark.xdist_group(f"fuzz-{name}")) for name in DIALECTS]


@pytest.mark.parametrize("name", GROUPS)
def test_streams_that_once_broke_a_turn_cost_nothing_but_themselves(fuzzed: Fuzzed, name: str) -> None:
    fuzzed.choose(DIALECTS[name].model)
    for what, (dialect, stream) in BROKEN.items():
        if dialect == name:
            with explained(what):
                fuzzed.try_out(DIALECTS[name], stream)


@contextlib.contextmanager
def explained(what: str) -> Generator[None]:
    """Add the name of the stream to a failure."""
    try:
        yield
    except AssertionError as failure:
        failure.add_note(f"the stream: {what}")
        raise


@pytest.mark.parametrize("name", GROUPS)
def test_a_mangled_answer_costs_nothing_but_itself(fuzzed: Fuzzed, name: str) -> None:
    dialect = DIALECTS[name]
    fuzzed.choose(dialect.model)
    answers = Answers([*made(dialect.name), *made(dialect.name), *recorded(dialect.name, tags=False)])
    strategy = mangled(answers)
    try_all(f"daemon-{dialect.name}", strategy, lambda stream: fuzzed.try_out(dialect, stream), EXAMPLES)
    fuzzed.live_again()
    assert "Traceback" not in fuzzed.daemon.log, fuzzed.daemon.log[-3000:]
