"""The PATH of commands: what a real login shell with real start-up files makes of it.

A start-up file may also hang, fail or print too much.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from aster_sidecar.services import login_path, process_tree
from aster_sidecar.services.login_path import CommandPath, login_shell, merged
from tests.tools.support import left, until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="login shells")
SYSTEM = "/usr/bin:/bin:/usr/sbin:/sbin"
PROFILES = {
    "bash": ".bash_profile",
    "zsh": ".zprofile",
    "dash": ".profile",
    "fish": ".config/fish/config.fish",
}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert left() == []


def at_home(home: Path, shell: str, lines: str, **more: str) -> dict[str, str]:
    """The environment in which a desktop starts an app. The shell's start-up file has these lines."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    profile = home / PROFILES[shell]
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text(lines)
    return {"HOME": str(home), "SHELL": found, "PATH": SYSTEM, **more}


def running(token: str) -> list[int]:
    return [one.pid for one in psutil.process_iter(["cmdline"]) if token in (one.info["cmdline"] or ())]


def path_of(environ: Mapping[str, str], setting: str = "auto") -> str | None:
    async def known() -> str | None:
        path = CommandPath(lambda: setting, environ)
        assert path.value() in (None, setting)
        try:
            await path.known()
            return path.value()
        finally:
            if path._asking is not None:
                await path._asking

    return asyncio.run(known())


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        ("bash", "export PATH=$HOME/bin:$PATH\n"),
        ("bash", "case $- in *i*) export PATH=$HOME/bin:$PATH;; esac\n"),
        ("zsh", "export PATH=$HOME/bin:$PATH\n"),
        ("dash", "PATH=$HOME/bin:$PATH\nexport PATH\n"),
        ("fish", "set -gx PATH $HOME/bin $PATH\n"),
    ],
)
def test_the_login_shell_s_path_is_taken(tmp_path: Path, shell: str, lines: str) -> None:
    found = path_of(at_home(tmp_path, shell, lines))
    assert found is not None
    entries = found.split(":")
    assert f"{tmp_path}/bin" in entries
    assert entries.index(f"{tmp_path}/bin") < entries.index("/usr/bin")
    assert set(SYSTEM.split(":")) <= set(entries)


def test_only_what_stands_between_the_marks_counts(tmp_path: Path) -> None:
    lines = (
        "set -x\necho PATH=/elsewhere\nhead -c 200000 /dev/zero | tr '\\0' x >&2\nprintf '\\0 no line end'\n"
        "export PATH=relative:$HOME/bin:/usr/bin::.\ntrap 'echo bye; echo /late' EXIT\n"
    )
    found = path_of(at_home(tmp_path, "bash", lines))
    assert found == f"{tmp_path}/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def test_it_gets_the_clean_environment_and_no_terminal(tmp_path: Path) -> None:
    lines = "env >$HOME/seen\n(tty; read x </dev/tty) >>$HOME/tty 2>&1\nread x && echo said >>$HOME/tty\n"
    environ = at_home(tmp_path, "bash", lines, OPENAI_API_KEY="sk-canary", OTHER="other")
    assert path_of(environ) is not None
    seen = (tmp_path / "seen").read_text().splitlines()
    assert "ASTER_RESOLVING_PATH=1" in seen
    assert not [line for line in seen if "canary" in line or line.startswith("OTHER=")]
    assert "not a tty" in (tmp_path / "tty").read_text()
    assert "said" not in (tmp_path / "tty").read_text()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("sleep {token}\n", "did not answer within"),
        ("trap '' TERM\nsleep {token} & (setsid sleep {token} &)\nwhile :; do sleep 0.1; done\n", "did not answer"),
        ("exit 3\n", "ended before it could be asked"),
        ("exec true\n", "ended before it could be asked"),
        ("yes\n", "wrote too much output"),
        ("export PATH=$'/a\\n/b'\n", "not a PATH"),
        ("export PATH=relative\n", "has no PATH"),
    ],
)
def test_a_shell_that_gives_no_path_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, lines: str, reason: str
) -> None:
    token = f"{uuid.uuid4().int % 10**9 + 10**9}"
    if "{token}" in lines:
        monkeypatch.setattr(login_path, "ASK_S", 0.5)
    environ = at_home(tmp_path, "bash", lines.format(token=token))
    with caplog.at_level(logging.WARNING):
        assert path_of(environ) is None
    assert reason in caplog.text
    assert running(token) == []


def test_what_a_start_up_file_leaves_behind_is_ended(tmp_path: Path) -> None:
    token = f"{uuid.uuid4().int % 10**9 + 10**9}"
    assert path_of(at_home(tmp_path, "bash", f"setsid sleep {token} &\n")) is not None
    assert running(token) == []


def test_closing_ends_the_shell_that_is_asked(tmp_path: Path) -> None:
    environ = at_home(tmp_path, "bash", "touch $HOME/begun\nsleep 1000\n")

    async def closed() -> None:
        path = CommandPath(lambda: "auto", environ)
        path.begin()
        await until((tmp_path / "begun").exists)
        await path.close()
        assert left() == []
        await path.known()  # no task waits for it any more

    asyncio.run(closed())


def test_it_is_asked_once(tmp_path: Path) -> None:
    environ = at_home(tmp_path, "bash", "echo >>$HOME/asked\nexport PATH=/first:$PATH\n")

    async def twice() -> None:
        path = CommandPath(lambda: "auto", environ)
        await asyncio.gather(path.known(), path.known())
        await path.known()
        assert (path.value() or "").startswith("/first:")
        await path.close()

    asyncio.run(twice())
    assert (tmp_path / "asked").read_text() == "\n"


@pytest.mark.parametrize(
    ("setting", "more", "asked"),
    [
        ("auto", {}, True),
        ("auto", {"TERM": "dumb"}, True),
        ("auto", {"TERM": "xterm-256color"}, False),
        ("login", {"TERM": "xterm-256color"}, True),
        ("inherit", {}, False),
        ("/opt/bin:/usr/bin", {}, False),
        ("login", {"SHELL": ""}, False),
        ("login", {"SHELL": "bash"}, False),
        ("login", {"SHELL": "/usr/sbin/nologin"}, False),
        ("login", {"SHELL": "/missing/bash"}, False),
        ("login", {"HOME": ""}, False),
        ("login", {"HOME": "/missing"}, False),
    ],
)
def test_when_the_login_shell_is_asked(tmp_path: Path, setting: str, more: dict[str, str], asked: bool) -> None:
    environ = at_home(tmp_path, "bash", f"touch {tmp_path}/asked\nexport PATH=/first:$PATH\n") | more
    found = path_of(environ, setting)
    assert (tmp_path / "asked").exists() == asked
    expected = "/first:" if asked else setting if setting.startswith("/") else None
    assert (found or "").startswith(expected or "")
    assert (found is None) == (expected is None)


def test_shells_that_are_none_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / "bash").write_text("#!/bin/sh\n")
    assert login_shell({"HOME": str(tmp_path), "SHELL": str(tmp_path / "bash")}) is None
    assert login_shell({"HOME": str(tmp_path), "SHELL": sys.executable}) is None


def test_both_paths_are_kept_each_entry_once() -> None:
    assert merged("/a:/b:.:/a:", "/c:/b:rel") == "/a:/b:/c"


def test_programs_get_the_path_that_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_tree.clean_environment({"PATH": "/own"})["PATH"] == "/own"
    monkeypatch.setattr(process_tree.CHOSEN, "path", lambda: "/chosen:relative")
    assert process_tree.clean_environment({"PATH": "/own"})["PATH"] == "/chosen"
