"""The agent's browser, for real: turned on, used in a page, refused what is not allowed, killed, turned off."""

from __future__ import annotations

import http.server
import json
import os
import re
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import provider_environment
from tests.flows.test_cli import ask, examined
from tests.flows.test_life import wait_gone
from tests.flows.test_mcp_managed import ends, saved, until, until_state
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, ProviderDouble, Reply

SERVER = Path(__file__).parents[2] / "shells" / "node_modules" / "@playwright" / "mcp" / "cli.js"
CHROMIUM = Path("/usr/bin/chromium")
PAGE = b"""<!doctype html><title>Counter</title><h1>Counter</h1>
<button onclick="this.textContent = 'Pressed ' + ++n">Press me</button><script>let n = 0</script>"""
FILES = b"""<!doctype html><title>Files</title><a href="/report.csv">Get the report</a>
<label>Your file <input type="file" onchange="this.files[0].text().then((text) => document.title = text)"></label>"""

pytest.importorskip("mcp")
pytestmark = pytest.mark.skipif(
    not (SERVER.exists() and CHROMIUM.exists()) and os.environ.get("CI") != "true",
    reason="it needs Chromium and the npm packages of shells/",
)


@pytest.fixture
def site() -> Generator[int]:
    """The port of a page."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.2:8999/secret")
                self.end_headers()
                return
            self.send_response(200)
            report = self.path == "/report.csv"
            self.send_header("Content-Type", "text/csv" if report else "text/html")
            if report:
                self.send_header("Content-Disposition", 'attachment; filename="report.csv"')
            self.end_headers()
            self.wfile.write(b"a,b\n1,2\n" if report else FILES if self.path == "/files" else PAGE)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def daemon(launch: Callable[..., Daemon], provider: ProviderDouble) -> Daemon:
    environment = {"ASTER_BROWSER": str(CHROMIUM), "ASTER_BROWSER_MCP": str(SERVER)}
    daemon = launch(environment=provider_environment(provider) | environment)
    daemon.config(permission_mode="auto_approve")
    return daemon


def called(daemon: Daemon, provider: ProviderDouble, name: str, session_id: str | None = None, **given: Any) -> Json:
    provider.script(Reply([Call(name, given)]), "Done.")
    [end] = ends(daemon.ask("use the browser", **({"session_id": session_id} if session_id else {})))
    return end


def words(end: Json) -> str:
    return json.dumps([end.get("result"), end.get("error")])


def test_it_is_off_until_it_is_turned_on(daemon: Daemon) -> None:
    info = daemon.call("GET", "/api/browser")
    assert (info["enabled"], info["server"], info["program"]) == (False, None, str(CHROMIUM))
    assert daemon.call("GET", "/api/snapshot")["browser"] == info
    assert daemon.call("GET", "/api/mcp") == []
    assert daemon.process is not None
    assert not [one for one in psutil.Process(daemon.process.pid).children(True) if "node" in one.name()]
    assert not (daemon.data_dir / "browser").exists()


def test_a_page_is_opened_clicked_read_and_shown_and_nothing_else_can_be_reached(
    daemon: Daemon, provider: ProviderDouble, site: int
) -> None:
    on = daemon.call("POST", "/api/browser", {"enabled": True, "headless": True, "allow": [f"127.0.0.1:{site}"]})
    assert (on["enabled"], on["allow"], on["problem"]) == (True, [f"127.0.0.1:{site}"], None)
    found = until_state(daemon, "ready", "browser")
    names = {tool["name"] for tool in daemon.call("GET", "/api/tools")}
    assert {"browser_navigate", "browser_click", "browser_take_screenshot"} <= names
    assert not [name for name in names if "unsafe" in name]
    risks = {tool["tool"]: tool["risk"] for tool in found["tool_list"] if tool["enabled"]}
    assert (risks["browser_navigate"], risks["browser_click"], risks["browser_snapshot"]) == ("high", "medium", "low")

    home = f"http://127.0.0.1:{site}/"
    opened = called(daemon, provider, "browser_navigate", url=home)
    assert opened["outcome"] == "done", opened
    seen = words(called(daemon, provider, "browser_snapshot"))
    assert "Press me" in seen
    [reference] = re.findall(r"Press me.{0,40}?ref=(e\d+)", seen)
    pressed = called(daemon, provider, "browser_click", element="the button", target=reference)
    assert pressed["outcome"] == "done", pressed
    assert "Pressed 1" in words(called(daemon, provider, "browser_snapshot"))
    [picture] = called(daemon, provider, "browser_take_screenshot", type="png")["attachments"]
    assert picture["media_type"] in ("image/png", "image/jpeg")
    assert "image" in json.dumps(provider.requests[-1].body)

    for address in (
        f"http://localhost:{site}/",
        "http://127.0.0.1:8999/",
        "http://[::1]:8999/",
        f"{home}away",
        daemon.url,
    ):
        refused = called(daemon, provider, "browser_navigate", url=address)
        assert "nobody has allowed it" in words(refused), (address, refused)
        assert "Counter" not in words(called(daemon, provider, "browser_snapshot"))
    assert "127.0.0.2" in json.dumps(daemon.call("GET", "/api/browser")["refused"])
    for address in ("file:///etc/passwd", "view-source:file:///etc/passwd", "chrome://settings"):
        assert called(daemon, provider, "browser_navigate", url=address)["outcome"] == "failed", address

    pid = daemon.call("GET", "/api/mcp/browser")["pid"]
    tree = psutil.Process(pid).children(recursive=True)
    for process in [psutil.Process(pid), *tree]:
        if process.is_running():
            process.kill()
    until(lambda: daemon.call("GET", "/api/mcp/browser")["pid"] not in (None, pid), "it did not come back")
    until_state(daemon, "ready", "browser")
    assert called(daemon, provider, "browser_navigate", url=home)["outcome"] == "done"

    pid = daemon.call("GET", "/api/mcp/browser")["pid"]
    tree = psutil.Process(pid).children(recursive=True)
    assert any("chrom" in process.name() for process in tree)
    off = daemon.call("POST", "/api/browser", {"enabled": False})
    assert (off["enabled"], off["server"]) == (False, None)
    assert all(wait_gone(process.pid, 30) for process in tree)
    assert "browser_navigate" not in {tool["name"] for tool in daemon.call("GET", "/api/tools")}


def test_files_are_those_of_the_conversation(
    daemon: Daemon, provider: ProviderDouble, site: int, tmp_path: Path
) -> None:
    daemon.call("POST", "/api/browser", {"enabled": True, "headless": True, "allow": [f"127.0.0.1:{site}"]})
    until_state(daemon, "ready", "browser")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mine.txt").write_text("words of mine")
    (folder / ".env").write_text("KEY=1")
    session = daemon.call("POST", "/api/sessions", {"agent_id": "default", "work_dir": str(folder)})["session_id"]

    def use(name: str, **given: Any) -> str:
        end = called(daemon, provider, name, session, **given)
        assert end["outcome"] == "done", end
        return words(end)

    def reference(name: str) -> str:
        return re.findall(rf"{name}.{{0,60}}?ref=(e\d+)", use("browser_snapshot"))[0]

    use("browser_navigate", url=f"http://127.0.0.1:{site}/files")
    said = use("browser_click", element="the link", target=reference("Get the report"))
    saved = folder / "downloads" / "report.csv"
    deadline = time.monotonic() + 30
    while not saved.exists():
        assert time.monotonic() < deadline, said
        said = use("browser_wait_for", time=0.2)
    assert str(saved) in said
    assert saved.read_text() == "a,b\n1,2\n"
    assert not (daemon.work_dir / "downloads").exists()

    picture = folder / "downloads" / "page.png"
    assert str(picture) in use("browser_take_screenshot", type="png", filename="page.png")
    assert picture.read_bytes().startswith(b"\x89PNG")

    use("browser_click", element="the field", target=reference("Your file"))
    refused = called(daemon, provider, "browser_file_upload", session, paths=[str(folder / ".env")])
    assert "the browser gets no files that may hold secrets" in words(refused)
    use("browser_file_upload", paths=["mine.txt"])
    assert "words of mine" in use("browser_snapshot")


def test_an_address_is_asked_for_and_its_site_can_be_remembered(
    daemon: Daemon, provider: ProviderDouble, site: int
) -> None:
    daemon.config(permission_mode="smart_approve")
    daemon.call("POST", "/api/browser", {"enabled": True, "headless": True, "allow": [f"127.0.0.1:{site}"]})
    until_state(daemon, "ready", "browser")
    provider.script(Reply([Call("browser_navigate", {"url": f"http://127.0.0.1:{site}/one"})]), "Done.")
    with daemon.watch() as watcher:
        daemon.chat("open it")
        question = watcher.until("approval_required")[-1]["data"]
        assert f"http://127.0.0.1:{site}/one" in question["summary"]
        daemon.approve(question["call_id"], "allow_always")
        watcher.until("done")
    assert called(daemon, provider, "browser_navigate", url=f"http://127.0.0.1:{site}/two")["outcome"] == "done"
    pids = [process.pid for process in psutil.Process(daemon.call("GET", "/api/mcp/browser")["pid"]).children(True)]
    assert daemon.stop() == 0
    assert all(wait_gone(pid, 30) for pid in pids)


def test_what_is_wrong_is_said(daemon: Daemon) -> None:
    refused = daemon.refused("POST", "/api/browser", {"allow": ["not a host"]})
    assert refused.code == "config_invalid"
    assert "browser" not in saved(daemon)
    daemon.call("PUT", "/api/mcp/browser", {"command": "something"})
    assert "rename [mcp.browser]" in daemon.refused("POST", "/api/browser", {"enabled": True}).body["hint"]
    daemon.call("POST", "/api/flags", {"browser": True})
    assert daemon.call("GET", "/api/snapshot")["browser"]["server"] is None
    daemon.call("DELETE", "/api/mcp/browser")
    assert daemon.call("GET", "/api/snapshot")["browser"]["server"]["managed"], "the name is free now"
    daemon.call("POST", "/api/browser", {"headless": True})
    assert "POST /api/browser" in daemon.refused("PATCH", "/api/mcp/browser", {"risk": "low"}).body["hint"]
    daemon.kill()
    daemon.environment["ASTER_BROWSER"] = "/no/such/browser"
    daemon.start()
    found = until_state(daemon, "backoff", "browser")
    assert "ASTER_BROWSER is set to /no/such/browser" in found["error"]
    assert "ASTER_BROWSER" in daemon.call("GET", "/api/browser")["problem"]


def test_the_terminal_turns_it_on_and_off(daemon: Daemon) -> None:
    told = ask(daemon, "browser")
    assert told.code == 0, told.err
    assert "browser    off" in told.out
    assert str(CHROMIUM) in told.out
    told = ask(daemon, "browser", "enable", "--allow", "localhost:3000", "--no-windows", "--isolated")
    assert told.code == 0, told.err
    assert "public addresses, localhost:3000" in told.out
    assert "forgotten when it ends" in told.out
    until_state(daemon, "ready", "browser")
    assert json.loads(ask(daemon, "browser", "--json").out)["server"]["state"] == "ready"
    checked = examined(ask(daemon, "doctor", "--no-model", "--json"))["browser"]
    assert checked["status"] == "ok", checked
    assert re.match(rf"ready \(\d+ tools\), with {CHROMIUM}", checked["detail"])
    told = ask(daemon, "browser", "enable", "--disallow", "localhost:3000")
    assert "localhost" not in told.out
    wrong = ask(daemon, "browser", "enable", "--allow", "no host")
    assert wrong.code == 1
    assert "is not a host that can be allowed" in wrong.err
    assert "browser    off" in ask(daemon, "browser", "disable").out
