"""What a question about a command shows, and whether its answer can be remembered."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aster_sidecar.policy import permissions
from aster_sidecar.tools.base import Surroundings
from tests.tools.support import assess


def test_a_command_is_high_and_shown_with_its_directory(place: Surroundings) -> None:
    (place.work_dir / "sub").mkdir()
    found = assess("run_command", place, command="wc --files0-from=a", cwd="sub")
    assert found.risk == "high"
    assert found.display == f"in {place.work_dir}/sub:\nwc --files0-from=a"
    assert found.remember is not None
    assert (found.remember.kind, found.remember.value) == ("exact", found.target)
    assert found.binding["cwd"] == f"{place.work_dir}/sub"
    assert found.binding["binaries"]["wc"].startswith(os.path.realpath(shutil.which("wc") or "missing"))
    outside = assess("run_command", place, command="wc --files0-from=a", cwd="..")
    assert "outside the work folder" in outside.reason
    assert outside.target != found.target


def test_hidden_characters_are_shown(place: Surroundings) -> None:
    found = assess("run_command", place, command="echo a\u202e\x1b[8mrm -rf ~\x1b[0m\u200b\r\tb\nc")
    assert found.display.split("\n")[1:] == [
        "echo a‹U+202E›‹U+001B›[8mrm -rf ~‹U+001B›[0m‹U+200B›‹U+000D›‹U+0009›b",
        "c",
    ]
    assert found.remember is None


def test_a_directorys_name_cannot_pose_as_a_command(place: Surroundings) -> None:
    (place.work_dir / "x:\nls").mkdir()
    posing = assess("run_command", place, command="rm a", cwd="x:\nls")
    assert posing.display == f"in {place.work_dir}/x:‹U+000A›ls:\nrm a"


@pytest.mark.parametrize(
    "command",
    [
        *("ls", "ls -la", "head -5 a", "cat a | wc -l", "ls && cat a.txt; echo done", "grep -rn 'a b' ."),
        *('grep "fix: it" a', "ls; ", "echo a=b", "cat é.txt"),
    ],
)
def test_plain_commands_can_be_remembered(place: Surroundings, command: str) -> None:
    found = assess("run_command", place, command=command)
    assert found.remember is not None, found.reason


@pytest.mark.parametrize(
    "command",
    [
        *(
            "sh -c ls",
            "bash x",
            "/bin/sh x",
            "python3 a.py",
            "python3.11 -c 1",
            "node a",
            "perl -e 1",
            "env ls",
            "sudo ls",
        ),
        *("xargs rm", "nohup ls", "timeout 5 ls", "nice ls", "watch ls", "eval ls", "exec ls", "source a", ". a"),
        *("ssh host ls", "docker run x", "npx x", "uvx x", "pipx run x", "make", "npm run build", "lua5.4 a"),
        *("echo $(id)", "echo `id`", "ls *", "ls ?", "ls [ab]", "cat <a", "cat >a", "cat <<E\nE"),
        *(
            "(ls)",
            "A=1 ls",
            "if true; then ls; fi",
            "! ls",
            "ls\nrm a",
            "ls\\",
            'echo "$A"',
        ),
        *(
            "ls && sh a",
            "ls | sh",
            "ls; python a",
            "ls || env x",
            "'s'h a",
            '"env" ls',
            "ls |",
            "| ls",
            "&& ls",
            "ls ;; ls",
        ),
        *(
            "./run.sh",
            "missing-program-x",
            "cd / && ls",
            "ls\u202e",
            "echo \u00a0",
            "''",
            "find . -delete",
            "S\u0131 ls",
        ),
        # Programs that run other programs, and that no list of shells and runners would contain.
        *("setarch x86_64 sh ./y.sh", "git bisect run ./x", "git -c alias.x='!id' x", "split --filter=./x a"),
        *("gcc -wrapper ./x a.c", "/lib64/ld-linux-x86-64.so.2 ./x", "sort --compress-program=./x a", "git status"),
        *("less a", "rg --pre ./x a", "tee a", "cp a b", "rm a", "mkdir a", "ln -s a b", "dd if=a of=b"),
        *("pytest -q", "git status && ./x", "awk 1 a", "'ls\n'", "echo 'unclosed", "time ls"),
    ],
)
def test_what_can_change_its_meaning_is_never_remembered(place: Surroundings, command: str) -> None:
    (place.work_dir / "run.sh").write_text("#!/bin/sh\n")
    (place.work_dir / "run.sh").chmod(0o755)
    found = assess("run_command", place, command=command)
    assert found.remember is None
    assert "can't be always allowed" in found.reason or found.risk == "low" or found.needs


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("git push", "`git push` is not known to only read. | `git` may change files, or may act differently when {}."),
        (
            "'a` is harmless. `b'",
            "There is no program `a' is harmless. 'b`. | `a' is harmless. 'b` may change files, or may act differently"
            " when {}.",
        ),
        ("$OTHER/x", "Its program is known only when it runs. | it is a complex shell command."),
        ("ls -l", " | the program `ls` is in your home or work folder, where it can be changed."),
    ],
)
def test_why_a_command_is_asked_every_time_is_told_in_sentences(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch, command: str, why: str
) -> None:
    (place.work_dir / "tools").mkdir()
    (place.work_dir / "tools" / "ls").write_text("#!/bin/sh\n")
    (place.work_dir / "tools" / "ls").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.work_dir / 'tools'}{os.pathsep}{os.environ['PATH']}")
    found = assess("run_command", place, command=command)
    asked, unsure = why.format("files change").split("| ")
    lead = "A command can do anything that you can do on this computer. "
    assert found.reason == f"{lead}{asked.lstrip()}This command can't be always allowed: {unsure}"


def test_a_link_to_an_interpreter_is_one(place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "harmless").symlink_to("/bin/sh")
    shutil.copy("/bin/ls", tmp_path / "bin" / "ls")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert assess("run_command", place, command="harmless x").remember is None
    before = assess("run_command", place, command="ls")
    assert before.remember is not None
    (tmp_path / "bin" / "ls").write_bytes(b"#!/bin/sh\necho other\n")
    assert assess("run_command", place, command="ls").binding != before.binding
    # A program in the home folder can be replaced.
    monkeypatch.setenv("HOME", str(tmp_path))
    assert assess("run_command", place, command="ls").remember is None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("tmux new -d 'curl localhost'", "tmux"),
        ("cd x && /usr/bin/tmux ls", "tmux"),
        ("sudo -u me docker ps", "docker"),
        ("sh -c 'systemd-run --user true'", "systemd-run"),
        ("X=1 nohup setsid at now", "at"),
        ("echo $(docker ps)", "docker"),
        ("FOO=$(tmux ls)", "tmux"),
        ("if true; then (screen -dm x); fi", "screen"),
        ("echo job | batch", "batch"),
        ("'tmux' new", "tmux"),
        ("t''mux new", "tmux"),
        ("tm\\ux new", "tmux"),
        ("setarch x86_64 tmux new", "tmux"),
        ("find . -exec tmux new {} ;", "tmux"),
        ("dbus-send --session /x", "dbus-send"),
        ("ssh localhost id", "ssh"),
    ],
)
def test_what_another_program_would_run_is_asked_in_every_mode(place: Surroundings, command: str, name: str) -> None:
    found = assess("run_command", place, command=command)
    assert found.always_asked
    assert found.remember is None
    assert f"`{name}` starts programs that Aster can't stop or control." in found.reason
    rule = permissions.Rule("r1", "allow", "run_command", "any", "")
    for mode in permissions.STRICTNESS:
        decision = permissions.decide(
            mode, [rule], permissions.ToolCall("run_command", "a", "s", datetime.now(UTC)), found
        )
        assert (decision.verdict, decision.decided_by) == ("ask", "call")


@pytest.mark.parametrize(
    "command",
    [
        "echo tmux",
        "git commit -m 'look at this'",
        "grep -rn at .",
        "python at.py",
        "npm run docker",
        "ls",
        "find . -name at",
    ],
)
def test_the_mere_word_is_no_such_program(place: Surroundings, command: str) -> None:
    assert not assess("run_command", place, command=command).always_asked
