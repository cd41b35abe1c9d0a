"""git's commands that only read, and the repositories in which that is true.

git runs programs that a repository's own configuration names: file system monitors, filters, pagers, drivers for
differences, hooks. So its rows hold only where that configuration has no key outside a list. What the person's own
configuration names is theirs. `SAFE` is set for such a command besides.

Sources: https://git-scm.com/docs/git-config, gitrepository-layout, and the manual of each command.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from aster_sidecar.tools.commands.operands import Asks, Files, Tree, has_credentials
from aster_sidecar.tools.commands.rows import Options, Row, Value, names
from aster_sidecar.tools.sensitive_places import holds_secrets, is_beneath

SAFE: Mapping[str, str] = {
    "GIT_OPTIONAL_LOCKS": "0",  # so that `git status` does not write the index
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.fsmonitor",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "core.hooksPath",
    "GIT_CONFIG_VALUE_1": os.devnull,
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
    log.abbrevcommit diff.renames diff.algorithm diff.mnemonicprefix diff.colormoved diff.context gc.auto
    gc.autodetach pack.threads index.version index.threads feature.manyfiles commit.gpgsign tag.gpgsign tag.sort
    advice.detachedhead gui.wmstate gui.geometry extensions.objectformat
    """
)
_SECTION = re.compile(r'\[([A-Za-z0-9.-]+)(?: "((?:[^"\\\n]|\\["\\])*)")?\]')
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:\s*=.*)?")


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
    "max-count skip since after until before author committer grep format date diff-filter diff-algorithm unified"
    " inter-hunk-context word-diff-regex abbrev branches-of min-parents max-parents"
)
_OPTIONAL = (
    "pretty format color decorate word-diff color-words find-renames find-copies stat dirstat abbrev relative branches"
    " tags remotes color-moved no-walk ignore-submodules submodule"
)
_LOG = Row(
    "psuwbBRaMCqitEFPz0",
    _COMMON,
    _text("n U S G L I"),
    _text(_COMMON_VALUES),
    _OPTIONAL,
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
        "sbvzu",
        "short branch show-stash porcelain long verbose no-renames renames ahead-behind no-ahead-behind null",
        {},
        {},
        "porcelain untracked-files ignored ignore-submodules column find-renames",
    ),
    "log": _LOG,
    "show": _LOG,
    "diff": _LOG,
    "shortlog": Row("nsec", f"{_COMMON} numbered summary email", {}, _text(_COMMON_VALUES), "group"),
    "branch": _LISTS_BRANCHES,
    "tag": Row("lin", "list ignore-case column", {}, _text("sort format"), "contains merged points-at sort"),
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
    "blame": Row(
        "wMCesltfncp",
        "root show-stats porcelain line-porcelain incremental show-name show-number show-email",
        _text("L"),
        _text("since date"),
        "abbrev color-lines",
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
        "abbrev dirty candidates broken",
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
    "remote": ("", "get-url"),
    "reflog": ("", "show"),
}
_LISTING = names("l list a all r remotes contains no-contains merged no-merged points-at show-current")
"""With one of these, `git branch` and `git tag` list; with other words, they create."""


def check_call(command: str, operands: list[str], options: Options, cwd: Path, files: Files) -> None:
    """Check a call of one of `COMMANDS` in the directory `cwd`. Raises: Asks."""
    if command in ("branch", "tag") and operands and not _LISTING & options.keys():
        raise Asks(f"`git {command}` creates what it names")
    if command in _SUBCOMMANDS and (operands[0] if operands else "") not in _SUBCOMMANDS[command]:
        raise Asks(f"`git {command}` may change the repository")
    root = _check_repository(command, cwd)
    for word in operands:
        _check_operand(word, cwd, files)
    if command == "grep":
        files.check_tree(files.check(".", cwd), Tree(ignores=True))
    elif COMMANDS[command].content:
        files.check_tree(root if is_beneath(root, files.work_dir) else files.work_dir, None)


def _check_operand(word: str, cwd: Path, files: Files) -> None:
    """Check a revision or a path: git also reads files outside of a repository, to compare them."""
    named = word.rsplit(":", 1)[-1] or word
    if holds_secrets(Path(named)):
        raise Asks(f"there may be secrets in {named}")
    if os.path.isabs(named) or ".." in named.split("/") or named.startswith("~") or os.path.lexists(cwd / named):
        files.check(named, cwd)


def _check_repository(command: str, cwd: Path) -> Path:
    """Check the configuration of the repository that git finds from `cwd` on, and return its folder. Raises: Asks."""
    for folder in (cwd, *cwd.parents):
        found = folder / ".git"
        if os.path.lexists(found):
            _check_configuration(command, _repository(found), folder)
            return folder
        if all(os.path.lexists(folder / name) for name in ("HEAD", "objects", "refs")):
            raise Asks("the folder itself is a repository")
    return cwd  # git reports that there is none, or compares files


def _repository(found: Path) -> Path:
    """The directory of the configuration: `.git`, or what a `.git` file of a worktree leads to."""
    if found.is_symlink():
        raise Asks("`.git` is a link")
    if found.is_dir():
        return found
    try:
        text = found.read_text()
        match = re.fullmatch(r"gitdir: (.+)\n", text)
        if match is None:
            raise Asks("the `.git` file is not understood")
        folder = Path(os.path.realpath(found.parent / match[1]))
        common = folder / "commondir"
        return Path(os.path.realpath(folder / common.read_text().strip())) if common.exists() else folder
    except (OSError, ValueError) as error:
        raise Asks("the `.git` file can't be read") from error


def _check_configuration(command: str, git: Path, root: Path) -> None:
    config = git / "config"
    try:
        text = config.read_bytes()[: 256 * 1024].decode()
    except (OSError, ValueError) as error:
        raise Asks("the repository's configuration can't be read") from error
    for key in _keys(text):
        if key not in _KEYS:
            raise Asks(f"the repository's configuration has `{key}`")
    if os.path.lexists(git / "config.worktree"):
        raise Asks("the repository's worktrees have configurations of their own")
    if command in ("status", "diff", "grep", "show", "log") and (
        os.path.lexists(git / "modules") or os.path.lexists(root / ".gitmodules")
    ):
        raise Asks("the repository has submodules, which have configurations of their own")
    if command == "remote" and has_credentials(config):
        raise Asks("the repository's configuration may hold a password")


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
