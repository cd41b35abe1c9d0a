"""git's commands that only read, and the repositories in which that is true.

git runs programs that a repository's own configuration names: file system monitors, filters, pagers, drivers for
differences, hooks. So its rows hold only where that configuration has no key outside a list. What the person's own
configuration names is theirs. `SAFE` is set for such a command besides.

Sources: https://git-scm.com/docs/git-config, gitrepository-layout, and the manual of each command.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from aster_sidecar.text.safe_text import quoted, shown
from aster_sidecar.tools.commands.operands import MOST_CONFIG_BYTES, Asks, Files, beginning, has_credentials
from aster_sidecar.tools.commands.rows import Options, Row, Value, names
from aster_sidecar.tools.sensitive_places import holds_secrets, is_beneath, secrets_among

_SETTINGS = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("diff.autoRefreshIndex", "false"),  # so that `git diff` does not write the index
    ("safe.bareRepository", "explicit"),  # so that a folder with files like those of a repository is none
)
SAFE: Mapping[str, str] = {
    "GIT_OPTIONAL_LOCKS": "0",  # so that `git status` does not write the index
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    **{f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(_SETTINGS)},
    **{f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(_SETTINGS)},
}
"""The environment of git commands that run unasked."""

# Keys of a repository's configuration that can't name a program or another place. `*` stands for a subsection.
_KEYS = names(
    """
    core.repositoryformatversion core.filemode core.bare core.logallrefupdates core.ignorecase
    core.precomposeunicode core.symlinks core.autocrlf core.eol core.safecrlf core.longpaths core.quotepath
    core.abbrev core.compression core.bigfilethreshold core.untrackedcache core.whitespace core.trustctime
    core.checkstat core.protecthfs core.protectntfs core.hidedotfiles user.name user.email author.name author.email
    committer.name committer.email remote.*.url remote.*.pushurl remote.*.fetch remote.*.push remote.*.tagopt
    remote.*.prune remote.*.prunetags remote.*.mirror remote.*.skipdefaultupdate remote.*.gh-resolved
    remote.pushdefault branch.*.remote branch.*.merge branch.*.rebase branch.*.pushremote branch.*.description
    branch.*.vscode-merge-base branch.*.github-pr-owner-number branch.*.gh-merge-base branch.autosetupmerge
    branch.autosetuprebase branch.sort pull.rebase pull.ff push.default push.autosetupremote push.followtags
    fetch.prune fetch.prunetags merge.ff rebase.autostash rebase.autosquash init.defaultbranch color.ui color.status
    color.diff color.branch status.short status.branch status.showuntrackedfiles log.date log.decorate
    log.abbrevcommit core.hookspath diff.renames diff.algorithm diff.mnemonicprefix diff.colormoved diff.context gc.auto
    gc.autodetach pack.threads index.version index.threads feature.manyfiles commit.gpgsign tag.gpgsign tag.sort
    advice.detachedhead gui.wmstate gui.geometry lfs.repositoryformatversion
    """
)
_OTHER_PLACES = names("core.worktree include.path includeif.*.path extensions.worktreeconfig core.attributesfile")
"""Keys that lead to other files, also where programs that a key names do no harm."""
_SECTION = re.compile(r'\[([A-Za-z0-9.-]+)(?: "((?:[^"\\\n]|\\["\\])*)")?\]')
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:\s*=.*)?")


MOST_INDEX_BYTES = 8 * 1024 * 1024
_CHECKSUM_BYTES = 20
_SUBMODULE = (0o160000).to_bytes(4, "big")


def _text(options: str) -> dict[str, Value]:
    return dict.fromkeys(options.split(), "text")


_COMMON = (
    "color no-color oneline graph decorate no-decorate all branches tags remotes reverse first-parent no-merges merges"
    " patch no-patch stat numstat shortstat summary name-only name-status cached staged raw minimal patience histogram"
    " ignore-space-change ignore-all-space ignore-blank-lines ignore-space-at-eol word-diff color-words find-renames"
    " find-copies full-index binary text no-renames exit-code quiet check relative no-ext-diff no-textconv no-prefix"
    " follow abbrev-commit no-abbrev-commit topo-order date-order author-date-order full-history simplify-merges"
    " show-pulls left-right cherry-pick cherry-mark cherry boundary walk-reflogs no-notes pickaxe-all pickaxe-regex"
    " function-context compact-summary dirstat pretty merge-base full-diff parents children no-walk use-mailmap"
    " no-use-mailmap regexp-ignore-case extended-regexp fixed-strings perl-regexp all-match invert-grep no-color-moved"
)
_COMMON_VALUES = (
    "max-count skip since after until before author committer grep format date diff-filter diff-algorithm"
    " inter-hunk-context word-diff-regex"
)
_OPTIONAL = (
    "pretty format color decorate word-diff color-words find-renames find-copies stat dirstat abbrev relative branches"
    " tags remotes color-moved no-walk ignore-submodules unified min-parents max-parents"
)
_LOG = Row(
    "psuwbRaqitEFPz0",
    _COMMON,
    _text("n S G L I"),
    _text(_COMMON_VALUES),
    _OPTIONAL,
    "UMCB",
    numeric=True,
    content=True,
)
_LISTS_BRANCHES = Row(
    "arvqi",
    "all remotes list verbose show-current color no-color column no-column ignore-case abbrev no-abbrev",
    {},
    _text("sort format"),
    "contains no-contains merged no-merged points-at color column abbrev",
    operands="text",
)

COMMANDS: Mapping[str, Row] = {
    "status": Row(
        "sbvz",
        "short branch show-stash porcelain long verbose no-renames renames ahead-behind no-ahead-behind null",
        {},
        {},
        "porcelain untracked-files ignored ignore-submodules column find-renames",
        "u",
    ),
    "log": _LOG,
    "show": _LOG,
    "diff": _LOG,
    "shortlog": Row("nsec", f"{_COMMON} numbered summary email", {}, _text(_COMMON_VALUES), "group"),
    "branch": _LISTS_BRANCHES,
    "tag": Row("li", "list ignore-case column", {}, _text("sort format"), "contains merged points-at", "n"),
    "rev-parse": Row(
        "q",
        "show-toplevel git-dir git-common-dir absolute-git-dir is-inside-work-tree is-inside-git-dir is-bare-repository"
        " show-prefix show-cdup verify quiet symbolic symbolic-full-name abbrev-ref short all branches tags"
        " is-shallow-repository show-superproject-working-tree",
        {},
        {},
        "abbrev-ref short",
    ),
    "rev-list": Row(
        "n",
        f"{_COMMON} count objects",
        _text("n"),
        _text(_COMMON_VALUES),
        "pretty format",
        numeric=True,
    ),
    "ls-files": Row(
        "cdmoiskutvz",
        "cached deleted modified others ignored stage killed unmerged exclude-standard full-name error-unmatch eol"
        " deduplicate directory no-empty-directory",
        _text("x"),
        _text("exclude"),
    ),
    "ls-tree": Row(
        "drtlz", "long name-only name-status full-name full-tree object-only", {}, _text("format"), "abbrev"
    ),
    "cat-file": Row("tspe", content=True),
    "symbolic-ref": Row("q", "short quiet", operands="text", most=1),
    "diff-tree": Row("prt", f"{_COMMON} no-commit-id root", _text("n"), _text(_COMMON_VALUES), _OPTIONAL, content=True),
    "blame": Row(
        "wesltfncp",
        "root show-stats porcelain line-porcelain incremental show-name show-number show-email",
        _text("L"),
        _text("since date"),
        "abbrev color-lines",
        "MC",
        content=True,
    ),
    "grep": Row(
        "niIlLwvcohHEFGPpWqza",
        "cached line-number ignore-case files-with-matches files-without-match name-only word-regexp invert-match count"
        " only-matching extended-regexp fixed-strings basic-regexp perl-regexp show-function function-context heading"
        " break text null column full-name all-match and or not quiet no-color",
        _text("e A B C m"),
        _text("after-context before-context context max-depth max-count"),
        "color",
        numeric=True,
        content=True,
    ),
    "describe": Row(
        "",
        "all tags long always contains first-parent exact-match",
        {},
        _text("match exclude"),
        "abbrev candidates",
    ),
    "merge-base": Row("a", "all octopus independent is-ancestor fork-point"),
    "name-rev": Row("", "name-only tags all always"),
    "for-each-ref": Row(
        "",
        "ignore-case",
        {},
        _text("count sort format points-at"),
        "merged no-merged contains no-contains color",
        operands="text",
    ),
    "show-ref": Row(
        "dhsq", "head heads tags branches dereference verify quiet", {}, {}, "hash abbrev", operands="text"
    ),
    "count-objects": Row("vH", "verbose human-readable", operands="none"),
    "check-ignore": Row("qvnz", "quiet verbose non-matching no-index"),
    "remote": Row("v", "verbose", operands="text"),
    "stash": Row("pu", "patch stat name-only name-status oneline", operands="text", content=True),
    "reflog": _LOG,
    "worktree": Row("vz", "verbose porcelain", operands="text"),
}
"""The commands that only read with these options; `refuse` says what else has to hold."""

_SUBCOMMANDS = {
    "stash": ("list", "show"),
    "worktree": ("list",),
    "remote": ("get-url",),
    "reflog": ("show",),
}
"""The subcommands that only read; `git remote` and `git reflog` also do without one."""
_LISTING = names("l list a all r remotes contains no-contains merged no-merged points-at show-current")
"""With one of these, `git branch` and `git tag` list; with other words, they create."""
_NO_CONTENT = names(
    """
    s n q i E F P z 0 no-patch oneline graph decorate no-decorate all branches tags remotes reverse first-parent
    no-merges merges stat numstat shortstat summary name-only name-status dirstat raw color no-color quiet exit-code
    follow abbrev-commit no-abbrev-commit topo-order date-order author-date-order full-history left-right cherry-pick
    boundary walk-reflogs no-notes pretty format max-count skip since after until before author committer grep date
    abbrev min-parents max-parents diff-filter no-walk no-ext-diff no-textconv compact-summary relative M C
    find-renames find-copies no-renames cached staged regexp-ignore-case invert-grep all-match use-mailmap short
    """
)
"""With only these, `git log` prints no contents of files; `git diff` needs one of `_SUMMARIES` besides."""
_SUMMARIES = names("s no-patch stat numstat shortstat summary name-only name-status dirstat raw compact-summary quiet")


def check_call(
    command: str,
    first: str | None,
    operands: list[str],
    options: Options,
    cwd: Path,
    files: Files,
    *,
    confined: bool = False,
) -> None:
    """Check a call of one of `COMMANDS` in the directory `cwd`; `first` is the word after it. Raises: Asks.

    `confined`: programs that the repository's configuration names do no harm.
    """
    if command in ("branch", "tag") and operands and not _LISTING & options.keys():
        raise Asks(f"`git {command}` creates what it names")
    if command == "symbolic-ref" and len(operands) != 1:
        raise Asks("`git symbolic-ref` may change the repository")
    if command in _SUBCOMMANDS:
        alone = command in ("remote", "reflog") and not operands
        if not alone and (first not in _SUBCOMMANDS[command] or operands[:1] != [first]):
            raise Asks(f"`git {command}` may change the repository")
    for option in ("format", "pretty", "sort"):
        if any(re.search(r"%[-+ ]*G|signature", value) for value in options.get(option, [])):
            raise Asks("checking signatures runs another program")
    git, root = _check_repository(command, cwd, confined=confined)
    for word in [*operands, *(value.split(":", 1)[1] for value in options.get("L", []) if ":" in value)]:
        _check_operand(word, cwd, root, files)
    contents = _prints_contents(command, options)
    index = _index(git) if git is not None and (contents or command in _ENTERS_SUBMODULES) else _Index(False, ())
    if index.submodules and command in _ENTERS_SUBMODULES:
        raise Asks(_HAS_SUBMODULES)
    if not contents:
        return
    if root is not None and not is_beneath(root, files.work_dir):
        raise Asks("the repository also has files outside the work folder")
    files.check_tree(root or cwd, None)
    if index.secrets:
        raise Asks(f"there may be secrets in {shown(index.secrets[0])}, which is in the repository")


def _prints_contents(command: str, options: Options) -> bool:
    plain = options.keys() <= _NO_CONTENT
    if command in ("log", "shortlog", "reflog"):
        return not plain
    if command in ("diff", "diff-tree", "stash"):
        return not (plain and _SUMMARIES & options.keys())
    return COMMANDS[command].content


def _check_operand(word: str, cwd: Path, root: Path | None, files: Files) -> None:
    """Check a revision or a path: git also reads files outside of a repository, to compare them."""
    if re.match(r":(?:!|\^|\(exclude\))", word):  # it leaves out what it names
        return
    if word.startswith(":("):
        raise Asks(f"{quoted(shown(word))} is a pattern that is not checked")
    named = word.rsplit(":", 1)[-1] or word
    for name in (word, named):
        if holds_secrets(Path(os.sep, name)):
            raise Asks(f"there may be secrets in {shown(name)}")
        files.check_text(name, cwd)
    if root is not None and os.path.lexists(cwd / named) and not is_beneath(files.check(named, cwd), root):
        raise Asks(f"{shown(named)} is outside the repository")


def _check_repository(command: str, cwd: Path, *, confined: bool) -> tuple[Path | None, Path | None]:
    """Check the configuration of the repository that git finds from `cwd` on. Raises: Asks.

    Returns its `.git` directory and its folder; None if there is none: then git reports that, or compares files.
    """
    for folder in (cwd, *cwd.parents):
        # Without objects and refs, it may have a file that says where these are.
        if os.path.lexists(folder / "HEAD"):
            raise Asks("the folder itself may be a repository")
        found = folder / ".git"
        if os.path.lexists(found):
            git, common = _repository(found)
            _check_configuration(command, git, common, folder, confined=confined)
            return git, folder
    if command == "diff":
        raise Asks("there is no repository, so git compares any files")
    return None, None


def check_changed(folder: Path, cwd: Path, branch: str | None) -> None:
    """Check that a command of git in `cwd` changes a repository in `folder`, and that `branch` is one that it has.

    With another name, git would make a branch out of one that it fetched. Raises: Asks.
    """
    for one in (cwd, *cwd.parents):
        if os.path.lexists(one / "HEAD"):
            raise Asks("the folder itself may be a repository")
        if os.path.lexists(one / ".git"):
            _, common = _repository(one / ".git")
            if branch is not None and branch != "-" and not _has_branch(common, branch):
                raise Asks(f"there is no branch {quoted(shown(branch))}")
            return
        if one == folder:
            break
    raise Asks("there is no repository in the folder")


def _has_branch(common: Path, branch: str) -> bool:
    name = f"refs/heads/{branch}"
    if ".." in branch.split("/") or branch.startswith("/"):
        return False
    if os.path.isfile(common / name):
        return True
    packed = beginning(common / "packed-refs", MOST_INDEX_BYTES) or b""
    return any(line.endswith(f" {name}".encode()) for line in packed.splitlines())


def _repository(found: Path) -> tuple[Path, Path]:
    """The repository of a `.git`, which may be a file that leads to it, and the directory of its configuration."""
    if found.is_symlink():
        raise Asks("`.git` is a link")
    if found.is_dir():
        if os.path.lexists(found / "commondir"):
            raise Asks("the repository has its configuration elsewhere")
        return found, found
    try:
        match = re.fullmatch(r"gitdir: (.+)\n", _text_of(found))
        if match is None:
            raise Asks("the `.git` file is not understood")
        folder = Path(os.path.realpath(found.parent / match[1]))
        common = folder / "commondir"
        if not os.path.lexists(common):
            return folder, folder
        return folder, Path(os.path.realpath(folder / _text_of(common).rstrip("\n")))
    except (OSError, ValueError) as error:
        raise Asks("the `.git` file can't be read") from error


def _text_of(path: Path) -> str:
    """The text of a small file. Raises: Asks, ValueError."""
    data = beginning(path, MOST_CONFIG_BYTES + 1)
    if data is None or len(data) > MOST_CONFIG_BYTES:
        raise Asks(f"git's file {shown(path.name)} can't be read")
    return data.decode()


def _check_configuration(command: str, git: Path, common: Path, root: Path, *, confined: bool) -> None:
    config = common / "config"
    try:
        text = _text_of(config)
    except ValueError as error:
        raise Asks("the repository's configuration can't be read") from error
    for key in _keys(text):
        if key not in _KEYS and (not confined or key in _OTHER_PLACES):
            raise Asks(f"the repository's configuration has `{key}`")
    if not os.path.lexists(git / "HEAD"):
        raise Asks("the repository is not whole, so git looks for another one")
    if os.path.lexists(common / "config.worktree") or os.path.lexists(git / "config.worktree"):
        raise Asks("the repository's worktrees have configurations of their own")
    if command in _ENTERS_SUBMODULES and (os.path.lexists(common / "modules") or os.path.lexists(root / ".gitmodules")):
        raise Asks(_HAS_SUBMODULES)
    if command == "remote" and has_credentials(config):
        raise Asks("the repository's configuration may hold a password")


_HAS_SUBMODULES = "the repository has submodules, which have configurations of their own"
_ENTERS_SUBMODULES = names("status diff grep show log reflog stash diff-tree")


class _Index(NamedTuple):
    """What git's list of files has: whether there are submodules, and which files may hold secrets."""

    submodules: bool
    secrets: tuple[str, ...]


def _index(git: Path) -> _Index:
    """Raises: Asks, if the index is not understood. Source: gitformat-index."""
    if not os.path.lexists(git / "index"):
        return _Index(False, ())
    data = beginning(git / "index", MOST_INDEX_BYTES + 1)
    if data is None or len(data) > MOST_INDEX_BYTES:
        raise Asks("git's index is too large to be checked")
    try:
        return _entries(data)
    except (struct.error, ValueError, IndexError) as error:
        raise Asks("git's index is not understood") from error


def _entries(data: bytes) -> _Index:
    """Raises: ValueError, struct.error, IndexError."""
    signature, version, count = struct.unpack(">4sLL", data[:12])
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("the index has another form")
    place, submodules, name = 12, False, b""
    folders: dict[str, list[str]] = {}
    for _ in range(count):
        submodules |= data[place + 24 : place + 28] == _SUBMODULE
        start = place + (64 if data[place + 60] & 0x40 else 62)
        kept = 0
        if version == 4:  # the name without the beginning that it has in common with the one before
            kept, start = _kept(data, start, len(name))
        end = data.index(b"\0", start)
        name = name[:kept] + data[start:end]
        place = end + 1 if version == 4 else place + (end - place + 8) // 8 * 8
        folder, last = os.path.split(os.fsdecode(name))
        folders.setdefault(folder, []).append(last)
    while place < len(data) - _CHECKSUM_BYTES:
        extension, size = struct.unpack(">4sL", data[place : place + 8])
        if extension in (b"link", b"sdir"):  # there are entries in another file, or folders instead of them
            raise ValueError("the index has another form")
        place += 8 + size
    root = Path(os.sep)
    secrets = [
        os.path.join(folder, one) for folder, found in folders.items() for one in secrets_among(root / folder, found)
    ]
    return _Index(submodules, tuple(secrets))


def _kept(data: bytes, place: int, length: int) -> tuple[int, int]:
    """How many bytes of the name before, of `length`, a name begins with, and where the rest of it begins."""
    value = data[place] & 0x7F
    while data[place] & 0x80:
        place += 1
        value = (value + 1 << 7) | data[place] & 0x7F
    return length - value, place + 1


def _keys(text: str) -> list[str]:
    """The keys of a configuration in lower case, with `*` for subsections. Raises: Asks, if a line is unusual."""
    found: list[str] = []
    section: str | None = None
    for raw in text.split("\n"):
        line = raw.strip(" \t\r")
        if not line or line[0] in "#;":
            continue
        if (header := _SECTION.fullmatch(line)) is not None:
            section = header[1].lower() + (".*" if header[2] is not None else "")
        elif (key := _KEY.fullmatch(line)) is not None and section is not None and not line.endswith("\\"):
            found.append(f"{section}.{key[1].lower()}")
        else:
            raise Asks("the repository's configuration is unusual")
    return found
