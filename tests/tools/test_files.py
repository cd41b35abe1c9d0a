"""The file tools on real files: what is assessed, what is opened, and what remains when something fails."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import pytest
from pydantic import ValidationError

from aster_sidecar.policy.permissions import Assessment, Rule, decide
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools import opening, paths
from aster_sidecar.tools.base import RuleTarget, Surroundings, ToolError
from aster_sidecar.tools.file_content import NOTHING, content
from aster_sidecar.tools.files import replacing, searching
from aster_sidecar.tools.files.common import in_thread
from tests.tools.support import Listener, assess, call, left, make_surroundings, run_assessed, start, tool, until

READERS: list[tuple[str, dict[str, Any]]] = [
    ("read_file", {}),
    ("list_dir", {}),
    ("search_files", {"pattern": "x"}),
]
WRITERS: list[tuple[str, dict[str, Any]]] = [
    ("write_file", {"content": "x"}),
    ("edit_file", {"old": "a", "new": "b"}),
    ("delete_file", {}),
]


ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    return make_surroundings(tmp_path)


def decided(assessment: Assessment, rule: Rule, name: str) -> str:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    return decide(
        "smart_approve", [rule], tool=name, assessment=assessment, agent_id="a", session_id="s", now=now
    ).verdict


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".aster-")]


# --- assessing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "more"), READERS + WRITERS)
def test_risk_is_lowest_inside_the_work_directory(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    found = assess(name, place, path="notes.txt", **more)
    assert found.risk == ("low" if (name, more) in READERS else "medium") == tool(name).risk
    assert found.target == str(place.work_dir / "notes.txt")
    assert found.binding["paths"] == [found.target]
    assert found.remember is not None
    assert (found.remember.kind, found.remember.value) == ("beneath", str(place.work_dir))
    # The words fit a rule that allows and one that denies: a person reads them before the choice.
    assert found.remember.words == f"{name} anywhere in {place.work_dir}"
    assert found.forbidden is None


@pytest.mark.parametrize(("name", "more"), READERS + WRITERS)
@pytest.mark.parametrize(
    "path", ["../out.txt", "/opt/out.txt", "a/../../out.txt", "../work-evil/a", "~/out.txt", "../Work/a"]
)
def test_outside_is_high_and_remembered_for_that_path_only(
    place: Surroundings, name: str, more: dict[str, Any], path: str
) -> None:
    found = assess(name, place, path=path, **more)
    assert found.risk == "high"
    assert "outside the work folder" in found.reason
    assert found.remember is not None
    assert (found.remember.kind, found.remember.value) == ("exact", found.target)


def test_a_prefix_cousin_is_outside(place: Surroundings) -> None:
    cousin = Path(f"{place.work_dir}-evil")
    cousin.mkdir()
    (cousin / "a").write_text("x")
    assert assess("read_file", place, path=str(cousin / "a")).risk == "high"


@pytest.mark.parametrize("path", ["//etc/hostname", "/./etc//hostname", "/etc/../etc/hostname"])
def test_one_path_has_one_spelling(place: Surroundings, path: str) -> None:
    assert assess("read_file", place, path=path).target == "/etc/hostname"


def test_a_link_that_leads_out_is_judged_by_where_it_leads(place: Surroundings, tmp_path: Path) -> None:
    outside = tmp_path.resolve() / "outside.txt"
    outside.write_text("x")
    (place.work_dir / "near").symlink_to(outside)
    (place.work_dir / "folder").symlink_to(tmp_path)
    for path in ("near", "folder/outside.txt"):
        found = assess("read_file", place, path=path)
        assert (found.target, found.risk) == (str(outside), "high")
        assert "a link that leads outside" in found.reason


def test_a_link_within_is_followed(place: Surroundings) -> None:
    (place.work_dir / "real.txt").write_text("here")
    (place.work_dir / "near").symlink_to("real.txt")
    found = assess("read_file", place, path="near")
    assert (found.target, found.risk) == (str(place.work_dir / "real.txt"), "low")
    assert call("read_file", place, path="near").value["text"] == "here"


def test_dotdot_after_a_link_is_the_real_parent(place: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "secret.txt").write_text("x")
    (place.work_dir / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    found = assess("read_file", place, path="link/../secret.txt")
    assert found.target == str(tmp_path.resolve() / "elsewhere" / "secret.txt")
    assert found.risk == "high"


def test_a_dangling_link_is_judged_by_its_aim(place: Surroundings, tmp_path: Path) -> None:
    (place.work_dir / "later").symlink_to(tmp_path.resolve() / "new.txt")
    found = assess("write_file", place, path="later", content="x")
    assert (found.target, found.risk) == (str(tmp_path.resolve() / "new.txt"), "high")


def test_a_loop_of_links_is_refused(place: Surroundings) -> None:
    (place.work_dir / "a").symlink_to("b")
    (place.work_dir / "b").symlink_to("a")
    with pytest.raises(ToolError):
        assess("read_file", place, path="a")
    assert call("delete_file", place, path="a").value["deleted"] == "link"


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".ENV.local", "deploy/.env.production", "server.pem", "TLS.KEY", "id_ed25519", "id_rsa.bak"),
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


@pytest.mark.parametrize("path", ["environment.py", "keyboard.py", "id_map.py", "src/credentials/", "monkey", "a.env"])
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
    place = make_surroundings(tmp_path / ".hidden")  # the place of the work directory doesn't count
    (place.work_dir / "env").mkdir()
    (place.work_dir / "env" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    found = assess("write_file", place, path=path, content="x")
    assert found.remember is not None, found.reason
    assert found.risk == "medium"


def test_a_folder_is_not_made_a_repository_unasked(place: Surroundings) -> None:
    """Git treats a directory with these entries as a bare repository and obeys its configuration."""
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


@pytest.mark.parametrize(("name", "more"), READERS + WRITERS)
def test_the_daemons_own_files_are_forbidden(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    (place.work_dir / "way").symlink_to(place.protected[0])
    os.link(place.protected[0] / "aster.db", place.work_dir / "twin.db")
    for path in ("../daemon", "../daemon/aster.db", "../daemon/new", "way/aster.db", "twin.db"):
        assert assess(name, place, path=path, **more).forbidden is not None, path
    for ends in ({"source": "a", "destination": "../daemon/a"}, {"source": "way/aster.db", "destination": "b"}):
        assert assess("move_file", place, **ends).forbidden is not None


@pytest.mark.parametrize("path", ["/proc/self/environ", "/dev/zero", "/sys/kernel", "//proc/self/environ", "here"])
def test_the_systems_own_files_are_forbidden(place: Surroundings, path: str) -> None:
    (place.work_dir / "here").symlink_to("/proc/self/environ")
    assert assess("read_file", place, path=path).forbidden is not None
    assert assess("list_dir", place, path=path).forbidden is not None


def test_proc_links_lead_where_they_lead(place: Surroundings) -> None:
    assert assess("read_file", place, path="/proc/self/root/etc/hostname").target == "/etc/hostname"
    assert assess("read_file", place, path="/proc/self/cwd/x").target == os.path.join(os.getcwd(), "x")


def test_a_move_is_judged_by_both_ends(place: Surroundings) -> None:
    inside = assess("move_file", place, source="a", destination="b")
    assert inside.risk == "medium"
    assert (inside.target, inside.also) == (str(place.work_dir / "a"), (str(place.work_dir / "b"),))
    assert inside.remember is not None
    for ends in ({"source": "a", "destination": "../b"}, {"source": "../a", "destination": "b"}):
        found = assess("move_file", place, **ends)
        assert (found.risk, found.remember) == ("high", None)
        assert decided(found, Rule("r", "allow", "*", "beneath", str(place.work_dir)), "move_file") == "ask"
    narrow = Rule("r", "allow", "move_file", "beneath", str(place.work_dir / "mine"))
    for ends, verdict in (
        ({"source": "mine/a", "destination": "mine/b"}, "allow"),
        ({"source": "mine/a", "destination": "b"}, "ask"),
        ({"source": "a", "destination": "mine/b"}, "ask"),
    ):
        assert decided(assess("move_file", place, **ends), narrow, "move_file") == verdict
    kept = Rule("r", "deny", "move_file", "beneath", str(place.work_dir / "kept"))
    for ends in ({"source": "a", "destination": "kept/b"}, {"source": "kept/a", "destination": "b"}):
        assert decided(assess("move_file", place, **ends), kept, "move_file") == "deny"


def test_creating_and_replacing_are_bound_apart(place: Surroundings) -> None:
    before = assess("write_file", place, path="a.txt", content="x")
    (place.work_dir / "a.txt").write_text("somebody's")
    assert assess("write_file", place, path="a.txt", content="x").binding != before.binding


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_strings_that_nothing_can_carry_are_refused(value: str) -> None:
    for arguments in ({"path": value, "content": ""}, {"path": "a", "content": value}):
        with pytest.raises(ValidationError):
            tool("write_file").arguments.model_validate(arguments)
    with pytest.raises(ValidationError):
        tool("read_file").arguments.model_validate({"path": "a", "surprise": 1})


def test_a_person_sees_what_is_hidden(place: Surroundings) -> None:
    found = assess("write_file", place, path="a\u202etxt.exe\nwrite b", content="\x1b[2K{0}\u200b\tx")
    first, *rest = found.display.split("\n")
    assert first.startswith("write ")
    assert "\u202e" not in first
    assert "‹U+202E›" in first
    assert "‹U+000A›" in first
    assert rest == ["‹U+001B›[2K{0}‹U+200B›‹U+0009›x"]
    edit = assess("edit_file", place, path="a", old="a\n+ safe", new="b\n- x")
    assert edit.display.split("\n")[1:] == ["- a", "- + safe", "+ b", "+ - x"]
    search = assess("search_files", place, pattern="a\nin files named b", glob="c")
    assert search.display.split("\n")[1:] == ["for a‹U+000A›in files named b", "in files named c"]
    long = assess("write_file", place, path="a", content="y" * 100_000)
    assert long.display.endswith("\n" + "y" * 100_000)


def test_different_texts_never_look_the_same() -> None:
    texts = ["\x1b", "‹U+001B›", "\\x1b", "\u2028", "\n", "a\u00a0b", "a b", "\U000e0041", "\u3164", "\ud800", "é"]
    assert len({visible(text) for text in texts}) == len(texts)
    assert all(visible(text).isprintable() for text in texts if text != "\n")


# --- reading -------------------------------------------------------------------------------------------------------


def test_reading_lines_and_where_to_go_on(place: Surroundings) -> None:
    (place.work_dir / "a.txt").write_bytes(b"one\r\ntwo\nthree")
    assert call("read_file", place, path="a.txt").value["text"] == "one\ntwo\nthree"
    part = call("read_file", place, path="a.txt", offset=2, limit=1)
    assert part.value["text"] == "two"
    assert (part.value["more"], part.truncated, part.value["note"]) == (True, True, "read on with offset 3")
    last = call("read_file", place, path="a.txt", offset=3, limit=1)
    assert (last.value["text"], last.value["more"], last.truncated) == ("three", False, False)
    beyond = call("read_file", place, path="a.txt", offset=9)
    assert (beyond.value["text"], beyond.value["note"]) == ("", "the file has 3 lines")


def test_reading_is_bounded(place: Surroundings) -> None:
    (place.work_dir / "long").write_text("é" * 10_000 + "\nend")
    (place.work_dir / "many").write_text("0123456789\n" * 100_000)
    long = call("read_file", place, path="long")
    assert long.truncated
    assert long.value["text"].startswith("é" * 2000 + " [")
    assert long.value["text"].endswith("\nend")
    many = call("read_file", place, path="many", limit=100_000)
    assert many.truncated
    assert len(many.value["text"].encode()) <= 256 * 1024
    rest = call("read_file", place, path="many", offset=many.value["last_line"] + 1, limit=1)
    assert rest.value["text"] == "0123456789"


def test_a_huge_file_without_lines_costs_neither_memory_nor_time(place: Surroundings) -> None:
    with open(place.work_dir / "huge", "wb") as file:
        file.write(b"text, then nothing\n" * 1000)
        try:
            file.truncate(1024**4)
        except OSError:  # a file system with a smaller maximum file size
            file.truncate(1024**3)
    began, before = time.monotonic(), psutil.Process().memory_info().rss
    found = call("read_file", place, path="huge", offset=1001)
    assert time.monotonic() - began < 30
    assert psutil.Process().memory_info().rss - before < 32 * 1024 * 1024
    assert found.value["binary"] is True
    with open(place.work_dir / "line", "wb") as file:
        for _ in range(80):
            file.write(b"x" * 1024 * 1024)
    before = psutil.Process().memory_info().rss
    found = call("read_file", place, path="line")
    assert psutil.Process().memory_info().rss - before < 32 * 1024 * 1024
    assert (len(found.value["text"]) < 2100, found.truncated) == (True, True)


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", b"\0" * 100, b"\xff\xfe" + b"\0" * 8])
def test_binary_files_are_named_not_shown(place: Surroundings, data: bytes) -> None:
    (place.work_dir / "b").write_bytes(data)
    found = call("read_file", place, path="b").value
    assert found["binary"] is True
    assert "text" not in found


def test_invalid_utf8_is_read_with_replacement(place: Surroundings) -> None:
    (place.work_dir / "latin").write_bytes(b"caf\xe9\n")
    assert call("read_file", place, path="latin").value["text"] == "caf\ufffd"


def test_special_files_are_refused_without_waiting(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.work_dir)  # a socket's path must be short
    os.mkfifo(place.work_dir / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
    for path in ("fifo", "sock", "."):
        began = time.monotonic()
        for name, more in (
            ("read_file", {}),
            ("write_file", {"content": "x"}),
            ("edit_file", {"old": "a", "new": "b"}),
        ):
            with pytest.raises(ToolError):
                call(name, place, path=path, **more)
        assert time.monotonic() - began < 20
    for path in ("fifo", "sock"):
        with pytest.raises(ToolError):
            call("delete_file", place, path=path)
        with pytest.raises(ToolError):
            call("move_file", place, source=path, destination="elsewhere")
    assert stat.S_ISFIFO(os.stat(place.work_dir / "fifo").st_mode)


@pytest.mark.parametrize(("name", "more"), [*READERS, *WRITERS])
@pytest.mark.parametrize("path", ["x" * 300, "/".join(["d" * 200] * 30), "x/" * 3000])
def test_a_path_that_is_too_long_is_refused(place: Surroundings, name: str, more: dict[str, Any], path: str) -> None:
    with pytest.raises(ToolError, match="File name too long"):
        assess(name, place, path=path, **more)
    with pytest.raises(ToolError, match="File name too long"):
        paths.rule_value(RuleTarget("deny", "beneath", path), place)
    assert list(place.work_dir.iterdir()) == []


@pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="root can give up its rights for a moment")
@pytest.mark.parametrize(("name", "more"), [*READERS, *WRITERS])
def test_what_nobody_may_look_at_is_refused(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    shut = place.work_dir / "shut"
    shut.mkdir(0)
    call("list_dir", place)  # import everything before the change of user
    os.seteuid(65534)
    try:
        found = assess(name, place, path="shut/a", **more)
        value = paths.rule_value(RuleTarget("deny", "beneath", "shut/a"), place)
    finally:
        os.seteuid(0)
    assert (found.target, value) == (str(shut / "a"), str(shut / "a"))


def test_a_file_is_called_a_file_where_a_directory_is_wanted(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("x")
    for name, path in (("list_dir", "a"), ("read_file", "a/b")):
        with pytest.raises(ToolError, match=r"/a is a file, not a directory"):
            call(name, place, path=path)


def test_missing_files_say_so(place: Surroundings) -> None:
    for name, more in (*READERS, WRITERS[1], WRITERS[2]):
        with pytest.raises(ToolError, match=r"No such file|no such file"):
            call(name, place, path="missing/deep", **more)


def test_unicode_names(place: Surroundings) -> None:
    for name in ("é.txt", "e\u0301.txt", "日本語", "a b\tc", "-rf", "*", "\u202egnp.exe", "'\"$(x)", "n\nl"):
        call("write_file", place, path=name, content=name)
        assert call("read_file", place, path=name).value["text"] == name
        assert name in os.listdir(place.work_dir)


# --- races ---------------------------------------------------------------------------------------------------------


def swaps(place: Surroundings, outside: Path) -> dict[str, tuple[str, Any]]:
    """Ways to mislead a call after its assessment: the requested path, and what happens to it in between."""
    work = place.work_dir

    def link_the_file() -> None:
        (work / "a.txt").unlink()
        (work / "a.txt").symlink_to(outside / "a.txt")

    def link_the_folder() -> None:
        (work / "sub").rename(work / "gone")
        (work / "sub").symlink_to(outside)

    def link_the_work_dir() -> None:
        work.rename(work.with_name("gone"))
        work.symlink_to(outside)

    return {
        "the file": ("a.txt", link_the_file),
        "a folder": ("sub/a.txt", link_the_folder),
        "the work directory": ("a.txt", link_the_work_dir),
    }


@pytest.mark.parametrize("which", ["the file", "a folder", "the work directory"])
@pytest.mark.parametrize(("name", "more"), [READERS[0], READERS[2], WRITERS[0], WRITERS[1]])
def test_a_link_put_in_between_is_refused(
    place: Surroundings, tmp_path: Path, which: str, name: str, more: dict[str, Any]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("axa secret")
    (place.work_dir / "sub").mkdir()
    (place.work_dir / "a.txt").write_text("axa")
    (place.work_dir / "sub" / "a.txt").write_text("axa")
    path, swap = swaps(place, outside)[which]
    arguments = {"path": path, **more}
    assessment = assess(name, place, **arguments)
    swap()
    if name == "search_files" and which == "the file":
        assert run_assessed(name, place, assessment, **arguments).value["hits"] == []
    else:
        with pytest.raises(ToolError):
            run_assessed(name, place, assessment, **arguments)
    assert (outside / "a.txt").read_text() == "axa secret"
    assert os.listdir(outside) == ["a.txt"]


@pytest.mark.parametrize("which", ["a folder", "the work directory"])
def test_deleting_and_moving_never_follow_a_link_put_in_between(
    place: Surroundings, tmp_path: Path, which: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("kept")
    (place.work_dir / "sub").mkdir()
    (place.work_dir / "a.txt").write_text("a")
    (place.work_dir / "sub" / "a.txt").write_text("a")
    path, swap = swaps(place, outside)[which]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("delete_file", {"path": path}),
        ("move_file", {"source": path, "destination": "elsewhere"}),
        ("move_file", {"source": "a.txt", "destination": f"{path}.new"}),
    ]
    assessments = [assess(name, place, **arguments) for name, arguments in calls]
    swap()
    for (name, arguments), assessment in zip(calls, assessments, strict=True):
        with pytest.raises(ToolError):
            run_assessed(name, place, assessment, **arguments)
    assert {one.name: one.read_text() for one in outside.iterdir()} == {"a.txt": "kept"}


def test_a_link_that_comes_and_goes_is_never_followed(place: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (place.work_dir / "link").symlink_to(tmp_path / "outside")
            os.replace(place.work_dir / "link", place.work_dir / "a")
            (place.work_dir / "file").write_text("x")
            os.replace(place.work_dir / "file", place.work_dir / "a")

    (place.work_dir / "a").write_text("x")
    swapping = threading.Thread(target=swap)
    swapping.start()
    seen: set[bytes] = set()
    try:
        with opening.opened_folder(place.work_dir) as folder:
            tried, until_s = 0, time.monotonic() + 30
            while tried < 5000 or (b"refused" not in seen and time.monotonic() < until_s):
                tried += 1
                try:
                    with open(opening.opened_file(folder, "a"), "rb") as file:
                        seen.add(file.read())
                except (ToolError, OSError):
                    seen.add(b"refused")
    finally:
        stop.set()
        swapping.join()
    assert seen <= {b"x", b"", b"refused"}
    assert b"refused" in seen


def test_a_fifo_put_in_between_does_not_hang(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("x")
    assessment = assess("read_file", place, path="a")
    (place.work_dir / "a").unlink()
    os.mkfifo(place.work_dir / "a")
    with pytest.raises(ToolError, match="FIFO"):
        run_assessed("read_file", place, assessment, path="a")


def test_without_handles_every_component_is_checked(place: Surroundings, tmp_path: Path) -> None:
    (place.work_dir / "sub").mkdir()
    with opening.opened_folder(place.work_dir / "sub", handles=False) as folder:
        assert folder == str(place.work_dir / "sub")
    with opening.opened_folder(place.work_dir / "new" / "deep", create=True, handles=False) as folder:
        assert os.path.isdir(folder)
    (place.work_dir / "sub").rmdir()
    (place.work_dir / "sub").symlink_to(tmp_path)
    for path in ("sub", "sub/inner"):
        with pytest.raises(ToolError), opening.opened_folder(place.work_dir / path, create=True, handles=False):
            pass
    assert not (tmp_path / "inner").exists()


@pytest.mark.parametrize("path", ["nul", "sub\\CON.txt", "com1", "LPT9.log", "a.txt:hidden", "aux ", "COM\u00b9"])
def test_windows_devices_and_streams_are_refused(path: str) -> None:
    with pytest.raises(ToolError):
        paths.refuse_windows_names(path)
    for ordinary in ("company.txt", "console", "null", "a/b\\c.txt", "com10"):
        paths.refuse_windows_names(ordinary)


# --- writing -------------------------------------------------------------------------------------------------------


def test_writing_creates_parents_and_replaces_whole(place: Surroundings) -> None:
    first = call("write_file", place, path="deep/er/a.txt", content="é\n")
    assert first.value == {"path": str(place.work_dir / "deep/er/a.txt"), "bytes": 3, "created": True}
    second = call("write_file", place, path="deep/er/a.txt", content="")
    assert second.value["created"] is False
    assert (place.work_dir / "deep/er/a.txt").read_bytes() == b""
    assert os.listdir(place.work_dir / "deep/er") == ["a.txt"]


def test_writing_keeps_the_mode_and_breaks_no_link(place: Surroundings) -> None:
    target = place.work_dir / "run.sh"
    target.write_text("old")
    target.chmod(0o751)
    (place.work_dir / "near").symlink_to("run.sh")
    call("write_file", place, path="near", content="new")
    assert (place.work_dir / "near").is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o751


def test_a_new_file_gets_the_usual_mode(place: Surroundings) -> None:
    mask = os.umask(0o027)
    try:
        call("write_file", place, path="a", content="x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((place.work_dir / "a").stat().st_mode) == 0o640


def test_a_read_only_file_is_not_replaced(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("kept")
    (place.work_dir / "b").write_text("b")
    (place.work_dir / "a").chmod(0o444)
    for name, arguments in (
        ("write_file", {"path": "a", "content": "x"}),
        ("edit_file", {"path": "a", "old": "kept", "new": "x"}),
        ("move_file", {"source": "b", "destination": "a", "overwrite": True}),
    ):
        with pytest.raises(ToolError, match="read-only"):
            call(name, place, **arguments)
    assert (place.work_dir / "a").read_text() == "kept"


def test_a_name_as_long_as_names_can_be(place: Surroundings) -> None:
    name = "n" * 255
    call("write_file", place, path=name, content="1")
    call("write_file", place, path=name, content="2")
    assert (place.work_dir / name).read_text() == "2"


def test_a_full_disk_leaves_everything_as_it_was(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for path in ("a", "new"):
            with pytest.raises(ToolError, match="File too large"):
                call("write_file", place, path=path, content="x" * 200_000)
        with pytest.raises(ToolError, match="File too large"):
            call("edit_file", place, path="a", old="old", new="x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {one.name: one.read_text() for one in place.work_dir.iterdir()} == {"a": "old"}


def test_a_cancelled_write_is_done_or_not_there(place: Surroundings) -> None:
    target = place.work_dir / "a"
    old, new = "o" * 3_000_000, "n" * 3_000_000
    seen: set[str] = set()

    async def cancel_after(turns: int) -> None:
        task = asyncio.create_task(start("write_file", Listener(place), path="a", content=new))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():  # otherwise it was complete: how far it gets in so many steps depends on the machine
            with pytest.raises(asyncio.CancelledError):
                await task
        # After the cancellation nothing more happens: no thread is left that could write.
        text = target.read_text()
        assert text in (old, new)
        assert text == new or task.cancelled()
        assert leftovers(place.work_dir) == []
        seen.add(text[0])

    for turns in (0, 1, 2, 3, 5, 50, 500):
        target.write_text(old)
        asyncio.run(cancel_after(turns))
    assert "o" in seen  # a task that is cancelled before its first step never starts


def test_writers_of_one_file_leave_one_whole_text(place: Surroundings) -> None:
    texts = [letter * 500_000 for letter in "abcdefgh"]

    async def all_at_once() -> None:
        calls = (start("write_file", Listener(place), path="a", content=text) for text in texts)
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(all_at_once())
    assert (place.work_dir / "a").read_text() in texts
    assert leftovers(place.work_dir) == []


# --- editing -------------------------------------------------------------------------------------------------------


def test_edits_replace_exactly_one_place(place: Surroundings) -> None:
    target = place.work_dir / "a.py"
    target.write_text("a = 1\nb = 1\n")
    call("edit_file", place, path="a.py", old="a = 1", new="a = 2")
    assert target.read_text() == "a = 2\nb = 1\n"
    target.write_text("aaa")
    for old, new, words in (
        ("zzz", "y", "does not occur"),
        ("aa", "b", "more than once"),
        ("aaa", "aaa", "the same"),
    ):
        with pytest.raises(ToolError, match=words):
            call("edit_file", place, path="a.py", old=old, new=new)
    assert target.read_text() == "aaa"
    assert call("edit_file", place, path="a.py", old="a", new="b", replace_all=True).value["replaced"] == 3
    assert target.read_text() == "bbb"


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny", b"x\r\ny\r\nc\r\n"),
        (b"a\r\nb\r\n", "a", "x\ny", b"x\r\ny\r\nb\r\n"),
        (b"a\r\nb\r\n", "a\r\nb", "x\r\ny", b"x\r\ny\r\n"),
        (b"a\r\nb\nc\n", "b\nc", "x\ny", b"a\r\nx\ny\n"),
        (b"a\r\nb\nc\n", "a\nb", "x\ny", b"x\r\ny\nc\n"),
        (b"\xef\xbb\xbfa\r\nb", "a", "x", b"\xef\xbb\xbfx\r\nb"),
        (b"no end", "end", "end!", b"no end!"),
    ],
)
def test_line_ends_and_byte_order_marks_stay(
    place: Surroundings, before: bytes, old: str, new: str, after: bytes
) -> None:
    (place.work_dir / "a").write_bytes(before)
    call("edit_file", place, path="a", old=old, new=new)
    assert (place.work_dir / "a").read_bytes() == after


def test_a_write_that_was_stopped_changes_nothing(place: Surroundings) -> None:
    stop = threading.Event()
    stop.set()
    with opening.opened_folder(place.work_dir) as folder, pytest.raises(ToolError, match="cancelled"):
        replacing.replace(folder, "a", lambda file: file.write(b"x"), NOTHING, stop)
    assert os.listdir(place.work_dir) == []


def test_what_somebody_else_wrote_in_the_meantime_is_not_lost(place: Surroundings) -> None:
    target = place.work_dir / "a"
    target.write_text("old")
    stop = threading.Event()
    with opening.opened_folder(place.work_dir) as folder:
        for found in (content(folder, "a"), NOTHING):

            def fill(file: BinaryIO) -> None:
                file.write(b"mine")
                target.write_text("somebody else's")

            with pytest.raises(ToolError, match="changed by another program"):
                replacing.replace(folder, "a", fill, found, stop)
            assert target.read_text() == "somebody else's"
            target.unlink()
    assert leftovers(place.work_dir) == []


def test_an_edit_never_destroys_what_it_cannot_read(place: Surroundings) -> None:
    (place.work_dir / "latin").write_bytes(b"caf\xe9 old")
    with pytest.raises(ToolError, match="not text in UTF-8"):
        call("edit_file", place, path="latin", old="old", new="new")
    assert (place.work_dir / "latin").read_bytes() == b"caf\xe9 old"


# --- deleting and moving -------------------------------------------------------------------------------------------


def test_deleting(place: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    (place.work_dir / "link").symlink_to(tmp_path / "kept.txt")
    (place.work_dir / "full").mkdir()
    (place.work_dir / "full" / "x").write_text("x")
    assert call("delete_file", place, path="link").value["deleted"] == "link"
    assert (tmp_path / "kept.txt").read_text() == "kept"
    with pytest.raises(ToolError, match="not empty"):
        call("delete_file", place, path="full")
    call("delete_file", place, path="full/x")
    assert call("delete_file", place, path="full/").value["deleted"] == "directory"
    for path in (".", "", "full/..", "..", "/"):
        with pytest.raises((ToolError, ValidationError)):
            call("delete_file", place, path=path)


def test_a_link_is_deleted_by_where_it_stands(place: Surroundings) -> None:
    (place.work_dir / "link").symlink_to("/etc/hostname")
    found = assess("delete_file", place, path="link")
    assert (found.target, found.risk) == (str(place.work_dir / "link"), "medium")


def test_moving(place: Surroundings) -> None:
    work = place.work_dir
    (work / "a").write_text("a")
    (work / "b").write_text("b")
    (work / "folder").mkdir()
    (work / "link").symlink_to("a")
    with pytest.raises(ToolError, match="exists already"):
        call("move_file", place, source="a", destination="b")
    for destination in ("folder", "."):
        with pytest.raises(ToolError):
            call("move_file", place, source="a", destination=destination, overwrite=True)
    with pytest.raises(ToolError):
        call("move_file", place, source="folder", destination="other")
    call("move_file", place, source="link", destination="new/link")
    assert os.readlink(work / "new/link") == "a"
    result = call("move_file", place, source="a", destination="b", overwrite=True).value
    assert result == {"path": str(work / "b"), "moved_from": str(work / "a"), "replaced": True}
    assert (work / "b").read_text() == "a"
    assert not (work / "a").exists()
    call("move_file", place, source="b", destination="c/d/e")
    assert (work / "c/d/e").read_text() == "a"


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second file system")
def test_moving_to_another_file_system(place: Surroundings, tmp_path: Path) -> None:
    import tempfile

    if os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        (place.work_dir / "a").write_bytes(b"x" * 3_000_000)
        (place.work_dir / "a").chmod(0o6750)
        os.utime(place.work_dir / "a", (1_000_000_000, 1_000_000_000))
        call("move_file", place, source="a", destination=f"{other}/b")
        moved = Path(other, "b").stat()
        assert (moved.st_size, stat.S_IMODE(moved.st_mode), moved.st_mtime) == (3_000_000, 0o6750, 1_000_000_000)
        assert not (place.work_dir / "a").exists()
        Path(other, "c").write_text("c")
        with pytest.raises(ToolError):
            call("move_file", place, source=f"{other}/b", destination=f"{other}/c")
        (place.work_dir / "link").symlink_to("a")
        with pytest.raises(ToolError, match="another file system"):
            call("move_file", place, source="link", destination=f"{other}/link")


# --- listing -------------------------------------------------------------------------------------------------------


def test_listing(place: Surroundings) -> None:
    (place.work_dir / "sub" / "deep").mkdir(parents=True)
    (place.work_dir / "sub" / "deep" / "x").write_text("12345")
    (place.work_dir / "a").write_text("1")
    (place.work_dir / "out").symlink_to("/")
    assert call("list_dir", place).value["entries"] == [
        {"name": "a", "kind": "file", "bytes": 1},
        {"name": "out", "kind": "link", "to": "/"},
        {"name": "sub", "kind": "directory"},
    ]
    names = [one["name"] for one in call("list_dir", place, depth=3).value["entries"]]
    assert names == ["a", "out", "sub", "sub/deep", "sub/deep/x"]
    with pytest.raises(ToolError):
        call("list_dir", place, path="a")


def test_listing_is_bounded_and_tells(place: Surroundings) -> None:
    for number in range(1005):
        (place.work_dir / f"{number:04}").touch()
    found = call("list_dir", place)
    assert found.truncated
    assert [one["name"] for one in found.value["entries"]] == [f"{number:04}" for number in range(1000)]
    assert "first 1000" in found.value["notes"][0]


def test_listing_leaves_the_daemons_files_out(place: Surroundings) -> None:
    found = call("list_dir", place, path="..", depth=3)
    assert not any("aster.db" in one["name"] for one in found.value["entries"])
    assert "Aster's own data" in found.value["notes"][0]


def test_names_that_are_not_utf8_can_be_listed(place: Surroundings) -> None:
    try:
        os.close(os.open(os.fsencode(place.work_dir) + b"/caf\xe9", os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system wants UTF-8")
    (place.work_dir / "plain").write_text("x")
    listed = call("list_dir", place).value
    assert listed["entries"][0]["name"] == "caf‹U+DCE9›"
    assert any("not UTF-8" in note and "no file tool" in note for note in listed["notes"])
    found = call("search_files", place, pattern="x").value
    assert (found["files_searched"], found["notes"]) == (2, [])
    with open(os.fsencode(place.work_dir) + b"/caf\xe9", "w") as file:
        file.write("x")
    found = call("search_files", place, pattern="x").value
    assert [hit["path"] for hit in found["hits"]] == ["caf‹U+DCE9›", "plain"]
    assert found["notes"] == listed["notes"]


# --- searching -----------------------------------------------------------------------------------------------------


def test_searching(place: Surroundings) -> None:
    work = place.work_dir
    for path in ("src/a.py", "src/deep/b.py", "src/c.txt", ".git/config", "node_modules/m.py"):
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(b"first\r\ndef found():\r\n")
    (work / "binary").write_bytes(b"\0def found")
    (work / "out").symlink_to("/etc")
    found = call("search_files", place, pattern=r"^def \w+\(\):$")
    assert sorted((one["path"], one["line"], one["text"]) for one in found.value["hits"]) == [
        ("src/a.py", 2, "def found():"),
        ("src/c.txt", 2, "def found():"),
        ("src/deep/b.py", 2, "def found():"),
    ]
    assert found.value["files_searched"] == 3
    assert not found.truncated
    for glob, count in (("*.py", 2), ("src/*.py", 2), ("**/*.txt", 1), ("src/**/b.py", 1), ("src/**/a.py", 1)):
        assert len(call("search_files", place, pattern="def", glob=glob).value["hits"]) == count, glob
    assert len(call("search_files", place, pattern="def", path="src/a.py").value["hits"]) == 1
    assert call("search_files", place, pattern="^$").value["hits"] == []
    limited = call("search_files", place, pattern=".", max_results=2)
    assert (len(limited.value["hits"]), limited.truncated) == (2, True)


def test_searching_leaves_secrets_and_the_daemons_files_out(place: Surroundings) -> None:
    (place.work_dir / ".env").write_text("TOKEN=canary")
    (place.work_dir / ".ssh").mkdir()
    (place.work_dir / ".ssh" / "notes").write_text("canary")
    (place.work_dir / "a.txt").write_text("canary in the open")
    os.link(place.protected[0] / "aster.db", place.work_dir / "twin.db")
    (place.protected[0] / "aster.db").write_text("canary")
    found = call("search_files", place, pattern="canary", path="..").value
    assert [one["path"] for one in found["hits"]] == ["a.txt"]
    assert any(".env" in note and ".ssh" in note for note in found["notes"])
    assert any("Aster's own data" in note for note in found["notes"])
    assert call("search_files", place, pattern="canary", path=".env").value["hits"] == []


def test_a_pattern_that_is_none_is_refused(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="not a regular expression"):
        call("search_files", place, pattern="(")


def matching() -> bool:
    """Whether the process of a search has used CPU time for a while."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.cpu_times().user > 0.2:
                return True
    return False


def test_a_pattern_that_never_ends_is_ended(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.work_dir / "a").write_text("hit\n")
    (place.work_dir / "b").write_text("a" * 1900 + "!")
    arguments = searching.SearchFiles(pattern="hit|(a+)+$")
    search = searching._Search(arguments, place.work_dir, place, deadline_s=50)
    timers: list[Later] = []

    class Later(threading.Timer):
        def start(self) -> None:
            timers.append(self)

        def begin(self) -> None:
            super().start()

    monkeypatch.setattr(threading, "Timer", Later)

    async def both() -> Any:
        task = asyncio.create_task(in_thread(search.run, cancelled=search.kill))
        await until(lambda: bool(search.hits) and matching())  # the event loop runs while the pattern does
        search.deadline_s = timers[0].interval = 0.5  # from now on, however long the start took
        timers[0].begin()
        return await task

    result = asyncio.run(both())
    assert result.truncated
    assert [one["path"] for one in result.value["hits"]] == ["a"]
    assert "takes too long" in result.value["notes"][0]
    assert left() == []


def test_a_cancelled_search_ends_its_process(place: Surroundings) -> None:
    (place.work_dir / "b").write_text("a" * 1900 + "!")

    async def cancelled() -> None:
        task = asyncio.create_task(start("search_files", Listener(place), pattern="(a+)+$"))
        await until(matching)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left() == []

    asyncio.run(cancelled())


# --- all tools -----------------------------------------------------------------------------------------------------


def test_no_call_leaves_a_descriptor_open(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("x")

    def everything() -> None:
        for name, more in READERS + WRITERS:
            for path in ("a", "missing/x", "."):
                with suppress(ToolError):
                    call(name, place, path=path, **more)
        call("write_file", place, path="a", content="x")

    everything()
    before = psutil.Process().num_fds()
    everything()
    assert psutil.Process().num_fds() <= before


def test_importing_the_tools_starts_and_loads_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys; import aster_sidecar.tools.builtin as tools; tools.builtin_tools()\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    heavy = ["httpx", "psutil", "markdownify", "bs4", "fastapi", "pydantic_ai"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == "[]"
