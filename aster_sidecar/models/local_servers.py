"""Finds model servers on this machine (Ollama, LM Studio, llama.cpp) and their models. Never uses a proxy."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlsplit

from aster_sidecar.text import addresses
from aster_sidecar.text.addresses import is_loopback
from aster_sidecar.text.json_text import parse_json

ASK_S = 2.0
"""Longest wait for a connection, and for each piece of an answer. A closed port is detected at once."""
ANSWER_S = 3.0
"""Longest time for a whole answer."""
ANSWER_BYTES = 2 << 20
KEEP_S = 5.0
"""How long the result of a search is used."""
NOT_FOR_CHAT = re.compile(r"embed|rerank|whisper|\bbge\b|minilm", re.IGNORECASE)
"""Names of models that do not chat. Servers list them with the others."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that a server on this machine offers.

    `loaded`, `window_tokens` and `vision` (whether it takes images) are set if the server reports them.
    """

    provider: str
    model: str
    loaded: bool = False
    window_tokens: int | None = None
    vision: bool | None = None

    @property
    def name(self) -> str:
        return f"{self.provider}:{self.model}"


class LocalModels:
    """The model servers of this machine. `servers`: provider → base URL of its OpenAI-compatible API, and its key."""

    def __init__(self, servers: Mapping[str, tuple[str, str | None]]) -> None:
        self._servers = {name: at for name, at in servers.items() if is_loopback(at[0])}
        self._found: list[LocalModel] = []
        self._asked_at = float("-inf")

    def find(self) -> list[LocalModel]:
        """All models that can chat, loaded ones first. Blocks for some seconds at most, usually milliseconds."""
        if time.monotonic() - self._asked_at > KEEP_S and self._servers:
            with ThreadPoolExecutor(len(self._servers)) as pool:
                answers = [pool.submit(ask, name, url, key) for name, (url, key) in self._servers.items()]
            found = [model for answer in answers for model in answer.result()]
            self._found = sorted(found, key=lambda model: not model.loaded)
            self._asked_at = time.monotonic()
        return self._found


def ask(provider: str, base_url: str, key: str | None) -> list[LocalModel]:
    """The models of one server; empty when it does not answer or is another kind of server."""

    def get(url: str) -> Any:
        return fetch(url, key)

    listed = rows(get(f"{base_url}/models"), "data")
    names = [name for row in listed if isinstance(name := row.get("id"), str) and not NOT_FOR_CHAT.search(name)]
    if not names:
        return []
    root = root_of(base_url)
    match provider:
        case "ollama":
            running = ollama_running(get, root)
            return [LocalModel(provider, name, name in running, running.get(name)) for name in names]
        case "lmstudio":
            known = lmstudio_known(get, root)
            return [
                LocalModel(provider, name, *known[name][1:]) if name in known else LocalModel(provider, name)
                for name in names
                if name not in known or known[name][0] in (None, "llm", "vlm")
            ]
        case _:
            window, vision = llamacpp_props(get, root)
            return [LocalModel(provider, name, True, window, vision) for name in names]


def root_of(base_url: str) -> str:
    """The base URL of a server's native API."""
    return base_url.rstrip("/").removesuffix("/v1")


def ollama_running(get: Callable[[str], Any], root: str) -> dict[str, int | None]:
    """Ollama's loaded models, each with the context window that it was loaded with."""
    loaded = rows(get(f"{root}/api/ps"), "models")
    return {str(row.get("model")): number(row.get("context_length")) for row in loaded}


def lmstudio_known(get: Callable[[str], Any], root: str) -> dict[str, tuple[Any, bool, int | None, bool | None]]:
    """LM Studio's models → kind, whether loaded, context window (as loaded, else the largest possible), and vision."""
    found: dict[str, tuple[Any, bool, int | None, bool | None]] = {}
    for row in rows(get(f"{root}/api/v0/models"), "data"):
        window = number(row.get("loaded_context_length")) or number(row.get("max_context_length"))
        vision = {"vlm": True, "llm": False}.get(str(row.get("type")))
        found[str(row.get("id"))] = (row.get("type"), row.get("state") == "loaded", window, vision)
    if found:
        return found
    for row in rows(get(f"{root}/api/v1/models"), "models"):
        most = number(row.get("max_context_length"))
        loaded = rows(row, "loaded_instances")
        windows = [number(inside(instance, "config").get("context_length")) for instance in loaded]
        # A name may refer to any of its instances: the smallest window is safe.
        window = min(filter(None, windows), default=most)
        vision = yes_or_no(inside(row, "capabilities").get("vision"))
        found[str(row.get("key"))] = (row.get("type"), bool(loaded), window, vision)
        for instance, its in zip(loaded, windows, strict=True):
            found.setdefault(str(instance.get("id")), (row.get("type"), True, its or most, vision))
    return found


def llamacpp_props(get: Callable[[str], Any], root: str, model: str | None = None) -> tuple[int | None, bool | None]:
    """The context window of one slot of llama-server, and whether it takes images.

    A router is asked about `model` without loading it.
    """
    asked = [f"{root}/props?model={quote(model, safe='')}&autoload=false"] if model else []
    for url in (*asked, f"{root}/props"):
        props = get(url)
        window = number(inside(props, "default_generation_settings").get("n_ctx"))
        if window is not None:
            return window, yes_or_no(inside(props, "modalities").get("vision"))
    return None, None


def fetch(url: str, key: str | None = None) -> Any:
    """The JSON at a URL of this machine; None when there is none."""
    parts = urlsplit(url)
    until = time.monotonic() + ANSWER_S
    where = (parts.hostname or "", parts.port)
    connection = http.client.HTTPConnection(*where, timeout=ASK_S)
    if parts.scheme == "https":
        # This machine's certificate is not verified: the answer only affects a list, and HTTP is accepted as well.
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(*where, timeout=ASK_S, context=unverified)
    try:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)
        answer = connection.getresponse()
        body = bytearray()
        while chunk := answer.read1(1 << 16):
            body += chunk
            if len(body) > ANSWER_BYTES or time.monotonic() > until:
                return None
        return parse_json(body) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def inside(answer: Any, key: str) -> dict[str, Any]:
    """The object in an answer's field; empty when it is not an object."""
    value = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def rows(answer: Any, key: str) -> list[dict[str, Any]]:
    """The objects of the list in an answer's field; empty when it is not a list."""
    value = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    entries = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]


def yes_or_no(value: Any) -> bool | None:
    """A boolean; None for anything else."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> int | None:
    """A positive integer; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def ollama_url(host: str) -> str | None:
    """The base URL for Ollama's own variable OLLAMA_HOST: a host, `host:port` or a URL. None when it is invalid.

    An address for listening on all interfaces (0.0.0.0) means this machine.
    """
    host = addresses.unwrap(host)
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
