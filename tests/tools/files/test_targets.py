"""Which file a call is about, how risky it is, and what an answer that is remembered covers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aster_sidecar.policy.permissions import Rule
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.files.support import READERS, WRITERS, decided
from tests.tools.support import assess, call, tool


@pytest.mark.parametrize(("name", "more"), READERS + WRITERS)
def test_risk_is_lowest_inside_the_work_directory(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    found = assess(name, place, path="notes.txt", **more)
    assert found.risk == ("low" if (name, more) in READERS else "medium") == tool(name).risk
    assert found.target == str(place.work_dir / "notes.txt")
    assert found.binding["paths"] == [found.target]
    assert found.remember is not None
    assert (found.remember.kind, found.remember.value) == ("beneath", str(place.work_dir))
    # The words must fit a rule that allows and one that denies: they are shown before the person chooses.
    assert found.remember.words == f"{name} anywhere in {place.work_dir}"
    assert found.forbidden is None


@pytest.mark.parametrize(("name", "more"), READERS + WRITERS)
@pytest.mark.parametrize(
    "path", ["../out.txt", "/opt/out.txt", "a/../../out.txt", "../work-evil/a", "~/out.txt", "../Work/a"]
)
def test_outside_is_high_and_remembered_for_that_path_only(
    place: Surroundings, name: str, more: dict[str, Any], path: str
) -> None:
    found = assess(name, place, path=path, **more)
    assert found.risk == "high"
    assert "outside the work folder" in found.reason
    assert found.remember is not None
    assert (found.remember.kind, found.remember.value) == ("exact", found.target)


def test_a_prefix_cousin_is_outside(place: Surroundings) -> None:
    cousin = Path(f"{place.work_dir}-evil")
    cousin.mkdir()
    (cousin / "a").write_text("x")
    assert assess("read_file", place, path=str(cousin / "a")).risk == "high"


@pytest.mark.parametrize("path", ["//etc/hostname", "/./etc//hostname", "/etc/../etc/hostname"])
def test_one_path_has_one_spelling(place: Surroundings, path: str) -> None:
    assert assess("read_file", place, path=path).target == "/etc/hostname"


def test_a_link_that_leads_out_is_judged_by_where_it_leads(place: Surroundings, tmp_path: Path) -> None:
    outside = tmp_path.resolve() / "outside.txt"
    outside.write_text("x")
    (place.work_dir / "near").symlink_to(outside)
    (place.work_dir / "folder").symlink_to(tmp_path)
    for path in ("near", "folder/outside.txt"):
        found = assess("read_file", place, path=path)
        assert (found.target, found.risk) == (str(outside), "high")
        assert "a link that leads outside" in found.reason


def test_a_link_within_is_followed(place: Surroundings) -> None:
    (place.work_dir / "real.txt").write_text("here")
    (place.work_dir / "near").symlink_to("real.txt")
    found = assess("read_file", place, path="near")
    assert (found.target, found.risk) == (str(place.work_dir / "real.txt"), "low")
    assert call("read_file", place, path="near").value["text"] == "here"


def test_dotdot_after_a_link_is_the_real_parent(place: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "secret.txt").write_text("x")
    (place.work_dir / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    found = assess("read_file", place, path="link/../secret.txt")
    assert found.target == str(tmp_path.resolve() / "elsewhere" / "secret.txt")
    assert found.risk == "high"


def test_a_dangling_link_is_judged_by_its_aim(place: Surroundings, tmp_path: Path) -> None:
    (place.work_dir / "later").symlink_to(tmp_path.resolve() / "new.txt")
    found = assess("write_file", place, path="later", content="x")
    assert (found.target, found.risk) == (str(tmp_path.resolve() / "new.txt"), "high")


def test_a_loop_of_links_is_refused(place: Surroundings) -> None:
    (place.work_dir / "a").symlink_to("b")
    (place.work_dir / "b").symlink_to("a")
    with pytest.raises(ToolError):
        assess("read_file", place, path="a")
    assert call("delete_file", place, path="a").value["deleted"] == "link"


@pytest.mark.parametrize(("name", "more"), READERS + WRITERS)
def test_the_daemons_own_files_are_forbidden(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    (place.work_dir / "way").symlink_to(place.protected[0])
    os.link(place.protected[0] / "aster.db", place.work_dir / "twin.db")
    for path in ("../daemon", "../daemon/aster.db", "../daemon/new", "way/aster.db", "twin.db"):
        assert assess(name, place, path=path, **more).forbidden is not None, path
    for ends in ({"source": "a", "destination": "../daemon/a"}, {"source": "way/aster.db", "destination": "b"}):
        assert assess("move_file", place, **ends).forbidden is not None


@pytest.mark.parametrize("path", ["/proc/self/environ", "/dev/zero", "/sys/kernel", "//proc/self/environ", "here"])
def test_the_systems_own_files_are_forbidden(place: Surroundings, path: str) -> None:
    (place.work_dir / "here").symlink_to("/proc/self/environ")
    assert assess("read_file", place, path=path).forbidden is not None
    assert assess("list_dir", place, path=path).forbidden is not None


def test_proc_links_lead_where_they_lead(place: Surroundings) -> None:
    assert assess("read_file", place, path="/proc/self/root/etc/hostname").target == "/etc/hostname"
    assert assess("read_file", place, path="/proc/self/cwd/x").target == os.path.join(os.getcwd(), "x")


def test_a_move_is_judged_by_both_ends(place: Surroundings) -> None:
    inside = assess("move_file", place, source="a", destination="b")
    assert inside.risk == "medium"
    assert (inside.target, inside.also) == (str(place.work_dir / "a"), (str(place.work_dir / "b"),))
    assert inside.remember is not None
    for ends in ({"source": "a", "destination": "../b"}, {"source": "../a", "destination": "b"}):
        found = assess("move_file", place, **ends)
        assert (found.risk, found.remember) == ("high", None)
        assert decided(found, Rule("r", "allow", "*", "beneath", str(place.work_dir)), "move_file") == "ask"
    narrow = Rule("r", "allow", "move_file", "beneath", str(place.work_dir / "mine"))
    for ends, verdict in (
        ({"source": "mine/a", "destination": "mine/b"}, "allow"),
        ({"source": "mine/a", "destination": "b"}, "ask"),
        ({"source": "a", "destination": "mine/b"}, "ask"),
    ):
        assert decided(assess("move_file", place, **ends), narrow, "move_file") == verdict
    kept = Rule("r", "deny", "move_file", "beneath", str(place.work_dir / "kept"))
    for ends in ({"source": "a", "destination": "kept/b"}, {"source": "kept/a", "destination": "b"}):
        assert decided(assess("move_file", place, **ends), kept, "move_file") == "deny"


def test_creating_and_replacing_are_bound_apart(place: Surroundings) -> None:
    before = assess("write_file", place, path="a.txt", content="x")
    (place.work_dir / "a.txt").write_text("somebody's")
    assert assess("write_file", place, path="a.txt", content="x").binding != before.binding


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_strings_that_nothing_can_carry_are_refused(value: str) -> None:
    for arguments in ({"path": value, "content": ""}, {"path": "a", "content": value}):
        with pytest.raises(ValidationError):
            tool("write_file").arguments.model_validate(arguments)
    with pytest.raises(ValidationError):
        tool("read_file").arguments.model_validate({"path": "a", "surprise": 1})


def test_a_person_sees_what_is_hidden(place: Surroundings) -> None:
    found = assess("write_file", place, path="a\u202etxt.exe\nwrite b", content="\x1b[2K{0}\u200b\tx")
    first, *rest = found.display.split("\n")
    assert first.startswith("write ")
    assert "\u202e" not in first
    assert "‹U+202E›" in first
    assert "‹U+000A›" in first
    assert rest == ["‹U+001B›[2K{0}‹U+200B›‹U+0009›x"]
    edit = assess("edit_file", place, path="a", old="a\n+ safe", new="b\n- x")
    assert edit.display.split("\n")[1:] == ["- a", "- + safe", "+ b", "+ - x"]
    search = assess("search_files", place, pattern="a\nin files named b", glob="c")
    assert search.display.split("\n")[1:] == ["for a‹U+000A›in files named b", "in files named c"]
    long = assess("write_file", place, path="a", content="y" * 100_000)
    assert long.display.endswith("\n" + "y" * 100_000)


def test_different_texts_never_look_the_same() -> None:
    texts = ["\x1b", "‹U+001B›", "\\x1b", "\u2028", "\n", "a\u00a0b", "a b", "\U000e0041", "\u3164", "\ud800", "é"]
    assert len({visible(text) for text in texts}) == len(texts)
    assert all(visible(text).isprintable() for text in texts if text != "\n")
