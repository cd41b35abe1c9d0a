"""How the text encoding of a file's bytes is determined."""

from __future__ import annotations

import codecs

import pytest

from aster_sidecar.tools.encodings import SAMPLE_BYTES, Encoding, decoded, encoding_of, replaced


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", Encoding("utf-8")),
        ("caf\u00e9".encode(), Encoding("utf-8")),
        (b"\xff not UTF-8", Encoding("utf-8")),
        (codecs.BOM_UTF8 + b"a", Encoding("utf-8", 3)),
        ("\ufeffa".encode("utf-16-le"), Encoding("utf-16-le", 2)),
        ("\ufeffa".encode("utf-32-be"), Encoding("utf-32-be", 4)),
        ("plain words\n".encode("utf-16-le"), Encoding("utf-16-le")),
        ("plain words\n".encode("utf-16-be"), Encoding("utf-16-be")),
        ("\u4f60\u597d ".encode("utf-16-le"), Encoding("utf-16-le")),
        (b"a\rb\r", Encoding("utf-8", line_end="\r")),
        (b"a\r\nb\r", Encoding("utf-8")),
        (b"\x7fELF\0\0\0\1", None),
        (b"\x89PNG\0", None),
        (codecs.BOM_UTF8 + b"a\0b", None),
    ],
)
def test_the_encoding_of_a_beginning(data: bytes, found: Encoding | None) -> None:
    assert encoding_of(data) == found


def test_a_carriage_return_at_the_end_of_a_sample_is_not_yet_a_line_end() -> None:
    assert encoding_of(b"x" * (SAMPLE_BYTES - 1) + b"\r") == Encoding("utf-8")
    assert encoding_of(b"x\r") == Encoding("utf-8", line_end="\r")


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le"])
def test_what_is_no_text_is_replaced_and_counted(codec: str) -> None:
    wrong = b"\xff" if codec == "utf-8" else b"\x00\xd8"
    data = "a\ufffd".encode(codec) + wrong + "b".encode(codec)
    assert decoded(data, Encoding(codec), cut=False) == ("a\ufffd\ufffdb", 1)
    assert replaced("plain") == ("plain", 0)


def test_a_character_that_is_cut_off_does_not_count() -> None:
    data = "\u00e9".encode()[:1]
    assert decoded(data, Encoding("utf-8"), cut=True) == ("", 0)
    assert decoded(data, Encoding("utf-8"), cut=False) == ("\ufffd", 1)
    assert decoded(codecs.BOM_UTF8 + b"a", Encoding("utf-8", 3), cut=False) == ("a", 0)


def test_only_other_encodings_have_a_note() -> None:
    assert Encoding("utf-8").note is None
    assert "utf-16-le" in (Encoding("utf-16-le").note or "")
