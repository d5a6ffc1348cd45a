-- hnsw indexes of halfvec: the operator classes, searches, filters, upkeep
CREATE SCHEMA hnsw_halfvec;
SET search_path = hnsw_halfvec, public;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- there is no default class, as in pgvector
CREATE TABLE t (id int PRIMARY KEY, h halfvec(3));
CREATE INDEX ON t USING hnsw (h);
CREATE INDEX ON t USING hnsw (h vector_l2_ops);
CREATE TABLE plain (h halfvec, v vector(3));
CREATE INDEX ON plain USING hnsw (h halfvec_l2_ops);
CREATE INDEX ON plain USING hnsw (v halfvec_l2_ops);
DROP TABLE t, plain;

-- each class, each search beside the exact answer; NULLs, zeroes and duplicates among the rows
CREATE TABLE item (id int PRIMARY KEY, tenth int, h halfvec(24));
INSERT INTO item
SELECT i, i % 10, CASE WHEN i % 50 = 7 THEN NULL WHEN i % 50 = 8 THEN array_fill(0, '{24}')::halfvec
	ELSE (SELECT array_agg(((hashint4extended((i - i % 3) * 100 + d, 1) & 4095) - 2048) / 512.0 ORDER BY d)
		FROM generate_series(1, 24) d)::halfvec END
FROM generate_series(1, 3000) i;
CREATE INDEX item_l2 ON item USING hnsw (h halfvec_l2_ops);
CREATE INDEX item_ip ON item USING hnsw (h halfvec_ip_ops);
CREATE INDEX item_cosine ON item USING hnsw (h halfvec_cosine_ops);
CREATE INDEX item_l1 ON item USING hnsw (h halfvec_l1_ops);
CREATE INDEX item_tenth ON item (tenth);
ANALYZE item;
-- the index of the nearest rows of a query, the plan that gives them and how many it finds
CREATE FUNCTION search(operator text, condition text, OUT node text, OUT index text, OUT n int, OUT hits int)
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	query text;
	best float8[];
	got float8[];
	q halfvec;
BEGIN
	n := 0;
	hits := 0;
	FOR i IN 1..20 LOOP
		SELECT h INTO q FROM item WHERE id = i * 100 + 1;
		q := q + (SELECT array_agg(d % 5 - 2) FROM generate_series(1, 24) d)::halfvec;
		query := format('SELECT h %s %L AS d FROM item WHERE %s ORDER BY h %1$s %2$L LIMIT 10', operator, q, condition);
		SET LOCAL enable_seqscan = off;
		EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
		node := coalesce(plan -> 0 -> 'Plan' -> 'Plans' -> 0 ->> 'Custom Plan Provider',
						 plan -> 0 -> 'Plan' -> 'Plans' -> 0 ->> 'Node Type');
		index := coalesce(plan -> 0 -> 'Plan' -> 'Plans' -> 0 ->> 'Index',
						  plan -> 0 -> 'Plan' -> 'Plans' -> 0 ->> 'Index Name');
		EXECUTE format('SELECT array_agg(d) FROM (%s) s', query) INTO got;
		SET LOCAL enable_seqscan = on;
		SET LOCAL enable_indexscan = off;
		SET LOCAL vecdb.enable_scan = off;
		EXECUTE format('SELECT array_agg(d) FROM (%s) s', query) INTO best;
		RESET vecdb.enable_scan;
		RESET enable_indexscan;
		RESET enable_seqscan;
		n := n + cardinality(got);
		hits := hits + (SELECT count(*) FROM unnest(got) d WHERE d <= best[10]);
	END LOOP;
END $$;
SELECT operator, condition, node, index, n, hits >= n - 2 AS found
FROM unnest('{<->,<#>,<=>,<+>}'::text[]) operator, unnest('{true,tenth = 3,id % 100 = 5}'::text[]) condition,
	search(operator, condition)
ORDER BY condition, operator COLLATE "C";
-- what shall be: sound, and of the type that the README says
SELECT * FROM vecdb_index_check('item_l2', true) UNION ALL SELECT * FROM vecdb_index_check('item_ip', true)
UNION ALL SELECT * FROM vecdb_index_check('item_cosine', true) UNION ALL SELECT * FROM vecdb_index_check('item_l1', true);
SELECT i, type, dimensions, metric, m, codec, heap_tids, live_nodes < heap_tids AS duplicates_share
FROM unnest('{item_l2,item_ip,item_cosine,item_l1}'::regclass[]) i, vecdb_index_info(i);
SELECT i, recall > 0.98 AS recall
FROM unnest('{item_l2,item_ip,item_cosine,item_l1}'::regclass[]) i, vecdb_index_recall(i, 30, 10, 100);
SELECT vecdb_index_prewarm('item_l2') = pg_relation_size('item_l2') / current_setting('block_size')::int AS prewarmed;

-- the other forms of an order by distance, and filters
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		RETURN NEXT regexp_replace(line, '\[[-0-9.,]+\]', '[...]', 'g');
	END LOOP;
END $$;
SET enable_seqscan = off;
CREATE FUNCTION q() RETURNS halfvec LANGUAGE sql IMMUTABLE AS $$ SELECT array_fill(1, '{24}')::halfvec $$;
SELECT plan('SELECT id FROM item ORDER BY h <-> q() LIMIT 5');
SELECT plan('SELECT id FROM item WHERE tenth = 3 ORDER BY h <-> q() LIMIT 5');
SELECT plan('SELECT id FROM item WHERE h IS NOT NULL ORDER BY 1 - (h <=> q()) DESC LIMIT 5');
SELECT plan('SELECT id FROM item WHERE h IS NOT NULL ORDER BY inner_product(h, q()) DESC LIMIT 5');
SELECT plan('SELECT id FROM item WHERE h <-> q() < 3 ORDER BY l2_distance(q(), h), id LIMIT 5');
-- a vector as the query becomes a halfvec
SELECT plan('SELECT id FROM item ORDER BY h <-> q()::vector LIMIT 5');
-- a query that is NULL, of another dimension, zero
SELECT count(*), count(h) FROM (SELECT h FROM item ORDER BY h <-> (SELECT NULL::halfvec)) s;
SELECT id FROM item ORDER BY h <-> '[1,2]' LIMIT 1;
SELECT count(*) FROM (SELECT h FROM item ORDER BY h <=> array_fill(0, '{24}')::halfvec) s;
-- all rows in order, for whoever asks for all
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM item ORDER BY h <-> q()) s;

-- inserts, updates, deletes and VACUUM
INSERT INTO item SELECT id + 10000, tenth, h * array_fill(0.5, '{24}')::halfvec FROM item WHERE id % 7 = 0;
UPDATE item SET h = h + q() WHERE id % 11 = 0;
UPDATE item SET tenth = 3 WHERE id % 13 = 0;
DELETE FROM item WHERE id % 5 = 0;
VACUUM item;
INSERT INTO item SELECT id + 20000, tenth, h FROM item WHERE id % 17 = 0;
SELECT * FROM vecdb_index_check('item_l2', true) UNION ALL SELECT * FROM vecdb_index_check('item_ip', true)
UNION ALL SELECT * FROM vecdb_index_check('item_cosine', true) UNION ALL SELECT * FROM vecdb_index_check('item_l1', true);
SELECT i, recall > 0.97 AS recall
FROM unnest('{item_l2,item_ip,item_cosine,item_l1}'::regclass[]) i, vecdb_index_recall(i, 30, 10, 100);
-- a value of another dimension, and one that no halfvec can have
INSERT INTO item VALUES (0, 0, '[1]');
INSERT INTO item VALUES (0, 0, ('[70000' || repeat(',1', 23) || ']')::vector);
DROP TABLE item CASCADE;

-- a halfvec index on a column of vectors: half the memory, the column as it was
CREATE TABLE doc (id int, embedding vector(3));
INSERT INTO doc SELECT i, ARRAY[i % 17, i % 13, i % 11]::vector + '[0.001,0.001,0.001]' FROM generate_series(1, 2000) i;
CREATE INDEX doc_half ON doc USING hnsw ((embedding::halfvec(3)) halfvec_l2_ops);
ANALYZE doc;
SELECT indexdef FROM pg_indexes WHERE indexname = 'doc_half';
EXPLAIN (COSTS OFF) SELECT id FROM doc ORDER BY embedding::halfvec(3) <-> '[3,4,5]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM doc WHERE id % 2 = 0 ORDER BY embedding::halfvec(3) <-> '[3,4,5]' LIMIT 5;
SELECT id FROM (SELECT id, embedding FROM doc ORDER BY embedding::halfvec(3) <-> '[3,4,5]', id LIMIT 3) s;
SELECT id FROM doc WHERE id % 2 = 0 ORDER BY embedding::halfvec(3) <-> '[3,4,5]', id LIMIT 3;
-- more candidates by the index, ordered by the vectors themselves
SELECT id FROM (SELECT id, embedding FROM doc ORDER BY embedding::halfvec(3) <-> '[3,4,5]' LIMIT 20) s
	ORDER BY embedding <-> '[3,4,5]', id LIMIT 3;
-- not by another expression
EXPLAIN (COSTS OFF) SELECT id FROM doc ORDER BY embedding <-> '[3,4,5]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM doc ORDER BY embedding::halfvec(3) <=> '[3,4,5]' LIMIT 5;
SELECT * FROM vecdb_index_check('doc_half', true);
SELECT type, dimensions, metric, heap_tids FROM vecdb_index_info('doc_half');
SELECT queries, recall > 0.98 AS recall FROM vecdb_index_recall('doc_half', 20, 10, 100);
-- subvectors, and bits of halfvecs
CREATE INDEX doc_part ON doc USING hnsw ((subvector(embedding, 1, 2)::halfvec(2)) halfvec_cosine_ops);
EXPLAIN (COSTS OFF) SELECT id FROM doc ORDER BY subvector(embedding, 1, 2)::halfvec(2) <=> '[3,4]' LIMIT 5;
INSERT INTO doc VALUES (0, '[0,0,1e5]');
DROP TABLE doc;

-- 16,000 dimensions, and one; vectors and halfvecs of the same numbers find the same
CREATE TABLE wide (h halfvec(16000));
INSERT INTO wide SELECT array_fill(i, '{16000}')::halfvec FROM generate_series(1, 20) i;
CREATE INDEX wide_index ON wide USING hnsw (h halfvec_l2_ops);
INSERT INTO wide VALUES (array_fill(21, '{16000}')::halfvec);
SELECT halfvec_get(h, 16000) FROM wide ORDER BY h <-> (SELECT array_fill(20.9, '{16000}')::halfvec) LIMIT 3;
SELECT * FROM vecdb_index_check('wide_index', true);
DROP TABLE wide;
CREATE TABLE narrow (h halfvec(1), v vector(1));
INSERT INTO narrow SELECT ARRAY[i]::halfvec, ARRAY[i]::vector FROM generate_series(-2048, 2048) i;
CREATE INDEX narrow_h ON narrow USING hnsw (h halfvec_l2_ops);
CREATE INDEX narrow_v ON narrow USING hnsw (v vector_l2_ops);
SELECT array_agg(h) AS h FROM (SELECT h FROM narrow ORDER BY h <-> '[100.2]' LIMIT 5) s;
SELECT array_agg(v) AS v FROM (SELECT v FROM narrow ORDER BY v <-> '[100.2]' LIMIT 5) s;
SELECT h.vector_bytes = v.vector_bytes AND h.size = v.size AS same_layout
FROM vecdb_index_info('narrow_h') h, vecdb_index_info('narrow_v') v;
DROP TABLE narrow;

-- operator classes that mix the types are not sound
CREATE OPERATOR CLASS half_as_vector_ops FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <-> FOR ORDER BY float_ops, FUNCTION 1 vecdb_hnsw_vector_l2(internal);
CREATE OPERATOR CLASS half_mixed_ops FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <#> FOR ORDER BY float_ops, FUNCTION 1 vecdb_hnsw_halfvec_l2(internal);
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcname LIKE 'half\__%' AND opcname NOT LIKE 'halfvec%' ORDER BY 1;
DROP OPERATOR FAMILY half_as_vector_ops USING hnsw;
DROP OPERATOR FAMILY half_mixed_ops USING hnsw;
DROP SCHEMA hnsw_halfvec CASCADE;
