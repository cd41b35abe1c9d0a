"""Changes of named tables: the meaning of the file after them, and that everything else is as it was."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.config.table_writer import write_named
from aster_sidecar.config.toml_file import template
from aster_sidecar.errors import ConfigInvalid


def written(path: Path, text: str, name: str, changes: Mapping[str, Any] | None) -> str:
    """The file's text after the changes of `[mcp.NAME]`."""
    file = path / "config.toml"
    file.write_bytes(text.encode())
    write_named(file, "mcp", name, changes)
    return file.read_bytes().decode()


EXAMPLES: dict[str, tuple[str, Mapping[str, Any] | None, str]] = {
    "a new table is at the end": (
        "model = 'demo' # mine\n# end",
        {"command": "x", "args": [], "env": {"A": ""}},
        'model = \'demo\' # mine\n# end\n\n[mcp.files]\ncommand = "x"\nargs = []\nenv = { A = "" }\n',
    ),
    "a new table is below the last one of its kind": (
        "[mcp.a]\ncommand = 'a'\n# args = []\n\n# Programs\n[services.files]\ncommand = 'b'\n",
        {"url": "u"},
        "[mcp.a]\ncommand = 'a'\n# args = []\n\n[mcp.files]\nurl = \"u\"\n\n"
        "# Programs\n[services.files]\ncommand = 'b'\n",
    ),
    "a comment above a table stays with it": (
        "[mcp.a]\ncommand = 'a'\n# Programs\n[services.a]\n",
        {"url": "u"},
        "[mcp.a]\ncommand = 'a'\n\n[mcp.files]\nurl = \"u\"\n\n# Programs\n[services.a]\n",
    ),
    "an empty table": ("", {}, "[mcp.files]\n"),
    "a value in its place": (
        "[mcp.files]\n  command = 'x' # why\n\n  args = ['a']\n",
        {"command": "y"},
        "[mcp.files]\n  command = \"y\" # why\n\n  args = ['a']\n",
    ),
    "a new key is below the others": (
        "[mcp.files]\n  command = 'x' # why\n\n# Programs\n",
        {"cwd": "~"},
        "[mcp.files]\n  command = 'x' # why\n  cwd = \"~\"\n\n# Programs\n",
    ),
    "a key that is removed leaves its comment": (
        "[mcp.files]\ncommand = 'x'\nargs = [ # why\n  'a', # one\n]\n",
        {"args": None},
        "[mcp.files]\ncommand = 'x'\n# why\n# one\n",
    ),
    "the comments of an array that is replaced": (
        "[mcp.files]\nargs = [\n  'a', # one\n  # 'b',\n]\n",
        {"args": ["c"]},
        "[mcp.files]\n# one\n# 'b',\nargs = [\"c\"]\n",
    ),
    "a long array": (
        "[mcp.files]\n",
        {"args": ["a" * 50, "b" * 50]},
        f'[mcp.files]\nargs = [\n    "{"a" * 50}",\n    "{"b" * 50}",\n]\n',
    ),
    "an array of 100 characters": (
        "[mcp.files]\n",
        {"args": ["a" * 89]},
        f'[mcp.files]\nargs = ["{"a" * 89}"]\n',
    ),
    "line endings": (
        "[mcp.files]\r\ncommand = 'x'\r\n",
        {"args": ["a" * 100], "url": "u"},
        f'[mcp.files]\r\ncommand = \'x\'\r\nargs = [\r\n    "{"a" * 100}",\r\n]\r\nurl = "u"\r\n',
    ),
    "an inline table": (
        "[mcp.files]\nenv = { A = '', \"b c\" = '2' } # secret\n",
        {"env": {"A": "1", "b c": None, "D": "4"}},
        '[mcp.files]\nenv = { A = "1", D = "4" } # secret\n',
    ),
    "an inline table with dotted keys": (
        "mcp = { files.env.A = '1', b = {} }\n",
        {"command": "x", "env": {"B": "2"}},
        'mcp = { files.env.A = \'1\', b = {}, files.env.B = "2", files.command = "x" }\n',
    ),
    "an inline table that is left empty": (
        "[mcp.files]\ncommand = 'x'\nenv = { A = '1' }\n",
        {"env": {"A": None}},
        "[mcp.files]\ncommand = 'x'\n",
    ),
    "all tables in a line": (
        "mcp = { files = { command = 'x' } }\n",
        {"args": ["a" * 100]},
        f"mcp = {{ files = {{ command = 'x', args = [\"{'a' * 100}\"] }} }}\n",
    ),
    "another table in that line": (
        "mcp = { }\n",
        {"command": "x", "args": []},
        'mcp = { files = { command = "x", args = [] } }\n',
    ),
    "the table is removed from that line": ("mcp = { a = {}, files = {} }\n", None, "mcp = { a = {} }\n"),
    "dotted keys": (
        "mcp.files.command = 'x'\nmcp.b.command = 'y'\n",
        {"command": "z", "args": []},
        "mcp.files.command = \"z\"\nmcp.files.args = []\nmcp.b.command = 'y'\n",
    ),
    "dotted keys in a table": (
        "[mcp]\nfiles.command = 'x'\n\n[flags]\n",
        {"env": {"A": "1"}},
        "[mcp]\nfiles.command = 'x'\nfiles.env = { A = \"1\" }\n\n[flags]\n",
    ),
    "the last of the dotted keys": ("mcp.files.command = 'x'\n", {"command": None}, "[mcp.files]\n"),
    "a new table beside dotted keys": (
        "mcp.b.command = 'x'\n",
        {"command": "y"},
        "mcp.b.command = 'x'\n\n[mcp.files]\ncommand = \"y\"\n",
    ),
    "a sub-table": (
        "[mcp.files.env] # secret\nA = '1'\n\n[mcp.files]\ncommand = 'x'\n",
        {"env": {"A": None, "B": "2"}},
        "[mcp.files.env] # secret\nB = \"2\"\n\n[mcp.files]\ncommand = 'x'\n",
    ),
    "a sub-table without its table": (
        "model = 'demo'\n\n# secret\n[mcp.files.env]\nA = '1'\n",
        {"command": "x"},
        "model = 'demo'\n\n[mcp.files]\ncommand = \"x\"\n\n# secret\n[mcp.files.env]\nA = '1'\n",
    ),
    "a sub-table that is left empty": (
        "[mcp.files]\ncommand = 'x'\n\n[mcp.files.env]\nA = '1'\n",
        {"env": {"A": None}},
        "[mcp.files]\ncommand = 'x'\n",
    ),
    "tables in another order": (
        "[mcp.files.env]\nA = '1'\n[flags]\nvoice_capture = true\n[mcp.b]\n[mcp.files]\ncommand = 'x'\n",
        None,
        "[flags]\nvoice_capture = true\n[mcp.b]\n",
    ),
    "all comments of a table that is removed": (
        "# above\n[mcp.files] # on it\ncommand = 'x' # beside\n# args = []\n\n# Programs\n",
        None,
        "# above\n# on it\n# beside\n# args = []\n\n# Programs\n",
    ),
    "what looks like a table in a string": (
        "a = '''\n[mcp.files]\ncommand = 'x' '''\n[mcp.b]\nargs = [\"\"\"\n[mcp.files]\"\"\"]\n",
        None,
        "a = '''\n[mcp.files]\ncommand = 'x' '''\n[mcp.b]\nargs = [\"\"\"\n[mcp.files]\"\"\"]\n",
    ),
    "a table in the place of a value": (
        "[mcp.files]\nenv = 3\n",
        {"env": {"A": "1"}},
        '[mcp.files]\nenv = { A = "1" }\n',
    ),
    "a value in the place of a table": (
        "[mcp.files]\n[mcp.files.command]\na = 1\n[flags]\n",
        {"command": "x"},
        '[mcp.files]\ncommand = "x"\n[flags]\n',
    ),
    "what is already so": (
        "[mcp.files]\nenv = {A='1'}\n",
        {"env": {"A": "1"}, "x": None},
        "[mcp.files]\nenv = {A='1'}\n",
    ),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_text_after_a_change(tmp_path: Path, example: str) -> None:
    before, changes, after = EXAMPLES[example]
    assert written(tmp_path, before, "files", changes) == after


@pytest.mark.parametrize("name", ["my server", "a.b", 'q"', "ünï", "", "a\nb"])
def test_a_name_that_has_to_be_quoted(tmp_path: Path, name: str) -> None:
    text = written(tmp_path, "# mine\n", name, {"command": "x", "env": {name: "1"}})
    assert tomllib.loads(text) == {"mcp": {name: {"command": "x", "env": {name: "1"}}}}
    text = written(tmp_path, text, name, {"command": "y", "env": {name: None, "B": "2"}})
    assert tomllib.loads(text) == {"mcp": {name: {"command": "y", "env": {"B": "2"}}}}
    assert written(tmp_path, text, name, None) == "# mine\n"


def test_a_table_is_added_to_the_first_file_and_taken_away_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_named(path, "services", "notes", None)
    assert not path.exists(), "nothing to remove"
    write_named(path, "services", "notes", {"command": "x"})
    assert path.read_text("utf-8") == f'{template()}\n[services.notes]\ncommand = "x"\n'
    write_named(path, "services", "notes", None)
    assert path.read_text("utf-8") == template()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_byte_order_mark_stays(tmp_path: Path) -> None:
    assert written(tmp_path, "\ufeff# mine\r\n", "a", {}) == "\ufeff# mine\r\n\r\n[mcp.a]\r\n"


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text("[mcp.a]\n")
    (tmp_path / "config.toml").symlink_to(tmp_path / "dotfiles.toml")
    write_named(tmp_path / "config.toml", "mcp", "a", {"command": "x"})
    assert (tmp_path / "config.toml").is_symlink()
    assert tomllib.loads((tmp_path / "dotfiles.toml").read_text()) == {"mcp": {"a": {"command": "x"}}}


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        ("mcp = 3\n", {"command": "x"}, "mcp is not a table"),
        ("[[mcp]]\na = 1\n", None, "mcp is not a table"),
        ("[mcp.files\n", {"command": "x"}, "config.toml: .*line 1"),
        ("[mcp.files]\n", {"command": object()}, "TOML has no object"),
        ("[mcp.files]\n", {"command": "\ud800"}, "config.toml"),
    ],
)
def test_what_cannot_be_changed_leaves_the_file_as_it_was(
    tmp_path: Path, text: str, changes: Mapping[str, Any] | None, words: str
) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        written(tmp_path, text, "files", changes)
    assert (tmp_path / "config.toml").read_text() == text
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "[mcp]\nfiles = 3\nother = { command = 'y' }\n",
        "mcp = { files = 'npx', other.command = 'y' }\n",
        "[[mcp.files]]\na = 1\n[[mcp.files]]\n[mcp.other]\ncommand = 'y'\n",
    ],
)
def test_what_is_no_table_is_replaced_by_one_or_removed(tmp_path: Path, text: str) -> None:
    other = {"other": {"command": "y"}}
    after = written(tmp_path, text, "files", {"command": "x", "args": None})
    assert tomllib.loads(after)["mcp"] == {"files": {"command": "x"}, **other}
    assert tomllib.loads(written(tmp_path, text, "files", None))["mcp"] == other


# -- any document, any change ------------------------------------------------------------------------------------------

NAMES = ["files", "b-2", "my server", "ünder.dot"]
IN_STRING = "# in a string"
comments = st.sampled_from(["", "", "# note\n", '  # [mcp.old]\n# command = "x"\n\n', "\n", "#\n"])
ends = st.sampled_from(["", "", "  # why"])
values = st.sampled_from(
    [
        *(
            '"x"',
            f'"""\n{IN_STRING}\n[mcp.files]\n"""',
            "'''\n\"\"\"\n[mcp.files]'''",
            "3",
            "1.5",
            "1979-05-27 07:32:00",
        ),
        *('[\n  "a", # first\n  # [mcp.files]\n  "b",\n]', '["--flag", "a#b", \'}\', "\\"]"]', "[{ a = 1 }, {}]"),
    ]
)


@st.composite
def servers(draw: st.DrawFn, name: str) -> tuple[list[str], list[str]]:
    """One server: its lines in `[mcp]`, and its tables."""
    shown = name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'
    keys = draw(st.lists(st.sampled_from(["command", "args", "url", "tools"]), unique=True, max_size=3))
    variables = draw(st.lists(st.sampled_from(["A", "B_C", '"d e"']), unique=True, min_size=1, max_size=3))
    style = draw(st.sampled_from(["header", "dotted", "inline"]))
    env = draw(st.sampled_from(["none", "inline", "dotted", "table"]))

    def assigned(prefix: str, end: str = "\n") -> list[str]:
        made = [f"{prefix}{key} = {draw(values)}" for key in keys]
        if env == "inline" or (env == "table" and style == "inline"):
            inside = ", ".join(f'{one} = "1"' for one in variables)
            made.append(f"{prefix}env = {{ {inside} }}")
        elif env == "dotted":
            made += [f'{prefix}env.{one} = "1"' for one in variables]
        made = draw(st.permutations(made))
        return [f"{line}{draw(ends)}\n{draw(comments)}" for line in made] if end else made

    below = "".join(f'{one} = "1"\n{draw(comments)}' for one in variables)
    tables = [f"[mcp.{shown}.env]{draw(ends)}\n{below}"] if env == "table" and style != "inline" else []
    if style == "header":
        return [], [f"[mcp.{shown}]{draw(ends)}\n{''.join(assigned(''))}", *tables]
    lines = assigned(f"{shown}.") if style == "dotted" else [f"{shown} = {{ {', '.join(assigned('', ''))} }}\n"]
    return lines, tables


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A file with servers in any notation, and other tables, in any order."""
    root = draw(st.lists(st.sampled_from(['model = "demo" # mine\n', "# max_tokens = 5\n"]), unique=True))
    others = [
        "[services.files]\ncommand = 'x'\n# end\n",
        "\n[flags]\nb = true\n",
        "[[other]]\n[other.mcp]\nfiles = nan\n",
    ]
    tables, dotted = draw(st.lists(st.sampled_from(others), unique=True)), list[str]()
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
        lines, more = draw(servers(name))
        dotted += lines
        tables += more
    if draw(st.booleans()):
        root += [f"mcp.{line}" for line in dotted]
    elif dotted:
        tables.append(f"[mcp]\n{''.join(dotted)}")
    parts = [*draw(st.permutations(root)), *[draw(comments) + table for table in draw(st.permutations(tables))]]
    text = draw(comments) + "".join(parts) + draw(comments)
    text = text.rstrip("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


texts = st.text(st.sampled_from("aZ0 \"'\\#[]{}=,.\n\r\t\x00\x1f\x7f\x85éß\u2028😀"), max_size=8)
scalars = st.one_of(texts, st.booleans(), st.integers(), st.floats(allow_nan=False))
new_values = st.one_of(st.none(), scalars, st.lists(texts, max_size=3), st.just(["--a-rather-long-argument=value"] * 4))
env_changes = st.dictionaries(st.sampled_from(["A", "B_C", "d e", "new.one"]), st.one_of(st.none(), texts), max_size=3)
table_changes = st.builds(
    lambda plain, env: plain if env is None else {**plain, "env": env},
    st.dictionaries(st.sampled_from(["command", "args", "url", "odd key"]), new_values, max_size=3),
    st.one_of(st.none(), env_changes),
)


def expected(table: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What the changes make of a table."""
    made: dict[str, Any] = {**table, **changes}
    if "env" in changes:
        env = table.get("env", {})
        made["env"] = {name: one for name, one in {**env, **changes["env"]}.items() if one is not None} or None
    return {key: value for key, value in made.items() if value is not None}


def comparable(document: dict[str, Any]) -> str:
    """The content of a file. No table of servers is the same as an empty one; NaN equals itself; 1 is not 1.0."""
    mcp = document.pop("mcp", None)
    return json.dumps({**document, "mcp": mcp or {}}, sort_keys=True, default=repr)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(documents(), st.sampled_from([*NAMES, "new"]), st.one_of(st.none(), table_changes))
def test_a_change_makes_what_it_says_and_nothing_else(
    tmp_path: Path, text: str, name: str, changes: dict[str, Any] | None
) -> None:
    wanted = tomllib.loads(text)
    named = wanted.setdefault("mcp", {})
    if changes is None:
        named.pop(name, None)
    else:
        named[name] = expected(named.get(name, {}), changes)
    after = written(tmp_path, text, name, changes)
    assert comparable(tomllib.loads(after)) == comparable(wanted)
    for comment in re.findall(r"(?m)#[^\"'\r\n]*$", text.replace(IN_STRING, "")):
        assert comment in after
    if "\r\n" in text:
        assert not re.search(r"(?<!\r)\n", after)
    assert written(tmp_path, after, name, changes) == after
