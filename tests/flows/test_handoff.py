"""Opening the UI in a browser: the link works once, for a minute; the access ends with the daemon, or sooner."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from aster_sidecar.api import browser_login
from aster_sidecar.errors import HandoffRefused
from aster_sidecar.http import static_ui
from tests.support.daemon import Daemon, Json
from tests.support.raw import exchange

TOKEN = "a-token-of-the-launcher"


@pytest.fixture
def ui() -> None:
    if not (static_ui.FOLDER / "index.html").exists():
        assert shutil.which("node") is None or os.environ.get("CI") != "true", "make test builds the web UI first"
        pytest.skip("the web UI is not built: make ui, which needs Node")


def get(daemon: Daemon, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False, verify=False, timeout=20) as client:
        return client.get(daemon.url + path, headers=headers)


def redeem(daemon: Daemon, code: str, **headers: str) -> tuple[int, Json]:
    with httpx.Client(trust_env=False, verify=False, timeout=20) as client:
        answer = client.post(f"{daemon.url}/api/handoff/redeem", json={"code": code}, headers=headers)
    return answer.status_code, answer.json()


def code_of(url: str, daemon: Daemon) -> str:
    found = re.fullmatch(rf"http://127\.0\.0\.1:{daemon.port}/#handoff=([A-Za-z0-9_-]{{43}})", url)
    assert found is not None, url
    return found[1]


@pytest.mark.usefixtures("ui")
def test_a_link_signs_one_browser_in_once(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token=TOKEN, framework="tauri")
    session_id = daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    assert get(daemon, "/").status_code == 401  # no link was made, so no page is served
    link = daemon.call("POST", "/api/handoff", {"section": "approvals", "session_id": session_id})
    assert get(daemon, "/").status_code == 200
    code = code_of(link["url"], daemon)
    origin = {"Origin": f"http://127.0.0.1:{daemon.port}"}
    status, answer = redeem(daemon, code, **origin)
    assert status == 200
    assert (answer["data"]["section"], answer["data"]["session_id"]) == ("approvals", session_id)
    bearer = {"Authorization": f"Bearer {answer['data']['bearer']}", **origin}
    assert get(daemon, "/api/agents", **bearer).status_code == 200
    assert get(daemon, "/webui/bootstrap", **bearer).json()["data"]["runtime_surface"] == "browser"
    assert daemon.call("GET", "/webui/bootstrap")["runtime_surface"] == "native"
    for again in (code, "wrong", "ü"):
        status, refused = redeem(daemon, again, **origin)
        assert (status, refused["code"]) == (410, "handoff_refused")
    assert (
        next(one["state"] for one in daemon.call("GET", "/api/onboarding")["steps"] if one["id"] == "handoff") == "done"
    )
    assert code not in daemon.log
    assert answer["data"]["bearer"] not in (daemon.data_dir / "logs" / "aster.log").read_text("utf-8")
    daemon.restart()
    assert get(daemon, "/api/agents", **bearer).status_code == 401


@pytest.mark.usefixtures("ui")
def test_a_browser_can_be_signed_out_and_its_stream_ends(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token=TOKEN)
    code = code_of(daemon.call("POST", "/api/handoff", {})["url"], daemon)
    data = redeem(daemon, code)[1]["data"]
    browser = Daemon(daemon.home, token=data["bearer"], url=daemon.url, port=daemon.port)
    (listed,) = daemon.call("GET", "/api/handoff")
    assert listed["bearer_id"] == data["bearer_id"]
    with browser.watch() as watcher, daemon.watch() as other:
        daemon.call("DELETE", f"/api/handoff/{data['bearer_id']}")
        assert watcher.ended()
        assert browser.raw("GET", "/api/agents")[0] == 401
        daemon.ask("hello")
        other.until("done")
    assert daemon.call("GET", "/api/handoff") == []
    assert daemon.refused("DELETE", f"/api/handoff/{data['bearer_id']}").code == "bearer_not_found"
    assert "Traceback" not in daemon.log


def test_a_code_lives_a_minute_and_there_are_never_many() -> None:
    now = 0.0
    handoffs = browser_login.Handoffs(lambda: now)
    first, second = handoffs.mint(), handoffs.mint()
    now = browser_login.CODE_S - 0.1
    assert handoffs.redeem(first).bearer
    now = browser_login.CODE_S + 0.1
    with pytest.raises(HandoffRefused):
        handoffs.redeem(second)
    codes = [handoffs.mint() for _ in range(browser_login.MOST_CODES + 1)]
    with pytest.raises(HandoffRefused):
        handoffs.redeem(codes[0])
    bearers = [handoffs.redeem(code) for code in codes[1:]]
    assert len(handoffs.list()) == browser_login.MOST_BEARERS == len(bearers)
    assert handoffs.find(bearers[0].bearer.encode()) is not None
    assert handoffs.find(b"") is None


@pytest.mark.usefixtures("ui")
def test_the_page_is_served_with_a_strict_policy_and_nothing_beside_it(launch: Callable[..., Daemon]) -> None:
    daemon = launch(token=TOKEN)
    page = get(daemon, "/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assets = re.findall(r'(?:src|href)="\.?/?(assets/[^"]+)"', page.text)
    assert assets
    for asset in assets:
        answer = get(daemon, f"/{asset}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    for path in (
        "/assets/",
        "/assets/../../keys.json",
        "/assets/%2e%2e/%2e%2e/http/app.py",
        "/assets//index.html",
        "/index.html/",
        "/./index.html",
        "//index.html",
        "/aster.db",
        f"/{assets[0]}/..",
    ):
        asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\n\r\n"
        assert exchange(daemon.port, asked.encode()).status == 401, path
    foreign = get(daemon, "/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert foreign.status_code == 403
    assert get(daemon, "/", Host="evil.example").status_code == 421
    with httpx.Client(trust_env=False, verify=False, timeout=20) as client:
        assert client.post(daemon.url + "/", json={}).status_code == 401
        head = client.head(daemon.url + "/")
        assert (head.status_code, head.content) == (200, b"")


def test_without_a_built_ui_it_says_so(tmp_path: Path) -> None:
    nothing = static_ui.Pages(lambda: True, tmp_path / "no")
    assert not nothing.built
    assert nothing.get("/") is None


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("ui")
def test_the_wheel_holds_the_page_and_needs_no_node(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    build += ["--no-build-isolation", "-w", str(tmp_path), str(root)]
    subprocess.run(build, check=True, capture_output=True, timeout=180)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "installed")
    command = [sys.executable, "-m", "aster_sidecar", "--framework", "web", "--supervised", "--port", "0"]
    daemon = subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data")],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "installed")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        daemon.stdin.write(b"{}\n")
        daemon.stdin.flush()
        url = json.loads(daemon.stdout.readline())["url"]
        with httpx.Client(trust_env=False, verify=False, timeout=20, base_url=url) as client:
            page = client.get("/")
            assert (page.status_code, page.headers["x-content-type-options"]) == (200, "nosniff")
            assert "script-src 'self'" in page.headers["content-security-policy"]
            (script,) = re.findall(r'<script type="module" crossorigin src="\.(/assets/[^"]+)"', page.text)
            assets = client.get(script)
        assert assets.headers["content-type"].startswith("text/javascript")
        assert "immutable" in assets.headers["cache-control"]
        assert (tmp_path / "installed" / "aster_sidecar" / "webui" / script[1:]).read_bytes() == assets.content
    finally:
        daemon.kill()
        daemon.communicate()
