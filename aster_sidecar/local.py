"""Model servers that run on this machine: Ollama, LM Studio, llama.cpp. Found by asking, never through a proxy."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

ASK_S = 2.0
"""Longest wait for a connection, and for each piece of an answer; nobody listening is known at once."""
ANSWER_S = 3.0
ANSWER_BYTES = 2 << 20
KEEP_S = 5.0
"""What was found is taken as true for this long."""
NOT_FOR_CHAT = re.compile(r"embed|rerank|whisper|\bbge\b|minilm", re.IGNORECASE)
"""Names of models that answer no chat; servers list them among the others."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that a server on this machine offers. `window_tokens` as far as the server says, `loaded` likewise."""

    provider: str
    model: str
    loaded: bool = False
    window_tokens: int | None = None

    @property
    def name(self) -> str:
        return f"{self.provider}:{self.model}"


class LocalModels:
    """What runs on this machine. `servers`: provider's name → base URL of its OpenAI-compatible interface, its key."""

    def __init__(self, servers: Mapping[str, tuple[str, str | None]]) -> None:
        self._servers = {name: at for name, at in servers.items() if is_loopback(at[0])}
        self._found: list[LocalModel] = []
        self._asked_at = float("-inf")

    def find(self) -> list[LocalModel]:
        """Every model that can chat, loaded ones first. Blocks for at most some seconds, usually milliseconds."""
        if time.monotonic() - self._asked_at > KEEP_S and self._servers:
            with ThreadPoolExecutor(len(self._servers)) as pool:
                answers = [pool.submit(ask, name, url, key) for name, (url, key) in self._servers.items()]
            found = [model for answer in answers for model in answer.result()]
            self._found = sorted(found, key=lambda model: not model.loaded)
            self._asked_at = time.monotonic()
        return self._found


def ask(provider: str, base_url: str, key: str | None) -> list[LocalModel]:
    """The models of one server; none when it does not answer, or is no such server."""
    listed = rows(fetch(f"{base_url}/models", key), "data")
    names = [name for row in listed if isinstance(name := row.get("id"), str) and not NOT_FOR_CHAT.search(name)]
    if not names:
        return []
    root = base_url.rstrip("/").removesuffix("/v1")
    match provider:
        case "ollama":
            running = {
                row.get("model"): number(row.get("context_length")) for row in rows(fetch(f"{root}/api/ps"), "models")
            }
            return [LocalModel(provider, name, name in running, running.get(name)) for name in names]
        case "lmstudio":
            known = {row.get("id"): row for row in rows(fetch(f"{root}/api/v0/models", key), "data")}
            return [
                LocalModel(
                    provider,
                    name,
                    (row := known.get(name, {})).get("state") == "loaded",
                    number(row.get("loaded_context_length")) or number(row.get("max_context_length")),
                )
                for name in names
                if known.get(name, {}).get("type") in (None, "llm", "vlm")
            ]
        case _:
            settings = inside(fetch(f"{root}/props", key), "default_generation_settings")
            window = number(settings.get("n_ctx"))
            return [LocalModel(provider, name, loaded=True, window_tokens=window) for name in names]


def fetch(url: str, key: str | None = None) -> Any:
    """The JSON at an http:// address of this machine, None when there is none."""
    parts = urlsplit(url)
    until = time.monotonic() + ANSWER_S
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=ASK_S)
    try:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        body = bytearray()
        while chunk := answer.read1(1 << 16):
            body += chunk
            if len(body) > ANSWER_BYTES or time.monotonic() > until:
                return None
        return json.loads(body) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException, RecursionError):
        return None
    finally:
        connection.close()


def inside(answer: Any, key: str) -> dict[str, Any]:
    """The object in an answer; an empty one when it is made otherwise."""
    told = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def rows(answer: Any, key: str) -> list[dict[str, Any]]:
    """The objects in a list of an answer; none when it is made otherwise."""
    told = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    entries = cast("list[Any]", told) if isinstance(told, list) else []
    return [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]


def number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def is_loopback(url: str | None) -> bool:
    """Whether a base URL names this machine; such requests never go through a proxy."""
    try:
        host = urlsplit(url or "").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ollama_url(host: str) -> str | None:
    """The base URL that Ollama's own variable OLLAMA_HOST means: a host, `host:port` or an address.

    An address to listen on everywhere means this machine. None when it can't be understood.
    """
    try:
        parts = urlsplit(host if "://" in host else f"//{host}")
        name, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError:
        return None
    if name in ("0.0.0.0", "::"):
        name = "127.0.0.1"
    scheme = parts.scheme or "http"
    port = port or (443 if scheme == "https" else 80 if parts.scheme else 11434)
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}{parts.path.rstrip('/')}/v1"
