"""The content of an event stream: `connected`, all events after the cursor, heartbeats, `resync` for a lost cursor.

Streams are read-only. A slow stream continues from its cursor in the journal, without delaying anything else.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from aster_sidecar import clock
from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.contract import wire
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import ClientNotFound, InvalidShape
from aster_sidecar.store.events import Event, encode
from aster_sidecar.store.journal import Journal

COALESCE_FROM = 32
"""In batches longer than this the stream is behind: its text chunks are joined."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The cursor and filters of one stream. `after` None: from now on; `bad`: why the cursor is invalid."""

    after: int | None = None
    bad: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    types: frozenset[str] | None = None

    def sees(self, event: Event) -> bool:
        return (
            (self.agent_id is None or event.agent_id in (None, self.agent_id))
            and (self.session_id is None or event.session_id in (None, self.session_id))
            and (self.types is None or event.type in self.types)
        )


def cursor(text: str | None) -> tuple[int | None, str | None]:
    """Parse a client's cursor; returns (seq, None), (None, None) without a cursor, or (None, why it is invalid)."""
    if text is None or text == "":
        return None, None
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text), None
    return None, "malformed"


class Streams:
    """The open streams: produces their events, and keeps the session that a person views in each."""

    def __init__(self, journal: Journal, framework: wire.Framework, instance_id: str) -> None:
        self._journal = journal
        self._framework: wire.Framework = framework
        self._instance_id = instance_id
        self._focus: dict[str, str | None] = {}
        """For each open stream, by client_id, the session that a person is viewing there."""

    @property
    def count(self) -> int:
        """The number of open streams."""
        return len(self._focus)

    def focus(self, client_id: str, session_id: str | None) -> None:
        """Set the session that a person is viewing in a client. Raises: ClientNotFound."""
        if client_id not in self._focus:
            raise ClientNotFound(f"no such client: {client_id[:100]!r}")
        self._focus[client_id] = session_id

    def focused(self) -> set[str]:
        """The sessions that a person is viewing."""
        return {session_id for session_id in self._focus.values() if session_id is not None}

    async def follow(self, watch: Watch) -> AsyncGenerator[list[Event] | Transient, None]:
        """The stream in order: `connected`, `resync` if necessary, then events and heartbeats. Raises: StoreError."""
        last = self._journal.last_seq
        connected = wire.ConnectedEvent(
            client_id=clock.new_id("client"),
            framework=self._framework,
            instance_id=self._instance_id,
            protocol=wire.PROTOCOL,
            last_seq=last,
            heartbeat_s=wire.HEARTBEAT_S,
        )
        after = watch.after if watch.after is not None else last
        reason = watch.bad
        if reason is None and watch.after is not None and not self._journal.servable(after):
            reason = "future" if after > last else "trimmed"
        if reason is not None:
            after = last
        self._focus[connected.client_id] = None
        follow = self._journal.follow(after, session_id=watch.session_id, every_s=wire.HEARTBEAT_S)
        try:
            # With this id, an EventSource that is disconnected before its first event resumes from here.
            yield Transient("connected", connected, b"retry: 1000\nid: %d\n" % after)
            if reason is not None:
                yield Transient("resync", wire.ResyncEvent.model_validate({"reason": reason, "last_seq": last}))
            async for events in follow:
                seen = (
                    events
                    if watch.agent_id is watch.session_id is watch.types is None
                    else [event for event in events if watch.sees(event)]
                )
                if len(seen) > COALESCE_FROM:
                    seen = coalesced(seen)
                if seen:
                    yield seen
                if not events:
                    yield Transient("heartbeat", wire.HeartbeatEvent(last_seq=self._journal.last_seq))
        finally:
            del self._focus[connected.client_id]
            await follow.aclose()


class Transient:
    """An event of this stream only, not in the journal. `head`: additional fields at the start of its SSE frame."""

    __slots__ = ("_head", "_kind", "json")

    def __init__(self, kind: str, data: BaseModel, head: bytes = b"") -> None:
        self._kind = kind
        self._head = head
        self.json = encode(kind, None, None, None, None, clock.stamp(), data.model_dump_json(exclude_none=True))

    @property
    def frame(self) -> bytes:
        """The envelope as one SSE frame."""
        return b"%sevent: %s\ndata: %s\n\n" % (self._head, self._kind.encode(), self.json)


def coalesced(events: Iterable[Event]) -> list[Event]:
    """The events with adjacent chunks of one message joined; a joined chunk has the seq of its last part."""
    result: list[Event] = []
    pieces: list[str] = []
    head: dict[str, Any] = {}
    for event in events:
        previous = result[-1] if result else None
        chunk = event.type in ("text_chunk", "thinking_chunk")
        if chunk and previous is not None and previous.type == event.type and previous.turn_id == event.turn_id:
            data = json.loads(event.data)
            if not pieces:
                head = json.loads(previous.data)
                pieces = [head["delta"]]
            if data["message_id"] == head["message_id"]:
                pieces.append(data["delta"])
                result[-1] = copied(event, previous.data)
                continue
        if pieces and previous is not None:
            result[-1] = copied(previous, json.dumps({**head, "delta": "".join(pieces)}, separators=(",", ":")))
            pieces = []
        result.append(event)
    if pieces:
        result[-1] = copied(result[-1], json.dumps({**head, "delta": "".join(pieces)}, separators=(",", ":")))
    return result


def copied(event: Event, data: str) -> Event:
    """A copy of the event with other data."""
    return Event(event.seq, event.type, event.agent_id, event.session_id, event.turn_id, event.time, data)


class EventCalls:
    """Calls about the event stream."""

    def __init__(self, journal: Journal, agents: AgentCalls, sessions: Sessions, streams: Streams) -> None:
        self._journal = journal
        self._agents = agents
        self._sessions = sessions
        self._streams = streams

    def watch(
        self, after: str | None, agent_id: str | None, session_id: str | None, types: Iterable[str] | None
    ) -> Watch:
        """Check a client's cursor and filters. Raises: AgentNotFound, SessionNotFound, InvalidShape."""
        if agent_id is not None:
            self._agents.find(agent_id)
        if session_id is not None:
            self._sessions.require(session_id, agent_id)
        wanted = frozenset(types) if types is not None else None
        unknown = sorted(wanted - wire.EVENTS.keys()) if wanted else []
        if unknown:
            raise InvalidShape(f"types: no such event: {', '.join(unknown)[:200]}", hint="docs/protocol.md lists them")
        position, bad = cursor(after)
        return Watch(position, bad, agent_id, session_id, wanted or None)

    def from_now(self, watch: Watch) -> Watch:
        """The watch, with the newest event as its cursor if it has none."""
        return watch if watch.after is not None else replace(watch, after=self._journal.last_seq)

    def follow(self, watch: Watch) -> AsyncGenerator[list[Event] | Transient, None]:
        """The stream in order, until it is closed or the daemon stops. Raises: StoreError."""
        return self._streams.follow(watch)
