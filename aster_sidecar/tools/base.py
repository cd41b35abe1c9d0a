"""The shape of a tool: what it is, what it is given, and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from aster_sidecar.asking.forms import Form
from aster_sidecar.policy.permissions import Assessment, Risk, Rule
from aster_sidecar.store.sql import Write

if TYPE_CHECKING:
    from aster_sidecar.sandbox.commands import CommandSandbox


class ToolError(Exception):
    """A call failed; the model and the user read `str(error)`. `files` and `attached` belong to it, as to an `Outcome`.

    `unknown`: it is not known what it did, and whether it ended.
    """

    def __init__(
        self,
        message: str = "",
        files: tuple[File, ...] = (),
        *,
        attached: tuple[str, ...] = (),
        unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.files = files
        self.attached = attached
        self.unknown = unknown


class Asked(NamedTuple):
    """A question of a call that waits without a task. `request`: what the tool needs to go on, as JSON."""

    form: Form
    request: str


class Paused(Exception):
    """Raised by `run`: the call has to wait, maybe for days, and no task is to be held meanwhile.

    `run` is called again, with the same arguments, when all that the turn waits for has ended. `asks`: what a person is
    asked; without it, the tool has said itself what the turn waits for.
    """

    def __init__(self, asks: tuple[Asked, ...] = ()) -> None:
        super().__init__("the call waits")
        self.asks = asks


class QuestionEnd(NamedTuple):
    """How a question of a call ended. `request` as in `Asked`."""

    request: str
    outcome: Literal["answered", "declined", "expired", "cancelled"]
    answers: Mapping[str, Any]
    note: str | None


class CallContext(Protocol):
    """What a running tool gets besides its arguments."""

    @property
    def ended_questions(self) -> Sequence[QuestionEnd]:
        """After `Paused`: how the questions ended. Empty when the call begins."""
        ...

    @property
    def again(self) -> bool:
        """Whether the call goes on after `Paused`."""
        ...

    @property
    def unattended(self) -> bool:
        """Whether nobody is to be asked: nobody is there, and the settings say no then."""
        ...

    async def ask(self, form: Form) -> QuestionEnd:
        """Ask a person while the call runs on, and wait. Time limits of the call and of its turn stand still meanwhile.

        It ends as cancelled when the call or this task does, and as declined, unasked, when `unattended`. After a
        restart of the daemon the call is not known to have ended: where it is possible, raise `Paused` instead.

        Raises: StoreError.
        """
        ...

    def held(self) -> AbstractContextManager[None]:
        """Let these time limits stand still for a block, because another call of the same turn asks."""
        ...

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
        """The context that the app sent with the message of this turn."""
        ...

    async def progress(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        """Publish progress: a `message`, a share (`progress`, from 0 to 1), or output (`stream` and `delta`)."""
        ...

    def tell(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        """The same, without yielding to the event loop. Raises: StoreError."""
        ...


def nothing_denied(tool: str) -> Sequence[Rule]:
    return ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where tools work: `work_dir` is absolute and canonical; `protected` are the daemon's own directories.

    `denials` returns the deny rules about places that currently apply to a tool, by its name, and to the caller.
    `sandbox` is that of commands.
    """

    work_dir: Path
    protected: tuple[Path, ...] = ()
    denials: Callable[[str], Sequence[Rule]] = nothing_denied
    sandbox: CommandSandbox | None = None


class File(NamedTuple):
    """A file in a tool's result: a name for it, its content, and the media type that its source states."""

    name: str
    data: bytes
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A tool's result: `value` can be written as JSON; `truncated`: whether a limit cut it.

    `files` become attachments; `attached` are the ids of files that were uploaded. The model gets images among them as
    images. Other ones are named in `value`, which is an object then.
    """

    value: Any
    truncated: bool = False
    files: tuple[File, ...] = ()
    attached: tuple[str, ...] = ()


A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """The target of a rule as the user wrote it: `value` is not empty."""

    decision: Literal["allow", "deny"]
    kind: Literal["exact", "beneath", "glob", "program"]
    value: str


class WillChange(NamedTuple):
    """What a call may change in files.

    `paths` are canonical. `moves`: they are the source and the destination of a move. `command_in`: a command runs in
    this directory, and may change anything.
    """

    paths: tuple[Path, ...] = ()
    moves: bool = False
    command_in: Path | None = None


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One tool. `arguments` is the model of its arguments.

    `risk` is that of an ordinary call. Arguments may raise it, and lower it for a command that only reads.
    `assess` must not change anything, and may read the file system; it raises ToolError for a call that makes no
    sense. `run` gets the arguments and the assessment that was allowed; when its task is cancelled, it cleans up
    and re-raises. `rule_value` converts a rule's target to the form of the calls' targets; it raises ToolError for
    a target that no call can match. `before` is awaited before `assess`, to find out what it needs. `changes` says
    what a call may change in files, so that it can be undone; None: nothing that is recorded. `confined`: its calls
    run in the sandbox of commands. `server` is the MCP server that offers it, and `definition` a hash of the server's
    definition. `accept` gets the binding of a call that a person allowed, and returns the rows to write. `asks` returns
    the form with which a call asks a person: the answers are its result, and `run` is not called. `host` is the host
    that lends it. `agents` are the only agents that have it; None: all.
    """

    name: str
    description: str
    arguments: type[A]
    risk: Risk
    assess: Callable[[A, Surroundings], Assessment]
    run: Callable[[A, Assessment, CallContext], Awaitable[Outcome]]
    rule_value: Callable[[RuleTarget, Surroundings], str] | None = None
    before: Callable[[Surroundings], Awaitable[None]] | None = None
    changes: Callable[[A, Assessment], WillChange] | None = None
    confined: bool = False
    server: str | None = None
    definition: str = ""
    accept: Callable[[Mapping[str, Any]], list[Write]] | None = None
    asks: Callable[[A], Form] | None = None
    host: str | None = None
    agents: frozenset[str] | None = None
