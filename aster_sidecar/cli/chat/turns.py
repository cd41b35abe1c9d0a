"""The turns of one chat: sends messages, follows their turns until they end, and cancels."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import BACKOFF_S, Connection, Json, Refused, Unreachable
from aster_sidecar.cli.chat.files import Files
from aster_sidecar.cli.chat.given_answers import GivenAnswers
from aster_sidecar.cli.chat.interrupts import CtrlC
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.questions import Questions
from aster_sidecar.cli.chat.state import ChatState, Leave
from aster_sidecar.cli.chat.views import View, show_error

TWICE_S = 2.0
"""A second Ctrl-C within this time leaves the chat."""


class QuestionWaits(Exception):
    """A turn waits for a person and there is nobody to ask; `data` is that of the question."""

    def __init__(self, data: Json) -> None:
        super().__init__(data["call_id"])
        self.data = data


class Turns:
    """Sends messages and follows their turns, in the background while an input line is on the screen."""

    def __init__(
        self,
        connection: Connection,
        view: View,
        state: ChatState,
        prompt: Prompt,
        questions: Questions,
        ctrl_c: CtrlC,
        files: Files,
    ) -> None:
        self._connection = connection
        self._files = files
        self._view = view
        self._state = state
        self._prompt = prompt
        self._questions = questions
        self._ctrl_c = ctrl_c
        self._interrupted_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, message: str, if_busy: str = "queue", choice: Mapping[str, str] | None = None) -> str:
        """Send a message with the files that are attached; `if_busy` as in POST /api/chat. Returns the turn's id.

        `choice`: `model` and `effort` for this turn only.

        While the daemon does not answer, it is sent again. The files stay attached if it is refused, except when the
        daemon no longer has one of them. Raises: Refused, Leave, and what ended the event stream.
        """
        state, files = self._state, self._files.take()
        body = {
            "agent_id": state.agent_id,
            "session_id": state.session_id or None,
            "message": message,
            "client_message_id": os.urandom(16).hex(),
            "if_busy": if_busy,
            **({"attachments": [{"attachment_id": file["attachment_id"]} for file in files]} if files else {}),
            **(choice or {}),
        }
        state.sent.add(f"text:{message}")
        try:
            with self._ctrl_c.calls(self.interrupt) if self._prompt.line is None else contextlib.nullcontext():
                return (await self.deliver(body))["turn_id"]
        except Refused as refusal:
            if refusal.code != "attachment_not_found":
                self._files.put_back(files)
            raise

    async def deliver(self, body: Json) -> Json:
        """Send the body of POST /api/chat, which has a `client_message_id`; returns the answer. Raises: as `send`."""
        state, message, if_busy = self._state, body["message"], body["if_busy"]
        started = await self._delivered(body)
        state.session_id = state.session_id or started["session_id"]
        state.sent |= {started["message_id"], started["turn_id"]}
        if started["status"] == "queued":
            self._view.note(texts.INTERRUPTING if if_busy == "interrupt" else texts.QUEUED)
            if if_busy == "queue" and started["turn_id"] not in state.ended:
                state.queued[started["turn_id"]] = message
        elif started["status"] == "steered":
            self._view.note(texts.STEERED)
        elif started["status"] == "answered":
            self._view.note(texts.MESSAGE_ANSWERED)
        return started

    async def _delivered(self, body: Json) -> Json:
        failures = 0
        while True:
            try:
                # The `client_message_id` is the same, so the daemon does not take the message twice.
                return await self._connection.call("POST", "/api/chat", body)
            except Unreachable:
                if failures == 0:
                    self._view.note(texts.NOT_SENT_YET, "yellow")
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1
                self._state.check_stream()
                if self._state.leaving:
                    raise Leave from None
                with contextlib.suppress(Unreachable):
                    await self._connection.move()

    async def say(self, text: str, if_busy: str = "queue") -> None:
        """Send a message and, without an input line, wait until its turn has ended. Raises: as `send`."""
        await self._go_on(await self.send(text, if_busy))

    async def take_up(self, status: Json) -> None:
        """Follow the turn that runs in this conversation already, if there is one.

        `status` is what /api/status returns. Raises: as `finish`.
        """
        if status["turn_id"]:
            self._view.note(texts.TURN_RUNS)
            self._state.sent.add(status["turn_id"])
            await self._go_on(status["turn_id"])

    async def _go_on(self, turn_id: str) -> None:
        state = self._state
        if self._prompt.line is None:
            await self.finish(turn_id, ask=True)
        elif turn_id not in state.ended:
            if not state.followed:
                self._interrupted_at = 0.0
            state.followed.add(turn_id)

    async def finish(self, turn_id: str, *, ask: bool, given: GivenAnswers | None = None) -> Json:
        """Wait until a turn has ended and, with `ask`, ask its questions; returns the data of its `done` event.

        `given` settles the turn's questions with forms: without `ask` all, else those for which it has answers.
        Raises: QuestionWaits (without `ask`), Refused (with `given`), Leave, and what ended the event stream.
        """
        state = self._state
        self._interrupted_at = 0.0
        state.finishing = True
        try:
            with self._ctrl_c.calls(self.interrupt):
                while turn_id not in state.ended:
                    state.check()
                    state.changed.clear()
                    question = state.next_question()
                    if question is None:
                        await state.changed.wait()
                    elif given is not None and await given.settle(question, turn_id, declining=not ask):
                        continue
                    elif ask:
                        await self.ask(question)
                        self._ctrl_c.reinstall()
                    else:
                        raise QuestionWaits(question)
        finally:
            state.finishing = False
        return state.ended[turn_id]

    async def ask(self, data: Json) -> None:
        """Ask a question of a turn that is followed: Ctrl-C cancels the turn. Raises: as `Questions.ask`."""
        await self._questions.ask(data, interrupt=self.interrupt)

    def interrupt(self) -> None:
        """What Ctrl-C does outside of a question: cancel the answer, else clear the input line, else leave."""
        now, line = time.monotonic(), self._prompt.line
        if self._state.asks and now - self._interrupted_at >= TWICE_S:
            self._interrupted_at = now
            self.cancel_soon()
        elif line is not None and line.text and not self._state.finishing:
            line.clear()
        else:
            self._state.leave()

    def cancel_soon(self) -> None:
        """Cancel the running turn and those in the queue, in the background."""
        self._view.note(texts.CANCELING, "yellow")
        self._in_background(self.cancel())

    async def cancel(self) -> None:
        """Cancel the running turn and those in the queue; say so if there is none, or why it failed."""
        if not self._state.session_id:
            self._view.note(texts.NOTHING_TO_CANCEL)
            return
        body = {"agent_id": self._state.agent_id, "session_id": self._state.session_id}
        try:
            if not (await self._connection.call("POST", "/api/cancel", body))["cancelled"]:
                self._view.note(texts.NOTHING_TO_CANCEL)
        except (Refused, Unreachable) as error:
            show_error(self._view, error)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel what runs in the background, and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
