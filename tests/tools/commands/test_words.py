"""What a line means: the parser, and what is judged to read, against the shells of this machine.

Random lines run with programs that only record their calls. `ASTER_EXAMPLES` is the number of lines of each test.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.commands.grammar import (
    Command,
    Joined,
    Redirected,
    Simple,
    Unclear,
    Word,
    parsed,
    simple_commands,
)
from aster_sidecar.tools.commands.operands import Files
from aster_sidecar.tools.commands.program_scopes import judged
from tests.tools.commands.line_grammar import lines
from tests.tools.commands.recording import Recorder, shells

pytestmark = pytest.mark.skipif(os.name == "nt", reason="cmd.exe runs lines there, and every line asks")
many = settings(
    max_examples=int(os.environ.get("ASTER_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SHELLS = shells()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with names that are easily misread, and home and outside beside it."""
    base = tmp_path_factory.mktemp("words").resolve()
    for name in ("work/d/e", "work/~", "home", "out"):
        (base / name).mkdir(parents=True)
    for name in ("a", "b c", "-n", "x*y", "é", "q'q", "[z]", ".hid", "a.x", "nl\nx", "{a,b}", "d/a", "d/e/f", "~/b"):
        (base / "work" / name).write_text("")
    (base / "work/L").symlink_to("d/e")
    return base


def _entries(base: Path) -> list[str]:
    return sorted(os.path.join(folder, name) for folder, *found in os.walk(base) for names in found for name in names)


def _matches(call: Sequence[str], words: Sequence[Word], files: Files, folders: Sequence[Path]) -> bool:
    """Whether the words may become the arguments of a call."""
    if not words:
        return not call
    first, rest = words[0], words[1:]
    if first.text is None:
        return any(_matches(call[place:], rest, files, folders) for place in range(len(call) + 1))
    if first.pattern is None:
        return bool(call) and call[0] == first.text and _matches(call[1:], rest, files, folders)
    known = {name for folder in folders for name in files.expanded(first, folder)}
    most = next((place for place, one in enumerate(call) if one not in known), len(call))
    return any(_matches(call[place:], rest, files, folders) for place in range(1, most + 1))


def _listed(command: Command, call: Sequence[str], files: Files, folders: Sequence[Path]) -> bool:
    return any(_matches(call, simple.words, files, folders) for simple in simple_commands(command))


def _written(command: Command) -> bool:
    """Whether the line has redirections that write to files."""
    match command:
        case Simple():
            return any(map(_written, command.within))
        case Joined():
            return any(map(_written, command.parts))
        case Redirected():
            to = [one.to.text for one in command.redirects if one.operator != "<"]
            inner = (*command.within, *((command.command,) if command.command is not None else ()))
            return any(one != os.devnull for one in to) or any(map(_written, inner))


def _understood(line: str, home: Path) -> Command | None:
    try:
        return parsed(line, str(home))
    except Unclear:
        return None


@pytest.fixture(scope="module")
def letters(base: Path) -> Recorder:
    (base / "parser").mkdir()
    recorder = Recorder(base / "parser", ("p", "q", "r", "pq"))
    recorder.prepare()
    return recorder


@many
@given(line=lines(("p", "q", "r")))
def test_a_shell_runs_only_what_the_parser_lists(line: str, base: Path, letters: Recorder) -> None:
    command = _understood(line, base / "home")
    if command is None:
        return
    files, work = Files(Surroundings(base / "work")), base / "work"
    folders = [work, work / "d", work / "d/e", base]
    before = _entries(work)
    for shell in SHELLS:
        for call in letters.run(shell, line, work, base / "home"):
            found = (call.program, *call.arguments)
            assert _listed(command, found, files, folders), (shell, line, found, command)
    assert _written(command) or _entries(work) == before, line


@pytest.fixture(scope="module")
def readers(base: Path) -> Recorder:
    (base / "judge").mkdir()
    recorder = Recorder(base / "judge", ("cat", "ls", "head", "rm"))
    recorder.prepare()
    return recorder


@many
@given(line=lines(("cat", "ls", "head")))
def test_what_is_judged_to_read_gets_only_files_of_the_folder(line: str, base: Path, readers: Recorder) -> None:
    work = base / "work"
    env = {"PATH": str(readers.programs), "HOME": str(base / "home")}
    if judged(line, work, Surroundings(work), env, None).why_not is not None:
        return
    before = _entries(work)
    for shell in SHELLS:
        for call in readers.run(shell, line, work, base / "home"):
            assert call.program != "rm", (shell, line)
            for word in call.arguments:
                if not word.startswith("-"):
                    place = Path(os.path.realpath(os.path.join(os.path.realpath(call.cwd), word)))
                    assert place.is_relative_to(work), (shell, line, call)
    assert _entries(work) == before, line
