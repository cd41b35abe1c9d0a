"""Writes one turn's events to the journal: groups its text into chunks, and builds its transcript."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import BaseModel

from aster_sidecar.contract import wire
from aster_sidecar.conversation.transcript import Segment, Transcript
from aster_sidecar.errors import AsterError
from aster_sidecar.store.events import Run
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.sql import Write
from aster_sidecar.text.repair import valid_text
from aster_sidecar.text.values import as_text, json_value

GATHER_S = 0.004
"""Deltas within this time after a chunk are combined into one; too short for a reader to notice."""

Chunk = wire.TextChunkEvent | wire.ThinkingChunkEvent
CHUNKS: dict[str, type[Chunk]] = {"text_chunk": wire.TextChunkEvent, "thinking_chunk": wire.ThinkingChunkEvent}


class TurnLog:
    """Writes a turn's events in order. Deltas that arrive close together become one chunk."""

    def __init__(self, journal: Journal, agent_id: str, session_id: str, turn_id: str, message_id: str) -> None:
        self.journal = journal
        self.agent_id = agent_id
        self.session_id = session_id
        self.turn_id = turn_id
        self.message_id = message_id
        self.transcript = Transcript(message_id)
        self._kind = ""
        self._pieces: list[str] = []
        self._held = ""
        self._scheduled = False
        self._new_paragraph = False
        self._flushed_at = 0.0

    def put(
        self,
        kind: str,
        data: BaseModel,
        *,
        writes: Iterable[Write] = (),
        runs: Iterable[Run] = (),
        durable: bool = True,
    ) -> int:
        """Put one event of the turn after all text so far; returns its seq. Raises: StoreError."""
        self.flush()
        writes, runs = list(writes), list(runs)
        try:
            seq = self._put(kind, data, writes, runs, durable)
        except AsterError:
            raise
        except Exception:  # a value that JSON can't represent, in a file name or an error text
            data = type(data).model_validate(json_value(data.model_dump(warnings=False)))
            seq = self._put(kind, data, writes, runs, durable)
        self.transcript.apply(seq, kind, data.model_dump())
        return seq

    def _put(self, kind: str, data: BaseModel, writes: list[Write], runs: list[Run], durable: bool) -> int:
        return self.journal.put(
            kind,
            data,
            agent_id=self.agent_id,
            session_id=self.session_id,
            turn_id=self.turn_id,
            writes=writes,
            runs=runs,
            durable=durable,
        )

    async def commit(self) -> None:
        """Wait until everything put so far is recorded. Raises: StoreError."""
        self.flush()
        await self.journal.commit()

    def say(self, kind: str, delta: object) -> None:
        """Add a delta; `kind` is "text_chunk" or "thinking_chunk". Raises: StoreError."""
        if kind != self._kind:
            self.flush()
            self._kind = kind
        piece = self._joined(delta if isinstance(delta, str) else as_text(delta))
        if not piece:
            return
        self._pieces.append(piece)
        if not self._scheduled:
            self._scheduled = True
            loop = asyncio.get_running_loop()
            # The first delta is published at once, those of the next GATHER_S together.
            loop.call_at(max(loop.time(), self._flushed_at + GATHER_S), self._flush_soon)

    def _flush_soon(self) -> None:
        self._scheduled = False
        try:
            self._put_pieces()
        except Exception:
            return  # the journal marks the turn as broken: the next put for it fails

    def flush(self) -> None:
        """Put all text so far as a chunk, because another kind of event follows. Raises: StoreError."""
        if self._held:
            self._pieces.append(valid_text(self._held))  # the second half of the pair will not come
            self._held = ""
        self._put_pieces()

    def _put_pieces(self) -> None:
        if not self._pieces:
            return
        self._flushed_at = asyncio.get_running_loop().time()
        kind, delta = self._kind, "".join(self._pieces)
        self._pieces.clear()
        offset = self.transcript.length[kind]
        if offset and (self._new_paragraph or self._follows_other(kind)):
            delta = "\n\n" + delta  # text after a tool call is a new paragraph of the same message
        self._new_paragraph = False
        event = CHUNKS[kind](message_id=self.message_id, offset=offset, delta=delta)
        seq = self.journal.put(
            kind,
            event,
            agent_id=self.agent_id,
            session_id=self.session_id,
            turn_id=self.turn_id,
            durable=False,
        )
        self.transcript.chunk(seq, kind, offset, delta)

    def new_paragraph(self) -> None:
        """Begin a new paragraph with the next text, which belongs to another response. Raises: StoreError."""
        self.flush()
        self._new_paragraph = True

    def _follows_other(self, kind: str) -> bool:
        last = self.transcript.order[-1] if self.transcript.order else None
        return not (isinstance(last, Segment) and last.kind == kind)

    def _joined(self, piece: str) -> str:
        """The piece as valid text; half a surrogate pair at its end is held back until the other half comes."""
        text, self._held = self._held + piece, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return valid_text(text)

    def runs(self) -> list[Run]:
        """Each run of adjacent chunks as one event, which has the last seq and the whole text.

        A client with a cursor inside the run gets all of it again; offsets let it skip what it has.
        """
        return [
            Run(
                segment.kind,
                self.turn_id,
                self.session_id,
                segment.first_seq,
                segment.last_seq,
                CHUNKS[segment.kind](
                    message_id=self.message_id, offset=segment.offset, delta="".join(segment.chunks)
                ).model_dump_json(),
            )
            for segment in self.transcript.segments
            if segment.first_seq != segment.last_seq
        ]
