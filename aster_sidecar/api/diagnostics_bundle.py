"""Diagnostics bundles for support: the daemon's setup and recent errors, by default without messages.

A bundle is a zip of JSON files and the ends of logs. Secrets are removed by name and by value before anything is
written. Size, time and number of bundles are limited.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from aster_sidecar import __version__, clock
from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.api.companion import CompanionCalls
from aster_sidecar.api.event_stream import Streams
from aster_sidecar.api.identity import Identity
from aster_sidecar.api.models import ModelCalls
from aster_sidecar.api.services import ServiceCalls
from aster_sidecar.api.settings import SettingsCalls
from aster_sidecar.api.warnings import Warnings
from aster_sidecar.contract import wire
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.errors import DiagnosticsFailed, NotFound
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import events as event_rows
from aster_sidecar.store.rows.messages import select_newest
from aster_sidecar.store.rows.sessions import select_counts
from aster_sidecar.telemetry.redaction import MASK, NAMES, Redactor

FOLDER = "diagnostics"
KEPT = 5
"""Number of bundles to keep; older ones are deleted."""
MOST_BYTES = 5 << 20
LIMIT_S = 10.0
LOG_BYTES = 512 << 10
"""Bytes taken from the end of each log; the zip compresses them to about a twentieth."""
LOG_FILES = 12
ERRORS = 100
MESSAGES = 500
NAME = re.compile(r"aster-diagnostics-\d{8}T\d{6}Z-[0-9a-f]{8}\.zip")
LIBRARIES = (
    "fastapi",
    "uvicorn",
    "starlette",
    "sse-starlette",
    "pydantic",
    "pydantic-ai-slim",
    "apsw",
    "keyring",
    "mcp",
)


class DiagnosticsCalls:
    """Calls about diagnostics bundles."""

    def __init__(
        self,
        journal: Journal,
        identity: Identity,
        redactor: Redactor,
        waits: Waits,
        streams: Streams,
        agents: AgentCalls,
        companion: CompanionCalls,
        models: ModelCalls,
        services: ServiceCalls,
        settings: SettingsCalls,
        warnings: Warnings,
    ) -> None:
        self._journal = journal
        self._identity = identity
        self._redactor = redactor
        self._waits = waits
        self._streams = streams
        self._agents = agents
        self._companion = companion
        self._models = models
        self._services = services
        self._settings = settings
        self._warnings = warnings
        self._logs_dir = identity.settings.places.logs_dir

    def list(self) -> list[wire.DiagnosticsInfo]:
        """The existing bundles, newest first."""
        return [info(path) for path in bundles(self._logs_dir)]

    async def make(self, include_messages: bool) -> wire.DiagnosticsInfo:
        """Create a bundle. Raises: DiagnosticsFailed when it takes too long or can't be written."""
        contents = self._gathered(include_messages)
        try:
            async with asyncio.timeout(LIMIT_S):
                return await asyncio.to_thread(write, contents, self._logs_dir, self._redactor)
        except TimeoutError as error:
            raise DiagnosticsFailed(f"the bundle was not ready within {LIMIT_S:g} s") from error
        except OSError as error:
            raise DiagnosticsFailed(f"the bundle could not be written: {error.strerror}") from error

    def find(self, name: str) -> Path:
        """The path of the bundle with this name. Raises: NotFound."""
        return find(self._logs_dir, name)

    def _gathered(self, include_messages: bool) -> dict[str, Any]:
        """The bundle's contents by file name, secrets included: `write` removes them."""
        journal = self._journal
        errors = journal.rows(event_rows.select_failures(ERRORS))
        contents: dict[str, Any] = {
            "about.json": {
                "created_at": clock.stamp(),
                "version": __version__,
                "protocol": wire.PROTOCOL,
                "framework": self._identity.settings.framework,
                "instance_id": self._identity.instance_id,
                "pid": self._identity.pid,
                "started_at": self._identity.started_at,
                "python": sys.version,
                "system": platform.platform(),
                "machine": platform.machine(),
                "libraries": dict(libraries()),
                "messages_included": include_messages,
            },
            "config.json": self._settings.view(),
            "secrets.json": self._models.secrets(),
            "services.json": self._services.list(),
            "agents.json": [
                {
                    "id": agent.id,
                    "source": agent.source,
                    "model": agent.model,
                    "state": agent.state,
                    "problems": agent.problems,
                }
                for agent in self._agents.list()
            ],
            "flags.json": self._companion.flags(),
            "onboarding.json": self._companion.onboarding(),
            "warnings.json": self._warnings.list(),
            # Only code and hint: an error's message may quote what was sent to a provider.
            "errors.json": [
                {
                    "time": error.time,
                    "turn_id": error.turn_id,
                    **{k: v for k, v in json.loads(error.data).items() if k in ("code", "hint")},
                }
                for error in errors
            ],
            "journal.json": {
                **journal.statistics(),
                "failure": journal.failure.code if journal.failure is not None else None,
                **journal.rows(select_counts())[0]._asdict(),
                "approvals_pending": len(self._waits.approvals.list()),
                "questions_pending": len(self._waits.questions.list()),
                "host_calls_open": len(self._waits.hosts.open_ids()),
                "streams": self._streams.count,
            },
        }
        if include_messages:
            contents["messages.json"] = [row._asdict() for row in journal.rows(select_newest(MESSAGES))]
        return contents


def libraries() -> Iterable[tuple[str, str | None]]:
    for name in LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, None


def plain(value: Any) -> Any:
    """The value with Pydantic models converted to JSON types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: plain(held) for key, held in cast(Mapping[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in cast(list[Any], value)]
    return value


def cleaned(value: Any, redactor: Redactor, name: str = "") -> Any:
    """The value without secrets: they are removed from texts, and texts under a secret's name are masked."""
    if isinstance(value, dict):
        members = cast(dict[str, Any], value)
        return {key: cleaned(held, redactor, key) for key, held in members.items()}
    if isinstance(value, list):
        return [cleaned(held, redactor, name) for held in cast(list[Any], value)]
    if isinstance(value, str):
        return MASK if NAMES.search(name) and value and name != "variable" else redactor.clean(value)
    return value


def write(contents: Mapping[str, Any], logs_dir: Path, redactor: Redactor) -> wire.DiagnosticsInfo:
    """Write the bundle atomically, readable by its owner only. Raises: OSError."""
    folder = logs_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    left = MOST_BYTES
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, value in contents.items():
            text = json.dumps(cleaned(plain(value), redactor), indent=1, ensure_ascii=False, default=str).encode()
            left -= add(bundle, name, text, left)
        for path in sorted(logs_dir.glob("*.log*"), key=lambda one: one.stat().st_mtime, reverse=True)[:LOG_FILES]:
            left -= add(bundle, f"logs/{path.name}", redactor.clean(tail(path)).encode(), left)
    now = clock.now()
    target = folder / f"aster-diagnostics-{now:%Y%m%dT%H%M%S}Z-{os.urandom(4).hex()}.zip"
    handle, fresh = tempfile.mkstemp(dir=folder, prefix=".fresh-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(packed.getvalue())
        os.replace(fresh, target)
    except BaseException:
        os.unlink(fresh)
        raise
    others = [path for path in bundles(logs_dir) if path != target]  # if the clock went back, `target` is not first
    for old in others[KEPT - 1 :]:
        with contextlib.suppress(OSError):
            old.unlink()
    return info(target)


def add(bundle: zipfile.ZipFile, name: str, text: bytes, left: int) -> int:
    """Add a file, cut to `left` bytes before compression. Returns the number of bytes added."""
    text = text[: max(0, left)]
    bundle.writestr(name, text)
    return len(text)


def tail(path: Path) -> str:
    """The last complete lines of a log, at most `LOG_BYTES`; empty if it can't be read."""
    with contextlib.suppress(OSError), path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - LOG_BYTES))
        text = log.read().decode("utf-8", "replace")
        return text if size <= LOG_BYTES else text.partition("\n")[2]
    return ""


def bundles(logs_dir: Path) -> list[Path]:
    """The bundles in the log directory, newest first."""
    found = [path for path in (logs_dir / FOLDER).glob("*.zip") if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def info(path: Path) -> wire.DiagnosticsInfo:
    found = path.stat()
    made = clock.stamp(clock.at(found.st_mtime))
    return wire.DiagnosticsInfo(name=path.name, path=str(path), bytes=found.st_size, created_at=made)


def find(logs_dir: Path, name: str) -> Path:
    """The path of a bundle. Raises: NotFound."""
    for path in bundles(logs_dir):
        if path.name == name:
            return path
    raise NotFound(f"no such bundle: {name[:100]!r}", hint="GET /api/diagnostics lists them")
