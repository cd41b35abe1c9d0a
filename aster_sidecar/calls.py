"""What a client can ask for over REST and over `/ws` alike: both run these functions, so they can't differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from aster_sidecar import wire
from aster_sidecar.app import Parts
from aster_sidecar.errors import InvalidShape
from aster_sidecar.stream import Watch, cursor

PAGE = 50
PAGE_MOST = 500


def who(headers: Mapping[str, str]) -> str:
    """What to call the client that answers: the name it gives itself, else its page's origin, else its program."""
    name = headers.get("x-aster-client") or headers.get("origin") or headers.get("user-agent", "").split("/")[0]
    return re.sub(r"[^\w .:/-]", "", name)[:60].strip() or "unknown"


async def chat(here: Parts, body: wire.ChatRequest) -> wire.ChatStarted:
    """Take a message in. Recorded when this returns."""
    return await here.turns.chat(body)


async def cancel(here: Parts, body: wire.CancelRequest) -> wire.Cancelled:
    """End turns: one, a session's, or all of the agent."""
    return await here.turns.cancel(body)


async def approve(here: Parts, body: wire.ApproveRequest, who: str) -> wire.Approved:
    """Answer a permission request in the name of the client `who`. The first answer counts."""
    here.agent(body.agent_id)
    if body.arguments is not None:
        await here.learn_tools()
    return await here.approvals.answer(body, who)


async def status(here: Parts, agent_id: str, session_id: str | None) -> wire.Status:
    """What the agent is doing."""
    spec = here.agent(agent_id)
    model = (spec and spec.model) or here.models.name()
    answer = here.turns.status(agent_id, session_id, model)
    await here.journal.commit()
    return answer


async def history(
    here: Parts, agent_id: str, session_id: str | None, before: str | None, limit: int
) -> wire.HistoryPage:
    """A page of the conversation, oldest first."""
    here.agent(agent_id)
    session_id = here.sessions.resolve(agent_id, session_id)
    await here.journal.commit()
    return here.sessions.history(session_id, before, limit)


async def clear_history(here: Parts, agent_id: str, session_id: str | None) -> wire.HistoryDeleted:
    """Delete the conversation's messages. Refused while a turn runs or waits."""
    here.agent(agent_id)
    session_id = here.sessions.resolve(agent_id, session_id)
    await here.journal.commit()
    return await here.sessions.clear(session_id, here.forget)


def get_config(here: Parts) -> wire.ConfigView:
    """The effective configuration, each value with its source, secrets masked."""
    return here.config.view(here.fixed_values())


async def set_config(here: Parts, patch: wire.ConfigPatch) -> wire.ConfigView:
    """Change any of the settable keys; `null` goes back to the value below. Takes effect at once."""
    changed = here.config.change(patch)
    if changed:
        await here.journal.record("config_changed", wire.ConfigChangedEvent(changed=changed))
    return get_config(here)


def watch(
    here: Parts, after: str | None, agent_id: str | None, session_id: str | None, types: Iterable[str] | None
) -> Watch:
    """What a stream wants to see. Raises: AgentNotFound, SessionNotFound, InvalidShape."""
    if agent_id is not None:
        here.agent(agent_id)
    if session_id is not None:
        here.sessions.require(session_id, agent_id)
    wanted = frozenset(types) if types is not None else None
    unknown = sorted(wanted - wire.EVENTS.keys()) if wanted else []
    if unknown:
        raise InvalidShape(f"types: no such event: {', '.join(unknown)[:200]}", hint="docs/protocol.md lists them")
    position, bad = cursor(after)
    return Watch(position, bad, agent_id, session_id, wanted or None)
