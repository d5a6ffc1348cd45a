-- The node VecdbScan in all kinds of statements.

CREATE SCHEMA planner_shapes;
SET search_path = planner_shapes, public;
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

-- 1. LIMIT unknown, WITH TIES, cursors
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5)', 'vector');
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5)', 'exact');
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5) LIMIT (SELECT 7)');
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5) OFFSET 395');
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5) LIMIT 3 OFFSET 390');
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5) LIMIT 20 OFFSET 390', 'graph');

-- rows that are equally near: more are asked for than LIMIT says
CREATE TABLE tied (id int, even bool, v vector(2));
INSERT INTO tied SELECT i, i % 2 = 0, format('[%s,0]', i / 40)::vector FROM generate_series(0, 1999) i;
CREATE INDEX tied_v ON tied USING hnsw (v vector_l2_ops);
CREATE INDEX tied_even ON tied (even);
VACUUM ANALYZE tied;
SELECT setting, count(*), min(id), max(id), bool_and(even) AS even
FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) WITH ORDINALITY s (setting, o),
	 set_config('vecdb.filter_strategy', setting, false),
	 LATERAL (SELECT * FROM tied WHERE even AND set_config IS NOT NULL ORDER BY v <-> '[0,0]' FETCH FIRST 3 ROWS WITH TIES) t
GROUP BY o, setting ORDER BY o;
SET vecdb.filter_strategy = exact;
SELECT count(*), min(id), max(id) FROM (SELECT * FROM tied WHERE even ORDER BY v <-> '[0,0]' FETCH FIRST 30 ROWS WITH TIES) t;
SET vecdb.filter_strategy = vector;
SELECT count(*), min(id), max(id) FROM (SELECT * FROM tied WHERE even ORDER BY v <-> '[0,0]' FETCH FIRST 30 ROWS WITH TIES) t;
RESET vecdb.filter_strategy;

-- every row once, however it is asked for
CREATE FUNCTION fetch_all(setting text, step int, OUT n int, OUT nids int, OUT late int) LANGUAGE plpgsql AS $$
DECLARE
	c refcursor;
	r record;
	last float8 := -1;
	ids int[];
BEGIN
	PERFORM set_config('vecdb.filter_strategy', setting, true);
	late := 0;
	OPEN c NO SCROLL FOR SELECT id, v <-> '[30000,30000,30000]' AS d FROM item WHERE id % 2 = 0 ORDER BY 2;
	LOOP
		FETCH c INTO r;
		EXIT WHEN NOT FOUND;
		ids := ids || r.id;
		late := late + (r.d < last)::int;
		last := greatest(last, r.d);
	END LOOP;
	CLOSE c;
	n := cardinality(ids);
	SELECT count(DISTINCT i) INTO nids FROM unnest(ids) i WHERE i % 2 = 0;
END $$;
SELECT setting, n, nids, late <= 20 AS few_late
FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) WITH ORDINALITY s (setting, o), fetch_all(setting, 1)
ORDER BY o;
-- what is remembered of returned rows is bounded
SET work_mem = '64kB';
SELECT n, nids, late <= 20 AS few_late FROM fetch_all('vector', 1);
RESET work_mem;

BEGIN;
SET LOCAL vecdb.filter_strategy = vector;
DECLARE c SCROLL CURSOR FOR SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5);
FETCH 2 FROM c;
MOVE 5 FROM c;
FETCH 2 FROM c;
MOVE BACKWARD 4 FROM c;
FETCH 1 FROM c;
MOVE ABSOLUTE 399 FROM c;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE ABSOLUTE 0 FROM c;
FETCH 3 FROM c;
COMMIT;
SELECT id FROM (SELECT id, v <-> make_vector(5) AS d FROM item WHERE tenth = 3) i ORDER BY d LIMIT 9;
BEGIN;
DECLARE d CURSOR WITH HOLD FOR SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5);
FETCH 1 FROM d;
COMMIT;
FETCH 2 FROM d;
CLOSE d;
BEGIN;
DECLARE u CURSOR FOR SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5) FOR UPDATE;
FETCH 1 FROM u;
UPDATE item SET meta = meta WHERE CURRENT OF u RETURNING id;
FETCH 1 FROM u;
DELETE FROM item WHERE CURRENT OF u RETURNING id;
FETCH 1 FROM u;
ROLLBACK;

-- 2. loops
SET vecdb.filter_strategy = vector;
SELECT * FROM explain_scan($$SELECT o.id, n.id FROM (SELECT * FROM item WHERE id <= 3) o,
	LATERAL (SELECT id FROM item i WHERE i.tenth = o.tenth ORDER BY i.v <-> o.v LIMIT 2) n$$);
RESET vecdb.filter_strategy;
SELECT setting, bool_and(same) AS same, min(n) AS n
FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	 compare('SELECT (o.id, n.id) FROM (SELECT * FROM item WHERE id <= 30) o,
	LATERAL (SELECT id FROM item i WHERE i.tenth = o.tenth ORDER BY i.v <-> o.v LIMIT 5) n', setting)
GROUP BY setting ORDER BY setting;
-- the bitmap depends on nothing: it is made once
SET vecdb.filter_strategy = graph;
SELECT * FROM explain_scan($$SELECT o.id, n.id FROM (SELECT * FROM item WHERE id <= 3) o,
	LATERAL (SELECT id FROM item i WHERE i.tenth = 4 ORDER BY i.v <-> o.v LIMIT 2) n$$);
RESET vecdb.filter_strategy;
SELECT setting, bool_and(same) AS same, min(n) AS n
FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	 compare('SELECT (o.id, n.id) FROM (SELECT * FROM item WHERE id <= 30) o,
	LATERAL (SELECT id FROM item i WHERE i.tenth = 4 ORDER BY i.v <-> o.v LIMIT 5) n', setting)
GROUP BY setting ORDER BY setting;
-- a limit, a vector and a condition that change, some of them NULL
SELECT same, n FROM compare('SELECT (o.id, n.id) FROM (VALUES (1, 2, ''[1,2,3]''::vector), (2, NULL, ''[4,4,4]''), (3, 1, NULL), (4, 0, ''[1,1,1]''), (NULL, 3, ''[9,9,9]'')) o (id, n, v),
	LATERAL (SELECT id FROM item i WHERE i.rare = o.id ORDER BY i.v <-> o.v, i.id LIMIT o.n) n');
-- no memory is lost from loop to loop, but for some 60 bytes that core's own nodes lose
CREATE FUNCTION memory_of_loops(setting text, loops int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	used bigint;
	c refcursor;
	r record;
BEGIN
	PERFORM set_config('vecdb.filter_strategy', setting, true);
	OPEN c FOR SELECT g, n.id FROM generate_series(1, loops) g,
		LATERAL (SELECT id FROM item i WHERE i.tenth = g % 10 ORDER BY i.v <-> make_vector(g) LIMIT 2) n;
	FOR i IN 1..loops * 2 - 2 LOOP
		FETCH c INTO r;
	END LOOP;
	SELECT sum(used_bytes) INTO used FROM pg_backend_memory_contexts;
	CLOSE c;
	RETURN used;
END $$;
SELECT setting, memory_of_loops(setting, 20) > 0 AS is_warm,
	   (memory_of_loops(setting, 1020) - memory_of_loops(setting, 20)) / 1000 < 100 AS is_constant
FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting;

-- 3. joins and EXISTS
CREATE TABLE part (id int PRIMARY KEY, name text);
INSERT INTO part SELECT i, 'part ' || i FROM generate_series(0, 399) i;
ANALYZE part;
SELECT n, same FROM compare('SELECT (i.id, p.name) FROM item i JOIN part p ON p.id = i.rare WHERE i.tenth = 3 ORDER BY i.v <-> make_vector(5) LIMIT 10');
SELECT n, same FROM compare('SELECT (i.id, p.name) FROM item i LEFT JOIN part p ON p.id = i.rare AND p.id > 200 WHERE i.tenth = 3 ORDER BY i.v <-> make_vector(5) LIMIT 10');
SELECT n, same FROM compare('SELECT id FROM item i WHERE tenth = 3 AND EXISTS (SELECT FROM part p WHERE p.id = i.rare AND p.name ~ ''1'') ORDER BY v <-> make_vector(5) LIMIT 10');
SELECT n, same FROM compare('SELECT id FROM item i WHERE tenth = 3 AND rare IN (SELECT id FROM part WHERE name ~ ''3$'') ORDER BY v <-> make_vector(5) LIMIT 10');
SELECT n, same FROM compare('SELECT id FROM item i WHERE tenth = (SELECT 3) ORDER BY v <-> (SELECT v FROM item WHERE id = 44) LIMIT 10');
SELECT n, same FROM compare('SELECT (SELECT i.id FROM item i WHERE i.rare = p.id ORDER BY i.v <-> make_vector(p.id) LIMIT 1) FROM part p');
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 UNION ALL (SELECT id FROM item WHERE tenth = 4 ORDER BY v <-> make_vector(5) LIMIT 3) ORDER BY 1');
WITH near AS MATERIALIZED (SELECT id, v FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(5) LIMIT 10)
SELECT count(*) FROM near a JOIN near b USING (id);

-- 4. partitions and inheritance
CREATE TABLE parted (id int, tenth int, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (3000);
CREATE TABLE parted_3 (v vector(3), junk text, tenth int, id int);
ALTER TABLE parted_3 DROP COLUMN junk;
ALTER TABLE parted ATTACH PARTITION parted_3 FOR VALUES FROM (3000) TO (9000);
INSERT INTO parted SELECT id, tenth, v FROM item;
CREATE INDEX ON parted USING hnsw (v vector_l2_ops);
CREATE INDEX ON parted (tenth);
VACUUM ANALYZE parted;
SET vecdb.filter_strategy = vector;
SELECT * FROM explain_scan('SELECT id FROM parted WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10');
RESET vecdb.filter_strategy;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM parted WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10', setting) ORDER BY 1;
SELECT n, same FROM compare('SELECT id FROM parted WHERE tenth = 3 AND id < 1000 ORDER BY v <-> make_vector(0) LIMIT 200');
CREATE TABLE heir () INHERITS (item);
INSERT INTO heir SELECT id + 10000, tenth, rare, meta, v FROM item WHERE id % 9 = 0;
CREATE INDEX heir_v ON heir USING hnsw (v vector_l2_ops);
ANALYZE heir;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT (tableoid::regclass, id) FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0), id LIMIT 50', setting) ORDER BY 1;
DROP TABLE heir;

-- 5. locks of rows
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 5 FOR UPDATE');
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 5 FOR SHARE SKIP LOCKED', 'graph');
UPDATE item SET rare = rare WHERE id IN (SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 2 FOR UPDATE) RETURNING id;

-- 6. row-level security, and views that are barriers
CREATE ROLE regress_scan_reader;
GRANT USAGE ON SCHEMA planner_shapes TO regress_scan_reader;
GRANT SELECT ON item TO regress_scan_reader;
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON item USING (tenth IN (3, 4));
CREATE FUNCTION seen(id int) RETURNS bool LANGUAGE plpgsql STABLE COST 0.0000001 AS $$
BEGIN
	IF id % 10 NOT IN (3, 4) THEN
		RAISE NOTICE 'saw %', id;
	END IF;
	RETURN true;
END $$;
CREATE VIEW guarded WITH (security_barrier) AS SELECT * FROM item WHERE tenth = 3;
GRANT SELECT ON guarded TO regress_scan_reader;
SET ROLE regress_scan_reader;
SET vecdb.filter_strategy = vector;
SELECT * FROM explain_scan('SELECT id FROM item WHERE rare < 300 AND seen(id) ORDER BY v <-> make_vector(0) LIMIT 10');
RESET vecdb.filter_strategy;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM item WHERE rare < 300 AND seen(id) ORDER BY v <-> make_vector(0) LIMIT 10', setting) ORDER BY 1;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM guarded WHERE rare < 300 AND seen(id) ORDER BY v <-> make_vector(0) LIMIT 10', setting) ORDER BY 1;
RESET ROLE;
ALTER TABLE item DISABLE ROW LEVEL SECURITY;

-- 7. in a parallel worker
BEGIN;
SELECT count(set_config(name, 'on', true)) FROM pg_settings
WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL vecdb.filter_strategy = exact;
SELECT * FROM explain_scan('SELECT id FROM item WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10');
SET LOCAL vecdb.filter_strategy = auto;
SELECT id FROM item WHERE tenth = 3 AND id % 2 = 1 ORDER BY v <-> '[1,2,3]' LIMIT 3;
SELECT setting, n, same FROM unnest(ARRAY['vector', 'exact', 'graph', 'index', 'auto']) setting,
	compare('SELECT id FROM item WHERE tenth = 3 AND id % 2 = 1 ORDER BY v <-> make_vector(0) LIMIT 10', setting) ORDER BY 1;
SELECT n, same FROM compare('SELECT (SELECT i.id FROM item i WHERE i.rare = p.id ORDER BY i.v <-> make_vector(p.id) LIMIT 1) FROM part p');
SELECT n, same FROM compare('SELECT id FROM parted WHERE tenth = 3 ORDER BY v <-> make_vector(0) LIMIT 10', 'graph');
-- a bound on the distance, advice, and everything else that a plan carries gets there, too
SELECT n, same FROM compare('SELECT id FROM item WHERE tenth = 3 AND v <-> make_vector(0) < 20000 ORDER BY v <-> make_vector(0) LIMIT 10', 'vector');
SELECT n, same FROM compare('SELECT id FROM item WHERE id % 7 = 3 ORDER BY v <-> make_vector(0) LIMIT 10');
ROLLBACK;
DROP OWNED BY regress_scan_reader;
DROP ROLE regress_scan_reader;

SET client_min_messages = warning;
DROP SCHEMA planner_shapes CASCADE;
