"""Reading paths within a time: what answers is there, what does not holds up nothing else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aster_sidecar.companion.timed_reading import STUCK_MOST, THREADS, TimedReading
from aster_sidecar.errors import FolderUnusable

LONG_S = 30.0
SHORT_S = 0.05


class Drive:
    """Paths that answer with their length, except those under /dead, until it is connected."""

    def __init__(self) -> None:
        self.connected = threading.Event()
        self.all_threads_read = threading.Event()
        self.asked: list[str] = []

    def read(self, path: str) -> int:
        self.asked.append(path)
        if len(self.asked) == THREADS:
            self.all_threads_read.set()
        if path.startswith("/dead"):
            self.connected.wait(LONG_S)
        if path == "/wrong":
            raise OSError(5, "Input/output error")
        return len(path)


async def until_it_answers(reading: TimedReading, path: str, drive: Drive) -> int:
    """The result for a path whose thread, or that of others, has not ended yet."""
    while True:
        try:
            return await reading.one(path, drive.read, LONG_S)
        except FolderUnusable:
            await asyncio.sleep(0.01)


def test_every_path_that_answers_has_its_result() -> None:
    async def scenario() -> None:
        drive = Drive()
        paths = [f"/{number}" for number in range(100)]
        found = await TimedReading().each([*paths, "/wrong"], drive.read, LONG_S)
        assert isinstance(found.pop("/wrong"), OSError)
        assert found == {path: len(path) for path in paths}
        assert await TimedReading().each([], drive.read, LONG_S) == {}

    asyncio.run(scenario())


def test_a_path_that_does_not_answer_is_left_out_and_not_read_again_until_it_does() -> None:
    async def scenario() -> None:
        drive, reading = Drive(), TimedReading()
        assert await reading.each(["/dead", "/a", "/b"], drive.read, 1.0) == {"/a": 2, "/b": 2}
        with pytest.raises(FolderUnusable, match="/dead does not answer"):
            await reading.one("/dead", drive.read, LONG_S)
        assert drive.asked.count("/dead") == 1
        drive.connected.set()
        assert await until_it_answers(reading, "/dead", drive) == 5

    asyncio.run(scenario())


def test_the_number_of_threads_is_bounded() -> None:
    async def scenario() -> None:
        drive, reading = Drive(), TimedReading()
        before = threading.active_count()
        for number in range(STUCK_MOST + 10):
            assert await reading.each([f"/dead/{number}"], drive.read, SHORT_S) == {}
        assert threading.active_count() - before <= STUCK_MOST
        assert await reading.each(["/a"], drive.read, LONG_S) == {}
        drive.connected.set()
        assert await until_it_answers(reading, "/a", drive) == 2

    asyncio.run(scenario())


def test_one_raises_what_reading_raises() -> None:
    async def scenario() -> None:
        with pytest.raises(OSError, match="Input/output"):
            await TimedReading().one("/wrong", Drive().read, LONG_S)

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_reads_no_further() -> None:
    async def scenario() -> None:
        drive, reading = Drive(), TimedReading()
        paths = [f"/dead/{number}" for number in range(10)]
        task = asyncio.create_task(reading.each(paths, drive.read, LONG_S))
        assert await asyncio.to_thread(drive.all_threads_read.wait, LONG_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        drive.connected.set()
        assert await until_it_answers(reading, paths[0], drive) == len(paths[0])
        assert set(drive.asked) == set(paths[:THREADS])

    asyncio.run(scenario())
