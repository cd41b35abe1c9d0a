-- Hosts: programs that lend tools to agents, as they last registered.
CREATE TABLE hosts (
    name          TEXT PRIMARY KEY,
    host_id       TEXT NOT NULL UNIQUE,
    instance      TEXT NOT NULL,  -- the process or window that registered
    tools         TEXT NOT NULL,  -- JSON
    registered_at TEXT NOT NULL
) WITHOUT ROWID, STRICT;

-- Calls of their tools.
CREATE TABLE host_calls (
    call_id    TEXT PRIMARY KEY REFERENCES calls ON DELETE CASCADE,
    host       TEXT NOT NULL,        -- its name
    tool       TEXT NOT NULL,
    arguments  TEXT NOT NULL,        -- JSON
    agent_id   TEXT NOT NULL,
    session_id TEXT NOT NULL,
    turn_id    TEXT NOT NULL,
    idempotent INTEGER NOT NULL,     -- 1: another instance may run it again
    state      TEXT NOT NULL,        -- waiting | accepted | done | failed | unknown | cancelled
    instance   TEXT,                 -- that accepted it
    begun_at   TEXT NOT NULL,
    expires_at TEXT,
    boot       TEXT,
    due_s      REAL,
    result     TEXT,                 -- JSON; of a failed call, the words
    files      TEXT,                 -- JSON: ids of attachments
    ended_at   TEXT
) STRICT;
CREATE INDEX host_calls_open ON host_calls (call_id) WHERE state IN ('waiting', 'accepted');
