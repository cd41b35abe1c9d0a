"""A model that is ready to receive requests: what `build` returns and the engine uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aster_sidecar.models.catalog import Provider, provider_of
from aster_sidecar.models.inputs import Kind
from aster_sidecar.models.request_context import Exchange
from aster_sidecar.text.addresses import is_loopback

if TYPE_CHECKING:
    from pydantic_ai.models import Model

DEFAULT_WINDOW_TOKENS = 128_000
"""The context window of a model about which nothing is known; `ASTER_CONTEXT_WINDOW` overrides it."""
LACKING = frozenset({"tools", "roles", "ids", "items", "images", "files"})
"""Features that a request can do without when a server refuses them: tools; roles in any order; tool-call ids in the
form of another server; items for `/responses` without a type; images; files such as PDFs."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model, its context window in tokens, and its base URL without a password.

    `may_fall_back`: its server may support chat completions only. `says_why_it_ends`: a complete answer has a finish
    reason, so an answer without one was cut off. `lacks`: what its server refused before (see `LACKING`). `takes` and
    `refuses`: the kinds of attachments that it is known to take and to refuse; other kinds are tried.
    """

    name: str
    model: Model
    window_tokens: int
    base_url: str | None = None
    may_fall_back: bool = False
    says_why_it_ends: bool = False
    lacks: frozenset[str] = frozenset()
    takes: frozenset[Kind] = frozenset()
    refuses: frozenset[Kind] = frozenset()
    wait_s: float | None = None
    """Longest wait without progress, when `ASTER_MODEL_TIMEOUT_S` sets one."""
    has_edge: bool = False
    """Whether requests pass through `transport.py`, which can insert files into their bodies."""
    window_known: bool = False
    """Whether `window_tokens` was set, reported or learned, not only assumed."""
    dialect: str | None = None
    """The protocol, when requests pass through `transport.py`, which can insert stored messages into their bodies."""

    @property
    def provider(self) -> Provider | None:
        return provider_of(self.name)

    def exchange(self, leave: Callable[[], None] = lambda: None) -> Exchange:
        """The context for a request to this model. `leave` is called before each HTTP request."""
        provider = self.provider
        return Exchange(
            name=self.name,
            key=provider.key if provider else None,
            base=provider.base if provider else None,
            here=is_loopback(self.base_url),
            wait_s=self.wait_s,
            leave=leave,
        )
