"""One-time sign-in of a browser: a code that lives for a minute, for a bearer that ends with the daemon.

Nothing of it is written down. Codes and bearers are kept as hashes: not even a dump of the memory gives one away.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from aster_sidecar import __version__, clock
from aster_sidecar.api.identity import Identity
from aster_sidecar.companion.feature_flags import Flags
from aster_sidecar.companion.onboarding import Onboarding
from aster_sidecar.contract import wire
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import BearerNotFound, HandoffRefused, NotFound

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


class BrowserCalls:
    """Calls about browsers that are sent to the page. `has_page`: whether this daemon has the page."""

    def __init__(
        self,
        identity: Identity,
        handoffs: Handoffs,
        has_page: Callable[[], bool],
        sessions: Sessions,
        onboarding: Onboarding,
        flags: Flags,
    ) -> None:
        self._identity = identity
        self._handoffs = handoffs
        self._has_page = has_page
        self._sessions = sessions
        self._onboarding = onboarding
        self._flags = flags

    def bootstrap(self, in_browser: bool) -> wire.Bootstrap:
        """What a UI has to know before anything else."""
        settings = self._identity.settings
        return wire.Bootstrap(
            runtime_surface="browser" if in_browser else "native",
            framework=settings.framework,
            version=__version__,
            protocol=wire.PROTOCOL,
            instance_id=self._identity.instance_id,
            ws_path=wire.SOCKET_PATH,
            token_required=settings.token is not None,
            flags=self._flags.values(),
        )

    def handoff(self, body: wire.HandoffCreate) -> wire.Handoff:
        """A link that opens the UI in a browser, once, signed in. Raises: NotFound, SessionNotFound."""
        if not self._has_page():
            raise NotFound("this daemon has no web UI", hint="build it from shells/ui, or install a release")
        if body.session_id is not None:
            self._sessions.require(body.session_id, None)
        code = self._handoffs.mint(body.section, body.session_id)
        expires = clock.now() + timedelta(seconds=CODE_S)
        return wire.Handoff(url=link(self._identity, code), expires_at=clock.stamp(expires))

    async def redeem(self, body: wire.HandoffRedeem) -> wire.HandoffRedeemed:
        """Sign a browser in with the code of its link. Raises: HandoffRefused, StoreError."""
        redeemed = self._handoffs.redeem(body.code)
        await self._onboarding.handed_off()
        return redeemed

    def bearers(self) -> list[wire.BearerInfo]:
        """The browsers that are signed in."""
        return self._handoffs.list()

    def revoke(self, bearer_id: str) -> wire.BearerRevoked:
        """Sign a browser out; its streams end. Raises: BearerNotFound."""
        self._handoffs.revoke(bearer_id)
        return wire.BearerRevoked(bearer_id=bearer_id)


def link(identity: Identity, code: str) -> str:
    """The address that signs a browser in. The code is behind the `#`: it is never sent as part of an address."""
    return f"{identity.url}/#handoff={code}"
