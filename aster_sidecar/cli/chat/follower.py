"""Follows the daemon's event stream: changes the chat's state and shows the conversation's events."""

from __future__ import annotations

import asyncio

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Json
from aster_sidecar.cli.chat.conversation import OpenConversation
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import TerminalView, View
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import visible


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
        elif kind == "approval_required" and event["session_id"]:
            self._view.note(texts.QUESTION_ELSEWHERE, "yellow")
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
        if kind == "approval_required":
            state.questions[data["call_id"]] = {**data, "session_id": event["session_id"]}
            if not state.asks:
                self._view.note(texts.waits_here(visible(data["name"])), "yellow")
        elif kind == "approval_resolved":
            question = state.questions.pop(data["call_id"], None)
            answered_here = data["call_id"] in state.answered
            # A cancelled question is reported by the `tool_end` event of its call.
            if question is not None and not answered_here and data["decision"] != "cancelled":
                by = plain(str(data["resolved_by"]))
                self._view.note(texts.resolved(visible(question["name"]), data["decision"], by), "yellow")
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
