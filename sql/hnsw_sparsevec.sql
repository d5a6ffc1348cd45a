--
-- hnsw on sparsevec
--
SET client_min_messages = warning;
SET max_parallel_maintenance_workers = 0;
SET hnsw.ef_search = 120;

-- 600 rows of 12 to 43 elements in 30,000 dimensions, from 30 topics; the zero vector, a NULL
CREATE FUNCTION document(id int, topic int) RETURNS sparsevec LANGUAGE sql
	RETURN (SELECT ('{' || string_agg(term || ':' || weight, ',') || '}/30000')::sparsevec FROM (
		SELECT CASE WHEN j % 3 > 0 THEN topic * 100 + abs(hashint4(id * 64 + j)) % 40 ELSE 10000 + abs(hashint4(id * 64 + j)) % 2000 END AS term,
			max(1 + abs(hashint8(id * 1009::bigint + j)) % 8) / 4.0 AS weight
		FROM generate_series(1, 16 + id % 50) j GROUP BY 1) terms);
CREATE TABLE s (id int PRIMARY KEY, kind int, v sparsevec(30000));
INSERT INTO s SELECT i, i % 3, document(i, i % 30 + 1) FROM generate_series(1, 600) i;
INSERT INTO s VALUES (0, 0, '{}/30000'), (-1, 0, NULL);

-- how many of the 10 nearest of 30 queries an index scan finds, whether it used the
-- index, and whether distances come in order
CREATE FUNCTION found(op text, OUT share float8, OUT ordered bool) LANGUAGE plpgsql AS $$
DECLARE
	query sparsevec;
	exact float8[];
	got float8[];
	plan text;
	n int := 0;
	hits int := 0;
BEGIN
	ordered := true;
	FOR topic IN 1..30 LOOP
		query := document(10000 + topic, topic);
		PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true);
		EXECUTE format('SELECT array_agg(d) FROM (SELECT v %1$s $1 AS d FROM s WHERE v IS NOT NULL ORDER BY 1 LIMIT 10) x', op) INTO exact USING query;
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
		EXECUTE format('SELECT array_agg(d) FROM (SELECT v %1$s $1 AS d FROM s ORDER BY v %1$s $1 LIMIT 10) x', op) INTO got USING query;
		EXECUTE format('EXPLAIN (FORMAT json) SELECT id FROM s ORDER BY v %1$s %2$L LIMIT 10', op, query) INTO plan;
		ordered := ordered AND plan LIKE '%"Index Name": "s_%' AND got = (SELECT array_agg(d ORDER BY d) FROM unnest(got) d);
		hits := hits + (SELECT count(*) FROM unnest(got) d WHERE d <= exact[10]);
	END LOOP;
	share := hits / 300.0;
END $$;

CREATE INDEX s_l2 ON s USING hnsw (v sparsevec_l2_ops);
CREATE INDEX s_ip ON s USING hnsw (v sparsevec_ip_ops);
CREATE INDEX s_cosine ON s USING hnsw (v sparsevec_cosine_ops);
CREATE INDEX s_l1 ON s USING hnsw (v sparsevec_l1_ops);
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op, found(op);

-- all rows with a distance, if asked for
SET enable_seqscan = off;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM s ORDER BY v <-> document(1, 1)) x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM s ORDER BY v <=> document(1, 1)) x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM s ORDER BY v <=> '{}/30000') x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM s ORDER BY v <#> (SELECT NULL::sparsevec)) x;
SELECT id FROM s ORDER BY v <-> '{}/30000' LIMIT 1;
SELECT id FROM s ORDER BY v <-> '{1:1}/3' LIMIT 1;

-- what the index says of itself: room for the elements of 99 in 100 rows, and what the page has left
SELECT name, type, dimensions, metric, slots, codec, bits, vector_pages_per_node, live_nodes > 600 AS nodes, nodes_per_page,
		(SELECT count(*) FROM vecdb_index_check(name::regclass, true)) AS problems
	FROM unnest('{s_l2,s_ip,s_cosine,s_l1}'::text[]) name, vecdb_index_info(name::regclass);
SELECT recall >= 0.95 AS recall FROM vecdb_index_recall('s_cosine', 40, 10);

-- filtered searches
EXPLAIN (COSTS OFF) SELECT id FROM s WHERE kind = 1 ORDER BY v <#> '{101:1,102:1}/30000' LIMIT 5;
SELECT id FROM s WHERE kind = 1 ORDER BY v <#> document(31, 2) LIMIT 3;
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT id FROM s WHERE kind = 1 ORDER BY v <#> document(31, 2) LIMIT 3;
RESET enable_indexscan;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM s WHERE kind = 1 AND v <=> '{101:1}/30000' < 0.9 ORDER BY 1 - (v <=> '{101:1}/30000') DESC NULLS LAST LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM s WHERE v IS NOT NULL ORDER BY inner_product(v, '{101:1}/30000') DESC LIMIT 5;

-- rows come and go
INSERT INTO s SELECT i, i % 3, document(i, i % 30 + 1) FROM generate_series(601, 900) i;
INSERT INTO s SELECT 1000 + i, 0, document(i, i % 30 + 1) FROM generate_series(1, 50) i;
UPDATE s SET kind = kind + 1 WHERE id % 7 = 0;
UPDATE s SET v = document(id + 5000, id % 30 + 1) WHERE id % 11 = 0;
DELETE FROM s WHERE id % 7 = 3;
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op, found(op);
VACUUM s;
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op, found(op);
INSERT INTO s SELECT i, i % 3, document(i, i % 30 + 1) FROM generate_series(2001, 2200) i;
SELECT op, share >= 0.95 AS finds, ordered FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op, found(op);
SELECT name, (SELECT count(*) FROM vecdb_index_check(name::regclass, true)) AS problems, dying_nodes
	FROM unnest('{s_l2,s_ip,s_cosine,s_l1}'::text[]) name, vecdb_index_info(name::regclass);
INSERT INTO s VALUES (-2, 0, '{1:1}/3');
DROP INDEX s_l2, s_ip, s_cosine, s_l1;

-- vectors with more elements than there is room for: 300 and some in an index of an empty table
CREATE TABLE wide (id int, v sparsevec(100000));
CREATE INDEX wide_l2 ON wide USING hnsw (v sparsevec_l2_ops);
CREATE INDEX wide_ip ON wide USING hnsw (v sparsevec_ip_ops);
CREATE INDEX wide_cosine ON wide USING hnsw (v sparsevec_cosine_ops);
CREATE INDEX wide_l1 ON wide USING hnsw (v sparsevec_l1_ops);
INSERT INTO wide SELECT i, (SELECT ('{' || string_agg(j * 5 + i % 4 || ':' || 1 + hashint4(i * 10000 + j) % 1000 / 1001.0, ',') || '}/100000')::sparsevec
		FROM generate_series(1, 100 * i) j) FROM generate_series(1, 60) i;
SELECT name, codec FROM unnest('{wide_l2,wide_ip,wide_cosine,wide_l1}'::text[]) name, vecdb_index_info(name::regclass);
CREATE FUNCTION in_order(op text) RETURNS bool LANGUAGE plpgsql SET hnsw.ef_search = 100 AS $$
DECLARE
	got float8[];
	exact float8[];
	query sparsevec := (SELECT v FROM wide WHERE id = 20);
BEGIN
	EXECUTE format('SELECT array_agg(d) FROM (SELECT v %1$s $1 AS d FROM wide ORDER BY v %1$s $1) x', op) INTO got USING query;
	EXECUTE format('SELECT array_agg(v %1$s $1 ORDER BY v %1$s $1) FROM wide', op) INTO exact USING query;
	RETURN got = exact;
END $$;
SELECT op, in_order(op) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
SELECT name, problem FROM unnest('{wide_l2,wide_ip,wide_cosine,wide_l1}'::text[]) name, vecdb_index_check(name::regclass, true);
-- and again with room for them, vectors on pages of their own
REINDEX TABLE wide;
SELECT name, codec, vector_pages_per_node FROM unnest('{wide_l2,wide_ip,wide_cosine,wide_l1}'::text[]) name, vecdb_index_info(name::regclass);
SELECT op, in_order(op) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
INSERT INTO wide SELECT id + 100, l2_normalize(v) FROM wide WHERE id < 10;
DELETE FROM wide WHERE id % 3 = 1;
VACUUM wide;
SELECT op, in_order(op) FROM unnest('{<->,<+>}'::text[]) op;
SELECT name, problem FROM unnest('{wide_l2,wide_ip,wide_cosine,wide_l1}'::text[]) name, vecdb_index_check(name::regclass, true);
DROP TABLE wide;
DROP FUNCTION in_order;

-- values at the limits
CREATE TABLE e (id int, v sparsevec(1000000000));
INSERT INTO e VALUES (1, '{1:3.4e38,1000000000:3.4e38}/1000000000'), (2, '{1:1e-45}/1000000000'), (3, '{1000000000:1}/1000000000'),
	(4, '{}/1000000000'), (5, '{1:-3.4e38}/1000000000'), (6, '{2:1e-20,3:1e20}/1000000000');
CREATE INDEX ON e USING hnsw (v sparsevec_l2_ops);
CREATE INDEX ON e USING hnsw (v sparsevec_ip_ops);
CREATE INDEX ON e USING hnsw (v sparsevec_l1_ops);
SELECT id, v <-> '{3:1e20}/1000000000' AS l2 FROM e ORDER BY v <-> '{3:1e20}/1000000000', id;
SELECT id, v <+> '{3:1e20}/1000000000' AS l1 FROM e ORDER BY v <+> '{3:1e20}/1000000000', id;
SELECT id, v <#> '{1:2,1000000000:1}/1000000000' AS ip FROM e ORDER BY v <#> '{1:2,1000000000:1}/1000000000', id;
DROP TABLE e;

-- no dimensions; a table that is not logged
CREATE TABLE n (v sparsevec);
CREATE INDEX ON n USING hnsw (v sparsevec_l2_ops);
CREATE INDEX ON n USING hnsw ((v::sparsevec(5)) sparsevec_l2_ops);
DROP TABLE n;
CREATE UNLOGGED TABLE u (v sparsevec(5));
CREATE INDEX u_l2 ON u USING hnsw (v sparsevec_l2_ops);
INSERT INTO u VALUES ('{1:1}/5'), ('{2:1}/5');
SELECT v FROM u ORDER BY v <-> '{2:2}/5';
DROP TABLE u, s;
DROP FUNCTION document, found;
