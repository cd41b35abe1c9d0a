-- The order of use and the deadlines no longer depend on the wall clock, which can be set.

ALTER TABLE sessions ADD COLUMN used_n INTEGER NOT NULL DEFAULT 0; -- 1, 2, 3 … in the order of their last use
WITH
    answered AS (SELECT session_id, max(first_seq) AS seq FROM messages GROUP BY session_id),
    told AS (SELECT session_id, min(seq) AS seq FROM events GROUP BY session_id),
    ordered AS (
        SELECT s.session_id, row_number() OVER (
            ORDER BY max(coalesce(a.seq, 0), coalesce(t.seq, 0)), s.updated_at, s.session_id
        ) AS n
        FROM sessions s LEFT JOIN answered a USING (session_id) LEFT JOIN told t USING (session_id)
    )
UPDATE sessions SET used_n=(SELECT n FROM ordered o WHERE o.session_id=sessions.session_id);
DROP INDEX sessions_by_activity;
CREATE INDEX sessions_by_use ON sessions (used_n);

-- Deadlines on the monotonic clock (clock.real_s) of the boot with this id.
ALTER TABLE approvals ADD COLUMN boot TEXT;
ALTER TABLE approvals ADD COLUMN due_s REAL;
ALTER TABLE rules ADD COLUMN boot TEXT;
ALTER TABLE rules ADD COLUMN due_s REAL;
