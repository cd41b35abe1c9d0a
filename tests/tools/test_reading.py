"""Reading loses nothing: long lines to their end, other encodings, names that look the same, and deny rules."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.policy.permissions import Rule
from aster_sidecar.tools import denied_places, lookalikes
from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.files import reading
from aster_sidecar.tools.registry import Toolkit
from tests.tools.files.support import READERS, WRITERS
from tests.tools.support import assess, call

ON = re.compile(r"read on with offset (\d+)(?:, column (\d+))?")


def read(place: Surroundings, path: str, **more: Any) -> dict[str, Any]:
    return call("read_file", place, path=path, **more).value


def followed(place: Surroundings, path: str) -> list[str]:
    """The file's lines, put together by following the note of each result."""
    lines: list[str] = []
    where: dict[str, int] = {"limit": 1}
    while True:
        result = read(place, path, **where)
        text = re.sub(r" \[\d+ more characters: [^\]]*\]$", "", result["text"])
        if where.get("column", 1) > 1:
            lines[-1] += text
        else:
            lines.append(text)
        on = ON.search(result.get("note", ""))
        if on is None:
            assert not result["more"]
            return lines
        where = {"limit": 1, "offset": int(on[1])} | ({"column": int(on[2])} if on[2] else {})
        if not on[2] and not result["more"]:
            return lines


# --- long lines ----------------------------------------------------------------------------------------------------


def test_the_notes_lead_to_the_end_of_a_long_line(place: Surroundings) -> None:
    whole = "".join(f"<{number}é>" for number in range(9000)) + "TAIL_MARK"
    (place.work_dir / "one.json").write_text(whole)
    assert followed(place, "one.json") == [whole]
    first = call("read_file", place, path="one.json")
    assert first.truncated
    assert first.value["note"] == "line 1 is cut: read on with offset 1, column 2001"
    assert f"[{len(whole) - 2000} more characters: read on with offset 1, column 2001]" in first.value["text"]


def test_a_line_longer_than_one_answer_is_read_in_several(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "READ_BYTES", 10_000)
    whole = "日本語" * 10_000 + "end"
    (place.work_dir / "wide.txt").write_text(whole)
    assert followed(place, "wide.txt") == [whole]
    part = read(place, "wide.txt", column=5)
    assert part["first_column"] == 5
    assert len(part["text"].encode()) <= 10_000
    assert part["more"] is True


def test_after_the_rest_of_a_line_come_the_lines_behind_it(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes(b"first\r\n" + b"x" * 3000 + b"END\r\nthird\r\n")
    rest = read(place, "a", offset=2, column=2999)
    assert rest["text"] == "xxEND\nthird"
    assert (rest["first_line"], rest["last_line"], rest["more"]) == (2, 3, False)
    assert "note" not in rest
    assert read(place, "a", offset=2, column=3004, limit=1)["text"] == ""
    assert read(place, "a", offset=2, column=4000)["note"] == "line 2 has 3003 characters"
    assert read(place, "a", offset=9, column=2)["note"] == "the file has 3 lines"


def test_every_cut_line_says_so(place: Surroundings) -> None:
    (place.work_dir / "a").write_text(("y" * 2500 + "\n") * 3)
    result = read(place, "a")
    assert [ON.findall(line) for line in result["text"].split("\n")] == [[(str(n), "2001")] for n in (1, 2, 3)]
    assert "2 more are cut" in result["note"]


def test_what_lies_behind_the_bound_is_named(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "READ_SCAN_BYTES", 100_000)
    (place.work_dir / "one").write_text("z" * 500_000)
    result = read(place, "one", column=400_000)
    assert result["note"] == "column 400000 of line 1 is not among the first 97.7 KiB"
    assert result["more"] is True
    (place.work_dir / "many").write_text("z\n" * 250_000)
    result = read(place, "many", offset=200_000)
    assert (result["note"], result["more"]) == ("line 200000 is not among the first 97.7 KiB", True)


# --- encodings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "mark"),
    [
        *((codec, "\ufeff") for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")),
        *((codec, "") for codec in ("utf-16-le", "utf-16-be")),
    ],
)
@pytest.mark.parametrize("text", ["plain words\r\nand more\r\n", "你好 世界\n再见\n", "😀 smile\n"])
def test_wide_text_is_read_as_what_it_is(place: Surroundings, codec: str, text: str, mark: str) -> None:
    (place.work_dir / "w").write_bytes((mark + text).encode(codec))
    result = read(place, "w")
    assert result["text"] == text.replace("\r\n", "\n").removesuffix("\n")
    assert result["encoding"] == codec
    assert codec in result["note"]
    assert "changes keep it" in result["note"]


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 8,
        b"\x01\0\x02\0\x03\0\x04\0",
        b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0",
        b"\0\0\0\x18ftypmp42\0\0\0\0",
        b"a\0",
    ],
)
def test_other_data_is_not_taken_for_wide_text(place: Surroundings, data: bytes) -> None:
    (place.work_dir / "b").write_bytes(data)
    assert read(place, "b")["binary"] is True


def test_columns_and_lines_count_the_same_in_wide_text(place: Surroundings) -> None:
    whole = "é" * 5000 + "TAIL"
    (place.work_dir / "w").write_bytes(f"\ufeff{whole}\nnext".encode("utf-16-le"))
    assert read(place, "w", column=5001)["text"] == "TAIL\nnext"


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le"])
def test_lines_that_end_in_a_carriage_return_alone_are_lines(place: Surroundings, codec: str) -> None:
    path = place.work_dir / "mac"
    path.write_bytes("\ufeffone\rtwo\r\rthree\r".encode(codec))
    assert read(place, "mac")["text"] == "one\ntwo\n\nthree"
    assert read(place, "mac", offset=2, limit=1)["text"] == "two"
    [hit] = call("search_files", place, pattern="^three$").value["hits"]
    assert (hit["line"], hit["text"]) == (4, "three")
    call("edit_file", place, path="mac", old="one\ntwo\n", new="1\n2\n2b\n")
    assert path.read_bytes() == "\ufeff1\r2\r2b\r\rthree\r".encode(codec)


@pytest.mark.parametrize("length", [8189, 8190, 8191, 8192, 8193])
def test_a_long_first_line_does_not_hide_how_lines_end(place: Surroundings, length: int) -> None:
    (place.work_dir / "a").write_bytes(b"x" * length + b"\r\nTAIL\r\n")
    assert read(place, "a", offset=2)["text"] == "TAIL"
    assert call("search_files", place, pattern="^TAIL$").value["hits"][0]["line"] == 2


def test_a_byte_order_mark_is_no_character_of_the_text(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes(b"\xef\xbb\xbfabc")
    result = read(place, "a", column=2)
    assert result["text"] == "bc"
    assert "note" not in result


@pytest.mark.parametrize("codec", ["gbk", "shift-jis", "cp1252", "koi8-r"])
def test_text_that_is_not_utf8_is_named(place: Surroundings, codec: str) -> None:
    words = {"gbk": "你好", "shift-jis": "日本", "cp1252": "café", "koi8-r": "привет"}[codec]
    (place.work_dir / "a").write_bytes(f"plain\n{words}\n".encode(codec))
    result = read(place, "a")
    assert result["text"].startswith("plain\n")
    assert "\ufffd" in result["text"]
    assert "not UTF-8" in result["note"]
    assert "destroy" in result["note"]


@pytest.mark.parametrize("rest", [b"\n", b"\n\0\x00\xd8b\0"])
def test_wide_text_that_is_damaged_is_named(place: Surroundings, rest: bytes) -> None:
    (place.work_dir / "a").write_bytes("\ufeffwhat \ufffd means".encode("utf-16-le") + rest)
    result = read(place, "a")
    assert result["text"].endswith("\ufffd" if rest == b"\n" else "\ufffdb")
    assert "not utf-16-le to its end" in result["note"]
    assert "destroy" in result["note"]
    assert "changes keep it" not in result["note"]
    with pytest.raises(ToolError, match="left as it is"):
        call("edit_file", place, path="a", old="what", new="which")
    notes = call("search_files", place, pattern="what").value["notes"]
    assert notes == ["not all of it is UTF-16 or UTF-32, the rest is shown as \ufffd: a"]


def test_a_replacement_character_in_wide_text_is_no_fault(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes("\ufeffwhat \ufffd means".encode("utf-16-le"))
    assert read(place, "a")["note"] == "the file is utf-16-le, and shown decoded; changes keep it"


def test_a_replacement_character_that_stands_in_the_file_is_no_fault(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("what \ufffd means")
    result = read(place, "a")
    assert result["text"] == "what \ufffd means"
    assert "note" not in result


# --- names that look the same --------------------------------------------------------------------------------------

NEAR = [
    ("Shot 2026 at 1.01 AM.txt", "Shot 2026 at 1.01\u202fAM.txt"),
    ("Shot 1.01 AM.txt", "Shot 1.01\u00a0AM.txt"),
    ("caf\u00e9.txt", "cafe\u0301.txt"),
    ("cafe\u0301.txt", "caf\u00e9.txt"),
    ("notes.txt", "not\u200bes.txt"),
    ("not\u00ades.txt", "notes.txt"),
]


@pytest.mark.parametrize(("asked", "real"), NEAR)
def test_a_file_whose_name_looks_the_same_is_read_and_named(place: Surroundings, asked: str, real: str) -> None:
    (place.work_dir / real).write_text("here")
    found = assess("read_file", place, path=asked)
    assert found.target == str(place.work_dir / real)
    assert lookalikes.spelled(Path(found.target)) in found.reason
    result = read(place, asked)
    assert (result["text"], result["path"]) == ("here", str(place.work_dir / real))
    assert lookalikes.spelled(place.work_dir / real) in result["note"]
    assert call("search_files", place, path=asked, pattern="here").value["hits"] != []


def test_every_part_of_a_path_may_look_the_same(place: Surroundings) -> None:
    folder = place.work_dir / "My\u00a0Documents" / "caf\u0065\u0301"
    folder.mkdir(parents=True)
    (folder / "a\u202fb").write_text("deep")
    result = read(place, "My Documents/caf\u00e9/./a b")
    assert (result["text"], result["path"]) == ("deep", str(folder / "a\u202fb"))
    listing = call("list_dir", place, path="My Documents/caf\u00e9").value
    assert [one["name"] for one in listing["entries"]] == ["a\u202fb"]
    assert "‹U+00A0›" in listing["notes"][0]
    found = call("search_files", place, path="My Documents", pattern="deep").value
    assert len(found["hits"]) == 1
    assert "‹U+00A0›" in found["notes"][0]


def test_of_two_names_that_look_the_same_none_is_taken(place: Surroundings) -> None:
    for name in ("a\u00a0b", "a\u202fb", "e\u0301\u200b", "\u00e9\u200b"):
        (place.work_dir / name).write_text(name)
    for name, more in READERS:
        with pytest.raises(ToolError, match=r"‹U\+00A0›.* and .*‹U\+202F›"):
            call(name, place, path="a b", **more)
        with pytest.raises(ToolError) as refusal:
            call(name, place, path="\u00e9", **more)
        assert "‹U+0301›" in str(refusal.value)
    assert read(place, "a\u202fb")["text"] == "a\u202fb"


def test_a_name_that_exists_is_never_exchanged(place: Surroundings) -> None:
    (place.work_dir / "a b").write_text("plain")
    (place.work_dir / "a\u00a0b").write_text("other")
    assert read(place, "a b")["text"] == "plain"
    assert "taken" not in assess("read_file", place, path="a b").binding
    assert assess("write_file", place, path="a b", content="x").risk == "medium"


@pytest.mark.parametrize("other", ["A b", "a  b", "a-b", "ａ b", "ab"])
def test_names_that_look_different_are_other_names(place: Surroundings, other: str) -> None:
    (place.work_dir / other).write_text("x")
    with pytest.raises(ToolError, match="No such file"):
        read(place, "a b")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("edit_file", {"path": "a b", "old": "x", "new": "y"}),
        ("delete_file", {"path": "a b"}),
        ("move_file", {"source": "a b", "destination": "c"}),
    ],
)
def test_a_change_never_takes_another_file(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    (place.work_dir / "a\u00a0b").write_text("x")
    with pytest.raises(ToolError, match=r"a b does not exist; .*a‹U\+00A0›b does\."):
        assess(name, place, **more)
    assert (place.work_dir / "a\u00a0b").read_text() == "x"


def test_a_new_file_beside_one_that_looks_the_same_is_said(place: Surroundings) -> None:
    (place.work_dir / "a\u00a0b").write_text("x")
    (place.work_dir / "other").write_text("x")
    for name, more in (
        ("write_file", {"path": "a b", "content": "y"}),
        ("write_file", {"path": "a b/new", "content": "y"}),
        ("move_file", {"source": "other", "destination": "a b"}),
    ):
        found = assess(name, place, **more)
        assert "a‹U+00A0›b, which exists." in found.reason
        assert found.risk == "high"
    moved = call("move_file", place, source="other", destination="a\u2000b").value
    assert "a‹U+00A0›b, which exists." in moved["note"]
    call("move_file", place, source="a\u2000b", destination="other")
    assert "a‹U+00A0›b, which exists." in call("write_file", place, path="a b", content="y").value["note"]
    assert "note" not in call("write_file", place, path="a b", content="z").value  # it exists now
    assert sorted(path.name for path in place.work_dir.iterdir()) == ["a b", "a\u00a0b", "other"]


def test_names_of_the_daemons_own_files_are_not_told(place: Surroundings) -> None:
    (place.protected[0] / "a\u00a0b").write_text("x")
    assert assess("delete_file", place, path="../daemon/a b").forbidden is not None


def test_a_huge_directory_is_not_looked_through(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookalikes, "SCAN_ENTRIES", 2)
    for name in ("a\u00a0b", "c", "d"):
        (place.work_dir / name).write_text("x")
    with pytest.raises(ToolError, match="No such file"):
        read(place, "a b")


# --- deny rules ----------------------------------------------------------------------------------------------------


def denying(place: Surroundings, *rules: tuple[str, str, str]) -> Surroundings:
    """The same surroundings with these deny rules (tool, kind, value), as the toolbox passes them on."""
    stored = [Rule(f"rule_{n}", "deny", *fields) for n, fields in enumerate(rules)]  # type: ignore[arg-type]
    kit = Toolkit([], lambda _: place, lambda *_: "smart_approve", lambda: stored)
    return kit.called_by("default", "session_1").surroundings()


def private(place: Surroundings) -> Path:
    folder = place.work_dir / "private"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("canary")
    (place.work_dir / "open").mkdir()
    (place.work_dir / "open" / "b.txt").write_text("canary")
    return folder


@pytest.mark.parametrize("tool", ["*", "list_dir", "read_file"])
def test_a_listing_leaves_out_what_a_rule_denies(place: Surroundings, tool: str) -> None:
    folder = private(place)
    found = call("list_dir", denying(place, (tool, "beneath", str(folder))), depth=4).value
    assert [one["name"] for one in found["entries"]] == ["open", "open/b.txt"]
    assert found["notes"] == ["private is left out: a rule denies it"]
    whole = call("list_dir", denying(place, ("write_file", "beneath", str(folder))), depth=4).value
    assert "private/deep/a.txt" in [one["name"] for one in whole["entries"]]


@pytest.mark.parametrize("tool", ["*", "list_dir", "read_file"])
def test_who_may_not_read_a_place_may_not_list_it(place: Surroundings, tool: str) -> None:
    folder = private(place)
    found = assess("list_dir", denying(place, (tool, "beneath", str(folder))), path="private/deep")
    # A rule about the tool itself is found by the target; the other rule, about reading, comes with the surroundings.
    assert (found.forbidden is not None) == (tool == "read_file")


@pytest.mark.parametrize(("name", "more"), READERS + WRITERS)
def test_a_hard_link_to_a_denied_file_is_denied(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    folder = private(place)
    os.link(folder / "deep" / "a.txt", place.work_dir / "twin")
    os.link(place.work_dir / "open" / "b.txt", place.work_dir / "harmless")
    around = denying(place, ("*", "beneath", str(folder)))
    forbidden = assess(name, around, path="twin", **more).forbidden
    assert forbidden is not None
    assert "hard link" in forbidden
    assert forbidden.endswith(f"Your rule denies every tool for {folder} and everything in it.")
    assert assess(name, around, path="harmless", **more).forbidden is None
    assert assess(name, place, path="twin", **more).forbidden is None
    exact = denying(place, (name, "exact", str(folder / "deep" / "a.txt")))
    assert assess(name, exact, path="twin", **more).forbidden is not None
    moved = assess("move_file", around, source="twin", destination="x")
    assert moved.forbidden is not None


def test_another_way_to_a_denied_place_is_denied(place: Surroundings, tmp_path: Path) -> None:
    folder = private(place)
    (tmp_path / "way").symlink_to(folder)
    around = denying(place, ("*", "beneath", str(tmp_path / "way")))  # a rule whose path goes through a link
    for path in ("private", "private/deep/a.txt", "private/new"):
        assert assess("read_file", around, path=path).forbidden is not None, path
    assert call("list_dir", around, depth=3).value["notes"] == ["private is left out: a rule denies it"]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount")
def test_what_is_mounted_from_a_denied_place_is_denied(place: Surroundings, tmp_path: Path) -> None:
    folder = private(place)
    (folder / "deep" / "one name").write_text("the secret needle")
    for name in ("open/a b", "whole", "harmless"):
        (place.work_dir / name).mkdir()
    around = denying(place, ("*", "beneath", str(folder)))
    mounted: list[Path] = []
    try:
        for source, name in ((folder / "deep", "open/a b"), (folder, "whole"), (place.work_dir / "open", "harmless")):
            if ctypes.CDLL(None).mount(os.fsencode(source), os.fsencode(place.work_dir / name), None, 4096, None) != 0:
                pytest.skip("mounting is not allowed here")  # 4096: MS_BIND
            mounted.append(place.work_dir / name)
        for name, more in [*READERS, *WRITERS]:
            for path in ("open/a b/one name", "whole/deep/one name"):
                forbidden = assess(name, around, path=path, **more).forbidden
                assert forbidden is not None
                assert forbidden.endswith(f"Your rule denies every tool for {folder} and everything in it.")
        assert assess("read_file", around, path="harmless/b.txt").forbidden is None
        found = call("search_files", around, pattern="the secret")
        assert found.value["hits"] == []
        assert any("a rule denies it" in note and "open/a b" in note for note in found.value["notes"])
        names = [entry["name"] for entry in call("list_dir", around, depth=5).value["entries"]]
        assert not any("one name" in name for name in names)
    finally:
        for path in mounted:
            assert ctypes.CDLL(None).umount(os.fsencode(path)) == 0


def test_of_a_huge_denied_place_every_file_with_several_names_is_denied(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = private(place)
    os.link(place.work_dir / "open" / "b.txt", place.work_dir / "harmless")
    (place.work_dir / "single").write_text("x")
    monkeypatch.setattr(denied_places, "WALK_ENTRIES", 1)
    around = denying(place, ("*", "beneath", str(folder)))
    assert "too many files" in str(assess("read_file", around, path="harmless").forbidden)
    assert assess("read_file", around, path="single").forbidden is None


def test_what_a_rule_denies_is_not_told_by_its_likeness(place: Surroundings) -> None:
    folder = private(place)
    (folder / "a\u00a0b").write_text("x")
    around = denying(place, ("*", "beneath", str(folder)))
    assert assess("delete_file", around, path="private/a b").target == str(folder / "a b")


def test_a_rule_for_another_session_does_not_count(place: Surroundings) -> None:
    folder = private(place)
    stored = [Rule("r", "deny", "*", "beneath", str(folder), session_id="session_2")]
    kit = Toolkit([], lambda _: place, lambda *_: "smart_approve", lambda: stored)
    mine, other = (kit.called_by("default", name).surroundings() for name in ("session_1", "session_2"))
    assert call("list_dir", mine).value["notes"] == []
    assert call("list_dir", other).value["notes"] == ["private is left out: a rule denies it"]
