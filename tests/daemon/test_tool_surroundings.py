"""Which paths tools may not touch: the daemon's own, and the project's folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aster_sidecar.config.places import places
from aster_sidecar.config.settings import Config, Settings
from aster_sidecar.daemon.tool_surroundings import surroundings_of
from aster_sidecar.sandbox.commands import CommandSandbox

NO_SANDBOX = CommandSandbox(lambda: "off", Path("unused"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("data/work", "work/sub"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path.resolve()


def protected(home: Path, work_dir: Path, uds: Path | None = None) -> tuple[Path, ...]:
    own = places({"HOME": str(home)}, data_dir=home / "data")
    settings = Settings("web", 0, own, flags={"work_dir": str(work_dir)}, uds=uds)
    found = surroundings_of(settings, NO_SANDBOX)(Config(settings).work_dir)
    assert found.work_dir == work_dir
    return found.protected


def test_the_daemons_directories_are_protected_as_a_whole(home: Path) -> None:
    found = protected(home, home / "work")
    assert set(found) == {home / "data", home / "data" / "logs", home / "work" / ".aster"}


def test_in_a_work_directory_inside_of_one_its_files_are(home: Path) -> None:
    found = protected(home, home / "data" / "work", uds=home / "data" / "socket")
    assert home / "data" not in found
    for name in ("aster.db", "aster.db-wal", "aster.lock", "sidecar.json", "config.toml", "agents", "logs", "socket"):
        assert home / "data" / name in found
    assert home / "data" / "work" / ".aster" in found
    for name in ("ledger.db", "attachments"):
        (home / "data" / name).mkdir()
    found = protected(home, home / "data" / "work")
    assert {home / "data" / "ledger.db", home / "data" / "attachments"} <= set(found)
    assert home / "data" / "work" not in found
    (home / "data" / "work" / "deep" / "er").mkdir(parents=True)
    (home / "data" / "work" / "mine").mkdir()
    assert not any("mine" in path.parts for path in protected(home, home / "data" / "work" / "deep"))


def test_the_folder_of_the_project_around_is_protected(home: Path) -> None:
    (home / "work" / ".aster").mkdir()
    assert home / "work" / ".aster" in protected(home, home / "work" / "sub")


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_a_link_to_the_data_directory_leads_to_what_is_protected(home: Path) -> None:
    (home / "linked").symlink_to(home / "data")
    own = places({"HOME": str(home)}, data_dir=home / "linked")
    settings = Settings("web", 0, own, flags={"work_dir": str(home / "work")})
    assert home / "data" in surroundings_of(settings, NO_SANDBOX)(Config(settings).work_dir).protected
