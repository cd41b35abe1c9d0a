"""The forms of `ask_user` in `chat`, in a real terminal (tmux) with the real daemon."""

from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, ProviderDouble, Reply, Say
from tests.support.terminal import ROOT, Pane, last

pytestmark = pytest.mark.timeout(240)

Open = Callable[..., Pane]
COLOUR = {"id": "colour", "text": "Which colour?", "kind": "choice", "options": ["red", "blue"]}
NAME = {"id": "name", "text": "What is its name?"}
CHOOSES = "A number, or another text ›"
WRITES = "A text ›"
ALLOWS = "[a] Allow once · [d] Deny"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    """Run `chat` in panes that are closed when the test ends."""
    panes: list[Pane] = []

    def run(daemon: Daemon, *arguments: str, **fields: object) -> Pane:
        work = tmp_path / "here"
        work.mkdir(exist_ok=True)
        command = ["chat", "--data-dir", str(daemon.data_dir), *arguments]
        pane = Pane(command, work, columns=140, rows=60, **fields)  # type: ignore[arg-type]
        panes.append(pane)
        return pane

    yield run
    for pane in panes:
        pane.close()


def call(*fields: Json, reason: str = "I need to know.") -> str:
    """A message for which the demo model asks."""
    return "call ask_user " + json.dumps({"questions": list(fields), "reason": reason})


def asked(daemon: Daemon, *fields: Json, **more: str) -> Json:
    """Let another client send a message for which the demo model asks; returns the open question."""
    with daemon.watch() as watcher:
        daemon.chat(call(*fields), **more)
        question_id = watcher.until("question_asked")[-1]["data"]["question_id"]
    [found] = [one for one in daemon.call("GET", "/api/questions") if one["question_id"] == question_id]
    return found


def part(daemon: Daemon) -> Json:
    """The question of the newest answer, as the history has it."""
    message = [one for one in daemon.history() if one["role"] == "assistant"][-1]
    return next(one["question"] for one in message["parts"] if one["type"] == "tool")


def answered(pane: Pane, text: str, wanted: str | Callable[[str], object]) -> str:
    """Type a line, and wait for what is told; returns what came since."""
    before = len(pane.text().rstrip())
    pane.type(text)

    def came(shown: str) -> object:
        return wanted(shown[before:]) if callable(wanted) else wanted in shown[before:]

    return pane.until(came)[before:]


def test_every_kind_of_field_is_asked_and_what_does_not_fit_is_asked_again(
    terminal: Open, daemon: Daemon, tmp_path: Path
) -> None:
    pane = terminal(daemon)
    (tmp_path / "here" / "my notes.txt").write_text("x")
    (tmp_path / "here" / "garden").mkdir()
    pane.until_prompt()
    fields = [
        COLOUR,
        {"id": "some", "text": "Which ones?", "kind": "multi", "options": ["x", "y", "z"]},
        {"id": "count", "text": "How many?", "kind": "number"},
        {"id": "sure", "text": "Sure?", "kind": "boolean"},
        {"id": "note", "text": "A note?\nOf any length.", "required": False},
        {"id": "size", "text": "Which size?", "default": "large"},
        {"id": "file", "text": "Which file?", "kind": "file"},
        {"id": "folder", "text": "Which folder?", "kind": "folder", "default": "/"},
        {"id": "extra", "text": "More?", "default": "a lot", "required": False},
    ]
    text = answered(pane, call(*fields), CHOOSES)
    assert "? The agent asks you:\n  ┃ I need to know.\n" in text
    assert "  /decline declines; /decline WHY also says why. /back returns to the previous question." in text
    assert "  1 of 9  Which colour?\n     1  red\n     2  blue\n" in text
    assert "An answer is needed." in answered(pane, "", CHOOSES)
    assert "There is no 3: choose 1 to 2." in answered(pane, "3", CHOOSES)
    assert "  → blue" in answered(pane, "2", "2 of 9  Which ones?")
    assert "w is not among the options." in answered(pane, "x, w", "Numbers with commas ›")
    assert "  → x, z" in answered(pane, "1 3", "3 of 9  How many?")
    assert "Type a number, such as 3 or 2.5." in answered(pane, "many", "A number ›")
    answered(pane, "2.5", "4 of 9  Sure?")
    assert "Type yes or no." in answered(pane, "perhaps", "yes/no ›")
    answered(pane, "y", "5 of 9  A note?\n  Of any length.\nA text · Enter skips it ›")
    answered(pane, "", "6 of 9  Which size?\nA text · Enter: large ›")
    answered(pane, "/back", "5 of 9  A note?")
    answered(pane, "", "6 of 9  Which size?")
    assert "  → large" in answered(pane, "", "7 of 9  Which file?")
    assert f"  → {tmp_path}/here/nothing" in answered(pane, "nothing", "8 of 9  Which folder?")
    answered(pane, "garden", "9 of 9  More?\nA text · Enter: a lot · -: no answer ›")
    # The daemon looks for the file.
    assert "✗ file: it is not a file.\n" in answered(pane, "-", "7 of 9  Which file?")
    assert "8 of 9" not in answered(pane, '"my notes.txt"', "tokens in")
    assert part(daemon)["answers"] == {
        "colour": "blue",
        "some": ["x", "z"],
        "count": 2.5,
        "sure": True,
        "size": "large",
        "file": f"{tmp_path}/here/my notes.txt",
        "folder": f"{tmp_path}/here/garden",
    }
    text = answered(pane, "/history 1", "More? → no answer")
    assert "● ask_user  I need to know.  done\n  Which colour? → blue\n  Which ones? → x, z\n" in text
    assert "\n  Sure? → yes\n" in text


def test_tab_completes_paths_and_options(terminal: Open, daemon: Daemon, tmp_path: Path) -> None:
    pane = terminal(daemon)
    (tmp_path / "here" / "garden").mkdir()
    (tmp_path / "here" / "gate.txt").write_text("x")
    pane.until_prompt()
    answered(pane, call(COLOUR, {"id": "where", "text": "Where?", "kind": "folder"}), CHOOSES)
    pane.key("b", "Tab")
    pane.until(lambda text: last(text).rstrip() == f"{CHOOSES} blue")
    pane.key("Enter")
    pane.until("2 of 2  Where?")
    pane.key("g", "a", "Tab")
    pane.until(lambda text: last(text).rstrip() == "The path of a folder › garden")
    pane.key("Enter")
    pane.until("tokens in")
    assert part(daemon)["answers"] == {"colour": "blue", "where": f"{tmp_path}/here/garden"}


@pytest.mark.parametrize(("typed", "note"), [("/decline", None), ("/decline it is a secret", "it is a secret")])
def test_a_question_is_declined(terminal: Open, daemon: Daemon, typed: str, note: str | None) -> None:
    pane = terminal(daemon)
    pane.until_prompt()
    assert "/back" not in answered(pane, call(NAME), WRITES)
    text = answered(pane, typed, "tokens in")
    assert "⊘ denied: The person declined to answer." in text
    assert (part(daemon)["outcome"], part(daemon)["note"]) == ("declined", note)
    pane.until(lambda text: last(text).rstrip() == "›")
    told = f"  Declined: {note}\n" if note else "  Declined.\n"
    assert "● ask_user  I need to know.  denied\n" in answered(pane, "/history 1", told)


def test_ctrl_c_stops_the_turn_that_asks(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon)
    pane.until_prompt()
    answered(pane, call(COLOUR, NAME), CHOOSES)
    answered(pane, "red", WRITES)
    pane.key("C-c")
    pane.until("— Stopped by you.")
    assert "canceled by" not in pane.text()
    assert part(daemon)["outcome"] == "cancelled"
    pane.until(lambda text: last(text).rstrip() == "›")
    pane.type("hello")
    pane.until("You said: “hello”")


def test_ctrl_d_leaves_the_question_to_the_next_chat(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon)
    pane.until_prompt()
    answered(pane, call(COLOUR), CHOOSES)
    pane.key("C-d")
    assert pane.exit_code() == 0
    assert "The question keeps waiting. The next chat shows it again." in pane.text()
    pane = terminal(daemon)
    pane.until(CHOOSES)
    answered(pane, "GREEN", "tokens in")
    assert part(daemon)["answers"] == {"colour": "GREEN"}


def test_an_answer_from_elsewhere_ends_the_form_and_what_is_typed_next_is_a_message(
    terminal: Open, daemon: Daemon
) -> None:
    pane = terminal(daemon)
    pane.until_prompt()
    answered(pane, call(COLOUR, NAME), CHOOSES)
    [question] = daemon.call("GET", "/api/questions")
    daemon.answer(question["question_id"], {"colour": "blue", "name": "Ada"})
    text = pane.until("tokens in")
    assert "The question was answered by python-httpx.\n  Which colour? → blue\n  What is its name? → Ada\n" in text
    pane.until(lambda text: last(text).rstrip() == "›")
    pane.type("hello")
    pane.until("You said: “hello”")


def test_a_question_of_another_client_waits_in_the_inbox_and_can_be_put_off(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon)
    pane.until_prompt()
    asked(daemon, COLOUR)
    pane.until("The agent asks you something: /inbox.")
    answered(pane, "/inbox", CHOOSES)
    pane.key("C-c")
    pane.until(lambda text: last(text).rstrip() == "›")
    assert len(daemon.call("GET", "/api/questions")) == 1
    text = answered(pane, "/approvals", CHOOSES)
    assert "1 question is waiting for you." in text
    answered(pane, "1", "tokens in")
    assert part(daemon)["answers"] == {"colour": "red"}
    pane.until(lambda text: last(text).rstrip() == "›")
    answered(pane, "/inbox", "Nothing is waiting for you.")


def test_a_message_answers_the_lone_question_of_another_client(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon)
    pane.until_prompt()
    asked(daemon, COLOUR)
    pane.until("The agent asks you something: /inbox.")
    text = answered(pane, "BLUE", "tokens in")
    assert "Your message answered the question for which the agent waits." in text
    assert "answered by" not in text
    assert part(daemon)["answers"] == {"colour": "blue"}


def test_the_inbox_has_approvals_and_questions_of_all_conversations(terminal: Open, daemon: Daemon) -> None:
    others = [daemon.call("POST", "/api/sessions", {"title": title})["session_id"] for title in ("One", "Two", "Three")]
    daemon.ask("hello")
    pane = terminal(daemon)
    pane.until_prompt()
    with daemon.watch() as watcher:
        daemon.chat("write first.txt", session_id=others[0])
        watcher.until("approval_required")
    pane.until("A question is waiting for you in another conversation: /inbox.")
    second = asked(daemon, COLOUR, session_id=others[1])
    third = asked(daemon, NAME, session_id=others[2])
    pane.until(lambda text: text.count("A question is waiting for you in another conversation: /inbox.") == 3)
    text = answered(pane, "/sessions", "/switch NUMBER opens")
    assert text.count("1 waiting for you") == 3
    pane.until(lambda text: last(text).rstrip() == "›")
    text = answered(pane, "/inbox", ALLOWS)
    assert "3 questions are waiting for you." in text
    answered(pane, "a", CHOOSES)
    daemon.answer(third["question_id"], decline=True, note="not now")  # before it is its turn
    pane.until("The question was declined by python-httpx.")
    daemon.answer(second["question_id"], {"colour": "a deep blue"})
    text = pane.until("  Which colour? → a deep blue")
    assert "The question was answered by python-httpx." in text
    pane.until(lambda text: last(text).rstrip() == "›")
    assert "What is its name?" not in pane.text()
    assert daemon.call("GET", "/api/inbox") == []
    pane.type("still here")
    pane.until("You said: “still here”")


def test_an_answer_is_sent_when_the_daemon_is_back(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon)
    pane.until_prompt()
    answered(pane, call(COLOUR, NAME), CHOOSES)
    answered(pane, "red", WRITES)
    daemon.kill()
    pane.until("Connection lost. Reconnecting…")
    answered(pane, "Ada", "Your answer is sent when Aster answers again.")
    daemon.start()
    pane.until("tokens in")
    assert part(daemon)["answers"] == {"colour": "red", "name": "Ada"}


def test_a_terminal_that_can_not_be_repainted_asks_too(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon, environment={"TERM": "dumb"})
    pane.until_prompt()
    answered(pane, call(COLOUR, {"id": "count", "text": "How many?", "kind": "number"}), CHOOSES)
    answered(pane, "1", "2 of 2  How many?")
    answered(pane, "x", "Type a number, such as 3 or 2.5.")
    answered(pane, "3", "tokens in")
    assert part(daemon)["answers"] == {"colour": "red", "count": 3}
    pane.until(lambda text: last(text).rstrip() == "›")
    answered(pane, call(NAME), WRITES)
    daemon.answer(daemon.call("GET", "/api/questions")[0]["question_id"], {"name": "Ada"})
    pane.until("The question was answered by python-httpx.")
    pane.until(lambda text: last(text).rstrip() == "›")
    answered(pane, call(NAME), WRITES)
    answered(pane, "/decline no", "⊘ denied: The person declined to answer. They said: no")


def test_a_message_from_the_command_line_asks_on_the_terminal(terminal: Open, daemon: Daemon, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text('{"name": "Ada"}')
    pane = terminal(daemon, "--answers", str(answers), call(COLOUR, NAME))
    pane.until(CHOOSES)  # the file does not have this answer
    answered(pane, "red", WRITES)
    answered(pane, "Grace", "tokens in")
    assert pane.exit_code() == 0
    assert part(daemon)["answers"] == {"colour": "red", "name": "Grace"}
    pane = terminal(daemon, "--answers", str(answers), call(NAME))
    assert pane.exit_code() == 0
    assert part(daemon)["answers"] == {"name": "Ada"}


def test_where_the_message_is_piped_in_the_terminal_shows_how_it_was_settled(
    daemon: Daemon, tmp_path: Path, terminal: Open
) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text('{"colour": "red"}')
    pane = terminal(daemon)
    pane.until_prompt()
    pane.key("C-d")
    assert pane.exit_code() == 0
    command = shlex.join([sys.executable, "-m", "aster_sidecar", "chat", "--data-dir", str(daemon.data_dir)])
    pane._tmux("respawn-pane", "-k", "-t", "t", "-e", f"PYTHONPATH={ROOT}", "-e", "PS1=ready ", "sh")
    settled = {**NAME, "required": False, "default": "Ada"}
    pane.type(f"clear; echo {shlex.quote(call(COLOUR, settled))} | {command} --answers {answers}; echo code $?.")
    text = pane.until("code 0.")
    assert "The agent asks you:\n  I need to know.\n  Which colour?\n  What is its name?\n" in text
    assert "  Which colour? → red\n  What is its name? → Ada\n" in text
    pane.type(f"clear; echo {shlex.quote(call(NAME))} | {command}; echo code $?.")
    text = pane.until("nobody can be asked here: --answers FILE gives answers.")
    assert "The agent asks you:\n  I need to know.\n  What is its name?\n" in text
    pane.until("⊘ denied: The person declined to answer. They said: Nobody can be asked here")


def test_answers_are_for_a_message(terminal: Open, daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text("{}")
    pane = terminal(daemon, "--answers", str(tmp_path / "answers.json"))
    assert pane.exit_code() == 2
    assert "aster-sidecar: --answers needs a message" in pane.text()


def test_an_unfinished_message_comes_back_after_the_form(
    terminal: Open, real: Daemon, provider: ProviderDouble
) -> None:
    gate = threading.Event()
    asking = Call("ask_user", {"questions": [COLOUR, NAME], "reason": "why"})
    provider.script(Reply([Say("One moment."), asking], gate=gate, gate_at=2), Reply([Say("Thanks.")]))
    pane = terminal(real)
    pane.until_prompt()
    pane.type("go")
    pane.until("One")
    pane.key(*"a draft".replace(" ", "_"))
    gate.set()
    pane.until(CHOOSES)
    answered(pane, "red", WRITES)
    answered(pane, "Ada", "Thanks.")
    pane.until(lambda text: last(text).rstrip() == "› a_draft")
    assert part(real)["answers"] == {"colour": "red", "name": "Ada"}


def test_a_question_that_expires_is_told(terminal: Open, daemon: Daemon) -> None:
    daemon.config(approval_timeout_s=2)
    pane = terminal(daemon)
    pane.until_prompt()
    answered(pane, call(COLOUR), CHOOSES)
    text = pane.until("tokens in")
    assert "The question expired.\n" in text
    assert "⊘ denied: Nobody answered the question in time." in text


def of_server(daemon: Daemon, **changes: str | None) -> None:
    """Change the stored question to what an MCP server asks; the daemon is started again."""
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.data_dir / "aster.db")) as store, store:
        for name, value in {"server": "files", **changes}.items():
            store.execute(f"UPDATE questions SET {name} = ?", (value,))
    daemon.start()


@pytest.mark.parametrize(("typed", "outcome"), [("done", "answered"), ("/decline", "declined")])
def test_a_page_that_a_server_asks_to_visit_is_confirmed(
    terminal: Open, daemon: Daemon, typed: str, outcome: str
) -> None:
    asked(daemon, NAME)
    of_server(daemon, fields="[]", url="https://login.example/start?state=x")
    pane = terminal(daemon)
    text = pane.until("Open the page yourself. Then type done, or /decline ›")
    assert "? The MCP server files asks you to visit a page.\n" in text
    assert "\n  https://login.example/start?state=x\n" in text
    answered(pane, "", "Open the page yourself.")
    answered(pane, typed, "tokens in")
    assert part(daemon)["outcome"] == outcome


def test_labels_are_shown_and_options_are_sent(terminal: Open, daemon: Daemon) -> None:
    asked(daemon, COLOUR)
    field = {**COLOUR, "labels": ["A red one", "A blue one"]}
    of_server(daemon, fields=json.dumps([field]))
    pane = terminal(daemon)
    text = pane.until("A number ›")
    assert "? The MCP server files asks you:" in text
    assert "     2  A blue one\n" in text
    assert "green is not among the options." in answered(pane, "green", "A number ›")
    answered(pane, "2", "tokens in")
    assert part(daemon)["answers"] == {"colour": "blue"}


def test_words_of_others_hide_nothing(terminal: Open, real: Daemon, provider: ProviderDouble) -> None:
    field = {**COLOUR, "text": "Which\x1b[2J\u202e?", "options": ["red\n     2  nothing", "blue\x1b[8m"]}
    provider.script(
        Reply([Call("ask_user", {"questions": [field], "reason": "why\x1b]0;owned\x07"})]), Reply([Say("Thanks.")])
    )
    pane = terminal(real)
    pane.until_prompt()
    text = answered(pane, "go", CHOOSES)
    assert "  ┃ why‹U+001B›]0;owned‹U+0007›\n" in text
    assert "  Which‹U+001B›[2J‹U+202E›?\n     1  red      2  nothing\n     2  blue‹U+001B›[8m\n" in text
    answered(pane, "2", "Thanks.")
    assert part(real)["answers"] == {"colour": "blue\x1b[8m"}
