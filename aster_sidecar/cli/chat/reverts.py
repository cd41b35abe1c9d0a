"""Requests that write files back: the person decides about files that changed since, and is told what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Json, Refused
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import View
from aster_sidecar.text.safe_text import still_visible, visible

FILES_LISTED = 50
"""Largest number of files in one list."""


class Reverts:
    """Sends these requests for one chat."""

    def __init__(self, connection: Connection, view: View, state: ChatState, prompt: Prompt) -> None:
        self._call = connection.call
        self._view = view
        self._state = state
        self._prompt = prompt

    async def send(
        self, path: str, body: Mapping[str, object], event: str = "", forced: Sequence[str] = ()
    ) -> Json | None:
        """Send a request; returns its answer, or None if the person chose to leave everything as it is.

        If files changed since, they are listed, and the person chooses: anyway, keep the files (if the body has
        `files`), or cancel. `event`: what `ChatState.ours` knows the event of this request by. `forced`: paths of
        conflicts that were decided. Raises: Refused, Leave, Unreachable, and what ended the event stream.
        """
        state, force = self._state, list(forced)
        while True:
            state.reverting = True
            state.ours |= {event} if event else set()
            try:
                answer = await self._call("POST", path, {**body, "force": force})
            except Exception as error:
                state.ours.discard(event)
                if not isinstance(error, Refused) or error.code != "revert_conflict":
                    raise
                conflicts: list[Json] = error.details
            else:
                written = answer["files"] if "revert_id" not in answer else answer
                if written is not None and written["revert_id"]:
                    state.ours.add(written["revert_id"])
                return answer
            finally:
                state.reverting = False
            decision = await self.decide(conflicts, keep="files" in body)
            if decision == "c":
                return None
            if decision == "k":
                body, force = {**body, "files": "keep"}, []
            else:
                force = [*force, *(conflict["path"] for conflict in conflicts)]

    async def decide(self, conflicts: Sequence[Json], *, keep: bool) -> str:
        """List the conflicts and ask what to do: `a` anyway, `k` keep the files, `c` cancel.

        Raises: Leave, and what ended the event stream.
        """
        self._view.note(texts.CONFLICTS, "yellow")
        self._tell_left(conflicts)
        self._view.note(texts.ANYWAY_MEANS)
        decision = await self._prompt.chosen(texts.conflict_choices(keep=keep), otherwise="c")
        if decision == "c":
            self._view.note(texts.NOTHING_UNDONE)
        return decision

    def tell(self, reverted: Json | None, *, dry: bool = False) -> None:
        """Say what was written, or with `dry` what would be, and what was left as it is."""
        if reverted is None:
            return
        files: list[Json] = reverted["files"]
        for file in files[:FILES_LISTED]:
            self._view.note(texts.reverted(file["action"], visible(file["path"], newlines=False), dry=dry), "")
        if len(files) > FILES_LISTED:
            self._view.note(texts.more_files(len(files) - FILES_LISTED))
        if not dry and reverted["left"]:
            self._view.note(texts.LEFT, "yellow")
            self._tell_left(reverted["left"])

    def _tell_left(self, left: Sequence[Json]) -> None:
        for entry in left[:FILES_LISTED]:
            self._view.note(texts.conflict(still_visible(entry["message"], newlines=False)), "", indent=4)
        if len(left) > FILES_LISTED:
            self._view.note(texts.more_files(len(left) - FILES_LISTED))
