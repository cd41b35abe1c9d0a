"""How the tables of lines are written: `asks(line, a part of the reason)` and `reads(line, why that is harmless)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from tests.tools.commands.cases import Case

Denies: TypeAlias = "tuple[tuple[str, Literal['exact', 'beneath', 'any'], str], ...]"
TRAPS: list[Case] = []

OPTION = "may do more than read"
OUTSIDE = "is outside the work folder"
SECRET = "there may be secrets in"
UNKNOWN_PROGRAM = "is not known to only read"


def asks(
    line: str,
    why: str,
    *,
    there: Mapping[str, str] | None = None,
    config: str = "",
    denies: Denies = (),
    env: Mapping[str, str] | None = None,
) -> None:
    TRAPS.append(Case(line, "asks", why, there or {}, config, denies, env or {}))


def reads(
    line: str,
    why: str,
    *,
    there: Mapping[str, str] | None = None,
    config: str = "",
    denies: Denies = (),
    env: Mapping[str, str] | None = None,
) -> None:
    TRAPS.append(Case(line, "reads", why, there or {}, config, denies, env or {}))


def lines_of(text: str) -> list[str]:
    return text.strip("\n").split("\n")
