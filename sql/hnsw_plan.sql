-- When the planner takes an hnsw index.  All settings that the plans depend on:
SET seq_page_cost = 1;
SET random_page_cost = 4;
SET cpu_tuple_cost = 0.01;
SET cpu_index_tuple_cost = 0.005;
SET cpu_operator_cost = 0.0025;
SET effective_cache_size = '4GB';
SET max_parallel_workers_per_gather = 0;
SET jit = off;

CREATE FUNCTION sample_vector(i bigint, dim int) RETURNS vector LANGUAGE sql IMMUTABLE AS
	$$ SELECT array_agg(sin(i * j + j * j))::vector FROM generate_series(1, dim) j $$;
-- A plan without conditions and costs, a line a node, the same in all versions
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		CONTINUE WHEN line ~ '^ *(Sort Key|Filter|Order By|Window|Disabled|Index|Recheck Cond):';
		RETURN NEXT regexp_replace(line, ' \(returns .*\)', '');
	END LOOP;
END $$;
-- The kind of scan that a search takes
CREATE FUNCTION choice(tab text, k int) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN bool_or(line ~ 'Index Scan using') THEN 'index' ELSE 'sort' END
	FROM plan(format('SELECT id FROM %I ORDER BY v <-> (SELECT v FROM query) LIMIT %s', tab, k)) line
$$;

--
-- Sizes
--
CREATE TABLE d4_10 (id int, v vector(4)) WITH (autovacuum_enabled = off);
CREATE TABLE d4_1000 (id int, v vector(4)) WITH (autovacuum_enabled = off);
CREATE TABLE d4_50000 (id int, v vector(4)) WITH (autovacuum_enabled = off);
CREATE TABLE d384_50 (id int, v vector(384)) WITH (autovacuum_enabled = off);
CREATE TABLE d384_500 (id int, v vector(384)) WITH (autovacuum_enabled = off);
-- out of line
CREATE TABLE d768_300 (id int, v vector(768)) WITH (autovacuum_enabled = off);
INSERT INTO d4_10 SELECT i, sample_vector(i, 4) FROM generate_series(1, 10) i;
INSERT INTO d4_1000 SELECT i, sample_vector(i, 4) FROM generate_series(1, 1000) i;
INSERT INTO d4_50000 SELECT i, ARRAY[i % 211, i % 223, i % 227, i % 229]::vector FROM generate_series(1, 50000) i;
INSERT INTO d384_50 SELECT i, sample_vector(i, 384) FROM generate_series(1, 50) i;
INSERT INTO d384_500 SELECT i, sample_vector(i, 384) FROM generate_series(1, 500) i;
INSERT INTO d768_300 SELECT i, sample_vector(i, 768) FROM generate_series(1, 300) i;
CREATE INDEX ON d4_10 USING hnsw (v);
CREATE INDEX ON d4_1000 USING hnsw (v);
CREATE INDEX ON d4_50000 USING hnsw (v) WITH (m = 8, ef_construction = 16);
CREATE INDEX ON d384_50 USING hnsw (v);
CREATE INDEX ON d384_500 USING hnsw (v);
CREATE INDEX ON d768_300 USING hnsw (v);
ANALYZE d4_10, d4_1000, d4_50000, d384_50, d384_500, d768_300;
CREATE TABLE query AS SELECT 1 AS id, '[1,2,3,4]'::vector(4) AS v;
SELECT tab, choice(tab, 10) AS of_10 FROM unnest('{d4_10,d4_1000,d4_50000,d384_50,d384_500,d768_300}'::text[]) tab;
-- the more rows are wanted, the rather a sort
SELECT k, choice('d4_50000', k) FROM unnest('{1,10,100,500,5000,50000}'::int[]) k;
SELECT k, choice('d768_300', k) FROM unnest('{1,10,50,150,300}'::int[]) k;
-- ef_search is what a search costs
SET hnsw.ef_search = 1000;
SELECT tab, choice(tab, 10) AS of_10 FROM unnest('{d4_1000,d4_50000,d384_500}'::text[]) tab;
RESET hnsw.ef_search;
ALTER INDEX d384_500_v_idx SET (ef_search = 500);
SELECT choice('d384_500', 10);
ALTER INDEX d384_500_v_idx RESET (ef_search);
-- pages that do not fit the cache are dear, yet the table is no better off
SET effective_cache_size = '1MB';
SELECT tab, choice(tab, 10) AS of_10 FROM unnest('{d4_1000,d4_50000,d768_300}'::text[]) tab;
SET effective_cache_size = '4GB';

-- where all rows are needed, never
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <-> ''[1,2,3,4]''');
SELECT plan('SELECT id FROM d768_300 ORDER BY v <-> (SELECT sample_vector(1, 768))');
SELECT plan('SELECT count(*) FROM d4_50000');
SELECT plan('SELECT id, rank() OVER (ORDER BY v <-> ''[1,2,3,4]'') FROM d4_50000');
-- the least distance is that of the nearest row
SELECT plan('SELECT min(v <-> ''[1,2,3,4]'') FROM d4_50000');
-- another operator is not the index's, nor is the other direction
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <=> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <-> ''[1,2,3,4]'' DESC LIMIT 5');

--
-- Queries
--
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
-- either side
SELECT plan('SELECT id FROM d4_50000 ORDER BY ''[1,2,3,4]'' <-> v LIMIT 5');
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <-> (SELECT v FROM query) LIMIT 5');
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <-> (SELECT v FROM query) FETCH FIRST 5 ROWS WITH TIES');
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5 OFFSET 20');
SELECT plan('SELECT id FROM d4_50000 WHERE id % 2 = 0 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT * FROM query q CROSS JOIN LATERAL (SELECT id FROM d4_50000 t ORDER BY t.v <-> q.v LIMIT 5) s');
SELECT plan('WITH s AS MATERIALIZED (SELECT id, v <-> ''[1,2,3,4]'' AS d FROM d4_50000 ORDER BY d LIMIT 5)
	SELECT * FROM s WHERE d < 3 ORDER BY id');
SELECT plan('SELECT id FROM d4_50000 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5 FOR UPDATE');
SELECT plan('SELECT EXISTS (SELECT FROM d4_50000 ORDER BY v <-> ''[1,2,3,4]'')');
-- few rows match: those, sorted
CREATE INDEX d4_50000_id ON d4_50000 (id);
SELECT plan('SELECT id FROM d4_50000 WHERE id < 50 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
DROP INDEX d4_50000_id;
-- the answers of LATERAL, with a scan that starts anew for each row
SELECT q.id, s.id FROM (SELECT i AS id, sample_vector(i, 4) AS v FROM generate_series(1, 3) i) q
	CROSS JOIN LATERAL (SELECT id FROM d4_1000 t ORDER BY t.v <-> q.v LIMIT 1) s ORDER BY 1;

-- parameters: custom and generic plans
PREPARE nearest(vector, int) AS SELECT id FROM d4_1000 ORDER BY v <-> $1 LIMIT $2;
SET plan_cache_mode = force_generic_plan;
SELECT plan('EXECUTE nearest(sample_vector(77, 4), 1)');
EXECUTE nearest(sample_vector(77, 4), 1);
EXECUTE nearest(sample_vector(99, 4), 1);
SET plan_cache_mode = force_custom_plan;
SELECT plan('EXECUTE nearest(sample_vector(77, 4), 1)');
EXECUTE nearest(sample_vector(77, 4), 1);
RESET plan_cache_mode;
DEALLOCATE nearest;

--
-- Partial and expression indexes
--
CREATE TABLE docs (id int, kind int, v vector(4), raw real[]) WITH (autovacuum_enabled = off);
INSERT INTO docs SELECT i, i % 10, sample_vector(i, 4), sample_vector(i, 4)::real[] FROM generate_series(1, 5000) i;
CREATE INDEX docs_partial ON docs USING hnsw (v) WHERE kind = 3;
CREATE INDEX docs_raw ON docs USING hnsw ((raw::vector(4)) vector_cosine_ops);
CREATE INDEX docs_part ON docs USING hnsw ((subvector(v, 1, 2)::vector(2)));
ANALYZE docs;
SELECT plan('SELECT id FROM docs WHERE kind = 3 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM docs WHERE kind = 4 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM docs ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM docs ORDER BY raw::vector(4) <=> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM docs ORDER BY raw::vector <=> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM docs ORDER BY subvector(v, 1, 2)::vector(2) <-> ''[1,2]'' LIMIT 5');
-- a partial index is no way to read what its predicate selects
SELECT plan('SELECT count(*) FROM docs WHERE kind = 3');
SET enable_seqscan = off;
SELECT plan('SELECT count(*) FROM docs WHERE kind = 3');
SELECT plan('SELECT id FROM docs WHERE kind = 3 ORDER BY v <=> ''[1,2,3,4]'' LIMIT 5');
RESET enable_seqscan;
-- the answers are those of a sort
CREATE FUNCTION same_answer(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	by_index int[];
	by_sort int[];
BEGIN
	EXECUTE format('SELECT array_agg(id) FROM (%s) s', query) INTO by_index;
	SET LOCAL enable_indexscan = off;
	EXECUTE format('SELECT array_agg(id) FROM (%s) s', query) INTO by_sort;
	SET LOCAL enable_indexscan = on;
	RETURN by_index = by_sort;
END $$;
SELECT same_answer('SELECT id FROM docs WHERE kind = 3 ORDER BY v <-> ''[1,0.2,0.3,0.4]'' LIMIT 5');
SELECT same_answer('SELECT id FROM docs ORDER BY raw::vector(4) <=> ''[1,0.2,0.3,0.4]'' LIMIT 5');
SELECT same_answer('SELECT id FROM docs ORDER BY subvector(v, 1, 2)::vector(2) <-> ''[0.1,0.2]'' LIMIT 5');

--
-- Partitions: the nearest of each, merged
--
CREATE TABLE parts (id int, v vector(4)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (3000) WITH (autovacuum_enabled = off);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (3000) TO (6000) WITH (autovacuum_enabled = off);
CREATE INDEX parts_idx ON parts USING hnsw (v) WITH (ef_search = 20);
INSERT INTO parts SELECT i, sample_vector(i, 4) FROM generate_series(1, 5999) i;
ANALYZE parts;
SELECT relname, relkind, reloptions FROM pg_class WHERE relname LIKE 'parts%idx' ORDER BY 1;
SELECT plan('SELECT id FROM parts ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM parts WHERE id < 1000 ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT plan('SELECT id FROM parts ORDER BY v <-> ''[1,2,3,4]''');
SELECT same_answer('SELECT id FROM parts ORDER BY v <-> ''[0.1,0.2,0.3,0.4]'' LIMIT 5');
-- children of a table that is inherited from
CREATE TABLE base (id int, v vector(4)) WITH (autovacuum_enabled = off);
CREATE TABLE child () INHERITS (base) WITH (autovacuum_enabled = off);
INSERT INTO base SELECT i, sample_vector(i, 4) FROM generate_series(1, 2000) i;
INSERT INTO child SELECT i, sample_vector(i, 4) FROM generate_series(2001, 4000) i;
CREATE INDEX ON base USING hnsw (v);
CREATE INDEX ON child USING hnsw (v);
ANALYZE base, child;
SELECT plan('SELECT id FROM base ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');

-- empty and never analyzed
CREATE TABLE fresh (id int, v vector(4)) WITH (autovacuum_enabled = off);
CREATE INDEX ON fresh USING hnsw (v);
SET enable_seqscan = off;
SELECT plan('SELECT id FROM fresh ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT id FROM fresh ORDER BY v <-> '[1,2,3,4]' LIMIT 5;
RESET enable_seqscan;

DROP TABLE d4_10, d4_1000, d4_50000, d384_50, d384_500, d768_300, query, docs, parts, base, child, fresh;
DROP FUNCTION same_answer, choice, plan, sample_vector;
