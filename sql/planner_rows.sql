-- The node VecdbScan and rows of all kinds: new, changed, without distances.

CREATE SCHEMA planner_rows;
SET search_path = planner_rows, public;
CREATE FUNCTION make_vector(seed int) RETURNS vector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT ARRAY[hashint4extended(seed, 1) & 65535, hashint4extended(seed, 2) & 65535,
			 hashint4extended(seed, 3) & 65535]::float4[]::vector
$$;

CREATE TABLE item (id int PRIMARY KEY, tenth int, rare int, meta jsonb, v vector(3));
INSERT INTO item
SELECT i, i % 10, CASE i WHEN 777 THEN 9999 ELSE i % 400 END, jsonb_build_object('part', i % 50), make_vector(i)
FROM generate_series(1, 4000) i;
CREATE INDEX item_v ON item USING hnsw (v vector_l2_ops);
CREATE INDEX item_tenth ON item (tenth);
CREATE INDEX item_rare ON item (rare);
CREATE INDEX item_meta ON item USING gin (meta jsonb_path_ops);
VACUUM ANALYZE item;
SET max_parallel_workers_per_gather = 0;
SET hnsw.ef_search = 100;

-- The lines of EXPLAIN (ANALYZE) that do not depend on the machine
CREATE FUNCTION explain_scan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		CONTINUE WHEN line ~ '(Nodes Visited|Heap Fetches|Distances|Rows Removed|Reason|Index Searches)';
		line := regexp_replace(line, '''\[[^'']*\]''', '...', 'g');
		line := regexp_replace(line, ' \(returns \$0\)', '');
		line := regexp_replace(line, '\$0|\(InitPlan 1\)\.col1', 'InitPlan 1');
		RETURN NEXT regexp_replace(line, 'rows=(\d+)\.\d+', 'rows=\1');
	END LOOP;
END $$;

-- The strategies of a query's VecdbScan, under a setting
CREATE FUNCTION strategy(query text, setting text DEFAULT 'auto') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	PERFORM set_config('vecdb.filter_strategy', setting, true);
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		IF line ~ 'Strategy: ' THEN
			RETURN regexp_replace(line, '.*Strategy: ', '');
		END IF;
	END LOOP;
	RETURN 'no VecdbScan';
END $$;

-- What a query of one column gives: n rows, and is it what it gives without the node?
CREATE FUNCTION compare(query text, setting text DEFAULT 'auto', OUT n int, OUT same bool)
LANGUAGE plpgsql AS $$
DECLARE
	expected text[];
	got text[];
BEGIN
	PERFORM set_config('vecdb.enable_scan', 'off', true);
	PERFORM set_config('enable_indexscan', 'off', true);
	EXECUTE 'SELECT array_agg(s::text) FROM (' || query || ') s' INTO expected;
	PERFORM set_config('vecdb.enable_scan', 'on', true);
	PERFORM set_config('enable_indexscan', 'on', true);
	PERFORM set_config('vecdb.filter_strategy', setting, true);
	EXECUTE 'SELECT array_agg(s::text) FROM (' || query || ') s' INTO got;
	PERFORM set_config('vecdb.filter_strategy', 'auto', true);
	n := coalesce(cardinality(got), 0);
	same := got IS NOT DISTINCT FROM expected;
END $$;

-- 1. changes of the same transaction, and of earlier ones
BEGIN;
INSERT INTO item SELECT i + 10000, 3, rare, meta, make_vector(i + 10000)
FROM generate_series(1, 50) i, (SELECT * FROM item WHERE id = 3) x;
UPDATE item SET tenth = 3 WHERE id % 100 = 50;
UPDATE item SET tenth = 4 WHERE id % 100 = 3;
UPDATE item SET v = make_vector(id + 5) WHERE id % 100 = 13;
DELETE FROM item WHERE id % 100 = 23;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0), id LIMIT 500', setting) ORDER BY 1;
SAVEPOINT a;
DELETE FROM item WHERE tenth = 3 AND id > 500;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0), id LIMIT 500', setting) ORDER BY 1;
ROLLBACK TO a;
-- a cursor does not see what comes after it
DECLARE c CURSOR FOR SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0);
FETCH 1 FROM c;
UPDATE item SET tenth = 5 WHERE tenth = 3;
MOVE ALL FROM c;
ROLLBACK;

-- HOT chains: the indexes have the first member only
CREATE TABLE hot (id int, part int, note text, v vector(3)) WITH (fillfactor = 40);
INSERT INTO hot SELECT i, i % 10, 'a', make_vector(i) FROM generate_series(1, 2000) i;
CREATE INDEX hot_v ON hot USING hnsw (v vector_l2_ops);
CREATE INDEX hot_part ON hot (part);
ANALYZE hot;
UPDATE hot SET note = 'b' WHERE id % 2 = 0;
UPDATE hot SET note = 'c' WHERE id % 4 = 0;
BEGIN;
UPDATE hot SET note = 'd' WHERE id % 8 = 0;
SELECT pg_stat_get_xact_tuples_hot_updated('hot'::regclass) AS hot_updates;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT (id, note, ctid) FROM hot WHERE part = 4 ORDER BY v <-> make_vector(0) LIMIT 150', setting) ORDER BY 1;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM hot WHERE part = 4 AND note = ''d'' ORDER BY v <-> make_vector(0) LIMIT 150', setting) ORDER BY 1;
ROLLBACK;
VACUUM hot;
UPDATE hot SET note = 'e' WHERE id % 4 = 0;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT (id, note, ctid) FROM hot WHERE part = 4 ORDER BY v <-> make_vector(0) LIMIT 250', setting) ORDER BY 1;

-- 2. lossy bitmaps
CREATE TABLE wide (id int, part int, tag int, junk char(2000), v vector(3));
ALTER TABLE wide ALTER junk SET STORAGE PLAIN;
INSERT INTO wide SELECT i, i % 2, i % 9, 'x', make_vector(i) FROM generate_series(1, 6000) i;
CREATE INDEX wide_v ON wide USING hnsw (v vector_l2_ops);
CREATE INDEX wide_part ON wide (part);
VACUUM ANALYZE wide;
SET work_mem = '64kB';
SET vecdb.filter_strategy = exact;
SELECT regexp_replace(l, 'Bitmap Rows: \d+', 'Bitmap Rows: N')
FROM explain_scan($$SELECT id FROM wide WHERE part = 1 AND tag < 8 ORDER BY v <-> '[1,2,3]' LIMIT 10$$) l;
RESET vecdb.filter_strategy;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM wide WHERE part = 1 AND tag < 8 ORDER BY v <-> make_vector(0) LIMIT 20', setting) ORDER BY 1;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT count(*) FROM (SELECT DISTINCT id FROM (SELECT id FROM wide WHERE part = 1 AND tag < 8 ORDER BY v <-> make_vector(0) LIMIT 9999) w) w', setting) ORDER BY 1;
UPDATE wide SET part = 0 WHERE id % 5 = 0;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM wide WHERE part = 1 AND tag < 8 ORDER BY v <-> make_vector(0) LIMIT 20', setting) ORDER BY 1;
RESET work_mem;

-- 3. rows and queries without distances
CREATE TABLE angle (id int, part int, v vector(3));
INSERT INTO angle
SELECT i, i % 5, CASE WHEN i % 10 = 0 THEN NULL WHEN i % 10 = 1 THEN '[0,0,0]' ELSE make_vector(i) END
FROM generate_series(1, 1000) i;
CREATE INDEX angle_cosine ON angle USING hnsw (v vector_cosine_ops);
CREATE INDEX angle_l2 ON angle USING hnsw (v vector_l2_ops);
CREATE INDEX angle_part ON angle (part);
VACUUM ANALYZE angle;
CREATE FUNCTION query_angle(op text, query vector, setting text) RETURNS SETOF angle LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('vecdb.filter_strategy', setting, true);
	RETURN QUERY EXECUTE format('SELECT * FROM angle WHERE part < 2 ORDER BY v %s (SELECT $1) LIMIT 1000', op) USING query;
END $$;
EXPLAIN (COSTS OFF) SELECT id FROM angle WHERE part < 2 ORDER BY v <=> '[1,2,3]' LIMIT 1000;
-- of 400 rows 100 are NULL and 100 zero; zero has no direction.  (SELECT keeps the
-- planner from seeing that the query is NULL, and that there is nothing to sort by.)
SELECT op, query, array_agg(DISTINCT setting) AS settings, count(*) / 5.0 AS n, count(DISTINCT id) AS nids,
	   count(*) FILTER (WHERE v IS NULL) AS nulls, count(*) FILTER (WHERE v = '[0,0,0]') / 5.0 AS zeros
FROM unnest(ARRAY['<=>', '<->']) op,
	 unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	 unnest(ARRAY['[1,2,3]', '[0,0,0]', NULL]::vector[]) query,
	 query_angle(op, query, setting)
GROUP BY op, query ORDER BY op, query;
SET vecdb.filter_strategy = vector;
SELECT * FROM explain_scan($$SELECT id FROM angle WHERE part < 2 ORDER BY v <=> '[0,0,0]' LIMIT 5$$);
SET vecdb.filter_strategy = graph;
SELECT * FROM explain_scan($$SELECT id FROM angle WHERE part < 2 ORDER BY v <=> '[0,0,0]' LIMIT 5$$);
SELECT * FROM explain_scan($$SELECT id FROM angle WHERE part < 2 ORDER BY v <=> (SELECT v FROM angle WHERE id = 10) LIMIT 5$$);
RESET vecdb.filter_strategy;

-- 4. bounds on the distance
SELECT bound, array_agg(DISTINCT n) AS n, bool_and(same) AS same
FROM unnest(ARRAY['0', '4000', '12000', '1e9', '''NaN''', '''Infinity''', '-1', 'NULL', '(SELECT 12000)'])
	 WITH ORDINALITY b (bound, o),
	 unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	 compare(format('SELECT id FROM item WHERE tenth = 3 AND v <-> make_vector(33) < %s
					ORDER BY v <-> make_vector(33) LIMIT 30', bound), setting)
GROUP BY o, bound ORDER BY o;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM item WHERE tenth = 3 AND v <-> make_vector(33) <= 0
			ORDER BY v <-> make_vector(33) LIMIT 30', setting) ORDER BY setting;
-- the walk ends when nothing within the bound is left; no other way follows
SET vecdb.filter_strategy = vector;
SELECT * FROM explain_scan($$SELECT id FROM item WHERE tenth = 3 AND v <-> make_vector(33) < 12000
	ORDER BY v <-> make_vector(33) LIMIT 30$$);
SET vecdb.filter_strategy = graph;
SELECT * FROM explain_scan($$SELECT id FROM item WHERE tenth = 3 AND v <-> make_vector(33) < 12000
	ORDER BY v <-> make_vector(33) LIMIT 30$$);
RESET vecdb.filter_strategy;

-- 5. settings, and plans that outlive an index
SET vecdb.filter_strategy = fastest;
SET vecdb.enable_scan = off;
EXPLAIN (COSTS OFF) SELECT id FROM angle WHERE part < 2 ORDER BY v <=> '[1,2,3]' LIMIT 10;
RESET vecdb.enable_scan;
SET plan_cache_mode = force_generic_plan;
PREPARE p AS SELECT count(*) FROM (SELECT id FROM angle WHERE part < 2 ORDER BY v <=> '[1,2,3]' LIMIT 10) a;
EXECUTE p;
DROP INDEX angle_part;
EXECUTE p;
DROP INDEX angle_cosine;
EXECUTE p;
RESET plan_cache_mode;

SET client_min_messages = warning;
DROP SCHEMA planner_rows CASCADE;
