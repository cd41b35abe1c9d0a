"""Events as the journal holds them: recorded, merged, encoded for streams; and the SQL of their rows."""

from __future__ import annotations

import json
from dataclasses import dataclass

from aster_sidecar.store.sql import Write

COLUMNS = "seq, type, agent_id, session_id, turn_id, time, data"
INSERT_EVENT = f"INSERT INTO events ({COLUMNS}) VALUES (?,?,?,?,?,?,?)"


@dataclass(frozen=True, slots=True)
class Run:
    """Events of one turn and type merged into one: the last keeps its seq, and its `data` covers all of them."""

    type: str
    turn_id: str
    session_id: str
    first_seq: int
    last_seq: int
    data: str

    @property
    def writes(self) -> list[Write]:
        return [
            (
                "DELETE FROM events WHERE session_id=? AND seq>=? AND seq<? AND turn_id=? AND type=?",
                (self.session_id, self.first_seq, self.last_seq, self.turn_id, self.type),
            ),
            ("UPDATE events SET data=? WHERE seq=?", (self.data, self.last_seq)),
        ]


class Event:
    """A recorded event. `data` is JSON; `frame` is its SSE frame, encoded once for all streams.

    `run` is the merged event that replaced it in the file when the turn ended.
    """

    __slots__ = ("_frame", "agent_id", "data", "run", "seq", "session_id", "time", "turn_id", "type")

    def __init__(
        self,
        seq: int,
        type: str,
        agent_id: str | None,
        session_id: str | None,
        turn_id: str | None,
        time: str,
        data: str,
    ) -> None:
        self.seq = seq
        self.type = type
        self.agent_id = agent_id
        self.session_id = session_id
        self.turn_id = turn_id
        self.time = time
        self.data = data
        self.run: Run | None = None
        self._frame: bytes | None = None

    @property
    def json(self) -> bytes:
        """The whole envelope."""
        return encode(self.type, self.agent_id, self.session_id, self.turn_id, self.seq, self.time, self.data)

    @property
    def frame(self) -> bytes:
        """The envelope as one SSE frame."""
        if self._frame is None:
            self._frame = b"id: %d\nevent: %s\ndata: %s\n\n" % (self.seq, self.type.encode(), self.json)
        return self._frame


def encode(
    kind: str,
    agent_id: str | None,
    session_id: str | None,
    turn_id: str | None,
    seq: int | None,
    time: str,
    data: str,
) -> bytes:
    """An event's envelope as JSON bytes. `data` is JSON already; `seq` None: an event that is not recorded."""
    names = [kind, agent_id, session_id, turn_id]
    head = '"type":{},"agent_id":{},"session_id":{},"turn_id":{}'.format(*map(json.dumps, names))
    number = "null" if seq is None else str(seq)
    return f'{{{head},"seq":{number},"time":"{time}","data":{data}}}'.encode()
