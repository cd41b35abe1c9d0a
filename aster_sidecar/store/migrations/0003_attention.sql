-- Notifications, recorded also while no window is open. n is the order.

CREATE TABLE notifications (
    n               INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id TEXT NOT NULL UNIQUE,
    kind            TEXT NOT NULL,
    title           TEXT NOT NULL,
    body            TEXT NOT NULL,
    agent_id        TEXT,
    session_id      TEXT REFERENCES sessions ON DELETE CASCADE,
    turn_id         TEXT,
    call_id         TEXT,
    created_at      TEXT NOT NULL,
    read            INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notifications_by_session ON notifications (session_id);
