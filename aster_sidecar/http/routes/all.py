"""All routes, in the order of their sections in docs/protocol.md."""

from __future__ import annotations

from starlette.routing import BaseRoute

from aster_sidecar.http.routes import (
    agent_browser,
    attachments,
    audit,
    changes,
    companion,
    conversations,
    daemon,
    events,
    hosts,
    mcp,
    page,
    policy,
    projects,
    questions,
    services,
    settings,
)

ROUTES: list[BaseRoute] = [
    route
    for group in (
        daemon,
        conversations,
        attachments,
        changes,
        policy,
        questions,
        audit,
        settings,
        projects,
        events,
        companion,
        services,
        mcp,
        hosts,
        agent_browser,
        page,
    )
    for route in group.router.routes
]
