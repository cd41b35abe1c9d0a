"""Calls of the tools that hosts lend: given to a host, answered once, and kept while host or daemon are away.

The row of a call is enough: no task runs while it waits for long. `turns` resumes a turn after its last call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import CallNotYours, HostCallEnded, HostCallNotFound, HostCallTaken, LeaseLost, StoreError
from aster_sidecar.hosts.registry import HEARTBEAT_S, Host, Hosts
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.pending import PendingSet
from aster_sidecar.store.rows import host_calls as rows
from aster_sidecar.store.rows.calls import update_state
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.base import CallContext, File, Outcome, Paused, ToolError

GRACE_S = 1.0
"""How long the task of a turn waits for the answer. After that, none is held."""
RESULT_BYTES = 64 * 1024
ERROR_CHARS = 8192
UNKNOWN = "How this call ended is not known: the program that ran it is gone. It was not run again."


@dataclass(frozen=True, slots=True)
class HostCall:
    """A call that has not ended. `instance`: who has accepted it; `deadline`: when it stops waiting."""

    call_id: str
    host: str
    tool: str
    arguments: dict[str, Any]
    agent_id: str
    session_id: str
    turn_id: str
    idempotent: bool
    begun_at: str
    instance: str | None = None
    deadline: clock.Deadline | None = None


class Dispatch:
    """All calls of hosts' tools that have not ended."""

    def __init__(self, journal: Journal, hosts: Hosts) -> None:
        self._journal = journal
        self._hosts = hosts
        self._open: PendingSet[HostCall] = PendingSet(journal, self._expire)
        self._attended: dict[str, tuple[asyncio.Future[None], CallContext]] = {}
        """Calls for which the task of the turn still waits."""
        self._closing = False
        self.settled = self._open.settled
        """Publishes the id of a turn after one of its calls has ended."""
        self.settled.subscribe(self._attend)
        hosts.registered.subscribe(self._take_over)
        journal.lost.subscribe(self.open)

    def open(self) -> None:
        """Read the calls that have not ended from the journal. Raises: StoreError."""
        found: dict[str, HostCall] = {}
        for row in self._journal.rows(rows.select_open()):
            with self._journal.parsing(f"the call {row.call_id[:100]}"):
                found[row.call_id] = call_of(row)
        self._open.restore(found)

    def close(self) -> None:
        """The daemon stops: calls go on waiting in the journal, and no task waits for them any more."""
        self._closing = True
        self._open.close()

    # -- calling ---------------------------------------------------------------------------------------------------

    async def call(self, host: str, tool: wire.HostTool, arguments: dict[str, Any], ctx: CallContext) -> Outcome:
        """Give a call to a host, and wait a little for its answer.

        Raises: ToolError; Paused, when it takes longer: then `recorded` has the answer when the turn goes on.
        """
        known = self._hosts.named(host)
        if known is None or (not known.online and tool.wait == "fail"):
            raise ToolError(f"host_away: {host} is not running at the moment, so the call was not made")
        call = HostCall(
            call_id=ctx.call_id,
            host=host,
            tool=tool.name,
            arguments=arguments,
            agent_id=ctx.agent_id,
            session_id=ctx.session_id,
            turn_id=ctx.turn_id,
            idempotent=tool.idempotent,
            begun_at=clock.stamp(),
            deadline=clock.Deadline.after(tool.timeout_s) if tool.wait == "fail" else None,
        )
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._attended[call.call_id] = (answered, ctx)
        try:
            self._put(call, known)
            await self._journal.commit()
            async with asyncio.timeout(GRACE_S):
                await answered
        except TimeoutError:
            raise Paused from None
        except asyncio.CancelledError:
            if self._closing:
                raise Paused from None
            if (left := self._open.get(call.call_id)) is not None:
                self._open.take(lambda one: one is left)
                self._put_cancel(left)
            raise
        finally:
            del self._attended[call.call_id]
        return self.recorded(call.call_id)

    def _put(self, call: HostCall, host: Host) -> None:
        row = rows.HostCallRow(
            call_id=call.call_id,
            host=call.host,
            tool=call.tool,
            arguments=json.dumps(call.arguments),
            agent_id=call.agent_id,
            session_id=call.session_id,
            turn_id=call.turn_id,
            idempotent=int(call.idempotent),
            state="waiting",
            instance=None,
            begun_at=call.begun_at,
            expires_at=call.deadline.at if call.deadline else None,
            boot=clock.boot(),
            due_s=call.deadline.due_s if call.deadline else None,
        )
        self._open.add(call.call_id, call)
        self._journal.put(
            "host_call",
            wire.HostCallEvent(
                host_id=host.host_id,
                call_id=call.call_id,
                tool=call.tool,
                arguments=call.arguments,
                deadline=call.deadline.at if call.deadline else None,
            ),
            agent_id=call.agent_id,
            session_id=call.session_id,
            turn_id=call.turn_id,
            writes=[rows.insert_call(row), update_state(call.call_id, "parked")],
        )

    def _attend(self, turn_id: str) -> None:
        for call_id, (answered, ctx) in self._attended.items():
            if ctx.turn_id == turn_id and self._open.get(call_id) is None and not answered.done():
                answered.set_result(None)

    # -- the host's side -------------------------------------------------------------------------------------------

    def registered(self, host: Host) -> wire.HostRegistered:
        """The answer to a registration."""
        assert host.lease is not None
        calls = [
            told(one) for one in self._open.all() if one.host == host.name and one.instance in (None, host.instance)
        ]
        return wire.HostRegistered(host_id=host.host_id, lease=host.lease, heartbeat_s=HEARTBEAT_S, calls=calls)

    async def accept(self, host_id: str, body: wire.HostAccept) -> wire.HostCallInfo:
        """Take a call. Raises: what `_held` raises; HostCallTaken, StoreError."""
        host, call = await self._held(host_id, body.call_id, body.lease)
        if call.instance is not None:
            raise HostCallTaken("the call was accepted already")
        call = self._accept(call, host)
        await asyncio.shield(self._journal.commit())
        return told(call)

    def _accept(self, call: HostCall, host: Host) -> HostCall:
        accepted = replace(call, instance=host.instance)
        self._open.replace(call.call_id, accepted)
        # Without turn_id: if these rows are lost, no event of the turn is.
        self._journal.put(writes=[rows.update_accepted(call.call_id, host.instance)])
        return accepted

    async def finish(self, host_id: str, body: wire.HostResult) -> wire.HostCallDone:
        """End a call with the host's result. Raises: what `_held` raises; StoreError (then it has not ended)."""
        host, call = await self._held(host_id, body.call_id, body.lease)
        if call.instance is None:
            call = self._accept(call, host)
        state: Literal["done", "failed"] = "failed" if body.error is not None else "done"
        result = body.error if body.error is not None else json.dumps(body.result, ensure_ascii=False)
        await self._end(call, state, result, body.attachments)
        return wire.HostCallDone(call_id=call.call_id, state=state)

    async def progress(self, host_id: str, body: wire.HostProgress) -> wire.HostCallDone:
        """Publish the progress of a call. Raises: what `_held` raises; StoreError."""
        _, call = await self._held(host_id, body.call_id, body.lease)
        event = wire.ToolProgressEvent(call_id=call.call_id, progress=body.progress, message=body.message)
        self._journal.put(
            "tool_progress",
            event,
            agent_id=call.agent_id,
            session_id=call.session_id,
            turn_id=call.turn_id,
            durable=False,
        )
        try:
            await self._journal.commit()
        except StoreError:
            if call.call_id not in self._attended:
                self._journal.accept_again(call.turn_id)  # no task of the turn would do it
            raise
        return wire.HostCallDone(call_id=call.call_id, state="accepted")

    async def _held(self, host_id: str, call_id: str, lease: str) -> tuple[Host, HostCall]:
        """The host that holds the lease, and a call that it may answer.

        Raises: HostNotFound, LeaseLost, CallNotYours, HostCallNotFound, HostCallEnded.
        """
        self._hosts.holder(host_id, lease)
        call = await self._open.to_answer(call_id)
        host = self._hosts.holder(host_id, lease)  # the look took time
        if call is None:
            end = self._journal.first(rows.select_end(call_id))
            if end is None:
                raise HostCallNotFound(f"there is no call {call_id[:200]!r} of a host's tool")
            if end.host != host.name:
                raise CallNotYours(f"the call is not one of {host.name!r}")
            raise HostCallEnded(f"the call has ended: {end.state}")
        if call.host != host.name:
            raise CallNotYours(f"the call is not one of {host.name!r}")
        if call.instance not in (None, host.instance):
            raise LeaseLost("another instance of the host has accepted the call")
        return host, call

    def _take_over(self, host: Host) -> None:
        """An instance has registered: end what other instances have accepted, or give it to this one.

        Each registration looks for such calls, because a crash may have come between an earlier one and their end.
        """
        for call in self._open.all():
            if call.host != host.name or call.instance in (None, host.instance):
                continue
            if call.idempotent:
                self._open.replace(call.call_id, replace(call, instance=None))
                self._journal.put(writes=[rows.update_accepted(call.call_id, None)])
            else:
                ending = asyncio.get_running_loop().create_task(self._end(call, "unknown", None, ()))
                ending.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def abandon(self, host: Host) -> None:
        """End all calls of a host that is being removed. Raises: StoreError."""
        for call in self._open.all():
            if call.host == host.name and self.is_open(call.call_id):
                self._put_cancelled_event(call, host)
                state = "failed" if call.instance is None else "unknown"
                await self._end(call, state, f"{host.name} was removed before it took the call", ())

    # -- the end ---------------------------------------------------------------------------------------------------

    async def _end(
        self, call: HostCall, state: Literal["done", "failed", "unknown"], result: str | None, files: Sequence[str]
    ) -> None:
        if not self.is_open(call.call_id):
            return  # it has ended before this task ran
        listed = json.dumps(list(files)) if files else None
        await self._open.end(call.call_id, [rows.update_ended(call.call_id, state, result, listed, clock.stamp())])

    async def _expire(self, call: HostCall) -> None:
        began = "" if call.instance is None else " What it did until then is not known."
        self._put_cancelled_event(call)
        await self._end(call, "failed", f"{call.host} did not answer in time.{began}", ())

    def cancel(self, turn_id: str) -> None:
        """Cancel the calls of a turn, which ends; recorded once the caller's transaction commits."""
        for call in self._open.take(lambda one: one.turn_id == turn_id):
            self._put_cancel(call)

    def _put_cancel(self, call: HostCall) -> None:
        self._journal.put(writes=[rows.update_ended(call.call_id, "cancelled", None, None, clock.stamp())])
        self._put_cancelled_event(call)

    def _put_cancelled_event(self, call: HostCall, host: Host | None = None) -> None:
        host = host or self._hosts.named(call.host)
        self._journal.put(
            "host_cancel",
            wire.HostCancelEvent(host_id=host.host_id if host is not None else "", call_id=call.call_id),
            agent_id=call.agent_id,
            session_id=call.session_id,
            turn_id=call.turn_id,
        )

    # -- reading ---------------------------------------------------------------------------------------------------

    def has(self, call_id: str) -> bool:
        """Whether it is a call of a host's tool that was made."""
        return self._journal.first(rows.select_end(call_id)) is not None

    def is_open(self, call_id: str) -> bool:
        """Whether the call has not ended."""
        return self._open.get(call_id) is not None

    def recorded(self, call_id: str) -> Outcome:
        """The result of a call that has ended. Raises: ToolError.

        The error has `unknown` set when it is not known how the call ended.
        """
        row = self._journal.first(rows.select_end(call_id))
        if row is None:
            raise ToolError(UNKNOWN, unknown=True)
        if row.state == "failed":
            raise ToolError(f"{row.host}: {visible((row.result or '')[:ERROR_CHARS])}", attached=files_of(row))
        if row.state != "done":
            raise ToolError(UNKNOWN, unknown=True)
        text = row.result or "null"
        if len(text.encode()) <= RESULT_BYTES:
            return Outcome({"from": row.host, "result": json.loads(text)}, attached=files_of(row))
        cut = text.encode()[:RESULT_BYTES].decode("utf-8", "ignore")
        whole = File("result.json", text.encode(), "application/json")
        return Outcome({"from": row.host, "result_begins": cut}, True, (whole,), attached=files_of(row))

    def waiting(self, turn_id: str) -> int:
        """How many calls of a turn have not ended, or have, but that is not recorded yet."""
        return self._open.count(turn_id)

    def any_of(self, agent_id: str | None, session_id: str | None) -> bool:
        """Whether a call of the session has not ended."""
        return bool(self._open.all(agent_id, session_id))

    def turns_of(self, session_id: str) -> set[str]:
        """The turns of a session whose calls have not ended."""
        return {one.turn_id for one in self._open.all(None, session_id)}

    async def wait_recorded(self, turn_id: str) -> None:
        """Wait until all results that came for a turn are recorded or have failed to be."""
        await self._open.wait_recorded(turn_id)

    def open_ids(self) -> set[str]:
        """The ids of all calls that have not ended."""
        return {one.call_id for one in self._open.all()}


def files_of(row: rows.HostEndRow) -> tuple[str, ...]:
    """The ids of the attachments of a result."""
    return tuple(json.loads(row.files)) if row.files else ()


def told(call: HostCall) -> wire.HostCallInfo:
    """A call as its host sees it."""
    return wire.HostCallInfo(
        call_id=call.call_id,
        tool=call.tool,
        arguments=call.arguments,
        agent_id=call.agent_id,
        session_id=call.session_id,
        turn_id=call.turn_id,
        deadline=call.deadline.at if call.deadline else None,
        accepted=call.instance is not None,
    )


def call_of(row: rows.HostCallRow) -> HostCall:
    """A call from its row. Raises: ValueError, TypeError for a damaged row."""
    deadline = None
    if row.expires_at:
        deadline = clock.Deadline.restored(row.begun_at, row.expires_at, row.boot, row.due_s)
    return HostCall(
        call_id=row.call_id,
        host=row.host,
        tool=row.tool,
        arguments=json.loads(row.arguments),
        agent_id=row.agent_id,
        session_id=row.session_id,
        turn_id=row.turn_id,
        idempotent=bool(row.idempotent),
        begun_at=row.begun_at,
        instance=row.instance,
        deadline=deadline,
    )
