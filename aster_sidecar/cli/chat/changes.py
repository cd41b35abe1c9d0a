"""/changes: what the turns of a conversation changed in files, the diffs, and undoing one."""

from __future__ import annotations

import os

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.changed_files import changed_line
from aster_sidecar.cli.chat.choices import number_of, typed_path
from aster_sidecar.cli.chat.connection import Connection, Json
from aster_sidecar.cli.chat.conversation import OpenConversation
from aster_sidecar.cli.chat.file_lines import words_of
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.question_view import diff_lines
from aster_sidecar.cli.chat.reverts import FILES_LISTED, Reverts
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import TerminalView, View
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import still_visible

MESSAGES_READ = 100
"""How many messages are read, to show those that began the turns."""
MESSAGE_CHARS = 100


class Changes:
    """Runs the command for one chat. It raises Refused, Unreachable, and what a prompt raises."""

    def __init__(
        self,
        connection: Connection,
        view: View,
        state: ChatState,
        conversation: OpenConversation,
        prompt: Prompt,
        reverts: Reverts,
    ) -> None:
        self._call = connection.call
        self._view = view
        self._state = state
        self._conversation = conversation
        self._prompt = prompt
        self._reverts = reverts
        self._listed: tuple[str, list[Json]] = ("", [])
        """The session and the files that were listed last: a number is one of them."""
        self._work_dir = ""

    async def command(self, words: str) -> None:
        """List the changes, show the diff of one, or undo or redo one."""
        if self._conversation.none_is_open():
            return
        word, _, rest = words.partition(" ")
        if not words:
            await self._list()
        elif word in ("undo", "redo"):
            await self._revert(rest.strip(), redo=word == "redo")
        elif (file := await self._named(words)) is not None:
            self._show(file)

    async def _read(self) -> list[Json]:
        """The turns that are in the conversation and changed files; their files become those that numbers mean."""
        session_id = self._state.session_id
        self._work_dir = (await self._call("GET", f"/api/sessions/{session_id}"))["settings"]["work_dir"]["value"]
        found = (await self._call("GET", f"/api/sessions/{session_id}/changes"))["turns"]
        turns = [turn for turn in found if not turn["rewound"]]
        files = [{"turn_id": turn["turn_id"], **file} for turn in turns for file in turn["files"]]
        self._listed = (session_id, files)
        return turns

    async def _list(self) -> None:
        """List the files of each turn, below the message that began it."""
        state, turns = self._state, await self._read()
        page = await self._call(
            "GET", "/api/history", agent_id=state.agent_id, session_id=state.session_id, limit=MESSAGES_READ
        )
        said = {message["message_id"]: words_of(message).replace("\n", " ") for message in page["messages"]}
        number = 0
        for turn in turns:
            words = cut(said.get(turn["message_id"], texts.EARLIER_MESSAGE), MESSAGE_CHARS)
            self._view.note(texts.said(words, by_us=False), "bold")
            for at, file in enumerate(turn["files"], number + 1):
                if at <= number + FILES_LISTED:
                    self._view.note(changed_line(file, self._work_dir, at), "", indent=5)
            number += len(turn["files"])
            if len(turn["files"]) > FILES_LISTED:
                self._view.note(texts.more_files(len(turn["files"]) - FILES_LISTED))
            for words in turn["not_covered"]:
                self._view.note(texts.not_covered(still_visible(words, newlines=False)), indent=2)
        self._view.note(texts.CHANGES_TAKES if turns else texts.NO_CHANGES)

    async def _named(self, which: str) -> Json | None:
        """The file at a number of the list or with a path, as it is now and with its diff; None, which is said."""
        session_id = self._state.session_id
        number = number_of(which)
        if self._listed[0] != session_id or not 0 < number <= len(self._listed[1]):
            await self._read()
        listed = self._listed[1]
        if number:
            found = listed[number - 1] if number <= len(listed) else None
        else:
            whole, endings = typed_path(which), tuple({"/" + which, os.sep + which})
            found = next(
                (file for file in reversed(listed) if file["path"] == whole or file["path"].endswith(endings)), None
            )
        if found is not None:
            changes = await self._call("GET", f"/api/sessions/{session_id}/changes", turn_id=found["turn_id"])
            files = [file for turn in changes["turns"] for file in turn["files"] if file["path"] == found["path"]]
            if files:
                return {"turn_id": found["turn_id"], **files[0]}
        self._view.note(texts.trouble("✗", texts.no_change(plain(which))), "red")
        self._view.note(texts.hint(texts.CHANGES_TAKES))
        return None

    def _show(self, file: Json) -> None:
        """Show what a turn changed in a file."""
        self._view.note(changed_line(file, self._work_dir), "")
        if not file["diff"]:
            same = file["diff"] is not None
            self._view.note(texts.SAME_LINES if same else texts.no_diff(file["before"], file["after"]))
            return
        assert isinstance(self._view, TerminalView)
        screen = self._view.screen
        lines = diff_lines(still_visible(file["diff"].removesuffix("\n")).split("\n"))
        screen.write([entry for line in lines for entry in screen.render(line)], aside=True)
        if file["truncated"]:
            self._view.note(texts.DIFF_IS_CUT)

    async def _revert(self, which: str, *, redo: bool) -> None:
        """Undo a change, or undo its undo, after the person has seen what would be written."""
        if not which:
            self._view.note(texts.CHANGES_TAKES)
            return
        file = await self._named(which)
        if file is None:
            return
        if redo and not file["revert_id"]:
            self._view.note(texts.NOT_UNDONE_YET)
            return
        chosen = {"revert_id": file["revert_id"]} if redo else {"turn_id": file["turn_id"]}
        body = {**chosen, "paths": [file["path"]]}
        would = await self._call("POST", "/api/changes/revert", {**body, "dry_run": True})
        conflicts: list[Json] = would["left"]
        if not conflicts and all(entry["action"] == "none" for entry in would["files"]):
            self._view.note(texts.AS_BEFORE_ALREADY)
            return
        with self._prompt.holding():
            self._reverts.tell(would, dry=True)
            if conflicts:
                sure = await self._reverts.decide(conflicts, keep=False) == "a"
            else:
                sure = await self._prompt.confirmed(texts.REDO_SURE if redo else texts.UNDO_SURE)
            if sure:
                force = [conflict["path"] for conflict in conflicts]
                self._reverts.tell(await self._reverts.send("/api/changes/revert", body, forced=force))
