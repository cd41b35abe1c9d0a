"""The environment, the session and the descriptors of a command."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest

from aster_sidecar import frozen
from aster_sidecar.services import process_tree
from aster_sidecar.tools.base import Surroundings
from tests.tools.run_command.support import PYTHON, linux, run


def test_no_secret_and_no_loader_variable_reaches_a_command(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    for name in (
        *("OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ASTER_SIDECAR_TOKEN", "GITHUB_PAT", "DB_PASSWORD", "DATABASE_URL"),
        *("AWS_SESSION_TOKEN", "SSH_AUTH_SOCK", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONHOME"),
        *(
            "NODE_OPTIONS",
            "BASH_ENV",
            "ENV",
            "ANYTHING_ELSE",
            "LD_LIBRARY_PATH_ORIG",
            "GIT_SSH_COMMAND",
            "PROMPT_COMMAND",
        ),
    ):
        monkeypatch.setenv(name, f"/{canary}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{canary}@proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("PATH", f".:relative/{canary}::{os.environ['PATH']}")
    env = run(place, "env; cat /proc/self/environ 2>/dev/null; cat /proc/$PPID/cmdline 2>/dev/null")["stdout"]
    assert canary not in env
    assert f"{process_tree.MARKER}={os.getpid()}:call_1\n" in env
    assert "http_proxy=http://proxy.example:3128\n" in env
    assert f"PWD={place.work_dir}\n" in env


def test_what_the_person_lets_through_reaches_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {
        "AWS_PROFILE": "work",
        "MY_A": "a",
        "MY_B": "b",
        "MY_API_KEY": "a-canary",
        "MY_URL": "https://me:canary@example.com",
        "MY_KEY_FILE": "/home/me/key",
        "OPENAI_API_KEY": "sk-canary",
        "ASTER_SIDECAR_TOKEN": "a-canary-token",
        "OTHER": "other",
        "GIT_PAGER": "delta",
        "HOMEBREW_EDITOR": "code",
        "EDITOR": "code --wait",
        "PATH": "relative:/bin",
    }
    plain = process_tree.clean_environment(environ)
    assert "AWS_PROFILE" not in plain

    def more(*names: str) -> dict[str, str]:
        monkeypatch.setattr(process_tree.CHOSEN, "names", lambda: names)
        env = process_tree.clean_environment(environ)
        return {name: value for name, value in env.items() if plain.get(name) != value}

    assert more() == {}
    assert more("AWS_PROFILE", "MISSING") == {"AWS_PROFILE": "work"}
    assert more("MY_*") == {"MY_A": "a", "MY_B": "b", "MY_KEY_FILE": "/home/me/key"}
    assert more("*_API_*", "ASTER_*", "PATH", "*TOKEN") == {}
    assert more("OPENAI_API_KEY", "MY_API_KEY") == {"OPENAI_API_KEY": "sk-canary", "MY_API_KEY": "a-canary"}
    # A pattern does not change a variable that the daemon sets for every command. A name does.
    assert more("*EDITOR", "GIT_*") == {"HOMEBREW_EDITOR": "code"}
    assert more("EDITOR", "GIT_PAGER") == {"EDITOR": "code --wait", "GIT_PAGER": "delta"}


def test_a_packaged_build_gives_the_library_path_back() -> None:
    environ = {
        "LD_LIBRARY_PATH": "/bundle:/usr/local/lib",
        "LD_LIBRARY_PATH_ORIG": "/usr/local/lib",
        "_PYI_ARCHIVE_FILE": "/bundle/aster-desktop",
        "PATH": "/bin",
    }
    frozen.restore(environ, home="/bundle")
    assert environ == {"LD_LIBRARY_PATH": "/usr/local/lib", "PATH": "/bin"}
    frozen.restore(environ, home="/bundle")
    assert "LD_LIBRARY_PATH" not in process_tree.clean_environment(environ)
    assert process_tree.clean_environment(environ, frozen=True)["LD_LIBRARY_PATH"] == "/usr/local/lib"
    environ = {"LD_LIBRARY_PATH": "/bundle"}
    frozen.restore(environ, home="/bundle")
    assert environ == {}
    assert process_tree.clean_environment({}, frozen=True)["PATH"]


@linux
def test_a_command_has_its_own_session_no_input_and_no_descriptor_of_ours(place: Surroundings) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        found = run(
            place, "cat; ls /proc/self/fd | wc -l; cut -d' ' -f6 /proc/$$/stat; echo $$; readlink /proc/self/fd/0"
        )
    finally:
        os.close(read)
        os.close(write)
    count, session, pid, stdin = found["stdout"].split()
    assert (count, session, stdin) == ("4", pid, "/dev/null")


@linux
def test_a_daemon_that_is_not_dumpable_can_run_commands(place: Surroundings) -> None:
    code = (
        "import ctypes, sys; from pathlib import Path\n"
        "from aster_sidecar.tools.base import Surroundings; from tests.tools.support import call\n"
        "assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0\n"
        "work = Path(sys.argv[1])\n"
        "print(call('run_command', Surroundings(work), command='pwd; sleep 1000 &').value)\n"
        "print(call('search_files', Surroundings(work), pattern='x').value)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    argv = [PYTHON, "-c", code, str(place.work_dir)]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=55)
    assert done.returncode == 0, done.stderr
    assert f"'stdout': '{place.work_dir}\\n'" in done.stdout
    assert "1 background process was ended" in done.stdout
