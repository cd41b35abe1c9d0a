"""The id of a request, which the guard gave it."""

from __future__ import annotations

from starlette.requests import Request


def request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))
