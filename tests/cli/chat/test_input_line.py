"""The input line, with keys from a pipe: text typed before a question appeared does not answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from aster_sidecar.cli.chat import input_line
from aster_sidecar.cli.chat.input_line import InputLine
from aster_sidecar.cli.chat.prompt_parts import Interrupted
from tests.cli.chat.support import screen

WAIT_S = 20.0


class Typed:
    """What the input line passed on."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.news = asyncio.Event()
        self.over = False
        self.interrupted = 0
        self.seen_over = False

    def is_over(self) -> bool:
        self.seen_over = self.over
        return self.over


async def until(wanted: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not wanted():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def with_line(body: Callable[[InputLine, PipeInput, Typed], Awaitable[None]]) -> None:
    async def run(pipe: PipeInput) -> None:
        typed = Typed()

        def interrupted() -> None:
            typed.interrupted += 1

        line = InputLine(
            screen(),
            None,
            entered=typed.messages.append,
            interrupted=interrupted,
            left=lambda: None,
            resized=lambda: None,
        )
        async with line.on():
            await body(line, pipe, typed)

    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        asyncio.run(run(pipe))


def asked(line: InputLine, typed: Typed, *, follows: bool = False) -> asyncio.Task[str | None]:
    return asyncio.create_task(line.ask("Run it?", typed.is_over, typed.news, guarded=True, follows=follows))


def test_what_is_typed_as_a_question_appears_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_line, "GUARD_S", 3600.0)  # the pause in typing never comes

    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        pipe.send_text("bana")
        await until(lambda: line.text == "bana")
        question = asked(line, typed)
        await asyncio.sleep(0)
        pipe.send_text("na\r")
        await until(lambda: line.text == "banana")
        assert not question.done()
        assert typed.messages == []
        typed.over = True
        typed.news.set()
        assert await question is None
        assert line.text == "banana"
        pipe.send_text("!\r")
        await until(lambda: typed.messages)
        assert typed.messages == ["banana!"]

    with_line(body)


def test_the_message_is_put_aside_for_a_question_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_line, "GUARD_S", 0.0)

    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        pipe.send_text("half a message")
        await until(lambda: line.text == "half a message")
        question = asked(line, typed)
        await until(lambda: line.text == "")
        pipe.send_text("d no\rtyped behind\r")
        assert await question == "d no"
        # Text that came together with the answer does not answer the next question, and is not sent.
        await until(lambda: line.text == "half a messagetyped behind")
        assert typed.messages == []

    with_line(body)


def test_keys_for_a_question_that_has_gone_send_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_line, "GUARD_S", 0.0)

    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        pipe.send_text("half")
        await until(lambda: line.text == "half")
        question = asked(line, typed)
        await until(lambda: line.text == "")
        monkeypatch.setattr(input_line, "GUARD_S", 3600.0)  # the pause in typing never comes
        pipe.send_text("a")
        await until(lambda: line.text == "a")
        typed.over = True
        typed.news.set()
        await until(lambda: typed.seen_over)
        pipe.send_text("\rx")
        await until(lambda: line.text == "ax")
        question.cancel()
        await asyncio.wait((question,))
        assert line.text == "half"
        assert typed.messages == []

    with_line(body)


def test_ctrl_c_at_a_question_is_an_answer_to_it_and_elsewhere_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_line, "GUARD_S", 0.0)

    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        pipe.send_text("text\x03")
        await until(lambda: typed.interrupted)
        assert line.text == "text"
        question = asked(line, typed)
        await until(lambda: line.text == "")
        pipe.send_text("\x03")
        with pytest.raises(Interrupted):
            await question
        assert typed.interrupted == 1
        assert line.text == "text"

    with_line(body)


def test_pasted_lines_are_one_message() -> None:
    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        pipe.send_text("\x1b[200~one\ntwo\r\nthree\n\x1b[201~\r")
        await until(lambda: typed.messages)
        assert typed.messages == ["one\ntwo\nthree"]

    with_line(body)


def test_what_is_cleared_is_in_the_history() -> None:
    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        pipe.send_text("precious")
        await until(lambda: line.text == "precious")
        line.clear()
        assert line.text == ""

        def back() -> bool:  # the history is loaded in the background
            pipe.send_text("\x1b[A")
            return line.text == "precious"

        await until(back)

    with_line(body)


def test_what_is_typed_as_a_second_step_appears_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_line, "GUARD_S", 3600.0)  # the pause in typing never comes by itself

    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        pipe.send_text("half")
        await until(lambda: line.text == "half")
        question = asked(line, typed, follows=True)
        await asyncio.sleep(0)
        pipe.send_text("yes\r")
        await until(lambda: line.text == "halfyes")
        monkeypatch.setattr(input_line, "GUARD_S", 0.0)
        typed.news.set()
        await until(lambda: line.text == "")
        assert not question.done()
        pipe.send_text("no\r")
        assert await question == "no"
        assert line.text == "half"
        assert typed.messages == []

    with_line(body)


def test_an_offered_text_replaces_nothing_that_is_typed() -> None:
    async def body(line: InputLine, pipe: PipeInput, typed: Typed) -> None:
        assert line.offer("two\nlines")
        pipe.send_text("!\r")
        await until(lambda: typed.messages)
        assert typed.messages == ["two\nlines!"]
        pipe.send_text("draft")
        await until(lambda: line.text == "draft")
        assert not line.offer("another")
        assert line.text == "draft"

    with_line(body)
