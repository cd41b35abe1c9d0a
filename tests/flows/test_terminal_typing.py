"""What a person types into `chat` while an answer is written, in a real terminal (tmux) with the real daemon."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import Daemon
from tests.support.provider import Call, ProviderDouble, Reply, Say
from tests.support.terminal import Pane, last

pytestmark = pytest.mark.timeout(240)

ASKED = "[a] Allow once · [d] Deny"
ANSWER = "The answer begins here, and it goes on for a while before it is over."


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Pane]]:
    """Run `chat` in panes that are closed when the test ends."""
    panes: list[Pane] = []

    def run(*arguments: str, data_dir: Path, **fields: object) -> Pane:
        pane = Pane(["chat", "--data-dir", str(data_dir), *arguments], tmp_path, **fields)  # type: ignore[arg-type]
        panes.append(pane)
        return pane

    yield run
    for pane in panes:
        pane.close()


def letters(pane: Pane, text: str) -> None:
    """Type letters, without Enter."""
    pane._tmux("send-keys", "-t", "t", "-l", text)


def paste(pane: Pane, text: str) -> None:
    """Paste as a terminal does for a program that has enabled bracketed paste."""
    pane._tmux("set-buffer", "-b", "pasted", text)
    pane._tmux("paste-buffer", "-p", "-b", "pasted", "-t", "t")


def line(pane: Pane) -> str:
    return last(pane.screen()).rstrip()


def held(provider: ProviderDouble, *parts: object) -> threading.Event:
    """Script an answer that stops after its beginning until the gate is opened."""
    gate = threading.Event()
    provider.script(Reply([Say(ANSWER), *parts], gate=gate, gate_at=4))  # type: ignore[list-item]
    return gate


def said(daemon: Daemon) -> list[str]:
    return [message["text"] for message in daemon.history() if message["role"] == "user"]


def test_what_is_typed_is_seen_and_is_still_there_after_the_answer(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider)
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("go on")
    pane.until("The answer")
    letters(pane, "half a message")
    pane.until(lambda _: line(pane) == "› half a message")
    gate.set()
    text = pane.until("tokens in")
    assert ANSWER in " ".join(text.split())
    pane.until(lambda _: line(pane) == "› half a message")
    assert said(real) == ["go on"]
    pane.key("Enter")
    pane.until(lambda text: text.count("tokens in") == 2)
    assert said(real) == ["go on", "half a message"]


def test_enter_during_an_answer_queues_the_message_and_says_so(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider)
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    pane.type("second")
    pane.until("Queued. The agent gets your message after this answer.")
    gate.set()
    text = pane.until(lambda text: text.count("tokens in") == 2)
    assert said(real) == ["first", "second"]
    assert text.index("while before it is over") < text.index("Answering your queued message: second")


def test_steering_reaches_the_answer_that_is_written(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider, Call("read_file", {"path": "none.txt"}))
    provider.script(Reply([Say("Steered.")]))
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    pane.type("/steer look elsewhere")
    pane.until("The agent reads this at its next step.")
    gate.set()
    pane.until("tokens in")
    assert "look elsewhere" in str(provider.requests[1].body)
    assert said(real) == ["first", "look elsewhere"]


def test_a_question_puts_the_message_aside_and_gives_it_back(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider, Call("write_file", {"path": "a.txt", "content": "x"}))
    provider.script(Reply([Say("Over.")]))
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("write it")
    pane.until("The answer")
    letters(pane, "a")  # would answer the question
    pane.until(lambda _: line(pane) == "› a")
    gate.set()
    pane.until(ASKED)
    assert "› a" not in line(pane)
    pane.type("d not now")
    pane.until("tokens in")
    pane.until(lambda _: line(pane) == "› a")
    assert not (real.work_dir / "a.txt").exists()
    assert said(real) == ["write it"]


def test_ctrl_c_stops_the_answer_and_keeps_the_text(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    held(provider)
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("go on")
    pane.until("The answer")
    letters(pane, "precious")
    pane.until(lambda _: line(pane) == "› precious")
    pane.key("C-c")
    pane.until("— Stopped by you.")
    assert real.history()[-1]["status"] == "cancelled"
    pane.until(lambda _: line(pane) == "› precious")
    pane.key("C-c")  # clears the text, and does not leave
    pane.until(lambda _: line(pane) == "›")
    pane.key("Up")
    pane.until(lambda _: line(pane) == "› precious")
    pane.key("C-c")
    pane.until(lambda _: line(pane) == "›")
    pane.key("C-c")
    assert pane.exit_code() == 0


def test_pasted_lines_are_one_message_during_an_answer(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider)
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    paste(pane, "one\ntwo\nthree")
    pane.until(lambda _: line(pane) == "  three")
    gate.set()
    pane.until("tokens in")
    pane.key("Enter")
    pane.until(lambda text: text.count("tokens in") == 2)
    assert said(real) == ["first", "one\ntwo\nthree"]


def test_pasted_bytes_that_are_no_text_are_sent_with_the_rest(
    terminal: Callable[..., Pane], daemon: Daemon, tmp_path: Path
) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    (tmp_path / "pasted").write_bytes(b"caf\xe9 \x1b[31mred \x00 end")
    pane._tmux("load-buffer", "-b", "pasted", str(tmp_path / "pasted"))
    pane._tmux("paste-buffer", "-p", "-b", "pasted", "-t", "t")
    pane.until(lambda _: line(pane).endswith("end"))
    pane.key("Enter")
    pane.until("tokens in")
    assert said(daemon) == ["caf\ufffd \x1b[31mred \ufffd end"]


SHELL = (
    'stty -g >{0}/before; "$0" -m aster_sidecar chat --data-dir "$1"; echo "exit code $?."; stty -g >{0}/after; read x'
)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("name", ["TERM", "HUP", "QUIT"])
def test_a_signal_that_ends_chat_gives_the_terminal_back(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble, tmp_path: Path, name: str, asked: bool
) -> None:
    gate = held(provider, Call("write_file", {"path": "a.txt", "content": "x"}))
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.key("C-d")
    assert pane.exit_code() == 0
    command = [sys.executable, str(real.data_dir)]
    environment = ["env", f"PYTHONPATH={Path(__file__).parents[2]}", "sh", "-c", SHELL.format(tmp_path)]
    pane._tmux("respawn-pane", "-k", "-t", "t", *environment, *command)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    letters(pane, "precious")
    pane.until(lambda _: line(pane) == "› precious")
    if asked:
        gate.set()
        pane.until(ASKED)
        pane.until(lambda _: line(pane).startswith(ASKED))
    shell = int(pane._tmux("display-message", "-p", "-t", "t", "#{pane_pid}"))
    [chat] = psutil.Process(shell).children()
    chat.send_signal(signal.Signals[f"SIG{name}"])
    text = pane.until(f"exit code {128 + signal.Signals[f'SIG{name}']}.")
    pane.until(lambda _: (tmp_path / "after").exists() and (tmp_path / "after").read_text())
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    assert "Traceback" not in text
    again = terminal(data_dir=real.data_dir)
    again.until("/help lists")
    if asked:
        again.until(ASKED)
        again.type("d")
        again.until("tokens in")
    again.until(lambda _: line(again) == "›")
    again.key("Up")
    again.until(lambda _: line(again) == "› precious")


def test_what_is_typed_outlives_a_lost_connection(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    letters(pane, "half a message")
    pane.until(lambda _: line(pane) == "› half a message")
    daemon.kill()
    pane.until("Connection lost. Reconnecting…")
    letters(pane, " and more")
    pane.until(lambda _: line(pane) == "› half a message and more")
    daemon.start()
    pane.until("Connected.")
    pane.until(lambda _: line(pane) == "› half a message and more")
    pane.key("Enter")
    pane.until("You said: “half a message and more”")


@pytest.mark.parametrize(("columns", "then"), [(90, 44), (44, 90)])
def test_what_is_typed_outlives_another_width_and_new_text_fits_it(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble, columns: int, then: int
) -> None:
    gate = threading.Event()
    paragraphs = [
        f"Paragraph {number} has its own words, enough of them for several lines of the window." for number in range(6)
    ]
    answer = "\n\n".join(paragraphs)
    provider.script(Reply([Say(answer, chunk=7)], gate=gate, gate_at=len(answer) // 14))
    pane = terminal(data_dir=real.data_dir, columns=columns, environment={"COLUMNS": str(columns)})
    pane.until_prompt()
    pane.type("at length")
    pane.until("Paragraph 2 ")
    letters(pane, "half a message")
    pane.until(lambda _: line(pane) == "› half a message")
    pane.resize(then, 30)
    pane.until(lambda _: line(pane) == "› half a message")
    gate.set()
    text = pane.until("tokens in")
    pane.until(lambda _: line(pane) == "› half a message")
    words = " ".join(text.split())
    assert [words.count(paragraph) for paragraph in paragraphs] == [1] * len(paragraphs)
    # The terminal wrapped no line of the last paragraph: capture-pane without -J shows each word unbroken.
    rows = pane._tmux("capture-pane", "-p", "-S", "-", "-t", "t").splitlines()
    assert set(paragraphs[-1].split()) <= {word for row in rows for word in row.split()}


@pytest.mark.parametrize("then", [60, 120])
def test_a_list_that_is_half_printed_goes_on_at_another_width(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble, then: int
) -> None:
    gate = threading.Event()
    middle = "has its own words, and more of them, so that a line of it has to be wrapped somewhere, and its last is"
    items = [f"Item {number} {middle} end{number}." for number in range(40)]
    answer = "".join(f"- {item}\n" for item in items)
    provider.script(Reply([Say(answer, chunk=9)], gate=gate, gate_at=len(answer) // 18))
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("a list")
    pane.until("end17.")
    letters(pane, "half a message")
    pane.until(lambda _: line(pane) == "› half a message")
    pane.resize(then, 30)
    letters(pane, " and more")
    pane.until(lambda _: line(pane) == "› half a message and more")
    gate.set()
    text = pane.until("tokens in")
    words = " ".join(text.replace("•", " ").split())
    assert [words.count(item) for item in items] == [1] * len(items)


@pytest.mark.parametrize("columns", [40, 80])
def test_words_are_whole_and_what_is_copied_is_whole(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble, columns: int
) -> None:
    address = "https://example.com/" + "/".join(f"part{number}" for number in range(20))
    code = "value = " + " + ".join(f"number_{number}" for number in range(20))
    prose = "These are ordinary words which have to be wrapped between them wherever the window may end."
    provider.script(
        Reply([Say(f"# The heading\n\n{prose}\n\nSee {address} for more.\n\n```python\n{code}\n```\n\nEnd.")])
    )
    # COLUMNS is from another window and must be ignored.
    pane = terminal(data_dir=real.data_dir, columns=columns, environment={"COLUMNS": "200"})
    pane.until_prompt()
    pane.type("hello")
    joined = pane.until("tokens in")
    rows = pane._tmux("capture-pane", "-p", "-S", "-", "-t", "t").splitlines()
    assert "The heading" in rows  # at the left, without a frame
    assert set(prose.split()) <= {word for row in rows for word in row.split()}
    assert address in joined
    assert code in joined
    pane.until_prompt()
    pane.type("/help")
    pane.until("Answers to a question:")
    rows = pane._tmux("capture-pane", "-p", "-S", "-", "-t", "t").splitlines()
    assert {"conversation", "Ctrl-C", "backslash"} <= {word.strip(".,;") for row in rows for word in row.split()}


def test_one_message_from_the_shell_takes_no_answer_that_was_typed_before(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider, Call("write_file", {"path": "a.txt", "content": "x"}))
    provider.script(Reply([Say("Over.")]))
    pane = terminal("write it", data_dir=real.data_dir)
    pane.until("The answer")
    pane.type("a")
    gate.set()
    pane.until(ASKED)
    assert not (real.work_dir / "a.txt").exists()
    pane.type("d")
    assert pane.exit_code() == 0
    assert not (real.work_dir / "a.txt").exists()


def test_ctrl_c_also_cancels_what_is_queued_and_says_so(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    held(provider)
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    pane.type("second")
    pane.until("Queued. The agent gets your message after this answer.")
    pane.key("C-c")
    pane.until(lambda text: "— Stopped by you." in text and "A queued message was canceled." in text)
    assert [turn["state"] for turn in real.call("GET", "/api/sessions")["sessions"]] == ["idle"]
    pane.key("Up")  # its text is not lost
    pane.until(lambda _: line(pane) == "› second")


def test_another_conversation_can_be_gone_to_during_an_answer(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider)
    provider.script(Reply([Say("Elsewhere.")]))
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    pane.type("/new Another")
    pane.until("Conversation: Another")
    pane.type("hello")
    pane.until("Elsewhere.")
    pane.until("tokens in")
    pane.type("/switch first")
    pane.until("An answer is being written.")
    gate.set()
    text = pane.until(lambda text: text.count("tokens in") == 2)
    assert ANSWER in " ".join(text.split())


def test_what_cannot_be_done_says_what_can_be_typed_here(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider)
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    pane.type("/delete")
    pane.until("yes/no ›")
    pane.type("yes")
    pane.until("/cancel stops the answer that is being written.")
    pane.type("/restore 7")
    text = pane.until("/sessions lists conversations, and /restore those that were deleted.")
    pane.type("/mode nosuch")
    pane.until("/mode takes one of smart_approve, always_ask, auto_approve, or - for the usual one.")
    pane.type("/rename " + "x" * 300)
    text = pane.until("✗ Title: String should have at most")
    assert "/api/" not in text
    assert "openapi" not in text
    gate.set()
    pane.until("tokens in")


def test_what_looks_like_a_number_and_is_none_ends_no_chat(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write it")
    pane.until(ASKED)
    pane.type("d no")
    pane.until("tokens in")
    for typed in ("/switch ²", "/switch " + "9" * 5000, "/restore ²", "/restore a?b", "/history " + "9" * 5000):
        paste(pane, typed)
        pane.key("Enter")
    pane.type("/history ²")
    text = pane.until(lambda text: text.count("▸ write it") == 2 and last(text) == "›")
    assert "U+000A" not in text


def test_ctrl_d_leaves_an_answer_to_the_daemon(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = held(provider)
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("first")
    pane.until("The answer")
    pane.key("C-d")
    assert pane.exit_code() == 0
    gate.set()
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("/history")
    pane.until(lambda text: ANSWER in " ".join(text.split()))


def test_a_dumb_terminal_talks_by_turns(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir, environment={"TERM": "dumb"})
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane.type("a")
    pane.until("tokens in")
    assert (daemon.work_dir / "hello.txt").exists()
    pane.until_prompt(2)
    pane.type("hello")
    pane.until("You said: “hello”")
    pane.until_prompt(3)
    pane.key("C-d")
    assert pane.exit_code() == 0


def test_a_question_that_ends_with_its_turn_is_told_once(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane.key("C-c")
    text = pane.until("— Stopped by you.")
    assert text.count("⊘ canceled") == 1
    assert "canceled by" not in text
    assert not (daemon.work_dir / "hello.txt").exists()


def test_an_answer_typed_ahead_confirms_no_rule(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane._tmux("send-keys", "-t", "t", "l", "Space", "2", "Enter", "y", "e", "s", "Enter")  # all keys at once
    pane.until("yes/no")
    assert daemon.call("GET", "/api/permissions/rules") == []
    pane.type("no")
    pane.until(lambda text: text.count(ASKED) == 2)
    pane._tmux("send-keys", "-t", "t", "l", "Enter", "2", "Enter", "Enter", "y", "e", "s", "Enter")
    pane.until("Which?")
    assert daemon.call("GET", "/api/permissions/rules") == []
    pane.key("C-c")
    pane.until(lambda text: text.count(ASKED) == 3)
    pane.type("d")
    pane.until("tokens in")
    assert daemon.call("GET", "/api/permissions/rules") == []
    assert said(daemon) == ["write hello.txt"]
