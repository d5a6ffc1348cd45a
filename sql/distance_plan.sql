-- What the planner thinks of a distance, and how often a query is detoasted.
-- All settings that the plans depend on:
SET seq_page_cost = 1;
SET cpu_tuple_cost = 0.01;
SET cpu_operator_cost = 0.0025;
SET parallel_setup_cost = 1000;
SET parallel_tuple_cost = 0.1;
SET min_parallel_table_scan_size = '8MB';
SET max_parallel_workers_per_gather = 2;
SET work_mem = '4MB';
SET jit = off;

CREATE FUNCTION constant_vector(dim int, value float8 = 0.5) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_fill(value, ARRAY[dim])::vector $$;

-- The cost of one evaluation of an expression, in units of cpu_operator_cost
CREATE FUNCTION expression_cost(expr text, tab text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	with_expr json;
	without_expr json;
BEGIN
	EXECUTE format('EXPLAIN (FORMAT JSON) SELECT %s FROM %s', expr, tab) INTO with_expr;
	EXECUTE format('EXPLAIN (FORMAT JSON) SELECT 1 FROM %s', tab) INTO without_expr;
	RETURN round(((with_expr -> 0 -> 'Plan' ->> 'Total Cost')::numeric -
				  (without_expr -> 0 -> 'Plan' ->> 'Total Cost')::numeric) /
				 (with_expr -> 0 -> 'Plan' ->> 'Plan Rows')::numeric / 0.0025, 1);
END $$;

-- EXPLAIN without the elements of long vectors
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		RETURN NEXT regexp_replace(line, '\[[0-9.,]+\]', '[...]');
	END LOOP;
END $$;

CREATE TABLE dim3 (id int, v vector(3));
INSERT INTO dim3 SELECT i, '[1,2,3]' FROM generate_series(1, 1000) i;
CREATE TABLE dim128 (id int, v vector(128), untyped vector)
	WITH (autovacuum_enabled = off);
INSERT INTO dim128 SELECT i, constant_vector(128), constant_vector(128) FROM generate_series(1, 1000) i;
-- inline at any width that fits a page
CREATE TABLE inline768 (id int, v vector(768), untyped vector)
	WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
INSERT INTO inline768 SELECT i, constant_vector(768), constant_vector(768) FROM generate_series(1, 1000) i;
-- out of line by default
CREATE TABLE toasted768 (id int, v vector(768), untyped vector)
	WITH (autovacuum_enabled = off);
INSERT INTO toasted768 SELECT i, constant_vector(768), constant_vector(768) FROM generate_series(1, 1000) i;
-- half of the rows in each way
CREATE TABLE mixed768 (id int, v vector(768));
INSERT INTO mixed768 SELECT i, constant_vector(768) FROM generate_series(1, 500) i;
ALTER TABLE mixed768 SET (toast_tuple_target = 8160);
INSERT INTO mixed768 SELECT i, constant_vector(768) FROM generate_series(1, 500) i;
SELECT tab, expression_cost(format('v <-> constant_vector(%s)', substring(tab FROM '\d+')), tab) AS before_analyze
FROM unnest('{dim128,inline768,toasted768}'::text[]) tab;
ANALYZE dim3, dim128, inline768, toasted768, mixed768;
SELECT tablename, attname, avg_width FROM pg_stats
WHERE tablename IN ('dim3', 'dim128', 'inline768', 'toasted768', 'mixed768') AND attname <> 'id'
ORDER BY tablename, attname;

-- grows with the dimensions, and much more when values are out of line
SELECT tab, expression_cost(format('v <-> constant_vector(%s)', substring(tab FROM '\d+')), tab) AS cost
FROM unnest('{dim3,dim128,inline768,mixed768,toasted768}'::text[]) tab;
-- the same for every function, in either order
SELECT expr, expression_cost(expr, 'dim128') AS cost
FROM unnest('{v <#> constant_vector(128),v <=> constant_vector(128),constant_vector(128) <+> v,
	"l2_distance(constant_vector(128), v)","inner_product(v, v)"}'::text[]) expr;
-- without a type modifier the constant tells, or the width, or nothing does
SELECT tab, expr, expression_cost(expr, tab) AS cost
FROM (VALUES ('inline768', 'untyped <-> constant_vector(768)'),
			 ('toasted768', 'untyped <-> constant_vector(768)'),
			 ('dim128', 'untyped <-> untyped'),
			 ('toasted768', 'untyped <-> untyped'),
			 ('dim128', 'untyped <-> NULL::vector(128)'),
			 ('(SELECT id, v FROM dim128 OFFSET 0) s', 'v <-> v'),
			 ('(SELECT id, untyped AS v FROM dim128 OFFSET 0) s', 'v <-> v')) t(tab, expr);
-- both sides may be columns
SELECT expression_cost('v <-> v', 'toasted768') AS two_detoasts;

-- a small table is scanned by one process, a large one of wide vectors by more
CREATE UNLOGGED TABLE wide (id int, v vector(768))
	WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
INSERT INTO wide SELECT i, v FROM generate_series(1, 20000) i, (SELECT constant_vector(768) AS v) s;
ANALYZE wide;
SELECT plan('SELECT id FROM wide ORDER BY v <-> constant_vector(768) LIMIT 10');
SELECT plan('SELECT id FROM wide ORDER BY id LIMIT 10');
SELECT plan('SELECT id FROM inline768 ORDER BY v <-> constant_vector(768) LIMIT 10');
SELECT plan('SELECT id FROM toasted768 ORDER BY v <=> constant_vector(768) LIMIT 10');
SELECT plan('SELECT id FROM dim3 ORDER BY v <-> ''[1,2,3]'' LIMIT 10');
SELECT count(*), min(d), max(d)
FROM (SELECT v <-> constant_vector(768, 0.25) AS d FROM wide ORDER BY 1 LIMIT 30) s;
DROP TABLE wide;

-- A query vector that comes as a TOAST pointer is fetched once, not for each
-- of the 1000 rows.  A fetch is one scan of the TOAST table's index.
CREATE TABLE query768 (id int, v vector(768));
INSERT INTO query768 SELECT i, constant_vector(768, i) FROM generate_series(1, 3) i;
CREATE FUNCTION fetches() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_numscans(indexrelid))::bigint
	FROM pg_class c JOIN pg_index i ON i.indrelid = c.reltoastrelid
	WHERE c.relname IN ('inline768', 'toasted768', 'query768')
$$;
CREATE FUNCTION fetches(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint := fetches();
BEGIN
	EXECUTE query;
	RETURN fetches() - before;
END $$;
SELECT what, fetches(query)
FROM (VALUES
	('literal', 'SELECT id FROM inline768 ORDER BY v <-> constant_vector(768) LIMIT 5'),
	('sub-select', 'SELECT id FROM inline768 ORDER BY v <-> (SELECT v FROM query768 WHERE id = 1) LIMIT 5'),
	('sub-select first', 'SELECT id FROM inline768 ORDER BY (SELECT v FROM query768 WHERE id = 1) <=> v LIMIT 5'),
	('3 outer rows', 'SELECT i.id FROM query768 q, LATERAL
		(SELECT id FROM inline768 ORDER BY v <#> q.v LIMIT 5) i'),
	('column', 'SELECT id FROM toasted768 ORDER BY v <-> constant_vector(768) LIMIT 5')) q(what, query);
-- a parameter of a generic plan; a function that a query calls, unlike a DO
-- block, keeps the TOAST pointer in its variable
CREATE FUNCTION parameter_fetches() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	q vector;
	before bigint;
BEGIN
	SELECT v INTO q FROM query768 WHERE id = 2;
	before := fetches();
	PERFORM id FROM inline768 ORDER BY v <+> q LIMIT 5;
	RETURN fetches() - before;
END $$;
SET plan_cache_mode = force_generic_plan;
SELECT parameter_fetches();
RESET plan_cache_mode;
-- and when it changes, its new value is used
SELECT q.id, s.d
FROM query768 q, LATERAL (SELECT i.v <-> q.v AS d FROM inline768 i ORDER BY 1 LIMIT 1) s
ORDER BY q.id;
SELECT q.id, (SELECT sum(i.v <+> q.v) FROM inline768 i WHERE i.id <= 10) AS l1
FROM query768 q ORDER BY q.id DESC;

-- compressed vectors
CREATE TABLE compressed (id int, v vector(600));
ALTER TABLE compressed ALTER COLUMN v SET STORAGE main;
INSERT INTO compressed SELECT i, constant_vector(600, i) FROM generate_series(1, 3) i;
SELECT count(*) AS compressed FROM compressed WHERE pg_column_size(v) < 600;
SELECT a.id AS a, b.id AS b, a.v <+> b.v AS l1,
	   (SELECT max(c.v <+> a.v) FROM compressed c) AS farthest_from_a
FROM compressed a, compressed b ORDER BY a.id, b.id;

DROP TABLE dim3, dim128, inline768, toasted768, mixed768, query768, compressed;
DROP FUNCTION constant_vector, expression_cost, plan, fetches(), fetches(text),
	parameter_fetches;
