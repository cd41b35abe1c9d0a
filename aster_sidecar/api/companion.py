"""API calls of the companion around the chat: notifications, focus, feature flags and onboarding."""

from __future__ import annotations

from aster_sidecar.api.event_stream import Streams
from aster_sidecar.companion.feature_flags import Flags
from aster_sidecar.companion.notifications import Notifications
from aster_sidecar.companion.onboarding import Onboarding
from aster_sidecar.contract import wire
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.store.journal import Journal


class CompanionCalls:
    """Calls about notifications, focus, feature flags and onboarding."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        streams: Streams,
        notifications: Notifications,
        flags: Flags,
        onboarding: Onboarding,
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._streams = streams
        self._notifications = notifications
        self._flags = flags
        self._onboarding = onboarding

    # -- notifications, focus --------------------------------------------------------------------------------------

    async def notifications(self, unread: bool, limit: int) -> wire.Notifications:
        """At most `limit` notifications, newest first; with `unread`, unread ones only. Raises: StoreError."""
        await self._journal.commit()
        return self._notifications.list(limit, unread)

    async def read_notifications(self, body: wire.NotificationsReadRequest) -> wire.NotificationsRead:
        """Mark notifications as read. Idempotent. Raises: StoreError."""
        return await self._notifications.read(body.ids)

    def focus(self, body: wire.FocusRequest) -> wire.Focused:
        """Set the session that a person is viewing in the client of an open stream, until the stream ends.

        Raises: SessionNotFound, ClientNotFound.
        """
        if body.session_id is not None:
            self._sessions.require(body.session_id, None)
        self._streams.focus(body.client_id, body.session_id)
        return wire.Focused(client_id=body.client_id, session_id=body.session_id)

    # -- flags, first run ------------------------------------------------------------------------------------------

    def flags(self) -> list[wire.FlagInfo]:
        """The feature flags and their values."""
        return self._flags.list()

    async def set_flags(self, body: wire.FlagsPatch) -> list[wire.FlagInfo]:
        """Change feature flags; `null` resets a flag to its default. Raises: ConfigInvalid, StoreError."""
        changed = self._flags.change(body)
        if changed:
            await self._journal.record("flags_changed", wire.FlagsChangedEvent(changed=changed))
        return self._flags.list()

    def onboarding(self) -> wire.Onboarding:
        """The onboarding steps and their state."""
        return self._onboarding.state()

    async def set_onboarding(self, body: wire.OnboardingRequest) -> wire.Onboarding:
        """Complete, skip or reset an onboarding step. Raises: StoreError."""
        return await self._onboarding.say(body)
