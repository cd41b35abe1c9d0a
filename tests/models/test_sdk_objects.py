"""SDK objects that are built without their schemas."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from aster_sidecar.models.sdk_objects import Unclear, construct, kinds_of, shaped, types_in, types_of


class Cat(BaseModel):
    type: Literal["cat"]
    lives: float
    name: str | None = None
    tags: list[str] = Field(default_factory=list)


class Dog(BaseModel):
    type: Literal["dog", "hound"]
    friend: Cat | None = None


Animal = Annotated[Cat | Dog, Field(discriminator="type")]


def test_what_may_be_several_things_is_left_to_the_sdk() -> None:
    for kind, value in ((bytes, "x"), (list[int] | list[str], []), (int | str, {"a": 1}), (float, 10**400)):
        with pytest.raises(Unclear):
            shaped(kind, value)
    assert shaped(dict[str, list[float]], {"a": [1, 2.5, None]}) == {"a": [1.0, 2.5, None]}


def test_the_type_of_an_object_picks_the_member_of_a_union() -> None:
    told = shaped(Animal, {"type": "hound", "friend": {"type": "cat", "lives": 9}})
    assert told == Dog(type="hound", friend=Cat(type="cat", lives=9.0))
    assert type(told.friend.lives) is float
    with pytest.raises(Unclear):
        shaped(Animal, {"type": "cow"})


def test_a_missing_field_gets_its_default_or_none() -> None:
    told: Any = construct(Cat, {"type": "cat", "unknown": {"deep": 1}})
    assert (told.lives, told.name, told.tags) == (None, None, [])
    assert told.model_fields_set == {"type"}
    another: Any = construct(Cat, {"type": "cat"})
    assert told.tags is not another.tags


def test_a_field_is_read_by_its_alias() -> None:
    class Aliased(BaseModel):
        size: float = Field(alias="Size")

    told: Any = construct(Aliased, {"Size": 1})
    assert type(told.size) is float


def test_unions_are_taken_apart() -> None:
    assert kinds_of(Annotated[int | str | None, "note"]) == (int, str, type(None))
    assert types_of(Dog) == {"dog", "hound"}
    assert types_of(BaseModel) == frozenset()
    assert types_in(Animal) == {"cat": Cat, "dog": Dog, "hound": Dog}
    assert types_in(Cat | Dog) == types_in(Animal)
