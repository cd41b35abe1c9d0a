"""The output of a command: what the model receives, and what clients receive while it runs."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import pairwise
from typing import Any

import psutil
import pytest

from aster_sidecar.tools import shell_process
from aster_sidecar.tools.base import Outcome, Surroundings, ToolError
from tests.tools.run_command.support import PYTHON, run
from tests.tools.support import Listener, call, start, until


def test_what_comes_back(place: Surroundings) -> None:
    began = time.monotonic()
    found = run(place, "echo out; echo err >&2; exit 3")
    duration_ms = found.pop("duration_ms")
    assert 0 <= duration_ms <= (time.monotonic() - began) * 1000 + 1
    assert found == {
        "exit_code": 3,
        "signal": None,
        "stdout": "out\n",
        "stderr": "err\n",
        "timed_out": False,
        "note": "",
    }
    killed = run(place, "kill -9 $$")
    assert (killed["exit_code"], killed["signal"]) == (None, "SIGKILL")
    assert run(place, "syntax error (")["exit_code"] == 2
    missing = run(place, "missing-program-x")
    assert missing["exit_code"] == 127
    assert "not found on PATH" in missing["note"]
    assert run(place, 'echo "a b"   \'$x\' \\" ; pwd')["stdout"] == f'a b $x "\n{place.work_dir}\n'


def test_a_command_longer_than_the_system_takes_is_refused(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="could not be started"):
        run(place, "echo " + "é" * 90_000)


def test_characters_split_across_reads_are_whole(place: Surroundings) -> None:
    context = Listener(place)
    code = (
        "import os; os.write(1, b'x'); [os.write(1, '€'.encode() * 3000) for _ in range(6)]; os.write(1, b'\\xe2\\x82')"
    )
    outcome = asyncio.run(start("run_command", context, command=f'{PYTHON} -c "{code}"'))
    whole = "x" + "€" * 18_000 + "\ufffd"
    assert outcome.value["stdout"] == whole
    assert not outcome.truncated
    assert context.streamed("stdout") == whole


def test_a_character_that_comes_in_two_pieces_is_shown_whole(place: Surroundings) -> None:
    os.mkfifo(place.work_dir / "fifo")
    context = Listener(place)

    async def watch() -> Outcome:
        command = "printf 'a\\342\\202'; cat fifo; printf '\\254z'"
        task = asyncio.create_task(start("run_command", context, command=command))
        await until(lambda: context.streamed("stdout") == "a")
        (place.work_dir / "fifo").write_bytes(b"")
        return await task

    assert asyncio.run(watch()).value["stdout"] == context.streamed("stdout") == "a€z"


def test_long_output_keeps_its_beginning_and_end(place: Surroundings) -> None:
    outcome = call("run_command", place, command="echo begin; yes é | head -c 900001; echo; echo end; seq 100000 >&2")
    stdout = outcome.value["stdout"]
    assert outcome.truncated
    assert stdout.startswith("begin\né\n")
    assert stdout.endswith("end\n")
    assert "\ufffd" not in stdout.replace("\ufffd\nend\n", "")
    kept = len(stdout.encode()) - len(stdout.split("[... ")[1].split("...]")[0]) - 10
    assert abs(kept - 64 * 1024) < 16
    left_out = int(stdout.split("[... ")[1].split(" ")[0])
    assert left_out == 6 + 900001 + 5 - 64 * 1024
    assert outcome.value["stderr"].endswith("99999\n100000\n")


def test_a_model_gets_what_the_terminal_shows_at_the_end(place: Surroundings) -> None:
    context = Listener(place)
    command = (
        "i=0; while [ $i -lt 2000 ]; do printf '\\rDownloading %d/2000' $i; i=$((i+1)); done; printf '\\ndone\\n';"
        " printf '\\033[31mred\\033[0m\\r\\n' >&2"
    )
    outcome = asyncio.run(start("run_command", context, command=command))
    assert outcome.value["stdout"] == "Downloading 1999/2000\ndone\n"
    assert outcome.value["stderr"] == "red\r\n"
    assert not outcome.truncated
    # Clients receive every byte.
    assert context.streamed("stdout") == "".join(f"\rDownloading {n}/2000" for n in range(2000)) + "\ndone\n"
    assert context.streamed("stderr") == "\x1b[31mred\x1b[0m\r\n"


def test_progress_does_not_push_out_what_was_said(place: Surroundings) -> None:
    frame = f"[f'\\r{{n}} {'=' * 100}' for n in range(10_000)]"
    code = f"print('begin' * 2000); print(*{frame}, sep='', end=''); print(); print('end' * 2000)"
    outcome = call("run_command", place, command=f'{PYTHON} -c "{code}"')
    assert outcome.value["stdout"] == f"{'begin' * 2000}\n9999 {'=' * 100}\n{'end' * 2000}\n"
    assert not outcome.truncated


def test_binary_output_is_said_and_a_nul_is_visible(place: Surroundings) -> None:
    found = run(place, f"printf 'a\\0b\\n' >&2; head -c 5000 {PYTHON}")
    assert found["stdout"] == "[binary output, 5000 bytes]\n"
    assert found["stderr"] == "a␀b\n"


def test_output_is_shown_while_it_runs(place: Surroundings) -> None:
    os.mkfifo(place.work_dir / "fifo")
    context = Listener(place)

    async def watch() -> Outcome:
        task = asyncio.create_task(start("run_command", context, command="echo first; cat fifo; echo last >&2"))
        await until(lambda: context.streamed("stdout") == "first\n")
        (place.work_dir / "fifo").write_text("second\n")
        return await task

    assert asyncio.run(watch()).value["stdout"] == "first\nsecond\n"
    assert context.streamed("stdout") == "first\nsecond\n"
    assert context.streamed("stderr") == "last\n"


def test_small_output_comes_in_few_pieces(place: Surroundings) -> None:
    context = Listener(place)
    outcome = asyncio.run(
        start("run_command", context, command="i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done")
    )
    assert context.streamed("stdout") == outcome.value["stdout"] == "".join(f"{n}\n" for n in range(3000))
    assert len(context.told) < 3 + len(outcome.value["stdout"]) / 4096 + outcome.value["duration_ms"] / 40


def counts(context: Listener) -> int:
    """How many progress messages give the size of the output so far."""
    return sum("of output so far" in (one.message or "") for one in context.told)


def test_a_flood_costs_neither_memory_nor_the_loop(place: Surroundings) -> None:
    os.mkfifo(place.work_dir / "fifo")
    context = Listener(place)

    async def flood() -> tuple[Outcome, float]:
        # CPU time of the event loop's thread, so that other load on the machine does not count.
        ticks: list[float] = []

        async def tick() -> None:
            while True:
                ticks.append(time.thread_time())
                await asyncio.sleep(0.002)

        ticking = asyncio.create_task(tick())
        task = asyncio.create_task(start("run_command", context, command="yes | tee /dev/stderr & cat fifo"))
        await until(lambda: counts(context) >= 2)  # they come a second apart, and no output is shown in between
        (place.work_dir / "fifo").write_bytes(b"")
        outcome = await task
        ticking.cancel()
        return outcome, max(after - before for before, after in pairwise(ticks))

    run(place, "true")
    before = psutil.Process().memory_info().rss
    outcome, longest_s = asyncio.run(flood())
    assert psutil.Process().memory_info().rss - before < 16 * 1024 * 1024, "the output is kept in memory"
    assert longest_s < 0.2, "one step of the event loop took too long"
    assert outcome.truncated
    assert "ended" in outcome.value["note"]
    streamed = len(context.streamed("stdout")) + len(context.streamed("stderr"))
    assert streamed < 256 * 1024 + 4 * 65536
    assert counts(context) < 2 + outcome.value["duration_ms"] / 1000


def test_a_flood_is_ended_at_its_time(place: Surroundings) -> None:
    found = run(place, "yes | tee /dev/stderr", timeout_s=0.5)
    assert found["timed_out"]
    assert found["note"].startswith("stopped after 0.5 s")
    assert 500 <= found["duration_ms"] < 30_000


def test_output_is_whole_though_the_loop_stood_still(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = shell_process._ended

    async def then_nothing(*arguments: Any) -> Any:
        found = await ended(*arguments)
        asyncio.get_running_loop().call_later(0.05, time.sleep, shell_process.DRAIN_S + 0.2)
        return found

    monkeypatch.setattr(shell_process, "_ended", then_nothing)
    monkeypatch.setattr(shell_process, "FLOOD_PAUSE_S", 0.2)  # so that some output is unread when the command ends
    outcome = call("run_command", place, command="yes | head -c 600000")
    stdout = outcome.value["stdout"]
    assert int(stdout.split("[... ")[1].split(" ")[0]) == 600_000 - 64 * 1024
