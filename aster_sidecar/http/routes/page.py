"""Routes of the web page's bootstrap and of browser sign-in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.guard import REDEEM_PATH
from aster_sidecar.http.routes.common import Here, answers, ok

router = APIRouter(tags=["page"])


@router.get("/webui/bootstrap")
@answers(wire.Bootstrap)
async def bootstrap(request: Request, here: Here) -> Response:
    """What a UI needs before any other call."""
    own = {f"http://{name}:{here.identity.port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    in_browser = (
        here.identity.settings.framework == "web"
        or request.scope["state"].get("signed_in") is not None
        or request.headers.get("origin") in own
        or request.headers.get("sec-fetch-site") == "same-origin"
    )
    return ok(request, here.browsers.bootstrap(in_browser))


@router.post("/api/handoff")
@answers(wire.Handoff)
async def handoff(request: Request, body: wire.HandoffCreate, here: Here) -> Response:
    """Create a one-time link that opens the UI in a browser, signed in."""
    return ok(request, here.browsers.handoff(body))


@router.post(REDEEM_PATH)
@answers(wire.HandoffRedeemed)
async def redeem(request: Request, body: wire.HandoffRedeem, here: Here) -> Response:
    """Sign a browser in with the code from its link. Each code works only once."""
    return ok(request, await here.browsers.redeem(body))


@router.get("/api/handoff")
@answers(list[wire.BearerInfo])
async def bearers(request: Request, here: Here) -> Response:
    """List the signed-in browsers."""
    return ok(request, here.browsers.bearers())


@router.delete("/api/handoff/{bearer_id}")
@answers(wire.BearerRevoked)
async def revoke(request: Request, bearer_id: str, here: Here) -> Response:
    """Sign a browser out; its streams end."""
    return ok(request, here.browsers.revoke(bearer_id))
