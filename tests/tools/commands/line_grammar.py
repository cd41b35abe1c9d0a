"""Random command lines: mostly from the parts of the grammar that are accepted, and some that are slightly broken."""

from __future__ import annotations

from hypothesis import strategies as st

_PLAIN = st.text("ab.-/", min_size=1, max_size=4)
_ODD = st.sampled_from(
    [*"#=:@%+,^!{}]~[*?", "é", "d/", "..", "~/", "=~", "-n", "{a,b}", "a..b", "\\\n", "$", "à", "../"]
)
_ESCAPED = st.sampled_from("ab \\'\"$`*?[~#&|;<>(){}!\t-").map("\\".__add__)
_RAW = st.text('ab *?[]~\\"$`#;&|<>(){}!-/.é\n', max_size=6).map("'{}'".format)
_GLOB = st.sampled_from(
    ["*", "?", "[ab]", "[!a]", "[a-c]", "d/*", "*/a", "??", "*.x", ".*", "[.]*", "[]a]", "a[", "\\[z]"]
)
_BLANK = st.sampled_from([" ", " ", " ", "  ", "\t", " \\\n", " \\\n "])
_REDIRECT = st.sampled_from(
    [">/dev/null", "2>/dev/null", "2>&1", "</dev/null", "&>/dev/null", ">&2", "> /dev/null", "<a", ">|/dev/null"]
)
_COMMENT = st.sampled_from([" # x\n", " #'\n", "\t# \\\n", " #\n"])
_FOLDER = st.sampled_from(["d", "d/e", "'d'", "..", "missing", "L", "./d", "d/..", "../work", "L/..", "~", "[d]"])


def _words(name: str) -> st.SearchStrategy[str]:
    """Words that may have the output of a program called `name` in them."""
    substitutions = [f"$({name} x)", f"`{name} y`", f"$({name}; {name} a)"]
    in_quotes = st.text("ab *?[]~'#;&|<>(){}!-/.é\n", max_size=5) | st.sampled_from(
        ["$HOME", "${HOME}", "$U", "${U}", "$?", "\\$", "\\\\", '\\"', "\\`", "\\a", "\\\n", "$", *substitutions]
    )
    double = st.lists(in_quotes, max_size=3).map(lambda parts: '"' + "".join(parts) + '"')
    variable = st.sampled_from(
        ["$HOME", "${HOME}", "$U", "${U}", "$?", "$#", "$HOMEa", f"$({name} z)", f"`{name} z`", f"$({name} <a)", "$()"]
    )
    piece = st.one_of(_PLAIN, _PLAIN, _ODD, _ESCAPED, _RAW, double, variable, _GLOB)
    return st.lists(piece, min_size=1, max_size=4).map("".join)


@st.composite
def _simple(draw: st.DrawFn, names: tuple[str, ...]) -> str:
    name = draw(st.sampled_from(names))
    written = [name, name, f"'{name}'", f"\\{name}", f'"{name}"', f"{name[:1]}'{name[1:]}'", f"LANG=C {name}"]
    word = _words(name)
    words = [draw(st.sampled_from(written)), *draw(st.lists(st.one_of(word, word, word, _REDIRECT), max_size=4))]
    return "".join(word + draw(_BLANK) for word in words).rstrip(" \t")


def _joined(lists: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    between = st.sampled_from([";", " && ", " || ", " | ", " & ", "\n", "&&", "||", "|", " ;\n", " &&\n", " |\n "])
    pairs = st.tuples(lists, between | _COMMENT, lists).map("".join)
    test = st.builds("[ {} ]".format, st.lists(_words("true"), min_size=1, max_size=3).map(" ".join))
    return st.one_of(
        pairs,
        pairs,
        st.builds("({})".format, lists),
        st.builds("{{ {}; }}".format, lists),
        st.builds("! {}".format, lists),
        st.builds("if {}; then {}; fi".format, lists, lists),
        st.builds("if {}\nthen {}\nelif {}; then {}; else {}; fi".format, lists, lists, lists, lists, lists),
        st.builds("{} && {}".format, test, lists),
        st.builds("cd {}{}{}".format, _FOLDER, between, lists),
        st.builds("cd {} && {}".format, _FOLDER, lists),
        st.builds("echo $({})".format, lists),
        st.builds('echo "$({})"'.format, lists),
        st.builds("({}) >/dev/null".format, lists),
        st.builds("{} &>/dev/null".format, lists),
    )


_NASTY = [
    *" \t\n;&|<>(){}[]$`'\"\\#~*?!=-,:é",
    "$(",
    "${",
    "<<",
    "&&",
    "||",
    ";;",
    "\\\n",
    "# ",
    "'\\''",
    "$'",
    '$"',
    ">&",
    "à",
]


@st.composite
def lines(draw: st.DrawFn, names: tuple[str, ...]) -> str:
    """A line with programs of these names; in every second one a few places are changed."""
    line = draw(st.recursive(_simple(names), _joined, max_leaves=5))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2, 3]))):
        place = draw(st.integers(0, len(line)))
        cut = draw(st.integers(0, 2))
        line = line[:place] + draw(st.sampled_from([*_NASTY, ""])) + line[place + cut :]
    return line
