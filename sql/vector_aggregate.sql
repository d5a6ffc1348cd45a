-- avg and sum

SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::vector, '[3,5,7]']) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::vector, '[3,5,7]', NULL]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[]::vector[]) v;
SELECT avg(v) FROM unnest(ARRAY['[1,2]'::vector, '[3]']) v;
SELECT sum(v) FROM unnest(ARRAY['[1,2]'::vector, '[3]']) v;
SELECT avg(v) FROM unnest(ARRAY['[3e38]'::vector, '[3e38]']) v;
SELECT sum(v) FROM unnest(ARRAY['[3e38]'::vector, '[3e38]']) v;
-- sums are in double precision: the middle may leave the range, and 2^24 + 1 counts
SELECT sum(v) FROM unnest(ARRAY['[3e38]'::vector, '[3e38]', '[-3e38]']) v;
SELECT sum(v) FROM (VALUES ('[16777216]'::vector), ('[1]'), ('[1]')) AS t (v);

-- groups, window frames and a state that is used twice
SELECT g, avg(v), sum(v) FROM (VALUES (1, '[1,1]'::vector), (2, '[5,5]'), (1, '[3,4]')) AS t (g, v) GROUP BY g ORDER BY g;
SELECT i, sum(ARRAY[i]::vector) OVER (ORDER BY i), avg(ARRAY[i]::vector) OVER (ORDER BY i ROWS 1 PRECEDING) FROM generate_series(1, 4) i;

-- the functions by hand, as pgvector allows
SELECT vector_avg('{2,2,4,6}');
SELECT vector_avg('{0}');
SELECT vector_avg('{1}');
SELECT vector_avg('{{2,2,4,6}}');
SELECT vector_avg('{NULL,2,4,6}');
SELECT vector_avg('{}');
SELECT vector_avg('{1,NaN}');
SELECT vector_avg(array_agg(n)) FROM generate_series(1, 16002) n;
SELECT vector_sum('{2,2,4,6}'), vector_sum('{0}');
SELECT vector_sum('{1,1e39}');
SELECT vector_accum('{0}', '[1,2,3]'), vector_accum('{1,1,2,3}', '[1,2,3]');
SELECT vector_accum('{{0}}', '[1,2,3]');
SELECT vector_accum('{NULL}', '[1,2,3]');
SELECT vector_accum('{}', '[1,2,3]');
SELECT vector_accum('{0,0}', '[1,2,3]');
SELECT vector_sum_accum('{1,5}', '[1]');
SELECT vector_combine('{1,2}', '{3,4}'), vector_combine('{0}', '{1,2}'), vector_combine('{1,2}', '{0}'), vector_combine('{0}', '{0}');
SELECT vector_combine('{1,2}', '{3,4,5}');
SELECT vector_combine('{{1,2}}', '{3,4}');
SELECT vector_combine('{1,2}', '{3,NULL}');
SELECT vector_combine('{}', '{0}');
SELECT vector_combine('{0}', (SELECT array_agg(n) FROM generate_series(1, 16002) n));
-- a state given by hand is not changed in place
DO $$
DECLARE
	state float8[] := '{1,1}';
BEGIN
	PERFORM vector_accum(state, '[5]');
	RAISE NOTICE '%', state;
END $$;

-- partial aggregates in parallel workers give what one process gives
CREATE TABLE t (v vector(3));
INSERT INTO t SELECT ARRAY[i, i % 7, -i]::vector FROM generate_series(1, 10000) i;
ANALYZE t;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT avg(v), sum(v) FROM t;
SELECT avg(v), sum(v) FROM t;
SET max_parallel_workers_per_gather = 0;
SELECT avg(v), sum(v) FROM t;
DROP TABLE t;
