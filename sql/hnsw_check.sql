-- vecdb_index_check(): sound indexes of every form
CREATE FUNCTION a_vector(seed int, dim int) RETURNS vector LANGUAGE sql IMMUTABLE
	RETURN (SELECT array_agg(round(sin(seed * 12.9898 + d * 78.233 + seed * d)::numeric, 3))
		FROM generate_series(1, dim) d)::vector;
CREATE TABLE t (id serial PRIMARY KEY, v vector(16));
INSERT INTO t (v) SELECT a_vector(n, 16) FROM generate_series(1, 300) n;
INSERT INTO t (v) SELECT a_vector(7, 16) FROM generate_series(1, 200) n;
INSERT INTO t (v) SELECT NULL FROM generate_series(1, 10) n;
INSERT INTO t (v) SELECT array_fill(0, ARRAY[16])::vector FROM generate_series(1, 10) n;
CREATE INDEX t_l2 ON t USING hnsw (v vector_l2_ops);
CREATE INDEX t_ip ON t USING hnsw (v vector_ip_ops);
CREATE INDEX t_cosine ON t USING hnsw (v vector_cosine_ops);
CREATE INDEX t_l1 ON t USING hnsw (v vector_l1_ops);
CREATE INDEX t_part ON t USING hnsw ((v::vector(16)) vector_l2_ops) WHERE id % 3 = 0;
SELECT i, c.* FROM unnest('{t_l2,t_ip,t_cosine,t_l1,t_part}'::regclass[]) i, vecdb_index_check(i, true) c;

-- after inserts, deletions and vacuum
INSERT INTO t (v) SELECT a_vector(n + 1000, 16) FROM generate_series(1, 200) n;
DELETE FROM t WHERE id % 4 = 1;
SELECT i, c.* FROM unnest('{t_l2,t_ip,t_cosine,t_l1,t_part}'::regclass[]) i, vecdb_index_check(i, true) c;
VACUUM t;
SELECT i, c.* FROM unnest('{t_l2,t_ip,t_cosine,t_l1,t_part}'::regclass[]) i, vecdb_index_check(i, true) c;
INSERT INTO t (v) SELECT a_vector(n + 2000, 16) FROM generate_series(1, 200) n;
SELECT i, c.* FROM unnest('{t_l2,t_ip,t_cosine,t_l1,t_part}'::regclass[]) i, vecdb_index_check(i, true) c;
DELETE FROM t;
VACUUM t;
SELECT i, c.* FROM unnest('{t_l2,t_ip,t_cosine,t_l1,t_part}'::regclass[]) i, vecdb_index_check(i, true) c;

-- split nodes, an empty index, an unlogged one, a temporary one
CREATE TABLE wide (v vector(3072));
INSERT INTO wide SELECT a_vector(n, 3072) FROM generate_series(1, 20) n;
CREATE INDEX wide_index ON wide USING hnsw (v vector_l2_ops);
INSERT INTO wide SELECT a_vector(n, 3072) FROM generate_series(21, 30) n;
SELECT * FROM vecdb_index_check('wide_index', true);
CREATE TABLE empty (v vector(3));
CREATE INDEX empty_index ON empty USING hnsw (v vector_l2_ops);
SELECT * FROM vecdb_index_check('empty_index', true);
CREATE UNLOGGED TABLE unlogged (v vector(3));
CREATE INDEX unlogged_index ON unlogged USING hnsw (v vector_l2_ops);
INSERT INTO unlogged SELECT a_vector(n, 3) FROM generate_series(1, 50) n;
SELECT * FROM vecdb_index_check('unlogged_index', true);
CREATE TEMP TABLE temporary (v vector(3));
CREATE INDEX temporary_index ON temporary USING hnsw (v vector_l2_ops);
INSERT INTO temporary SELECT a_vector(n, 3) FROM generate_series(1, 50) n;
SELECT * FROM vecdb_index_check('temporary_index', true);

-- what it counts; the detail depends on chance
\set VERBOSITY terse
SELECT * FROM vecdb_index_check('unlogged_index', verbose => true);
\set VERBOSITY default

-- Functions that change their minds make an index wrong that is sound in itself:
-- rows that it does not have, and one with another vector.
BEGIN;
CREATE TABLE lacking (id int, v vector(3));
INSERT INTO lacking SELECT n, a_vector(n, 3) FROM generate_series(1, 20) n;
CREATE FUNCTION fickle(vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
CREATE FUNCTION is_wanted(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 > 2; END';
CREATE INDEX lacking_index ON lacking USING hnsw ((fickle(v)::vector(3)) vector_l2_ops) WHERE is_wanted(id);
SELECT * FROM vecdb_index_check('lacking_index', true);
CREATE OR REPLACE FUNCTION is_wanted(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 > 0; END';
SELECT * FROM vecdb_index_check('lacking_index', true);
SELECT * FROM vecdb_index_check('lacking_index');
CREATE OR REPLACE FUNCTION is_wanted(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 = 17; END';
CREATE OR REPLACE FUNCTION fickle(vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 + ''[1,1,1]''; END';
SELECT node IS NOT NULL AS has_node, problem FROM vecdb_index_check('lacking_index', true);
ROLLBACK;

-- refused: what is no such index, and other people's
SELECT * FROM vecdb_index_check('t');
SELECT * FROM vecdb_index_check('t_pkey');
SELECT * FROM vecdb_index_check(0);
SELECT * FROM vecdb_index_check(NULL);
CREATE TABLE parts (v vector(3)) PARTITION BY RANGE (vector_dims(v));
CREATE INDEX parts_index ON parts USING hnsw (v vector_l2_ops);
SELECT * FROM vecdb_index_check('parts_index');
CREATE ROLE regress_hnsw_nobody;
SET ROLE regress_hnsw_nobody;
SELECT * FROM vecdb_index_check('t_l2');
RESET ROLE;
DROP ROLE regress_hnsw_nobody;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_l2'::regclass;
SELECT * FROM vecdb_index_check('t_l2', true);
SELECT * FROM vecdb_index_check('t_l2');

DROP TABLE t, wide, empty, unlogged, parts;
DROP FUNCTION a_vector;
