"""The state of one chat, which its modules share; they wait on `changed`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aster_sidecar.cli.chat.connection import Json


def key_of(data: Json) -> str:
    """The key of what waits for a person: the id of a question or, for an approval request, of its call."""
    return data.get("question_id") or data["call_id"]


def waiting_in(entry: Json) -> Json:
    """The approval request or the question of an entry of the inbox."""
    return entry[entry["kind"]]


class Leave(Exception):
    """The person leaves the chat."""


class ChatState:
    """Which conversation is open, its turns and its questions, and whether the chat is about to end.

    Whoever changes what another task may wait for calls `changed.set()`.
    """

    def __init__(self, agent_id: str, sent: set[str]) -> None:
        self.agent_id = agent_id
        self.session_id = ""
        """Empty until a conversation is open."""
        self.title = ""
        self.mcp_off: frozenset[str] = frozenset()
        """The MCP servers whose tools the open conversation does without."""
        self.sent = sent
        """Ids of turns and messages that this chat sent, and texts without an id yet: see `TerminalView`."""
        self.questions: dict[str, Json] = {}
        """What waits for an answer, oldest first: `key_of` → the data of an approval request or a question."""
        self.answered: set[str] = set()
        """The key of each question that was answered here and is not resolved yet."""
        self.ended: dict[str, Json] = {}
        """`turn_id` → the data of its `done` event."""
        self.followed: set[str] = set()
        """Turns of this chat that have not ended: their questions are asked."""
        self.queued: dict[str, str] = {}
        """`turn_id` → the message, for turns of this chat that wait in the queue."""
        self.ours: set[str] = set()
        """What this chat has undone or put back, so that its events are not told: the id of each revert, and the type
        of each other event with `:` and its `from_message_id`."""
        self.reverting = False
        """Whether a request of this chat that may write files back is being answered."""
        self.finishing = False
        """Whether the chat waits for one turn and reads no messages meanwhile."""
        self.changed = asyncio.Event()
        self.leaving = False
        self._failure: BaseException | None = None

    @property
    def asks(self) -> bool:
        """Whether questions of this conversation are asked as they arrive, because a turn is followed."""
        return self.finishing or bool(self.followed)

    @property
    def sent_turns(self) -> set[str]:
        """Ids of the turns that this chat sent."""
        return {word for word in self.sent if word.startswith("turn_")}

    def works_with(self, session: Json) -> None:
        """Take over which agent answers in the open conversation, and which MCP servers it does without."""
        self.agent_id = session["agent_id"]
        self.mcp_off = frozenset(session["settings"].get("mcp_off") or ())

    def next_question(self) -> Json | None:
        """The first question that is not answered yet."""
        return next((data for key, data in self.questions.items() if key not in self.answered), None)

    def take_inbox(self, entries: Iterable[Json]) -> None:
        """Take over what waits in the open conversation, from GET /api/inbox, in place of what was known of it."""
        others = {key: data for key, data in self.questions.items() if data["session_id"] != self.session_id}
        self.questions = others | {key_of(data): data for data in map(waiting_in, entries)}

    def turn_ended(self, turn_id: str, done: Json) -> None:
        """Record the end of a turn; the first report counts."""
        self.ended.setdefault(turn_id, done)
        self.followed.discard(turn_id)
        self.queued.pop(turn_id, None)

    def leave(self) -> None:
        """End the chat as soon as its tasks notice."""
        self.leaving = True
        self.changed.set()

    def fail(self, failure: BaseException) -> None:
        """End the chat with an error: there will be no more events."""
        self._failure = failure
        self.changed.set()

    def check_stream(self) -> None:
        """Raises: what `fail` was called with."""
        if self._failure is not None:
            raise self._failure

    def check(self) -> None:
        """Raises: what `fail` was called with, Leave."""
        self.check_stream()
        if self.leaving:
            raise Leave
