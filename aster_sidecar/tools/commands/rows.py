"""Programs that only read and print, and the options with which that is true.

A row names every option that is known to be harmless. An option that is not in its row makes the daemon ask: some
options run other programs, write files, or read files that the row's check does not see. Long options have to be
written out, because a shortened one could mean another option.

Sources: the manuals of GNU coreutils, findutils, grep, diffutils and sed, of ripgrep, file, tree, util-linux, procps,
and of the BSD programs of the same names, which have other options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from aster_sidecar.tools.commands.operands import Tree

Operand = Literal["files", "text", "none"]
Value = Literal["text", "file"]
Options = Mapping[str, list[str]]
"""The options of a call by their names without dashes, each with its values ("" for an option without one)."""


def _whole(options: Options) -> Tree | None:
    return Tree()


def _names_only(options: Options) -> Tree | None:
    return None


@dataclass(frozen=True, slots=True)
class Row:
    """What one program may be given.

    - `flags`: letters of options without a value; `values`: letters of options with one, and what it is. `long` and
      `long_values`: the same for long options. `optional`: long options whose value is after "=" or is left out.
    - `joined`: letters of options whose value can be left out, and otherwise follows in the same word, such as -M90.
    - `apart`: whether the value of a letter has to be the next word, because the program reads -abc in its own way.
    - `operands`: what the words that are not options are. `lead`: how many of them come first that are text, such as a
      pattern; not with one of the options `lead_in`, which give it. `most`: how many operands there may be.
    - `changes`: whether it changes the files that it is given; `within`: also all that is in folders that it is given.
    - `content`: whether it prints what is in files, and not only their names, sizes and hashes.
    - `deep`: the options with which it reads folders with all that is in them ("*": always); `tree`: which
      files it then reads.
    - `first`: whether all options have to come before the operands, because later words that look like options are not.
    - `numeric`: whether a number is an option, such as -5. `anything`: all arguments are harmless, with `known`
      only if they are known before it runs.
    - `check`: what else has to hold for its operands and options: a reason, or None.
    """

    flags: str = ""
    long: str = ""
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    long_values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    optional: str = ""
    joined: str = ""
    apart: bool = False
    operands: Operand = "files"
    lead: int = 0
    lead_in: frozenset[str] = frozenset()
    most: int | None = None
    first: bool = False
    content: bool = False
    changes: bool = False
    within: bool = False
    deep: frozenset[str] = frozenset()
    tree: Callable[[Options], Tree | None] = _whole
    numeric: bool = False
    anything: bool = False
    known: bool = False
    check: Callable[[list[str], Options], str | None] | None = None


def _text(letters: str) -> dict[str, Value]:
    return dict.fromkeys(letters, "text")


def _long_text(names: str) -> dict[str, Value]:
    return dict.fromkeys(names.split(), "text")


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# One part of sed's "/": without the character itself, and with brackets that are closed, because some versions end the
# part at a "/" within brackets and others don't.
_FIELD = r"(?:[^/\\\[;\n{}]|\[\^?(?:[^]\[/\\;\n]|\[:[a-z]+:\])+\]|\\[.()\[\]*+?^$|&1-9sSwWbBnt\"'-])"
_ADDRESS = rf"(?:[0-9]+|\$|/{_FIELD}+/I?)"
_SED = re.compile(
    rf"[ \n]*(?:{_ADDRESS}(?:,(?:{_ADDRESS}|[+~][0-9]+))?|[0-9]+~[0-9]+)? *!?"
    rf" *(?:[pd=]|q(?: *[0-9]+)?|s/{_FIELD}+/{_FIELD}*/[gpI0-9]*)[ \n]*"
)
# awk's programs that print fields and short texts of the lines that they choose.
_AWK_VALUE = r"(?:\$[0-9]+|\$?NF|\$\(NF-[0-9]+\)|NR|FNR|FILENAME|\"[^\"\\\n]*\"|\"\\[tn]\")"
_AWK_TEST = rf"(?:{_AWK_VALUE} *(?:==|!=|<=|>=|<|>) *(?:[0-9]+|{_AWK_VALUE})|(?:{_AWK_VALUE} *!?~ *)?/[^/\\\[\n]+/)"
_AWK = re.compile(
    rf" *(?:{_AWK_TEST}(?: *(?:&&|\|\|) *{_AWK_TEST})*)? *"
    rf"(?:\{{ *print(?: *{_AWK_VALUE}(?: *,? *{_AWK_VALUE})*)? *;? *\}})? *"
)
_PRINTF = re.compile(r"(?:[^%\\]|\\[^0-9xuU]|%%|%[-+ 0#]*[0-9]*(?:\.[0-9]+)?[sbdiuoxXfeEgGc])*")
_PS_COLUMNS = names(
    """
    pid ppid pgid sid user uid group gid ruser euser comm ucmd args cmd command etime etimes time cputime stat state s
    start lstart stime %cpu pcpu %mem pmem rss vsz size tty tt tname ni nice pri psr wchan nlwp thcount lwp f flags
    """
)


# -- what needs a look at the operands ---------------------------------------------------------------------------------


def _no_subscripts(operands: list[str], options: Options) -> str | None:
    """bash evaluates the subscript of a variable's name, as in `[ -v 'a[$(id)]' ]`."""
    found = any("[" in word or word in ("-v", "-R") for word in operands)
    return "its condition is about a variable" if found else None


def _looks_up(operands: list[str], options: Options) -> str | None:
    return None if {"v", "V"} & options.keys() else "it runs another program"


def _plain_format(operands: list[str], options: Options) -> str | None:
    """Some shells set a variable for %n, and evaluate an operand for %d as an expression, which may set some, too."""
    if not operands or not _PRINTF.fullmatch(operands[0]):
        return "its format is not known"
    numbers = set(re.findall(r"%[-+ 0#]*[0-9.]*([a-zA-Z])", operands[0].replace("%%", ""))) - {"s", "b", "c"}
    plain = all(re.fullmatch(r"[-+]?[0-9.]+", word) for word in operands[1:])
    return None if not numbers or plain else "it evaluates its operands"


def _known_columns(operands: list[str], options: Options) -> str | None:
    """ps can show the environments of processes, which may hold secrets."""
    columns = [re.split("[=:]", one)[0] for value in options.get("o", []) for one in re.split("[ ,]+", value)]
    return None if set(columns) <= _PS_COLUMNS else "its columns are not known"


def _no_response_files(operands: list[str], options: Options) -> str | None:
    """The binutils read further arguments from the file x for @x."""
    words = [*operands, *(value for found in options.values() for value in found)]
    return "it reads further arguments from a file" if any(one.startswith("@") for one in words) else None


def _prints_fields(operands: list[str], options: Options) -> str | None:
    """awk's programs can run others and write files."""
    known = bool(operands) and _AWK.fullmatch(operands[0]) is not None and operands[0].strip() != ""
    return None if known else "its program may do more than print fields"


def _plus_format(operands: list[str], options: Options) -> str | None:
    return None if all(word.startswith("+") for word in operands) else "it may set the clock"


def _prints_lines(operands: list[str], options: Options) -> str | None:
    """sed's scripts can run programs and write files; the accepted ones print lines that they choose or change."""
    scripts = options.get("e", []) + options.get("expression", []) or operands[:1]
    parts = [part for script in scripts for part in script.removesuffix(";").split(";")]
    if parts and all(map(_SED.fullmatch, parts)):
        return None
    return "its script may do more than print lines"


def _selected(operands: list[str], options: Options) -> str | None:
    """Without a dash, an "e" shows the environments of processes, which may hold secrets."""
    if not all(word in ("aux", "ax", "auxww", "axww", "auxf") for word in operands):
        return "its operands are not known"
    return _known_columns(operands, options)


def _plain_filter(operands: list[str], options: Options) -> str | None:
    """jq's language can read the environment and load modules."""
    allowed = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.[]|,:\"'(){}- ?+/=<>!*\\")
    text = operands[0] if operands else "."
    if not set(text) <= allowed or any(word in text for word in ("env", "import", "include", "input", "module")):
        return "its filter does more than select"
    return None


# -- which files a search reads ----------------------------------------------------------------------------------------


def _diff_tree(options: Options) -> Tree:
    return Tree(links=True)


def _grep_tree(options: Options) -> Tree:
    """If --exclude comes first, files that match nothing are read, too."""
    names = options.get("include", [])
    return Tree(tuple(names) or None if "exclude" not in options else None)


# The types that name files by these ends; a type wins over the rule that hidden files are skipped.
_RG_TYPES: Mapping[str, tuple[str, ...]] = {
    "c": ("*.[ch]", "*.in", "*.cats"),
    "cpp": ("*.[ch]*", "*.in", "*.inl"),
    "cs": ("*.cs",),
    "css": ("*.css", "*.scss"),
    "go": ("*.go",),
    "h": ("*.h*",),
    "html": ("*.htm", "*.html", "*.ejs"),
    "java": ("*.java", "*.jsp", "*.jspx", "*.properties"),
    "js": ("*.js", "*.jsx", "*.vue", "*.cjs", "*.mjs"),
    "kotlin": ("*.kt", "*.kts"),
    "lua": ("*.lua",),
    "markdown": ("*.md", "*.markdown", "*.mdown", "*.mkdn", "*.mkd", "*.mdwn", "*.mdx"),
    "md": ("*.md", "*.markdown", "*.mdown", "*.mkdn", "*.mkd", "*.mdwn", "*.mdx"),
    "php": ("*.php*", "*.phtml"),
    "py": ("*.py", "*.pyi"),
    "python": ("*.py", "*.pyi"),
    "rust": ("*.rs",),
    "scala": ("*.scala", "*.sbt"),
    "sql": ("*.sql", "*.psql"),
    "swift": ("*.swift",),
    "ts": ("*.ts", "*.tsx", "*.cts", "*.mts"),
    "typescript": ("*.ts", "*.tsx", "*.cts", "*.mts"),
    "txt": ("*.txt",),
    "vue": ("*.vue",),
}


def _rg_tree(options: Options) -> Tree:
    globs = [one for name in ("g", "glob", "iglob") for one in options.get(name, [])]
    chosen = tuple(one for one in globs if not one.startswith("!"))
    types = [*options.get("t", []), *options.get("type", [])]
    if types and not chosen and all(one in _RG_TYPES for one in types):
        chosen, by_type = tuple(end for one in types for end in _RG_TYPES[one]), True
    else:
        by_type = False
    unrestricted = len(options.get("u", [])) + len(options.get("unrestricted", []))
    never = {"no-ignore", "no-ignore-vcs", "no-ignore-parent"} & options.keys()
    ignores = not unrestricted and not never and (by_type or not chosen)
    # A glob or a type that chooses a file wins over the rule that hidden files are skipped.
    hidden = unrestricted > 1 or bool({"hidden", "."} & options.keys()) or bool(chosen or types)
    return Tree(chosen or None, hidden, ignores)


def _rg_content(options: Options) -> Tree | None:
    return None if "files" in options else _rg_tree(options)


# -- the rows ----------------------------------------------------------------------------------------------------------

_ANYTHING = Row(operands="text", anything=True)
_HASHES = Row("btz", "binary text tag zero")

ROWS: Mapping[str, Row] = {
    # built into the shell
    "echo": _ANYTHING,
    "true": _ANYTHING,
    "false": _ANYTHING,
    ":": _ANYTHING,
    "printf": Row(operands="text", check=_plain_format),
    "exit": Row(operands="text"),
    "pwd": Row("LP", operands="none"),
    "test": Row(operands="text", anything=True, known=True, check=_no_subscripts),
    "[": Row(operands="text", anything=True, known=True, check=_no_subscripts),
    "type": Row("apt", operands="text"),
    "command": Row("vV", operands="text", first=True, check=_looks_up),
    # names, sizes and kinds of files
    "ls": Row(
        "1AaBbCcdFfGghiklmnopqRrSstUuvXxZHN",
        "all almost-all author escape directory full-time group-directories-first no-group human-readable si inode"
        " kibibytes numeric-uid-gid literal quote-name hide-control-chars show-control-chars reverse"
        " recursive size context file-type zero dired",
        {},
        _long_text("block-size format hide indicator-style ignore quoting-style sort tabsize time-style width"),
        "color time classify hyperlink",
        deep=names("R recursive"),
        tree=_names_only,
    ),
    "tree": Row(
        "adfipsughDFqNQrtcUvACSnJX",
        "noreport dirsfirst filesfirst prune du si inodes device gitignore matchdirs ignore-case nolinks",
        _text("LPI"),
        optional="filelimit sort charset timefmt",
        deep=names("*"),
        tree=_names_only,
    ),
    "stat": Row("LftZ", "dereference file-system terse", _text("c"), _long_text("format printf cached")),
    "du": Row(
        "0abchHDklmPsSx",
        "null all apparent-size bytes total dereference-args human-readable inodes count-links no-dereference"
        " separate-dirs si summarize one-file-system",
        _text("dBt"),
        _long_text("max-depth block-size threshold exclude time-style"),
        "time",
        deep=names("*"),
        tree=_names_only,
    ),
    "df": Row("ahHiklmPTx", "all human-readable si inodes local portability print-type total", _text("Bt")),
    "basename": Row("az", "multiple zero", _text("s"), _long_text("suffix"), operands="text"),
    "dirname": Row("z", "zero", operands="text"),
    "realpath": Row(
        "ePLsqmz", "canonicalize-existing canonicalize-missing logical physical quiet strip no-symlinks zero"
    ),
    "readlink": Row("femnqsvz", "canonicalize canonicalize-existing canonicalize-missing no-newline quiet silent zero"),
    "which": Row("as", operands="text"),
    # what is in files
    "file": Row(
        "bhiLkNnr0",
        "brief no-dereference mime mime-type mime-encoding dereference keep-going no-pad no-buffer print0",
        _text("F"),
        _long_text("separator"),
    ),
    "cat": Row(
        "AbeEnstTuv",
        "show-all number-nonblank show-ends number squeeze-blank show-tabs show-nonprinting",
        content=True,
    ),
    "tac": Row("br", "before regex", _text("s"), _long_text("separator"), content=True),
    "rev": Row(content=True),
    "nl": Row("p", "no-renumber", _text("bdfhilnsvw"), content=True),
    "head": Row(
        "qvz",
        "quiet silent verbose zero-terminated",
        _text("cn"),
        _long_text("bytes lines"),
        numeric=True,
        content=True,
    ),
    "tail": Row(
        "qvzr",
        "quiet silent verbose zero-terminated",
        _text("cn"),
        _long_text("bytes lines"),
        numeric=True,
        content=True,
    ),
    "wc": Row("clLmw", "bytes chars lines max-line-length words", {}, _long_text("total")),
    "cut": Row(
        "nsz",
        "complement only-delimited zero-terminated",
        _text("bcdf"),
        _long_text("bytes characters delimiter fields output-delimiter"),
        content=True,
    ),
    "tr": Row("cCdst", "complement delete squeeze-repeats truncate-set1", operands="text"),
    "sort": Row(
        "bcCdfghiMmnRrsuVz",
        "ignore-leading-blanks dictionary-order ignore-case general-numeric-sort human-numeric-sort"
        " ignore-nonprinting month-sort numeric-sort reverse random-sort version-sort merge stable unique"
        " zero-terminated",
        _text("kt"),
        _long_text("key field-separator"),
        "check",
        content=True,
    ),
    "uniq": Row(
        "cdDiuz",
        "count repeated ignore-case unique zero-terminated",
        _text("fsw"),
        _long_text("skip-fields skip-chars check-chars"),
        "all-repeated group",
        most=1,  # it writes to a second one
        first=True,
        content=True,
    ),
    "comm": Row("123z", "check-order nocheck-order total zero-terminated", content=True),
    "join": Row("iz", "ignore-case check-order nocheck-order header", _text("aejotv12"), content=True),
    "paste": Row("sz", "serial zero-terminated", _text("d"), _long_text("delimiters"), content=True),
    "column": Row("txeLJ", "table", _text("scoN"), _long_text("separator columns output-separator"), content=True),
    "fold": Row("bs", "bytes spaces", _text("w"), _long_text("width"), content=True),
    "fmt": Row("csu", "", _text("w"), _long_text("width"), numeric=True, content=True),
    "expand": Row("i", "initial", _text("t"), _long_text("tabs"), content=True),
    "od": Row("abcdfilosxv", "traditional output-duplicates", _text("AjNSt"), joined="w", content=True),
    "hexdump": Row("bcCdovx", "", _text("ns"), content=True),
    "xxd": Row("abeEupi", "", _text("cglos"), most=1, first=True, content=True),  # it writes to a second one
    "strings": Row(
        "af", "all print-file-name", _text("nt"), _long_text("bytes radix"), content=True, check=_no_response_files
    ),
    "cmp": Row(
        "bls", "print-bytes verbose quiet silent", _text("in"), _long_text("bytes ignore-initial"), content=True
    ),
    "diff": Row(
        "abBcdeEhiNnpqrsTtuwyZ",
        "brief report-identical-files context unified ed normal rcs side-by-side left-column suppress-common-lines"
        " show-c-function expand-tabs initial-tab ignore-case ignore-tab-expansion ignore-trailing-space"
        " ignore-space-change ignore-all-space ignore-blank-lines strip-trailing-cr text minimal recursive new-file"
        " no-dereference speed-large-files",
        _text("CFIUWLx"),
        _long_text("label width exclude ignore-matching-lines show-function-line tabsize"),
        "color unified context",
        numeric=True,
        deep=names("*"),  # two folders are compared with the files in them
        tree=_diff_tree,
        content=True,
    ),
    "cksum": _HASHES,
    "md5sum": _HASHES,
    "sha1sum": _HASHES,
    "sha224sum": _HASHES,
    "sha256sum": _HASHES,
    "sha384sum": _HASHES,
    "sha512sum": _HASHES,
    "b2sum": _HASHES,
    "shasum": Row("bt0", "binary text", _text("a"), _long_text("algorithm")),
    "md5": Row("qr"),
    "sed": Row(
        "nEruz",
        "quiet silent regexp-extended unbuffered zero-terminated posix",
        _text("e"),
        _long_text("expression"),
        lead=1,
        lead_in=names("e expression"),
        content=True,
        check=_prints_lines,
    ),
    "grep": Row(
        "EFGPciLlnosvwxyzHhqabIrTZU",
        "extended-regexp fixed-strings basic-regexp perl-regexp ignore-case no-ignore-case invert-match word-regexp"
        " line-regexp count files-without-match files-with-matches only-matching quiet silent no-messages byte-offset"
        " with-filename no-filename initial-tab null text null-data line-number line-buffered recursive binary",
        {**_text("emABCDd"), "f": "file"},
        {
            **_long_text(
                "regexp max-count label after-context before-context context binary-files exclude exclude-dir include"
                " devices directories group-separator"
            ),
            "file": "file",
        },
        "color colour",
        numeric=True,
        lead=1,
        lead_in=names("e f regexp file"),
        deep=names("r recursive d directories"),
        tree=_grep_tree,
        content=True,
    ),
    "rg": Row(
        "FPUSsivwxclnNoqHIabpu0.",
        "fixed-strings pcre2 multiline multiline-dotall smart-case case-sensitive ignore-case invert-match word-regexp"
        " line-regexp count count-matches files-with-matches files-without-match files line-number no-line-number"
        " only-matching quiet with-filename no-filename text byte-offset pretty unrestricted hidden no-ignore"
        " no-ignore-vcs no-ignore-parent no-ignore-dot no-ignore-global no-ignore-exclude column no-column heading"
        " no-heading trim vimgrep json stats no-messages no-config crlf null one-file-system passthru no-require-git"
        " max-columns-preview type-list debug auto-hybrid-regex include-zero",
        {**_text("egrtTABCmMdjE"), "f": "file"},
        {
            **_long_text(
                "regexp glob iglob type type-not after-context before-context context max-count max-columns max-depth"
                " threads encoding color colors sort sortr replace path-separator context-separator max-filesize engine"
                " field-match-separator"
            ),
            "file": "file",
        },
        lead=1,
        lead_in=names("e f regexp file files type-list"),
        deep=names("*"),
        tree=_rg_content,
        content=True,
    ),
    "awk": Row("", "", _text("F"), lead=1, first=True, content=True, check=_prints_fields),
    "jq": Row(
        "rcjaSCMsenR",
        "raw-output compact-output join-output ascii-output sort-keys color-output monochrome-output slurp exit-status"
        " tab null-input raw-input",
        {},
        _long_text("indent"),
        lead=1,
        content=True,
        check=_plain_filter,
    ),
    # numbers, times and the system
    "seq": Row("w", "equal-width", _text("fs"), _long_text("format separator"), operands="text"),
    "expr": Row(operands="text", anything=True),
    "date": Row(
        "uR",
        "utc universal rfc-email",
        _text("d"),
        _long_text("date rfc-3339"),
        "iso-8601",
        joined="I",
        operands="text",
        check=_plus_format,
    ),
    "cal": Row("13hjmsy", operands="text"),
    "uname": Row("asnrvmpio", "all kernel-name nodename kernel-release kernel-version machine", operands="none"),
    "arch": Row(operands="none"),
    "nproc": Row("", "all", {}, _long_text("ignore"), operands="none"),
    "uptime": Row("ps", "pretty since", operands="none"),
    "free": Row("bkmghltw", "bytes kibi mebi gibi human lohi total wide", operands="none"),
    "whoami": Row(operands="none"),
    "id": Row("ugGnrz", "user group groups name real zero", operands="text"),
    "groups": Row(operands="text"),
    "hostname": Row("sfidI", "short fqdn long ip-address domain all-ip-addresses", operands="none"),
    "tty": Row("s", operands="none"),
    "locale": Row("a", "all-locales", operands="text"),
    "lscpu": Row("", "", operands="none"),
    "lsblk": Row("afl", "all fs list", operands="none"),
    "ps": Row(
        "eAaxfuFlHjTd", "forest no-headers", _text("oCpqgtUG"), _long_text("sort pid"), operands="text", check=_selected
    ),
    "pgrep": Row("alfiovxn", "", _text("uUPgsG"), operands="text"),
    "sleep": Row(operands="text"),
}


BUILTINS = names("echo printf true false test [ pwd : type command cd exit")
"""Commands that a shell has itself, so that no file is looked up for them."""

VERSIONED = names("python python3 node git gcc g++ cc c++ clang make cmake java javac ruby perl php lua curl")
"""Programs that only print with --version as their only argument, whatever is in the folder."""

OTHER_NAMES: Mapping[str, frozenset[str]] = {"awk": names("mawk gawk nawk bwk original-awk")}
"""What the program may be called to which a name leads."""

HARMLESS_VARIABLES = names("HOME PWD OLDPWD USER LOGNAME SHELL PATH LANG LANGUAGE TERM TMPDIR HOSTNAME COLUMNS TZ")
"""Variables whose values hold no secrets."""

WHERE_PROGRAMS_ARE = names(
    "/bin /sbin /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /opt/homebrew/bin /opt/local/bin"
)
"""Directories that only the system, or a person, puts programs in."""
