"""Completion scripts offer what the parsers accept."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from aster_sidecar.cli import completion, serve_args
from aster_sidecar.cli.commands import parser as commands


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_has_every_command_verb_flag_and_choice(shell: str) -> None:
    text = completion.script(shell, serve_args.parser(), commands.parser())
    places: dict[str, completion.Place] = {}
    completion.collect(places, "", commands.parser())
    completion.collect(places, "", serve_args.parser())
    assert {"", "config set", "sessions delete"} <= set(places)
    for place in places.values():
        wanted = {*place.words, *place.flags, *(value for known in place.values.values() for value in known or ())}
        if shell == "fish":
            wanted = {word.lstrip("-") for word in wanted}
        assert {word for word in wanted if word not in text} == set()


def test_completion_reads_a_parser_as_it_is() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("where", type=Path)
    parser.add_argument("--colour", choices=("red", "blue"))
    parser.add_argument("--loud", action="store_true")
    places: dict[str, completion.Place] = {}
    completion.collect(places, "", parser)
    assert places[""].values == {"--colour": ["red", "blue"]}
    assert "--loud" in places[""].flags
    assert places[""].directories
