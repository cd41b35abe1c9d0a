"""The snapshot, notifications, focus, flags and the first run."""

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
    """Everything that a companion's first paint needs, in one answer; the stream keeps it true."""
    return ok(request, await here.snapshot.snapshot(sessions))


@router.get("/api/notifications")
@answers(wire.Notifications)
async def notifications(request: Request, here: Here, unread: bool = False, limit: Limit = PAGE) -> Response:
    """What wants a person's attention, newest first."""
    return ok(request, await here.companion.notifications(unread, limit))


@router.post("/api/notifications/read")
@answers(wire.NotificationsRead)
async def read_notifications(request: Request, body: wire.NotificationsReadRequest, here: Here) -> Response:
    """Mark notifications as read. Idempotent."""
    return ok(request, await here.companion.read_notifications(body))


@router.post("/api/focus")
@answers(wire.Focused)
async def focus(request: Request, body: wire.FocusRequest, here: Here) -> Response:
    """Say which session a person looks at through an open stream; it is forgotten when that ends."""
    return ok(request, here.companion.focus(body))


@router.get("/api/flags")
@answers(list[wire.FlagInfo])
async def flags(request: Request, here: Here) -> Response:
    """Which parts of the companion there are."""
    return ok(request, here.companion.flags())


@router.post("/api/flags")
@answers(list[wire.FlagInfo])
async def set_flags(request: Request, body: wire.FlagsPatch, here: Here) -> Response:
    """Switch parts on or off; `null` goes back to the default."""
    return ok(request, await here.companion.set_flags(body))


@router.get("/api/onboarding")
@answers(wire.Onboarding)
async def onboarding(request: Request, here: Here) -> Response:
    """The first run, step by step."""
    return ok(request, here.companion.onboarding())


@router.post("/api/onboarding")
@answers(wire.Onboarding)
async def set_onboarding(request: Request, body: wire.OnboardingRequest, here: Here) -> Response:
    """Go through a step, skip it, or take that back."""
    return ok(request, await here.companion.set_onboarding(body))
