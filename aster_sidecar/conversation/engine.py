"""The agent itself: one run of pydantic-ai, its events translated into ours, its messages kept as they become whole.

A run ends finished or paused (a tool call waits for a person); a paused one is taken up by another run, perhaps in
another life of the daemon.
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
from aster_sidecar.conversation.answer_endings import Silent, is_silent, judge, silence
from aster_sidecar.conversation.compaction import Size, Step, after_refusal, compact, fixed_tokens, nearly_full, size
from aster_sidecar.conversation.earlier_messages import Earlier, begins_at
from aster_sidecar.conversation.model_history import Memory, closing, edited_calls, recorded_calls, unanswered
from aster_sidecar.conversation.run_request import Job
from aster_sidecar.conversation.strict_history import apart, as_sent, without_thoughts
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
from aster_sidecar.telemetry.spans import NoSpans, Span, Spans
from aster_sidecar.text.repair import price
from aster_sidecar.tools.mcp.servers import Missing, Servers
from aster_sidecar.tools.registry import Toolkit

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 4
"""Times one request is sent before a passing failure becomes the turn's error."""
SLOW_ATTEMPTS = 2
"""The same where each takes minutes: nothing came in time."""
RETRY_BASE_S = 0.4
RETRY_MOST_S = 30.0
YIELD_EVERY_S = 0.002
"""A provider that floods is left alone for one turn of the loop this often, so that what it said goes out."""
YIELD_S = 0.001


@dataclass(slots=True)
class Run:
    """A job under way: what changes from attempt to attempt."""

    job: Job
    toolbox: Toolbox
    usage: RunUsage
    prompt: str | None
    answers: DeferredToolResults | None = None
    carried: int = 0
    """Steered messages that `prompt` is made of."""
    attempt: int = 1
    compacted: int = 0
    """How often the history was shortened for the request to come."""
    refused: ModelError | None = None
    """Why the history is being shortened, when a refusal is the reason."""
    fixed_tokens: int = 0
    """What instructions and tools take of each request."""
    silent: bool = False
    """Whether the model was asked once more because it had said nothing."""
    sent: int = 0
    """Requests to the model that left, over all the turn's runs."""
    said: dict[str, int] = field(default_factory=dict[str, int])
    """How long text and thinking were when the newest message was kept."""

    @property
    def log(self) -> TurnLog:
        return self.job.log

    def leave(self) -> None:
        """Count a request that is about to leave. Raises: LimitReached."""
        limit = self.job.limits.requests
        if limit is not None and self.sent >= limit:
            raise LimitReached(f"the turn made {self.sent} requests to the model; the limit is {limit}")
        self.sent += 1


class Engine:
    """Runs agents and keeps what their models remember. One per daemon."""

    def __init__(
        self,
        journal: Journal,
        models: Models,
        toolkit: Toolkit,
        approvals: Approvals,
        servers: Servers,
        spans: Spans | None = None,
    ) -> None:
        pydantic_ai.BANNER_ENABLED = False  # the terminal and the log are the daemon's
        self._spans = spans or NoSpans()
        self._journal = journal
        self._models = models
        self._toolkit = toolkit
        self._approvals = approvals
        self._servers = servers
        self._memory = Memory(journal)
        self._agent: Agent[Any, Any] = Agent(output_type=[str, DeferredToolRequests], retries=2)
        self._earlier = Earlier()
        self._told: set[tuple[str, str]] = set()
        """What was said in which session, and is said there once: that a model can't use tools, a server is missing."""

    async def shut_down(self) -> None:
        """Send what was measured and is not sent yet."""
        await self._spans.close()

    def forget(self, session_id: str) -> None:
        """Drop what is kept of a session in memory: its rows changed behind our back."""
        self._memory.forget(session_id)

    def close(self, log: TurnLog, prompt: str, steered: Sequence[str]) -> None:
        """Put what the model must know of a turn that did not end by itself, so that the next one can go on."""
        self._memory.edit_calls(log.session_id, log.turn_id, edited_calls(self._journal, log.turn_id))
        history = self._memory.of(log.session_id)
        row = self._journal.one("SELECT kept_chars FROM turns WHERE turn_id=?", (log.turn_id,))
        kept_chars = row[0] if row else -1
        partial = log.transcript.text[max(kept_chars, 0) :].strip()
        undelivered = [*([prompt] if kept_chars < 0 else []), *steered]
        added = closing(history, recorded_calls(self._journal, log.turn_id), partial, undelivered)
        self._memory.append(log.session_id, log.turn_id, added)

    async def run(self, job: Job) -> Literal["finished", "denied", "paused"]:
        """Run until the model is done or a call waits; `denied`: done, on a denial, without a word.

        Raises: ModelError, LimitReached, StoreError, CancelledError. `Job.usage` is right in any case.
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
        self._tell_missing(job, await self._servers.reach(job.spec.tools))
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
            said=job.log.transcript.length.copy(),
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
        """Run again after what passes: a failure, a full context window, a steered message that came at the end."""
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
            except Silent as error:
                if run.toolbox.denied_last:
                    return "finished"
                if run.silent or not self._rewind(run):
                    if not self._answers_tools(run):
                        raise silence(chosen.name) from error
                    self._warn(run, silence(chosen.name), "the tools' results are all there is; ask for more in words")
                    return "finished"
                run.silent = True
            except UsageLimitExceeded as error:
                raise used_up(run) from error
            except Exception as error:  # translated at this one boundary
                full, chosen = await self._after(run, chosen, error)

    async def _after(self, run: Run, chosen: Chosen, error: Exception) -> tuple[Step | None, Chosen]:
        """What comes after a request that failed: another one, to this model or as it wants it. Raises: AsterError."""
        failure = self._models.why(chosen, error)
        if not isinstance(failure, ModelError):
            raise failure from error
        run.log.flush()
        again = run.log.transcript.length == run.said and self._rewind(run)
        if again and self._models.adapts(chosen, failure):
            if failure.code == "tools_unsupported":
                self._warn(run, failure, "the answer is given without tools")
            return None, await self._choose(run)
        if again and (step := self._after_refusal(run, chosen, failure)) is not None:
            return step, replace(chosen, window_tokens=step.window_tokens)
        self._models.failed(chosen, failure)
        if not (failure.retryable and again) or run.attempt >= attempts_for(failure):
            raise failure from (error if failure is not error else error.__cause__)
        await self._wait(run, failure, run.attempt)
        run.attempt += 1
        return None, chosen

    def _tell_missing(self, job: Job, missing: Sequence[Missing]) -> None:
        """Say which MCP servers the turn goes on without, each once a session, and once more when it has failed."""
        for one in missing:
            key = (job.log.session_id, f"{one.server} {'late' if one.late else 'failed'}")
            if key in self._told:
                continue
            self._told.add(key)
            unavailable = ModelError("mcp_unavailable", one.message, hint=one.hint)
            tell_of(job.log, unavailable, "the turn goes on without its tools")

    def _warn(self, run: Run, failure: ModelError, consequence: str) -> None:
        """Say what went wrong though the turn goes on; once a session for what can't change."""
        key = (run.log.session_id, failure.code + failure.message)
        if failure.code == "tools_unsupported" and key in self._told:
            return
        self._told.add(key)
        tell_of(run.log, failure, consequence)

    def _answers_tools(self, run: Run) -> bool:
        """Whether the model was asked for what to say to its tools' results."""
        history = self._memory.of(run.log.session_id)
        return bool(history) and any(isinstance(part, ToolReturnPart) for part in history[-1].parts)

    async def _choose(self, run: Run) -> Chosen:
        """The model, built in a thread: the first use of a provider imports its SDK."""
        name = run.job.spec.model
        return self._models.built(name) or await asyncio.to_thread(self._models.build, name)

    def _rewind(self, run: Run) -> bool:
        """Make the next attempt start from what is kept: a kept request is sent again, not added again.

        Returns whether that can be: not in the middle of tool calls.
        """
        history = self._memory.of(run.log.session_id)
        if history and isinstance(history[-1], ModelRequest):
            run.prompt, run.answers, run.carried = None, None, 0
            return True
        return run.prompt is not None  # it was not even kept yet

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
                                if not tap.heard:
                                    pass_on(run.log, event)
                        note_response(span, stream.response)
                elif isinstance(node, CallToolsNode):
                    if not answered_now:
                        response = node.model_response
                        wrong = self._judge(response, tap.exchange.ending, chosen)
                        if wrong is None or (not is_retryable(wrong) and not is_silent(response)):
                            self._keep_response(run, response)
                        if wrong is not None:
                            raise wrong
                        self._models.worked(chosen)
                    answered_now = False
                    async with node.stream(agent_run.ctx) as events:
                        async for _ in events:
                            pass  # the toolbox tells of tools itself, when it is true
            result = agent_run.result
        await run.log.commit()
        return "paused" if result is not None and isinstance(result.output, DeferredToolRequests) else "finished"

    def _judge(self, response: ModelResponse, ending: Ending | None, chosen: Chosen) -> AsterError | None:
        if not chosen.says_why_it_ends and response.finish_reason is None and not is_silent(response):
            return None
        response.finish_reason = response.finish_reason or (None if chosen.says_why_it_ends else "stop")
        return judge(response, ending, chosen.name, chosen.window_tokens)

    def _keep_request(self, run: Run, request: ModelRequest) -> None:
        """Record a request before it is sent, with what was steered. The calls before it are answered and over."""
        run.log.new_paragraph()
        texts = run.job.steered()
        request.parts = [*request.parts, *(UserPromptPart(content=text) for text in texts[run.carried :])]
        writes = run.toolbox.close_calls()
        writes.append(("UPDATE turns SET kept_chars=max(kept_chars, 0) WHERE turn_id=?", (run.log.turn_id,)))
        self._journal.put(turn_id=run.log.turn_id, writes=writes, durable=False)
        self._memory.append(run.log.session_id, run.log.turn_id, [request])
        run.job.took_steered(len(texts))
        run.prompt, run.answers, run.carried = None, None, 0
        run.said = run.log.transcript.length.copy()

    def _keep_response(self, run: Run, response: ModelResponse) -> None:
        """Record a response that is whole, before any of its tools runs."""
        run.log.new_paragraph()
        run.toolbox.refused = mend_calls(response, self._memory.call_ids(run.log.session_id))
        kept = run.log.transcript.length["text_chunk"]
        write = ("UPDATE turns SET kept_chars=? WHERE turn_id=?", (kept, run.log.turn_id))
        self._journal.put(turn_id=run.log.turn_id, writes=[write], durable=False)
        self._memory.append(run.log.session_id, run.log.turn_id, [response])
        run.attempt, run.compacted = 1, 0
        run.said = run.log.transcript.length.copy()

    async def _wait(self, run: Run, failure: ModelError, attempt: int) -> None:
        """Wait before the next attempt, and say so. Raises: the failure, when the provider wants too long a wait."""
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
        """What the request to come takes of the window."""
        return size(self._memory.of(run.log.session_id), min(run.fixed_tokens, chosen.window_tokens // 2))

    def _nearly_full(self, run: Run, chosen: Chosen) -> bool:
        answer_tokens = run.job.spec.model_settings.get("max_tokens") or 0
        return nearly_full(self._size(run, chosen).tokens, chosen.window_tokens, answer_tokens)

    def _after_refusal(self, run: Run, chosen: Chosen, failure: ModelError) -> Step | None:
        """How to shorten the history after this failure; None when that would not help. Keeps what it learns."""
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
        """Put a shorter history in place of this one. Raises: ModelError."""
        history = self._memory.of(run.log.session_id)
        before = self._size(run, chosen)
        shorter = await compact(
            history, step, run.fixed_tokens, lambda prompt: self._ask(run, chosen, prompt), before.ratio
        )
        if shorter is None:
            if step.reason == "near_window":
                return  # the provider may take it yet
            raise too_long(chosen.name) if step.learned or run.refused is None else run.refused
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
        """One question without tools, streamed as a turn's are; what passes is tried again. Raises: ModelError."""
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
        """The text of the answer to one question. Counted as a request of the run."""
        text = ""
        async with self._agent.iter(
            prompt,
            model=Tap(chosen, run, [], Earlier(), aloud=False),
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
                    break  # an empty answer would be asked for again
        return text


class Tap(WrapperModel):
    """A model whose words are passed on where they come out of its stream, and go no further.

    Above it are a dozen layers (locks, scopes, hooks) that each delta would go through, for nobody: what the agent
    needs is the whole response, which the stream puts together. `heard` stays False if a release of pydantic-ai reads
    its streams another way; then the deltas come through all layers, and are passed on there.
    """

    def __init__(
        self, chosen: Chosen, run: Run, before: list[ModelMessage], earlier: Earlier, *, aloud: bool = True
    ) -> None:
        super().__init__(chosen.model)
        self._aloud = aloud
        self._before = before
        self._earlier = earlier
        self._key = (run.log.session_id, chosen.name, chosen.base_url, chosen.lacks)
        self._log = run.log
        self._run = run
        self.exchange = chosen.exchange(run.leave)
        self._lacks = chosen.lacks
        self._dialect = chosen.dialect
        self._over_wire = chosen.provider is not None
        self._own_server = chosen.provider is not None and chosen.base_url != chosen.provider.default_url
        self.heard = False

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
                    self._run.leave()  # it went by another way than the edge
                if self._aloud:
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
        """Ask the model, without giving it again what is kept as it was sent, where that can be put in later."""
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
        """One turn's messages as this model is sent them."""
        if not self._over_wire:
            return list(messages)
        if self.wrapped.system == "anthropic":
            messages = without_thoughts(messages, self._keeps)
        sent = as_sent(messages, strict_roles="roles" in self._lacks, short_ids="ids" in self._lacks)
        return self.wrapped.prepare_messages(sent)

    def _keeps(self, message: ModelResponse, part: ThinkingPart) -> bool:
        """Whether the server takes thinking back: signed by its maker, or its own, where it is not Anthropic's."""
        if part.signature:
            return self.wrapped.accepts_stateless_artifacts(message, part)
        return self._own_server and message.provider_url == self.wrapped.base_url

    async def _listen(self, events: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        breath = time.monotonic()
        try:
            while (event := await following(events)) is not None:
                self.heard = True
                if not pass_on(self._log, event):
                    yield event
                if time.monotonic() - breath > YIELD_EVERY_S:
                    # While the journal's thread is writing it needs the interpreter more than a flood does.
                    await asyncio.sleep(YIELD_S if self._log.journal.writing else 0)
                    breath = time.monotonic()
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()


async def following(events: AsyncIterator[Any]) -> Any:
    """The next event of a model's stream, None at its end.

    Raises: UnexpectedModelBehavior, when its library stumbles over what the provider sent: no fault of the daemon.
    """
    try:
        return await anext(events, None)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, Warning) as error:
        log.warning("a library could not read an answer", exc_info=error)
        raise UnexpectedModelBehavior(f"{type(error).__name__}: {error}") from error


def pass_on(log: TurnLog, event: Any) -> bool:
    """Say what an event of a model's stream says. Returns whether it was a delta, of which nothing else is left."""
    if isinstance(event, PartDeltaEvent):
        delta = event.delta
        if isinstance(delta, TextPartDelta):
            log.say("text_chunk", delta.content_delta)
        elif isinstance(delta, ThinkingPartDelta):
            updates = delta.provider_details
            thought = delta.content_delta or (raw_thought(updates(None)) if callable(updates) else "")
            if thought:
                log.say("thinking_chunk", thought)
        return True
    if isinstance(event, PartStartEvent):
        part = event.part
        if isinstance(part, TextPart) and part.content:
            log.say("text_chunk", part.content)
        elif isinstance(part, ThinkingPart) and (thought := part.content or raw_thought(part.provider_details)):
            log.say("thinking_chunk", thought)
    return False


def raw_thought(details: dict[str, Any] | None) -> str:
    """What a model thought where the provider sends it raw and not as a summary: pydantic-ai keeps it apart."""
    raw: Any = (details or {}).get("raw_content")
    return "".join(cast("list[str]", raw)) if isinstance(raw, list) else ""


class NearlyFull(Exception):
    """The next request would come too near to the model's context window."""


def note_response(span: Span, response: ModelResponse) -> None:
    """Add to a request's span what came of it, in numbers."""
    span.note(
        gen_ai__response__model=response.model_name,
        gen_ai__response__finish_reasons=(response.finish_reason,) if response.finish_reason else None,
        gen_ai__usage__input_tokens=response.usage.input_tokens,
        gen_ai__usage__output_tokens=response.usage.output_tokens,
    )


def attempts_for(failure: ModelError) -> int:
    """How often a request is sent that fails like this."""
    return SLOW_ATTEMPTS if failure.code == "provider_timeout" else MAX_ATTEMPTS


def mend_calls(response: ModelResponse, used: set[str]) -> set[str]:
    """Give each call of a response an id that none had before, and arguments that can be read.

    Returns the new ids of those that must not run, because they asked for NUL, which stands as U+FFFD now.
    """
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    ids = apart((str(part.tool_call_id) for part in calls), used)
    with_nul = {call_id for call_id, part in zip(ids, calls, strict=True) if holds_nul(part.args_as_dict())}
    new_id = iter(ids)
    response.parts = [
        replace(part, tool_call_id=next(new_id), args=readable(part.args) if isinstance(part.args, str) else part.args)
        if isinstance(part, ToolCallPart)
        else part
        for part in response.parts
    ]
    return with_nul


def used_up(run: Run) -> LimitReached:
    """Which limit pydantic-ai has hit."""
    limits = run.job.limits
    if limits.requests is not None and run.usage.requests >= limits.requests:
        return LimitReached(f"the turn made {run.usage.requests} requests to the model; the limit is {limits.requests}")
    return LimitReached("the turn used what one turn may use")


def tell_of(log: TurnLog, failure: ModelError, consequence: str) -> None:
    """Tell of something that went wrong, and how the turn goes on."""
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
    """Whether what came of an answer is not to be kept, because it is asked for again."""
    return bool(getattr(failure, "retryable", False))


def check_tokens(run: Run) -> None:
    """Raises: LimitReached when the turn's tokens are used up.

    pydantic-ai's own token limit looks at the whole answer so far at each delta, which makes a long answer quadratic.
    """
    limit = run.job.limits.tokens
    if limit is not None and run.usage.total_tokens >= limit:
        raise LimitReached(f"the turn used {run.usage.total_tokens} tokens; the limit is {limit} tokens")


def instructions(job: Job) -> str:
    """What the agent is told to be, and what the app says of this message."""
    if not job.context:
        return job.spec.instructions
    told = json.dumps(job.context, ensure_ascii=False)
    return f"{job.spec.instructions}\n\nThe app gives this context with the message, as JSON: {told}"


def too_long(name: str) -> ModelError:
    """Nothing of the conversation can be left out, and it is longer than the model can read."""
    return ModelError(
        "context_too_long",
        f"{name}: the last message alone is longer than the model can read",
        hint="send less at once, or choose a model with a larger context window",
    )
