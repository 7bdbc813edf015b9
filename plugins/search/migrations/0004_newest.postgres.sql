-- Of what many files have, the newest are wanted, and an index of words knows
-- no order: it names all of them, and the table is read for each. So blocks of
-- 2,048 files with neighbouring numbers have a name, which no word is like, and
-- which the index has among their words: in the newest blocks few are looked at.
CREATE FUNCTION block(number BIGINT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT array_to_tsvector(ARRAY['~' || CAST(number >> 11 AS text)]) $$;

DROP FUNCTION matching;

DROP FUNCTION matching_names;

DROP INDEX words_words;

DROP INDEX words_names;

CREATE INDEX words_words ON words USING gin ((words || search.block(number))) WITH (fastupdate = off);

CREATE INDEX words_names ON words USING gin ((names || search.block(number))) WITH (fastupdate = off);

-- The four newest blocks.
CREATE FUNCTION newest_blocks() RETURNS TSQUERY LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_indexscan = on
AS $$
    SELECT CAST(string_agg('''~' || CAST(block AS text) || '''', '|') AS tsquery)
    FROM (SELECT max(number) >> 11 AS last FROM search.words) AS words, generate_series(last - 3, last) AS blocks (block)
$$;

-- The files of a query, those that came last first, `most` of them: of the
-- newest blocks where there are so many, otherwise of all. A plan that reads
-- the words of each file instead looks cheap where many have them, and is not;
-- that few rows are promised keeps whoever asks from reading whole tables.
CREATE FUNCTION matching(query TSQUERY, most BIGINT) RETURNS SETOF BIGINT LANGUAGE plpgsql STABLE ROWS 500
SET enable_seqscan = off SET enable_indexscan = off SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    numbers BIGINT[];
BEGIN
    numbers := ARRAY(
        SELECT number FROM search.words WHERE words || search.block(number) @@ (query && search.newest_blocks())
        ORDER BY number DESC LIMIT most);
    IF cardinality(numbers) < most THEN
        numbers := ARRAY(
            SELECT number FROM search.words WHERE words || search.block(number) @@ query
            ORDER BY number DESC LIMIT most);
    END IF;
    RETURN QUERY SELECT unnest(numbers);
END
$$;

-- The same of the words of names and tags.
CREATE FUNCTION matching_names(query TSQUERY, most BIGINT) RETURNS SETOF BIGINT LANGUAGE plpgsql STABLE ROWS 200
SET enable_seqscan = off SET enable_indexscan = off SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    numbers BIGINT[];
BEGIN
    numbers := ARRAY(
        SELECT number FROM search.words WHERE names || search.block(number) @@ (query && search.newest_blocks())
        ORDER BY number DESC LIMIT most);
    IF cardinality(numbers) < most THEN
        numbers := ARRAY(
            SELECT number FROM search.words WHERE names || search.block(number) @@ query
            ORDER BY number DESC LIMIT most);
    END IF;
    RETURN QUERY SELECT unnest(numbers);
END
$$;

-- All files of a query, for those who may see few of them.
CREATE FUNCTION matching_all(query TSQUERY) RETURNS SETOF BIGINT LANGUAGE sql STABLE ROWS 20000
SET enable_seqscan = off SET enable_indexscan = off SET max_parallel_workers_per_gather = 0
AS $$ SELECT number FROM search.words WHERE words || search.block(number) @@ query $$;

CREATE FUNCTION matching_all_names(query TSQUERY) RETURNS SETOF BIGINT LANGUAGE sql STABLE ROWS 20000
SET enable_seqscan = off SET enable_indexscan = off SET max_parallel_workers_per_gather = 0
AS $$ SELECT number FROM search.words WHERE names || search.block(number) @@ query $$;

ANALYZE words;
