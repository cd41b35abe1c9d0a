-- Deleted conversations that can be restored (conversation/trash.py). n is the order in which they were deleted.

CREATE TABLE trash (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id  TEXT NOT NULL UNIQUE REFERENCES sessions ON DELETE CASCADE,
    deleted_at  TEXT NOT NULL,
    was_default INTEGER NOT NULL,
    left_s      REAL NOT NULL,        -- seconds until it is deleted for good, as of the three below
    counted_at  TEXT NOT NULL,        -- on the wall clock
    counted_s   REAL NOT NULL,        -- on the clock that only runs (clock.real_s), in the machine's run that has this id
    boot        TEXT
) STRICT;
