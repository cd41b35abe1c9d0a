"""The SQLite event log: append, read, follow(after). The one place where anything becomes true.

An event reaches a reader only after the transaction that records it has committed. One writer, group commit: what is
put within one turn of the event loop is one transaction. Batches that must outlive a power cut are written with
`synchronous=FULL` in a thread; batches of text deltas only are written with NORMAL on the loop (13 µs, no fsync).
"""

# apsw's stubs name types that only exist when its C sources are there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
from pydantic import BaseModel

from aster_sidecar import clock
from aster_sidecar.errors import StoreCorrupt, StoreError, StoreLocked
from aster_sidecar.publisher import Publisher
from aster_sidecar.store import files
from aster_sidecar.store.files import LOCK_WAIT_MS, damaged, log_of, translate
from aster_sidecar.store.high_water_mark import Witness
from aster_sidecar.text.folding import fold
from aster_sidecar.text.repair import as_text

log = logging.getLogger(__name__)

SEQ_BLOCK = 1 << 16
"""Seqs are reserved in blocks, durably; each life starts a new one, so that not even a power cut reuses a seq."""
RING_EVENTS = 4096
"""The newest events kept in memory for all readers together; one who is further behind reads from the file."""
RING_BYTES = 8 << 20
READ_EVENTS = 256
"""Most events one read from the file returns."""
CHECKPOINT_PAGES = 1000

Write = tuple[str, Sequence[Any]]
Row = tuple[Any, ...]
"""What a query gives: columns in the order of its SELECT."""


@dataclass(frozen=True, slots=True)
class Run:
    """Events of one turn and type that became one: the last keeps its seq and says in `data` what all of them said."""

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
    """A recorded event. `data` is JSON; `frame` is what streams send, encoded once for all of them.

    `run` is what the file has in its place since the turn ended.
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
    """The envelope every event travels in, as JSON bytes. `data` is JSON already."""
    names = [kind, agent_id, session_id, turn_id]
    head = '"type":{},"agent_id":{},"session_id":{},"turn_id":{}'.format(*map(json.dumps, names))
    number = "null" if seq is None else str(seq)
    return f'{{{head},"seq":{number},"time":"{time}","data":{data}}}'.encode()


@dataclass(slots=True)
class Batch:
    """What the next transaction will hold."""

    events: list[Event] = field(default_factory=list[Event])
    unrecorded: list[Event] = field(default_factory=list[Event])
    """Events for those who follow now; not in the file."""
    writes: list[Write] = field(default_factory=list[Write])
    runs: list[Run] = field(default_factory=list[Run])
    durable: bool = False
    reserves: bool = False
    turns: set[str] = field(default_factory=set[str])
    """The turns that something of it is of."""
    on_commit: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    waiters: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])


class Journal:
    """One store, open. All methods are called on the event loop that opened it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_seq = 1
        self._reserved = 0
        self._trimmed_to = 0
        self._committed = 0
        self._batch = Batch()
        self._stale = False
        self._scheduled = False
        self._under_way: Batch | None = None
        self._synchronous = ""
        self._ring: deque[Event] = deque()
        self._ring_bytes = 0
        self._wakers: set[asyncio.Event] = set()
        self._last_left = asyncio.Event()
        self._wal_pages = 0
        self._streaming = True
        self._broken: set[str] = set()
        self._witness = Witness(path)
        self.watched: Publisher[[]] = Publisher()
        """Publishes that a stream begins to follow."""
        self.recorded: Publisher[list[Event]] = Publisher()
        """Publishes the events of a transaction after it has committed."""
        self.lost: Publisher[[]] = Publisher()
        """Publishes that what was put did not commit: whoever keeps rows in memory reads them again."""
        self.failure: StoreError | None = None
        """Why the newest transaction failed; None when it committed."""
        self._files: list[tuple[Path, tuple[int, int] | None]] = []
        self._saved: Path | None = None
        self._saving: Future[None] | None = None

    # -- life ------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open or create the file, migrate it, and start a new block of seqs.

        Raises: StoreTooNew, StoreCorrupt, StoreError.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not files.is_there(self._path):
                self._path.touch(mode=0o600)
            files.check_open(self._path)
            log_bytes, mark = files.size_of(log_of(self._path)), self._witness.read()
            self._writer = connect(self._path)
            files.check_reach(reach(self._writer), self._path, log_bytes)
            migrate(self._writer, self._path)
            files.prune(self._path)
            self._reader = connect(self._path)
            self._reader.execute("PRAGMA query_only=1")
            self._set_synchronous("FULL")
            self._reserved = int(self._meta("seq_reserved") or 0)
            self._trimmed_to = int(self._meta("trimmed_to") or 0)
            newest = reach(self._reader)
            self._reserved = max(self._reserved, newest, mark.seq if mark is not None else 0)
            self._next_seq = self._reserved + 1
            self._reserved += SEQ_BLOCK
            self._writer.execute(SET_META, ("seq_reserved", str(self._reserved)))
            self._committed = newest
            self._witness.open(newest)
            self._files = [(path, files.identity(path)) for path in (self._path, log_of(self._path))]
            for connection in (self._writer, self._reader):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        except (apsw.Error, UnicodeDecodeError) as error:
            if files.is_full(error, self._path):
                why = f"the store {self._path} cannot be opened: the disk is full"
                raise StoreError(why, hint="free some space, then start again; nothing is lost") from error
            raise translate(error, self._path) from error
        except OSError as error:
            which = f"{error.filename}: " if error.filename not in (None, str(self._path)) else ""
            raise StoreError(f"cannot open the store {self._path}: {which}{error.strerror}") from error
        self._writer.execute("PRAGMA wal_autocheckpoint=0")
        self._writer.set_wal_hook(self._count_wal)  # behind the pragma, which would take the hook away
        self._thread = ThreadPoolExecutor(1, "journal")
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Write what is pending, fold the write-ahead log in, and let go of the file."""
        try:
            while self._under_way is not None or self._batch.events or self._batch.writes:
                await self.commit()
        finally:
            gone = self._gone()
            if self._thread is not None:
                self._thread.shutdown(wait=True)
            if self._reader is not None:
                self._reader.close()
            if self._writer is not None:
                if gone is not None:  # else SQLite would delete what has the name of its log by now
                    self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                self._writer.close()
            self._witness.close(well=self.failure is None and gone is None)

    # -- whether it is still there ---------------------------------------------------------------------------------

    @property
    def trouble(self) -> StoreError | None:
        """Why nothing can be recorded now; None when all is well. Looks whether the store's files are still there."""
        return self._gone() or self.failure

    def _gone(self) -> StoreCorrupt | None:
        """The error when somebody deleted or replaced a file of the store while it is open: writes would go nowhere.

        All that has committed is copied into a file beside it, once, unless the mark went as well: then somebody
        cleared the whole store away.
        """
        found = next(((path, found) for path, was in self._files if (found := files.identity(path)) != was), None)
        if found is None or sys.platform == "win32":  # there files that are open can't be deleted
            return None
        if self._saving is None and self._thread is not None and self._witness.there:
            self._saving = self._thread.submit(self._save)
        path, other = found
        kept = f"what had been recorded is kept in {self._saved}; " if self._saved is not None else ""
        back = f"restore {self._saved.name}" if self._saved is not None else "restore FILE"
        return StoreCorrupt(
            f"the store's file {path} was {'deleted or moved' if other is None else 'replaced'} while the daemon had it"
            " open: nothing is recorded any more",
            hint=f"{kept}if it was moved, put it back, and the daemon goes on; else stop the daemon, then"
            f" {files.command(self._path, back)}, and start it again",
        )

    def _save(self) -> None:
        """Copy the store, whose file has no name any more, into one that has. Runs in the writer's thread."""
        assert self._writer is not None
        target = files.unused(self._path, files.SAVED)
        try:
            files.make_copy(self._writer, target)
        except (apsw.Error, OSError) as error:
            log.error("the store %s is gone, and could not be copied: %s", self._path, error)
            return
        self._saved = target
        log.error("the store %s was deleted or replaced while it was open; its copy: %s", self._path, target)

    # -- reading ---------------------------------------------------------------------------------------------------

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Every row of a query over what has committed. Raises: StoreError."""
        assert self._reader is not None
        try:
            return self._reader.execute(sql, tuple(parameters)).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error, self._path) from error

    @contextlib.contextmanager
    def taking_apart(self, what: str) -> Generator[None]:
        """Where a stored value is parsed: one that is not what was stored means a damaged store. Raises: StoreCorrupt.

        SQLite sees no damage within a long value.
        """
        try:
            yield
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise damaged(self._path, f"{what} cannot be read") from error

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row:
        """The first row, or an empty tuple. Raises: StoreError."""
        rows = self.all(sql, parameters)
        return rows[0] if rows else ()

    def _meta(self, key: str) -> str | None:
        row = self.one("SELECT value FROM meta WHERE key=?", (key,))
        return row[0] if row else None

    def recall(self, key: str) -> str | None:
        """A small fact that was kept with `REMEMBER`."""
        return self._meta(f"fact:{key}")

    @property
    def last_seq(self) -> int:
        """The seq of the newest event a reader can have seen."""
        return self._committed

    @property
    def writing(self) -> bool:
        """Whether a transaction is under way in the writer's thread."""
        return self._under_way is not None

    @property
    def watchers(self) -> int:
        """How many streams follow."""
        return len(self._wakers)

    def servable(self, after: int) -> bool:
        """Whether everything after this cursor can still be told."""
        return self._trimmed_to <= after <= self._committed

    # -- writing ---------------------------------------------------------------------------------------------------

    def put(
        self,
        kind: str | None = None,
        data: BaseModel | None = None,
        *,
        agent_id: str | None = None,
        session_id: str | None = None,
        turn_id: str | None = None,
        writes: Iterable[Write] = (),
        runs: Iterable[Run] = (),
        durable: bool = True,
        on_commit: Callable[[], None] | None = None,
    ) -> int:
        """Add an event (or only rows, without `kind`) to the next transaction; `commit` waits for it.

        `runs` are earlier events that become one each. `on_commit` is called once it has committed, in the order of the
        puts, before any reader or waiter hears of it; it must not raise.

        Returns the event's seq. All that is put before the loop turns becomes true together or not at all.
        Raises: StoreError when an earlier event of this turn was lost: a turn never has a hole (see `mend`).
        """
        batch = self._batch
        if turn_id is not None:
            self.check(turn_id)
            batch.turns.add(turn_id)
        if on_commit is not None:
            batch.on_commit.append(on_commit)
        seq = self._next_seq
        if kind is not None:
            assert data is not None
            self._next_seq += 1
            body = data.model_dump_json(exclude_none=True, by_alias=True)
            batch.events.append(Event(seq, kind, agent_id, session_id, turn_id, clock.stamp(), body))
        batch.writes.extend(writes)
        for run in runs:
            batch.writes.extend(run.writes)
            batch.runs.append(run)
        batch.durable |= durable
        if self._next_seq > self._reserved - SEQ_BLOCK // 2:
            self._reserved += SEQ_BLOCK
            batch.writes.append((SET_META, ("seq_reserved", str(self._reserved))))
            batch.durable = batch.reserves = True
        self._schedule()
        return seq

    def commit(self) -> asyncio.Future[None]:
        """What is put so far, once it has committed; awaiting it raises StoreError when none of it happened.

        Call it in the same turn of the loop as `put`: it is then exactly that transaction. With nothing new to commit
        it is the transaction under way, if there is one.
        """
        assert self._loop is not None
        waiter = self._loop.create_future()
        if self._batch.events or self._batch.writes:
            self._batch.waiters.append(waiter)
        elif self._under_way is not None:
            self._under_way.waiters.append(waiter)
        else:
            waiter.set_result(None)
        return waiter

    async def record(self, kind: str | None = None, data: BaseModel | None = None, **where: Any) -> int:
        """`put`, then `commit`."""
        seq = self.put(kind, data, **where)
        await self.commit()
        return seq

    def check(self, turn_id: str) -> None:
        """Raises: StoreError when an event of this turn was lost and nobody has mended it."""
        if turn_id in self._broken:
            raise self.failure or StoreError("an earlier event of this turn could not be recorded")

    def tell(self, kind: str, data: BaseModel, *, agent_id: str, session_id: str, turn_id: str) -> None:
        """Tell those who follow now what a damaged store could not take. Nobody hears of it later.

        It has its place among the events, whether or not those of its transaction commit.
        """
        body = data.model_dump_json(exclude_none=True, by_alias=True)
        event = Event(self._next_seq, kind, agent_id, session_id, turn_id, clock.stamp(), body)
        self._next_seq += 1
        self._batch.unrecorded.append(event)
        self._schedule()

    def mend(self, turn_id: str) -> None:
        """Let a turn go on after an event of it was lost: its owner knows and will close it as failed."""
        self._broken.discard(turn_id)

    def _schedule(self) -> None:
        if not self._scheduled and self._under_way is None:
            assert self._loop is not None
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if self._under_way is not None:
            return
        batch, self._batch = self._batch, Batch()
        if not batch.durable and self._wal_pages < CHECKPOINT_PAGES:
            failure = self._write(batch, on_loop=True)
            if not isinstance(failure, StoreLocked):
                self._settle(batch, failure)
                return
            # Somebody holds the lock. The loop does not wait for it; the thread does.
        assert self._loop is not None
        assert self._thread is not None
        self._under_way = batch
        done = self._loop.run_in_executor(self._thread, self._write, batch)
        done.add_done_callback(lambda future: self._landed(batch, future.result()))

    def _landed(self, batch: Batch, failure: StoreError | None) -> None:
        self._under_way = None
        self._settle(batch, failure)
        if self._batch.events or self._batch.writes or self._batch.unrecorded:
            self._schedule()

    def _write(self, batch: Batch, on_loop: bool = False) -> StoreError | None:
        """One transaction. Runs on the loop or in the writer's thread, never in both: `_under_way` sees to it."""
        assert self._writer is not None
        gone = self._gone()
        if gone is not None or (self._saving is not None and not self._saving.done()):
            return gone or StoreError("the store is being copied")
        try:
            self._writer.set_busy_timeout(0 if on_loop else LOCK_WAIT_MS)
            self._set_synchronous("FULL" if batch.durable else "NORMAL")
            try:
                self._transact(batch, tuple)
            except (
                UnicodeError,
                TypeError,
                OverflowError,
            ):  # a value that no column takes; without it the rest would go
                self._transact(batch, storable)
        except apsw.Error as error:
            return translate(error, self._path)
        except Exception as error:
            log.error("a transaction failed inside the daemon", exc_info=error)
            return StoreError(f"the store cannot be written: {type(error).__name__}")
        if batch.durable and batch.events:
            self._witness.note(batch.events[-1].seq)
        if self._wal_pages >= CHECKPOINT_PAGES and not on_loop:
            self._checkpoint()
        return None

    def _transact(self, batch: Batch, bound: Callable[[Sequence[Any]], tuple[Any, ...]]) -> None:
        assert self._writer is not None
        with self._writer:
            if batch.events:
                self._writer.executemany(
                    INSERT_EVENT,
                    [(e.seq, e.type, e.agent_id, e.session_id, e.turn_id, e.time, e.data) for e in batch.events],
                )
            for sql, parameters in batch.writes:
                self._writer.execute(sql, bound(parameters))

    def _checkpoint(self) -> None:
        assert self._writer is not None
        self._wal_pages = 0
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            return  # the log only grows until the next one succeeds; nothing is lost

    def _settle(self, batch: Batch, failure: StoreError | None) -> None:
        self.failure = failure
        if failure is not None:
            # What was put meanwhile may build on what was lost: an UPDATE of a row that never came matches nothing.
            behind, self._batch = self._batch, Batch()
            self._lose(batch, behind, failure=failure)
            return
        if self._stale:  # it could not be read when something was lost
            self._stale = not self.lost.publish()
        for step in batch.on_commit:
            try:
                step()
            except Exception as error:
                log.error("what follows a commit failed", exc_info=error)
        events = (
            sorted(batch.events + batch.unrecorded, key=lambda event: event.seq) if batch.unrecorded else batch.events
        )
        self._show(events, batch.runs)
        if batch.events:
            self.recorded.publish(batch.events)
        for waiter in batch.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _lose(self, *batches: Batch, failure: StoreError) -> None:
        """None of it has happened: memory is read again before anybody hears of it."""
        for batch in batches:
            self._reserved -= SEQ_BLOCK if batch.reserves else 0
            self._broken |= batch.turns
        self._stale = not self.lost.publish()
        for batch in batches:
            self._show(batch.unrecorded, ())
            for waiter in batch.waiters:
                if not waiter.done():
                    waiter.set_exception(failure)

    def _show(self, events: Sequence[Event], runs: Iterable[Run]) -> None:
        """Let those who follow have these events."""
        if not events:
            return
        self._committed = events[-1].seq
        for event in events:
            self._ring.append(event)
            self._ring_bytes += len(event.data)
        for run in runs:
            self._mark(run)
        while len(self._ring) > RING_EVENTS or (self._ring_bytes > RING_BYTES and len(self._ring) > 1):
            self._ring_bytes -= size_of(self._ring.popleft())
        for waker in self._wakers:
            waker.set()

    def _mark(self, run: Run) -> None:
        """Have memory know what the file has in the place of these events."""
        for event in reversed(self._ring):
            if event.seq < run.first_seq:
                break
            if (event.turn_id, event.type) == (run.turn_id, run.type) and event.seq <= run.last_seq:
                event.run = run
                self._ring_bytes += len(run.data) if event.seq == run.last_seq else 0

    def _set_synchronous(self, level: str) -> None:
        if self._synchronous != level:
            assert self._writer is not None
            self._writer.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level

    def _count_wal(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    # -- following -------------------------------------------------------------------------------------------------

    def _after(self, reader: Reader, session_id: str | None) -> list[Event]:
        """Committed events after the reader's cursor, which goes on: from memory when they are there, else the file.

        The file may be ahead of what is known to have committed. Who read it so goes on reading it until it is not.
        """
        seq = reader.cursor
        if seq >= self._committed:
            return []
        ahead = reader.ahead and self._under_way is not None
        if self._ring and self._ring[0].seq <= seq + 1 and not ahead:
            found: list[Event] = []
            for event in reversed(self._ring):
                if event.seq <= seq:
                    break
                found.append(event)
            found.reverse()
            found = found[:READ_EVENTS]
            reader.cursor = found[-1].seq if found else self._committed
            reader.ahead = False
            return [told for event in found if (told := reader.told(event)) is not None]
        where, parameters = ("session_id=? AND ", [session_id]) if session_id is not None else ("", [])
        rows = self.all(
            f"{SELECT_EVENTS} WHERE {where}seq>? AND seq<=? ORDER BY seq LIMIT ?",
            [*parameters, seq, self._committed, READ_EVENTS],
        )
        reader.cursor = reader.since = rows[-1][0] if len(rows) == READ_EVENTS else self._committed
        reader.ahead = self._under_way is not None
        return [Event(*row) for row in rows]

    async def follow(
        self, after: int, *, session_id: str | None = None, every_s: float | None = None
    ) -> AsyncGenerator[list[Event], None]:
        """Batches of committed events after the cursor, in order, without gap; ends when streams are ended.

        A reader holds nothing but its cursor, so a slow one costs no memory. `session_id` may leave out events of
        other sessions. Every `every_s` an empty batch comes, whatever else does.
        """
        waker = asyncio.Event()
        self._wakers.add(waker)
        self.watched.publish()
        loop = asyncio.get_running_loop()
        due = loop.time() + every_s if every_s is not None else None
        reader = Reader(after, after)
        try:
            while True:
                waker.clear()
                events = self._after(reader, session_id)
                if events:
                    yield events
                if due is not None and every_s is not None and loop.time() >= due:
                    due = loop.time() + every_s
                    yield []
                if events or reader.cursor < self._committed:
                    continue
                if not self._streaming:
                    return
                alarm = loop.call_at(due, waker.set) if due is not None else None
                await waker.wait()
                if alarm is not None:
                    alarm.cancel()
        finally:
            self._wakers.discard(waker)
            if not self._wakers:
                self._last_left.set()

    async def end_streams(self, within_s: float = 1.0) -> None:
        """Let every follower read what there is and end; waits for them at most `within_s`."""
        self._streaming = False
        for waker in self._wakers:
            waker.set()
        self._last_left.clear()
        if self._wakers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._last_left.wait(), within_s)

    # -- housekeeping ----------------------------------------------------------------------------------------------

    async def trim(self, keep: int) -> int:
        """Forget all but the newest `keep` events of turns that ended. Returns how many went.

        Histories stay: they are rows of their own. A cursor before the trimmed part gets `resync`.
        """
        row = self.one("SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?", (keep,))
        open_from = self.one(
            "SELECT min(m.first_seq) FROM turns t JOIN messages m USING (turn_id) WHERE t.state <> 'ended'"
        )[0]
        if not row:
            return 0
        upto = min(int(row[0]), int(open_from) - 1) if open_from else int(row[0])
        gone = int(self.one("SELECT count(*) FROM events WHERE seq<=?", (upto,))[0])
        if gone:
            self.put(
                writes=[
                    ("DELETE FROM events WHERE seq<=?", (upto,)),
                    (SET_META, ("trimmed_to", str(upto))),
                ]
            )
            await self.commit()
            self._trimmed_to = upto
            self.forget(lambda event: event.seq <= upto)
        return gone

    def forget(self, unwanted: Callable[[Event], bool]) -> None:
        """Drop events from memory whose rows were deleted or replaced."""
        self._ring = deque(event for event in self._ring if not unwanted(event))
        self._ring_bytes = sum(map(size_of, self._ring))

    @property
    def size_bytes(self) -> int:
        """How large the store's file is; 0 when somebody deleted it."""
        return files.size_of(self._path)

    def statistics(self) -> dict[str, int]:
        """Sizes for diagnostics: events, first and last seq, bytes of the file."""
        row = self.one("SELECT count(*), coalesce(min(seq),0), coalesce(max(seq),0) FROM events")
        return {"events": row[0], "first_seq": row[1], "last_seq": row[2], "bytes": self.size_bytes}


@dataclass(slots=True)
class Reader:
    """Where somebody is in the log. `since`: from there on all came from memory, as it was when it happened.

    `ahead`: the file may have been read while a transaction was under way, so what it showed may not have been known
    yet. That is so of everybody who comes: they may have left a moment ago, in the middle of such a reading.
    """

    cursor: int
    since: int
    ahead: bool = True

    def told(self, event: Event) -> Event | None:
        """What a reader is told of an event in memory: of a run whose first part it may lack, the whole, once."""
        run = event.run
        if run is None or self.since < run.first_seq:
            return event
        if event.seq < run.last_seq:
            return None
        return Event(event.seq, event.type, event.agent_id, event.session_id, event.turn_id, event.time, run.data)


def size_of(event: Event) -> int:
    """How much of an event is in memory."""
    return len(event.data) + (len(event.run.data) if event.run is not None and event.seq == event.run.last_seq else 0)


INSERT_EVENT = "INSERT INTO events (seq, type, agent_id, session_id, turn_id, time, data) VALUES (?,?,?,?,?,?,?)"
SELECT_EVENTS = "SELECT seq, type, agent_id, session_id, turn_id, time, data FROM events"
SET_META = "INSERT INTO meta (key, value) VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value=excluded.value"


def storable(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """The parameters of a write as columns take them: text without half surrogate pairs, numbers of 64 bits."""
    return tuple(
        value
        if value is None or isinstance(value, float | bytes) or (isinstance(value, int) and value.bit_length() < 64)
        else as_text(value)
        for value in parameters
    )


def remember(key: str, value: str) -> Write:
    """The row that keeps a small fact for `recall`."""
    return (SET_META, (f"fact:{key}", value))


def connect(path: Path) -> apsw.Connection:
    """A connection with our settings, which leaves the write-ahead log as it is until the store is known to be whole.

    What is no store of ours is left as it is. Raises: StoreCorrupt, StoreTooNew, apsw.Error.
    """
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(LOCK_WAIT_MS)
    connection.create_scalar_function("fold", fold_column, 1, deterministic=True)
    connection.execute("PRAGMA cell_size_check=ON")
    files.check_ours(connection, path, len(scripts()))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def reach(connection: apsw.Connection) -> int:
    """The newest seq that a store holds, or held until it was trimmed; 0: it has none yet. Raises: apsw.Error."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name='events'").fetchall():
        return 0
    newest: Any = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchall()[0][0]
    trimmed: Any = connection.execute("SELECT max(CAST(value AS INTEGER)) FROM meta WHERE key='trimmed_to'").fetchall()
    return max(int(newest), int(trimmed[0][0] or 0))


def fold_column(*values: Any) -> str:
    """`fold` for SQL."""
    return fold(values[0])


@dataclass(frozen=True, slots=True)
class Examined:
    """What a store is like. `schema`: its version, `knows`: the newest that this program knows.

    `whole`: all of it was looked at, within the time there was.
    """

    schema: int
    knows: int
    problems: tuple[str, ...]
    whole: bool


JSON_COLUMNS = {
    "messages": ("parts", "context", "usage"),
    "model_messages": ("message",),
    "events": ("data",),
    "turns": ("usage", "error"),
    "calls": ("arguments", "result"),
    "approvals": ("arguments", "binding", "remember", "edited"),
    "sends": ("answer",),
}
MOST_PROBLEMS = 20


def examine(path: Path, within_s: float = 30.0) -> Examined:
    """Look at a store without changing it, also while a daemon uses it. Reads all of it, as far as the time goes.

    Raises: StoreCorrupt, StoreError (StoreLocked).
    """
    until = time.monotonic() + within_s
    log_bytes = files.size_of(log_of(path))
    problems: list[str] = []
    schema = 0
    whole = True
    try:
        with files.reading(path) as connection:
            schema = int(connection.execute("PRAGMA user_version").fetchall()[0][0])  # pyright: ignore
            connection.set_progress_handler(lambda: time.monotonic() > until, 1000)
            try:
                for problem in itertools.islice(look(connection, log_bytes, path), MOST_PROBLEMS):
                    problems.append(problem)
            except apsw.InterruptError:
                whole = False
    except (apsw.Error, UnicodeDecodeError) as error:
        if not problems or not isinstance(translate(error, path), StoreCorrupt):
            raise translate(error, path) from error
    return Examined(schema, len(scripts()), tuple(problems), whole)


def look(connection: apsw.Connection, log_bytes: int, path: Path) -> Iterator[str]:
    """What is wrong with a store, the worst first: its pages, then what it lacks, then values that SQLite can't judge.

    Raises: apsw.InterruptError when the time is over.
    """
    found = False
    for row in connection.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})"):
        if row[0] != "ok":
            found = True
            yield str(row[0])
    if found:
        return
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")}
    if tables and not tables >= files.OURS:
        yield "it is a database of another program"
        return
    try:
        files.check_reach(reach(connection), path, log_bytes)
    except StoreCorrupt as error:
        yield error.message
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"a row of {row[0]} refers to one of {row[2]} that is not there"
    for _ in connection.execute("SELECT text FROM messages") if "messages" in tables else ():
        pass  # apsw raises UnicodeDecodeError where it is no text
    for table, columns in JSON_COLUMNS.items():
        if table in tables:
            unreadable = " OR ".join(f"({name} IS NOT NULL AND NOT json_valid({name}))" for name in columns)
            count = connection.execute(f"SELECT count(*) FROM {table} WHERE {unreadable}").fetchall()[0][0]
            if count:
                yield f"{count} rows of {table} cannot be read"


def scripts() -> list[Any]:
    """The migrations, in their order; the number of the last one is the schema's version."""
    return sorted(
        (entry for entry in resources.files("aster_sidecar.store.migrations").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring the schema up to date, all or nothing. A copy of what was there is kept. Raises: StoreError, apsw.Error."""
    known = scripts()
    version: Any = connection.execute("PRAGMA user_version").fetchall()[0][0]
    if version == len(known):
        return
    copy = files.copy_before(connection, path, version + 1) if version else None
    try:
        with connection:
            for number, script in enumerate(known[version:], version + 1):
                connection.execute(script.read_text("utf-8"))
                connection.execute(f"PRAGMA user_version={number}")
    except apsw.Error as error:
        told = translate(error, path)
        kept = f"; a copy of it is {copy}" if copy is not None else ""
        raise type(told)(
            f"the store {path} could not be updated from schema {version} to {len(known)} and is as it was: {error}",
            hint=f"{told.hint}; the version that wrote it still works with it{kept}",
        ) from error
