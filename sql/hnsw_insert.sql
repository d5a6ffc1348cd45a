-- Inserts into hnsw indexes, row by row.
SET enable_seqscan = off;
-- points without order, the same on every machine
CREATE FUNCTION point(i bigint, dim int) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(('x' || substr(md5(i || ',' || j), 1, 6))::bit(24)::int / 16777216.0 - 0.3 ORDER BY j)::real[]::vector
	FROM generate_series(1, dim) j
$$;

-- an index that begins empty: every row is found, the invariants hold
CREATE TABLE items (id int PRIMARY KEY, n int DEFAULT 0, v vector(8));
CREATE INDEX items_n ON items (n);
CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops) WITH (m = 8);
SELECT vecdb_hnsw_stats_reset();
INSERT INTO items SELECT i, 0, point(i, 8) FROM generate_series(1, 1000) i;
SELECT inserts, tid_appends FROM vecdb_hnsw_stats();
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM items ORDER BY v <-> '[0,0,0,0,0,0,0,0]') t;
SELECT sweeps FROM vecdb_hnsw_stats();
SELECT * FROM vecdb_index_check('items_v', true);
-- the nearest row of a row's own vector is the row
SELECT count(*) FROM items a, LATERAL (SELECT id FROM items b ORDER BY b.v <-> a.v LIMIT 1) n
	WHERE n.id = a.id;
SELECT live_nodes - 1000 BETWEEN 1 AND 60 AS has_upper_levels, heap_tids, anchors, stale_links
	FROM vecdb_index_info('items_v');

-- the same, one row a statement
DO $$
BEGIN
	FOR i IN 1001..1200 LOOP
		INSERT INTO items VALUES (i, 0, point(i, 8));
	END LOOP;
END $$;
SELECT * FROM vecdb_index_check('items_v', true);
SELECT count(*) FROM items a, LATERAL (SELECT id FROM items b ORDER BY b.v <-> a.v LIMIT 1) n
	WHERE n.id = a.id;

-- a change of another column adds a TID to the node, and no node
SELECT vecdb_hnsw_stats_reset();
UPDATE items SET n = n + 1;
SELECT inserts, tid_appends FROM vecdb_hnsw_stats();
SELECT count(*), sum(n) FROM (SELECT n FROM items ORDER BY v <-> '[0,0,0,0,0,0,0,0]') t;
SELECT * FROM vecdb_index_check('items_v', true);

-- a change of the vector makes a node
SELECT vecdb_hnsw_stats_reset();
UPDATE items SET v = point(id + 10000, 8) WHERE id <= 50;
SELECT inserts, tid_appends FROM vecdb_hnsw_stats();
SELECT id, n FROM items ORDER BY v <-> point(10007, 8) LIMIT 1;
SELECT * FROM vecdb_index_check('items_v', true);

-- thousands of rows with one vector share a node; rows of one transaction, too
SELECT vecdb_hnsw_stats_reset();
INSERT INTO items SELECT i, 0, '[5,5,5,5,5,5,5,5]' FROM generate_series(2001, 5000) i;
SELECT inserts, tid_appends FROM vecdb_hnsw_stats();
SELECT count(*), min(id), max(id), count(DISTINCT id)
	FROM (SELECT id FROM items ORDER BY v <-> '[5,5,5,5,5,5,5,5]' LIMIT 3000) t;
SELECT posting_pages FROM vecdb_index_info('items_v');
SELECT * FROM vecdb_index_check('items_v', true);
-- the segments of deleted rows are used again, wherever they were in the chain
DELETE FROM items WHERE id BETWEEN 2001 AND 4900 AND id % 10 > 0;
VACUUM items;
SELECT * FROM vecdb_index_check('items_v', true);
SELECT count(*), count(DISTINCT id)
	FROM (SELECT id FROM items ORDER BY v <-> '[5,5,5,5,5,5,5,5]' LIMIT 390) t;
DELETE FROM items WHERE id > 2000;
VACUUM items;
SELECT * FROM vecdb_index_check('items_v', true);
INSERT INTO items SELECT i, 0, '[6,6,6,6,6,6,6,6]' FROM generate_series(2001, 5000) i;
SELECT posting_pages FROM vecdb_index_info('items_v');
SELECT * FROM vecdb_index_check('items_v', true);

-- an index that has lost all its rows, before and after vacuum
DELETE FROM items;
INSERT INTO items SELECT i, 0, point(i, 8) FROM generate_series(1, 10) i;
VACUUM items;
SELECT id FROM items ORDER BY v <-> point(7, 8) LIMIT 1;
SELECT * FROM vecdb_index_check('items_v', true);
DELETE FROM items;
VACUUM items;
SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> point(7, 8)) t;
SELECT relpages AS pages FROM pg_class WHERE relname = 'items_v' \gset
INSERT INTO items SELECT i, 0, point(i, 8) FROM generate_series(1, 1000) i;
SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> point(7, 8)) t;
SELECT * FROM vecdb_index_check('items_v', true);
SELECT pg_relation_size('items_v') / current_setting('block_size')::int <= :pages AS reuses_space;

-- rolled back rows are in the index, and in no answer
BEGIN;
INSERT INTO items VALUES (-1, 0, '[9,9,9,9,9,9,9,9]');
SELECT id FROM items ORDER BY v <-> '[9,9,9,9,9,9,9,9]' LIMIT 1;
ROLLBACK;
SELECT id = -1 AS is_there FROM items ORDER BY v <-> '[9,9,9,9,9,9,9,9]' LIMIT 1;
SELECT * FROM vecdb_index_check('items_v', true);
DROP TABLE items;

-- what is not indexed
CREATE TABLE items (id int, v vector(3));
CREATE INDEX items_cosine ON items USING hnsw (v vector_cosine_ops);
CREATE INDEX items_ip ON items USING hnsw (v vector_ip_ops);
INSERT INTO items VALUES (1, NULL), (2, '[0,0,0]'), (3, '[1,2,3]'), (4, '[2,4,6]'), (5, '[-1,0,1e-30]');
SELECT heap_tids FROM vecdb_index_info('items_cosine');
SELECT heap_tids FROM vecdb_index_info('items_ip');
SELECT id FROM items ORDER BY v <=> '[1,2,3.1]';
SELECT id FROM items ORDER BY v <#> '[1,2,3.1]';
SELECT * FROM vecdb_index_check('items_cosine', true);
SELECT * FROM vecdb_index_check('items_ip', true);
INSERT INTO items VALUES (6, '[1,2]');
DROP TABLE items;

-- an expression that gives another dimension than the index has
CREATE TABLE items (id int, r real[]);
CREATE FUNCTION as_vector(real[]) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1::vector; END';
CREATE INDEX items_r ON items USING hnsw ((as_vector(r)::vector(3)) vector_l2_ops);
INSERT INTO items VALUES (1, '{1,2,3}');
INSERT INTO items VALUES (2, '{1,2}');
DROP TABLE items;

-- extreme values, few and many dimensions, every metric and form of a node
CREATE FUNCTION fill(dim int, ops text, operator text, rows int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
	problems bigint;
BEGIN
	EXECUTE format('CREATE TABLE filled (id int, v vector(%s))', dim);
	EXECUTE format('CREATE INDEX filled_v ON filled USING hnsw (v %s)', ops);
	INSERT INTO filled SELECT i, point(i, dim) FROM generate_series(1, rows) i;
	SELECT count(*) INTO problems FROM vecdb_index_check('filled_v', true);
	EXECUTE format('SELECT count(DISTINCT id) FROM (SELECT id FROM filled ORDER BY v %s %L) t', operator, point(3, dim)) INTO found;
	DROP TABLE filled;
	RETURN format('%s rows found, %s problems', found, problems);
END $$;
SELECT fill(1, 'vector_l2_ops', '<->', 300);
SELECT fill(2, 'vector_l1_ops', '<+>', 300);
SELECT fill(64, 'vector_ip_ops', '<#>', 200);
SELECT fill(768, 'vector_cosine_ops', '<=>', 100);
SELECT fill(3072, 'vector_l2_ops', '<->', 40);
SELECT fill(8000, 'vector_l1_ops', '<+>', 12);
SELECT fill(16000, 'vector_ip_ops', '<#>', 12);
CREATE TABLE items (id int, v vector(2));
CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
INSERT INTO items VALUES (1, '[1e30,1e30]'), (2, '[-3e38,3e38]'), (3, '[1e-40,0]'), (4, '[0,0]'), (5, '[1e-45,1e30]');
SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> '[0,0]') t;
SELECT * FROM vecdb_index_check('items_v', true);
DROP TABLE items;
DROP FUNCTION fill, as_vector, point(bigint, int);
