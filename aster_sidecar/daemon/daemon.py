"""A wired daemon: opens its parts in their order, and closes them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from aster_sidecar.api.browser_login import PRINTED_S, Handoffs, link
from aster_sidecar.api.calls import Calls
from aster_sidecar.api.identity import Identity
from aster_sidecar.companion.notifications import Notifications
from aster_sidecar.companion.onboarding import Onboarding
from aster_sidecar.config.settings import Config
from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.conversation.session_choices import SessionChoices
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.turns import Turns
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.daemon.agent_watcher import AgentWatcher
from aster_sidecar.daemon.warm_up import WarmUp
from aster_sidecar.hosts.registry import Hosts
from aster_sidecar.http.guard import Guard
from aster_sidecar.http.peer_ancestry import Ancestry, Marked
from aster_sidecar.http.static_ui import Pages
from aster_sidecar.ledger.ledger import Ledger
from aster_sidecar.models.build import Models
from aster_sidecar.policy.decisions import Decisions
from aster_sidecar.policy.rules import Rules
from aster_sidecar.sandbox.commands import CommandSandbox
from aster_sidecar.services import launch
from aster_sidecar.services.login_path import CommandPath
from aster_sidecar.services.process_tree import end_orphans
from aster_sidecar.services.program_mark import ProgramMark
from aster_sidecar.services.supervisor import Services
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.calls import select_started
from aster_sidecar.store.rows.meta import remember
from aster_sidecar.tools.browser.service import BrowserService
from aster_sidecar.tools.mcp.grants import AcceptedDefinitions
from aster_sidecar.tools.mcp.servers import Servers

log = logging.getLogger(__name__)

KEEP_EVENTS = 500_000
"""Events kept for replay; older events of ended turns are trimmed at start. Histories are stored separately."""


@dataclass(eq=False, slots=True)
class Daemon:
    """A wired daemon. `app` answers requests between `open` and `close`."""

    calls: Calls
    app: Guard
    config: Config
    models: Models
    services: Services
    _journal: Journal
    _rules: Rules
    _waits: Waits
    _decisions: Decisions
    _sessions: Sessions
    _attachments: Attachments
    _ledger: Ledger
    _choices: SessionChoices
    _queues: SessionQueues
    _turns: Turns
    _onboarding: Onboarding
    _notifications: Notifications
    _servers: Servers
    _hosts: Hosts
    _browser: BrowserService
    _accepted: AcceptedDefinitions
    _mark: ProgramMark
    _engine: EngineLoader
    _warm_up: WarmUp
    _agent_watcher: AgentWatcher
    _command_path: CommandPath
    _sandbox: CommandSandbox
    _handoffs: Handoffs
    _pages: Pages
    _kin: Ancestry | Marked
    _ending_orphans: asyncio.Task[int] | None = None

    @property
    def identity(self) -> Identity:
        return self.calls.identity

    async def open(self) -> None:
        """Open the store and restore the state of all components from it. Raises: StoreError."""
        self._journal.open()
        self._choices.open()
        self._sessions.open()
        self._attachments.open()
        await self._ledger.open()
        await self._record_data_dir()
        self._rules.open()
        self._waits.open()
        self._decisions.open()
        self._accepted.open()
        await self._hosts.open()
        self._sessions.open_trash()
        await self._journal.trim(KEEP_EVENTS)
        left = set(self._journal.rows(select_started()))
        self._mark.open(self._journal, bool(self.services.list() or self._servers.programs))
        mark = self._mark.text
        self._sandbox.clear()  # of a daemon that was killed
        if left or mark:
            # A daemon that was killed could not end its tools: they are still running.
            ending = asyncio.to_thread(end_orphans, lambda call: call in left or (mark != "" and call.startswith(mark)))
            self._ending_orphans = asyncio.get_running_loop().create_task(ending)
            self._servers.wait_for(self._ending_orphans)
        self._turns.open()
        self._onboarding.open()
        self._notifications.open()
        self._agent_watcher.begin()
        self.calls.lifecycle.ready = True

    def begin_services(self) -> None:
        """Start the services with autostart, once the processes left by a killed daemon have ended."""
        self.services.begin(self._ending_orphans)

    async def _record_data_dir(self) -> None:
        """Record the data directory's path; if it was moved since the last start, adjust what names it."""
        here = str(self.identity.settings.places.data_dir.resolve())
        before = self._journal.recall("data_dir")
        if before != here:
            self._journal.put(writes=[remember("data_dir", here)])
        if before not in (None, here):
            log.info("the data directory was moved")
            self._rules.relocate(before, here)
            self._sessions.relocate(before, here)
            await self._journal.commit()

    async def close(self) -> None:
        """End turns, then streams, then close the store."""
        lifecycle = self.calls.lifecycle
        lifecycle.stopping = True
        self._engine.stop_looking()
        self._agent_watcher.close()
        self._waits.close()
        self._hosts.close()
        self._decisions.close()
        self._sessions.close()
        self._attachments.close()
        services = asyncio.get_running_loop().create_task(self.services.close())
        await self._turns.close()
        await self._ledger.close()
        await asyncio.gather(self._servers.close(), self._engine.close(), services, self._command_path.close())
        await self._browser.close()
        await asyncio.to_thread(launch.end_all)
        await asyncio.to_thread(self._sandbox.clear)
        lifecycle.ending.set()
        await self._journal.end_streams(0.5)
        if lifecycle.sockets:
            await asyncio.wait(lifecycle.sockets, timeout=0.5)
        self._warm_up.cancel()
        await self.models.close()
        self._kin.close()
        await self._journal.close()

    # -- the page ------------------------------------------------------------------------------------------------------

    @property
    def has_page(self) -> bool:
        return self._pages.built

    def page_link(self, *, printed: bool = False) -> str:
        """The page's URL; if a token is set, a one-time sign-in link. `printed`: the link is valid for longer."""
        identity = self.identity
        if identity.settings.token is None:
            return f"{identity.url}/"
        return link(identity, self._handoffs.mint(lives_s=PRINTED_S) if printed else self._handoffs.mint())
