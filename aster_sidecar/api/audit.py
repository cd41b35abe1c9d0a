"""The API call that lists decisions about tool calls."""

from __future__ import annotations

import re
from typing import Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import InvalidShape
from aster_sidecar.policy.decisions import Decisions
from aster_sidecar.store.rows.decisions import Listed

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
"""A time as in RFC 3339."""
CURSOR = re.compile(r"[0-9]{1,18}", re.ASCII)


class AuditCalls:
    """The call that lists decisions."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions

    def list(
        self,
        *,
        agent_id: str | None,
        session_id: str | None,
        tool: str | None,
        decision: Literal["allow", "deny"] | None,
        since: str | None,
        until: str | None,
        before: str | None,
        after: str | None,
        limit: int,
    ) -> wire.DecisionPage:
        """A page of decisions: newest first, or with `after` oldest first. Raises: InvalidShape, StoreError.

        Agents and sessions need not exist any more: decisions about them stay.
        """
        if before is not None and after is not None:
            raise InvalidShape("give before or after, not both")
        wanted = Listed(
            agent_id=agent_id,
            session_id=session_id,
            tool=tool,
            decision=decision,
            since=moment("since", since),
            until=moment("until", until),
            before=cursor("before", before),
            after=cursor("after", after),
            limit=limit,
        )
        return self._decisions.page(wanted)


def moment(name: str, given: str | None) -> str | None:
    """A time in a query as a stamp. Raises: InvalidShape."""
    if given is None:
        return None
    try:
        if TIME.fullmatch(given) is None:
            raise ValueError
        return clock.stamp(clock.parse(given.upper()))
    except (ValueError, OverflowError):
        raise InvalidShape(
            f"{name}: {given[:100]!r} is not a time as in RFC 3339",
            hint="write it as 2026-11-20T12:00:00Z or 2026-11-20T12:00:00+01:00; a + in an address is %2B",
        ) from None


def cursor(name: str, given: str | None) -> int | None:
    """The position of a page. Raises: InvalidShape."""
    if given is None:
        return None
    if CURSOR.fullmatch(given) is None:
        raise InvalidShape(f"{name}: {given[:100]!r} is not a cursor", hint="pass next of the page you have")
    return int(given)
