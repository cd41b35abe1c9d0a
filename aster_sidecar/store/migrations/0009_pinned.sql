-- Pinned conversations. The index has the order of the list (conversation/sessions.py).
ALTER TABLE sessions ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_by_place ON sessions (pinned * 1000000000000000 + used_n);
