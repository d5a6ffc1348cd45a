-- Storage parameters of hnsw indexes and the settings hnsw.*

CREATE TABLE t (id int, v vector(3));
INSERT INTO t SELECT i, ARRAY[i, i % 7, i % 11]::vector FROM generate_series(1, 500) i;

-- limits
CREATE INDEX ON t USING hnsw (v) WITH (m = 1);
CREATE INDEX ON t USING hnsw (v) WITH (m = 101);
CREATE INDEX ON t USING hnsw (v) WITH (ef_construction = 3);
CREATE INDEX ON t USING hnsw (v) WITH (ef_construction = 1001);
CREATE INDEX ON t USING hnsw (v) WITH (ef_search = 0);
CREATE INDEX ON t USING hnsw (v) WITH (ef_search = 1001);
CREATE INDEX ON t USING hnsw (v) WITH (m = 16, ef_construction = 31);
CREATE INDEX ON t USING hnsw (v) WITH (m = 33);
CREATE INDEX ON t USING hnsw (v) WITH (lists = 10);
CREATE INDEX ON t USING hnsw (v) WITH (m = 'many');
SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass;

CREATE INDEX t_lowest ON t USING hnsw (v) WITH (m = 2, ef_construction = 4, ef_search = 1);
CREATE INDEX t_highest ON t USING hnsw (v) WITH (m = 100, ef_construction = 1000, ef_search = 1000);
CREATE INDEX t_equal ON t USING hnsw (v) WITH (m = 16, ef_construction = 32);
DROP INDEX t_lowest, t_highest, t_equal;

-- changed later: the pair is checked again
CREATE INDEX t_idx ON t USING hnsw (v) WITH (m = 4, ef_construction = 20, ef_search = 7);
SELECT reloptions FROM pg_class WHERE relname = 't_idx';
ALTER INDEX t_idx SET (m = 11);
ALTER INDEX t_idx RESET (m);
ALTER INDEX t_idx SET (ef_search = 0);
ALTER INDEX t_idx SET (ef_search = 9);
SELECT reloptions FROM pg_class WHERE relname = 't_idx';

-- ef_search of an index counts when nothing is set, and at once.  With
-- iterative_scan off a scan returns what it has found, ef_search rows.
SET enable_seqscan = off;
SET hnsw.iterative_scan = off;
CREATE FUNCTION found() RETURNS bigint LANGUAGE sql AS
	$$ SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[7,3,2]' LIMIT 400) s $$;
SELECT found();
SET plan_cache_mode = force_generic_plan;
PREPARE cached AS SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[7,3,2]' LIMIT 400) s;
EXECUTE cached;
ALTER INDEX t_idx SET (ef_search = 30);
SELECT found();
EXECUTE cached;
RESET plan_cache_mode;
DEALLOCATE cached;
-- what is set comes first, be it the default
SET hnsw.ef_search = 12;
SELECT found();
SET hnsw.ef_search = 40;
SELECT found();
SET hnsw.ef_search = 1000;
SELECT found();
-- wherever it is set
RESET hnsw.ef_search;
SELECT found();
BEGIN;
SET LOCAL hnsw.ef_search = 5;
SELECT found();
ROLLBACK;
SELECT found();
ALTER FUNCTION found() SET hnsw.ef_search = 6;
SELECT found();
ALTER FUNCTION found() RESET hnsw.ef_search;
-- without either
ALTER INDEX t_idx RESET (ef_search);
SELECT found();

-- all rows are there to be had in the other modes
SET hnsw.iterative_scan = relaxed_order;
SELECT found();
SET hnsw.iterative_scan = strict_order;
SELECT found() BETWEEN 41 AND 400;
RESET hnsw.iterative_scan;
SELECT found();
-- until max_scan_tuples have been visited, the first batch apart
SET hnsw.max_scan_tuples = 1;
SELECT found() BETWEEN 40 AND 120;
SET hnsw.max_scan_tuples = 150;
SELECT found() BETWEEN 80 AND 280;
RESET hnsw.max_scan_tuples;

-- another m is for the next build: data written before stays readable
ALTER INDEX t_idx SET (m = 8);
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[7,3,2]') s;
INSERT INTO t VALUES (501, '[7,3,2.1]');
SELECT id FROM t ORDER BY v <-> '[7,3,2]' LIMIT 1;
REINDEX INDEX t_idx;
SELECT id FROM t ORDER BY v <-> '[7,3,2]' LIMIT 1;

-- the settings
SELECT name, setting, vartype, min_val, max_val, boot_val, enumvals, context
	FROM pg_settings WHERE name LIKE 'hnsw.%' ORDER BY name;
SET hnsw.ef_search = 0;
SET hnsw.ef_search = 1001;
SET hnsw.iterative_scan = on;
SET hnsw.max_scan_tuples = -1;
SET hnsw.max_scan_tuples = 0;
SET hnsw.scan_mem_multiplier = 0;
SET hnsw.scan_mem_multiplier = 1001;
SET hnsw.scan_mem_multiplier = 1.5;
SET hnsw.ef_serach = 100;
RESET ALL;

-- set before the library is there
\c
SET hnsw.ef_search = 3;
SET hnsw.iterative_scan = off;
SET enable_seqscan = off;
SELECT found();
-- a wrong value is found out when the library comes, and replaced
\c
SET hnsw.ef_search = 5000;
LOAD 'vecdb';
SHOW hnsw.ef_search;
\c

DROP FUNCTION found;
DROP TABLE t;
