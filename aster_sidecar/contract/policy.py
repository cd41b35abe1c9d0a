"""Wire models of approvals, permission rules, and dry-run checks of tool calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import VALID, ApprovalDecision, Model, Name, Object, Request, Risk, Time


class ApproveRequest(Request):
    """Answer a pending approval. `note` is passed to the model on a denial; `arguments` replace the call's own.

    If the new arguments do something that was not shown, `confirm` proves that a person has seen it: its value comes
    from the check of these arguments, or from the error `edit_unconfirmed`.
    """

    agent_id: Name
    call_id: Name
    decision: ApprovalDecision
    note: Annotated[str, StringConstraints(max_length=10_000), VALID] | None = None
    arguments: Object | None = None
    confirm: Annotated[str, StringConstraints(max_length=64)] | None = None


class RuleInfo(Model):
    """A permission rule: the calls that it covers, as fields and in `words`."""

    rule_id: str
    decision: Literal["allow", "deny"]
    tool: str
    kind: Literal["exact", "beneath", "any"]
    value: str
    agent_id: str | None = None
    session_id: str | None = None
    created_at: Time
    expires_at: Time | None = None
    words: str


class Approved(Model):
    """`rule`: the rule that "always" stored; null if none was stored."""

    call_id: str
    decision: ApprovalDecision
    resolved_at: Time
    rule: RuleInfo | None = None


class Preview(Model):
    """The lines of a file that would change, with context, to be shown as a diff. `display` ends with them.

    `truncated`: the change is too long to be shown. `diff` has its beginning, and `display` the call's own text.
    Each line of `diff` begins with a space, `-` (removed) or `+` (added), or is `@ line N`: the next line's old number.
    """

    kind: Literal["diff"] = "diff"
    path: str
    diff: str
    added: int = Field(description="lines of the whole change")
    removed: int = Field(description="lines of the whole change")
    truncated: bool = False


class ApprovalInfo(Model):
    """An approval that waits for a person.

    `summary` says in a sentence what will happen, `display` is exactly what will run.
    """

    call_id: str
    agent_id: str
    session_id: str
    turn_id: str
    name: str
    arguments: dict[str, Any]
    risk: Risk
    reason: str
    summary: str
    display: str
    preview: Preview | None = None
    remember: str | None
    requested_at: Time
    expires_at: Time | None


class RuleCreate(Request):
    """`kind`: exact (default), beneath (inside a directory) or any; `value`: the target (path, command or origin)."""

    decision: Literal["allow", "deny"]
    tool: Name
    kind: Literal["exact", "beneath", "any"] = "exact"
    value: Annotated[str, StringConstraints(max_length=100_000)] = ""
    agent_id: Name | None = None
    session_id: Name | None = None
    expires_in_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None


class RuleDeleted(Model):
    rule_id: str


class CheckRequest(Request):
    """Ask what would happen to this tool call, without running it."""

    tool: Name
    arguments: Object = Field(default_factory=dict[str, Any])
    agent_id: Name = "default"
    session_id: Name | None = None


class CheckAnswer(Model):
    decision: Literal["allow", "deny", "ask"]
    decided_by: str = Field(description="rule:<id>, mode:<mode>, call or forbidden")
    reason: str
    risk: Risk
    summary: str
    display: str
    preview: Preview | None = None
    target: str
    remember: str | None
    confirm: str = Field(
        description="the `confirm` of POST /api/approve for these arguments, if they do something that was not shown"
    )
