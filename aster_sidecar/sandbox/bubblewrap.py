"""How a command is started in bubblewrap: the arguments, the filter of system calls, and the limits. Linux."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aster_sidecar.sandbox import seccomp
from aster_sidecar.sandbox.spec import Network
from aster_sidecar.sandbox.survey import Survey, is_in

BWRAP_PLACES = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin", "/run/wrappers/bin")
"""Looked at before PATH, where a command could have put another program."""
CHECK_PATH = "/usr/bin:/bin:/run/current-system/sw/bin"
MEMORY_BYTES = 1 << 30
"""The size of each file system in memory."""
OPEN_FILES, PROCESSES = 8192, 4096
CANNOT_START = 126
_FILTER_FD = 9

# The launcher opens the filter, because a program's descriptors come from the keeper, and sets the limits. `ulimit -p`
# is dash's and busybox's name of -u. A limit that is lower already stays.
_LAUNCH = (
    f'exec {_FILTER_FD}<"$1" || exit {CANNOT_START}; shift; ulimit -c 0;'
    f" {{ ulimit -n {OPEN_FILES}; ulimit -u {PROCESSES} || ulimit -p {PROCESSES}; }} 2>/dev/null;"
    ' exec "$@"'
)


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """A bubblewrap that is installed, and the files that it needs."""

    path: str
    options: frozenset[str]
    """The options that it knows, such as "--disable-userns"."""
    filter: str
    empty: str
    """An empty file, which stands in the place of hidden ones."""


def find(path: str) -> str | None:
    """Where bubblewrap is; None when it is not installed. `path`: a PATH."""
    return shutil.which("bwrap", path=os.pathsep.join((*BWRAP_PLACES, path)))


def set_up(path: str, help_text: str, files: Path) -> Bubblewrap:
    """Write the files into the directory `files`, and find out the options from the output of `bwrap --help`.

    Raises: OSError.
    """
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {word for line in help_text.splitlines() for word in line.split()[:1] if word.startswith("--")}
    if os.stat(path).st_mode & stat.S_ISUID:
        options.discard("--disable-userns")  # a set-user-ID bubblewrap refuses it
    contents = {"filter": seccomp.program(platform.machine()), "empty": b""}
    for name, content in contents.items():
        file = files / name
        if not file.is_file() or file.read_bytes() != content:
            new = files / f"{name}.{os.getpid()}"
            new.write_bytes(content)
            new.chmod(0o400)
            new.replace(file)
    return Bubblewrap(path, frozenset(options), str(files / "filter"), str(files / "empty"))


def arguments(
    found: Survey,
    network: Network,
    program: Bubblewrap,
    argv: Sequence[str],
) -> list[str]:
    """The command line that starts `argv` in the sandbox. It looks at nothing: what there is, `found` says."""
    args = [program.path, "--ro-bind", "/", "/"]
    args += ["--dev", "/dev", *_memory("/dev/shm"), "--remount-ro", "/dev"]
    # Writing in /proc is only needed by what the sandbox refuses anyway, and root could change the system there.
    args += ["--proc", "/proc", "--remount-ro", "/proc"]
    for place in found.runtime:
        args += _memory(place)
    for name in found.visible_in_runtime:
        args += ["--ro-bind-try", name, name]
    for place in found.temporary:
        # A mount in the session's own directory would make directories there, through links that a command has made.
        args += _memory(place) if is_in(found.folder, place) else ["--bind", found.private_tmp, place]
    inside = [path for path in (*found.hidden_folders, *found.hidden_files) if is_in(path, found.folder)]
    gone = (*found.temporary, *found.runtime, "/dev", "/proc")
    outside = [
        path
        for path in (*found.hidden_folders, *found.hidden_files)
        if path not in inside and not any(is_in(path, place) for place in gone)
    ]
    args += _hidden(outside, found, program)
    args += ["--bind", found.folder, found.folder]
    for path in found.repositories:
        args += ["--bind", path, path]
    for path in found.read_only:
        args += ["--ro-bind", path, path]
    args += _hidden(inside, found, program)
    for place in found.runtime:
        args += ["--remount-ro", place]
    args += ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    args += ["--unshare-net"] if network == "none" else []
    args += [option for option in ("--disable-userns",) if option in program.options]
    args += ["--cap-drop", "ALL", "--new-session", "--die-with-parent", "--seccomp", str(_FILTER_FD)]
    args += ["--chdir", found.cwd, "--"]
    return ["/bin/sh", "-c", _LAUNCH, "sh", program.filter, *args, *_checked(found, argv)]


def _memory(place: str) -> list[str]:
    return ["--size", str(MEMORY_BYTES), "--tmpfs", place]


def _hidden(paths: Sequence[str], found: Survey, program: Bubblewrap) -> list[str]:
    """An empty read-only directory or file in the place of each path."""
    args: list[str] = []
    for path in paths:
        if path in found.hidden_folders:
            args += ["--size", "4096", "--tmpfs", path, "--remount-ro", path]
        else:
            args += ["--ro-bind", program.empty, path]
    return args


def _checked(found: Survey, argv: Sequence[str]) -> list[str]:
    """Inside, before the command: what was mounted has to be what was looked at.

    A command that runs at the same time could have put a link to a secret there, which bubblewrap would have followed.
    """
    paths = shlex.join(path for path, _ in found.identities)
    wanted = "\n".join(identity for _, identity in found.identities)
    script = (
        f'[ "$(PATH={CHECK_PATH} stat -c %d:%i -- {paths})" = {shlex.quote(wanted)} ] && exec "$@";'
        f" echo 'aster: the folder was changed while the sandbox was made; run it again' >&2; exit {CANNOT_START}"
    )
    return ["/bin/sh", "-c", script, "sh", *argv]
