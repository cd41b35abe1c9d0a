-- Conversations that a person keeps at the head of the list. The index is the order of the list (sessions.py).
ALTER TABLE sessions ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_by_place ON sessions (pinned * 1000000000000000 + used_n);
