"""The state of a run of the agent, and the limits that it may reach."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic_ai import DeferredToolResults, RunUsage
from pydantic_ai.messages import UserContent

from aster_sidecar.conversation.run_request import RunRequest
from aster_sidecar.conversation.tool_executor import ToolExecutor
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.errors import LimitReached, ModelError


@dataclass(slots=True)
class Run:
    """The state of a job that runs: what changes from attempt to attempt."""

    job: RunRequest
    toolbox: ToolExecutor
    usage: RunUsage
    prompt: str | list[UserContent] | None
    answers: DeferredToolResults | None = None
    carried: int = 0
    """Number of steered messages that `prompt` consists of."""
    attempt: int = 1
    compacted: int = 0
    """Compactions done for the next request."""
    refused: ModelError | None = None
    """The refusal that is the reason for a compaction, if there was one."""
    fixed_tokens: int = 0
    """Tokens of instructions and tools in each request."""
    earlier_files: frozenset[str] = frozenset()
    """The addresses of files in the history of earlier turns; all others are the turn's own."""
    sent_earlier: frozenset[str] = frozenset()
    """Those images and PDFs among them that the newest request had."""
    sent_own: frozenset[str] = frozenset()
    """The turn's own images and PDFs that the newest request had."""
    set_aside: frozenset[str] = frozenset()
    """Earlier files without which a refused request was sent again."""
    asked_again: bool = False
    """Whether the model was asked once more after an empty answer."""
    sent: int = 0
    """Requests sent to the model in all runs of the turn."""
    stored_length: dict[str, int] = field(default_factory=dict[str, int])
    """Characters of text and of thinking when the newest message was stored."""

    @property
    def log(self) -> TurnLog:
        return self.job.log

    def count_request(self) -> None:
        """Count a request that is about to be sent. Raises: LimitReached."""
        limit = self.job.limits.requests
        if limit is not None and self.sent >= limit:
            raise LimitReached(f"the turn made {self.sent} requests to the model; the limit is {limit}")
        self.sent += 1


def check_tokens(run: Run) -> None:
    """Raises: LimitReached when the turn's tokens are used up.

    pydantic-ai's own token limit counts the whole answer again at each delta: quadratic time for a long answer.
    """
    limit = run.job.limits.tokens
    if limit is not None and run.usage.total_tokens >= limit:
        raise LimitReached(f"the turn used {run.usage.total_tokens} tokens; the limit is {limit} tokens")


def usage_limit_error(run: Run) -> LimitReached:
    """The error for the limit that pydantic-ai reported."""
    limits = run.job.limits
    if limits.requests is not None and run.usage.requests >= limits.requests:
        return LimitReached(f"the turn made {run.usage.requests} requests to the model; the limit is {limits.requests}")
    return LimitReached("the turn reached a usage limit")
