"""Attempts to get out of the sandbox, run for real in it, and what they have done, seen from outside."""

from __future__ import annotations

import pytest

from tests.sandbox.attacks import LATER, MAKING, OUTLIVING, PRIVILEGES, REACHING, READING, WRITING, Attack
from tests.sandbox.support import World, wait_until_settled

ALL = [*WRITING, *READING, *REACHING, *OUTLIVING, *PRIVILEGES, *LATER]


def test_there_are_enough_and_each_has_a_name() -> None:
    names = [attack.name for attack in ALL]
    assert len(names) == len(set(names)) > 100


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_an_attempt_fails(world: World, attack: Attack) -> None:
    result = world.inside(attack.command)
    if attack in OUTLIVING:
        wait_until_settled()
    assert world.harm(result) == [], f"{result.out}\n{result.err}"


@pytest.mark.parametrize("attack", [attack for attack in ALL if attack.bare], ids=lambda attack: attack.name)
def test_without_a_sandbox_it_succeeds(world: World, attack: Attack) -> None:
    result = world.bare(attack.command)
    assert world.harm(result) != [], f"{result.out}\n{result.err}"


@pytest.mark.parametrize(("command", "place"), MAKING.items())
def test_what_is_made_for_other_programs_is_found(world: World, command: str, place: str) -> None:
    result = world.inside(command)
    assert result.code == 0, result.err
    assert str(world.folder / place) in dict(result.left.found), result.left
    assert result.left.complete
    assert world.harm(result) == []
