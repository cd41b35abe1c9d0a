"""The settings and agents that a daemon started here would have, without those of an app's code.

For commands that work without a running daemon.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.registry import Agents
from aster_sidecar.agents.registry import Places as AgentPlaces
from aster_sidecar.agents.spec import Known
from aster_sidecar.config.places import Places
from aster_sidecar.config.settings import Config, Settings
from aster_sidecar.config.toml_file import read_file
from aster_sidecar.config.trusted_projects import trusted_project
from aster_sidecar.models.catalog import misnamed
from aster_sidecar.tools.builtin import builtin_tools


def own_environment() -> dict[str, str]:
    """This process's environment without the token, as a daemon keeps it."""
    return {name: value for name, value in os.environ.items() if name != "ASTER_SIDECAR_TOKEN"}


def config_of(where: Places, **flags: Any) -> Config:
    """The settings with these flags; creates no directory. Raises: ConfigInvalid."""
    return Config(Settings("web", 0, where, flags=flags, environment=own_environment(), look_only=True))


def agents_of(where: Places, config: Config) -> Agents:
    """The built-in agents and those from files. Raises: ConfigInvalid."""
    names = [tool.name for tool in builtin_tools()]
    table: Any = read_file(where.config_path).get("mcp", {})
    mcp_prefixes = tuple(f"{name}_" for name in table) if isinstance(table, dict) else ()  # pyright: ignore[reportUnknownVariableType]

    def project() -> Path | None:
        return trusted_project(where.config_dir, config.work_dir)

    known = Known(
        has_tool=lambda name: name in names or name.startswith(mcp_prefixes),
        tool_names=lambda: [*names, *(f"{prefix}…" for prefix in mcp_prefixes)],
        wrong_model=misnamed,
    )
    return Agents(AppCode(), AgentPlaces(where.config_dir / "agents", project), known)
