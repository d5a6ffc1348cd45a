-- The node VecdbScan: every strategy gives all rows that match, in order.

CREATE SCHEMA planner_scan;
SET search_path = planner_scan, public;
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

-- 1. strategies, one by one
SET vecdb.filter_strategy = vector;
SELECT * FROM explain_scan($$SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10$$);
SET vecdb.filter_strategy = exact;
SELECT * FROM explain_scan($$SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10$$);
SET vecdb.filter_strategy = graph;
SELECT * FROM explain_scan($$SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10$$);
SET vecdb.filter_strategy = index;
SELECT * FROM explain_scan($$SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10$$);
-- no bitmap: the nearest that is possible
SELECT * FROM explain_scan($$SELECT id FROM item WHERE id % 3 = 0 ORDER BY v <-> make_vector(0) LIMIT 10$$);
SET vecdb.filter_strategy = exact;
SELECT * FROM explain_scan($$SELECT id FROM item WHERE id % 3 = 0 ORDER BY v <-> make_vector(0) LIMIT 10$$);
RESET vecdb.filter_strategy;

-- the number of rows for LIMIT 1, 10 and 500, and are they the right ones?
SELECT condition, array_agg(DISTINCT n) AS n, bool_and(same) FILTER (WHERE setting = 'vector') AS vector,
	   bool_and(same) FILTER (WHERE setting = 'exact') AS exact,
	   bool_and(same) FILTER (WHERE setting = 'graph') AS graph,
	   bool_and(same) FILTER (WHERE setting = 'index') AS index,
	   bool_and(same) FILTER (WHERE setting = 'auto') AS auto
FROM unnest(ARRAY['tenth = 3', 'rare = 7', 'rare = 9999', 'id % 3 = 0', 'id % 400 = 7',
				  'tenth = 3 AND rare < 100', 'tenth = 3 OR rare = 4', 'tenth = 3 AND id % 7 = 0',
				  'meta @> ''{"part": 5}''', 'id < 4001', 'id < 0', 'tenth IN (1, 2)',
				  'tenth = 3 AND id % 10 = 0']) WITH ORDINALITY c (condition, c),
	 unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	 unnest(ARRAY[1, 10, 500]) k,
	 compare(format('SELECT id FROM item WHERE %s ORDER BY v <-> make_vector(%s) LIMIT %s',
					condition, k, k), setting)
GROUP BY c, condition ORDER BY c;

-- 2. what decides by itself, where it is plain: one row, all rows, no index
SELECT * FROM explain_scan($$SELECT id FROM item WHERE rare = 9999 ORDER BY v <-> make_vector(0) LIMIT 10$$);
SELECT * FROM explain_scan($$SELECT id FROM item WHERE id > 0 ORDER BY v <-> make_vector(0) LIMIT 10$$);
SELECT * FROM explain_scan($$SELECT id FROM item WHERE meta->>'part' = '5' AND id % 100 = 5 ORDER BY v <-> make_vector(0) LIMIT 10$$);
SELECT * FROM explain_scan($$SELECT id FROM item WHERE tenth = -1 ORDER BY v <-> make_vector(0) LIMIT 10$$);

-- the numbers, where nothing depends on time
SET vecdb.filter_strategy = exact;
CREATE FUNCTION explain_json(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
	RETURN jsonb_path_query_first(plan::jsonb, '$.** ? (@."Custom Plan Provider" == "VecdbScan")')
		- '{Plans,Parallel Aware,Async Capable,Actual Rows,Actual Loops,Parent Relationship,Disabled}'::text[];
END $$;
SELECT key, value FROM jsonb_each(explain_json($$SELECT id FROM item WHERE tenth = 3 AND id % 2 = 1 AND rare <> 3
	ORDER BY v <-> '[1,2,3]' LIMIT 10$$)) ORDER BY key COLLATE "C";
SELECT key, value FROM jsonb_each(explain_json($$SELECT id FROM item WHERE id % 2 = 1
	ORDER BY v <-> '[1,2,3]' LIMIT 10$$)) ORDER BY key COLLATE "C";
RESET vecdb.filter_strategy;
-- without ANALYZE nothing is said of what was not done
EXPLAIN (COSTS OFF) SELECT id FROM item WHERE tenth = 3 AND rare <> 3 ORDER BY v <-> '[1,2,3]' LIMIT 10;
EXPLAIN (COSTS OFF, VERBOSE) SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> '[1,2,3]' LIMIT 10;

-- 3. generic plans: everything is a parameter
SET plan_cache_mode = force_generic_plan;
PREPARE by_tenth(vector, bigint, int) AS
SELECT id FROM item WHERE tenth = $3 ORDER BY v <-> $1 LIMIT $2;
PREPARE by_meta(vector, bigint, bigint, jsonb) AS
SELECT id FROM item WHERE meta @> $4 ORDER BY v <-> $1 LIMIT $2 OFFSET $3;
EXPLAIN (COSTS OFF) EXECUTE by_tenth(make_vector(1), 3, 4);
EXPLAIN (COSTS OFF) EXECUTE by_meta(make_vector(1), 3, 4, '{"part": 8}');
SELECT setting, strategy('EXECUTE by_tenth(make_vector(1), 3, 4)', setting),
	   strategy('EXECUTE by_meta(make_vector(1), 3, 4, ''{"part": 8}'')', setting)
FROM unnest(ARRAY['vector', 'exact', 'graph', 'index']) setting;
EXECUTE by_tenth(make_vector(1), 3, 4);
SELECT id FROM (SELECT id, v <-> make_vector(1) AS d FROM item WHERE tenth = 4) i ORDER BY d, id LIMIT 3;
EXECUTE by_meta(make_vector(1), 3, 4, '{"part": 8}');
SELECT id FROM (SELECT id, v <-> make_vector(1) AS d FROM item WHERE meta->>'part' = '8') i ORDER BY d, id LIMIT 3 OFFSET 4;
-- no limit, no rows, another filter with the same plan
EXECUTE by_meta(make_vector(1), NULL, 76, '{"part": 8}');
EXECUTE by_meta(make_vector(1), NULL, 80, '{"part": 8}');
EXECUTE by_meta(make_vector(1), 0, NULL, '{"part": 8}');
EXECUTE by_meta(make_vector(1), 2, 0, '{"part": 99}');
EXECUTE by_meta(make_vector(1), 2, 0, '{}');
EXECUTE by_meta(make_vector(1), 2, 0, NULL);
EXECUTE by_meta(make_vector(1), -1, 0, '{}');
EXECUTE by_meta('[1,2]', 2, 0, '{}');
RESET plan_cache_mode;
DEALLOCATE ALL;

SET client_min_messages = warning;
DROP SCHEMA planner_scan CASCADE;
