"""History and keys of the prompts."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.plain_prompt import plain_session, prompted
from aster_sidecar.cli.chat.prompt_parts import Interrupted, command_completer, typed_before


def test_the_history_is_in_a_file_for_the_owner_only(tmp_path: Path) -> None:
    assert isinstance(typed_before(tmp_path / "history"), FileHistory)
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "history").stat().st_mode) == 0o600
    assert isinstance(typed_before(tmp_path / "none" / "history"), InMemoryHistory)
    assert isinstance(typed_before(None), InMemoryHistory)


def test_commands_are_completed() -> None:
    found = command_completer().get_completions(Document("/s"), None)  # type: ignore[arg-type]
    assert {entry.text for entry in found} == {name for name in texts.COMMANDS if name.startswith("/s")}


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("/no", ["/notes:greet"]),
        ("/he", ["/help"]),
        ("see @no", ["@notes:notes://one"]),
        ("see\n@notes:notes://o", ["@notes:notes://one"]),
        ("a /no", []),
        ("mail@no", []),
    ],
)
def test_what_servers_offer_is_completed(typed: str, completed: list[str]) -> None:
    async def offered(sign: str) -> Mapping[str, str]:
        return {"/notes:greet": "Greets"} if sign == "/" else {"@notes:notes://one": "One"}

    async def body() -> list[Completion]:
        completions = command_completer(offered).get_completions_async(Document(typed), CompleteEvent())
        return [one async for one in completions]

    found = asyncio.run(body())
    assert [one.text for one in found] == completed
    for one in found:
        assert typed.endswith(one.text[: -one.start_position])


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("hello\r", "hello"),
        ("one\\\rtwo\r", "one\ntwo"),
        ("one\x1b\rtwo\r", "one\ntwo"),
    ],
)
def test_a_plain_prompt_takes_several_lines(keys: str, text: str, tmp_path: Path) -> None:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(keys)
        assert asyncio.run(prompted("› ", "", plain_session(tmp_path / "history"))) == text


def test_ctrl_c_at_a_plain_prompt_interrupts_it() -> None:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text("half\x03")
        with pytest.raises(Interrupted):
            asyncio.run(prompted("yes/no › ", "", None))
        pipe.send_text("\r")
        assert asyncio.run(prompted("Arguments › ", "{}", None)) == "{}"
