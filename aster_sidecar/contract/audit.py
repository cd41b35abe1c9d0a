"""Wire models of the record of decisions about tool calls."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aster_sidecar.contract.base import Model, Risk, Time


class DecisionInfo(Model):
    """A decision about a tool call. A call has several if it was asked about again, or denied after it was allowed."""

    decision_id: str
    decided_at: Time
    agent_id: str
    session_id: str
    turn_id: str
    call_id: str
    tool: str
    summary: str | None = Field(
        description="what the call would do, in a sentence; null: the conversation was deleted permanently or cleared"
    )
    arguments_sha256: str = Field(description="of the arguments as canonical JSON, in hexadecimal")
    risk: Risk
    decision: Literal["allow", "deny"]
    decided_by: str = Field(
        description="rule:<id>, mode:<mode>, person, expired, cancelled, forbidden, unattended, unshown or tool"
    )
    words: str | None = Field(
        description="the reason, or a person's note; null: none, or the conversation was deleted permanently or cleared"
    )
    client: str | None = Field(description="the client through which a person answered")
    sandbox: str = Field(description="what confined the call; none: nothing did, or it did not run")
    outcome: Literal["done", "failed", "denied", "cancelled", "unknown", "asked_again"] | None = Field(
        description="what came of the call; null: it has not ended. asked_again: the next decision has its outcome"
    )


class DecisionPage(Model):
    """`next`: the `before` of the next page, or its `after` if the list is oldest first; null at the end."""

    decisions: list[DecisionInfo]
    next: str | None
