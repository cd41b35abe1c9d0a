"""Wire models of changes to files: what tools and commands changed, and how to undo it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import VALID, Model, Name, Request, Time

ChangedPath = Annotated[str, StringConstraints(min_length=1, max_length=4096), VALID]


class FileState(Model):
    """What is at a path: a regular file, a symbolic link (its size is that of its target's text) or a directory."""

    type: Literal["file", "link", "directory"]
    size: int = Field(description="bytes")
    mode: int = Field(description="permission bits")


class ChangedFile(Model):
    """What a turn changed at one path, all its calls together."""

    path: str = Field(description="absolute")
    kind: Literal["created", "modified", "deleted", "moved"]
    moved_from: str | None = Field(default=None, description="with `moved`: the path before")
    source: Literal["tool", "command"] = Field(
        description="`command`: it changed while a command ran, perhaps not by it"
    )
    call_ids: list[str] = Field(description="the calls that changed it, in order")
    before: FileState | None = Field(description="null: there was nothing; with `moved`: what was at `moved_from`")
    after: FileState | None = Field(description="null: there is nothing")
    added: int | None = Field(default=None, description="lines; null if they can't be compared")
    removed: int | None = Field(default=None, description="lines; null if they can't be compared")
    diff: str | None = Field(
        default=None, description="unified diff of text, only if one turn was asked for; null if it can't be made"
    )
    truncated: bool = Field(default=False, description="the diff is longer than what is here")
    now: Literal["changed", "undone", "edited"] = Field(
        description="`changed`: as the turn left it; `undone`: as before the turn; `edited`: changed again since"
    )
    kept: bool = Field(description="whether the content before can be restored")
    why_not_kept: str | None = Field(default=None, description="why the content before can't be restored")
    revert_id: str | None = Field(default=None, description="the last revert that wrote it; undoing that redoes it")


class TurnChanges(Model):
    """What one turn changed."""

    turn_id: str
    message_id: str = Field(description="the person's message that began the turn")
    rewound: bool = Field(description="whether the turn was taken out of the conversation")
    files: list[ChangedFile]
    not_covered: list[str] = Field(
        default_factory=list[str], description="sentences: what could not be recorded, and why"
    )


class SessionChanges(Model):
    """What the turns of a session changed, oldest first."""

    session_id: str
    turns: list[TurnChanges]


class RevertRequest(Request):
    """Undo changes: those of a turn, of a call, of an earlier revert, or the newest change of each of `paths`.

    Give one of `turn_id`, `call_id` and `revert_id`, or only `paths`. With one of the three, `paths` chooses among its
    files. Changes that happened while a command ran are left alone, unless `paths` names them or `commands` is true.
    """

    turn_id: Name | None = None
    call_id: Name | None = None
    revert_id: Name | None = None
    paths: Annotated[list[ChangedPath], Field(max_length=10_000)] | None = Field(
        default=None, description="absolute paths"
    )
    session_id: Name | None = Field(default=None, description="with `paths` only: look at this session's changes only")
    commands: bool = Field(default=False, description="also undo what changed while commands ran")
    force: Annotated[list[ChangedPath], Field(max_length=10_000)] = Field(
        default_factory=list[str],
        description="paths to undo although they changed since (what is there now can be restored), or to leave where "
        "they can't be restored",
    )
    dry_run: bool = Field(default=False, description="only say what would be done")


class RevertedFile(Model):
    """What was done at one path, or would be done."""

    path: str
    action: Literal["write", "delete", "none"] = Field(description="`none`: it is as before already")
    kind: Literal["created", "modified", "deleted", "moved"] = Field(description="the change that is undone")
    source: Literal["tool", "command", "revert"] = Field(description="of the change that is undone")


class NotReverted(Model):
    """A path that was not undone."""

    path: str
    code: Literal["changed_since", "not_kept", "unreadable", "forbidden", "unwritable", "during_command"] = Field(
        description="`during_command`: it changed while a command ran, and was not chosen"
    )
    message: str


class Reverted(Model):
    """`revert_id` undoes this revert; null if nothing was written."""

    revert_id: str | None
    files: list[RevertedFile]
    left: list[NotReverted] = Field(description="conflicts are in `error.details` of revert_conflict instead")


class RewindRequest(Request):
    """Take a message that began a turn, and everything after it, out of the conversation."""

    message_id: Name
    files: Literal["keep", "restore"] = Field(
        default="keep", description="`restore`: also undo what the turns changed in files"
    )
    commands: bool = Field(default=False, description="with `restore`: also undo what changed while commands ran")
    force: Annotated[list[ChangedPath], Field(max_length=10_000)] = Field(
        default_factory=list[str], description="with `restore`: paths to undo although they changed since"
    )


class UnrewindRequest(Request):
    """Undo the last rewind."""

    files: Literal["keep", "restore"] = Field(
        default="restore", description="`restore`: also undo what the rewind did to files"
    )
    force: Annotated[list[ChangedPath], Field(max_length=10_000)] = Field(
        default_factory=list[str], description="with `restore`: paths to restore although they changed since"
    )


class Rewound(Model):
    """What was taken out, or put back."""

    session_id: str
    from_message_id: str
    turn_ids: list[str]
    messages: int
    files: Reverted | None = Field(default=None, description="what was undone in files, if that was asked for")


class ForkRequest(Request):
    """Copy a conversation into a new session."""

    message_id: Name | None = Field(
        default=None, description="the last turn to copy, by the person's message that began it; absent: all"
    )


class RewindInfo(Model):
    """The last rewind of a session, which can be undone until the next message."""

    message_id: str
    messages: int = Field(description="how many messages it took out")
    rewound_at: Time
    files: bool = Field(description="whether it also undid changes to files")


class ForkedFrom(Model):
    """The session and the turn that a fork was made from; they may be deleted meanwhile."""

    session_id: str
    message_id: str | None = Field(default=None, description="the person's message of the last turn that was copied")
