-- The event log, and tables for what is read often. Every row is written in the transaction of the event that
-- caused it.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
    type       TEXT NOT NULL,
    agent_id   TEXT,
    session_id TEXT,
    turn_id    TEXT,
    time       TEXT NOT NULL,
    data       TEXT NOT NULL          -- JSON
) STRICT;
CREATE INDEX events_by_session ON events (session_id, seq);

CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    agent_id   TEXT NOT NULL,
    title      TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    archived   INTEGER NOT NULL DEFAULT 0,
    is_default INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX one_default_session ON sessions (agent_id) WHERE is_default;
CREATE INDEX sessions_by_activity ON sessions (updated_at);

-- What people see. n is the order.
CREATE TABLE messages (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn_id    TEXT NOT NULL,
    role       TEXT NOT NULL,
    text       TEXT NOT NULL,
    parts      TEXT NOT NULL,         -- JSON
    context    TEXT,                  -- JSON
    usage      TEXT,                  -- JSON
    created_at TEXT NOT NULL,
    status     TEXT NOT NULL,
    first_seq  INTEGER NOT NULL       -- its events are at or after this one
) STRICT;
CREATE INDEX messages_by_session ON messages (session_id, n);
CREATE INDEX messages_by_turn ON messages (turn_id);

CREATE TABLE turns (
    n                 INTEGER PRIMARY KEY AUTOINCREMENT,
    turn_id           TEXT NOT NULL UNIQUE,
    session_id        TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    agent_id          TEXT NOT NULL,
    state             TEXT NOT NULL,  -- queued | running | waiting | ended
    stop_reason       TEXT,
    user_message_id   TEXT NOT NULL,
    message_id        TEXT NOT NULL,  -- the answer's
    created_at        TEXT NOT NULL,
    usage             TEXT NOT NULL,  -- JSON
    ran_s             REAL NOT NULL DEFAULT 0,
    kept_chars        INTEGER NOT NULL DEFAULT -1, -- of the answer's text, in model_messages already; -1: nor is the prompt
    error             TEXT            -- JSON
) STRICT;
CREATE INDEX turns_open ON turns (session_id, n) WHERE state <> 'ended';
CREATE INDEX turns_by_session ON turns (session_id, n);

-- Idempotency keys: a repeated send gets the stored answer.
CREATE TABLE sends (
    agent_id          TEXT NOT NULL,
    client_message_id TEXT NOT NULL,
    session_id        TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    body_hash         TEXT NOT NULL,
    answer            TEXT NOT NULL,  -- JSON
    PRIMARY KEY (agent_id, client_message_id)
) WITHOUT ROWID, STRICT;

-- What the model sees: pydantic-ai messages. A compaction replaces rows here; messages keeps them all.
CREATE TABLE model_messages (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn_id    TEXT NOT NULL,
    message    TEXT NOT NULL          -- JSON
) STRICT;
CREATE INDEX model_messages_by_session ON model_messages (session_id, n);

-- Tool calls: recorded before they run, with the result added afterwards.
CREATE TABLE calls (
    call_id      TEXT PRIMARY KEY,
    turn_id      TEXT NOT NULL,
    session_id   TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    agent_id     TEXT NOT NULL,
    model_call_id TEXT NOT NULL,      -- the provider's id of it, unique within the turn's last response only
    name         TEXT NOT NULL,
    arguments    TEXT NOT NULL,       -- JSON
    risk         TEXT NOT NULL,
    state        TEXT NOT NULL,       -- waiting | approved | denied | started | ended | closed
    outcome      TEXT,                -- done | failed | denied | cancelled | unknown
    result       TEXT,                -- JSON: what the model is told
    started_at   TEXT,
    ended_at     TEXT
) WITHOUT ROWID, STRICT;
CREATE INDEX calls_by_turn ON calls (turn_id);

CREATE TABLE approvals (
    approval_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id      TEXT NOT NULL REFERENCES calls ON DELETE CASCADE,
    agent_id     TEXT NOT NULL,
    session_id   TEXT NOT NULL,
    turn_id      TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    state        TEXT NOT NULL,       -- pending | resolved | expired | cancelled
    name         TEXT NOT NULL,
    arguments    TEXT NOT NULL,       -- JSON, as the model asked
    risk         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    display      TEXT NOT NULL,
    target       TEXT NOT NULL,       -- what a rule would name
    binding      TEXT NOT NULL,       -- JSON
    remember     TEXT,                -- JSON
    requested_at TEXT NOT NULL,
    expires_at   TEXT,
    decision     TEXT,
    note         TEXT,
    edited       TEXT,                -- JSON: the arguments that replace the call's own
    resolved_at  TEXT,
    resolved_by  TEXT
) STRICT;
CREATE INDEX approvals_by_call ON approvals (call_id);
CREATE INDEX approvals_pending ON approvals (approval_id) WHERE state = 'pending';

CREATE TABLE rules (
    rule_id    TEXT PRIMARY KEY,
    decision   TEXT NOT NULL,
    tool       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    value      TEXT NOT NULL,
    agent_id   TEXT,
    session_id TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT
) WITHOUT ROWID, STRICT;
