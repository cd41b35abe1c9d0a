"""The agent itself: one run of pydantic-ai, its events translated into ours, its messages kept as they become whole.

A run ends finished or paused (a tool call waits for a person); a paused one is taken up by another run, perhaps in
another life of the daemon.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_ai import (
    Agent,
    CallToolsNode,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRequestNode,
    PartDeltaEvent,
    PartStartEvent,
    RunUsage,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    UsageLimits,
    UserPromptPart,
)
from pydantic_ai.exceptions import ModelContextWindowExceededError, UsageLimitExceeded
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse

from aster_sidecar import wire
from aster_sidecar.approvals import Approvals
from aster_sidecar.errors import AsterError, LimitReached, ModelError
from aster_sidecar.job import Job
from aster_sidecar.journal import Journal
from aster_sidecar.memory import Memory, closing, recorded_calls, unanswered
from aster_sidecar.models import Chosen, Models, explain
from aster_sidecar.toolbox import Toolbox
from aster_sidecar.toolkit import Toolkit
from aster_sidecar.turnlog import TurnLog

MAX_ATTEMPTS = 4
"""Times one request is sent before a passing failure becomes the turn's error."""
RETRY_BASE_S = 0.4
RETRY_MOST_S = 30.0
YIELD_EVERY_S = 0.002
"""A provider that floods is left alone for one turn of the loop this often, so that what it said goes out."""
COMPACT_AT = 0.8
"""Part of the context window at which the history is summarised."""
KEEP_MESSAGES = 6
"""Newest messages that a summary leaves as they are."""
CHARS_PER_TOKEN = 4

SUMMARISE = (
    "Summarise the conversation so far for yourself, so that you can go on without it: what the person wants, what was "
    "decided, which files, commands and facts matter, what is still open. Be complete and brief. Do not call tools."
)
SUMMARY_HEAD = "Summary of the conversation so far, made by you because it grew too long to keep whole:\n\n"


@dataclass(slots=True)
class Run:
    """A job under way: what changes from attempt to attempt."""

    job: Job
    toolbox: Toolbox
    usage: RunUsage
    prompt: str | None
    answers: DeferredToolResults | None = None

    @property
    def log(self) -> TurnLog:
        return self.job.log


class Engine:
    """Runs agents and keeps what their models remember. One per daemon."""

    def __init__(self, journal: Journal, models: Models, toolkit: Toolkit, approvals: Approvals) -> None:
        self._journal = journal
        self._models = models
        self._toolkit = toolkit
        self._approvals = approvals
        self._memory = Memory(journal)
        self._agent: Agent[Any, Any] = Agent(output_type=[str, DeferredToolRequests], retries=2)

    def forget(self, session_id: str) -> None:
        """Drop what is kept of a session in memory: its rows changed behind our back."""
        self._memory.forget(session_id)

    def close(self, log: TurnLog, undelivered: Sequence[str]) -> None:
        """Put what the model must know of a turn that did not end by itself, so that the next one can go on."""
        history = self._memory.of(log.session_id)
        row = self._journal.one("SELECT kept_chars FROM turns WHERE turn_id=?", (log.turn_id,))
        partial = log.transcript.text[row[0] if row else 0 :].strip()
        added = closing(history, recorded_calls(self._journal, log.turn_id), partial, undelivered)
        self._memory.append(log.session_id, log.turn_id, added)

    async def run(self, job: Job) -> Literal["finished", "denied", "paused"]:
        """Run until the model is done or a call waits; `denied`: done, on a denial, without a word.

        Raises: ModelError, LimitReached, StoreError, CancelledError. `job.usage` is right in any case.
        """
        usage = job.usage
        run = Run(
            job,
            Toolbox(
                self._toolkit,
                job.spec.tools if job.spec.tools is not None else self._toolkit.names(),
                self._approvals,
                job.log,
                approval_timeout_s=job.approval_timeout_s,
                unattended_denies=job.unattended_denies,
                context=job.context,
            ),
            RunUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                requests=usage.requests,
                tool_calls=usage.tool_calls,
            ),
            job.prompt,
        )
        said_before = job.log.transcript.length["text_chunk"]
        try:
            if job.prompt is None:
                run.answers = run.toolbox.answers(unanswered(self._memory.of(job.log.session_id)))
            ended = await self._attempts(run)
        finally:
            usage.input_tokens, usage.output_tokens = run.usage.input_tokens, run.usage.output_tokens
            usage.requests, usage.tool_calls = run.usage.requests, run.usage.tool_calls
            if run.usage.cost is not None:
                usage.cost_usd = (usage.cost_usd or 0.0) + float(run.usage.cost)
        silent = job.log.transcript.length["text_chunk"] == said_before
        return "denied" if ended == "finished" and silent and run.toolbox.denied_last else ended

    async def _attempts(self, run: Run) -> Literal["finished", "paused"]:
        chosen = await self._choose(run)
        attempt = 1
        compacted = False
        while True:
            said_before = run.log.transcript.length.copy()
            try:
                if not compacted:
                    compacted = await self._compact_if_near(run, chosen)
                if await self._once(run, chosen) == "paused":
                    return "paused"
                steered = run.job.take_steered()
                if not steered:
                    return "finished"
                run.prompt, run.answers = "\n\n".join(steered), None
            except UsageLimitExceeded as error:
                raise used_up(run) from error
            except (AsterError, LimitReached):
                raise
            except Exception as error:  # translated at this one boundary
                run.log.flush()
                silent = run.log.transcript.length == said_before
                if silent and self._models.falls_back(chosen, error):
                    chosen = await self._choose(run)
                elif isinstance(error, ModelContextWindowExceededError) and silent and not compacted:
                    compacted = await self._compact(run, chosen, "over_window")
                    if not compacted:
                        raise explain(error, chosen.name) from error
                else:
                    failure = explain(error, chosen.name)
                    if not (failure.retryable and silent) or attempt >= MAX_ATTEMPTS:
                        raise failure from error
                    await self._wait(run, failure, attempt)
                    attempt += 1
                self._rewind(run)

    async def _choose(self, run: Run) -> Chosen:
        """The model, built in a thread: the first use of a provider imports its SDK."""
        return self._models.built(run.job.spec.model) or await asyncio.to_thread(self._models.build, run.job.spec.model)

    def _rewind(self, run: Run) -> None:
        """Make the next attempt start from what is kept: a request that was kept is sent again, not added again."""
        history = self._memory.of(run.log.session_id)
        if history and isinstance(history[-1], ModelRequest):
            run.prompt, run.answers = None, None

    async def _once(self, run: Run, chosen: Chosen) -> Literal["finished", "paused"]:
        history = self._memory.of(run.log.session_id)
        kept_already = run.prompt is None and run.answers is None
        async with self._agent.iter(
            run.prompt,
            message_history=history,
            deferred_tool_results=run.answers,
            model=chosen.model,
            instructions=instructions(run.job),
            toolsets=[run.toolbox],
            usage=run.usage,
            usage_limits=UsageLimits(
                request_limit=run.job.limits.requests,
                tool_calls_limit=run.job.limits.tool_calls,
            ),
        ) as agent_run:
            async for node in agent_run:
                if isinstance(node, ModelRequestNode):
                    check_tokens(run)
                    if kept_already:
                        kept_already = False
                    else:
                        steered = [UserPromptPart(content=text) for text in run.job.take_steered()]
                        node.request.parts = [*node.request.parts, *steered]
                        self._keep(run, node.request)
                    async with node.stream(agent_run.ctx) as stream:
                        await self._listen(run, stream)
                elif isinstance(node, CallToolsNode):
                    refuse_broken_off(node.model_response, chosen)
                    self._keep(run, node.model_response)
                    async with node.stream(agent_run.ctx) as events:
                        async for _ in events:
                            pass  # the toolbox tells of tools itself, when it is true
            result = agent_run.result
        await run.log.commit()
        return "paused" if result is not None and isinstance(result.output, DeferredToolRequests) else "finished"

    def _keep(self, run: Run, message: ModelRequest | ModelResponse) -> None:
        """Record a message that is whole. With a request, the calls before it are answered and over."""
        run.log.new_paragraph()
        if isinstance(message, ModelRequest):
            self._journal.put(writes=run.toolbox.close_calls(), durable=False)
        else:
            kept = run.log.transcript.length["text_chunk"]
            self._journal.put(
                writes=[("UPDATE turns SET kept_chars=? WHERE turn_id=?", (kept, run.log.turn_id))], durable=False
            )
        self._memory.append(run.log.session_id, run.log.turn_id, [message])

    async def _listen(self, run: Run, stream: Any) -> None:
        """Pass on what the model says while it says it."""
        say = run.log.say
        breath = time.monotonic()
        async for event in stream:
            if isinstance(event, PartDeltaEvent):
                delta = event.delta
                if isinstance(delta, TextPartDelta):
                    say("text_chunk", delta.content_delta)
                elif isinstance(delta, ThinkingPartDelta) and delta.content_delta:
                    say("thinking_chunk", delta.content_delta)
            elif isinstance(event, PartStartEvent):
                part = event.part
                if isinstance(part, TextPart) and part.content:
                    say("text_chunk", part.content)
                elif isinstance(part, ThinkingPart) and part.content:
                    say("thinking_chunk", part.content)
            if time.monotonic() - breath > YIELD_EVERY_S:
                await asyncio.sleep(0)
                breath = time.monotonic()

    async def _wait(self, run: Run, failure: ModelError, attempt: int) -> None:
        """Wait before the next attempt, and say so. Raises: the failure, when the provider wants too long a wait."""
        delay_s = min(RETRY_MOST_S, RETRY_BASE_S * 2 ** (attempt - 1)) * random.uniform(0.8, 1.2)
        if failure.retry_after_s is not None:
            if failure.retry_after_s > RETRY_MOST_S:
                raise failure
            delay_s = failure.retry_after_s
        run.log.put(
            "model_retry",
            wire.ModelRetryEvent(
                code=failure.code,
                message=failure.message,
                attempt=attempt,
                max_attempts=MAX_ATTEMPTS,
                delay_s=round(delay_s, 3),
            ),
            durable=False,
        )
        await asyncio.sleep(delay_s)

    # -- compaction ------------------------------------------------------------------------------------------------

    async def _compact_if_near(self, run: Run, chosen: Chosen) -> bool:
        if run.prompt is None:
            return False
        history = self._memory.of(run.log.session_id)
        if size_tokens(history) + len(run.prompt) // CHARS_PER_TOKEN < COMPACT_AT * chosen.window_tokens:
            return False
        return await self._compact(run, chosen, "near_window")

    async def _compact(self, run: Run, chosen: Chosen, reason: Literal["near_window", "over_window"]) -> bool:
        """Put a summary in place of the older messages. Returns whether anything became shorter."""
        history = self._memory.of(run.log.session_id)
        cut = cut_before(history)
        if cut is None:
            return False
        older, newer = history[:cut], history[cut:]
        try:
            result = await self._agent.run(
                SUMMARISE,
                message_history=fitting(older, chosen.window_tokens),
                model=chosen.model,
                output_type=str,
                usage=run.usage,
            )
        except UsageLimitExceeded as error:
            raise used_up(run) from error
        summary = ModelRequest(parts=[UserPromptPart(content=SUMMARY_HEAD + str(result.output))])
        compact = [summary, ModelResponse(parts=[TextPart(content="I'll go on from this summary.")]), *newer]
        before = size_tokens(history)
        self._memory.replace(run.log.session_id, run.log.turn_id, compact)
        run.log.put(
            "history_compacted",
            wire.HistoryCompactedEvent(
                messages_before=len(history),
                messages_after=len(compact),
                tokens_before=before,
                context_window=chosen.window_tokens,
                reason=reason,
            ),
        )
        await run.log.commit()
        return True


def used_up(run: Run) -> LimitReached:
    """Which limit pydantic-ai has hit."""
    limits = run.job.limits
    if limits.requests is not None and run.usage.requests >= limits.requests:
        return LimitReached(f"the turn made {run.usage.requests} requests to the model; the limit is {limits.requests}")
    return LimitReached(f"the turn wants more than {limits.tool_calls} tool calls, which is the limit")


def check_tokens(run: Run) -> None:
    """Raises: LimitReached when the turn's tokens are used up.

    pydantic-ai's own token limit looks at the whole answer so far at each delta, which makes a long answer quadratic.
    """
    limit = run.job.limits.tokens
    if limit is not None and run.usage.total_tokens >= limit:
        raise LimitReached(f"the turn used {run.usage.total_tokens} tokens; the limit is {limit} tokens")


class BrokenOff(ValueError):
    """The provider's stream ended without saying that the answer is whole."""


def refuse_broken_off(response: ModelResponse, chosen: Chosen) -> None:
    """Providers' SDKs take a stream that just ends for a whole answer. Raises: BrokenOff."""
    if chosen.says_why_it_ends and response.finish_reason is None:
        raise BrokenOff("the answer broke off before its end")


def instructions(job: Job) -> str:
    """What the agent is told to be, and what the app says of this message."""
    if not job.context:
        return job.spec.instructions
    told = json.dumps(job.context, ensure_ascii=False)
    return f"{job.spec.instructions}\n\nThe app gives this context with the message, as JSON: {told}"


def size_tokens(messages: list[ModelMessage]) -> int:
    """How much of a context window the messages take: the provider's own count where it told one, else estimated."""
    estimate = 0
    for message in reversed(messages):
        if isinstance(message, ModelResponse) and message.usage.input_tokens:
            return estimate + message.usage.input_tokens + message.usage.output_tokens
        estimate += length(message) // CHARS_PER_TOKEN
    return estimate


def length(message: ModelMessage) -> int:
    """Characters that a message is made of, roughly."""
    return sum(
        len(str(getattr(part, "content", "") or "")) + len(str(getattr(part, "args", "") or ""))
        for part in message.parts
    )


def cut_before(messages: list[ModelMessage]) -> int | None:
    """Where the newer messages begin that stay: at a person's message, so that no tool call loses its answer."""
    for position in range(max(len(messages) - KEEP_MESSAGES, 0), len(messages)):
        message = messages[position]
        if isinstance(message, ModelRequest) and any(isinstance(part, UserPromptPart) for part in message.parts):
            return position if position > 1 else None
    return len(messages) if len(messages) > 2 else None


def fitting(messages: list[ModelMessage], window_tokens: int) -> list[ModelMessage]:
    """The newest of the messages that fit in three quarters of the window, beginning at a person's message."""
    room = int(window_tokens * 0.75) * CHARS_PER_TOKEN
    start = len(messages)
    for position in range(len(messages) - 1, -1, -1):
        room -= length(messages[position])
        if room < 0:
            break
        message = messages[position]
        if isinstance(message, ModelRequest) and any(isinstance(part, UserPromptPart) for part in message.parts):
            start = position
    return messages[start:]
