"""The real daemon for tests: its own process, a real socket, a real store; and a client that speaks raw wire JSON."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from tests.support.forkserver import ForkedProcess, ForkServer
from tests.support.held import HeldPort

Json: TypeAlias = Any
DAEMON = ("-m", "aster_sidecar")
START_S = 30.0
WAIT_S = 30.0


class Refused(AssertionError):
    """The daemon answered with an error envelope where the test wanted data."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status} {json.dumps(body)[:500]}")
        self.status = status
        self.body = body
        self.code: str = body.get("code", "")


@dataclass
class Daemon:
    """A daemon that can be started, killed and started again with the same directory."""

    home: Path
    framework: str = "web"
    arguments: list[str] = field(default_factory=list[str])
    environment: dict[str, str] = field(default_factory=dict[str, str])
    token: str | None = None
    port: int = 0
    program: tuple[str, ...] = DAEMON
    package: Path | None = None
    """The frozen daemon to start, instead of `program` with this Python."""
    cold: bool = False
    """Start a new Python process, as an app does: for tests of the start itself, or of /proc of the process."""
    process: subprocess.Popen[bytes] | ForkedProcess | None = None
    url: str = ""
    _held: HeldPort | None = field(default=None, init=False, repr=False)

    @property
    def data_dir(self) -> Path:
        return self.home / "data"

    @property
    def work_dir(self) -> Path:
        return self.home / "work"

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    @property
    def log(self) -> str:
        path = self.home / "stderr.txt"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def start(self) -> Daemon:
        """Start it and wait until /health answers."""
        self.work_dir.mkdir(parents=True, exist_ok=True)
        if self.port == 0 and HeldPort.possible():
            self._held = HeldPort()
            self.port = self._held.port
        environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR") if name in os.environ
        }
        environment["ASTER_MODEL"] = "demo:instant"
        environment["XDG_STATE_HOME"] = str(self.state_dir)  # running daemons are listed there
        if self.package is None:
            environment["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)
        environment |= self.environment
        if self.token is not None:
            environment["ASTER_SIDECAR_TOKEN"] = self.token
        flags = ["--framework", self.framework, "--port", str(self.port), "--data-dir", str(self.data_dir)]
        flags += self.arguments
        with open(self.home / "stderr.txt", "ab") as stderr:
            if self._forks():
                self.process = ForkServer.shared().start(flags, self.work_dir, environment, stderr)
            else:
                program = [sys.executable, "-W", "error", *self.program] if self.package is None else [self.package]
                self.process = subprocess.Popen(
                    [*program, *flags], cwd=self.work_dir, env=environment, stdout=subprocess.PIPE, stderr=stderr
                )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if "listens on http://" not in line:
            self.process.wait(START_S)
            self._close()
            raise AssertionError(f"the daemon did not start: exit {self.process.returncode}\n{line}{self.log}")
        self.url = line.split("listens on ")[1].split()[0]
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def _forks(self) -> bool:
        """Whether the fork server can start it: the plain daemon, without variables for Python or the loader."""
        plain = not any(name.startswith(("PYTHON", "LD_")) for name in self.environment)
        return ForkServer.possible() and not self.cold and self.package is None and self.program == DAEMON and plain

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)
        self._close()

    def stop(self, within_s: float = WAIT_S) -> int:
        """Send SIGTERM. Returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(within_s)
        finally:
            self._close()

    def _close(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def restart(self) -> Daemon:
        """kill -9, then start again."""
        self.kill()
        return self.start()

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}

    # -- calls -----------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, /, body: Json = None, **parameters: Any) -> Json:
        """One REST call; returns `data`. Raises: Refused."""
        status, answer = self.raw(method, path, body, **parameters)
        if not answer.get("success"):
            raise Refused(status, answer)
        return answer["data"]

    def raw(self, method: str, path: str, /, body: Json = None, **parameters: Any) -> tuple[int, Json]:
        """One REST call. Returns the status and the complete JSON answer."""
        # Without certificates: loading them takes 15 ms, and this connection does not need them.
        with httpx.Client(trust_env=False, verify=False, timeout=WAIT_S) as client:
            answer = client.request(
                method,
                self.url + path,
                json=body,
                params={name: value for name, value in parameters.items() if value is not None},
                headers=self.headers(),
            )
        return answer.status_code, answer.json()

    def refused(self, method: str, path: str, /, body: Json = None, **parameters: Any) -> Refused:
        """One REST call that must be refused."""
        try:
            data = self.call(method, path, body, **parameters)
        except Refused as refusal:
            return refusal
        raise AssertionError(f"{method} {path} was answered: {json.dumps(data)[:300]}")

    def chat(self, message: str, agent_id: str = "default", **fields: Any) -> Json:
        return self.call("POST", "/api/chat", {"agent_id": agent_id, "message": message, **fields})

    def approve(self, call_id: str, decision: str = "allow", agent_id: str = "default", **fields: Any) -> Json:
        body = {"agent_id": agent_id, "call_id": call_id, "decision": decision, **fields}
        return self.call("POST", "/api/approve", body)

    def answer(self, question_id: str, answers: Json = None, **fields: Any) -> Json:
        given = {"answers": answers} if answers is not None else {}
        return self.call("POST", "/api/answer", {"question_id": question_id, **given, **fields})

    def history(self, agent_id: str = "default", **parameters: Any) -> list[Json]:
        return self.call("GET", "/api/history", None, agent_id=agent_id, **parameters)["messages"]

    def status(self, agent_id: str = "default", **parameters: Any) -> Json:
        return self.call("GET", "/api/status", None, agent_id=agent_id, **parameters)

    def config(self, **values: Any) -> Json:
        return self.call("POST", "/api/config", values)

    def tool(self, name: str) -> Json:
        """A tool from the list. An MCP server lists its tools in the background, so wait for it."""
        deadline = time.monotonic() + WAIT_S
        while True:
            found = {tool["name"]: tool for tool in self.call("GET", "/api/tools")}
            if name in found:
                return found[name]
            assert time.monotonic() < deadline, f"{name} never came: {sorted(found)}\n{self.log}"
            time.sleep(0.05)

    @contextlib.contextmanager
    def watch(self, after: int | None = None, **parameters: Any) -> Generator[Watcher, None, None]:
        """An open event stream, which has already sent `connected`."""
        watcher = Watcher(self, after, parameters)
        try:
            yield watcher
        finally:
            watcher.close()

    def ask(self, message: str, **fields: Any) -> list[Json]:
        """Send a message and wait for the turn's end. Returns the events of the turn."""
        with self.watch() as watcher:
            turn_id = self.chat(message, **fields)["turn_id"]
            return [event for event in watcher.until("done", turn_id=turn_id) if event["turn_id"] == turn_id]


def lines(pieces: Iterable[str]) -> Iterator[str]:
    """The lines of an event stream. httpx would also split at U+2028 and other separators."""
    rest = ""
    for piece in pieces:
        *ended, rest = (rest + piece).split("\n")
        yield from (line.removesuffix("\r") for line in ended)


class Watcher:
    """A stream that is read in a thread. `events` are the events so far, without `connected` and heartbeats."""

    def __init__(self, daemon: Daemon, after: int | None, parameters: Mapping[str, Any]) -> None:
        self._queue: queue.Queue[Json] = queue.Queue()
        self.events: list[Json] = []
        self.frames: list[dict[str, str]] = []
        self._client = httpx.Client(trust_env=False, verify=False, timeout=httpx.Timeout(WAIT_S, read=None))
        query = {**parameters, **({"after": after} if after is not None else {})}
        request = self._client.build_request("GET", daemon.url + "/api/events", params=query, headers=daemon.headers())
        self._response = self._client.send(request, stream=True)
        assert self._response.status_code == 200, self._response.read()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.connected = self._next(WAIT_S)
        assert self.connected["type"] == "connected", self.connected

    def _read(self) -> None:
        frame: dict[str, str] = {}
        try:
            for line in lines(self._response.iter_text()):
                if line:
                    name, _, value = line.partition(": ")
                    frame[name] = value
                elif "data" in frame:
                    self.frames.append(frame)
                    self._queue.put(json.loads(frame["data"]))
                    frame = {}
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError):
            pass
        self._queue.put(None)

    def _next(self, within_s: float) -> Json:
        try:
            return self._queue.get(timeout=within_s)
        except queue.Empty:
            kinds = [event["type"] for event in self.events[-20:]]
            raise AssertionError(f"nothing came within {within_s:g} s; last seen: {kinds}") from None

    def next(self, within_s: float = WAIT_S) -> Json:
        """The next event. Raises: AssertionError when none comes, EOFError when the stream ended."""
        while True:
            event = self._next(within_s)
            if event is None:
                raise EOFError("the stream ended")
            if event["type"] != "heartbeat":
                self.events.append(event)
                return event

    def until(self, kind: str, count: int = 1, within_s: float = WAIT_S, **fields: Any) -> list[Json]:
        """Read until `count` events of this kind came, with `fields` in envelope or data. Returns all events so far."""
        deadline = time.monotonic() + within_s
        seen = 0
        while seen < count:
            event = self.next(max(0.01, deadline - time.monotonic()))
            seen += event["type"] == kind and all(
                event.get(name, event["data"].get(name)) == value for name, value in fields.items()
            )
        return list(self.events)

    def of(self, kind: str) -> list[Json]:
        return [event for event in self.events if event["type"] == kind]

    def ended(self, within_s: float = WAIT_S) -> bool:
        """Whether the stream ends within the time."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                self.next(max(0.01, deadline - time.monotonic()))
            except EOFError:
                return True
            except AssertionError:
                return False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_S)
        self._response.close()
        self._client.close()


def text_of(events: list[Json], message_id: str | None = None) -> str:
    """The text of a client that applies chunks by their offset, in code points."""
    text: list[str] = []
    for event in events:
        if event["type"] == "text_chunk" and message_id in (None, event["data"]["message_id"]):
            offset = event["data"]["offset"]
            assert offset <= len(text), f"a hole before offset {offset}: have {len(text)}"
            text[offset : offset + len(event["data"]["delta"])] = event["data"]["delta"]
    return "".join(text)
