"""`python -m bench [--json FILE] [--quick] [what …]`: cold, idle, first, spacing, burst, long, history, page, upload,
snapshot, trust, mcp, package.

The daemon and the floor are measured in turns, each in a separate process, against the same provider. Figures are
medians of several runs. The daemon is configured as it ships: the journal is on a real disk, and every event is
committed before it is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

REPO = Path(__file__).parent.parent
WHAT = (
    "cold",
    "commands",
    "idle",
    "first",
    "spacing",
    "burst",
    "long",
    "history",
    "page",
    "upload",
    "pictures",
    "snapshot",
    "trust",
    "mcp",
    "hosts",
    "package",
)
PACKAGE = REPO / "dist" / "aster-desktop" / "aster-desktop"


@dataclass
class Figure:
    """One line of the table.

    `limit` is for the ratio of the daemon's value to the floor's, or for the daemon's value itself where `of` is None.
    """

    name: str
    unit: str
    daemon: float
    floor: float | None = None
    limit: float | None = None
    at_least: bool = False
    of: str | None = "floor"

    @property
    def ratio(self) -> float | None:
        return self.daemon / self.floor if self.floor else None

    @property
    def verdict(self) -> str:
        value = self.ratio if self.of == "floor" else self.daemon
        if self.limit is None or value is None:
            return ""
        return "ok" if (value >= self.limit if self.at_least else value <= self.limit) else "short"


@dataclass
class Bench:
    """What a run needs, and the figures that it measured."""

    home: Path
    provider_port: int
    quick: bool
    figures: list[Figure] = field(default_factory=list[Figure])

    def times(self, many: int) -> int:
        return max(1, many // 4) if self.quick else many

    def add(self, *given: Any, **more: Any) -> None:
        figure = Figure(*given, **more)
        self.figures.append(figure)
        print(line(figure), flush=True)


class Server:
    """A running server: the daemon, the floor, or the frozen daemon.

    It answers /health once `__init__` has returned.
    """

    def __init__(self, bench: Bench, kind: str, data_dir: Path | None = None) -> None:
        self.kind = kind
        self.port = free_port()
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        environment |= {
            **({"PYTHONPATH": str(REPO)} if kind != "package" else {}),
            "OPENAI_BASE_URL": f"http://127.0.0.1:{bench.provider_port}/v1",
            "OPENAI_API_KEY": "none",
            "ASTER_CONTEXT_WINDOW": "100000000",
            "ASTER_MAX_REQUESTS": "1000",
        }
        work_dir = Path(tempfile.mkdtemp(dir=bench.home))
        if kind != "floor":
            data_dir = data_dir or Path(tempfile.mkdtemp(dir=bench.home))
            command = [str(PACKAGE)] if kind == "package" else [sys.executable, "-m", "aster_sidecar"]
            command += ["--port", str(self.port), "--data-dir", str(data_dir)]
            command += ["--model", "openai:bench", "--work-dir", str(work_dir), "--framework", "web"]
        else:
            command = [sys.executable, str(REPO / "bench" / "floor.py"), str(self.port)]
        began = time.perf_counter()
        self.process = subprocess.Popen(command, cwd=work_dir, env=environment, stdout=subprocess.DEVNULL)
        self.psutil = psutil.Process(self.process.pid)
        while not self._healthy():
            if self.process.poll() is not None:
                raise SystemExit(f"{kind} ended with {self.process.returncode}")
            time.sleep(0.002)
        self.cold_ms = (time.perf_counter() - began) * 1000
        self._connection: socket.socket | None = None

    def _healthy(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % self.port)
                return connection.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request over a connection that stays open. Returns the answer's `data`."""
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self.port), 60)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: {len(sent)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        self._connection.sendall(head.encode() + sent)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._connection.recv(1 << 20)
        top, _, rest = answer.partition(b"\r\n\r\n")
        length = next(int(row[15:]) for row in top.split(b"\r\n") if row.lower().startswith(b"content-length:"))
        while len(rest) < length:
            rest += self._connection.recv(1 << 20)
        told = json.loads(rest)
        if not told.get("success"):
            raise SystemExit(f"{method} {path}: {told}")
        return told.get("data")

    def upload(self, content: bytes) -> str:
        """Attach a file, and wait until it is kept. Returns its id."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", "/api/attachments", content, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"POST /api/attachments: {told!r}")
        return json.loads(told)["data"]["attachment_id"]

    def resident_mb(self, name: str) -> float:
        """The process's resident size: `VmRSS` now, `VmHWM` at its peak. Only on Linux."""
        rows = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(row.split()[1]) for row in rows if row.startswith(f"{name}:")) * 1024 / 1e6

    def session(self) -> str | None:
        """Create a session and return its id; None for the floor, which has no sessions."""
        if self.kind == "floor":
            return None
        return self.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]

    def cpu_s(self) -> float:
        used = self.psutil.cpu_times()
        return used.user + used.system

    def pss_mb(self) -> float:
        """The process's memory, with a proportional part of shared pages (PSS). The resident size where not Linux."""
        try:
            rows = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            return self.psutil.memory_info().rss / 1e6
        return next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024

    def switches(self) -> int:
        """How often the process's threads have gone to sleep so far."""
        total = 0
        for status in Path(f"/proc/{self.process.pid}/task").glob("*/status"):
            rows = status.read_text().splitlines()
            total += sum(int(row.split()[1]) for row in rows if row.startswith("voluntary_ctxt"))
        return total

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self.process.terminate()
        self.process.wait(20)


class Readers:
    """Subscribers of a server, in a separate process."""

    def __init__(self, server: Server, count: int) -> None:
        self.server = server
        command = [sys.executable, str(REPO / "bench" / "readers.py"), str(server.port), str(count)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self._told = self.process.stdout
        self._told.readline()

    def turn(self, message: str, session_id: str | None, **more: Any) -> dict[str, Any]:
        """Send a message and wait until all subscribers have the complete answer. Times are in ns after the request."""
        body = {"agent_id": "default", "message": message, **more}
        began_ns = time.monotonic_ns()
        self.server.call("POST", "/api/chat", body | ({"session_id": session_id} if session_id else {}))
        told = json.loads(self._told.readline())
        return {**told, **{name: told[name] - began_ns for name in ("first_ns", "done_ns", "request_ns")}}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._told.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(bench: Bench, kind: str, count: int, data_dir: Path | None = None) -> Generator[tuple[Server, Readers]]:
    """A warm server and its subscribers: one turn has run, so that everything a turn needs is imported."""
    server = Server(bench, kind, data_dir)
    readers = Readers(server, count)
    try:
        time.sleep(2)
        readers.turn("bench 3 0", server.session())
        time.sleep(0.3)
        yield server, readers
    finally:
        readers.close()
        server.close()


def both(
    measure: Callable[[str], list[float]], times: int, kinds: tuple[str, str] = ("daemon", "floor")
) -> tuple[list[float], list[float]]:
    """Measure the daemon and the floor (or another pair) in turns, so that a busy moment of the machine slows both."""
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(times):
        for kind in kinds if number % 2 else kinds[::-1]:
            found[kind] += measure(kind)
    return found[kinds[0]], found[kinds[1]]


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


# -- what is measured --------------------------------------------------------------------------------------------------


def cold(bench: Bench) -> None:
    daemon, floor = cold_starts(bench, ("daemon", "floor"))
    bench.add("cold start to /health", "ms", daemon, floor, 1.3)


def cold_starts(bench: Bench, kinds: tuple[str, str]) -> tuple[float, float]:
    """Median time in ms from the start of each server until it answers."""

    def measure(kind: str) -> list[float]:
        server = Server(bench, kind)
        server.close()
        return [server.cold_ms]

    both(measure, 1, kinds)  # fills the interpreter's caches
    one, other = both(measure, bench.times(12), kinds)
    return statistics.median(one), statistics.median(other)


def commands(bench: Bench) -> None:
    """How long commands take, compared with a Python that does nothing."""
    aster = [sys.executable, "-m", "aster_sidecar"]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}

    def took_ms(command: list[str], cwd: Path) -> float:
        began = time.perf_counter()
        subprocess.run(
            command,
            cwd=cwd,
            env={**environment, "PYTHONPATH": str(REPO)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return (time.perf_counter() - began) * 1000

    def beside(command: list[str], many: int) -> tuple[float, float]:
        nothing = [sys.executable, "-c", "pass"]
        for one in (command, nothing):  # fills the interpreter's caches
            took_ms(one, bench.home)
        pairs = [(took_ms(command, bench.home), took_ms(nothing, bench.home)) for _ in range(bench.times(many))]
        return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)

    bench.add("--version (floor: python -c pass)", "ms", *beside([*aster, "--version"], 20), 2.0)
    data_dir = Path(tempfile.mkdtemp(dir=bench.home))
    server = Server(bench, "daemon", data_dir)
    try:
        chat = [*aster, "chat", "--data-dir", str(data_dir), "bench 1 0"]
        bench.add("one message with chat (floor: python -c pass)", "ms", *beside(chat, 12), 4.0)
    finally:
        server.close()


def idle(bench: Bench) -> None:
    seconds = bench.times(20)
    at_rest: dict[str, tuple[float, float]] = {}
    for kind in ("floor", "daemon"):
        server = Server(bench, kind)
        time.sleep(3)
        before = server.switches()
        time.sleep(seconds)
        at_rest[kind] = (server.pss_mb(), (server.switches() - before) / seconds)
        server.close()
    bench.add("memory at idle (PSS)", "MB", at_rest["daemon"][0], at_rest["floor"][0], 1.5)
    with running(bench, "daemon", 1) as (server, _):
        bench.add("memory, engine loaded (PSS)", "MB", server.pss_mb(), at_rest["floor"][0], 2.3)
    bench.add("wake-ups at idle", "/s", at_rest["daemon"][1], at_rest["floor"][1], 1.0, of=None)


def first(bench: Bench) -> None:
    def measure(kind: str) -> list[float]:
        with running(bench, kind, 1) as (server, readers):
            for number in range(bench.times(40)):
                session_id = server.session()
                time.sleep(0.05)
                told = readers.turn("bench 1 0", session_id)
                if number >= 3:
                    requests[kind].append(told["request_ns"] / 1e6)
                    firsts[kind].append(told["first_ns"] / 1e6)
        return []

    requests: dict[str, list[float]] = {"daemon": [], "floor": []}
    firsts: dict[str, list[float]] = {"daemon": [], "floor": []}
    both(measure, bench.times(4))
    median = statistics.median
    bench.add("request to provider", "ms", median(requests["daemon"]), median(requests["floor"]))
    bench.add("request to first token", "ms", median(firsts["daemon"]), median(firsts["floor"]), 6.0)
    more: list[float] = []
    for _ in range(bench.times(4)):
        server = Server(bench, "daemon")
        readers = Readers(server, 1)
        time.sleep(2)
        turns = [readers.turn("bench 1 0", server.session())["first_ns"] / 1e6 for _ in range(2)]
        more.append(turns[0] - turns[1])
        readers.close()
        server.close()
    bench.add("first turn slower than the next by", "ms", median(more), None, 150.0, of=None)


def spacing(bench: Bench) -> None:
    def measure(kind: str) -> list[float]:
        with running(bench, kind, 1) as (server, readers):
            told = readers.turn(f"bench {bench.times(400)} 20", server.session())
        return [late / 1e6 for late in told["late_ns"]]

    daemon, floor = both(measure, bench.times(4))
    for part in (50, 99):
        limit = {50: 2.6, 99: 3.3}[part]
        at = part / 100
        bench.add(f"added per token at 20 ms, p{part}", "ms", percentile(daemon, at), percentile(floor, at), limit)


def burst(bench: Bench) -> None:
    tokens = 1000 if bench.quick else 5000
    for count in (1, 4, 16):
        rates: dict[str, list[float]] = {"daemon": [], "floor": []}
        costs: dict[str, list[float]] = {"daemon": [], "floor": []}

        def measure(kind: str, count: int = count, rates: Any = rates, costs: Any = costs) -> list[float]:
            with running(bench, kind, count) as (server, readers):
                for _ in range(bench.times(4)):
                    session_id = server.session()
                    time.sleep(0.1)
                    before_s = server.cpu_s()
                    told = readers.turn(f"bench {tokens} 0", session_id)
                    assert told["tokens"] == tokens, told["tokens"]
                    rates[kind].append(tokens / told["done_ns"] * 1e9)
                    costs[kind].append((server.cpu_s() - before_s) / tokens * 1000)
            return []

        both(measure, bench.times(3))
        median = statistics.median
        limit = {1: 1.2, 16: 0.6}.get(count)
        name = f"burst, {count} subscriber{'s' if count > 1 else ''}"
        bench.add(name, "tokens/s", median(rates["daemon"]), median(rates["floor"]), limit, at_least=True)
        bench.add(
            f"{name}: CPU", "s/1,000 tokens", median(costs["daemon"]), median(costs["floor"]), {1: 1.2}.get(count, 10.0)
        )


def long(bench: Bench) -> None:
    with running(bench, "daemon", 1) as (server, readers):
        session_id, turns = server.session(), 0
        after_few: float | None = None
        for upto in (10, 100, 200) if bench.quick else (10, 100, 1000):
            while turns < upto:
                readers.turn("bench 20 0 " + "and so on, as people do. " * 4, session_id)
                turns += 1
            told = [readers.turn("bench 1 0", session_id) for _ in range(5)]
            turns += 5
            median = statistics.median(one["request_ns"] / 1e6 for one in told)
            limit = 1.5 if upto == 1000 else None  # of the time after ten turns
            bench.add(f"request to provider after {upto:,} turns", "ms", median, after_few, limit)
            after_few = after_few or median
            told = [readers.turn(f"bench {1000 if bench.quick else 5000} 0", session_id) for _ in range(2)]
            turns += 2
            rate = statistics.median(one["tokens"] / one["done_ns"] * 1e9 for one in told)
            bench.add(f"burst after {upto:,} turns", "tokens/s", rate)


def history(bench: Bench) -> None:
    sizes = (1_000, 20_000) if bench.quick else (1_000, 100_000)
    stores: list[tuple[Server, str, str]] = []
    for size in sizes:
        data_dir = Path(tempfile.mkdtemp(dir=bench.home))
        session_id, middle = asyncio.run(fill(data_dir, size))
        stores.append((Server(bench, "daemon", data_dir), session_id, middle))
    pages: dict[str, tuple[list[float], list[float]]] = {"newest": ([], []), "middle": ([], [])}
    for number in range(bench.times(200) * 2):
        which = number % 2  # in turns, so that a busy moment of the machine affects both
        server, session_id, middle = stores[which]
        for name, more in (("newest", ""), ("middle", f"&before={middle}")):
            began = time.perf_counter()
            page = server.call("GET", f"/api/history?agent_id=default&session_id={session_id}&limit=50{more}")
            pages[name][which].append((time.perf_counter() - began) * 1000)
            assert len(page["messages"]) == 50
    for server, _, _ in stores:
        server.close()
    for name in ("newest", "middle"):
        title = f"history page of 50, {name} among {sizes[1]:,}"
        few, many = (statistics.median(times) for times in pages[name])
        bench.add(f"{title} (beside {sizes[0]:,})", "ms", many, few, 1.5)


def page(bench: Bench) -> None:
    from bench.page import Burst, Growth, Load, burst, chromium_path, growth, load, with_browser

    path = chromium_path()
    if path is None or not (REPO / "aster_sidecar" / "webui" / "index.html").exists():
        print("page: skipped, it needs Chromium, and the page built (make ui)", flush=True)
        return

    def look(browser: Any) -> None:
        loads: dict[str, list[Load]] = {"daemon": [], "floor": []}
        bursts: dict[str, list[Burst]] = {"daemon": [], "floor": []}
        servers = {kind: Server(bench, kind) for kind in ("daemon", "floor")}
        for number in range(bench.times(8) + 1):
            for kind, server in servers.items():
                found = load(browser, f"http://127.0.0.1:{server.port}/")
                loads[kind] += [found] if number else []  # the first load fills the caches
        for _ in range(bench.times(4)):
            for kind, server in servers.items():
                tokens = 1000 if bench.quick else 5000
                bursts[kind].append(burst(browser, f"http://127.0.0.1:{server.port}/", tokens))
        grown: dict[str, dict[str, list[Growth]]] = {}
        for shape in ("paragraph", "code", "table"):
            grown[shape] = {
                kind: [growth(browser, f"http://127.0.0.1:{server.port}/", shape) for _ in range(bench.times(3))]
                for kind, server in servers.items()
            }
        for server in servers.values():
            server.close()
        median = statistics.median

        def add(name: str, unit: str, of: dict[str, list[float]]) -> None:
            bench.add(name, unit, median(of["daemon"]), median(of["floor"]))

        add("first paint (Chromium)", "ms", {kind: [one.paint_ms for one in loads[kind]] for kind in loads})
        add("the page takes a key", "ms", {kind: [one.ready_ms for one in loads[kind]] for kind in loads})
        parts = {kind: [100 * one.dropped / one.frames for one in bursts[kind]] for kind in bursts}
        add("frames dropped in a burst", "%", parts)
        add("longest frame in a burst", "ms", {kind: [one.longest_ms for one in bursts[kind]] for kind in bursts})
        add("burst until the page shows it", "s", {kind: [one.seconds for one in bursts[kind]] for kind in bursts})
        for shape, of in grown.items():
            title = f"a large {shape} grows: longest frame"
            add(title, "ms", {kind: [one.longest_ms for one in of[kind]] for kind in of})
            title = f"a large {shape} grows: a key"
            add(title, "ms", {kind: [one.key_ms for one in of[kind]] for kind in of})

    with_browser(path, look)


def upload(bench: Bench) -> None:
    """How much more memory the daemon needs at its peak while a large file goes up, compared with the file."""
    if sys.platform != "linux":
        print("upload: skipped, only Linux says the peak of a process's memory", flush=True)
        return
    from bench.photos import files

    for name, content in files().items():

        def peak_mb(content: bytes = content) -> float:
            with running(bench, "daemon", 1) as (server, _):  # with the engine, which loads by itself after a start
                before = server.resident_mb("VmRSS")
                Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # begins the peak anew
                server.upload(content)
                return server.resident_mb("VmHWM") - before

        peaks = [peak_mb() for _ in range(bench.times(4))]
        title = f"memory for an upload, {name} (floor: the file)"
        bench.add(title, "MB", statistics.median(peaks), len(content) / 1e6, 2.0)


def pictures(bench: Bench) -> None:
    """A long conversation with many pictures, beside one without any: each tenth message brings one."""
    from bench.photos import encoded, photo

    turns = 200 if bench.quick else 1000
    picture = encoded(photo(1200, 900), "JPEG", quality=80)
    with running(bench, "daemon", 1) as (server, readers):
        agent = {"agent_id": "default"}
        without, with_them = (server.call("POST", "/api/sessions", agent)["session_id"] for _ in range(2))
        for n in range(turns):
            readers.turn("bench 20 0 and so on, as people do", without)
            more = {"attachments": [{"attachment_id": server.upload(picture)}]} if n % 10 == 0 else {}
            readers.turn("bench 20 0 and so on, as people do", with_them, **more)

        def opened_ms(session_id: str) -> float:
            began_ns = time.monotonic_ns()
            server.call("GET", f"/api/history?agent_id=default&session_id={session_id}")
            return (time.monotonic_ns() - began_ns) / 1e6

        def asked_ms(session_id: str) -> float:
            return readers.turn("bench 1 0", session_id)["request_ns"] / 1e6

        title = f"after {turns:,} turns with {turns // 10} pictures of {len(picture) >> 10} KiB (floor: without)"
        for name, measure in (("history opened", opened_ms), ("request to provider", asked_ms)):
            pairs = [(measure(with_them), measure(without)) for _ in range(bench.times(20))]
            mine, floor = (statistics.median(values) for values in zip(*pairs, strict=True))
            bench.add(f"{name} {title}", "ms", mine, floor, 1.5)


def snapshot(bench: Bench) -> None:
    """What the daemon does before and after each command in a folder; git, which compares the same, is the floor."""
    from aster_sidecar.ledger.snapshots import Snapshots
    from aster_sidecar.store.kept_files import KeptFiles

    files = 5_000 if bench.quick else 20_000
    title = f"in {files:,} files"
    folder = Path(tempfile.mkdtemp(dir=bench.home))
    for number in range(files):
        path = folder / f"part{number // 1000:02}" / f"module{number // 50:03}" / f"file{number:05}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"value_{line} = {number * line}\n" for line in range(60)))
    time.sleep(0.1)  # files that have just changed would be read again

    def git(*command: str) -> float:
        """Milliseconds of a git command."""
        began = time.perf_counter()
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(["git", *command], cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
        return (time.perf_counter() - began) * 1000

    has_git = shutil.which("git") is not None
    if not has_git:
        print("snapshot: without the floor, it needs git", flush=True)

    async def measure() -> tuple[float, list[float], list[float], list[float]]:
        kept = KeptFiles(Path(tempfile.mkdtemp(dir=bench.home)))
        snapshots = Snapshots(kept)

        async def before_ms() -> float:
            began = time.perf_counter()
            await snapshots.before(folder)
            return (time.perf_counter() - began) * 1000

        first_ms = await before_ms()
        adding = [git("init", "-q"), git("add", "-A")][1:] if has_git else []
        again: list[float] = []
        status: list[float] = []
        for _ in range(bench.times(20)):
            again.append(await before_ms())
            status += [git("status", "--porcelain")] if has_git else []
        kept.close()
        return first_ms, adding, again, status

    first_ms, adding, again, status = asyncio.run(measure())
    floor = statistics.median(status) if status else None
    bench.add(f"before a command {title} (floor: git status)", "ms", statistics.median(again), floor, 150.0, of=None)
    bench.add(f"first look {title} (floor: git add)", "ms", first_ms, adding[0] if adding else None, 2.0)


LINES = (
    "ls -la src | head -20",
    "cd src && grep -n value_3 module.py",
    "sed -n '1,40p' src/module.py",
    "find . -name '*.py' -type f | wc -l",
    "git status --short && git diff --stat",
    "git log --oneline -10",
    "cat src/module.py | sort | uniq -c | sort -rn | head",
    "[ -f src/module.py ] && echo yes",
    "wc -l src/*.py",
    "npm test -- --watch=false",
    "rm -rf build && mkdir build",
)
"""What coding agents run, for the time of judging."""


def trust(bench: Bench) -> None:
    """Judging a command, and starting one in the sandbox; starting the same without it is the floor."""
    from aster_sidecar.sandbox.sandbox import Sandbox
    from aster_sidecar.sandbox.spec import Spec
    from aster_sidecar.services import launch
    from aster_sidecar.services.process_tree import clean_environment
    from aster_sidecar.tools.base import Surroundings
    from aster_sidecar.tools.commands.program_scopes import judged

    scratch = Path(os.path.realpath(tempfile.mkdtemp(dir=bench.home)))
    folder, temporary, own = scratch / "folder", scratch / "tmp", scratch / "own"
    for place in (folder / "src", temporary, own):
        place.mkdir(parents=True)
    (folder / "src" / "module.py").write_text("".join(f"value_{number} = {number}\n" for number in range(200)))
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    env = clean_environment(os.environ)
    surroundings = Surroundings(folder, (own,))
    judged(LINES[0], folder, surroundings, env, None)  # imports the grammar
    took: dict[str, float] = {}
    for line_ in LINES:
        times: list[float] = []
        for _ in range(bench.times(40)):
            began = time.perf_counter()
            judged(line_, folder, surroundings, env, None)
            times.append((time.perf_counter() - began) * 1000)
        took[line_] = statistics.median(times)
    bench.add("a command judged", "ms", statistics.median(took.values()), None, 2.0, of=None)
    bench.add("the slowest of these", "ms", max(took.values()), None, 2.0, of=None)

    async def run(argv: list[str], cwd: str, environ: dict[str, str]) -> None:
        program = await launch.start(argv, cwd=cwd, env=environ, marker="bench", stdin=False)
        try:
            await program.exited
        finally:
            await program.end()
            program.close()

    async def measure() -> tuple[list[float], list[float]] | None:
        sandbox = Sandbox(own / "files")
        if (await sandbox.state()).level == "none":
            return None
        spec = Spec(folder=folder, cwd=folder, private_tmp=temporary, protected=(own,), home=Path.home())
        argv = ["/bin/sh", "-c", "true"]
        inside: list[float] = []
        bare: list[float] = []
        for _ in range(bench.times(40)):
            began = time.perf_counter()
            prepared = await sandbox.prepare(spec, argv, env)
            await run(prepared.argv, "/", prepared.env)
            inside.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            await run(argv, str(folder), env)
            bare.append((time.perf_counter() - began) * 1000)
        return inside, bare

    try:
        found = asyncio.run(measure())
    finally:
        launch.end_all()
    if found is None:
        print("trust: without the sandbox, there is none here", flush=True)
        return
    inside, bare = (statistics.median(times) for times in found)
    bench.add("a command run in the sandbox (floor: without)", "ms", inside, bare)
    bench.add("the sandbox adds", "ms", inside - bare, None, 30.0, of=None)


def mcp(bench: Bench) -> None:
    """Ten MCP servers that never answer: what they add to the start of the daemon, and to the first turn."""
    tables = "".join(f'[mcp.hangs{n}]\ncommand = "sleep"\nargs = ["600"]\n' for n in range(10))
    cold: dict[bool, list[float]] = {True: [], False: []}
    turns: dict[bool, list[float]] = {True: [], False: []}
    processes = 0
    for _ in range(bench.times(8)):
        for hanging in (False, True):
            data_dir = Path(tempfile.mkdtemp(dir=bench.home))
            (data_dir / "config.toml").write_text(tables if hanging else "")
            server = Server(bench, "daemon", data_dir)
            readers = Readers(server, 1)
            cold[hanging].append(server.cold_ms)
            turns[hanging].append(readers.turn("bench 3 0", server.session())["done_ns"] / 1e6)
            found = [one for one in server.psutil.children(recursive=True) if one.name() == "sleep"]
            processes = max(processes, len(found))
            readers.close()
            server.close()
    with_them, without = statistics.median(cold[True]), statistics.median(cold[False])
    bench.add("cold start with ten MCP servers (floor: none)", "ms", with_them, without, 1.15)
    bench.add(
        "they add to the first turn",
        "ms",
        statistics.median(turns[True]) - statistics.median(turns[False]),
        None,
        2500.0,
        of=None,
    )
    bench.add("processes of ten MCP servers", "", float(processes), None, 10.0, of=None)


def hosts(bench: Bench) -> None:
    """A call of a tool that a program lends, from its start to its end, beside a round trip of a bare WebSocket."""
    from websockets.sync.client import connect

    floor = Server(bench, "floor")
    bare: list[float] = []
    with connect(f"ws://127.0.0.1:{floor.port}/ws") as socket:
        for _ in range(bench.times(400)):
            began = time.perf_counter()
            socket.send("x" * 200)
            socket.recv()
            bare.append((time.perf_counter() - began) * 1000)
    floor.close()
    server = Server(bench, "daemon")
    calls: list[float] = []
    tool = {"name": "echo", "description": "Say it again.", "risk": "low"}
    with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:

        def send(kind: str, **payload: Any) -> None:
            socket.send(json.dumps({"id": kind, "type": kind, "payload": payload}))

        def until(*kinds: str) -> tuple[str, Any]:
            while True:
                told = json.loads(socket.recv())
                if (kind := told.get("type", told.get("id"))) in kinds:
                    return kind, told["data"]

        send("host_register", name="bench", instance="one", tools=[tool])
        _, mine = until("host_register")
        lease = {"host_id": mine["host_id"], "lease": mine["lease"]}
        send("subscribe", types=["host_call", "tool_start", "tool_end", "done"])
        until("subscribe")
        for number in range(bench.times(100)):
            body = {"agent_id": "default", "message": f'call echo {{"number": {number}}}', "model": "demo"}
            server.call("POST", "/api/chat", body)
            until("tool_start")
            began = time.perf_counter()
            _, call = until("host_call")
            send("host_result", **lease, call_id=call["call_id"], result=number)
            until("tool_end")
            calls.append((time.perf_counter() - began) * 1000)
            until("done")
    server.close()
    bench.add("call of a lent tool (floor: a bare round trip)", "ms", percentile(calls, 50), percentile(bare, 50), 3.0)


def package(bench: Bench) -> None:
    """What freezing costs: the frozen daemon is in the daemon's column, the unfrozen one in the floor's."""
    if not PACKAGE.exists():
        print("package: skipped, it needs the frozen daemon (make package)", flush=True)
        return
    files = [path.stat() for path in PACKAGE.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    bench.add("packaged: on disk", "MB", sum(file.st_size for file in files) / 1e6, None, 90.0, of=None)
    frozen, unfrozen = cold_starts(bench, ("package", "daemon"))
    bench.add("packaged: cold start (beside unfrozen)", "ms", frozen, unfrozen, 1.3)
    at_rest: dict[str, tuple[float, float]] = {}
    for kind in ("package", "daemon"):
        server = Server(bench, kind)
        time.sleep(3)
        idle_mb = server.pss_mb()
        server.close()
        with running(bench, kind, 1) as (server, _):
            at_rest[kind] = idle_mb, server.pss_mb()
    for number, name in enumerate(("at idle", "engine loaded")):
        mb = {kind: found[number] for kind, found in at_rest.items()}
        bench.add(f"packaged: memory, {name} (PSS, beside unfrozen)", "MB", mb["package"], mb["daemon"])


def unasked(*_: Any) -> Any:
    raise AssertionError("no call should need an assessment here")


async def fill(data_dir: Path, size: int) -> tuple[str, str]:
    """Make a store with one session of `size` messages. Returns the ids of the session and of its middle message."""
    from aster_sidecar import clock
    from aster_sidecar.asking.questions import Questions
    from aster_sidecar.contract import wire
    from aster_sidecar.conversation.messages import insert_message
    from aster_sidecar.conversation.session_choices import SessionChoices
    from aster_sidecar.conversation.session_queue import SessionQueues
    from aster_sidecar.conversation.sessions import Sessions
    from aster_sidecar.conversation.waits import Waits
    from aster_sidecar.hosts.dispatch import Dispatch
    from aster_sidecar.hosts.registry import Hosts
    from aster_sidecar.policy.approvals import Approvals
    from aster_sidecar.policy.rules import Rules
    from aster_sidecar.store.journal import Journal

    journal = Journal(data_dir / "aster.db")
    journal.open()
    sessions = Sessions(
        journal,
        SessionQueues(journal),
        Waits(
            Approvals(journal, Rules(journal), unasked),
            Questions(journal),
            Dispatch(journal, Hosts(journal, lambda name: None)),
        ),
        SessionChoices(journal),
        lambda agent_id, choices: None,
    )
    sessions.open()
    session_id = (await sessions.create(wire.SessionCreate(agent_id="default"))).session_id
    middle = ""
    for number in range(size):
        text = f"message {number}, as long as most that people write to one another"
        message = wire.Message(
            message_id=clock.new_id("msg"),
            turn_id=f"turn_{number // 2}",
            session_id=session_id,
            role="assistant" if number % 2 else "user",
            text=text,
            parts=[wire.TextPart(text=text)],
            created_at=clock.stamp(),
            status="complete",
        )
        journal.put(writes=[insert_message(message, 0)], durable=False)
        if number == size // 2:
            middle = message.message_id
        if number % 1000 == 999:
            await journal.commit()
    await journal.commit()
    await journal.close()
    return session_id, middle


# -- the table ---------------------------------------------------------------------------------------------------------


def line(figure: Figure) -> str:
    floor = f"{figure.floor:,.4g}" if figure.floor is not None else ""
    ratio = f"{figure.ratio:.2f} x" if figure.ratio is not None else ""
    limit = ""
    if figure.limit is not None:
        limit = f"{'>=' if figure.at_least else '<='} {figure.limit:g}{' x' if figure.of == 'floor' else ''}"
    return (
        f"| {figure.name:<52} | {figure.daemon:>9,.4g} {figure.unit:<15} | {floor:>9} | {ratio:>8} |"
        f" {limit:>9} | {figure.verdict:<5} |"
    )


def main() -> None:
    text = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    text.add_argument("what", nargs="*", choices=[*WHAT, []], help="what to measure (default: all)")
    text.add_argument("--quick", action="store_true", help="a quarter of everything, to see that it works")
    text.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    given = text.parse_args()
    provider = subprocess.Popen([sys.executable, str(REPO / "bench" / "provider.py")], stdout=subprocess.PIPE)
    try:
        assert provider.stdout is not None
        with tempfile.TemporaryDirectory(prefix="aster-bench-") as home:
            bench = Bench(Path(home), int(provider.stdout.readline()), given.quick)
            machine = (
                f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
            )
            print(f"{machine}; medians; the floor keeps nothing, the daemon journals everything\n")
            print("| what | daemon | floor | ratio | limit | |\n|---|---|---|---|---|---|")
            for name in given.what or WHAT:
                globals()[name](bench)
        if given.json is not None:
            figures = [{**asdict(one), "ratio": one.ratio, "verdict": one.verdict} for one in bench.figures]
            given.json.write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")
    finally:
        provider.kill()
        provider.wait()


if __name__ == "__main__":
    main()
