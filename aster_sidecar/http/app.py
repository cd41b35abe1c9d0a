"""The ASGI application: guard, page files and routes, and the mapping of errors to HTTP answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from aster_sidecar import __version__
from aster_sidecar.api.calls import Calls
from aster_sidecar.contract.wire import SOCKET_PATH
from aster_sidecar.errors import AsterError, MalformedBody, MethodNotAllowed, NotFound
from aster_sidecar.http.envelope import bug, failure, shape_error
from aster_sidecar.http.guard import Gate, Guard
from aster_sidecar.http.request_id import request_id
from aster_sidecar.http.static_ui import Pages, StaticUI
from aster_sidecar.models.library_patches import without


def build_app(calls: Calls, gate: Gate, pages: Pages) -> Guard:
    """The application that uvicorn serves. A request passes the guard, then the page's files, then the routes."""
    with without("pydantic.v1"):  # FastAPI imports it only to check types against it
        from aster_sidecar.http.routes.all import ROUTES
    app = FastAPI(
        title="Aster Sidecar",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=ROUTES,  # `include_router` would build every route again at the first request
    )
    app.state.calls = calls
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        AsterError: on_aster_error,
        RequestValidationError: on_invalid,
        HTTPException: on_http_error,
        Exception: on_unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    return Guard(StaticUI(app, pages), gate)


# -- errors → HTTP -----------------------------------------------------------------------------------------------------


def refusal(request: Request, error: AsterError, details: Any = None) -> Response:
    """The HTTP answer for an error, in the envelope."""
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return Response(failure(request_id(request), error, details), error.status, headers, "application/json")


async def on_aster_error(request: Request, error: AsterError) -> Response:
    return refusal(request, error)


async def on_invalid(request: Request, error: RequestValidationError) -> Response:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return refusal(request, MalformedBody("the body is not valid JSON"))
    return refusal(request, *shape_error(problems, within=1))


async def on_http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        answer = refusal(request, MethodNotAllowed(f"{request.method} is not answered here"))
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code == 404:
        path = request.url.path
        hint = "a WebSocket is there: connect with ws://" if path == SOCKET_PATH else None
        return refusal(request, NotFound(f"no such endpoint: {path[:200]}", hint=hint))
    if error.status_code == 400:
        return refusal(request, MalformedBody("the body could not be read"))
    mapped = AsterError(str(error.detail))
    mapped.status = error.status_code
    return refusal(request, mapped)


async def on_unexpected(request: Request, error: Exception) -> Response:
    return refusal(request, bug())
