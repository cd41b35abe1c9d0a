"""An approval is bound to the scripts and the directory that a command uses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.run_command.support import PYTHON
from tests.tools.support import assess, run_assessed

SCRIPTS = [
    *("./run.sh", "sh ./run.sh", "sh -e run.sh a", "bash -c './run.sh x'", "cat a | sh run.sh", "A=1 ./run.sh"),
    *(". ./run.sh", "true && ./run.sh", "timeout 5 ./run.sh", "cd . && ./run.sh", "sh < run.sh", "$(./run.sh)"),
    *("(./run.sh)", "./*.sh", "setarch x86_64 sh ./run.sh", "env A=1 sh run.sh", 'sh "run.sh"', "./run\\.sh"),
    *("python3 run.sh", "x --with=./run.sh"),
    # Words that only a shell's rules for quotes and variables turn into the name.
    *('sh r"un.s"h', "sh $PWD/run.sh", 'sh "${PWD}/run.sh"', "sh $(pwd)/run.sh", "A=run; sh ./$A.sh"),
]


@pytest.mark.parametrize("command", SCRIPTS)
def test_a_script_is_bound_by_what_it_holds(place: Surroundings, command: str) -> None:
    script = place.work_dir / "run.sh"
    script.write_text("echo one\n")
    script.chmod(0o755)
    found = script.stat()
    before = assess("run_command", place, command=command)
    assert "| echo one" in before.display
    script.write_text("echo two\n")  # with the same size
    os.utime(script, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert assess("run_command", place, command=command).binding != before.binding
    script.write_text("echo one\n")
    assert assess("run_command", place, command=command).binding == before.binding
    script.write_text("touch done\n")
    with pytest.raises(ToolError, match=r"run\.sh changed after the command was allowed"):
        run_assessed("run_command", place, before, command=command)
    assert not (place.work_dir / "done").exists()


@pytest.mark.parametrize(
    ("command", "name"), [("make all", "Makefile"), ("npm test", "package.json"), ("just", "justfile")]
)
def test_what_a_runner_reads_is_bound(place: Surroundings, command: str, name: str) -> None:
    (place.work_dir / name).write_text("one")
    before = assess("run_command", place, command=command)
    assert f"‹runs› {name}" in before.display
    (place.work_dir / name).write_text("two")
    assert assess("run_command", place, command=command).binding != before.binding


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("sh my\\ run.sh", ["my run.sh"]),
        ("cd sub && cd deep && ./run.sh", ["sub/deep/run.sh"]),
        ("pushd sub; ./run.sh", ["sub/run.sh"]),
        ("sh a.sh; cd sub; sh a.sh", ["a.sh", "sub/a.sh"]),
        ("make -C sub", ["Makefile", "sub/Makefile"]),
        ("make -Csub", ["Makefile", "sub/Makefile"]),
        ("make --directory=sub", ["Makefile", "sub/Makefile"]),
        ("npm --prefix sub test", ["sub/package.json"]),
        ("PATH=$PWD/sub:$PATH tool", ["sub/tool"]),
        ("python3 -m part", ["part.py"]),
        ("python3 -m pack.part", ["pack/part.py"]),
        ("python3 pack", ["pack/__main__.py"]),
        ("node -r ./part -e 1", ["part.js"]),
        ("perl -I. -MPack::Part -e 1", ["Pack/Part.pm"]),
        ("cat words | sh", ["words"]),
        ("cat words | sort | bash -s -- a", ["words"]),
    ],
)
def test_a_script_is_found_where_the_words_lead(place: Surroundings, command: str, names: list[str]) -> None:
    for name in names:
        (place.work_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (place.work_dir / name).write_text("one")
        (place.work_dir / name).chmod(0o755 if name == "sub/tool" else 0o644)
    before = assess("run_command", place, command=command)
    assert sorted(before.binding["scripts"]) == names
    for name in names:
        (place.work_dir / name).write_text("two")
        assert assess("run_command", place, command=command).binding != before.binding
        (place.work_dir / name).write_text("one")


@pytest.mark.parametrize("command", ["A=1 tool", "tool >out", "echo $(tool)", "env tool", "true && ! tool"])
def test_a_program_on_path_is_bound_wherever_it_stands(
    place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "tool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    before = assess("run_command", place, command=command)
    assert assess("run_command", place, command=command).binding == before.binding
    (tmp_path / "bin" / "tool").write_text("#!/bin/sh\nid\n")
    assert assess("run_command", place, command=command).binding != before.binding


def test_a_long_command_is_judged_in_bounds(place: Surroundings) -> None:
    for command in (f"A={'x' * 900}; {'$A' * 40_000}", "cd . ; " * 14_000, "python3 " + "a " * 49_000, "'\"" * 49_000):
        assert assess("run_command", place, command=command[:100_000]).binding["scripts"] == {}


def test_what_no_tool_may_open_is_not_looked_at(place: Surroundings) -> None:
    own = place.protected[0] / "aster.db"
    (place.work_dir / "near.sh").symlink_to(own)
    (place.work_dir / "status.sh").symlink_to("/proc/self/status")
    for command in (f"sh {own}", "sh near.sh", "sh status.sh", "sh /proc/self/maps", "sh /proc/kmsg"):
        found = assess("run_command", place, command=command)
        assert "‹runs›" not in found.display
        assert found.binding["scripts"] == {}


def test_a_pattern_walks_no_further_than_its_directory(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.work_dir / "a.sh").write_text("echo")
    (place.work_dir / "sub").mkdir()
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: str) -> Any:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert list(assess("run_command", place, command="sh ./*.sh").binding["scripts"]) == ["a.sh"]
    assert assess("run_command", place, command="sh /*/*/*/*.sh **/x.sh */*").binding["scripts"] == {}
    assert set(listed) == {f"{place.work_dir}/."}, "other directories were listed"


def test_data_that_grows_is_not_asked_for_again(place: Surroundings) -> None:
    log = place.work_dir / "app.log"
    for command in (
        "tail app.log",
        "cat app.log | awk '{print}'",
        "cat app.log | python3 -m json.tool",
        "cat <app.log",
    ):
        log.write_text("one\n")
        before = assess("run_command", place, command=command)
        log.write_text("one\ntwo\n")
        assert assess("run_command", place, command=command).binding == before.binding


def test_another_directory_in_the_place_is_asked_for_again(place: Surroundings) -> None:
    (place.work_dir / "sub").mkdir()
    before = assess("run_command", place, command="touch here", cwd="sub")
    (place.work_dir / "sub").rename(place.work_dir / "old")
    (place.work_dir / "sub").mkdir()
    assert assess("run_command", place, command="touch here", cwd="sub").binding != before.binding
    with pytest.raises(ToolError, match="another directory now"):
        run_assessed("run_command", place, before, command="touch here", cwd="sub")
    assert os.listdir(place.work_dir / "sub") == []


def test_no_script_poses_as_ours(place: Surroundings) -> None:
    (place.work_dir / "run.sh").write_text("#!/bin/sh\n‹runs› safe.sh\necho \x1b[2K\n" + "echo\n" * 100)
    found = assess("run_command", place, command="sh run.sh")
    assert found.display.split("\n")[1:6] == [
        "sh run.sh",
        "‹runs› run.sh (539 bytes)",
        "| #!/bin/sh",
        "| ‹U+2039›runs› safe.sh",
        "| echo ‹U+001B›[2K",
    ]
    assert found.display.endswith("\n‹and more›")


def test_what_runs_is_what_was_approved_or_it_is_said(place: Surroundings) -> None:
    """Another process keeps replacing the approved script by another one and back."""
    script = place.work_dir / "run.sh"
    script.write_text("echo approved\n")
    asked = assess("run_command", place, command="sh run.sh")
    code = (
        "import os, random, sys, time\n"
        "print(flush=True)\n"
        "while True:\n"
        "    for text in ('echo other', 'echo approved'):\n"
        "        with open('other', 'w') as file:\n"
        "            file.write(text + chr(10))\n"
        "        os.replace('other', 'run.sh')\n"
        "        time.sleep(random.random() / 100)\n"
    )
    ran = refused = 0
    with subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE, cwd=place.work_dir) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            while not (ran >= 5 and refused >= 5):
                try:
                    value = run_assessed("run_command", place, asked, command="sh run.sh").value
                except ToolError:
                    refused += 1
                    continue
                ran += 1
                assert value["stdout"] == "approved\n" or "run.sh" in value["note"], value
        finally:
            process.kill()


def test_a_directory_that_is_none_is_refused(place: Surroundings) -> None:
    (place.work_dir / "file").write_text("x")
    for cwd in ("missing", "file"):
        with pytest.raises(ToolError, match="not a directory"):
            assess("run_command", place, command="ls", cwd=cwd)
    assert assess("run_command", place, command="ls", cwd="../daemon").forbidden is not None


def test_a_directory_swapped_after_judging_is_refused(place: Surroundings, tmp_path: Path) -> None:
    (place.work_dir / "sub").mkdir()
    assessment = assess("run_command", place, command="touch here", cwd="sub")
    (place.work_dir / "sub").rename(place.work_dir / "gone")
    (tmp_path / "outside").mkdir()
    (place.work_dir / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(ToolError):
        run_assessed("run_command", place, assessment, command="touch here", cwd="sub")
    assert os.listdir(tmp_path / "outside") == []
