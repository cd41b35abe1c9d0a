"""Kills a daemon at every point of a tool's change, or of undoing it, and checks what the next start makes of it.

`python -m tests.support.change_kill_points OPERATION HOME` prints a line for each point. Each story runs in a forked
process.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from aster_sidecar.contract import wire
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.errors import ChangeNotFound
from aster_sidecar.ledger.choosing import Choice
from aster_sidecar.store.kept_files import KeptFiles
from aster_sidecar.tools.files import replacing
from tests.flows.test_failing_commits import inside, say, settle
from tests.support.kill_points import MOST_POINTS, WRITING, Points, forked

State: TypeAlias = dict[str, tuple[int, bytes]]
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate")


class ChangePoints(Points):
    """The points of changes in the work folder, of commits, and of contents that are kept."""

    def __init__(self) -> None:
        super().__init__()
        keep, exchange = KeptFiles.keep_hashed, replacing.exchange

        def kept(files: KeptFiles, contents: Any) -> None:
            self.point("before a content is kept")
            keep(files, contents)
            self.point("after a content was kept")

        def exchanged(*names: Any) -> bool:
            self.point("before an exchange")
            done = exchange(*names)
            self.point("after an exchange")
            return done

        KeptFiles.keep_hashed = kept  # type: ignore[method-assign]
        replacing.exchange = exchanged

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active or not arguments:
            return
        name = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
        if os.path.isabs(name) and not name.startswith(self._place):
            return
        if event in CHANGES or (event == "open" and name and int(arguments[2] or 0) & WRITING):
            self.point(f"{event} {Path(name).name[:12]}")


def state(home: Path) -> State:
    """The files in the work folder, but those that a killed write has left."""
    found: State = {}
    for path in sorted((home / "work").rglob("*")):
        mode = path.lstat().st_mode
        if path.name.startswith(".aster-"):
            continue
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(home / "work"))] = (mode if not stat.S_ISLNK(mode) else 0, content)
    return found


def prepare(home: Path) -> None:
    work = home / "work"
    (work / "src").mkdir(parents=True)
    (work / "a.txt").write_text("before\n")
    (work / "src" / "b.sh").write_text("#!/bin/sh\n")
    (work / "src" / "b.sh").chmod(0o750)
    (work / "twice.txt").write_text("two names\n")
    os.link(work / "twice.txt", work / "second.txt")
    (work / "link").symlink_to("a.txt")


TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "write": ("write_file", {"path": "a.txt", "content": "after\n"}),
    "create": ("write_file", {"path": "made/by/it.txt", "content": "new\n"}),
    "in_place": ("write_file", {"path": "twice.txt", "content": "after\n"}),
    "delete": ("delete_file", {"path": "src/b.sh"}),
    "move": ("move_file", {"source": "src/b.sh", "destination": "bin/b.sh"}),
    "overwrite": ("move_file", {"source": "a.txt", "destination": "src/b.sh", "overwrite": True}),
}
UNDOING = ("revert", "redo", "rewind", "unrewind")
COMMAND = "echo after > a.txt; rm link; echo file > link; rm -r src; mkdir -p made; echo new > made/c; echo file > src"


async def use(daemon: Daemon, tool: str, arguments: dict[str, Any]) -> str:
    """Let the agent call a tool; returns the turn."""
    turn_id = (await say(daemon, f"call {tool} {json.dumps(arguments)}")).turn_id
    await settle(daemon)
    return turn_id


async def rewind(daemon: Daemon) -> None:
    """Take the only turn out of the conversation, with what it changed."""
    session_id, message_id = daemon._journal.all("SELECT session_id, user_message_id FROM turns")[0]
    request = wire.RewindRequest(message_id=message_id, files="restore", commands=True)
    await daemon.calls.conversations.rewind(session_id, request)


async def unrewind(daemon: Daemon) -> None:
    [session_id] = daemon._sessions._known
    await daemon.calls.conversations.unrewind(session_id, wire.UnrewindRequest())


async def story(points: Points, home: Path, operation: str, kill_at: int) -> int:
    async with inside(home) as daemon:
        daemon.config.change(wire.ConfigPatch(permission_mode="auto_approve"))
        revert: Callable[[], Awaitable[Any]] | None = None
        if operation in UNDOING:
            turn_id = await use(daemon, "run_command", {"command": COMMAND})
            choice = Choice(turn_ids=(turn_id,), commands=True)
            (home / "changed").write_text(repr(state(home)))
            if operation == "redo":
                done = await daemon._ledger.reverts.revert(choice)
                choice = Choice(revert_id=done.revert_id)
            if operation == "unrewind":
                await rewind(daemon)
            revert = partial(daemon._ledger.reverts.revert, choice)
            revert = {"rewind": partial(rewind, daemon), "unrewind": partial(unrewind, daemon)}.get(operation, revert)
        points.begin(kill_at, home / "work")
        if revert is not None:
            await revert()
        else:
            await use(daemon, *TOOLS[operation])
        return points.end()


async def afterwards(home: Path, operation: str, before: State) -> None:
    """Start again: what changed is recorded and can be undone; a revert was made as a whole or not at all."""
    async with inside(home) as daemon:
        await settle(daemon)
        rows = daemon._journal.all
        assert rows("SELECT * FROM changes WHERE state<>'done'") == []
        reverts = daemon._ledger.reverts
        turns = tuple(row[0] for row in rows("SELECT turn_id FROM turns"))
        now = state(home)
        if operation in UNDOING:
            changed = eval((home / "changed").read_text())
            [(made,)] = rows("SELECT count(DISTINCT revert_id) FROM changes WHERE source='revert'")
            assert now == (before if made == 1 else changed), (made, now)
        if operation in ("rewind", "unrewind"):
            [session_id] = daemon._sessions._known
            page = await daemon.calls.conversations.history("default", session_id, None, 100)
            assert bool(page.messages) == (now != before), "the conversation and the files belong together"
        elif now != before:
            assert rows("SELECT * FROM changes"), "nothing of the change is recorded"
        try:
            done = await reverts.revert(Choice(turn_ids=turns, commands=True))
        except ChangeNotFound:
            assert state(home) == before
        else:
            assert (state(home), done.left) == (before, [])
        assert rows("PRAGMA foreign_key_check") == []


def told(points: Points, home: Path, operation: str, kill_at: int) -> int:
    """Tell a story. Returns the number of points, if it was not killed."""
    return asyncio.run(story(points, home, operation, kill_at))


def after(home: Path, operation: str, before: State) -> int:
    asyncio.run(afterwards(home, operation, before))
    return 0


def main() -> None:
    operation, home = sys.argv[1], Path(sys.argv[2])
    points = ChangePoints()
    for kill_at in range(1, MOST_POINTS):
        place = home / str(kill_at)
        place.mkdir()
        prepare(place)
        before = state(place)
        ended = forked(partial(told, points, place, operation, kill_at))
        forked(partial(after, place, operation, before))
        if ended is not None:
            print(f"{ended} points", flush=True)
            return
    raise AssertionError("too many points")


if __name__ == "__main__":
    main()
