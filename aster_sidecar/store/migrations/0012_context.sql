-- How much of the model's context window a conversation filled after its last request, in tokens. NULL: not known.
ALTER TABLE sessions ADD COLUMN context_tokens INTEGER;
ALTER TABLE sessions ADD COLUMN window_tokens INTEGER;
