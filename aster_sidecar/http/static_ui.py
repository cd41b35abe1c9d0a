"""The built web UI, as files that a browser may load without a token: they hold code and nobody's data.

Which files there are is looked up once; a path is served when it is exactly one of them. Source: shells/ui, built into
`webui/` beside this module.
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
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
"""What must not depend on the system's own table of types."""
HASHED = "/assets/"
"""Files in here have a hash of their content in their name."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file, and the headers it is served with."""

    path: Path
    headers: dict[str, str]


class Pages:
    """The files of the UI. `served` says whether this daemon shows them now."""

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
        return "/" in self._found

    def get(self, path: str) -> Page | None:
        """The file at exactly this path of an address, if it is shown now."""
        return self._found.get(path) if self._served() else None


class Shown:
    """ASGI middleware behind the gate: answers with the UI's files, and leaves all else to the routes."""

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
    """Content type, policy, and how long it may be kept."""
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("image/svg+xml", "application/json", "application/manifest+json")
    hashed = f"/{path.relative_to(folder).as_posix()}".startswith(HASHED)
    return {
        "content-type": f"{kind}; charset=utf-8" if text else kind,
        "content-security-policy": POLICY,
        "cache-control": "public, max-age=31536000, immutable" if hashed else "no-cache",
    }
