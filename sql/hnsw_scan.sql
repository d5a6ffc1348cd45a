-- Index scans of hnsw: completeness, order, settings, odd queries.
SET enable_seqscan = off;
SET jit = off;
CREATE TABLE items (id int PRIMARY KEY, v vector(3));
-- deterministic points on a lattice with some noise, every tenth NULL
INSERT INTO items
	SELECT i, CASE WHEN i % 10 = 0 THEN NULL
		ELSE ARRAY[(i * 7919) % 1009, (i * 104729) % 997, (i * 1299709) % 991]::real[]::vector END
	FROM generate_series(1, 3000::bigint) i;
CREATE INDEX items_l2 ON items USING hnsw (v vector_l2_ops);
ANALYZE items;

-- LIMIT k returns k rows, whatever ef_search is; asking for all returns all
SELECT vecdb_hnsw_stats_reset();
SET hnsw.ef_search = 1;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM items ORDER BY v <-> '[500,500,500]' LIMIT 100) t;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM items ORDER BY v <-> '[500,500,500]' LIMIT 10000) t;
SET hnsw.ef_search = 40;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM items ORDER BY v <-> '[-1,2000,0]') t;
SELECT sweeps FROM vecdb_hnsw_stats();

-- the rows within a batch are in exact order
SELECT count(*) FROM (
	SELECT d, lag(d) OVER (ORDER BY n) AS before
	FROM (SELECT v <-> '[100,200,300]' AS d, row_number() OVER () AS n
		FROM (SELECT v FROM items ORDER BY v <-> '[100,200,300]' LIMIT 40) q) r) s
	WHERE d < before;

-- recall against the exact answer
CREATE FUNCTION recall(k int) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	q vector;
	found int := 0;
	total int := 0;
BEGIN
	FOR i IN 1..50 LOOP
		q := ARRAY[(i * 331) % 1000, (i * 577) % 1000, (i * 773) % 1000]::vector;
		found := found + (SELECT count(*) FROM (
			(SELECT id FROM items ORDER BY v <-> q LIMIT k)
			INTERSECT
			(SELECT id FROM items WHERE v IS NOT NULL ORDER BY vector_l2_squared_distance(v, q) LIMIT k)) x);
		total := total + k;
	END LOOP;
	RETURN round(found::numeric / total, 2);
END $$;
SELECT recall(10) >= 0.99 AS recall_10, recall(100) >= 0.99 AS recall_100;

-- off ends after the first batch
SET hnsw.iterative_scan = off;
SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> '[500,500,500]' LIMIT 100) t;
SET hnsw.ef_search = 1;
SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> '[500,500,500]' LIMIT 100) t;
RESET hnsw.ef_search;
-- strict_order never goes back
SET hnsw.iterative_scan = strict_order;
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE d < before) AS misplaced FROM (
	SELECT d, lag(d) OVER (ORDER BY n) AS before
	FROM (SELECT v <-> '[100,200,300]' AS d, row_number() OVER () AS n
		FROM (SELECT v FROM items ORDER BY v <-> '[100,200,300]') q) r) s;
RESET hnsw.iterative_scan;
-- a limit that the user sets is kept
SET hnsw.max_scan_tuples = 100;
SELECT count(*) BETWEEN 40 AND 400 AS limited FROM (SELECT id FROM items ORDER BY v <-> '[500,500,500]') t;
RESET hnsw.max_scan_tuples;

-- per-index ef_search; SET beats it
ALTER INDEX items_l2 SET (ef_search = 200);
SET hnsw.iterative_scan = off;
SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> '[500,500,500]' LIMIT 1000) t;
SET hnsw.ef_search = 60;
SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> '[500,500,500]' LIMIT 1000) t;
RESET hnsw.ef_search;
RESET hnsw.iterative_scan;
ALTER INDEX items_l2 RESET (ef_search);

-- a query that is NULL: all rows, as indexed
SELECT count(*), count(v) FROM (SELECT v FROM items ORDER BY v <-> (SELECT NULL::vector)) t;
-- of another dimension
SELECT id FROM items ORDER BY v <-> '[1,2]' LIMIT 1;
-- a filter that few rows pass still gets its rows
SELECT count(*) FROM (SELECT id FROM items WHERE id BETWEEN 101 AND 109 ORDER BY v <-> '[0,0,0]' LIMIT 5) t;

-- memory: a scan that may keep little drops candidates, and sweeps what it dropped
CREATE TABLE many (id int, v vector(3));
INSERT INTO many SELECT i, ARRAY[(i * 7919) % 1009, (i * 104729) % 997, (i * 1299709) % 991]::real[]::vector
	FROM generate_series(1, 20000::bigint) i;
CREATE INDEX ON many USING hnsw (v vector_l2_ops);
SELECT vecdb_hnsw_stats_reset();
SET work_mem = '64kB';
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM many ORDER BY v <-> '[500,500,500]') t;
SELECT memory_limited > 0 AS limited FROM vecdb_hnsw_stats();
-- without codes candidates have been visited already: none of them comes twice
CREATE INDEX ON many USING hnsw (v vector_l1_ops);
SELECT vecdb_hnsw_stats_reset();
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM many ORDER BY v <+> '[500,500,500]') t;
SELECT memory_limited > 0 AS limited FROM vecdb_hnsw_stats();
RESET work_mem;

-- LATERAL: one scan for each row
SELECT i.id, n.id = i.id AS itself
	FROM (SELECT * FROM items WHERE v IS NOT NULL ORDER BY id LIMIT 3) i,
	LATERAL (SELECT j.id FROM items j ORDER BY j.v <-> i.v LIMIT 1) n;

-- cursors
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM items ORDER BY v <-> '[500,500,500]';
MOVE 2698 FROM c;
FETCH 1 FROM c;
FETCH 1 FROM c;
FETCH 1 FROM c;
ROLLBACK;
SELECT id FROM (SELECT id, v FROM items WHERE v IS NOT NULL) i ORDER BY l2_distance(v, '[500,500,500]') DESC LIMIT 2;

-- zero vectors under cosine are nobody's neighbours, and have none
CREATE TABLE dirs (id int, v vector(2));
INSERT INTO dirs VALUES (1, '[1,0]'), (2, '[0,1]'), (3, '[0,0]'), (4, NULL), (5, '[4,1]'), (6, '[-1,-1]');
CREATE INDEX ON dirs USING hnsw (v vector_cosine_ops);
SELECT id, round((v <=> '[1,0]')::numeric, 4) AS d FROM dirs ORDER BY v <=> '[1,0]', id;
SELECT id FROM dirs ORDER BY v <=> '[3,1]';
SELECT count(*) FROM (SELECT id FROM dirs ORDER BY v <=> '[0,0]') t;
-- inner product and taxicab
CREATE INDEX ON dirs USING hnsw (v vector_ip_ops);
CREATE INDEX ON dirs USING hnsw (v vector_l1_ops);
SELECT id FROM dirs ORDER BY v <#> '[3,1]' LIMIT 3;
SELECT id FROM dirs ORDER BY v <+> '[0.9,0.2]' LIMIT 3;
SELECT count(*) FROM (SELECT id FROM dirs ORDER BY v <#> '[0,0]') t;

-- many rows of one vector
CREATE TABLE same (id int, v vector(4));
INSERT INTO same SELECT i, '[1,2,3,4]' FROM generate_series(1, 500) i;
INSERT INTO same VALUES (0, '[1,2,3,5]');
CREATE INDEX ON same USING hnsw (v vector_l2_ops);
SELECT count(*), count(DISTINCT id), min(id) FROM (SELECT id FROM same ORDER BY v <-> '[1,2,3,4]') t;
SELECT id FROM same ORDER BY v <-> '[1,2,3,6]' LIMIT 1;
DROP TABLE items, many, dirs, same;
DROP FUNCTION recall;
