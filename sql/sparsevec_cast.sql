--
-- sparsevec: casts
--

-- vector and back; the way there is implicit, the way back is not
SELECT '[0,1.5,-0,2]'::vector::sparsevec, '{2:1.5,4:2}/4'::sparsevec::vector;
SELECT '[0,0]'::vector::sparsevec, '{}/2'::sparsevec::vector;
SELECT '[1,2,3]'::vector::sparsevec(3);
SELECT '[1,2,3]'::vector::sparsevec(2);
SELECT '{1:1}/3'::sparsevec::vector(3);
SELECT '{1:1}/3'::sparsevec::vector(2);
SELECT '{}/16000'::sparsevec::vector = array_fill(0, ARRAY[16000])::vector AS same;
SELECT '{}/16001'::sparsevec::vector;
SELECT l2_distance('{1:1}/2'::sparsevec, '[1,3]'::vector);
CREATE TABLE t (v vector(3), s sparsevec(3));
INSERT INTO t VALUES ('{2:5}/3'::sparsevec, '[0,0,7]'::vector);
INSERT INTO t (s) VALUES (ARRAY[1,0,2]);
INSERT INTO t (s) VALUES (ARRAY[1,0,2,3]);
SELECT * FROM t;
DROP TABLE t;

-- halfvec and back: values are rounded, those beyond float16 are refused
SELECT '[0,1.5,-0,2]'::halfvec::sparsevec, '{2:0.1,4:2,5:1e-9}/5'::sparsevec::halfvec;
SELECT '[1,2,3]'::halfvec::sparsevec(2);
SELECT '{1:1}/3'::sparsevec::halfvec(2);
SELECT '{1:65520}/3'::sparsevec::halfvec;
SELECT '{}/16001'::sparsevec::halfvec;
SELECT l2_distance('{1:1}/2'::sparsevec, '[1,3]'::halfvec);

-- all elements are non-zero: 16,000 are allowed
SELECT l2_norm(array_fill(1, ARRAY[16000])::vector::sparsevec) ^ 2 AS elements;

-- arrays
SELECT ARRAY[0,1,0,-2]::sparsevec, ARRAY[0,1.5]::real[]::sparsevec,
	ARRAY[0,1.5]::double precision[]::sparsevec, ARRAY[0,1.5]::numeric[]::sparsevec;
SELECT ARRAY[1e-50,1]::double precision[]::sparsevec, '[0:1]={1,2}'::int[]::sparsevec;
SELECT array_fill(0, ARRAY[100000])::sparsevec, (array_fill(0, ARRAY[99999]) || 3)::sparsevec;
SELECT ARRAY[1,2]::sparsevec(3);
SELECT '{}'::int[]::sparsevec;
SELECT '{{1,2}}'::int[]::sparsevec;
SELECT '{1,NULL}'::int[]::sparsevec;
SELECT '{NaN}'::real[]::sparsevec;
SELECT '{Infinity}'::real[]::sparsevec;
SELECT '{1e40}'::double precision[]::sparsevec;
SELECT '{1e40}'::numeric[]::sparsevec;
SELECT array_fill(1, ARRAY[16001])::sparsevec;
