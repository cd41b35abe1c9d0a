-- What a session, or one turn, works with instead of what its agent and the configuration say. NULL: as these say.
ALTER TABLE sessions ADD COLUMN work_dir TEXT;
ALTER TABLE sessions ADD COLUMN model TEXT;
ALTER TABLE sessions ADD COLUMN effort TEXT;
ALTER TABLE sessions ADD COLUMN permission_mode TEXT;
ALTER TABLE turns ADD COLUMN model TEXT;
ALTER TABLE turns ADD COLUMN effort TEXT;
