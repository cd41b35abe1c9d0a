"""What a server reports about a model: the base URL of its API, the context window, and whether it takes images.

It is asked once, in the thread that builds the model. If it cannot be asked, the model is built without these facts.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aster_sidecar.errors import ModelError
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.local_servers import (
    inside,
    llamacpp_props,
    lmstudio_known,
    number,
    ollama_running,
    root_of,
    rows,
    yes_or_no,
)
from aster_sidecar.models.network import way
from aster_sidecar.text import addresses
from aster_sidecar.text.addresses import shown
from aster_sidecar.text.json_text import parse_json

if TYPE_CHECKING:
    import httpx2

ASK_S = 2.0
"""Longest wait for a connection, and for each piece of an answer."""
ALL_S = 4.0
"""Longest time for all requests to one server."""
ASK_AGAIN_S = 5.0
"""How long an answer is used when the server may report more later."""
ANSWER_BYTES = 4 << 20
"""The longest lists of models have some hundred entries of 2 KB."""
OLLAMA_WINDOW_TOKENS = 4096
"""Ollama's default window on a machine with little graphics memory."""
SERVED = ("max_model_len", "context_length", "max_context_length", "context_window", "max_input_tokens")
"""Names of the window in lists of models: vLLM and SGLang, OpenRouter and others, Mistral, Groq, gateways."""
OWNERS = {"llamacpp": "llamacpp", "library": "ollama", "organization_owner": "lmstudio"}
"""`owned_by` in a list of models → the kind of server."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a server reported. `base_url` is that of its API; `found`: its list of models is there.

    `lasting`: later turns need not ask again. `kind`: ollama, lmstudio or llamacpp, if it is known to be one. `vision`:
    whether the model takes images.
    """

    base_url: str
    window_tokens: int | None = None
    lasting: bool = True
    found: bool = False
    kind: str = ""
    vision: bool | None = None


class ServerFacts:
    """Asks servers about models and keeps their answers."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._answers: dict[tuple[str, str], tuple[float, Served]] = {}
        """Model's name and given base URL → when it was asked (monotonic seconds), and the answer."""

    def ask(self, name: str, provider: str, model: str, base_url: str, key: str | None) -> Served:
        """What the server at a base URL reports about a model. Blocks for some seconds at most, unless it is kept."""
        asked_at, served = self._answers.get((name, base_url), (0.0, None))
        if served is None or is_outdated(asked_at, served):
            served = ask(provider, model, base_url, key, self._environment)
            self._answers[name, base_url] = time.monotonic(), served
        return served

    def of(self, chosen: Chosen) -> Served | None:
        """The kept answer about a model that was built."""
        for (name, url), (_, served) in list(self._answers.items()):
            if name == chosen.name and chosen.base_url in (shown(url), shown(served.base_url)):
                return served
        return None

    def outdated(self, name: str) -> bool:
        """Whether a model's server may report more by now: it did not answer, or had not loaded the model."""
        return any(
            asked == name and is_outdated(asked_at, served)
            for (asked, _), (asked_at, served) in list(self._answers.items())
        )

    def clear(self) -> None:
        self._answers.clear()


def is_outdated(asked_at: float, served: Served) -> bool:
    return not served.lasting and time.monotonic() - asked_at > ASK_AGAIN_S


def ask(provider: str, model: str, base_url: str, key: str | None, environment: Mapping[str, str]) -> Served:
    """Ask a server about one of its models. Blocks for some seconds at most, usually milliseconds. Never raises."""
    try:
        asker = Asker(base_url, key, environment)
    except ModelError:  # an invalid proxy or certificate: the turn reports it
        return Served(base_url)
    try:
        return _ask(asker, provider, model, base_url, environment)
    finally:
        asker.close()


def _ask(asker: Asker, provider: str, model: str, base_url: str, environment: Mapping[str, str]) -> Served:
    inner = base_url + "/v1" if provider == "anthropic" else base_url
    listed = rows(asker.get(f"{inner}/models"), "data")
    if not listed and provider != "anthropic":
        for other in addresses.alternatives(base_url)[1:]:
            listed = rows(asker.get(f"{other}/models"), "data")
            base_url = inner = other if listed else base_url
    nothing: dict[str, Any] = {}
    row = next((row for row in listed if row.get("id") in (model, f"{model}:latest")), nothing)
    if provider in ("ollama", "lmstudio", "llamacpp"):
        kind = provider
    else:
        owner = row.get("owned_by")
        kind = OWNERS.get(owner, "") if isinstance(owner, str) else ""
    root = root_of(inner)
    match kind:
        case "ollama":
            window, lasting, vision = ollama_facts(asker, root, model, environment)
        case "lmstudio":
            # A model that is not loaded yet may be loaded with another window: it is asked about again.
            known = lmstudio_known(asker.get, root)
            _, lasting, window, vision = known.get(model, (None, not known, None, None))
        case "llamacpp":
            window, vision = llamacpp_props(asker.get, root, model)
            # The server is restarted to give the model its projector: after that it takes images.
            lasting = vision is not False
        case _:
            window, lasting, vision = None, True, listed_vision(row)
    window = window or listed_window(row)
    return Served(base_url, window, lasting and asker.reached, bool(listed), kind, vision)


def listed_window(row: dict[str, Any]) -> int | None:
    """The context window in an entry of a list of models. `meta.n_ctx_train` is the training's, not this one."""
    found = [number(row.get(name)) for name in SERVED]
    found += [number(inside(row, "top_provider").get("context_length")), number(inside(row, "meta").get("n_ctx"))]
    # They differ when an upstream server allows less than the model does.
    return min(filter(None, found), default=None)


def listed_vision(row: dict[str, Any]) -> bool | None:
    """Whether a model takes images, from an entry of a list of models: as Mistral or OpenRouter write it."""
    told = yes_or_no(inside(row, "capabilities").get("vision"))
    kinds = inside(row, "architecture").get("input_modalities")
    return "image" in kinds if told is None and isinstance(kinds, list) else told


def ollama_facts(
    asker: Asker, root: str, model: str, environment: Mapping[str, str]
) -> tuple[int | None, bool, bool | None]:
    """The context window that Ollama gives a model, whether it is final, and whether the model takes images.

    A loaded model has the window it was loaded with. For another one, `/api/show` reports the model's own window, often
    ten times what Ollama will load it with: the model file's num_ctx, else OLLAMA_CONTEXT_LENGTH, else what the
    graphics memory allows. Ollama silently drops the beginning of a longer conversation, so the smallest of these
    is used until the model is loaded.
    """
    running_now = as_object(asker.get(f"{root}/api/ps"))
    if not isinstance(running_now.get("models"), list):
        return None, True, None  # not Ollama: other servers get no further questions
    running = ollama_running(lambda _: running_now, root)
    shown_model = as_object(asker.get(f"{root}/api/show", {"model": model}))
    abilities = shown_model.get("capabilities")
    vision = "vision" in abilities if isinstance(abilities, list) else None
    for name in (model, f"{model}:latest"):
        if running.get(name):
            return running[name], True, vision
    info = inside(shown_model, "model_info")
    trained = [number(value) for name, value in info.items() if name.endswith(".context_length")]
    most = min(filter(None, trained), default=None)
    if shown_model.get("remote_host"):
        return most, True, vision  # a model in the cloud has its full window
    parameters = str(shown_model.get("parameters") or "").split()
    own = [value for name, value in itertools.pairwise(parameters) if name == "num_ctx"]
    given = own[0] if own else environment.get("OLLAMA_CONTEXT_LENGTH", "") if addresses.is_loopback(root) else ""
    tokens = int(given) if re.fullmatch(r"[1-9][0-9]{0,8}", given) else OLLAMA_WINDOW_TOKENS
    return min(tokens, most or tokens), False, vision


def as_object(answer: Any) -> dict[str, Any]:
    """The answer if it is an object; empty for anything else."""
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


class Asker:
    """Requests JSON from a server; after a failure to connect it sends no more requests. Raises: ModelError."""

    def __init__(self, base_url: str, key: str | None, environment: Mapping[str, str]) -> None:
        import httpx2

        taken = way(base_url, environment)
        self._client: httpx2.Client = httpx2.Client(
            timeout=ASK_S, trust_env=False, proxy=taken.proxy, verify=taken.verify()
        )
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers |= {"Authorization": f"Bearer {key}"}
        self._until = time.monotonic() + ALL_S
        self.reached = True

    def get(self, url: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON at a URL, from a POST if there is a `body`; None when there is none."""
        import httpx2
        from socksio import SOCKSError

        if not self.reached or time.monotonic() > self._until:
            return None
        read = bytearray()
        try:
            with self._client.stream(
                "GET" if body is None else "POST", url, json=body, headers=self._headers
            ) as answer:
                for piece in answer.iter_bytes():
                    read += piece
                    if len(read) > ANSWER_BYTES or time.monotonic() > self._until:
                        return None
            return parse_json(read) if answer.status_code == 200 else None
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError, SOCKSError):
            self.reached = False
        except httpx2.TransportError:
            self._until = 0.0  # the server does not support such requests
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
            pass
        return None

    def close(self) -> None:
        self._client.close()
