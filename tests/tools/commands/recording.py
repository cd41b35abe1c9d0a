"""Real shells that run a line with programs that only record how they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_RECORDER = r"""#!/bin/sh
printf '%s\0' "${0##*/}" "$PWD" "$#" "$@" >> "$RECORD"
"""


def shells() -> list[tuple[str, ...]]:
    """The POSIX shells of this machine, as the beginning of a command."""
    known = [
        ("sh",),
        ("dash",),
        ("bash",),
        ("bash", "--posix"),
        ("busybox", "ash"),
        ("mksh",),
        ("yash", "--posix"),
        ("ksh",),
        ("ksh93",),
        ("zsh", "--emulate", "sh"),
    ]
    found = [(path, *rest) for name, *rest in known if (path := shutil.which(name)) is not None]
    return list({(os.path.realpath(path), *rest): (path, *rest) for path, *rest in found}.values())


@dataclass(frozen=True, slots=True)
class Call:
    """A program that was started: its name, its directory and its arguments."""

    program: str
    cwd: Path
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorder:
    """Programs called `names` that record their calls, and do nothing else."""

    base: Path
    names: tuple[str, ...]

    def prepare(self) -> None:
        self.programs.mkdir()
        self._records.mkdir()
        for name in self.names:
            (self.programs / name).write_text(_RECORDER)
            (self.programs / name).chmod(0o755)

    @property
    def programs(self) -> Path:
        return self.base / "programs"

    @property
    def _records(self) -> Path:
        return self.base / "records"

    def run(self, shell: tuple[str, ...], line: str, cwd: Path, home: Path) -> list[Call]:
        """The calls that the shell makes for the line."""
        # Each run has a file of its own: what a line left in the background writes to that one.
        handle, record = tempfile.mkstemp(dir=self._records)
        os.close(handle)
        env = {
            "RECORD": record,
            "PATH": str(self.programs),
            "HOME": str(home),
            "PWD": str(cwd),
            "U": "u v *",
            "LC_ALL": "C.UTF-8",
        }
        subprocess.run(
            (*shell, "-c", line),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
        )
        if "&" in line:
            time.sleep(0.02)
        fields = [os.fsdecode(field) for field in Path(record).read_bytes().split(b"\0")][:-1]
        calls: list[Call] = []
        while fields:
            program, folder, count, *rest = fields
            calls.append(Call(program, Path(folder), tuple(rest[: int(count)])))
            fields = rest[int(count) :]
        return calls
