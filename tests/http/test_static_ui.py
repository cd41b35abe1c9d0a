"""Only the files of the built UI are served, with headers that allow no other code to run."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from aster_sidecar.http.static_ui import POLICY, Pages, StaticUI, headers_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = tmp_path / "webui"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html>")
    (built / "assets" / "main-1a2b.js").write_text("export {}")
    (tmp_path / "secret").write_text("x")
    return built


@pytest.mark.parametrize(
    ("name", "content_type", "cached"),
    [
        ("index.html", "text/html; charset=utf-8", False),
        ("assets/main-1a2b.js", "text/javascript; charset=utf-8", True),
        ("assets/style.css", "text/css; charset=utf-8", True),
        ("icon.svg", "image/svg+xml; charset=utf-8", False),
        ("icon.png", "image/png", False),
        ("notes.unknown", "application/octet-stream", False),
    ],
)
def test_a_file_s_headers(tmp_path: Path, name: str, content_type: str, cached: bool) -> None:
    headers = headers_of(tmp_path / name, tmp_path)
    assert headers["content-type"] == content_type
    assert headers["content-security-policy"] == POLICY
    assert ("immutable" in headers["cache-control"], headers["cache-control"] == "no-cache") == (cached, not cached)


@pytest.mark.parametrize("ending", [".js", ".css", ".html", ".svg"])
def test_the_system_s_table_of_types_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Windows programs register `.js` as text/plain, which a browser does not run as a module."""
    as_it_is = headers_of(tmp_path / f"x{ending}", tmp_path)
    monkeypatch.setattr(mimetypes, "guess_type", lambda name: ("text/plain", None))
    assert headers_of(tmp_path / f"x{ending}", tmp_path) == as_it_is


def test_the_policy_lets_a_page_load_and_reach_only_the_daemon() -> None:
    rules: dict[str, str] = {name: value for name, _, value in (rule.partition(" ") for rule in POLICY.split("; "))}
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert rules["img-src"] == "'self' data: blob:"  # blob: is what the page itself has downloaded with its bearer


def test_exactly_the_built_files_have_a_path(folder: Path) -> None:
    pages = Pages(lambda: True, folder)
    for path in ("/", "/index.html", "/assets/main-1a2b.js"):
        page = pages.get(path)
        assert page is not None
        assert page.path.is_relative_to(folder)
    for path in ("", "/assets", "/assets/", "/../secret", "/assets/../index.html", "//index.html", "/INDEX.html"):
        assert pages.get(path) is None


def test_nothing_is_served_where_it_is_not_wanted_or_not_built(folder: Path, tmp_path: Path) -> None:
    assert Pages(lambda: False, folder).get("/") is None
    assert Pages(lambda: False, folder).built
    assert not Pages(lambda: True, tmp_path / "nowhere").built


@pytest.mark.parametrize(
    ("method", "path", "served"),
    [("GET", "/", True), ("HEAD", "/", True), ("POST", "/", False), ("GET", "/api/agents", False)],
)
def test_every_other_request_goes_on_to_the_routes(folder: Path, method: str, path: str, served: bool) -> None:
    passed: list[str] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["path"])

    async def receive() -> Message:
        await asyncio.Event().wait()  # the client stays connected
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": method, "path": path, "headers": []}
    asyncio.run(StaticUI(app, Pages(lambda: True, folder))(scope, receive, send))
    assert (passed == [path]) is not served
    if served:
        headers = dict(sent[0]["headers"])
        assert headers[b"content-security-policy"] == POLICY.encode()
        assert b"".join(message["body"] for message in sent[1:]) == (b"<!doctype html>" if method == "GET" else b"")
