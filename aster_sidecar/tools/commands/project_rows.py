"""Programs of projects, and the arguments with which they run no other code than the project's own.

"Always" may cover such a program with its subcommand in a folder. The rows have the options that can't name a program,
a file with code, a configuration or a place outside the folder. An option that is not in its row makes the daemon ask.

Keys are subcommands: "" for none, "*" for one that becomes part of the name, as in `make test`, "run *" for two.

Sources: the manuals of each program.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace

from aster_sidecar.tools.commands.rows import ROWS, Options, Row, Value, names


def _text(options: str) -> dict[str, Value]:
    return dict.fromkeys(options.split(), "text")


def _file(options: str) -> dict[str, Value]:
    return dict.fromkeys(options.split(), "file")


_PLAIN = re.compile(r"[\w.,:@+=/ -]*")
_LIBTEST = names("--nocapture --ignored --include-ignored --exact --show-output --list --quiet --test-threads=1")
_LINTS = names("-D -W -A -F --deny --warn --allow --forbid")


def _plain(operands: list[str], options: Options) -> str | None:
    """Only names and numbers, so that a value is no path that leads out of the folder, and no command."""
    for values in options.values():
        for value in values:
            if not _PLAIN.fullmatch(value) or value.startswith(("/", "-", "@")) or ".." in value:
                return f"the value {value[:40]!r} is not checked"
    return None


def _jobs(operands: list[str], options: Options) -> str | None:
    numbers = all(re.fullmatch(r"[0-9]*", value) for value in options.get("j", []))
    return None if numbers else "the number of jobs is no number"


_BUILD_FOLDER = re.compile(r"(?:\./)?(?:build|out|_build|cmake-build)[\w.-]*(?:/[\w.-]+)*/?")


def _built(operands: list[str], options: Options) -> str | None:
    """cmake and ctest: another folder could have other commands, and a target with `=` sets a variable of make."""
    if not all(map(_BUILD_FOLDER.fullmatch, [*options.get("build", []), *options.get("test-dir", [])])):
        return "it builds in a folder that may have other commands"
    words = [value for option in ("t", "target", "config") for value in options.get(option, [])]
    if not all(re.fullmatch(r"\w[\w.+-]*", word) for word in words):
        return "it passes on a word that is no target"
    return _jobs(operands, options) or _plain(operands, {k: v for k, v in options.items() if k != "j"})


def _own_configuration(operands: list[str], options: Options) -> str | None:
    """tsc: a file of another name would be another configuration."""
    for named in options.get("p", []) + options.get("project", []):
        last = named.rstrip("/").rsplit("/", 1)[-1]
        if last not in ("", ".") and not re.fullmatch(r"[\w@-]+|tsconfig[\w.-]*\.json", last):
            return f"{named[:40]!r} may have other settings"
    return None


# Both programs expand patterns in quotes themselves, so that a path may be spelled in other ways.
_OWN_PATTERN = re.compile(r"(?:[\w.@/ *?-]|\{\w+(?:,\w+)*\}|\[\w+\])*")


def _patterns(operands: list[str], options: Options) -> str | None:
    if not all(map(_OWN_PATTERN.fullmatch, operands)):
        return "it expands a pattern that is not checked"
    return _plain(operands, options)


def _no_contents(operands: list[str], options: Options) -> str | None:
    """Without one of these, prettier prints what is in the files."""
    if not {"w", "write", "c", "check", "l", "list-different"} & options.keys():
        return "it prints the files"
    return _patterns(operands, options)


def _test_filters(operands: list[str], options: Options) -> str | None:
    """cargo's names of tests, and options of the test program after `--`."""
    if not all(re.fullmatch(r"[\w:]+", word) or word in _LIBTEST for word in operands):
        return "the test program gets options that are not checked"
    return _plain(operands, options)


def _lint_levels(operands: list[str], options: Options) -> str | None:
    if not all(re.fullmatch(r"[\w:-]+", word) for word in operands) or not all(
        word in _LINTS or not word.startswith("-") for word in operands
    ):
        return "the compiler gets options that are not checked"
    return _plain(operands, options)


def _packages(operands: list[str], options: Options) -> str | None:
    """go's packages in the folder: another one would be fetched, or is somewhere else."""
    if not all(re.fullmatch(r"\.(/[\w.-]+)*/?(\.\.\.)?", word) and "/../" not in word for word in operands):
        return "it names a package outside the folder"
    return _plain(operands, options)


def _names_of_tests(operands: list[str], options: Options) -> str | None:
    for value in options.get("cov", []):
        if not re.fullmatch(r"[\w.-]*(?:/[\w.-]+)*", value) or ".." in value.split("/"):
            return "it measures what is elsewhere"
    for value in options.get("cov-report", []):
        if not re.fullmatch(
            r"term|term-missing|term:skip-covered|term-missing:skip-covered|xml|html|json|lcov|", value
        ):
            return "a report is written elsewhere"
    return None


_LIST_OF_PACKAGES = re.compile(
    r"(?:\./)?(?:[\w.-]+/)*(?:[\w.-]*requirements[\w.-]*\.(?:txt|in)|requirements/[\w.-]+\.(?:txt|in))"
)


def _only_folder(operands: list[str], options: Options) -> str | None:
    """pip would fetch anything else by its name, also what a list of packages of any other name has."""
    if not all(map(_LIST_OF_PACKAGES.fullmatch, options.get("r", []) + options.get("requirement", []))):
        return "it installs from a file that may be no list of packages"
    return (
        None
        if all(word in (".", "./") for word in options.get("e", []) + options.get("editable", []))
        else ("it installs something else than the folder")
    )


def _messages(operands: list[str], options: Options) -> str | None:
    if not ({"m", "message", "no-edit"} & options.keys()):
        return "git would open an editor"
    return None


def _branch(operands: list[str], options: Options) -> str | None:
    good = len(operands) == 1 and re.fullmatch(r"[\w./-]+", operands[0])
    return None if good else "it names no branch"


def _plain_mode(operands: list[str], options: Options) -> str | None:
    """Not set-user-ID, and not writable for others."""
    good = operands and re.fullmatch(r"0?[0-7][0-57][0145]|[ugoa]*[+-][rx]+|u?[+-][rwx]+", operands[0])
    return None if good and len(operands) > 1 else "its mode is not checked"


def _stashes(operands: list[str], options: Options) -> str | None:
    good = operands[:1] in ([], ["push"], ["pop"], ["apply"]) and len(operands) < 2
    return None if good else "it may delete what is stashed"


_PHASES = names("validate compile test-compile test package verify")


def _phases(operands: list[str], options: Options) -> str | None:
    """maven runs every goal that it is given, also one of a plugin that it fetches."""
    return None if set(operands) <= _PHASES | {"clean"} else "it has a further goal"


# Package managers of JavaScript. What follows `--` goes to the script, which may take it for code.
_SCRIPT = Row(
    "s", "silent if-present workspaces", _text("w"), _text("workspace"), apart=True, operands="none", check=_plain
)
_NPM_INSTALL = Row(
    "",
    "no-audit no-fund silent offline prefer-offline ignore-scripts legacy-peer-deps no-progress",
    operands="none",
)
_NPM = {
    **dict.fromkeys(("test", "t", "start", "run *", "run-script *"), _SCRIPT),
    **dict.fromkeys(("ci", "install", "i"), _NPM_INSTALL),
}
# All that follows the name goes to the script, also without `--`.
_OTHER_SCRIPT = Row(operands="none")
_PNPM_INSTALL = Row(
    "", "frozen-lockfile no-frozen-lockfile offline prefer-offline ignore-scripts silent", operands="none"
)
_PNPM = {"test": _OTHER_SCRIPT, "run *": _OTHER_SCRIPT, "install": _PNPM_INSTALL, "i": _PNPM_INSTALL}
_YARN_INSTALL = Row("", "frozen-lockfile immutable offline ignore-scripts silent", operands="none")
_YARN = {"test": _OTHER_SCRIPT, "run *": _OTHER_SCRIPT, "install": _YARN_INSTALL, "": _YARN_INSTALL}
_BUN = {
    "test": Row("", "bail coverage", {}, _text("timeout"), operands="none", check=_plain),
    "run *": _OTHER_SCRIPT,
    "install": Row("", "frozen-lockfile ignore-scripts silent", operands="none"),
}

_CARGO_FLAGS = (
    "release quiet verbose workspace all all-targets all-features no-default-features lib bins tests benches examples"
    " locked offline frozen keep-going no-run no-fail-fast doc"
)
_CARGO_VALUES = "package features bin test example bench jobs profile message-format color exclude"
_CARGO = Row("qvr", _CARGO_FLAGS, _text("p F j"), _text(_CARGO_VALUES), operands="none", check=_plain)

# go takes long options with one dash, so they are checked as words.
_GO_FLAGS = names(
    "-v -x -race -short -cover -json -failfast -a -n -trimpath -benchmem -shuffle=on -shuffle=off -mod=readonly"
)
_GO_VALUES = names("-run -count -timeout -bench -benchtime -cpu -parallel -skip -p")
_GO_VALUE = re.compile(r"[\w.^$|()/*+ -]*")


def _go(operands: list[str], options: Options) -> str | None:
    packages: list[str] = []
    rest = iter(operands)
    for word in rest:
        option, equals, value = word.partition("=")
        if word in _GO_FLAGS:
            continue
        if option not in _GO_VALUES:
            packages.append(word)
        elif not _GO_VALUE.fullmatch(value if equals else next(rest, "")):
            return f"the value of {option} is not checked"
    return _packages(packages, {})


_GO = Row(operands="text", anything=True, known=True, check=_go)

_MAKE = Row("ksBin", "silent keep-going always-make dry-run", joined="j", operands="none", check=_jobs)
_PYTEST = Row(
    "qvxslh",
    "quiet verbose exitfirst lf last-failed ff failed-first nf new-first sw stepwise no-header no-summary showlocals"
    " collect-only co disable-warnings strict-markers no-cov runxfail cache-clear",
    _text("k m n r"),
    _text("maxfail durations tb timeout dist numprocesses color capture show-capture verbosity cov-report"),
    "cov",
    check=_names_of_tests,
)
_FORMATTER = Row(
    "qv",
    "check diff quiet fast safe profile",
    _text("l t"),
    _text("line-length target-version"),
    changes=True,
    within=True,
    check=_plain,
)
_RUFF = Row(
    "qvn",
    "fix unsafe-fixes no-fix diff quiet verbose show-fixes statistics no-cache check preview exit-zero",
    {},
    _text("select ignore extend-select line-length target-version output-format"),
    changes=True,
    within=True,
    check=_plain,
)

_SED = replace(ROWS["sed"], flags="Eruz", long="regexp-extended null-data", changes=True)

PROJECTS: Mapping[str, Mapping[str, Row]] = {
    "npm": _NPM,
    "pnpm": _PNPM,
    "yarn": _YARN,
    "bun": _BUN,
    "tsc": {
        "": Row(
            "",
            "noEmit pretty skipLibCheck strict",
            _file("p"),
            _file("project"),
            apart=True,
            operands="none",
            check=_own_configuration,
        ),
    },
    "eslint": {
        "": Row("", "fix quiet cache", {}, _text("ext max-warnings"), changes=True, within=True, check=_patterns),
    },
    "prettier": {
        "": Row(
            "wcl", "write check list-different", {}, _text("log-level"), changes=True, within=True, check=_no_contents
        )
    },
    "cargo": {
        **dict.fromkeys(("build", "b", "check", "c", "doc", "run", "r", "bench"), _CARGO),
        "test": replace(_CARGO, operands="text", check=_test_filters),
        "t": replace(_CARGO, operands="text", check=_test_filters),
        "clippy": replace(_CARGO, operands="text", long=f"{_CARGO_FLAGS} fix allow-dirty", check=_lint_levels),
        "fmt": Row("v", "all check verbose", _text("p"), operands="none", check=_plain),
    },
    "go": {"build": _GO, "test": _GO, "vet": _GO, "fmt": _GO, "mod *": Row("v", operands="none")},
    "make": {"": _MAKE, "*": _MAKE},
    "cmake": {
        "": Row(
            "v",
            "verbose",
            _text("t"),
            {**_file("build"), **_text("target config")},
            joined="j",
            apart=True,
            operands="none",
            check=_built,
        ),
    },
    "ctest": {
        "": Row(
            "VQ",
            "output-on-failure verbose",
            _text("R E L"),
            {**_file("test-dir"), **_text("parallel timeout")},
            joined="j",
            apart=True,
            operands="none",
            check=_built,
        )
    },
    "mvn": dict.fromkeys(
        ("clean", "install", *_PHASES), Row("qoBU", "quiet offline batch-mode", operands="text", check=_phases)
    ),
    "gradle": {"*": Row("q", "quiet offline info stacktrace no-daemon continue", operands="none")},
    "dotnet": {
        **dict.fromkeys(
            ("build", "test", "restore"),
            Row(
                "",
                "no-restore no-build nologo",
                _text("c v f"),
                _text("configuration verbosity framework filter"),
                apart=True,
                operands="none",
                check=_plain,
            ),
        )
    },
    "pytest": {"": _PYTEST},
    "ruff": {"check": _RUFF, "format": _RUFF},
    "black": {"": _FORMATTER},
    "isort": {"": _FORMATTER},
    "flake8": {"": Row("qv", "count statistics", {}, _text("max-line-length select ignore"), check=_plain)},
    "mypy": {
        "": Row(
            "v",
            "strict ignore-missing-imports pretty show-error-codes no-error-summary show-error-context no-incremental",
            _text("p m"),
            _text("package module python-version follow-imports"),
            check=_plain,
        )
    },
    "pyright": {"": Row("", "stats warnings", {}, _text("level pythonversion"), check=_plain)},
    "pip": {
        "install": Row(
            "qU",
            "quiet upgrade no-deps",
            {"r": "file", "e": "file"},
            {"requirement": "file", "editable": "file"},
            operands="none",
            check=_only_folder,
        )
    },
    "uv": {
        "sync": Row(
            "q", "quiet frozen locked all-extras dev offline", {}, _text("extra group"), operands="none", check=_plain
        )
    },
    "git": {
        "add": Row("AuvnN", "all update verbose dry-run intent-to-add"),
        "commit": Row(
            "aqsvn",
            "all quiet signoff verbose no-verify amend no-edit allow-empty",
            _text("m"),
            _text("message"),
            operands="none",
            check=_messages,
        ),
        "stash": Row("uk", "include-untracked keep-index", operands="text", check=_stashes),
        "switch": Row("qc", "quiet create", operands="text", check=_branch),
        "fetch": Row("pqt", "prune quiet tags all", operands="none"),
    },
    # Programs that change the files that they are given, in the folder.
    "mkdir": {"": Row("pv", "parents verbose", changes=True)},
    "touch": {"": Row("acm", "", changes=True)},
    "cp": {"": Row("finpv", "force no-clobber verbose preserve", changes=True)},
    "mv": {"": Row("finv", "force no-clobber verbose", changes=True)},
    "chmod": {"": Row(operands="files", lead=1, changes=True, check=_plain_mode)},
    "rm": {"": Row("fiv", "force verbose", changes=True)},
    # With BSD's sed, -i takes the next word.
    "sed": {"-i": _SED} if sys.platform == "linux" else {},
}
FIRST: Mapping[str, frozenset[str]] = {
    "npm": names("--silent -s"),
    "pnpm": names("--silent -s -r --recursive"),
    "yarn": names("--silent -s"),
    "git": names("--no-pager"),
    "make": names("-s -k -B -n -j -j1 -j2 -j3 -j4 -j6 -j8 -j10 -j12 -j16 --silent --keep-going"),
    "mvn": names("-q -o -B -U"),
    "gradle": names("-q --quiet --offline --no-daemon"),
    "cargo": names("-q --quiet -v --verbose"),
}
"""Options that may come before the subcommand; none of them takes a value."""

VARIABLES = names(
    """
    CI NODE_ENV RUST_BACKTRACE RUST_LOG CARGO_TERM_COLOR PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE
    TERM DEBIAN_FRONTEND HUSKY
    """
)
"""Variables that may be set for such a program: they choose no code."""
