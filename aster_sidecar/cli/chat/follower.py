"""Follows the daemon's event stream: changes the chat's state and shows the conversation's events."""

from __future__ import annotations

import asyncio

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Json
from aster_sidecar.cli.chat.conversation import OpenConversation
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.question_words import ended_lines, server_of
from aster_sidecar.cli.chat.state import ChatState, key_of
from aster_sidecar.cli.chat.views import TerminalView, View
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import visible

ASKED = ("approval_required", "question_asked")
TYPED = "chat"
"""Who has answered a question that a message has answered, which the conversation shows."""
RESOLVED = ("approval_resolved", "question_answered")


class Follower:
    """One task that reads all events until it is cancelled or the stream fails."""

    def __init__(self, connection: Connection, view: View, state: ChatState, conversation: OpenConversation) -> None:
        self._connection = connection
        self._view = view
        self._state = state
        self._conversation = conversation
        self._crashed: set[str] = set()
        """MCP servers that have been said to have crashed, until they are started again."""
        self.connected = asyncio.Event()
        """Set when the stream is open, and when it has failed."""

    async def run(self, after: int | None = None) -> None:
        """Follow the stream from now on, or after a seq.

        An error ends it and becomes the failure of the chat's state.
        """

        def lost(reason: str) -> None:
            self._view.note(texts.lost(cut(plain(reason), 200)), "yellow")

        def back() -> None:
            self._view.note(texts.CONNECTED, "green")

        try:
            async for event in self._connection.events(lost, back, after):
                await self._take(event)
        except Exception as error:
            self._state.fail(error)
        finally:
            self.connected.set()
            self._state.changed.set()

    async def _take(self, event: Json) -> None:
        kind = event["type"]
        if not self._state.session_id and kind == "session_changed":
            self._open_first(event["data"])
        session_id = self._state.session_id
        if kind == "connected":
            self.connected.set()
        elif kind == "resync" and session_id:
            await self._conversation.refresh()
        elif session_id and event["session_id"] == session_id:
            self._note(event)
            self._show(event)
            if kind == "done":
                self._state.turn_ended(event["turn_id"], event["data"])
        elif kind == "mcp_changed":
            self._note_server(event["data"])
        elif kind in ASKED and event["session_id"]:
            self._view.note(texts.QUESTION_ELSEWHERE, "yellow")
        elif kind in RESOLVED:  # of another conversation, while /inbox asks it
            self._note_end(kind, event["data"])
        self._state.changed.set()

    def _open_first(self, data: Json) -> None:
        """Open the agent's default conversation when it is created: this event comes before all others of it."""
        if data["change"] != "created":
            return
        session = data["session"]
        if session["is_default"] and session["agent_id"] == self._state.agent_id:
            self._state.session_id, self._state.title = session["session_id"], session["title"]

    def _note(self, event: Json) -> None:
        """Take over questions and their answers, and say what was done elsewhere."""
        state, kind, data = self._state, event["type"], event["data"]
        if kind in ASKED:
            known = {**data, "session_id": event["session_id"], "turn_id": event["turn_id"]}
            state.questions[key_of(data)] = known
            if not state.asks:
                waits = texts.asks_here(server_of(data)) if kind == "question_asked" else ""
                self._view.note(waits or texts.waits_here(visible(data["name"])), "yellow")
        elif kind in RESOLVED:
            self._note_end(kind, data)
        elif kind in ("history_rewound", "history_unrewound"):
            told = f"{kind}:{data['from_message_id']}"
            if told in state.ours:
                state.ours.discard(told)
            else:
                self._view.note(texts.REWOUND_ELSEWHERE[kind], "yellow")
        elif kind == "files_changed" and data.get("revert_id"):
            if not state.reverting and data["revert_id"] not in state.ours:
                self._view.note(texts.reverted_elsewhere(data["files"]), "yellow")
        elif kind == "session_changed" and data["change"] == "updated":
            state.works_with(data["session"])
        elif kind == "session_changed" and data["change"] == "deleted" and data.get("restorable_until"):
            self._view.note(texts.DELETED_ELSEWHERE, "yellow")

    def _note_end(self, kind: str, data: Json) -> None:
        """Forget a question that is resolved, and say so if it was not answered here."""
        key = key_of(data)
        question = self._state.questions.pop(key, None)
        if question is None or key in self._state.answered:
            return
        by = plain(str(data["resolved_by"]))
        # A cancelled question is reported by the `tool_end` event of its call.
        if kind == "approval_resolved" and data["decision"] != "cancelled":
            self._view.note(texts.resolved(visible(question["name"]), data["decision"], by), "yellow")
        elif kind == "question_answered" and data["outcome"] != "cancelled" and by != TYPED:
            self._view.note(texts.question_resolved(data["outcome"], by), "yellow")
            for line in ended_lines(question, data) if data["outcome"] == "answered" else ():
                self._view.note(line)

    def _note_server(self, data: Json) -> None:
        """Say that an MCP server crashed whose tools the open conversation has; other changes are not said."""
        name, state = data["name"], self._state
        if data["state"] != "crashed":
            self._crashed.discard(name)
        elif name not in self._crashed:
            self._crashed.add(name)
            agents = data.get("agents")
            if name not in state.mcp_off and (agents is None or state.agent_id in agents):
                self._view.note(texts.server_crashed(plain(name)), "yellow")

    def _show(self, event: Json) -> None:
        view, queued = self._view, self._state.queued
        if isinstance(view, TerminalView) and event["turn_id"] in queued:
            kind, data = event["type"], event["data"]
            if kind == "done" and data["stop_reason"] == "cancelled":
                view.note(texts.QUEUED_CANCELED, "yellow")
                return
            if kind == "message_added" and data["message"]["role"] == "assistant":
                view.answering(queued.pop(event["turn_id"]))
        view.show(event)
