"""What "always" covers and for how long: the choices of a question, and what a person types to choose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.lasting import Lasting, WrongTime, read_lasting
from aster_sidecar.text.safe_text import still_visible

HERE = "s"
"""What a person types for a rule that applies in this conversation only."""


class NotUnderstood(Exception):
    """What was typed chooses nothing; the exception's text says why."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What "always" may cover, in `words` that are safe for the terminal; without words, exactly the call.

    `scope_id`: None for what it covers if nobody chooses.
    """

    scope_id: str | None
    words: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """When a rule applies: in this conversation only, or in all; without `lasting`, forever."""

    here: bool = False
    lasting: Lasting | None = None


def choices_of(data: dict[str, Any]) -> list[Choice]:
    """What a question offers for "always", the narrowest first; `data` is that of `approval_required`."""
    remember = data.get("remember")
    offered = [Choice(str(one["scope_id"]), _safe(one["words"])) for one in data.get("scopes") or ()]
    return offered or ([Choice(None, _safe(remember))] if remember is not None else [])


def _safe(words: object) -> str:
    return still_visible(str(words), newlines=False)


def read_choice(typed: str, choices: Sequence[Choice]) -> tuple[Choice, Limits]:
    """What `2 s 7d` chooses: a choice by its number, by default the first, and limits. Raises: NotUnderstood."""
    first, *others = typed.split() or [""]
    if not re.fullmatch(r"[0-9]+", first):
        return choices[0], read_limits(typed)
    number = int(first) if len(first) <= 3 else 0
    if not 1 <= number <= len(choices):
        raise NotUnderstood(texts.no_such_choice(first[:20], len(choices)))
    return choices[number - 1], read_limits(" ".join(others))


def read_limits(typed: str) -> Limits:
    """What `s`, `7d`, both or neither mean. Raises: NotUnderstood."""
    here, lasting = False, None
    for word in typed.split():
        if word.lower() == HERE and not here:
            here = True
        elif lasting is None:
            try:
                lasting = read_lasting(word, _now())
            except WrongTime as error:
                raise NotUnderstood(texts.no_time(_safe(word[:40]), error.why)) from error
        else:
            raise NotUnderstood(texts.ALWAYS_TAKES)
    return Limits(here, lasting)


def fields_of(choice: Choice, limits: Limits) -> dict[str, Any]:
    """The fields of `POST /api/approve` for a choice and its limits. Raises: NotUnderstood when the time is over."""
    fields: dict[str, Any] = {}
    if choice.scope_id is not None:
        fields["scope_id"] = choice.scope_id
    if limits.here:
        fields["this_session"] = True
    if limits.lasting is not None:
        try:
            fields["expires_in_s"] = limits.lasting.seconds(_now())
        except WrongTime as error:
            raise NotUnderstood(texts.no_time(texts.lasts(limits.lasting), error.why)) from error
    return fields


def _now() -> datetime:
    return datetime.now().astimezone()
