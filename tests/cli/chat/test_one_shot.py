"""Which command lines the quick `chat` handles, and what it leaves to the full one."""

from __future__ import annotations

import pytest

from aster_sidecar.cli.chat.one_shot import parsed


@pytest.mark.parametrize(
    ("words", "message", "data_dir", "agent_id", "as_json"),
    [
        ([], "", "", "default", False),
        (["hello"], "hello", "", "default", False),
        (["--data-dir", "d", "what", "is  this"], "what is  this", "d", "default", False),
        (["--json", "--agent", "coder", "x"], "x", "", "coder", True),
    ],
)
def test_a_simple_command_line_is_read(
    words: list[str], message: str, data_dir: str, agent_id: str, as_json: bool
) -> None:
    given = parsed(words)
    assert given is not None
    assert (" ".join(given.words), given.data_dir, given.agent_id, given.as_json) == (
        message,
        data_dir,
        agent_id,
        as_json,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["-h"],
        ["--new", "hello"],
        ["--session", "a", "hello"],
        ["--model", "demo", "hello"],
        ["--config-dir", "d", "hello"],
        ["--data-dir=d", "hello"],
        ["--data-dir"],
        ["--data-dir", "--json", "hello"],
        ["hello", "--json"],
        ["hello", "--agent", "coder"],
        ["--", "-v"],
        ["-"],
    ],
)
def test_any_other_command_line_is_left_to_the_full_chat(words: list[str]) -> None:
    assert parsed(words) is None
