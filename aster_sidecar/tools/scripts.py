"""Which files a command line would run, as far as its words tell: an approval is bound to what they hold."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from aster_sidecar.tools.content import Content, content_at, read_text
from aster_sidecar.tools.display import shown, sized, visible
from aster_sidecar.tools.paths import forbidden, holds_secrets

MOST_FILES = 32
MOST_WORDS = 400
MOST_ENTRIES = 2000  # of a directory, for a pattern
SHOWN_FILES = 4
SHOWN_LINES = 24
SHOWN_CHARS = 2000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These run the first file that is named behind them.
_INTERPRETERS = _words(
    "sh bash zsh dash ash ksh mksh fish csh tcsh busybox . source exec command env sudo doas python pypy node nodejs"
    " deno bun tsx ts-node ruby perl php lua luajit tclsh wish julia r rscript java groovy kotlin scala swift dotnet"
    " pwsh powershell awk gawk mawk sed make gmake just task rake ansible-playbook terraform docker-compose psql"
    " sqlite3 gdb expect osascript qemu-x86_64 ld-linux-x86-64.so.2 setarch linux64 nice nohup timeout time xargs"
    " watch strace"
)
_SCRIPTS = (
    *(".sh", ".bash", ".zsh", ".fish", ".py", ".pyw", ".js", ".mjs", ".cjs", ".ts", ".mts", ".rb", ".pl", ".php"),
    *(".lua", ".tcl", ".r", ".jl", ".ps1", ".bat", ".cmd", ".awk", ".sed", ".mk", ".groovy", ".kts", ".sql"),
)
# What these run stands in files that the command line does not name.
_UNNAMED = {
    "make": ("GNUmakefile", "makefile", "Makefile"),
    "gmake": ("GNUmakefile", "makefile", "Makefile"),
    "ninja": ("build.ninja",),
    "just": ("justfile", ".justfile", "Justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "rake": ("Rakefile",),
    **dict.fromkeys(("npm", "npx", "pnpm", "yarn", "bun"), ("package.json",)),
    "cargo": ("Cargo.toml", "build.rs", ".cargo/config.toml"),
    "mvn": ("pom.xml",),
    **dict.fromkeys(
        ("gradle", "gradlew"), ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")
    ),
    **dict.fromkeys(
        ("tox", "nox", "pytest", "hatch", "poetry", "pdm", "uv"), ("pyproject.toml", "tox.ini", "setup.cfg")
    ),
    **dict.fromkeys(("docker", "podman"), ("Dockerfile", "Containerfile", "compose.yaml", "docker-compose.yml")),
    "docker-compose": ("compose.yaml", "docker-compose.yml"),
    "pre-commit": (".pre-commit-config.yaml",),
    "vagrant": ("Vagrantfile",),
}
_SEGMENT = re.compile(r"[;&|\n(){}`]|<<<")
_WORD = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s'"<>]+)""")


def run_by(command: str, cwd: Path, protected: tuple[Path, ...]) -> dict[str, Path]:
    """The files that a command line would run in the directory `cwd`, by the words that name them.

    A look at the words, not a grammar: what a program reads by itself is not among them. Files that no tool may open
    are left out: the system's own and the `protected` ones.
    """
    found: dict[str, Path] = {}
    folders = [cwd]
    words = 0
    for segment in _SEGMENT.split(command):
        programs: list[str] = []
        runs_first = False
        for place, word in enumerate(_words_of(segment)):
            words += 1
            if words > MOST_WORDS or len(found) >= MOST_FILES:
                return found
            if place == 1 and programs[:1] == ["cd"]:
                folders.append(Path(os.path.normpath(cwd / word)))
            bare = os.path.basename(word).casefold().removesuffix(".exe")
            if not word.startswith("-"):
                programs.append(bare)
            taken = False
            for name, path in _named(word, folders):
                if forbidden(Path(os.path.realpath(path)), protected):
                    continue
                first = runs_first or (place == 0 and (os.sep in word or os.name == "nt"))
                if first or _is_script(path):
                    found[name], taken = path, True
            runs_first = (runs_first and not taken) or re.sub(r"[-.\d]+$", "", bare) in _INTERPRETERS
            for name in _UNNAMED.get(bare, ()):
                for folder in folders:
                    if _is_file(folder / name):
                        found[name] = folder / name
    return found


def _words_of(segment: str) -> Iterator[str]:
    for single, double, bare in _WORD.findall(segment):
        quoted = single or double
        yield quoted or bare
        if " " in quoted:  # what follows -c
            yield from quoted.split()
        if "=" in bare:
            yield bare.partition("=")[2]


def _named(word: str, folders: list[Path]) -> Iterator[tuple[str, Path]]:
    """The files that a word names. Its own directory is that of the command, or one that it changes to."""
    plain = os.path.expanduser(word.replace("\\", "") if os.name != "nt" else word)
    if not plain or len(plain) > 4096 or "\0" in plain:
        return
    for folder in folders:
        path = os.path.join(folder, plain)
        for name in _matching(path) if re.search(r"[*?[]", plain) else (path,):
            if _is_file(Path(name)):
                yield os.path.relpath(name, folders[0]) if plain != word or name != path else word, Path(name)


def _matching(path: str) -> list[str]:
    """The files that a pattern in the last part of a path names; patterns before it could walk the whole disk."""
    folder, pattern = os.path.split(path)
    if re.search(r"[*?[]", folder):
        return []
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MOST_ENTRIES)]
    except OSError:
        return []
    return [os.path.join(folder, name) for name in sorted(fnmatch.filter(names, pattern))[:MOST_FILES]]


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _is_script(path: Path) -> bool:
    """Whether a file says of itself that it is run: by its name, its mode or its first bytes."""
    if path.suffix.casefold() in _SCRIPTS or os.access(path, os.X_OK):
        return True
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def held(path: Path) -> Content:
    """What the file at `path` holds, links followed."""
    return content_at(Path(os.path.realpath(path)))


def described(files: dict[str, Path], contents: dict[str, Content]) -> str:
    """The files for a person: how they begin, each line marked so that none can pose as ours."""
    parts: list[str] = []
    for name, path in list(files.items())[:SHOWN_FILES]:
        data = contents[name].data
        size = f" ({sized(len(data))})" if data is not None else ""
        parts.append(f"\n\u2039runs\u203a {shown(name)}{size}")
        read = read_text(data) if data is not None and not holds_secrets(path) else None
        if read is None or os.path.basename(name) in {one for names in _UNNAMED.values() for one in names}:
            continue
        lines = visible(read[0][:SHOWN_CHARS].removesuffix("\n")).split("\n")
        parts += [f"\n| {line}" for line in lines[:SHOWN_LINES]]
        if len(lines) > SHOWN_LINES or len(read[0]) > SHOWN_CHARS:
            parts.append("\n\u2039and more\u203a")
    if len(files) > SHOWN_FILES:
        parts.append(f"\n\u2039runs\u203a {len(files) - SHOWN_FILES} more files")
    return "".join(parts)
