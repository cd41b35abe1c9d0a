"""The command store, without a daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aster_sidecar.cli import exit_codes
from aster_sidecar.cli.run_command import run
from tests.cli.support import answer, make_store


def test_a_new_store_leaves_the_old_one_and_it_can_be_restored(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_store(tmp_path / "aster.db")
    here = ("--data-dir", str(tmp_path))
    told = json.loads(answer(capsys, "store", "new", *here, "--json"))
    aside = Path(told["aside"])
    assert (aside.exists(), (tmp_path / "aster.db").exists()) == (True, False)
    listed = json.loads(answer(capsys, "store", *here, "--json"))
    assert (listed["store"]["exists"], [copy["path"] for copy in listed["copies"]]) == (False, [str(aside)])
    assert aside.name in answer(capsys, "store", "list", *here)
    told = answer(capsys, "store", "restore", aside.name, *here)
    assert told == f"{tmp_path / 'aster.db'} is now the copy; there was no store before\n"
    assert (tmp_path / "aster.db").exists()


def test_what_can_not_be_restored_changes_nothing(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_store(tmp_path / "aster.db")
    before = (tmp_path / "aster.db").read_bytes()
    (tmp_path / "text").write_text("no store")
    for file in ("text", "none"):
        assert run(["store", "restore", file, "--data-dir", str(tmp_path)]) == exit_codes.EXIT_FAILED
    assert (tmp_path / "aster.db").read_bytes() == before
    assert run(["store", "new", "--data-dir", str(tmp_path / "none")]) == exit_codes.EXIT_FAILED
    assert "there is no data directory" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
