"""What is judged to read only reads: lines run for real, in a folder that tries to make them do more.

With strace, no program starts that the line does not name, and none opens a file to write to it. `ASTER_EXAMPLES` is
the number of random lines.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.commands import git
from aster_sidecar.tools.commands.grammar import parsed, simple_commands
from aster_sidecar.tools.commands.program_scopes import judged
from aster_sidecar.tools.commands.rows import BUILTINS, ROWS, Row
from tests.tools.commands.all_lines import CASES
from tests.tools.commands.cases import Case, build, place
from tests.tools.commands.running import CANARIES, prepare, run, state

pytestmark = pytest.mark.skipif(os.name == "nt", reason="cmd.exe runs lines there, and every line asks")
many = settings(
    max_examples=int(os.environ.get("ASTER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
READING = [case for case in CASES if case.decision == "reads" and not case.env]
OUTSIDE = "outside-canary"
SECRET = "secret-canary"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("running").resolve()
    build(base)
    prepare(base)
    return base


def _judged(line: str, base: Path, surroundings: Surroundings) -> str | None:
    env = {"PATH": os.environ["PATH"], "HOME": str(base / "home")}
    return judged(line, surroundings.work_dir, surroundings, env, None).why_not


def _check(line: str, base: Path) -> None:
    """Run the line, and check that it started nothing else, opened no file to write to it, and printed no secret."""
    ran = run(line, base, base / "work")
    if ran.programs is None:
        return
    commands = simple_commands(parsed(line, str(base / "home")))
    named = {os.path.basename(one.words[0].text or "") for one in commands if one.words}
    allowed = {"sh", *named}
    assert ran.programs <= allowed, (line, ran.programs)
    changes = [call for call in ran.changes or () if not re.search(r'"/tmp/(sort|tac|git)', call)]
    assert not changes, (line, changes)
    assert OUTSIDE not in ran.output, line
    assert SECRET not in ran.output, line


def _runs_here(line: str, base: Path, surroundings: Surroundings) -> bool:
    """Whether the line reads with this machine's programs: some may be missing, or be scripts in a home folder."""
    reason = _judged(line, base, surroundings)
    assert reason is None or re.search("there is no program|in your home or work folder|is a script", reason), (
        line,
        reason,
    )
    return reason is None


@pytest.mark.parametrize("number", range(10))
def test_lines_that_read_only_read(number: int, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shared / "home"))
    found = [case.line.replace("BASE", str(shared)) for case in READING if case.plain][number::10]
    surroundings = Surroundings(shared / "work", (shared / "daemon",))
    before = state(shared)
    for line in found:
        if _runs_here(line, shared, surroundings):
            _check(line, shared)
    assert state(shared) == before, found


@pytest.mark.parametrize("case", [case for case in READING if not case.plain], ids=lambda case: ascii(case.line)[1:-1])
def test_a_line_in_a_folder_of_its_own_only_reads(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path.resolve()
    build(base)
    prepare(base)
    monkeypatch.setenv("HOME", str(base / "home"))
    surroundings = place(base, case)
    before = state(base)
    line = case.line.replace("BASE", str(base))
    if _runs_here(line, base, surroundings):
        _check(line, base)
    assert state(base) == before, line


# -- random calls ------------------------------------------------------------------------------------------------------

_FILES = (
    *("a.txt", "b.txt", "src", "src/main.py", ".", "data.json", "x.bin", "-", "missing", "*.txt", "src/*", ".*", "*"),
    *(
        ".env",
        "../outside/secret.txt",
        "out",
        "away",
        "away/*",
        "/etc/hostname",
        "src/..",
        "~",
        "hid",
        "sec*",
        "2",
        "x",
    ),
    *("HEAD", "HEAD~1", "main..other", "main", ":/First", "HEAD:a.txt", "HEAD:.env", "':(glob)**'", "list", "show"),
)
_TEXTS = (
    *("1", "2,3", "x", "'*.py'", "'.*'", "'*'", "/", "a", "f", "auto", "'%s %n'", "'%H %an'", "x,y", "always", "never"),
    *(
        "/etc/hostname",
        "out",
        "recurse",
        "read",
        "5",
        "+2",
        "'.'",
        "'{print}'",
        "'1,2p'",
        ".env",
        "@a.txt",
        "e",
        "name",
    ),
    *("'s/a/b/'", "'.[]'", "py", "json", "1:2", "d", "pid,comm", "binary", "UTC", "iso", "'+%s'"),
)
_SLOW = {"sleep", "tty"}


def _rows() -> dict[str, Row]:
    found = {name: row for name, row in ROWS.items() if (name in BUILTINS or shutil.which(name)) and name not in _SLOW}
    return found | {f"git {name}": row for name, row in git.COMMANDS.items()}


_ROWS = _rows()


@st.composite
def _calls(draw: st.DrawFn) -> str:
    """A call of a program of the rows, with some of its options in some order and form, and operands."""
    name = draw(st.sampled_from(sorted(_ROWS)))
    row = _ROWS[name]
    words: list[str] = []
    text = st.sampled_from((*_TEXTS, *_FILES))
    options = [
        *(f"-{letter}" for letter in row.flags),
        *(f"-{letter}" for letter in (*row.values, *row.joined)),
        *(f"--{word}" for word in (*row.long.split(), *row.optional.split(), *row.long_values)),
    ]
    for _ in range(draw(st.integers(0, 4))):
        if not options:
            break
        option = draw(st.sampled_from(options))
        last = option.lstrip("-")
        if option.startswith("--"):
            valued = last in row.long_values or (last in row.optional.split() and draw(st.booleans()))
            words += [option] if not valued else draw(st.sampled_from([[f"{option}=", ""], [option, " "]]))[:1]
            if valued:
                value = draw(text)
                words[-1:] = [words[-1] + value] if words[-1].endswith("=") else [words[-1], value]
        else:
            cluster = draw(st.text(row.flags, max_size=2)) if row.flags else ""
            word = f"-{cluster}{last}"
            words += [word + draw(text)] if draw(st.booleans()) and last in (*row.values, *row.joined) else [word]
            if last in row.values and words[-1] == word:
                words.append(draw(text))
        if draw(st.integers(0, 5)) == 0:
            words.append(draw(text))
    if draw(st.integers(0, 9)) == 0:
        words.append("--")
    words += draw(st.lists(text, max_size=3))
    return " ".join([name, *words, *(["]"] if name == "[" else [])])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with secrets, with links that lead out, and with names that are easily misread."""
    base = tmp_path_factory.mktemp("hostile").resolve()
    build(base)
    prepare(base)
    work = base / "work"
    (base / "outside/secret.txt").write_text(f"{OUTSIDE}\n")
    (work / "out").symlink_to("../outside/secret.txt")
    (work / "away").symlink_to("../outside")
    (work / "src/.env").write_text(f"A={SECRET}\n")
    (work / ".env").write_text(f"A={SECRET}\n")
    (work / "tests/secrets.yaml").write_text(f"{SECRET}\n")
    (work / "x.bin").write_bytes(bytes(range(256)))
    (work / "opts").write_text("../outside/secret.txt\n")
    return base


@many
@given(line=_calls())
def test_random_calls_that_are_judged_to_read_only_read(line: str, hostile: Path) -> None:
    if _judged(line, hostile, Surroundings(hostile / "work", (hostile / "daemon",))) is None:
        before = state(hostile)
        _check(line, hostile)
        assert state(hostile) == before, line


def test_the_canaries_and_the_trace_notice(shared: Path) -> None:
    """What the other tests rely on."""
    before = state(shared)
    ran = run("less a.txt; echo x > new; evil", shared, shared / "work")
    after = state(shared)
    marks = [name for name in after.keys() - before.keys() if "mark-" in name]
    assert len(marks) == 2
    assert str(shared / "work/new") in after
    assert {"less", "evil"} <= set(CANARIES)
    if ran.programs is not None:
        assert {"less", "evil"} <= ran.programs
        assert any("new" in call for call in ran.changes or ())
    for name in (*marks, str(shared / "work/new")):
        os.unlink(name)
