"""What a model gets of a command's output: the final screen, limited in size, without terminal control sequences."""

from __future__ import annotations

import codecs
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from aster_sidecar.tools import shell_output, terminal_grid
from aster_sidecar.tools.shell_output import BLOCK_BYTES, Rendered
from aster_sidecar.tools.terminal_grid import CELLS, COLUMNS, ROWS

PLENTY = 10_000_000


def screen(*pieces: str | bytes, head: int = PLENTY, tail: int = PLENTY) -> str:
    return result(*pieces, head=head, tail=tail)[0]


def result(*pieces: str | bytes, head: int = PLENTY, tail: int = PLENTY) -> tuple[str, bool]:
    output = Rendered(head, tail)
    for piece in pieces:
        output.feed(piece.encode() if isinstance(piece, str) else piece)
    return output.text()


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        # carriage returns and backspaces
        ("".join(f"\rDownloading {n}/2000" for n in range(2000)) + "\ndone\n", "Downloading 1999/2000\ndone\n"),
        ("100 of 100\r7\n", "700 of 100\n"),
        ("50%\r", "50%"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("old\rnew\r\nb\r\r\n", "new\r\nb\r\n"),
        ("\r\n\r\nx", "\r\n\r\nx"),
        ("|\b/\b-\bdone\n", "done\n"),
        ("N\bNA\bAM\bME\bE _\bx\n", "NAME x\n"),
        ("\b\bx", "x"),
        ("loading...\r          \rok\n", "ok\n"),
        # colours and other sequences that change no text
        ("\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mrgb\x1b[m\n", "red rgb\n"),
        ("trailing \x1b[0m\n\tx \x1b[Ky\n", "trailing \n\tx y\n"),
        ("\x1b]0;title\x07a\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\\n", "alink\n"),
        ("\x1b]0;never ended\nthe rest\n", "\nthe rest\n"),
        ("\x1bPq#0;2;0;0;0\n#1~~@@\x1b\\after\x1b_Gf=100;AAAA\x1b\\!\n", "after!\n"),
        ("\x1b(Ba\x1b[?25lb\x1b[?2004hc\x1b=d\x1b[2 qe\x1b[>cf\n", "abcdef\n"),
        ("bell\x07\x0e\x0f\x7f\x05\u0085\u009b1m!\n", "bell1m!\n"),
        ("\x1bé \x1b", "é "),
        ("a\x1b[\x1b[31mb\x1b[3\x18c\x1b[3\nmd", "abc\nd"),
        # erasing and moving
        ("abc\x1b[Gx\x1b[Kend\n", "xend\n"),
        ("abc\x1b[2K\rd\n", "d\n"),
        ("abcdef\x1b[3D\x1b[1KX\n", "   Xef\n"),
        ("step 1\nstep 2\n\x1b[2A\x1b[2Kstep 1 done\n\x1b[1B!\n", "step 1 done\nstep 2\n!\n"),
        ("one\ntwo\nthree\x1b[2F\x1b[JTWO\n", "TWO\n"),
        ("a\nb\nc\n\x1b[1A\x1b[2K\x1b[1A\x1b[2Klast\n", "a\nlast\n"),
        ("".join(f"\x1b[H\x1b[2Jframe {n}\nsecond {n}\n" for n in range(50)), "frame 49\nsecond 49\n"),
        ("\x1bcone\n\x1bctwo\n", "two\n"),
        ("a\x1b[5Cb\x1b[2;3Hc\x1b[9GX\n", "a     b\n  c     X\n"),
        ("abcdef\r\x1b[2P\x1b[1C\x1b[2@\x1b[1X\n", "c  def\n"),
        ("a\nb\nc\x1b[2;1H\x1b[Lnew\x1b[4;1H\x1b[M", "a\nnew\nb\n"),
        ("a\x1b7bcd\x1b8X\x1b[sY\x1b[uZ\n", "aXZd\n"),
        ("two\x1b[Aone\x1bMzero\n", "twoonezero\n"),
        ("a\x1bDb\x1bEc\n", "a\n b\nc\n"),
        # the alternate screen
        ("before\n\x1b[?1049h\x1b[H\x1b[2Jeditor\nlines\n\x1b[?1049lafter\n", "before\nafter\n"),
        ("before\n\x1b[?1049hstill open", "before\n\nstill open"),
        # width
        ("进度 1\r完成\n", "完成 1\n"),
        ("界\rx\n", "x\n"),
        ("ab界c\x1b[3D\u0301X\n", "ab\u0301X c\n"),
        ("e\u0301\r\x1b[Cx\n", "e\u0301x\n"),
        ("a\tb\rxyz\n", "xyz     b\n"),
        ("name\tsize\n", "name\tsize\n"),
        # not text
        (b"a\0b\n", "a␀b\n"),
        (b"caf\xe9 \xff\n", "caf\ufffd \ufffd\n"),
        (b"cut \xe2\x82", "cut \ufffd"),
    ],
)
def test_the_screen_at_the_end(written: str | bytes, seen: str) -> None:
    assert screen(written) == seen


def test_a_line_that_scrolled_off_is_final() -> None:
    lines = "".join(f"{n}\n" for n in range(ROWS + 9))
    assert screen(lines, "\x1b[999Achanged\x1b[K") == lines.replace("\n10\n", "\nchanged\n")


def test_a_sequence_moves_only_so_far_beyond_the_text() -> None:
    assert screen("\x1b[999999999Cx") == " " * COLUMNS + "x"
    assert screen("y" * 1000 + "\r\x1b[999Cx") == "y" * 999 + "x"
    assert screen("\x1b[99999999999Bx\n") == "\n" * (ROWS - 1) + "x\n"


def test_long_lines_are_whole() -> None:
    line = "0123456789" * 40_000
    assert screen(line, "\n", line, "\r\n", "é" * 100_000) == f"{line}\n{line}\r\n" + "é" * 100_000


# --- binary data ---------------------------------------------------------------------------------------------------

PROGRAM = Path(os.path.realpath(sys.executable)).read_bytes()


@pytest.mark.parametrize("data", [PROGRAM[:3000], PROGRAM, os.urandom(50_000), bytes(9000)])
def test_binary_data_is_said_to_be_that(data: bytes) -> None:
    assert screen(data) == f"[binary output, {len(data)} bytes]\n"


def test_text_around_binary_data_stays() -> None:
    before = "".join(f"✓ file {n}\n" for n in range(1000))
    seen = screen(before, bytes(range(256)) * 100 + b"\xff", "done\n\x1b[1mbold\x1b[0m\n")
    assert seen.startswith(before)
    assert seen.endswith("done\nbold\n")
    assert re.fullmatch(r"\[binary output, 2\d{4} bytes\]\n", seen[len(before) : -len("done\nbold\n")])


@pytest.mark.parametrize(
    "text",
    ["进度条和颜色的文字".encode("gbk") * 2000, "Grüße aus Köln\n".encode("latin-1") * 2000, b"./a b\0./c\0" * 2000],
)
def test_text_in_another_encoding_is_not_binary(text: bytes) -> None:
    assert screen(text) == text.decode("utf-8", "replace").replace("\0", "␀")


# --- bounds --------------------------------------------------------------------------------------------------------


def test_frames_push_nothing_out() -> None:
    frames = "".join(f"\r[{'#' * (n % 90):90}] {n}" for n in range(2000))
    text, cut = result("first\n", frames, "\nlast\n", head=1000, tail=1000)
    assert not cut
    assert text == f"first\n[{'#' * (1999 % 90):90}] 1999\nlast\n"


def test_what_is_left_out_is_counted_as_it_would_be_seen() -> None:
    text, cut = result("a" * 100, "\x1b[31m" + "b" * 1000 + "\x1b[0m", "c" * 100, head=100, tail=100)
    assert cut
    assert text == f"{'a' * 100}\n[... 1000 bytes are left out here ...]\n{'c' * 100}"


def test_a_character_at_the_cut_is_dropped() -> None:
    text, _ = result("é" * 1000, head=101, tail=101)
    assert text == f"{'é' * 50}\n[... 1798 bytes are left out here ...]\n{'é' * 50}"


HOSTILE = [
    *("\x1b[99L", "x\x1b[2J", "\x1b[200@", "x\x1b[A", "\x1b[B\x1b[99Cy", "\x1b[9999Cx\n", "a\x07", "\0", "e\u0301"),
    *("\u0301", "\t", "\r\t\b", "\x1b", "\x1b[", "\x1b]x", "\x1b[;;;;;", "\x1bM", "\x1b[?1049h\n", "\n", "\r\n"),
    *("\x1b[?1049hx\x1b[?1049l", "界\b", "\x1b[Hx\x1b[Jy\n", "\x1bPx", "x", "\x1b[99Hz", "\b", "\x1b[200P", "y\x1b[1J"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_output_is_neither_kept_nor_gone_through_again(piece: str) -> None:
    """Quadratic time would exceed a test's time limit here."""
    data = (piece * (2**19 // len(piece))).encode()
    output = Rendered(1000, 1000)
    for start in range(0, len(data), 65536):
        output.feed(data[start : start + 65536])
    terminal = output._screen._grid
    held = sum(len(row) for row in terminal._rows) + sum(len(row) for row in (terminal._main or [[]])[0])
    assert held <= 10 * CELLS
    text, _ = output.text()
    assert len(text.encode()) < 2100


# --- for any output ------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("a", "bc", "界", "e\u0301", "\u0301", " ", "\t", "\n", "\r", "\r\n", "\b", "\0", "\x07", "\x1b", "é", "👩‍🚀"),
        *("\x1b[A", "\x1b[2B", "\x1b[3C", "\x1b[2D", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[J", "\x1b[1J", "\x1b[2J"),
        *("\x1b[H", "\x1b[2;3H", "\x1b[5G", "\x1b[2P", "\x1b[2@", "\x1b[2X", "\x1b[L", "\x1b[M", "\x1b7", "\x1b8"),
        *("\x1b[?1049h", "\x1b[?1049l", "\x1b[31m", "\x1b]0;t\x07", "\x1b]0;t", "\x1b\\", "\x1bP", "\x1bc", "\x1bM"),
        *("\x1b[1;2", "\x18", "\u0085", "\u009b", "long " * 30, "x" * 70, "line\n" * 120, "\x1b[99d"),
    ]
).map(str.encode)
OUTPUT = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=60).map(b"".join)


@given(OUTPUT, st.lists(st.integers(0, 5000), max_size=8))
@settings(max_examples=400)
def test_how_it_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    assert result(*pieces, head=200, tail=300) == result(data, head=200, tail=300)
    assert result(*[bytes([byte]) for byte in data]) == result(data)


@given(OUTPUT, st.integers(1, 40))
@settings(max_examples=400)
def test_blocks_and_bounds_make_no_difference_either(data: bytes, block: int) -> None:
    """Blocks and screens are made small here, so that their boundaries are reached often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal_grid, "ROWS", 5)
        patch.setattr(terminal_grid, "CELLS", 40)
        patch.setattr(shell_output, "_is_binary", lambda *_: False)
        whole = screen(data)
        patch.setattr(shell_output, "BLOCK_BYTES", block)
        assert screen(data) == whole


@given(OUTPUT)
@settings(max_examples=400)
def test_no_control_character_is_left(data: bytes) -> None:
    text, _ = result(data, head=100, tail=100)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)", text)
    text.encode()


@given(
    st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cc", "Cs"])), st.sampled_from("\n\t")), max_size=200)
)
def test_text_without_controls_is_unchanged(parts: list[str]) -> None:
    text = "".join(parts)
    assert screen(text) == text
    crlf = text.replace("\n", "\r\n")
    assert screen(crlf) == crlf


@given(st.binary(max_size=BLOCK_BYTES + 100))
def test_bytes_that_are_no_text_are_decoded_as_ever(data: bytes) -> None:
    text = bytes(byte for byte in data if byte >= 32 and byte != 127)
    decoded = codecs.decode(text, "utf-8", "replace")
    assume(not re.search("[\x80-\x9f]", decoded))  # C1 controls change the text around them
    assert screen(text) == decoded


@given(st.text(st.sampled_from("abc \r\n"), max_size=60))
@example("ab\rc\n")
def test_carriage_returns_as_plainly_said(written: str) -> None:
    def line(text: str) -> str:
        crlf = text.endswith("\r")
        seen = ""
        for part in text.split("\r"):
            seen = part + seen[len(part) :]
        return (seen.rstrip(" ") if "\r" in text[: len(text) - crlf] else seen) + "\r" * crlf

    *lines, last = written.split("\n")
    expected = "".join(f"{line(one)}\n" for one in lines) + line(last).removesuffix("\r")
    # Spaces at the end of a line and empty lines at the end are not visible.
    shorter = re.compile(r" +(?=\r?\n|$)|[ \r\n]+\Z")
    assert shorter.sub("", screen(written)) == shorter.sub("", expected.replace("\r\r\n", "\r\n"))
