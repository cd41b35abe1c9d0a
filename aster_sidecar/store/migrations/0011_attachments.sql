-- Files that people attach to messages. The bytes are in files named by their SHA-256 (conversation/attachments.py).
CREATE TABLE attachments (
    attachment_id TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    width INTEGER,
    height INTEGER,
    -- Pages of a PDF, as far as they can be counted.
    pages INTEGER,
    -- What models get instead of a large or unusual image: another content. NULL: the file itself.
    scaled_sha256 TEXT,
    scaled_type TEXT,
    scaled_size INTEGER,
    created_at TEXT NOT NULL,
    -- When it is deleted unless a message refers to it; by the wall clock, and by `clock.real_s` in the run `boot`.
    expires_at TEXT NOT NULL,
    due_s REAL,
    boot TEXT,
    -- 1: a message has referred to it, so that it is deleted as soon as none does any more.
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX attachments_by_content ON attachments (sha256);

-- Which messages refer to an attachment. It is deleted with the last of them.
CREATE TABLE attachment_uses (
    message_id TEXT NOT NULL REFERENCES messages (message_id) ON DELETE CASCADE,
    attachment_id TEXT NOT NULL REFERENCES attachments ON DELETE CASCADE,
    position INTEGER NOT NULL,
    -- The tool call whose result it is; NULL: a person attached it.
    call_id TEXT,
    PRIMARY KEY (message_id, attachment_id)
) STRICT;
CREATE INDEX attachment_uses_by_attachment ON attachment_uses (attachment_id);
