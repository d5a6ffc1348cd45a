--
-- CREATE INDEX ... USING hnsw: what it makes of tables of every kind.
--
-- complete(table, query, index) says what a scan of the index without limit
-- returns: rows, different rows, and what the verifier finds wrong.
--
SET enable_seqscan = off;
SET max_parallel_maintenance_workers = 0;

CREATE FUNCTION complete(tab regclass, query vector, idx regclass,
	OUT rows bigint, OUT distinct_rows bigint, OUT problems bigint)
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	scan text := format('SELECT count(*), count(DISTINCT c) FROM (SELECT t.ctid AS c FROM %s t ORDER BY t.v <-> %L) s',
		tab, query);
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || scan INTO plan;
	IF plan::text NOT LIKE format('%%"Index Name": "%s"%%', idx) THEN
		RAISE EXCEPTION 'the plan does not scan the index: %', plan;
	END IF;
	EXECUTE scan INTO rows, distinct_rows;
	SELECT count(*) INTO problems FROM vecdb_index_check(idx);
END $$;

-- nothing, and one row
CREATE TABLE small (id int, v vector(3));
CREATE INDEX small_v ON small USING hnsw (v vector_l2_ops);
SELECT * FROM complete('small', '[1,2,3]', 'small_v');
SELECT pg_relation_size('small_v') / 8192 AS pages;
DROP INDEX small_v;
INSERT INTO small VALUES (1, '[1,2,3]');
CREATE INDEX small_v ON small USING hnsw (v vector_l2_ops);
SELECT * FROM complete('small', '[1,2,3]', 'small_v');
SELECT id FROM small ORDER BY v <-> '[3,2,1]';

-- TRUNCATE builds an empty index
TRUNCATE small;
SELECT * FROM complete('small', '[1,2,3]', 'small_v');

-- NULL is not indexed
INSERT INTO small SELECT i, CASE WHEN i % 3 > 0 THEN ARRAY[i, 1, -i]::vector END
	FROM generate_series(1, 300) i;
REINDEX INDEX small_v;
SELECT * FROM complete('small', '[1,2,3]', 'small_v');
DROP TABLE small;

-- the zero vector has no direction, so it is not indexed under cosine
CREATE TABLE directions (id int, v vector(2));
INSERT INTO directions SELECT i, ARRAY[i % 5, i % 7]::vector FROM generate_series(0, 349) i;
CREATE INDEX directions_cosine ON directions USING hnsw (v vector_cosine_ops);
SELECT count(*) FROM (SELECT 1 FROM directions ORDER BY v <=> '[1,1]') s;
SELECT count(*) FROM directions WHERE v <> '[0,0]';
SELECT count(*) FROM vecdb_index_check('directions_cosine');
DROP INDEX directions_cosine;

-- and under the other distances it is
CREATE INDEX directions_ip ON directions USING hnsw (v vector_ip_ops);
SELECT count(*) FROM (SELECT 1 FROM directions ORDER BY v <#> '[1,1]') s;
SELECT count(*) FROM vecdb_index_check('directions_ip');
DROP INDEX directions_ip;
CREATE INDEX directions_l1 ON directions USING hnsw (v vector_l1_ops);
SELECT count(*) FROM (SELECT 1 FROM directions ORDER BY v <+> '[1,1]') s;
SELECT count(*) FROM vecdb_index_check('directions_l1');
DROP TABLE directions;

-- 10 distinct vectors, one of them in 100,000 rows: they share nodes
CREATE TABLE copies (id int, v vector(3));
INSERT INTO copies SELECT i, ARRAY[CASE WHEN i <= 100000 THEN 0 ELSE i % 9 + 1 END, 2, 3]::vector
	FROM generate_series(1, 110000) i;
CREATE INDEX copies_v ON copies USING hnsw (v vector_l2_ops);
SELECT * FROM complete('copies', '[4,2,3]', 'copies_v');
SELECT pg_relation_size('copies_v') < 150 * 8192 AS is_small;
SELECT count(*) FROM (SELECT v FROM copies ORDER BY v <-> '[0,2,3]' LIMIT 100001) s WHERE v = '[0,2,3]';
DROP TABLE copies;

-- all rows equal
CREATE TABLE equals (v vector(4));
INSERT INTO equals SELECT '[1,2,3,4]' FROM generate_series(1, 1000);
CREATE INDEX equals_v ON equals USING hnsw (v vector_l2_ops);
SELECT * FROM complete('equals', '[1,2,3,4]', 'equals_v');
DROP TABLE equals;

-- vectors whose squares no float holds, beside ordinary and tiny ones
CREATE TABLE extremes (id int, v vector(4));
INSERT INTO extremes SELECT i, ARRAY[power(10, i % 60 - 30), i, -i, 1]::real[]::vector FROM generate_series(1, 600) i;
INSERT INTO extremes SELECT 1000 + i, ARRAY[1e30 + i * 1e25, -1e30, 1e30, i * 1e28]::real[]::vector FROM generate_series(1, 200) i;
INSERT INTO extremes SELECT 2000 + i, ARRAY[1e-30 * i, 1e-38, 0, -1e-35]::real[]::vector FROM generate_series(1, 200) i;
CREATE INDEX extremes_v ON extremes USING hnsw (v vector_l2_ops);
SELECT * FROM complete('extremes', '[1,2,3,4]', 'extremes_v');
SELECT id FROM extremes ORDER BY v <-> '[1.001e30,-1e30,1e30,1e30]' LIMIT 1;
DROP INDEX extremes_v;
CREATE INDEX extremes_ip ON extremes USING hnsw (v vector_ip_ops);
SELECT count(*) FROM vecdb_index_check('extremes_ip');
DROP TABLE extremes;

-- the numbers of links: least, most, and most with the largest vectors
CREATE TABLE links (id int, v vector(8));
INSERT INTO links SELECT i, ARRAY[sin(i), cos(i), sin(i * 2), cos(i * 3), sin(i * 5), cos(i * 7), i % 11, i % 13]::real[]::vector
	FROM generate_series(1, 2000) i;
CREATE INDEX links_v ON links USING hnsw (v vector_l2_ops) WITH (m = 2, ef_construction = 4);
SELECT * FROM complete('links', '[0,0,0,0,0,0,5,5]', 'links_v');
DROP INDEX links_v;
CREATE INDEX links_v ON links USING hnsw (v vector_l2_ops) WITH (m = 100, ef_construction = 200);
SELECT * FROM complete('links', '[0,0,0,0,0,0,5,5]', 'links_v');

-- the nearest are found
SELECT count(*) FROM links q
	WHERE (SELECT t.id FROM links t ORDER BY t.v <-> q.v LIMIT 1) = q.id AND q.id <= 200;

-- the same rows give the same index
CREATE FUNCTION pages_hash(idx regclass) RETURNS text LANGUAGE sql AS $$
	SELECT md5(string_agg(encode(pg_read_binary_file(pg_relation_filepath(idx), b * 8192 + 24, 8192 - 24), 'hex'), ''
		ORDER BY b))
	FROM generate_series(0, pg_relation_size(idx) / 8192 - 1) b
$$;
CHECKPOINT;
SELECT pages_hash('links_v') AS before \gset
REINDEX INDEX links_v;
CHECKPOINT;
SELECT pages_hash('links_v') = :'before' AS is_the_same;
DROP FUNCTION pages_hash;
DROP TABLE links;

CREATE TABLE wide (id int, v vector(16000));
INSERT INTO wide SELECT i, array_fill((i % 7 - 3)::real, ARRAY[8000])::vector || array_fill(i::real, ARRAY[8000])::vector
	FROM generate_series(1, 20) i;
CREATE INDEX wide_v ON wide USING hnsw (v vector_l2_ops) WITH (m = 100, ef_construction = 200);
SELECT count(*) FROM vecdb_index_check('wide_v');
SELECT id FROM wide ORDER BY v <-> (SELECT v FROM wide WHERE id = 7) LIMIT 1;
DROP TABLE wide;

-- expressions, and a part of the rows
CREATE TABLE parts (id int, a real[], v vector(3));
INSERT INTO parts SELECT i, ARRAY[i % 10, i, 1], ARRAY[i % 10, i, 1]::vector FROM generate_series(1, 500) i;
CREATE INDEX parts_a ON parts USING hnsw ((a::vector(3)) vector_l2_ops);
SELECT count(*) FROM (SELECT 1 FROM parts ORDER BY a::vector(3) <-> '[1,2,3]') s;
CREATE INDEX parts_few ON parts USING hnsw (v vector_l2_ops) WHERE id % 5 = 0;
SELECT count(*) FROM (SELECT 1 FROM parts WHERE id % 5 = 0 ORDER BY v <-> '[1,2,3]') s;
SELECT count(*) FROM vecdb_index_check('parts_a');
SELECT count(*) FROM vecdb_index_check('parts_few');
DROP INDEX parts_a, parts_few;

-- rows of HOT chains, dead rows, and concurrently
DELETE FROM parts WHERE id % 4 = 0;
UPDATE parts SET a = a || 1::real WHERE id % 4 = 1;
CREATE INDEX CONCURRENTLY parts_v ON parts USING hnsw (v vector_l2_ops);
SELECT * FROM complete('parts', '[1,2,3]', 'parts_v');
REINDEX INDEX CONCURRENTLY parts_v;
SELECT * FROM complete('parts', '[1,2,3]', 'parts_v');
SELECT count(*) FROM pg_index WHERE indrelid = 'parts'::regclass AND NOT indisvalid;

-- in another tablespace
SET allow_in_place_tablespaces = true;
CREATE TABLESPACE regress_hnsw LOCATION '';
REINDEX (TABLESPACE regress_hnsw) INDEX parts_v;
SELECT * FROM complete('parts', '[1,2,3]', 'parts_v');
ALTER INDEX parts_v SET TABLESPACE pg_default;
SELECT * FROM complete('parts', '[1,2,3]', 'parts_v');
DROP TABLESPACE regress_hnsw;
RESET allow_in_place_tablespaces;

-- unlogged: the init fork holds an empty index
ALTER TABLE parts SET UNLOGGED;
SELECT * FROM complete('parts', '[1,2,3]', 'parts_v');
SELECT pg_relation_size('parts_v', 'init') / 8192 AS pages;
ALTER TABLE parts SET LOGGED;
SELECT * FROM complete('parts', '[1,2,3]', 'parts_v');
DROP TABLE parts;

-- in a transaction that made the table, and in a temporary one
BEGIN;
CREATE TABLE fresh (v vector(2));
INSERT INTO fresh SELECT ARRAY[i, -i]::vector FROM generate_series(1, 50) i;
CREATE INDEX fresh_v ON fresh USING hnsw (v vector_l2_ops);
SELECT * FROM complete('fresh', '[1,2]', 'fresh_v');
ROLLBACK;
CREATE TEMP TABLE passing (v vector(2));
INSERT INTO passing SELECT ARRAY[i, -i]::vector FROM generate_series(1, 50) i;
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
CREATE INDEX passing_v ON passing USING hnsw (v vector_l2_ops);
SELECT * FROM complete('passing', '[1,2]', 'passing_v');
DROP TABLE passing;

-- a partitioned table
CREATE TABLE divided (id int, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE divided_1 PARTITION OF divided FOR VALUES FROM (0) TO (100);
CREATE TABLE divided_2 PARTITION OF divided FOR VALUES FROM (100) TO (1000);
INSERT INTO divided SELECT i, ARRAY[i % 10, i, 1]::vector FROM generate_series(0, 999) i;
CREATE INDEX divided_v ON divided USING hnsw (v vector_l2_ops);
SELECT id FROM divided ORDER BY v <-> '[5,95.1,1]' LIMIT 4;
SELECT count(*) FROM vecdb_index_check('divided_1_v_idx');
SELECT count(*) FROM vecdb_index_check('divided_2_v_idx');
DROP TABLE divided;

-- several processes
CREATE TABLE many (id int, v vector(16));
INSERT INTO many SELECT i, ARRAY[sin(i), cos(i), sin(i * 2), cos(i * 3), sin(i * 5), cos(i * 7), i % 11, i % 13,
	sin(i * 11), sin(i * 13), sin(i * 17), sin(i * 19), i % 17, i % 19, i % 3, i % 5]::real[]::vector
	FROM generate_series(1, 5000) i;
INSERT INTO many SELECT 5000 + i, v FROM many, generate_series(1, 3) i WHERE id <= 500;
CREATE INDEX many_v ON many USING hnsw (v vector_l2_ops);
SELECT * FROM complete('many', '[0,0,0,0,0,0,5,5,0,0,0,0,5,5,1,1]', 'many_v');
SELECT count(*) FROM many q
	WHERE q.v = (SELECT t.v FROM many t ORDER BY t.v <-> q.v LIMIT 1) AND q.id BETWEEN 1000 AND 1199;
DROP INDEX many_v;
CREATE INDEX CONCURRENTLY many_v ON many USING hnsw (v vector_l2_ops);
SELECT * FROM complete('many', '[0,0,0,0,0,0,5,5,0,0,0,0,5,5,1,1]', 'many_v');
DROP INDEX many_v;

-- an error in whichever process meets the row
CREATE FUNCTION fragile(v vector, id int) RETURNS vector(16) LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF id = 3333 THEN
		RAISE EXCEPTION 'row % is not for indexes', id;
	END IF;
	RETURN v;
END $$;
\set VERBOSITY terse
CREATE INDEX ON many USING hnsw ((fragile(v, id)::vector(16)) vector_l2_ops);
\set VERBOSITY default

-- functions that workers may not call
ALTER FUNCTION fragile PARALLEL UNSAFE;
CREATE INDEX many_f ON many USING hnsw ((fragile(v, id)::vector(16)) vector_l2_ops) WHERE id <> 3333;
SELECT count(*) FROM vecdb_index_check('many_f');
DROP INDEX many_f;
DROP FUNCTION fragile;

-- more than maintenance_work_mem holds, in one process and in several
SET maintenance_work_mem = '1MB';
SET client_min_messages = warning;
CREATE INDEX many_v ON many USING hnsw (v vector_l2_ops);
SELECT * FROM complete('many', '[0,0,0,0,0,0,5,5,0,0,0,0,5,5,1,1]', 'many_v');
SELECT count(*) FROM many q
	WHERE q.v = (SELECT t.v FROM many t ORDER BY t.v <-> q.v LIMIT 1) AND q.id BETWEEN 1000 AND 1199;
DROP INDEX many_v;
SET max_parallel_maintenance_workers = 0;
CREATE INDEX many_v ON many USING hnsw (v vector_l2_ops);
SELECT * FROM complete('many', '[0,0,0,0,0,0,5,5,0,0,0,0,5,5,1,1]', 'many_v');
DROP INDEX many_v;

-- it says so
RESET client_min_messages;
\set VERBOSITY terse
CREATE INDEX many_v ON many USING hnsw (v vector_l2_ops);
\set VERBOSITY default
DROP TABLE many;
RESET maintenance_work_mem;

-- few distinct vectors in many rows
CREATE TABLE few (v vector(64));
INSERT INTO few SELECT array_fill((i % 10)::real, ARRAY[64])::vector FROM generate_series(1, 20000) i;
SET maintenance_work_mem = '1MB';
SET client_min_messages = warning;
CREATE INDEX few_v ON few USING hnsw (v vector_l2_ops);
SELECT * FROM complete('few', array_fill(3::real, ARRAY[64])::vector, 'few_v');
DROP TABLE few;
RESET client_min_messages;
RESET maintenance_work_mem;

-- many rows are built in parts by choice, without saying so; at once where their
-- files would be too large
CREATE TABLE lots (id int, v vector(8));
INSERT INTO lots SELECT i, ARRAY[sin(i), cos(i), sin(i * 2), cos(i * 3), sin(i * 5), cos(i * 7), i % 11, i % 13]::vector
	FROM generate_series(1, 18000) i;
SELECT pg_stat_force_next_flush();
SELECT temp_files AS before FROM pg_stat_database WHERE datname = current_database() \gset
CREATE INDEX lots_v ON lots USING hnsw (v vector_l2_ops);
SELECT pg_stat_force_next_flush();
SELECT temp_files > :before AS in_parts FROM pg_stat_database WHERE datname = current_database();
SELECT * FROM complete('lots', '[0,0,0,0,0,0,5,5]', 'lots_v');
DROP INDEX lots_v;
SET temp_file_limit = '1MB';
SELECT pg_stat_force_next_flush();
SELECT temp_files AS before FROM pg_stat_database WHERE datname = current_database() \gset
CREATE INDEX lots_v ON lots USING hnsw (v vector_l2_ops);
SELECT pg_stat_force_next_flush();
SELECT temp_files > :before AS in_parts FROM pg_stat_database WHERE datname = current_database();
RESET temp_file_limit;
SELECT * FROM complete('lots', '[0,0,0,0,0,0,5,5]', 'lots_v');
DROP TABLE lots;

-- dimensions
CREATE TABLE bare (v vector);
CREATE INDEX ON bare USING hnsw (v vector_l2_ops);
DROP TABLE bare;

-- names of the phases
SELECT i, pg_catalog.pg_indexam_progress_phasename(a.oid, i) AS phase
	FROM pg_am a, generate_series(1, 9) i WHERE amname = 'hnsw' ORDER BY i;
DROP FUNCTION complete;
