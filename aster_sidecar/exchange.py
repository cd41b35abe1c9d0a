"""What a request to a model is about, for the edge that it leaves by: names, patience, limits, and what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

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
    ending: Ending | None = None


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
