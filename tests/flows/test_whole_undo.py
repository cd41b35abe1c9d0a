"""A session in other projects' sources: thirty edits and two commands, all undone with one rewind, byte for byte."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import fastapi
import httpx
import pytest
import starlette

from tests.conftest import provider_environment
from tests.support.daemon import Daemon
from tests.support.provider import Call, ProviderDouble, Reply, Say

PROJECTS = (starlette, fastapi, httpx)
EDITS = 30


def project(place: Path, *, git: bool) -> None:
    """The sources of public projects, as a repository or as plain files."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for package in PROJECTS:
        source = Path(package.__path__[0])
        shutil.copytree(source, place / source.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    (place / "README.md").write_bytes("# Três\r\n\r\nno line end".encode("utf-16"))
    (place / "run.sh").write_text("#!/bin/sh\necho run\n")
    (place / "run.sh").chmod(0o750)
    (place / "latest").symlink_to("httpx")
    (place / "empty").mkdir()
    if git:
        author = {"GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org"}
        committer = {"GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org"}
        environment = os.environ | author | committer
        for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "All")):
            subprocess.run(["git", *arguments], cwd=place, env=environment, check=True)


def tree(place: Path) -> dict[str, tuple[str, int, bytes]]:
    """Everything in a folder: type, mode and content by its path."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for path in sorted(place.rglob("*")):
        mode = path.lstat().st_mode
        name = str(path.relative_to(place))
        if stat.S_ISLNK(mode):
            found[name] = ("link", 0, os.readlink(path).encode())
        elif stat.S_ISDIR(mode):
            found[name] = ("directory", stat.S_IMODE(mode), b"")
        else:
            found[name] = ("file", stat.S_IMODE(mode), path.read_bytes())
    return found


def thirty(place: Path, chosen: random.Random) -> list[list[Call]]:
    """Calls of file tools that change thirty places, in groups as a model makes them."""
    files = sorted(path for path in place.rglob("*.py") if path.stat().st_size > 200)
    chosen.shuffle(files)
    calls: list[Call] = []
    for number in range(EDITS):
        path = str(files[number % 20])  # some files are changed twice
        match number % 6:
            case 0:
                calls.append(Call("write_file", {"path": path, "content": f"# {number}: written anew\n"}))
            case 1:
                calls.append(Call("write_file", {"path": f"new/deep/{number}.txt", "content": "new\n" * number}))
            case 2:
                calls.append(Call("delete_file", {"path": str(files[20 + number])}))
            case 3:
                moved = {"source": str(files[60 + number]), "destination": f"moved/{number}.py"}
                calls.append(Call("move_file", moved))
            case _:
                text = Path(path).read_text() if number < 20 else ""
                line = next((line for line in text.splitlines() if text.count(line) == 1 and len(line) > 10), None)
                if line is None:
                    calls.append(Call("write_file", {"path": path, "content": f"# {number}\n"}))
                else:
                    calls.append(Call("edit_file", {"path": path, "old": line, "new": f"{line}  # {number}"}))
    return [calls[at : at + 3] for at in range(0, EDITS, 3)]


@pytest.mark.skipif(os.name != "posix", reason="the commands are those of a POSIX shell")
@pytest.mark.parametrize(
    "git", [False, pytest.param(True, marks=pytest.mark.skipif(not shutil.which("git"), reason="needs git"))]
)
def test_a_session_is_undone_byte_for_byte(launch: Callable[..., Daemon], provider: ProviderDouble, git: bool) -> None:
    daemon = launch(environment=provider_environment(provider))
    daemon.config(permission_mode="auto_approve")
    place = daemon.work_dir
    project(place, git=git)
    before = tree(place)
    groups = thirty(place, random.Random(7))
    for number, calls in enumerate(groups):
        provider.script(Reply(calls), Reply([Say("done")]))
        ended = [event["data"] for event in daemon.ask(f"edit {number}") if event["type"] == "tool_end"]
        assert [one["outcome"] for one in ended] == ["done"] * len(calls), ended
    commands = [
        "sed -i 's/def /def  /' httpx/*.py starlette/middleware/*.py && chmod 600 README.md"
        " && mkdir -p out && cp -r httpx out/",
        "rm -rf starlette/middleware httpx empty run.sh latest && ln -s out latest && printf x > httpx",
    ]
    for command in commands:
        provider.script(Reply([Call("run_command", {"command": command})]), Reply([Say("done")]))
        [ended] = [event["data"] for event in daemon.ask("run") if event["type"] == "tool_end"]
        assert ended["outcome"] == "done"
        assert ended["result"]["exit_code"] == 0, ended
    assert tree(place) != before
    after = tree(place)
    session_id = daemon.status()["session_id"]
    first = daemon.history(session_id=session_id, limit=200)[0]["message_id"]
    body = {"message_id": first, "files": "restore", "commands": True}
    done = daemon.call("POST", f"/api/sessions/{session_id}/rewind", body)
    assert done["files"]["left"] == []
    restored = tree(place)
    assert restored == before, {name for name in {*restored, *before} if restored.get(name) != before.get(name)}
    assert daemon.history(session_id=session_id) == []
    daemon.call("POST", f"/api/sessions/{session_id}/unrewind", {})
    assert tree(place) == after
    assert len(daemon.history(session_id=session_id, limit=200)) == 2 * (len(groups) + len(commands))
