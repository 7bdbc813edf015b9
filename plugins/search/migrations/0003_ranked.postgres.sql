-- Which files have a word is asked of the index alone: words lie beside the
-- table, which stays small, and are read of those that are ranked.
ALTER TABLE words ALTER COLUMN words SET STORAGE EXTERNAL;

ALTER TABLE words SET (toast_tuple_target = 128);

-- The words of names and tags, which count for more than those of texts.
ALTER TABLE words ADD COLUMN names TSVECTOR GENERATED ALWAYS AS (ts_filter(words, '{a,b}')) STORED;

CREATE INDEX words_names ON words USING gin (names) WITH (fastupdate = off);

-- The files of a query, those that came last first; `most` of none is all.
-- A plan that reads the words of each file instead looks cheap where many
-- have them, and is not.
CREATE FUNCTION matching(query TSQUERY, most BIGINT) RETURNS SETOF BIGINT LANGUAGE sql STABLE ROWS 20000
SET enable_seqscan = off SET enable_indexscan = off
AS 'SELECT number FROM search.words WHERE words @@ query ORDER BY number DESC LIMIT most';

CREATE FUNCTION matching_names(query TSQUERY, most BIGINT) RETURNS SETOF BIGINT LANGUAGE sql STABLE ROWS 20000
SET enable_seqscan = off SET enable_indexscan = off
AS 'SELECT number FROM search.words WHERE names @@ query ORDER BY number DESC LIMIT most';
