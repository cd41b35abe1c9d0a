-- Rewinds take the turns from a message on out of a conversation; n is the order. `undoable` until the next message.
CREATE TABLE rewinds (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    rewind_id  TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    message_id TEXT NOT NULL,
    messages   INTEGER NOT NULL,      -- how many it took out
    title      TEXT NOT NULL,         -- the session's title before
    revert_id  TEXT,                  -- the revert that undid the changes to files
    rewound_at TEXT NOT NULL,
    undoable   INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX rewinds_undoable ON rewinds (session_id, n) WHERE undoable;

-- The rewind that took a turn out (rewind_id); its messages and all that belongs to it are hidden with it.
ALTER TABLE turns ADD COLUMN rewound TEXT;
CREATE INDEX turns_rewound ON turns (turn_id) WHERE rewound IS NOT NULL;

-- The turn with the compaction that replaced a message. The message counts again when that turn is rewound.
ALTER TABLE model_messages ADD COLUMN superseded_by TEXT;

-- Where a fork comes from: a session, and the message that began the last turn. Both may be deleted meanwhile.
ALTER TABLE sessions ADD COLUMN forked_from TEXT;
ALTER TABLE sessions ADD COLUMN forked_at TEXT;
