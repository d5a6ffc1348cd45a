-- values of the four operators and their functions
SELECT '[0,0]'::vector <-> '[3,4]' AS l2, '[1,2]'::vector <#> '[3,4]' AS neg_ip,
	   '[1,0]'::vector <=> '[0,2]' AS cosine, '[0,0]'::vector <+> '[3,4]' AS l1;
SELECT l2_distance('[0,0]'::vector, '[3,4]'),
	   vector_l2_squared_distance('[0,0]'::vector, '[3,4]') AS l2_squared,
	   inner_product('[1,2]'::vector, '[3,4]'),
	   vector_negative_inner_product('[1,2]'::vector, '[3,4]') AS neg_ip;
SELECT cosine_distance('[1,2]'::vector, '[2,4]') AS parallel,
	   cosine_distance('[1,1]'::vector, '[-1,-1]') AS opposite,
	   cosine_distance('[1,0]'::vector, '[0,2]') AS orthogonal,
	   l1_distance('[1,2,3]'::vector, '[-1,5,3]');
SELECT vector_spherical_distance('[1,0]'::vector, '[0,1]') AS right_angle,
	   vector_spherical_distance('[1,0]'::vector, '[1,0]') AS same,
	   vector_spherical_distance('[1,0]'::vector, '[-1,0]') AS opposite;

-- a remainder beyond the vector registers
SELECT l2_distance('[1,1,1,1,1,1,1,1,1]'::vector, '[1,1,1,1,1,1,1,4,5]'),
	   inner_product('[1,1,1,1,1,1,1,1,1]'::vector, '[1,2,3,4,5,6,7,8,9]'),
	   cosine_distance('[1,2,3,4,5,6,7,8,9]'::vector, '[-1,-2,-3,-4,-5,-6,-7,-8,-9]'),
	   l1_distance('[1,2,3,4,5,6,7,8,9]'::vector, '[0,3,2,5,4,7,6,9,8]');

-- overflow is Infinity, an undefined cosine NaN, and none goes beyond [0, 2]
SELECT l2_distance('[3e38]'::vector, '[-3e38]') AS l2,
	   inner_product('[3e38]'::vector, '[3e38]') AS ip,
	   vector_negative_inner_product('[3e38]'::vector, '[3e38]') AS neg_ip,
	   l1_distance('[3e38]'::vector, '[-3e38]') AS l1,
	   vector_l2_squared_distance('[1e20]'::vector, '[0]') AS l2_squared;
SELECT cosine_distance('[1,2]'::vector, '[0,0]') AS zero,
	   cosine_distance('[0,0]'::vector, '[0,0]') AS zeros,
	   cosine_distance('[3e38]'::vector, '[3e38]') AS overflow,
	   cosine_distance('[1e-30]'::vector, '[1e-30]') AS underflow,
	   cosine_distance('[1e-30,0]'::vector, '[3,-4]') AS small,
	   cosine_distance('[3,4]'::vector, '[0,-1e-45]') AS smallest,
	   cosine_distance('[1e-45]'::vector, '[0]') AS small_zero,
	   vector_spherical_distance('[2,0]'::vector, '[2,0]') AS not_unit;
SELECT cosine_distance('[1,1]'::vector, '[1.1,1.1]') AS parallel,
	   cosine_distance('[1,1]'::vector, '[-1.1,-1.1]') AS opposite;
SELECT count(*) AS itself_not_zero
FROM (SELECT (SELECT array_agg(sin(i * j)) FROM generate_series(1, 37) j)::vector AS v
	  FROM generate_series(1, 200) i) s
WHERE (v <=> v) <> 0 OR (v <-> v) <> 0 OR (v <+> v) <> 0;

-- NULL in, NULL out; different dimensions are an error in each function
SELECT '[1]'::vector <-> NULL AS l2, NULL::vector <=> '[1]' AS cosine;
SELECT '[1,2]'::vector <-> '[3]';
SELECT '[1,2]'::vector <#> '[3]';
SELECT '[1,2]'::vector <=> '[3]';
SELECT '[1]'::vector <+> '[3,4,5]';
SELECT vector_l2_squared_distance('[1,2]'::vector, '[3]');
SELECT inner_product('[1,2]'::vector, '[3]');
SELECT vector_spherical_distance('[1,2]'::vector, '[3]');
DO $$
BEGIN
	PERFORM '[1,2]'::vector <-> '[3]';
EXCEPTION WHEN data_exception THEN
	RAISE NOTICE '%: %', SQLSTATE, SQLERRM;
END $$;

-- declarations: every operator is its own commutator, all is immutable,
-- strict, parallel safe and priced by the support function
SELECT o.oprname, o.oprcode::regprocedure, c.oprname AS commutator, o.oprkind
FROM pg_operator o LEFT JOIN pg_operator c ON c.oid = o.oprcom
WHERE o.oprleft = 'vector'::regtype AND o.oprname IN ('<->', '<#>', '<=>', '<+>')
ORDER BY o.oprname COLLATE "C";
SELECT proname, provolatile, proisstrict, proparallel, prosupport
FROM pg_proc
WHERE proname ~ 'distance|inner_product' AND proargtypes[0] = 'vector'::regtype
ORDER BY proname COLLATE "C";
SELECT count(*) AS without_comment
FROM pg_depend d
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vecdb')
	AND (classid = 'pg_operator'::regclass AND
		 objid IN (SELECT oid FROM pg_operator WHERE oprname IN ('<->', '<#>', '<=>', '<+>')) OR
		 classid = 'pg_proc'::regclass AND
		 objid IN (SELECT oid FROM pg_proc WHERE proname ~ 'distance|inner_product'))
	AND obj_description(objid, classid::regclass::text) IS NULL;

-- the setting: a level is one of these, those of another processor are refused
SHOW vecdb.simd;
SELECT vartype, context, enumvals FROM pg_settings WHERE name = 'vecdb.simd';
SET vecdb.simd = 'sse9';
DO $$
DECLARE
	refused int := 0;
	hints text[] := '{}';
	lvl text;
	hint text;
BEGIN
	FOREACH lvl IN ARRAY '{auto,scalar,neon,avx2,avx512}'::text[] LOOP
		BEGIN
			PERFORM set_config('vecdb.simd', lvl, false);
		EXCEPTION WHEN invalid_parameter_value THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
			refused := refused + 1;
			hints := hints || hint;
			IF current_setting('vecdb.simd') = lvl THEN
				RAISE EXCEPTION '% is in force although it was refused', lvl;
			END IF;
		END;
	END LOOP;
	-- no processor has both NEON and AVX
	IF refused = 0 THEN
		RAISE EXCEPTION 'every level was accepted';
	END IF;
	FOREACH hint IN ARRAY hints LOOP
		IF hint !~ '^Available values: auto, scalar(, neon|, avx2)?(, avx512)?\.$' THEN
			RAISE EXCEPTION 'unexpected hint: %', hint;
		END IF;
	END LOOP;
END $$;
RESET vecdb.simd;

-- every level that is here agrees with a double-precision reference
CREATE TABLE distance_pairs AS
SELECT d AS dim, a::vector AS a, b::vector AS b,
	   (SELECT sum((x - y) ^ 2) FROM unnest(a, b) AS u(x, y)) AS l2sq,
	   (SELECT sum(x * y) FROM unnest(a, b) AS u(x, y)) AS ip,
	   (SELECT sum(abs(x * y)) FROM unnest(a, b) AS u(x, y)) AS ip_magnitude,
	   (SELECT sum(x * x) FROM unnest(a) AS u(x)) AS norm_a,
	   (SELECT sum(y * y) FROM unnest(b) AS u(y)) AS norm_b,
	   (SELECT sum(abs(x - y)) FROM unnest(a, b) AS u(x, y)) AS l1
FROM (SELECT d, array_agg((sin(d + 1.7 * i)::real)::float8 ORDER BY i) AS a,
			 array_agg((cos(d - 0.9 * i)::real)::float8 ORDER BY i) AS b
	  FROM (SELECT generate_series(1, 70) UNION VALUES (127), (128), (129),
			(384), (768), (1000), (1536), (4097)) dims(d), generate_series(1, d) i
	  GROUP BY d) s;
CREATE FUNCTION distance_mismatches() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT *, (dim / 16.0 + 13) * 2.0 ^ -24 AS eps FROM distance_pairs) p
	WHERE abs(vector_l2_squared_distance(a, b) - l2sq) > eps * l2sq
		OR abs((a <-> b) - sqrt(l2sq)) > eps * sqrt(l2sq)
		OR abs((a <#> b) + ip) > eps * ip_magnitude
		OR abs(inner_product(a, b) - ip) > eps * ip_magnitude
		OR abs((a <+> b) - l1) > eps * l1
		OR abs((a <=> b) - (1 - ip / sqrt(norm_a * norm_b)))
			> 2 * eps * ip_magnitude / sqrt(norm_a * norm_b)
		OR (a <-> b) <> (b <-> a) OR (a <#> b) <> (b <#> a)
		OR (a <=> b) <> (b <=> a) OR (a <+> b) <> (b <+> a)
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
		IF distance_mismatches() > 0 THEN
			RAISE EXCEPTION 'level %: % of the pairs are beyond the bound', lvl, distance_mismatches();
		END IF;
		tested := tested + 1;
	END LOOP;
	IF tested < 2 THEN
		RAISE EXCEPTION 'only % levels were tested', tested;
	END IF;
END $$;
-- and the setting takes effect: fused multiply-adds round otherwise
DO $$
DECLARE
	scalar_sums float8[];
BEGIN
	SET vecdb.simd = scalar;
	scalar_sums := ARRAY(SELECT a <#> b FROM distance_pairs ORDER BY dim);
	BEGIN
		SET vecdb.simd = avx2;
	EXCEPTION WHEN invalid_parameter_value THEN
		RETURN;
	END;
	IF scalar_sums = ARRAY(SELECT a <#> b FROM distance_pairs ORDER BY dim) THEN
		RAISE EXCEPTION 'avx2 gives the same bits as scalar in % sums', cardinality(scalar_sums);
	END IF;
END $$;
RESET vecdb.simd;

-- JIT with inlining gives the same answers
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT distance_mismatches();
SELECT sum(a <-> b) = sum(l2_distance(b, a)) AS same, count(*) FROM distance_pairs;
SELECT a <-> '[1,2]' FROM distance_pairs WHERE dim = 3;
RESET jit_optimize_above_cost;
RESET jit_inline_above_cost;
RESET jit_above_cost;
SET jit = off;
CREATE TEMP TABLE without_jit AS SELECT dim, a <-> b AS l2, a <=> b AS cosine FROM distance_pairs;
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SELECT count(*) AS differences
FROM distance_pairs p JOIN without_jit w USING (dim)
WHERE (p.a <-> p.b) <> w.l2 OR (p.a <=> p.b) <> w.cosine;
RESET jit_inline_above_cost;
RESET jit_above_cost;
RESET jit;
DROP TABLE distance_pairs CASCADE;
DROP FUNCTION distance_mismatches;
