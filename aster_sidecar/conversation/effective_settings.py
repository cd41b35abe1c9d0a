"""What the turns of a session work with, and where each value comes from.

Highest first: the turn's own choice, the session's, the agent's, the configuration. The mode is the exception: a
session may loosen the configured one, never its agent's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aster_sidecar.agents.folders import FolderAgents
from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.config.settings import Config
from aster_sidecar.contract import wire
from aster_sidecar.conversation.run_request import NOTHING, TurnChoice
from aster_sidecar.conversation.session_choices import Choices, SessionChoices
from aster_sidecar.errors import FolderUnusable
from aster_sidecar.models.build import Models
from aster_sidecar.policy.permissions import Mode

THINKING: dict[wire.Effort, bool | str] = {
    "none": False,
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
}
"""Efforts as values of pydantic-ai's setting `thinking`."""


class EffectiveSettings:
    """Resolves the settings of sessions from the configuration, the agents and what the sessions chose."""

    def __init__(self, config: Config, agents: FolderAgents, models: Models, choices: SessionChoices) -> None:
        self._config = config
        self._agents = agents
        self._models = models
        self._choices = choices

    def work_dir(self, session_id: str) -> Path:
        """The folder in which the session's tools work. `session_id` "": the daemon's."""
        return self._choices.work_dir(session_id) or self._config.work_dir

    def usable_work_dir(self, session_id: str) -> Path:
        """The same. Raises: FolderUnusable when it is gone, is not readable, or has become a link."""
        folder = self.work_dir(session_id)
        if (wrong := why_unusable(folder)) is not None:
            raise FolderUnusable(f"the folder of this conversation can't be used: {folder}: {wrong}")
        return folder

    def agent(self, agent_id: str, session_id: str | None) -> AgentSpec:
        """The agent, as the session's folder has it. Raises: AgentNotFound."""
        return self._agents.of(self._choices.work_dir(session_id or "")).get(agent_id)

    def value(self, key: str, session_id: str) -> Any:
        """The configured value of a settable key, in the session's folder."""
        return self._config.value(key, self._choices.work_dir(session_id))

    def mode(self, agent_id: str, session_id: str) -> Mode:
        """The permission mode of calls in a session."""
        choices = self._choices.of(session_id)
        return self._agents.of(choices.folder).mode(agent_id, self._asked_mode(choices))

    def _asked_mode(self, choices: Choices) -> Mode:
        return choices.permission_mode or self._config.value("permission_mode")

    def model(self, spec: AgentSpec | None, choices: Choices, turn: TurnChoice = NOTHING) -> wire.SessionSetting:
        """The model that answers. An empty name: one must be chosen first."""
        if turn.model is not None:
            return wire.SessionSetting(value=turn.model, source="turn")
        if choices.model is not None:
            return wire.SessionSetting(value=choices.model, source="session")
        if spec is not None and spec.model is not None:
            return wire.SessionSetting(value=spec.model, source="agent")
        configured = self._config.value("model", choices.folder)
        source = "config" if configured else "default"
        return wire.SessionSetting(value=self._models.name(configured), source=source)

    def effort(self, spec: AgentSpec | None, choices: Choices, turn: TurnChoice = NOTHING) -> wire.SessionSetting:
        """How much the model thinks. Empty: as the provider decides."""
        if turn.effort is not None:
            return wire.SessionSetting(value=turn.effort, source="turn")
        if choices.effort is not None:
            return wire.SessionSetting(value=choices.effort, source="session")
        thinking = spec.model_settings.get("thinking") if spec is not None else None
        if thinking is None:
            return wire.SessionSetting(value="", source="default")
        value = thinking if isinstance(thinking, str) else "" if thinking else "none"
        return wire.SessionSetting(value=value, source="agent")

    def for_run(self, spec: AgentSpec, session_id: str, turn: TurnChoice) -> tuple[str, dict[str, Any]]:
        """The name of the model for a turn, and the settings of its requests."""
        choices = self._choices.of(session_id)
        effort = turn.effort or choices.effort
        thinking = {"thinking": THINKING[effort]} if effort is not None else {}
        return self.model(spec, choices, turn).value, {**spec.model_settings, **thinking}

    def of(self, agent_id: str, choices: Choices, turn: TurnChoice = NOTHING) -> wire.SessionSettings:
        """All settings of a session with these choices."""
        agents = self._agents.of(choices.folder)
        spec, asked = agents.known(agent_id), self._asked_mode(choices)
        mode = agents.mode(agent_id, asked)
        mode_source: wire.SettingSource = "session" if choices.permission_mode else self._source("permission_mode")
        return wire.SessionSettings(
            work_dir=wire.SessionSetting(
                value=choices.work_dir or str(self._config.work_dir),
                source="session" if choices.work_dir is not None else self._source("work_dir"),
            ),
            model=self.model(spec, choices, turn),
            effort=self.effort(spec, choices, turn),
            permission_mode=wire.SessionSetting(value=mode, source=mode_source if mode == asked else "agent"),
            mcp_off=list(choices.mcp_off),
        )

    def _source(self, key: str) -> wire.SettingSource:
        """The source of a key that no project can set."""
        return "default" if self._config.sourced(key).source == "default" else "config"


def why_unusable(folder: Path) -> str | None:
    """Why tools can't work in a folder; None if they can. `folder` is canonical."""
    try:
        if os.path.realpath(folder) != str(folder):
            return "it is a link now"
        if not folder.is_dir():
            return "it is not a directory any more" if folder.exists() else "it does not exist any more"
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(folder, os.R_OK | os.X_OK) else "it is not readable"
