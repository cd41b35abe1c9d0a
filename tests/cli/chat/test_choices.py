"""What flags and commands want for a conversation, and the paths that people type."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aster_sidecar.cli.chat.choices import Wanted, typed_path
from aster_sidecar.cli.chat.command import wanted_of


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("my garden", "my garden"),
        ('"my garden"', "my garden"),
        ("'my garden'", "my garden"),
        ("./my garden/", "./my garden/"),
        ("it's", "it's"),
        ("nowhere to be found", "nowhere to be found"),
        ('"quoted"', '"quoted"'),
    ],
)
def test_a_typed_path(typed: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my garden").mkdir()
    if sys.platform != "win32":
        (tmp_path / '"quoted"').mkdir()  # a folder with this very name comes first
    monkeypatch.chdir(tmp_path)
    expected = meant if sys.platform != "win32" else meant.strip('"')
    assert typed_path(typed) == os.path.join(os.getcwd(), expected)


def test_a_typed_folder_in_the_home_or_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert typed_path("~/garden") == f"{tmp_path}/garden"
    assert typed_path("'~/my garden'") == f"{tmp_path}/my garden"
    assert typed_path(str(tmp_path)) == str(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="a backslash separates folders there")
def test_escaped_spaces() -> None:
    assert typed_path("/a/my\\ garden") == "/a/my garden"


def applies(value: str, source: str) -> dict[str, dict[str, str]]:
    return {"model": {"value": value, "source": source}}


@pytest.mark.parametrize(
    ("value", "source", "running", "started"),
    [
        ("b", "default", True, False),
        ("a", "config", True, False),
        ("b", "agent", True, True),
        ("b", "session", True, True),
        ("a", "session", False, False),
        ("a", "agent", True, False),
    ],
)
def test_what_a_conversation_still_needs(value: str, source: str, running: bool, started: bool) -> None:
    with_running_daemon = Wanted({"model": "a"})
    with_own_daemon = Wanted({"model": "a"}, frozenset({"model"}))
    assert bool(with_running_daemon.needed(applies(value, source))) == running
    assert bool(with_own_daemon.needed(applies(value, source))) == started
    assert (with_running_daemon.at_creation, with_own_daemon.at_creation) == ({"model": "a"}, {})


def test_model_and_effort_of_one_message_are_not_the_conversation_s() -> None:
    given = {"model": "a", "effort": "low", "work_dir": "/x"}
    one = wanted_of(given, frozenset(), one_message=True)
    assert (one.settings, one.turn) == ({"work_dir": "/x"}, {"model": "a", "effort": "low"})
    talk = wanted_of(given, frozenset(), one_message=False)
    assert (talk.settings, talk.turn) == (given, {})
