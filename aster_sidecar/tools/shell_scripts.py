"""The files that a command line would run, going by its words: an approval is bound to their content."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from aster_sidecar.text.safe_text import shown, sized, visible
from aster_sidecar.tools.file_content import Content, content_at, read_text
from aster_sidecar.tools.paths import forbidden
from aster_sidecar.tools.sensitive_places import holds_secrets

MOST_FILES = 32
MOST_WORDS = 400
MOST_FOLDERS = 6
MOST_PROGRAMS = 64
MOST_VALUE_CHARS = 1024
MOST_ENTRIES = 2000
"""How many entries of a directory are compared with a pattern."""
SHOWN_FILES = 4
SHOWN_LINES = 24
SHOWN_CHARS = 2000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These run the first file that follows them.
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
# These run files that the command line does not name.
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
        ("tox", "nox", "pytest", "hatch", "poetry", "pdm", "uv"),
        ("pyproject.toml", "tox.ini", "setup.cfg", "noxfile.py", "conftest.py"),
    ),
    **dict.fromkeys(("docker", "podman"), ("Dockerfile", "Containerfile", "compose.yaml", "docker-compose.yml")),
    "docker-compose": ("compose.yaml", "docker-compose.yml"),
    "pre-commit": (".pre-commit-config.yaml",),
    "vagrant": ("Vagrantfile",),
}
# Interpreters that take a name without its suffix, or a directory.
_LOADING = _words("python pypy node nodejs deno bun tsx ts-node ruby perl lua luajit")
_ENDINGS = (".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pm", ".lua")
_IN_FOLDER = ("__main__.py", "__init__.py", "index.js", "init.lua")
_SEGMENT = re.compile(r"([;&|\n(){}`]|<<<)")
# On Windows, a backslash is a part of a path.
_BARE = r"[^\s'\"<>]" if os.name == "nt" else r"\\.|[^\s'\"<>\\]"
_ESCAPED = r"(.)" if os.name == "nt" else r"\\?(.)"
_WORD = re.compile(rf"""(?:'[^']*'|"[^"]*"|{_BARE})+""", re.DOTALL)
_PIECE = re.compile(rf"""'([^']*)'|"([^"]*)"|{_ESCAPED}""", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_ASSIGNED = re.compile(r"(?:^|[\s;&|(])(\w+)=([^\s;&|()]+)")
# An interpreter that runs only what comes through a pipe.
_FROM_PIPE = re.compile(r"(?:^|[\s/])(?:(?:ba|z|da|k)?sh|python[\d.]*|node|ruby|perl|php)(?:\s+-(?:s(?:\s.*)?)?)?\s*$")


def run_by(command: str, cwd: Path, protected: tuple[Path, ...], env: Mapping[str, str]) -> dict[str, Path]:
    """The files that a command line would run in the directory `cwd`, by their names in it.

    It looks at words and does not parse: files that a program reads by itself are not found. Variables are those of
    `env` and those that the line sets. Files that no tool may open are left out: the system's and the `protected` ones.
    """
    line = _Line(cwd, protected)
    piped: dict[str, Path] = {}
    left = MOST_WORDS
    segments = ["", *_SEGMENT.split(_expanded(command, cwd, env))]
    for between, segment in zip(segments[::2], segments[1::2], strict=True):
        words = list(islice(_words_of(segment), left))
        left -= len(words)
        named = line.read(words)
        piped = {**piped, **named} if between == "|" else named
        if between == "|" and _FROM_PIPE.search(segment):
            line.found |= piped
    line.add_unnamed()
    return dict(islice(line.found.items(), MOST_FILES))


class _Line:
    """What has been found out about a command line, segment by segment."""

    def __init__(self, cwd: Path, protected: tuple[Path, ...]) -> None:
        self.found: dict[str, Path] = {}
        """The files that it would run, by their names in `cwd`."""
        self._cwd = cwd
        self._protected = protected
        self._folders = [cwd]
        """The directories that it may have changed to."""
        self._unnamed: dict[str, None] = {}
        """The names of files that its programs run although it does not name them."""

    def read(self, words: list[str]) -> dict[str, Path]:
        """Read the words of one segment. Returns the files that they name, whether they are run or not."""
        named: dict[str, Path] = {}
        runs_first = loads = False
        for place, word in enumerate(words):
            self._enter(word, words[place - 1] if place else "")
            files = self._open_to_tools(_named(word, self._folders))
            named |= files
            first = runs_first or (place == 0 and (os.sep in word or os.name == "nt"))
            run = {name: path for name, path in files.items() if first or _is_script(path)}
            if loads and not files:
                run = self._open_to_tools(_loaded(word, self._folders))
            self.found |= run
            bare = os.path.basename(word).casefold().removesuffix(".exe")
            program = re.sub(r"[-.\d]+$", "", bare)
            runs_first = (runs_first and not run) or program in _INTERPRETERS
            loads = loads or program in _LOADING
            self._unnamed |= dict.fromkeys(_UNNAMED.get(bare, ()))
        return named

    def add_unnamed(self) -> None:
        """Add the files that its programs run although it does not name them."""
        places = ((folder, name) for folder in self._folders for name in self._unnamed)
        beside = ((_from(self._cwd, folder / name), folder / name) for folder, name in places)
        self.found |= self._open_to_tools((name, path) for name, path in beside if _is_file(path))

    def _enter(self, word: str, before: str) -> None:
        """Add the directories that a word names if the line may change to them: `before` is the word before it."""
        if before in ("cd", "pushd") or before.startswith("-") or before.endswith(f"={word}"):
            _add_folders(word, self._folders)
        elif word.startswith("-"):
            _add_folders(word[2:], self._folders)

    def _open_to_tools(self, files: Iterator[tuple[str, Path]]) -> dict[str, Path]:
        return {name: path for name, path in files if not forbidden(Path(os.path.realpath(path)), self._protected)}


def programs_in(command: str) -> list[str]:
    """The words of a command line that may name a program on PATH, at most `MOST_PROGRAMS`."""
    words = (word for segment in _SEGMENT.split(command)[::2] for word in _words_of(segment))
    bare = (word for word in islice(words, MOST_WORDS) if re.fullmatch(r"[\w@%+:,.-]+", word) and word[0] != "-")
    return list(islice(dict.fromkeys(bare), MOST_PROGRAMS))


def _expanded(command: str, cwd: Path, env: Mapping[str, str]) -> str:
    """The command line with its variables replaced by their values, inside any quotes too."""
    known = {**env, **{name: value.strip("'\"") for name, value in _ASSIGNED.findall(command)}, "PWD": str(cwd)}
    known.pop("PATH", None)  # a list, not a part of a name
    plain = command.replace("$(pwd)", "$PWD").replace("`pwd`", "$PWD")
    short = {name: value for name, value in known.items() if len(value) <= MOST_VALUE_CHARS}
    return _VARIABLE.sub(lambda found: short.get(found[1] or found[2], found[0]), plain, count=MOST_WORDS)


def _words_of(segment: str) -> Iterator[str]:
    """The words as a shell reads them, the words within a quoted one (after -c), and what follows an equals sign."""
    for found in _WORD.finditer(segment):
        word = "".join("".join(pieces) for pieces in _PIECE.findall(found[0]))
        yield word
        if " " in word:
            yield from word.split()
        if "=" in word:
            yield word.partition("=")[2]


def _add_folders(word: str, folders: list[Path]) -> None:
    """Add the directories that a word names, relative to each directory so far."""
    for folder in tuple(folders):
        for part in word.split(os.pathsep):
            if not part or "\0" in part or len(folders) >= MOST_FOLDERS:
                continue
            path = Path(os.path.normpath(folder / os.path.expanduser(part)))
            if path not in folders and os.path.isdir(path):
                folders.append(path)


def _named(word: str, folders: list[Path]) -> Iterator[tuple[str, Path]]:
    """The files that a word names, relative to the command's directory or one that it changes to."""
    plain = os.path.expanduser(word)
    if not plain or len(plain) > 4096 or "\0" in plain:
        return
    for folder in folders[:1] if os.path.isabs(plain) else folders:
        path = os.path.join(folder, plain)
        if re.search(r"[*?[]", plain):
            yield from ((_from(folders[0], Path(name)), Path(name)) for name in _matching(path) if _is_file(Path(name)))
        elif _is_file(Path(path)):
            yield (word if folder == folders[0] else _from(folders[0], Path(path))), Path(path)


def _loaded(word: str, folders: list[Path]) -> Iterator[tuple[str, Path]]:
    """The files that an interpreter finds for a word that is not a file: a module, a directory, an option with one."""
    plain = (word[2:] if word.startswith("-") else word).replace("::", os.sep)
    if not plain or len(plain) > 4096 or "\0" in plain:
        return
    for name in dict.fromkeys((plain, plain if os.sep in plain else plain.replace(".", os.sep))):
        for folder in folders:
            path = os.path.join(folder, os.path.expanduser(name))
            tried = (*(path + ending for ending in _ENDINGS), *(os.path.join(path, inner) for inner in _IN_FOLDER))
            yield from ((_from(folders[0], Path(one)), Path(one)) for one in tried if _is_file(Path(one)))


def _from(cwd: Path, path: Path) -> str:
    return os.path.relpath(path, cwd)


def _matching(path: str) -> list[str]:
    """The files that match a pattern in the last part of a path. Patterns before it could match a whole disk: []."""
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
    """Whether a file is meant to be run, going by its name, its mode or its first bytes."""
    if path.suffix.casefold() in _SCRIPTS or os.access(path, os.X_OK):
        return True
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def held(path: Path) -> Content:
    """The content of the file at `path`; links are followed."""
    return content_at(Path(os.path.realpath(path)))


def described(files: dict[str, Path], contents: dict[str, Content]) -> str:
    """The files for people: how they begin, with a mark before each line, so that no line can be taken for ours."""
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
