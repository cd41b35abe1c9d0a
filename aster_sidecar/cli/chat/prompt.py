"""Where the person's text comes from: the input line below the conversation, or one plain prompt after another.

The input line needs a terminal that can be repainted; elsewhere nothing stays at the bottom while an answer is written.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.input_line import InputLine
from aster_sidecar.cli.chat.interrupts import CtrlC
from aster_sidecar.cli.chat.plain_prompt import prompted
from aster_sidecar.cli.chat.prompt_parts import Interrupted, Offered
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import TerminalView, View

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer


class Prompt:
    """Reads messages and answers of one person."""

    def __init__(self, view: View, state: ChatState, ctrl_c: CtrlC) -> None:
        self._view = view
        self._state = state
        self._ctrl_c = ctrl_c
        self.line: InputLine | None = None
        """The input line, while it is on the screen."""
        self.session: PromptSession[str] | None = None
        """The plain prompt for messages, where there is no input line."""
        self.offered: Offered | None = None
        """What completes mentions and commands besides those of the chat."""
        self.messages: deque[str] = deque()
        """Messages and commands from the input line that are not handled yet."""

    @contextlib.asynccontextmanager
    async def input_line(
        self, view: TerminalView, interrupted: Callable[[], None], *, history: Path | None = None, held: bool = False
    ) -> AsyncGenerator[InputLine]:
        """Have an input line on the screen. `interrupted`: for Ctrl-C outside of a question; `held`: see InputLine."""
        line = self.line = InputLine(
            view.screen,
            history,
            entered=self._entered,
            interrupted=interrupted,
            left=self._state.leave,
            resized=view.resized,
            offered=self.offered,
        )
        try:
            async with line.on(held=held):
                yield line
        finally:
            self.line = None

    def _entered(self, text: str) -> None:
        self.messages.append(text)
        self._state.changed.set()

    def holding(self) -> contextlib.AbstractContextManager[None]:
        """Within the block Enter sends no message, because a question of several steps is being asked."""
        return contextlib.nullcontext() if self.line is None else self.line.holding()

    def aside(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Within the block another program has the terminal."""
        return contextlib.nullcontext() if self.line is None else self.line.aside()

    async def ask(
        self,
        words: str,
        *,
        default: str = "",
        until_answered: str | None = None,
        guarded: bool = False,
        follows: bool = False,
        completer: Completer | None = None,
    ) -> str | None:
        """Ask for a text with the label `words`; without words, for a message.

        Returns None as soon as the question with the key `until_answered` no longer waits. `guarded`, `follows`,
        `completer`: see InputLine.ask. Raises: Interrupted, EOFError, Leave, and what ended the event stream.
        """
        state = self._state

        def over() -> bool:
            state.check()
            return until_answered is not None and until_answered not in state.questions

        if self.line is not None:
            return await self.line.ask(
                words, over, state.changed, default=default, guarded=guarded, follows=follows, completer=completer
            )
        self._view.flush()
        session = self.session if not words else None
        typing = asyncio.create_task(prompted(f"{words} {texts.PROMPT}".lstrip(), default, session, completer))
        try:
            while not typing.done():
                state.changed.clear()
                if over():
                    return None
                changed = asyncio.create_task(state.changed.wait())
                await asyncio.wait((typing, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
            return typing.result()
        finally:
            if not typing.done():
                typing.cancel()
                await asyncio.gather(typing, return_exceptions=True)
            self._view.flush()
            self._ctrl_c.reinstall()

    async def chosen(self, words: str, *, otherwise: str) -> str:
        """Ask for one of the letters that `words` has in brackets, such as `[k] Keep`; the word after it counts too.

        Another answer is asked again; an interrupted question is answered by `otherwise`. Raises: Leave, and what ended
        the event stream.
        """
        answers = {
            answer.lower(): letter for letter, word in re.findall(r"\[(\w)\] (\w+)", words) for answer in (letter, word)
        }
        again = False
        with self.holding():
            while True:
                try:
                    answer = await self.ask(words, guarded=True, follows=again)
                except (Interrupted, EOFError):
                    return otherwise
                if (letter := answers.get((answer or "").strip().lower())) is not None:
                    return letter
                again = True

    def offer(self, text: str) -> bool:
        """Put a text into the input line; returns whether it is there: nothing that is typed is replaced."""
        return self.line is not None and self.line.offer(text)

    async def confirmed(self, words: str, call_id: str | None = None) -> bool:
        """Ask yes or no; False also when interrupted, or when the question of `call_id` no longer waits.

        Raises: Leave, and what ended the event stream.
        """
        try:
            answer = await self.ask(f"{words} {texts.YES_NO}", until_answered=call_id, guarded=True, follows=True)
        except (Interrupted, EOFError):
            return False
        return (answer or "").strip().lower() in ("y", "yes")
