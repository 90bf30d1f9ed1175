ALTER TABLE notes DROP COLUMN search;

ALTER TABLE notes ADD COLUMN search TSVECTOR GENERATED ALWAYS AS (search_vector('A', title, 'en') || search_vector('B', body, 'en')) STORED NOT NULL;

CREATE INDEX ix_notes_search ON notes USING gin (search);

CREATE TRIGGER search_learn AFTER INSERT OR UPDATE OF search ON notes FOR EACH ROW EXECUTE FUNCTION search_learn();

INSERT INTO search_words (word, trigrams)
SELECT lexeme, search_trigrams(lexeme)
FROM (SELECT DISTINCT unnest(tsvector_to_array(search)) AS lexeme FROM notes) AS learnt
WHERE lexeme ~ '^[[:alpha:]]{3,32}$';
