-- Changes to files by tools, during commands and by reverts. n is the order. The contents are in ledger.db, by their
-- SHA-256 (kept_files.py). A row of a tool is inserted before the change, and completed after it. A row of a revert is
-- inserted with the state that it is to write; what was there is the state before.
CREATE TABLE changes (
    n             INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id    TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn_id       TEXT NOT NULL,         -- of a revert: the turn whose change it undoes
    call_id       TEXT,
    revert_id     TEXT,                  -- the revert that made the change
    source        TEXT NOT NULL,         -- tool | command | revert
    path          TEXT NOT NULL,         -- absolute
    moved_from    TEXT,
    before_type   TEXT,                  -- file | link | directory; NULL: there was nothing
    before_size   INTEGER,
    before_mode   INTEGER,
    before_sha256 TEXT,                  -- of the content, or of the text of a link; NULL: not known
    after_type    TEXT,
    after_size    INTEGER,
    after_mode    INTEGER,
    after_sha256  TEXT,
    kept          INTEGER NOT NULL,      -- 1: the content before was kept
    why_not_kept  TEXT,
    state         TEXT NOT NULL,         -- begun | done
    recorded_at   TEXT NOT NULL
) STRICT;
CREATE INDEX changes_by_session ON changes (session_id, n);
CREATE INDEX changes_by_turn ON changes (turn_id, n);
CREATE INDEX changes_by_call ON changes (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX changes_by_revert ON changes (revert_id) WHERE revert_id IS NOT NULL;
CREATE INDEX changes_by_path ON changes (path, n);
CREATE INDEX changes_begun ON changes (n) WHERE state='begun';

-- What could not be recorded about a turn's changes, or undone: sentences for people.
CREATE TABLE change_notes (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn_id    TEXT NOT NULL,
    note       TEXT NOT NULL
) STRICT;
CREATE INDEX change_notes_by_session ON change_notes (session_id, n);
CREATE INDEX change_notes_by_turn ON change_notes (turn_id);
