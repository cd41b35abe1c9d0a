"""What a running tool receives besides its arguments, and the progress that it reports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

from aster_sidecar.asking.forms import Form
from aster_sidecar.contract import wire
from aster_sidecar.conversation.call_questions import Asking
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.tools.base import QuestionEnd, Surroundings


@dataclass(slots=True)
class Context:
    """See `tools.base.CallContext`."""

    log: TurnLog
    call_id: str
    surroundings: Surroundings
    context: Mapping[str, Any]
    asking: Asking
    ended_questions: Sequence[QuestionEnd] = ()
    again: bool = False

    @property
    def agent_id(self) -> str:
        return self.log.agent_id

    @property
    def session_id(self) -> str:
        return self.log.session_id

    @property
    def turn_id(self) -> str:
        return self.log.turn_id

    @property
    def unattended(self) -> bool:
        return self.asking.unattended

    async def ask(self, form: Form) -> QuestionEnd:
        return await self.asking.ask(form)

    def held(self) -> AbstractContextManager[None]:
        return self.asking.held()

    async def progress(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        self.tell(message, progress=progress, stream=stream, delta=delta)
        await asyncio.sleep(0)

    def tell(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        self.log.put(
            "tool_progress",
            wire.ToolProgressEvent(
                call_id=self.call_id, progress=progress, message=message, stream=stream, delta=delta
            ),
            durable=False,
        )
