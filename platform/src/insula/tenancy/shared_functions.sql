-- What searching computes with, in the schema ext, for all tenants of a database; run once, by
-- whoever installs. Names of tables are looked up when a function runs, in the schema of the tenant
-- who is bound: so with its rights, and not checked here.
SET LOCAL search_path = ext;

SET LOCAL check_function_bodies = off;

-- Text as it is compared: in lower case, compatibility forms made plain, accents, Hebrew points and
-- Arabic marks taken off. Where the server has unaccent at this moment, it knows some letters more.
-- Never replaced afterwards: indexes are made of what it says.
DO $body$
DECLARE
    plain TEXT := $sql$
        replace(replace(replace(translate(
            lower(regexp_replace(normalize($1, NFKD),
                '[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u0652\u0670]', '', 'g')),
            'łøđħıŧð', 'lodhitd'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')
    $sql$;
BEGIN
    IF to_regprocedure('ext.unaccent(regdictionary, text)') IS NOT NULL THEN
        plain := format('ext.unaccent(''ext.unaccent'', %s)', plain);
    END IF;
    EXECUTE format('CREATE FUNCTION search_fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT '
        'PARALLEL SAFE RETURN %s', plain);
END
$body$;

-- The stemmer of a language tag (BCP 47); text of a language without one is compared word by word.
CREATE FUNCTION search_language(text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE split_part(lower($1), '-', 1)
    WHEN 'ar' THEN 'arabic'::regconfig
    WHEN 'ca' THEN 'catalan'::regconfig
    WHEN 'da' THEN 'danish'::regconfig
    WHEN 'de' THEN 'german'::regconfig
    WHEN 'el' THEN 'greek'::regconfig
    WHEN 'en' THEN 'english'::regconfig
    WHEN 'es' THEN 'spanish'::regconfig
    WHEN 'eu' THEN 'basque'::regconfig
    WHEN 'fi' THEN 'finnish'::regconfig
    WHEN 'fr' THEN 'french'::regconfig
    WHEN 'ga' THEN 'irish'::regconfig
    WHEN 'hi' THEN 'hindi'::regconfig
    WHEN 'hu' THEN 'hungarian'::regconfig
    WHEN 'hy' THEN 'armenian'::regconfig
    WHEN 'id' THEN 'indonesian'::regconfig
    WHEN 'it' THEN 'italian'::regconfig
    WHEN 'lt' THEN 'lithuanian'::regconfig
    WHEN 'nb' THEN 'norwegian'::regconfig
    WHEN 'ne' THEN 'nepali'::regconfig
    WHEN 'nl' THEN 'dutch'::regconfig
    WHEN 'nn' THEN 'norwegian'::regconfig
    WHEN 'no' THEN 'norwegian'::regconfig
    WHEN 'pt' THEN 'portuguese'::regconfig
    WHEN 'ro' THEN 'romanian'::regconfig
    WHEN 'ru' THEN 'russian'::regconfig
    WHEN 'sr' THEN 'serbian'::regconfig
    WHEN 'sv' THEN 'swedish'::regconfig
    WHEN 'ta' THEN 'tamil'::regconfig
    WHEN 'tr' THEN 'turkish'::regconfig
    WHEN 'yi' THEN 'yiddish'::regconfig
    ELSE 'simple'::regconfig
END;

-- What is indexed of a text: its words as they are, for prefixes and names, and their stems, with a
-- gap in front of either, so that no phrase reaches over an end. A tsvector holds a megabyte at
-- most: of very long texts the beginning is searched.
CREATE FUNCTION search_vector(weight text, value text, language text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT setweight(
        ts_delete(
            $gap$' ':20$gap$::tsvector || to_tsvector('simple'::regconfig, folded.value)
            || CASE search_language($3)
                WHEN 'simple'::regconfig THEN ''::tsvector
                ELSE $gap$' ':20$gap$::tsvector || to_tsvector(search_language($3), folded.value)
            END,
            ' '
        ),
        $1::"char"
    )
    FROM (SELECT left(search_fold(left(coalesce($2, ''), 60000)), 60000) AS value OFFSET 0) AS folded;
END;

CREATE FUNCTION search_trigrams(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT DISTINCT substr('  ' || $1 || ' ', place, 3) FROM generate_series(1, length($1) + 1) AS place
);

CREATE FUNCTION search_learn() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO search_words (word, trigrams)
    SELECT lexeme, search_trigrams(lexeme)
    FROM unnest(tsvector_to_array(NEW.search)) AS lexeme
    WHERE lexeme ~ '^[[:alpha:]]{3,32}$'
        AND NOT EXISTS (SELECT FROM search_words WHERE word = lexeme);
    RETURN NULL;
END
$body$;

-- Known words that look like another, those with the most trigrams in common first. By pg_trgm and
-- its index where the server has it.
DO $body$
BEGIN
    IF to_regprocedure('ext.similarity(text, text)') IS NOT NULL THEN
        CREATE FUNCTION search_similar(wanted text, shortest integer, longest integer, most integer)
        RETURNS SETOF text LANGUAGE sql STABLE SET pg_trgm.similarity_threshold = 0.15 AS $sql$
            SELECT word FROM search_words
            WHERE word OPERATOR(ext.%) wanted AND length(word) BETWEEN shortest AND longest
            GROUP BY word ORDER BY ext.similarity(word, wanted) DESC, word LIMIT most
        $sql$;
    ELSE
        CREATE FUNCTION search_similar(wanted text, shortest integer, longest integer, most integer)
        RETURNS SETOF text LANGUAGE sql STABLE AS $sql$
            SELECT word FROM (
                SELECT DISTINCT word, trigrams FROM search_words
                WHERE trigrams && search_trigrams(wanted)
                    AND length(word) BETWEEN shortest AND longest
            ) AS known
            ORDER BY (
                SELECT count(*) FROM unnest(trigrams) AS trigram
                WHERE trigram = ANY (search_trigrams(wanted))
            )::float / (cardinality(trigrams) + length(wanted)) DESC, word
            LIMIT most
        $sql$;
    END IF;
END
$body$;
