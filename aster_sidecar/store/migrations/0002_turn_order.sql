-- Which turn comes next, and which one ended last: the order in which they were sent does not determine either.

ALTER TABLE turns ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0; -- 1: it interrupted, and comes before those queued
ALTER TABLE turns ADD COLUMN ended_n INTEGER;                   -- 1, 2, 3 … in the order in which turns ended
UPDATE turns SET ended_n=n WHERE state='ended';
CREATE INDEX turns_by_end ON turns (session_id, ended_n) WHERE state='ended';
CREATE INDEX turns_ended ON turns (ended_n);
