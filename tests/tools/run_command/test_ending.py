"""The end of a command: no process of it is left, whether it ends by itself, at its timeout or by a cancel."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from aster_sidecar.services import process_tree
from aster_sidecar.tools import shell_process
from aster_sidecar.tools.base import Outcome, Surroundings
from tests.tools.run_command.support import PYTHON, alive, linux, run
from tests.tools.support import Listener, left, start, until


def run_from_then_on(
    monkeypatch: pytest.MonkeyPatch, place: Surroundings, command: str, begun: str, **more: Any
) -> dict[str, Any]:
    """Run a command whose timeout begins when it has written `begun`, so that a slow start does not count."""
    context, exits = Listener(place), shell_process._exits

    async def counted(*arguments: Any) -> bool:
        await until(lambda: context.streamed("stdout") == begun)
        return await exits(*arguments)

    monkeypatch.setattr(shell_process, "_exits", counted)
    return asyncio.run(start("run_command", context, command=command, **more)).value


DAEMON = (
    "import os, sys, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "{closing}\n"
    "open('up', 'w').close()\n"
    "time.sleep({token})\n"
)
WAIT_UP = "while [ ! -e up ]; do :; done"


def daemon_script(folder: Path, token: str, closing: str = "pass") -> str:
    """A command that detaches a process by forking twice. The process runs `closing` and creates `up`."""
    (folder / f"daemon{token}.py").write_text(DAEMON.format(token=token, closing=closing))
    return f"{PYTHON} daemon{token}.py"


@pytest.mark.parametrize(
    "command",
    [
        "sleep {token} & echo hi",
        "(sleep {token} &) ; (sleep {token} & sleep {token}) & echo hi",
        "nohup sleep {token} >/dev/null 2>&1 & echo hi",
        "setsid sleep {token} & echo hi",
        pytest.param("setsid env -i sleep {token} >/dev/null 2>&1 & echo hi", marks=linux),
        pytest.param("(env -i setsid sh -c 'sleep {token} & sleep {token} & wait' &) ; echo hi", marks=linux),
        "{daemon}; {wait}; echo hi",
        pytest.param("env -i {daemon} >/dev/null 2>&1; {wait}; echo hi", marks=linux),
        "sleep {token} & kill -STOP $!; echo hi",
    ],
)
def test_nothing_of_a_command_outlives_it(place: Surroundings, token: str, command: str) -> None:
    daemon = daemon_script(place.work_dir, token)
    began = time.monotonic()
    found = run(place, command.format(token=token, daemon=daemon, wait=WAIT_UP))
    assert found["stdout"].endswith("hi\n")
    assert found["exit_code"] == 0
    assert "ended" in found["note"]
    assert alive(token) == [], "a process of the command still runs"
    assert time.monotonic() - began < 30
    assert left() == [], "the command has left a process"


@linux
def test_a_process_that_hides_itself_is_ended_too(place: Surroundings, token: str) -> None:
    hide = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); [os.close(n) for n in (0, 1, 2)]"
    daemon = daemon_script(place.work_dir, token, hide)
    found = run(place, f"env -i {daemon}; {WAIT_UP}; echo hi")
    assert found["note"] == "1 background process was ended"
    assert alive(token) == [], "a process of the command still runs"


def test_a_background_process_that_ignores_term_is_killed(place: Surroundings, token: str) -> None:
    ignoring = daemon_script(place.work_dir, token, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    found = run(place, f"{ignoring}; {WAIT_UP}; echo hi")
    assert found["stdout"] == "hi\n"
    assert found["note"] == "1 background process was ended"
    assert alive(token) == [], "a process of the command still runs"
    assert 2000 <= found["duration_ms"] < 30_000


def test_a_command_is_ended_at_its_time_with_all_it_started(
    place: Surroundings, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_process, "TERM_S", 30)  # otherwise a stalled machine could make it a SIGKILL
    command = f"(sleep {token} & sleep {token}) & trap 'exit 7' TERM; echo begun; sleep {token}"
    found = run_from_then_on(monkeypatch, place, command, "begun\n", timeout_s=0.3)
    assert found["timed_out"]
    assert found["stdout"] == "begun\n"
    assert found["note"].startswith("stopped after 0.3 s")
    assert found["exit_code"] == 7
    assert alive(token) == [], "a process of the command still runs"
    monkeypatch.undo()
    monkeypatch.setattr(shell_process, "TERM_S", 30)
    assert run(place, "sleep 1000", timeout_s=0.1)["signal"] == "SIGTERM"


def test_a_shell_that_ignores_term_is_killed(place: Surroundings, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = f"trap '' TERM; echo deaf; sleep {token}; sleep {token}"
    found = run_from_then_on(monkeypatch, place, command, "deaf\n", timeout_s=0.1)
    assert (found["timed_out"], found["signal"], found["exit_code"]) == (True, "SIGKILL", None)
    assert alive(token) == [], "a process of the command still runs"


def test_cancelling_ends_the_whole_tree_before_it_is_through(place: Surroundings, token: str) -> None:
    daemon = daemon_script(place.work_dir, token)
    command = f"{daemon}; sleep {token} & {WAIT_UP}; echo up; sleep {token}"

    async def cancelled() -> None:
        context = Listener(place)
        task = asyncio.create_task(start("run_command", context, command=command))
        await until(lambda: context.streamed("stdout") == "up\n")
        assert alive(token)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert alive(token) == [], "a process of the command still runs"
        assert left() == [], "the command has left a process"

    asyncio.run(cancelled())


def test_cancelling_at_any_moment_leaves_nothing(place: Surroundings, token: str) -> None:
    async def cancelled(turns: int) -> None:
        task = asyncio.create_task(start("run_command", Listener(place), command=f"sleep {token} & sleep {token}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        if turns % 2:
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert alive(token) == [], "a process of the command still runs"
        assert left() == [], "the command has left a process"

    for turns in (0, 1, 2, 3, 4, 5, 8, 20, 60, 200):
        asyncio.run(cancelled(turns))


def test_when_nobody_can_be_told_the_command_is_ended(place: Surroundings, token: str) -> None:
    @dataclass
    class Deaf(Listener):
        async def progress(
            self,
            message: str | None = None,
            *,
            progress: float | None = None,
            stream: Literal["stdout", "stderr"] | None = None,
            delta: str | None = None,
        ) -> None:
            raise OSError("the journal is full")

    with pytest.raises(OSError, match="the journal is full"):
        asyncio.run(start("run_command", Deaf(place), command=f"echo x; sleep {token}"))
    assert alive(token) == [], "a process of the command still runs"


def test_the_mark_in_the_environment_is_enough(token: str) -> None:
    mine, other = f"{os.getpid()}:{token}", f"{os.getpid()}:{token}0"
    earlier = process_tree.process(os.getpid())
    assert earlier is not None
    brand = process_tree.Brand(mine, shell=process_tree.Process(2**22 + 1, 0, 0, 0, earlier.started))
    left, spared = (
        subprocess.Popen(["sleep", token], env={process_tree.MARKER: marker}, start_new_session=True)
        for marker in (mine, other)
    )
    try:
        # The environment of a new process can be read a moment after its start.
        asyncio.run(until(lambda: {left.pid, spared.pid} <= process_tree.live_tool_pids()))
        assert process_tree.end(brand) == (1, [])
        assert alive(token) == [spared.pid]
    finally:
        for process in (left, spared):
            process.kill()
            process.wait()


def test_one_that_a_look_missed_is_ended_all_the_same(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, remaining = list[int](), process_tree.remaining

    def missed_at_first(brand: process_tree.Brand) -> list[process_tree.Process]:
        looks.append(len(looks))
        return remaining(brand) if len(looks) > 1 else []

    own = process_tree.process(os.getpid())
    assert own is not None
    mark = f"{os.getpid()}:{token}"
    brand = process_tree.Brand(mark, shell=process_tree.Process(2**22 + 1, 0, 0, 0, own.started))
    left = subprocess.Popen(["sleep", token], env={process_tree.MARKER: mark}, start_new_session=True)
    try:
        asyncio.run(until(lambda: bool(remaining(brand))))
        monkeypatch.setattr(process_tree, "remaining", missed_at_first)
        assert process_tree.end(brand) == (1, [])
        assert alive(token) == [], "a process of the command still runs"
    finally:
        left.kill()
        left.wait()


def test_the_end_of_one_call_leaves_others_alone(place: Surroundings, token: str) -> None:
    async def two() -> None:
        long = Listener(place, call_id="call_long")
        task = asyncio.create_task(start("run_command", long, command=f"sleep {token} & echo up; wait"))
        await until(lambda: long.streamed("stdout") == "up\n")
        await start("run_command", Listener(place, call_id="call_short"), command="sleep 1000 & true")
        await until(lambda: len(alive(token)) == 2)  # during exec, a process has no command line for a moment
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(two())
    assert alive(token) == [], "a process of the command still runs"


def test_a_command_ends_when_every_shared_thread_is_busy(place: Surroundings, token: str) -> None:
    async def busy() -> Outcome:
        free = threading.Event()
        in_the_end = threading.Timer(40, free.set)
        in_the_end.start()
        waiting = [asyncio.create_task(asyncio.to_thread(free.wait)) for _ in range(40)]
        try:
            outcome = await start("run_command", Listener(place), command=f"sleep {token} & echo x")
            assert not free.is_set()
            return outcome
        finally:
            free.set()
            in_the_end.cancel()
            await asyncio.gather(*waiting)

    assert asyncio.run(busy()).value["stdout"] == "x\n"
    assert alive(token) == [], "a process of the command still runs"


def test_many_commands_leave_no_descriptor_and_no_process(place: Surroundings) -> None:
    async def many() -> None:
        calls = (start("run_command", Listener(place, call_id=f"c{n}"), command="echo x & echo y") for n in range(10))
        await asyncio.gather(*calls)

    asyncio.run(many())
    before = psutil.Process().num_fds()
    asyncio.run(many())
    assert psutil.Process().num_fds() <= before, "descriptors are still open"
    assert left() == [], "the command has left a process"


@linux
def test_the_portable_view_of_processes_agrees_with_proc() -> None:
    here = os.getpid()
    ours, elsewhere = process_tree._process_of_linux(here), process_tree._process_elsewhere(here)
    assert ours is not None
    assert elsewhere is not None
    assert (ours.parent, ours.group, ours.session) == (elsewhere.parent, elsewhere.group, elsewhere.session)
    assert process_tree._process_elsewhere(2**22 + 1) is None
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process_tree._process_of_linux(child.pid) is process_tree._process_elsewhere(child.pid) is None
