"""Services in the real daemon, with children that misbehave in every way that we know."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.flows.test_life import wait_gone
from tests.support.daemon import Daemon, Json, Watcher

pytestmark = pytest.mark.timeout(180)
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
GENEROUS_S = 30.0
PATIENT = "import sys; print('up'); sys.stdin.read(); print('bye')"
STUBBORN = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
print('up')
while True: time.sleep(60)
"""
HANGS = "import time; print('up'); time.sleep(600)"
CRASHES = "import sys; print('going down', file=sys.stderr); sys.exit(3)"
KILLS_ITSELF = "import os, signal; print('up'); os.kill(os.getpid(), signal.SIGKILL)"
FAMILY = r"""
import os, signal, subprocess, sys, time
# A child in the group, one in a session of its own, and one whose parent is gone: all deaf, all with our output open.
tell = 'os.write(1, b"pid %d\\n" % os.getpid())'  # at once: they all write into one pipe
code = f'import os, signal, time; signal.signal(15, signal.SIG_IGN); {tell}; time.sleep(600)'
run = [sys.executable, '-I', '-S', '-u', '-c', code]
subprocess.Popen(run)
subprocess.Popen(run, start_new_session=True, env={'nothing': 'inherited'})
if os.fork() == 0:
    os.setsid()
    subprocess.Popen(run, start_new_session=True)
    os._exit(0)
os.wait()
exec(tell)
"""
STAYS = FAMILY + "time.sleep(600)"
LOCKS = """
import fcntl, os, subprocess, sys, time
held = open(sys.argv[1], 'w')
fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
# The lock lives as long as anybody has the file open; the one who does is deaf, and in a session of its own.
code = 'import signal, time; signal.signal(15, signal.SIG_IGN); print("ready"); time.sleep(600)'
subprocess.Popen([sys.executable, '-I', '-S', '-u', '-c', code], start_new_session=True, pass_fds=[held.fileno()])
"""


def python(source: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-u", "-c", source, *arguments]


def toml(services: dict[str, dict[str, Any]]) -> str:
    """The tables as TOML. Texts, numbers and lists are written as in JSON."""

    def value(of: Any) -> str:
        if isinstance(of, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {json.dumps(text)}" for key, text in of.items()) + "}"
        return json.dumps(of)

    return "".join(
        f"[services.{name}]\n" + "".join(f"{key} = {value(of)}\n" for key, of in table.items())
        for name, table in services.items()
    )


@pytest.fixture
def serve(launch: Callable[..., Daemon], tmp_path: Path) -> Callable[..., Daemon]:
    """Start a daemon with these services."""

    def start(*, daemon: dict[str, Any] | None = None, **services: dict[str, Any]) -> Daemon:
        data_dir = tmp_path / "a" / "data"
        data_dir.mkdir(parents=True)
        (data_dir / "config.toml").write_text(toml(services), "utf-8")
        return launch(**(daemon or {}))

    return start


def ask(daemon: Daemon, name: str, verb: str) -> Json:
    return daemon.call("POST", f"/api/services/{name}/{verb}")


def info(daemon: Daemon, name: str) -> Json:
    return next(one for one in daemon.call("GET", "/api/services") if one["name"] == name)


def until(watcher: Watcher, name: str, state: str) -> Json:
    """Read on until the service is in this state. Returns the event's data."""
    return watcher.until("service_changed", within_s=GENEROUS_S, name=name, state=state)[-1]["data"]


def states(watcher: Watcher, name: str) -> list[str]:
    return [event["data"]["state"] for event in watcher.of("service_changed") if event["data"]["name"] == name]


def said(daemon: Daemon, name: str, enough: Callable[[list[str]], bool], **parameters: Any) -> list[str]:
    """The service's lines, once `enough` is true of them."""
    deadline = time.monotonic() + GENEROUS_S
    while True:
        entries = daemon.call("GET", f"/api/services/{name}/logs", None, **{"limit": 400, **parameters})["entries"]
        lines = [entry["text"] for entry in entries]
        if enough(lines):
            return lines
        assert time.monotonic() < deadline, lines[-20:]


def run(daemon: Daemon, name: str) -> int:
    """Start a service and wait until it is up. Returns its pid."""
    ask(daemon, name, "start")
    said(daemon, name, lambda lines: "up" in lines)
    return info(daemon, name)["pid"]


def family(daemon: Daemon, name: str, count: int = 4) -> list[int]:
    """The pids that the processes of a family printed."""
    lines = said(daemon, name, lambda lines: sum(line.startswith("pid") for line in lines) >= count)
    return [int(line.split()[1]) for line in lines if line.startswith("pid")][-count:]


def gone(pids: list[int]) -> bool:
    return all(wait_gone(pid, GENEROUS_S) for pid in pids)


def living(pid: int) -> bool:
    """Whether the process runs and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# -- start, stop, restart ----------------------------------------------------------------------------------------------


def test_a_service_is_started_restarted_and_stopped_and_the_stream_tells(serve: Callable[..., Daemon]) -> None:
    daemon = serve(patient={"command": python(PATIENT), "description": "reads until the end"})
    assert info(daemon, "patient") == {
        "name": "patient",
        "description": "reads until the end",
        "state": "stopped",
        "desired_running": False,
        "autostart": False,
        **dict.fromkeys(("pid", "last_start", "last_exit", "next_restart")),
        "restart_attempt": 0,
    }
    with daemon.watch() as watcher:
        assert ask(daemon, "patient", "start")["state"] == "starting"
        first = until(watcher, "patient", "running")
        assert living(first["pid"])
        assert ask(daemon, "patient", "start")["pid"] == first["pid"], "starting a running service changes nothing"
        said(daemon, "patient", lambda lines: lines == ["up"])
        assert ask(daemon, "patient", "restart")["state"] == "stopping"
        second = until(watcher, "patient", "running")
        assert second["pid"] != first["pid"]
        assert second["last_exit"] == {"time": second["last_exit"]["time"], "code": 0}
        said(daemon, "patient", lambda lines: lines == ["up", "bye", "up"])
        answer = ask(daemon, "patient", "stop")
        assert (answer["state"], answer["desired_running"]) == ("stopping", False)
        stopped = until(watcher, "patient", "stopped")
        assert "pid" not in stopped
        assert ask(daemon, "patient", "stop")["state"] == "stopped"
        assert states(watcher, "patient") == [
            *("starting", "running", "stopping", "starting", "running", "stopping", "stopped")
        ]
    assert gone([first["pid"], second["pid"]])
    assert info(daemon, "patient")["restart_attempt"] == 0


def test_autostart_begins_with_the_daemon_and_again_with_the_next(serve: Callable[..., Daemon]) -> None:
    daemon = serve(auto={"command": python(PATIENT), "autostart": True}, other={"command": python(PATIENT)})
    with daemon.watch(after=0) as watcher:
        first = until(watcher, "auto", "running")
    assert states(watcher, "other") == ["stopped"]
    assert [(one["name"], one["desired_running"]) for one in daemon.call("GET", "/api/services")] == [
        ("auto", True),
        ("other", False),
    ]
    assert daemon.stop() == 0
    daemon.start()
    with daemon.watch(after=watcher.events[-1]["seq"]) as later:
        second = until(later, "auto", "running")
        assert states(later, "auto") == ["stopping", "stopped", "starting", "running"]
    assert second["pid"] != first["pid"]


def test_asked_for_again_while_it_stops_it_runs_again(serve: Callable[..., Daemon]) -> None:
    daemon = serve(stubborn={"command": python(STUBBORN), "stop_timeout_s": 3600})  # the test ends it
    with daemon.watch() as watcher:
        first = run(daemon, "stubborn")
        ask(daemon, "stubborn", "stop")
        assert ask(daemon, "stubborn", "start")["state"] == "stopping"
        until(watcher, "stubborn", "stopping")
        os.kill(first, signal.SIGKILL)
        second = until(watcher, "stubborn", "running")["pid"]
        assert second != first
        assert ask(daemon, "stubborn", "restart")["state"] == "stopping"
        ask(daemon, "stubborn", "stop")
        os.kill(second, signal.SIGKILL)
        until(watcher, "stubborn", "stopped")
    assert states(watcher, "stubborn")[-2:] == ["stopping", "stopped"]


@pytest.mark.parametrize(
    ("method", "place"),
    [("POST", "/start"), ("POST", "/stop"), ("POST", "/restart"), ("GET", "/logs")],
)
def test_an_unknown_service_is_refused(daemon: Daemon, method: str, place: str) -> None:
    refused = daemon.refused(method, f"/api/services/no_such{place}")
    assert (refused.status, refused.code) == (404, "service_not_found")
    assert "GET /api/services" in refused.body["hint"]
    assert daemon.call("GET", "/api/services") == []


# -- children that end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "how"), [(CRASHES, {"code": 3}), ("pass", {"code": 0}), (KILLS_ITSELF, {"signal": "SIGKILL"})]
)
def test_a_crash_loop_ends_and_a_person_may_begin_it_again(
    serve: Callable[..., Daemon], source: str, how: dict[str, Any]
) -> None:
    daemon = serve(loops={"command": python(source), "backoff_s": 0.02, "crash_limit": 3})
    with daemon.watch() as watcher:
        ask(daemon, "loops", "start")
        crashed = until(watcher, "loops", "crashed")
        assert states(watcher, "loops") == [*("starting", "running", "backoff") * 2, "starting", "running", "crashed"]
        backoffs = [event["data"] for event in watcher.events if event["data"].get("state") == "backoff"]
        assert [one["restart_attempt"] for one in backoffs] == [1, 2]
        assert all(one["next_restart"] > one["last_exit"]["time"] for one in backoffs)
        assert crashed["desired_running"]
        assert {key: value for key, value in crashed["last_exit"].items() if key != "time"} == how
        assert "next_restart" not in crashed
        ask(daemon, "loops", "start")
        until(watcher, "loops", "crashed")
        ask(daemon, "loops", "stop")
        until(watcher, "loops", "stopped")
    assert states(watcher, "loops")[9:18] == states(watcher, "loops")[:9]
    assert daemon.log.count("crashed 3 times") == 2


def test_a_service_that_waits_for_its_restart_can_be_stopped_or_started_at_once(serve: Callable[..., Daemon]) -> None:
    daemon = serve(rare={"command": python(CRASHES), "backoff_s": 3600, "backoff_max_s": 3600})
    with daemon.watch() as watcher:
        ask(daemon, "rare", "start")
        until(watcher, "rare", "backoff")
        assert info(daemon, "rare")["next_restart"]
        ask(daemon, "rare", "start")
        assert until(watcher, "rare", "backoff")["restart_attempt"] == 1, "a person's start resets the count"
        ask(daemon, "rare", "stop")
        assert "next_restart" not in until(watcher, "rare", "stopped")


def test_crashes_are_forgotten_after_a_healthy_while(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    once = "import os, sys\nif not os.path.exists(sys.argv[1]): open(sys.argv[1], 'w'); sys.exit(1)\n" + PATIENT
    daemon = serve(
        second={"command": python(once, str(tmp_path / "mark")), "backoff_s": 0.02, "healthy_s": 0.2},
    )
    with daemon.watch() as watcher:
        ask(daemon, "second", "start")
        assert until(watcher, "second", "backoff")["restart_attempt"] == 1
        assert until(watcher, "second", "running")["restart_attempt"] == 1
        assert until(watcher, "second", "running")["restart_attempt"] == 0


def test_what_cannot_be_executed_is_said(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "script").write_text("#!/no/such/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    soon = {"backoff_s": 0.02, "crash_limit": 2}
    daemon = serve(
        missing={"command": "/no/such/program", **soon},
        nowhere={"command": "no-such-program-anywhere", **soon},
        text={"command": str(tmp_path / "text"), **soon},
        folder={"command": str(tmp_path), **soon},
        script={"command": str(tmp_path / "script"), **soon},
        homeless={"command": "true", "cwd": "/no/such/directory", **soon},
        fine={"command": python(PATIENT), "autostart": True},
    )
    for name in ("missing", "nowhere", "text", "folder", "script", "homeless"):
        with daemon.watch() as watcher:
            ask(daemon, name, "start")
            how = until(watcher, name, "crashed")["last_exit"]
        assert how.get("error") or how.get("code") in (126, 127), (name, how)
    assert "no-such-program-anywhere" in info(daemon, "nowhere")["last_exit"]["error"]
    assert "/no/such/directory is not a directory" in info(daemon, "homeless")["last_exit"]["error"]
    said(daemon, "fine", lambda lines: lines == ["up"])


# -- children that do not end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "sign"), [(HANGS, "SIGTERM"), (STUBBORN, "SIGKILL")])
def test_who_does_not_end_at_the_end_of_stdin_is_ended(serve: Callable[..., Daemon], source: str, sign: str) -> None:
    daemon = serve(deaf={"command": python(source), "stop_timeout_s": 0.2})
    pid = run(daemon, "deaf")
    with daemon.watch() as watcher:
        ask(daemon, "deaf", "stop")
        stopped = until(watcher, "deaf", "stopped")
    assert stopped["last_exit"]["signal"] == sign
    assert gone([pid])


def test_a_process_that_is_stopped_is_ended_too(serve: Callable[..., Daemon]) -> None:
    daemon = serve(still={"command": python(HANGS), "stop_timeout_s": 0.2})
    pid = run(daemon, "still")
    os.kill(pid, signal.SIGSTOP)
    with daemon.watch() as watcher:
        ask(daemon, "still", "stop")
        assert until(watcher, "still", "stopped")["last_exit"]["signal"] == "SIGTERM"
    assert gone([pid])


def test_its_whole_family_is_ended_with_it(serve: Callable[..., Daemon]) -> None:
    daemon = serve(family={"command": python(STAYS), "stop_timeout_s": 0.2})
    ask(daemon, "family", "start")
    pids = family(daemon, "family")
    assert all(map(psutil.pid_exists, pids))
    with daemon.watch() as watcher:
        ask(daemon, "family", "stop")
        until(watcher, "family", "stopped")
    assert gone(pids)


def test_a_restart_waits_until_nothing_of_the_old_one_is_left(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    """The service leaves a process that ignores TERM and holds a lock: the next instance fails while that one runs."""
    source = LOCKS + "sys.stdin.readline(); sys.exit(1)"
    daemon = serve(locks={"command": python(source, str(tmp_path / "lock")), "backoff_s": 0.01, "stop_timeout_s": 0.2})
    ask(daemon, "locks", "start")
    for life in range(1, 3):
        said(daemon, "locks", lambda lines, life=life: lines.count("ready") == life)
        with daemon.watch() as watcher:
            if life == 1:
                ask(daemon, "locks", "restart")
            else:
                os.kill(info(daemon, "locks")["pid"], signal.SIGKILL)
            until(watcher, "locks", "running")
    lines = said(daemon, "locks", lambda lines: lines.count("ready") == 3)
    assert "BlockingIOError" not in str(lines)


def test_what_a_crash_leaves_behind_is_ended(serve: Callable[..., Daemon]) -> None:
    daemon = serve(leaves={"command": python(STAYS), "backoff_s": 3600, "backoff_max_s": 3600})
    ask(daemon, "leaves", "start")
    pids = family(daemon, "leaves")
    with daemon.watch() as watcher:
        os.kill(info(daemon, "leaves")["pid"], signal.SIGKILL)
        until(watcher, "leaves", "backoff")
    assert gone(pids)


def daemon_pid(daemon: Daemon) -> int:
    assert daemon.process is not None
    return daemon.process.pid


# -- what services write -----------------------------------------------------------------------------------------------


def test_both_streams_are_kept_line_by_line(serve: Callable[..., Daemon]) -> None:
    # It writes to stderr when everything else is written: then it can be stopped without losing output.
    source = """
import sys
print('one')
sys.stdout.buffer.write(b'bad \\xff\\xfe bytes\\r\\n' + b'x' * 20_000_000 + b'\\nlast, without an end')
sys.stdout.flush()
print('two', file=sys.stderr)
sys.stdin.read()
"""
    daemon = serve(talks={"command": python(source)})
    ask(daemon, "talks", "start")
    said(daemon, "talks", lambda lines: len(lines) == 4)
    with daemon.watch() as watcher:
        ask(daemon, "talks", "stop")
        until(watcher, "talks", "stopped")
    said(daemon, "talks", lambda lines: len(lines) == 5)  # the stop does not wait for a slow disk
    logs = daemon.call("GET", "/api/services/talks/logs")
    assert logs["dropped"] == 0
    assert [entry["seq"] for entry in logs["entries"]] == [1, 2, 3, 4, 5]
    out = [entry["text"] for entry in logs["entries"] if entry["stream"] == "stdout"]
    assert [entry["text"] for entry in logs["entries"] if entry["stream"] == "stderr"] == ["two"]
    assert (out[0], out[1], out[3]) == ("one", "bad \ufffd\ufffd bytes", "last, without an end")
    assert out[2] == "x" * 8192 + " … [cut]"
    path = Path(logs["path"])
    assert path.parent == daemon.data_dir / "logs"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == logs["entries"]
    after = daemon.call("GET", "/api/services/talks/logs", None, after=2, limit=2)["entries"]
    assert after == logs["entries"][2:4]
    assert daemon.refused("GET", "/api/services/talks/logs", None, limit=401).code == "invalid_shape"


def test_a_flood_neither_blocks_the_daemon_nor_grows_it(serve: Callable[..., Daemon]) -> None:
    both = "import os\nwhile True: os.write(1, b'out\\n' * 9999); os.write(2, b'err\\n' * 9999)"
    endless = "import os\nwhile True: os.write(1, b'x' * 99999)"
    daemon = serve(both={"command": python(both)}, endless={"command": python(endless)}, yes={"command": "yes"})
    daemon.ask("warm up")
    process = psutil.Process(daemon_pid(daemon))
    before = process.memory_info().rss
    for name in ("both", "endless", "yes"):
        ask(daemon, name, "start")
    for name in ("both", "yes"):
        said(daemon, name, lambda lines: len(lines) == 400)
    deadline = time.monotonic() + GENEROUS_S
    while any(daemon.call("GET", f"/api/services/{name}/logs")["dropped"] < 1_000_000 for name in ("both", "yes")):
        assert time.monotonic() < deadline
        assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
    assert len(daemon.call("GET", "/api/services/endless/logs")["entries"]) == 1
    assert process.memory_info().rss - before < 64 << 20
    assert daemon.stop() == 0
    logs = [path for path in (daemon.data_dir / "logs").iterdir() if path.name.startswith("service-")]
    assert sum(path.stat().st_size for path in logs) < 3 * 5 * (2 << 20)


def test_secrets_are_taken_out_and_none_of_the_daemon_s_is_handed_over(serve: Callable[..., Daemon]) -> None:
    source = """
import os, sys
print('mine is', os.environ['SEARCH_TOKEN'], 'and the port', os.environ['PORT'])
print('Authorization: Bearer abcdefghijklmnop', file=sys.stderr)
print('theirs is canary-key-of-the-daemon and canary-token-of-the-daemon')
print('environment', sorted(os.environ))
sys.stdin.read()
"""
    daemon = serve(
        daemon={"environment": {"OPENAI_API_KEY": "canary-key-of-the-daemon"}, "token": "canary-token-of-the-daemon"},
        leaks={"command": python(source), "env": {"SEARCH_TOKEN": "canary-of-the-service", "PORT": "4000"}},
    )
    ask(daemon, "leaks", "start")
    lines = said(daemon, "leaks", lambda lines: len(lines) == 4)
    assert "mine is [secret] and the port 4000" in lines
    assert "theirs is [secret] and [secret]" in lines
    environment = next(line for line in lines if line.startswith("environment"))
    assert "SEARCH_TOKEN" in environment
    assert "OPENAI_API_KEY" not in environment
    assert "ASTER_SIDECAR_TOKEN" not in environment
    daemon.stop()
    for path in (daemon.data_dir / "logs").iterdir():
        text = path.read_text("utf-8")
        assert "canary" not in text
        assert "abcdefghijklmnop" not in text


def test_a_key_that_a_person_gave_later_is_taken_out_too(serve: Callable[..., Daemon]) -> None:
    daemon = serve(
        daemon={"environment": {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}},
        tells={"command": python("import sys; print('it is given-by-a-person'); sys.stdin.read()")},
    )
    daemon.call("PUT", "/api/secrets/openai", {"value": "given-by-a-person"})
    ask(daemon, "tells", "start")
    assert said(daemon, "tells", bool) == ["it is [secret]"]


@linux
def test_a_service_is_no_client(serve: Callable[..., Daemon]) -> None:
    source = """
import http.client, json, sys
client = http.client.HTTPConnection('127.0.0.1', json.load(open(sys.argv[1]))['port'])
client.request('GET', '/api/services', headers={'Authorization': 'Bearer a-token-that-it-found-somewhere'})
print(json.load(client.getresponse())['code'])
sys.stdin.read()
"""
    state = Path("data") / "sidecar.json"
    daemon = serve(
        daemon={"token": "a-token-that-it-found-somewhere"},
        knocks={"command": [sys.executable, "-I", "-u", "-c", source, str(state)], "autostart": False},
    )
    config = daemon.data_dir / "config.toml"
    config.write_text(config.read_text().replace(str(state), str(daemon.data_dir / "sidecar.json")))
    daemon.restart()
    ask(daemon, "knocks", "start")
    assert said(daemon, "knocks", bool) == ["peer_refused"]


# -- the daemon's end --------------------------------------------------------------------------------------------------


def stubborn_house(serve: Callable[..., Daemon]) -> tuple[Daemon, list[int]]:
    """A daemon with all kinds of services, all running, and the pids of all their processes."""
    auto = {"autostart": True}
    daemon = serve(
        patient={"command": python(PATIENT), **auto},
        stubborn={"command": python(STUBBORN), **auto},
        hangs={"command": python(HANGS), **auto},
        family={"command": python(STAYS), **auto},
        floods={"command": "yes", **auto},
        loops={"command": python(CRASHES), "backoff_s": 3600, "backoff_max_s": 3600, **auto},
    )
    pids = family(daemon, "family")
    for name in ("patient", "stubborn", "hangs"):
        said(daemon, name, lambda lines: "up" in lines)
    said(daemon, "floods", lambda lines: len(lines) == 400)
    deadline = time.monotonic() + GENEROUS_S
    while (
        len(keepers(daemon)) != 6 or info(daemon, "loops")["state"] != "backoff"
    ):  # the daemon's, and one for each running service
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = psutil.Process(daemon_pid(daemon)).children(recursive=True)
    return daemon, [*pids, *(child.pid for child in children)]


def keepers(daemon: Daemon) -> list[psutil.Process]:
    """The keeper and its overseers, which end services after the daemon was killed."""
    found: list[psutil.Process] = []
    for child in psutil.Process(daemon_pid(daemon)).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # the child has just ended
            found += [child] if any(word.endswith("keeper.py") for word in child.cmdline()) else []
    return found


def test_an_ordered_stop_ends_them_all_in_time(serve: Callable[..., Daemon]) -> None:
    daemon, pids = stubborn_house(serve)
    assert daemon.stop(within_s=GENEROUS_S) == 0
    assert gone(pids)


def test_a_stop_while_one_is_being_stopped_does_not_wait_for_it(serve: Callable[..., Daemon]) -> None:
    daemon = serve(slow={"command": python(STUBBORN), "stop_timeout_s": 3600})
    pid = run(daemon, "slow")
    assert ask(daemon, "slow", "stop")["state"] == "stopping"
    assert daemon.stop(within_s=GENEROUS_S) == 0
    assert gone([pid])


def test_killed_with_9_the_daemon_leaves_none_of_them(serve: Callable[..., Daemon]) -> None:
    daemon, pids = stubborn_house(serve)
    daemon.kill()
    assert gone(pids)


def test_what_even_their_keepers_could_not_end_goes_at_the_next_start(serve: Callable[..., Daemon]) -> None:
    daemon, pids = stubborn_house(serve)
    kept = keepers(daemon)
    for keeper in kept:
        keeper.suspend()
    daemon.kill()
    for keeper in kept:
        keeper.kill()
    assert sum(map(living, pids)) >= 5
    left = [psutil.Process(pid) for pid in pids if living(pid)]
    marked: list[int] = []
    for one in left:
        with contextlib.suppress(psutil.Error):
            marked += [one.pid] if "ASTER_TOOL_CALL" in one.environ() else []
    assert len(marked) >= 5, "all except the members of the family that cleared their environment"
    try:
        daemon.start()
        assert gone(marked)
        assert set(family(daemon, "family")).isdisjoint(pids)
    finally:
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def test_an_instance_of_an_earlier_life_does_not_stand_in_the_way(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    source = LOCKS + "time.sleep(600)"
    daemon = serve(locks={"command": python(source, str(tmp_path / "lock")), "autostart": True})
    said(daemon, "locks", lambda lines: "ready" in lines)
    daemon.restart()
    with daemon.watch(after=0) as watcher:
        until(watcher, "locks", "running")
        said(daemon, "locks", lambda lines: "ready" in lines)
    lines = said(daemon, "locks", lambda lines: "ready" in lines)
    assert lines == ["ready"]


def test_a_wrong_table_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "config.toml").write_text('[services.search]\ncommand = "x"\nautostart = "yes"\n')
    told = subprocess.run(
        [sys.executable, "-m", "aster_sidecar", "--port", "0", "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        timeout=GENEROUS_S,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )
    assert told.returncode == 5
    assert "[services.search] autostart = 'yes'" in told.stderr
    assert "allowed: true, false" in told.stderr


@linux
def test_a_daemon_whose_services_are_quiet_sleeps(serve: Callable[..., Daemon]) -> None:
    daemon = serve(patient={"command": python(PATIENT), "autostart": True})
    said(daemon, "patient", lambda lines: lines == ["up"])
    daemon.ask("warm up")
    tasks = Path(f"/proc/{daemon_pid(daemon)}/task")

    def switches() -> int:
        lines: list[str] = []
        for place in tasks.iterdir():
            with contextlib.suppress(OSError):  # a thread that has just ended
                lines += (place / "status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))

    with daemon.watch():
        # Work of the turn may still be running, so there are several tries. A polling daemon never has three quiet
        # seconds.
        deadline = time.monotonic() + GENEROUS_S
        while True:
            before = switches()
            time.sleep(3)
            if switches() - before <= 8:
                break
            assert time.monotonic() < deadline
