"""The newest events, kept in memory and shared by all event streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aster_sidecar.store.events import Event, Run

RING_EVENTS = 4096
"""The newest events kept in memory; a reader that is further behind reads from the file."""
RING_BYTES = 8 << 20


class Ring:
    """The newest committed events. A reader takes a copy of those that it has not read yet."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._bytes = 0

    def add(self, events: Sequence[Event], runs: Iterable[Run]) -> None:
        """Append events, note merged ones, and drop the oldest beyond `RING_EVENTS` and `RING_BYTES`."""
        for event in events:
            self._events.append(event)
            self._bytes += len(event.data)
        for run in runs:
            self._note_merged(run)
        while len(self._events) > RING_EVENTS or (self._bytes > RING_BYTES and len(self._events) > 1):
            self._bytes -= size_of(self._events.popleft())

    def _note_merged(self, run: Run) -> None:
        """Note on the events in memory that the file has the merged event in their place."""
        for event in reversed(self._events):
            if event.seq < run.first_seq:
                break
            if (event.turn_id, event.type) == (run.turn_id, run.type) and event.seq <= run.last_seq:
                event.run = run
                self._bytes += len(run.data) if event.seq == run.last_seq else 0

    def reaches(self, seq: int) -> bool:
        """Whether all events after this seq are in memory."""
        return bool(self._events) and self._events[0].seq <= seq + 1

    def after(self, seq: int, most: int) -> list[Event]:
        """At most `most` events after this seq, in order."""
        found: list[Event] = []
        for event in reversed(self._events):
            if event.seq <= seq:
                break
            found.append(event)
        found.reverse()
        return found[:most]

    def forget(self, unwanted: Callable[[Event], bool]) -> None:
        """Drop events whose rows were deleted or replaced."""
        self._events = deque(event for event in self._events if not unwanted(event))
        self._bytes = sum(map(size_of, self._events))


@dataclass(slots=True)
class Reader:
    """A stream's position in the log. `since`: all events after this seq came from memory, not merged.

    `ahead`: its last read from the file may have seen merged events of a transaction still in progress. True at first,
    because a client may resume right after such a read.
    """

    cursor: int
    since: int
    ahead: bool = True

    def version_of(self, event: Event) -> Event | None:
        """The event as this reader gets it: if it may lack the start of a run, the merged event once, else None."""
        run = event.run
        if run is None or self.since < run.first_seq:
            return event
        if event.seq < run.last_seq:
            return None
        return Event(event.seq, event.type, event.agent_id, event.session_id, event.turn_id, event.time, run.data)


def size_of(event: Event) -> int:
    """The length of an event's data in memory."""
    return len(event.data) + (len(event.run.data) if event.run is not None and event.seq == event.run.last_seq else 0)
