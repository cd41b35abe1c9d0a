"""`chat` in a real terminal (tmux) with the real daemon: what a person types and sees."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.flows.test_mcp_managed import add, until, until_state
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, ProviderDouble, Reply, Say
from tests.support.terminal import ROOT, Pane, last

pytestmark = pytest.mark.timeout(240)

PARAGRAPHS = "\n\n".join(f"Paragraph {number} has its own words, so that each can be counted." for number in range(60))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Pane]]:
    """Run `chat` in panes that are closed when the test ends."""
    panes: list[Pane] = []

    def run(*arguments: str, data_dir: Path | None = None, **fields: object) -> Pane:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        place = data_dir or tmp_path / "data"
        pane = Pane(["chat", "--data-dir", str(place), *arguments], work, **fields)  # type: ignore[arg-type]
        panes.append(pane)
        return pane

    yield run
    for pane in panes:
        pane.close()


def test_a_conversation_with_a_daemon_of_its_own(terminal: Callable[..., Pane], tmp_path: Path) -> None:
    pane = terminal()
    assert "started for this chat" in pane.until_prompt()
    pane.type("hello")
    text = pane.until("tokens in")
    assert "I am the demo model" in text  # markdown: the asterisks are not shown
    assert " • read README.md" in text
    pid = json.loads((tmp_path / "data" / "sidecar.json").read_text())["pid"]
    pane.until_prompt(2)
    pane.key("C-d")
    assert pane.exit_code() == 0
    assert not Path(f"/proc/{pid}").exists()
    assert not (tmp_path / "data" / "sidecar.json").exists()
    assert stat.S_IMODE((tmp_path / "data" / "chat-history").stat().st_mode) == 0o600
    assert "hello" in (tmp_path / "data" / "chat-history").read_text()


def test_several_lines_are_one_message(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    assert "It keeps running when you leave." in " ".join(pane.until_prompt().split())
    pane.type("first\\")
    pane.key("s", "e", "c", "M-Enter", "t", "h", "i", "r", "d", "Enter")
    pane.until("tokens in")
    assert [message["text"] for message in daemon.history() if message["role"] == "user"] == ["first\nsec\nthird"]
    pane.until_prompt(2)
    pane.key("C-c")
    assert pane.exit_code() == 0
    assert daemon.call("GET", "/api/agents")  # a daemon that the chat did not start stays


ASKED = "[a] Allow once · [d] Deny"


@pytest.mark.parametrize(
    ("key", "written", "told"),
    [("a", True, "✓ done"), ("y", True, "✓ done"), ("d not this file", False, "not this file")],
)
def test_a_question_shows_what_will_run_and_is_answered(
    terminal: Callable[..., Pane], daemon: Daemon, key: str, written: bool, told: str
) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write hello.txt")
    text = pane.until(ASKED)
    assert "Create hello.txt (1 line)  medium risk" in text
    assert f"write {daemon.work_dir}/hello.txt (44 bytes, a new file)" in text
    assert "Written by the demo model of Aster Sidecar." in text
    assert "“Always” can cover one of these: 1 write_file on" in " ".join(text.split())
    assert not (daemon.work_dir / "hello.txt").exists()
    pane.type(key)
    # The decision's confirmation and the turn's end come separately.
    pane.until(lambda text: "tokens in" in text and told in text)
    assert (daemon.work_dir / "hello.txt").exists() == written


def rules(daemon: Daemon) -> list[Json]:
    """What each rule decides, about what, and its limits."""
    names = ("decision", "kind", "value", "session_id", "expires_at")
    return [{name: rule[name] for name in names} for rule in daemon.call("GET", "/api/permissions/rules")]


def test_always_says_what_the_rule_covers_and_asks_no_more(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write one.txt")
    pane.until(ASKED)
    pane.type("l 2")  # this is not enough for a permanent rule
    pane.until("Always allow: write_file anywhere in")
    pane.until("yes/no")
    pane.type("no")
    pane.until(lambda text: text.count(ASKED) == 2)
    assert not (daemon.work_dir / "one.txt").exists()
    pane.type("l 2")
    pane.until(lambda text: text.count("yes/no") == 2)
    pane.type("yes")
    pane.until(lambda text: "tokens in" in text and "New rule: allow " in text)
    pane.until_prompt(2)
    pane.type("write two.txt")
    pane.until(lambda text: text.count("tokens in") == 2)
    assert (daemon.work_dir / "two.txt").exists()
    assert pane.text().count(ASKED) == 2


def test_a_person_chooses_what_always_covers_and_for_how_long(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write one.txt")
    pane.until(ASKED)
    pane.type("l")
    text = " ".join(pane.until("Which? A number, or Enter for 1").split())
    assert text.count(f"1 write_file on {daemon.work_dir}/one.txt only") == 2
    assert text.count(f"2 write_file anywhere in {daemon.work_dir}") == 2
    pane.type("2")
    pane.until("For how long?")
    pane.type("7d")
    asked = f"Always allow for 7 days: write_file anywhere in {daemon.work_dir}? yes/no"
    pane.until(lambda text: asked in " ".join(text.split()))
    assert daemon.call("GET", "/api/permissions/rules") == []
    pane.type("yes")
    pane.until(lambda text: "tokens in" in text and "New rule: allow " in text)
    [rule] = rules(daemon)
    assert (rule["kind"], rule["value"], rule["session_id"]) == ("beneath", str(daemon.work_dir), None)
    left = datetime.fromisoformat(rule["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    until = datetime.fromisoformat(rule["expires_at"]).astimezone().strftime("until %Y-%m-%d %H:%M.")
    assert until in " ".join(pane.text().split())


def test_enter_chooses_the_narrowest_forever(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write one.txt")
    pane.until(ASKED)
    pane.type("x")
    pane.until("Which?")
    pane.type("")
    pane.until("For how long?")
    pane.type("")
    pane.until("Always deny: write_file on")
    pane.until("yes/no")
    pane.type("yes")
    pane.until(lambda text: "tokens in" in text and "New rule: deny " in text)
    assert rules(daemon) == [
        {
            "decision": "deny",
            "kind": "exact",
            "value": f"{daemon.work_dir}/one.txt",
            "session_id": None,
            "expires_at": None,
        }
    ]
    assert not (daemon.work_dir / "one.txt").exists()


def test_what_chooses_nothing_is_told_and_the_question_stays(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir, rows=60)
    pane.until_prompt()
    pane.type("write one.txt")
    pane.until(ASKED)
    for count, (typed, told) in enumerate(
        [
            ("l 3", "There is no 3: choose 1 to 2. The question is still open."),
            ("x 1 2001-01-01", "A rule can’t end in the past: 2001-01-01. The question is still open."),
            ("l 2 soon", "soon is no time:"),
        ],
        2,
    ):
        pane.type(typed)
        pane.until(told)
        pane.until(lambda text, count=count: text.count(ASKED) == count)
    pane.type("l")
    pane.until("Which?")
    pane.key("C-c")  # leaves the choosing, not the turn
    pane.until(lambda text: text.count(ASKED) == 5)
    assert daemon.call("GET", "/api/permissions/rules") == []
    pane.type("l s")
    pane.until("Always allow in this conversation: write_file on")
    pane.until("yes/no")
    pane.type("y")
    pane.until(lambda text: "tokens in" in text and "New rule: allow " in text)
    [rule] = rules(daemon)
    assert rule["session_id"] == daemon.call("GET", "/api/sessions")["sessions"][0]["session_id"]
    assert (daemon.work_dir / "one.txt").exists()


def test_a_denial_for_always_is_confirmed(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane.type("x 2")
    pane.until("Always deny: write_file anywhere in")
    pane.until("yes/no")
    pane.type("yes")
    pane.until(lambda text: "tokens in" in text and "New rule: deny " in text)
    assert not (daemon.work_dir / "hello.txt").exists()


def test_edited_arguments_are_what_runs(terminal: Callable[..., Pane], daemon: Daemon, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/Written by/Edited by a person, not by/' \"$1\"\n")
    editor.chmod(0o755)
    pane = terminal(data_dir=daemon.data_dir, environment={"EDITOR": str(editor)})
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane.type("e")
    pane.until("tokens in")
    assert (daemon.work_dir / "hello.txt").read_text().startswith("Edited by a person, not by the demo model")


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ("no-such-editor", "✗ The editor no-such-editor failed"),
        ("an'open quote", "✗ The editor an'open quote failed"),
        ("false", "✗ The editor false failed"),
        ("rm", "✗ The editor rm failed"),
        ("sh -c 'printf \"\\377\" > $1' x", "✗ The editor sh"),
        ("true", "The arguments were not changed. The question is still open."),
    ],
)
def test_an_editor_that_changes_nothing_answers_nothing(
    terminal: Callable[..., Pane], daemon: Daemon, editor: str, told: str
) -> None:
    pane = terminal(data_dir=daemon.data_dir, environment={"EDITOR": editor})
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane.type("e")
    pane.until(lambda text: told in text and text.count(ASKED) == 2)
    assert not (daemon.work_dir / "hello.txt").exists()
    pane.type("d")
    pane.until("tokens in")


def test_arguments_can_be_edited_on_the_line(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane.type("e")
    pane.until('Arguments › {"path": "hello.txt"')
    pane.key("C-u")
    pane.type('{"path": "other.txt", "content": "mine"}')
    pane.until("tokens in")
    assert (daemon.work_dir / "other.txt").read_text() == "mine"
    assert not (daemon.work_dir / "hello.txt").exists()


def test_an_answer_from_elsewhere_takes_the_question_away(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    daemon.approve(daemon.call("GET", "/api/approvals")[0]["call_id"])
    text = pane.until("tokens in")
    assert re.search(r"write_file: allowed by python-httpx\.", text)
    assert (daemon.work_dir / "hello.txt").exists()
    pane.until_prompt(2)
    pane.type("hello")
    pane.until("You said: “hello”")


def test_a_question_that_waited_is_shown_by_the_next_chat(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    daemon.chat("write hello.txt")
    pane = terminal(data_dir=daemon.data_dir)
    pane.until(ASKED)
    pane.type("y")
    pane.until("tokens in")
    assert (daemon.work_dir / "hello.txt").exists()


def test_ctrl_c_cancels_the_turn_and_twice_leaves(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("The beginning of an answer that ")], gate=gate, gate_at=3))
    provider.script(Reply([Say("Another one that hangs here.")], gate=gate, gate_at=3))
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("go on")
    pane.until("The beg")
    pane.key("C-c")
    text = pane.until("— Stopped by you.")
    assert "Stopping… With an empty prompt, Ctrl-C again leaves." in text
    assert real.history()[-1]["status"] == "cancelled"
    pane.until_prompt(2)
    pane.type("again")
    pane.until("Another")
    pane.key("C-c")
    pane.until(lambda text: text.count("Stopping…") == 2)  # a process sees two identical signals at once as one
    pane.key("C-c")
    # If the second came too late, the turn has ended. At an empty prompt Ctrl-C then leaves.
    pane.until(lambda text: "exit code " in text or (text.count("Stopping…") == 3 and last(text).startswith("›")))
    if "exit code " not in pane.text():
        pane.key("C-c")
    assert pane.exit_code() == 0
    assert real.call("GET", "/api/agents")


def test_a_long_answer_loses_no_paragraph_while_the_window_changes(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    gate = threading.Event()
    code = "```text\n" + "\n".join(f"code line {number}" for number in range(80)) + "\n```"
    answer = f"{PARAGRAPHS}\n\n{code}\n\nThe end of it."
    provider.script(Reply([Say(answer, chunk=7)], gate=gate, gate_at=len(answer) // 14))
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("at length")
    pane.until("Paragraph 20 ")
    pane.resize(60, 20)
    pane.until("›")
    pane.resize(100, 40)
    gate.set()
    text = pane.until("tokens in")
    words = " ".join(text.split())
    for number in range(60):
        assert words.count(f"Paragraph {number} has its own words, so that each can be counted.") == 1, number
    for number in range(80):
        assert len(re.findall(rf"code line {number}\b", words)) == 1, number
    assert words.count("The end of it.") == 1


def test_escape_sequences_of_a_model_or_a_tool_reach_no_terminal(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble
) -> None:
    evil = "\x1b[2J\x1b[31mred\x1b]0;owned\x07 [bold]markup[/bold] \u202etxt.exe \x9b2J end"
    command = "printf '\\033[2J\\033[31mcolour\\033[0m'; printf 'a\\033]0;owned\\007b\\n'"
    provider.script(Reply([Say(evil), Call("run_command", {"command": command + " # \x1b[8mhidden\u202e"})]), "bye")
    pane = terminal(data_dir=real.data_dir)
    pane.until_prompt()
    pane.type("be evil")
    text = pane.until(ASKED)
    assert "␛[2J␛[31mred␛]0;owned␇ [bold]markup[/bold] ‹U+202E›txt.exe ‹U+009B›2J end" in text
    assert "‹U+001B›[8mhidden‹U+202E›" in text
    pane.type("y")
    text = pane.until("tokens in")
    assert "│ colourab" in text
    assert "be evil" in text  # the screen was not cleared
    assert "owned" not in pane._tmux("display-message", "-p", "-t", "t", "#{pane_title}")
    assert "\x1b[8m" not in pane.raw()


def test_a_daemon_that_is_killed_and_comes_back_loses_nothing(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("write hello.txt")
    pane.until(ASKED)
    daemon.kill()
    pane.until("Connection lost. Reconnecting…")
    daemon.port = 0  # another port: sidecar.json has it
    daemon.start()
    pane.until("Connected.")
    pane.type("y")
    pane.until("tokens in")
    assert (daemon.work_dir / "hello.txt").exists()
    daemon.restart()
    pane.until(lambda text: text.count("Connected.") == 2)
    pane.type("still there")
    pane.until("You said: “still there”")


def test_a_daemon_of_its_own_that_dies_is_started_again(terminal: Callable[..., Pane], tmp_path: Path) -> None:
    pane = terminal()
    pane.until_prompt()
    pid = json.loads((tmp_path / "data" / "sidecar.json").read_text())["pid"]
    os.kill(pid, 9)
    pane.until("Connected.")
    pane.type("hello again")
    pane.until("You said: “hello again”")
    pane.until_prompt(2)
    pane.type("/quit")
    assert pane.exit_code() == 0


def test_conversations_from_the_prompt(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("hello")
    pane.until("tokens in")
    pane.until_prompt(2)
    pane.type("/new The invoice")
    pane.until("Conversation: The invoice")
    pane.until_prompt(3)
    pane.type("/sessions")
    text = pane.until("/switch NUMBER opens one of these conversations")
    assert "The invoice" in text
    pane.until_prompt(4)
    pane.type("/switch hello")
    pane.until("Conversation: hello")
    pane.until_prompt(5)
    pane.type("/history")
    pane.until(lambda text: text.count("You said: “hello”") == 2)
    pane.until_prompt(6)
    pane.type("/find HELLO")
    text = pane.until("Found in 2 messages, newest last.")
    assert "  You: hello" in text
    assert "  Agent: You said: “hello”" in text
    pane.until_prompt(7)
    pane.type("/find nowhere to be found")
    pane.until("No matches.")
    pane.until_prompt(8)
    pane.type("/sessions hello")
    pane.until(lambda text: text.count("You said: “hello” I am the") > 1)
    pane.until_prompt(9)
    pane.type("/mode always_ask")
    pane.until("Permission mode: always_ask (chosen for this conversation)")
    assert daemon.call("GET", "/api/config")["values"]["permission_mode"]["value"] == "smart_approve"
    pane.until_prompt(10)
    pane.type("/mode sometimes")
    pane.until("✗ ")
    pane.until_prompt(11)
    pane.type("/nonsense")
    pane.until("/nonsense is not a command")
    pane.until_prompt(12)
    pane.type("/help")
    pane.until("/approvals")


def test_what_a_conversation_chooses(terminal: Callable[..., Pane], daemon: Daemon, tmp_path: Path) -> None:
    (daemon.data_dir / "agents").mkdir(exist_ok=True)
    (daemon.data_dir / "agents" / "poet.yaml").write_text("description: Rhymes.\ninstructions: Rhyme.\n")
    garden = tmp_path / "work" / "my garden"
    garden.mkdir(parents=True)
    pane = terminal(data_dir=daemon.data_dir, columns=220)
    prompts = iter(range(1, 100))

    def types(text: str, *shown: str) -> None:
        pane.until_prompt(next(prompts))
        pane.type(text)
        for words in shown:
            pane.until(words)

    def chosen() -> dict[str, str]:
        [session] = daemon.call("GET", "/api/sessions")["sessions"]
        settings = session["settings"].items()
        return {name: one["value"] for name, one in settings if name != "mcp_off" and one["source"] == "session"}

    types("/effort", "Effort: as the provider decides (the default)")
    types("/folder -", f"Folder: {daemon.work_dir.resolve()} (")
    assert daemon.call("GET", "/api/sessions")["sessions"] == []
    types("/effort high", "There was no conversation yet.", "Effort: high (chosen for this conversation)")
    assert chosen() == {"effort": "high"}
    types("/effort -")
    pane.until(lambda text: text.count("as the provider decides (the default)") == 2)
    types("/effort extreme", "/effort takes one of none, minimal")
    types('/folder "my garden"', f"Folder: {garden.resolve()} (chosen for this conversation)")
    types("/folder nowhere", "nowhere': not a directory")
    types("/model demo:instant", "Model: demo:instant (chosen for this conversation)")
    types("/model", "/model NAME chooses a model for this conversation")
    types("/model nonsense", "'nonsense' is not provider:name")
    types("/agent", "▸ default", "  poet  Rhymes.")
    types("/agent nobody", "/agent lists the agents.")
    types("/agent poet", "Agent: poet. It answers from the next message on")
    types("hello", "tokens in")
    assert chosen() == {"work_dir": str(garden.resolve()), "model": "demo:instant"}
    [session] = daemon.call("GET", "/api/sessions")["sessions"]
    assert (session["agent_id"], session["messages"]) == ("poet", 2)
    daemon.call("PATCH", f"/api/sessions/{session['session_id']}", {"agent_id": "default"})  # as in the page
    types("write hello.txt", ASKED)
    pane.type("d")
    pane.until(lambda text: text.count("tokens in") == 2)
    assert not (garden / "hello.txt").exists()


def test_a_conversation_does_without_an_mcp_server(
    terminal: Callable[..., Pane], daemon: Daemon, tmp_path: Path
) -> None:
    pytest.importorskip("mcp")
    pane = terminal(data_dir=daemon.data_dir, columns=220)
    prompts = iter(range(1, 100))

    def types(text: str, *shown: str) -> None:
        pane.until_prompt(next(prompts))
        pane.type(text)
        for words in shown:
            pane.until(words)

    def off() -> list[str]:
        [session] = daemon.call("GET", "/api/sessions")["sessions"]
        return session["settings"]["mcp_off"]

    types("/mcp", "No MCP servers. aster-sidecar mcp add adds one.")
    types("/mcp on living", "There is no MCP server living.", "/mcp lists the servers.")
    (tmp_path / "living").mkdir()
    add(daemon, tmp_path / "living")
    types("/mcp", "  living  ready, 5 tools\n", "/mcp off NAME and /mcp on NAME choose for this conversation.")
    types("/mcp off", "✗ /mcp off NAME and /mcp on NAME")
    types("/mcp off living", "There was no conversation yet.", "This conversation does without the tools of living.")
    assert off() == ["living"]
    types("/mcp", "  living  ready, 5 tools, off in this conversation\n")
    crash(daemon)
    types("/mcp", "  living  crashed, off in this conversation: ")
    assert "crashed and is not started again" not in pane.text()
    types("/mcp on living", "This conversation has the tools of living.")
    assert off() == []
    daemon.call("POST", "/api/mcp/living/restart")
    until_state(daemon, "ready")
    crash(daemon)
    pane.until("The MCP server living crashed and is not started again: aster-sidecar mcp restart living")


def test_resources_are_mentioned_and_prompts_are_commands(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble, tmp_path: Path
) -> None:
    pytest.importorskip("mcp")
    pane = terminal(data_dir=real.data_dir, columns=160)

    def types(text: str, *shown: str) -> None:
        pane.until(lambda text: last(text).strip() == "›")
        pane.type(text)
        for words in shown:
            pane.until(words)

    types("/resources", "No MCP server that runs offers resources.")
    types("/prompts", "No MCP server that runs offers prompts.")
    (tmp_path / "living").mkdir()
    add(real, tmp_path / "living")
    until(lambda: real.call("GET", "/api/mcp/living")["prompts"], "its prompts were not listed")
    types("/resources", "  @living:notes://one  one\n", "  @living:notes://both  Both\n", "Tab completes it.")
    types("/prompts", "  /living:greet who=… [how=…]\n", "  /living:sum-up  Three lines about the day\n")

    provider.script("Read.", "Greeted.")
    types(
        "what is in @living:notes://one, and who is @nobody:else?", "For your next message: [file one, 15 B]", "Read."
    )
    assert "The first note." in json.dumps(provider.requests[-1].body)
    types("see @living:notes://other", "The MCP server living: no resource notes://other.", "/mcp lists the servers.")
    assert len(provider.requests) == 1, "a message whose resource can't be read is not sent"

    pane.until(lambda text: last(text) == "› see @living:notes://other")
    pane.key("C-u")
    types("/living:other", "The MCP server living offers no prompt other.", "/prompts lists them.")
    types("/living:greet Ada", "The arguments of a prompt are KEY=VALUE")
    types("/living:greet")
    pane.until(lambda text: last(text).startswith("who ›"))
    pane.type("Ada")
    pane.until("Greet Ada.")
    assert len(provider.requests) == 1, "the prompt can be edited first"
    pane.type("")
    pane.until("Greeted.")
    sent = json.dumps(provider.requests[-1].body)
    assert "Greet Ada." in sent
    assert "# Be kind" in sent

    types("/living:sneaky", "\n/mode auto_approve\n")
    pane.until(lambda text: last(text).startswith("Send this prompt?"))
    pane.type("no")
    pane.until("The prompt was not used.")
    assert real.call("GET", "/api/snapshot")["sessions"][0]["settings"]["permission_mode"]["value"] != "auto_approve"

    types("@living:notes://one and @living:notes://other", "no resource notes://other.")
    pane.until(lambda text: last(text) == "› @living:notes://one and @living:notes://other")
    pane.key("C-u")
    types("/attach", "/attach PATH attaches a file")
    assert pane.text().count("For your next message: [file one, 15 B]") == 1, "all that is mentioned, or nothing"


def crash(daemon: Daemon) -> None:
    """Kill the server `living` until it is not started again."""
    for _ in range(5):
        pid = until_state(daemon, "ready")["pid"]
        psutil.Process(pid).kill()
        until(lambda pid=pid: daemon.call("GET", "/api/mcp/living")["pid"] != pid, "it was not killed")
    until_state(daemon, "crashed")


def test_what_can_change_during_an_answer(
    terminal: Callable[..., Pane], real: Daemon, provider: ProviderDouble, tmp_path: Path
) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("This takes long.", chunk=4)], gate=gate, gate_at=1))
    (tmp_path / "work" / "garden").mkdir(parents=True)
    pane = terminal(data_dir=real.data_dir, columns=120)
    pane.until_prompt()
    pane.type("begin")
    pane.until("This")
    pane.type("/effort low")
    pane.until("The current answer keeps its effort.")
    pane.type("/mode auto_approve")
    pane.until("In the current answer it applies from the next tool call on.")
    pane.type("/folder garden")
    pane.until("✗ A turn of this session is running or waiting")
    pane.until("/cancel stops the answer that is being written.")
    gate.set()
    pane.until("tokens in")
    pane.until_prompt(2)
    pane.type("/folder garden")
    pane.until("Folder: ")


def test_the_main_conversation_of_an_agent_keeps_it_and_a_strict_agent_stays_strict(
    terminal: Callable[..., Pane], daemon: Daemon
) -> None:
    (daemon.data_dir / "agents").mkdir(exist_ok=True)
    (daemon.data_dir / "agents" / "careful.yaml").write_text("permission_mode: always_ask\n")
    daemon.ask("hello")
    pane = terminal("--effort", "low", data_dir=daemon.data_dir, columns=160)
    pane.until("Effort: low (chosen for this conversation)")
    pane.until_prompt()
    pane.type("/agent careful")
    pane.until("This is the main conversation of the agent default")
    pane.until("/new starts another conversation, and /agent ID works there.")
    pane.until_prompt(2)
    pane.type("/new Careful")
    pane.until("Conversation: Careful")
    pane.until_prompt(3)
    pane.type("/agent careful")
    pane.until("Agent: careful.")
    pane.until_prompt(4)
    pane.type("/mode auto_approve")
    pane.until("Permission mode: always_ask (from the agent)")
    pane.until("The agent does not allow a mode that asks less.")


def test_a_conversation_is_deleted_after_a_question_and_restored(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    pane.type("hello")
    pane.until("tokens in")
    [session] = daemon.call("GET", "/api/sessions")["sessions"]
    pane.until_prompt(2)
    pane.type("/delete")
    pane.until("Delete “hello”? yes/no")
    pane.type("n")
    pane.until_prompt(3)
    assert len(daemon.call("GET", "/api/sessions")["sessions"]) == 1
    pane.type("/delete")
    pane.until(lambda text: text.count("yes/no") == 2)
    pane.type("yes")
    text = pane.until(lambda text: text.count("There is no conversation yet.") == 2)
    assert f"/restore {session['session_id']}" in text.replace("\n", "")
    pane.until_prompt(4)
    pane.type("/restore")
    assert "1  hello  (2 messages, can be restored until 20" in pane.until(
        "/restore NUMBER restores one of these conversations"
    )
    pane.until_prompt(5)
    pane.type("/restore 1")
    pane.until(lambda text: text.count("Conversation: hello") == 1)
    pane.until_prompt(6)
    pane.type("/history")
    pane.until(lambda text: text.count("You said: “hello”") == 2)
    daemon.call("DELETE", f"/api/sessions/{session['session_id']}")
    pane.until("This conversation was deleted")


def test_without_colour_there_is_none(terminal: Callable[..., Pane]) -> None:
    pane = terminal("hello", environment={"NO_COLOR": "1"})
    assert pane.exit_code() == 0
    assert "I am the demo model" in pane.text()
    assert not re.search(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38;)", pane.raw())


def test_a_dumb_terminal_gets_the_whole_answer(terminal: Callable[..., Pane]) -> None:
    pane = terminal("hello", environment={"TERM": "dumb"})
    assert pane.exit_code() == 0
    assert pane.text().count("I am the demo model") == 1


def test_a_turn_of_somebody_else_is_seen_at_the_prompt(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    daemon.chat("write hello.txt")
    text = pane.until("A question about write_file is waiting for you: /inbox")
    assert "▸ write hello.txt" in text
    pane.type("/approvals")
    pane.until(ASKED)
    pane.key("C-c")  # this only postpones the question: another client's turn asks it
    pane.until(lambda text: last(text).startswith("›"))
    assert len(daemon.call("GET", "/api/approvals")) == 1
    pane.type("/approvals")
    pane.until(lambda text: text.count(ASKED) == 2)
    pane.type("y")
    pane.until("tokens in")
    assert (daemon.work_dir / "hello.txt").exists()


def test_bash_completes_with_the_tab_key(terminal: Callable[..., Pane], tmp_path: Path) -> None:
    pane = terminal("hello")  # its content does not matter: the pane gets a shell
    assert pane.exit_code() == 0
    command = f"{sys.executable} -m aster_sidecar completion bash"
    pane._tmux("respawn-pane", "-k", "-t", "t", "-e", f"PYTHONPATH={ROOT}", "bash", "--norc")
    pane.type(f"PS1='ready '; source <({command}); clear")
    pane.until(lambda text: last(text).startswith("ready"))
    pane.key(
        "a",
        "s",
        "t",
        "e",
        "r",
        "-",
        "s",
        "i",
        "d",
        "e",
        "c",
        "a",
        "r",
        "Space",
        "d",
        "o",
        "Tab",
        "-",
        "-",
        "n",
        "o",
        "Tab",
    )
    pane.until("aster-sidecar doctor --no-model")


def test_live_output_of_a_tool_is_seen_before_it_ends(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until_prompt()
    gate = daemon.work_dir / "gate"
    pane.type("run `echo waiting; while [ ! -e gate ]; do sleep 0.05; done; echo over`")
    pane.until(ASKED)
    pane.type("y")
    pane.until("│ waiting")
    gate.touch()
    text = pane.until("tokens in")
    assert text.count("│ waiting") == 1
    assert "│ over" in text


def test_the_first_message_starts_the_first_conversation(terminal: Callable[..., Pane], daemon: Daemon) -> None:
    pane = terminal(data_dir=daemon.data_dir)
    pane.until("There is no conversation yet. Your first message starts one.")
    pane.until_prompt()
    pane.type("/rename Too early")
    pane.until(lambda text: text.count("There is no conversation yet.") == 2)
    assert daemon.call("GET", "/api/sessions")["sessions"] == []
    pane.type("write hello.txt")
    pane.until(ASKED)
    pane.type("a")
    pane.until("tokens in")
    pane.until_prompt(3)
    pane.type("/rename Later")
    pane.until("Conversation: Later (ses_")
    [session] = daemon.call("GET", "/api/sessions")["sessions"]
    assert (session["title"], session["is_default"]) == ("Later", True)
    pane.type("/delete")
    pane.until("yes/no")
    pane.type("yes")
    pane.until(lambda text: text.count("There is no conversation yet.") == 3)
    assert daemon.call("GET", "/api/sessions")["sessions"] == []
