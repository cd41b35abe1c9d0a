"""Which changes a revert undoes, and what it would do at each path. Nothing is written here.

A path goes back to the state before the first chosen change, if it is still as the last one left it. Otherwise what a
person, or a later turn, did there since would be lost: that is a conflict.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

from aster_sidecar.contract import wire
from aster_sidecar.errors import ChangeNotFound
from aster_sidecar.ledger.path_state import PathState, same
from aster_sidecar.ledger.recorded import after, before
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import changes as rows
from aster_sidecar.store.rows.changes import ChangeRow
from aster_sidecar.text.safe_text import shown

T = TypeVar("T", wire.RevertedFile, wire.NotReverted)
Kind = Literal["created", "modified", "deleted", "moved"]


class Choice(NamedTuple):
    """Which changes to undo: those of turns, of a call or of a revert; or the newest change of each of `paths`.

    With one of the first three, `paths` chooses among their paths. `session_id` goes with `paths` alone. `commands`:
    also what changed while commands ran; without it that is undone only where `paths` names it. `force`: paths that
    are undone although they changed since. `may_be_empty`: no change at all is no error.
    """

    turn_ids: tuple[str, ...] | None = None
    call_id: str | None = None
    revert_id: str | None = None
    paths: tuple[str, ...] | None = None
    session_id: str | None = None
    commands: bool = False
    force: frozenset[str] = frozenset()
    may_be_empty: bool = False


class Step(NamedTuple):
    """What is undone at one path: `changes` in their order. `seen` is what is there now."""

    path: Path
    changes: list[ChangeRow]
    seen: PathState
    wanted: PathState


class Plan(NamedTuple):
    """What a revert does. `files` also has the paths that are as before already. `conflicts` prevent it."""

    steps: list[Step]
    files: list[wire.RevertedFile]
    left: list[wire.NotReverted]
    conflicts: list[wire.NotReverted]


class Chosen(NamedTuple):
    """The changes that are undone, and those by reverts to the same paths between the first and the last, in order."""

    changes: list[ChangeRow]
    reverts: list[ChangeRow]


def chosen(journal: Journal, choice: Choice) -> Chosen:
    """The changes that a choice means. Raises: ChangeNotFound when there are none, StoreError."""
    found = _chosen_changes(journal, choice)
    if not found:
        return Chosen([], [])
    paths = list(dict.fromkeys(row.path for row in found))
    return Chosen(found, journal.rows(rows.select_reverts(paths, found[0].n, found[-1].n)))


def _chosen_changes(journal: Journal, choice: Choice) -> list[ChangeRow]:
    if choice.turn_ids is not None:
        found = [row for row in journal.rows(rows.select_of_turns(choice.turn_ids)) if row.source != "revert"]
    elif choice.call_id is not None:
        found = journal.rows(rows.select_of_call(choice.call_id))
    elif choice.revert_id is not None:
        found = journal.rows(rows.select_of_revert(choice.revert_id))
    else:
        return _newest(journal, choice.paths or (), choice.session_id)
    if not found and not choice.may_be_empty:
        raise ChangeNotFound("nothing that was changed there is recorded")
    if choice.paths is None:
        return found
    wanted = _with_parts(choice.paths, found)
    if missing := set(choice.paths) - {row.path for row in found}:
        raise ChangeNotFound(f"no change of {shown(min(missing))} is recorded there")
    return [row for row in found if row.path in wanted]


def _newest(journal: Journal, paths: Sequence[str], session_id: str | None) -> list[ChangeRow]:
    newest = journal.rows(rows.select_newest(paths, session_id))
    if missing := set(paths) - {row.path for row in newest}:
        raise ChangeNotFound(f"no change of {shown(min(missing))} is recorded")
    found: dict[int, ChangeRow] = {}
    for call_id in dict.fromkeys(row.call_id for row in newest if row.call_id is not None):
        whole = journal.rows(rows.select_of_call(call_id))
        wanted = _with_parts([row.path for row in newest if row.call_id == call_id], whole)
        found.update({row.n: row for row in whole if row.path in wanted})
    return [found[n] for n in sorted(found)]


def _with_parts(paths: Iterable[str], changes: Sequence[ChangeRow]) -> set[str]:
    """The paths, with the other ends of moves, and the directories above that were made or deleted with them."""
    wanted = set(paths)
    moves = [{row.path, row.moved_from} for row in changes if row.moved_from is not None]
    while more := [ends for ends in moves if ends & wanted and not ends <= wanted]:
        wanted.update(*more)
    above = {str(folder) for path in wanted for folder in Path(path).parents}
    return wanted | {row.path for row in changes if row.path in above and is_of_directory(row)}


def is_of_directory(row: ChangeRow) -> bool:
    """Whether a directory was made or deleted, and nothing else."""
    return {row.before_type, row.after_type} == {"directory", None}


class Looks(Protocol):
    """What a plan has to find out. It blocks."""

    def look(self, path: Path, *states: PathState) -> PathState | None:
        """The state of a path, which may be one of those given; None if it can't be read."""
        ...

    def why_gone(self, state: PathState) -> str | None:
        """Why the content of a state can't be restored; None if it can."""
        ...

    def forbidden(self, session_id: str, path: Path) -> str | None:
        """Why nothing may be written to a path that was changed in this session, as a sentence; None if it may."""
        ...


def plan(choice: Choice, chosen: Chosen, looks: Looks) -> Plan:
    """What a revert of these changes would do. It blocks."""
    by_path: dict[str, list[ChangeRow]] = {}
    for row in chosen.changes:
        by_path.setdefault(row.path, []).append(row)
    reverts: dict[str, list[ChangeRow]] = {}
    for row in chosen.reverts:
        reverts.setdefault(row.path, []).append(row)
    named = _with_parts(choice.paths, chosen.changes) if choice.paths is not None else set[str]()
    result = Plan([], [], [], [])
    for path, changes in by_path.items():
        if not choice.commands and path not in named and any(row.source == "command" for row in changes):
            said = f"{shown(path)} changed while a command ran; it is undone only if it is chosen"
            result.left.append(wire.NotReverted(path=path, code="during_command", message=said))
        else:
            _plan_path(path, changes, reverts.get(path, []), choice.force, result, looks)
    return _told(_without_full_directories(result), by_path)


def _plan_path(
    path: str,
    changes: list[ChangeRow],
    reverts: list[ChangeRow],
    force: Collection[str],
    result: Plan,
    looks: Looks,
) -> None:
    wanted, last = before(changes[0]), after(changes[-1])
    seen = looks.look(Path(path), wanted, last)

    def refuse(code: Literal["changed_since", "not_kept", "unreadable", "forbidden"], message: str) -> None:
        # What can't be undone at all is left, if the person said to go on without it.
        where = result.left if path in force and code != "changed_since" else result.conflicts
        where.append(wire.NotReverted(path=path, code=code, message=message))

    if seen is None:
        refuse("unreadable", f"{shown(path)} can't be read, so that it can't be compared")
    elif same(seen, wanted):
        result.files.append(_reverted(path, changes, "none"))
    elif why := looks.forbidden(changes[0].session_id, Path(path)):
        refuse("forbidden", f"{shown(path)} can't be undone: {why}")
    elif last.type == "file" and last.sha256 is None:
        refuse("not_kept", f"the content of {shown(path)} after the change was not kept, so that it can't be compared")
    elif is_made(changes) and seen.type != "directory":
        result.files.append(_reverted(path, changes, "none"))  # the directory that was made is gone
    elif not is_made(changes) and path not in force and not (same(seen, last) and _is_chain(changes, reverts)):
        refuse("changed_since", f"{shown(path)} changed since")
    elif why := looks.why_gone(wanted):
        refuse("not_kept", f"the content of {shown(path)} before can't be restored: {why}")
    else:
        result.steps.append(Step(Path(path), changes, seen, wanted))
        result.files.append(_reverted(path, changes, "delete" if wanted.type is None else "write"))


def is_made(changes: Sequence[ChangeRow]) -> bool:
    """Whether a directory was made where nothing was. It is removed if it is empty then; that is no conflict."""
    return changes[0].before_type is None and changes[-1].after_type == "directory"


def _is_chain(changes: Sequence[ChangeRow], reverts: Iterable[ChangeRow]) -> bool:
    """Whether each change began with what the one before it left. Reverts between them are part of the chain."""
    own = {row.n for row in changes}
    state = before(changes[0])
    others = [row for row in reverts if row.n not in own]
    for row in sorted([*changes, *others], key=lambda row: row.n):
        if row.n in own and not same(before(row), state):
            return False
        if same(before(row), state):
            state = after(row)
    return True


def kind_of(was: PathState, now: PathState, *, moved: bool = False) -> Kind:
    """What kind of change it is, all together."""
    if now.type is None:
        return "deleted"
    return "moved" if moved else "created" if was.type is None else "modified"


def _reverted(path: str, changes: Sequence[ChangeRow], action: Literal["write", "delete", "none"]) -> wire.RevertedFile:
    last = changes[-1]
    kind = kind_of(before(changes[0]), after(last), moved=last.moved_from is not None)
    sources = {row.source for row in changes}
    source = "command" if "command" in sources else "revert" if "revert" in sources else "tool"
    return wire.RevertedFile(path=path, action=action, kind=kind, source=source)


def _without_full_directories(found: Plan) -> Plan:
    """The plan, in the order in which it is written, without removing directories that would not be empty then."""
    gone = {step.path for step in found.steps if step.wanted.type is None}
    staying = [step.path for step in found.steps if step.wanted.type is not None]
    for step in sorted(found.steps, key=lambda step: len(step.path.parts), reverse=True):
        if step.path in gone and step.seen.type == "directory" and not _empties(step.path, gone, staying):
            gone.discard(step.path)
    steps = [step for step in found.steps if step.wanted.type is not None or step.path in gone]
    return found._replace(steps=in_order(steps))


def _empties(folder: Path, gone: Collection[Path], staying: Iterable[Path]) -> bool:
    """Whether nothing is in a directory once these paths are gone, and those are written."""
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    return all(folder / name in gone for name in names) and not any(folder in path.parents for path in staying)


def _told(found: Plan, by_path: Mapping[str, list[ChangeRow]]) -> Plan:
    """The plan, which names a directory only if it is written and nothing in it is named."""
    steps = {str(step.path) for step in found.steps}

    def named(listed: Sequence[T], is_written: bool) -> list[T]:
        above = {str(folder) for one in listed for folder in Path(one.path).parents}
        return [
            one
            for one in listed
            if not all(is_of_directory(row) for row in by_path[one.path])
            or (one.path not in above and (not is_written or one.path in steps))
        ]

    return found._replace(files=named(found.files, True), left=named(found.left, False))


def in_order(steps: Iterable[Step]) -> list[Step]:
    """The order in which steps are written: contents before deletions, directories before what is in them.

    So that a full disk is found before anything is deleted. Only what is in a directory that becomes a file goes first.
    """
    steps = list(steps)
    replaced = {step.path for step in steps if step.wanted.type in ("file", "link") and step.seen.type == "directory"}

    def place(step: Step) -> tuple[int, int]:
        depth = len(step.path.parts)
        if step.wanted.type is not None:
            return 1, depth
        return (2 if replaced.isdisjoint(step.path.parents) else 0), -depth

    return sorted(steps, key=place)
