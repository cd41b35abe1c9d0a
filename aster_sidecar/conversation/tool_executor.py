"""Executes tool calls: assess → permissions.decide → (ask: approvals.request) → intent → run → result.

A call runs at most once: its intent is recorded before it runs and its result after, and a recorded call never reruns.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
from aster_sidecar.contract import wire
from aster_sidecar.conversation.run_request import UNKNOWN, Usage, denial
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.errors import ArgumentsInvalid, AsterError, LimitReached
from aster_sidecar.policy.approvals import Answer, Approvals, Pending
from aster_sidecar.policy.permissions import Assessment, Decision
from aster_sidecar.store.rows import calls as rows
from aster_sidecar.store.sql import Write
from aster_sidecar.telemetry.spans import NoSpans, Spans
from aster_sidecar.text.repair import whole
from aster_sidecar.text.safe_text import visible
from aster_sidecar.text.values import jsonable
from aster_sidecar.tools.base import Outcome, Surroundings, ToolError
from aster_sidecar.tools.registry import Toolkit, preview_of, summary_of

log = logging.getLogger(__name__)

ARGUMENTS = SchemaValidator(core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema()))
"""Any object: `Toolkit.assess` checks what is in it."""


@dataclass(slots=True)
class Context:
    """What a running tool receives besides its arguments: see tools.CallContext."""

    log: TurnLog
    call_id: str
    surroundings: Surroundings
    context: Mapping[str, Any]

    @property
    def agent_id(self) -> str:
        return self.log.agent_id

    @property
    def session_id(self) -> str:
        return self.log.session_id

    @property
    def turn_id(self) -> str:
        return self.log.turn_id

    async def progress(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        self.tell(message, progress=progress, stream=stream, delta=delta)
        await asyncio.sleep(0)

    def tell(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        self.log.put(
            "tool_progress",
            wire.ToolProgressEvent(
                call_id=self.call_id, progress=progress, message=message, stream=stream, delta=delta
            ),
            durable=False,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """A row of `calls`."""

    call_id: str
    model_call_id: str
    name: str
    arguments: dict[str, Any]
    state: str
    outcome: str | None
    result: Any


class Toolbox(AbstractToolset[Any]):
    """The pydantic-ai toolset of one turn."""

    def __init__(
        self,
        toolkit: Toolkit,
        names: Sequence[str],
        approvals: Approvals,
        log: TurnLog,
        *,
        approval_timeout_s: Callable[[], float],
        unattended_denies: Callable[[], bool],
        context: Mapping[str, Any],
        usage: Usage,
        most_calls: int | None,
        retries: int = 2,
        tool_timeout_s: float | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._spans = spans or NoSpans()
        self._toolkit = toolkit.called_by(log.agent_id, log.session_id)
        self._names = names
        self._approvals = approvals
        self._log = log
        self._approval_timeout_s = approval_timeout_s
        self._unattended_denies = unattended_denies
        self._context = context
        self._usage = usage
        self._most_calls = most_calls
        self._retries = retries
        self._tool_timeout_s = tool_timeout_s
        self._calls = load_calls(log)
        self.rejected: set[str] = set()
        """Ids of calls in the last response that must not run: NUL in their arguments was replaced."""
        self.denied_last = False
        """Whether the last call that ended was denied."""

    @property
    def id(self) -> str:
        return "aster"

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        """The agent's tools, the same for the whole run, and removed tools that open calls name: see `call_tool`.

        Tools added during a run would be sent to providers as items of the history, which many servers don't support.
        """
        removed = {call.name for call in self._calls.values()}.difference(self._names)
        return {
            **{name: self._offer(name) for name in self._names},
            **{name: self._entry(ToolDefinition(name=name)) for name in removed},
        }

    def _offer(self, name: str) -> ToolsetTool[Any]:
        tool = self._toolkit.get(name)
        definition = ToolDefinition(
            name=name,
            description=tool.description,
            parameters_json_schema=self._toolkit.schema(name),
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
                    writes=[end_row(call.call_id, "denied", message)],
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
        call = self._calls.get(model_call_id)
        if call is not None and call.state in ("ended", "started"):
            return recorded_result(call)
        if call is not None and name not in self._names:
            why = self._toolkit.why_absent(name) or "the agent does not have this tool any more"
            return await self._refuse(call, self._unassessed(call), f"not run: {why}", "failed")
        if model_call_id in self.rejected:
            raise ModelRetry(f"arguments of {name}: they must not contain NUL (U+0000); it was replaced by U+FFFD")
        if (before := self._toolkit.get(name).before) is not None:
            await before()
        try:
            parsed, assessment = self._toolkit.assess(name, tool_args)
        except ArgumentsInvalid as error:
            if call is not None:  # a person saw the call, so its end is published
                return await self._refuse(call, self._unassessed(call), error.message, "failed")
            raise ModelRetry(error.message) from error
        except ToolError as error:
            call = call or self._new(model_call_id, name, tool_args)
            return await self._refuse(call, self._unassessed(call), str(error), "failed")
        decision = self._toolkit.decide(name, assessment, self._log.agent_id, self._log.session_id)
        fresh = call is None
        call = call or self._new(model_call_id, name, tool_args)
        if decision.verdict == "deny":
            return await self._refuse(call, assessment, f"denied: {decision.reason}", "denied")
        answer = None if fresh else self._approvals.answer_of(call.call_id)
        if answer is not None and not answer.allowed:
            return await self._refuse(call, assessment, denial(answer.note), "denied")
        if answer is not None and answer.allowed and answer.binding == jsonable(assessment.binding):
            return await self._run(call, parsed, assessment, "person")
        if decision.verdict == "allow" and answer is None:
            return await self._run(call, parsed, assessment, decision.decided_by)
        if assessment.unshown is not None:
            return await self._refuse(call, assessment, f"nobody can be asked: {assessment.unshown}", "failed")
        if self._unattended_denies() and not self._log.journal.watchers:
            reason = "denied: no event stream is open, and on_unattended is deny"
            return await self._refuse(call, assessment, reason, "denied")
        await self._ask(call, tool_args, assessment, decision, answer)
        raise ApprovalRequired

    def _new(self, model_call_id: str, name: str, arguments: dict[str, Any]) -> Call:
        return Call(clock.new_id("call"), model_call_id, name, arguments, "new", None, None)

    def _unassessed(self, call: Call) -> Assessment:
        """A placeholder assessment of a call with invalid arguments or a removed tool."""
        asked = self._log.transcript.tools.get(call.call_id)
        risk = asked.risk if asked is not None else self._toolkit.get(call.name).risk
        return Assessment(risk=risk, target="", display=call.name, reason="")

    async def _ask(
        self, call: Call, arguments: dict[str, Any], assessment: Assessment, decision: Decision, earlier: Answer | None
    ) -> None:
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
            requested_at=clock.stamp(),
            expires_at=None,
            summary=summary_of(call.name, assessment),
            preview=preview_of(assessment),
        )
        self._log.flush()
        self._log.journal.put(writes=[self._row(call, assessment, "waiting")])
        self._approvals.request(pending, timeout_s=self._approval_timeout_s())
        self._log.transcript.apply(0, "approval_required", {**vars_of(pending), "message_id": self._log.message_id})
        await self._log.commit()

    async def _refuse(
        self, call: Call, assessment: Assessment, message: str, outcome: Literal["denied", "failed"]
    ) -> Any:
        """End a call without running it. Raises: ToolFailed."""
        self.denied_last = outcome == "denied"
        asked = call.call_id in self._log.transcript.tools  # then the approval request had these fields
        event = wire.ToolEndEvent(
            message_id=self._log.message_id,
            call_id=call.call_id,
            name=call.name,
            error=message,
            outcome=outcome,
            duration_ms=0,
            arguments=None if asked else call.arguments,
            risk=None if asked else assessment.risk,
            display=None if asked else assessment.display,
        )
        self._log.put(
            "tool_end", event, writes=[self._row(call, assessment, "new"), end_row(call.call_id, outcome, message)]
        )
        await self._log.commit()
        raise ToolFailed(message)

    async def _run(self, call: Call, parsed: BaseModel, assessment: Assessment, decided_by: str) -> Any:
        tool = self._toolkit.get(call.name)
        if self._most_calls is not None and self._usage.tool_calls >= self._most_calls:
            raise LimitReached(f"the turn made {self._usage.tool_calls} tool calls; the limit is {self._most_calls}")
        self._usage.tool_calls += 1
        self.denied_last = False
        self._log.put(
            "tool_start",
            wire.ToolStartEvent(
                message_id=self._log.message_id,
                call_id=call.call_id,
                name=call.name,
                arguments=parsed.model_dump(mode="json", exclude_unset=True),
                risk=assessment.risk,
                decided_by=decided_by,
                display=assessment.display,
            ),
            writes=[self._row(call, assessment, "started")],
        )
        began = time.monotonic()
        try:
            await self._log.commit()
        except asyncio.CancelledError:
            self._end(call, "cancelled", began, error="cancelled before it ran")
            raise
        context = Context(self._log, call.call_id, self._toolkit.surroundings(), self._context)
        error: str | None = None
        outcome = Outcome(None)
        alarm = asyncio.timeout(self._tool_timeout_s)
        try:
            with self._spans.tool(call_id=call.call_id, name=call.name):
                async with alarm:
                    outcome = await tool.run(parsed, assessment, context)
            outcome = Outcome(jsonable(outcome.value), outcome.truncated)
        except asyncio.CancelledError:
            self._end(call, "cancelled", began, error="cancelled while it ran")
            raise
        except TimeoutError as failure:
            late = f"stopped after {self._tool_timeout_s:g} s, the agent's tool_timeout" if alarm.expired() else None
            error = late or f"{type(failure).__name__}: {failure}"
        except ToolError as failure:
            error = str(failure)
        except AsterError:
            raise
        except Exception as failure:  # any error of a tool is its result
            error = f"{type(failure).__name__}: {failure}"
        error = None if error is None else whole(error)
        self._end(call, "failed" if error is not None else "done", began, outcome=outcome, error=error)
        await self._log.commit()
        if error is not None:
            raise ToolFailed(error)
        return outcome.value

    def _end(
        self,
        call: Call,
        status: Literal["done", "failed", "cancelled"],
        began: float,
        *,
        outcome: Outcome | None = None,
        error: str | None = None,
    ) -> None:
        duration_ms = round((time.monotonic() - began) * 1000)
        fields = {"turn_id": self._log.turn_id, "call_id": call.call_id, "tool": call.name, "outcome": status}
        log.info("tool ended", extra={**fields, "duration_ms": duration_ms})
        self._log.put(
            "tool_end",
            wire.ToolEndEvent(
                message_id=self._log.message_id,
                call_id=call.call_id,
                name=call.name,
                result=None if error is not None or outcome is None else outcome.value,
                error=error,
                outcome=status,
                duration_ms=duration_ms,
                truncated=outcome.truncated if outcome is not None else False,
            ),
            writes=[end_row(call.call_id, status, error if error is not None else outcome and outcome.value)],
        )

    def _row(self, call: Call, assessment: Assessment, state: str) -> Write:
        return rows.insert_or_update(
            rows.NewCallRow(
                call_id=call.call_id,
                turn_id=self._log.turn_id,
                session_id=self._log.session_id,
                agent_id=self._log.agent_id,
                model_call_id=call.model_call_id,
                name=call.name,
                arguments=json.dumps(call.arguments),
                risk=assessment.risk,
                state=state,
                started_at=clock.stamp() if state == "started" else None,
            )
        )


def load_calls(log: TurnLog) -> dict[str, Call]:
    """The turn's calls that are not closed, by the model's call id. Raises: StoreError."""
    return {
        row.model_call_id: Call(
            call_id=row.call_id,
            model_call_id=row.model_call_id,
            name=row.name,
            arguments=json.loads(row.arguments),
            state=row.state,
            outcome=row.outcome,
            result=json.loads(row.result or "null"),
        )
        for row in log.journal.rows(rows.select_calls(log.turn_id))
    }


BOUND = {
    "paths": "what a path resolves to",
    "content": "what stands there",
    "moved": "what is moved",
    "change": "the lines that would change",
    "command": "the command",
    "cwd": "the directory to run in",
    "folder": "the directory to run in",
    "shell": "the shell",
    "path": "the search path for programs",
    "binaries": "the program",
    "scripts": "the content of",
}
"""The keys of an approval's binding, in words."""


def changes(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The parts of an approval's binding that have changed, in words."""
    changed: list[str] = []
    for key in sorted(approved.keys() | now.keys()):
        was, is_now = approved.get(key), now.get(key)
        if was == is_now:
            continue
        words = BOUND.get(key, key.replace("_", " "))
        if isinstance(was, dict) and isinstance(is_now, dict):
            both: list[dict[str, Any]] = [was, is_now]
            names = sorted(name for name in both[0].keys() | both[1].keys() if both[0].get(name) != both[1].get(name))
            words += f" {', '.join(visible(name, newlines=False) for name in names)}"
        changed.append(words)
    return changed or ["the call"]


def end_row(call_id: str, outcome: str, result: Any) -> Write:
    """The update that records the outcome of a call and the result for the model."""
    return rows.update_ended(call_id, outcome, json.dumps(result), clock.stamp())


def recorded_result(call: Call) -> Any:
    """The recorded result of a call that ran before. Raises: ToolFailed if it failed or its end is unknown."""
    if call.state == "started":
        raise ToolFailed(UNKNOWN)
    if call.outcome != "done":
        raise ToolFailed(str(call.result))
    return call.result


def vars_of(pending: Pending) -> dict[str, Any]:
    return {name: getattr(pending, name) for name in Pending.__slots__}
