"""Wire models of approvals, permission rules, and dry-run checks of tool calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import VALID, ApprovalDecision, Model, Name, Object, Request, Risk, Time

RuleKind = Literal["exact", "beneath", "glob", "program", "any"]

Lasting = Annotated[float, Field(gt=0, le=31_536_000)]

Scalar = (
    bool
    | int
    | Annotated[float, Field(allow_inf_nan=False)]
    | Annotated[str, StringConstraints(max_length=10_000), VALID]
)


class ApproveRequest(Request):
    """Answer a pending approval. `note` is passed to the model on a denial; `arguments` replace the call's own.

    If the new arguments do something that was not shown, `confirm` proves that a person has seen it: its value comes
    from the check of these arguments, or from the error `edit_unconfirmed`.

    With `allow_always` and `deny_always`: `scope_id` chooses one of the `scopes`, `this_session` limits the rule to the
    session, and `expires_in_s` its time.
    """

    agent_id: Name
    call_id: Name
    decision: ApprovalDecision
    note: Annotated[str, StringConstraints(max_length=10_000), VALID] | None = None
    arguments: Object | None = None
    confirm: Annotated[str, StringConstraints(max_length=64)] | None = None
    scope_id: Name | None = None
    this_session: bool = False
    expires_in_s: Lasting | None = None


class ScopeInfo(Model):
    """What "always" may cover, in `words`."""

    scope_id: str
    words: str


class RuleCondition(Request):
    """What has to hold for one argument of a call, for a rule to apply.

    `argument`: its name; a name within an object follows after a dot. `test` equals: it is the same as `value`;
    one_of: it is one of the list `value`; beneath: it is a path in the directory `value`; glob: it matches the pattern
    `value`. `negated`: the rule applies if the test fails.
    """

    argument: Name
    test: Literal["equals", "one_of", "beneath", "glob"]
    value: Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=1000)]
    negated: bool = False


class RuleInfo(Model):
    """A permission rule: the calls that it covers, as fields and in `words`.

    `made_by`: the client through which it was made; `made_for`: the call that it answered.
    """

    rule_id: str
    decision: Literal["allow", "deny"]
    tool: str
    kind: RuleKind
    value: str
    conditions: list[RuleCondition] = Field(default_factory=list[RuleCondition])
    agent_id: str | None = None
    session_id: str | None = None
    created_at: Time
    expires_at: Time | None = None
    made_by: str | None = None
    made_for: str | None = None
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

    `summary` says in a sentence what will happen, `display` is exactly what will run. `remember` is what "always"
    covers without a `scope_id`, `scopes` what may be chosen, the narrowest first.
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
    scopes: list[ScopeInfo] = Field(default_factory=list[ScopeInfo])
    requested_at: Time
    expires_at: Time | None


class RuleCreate(Request):
    """A new rule.

    `kind`: exact (default): this `value` (path, command or origin); beneath: what lies in this directory; glob: what
    matches this pattern; program: a program with its subcommand in command lines; any: every call.
    """

    decision: Literal["allow", "deny"]
    tool: Name
    kind: RuleKind = "exact"
    value: Annotated[str, StringConstraints(max_length=100_000)] = ""
    conditions: Annotated[list[RuleCondition], Field(max_length=20)] = Field(default_factory=list[RuleCondition])
    agent_id: Name | None = None
    session_id: Name | None = None
    expires_in_s: Lasting | None = None


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
    scopes: list[ScopeInfo] = Field(default_factory=list[ScopeInfo])
    rule: RuleInfo | None = Field(default=None, description="the rule that decided")
    confirm: str = Field(
        description="the `confirm` of POST /api/approve for these arguments, if they do something that was not shown"
    )
