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
from aster_sidecar.store.events import Event
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import events as event_rows
from aster_sidecar.store.rows import notifications as rows
from aster_sidecar.store.rows import sessions as session_rows
from aster_sidecar.store.rows.meta import remember
from aster_sidecar.store.sql import Write
from aster_sidecar.text.repair import cut

MOST = 200
"""The most notifications that are kept; the oldest are deleted."""
TITLE_CHARS, WHAT_CHARS = 60, 200
"""The most characters of a conversation's title and of an error in a notification."""
UPTO = "attention_upto"
"""The key under which the store keeps the `seq` of the last event that was handled."""
SEEN = (
    "approval_required",
    "approval_resolved",
    "question_asked",
    "question_answered",
    "done",
    "error",
    "history_rewound",
    "service_changed",
)
"""The types of events that can change notifications."""
ENDED = {
    "complete": "",
    "denied": "A tool call was denied.",
    "limit": "It reached a limit.",
}
"""Stop reasons that make a notification, and its text. A cancelled turn makes none, a failed one makes an `error`."""


class Notifications:
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
        self._unread = {row.notification_id: row.call_id for row in self._journal.rows(rows.select_unread())}

    def _catch_up(self) -> None:
        """Handle the recorded events that were not handled yet. Raises: StoreError."""
        self._behind = False
        upto = self._journal.recall(UPTO)
        if upto is None:
            self._journal.put(writes=[remember(UPTO, str(self._journal.last_seq))])
        else:
            self.see(self._journal.rows(event_rows.select_types(SEEN, int(upto))))

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
            elif event.type in ("approval_resolved", "question_answered"):
                self._mark({id for id, call_id in self._unread.items() if call_id == data["call_id"]}, [done])
            elif event.type == "history_rewound":
                self._mark(set(self._journal.rows(rows.select_unread_of_rewound())) & self._unread.keys(), [done])
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
            case "question_asked":
                kind, title, what = "question_asked", f"{agent} asks you something", data.get("server", "")
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
        row = self._journal.first(session_rows.select_title(session_id)) if session_id else None
        return cut(row.title, TITLE_CHARS) if row is not None else ""

    def _add(self, one: wire.Notification, writes: list[Write]) -> None:
        values = one.model_dump()
        writes.append(rows.insert_notification(rows.NotificationRow(**values)))
        writes.append(rows.delete_older(MOST))
        self._unread[one.notification_id] = one.call_id
        while len(self._unread) > MOST:
            self._unread.pop(next(iter(self._unread)))
        added = wire.NotificationAddedEvent(**values, unread=self.unread)
        # Without turn_id, because a turn's last event is its `done`.
        self._journal.put("notification_added", added, agent_id=one.agent_id, session_id=one.session_id, writes=writes)

    def _mark(self, ids: Collection[str], writes: list[Write]) -> None:
        for one in ids:
            self._unread.pop(one, None)
        writes += [rows.update_read(one) for one in ids]
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
        left = {row.notification_id for row in self._journal.rows(rows.select_unread())}
        gone = {one for one in self._unread if one not in left}
        if gone:
            self._mark(gone, [])

    def list(self, limit: int, unread: bool = False) -> wire.Notifications:
        """At most `limit` notifications, newest first; with `unread` only unread ones."""
        found = [
            wire.Notification.model_validate(row._asdict())
            for row in self._journal.rows(rows.select_newest(limit, unread=unread))
        ]
        return wire.Notifications(notifications=found, unread=self.unread)
