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
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw
from pydantic import BaseModel

from aster_sidecar import clock
from aster_sidecar.errors import StoreError, StoreLocked
from aster_sidecar.publisher import Publisher
from aster_sidecar.store import files
from aster_sidecar.store.batch import Batch
from aster_sidecar.store.events import Event, Run
from aster_sidecar.store.files import damaged, log_of, translate
from aster_sidecar.store.high_water_mark import HighWaterMark
from aster_sidecar.store.open_files import OpenFiles
from aster_sidecar.store.ring import Reader, Ring
from aster_sidecar.store.rows import events as event_rows
from aster_sidecar.store.rows import meta
from aster_sidecar.store.rows import turns as turn_rows
from aster_sidecar.store.schema import connect, migrate, reach
from aster_sidecar.store.sql import Query, Row, Write
from aster_sidecar.store.writer import Writer

log = logging.getLogger(__name__)

SEQ_BLOCK = 1 << 16
"""Seqs are reserved durably in blocks; each start of the daemon begins a new block, so no seq is ever reused, not even
after a power cut."""
READ_EVENTS = 256
"""Maximum number of events that one read from the file returns."""

T = TypeVar("T")


class Journal:
    """One store, open. All methods are called on the event loop that opened it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Writer | None = None
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
        self._ring = Ring()
        self._wakers: set[asyncio.Event] = set()
        self._last_left = asyncio.Event()
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
        self._files: OpenFiles | None = None

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
            connection = connect(self._path)
            files.check_mark(reach(connection), self._path, log_bytes)
            migrate(connection, self._path)
            files.prune(self._path)
            self._reader = connect(self._path)
            self._reader.execute("PRAGMA query_only=1")
            self._reserved = int(self.first(meta.select_value(meta.SEQ_RESERVED)) or 0)
            self._trimmed_to = int(self.first(meta.select_value(meta.TRIMMED_TO)) or 0)
            newest = reach(self._reader)
            self._reserved = max(self._reserved, newest, mark.seq if mark is not None else 0)
            self._next_seq = self._reserved + 1
            self._reserved += SEQ_BLOCK
            connection.execute(*meta.set_value(meta.SEQ_RESERVED, self._reserved))
            self._committed = newest
            self._mark_file.open(newest)
            self._thread = ThreadPoolExecutor(1, "journal")
            self._files = OpenFiles(self._path, connection, self._thread, self._mark_file)
            self._writer = Writer(connection, self._path)
            for one in (connection, self._reader):
                one.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        except (apsw.Error, UnicodeDecodeError) as error:
            if files.is_full(error, self._path):
                why = f"the store {self._path} cannot be opened: the disk is full"
                raise StoreError(why, hint="free some space, then start again; nothing is lost") from error
            raise translate(error, self._path) from error
        except OSError as error:
            which = f"{error.filename}: " if error.filename not in (None, str(self._path)) else ""
            raise StoreError(f"cannot open the store {self._path}: {which}{error.strerror}") from error
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
                # After a file error SQLite would delete the file that has its log's name now.
                self._writer.close(checkpoint=file_error is None)
            self._mark_file.close(well=self.failure is None and file_error is None)

    # -- detecting deleted files -----------------------------------------------------------------------------------

    @property
    def trouble(self) -> StoreError | None:
        """Why nothing can be recorded now; None when the store works. Checks that the store's files still exist."""
        return self._file_error() or self.failure

    def has_others(self) -> bool:
        """Whether another store is beside this one, which a person may restore."""
        return files.has_others(self._path)

    def _file_error(self) -> StoreError | None:
        return self._files.error() if self._files is not None else None

    # -- reading ---------------------------------------------------------------------------------------------------

    def rows(self, query: Query[T]) -> list[T]:
        """All rows of a query; it sees committed data only. Raises: StoreError."""
        return [query.make(*row) for row in self.all(query.sql, query.parameters)]

    def first(self, query: Query[T]) -> T | None:
        """The first row of a query; None if there is none. Raises: StoreError."""
        row = self.one(query.sql, query.parameters)
        return query.make(*row) if row else None

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query; it sees committed data only. Raises: StoreError."""
        assert self._reader is not None
        try:
            return self._reader.execute(sql, tuple(parameters)).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error, self._path) from error

    @contextlib.contextmanager
    def parsing(self, what: str) -> Generator[None]:
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

    def recall(self, key: str) -> str | None:
        """The value stored under a key with `remember`; None if there is none. Raises: StoreError."""
        return self.first(meta.select_value(meta.fact(key)))

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
        Raises: StoreError when an earlier event of this turn was lost: a turn never has a gap (see `accept_again`).
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
            batch.writes.append(meta.set_value(meta.SEQ_RESERVED, self._reserved))
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
        """Raises: StoreError when an event of this turn was lost and `accept_again` has not been called since."""
        if turn_id in self._broken:
            raise self.failure or StoreError("an earlier event of this turn could not be recorded")

    def send_unrecorded(self, kind: str, data: BaseModel, *, agent_id: str, session_id: str, turn_id: str) -> None:
        """Send an event that a damaged store could not record to the open streams. It is never replayed.

        It takes a seq, so it is sent in order with the events around it, whether or not their transaction commits.
        """
        body = data.model_dump_json(exclude_none=True, by_alias=True)
        event = Event(self._next_seq, kind, agent_id, session_id, turn_id, clock.stamp(), body)
        self._next_seq += 1
        self._batch.unrecorded.append(event)
        self._schedule()

    def accept_again(self, turn_id: str) -> None:
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
        assert self._writer is not None
        if not batch.durable and not self._writer.checkpoint_due:
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
        if error := self._file_error():
            return error
        if self._files is not None and self._files.saving:
            return StoreError("the store is being copied")
        failure = self._writer.write(batch, on_loop=on_loop)
        if failure is not None:
            return failure
        if batch.durable and batch.events:
            self._mark_file.note(batch.events[-1].seq)
        if self._writer.checkpoint_due and not on_loop:
            self._writer.checkpoint()
        return None

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
        self._ring.add(events, runs)
        for waker in self._wakers:
            waker.set()

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
        if self._ring.reaches(seq) and not ahead:
            found = self._ring.after(seq, READ_EVENTS)
            reader.cursor = found[-1].seq if found else self._committed
            reader.ahead = False
            return [seen for event in found if (seen := reader.version_of(event)) is not None]
        found = self.rows(event_rows.select_after(session_id, seq, self._committed, READ_EVENTS))
        reader.cursor = reader.since = found[-1].seq if len(found) == READ_EVENTS else self._committed
        reader.ahead = self._under_way is not None
        return found

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
        older = self.first(event_rows.select_older(keep))
        open_from = self.first(turn_rows.select_first_seq_of_open())
        if older is None:
            return 0
        upto = min(older, open_from - 1) if open_from else older
        count = self.first(event_rows.count_upto(upto)) or 0
        if count:
            self.put(writes=[event_rows.delete_upto(upto), meta.set_value(meta.TRIMMED_TO, upto)])
            await self.commit()
            self._trimmed_to = upto
            self.forget(lambda event: event.seq <= upto)
        return count

    def forget(self, unwanted: Callable[[Event], bool]) -> None:
        """Drop events from memory after their rows were deleted or replaced."""
        self._ring.forget(unwanted)

    @property
    def size_bytes(self) -> int:
        """The size of the store's file in bytes; 0 if it was deleted."""
        return files.size_of(self._path)

    def statistics(self) -> dict[str, int]:
        """Figures for diagnostics: number of events, first and last seq, bytes of the file. Raises: StoreError."""
        found = self.rows(event_rows.select_count())[0]
        return {**found._asdict(), "bytes": self.size_bytes}
