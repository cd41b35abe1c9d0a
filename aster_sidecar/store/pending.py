"""What waits for somebody in a row of the store: it ends once, by an answer or when its time is over.

No task runs while something waits. An end counts once it is recorded; when that fails, it waits again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from aster_sidecar import clock
from aster_sidecar.publisher import Publisher
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.sql import Write

CHECK_S = 30.0
"""Longest time between checks of time limits: the event loop's clock stops while the machine sleeps."""
EARLY_S = 0.01
"""Added to the timer's delay, because a timer may fire this much early."""


class Pending(Protocol):
    """Something that waits. `deadline`: when it stops waiting; None: never."""

    @property
    def agent_id(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def turn_id(self) -> str: ...
    @property
    def deadline(self) -> clock.Deadline | None: ...


P = TypeVar("P", bound=Pending)


class PendingSet(Generic[P]):
    """All that waits, by its id, in the order in which it came.

    `expire` is awaited for one whose time is over; it has to `end` it.
    """

    def __init__(self, journal: Journal, expire: Callable[[P], Awaitable[None]]) -> None:
        self._journal = journal
        self._expire = expire
        self._waiting: dict[str, P] = {}
        self._ending: dict[str, tuple[P, asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.settled: Publisher[str] = Publisher()
        """Publishes the id of a turn after something that it waited for has ended, and that is recorded."""

    def restore(self, found: Mapping[str, P]) -> None:
        """Replace all that waits by what the store has."""
        self._waiting = dict(found)
        self._set_timer()

    def close(self) -> None:
        """Stop the timer; all goes on waiting in the store."""
        if self._timer is not None:
            self._timer.cancel()

    def add(self, key: str, one: P) -> None:
        """Let this wait. The caller has put its row."""
        self._waiting[key] = one
        self._set_timer()

    def get(self, key: str) -> P | None:
        return self._waiting.get(key)

    def over(self, key: str) -> bool:
        """Whether this one neither waits nor has an end that is not recorded yet."""
        return key not in self._waiting and key not in self._ending

    def all(self, agent_id: str | None = None, session_id: str | None = None) -> Sequence[P]:
        """What waits, of this agent and in this session, the oldest first."""
        return [
            one
            for one in self._waiting.values()
            if agent_id in (None, one.agent_id) and session_id in (None, one.session_id)
        ]

    def count(self, turn_id: str) -> int:
        """How many of a turn wait, or have ended, but that is not recorded yet."""
        under_way = (one for one, _ in self._ending.values())
        return sum(one.turn_id == turn_id for one in (*self._waiting.values(), *under_way))

    # -- ending ----------------------------------------------------------------------------------------------------

    async def to_answer(self, key: str) -> P | None:
        """The one that waits under this id, for somebody who answers it; None if it does not wait (any more)."""
        ending = self._ending.get(key)
        if ending is not None:
            await asyncio.wait([ending[1]])
        found = self._waiting.get(key)
        if found is not None and found.deadline is not None and found.deadline.over:
            await self._expire_all()  # the machine slept, and the timer has not fired yet
            return None
        return found

    def replace(self, key: str, one: P) -> None:
        """Something about it has changed, and the caller puts its row."""
        self._waiting[key] = one

    async def end(
        self, key: str, writes: Iterable[Write], kind: str | None = None, event: BaseModel | None = None
    ) -> None:
        """End one and record that: from here on nobody else can. Raises: StoreError; then it waits again."""
        one = self._waiting[key]
        self._journal.put(
            kind,
            event,
            agent_id=one.agent_id,
            session_id=one.session_id,
            turn_id=one.turn_id,
            writes=list(writes),
        )
        del self._waiting[key]
        ended = asyncio.get_running_loop().create_future()
        self._ending[key] = (one, ended)
        # Shielded: the answer counts even if the caller disconnects.
        await asyncio.shield(self._record(key, one, ended, self._journal.commit()))

    async def _record(self, key: str, one: P, ended: asyncio.Future[None], committed: asyncio.Future[None]) -> None:
        try:
            await committed
        except Exception:
            self._journal.accept_again(one.turn_id)  # it waits again
            raise
        finally:
            del self._ending[key]
            ended.set_result(None)
        self.settled.publish(one.turn_id)

    async def wait_recorded(self, turn_id: str) -> None:
        """Wait until all ends of what a turn waited for are recorded or have failed to be."""
        while under_way := [ended for one, ended in self._ending.values() if one.turn_id == turn_id]:
            await asyncio.wait(under_way)

    def take(self, wanted: Callable[[P], bool]) -> Sequence[P]:
        """Remove what waits and is `wanted`. The caller puts the rows that end it."""
        found = {key: one for key, one in self._waiting.items() if wanted(one)}
        for key in found:
            del self._waiting[key]
        return list(found.values())

    # -- time limits -----------------------------------------------------------------------------------------------

    def _set_timer(self, at_least_s: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left_s = min((one.deadline.left_s for one in self._waiting.values() if one.deadline), default=None)
        if left_s is not None:
            delay_s = max(at_least_s, min(left_s + EARLY_S, CHECK_S))
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        task = asyncio.get_running_loop().create_task(self._expire_all())
        task.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def _expire_all(self) -> None:
        try:
            for key, one in [(key, one) for key, one in self._waiting.items() if one.deadline and one.deadline.over]:
                if key in self._waiting:
                    await self._expire(one)
        finally:
            self._set_timer(at_least_s=1.0)  # no tight loop while the store fails
