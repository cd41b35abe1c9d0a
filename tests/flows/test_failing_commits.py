"""Whichever commit fails, memory matches the store: each operation, each of its commits, while other work runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.config.places import places
from aster_sidecar.config.settings import Settings
from aster_sidecar.contract import wire
from aster_sidecar.conversation import turns
from aster_sidecar.conversation.model_history import ModelHistory
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.daemon.wiring import build
from aster_sidecar.errors import AsterError, StoreError
from aster_sidecar.store.batch import Batch
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.trash import TRASHED
from aster_sidecar.store.rows.turns import select_last
from tests.flows.chaos.checks import wrong_decisions

Json: TypeAlias = Any
WAIT_S = 30.0
ASKS = "run `env echo asked`"
RUNS = "list the files"
FAILS = "fail"


class Failing:
    """Makes the transaction number `at`, counted from `begin`, fail; `count` is how many there were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.at = 0, 0
        write = Journal._write

        def fail(journal: Journal, batch: Batch, on_loop: bool = False) -> StoreError | None:
            self.count += 1
            if self.count == self.at:
                return StoreError("the store cannot be written: a test's doing")
            return write(journal, batch, on_loop)

        monkeypatch.setattr(Journal, "_write", fail)
        monkeypatch.setattr(turns, "STORE_RETRY_S", 0.005)

    def begin(self, at: int) -> None:
        """Count from now on, and let transaction `at` fail; 0: none."""
        self.count, self.at = 0, at


OTHER = AgentSpec("other", "Other", "", "")
"""An agent of the app's code."""


@contextlib.asynccontextmanager
async def inside(home: Path) -> AsyncGenerator[Daemon]:
    """A daemon in this process."""
    (home / "work").mkdir(parents=True, exist_ok=True)
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "ASTER_MODEL": "demo:instant",
        "ASTER_WORK_DIR": str(home / "work"),
    }
    settings = Settings("web", 0, places(environment, data_dir=home / "data"), environment=environment)
    daemon = build(settings, AppCode(agents=(OTHER,)), 0, lambda: None)
    await daemon.open()
    await daemon._engine.load()
    try:
        yield daemon
    finally:
        await daemon.close()


# -- what memory has, and what the store has ---------------------------------------------------------------------------


def remembered(daemon: Daemon) -> Json:
    """The state in memory."""
    sessions, queues = daemon._sessions, daemon._queues
    engine = daemon._engine._engine
    assert engine is not None
    return {
        "sessions": dict(sessions._known),
        "defaults": dict(sessions._defaults),
        "choices": dict(daemon._choices._choices),
        "trash": set(sessions._trash._ends),
        "rules": {rule.rule_id for rule in daemon._rules.list()},
        "approvals": {approval.call_id for approval in daemon._waits.approvals.list()},
        "questions": {question.question_id for question in daemon._waits.questions.list()},
        "host_calls": daemon._waits.hosts.open_ids(),
        "unread": set(daemon._notifications._unread),
        "turns": {turn.turn_id: turn.state for turn in daemon._turns._turns.values()},
        "states": {queue.session_id: queue.published for queue in queues.all() if queue.session_id in sessions._known},
        "failed": {queue.session_id for queue in queues.all() if queue.failed and queue.session_id in sessions._known},
        "history": {session_id: dumped(kept) for session_id, kept in engine._memory._kept.items()},
        "onboarding": daemon._onboarding._kept.__dict__,
        "files": {path.name for path in daemon._attachments._contents._directory.rglob("*") if path.is_file()},
    }


def recorded(daemon: Daemon) -> Json:
    """The state in the store."""
    journal = daemon._journal
    engine = daemon._engine._engine
    assert engine is not None

    def column(sql: str) -> set[Any]:
        return {row[0] for row in journal.all(sql)}

    def told(session_id: str) -> str:
        row = journal.one(
            "SELECT data FROM events WHERE session_id=? AND type='status_change' ORDER BY seq DESC LIMIT 1",
            (session_id,),
        )
        return json.loads(row[0])["state"] if row else "idle"

    shown = f"session_id NOT IN ({TRASHED})"
    known = journal.all(f"SELECT session_id, agent_id, is_default FROM sessions WHERE {shown}")
    chosen = journal.all("SELECT session_id, work_dir, model, effort, permission_mode, mcp_off FROM sessions")
    kept = journal.recall("onboarding")
    return {
        "sessions": {row[0]: row[1] for row in known},
        "defaults": {row[1]: row[0] for row in known if row[2]},
        "choices": {row[0]: (*row[1:5], tuple(json.loads(row[5] or "[]"))) for row in chosen if set(row[1:]) != {None}},
        "trash": column("SELECT session_id FROM trash"),
        "rules": column(f"SELECT rule_id FROM rules WHERE session_id IS NULL OR {shown}"),
        "approvals": column(f"SELECT call_id FROM approvals WHERE state='pending' AND {shown}"),
        "questions": column(f"SELECT question_id FROM questions WHERE state='pending' AND {shown}"),
        "host_calls": column(f"SELECT call_id FROM host_calls WHERE state IN ('waiting', 'accepted') AND {shown}"),
        "unread": column(f"SELECT notification_id FROM notifications WHERE read=0 AND (session_id IS NULL OR {shown})"),
        "turns": dict(journal.all(f"SELECT turn_id, state FROM turns WHERE state<>'ended' AND {shown}")),
        "states": {
            queue.session_id: told(queue.session_id)
            for queue in daemon._queues.all()
            if queue.session_id in {row[0] for row in known}
        },
        "failed": {
            row.session_id
            for row in journal.rows(select_last(None))
            if row.stop_reason == "failed" and row.session_id in {queue.session_id for queue in daemon._queues.all()}
        },
        "history": {session_id: dumped(ModelHistory(journal).of(session_id)) for session_id in engine._memory._kept},
        "files": column("SELECT sha256 FROM attachments"),
        "onboarding": json.loads(kept) if kept else type(daemon._onboarding._kept)().__dict__,
    }


def dumped(messages: Any) -> list[Json]:
    """The content of messages. Other fields are not stored."""
    names = ("part_kind", "content", "tool_name", "args", "tool_call_id")
    told = [[{name: getattr(part, name, None) for name in names} for part in one.parts] for one in messages]
    return json.loads(json.dumps(told, default=str))


async def settle(daemon: Daemon) -> None:
    """Wait until all work is done: every turn waits for a person or has ended, and everything is written."""
    async with asyncio.timeout(WAIT_S):
        while True:
            await asyncio.sleep(0.002)
            journal = daemon._journal
            idle = journal._under_way is None and not (journal._batch.events or journal._batch.writes)
            tasks = [turn.task for turn in daemon._turns._turns.values() if turn.task is not None]
            queued = [queue for queue in daemon._queues.all() if queue.active is None and queue.queued]
            deletes = daemon._attachments._work is not None
            if idle and not queued and not deletes and all(task.done() for task in tasks):
                return


# -- the operations ----------------------------------------------------------------------------------------------------


async def session(daemon: Daemon, title: str) -> str:
    return (
        await daemon.calls.conversations.create_session(wire.SessionCreate(agent_id="default", title=title))
    ).session_id


async def say(daemon: Daemon, message: str, session_id: str | None = None, **more: Any) -> wire.ChatStarted:
    request = wire.ChatRequest(agent_id="default", message=message, session_id=session_id, **more)
    return await daemon.calls.conversations.chat(request)


async def asked(daemon: Daemon, session_id: str) -> str:
    """The id of the pending call in a session."""
    async with asyncio.timeout(WAIT_S):
        while not (found := daemon._waits.approvals.list(session_id=session_id)):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    return found[0].call_id


async def content(content: bytes = b"content") -> AsyncIterator[bytes]:
    """A file that is uploaded."""
    yield content


class Scene:
    """The sessions, rules and approvals that exist before the operation."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.calls = daemon.calls

    async def set(self) -> None:
        self.quiet = await session(self.daemon, "quiet")
        info = await self.calls.attachments.upload("a.txt", content())
        self.file = wire.AttachmentRef(attachment_id=info.attachment_id)
        await say(self.daemon, "hello", self.quiet, attachments=[self.file])
        self.trashed = await session(self.daemon, "trashed")
        await say(self.daemon, "hello", self.trashed)
        await settle(self.daemon)
        await self.calls.conversations.delete_session(self.trashed, False)
        self.waits = await session(self.daemon, "waits")
        await say(self.daemon, ASKS, self.waits)
        self.call_id = await asked(self.daemon, self.waits)
        rule = wire.RuleCreate(decision="deny", tool="write_file", kind="any", value="")
        self.rule_id = (await self.calls.policy.add_rule(rule, "test")).rule_id
        self.failed = await session(self.daemon, "failed")
        await say(self.daemon, "hello", self.failed)
        self.failure = (await say(self.daemon, FAILS, self.failed)).message_id
        self.rewound = await session(self.daemon, "rewound")
        await say(self.daemon, "hello", self.rewound)
        gone = await say(self.daemon, FAILS, self.rewound)
        await settle(self.daemon)
        await self.calls.conversations.rewind(self.rewound, wire.RewindRequest(message_id=gone.message_id))
        self.other = await session(self.daemon, "other")
        await settle(self.daemon)

    async def answer(self, decision: Any) -> None:
        body = wire.ApproveRequest(agent_id="default", call_id=self.call_id, decision=decision)
        await self.calls.policy.approve(body, "test")


Operation: TypeAlias = Callable[[Scene], Awaitable[Any]]


async def steer(scene: Scene) -> None:
    await say(scene.daemon, "wait", scene.quiet)
    await say(scene.daemon, "and this", scene.quiet, if_busy="steer")


async def steer_with_file(scene: Scene) -> None:
    await say(scene.daemon, "wait", scene.quiet)
    await say(scene.daemon, "and this", scene.quiet, if_busy="steer", attachments=[scene.file])


async def interrupt(scene: Scene) -> None:
    await say(scene.daemon, "one", scene.quiet)
    await say(scene.daemon, "two", scene.quiet, if_busy="interrupt")


async def ask_and_cancel(scene: Scene) -> None:
    await say(scene.daemon, ASKS, scene.quiet)
    await asyncio.sleep(0.02)
    await scene.calls.conversations.cancel(wire.CancelRequest(agent_id="default", session_id=scene.quiet))


async def edit(scene: Scene) -> None:
    await scene.calls.conversations.rewind(scene.failed, wire.RewindRequest(message_id=scene.failure))
    await say(scene.daemon, "another text", scene.failed)


OPERATIONS: dict[str, Operation] = {
    "rewind": lambda scene: scene.calls.conversations.rewind(
        scene.failed, wire.RewindRequest(message_id=scene.failure)
    ),
    "undo a rewind": lambda scene: scene.calls.conversations.unrewind(scene.rewound, wire.UnrewindRequest()),
    "fork": lambda scene: scene.calls.conversations.fork(scene.failed, wire.ForkRequest()),
    "edit": edit,
    "a message after a rewind": lambda scene: say(scene.daemon, "hello again", scene.rewound),
    "create": lambda scene: session(scene.daemon, "new"),
    "first message": lambda scene: say(scene.daemon, "hello"),
    "message": lambda scene: say(scene.daemon, "hello again", scene.quiet),
    "a question": lambda scene: say(scene.daemon, ASKS, scene.quiet),
    "queued": lambda scene: say(scene.daemon, "later", scene.waits),
    "steer": steer,
    "interrupt": interrupt,
    "question cancelled": ask_and_cancel,
    "rename": lambda scene: scene.calls.conversations.patch_session(scene.quiet, wire.SessionPatch(title="Named")),
    "create with settings": lambda scene: scene.calls.conversations.create_session(
        wire.SessionCreate(work_dir="/", model="demo", effort="low", permission_mode="always_ask")
    ),
    "settings": lambda scene: scene.calls.conversations.patch_session(
        scene.quiet,
        wire.SessionPatch(work_dir="/", model="demo:instant", permission_mode="auto_approve", mcp_off=["notes"]),
    ),
    "a stricter mode": lambda scene: scene.calls.conversations.patch_session(
        scene.waits, wire.SessionPatch(permission_mode="always_ask")
    ),
    "another agent": lambda scene: scene.calls.conversations.patch_session(
        scene.quiet, wire.SessionPatch(agent_id="other")
    ),
    "a model for one turn": lambda scene: say(scene.daemon, "hello again", scene.quiet, model="demo:instant"),
    "upload": lambda scene: scene.calls.attachments.upload("b.txt", content(b"other")),
    "a file": lambda scene: say(scene.daemon, "look", scene.other, attachments=[scene.file]),
    "a file by its path": lambda scene: say(
        scene.daemon, "look", scene.quiet, attachments=[wire.AttachmentRef(path="c.txt")]
    ),
    "steer with a file": steer_with_file,
    "archive": lambda scene: scene.calls.conversations.patch_session(scene.quiet, wire.SessionPatch(archived=True)),
    "clear": lambda scene: scene.calls.conversations.clear_history("default", scene.quiet),
    "delete": lambda scene: scene.calls.conversations.delete_session(scene.quiet, False),
    "purge": lambda scene: scene.calls.conversations.delete_session(scene.quiet, True),
    "purge from the trash": lambda scene: scene.calls.conversations.delete_session(scene.trashed, True),
    "restore": lambda scene: scene.calls.conversations.restore_session(scene.trashed),
    "allow": lambda scene: scene.answer("allow"),
    "deny": lambda scene: scene.answer("deny"),
    "allow always": lambda scene: scene.answer("allow_always"),
    "deny always": lambda scene: scene.answer("deny_always"),
    "a call that runs": lambda scene: say(scene.daemon, RUNS, scene.quiet),
    "cancel": lambda scene: scene.calls.conversations.cancel(wire.CancelRequest(agent_id="default")),
    "add a rule": lambda scene: scene.calls.policy.add_rule(
        wire.RuleCreate(decision="allow", tool="read_file", kind="any", value=""), "test"
    ),
    "delete a rule": lambda scene: scene.calls.policy.delete_rule(scene.rule_id),
    "read notifications": lambda scene: scene.calls.companion.read_notifications(wire.NotificationsReadRequest()),
    "onboarding": lambda scene: scene.calls.companion.set_onboarding(
        wire.OnboardingRequest(step="permissions", action="complete")
    ),
}


async def story(home: Path, name: str, failing: Failing, at: int) -> int:
    """Do one operation while another conversation is answered, and let transaction `at` fail.

    Returns how many transactions there were.
    """
    async with inside(home) as daemon:
        (home / "work" / "c.txt").write_text("in the folder")
        scene = Scene(daemon)
        await scene.set()
        failing.begin(at)
        beside = asyncio.ensure_future(say(daemon, "meanwhile", scene.other))
        failed = False
        try:
            await OPERATIONS[name](scene)
        except StoreError:
            failed = True
        with contextlib.suppress(StoreError):
            await beside
        await settle(daemon)
        count = failing.count
        assert remembered(daemon) == recorded(daemon), f"after the failure of transaction {at}"
        assert wrong_decisions(daemon._journal.all) == []
        # Work continues: the same operation again, and another message.
        failing.begin(0)
        if failed:
            with contextlib.suppress(AsterError):
                await OPERATIONS[name](scene)
        await say(daemon, "still there?", scene.other)
        await settle(daemon)
        assert remembered(daemon) == recorded(daemon), f"later, after the failure of transaction {at}"
        assert wrong_decisions(daemon._journal.all) == []
    return count


@pytest.mark.parametrize("name", OPERATIONS)
def test_memory_follows_the_store_whichever_commit_fails(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch)
    count = asyncio.run(story(tmp_path / "0", name, failing, 0))
    assert count > 0
    for at in range(1, count + 1):
        asyncio.run(story(tmp_path / str(at), name, failing, at))


def test_while_the_store_cannot_be_read_what_denies_and_what_waits_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is read again when the store is back.

    Until then no permission becomes wider, and there is no busy loop.
    """

    async def main() -> None:
        async with inside(tmp_path / "home") as daemon:
            scene = Scene(daemon)
            await scene.set()
            rules, waits = daemon._rules.list(), daemon._waits.approvals.list()
            writes = 0
            write, read = Journal._write, Journal.all

            def fail(journal: Journal, batch: Batch, on_loop: bool = False) -> StoreError:
                nonlocal writes
                writes += 1
                return StoreError("the store is away")

            def unreadable(journal: Journal, sql: str, parameters: Any = ()) -> Any:
                raise StoreError("the store is away")

            monkeypatch.setattr(Journal, "_write", fail)
            monkeypatch.setattr(Journal, "all", unreadable)
            with pytest.raises(StoreError):
                await session(daemon, "lost")
            for purge in (False, True):
                with pytest.raises(StoreError):
                    await daemon.calls.conversations.delete_session(scene.quiet, purge)
            assert (daemon._rules.list(), daemon._waits.approvals.list()) == (rules, waits)
            assert scene.quiet in daemon._sessions._known
            monkeypatch.setattr(Journal, "all", read)
            with pytest.raises(StoreError):
                await session(daemon, "lost as well")
            before = writes
            await asyncio.sleep(0.05)
            assert writes == before, "reading again writes nothing"
            monkeypatch.setattr(Journal, "_write", write)
            await session(daemon, "kept")
            await settle(daemon)
            assert remembered(daemon) == recorded(daemon)

    asyncio.run(main())
