"""Serves the built web UI. A browser needs no token for its files, because they contain no personal data.

The files are listed once; a request gets a file only if its path is exactly one of the list. Source: shells/ui, built
into `aster_sidecar/webui/`.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.responses import FileResponse
from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER = Path(__file__).parent.parent / "webui"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
"""Content types that must not depend on the system's table of types."""
HASHED = "/assets/"
"""Names of files under this path contain a hash of the content."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file and its response headers."""

    path: Path
    headers: dict[str, str]


class Pages:
    """The files of the UI. `served` returns whether this daemon serves them now."""

    def __init__(self, served: Callable[[], bool], folder: Path = FOLDER) -> None:
        self._served = served
        self._folder = folder

    @cached_property
    def _found(self) -> dict[str, Page]:
        pages: dict[str, Page] = {}
        for path in sorted(self._folder.rglob("*")):
            if path.is_file():
                pages[f"/{path.relative_to(self._folder).as_posix()}"] = Page(path, headers_of(path, self._folder))
        if "/index.html" in pages:
            pages["/"] = pages["/index.html"]
        return pages

    @property
    def built(self) -> bool:
        """Whether the UI was built into the package."""
        return "/" in self._found

    def get(self, path: str) -> Page | None:
        """The file at exactly this URL path, if the UI is served now."""
        return self._found.get(path) if self._served() else None


class StaticUI:
    """ASGI middleware behind the gate: serves the UI's files and passes every other request on to the routes."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = None
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            page = self._pages.get(scope["path"])
        if page is None:
            await self._app(scope, receive, send)
        else:
            await FileResponse(page.path, headers=page.headers)(scope, receive, send)


def headers_of(path: Path, folder: Path) -> dict[str, str]:
    """A file's Content-Type, Content-Security-Policy and Cache-Control."""
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("image/svg+xml", "application/json", "application/manifest+json")
    hashed = f"/{path.relative_to(folder).as_posix()}".startswith(HASHED)
    return {
        "content-type": f"{kind}; charset=utf-8" if text else kind,
        "content-security-policy": POLICY,
        "cache-control": "public, max-age=31536000, immutable" if hashed else "no-cache",
    }
