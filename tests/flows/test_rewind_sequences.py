"""Random sequences of messages, compactions, rewinds, forks, deletions and kills, compared with a simple model.

The model is a list of turns for each session. After each sequence the history, the numbers, the search and what the
provider gets must agree with it.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

import pytest

from tests.conftest import PROTOCOLS, provider_environment
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, Fault, ProviderDouble, RecordedRequest, Reply, Say

SEEDS = range(10)
STEPS = 14
FULL = "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens."


@dataclass(frozen=True)
class Turn:
    """A turn with the texts of its messages. `summary`: a compaction in it replaced what was before it."""

    message_id: str
    texts: tuple[str, ...]
    summary: str | None = None
    wrote: tuple[str | None, str] | None = None
    """The content of the session's file before and after; None: the turn did not write it."""


@dataclass
class Expected:
    """A session as it should be: its turns, and what the rewinds that can be undone took out.

    `undone` has for each of these what it did to the session's file: the content before and after, None for nothing.
    """

    session_id: str
    turns: list[Turn] = field(default_factory=list[Turn])
    taken: list[list[Turn]] = field(default_factory=list[list[Turn]])
    undone: list[tuple[str | None, str | None] | None] = field(
        default_factory=list[tuple[str | None, str | None] | None]
    )
    content: str | None = None
    """The content of the session's file."""
    log: list[tuple[str | None, str | None, str | None]] = field(
        default_factory=list[tuple[str | None, str | None, str | None]]
    )
    """What happened to the file: the message of the turn (None: something was undone), the content before and after."""

    def change(self, message_id: str | None, content: str | None) -> None:
        """The file has another content now, by a turn or because something was undone."""
        self.log.append((message_id, self.content, content))
        self.content = content

    def undoing(self, turns: list[Turn]) -> tuple[str | None] | Literal["nothing", "conflict"]:
        """The content after what these turns did to the file was undone."""
        chosen = {turn.message_id for turn in turns if turn.wrote is not None}
        places = [place for place, (message_id, _, _) in enumerate(self.log) if message_id in chosen]
        if not places:
            return "nothing"
        span = [one for one in self.log[places[0] : places[-1] + 1] if one[0] is None or one[0] in chosen]
        if self.content == span[0][1]:
            return "nothing"
        together = all(first[2] == second[1] for first, second in itertools.pairwise(span))
        return (span[0][1],) if together and self.content == span[-1][2] else "conflict"

    @property
    def file(self) -> str:
        return f"{self.session_id}.txt"

    @property
    def texts(self) -> list[str]:
        return [text for turn in self.turns for text in turn.texts]


class Story:
    """A daemon, the sessions it should have, and the steps that were done."""

    def __init__(self, daemon: Daemon, provider: ProviderDouble, seed: int) -> None:
        self.daemon = daemon
        self.provider = provider
        self.random = random.Random(seed)
        self.steps: list[str] = []
        self.count = 0
        self.sessions: list[Expected] = []
        self.new()

    def step(self) -> None:
        steps: list[tuple[int, Callable[[], None]]] = [
            (8, self.chat),
            (2, self.steer),
            (2, self.compact),
            (4, self.write),
            (2, self.revert),
            (1, self.person_edits),
            (4, self.rewind),
            (3, self.unrewind),
            (2, self.fork),
            (1, self.clear),
            (1, self.new),
            (2, self.kill),
        ]
        weights = [weight for weight, _ in steps]
        [(_, act)] = self.random.choices(steps, weights)
        self.steps.append(act.__name__)
        act()

    def one(self) -> Expected:
        return self.random.choice(self.sessions)

    def word(self) -> str:
        self.count += 1
        return f"word{self.count}."

    # -- the steps -----------------------------------------------------------------------------------------------------

    def new(self) -> None:
        self.sessions.append(Expected(self.daemon.call("POST", "/api/sessions", {})["session_id"]))

    def chat(self) -> None:
        one, word = self.one(), self.word()
        events = self.daemon.ask(word, session_id=one.session_id)
        self._add(one, Turn(self._began(events), (word, f"You said: {word}")))

    def steer(self) -> None:
        """A message that comes while a turn runs."""
        one, first, second = self.one(), self.word(), self.word()
        with self.daemon.watch() as watcher:
            started = self.daemon.chat(first, session_id=one.session_id)
            late = self.daemon.chat(second, session_id=one.session_id, if_busy="steer")
            watcher.until("done", 1 if late["turn_id"] == started["turn_id"] else 2)
        shown = {message["message_id"]: message for message in self.daemon.history(session_id=one.session_id)}
        for turn_id in dict.fromkeys([started["turn_id"], late["turn_id"]]):
            texts = tuple(message["text"] for message in shown.values() if message["turn_id"] == turn_id)
            began = next(key for key, message in shown.items() if message["turn_id"] == turn_id)
            self._add(one, Turn(began, texts))

    def compact(self) -> None:
        """A turn whose first request is refused because it is too long."""
        one, word, summary = self.one(), self.word(), self.word()
        if len(one.turns) < 4 or any(turn.summary for turn in one.turns[-4:]):
            return
        refusal = Fault(400, body={"error": {"message": FULL, "code": 400}})
        self.provider.script(refusal, Reply([Say(summary)]))
        events = self.daemon.ask(word, session_id=one.session_id)
        assert [event["type"] for event in events].count("history_compacted") == 1
        self._add(one, Turn(self._began(events), (word, f"You said: {word}"), summary))

    def write(self) -> None:
        """A turn that writes the session's file, with a file tool or with a command."""
        one, word, new = self.one(), self.word(), f"{self.count} content\n"
        command = {"command": f"echo '{self.count} content' > {one.file}"}
        call = self.random.choice(
            [Call("write_file", {"path": one.file, "content": new}), Call("run_command", command)]
        )
        answer = f"You said: {word}"
        self.provider.script(Reply([call]), Reply([Say(answer)]))
        events = self.daemon.ask(word, session_id=one.session_id)
        assert [event["data"]["outcome"] for event in events if event["type"] == "tool_end"] == ["done"]
        began = self._began(events)
        self._add(one, Turn(began, (word, answer), wrote=(one.content, new)))
        one.change(began, new)

    def person_edits(self) -> None:
        one = self.one()
        one.content = f"{self.word()} by a person"
        (self.daemon.work_dir / one.file).write_text(one.content)

    def revert(self) -> None:
        """Undo what one turn did to the session's file, without a rewind."""
        one = self.one()
        wrote = [turn for turn in one.turns if turn.wrote is not None]
        if not wrote:
            return
        turn = self.random.choice(wrote)
        assert turn.wrote is not None
        turn_id = next(
            message["turn_id"]
            for message in self.daemon.history(session_id=one.session_id, limit=200)
            if message["message_id"] == turn.message_id
        )
        body = {"turn_id": turn_id, "commands": True}
        undoing = one.undoing([turn])
        if undoing == "conflict":
            assert self.daemon.refused("POST", "/api/changes/revert", body).code == "revert_conflict"
            return
        self.daemon.call("POST", "/api/changes/revert", body)
        if undoing != "nothing":
            one.change(None, undoing[0])

    def rewind(self) -> None:
        one = self.one()
        if not one.turns:
            return
        at, files = self.random.randrange(len(one.turns)), self.random.choice(["keep", "restore"])
        body = {"message_id": one.turns[at].message_id, "files": files, "commands": True}
        path = f"/api/sessions/{one.session_id}/rewind"
        undoing = one.undoing(one.turns[at:]) if files == "restore" else "nothing"
        if undoing == "conflict":
            assert self.daemon.refused("POST", path, body).code == "revert_conflict"
            return
        undone = (one.content, undoing[0]) if undoing != "nothing" else None
        if undone is not None:
            one.change(None, undone[1])
        done = self.daemon.call("POST", path, body)
        one.taken.append(one.turns[at:])
        one.undone.append(undone)
        one.turns = one.turns[:at]
        assert done["messages"] == sum(len(turn.texts) for turn in one.taken[-1])

    def unrewind(self) -> None:
        one = self.one()
        path = f"/api/sessions/{one.session_id}/unrewind"
        if not one.taken:
            assert self.daemon.refused("POST", path, {}).code == "rewind_not_found"
            return
        undone, body = one.undone[-1], {}
        if undone is not None and one.content not in undone:
            assert self.daemon.refused("POST", path, {}).code == "revert_conflict"
            body, undone = {"files": "keep"}, None
        self.daemon.call("POST", path, body)
        one.turns += one.taken.pop()
        one.undone.pop()
        if undone is not None and one.content != undone[0]:
            one.change(None, undone[0])

    def fork(self) -> None:
        one = self.one()
        at = self.random.randrange(len(one.turns)) if one.turns else None
        body = {"message_id": one.turns[at].message_id} if at is not None else {}
        copy = self.daemon.call("POST", f"/api/sessions/{one.session_id}/fork", body)
        turns = one.turns[: at + 1] if at is not None else []
        ids = iter(self.daemon.history(session_id=copy["session_id"], limit=200))
        copied: list[Turn] = []
        for turn in turns:
            began, *_ = [next(ids)["message_id"] for _ in turn.texts]
            copied.append(Turn(began, turn.texts, turn.summary))
        self.sessions.append(Expected(copy["session_id"], copied))

    def clear(self) -> None:
        one = self.one()
        self.daemon.call("DELETE", "/api/history", agent_id="default", session_id=one.session_id)
        one.turns, one.taken, one.undone = [], [], []

    def kill(self) -> None:
        self.daemon.kill()
        self.daemon.start()

    def _add(self, one: Expected, turn: Turn) -> None:
        one.turns.append(turn)
        one.taken, one.undone = [], []

    def _began(self, events: list[dict[str, object]]) -> str:
        [first, *_] = [event["data"] for event in events if event["type"] == "message_added"]
        assert isinstance(first, dict)
        return first["message"]["message_id"]

    # -- what must hold ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        listed = {
            found["session_id"]: found for found in self.daemon.call("GET", "/api/sessions", limit=200)["sessions"]
        }
        for one in self.sessions:
            found = self.daemon.history(session_id=one.session_id, limit=200)
            assert [message["text"] for message in found] == one.texts
            info = listed[one.session_id]
            assert info["messages"] == len(one.texts)
            file = self.daemon.work_dir / one.file
            assert (file.read_text() if file.exists() else None) == one.content
            assert (info["rewind"] is not None) == bool(one.taken)
            hits = self.daemon.call("GET", f"/api/sessions/{one.session_id}/find", q="word", limit=200)["hits"]
            assert [hit["message_id"] for hit in hits] == [message["message_id"] for message in reversed(found)]
            self._check_model(one)

    def _check_model(self, one: Expected) -> None:
        """What the model gets, looked at in a fork, so that the session stays as it is."""
        copy = self.daemon.call("POST", f"/api/sessions/{one.session_id}/fork", {})["session_id"]
        self.daemon.ask("probe", session_id=copy)
        got = words(self.provider.requests[-1])
        at = max((n for n, turn in enumerate(one.turns) if turn.summary), default=None)
        after = [sorted(pieces(turn.texts)) for turn in one.turns[0 if at is None else at + 1 :]]
        count = sum(len(turn) for turn in after)
        assert at is not None or len(got) == count
        got_after = iter(got[len(got) - count :])
        assert [sorted(next(got_after) for _ in turn) for turn in after] == after
        if at is None:
            return
        body = json.dumps(self.provider.requests[-1].messages)
        assert str(one.turns[at].summary) in body
        assert one.turns[0].texts[0] not in got, "it was summarised"


def words(request: RecordedRequest) -> list[str]:
    """The texts of people and answers in a request."""
    found: list[str] = []
    for message in request.messages:
        content = message.get("content")
        parts: list[Json] = content if isinstance(content, list) else [{"text": content}]
        found += [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return pieces([text for text in found if text.startswith(("word", "You said: word"))])


def pieces(texts: Iterable[str]) -> list[str]:
    """The texts of single answers: the page shows those before and after a steered message as one."""
    return [piece for text in texts for piece in text.split("\n\n") if piece]


@pytest.mark.parametrize("seed", SEEDS)
def test_history_and_model_agree_after_any_sequence(
    launch: Callable[..., Daemon], provider: ProviderDouble, seed: int
) -> None:
    daemon = launch(environment=provider_environment(provider, PROTOCOLS["chat"]))
    daemon.config(permission_mode="auto_approve")
    story = Story(daemon, provider, seed)
    try:
        for _ in range(STEPS):
            story.step()
            story.check()
    except BaseException:
        print(f"seed {seed}: {', '.join(story.steps)}")
        raise
