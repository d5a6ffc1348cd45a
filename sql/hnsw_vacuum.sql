-- VACUUM of hnsw indexes: rows gone, nodes freed, space reused, graph sound.
CREATE TABLE pts (id int PRIMARY KEY, v vector(8), note text DEFAULT '');
ALTER TABLE pts SET (autovacuum_enabled = off);
CREATE FUNCTION pt(i bigint) RETURNS vector LANGUAGE sql IMMUTABLE AS
	$$ SELECT ARRAY(SELECT sin(i * (j * 7 + 3) + j * j) FROM generate_series(1, 8) j)::real[]::vector $$;
INSERT INTO pts SELECT i, pt(i) FROM generate_series(1, 3000) i;
CREATE INDEX pts_v ON pts USING hnsw (v vector_l2_ops);

-- what the index knows, and whether it is sound
CREATE FUNCTION state(OUT live bigint, OUT dying bigint, OUT tids bigint, OUT problems bigint)
	LANGUAGE sql AS $$
	SELECT coalesce(i.levels[1], 0), i.dying_nodes, i.heap_tids,
		(SELECT count(*) FROM vecdb_index_check('pts_v', heap_all_indexed => true))
	FROM vecdb_index_info('pts_v') i $$;
CREATE FUNCTION returned() RETURNS bigint LANGUAGE sql
	SET enable_seqscan = off SET jit = off AS
	$$ SELECT count(DISTINCT id) FROM (SELECT id FROM pts ORDER BY v <-> pt(1)) t $$;
SELECT * FROM state();

-- some rows
DELETE FROM pts WHERE id % 3 = 0;
VACUUM pts;
SELECT * FROM state();
SELECT returned();

-- the space is used again
SELECT pg_relation_size('pts_v') AS size \gset
INSERT INTO pts SELECT i, pt(i) FROM generate_series(3, 3000, 3) i;
SELECT pg_relation_size('pts_v') <= :size * 1.05 AS reused;
-- all rows, in ten transactions
DO $$
BEGIN
	FOR round IN 0..9 LOOP
		DELETE FROM pts WHERE id % 10 = round;
		COMMIT;
	END LOOP;
END $$;
VACUUM pts;
SELECT * FROM state();
-- everything went: the next insert makes a new root
SELECT returned();
INSERT INTO pts SELECT i, pt(i) FROM generate_series(1, 1500) i;
SELECT * FROM state();
SELECT returned();
SELECT pg_relation_size('pts_v') <= :size * 1.05 AS reused;

-- all but one row; the last one is found
DELETE FROM pts WHERE id <> 777;
VACUUM pts;
SELECT * FROM state();
SET enable_seqscan = off;
SELECT id FROM pts ORDER BY v <-> pt(5) LIMIT 3;
RESET enable_seqscan;

-- many rows of one vector, some of them dead
INSERT INTO pts SELECT i, pt(42) FROM generate_series(1000, 1999) i;
SELECT live, tids, problems FROM state();
DELETE FROM pts WHERE id BETWEEN 1000 AND 1999 AND id % 2 = 0;
VACUUM pts;
SELECT live, tids, problems FROM state();
SELECT returned();
-- an update of another column adds the row's new place to its node
UPDATE pts SET note = repeat('x', 500);
SELECT live, tids > 501 AS more_tids, problems FROM state();
VACUUM pts;
SELECT live, tids, problems FROM state();
DELETE FROM pts WHERE id BETWEEN 1000 AND 1999;
VACUUM pts;
SELECT live, tids, problems FROM state();

-- an index that has upper levels, and vectors that are split off their nodes
CREATE TABLE wide (id int, v vector(9000));
ALTER TABLE wide SET (autovacuum_enabled = off);
INSERT INTO wide SELECT i, (SELECT array_agg(sin(i * j)) FROM generate_series(1, 9000) j)::real[]::vector
	FROM generate_series(1, 30) i;
CREATE INDEX wide_v ON wide USING hnsw (v vector_cosine_ops);
DELETE FROM wide WHERE id % 2 = 0;
VACUUM wide;
INSERT INTO wide SELECT i, (SELECT array_agg(cos(i * j)) FROM generate_series(1, 9000) j)::real[]::vector
	FROM generate_series(1, 10) i;
SELECT * FROM vecdb_index_check('wide_v', heap_all_indexed => true);
SELECT live_nodes, free_nodes, heap_tids FROM vecdb_index_info('wide_v');

-- VACUUM of an empty index, of an unlogged one, and FULL
CREATE UNLOGGED TABLE empty (v vector(3));
CREATE INDEX empty_v ON empty USING hnsw (v vector_ip_ops);
VACUUM empty;
INSERT INTO empty VALUES ('[1,2,3]');
DELETE FROM empty;
VACUUM empty;
VACUUM FULL pts;
SELECT live, tids, problems FROM state();
SELECT count(*) FROM vecdb_index_check('empty_v');
DROP TABLE pts, wide, empty;
DROP FUNCTION pt, state, returned;
