"""Looks at the file system for one command: which paths the sandbox hides, and which it makes read-only."""

from __future__ import annotations

import glob
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aster_sidecar.sandbox import places, run_later
from aster_sidecar.sandbox.spec import NoSandbox, Spec

MOUNTS = "/proc/self/mountinfo"
SETTINGS_CHARS = 1 << 20


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is, with links resolved: each path can be the place of a mount."""

    folder: str
    cwd: str
    private_tmp: str
    hidden_folders: tuple[str, ...]
    hidden_files: tuple[str, ...]
    repositories: tuple[str, ...]
    """Directories of repositories in the folder, which a command may not rename."""
    read_only: tuple[str, ...]
    """In the folder."""
    identities: tuple[tuple[str, str], ...]
    """Paths inside that a command could have replaced while they were looked at, and "device:inode" of each."""
    known: Mapping[tuple[int, int], int]
    """What other programs run later in the folder: device and inode, and the time of the last change (st_ctime_ns)."""
    temporary: tuple[str, ...]
    """/tmp and /var/tmp, with links resolved."""
    temporary_directory: str
    """Which of them is the session's directory. One that the folder is in is new for each command."""
    runtime: tuple[str, ...]
    """/run and /var/run, with links resolved."""
    visible_in_runtime: tuple[str, ...]
    """What programs need of /run: NixOS's programs, and the file of name servers where it is a link."""
    more_later: tuple[str, ...]
    """More paths that other programs run later: in the home, when that is writable, and where a repository has its
    hooks. They may be missing."""
    began: float
    """Seconds of the epoch."""


def survey(spec: Spec, environ: Mapping[str, str]) -> Survey:
    """Look at the file system. Blocks, for some milliseconds. Raises: NoSandbox; OSError when the folder is gone."""
    began = time.time()
    folder = os.path.realpath(spec.folder, strict=True)
    cwd = os.path.realpath(spec.cwd, strict=True)
    home = os.path.realpath(spec.home)
    if folder in places.SYSTEM or not os.path.isdir(folder):
        raise NoSandbox(f"{folder} is a directory of the system or of all users, which a command may not write")
    places_to_hide = {*_secrets(home, environ), *_there(map(os.fspath, (*spec.protected, *spec.hidden)))}
    hidden = _outermost(places_to_hide | _other_mounts(places_to_hide))
    temporary = _resolved(("/tmp", "/var/tmp"))
    runtime = _resolved(("/run", "/var/run"))
    if not is_in(cwd, folder) and any(is_in(cwd, place) for place in (*temporary, *runtime, "/dev", "/proc")):
        raise NoSandbox(f"{cwd} is not visible in a sandbox, and not in the session's folder")
    for path in (folder, cwd):
        if around := next((place for place in hidden if is_in(path, place)), None):
            raise NoSandbox(f"{path} is in {around}, which is hidden from commands")
    found = run_later.before(folder)
    more_later = _hooks_elsewhere(entry.path for entry in found if entry.path.endswith("/.git/config"))
    if is_in(home, folder):
        more_later += [os.path.join(home, name) for name in places.RUN_LATER_IN_HOME]
        more_later += _programs(folder, environ)
    read_only, repositories = dict[str, None](), dict[str, None]()
    for entry in found:
        kind = repositories if entry.repository else read_only
        kind.update(dict.fromkeys(_there([entry.path])))
    read_only.update(dict.fromkeys(_there([*more_later, *map(os.fspath, spec.read_only)])))
    beneath = [path for path in read_only if is_in(path, folder) and not any(is_in(path, one) for one in hidden)]
    private_tmp = os.path.realpath(spec.private_tmp, strict=True)
    repositories = {path: None for path in repositories if is_in(path, folder)}
    # The session's own directory is seen at another place inside.
    own_tmp = next((place for place in temporary if not is_in(folder, place)), None)
    if own_tmp is None:
        raise NoSandbox("this system has no directory for temporary files besides the folder")
    checked = {path: os.lstat(path) for path in (folder, *repositories, *beneath)} | {own_tmp: os.lstat(private_tmp)}
    kinds = {path: _is_folder(path) for path in hidden}
    return Survey(
        folder=folder,
        cwd=cwd,
        private_tmp=private_tmp,
        hidden_folders=tuple(path for path, is_folder in kinds.items() if is_folder),
        hidden_files=tuple(path for path, is_folder in kinds.items() if is_folder is False),
        repositories=tuple(repositories),
        read_only=tuple(_outermost(beneath)),
        identities=tuple((path, f"{one.st_dev}:{one.st_ino}") for path, one in checked.items()),
        known={entry.identity: entry.status.st_ctime_ns for entry in found},
        temporary=temporary,
        temporary_directory=own_tmp,
        runtime=runtime,
        visible_in_runtime=_needed_in(runtime),
        more_later=tuple(more_later),
        began=began,
    )


def is_in(path: str, folder: str) -> bool:
    """Whether `path` is `folder`, or is in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _resolved(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths if os.path.isdir(path)))


def _needed_in(runtime: Iterable[str]) -> tuple[str, ...]:
    needed = ("/run/current-system", "/run/opengl-driver", os.path.realpath("/etc/resolv.conf"))
    return tuple(path for path in needed if os.path.exists(path) and any(is_in(path, place) for place in runtime))


def _secrets(home: str, environ: Mapping[str, str]) -> set[str]:
    """The files and directories of secrets that are there, with links resolved, and by every name that they have."""
    config = {os.path.join(home, ".config"), environ.get("XDG_CONFIG_HOME", "")}
    data = {os.path.join(home, ".local/share"), environ.get("XDG_DATA_HOME", "")}
    named = [
        *(os.path.join(home, name) for name in places.SECRETS),
        *(os.path.join(base, name) for base in config if os.path.isabs(base) for name in places.SECRETS_OF_CONFIG),
        *(os.path.join(base, name) for base in data if os.path.isabs(base) for name in places.SECRETS_OF_DATA),
        *(path for name in places.SECRET_VARIABLES for path in environ.get(name, "").split(os.pathsep)),
        *glob.glob(os.path.join(glob.escape(home), ".*_history*")),
        *(path for path in (*places.SECRETS_OF_SYSTEM, *glob.glob(places.HOST_KEYS)) if os.access(path, os.R_OK)),
    ]
    found = set(_there(path for path in named if os.path.isabs(path)))
    # Not the home or what contains it, which a variable or a link may name, nor a directory of the system.
    return {path for path in found if not is_in(home, path) and path not in places.SYSTEM}


def _other_mounts(paths: Iterable[str]) -> set[str]:
    """Other paths of the same files and directories: their file system may be mounted at several places. Linux."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split(" ") for line in file]
    except OSError:
        return set()
    mounts = [(fields[2], _unescaped(fields[3]), _unescaped(fields[4])) for fields in lines]
    found: set[str] = set()
    for path in paths:
        device, root, at = max((one for one in mounts if is_in(path, one[2])), key=lambda one: len(one[2]))
        inner = os.path.normpath(f"{root}/{os.path.relpath(path, at)}")
        for other, other_root, other_at in mounts:
            if other == device and other_at != at and is_in(inner, other_root):
                found.add(os.path.normpath(f"{other_at}/{os.path.relpath(inner, other_root)}"))
            elif other == device and other_at != at and is_in(other_root, inner):
                found.add(other_at)
    return {path for path in found if os.path.exists(path)}


def _unescaped(field: str) -> str:
    """A path of mountinfo, where spaces and the like are octal numbers. Source: man 5 proc."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _there(paths: Iterable[str]) -> list[str]:
    return [os.path.realpath(path) for path in paths if os.path.exists(path)]


def _outermost(paths: Iterable[str]) -> list[str]:
    """The paths that are not in another one of them, sorted."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda one: one.split("/")):
        if not kept or not is_in(path, kept[-1]):
            kept.append(path)
    return kept


def _hooks_elsewhere(settings: Iterable[str]) -> list[str]:
    """The directories of hooks that the settings of repositories name (core.hooksPath)."""
    found: list[str] = []
    for path in settings:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                named = re.findall(r'^\s*hookspath\s*=\s*"?([^"#;\n]+)', file.read(SETTINGS_CHARS), re.I | re.M)
        except OSError:
            continue
        top = os.path.dirname(os.path.dirname(path))
        found += [os.path.normpath(os.path.join(top, os.path.expanduser(name.strip()))) for name in named]
    return found


def _programs(folder: str, environ: Mapping[str, str]) -> list[str]:
    """The directories of PATH in the folder."""
    entries = [entry for entry in environ.get("PATH", "").split(os.pathsep) if os.path.isabs(entry)]
    return [entry for entry in entries if is_in(os.path.realpath(entry), folder)]


def _is_folder(path: str) -> bool | None:
    """None when the path is gone, or neither a directory nor a file: a device such as /dev/null holds no secret."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    return stat.S_ISDIR(mode) if stat.S_ISDIR(mode) or stat.S_ISREG(mode) else None
