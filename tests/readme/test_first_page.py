"""README's first page, line by line: its own text runs in a copy of the checkout, with the daemon of `make run`.

NOT_RUN has the lines that are not run, with the reason. Each test continues where the one before it stopped, as a
reader does.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support.daemon import Json
from tests.support.seed import Chromium, missing, open_chromium
from tests.support.terminal import Pane

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
WAIT_S = 60.0
SETUP_S = 400.0
PORT = 8080
DEV_PORT = 5173
GARDEN_PORT = 8081
NOT_RUN = {
    "make test": "this is a test of it",
    "OPENAI_API_KEY=…": "needs a key",
    "ANTHROPIC_API_KEY=…": "needs a key",
    "OPENAI_BASE_URL=http://127.0.0.1:8000/v1": "needs a server, tests/flows/test_providers.py has one",
    "aster-sidecar --model ollama:qwen3": "needs Ollama, tests/models/test_local_servers.py has a double",
    "aster-sidecar --model local": "needs a local server, tests/models/test_local_servers.py has one",
}
RUN: set[str] = set()
"""README's commands that the tests have run."""


# -- reading the page --------------------------------------------------------------------------------------------------


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def block(title: str, language: str) -> str:
    """The only fenced block of this language in a section."""
    [found] = re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)
    return found


def commands(text: str) -> list[str]:
    """The commands in the indented blocks, without comments. Lines joined by a backslash are one command."""
    lines = [line[4:] for line in re.sub(r"```.*?```", "", text, flags=re.DOTALL).splitlines() if line[:4] == "    "]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [re.sub(r"\s+# .*", "", line) for line in joined.splitlines()]


def command(start: str) -> str:
    """The first command in README that begins with `start` and has not been run yet."""
    found = [line for line in commands(README) if line.startswith(start) and line not in RUN]
    assert found, f"README has no command that begins with {start!r}"
    RUN.add(found[0])
    return found[0]


# -- what a reader has -------------------------------------------------------------------------------------------------


@dataclass
class Reader:
    """A person with a new copy, separate homes for the daemon's files, and the daemon of `make run`."""

    home: Path
    copied_at: float
    url: str = ""
    said: list[str] = field(default_factory=list[str])
    _running: subprocess.Popen[bytes] | None = None

    @property
    def clone(self) -> Path:
        return self.home / "clone"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASTER_", "MAKE", "MFLAGS"))}
        for name in ("CI", "VIRTUAL_ENV", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
            kept.pop(name, None)
        places = {
            name: str(self.home / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
        }
        return {**kept, **places, "BROWSER": "true %s"}

    def here(self, text: str) -> str:
        """README's text with the daemon's real port: another program may use 8080."""
        return text.replace(f"http://127.0.0.1:{PORT}", self.url) if self.url else text

    def make_run(self, line: str) -> None:
        """Start `make run …` and wait until it says where it listens."""
        with (self.home / "run.txt").open("ab") as terminal:
            self._running = subprocess.Popen(
                line,
                shell=True,
                cwd=self.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        deadline = time.monotonic() + SETUP_S
        before = self.terminal().count("listens on")
        while self.terminal().count("listens on") == before:
            assert self._running.poll() is None, f"`{line}` ended:\n{self.terminal()}"
            assert time.monotonic() < deadline, f"`{line}` is not there yet:\n{self.terminal()}"
            time.sleep(0.05)
        self.url = re.findall(r"listens on (\S+)", self.terminal())[-1]
        assert httpx.get(self.url + "/health", trust_env=False).status_code == 200

    def terminal(self) -> str:
        """The output of `make run`."""
        path = self.home / "run.txt"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def control_c(self) -> None:
        """Send Ctrl-C to `make run`."""
        if self._running is not None:
            os.killpg(self._running.pid, signal.SIGINT)
            self._running.wait(WAIT_S)
            self._running = None

    def sh(self, line: str, within_s: float = WAIT_S) -> str:
        """Run one line of README as a person does. It must succeed; returns its output."""
        ended = subprocess.run(
            ["bash", "-c", line],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=within_s,
        )
        told = (ended.stdout + ended.stderr).decode("utf-8", "replace")
        assert ended.returncode == 0, f"`{line}` ended with {ended.returncode}:\n{told}"
        return told

    def call(self, method: str, path: str, body: Json = None, url: str | None = None) -> Json:
        answer = httpx.request(method, (url or self.url) + path, json=body, trust_env=False, timeout=WAIT_S).json()
        assert answer["success"], answer
        return answer["data"]

    def waiting(self, url: str | None = None) -> Json:
        """The only pending approval."""
        deadline = time.monotonic() + WAIT_S
        while not (found := self.call("GET", "/api/approvals", url=url)):
            assert time.monotonic() < deadline, "no question came"
            time.sleep(0.05)
        [asked] = found
        return asked


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Generator[Reader, None, None]:
    home = tmp_path_factory.mktemp("reader")
    person = Reader(home, time.monotonic())
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (person.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, person.clone / name)
    yield person
    person.control_c()


@pytest.fixture(scope="module")
def chromium() -> Generator[Chromium, None, None]:
    with open_chromium({}) as found:
        yield found


def free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


# -- line by line ------------------------------------------------------------------------------------------------------


def test_make_run_sets_up_says_so_and_answers(reader: Reader) -> None:
    reader.make_run(command("make run"))
    told = reader.terminal()
    print(f"\nfrom the copy to the first /health: {time.monotonic() - reader.copied_at:.1f} s")
    print(told)
    assert "installing" in told, "it must say what it does"
    assert "[1/2]" in told, "it must say how far it is"
    assert "[2/2]" in told
    assert (reader.clone / ".venv" / "bin" / "pip").exists()


def test_the_first_minute_with_curl(reader: Reader) -> None:
    events = reader.home / "events.txt"
    with events.open("wb") as output:
        watch = subprocess.Popen(
            ["bash", "-c", "exec " + reader.here(command("curl -N"))],
            env=reader.environment,
            stdout=output,
            stderr=subprocess.DEVNULL,
        )

    def seen(text: str) -> str:
        deadline = time.monotonic() + WAIT_S
        while text not in events.read_text("utf-8"):
            assert time.monotonic() < deadline, f"no {text} in {events.read_text('utf-8')[-2000:]}"
            time.sleep(0.05)
        return events.read_text("utf-8")

    try:
        seen("event: connected")
        began = time.monotonic()
        assert json.loads(reader.sh(reader.here(command("curl http://127.0.0.1:8080/api/chat")) + " -s"))["success"]
        seen("event: text_chunk")
        print(f"\nfrom the copy to the first answer: {time.monotonic() - reader.copied_at:.1f} s,", end=" ")
        print(f"of which {time.monotonic() - began:.1f} s from the question")
        call_id = json.loads(
            seen("event: approval_required").split("event: approval_required\ndata: ")[1].splitlines()[0]
        )
        call_id = call_id["data"]["call_id"]
        [inline] = re.findall(r"`(curl http://127\.0\.0\.1:8080/api/approvals)`", README)
        assert call_id in reader.sh(reader.here(inline))
        approve = reader.here(command("curl http://127.0.0.1:8080/api/approve")).replace("call_…", call_id)
        assert '"decision":"allow"' in reader.sh(approve).replace(" ", "")
        seen("event: done")
    finally:
        watch.kill()
        watch.wait()
    assert (reader.clone / ".run" / "work" / "hello.txt").read_text("utf-8")


def test_several_answers_come_apart_in_one_event_source(reader: Reader, chromium: Chromium) -> None:
    page = chromium.browser.new_page()
    page.goto(reader.url)
    script = reader.here(block("The first minute", "js"))
    page.evaluate(
        f"""() => {{
            window.shown = {{}}; window.ended = []; window.asked = [];
            const show = (id, text) => {{ shown[id] = text; }};
            const finish = (reason) => ended.push(reason);
            const ask = (question) => asked.push(question);
            {script}
            return new Promise((done) => events.addEventListener('connected', done));
        }}"""
    )
    for count, message in enumerate(("hello", "think", "😀 and 想法"), start=1):
        reader.call("POST", "/api/chat", {"agent_id": "default", "message": message})
        page.wait_for_function(f"() => window.ended.length === {count}", polling=50, timeout=WAIT_S * 1000)
    shown = page.evaluate("() => Object.values(window.shown)")
    history = reader.call("GET", "/api/history?agent_id=default")["messages"]
    answers = [message["text"] for message in history if message["role"] == "assistant"]
    assert shown == answers[-3:]
    assert page.evaluate("() => [window.ended, window.asked]") == [["complete"] * 3, []]
    page.close()


def test_the_configuration_is_changed_by_curl(reader: Reader) -> None:
    assert json.loads(reader.sh(reader.here(command("curl http://127.0.0.1:8080/api/config")) + " -s"))["success"]


def test_the_commands_find_the_daemon_of_make_run(reader: Reader) -> None:
    activate = command(". .venv/bin/activate")
    answer = reader.sh(activate + " && " + command('aster-sidecar chat "'))
    assert "hello.txt" in answer
    assert f"using the daemon that is running for {reader.clone / '.run' / 'data'}" in answer
    doctor = reader.sh(f"{activate} && {command('aster-sidecar doctor')}")
    assert reader.url in doctor
    assert "failed" not in doctor.splitlines()[-1]
    assert "write hello.txt" in reader.sh(f"{activate} && {command('aster-sidecar sessions')}")
    assert "mode:smart_approve" in reader.sh(f"{activate} && {command('aster-sidecar audit')}")
    assert "rule" in reader.sh(f"{activate} && {command('aster-sidecar permissions')}")
    assert "completion" in reader.sh(f"{activate} && {command('aster-sidecar --help')}")
    assert command("aster-sidecar chat") == "aster-sidecar chat"
    places = {name: value for name, value in reader.environment.items() if name.startswith("XDG_")}
    pane = Pane(["chat"], reader.clone, places, package=reader.clone / ".venv" / "bin" / "aster-sidecar")
    try:
        pane.until_prompt()
        assert reader.url in pane.text().replace("\n", "")
    finally:
        pane.close()


def test_a_page_of_another_dev_server(reader: Reader, chromium: Chromium) -> None:
    vite = ROOT / "shells" / "node_modules" / "vite" / "bin" / "vite.js"
    if not vite.exists():
        missing("npm's packages are not installed: make npm, which needs Node")
    subprocess.run(["make", "dist"], cwd=ROOT, check=True, capture_output=True, timeout=SETUP_S)
    app = reader.home / "app"
    app.mkdir()
    (app / "package.json").write_text('{"name": "app", "private": true, "type": "module"}')
    (app / "index.html").write_text(
        '<p id="link"></p><pre id="log"></pre><script type="module" src="/main.js"></script>'
    )
    (app / "main.js").write_text(reader.here(block("In your front end", "js")))
    install = command("npm install").replace("…", str(ROOT))
    assert (ROOT / "dist" / install.rpartition("/")[2]).exists()
    wheels = re.findall(r"`dist/(\S+\.whl)`", section("In your front end"))
    assert [(ROOT / "dist" / wheel).exists() for wheel in wheels] == [True]
    subprocess.run(
        install, shell=True, cwd=app, env=reader.environment, check=True, capture_output=True, timeout=WAIT_S
    )
    port = DEV_PORT if free(DEV_PORT) else DEV_PORT + 4000
    serve = ["node", str(vite), "--port", str(port), "--strictPort", "--clearScreen", "false"]
    with subprocess.Popen(serve, cwd=app, env=reader.environment, stdout=subprocess.DEVNULL) as server:
        try:
            origin = f"http://localhost:{port}"
            page = chromium.browser.new_page()
            deadline = time.monotonic() + WAIT_S
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(origin, trust_env=False)
                    break
                assert time.monotonic() < deadline, "the dev server does not answer"
            page.goto(origin)
            flag = f"--allow-origin {origin}"
            has = "(text) => document.querySelector('#link').textContent.includes(text)"
            page.wait_for_function(has, arg=flag, polling=50, timeout=WAIT_S * 1000)
            assert flag in reader.terminal()
            assert flag in reader.sh(f"curl -s -H 'Origin: {origin}' {reader.url}/health")

            reader.control_c()
            line = command("make run ALLOW_ORIGIN").replace(f"http://localhost:{DEV_PORT}", origin)
            before = reader.url
            reader.make_run(line)
            assert reader.url == before
            page.goto(origin)
            log = "() => /assistant: ./.test(document.querySelector('#log').textContent)"
            page.wait_for_function(log, polling=50, timeout=WAIT_S * 1000)
            assert page.text_content("#link") == "connected"
            page.close()
        finally:
            server.terminate()


def test_garden_py_runs_beside_it(reader: Reader) -> None:
    (reader.clone / "garden.py").write_text(block("Your own agent, your own tool", "python"))
    line = command(".venv/bin/python garden.py")
    port = GARDEN_PORT if free(GARDEN_PORT) else GARDEN_PORT + 2000
    with subprocess.Popen(
        ["sh", "-c", "exec " + line.replace(str(GARDEN_PORT), str(port))],
        cwd=reader.clone,
        env=reader.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as garden:
        try:
            assert garden.stdout is not None
            assert f"listens on http://127.0.0.1:{port}" in garden.stdout.readline().decode()
            [message] = re.findall(r"say `(call water [^`]+)`", section("Your own agent, your own tool"))
            url = f"http://127.0.0.1:{port}"
            reader.call("POST", "/api/config", {"model": "demo:instant"}, url)
            reader.call("POST", "/api/chat", {"agent_id": "gardener", "message": message}, url)
            asked = reader.waiting(url)
            answer = {"agent_id": "gardener", "call_id": asked["call_id"], "decision": "allow"}
            reader.call("POST", "/api/approve", answer, url)
            deadline = time.monotonic() + WAIT_S
            while "the fern has had 0.5 l" not in str(reader.call("GET", "/api/history?agent_id=gardener", None, url)):
                assert time.monotonic() < deadline, "the tool has not run"
                time.sleep(0.05)
            found = reader.sh(". .venv/bin/activate && aster-sidecar agents")
            assert "gardener" in found, "the commands find the daemon of the usual data directory"
        finally:
            garden.terminate()


def test_nothing_on_the_page_was_left_out() -> None:
    left = [line for line in commands(README) if line not in RUN and not line.startswith(tuple(NOT_RUN))]
    assert left == []
