"""The commands that take back what was said and what was changed: /undo, /redo, /fork and /changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Json, Refused
from aster_sidecar.cli.chat.conversation import OpenConversation, Target
from aster_sidecar.cli.chat.file_lines import words_of
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.prompt_parts import Interrupted
from aster_sidecar.cli.chat.question_view import DIFF_STYLES
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import View
from aster_sidecar.text.repair import cut

LOOKED = 200
"""How many of the last messages are looked through for the one that began the last turn."""
MESSAGE_CHARS = 300


class Revisions:
    """Runs these commands for one chat. Every command raises Refused, Unreachable, and what a prompt raises."""

    def __init__(
        self, connection: Connection, view: View, state: ChatState, conversation: OpenConversation, prompt: Prompt
    ) -> None:
        self._call = connection.call
        self._view = view
        self._state = state
        self._conversation = conversation
        self._prompt = prompt
        self._listed: list[tuple[str, Json]] = []
        """(turn, file) of each change that /changes listed last."""

    def _none_is_open(self) -> bool:
        if not self._state.session_id:
            self._view.note(texts.FIRST_CONVERSATION)
        return not self._state.session_id

    async def undo(self, _: str) -> None:
        """Take the last message and its answer out of the conversation; ask about the files that it changed."""
        if self._none_is_open():
            return
        message = await self._last_beginning()
        if message is None:
            self._view.note(texts.NOTHING_SAID)
            return
        files = [file for file in await self._files_of(message["turn_id"]) if file["now"] != "undone"]
        body: Json = {"message_id": message["message_id"]}
        with self._prompt.holding():
            if files:
                for file in files:
                    self._view.note(line_of(file), "")
                choice = await self._chosen(texts.UNDO_CHOICES)
                if choice not in ("u", "k"):
                    return
                body |= {"files": "restore", "commands": True} if choice == "u" else {}
            await self._unless_conflict(lambda more: self._post("rewind", {**body, **more}), {"files": "keep"})
        self._view.note(texts.taken_out(cut(plain(words_of(message)).replace("\n", " "), MESSAGE_CHARS)))

    async def redo(self, _: str) -> None:
        """Undo the last /undo."""
        if not self._none_is_open():
            with self._prompt.holding():
                await self._unless_conflict(lambda more: self._post("unrewind", more), {"files": "keep"})

    async def fork(self, _: str) -> None:
        """Copy the conversation and go on in the copy."""
        if self._none_is_open():
            return
        before = self._state.session_id
        copy = await self._post("fork", {})
        await self._conversation.choose(Target(session=copy["session_id"]))
        self._view.note(texts.forked(before))
        self._conversation.tell_where()

    async def changes(self, words: str) -> None:
        """List what the turns changed in files; show the diff of one file, or undo it."""
        if self._none_is_open():
            return
        path = f"/api/sessions/{self._state.session_id}/changes"
        turns = (await self._call("GET", path))["turns"]
        self._listed = [(turn["turn_id"], file) for turn in turns if not turn["rewound"] for file in turn["files"]]
        action, _, rest = words.partition(" ")
        which = rest.strip() if action == "undo" else words
        if not words:
            self._list(turns)
        elif (found := self._named(which)) is None:
            self._view.note(texts.CHANGES_TAKES)
        elif action == "undo":
            await self._undo_file(*found)
        else:
            await self._show(*found)

    def _list(self, turns: list[Json]) -> None:
        for number, (_, file) in enumerate(self._listed, 1):
            self._view.note(texts.numbered(number, line_of(file)), "")
        for note in dict.fromkeys(note for turn in turns for note in turn["not_covered"]):
            self._view.note(plain(note))
        self._view.note(texts.CHANGES_TAKES if self._listed else texts.NO_CHANGES)

    def _named(self, which: str) -> tuple[str, Json] | None:
        """The change with this number in the list; the newest of a path that ends so."""
        if which.isascii() and which.isdigit() and len(which) < 6:
            return self._listed[int(which) - 1] if 1 <= int(which) <= len(self._listed) else None
        return next((one for one in reversed(self._listed) if which and one[1]["path"].endswith(which)), None)

    async def _show(self, turn_id: str, file: Json) -> None:
        found = next((one for one in await self._files_of(turn_id) if one["path"] == file["path"]), file)
        self._view.note(line_of(found), "bold")
        for line in plain(found.get("diff") or "").removesuffix("\n").split("\n"):
            self._view.note(line, DIFF_STYLES.get(line[:1], ""))
        if not found.get("diff") or found["truncated"]:
            self._view.note(texts.DIFF_IS_CUT if found.get("diff") else texts.NO_DIFF)

    async def _undo_file(self, turn_id: str, file: Json) -> None:
        body = {"turn_id": turn_id, "paths": [file["path"]]}
        with self._prompt.holding():
            done = await self._unless_conflict(
                lambda more: self._call("POST", "/api/changes/revert", {**body, **more}), None
            )
        if done is not None:
            for one in done["files"]:
                self._view.note(texts.undone_file(plain(one["path"]), one["action"]))
            for one in done["left"]:
                self._view.note(texts.trouble("!", plain(one["message"])), "yellow")

    async def _unless_conflict(self, call: Callable[[Json], Awaitable[Json]], instead: Json | None) -> Json | None:
        """Do it; when files changed since, ask whether to do it anyway, or `instead`. None: it was not done."""
        try:
            return await call({})
        except Refused as refusal:
            if refusal.code != "revert_conflict":
                raise
            for conflict in refusal.details:
                self._view.note(texts.trouble("!", plain(conflict["message"])), "yellow")
            choice = await self._chosen(texts.conflict_choices(keep=instead is not None))
            if choice == "a":
                return await call({"force": [conflict["path"] for conflict in refusal.details]})
            if choice == "k" and instead is not None:
                return await call(instead)
            raise

    async def _chosen(self, words: str) -> str:
        """The first letter of the answer to a question; "" when it is interrupted."""
        try:
            return (await self._prompt.ask(words, guarded=True) or "").strip().lower()[:1]
        except (Interrupted, EOFError):
            return ""

    async def _post(self, action: str, body: Json) -> Json:
        return await self._call("POST", f"/api/sessions/{self._state.session_id}/{action}", body)

    async def _last_beginning(self) -> Json | None:
        """The message that began the last turn."""
        state = self._state
        page = await self._call(
            "GET", "/api/history", agent_id=state.agent_id, session_id=state.session_id, limit=LOOKED
        )
        messages: list[Json] = page["messages"]
        turn_id = messages[-1]["turn_id"] if messages else None
        return next((one for one in messages if one["turn_id"] == turn_id and one["role"] == "user"), None)

    async def _files_of(self, turn_id: str) -> list[Json]:
        path = f"/api/sessions/{self._state.session_id}/changes"
        try:
            turns = (await self._call("GET", path, turn_id=turn_id))["turns"]
        except Refused as refusal:
            if refusal.code != "change_not_found":
                raise
            return []
        return [file for turn in turns for file in turn["files"]]


def line_of(file: Json) -> str:
    """A changed file, on one line."""
    return texts.changed_file(plain(file["path"]), plain(file.get("moved_from") or ""), file)
