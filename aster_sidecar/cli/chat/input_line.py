"""The input line of a conversation: it stays below what is written, through answers and questions.

What a person types there is a message. A question puts the unfinished message aside and restores it afterwards.
`prompt` creates the line.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.library_patches import keeping_bracketed_paste
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt_parts import Interrupted, Offered, command_completer, sending_keys, typed_before
from aster_sidecar.cli.chat.resizing import Resizing
from aster_sidecar.cli.chat.screen import TAIL_ROWS_KEPT, Screen
from aster_sidecar.cli.chat.wrapping import cells
from aster_sidecar.text.repair import valid_text

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.document import Document
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

GUARD_S = 0.5
"""A question takes the line only after no key was pressed for this time. What a person is typing when the question
appears belongs to the message and answers nothing."""

ANSWER_CELLS = 10
"""Cells that the input needs after a label; with fewer, it is in the next row."""


class InputLine:
    """The line, and the tail of the screen above it.

    `entered` is called with each message; `interrupted` at Ctrl-C outside of a question, `left` at Ctrl-D on an empty
    line and when the terminal is gone; `resized` when the window has another width. `offered`: see `command_completer`.
    """

    def __init__(
        self,
        screen: Screen,
        history: Path | None,
        *,
        entered: Callable[[str], None],
        interrupted: Callable[[], None],
        left: Callable[[], None],
        resized: Callable[[], None],
        offered: Offered | None = None,
    ) -> None:
        self._screen = screen
        self._offered = offered
        self._entered, self._interrupted, self._left = entered, interrupted, left
        self._mode: Literal["message", "held", "asked"] = "message"
        """`held`: a question is about to be asked; keys still change the message, but Enter sends nothing."""
        self._label = ""
        self._completer: Completer | None = None
        """What completes the answer to a question."""
        self._answer: asyncio.Future[str] | None = None
        self._pressed_at = 0.0
        self._pending: list[str] = []
        """What is to be printed above the line."""
        self._flush_scheduled = False
        self._away = False
        """Whether another program has the terminal."""
        self._shown_before: tuple[object, StyleAndTextTuples] | None = None
        self._session = self._make_session(typed_before(history))
        self._session.app.key_processor.before_key_press += self._key_pressed
        self._resizing = Resizing(self._session.app, resized)

    def _make_session(self, history: History) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import DynamicCompleter

        commands = command_completer(self._offered)
        return PromptSession[str](
            history=history,
            completer=DynamicCompleter(lambda: self._completer if self._mode == "asked" else commands),
            complete_while_typing=False,
            multiline=True,
            key_bindings=self._keys(),
            prompt_continuation="  ",
            enable_suspend=True,
            erase_when_done=True,
        )

    @contextlib.asynccontextmanager
    async def on(self, *, held: bool = False) -> AsyncGenerator[None]:
        """Within the block the line is at the bottom of the screen. `held`: it takes answers only, no messages."""
        app = self._session.app
        self._mode = "held" if held else "message"
        self._screen.beneath = self
        started = asyncio.Event()
        running = asyncio.create_task(self._session.prompt_async(self._above_input, pre_run=started.set))
        running.add_done_callback(self._ended)
        try:
            waiting = asyncio.create_task(started.wait())
            await asyncio.wait((waiting, running), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            yield
        finally:
            self._flush()
            if app.is_running and not app.is_done:
                app.exit(result="")
            await asyncio.gather(running, return_exceptions=True)
            self._screen.beneath = None
            self._flush()

    def _ended(self, running: asyncio.Task[str]) -> None:
        if not running.cancelled() and running.exception() is not None:  # the terminal is gone
            self._left()

    @contextlib.asynccontextmanager
    async def aside(self) -> AsyncGenerator[None]:
        """Within the block another program has the terminal."""
        from prompt_toolkit.application import in_terminal

        self._flush()
        async with in_terminal():
            self._away = True
            try:
                yield
            finally:
                self._away = False
        self._flush_soon()

    # -- what is above the input -----------------------------------------------------------------------------------

    def above(self, text: str) -> None:
        """Print finished lines above the tail and the input."""
        self._pending.append(text)
        self._flush_soon()

    def refresh(self) -> None:
        """Draw the tail as it is now."""
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Print what is pending above the line, and draw the line again."""
        self._flush_scheduled = False
        if self._away:
            return
        app, text = self._session.app, "".join(self._pending)
        self._pending.clear()
        if not app.is_running or app.is_done:
            self._screen.console.file.write(text)
            self._screen.console.file.flush()
            return
        if text or self._resizing.redraw_all:
            self._resizing.redraw_all = False
            with keeping_bracketed_paste(app):
                app.renderer.erase()
            app.output.write_raw(text)
            app.output.flush()
        app.invalidate()

    def _above_input(self) -> StyleAndTextTuples:
        """The screen's tail, the label of a question, and the mark before the input."""
        from prompt_toolkit.formatted_text import ANSI, to_formatted_text

        size = self._session.app.output.get_size()
        label, mark = self._label_rows(size.columns)
        typed = min(self._session.default_buffer.document.line_count, size.rows // 2)
        tail = self._screen.rows(size.rows - TAIL_ROWS_KEPT - len(label) - typed + 1)
        key = (size.columns, tuple(tail), tuple(label), mark)
        if self._shown_before is None or self._shown_before[0] != key:
            self._shown_before = key, to_formatted_text(ANSI("\n".join([*tail, *label, mark])))
        return self._shown_before[1]

    def _label_rows(self, columns: int) -> tuple[list[str], str]:
        """The rows of the label, and what stands before the input in its own row."""
        from rich.text import Text

        if self._mode != "asked":
            return [], texts.PROMPT
        one_row = f"{self._label} {texts.PROMPT}"
        if cells(one_row) <= columns - ANSWER_CELLS:
            return [], one_row
        return self._screen.prose(Text(self._label), columns), texts.PROMPT

    # -- keys ------------------------------------------------------------------------------------------------------

    def _key_pressed(self, _: object) -> None:
        self._pressed_at = asyncio.get_running_loop().time()

    def _keys(self) -> KeyBindings:
        from prompt_toolkit.enums import DEFAULT_BUFFER
        from prompt_toolkit.filters import Condition, has_focus

        typing = has_focus(DEFAULT_BUFFER)
        asked = typing & Condition(lambda: self._mode == "asked")
        bindings = sending_keys(lambda _: self._enter(), lambda: self._mode != "asked")

        @bindings.add("c-c", filter=typing)
        @bindings.add("<sigint>")
        def interrupt(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            if self._away:
                return
            if self._answer is None:
                self._interrupted()
            elif not self._answer.done():
                self._answer.set_exception(Interrupted())

        @bindings.add("c-d", filter=typing & Condition(lambda: not self.text))
        def end(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            if self._answer is None:
                self._left()
            elif not self._answer.done():
                self._answer.set_exception(EOFError())

        # The history has messages, not answers.
        @bindings.add("up", filter=asked)
        @bindings.add("down", filter=asked)
        @bindings.add("c-p", filter=asked)
        @bindings.add("c-n", filter=asked)
        @bindings.add("c-r", filter=asked)
        @bindings.add("c-s", filter=asked)
        def nothing(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            pass

        return bindings

    def _enter(self) -> None:
        buffer = self._session.default_buffer
        text = valid_text(buffer.text)  # a paste may have bytes that are not UTF-8
        if self._mode == "asked":
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(text)
                self._mode = "held"  # what is typed from now on was typed before the next question is shown
                buffer.reset()
        elif self._mode == "message" and text.strip():
            buffer.append_to_history()
            buffer.reset()
            self._screen.say(texts.said(plain(text.strip()), by_us=True), aside=True)
            self._entered(text.strip())

    @property
    def text(self) -> str:
        """The text that is typed and not sent."""
        return self._session.default_buffer.text

    def clear(self) -> None:
        """Remove what is typed; the history keeps it."""
        self._session.default_buffer.append_to_history()
        self._session.default_buffer.reset()

    def offer(self, text: str) -> bool:
        """Put a text there as if it were typed, unless something is typed; returns whether it is there now."""
        buffer = self._session.default_buffer
        if not buffer.text:
            buffer.reset(_document(text))
            self._flush_soon()
            return True
        return False

    # -- questions -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def holding(self) -> Generator[None]:
        """Within the block Enter sends no message, because a question of one or more steps is being asked."""
        before, self._mode = self._mode, "held"
        try:
            yield
        finally:
            self._mode = before
            self._flush_soon()

    async def ask(
        self,
        label: str,
        over: Callable[[], bool],
        changed: asyncio.Event,
        *,
        default: str = "",
        guarded: bool = False,
        follows: bool = False,
        completer: Completer | None = None,
    ) -> str | None:
        """Ask a question; returns what is typed, or None as soon as the question is `over`.

        `over` is called first and each time `changed` is set. `guarded`: the question waits for a pause in the typing,
        and what is typed meanwhile belongs to the message; with `follows`, for a question that follows an answer, it is
        dropped. `completer` completes the answer. The unfinished message is put aside and comes back. Raises:
        Interrupted, EOFError, and what `over` raises.
        """
        loop = asyncio.get_running_loop()
        buffer = self._session.default_buffer
        with self.holding():
            draft = buffer.document
            shown_at = loop.time() if guarded else 0.0
            while guarded and (rest := max(shown_at, self._pressed_at) + GUARD_S - loop.time()) > 0:
                changed.clear()
                if over():
                    return None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), rest)
            draft = draft if follows else buffer.document
            buffer.reset(_document(default))
            self._mode, self._label, self._completer = "asked", label, completer
            self._answer = answer = loop.create_future()
            self._flush_soon()
            typed_after = ""
            try:
                while not answer.done():
                    changed.clear()
                    if over():
                        await self._typing_paused()
                        return None
                    change = asyncio.create_task(changed.wait())
                    await asyncio.wait((answer, change), return_when=asyncio.FIRST_COMPLETED)
                    change.cancel()
                typed_after = buffer.text if answer.exception() is None else ""
                said = "" if answer.exception() is not None else plain(answer.result())
                self._screen.say(f"{label} {texts.PROMPT}{said}", aside=True)
                return answer.result()
            finally:
                self._answer = None
                text = draft.text + typed_after
                buffer.reset(_document(text, len(text) if typed_after else draft.cursor_position))

    async def _typing_paused(self) -> None:
        """Wait for a pause in the typing: the rest of an answer to a question that is over is no message."""
        self._mode = "held"
        if (rest := self._pressed_at + GUARD_S - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(rest)
            await self._typing_paused()


def _document(text: str, cursor: int | None = None) -> Document:
    from prompt_toolkit.document import Document

    return Document(text, cursor)
