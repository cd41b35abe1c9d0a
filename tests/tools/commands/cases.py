"""What a case about a command line is, and the folder in which it is judged."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aster_sidecar.policy.permissions import Rule
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.commands.program_scopes import judged
from aster_sidecar.tools.commands.rows import ROWS, VERSIONED

PROGRAMS = (
    *(set(ROWS) - {"echo", "printf", "true", "false", "test", "[", "pwd", ":", "type", "command", "exit"}),
    *("find", "git", *VERSIONED),
    *("env", "xargs", "timeout", "nice", "nohup", "time", "sudo", "busybox", "sh", "bash", "tee", "cp", "rm", "touch"),
    *("less", "more", "vi", "tar", "make", "npm", "watch", "setsid", "stdbuf", "chroot", "unshare", "parallel"),
)
"""Programs that every judged line finds, whatever is installed."""


@dataclass(frozen=True, slots=True)
class Case:
    """One command line: what is decided, and why.

    `why` of a line that asks is a part of the reason that a person reads. `there` are files that exist besides, by
    their names from the folder's parent on: their contents, or after "link:", "hard:" and "dir:" what they are.
    `config` is added to the repository's configuration. `denies` are rules: tool, kind, and value from the folder's
    parent on, or a command.
    """

    line: str
    decision: Literal["reads", "asks"]
    why: str
    there: Mapping[str, str] = field(default_factory=dict[str, str])
    config: str = ""
    denies: tuple[tuple[str, Literal["exact", "beneath", "any"], str], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def plain(self) -> bool:
        return not (self.there or self.config or self.denies)


_FILES = {
    "work/a.txt": "one\ntwo\nthree\n",
    "work/b.txt": "one\n2\nthree\n",
    "work/with space.txt": "x\n",
    "work/data.json": '{"name": "x", "scripts": {"test": "y"}, "items": [{"id": 1}]}\n',
    "work/package.json": '{"name": "x"}\n',
    "work/README.md": "# Read me\nTODO\n",
    "work/Makefile": "all:\n\techo\n",
    "work/src/main.py": "import os\n\n\ndef main():\n    pass  # TODO\n",
    "work/src/util.py": "def helper():\n    return 1\n",
    "work/src/deep/x.py": "x = 1\n",
    "work/docs/guide.md": "# Guide\n",
    "work/tests/test_a.py": "def test_a():\n    assert True\n",
    "work/node_modules/pkg/index.js": "module.exports = 1\n",
    "work/.gitignore": "node_modules/\n*.log\n",
    "home/work2/x": "x\n",
    "outside/secret.txt": "secret\n",
    "daemon/aster.db": "the journal\n",
}


def build(base: Path) -> None:
    """Folders in `base`: work (a repository), home, outside, daemon, and bin (programs without effect)."""
    for name, text in _FILES.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    programs = base / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text("a program\n")
        (programs / name).chmod(0o755)
    work = base / "work"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(base / "home"),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "x@y.z" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        **{f"GIT_{who}_DATE": "2026-11-20T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
    }
    for command in (
        ("init", "-q", "-b", "main"),
        ("add", "a.txt", "src", ".gitignore"),
        ("commit", "-qm", "First"),
        ("add", "-A"),
        ("commit", "-qm", "Second"),
        ("branch", "other"),
        ("tag", "v1"),
    ):
        subprocess.run(("git", *command), cwd=work, env=env, check=True)


def place(base: Path, case: Case) -> Surroundings:
    """Make what the case needs in `base`, which `build` made."""
    for name, what in case.there.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if what.startswith("link:"):
            path.symlink_to(what.removeprefix("link:").replace("BASE", str(base)))
        elif what.startswith("hard:"):
            path.hardlink_to(base / what.removeprefix("hard:"))
        elif what.startswith("dir:"):
            path.mkdir()
        elif what.startswith("fifo:"):
            os.mkfifo(path)
        elif what.startswith("gone:"):
            (shutil.rmtree if path.is_dir() else os.unlink)(path)
        else:
            path.write_text(what.replace("BASE", str(base)))
    if case.config:
        with (base / "work/.git/config").open("a") as file:
            file.write(case.config)
    rules = [
        Rule(str(number), "deny", tool, kind, value.replace("BASE", str(base)))
        for number, (tool, kind, value) in enumerate(case.denies)
    ]
    return Surroundings(
        base / "work", (base / "daemon",), lambda tool: [rule for rule in rules if rule.tool in (tool, "*")]
    )


def why_not(case: Case, base: Path, surroundings: Surroundings) -> str | None:
    """Why a person is asked; None if the line runs unasked."""
    env = {"PATH": str(base / "bin"), "HOME": str(base / "home"), **case.env}
    line = case.line.replace("BASE", str(base))
    return judged(line, surroundings.work_dir, surroundings, env, None).why_not
