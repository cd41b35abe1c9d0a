"""The context of a request to a model, which `transport.py` reads: names for errors, timeouts, and how it ended.

Requests find it in the context variable `CURRENT`.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from aster_sidecar.models.file_marks import FilledBody

MARK = f"aster-{secrets.token_hex(16)}-"
"""The beginning of the marks that replace stored messages while a request is built. No mark is ever sent."""
MARKS = tuple(f"{MARK}{name}" for name in ("begin", "kept", "new"))
"""The marks, in order. Messages between the first two are not sent; those behind the second are not stored yet; those
behind the third belong to the current turn."""

Finish = Literal["stop", "length", "tool_calls", "content_filter", "function_call", "error"]
"""Why an answer ended."""

FIRST_S = 300.0
"""Longest wait for the first word of an answer. `ASTER_MODEL_TIMEOUT_S` replaces it and the longest stall."""
FIRST_HERE_S = 900.0
"""The same for a server on this machine, which may be loading gigabytes of weights."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why an answer ended, in our terms and in the server's word."""

    meaning: Finish
    word: str


@dataclass(slots=True)
class Exchange:
    """The context of one request to a model. `leave` is called before each HTTP request is sent."""

    name: str = "the model"
    key: str | None = None
    """The environment variable of the API key."""
    base: str | None = None
    """The environment variable of the base URL."""
    here: bool = False
    """Whether the server runs on this machine."""
    wait_s: float | None = None
    """Longest wait without progress, when `ASTER_MODEL_TIMEOUT_S` sets one."""
    leave: Callable[[], None] = lambda: None
    complete: Callable[[bytes], bytes] | None = None
    """Replaces the marks in a request's body by stored messages (see `conversation.request_prefix`)."""
    fill: Callable[[bytes], FilledBody] | None = None
    """Replaces the marks of files in a request's body."""
    ending: Ending | None = None
    """How the answer ended; set while it is read."""


def without_marks(items: list[Any]) -> list[Any]:
    """A request's messages with each mark reduced to its text; unchanged when a mark is missing."""
    exchange = CURRENT.get(None)
    if exchange is None or exchange.complete is None:
        return items
    at = {text: position for position, item in enumerate(items) if (text := only_text(item)) in MARKS}
    if tuple(at) != MARKS:
        return items
    begin, kept, new = at.values()
    return [*items[:begin], MARKS[1], *items[kept + 1 : new], MARKS[2], *items[new + 1 :]]


def only_text(item: Any) -> str | None:
    """The text of a message that contains only one text, in any dialect; None for other messages."""
    content = cast("dict[str, Any]", item).get("content") if isinstance(item, dict) else None
    if isinstance(content, list) and len(cast("list[Any]", content)) == 1:
        content = cast("list[Any]", content)[0].get("text")
    return content if isinstance(content, str) else None


CURRENT: ContextVar[Exchange] = ContextVar("exchange")


@contextlib.contextmanager
def exchanging(exchange: Exchange) -> Generator[Exchange]:
    """Make an exchange the context of all requests inside the `with` block."""
    token = CURRENT.set(exchange)
    try:
        yield exchange
    finally:
        with contextlib.suppress(ValueError):  # a generator may be closed in another context
            CURRENT.reset(token)
