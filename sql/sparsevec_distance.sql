--
-- sparsevec: distances, norm
--
SELECT '{1:3}/2'::sparsevec <-> '{2:4}/2', '{1:1,2:2}/2'::sparsevec <#> '{1:3,2:4}/2',
	'{1:1,2:1}/2'::sparsevec <=> '{1:1.1,2:1.1}/2', '{1:1}/2'::sparsevec <+> '{1:3,2:4}/2';
SELECT l2_distance('{1:3}/2'::sparsevec, '{2:4}/2'), sparsevec_l2_squared_distance('{1:3}/2', '{2:4}/2'),
	inner_product('{1:1,2:2}/2'::sparsevec, '{1:3,2:4}/2'), sparsevec_negative_inner_product('{1:1,2:2}/2', '{1:3,2:4}/2'),
	cosine_distance('{1:1}/2'::sparsevec, '{2:1}/2'), l1_distance('{1:1}/2'::sparsevec, '{1:3,2:4}/2');

-- as of the dense vectors, whatever indices the two have in common
CREATE FUNCTION sparse_random(seed int, dim int, one_of int) RETURNS sparsevec LANGUAGE sql
	RETURN (SELECT array_agg(CASE WHEN hashint4(seed * 1000 + i) % one_of = 0
		THEN hashint8(seed::bigint * 1000003 + i) / 1e8 ELSE 0 END ORDER BY i)::real[]::sparsevec FROM generate_series(1, dim) i);
CREATE TABLE v AS SELECT i AS id, sparse_random(i, 200, i % 5 + 1) AS s FROM generate_series(1, 40) i;
INSERT INTO v VALUES (41, '{}/200');
SELECT count(*), count(*) FILTER (WHERE abs((a.s <-> b.s) - (a.s::vector <-> b.s::vector)) > 1e-5 * (a.s::vector <-> b.s::vector)) AS l2,
	count(*) FILTER (WHERE abs((a.s <#> b.s) - (a.s::vector <#> b.s::vector)) > 1e-5 * l2_norm(a.s) * l2_norm(b.s)) AS ip,
	count(*) FILTER (WHERE a.id <= 40 AND b.id <= 40 AND abs((a.s <=> b.s) - (a.s::vector <=> b.s::vector)) > 1e-5) AS cosine,
	count(*) FILTER (WHERE abs((a.s <+> b.s) - (a.s::vector <+> b.s::vector)) > 1e-5 * (a.s::vector <+> b.s::vector)) AS l1,
	count(*) FILTER (WHERE (a.s <-> b.s, a.s <#> b.s, a.s <=> b.s, a.s <+> b.s) IS DISTINCT FROM
		(b.s <-> a.s, b.s <#> a.s, b.s <=> a.s, b.s <+> a.s)) AS not_commutative
	FROM v a, v b;
SELECT count(*), count(*) FILTER (WHERE a.s <-> a.s <> 0 OR a.s <=> a.s <> 0 OR a.s <+> a.s <> 0) AS not_zero,
	count(*) FILTER (WHERE abs(l2_norm(s) - vector_norm(s::vector)) > 1e-6 * l2_norm(s)) AS norms,
	count(*) FILTER (WHERE (l2_normalize(s)::vector <-> l2_normalize(s::vector)) > 1e-6) AS normalized
	FROM v a WHERE id <= 40;
DROP TABLE v;
DROP FUNCTION sparse_random;

-- dimensions must agree
SELECT '{1:1}/2'::sparsevec <-> '{1:1}/3';
SELECT '{1:1}/2'::sparsevec <#> '{1:1}/3';
SELECT '{1:1}/2'::sparsevec <=> '{1:1}/3';
SELECT '{1:1}/2'::sparsevec <+> '{1:1}/3';

-- beyond float4, and below: a cosine does not underflow
SELECT '{1:3e38}/1'::sparsevec <-> '{1:-3e38}/1' AS l2, '{1:3e38}/1'::sparsevec <#> '{1:3e38}/1' AS ip,
	'{1:3e38}/1'::sparsevec <=> '{1:3e38}/1' AS cosine, '{1:3e38}/1'::sparsevec <+> '{1:-3e38}/1' AS l1;
SELECT '{1:1e-30}/2'::sparsevec <=> '{2:1e-30}/2' AS cosine, '{1:1e-30}/2'::sparsevec <=> '{1:1}/2' AS same;
SELECT '{}/1'::sparsevec <=> '{1:1}/1' AS of_zero, '{}/1'::sparsevec <=> '{}/1' AS of_zeroes;

-- norm
SELECT l2_norm('{1:3,5:4}/5'::sparsevec), l2_norm('{1:3e37,2:4e37}/2'::sparsevec)::real, l2_norm('{}/5'::sparsevec);
SELECT l2_normalize('{1:3,5:4}/5'::sparsevec), l2_normalize('{}/5'::sparsevec), l2_normalize('{1:3e38,2:1e-7,3:3e38}/4'::sparsevec);

-- an argument out of line, and from a sub-select
CREATE TABLE wide (id int, s sparsevec(20000));
INSERT INTO wide SELECT i, ('{' || string_agg(j || ':' || (i * j % 97 + 1), ',') || '}/20000')::sparsevec
	FROM generate_series(1, 3) i, generate_series(1, 20000, 3) j GROUP BY i;
SELECT id, round((s <-> (SELECT s FROM wide WHERE id = 2))::numeric, 3) AS l2 FROM wide ORDER BY 2, 1;
DROP TABLE wide;
