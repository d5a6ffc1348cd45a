--
-- distances of bit strings
--
SELECT B'1010' <~> B'0110' AS hamming, B'1010' <%> B'0110' AS jaccard;
SELECT hamming_distance(B'111', B'111'), hamming_distance(B'000', B'111'), hamming_distance(B'', B'');
SELECT jaccard_distance(B'1111', B'1110'), jaccard_distance(B'1100', B'0011'), jaccard_distance(B'1100', B'1100');

-- of strings without bits
SELECT jaccard_distance(B'0000', B'0000'), jaccard_distance(B'0000', B'1111'), jaccard_distance(B'', B'');

-- lengths must agree; bit varying is taken, too
SELECT B'111' <~> B'1111';
SELECT B'111' <%> B'1111';
SELECT B'101'::varbit <~> B'001'::varbit AS hamming, B'101'::varbit <%> B'001'::varbit AS jaccard;
SELECT NULL::bit(3) <~> B'111' AS hamming, B'111' <%> NULL AS jaccard;

-- every length and remainder at every level, beside core's bit_count and bit operators
CREATE TABLE b AS SELECT n, string_agg((hashint4(n * 7919 + i) & 1)::text, '')::varbit AS x,
		string_agg((hashint4(n * 104729 + i) & 1)::text, '')::varbit AS y
	FROM generate_series(1, 1300, 13) n, generate_series(1, n) i GROUP BY n;
CREATE FUNCTION wrong_distances() RETURNS bigint LANGUAGE sql
	RETURN (SELECT count(*) FROM b WHERE x <~> y IS DISTINCT FROM bit_count(x # y)::float8
		OR x <%> y IS DISTINCT FROM CASE WHEN bit_count(x & y) = 0 THEN 1 ELSE 1 - bit_count(x & y)::float8 / bit_count(x | y) END
		OR x <~> y <> y <~> x OR x <%> y <> y <%> x OR x <~> x <> 0);
SELECT wrong_distances();
SET vecdb.simd = scalar;
SELECT wrong_distances();
RESET vecdb.simd;
DROP FUNCTION wrong_distances;

-- out of line
CREATE TABLE wide (id int, x bit(64000));
ALTER TABLE wide ALTER x SET STORAGE external;
INSERT INTO wide SELECT i, (repeat('1', i * 1000) || repeat('0', 64000 - i * 1000))::bit(64000) FROM generate_series(1, 3) i;
SELECT id, x <~> (SELECT x FROM wide WHERE id = 1) AS hamming, x <%> (SELECT x FROM wide WHERE id = 2) AS jaccard FROM wide ORDER BY id;
DROP TABLE b, wide;
