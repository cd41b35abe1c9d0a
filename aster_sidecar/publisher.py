"""Notifies subscribers of what happens in a part of the daemon, so that the part does not depend on them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

log = logging.getLogger(__name__)

P = ParamSpec("P")


class Publisher(Generic[P]):
    """Calls its subscribers, in the order in which they subscribed, each time something is published.

    An exception of a subscriber is logged. The other subscribers are still called, and `publish` does not raise.
    """

    def __init__(self) -> None:
        self._subscribers: list[Callable[P, None]] = []

    def subscribe(self, subscriber: Callable[P, None]) -> None:
        """Call `subscriber` with what is published from now on."""
        self._subscribers.append(subscriber)

    def publish(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Call every subscriber with these arguments. Returns whether none of them failed."""
        well = True
        for subscriber in self._subscribers:
            try:
                subscriber(*args, **kwargs)
            except Exception as error:
                log.error("a subscriber failed", exc_info=error)
                well = False
        return well
