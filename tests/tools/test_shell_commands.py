"""What a command line would do, judged by its words. tests/tools/run_command/test_questions.py has complete calls."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aster_sidecar.text.safe_text import quoted
from aster_sidecar.tools.shell_commands import binary_identity, handed_over, programs, why_not_remembered


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("ls -l", ["ls"]),
        ("git log | wc -l", ["git", "wc"]),
        ("a && b || c; d;", ["a", "b", "c", "d"]),
        ("'my tool' x", ["my tool"]),
        ("echo 'a && b' \"c; d\"", ["echo"]),
        ("a'b'c", ["abc"]),
        ("a & b\nc # d", ["a", "b", "c"]),
        ("a\\ b '!'", ["a b"]),
    ],
)
def test_the_programs_of_a_plain_list(command: str, names: list[str]) -> None:
    assert programs(command) == names


@pytest.mark.parametrize(
    "command",
    [
        *("", " ", "a &&", "&& a", "a | | b", "a > b", "a < b", "$a", "`a`", "a *.c", "(a)"),
        *("A=1 b", "if a", '"$a"', "'a", "a\u202eb", "''", "a [x]"),
    ],
)
def test_all_else_is_not_understood(command: str) -> None:
    assert programs(command) is None


def test_work_that_is_passed_on_is_noticed() -> None:
    assert handed_over("cd x && /usr/bin/TMUX ls") == "tmux"
    assert handed_over("sudo docker.exe ps") == "docker"
    assert handed_over("echo tmux") is None
    assert handed_over("") is None


def reason(command: str, tmp_path: Path, path: str = "/usr/bin:/bin") -> str | None:
    return why_not_remembered(command, tmp_path, tmp_path / "work", path)


@pytest.mark.skipif(os.name == "nt", reason="cmd.exe reads words by other rules")
def test_only_programs_that_read_and_print_can_be_remembered(tmp_path: Path) -> None:
    assert reason("ls | wc -l", tmp_path) is None
    assert reason("echo x", tmp_path, path="") is None, "a shell has its own echo"
    assert "may change files" in (reason("git status", tmp_path) or "")
    assert "complex" in (reason("ls *", tmp_path) or "")
    assert "can't find the program `ls`" in (reason("ls", tmp_path, path="") or "")


@pytest.mark.skipif(os.name == "nt", reason="cmd.exe reads words by other rules")
def test_a_program_in_the_work_folder_cannot_be_remembered(tmp_path: Path) -> None:
    own = tmp_path / "work" / "ls"
    own.parent.mkdir()
    own.write_text("#!/bin/sh")
    own.chmod(0o755)
    assert "in your home or work folder" in (reason("ls", tmp_path, path=str(own.parent)) or "")
    harmless = tmp_path / "cat"
    harmless.symlink_to("/bin/sh")
    assert "may change files" in (reason("cat", tmp_path, path=str(tmp_path)) or ""), "it is another program"


def test_a_replaced_binary_has_another_identity(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("one")
    tool.chmod(0o755)
    before = binary_identity("./tool", tmp_path, "")
    assert before is not None
    assert before == binary_identity("tool", tmp_path / "..", str(tmp_path))
    tool.write_text("two")
    os.utime(tool, ns=(0, 0))
    assert binary_identity("./tool", tmp_path, "") != before
    assert binary_identity("./none", tmp_path, "") is None


def test_a_quoted_name_has_no_backquotes_of_its_own() -> None:
    assert quoted("a` is harmless. `b") == "`a' is harmless. 'b`"
    assert len(quoted("x" * 1000)) < 100
