"""All that turns wait for: approvals, answers to questions, and hosts. A turn goes on after the last of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aster_sidecar.asking.questions import Questions
from aster_sidecar.contract import wire
from aster_sidecar.hosts.dispatch import Dispatch
from aster_sidecar.policy.approvals import Approvals


class Waits:
    """What turns wait for, of all kinds together."""

    def __init__(self, approvals: Approvals, questions: Questions, hosts: Dispatch) -> None:
        self.approvals = approvals
        self.questions = questions
        self.hosts = hosts

    def open(self) -> None:
        """Read what waits from the journal. Raises: StoreError."""
        self.approvals.open()
        self.questions.open()
        self.hosts.open()

    def close(self) -> None:
        """Stop the timers; all goes on waiting in the journal."""
        self.approvals.close()
        self.questions.close()
        self.hosts.close()

    def on_settled(self, called: Callable[[str], None]) -> None:
        """Call this with the id of a turn after something that it waited for has ended."""
        self.approvals.settled.subscribe(called)
        self.questions.settled.subscribe(called)
        self.hosts.settled.subscribe(called)

    def waiting(self, turn_id: str) -> int:
        """How many things a turn waits for. Those that have ended count until that is recorded."""
        return self.approvals.waiting(turn_id) + self.questions.waiting(turn_id) + self.hosts.waiting(turn_id)

    def kinds(self, agent_id: str | None, session_id: str | None) -> list[wire.WaitKind]:
        """The kinds of what waits in a session."""
        found: list[wire.WaitKind] = []
        if self.approvals.list(agent_id, session_id):
            found.append("approval")
        if self.questions.list(agent_id, session_id):
            found.append("question")
        if self.hosts.any_of(agent_id, session_id):
            found.append("host")
        return found

    async def wait_recorded(self, turn_id: str) -> None:
        """Wait until all answers given to a turn are recorded or have failed to be."""
        await self.approvals.wait_recorded(turn_id)
        await self.questions.wait_recorded(turn_id)
        await self.hosts.wait_recorded(turn_id)

    def cancel(self, turn_id: str, by: str) -> None:
        """Cancel all that a turn waits for; recorded once the caller's transaction commits."""
        self.approvals.cancel(turn_id, by)
        self.questions.cancel(turn_id, by)
        self.hosts.cancel(turn_id)

    def turns_of(self, session_id: str) -> set[str]:
        """The turns of a session for which something waits."""

        def turns() -> Iterator[str]:
            yield from (one.turn_id for one in self.approvals.list(None, session_id))
            yield from (one.turn_id for one in self.questions.list(None, session_id))
            yield from self.hosts.turns_of(session_id)

        return set(turns())
