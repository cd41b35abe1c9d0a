"""Answers to questions where nobody can be asked: from the file of `--answers`, or a refusal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.answering import Answering
from aster_sidecar.cli.chat.connection import Json, Refused
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.question_words import answered_lines, asked_lines
from aster_sidecar.cli.chat.views import TerminalView, View
from aster_sidecar.text.json_text import parse_object


class Unusable(Exception):
    """The file has no answers; the text says why."""


def read_answers(path: str) -> Json:
    """The answers in a JSON file, an object of the ids of fields; `~` is the home directory. Raises: Unusable."""
    try:
        content = Path(os.path.expanduser(path)).read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Unusable(texts.bad_answers(plain(path), texts.NOT_UTF8)) from None
        found = parse_object(text)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()  # it is sent like that
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unusable(texts.bad_answers(plain(path), plain(reason))) from error
    return found


def lacking(fields: list[Json], given: Json) -> list[str]:
    """The ids of the fields that need an answer and have none."""
    return [
        field["id"]
        for field in fields
        if field.get("required", True)
        and given.get(field["id"]) is None
        and (field["id"] in given or field.get("default") is None)
    ]


def defaults(fields: list[Json]) -> Json:
    """What the daemon takes for fields that are left out."""
    return {field["id"]: field.get("default") for field in fields}


def answers_for(fields: list[Json], given: Json) -> Json:
    """The answers to these fields; paths are absolute, from the current directory."""
    return {field["id"]: _answer(field, given[field["id"]]) for field in fields if field["id"] in given}


def _answer(field: Json, value: Any) -> Any:
    if field["kind"] in ("file", "folder") and isinstance(value, str) and value.strip():
        return os.path.join(os.getcwd(), os.path.expanduser(value.strip()))
    return value


class GivenAnswers:
    """Settles questions without asking anybody. `given`: the answers of the file, or None without a file."""

    def __init__(self, answering: Answering, view: View, given: Json | None) -> None:
        self._answering = answering
        self._view = view
        self._given = given

    async def settle(self, data: Json, turn_id: str, *, declining: bool) -> bool:
        """Answer a question of this turn from the file; returns whether it is settled.

        `declining`: decline one that the file does not answer, and say so. An approval request and what another turn
        asks are left to a person. Raises: Refused, Leave, and what
        ended the event stream.
        """
        if "question_id" not in data or data["turn_id"] != turn_id:
            return False
        fields, given, why = data["fields"], self._given, texts.DECLINED_UNASKED
        if given is not None and fields:
            if lacks := lacking(fields, given):
                why = texts.answers_lack(plain(", ".join(lacks)))
            else:
                answers = answers_for(fields, given)
                try:
                    await self._answering.send(data, answers=answers)
                    self._show([*asked_lines(data), *answered_lines(fields, defaults(fields) | answers)])
                    return True
                except Refused as error:
                    if error.code != "answers_invalid":
                        raise
                    why = texts.answers_wrong(plain(str(error)))
        if declining:
            self._show(asked_lines(data))
            self._view.note(why, "yellow")
            await self._answering.send(data, decline=True, note=texts.NOBODY_NOTE)
        return declining

    def _show(self, lines: list[str]) -> None:
        """Show a question on a terminal; the other views show its events."""
        if isinstance(self._view, TerminalView):
            for line in lines:
                self._view.note(line)
