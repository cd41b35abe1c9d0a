"""Server-sent events and their JSON are parsed and written again."""

from __future__ import annotations

import pytest

from aster_sidecar.models.streams.events import (
    Fields,
    Malformed,
    dump,
    is_comment,
    is_text,
    parse,
    parse_or_none,
    parts,
    with_counts,
)


@pytest.mark.parametrize(
    ("frame", "kind", "data"),
    [
        (b'data: {"a":1}\n\n', "", b'{"a":1}'),
        (b'event: x\r\ndata:{"a":\r\ndata:1}\r\n\r\n', "x", b'{"a":\n1}'),
        (b"\xef\xbb\xbfdata: x\n\n", "", b"x"),
        (b'event: x\n{"a":1}\n\n', "x", b'{"a":1}'),
        (b": comment\n\n", "", None),
        (b"event: x\nid: 5\n\n", "x", None),
        (b"data: \xff\n\n", "", b"\xff"),
        (b"data\n\n", "", b""),
        (b"event: x\xff\ndata: 1\ndata: 2\n\n", "x", b"1\n2"),
    ],
)
def test_the_parts_of_an_event(frame: bytes, kind: str, data: bytes | None) -> None:
    assert parts(frame) == (kind, data)


def test_json_is_parsed_though_its_text_is_odd() -> None:
    assert parse(b'{"a": "\xc3\xbc"}') == ({"a": "ü"}, False)
    assert parse(b'{"a": "\\ud83d"}') == ({"a": "\ud83d"}, True)
    assert parse(b'{"a": "\xff"}') == ({"a": "\ufffd"}, True)
    for wrong in (b"", b"{", b"[" * 100_000, b"x"):
        with pytest.raises(Malformed):
            parse(wrong)
        assert parse_or_none(wrong) is None


def test_what_is_written_is_utf_8() -> None:
    assert dump({"a": "ü", "b": [1, None]}) == '{"a":"ü","b":[1,null]}'.encode()
    dump({"a": "\ud83d"}).decode()


@pytest.mark.parametrize(
    ("usage", "right"),
    [
        ({"i": 1, "o": 2}, {"i": 1, "o": 2}),
        ({"i": 1}, {"i": 1, "o": 0}),
        ({"o": 2, "i": None}, {"i": 0, "o": 2}),
        ({"x": 5}, None),
        ({}, None),
    ],
)
def test_usage_has_both_counts_or_is_left_out(usage: Fields, right: Fields | None) -> None:
    told = with_counts({"id": "m", "usage": usage}, "usage", ("i", "o"))
    assert told == ({"id": "m"} if right is None else {"id": "m", "usage": right})
    assert with_counts({"id": "m", "usage": None}, "usage", ("i", "o")) == {"id": "m", "usage": None}


def test_text_and_comments_are_recognised() -> None:
    assert is_text("ü".encode())
    assert not is_text(b"\xff")
    assert is_comment(b": one\n:two\n\n")
    assert not is_comment(b": one\nid: 5\n\n")
