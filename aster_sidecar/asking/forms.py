"""The form of a question: whether it can be shown, and whether answers fit it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

from aster_sidecar.contract import wire
from aster_sidecar.errors import AnswersInvalid
from aster_sidecar.text.values import as_text

MOST_FIELDS = 10
MOST_OPTIONS = 50
TEXT_CHARS = 100_000
"""Longest text of an answer."""
INT_BITS = 1000
"""The largest size of a whole number: a larger one is no float."""
LOOK_S = 3.0
"""How long a look at a file or folder may take. One that takes longer is accepted: a tool will say what is wrong."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked, and why. `server`: the MCP server that asks; `url`: a page that it asks the person to visit."""

    fields: tuple[wire.QuestionField, ...]
    reason: str
    server: str | None = None
    url: str | None = None


def wrong_with(fields: Sequence[wire.QuestionField]) -> str | None:
    """Why these fields can't be asked; None: they can."""
    if len(fields) > MOST_FIELDS:
        return f"a question has at most {MOST_FIELDS} fields"
    seen: set[str] = set()
    for field in fields:
        if field.id in seen:
            return f"two fields have the id {field.id!r}"
        seen.add(field.id)
        options = field.options or []
        if field.kind in ("choice", "multi"):
            if not options:
                return f"{field.id}: a field of the kind {field.kind} needs options"
            if len(options) > MOST_OPTIONS or len(set(options)) < len(options):
                return f"{field.id}: give at most {MOST_OPTIONS} options, each once"
        elif options:
            return f"{field.id}: a field of the kind {field.kind} has no options"
        if field.default is not None and (wrong := _wrong(field, field.default)) is not None:
            return f"{field.id}: the default {wrong}"
    return None


async def checked(fields: Sequence[wire.QuestionField], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers by the ids of their fields, with defaults for those that are left out. Raises: AnswersInvalid."""
    known = {field.id for field in fields}
    wrong = {name: "there is no such field" for name in answers if name not in known}
    found: dict[str, Any] = {}
    for field in fields:
        value = answers.get(field.id)
        if value is None or (value in ("", []) and not field.required):
            value = field.default if field.id not in answers else None
        if value is None:
            if field.required:
                wrong[field.id] = "an answer is needed"
            continue
        value = value.strip() if isinstance(value, str) and field.kind != "text" else value
        problem = _wrong(field, value) or await _wrong_place(field, value)
        if problem is not None:
            wrong[field.id] = f"it {problem}"
        found[field.id] = value
    if wrong:
        error = AnswersInvalid("; ".join(f"{name}: {words}" for name, words in wrong.items()))
        error.details = wrong
        raise error
    return found


def from_text(fields: Sequence[wire.QuestionField], text: str) -> dict[str, Any] | None:
    """What a person typed as the answer to a form with one field; None: it can't be that."""
    if len(fields) != 1:
        return None
    field, text = fields[0], text.strip()
    value: Any = text
    if field.kind == "number":
        try:
            value = float(text) if re.search(r"[.eE]", text) else int(text)
        except ValueError:
            return None
    elif field.kind == "choice":
        folded = {shown.casefold(): option for option, shown in zip(field.options or [], _labels(field), strict=True)}
        value = folded.get(text.casefold(), text)
    elif field.kind != "text":
        return None
    return {field.id: value} if _wrong(field, value) is None else None


def _labels(field: wire.QuestionField) -> list[str]:
    return field.labels if field.labels is not None else field.options or []


def _wrong(field: wire.QuestionField, value: Any) -> str | None:
    """What is wrong with an answer, as the end of a sentence about it."""
    match field.kind:
        case "boolean":
            return None if isinstance(value, bool) else "has to be true or false"
        case "number":
            return _wrong_number(field, value)
        case "multi":
            return _wrong_list(field, value)
        case _:
            pass
    if not isinstance(value, str):
        return "has to be a text"
    if not value.strip() and field.required:
        return "is empty"
    if len(value) > TEXT_CHARS:
        return f"is longer than {TEXT_CHARS} characters"
    if field.kind == "choice" and value not in (field.options or []) and not field.other:
        return f"is not one of the options: {', '.join(field.options or [])}"
    if field.kind in ("file", "folder"):
        return None if Path(value).is_absolute() and "\0" not in value else "has to be an absolute path"
    return _wrong_text(field, value) if field.kind == "text" else None


def _wrong_number(field: wire.QuestionField, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "has to be a number"
    if (isinstance(value, int) and value.bit_length() > INT_BITS) or not math.isfinite(value):
        return "has to be a finite number of at most 300 digits"
    if field.whole and value != int(value):
        return "has to be a whole number"
    if field.minimum is not None and value < field.minimum:
        return f"has to be at least {field.minimum:g}"
    if field.maximum is not None and value > field.maximum:
        return f"has to be at most {field.maximum:g}"
    return None


def _wrong_list(field: wire.QuestionField, value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[Any]", value)):
        return "has to be a list of texts"
    chosen = cast("list[str]", value)
    if len(set(chosen)) < len(chosen):
        return "names something twice"
    if not chosen and field.required:
        return "is empty"
    unknown = [as_text(one)[:100] for one in chosen if one not in (field.options or [])]
    if unknown and not field.other:
        return f"has what is not among the options: {', '.join(unknown)}"
    return _wrong_length(field, len(chosen), "choices")


def _wrong_text(field: wire.QuestionField, value: str) -> str | None:
    fits = True
    if field.format in ("date", "date-time"):
        try:
            date.fromisoformat(value) if field.format == "date" else datetime.fromisoformat(value)
        except ValueError:
            fits = False
    elif field.format == "email":
        fits = re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None
    elif field.format == "uri":
        fits = re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", value) is not None
    if not fits:
        words = {"email": "an email address", "uri": "an address such as https://example.com"}
        return f"has to be {words.get(str(field.format)) or f'a {field.format}, such as 2026-01-31'}"
    return _wrong_length(field, len(value), "characters")


def _wrong_length(field: wire.QuestionField, length: int, what: str) -> str | None:
    if field.min_length is not None and length < field.min_length:
        return f"has to have at least {field.min_length} {what}"
    if field.max_length is not None and length > field.max_length:
        return f"has to have at most {field.max_length} {what}"
    return None


async def _wrong_place(field: wire.QuestionField, value: Any) -> str | None:
    """What is wrong with the path of a file or folder."""
    if field.kind not in ("file", "folder"):
        return None
    path = Path(value)
    look = path.is_file if field.kind == "file" else path.is_dir
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_S):
            if not await asyncio.to_thread(look):
                return f"is not a {field.kind}"
    return None
