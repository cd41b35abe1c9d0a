"""The list of running daemons: which are on it, which entries are removed, and which daemon is found."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aster_sidecar.daemon import running_daemons
from tests.support.daemon import Daemon


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "daemons"


def test_it_is_listed_for_its_user_only_and_gone_afterwards(directory: Path, tmp_path: Path) -> None:
    place = running_daemons.enter(directory, "instance_a", tmp_path)
    assert place is not None
    assert json.loads(place.read_text())["data_dir"] == str(tmp_path)
    if sys.platform != "win32":
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert running_daemons.running(directory) == [], "no daemon answers there"
    running_daemons.leave(place)
    assert list(directory.iterdir()) == []
    running_daemons.leave(place)
    running_daemons.leave(None)


@pytest.mark.parametrize(
    "left", ["", "[]", "{}", "null", "[" * 20_000, '{"data_dir": "x", "pid": 1, "started_at": 1}', "\0"]
)
def test_what_another_left_behind_is_cleared_away(directory: Path, tmp_path: Path, left: str) -> None:
    directory.mkdir(parents=True)
    (directory / "instance_b.json").write_text(left)
    assert running_daemons.running(directory) == []
    running_daemons.enter(directory, "instance_a", tmp_path)
    assert [path.name for path in directory.iterdir()] == ["instance_a.json"]


def test_where_it_can_t_be_written_the_daemon_goes_unlisted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert running_daemons.enter(tmp_path / "file" / "daemons", "instance_a", tmp_path) is None
    assert running_daemons.running(tmp_path / "file" / "daemons") == []


def listed(daemon: Daemon) -> list[Path]:
    return running_daemons.running(daemon.state_dir / "aster" / "daemons")


def test_a_daemon_without_a_token_is_found_until_it_ends(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    assert listed(daemon) == [daemon.data_dir]
    daemon.kill()
    assert listed(daemon) == []
    assert len(os.listdir(daemon.state_dir / "aster" / "daemons")) == 1
    daemon.start()
    assert listed(daemon) == [daemon.data_dir]
    assert len(os.listdir(daemon.state_dir / "aster" / "daemons")) == 1
    assert daemon.stop() == 0
    assert os.listdir(daemon.state_dir / "aster" / "daemons") == []


def test_a_daemon_with_a_token_is_not(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token="a-token-that-is-long-enough")
    assert listed(daemon) == []
    assert not (daemon.state_dir / "aster" / "daemons").exists()
