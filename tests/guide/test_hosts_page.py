"""The program in docs/hosts.md runs as it stands, and its calls survive a kill of the daemon."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

from tests.support.daemon import WAIT_S, Daemon, Json

PAGE = (Path(__file__).parent.parent.parent / "docs" / "hosts.md").read_text("utf-8")


@contextlib.contextmanager
def program(daemon: Daemon, path: Path) -> Generator[None, None, None]:
    """The program of the page, while it is registered with the daemon."""
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path.write_text(code)
    running = subprocess.Popen([sys.executable, str(path), f"ws://127.0.0.1:{daemon.port}/ws"])
    try:
        wait_online(daemon)
        yield
    finally:
        running.kill()
        running.wait()


def wait_online(daemon: Daemon) -> None:
    until = time.monotonic() + WAIT_S
    while not any(host["online"] for host in daemon.call("GET", "/api/hosts")):
        assert time.monotonic() < until
        time.sleep(0.05)


def result(daemon: Daemon) -> Json:
    """The result of the tool call in the last answer."""
    [part] = [part for part in daemon.history()[-1]["parts"] if part["type"] == "tool"]
    return part["result"]


def test_the_program_of_the_page_lends_its_tool(daemon: Daemon, tmp_path: Path) -> None:
    with program(daemon, tmp_path / "host.py"):
        [message] = re.findall(r"`(call count_words .*?)`", PAGE)
        daemon.ask(message)
        assert result(daemon) == {"from": "words", "result": 3}
        daemon.restart()
        wait_online(daemon)
        daemon.ask("call count_words " + json.dumps({"text": "four five"}))
        assert result(daemon) == {"from": "words", "result": 2}
