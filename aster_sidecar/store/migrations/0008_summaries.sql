-- What a question says in a sentence, and the lines that would change. Questions that waited before have neither.
ALTER TABLE approvals ADD COLUMN summary TEXT;
ALTER TABLE approvals ADD COLUMN preview TEXT;    -- JSON
