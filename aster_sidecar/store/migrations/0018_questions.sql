-- Questions to a person, open and answered. A call may have several, one after the other; the newest counts.
CREATE TABLE questions (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    question_id TEXT NOT NULL UNIQUE,
    call_id     TEXT NOT NULL REFERENCES calls ON DELETE CASCADE,
    agent_id    TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    turn_id     TEXT NOT NULL,
    message_id  TEXT NOT NULL,
    state       TEXT NOT NULL,     -- pending | answered | declined | expired | cancelled
    live        INTEGER NOT NULL,  -- 1: a running call waits for the answer, and it ends with that call
    request     TEXT,              -- JSON: what the tool needs to go on; NULL: the answers are the result of the call
    name        TEXT NOT NULL,     -- the tool that asks
    reason      TEXT NOT NULL,
    fields      TEXT NOT NULL,     -- JSON: what is asked
    server      TEXT,              -- the MCP server that asks
    url         TEXT,              -- a page that it asks the person to visit
    asked_at    TEXT NOT NULL,
    expires_at  TEXT,
    boot        TEXT,
    due_s       REAL,
    answers     TEXT,              -- JSON
    note        TEXT,
    resolved_at TEXT,
    resolved_by TEXT
) STRICT;
CREATE INDEX questions_by_call ON questions (call_id);
CREATE INDEX questions_pending ON questions (n) WHERE state = 'pending';
