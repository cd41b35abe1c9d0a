"""`chat MESSAGE` in a script: quick in the usual course, and complete where the full chat has to go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.daemon import WAIT_S, Daemon

ROOT = Path(__file__).parents[2]
HEAVY = ("argparse", "asyncio", "dataclasses", "http.client", "httpx", "pydantic", "rich", "typing", "fastapi")
FULL = "aster_sidecar.cli.dispatch"
RUN = f"""
import sys
from aster_sidecar.cli.main import main
code = main()
print("heavy:", *[name for name in {(*HEAVY, FULL)!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""
"""Runs the command, and says which of these modules it imported."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class OneShot:
    """A `chat` that runs, with pipes as stdin and stdout."""

    def __init__(self, daemon: Daemon, *words: str) -> None:
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        environment |= {"HOME": str(daemon.home), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "error", "-c", RUN, "chat", "--data-dir", str(daemon.data_dir), *words]
        self.process = subprocess.Popen(
            command,
            cwd=daemon.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def ended(self) -> tuple[int, str, str]:
        """Exit code, stdout and stderr without the last line, which `imported` has."""
        out, err = self.process.communicate(timeout=WAIT_S * 2)
        *lines, last = [*err.splitlines(keepends=True), ""] if not err.endswith("\n") else err.splitlines(keepends=True)
        self.imported = last.removeprefix("heavy:").split() if last.startswith("heavy:") else []
        return self.process.returncode, out, "".join(lines) if last.startswith("heavy:") else err

    def until_written(self) -> str:
        """Wait for the first characters of the answer, and return them."""
        assert self.process.stdout is not None
        return os.read(self.process.stdout.fileno(), 1).decode()  # past the buffer that `communicate` reads


def text_of(daemon: Daemon) -> str:
    return daemon.history()[-1]["text"]


def slow(daemon: Daemon) -> Daemon:
    """The demo model with pauses between the words of its answers."""
    daemon.config(model="demo")
    return daemon


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_usual_course_imports_nothing_slow(daemon: Daemon, flags: list[str]) -> None:
    one = OneShot(daemon, *flags, "hello")
    code, out, err = one.ended()
    assert (code, err, one.imported) == (0, "", [])
    if flags:
        events = [json.loads(line) for line in out.splitlines()]
        assert [event["type"] for event in events][-1] == "done"
        assert "".join(event["data"]["delta"] for event in events if event["type"] == "text_chunk") == text_of(daemon)
    else:
        assert out == text_of(daemon) + "\n"


def test_a_tool_call_is_named_on_stderr(daemon: Daemon) -> None:
    code, out, err = OneShot(daemon, "list").ended()
    assert code == 0
    assert "list_dir" in err
    assert out == text_of(daemon) + "\n", "notes change nothing on stdout"


def test_an_approval_request_is_shown_once_and_goes_on_waiting(daemon: Daemon) -> None:
    one = OneShot(daemon, "write hello.txt")
    code, out, err = one.ended()
    assert (code, out) == (7, text_of(daemon) + "\n")
    assert err.count("This is waiting for you: write ") == 1
    assert FULL in one.imported
    assert len(daemon.history()) == 2, "the message was sent once"


def test_the_full_chat_goes_on_after_the_daemon_was_killed(daemon: Daemon) -> None:
    slow(daemon)
    one = OneShot(daemon, "long")
    begun = one.until_written()
    daemon.kill()
    time.sleep(1.5)  # as long as an app may take to see it
    daemon.start()
    code, rest, err = one.ended()
    assert code == 1, err
    kept = text_of(daemon)
    assert begun + rest == kept + "\n", "each character once, and nothing after what is recorded"
    assert "the daemon stopped while this was being answered" in err
    assert len([message for message in daemon.history() if message["role"] == "user"]) == 1


def test_ctrl_c_cancels_the_turn(daemon: Daemon) -> None:
    slow(daemon)
    one = OneShot(daemon, "long")
    begun = one.until_written()
    one.process.send_signal(signal.SIGINT)
    code, rest, err = one.ended()
    assert (code, FULL in one.imported) == (1, True)
    assert begun + rest == text_of(daemon) + "\n"
    assert err.startswith("Stopping…")
    assert daemon.history()[-1]["status"] == "cancelled"


def test_a_signal_ends_it_with_its_exit_code_and_the_turn_goes_on(daemon: Daemon) -> None:
    slow(daemon)
    one = OneShot(daemon, "long")
    begun = one.until_written()
    one.process.terminate()
    code, rest, _ = one.ended()
    assert code == 128 + signal.SIGTERM
    assert (begun + rest).endswith("\n"), "the line on stdout is complete"
    assert daemon.status()["state"] == "running"
    with daemon.watch() as watcher:
        daemon.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done")
    assert text_of(daemon).startswith((begun + rest)[:-1])


def test_a_message_behind_another_says_that_it_waits(daemon: Daemon) -> None:
    slow(daemon)
    with daemon.watch() as watcher:
        daemon.chat("think")
        watcher.until("message_added", 2)
        one = OneShot(daemon, "hello")
        code, out, err = one.ended()
    assert (code, FULL in one.imported) == (0, True)
    assert "queue" in err.lower()
    assert out.endswith(text_of(daemon) + "\n")


def test_a_daemon_that_does_not_answer_is_reported(daemon: Daemon) -> None:
    state = daemon.data_dir / "sidecar.json"
    state.write_text(json.dumps(json.loads(state.read_text("utf-8")) | {"url": "http://127.0.0.1:9"}))
    code, out, err = OneShot(daemon, "hello").ended()
    assert (code, out) == (1, "")
    assert "http://127.0.0.1:9" in err


SERVER = {"fastapi", "starlette", "uvicorn", "sse_starlette", "pydantic_ai", "pydantic", "apsw"}
COMMANDS = (
    "sessions list",
    "audit",
    "audit --jsonl --since 2026-01-01",
    "permissions",
    "permissions list --json",
    "mcp",
    "mcp add notes -- no-such-program",
    "mcp import --json",
    "browser",
    "agents",
    "chat --session none hello",
    "trust",
)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_that_talks_to_a_daemon_imports_no_server(daemon: Daemon, words: str) -> None:
    command, *rest = words.split()
    script = RUN.replace(repr((*HEAVY, FULL)), repr(tuple(SERVER)))
    ended = subprocess.run(
        [sys.executable, "-c", script, command, "--data-dir", str(daemon.data_dir), *rest],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=WAIT_S,
    )
    assert ended.stderr.splitlines()[-1] == "heavy:"
