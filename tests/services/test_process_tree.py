"""The environment of programs, and waiting that survives a cancelled task."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from aster_sidecar.services import process_facts, process_tree
from aster_sidecar.services.process_tree import CHOSEN, clean_environment, finished, let_through, to_the_end


def test_only_known_variables_reach_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CHOSEN, "names", lambda: ["MINE", "APP_*"])
    given = {
        "PATH": f"/bin{os.pathsep}relative{os.pathsep}/usr/bin",
        "HOME": "/home/ada",
        "LC_ALL": "C",
        "OPENAI_API_KEY": "canary",
        "HTTPS_PROXY": "http://user:canary@proxy",
        "HTTP_PROXY": "http://proxy",
        "LD_PRELOAD": "canary",
        "MINE": "1",
        "APP_MODE": "2",
        "APP_TOKEN": "canary",
    }
    found = clean_environment(given, frozen=False)
    assert "canary" not in str(found)
    assert found["PATH"] == f"/bin{os.pathsep}/usr/bin"
    assert (found["MINE"], found["APP_MODE"], found["HTTP_PROXY"]) == ("1", "2", "http://proxy")
    assert found["GIT_TERMINAL_PROMPT"] == "0"


def test_a_packaged_build_passes_the_library_path() -> None:
    given = {"LD_LIBRARY_PATH": "/lib"}
    assert clean_environment(given, frozen=True)["LD_LIBRARY_PATH"] == "/lib"
    assert "LD_LIBRARY_PATH" not in clean_environment(given, frozen=False)


def test_a_pattern_never_passes_a_secret_but_a_name_does() -> None:
    given = {"A_TOKEN": "x", "A_B": "y", "PATH": "/bin", "ASTER_SIDECAR_TOKEN": "z"}
    assert let_through(given, ["A_*"]) == ({}, {"A_B": "y"})
    assert let_through(given, ["A_TOKEN", "PATH", "ASTER_SIDECAR_TOKEN", "*"])[0] == {"A_TOKEN": "x"}


def test_work_goes_on_when_its_task_is_cancelled() -> None:
    async def body() -> None:
        began, go_on, done = asyncio.Event(), asyncio.Event(), list[str]()

        async def work() -> str:
            began.set()
            await go_on.wait()
            done.append("work")
            return "result"

        task = asyncio.create_task(to_the_end(work(), cancelled=go_on.set))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == ["work"]
        assert await to_the_end(work()) == "result"

    asyncio.run(body())


def test_short_work_is_finished_and_the_cancellation_is_reported() -> None:
    async def body() -> None:
        go_on, results = asyncio.Event(), list[tuple[str, bool]]()

        async def work() -> str:
            await go_on.wait()
            return "result"

        async def waiting() -> None:
            results.append(await finished(work()))

        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        await task
        assert results == [("result", True)]
        assert await finished(work()) == ("result", False)

    asyncio.run(body())


def test_a_process_is_known_by_its_start() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = process_tree.process(child.pid)
        assert found is not None
        assert found.parent == os.getpid()
        assert process_facts.started_at(child.pid) == found.started
        assert process_facts.state_of(child.pid) == "alive"
        assert process_facts.name_of(child.pid).startswith("python")
        child.kill()
    assert process_tree.process(child.pid) is None
    assert process_facts.state_of(child.pid) == "dead"
    assert process_facts.started_at(child.pid) is None
    assert process_facts.name_of(child.pid) == ""
