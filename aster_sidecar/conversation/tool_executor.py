"""Executes tool calls: assess → permissions.decide → (ask: approvals.request) → intent → run → result.

A call that is itself a question takes another way: assess → permissions.decide → questions.ask → answers.

A call runs at most once: its intent is recorded before it runs and its result after, and a recorded call never reruns.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NoReturn

from pydantic import BaseModel
from pydantic_ai import (
    AbstractToolset,
    ApprovalRequired,
    DeferredToolResults,
    ModelRetry,
    RunContext,
    ToolApproved,
    ToolCallPart,
    ToolDefinition,
    ToolDenied,
    ToolFailed,
    ToolsetTool,
)
from pydantic_core import SchemaValidator, core_schema

from aster_sidecar import clock
from aster_sidecar.asking.time_limit import TimeLimit
from aster_sidecar.contract import wire
from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.conversation.binding_changes import changes
from aster_sidecar.conversation.call_context import Context
from aster_sidecar.conversation.call_events import CallEvents, Ended
from aster_sidecar.conversation.call_questions import UNATTENDED, UNATTENDED_WORDS, CallQuestions, answers_of
from aster_sidecar.conversation.file_references import named, named_upload, sent_images, with_images
from aster_sidecar.conversation.recorded_calls import Call, call_row, end_rows, load_calls, recorded_result
from aster_sidecar.conversation.run_request import Usage, denial, unanswered_words
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.errors import ArgumentsInvalid, AsterError, LimitReached
from aster_sidecar.ledger.recorder import NO_CHANGES, Recorded, Recorder, Recording
from aster_sidecar.policy.approvals import Answer, Pending
from aster_sidecar.policy.decisions import PERSON
from aster_sidecar.policy.permissions import Assessment, Decision
from aster_sidecar.services.process_tree import finished
from aster_sidecar.store.rows import calls as rows
from aster_sidecar.store.rows.attachments import AttachmentRow
from aster_sidecar.store.rows.decisions import update_outcome
from aster_sidecar.store.sql import Write
from aster_sidecar.telemetry.spans import NoSpans, Spans
from aster_sidecar.text.repair import valid_text
from aster_sidecar.text.values import jsonable
from aster_sidecar.tools.base import File, Outcome, Paused, ToolError
from aster_sidecar.tools.registry import Toolkit, preview_of, summary_of

log = logging.getLogger(__name__)

ARGUMENTS = SchemaValidator(core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema()))
"""Any object: `Toolkit.assess` checks what is in it."""


class ToolExecutor(AbstractToolset[Any]):
    """The pydantic-ai toolset of one turn."""

    def __init__(
        self,
        toolkit: Toolkit,
        names: Sequence[str],
        waits: Waits,
        attachments: Attachments,
        recorder: Recorder,
        log: TurnLog,
        *,
        approval_timeout_s: Callable[[], float],
        unattended_denies: Callable[[], bool],
        context: Mapping[str, Any],
        usage: Usage,
        most_calls: int | None,
        retries: int = 2,
        tool_timeout_s: float | None = None,
        turn_limit: TimeLimit | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._spans = spans or NoSpans()
        self._toolkit = toolkit.called_by(log.agent_id, log.session_id)
        self._approvals = waits.approvals
        self._events = CallEvents(log)
        self._questions = CallQuestions(
            waits.questions, log, self._events, approval_timeout_s, unattended_denies, turn_limit or TimeLimit(None)
        )
        self._hosts = waits.hosts
        self._attachments = attachments
        self._recorder = recorder
        self._log = log
        self._approval_timeout_s = approval_timeout_s
        self._context = context
        self._usage = usage
        self._most_calls = most_calls
        self._retries = retries
        self._tool_timeout_s = tool_timeout_s
        self._calls = load_calls(log)
        self._offered: dict[str, ToolsetTool[Any]] = {}
        self._definitions: dict[str, str] = {}
        self.offer(names)
        self.rejected: set[str] = set()
        """Ids of calls in the last response that must not run: NUL in their arguments was replaced."""
        self.denied_last = False
        """Whether the last call that ended was denied."""

    @property
    def id(self) -> str:
        return "aster"

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        """The tools of `offer`, the same for the whole run, and removed tools that open calls name: see `call_tool`.

        Tools added during a run would be sent to providers as items of the history, which many servers don't support.
        """
        removed = {call.name for call in self._calls.values()}.difference(self._offered)
        return {**self._offered, **{name: self._entry(ToolDefinition(name=name)) for name in removed}}

    def offer(self, names: Sequence[str]) -> None:
        """Offer these tools from the next run on."""
        self._offered = {name: self._offer(name) for name in names}
        self._definitions = {name: self._toolkit.get(name).definition for name in names}

    def differs(self, names: Sequence[str]) -> bool:
        """Whether these tools, as they are now, are not those that are offered."""
        return self._definitions != {name: self._toolkit.get(name).definition for name in names}

    def _offer(self, name: str) -> ToolsetTool[Any]:
        tool = self._toolkit.get(name)
        definition = ToolDefinition(
            name=name,
            description=tool.description,
            parameters_json_schema=self._toolkit.schema_for_models(name),
            sequential=tool.risk != "low",  # two edits of one file in one response must not race
        )
        return self._entry(definition)

    def _entry(self, definition: ToolDefinition) -> ToolsetTool[Any]:
        return ToolsetTool(toolset=self, tool_def=definition, max_retries=self._retries, args_validator=ARGUMENTS)

    def close_calls(self) -> list[Write]:
        """Close the calls so far, because the next response may reuse their ids. Returns the rows to write."""
        self._calls.clear()
        return [rows.update_closed(self._log.turn_id)]

    def answers(self, calls: Sequence[ToolCallPart]) -> DeferredToolResults:
        """The results with which a resumed run continues. Denied calls end here, with a `tool_end` event.

        Calls that already ran count as approved: `call_tool` returns their recorded result. Raises: StoreError.
        """
        results = DeferredToolResults()
        for part in calls:
            call = self._calls.get(part.tool_call_id)
            if call is None or call.state in ("started", "ended"):
                results.approvals[part.tool_call_id] = ToolApproved()
                continue
            answer = self._approvals.answer_of(call.call_id)
            if call.state == "denied" and answer is not None:
                message = denial(answer.note)
                self.denied_last = True
                self._log.put(
                    "tool_end",
                    wire.ToolEndEvent(
                        message_id=self._log.message_id,
                        call_id=call.call_id,
                        name=call.name,
                        error=message,
                        outcome="denied",
                        duration_ms=0,
                    ),
                    writes=end_rows(call.call_id, "denied", message),
                )
                results.approvals[part.tool_call_id] = ToolDenied(message)
            else:
                edited = answer.arguments if answer is not None and answer.arguments != call.arguments else None
                results.approvals[part.tool_call_id] = ToolApproved(override_args=edited)
        return results

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        """Run one call and return its result. Raises: ApprovalRequired (the run pauses), ToolFailed, ModelRetry."""
        model_call_id = ctx.tool_call_id or clock.new_id("call")
        known = self._calls.get(model_call_id)
        if known is not None and known.state in ("ended", "started"):
            return recorded_result(known, self._attachments.of_call(self._log.message_id, known.call_id))
        if known is not None and known.state in rows.PAUSED and self._hosts.has(known.call_id):
            return await self._take_recorded(known)
        if (known is not None and name not in self._offered) or not self._toolkit.has(name):
            why = self._toolkit.why_absent(name) or "the agent does not have this tool any more"
            call = known or self._new(model_call_id, name, tool_args)
            await self._refuse(call, self._unassessed(call), f"not run: {why}", "failed")
        if model_call_id in self.rejected:
            raise ModelRetry(f"arguments of {name}: they must not contain NUL (U+0000); it was replaced by U+FFFD")
        if (before := self._toolkit.get(name).before) is not None:
            await before(self._toolkit.surroundings())
        parsed, assessment = await self._assess(known, model_call_id, name, tool_args)
        call = known or self._new(model_call_id, name, tool_args)
        return await self._decide(call, tool_args, parsed, assessment, fresh=known is None)

    async def _assess(
        self, known: Call | None, model_call_id: str, name: str, arguments: dict[str, Any]
    ) -> tuple[BaseModel, Assessment]:
        """The parsed arguments, and what the call would do. Raises: ToolFailed, ModelRetry."""
        try:
            return self._toolkit.assess(name, arguments)
        except ArgumentsInvalid as error:
            if known is None:
                raise ModelRetry(error.message) from error
            # A person saw the call, so its end is published.
            await self._refuse(known, self._unassessed(known), error.message, "failed")
        except ToolError as error:
            call = known or self._new(model_call_id, name, arguments)
            # The tool refused the call before the policy could decide about it.
            decided = Decision("deny", "tool", str(error)) if known is None else None
            await self._refuse(call, self._unassessed(call), str(error), "failed", decided)

    async def _decide(
        self, call: Call, arguments: dict[str, Any], parsed: BaseModel, assessment: Assessment, *, fresh: bool
    ) -> Any:
        """Run the call, refuse it, or ask a person. `fresh`: it is new, so that no answer to it exists.

        Raises: ApprovalRequired, ToolFailed.
        """
        decision = self._toolkit.decide(call.name, arguments, assessment, self._log.agent_id, self._log.session_id)
        if decision.verdict == "deny":
            await self._refuse(call, assessment, f"denied: {decision.reason}", "denied", decision)
        if self._toolkit.get(call.name).asks is not None:
            return await self._answered(call, parsed, assessment, decision, fresh=fresh)
        if call.state in rows.PAUSED:
            return await self._run(call, parsed, assessment, decision)
        answer = None if fresh else self._approvals.answer_of(call.call_id)
        if answer is not None and not answer.allowed:
            await self._refuse(call, assessment, denial(answer.note), "denied")
        if answer is not None and answer.binding == jsonable(assessment.binding):
            return await self._run(call, parsed, assessment, replace(decision, decided_by=PERSON))
        if answer is None and decision.verdict == "allow":
            return await self._run(call, parsed, assessment, decision)
        await self._ask(call, arguments, assessment, decision, answer)
        raise ApprovalRequired

    def _new(self, model_call_id: str, name: str, arguments: dict[str, Any]) -> Call:
        return Call(clock.new_id("call"), model_call_id, name, arguments, "new", None, None)

    def _unassessed(self, call: Call) -> Assessment:
        """A placeholder assessment of a call with invalid arguments or a removed tool."""
        asked = self._log.transcript.tools.get(call.call_id)
        if asked is not None:
            risk = asked.risk
        else:
            risk = self._toolkit.get(call.name).risk if self._toolkit.has(call.name) else "high"
        return Assessment(risk=risk, target="", display=call.name, reason="")

    async def _ask(
        self, call: Call, arguments: dict[str, Any], assessment: Assessment, decision: Decision, earlier: Answer | None
    ) -> None:
        """Ask a person; a call about which nobody can be asked is refused. Raises: ToolFailed."""
        if assessment.unshown is not None:
            unshown = Decision("deny", "unshown", f"nobody can be asked: {assessment.unshown}")
            await self._refuse(call, assessment, unshown.reason, "failed", unshown)
        if self._questions.unattended:
            await self._refuse(call, assessment, UNATTENDED_WORDS, "denied", UNATTENDED)
        reason = decision.reason
        if earlier is not None:
            differs = ", ".join(changes(earlier.binding, jsonable(assessment.binding)))
            reason = f"asked again, because something changed after it was approved ({differs}). {reason}"
        pending = Pending(
            call_id=call.call_id,
            agent_id=self._log.agent_id,
            session_id=self._log.session_id,
            turn_id=self._log.turn_id,
            message_id=self._log.message_id,
            name=call.name,
            arguments=arguments,
            risk=assessment.risk,
            reason=reason,
            display=assessment.display,
            target=assessment.target,
            binding=jsonable(assessment.binding),
            remember=assessment.remember,
            scopes=assessment.scopes,
            requested_at=clock.stamp(),
            expires_at=None,
            summary=summary_of(call.name, assessment),
            preview=preview_of(assessment),
        )
        self._log.flush()
        writes = [call_row(self._log, call, assessment.risk, "waiting")]
        if earlier is not None:
            writes.append(update_outcome(call.call_id, "asked_again"))
        self._log.journal.put(writes=writes)
        self._approvals.request(pending, timeout_s=self._approval_timeout_s())
        self._log.transcript.apply(0, "approval_required", {**vars_of(pending), "message_id": self._log.message_id})
        await self._log.commit()

    async def _refuse(
        self,
        call: Call,
        assessment: Assessment,
        message: str,
        outcome: Literal["denied", "failed"],
        decided: Decision | None = None,
    ) -> NoReturn:
        """End a call without running it. `decided`: the decision, unless it is recorded already. Raises: ToolFailed."""
        self.denied_last = outcome == "denied"
        self._events.refusal(call, assessment, message, outcome, decided)
        await self._log.commit()
        raise ToolFailed(message)

    async def _answered(
        self, call: Call, parsed: BaseModel, assessment: Assessment, decision: Decision, *, fresh: bool
    ) -> Any:
        """The answers to a call that is a question itself. Raises: ApprovalRequired (it is asked), ToolFailed."""
        ending = None if fresh else self._questions.ending_of(call)
        if ending is None:
            if self._questions.unattended:
                await self._refuse(call, assessment, UNATTENDED_WORDS, "denied", UNATTENDED)
            await self._questions.ask(call, parsed, self._toolkit.get(call.name), assessment, decision)
            raise ApprovalRequired
        if ending.outcome != "answered":
            await self._refuse(call, assessment, unanswered_words(ending.outcome, ending.note), "denied")
        self.denied_last = False
        result = answers_of(ending)
        self._events.end(call, "done", 0.0, outcome=Outcome(result), recorded=NO_CHANGES)
        await self._log.commit()
        return result

    def _count(self) -> None:
        """Count a call that starts. Raises: LimitReached."""
        if self._most_calls is not None and self._usage.tool_calls >= self._most_calls:
            raise LimitReached(f"the turn made {self._usage.tool_calls} tool calls; the limit is {self._most_calls}")
        self._usage.tool_calls += 1

    async def _pause(
        self, call: Call, assessment: Assessment, paused: Paused, duration_s: float, recorded: Recorded
    ) -> NoReturn:
        """Record that a call waits, and what it asks a person. Raises: ApprovalRequired, ToolFailed."""
        if paused.asks and self._questions.unattended:
            self.denied_last = True
            self._events.end(call, "denied", duration_s, error=UNATTENDED_WORDS, recorded=recorded)
            await self._log.commit()
            raise ToolFailed(UNATTENDED_WORDS)
        await self._questions.park(call, assessment, paused, recorded)
        raise ApprovalRequired

    async def _run(self, call: Call, parsed: BaseModel, assessment: Assessment, decision: Decision) -> Any:
        """Run a call, or let it go on after it was paused. Raises: ApprovalRequired (it is paused), ToolFailed."""
        tool = self._toolkit.get(call.name)
        self.denied_last = False
        if call.state in rows.PAUSED:
            self._log.journal.put(writes=[call_row(self._log, call, assessment.risk, "started")])
        else:
            self._count()
            self._events.start(call, parsed, assessment, decision)
        limit = TimeLimit(self._tool_timeout_s)
        asking = self._questions.of_running(call, limit)
        context = Context(self._log, call.call_id, self._toolkit.surroundings(), self._context, asking)
        if call.state in rows.PAUSED:
            context.again = True
            context.ended_questions = self._questions.endings_of(call)
        recording = self._recorder.recording(context)
        try:
            if tool.host is None:  # a host hears of its call only when it is recorded, together with this
                await self._log.commit()
            await recording.begin(tool, parsed, assessment)
        except asyncio.CancelledError:
            recorded, _ = await recorded_by(recording)
            self._events.end(call, "cancelled", 0.0, error="cancelled before it ran", recorded=recorded)
            raise
        began = time.monotonic()
        error: str | None = None
        status: Ended | None = None
        outcome = Outcome(None)
        try:
            with self._spans.tool(call_id=call.call_id, name=call.name), asking.open():
                async with limit:
                    outcome = await tool.run(parsed, assessment, context)
            outcome = replace(outcome, value=jsonable(outcome.value))
        except asyncio.CancelledError:
            duration_s = time.monotonic() - began
            recorded, _ = await recorded_by(recording)
            self._events.end(call, "cancelled", duration_s, error="cancelled while it ran", recorded=recorded)
            raise
        except TimeoutError as failure:
            late = f"stopped after {self._tool_timeout_s:g} s, the agent's tool_timeout" if limit.expired() else None
            error = late or f"{type(failure).__name__}: {failure}"
        except Paused as paused:
            recorded, cancelled = await recorded_by(recording)
            if cancelled:
                self._events.end(
                    call, "cancelled", time.monotonic() - began, error="cancelled while it ran", recorded=recorded
                )
                raise asyncio.CancelledError from None
            await self._pause(call, assessment, paused, time.monotonic() - began, recorded)
        except ToolError as failure:
            error, outcome, status = failed_outcome(failure)
        except AsterError:
            raise
        except Exception as failure:  # any error of a tool is its result
            error = f"{type(failure).__name__}: {failure}"
        recorded, cancelled = await recorded_by(recording)
        duration_s = time.monotonic() - began
        if cancelled:
            self._events.end(call, status or ended(error), duration_s, outcome=outcome, error=error, recorded=recorded)
            raise asyncio.CancelledError
        return await self._finish(call, outcome, error, status, duration_s, recorded, durable=tool.host is None)

    async def _take_recorded(self, call: Call) -> Any:
        """The result of a call that ended elsewhere while it waited. Raises: ApprovalRequired, ToolFailed."""
        if self._hosts.is_open(call.call_id):
            raise ApprovalRequired
        self.denied_last = False
        error, status, outcome = None, None, Outcome(None)
        try:
            outcome = self._hosts.recorded(call.call_id)
            outcome = replace(outcome, value=jsonable(outcome.value))
        except ToolError as failure:
            error, outcome, status = failed_outcome(failure)
        return await self._finish(call, outcome, error, status, 0.0, NO_CHANGES)

    async def _finish(
        self,
        call: Call,
        outcome: Outcome,
        error: str | None,
        status: Ended | None,
        duration_s: float,
        recorded: Recorded,
        *,
        durable: bool = True,
    ) -> Any:
        """Record the end of a call, with its files. Raises: ToolFailed if there is an error."""
        error = None if error is None else valid_text(error)
        status = status or ended(error)
        try:
            kept, names = await self._keep(outcome.files, outcome.attached)
        except asyncio.CancelledError:
            self._events.end(call, status, duration_s, outcome=outcome, error=error, recorded=recorded)
            raise
        if names and error is not None:
            error = "\n".join((error, *names))
        elif names:
            outcome = replace(outcome, value={**outcome.value, "files": names})
        self._events.end(
            call, status, duration_s, outcome=outcome, error=error, files=kept, recorded=recorded, durable=durable
        )
        await self._log.commit()
        if error is not None:
            raise ToolFailed(error)
        return with_images(outcome.value, kept)

    async def _keep(self, files: Sequence[File], attached: Sequence[str]) -> tuple[list[AttachmentRow], list[str]]:
        """The files of a result as attachments, and a line for each file that the model does not get as an image.

        `attached`: ids of files that were uploaded.
        """
        kept: list[AttachmentRow] = []
        lines: list[tuple[AttachmentRow | None, str]] = []
        for attachment_id in attached:
            try:
                [row] = self._attachments.to_use([attachment_id])
            except AsterError as error:
                lines.append((None, f"a file is missing: {error.message}"))
                continue
            kept.append(row)
            lines.append((row, named_upload(row)))
        for file in files:
            try:
                row = await self._attachments.keep(file.name, file.data)
            except AsterError as error:
                log.warning("a file of a tool's result is not kept: %s", error.message)
                lines.append((None, f"{named(file, None)} is not kept: {error.message}"))
                continue
            kept.append(row)
            lines.append((row, named(file, row)))
        sent = {row.attachment_id for row in sent_images(kept)}
        return kept, [line for row, line in lines if row is None or row.attachment_id not in sent]


async def recorded_by(recording: Recording) -> tuple[Recorded, bool]:
    """What a call changed. The second value: whether this task was cancelled meanwhile. Raises: StoreError."""
    return await finished(recording.end()) if recording.active else (NO_CHANGES, False)


def failed_outcome(failure: ToolError) -> tuple[str, Outcome, Ended]:
    """The error of a tool in words, its files, and how the call ended."""
    outcome = Outcome(None, files=failure.files, attached=failure.attached)
    return str(failure), outcome, "unknown" if failure.unknown else "failed"


def ended(error: str | None) -> Ended:
    """How a call ended that has this error."""
    return "failed" if error is not None else "done"


def vars_of(pending: Pending) -> dict[str, Any]:
    return {name: getattr(pending, name) for name in Pending.__slots__}
