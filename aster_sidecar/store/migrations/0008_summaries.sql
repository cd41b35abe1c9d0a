-- An approval's summary in a sentence, and the lines that would change. Approvals pending before have neither.
ALTER TABLE approvals ADD COLUMN summary TEXT;
ALTER TABLE approvals ADD COLUMN preview TEXT;    -- JSON
