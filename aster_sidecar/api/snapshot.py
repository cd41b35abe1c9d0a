"""The snapshot call: everything a companion needs for its first paint, in one answer."""

from __future__ import annotations

import asyncio

from aster_sidecar import __version__, clock
from aster_sidecar.api.agent_browser import AgentBrowserCalls
from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.api.companion import CompanionCalls
from aster_sidecar.api.event_stream import Streams
from aster_sidecar.api.identity import Identity
from aster_sidecar.api.mcp import McpCalls
from aster_sidecar.api.policy import PolicyCalls
from aster_sidecar.api.services import ServiceCalls
from aster_sidecar.api.settings import SettingsCalls
from aster_sidecar.api.warnings import Warnings
from aster_sidecar.companion.notifications import Notifications
from aster_sidecar.config.settings import Config
from aster_sidecar.contract import wire
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.hosts.registry import Hosts
from aster_sidecar.models.build import Models
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import sessions as session_rows
from aster_sidecar.store.rows import turns as turn_rows

NOTIFICATIONS = 50
SESSIONS = 16


class SnapshotCalls:
    """Builds the snapshot from the answers of the other groups of calls."""

    def __init__(
        self,
        journal: Journal,
        identity: Identity,
        config: Config,
        models: Models,
        sessions: Sessions,
        waits: Waits,
        notifications: Notifications,
        streams: Streams,
        agents: AgentCalls,
        companion: CompanionCalls,
        policy: PolicyCalls,
        services: ServiceCalls,
        mcp: McpCalls,
        hosts: Hosts,
        agent_browser: AgentBrowserCalls,
        settings: SettingsCalls,
        warnings: Warnings,
    ) -> None:
        self._journal = journal
        self._identity = identity
        self._config = config
        self._models = models
        self._sessions = sessions
        self._waits = waits
        self._notifications = notifications
        self._streams = streams
        self._agents = agents
        self._companion = companion
        self._policy = policy
        self._services = services
        self._mcp = mcp
        self._hosts = hosts
        self._agent_browser = agent_browser
        self._settings = settings
        self._warnings = warnings

    async def snapshot(self, sessions: int = SESSIONS) -> wire.Snapshot:
        """A consistent snapshot with at most `sessions` sessions. Raises: StoreError."""
        await self._journal.commit()
        # The sleep lets components that waited for a commit apply it, so what is read is at least as new as `last_seq`.
        # There is no await after it, so the snapshot is consistent; later changes are on the stream after `last_seq`.
        last_seq = self._journal.last_seq
        await asyncio.sleep(0)
        turns = self._journal.rows(turn_rows.select_active())
        session_count = self._journal.first(session_rows.count_shown()) or 0
        turn_count = self._journal.first(turn_rows.count_shown()) or 0
        page = self._sessions.list(None, None, False, None, sessions)
        return wire.Snapshot(
            last_seq=last_seq,
            daemon=self._daemon(),
            agents=self._agents.list(),
            sessions=page.sessions,
            sessions_before=page.next_before,
            approvals=self._waits.approvals.list(),
            questions=self._waits.questions.list(),
            turns=[wire.ActiveTurn.model_validate(row._asdict()) for row in turns],
            notifications=self._notifications.list(NOTIFICATIONS),
            flags=self._companion.flags(),
            onboarding=self._companion.onboarding(),
            services=self._services.list(),
            mcp=self._mcp.now(),
            hosts=self._hosts.list(),
            browser=self._agent_browser.info(),
            config=self._settings.view(),
            rules=self._policy.rules(),
            warnings=self._warnings.list(),
            metrics=wire.Metrics(
                uptime_s=int(clock.real_s() - self._identity.began_s),
                sessions=session_count,
                turns=turn_count,
                streams=self._streams.count,
                store_bytes=self._journal.size_bytes,
            ),
        )

    def _daemon(self) -> wire.DaemonInfo:
        identity, settings = self._identity, self._identity.settings
        return wire.DaemonInfo(
            version=__version__,
            protocol=wire.PROTOCOL,
            framework=settings.framework,
            port=identity.port,
            uds=str(settings.uds) if settings.uds is not None else None,
            pid=identity.pid,
            instance_id=identity.instance_id,
            started_at=identity.started_at,
            status="degraded" if self._journal.trouble is not None else "ok",
            model=self._models.name(),
            work_dir=str(self._config.work_dir),
            data_dir=str(settings.places.data_dir),
            logs_dir=str(settings.places.logs_dir),
            token_required=settings.token is not None,
        )
