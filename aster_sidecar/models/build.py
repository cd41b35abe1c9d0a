"""A model's name → a provider that can be asked; and what a provider's failures mean.

`provider:name`. A key alone never picks a paid model; with neither model nor key the offline demo model answers.
Provider SDKs are imported when a turn needs them.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast, get_args, get_origin

from pydantic import ValidationError

from aster_sidecar.contract import wire
from aster_sidecar.errors import AsterError, ConfigInvalid, ModelError
from aster_sidecar.frozen import how_to_get
from aster_sidecar.models import network, server_facts
from aster_sidecar.models.library_patches import Unclear, keep_prices, shaped, unbuilt
from aster_sidecar.models.local_servers import LocalModel, LocalModels, ollama_url
from aster_sidecar.models.request_context import FIRST_HERE_S, FIRST_S, Exchange, exchanging, without_marks
from aster_sidecar.models.request_format import THOUGHT, with_thoughts, with_types
from aster_sidecar.models.server_facts import Served
from aster_sidecar.text import addresses
from aster_sidecar.text.addresses import is_loopback, shown
from aster_sidecar.text.repair import cut

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from aster_sidecar.models.streams.reader import Reader

DEMO = "demo"
LOCAL = "local"
"""The name that means: whatever model runs on this machine."""
DEFAULT_WINDOW_TOKENS = 128_000
"""Taken for a model whose context window nobody knows; `ASTER_CONTEXT_WINDOW` says otherwise."""
CONNECT_TIMEOUT_S = 10.0
ASK_AGAIN_S = 5.0
"""A server that was away, or had not loaded its model, is asked about it again after this long."""
LEAST_WINDOW_TOKENS = 256
"""Fewer are no window that a refusal could mean."""
CHAT_IS_BETTER = ("llamacpp",)
"""Servers that have `/responses`, and tell less there: llama.cpp's calls an answer whole that its limit cut."""
GOOGLE_VERSION = re.compile(r"/v1(?:alpha|beta)?$")
"""What Google's SDK adds to a base URL."""
OFF = ("off", "0", "false", "no")
PROBE_S = 60.0
PROBE_TOKENS = 16
"""Fewer are refused by some providers."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to reach models: which variables hold its key and base URL, where it is by default, what it speaks.

    `key_too` is another name for `key` that the provider's own programs use; `root` is `addresses.base_url`'s;
    `window_tokens` is the usual context window. Source: the providers' lists of models.
    """

    name: str
    speaks: str
    key: str | None
    base: str | None = None
    default_url: str | None = None
    needs_key: bool = True
    extra: str | None = None
    root: str | None = None
    key_too: str | None = None
    window_tokens: int | None = None


PROVIDERS = {
    p.name: p
    for p in (
        Provider("openai", "responses", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        Provider("openai-chat", "chat", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        Provider("openai-responses", "responses", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        Provider(
            *("anthropic", "anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"), root=""
        ),
        Provider("openrouter", "chat", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1"),
        Provider(
            *("ollama", "chat", "OLLAMA_API_KEY", "OLLAMA_BASE_URL", "http://127.0.0.1:11434/v1"),
            needs_key=False,
            root="/v1",
        ),
        Provider(
            *("lmstudio", "chat", "LMSTUDIO_API_KEY", "LMSTUDIO_BASE_URL", "http://127.0.0.1:1234/v1"),
            needs_key=False,
            root="/v1",
            key_too="LM_API_TOKEN",
        ),
        Provider(
            *("llamacpp", "chat", "LLAMACPP_API_KEY", "LLAMACPP_BASE_URL", "http://127.0.0.1:8080/v1"),
            needs_key=False,
            root="/v1",
            key_too="LLAMA_API_KEY",
        ),
        Provider(
            *("google", "google", "GOOGLE_API_KEY", "GOOGLE_BASE_URL", "https://generativelanguage.googleapis.com"),
            extra="google",
            root="",
            key_too="GEMINI_API_KEY",
            window_tokens=1_048_576,
        ),
    )
}
PRICED_AS = {"responses": "openai", "chat": "openai", "anthropic": "anthropic", "google": "google"}
"""Whose prices hold where nobody knows the base URL."""
ON_THIS_MACHINE = ("ollama", "lmstudio", "llamacpp")
SUGGESTED = ("openai:gpt-5.2", "anthropic:claude-sonnet-4-5", "google:gemini-2.5-pro", "ollama:qwen3")
"""Names to show somebody who has chosen none; any other name of a provider works as well."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model ready to be asked: `window_tokens` is its context window, `base_url` where it is, without a password.

    `may_fall_back`: its server may speak chat completions only. `says_why_it_ends`: a whole answer has a finish reason,
    so that one without broke off. `lacks`: what its server was found to refuse (see `LACKING`).
    """

    name: str
    model: Model
    window_tokens: int
    base_url: str | None = None
    may_fall_back: bool = False
    says_why_it_ends: bool = False
    lacks: frozenset[str] = frozenset()
    wait_s: float | None = None
    """Longest silence to bear, when somebody set one."""
    dialect: str | None = None
    """What it speaks when it is asked through the edge, by which earlier messages can be put into its requests."""

    @property
    def provider(self) -> Provider | None:
        return PROVIDERS.get(self.name.partition(":")[0])

    def exchange(self, leave: Callable[[], None] = lambda: None) -> Exchange:
        """What the edge is to know of a request to this model."""
        provider = self.provider
        return Exchange(
            name=self.name,
            key=provider.key if provider else None,
            base=provider.base if provider else None,
            here=is_loopback(self.base_url),
            wait_s=self.wait_s,
            leave=leave,
        )


LACKING = frozenset({"tools", "roles", "ids", "items"})
"""What a request can do without: tools, roles in any order, tool-call ids as other servers made them, items for
`/responses` that don't say of what type they are."""


def misnamed(name: str) -> str | None:
    """Why a text can't be a model's name; None when it can."""
    provider, _, model_name = name.partition(":")
    if provider == DEMO or (provider in PROVIDERS and model_name):
        return None
    return f"{name[:100]!r} is not provider:name; providers: {', '.join([DEMO, *PROVIDERS])}"


class Models:
    """Builds models from names and keeps them. `recall`/`remember` keep what was learned of a base URL."""

    # Of the process, not of one of these: a key that is tried out has models of its own, and both load the same SDKs.
    _building: ClassVar = threading.Lock()
    _priced: ClassVar[set[str] | None] = None

    def __init__(
        self,
        environment: Mapping[str, str],
        chosen: Callable[[], str | None],
        recall: Callable[[str], str | None],
        remember: Callable[[str, str], None],
    ) -> None:
        self._environment = environment
        self._window_tokens = number(environment, "ASTER_CONTEXT_WINDOW")
        self._wait_s = number(environment, "ASTER_MODEL_TIMEOUT_S")
        self._chosen = chosen
        self._recall = recall
        self._remember = remember
        self._built: dict[tuple[str, ...], Chosen] = {}
        self._by_name: dict[str, Chosen] = {}
        self._generation = 0
        """How often built models were forgotten; one that was being built meanwhile is not kept."""
        self._keeping = threading.Lock()
        self._learned: dict[str, str] = {}
        """What a refusal taught, by the key it is remembered under, until an answer shows that it is right."""
        self._edge = environment.get("ASTER_MODEL_EDGE", "").strip().lower() not in OFF
        self._clients: dict[network.Way, Any] = {}
        self._moved: dict[str, str] = {}
        """Base URLs that turned out to be those of other ones, with `/v1`; not remembered yet."""
        self._windows: dict[str, str] = {}
        self._served: dict[tuple[str, str], tuple[float, Served]] = {}
        self.local = LocalModels({name: self._at(PROVIDERS[name]) for name in ON_THIS_MACHINE})

    def _at(self, provider: Provider) -> tuple[str, str | None]:
        """Where a server of this machine is and its key; nowhere when what is set can't be understood."""
        try:
            return self._base_url(provider) or "", self._key(provider)
        except ModelError:
            return "", None

    def _base_url(self, provider: Provider) -> str | None:
        """Where a provider is asked, None: where its SDK says. Raises: ModelError."""
        variable = provider.base or ""
        given = addresses.base_url(self._environment.get(variable), variable, provider.root)
        if given is None and provider.name == "ollama" and (host := self._environment.get("OLLAMA_HOST")):
            given = addresses.base_url(ollama_url(host), "OLLAMA_HOST", provider.root)
        default = provider.default_url
        if given is None or default is None:
            return given or default
        if provider.root is None:
            if addresses.place(given) == addresses.place(default) and given in default:
                return default  # the provider's own host, without its path
            given = self._moved.get(given) or self._moved_to(given) or given
        return given

    def _moved_to(self, url: str) -> str | None:
        """Where the interface of a base URL was found before."""
        told = self._recall(f"base:{shown(url)}")
        return next((other for other in addresses.alternatives(url)[1:] if told == shown(other)), None)

    def _named_by(self, provider: Provider) -> str | None:
        """The variable that says where a provider is; None where none does."""
        if provider.name == "ollama" and not self._environment.get(provider.base or ""):
            return "OLLAMA_HOST" if self._environment.get("OLLAMA_HOST") else provider.base
        return provider.base

    def _key(self, provider: Provider) -> str | None:
        """The key as it is sent. Raises: ModelError."""
        for variable in (provider.key, provider.key_too):
            text = self._environment.get(variable or "")
            if variable and addresses.unwrap(text or ""):
                if provider.needs_key and not self._has_own_server(provider) and addresses.is_placeholder(text):
                    continue
                return addresses.key(text, variable)
        return None

    def _has_own_server(self, provider: Provider) -> bool:
        try:
            return self._base_url(provider) != provider.default_url
        except ModelError:
            return True

    def _why_no_key(self, provider: Provider) -> str:
        names = (provider.key or "", provider.key_too or "")
        said = [addresses.why_no_key(self._environment.get(name), name) for name in names if name]
        return next((why for why in said if "placeholder" in why), said[0] if said else "")

    def name(self) -> str:
        """The model that would be asked now; empty when somebody must choose one first."""
        chosen = self._chosen()
        if chosen:
            return chosen
        return "" if self._configured() else DEMO

    def _configured(self) -> list[str]:
        """Providers that the environment has a key or a base URL for."""

        def has(variable: str | None) -> bool:
            text = self._environment.get(variable or "")
            return bool(addresses.unwrap(text or "")) and not addresses.is_placeholder(text)

        return [p.name for p in PROVIDERS.values() if has(p.key) or has(p.key_too) or has(p.base)]

    def build(self, name: str | None = None) -> Chosen:
        """The model to ask. Blocks for the import of its SDK the first time. Raises: ModelError."""
        name = name or self.name()
        if not name:
            keys = ", ".join(sorted({PROVIDERS[p].key or p for p in self._configured()}))
            example = "anthropic:claude-sonnet-4-5" if "ANTHROPIC" in keys else "openai:gpt-5.2"
            raise ModelError(
                "model_not_set",
                f"no model is chosen ({keys} is set, but a key alone never picks a paid model)",
                hint=f'choose one: POST /api/config {{"model": "{example}"}}, or ASTER_MODEL, or --model; demo is free',
            )
        provider_name, _, model_name = name.partition(":")
        if provider_name == DEMO:
            from aster_sidecar.models.demo import demo_model

            with self._building:
                self._price()
            chosen = Chosen(name, demo_model(instant=model_name == "instant"), DEFAULT_WINDOW_TOKENS)
            self._by_name[name] = chosen
            return chosen
        if name == LOCAL:
            running = self.local.find()
            if not running:
                raise ModelError(
                    "no_local_model",
                    "no model server answers on this machine",
                    hint="start Ollama, LM Studio's server or llama-server with a model, or choose another model",
                )
            return self.build(running[0].name)
        provider = PROVIDERS.get(provider_name)
        if provider is None or not model_name:
            raise ModelError(
                "model_unknown",
                f"{name!r} is not a model: it must be provider:name",
                hint=f"{DEMO}, {LOCAL}, or one of these providers: {', '.join(PROVIDERS)}; for example {SUGGESTED[0]}",
            )
        return self._build(name, provider, model_name)

    def _build(self, name: str, provider: Provider, model_name: str) -> Chosen:
        generation = self._generation  # before the key is read, which may change while this is built
        key = self._key(provider)
        base_url = self._base_url(provider)
        own_server = base_url != provider.default_url
        if key is None and provider.needs_key and not own_server:
            raise ModelError(
                "key_missing",
                f"{name} needs a key: {self._why_no_key(provider)}",
                hint=f"add the key in the settings, set {provider.key} for the daemon, or choose another model",
            )
        network.way(base_url or "https://", self._environment).verify()  # a bad proxy or certificate is said here
        said = self._ask(name, provider, model_name, base_url, key)
        base_url = said.base_url if said is not None else base_url
        speaks = provider.speaks
        bare = shown(base_url) if base_url else None
        if provider.name == "openai" and (
            self._known(f"speaks:{bare}") == "chat" or (said is not None and said.kind in CHAT_IS_BETTER)
        ):
            speaks = "chat"
        lacks = frozenset((self._known(f"lacks:{name}@{bare}") or "").split(",")) & LACKING
        identity = (name, speaks, base_url or "", key or "", *sorted(lacks))
        with self._building:  # a client that comes and its first turn build the same one, each in a thread
            built = self._built.get(identity)
            if built is None:
                self._price(PRICED_AS[speaks], f"{base_url or ''}/")
                try:
                    model = self._make(speaks, model_name, base_url, key or "no-key-needed", lacks)
                except ImportError as error:
                    raise ModelError(
                        "extra_missing",
                        f"{name} needs a library that is not installed ({error.name})",
                        hint=how_to_get(provider.extra or provider.name),
                    ) from error
                falls = provider.name == "openai" and speaks == "responses" and own_server
                dialect = speaks if self._edge and speaks != "google" else None
                built = Chosen(name, model, DEFAULT_WINDOW_TOKENS, bare, falls, True, lacks, self._wait_s, dialect)
            window_tokens = self._window(built, said)
            if window_tokens != built.window_tokens:
                built = replace(built, window_tokens=window_tokens)
            with self._keeping:
                if generation == self._generation:
                    self._built[identity] = self._by_name[name] = built
        return built

    def _ask(
        self, name: str, provider: Provider, model_name: str, base_url: str | None, key: str | None
    ) -> Served | None:
        """What a server of the person's own says of a model. Blocks for at most some seconds; not for each turn."""
        if base_url is None or (provider.name not in ON_THIS_MACHINE and base_url == provider.default_url):
            return None
        if provider.speaks == "google":
            return None  # its list of models is elsewhere, and the catalogue knows their windows
        asked_at, said = self._served.get((name, base_url), (0.0, None))
        if said is None or (not said.lasting and time.monotonic() - asked_at > ASK_AGAIN_S):
            said = server_facts.ask(provider.name, model_name, base_url, key, self._environment)
            self._served[name, base_url] = time.monotonic(), said
            if said.base_url != base_url:
                self._moved[base_url] = said.base_url
                self._remember(f"base:{shown(base_url)}", shown(said.base_url))
        return said

    def _window(self, chosen: Chosen, said: Served | None) -> int:
        """The context window to go by: as set, as a refusal named it, as the server says, as the catalogue says."""
        told = said.window_tokens if said is not None else None
        usual = chosen.provider.window_tokens if chosen.provider else None
        believed = told or chosen.model.context_window or usual or DEFAULT_WINDOW_TOKENS
        if self._window_tokens:
            return int(self._window_tokens)
        fact = window_fact(chosen)
        refused, _, then = (self._windows.get(fact) or self._recall(fact) or "").partition(" ")
        # A server that says something else than when it refused was started anew, with another window.
        if refused.isdecimal() and (told is None or then in ("", str(told))):
            return min(int(refused), believed)
        return believed

    def learn_window(self, chosen: Chosen, tokens: int) -> Chosen:
        """Go by a window that a refusal named, from now on, when it is smaller than the believed one.

        Returns the model with the window that holds now.
        """
        if self._window_tokens or not LEAST_WINDOW_TOKENS <= tokens < chosen.window_tokens:
            return chosen
        fact, told = window_fact(chosen), f"{tokens} {self._told(chosen) or ''}".strip()
        self._windows[fact] = told
        self._remember(fact, told)
        learned = replace(chosen, window_tokens=tokens)
        with self._keeping:
            for kept in (self._built, self._by_name):
                for key, one in list(kept.items()):
                    if one.model is chosen.model:
                        kept[key] = learned  # type: ignore[index]
        return learned

    def _told(self, chosen: Chosen) -> int | None:
        said = self._said(chosen)
        return said.window_tokens if said is not None else None

    def _said(self, chosen: Chosen) -> Served | None:
        for (name, url), (_, said) in list(self._served.items()):
            if name == chosen.name and chosen.base_url in (shown(url), shown(said.base_url)):
                return said
        return None

    def built(self, name: str | None = None) -> Chosen | None:
        """The model when it was built before; then `build` would block for nothing. `local` is found out each time.

        Neither is one there whose server has more to say: it was away, or had not loaded the model.
        """
        chosen = self._by_name.get(name or self.name())
        if chosen is not None:
            for (asked, _), (asked_at, said) in list(self._served.items()):
                if asked == chosen.name and not said.lasting and time.monotonic() - asked_at > ASK_AGAIN_S:
                    return None
        return chosen

    def _price(self, *whose: str) -> None:
        """Have the prices of a provider (its name there, its URL), besides those of the models built before."""
        if Models._priced is None or not Models._priced.issuperset(whose):
            Models._priced = {*(Models._priced or ()), *whose}
            keep_prices(Models._priced)

    def _http(self, base_url: str | None) -> Any:
        """The client to ask there with, one for all models that are reached alike."""
        import httpx2

        way = network.way(base_url or "https://", self._environment)
        read_s = self._wait_s or (FIRST_HERE_S if is_loopback(base_url) else FIRST_S)
        timeout = httpx2.Timeout(read_s, connect=min(CONNECT_TIMEOUT_S, read_s))
        http = self._clients.get(way)
        if http is None:
            given: dict[str, Any] = {"timeout": timeout, "trust_env": False, "proxy": way.proxy, "verify": way.verify()}
            given["follow_redirects"] = not way.plain
            if self._edge:
                from aster_sidecar.models.transport import EdgeClient

                http = EdgeClient(known_types, **given)
            else:
                http = httpx2.AsyncClient(**given)
            self._clients[way] = http
        return http

    def _make(self, speaks: str, model_name: str, base_url: str | None, key: str, lacks: frozenset[str]) -> Model:
        """Build one. The SDKs' own retries are off: ours can be seen. Raises: ImportError."""
        hush()
        http = self._http(base_url)
        timeout = http.timeout
        if speaks == "google":
            from google.genai import Client
            from google.genai.types import HttpOptions
            from pydantic_ai.models.google import GoogleModel
            from pydantic_ai.providers.google import GoogleProvider

            verify = network.way(base_url or "https://", self._environment).verify()
            options = HttpOptions(
                base_url=GOOGLE_VERSION.sub("", base_url or ""),
                httpx_async_client=http,
                # It makes other clients too, which nobody asks: they are not to load certificates, nor read variables.
                client_args={"verify": verify, "trust_env": False},
                async_client_args={"ssl": verify},
            )
            google = Client(vertexai=False, api_key=key, http_options=options)
            wait_as_set(google, timeout)
            let_go_at_once(google)
            return GoogleModel(model_name, provider=GoogleProvider(client=google))
        if speaks == "anthropic":
            from anthropic import AsyncAnthropic
            from anthropic.types.beta import BetaRawMessageStreamEvent
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.profiles.anthropic import AnthropicModelProfile
            from pydantic_ai.providers.anthropic import AnthropicProvider

            client = AsyncAnthropic(api_key=key, base_url=base_url, http_client=http, timeout=timeout, max_retries=0)
            read_by_type(client, BetaRawMessageStreamEvent)
            for messages in (client.messages, client.beta.messages):
                send_as_is(messages, ("messages", "tools", "system"), with_thoughts)
            # Otherwise unsigned thinking becomes a message of the person's, which breaks the order of roles.
            found_again = AnthropicModelProfile(mimics_assistant_message_formatting=False, thinking_tags=THOUGHT)
            return AnthropicModel(model_name, provider=AnthropicProvider(anthropic_client=client), profile=found_again)
        from openai import AsyncOpenAI
        from pydantic_ai.providers.openai import OpenAIProvider

        openai = AsyncOpenAI(api_key=key, base_url=base_url, http_client=http, timeout=timeout, max_retries=0)
        provider = OpenAIProvider(openai_client=openai)
        if speaks == "chat":
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.profiles.openai import OpenAIModelProfile

            # Without it an answer that broke off looks whole.
            whole = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
            send_as_is(openai.chat.completions, ("messages", "tools"))
            return OpenAIChatModel(model_name, provider=provider, profile=whole)
        from openai.types.responses import ParsedResponse, ResponseStreamEvent
        from pydantic_ai.models.openai import OpenAIResponsesModel

        with unbuilt(ParsedResponse):  # 3 MB for a helper of the SDK's
            from openai.resources.responses import AsyncResponses  # noqa: F401  # pyright: ignore[reportUnusedImport]
        read_by_type(openai, ResponseStreamEvent)
        send_as_is(openai.responses, ("input", "tools"), with_types if "items" in lacks else None)
        return OpenAIResponsesModel(model_name, provider=provider)

    def adapts(self, chosen: Chosen, failure: ModelError) -> bool:
        """Whether a refusal says what the server can't do, and a request can do without it: then the next one does.

        It is remembered once an answer came. Each changes where or how is asked, once, so that this ends.
        """
        lacks = getattr(failure, "lacks", None)
        if failure.code == "endpoint_unknown" and self._other_address(chosen):
            return True
        if lacks == "responses" and chosen.may_fall_back:
            self._learned[f"speaks:{chosen.base_url}"] = "chat"
        elif lacks in LACKING and lacks not in chosen.lacks:
            self._learned[f"lacks:{chosen.name}@{chosen.base_url}"] = ",".join(sorted({*chosen.lacks, lacks}))
        else:
            return False
        self._forget_names()
        return True

    def _known(self, key: str) -> str | None:
        return self._learned.get(key) or self._recall(key)

    def worked(self, chosen: Chosen) -> None:
        """An answer came: what was tried because of a refusal is right, and is remembered.

        But for tools, for this life of the daemon only: whoever starts a server anew may give it tools.
        """
        for key in (f"speaks:{chosen.base_url}", f"lacks:{chosen.name}@{chosen.base_url}"):
            learned = ",".join(word for word in self._learned.get(key, "").split(",") if word != "tools")
            if learned and self._recall(key) != learned:
                self._remember(key, learned)
        self._keep_address(chosen)

    def failed(self, chosen: Chosen, failure: ModelError) -> None:
        """Refused again: what was tried did not help. What was not remembered yet is forgotten."""
        self._drop_address(chosen)
        if getattr(failure, "lacks", None) is None:
            return
        for key in (f"speaks:{chosen.base_url}", f"lacks:{chosen.name}@{chosen.base_url}"):
            if key in self._learned and not self._recall(key):
                del self._learned[key]
                self._forget_names()

    def _other_address(self, chosen: Chosen) -> bool:
        """Ask at the other address that a base URL without a path may mean; whether there is one not tried yet.

        For a 404 that is about the path. `_keep_address` remembers it once an answer came, `_drop_address` forgets it.
        """
        provider = PROVIDERS.get(chosen.name.partition(":")[0])
        url = self._base_url(provider) if provider is not None and provider.root is None else None
        if provider is None or url is None or url == provider.default_url or shown(url) != chosen.base_url:
            return False
        other = next(iter(addresses.alternatives(url)[1:]), None)
        said = self._said(chosen)
        if other is None or (said is not None and said.found):
            return False
        self._moved[url] = other
        self._forget_names()
        return True

    def _keep_address(self, chosen: Chosen) -> None:
        """An answer came from where `_other_address` led."""
        for url, other in self._moved.items():
            if shown(other) == chosen.base_url and self._recall(f"base:{shown(url)}") != shown(other):
                self._remember(f"base:{shown(url)}", shown(other))

    def _drop_address(self, chosen: Chosen) -> None:
        """A 404 there as well: it was not the address."""
        for url, other in list(self._moved.items()):
            if shown(other) == chosen.base_url and self._recall(f"base:{shown(url)}") != shown(other):
                del self._moved[url]
                self._forget_names()

    def why(self, chosen: Chosen, error: Exception) -> AsterError:
        """What a failure of a request to a model means: what kept it from its provider, else what that said."""
        from pydantic_ai.exceptions import ModelHTTPError

        provider = chosen.provider
        told = rooted(error)
        if told is None and provider is not None and not isinstance(error, ModelHTTPError):
            variable = self._named_by(provider)
            told = network.why_unreachable(error, chosen.name, chosen.base_url, variable, self._environment)
        return told or explain(error, chosen)

    def list(self) -> list[wire.ModelInfo]:
        """What could be chosen, the chosen one first, then what runs on this machine. Blocks for `local.find`."""
        current = self.name()
        running = {model.name: model for model in self.local.find()}
        names = [*([current] if current else []), LOCAL, *running, DEMO, *SUGGESTED]
        return [self._info(name, current, running) for name in dict.fromkeys(names)]

    def _info(self, name: str, current: str, running: Mapping[str, LocalModel]) -> wire.ModelInfo:
        provider_name = name.partition(":")[0]
        provider = PROVIDERS.get(provider_name)
        try:
            why_not = self._why_not(name, provider, running)
        except ModelError as error:
            why_not = error.message
        here = running.get(name)
        return wire.ModelInfo(
            name=name,
            provider=provider_name,
            ready=why_not is None,
            chosen=name == current,
            why_not=why_not,
            loaded=here.loaded if here is not None else None,
            context_window=here.window_tokens if here is not None else None,
        )

    def _why_not(self, name: str, provider: Provider | None, running: Mapping[str, LocalModel]) -> str | None:
        """What is missing for a turn; None when nothing is. Raises: ModelError, when what is there can't be right."""
        if name == LOCAL:
            return None if running else "no model server answers on this machine"
        if provider is None:
            return None if name.partition(":")[0] == DEMO else "unknown provider"
        base_url = self._base_url(provider)
        if self._key(provider) is None and provider.needs_key and base_url == provider.default_url:
            return self._why_no_key(provider)
        network.way(base_url or "https://", self._environment)
        if provider.name not in ON_THIS_MACHINE or name in running or not is_loopback(base_url):
            return None
        others = any(model.provider == provider.name for model in running.values())
        latest = f"{name}:latest" in running  # what Ollama takes a name without a tag for
        return None if latest else "the server does not offer it" if others else "its server does not answer"

    def forget(self) -> None:
        """Build models anew when they are asked next: a key changed. Those in use go on with what they have."""
        self._forget_names()
        self._built.clear()
        self._served.clear()

    def _forget_names(self) -> None:
        with self._keeping:
            self._generation += 1
            self._by_name.clear()

    async def close(self) -> None:
        """Close connections to providers."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()
        self._built.clear()
        self._by_name.clear()


def hush() -> None:
    """Don't let pydantic-ai print a warning when a provider sent something odd: no developer can mend that."""
    from pydantic_ai.exceptions import UsageExtractionFailedWarning

    warnings.filterwarnings("ignore", category=UsageExtractionFailedWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydantic_ai\.models\.")
    warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)


@cache
def known_types(dialect: type[Reader]) -> frozenset[str]:
    """The types of events and of what is in them that a dialect's SDK knows; none: it takes any."""
    if dialect.path == "/responses":
        from openai.types.responses import ResponseOutputItem, ResponseStreamEvent

        return frozenset((*types_in(ResponseStreamEvent), *types_in(ResponseOutputItem)))
    if dialect.path == "/messages":
        from anthropic.types.beta import BetaContentBlock, BetaRawMessageStreamEvent

        return frozenset((*types_in(BetaRawMessageStreamEvent), *types_in(BetaContentBlock)))
    if dialect.path == ":streamGenerateContent":
        from google.genai import types

        words = (types.FinishReason, types.BlockedReason, types.HarmCategory, types.HarmProbability)
        words = (*words, types.MediaModality, types.TrafficType, types.UrlRetrievalStatus)
        words = (*words, types.Language, types.Outcome, types.ToolType)
        return frozenset(one.value for kind in words for one in kind)
    return frozenset()


@cache
def types_in(union: Any) -> dict[str, Any]:
    """The members of an SDK's union of models by what their `type` says."""
    members = get_args(get_args(union)[0]) if get_origin(union) is Annotated else get_args(union)
    return {said: member for member in members for said in get_args(member.model_fields["type"].annotation)}


def send_as_is(resource: Any, names: tuple[str, ...], form: Callable[[list[Any]], list[Any]] | None = None) -> None:
    """Make the `create` of an SDK's resource send these arguments as they are; the first one, the messages, in a form.

    The SDKs walk through everything they are given, once per possible type, to rename what pydantic-ai never gives
    them: 4 ms for nine tools alone, and more with each message of a long conversation. `extra_body` goes around that.
    """
    create: Callable[..., Any] = resource.create

    def lean(**given: Any) -> Any:
        body = {name: given[name] for name in names if isinstance(given.get(name), list | str)}
        if isinstance(body.get(names[0]), list):
            body[names[0]] = without_marks(form(body[names[0]]) if form is not None else body[names[0]])
        given |= {name: [] for name in body}
        given["extra_body"] = {**(given.get("extra_body") or {}), **body}
        return create(**given)

    resource.create = lean


def wait_as_set(client: Any, timeout: Any) -> None:
    """Make Google's client wait as its HTTP client does.

    It has one number for all waits, which it also sends: the server would end an answer after that time, however much
    is still coming.
    """
    inner = client._api_client
    build: Callable[..., Any] = inner._build_request

    def lean(*given: Any, **named: Any) -> Any:
        request = build(*given, **named)
        request.timeout = timeout
        return request

    inner._build_request = lean


class Segments:
    """A streamed answer of Google's client, which lets go of its connection as soon as nobody reads it any more.

    The client's own refers to what reads it and the other way round: its connection stays open until the garbage
    collector comes by.
    """

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.headers = answer.headers

    def __aiter__(self) -> Any:
        return self._answer.async_segments()


def let_go_at_once(client: Any) -> None:
    """Make Google's client read what is streamed as `Segments`."""
    inner = client._api_client
    ask: Callable[..., Any] = inner._async_request

    async def lean(*given: Any, stream: bool = False, **named: Any) -> Any:
        answer = await ask(*given, stream=stream, **named)
        return Segments(answer) if stream else answer

    inner._async_request = lean


def read_by_type(client: Any, union: Any) -> None:
    """Make an SDK's client read a streamed event of a union as what its `type` says.

    The SDK tries all members of the union on each event: 44 µs where one takes 2, a third of what a token costs.
    What does not fit is left to the SDK, as before.
    """
    read: Callable[..., Any] | None = getattr(client, "_process_response_data", None)
    by_type = types_in(union)
    if read is None:
        return

    def lean(*, data: Any, cast_to: Any, response: Any) -> Any:
        fields = cast("dict[str, Any]", data) if cast_to is union and isinstance(data, dict) else {}
        member = by_type.get(str(fields.get("type")))
        if member is not None:
            try:
                return member.model_validate(data) if "delta" in fields else shaped(member, data)
            except (ValidationError, Unclear, TypeError):
                pass
        return read(data=data, cast_to=member or cast_to, response=response)

    client._process_response_data = lean


def window_fact(chosen: Chosen) -> str:
    """Under which name the window is remembered that a refusal named."""
    return f"window:{chosen.name}@{chosen.base_url}"


def number(environment: Mapping[str, str], name: str) -> float | None:
    """A variable that must be a number above 0; None when it is not set. Raises: ConfigInvalid."""
    text = environment.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigInvalid(f"{name} = {text[:100]!r} (environment): not a number above 0", hint="set it to a number")
    return value


async def probe(models: Models, name: str | None = None) -> Chosen:
    """Ask a model (the chosen one, or by name) for one word, as a turn would, and read it. Raises: ModelError."""
    from pydantic_ai import ModelRequest, ModelSettings
    from pydantic_ai.direct import model_request_stream

    while True:
        chosen = await asyncio.to_thread(models.build, name)
        try:
            question = ModelRequest.user_text_prompt("Answer with one word: ok")
            settings: ModelSettings = {"max_tokens": PROBE_TOKENS}
            with exchanging(chosen.exchange()):
                async with (
                    asyncio.timeout(PROBE_S),
                    model_request_stream(chosen.model, [question], model_settings=settings) as answer,
                ):
                    async for _ in answer:
                        pass
            models.worked(chosen)
            return chosen
        except TimeoutError as error:
            raise ModelError(
                "provider_timeout",
                f"{chosen.name}: the provider did not answer within {PROBE_S:g} s",
                hint="try again; a local server may still be loading the model",
            ) from error
        except Exception as error:
            failure = models.why(chosen, error)
            if not (isinstance(failure, ModelError) and models.adapts(chosen, failure)):
                if isinstance(failure, ModelError):
                    models.failed(chosen, failure)
                raise failure from error


def explain(error: BaseException, chosen: Chosen) -> AsterError:
    """What a failure of the provider means, in our words: the one boundary where foreign errors are translated."""
    from pydantic_ai import exceptions as ai

    name, provider = chosen.name, chosen.provider
    said = shorten(str(error))
    if isinstance(error, ai.ModelHTTPError) or getattr(error, "in_stream", False):  # past the edge, or without it
        from aster_sidecar.models.provider_errors.classify import understand

        status, body = getattr(error, "status_code", None), getattr(error, "body", None) or str(error)
        headers: Mapping[str, str] = getattr(error, "headers", None) or {}
        return understand(
            status,
            body,
            headers,
            name=name,
            key_variable=provider.key if provider else None,
            base_variable=provider.base if provider else None,
        )

    def model_error(code: str, message: str, hint: str, retryable: bool = False) -> ModelError:
        return ModelError(code, message, hint=hint, retryable=retryable)

    match error:
        case ai.ModelContextWindowExceededError():
            return model_error(
                "context_too_long",
                f"{name}: the conversation is longer than the model can read",
                "start a new session, clear the history, or choose a model with a larger context window",
            )
        case ai.ModelTimeoutError() | ai.ModelRequestTimeout():
            return model_error(
                "provider_timeout",
                f"{name}: the provider did not answer in time",
                "try again; ASTER_MODEL_TIMEOUT_S sets how long a silence is borne",
                True,
            )
        case ai.ModelConnectionError():
            if getattr(error, "phase", None) == "read":
                return model_error(
                    "malformed_stream", f"{name}: the answer broke off", "send again; the text so far is kept", True
                )
            return model_error(
                "provider_unreachable",
                f"{name}: the provider cannot be reached",
                "check the network, the proxy settings and the base URL"
                + (f" ({provider.base})" if provider and provider.base else ""),
                True,
            )
        case ai.ContentFilterError():
            return model_error("content_refused", f"{name}: the provider's filter refused: {said}", "say it otherwise")
        case ai.UnexpectedModelBehavior() if re.search(r"max(imum)? \w*\s?retries", said):
            return model_error(
                "bad_tool_call",
                f"{name}: the model called a tool wrongly, again and again: {said}",
                "ask in other words, or choose a model that is better with tools",
            )
        case ai.ModelAPIError() | ai.UnexpectedModelBehavior():
            return model_error(
                "malformed_stream",
                f"{name}: the answer could not be understood: {said}",
                "send again; the text so far is kept",
                True,
            )
        case _ if isinstance(error, ValueError) or type(error).__module__.startswith(("openai", "anthropic", "httpx")):
            return model_error(
                "malformed_stream",
                f"{name}: the answer could not be understood: {type(error).__name__}: {said}",
                "send again; the text so far is kept",
                True,
            )
        case _:
            return model_error(
                "internal_error",
                f"the turn failed inside the daemon: {type(error).__name__}: {said}",
                "this is a bug: please report it with the log of the daemon",
            )


def rooted(error: BaseException) -> AsterError | None:
    """Our own error that a library wrapped in its own."""
    seen: set[int] = set()
    while id(error) not in seen:
        if isinstance(error, AsterError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__ or error
    return None


def shorten(text: str, most: int = 300) -> str:
    """One line of at most `most` characters."""
    line = " ".join(text.split())
    return cut(line, most)
