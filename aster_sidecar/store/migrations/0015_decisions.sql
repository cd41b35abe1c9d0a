-- The record of decisions about tool calls. It has no foreign key: its rows outlive the session, the calls and the
-- events. n is the order.
CREATE TABLE decisions (
    n                INTEGER PRIMARY KEY AUTOINCREMENT,
    decision_id      TEXT NOT NULL UNIQUE,
    decided_at       TEXT NOT NULL,
    agent_id         TEXT NOT NULL,
    session_id       TEXT NOT NULL,
    turn_id          TEXT NOT NULL,
    call_id          TEXT NOT NULL,
    tool             TEXT NOT NULL,
    summary          TEXT,                -- what the call would do, in a sentence; NULL: its conversation was deleted
    arguments_sha256 TEXT NOT NULL,       -- of the arguments as canonical JSON, in hexadecimal
    risk             TEXT NOT NULL,
    decision         TEXT NOT NULL,       -- allow | deny
    decided_by       TEXT NOT NULL,       -- rule:<id> | mode:<mode> | forbidden | person | expired | …
    words            TEXT,                -- the reason; NULL: none was given, or its conversation was deleted
    client           TEXT,                -- the client through which a person answered
    sandbox          TEXT NOT NULL,       -- none
    outcome          TEXT,                -- of the call; NULL: it has not ended
    recorded_s       REAL NOT NULL        -- seconds that count for how long it is kept: see policy/decisions.py
) STRICT;
CREATE INDEX decisions_by_session ON decisions (session_id, n);
CREATE INDEX decisions_by_call ON decisions (call_id);
