"""The event log by itself: exact commits, a write-ahead log that stays small, and seqs that never repeat."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from pathlib import Path

import apsw
import pytest

from aster_sidecar.contract import wire
from aster_sidecar.errors import StoreError
from aster_sidecar.store import journal as journals
from aster_sidecar.store import ring as rings
from aster_sidecar.store.batch import Batch
from aster_sidecar.store.events import Run
from aster_sidecar.store.journal import SEQ_BLOCK, Journal


def beat(number: int) -> wire.HeartbeatEvent:
    return wire.HeartbeatEvent(last_seq=number)


def test_the_write_ahead_log_is_folded_in_while_the_daemon_lives(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "store")
        journal.open()
        for number in range(1500):
            journal.put(
                "text_chunk", wire.TextChunkEvent(message_id="m", offset=number, delta="x" * 3000), durable=False
            )
            if number % 3 == 0:
                await journal.commit()
        assert (tmp_path / "store-wal").stat().st_size < 12_000_000
        await journal.close()

    asyncio.run(main())


def test_a_failed_transaction_fails_exactly_its_own_commit(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "store")
        journal.open()
        journal.put("heartbeat", beat(1))
        first = journal.commit()
        await asyncio.sleep(0)  # the first is being written
        journal.put("heartbeat", beat(2), turn_id="t", writes=[("INSERT INTO nowhere VALUES (1)", ())])
        second = journal.commit()
        await asyncio.sleep(0)
        await first
        journal.put("heartbeat", beat(3))
        third = journal.commit()
        with pytest.raises(StoreError):
            await second
        with pytest.raises(StoreError):
            journal.put("heartbeat", beat(4), turn_id="t")
        await asyncio.wait([third])
        if third.exception() is not None:  # it was in the same transaction as the second
            journal.put("heartbeat", beat(3))
            await journal.commit()
        journal.accept_again("t")
        await journal.record("heartbeat", beat(5), turn_id="t")
        await journal.close()

    asyncio.run(main())
    rows = apsw.Connection(str(tmp_path / "store")).execute("SELECT data FROM events ORDER BY seq").fetchall()
    assert rows == [('{"last_seq":1}',), ('{"last_seq":3}',), ('{"last_seq":5}',)]


def test_every_life_starts_a_new_block_of_seqs(tmp_path: Path) -> None:
    async def life() -> int:
        journal = Journal(tmp_path / "store")
        journal.open()
        seq = await journal.record("heartbeat", beat(1))
        await journal.close()
        return seq

    seqs = [asyncio.run(life()) for _ in range(3)]
    assert seqs == [1, SEQ_BLOCK + 1, 2 * SEQ_BLOCK + 1]


def test_a_block_that_runs_out_is_followed_by_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "store")
        journal.open()
        for _ in range(3):
            for number in range(SEQ_BLOCK // 2):
                journal.put("heartbeat", beat(number), durable=False)
            await journal.commit()
        assert journal.last_seq == 3 * SEQ_BLOCK // 2
        await journal.close()
        reserved = (
            apsw.Connection(str(tmp_path / "store"))
            .execute("SELECT CAST(value AS INTEGER) FROM meta WHERE key='seq_reserved'")
            .fetchall()[0][0]
        )
        assert isinstance(reserved, int)
        assert reserved > 3 * SEQ_BLOCK // 2

    asyncio.run(main())


def test_trimming_keeps_what_is_newest_and_refuses_older_cursors(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "store")
        journal.open()
        for number in range(50):
            journal.put("heartbeat", beat(number))
        await journal.commit()
        assert await journal.trim(10) == 40
        assert not journal.servable(39)
        assert journal.servable(40)
        follow = journal.follow(40)
        batch = await anext(follow)
        assert [event.seq for event in batch] == list(range(41, 51))
        await follow.aclose()
        await journal.close()

    asyncio.run(main())


def test_a_reader_who_leaves_and_returns_within_a_transaction_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file already has the joined text, and memory does not: the next page must not be read from memory."""
    monkeypatch.setattr(journals, "READ_EVENTS", 2)
    written, landing = threading.Event(), threading.Event()
    write = Journal._write

    def write_and_wait(journal: Journal, batch: Batch, on_loop: bool = False) -> StoreError | None:
        failure = write(journal, batch, on_loop)
        if batch.runs:
            written.set()
            landing.wait(20)
        return failure

    monkeypatch.setattr(Journal, "_write", write_and_wait)

    async def main() -> list[str]:
        journal = Journal(tmp_path / "store")
        journal.open()
        seqs: list[int] = []
        for number, delta in enumerate("abcdef"):
            chunk = wire.TextChunkEvent(message_id="m", offset=number, delta=delta)
            seqs.append(journal.put("text_chunk", chunk, turn_id="t", session_id="s"))
            journal.put("heartbeat", beat(number))
        await journal.commit()
        whole = wire.TextChunkEvent(message_id="m", offset=0, delta="abcdef").model_dump_json()
        run = Run("text_chunk", "t", "s", seqs[0], seqs[-1], whole)
        journal.put("heartbeat", beat(9), runs=[run], durable=True)
        await asyncio.to_thread(written.wait, 20)
        monkeypatch.setattr(rings, "RING_EVENTS", 5)
        journal._ring.add([], [])
        cursor, heard = 0, list[str]()
        for _ in range(30):  # each reader comes, reads a page, and leaves
            async for events in journal.follow(cursor, every_s=0.001):
                for event in events:
                    cursor = event.seq
                    heard += [json.loads(event.data)["delta"]] if event.type == "text_chunk" else []
                break
        landing.set()
        await journal.commit()
        await journal.close()
        return heard

    assert asyncio.run(main()) == ["abcdef"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ring", [1, 2, 5, 40])
def test_no_reader_finds_a_hole_where_chunks_become_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, ring: int
) -> None:
    """Readers leave and return after the last event they read, while text is streamed, recorded and joined."""
    monkeypatch.setattr(rings, "RING_EVENTS", ring)
    monkeypatch.setattr(journals, "READ_EVENTS", 4)
    chance = random.Random(seed)

    async def read(journal: Journal, told: dict[int, str], said: dict[str, str]) -> None:
        """Follow until the text is complete, leaving and coming back at random."""
        cursor, known = 0, ""
        while known != "".join(said.values()) or not told:
            async for events in journal.follow(cursor, every_s=0.01):
                for event in events:
                    cursor = event.seq
                    if event.type != "text_chunk":
                        continue
                    data = json.loads(event.data)
                    assert data["offset"] <= len(known), f"a hole before {cursor}: only {known!r} was known"
                    known = known[: data["offset"]] + data["delta"] + known[data["offset"] + len(data["delta"]) :]
                if chance.random() < 0.3:
                    break
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.004]))
        assert known == "".join(said.values())

    async def main() -> None:
        journal = Journal(tmp_path / "store")
        journal.open()
        said: dict[str, str] = {}
        told: dict[int, str] = {}
        readers = [asyncio.create_task(read(journal, told, said)) for _ in range(6)]
        for turn in range(6):
            first = last = 0
            begin, words = sum(map(len, said.values())), ""
            for number in range(chance.randrange(1, 9)):
                delta = f"{turn}.{number} "
                last = journal.put(
                    "text_chunk",
                    wire.TextChunkEvent(message_id="m", offset=begin + len(words), delta=delta),
                    turn_id=f"t{turn}",
                    session_id="s",
                    durable=chance.random() < 0.2,
                )
                first, words = first or last, words + delta
                if chance.random() < 0.5:
                    journal.put("heartbeat", beat(number), durable=False)
                if chance.random() < 0.8:
                    await asyncio.sleep(chance.choice([0, 0, 0.002]))
            said[f"t{turn}"] = words
            whole = wire.TextChunkEvent(message_id="m", offset=begin, delta=words).model_dump_json()
            run = Run("text_chunk", f"t{turn}", "s", first, last, whole)
            journal.put("heartbeat", beat(0), turn_id=f"t{turn}", runs=[run] if first != last else [])
            await asyncio.sleep(chance.choice([0, 0, 0.003]))
        await journal.commit()
        told[0] = "all is said"
        await asyncio.gather(*readers)
        await journal.close()

    asyncio.run(main())
