"""Checks of directories, configuration and store."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from aster_sidecar.cli.config_preview import config_of
from aster_sidecar.cli.doctor import files
from aster_sidecar.cli.run_command import run
from aster_sidecar.config.places import places
from aster_sidecar.store.examine import examine
from aster_sidecar.store.schema import scripts
from tests.cli.support import answer, make_store


def test_directories_are_judged(tmp_path: Path) -> None:
    assert files.directory("data", tmp_path / "a" / "b").status == "ok"
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("")
    assert files.directory("data", tmp_path / "file").status == "failed"
    assert files.directory("data", tmp_path / "file" / "below").status == "failed"
    if sys.platform != "win32":
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o755)
        found = files.directory("data", tmp_path / "open")
        assert (found.status, found.remedy) == ("warning", f"chmod 700 {tmp_path / 'open'}")
        (tmp_path / "open").chmod(0o700)
        assert files.directory("data", tmp_path / "open").status == "ok"


def test_a_misspelt_setting_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = places({"HOME": str(home), "USERPROFILE": str(home)}).config_path
    path.parent.mkdir(parents=True)
    path.write_text('permision_mode = "always_ask"\n')
    found = {
        check["name"]: check
        for check in json.loads(answer(capsys, "doctor", "--json", "--port", "0", "--no-model"))["checks"]
    }
    assert found["configuration"]["status"] == "warning"
    assert "permision_mode" in found["configuration"]["detail"]
    assert "permission_mode" in found["configuration"]["detail"]
    assert run(["config", "show"]) == 0
    assert "permision_mode" in capsys.readouterr().err


def test_examining_a_store_leaves_nothing_behind(tmp_path: Path) -> None:
    import apsw

    path = tmp_path / "it's 100% a store?.db"
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA journal_mode=WAL; {scripts()[0].read_text('utf-8')}; PRAGMA user_version=99").fetchall()
    connection.close()
    found = examine(path)
    assert (found.schema, found.problems) == (99, ())
    assert found.knows < 99
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_of_a_conversation_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a garden"
    assert files.work_folder(tmp_path, folder).detail == f"{folder.resolve()}: not a directory"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    assert files.work_folder(tmp_path, Path("a garden")).detail.startswith(f"{folder.resolve()}: in no project")
    (folder / ".aster").mkdir()
    below = folder / "below"
    below.mkdir()
    found = files.work_folder(tmp_path, below)
    assert (found.status, found.remedy) == ("warning", f"aster-sidecar trust '{folder.resolve()}'")
    (tmp_path / "trusted.json").write_text(json.dumps([str(folder.resolve())]))
    assert files.work_folder(tmp_path, below).detail.endswith(f"in the trusted project {folder.resolve()}")
    (tmp_path / "trusted.json").write_text("{}")
    found = files.work_folder(tmp_path, below)
    assert (found.status, "not a list of directories" in found.detail) == ("warning", True)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions stop no one here")
def test_a_folder_without_permissions_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o500)
    assert (files.work_folder(tmp_path, folder).status, "only read" in files.work_folder(tmp_path, folder).detail) == (
        "warning",
        True,
    )
    folder.chmod(0)
    assert files.work_folder(tmp_path, folder).status == "failed"
    folder.chmod(0o700)


def test_one_directory_with_several_names_is_checked_once(tmp_path: Path) -> None:
    where = places({}, data_dir=tmp_path / "data", config_dir=None)
    assert [check.name for check in files.directories(where)] == ["config/data", "logs"]


def test_little_space_is_a_warning_and_less_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GiB free" in files.disk(tmp_path / "not" / "yet").detail
    monkeypatch.setattr(files, "LOW_BYTES", 1 << 60)
    assert files.disk(tmp_path).status == "warning"
    monkeypatch.setattr(files, "TOO_LOW_BYTES", 1 << 60)
    assert files.disk(tmp_path).status == "failed"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("mcp = 5", "mcp is not a table"),
        ("services = []", "services is not a table"),
        ("[services.a]\nx = 1", "services.a"),
    ],
)
def test_a_wrong_table_of_the_configuration_fails(home: Path, text: str, detail: str) -> None:
    where = places({"HOME": str(home), "USERPROFILE": str(home)})
    config = config_of(where)
    where.config_path.parent.mkdir(parents=True)
    where.config_path.write_text(text)
    found = files.configuration(where, config)
    assert (found.status, detail in found.detail, bool(found.remedy)) == ("failed", True, True)


def test_the_file_of_an_agent_that_can_not_be_used_is_named(home: Path) -> None:
    where = places({"HOME": str(home), "USERPROFILE": str(home)})
    assert files.agents(where, config_of(where)).detail == "default"
    (where.config_dir / "agents").mkdir(parents=True)
    (where.config_dir / "agents" / "broken.yaml").write_text("colour: red\n")
    found = files.agents(where, config_of(where))
    assert (found.status, "broken.yaml" in found.detail) == ("warning", True)
    assert found.remedy == "fix these files; they are reloaded automatically"


def test_a_store_is_missing_intact_newer_or_damaged(tmp_path: Path) -> None:
    import apsw

    path = tmp_path / "aster.db"
    assert files.store(path, None).status == "skipped"
    make_store(path)
    found = files.store(path, None)
    assert (found.status, "is intact" in found.detail) == ("ok", True)
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version=99").fetchall()
    found = files.store(path, None)
    assert (found.status, "has schema 99" in found.detail) == ("failed", True)
    connection.close()
    path.write_bytes(b"no database" * 1000)
    found = files.store(path, None)
    assert (found.status, bool(found.remedy)) == ("failed", True)
