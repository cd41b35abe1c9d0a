"""/undo, /redo and /retry: the last message is taken out of the conversation, put back, or sent again."""

from __future__ import annotations

from collections.abc import Sequence

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.changed_files import changed_line
from aster_sidecar.cli.chat.connection import Connection, Json, Refused
from aster_sidecar.cli.chat.conversation import OpenConversation
from aster_sidecar.cli.chat.file_lines import line_of, words_of
from aster_sidecar.cli.chat.files import Files
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.reverts import FILES_LISTED, Reverts
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.turns import Turns
from aster_sidecar.cli.chat.views import View
from aster_sidecar.text.safe_text import still_visible

LOOKED_AT = 100
"""How many messages are read to find the last one that began a turn: messages that steered it come after it."""


class Rewinding:
    """Runs these commands for one chat. Every command raises Refused, Unreachable, and what a prompt raises."""

    def __init__(
        self,
        connection: Connection,
        view: View,
        state: ChatState,
        conversation: OpenConversation,
        prompt: Prompt,
        turns: Turns,
        files: Files,
        reverts: Reverts,
    ) -> None:
        self._call = connection.call
        self._view = view
        self._state = state
        self._conversation = conversation
        self._prompt = prompt
        self._turns = turns
        self._files = files
        self._reverts = reverts
        self._attached: list[Json] = []
        """The files of the message that /undo took out last, which are attached to the next one."""

    async def undo(self, _: str) -> None:
        """Take the last message and its answer out, and put its text into the input line."""
        message = await self._taken_out()
        if message is None:
            return
        self._view.note(texts.REDO_PUTS_BACK)
        self._attached = files_of(message)
        self._files.put_back(self._attached)
        for file in self._attached:
            self._view.note(texts.attached(line_of(file)))
        self._offer(message["text"])

    async def redo(self, _: str) -> None:
        """Put back what /undo took out last, and what it did to files."""
        if self._conversation.none_is_open():
            return
        session_id = self._state.session_id
        rewind = (await self._call("GET", f"/api/sessions/{session_id}"))["rewind"]
        if rewind is None:
            self._view.note(texts.NOTHING_TO_REDO)
            return
        event = f"history_unrewound:{rewind['message_id']}"
        answer = await self._reverts.send(f"/api/sessions/{session_id}/unrewind", {"files": "restore"}, event)
        if answer is not None:
            self._files.remove(self._attached)
            self._attached = []
            self._view.note(texts.put_back(answer["messages"]))
            self._reverts.tell(answer["files"])

    async def retry(self, _: str) -> None:
        """Take the last message out and send it again, with its files."""
        message = await self._taken_out()
        if message is None:
            return
        self._view.note(texts.said(words_of(message), by_us=True), "")
        others = self._files.take()
        self._files.put_back(files_of(message))
        try:
            await self._turns.say(message["text"])
        except Refused:
            self._offer(message["text"])
            raise
        finally:
            self._files.put_back(others)

    async def _taken_out(self) -> Json | None:
        """Take the last turn out, after a question if it changed files; returns its message, or None, which is said."""
        if self._conversation.none_is_open():
            return None
        status = await self._conversation.status()
        if status["turn_id"] or status["queue"]:
            self._view.note(texts.trouble("✗", texts.TURN_RUNS), "red")
            self._view.note(texts.hint(texts.REMEDIES["agent_busy"] or ""))
            return None
        session_id = self._state.session_id
        page = await self._call(
            "GET", "/api/history", agent_id=self._state.agent_id, session_id=session_id, limit=LOOKED_AT
        )
        message = last_start(page["messages"])
        if message is None:
            self._view.note(texts.NOTHING_TO_UNDO)
            return None
        body = {"message_id": message["message_id"], **await self._wanted(message["turn_id"])}
        if body["files"] == "cancel":
            self._view.note(texts.NOTHING_UNDONE)
            return None
        event = f"history_rewound:{message['message_id']}"
        answer = await self._reverts.send(f"/api/sessions/{session_id}/rewind", body, event)
        if answer is None:
            return None
        self._view.note(texts.taken_out(answer["messages"]))
        self._reverts.tell(answer["files"])
        return message

    async def _wanted(self, turn_id: str) -> Json:
        """What should become of the files that the turn changed: fields of a rewind, or `cancel` as `files`."""
        session_id = self._state.session_id
        try:
            [turn] = (await self._call("GET", f"/api/sessions/{session_id}/changes", turn_id=turn_id))["turns"]
        except Refused as refusal:
            if refusal.code != "change_not_found":
                raise
            return {"files": "keep"}
        files = [file for file in turn["files"] if file["now"] != "undone"]
        if not files:
            return {"files": "keep"}
        work_dir = (await self._call("GET", f"/api/sessions/{session_id}"))["settings"]["work_dir"]["value"]
        self._view.note(texts.TURN_CHANGED, "")
        for file in files[:FILES_LISTED]:
            self._view.note(changed_line(file, work_dir), "")
        if len(files) > FILES_LISTED:
            self._view.note(texts.more_files(len(files) - FILES_LISTED))
        for words in turn["not_covered"]:
            self._view.note(texts.not_covered(still_visible(words, newlines=False)), indent=2)
        sources = {file["source"] for file in files}
        choices = texts.undo_choices(tools="tool" in sources, commands="command" in sources)
        decision = await self._prompt.chosen(choices, otherwise="c")
        if decision in ("u", "a"):
            return {"files": "restore", "commands": decision == "a"}
        return {"files": "keep" if decision == "k" else "cancel"}

    def _offer(self, text: str) -> None:
        """Put the text into the input line; print it where that can't be done."""
        if text and not self._prompt.offer(text):
            self._view.note(texts.TAKEN_OUT_SAID)
            self._view.note(plain(text), "")


def last_start(messages: Sequence[Json]) -> Json | None:
    """The last of a person's messages that began a turn, not one that steered a turn that was running."""
    starts: dict[str, Json] = {}
    for message in messages:
        if message["role"] == "user":
            starts.setdefault(message["turn_id"], message)
    return list(starts.values())[-1] if starts else None


def files_of(message: Json) -> list[Json]:
    """The images and files of a message."""
    return [part for part in message["parts"] if part["type"] in ("image", "file")]
