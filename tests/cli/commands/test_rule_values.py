"""What a person types for a permission rule, as the daemon takes it."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.cli.commands.rule_values import FILE_TOOLS, BadRule, condition_of, value_of
from aster_sidecar.tools import paths
from aster_sidecar.tools.builtin import builtin_tools

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
SCHEMA: dict[str, Any] = {
    "properties": {
        "path": {"type": "string"},
        "cwd": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "mode": {"type": ["string", "null"]},
        "limit": {"type": "integer"},
    }
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The current directory, with characters that a pattern or a rule could take for something else."""
    place = tmp_path / "a [b]\x1b"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("HOME", "/home/ada")
    return str(place)


def test_the_tools_for_files_are_those_whose_rules_are_about_paths() -> None:
    about_paths = (paths.rule_value, paths.rule_value_of_links)
    assert {tool.name for tool in builtin_tools() if tool.rule_value in about_paths} == set(FILE_TOOLS)


def test_a_path_is_one_from_the_current_directory(here: str) -> None:
    assert value_of("deny", "read_file", "exact", ".env") == f"{here}/.env"
    assert value_of("allow", "write_file", "beneath", "src") == f"{here}/src"
    assert value_of("deny", "*", "beneath", "src") == f"{here}/src"
    assert value_of("deny", "run_command", "beneath", "src") == f"{here}/src"
    assert value_of("deny", "read_file", "glob", "**/*.pem") == f"{glob.escape(here)}/**/*.pem"
    assert value_of("deny", "read_file", "exact", "/etc/passwd") == "/etc/passwd"
    assert value_of("deny", "read_file", "exact", "~/.ssh/id") == "/home/ada/.ssh/id"
    assert value_of("deny", "read_file", "exact", "") == ""


def test_a_command_is_allowed_here_and_denied_everywhere(here: str) -> None:
    visible = here.replace("\x1b", "‹U+001B›")
    for kind in ("exact", "program"):
        assert value_of("allow", "run_command", kind, "npm test") == f"in {visible}:\nnpm test"
        assert value_of("deny", "run_command", kind, "git push") == "git push"
        for decision in ("allow", "deny"):
            assert value_of(decision, "run_command", kind, "in /work:\nnpm test") == "in /work:\nnpm test"


@pytest.mark.parametrize(
    ("tool", "kind", "typed"),
    [
        ("fetch_url", "exact", "https://example.com"),
        ("fetch_url", "glob", "https://*.example.com"),
        ("notes", "exact", '{"a": 1}'),
        ("*", "exact", "git push"),
    ],
)
def test_other_values_are_as_they_are_typed(tool: str, kind: str, typed: str, here: str) -> None:
    assert value_of("deny", tool, kind, typed) == typed


def test_only_the_kind_any_has_no_value() -> None:
    assert value_of("deny", "write_file", "any", None) == ""
    with pytest.raises(BadRule, match="a rule of the kind any takes no VALUE"):
        value_of("deny", "write_file", "any", "a.txt")
    with pytest.raises(BadRule, match="a rule of the kind beneath needs a VALUE"):
        value_of("deny", "write_file", "beneath", None)


@pytest.mark.parametrize(
    ("argument", "test", "typed", "value"),
    [
        ("path", "equals", "5", "5"),
        ("cwd", "equals", "true", "true"),
        ("mode", "equals", "5", "5"),
        ("limit", "equals", "5", 5),
        ("limit", "equals", "many", "many"),
        ("unknown.part", "equals", "5", 5),
        ("unknown", "equals", "true", True),
        ("unknown", "equals", '"5"', "5"),
        ("unknown", "equals", "null", "null"),
        ("unknown", "equals", "[1]", "[1]"),
        ("limit", "one_of", "[1, 2]", [1, 2]),
        ("path", "one_of", '["a", "b"]', ["a", "b"]),
        ("path", "glob", "[ab].txt", "[ab].txt"),
    ],
)
def test_the_value_of_a_condition(argument: str, test: str, typed: str, value: object) -> None:
    for negated in (True, False):
        assert condition_of(argument, test, typed, negated=negated, schema=SCHEMA) == {
            "argument": argument,
            "test": test,
            "value": value,
            "negated": negated,
        }


def test_a_condition_on_a_directory_is_about_the_current_one(here: str) -> None:
    assert condition_of("path", "beneath", "src", negated=False, schema={})["value"] == f"{here}/src"


@pytest.mark.parametrize(
    ("test", "typed", "told"),
    [
        ("is", "5", "there is no test 'is'"),
        ("one_of", "a,b", "one_of: a,b is not a list"),
        ("one_of", "[]", "one_of: "),
        ("one_of", '{"a": 1}', "one_of: "),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(test: str, typed: str, told: str) -> None:
    with pytest.raises(BadRule) as refused:
        condition_of("path", test, typed, negated=False, schema=SCHEMA)
    assert refused.value.message.startswith(told)
    assert refused.value.hint
