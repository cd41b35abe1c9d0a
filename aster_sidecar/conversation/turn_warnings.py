"""Warnings of a turn that goes on: what failed, and how the turn continues without it."""

from __future__ import annotations

from collections.abc import Sequence

from aster_sidecar.contract import wire
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.errors import ModelError
from aster_sidecar.tools.mcp.server import Missing


class TurnWarnings:
    """Publishes the warnings of all turns; some only once per session."""

    def __init__(self) -> None:
        self._reported: set[tuple[str, str]] = set()
        """(session_id, warning) of warnings that are reported once per session: no tool support, missing servers."""

    def missing_servers(self, log: TurnLog, missing: Sequence[Missing]) -> None:
        """Report MCP servers that are not available: once per session while one is late, and once more if it failed."""
        for one in missing:
            key = (log.session_id, f"{one.server} {'late' if one.late else 'failed'}")
            if key in self._reported:
                continue
            self._reported.add(key)
            unavailable = ModelError("mcp_unavailable", one.message, hint=one.hint)
            report_warning(log, unavailable, "the turn goes on without its tools")

    def warn(self, log: TurnLog, failure: ModelError, consequence: str) -> None:
        """Report a failure after which the turn goes on; missing tool support is reported once per session."""
        key = (log.session_id, failure.code + failure.message)
        if failure.code == "tools_unsupported" and key in self._reported:
            return
        self._reported.add(key)
        report_warning(log, failure, consequence)


def report_warning(log: TurnLog, failure: ModelError, consequence: str) -> None:
    """Publish a warning: what failed, and how the turn goes on."""
    log.put(
        "error",
        wire.ErrorEvent(
            code=failure.code,
            message=f"{failure.message}; {consequence}",
            hint=failure.hint,
            retryable=False,
            severity="warning",
        ),
    )
