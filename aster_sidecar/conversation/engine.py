"""Runs the agent for `turns`: runs pydantic-ai, translates its events into ours, stores each completed message.

A run ends as finished or as paused (a tool call waits for a person). Another run resumes a paused turn, possibly after
a restart of the daemon.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import pydantic_ai
from pydantic_ai import (
    Agent,
    CallToolsNode,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRequestNode,
    ModelSettings,
    PartDeltaEvent,
    PartStartEvent,
    RunContext,
    RunUsage,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UsageLimits,
    UserPromptPart,
)
from pydantic_ai.exceptions import UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel

from aster_sidecar.contract import wire
from aster_sidecar.conversation.answer_endings import EmptyAnswer, empty_answer_error, is_empty, judge
from aster_sidecar.conversation.compaction import Size, Step, after_refusal, compact, fixed_tokens, nearly_full, size
from aster_sidecar.conversation.earlier_messages import Earlier, begins_at
from aster_sidecar.conversation.model_history import Memory, closing_messages, edited_calls, recorded_calls, unanswered
from aster_sidecar.conversation.run_request import Job
from aster_sidecar.conversation.strict_history import as_sent, unique_ids, without_thinking
from aster_sidecar.conversation.tool_executor import Toolbox
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.errors import AsterError, LimitReached, ModelError
from aster_sidecar.models.build import Models
from aster_sidecar.models.chosen import DEFAULT_WINDOW_TOKENS, Chosen
from aster_sidecar.models.library_patches import tap_events
from aster_sidecar.models.request_context import Ending, exchanging
from aster_sidecar.models.streams.shapes import holds_nul, readable
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import turns as turn_rows
from aster_sidecar.telemetry.spans import NoSpans, Span, Spans
from aster_sidecar.text.numbers import price
from aster_sidecar.tools.mcp.servers import Missing, Servers
from aster_sidecar.tools.registry import Toolkit

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 4
"""Times one request is sent before a temporary failure becomes the turn's error."""
SLOW_ATTEMPTS = 2
"""The same for timeouts, where each attempt takes minutes."""
RETRY_BASE_S = 0.4
RETRY_MOST_S = 30.0
YIELD_EVERY_S = 0.002
"""While a provider sends fast, the event loop gets a turn this often, so that chunks are delivered to clients."""
YIELD_S = 0.001


@dataclass(slots=True)
class Run:
    """The state of a job that runs: what changes from attempt to attempt."""

    job: Job
    toolbox: Toolbox
    usage: RunUsage
    prompt: str | None
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


class Engine:
    """Runs agents and stores the history of their models. One per daemon."""

    def __init__(
        self,
        journal: Journal,
        models: Models,
        toolkit: Toolkit,
        approvals: Approvals,
        servers: Servers,
        spans: Spans | None = None,
    ) -> None:
        pydantic_ai.BANNER_ENABLED = False  # no banner in the terminal and the log
        self._spans = spans or NoSpans()
        self._journal = journal
        self._models = models
        self._toolkit = toolkit
        self._approvals = approvals
        self._servers = servers
        self._memory = Memory(journal)
        self._agent: Agent[Any, Any] = Agent(output_type=[str, DeferredToolRequests], retries=2)
        self._earlier = Earlier()
        self._reported: set[tuple[str, str]] = set()
        """(session_id, warning) of warnings that are reported once per session: no tool support, missing servers."""

    async def shut_down(self) -> None:
        """Send the spans that are not sent yet."""
        await self._spans.close()

    def forget(self, session_id: str) -> None:
        """Drop a session's messages from memory, because its rows were changed from outside."""
        self._memory.forget(session_id)

    def close(self, log: TurnLog, prompt: str, steered: Sequence[str]) -> None:
        """Append what the model must know of an interrupted turn, so that the next turn can continue."""
        self._memory.edit_calls(log.session_id, log.turn_id, edited_calls(self._journal, log.turn_id))
        history = self._memory.of(log.session_id)
        found = self._journal.first(turn_rows.select_kept_chars(log.turn_id))
        kept_chars = found if found is not None else -1
        partial = log.transcript.text[max(kept_chars, 0) :].strip()
        undelivered = [*([prompt] if kept_chars < 0 else []), *steered]
        added = closing_messages(history, recorded_calls(self._journal, log.turn_id), partial, undelivered)
        self._memory.append(log.session_id, log.turn_id, added)

    async def run(self, job: Job) -> Literal["finished", "denied", "paused"]:
        """Run until the model is done or a call waits; `denied`: the model added no text after a denied call.

        Raises: ModelError, LimitReached, StoreError, CancelledError. `Job.usage` is up to date in any case.
        """
        with self._spans.run(
            turn_id=job.log.turn_id,
            session_id=job.log.session_id,
            agent_id=job.spec.agent_id,
            agent_name=job.spec.name,
        ) as span:
            outcome = await self._run(job)
            span.note(aster__turn__outcome=outcome)
            return outcome

    async def _run(self, job: Job) -> Literal["finished", "denied", "paused"]:
        usage = job.usage
        self._report_missing(job, await self._servers.reach(job.spec.tools))
        names = self._toolkit.of(job.spec.tools)
        run = Run(
            job,
            Toolbox(
                self._toolkit,
                names,
                self._approvals,
                job.log,
                approval_timeout_s=job.approval_timeout_s,
                unattended_denies=job.unattended_denies,
                context=job.context,
                usage=usage,
                most_calls=job.limits.tool_calls,
                retries=job.spec.retries,
                tool_timeout_s=job.spec.tool_timeout_s,
                spans=self._spans,
            ),
            RunUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                requests=usage.requests,
            ),
            job.prompt,
            stored_length=job.log.transcript.length.copy(),
            sent=usage.requests,
            fixed_tokens=fixed_tokens(
                instructions(job),
                ((name, self._toolkit.get(name).description, self._toolkit.schema(name)) for name in names),
            ),
        )
        said_before = job.log.transcript.length["text_chunk"]
        try:
            if job.prompt is None:
                edited = edited_calls(self._journal, job.log.turn_id)
                self._memory.edit_calls(job.log.session_id, job.log.turn_id, edited)
                run.answers = run.toolbox.answers(unanswered(self._memory.of(job.log.session_id)))
            ended = await self._attempts(run)
        finally:
            usage.input_tokens, usage.output_tokens = run.usage.input_tokens, run.usage.output_tokens
            usage.requests = max(run.sent, run.usage.requests)
            cost = price(run.usage.cost)
            if cost is not None:
                usage.cost_usd = (usage.cost_usd or 0.0) + cost
        silent = job.log.transcript.length["text_chunk"] == said_before
        return "denied" if ended == "finished" and silent and run.toolbox.denied_last else ended

    async def _attempts(self, run: Run) -> Literal["finished", "paused"]:
        """Run again after a temporary failure, a full context window, or a steered message that came at the end."""
        chosen = await self._choose(run)
        full: Step | None = None
        while True:
            if full is not None:
                await self._compact(run, chosen, full)
                full = None
            try:
                if await self._once(run, chosen) == "paused":
                    return "paused"
                texts = run.job.steered()
                if not texts:
                    return "finished"
                run.prompt, run.answers, run.carried = "\n\n".join(texts), None, len(texts)
            except NearlyFull:
                full = Step("near_window", chosen.window_tokens)
                self._rewind(run)
            except EmptyAnswer as error:
                if run.toolbox.denied_last:
                    return "finished"
                if run.asked_again or not self._rewind(run):
                    if not self._answers_tool_results(run):
                        raise empty_answer_error(chosen.name) from error
                    warning = empty_answer_error(chosen.name)
                    self._warn(run, warning, "it did not comment on the tool results; ask it to")
                    return "finished"
                run.asked_again = True
            except UsageLimitExceeded as error:
                raise usage_limit_error(run) from error
            except Exception as error:  # translated at this one boundary
                full, chosen = await self._after(run, chosen, error)

    async def _after(self, run: Run, chosen: Chosen, error: Exception) -> tuple[Step | None, Chosen]:
        """How to retry after a failed request: the compaction to do first, and the model to use. Raises: AsterError."""
        failure = self._models.why(chosen, error)
        if not isinstance(failure, ModelError):
            raise failure from error
        run.log.flush()
        can_retry = run.log.transcript.length == run.stored_length and self._rewind(run)
        if can_retry and self._models.adapts(chosen, failure):
            if failure.code == "tools_unsupported":
                self._warn(run, failure, "the turn goes on without tools")
            return None, await self._choose(run)
        if can_retry and (step := self._after_refusal(run, chosen, failure)) is not None:
            return step, replace(chosen, window_tokens=step.window_tokens)
        self._models.failed(chosen, failure)
        if not (failure.retryable and can_retry) or run.attempt >= attempts_for(failure):
            raise failure from (error if failure is not error else error.__cause__)
        await self._wait(run, failure, run.attempt)
        run.attempt += 1
        return None, chosen

    def _report_missing(self, job: Job, missing: Sequence[Missing]) -> None:
        """Report MCP servers that are not available: once per session while one is late, and once more if it failed."""
        for one in missing:
            key = (job.log.session_id, f"{one.server} {'late' if one.late else 'failed'}")
            if key in self._reported:
                continue
            self._reported.add(key)
            unavailable = ModelError("mcp_unavailable", one.message, hint=one.hint)
            report_warning(job.log, unavailable, "the turn goes on without its tools")

    def _warn(self, run: Run, failure: ModelError, consequence: str) -> None:
        """Report a failure after which the turn goes on; missing tool support is reported once per session."""
        key = (run.log.session_id, failure.code + failure.message)
        if failure.code == "tools_unsupported" and key in self._reported:
            return
        self._reported.add(key)
        report_warning(run.log, failure, consequence)

    def _answers_tool_results(self, run: Run) -> bool:
        """Whether the last request to the model contained tool results."""
        history = self._memory.of(run.log.session_id)
        return bool(history) and any(isinstance(part, ToolReturnPart) for part in history[-1].parts)

    async def _choose(self, run: Run) -> Chosen:
        """The model, built in a thread: the first use of a provider imports its SDK."""
        name = run.job.spec.model
        return self._models.built(name) or await asyncio.to_thread(self._models.build, name)

    def _rewind(self, run: Run) -> bool:
        """Make the next attempt start from the stored history: a stored request is sent again, not added again.

        Returns whether a retry is possible: not in the middle of tool calls.
        """
        history = self._memory.of(run.log.session_id)
        if history and isinstance(history[-1], ModelRequest):
            run.prompt, run.answers, run.carried = None, None, 0
            return True
        return run.prompt is not None  # the request is not stored yet

    async def _once(self, run: Run, chosen: Chosen) -> Literal["finished", "paused"]:
        history = self._memory.of(run.log.session_id)
        sent_again = run.prompt is None and run.answers is None
        answered_now = run.answers is not None
        at = begins_at(history, fresh=run.prompt is not None)
        tap = Tap(chosen, run, history[:at], self._earlier)
        async with self._agent.iter(
            run.prompt,
            message_history=history[at:],
            deferred_tool_results=run.answers,
            model=tap,
            model_settings=cast("ModelSettings", dict(run.job.spec.model_settings)),
            instructions=instructions(run.job),
            toolsets=[run.toolbox],
            usage=run.usage,
            usage_limits=UsageLimits(
                request_limit=run.job.limits.requests,
            ),
        ) as agent_run:
            async for node in agent_run:
                if isinstance(node, ModelRequestNode):
                    check_tokens(run)
                    if not sent_again:
                        self._keep_request(run, node.request)
                        if self._nearly_full(run, chosen):
                            raise NearlyFull
                    sent_again = False
                    with self._spans.request(model=chosen.name, attempt=run.attempt) as span:
                        async with node.stream(agent_run.ctx) as stream:
                            async for event in stream:
                                if not tap.tapped:
                                    publish_delta(run.log, event)
                        note_response(span, stream.response)
                elif isinstance(node, CallToolsNode):
                    if not answered_now:
                        response = node.model_response
                        wrong = self._judge(response, tap.exchange.ending, chosen)
                        if wrong is None or (not is_retryable(wrong) and not is_empty(response)):
                            self._keep_response(run, response)
                        if wrong is not None:
                            raise wrong
                        self._models.worked(chosen)
                    answered_now = False
                    async with node.stream(agent_run.ctx) as events:
                        async for _ in events:
                            pass  # the toolbox records the events of tool calls itself
            result = agent_run.result
        await run.log.commit()
        return "paused" if result is not None and isinstance(result.output, DeferredToolRequests) else "finished"

    def _judge(self, response: ModelResponse, ending: Ending | None, chosen: Chosen) -> AsterError | None:
        if not chosen.says_why_it_ends and response.finish_reason is None and not is_empty(response):
            return None
        response.finish_reason = response.finish_reason or (None if chosen.says_why_it_ends else "stop")
        return judge(response, ending, chosen.name, chosen.window_tokens)

    def _keep_request(self, run: Run, request: ModelRequest) -> None:
        """Record a request with the steered messages before it is sent, and close the calls that it answers."""
        run.log.new_paragraph()
        texts = run.job.steered()
        request.parts = [*request.parts, *(UserPromptPart(content=text) for text in texts[run.carried :])]
        writes = run.toolbox.close_calls()
        writes.append(turn_rows.update_prompt_kept(run.log.turn_id))
        self._journal.put(turn_id=run.log.turn_id, writes=writes, durable=False)
        self._memory.append(run.log.session_id, run.log.turn_id, [request])
        run.job.took_steered(len(texts))
        run.prompt, run.answers, run.carried = None, None, 0
        run.stored_length = run.log.transcript.length.copy()

    def _keep_response(self, run: Run, response: ModelResponse) -> None:
        """Record a complete response before any of its tools runs."""
        run.log.new_paragraph()
        run.toolbox.rejected = repair_calls(response, self._memory.call_ids(run.log.session_id))
        kept = run.log.transcript.length["text_chunk"]
        write = turn_rows.update_kept_chars(run.log.turn_id, kept)
        self._journal.put(turn_id=run.log.turn_id, writes=[write], durable=False)
        self._memory.append(run.log.session_id, run.log.turn_id, [response])
        run.attempt, run.compacted = 1, 0
        run.stored_length = run.log.transcript.length.copy()

    async def _wait(self, run: Run, failure: ModelError, attempt: int) -> None:
        """Report the retry and wait. Raises: the failure, if the provider asks for a wait of more than RETRY_MOST_S."""
        delay_s = min(RETRY_MOST_S, RETRY_BASE_S * 2 ** (attempt - 1)) * random.uniform(0.8, 1.2)
        if failure.retry_after_s is not None:
            if failure.retry_after_s > RETRY_MOST_S:
                raise failure
            delay_s = max(delay_s, failure.retry_after_s)
        log.info(
            "model request failed",
            extra={"turn_id": run.log.turn_id, "code": failure.code, "attempt": attempt},
        )
        run.log.put(
            "model_retry",
            wire.ModelRetryEvent(
                code=failure.code,
                message=failure.message,
                attempt=attempt,
                max_attempts=attempts_for(failure),
                delay_s=round(delay_s, 3),
            ),
            durable=False,
        )
        await asyncio.sleep(delay_s)

    # -- compaction ------------------------------------------------------------------------------------------------

    def _size(self, run: Run, chosen: Chosen) -> Size:
        """The size of the next request."""
        return size(self._memory.of(run.log.session_id), min(run.fixed_tokens, chosen.window_tokens // 2))

    def _nearly_full(self, run: Run, chosen: Chosen) -> bool:
        answer_tokens = run.job.spec.model_settings.get("max_tokens") or 0
        return nearly_full(self._size(run, chosen).tokens, chosen.window_tokens, answer_tokens)

    def _after_refusal(self, run: Run, chosen: Chosen, failure: ModelError) -> Step | None:
        """The compaction to do after this failure; None: it would not help. Remembers a stated window size."""
        step = after_refusal(
            failure,
            tokens=self._size(run, chosen).tokens,
            window_tokens=chosen.window_tokens,
            compacted=run.compacted,
            assumed=chosen.window_tokens == DEFAULT_WINDOW_TOKENS,
        )
        run.refused = failure if step is not None else None
        if step is not None and step.learned:
            self._models.learn_window(chosen, step.window_tokens)
        return step

    async def _compact(self, run: Run, chosen: Chosen, step: Step) -> None:
        """Replace the history by a shorter one. Raises: ModelError."""
        history = self._memory.of(run.log.session_id)
        before = self._size(run, chosen)
        shorter = await compact(
            history, step, run.fixed_tokens, lambda prompt: self._ask(run, chosen, prompt), before.ratio
        )
        if shorter is None:
            if step.reason == "near_window":
                return  # the provider may still accept it
            raise too_long_error(chosen.name) if step.learned or run.refused is None else run.refused
        self._memory.replace(run.log.session_id, run.log.turn_id, shorter)
        run.log.put(
            "history_compacted",
            wire.HistoryCompactedEvent(
                messages_before=len(history),
                messages_after=len(shorter),
                tokens_before=before.tokens,
                context_window=step.window_tokens,
                reason=step.reason,
            ),
        )
        await run.log.commit()
        run.compacted += 1

    async def _ask(self, run: Run, chosen: Chosen, prompt: str) -> str:
        """The answer to one prompt without tools; retried after temporary failures. Raises: ModelError."""
        attempt = 1
        while True:
            try:
                with self._spans.request(model=chosen.name, attempt=attempt) as span:
                    return await self._answer(run, chosen, prompt, span)
            except Exception as error:  # the same boundary as a turn's own request
                failure = self._models.why(chosen, error)
                if isinstance(failure, ModelError) and self._models.adapts(chosen, failure):
                    chosen = await self._choose(run)
                    continue
                if not isinstance(failure, ModelError) or not failure.retryable or attempt >= attempts_for(failure):
                    raise failure from error
                await self._wait(run, failure, attempt)
                attempt += 1

    async def _answer(self, run: Run, chosen: Chosen, prompt: str, span: Span) -> str:
        """The text of the answer to one prompt. Counted as a request of the run."""
        text = ""
        async with self._agent.iter(
            prompt,
            model=Tap(chosen, run, [], Earlier(), publish=False),
            output_type=str,
            usage=run.usage,
            usage_limits=UsageLimits(request_limit=None),
        ) as agent_run:
            async for node in agent_run:
                if isinstance(node, ModelRequestNode):
                    async with node.stream(agent_run.ctx) as stream:
                        async for _ in stream:
                            pass
                    note_response(span, stream.response)
                    text = stream.response.text or ""
                elif isinstance(node, CallToolsNode):
                    break  # pydantic-ai would retry an empty answer
        return text


class Tap(WrapperModel):
    """A model wrapper that publishes the deltas of a stream directly, instead of through pydantic-ai's layers.

    Each delta would go through a dozen layers (locks, scopes, hooks) that don't use it: the agent needs only the
    complete response, which the stream assembles. `tapped` stays False if a release of pydantic-ai reads its streams
    differently; then the deltas come through all layers, and the engine publishes them there.
    """

    def __init__(
        self, chosen: Chosen, run: Run, before: list[ModelMessage], earlier: Earlier, *, publish: bool = True
    ) -> None:
        super().__init__(chosen.model)
        self._publish = publish
        self._before = before
        self._earlier = earlier
        self._key = (run.log.session_id, chosen.name, chosen.base_url, chosen.lacks)
        self._log = run.log
        self._run = run
        self.exchange = chosen.exchange(run.count_request)
        self._lacks = chosen.lacks
        self._dialect = chosen.dialect
        self._over_wire = chosen.provider is not None
        self._own_server = chosen.provider is not None and chosen.base_url != chosen.provider.default_url
        self.tapped = False

    def prepare_messages(
        self, messages: list[ModelMessage], model_request_parameters: ModelRequestParameters | None = None
    ) -> list[ModelMessage]:
        form = as_sent(messages) if self._over_wire else messages
        return super().prepare_messages(form, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        sent = self._run.sent
        if "tools" in self._lacks:
            model_request_parameters = replace(model_request_parameters, function_tools=[])
        with exchanging(self.exchange):
            async with AsyncExitStack() as opened:
                stream = await self._open(opened, messages, model_settings, model_request_parameters, run_context)
                if self._run.sent == sent:
                    self._run.count_request()  # it was not sent through our transport
                if self._publish:
                    tap_events(stream, self._listen)
                yield stream

    async def _open(
        self,
        opened: AsyncExitStack,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        context: RunContext[Any] | None,
    ) -> StreamedResponse:
        """Send the request; where possible with the cached JSON of the earlier messages (`request_prefix`)."""
        earlier, turn = self._earlier.of(self._key, self._before, self._form), self._form(messages)
        passage = None
        if self._dialect is not None and not parameters.native_tools:
            passage = earlier.prefix.passage(
                earlier.sent, turn, self.wrapped, settings, remembers_thinking=self._dialect == "chat"
            )
        if passage is not None:
            self.exchange.complete = passage.complete
            try:
                return await opened.enter_async_context(
                    self.wrapped.request_stream(passage.messages, settings, parameters, context)
                )
            except Exception:
                if not passage.failed:
                    raise
            finally:
                self.exchange.complete = None
        return await opened.enter_async_context(
            self.wrapped.request_stream([*earlier.sent, *turn], settings, parameters, context)
        )

    def _form(self, messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        """One turn's messages in the form that is sent to this model."""
        if not self._over_wire:
            return list(messages)
        if self.wrapped.system == "anthropic":
            messages = without_thinking(messages, self._accepts_thinking)
        sent = as_sent(messages, strict_roles="roles" in self._lacks, short_ids="ids" in self._lacks)
        return self.wrapped.prepare_messages(sent)

    def _accepts_thinking(self, message: ModelResponse, part: ThinkingPart) -> bool:
        """Whether the server accepts a thinking part: a signed one, or its own if it is not Anthropic's server."""
        if part.signature:
            return self.wrapped.accepts_stateless_artifacts(message, part)
        return self._own_server and message.provider_url == self.wrapped.base_url

    async def _listen(self, events: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        yielded_at = time.monotonic()
        try:
            while (event := await next_event(events)) is not None:
                self.tapped = True
                if not publish_delta(self._log, event):
                    yield event
                if time.monotonic() - yielded_at > YIELD_EVERY_S:
                    # While the journal's thread writes, give it the interpreter (GIL).
                    await asyncio.sleep(YIELD_S if self._log.journal.writing else 0)
                    yielded_at = time.monotonic()
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()


async def next_event(events: AsyncIterator[Any]) -> Any:
    """The next event of a model's stream, None at its end.

    Raises: UnexpectedModelBehavior, if the provider's library fails to parse what the provider sent.
    """
    try:
        return await anext(events, None)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, Warning) as error:
        log.warning("a library could not read an answer", exc_info=error)
        raise UnexpectedModelBehavior(f"{type(error).__name__}: {error}") from error


def publish_delta(log: TurnLog, event: Any) -> bool:
    """Publish the text or thinking in an event of a model's stream. Returns whether the event was only a delta."""
    if isinstance(event, PartDeltaEvent):
        delta = event.delta
        if isinstance(delta, TextPartDelta):
            log.say("text_chunk", delta.content_delta)
        elif isinstance(delta, ThinkingPartDelta):
            updates = delta.provider_details
            thought = delta.content_delta or (raw_thinking(updates(None)) if callable(updates) else "")
            if thought:
                log.say("thinking_chunk", thought)
        return True
    if isinstance(event, PartStartEvent):
        part = event.part
        if isinstance(part, TextPart) and part.content:
            log.say("text_chunk", part.content)
        elif isinstance(part, ThinkingPart) and (thought := part.content or raw_thinking(part.provider_details)):
            log.say("thinking_chunk", thought)
    return False


def raw_thinking(details: dict[str, Any] | None) -> str:
    """Thinking that a provider sends raw and not as a summary: pydantic-ai stores it in the provider details."""
    raw: Any = (details or {}).get("raw_content")
    return "".join(cast("list[str]", raw)) if isinstance(raw, list) else ""


class NearlyFull(Exception):
    """The next request would come too close to the limit of the model's context window."""


def note_response(span: Span, response: ModelResponse) -> None:
    """Add the model, finish reason and token counts of the response to a request's span."""
    span.note(
        gen_ai__response__model=response.model_name,
        gen_ai__response__finish_reasons=(response.finish_reason,) if response.finish_reason else None,
        gen_ai__usage__input_tokens=response.usage.input_tokens,
        gen_ai__usage__output_tokens=response.usage.output_tokens,
    )


def attempts_for(failure: ModelError) -> int:
    """Most attempts of a request that fails like this."""
    return SLOW_ATTEMPTS if failure.code == "provider_timeout" else MAX_ATTEMPTS


def repair_calls(response: ModelResponse, used: set[str]) -> set[str]:
    """Give each call of a response an id that is unique in the session, and arguments that are valid JSON.

    Returns the new ids of calls that must not run: their arguments contained NUL, which is replaced by U+FFFD.
    """
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    ids = unique_ids((str(part.tool_call_id) for part in calls), used)
    with_nul = {call_id for call_id, part in zip(ids, calls, strict=True) if holds_nul(part.args_as_dict())}
    new_id = iter(ids)
    response.parts = [
        replace(part, tool_call_id=next(new_id), args=readable(part.args) if isinstance(part.args, str) else part.args)
        if isinstance(part, ToolCallPart)
        else part
        for part in response.parts
    ]
    return with_nul


def usage_limit_error(run: Run) -> LimitReached:
    """The error for the limit that pydantic-ai reported."""
    limits = run.job.limits
    if limits.requests is not None and run.usage.requests >= limits.requests:
        return LimitReached(f"the turn made {run.usage.requests} requests to the model; the limit is {limits.requests}")
    return LimitReached("the turn reached a usage limit")


def report_warning(log: TurnLog, failure: ModelError, consequence: str) -> None:
    """Publish a warning: what failed, and how the turn goes on."""
    log.put(
        "error",
        wire.ErrorEvent(
            code=failure.code,
            message=f"{failure.message}; {consequence}",
            hint=failure.hint,
            retryable=False,
            severity="warning",
        ),
    )


def is_retryable(failure: AsterError) -> bool:
    """Whether the request is retried, so that its answer is not stored."""
    return bool(getattr(failure, "retryable", False))


def check_tokens(run: Run) -> None:
    """Raises: LimitReached when the turn's tokens are used up.

    pydantic-ai's own token limit counts the whole answer again at each delta: quadratic time for a long answer.
    """
    limit = run.job.limits.tokens
    if limit is not None and run.usage.total_tokens >= limit:
        raise LimitReached(f"the turn used {run.usage.total_tokens} tokens; the limit is {limit} tokens")


def instructions(job: Job) -> str:
    """The agent's instructions, and the context that the app sent with this message."""
    if not job.context:
        return job.spec.instructions
    context = json.dumps(job.context, ensure_ascii=False)
    return f"{job.spec.instructions}\n\nThe app gives this context with the message, as JSON: {context}"


def too_long_error(name: str) -> ModelError:
    """The error for a conversation that can't be shortened further and exceeds the context window."""
    return ModelError(
        "context_too_long",
        f"{name}: the last message alone is longer than the model can read",
        hint="send less at once, or choose a model with a larger context window",
    )
