"""One chat with one daemon: a message and its answer, or a conversation until the person leaves.

`Chat` connects the parts: `follower` reads the event stream and shows it, while `converse` handles what the person
types (`turns`, `commands`) and asks the questions that arrive (`questions`). They share `state`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.answering import Answering
from aster_sidecar.cli.chat.changes import Changes
from aster_sidecar.cli.chat.choices import Choices, Wanted
from aster_sidecar.cli.chat.commands import Commands
from aster_sidecar.cli.chat.connection import Connection, Json, Refused, Unreachable
from aster_sidecar.cli.chat.conversation import OpenConversation, Target
from aster_sidecar.cli.chat.files import Files, LocalFile
from aster_sidecar.cli.chat.follower import Follower
from aster_sidecar.cli.chat.given_answers import GivenAnswers
from aster_sidecar.cli.chat.interrupts import CtrlC, ended_by_signals
from aster_sidecar.cli.chat.offers import Offers
from aster_sidecar.cli.chat.one_shot import Unfinished
from aster_sidecar.cli.chat.plain_prompt import plain_session
from aster_sidecar.cli.chat.plain_views import JsonView, PlainView
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.prompt_parts import Interrupted
from aster_sidecar.cli.chat.questions import Questions
from aster_sidecar.cli.chat.reverts import Reverts
from aster_sidecar.cli.chat.rewinding import Rewinding
from aster_sidecar.cli.chat.screen import Screen, window_console
from aster_sidecar.cli.chat.state import ChatState, Leave
from aster_sidecar.cli.chat.turns import QuestionWaits, Turns
from aster_sidecar.cli.chat.views import TerminalView, View, show_error
from aster_sidecar.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_WAITS
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import still_visible


class Chat:
    """One chat. `history`: the file of what was typed before, None for no file; `answers`: those of `--answers`."""

    def __init__(
        self,
        connection: Connection,
        view: View,
        target: Target,
        wanted: Wanted,
        sent: set[str],
        history: Path | None,
        answers: Json | None = None,
    ) -> None:
        self._connection = connection
        self._view = view
        self._target = target
        self._wanted = wanted
        self._history = history
        self._begun: str | None = None
        """The turn of the one message, once it was sent, also by `one_shot`."""
        self._interrupted = False
        self._state = ChatState(target.agent_id or "default", sent)
        self._ctrl_c = CtrlC(self._state)
        self._prompt = Prompt(view, self._state, self._ctrl_c)
        self._conversation = OpenConversation(connection, view, self._state)
        self._questions = Questions(connection, view, self._state, self._prompt)
        self._given = GivenAnswers(Answering(connection, view, self._state), view, answers)
        self._files = Files(connection, view)
        self._turns = Turns(connection, view, self._state, self._prompt, self._questions, self._ctrl_c, self._files)
        self._choices = Choices(connection, view, self._state, self._conversation)
        reverts = Reverts(connection, view, self._state, self._prompt)
        rewinding = Rewinding(
            connection,
            view,
            self._state,
            self._conversation,
            self._prompt,
            self._turns,
            self._files,
            reverts,
        )
        changes = Changes(connection, view, self._state, self._conversation, self._prompt, reverts)
        self._offers = Offers(connection, view, self._state, self._prompt, self._turns, self._files)
        self._prompt.offered = self._offers.completions
        self._commands = Commands(
            connection,
            view,
            self._state,
            self._conversation,
            self._prompt,
            self._questions,
            self._turns,
            self._choices,
            self._files,
            rewinding,
            changes,
            self._offers,
        )

    @contextlib.asynccontextmanager
    async def open(self, unfinished: Unfinished | None = None) -> AsyncGenerator[None]:
        """Follow the event stream and open the conversation; `unfinished`: go on with that message.

        Raises: Refused, Unreachable.
        """
        await self._connection.check()
        after: int | None = None
        if unfinished is not None and unfinished.body is not None:
            after = await self._go_on(unfinished, unfinished.body)
        follower = Follower(self._connection, self._view, self._state, self._conversation)
        following = asyncio.create_task(follower.run(after))
        try:
            await follower.connected.wait()
            self._state.check_stream()
            if self._begun is None:
                await self._conversation.choose(self._target)
            else:
                await self._conversation.read_questions()
            yield
        finally:
            following.cancel()
            await self._turns.stop()
            await asyncio.gather(following, return_exceptions=True)

    async def _go_on(self, unfinished: Unfinished, body: Json) -> int:
        """Send a message again that the daemon may have; returns the seq of the last event that was shown."""
        started = await self._turns.deliver(body)
        self._begun, self._interrupted = started["turn_id"], unfinished.interrupted
        return unfinished.cursor if unfinished.cursor is not None else started["seq"] - 1

    async def attach(self, files: Sequence[LocalFile]) -> None:
        """Upload files for the first message. Raises: Refused, Unreachable."""
        for file in files:
            await self._files.upload(file)

    async def answer(self, message: str, *, ask: bool) -> Json:
        """Send one message and wait for the end of its turn; returns the data of its `done` event.

        `ask`: ask the questions of the turn; else those with forms are answered from the file, or declined. Raises:
        QuestionWaits, Leave, Refused, Unreachable.
        """
        if self._begun is None:
            await self._choices.take(self._wanted)
            self._begun = await self._turns.send(message, choice=self._wanted.turn)
        if self._interrupted:
            self._turns.cancel_soon()
        return await self._turns.finish(self._begun, ask=ask, given=self._given)

    async def converse(self, banner: str) -> None:
        """Talk until the person leaves; `banner` is the first line. Raises: Refused, Unreachable."""
        view = self._view
        view.note(banner)
        await self._choices.take(self._wanted)
        self._conversation.tell_where()
        view.note(texts.HELP_IS)
        with contextlib.suppress(Leave), self._ctrl_c.calls(self._turns.interrupt):
            if isinstance(view, TerminalView) and view.screen.capable:
                await self._converse_with_line(view)
            else:
                await self._converse_by_turns()
        view.flush()

    async def _converse_with_line(self, view: TerminalView) -> None:
        status = await self._conversation.status()
        async with self._prompt.input_line(view, self._turns.interrupt, history=self._history) as line:
            try:
                await self._turns.take_up(status)
                await self._handle_changes()
            except asyncio.CancelledError:
                line.clear()
                raise
            finally:
                self._state.leaving = True
                view.flush()

    async def _handle_changes(self) -> None:
        """Send what is typed and ask the questions that arrive, while answers are written.

        Raises: Leave, and what ended the event stream.
        """
        state = self._state
        while True:
            state.check()
            state.changed.clear()
            question = state.next_question()
            if question is not None and state.asks:
                await self._turns.ask(question)
            elif self._prompt.messages:
                await self._entered(self._prompt.messages.popleft())
            else:
                await state.changed.wait()

    async def _converse_by_turns(self) -> None:
        """Read a message, wait for its answer, read the next one: for a terminal that can't be repainted.

        Raises: Leave, Refused, Unreachable.
        """
        self._prompt.session = plain_session(self._history, self._prompt.offered)
        await self._turns.take_up(await self._conversation.status())
        while True:
            try:
                text = (await self._prompt.ask("") or "").strip()
            except (Interrupted, EOFError):
                self._state.leaving = True
                raise Leave from None
            if text:
                await self._entered(text)

    async def _entered(self, text: str) -> None:
        """Run a command or send a message; say why it failed. Raises: Leave, and what ended the event stream."""
        try:
            if text.startswith("/"):
                await self._commands.run(text)
            else:
                await self._say(text)
        except (Refused, Unreachable) as error:
            self._state.check_stream()
            show_error(self._view, error)

    async def _say(self, text: str) -> None:
        """Send a message with the resources that it mentions. Raises: Refused, Unreachable, Leave."""
        try:
            await self._offers.attach_mentioned(text)
        except (Refused, Unreachable):
            self._prompt.offer(text)  # it was not sent
            raise
        await self._turns.say(text)


async def talk(
    connection: Connection,
    target: Target,
    wanted: Wanted,
    *,
    message: str | None,
    as_json: bool,
    banner: str,
    history: Path | None,
    files: Sequence[LocalFile] = (),
    answers: Json | None = None,
    unfinished: Unfinished | None = None,
) -> int:
    """Send one message and show its answer or, without one, hold a conversation; returns the exit code.

    `files` go with the message or, in a conversation, with the first one. `answers`: by the ids of fields, for the
    questions that the turn of the message asks with forms. `unfinished`: go on with a message that
    `one_shot` has begun with. The code is 0, 1 when the turn failed, 7 when it waits for an approval and there is no
    terminal to ask on, 130 when the person left during the turn, and 128 and the number of a signal that ended it.

    Raises: Refused, Unreachable.
    """
    sent: set[str] = set()
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    view: View
    if unfinished is not None:
        view = unfinished.view
    elif as_json:
        view = JsonView()
    elif sys.stdout.isatty():
        view = TerminalView(Screen(window_console()), sent)
    else:
        view = PlainView()
    chat = Chat(connection, view, target, wanted, sent, history, answers)
    with ended_by_signals() as signals:
        try:
            async with connection, chat.open(unfinished):
                await chat.attach(files)
                if message is not None:
                    return await _exit_code(chat, view, message, ask=interactive)
                await chat.converse(banner)
                return 0
        except asyncio.CancelledError:
            if not signals:
                raise
            return 128 + signals[0]


async def _exit_code(chat: Chat, view: View, message: str, *, ask: bool) -> int:
    """Send one message and wait for its answer; returns the exit code."""
    try:
        done = await chat.answer(message, ask=ask)
    except QuestionWaits as question:
        view.flush()
        form = "question_id" in question.data
        words = question.data["reason" if form else "display"]
        view.note(texts.waits_for_answer(cut(still_visible(words).strip(), 500)))
        view.note(texts.KEEPS_ASKING if form else texts.KEEPS_WAITING)
        return EXIT_WAITS
    except Leave:
        return EXIT_INTERRUPTED
    finally:
        view.flush()
    return 0 if done["stop_reason"] in ("complete", "denied") else EXIT_FAILED
