-- Search ignores accents (text/folding.py): all texts are folded again.

DELETE FROM folded_texts;
INSERT INTO folded_texts (n, text)
    SELECT n, fold(text) FROM messages WHERE text GLOB '*[^' || char(1) || '-' || char(127) || ']*';
