"""Runs the agent for `turns`: runs pydantic-ai, translates its events into ours, stores each completed message.

A run ends as finished or as paused (a tool call waits for a person). Another run resumes a paused turn, possibly after
a restart of the daemon.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import pydantic_ai
from pydantic_ai import (
    Agent,
    AgentRun,
    CallToolsNode,
    DeferredToolRequests,
    ModelRequestNode,
    ModelSettings,
    RunUsage,
    ToolReturnPart,
    UsageLimits,
)
from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.messages import ModelRequest, ModelResponse, UserContent

from aster_sidecar.conversation.answer_endings import EmptyAnswer, empty_answer_error, is_empty, judge
from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.conversation.compaction import Step, fixed_tokens
from aster_sidecar.conversation.earlier_messages import Earlier, begins_at
from aster_sidecar.conversation.file_loading import Files
from aster_sidecar.conversation.file_references import (
    addresses,
    content_of,
    kind_of,
    model_refuses,
    no_model_takes,
    reference,
)
from aster_sidecar.conversation.kept_messages import keep_request, keep_response
from aster_sidecar.conversation.model_history import (
    ModelHistory,
    as_rows,
    closing_messages,
    edited_calls,
    recorded_calls,
    unanswered,
)
from aster_sidecar.conversation.model_stream import Tap, note_response, publish_delta
from aster_sidecar.conversation.retries import attempts_for, is_retryable, wait_before_retry
from aster_sidecar.conversation.run_compaction import Compactor
from aster_sidecar.conversation.run_request import Prompt, RunRequest
from aster_sidecar.conversation.run_state import Run, check_tokens, usage_limit_error
from aster_sidecar.conversation.tool_executor import ToolExecutor
from aster_sidecar.conversation.turn_warnings import TurnWarnings
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.errors import AsterError, ModelError
from aster_sidecar.ledger.recorder import Recorder
from aster_sidecar.models.build import Models
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.request_context import Ending
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import calls as call_rows
from aster_sidecar.store.rows import turns as turn_rows
from aster_sidecar.telemetry.spans import NoSpans, Spans
from aster_sidecar.text.numbers import price
from aster_sidecar.tools.mcp.connection import CONNECT_S
from aster_sidecar.tools.mcp.server import Missing
from aster_sidecar.tools.mcp.servers import Servers
from aster_sidecar.tools.registry import Toolkit


class Engine:
    """Runs agents and stores the history of their models. One per daemon."""

    def __init__(
        self,
        journal: Journal,
        models: Models,
        toolkit: Toolkit,
        waits: Waits,
        servers: Servers,
        attachments: Attachments,
        recorder: Recorder,
        spans: Spans | None = None,
    ) -> None:
        pydantic_ai.BANNER_ENABLED = False  # no banner in the terminal and the log
        self._spans = spans or NoSpans()
        self._journal = journal
        self._models = models
        self._toolkit = toolkit
        self._waits = waits
        self._servers = servers
        self._memory = ModelHistory(journal)
        self._agent: Agent[Any, Any] = Agent(output_type=[str, DeferredToolRequests], retries=2)
        self._earlier = Earlier()
        self._attachments = attachments
        self._recorder = recorder
        self._files = Files(attachments)
        self._compactor = Compactor(self._memory, models, self._spans, self._agent, self._choose, self._files)
        self._warnings = TurnWarnings()

    async def shut_down(self) -> None:
        """Send the spans that are not sent yet."""
        await self._spans.close()

    def as_messages(self, question: str, answer: str) -> list[str]:
        """A question and its answer as rows of the model's history."""
        return as_rows(question, answer)

    def forget(self, session_id: str) -> None:
        """Drop a session's messages from memory, because its rows were changed from outside."""
        self._memory.forget(session_id)

    def close(self, log: TurnLog, prompt: Prompt, steered: Sequence[Prompt]) -> None:
        """Append what the model must know of an interrupted turn, so that the next turn can continue."""
        self._memory.edit_calls(log.session_id, log.turn_id, edited_calls(self._journal, log.turn_id))
        history = self._memory.of(log.session_id)
        found = self._journal.first(turn_rows.select_kept_chars(log.turn_id))
        kept_chars = found if found is not None else -1
        partial = log.transcript.text[max(kept_chars, 0) :].strip()
        undelivered = [*([prompt] if kept_chars < 0 else []), *steered]
        added = closing_messages(
            history, recorded_calls(self._journal, log.turn_id, log.message_id), partial, undelivered
        )
        self._memory.append(log.session_id, log.turn_id, added)

    async def run(self, job: RunRequest) -> Literal["finished", "denied", "paused"]:
        """Run until the model is done or a call waits; `denied`: the model added no text after a denied call.

        Raises: ModelError, LimitReached, StoreError, CancelledError. `RunRequest.usage` is up to date in any case.
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

    async def _run(self, job: RunRequest) -> Literal["finished", "denied", "paused"]:
        self._warnings.missing_servers(job.log, await self._reach(job))
        run = self._begin(job)
        if job.prompt is not None:
            own = frozenset(reference(row).url for row in job.prompt.files)
            run.earlier_files = addresses(self._memory.of(job.log.session_id)) - own
        said_before = job.log.transcript.length["text_chunk"]
        try:
            await self._check_files(run, job)
            if job.prompt is None:
                edited = edited_calls(self._journal, job.log.turn_id)
                self._memory.edit_calls(job.log.session_id, job.log.turn_id, edited)
                run.answers = run.toolbox.answers(unanswered(self._memory.of(job.log.session_id)))
            ended = await self._attempts(run)
        finally:
            take_usage(run)
        silent = job.log.transcript.length["text_chunk"] == said_before
        return "denied" if ended == "finished" and silent and run.toolbox.denied_last else ended

    async def _reach(self, job: RunRequest) -> list[Missing]:
        """Wait a little for the MCP servers whose tools this turn has. Returns those that are missing.

        It waits longer for the server of a call that goes on after it was paused.
        """

        def wanted(server: str) -> bool:
            return self._toolkit.wants(server, job.log.agent_id, job.log.session_id)

        if job.prompt is None:
            calls = self._journal.rows(call_rows.select_calls(job.log.turn_id))
            paused = [call.name for call in calls if call.state in call_rows.PAUSED]
            absent = [name for name in paused if not self._toolkit.has(name)]
            await self._servers.await_tools(absent, CONNECT_S)
        return await self._servers.reach(job.spec.tools, wanted)

    async def _check_files(self, run: Run, job: RunRequest) -> None:
        """Raises: ModelError, if the message has a file that its model is known not to take."""
        rows = job.prompt.files if job.prompt is not None else ()
        for row in rows:
            kind = kind_of(row.media_type)
            if kind == "other":
                raise no_model_takes(row)
            if kind != "text" and kind in (chosen := await self._choose(run)).refuses:
                raise model_refuses(chosen.name, row, await asyncio.to_thread(self._models.that_take, kind))

    def _begin(self, job: RunRequest) -> Run:
        """The state of a run that begins."""
        usage = job.usage
        names = self._names(job)
        toolbox = ToolExecutor(
            self._toolkit,
            names,
            self._waits,
            self._attachments,
            self._recorder,
            job.log,
            approval_timeout_s=job.approval_timeout_s,
            unattended_denies=job.unattended_denies,
            context=job.context,
            usage=usage,
            most_calls=job.limits.tool_calls,
            retries=job.spec.retries,
            tool_timeout_s=job.spec.tool_timeout_s,
            turn_limit=job.time_limit,
            spans=self._spans,
        )
        return Run(
            job,
            toolbox,
            RunUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, requests=usage.requests),
            content_of(job.prompt) if job.prompt is not None else None,
            stored_length=job.log.transcript.length.copy(),
            sent=usage.requests,
            fixed_tokens=self._fixed_tokens(job, names),
        )

    def _names(self, job: RunRequest) -> list[str]:
        """The tools that the model is offered now."""
        return self._toolkit.of(job.spec.tools, job.log.agent_id, job.log.session_id)

    def _fixed_tokens(self, job: RunRequest, names: Sequence[str]) -> int:
        tools = ((name, self._toolkit.get(name).description, self._toolkit.schema_for_models(name)) for name in names)
        return fixed_tokens(instructions(job), tools)

    async def _attempts(self, run: Run) -> Literal["finished", "paused"]:
        """Run again after a temporary failure, a full context window, or a steered message that came at the end."""
        chosen = await self._choose(run)
        full: Step | None = None
        while True:
            if full is not None:
                await self._compactor.compact(run, chosen, full)
                full = None
            try:
                if await self._once(run, chosen) == "paused":
                    return "paused"
                steered = run.job.steered()
                if not steered:
                    return "finished"
                run.prompt, run.answers, run.carried = joined(steered), None, len(steered)
            except NearlyFull:
                full = Step("near_window", chosen.window_tokens)
                self._rewind(run)
            except ToolsChanged:
                names = self._names(run.job)
                run.toolbox.offer(names)
                run.fixed_tokens = self._fixed_tokens(run.job, names)
                self._rewind(run)
            except EmptyAnswer as error:
                if not self._ask_again(run, chosen, error):
                    return "finished"
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
                self._warnings.warn(run.log, failure, "the turn goes on without tools")
            await self._check_files(run, run.job)  # without files of earlier messages it can go on
            return None, await self._choose(run)
        if failure.code == "attachment_refused":
            # Without this, a refused file would be refused with each later message as well.
            if can_retry and run.sent_earlier:
                run.set_aside = run.sent_earlier
                self._files.leave_out(chosen.name, run.set_aside)
                return None, chosen
            self._files.leave_out(chosen.name, run.sent_own, instead_of=run.set_aside)
        if can_retry and (step := self._compactor.after_refusal(run, chosen, failure)) is not None:
            return step, replace(chosen, window_tokens=step.window_tokens)
        self._models.failed(chosen, failure)
        if not (failure.retryable and can_retry) or run.attempt >= attempts_for(failure):
            raise failure from (error if failure is not error else error.__cause__)
        await wait_before_retry(run.log, failure, run.attempt)
        run.attempt += 1
        return None, chosen

    def _ask_again(self, run: Run, chosen: Chosen, error: EmptyAnswer) -> bool:
        """Whether the model is asked once more after an empty answer; if not, the turn ends. Raises: ModelError."""
        if run.toolbox.denied_last:
            return False
        if not run.asked_again and self._rewind(run):
            run.asked_again = True
            return True
        failure = empty_answer_error(chosen.name)
        if not self._answers_tool_results(run):
            raise failure from error
        self._warnings.warn(run.log, failure, "it did not comment on the tool results; ask it to")
        return False

    def _answers_tool_results(self, run: Run) -> bool:
        """Whether the last request to the model contained tool results."""
        history = self._memory.of(run.log.session_id)
        return bool(history) and any(isinstance(part, ToolReturnPart) for part in history[-1].parts)

    async def _choose(self, run: Run) -> Chosen:
        """The model, built in a thread: the first use of a provider imports its SDK."""
        name = run.job.model
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
        tap = Tap(chosen, run, history[:at], self._earlier, self._files)
        async with self._agent.iter(
            run.prompt,
            message_history=history[at:],
            deferred_tool_results=run.answers,
            model=tap,
            model_settings=cast("ModelSettings", dict(run.job.model_settings)),
            instructions=instructions(run.job),
            toolsets=[run.toolbox],
            usage=run.usage,
            usage_limits=UsageLimits(request_limit=run.job.limits.requests),
        ) as agent_run:
            async for node in agent_run:
                if isinstance(node, ModelRequestNode):
                    await self._request(run, chosen, tap, agent_run, node, sent_again=sent_again)
                    sent_again = False
                elif isinstance(node, CallToolsNode):
                    if not answered_now:
                        self._receive(run, chosen, node.model_response, tap.exchange.ending)
                    answered_now = False
                    async with node.stream(agent_run.ctx) as events:
                        async for _ in events:
                            pass  # the toolbox records the events of tool calls itself
            result = agent_run.result
        await run.log.commit()
        return "paused" if result is not None and isinstance(result.output, DeferredToolRequests) else "finished"

    async def _request(
        self,
        run: Run,
        chosen: Chosen,
        tap: Tap,
        agent_run: AgentRun[Any, Any],
        node: ModelRequestNode[Any, Any],
        *,
        sent_again: bool,
    ) -> None:
        """Record a request, send it, and publish the stream of its answer.

        Raises: LimitReached, NearlyFull, ToolsChanged.
        """
        check_tokens(run)
        if not sent_again:
            keep_request(self._journal, self._memory, run, node.request)
            self._compactor.note_size(run, chosen)
            if self._compactor.nearly_full(run, chosen):
                raise NearlyFull
            if run.toolbox.differs(self._names(run.job)):
                raise ToolsChanged
        with self._spans.request(model=chosen.name, attempt=run.attempt) as span:
            async with node.stream(agent_run.ctx) as stream:
                async for event in stream:
                    if not tap.tapped:
                        publish_delta(run.log, event)
            note_response(span, stream.response)

    def _receive(self, run: Run, chosen: Chosen, response: ModelResponse, ending: Ending | None) -> None:
        """Record a complete response, unless its request is sent again. Raises: AsterError for an unusable one."""
        wrong = self._judge(response, ending, chosen)
        if wrong is None or (not is_retryable(wrong) and not is_empty(response)):
            keep_response(self._journal, self._memory, run, response)
            self._compactor.note_size(run, chosen)
        if wrong is not None:
            raise wrong
        self._models.worked(chosen)

    def _judge(self, response: ModelResponse, ending: Ending | None, chosen: Chosen) -> AsterError | None:
        if not chosen.says_why_it_ends and response.finish_reason is None and not is_empty(response):
            return None
        response.finish_reason = response.finish_reason or (None if chosen.says_why_it_ends else "stop")
        return judge(response, ending, chosen.name, chosen.window_tokens)


class ToolsChanged(Exception):
    """Tools of MCP servers have come, gone or changed: the request is sent by a new run, which offers them."""


class NearlyFull(Exception):
    """The next request would come too close to the limit of the model's context window."""


def take_usage(run: Run) -> None:
    """Take the usage of a run over into its turn's."""
    usage = run.job.usage
    usage.input_tokens, usage.output_tokens = run.usage.input_tokens, run.usage.output_tokens
    usage.requests = max(run.sent, run.usage.requests)
    cost = price(run.usage.cost)
    if cost is not None:
        usage.cost_usd = (usage.cost_usd or 0.0) + cost


def joined(prompts: Sequence[Prompt]) -> str | list[UserContent]:
    """Messages as the content of one prompt."""
    contents = [content_of(prompt) for prompt in prompts]
    if all(isinstance(content, str) for content in contents):
        return "\n\n".join(cast("list[str]", contents))
    return [item for content in contents for item in ([content] if isinstance(content, str) else content)]


def instructions(job: RunRequest) -> str:
    """The agent's instructions, and the context that the app sent with this message."""
    if not job.context:
        return job.spec.instructions
    context = json.dumps(job.context, ensure_ascii=False)
    return f"{job.spec.instructions}\n\nThe app gives this context with the message, as JSON: {context}"
