"""API calls about approvals, permission rules, and dry-run checks of tool calls."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.contract import wire
from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.conversation.session_choices import SessionChoices
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.policy.rules import Rules
from aster_sidecar.store.journal import Journal
from aster_sidecar.tools.registry import Toolkit


class PolicyCalls:
    """Calls about approvals and permission rules."""

    def __init__(
        self,
        journal: Journal,
        agents: AgentCalls,
        sessions: Sessions,
        choices: SessionChoices,
        engine: EngineLoader,
        approvals: Approvals,
        rules: Rules,
        toolkit: Toolkit,
    ) -> None:
        self._journal = journal
        self._agents = agents
        self._sessions = sessions
        self._choices = choices
        self._engine = engine
        self._approvals = approvals
        self._rules = rules
        self._toolkit = toolkit

    async def approve(self, body: wire.ApproveRequest, who: str) -> wire.Approved:
        """Answer a pending approval on behalf of the client `who`. The first answer counts.

        Raises: AgentNotFound, and what `Approvals.answer` raises.
        """
        self._agents.find(body.agent_id)
        await self._know_tools()
        return await self._approvals.answer(body, who)

    async def _know_tools(self) -> None:
        """Find out what judging a call needs to know."""
        self._engine.look_for_tools()
        if (sandbox := self._toolkit.surroundings().sandbox) is not None:
            await sandbox.known()

    async def approvals(self, agent_id: str | None, session_id: str | None) -> list[wire.ApprovalInfo]:
        """The pending approvals, oldest first. Raises: AgentNotFound, SessionNotFound, StoreError."""
        if agent_id is not None:
            self._agents.find(agent_id)
        if session_id is not None:
            self._sessions.require(session_id, agent_id)
        await self._journal.commit()
        return self._approvals.list(agent_id, session_id)

    def rules(self) -> list[wire.RuleInfo]:
        """The permission rules in effect."""
        return self._rules.list()

    async def add_rule(self, body: wire.RuleCreate, who: str) -> wire.RuleInfo:
        """Store a rule on behalf of the client `who`.

        Raises: ToolNotFound, AgentNotFound, SessionNotFound, InvalidShape, StoreError.
        """
        if body.tool != "*":
            self._engine.look_for_tools()
        checked = self._toolkit.checked(body)
        if body.agent_id is not None:
            self._agents.find(body.agent_id)
        if body.session_id is not None:
            self._sessions.require(body.session_id, body.agent_id)
        return await self._rules.add(checked, who)

    async def delete_rule(self, rule_id: str) -> wire.RuleDeleted:
        """Delete a rule. Raises: RuleNotFound, StoreError."""
        await self._rules.remove(rule_id)
        return wire.RuleDeleted(rule_id=rule_id)

    async def check(self, body: wire.CheckRequest) -> wire.CheckAnswer:
        """What would happen to this tool call, and why, without running it.

        Raises: AgentNotFound, SessionNotFound, and what `Toolkit.check` raises.
        """
        session_id = self._sessions.require(body.session_id, body.agent_id) if body.session_id is not None else ""
        self._agents.require(body.agent_id, self._choices.work_dir(session_id))
        await self._know_tools()
        answer = self._toolkit.check(body.tool, body.arguments, body.agent_id, session_id)[1]
        source, _, rule_id = answer.decided_by.partition(":")
        return answer.model_copy(update={"rule": self._rules.find(rule_id)}) if source == "rule" else answer


def who(headers: Mapping[str, str]) -> str:
    """The client's name for `resolved_by`: from X-Aster-Client, else Origin, else User-Agent; else "unknown"."""
    name = headers.get("x-aster-client") or headers.get("origin") or headers.get("user-agent", "").split("/")[0]
    return re.sub(r"[^\w .:/-]", "", name)[:60].strip() or "unknown"
