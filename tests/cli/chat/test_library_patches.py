"""Each test fails when a new version of a library no longer has the behaviour that chat relies on."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, in_terminal
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import Renderer
from rich.console import Console

from aster_sidecar.cli.chat.library_patches import console_in, keeping_bracketed_paste, replace_erase
from aster_sidecar.cli.chat.resizing import Resizing

PASTE_OFF = "\x1b[?2004l"


def test_rich_takes_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "_environ" in inspect.signature(Console).parameters
    monkeypatch.setenv("COLUMNS", "77")
    assert console_in({"COLUMNS": "33"}, file=io.StringIO()).width == 33
    assert console_in({"NO_COLOR": "1"}, force_terminal=True).no_color
    assert console_in({"TERM": "dumb"}, force_terminal=True).is_dumb_terminal


class Terminal:
    """A terminal in memory whose width can change."""

    def __init__(self) -> None:
        self.columns = 40
        self.written = io.StringIO()
        self.output = Vt100_Output(self.written, lambda: Size(24, self.columns), term="xterm")

    def text(self) -> str:
        """What was written since the last call."""
        text = self.written.getvalue()
        self.written.seek(0)
        self.written.truncate()
        return text


def with_prompt(body: Callable[[PromptSession[str], Terminal], Awaitable[None]]) -> None:
    """Run `body` with a prompt of prompt_toolkit that has been drawn once."""

    async def run() -> None:
        session = PromptSession[str]("› ")
        drawn = asyncio.Event()

        def rendered(_: object) -> None:
            drawn.set()

        session.app.after_render += rendered
        running = asyncio.create_task(session.prompt_async(default="some text that is typed"))
        await asyncio.wait_for(drawn.wait(), 20)
        try:
            await body(session, terminal)
        finally:
            session.app.exit(result="")
            await running

    terminal = Terminal()
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=terminal.output):
        asyncio.run(run())


def test_prompt_toolkit_erases_through_the_renderer_of_the_app() -> None:
    parameters = inspect.signature(Renderer.erase).parameters
    assert [(name, field.default) for name, field in parameters.items()][1:] == [("leave_alternate_screen", True)]

    async def body(session: PromptSession[str], terminal: Terminal) -> None:
        asked: list[bool] = []

        def erased(answer: bool) -> Callable[[], bool]:
            return lambda: asked.append(answer) or answer

        replace_erase(session.app, erased(False))
        terminal.text()
        async with in_terminal():
            pass
        assert (asked, "\x1b[J" in terminal.text()) == ([False], True)
        replace_erase(session.app, erased(True))
        session.app.renderer.erase()
        assert (asked, terminal.text()) == ([False, True], "")

    with_prompt(body)


def test_erasing_ends_bracketed_paste_but_not_within_the_block() -> None:
    async def body(session: PromptSession[str], terminal: Terminal) -> None:
        app = session.app
        terminal.text()
        app.renderer.erase()
        app.output.flush()
        assert PASTE_OFF in terminal.text(), "the library no longer does this: the patch can be removed"
        app.renderer.render(app, app.layout)
        terminal.text()
        with keeping_bracketed_paste(app):
            app.renderer.erase()
            app.output.flush()
        assert PASTE_OFF not in terminal.text()
        app.output.disable_bracketed_paste()
        app.output.flush()
        assert PASTE_OFF in terminal.text()

    with_prompt(body)


def test_a_prompt_that_the_terminal_has_wrapped_is_erased_with_all_its_rows() -> None:
    async def body(session: PromptSession[str], terminal: Terminal) -> None:
        app: Any = session.app
        times = 0

        def resized() -> None:
            nonlocal times
            times += 1

        resizing = Resizing(app, resized)
        app.renderer.render(app, app.layout)
        resizing._after_render(None)
        assert (times, resizing.redraw_all) == (0, False)
        terminal.columns = 10
        terminal.text()
        app.renderer.erase()
        assert terminal.text().startswith("\r\x1b[2A\x1b[J")  # 25 cells: the cursor is in the third row of 10
        app.renderer.render(app, app.layout)
        resizing._after_render(None)
        assert (times, resizing.redraw_all) == (1, True)
        app.renderer.erase()
        assert times == 1

    with_prompt(body)
