"""Files with secrets and files that other programs run: the question is asked every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.policy.permissions import Rule
from aster_sidecar.tools.base import Surroundings
from tests.tools.files.support import decided
from tests.tools.support import assess, make_surroundings


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".ENV.local", "deploy/.env.production", "server.pem", "TLS.KEY", "id_ed25519", "id_rsa.bak", "a.env"),
        *(".netrc", ".git-credentials", ".npmrc", ".pypirc", ".pgpass", ".aws/credentials", ".ssh/config"),
        *(".kube/config", ".docker/config.json", ".bash_history", "Library/Keychains/login.keychain-db"),
        *(".mozilla/firefox/x/cookies.sqlite", ".config/google-chrome/Default/Cookies", "a/Login Data", "x.kdbx"),
        *("/etc/shadow", "/etc/gshadow-", ".gnupg/secring", ".git/config", "id_\u200bed25519", ".en\uff56", ".env. "),
    ],
)
@pytest.mark.parametrize("name", ["read_file", "write_file"])
def test_files_that_hold_secrets_are_high_and_always_ask(place: Surroundings, name: str, path: str) -> None:
    found = assess(name, place, path=path, **({"content": "x"} if name == "write_file" else {}))
    assert found.risk == "high"
    assert "There may be secrets in" in found.reason
    assert found.remember is None
    rule = Rule("r1", "allow", name, "beneath", str(place.work_dir))
    assert decided(found, rule, name) == "ask"


@pytest.mark.parametrize(
    "path", ["environment.py", "keyboard.py", "id_map.py", "src/credentials/", "monkey", "env.txt"]
)
def test_ordinary_names_are_not_taken_for_secrets(place: Surroundings, path: str) -> None:
    (place.work_dir / "src" / "credentials").mkdir(parents=True)
    assert assess("list_dir" if path.endswith("/") else "read_file", place, path=path).risk == "low"


def test_a_harmless_name_for_a_secret_and_a_secret_name_for_a_harmless_file_both_count(place: Surroundings) -> None:
    (place.work_dir / ".env").write_text("KEY=1")
    (place.work_dir / "notes.txt").symlink_to(".env")
    (place.work_dir / "plain").write_text("x")
    (place.work_dir / "server.key").symlink_to("plain")
    assert assess("read_file", place, path="notes.txt").remember is None
    assert assess("read_file", place, path="server.key").remember is None


@pytest.mark.parametrize(
    "path",
    [
        *(".git/hooks/pre-commit", ".git/info/attributes", ".bashrc", "sub/.zshrc", ".vscode/tasks.json", ".PROFILE"),
        *(".config/autostart/x.desktop", ".ssh/authorized_keys", ".github/workflows/ci.yml", ".husky/pre-push"),
        *("/etc/cron.d/job", "/etc/profile.d/x.sh", ".g\u200cit/hooks/pre-commit", "lib/x.pth", ".envrc"),
        *(".cargo/config.toml", ".gitlab-ci.yml", ".hg/hgrc", "AGENTS.md", "sub/CLAUDE.md", ".cursorrules", ".git"),
        *("~/bin/x", "/usr/local/bin/x", ".venv/bin/python", "node_modules/.bin/x", "HEAD", "bare/HEAD", ".Rprofile"),
    ],
)
def test_what_others_run_later_is_high_to_write_and_always_asks(place: Surroundings, path: str) -> None:
    found = assess("write_file", place, path=path, content="x")
    assert (found.risk, found.remember) == ("high", None)
    moved = assess("move_file", place, source="innocent", destination=path)
    assert (moved.risk, moved.remember) == ("high", None)


@pytest.mark.parametrize(
    "path",
    [
        *(".eslintrc.js", ".rubocop.yml", ".flake8", "sub/.babelrc", ".trae/rules/x", ".qwen/settings.json", ".x/y/z"),
        *("node_modules/a/index.js", "lib/python3/site-packages/a.py", "env/bin/activate", "env/pyvenv.cfg", "QWEN.md"),
        *("~/.config/kitty/kitty.conf", "~/.wezterm.lua", "~/.local/share/x", "/etc/hosts", "/usr/lib/x.so"),
        *("~/Library/Preferences/x.plist", "~/AppData/x", "\uff0egit/hooks/x", ".\u200bx/y", "\uff0ex/y"),
    ],
)
def test_what_is_hidden_or_installed_is_high_to_write_and_always_asks(place: Surroundings, path: str) -> None:
    (place.work_dir / "env").mkdir()
    (place.work_dir / "env" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    found = assess("write_file", place, path=path, content="x")
    assert (found.risk, found.remember) == ("high", None)
    assert "Other programs run this file or take their settings from it." in found.concerns


@pytest.mark.parametrize(
    "path",
    [
        *(".gitignore", "a/.gitkeep", ".editorconfig", ".nvmrc", ".well-known/security.txt", "src/a.py", "Makefile"),
        *(
            "etc/app.conf",
            "usr/x",
            "library/books.md",
            "src/config.py",
            "objects/a.js",
            "header.h",
            "a.b/c",
            "env/notes.txt",
        ),
    ],
)
def test_a_projects_own_files_can_be_remembered(tmp_path: Path, path: str) -> None:
    (tmp_path / ".hidden").mkdir()
    place = make_surroundings(tmp_path / ".hidden")  # the path of the work directory itself does not count
    (place.work_dir / "env").mkdir()
    (place.work_dir / "env" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    found = assess("write_file", place, path=path, content="x")
    assert found.remember is not None, found.reason
    assert found.risk == "medium"


def test_a_folder_is_not_made_a_repository_unasked(place: Surroundings) -> None:
    """Git treats a directory with these files as a bare repository, and follows its configuration."""
    (place.work_dir / "bare").mkdir()
    assert assess("write_file", place, path="bare/config", content="x").risk == "medium"
    (place.work_dir / "bare/refs").mkdir()
    assert assess("write_file", place, path="bare/HEAD", content="ref: refs/heads/main\n").risk == "high"
    (place.work_dir / "bare/HEAD").write_text("ref: refs/heads/main\n")
    for path in ("bare/config", "bare/hooks/post-checkout", "bare/objects/info/alternates"):
        assert assess("write_file", place, path=path, content="x").risk == "high"
    assert assess("write_file", place, path="bare/src/config.py", content="x").risk == "medium"


def test_reading_what_runs_later_is_low(place: Surroundings) -> None:
    assert assess("read_file", place, path=".git/HEAD").risk == "low"


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".bashrc",
            "sub/.zshrc",
            ".git/hooks/pre-commit",
            ".git/config",
            ".github/workflows/ci.yml",
            ".gitlab-ci.yml",
        ),
        *(
            ".vscode/tasks.json",
            ".aster/agents/x.yaml",
            ".husky/pre-push",
            ".envrc",
            ".ssh/authorized_keys",
            ".PROFILE",
        ),
        *(".config/autostart/x.desktop", "/etc/cron.d/job", ".g\u200cit/hooks/x", "~/.local/bin/x", "Jenkinsfile"),
    ],
)
@pytest.mark.parametrize("name", ["write_file", "move_file"])
def test_what_runs_without_a_person_looking_is_asked_about_in_every_mode(
    place: Surroundings, name: str, path: str
) -> None:
    (place.work_dir / "x").write_text("x")
    arguments = {"path": path, "content": "x"} if name == "write_file" else {"source": "x", "destination": path}
    found = assess(name, place, **arguments)
    assert decided(found, None, name, mode="auto_approve") == "ask"
    assert decided(found, Rule("r1", "allow", name, "beneath", "/"), name, mode="auto_approve") == "ask"
    assert decided(found, Rule("r1", "allow", name, "any", ""), name, mode="auto_approve") == "allow"
    exact = Rule("r1", "allow", name, "exact", found.target)
    assert decided(found, exact, name) == ("allow" if name == "write_file" else "ask")


@pytest.mark.parametrize("path", ["a.txt", ".eslintrc", "AGENTS.md", "src/.github.md", "docs/profile.md", "etc/x"])
def test_other_files_are_written_unasked_in_auto_approve(place: Surroundings, path: str) -> None:
    found = assess("write_file", place, path=path, content="x")
    assert decided(found, None, "write_file", mode="auto_approve") == "allow"
    link = place.work_dir / "link"
    link.symlink_to(".bashrc")
    assert (
        decided(assess("write_file", place, path="link", content="x"), None, "write_file", mode="auto_approve") == "ask"
    )
