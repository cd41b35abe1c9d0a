-- The definitions of MCP servers' tools that were last accepted: first seen, or shown to a person who allowed a call.
CREATE TABLE tool_definitions (
    server TEXT NOT NULL,
    tool TEXT NOT NULL,          -- the server's own name for it
    source TEXT NOT NULL,        -- a hash of the server's command and address
    definition TEXT NOT NULL,    -- JSON: description and schema
    accepted_at TEXT NOT NULL,
    PRIMARY KEY (server, tool)
) STRICT;
-- The MCP servers that a session does without.
ALTER TABLE sessions ADD COLUMN mcp_off TEXT;  -- a JSON array of names; NULL: none
