"""The turns of each session that have not ended: one is active, the others are queued behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.contract import wire
from aster_sidecar.conversation.run_request import Prompt, TurnChoice, Usage
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.events import select_last_data

BUSIEST_FIRST: tuple[wire.State, ...] = ("running", "waiting_approval", "queued")


@dataclass(eq=False, slots=True)
class Turn:
    """A turn that has not ended.

    `state` as in its row; `begun`: its answer message exists; `resumes`: it continues after a wait; `closing`: it is
    being ended; `urgent`: its message interrupted another turn; `ran_s`: seconds that it ran without waiting.
    """

    turn_id: str
    session_id: str
    agent_id: str
    user_message_id: str
    message_id: str
    prompt: Prompt
    context: Mapping[str, Any]
    choice: TurnChoice
    log: TurnLog
    state: Literal["queued", "running", "waiting"] = "queued"
    begun: bool = False
    resumes: bool = False
    closing: bool = False
    urgent: bool = False
    spec: AgentSpec | None = None
    """The agent as it was when the turn began; changes of its file apply to the next turn."""
    model: tuple[str, dict[str, Any]] | None = None
    """The model that answers and the settings of its requests, as they were when the turn began."""
    usage: Usage = field(default_factory=Usage)
    ran_s: float = 0.0
    first_seq: int = 0
    steered: list[tuple[str, Prompt]] = field(default_factory=list[tuple[str, Prompt]])
    """(id, message) of messages that the model has not received yet, oldest first."""
    task: asyncio.Task[None] | None = None
    end_as: wire.StopReason = "interrupted"
    ended_as: wire.StopReason | None = None


@dataclass(eq=False, slots=True)
class SessionQueue:
    """A session's turns: the active one and the queued ones. `published`: the last published state."""

    session_id: str
    agent_id: str
    active: Turn | None = None
    queued: deque[Turn] = field(default_factory=deque[Turn])
    failed: bool = False
    published: wire.State = "idle"

    @property
    def state(self) -> wire.State:
        if self.active is not None:
            return "waiting_approval" if self.active.state == "waiting" else "running"
        return "queued" if self.queued else "failed" if self.failed else "idle"

    def join(self, turn: Turn) -> None:
        """Queue a turn: an urgent one before those that are not, any other one at the end."""
        place = sum(other.urgent for other in self.queued) if turn.urgent else len(self.queued)
        self.queued.insert(place, turn)


class SessionQueues:
    """The queues of all sessions, and the state of a session that follows from its queue."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queues: dict[str, SessionQueue] = {}
        journal.lost.subscribe(self._reload_published)

    def of(self, session_id: str, agent_id: str = "") -> SessionQueue:
        """The queue of a session; created empty if there is none yet."""
        queue = self._queues.get(session_id)
        if queue is None:
            queue = self._queues[session_id] = SessionQueue(session_id, agent_id)
        queue.agent_id = queue.agent_id or agent_id
        return queue

    def all(self) -> list[SessionQueue]:
        """All queues, in the order of their creation."""
        return list(self._queues.values())

    def forget(self, session_id: str) -> None:
        """Drop the queue of a session that was deleted or cleared."""
        self._queues.pop(session_id, None)

    def state_of(self, session_id: str) -> wire.State:
        """The state of a session."""
        queue = self._queues.get(session_id)
        return queue.state if queue is not None else "idle"

    def state_of_agent(self, agent_id: str) -> wire.State:
        """The busiest state among the agent's sessions, in the order of `BUSIEST_FIRST`."""
        states = {queue.state for queue in self._queues.values() if queue.agent_id == agent_id}
        for state in BUSIEST_FIRST:
            if state in states:
                return state
        return "idle"

    def last_published(self, session_id: str) -> wire.State:
        """The session's state in its newest `status_change` event; "idle" without one. Raises: StoreError."""
        data = self._journal.first(select_last_data(session_id, "status_change"))
        try:
            return wire.StatusChangeEvent.model_validate_json(data).state if data is not None else "idle"
        except ValueError:
            return "idle"

    def _reload_published(self) -> None:
        for queue in self._queues.values():
            queue.published = self.last_published(queue.session_id)

    def publish(self, queue: SessionQueue, turn_id: str | None, state: wire.State | None = None) -> None:
        """Publish the session's state (or `state`, its coming one) if it differs from the last published one."""
        state = state or queue.state
        if state != queue.published:
            self._journal.put(
                "status_change",
                wire.StatusChangeEvent(state=state, previous=queue.published),
                agent_id=queue.agent_id,
                session_id=queue.session_id,
                turn_id=turn_id,
            )
            queue.published = state

    def publish_cleared(self, session_id: str) -> None:
        """Publish that a cleared session is idle, in the transaction that clears it."""
        queue = self._queues.get(session_id)
        if queue is not None:
            self.publish(queue, None, "idle")
