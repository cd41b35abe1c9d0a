"""The names that an agent's definition may use: of tools and models."""

from __future__ import annotations

from collections.abc import Sequence

from aster_sidecar.agents.spec import AgentSpec, Known
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.models.catalog import misnamed
from aster_sidecar.tools.mcp.servers import Servers


def known_names(tools: Sequence[str], servers: Servers) -> Known:
    """What an agent's definition may name: tools, including those MCP servers may offer later, and models."""

    def offered_later() -> tuple[str, ...]:
        return tuple(f"{name}_" for name in servers.names())

    def there() -> list[str]:
        return [*tools, *(tool.name for tool in servers.tools())]

    return Known(
        has_tool=lambda name: name in there() or name.startswith(offered_later()),
        tool_names=lambda: [*there(), *(f"{prefix}…" for prefix in offered_later())],
        wrong_model=misnamed,
    )


def check_own(spec: AgentSpec, known: Known) -> None:
    """Check that an agent defined in the app's code names existing tools and a valid model. Raises: ConfigInvalid."""
    for name in spec.tools or ():
        if not known.has_tool(name):
            raise ConfigInvalid(
                f"agent {spec.agent_id!r}: there is no tool {name!r}",
                hint=f"there are: {', '.join(known.tool_names())}; or pass the function itself",
            )
    if spec.model is not None and (wrong := known.wrong_model(spec.model)):
        raise ConfigInvalid(f"agent {spec.agent_id!r}: model: {wrong}")
