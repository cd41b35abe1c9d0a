"""A file's content, the form of its text, and the lines that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.tools import file_content
from aster_sidecar.tools.file_content import (
    COMPARED_LINES,
    NOTHING,
    Form,
    content_at,
    difference,
    form_change,
    in_form,
    read_text,
)


def test_the_mark_tells_what_is_at_a_path(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    assert content_at(folder / "a") == NOTHING
    (folder / "a").write_text("one")
    (folder / "b").write_text("one")
    (folder / "link").symlink_to("a")
    assert content_at(folder / "a").mark == content_at(folder / "b").mark
    assert content_at(folder / "a").data == b"one"
    assert content_at(folder / "link").mark == "link to a"
    assert content_at(folder).mark == content_at(Path("/")).mark == "a directory"
    (folder / "b").write_text("two")
    assert content_at(folder / "a").mark != content_at(folder / "b").mark


def test_of_a_large_file_the_ends_and_the_identity_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_content, "HASHED_BYTES", 10)
    monkeypatch.setattr(file_content, "ENDS_BYTES", 4)
    path = tmp_path.resolve() / "a"
    path.write_bytes(b"0123456789ab")
    before = content_at(path)
    assert before.data is None
    assert "both ends" in before.mark
    path.write_bytes(b"0123456789aX")
    assert content_at(path).mark != before.mark


@pytest.mark.parametrize(
    ("old", "text", "new"),
    [
        (b"", "a\nb", b"a\nb"),
        (b"x\r\ny\r\n", "a\nb", b"a\r\nb"),
        (b"x\ry", "a\nb", b"a\rb"),
        (b"x\r\ny\n", "a\nb", b"a\nb"),
        (b"x\r\n", "a\r\nb\n", b"a\r\nb\n"),
        (b"\xef\xbb\xbfx", "a", b"\xef\xbb\xbfa"),
        (b"\xef\xbb\xbfx", "\ufeffa", b"\xef\xbb\xbfa"),
        ("\ufeffx\r\n".encode("utf-16-le"), "a\n", "\ufeffa\r\n".encode("utf-16-le")),
        (b"\0binary", "a", b"a"),
        (b"\xff", "\u00e9", "\u00e9".encode()),
    ],
)
def test_a_text_is_written_in_the_form_of_the_old_one(old: bytes, text: str, new: bytes) -> None:
    assert in_form(text, old)[0] == new


def test_a_form_in_words() -> None:
    assert Form().words == ""
    assert Form(None).words == "not UTF-8 text"
    assert Form("utf-16-le", b"\xff\xfe", "\r\n").words == "UTF-16, a byte order mark, CRLF line ends"
    assert Form(line_end="").words == "mixed line ends"
    read = read_text(b"\xef\xbb\xbfa\r\n")
    assert read == ("a\r\n", Form("utf-8", b"\xef\xbb\xbf", "\r\n"))
    assert read_text(b"\xff") is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"a\r\n", b"a\n", "line ends change from CRLF to LF"),
        (b"a", b"a\r\n", ""),
        (b"a\n", b"\xef\xbb\xbfa\n", "a byte order mark is added"),
        (b"\0", b"a\n", ""),
    ],
)
def test_a_change_of_form_in_words(old: bytes, new: bytes, words: str) -> None:
    assert form_change(old, new) == words


def test_the_lines_that_differ_are_marked() -> None:
    old = "".join(f"{n}\n" for n in range(1, 11))
    assert difference(old, old.replace("5\n", "five\n")) == "@ line 2\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8"
    assert difference("a\n", "a") == "@ line 1\n-a\n+a\u2039no line end\u203a"
    assert difference("a\n", "a\n") == ""


def test_too_many_lines_are_not_compared() -> None:
    old, new = "a\n" * (COMPARED_LINES + 1), "b\n" * (COMPARED_LINES + 1)
    assert difference(old, new) is None
    assert difference("a\n" * COMPARED_LINES, "b\n" * COMPARED_LINES) is not None
