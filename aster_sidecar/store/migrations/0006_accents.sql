-- Search that finds a word with and without its accents (folding.py): the texts are folded anew.

DELETE FROM folded_texts;
INSERT INTO folded_texts (n, text)
    SELECT n, fold(text) FROM messages WHERE text GLOB '*[^' || char(1) || '-' || char(127) || ']*';
