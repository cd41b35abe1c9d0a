"""Kills a daemon at every point of an operation, and checks what the next start finds.

`python -m tests.support.kill_points OPERATION HOME` prints a line for each point. Each story runs in a forked process.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aster_sidecar.conversation.engine  # noqa: F401 # pyright: ignore[reportUnusedImport] # once, before the forks
from aster_sidecar.contract import wire
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.store.journal import Journal
from tests.flows.test_failing_commits import inside, say, session, settle

CONTENT = b"the content of a file " * 5000
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MOST_POINTS = 200
WORDS = ["one", "two", "three"]


class Points:
    """Counts the points at which something on the disk changes, and kills this process at one of them."""

    def __init__(self) -> None:
        self.kill_at = 0
        self._count = 0
        self._active = False
        self._place = ""
        sys.addaudithook(self._audit)
        write = Journal._write

        def counted(journal: Journal, *arguments: Any, **named: Any) -> Any:
            self.point("before a commit")
            done = write(journal, *arguments, **named)
            self.point("after a commit")
            return done

        Journal._write = counted  # type: ignore[method-assign]

    def begin(self, kill_at: int, place: Path) -> None:
        self.kill_at, self._place, self._active = kill_at, str(place), True

    def end(self) -> int:
        self._active = False
        return self._count

    def point(self, name: str) -> None:
        if not self._active:
            return
        self._count += 1
        if self._count == self.kill_at:
            print(f"killed at {self._count}: {name}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active or not arguments or not str(arguments[0]).startswith(self._place):
            return
        if event in ("os.rename", "os.remove", "os.mkdir") or (event == "open" and int(arguments[2] or 0) & WRITING):
            self.point(f"{event} {Path(str(arguments[0])).name[:12]}")


async def pieces() -> AsyncIterator[bytes]:
    for start in range(0, len(CONTENT), 50_000):
        yield CONTENT[start : start + 50_000]


# -- the operations: what is there before, and what is done ------------------------------------------------------------


async def no_scene(daemon: Daemon) -> None:
    pass


async def upload(daemon: Daemon) -> None:
    await daemon.calls.attachments.upload("a.txt", pieces())


async def send(daemon: Daemon) -> None:
    await say(daemon, "look", attachments=[wire.AttachmentRef(path="a.txt")])


async def conversation(daemon: Daemon) -> None:
    found = await session(daemon, "with a file")
    info = await daemon.calls.attachments.upload("a.txt", pieces())
    await say(daemon, "look", found, attachments=[wire.AttachmentRef(attachment_id=info.attachment_id)])


async def purge(daemon: Daemon) -> None:
    [session_id] = daemon._sessions._known
    await daemon.calls.conversations.delete_session(session_id, True)


async def three_turns(daemon: Daemon) -> None:
    found = await session(daemon, "three turns")
    for word in WORDS:
        await say(daemon, word, found)
        await settle(daemon)


async def began(daemon: Daemon, place: int) -> tuple[str, str]:
    """The session, and the message that began its turn number `place`."""
    [session_id] = daemon._sessions._known
    page = await daemon.calls.conversations.history("default", session_id, None, 100)
    return session_id, [message.message_id for message in page.messages if message.role == "user"][place]


async def rewind(daemon: Daemon) -> None:
    session_id, message_id = await began(daemon, 1)
    await daemon.calls.conversations.rewind(session_id, wire.RewindRequest(message_id=message_id))


async def rewound(daemon: Daemon) -> None:
    await three_turns(daemon)
    await rewind(daemon)


async def unrewind(daemon: Daemon) -> None:
    [session_id] = daemon._sessions._known
    await daemon.calls.conversations.unrewind(session_id, wire.UnrewindRequest())


async def edit(daemon: Daemon) -> None:
    await rewind(daemon)
    [session_id] = daemon._sessions._known
    await say(daemon, "edited", session_id)
    await settle(daemon)


async def fork(daemon: Daemon) -> None:
    session_id, message_id = await began(daemon, 1)
    await daemon.calls.conversations.fork(session_id, wire.ForkRequest(message_id=message_id))


Step = Callable[[Daemon], Awaitable[None]]
OPERATIONS: dict[str, tuple[Step, Step]] = {
    "upload": (no_scene, upload),
    "send": (no_scene, send),
    "delete": (conversation, purge),
    "rewind": (three_turns, rewind),
    "unrewind": (rewound, unrewind),
    "edit": (three_turns, edit),
    "fork": (three_turns, fork),
}
STATES = {
    "rewind": [[WORDS], [WORDS[:1]]],
    "unrewind": [[WORDS[:1]], [WORDS]],
    "edit": [[WORDS], [WORDS[:1]], [[*WORDS[:1], "edited"]]],
    "fork": [[WORDS], [WORDS, WORDS[:2]]],
}
"""What people said in each session, as a kill may leave it."""


async def story(points: Points, home: Path, operation: str, kill_at: int) -> int:
    scene, act = OPERATIONS[operation]
    async with inside(home) as daemon:
        (home / "work" / "a.txt").write_bytes(CONTENT)
        await scene(daemon)
        await settle(daemon)
        points.begin(kill_at, home / "data")
        await act(daemon)
        if operation == "delete":  # the files are removed after the answer
            await settle(daemon)
            await asyncio.sleep(0.02)
            await settle(daemon)
        return points.end()


async def conversations_agree(home: Path, operation: str) -> None:
    """Start again: what people see, what the model has and the numbers agree, and are those before or after."""
    async with inside(home) as daemon:
        await settle(daemon)
        engine = daemon._engine._engine
        assert engine is not None
        assert daemon._journal.all("PRAGMA foreign_key_check") == []
        said: list[list[str]] = []
        for session_id in daemon._sessions._known:
            page = await daemon.calls.conversations.history("default", session_id, None, 100)
            asked = [message.text for message in page.messages if message.role == "user"]
            told = [
                part.content
                for message in engine._memory.of(session_id)
                for part in message.parts
                if part.part_kind == "user-prompt"
            ]
            assert told == asked, (told, asked)
            info = await daemon.calls.conversations.get_session(session_id)
            assert info.messages == len(page.messages)
            said.append(asked)
        assert sorted(said) in [sorted(state) for state in STATES[operation]], said


async def afterwards(home: Path) -> None:
    """Start again: each attachment has its content, each content its attachment, each message its files."""
    async with inside(home) as daemon:
        await settle(daemon)
        daemon._attachments.check_soon()
        await asyncio.sleep(0.02)
        await settle(daemon)
        folder = home / "data" / "attachments"
        stored = {path.name for path in folder.rglob("*") if path.is_file()}
        rows = daemon._journal.all
        needed = {row[0] for row in rows("SELECT sha256 FROM attachments")}
        uses = rows("SELECT count(*) FROM attachment_uses")[0][0]
        parts = [row[0] for row in rows("SELECT parts FROM messages WHERE role='user'")]
        assert rows("PRAGMA foreign_key_check") == []
        assert stored == needed, (stored, needed)
        for name in stored:
            assert hashlib.sha256((folder / name[:2] / name).read_bytes()).hexdigest() == name
        assert uses == sum("attachment_id" in text for text in parts), (uses, parts)


def forked(work: Callable[[], int]) -> int | None:
    """What a forked process returns; None: it was killed. Raises: AssertionError when it fails."""
    child = os.fork()
    if child == 0:
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
            code = 255
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return None
    code = os.WEXITSTATUS(status)
    assert code != 255, "a story failed"
    return code


def told(points: Points, home: Path, operation: str, kill_at: int) -> int:
    """Tell a story. Returns the number of points, if it was not killed."""
    return asyncio.run(story(points, home, operation, kill_at))


def after(home: Path, operation: str) -> int:
    asyncio.run(conversations_agree(home, operation) if operation in STATES else afterwards(home))
    return 0


def main() -> None:
    operation, home = sys.argv[1], Path(sys.argv[2])
    points = Points()

    for kill_at in range(1, MOST_POINTS):
        place = home / str(kill_at)
        place.mkdir()
        ended = forked(partial(told, points, place, operation, kill_at))
        forked(partial(after, place, operation))
        if ended is not None:
            print(f"{ended} points", flush=True)
            return
    raise AssertionError("too many points")


if __name__ == "__main__":
    main()
