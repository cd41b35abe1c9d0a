"""Which conversation a chat has open: chosen when chat starts and by commands such as /switch and /new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Json, Refused
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import TerminalView, View
from aster_sidecar.text.folding import fold
from aster_sidecar.text.repair import cut, valid_text

ID = re.compile(r"[\w-]+", re.ASCII)
"""What may be a session id; other text would change the path of the request."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which conversation to open.

    `session`: an id, or the beginning of a title; `new`: create one, with the `settings`; neither: the agent's current
    conversation. `agent_id` None: the conversation's agent, or else the agent `default`.
    """

    agent_id: str | None = None
    session: str | None = None
    new: bool = False
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


class OpenConversation:
    """Opens a conversation and reads its state from the daemon into the chat's state."""

    def __init__(self, connection: Connection, view: View, state: ChatState) -> None:
        self._connection = connection
        self._view = view
        self._state = state

    async def choose(self, target: Target) -> None:
        """Open a conversation. Raises: Refused, Unreachable."""
        call, state = self._connection.call, self._state
        agent_id = target.agent_id or "default"
        if target.new:
            session = await call("POST", "/api/sessions", {"agent_id": agent_id, **target.settings})
        elif target.session is None:
            status = await call("GET", "/api/status", agent_id=agent_id)
            if status["session_id"] is None:
                self._open_none(agent_id)
                return
            session = await call("GET", f"/api/sessions/{status['session_id']}")
        else:
            session = await self._named(target.session, target.agent_id)
            if target.agent_id not in (None, session["agent_id"]):
                title = cut(session["title"] or session["session_id"], 100)
                told = texts.other_agent(title, session["agent_id"])
                hint = texts.other_agent_hint(session["session_id"])
                raise Refused(409, {"error": told, "hint": hint})
        if session["session_id"] != state.session_id:
            self._view.flush()
            state.questions.clear()
            state.followed.clear()
            state.queued.clear()
        state.session_id, state.title = session["session_id"], session["title"]
        state.works_with(session)
        await self.catch_up()

    async def read_questions(self) -> None:
        """Read what waits for a person in the open conversation. Raises: Refused, Unreachable."""
        state = self._state
        state.take_inbox(await self._connection.call("GET", "/api/inbox", session_id=state.session_id))
        state.changed.set()

    def _open_none(self, agent_id: str) -> None:
        """The agent has no conversation yet: its first message creates one, and `Follower` opens it."""
        state = self._state
        self._view.flush()
        state.followed.clear()
        state.queued.clear()
        state.questions.clear()
        state.session_id, state.title, state.agent_id, state.mcp_off = "", "", agent_id, frozenset()
        state.changed.set()

    async def _named(self, words: str, agent_id: str | None) -> Json:
        """The session with this id, or the newest whose title begins with `words`, if possible one of the agent."""
        words = valid_text(words)
        if ID.fullmatch(words):
            try:
                return await self._connection.call("GET", f"/api/sessions/{words}")
            except Refused as refusal:
                if refusal.status not in (404, 422):
                    raise
        page = await self._connection.call("GET", "/api/sessions", limit=500)
        named = [entry for entry in page["sessions"] if fold(entry["title"] or "").startswith(fold(words))]
        if not named:
            raise Refused(404, {"error": texts.unknown_title(cut(words, 100)), "code": "session_not_found"})
        return next((entry for entry in named if entry["agent_id"] == agent_id), named[0])

    async def refresh(self) -> None:
        """Read the conversation again, after events of it were missed. Raises: Refused, Unreachable."""
        session = await self._connection.call("GET", f"/api/sessions/{self._state.session_id}")
        self._state.works_with(session)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Read what waits for a person, what is being written and which turns have ended.

        Raises: Refused, Unreachable.
        """
        call, state = self._connection.call, self._state
        await self.read_questions()
        page = await call("GET", "/api/history", agent_id=state.agent_id, session_id=state.session_id, limit=1)
        if isinstance(self._view, TerminalView) and page["messages"] and page["messages"][-1]["status"] == "streaming":
            self._view.load(page["messages"][-1])
        status = await self.status()
        for turn_id in state.sent_turns - {status["turn_id"], *status["queue"]}:
            state.turn_ended(turn_id, {"stop_reason": "complete"})
        state.changed.set()

    async def status(self) -> Json:
        """What `/api/status` returns for this conversation. Raises: Refused, Unreachable."""
        state = self._state
        return await self._connection.call(
            "GET", "/api/status", agent_id=state.agent_id, session_id=state.session_id or None
        )

    def none_is_open(self) -> bool:
        """Whether there is no conversation yet; says so."""
        if not self._state.session_id:
            self._view.note(texts.FIRST_CONVERSATION)
        return not self._state.session_id

    def tell_where(self) -> None:
        """Say which conversation is open."""
        if not self._state.session_id:
            self._view.note(texts.FIRST_CONVERSATION)
            return
        self._view.note(texts.where(plain(self._state.title or ""), self._state.session_id))
