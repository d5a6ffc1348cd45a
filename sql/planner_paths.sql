-- Where the planner takes a VecdbScan, and where it must not: shapes of plans.
CREATE FUNCTION sample_vector(i bigint, dim int) RETURNS vector LANGUAGE sql IMMUTABLE AS
	$$ SELECT array_agg(sin(i * j + j * j))::vector FROM generate_series(1, dim) j $$;
CREATE TABLE docs (
	id int PRIMARY KEY,
	kind int,
	name varchar(20),
	m jsonb,
	v vector(4),
	n vector(4) NOT NULL
) WITH (autovacuum_enabled = off);
INSERT INTO docs SELECT i, i % 100, 'name ' || i % 1000, jsonb_build_object('year', 1900 + i % 120),
	CASE WHEN i % 100 <> 99 THEN sample_vector(i, 4) END, sample_vector(i + 7, 4) FROM generate_series(1, 10000) i;
CREATE INDEX docs_v ON docs USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX docs_vc ON docs USING hnsw (v vector_cosine_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX docs_nc ON docs USING hnsw (n vector_cosine_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX docs_ni ON docs USING hnsw (n vector_ip_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX docs_n1 ON docs USING hnsw (n vector_l1_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX docs_kind ON docs (kind);
CREATE INDEX docs_name ON docs (name);
ANALYZE docs;

-- a session's first query has the node already
\c
EXPLAIN (COSTS OFF) SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5;

-- All settings that the plans depend on:
SET seq_page_cost = 1;
SET random_page_cost = 4;
SET cpu_tuple_cost = 0.01;
SET cpu_index_tuple_cost = 0.005;
SET cpu_operator_cost = 0.0025;
SET effective_cache_size = '4GB';
SET max_parallel_workers_per_gather = 0;
SET jit = off;

-- A plan's nodes, conditions and keys of sorts, a line each, the same in all versions
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		CONTINUE WHEN line !~ '^ *(->|Filter:|Index Cond:|Order By:)|^[A-Z]';
		line := replace(line, '''[1,2,3,4]''::vector', 'Q');
		RETURN NEXT regexp_replace(line, '\$0|\(InitPlan 1\)\.col1', 'InitPlan');
	END LOOP;
END $$;
-- What VecdbScan was told of the rows that the query wants
CREATE FUNCTION wanted(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		CONTINUE WHEN line !~ 'Rows Wanted|More Rows|Distance (Below|Up To)';
		RETURN NEXT regexp_replace(ltrim(line), '\$0|\(InitPlan 1\)\.col1', 'InitPlan');
	END LOOP;
END $$;
-- The top of a plan that is of interest: its scan
CREATE FUNCTION scan(query text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(substring(line FROM '(?:Custom|Index|Seq|Bitmap Heap|Tid|Sample) .*'), '; ')
	FROM plan(query) line WHERE line !~ 'Bitmap Index'
		AND line ~ 'Custom Scan|Index Scan|Seq Scan|Bitmap Heap|Tid|Sample Scan|^ *Sort'
$$;
-- What scans a table for an order
CREATE FUNCTION order_scan(order_by text, conditions text DEFAULT 'kind < 50') RETURNS text LANGUAGE sql AS
	$$ SELECT scan(format('SELECT id FROM docs WHERE %s ORDER BY %s LIMIT 5', conditions, order_by)) $$;

--
-- The bitmap
--
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
-- all indexes that serve the conditions; others are checked on the rows
SELECT plan($$SELECT id FROM docs WHERE kind < 50 AND id % 2 = 0 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 10 AND id < 2000 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 10 OR id < 2000 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind IN (3, 5, 70) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE (kind, id) > (50, 7) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
-- few rows, so few that LIMIT takes all, or one
SELECT plan($$SELECT id FROM docs WHERE kind = 5 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind = 5 AND name = 'name 5' ORDER BY v <-> '[1,2,3,4]' LIMIT 50$$);
SELECT plan($$SELECT id FROM docs WHERE name = 'no name' ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
-- no index serves them
SELECT plan($$SELECT id FROM docs WHERE id % 2 = 0 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE m ->> 'year' = '2001' ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
-- or must
SET enable_bitmapscan = off;
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
RESET enable_bitmapscan;
-- a bitmap that the planner itself would not take
SELECT plan($$SELECT id FROM docs WHERE kind < 99 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SET enable_seqscan = off;
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE id % 2 = 0 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <+> '[1,2,3,4]' LIMIT 5$$);
RESET enable_seqscan;

--
-- Where it is not: no conditions, or none but that there is a distance
--
SELECT plan($$SELECT id FROM docs ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE v IS NOT NULL ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE v <-> '[1,2,3,4]' IS NOT NULL ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT min(v <-> '[1,2,3,4]') FROM docs$$);
-- with conditions it is
SELECT plan($$SELECT min(v <-> '[1,2,3,4]') FROM docs WHERE kind < 50$$);
-- no limit, no order, another order
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]'$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY id, v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <+> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> n LIMIT 5$$);
-- settings
SET vecdb.enable_scan = off;
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
RESET vecdb.enable_scan;
SET enable_indexscan = off;
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
RESET enable_indexscan;
SET vecdb.filter_strategy = exact;
EXPLAIN (COSTS OFF, SETTINGS) SELECT 1;
SET vecdb.filter_strategy = fastest;
RESET vecdb.filter_strategy;

--
-- Orders that rise or fall with a distance
--
SELECT e AS order_by, order_scan(e) AS scan FROM unnest(ARRAY[
	-- on a NOT NULL column
	$$n <=> '[1,2,3,4]'$$,
	$$1 - (n <=> '[1,2,3,4]') DESC$$,
	$$n <#> '[1,2,3,4]'$$,
	$$-(n <#> '[1,2,3,4]') DESC$$,
	$$(n <#> '[1,2,3,4]') * -1 DESC$$,
	$$-1 * (n <#> '[1,2,3,4]') DESC$$,
	$$(n <#> '[1,2,3,4]') / -2 DESC$$,
	$$(n <+> '[1,2,3,4]') / 2$$,
	$$(n <+> '[1,2,3,4]') * 0.5 + 7$$,
	$$7 + (n <+> '[1,2,3,4]')$$,
	$$(n <+> '[1,2,3,4]') - 7$$,
	$$+ (n <+> '[1,2,3,4]')$$,
	$$100 * (1 - (n <=> '[1,2,3,4]') / 2) DESC$$,
	$$- (1 - (n <=> '[1,2,3,4]'))$$,
	$$(1 - (n <=> '[1,2,3,4]'))::float8 DESC$$,
	-- the functions
	$$cosine_distance(n, '[1,2,3,4]')$$,
	$$1 - cosine_distance('[1,2,3,4]', n) DESC$$,
	$$l1_distance(n, '[1,2,3,4]')$$,
	$$inner_product(n, '[1,2,3,4]') DESC$$,
	$$1 - inner_product(n, '[1,2,3,4]')$$,
	$$vector_negative_inner_product(n, '[1,2,3,4]')$$,
	$$l2_distance(v, '[1,2,3,4]')$$,
	-- the column on the right
	$$1 - ('[1,2,3,4]' <=> n) DESC$$,
	-- a second column
	$$n <=> '[1,2,3,4]', id$$,
	$$1 - (n <=> '[1,2,3,4]') DESC, id DESC$$,
	$$n <=> '[1,2,3,4]', n <#> '[1,2,3,4]'$$
]) e;
-- also without conditions, where the index's own path has not such an order
SELECT e AS order_by, order_scan(e, 'true') AS scan FROM unnest(ARRAY[
	$$1 - (n <=> '[1,2,3,4]') DESC$$,
	$$cosine_distance(n, '[1,2,3,4]')$$,
	$$inner_product(n, '[1,2,3,4]') DESC$$
]) e;
-- not these
SELECT e AS order_by, order_scan(e) AS scan FROM unnest(ARRAY[
	$$n <=> '[1,2,3,4]' DESC$$,
	$$1 - (n <=> '[1,2,3,4]')$$,
	$$(n <#> '[1,2,3,4]') * -1$$,
	$$inner_product(n, '[1,2,3,4]')$$,
	$$(n <+> '[1,2,3,4]') * 0$$,
	$$(n <+> '[1,2,3,4]') * id$$,
	$$(n <+> '[1,2,3,4]') + 'NaN'::float8$$,
	$$(n <+> '[1,2,3,4]') * 'Infinity'::float8$$,
	$$1 / (n <+> '[1,2,3,4]')$$,
	$$abs(n <#> '[1,2,3,4]')$$,
	$$round((n <+> '[1,2,3,4]')::numeric, 1)$$,
	$$vector_l2_squared_distance(v, '[1,2,3,4]')$$,
	$$(n <+> '[1,2,3,4]') + random()$$,
	$$n <+> v$$
]) e;
-- the same rows in the same order as by a sort, distances being exact
CREATE FUNCTION same_answer(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	by_node text;
	by_sort text;
BEGIN
	SET LOCAL vecdb.filter_strategy = exact;
	EXECUTE format('SELECT array_agg(d::text) FROM (%s) s', query) INTO by_node;
	SET LOCAL vecdb.filter_strategy = auto;
	SET LOCAL enable_indexscan = off;
	EXECUTE format('SELECT array_agg(d::text) FROM (%s) s', query) INTO by_sort;
	SET LOCAL enable_indexscan = on;
	RETURN by_node = by_sort;
END $$;
SELECT e, same_answer(format('SELECT %s AS d FROM docs WHERE kind = 5 ORDER BY d DESC LIMIT 10', e)) FROM unnest(ARRAY[
	$$1 - (n <=> '[1,2,3,4]')$$,
	$$(n <#> '[1,2,3,4]') * -0.1$$,
	$$inner_product(n, '[1,2,3,4]')$$,
	$$5 - (n <+> '[1,2,3,4]') / 1e10$$
]) e;

--
-- NULLs.  v has some, n cannot have
--
SELECT e AS order_by, c AS conditions, order_scan(e, c) AS scan FROM unnest(ARRAY[
	$$1 - (v <=> '[1,2,3,4]') DESC$$,
	$$1 - (v <=> '[1,2,3,4]') DESC NULLS LAST$$,
	$$v <=> '[1,2,3,4]' NULLS FIRST$$,
	$$n <=> '[1,2,3,4]' NULLS FIRST$$
]) e, unnest(ARRAY[
	$$kind < 50$$,
	$$kind < 50 AND v IS NOT NULL$$,
	$$v <=> '[1,2,3,4]' IS NOT NULL$$,
	$$v <=> '[1,2,3,4]' < 0.5$$,
	$$v <-> '[1,2,3,4]' < 7$$,
	$$1 - (v <=> '[1,2,3,4]') IS NOT NULL$$,
	$$v IS NOT NULL OR kind < 50$$
]) WITH ORDINALITY c(c, i) WHERE i < 3 OR e ~ 'DESC$' ORDER BY e COLLATE "C", i;

--
-- Aliases, subqueries, views, CTEs
--
SELECT plan($$SELECT id, 1 - (n <=> '[1,2,3,4]') AS score FROM docs WHERE kind < 50 ORDER BY score DESC LIMIT 5$$);
SELECT plan($$SELECT * FROM (SELECT id, kind, 1 - (n <=> '[1,2,3,4]') AS score FROM docs) s WHERE kind < 50 ORDER BY score DESC LIMIT 5$$);
SELECT plan($$SELECT id FROM (SELECT id, v <-> '[1,2,3,4]' AS d FROM docs WHERE kind < 50 ORDER BY d LIMIT 5) s WHERE d < 3 ORDER BY id$$);
CREATE VIEW scores AS SELECT id, kind, n <=> '[1,2,3,4]' AS d FROM docs;
SELECT plan($$SELECT id FROM scores WHERE kind < 50 ORDER BY d LIMIT 5$$);
DROP VIEW scores;
SELECT plan($$WITH c AS (SELECT * FROM docs WHERE kind < 50) SELECT id FROM c ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$WITH c AS MATERIALIZED (SELECT id, v <-> '[1,2,3,4]' AS d FROM docs WHERE kind < 50 ORDER BY d LIMIT 5) SELECT id FROM c WHERE d < 3$$);
CREATE MATERIALIZED VIEW docs_copy AS SELECT * FROM docs WHERE id <= 5000;
CREATE INDEX ON docs_copy USING hnsw (v);
ANALYZE docs_copy;
SELECT plan($$SELECT id FROM docs_copy WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
DROP MATERIALIZED VIEW docs_copy;

--
-- How many rows are wanted, and how far
--
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5 OFFSET 20$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5 OFFSET NULL$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5 + 1$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' FETCH FIRST 5 ROWS WITH TIES$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT (SELECT 5)$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5 FOR UPDATE$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]', id LIMIT 5$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]', id FETCH FIRST 5 ROWS WITH TIES$$);
SELECT wanted($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]', id LIMIT 5 FOR SHARE$$);
-- not known: none, NULL, too many, rows are joined, dropped or multiplied above
SELECT q, has_node, wanted FROM unnest(ARRAY[
	$$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT NULL$$,
	$$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 9223372036854775807 OFFSET 1$$,
	$$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT random() * 5$$,
	$$SELECT d.id FROM docs d JOIN docs o USING (id) WHERE d.kind < 50 ORDER BY d.v <-> '[1,2,3,4]' LIMIT 5$$,
	$$SELECT DISTINCT ON (v <-> '[1,2,3,4]') id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$,
	$$SELECT id, generate_series(1, 2) FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$,
	$$SELECT id, row_number() OVER (ORDER BY v <-> '[1,2,3,4]') FROM docs WHERE kind < 50 LIMIT 5$$,
	$$SELECT id, row_number() OVER (ORDER BY v <-> '[1,2,3,4]') FROM docs WHERE kind < 50 ORDER BY 2 LIMIT 5$$
]) q, LATERAL (SELECT bool_or(line ~ 'VecdbScan') AS has_node FROM plan(q) line) n,
	LATERAL (SELECT array_agg(line) AS wanted FROM wanted(q) line) w;
SELECT id FROM docs WHERE kind = 5 ORDER BY v <-> '[1,2,3,4]' LIMIT 9223372036854775807 OFFSET 99;
-- limits of the distance; what is computed is rounded up
SELECT c AS condition, order_scan(e, c) AS scan,
	(SELECT array_agg(line) FROM wanted(format('SELECT id FROM docs WHERE %s ORDER BY %s', c, e)) line) AS wanted
FROM (VALUES
	($$n <+> '[1,2,3,4]'$$, $$n <+> '[1,2,3,4]' < 0.5$$),
	($$n <+> '[1,2,3,4]'$$, $$n <+> '[1,2,3,4]' <= 0.5$$),
	($$n <+> '[1,2,3,4]'$$, $$0.5 > ('[1,2,3,4]' <+> n)$$),
	($$n <+> '[1,2,3,4]'$$, $$l1_distance(n, '[1,2,3,4]') < 0.5$$),
	($$n <+> '[1,2,3,4]'$$, $$n <+> '[1,2,3,4]' BETWEEN 0.25 AND 0.5$$),
	($$n <+> '[1,2,3,4]'$$, $$n <+> '[1,2,3,4]' < NULL$$),
	($$1 - (n <=> '[1,2,3,4]') DESC$$, $$1 - (n <=> '[1,2,3,4]') > 0.75$$),
	($$n <=> '[1,2,3,4]'$$, $$1 - (n <=> '[1,2,3,4]') >= 0.75 AND kind < 50$$),
	($$n <=> '[1,2,3,4]'$$, $$(n <=> '[1,2,3,4]') / 2 - 1 < 0$$),
	($$n <=> '[1,2,3,4]'$$, $$(n <=> '[1,2,3,4]') * -4 > -1$$),
	($$n <#> '[1,2,3,4]'$$, $$inner_product(n, '[1,2,3,4]') > 7$$),
	($$n <#> '[1,2,3,4]'$$, $$-(n <#> '[1,2,3,4]') > 7$$),
	($$n <#> '[1,2,3,4]'$$, $$-(n <#> '[1,2,3,4]') * 1e-300 > 1e300$$)
) s(e, c);
-- a lower limit is none, nor is another distance's, or one that depends on the row
SELECT c AS condition,
	(SELECT array_agg(line) FROM wanted(format('SELECT id FROM docs WHERE %s ORDER BY n <=> ''[1,2,3,4]'' LIMIT 5', c)) line) AS wanted
FROM unnest(ARRAY[
	$$n <=> '[1,2,3,4]' > 0.5$$,
	$$1 - (n <=> '[1,2,3,4]') < 0.5$$,
	$$n <+> '[1,2,3,4]' < 0.5$$,
	$$n <=> '[1,2,3,5]' < 0.5$$,
	$$n <=> '[1,2,3,4]' < id$$,
	$$NOT n <=> '[1,2,3,4]' < 0.5$$,
	$$n <=> '[1,2,3,4]' < 0.5 OR kind = 5$$
]) c;
-- all that are within, whatever the rounding
SELECT r, count(*) AS n, bool_and(same_answer(format(
	'SELECT 1 - (n <=> ''[1,2,3,4]'') AS d FROM docs WHERE 1 - (n <=> ''[1,2,3,4]'') >= %s ORDER BY d DESC', d))) AS same
FROM (SELECT ntile(3) OVER (ORDER BY d) AS r, d FROM
	(SELECT DISTINCT 1 - (n <=> '[1,2,3,4]') AS d FROM docs ORDER BY d DESC LIMIT 30) s) s GROUP BY r ORDER BY r;

--
-- Parameters
--
SET vecdb.filter_strategy = exact;
SET plan_cache_mode = force_generic_plan;
PREPARE search(vector, int, int, int) AS
	SELECT id FROM docs WHERE kind = $2 ORDER BY v <-> $1 LIMIT $3 OFFSET $4;
SELECT plan('EXECUTE search(''[1,2,3,4]'', 5, 3, 1)');
SELECT wanted('EXECUTE search(''[1,2,3,4]'', 5, 3, 1)');
EXECUTE search('[1,2,3,4]', 5, 3, 1);
EXECUTE search('[1,2,3,4]', 5, 1, NULL);
EXECUTE search('[1,2,3,4]', 5, 0, 0);
SELECT count(*) FROM docs WHERE kind = 5 AND v IS NOT NULL;
PREPARE within(vector, float8) AS
	SELECT count(*) FROM (SELECT FROM docs WHERE 1 - (n <=> $1) > $2 ORDER BY 1 - (n <=> $1) DESC LIMIT 1000) s;
SELECT wanted('EXECUTE within(''[1,2,3,4]'', 0.9)');
EXECUTE within('[1,2,3,4]', 0.9);
SELECT count(*) FROM docs WHERE 1 - (n <=> '[1,2,3,4]') > 0.9;
EXECUTE within('[1,2,3,4]', NULL);
EXECUTE within('[1,2,3,4]', 'Infinity');
EXECUTE within('[1,2,3,4]', '-Infinity');
SET plan_cache_mode = force_custom_plan;
SELECT plan('EXECUTE search(''[1,2,3,4]'', 5, 3, 1)');
SELECT wanted('EXECUTE search(''[1,2,3,4]'', 5, 3, 1)');
EXECUTE search('[1,2,3,4]', 5, 3, 1);
RESET plan_cache_mode;
DEALLOCATE search;
DEALLOCATE within;
RESET vecdb.filter_strategy;

--
-- Conditions that have better plans, or none
--
SELECT c AS condition, order_scan('v <-> ''[1,2,3,4]''', c) AS scan FROM unnest(ARRAY[
	$$id = 5$$,
	$$id = 5 AND kind = 5$$,
	$$ctid = '(0,1)'$$,
	$$ctid = ANY ('{"(0,1)","(0,2)"}')$$,
	$$random() < 0.5$$,
	$$false$$,
	$$id < 5 AND id > 5 AND NULL$$
]) c;
-- conditions without columns are asked once
SELECT plan($$SELECT id FROM docs WHERE kind < 50 AND current_date > '2000-01-01' ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE current_date > '2000-01-01' ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
-- system columns and subqueries are conditions like others
SELECT plan($$SELECT id FROM docs WHERE ctid > '(5,1)' AND xmin::text <> '7' ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs d WHERE kind < (SELECT avg(kind) FROM docs) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs d WHERE kind < 50 AND (SELECT o.kind FROM docs o WHERE o.id = d.id + 1) = 7 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT scan($$SELECT id FROM docs WHERE kind < 50 AND id NOT IN (SELECT id FROM docs WHERE kind = 7) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT same_answer($$SELECT id AS d FROM docs d WHERE kind < 50 AND (SELECT o.kind FROM docs o WHERE o.id = d.id + 1) = 7 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT same_answer($$SELECT id AS d FROM docs WHERE kind < 50 AND id NOT IN (SELECT id FROM docs WHERE kind = 7) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs TABLESAMPLE system (50) WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
-- the query's vector: of a subquery, of a function, of the row
CREATE TABLE queries (id int, q vector(4));
INSERT INTO queries VALUES (1, '[1,2,3,4]'), (2, '[4,3,2,1]'), (3, NULL);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> (SELECT q FROM queries WHERE id = 1) LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> sample_vector(5, 4) LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> ('[' || random() || ',2,3,4]')::vector LIMIT 5$$);
SELECT plan($$SELECT id FROM docs d WHERE kind < 50 ORDER BY v <-> (SELECT q FROM queries WHERE id = d.id) LIMIT 5$$);
-- windows and groups
SELECT plan($$SELECT id, rank() OVER (ORDER BY v <-> '[1,2,3,4]') FROM docs WHERE kind < 50 LIMIT 5$$);
SELECT plan($$SELECT DISTINCT v <-> '[1,2,3,4]' FROM docs WHERE kind < 50 LIMIT 5$$);
SELECT plan($$SELECT v <-> '[1,2,3,4]', count(*) FROM docs WHERE kind < 50 GROUP BY 1 ORDER BY 1 LIMIT 5$$);
SELECT scan($$SELECT array_agg(id ORDER BY v <-> '[1,2,3,4]') FROM docs WHERE kind < 50$$);
-- rows are locked above the scan
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5 FOR UPDATE SKIP LOCKED$$);
SELECT plan($$DELETE FROM docs WHERE id IN (SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5)$$);
SELECT plan($$INSERT INTO queries SELECT id, v FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$DECLARE c CURSOR FOR SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]'$$);

--
-- Joins
--
SELECT plan($$SELECT q.id, s.id FROM queries q CROSS JOIN LATERAL
	(SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> q.q LIMIT 5) s$$);
SELECT plan($$SELECT q.id, s.id FROM queries q CROSS JOIN LATERAL
	(SELECT id FROM docs WHERE kind = q.id ORDER BY v <-> q.q LIMIT q.id) s$$);
SELECT q.id, s.id FROM queries q CROSS JOIN LATERAL
	(SELECT id FROM docs WHERE kind = q.id AND v IS NOT NULL ORDER BY v <-> q.q, id LIMIT q.id) s WHERE q.q IS NOT NULL ORDER BY 1, 2;
SELECT plan($$SELECT id FROM docs d WHERE kind < 50 AND EXISTS (SELECT FROM queries q WHERE q.id = d.kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT d.id FROM docs d LEFT JOIN queries q ON q.id = d.kind WHERE d.kind < 50 ORDER BY d.v <-> '[1,2,3,4]' LIMIT 5$$);
-- without a limit it is no way to read a table
SELECT plan($$SELECT d.id FROM docs d JOIN docs o ON o.id = d.kind WHERE d.kind < 50 ORDER BY d.v <-> '[1,2,3,4]'$$);
SELECT plan($$SELECT count(*) FROM docs d JOIN docs o ON o.id = d.kind WHERE d.kind < 50$$);
DROP TABLE queries;

--
-- Partial indexes, expressions, casts
--
CREATE DOMAIN embedding AS vector(4);
CREATE TABLE special (id int PRIMARY KEY, kind int, "Year" text, u vector, e embedding, raw real[]) WITH (autovacuum_enabled = off);
INSERT INTO special SELECT id, kind, 1900 + id % 100, n, n, n::real[] FROM docs WHERE id <= 5000;
CREATE INDEX ON special USING hnsw ((u::vector(4)) vector_l2_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX ON special USING hnsw (e vector_l2_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX ON special USING hnsw ((raw::vector(4)) vector_l2_ops) WITH (m = 8, ef_construction = 16) WHERE kind < 50;
CREATE INDEX ON special (kind);
CREATE INDEX ON special (("Year"::int));
ANALYZE special;
SELECT e AS order_by, c AS conditions, scan(format('SELECT id FROM special WHERE %s ORDER BY %s LIMIT 5', c, e)) FROM (VALUES
	($$u::vector(4) <-> '[1,2,3,4]'$$, 'kind < 30'),
	($$u <-> '[1,2,3,4]'$$, 'kind < 30'),
	($$e <-> '[1,2,3,4]'$$, 'kind < 30'),
	($$e::vector <-> '[1,2,3,4]'$$, 'kind < 30'),
	($$e::vector(4) <-> '[1,2,3,4]'$$, 'kind < 30'),
	($$raw::vector(4) <-> '[1,2,3,4]'$$, 'kind < 30'),
	($$raw::vector(4) <-> '[1,2,3,4]'$$, 'kind < 50'),
	($$raw::vector(4) <-> '[1,2,3,4]'$$, 'kind < 50 AND id % 2 = 0'),
	($$raw::vector(4) <-> '[1,2,3,4]'$$, 'kind < 70'),
	($$-l2_distance(raw::vector(4), '[1,2,3,4]') DESC NULLS LAST$$, 'kind < 50'),
	($$-l2_distance(raw::vector(4), '[1,2,3,4]') DESC$$, 'kind < 50')
) s(e, c);
SELECT plan($$SELECT id FROM special WHERE "Year"::int < 1950 ORDER BY e <-> '[1,2,3,4]' LIMIT 5$$);
-- the expressions that conditions on jsonb make, for which there is an index or not
SELECT plan($$SELECT id FROM docs WHERE (m ->> 'year')::int >= 2000 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE jsonb_path_match(m, '$.year > 2000') ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
CREATE INDEX docs_m ON docs USING gin (m);
SELECT plan($$SELECT id FROM docs WHERE m @> '{"year": 2000}' ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
DROP INDEX docs_m;

--
-- Row-level security and leaky functions
--
CREATE FUNCTION leak(int) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS $$
BEGIN
	IF $1 >= 10 THEN RAISE EXCEPTION 'row of kind % seen', $1; END IF;
	RETURN true;
END $$;
CREATE ROLE regress_planner_paths;
GRANT SELECT ON docs TO regress_planner_paths;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_kinds ON docs FOR SELECT USING (kind < 10);
SET ROLE regress_planner_paths;
-- the policy may be asked by an index, and is asked first
SELECT plan($$SELECT id FROM docs WHERE leak(kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT count(*) FROM (SELECT FROM docs WHERE leak(kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 500) s;
SET vecdb.filter_strategy = vector;
SELECT count(*) FROM (SELECT FROM docs WHERE leak(kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 500) s;
RESET vecdb.filter_strategy;
-- so is what is leakproof; what may be leaky is not asked by an index
SELECT plan($$SELECT id FROM docs WHERE id < 2000 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM docs WHERE name LIKE 'name 5%' ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
-- an order alone is a filtered search
SELECT plan($$SELECT id FROM docs ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
RESET ROLE;
DROP POLICY some_kinds ON docs;
CREATE POLICY some_kinds ON docs FOR SELECT USING (kind * 2 < 20);
SET ROLE regress_planner_paths;
SELECT plan($$SELECT id FROM docs WHERE leak(kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT count(*) FROM (SELECT FROM docs WHERE leak(kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 500) s;
RESET ROLE;
DROP POLICY some_kinds ON docs;
ALTER TABLE docs DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON docs FROM regress_planner_paths;
DROP ROLE regress_planner_paths;
-- a view that is a barrier keeps leaky conditions out
CREATE VIEW few WITH (security_barrier) AS SELECT * FROM docs WHERE kind < 10;
SELECT plan($$SELECT id FROM few WHERE id < 2000 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM few WHERE leak(kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT count(*) FROM (SELECT FROM few WHERE leak(kind) ORDER BY v <-> '[1,2,3,4]' LIMIT 500) s;
DROP VIEW few;
DROP FUNCTION leak;

--
-- Partitions, children, UNION ALL: one node for each, merged
--
CREATE TABLE parts (id int, kind int, v vector(4) NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (5001) WITH (autovacuum_enabled = off);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (5001) TO (10001) PARTITION BY LIST (kind);
CREATE TABLE parts_2_all PARTITION OF parts_2 DEFAULT WITH (autovacuum_enabled = off);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (10001) TO (20001) WITH (autovacuum_enabled = off);
CREATE INDEX parts_v ON parts USING hnsw (v) WITH (m = 8, ef_construction = 16);
CREATE INDEX parts_kind ON parts (kind);
INSERT INTO parts SELECT id, kind, n FROM docs;
ANALYZE parts;
SELECT plan($$SELECT id FROM parts WHERE kind < 50 AND id <= 10000 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT wanted($$SELECT id FROM parts WHERE kind < 50 AND id <= 10000 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id, -(v <-> '[1,2,3,4]') AS score FROM parts WHERE kind < 50 AND id <= 5000 ORDER BY score DESC LIMIT 5$$);
SELECT plan($$SELECT id FROM parts WHERE kind < 50 AND id BETWEEN 4000 AND 6000 ORDER BY v <-> '[1,2,3,4]', id LIMIT 5$$);
SELECT same_answer($$SELECT id AS d FROM parts WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 20$$);
SELECT same_answer($$SELECT id AS d FROM parts WHERE kind < 50 ORDER BY -(v <-> '[1,2,3,4]') DESC, id LIMIT 20$$);
DROP TABLE parts;
CREATE TABLE child () INHERITS (special) WITH (autovacuum_enabled = off);
INSERT INTO child SELECT id, kind, id % 100, n, n, n::real[] FROM docs WHERE id > 5000;
CREATE INDEX ON child USING hnsw ((u::vector(4)) vector_l2_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX ON child (kind);
ANALYZE child;
SELECT plan($$SELECT id FROM special WHERE kind < 50 ORDER BY u::vector(4) <-> '[1,2,3,4]' LIMIT 5$$);
SELECT plan($$SELECT id FROM ONLY special WHERE kind < 50 ORDER BY u::vector(4) <-> '[1,2,3,4]' LIMIT 5$$);
SELECT same_answer($$SELECT id AS d FROM special WHERE kind < 50 ORDER BY u::vector(4) <-> '[1,2,3,4]' LIMIT 20$$);
SELECT plan($$SELECT id FROM (SELECT id, kind, u::vector(4) <-> '[1,2,3,4]' AS d FROM ONLY special UNION ALL
	SELECT id, kind, l2_distance(v, '[1,2,3,4]') FROM docs) s WHERE kind < 50 ORDER BY d LIMIT 5$$);
DROP TABLE special CASCADE;
DROP DOMAIN embedding;

--
-- In a parallel worker: the plan survives the way
--
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;
SELECT plan($$SELECT id FROM docs WHERE kind < 50 ORDER BY v <-> '[1,2,3,4]' LIMIT 5$$);
DO $$ BEGIN
	PERFORM set_config(name, 'on', false) FROM pg_settings
	WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
END $$;
SET vecdb.filter_strategy = exact;
SELECT plan($$SELECT id FROM docs WHERE kind = 5 ORDER BY n <=> '[1,2,3,4]' LIMIT 5$$);
SELECT id, round((1 - (n <=> '[1,2,3,4]'))::numeric, 5) AS score FROM docs
	WHERE kind = 5 AND 1 - (n <=> '[1,2,3,4]') > 0.5 ORDER BY 1 - (n <=> '[1,2,3,4]') DESC LIMIT 3 OFFSET 1;
RESET vecdb.filter_strategy;
DO $$ BEGIN
	PERFORM set_config(name, 'off', false) FROM pg_settings
	WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
END $$;
SELECT id, round((1 - (n <=> '[1,2,3,4]'))::numeric, 5) AS score FROM docs
	WHERE kind = 5 AND 1 - (n <=> '[1,2,3,4]') > 0.5 ORDER BY 1 - (n <=> '[1,2,3,4]') DESC LIMIT 3 OFFSET 1;
SET max_parallel_workers_per_gather = 0;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;

--
-- Advice: the index that would have served
--
CREATE FUNCTION advice(conditions text, tab text DEFAULT '"Doc s"') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	result text;
BEGIN
	SET LOCAL vecdb.filter_strategy = exact;
	FOR line IN EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
			SELECT * FROM %s AS x WHERE %s ORDER BY "My v" <-> ''[1,2,3,4]'' LIMIT 5', tab, conditions) LOOP
		result := coalesce(result, substring(line FROM 'Advice: (.*)'));
	END LOOP;
	SET LOCAL vecdb.filter_strategy = auto;
	RETURN result;
END $$;
CREATE TABLE "Doc s" (id int, "Kind" int, name varchar(20), tags text[], m jsonb, ok boolean, "My v" vector(4));
INSERT INTO "Doc s" SELECT id, kind, name, ARRAY[name], m, kind < 50, n FROM docs WHERE id <= 2000;
CREATE INDEX ON "Doc s" USING hnsw ("My v") WITH (m = 8, ef_construction = 16);
ANALYZE "Doc s";
SELECT c AS condition, advice(c) FROM unnest(ARRAY[
	$$"Kind" = 5$$,
	$$5 > "Kind"$$,
	$$"Kind" IN (5, 7)$$,
	$$name = 'name 5'$$,
	$$lower(name) = 'name 5'$$,
	$$m ->> 'year' = '2000'$$,
	$$(m ->> 'year')::float8 >= 2000$$,
	$$m @~ '{"year": 2000}'$$,
	$$m @> '{"year": 2000}'$$,
	$$tags @> '{name 5}'$$,
	$$'name 5' = ANY (tags)$$,
	-- the one that few rows satisfy
	$$"Kind" < 99 AND id = 5$$,
	$$id < 1900 AND "Kind" = 99$$,
	-- none
	$$"Kind" <> 5$$,
	$$ok$$,
	$$name LIKE '%5'$$,
	$$id = "Kind"$$,
	$$id = 5 OR "Kind" = 5$$,
	$$jsonb_path_match(m, '$.year > 2000')$$,
	$$name || current_date = 'x'$$,
	$$"My v" <-> '[1,2,3,4]' < 5$$
]) c;
CREATE INDEX ON "Doc s" ("Kind");
SELECT advice('"Kind" = 5');
SET enable_bitmapscan = off;
SELECT advice('"Kind" = 5');
RESET enable_bitmapscan;
CREATE SCHEMA apart;
ALTER TABLE "Doc s" SET SCHEMA apart;
SELECT advice('id = 5', 'apart."Doc s"');
DROP SCHEMA apart CASCADE;

DROP TABLE docs;
DROP FUNCTION advice, same_answer, order_scan, scan, wanted, plan, sample_vector;
