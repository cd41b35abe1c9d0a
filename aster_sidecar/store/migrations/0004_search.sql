-- Message texts folded for search (text/folding.py). Pure ASCII texts have no row: LIKE ignores ASCII case itself.

CREATE TABLE folded_texts (
    n    INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;
INSERT INTO folded_texts (n, text)
    SELECT n, fold(text) FROM messages WHERE text GLOB '*[^' || char(1) || '-' || char(127) || ']*';
