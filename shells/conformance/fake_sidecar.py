#!/usr/bin/env python3
"""A sidecar that misbehaves as planned: for each run it reads its behaviour from a plan, and it records what happened.

The plan is `plan.json` in the directory that ASTER_FAKE_DIR names: a list with one object for each run (a "life"); the
last object applies to all later runs. README.md lists the fields of such an object. In the same directory the sidecar
writes `lives.jsonl`, with a line for each start and each event that a scenario may check. It holds `alive.lock` while
it runs, and notes it if two runs overlap.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import secrets
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

HOME = Path(os.environ["ASTER_FAKE_DIR"])
GRANDCHILD = """
import os, signal, sys, time
if sys.argv[1] == "own_session":
    os.setsid()
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("there", flush=True)
os.close(1)
time.sleep(600)
"""


def note(what: str, **more: Any) -> None:
    """Records an event for the runner."""
    line = json.dumps({"what": what, "pid": os.getpid(), **more}) + "\n"
    with open(HOME / "lives.jsonl", "a", encoding="utf-8") as file:
        file.write(line)


def say(text: str) -> None:
    os.write(1, text.encode())


def life_of_plan() -> dict[str, Any]:
    """Returns the plan of this run and advances the counter to the next run."""
    with open(HOME / "count", "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = int(file.read() or 0)
        file.truncate(0)
        file.write(str(number + 1))
    plan = json.loads((HOME / "plan.json").read_text(encoding="utf-8"))
    return plan[min(number, len(plan) - 1)]


class Fake:
    """One run of the sidecar."""

    def __init__(self, life: dict[str, Any], arguments: argparse.Namespace) -> None:
        self.life = life
        self.arguments = arguments
        self.token = ""
        self.instance_id = f"instance_{secrets.token_hex(12)}"
        self.asked = 0
        self.port = 0

    # -- endpoints -------------------------------------------------------------------------------------------------

    def health(self) -> tuple[int, dict[str, Any]] | None:
        """Returns status and body; None: it never answers."""
        self.asked += 1
        health = self.life.get("health", {})
        if self.asked <= health.get("well", 0 if health else sys.maxsize):
            return 200, {"status": "ok", "instance_id": self.instance_id, "protocol": 1}
        if self.asked > health.get("until", sys.maxsize):
            note("well_again", times=self.asked - health["until"])
            return 200, {"status": "ok", "instance_id": self.instance_id, "protocol": 1}
        then = health["then"]
        if then == "silent":
            return None
        if then == "error":
            return 500, {"error": "it hurts"}
        if then == "nonsense":
            return 200, {"hello": "world"}
        return 200, {"status": "ok", "instance_id": "instance_of_somebody_else", "protocol": 1}

    def listen(self) -> None:
        """Listens on a port, and also on a Unix socket if `--uds` names one."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/health":
                    answer = fake.health()
                    if answer is None:
                        time.sleep(600)
                        return
                    status, body = answer
                elif self.headers.get("Authorization") != f"Bearer {fake.token}":
                    status, body = 401, {"success": False, "code": "token_refused"}
                else:
                    status, body = 200, {"success": True, "data": {"path": self.path}}
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def address_string(self) -> str:
                return "local"

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True
            allow_reuse_address = True

        class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        servers: list[socketserver.BaseServer] = []
        try:
            servers.append(Server(("127.0.0.1", self.arguments.port), Handler))
        except OSError:
            if not self.arguments.any_port:
                sys.exit(4)
            servers.append(Server(("127.0.0.1", 0), Handler))
        self.port = servers[0].server_address[1]
        if self.arguments.uds:
            path = Path(self.arguments.uds)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            servers.append(UnixServer(str(path), Handler))
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    # -- one run ---------------------------------------------------------------------------------------------------

    def read_first_line(self) -> None:
        """Reads the token.

        The note for the runner has its length and whether it was in argv, never the token itself.
        """
        settings = json.loads(sys.stdin.buffer.readline() or b"{}")
        self.token = settings.get("token", "")
        note("token", length=len(self.token), argv=self.token in " ".join(sys.argv) and bool(self.token))
        if self.life.get("tells_token"):
            os.write(2, f"the launcher gave me {self.token}\n".encode())

    def grandchildren(self) -> None:
        """Starts child processes, some of which leave its process group or ignore SIGTERM; all are noted."""
        for kind in self.life.get("grandchildren", []):
            stubborn = "stubborn" if kind.get("ignores_term") else "meek"
            where = "own_session" if kind.get("own_session") else "same"
            environment = dict(os.environ)
            if kind.get("clean_environment"):
                environment = {"PATH": os.environ.get("PATH", "")}
            child = subprocess.Popen(
                [sys.executable, "-c", GRANDCHILD, where, stubborn],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=environment,
            )
            assert child.stdout is not None
            child.stdout.readline()
            note("grandchild", child=child.pid)

    def speak(self) -> None:
        """Writes its output before it is ready."""
        for line in self.life.get("stdout", []):
            say(line + "\n")
        if self.life.get("stdout_bytes"):
            os.write(1, bytes.fromhex(self.life["stdout_bytes"]))
        for line in self.life.get("stderr", []):
            os.write(2, (line + "\n").encode())
        flood = self.life.get("flood")
        if flood:
            line = b"x" * flood.get("line_bytes", 100) + b"\n"
            for _ in range(flood["lines"]):
                os.write(2, line)
            os.write(2, b"the flood is over\n")

    def ready(self) -> None:
        ready = self.life.get("ready", {})
        time.sleep(ready.get("after_ms", 0) / 1000)
        if ready.get("never"):
            return
        line = {
            "event": "ready",
            "url": f"http://127.0.0.1:{self.port}",
            "port": ready.get("port", self.port),
            "pid": os.getpid(),
            "instance_id": self.instance_id,
            "protocol": ready.get("protocol", 1),
            "version": "0.0.0-fake",
        }
        text = json.dumps(line)
        if ready.get("in_pieces"):
            for at in range(0, len(text), 10):
                say(text[at : at + 10])
                time.sleep(0.01)
            say("\n")
        else:
            say(text + ("\r\n" if ready.get("crlf") else "\n"))
        note("ready")

    def run(self) -> int:
        """Returns the exit code."""
        start = self.life.get("exit_at_start")
        if start is not None:
            for line in self.life.get("stderr", []):
                os.write(2, (line + "\n").encode())
            return start
        if self.life.get("ignores_term"):
            signal.signal(signal.SIGTERM, lambda *_: note("term"))
        end = self.life.get("exit")
        if end is not None:
            # An exit that was not requested, at the moment that the scenario chooses.
            end_on(getattr(signal, end["on"]), end.get("code", 70))
        if not self.life.get("never_reads_stdin"):
            self.read_first_line()
        self.listen()
        self.grandchildren()
        self.speak()
        self.ready()
        if self.life.get("never_reads_stdin"):
            signal.pause()
        while sys.stdin.buffer.read(4096):
            pass
        note("eof")
        if self.life.get("ignores_eof"):
            while True:
                time.sleep(600)
        time.sleep(self.life.get("drains_ms", 0) / 1000)
        return self.life.get("exit_code", 0)


def end_on(number: int, code: int) -> None:
    """Ends the process at this signal at any time.

    A handler would wait for a read that began just before the signal.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})

    def wait() -> None:
        signal.sigwait({number})
        os._exit(code)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--framework", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--any-port", action="store_true")
    parser.add_argument("--supervised", action="store_true", required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--uds")
    arguments = parser.parse_args()
    # Kept open and locked as long as the process runs.
    lock = os.open(HOME / "alive.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, False)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        note("overlap")
    note("start", port=arguments.port, uds=arguments.uds is not None, argv=sys.argv[1:])
    return Fake(life_of_plan(), arguments).run()


if __name__ == "__main__":
    socket.setdefaulttimeout(None)
    sys.exit(main())
