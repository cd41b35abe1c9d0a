"""Notifications for a person: open questions, finished turns that nobody saw, errors and crashed services.

They are made from committed events of the journal, once for each event. The position of the last event is stored in the
same transaction as its notification, so a killed daemon continues there. They are kept whether or not a window is open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.store.journal import SELECT_EVENTS, Event, Journal, Write, remember
from aster_sidecar.store.rows import TRASHED
from aster_sidecar.text.repair import cut

MOST = 200
"""The most notifications that are kept; the oldest are deleted."""
TITLE_CHARS, WHAT_CHARS = 60, 200
"""The most characters of a conversation's title and of an error in a notification."""
UPTO = "attention_upto"
"""The key under which the store keeps the `seq` of the last event that was handled."""
SEEN = ("approval_required", "approval_resolved", "done", "error", "service_changed")
"""The types of events that can change notifications."""
ENDED = {
    "complete": "",
    "denied": "A tool call was denied.",
    "limit": "It reached a limit.",
}
"""Stop reasons that make a notification, and its text. A cancelled turn makes none, a failed one makes an `error`."""

SHOWN = f"(session_id IS NULL OR session_id NOT IN ({TRASHED}))"
"""The SQL condition for notifications whose conversation is not in the trash."""

COLUMNS = "notification_id, kind, title, body, agent_id, session_id, turn_id, call_id, created_at, read"


class Attention:
    """The notifications. `focused` returns the sessions that a person is looking at, `name_of` an agent's name."""

    def __init__(self, journal: Journal, focused: Callable[[], Collection[str]], name_of: Callable[[str], str]) -> None:
        self._journal = journal
        self._focused = focused
        self._name_of = name_of
        self._unread: dict[str, str | None] = {}
        """The ids of unread notifications, the oldest first, each with the id of its tool call, if any."""
        self._behind = False
        """Whether recorded events were not handled because their notifications could not be recorded."""

    def open(self) -> None:
        """Load the unread notifications, and handle events since the last run of the daemon. Raises: StoreError."""
        self._read()
        self._catch_up()
        self._journal.recorded.subscribe(self._recorded)
        self._journal.lost.subscribe(self._read_again)

    def _recorded(self, events: list[Event]) -> None:
        if self._behind:  # `events` and those whose notifications were lost
            self._catch_up()
        else:
            self.see(events)

    def _read_again(self) -> None:
        """Reload after a failed transaction. Nothing is put here: while the store fails, that would fail again."""
        self._read()
        self._behind = True

    def _read(self) -> None:
        rows = self._journal.all(
            f"SELECT notification_id, call_id FROM notifications WHERE read=0 AND {SHOWN} ORDER BY n"
        )
        self._unread = {row[0]: row[1] for row in rows}

    def _catch_up(self) -> None:
        """Handle the recorded events that were not handled yet. Raises: StoreError."""
        self._behind = False
        upto = self._journal.recall(UPTO)
        if upto is None:
            self._journal.put(writes=[remember(UPTO, str(self._journal.last_seq))])
        else:
            marks = ",".join("?" * len(SEEN))
            where = f"WHERE seq>? AND type IN ({marks}) ORDER BY seq"
            self.see([Event(*row) for row in self._journal.all(f"{SELECT_EVENTS} {where}", [int(upto), *SEEN])])

    @property
    def unread(self) -> int:
        """The number of unread notifications."""
        return len(self._unread)

    def see(self, events: Iterable[Event]) -> None:
        """Add and mark notifications for committed events."""
        for event in events:
            if event.type not in SEEN:
                continue
            data: dict[str, Any] = json.loads(event.data)
            made = self._notification_for(event, data)
            done = remember(UPTO, str(event.seq))
            if made is not None:
                self._add(made, [done])
            elif event.type == "approval_resolved":
                self._mark({id for id, call_id in self._unread.items() if call_id == data["call_id"]}, [done])
            else:
                self._journal.put(
                    writes=[done], durable=False
                )  # if this is lost, the event is handled again, with the same result

    def _notification_for(self, event: Event, data: dict[str, Any]) -> wire.Notification | None:
        """The notification for an event: agent, conversation and what happened, without the texts of messages."""
        agent = self._name_of(event.agent_id) if event.agent_id is not None else ""
        where = self._title_of(event.session_id)
        kind: wire.NotificationKind
        match event.type:
            case "approval_required":
                kind, title = "approval_required", f"{agent} asks for permission"
                what = f"{data['name']}, {data['risk']} risk"
            case "done" if data["stop_reason"] in ENDED and event.session_id not in self._focused():
                kind, what = "turn_done", ENDED[data["stop_reason"]]
                title = f"{agent} stopped" if what else f"{agent} is done"
            case "error" if data.get("severity", "error") == "error" and event.session_id not in self._focused():
                kind, title = "error", f"{agent or 'Aster'} stopped because of an error"
                what = cut(data["message"], WHAT_CHARS)
            case "service_changed" if data["state"] == "crashed":
                kind, title, what = "service_crashed", f"{data['name']} crashed", "Restart it under Settings, Services."
            case _:
                return None
        body = " · ".join(one for one in (where, what) if one)
        return wire.Notification(
            notification_id=clock.new_id("note"),
            kind=kind,
            title=title,
            body=body,
            agent_id=event.agent_id,
            session_id=event.session_id,
            turn_id=event.turn_id,
            call_id=data.get("call_id"),
            created_at=event.time,
            read=False,
        )

    def _title_of(self, session_id: str | None) -> str:
        """A conversation's title; empty if it was deleted."""
        row = self._journal.one("SELECT title FROM sessions WHERE session_id=?", (session_id,)) if session_id else None
        return cut(row[0], TITLE_CHARS) if row else ""

    def _add(self, one: wire.Notification, writes: list[Write]) -> None:
        values = one.model_dump()
        columns = COLUMNS.split(", ")
        marks = ",".join("?" * len(columns))
        writes.append(
            # The session may have been deleted meanwhile.
            (
                f"INSERT INTO notifications ({COLUMNS}) SELECT {marks}"
                " WHERE ? IS NULL OR EXISTS (SELECT 1 FROM sessions WHERE session_id=?)",
                [*(values[name] for name in columns), one.session_id, one.session_id],
            )
        )
        writes.append(("DELETE FROM notifications WHERE n <= (SELECT max(n) FROM notifications) - ?", [MOST]))
        self._unread[one.notification_id] = one.call_id
        while len(self._unread) > MOST:
            self._unread.pop(next(iter(self._unread)))
        added = wire.NotificationAddedEvent(**values, unread=self.unread)
        # Without turn_id, because a turn's last event is its `done`.
        self._journal.put("notification_added", added, agent_id=one.agent_id, session_id=one.session_id, writes=writes)

    def _mark(self, ids: Collection[str], writes: list[Write]) -> None:
        for one in ids:
            self._unread.pop(one, None)
        writes += [("UPDATE notifications SET read=1 WHERE notification_id=?", [one]) for one in ids]
        if ids:
            read = wire.NotificationsReadEvent(ids=sorted(ids), unread=self.unread)
            self._journal.put("notifications_read", read, writes=writes)
        else:
            self._journal.put(writes=writes, durable=False)

    async def read(self, ids: Collection[str] | None) -> wire.NotificationsRead:
        """Mark these notifications as read, or all (None). Ids that are unknown or already read are ignored."""
        known = set(self._unread) if ids is None else set(ids) & self._unread.keys()
        if known:
            self._mark(known, [])
            await self._journal.commit()
        return wire.NotificationsRead(ids=sorted(known), unread=self.unread)

    def forget(self, session_id: str) -> None:
        """Drop the notifications of a session that was deleted or moved to the trash."""
        rows = self._journal.all(f"SELECT notification_id FROM notifications WHERE read=0 AND {SHOWN}")
        left = {row[0] for row in rows}
        gone = {one for one in self._unread if one not in left}
        if gone:
            self._mark(gone, [])

    def list(self, limit: int, unread: bool = False) -> wire.Notifications:
        """At most `limit` notifications, newest first; with `unread` only unread ones."""
        where = f"WHERE {SHOWN} AND read=0" if unread else f"WHERE {SHOWN}"
        rows = self._journal.all(f"SELECT {COLUMNS} FROM notifications {where} ORDER BY n DESC LIMIT ?", [limit])
        names = COLUMNS.split(", ")
        found = [wire.Notification.model_validate(dict(zip(names, row, strict=True))) for row in rows]
        return wire.Notifications(notifications=found, unread=self.unread)
