"""What refusals showed about a model's server: features it lacks, and its context window.

Facts are kept in the store by model and base URL, so that no later request is wasted on finding them out again.
"""

from __future__ import annotations

from collections.abc import Callable

from aster_sidecar.errors import ModelError
from aster_sidecar.models.chosen import LACKING, Chosen

LEAST_WINDOW_TOKENS = 256
"""A smaller number in a refusal is not a context window."""


class Learned:
    """Facts from refusals. A fact about a missing feature is stored only after an answer without that feature."""

    def __init__(self, recall: Callable[[str], str | None], remember: Callable[[str, str], None]) -> None:
        self._recall = recall
        self._remember = remember
        self._tried: dict[str, str] = {}
        """Facts by their key in the store, from refusals since the daemon started."""
        self._windows: dict[str, str] = {}
        """Key in the store → the window of a refusal, and the window that the server reported then, if any."""

    # -- missing features ----------------------------------------------------------------------------------------------

    def speaks_chat_only(self, base_url: str | None) -> bool:
        """Whether the server at a base URL (without a password) has no `/responses`."""
        return self._known(f"speaks:{base_url}") == "chat"

    def lacks(self, name: str, base_url: str | None, reported: frozenset[str] = frozenset()) -> frozenset[str]:
        """The features (see `LACKING`) that a model's server refused.

        `reported`: those that the server says it has. A refusal from before the daemon started no longer counts then:
        the server was restarted with the feature.
        """
        key = f"lacks:{name}@{base_url}"
        if tried := self._tried.get(key):
            return frozenset(tried.split(",")) & LACKING
        return (frozenset((self._recall(key) or "").split(",")) & LACKING) - reported

    def learn(self, chosen: Chosen, failure: ModelError) -> bool:
        """Note the feature that a refusal names. Returns whether a request without it was not tried yet."""
        lacks = getattr(failure, "lacks", None)
        if lacks == "responses" and chosen.may_fall_back:
            self._tried[f"speaks:{chosen.base_url}"] = "chat"
        elif lacks in LACKING and lacks not in chosen.lacks:
            self._tried[f"lacks:{chosen.name}@{chosen.base_url}"] = ",".join(sorted({*chosen.lacks, lacks}))
        else:
            return False
        return True

    def confirm(self, chosen: Chosen) -> None:
        """Store what was tried: the model answered.

        A lack of tools is kept only until the daemon stops, because a server may be restarted with tools.
        """
        for key in keys(chosen):
            fact = ",".join(word for word in self._tried.get(key, "").split(",") if word != "tools")
            if fact and self._recall(key) != fact:
                self._remember(key, fact)

    def discard(self, chosen: Chosen, failure: ModelError) -> bool:
        """Drop what was tried and not stored: the model refused again. Returns whether anything was dropped."""
        if getattr(failure, "lacks", None) is None:
            return False
        useless = [key for key in keys(chosen) if key in self._tried and not self._recall(key)]
        for key in useless:
            del self._tried[key]
        return bool(useless)

    def _known(self, key: str) -> str | None:
        return self._tried.get(key) or self._recall(key)

    # -- the context window --------------------------------------------------------------------------------------------

    def window_tokens(self, chosen: Chosen, reported_tokens: int | None) -> int | None:
        """The context window that a refusal named; None when there was none, or when it no longer holds.

        It no longer holds when the server now reports another window than at the time of the refusal: the server was
        restarted with another one.
        """
        key = window_key(chosen)
        refused, _, reported_then = (self._windows.get(key) or self._recall(key) or "").partition(" ")
        if refused.isdecimal() and (reported_tokens is None or reported_then in ("", str(reported_tokens))):
            return int(refused)
        return None

    def learn_window(self, chosen: Chosen, tokens: int, reported_tokens: int | None) -> bool:
        """Store the window that a refusal named. Returns False when it is not a plausible, smaller window."""
        if not LEAST_WINDOW_TOKENS <= tokens < chosen.window_tokens:
            return False
        key, fact = window_key(chosen), f"{tokens} {reported_tokens or ''}".strip()
        self._windows[key] = fact
        self._remember(key, fact)
        return True


def keys(chosen: Chosen) -> tuple[str, str]:
    """The keys in the store of a model's facts about missing features."""
    return f"speaks:{chosen.base_url}", f"lacks:{chosen.name}@{chosen.base_url}"


def window_key(chosen: Chosen) -> str:
    """The key in the store of a model's context window."""
    return f"window:{chosen.name}@{chosen.base_url}"
