"""Programs that ask a person: no editor, pager or prompt waits for an answer."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aster_sidecar.tools.base import Surroundings
from tests.tools.run_command.support import PYTHON, run
from tests.tools.support import call

WAITS = "#!/bin/sh\ntouch asked\nexec sleep 600\n"


@pytest.fixture
def repository(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """A git repository with two commits. Each program by which git could ask a person creates `asked` and waits."""
    waiting = place.work_dir / "waits"
    waiting.write_text(WAITS)
    waiting.chmod(0o755)
    for name in ("GIT_EDITOR", "EDITOR", "VISUAL", "GIT_SEQUENCE_EDITOR", "PAGER", "SSH_ASKPASS", "GIT_ASKPASS"):
        monkeypatch.setenv(name, str(waiting))
    monkeypatch.setenv("HOME", str(place.work_dir))
    set_up = ["git init -q .", "git config user.name Ada", "git config user.email ada@example.com"]
    keys = ("core.editor", "sequence.editor", "core.pager", "core.askPass")
    set_up += [f"git config {key} '{waiting}'" for key in keys]
    set_up += ["git commit -q --allow-empty -m first", "git commit -q --allow-empty -m second"]
    assert run(place, " && ".join(set_up))["exit_code"] == 0
    return place


@pytest.mark.skipif(shutil.which("git") is None, reason="runs git")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("git commit --allow-empty", 1, "Aborting commit due to empty commit message."),
        ("git commit --allow-empty --amend && git log -1 --format=%s", 0, "second"),
        ("git rebase -i HEAD~1 && git log -1 --format=%s", 0, "second"),
        ("git tag -a v1", 128, "no tag message?"),
        ("git config -e", 0, ""),
        ("git checkout -q -b side HEAD~1 && git commit -q --allow-empty -m x && git merge - && git log -1 --format=%s",
         0, "Merge branch"),
        ("git revert HEAD 2>&1; git log -1 --format=%s", 0, "second"),
        ("git log", 0, "first"),
    ],
)  # fmt: skip
def test_git_neither_opens_an_editor_nor_a_pager(repository: Surroundings, command: str, code: int, said: str) -> None:
    found = run(repository, command, timeout_s=60)
    assert (found["timed_out"], found["exit_code"]) == (False, code)
    assert said in found["stdout"] + found["stderr"]
    assert not (repository.work_dir / "asked").exists(), "git started a program that asks a person"


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.mark.skipif(shutil.which("git") is None, reason="runs git")
def test_git_says_that_it_cannot_ask_for_a_password(repository: Surroundings) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = run(repository, f"git ls-remote http://127.0.0.1:{server.server_port}/x", timeout_s=60)
        server.shutdown()
    assert (found["timed_out"], found["exit_code"]) == (False, 128)
    assert "terminal prompts disabled" in found["stderr"]
    assert not (repository.work_dir / "asked").exists(), "git started a program that asks a person"


@pytest.mark.skipif(os.name != "posix", reason="a terminal device")
@pytest.mark.parametrize(
    ("command", "stdout"),
    [
        ("read x </dev/tty; echo \"[$x]\"", "[]\n"),
        ("read x; echo \"[$x]\"", "[]\n"),
        ("$EDITOR file && $VISUAL file && echo kept | $PAGER", "kept\n"),
        ("echo asked >/dev/tty; echo $?", None),
    ],
)  # fmt: skip
def test_a_question_on_the_terminal_is_answered_by_nobody(
    place: Surroundings, command: str, stdout: str | None
) -> None:
    import pty

    # The process of the test gets a controlling terminal, as a daemon has that was started in one.
    main, terminal = pty.openpty()
    code = (
        "import fcntl, os, sys, termios; from pathlib import Path\n"
        "os.setsid(); fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0); open('/dev/tty').close()\n"
        "from aster_sidecar.tools.base import Surroundings; from tests.tools.support import call\n"
        "import json; print(json.dumps(call('run_command', Surroundings(Path(sys.argv[2])), command=sys.argv[3],"
        " timeout_s=60).value))\n"
    )
    try:
        done = subprocess.run(
            [PYTHON, "-c", code, str(terminal), str(place.work_dir), command],
            stdin=terminal,
            capture_output=True,
            text=True,
            pass_fds=[terminal],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            timeout=55,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert not found["timed_out"]
        assert stdout is None or found["stdout"] == stdout
        assert ("/dev/tty" in command) == ("/dev/tty" in found["stderr"])
        assert select.select([main], [], [], 0)[0] == [], "the command wrote to the terminal"
    finally:
        os.close(main)
        os.close(terminal)


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("vim") is None, reason="needs vim, and /proc")
@pytest.mark.parametrize("command", ["vim -u NONE file; echo over", "git difftool -y -x 'vimdiff -u NONE'"])
def test_an_editor_that_waits_for_keys_is_ended(repository: Surroundings, command: str) -> None:
    (repository.work_dir / "file").write_text("a\n")
    call("run_command", repository, command="git add file; echo more >>file")
    found = call("run_command", repository, command=command, timeout_s=600).value
    assert not found["timed_out"]
    assert "was ended: it waited for key presses, which a command never gets" in found["note"]
    assert ("over" in found["stdout"]) == ("over" in command)


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("vim") is None, reason="needs vim, and /proc")
def test_an_editor_that_is_told_what_to_do_is_left_alone(repository: Surroundings) -> None:
    command = "vim -u NONE -es -c '%s/^/x/' -c 'sleep 3' -c wq file; cat file"
    (repository.work_dir / "file").write_text("a\n")
    found = call("run_command", repository, command=command, timeout_s=600).value
    assert (found["exit_code"], found["stdout"], found["note"]) == (0, "xa\n", "")


@pytest.mark.skipif(shutil.which("ssh") is None, reason="runs ssh")
def test_ssh_asks_nobody(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = place.work_dir / "waits"
    waiting.write_text(WAITS)
    waiting.chmod(0o755)
    monkeypatch.setenv("DISPLAY", ":99")
    key = "ssh-keygen -q -t ed25519 -N secret-words -f key"
    # ssh-keygen needs the passphrase of that key to show the public key.
    found = run(place, f"{key} && SSH_ASKPASS=$PWD/waits ssh-keygen -y -f key", timeout_s=60)
    assert not found["timed_out"]
    assert found["exit_code"] != 0
    assert not (place.work_dir / "asked").exists(), "ssh-keygen started a program that asks a person"
