"""Tables of `config.toml` that the user names: how they are read, and how mistakes in them are reported."""

from __future__ import annotations

import traceback
from typing import Any, Self

import pytest
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from aster_sidecar.config.named_tables import AnyText, Directory, NamedTable, Seconds, Text, Variables, read_tables
from aster_sidecar.config.table_errors import allowed_values
from aster_sidecar.errors import ConfigInvalid


class Pet(NamedTable):
    kind: Text = Field(description="a kind of animal")
    sound: AnyText = Field(default="", description="a text")
    home: Directory | None = Field(default=None, description="the absolute path of a directory")
    secrets: Variables = Field(default_factory=dict[str, str], repr=False, description="a table of strings")
    sleeps_s: Seconds = Field(default=1.0, description="seconds")

    @model_validator(mode="after")
    def _cats_are_quiet(self) -> Self:
        if self.kind == "cat" and self.sound == "woof":
            raise PydanticCustomError("sound", "is not what cats say", {"key": "sound", "hint": "remove it"})
        if self.kind == "fish" and self.sound:
            raise PydanticCustomError("sound", "fish say nothing", {"hint": "no sound"})
        return self


def refused(**tables: Any) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        read_tables("pets", tables, Pet)
    return caught.value


def test_tables_are_read_in_their_order() -> None:
    tom, rex = read_tables("pets", {"tom": {"kind": "cat"}, "rex": {"kind": "dog", "sleeps_s": 5}}, Pet)
    assert (tom.name, rex.name, rex.sleeps_s) == ("tom", "rex", 5)


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        ({}, "[pets.a]: no kind is given", "kind: a kind of animal"),
        ({"kind": " "}, "[pets.a] kind = ' ': must not be empty", "allowed: a kind of animal"),
        ({"kind": "a\0b"}, "[pets.a] kind = 'a\\x00b': must not contain NUL", "allowed: a kind of animal"),
        ({"kind": 3}, "[pets.a] kind = '3': should be a valid string", "allowed: a kind of animal"),
        ({"kind": "dog", "home": "b"}, "[pets.a] home = 'b': is not an absolute path", None),
        ({"kind": "dog", "sleeps_s": True}, "[pets.a] sleeps_s = 'True': should be a valid number", "allowed: seconds"),
        ({"kind": "dog", "sleeps_s": 0}, "[pets.a] sleeps_s = '0': should be greater than 0", "allowed: seconds"),
        ({"kind": "cat", "sound": "woof"}, "[pets.a] sound: is not what cats say", "remove it"),
        ({"kind": "fish", "sound": "blub"}, "[pets.a]: fish say nothing", "no sound"),
        ({"kind": "dog", "so\nund": 1}, "[pets.a] so‹U+000A›und: unknown key", None),
        ({"kind": "dog", "name": "b"}, "[pets.a] name: unknown key", None),
    ],
)
def test_a_wrong_table_is_reported_with_its_key_and_a_hint(table: Any, message: str, hint: str | None) -> None:
    error = refused(a=table)
    assert error.message == message
    assert hint is None or error.hint == hint


def test_the_first_wrong_key_of_the_table_is_reported() -> None:
    assert "colour: unknown key" in refused(a={"colour": "red", "sleeps_s": 0}).message
    assert "sleeps_s = '0'" in refused(a={"sleeps_s": 0, "colour": "red"}).message


def test_the_hint_for_an_unknown_key_lists_the_keys() -> None:
    assert list(allowed_values(Pet)) == ["kind", "sound", "home", "secrets", "sleeps_s"]
    assert refused(a={"kind": "dog", "x": 1}).hint == "allowed: kind, sound, home, secrets, sleeps_s"


@pytest.mark.parametrize("secrets", [{"A": ["canary"]}, {"canary=": "b"}, {"A": "canary\0"}, "canary", ["canary"]])
def test_no_secret_is_shown_even_with_a_traceback(secrets: Any) -> None:
    error = refused(a={"kind": "dog", "secrets": secrets})
    assert "the value of secrets" in error.message
    shown = "".join(traceback.format_exception(error))
    assert "canary" not in shown.replace(str(__file__), "")
    assert "canary" not in str(error.hint)


def test_a_long_value_is_cut() -> None:
    assert len(refused(a={"kind": "dog", "home": "x" * 10_000}).message) < 200


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"A": {}}, "[pets.A]: the name is not allowed"),
        ({"x" * 33: {}}, "the name is not allowed"),
        ({"a": 3}, "pets.a = '3': not a table"),
    ],
)
def test_a_wrong_name_and_what_is_not_a_table_are_reported(tables: dict[str, Any], message: str) -> None:
    assert message in refused(**tables).message
