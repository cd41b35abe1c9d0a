"""Turns a model's name into a model that can receive requests, for turns and for everything else that asks a model.

A key alone never picks a paid model; with neither a model nor a key the offline demo model answers. Provider SDKs are
imported when a turn needs them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from aster_sidecar.contract import wire
from aster_sidecar.errors import AsterError, ModelError
from aster_sidecar.frozen import how_to_get
from aster_sidecar.models import network
from aster_sidecar.models.catalog import DEMO, LOCAL, ON_THIS_MACHINE, PRICED_AS, PROVIDERS, SUGGESTED, Provider
from aster_sidecar.models.chosen import DEFAULT_WINDOW_TOKENS, Chosen
from aster_sidecar.models.inputs import BOTH, LACKED_AS, Inputs, Kind, known
from aster_sidecar.models.learned import Learned
from aster_sidecar.models.library_patches import add_prices
from aster_sidecar.models.listing import list_models
from aster_sidecar.models.local_servers import LocalModel, LocalModels
from aster_sidecar.models.provider_errors.exceptions import explain
from aster_sidecar.models.provider_settings import ProviderSettings, positive_number
from aster_sidecar.models.sdk_models import SdkModels
from aster_sidecar.models.server_facts import Served, ServerFacts
from aster_sidecar.text.addresses import shown

CHAT_IS_BETTER = ("llamacpp",)
"""Servers whose `/responses` reports less: llama.cpp's calls an answer complete that a token limit cut off."""
OFF = ("off", "0", "false", "no")
MOST_NAMED = 5
"""The most models that `that_take` returns."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests to a model go, and in which form.

    `base_url` may contain a password, `bare_url` doesn't. `own_server`: the address is not the provider's default.
    `speaks` is the protocol; `lacks` is as in `Chosen`.
    """

    name: str
    provider: Provider
    model_name: str
    base_url: str | None = field(repr=False)
    bare_url: str | None
    own_server: bool
    key: str | None = field(repr=False)
    speaks: str
    lacks: frozenset[str]

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for two targets whose requests are equal."""
        return (self.name, self.speaks, self.base_url or "", self.key or "", *sorted(self.lacks))


class Models:
    """Builds models by name and keeps them. Methods may run in any thread.

    `chosen` returns the configured model, `vision` whether that one takes images, if the user has set it. `recall` and
    `remember` read and write facts about servers in the store. The constructor raises ConfigInvalid when a variable is
    not a number.
    """

    # Shared by the process: a key that is being tried has a `Models` of its own, and both load the same SDKs.
    _building: ClassVar = threading.Lock()

    def __init__(
        self,
        environment: Mapping[str, str],
        chosen: Callable[[], str | None],
        recall: Callable[[str], str | None],
        remember: Callable[[str, str], None],
        vision: Callable[[], bool | None] = lambda: None,
    ) -> None:
        self._window_tokens = positive_number(environment, "ASTER_CONTEXT_WINDOW")
        self._wait_s = positive_number(environment, "ASTER_MODEL_TIMEOUT_S")
        self._edge = environment.get("ASTER_MODEL_EDGE", "").strip().lower() not in OFF
        self._chosen = chosen
        self._vision = vision
        self.settings = ProviderSettings(environment, recall, remember)
        self.sdk = SdkModels(environment, self._wait_s, edge=self._edge)
        self._facts = ServerFacts(environment)
        self._learned = Learned(recall, remember)
        self.local = LocalModels({name: self.settings.server(PROVIDERS[name]) for name in ON_THIS_MACHINE})
        self._built: dict[tuple[str, ...], Chosen] = {}
        self._by_name: dict[str, Chosen] = {}
        self._generation = 0
        """Counts how often built models were forgotten. A model whose building began before that is not kept."""
        self._keeping = threading.Lock()

    def name(self, configured: str | None = None) -> str:
        """The model that requests go to now; empty when one must be chosen first.

        `configured`: the configured one where that is not the daemon's, such as in a session's folder.
        """
        chosen = self._chosen() if configured is None else configured
        if chosen:
            return chosen
        return "" if self.settings.configured() else DEMO

    def list(self) -> list[wire.ModelInfo]:
        """The models that can be chosen: the chosen one, those on this machine, suggestions. Blocks as `local.find`."""
        return list_models(self.name(), self.local.find(), self.settings)

    # -- building ------------------------------------------------------------------------------------------------------

    def build(self, name: str | None = None) -> Chosen:
        """The model of a name, by default the chosen one. Blocks for its SDK and its server. Raises: ModelError."""
        name = name or self.name()
        if not name:
            raise self._not_set()
        provider_name, _, model_name = name.partition(":")
        if provider_name == DEMO:
            return self._build_demo(name, model_name)
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

    def built(self, name: str | None = None) -> Chosen | None:
        """The model if it was built before, without blocking. None: call `build`.

        Also None for `local`, which is looked up each time, and for a model whose server may report more by now.
        """
        name = name or self.name()
        chosen = self._by_name.get(name)
        return None if chosen is None or self._facts.outdated(name) else self._as_set(chosen)

    def _not_set(self) -> ModelError:
        keys = ", ".join(sorted({PROVIDERS[p].key or p for p in self.settings.configured()}))
        example = "anthropic:claude-sonnet-4-5" if "ANTHROPIC" in keys else "openai:gpt-5.2"
        return ModelError(
            "model_not_set",
            f"no model is chosen ({keys} is set, but a key alone never picks a paid model)",
            hint=f'choose one: POST /api/config {{"model": "{example}"}}, or ASTER_MODEL, or --model; demo is free',
        )

    def _build_demo(self, name: str, variant: str) -> Chosen:
        from aster_sidecar.models.demo import demo_model

        with self._building:
            add_prices()
        chosen = Chosen(
            name,
            demo_model(instant=variant == "instant"),
            DEFAULT_WINDOW_TOKENS,
            takes=BOTH.takes,
            refuses=BOTH.refuses,
        )
        self._by_name[name] = chosen
        return self._as_set(chosen)

    def _build(self, name: str, provider: Provider, model_name: str) -> Chosen:
        generation = self._generation  # before the key is read, which may change meanwhile
        target, served = self._target(name, provider, model_name)
        with self._building:  # the warm-up and the first turn build the same model, each in a thread
            built = self._built.get(target.identity)
            if built is None:
                built = self._make(target)
            window_tokens, inputs = self._window(built, served), inputs_of(target, served)
            facts = {
                "window_tokens": window_tokens or DEFAULT_WINDOW_TOKENS,
                "window_known": window_tokens is not None,
                "takes": inputs.takes,
                "refuses": inputs.refuses,
            }
            if any(getattr(built, fact) != value for fact, value in facts.items()):
                built = replace(built, **facts)
            with self._keeping:
                if generation == self._generation:
                    self._built[target.identity] = self._by_name[name] = built
        return self._as_set(built)

    def _as_set(self, chosen: Chosen) -> Chosen:
        """The model, with what the user set about images, which only concerns the configured model."""
        vision = self._vision()
        if vision is None or chosen.name != self._chosen():
            return chosen
        inputs = Inputs(chosen.takes, chosen.refuses).but("image", vision)
        return replace(chosen, takes=inputs.takes, refuses=inputs.refuses)

    def _target(self, name: str, provider: Provider, model_name: str) -> tuple[Target, Served | None]:
        """Where requests to a model go, and what the server there reports. Blocks as `_ask`. Raises: ModelError."""
        key = self.settings.key(provider)
        base_url = self.settings.base_url(provider)
        own_server = base_url != provider.default_url
        if key is None and provider.needs_key and not own_server:
            raise ModelError(
                "key_missing",
                f"{name} needs a key: {self.settings.why_no_key(provider)}",
                hint=f"add the key in the settings, set {provider.key} for the daemon, or choose another model",
            )
        environment = self.settings.environment
        network.way(base_url or "https://", environment).verify()  # reports an invalid proxy or certificate
        served = self._ask(name, provider, model_name, base_url, key)
        base_url = served.base_url if served is not None else base_url
        bare_url = shown(base_url) if base_url else None
        speaks = self._protocol(provider, bare_url, served)
        reported = frozenset(("images",)) if served is not None and served.vision else frozenset[str]()
        lacks = self._learned.lacks(name, bare_url, reported)
        return Target(name, provider, model_name, base_url, bare_url, own_server, key, speaks, lacks), served

    def _protocol(self, provider: Provider, bare_url: str | None, served: Served | None) -> str:
        """The protocol for requests to a provider's server: the provider's, or chat completions if they work better."""
        if provider.name != "openai":
            return provider.speaks
        chat_is_better = served is not None and served.kind in CHAT_IS_BETTER
        return "chat" if self._learned.speaks_chat_only(bare_url) or chat_is_better else provider.speaks

    def _make(self, target: Target) -> Chosen:
        """A model for a target. Imports its SDK. Raises: ModelError."""
        name, provider, speaks, base_url = target.name, target.provider, target.speaks, target.base_url
        add_prices(PRICED_AS[speaks], f"{base_url or ''}/")
        try:
            model = self.sdk.make(speaks, target.model_name, base_url, target.key or "no-key-needed", target.lacks)
        except ImportError as error:
            raise ModelError(
                "extra_missing",
                f"{name} needs a library that is not installed ({error.name})",
                hint=how_to_get(provider.extra or provider.name),
            ) from error
        return Chosen(
            name,
            model,
            DEFAULT_WINDOW_TOKENS,
            target.bare_url,
            may_fall_back=provider.name == "openai" and speaks == "responses" and target.own_server,
            says_why_it_ends=True,
            lacks=target.lacks,
            wait_s=self._wait_s,
            has_edge=self._edge,
            dialect=speaks if self._edge and speaks != "google" else None,
        )

    def _ask(
        self, name: str, provider: Provider, model_name: str, base_url: str | None, key: str | None
    ) -> Served | None:
        """What the server reports about a model; None for a provider's own address. Blocks for some seconds at most."""
        if base_url is None or (provider.name not in ON_THIS_MACHINE and base_url == provider.default_url):
            return None
        if provider.speaks == "google":
            return None  # its list of models has another form, and the catalogue has the windows
        served = self._facts.ask(name, provider.name, model_name, base_url, key)
        if served.base_url != base_url:
            self.settings.found(base_url, served.base_url)
        return served

    def _window(self, chosen: Chosen, served: Served | None) -> int | None:
        """The context window in tokens: as set, else as a refusal, the server or the catalogue says. None: unknown."""
        if self._window_tokens:
            return int(self._window_tokens)
        reported = served.window_tokens if served is not None else None
        usual = chosen.provider.window_tokens if chosen.provider else None
        believed = reported or chosen.model.context_window or usual
        refused = self._learned.window_tokens(chosen, reported)
        return min((tokens for tokens in (believed, refused) if tokens is not None), default=None)

    # -- attachments ---------------------------------------------------------------------------------------------------

    def that_take(self, kind: Kind) -> list[str]:
        """Names of at most `MOST_NAMED` models that take a kind of attachments or may, those known to take it first.

        They are the chosen one, those on this machine, and suggestions whose provider has a key. Blocks as
        `local.find`.
        """
        here = {model.name: model for model in self.local.find()}
        suggested = [name for name in SUGGESTED if name not in here and self._has_key(name)]
        named: dict[str, bool] = {}
        for name in dict.fromkeys((self.name(), *here, *suggested)):
            inputs = self._inputs_by_name(name, here.get(name))
            if inputs is not None and kind not in inputs.refuses:
                named[name] = kind in inputs.takes
        return sorted(named, key=lambda name: not named[name])[:MOST_NAMED]

    def _has_key(self, name: str) -> bool:
        """Whether the provider of a model needs a key and has one."""
        provider = PROVIDERS[name.partition(":")[0]]
        try:
            return provider.needs_key and self.settings.key(provider) is not None
        except ModelError:
            return False

    def _inputs_by_name(self, name: str, here: LocalModel | None) -> Inputs | None:
        """What a model takes, without building it; None for the demo, `local` and names that are no model's."""
        provider_name, _, model_name = name.partition(":")
        provider = PROVIDERS.get(provider_name)
        if provider is None or not model_name:
            return None
        if (chosen := self._by_name.get(name)) is not None:
            chosen = self._as_set(chosen)
            return Inputs(chosen.takes, chosen.refuses)
        try:
            base_url = self.settings.base_url(provider)
        except ModelError:
            return None
        bare_url = shown(base_url) if base_url else None
        inputs = known(provider, model_name, bare_url, speaks=provider.speaks)
        inputs = inputs.but("image", here.vision if here is not None else None)
        inputs = without(inputs, self._learned.lacks(name, bare_url))
        return inputs.but("image", self._vision() if name == self._chosen() else None)

    # -- what requests show --------------------------------------------------------------------------------------------

    def why(self, chosen: Chosen, error: Exception) -> AsterError:
        """What an exception of a request to a model means. Never raises."""
        variable = self.settings.base_variable(chosen.provider) if chosen.provider is not None else None
        return explain(error, chosen, variable, self.settings.environment)

    def adapts(self, chosen: Chosen, failure: ModelError) -> bool:
        """After a refusal: whether another request can avoid it, by another address or without what the server lacks.

        Models that are built from then on do so. Each change is tried once, so repeating the request ends.
        """
        served = self._facts.of(chosen)
        confirmed = served is not None and served.found
        if failure.code == "endpoint_unknown" and self.settings.try_alternative(chosen, confirmed=confirmed):
            pass
        elif not self._learned.learn(chosen, failure):
            return False
        self._forget_names()
        return True

    def worked(self, chosen: Chosen) -> None:
        """After an answer: remember what was tried because of a refusal."""
        self._learned.confirm(chosen)
        self.settings.keep_alternative(chosen)

    def failed(self, chosen: Chosen, failure: ModelError) -> None:
        """After another refusal: forget what was tried and is not remembered yet."""
        dropped = self.settings.drop_alternative(chosen)
        if self._learned.discard(chosen, failure) or dropped:
            self._forget_names()

    def learn_window(self, chosen: Chosen, tokens: int) -> Chosen:
        """Use a context window that a refusal named, if it is smaller. Returns the model with its current window."""
        served = self._facts.of(chosen)
        reported = served.window_tokens if served is not None else None
        if self._window_tokens or not self._learned.learn_window(chosen, tokens, reported):
            return chosen
        learned = replace(chosen, window_tokens=tokens, window_known=True)
        with self._keeping:
            for kept in (self._built, self._by_name):
                for key, one in list(kept.items()):
                    if one.model is chosen.model:
                        kept[key] = learned  # type: ignore[index]
        return learned

    # -- forgetting ----------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """After a key has changed: build models anew. Running requests keep the ones they have."""
        self._forget_names()
        self._built.clear()
        self._facts.clear()

    def _forget_names(self) -> None:
        with self._keeping:
            self._generation += 1
            self._by_name.clear()

    async def close(self) -> None:
        """Close the connections to providers."""
        await self.sdk.close()
        self._built.clear()
        self._by_name.clear()


def inputs_of(target: Target, served: Served | None) -> Inputs:
    """What a model takes: as refusals showed, else as its server reports, else as the catalogue says."""
    kind = served.kind if served is not None else ""
    inputs = known(target.provider, target.model_name, target.bare_url, speaks=target.speaks, server=kind)
    return without(inputs.but("image", served.vision if served is not None else None), target.lacks)


def without(inputs: Inputs, lacks: frozenset[str]) -> Inputs:
    """The same, but refusing the kinds that a server refused."""
    for kind, feature in LACKED_AS.items():
        inputs = inputs.but(kind, False if feature in lacks else None)
    return inputs
