-- As 0007_search.sql, for a schema that is built anew: its functions are those of the schema ext
-- (insula/tenancy/shared_functions.sql). PostgreSQL finds a function by its name and then looks
-- which schema it is in: with one in each of 10,000 schemas, every lookup reads 10,000 lines.
-- Every word that this tenant's searchable rows have had, for the mending of typing errors. Not
-- unique: a unique index would have writers wait for one another's new words.
CREATE TABLE search_words (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    word TEXT NOT NULL,
    trigrams TEXT[] NOT NULL,
    CONSTRAINT pk_search_words PRIMARY KEY (id)
);

CREATE INDEX ix_search_words_trigrams ON search_words USING gin (trigrams);

CREATE INDEX ix_search_words_word ON search_words (word);

DO $body$
BEGIN
    IF to_regprocedure('ext.search_similar(text, integer, integer, integer)') IS NULL THEN
        RAISE EXCEPTION 'this database is older than the functions of the schema ext'
            USING HINT = 'Run insula db migrate; of a cell, insula cells add, with the same name.';
    END IF;
    IF to_regprocedure('ext.similarity(text, text)') IS NOT NULL THEN
        CREATE INDEX ix_search_words_similar ON search_words USING gin (word ext.gin_trgm_ops);
    END IF;
END
$body$;
