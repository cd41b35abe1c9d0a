"""A real terminal for tests: a program in a tmux pane, its keys, and what a person would see."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

WAIT_S = 30.0
ROOT = Path(__file__).parent.parent.parent


def need_tmux() -> None:
    """Skip with a reason if tmux is missing; fail where CI=true."""
    if shutil.which("tmux") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("tmux is not installed: scripts/system-packages.sh brings it")
        pytest.skip("tmux is not installed")


class Pane:
    """One program in one pane of a separate tmux server."""

    def __init__(
        self,
        arguments: list[str],
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        columns: int = 90,
        rows: int = 30,
        package: Path | None = None,
    ) -> None:
        need_tmux()
        self._server = f"aster-test-{uuid.uuid4().hex[:8]}"
        program = [sys.executable, "-W", "error", "-m", "aster_sidecar"] if package is None else [str(package)]
        variables = {"ASTER_MODEL": "demo:instant", "EDITOR": "", "VISUAL": ""}
        variables |= {"PYTHONPATH": str(ROOT)} if package is None else {}
        variables |= dict(environment or {})
        command = " ".join(
            [
                "env",
                "-u ASTER_SIDECAR_TOKEN" if "ASTER_SIDECAR_TOKEN" not in variables else "",
                *(f"{name}={shlex.quote(value)}" for name, value in variables.items()),
                *map(shlex.quote, [*program, *arguments]),
            ]
        )
        # The pane stays when the program has exited, and shows the exit code.
        script = f'trap : INT; {command}; echo "exit code $?."; exec sleep 600'
        size = ["-x", str(columns), "-y", str(rows)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, "-s", "t", "-c", str(cwd), "sh", "-c", script)
        self._tmux("set-option", "-t", "t", "history-limit", "20000")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._server, *words],
            capture_output=True,
            check=True,
            timeout=50,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        )
        return done.stdout.decode("utf-8", "replace")

    def screen(self) -> str:
        """What the window shows."""
        return self._tmux("capture-pane", "-p", "-t", "t")

    def text(self) -> str:
        """All text, including what has scrolled away, with wrapped lines joined."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-", "-t", "t")

    def raw(self) -> str:
        """The text with the escape sequences for its colours."""
        return self._tmux("capture-pane", "-p", "-e", "-S", "-", "-t", "t")

    def type(self, text: str) -> None:
        """Type letters, and Enter."""
        self._tmux("send-keys", "-t", "t", "-l", text)
        self.key("Enter")

    def key(self, *names: str) -> None:
        self._tmux("send-keys", "-t", "t", *names)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    def until(self, wanted: str | Callable[[str], object], within_s: float = WAIT_S) -> str:
        """Wait until the text contains `wanted`, or meets it. Returns all text."""
        deadline = time.monotonic() + within_s
        while True:
            text = self.text()
            if wanted(text) if callable(wanted) else wanted in text:
                return text
            if time.monotonic() > deadline:
                raise AssertionError(f"never came: {wanted!r}\n{text}")
            time.sleep(0.05)

    def until_prompt(self, count: int = 1) -> str:
        """Wait until the prompt for a message is the last line, for the `count`th time."""
        return self.until(
            lambda text: len(re.findall(r"^›", text, re.MULTILINE)) >= count and last(text).startswith("›")
        )

    def exit_code(self) -> int:
        """Wait until the program has exited. Returns its exit code."""
        said = re.compile(r"exit code (\d+)\.")
        found = said.search(self.until(said.search))
        assert found is not None
        return int(found[1])

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._server, "kill-server"], capture_output=True, check=False, timeout=50)


def last(text: str) -> str:
    """The last line that is not empty."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
