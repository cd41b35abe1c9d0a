"""The commands that a person types into a chat, such as /sessions; texts.COMMANDS lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.changes import Changes
from aster_sidecar.cli.chat.choices import Choices, number_of
from aster_sidecar.cli.chat.connection import Connection, Json
from aster_sidecar.cli.chat.conversation import OpenConversation, Target
from aster_sidecar.cli.chat.file_lines import words_of
from aster_sidecar.cli.chat.files import Files
from aster_sidecar.cli.chat.offers import Offers
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.question_words import question_lines
from aster_sidecar.cli.chat.questions import Questions
from aster_sidecar.cli.chat.rewinding import Rewinding
from aster_sidecar.cli.chat.screen import WIDEST
from aster_sidecar.cli.chat.state import ChatState, Leave, key_of, waiting_in
from aster_sidecar.cli.chat.turns import Turns
from aster_sidecar.cli.chat.views import TerminalView, View
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import still_visible, visible

LISTED = 30
"""Largest number of conversations in a list."""
FOUND = 20
"""Largest number of messages that /find shows."""
HISTORY, HISTORY_MOST = 10, 500
"""How many messages /history shows without a number, and at most."""


class Commands:
    """Runs commands for one chat. Every command raises Refused, Unreachable, and what a prompt raises."""

    def __init__(
        self,
        connection: Connection,
        view: View,
        state: ChatState,
        conversation: OpenConversation,
        prompt: Prompt,
        questions: Questions,
        turns: Turns,
        choices: Choices,
        files: Files,
        rewinding: Rewinding,
        changes: Changes,
        offers: Offers,
    ) -> None:
        self._call = connection.call
        self._view = view
        self._state = state
        self._conversation = conversation
        self._prompt = prompt
        self._questions = questions
        self._turns = turns
        self._offers = offers
        self._listed: list[Json] = []
        """What /sessions listed last: /switch takes a number of it."""
        self._deleted: list[Json] = []
        """What /restore listed last."""
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/help": self._help,
            "/new": self._new,
            "/sessions": self._sessions,
            "/find": self._find,
            "/switch": self._switch,
            "/rename": self._rename,
            "/delete": self._delete,
            "/restore": self._restore,
            "/history": self._history,
            "/undo": rewinding.undo,
            "/redo": rewinding.redo,
            "/retry": rewinding.retry,
            "/fork": self._fork,
            "/changes": changes.command,
            "/model": choices.model,
            "/effort": choices.effort,
            "/mode": choices.mode,
            "/folder": choices.folder,
            "/agent": choices.agent,
            "/mcp": choices.mcp,
            "/attach": files.attach,
            "/resources": offers.resources,
            "/prompts": offers.prompts,
            "/inbox": self._inbox,
            "/approvals": self._inbox,
            "/steer": self._steer,
            "/interrupt": self._interrupt,
            "/cancel": self._cancel,
            "/quit": self._quit,
            "/exit": self._quit,
        }

    async def run(self, text: str) -> None:
        """Run the command `text`, which begins with a slash. Raises: Leave for /quit, Refused, Unreachable."""
        name, _, rest = text.partition(" ")
        command = self._commands.get(name)
        if command is not None:
            await command(rest.strip())
        elif not await self._offers.fill(text):
            self._view.note(texts.no_command(plain(name)), "yellow")

    async def _help(self, _: str) -> None:
        width = max(map(len, texts.COMMANDS))
        for command, words in texts.COMMANDS.items():
            self._view.note(f"{command:{width}}  {words}", "", indent=width + 2)
        self._view.note(texts.KEYS)
        self._view.note(texts.KEYS_OF_A_QUESTION)
        self._view.note(texts.KEYS_OF_A_FORM)

    async def _quit(self, _: str) -> None:
        raise Leave

    # -- conversations ---------------------------------------------------------------------------------------------

    async def _open(self, session_id: str) -> None:
        await self._conversation.choose(Target(session=session_id))
        self._conversation.tell_where()

    async def _new(self, title: str) -> None:
        body = {"agent_id": self._state.agent_id, **({"title": title} if title else {})}
        await self._open((await self._call("POST", "/api/sessions", body))["session_id"])

    async def _sessions(self, words: str) -> None:
        note = self._view.note
        page = await self._call("GET", "/api/sessions", agent_id=self._state.agent_id, q=words or None, limit=LISTED)
        self._listed = page["sessions"]
        for number, entry in enumerate(self._listed, 1):
            here = entry["session_id"] == self._state.session_id
            note(texts.listed(number, entry, titled(entry), here=here), "")
            if (hit := page["hits"].get(entry["session_id"])) is not None:
                note(texts.hit(plain(hit["text"])), indent=6)
        note(texts.SWITCH_OPENS if self._listed else texts.NO_MATCHES if words else texts.NO_SESSIONS)

    async def _find(self, words: str) -> None:
        if not words:
            self._view.note(texts.FIND_TAKES)
            return
        if self._conversation.none_is_open():
            return
        page = await self._call("GET", f"/api/sessions/{self._state.session_id}/find", q=words, limit=FOUND)
        for hit in reversed(page["hits"]):
            self._view.note(texts.found(hit, plain(hit["text"])), "", indent=2)
        self._view.note(texts.found_in_all(len(page["hits"]), more=page["next_before"] is not None))

    async def _switch(self, which: str) -> None:
        which = listed_id(which, self._listed)
        if not which:
            self._view.note(texts.SWITCH_TAKES)
            return
        await self._open(which)
        await self._turns.take_up(await self._conversation.status())

    async def _rename(self, title: str) -> None:
        if self._conversation.none_is_open():
            return
        answer = await self._call("PATCH", f"/api/sessions/{self._state.session_id}", {"title": title})
        self._state.title = answer["title"]
        self._conversation.tell_where()

    async def _delete(self, _: str) -> None:
        if self._conversation.none_is_open():
            return
        session_id = self._state.session_id
        title = plain((await self._call("GET", f"/api/sessions/{session_id}"))["title"])
        with self._prompt.holding():
            sure = await self._prompt.confirmed(texts.delete_sure(title))
        if sure:
            deleted = await self._call("DELETE", f"/api/sessions/{session_id}")
            await self._conversation.choose(Target(self._state.agent_id))
            self._view.note(texts.deleted(deleted["restorable_until"], session_id))
            self._conversation.tell_where()

    async def _restore(self, which: str) -> None:
        if which:
            session_id = listed_id(which, self._deleted)
            await self._call("POST", f"/api/sessions/{quote(session_id, safe='')}/restore")
            await self._open(session_id)
            return
        self._deleted = (await self._call("GET", "/api/sessions", deleted=True, limit=LISTED))["sessions"]
        for number, entry in enumerate(self._deleted, 1):
            self._view.note(texts.listed_deleted(number, entry, titled(entry)), "")
        self._view.note(texts.RESTORE_TAKES if self._deleted else texts.TRASH_IS_EMPTY)

    async def _fork(self, _: str) -> None:
        if self._conversation.none_is_open():
            return
        original = self._state.session_id
        await self._open((await self._call("POST", f"/api/sessions/{original}/fork", {}))["session_id"])
        self._view.note(texts.forked(original))

    async def _history(self, count: str) -> None:
        if self._conversation.none_is_open():
            return
        state, limit = self._state, min(number_of(count) or HISTORY, HISTORY_MOST)
        page = await self._call(
            "GET", "/api/history", agent_id=state.agent_id, session_id=state.session_id, limit=limit
        )
        for message in page["messages"]:
            if message["role"] == "user":
                self._view.note(texts.said(words_of(message), by_us=False), "bold")
            else:
                self._show_answer(message)

    def _show_answer(self, message: Json) -> None:
        from aster_sidecar.cli.chat.markdown import TerminalMarkdown

        assert isinstance(self._view, TerminalView)
        screen = self._view.screen
        for part in message["parts"]:
            if part["type"] == "text":
                lines = screen.render(TerminalMarkdown(plain(part["text"])), min(screen.width, WIDEST))
                screen.write(lines, aside=True)
            elif part["type"] == "tool":
                asked: Json | None = part.get("question")
                display = part["display"] or (asked["reason"] if asked else "")
                first, *others = str(display or "").removesuffix("\n").split("\n")
                first = cut(still_visible(first, newlines=False), 200) + (" …" if others else "")
                self._view.note(texts.call_in_history(visible(part["name"]), first, part["state"]))
                for line in question_lines(asked) if asked else ():
                    self._view.note(line, indent=4)
            elif part["type"] == "notice":
                self._view.note(texts.trouble("✗", plain(part["message"])), "yellow")

    # -- turns and questions ---------------------------------------------------------------------------------------

    async def _inbox(self, _: str) -> None:
        state = self._state
        waiting = {key_of(data): data for data in map(waiting_in, await self._call("GET", "/api/inbox"))}
        self._view.note(texts.waiting(len(waiting)) if waiting else texts.NOTHING_WAITS)
        state.questions |= waiting  # what another client answers meanwhile is not asked
        try:
            with self._prompt.holding():
                for number, (key, data) in enumerate(waiting.items()):
                    if key in state.questions:
                        await self._questions.ask(data, expected=number == 0)
        finally:
            for key, data in waiting.items():
                if data["session_id"] != state.session_id:
                    state.questions.pop(key, None)

    async def _steer(self, message: str) -> None:
        await self._say_now(message, "steer")

    async def _interrupt(self, message: str) -> None:
        await self._say_now(message, "interrupt")

    async def _say_now(self, message: str, if_busy: str) -> None:
        if message:
            await self._turns.say(message, if_busy)
        else:
            self._view.note(texts.STEER_TAKES)

    async def _cancel(self, _: str) -> None:
        await self._turns.cancel()


def listed_id(text: str, listed: list[Json]) -> str:
    """The session id at a number of the list; `text` itself if it is not such a number."""
    number = number_of(text)
    return listed[number - 1]["session_id"] if 1 <= number <= len(listed) else text


def titled(entry: Json) -> str:
    """A conversation's title on one line."""
    return plain(entry["title"] or texts.UNTITLED).replace("\n", " ")
