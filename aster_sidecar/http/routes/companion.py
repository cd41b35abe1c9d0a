"""Routes of the snapshot, notifications, focus, feature flags and onboarding."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from aster_sidecar.api.calls import PAGE
from aster_sidecar.api.snapshot import SESSIONS
from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, Limit, answers, ok

router = APIRouter(tags=["companion"])


@router.get("/api/snapshot")
@answers(wire.Snapshot)
async def snapshot(request: Request, here: Here, sessions: Limit = SESSIONS) -> Response:
    """Everything a companion needs for its first paint, in one answer. The event stream keeps it current."""
    return ok(request, await here.snapshot.snapshot(sessions))


@router.get("/api/notifications")
@answers(wire.Notifications)
async def notifications(request: Request, here: Here, unread: bool = False, limit: Limit = PAGE) -> Response:
    """Notifications, newest first."""
    return ok(request, await here.companion.notifications(unread, limit))


@router.post("/api/notifications/read")
@answers(wire.NotificationsRead)
async def read_notifications(request: Request, body: wire.NotificationsReadRequest, here: Here) -> Response:
    """Mark notifications as read. Idempotent."""
    return ok(request, await here.companion.read_notifications(body))


@router.post("/api/focus")
@answers(wire.Focused)
async def focus(request: Request, body: wire.FocusRequest, here: Here) -> Response:
    """Set the session that a person is viewing in the client of an open stream, until the stream ends."""
    return ok(request, here.companion.focus(body))


@router.get("/api/flags")
@answers(list[wire.FlagInfo])
async def flags(request: Request, here: Here) -> Response:
    """The feature flags and their values."""
    return ok(request, here.companion.flags())


@router.post("/api/flags")
@answers(list[wire.FlagInfo])
async def set_flags(request: Request, body: wire.FlagsPatch, here: Here) -> Response:
    """Change feature flags; `null` resets a flag to its default."""
    return ok(request, await here.companion.set_flags(body))


@router.get("/api/onboarding")
@answers(wire.Onboarding)
async def onboarding(request: Request, here: Here) -> Response:
    """The onboarding steps and their state."""
    return ok(request, here.companion.onboarding())


@router.post("/api/onboarding")
@answers(wire.Onboarding)
async def set_onboarding(request: Request, body: wire.OnboardingRequest, here: Here) -> Response:
    """Complete, skip or reset an onboarding step."""
    return ok(request, await here.companion.set_onboarding(body))
