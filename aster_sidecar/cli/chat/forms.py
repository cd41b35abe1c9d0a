"""Asks the person what an agent or an MCP server asks with a form: one field after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.always import NotUnderstood
from aster_sidecar.cli.chat.answering import Answering
from aster_sidecar.cli.chat.connection import Connection, Json, Refused
from aster_sidecar.cli.chat.form_view import show_field, show_form
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.prompt_parts import answer_completer
from aster_sidecar.cli.chat.question_words import answer_words, brief, labels_of
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.typed_answers import read_answer
from aster_sidecar.cli.chat.views import TerminalView, View, show_error

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer


class Over(Exception):
    """The question needs no answer any more."""


class Declined(Exception):
    """The person declines; the exception's text says why, or is empty."""


class Forms:
    """The forms of one chat."""

    def __init__(self, connection: Connection, view: View, state: ChatState, prompt: Prompt) -> None:
        self._answering = Answering(connection, view, state)
        self._view = view
        self._prompt = prompt

    async def ask(self, data: Json, *, expected: bool) -> None:
        """Show a question and send what the person answers; what does not fit is asked again.

        `expected`: as for `Questions.ask`. Raises: Interrupted, EOFError, Leave, and what ended the event stream.
        """
        if isinstance(self._view, TerminalView):
            show_form(self._view.screen, data)
        fields, answers = data["fields"], Json()
        try:
            if not fields:
                await self._agreed(data, guarded=not expected)
            while True:
                await self._fill(data, fields, answers, guarded=not expected)
                fields, expected = await self._sent(data, answers), True
                if not fields:
                    return
        except Declined as declined:
            await self._declined(data, str(declined))
        except Over:
            return

    async def _declined(self, data: Json, why: str) -> None:
        try:
            await self._answering.send(data, decline=True, **({"note": why} if why else {}))
        except Refused as error:
            show_error(self._view, error)

    async def _sent(self, data: Json, answers: Json) -> list[Json]:
        """Send the answers; returns the fields that have to be asked again."""
        try:
            await self._answering.send(data, answers=answers)
        except Refused as error:
            if error.code != "answers_invalid":
                show_error(self._view, error)
                return []
            self._view.note(texts.answers_refused(plain(str(error))), "red")
            named: Json = error.details or {}
            return [field for field in data["fields"] if field["id"] in named] or data["fields"]
        return []

    async def _agreed(self, data: Json, *, guarded: bool) -> None:
        """Wait until the person says that it is done; for a question without fields. Raises: Over, Declined."""
        words = texts.VISITED if data.get("url") else texts.AGREED
        while (await self._typed(data, words, guarded=guarded)).lower() not in texts.DONE_WORDS:
            guarded = False

    async def _fill(self, data: Json, fields: list[Json], answers: Json, *, guarded: bool) -> None:
        """Ask for the answers to these fields. Raises: Over, Declined."""
        at, shown = 0, -1
        while at < len(fields):
            field = fields[at]
            if shown != at and isinstance(self._view, TerminalView):
                show_field(self._view.screen, field, data["fields"].index(field) + 1, len(data["fields"]))
            shown = at
            default = field.get("default")
            label = texts.field_label(field, answer_words(field, default) if default is not None else None)
            typed = await self._typed(data, label, guarded=guarded, follows=at > 0, completer=completer_of(field))
            guarded = False
            if typed.lower() == texts.BACK:
                at, shown = max(0, at - 1), -1
                continue
            try:
                self._take(field, typed, answers)
            except NotUnderstood as error:
                self._view.note(str(error), "yellow")
            else:
                at += 1

    def _take(self, field: Json, typed: str, answers: Json) -> None:
        """Put what was typed for a field into the answers. Raises: NotUnderstood."""
        default, required = field.get("default"), field.get("required", True)
        answers.pop(field["id"], None)
        if not typed:
            if default is None and required:
                raise NotUnderstood(texts.ANSWER_NEEDED)
            if default is not None:
                self._view.note(texts.taken(answer_words(field, default)))
            return
        if typed == texts.NO_ANSWER_SIGN and default is not None and not required:
            answers[field["id"]] = None
        else:
            answers[field["id"]] = read_answer(field, typed)
        if (words := answer_words(field, answers[field["id"]])) != brief(typed):
            self._view.note(texts.taken(words))

    async def _typed(
        self, data: Json, label: str, *, guarded: bool, follows: bool = False, completer: Completer | None = None
    ) -> str:
        """What the person types. Raises: Over, Declined, Interrupted, EOFError, Leave, and what ended the stream."""
        key = data["question_id"]
        typed = await self._prompt.ask(label, until_answered=key, guarded=guarded, follows=follows, completer=completer)
        if typed is None:
            raise Over
        word, _, rest = typed.strip().partition(" ")
        if word.lower() == texts.DECLINE:
            raise Declined(rest.strip())
        return typed.strip()


def completer_of(field: Json) -> Completer:
    """What Tab completes in the answer to a field."""
    kind = field["kind"]
    return answer_completer(
        [plain(one) for one in labels_of(field)] if kind == "choice" else [],
        paths=kind in ("file", "folder"),
        folders_only=kind == "folder",
    )
