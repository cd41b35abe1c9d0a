"""What a person types as the answer to one field of a question. The daemon checks the rest."""

from __future__ import annotations

import math
import os
import re
from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.always import NotUnderstood
from aster_sidecar.cli.chat.choices import typed_path
from aster_sidecar.cli.chat.connection import Json
from aster_sidecar.cli.chat.question_words import brief, labels_of

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
MARK = re.compile(r"#?\d+", re.ASCII)
WORDS = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}


def marks(field: Json) -> list[str]:
    """What is typed for each option: its number, with `#` where an option is a number itself."""
    options: list[str] = [*(field.get("options") or ()), *labels_of(field)]
    sign = "#" if any(MARK.fullmatch(one.strip()) for one in options) else ""
    return [f"{sign}{number}" for number in range(1, len(field.get("options") or ()) + 1)]


def read_answer(field: Json, typed: str) -> Any:
    """The answer that a text, which is not empty, means. Raises: NotUnderstood."""
    typed = typed.strip()
    match field["kind"]:
        case "choice":
            return _option(field, typed)
        case "multi":
            return _options(field, typed)
        case "number":
            return _number(typed)
        case "boolean":
            if typed.lower() not in WORDS:
                raise NotUnderstood(texts.YES_OR_NO_NEEDED)
            return WORDS[typed.lower()]
        case "file" | "folder":
            return os.path.normpath(typed_path(typed))
        case _:
            return typed


def _number(typed: str) -> int | float:
    if NUMBER.fullmatch(typed) is None:
        raise NotUnderstood(texts.NUMBER_NEEDED)
    try:
        number = float(typed) if re.search(r"[.eE]", typed) else int(typed)
        if not math.isfinite(number):
            raise NotUnderstood(texts.NUMBER_NEEDED)
    except (ValueError, OverflowError) as error:  # more digits than any number that can be meant
        raise NotUnderstood(texts.NUMBER_NEEDED) from error
    return number


def _option(field: Json, typed: str) -> str:
    """One of the options or, where that is allowed, another text. Raises: NotUnderstood."""
    found = _known(field, typed)
    if found is not None:
        return found
    known = marks(field)
    if MARK.fullmatch(typed) and known and known[0].startswith("#") == typed.startswith("#"):
        raise NotUnderstood(texts.no_such_choice(typed[:20], len(known)))
    if not field.get("other"):
        raise NotUnderstood(texts.no_such_option(brief(typed)))
    return typed


def _known(field: Json, typed: str) -> str | None:
    """The option that has this mark, label or text."""
    options: list[str] = list(field.get("options") or ())
    folded = typed.casefold()
    for names in (marks(field), labels_of(field), options):
        for option, name in zip(options, names, strict=False):
            if name == typed:
                return option
        for option, name in zip(options, names, strict=False):
            if name.strip().casefold() == folded:
                return option
    return None


def _options(field: Json, typed: str) -> list[str]:
    """Any of the options. Raises: NotUnderstood."""
    whole = _known(field, typed)
    if whole is not None:
        return [whole]
    words = typed.split()
    parts = words if set(words) <= set(marks(field)) else [part.strip() for part in typed.split(",") if part.strip()]
    return list(dict.fromkeys(_option(field, part) for part in parts))
