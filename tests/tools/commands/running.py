"""Runs a line for real, as the tool does when it is judged to read, and notices what it does besides reading."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from aster_sidecar.services.process_tree import clean_environment
from aster_sidecar.tools.commands import git

STRACE = shutil.which("strace")
CANARIES = (
    *("gpg", "gpgsm", "ssh-keygen", "less", "more", "vi", "vim", "nano", "ssh", "curl", "wget", "pr", "gzip", "gunzip"),
    *("zcat", "bzip2", "xz", "touch", "rm", "cp", "mv", "tee", "evil", "git-lfs", "notify-send", "xdg-open"),
)
"""Programs that no line that reads starts; each leaves a mark, whatever is installed."""
_CHANGING = (
    "creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,"
    "utimensat,link,linkat,symlink,symlinkat,truncate,ftruncate,mknod,mknodat,connect"
)
_TRACED = f"trace=execve,openat,open,{_CHANGING}"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a line printed; the programs that were started, and what may have changed something (None: not known)."""

    output: str
    programs: frozenset[str] | None
    changes: tuple[str, ...] | None


def prepare(base: Path) -> None:
    """Programs that leave a mark, and a repository and files that try to start them."""
    folder = base / "canaries"
    folder.mkdir()
    for name in CANARIES:
        (folder / name).write_text(f'#!/bin/sh\n: > "{base}/mark-$$"\n')
        (folder / name).chmod(0o755)
    work = base / "work"
    (work / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n*.txt diff=other\n")
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction", "pre-commit", "post-checkout"):
        (work / ".git/hooks").mkdir(exist_ok=True)
        (work / ".git/hooks" / hook).write_text(f"#!/bin/sh\n{folder}/evil\n")
        (work / ".git/hooks" / hook).chmod(0o755)
    (work / ".lessfilter").write_text(f"#!/bin/sh\n{folder}/evil\n")
    (work / ".ripgreprc").write_text("--pre=evil\n")
    (work / "a.txt").touch()  # so that its time is not what git's index has


def run(line: str, base: Path, cwd: Path, within_s: float = 10) -> Ran:
    """Run a line in the environment that the tool has for it."""
    path = f"{base}/canaries{os.pathsep}{os.environ['PATH']}"
    env = {**clean_environment({**os.environ, "PATH": path, "HOME": f"{base}/home"}), "PWD": str(cwd), **git.SAFE}
    trace = base / "trace"
    command = ("/bin/sh", "-c", line)
    if STRACE is not None:
        options = ("-ff", "-qq", "-y", "-s", "300", "-e", _TRACED, "-e", "signal=none", "-o", str(trace))
        command = (STRACE, *options, *command)
    with (base / "output").open("wb") as output:
        started = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            started.wait(within_s)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
    printed = (base / "output").read_bytes().decode("utf-8", "replace")
    if STRACE is None:
        return Ran(printed, None, None)
    calls: list[str] = []
    for found in base.glob("trace.*"):  # one for each process
        calls += found.read_text(errors="replace").splitlines()
        found.unlink()
    changes = [call for call in calls if _changes(call)]
    programs = frozenset(
        name[1] for call in calls if (name := re.search(r'execve\("(?:[^"]*/)?([^"/]+)", .* = 0', call))
    )
    return Ran(printed, programs, tuple(changes))


def _changes(call: str) -> bool:
    """Whether a traced call may change a file: temporary files apart, which programs make for themselves."""
    if re.search(r" = -1 [A-Z]+ ", call) or "execve(" in call:
        return False
    if re.search(r"\bopen(at)?\(", call):
        return (
            bool(re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", call))
            and '"/dev/null"' not in call
            and '"/dev/tty"' not in call
        )
    return True


def state(base: Path) -> dict[str, tuple[object, ...]]:
    """Each file and folder beneath base: mode, size, times, and contents or target."""
    found: dict[str, tuple[object, ...]] = {}
    for name in ("work", "home", "outside", "daemon", "canaries"):
        for folder, _, files in os.walk(base / name):
            for path in (folder, *(os.path.join(folder, one) for one in files)):
                one = os.lstat(path)
                held = os.readlink(path) if stat.S_ISLNK(one.st_mode) else b""
                if stat.S_ISREG(one.st_mode):
                    held = Path(path).read_bytes()
                found[path] = (one.st_mode, one.st_size, one.st_mtime_ns, one.st_nlink, held)
    marks = {str(path): () for path in base.glob("mark-*")}
    return {**found, **marks}
