"""Messages that a client may send again: the same `client_message_id` has an effect once, also after a restart."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aster_sidecar.contract import wire
from aster_sidecar.conversation.run_request import NOTHING, TurnChoice
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import AsterError, IdempotencyMismatch, StoreError
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.sends import SendRow, insert_send, select_send
from aster_sidecar.store.sql import Write


@dataclass(frozen=True, slots=True)
class SendKey:
    """What identifies a message that may be sent again. `digest` is of its content."""

    agent_id: str
    client_message_id: str
    digest: str

    def row(self, answer: wire.ChatStarted) -> Write:
        """The write that records the answer."""
        row = SendRow(self.agent_id, self.client_message_id, answer.session_id, self.digest, answer.model_dump_json())
        return insert_send(row)


class Sends:
    """Answers to messages that were sent with a `client_message_id`."""

    def __init__(self, journal: Journal, sessions: Sessions) -> None:
        self._journal = journal
        self._sessions = sessions
        self._in_flight: dict[tuple[str, str], tuple[str, asyncio.Future[wire.ChatStarted]]] = {}

    async def once(
        self, request: wire.ChatRequest, accept: Callable[[SendKey | None], Awaitable[wire.ChatStarted]]
    ) -> wire.ChatStarted:
        """The answer to a message: that of `accept`, or that which the same message got before.

        `accept` gets the key to record with its answer. Raises: IdempotencyMismatch, SessionNotFound, StoreError, and
        what `accept` raises.
        """
        if request.client_message_id is None:
            return await accept(None)
        key = (request.agent_id, request.client_message_id)
        digest = digest_of(request)
        in_flight = self._in_flight.get(key)
        if in_flight is not None:
            check_same(digest, in_flight[0])
            return await asyncio.shield(in_flight[1])
        row = self._journal.first(select_send(*key))
        if row is not None:
            check_same(digest, row.body_hash)
            self._sessions.require(row.session_id)  # it may be in the trash
            return wire.ChatStarted.model_validate_json(row.answer)
        future: asyncio.Future[wire.ChatStarted] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._in_flight[key] = (digest, future)
        try:
            started = await accept(SendKey(*key, digest))
        except BaseException as error:
            future.set_exception(
                error if isinstance(error, AsterError) else StoreError("sending the message was interrupted")
            )
            raise
        finally:
            self._in_flight.pop(key, None)
        future.set_result(started)
        return started


def digest_of(request: wire.ChatRequest) -> str:
    """The digest of what a message says and chooses, in hexadecimal. Older clients' messages keep theirs."""
    content: list[Any] = [request.session_id, request.message, request.context]
    choice = TurnChoice(request.model, request.effort)
    content += [choice] if choice != NOTHING else []
    content += [{"attachments": [ref.model_dump() for ref in request.attachments]}] if request.attachments else []
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_same(digest: str, other: str) -> None:
    """Raises: IdempotencyMismatch, if a message was sent before with the same id and another body."""
    if digest != other:
        raise IdempotencyMismatch("this client_message_id was used for another message")
