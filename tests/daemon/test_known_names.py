"""The names that an agent's definition may use."""

from __future__ import annotations

import pytest

from aster_sidecar.agents.spec import AgentSpec
from aster_sidecar.daemon.known_names import check_own, known_names
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.servers import Servers

KNOWN = known_names(["read_file"], Servers([ServerSpec(name="notes", command="notes")]))


def spec(tools: tuple[str, ...] | None = None, model: str | None = None) -> AgentSpec:
    return AgentSpec("gardener", "Gardener", "", "", tools=tools, model=model)


def test_tools_that_a_server_may_offer_later_are_known() -> None:
    assert KNOWN.has_tool("read_file")
    assert KNOWN.has_tool("notes_add")
    assert not KNOWN.has_tool("notes")
    assert KNOWN.tool_names() == ["read_file", "notes_…"]
    check_own(spec(("read_file", "notes_add"), "openai:gpt-5"), KNOWN)
    check_own(spec(), KNOWN)


def test_other_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigInvalid, match="there is no tool 'water'") as raised:
        check_own(spec(("read_file", "water")), KNOWN)
    assert "read_file, notes_…" in str(raised.value.hint)
    with pytest.raises(ConfigInvalid, match="agent 'gardener': model: "):
        check_own(spec(model="nobody:model"), KNOWN)
