"""Which files hold secrets, and which ones other programs run or read, judged by name and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.tools.sensitive_places import holds_secrets, in_secret_place, is_beneath, runs_later

HOME = Path("/home/ada")
WORK = HOME / "work"


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.local", ".ENV", "id_rsa", "id_ed25519.pub", "id_work", "server.pem", "a.KEY", "credentials"),
        *("Login Data", ".bash_history", "auth.json", ".env ", "\uff0eenv", ".e\u200bnv", "secrets.yaml"),
    ],
)
def test_names_of_files_with_secrets(name: str) -> None:
    assert holds_secrets(WORK / name)


@pytest.mark.parametrize("name", ["env.py", "id_card.png", "keys.md", "environment", "history.md", "monkey"])
def test_ordinary_names(name: str) -> None:
    assert not holds_secrets(WORK / name)


@pytest.mark.parametrize(
    "path",
    ["/home/ada/.ssh", "/home/ada/.ssh/config", "/etc/shadow", "/home/ada/.Mozilla/x/y", "/home/ada/work/.git/config"],
)
def test_places_of_secrets(path: str) -> None:
    assert in_secret_place(Path(path))
    assert not in_secret_place(WORK / "ssh" / "config")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "work/.git/hooks/pre-commit",
            "work/.github/workflows/a.yml",
            "work/.anything",
            "work/.new/a",
            "work/CLAUDE.md",
        ),
        *("work/node_modules/a/index.js", "work/a.pth", "work/Jenkinsfile", "bin/tool", ".profile"),
    ],
)
def test_what_other_programs_run_or_read(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(HOME))
    assert runs_later(HOME / path, WORK)


@pytest.mark.parametrize("name", ["main.py", ".gitignore", ".editorconfig", "sub/a.txt", "hooks/a", "config"])
def test_ordinary_files_of_a_project(name: str) -> None:
    assert not runs_later(WORK / name, WORK)


@pytest.mark.parametrize("path", ["/etc/hosts", "/usr/lib/a", "/home/ada/Library/a", "/home/ada/.config/a"])
def test_outside_the_work_folder_system_places_count(path: str) -> None:
    assert runs_later(Path(path), WORK)
    assert not runs_later(HOME / "notes" / "a.txt", WORK)


def test_parts_of_a_bare_repository_and_of_an_environment(tmp_path: Path) -> None:
    assert not runs_later(tmp_path / "hooks" / "a", tmp_path)
    (tmp_path / "HEAD").touch()
    assert runs_later(tmp_path / "hooks" / "a", tmp_path)
    assert runs_later(tmp_path / "config", tmp_path)
    assert not runs_later(tmp_path / "config" / "a", tmp_path)
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert runs_later(tmp_path / "env" / "bin" / "a", tmp_path)
    assert not runs_later(tmp_path / "env" / "share" / "a", tmp_path)


def test_a_directory_on_path_is_a_place_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not runs_later(tmp_path / "tools" / "a", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    assert runs_later(tmp_path / "tools" / "a", tmp_path)


def test_beneath() -> None:
    assert is_beneath(Path("/a"), Path("/a"))
    assert is_beneath(Path("/a/b/c"), Path("/a"))
    assert not is_beneath(Path("/ab"), Path("/a"))
