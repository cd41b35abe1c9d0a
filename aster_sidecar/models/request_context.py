"""What a request to a model is about, for the edge that it leaves by: names, patience, limits, and what came of it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, cast

MARK = f"aster-{secrets.token_hex(16)}-"
"""What the marks begin with that stand for earlier messages in a request that is being made. None ever leaves."""
MARKS = tuple(f"{MARK}{name}" for name in ("begin", "kept", "new"))
"""Between the first two is what must not be sent at all, then what is not kept yet, then the turn."""

Finish = Literal["stop", "length", "tool_calls", "content_filter", "function_call", "error"]


FIRST_S = 300.0
"""Longest wait for the first word of an answer; `ASTER_MODEL_TIMEOUT_S` sets it, and how long a stall may be."""
FIRST_HERE_S = 900.0
"""The same for a server on this machine, which may be loading gigabytes of weights."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why an answer ended: what it means, and the server's own word."""

    meaning: Finish
    word: str


@dataclass(slots=True)
class Exchange:
    """A request to a model, and its answer. `leave` is called before each HTTP request of it leaves."""

    name: str = "the model"
    key: str | None = None
    """The variable that holds the key."""
    base: str | None = None
    """The variable that holds the base URL."""
    here: bool = False
    """Whether the server runs on this machine."""
    wait_s: float | None = None
    """Longest wait for anything, when somebody set one."""
    leave: Callable[[], None] = lambda: None
    complete: Callable[[bytes], bytes] | None = None
    """Puts earlier messages into a request's body, in which marks stand for them (`conversation.request_prefix`)."""
    ending: Ending | None = None


def without_marks(items: list[Any]) -> list[Any]:
    """The messages of a request with a text for each mark; as they are where not all marks are among them."""
    exchange = CURRENT.get(None)
    if exchange is None or exchange.complete is None:
        return items
    at = {said: position for position, item in enumerate(items) if (said := words(item)) in MARKS}
    if tuple(at) != MARKS:
        return items
    begin, kept, new = at.values()
    return [*items[:begin], MARKS[1], *items[kept + 1 : new], MARKS[2], *items[new + 1 :]]


def words(item: Any) -> str | None:
    """The text of a message that is nothing but one text, in any dialect."""
    content = cast("dict[str, Any]", item).get("content") if isinstance(item, dict) else None
    if isinstance(content, list) and len(cast("list[Any]", content)) == 1:
        content = cast("list[Any]", content)[0].get("text")
    return content if isinstance(content, str) else None


CURRENT: ContextVar[Exchange] = ContextVar("exchange")


@contextlib.contextmanager
def exchanging(exchange: Exchange) -> Generator[Exchange]:
    """Have the requests that are made within belong to an exchange."""
    token = CURRENT.set(exchange)
    try:
        yield exchange
    finally:
        with contextlib.suppress(ValueError):  # a generator may end in another context
            CURRENT.reset(token)
