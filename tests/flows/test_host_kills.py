"""kill -9 of daemon and host at random while a host's tools are called: each call runs once, or is unknown."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.conftest import provider_environment
from tests.flows.test_kill import check_store
from tests.support.daemon import Daemon
from tests.support.provider import Call, ProviderDouble, RecordedRequest, Reply, Say

CALLS = int(os.environ.get("ASTER_HOST_CALLS", "40"))
AT_ONCE = 4
TURN_S = 120.0


def lend(port: int, marks: Path) -> subprocess.Popen[bytes]:
    """Start a host as a process of its own."""
    command = [sys.executable, "-m", "tests.support.lending", str(port), str(marks)]
    return subprocess.Popen(command, cwd=Path(__file__).parent.parent.parent)


@contextlib.contextmanager
def killed(hosts: list[subprocess.Popen[bytes]]) -> Generator[None, None, None]:
    """Kill what is in the list at the end."""
    try:
        yield
    finally:
        for host in hosts:
            host.kill()
            host.wait()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_call_runs_once_or_is_unknown(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    marks = tmp_path / "marks"
    daemon = launch(environment=provider_environment(provider))
    numbers = iter(range(1, CALLS + 1))

    def reply(request: RecordedRequest) -> Reply:
        if request.messages[-1].get("type") == "function_call_output":
            return Reply([Say("Noted.")])
        return Reply([Call("mark", {"n": next(numbers)}) for _ in range(AT_ONCE)])

    provider.script(*[reply] * (2 * CALLS))
    kills: Counter[str] = Counter()
    hosts = [lend(daemon.port, marks)]
    with killed(hosts):
        while not any(host["online"] for host in daemon.call("GET", "/api/hosts")):
            time.sleep(0.02)
        for _ in range(CALLS // AT_ONCE):
            turn_id = daemon.chat("go")["turn_id"]
            until = time.monotonic() + TURN_S
            while any(turn["turn_id"] == turn_id for turn in daemon.call("GET", "/api/snapshot")["turns"]):
                assert time.monotonic() < until, daemon.status()
                time.sleep(chance.random() * 0.03)
                if "host" not in daemon.status()["waiting_for"] or chance.random() < 0.6:
                    continue
                if chance.random() < 0.5:
                    daemon.restart()
                    kills["daemon"] += 1
                else:
                    hosts[-1].kill()
                    hosts[-1].wait()
                    hosts.append(lend(daemon.port, marks))
                    kills["host"] += 1
    ran = Counter(int(line) for line in marks.read_text().split())
    states: Counter[str] = Counter()
    for message in daemon.history(limit=500):
        for part in message["parts"]:
            if part["type"] == "tool":
                states[part["state"]] += 1
                number = part["arguments"]["n"]
                assert ran[number] <= 1, f"call {number} ran twice"
                if part["state"] == "done":
                    assert ran[number] == 1
                    assert part["result"] == {"from": "marker", "result": number * 2}
                else:
                    assert part["state"] == "unknown", part
    print(f"{dict(states)} after {dict(kills)}")
    assert states["done"] + states["unknown"] == states.total() >= CALLS // 2
    assert kills["daemon"]
    assert kills["host"]
    check_store(daemon)
