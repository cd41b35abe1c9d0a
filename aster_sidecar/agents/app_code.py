"""What an app's own code brings: agents and tools, and the flags that it sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.tools.base import Tool


@dataclass(frozen=True, slots=True)
class AppCode:
    """Agents, tools, and which of the tools every agent gets."""

    agents: tuple[AgentSpec, ...] = ()
    tools: tuple[Tool[Any], ...] = ()
    shared: frozenset[str] = frozenset()


@runtime_checkable
class AppProgram(Protocol):
    """An app's program as the command line takes it: `aster_sidecar.Sidecar`.

    `flags` are the command line's flags by their names, None where the code says nothing.
    """

    @property
    def flags(self) -> Mapping[str, Any]: ...

    def code(self) -> AppCode:
        """The agents and tools. Raises: ConfigInvalid."""
        ...
