"""JSON from outside is a value or a ValueError, whatever the text is."""

from __future__ import annotations

import pytest

from aster_sidecar.text.json_text import parse_json, parse_object

DEEP = "[" * 100_000


@pytest.mark.parametrize(("text", "value"), [("1", 1), (b'{"a": [null]}', {"a": [None]}), (bytearray(b'"x"'), "x")])
def test_a_value_is_read(text: str | bytes | bytearray, value: object) -> None:
    assert parse_json(text) == value


def test_control_characters_are_accepted_on_request() -> None:
    assert parse_json('"a\nb"', strict=False) == "a\nb"
    with pytest.raises(ValueError, match="control character"):
        parse_json('"a\nb"')


@pytest.mark.parametrize("text", ["", "{", "nul", b"\xff", "9" * 5000, DEEP, DEEP.replace("[", '{"a":')])
def test_anything_else_is_a_value_error(text: str | bytes) -> None:
    for parse in (parse_json, parse_object):
        with pytest.raises(ValueError):
            parse(text)


@pytest.mark.parametrize("text", ["[]", "null", "1", '"{}"'])
def test_an_object_is_no_other_value(text: str) -> None:
    with pytest.raises(ValueError, match="not an object"):
        parse_object(text)
    assert parse_object('{"a": 1}') == {"a": 1}
