-- Rules with conditions on arguments, and where a rule comes from.
ALTER TABLE rules ADD COLUMN conditions TEXT;  -- JSON; NULL: none
ALTER TABLE rules ADD COLUMN made_by TEXT;     -- the client through which a person made it; NULL: not known
ALTER TABLE rules ADD COLUMN made_for TEXT;    -- the call for which it was the answer; NULL: it was not an answer
-- What a person may choose for an approval to cover.
ALTER TABLE approvals ADD COLUMN scopes TEXT;  -- JSON; NULL: nothing
