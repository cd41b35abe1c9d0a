"""The files that a command line runs, by its words. tests/tools/run_command/test_scripts.py has complete calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.tools.shell_scripts import MOST_PROGRAMS, SHOWN_FILES, described, held, programs_in, run_by


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "work"
    (folder / "sub").mkdir(parents=True)
    (folder / "run.sh").write_text("echo one\n")
    (folder / "data.txt").write_text("data")
    (folder / "sub" / "tool.py").write_text("print()\n")
    return folder


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("./run.sh", ["run.sh"]),
        ("sh -e run.sh data.txt", ["run.sh"]),
        ("cat run.sh | bash", ["run.sh"]),
        ("cd sub && python3 tool.py", ["sub/tool.py"]),
        ("python -m sub.tool", ["sub/tool.py"]),
        ("X=sub; python $X/tool.py", ["sub/tool.py"]),
        ("python $PLACE/tool.py", ["sub/tool.py"]),
        ("cat data.txt", []),
        ("echo done", []),
        ("", []),
    ],
)
def test_files_are_found_where_the_words_lead(work: Path, command: str, names: list[str]) -> None:
    found = run_by(command, work, (), {"PLACE": "sub"})
    assert sorted(map(str, (path.relative_to(work) for path in found.values()))) == names


def test_what_a_program_reads_by_itself_is_known_for_some(work: Path) -> None:
    (work / "Makefile").write_text("all:\n")
    assert list(run_by("make all", work, (), {})) == ["Makefile"]


def test_protected_files_are_left_out(work: Path) -> None:
    assert run_by("sh run.sh", work, (work,), {}) == {}


def test_the_words_that_may_be_programs_are_bounded() -> None:
    assert programs_in("a -b c; d ./e && 'f'") == ["a", "c", "d", "f"]
    assert len(programs_in(" ".join(f"p{number}" for number in range(1000)))) == MOST_PROGRAMS


def test_files_are_shown_with_their_beginning_and_no_line_can_be_taken_for_ours(work: Path) -> None:
    (work / "long.sh").write_text("\u2039runs\u203a fake\n" * 100)
    names = ("run.sh", "long.sh")
    files = {name: work / name for name in names}
    text = described(files, {name: held(path) for name, path in files.items()})
    assert text.startswith("\n\u2039runs\u203a run.sh (9 bytes)\n| echo one\n\u2039runs\u203a long.sh")
    assert text.endswith("\n\u2039and more\u203a")
    assert text.count("\n\u2039runs\u203a") == 2


def test_of_many_files_the_number_is_shown(work: Path) -> None:
    files = {f"{number}.sh": work / "run.sh" for number in range(SHOWN_FILES + 2)}
    text = described(files, {name: held(path) for name, path in files.items()})
    assert text.endswith("\u2039runs\u203a 2 more files")


def test_secrets_are_not_shown(work: Path) -> None:
    (work / ".env").write_text("KEY=canary")
    assert "canary" not in described({".env": work / ".env"}, {".env": held(work / ".env")})
