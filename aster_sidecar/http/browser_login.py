"""One-time sign-in of a browser: a code that lives for a minute, for a bearer that ends with the daemon.

Nothing of it is written down. Codes and bearers are kept as hashes: not even a dump of the memory gives one away.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import BearerNotFound, HandoffRefused

CODE_BYTES = 32
CODE_S = 60.0
"""How long a code may wait to be redeemed."""
PRINTED_S = 600.0
"""The same for the one that is printed at the start, which a person has to find first."""
MOST_CODES = 32
MOST_BEARERS = 32
"""The oldest goes when there is one more."""


@dataclass(slots=True)
class Code:
    """What a code leads to."""

    until: float
    section: str | None = None
    session_id: str | None = None


@dataclass(eq=False, slots=True)
class Bearer:
    """A browser that is signed in. `revoked` ends what it has open."""

    bearer_id: str
    created_at: str
    last_used_at: str
    revoked: asyncio.Event = field(default_factory=asyncio.Event)


class Handoffs:
    """The codes that wait and the browsers that are signed in."""

    def __init__(self, real_s: Callable[[], float] = clock.real_s) -> None:
        self._now = real_s
        self._codes: dict[bytes, Code] = {}
        self._bearers: dict[bytes, Bearer] = {}

    def mint(self, section: str | None = None, session_id: str | None = None, lives_s: float = CODE_S) -> str:
        """A fresh code for one browser."""
        code = secrets.token_urlsafe(CODE_BYTES)
        self._forget_old()
        while len(self._codes) >= MOST_CODES:
            self._codes.pop(next(iter(self._codes)))
        self._codes[digest(code)] = Code(self._now() + lives_s, section, session_id)
        return code

    def redeem(self, code: str) -> wire.HandoffRedeemed:
        """Sign the browser in. Raises: HandoffRefused when the code is wrong, was used, or is too old."""
        self._forget_old()
        found = self._codes.pop(digest(code), None)
        if found is None:
            raise HandoffRefused("the link was used already, is too old, or is not of this daemon")
        bearer = secrets.token_urlsafe(CODE_BYTES)
        while len(self._bearers) >= MOST_BEARERS:
            self._end(next(iter(self._bearers)))
        now = clock.stamp()
        made = Bearer(clock.new_id("bearer"), now, now)
        self._bearers[digest(bearer)] = made
        return wire.HandoffRedeemed(
            bearer=bearer, bearer_id=made.bearer_id, section=found.section, session_id=found.session_id
        )

    def find(self, credentials: bytes) -> Bearer | None:
        """Who signed in with this; it counts as used now."""
        if not self._bearers:
            return None
        found = self._bearers.get(hashlib.sha256(credentials).digest())
        if found is not None:
            found.last_used_at = clock.stamp()
        return found

    def open(self) -> bool:
        """Whether a browser may come, or is there."""
        self._forget_old()
        return bool(self._codes or self._bearers)

    def list(self) -> list[wire.BearerInfo]:
        """The browsers that are signed in, the newest last."""
        return [
            wire.BearerInfo(bearer_id=one.bearer_id, created_at=one.created_at, last_used_at=one.last_used_at)
            for one in self._bearers.values()
        ]

    def revoke(self, bearer_id: str) -> None:
        """Sign a browser out and end its streams. Raises: BearerNotFound."""
        for key, one in self._bearers.items():
            if one.bearer_id == bearer_id:
                self._end(key)
                return
        raise BearerNotFound(f"no such bearer: {bearer_id[:100]!r}")

    def _end(self, key: bytes) -> None:
        self._bearers.pop(key).revoked.set()

    def _forget_old(self) -> None:
        now = self._now()
        self._codes = {key: code for key, code in self._codes.items() if code.until > now}


def digest(text: str) -> bytes:
    # Looked up by hash: comparing takes as long for a near miss as for any other.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
