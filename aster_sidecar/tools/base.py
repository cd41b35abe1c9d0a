"""The shape of a tool: what it is, what it is given, and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from aster_sidecar.policy.permissions import Assessment, Risk, Rule


class ToolError(Exception):
    """The tool could not do it; `str(error)` is what the model and the person read."""


class CallContext(Protocol):
    """What a running tool is given besides its arguments."""

    @property
    def call_id(self) -> str: ...
    @property
    def agent_id(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def turn_id(self) -> str: ...
    @property
    def surroundings(self) -> Surroundings: ...
    @property
    def context(self) -> Mapping[str, Any]:
        """What the app said with the message that this turn answers."""
        ...

    async def progress(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        """Tell whoever watches how far it is: `progress` 0..1, or a piece of output (`stream` and `delta`)."""
        ...

    def tell(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        """The same, without letting others have a turn. Raises: StoreError."""
        ...


def nothing_denied(tool: str) -> Sequence[Rule]:
    return ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where tools work: `work_dir` is absolute and canonical; `protected` are the daemon's own directories.

    `denials` gives the deny rules about places that hold now for a tool, by its name, and for whoever calls.
    """

    work_dir: Path
    protected: tuple[Path, ...] = ()
    denials: Callable[[str], Sequence[Rule]] = nothing_denied


@dataclass(frozen=True, slots=True)
class Outcome:
    """A tool's result: `value` is JSON-able; `truncated` says that a bound cut it."""

    value: Any
    truncated: bool = False


A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """What a person wrote as the target of a rule: `value`, not empty, for one decision and one kind of reach."""

    decision: Literal["allow", "deny"]
    kind: Literal["exact", "beneath"]
    value: str


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One tool. `arguments` is its schema; `risk` what it is at least (arguments may raise it).

    `assess` must not change anything and may look at the file system; it raises ToolError when the call can't make
    sense. `run` gets the arguments and the very assessment that was allowed, and is cancelled by cancelling its task:
    it cleans up and re-raises. `rule_value` brings a rule's target into the form of the calls' own; it raises ToolError
    for one that no call could ever match.
    `before` is awaited ahead of `assess`, for what that has to know.
    """

    name: str
    description: str
    arguments: type[A]
    risk: Risk
    assess: Callable[[A, Surroundings], Assessment]
    run: Callable[[A, Assessment, CallContext], Awaitable[Outcome]]
    rule_value: Callable[[RuleTarget, Surroundings], str] | None = None
    before: Callable[[], Awaitable[None]] | None = None
