"""An app's Python definitions become agents, tools and flags; a mistake is reported with its agent and argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aster_sidecar import Agent, Sidecar, tool
from aster_sidecar.agents.app_code import AppProgram
from aster_sidecar.agents.spec import DEFAULT, INSTRUCTIONS
from aster_sidecar.errors import ConfigInvalid


@tool(risk="low")
def water(plant: str) -> str:
    """Water a plant."""
    return plant


def prune(plant: str) -> str:
    """Prune a plant."""
    return plant


def test_an_agent_without_arguments_is_like_the_default_one() -> None:
    spec = Agent("gardener").spec()
    assert (spec.agent_id, spec.name, spec.instructions, spec.source) == ("gardener", "gardener", INSTRUCTIONS, "code")
    for name in ("model", "tools", "model_settings", "permission_mode", "retries", "tool_timeout_s", "path"):
        assert getattr(spec, name) == getattr(DEFAULT, name), name


def test_every_argument_of_an_agent_is_kept() -> None:
    spec = Agent(
        "gardener",
        "Help.",
        ["read_file", water, prune],
        model="demo",
        name="The gardener",
        description="Plants",
        model_settings={"temperature": 0.5},
        permission_mode="always_ask",
        retries=0,
        tool_timeout=2.5,
    ).spec()
    assert (spec.name, spec.description, spec.instructions, spec.model) == ("The gardener", "Plants", "Help.", "demo")
    assert spec.tools == ("read_file", "water", "prune")
    assert (spec.model_settings, spec.permission_mode) == ({"temperature": 0.5}, "always_ask")
    assert (spec.retries, spec.tool_timeout_s) == (0, 2.5)
    assert Agent("gardener", tools=[]).spec().tools == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"id": ""}, "agent ''"),
        ({"id": "a" * 65}, "an id is"),
        ({"id": "a", "model": 3}, "model"),
        ({"id": "a", "tool_timeout": 86_401}, "at most 86400"),
        ({"id": "a", "retries": 1.5}, "a whole number"),
        ({"id": "a", "model_settings": {"temperature": "hot"}}, "model_settings: temperature"),
    ],
)
def test_what_is_wrong_with_an_agent_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        Agent(**arguments).spec()
    assert words in f"{refused.value.message} ({refused.value.hint})"


def test_shared_tools_are_for_every_agent_and_own_ones_for_theirs() -> None:
    code = Sidecar([Agent("gardener", tools=["read_file", prune]), Agent("cook")], [water]).code()
    assert [spec.agent_id for spec in code.agents] == ["gardener", "cook"]
    assert code.agents[0].tools == ("read_file", "prune")
    assert code.shared == {"water"}
    assert {one.name: one.risk for one in code.tools} == {"water": "low", "prune": "high"}


def test_one_tool_of_two_agents_is_made_once() -> None:
    code = Sidecar([Agent("a", tools=[water]), Agent("b", tools=[water])]).code()
    assert [one.name for one in code.tools] == ["water"]


def test_arguments_are_flags_and_what_is_left_out_is_none() -> None:
    sidecar = Sidecar(
        port=0, data_dir="data", uds=Path("s"), work_dir=Path("w"), allow_origin=["http://localhost:5173"]
    )
    assert isinstance(sidecar, AppProgram)
    given = {name: value for name, value in sidecar.flags.items() if value is not None}
    assert given == {
        "port": 0,
        "data_dir": Path("data"),
        "uds": Path("s"),
        "work_dir": "w",
        "allow_origin": ["http://localhost:5173"],
    }
    assert set(Sidecar().flags.values()) == {None}
    assert Sidecar(pass_environment=[]).flags["pass_environment"] == []
