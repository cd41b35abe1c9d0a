-- Changes to files by tools, during commands and by reverts. n is the order. The contents are in files named by their
-- SHA-256 (ledger/). A row is written before the change and completed after it.
CREATE TABLE changes (
    n             INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id    TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn_id       TEXT NOT NULL,
    call_id       TEXT,
    revert_id     TEXT,                  -- the revert that made the change
    reverts       INTEGER,               -- with revert_id: the change (n) that it undid
    source        TEXT NOT NULL,         -- tool | command | revert
    path          TEXT NOT NULL,         -- absolute
    moved_from    TEXT,
    before_type   TEXT,                  -- file | link | directory; NULL: there was nothing
    before_size   INTEGER,
    before_mode   INTEGER,
    before_sha256 TEXT,                  -- of the content, or of the text of a link
    after_type    TEXT,
    after_size    INTEGER,
    after_mode    INTEGER,
    after_sha256  TEXT,
    kept          INTEGER NOT NULL,      -- 1: the content before can be restored
    why_not_kept  TEXT,
    state         TEXT NOT NULL,         -- begun | done
    recorded_at   TEXT NOT NULL
) STRICT;
CREATE INDEX changes_by_session ON changes (session_id, n);
CREATE INDEX changes_by_turn ON changes (turn_id);
CREATE INDEX changes_by_path ON changes (path, n);
CREATE INDEX changes_begun ON changes (n) WHERE state='begun';
