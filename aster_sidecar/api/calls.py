"""All API calls in groups, as REST and `/ws` use them."""

from __future__ import annotations

from dataclasses import dataclass

from aster_sidecar.api.agent_browser import AgentBrowserCalls
from aster_sidecar.api.agents import AgentCalls
from aster_sidecar.api.attachments import AttachmentCalls
from aster_sidecar.api.audit import AuditCalls
from aster_sidecar.api.browser_login import BrowserCalls
from aster_sidecar.api.changes import ChangeCalls
from aster_sidecar.api.companion import CompanionCalls
from aster_sidecar.api.conversations import ConversationCalls
from aster_sidecar.api.diagnostics_bundle import DiagnosticsCalls
from aster_sidecar.api.event_stream import EventCalls
from aster_sidecar.api.folders import FolderCalls
from aster_sidecar.api.health import HealthCalls
from aster_sidecar.api.hosts import HostCalls
from aster_sidecar.api.identity import Identity
from aster_sidecar.api.lifecycle import Lifecycle
from aster_sidecar.api.mcp import McpCalls
from aster_sidecar.api.mcp_contents import McpContentCalls
from aster_sidecar.api.models import ModelCalls
from aster_sidecar.api.policy import PolicyCalls
from aster_sidecar.api.questions import QuestionCalls
from aster_sidecar.api.services import ServiceCalls
from aster_sidecar.api.settings import SettingsCalls
from aster_sidecar.api.snapshot import SnapshotCalls
from aster_sidecar.api.tools import ToolCalls
from aster_sidecar.api.trust import TrustCalls

PAGE = 50
"""Default page size."""
PAGE_MOST = 500


@dataclass(frozen=True, slots=True)
class Calls:
    """One daemon's groups of calls."""

    identity: Identity
    lifecycle: Lifecycle
    health: HealthCalls
    conversations: ConversationCalls
    attachments: AttachmentCalls
    changes: ChangeCalls
    events: EventCalls
    policy: PolicyCalls
    questions: QuestionCalls
    audit: AuditCalls
    agents: AgentCalls
    tools: ToolCalls
    models: ModelCalls
    services: ServiceCalls
    mcp: McpCalls
    mcp_contents: McpContentCalls
    hosts: HostCalls
    agent_browser: AgentBrowserCalls
    settings: SettingsCalls
    folders: FolderCalls
    trust: TrustCalls
    companion: CompanionCalls
    snapshot: SnapshotCalls
    browsers: BrowserCalls
    diagnostics: DiagnosticsCalls
