-- order and equality; btree and hash

SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, vector_cmp(a, b) AS cmp
	FROM (VALUES ('[1,2,3]'::vector, '[1,2,3]'::vector), ('[1,2,3]', '[1,2]'), ('[1,2]', '[1,2,3]'),
		('[1,2,3]', '[1,2,4]'), ('[1,3]', '[1,2,3]'), ('[-1]', '[1]'), ('[0]', '[-0]'), ('[2]', '[10,0]')) AS t (a, b);

CREATE TABLE t (id int, val vector);
INSERT INTO t VALUES (1, '[0,0,0]'), (2, '[1,2,3]'), (3, '[1,1,1]'), (4, NULL), (5, '[1,2]'), (6, '[-0,0,-0]'), (7, '[1,2,3]');
CREATE INDEX t_btree ON t USING btree (val);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE val = '[1,2,3]';
SELECT id FROM t WHERE val = '[1,2,3]' ORDER BY id;
SELECT id FROM t WHERE val = '[0,0,0]' ORDER BY id;
SELECT id, val FROM t WHERE val >= '[1,1,1]' ORDER BY val, id;
DROP INDEX t_btree;

CREATE INDEX t_hash ON t USING hash (val);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE val = '[1,2,3]';
SELECT id FROM t WHERE val = '[1,2,3]' ORDER BY id;
SELECT id FROM t WHERE val = '[0,0,0]' ORDER BY id;
DROP INDEX t_hash;
RESET enable_seqscan;

-- -0 equals 0, so their hashes are equal; others differ
SELECT vector_hash('[0,1]') = vector_hash('[-0,1]') AS equal_zeros,
	vector_hash('[0,1]') = vector_hash('[1,0]') AS swapped,
	vector_hash('[0]') = vector_hash('[0,0]') AS longer;
SELECT vector_hash_extended('[1,2]', 0) & 4294967295 = vector_hash('[1,2]')::bigint & 4294967295 AS low_half,
	vector_hash_extended('[1,2]', 1) = vector_hash_extended('[1,2]', 0) AS seed_ignored;

-- DISTINCT, GROUP BY and joins by hash and by sort agree
SET enable_sort = off; SET enable_mergejoin = off; SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT val, count(*) FROM t GROUP BY val;
SELECT val = '[0,0,0]' AS zero, count(*) FROM t GROUP BY val ORDER BY 2, 1;
EXPLAIN (COSTS OFF) SELECT count(*) FROM t a JOIN t b ON a.val = b.val;
SELECT count(*) FROM t a JOIN t b ON a.val = b.val;
RESET enable_sort; SET enable_hashagg = off; SET enable_hashjoin = off;
RESET enable_mergejoin;
SELECT val = '[0,0,0]' AS zero, count(*) FROM t GROUP BY val ORDER BY 2, 1;
EXPLAIN (COSTS OFF) SELECT count(*) FROM t a JOIN t b ON a.val = b.val;
SELECT count(*) FROM t a JOIN t b ON a.val = b.val;
RESET enable_hashagg; RESET enable_hashjoin; RESET enable_nestloop;

-- unique constraint and hash partitions
CREATE TABLE u (val vector PRIMARY KEY);
INSERT INTO u VALUES ('[0]');
INSERT INTO u VALUES ('[-0]');
CREATE TABLE p (val vector) PARTITION BY HASH (val);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT ARRAY[i, -i]::vector FROM generate_series(1, 100) i;
SELECT count(*) FROM p WHERE val = '[42,-42]';
SELECT count(*) > 10 FROM p0;
SELECT count(*) > 10 FROM p1;

-- both operator classes are what the catalogs think they are
SELECT amname, opcname, opcdefault, amvalidate(opc.oid)
	FROM pg_opclass opc JOIN pg_am am ON am.oid = opcmethod
	WHERE opcintype = 'vector'::regtype AND amname IN ('btree', 'hash') ORDER BY 1;
DROP TABLE t, u, p;
