"""What git's list of files says about a repository: secrets in it, and submodules without a file that names them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.commands.program_scopes import judged
from tests.tools.commands.cases import build

pytestmark = pytest.mark.skipif(os.name == "nt", reason="cmd.exe runs lines there, and every line asks")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base = tmp_path.resolve()
    build(base)
    monkeypatch.setenv("HOME", str(base / "home"))
    return base


def _git(base: Path, *words: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(base / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(("git", *words), cwd=base / "work", env=env, check=True, capture_output=True)


def _why_not(base: Path, line: str) -> str | None:
    env = {"PATH": str(base / "bin"), "HOME": str(base / "home")}
    return judged(line, base / "work", Surroundings(base / "work"), env, None).why_not


@pytest.mark.parametrize("version", ["2", "4"])
@pytest.mark.parametrize("name", [".env", "src/.env.local", ".ssh/config", "deep/er/server.key"])
def test_a_secret_in_the_repository_is_not_printed_unasked(base: Path, name: str, version: str) -> None:
    (base / "work" / name).parent.mkdir(parents=True, exist_ok=True)
    (base / "work" / name).write_text("A=1\n")
    _git(base, "add", "-f", name)
    _git(base, "update-index", "--index-version", version)
    for line in ("git diff", "git log -p", "git grep A", "git show", "git diff -- '.e*'", "git stash show -p"):
        assert f"there may be secrets in {name}" in (_why_not(base, line) or "")
    for line in ("git status", "git log", "git diff --stat", "git log --oneline --stat", "git ls-files"):
        assert _why_not(base, line) is None


@pytest.mark.parametrize("version", ["2", "4"])
def test_an_index_with_ordinary_names_is_understood(base: Path, version: str) -> None:
    for name in ("environment.txt", "environment.py", "e/environment.py", "symlink.py", "x" * 200, "caf\u00e9"):
        (base / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (base / "work" / name).write_text("")
    _git(base, "add", "-A")
    _git(base, "add", "-N", "--force", "node_modules/pkg/index.js")  # an entry with more flags
    _git(base, "update-index", "--index-version", version)
    assert _why_not(base, "git diff") is None


def test_a_submodule_without_a_file_that_names_it_is_noticed(base: Path) -> None:
    _git(base, "update-index", "--add", "--cacheinfo", "160000,1111111111111111111111111111111111111111,sub")
    for line in ("git status", "git diff", "git grep x"):
        assert "has submodules" in (_why_not(base, line) or "")
    assert _why_not(base, "git ls-files") is None


@pytest.mark.parametrize("data", [b"", b"DIRC", b"DIRC\0\0\0\x02\0\0\0\x05", b"DIRC\0\0\0\x09\0\0\0\0" + bytes(20)])
def test_an_index_that_is_not_understood_asks(base: Path, data: bytes) -> None:
    (base / "work/.git/index").write_bytes(data)
    assert _why_not(base, "git diff") == "git's index is not understood"


def test_a_split_index_asks(base: Path) -> None:
    _git(base, "update-index", "--split-index")
    assert _why_not(base, "git status") == "git's index is not understood"
