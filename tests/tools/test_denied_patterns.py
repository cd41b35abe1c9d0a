"""Rules that deny what matches a pattern, and rules with conditions, as the tools apply them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.policy.conditions import Condition
from aster_sidecar.policy.permissions import Rule, reaches
from aster_sidecar.tools.base import RuleTarget, Surroundings, ToolError
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.commands.program_scopes import judged
from aster_sidecar.tools.denied_places import Denied, places_of
from aster_sidecar.tools.paths import rule_value
from aster_sidecar.tools.registry import Toolkit
from tests.tools.support import call, make_surroundings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths are written with slashes here")


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    place = make_surroundings(tmp_path)
    for name in ("keys/a.pem", "keys/deep/b.pem", "keys/c.txt", "src/x.pem", "src/main.py", "[id]/d.pem"):
        path = place.work_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    return place


def deny(value: str, tool: str = "read_file") -> Rule:
    return Rule("r", "deny", tool, "glob", value)


def value(pattern: str, place: Surroundings) -> str:
    return rule_value(RuleTarget("deny", "glob", pattern), place)


@pytest.mark.parametrize(
    ("pattern", "covered", "others"),
    [
        ("**/*.pem", ["keys/a.pem", "keys/deep/b.pem", "src/x.pem", "[id]/d.pem", "new.pem"], ["keys/c.txt", "keys"]),
        ("keys/*", ["keys/a.pem", "keys/deep", "keys/new"], ["keys/deep/b.pem", "keys"]),
        ("keys/**", ["keys", "keys/deep/b.pem"], ["src", "keys2"]),
        ("keys/*.pem/", ["keys/a.pem"], ["keys/c.txt"]),  # a slash at the end has no meaning
        ("./keys//*.pem", ["keys/a.pem"], ["keys/c.txt"]),
        ("src/../keys/*.pem", ["keys/a.pem"], ["src/x.pem"]),
        ("linked/*.pem", ["keys/a.pem"], ["src/x.pem"]),  # the pattern begins with a link
        ("keys/[ab].pem", ["keys/a.pem"], ["keys/c.txt"]),
        ("*/[!a].pem", ["src/x.pem"], ["keys/a.pem"]),
    ],
)
def test_a_pattern_in_the_work_folder(pattern: str, covered: list[str], others: list[str], place: Surroundings) -> None:
    (place.work_dir / "linked").symlink_to("keys")
    found = Denied([deny(value(pattern, place))])
    assert [name for name in covered if found.reason(place.work_dir / name) is None] == []
    assert [name for name in others if found.reason(place.work_dir / name) is not None] == []


def test_a_folder_with_wildcards_in_its_name_is_that_folder(tmp_path: Path) -> None:
    base = tmp_path.resolve() / "a[1]*"
    base.mkdir()
    place = make_surroundings(base)
    found = deny(value("*.pem", place))
    assert reaches(found, str(place.work_dir / "x.pem"))
    assert not reaches(found, str(place.work_dir / "x.txt"))
    assert not reaches(found, str(tmp_path.resolve() / "a1" / "work" / "x.pem"))


@pytest.mark.parametrize("pattern", ["keys", "keys/a.pem", "**/../x", "*/..", ".."])
def test_a_pattern_that_has_no_meaning_is_refused(pattern: str, place: Surroundings) -> None:
    with pytest.raises(ToolError):
        value(pattern, place)


def test_a_hard_link_to_what_a_pattern_covers_is_denied(place: Surroundings) -> None:
    (place.work_dir / "twin").hardlink_to(place.work_dir / "keys" / "a.pem")
    (place.work_dir / "other").hardlink_to(place.work_dir / "keys" / "c.txt")
    found = Denied([deny(value("keys/**/*.pem", place))])
    assert "hard link" in (found.reason(place.work_dir / "twin") or "")
    assert found.reason(place.work_dir / "other") is None
    assert sorted(places_of([deny(value("keys/**/*.pem", place))])) == [
        str(place.work_dir / name) for name in ("keys/a.pem", "keys/deep/b.pem")
    ]


@pytest.mark.parametrize(
    ("line", "pattern", "reads"),
    [
        ("cat src/x.pem", "src/*.pem", False),
        ("cat src/*", "src/*.p?m", False),
        ("cat twin", "**/x.pem", False),
        ("grep -r x src", "**/main*", False),
        ("grep -r x src", "src/*.pem", False),
        ("grep -r x .", "keys/*", False),
        ("ls -R src", "**/main*", False),
        ("ls -R src", "src/**", False),
        ("find src -name x", "*/x.p*", False),
        ("find keys", "src/*", True),
        ("ls -R src", "keys/*", True),
        ("cat src/main.py", "**/*.pem", True),
    ],
)
def test_commands_that_walk_folders(line: str, pattern: str, reads: bool, place: Surroundings) -> None:
    (place.work_dir / "twin").hardlink_to(place.work_dir / "src" / "x.pem")
    rule = deny(value(pattern, place))
    held = Surroundings(place.work_dir, place.protected, lambda tool: [rule] if tool == "read_file" else [])
    env = {"PATH": "/usr/bin:/bin", "HOME": str(place.work_dir.parent)}
    without = judged(line, place.work_dir, place, env, None).why_not
    if line != "cat src/x.pem" and not line.startswith(("cat", "grep")):
        assert without is None
    assert (judged(line, place.work_dir, held, env, None).why_not is None) == (reads and without is None)


def test_tools_that_walk_folders_leave_it_out(place: Surroundings) -> None:
    (place.work_dir / "src" / "y.dat").write_text("x\n")
    (place.work_dir / "src" / "twin.txt").hardlink_to(place.work_dir / "src" / "y.dat")
    rule = replace(deny(value("**/*.dat", place)), tool="*")
    kit = Toolkit(builtin_tools(), lambda _: place, lambda *_: "auto_approve", lambda: [rule])
    held = kit.called_by("a", "s").surroundings()
    listed = [one["name"] for one in call("list_dir", held, depth=4).value["entries"]]
    assert "src/main.py" in listed
    assert "src/y.dat" not in listed
    found = str(call("search_files", held, pattern="x").value["hits"])
    assert "keys/c.txt" in found
    assert "y.dat" not in found
    assert "twin.txt" not in found


# -- conditions --------------------------------------------------------------------------------------------------------


def decided(place: Surroundings, rule: Rule, tool: str, **arguments: Any) -> str:
    kit = Toolkit(builtin_tools(), lambda _: place, lambda *_: "auto_approve", lambda: [rule])
    return kit.check(tool, arguments, "a", "s")[1].decision


@pytest.mark.parametrize(
    ("path", "denied"),
    [
        ("keys/new", True),
        ("./src/../keys/new", True),
        ("linked/new", True),
        ("linked/../keys/new", True),
        ("BASE/work/keys/new", True),
        ("keys/deep/new", True),
        ("src/new", False),
        ("keys/../src/new", False),
        ("keys2/new", False),
    ],
)
def test_a_condition_on_a_place(path: str, denied: bool, place: Surroundings) -> None:
    (place.work_dir / "linked").symlink_to("keys")
    folder = str(place.work_dir / "keys")
    rule = Rule("r", "deny", "write_file", "any", "", conditions=(Condition("path", "beneath", folder),))
    asked = path.replace("BASE", str(place.work_dir.parent))
    assert (decided(place, rule, "write_file", path=asked, content="x") == "deny") == denied


def test_where_a_name_that_looks_the_same_leads_is_not_known(place: Surroundings) -> None:
    (place.work_dir / "caf\u00e9").mkdir()
    (place.work_dir / "caf\u00e9" / "a").write_text("x")
    folder = str(place.work_dir / "caf\u00e9")
    rule = Rule("r", "deny", "read_file", "any", "", conditions=(Condition("path", "beneath", folder),))
    assert decided(place, rule, "read_file", path="caf\u00e9/a") == "deny"
    assert decided(place, rule, "read_file", path="cafe\u0301/a") == "deny"
    assert decided(place, rule, "read_file", path="src/main.py") == "allow"


@pytest.mark.parametrize("seconds", [5, 5.0, "5", "5.0"])
def test_arguments_count_as_the_tool_reads_them(seconds: Any, place: Surroundings) -> None:
    rule = Rule("r", "deny", "run_command", "any", "", conditions=(Condition("timeout_s", "equals", 5),))
    assert decided(place, rule, "run_command", command="rm x", timeout_s=seconds) == "deny"
    assert decided(place, rule, "run_command", command="rm x", timeout_s=6) == "allow"
    # An argument that is left out can't be tested, so that the rule still denies.
    assert decided(place, rule, "run_command", command="rm x") == "deny"
    folder = Rule("r", "deny", "run_command", "any", "", conditions=(Condition("cwd", "equals", "src"),))
    assert decided(place, folder, "run_command", command="rm x", cwd=None) == "deny"
    assert decided(place, folder, "run_command", command="rm x", cwd="keys") == "allow"
