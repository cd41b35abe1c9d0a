"""Replays a session: each call is assessed and decided, and a person answers the questions. No call is run.

The sessions are made up. They follow public transcripts in what agents run, how lines are put together, and how often
programs come again, though with more kinds of programs and fewer edits.

A session is a file of JSON lines. The first has the files of the work folder. Each other line is a call: its tool and
arguments; `makes`, the files that are there after it; `network`, if the command needs it; and for a call that a person
should deny, `dangerous` and `why`. `@WORK@` stands for the work folder.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from aster_sidecar.policy.permissions import Assessment, Rule, Scope, Verdict
from aster_sidecar.sandbox.commands import CommandSandbox
from aster_sidecar.sandbox.probe import State
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.commands.rows import names
from aster_sidecar.tools.registry import Toolkit
from aster_sidecar.tools.shell_commands import handed_over, why_not_remembered
from tests.tools.commands.cases import PROGRAMS

HERE = Path(__file__).parent
WORK = "@WORK@"

_PROGRAMS = (
    *PROGRAMS,
    *names(
        """
        aws awk bash black cargo cc chmod clang-format clang-tidy cmake convert cppcheck ctest curl dd docker gcc gdb gh
        go gofmt golangci-lint gzip history iconv isort join jq jupyter kill kubectl ldd lsof mkdir mkdocs mv mypy nc
        ninja nl nm node npx objdump patch pip pkill pnpm ps psql pytest python python3 rg rmdir ruff rustc rustup shuf
        sleep split sqlite3 strace strings tox twine unzip valgrind xdg-open zcat
        """
    ),
)
"""Programs that every session finds, whatever is installed."""

_HOME = {
    ".bashrc": "# settings\n",
    ".bash_history": "ls\n",
    ".npmrc": "# settings\n",
    ".ssh/config": "Host *\n",
    ".ssh/id_ed25519": "a key\n",
    ".cargo/credentials.toml": "# a token\n",
    "Desktop/notes.txt": "notes\n",
    "projects/other/README.md": "# Other\n",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a session. A person denies it if it is `dangerous`; `why` says what is dangerous about it."""

    tool: str
    arguments: Mapping[str, Any]
    makes: Mapping[str, str] = field(default_factory=dict[str, str])
    network: bool = False
    dangerous: bool = False
    why: str = ""

    def __str__(self) -> str:
        said = self.arguments.get("command") or self.arguments.get("path") or self.arguments.get("url")
        return f"{self.tool}: {said}"


@dataclass(frozen=True, slots=True)
class Session:
    """A recorded session. `files`: the work folder before it; `commits`: how many its repository has, 0 without one."""

    name: str
    about: str
    commits: int
    files: Mapping[str, str]
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a session. `asked` and `allowed` have a call for each question, and for each dangerous call that
    ran unasked."""

    session: Session
    asked: list[Call]
    allowed: list[Call]


def sessions() -> list[Session]:
    """All recorded sessions, in the order of their names."""
    return [_read(path) for path in sorted(HERE.glob("*.jsonl"))]


def _read(path: Path) -> Session:
    head, *rows = map(json.loads, path.read_text("utf-8").splitlines())
    calls = [Call(**row) for row in rows]
    return Session(path.stem, head["about"], head["commits"], head["files"], calls)


# -- the two policies --------------------------------------------------------------------------------------------------


Policy = Callable[[Call, Assessment, Surroundings], Assessment]
"""Changes the assessment of a call into that of another policy."""


def now(call: Call, assessment: Assessment, surroundings: Surroundings) -> Assessment:
    """The assessment of today."""
    return assessment


def before(call: Call, assessment: Assessment, surroundings: Surroundings) -> Assessment:
    """The assessment before commands that only read ran unasked, and before an answer had scopes.

    Every command asked. "Always" covered exactly one command line, and only of programs that nothing can make run
    something else. For files it covered the work folder, as today.
    """
    if call.tool != "run_command":
        return replace(assessment, scopes=())
    line, cwd = str(call.arguments["command"]), Path(assessment.binding["cwd"])
    unsure = handed_over(line) or why_not_remembered(line, cwd, surroundings.work_dir, os.environ["PATH"])
    exact = None if unsure else Scope("exact", assessment.target, "exactly this command")
    return replace(assessment, risk="high", remember=exact, scopes=(), needs=())


# -- replaying ---------------------------------------------------------------------------------------------------------


def replayed(session: Session, base: Path, policy: Policy = now, *, sandbox: bool = False) -> Replayed:
    """Replay a session in the new directory `base`, in the mode `smart_approve`, without rules at first.

    `sandbox`: commands run in one that holds, and the agent asks for the network where a command needs it.
    """
    with _built(session, base) as surroundings:
        if sandbox:
            surroundings = replace(surroundings, sandbox=_holding(base / "sandbox"))
        rules: list[Rule] = []
        toolkit = Toolkit(builtin_tools(), lambda _: surroundings, lambda *_: "smart_approve", lambda: rules)
        toolkit = toolkit.called_by("agent", "session")
        asked: list[Call] = []
        allowed: list[Call] = []
        for call in session.calls:
            arguments = _placed(call.arguments, surroundings.work_dir)
            if sandbox and call.network:
                arguments |= {"network": "all", "why": "it sends or fetches something"}
            _, assessment = toolkit.assess(call.tool, arguments)
            assessment = policy(replace(call, arguments=arguments), assessment, surroundings)
            verdict: Verdict = toolkit.decide(call.tool, arguments, assessment, "agent", "session").verdict
            if verdict == "ask":
                asked.append(call)
                scope = None if call.dangerous else _chosen(assessment)
                if scope is not None:
                    rules.append(Rule(f"r{len(rules)}", "allow", call.tool, scope.kind, scope.value))
            elif verdict == "allow" and call.dangerous:
                allowed.append(call)
            if verdict != "deny" and not call.dangerous:
                _make(call, arguments, surroundings.work_dir)
    return Replayed(session, asked, allowed)


def _holding(files: Path) -> CommandSandbox:
    sandbox = CommandSandbox(lambda: "auto", files)
    sandbox.state = State("full", "it holds")
    return sandbox


def _chosen(assessment: Assessment) -> Scope | None:
    """What a reasonable person lets "always" cover; None: they allow the call once.

    It is this program and subcommand for a command, the work folder for a file, and else the least that is offered,
    also for a command with the network of its sandbox.
    """
    offered = {scope.scope_id: scope for scope in assessment.scopes}
    wider = offered.get("program") or offered.get("work_folder") if "network" not in assessment.binding else None
    return wider or (assessment.scopes[0] if assessment.scopes else assessment.remember)


def _placed(value: Any, work_dir: Path) -> Any:
    """The value with the work folder in place of `@WORK@`."""
    if isinstance(value, str):
        return value.replace(WORK, str(work_dir))
    if isinstance(value, Mapping):
        return {name: _placed(one, work_dir) for name, one in cast("Mapping[str, Any]", value).items()}
    return value


def _make(call: Call, arguments: Mapping[str, Any], work_dir: Path) -> None:
    """Make the files that are there after a call, in the work folder only."""
    made = dict(call.makes)
    path = arguments.get("path", "")
    if call.tool == "write_file":
        made[path] = arguments["content"]
    elif call.tool == "edit_file":
        found = (work_dir / path).read_text("utf-8")
        assert found.count(arguments["old"]) == 1, f"{call}: {arguments['old']!r} does not occur once"
        made[path] = found.replace(arguments["old"], arguments["new"])
    for name, text in made.items():
        if (work_dir / name).is_relative_to(work_dir):
            _write(work_dir / name, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@contextmanager
def _built(session: Session, base: Path) -> Generator[Surroundings]:
    """Work folder, home and programs in `base`; inside, the environment names them."""
    base = base.resolve()
    work, daemon, programs = base / "work", base / "daemon", base / "bin"
    for folder in (work, daemon, programs):
        folder.mkdir(parents=True)
    for name in set(_PROGRAMS):
        _write(programs / name, "a program\n")
        (programs / name).chmod(0o755)
    for name, text in _HOME.items():
        _write(base / "home" / name, text)
    for name, text in session.files.items():
        _write(work / name, text)
    if session.commits:
        _commit(work, base / "home", session.commits)
    with patch.dict(os.environ, {"PATH": str(programs), "HOME": str(base / "home")}):
        yield Surroundings(work, (daemon,))


def _commit(work: Path, home: Path, commits: int) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "x@y.z" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    made = [("commit", "-q", "--allow-empty", "-m", f"Change {n}") for n in range(commits)]
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), *made):
        subprocess.run(("git", *command), cwd=work, env=env, check=True)


# -- figures -----------------------------------------------------------------------------------------------------------


def table(then: Sequence[Replayed], today: Sequence[Replayed]) -> str:
    """The questions of each session with both policies, as lines of text."""
    lines = [f"{'session':<16} {'calls':>5} {'before':>6} {'now':>5} {'fewer':>6} {'dangerous':>9}"]
    total = [0, 0, 0, 0]
    for one, two in zip(then, today, strict=True):
        row = [len(one.session.calls), len(one.asked), len(two.asked), _dangerous(one.session)]
        total = [so_far + number for so_far, number in zip(total, row, strict=True)]
        lines.append(_line(one.session.name, row))
    return "\n".join([*lines, _line("all", total)])


def _line(name: str, row: Sequence[int]) -> str:
    calls, old, new, dangerous = row
    return f"{name:<16} {calls:>5} {old:>6} {new:>5} {1 - new / old:>6.0%} {dangerous:>9}"


def _dangerous(session: Session) -> int:
    return sum(call.dangerous for call in session.calls)
