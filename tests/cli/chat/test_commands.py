"""The commands of a chat: the help lists exactly the commands that run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.changes import Changes
from aster_sidecar.cli.chat.choices import Choices, number_of
from aster_sidecar.cli.chat.commands import Commands, listed_id, titled
from aster_sidecar.cli.chat.connection import Connection
from aster_sidecar.cli.chat.conversation import OpenConversation
from aster_sidecar.cli.chat.files import Files
from aster_sidecar.cli.chat.interrupts import CtrlC
from aster_sidecar.cli.chat.offers import Offers
from aster_sidecar.cli.chat.plain_views import PlainView
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.questions import Questions
from aster_sidecar.cli.chat.reverts import Reverts
from aster_sidecar.cli.chat.rewinding import Rewinding
from aster_sidecar.cli.chat.state import ChatState, Leave
from aster_sidecar.cli.chat.turns import Turns


def with_commands(body: Callable[[Commands], Awaitable[None]]) -> None:
    """Run `body` with the commands of a chat whose daemon does not answer."""

    async def run() -> None:
        view, state = PlainView(), ChatState("default", set())
        async with Connection("http://127.0.0.1:1", "instance_1", None, lambda: ("", "", None)) as connection:
            ctrl_c = CtrlC(state)
            prompt = Prompt(view, state, ctrl_c)
            questions = Questions(connection, view, state, prompt)
            files = Files(connection, view)
            turns = Turns(connection, view, state, prompt, questions, ctrl_c, files)
            conversation = OpenConversation(connection, view, state)
            choices = Choices(connection, view, state, conversation)
            reverts = Reverts(connection, view, state, prompt)
            rewinding = Rewinding(connection, view, state, conversation, prompt, turns, files, reverts)
            changes = Changes(connection, view, state, conversation, prompt, reverts)
            offers = Offers(connection, view, state, prompt, turns, files)
            parts = (conversation, prompt, questions, turns, choices, files, rewinding, changes, offers)
            await body(Commands(connection, view, state, *parts))

    asyncio.run(run())


def test_the_help_lists_what_is_run() -> None:
    async def body(commands: Commands) -> None:
        assert commands._commands.keys() == {*texts.COMMANDS, "/exit"}

    with_commands(body)


def test_commands_that_need_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(commands: Commands) -> None:
        for text in (
            "/help",
            "/find",
            "/switch  ",
            "/steer",
            "/mode x",
            "/effort x",
            "/attach",
            "/attach -",
            "/attach no\x1bthing",
            "/nonsense \x1b",
            "/non\x1bsense",
        ):
            await commands.run(text)
        with pytest.raises(Leave):
            await commands.run("/quit")
        with pytest.raises(Leave):
            await commands.run("/exit now")

    with_commands(body)
    told = capsys.readouterr().err
    assert all(f"\n{name} " in f"\n{told}" for name in texts.COMMANDS)
    assert told.splitlines()[-10:] == [
        texts.FIND_TAKES,
        texts.SWITCH_TAKES,
        texts.STEER_TAKES,
        f"✗ {texts.MODE_TAKES}",
        f"✗ {texts.EFFORT_TAKES}",
        texts.ATTACH_TAKES,
        texts.NOTHING_ATTACHED,
        f"✗ {os.getcwd()}/no␛thing can’t be attached: No such file or directory.",
        texts.no_command("/nonsense"),
        texts.no_command("/non␛sense"),
    ]


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("", 0), ("x", 0), ("-1", 0), ("1" * 10, 0), ("٣", 0), ("007", 7)]
)
def test_numbers(text: str, number: int) -> None:
    assert number_of(text) == number


def test_a_number_names_an_entry_of_the_list_and_other_text_is_an_id_or_a_title() -> None:
    listed = [{"session_id": "ses_a"}, {"session_id": "ses_b"}]
    assert [listed_id(text, listed) for text in ("1", "2", "3", "0", "hello")] == ["ses_a", "ses_b", "3", "0", "hello"]


def test_a_title_is_one_line() -> None:
    assert titled({"title": "two\nlines \x1b"}) == "two lines ␛"
    assert titled({"title": ""}) == texts.UNTITLED
