"""Asks the person what waits for them: whether a tool call may run, here, and the forms of questions, in `forms`."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.always import Choice, Limits, NotUnderstood, choices_of, fields_of, read_choice, read_limits
from aster_sidecar.cli.chat.connection import BACKOFF_S, Connection, Json, Refused, Unreachable
from aster_sidecar.cli.chat.forms import Forms
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.prompt_parts import Interrupted
from aster_sidecar.cli.chat.question_view import show_question
from aster_sidecar.cli.chat.state import ChatState, Leave, key_of
from aster_sidecar.cli.chat.views import TerminalView, View, show_error
from aster_sidecar.text.json_text import parse_json

NO_LONGER_WAITS = ("approval_resolved", "approval_not_found", "approval_expired")
"""Codes of errors that say that a question needs no answer any more."""


class Questions:
    """The questions of one chat."""

    def __init__(self, connection: Connection, view: View, state: ChatState, prompt: Prompt) -> None:
        self._connection = connection
        self._view = view
        self._state = state
        self._prompt = prompt
        self._forms = Forms(connection, view, state, prompt)

    async def ask(self, data: Json, *, interrupt: Callable[[], None] | None = None, expected: bool = False) -> None:
        """Show a question and take its answer; an answer given elsewhere ends it too.

        `interrupt`: what Ctrl-C does, which must end the question's turn; without it, Ctrl-C leaves the question
        unanswered. `expected`: the person has just asked for this question, so no pause in the typing is needed.
        Raises: Leave, and what ended the event stream.
        """
        view = self._view
        if self._prompt.line is None and isinstance(view, TerminalView) and view.screen.capable:
            view.flush()
            async with self._prompt.input_line(view, interrupt or (lambda: None), held=True):
                await self._ask(data, interrupt, expected=expected)
        else:
            with self._prompt.holding():
                await self._ask(data, interrupt, expected=expected)

    async def _ask(self, data: Json, interrupt: Callable[[], None] | None, *, expected: bool) -> None:
        self._view.flush()
        try:
            if "question_id" in data:
                await self._forms.ask(data, expected=expected)
            else:
                await self._ask_approval(data, expected=expected)
        except Interrupted:
            if interrupt is not None:
                interrupt()
                await self._until_resolved(key_of(data))
        except EOFError:
            self._view.note(texts.QUESTION_STAYS)
            self._state.leaving = True
            raise Leave from None

    async def _ask_approval(self, data: Json, *, expected: bool) -> None:
        """Ask whether a call may run. Raises: Interrupted, EOFError, Leave, and what ended the event stream."""
        if isinstance(self._view, TerminalView):
            show_question(self._view.screen, data)
        words = texts.choices(always=bool(choices_of(data)))
        answer = await self._prompt.ask(words, until_answered=data["call_id"], guarded=not expected)
        if answer is not None:
            await self._answer(data, answer)

    async def _until_resolved(self, key: str) -> None:
        """Wait until the turn, which is being cancelled, has ended its question."""
        state = self._state
        while key in state.questions and not state.leaving:
            state.changed.clear()
            await state.changed.wait()
            state.check_stream()

    async def _answer(self, data: Json, answer: str) -> None:
        word, _, rest = answer.strip().partition(" ")
        match word.lower():
            case "a" | "allow" | "y" | "yes":
                await self._approve(data, "allow")
            case "d" | "deny" | "no":
                await self._approve(data, "deny", **({"note": rest.strip()} if rest.strip() else {}))
            case "l" | "x":
                await self._always(data, "allow_always" if word.lower() == "l" else "deny_always", rest)
            case "e" | "edit":
                arguments = await self._edited(data["arguments"])
                if arguments is not None:
                    await self._approve(data, "allow", arguments=arguments)
            case _:
                self._view.note(texts.ANSWERS)

    async def _always(self, data: Json, decision: str, typed: str) -> None:
        """Ask what `decision` covers and for how long, unless that is typed already; send it once it is confirmed."""
        choices = choices_of(data)
        if not choices and decision == "allow_always":
            self._view.note(texts.NO_ALWAYS, "yellow")
            return
        choices = choices or [Choice(None, None)]
        asks = len(choices) > 1 and not typed.strip()
        try:
            if asks:
                for number, choice in enumerate(choices, 1):
                    self._view.note(texts.choice(number, choice.words or ""), indent=texts.CHOICE_INDENT)
                typed = await self._answer_to(texts.WHICH, data["call_id"])
            chosen, limits = read_choice(typed, choices)
            if asks and limits == Limits():
                limits = read_limits(await self._answer_to(texts.HOW_LONG, data["call_id"]))
            sure = texts.always_sure(decision, chosen.words, limits.lasting, here=limits.here)
            if await self._prompt.confirmed(sure, data["call_id"]):
                await self._approve(data, decision, **fields_of(chosen, limits))
        except NotUnderstood as error:
            self._view.note(texts.still_open(str(error)), "yellow")
        except (Interrupted, EOFError):
            return

    async def _answer_to(self, words: str, call_id: str) -> str:
        """What the person types to choose. Raises: Interrupted, also when the question needs no answer any more."""
        answer = await self._prompt.ask(words, until_answered=call_id, guarded=True, follows=True)
        if answer is None:
            raise Interrupted
        return answer

    async def _approve(self, data: Json, decision: str, **fields: Any) -> None:
        """Send a decision; where it fails, say why. Raises: Leave, and what ended the event stream."""
        call_id, state = data["call_id"], self._state
        body = {"agent_id": data.get("agent_id") or state.agent_id, "call_id": call_id, "decision": decision}
        state.answered.add(call_id)
        try:
            answer = await self._connection.call("POST", "/api/approve", {**body, **fields})
        except Unreachable as error:
            state.answered.discard(call_id)
            show_error(self._view, error)
            await asyncio.sleep(BACKOFF_S[2])
            return
        except Refused as error:
            if error.code in NO_LONGER_WAITS:
                self._view.note(texts.trouble("✗", plain(str(error))), "yellow")
                state.questions.pop(call_id, None)
                return
            state.answered.discard(call_id)
            if error.code != "edit_unconfirmed":
                show_error(self._view, error)
            elif await self._edit_confirmed(data, error):
                await self._approve(data, decision, **{**fields, "confirm": error.details["confirm"]})
            return
        state.questions.pop(call_id, None)
        state.answered.discard(call_id)  # the same call is asked again if something has changed since
        if answer.get("rule"):
            rule = answer["rule"]
            self._view.note(texts.kept_rule(rule["decision"], plain(rule["words"]), rule.get("expires_at")))
        elif decision == "allow_always":
            self._view.note(texts.ONCE_ONLY)

    async def _edit_confirmed(self, data: Json, error: Refused) -> bool:
        """Show what the edited arguments do beyond what was shown, and ask whether they may run."""
        if isinstance(self._view, TerminalView):
            show_question(self._view.screen, {**data, **error.details, "arguments": {}})
        return await self._prompt.confirmed(texts.run_it(plain(str(error))), data["call_id"])

    async def _edited(self, arguments: Json) -> Json | None:
        """The arguments after the person has edited them, in $VISUAL or $EDITOR or else on the line.

        None when they are not changed or not a JSON object, which is reported.
        """
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if editor:
            shown = json.dumps(arguments, indent=2, ensure_ascii=False)
            try:
                async with self._prompt.aside():
                    text = await asyncio.to_thread(edited, editor, shown)
            except (OSError, ValueError, subprocess.CalledProcessError) as error:
                self._view.note(texts.editor_failed(plain(editor), plain(str(error))), "red")
                return None
            if text == shown:
                self._view.note(texts.NOT_CHANGED, "yellow")
                return None
        else:
            try:
                text = await self._prompt.ask(texts.ARGUMENTS, default=json.dumps(arguments, ensure_ascii=True))
            except (Interrupted, EOFError):
                return None
        try:
            value = parse_json(text or "")
        except ValueError as error:
            self._view.note(texts.not_json(str(error)), "red")
            return None
        if not isinstance(value, dict):
            self._view.note(texts.NOT_AN_OBJECT, "red")
            return None
        return value  # pyright: ignore[reportUnknownVariableType]


def edited(editor: str, text: str) -> str:
    """The text after the person has edited it with `editor`, a command line; blocks until the editor ends.

    Raises: OSError, ValueError (not UTF-8, or an open quote in `editor`), CalledProcessError.
    """
    handle, name = tempfile.mkstemp(prefix="aster-arguments-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        subprocess.run([*shlex.split(editor), name], check=True)
        return Path(name).read_text("utf-8")
    finally:
        Path(name).unlink(missing_ok=True)
