"""Questions that a server of an older protocol asks during a call: to whom they belong, and their answers.

Such a question does not say to which call it belongs. It is asked only where there is no doubt, so that it never
appears in another conversation.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aster_sidecar.asking.time_limit import TimeLimit
from aster_sidecar.errors import StoreError
from aster_sidecar.tools.base import CallContext
from aster_sidecar.tools.mcp.elicitation import Unaskable, form_of, result_of

if TYPE_CHECKING:
    from mcp.types import ElicitRequestFormParams, ElicitRequestURLParams, ElicitResult, ErrorData

log = logging.getLogger(__name__)

ASKED_MOST = 20
"""How often a server may ask in one call."""

LEFT_S = 60.0
"""So long after a call was given up, the server may still work on it, and ask."""


@dataclass(eq=False, slots=True)
class InProgress:
    """A request in progress. `ctx` is that of a call; None: nobody can be asked for it."""

    ctx: CallContext | None
    limit: TimeLimit
    asked: int = 0


class LiveQuestions:
    """The requests in progress of one connection, and what the server asks meanwhile."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._requests: list[InProgress] = []
        self._left: dict[str, float] = {}
        """When requests of a conversation were last given up without an answer, by the session's id."""

    def begin(self) -> None:
        """A new session begins: what was asked of the server before is over."""
        self._left.clear()

    @contextmanager
    def during(self, ctx: CallContext | None, limit: TimeLimit) -> Generator[None]:
        """A request is in progress during this block. Its time `limit` stands still while a question waits."""
        request = InProgress(ctx, limit)
        self._requests.append(request)
        try:
            yield
        except asyncio.CancelledError:  # also when its time is over
            self._left[ctx.session_id if ctx is not None else ""] = time.monotonic()
            raise
        finally:
            self._requests.remove(request)

    async def asked(
        self, context: Any, params: ElicitRequestFormParams | ElicitRequestURLParams
    ) -> ElicitResult | ErrorData:
        """Ask a person what the server asks."""
        from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, ElicitResult, ErrorData

        try:
            form = form_of(params, self._server)
        except Unaskable as error:
            log.warning("a question of the MCP server %s is refused: %s", self._server, error)
            return ErrorData(code=INVALID_PARAMS, message=str(error))
        requests = self._requests.copy()
        since = time.monotonic() - LEFT_S
        users = {one.ctx.session_id if one.ctx is not None else "" for one in requests}
        users.update(session_id for session_id, left in self._left.items() if left > since)
        if not requests or len(users) > 1 or "" in users:
            why = "several conversations use it" if requests else "no call is in progress"
            log.warning("a question of the MCP server %s is not asked: %s", self._server, why)
            return ElicitResult(action="cancel")
        request = requests[-1]
        assert request.ctx is not None
        request.asked += 1
        if request.asked > ASKED_MOST:
            return ErrorData(code=INVALID_REQUEST, message=f"a call may ask at most {ASKED_MOST} times")
        try:
            with ExitStack() as held:
                for one in requests:  # it may belong to any of them
                    held.enter_context(one.limit.held())
                    if one.ctx is not None:
                        held.enter_context(one.ctx.held())
                end = await request.ctx.ask(form)
        except StoreError as error:
            return ErrorData(code=INTERNAL_ERROR, message=f"the question can't be recorded: {error.message}")
        return result_of(end, url=form.url is not None)
