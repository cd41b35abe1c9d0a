"""search_files: what it finds and leaves out, and how a search ends."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import Any

import psutil
import pytest

from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.files import searching
from aster_sidecar.tools.files.common import in_thread
from tests.tools.support import Listener, call, left, start, until


def test_searching(place: Surroundings) -> None:
    work = place.work_dir
    for path in ("src/a.py", "src/deep/b.py", "src/c.txt", ".git/config", "node_modules/m.py"):
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(b"first\r\ndef found():\r\n")
    (work / "binary").write_bytes(b"\0def found")
    (work / "out").symlink_to("/etc")
    found = call("search_files", place, pattern=r"^def \w+\(\):$")
    assert sorted((one["path"], one["line"], one["text"]) for one in found.value["hits"]) == [
        ("src/a.py", 2, "def found():"),
        ("src/c.txt", 2, "def found():"),
        ("src/deep/b.py", 2, "def found():"),
    ]
    assert found.value["files_searched"] == 3
    assert not found.truncated
    for glob, count in (("*.py", 2), ("src/*.py", 2), ("**/*.txt", 1), ("src/**/b.py", 1), ("src/**/a.py", 1)):
        assert len(call("search_files", place, pattern="def", glob=glob).value["hits"]) == count, glob
    assert len(call("search_files", place, pattern="def", path="src/a.py").value["hits"]) == 1
    assert call("search_files", place, pattern="^$").value["hits"] == []
    limited = call("search_files", place, pattern=".", max_results=2)
    assert (len(limited.value["hits"]), limited.truncated) == (2, True)


def test_searching_leaves_secrets_and_the_daemons_files_out(place: Surroundings) -> None:
    (place.work_dir / ".env").write_text("TOKEN=canary")
    (place.work_dir / ".ssh").mkdir()
    (place.work_dir / ".ssh" / "notes").write_text("canary")
    (place.work_dir / "a.txt").write_text("canary in the open")
    os.link(place.protected[0] / "aster.db", place.work_dir / "twin.db")
    (place.protected[0] / "aster.db").write_text("canary")
    found = call("search_files", place, pattern="canary", path="..").value
    assert [one["path"] for one in found["hits"]] == ["a.txt"]
    assert any(".env" in note and ".ssh" in note for note in found["notes"])
    assert any("Aster's own data" in note for note in found["notes"])
    assert call("search_files", place, pattern="canary", path=".env").value["hits"] == []


def test_a_pattern_that_is_none_is_refused(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="not a regular expression"):
        call("search_files", place, pattern="(")


def matching() -> bool:
    """Whether a child process has used more than 0.2 s of CPU time."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.cpu_times().user > 0.2:
                return True
    return False


def test_a_pattern_that_never_ends_is_ended(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.work_dir / "a").write_text("hit\n")
    (place.work_dir / "b").write_text("a" * 1900 + "!")
    arguments = searching.SearchFiles(pattern="hit|(a+)+$")
    search = searching._Search(arguments, place.work_dir, place, deadline_s=50)
    timers: list[Later] = []

    class Later(threading.Timer):
        def start(self) -> None:
            timers.append(self)

        def begin(self) -> None:
            super().start()

    monkeypatch.setattr(threading, "Timer", Later)

    async def both() -> Any:
        task = asyncio.create_task(in_thread(search.run, cancelled=search.kill))
        await until(lambda: bool(search.hits) and matching())  # the event loop runs while the pattern does not end
        search.deadline_s = timers[0].interval = 0.5  # the time starts now, so that a slow start does not count
        timers[0].begin()
        return await task

    result = asyncio.run(both())
    assert result.truncated
    assert [one["path"] for one in result.value["hits"]] == ["a"]
    assert "takes too long" in result.value["notes"][0]
    assert left() == [], "the process of the search still runs"


def test_a_cancelled_search_ends_its_process(place: Surroundings) -> None:
    (place.work_dir / "b").write_text("a" * 1900 + "!")

    async def cancelled() -> None:
        task = asyncio.create_task(start("search_files", Listener(place), pattern="(a+)+$"))
        await until(matching)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left() == [], "the process of the search still runs"

    asyncio.run(cancelled())
