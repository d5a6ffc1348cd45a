-- arithmetic, parts, order, hash and aggregates of halfvec

SELECT '[1,2,3]'::halfvec + '[4,5,6]' AS add, '[1,2,3]'::halfvec - '[4,5,6]' AS sub,
	'[1,2,3]'::halfvec * '[4,5,6]' AS mul, '[1,2,3]'::halfvec || '[4,5]' AS concat;
-- rounded once, ties to even
SELECT '[2048,2050,1,65504]'::halfvec + '[1,1,0.00048828125,15.9921875]' AS add,
	'[0.1,2050,0.00006103515625]'::halfvec * '[0.1,1.5,0.5]' AS mul;
SELECT '[65504]'::halfvec + '[16]';
SELECT '[-65504]'::halfvec - '[65504]';
SELECT '[256]'::halfvec * '[256]';
SELECT '[1e-4]'::halfvec * '[1e-4]';
SELECT '[1e-4,0]'::halfvec * '[0,1e-4]';
SELECT '[1,2]'::halfvec + '[3]';
SELECT '[1,2]'::halfvec - '[3]';
SELECT '[1,2]'::halfvec * '[3]';
SELECT array_fill(0, ARRAY[16000])::halfvec || '[1]';

SELECT vector_dims('[1,2,3]'::halfvec), l2_norm('[3,4]'::halfvec), l2_norm('[0,0]'::halfvec),
	l2_norm('[60000,60000]'::halfvec)::real, l2_norm('[6e-8,0]'::halfvec);
SELECT l2_normalize('[3,4]'::halfvec), l2_normalize('[65504,0]'::halfvec), l2_normalize('[6e-8,0]'::halfvec),
	l2_normalize('[0,0]'::halfvec);
SELECT binary_quantize('[1,0,-1]'::halfvec), binary_quantize('[6e-8,-0]'::halfvec),
	binary_quantize('[0,0.1,-0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,-0.9,1]'::halfvec);
SELECT length(binary_quantize(array_fill(1, ARRAY[777])::halfvec));
SELECT start, count, subvector('[1,2,3,4,5]'::halfvec, start, count)
	FROM (VALUES (1, 3), (3, 2), (-1, 3), (3, 9), (5, 1), (3, 2147483647), (-2147483644, 2147483647)) AS t (start, count);
SELECT subvector('[1,2,3,4,5]'::halfvec, 1, 0);
SELECT subvector('[1,2,3,4,5]'::halfvec, 6, 1);
SELECT i, halfvec_get('[10,20,30]', i) FROM unnest(ARRAY[-2147483648, 0, 1, 3, 4, NULL]) i;

-- order is that of arrays, and -0 equals 0
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, halfvec_cmp(a, b) AS cmp
	FROM (VALUES ('[1,2,3]'::halfvec, '[1,2,3]'::halfvec), ('[1,2,3]', '[1,2]'), ('[1,2]', '[1,2,3]'),
		('[1,2,3]', '[1,2,4]'), ('[1,3]', '[1,2,3]'), ('[-1]', '[1]'), ('[-2]', '[-1]'), ('[0]', '[-0]'), ('[2]', '[10,0]')) AS t (a, b);
CREATE TABLE t (id int, val halfvec);
INSERT INTO t VALUES (1, '[0,0,0]'), (2, '[1,2,3]'), (3, '[1,1,1]'), (4, NULL), (5, '[1,2]'), (6, '[-0,0,-0]'), (7, '[1,2,3]');
SET enable_seqscan = off;
CREATE INDEX t_btree ON t USING btree (val);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE val = '[1,2,3]';
SELECT id FROM t WHERE val = '[0,0,0]' ORDER BY id;
SELECT id, val FROM t WHERE val >= '[1,1,1]' ORDER BY val, id;
DROP INDEX t_btree;
CREATE INDEX t_hash ON t USING hash (val);
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE val = '[1,2,3]';
SELECT id FROM t WHERE val = '[0,0,0]' ORDER BY id;
DROP INDEX t_hash;
RESET enable_seqscan;
SELECT halfvec_hash('[0,1]') = halfvec_hash('[-0,1]') AS equal_zeros,
	halfvec_hash('[0,1]') = halfvec_hash('[1,0]') AS swapped,
	halfvec_hash('[0]') = halfvec_hash('[0,0]') AS longer,
	halfvec_hash_extended('[1,2]', 0) & 4294967295 = halfvec_hash('[1,2]')::bigint & 4294967295 AS low_half,
	halfvec_hash_extended('[1,2]', 1) = halfvec_hash_extended('[1,2]', 0) AS seed_ignored;
-- groups by hash and by sort agree
SET enable_sort = off;
SELECT val = '[0,0,0]' AS zero, count(*) FROM t GROUP BY val ORDER BY 2, 1;
RESET enable_sort;
SET enable_hashagg = off;
SELECT val = '[0,0,0]' AS zero, count(*) FROM t GROUP BY val ORDER BY 2, 1;
RESET enable_hashagg;
DROP TABLE t;
CREATE TABLE u (val halfvec PRIMARY KEY);
INSERT INTO u VALUES ('[0]');
INSERT INTO u VALUES ('[-0]');
DROP TABLE u;
SELECT amname, opcname, opcdefault, amvalidate(opc.oid)
	FROM pg_opclass opc JOIN pg_am am ON am.oid = opcmethod
	WHERE opcintype = 'halfvec'::regtype AND amname IN ('btree', 'hash') ORDER BY 1;
-- every operator of vector that computes or compares has its like
SELECT v.oprname FROM pg_operator v
	LEFT JOIN pg_operator h ON h.oprname = v.oprname AND h.oprleft = 'halfvec'::regtype AND h.oprright = 'halfvec'::regtype
		AND h.oprcanhash = v.oprcanhash AND h.oprcanmerge = v.oprcanmerge AND h.oprrest = v.oprrest
		AND h.oprjoin = v.oprjoin AND (h.oprcom = 0) = (v.oprcom = 0) AND (h.oprnegate = 0) = (v.oprnegate = 0)
	WHERE v.oprleft = 'vector'::regtype AND v.oprright = 'vector'::regtype AND h.oid IS NULL;

-- avg and sum
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::halfvec, '[3,5,7]', NULL]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[]::halfvec[]) v;
SELECT avg(v) FROM unnest(ARRAY['[1,2]'::halfvec, '[3]']) v;
SELECT sum(v) FROM unnest(ARRAY['[1,2]'::halfvec, '[3]']) v;
-- sums are in double precision: only the result has to be a float16
SELECT avg(v) FROM unnest(ARRAY['[65504]'::halfvec, '[65504]']) v;
SELECT sum(v) FROM unnest(ARRAY['[65504]'::halfvec, '[65504]', '[-65504]']) v;
SELECT sum(v) FROM unnest(ARRAY['[65504]'::halfvec, '[16]']) v;
SELECT sum(ARRAY[1]::halfvec), avg(ARRAY[1]::halfvec) FROM generate_series(1, 5000);
SELECT halfvec_avg('{2,2,4,6}'), halfvec_avg('{0}'), halfvec_sum('{2,2,4,6}'), halfvec_sum('{0}');
SELECT halfvec_avg('{1}');
SELECT halfvec_avg('{1,65520}');
SELECT halfvec_avg('{1,NaN}');
SELECT halfvec_avg('{{2,2,4,6}}');
SELECT halfvec_sum('{1,65520}');
SELECT halfvec_sum('{1,NaN}');
SELECT halfvec_accum('{0}', '[1,2,3]'), halfvec_accum('{1,1,2,3}', '[1,2,3]');
SELECT halfvec_accum('{NULL}', '[1,2,3]');
SELECT halfvec_accum('{0,0}', '[1,2,3]');
SELECT halfvec_sum_accum('{}', '[1]');
SELECT halfvec_combine('{1,2}', '{3,4}'), halfvec_combine('{0}', '{1,2}'), halfvec_combine('{1,2}', '{0}');
SELECT halfvec_combine('{1,2}', '{3,4,5}');
SELECT halfvec_combine('{{1,2}}', '{3,4}');
SELECT halfvec_combine('{0}', (SELECT array_agg(n) FROM generate_series(1, 16002) n));
-- partial aggregates in parallel workers give what one process gives
CREATE TABLE t (v halfvec(3));
INSERT INTO t SELECT ARRAY[i % 11, i % 7, -i % 5]::halfvec FROM generate_series(1, 10000) i;
ANALYZE t;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT avg(v), sum(v) FROM t;
SELECT avg(v), sum(v) FROM t;
SET max_parallel_workers_per_gather = 0;
SELECT avg(v), sum(v) FROM t;
DROP TABLE t;
