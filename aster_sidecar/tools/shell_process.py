"""One command's process until its end: its output is shown and kept, and all that it started is ended."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from aster_sidecar.services.launch import Program
from aster_sidecar.services.process_tree import KILL_S, READ_BYTES, TERM_S, editors_without_keys, to_the_end
from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools.base import CallContext
from aster_sidecar.tools.shell_output import Rendered

HEAD_BYTES = 16 * 1024
"""How much of the beginning of each stream is kept, as a terminal shows it."""
TAIL_BYTES = 48 * 1024
STREAMED_BYTES = 256 * 1024
"""How much output is shown while the command runs, both streams together."""
DELTA_CHARS = 4096
DELTA_S = 0.05
FLOOD_PAUSE_S = 0.005
"""Pause between reads of a flood that is no longer shown: some 13 MB/s then take a few percent of a core."""
RENDERED_BYTES = 16 * 1024
"""How much is rendered at a time: output that moves the cursor all over the screen takes longer."""
LOOK_S = 1.0
"""Interval of looking for editors that wait for keys."""
DRAIN_S = 1.0
DRAIN_LOOKS = 10
"""In how many steps `DRAIN_S` is waited: after the event loop was blocked, each step reads what has come meanwhile."""

Stream = Literal["stdout", "stderr"]


@dataclass(slots=True)
class _Teller:
    """Shows output while the command runs, up to a limit for both streams together."""

    ctx: CallContext
    left: int = STREAMED_BYTES
    total: int = 0
    counted_at: float = 0.0

    async def tell(self, stream: Stream, delta: str) -> None:
        self.left -= len(delta.encode())
        await self.ctx.progress(stream=stream, delta=delta)

    async def count(self) -> None:
        now = time.monotonic()
        if now - self.counted_at >= 1:
            self.counted_at = now
            await self.ctx.progress(f"{sized(self.total)} of output so far; no more of it is shown while it runs")


@dataclass(slots=True)
class _Output:
    """One stream: shown as it comes, and kept as a terminal shows it at the end."""

    stream: Stream
    rendered: Rendered = field(default_factory=lambda: Rendered(HEAD_BYTES, TAIL_BYTES))

    async def pump(self, reader: asyncio.StreamReader, teller: _Teller) -> None:
        """Read until every writer has closed the stream, and show it in pieces of `DELTA_S` or `DELTA_CHARS`."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        pending, told_at, chunk = "", -DELTA_S, b"-"
        while chunk:
            due_s = told_at + DELTA_S - time.monotonic()
            if pending and (due_s <= 0 or len(pending) >= DELTA_CHARS):
                await teller.tell(self.stream, pending)
                pending, told_at = "", time.monotonic()
            try:
                async with asyncio.timeout(max(due_s, 0) if pending else None):
                    chunk = await reader.read(READ_BYTES)
            except TimeoutError:
                continue
            for start in range(0, len(chunk), RENDERED_BYTES):
                self.rendered.feed(chunk[start : start + RENDERED_BYTES])
                await asyncio.sleep(0)
            teller.total += len(chunk)
            if teller.left > 0:
                pending += decoder.decode(chunk, final=not chunk)
            elif chunk:
                await teller.count()
                if len(chunk) >= READ_BYTES // 2:
                    await asyncio.sleep(FLOOD_PAUSE_S)
        if pending:
            await teller.tell(self.stream, pending)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int | None
    """The exit code, or minus the number of the signal that ended it."""
    timed_out: bool
    editors: list[str]
    """The names of editors that were ended because they waited for keys."""
    others: int
    """How many background processes were ended with it."""
    survivors: list[int]
    """The pids of processes that could not be ended."""
    stdout: str
    stderr: str
    truncated: bool


async def run_to_the_end(program: Program, ctx: CallContext, timeout_s: float) -> Ended:
    """Show a program's output until it exits or the time is over, and end all that it started.

    When this task is cancelled, the program is ended first.
    """
    teller, outputs = _Teller(ctx), (_Output("stdout"), _Output("stderr"))
    readers = (program.stdout, program.stderr)
    pumps = [asyncio.create_task(out.pump(reader, teller)) for out, reader in zip(outputs, readers, strict=True)]
    editors: list[str] = []
    try:
        timed_out = not await _exits(program, pumps, timeout_s, editors)
        others, survivors = await to_the_end(_ended(program))
        for pump in await _drained(pumps):
            pump.result()
    except BaseException:
        await to_the_end(_ended(program))
        raise
    finally:
        for pump in pumps:
            pump.cancel()
        program.close()
        await asyncio.gather(*pumps, return_exceptions=True)
    (stdout, cut_stdout), (stderr, cut_stderr) = (output.rendered.text() for output in outputs)
    truncated = cut_stdout or cut_stderr
    return Ended(program.returncode, timed_out, editors, others, survivors, stdout, stderr, truncated)


async def _exits(program: Program, pumps: Iterable[asyncio.Task[None]], within_s: float, editors: list[str]) -> bool:
    """Wait until the program has exited; False when the time is over. Raises: what showing its output raised.

    Editors that wait for keys meanwhile are ended; their names are added to `editors`.
    """
    until = time.monotonic() + within_s
    waiting: set[asyncio.Future[None]] = {program.exited, *pumps}
    while not program.exited.done():
        left = until - time.monotonic()
        if left <= 0:
            return False
        wait_s = min(left, LOOK_S)
        done, waiting = await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            future.result()
        if not done:
            for pid, name in editors_without_keys(program.pid).items():
                editors.append(name)
                with suppress(OSError):
                    os.kill(pid, signal.SIGTERM)
    return True


async def _ended(program: Program) -> tuple[int, list[int]]:
    return await program.end(TERM_S, KILL_S)


async def _drained(waiting: Iterable[asyncio.Future[None]]) -> set[asyncio.Future[None]]:
    """Wait a moment for these to be done; returns those that are."""
    futures = set(waiting)
    for _ in range(DRAIN_LOOKS):
        _, left = await asyncio.wait(futures, timeout=DRAIN_S / DRAIN_LOOKS)
        if not left:
            break
    return {future for future in futures if future.done()}
