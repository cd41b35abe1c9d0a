"""What `turns` passes to `engine`: one run of a turn, its limits, and its usage. Does not import pydantic-ai."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.asking.time_limit import TimeLimit
from aster_sidecar.contract import wire
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.store.rows.attachments import AttachmentRow
from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.numbers import count, price

UNKNOWN = "How this tool ended is not known: the daemon stopped while it ran. It was not run again."
"""The result, for people and models, of a call whose end was not recorded."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most provider requests, tool calls and tokens of one turn. None: no limit."""

    requests: int | None
    tool_calls: int | None
    tokens: int | None


def denial(note: str | None) -> str:
    """The result, for people and models, of a call that a person denied."""
    return "The person denied this call." + (f" They said: {note}" if note else "")


def unanswered_words(outcome: wire.QuestionOutcome, note: str | None) -> str:
    """The result, for people and models, of a question that was not answered."""
    if outcome == "expired":
        return "Nobody answered the question in time."
    return "The person declined to answer." + (f" They said: {note}" if note else "")


@dataclass(slots=True)
class Usage:
    """Usage of a turn over all its runs. Implausible counts from a provider become whole numbers from 0 up."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    tool_calls: int = 0
    cost_usd: float | None = None
    context_tokens: int = 0
    """How much of the context window the last request and its answer fill; 0: no model was asked."""
    window_tokens: int = 0
    """The context window; 0: not known."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, price(value) if name == "cost_usd" else count(value))

    def to_wire(self) -> wire.Usage:
        """The usage as clients see it."""
        return wire.Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            requests=self.requests,
            cost_usd=self.cost_usd,
        )

    @property
    def context(self) -> wire.Context | None:
        """How much of the context window the conversation fills; None: no model was asked."""
        if not self.context_tokens:
            return None
        return wire.Context(used_tokens=self.context_tokens, window_tokens=self.window_tokens or None)

    @classmethod
    def stored(cls, text: str | None) -> Usage:
        """The usage stored in a row; values that can't be read become 0."""
        try:
            given: Any = parse_json(text or "{}")
        except ValueError:
            given = None
        known = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        return cls(**{name: value for name, value in known.items() if name in cls.__slots__})


class Prompt(NamedTuple):
    """A person's message for the model: its text, and its files in order."""

    text: str
    files: tuple[AttachmentRow, ...] = ()


class TurnChoice(NamedTuple):
    """What a message chose for its turn only; None: the session's settings hold."""

    model: str | None = None
    effort: wire.Effort | None = None


NOTHING = TurnChoice()


@dataclass(slots=True)
class RunRequest:
    """One run of a turn. `prompt` starts the turn; None resumes a paused one.

    `model` is the name of the model to ask, `model_settings` are pydantic-ai's.
    """

    spec: AgentSpec
    model: str
    model_settings: Mapping[str, Any]
    log: TurnLog
    limits: Limits
    usage: Usage
    prompt: Prompt | None
    context: Mapping[str, Any]
    steered: Callable[[], list[Prompt]]
    """Steered messages that the model has not received yet, oldest first; `took_steered(count)` removes the oldest."""
    took_steered: Callable[[int], None]
    approval_timeout_s: Callable[[], float]
    unattended_denies: Callable[[], bool]
    time_limit: TimeLimit
    """The turn's: it stands still while a running call waits for a person."""
