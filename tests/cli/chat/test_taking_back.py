"""What a chat takes back: which message is the last, how files are listed, and how conflicts are decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.changed_files import changed_line
from aster_sidecar.cli.chat.connection import Connection, Refused, Unreachable
from aster_sidecar.cli.chat.conversation import OpenConversation
from aster_sidecar.cli.chat.follower import Follower
from aster_sidecar.cli.chat.interrupts import CtrlC
from aster_sidecar.cli.chat.plain_views import JsonView, PlainView
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.prompt_parts import Interrupted
from aster_sidecar.cli.chat.reverts import FILES_LISTED, Reverts
from aster_sidecar.cli.chat.rewinding import files_of, last_start
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import TerminalView
from tests.cli.chat.support import printed, screen

Json = dict[str, Any]
FILE: Json = {
    "path": "/home/ana/a.txt",
    "kind": "modified",
    "moved_from": None,
    "source": "tool",
    "before": {"type": "file", "size": 3, "mode": 0o644},
    "after": {"type": "file", "size": 4, "mode": 0o644},
    "added": 1,
    "removed": 2,
    "now": "changed",
    "kept": True,
    "why_not_kept": None,
}
REVERTED: Json = {"revert_id": "rev_1", "files": [], "left": []}


def conflict(*paths: str) -> Refused:
    details = [{"path": path, "code": "changed_since", "message": f"{path} changed since"} for path in paths]
    return Refused(409, {"error": "files changed", "code": "revert_conflict", "details": details})


class Sent:
    """Reverts whose daemon gives these answers to one request after the other, and whose person these answers."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        answers: Sequence[Json | Exception],
        typed: Sequence[str | Exception] = (),
    ) -> None:
        self.bodies: list[Json] = []
        self.asked: list[str] = []
        self.state = ChatState("default", set())
        self.screen = screen()
        answers, typed = list(answers), list(typed)

        async def call(method: str, path: str, body: Json) -> Json:
            assert (method, path, self.state.reverting) == ("POST", "/path", True)
            self.bodies.append(body)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def ask(words: str, **options: object) -> str:
            self.asked.append(words)
            answer = typed.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        view = TerminalView(self.screen, set())
        prompt = Prompt(view, self.state, CtrlC(self.state))
        connection = Connection("http://127.0.0.1:1", "instance_1", None, lambda: ("", "", None))
        monkeypatch.setattr(prompt, "ask", ask)
        monkeypatch.setattr(connection, "call", call)
        self.reverts = Reverts(connection, view, self.state, prompt)

    def send(self, body: Json, **options: Any) -> Json | None:
        try:
            return asyncio.run(self.reverts.send("/path", body, **options))
        finally:
            assert not self.state.reverting

    @property
    def told(self) -> str:
        return printed(self.screen)


def test_the_last_message_is_the_one_that_began_a_turn() -> None:
    def message(name: str, turn_id: str, role: str = "user") -> Json:
        return {"message_id": name, "turn_id": turn_id, "role": role}

    assert last_start([]) is None
    assert last_start([message("answer", "turn_1", "assistant")]) is None
    history = [
        message("one", "turn_1"),
        message("two", "turn_2"),
        message("answer", "turn_1", "assistant"),
        message("steers", "turn_1"),
    ]
    assert last_start(history) == history[1]


def test_the_files_of_a_message() -> None:
    parts = [{"type": "text"}, {"type": "image", "name": "a"}, {"type": "file", "name": "b"}]
    assert files_of({"parts": parts}) == parts[1:]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "  modified  a.txt  +1 −2"),
        ({"path": "/other/a.txt", "added": None, "removed": None}, "  modified  /other/a.txt"),
        ({"kind": "moved", "moved_from": "/home/ana/b/c\n.txt"}, "  moved  b/c‹U+000A›.txt → a.txt  +1 −2"),
        (
            {"source": "command", "now": "edited"},
            "  modified  a.txt  +1 −2  (while a command ran, changed again since)",
        ),
        ({"now": "undone"}, "  modified  a.txt  +1 −2  (undone)"),
        (
            {"kept": False, "why_not_kept": "it is too large"},
            "  modified  a.txt  +1 −2  (can’t be undone: it is too large)",
        ),
        (
            {"kind": "deleted", "path": "/home/ana/sub", "before": {"type": "directory"}, "after": None, "added": None},
            "  deleted  sub/",
        ),
    ],
)
def test_a_changed_file_is_one_line(changes: Json, line: str) -> None:
    assert changed_line({**FILE, **changes}, "/home/ana") == line


def test_a_changed_file_of_a_list_has_a_number() -> None:
    assert changed_line(FILE, "/", 12) == " 12  modified  home/ana/a.txt  +1 −2"


def test_without_a_conflict_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"messages": 2, "files": REVERTED}
    sent = Sent(monkeypatch, [answer])
    assert sent.send({"files": "restore"}, event="history_rewound:msg_1") == answer
    assert sent.bodies == [{"files": "restore", "force": []}]
    assert (sent.asked, sent.told) == ([], "")
    assert sent.state.ours == {"history_rewound:msg_1", "rev_1"}


def test_a_rewind_without_files_has_no_revert(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, [{"messages": 2, "files": None}])
    sent.send({"files": "keep"}, event="history_rewound:msg_1")
    assert sent.state.ours == {"history_rewound:msg_1"}


def test_conflicts_that_come_one_after_the_other_are_all_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, [conflict("/a\x1b", "/b"), conflict("/c"), REVERTED], ["A", "anyway"])
    assert sent.send({"turn_id": "turn_1"}, forced=["/z"]) == REVERTED
    assert [body["force"] for body in sent.bodies] == [["/z"], ["/z", "/a\x1b", "/b"], ["/z", "/a\x1b", "/b", "/c"]]
    assert sent.asked == [texts.conflict_choices(keep=False)] * 2
    assert "  /a‹U+001B› changed since.\n  /b changed since.\n" in sent.told
    assert sent.state.ours == {"rev_1"}


def test_with_a_conflict_the_files_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, [conflict("/a"), {"messages": 2, "files": None}], ["no idea", "k"])
    assert sent.send({"files": "restore"}) is not None
    assert sent.bodies[1] == {"files": "keep", "force": []}
    assert sent.asked == [texts.conflict_choices(keep=True)] * 2


@pytest.mark.parametrize("typed", ["c", "Cancel", Interrupted(), EOFError()])
def test_with_a_conflict_nothing_need_be_done(typed: str | Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, [conflict("/a")], [typed])
    assert sent.send({"turn_id": "turn_1"}, event="history_rewound:msg_1") is None
    assert texts.NOTHING_UNDONE in sent.told
    assert sent.state.ours == set()


@pytest.mark.parametrize("error", [Refused(409, {"code": "agent_busy"}), Unreachable("gone")])
def test_another_error_is_passed_on(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, [error])
    with pytest.raises(type(error)):
        sent.send({"files": "keep"}, event="history_rewound:msg_1")
    assert sent.state.ours == set()


def test_what_was_written_and_what_was_left_is_told_in_bounded_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, [])
    files = [{"path": f"/home/ana/{number}\n", "action": "write"} for number in range(FILES_LISTED + 2)]
    left = [{"path": "/a", "message": f"file {number} is too large"} for number in range(FILES_LISTED + 1)]
    sent.reverts.tell(None)
    assert sent.told == ""
    sent.reverts.tell({"files": files, "left": left})
    lines = sent.told.splitlines()
    assert lines[0] == "  written: /home/ana/0‹U+000A›"
    assert lines[FILES_LISTED] == "  … and 2 more files"
    assert lines[FILES_LISTED + 1 : FILES_LISTED + 3] == [texts.LEFT, "  File 0 is too large."]
    assert lines[-1] == "  … and 1 more file"


def test_what_would_be_written_is_told_without_what_would_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, [])
    files = [{"path": "/a", "action": action} for action in ("write", "delete", "none")]
    sent.reverts.tell({"files": files, "left": [{"path": "/b", "message": "changed"}]}, dry=True)
    assert sent.told.splitlines() == [
        "  would be written: /a",
        "  would be deleted: /a",
        "  is as before already: /a",
    ]


def following(view: TerminalView | PlainView | JsonView, prepare: Callable[[ChatState], None], *events: Json) -> None:
    """Let a chat with an open conversation receive events."""
    state = ChatState("default", set())
    state.session_id = "ses_1"
    prepare(state)
    connection = Connection("http://127.0.0.1:1", "instance_1", None, lambda: ("", "", None))
    follower = Follower(connection, view, state, OpenConversation(connection, view, state))

    async def take() -> None:
        for event in events:
            await follower._take(event)

    asyncio.run(take())


def event(kind: str, data: Json, turn_id: str | None = None) -> Json:
    return {"type": kind, "agent_id": "default", "session_id": "ses_1", "turn_id": turn_id, "data": data}


def rewound(kind: str, message_id: str) -> Json:
    return event(kind, {"from_message_id": message_id, "turn_ids": ["turn_1"], "messages": 2})


def reverted(revert_id: str) -> Json:
    return event("files_changed", {"revert_id": revert_id, "paths": ["/a"], "files": 2, "changed_files": 0})


def test_what_another_window_did_is_told_and_what_this_one_did_is_not() -> None:
    at = screen()

    def ours(state: ChatState) -> None:
        state.ours = {"history_rewound:msg_1", "history_unrewound:msg_1", "rev_1"}

    own = (rewound("history_rewound", "msg_1"), rewound("history_unrewound", "msg_1"), reverted("rev_1"))
    by_a_tool = event("files_changed", {"call_id": "call_1", "paths": ["/a"], "files": 1, "changed_files": 1}, "turn_1")
    following(TerminalView(at, set()), ours, *own, by_a_tool)
    assert printed(at) == ""
    following(TerminalView(at, set()), ours, *own, rewound("history_rewound", "msg_1"), reverted("rev_2"))
    told = " ".join(printed(at).split())
    assert told == f"{texts.REWOUND_ELSEWHERE['history_rewound']} {texts.reverted_elsewhere(2)}"


def test_a_revert_whose_answer_is_on_its_way_is_not_told() -> None:
    at = screen()

    def in_flight(state: ChatState) -> None:
        state.reverting = True

    following(TerminalView(at, set()), in_flight, reverted("rev_1"))
    assert printed(at) == ""


def test_scripts_get_these_events_on_stderr_only(capsys: pytest.CaptureFixture[str]) -> None:
    events = (rewound("history_rewound", "msg_1"), rewound("history_unrewound", "msg_1"), reverted("rev_1"))
    for view in (PlainView(), JsonView()):
        following(view, lambda state: None, *events)
        out, told = capsys.readouterr()
        assert out == ""
        assert told.splitlines() == [*texts.REWOUND_ELSEWHERE.values(), texts.reverted_elsewhere(2)]
