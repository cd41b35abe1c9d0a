"""The SQLite event log, the daemon's single source of truth: append, query, and follow(after) for event streams.

An event reaches a reader only after the transaction that records it has committed. One writer, group commit: all puts
of one iteration of the event loop are one transaction. Batches that must survive a power cut are written with
`synchronous=FULL` in a thread; batches of text deltas only are written with NORMAL on the loop (13 µs, no fsync).
"""

# apsw's stubs refer to types that exist only where its C sources are installed.
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
from aster_sidecar.store.high_water_mark import HighWaterMark
from aster_sidecar.text.folding import fold
from aster_sidecar.text.repair import as_text

log = logging.getLogger(__name__)

SEQ_BLOCK = 1 << 16
"""Seqs are reserved durably in blocks; each start of the daemon begins a new block, so no seq is ever reused, not even
after a power cut."""
RING_EVENTS = 4096
"""The newest events kept in memory, shared by all readers; a reader that is further behind reads from the file."""
RING_BYTES = 8 << 20
READ_EVENTS = 256
"""Maximum number of events that one read from the file returns."""
CHECKPOINT_PAGES = 1000

Write = tuple[str, Sequence[Any]]
Row = tuple[Any, ...]
"""A row of a query's result: columns in the order of its SELECT."""


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


@dataclass(slots=True)
class Batch:
    """The contents of one transaction."""

    events: list[Event] = field(default_factory=list[Event])
    unrecorded: list[Event] = field(default_factory=list[Event])
    """Events sent to the open streams only; not written to the file."""
    writes: list[Write] = field(default_factory=list[Write])
    runs: list[Run] = field(default_factory=list[Run])
    durable: bool = False
    reserves: bool = False
    turns: set[str] = field(default_factory=set[str])
    """The turns that parts of this batch belong to."""
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
        self._mark_file = HighWaterMark(path)
        self.watched: Publisher[[]] = Publisher()
        """Published when a stream begins to follow."""
        self.recorded: Publisher[list[Event]] = Publisher()
        """Published after a transaction has committed, with its events."""
        self.lost: Publisher[[]] = Publisher()
        """Published when a transaction failed: components that cache rows in memory reload them."""
        self.failure: StoreError | None = None
        """Why the newest transaction failed; None when it committed."""
        self._files: list[tuple[Path, tuple[int, int] | None]] = []
        self._saved: Path | None = None
        self._saving: Future[None] | None = None

    # -- opening and closing ---------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open or create the file, migrate it, and reserve a new block of seqs.

        Raises: StoreTooNew, StoreCorrupt, StoreError.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not files.is_there(self._path):
                self._path.touch(mode=0o600)
            files.check_access(self._path)
            log_bytes, mark = files.size_of(log_of(self._path)), self._mark_file.read()
            self._writer = connect(self._path)
            files.check_mark(reach(self._writer), self._path, log_bytes)
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
            self._mark_file.open(newest)
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
        self._writer.set_wal_hook(self._count_wal)  # after the pragma, which would remove the hook
        self._thread = ThreadPoolExecutor(1, "journal")
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Write what is pending, checkpoint the write-ahead log, and close the file. Raises: StoreError."""
        try:
            while self._under_way is not None or self._batch.events or self._batch.writes:
                await self.commit()
        finally:
            file_error = self._file_error()
            if self._thread is not None:
                self._thread.shutdown(wait=True)
            if self._reader is not None:
                self._reader.close()
            if self._writer is not None:
                if file_error is not None:  # otherwise SQLite would delete the file that has its log's name now
                    self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                self._writer.close()
            self._mark_file.close(well=self.failure is None and file_error is None)

    # -- detecting deleted files -----------------------------------------------------------------------------------

    @property
    def trouble(self) -> StoreError | None:
        """Why nothing can be recorded now; None when the store works. Checks that the store's files still exist."""
        return self._file_error() or self.failure

    def _file_error(self) -> StoreCorrupt | None:
        """The error when a file of the store was deleted or replaced while open, so that writes would be lost.

        Also copies all that has committed into a new file beside the store, once; not if the mark is gone as well,
        because then somebody removed the whole store on purpose.
        """
        found = next(((path, found) for path, was in self._files if (found := files.identity(path)) != was), None)
        if found is None or sys.platform == "win32":  # Windows does not delete open files
            return None
        if self._saving is None and self._thread is not None and self._mark_file.there:
            self._saving = self._thread.submit(self._save)
        path, other = found
        kept = f"what had been recorded is kept in {self._saved}; " if self._saved is not None else ""
        back = f"restore {self._saved.name}" if self._saved is not None else "restore FILE"
        return StoreCorrupt(
            f"the store's file {path} was {'deleted or moved' if other is None else 'replaced'} while the daemon had it"
            " open: nothing is recorded any more",
            hint=f"{kept}if it was moved, put it back, and the daemon goes on; otherwise stop the daemon, then"
            f" {files.command(self._path, back)}, and start it again",
        )

    def _save(self) -> None:
        """Copy the store, whose file was deleted or replaced, into a new file. Runs in the writer's thread."""
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
        """All rows of a query; it sees committed data only. Raises: StoreError."""
        assert self._reader is not None
        try:
            return self._reader.execute(sql, tuple(parameters)).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error, self._path) from error

    @contextlib.contextmanager
    def taking_apart(self, what: str) -> Generator[None]:
        """Wraps the parsing of a stored value: a failure there means a damaged store. Raises: StoreCorrupt.

        `what` names the value in the error. SQLite does not detect damage inside a long value.
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
        """The value stored under a key with `remember`; None if there is none. Raises: StoreError."""
        return self._meta(f"fact:{key}")

    @property
    def last_seq(self) -> int:
        """The seq of the newest event that readers can see."""
        return self._committed

    @property
    def writing(self) -> bool:
        """Whether a transaction is under way in the writer's thread."""
        return self._under_way is not None

    @property
    def watchers(self) -> int:
        """The number of streams that follow."""
        return len(self._wakers)

    def servable(self, after: int) -> bool:
        """Whether all events after this cursor are still available."""
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

        `runs` are groups of earlier events to merge. `on_commit` is called after the commit, in the order of the puts,
        before any reader or waiter is notified; it must not raise.

        Returns the event's seq. All puts of one iteration of the event loop commit together or not at all.
        Raises: StoreError when an earlier event of this turn was lost: a turn never has a gap (see `mend`).
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
        """A future for the commit of all that has been put so far. Awaiting it raises StoreError if the commit failed.

        Called in the same loop iteration as `put`, it stands for exactly that transaction. With nothing new to commit,
        it stands for the transaction in progress, if there is one.
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
        """`put`, then wait for `commit`; returns the event's seq. Raises: StoreError."""
        seq = self.put(kind, data, **where)
        await self.commit()
        return seq

    def check(self, turn_id: str) -> None:
        """Raises: StoreError when an event of this turn was lost and `mend` has not been called since."""
        if turn_id in self._broken:
            raise self.failure or StoreError("an earlier event of this turn could not be recorded")

    def tell(self, kind: str, data: BaseModel, *, agent_id: str, session_id: str, turn_id: str) -> None:
        """Send an event that a damaged store could not record to the open streams. It is never replayed.

        It takes a seq, so it is sent in order with the events around it, whether or not their transaction commits.
        """
        body = data.model_dump_json(exclude_none=True, by_alias=True)
        event = Event(self._next_seq, kind, agent_id, session_id, turn_id, clock.stamp(), body)
        self._next_seq += 1
        self._batch.unrecorded.append(event)
        self._schedule()

    def mend(self, turn_id: str) -> None:
        """Accept events of a turn again after one was lost: its owner knows, and will end the turn as failed."""
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
            # Another program holds the lock. The thread waits for it, so that the loop does not block.
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
        """Write one transaction. Runs on the loop or in the writer's thread; `_under_way` prevents both at once."""
        assert self._writer is not None
        file_error = self._file_error()
        if file_error is not None or (self._saving is not None and not self._saving.done()):
            return file_error or StoreError("the store is being copied")
        try:
            self._writer.set_busy_timeout(0 if on_loop else LOCK_WAIT_MS)
            self._set_synchronous("FULL" if batch.durable else "NORMAL")
            try:
                self._transact(batch, tuple)
            except (UnicodeError, TypeError, OverflowError):  # one value that SQLite refuses must not lose the batch
                self._transact(batch, storable)
        except apsw.Error as error:
            return translate(error, self._path)
        except Exception as error:
            log.error("a transaction failed inside the daemon", exc_info=error)
            return StoreError(f"the store cannot be written: {type(error).__name__}")
        if batch.durable and batch.events:
            self._mark_file.note(batch.events[-1].seq)
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
            return  # nothing is lost: the log grows until a later checkpoint succeeds

    def _settle(self, batch: Batch, failure: StoreError | None) -> None:
        self.failure = failure
        if failure is not None:
            # What was put meanwhile may depend on the lost batch: an UPDATE of a row that was never inserted.
            behind, self._batch = self._batch, Batch()
            self._lose(batch, behind, failure=failure)
            return
        if self._stale:  # the reload failed when a batch was lost
            self._stale = not self.lost.publish()
        for step in batch.on_commit:
            try:
                step()
            except Exception as error:
                log.error("a callback after a commit failed", exc_info=error)
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
        """Discard batches that did not commit: caches are reloaded before any reader or waiter is notified."""
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
        """Make these events visible to readers and wake them."""
        if not events:
            return
        self._committed = events[-1].seq
        for event in events:
            self._ring.append(event)
            self._ring_bytes += len(event.data)
        for run in runs:
            self._note_merged(run)
        while len(self._ring) > RING_EVENTS or (self._ring_bytes > RING_BYTES and len(self._ring) > 1):
            self._ring_bytes -= size_of(self._ring.popleft())
        for waker in self._wakers:
            waker.set()

    def _note_merged(self, run: Run) -> None:
        """Note on the events in memory that the file has the merged event in their place."""
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
        """Committed events after the reader's cursor, which is advanced: from memory if possible, else from the file.

        The file may be ahead of `_committed` while a transaction is in progress. A reader that read from it then keeps
        reading from the file until the transaction has ended.
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
            return [seen for event in found if (seen := reader.version_of(event)) is not None]
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
        """Batches of committed events after the cursor, in order, without gaps; ends with `end_streams`.

        A reader holds only its cursor, so a slow reader costs no memory. With `session_id`, events of other sessions
        may be left out. Every `every_s` seconds an empty batch is yielded, also between others. Raises: StoreError.
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
        """End all streams once they have read the remaining events; waits at most `within_s` seconds for them."""
        self._streaming = False
        for waker in self._wakers:
            waker.set()
        self._last_left.clear()
        if self._wakers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._last_left.wait(), within_s)

    # -- housekeeping ----------------------------------------------------------------------------------------------

    async def trim(self, keep: int) -> int:
        """Delete all but the newest `keep` events, and none of turns that have not ended. Returns how many it deleted.

        Histories stay: they are in other tables. A cursor in the trimmed part gets `resync`. Raises: StoreError.
        """
        row = self.one("SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?", (keep,))
        open_from = self.one(
            "SELECT min(m.first_seq) FROM turns t JOIN messages m USING (turn_id) WHERE t.state <> 'ended'"
        )[0]
        if not row:
            return 0
        upto = min(int(row[0]), int(open_from) - 1) if open_from else int(row[0])
        count = int(self.one("SELECT count(*) FROM events WHERE seq<=?", (upto,))[0])
        if count:
            self.put(
                writes=[
                    ("DELETE FROM events WHERE seq<=?", (upto,)),
                    (SET_META, ("trimmed_to", str(upto))),
                ]
            )
            await self.commit()
            self._trimmed_to = upto
            self.forget(lambda event: event.seq <= upto)
        return count

    def forget(self, unwanted: Callable[[Event], bool]) -> None:
        """Drop events from memory after their rows were deleted or replaced."""
        self._ring = deque(event for event in self._ring if not unwanted(event))
        self._ring_bytes = sum(map(size_of, self._ring))

    @property
    def size_bytes(self) -> int:
        """The size of the store's file in bytes; 0 if it was deleted."""
        return files.size_of(self._path)

    def statistics(self) -> dict[str, int]:
        """Figures for diagnostics: number of events, first and last seq, bytes of the file. Raises: StoreError."""
        row = self.one("SELECT count(*), coalesce(min(seq),0), coalesce(max(seq),0) FROM events")
        return {"events": row[0], "first_seq": row[1], "last_seq": row[2], "bytes": self.size_bytes}


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


INSERT_EVENT = "INSERT INTO events (seq, type, agent_id, session_id, turn_id, time, data) VALUES (?,?,?,?,?,?,?)"
SELECT_EVENTS = "SELECT seq, type, agent_id, session_id, turn_id, time, data FROM events"
SET_META = "INSERT INTO meta (key, value) VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value=excluded.value"


def storable(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """The parameters of a write as SQLite accepts them: text without lone surrogates, integers within 64 bits."""
    return tuple(
        value
        if value is None or isinstance(value, float | bytes) or (isinstance(value, int) and value.bit_length() < 64)
        else as_text(value)
        for value in parameters
    )


def remember(key: str, value: str) -> Write:
    """The write that stores a value under a key, for `Journal.recall`."""
    return (SET_META, (f"fact:{key}", value))


def connect(path: Path) -> apsw.Connection:
    """A connection with our settings. It does not checkpoint on close, until `Journal.open` has checked the store.

    A file that is not an Aster store is left unchanged. Raises: StoreCorrupt, StoreTooNew, apsw.Error.
    """
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(LOCK_WAIT_MS)
    connection.create_scalar_function("fold", fold_column, 1, deterministic=True)
    connection.execute("PRAGMA cell_size_check=ON")
    files.check_schema(connection, path, len(scripts()))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def reach(connection: apsw.Connection) -> int:
    """The newest seq that a store contains, trimmed events included; 0 if it has no events. Raises: apsw.Error."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name='events'").fetchall():
        return 0
    newest: Any = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchall()[0][0]
    trimmed: Any = connection.execute("SELECT max(CAST(value AS INTEGER)) FROM meta WHERE key='trimmed_to'").fetchall()
    return max(int(newest), int(trimmed[0][0] or 0))


def fold_column(*values: Any) -> str:
    """`fold` as an SQL function."""
    return fold(values[0])


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of `examine`. `schema`: the store's version; `knows`: the newest version that this program knows.

    `whole`: the check finished within its time limit.
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
    """Check a store without changing it, also while a daemon uses it. Reads all of it, for at most `within_s` seconds.

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
                for problem in itertools.islice(find_problems(connection, log_bytes, path), MOST_PROBLEMS):
                    problems.append(problem)
            except apsw.InterruptError:
                whole = False
    except (apsw.Error, UnicodeDecodeError) as error:
        if not problems or not isinstance(translate(error, path), StoreCorrupt):
            raise translate(error, path) from error
    return Examined(schema, len(scripts()), tuple(problems), whole)


def find_problems(connection: apsw.Connection, log_bytes: int, path: Path) -> Iterator[str]:
    """Problems of a store, the worst first: damaged pages, then missing events or rows, then unreadable values.

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
    if tables and not tables >= files.STORE_TABLES:
        yield "it is a database of another program"
        return
    try:
        files.check_mark(reach(connection), path, log_bytes)
    except StoreCorrupt as error:
        yield error.message
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"a row of {row[0]} refers to one of {row[2]} that is not there"
    for _ in connection.execute("SELECT text FROM messages") if "messages" in tables else ():
        pass  # apsw raises UnicodeDecodeError for text that is not UTF-8
    for table, columns in JSON_COLUMNS.items():
        if table in tables:
            unreadable = " OR ".join(f"({name} IS NOT NULL AND NOT json_valid({name}))" for name in columns)
            count = connection.execute(f"SELECT count(*) FROM {table} WHERE {unreadable}").fetchall()[0][0]
            if count:
                yield f"{count} rows of {table} cannot be read"


def scripts() -> list[Any]:
    """The migrations in order; their count is the schema's version."""
    return sorted(
        (entry for entry in resources.files("aster_sidecar.store.migrations").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Copy the store and migrate it to the newest schema, all or nothing. Raises: StoreError, apsw.Error."""
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
        refusal = translate(error, path)
        kept = f"; a copy of it is {copy}" if copy is not None else ""
        raise type(refusal)(
            f"the store {path} could not be updated from schema {version} to {len(known)} and is unchanged: {error}",
            hint=f"{refusal.hint}; the version that wrote it still works with it{kept}",
        ) from error
