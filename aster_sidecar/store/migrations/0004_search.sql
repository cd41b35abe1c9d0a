-- Texts as search compares them (folding.py). A text of ASCII only has no row: LIKE folds those itself.

CREATE TABLE folded_texts (
    n    INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;
INSERT INTO folded_texts (n, text)
    SELECT n, fold(text) FROM messages WHERE text GLOB '*[^' || char(1) || '-' || char(127) || ']*';
