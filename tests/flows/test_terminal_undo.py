"""What `chat` takes back, in a real terminal (tmux) with the real daemon: /undo, /redo, /retry, /fork and /changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.terminal import Pane, last

pytestmark = pytest.mark.timeout(240)

Open = Callable[..., Pane]
WRITTEN = "Written by the demo model of Aster Sidecar.\n"
UNDO_ASKED = "[k] Keep the files · [u] Undo them too · [c] Cancel"
ANYWAY_ASKED = "[a] Anyway · [k] Keep the files as they are · [c] Cancel"


@pytest.fixture
def free(launch: Callable[..., Daemon]) -> Daemon:
    """A daemon that asks nobody."""
    return launch(environment={"ASTER_PERMISSION_MODE": "auto_approve", "ASTER_MODEL": "demo:instant"})


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    """Run `chat` in panes that are closed when the test ends."""
    panes: list[Pane] = []

    def run(daemon: Daemon, **fields: object) -> Pane:
        pane = Pane(["chat", "--data-dir", str(daemon.data_dir)], tmp_path, columns=200, **fields)  # type: ignore[arg-type]
        panes.append(pane)
        pane.until_prompt()
        return pane

    yield run
    for pane in panes:
        pane.close()


def typed(pane: Pane, text: str, wanted: str | Callable[[str], object]) -> str:
    """Type a line at the prompt for a message, and wait for what is told; returns what came since."""
    pane.until(lambda shown: last(shown).rstrip() == "›")
    before = len(pane.text().rstrip())
    pane.type(text)
    return pane.until(lambda shown: _has(shown[before:], wanted))[before:]


def answered(pane: Pane, text: str, wanted: str | Callable[[str], object]) -> str:
    """Answer a question, and wait for what is told; returns what came since."""
    before = len(pane.text().rstrip())
    pane.type(text)
    return pane.until(lambda shown: _has(shown[before:], wanted))[before:]


def _has(text: str, wanted: str | Callable[[str], object]) -> object:
    return wanted(text) if callable(wanted) else wanted in text


def line(pane: Pane) -> str:
    return last(pane.screen()).rstrip()


def said(daemon: Daemon, **parameters: object) -> list[str]:
    return [message["text"] for message in daemon.history(**parameters) if message["role"] == "user"]  # type: ignore[arg-type]


def test_the_last_message_comes_back_into_the_line_and_is_put_back(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon)
    typed(pane, "/undo", "There is no conversation yet.")
    typed(pane, "/redo", "There is no conversation yet.")
    typed(pane, "/changes", "There is no conversation yet.")
    typed(pane, "/fork", "There is no conversation yet.")
    typed(pane, "first", "tokens in")
    typed(pane, "/redo", "Nothing to put back")
    typed(pane, "second\\", lambda _: True)
    pane.type("line")
    pane.until(lambda text: text.count("tokens in") == 2)
    typed(pane, "/undo", "2 messages were taken out of the conversation.")
    pane.until("/redo puts it back, until the next message.")
    pane.until(lambda _: line(pane) == "  line")
    assert said(daemon) == ["first"]
    pane.key("C-c")
    typed(pane, "/redo", "2 messages are in the conversation again.")
    assert said(daemon) == ["first", "second\nline"]
    typed(pane, "/undo", "taken out")
    pane.until(lambda _: line(pane) == "  line")
    pane.type(" and more")
    pane.until(lambda text: text.count("tokens in") == 3)
    assert said(daemon) == ["first", "second\nline and more"]
    typed(pane, "/redo", "Nothing to put back")
    typed(pane, "/undo", "taken out")
    pane.key("C-c")
    typed(pane, "/undo", "taken out")
    pane.until(lambda _: line(pane) == "› first")
    pane.key("C-c")
    typed(pane, "/undo", "This conversation has no message that could be taken out.")
    assert "in another window" not in pane.text()


def test_files_are_kept_or_undone_too(terminal: Open, free: Daemon) -> None:
    pane = terminal(free)
    file = free.work_dir / "hello.txt"
    file.write_text("before\n")
    typed(pane, "call write_file " + json.dumps({"path": "hello.txt", "content": "after\n"}), "tokens in")
    told = typed(pane, "/undo", UNDO_ASKED)
    assert "This turn changed files:" in told
    assert "modified  hello.txt  +1 −1" in told
    answered(pane, "what", UNDO_ASKED)
    answered(pane, "c", "Nothing was changed.")
    assert len(said(free)) == 1
    typed(pane, "/undo", UNDO_ASKED)
    answered(pane, "k", "taken out")
    assert (file.read_text(), said(free)) == ("after\n", [])
    pane.key("C-c")
    typed(pane, "/redo", "in the conversation again")
    typed(pane, "/undo", UNDO_ASKED)
    answered(pane, "undo", f"written: {file}")
    assert (file.read_text(), said(free)) == ("before\n", [])
    pane.key("C-c")
    typed(pane, "/redo", f"written: {file}")
    assert (file.read_text(), len(said(free))) == ("after\n", 1)
    assert "in another window" not in pane.text()
    assert "In another window" not in pane.text()


def test_a_file_that_changed_since_is_replaced_only_when_a_person_says_so(terminal: Open, free: Daemon) -> None:
    pane = terminal(free)
    typed(pane, "write hello.txt", "tokens in")
    file = free.work_dir / "hello.txt"
    file.write_text("mine\n")
    assert "(changed again since)" in typed(pane, "/undo", UNDO_ASKED)
    told = answered(pane, "u", ANYWAY_ASKED)
    assert f"{file} changed since." in told
    answered(pane, "c", "Nothing was changed.")
    assert (file.read_text(), len(said(free))) == ("mine\n", 1)
    typed(pane, "/undo", UNDO_ASKED)
    answered(pane, "u", ANYWAY_ASKED)
    answered(pane, "k", "taken out")
    assert (file.read_text(), said(free)) == ("mine\n", [])
    pane.key("C-c")
    typed(pane, "/redo", "in the conversation again")
    typed(pane, "/undo", UNDO_ASKED)
    answered(pane, "u", ANYWAY_ASKED)
    answered(pane, "a", f"deleted: {file}")
    assert not file.exists()
    pane.key("C-c")
    typed(pane, "/redo", f"written: {file}")
    assert file.read_text() == "mine\n"


def test_what_changed_while_a_command_ran_is_undone_only_if_chosen(terminal: Open, free: Daemon) -> None:
    pane = terminal(free)
    (free.work_dir / "old.txt").write_text("old\n")
    typed(pane, "write hello.txt and run `echo new > old.txt`", "tokens in")
    told = typed(pane, "/undo", "[u] Undo changes by tools · [a] All, also those while a command ran · [c] Cancel")
    assert "created  hello.txt  +1 −0" in told
    assert "modified  old.txt  +1 −1  (while a command ran)" in told
    told = answered(pane, "u", "These files were left as they are:")
    assert "old.txt changed while a command ran;" in told
    assert not (free.work_dir / "hello.txt").exists()
    assert (free.work_dir / "old.txt").read_text() == "new\n"
    pane.key("C-c")
    typed(pane, "/redo", "in the conversation again")
    typed(pane, "/undo", "[a] All")
    answered(pane, "a", f"written: {free.work_dir}/old.txt")
    assert (free.work_dir / "old.txt").read_text() == "old\n"


def test_another_answer_to_the_same_message_and_its_files(terminal: Open, daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "later.txt").write_text("later")
    pane = terminal(daemon)
    typed(pane, "/retry", "There is no conversation yet.")
    typed(pane, "/attach notes.txt", "[file notes.txt, 5 B]")
    typed(pane, "look", "tokens in")
    [before, _] = daemon.history()
    typed(pane, "/attach later.txt", "[file later.txt, 5 B]")
    told = typed(pane, "/retry", "tokens in")
    assert told.count("I have received 1 attached file.") == 1
    assert "› look\n  [file notes.txt, 5 B]" in told
    [after, _] = daemon.history()
    assert after["message_id"] != before["message_id"]
    assert after["parts"] == before["parts"]
    told = typed(pane, "/attach", "/attach PATH attaches")
    assert "later.txt" in told
    assert "notes.txt" not in told
    typed(pane, "/attach -", "Your next message has no files.")
    assert "[file notes.txt, 5 B]" in typed(pane, "/undo", "For your next message:")
    pane.key("C-c")
    typed(pane, "/redo", "in the conversation again")
    assert "notes.txt" not in typed(pane, "/attach", "/attach PATH attaches")


def test_a_copy_is_opened_and_the_way_back_is_told(terminal: Open, daemon: Daemon) -> None:
    pane = terminal(daemon)
    typed(pane, "hello", "tokens in")
    [original] = daemon.call("GET", "/api/sessions")["sessions"]
    told = typed(pane, "/fork", "goes back to the original.")
    assert "Conversation: hello (ses_" in told
    assert f"You are in the copy now. /switch {original['session_id']} goes back to the original." in told
    typed(pane, "only here", "tokens in")
    typed(pane, f"/switch {original['session_id']}", f"Conversation: hello ({original['session_id']})")
    assert said(daemon, session_id=original["session_id"]) == ["hello"]
    [copy] = [one for one in daemon.call("GET", "/api/sessions")["sessions"] if one["forked_from"]]
    assert said(daemon, session_id=copy["session_id"]) == ["hello", "only here"]


def test_changes_are_listed_shown_undone_and_made_again(terminal: Open, free: Daemon) -> None:
    pane = terminal(free)
    (free.work_dir / "notes.md").write_text("one\ntwo\n")
    typed(pane, "hello", "tokens in")
    typed(pane, "/changes", "No changes to files are recorded in this conversation.")
    edit = {"path": "notes.md", "old": "two", "new": "2"}
    typed(pane, f"call edit_file {json.dumps(edit)}", "tokens in")
    typed(pane, "write sub/hello.txt", "tokens in")
    typed(pane, "run `printf 'a\\0b' > blob`", "tokens in")
    told = typed(pane, "/changes", "/changes NUMBER or PATH shows the diff")
    for wanted in (
        "▸ call edit_file",
        "  1  modified  notes.md  +1 −1",
        "▸ write sub/hello.txt",
        "  2  created  sub/hello.txt  +1 −0",
        "  3  created  blob  (while a command ran)",
    ):
        assert wanted in told
    told = typed(pane, "/changes 1", "┃ +2")
    assert "┃ -two" in told
    assert "\x1b[31m  ┃ -two" in pane.raw()
    assert "┃ +Written by the demo model" in typed(pane, "/changes hello.txt", "┃ +Written")
    typed(pane, "/changes blob", "No lines can be compared: nothing before, 3 B after.")
    typed(pane, "/changes 4", "✗ No change in this conversation has this number or path: 4.")
    typed(pane, "/changes undo", "/changes NUMBER or PATH shows the diff")
    typed(pane, "/changes redo 1", "This change was not undone.")
    told = typed(pane, "/changes undo 1", "Undo this change? yes/no")
    assert f"would be written: {free.work_dir}/notes.md" in told
    answered(pane, "no", lambda text: last(text).rstrip() == "›")
    assert (free.work_dir / "notes.md").read_text() == "one\n2\n"
    typed(pane, "/changes undo notes.md", "Undo this change? yes/no")
    answered(pane, "yes", f"  written: {free.work_dir}/notes.md")
    assert (free.work_dir / "notes.md").read_text() == "one\ntwo\n"
    typed(pane, "/changes undo 1", "The file is as before already.")
    assert "notes.md  +1 −1  (undone)" in typed(pane, "/changes", "/changes NUMBER")
    typed(pane, "/changes redo 1", "Make this change again? yes/no")
    answered(pane, "yes", f"  written: {free.work_dir}/notes.md")
    assert (free.work_dir / "notes.md").read_text() == "one\n2\n"
    (free.work_dir / "notes.md").write_text("mine\n")
    told = typed(pane, "/changes undo 1", "[a] Anyway · [c] Cancel")
    assert f"{free.work_dir}/notes.md changed since." in told
    answered(pane, "c", "Nothing was changed.")
    assert (free.work_dir / "notes.md").read_text() == "mine\n"
    typed(pane, "/changes undo 1", "[a] Anyway · [c] Cancel")
    answered(pane, "a", f"  written: {free.work_dir}/notes.md")
    assert (free.work_dir / "notes.md").read_text() == "one\ntwo\n"
    typed(pane, "/changes undo 3", "Undo this change? yes/no")
    answered(pane, "yes", f"  deleted: {free.work_dir}/blob")
    assert not (free.work_dir / "blob").exists()
    assert "another window" not in pane.text()


def test_what_another_window_takes_back_is_told_in_a_line(terminal: Open, free: Daemon) -> None:
    pane = terminal(free)
    typed(pane, "write hello.txt", "tokens in")
    [message, answer] = free.history()
    session = f"/api/sessions/{message['session_id']}"
    free.call("POST", f"{session}/rewind", {"message_id": message["message_id"]})
    pane.until("Messages were taken out of this conversation in another window.")
    free.call("POST", f"{session}/unrewind", {})
    pane.until("were put back in another window.")
    free.call("POST", "/api/changes/revert", {"turn_id": answer["turn_id"]})
    pane.until("In another window, 1 file was changed back. /changes lists them.")
    free.call("POST", f"{session}/rewind", {"message_id": message["message_id"]})
    pane.until(lambda text: text.count("taken out of this conversation in another window.") == 2)
    typed(pane, "/redo", "2 messages are in the conversation again.")
    assert pane.text().count("put back in another window") == 1


def test_nothing_is_taken_back_while_an_answer_is_written(terminal: Open, free: Daemon) -> None:
    pane = terminal(free)
    gate = free.work_dir / "gate"
    typed(pane, "run `echo waiting; while [ ! -e gate ]; do sleep 0.05; done`", "│ waiting")
    pane.type("/undo")
    pane.until("✗ An answer is being written.")
    pane.until("/cancel stops the answer that is being written.")
    gate.touch()
    pane.until("tokens in")


def test_where_there_is_no_input_line_the_message_is_printed(terminal: Open, free: Daemon) -> None:
    pane = terminal(free, environment={"TERM": "dumb"})
    typed(pane, "write hello.txt", "tokens in")
    typed(pane, "/undo", UNDO_ASKED)
    told = answered(pane, "u", "Your message was:")
    pane.until(lambda text: text.count("write hello.txt") == 2)
    assert f"deleted: {free.work_dir}/hello.txt" in told
    typed(pane, "/redo", f"written: {free.work_dir}/hello.txt")
