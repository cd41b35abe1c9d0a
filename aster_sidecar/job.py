"""What `turns` hands to `engine`: one run of a turn, its limits, and what it has used. Knows nothing of pydantic-ai."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aster_sidecar.agentspec import AgentSpec
from aster_sidecar.turnlog import TurnLog

UNKNOWN = "Nobody knows how this tool ended: the daemon stopped while it ran. It was not run again."
"""What people and models are told of a call whose end was not recorded."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one turn may use: provider requests, tool calls, tokens. None: no limit."""

    requests: int | None
    tool_calls: int | None
    tokens: int | None


def denial(note: str | None) -> str:
    """What people and models are told of a call that a person denied."""
    return "The person denied this call." + (f" They said: {note}" if note else "")


@dataclass(slots=True)
class Usage:
    """What a turn has used so far, over all its runs."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    tool_calls: int = 0
    cost_usd: float | None = None


@dataclass(slots=True)
class Job:
    """One run of a turn. `prompt` starts it; None takes it up where it paused."""

    spec: AgentSpec
    log: TurnLog
    limits: Limits
    usage: Usage
    prompt: str | None
    context: Mapping[str, Any]
    steered: Callable[[], list[str]]
    """Messages that came for this turn while it runs, oldest first, until `took_steered` says how many are kept."""
    took_steered: Callable[[int], None]
    approval_timeout_s: Callable[[], float]
    unattended_denies: Callable[[], bool]
