"""Reading keeps everything: long lines to their end, other encodings, names that look the same, and what is denied."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools import Surroundings
from aster_sidecar.tools.files import reading
from tests.tools.support import call, make_surroundings

ON = re.compile(r"read on with offset (\d+)(?:, column (\d+))?")


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    return make_surroundings(tmp_path)


def read(place: Surroundings, path: str, **more: Any) -> dict[str, Any]:
    return call("read_file", place, path=path, **more).value


def followed(place: Surroundings, path: str) -> list[str]:
    """The file's lines, put together by doing what each result's note says."""
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


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["plain words\r\nand more\r\n", "你好 世界\n再见\n", "😀 smile\n"])
def test_wide_text_is_read_as_what_it_is(place: Surroundings, codec: str, text: str, mark: bool) -> None:
    if not mark and codec.startswith("utf-32"):
        pytest.skip("without a mark it is not told from other data")
    (place.work_dir / "w").write_bytes((("\ufeff" if mark else "") + text).encode(codec))
    result = read(place, "w")
    assert result["text"] == text.replace("\r\n", "\n").removesuffix("\n")
    assert result["encoding"] == codec
    assert codec in result["note"]
    assert "UTF-8" in result["note"]


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


def test_a_replacement_character_that_stands_in_the_file_is_no_fault(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("what \ufffd means")
    result = read(place, "a")
    assert result["text"] == "what \ufffd means"
    assert "note" not in result
