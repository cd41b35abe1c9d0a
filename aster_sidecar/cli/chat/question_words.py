"""A question to a person and its answers, in words that are safe for a terminal.

Every function takes the data of a `question_asked` event, an entry of the inbox, or the `question` of a tool part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import still_visible

BRIEF_CHARS = 300
"""Most characters of a question or an answer in one line."""

Json = Mapping[str, Any]


def server_of(question: Json) -> str | None:
    """The name of the MCP server that asks; None: the agent asks."""
    return brief(question["server"]) if question.get("server") else None


def brief(text: object) -> str:
    """A text on one line."""
    return cut(still_visible(" ".join(str(text).split("\n")), newlines=False), BRIEF_CHARS)


def labels_of(field: Json) -> list[str]:
    """What a person sees for each option."""
    return list(field.get("labels") or field.get("options") or ())


def answer_words(field: Json, value: Any) -> str:
    """An answer, or a default, as a person reads it."""
    if value is None:
        return texts.NO_ANSWER
    if isinstance(value, bool):
        return texts.YES if value else texts.NO
    seen = dict(zip(field.get("options") or (), labels_of(field), strict=False))
    values: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    return brief(", ".join(str(seen.get(one, one)) for one in values)) or texts.NO_ANSWER


def asked_lines(question: Json) -> list[str]:
    """Who asks, why and what, a line each."""
    lines = [texts.asks(server_of(question), page=bool(question.get("url"))), f"  {brief(question['reason'])}"]
    lines += [f"  {brief(question['url'])}"] if question.get("url") else []
    return lines + [f"  {brief(field['text'])}" for field in question["fields"]]


def question_lines(question: Json) -> list[str]:
    """The question of a tool part: what it asks or, once it has ended, its answers."""
    if question.get("outcome") is not None:
        return ended_lines(question, question)
    return [f"  {brief(one)}" for one in (question.get("url"), *(field["text"] for field in question["fields"])) if one]


def ended_lines(question: Json, ending: Json) -> list[str]:
    """The answers, a line for each field, or how the question ended without them.

    `ending`: the data of a `question_answered` event, or the question of a tool part.
    """
    note = brief(ending["note"]) if ending.get("note") else None
    answers: Json | None = ending.get("answers")
    if ending["outcome"] != "answered" or answers is None or not question["fields"]:
        return [texts.question_ended(ending["outcome"], note)]
    return answered_lines(question["fields"], answers) + ([f"  {note}"] if note else [])


def answered_lines(fields: Sequence[Json], answers: Json) -> list[str]:
    """Each field and its answer."""
    return [texts.answer_line(brief(field["text"]), answer_words(field, answers.get(field["id"]))) for field in fields]
