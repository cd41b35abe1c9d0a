"""What can't be recorded stops no call and is said; contents that are gone can't be restored, which is said too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from aster_sidecar.contract import wire
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.errors import RevertConflict, StoreError
from aster_sidecar.ledger.choosing import Choice
from aster_sidecar.ledger.snapshots import Snapshots
from aster_sidecar.store.kept_files import KeptFiles
from tests.flows.test_failing_commits import inside, say, settle

Story = Callable[[Daemon, Path], Awaitable[None]]


def told(home: Path, story: Story) -> None:
    """Tell a story about a daemon that asks nobody, and the folder in which it works."""

    async def main() -> None:
        async with inside(home) as daemon:
            daemon.config.change(wire.ConfigPatch(permission_mode="auto_approve"))
            await story(daemon, home / "work")

    asyncio.run(main())


async def use(daemon: Daemon, tool: str, **arguments: object) -> str:
    """Let the agent call a tool; returns the turn."""
    turn_id = (await say(daemon, f"call {tool} {json.dumps(arguments)}")).turn_id
    await settle(daemon)
    [(outcome,)] = daemon._journal.all("SELECT outcome FROM calls WHERE turn_id=?", (turn_id,))
    assert outcome == "done"
    return turn_id


async def listed(daemon: Daemon) -> wire.TurnChanges:
    [session_id] = daemon._sessions._known
    [turn] = (await daemon.calls.changes.list(session_id, None)).turns
    return turn


def full(*arguments: object) -> None:
    raise StoreError("the disk is full")


def test_a_full_disk_stops_no_tool_and_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(daemon: Daemon, work: Path) -> None:
        (work / "a.txt").write_text("before")
        monkeypatch.setattr(KeptFiles, "keep_hashed", full)
        turn_id = await use(daemon, "write_file", path="a.txt", content="after")
        [file] = (await listed(daemon)).files
        assert (file.kind, file.kept, file.why_not_kept) == ("modified", False, "the disk is full")
        with pytest.raises(RevertConflict) as refused:
            await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,)))
        assert [one["code"] for one in refused.value.details] == ["not_kept"]  # type: ignore[attr-defined]
        assert (work / "a.txt").read_text() == "after"

    told(tmp_path, story)


def test_a_revert_writes_nothing_when_the_journal_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(daemon: Daemon, work: Path) -> None:
        (work / "a.txt").write_text("before")
        turn_id = await use(daemon, "write_file", path="a.txt", content="after")
        with monkeypatch.context() as failing:
            failing.setattr(type(daemon._journal), "_write", lambda *_: StoreError("the disk is full"))
            with pytest.raises(StoreError):
                await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,)))
        assert (work / "a.txt").read_text() == "after"
        await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,)))
        assert (work / "a.txt").read_text() == "before"

    told(tmp_path, story)


def test_a_failed_look_at_the_folder_stops_no_command_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(daemon: Daemon, work: Path) -> None:
        monkeypatch.setattr(Snapshots, "_look", full)
        await use(daemon, "run_command", command="echo x > a.txt")
        turn = await listed(daemon)
        assert turn.files == []
        [note] = turn.not_covered
        assert note.endswith("could not be recorded before a command: the disk is full")

    told(tmp_path, story)


def test_a_file_of_another_size_is_undone_by_force_and_can_be_had_again(tmp_path: Path) -> None:
    async def story(daemon: Daemon, work: Path) -> None:
        turn_id = await use(daemon, "write_file", path="a.txt", content="written by a tool")
        path = work / "a.txt"
        path.write_text("mine")
        done = await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,), force=frozenset([str(path)])))
        assert ([one.action for one in done.files], path.exists()) == (["delete"], False)
        await daemon._ledger.reverts.revert(Choice(revert_id=done.revert_id))
        assert path.read_text() == "mine"

    told(tmp_path, story)


def test_contents_that_were_trimmed_are_said_to_be_gone(tmp_path: Path) -> None:
    async def story(daemon: Daemon, work: Path) -> None:
        (work / "a.txt").write_text("before")
        turn_id = await use(daemon, "write_file", path="a.txt", content="after")
        daemon._ledger._files.trim(0, 30.0)
        [file] = (await listed(daemon)).files
        assert (file.kept, file.added) == (False, None)
        assert file.why_not_kept
        path = str(work / "a.txt")
        with pytest.raises(RevertConflict):
            await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,)))
        done = await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,), force=frozenset([path])))
        assert (done.revert_id, [one.code for one in done.left]) == (None, ["not_kept"])

    told(tmp_path, story)


def test_what_a_caller_puts_is_recorded_with_the_revert_or_not_at_all(tmp_path: Path) -> None:
    async def story(daemon: Daemon, work: Path) -> None:
        turn_id = await use(daemon, "write_file", path="a.txt", content="after")
        begun: list[str | None] = []
        (work / "a.txt").write_text("edited")
        with pytest.raises(RevertConflict):
            await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,)), begun=begun.append)
        await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,)), dry_run=True, begun=begun.append)
        assert begun == []
        (work / "a.txt").write_text("after")
        done = await daemon._ledger.reverts.revert(Choice(turn_ids=(turn_id,)), begun=begun.append)
        await daemon._ledger.reverts.revert(Choice(turn_ids=("turn_x",), may_be_empty=True), begun=begun.append)
        assert begun == [done.revert_id, None]

    told(tmp_path, story)


def test_two_reverts_at_once_do_not_mix(tmp_path: Path) -> None:
    async def story(daemon: Daemon, work: Path) -> None:
        (work / "a.txt").write_text("before")
        turn_id = await use(daemon, "write_file", path="a.txt", content="after")
        reverts = daemon._ledger.reverts
        one, other = await asyncio.gather(*(reverts.revert(Choice(turn_ids=(turn_id,))) for _ in range(2)))
        assert [file.action for done in (one, other) for file in done.files] == ["write", "none"]

    told(tmp_path, story)
