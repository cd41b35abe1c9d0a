"""What `permissions` refuses before it needs a daemon, and what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.commands.permissions import always, rule_lines
from aster_sidecar.cli.run_command import run

RULE: dict[str, Any] = {
    "rule_id": "rule_1",
    "decision": "allow",
    "words": "write_file for /work/a\x1b[2J",
    "created_at": "2026-11-20T12:00:00.000Z",
    "expires_at": None,
    "made_by": "web\nmade:     by you",
    "made_for": None,
}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check", "write_file", "{"], "ARGUMENTS: "),
        (["check", "write_file", "[]"], "ARGUMENTS: the JSON is not an object"),
        (["allow", "write_file", "--kind", "beneath"], "a rule of the kind beneath needs a VALUE"),
        (["deny", "write_file", "a", "--kind", "any"], "a rule of the kind any takes no VALUE"),
        (["deny", "write_file", "--expires", "soon"], "--expires soon: not a time"),
        (["deny", "write_file", "--expires", "2001-01-01"], "--expires 2001-01-01: it is over already"),
        (["deny", "write_file", "--expires", "53w"], "--expires 53w: more than 365 days away"),
    ],
)
def test_what_makes_no_rule_or_call_is_wrong_usage(
    words: list[str], told: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["permissions", *words]) == exit_codes.EXIT_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"aster-sidecar: {told}")
    assert len(lines) == 2, "the second line says what is possible"


@pytest.mark.parametrize(
    "words", [[], ["list"], ["check", "write_file", "{}"], ["allow", "write_file"], ["remove", "rule_1"]]
)
def test_it_needs_a_daemon(words: list[str], home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["permissions", *words]) == exit_codes.EXIT_FAILED
    assert "no daemon is running for" in capsys.readouterr().err


def test_a_rule_has_its_origin_on_lines_of_its_own() -> None:
    assert rule_lines(None) == []
    assert rule_lines(RULE) == [
        "rule:     rule_1: allow write_file for /work/a‹U+001B›[2J",
        "made:     by web‹U+000A›made:     by you, 2026-11-20T12:00:00.000Z",
    ]
    more = {**RULE, "made_by": None, "made_for": "call_1", "expires_at": "2026-11-27T12:00:00.000Z"}
    assert rule_lines(more)[1:] == [
        "made:     by an unknown client, 2026-11-20T12:00:00.000Z, as the answer to the call call_1",
        "ends:     2026-11-27T12:00:00.000Z",
    ]


def test_what_always_could_cover() -> None:
    scopes = [{"scope_id": "exact", "words": "one"}, {"scope_id": "folder", "words": "two"}]
    assert always({"scopes": scopes, "remember": "two"}) == ["one", "two"]
    assert always({"scopes": [], "remember": "two"}) == always({"remember": "two"}) == ["two"]
    assert always({"scopes": [], "remember": None}) == ["this call can't be always allowed"]
