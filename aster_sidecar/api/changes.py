"""API calls about changes to files: list and undo them."""

from __future__ import annotations

from aster_sidecar.contract import wire
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.errors import InvalidShape
from aster_sidecar.ledger.choosing import Choice
from aster_sidecar.ledger.ledger import Ledger


class ChangeCalls:
    """Calls about what tools changed in files."""

    def __init__(self, sessions: Sessions, ledger: Ledger) -> None:
        self._sessions = sessions
        self._ledger = ledger

    async def list(self, session_id: str, turn_id: str | None) -> wire.SessionChanges:
        """What the turns of a session changed; with diffs if one is given.

        Raises: SessionNotFound, ChangeNotFound, StoreError.
        """
        return await self._ledger.changes(self._sessions.require(session_id), turn_id)

    async def revert(self, request: wire.RevertRequest) -> wire.Reverted:
        """Undo changes. Raises: InvalidShape, ChangeNotFound, RevertConflict, StoreError."""
        return await self._ledger.reverts.revert(choice_of(request), dry_run=request.dry_run)


def choice_of(request: wire.RevertRequest) -> Choice:
    """What a request means. Raises: InvalidShape."""
    named = [name for name in ("turn_id", "call_id", "revert_id") if getattr(request, name) is not None]
    if len(named) > 1 or (not named and not request.paths):
        raise InvalidShape("give one of turn_id, call_id and revert_id, or paths alone")
    if named and request.session_id is not None:
        raise InvalidShape(f"session_id: it goes with paths alone, not with {named[0]}")
    return Choice(
        turn_ids=(request.turn_id,) if request.turn_id is not None else None,
        call_id=request.call_id,
        revert_id=request.revert_id,
        paths=tuple(dict.fromkeys(request.paths)) if request.paths is not None else None,
        session_id=request.session_id,
        commands=request.commands,
        force=frozenset(request.force),
    )
