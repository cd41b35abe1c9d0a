"""Sends the answer to a question to the daemon, also over a restart of the daemon."""

from __future__ import annotations

import asyncio
import contextlib

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import BACKOFF_S, Connection, Json, Refused, Unreachable
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import View

NO_LONGER_ASKED = ("question_resolved", "question_not_found", "question_expired")
"""Codes of errors that say that a question needs no answer any more."""


class Answering:
    """Sends the answers of one chat."""

    def __init__(self, connection: Connection, view: View, state: ChatState) -> None:
        self._connection = connection
        self._view = view
        self._state = state

    async def send(self, data: Json, **answer: object) -> None:
        """Send an answer: the fields of `POST /api/answer` besides the question's id.

        While the daemon does not answer, it is sent again, as long as the question waits. That somebody else has
        answered is told. Raises: Refused, Leave, and what ended the event stream.
        """
        key, state = data["question_id"], self._state
        state.answered.add(key)
        try:
            await self._sent({"question_id": key, **answer})
        except Refused as error:
            if error.code not in NO_LONGER_ASKED:
                raise
            self._view.note(texts.trouble("✗", plain(str(error))), "yellow")
        finally:
            state.answered.discard(key)
        state.questions.pop(key, None)

    async def _sent(self, body: Json) -> None:
        state, told = self._state, False
        while True:
            try:
                await self._connection.call("POST", "/api/answer", body)
            except Unreachable:
                if not told:
                    self._view.note(texts.NOT_SENT_ANSWER, "yellow")
                told = True
                await asyncio.sleep(BACKOFF_S[2])
                state.check()
                with contextlib.suppress(Unreachable):
                    await self._connection.move()
            else:
                return
            if body["question_id"] not in state.questions:
                return
