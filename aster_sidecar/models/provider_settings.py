"""What the environment says about each provider: its API key and its base URL.

A base URL without a path is ambiguous: the API may be at `/` or at `/v1`. The address that worked is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aster_sidecar.errors import ConfigInvalid, ModelError
from aster_sidecar.models.catalog import PROVIDERS, Provider, provider_of
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.local_servers import ollama_url
from aster_sidecar.text import addresses
from aster_sidecar.text.addresses import shown


class ProviderSettings:
    """Keys and base URLs from the environment.

    `recall` and `remember` read and write the store: given base URL → base URL that worked, both without passwords.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        recall: Callable[[str], str | None],
        remember: Callable[[str, str], None],
    ) -> None:
        self.environment = environment
        self._recall = recall
        self._remember = remember
        self._moved: dict[str, str] = {}
        """Given base URL → the base URL to use instead. An address that is only being tried is not in the store."""

    def configured(self) -> list[str]:
        """Names of the providers that the environment has a key or a base URL for."""

        def has(variable: str | None) -> bool:
            text = self.environment.get(variable or "")
            return bool(addresses.unwrap(text or "")) and not addresses.is_placeholder(text)

        return [p.name for p in PROVIDERS.values() if has(p.key) or has(p.key_too) or has(p.base)]

    def server(self, provider: Provider) -> tuple[str, str | None]:
        """Base URL and key; an empty base URL when one of them is invalid."""
        try:
            return self.base_url(provider) or "", self.key(provider)
        except ModelError:
            return "", None

    # -- keys ----------------------------------------------------------------------------------------------------------

    def key(self, provider: Provider) -> str | None:
        """The key as it is sent. Raises: ModelError when the variable holds something that cannot be a key."""
        for variable in (provider.key, provider.key_too):
            text = self.environment.get(variable or "")
            if variable and addresses.unwrap(text or ""):
                if provider.needs_key and not self._has_own_server(provider) and addresses.is_placeholder(text):
                    continue
                return addresses.key(text, variable)
        return None

    def why_no_key(self, provider: Provider) -> str:
        """Why `key` returns None. A placeholder is reported before a variable that is not set."""
        names = (provider.key or "", provider.key_too or "")
        reasons = [addresses.why_no_key(self.environment.get(name), name) for name in names if name]
        return next((why for why in reasons if "placeholder" in why), reasons[0] if reasons else "")

    def _has_own_server(self, provider: Provider) -> bool:
        """Whether the base URL differs from the provider's own."""
        try:
            return self.base_url(provider) != provider.default_url
        except ModelError:
            return True

    # -- addresses -----------------------------------------------------------------------------------------------------

    def base_url(self, provider: Provider) -> str | None:
        """The base URL to use; None means the SDK's default. Raises: ModelError when the given one is invalid."""
        variable = provider.base or ""
        given = addresses.base_url(self.environment.get(variable), variable, provider.root)
        if given is None and provider.name == "ollama" and (host := self.environment.get("OLLAMA_HOST")):
            given = addresses.base_url(ollama_url(host), "OLLAMA_HOST", provider.root)
        default = provider.default_url
        if given is None or default is None:
            return given or default
        if provider.root is None:
            if addresses.place(given) == addresses.place(default) and given in default:
                return default  # the provider's own host, typed without its path
            given = self._moved.get(given) or self._remembered(given) or given
        return given

    def base_variable(self, provider: Provider) -> str | None:
        """The environment variable that sets the base URL."""
        if provider.name == "ollama" and not self.environment.get(provider.base or ""):
            return "OLLAMA_HOST" if self.environment.get("OLLAMA_HOST") else provider.base
        return provider.base

    def _remembered(self, url: str) -> str | None:
        """The alternative of a base URL that worked before."""
        stored = self._recall(f"base:{shown(url)}")
        return next((other for other in addresses.alternatives(url)[1:] if stored == shown(other)), None)

    def found(self, url: str, actual: str) -> None:
        """Use and remember another address for a base URL: the server's list of models is there."""
        self._moved[url] = actual
        self._remember(f"base:{shown(url)}", shown(actual))

    def try_alternative(self, chosen: Chosen, *, confirmed: bool) -> bool:
        """After a 404 about the path: use the other address that the base URL may mean. Returns whether there is one.

        `confirmed`: the server listed its models at the current address, so the address is right. `keep_alternative`
        remembers the new address after a successful answer, `drop_alternative` goes back to the given one.
        """
        provider = provider_of(chosen.name)
        url = self.base_url(provider) if provider is not None and provider.root is None else None
        if provider is None or url is None or url == provider.default_url or shown(url) != chosen.base_url:
            return False
        other = next(iter(addresses.alternatives(url)[1:]), None)
        if other is None or confirmed:
            return False
        self._moved[url] = other
        return True

    def keep_alternative(self, chosen: Chosen) -> None:
        """Remember the address of a model that answered, if it is not the given one."""
        for url in self._tried(chosen):
            self._remember(f"base:{shown(url)}", shown(self._moved[url]))

    def drop_alternative(self, chosen: Chosen) -> bool:
        """Go back to the given address if the tried one failed as well. Returns whether there was one to drop."""
        tried = self._tried(chosen)
        for url in tried:
            self._moved.pop(url, None)
        return bool(tried)

    def _tried(self, chosen: Chosen) -> list[str]:
        """The given base URLs whose alternative is this model's address and is not remembered yet."""
        return [
            url
            for url, other in list(self._moved.items())
            if shown(other) == chosen.base_url and self._recall(f"base:{shown(url)}") != shown(other)
        ]


def positive_number(environment: Mapping[str, str], name: str) -> float | None:
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
