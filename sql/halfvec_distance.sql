-- distances of halfvec: values, errors, levels, cost

SELECT '[0,0]'::halfvec <-> '[3,4]' AS l2, '[1,2]'::halfvec <#> '[3,4]' AS neg_ip,
	   '[1,0]'::halfvec <=> '[0,2]' AS cosine, '[0,0]'::halfvec <+> '[3,4]' AS l1;
SELECT l2_distance('[0,0]'::halfvec, '[3,4]'), halfvec_l2_squared_distance('[0,0]', '[3,4]') AS l2_squared,
	   inner_product('[1,2]'::halfvec, '[3,4]'), halfvec_negative_inner_product('[1,2]', '[3,4]') AS neg_ip,
	   l1_distance('[1,2,3]'::halfvec, '[-1,5,3]');
SELECT cosine_distance('[1,2]'::halfvec, '[2,4]') AS parallel,
	   cosine_distance('[1,1]'::halfvec, '[-1,-1]') AS opposite,
	   cosine_distance('[6e-8,0]'::halfvec, '[3,-4]') AS small,
	   cosine_distance('[1,2]'::halfvec, '[0,0]') AS zero,
	   cosine_distance('[65504,65504]'::halfvec, '[65504,65504]') AS large;
SELECT halfvec_spherical_distance('[1,0]', '[0,1]') AS right_angle, halfvec_spherical_distance('[2,0]', '[2,0]') AS not_unit;
-- nothing overflows: the sums are float32
SELECT inner_product('[65504]'::halfvec, '[65504]') AS ip, '[65504]'::halfvec <-> '[-65504]' AS l2,
	   l1_distance(array_fill(65504, '{16000}')::halfvec, array_fill(-65504, '{16000}')::halfvec)::real AS l1,
	   l2_distance(array_fill(65504, '{16000}')::halfvec, array_fill(-65504, '{16000}')::halfvec)::real AS l2_long;
SELECT '[1]'::halfvec <-> NULL AS l2, NULL::halfvec <=> '[1]' AS cosine;
SELECT '[1,2]'::halfvec <-> '[3]';
SELECT '[1,2]'::halfvec <#> '[3]';
SELECT '[1,2]'::halfvec <=> '[3]';
SELECT '[1]'::halfvec <+> '[3,4,5]';
SELECT halfvec_l2_squared_distance('[1,2]', '[3]');
SELECT inner_product('[1,2]'::halfvec, '[3]');
SELECT halfvec_spherical_distance('[1,2]', '[3]');

SELECT o.oprname, o.oprcode::regprocedure, c.oprname AS commutator
FROM pg_operator o LEFT JOIN pg_operator c ON c.oid = o.oprcom
WHERE o.oprleft = 'halfvec'::regtype AND o.oprname IN ('<->', '<#>', '<=>', '<+>')
ORDER BY o.oprname COLLATE "C";
SELECT proname, provolatile, proisstrict, proparallel, prosupport
FROM pg_proc
WHERE proname ~ 'distance|inner_product' AND proargtypes[0] = 'halfvec'::regtype
ORDER BY proname COLLATE "C";

-- every level that is here agrees with the distances of the same numbers as vectors
CREATE TABLE pairs AS
SELECT d AS dim, a, b, a::vector AS va, b::vector AS vb
FROM (SELECT d, array_agg(sin(d + 1.7 * i) * (1 + i % 100) ORDER BY i)::halfvec AS a,
			 array_agg(cos(d - 0.9 * i) ORDER BY i)::halfvec AS b
	  FROM (SELECT generate_series(1, 70) UNION VALUES (127), (128), (129),
			(384), (768), (1000), (1536), (4097)) dims(d), generate_series(1, d) i
	  GROUP BY d) s;
CREATE FUNCTION mismatches() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT *, (dim / 16.0 + 13) * 2.0 ^ -23 AS eps FROM pairs) p
	WHERE abs(halfvec_l2_squared_distance(a, b) - vector_l2_squared_distance(va, vb)) > eps * vector_l2_squared_distance(va, vb)
		OR abs((a <-> b) - (va <-> vb)) > eps * (va <-> vb)
		OR abs((a <#> b) - (va <#> vb)) > eps * vector_norm(va) * vector_norm(vb)
		OR abs(inner_product(a, b) - inner_product(va, vb)) > eps * vector_norm(va) * vector_norm(vb)
		OR abs((a <+> b) - (va <+> vb)) > eps * (va <+> vb)
		OR abs((a <=> b) - (va <=> vb)) > 2 * eps
		OR (a <-> b) <> (b <-> a) OR (a <#> b) <> (b <#> a) OR (a <=> b) <> (b <=> a) OR (a <+> b) <> (b <+> a)
		OR (a <-> a) <> 0 OR (a <=> a) <> 0 OR (a <+> a) <> 0
$$;
DO $$
DECLARE
	lvl text;
	tested int := 0;
BEGIN
	FOREACH lvl IN ARRAY '{auto,scalar,neon,avx2,avx512}'::text[] LOOP
		BEGIN
			PERFORM set_config('vecdb.simd', lvl, false);
		EXCEPTION WHEN invalid_parameter_value THEN
			CONTINUE;
		END;
		IF mismatches() > 0 THEN
			RAISE EXCEPTION 'level %: % of the pairs are beyond the bound', lvl, mismatches();
		END IF;
		tested := tested + 1;
	END LOOP;
	IF tested < 2 THEN
		RAISE EXCEPTION 'only % levels were tested', tested;
	END IF;
END $$;
RESET vecdb.simd;
-- JIT with inlining gives the same answers
SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;
SELECT mismatches();
SELECT sum(a <-> b) = sum(l2_distance(b, a)) AS same, count(*) FROM pairs;
SELECT a + b, a < b, l2_norm(a)::real FROM pairs WHERE dim = 2;
RESET jit; RESET jit_above_cost; RESET jit_inline_above_cost; RESET jit_optimize_above_cost;
DROP TABLE pairs CASCADE;
DROP FUNCTION mismatches;

-- the cost of a call, in units of cpu_operator_cost: by dimensions, and by bytes where out of line
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION expression_cost(expr text, tab text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	with_expr json;
	without_expr json;
BEGIN
	EXECUTE format('EXPLAIN (FORMAT JSON) SELECT %s FROM %s', expr, tab) INTO with_expr;
	EXECUTE format('EXPLAIN (FORMAT JSON) SELECT 1 FROM %s', tab) INTO without_expr;
	RETURN round(((with_expr -> 0 -> 'Plan' ->> 'Total Cost')::numeric -
				  (without_expr -> 0 -> 'Plan' ->> 'Total Cost')::numeric) /
				 (with_expr -> 0 -> 'Plan' ->> 'Plan Rows')::numeric / 0.0025, 1);
END $$;
CREATE TABLE inline768 (h halfvec(768), untyped halfvec) WITH (autovacuum_enabled = off, toast_tuple_target = 8160);
CREATE TABLE toasted1536 (h halfvec(1536), untyped halfvec) WITH (autovacuum_enabled = off);
INSERT INTO inline768 SELECT array_fill(0.5, '{768}')::halfvec, array_fill(0.5, '{768}')::halfvec FROM generate_series(1, 100);
INSERT INTO toasted1536 SELECT array_fill(0.5, '{1536}')::halfvec, array_fill(0.5, '{1536}')::halfvec FROM generate_series(1, 100);
ANALYZE inline768, toasted1536;
SELECT tab, expr, expression_cost(expr, tab) AS cost
FROM (VALUES ('inline768', 'h <-> h'), ('inline768', 'untyped <=> untyped'),
			 ('inline768', 'untyped <-> array_fill(1, ''{768}'')::halfvec'),
			 ('toasted1536', 'h <-> array_fill(1, ''{1536}'')::halfvec(1536)'),
			 ('toasted1536', 'untyped <#> array_fill(1, ''{1536}'')::halfvec')) t (tab, expr);
DROP TABLE inline768, toasted1536;
DROP FUNCTION expression_cost;
