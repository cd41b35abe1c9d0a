"""What a client can ask for over REST and over `/ws` alike: both run these functions, so they can't differ."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping

from aster_sidecar import __version__, clock
from aster_sidecar.companion import onboarding
from aster_sidecar.contract import wire
from aster_sidecar.conversation.trash import TRASHED
from aster_sidecar.daemon.wiring import Parts
from aster_sidecar.errors import InvalidShape, ModelError
from aster_sidecar.http.sse import Watch, cursor
from aster_sidecar.models.api_keys import variable_of
from aster_sidecar.models.build import PROVIDERS, Models, probe

PAGE = 50
PAGE_MOST = 500
SNAPSHOT_SESSIONS = 16


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
    here.look_for_tools()
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


async def delete_session(here: Parts, session_id: str, purge: bool) -> wire.SessionDeleted:
    """Move a conversation to the trash, or delete it for good. Refused while a turn runs or waits."""
    deleted = await here.sessions.delete(session_id, purge=purge)
    here.forget(session_id)
    here.rules.drop(session_id)
    here.attention.forget(session_id)
    for question in here.approvals.list(None, session_id):  # of a turn whose ending could not be recorded
        here.approvals.cancel(question.turn_id, "cancel")
    return deleted


async def restore_session(here: Parts, session_id: str) -> wire.SessionInfo:
    """Bring a deleted conversation back as it was. Idempotent."""

    def back(session_id: str) -> None:
        here.rules.bring_back(session_id)
        here.turns.open(session_id)

    return await here.sessions.restore(session_id, back)


def get_config(here: Parts) -> wire.ConfigView:
    """The effective configuration, each value with its source, secrets masked."""
    return here.config.view(here.fixed_values())


async def set_config(here: Parts, patch: wire.ConfigPatch) -> wire.ConfigView:
    """Change any of the settable keys; `null` goes back to the value below. Takes effect at once."""
    changed = here.config.change(patch)
    if changed:
        await here.journal.record("config_changed", wire.ConfigChangedEvent(changed=changed))
    return get_config(here)


def agents(here: Parts) -> list[wire.AgentInfo]:
    """All agents, and the files that should be one but are broken."""
    specs = here.agents.list()  # looks at the files, so before what is wrong with them
    problems: dict[str, list[wire.AgentProblem]] = {}
    for problem in here.agent_problems():
        problems.setdefault(problem.id, []).append(problem)
    working = [
        wire.AgentInfo(
            id=spec.agent_id,
            name=spec.name,
            description=spec.description,
            model=spec.model or here.models.name(),
            state=here.turns.state_of_agent(spec.agent_id),
            tools=here.toolkit.of(spec.tools),
            sessions=here.sessions.count(spec.agent_id),
            source=spec.source,
            path=spec.path,
            problems=problems.pop(spec.agent_id, []),
        )
        for spec in specs
    ]
    broken = [
        wire.AgentInfo(
            id=agent_id,
            name=agent_id,
            description="",
            model="",
            state="failed",
            tools=[],
            sessions=here.sessions.count(agent_id),
            source=found[0].source,
            path=found[0].path,
            problems=found,
        )
        for agent_id, found in problems.items()
    ]
    return [*working, *broken]


def warnings(here: Parts) -> list[wire.Warning]:
    """What a person should know of this daemon."""
    found: list[wire.Warning] = []
    failure = here.journal.failure
    if failure is not None:
        found.append(wire.Warning(code=failure.code, message=failure.message, hint=failure.hint))
    if not here.models.name():
        found.append(
            wire.Warning(code="model_not_set", message="No model is chosen.", hint="choose one in the settings")
        )
    found += [
        wire.Warning(code="config_invalid", message=problem, hint="mend the file; until then it counts as unset")
        for problem in here.config.problems
    ]
    found += [
        wire.Warning(code="agent_broken", message=f"{agent.id}: {problem.reason}", hint="mend the agent's file")
        for agent in agents(here)
        for problem in agent.problems
    ]
    unprotected = [info.variable for info in here.keys.list() if info.source == "file"]
    if unprotected:
        found.append(
            wire.Warning(
                code="key_unprotected",
                message=f"{', '.join(unprotected)}: kept unprotected in a file.",
                hint="unlock or install the system's keychain and give the key again",
            )
        )
    return [*found, *missing_tools(here)]


def missing_tools(here: Parts) -> list[wire.Warning]:
    """Which MCP servers are not there, or have tools that can't be offered."""
    return [
        wire.Warning(code="mcp_unavailable", message=f"{missing.message}.", hint=missing.hint)
        for missing in here.servers.missing()
    ]


async def snapshot(here: Parts, sessions: int = SNAPSHOT_SESSIONS) -> wire.Snapshot:
    """Everything that a companion's first paint needs, as of one moment."""
    await here.journal.commit()
    # What is read is at least as new as `last_seq`: whoever waited for an event to commit may take it in first. Nothing
    # below waits, so it is all of one moment; what happens later is on the stream after `last_seq`.
    last_seq = here.journal.last_seq
    await asyncio.sleep(0)
    shown = f"session_id NOT IN ({TRASHED})"
    turns = here.journal.all(
        f"SELECT turn_id, session_id, agent_id, state FROM turns WHERE state <> 'ended' AND {shown} ORDER BY n"
    )
    counts = here.journal.one(
        f"SELECT (SELECT count(*) FROM sessions WHERE {shown}), (SELECT count(*) FROM turns WHERE {shown})"
    )
    settings = here.settings
    page = here.sessions.list(None, None, False, None, sessions)
    return wire.Snapshot(
        last_seq=last_seq,
        daemon=wire.DaemonInfo(
            version=__version__,
            protocol=wire.PROTOCOL,
            framework=settings.framework,
            port=here.port,
            uds=str(settings.uds) if settings.uds is not None else None,
            pid=here.pid,
            instance_id=here.instance_id,
            started_at=here.started_at,
            status="degraded" if here.journal.trouble is not None else "ok",
            model=here.models.name(),
            work_dir=str(here.config.work_dir),
            data_dir=str(settings.places.data_dir),
            logs_dir=str(settings.places.logs_dir),
            token_required=settings.token is not None,
        ),
        agents=agents(here),
        sessions=page.sessions,
        sessions_before=page.next_before,
        approvals=here.approvals.list(None, None),
        turns=[wire.ActiveTurn(turn_id=row[0], session_id=row[1], agent_id=row[2], state=row[3]) for row in turns],
        notifications=here.attention.list(PAGE),
        flags=here.flags.list(),
        onboarding=here.onboarding.state(),
        services=here.services.list(),
        config=get_config(here),
        rules=here.rules.list(),
        warnings=warnings(here),
        metrics=wire.Metrics(
            uptime_s=int(clock.real_s() - here.began_s),
            sessions=counts[0],
            turns=counts[1],
            streams=here.streams.count,
            store_bytes=here.journal.size_bytes,
        ),
    )


async def check_model(here: Parts, name: str | None) -> wire.ModelCheck:
    """Ask a model for one word, and note for the first run what came of it."""
    await here.keys.load()
    check, error = await onboarding.check_model(here.models, name)
    if check.model == here.models.name():
        await here.onboarding.asked(check.model, error)
    return check


async def put_secret(here: Parts, provider: str, body: wire.SecretPut) -> wire.SecretInfo:
    """Keep a provider's key; with `check`, when a model answers to it. Raises: ModelError, what `Keys.put` raises."""
    variable = variable_of(provider)
    if body.check:
        name = body.model or here.models.name()
        asked = PROVIDERS.get(name.partition(":")[0])
        if asked is None or asked.key != variable:
            raise InvalidShape(
                f"model: {name or 'none is chosen, so nothing'} is of another provider",
                hint=f"name a model of {provider} to check the key with",
            )
        await here.keys.load()
        tried = Models(
            {**here.environment, variable: body.value}, lambda: name, lambda key: None, lambda key, value: None
        )
        try:
            await probe(tried, name)
        except ModelError as error:
            await here.onboarding.asked(name, error)
            raise
        finally:
            await tried.close()
    info = await here.keys.put(provider, body.value)
    if body.check and body.model in (None, here.models.name()):
        await here.onboarding.asked(here.models.name(), None)
    return info


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
