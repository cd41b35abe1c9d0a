"""Keys and the token: after the start no process can read them from where they were given, and they still work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import provider_environment
from tests.support.daemon import Daemon, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
CANARY = "canary-of-the-environment"
READS = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a -c canary-of-the-env"


@linux
def test_nobody_s_environment_has_them_after_the_start(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    environment = {
        **provider_environment(provider),
        "OPENAI_API_KEY": f"sk-{CANARY}",
        "GITHUB_PAT": CANARY,
        "HTTPS_PROXY": f"http://me:{CANARY}@127.0.0.1:1",
        "XAUTHORITY": "/home/me/.Xauthority",
        "NO_PROXY": "127.0.0.1",
    }
    daemon = launch(environment=environment, token=f"token-{CANARY}", cold=True)
    daemon.config(permission_mode="auto_approve")
    provider.script(Reply([Call("run_command", {"command": f"{READS}; sleep 0.2"})]), Reply([Say("Seen.")]))
    assert text_of(daemon.ask("look")) == "Seen."
    assert '"stdout":"0\\n"' in json.dumps(provider.requests[-1].tool_results).replace("\\\\", "\\").replace('\\"', '"')
    assert provider.requests[-1].headers["authorization"] == f"Bearer sk-{CANARY}"
    assert daemon.process is not None
    family = [psutil.Process(daemon.process.pid), *psutil.Process(daemon.process.pid).children(recursive=True)]
    assert len(family) >= 2
    for one in family:
        told = Path(f"/proc/{one.pid}/environ").read_bytes() if os.geteuid() == 0 else b""
        assert CANARY.encode() not in told
    if os.geteuid() == 0:
        assert b"XAUTHORITY=/home/me/.Xauthority" in Path(f"/proc/{daemon.process.pid}/environ").read_bytes()


CHILD = """
import os, subprocess, sys
from aster_sidecar.daemon.own_environment import hide
hidden = hide()
print(sorted(hidden))
print(os.environ["MY_API_KEY"], os.environ["GITHUB_TOKEN"])
seen = subprocess.run(["env"], capture_output=True, text=True).stdout
print("canary" in seen, "PLAIN=plain" in seen, "SSH_AUTH_SOCK=/run/agent" in seen)
print("canary" in subprocess.run(["env"], capture_output=True, text=True, env=dict(os.environ)).stdout)
if sys.platform == "linux":
    print(b"canary" in open("/proc/self/environ", "rb").read())
"""


@pytest.mark.skipif(os.name != "posix", reason="runs env")
def test_own_code_still_reads_them_and_what_it_starts_does_not_inherit_them() -> None:
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "MY_API_KEY": "a-canary-1",
        "GITHUB_TOKEN": "a-canary-2",
        "PLAIN": "plain",
        "SSH_AUTH_SOCK": "/run/agent",
        "MONKEY": "short",
    }
    done = subprocess.run([sys.executable, "-c", CHILD], env=given, capture_output=True, text=True, timeout=60)
    hidden, kept, inherited, passed, *proc = done.stdout.splitlines()
    assert hidden == "['GITHUB_TOKEN', 'MY_API_KEY']"
    assert kept == "a-canary-1 a-canary-2"
    assert inherited == "False True True"
    assert passed == "True"
    assert proc in ([], ["False"])


@linux
def test_a_variable_that_was_given_twice_is_gone_twice(tmp_path: Path) -> None:
    # Only execve can pass a variable twice.
    (tmp_path / "child.py").write_text(CHILD)
    source = tmp_path / "twice.py"
    source.write_text(
        "import ctypes, sys\n"
        "libc = ctypes.CDLL(None)\n"
        "argv = (ctypes.c_char_p * 3)(sys.executable.encode(), sys.argv[1].encode(), None)\n"
        "given = ['MY_API_KEY=a-canary-1', 'MY_API_KEY=a-canary-2', 'GITHUB_TOKEN=a-canary-3', *sys.argv[2:]]\n"
        "given = [*(one.encode() for one in given), None]\n"
        "libc.execve(sys.executable.encode(), argv, (ctypes.c_char_p * len(given))(*given))\n"
    )
    keep = [f"{name}={os.environ[name]}" for name in ("PATH", "HOME") if name in os.environ]
    keep.append(f"PYTHONPATH={Path(__file__).parent.parent.parent}")
    argv = [sys.executable, str(source), str(tmp_path / "child.py"), *keep]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "False", done.stderr
