"""The model made of a function's parameters, and what its docstring gives. test_python_tools.py has the rest."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.tools.function_arguments import arguments_of, described
from aster_sidecar.tools.tool_context import ToolContext

GOOGLE = """Water a plant.

Only in the morning.

Args:
    plant: Which one.
    litres: How much.

Note:
    Not the cactus.

Returns:
    What is left.
"""
NUMPY = """Water a plant.

Parameters
----------
plant : str
    Which one.
litres : float
    How much.
"""
SPHINX = """Water a plant.

:param plant: Which one.
:param litres: How much.
"""


@pytest.mark.parametrize("doc", [GOOGLE, NUMPY, SPHINX])
def test_a_docstring_tells_what_the_function_and_each_parameter_is(doc: str) -> None:
    def water() -> None: ...

    water.__doc__ = doc
    words, parameters = described(water)
    assert words.startswith("Water a plant.")
    assert parameters == {"plant": "Which one.", "litres": "How much."}


def test_remarks_and_results_are_for_the_model_too() -> None:
    def water() -> None: ...

    water.__doc__ = GOOGLE
    words, _ = described(water)
    assert words.splitlines()[2] == "Only in the morning."
    assert "Not the cactus." in words
    assert words.endswith("Returns: What is left.")


def test_each_parameter_is_a_field_of_another_name() -> None:
    def water(ctx: ToolContext, schema: str, litres: float = 1.5) -> None: ...

    model, context_name, fields = arguments_of(water, "water", "here", {"schema": "Which one."})
    assert (context_name, fields) == ("ctx", {"schema": "argument_1", "litres": "argument_2"})
    parsed: Any = model.model_validate({"schema": "fern"})
    assert (parsed.argument_1, parsed.argument_2) == ("fern", 1.5)
    assert model.model_json_schema()["properties"]["schema"]["description"] == "Which one."


def test_a_parameter_needs_a_type_and_a_name() -> None:
    def by_position(one: int, /) -> None: ...

    def second(one: int, ctx: ToolContext) -> None: ...

    for function in (by_position, second):
        with pytest.raises(TypeError, match=r"^here: "):
            arguments_of(function, "name", "here", {})
