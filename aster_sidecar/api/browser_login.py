"""One-time sign-in of a browser: a code, valid for a minute, is exchanged for a bearer, valid until the daemon stops.

Nothing is stored on disk. Codes and bearers are kept in memory as hashes only, so a memory dump does not reveal them.
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
"""How long a code is valid."""
PRINTED_S = 600.0
"""How long the code printed at the start is valid: a person has to find it first."""
MOST_CODES = 32
MOST_BEARERS = 32
"""Limits; one more removes the oldest."""


@dataclass(slots=True)
class Code:
    """A sign-in code: valid until the monotonic time `until`; opens a section or a session."""

    until: float
    section: str | None = None
    session_id: str | None = None


@dataclass(eq=False, slots=True)
class Bearer:
    """A signed-in browser. Setting `revoked` ends its open streams."""

    bearer_id: str
    created_at: str
    last_used_at: str
    revoked: asyncio.Event = field(default_factory=asyncio.Event)


class Handoffs:
    """The unused codes and the signed-in browsers."""

    def __init__(self, real_s: Callable[[], float] = clock.real_s) -> None:
        self._now = real_s
        self._codes: dict[bytes, Code] = {}
        self._bearers: dict[bytes, Bearer] = {}

    def mint(self, section: str | None = None, session_id: str | None = None, lives_s: float = CODE_S) -> str:
        """Create a code for one browser, valid for `lives_s` seconds."""
        code = secrets.token_urlsafe(CODE_BYTES)
        self._forget_old()
        while len(self._codes) >= MOST_CODES:
            self._codes.pop(next(iter(self._codes)))
        self._codes[digest(code)] = Code(self._now() + lives_s, section, session_id)
        return code

    def redeem(self, code: str) -> wire.HandoffRedeemed:
        """Sign a browser in. Raises: HandoffRefused when the code is wrong, used or expired."""
        self._forget_old()
        found = self._codes.pop(digest(code), None)
        if found is None:
            raise HandoffRefused("the link was used already, has expired, or is from another daemon")
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
        """The browser with these credentials, None if there is none. Updates its `last_used_at`."""
        if not self._bearers:
            return None
        found = self._bearers.get(hashlib.sha256(credentials).digest())
        if found is not None:
            found.last_used_at = clock.stamp()
        return found

    def open(self) -> bool:
        """Whether there is an unused code or a signed-in browser."""
        self._forget_old()
        return bool(self._codes or self._bearers)

    def list(self) -> list[wire.BearerInfo]:
        """The signed-in browsers, newest last."""
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
    # A lookup by hash takes the same time for every wrong code, however similar it is.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class BrowserCalls:
    """Calls about the web page and browser sign-in. `has_page`: whether this daemon includes the page."""

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
        """What a UI needs before any other call."""
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
        """Create a one-time link that opens the UI signed in. Raises: NotFound, SessionNotFound."""
        if not self._has_page():
            raise NotFound("this daemon has no web UI", hint="build it from shells/ui, or install a release")
        if body.session_id is not None:
            self._sessions.require(body.session_id, None)
        code = self._handoffs.mint(body.section, body.session_id)
        expires = clock.now() + timedelta(seconds=CODE_S)
        return wire.Handoff(url=link(self._identity, code), expires_at=clock.stamp(expires))

    async def redeem(self, body: wire.HandoffRedeem) -> wire.HandoffRedeemed:
        """Sign a browser in with the code from its link. Raises: HandoffRefused, StoreError."""
        redeemed = self._handoffs.redeem(body.code)
        await self._onboarding.handed_off()
        return redeemed

    def bearers(self) -> list[wire.BearerInfo]:
        """The signed-in browsers."""
        return self._handoffs.list()

    def revoke(self, bearer_id: str) -> wire.BearerRevoked:
        """Sign a browser out; its streams end. Raises: BearerNotFound."""
        self._handoffs.revoke(bearer_id)
        return wire.BearerRevoked(bearer_id=bearer_id)


def link(identity: Identity, code: str) -> str:
    """The URL that signs a browser in. The code is in the fragment, which browsers do not send."""
    return f"{identity.url}/#handoff={code}"
