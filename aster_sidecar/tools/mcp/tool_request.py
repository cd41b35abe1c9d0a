"""The request that calls a tool: as the library sends it, and in the other forms in which servers ask for more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.lists import Session, definitions_of
from aster_sidecar.tools.mcp.messages import LATEST
from aster_sidecar.tools.mcp.naming import shown_name
from aster_sidecar.tools.mcp.results import Progress

if TYPE_CHECKING:
    from mcp import MCPError
    from mcp.types import CallToolResult, InputRequiredResult, InputResponses


def changed(server: str, tool: str) -> ToolError:
    return ToolError(f"{shown_name(tool)} of {server} changed after the call was allowed; it was not called")


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call of a tool. `digest` is that of the definition that was approved."""

    server: str
    session: Session
    tool: str
    arguments: Mapping[str, Any]
    digest: str
    progress: Progress

    async def send(self, responses: InputResponses | None, state: str | None) -> CallToolResult | InputRequiredResult:
        """The result, or what the server needs before it. Raises: ToolError, MCPError."""
        from mcp import MCPError
        from mcp_types import HEADER_MISMATCH, URL_ELICITATION_REQUIRED

        if self.session.protocol < LATEST:
            self._check_visits(responses)
            responses = state = None  # such a server knows neither
        try:
            return await self._sent(responses, state)
        except MCPError as error:
            if error.code == URL_ELICITATION_REQUIRED and self.session.protocol < LATEST:
                return self._visits(error)
            if error.code != HEADER_MISMATCH:
                raise
            # A server that reads arguments from headers: the library has to know its list as it is now.
            now = (await definitions_of(self.session.client)).get(self.tool)
            if now is None or now.digest != self.digest:
                raise changed(self.server, self.tool) from error
            return await self._sent(responses, state)

    async def _sent(self, responses: InputResponses | None, state: str | None) -> CallToolResult | InputRequiredResult:
        return await self.session.client.session.call_tool(
            self.tool,
            dict(self.arguments),
            progress_callback=self.progress.tell,
            input_responses=responses,
            request_state=state,
            allow_input_required=True,
        )

    def _visits(self, error: MCPError) -> InputRequiredResult:
        """The addresses to visit before the call can be made: an older server names them in an error."""
        from mcp.shared.exceptions import UrlElicitationRequiredError
        from mcp.types import ElicitRequest, InputRequiredResult

        try:
            found = UrlElicitationRequiredError.from_error(error.error).elicitations
            requests: dict[str, Any] = {str(number): ElicitRequest(params=one) for number, one in enumerate(found)}
            return InputRequiredResult(input_requests=requests)
        except (ValidationError, TypeError, AttributeError) as broken:
            raise error from broken

    def _check_visits(self, responses: InputResponses | None) -> None:
        """Raises: ToolError, if the person did not agree to visit an address that the call needs."""
        if any(getattr(one, "action", None) != "accept" for one in (responses or {}).values()):
            raise ToolError(f"{self.server} needs the person to visit an address first, and the person did not agree")
