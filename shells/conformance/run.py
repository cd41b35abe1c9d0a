#!/usr/bin/env python3
"""Runs the scenarios against a shell's supervisor, through its driver: `run.py [options] -- DRIVER [ARGUMENT ...]`.

README.md describes the commands of a driver and the fields of a scenario. Needs only the standard library; runs on
Linux and macOS.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
FAKE = HERE / "fake_sidecar.py"
WAIT_S = 60.0
"""The longest wait for anything, in seconds; `--wait-s` sets it."""
TIMING = {
    "start_timeout_ms": 50_000,
    "health_interval_ms": 100,
    "health_timeout_ms": 10_000,
    "health_misses": 3,
    "backoff_ms": 30,
    "backoff_max_ms": 200,
    "backoff_doublings": 5,
    "backoff_jitter": 0.2,
    "healthy_ms": 600_000,
    "crash_limit": 5,
    "crash_window_ms": 600_000,
    "stop_ms": 20_000,
    "term_ms": 300,
    "busy_ms": 1_500,
    "busy_interval_ms": 100,
}
"""The default timing of a scenario.

Waits that every run includes are short: in a real app they would take minutes. Limits that only a failure reaches are
long, so that a short pause of the machine is not a failure.
"""
STEPS = ("do", "finish", "until", "request", "signal", "end", "logs", "write", "holder")
STATES = {"starting", "ready", "restarting", "stopped", "crashed"}


class Failure(Exception):
    """A difference between the scenario and what happened."""


# -- processes ---------------------------------------------------------------------------------------------------------


def processes() -> dict[int, int]:
    """Maps the pid of each running process to its parent's pid; zombies don't count."""
    answer = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in answer.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def family(pid: int) -> set[int]:
    """The pids of a process and all its descendants."""
    parents = processes()
    found = {pid} & parents.keys()
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def until(what: str, true: Callable[[], Any]) -> Any:
    """Waits until `true` returns a true value. Raises: Failure after WAIT_S; no scenario asserts a time."""
    deadline = time.monotonic() + WAIT_S
    while not (found := true()):
        if time.monotonic() > deadline:
            raise Failure(f"did not come: {what}")
        time.sleep(0.02)
    return found


# -- the driver --------------------------------------------------------------------------------------------------------


class Driver:
    """The shell's supervisor, controlled through lines of JSON."""

    def __init__(self, command: list[str], environment: dict[str, str], home: Path) -> None:
        self.states: list[str] = []
        self.odd: list[str] = []
        self._count = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._news: queue.Queue[None] = queue.Queue()
        self._stderr = (home / "driver.stderr").open("wb")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=environment, cwd=home
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                self.odd.append(f"not JSON: {line!r}")
                continue
            if said.get("event") == "state":
                if said.get("state") not in STATES:
                    self.odd.append(f"no such state: {line!r}")
                self.states.append(said["state"])
            elif "id" in said:
                self._answers[said["id"]] = said
            else:
                self.odd.append(f"neither answer nor state: {line!r}")

    def send(self, what: str, given: Any = None) -> int:
        self._count += 1
        request = {"id": self._count, "do": what, **({} if given is None else {"with": given})}
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps(request) + "\n").encode())
        self.process.stdin.flush()
        return self._count

    def answer(self, number: int, what: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            gone = self.process.poll() is not None and not self._reader.is_alive()  # checked first: no output follows
            said = self._answers.get(number)
            if said is None and gone:
                raise Failure(f"the driver ended with {self.process.returncode}")
            return said

        return until(f"the answer to {what}", look)

    def ask(self, what: str, given: Any = None) -> Any:
        """Returns the result. Raises: Failure if the driver refuses the request."""
        said = self.answer(self.send(what, given), what)
        if not said.get("ok"):
            raise Failure(f"{what} was refused: {said.get('error')}")
        return said.get("result")

    def end(self, how: Callable[[], None]) -> None:
        how()
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("the driver did not end") from None
        finally:
            self._stderr.close()
        self._reader.join(WAIT_S)  # everything that it wrote has been read

    def close(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


# -- other programs ----------------------------------------------------------------------------------------------------


class Stranger:
    """Another program on a port. It answers every request with success and records what it received."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.heard.append(f"{self.command} {self.path} {dict(self.headers)}")
                data = json.dumps({"status": "ok", "instance_id": "instance_of_a_stranger", "protocol": 1}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

            def address_string(self) -> str:
                return "local"

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


# -- a scenario --------------------------------------------------------------------------------------------------------


class Scenario:
    def __init__(self, path: Path, command: list[str]) -> None:
        self.name = path.stem
        self.says: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.command = command
        self.home = Path(tempfile.mkdtemp(prefix="aster-conformance-"))
        self.pids: set[int] = set()
        self.stranger: Stranger | None = None
        self.holder: subprocess.Popen[bytes] | None = None
        self.pending: dict[str, int] = {}

    def run(self) -> None:
        """Runs the scenario. Raises: Failure."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.clean)
            self.prepare()
            self.driver = Driver(self.command, self.environment(), self.home)
            self.driver.ask("configure", self.configuration())
            for step in self.says["steps"]:
                try:
                    self.step(step)
                except Failure as failure:
                    raise Failure(f"{json.dumps(step)}: {failure}; states so far {self.driver.states}") from None
            if self.driver.process.poll() is None:
                self.driver.ask("info")  # everything that it wrote before this answer has been read
                states = list(self.driver.states)
                self.note_pids()
                self.driver.end(self.driver.close)
                if self.driver.process.returncode != 0:
                    raise Failure(f"the driver ended with {self.driver.process.returncode}")
            else:
                states = list(self.driver.states)
            self.nothing_left()
            self.check(states)

    def prepare(self) -> None:
        for name in ("data", "logs", "fake"):
            (self.home / name).mkdir()
        (self.home / "fake" / "plan.json").write_text(json.dumps(self.says.get("plan", [{}])), encoding="utf-8")
        for name, text in self.says.get("files", {}).items():
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text(text, encoding="utf-8")
        if self.says.get("stranger"):
            self.stranger = Stranger()
            plan = self.home / "fake" / "plan.json"
            text = plan.read_text(encoding="utf-8").replace('"STRANGER"', str(self.stranger.port))
            plan.write_text(text, encoding="utf-8")
        if self.says.get("holder"):
            self.hold()

    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ASTER_")}
        return {**inherited, "ASTER_FAKE_DIR": str(self.home / "fake"), "PYTHONPATH": str(REPOSITORY)}

    def engine(self) -> str:
        """The executable that the supervisor starts."""
        kind = self.says.get("engine", "fake")
        if kind == "fake":
            return str(FAKE)
        if kind == "real":
            shim = self.home / "aster-desktop"
            python = os.environ.get("ASTER_PYTHON") or str(REPOSITORY / ".venv" / "bin" / "python")
            shim.write_text(f'#!/bin/sh\nexec "{python}" -m aster_sidecar "$@"\n', encoding="utf-8")
            shim.chmod(0o755)
            return str(shim)
        return kind.replace("HOME", str(self.home))

    def configuration(self) -> dict[str, Any]:
        given = self.says.get("configure", {})
        port = self.stranger.port if self.stranger and given.get("port") == "STRANGER" else given.get("port", 0)
        return {
            "engine": {"override": self.engine()},
            "data_dir": str(self.home / "data"),
            "logs_dir": str(self.home / "logs"),
            "port": port,
            "unix_socket": given.get("unix_socket", True),
            "environment": {"ASTER_WORK_DIR": str(self.home), **given.get("environment", {})},
            "timing": {**TIMING, **given.get("timing", {})},
        }

    def hold(self) -> None:
        """Starts another daemon with the same data directory, before the shell starts one."""
        self.holder = subprocess.Popen(
            [
                *(self.engine(), "--framework", "electron", "--port", "0", "--supervised"),
                *("--data-dir", str(self.home / "data"), "--model", "demo:instant"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment(),
            cwd=self.home,
        )
        assert self.holder.stdin is not None
        assert self.holder.stdout is not None
        self.holder.stdin.write(b"{}\n")
        self.holder.stdin.flush()
        if not self.holder.stdout.readline():
            raise Failure("the holder did not start")

    def notes(self) -> list[dict[str, Any]]:
        path = self.home / "fake" / "lives.jsonl"
        if not path.exists():
            return []
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]  # the last line may be incomplete
        return [json.loads(line) for line in whole.splitlines()]

    def note_pids(self) -> None:
        for note in self.notes():
            self.pids |= {note["pid"], note.get("child", note["pid"])}

    def nothing_left(self) -> None:
        self.note_pids()

        def left() -> set[int]:
            return self.pids & processes().keys()

        until(f"that nothing is left of {sorted(self.pids)}", lambda: not left())

    # -- steps -----------------------------------------------------------------------------------------------------

    def step(self, step: dict[str, Any]) -> None:
        kind = next(key for key in STEPS if key in step)
        getattr(self, f"step_{kind}")(step)

    def step_do(self, step: dict[str, Any]) -> None:
        what = step["do"]
        number = self.driver.send(what)
        if step.get("wait", True):
            self.outcome(step, self.driver.answer(number, what))
        else:
            self.pending[what] = number

    def step_finish(self, step: dict[str, Any]) -> None:
        """Waits for the answer to a command that was sent without waiting."""
        what = step["finish"]
        self.outcome(step, self.driver.answer(self.pending.pop(what), what))

    def outcome(self, step: dict[str, Any], said: dict[str, Any]) -> None:
        code = None if said.get("ok") else said.get("error", {}).get("code")
        if code != step.get("fails"):
            raise Failure(f"expected {step.get('fails') or 'success'}, got {said}")

    def step_until(self, step: dict[str, Any]) -> None:
        wanted = step["until"]
        if "states" in wanted:
            # Compares all states so far, so that a state counts even if it has ended before the check.
            until(f"states {wanted['states']}", lambda: self.saw(wanted["states"]))
        if "info" in wanted:
            until(f"info {wanted['info']}", lambda: fits(self.driver.ask("info"), wanted["info"]))
        if "noted" in wanted:
            times = wanted.get("times", 1)
            until(
                f"{times} notes {wanted['noted']}",
                lambda: sum(fits(note, wanted["noted"]) for note in self.notes()) >= times,
            )
        if "answer" in wanted:
            request = wanted["answer"]
            until(f"an answer with {request['contains']}", lambda: self.answered(request))
        if wanted.get("nothing_left"):
            self.nothing_left()

    def saw(self, wanted: list[str]) -> bool:
        states = self.driver.states[: len(wanted)]
        if states != wanted[: len(states)]:
            raise Failure(f"a person sees {states}, and should see {wanted}")
        return states == wanted

    def answered(self, request: dict[str, Any]) -> bool:
        said = self.driver.ask("request", {"method": request.get("method", "GET"), "path": request["path"]})
        return request["contains"] in said["body"]

    def step_request(self, step: dict[str, Any]) -> None:
        asked = {"method": "GET", **step["request"]}
        if "body" in asked:
            asked["body"] = json.dumps(asked["body"])
        said = self.driver.answer(self.driver.send("request", asked), "request")
        if "fails" in step:
            self.outcome(step, said)
            return
        if not said.get("ok") or said["result"]["status"] != step.get("status", 200):
            raise Failure(f"got {said}")
        if step.get("contains", "") not in said["result"]["body"]:
            raise Failure(f"not in the answer: {step['contains']}; {said['result']['body'][:500]}")

    def step_signal(self, step: dict[str, Any]) -> None:
        number = getattr(signal, step["signal"])
        if step["to"] == "driver":
            self.note_pids()
            self.pids |= family(self.driver.process.pid)
            self.driver.end(lambda: self.driver.process.send_signal(number))
        else:
            pid = self.driver.ask("info")["pid"]
            self.pids |= family(pid)
            os.kill(pid, number)

    def step_end(self, step: dict[str, Any]) -> None:
        """Ends the shell normally: its driver's stdin ends."""
        self.note_pids()
        self.pids |= family(self.driver.process.pid)
        self.driver.end(self.driver.close)

    def step_holder(self, step: dict[str, Any]) -> None:
        assert self.holder is not None
        assert self.holder.stdin is not None
        self.holder.stdin.close()

    def step_write(self, step: dict[str, Any]) -> None:
        for name, text in step["write"].items():
            (self.home / name).write_text(text, encoding="utf-8")

    def step_logs(self, step: dict[str, Any]) -> None:
        wanted = step["logs"]
        for text in wanted.get("contain", []):
            until(f"the log line {text!r}", lambda text=text: text in self.log_text())
        logs = self.driver.ask("logs")
        text = self.log_text()
        for word in wanted.get("lack", []):
            if re.search(word, text):
                raise Failure(f"in the logs: {word}")
        if len(logs["entries"]) > wanted.get("most", 400):
            raise Failure(f"{len(logs['entries'])} entries are kept")
        longest = max((len(entry["text"].encode()) for entry in logs["entries"]), default=0)
        if longest > 8 * 1024 + 16:
            raise Failure(f"a line of {longest} bytes is kept")
        if wanted.get("counted") is not None:
            seen = logs["entries"][-1]["seq"]
            if seen < wanted["counted"]:
                raise Failure(f"only {seen} lines were counted")

    def log_text(self) -> str:
        """The log in memory and in the files."""
        logs = self.driver.ask("logs")
        texts = [entry["text"] for entry in logs["entries"]]
        for path in sorted((self.home / "logs").glob("*")):
            with contextlib.suppress(FileNotFoundError):  # it was full and has just been renamed
                texts.append(path.read_text(encoding="utf-8", errors="replace"))
        return "\n".join(texts)

    # -- at the end ------------------------------------------------------------------------------------------------

    def check(self, states: list[str]) -> None:
        wanted = self.says["states"]
        if states != wanted:
            raise Failure(f"a person sees {states}, and should see {wanted}")
        if self.driver.odd:
            raise Failure(f"the driver said {self.driver.odd}")
        notes = self.notes()
        if any(note["what"] == "overlap" for note in notes):
            raise Failure("a life began before the last one was over")
        for note in notes:
            if note["what"] == "token" and (note["length"] < 32 or note["argv"]):
                raise Failure(f"the token is too short, or in argv: {note}")
        starts = sum(note["what"] == "start" for note in notes)
        if "lives" in self.says and not fits(starts, self.says["lives"]):
            raise Failure(f"{starts} lives, and {self.says['lives']} there should be")
        if self.stranger and any("Bearer" in heard for heard in self.stranger.heard):
            raise Failure(f"a stranger was told the token: {self.stranger.heard}")

    def clean(self) -> None:
        driver = getattr(self, "driver", None)
        if driver and driver.process.poll() is None:
            self.pids |= family(driver.process.pid)
            driver.process.kill()
            driver.process.wait()
        self.note_pids()
        if self.holder:
            self.holder.kill()
            self.holder.wait()
        for pid in self.pids & processes().keys():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if self.stranger:
            self.stranger.close()
        shutil.rmtree(self.home, ignore_errors=True)


def fits(found: Any, wanted: Any) -> bool:
    """Whether `found` has everything in `wanted`; also `{"at_least": n}`, `{"set": true}` and `{"contains": text}`."""
    if isinstance(wanted, dict):
        if "at_least" in wanted:
            return isinstance(found, int) and found >= wanted["at_least"]
        if "set" in wanted:
            return (found is not None) == wanted["set"]
        if "contains" in wanted:
            return isinstance(found, str) and wanted["contains"] in found
        return isinstance(found, dict) and all(fits(found.get(key), value) for key, value in wanted.items())
    return found == wanted


def scenarios() -> Iterator[Path]:
    yield from sorted((HERE / "scenarios").glob("*.json"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None, allow_abbrev=False)
    parser.add_argument("--only", action="append", help="this scenario; may be repeated")
    parser.add_argument("--wait-s", type=float, default=WAIT_S, help="how long anything may take (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print the scenarios' names and titles")
    parser.add_argument("driver", nargs="*", help="the driver's command line, behind --")
    arguments = parser.parse_args()
    globals()["WAIT_S"] = arguments.wait_s
    chosen = [path for path in scenarios() if not arguments.only or path.stem in arguments.only]
    if arguments.only and len(chosen) != len(set(arguments.only)):
        parser.error(f"no such scenario among {arguments.only}")
    if arguments.list:
        for path in chosen:
            print(f"{path.stem}\t{json.loads(path.read_text(encoding='utf-8'))['title']}")
        return 0
    if not arguments.driver:
        parser.error("which driver? run.py -- DRIVER [ARGUMENT ...]")
    failed = 0
    for path in chosen:
        began = time.monotonic()
        scenario = Scenario(path, arguments.driver)
        try:
            scenario.run()
            print(f"ok      {path.stem}  ({time.monotonic() - began:.1f} s)", flush=True)
        except Failure as failure:
            failed += 1
            print(f"FAILED  {path.stem}: {failure}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} scenarios as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
