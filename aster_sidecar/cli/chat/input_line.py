"""The input line of a conversation: it stays beneath what is written, through answers and questions.

What is typed into it is a message; while a question is asked, the half-written message is put aside and comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.renderer import TAIL_ROWS_KEPT, Screen, plain, rows_of
from aster_sidecar.cli.chat.wrapping import cells
from aster_sidecar.text.repair import whole

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.document import Document
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

GUARD_S = 0.5
"""A question takes the line when no key was pressed for so long since it was shown: what a person was typing just then
belongs to the message, and answers nothing."""

ANSWER_CELLS = 10
"""Room behind a label for what is typed; with less, the input gets a row of its own."""


class Interrupted(Exception):
    """Ctrl-C at a prompt. Not KeyboardInterrupt: out of a task, that would end the event loop."""


class InputLine:
    """The line, and the tail of the screen above it.

    `entered` gets each message; `interrupted` is Ctrl-C outside of a question, `left` is Ctrl-D at an empty line;
    `resized` comes when the window has another width.
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
    ) -> None:
        self._screen = screen
        self._entered, self._interrupted, self._left, self._resized = entered, interrupted, left, resized
        self._mode: Literal["message", "held", "asked"] = "message"
        """`held`: something is about to be asked; keys go on into the message, but Enter sends nothing."""
        self._label = ""
        self._answer: asyncio.Future[str] | None = None
        self._pressed_at = 0.0
        self._pending: list[str] = []
        self._due = False
        self._away = False
        """An editor has the terminal."""
        self._columns = self._fitted = 0
        self._anew = False
        """Whether all is to be drawn again, and not only what has changed."""
        self._drawn: tuple[object, StyleAndTextTuples] | None = None
        self._session: PromptSession[str] = self._made(history)

    # -- its life --------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def on(self, *, held: bool = False) -> AsyncGenerator[None]:
        """Have the bottom of the screen for a while. `held`: for questions only; nobody takes messages."""
        app = self._session.app
        self._mode = "held" if held else "message"
        self._screen.beneath = self
        started = asyncio.Event()
        running = asyncio.create_task(self._session.prompt_async(self._shown, pre_run=started.set))
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

    def _made(self, history: Path | None) -> PromptSession[str]:
        from prompt_toolkit import PromptSession

        session = PromptSession[str](
            history=_history(history),
            completer=_completer(),
            complete_while_typing=False,
            multiline=True,
            key_bindings=self._keys(),
            prompt_continuation="  ",
            enable_suspend=True,
            erase_when_done=True,
        )
        app = session.app
        # Where the window is narrower than what was drawn, the terminal has wrapped it: more rows are to be erased.
        drawn_erase = app.renderer.erase

        def erase(leave_alternate_screen: bool = True) -> None:
            if not self._erase_wrapped():
                drawn_erase(leave_alternate_screen)

        app.renderer.erase = erase
        app.before_render += self._before_render
        app.after_render += self._after_render
        app.key_processor.before_key_press += self._key_pressed
        return session

    # -- what is above ---------------------------------------------------------------------------------------------

    def above(self, text: str) -> None:
        self._pending.append(text)
        self._soon()

    def refresh(self) -> None:
        self._soon()

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Print what waits above the line, and draw the line anew."""
        self._due = False
        if self._away:
            return
        app, text = self._session.app, "".join(self._pending)
        self._pending.clear()
        if not app.is_running or app.is_done:
            self._screen.console.file.write(text)
            self._screen.console.file.flush()
            return
        if text or self._anew:
            self._anew = False
            # Pasting must not lose its marks for a moment: several lines would be several messages.
            disable = app.output.disable_bracketed_paste
            app.output.disable_bracketed_paste = lambda: None
            try:
                app.renderer.erase()
            finally:
                app.output.disable_bracketed_paste = disable
            app.output.write_raw(text)
            app.output.flush()
        app.invalidate()

    def _shown(self) -> StyleAndTextTuples:
        """The tail, what is asked, and the mark before the input."""
        from prompt_toolkit.formatted_text import ANSI, to_formatted_text

        size = self._session.app.output.get_size()
        label, mark = self._label_rows(size.columns)
        typed = min(self._session.default_buffer.document.line_count, size.rows // 2)
        tail = self._screen.rows(size.rows - TAIL_ROWS_KEPT - len(label) - typed + 1)
        key = (size.columns, tuple(tail), tuple(label), mark)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, to_formatted_text(ANSI("\n".join([*tail, *label, mark])))
        return self._drawn[1]

    def _label_rows(self, columns: int) -> tuple[list[str], str]:
        from rich.text import Text

        if self._mode != "asked":
            return [], texts.PROMPT
        one = f"{self._label} {texts.PROMPT}"
        if cells(one) <= columns - ANSWER_CELLS:
            return [], one
        return self._screen.prose(Text(self._label), columns), texts.PROMPT

    def _erase_wrapped(self) -> bool:
        """Erase what was drawn for another width; whether it was."""
        app = self._session.app
        drawn, columns = app.renderer.last_rendered_screen, app.output.get_size().columns
        if drawn is None or not self._columns or columns == self._columns:
            return False
        cursor = drawn.get_cursor_position(app.layout.current_window)
        rows = cursor.x // columns
        for y in range(cursor.y):
            row = drawn.data_buffer[y]
            rows += rows_of(max((x + cell.width for x, cell in row.items() if cell.char.strip()), default=0), columns)
        app.output.write_raw("\r")
        app.output.cursor_up(rows)
        app.output.erase_down()
        app.output.reset_attributes()
        app.output.enable_autowrap()
        app.output.flush()
        self._columns = columns
        app.renderer.reset()
        return True

    def _before_render(self, _: object) -> None:
        self._erase_wrapped()

    def _after_render(self, _: object) -> None:
        columns = self._session.app.output.get_size().columns
        before, self._columns = self._columns, columns
        if columns != self._fitted:
            self._fitted = columns
            if before:
                # Where a drawn row becomes shorter, terminals count what was there when they wrap it once more.
                self._anew = True
                self._resized()

    # -- keys ------------------------------------------------------------------------------------------------------

    def _key_pressed(self, _: object) -> None:
        self._pressed_at = asyncio.get_running_loop().time()

    def _keys(self) -> KeyBindings:
        from prompt_toolkit.enums import DEFAULT_BUFFER
        from prompt_toolkit.filters import Condition, has_focus

        typing = has_focus(DEFAULT_BUFFER)
        asked = typing & Condition(lambda: self._mode == "asked")
        bindings = keys(lambda _: self._enter(), lambda: self._mode != "asked")

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
        text = whole(buffer.text)  # bytes that are no UTF-8 may be pasted
        if self._mode == "asked":
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(text)
                self._mode = "held"  # what is typed behind it was typed before the next question
                buffer.reset()
        elif self._mode == "message" and text.strip():
            buffer.append_to_history()
            buffer.reset()
            self._screen.say(texts.said(plain(text.strip()), by_us=True), aside=True)
            self._entered(text.strip())

    @property
    def text(self) -> str:
        """What is typed now."""
        return self._session.default_buffer.text

    def clear(self) -> None:
        """Take what is typed away; the history has it."""
        self._session.default_buffer.append_to_history()
        self._session.default_buffer.reset()

    # -- questions -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def holding(self) -> Generator[None]:
        """Send nothing for a while: something is being asked, perhaps in several steps."""
        before, self._mode = self._mode, "held"
        try:
            yield
        finally:
            self._mode = before
            self._soon()

    async def ask(
        self,
        label: str,
        over: Callable[[], bool],
        changed: asyncio.Event,
        *,
        default: str = "",
        guarded: bool = False,
        follows: bool = False,
    ) -> str | None:
        """Put a question; returns what is typed, or None when it is `over` (asked again whenever `changed` is set).

        `guarded`: it waits for a pause in the typing, and what is typed meanwhile belongs to the message; where the
        question `follows` an answer, it belongs to nothing. The message that is being written is put aside and comes
        back. Raises: Interrupted, EOFError, and what `over` raises.
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
            self._mode, self._label = "asked", label
            self._answer = answer = loop.create_future()
            self._soon()
            typed_behind = ""
            try:
                while not answer.done():
                    changed.clear()
                    if over():
                        await self._pause()
                        return None
                    news = asyncio.create_task(changed.wait())
                    await asyncio.wait((answer, news), return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
                typed_behind = buffer.text if answer.exception() is None else ""
                said = "" if answer.exception() is not None else plain(answer.result())
                self._screen.say(f"{label} {texts.PROMPT}{said}", aside=True)
                return answer.result()
            finally:
                self._answer = None
                text = draft.text + typed_behind
                buffer.reset(_document(text, len(text) if typed_behind else draft.cursor_position))

    async def _pause(self) -> None:
        """Wait until nobody types an answer to what is over any more: it is no message."""
        self._mode = "held"
        if (rest := self._pressed_at + GUARD_S - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(rest)
            await self._pause()

    @contextlib.asynccontextmanager
    async def aside(self) -> AsyncGenerator[None]:
        """Leave the terminal to another program for a while."""
        from prompt_toolkit.application import in_terminal

        self._flush()
        async with in_terminal():
            self._away = True
            try:
                yield
            finally:
                self._away = False
        self._soon()


def _document(text: str, at: int | None = None) -> Document:
    from prompt_toolkit.document import Document

    return Document(text, at)


def keys(send: Callable[[Buffer], None], several: Callable[[], bool] = lambda: True) -> KeyBindings:
    """Enter sends, Alt-Enter and a trailing backslash make a new line where a text may have `several`."""
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)

    @bindings.add("enter", filter=typing)
    def enter(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        buffer = event.current_buffer
        if several() and buffer.document.current_line_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            send(buffer)

    @bindings.add("escape", "enter", filter=typing)
    def new_line(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        event.current_buffer.insert_text("\n")

    return bindings


async def prompted(words: str, default: str, session: PromptSession[str] | None) -> str:
    """One text of a person, on a terminal that can't be painted on: nothing stays beneath what is written.

    Raises: Interrupted, EOFError.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.patch_stdout import patch_stdout

    asked = session or PromptSession[str](interrupt_exception=Interrupted)
    with patch_stdout(raw=True):
        return whole(await asked.prompt_async(words, default=default))


def plain_session(history: Path | None) -> PromptSession[str]:
    """The prompt for messages there: history, completion of commands, several lines."""
    from prompt_toolkit import PromptSession

    return PromptSession(
        history=_history(history),
        completer=_completer(),
        complete_while_typing=False,
        multiline=True,
        key_bindings=keys(lambda buffer: buffer.validate_and_handle()),
        interrupt_exception=Interrupted,
        prompt_continuation="  ",
    )


def _history(path: Path | None) -> History:
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    if path is not None:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError:
            path = None
    return FileHistory(str(path)) if path is not None else InMemoryHistory()


def _completer() -> Completer:
    from prompt_toolkit.completion import WordCompleter

    return WordCompleter(list(texts.COMMANDS), sentence=True, meta_dict=dict(texts.COMMANDS))
