--
-- hnsw on bit
--
SET client_min_messages = warning;
SET max_parallel_maintenance_workers = 0;

-- 600 strings of 100 bits, each some bits from one of 20; a NULL
CREATE FUNCTION bits(id int, center int) RETURNS bit(100) LANGUAGE sql
	RETURN (SELECT string_agg(((hashint4(center * 1000 + i) & 1) # (CASE WHEN hashint4(id * 1000 + i) & 7 = 0 THEN 1 ELSE 0 END))::text, '' ORDER BY i)
		FROM generate_series(1, 100) i)::bit(100);
CREATE TABLE b (id int PRIMARY KEY, kind int, v bit(100));
INSERT INTO b SELECT i, i % 3, bits(i, i % 20) FROM generate_series(1, 600) i;
INSERT INTO b VALUES (0, 0, repeat('0', 100)::bit(100)), (-1, 0, NULL);

CREATE FUNCTION found(op text, OUT share float8, OUT ordered bool) LANGUAGE plpgsql AS $$
DECLARE
	query bit(100);
	exact float8[];
	got float8[];
	plan text;
	hits int := 0;
BEGIN
	ordered := true;
	FOR center IN 0..19 LOOP
		query := bits(10000 + center, center);
		PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true);
		EXECUTE format('SELECT array_agg(d) FROM (SELECT v %1$s $1 AS d FROM b WHERE v IS NOT NULL ORDER BY 1 LIMIT 10) x', op) INTO exact USING query;
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
		EXECUTE format('SELECT array_agg(d) FROM (SELECT v %1$s $1 AS d FROM b ORDER BY v %1$s $1 LIMIT 10) x', op) INTO got USING query;
		EXECUTE format('EXPLAIN (FORMAT json) SELECT id FROM b ORDER BY v %1$s %2$L LIMIT 10', op, query) INTO plan;
		ordered := ordered AND plan LIKE '%"Index Name": "b_%' AND got = (SELECT array_agg(d ORDER BY d) FROM unnest(got) d);
		hits := hits + (SELECT count(*) FROM unnest(got) d WHERE d <= exact[10]);
	END LOOP;
	share := hits / 200.0;
END $$;

CREATE INDEX b_hamming ON b USING hnsw (v bit_hamming_ops);
CREATE INDEX b_jaccard ON b USING hnsw (v bit_jaccard_ops);
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<~>,<%>}'::text[]) op, found(op);

-- all rows but NULL, also those without a bit, whose Jaccard distance is 1
SET enable_seqscan = off;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM b ORDER BY v <~> bits(1, 1)) x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM b ORDER BY v <%> bits(1, 1)) x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM b ORDER BY v <%> repeat('0', 100)::bit(100)) x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM b ORDER BY v <~> (SELECT NULL::bit(100))) x;
SELECT id FROM b ORDER BY v <~> repeat('0', 100)::bit(100) LIMIT 1;
SELECT id FROM b ORDER BY v <~> B'101' LIMIT 1;
SELECT name, type, dimensions, metric, slots, codec, bits, nodes_per_page, live_nodes > 600 AS nodes,
		(SELECT count(*) FROM vecdb_index_check(name::regclass, true)) AS problems
	FROM unnest('{b_hamming,b_jaccard}'::text[]) name, vecdb_index_info(name::regclass);
SELECT recall >= 0.95 AS recall FROM vecdb_index_recall('b_hamming', 40, 10);
SELECT recall >= 0.95 AS recall FROM vecdb_index_recall('b_jaccard', 40, 10);

-- filtered searches
EXPLAIN (COSTS OFF) SELECT id FROM b WHERE kind = 1 ORDER BY v <~> repeat('10', 50)::bit(100) LIMIT 5;
SELECT id, v <~> bits(10001, 1) AS hamming FROM b WHERE kind = 1 ORDER BY v <~> bits(10001, 1), id LIMIT 3;
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT id, v <~> bits(10001, 1) AS hamming FROM b WHERE kind = 1 ORDER BY v <~> bits(10001, 1), id LIMIT 3;
RESET enable_indexscan;
SET enable_seqscan = off;

-- rows come and go
INSERT INTO b SELECT i, i % 3, bits(i, i % 20) FROM generate_series(601, 900) i;
INSERT INTO b SELECT 1000 + i, 0, bits(i, i % 20) FROM generate_series(1, 50) i;
UPDATE b SET kind = kind + 1 WHERE id % 7 = 0;
UPDATE b SET v = bits(id + 5000, id % 20) WHERE id % 11 = 0;
DELETE FROM b WHERE id % 7 = 3;
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<~>,<%>}'::text[]) op, found(op);
VACUUM b;
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<~>,<%>}'::text[]) op, found(op);
INSERT INTO b SELECT i, i % 3, bits(i, i % 20) FROM generate_series(2001, 2200) i;
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<~>,<%>}'::text[]) op, found(op);
SELECT name, (SELECT count(*) FROM vecdb_index_check(name::regclass, true)) AS problems, dying_nodes
	FROM unnest('{b_hamming,b_jaccard}'::text[]) name, vecdb_index_info(name::regclass);
DROP TABLE b;
DROP FUNCTION found, bits;

-- binary quantization: an index on the signs, the order by the vectors themselves
CREATE TABLE q (id int, v vector(8));
INSERT INTO q SELECT i, ARRAY(SELECT hashint4(i * 100 + j) / 1e9 FROM generate_series(1, 8) j)::vector FROM generate_series(1, 100) i;
CREATE INDEX q_bits ON q USING hnsw ((binary_quantize(v)::bit(8)) bit_hamming_ops);
EXPLAIN (COSTS OFF) SELECT id FROM q ORDER BY binary_quantize(v)::bit(8) <~> binary_quantize('[1,-1,1,1,-1,1,1,1]'::vector) LIMIT 5;
SELECT count(*) FROM (SELECT id FROM q ORDER BY binary_quantize(v)::bit(8) <~> binary_quantize('[1,-1,1,1,-1,1,1,1]'::vector)) x;
SELECT binary_quantize(v)::bit(8) <~> B'10110111' AS hamming FROM q ORDER BY binary_quantize(v)::bit(8) <~> B'10110111' LIMIT 3;
SELECT count(*) FROM vecdb_index_check('q_bits', true);
SELECT recall >= 0.9 AS recall FROM vecdb_index_recall('q_bits', 20, 5);
DROP TABLE q;

-- types and lengths
CREATE TABLE l (a bit varying(5), b bit(64000), c bit(64001), d bit);
CREATE INDEX ON l USING hnsw (a bit_hamming_ops);
CREATE INDEX ON l USING hnsw ((a::bit(5)) bit_hamming_ops);
CREATE INDEX l_b ON l USING hnsw (b bit_jaccard_ops);
CREATE INDEX ON l USING hnsw (c bit_hamming_ops);
CREATE INDEX l_d ON l USING hnsw (d bit_hamming_ops);
CREATE INDEX ON l USING hnsw (d vector_l2_ops);
CREATE INDEX ON l USING hnsw (d);
INSERT INTO l (b, d) SELECT (repeat('0', i) || repeat('1', 64000 - i))::bit(64000), (i & 1)::bit FROM generate_series(0, 40) i;
SELECT bit_count(b) FROM l ORDER BY b <%> (repeat('0', 20) || repeat('1', 63980))::bit(64000), bit_count(b) LIMIT 3;
SELECT d, count(*) FROM (SELECT d FROM l ORDER BY d <~> B'1' LIMIT 21) x GROUP BY d ORDER BY d;
DELETE FROM l WHERE bit_count(b) % 2 = 0;
VACUUM l;
SELECT name, codec, vector_pages_per_node, live_nodes, (SELECT count(*) FROM vecdb_index_check(name::regclass, true)) AS problems
	FROM unnest('{l_b,l_d}'::text[]) name, vecdb_index_info(name::regclass);
DROP TABLE l;
