"""What a server of protocol 2026-07-28 needs before it gives its result: it is asked again, with the answers.

A question to a person pauses the call (`Paused`), which no task and no connection has to outlive: all that is needed to
go on is stored with the question.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools.base import Asked, CallContext, Paused, QuestionEnd, ToolError
from aster_sidecar.tools.mcp.elicitation import Unaskable, form_of, result_of

if TYPE_CHECKING:
    from mcp.types import ElicitRequest, ElicitResult, InputRequiredResult, InputResponses, ListRootsResult

T = TypeVar("T")

ROUNDS_MOST = 20
"""How often a server may ask in one call."""
IDLE_MOST = 10
"""How often it may ask for nothing of a person."""
REQUESTS_MOST = 10
"""Requests in one round."""
STATE_BYTES = 1024 * 1024
WAIT_S, WAIT_MOST_S = 0.05, 0.25
"""The delay before a server that only needs time is asked again; it doubles up to the second value."""


@dataclass(slots=True)
class Progress:
    """How far a call has come. `approved` names what was allowed: the server and the definition of the tool."""

    approved: tuple[str, ...] = ()
    rounds: int = 0
    idle: int = 0
    state: str | None = None
    roots: list[str] = field(default_factory=list[str])
    answers: dict[str, ElicitResult] = field(default_factory=dict[str, Any])


def progress_of(ctx: CallContext, approved: tuple[str, ...]) -> Progress:
    """Where a call goes on. Raises: ToolError when what is stored can't be read, or was approved in another form."""
    if not ctx.again:
        return Progress(approved)
    newest: list[tuple[QuestionEnd, Mapping[str, Any]]] = []
    try:
        for end in ctx.ended_questions:
            told = cast("dict[str, Any]", parse_json(end.request))
            newest = [one for one in newest if one[1]["round"] == told["round"]]
            newest.append((end, told))
        first = newest[0][1]
        progress = Progress(
            tuple(first["approved"]), first["round"], first["idle"], first["state"], list(first["roots"])
        )
        for end, told in newest:
            progress.answers[told["key"]] = result_of(end, url=told["url"])
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ToolError("the call can't go on: what was stored about it can't be read") from error
    return progress


class InputRounds:
    """Gets one result of a server. `roots` answers its questions for roots; None: they are not offered.

    `ctx` is that of the call; None: nobody can be asked.
    """

    def __init__(
        self,
        server: str,
        roots: Callable[[], Awaitable[ListRootsResult]] | None,
        ctx: CallContext | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._server = server
        self._roots = roots
        self._ctx = ctx
        self._progress = progress or Progress()

    async def result(
        self, send: Callable[[InputResponses | None, str | None], Awaitable[T | InputRequiredResult]]
    ) -> T:
        """The result. `send` sends the request, with responses and the server's state.

        Raises: Paused, ToolError, and what `send` raises.
        """
        from mcp.types import InputRequiredResult

        progress = self._progress
        responses: dict[str, Any] | None = {**progress.answers, **await self._roots_of(progress.roots)} or None
        state, wait_s = progress.state, WAIT_S
        while True:
            told = await send(responses, state)
            if not isinstance(told, InputRequiredResult):
                return told
            state = told.request_state
            if state is not None and len(state.encode("utf-8", "replace")) > STATE_BYTES:
                raise ToolError(f"{self._server}: its state is larger than {sized(STATE_BYTES)}")
            asked, roots = self._sorted(told)
            if asked:
                responses = {**await self._answers(asked, roots, state), **await self._roots_of(roots)}
                continue
            progress.idle += 1
            if progress.idle > IDLE_MOST:
                raise ToolError(f"{self._server} did not come to a result after {IDLE_MOST} requests")
            if not roots:
                await asyncio.sleep(wait_s)
                wait_s = min(WAIT_MOST_S, wait_s * 2)
            responses = await self._roots_of(roots) or None

    def _sorted(self, told: InputRequiredResult) -> tuple[dict[str, ElicitRequest], list[str]]:
        """The questions to a person among the requests, and the keys of those for roots. Raises: ToolError."""
        from mcp.types import ElicitRequest, ListRootsRequest

        requests = told.input_requests or {}
        if len(requests) > REQUESTS_MOST:
            raise ToolError(f"{self._server} asks {len(requests)} things at once; the most are {REQUESTS_MOST}")
        asked = {key: one for key, one in requests.items() if isinstance(one, ElicitRequest)}
        roots = [key for key, one in requests.items() if isinstance(one, ListRootsRequest)]
        if len(asked) + len(roots) < len(requests):
            raise ToolError(f"{self._server} asks for an answer of a model (sampling), which Aster does not support")
        return asked, roots

    async def _answers(
        self, asked: Mapping[str, ElicitRequest], roots: Sequence[str], state: str | None
    ) -> dict[str, Any]:
        """The answers, where no person is asked. Raises: Paused, ToolError."""
        progress, ctx = self._progress, self._ctx
        if ctx is None:
            raise ToolError(f"{self._server} asks something, which is possible only in a call of a tool")
        progress.rounds += 1
        if progress.rounds > ROUNDS_MOST:
            raise ToolError(f"{self._server} asked {ROUNDS_MOST} times in one call; it is not asked again")
        asks: list[Asked] = []
        for key, one in asked.items():
            try:
                form = form_of(one.params, self._server)
            except Unaskable as error:
                raise ToolError(f"{self._server} asks what can't be asked: {error}") from error
            told = {
                "round": progress.rounds,
                "idle": progress.idle,
                "approved": progress.approved,
                "key": key,
                "url": form.url is not None,
                # The state may be large; one question of a round has it.
                **({} if asks else {"state": state, "roots": list(roots)}),
            }
            asks.append(Asked(form, json.dumps(told)))
        if not ctx.unattended:
            raise Paused(tuple(asks))
        declined = QuestionEnd("", "declined", {}, None)
        return {key: result_of(declined, url=False) for key in asked}

    async def _roots_of(self, keys: Sequence[str]) -> dict[str, Any]:
        """The answers to questions for roots. Raises: ToolError."""
        if keys and self._roots is None:
            raise ToolError(f"{self._server} asks for roots, which the settings do not give it")
        return {key: await self._roots() for key in keys} if self._roots is not None else {}
