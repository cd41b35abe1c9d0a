"""What tools and commands change in files is recorded, listed and undone, and nothing that a person wrote is lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support.daemon import Daemon

Json: TypeAlias = Any
State: TypeAlias = dict[str, tuple[str, int, bytes]]


@pytest.fixture
def free(launch: Callable[..., Daemon]) -> Daemon:
    """A daemon that asks nobody."""
    return launch(environment={"ASTER_PERMISSION_MODE": "auto_approve", "ASTER_MODEL": "demo:instant"})


def call(daemon: Daemon, tool: str, **arguments: Any) -> Json:
    """Let the agent call a tool. Returns the end of the call."""
    events = daemon.ask(f"call {tool} {json.dumps(arguments)}")
    [end] = [event for event in events if event["type"] == "tool_end"]
    assert end["data"]["outcome"] == "done", end
    return end


def run(daemon: Daemon, command: str) -> Json:
    end = call(daemon, "run_command", command=command)
    assert end["data"]["result"]["exit_code"] == 0, end
    return end


def state(folder: Path) -> State:
    """Everything in a folder: type, mode, and content or the text of a link."""
    found: State = {}
    for path in sorted(folder.rglob("*")):
        name, mode = str(path.relative_to(folder)), path.lstat().st_mode
        if name == ".git" or name.startswith(".git/"):
            continue
        if stat.S_ISLNK(mode):
            found[name] = ("link", 0, os.readlink(path).encode())
        else:
            is_directory = stat.S_ISDIR(mode)
            content = b"" if is_directory else path.read_bytes()
            found[name] = ("directory" if is_directory else "file", stat.S_IMODE(mode), content)
    return found


def changes(daemon: Daemon, session_id: str, turn_id: str | None = None) -> list[Json]:
    """The files of the session's turns, or of one turn with diffs."""
    told = daemon.call("GET", f"/api/sessions/{session_id}/changes", **({"turn_id": turn_id} if turn_id else {}))
    return [file for turn in told["turns"] for file in turn["files"]]


def revert(daemon: Daemon, **fields: Any) -> Json:
    return daemon.call("POST", "/api/changes/revert", fields)


def conflict(daemon: Daemon, **fields: Any) -> dict[str, str]:
    """The codes of a refused revert, by path."""
    refused = daemon.refused("POST", "/api/changes/revert", fields)
    assert (refused.status, refused.code) == (409, "revert_conflict")
    return {one["path"]: one["code"] for one in refused.body["details"]}


def put(folder: Path, name: str, content: str | bytes, mode: int = 0o644) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def scene(folder: Path) -> State:
    """A folder with many kinds of files."""
    put(folder, "notes.md", "one\ntwo\nthree\n", 0o640)
    put(folder, "run.sh", "#!/bin/sh\necho hello\n", 0o755)
    put(folder, "data.bin", bytes(range(256)) * 40)
    put(folder, "empty", "")
    put(folder, "src/deep/a.py", "x = 1\n", 0o600)
    put(folder, "crlf.txt", b"\xef\xbb\xbfa\r\nb\r\n")
    (folder / "link").symlink_to("notes.md")
    (folder / "dangling").symlink_to("nowhere/at all")
    (folder / "void").mkdir(mode=0o750)
    return state(folder)


def test_a_written_file_is_listed_with_its_diff_and_undone(free: Daemon) -> None:
    before = scene(free.work_dir)
    path = str(free.work_dir / "notes.md")
    with free.watch() as watcher:
        end = call(free, "write_file", path="notes.md", content="one\n2\nthree\nfour\n")
        watcher.until("files_changed")
        [event] = watcher.of("files_changed")
    session_id, turn_id, call_id = end["session_id"], end["turn_id"], end["data"]["call_id"]
    assert event["turn_id"] == turn_id
    assert event["data"] == {"call_id": call_id, "paths": [path], "files": 1, "changed_files": 1}
    [file] = changes(free, session_id, turn_id)
    assert file == {
        "path": path,
        "kind": "modified",
        "moved_from": None,
        "source": "tool",
        "call_ids": [call_id],
        "before": {"type": "file", "size": 14, "mode": 0o640},
        "after": {"type": "file", "size": 17, "mode": 0o640},
        "added": 2,
        "removed": 1,
        "diff": "@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four",
        "truncated": False,
        "now": "changed",
        "kept": True,
        "why_not_kept": None,
        "revert_id": None,
    }
    [plain] = changes(free, session_id)
    assert (plain["diff"], plain["added"], plain["removed"]) == (None, 2, 1)
    assert free.call("GET", f"/api/sessions/{session_id}")["changed_files"] == 1
    changed = state(free.work_dir)
    told = revert(free, turn_id=turn_id, dry_run=True)
    assert told == {
        "revert_id": None,
        "files": [{"path": path, "action": "write", "kind": "modified", "source": "tool"}],
        "left": [],
    }
    assert state(free.work_dir) == changed
    with free.watch() as watcher:
        done = revert(free, turn_id=turn_id)
        watcher.until("files_changed")
        [event] = watcher.of("files_changed")
    assert event["data"] == {"revert_id": done["revert_id"], "paths": [path], "files": 1, "changed_files": 1}
    assert done["files"] == told["files"]
    assert state(free.work_dir) == before
    [file] = changes(free, session_id)
    assert (file["now"], file["revert_id"]) == ("undone", done["revert_id"])
    again = revert(free, revert_id=done["revert_id"])
    assert again["files"][0]["source"] == "revert"
    assert state(free.work_dir) == changed
    assert revert(free, revert_id=again["revert_id"])["files"][0]["action"] == "write"
    assert state(free.work_dir) == before
    nothing = revert(free, turn_id=turn_id)
    assert (nothing["revert_id"], nothing["files"][0]["action"]) == (None, "none")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("write_file", {"path": "new.txt", "content": "x"}),
        ("write_file", {"path": "new/in/deep.txt", "content": "x"}),
        ("write_file", {"path": "crlf.txt", "content": "a\nc\n"}),
        ("write_file", {"path": "data.bin", "content": "text now"}),
        ("write_file", {"path": "link", "content": "through the link"}),
        ("edit_file", {"path": "src/deep/a.py", "old": "1", "new": "2"}),
        ("edit_file", {"path": "run.sh", "old": "hello", "new": "bye"}),
        ("delete_file", {"path": "run.sh"}),
        ("delete_file", {"path": "link"}),
        ("delete_file", {"path": "dangling"}),
        ("delete_file", {"path": "empty"}),
        ("delete_file", {"path": "void"}),
        ("move_file", {"source": "run.sh", "destination": "bin/tools/run.sh"}),
        ("move_file", {"source": "link", "destination": "other link"}),
        ("move_file", {"source": "notes.md", "destination": "data.bin", "overwrite": True}),
    ],
)
def test_each_change_of_a_file_tool_is_undone_and_redone(free: Daemon, tool: str, arguments: Json) -> None:
    before = scene(free.work_dir)
    end = call(free, tool, **arguments)
    after = state(free.work_dir)
    assert after != before
    listed = changes(free, end["session_id"], end["turn_id"])
    assert [(file["now"], file["source"]) for file in listed] == [("changed", "tool")]
    done = revert(free, paths=[listed[0]["path"]])
    assert state(free.work_dir) == before
    assert changes(free, end["session_id"])[0]["now"] == "undone"
    assert done["left"] == []
    revert(free, revert_id=done["revert_id"])
    assert state(free.work_dir) == after
    revert(free, call_id=end["data"]["call_id"])
    assert state(free.work_dir) == before


@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell")
@pytest.mark.parametrize("git", [False, True], ids=["plain", "git"])
@pytest.mark.parametrize(
    "command",
    [
        "sed -i s/two/2/ notes.md; chmod 600 run.sh",
        "rm -rf src notes.md link void",
        "for n in $(seq 50); do echo done >> many/$n.txt; done",
        "mv src lib; ln -sf run.sh link; mkdir -p made/by/it; echo x > made/by/it/f",
        "rm notes.md; mkdir notes.md; echo x > notes.md/x; rm -r src; echo file > src",
        "rm link; echo a file > link; rm data.bin; ln -s empty data.bin",
    ],
)
def test_what_changed_during_a_command_is_undone_when_it_is_chosen(free: Daemon, git: bool, command: str) -> None:
    for number in range(1, 51):
        put(free.work_dir, f"many/{number}.txt", f"{number}\n")
    before = scene(free.work_dir)
    if git:
        subprocess.run("git init -q && git add -A", cwd=free.work_dir, shell=True, check=True)
    end = run(free, command)
    after = state(free.work_dir)
    assert after != before
    listed = changes(free, end["session_id"], end["turn_id"])
    assert {file["source"] for file in listed} == {"command"}
    plain = revert(free, turn_id=end["turn_id"])
    assert (plain["revert_id"], plain["files"]) == (None, [])
    assert {one["code"] for one in plain["left"]} == {"during_command"}
    assert state(free.work_dir) == after
    done = revert(free, turn_id=end["turn_id"], commands=True)
    assert state(free.work_dir) == before
    revert(free, revert_id=done["revert_id"])
    assert state(free.work_dir) == after
    revert(free, turn_id=end["turn_id"], paths=[file["path"] for file in listed])
    assert state(free.work_dir) == before


@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell")
def test_a_checkout_of_another_branch_is_undone_in_the_files(free: Daemon) -> None:
    work = free.work_dir
    scene(work)
    git = "git -c user.name=a -c user.email=a@example.com"
    setup = (
        f"git init -q -b main && git add -A && {git} commit -qm a && git checkout -qb other && echo other > notes.md"
        f" && git rm -q run.sh && {git} commit -qam b && git checkout -q main"
    )
    subprocess.run(setup, cwd=work, shell=True, check=True)
    before = state(work)
    end = run(free, "git checkout -q other")
    assert {Path(file["path"]).name: file["kind"] for file in changes(free, end["session_id"])} == {
        "notes.md": "modified",
        "run.sh": "deleted",
    }
    revert(free, turn_id=end["turn_id"], commands=True)
    assert state(work) == before
    branch = subprocess.run("git branch --show-current", cwd=work, shell=True, capture_output=True, check=True)
    assert branch.stdout == b"other\n", "the repository itself is never touched"


# -- a person works beside the agent -----------------------------------------------------------------------------------


def test_what_a_person_wrote_since_is_a_conflict_and_stays(free: Daemon) -> None:
    scene(free.work_dir)
    path = put(free.work_dir, "a.txt", "before")
    end = call(free, "write_file", path="a.txt", content="agent")
    other = call(free, "write_file", path="b.txt", content="agent")
    path.write_text("person")
    session_id = end["session_id"]
    assert [file["now"] for file in changes(free, session_id)] == ["edited", "changed"]
    assert conflict(free, turn_id=end["turn_id"]) == {str(path): "changed_since"}
    assert conflict(free, paths=[str(path), str(free.work_dir / "b.txt")]) == {str(path): "changed_since"}
    assert (free.work_dir / "b.txt").exists(), "nothing at all was written"
    dry = revert(free, turn_id=end["turn_id"], dry_run=True)
    assert [one["code"] for one in dry["left"]] == ["changed_since"]
    assert path.read_text() == "person"
    done = revert(free, turn_id=end["turn_id"], force=[str(path)])
    assert path.read_text() == "before"
    revert(free, revert_id=done["revert_id"])
    assert path.read_text() == "person", "what was there when it was forced can be restored"
    assert revert(free, turn_id=other["turn_id"])["left"] == []
    assert not (free.work_dir / "b.txt").exists()


def test_changed_permissions_are_a_conflict_and_a_touched_file_is_none(free: Daemon) -> None:
    path = put(free.work_dir, "a.sh", "before", 0o755)
    end = call(free, "edit_file", path="a.sh", old="before", new="after")
    os.utime(path, (1, 1))
    revert(free, turn_id=end["turn_id"])
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("before", 0o755)
    again = call(free, "edit_file", path="a.sh", old="before", new="after")
    path.chmod(0o700)
    assert conflict(free, turn_id=again["turn_id"]) == {str(path): "changed_since"}


def test_a_later_turn_is_not_undone_with_an_earlier_one(free: Daemon) -> None:
    path = put(free.work_dir, "a.txt", "0")
    first = call(free, "write_file", path="a.txt", content="1")
    second = call(free, "write_file", path="a.txt", content="2")
    assert conflict(free, turn_id=first["turn_id"]) == {str(path): "changed_since"}
    revert(free, turn_id=second["turn_id"])
    assert path.read_text() == "1"
    revert(free, turn_id=first["turn_id"])
    assert path.read_text() == "0"


def test_the_newest_change_of_a_path_may_be_of_another_session(free: Daemon) -> None:
    path = put(free.work_dir, "a.txt", "0")
    one, other = (free.call("POST", "/api/sessions", {"title": title})["session_id"] for title in ("one", "other"))
    for session_id, content in ((one, "1"), (other, "2")):
        free.ask(f"call write_file {json.dumps({'path': 'a.txt', 'content': content})}", session_id=session_id)
    assert conflict(free, paths=[str(path)], session_id=one) == {str(path): "changed_since"}
    done = revert(free, paths=[str(path)])
    assert (done["left"], path.read_text()) == ([], "1")
    revert(free, paths=[str(path)], session_id=one)
    assert path.read_text() == "0"
    free.call("DELETE", f"/api/sessions/{other}", purge=True)
    assert free.refused("POST", "/api/changes/revert", {"revert_id": done["revert_id"]}).code == "change_not_found"


def test_a_directory_that_a_tool_made_stays_if_something_else_is_in_it(free: Daemon) -> None:
    end = call(free, "write_file", path="new/in/deep.txt", content="x")
    mine = put(free.work_dir, "new/mine.txt", "mine")
    done = revert(free, turn_id=end["turn_id"])
    assert [Path(file["path"]).name for file in done["files"]] == ["deep.txt"]
    assert state(free.work_dir).keys() == {"new", "new/mine.txt"}
    assert mine.read_text() == "mine"


def test_one_file_of_many_is_undone(free: Daemon) -> None:
    for name in ("a", "b", "c"):
        put(free.work_dir, f"{name}.txt", "before\n")
    end = run(free, "for n in a b c; do echo more >> $n.txt; done")
    path = free.work_dir / "b.txt"
    revert(free, call_id=end["data"]["call_id"], paths=[str(path)])
    texts = [(free.work_dir / f"{name}.txt").read_text() for name in ("a", "b", "c")]
    assert texts == ["before\nmore\n", "before\n", "before\nmore\n"]
    refused = free.refused(
        "POST", "/api/changes/revert", {"turn_id": end["turn_id"], "paths": [str(free.work_dir / "no")]}
    )
    assert refused.code == "change_not_found"


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_a_link_in_place_of_a_file_or_a_directory_is_not_followed(free: Daemon, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", "a.txt", "outside")
    path = put(free.work_dir, "d/a.txt", "before")
    end = call(free, "write_file", path="d/a.txt", content="after")
    path.unlink()
    path.symlink_to(outside)
    assert conflict(free, turn_id=end["turn_id"]) == {str(path): "changed_since"}
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(outside.parent)
    assert conflict(free, turn_id=end["turn_id"]) == {str(path): "unreadable"}
    left = revert(free, turn_id=end["turn_id"], force=[str(path)])
    assert (left["revert_id"], [one["code"] for one in left["left"]]) == (None, ["unreadable"])
    assert outside.read_text() == "outside"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_found_before_anything_is_written(free: Daemon) -> None:
    path = put(free.work_dir, "closed/a.txt", "before")
    end = run(free, "echo after > closed/a.txt; echo after > b.txt")
    path.parent.chmod(0o500)
    try:
        assert conflict(free, turn_id=end["turn_id"], commands=True) == {str(path): "unwritable"}
        assert (free.work_dir / "b.txt").exists()
        left = revert(free, turn_id=end["turn_id"], commands=True, force=[str(path)])["left"]
        assert [(one["path"], one["code"]) for one in left] == [(str(path), "unwritable")]
    finally:
        path.parent.chmod(0o700)
    assert not (free.work_dir / "b.txt").exists()


# -- what is asked for -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"paths": []},
        {"turn_id": "a", "call_id": "b"},
        {"session_id": "a"},
        {"turn_id": "a", "session_id": "b"},
        {"turn_id": "a", "paths": [""]},
    ],
)
def test_a_revert_names_one_thing(daemon: Daemon, body: Json) -> None:
    assert daemon.refused("POST", "/api/changes/revert", body).code == "invalid_shape"


def test_what_was_never_changed_is_not_found(free: Daemon) -> None:
    end = free.ask("hello")[0]
    for body in ({"turn_id": end["turn_id"]}, {"call_id": "c"}, {"revert_id": "r"}, {"paths": ["/no"]}):
        assert free.refused("POST", "/api/changes/revert", body).code == "change_not_found"
    session_id = end["session_id"]
    assert changes(free, session_id) == []
    refused = free.refused("GET", f"/api/sessions/{session_id}/changes", turn_id="x")
    assert refused.code == "change_not_found"
    assert free.refused("GET", "/api/sessions/x/changes").code == "session_not_found"


def test_tools_that_change_nothing_leave_nothing(free: Daemon) -> None:
    put(free.work_dir, "a.txt", "x")
    end = call(free, "read_file", path="a.txt")
    call(free, "list_dir", path=".")
    call(free, "write_file", path="a.txt", content="x")
    run(free, "cat a.txt > /dev/null")
    assert free.call("GET", f"/api/sessions/{end['session_id']}/changes")["turns"] == []


def test_a_failed_and_a_cancelled_command_are_recorded(free: Daemon) -> None:
    put(free.work_dir, "a.txt", "before")
    failed = call(free, "run_command", command="echo failed > a.txt; exit 3")
    with free.watch() as watcher:
        turn_id = free.chat('call run_command {"command": "echo cancelled > a.txt; echo now; sleep 60"}')["turn_id"]
        watcher.until("tool_progress", delta="now\n")
        free.call("POST", "/api/cancel", {"agent_id": "default", "turn_id": turn_id})
        watcher.until("done", turn_id=turn_id)
        assert [event["turn_id"] for event in watcher.of("files_changed")] == [turn_id]
    revert(free, turn_id=turn_id, commands=True)
    assert (free.work_dir / "a.txt").read_text() == "failed\n"
    revert(free, turn_id=failed["turn_id"], commands=True)
    assert (free.work_dir / "a.txt").read_text() == "before"


def test_a_command_outside_the_folder_is_said_not_to_be_covered(free: Daemon, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    free.config(sandbox="off")
    end = call(free, "run_command", command="echo x > here", cwd=str(outside))
    [turn] = free.call("GET", f"/api/sessions/{end['session_id']}/changes")["turns"]
    assert turn["files"] == []
    assert [str(outside) in note for note in turn["not_covered"]] == [True]


def test_changes_survive_a_kill_and_go_with_their_session(free: Daemon) -> None:
    before = scene(free.work_dir)
    end = call(free, "delete_file", path="run.sh")
    session_id = end["session_id"]
    free.kill()
    free.start()
    assert [file["kind"] for file in changes(free, session_id)] == ["deleted"]
    free.call("DELETE", f"/api/sessions/{session_id}")
    done = revert(free, turn_id=end["turn_id"])
    assert state(free.work_dir) == before, "also while the session is in the trash"
    free.call("POST", f"/api/sessions/{session_id}/restore")
    assert changes(free, session_id)[0]["now"] == "undone"
    free.call("DELETE", f"/api/sessions/{session_id}", purge=True)
    assert free.refused("POST", "/api/changes/revert", {"revert_id": done["revert_id"]}).code == "change_not_found"


def test_a_deleted_history_has_no_changes(free: Daemon) -> None:
    end = call(free, "write_file", path="a.txt", content="x")
    free.call("DELETE", "/api/history", agent_id="default")
    assert changes(free, end["session_id"]) == []
    assert free.call("GET", f"/api/sessions/{end['session_id']}")["changed_files"] == 0


def test_binary_and_secret_contents_have_no_diff(free: Daemon) -> None:
    put(free.work_dir, "data.bin", bytes(range(256)))
    put(free.work_dir, ".env", "KEY=1\n")
    end = run(free, "printf 'a\\0b' > data.bin; echo KEY=2 > .env; seq 100000 > long.txt")
    found = {Path(file["path"]).name: file for file in changes(free, end["session_id"], end["turn_id"])}
    assert {name: (file["added"], file["diff"] is None) for name, file in found.items()} == {
        "data.bin": (None, True),
        ".env": (None, True),
        "long.txt": (100_000, False),
    }
    assert found["long.txt"]["truncated"]
    assert len(found["long.txt"]["diff"]) <= 64 * 1024
