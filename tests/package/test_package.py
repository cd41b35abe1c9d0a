"""The frozen daemon, as an app ships it: it does what the unfrozen one does, without access to the checkout.

`make package` builds it into dist/; ASTER_PACKAGE names another directory.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from aster_sidecar import __version__
from aster_sidecar.api.diagnostics_bundle import LIBRARIES
from tests.conftest import PROTOCOLS, provider_environment
from tests.flows.test_agents import agent_of, put, snippet
from tests.flows.test_companion import SessionBus
from tests.flows.test_life import wait_gone
from tests.support.daemon import WAIT_S, Daemon, Json, text_of
from tests.support.provider import Call, ProviderDouble, Reply, Say
from tests.support.seed import HOST, PORTS, cut, missing, seed_ports
from tests.support.terminal import Pane

pytestmark = pytest.mark.timeout(180)
FOLDER = Path(os.environ.get("ASTER_PACKAGE") or Path(__file__).parents[2] / "dist" / "aster-desktop").absolute()
PROGRAM = FOLDER / "aster-desktop"
INSIDE = FOLDER / "_internal"
MOST_BYTES = 90_000_000
TOKEN = "a-token-that-is-long-enough"


@pytest.fixture(autouse=True)
def needs_the_package() -> None:
    if not PROGRAM.exists():
        missing(f"no frozen daemon: {PROGRAM} is not there (make package builds it)")


@pytest.fixture
def frozen(launch: Callable[..., Daemon], tmp_path: Path) -> Callable[..., Daemon]:
    """Start the frozen daemon with a separate home."""

    def start(environment: dict[str, str] | None = None, **fields: object) -> Daemon:
        return launch(package=PROGRAM, environment={"HOME": str(tmp_path), **(environment or {})}, **fields)

    return start


def run(home: Path, *words: str, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """One command of the frozen program, in an empty environment."""
    variables = {"PATH": os.defpath, "HOME": str(home), **environment}
    return subprocess.run([PROGRAM, *words], cwd=home, input=given, env=variables, capture_output=True, timeout=120)


def result_of(daemon: Daemon, name: str, arguments: Json, agent_id: str = "default") -> Json:
    """The result of a tool that the demo model calls without asking for permission."""
    daemon.config(permission_mode="auto_approve")
    events = daemon.ask(f"call {name} {json.dumps(arguments)}", agent_id=agent_id)
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert end["outcome"] == "done", end
    return end["result"]


def words(text: str) -> list[str]:
    return text.split()


# -- what the package contains -----------------------------------------------------------------------------------------

PROBE = '''
import importlib, importlib.metadata, importlib.util, json, math, multiprocessing, sys
from aster_sidecar import Agent, Sidecar, tool

def imported(name):
    try:
        importlib.import_module(name)
        return ""
    except ImportError as error:
        return str(error)

@tool(risk="low")
def look(libraries: list[str], modules: list[str]) -> str:
    """Look around."""
    return json.dumps({
        "path": sys.path,
        "versions": {name: importlib.metadata.version(name) for name in libraries},
        "imported": {name: imported(name) for name in modules},
        "library": {name: importlib.util.find_spec(name) is not None for name in sys.stdlib_module_names},
    })

@tool(risk="low")
def elsewhere() -> str:
    """Count in another process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return str(pool.apply(math.factorial, (5,)))

sidecar = Sidecar(agents=[Agent("prober", "You look around.", tools=[look, elsewhere])])
'''
PRESENT = words(
    """openai anthropic pydantic_ai.models.openai pydantic_ai.models.anthropic keyring.backends.SecretService sqlite3
    csv zoneinfo decimal xml.etree.ElementTree multiprocessing.pool concurrent.futures unittest.mock ctypes.util
    email.mime.text http.server smtplib tomllib graphlib statistics difflib wsgiref.simple_server dbm.dumb"""
)
ABSENT = words(
    """pytest hypothesis schemathesis playwright ruff pyright uv PyInstaller pip setuptools hatchling tkinter idlelib
    tests bench readline _gdbm tiktoken"""
)
EXTRAS = {
    "mcp": words("mcp mcp.client.stdio pydantic_ai.mcp"),
    "google": words("google.genai pydantic_ai.models.google"),
    "otel": words("opentelemetry.sdk aster_sidecar.telemetry.otel"),
}
"""The modules of each extra; `make package EXTRAS=…` names the ones that are in."""
WANTED = words(os.environ.get("EXTRAS", ""))
LEFT_OUT = words(
    """antigravity distutils ensurepip idlelib lib2to3 msilib nis pydoc_data readline this tkinter turtle turtledemo
    venv msvcrt nt winreg winsound"""
)


def test_it_has_python_s_library_and_the_providers_and_nothing_else(
    frozen: Callable[..., Daemon], tmp_path: Path
) -> None:
    put(tmp_path / "a" / "work", "probe.py", PROBE)
    daemon = frozen(arguments=["--app", "probe:sidecar"])
    libraries = [name for name in LIBRARIES if name != "mcp" or name in WANTED]
    present = [*PRESENT, *(module for extra in WANTED for module in EXTRAS[extra])]
    absent = [*ABSENT, *(module for extra in EXTRAS.keys() - set(WANTED) for module in EXTRAS[extra])]
    told = json.loads(
        result_of(daemon, "look", {"libraries": libraries, "modules": [*present, *absent]}, agent_id="prober")
    )
    assert {name: told["imported"][name] for name in present} == dict.fromkeys(present, "")
    assert [name for name in absent if not told["imported"][name]] == []
    assert set(told["versions"]) == set(libraries)
    lost = {name for name, there in told["library"].items() if not there and not name.startswith("_")}
    assert lost - set(LEFT_OUT) == set()
    assert all(Path(entry).is_relative_to(INSIDE) for entry in told["path"] if entry != str(daemon.work_dir))
    if sys.platform == "linux":
        assert daemon.process is not None
        loaded = {one.path for one in psutil.Process(daemon.process.pid).memory_maps(grouped=True)}
        assert [path for path in loaded if path.startswith((sys.prefix, sys.base_prefix))] == []
    assert result_of(daemon, "elsewhere", {}, agent_id="prober") == "120"


def test_it_is_no_larger_than_it_may_be_and_brings_the_licenses() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file() and not path.is_symlink()]
    assert WANTED or sum(path.stat().st_size for path in files) <= MOST_BYTES
    assert (INSIDE / "LICENSE").read_bytes() == (Path(__file__).parents[2] / "LICENSE").read_bytes()
    said = [path for path in files if re.match(r"(licen[sc]e|copying|notice)", path.name, re.IGNORECASE)]
    assert {"openai", "anthropic", "cryptography", "pydantic_core"} <= {
        path.relative_to(INSIDE).parts[0].split("-")[0] for path in said
    }


# -- a turn ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_approval_outlives_kill_9_and_the_tool_runs_once(
    frozen: Callable[..., Daemon], provider: ProviderDouble, protocol: str
) -> None:
    daemon = frozen(provider_environment(provider, PROTOCOLS[protocol]))
    provider.script(
        Reply([Say("I'll run it."), Call("run_command", {"command": "echo ran >> marks; cat marks"})]),
        Reply([Say("It ran.")]),
    )
    with daemon.watch() as watcher:
        daemon.chat("please run it")
        required = watcher.until("approval_required")[-1]
    assert not (daemon.work_dir / "marks").exists()
    daemon.restart()
    [pending] = daemon.call("GET", "/api/approvals")
    assert pending["call_id"] == required["data"]["call_id"]
    with daemon.watch(after=required["seq"]) as watcher:
        daemon.approve(pending["call_id"])
        events = watcher.until("done")
    assert events[-1]["data"]["stop_reason"] == "complete"
    assert (daemon.work_dir / "marks").read_text() == "ran\n"
    assert [message["text"] for message in daemon.history()] == ["please run it", "I'll run it.\n\nIt ran."]
    assert provider.requests[-1].tool_results[-1][1].count("exit_code")


def test_killed_in_the_middle_of_an_answer_it_loses_nothing_that_was_seen(
    frozen: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = frozen(provider_environment(provider))
    gate = threading.Event()
    provider.script(Reply([Say("One two three four five six.", chunk=4)], gate=gate, gate_at=4), Reply([Say("Fine.")]))
    with daemon.watch() as watcher:
        daemon.chat("count")
        while len(text_of(watcher.events)) < 12:
            watcher.next()
        seen = watcher.events.copy()
    daemon.restart()
    gate.set()
    with daemon.watch(after=seen[-1]["seq"]) as watcher:
        ended = watcher.until("done")
    assert ended[-1]["data"]["stop_reason"] == "interrupted"
    whole = text_of([*seen, *ended])
    assert whole.startswith(text_of(seen))
    assert daemon.history()[-1]["text"] == whole
    assert text_of(daemon.ask("go on")) == "Fine."


def test_it_shows_the_page(frozen: Callable[..., Daemon]) -> None:
    if not (INSIDE / "aster_sidecar" / "webui" / "index.html").exists():
        missing("the page is not in the package (make ui builds it, with Node, before it is frozen)")
    daemon = frozen()
    with httpx.Client(base_url=daemon.url, trust_env=False, verify=False, timeout=WAIT_S) as client:
        page = client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        [script] = re.findall(r'src="\.(/assets/[^"]+\.js)"', page.text)
        asset = client.get(script)
    assert asset.headers["content-type"].startswith("text/javascript")
    assert asset.content == (INSIDE / "aster_sidecar" / "webui" / script.lstrip("/")).read_bytes()


# -- what it starts ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="the loader's variables are Linux's")
@pytest.mark.parametrize("own", [None, "/opt/own/lib:/opt/more"])
def test_a_tool_gets_the_person_s_environment_and_not_the_loader_s(
    frozen: Callable[..., Daemon], own: str | None
) -> None:
    daemon = frozen({"LD_LIBRARY_PATH": own} if own is not None else {})
    told = result_of(daemon, "run_command", {"command": "env"})["stdout"].splitlines()
    assert not [row for row in told if re.match(r"_PYI|_MEI|LD_LIBRARY_PATH_ORIG", row) or str(FOLDER) in row]
    assert [row for row in told if row.startswith("LD_")] == ([f"LD_LIBRARY_PATH={own}"] if own is not None else [])


def name_of(process: psutil.Process) -> str:
    """The process's name; "" if it has just ended."""
    try:
        return process.name()
    except psutil.Error:
        return ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_so_do_its_services(frozen: Callable[..., Daemon], tmp_path: Path) -> None:
    put(tmp_path / "a" / "data", "config.toml", '[services.sleeper]\ncommand = ["sleep", "60"]\nautostart = true\n')
    daemon = frozen()
    assert daemon.process is not None
    deadline = time.monotonic() + 40
    while not (
        found := [one for one in psutil.Process(daemon.process.pid).children(recursive=True) if name_of(one) == "sleep"]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    told = found[0].environ()
    assert not [name for name in told if name.startswith(("_PYI", "_MEI", "LD_"))]
    assert daemon.stop() == 0
    assert wait_gone(found[0].pid, 30)


def test_its_workers_search_and_make_markdown(frozen: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = frozen()
    (daemon.work_dir / "a.txt").write_text("one\ntwo\n")
    assert "a.txt" in json.dumps(result_of(daemon, "search_files", {"pattern": "tw."}))
    told = run(tmp_path, "--tool-worker", "aster_sidecar.tools.web.markdown_worker", given=b"<h1>x</h1>")
    assert told.stdout == b"# x"


def test_the_terminal_starts_a_daemon_of_its_own(tmp_path: Path) -> None:
    pane = Pane(["chat", "--data-dir", str(tmp_path / "data")], tmp_path, {"HOME": str(tmp_path)}, package=PROGRAM)
    try:
        assert "started for this chat" in pane.until_prompt()
        told = json.loads((tmp_path / "data" / "sidecar.json").read_text())
        assert Path(psutil.Process(told["pid"]).exe()) == PROGRAM
        pane.type("hello")
        assert "I am the demo model" in pane.until("tokens in")
        pane.until_prompt(2)
        pane.key("C-d")
        assert pane.exit_code() == 0
        assert wait_gone(told["pid"], 30)
    finally:
        pane.close()


# -- what an app and a person add --------------------------------------------------------------------------------------


def test_the_readme_s_app_in_python_runs(frozen: Callable[..., Daemon], tmp_path: Path) -> None:
    put(tmp_path / "a" / "work", "garden.py", snippet())
    daemon = frozen(arguments=["--app", "garden:sidecar"])
    assert result_of(daemon, "water", {"plant": "the fern"}, agent_id="gardener") == "the fern has had 0.5 l"


def test_an_agent_in_a_file_is_there(frozen: Callable[..., Daemon], tmp_path: Path) -> None:
    put(tmp_path / "a" / "data" / "agents", "reviewer.yaml", "instructions: You review.\ntools: [read_file]\n")
    assert agent_of(frozen(), "reviewer")["tools"] == ["read_file"]


def test_keys_are_kept_in_the_keychain(frozen: Callable[..., Daemon], tmp_path: Path) -> None:
    bus = SessionBus(tmp_path)
    try:
        daemon = frozen({"DBUS_SESSION_BUS_ADDRESS": bus.address})
        kept = daemon.call("PUT", "/api/secrets/openai", {"value": "sk-kept-in-the-keychain"})
        assert (kept["source"], kept["protected"]) == ("keychain", True)
        assert daemon.call("DELETE", "/api/secrets/openai")["set"] is False
    finally:
        bus.end()


def test_each_command_runs(tmp_path: Path) -> None:
    for said, expected in {
        ("--version",): f"aster-sidecar {__version__}",
        ("version",): __version__,
        ("--help",): "--supervised",
        ("paths",): str(tmp_path),
        ("agents",): "default",
        ("config",): "permission_mode",
        ("completion", "bash"): "complete",
        ("trust",): "",
    }.items():
        told = run(tmp_path, *said)
        assert (told.returncode, b"Traceback" in told.stderr) == (0, False), said
        assert expected in told.stdout.decode(), said
    told = run(tmp_path, "doctor", "--json", "--port", "0")
    checks = {check["name"]: check["status"] for check in json.loads(told.stdout)["checks"]}
    assert checks["libraries"] == "ok"
    assert "failed" not in checks.values(), told.stdout


# -- life and death ----------------------------------------------------------------------------------------------------


def test_it_is_one_process_that_says_when_it_is_ready_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    process = subprocess.Popen(
        [PROGRAM, "--supervised", "--framework", "tauri", "--port", "0", "--data-dir", str(tmp_path / "data")],
        cwd=tmp_path / "work",
        env={"PATH": os.defpath, "HOME": str(tmp_path), "ASTER_MODEL": "demo:instant"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"token": TOKEN}).encode() + b"\n")
        process.stdin.flush()
        ready = json.loads(process.stdout.readline())
        assert (ready["event"], ready["pid"], ready["version"]) == ("ready", process.pid, __version__)
        assert psutil.Process(process.pid).children() == []
        client = Daemon(tmp_path, token=TOKEN, url=ready["url"])
        client.config(permission_mode="auto_approve", sandbox="off")  # it reads a pid
        with client.watch() as watcher:
            client.chat("run `setsid sleep 61 & echo $!; sleep 60`")
            child = int(watcher.until("tool_progress")[-1]["data"]["delta"].split()[0])
            process.terminate()
            assert process.wait(30) == 0
            assert watcher.ended()
        assert wait_gone(child, 30)
        assert not (tmp_path / "data" / "sidecar.json").exists()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


# Replaces the crate of that name, so that the seed's program compiles without changes.
TAURI = """
mod tauri {
    pub struct Builder;
    impl Builder {
        pub fn default() -> Self { Builder }
        pub fn run(self, _context: ()) -> Result<(), ()> { loop { std::thread::park() } }
    }
    macro_rules! generate_context { () => { () } }
    pub(crate) use generate_context;
}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="spawns as the seed's Rust does on Linux")
def test_the_seed_s_rust_starts_it_and_takes_it_along_when_killed(tmp_path: Path) -> None:
    rustc = shutil.which("rustc") or missing("rustc is not installed")
    source = tmp_path / "main.rs"
    code = cut("// src-tauri/main.rs", "// src/api.js")
    assert b'Command::new("./aster-desktop")\n.args(["--framework", "tauri", "--port", "9528"])' in code
    source.write_bytes(code + TAURI.encode())
    compiled = subprocess.run(
        [rustc, "--edition", "2021", source, "-o", tmp_path / "app"], capture_output=True, text=True, timeout=120
    )
    assert compiled.returncode == 0, compiled.stderr
    variables = {"PATH": os.defpath, "HOME": str(tmp_path), "ASTER_MODEL": "demo:instant"}
    with seed_ports(), open(tmp_path / "app.log", "ab") as log:
        app = subprocess.Popen([tmp_path / "app"], cwd=FOLDER, env=variables, stdout=log, stderr=log)
        daemon = None
        try:
            told = written(tmp_path / ".local" / "share" / "aster" / "sidecar.json", app)
            [daemon] = psutil.Process(app.pid).children()
            assert (told["pid"], told["port"], Path(daemon.exe())) == (daemon.pid, PORTS["tauri"], PROGRAM)
            client = Daemon(tmp_path, url=f"http://{HOST}:{PORTS['tauri']}")
            assert client.raw("GET", "/health")[1]["instance_id"] == told["instance_id"]
            assert client.ask("hello")[-1]["data"]["stop_reason"] == "complete"
            app.kill()
            assert wait_gone(daemon.pid, 30), "the daemon kept running"
        finally:
            started = psutil.Process(app.pid).children() if app.poll() is None else []
            app.kill()
            app.wait(10)
            for one in {*started, *([daemon] if daemon is not None else [])}:
                if one.is_running():
                    one.kill()


def written(path: Path, by: subprocess.Popen[bytes], within_s: float = 40.0) -> Json:
    """The JSON in a file, once it exists."""
    deadline = time.monotonic() + within_s
    while not path.exists():
        assert by.poll() is None
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)
    return json.loads(path.read_text())
