--
-- sparsevec: text, binary form, type modifier
--
SET extra_float_digits = 1;

SELECT '{1:1.5,3:2}/5'::sparsevec, '{}/1'::sparsevec;
SELECT E' \t{ 1 :\n1.5 , 3 : 2 } /\x0b5\f\r '::sparsevec;
SELECT '{+1:+1,2:.5,3:5.,4:1e3,5:0x1p4,6:-1E-2}/6'::sparsevec;

-- any order; zeroes are dropped, wherever they are
SELECT '{5:5,1:1,3:3}/5'::sparsevec, '{1:0,2:-0,3:0.0e9}/3'::sparsevec, '{9:0,0:0}/3'::sparsevec;

-- the shortest text that reads back, the limits of float4 and of the index
SELECT '{1:0.1,2:16777217,3:3.4028235e38,4:1.17549435e-38,5:1e-45}/1000000000'::sparsevec;
SELECT '{1000000000:1}/1000000000'::sparsevec;

-- what is no sparsevec
SELECT ''::sparsevec;
SELECT '1:1}/1'::sparsevec;
SELECT '{1:1'::sparsevec;
SELECT '{1:1}'::sparsevec;
SELECT '{1:1}/'::sparsevec;
SELECT '{1:1}/x'::sparsevec;
SELECT '{1:1}/1.5'::sparsevec;
SELECT '{1:1}/1 2'::sparsevec;
SELECT '{1}/1'::sparsevec;
SELECT '{1:}/1'::sparsevec;
SELECT '{:1}/1'::sparsevec;
SELECT '{1:1,}/1'::sparsevec;
SELECT '{,1:1}/1'::sparsevec;
SELECT '{1:1 2:1}/2'::sparsevec;
SELECT '{1.0:1}/1'::sparsevec;
SELECT '{- 1:1}/1'::sparsevec;
SELECT '[1:1]/1'::sparsevec;
SELECT '{1:1}/0'::sparsevec;
SELECT '{1:1}/1000000001'::sparsevec;
SELECT '{1:1}/99999999999999999999999'::sparsevec;
SELECT '{1:1}/-99999999999999999999999'::sparsevec;
SELECT '{0:1}/1'::sparsevec;
SELECT '{2:1}/1'::sparsevec;
SELECT '{-1:1}/1'::sparsevec;
SELECT '{99999999999999999999999:1}/1'::sparsevec;
SELECT '{-99999999999999999999999:1}/1'::sparsevec;
SELECT '{1:1,1:2}/1'::sparsevec;
SELECT '{2:1,1:1,2:3}/2'::sparsevec;
SELECT '{1:nan}/1'::sparsevec;
SELECT '{1:inf}/1'::sparsevec;
SELECT '{1:-Infinity}/1'::sparsevec;
SELECT '{1:3.5e38}/1'::sparsevec;
SELECT '{1:1e-46}/1'::sparsevec;
SELECT '{1:-0x.1p-160}/1'::sparsevec;

-- 16,000 elements and no more; what is zero does not count
CREATE FUNCTION sparse_text(n integer, value text) RETURNS text LANGUAGE sql
	RETURN (SELECT '{' || string_agg(i || ':' || value, ',' ORDER BY i DESC) || '}/20000' FROM generate_series(1, n) i);
SELECT length(sparse_text(16000, '1')::sparsevec::text), l2_norm(sparse_text(16000, '1')::sparsevec) ^ 2 AS elements;
SELECT sparse_text(16001, '1')::sparsevec;
SELECT sparse_text(16001, '0')::sparsevec;
SELECT md5(sparse_text(16000, '2.5')::sparsevec::text) =
	md5('{' || (SELECT string_agg(i || ':2.5', ',' ORDER BY i) FROM generate_series(1, 16000) i) || '}/20000') AS same;
DROP FUNCTION sparse_text;

-- type modifier
SELECT '{1:1}/3'::sparsevec(3);
SELECT '{1:1}/3'::sparsevec(4);
SELECT '{1:1}/3'::sparsevec(0);
SELECT '{1:1}/3'::sparsevec(1000000001);
SELECT '{1:1}/3'::sparsevec(3, 3);
CREATE TABLE t (v sparsevec(3));
INSERT INTO t VALUES ('{1:1}/3'), ('{}/3'), (NULL);
INSERT INTO t VALUES ('{1:1}/4');
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'v';

-- binary form: dimensions, elements, 0, indices from 0, values; big-endian
SELECT sparsevec_send('{1:1.5,3:-2}/5');
SELECT sparsevec_send('{}/1');

-- and back: a round trip, then what is damaged, one place after the other
CREATE TABLE b (v sparsevec);
CREATE FUNCTION read_binary(message bytea, target regclass DEFAULT 'b') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	file bytea := '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0) ||
		int2send(1::int2) || int4send(length(message)) || message || int2send(-1::int2);
	octal text := (SELECT string_agg('\' || (byte >> 6) || (byte >> 3 & 7) || (byte & 7), '' ORDER BY i)
		FROM (SELECT i, get_byte(file, i) AS byte FROM generate_series(0, length(file) - 1) i) bytes);
BEGIN
	TRUNCATE b;
	EXECUTE format('COPY %s FROM PROGRAM %L (FORMAT binary)', target, format('printf "%s"', octal));
	RETURN (SELECT v::text FROM b);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT read_binary(sparsevec_send(v)) FROM (VALUES ('{1:1.5,3:-2}/5'::sparsevec), ('{}/7'), ('{1000000000:1e-45}/1000000000')) s (v);
SELECT what, read_binary(decode(replace(hex, ' ', ''), 'hex'))
	FROM (VALUES ('no dimension', '00000000 00000000 00000000'),
		('too many dimensions', '3b9aca01 00000000 00000000'),
		('negative number', '00000005 ffffffff 00000000'),
		('too many elements', '00004e20 00003e81 00000000'),
		('more than dimensions', '00000001 00000002 00000000 00000000 00000001 3f800000 3f800000'),
		('unused', '00000005 00000000 00000001'),
		('negative index', '00000005 00000001 00000000 ffffffff 3f800000'),
		('index beyond', '00000005 00000001 00000000 00000005 3f800000'),
		('twice', '00000005 00000002 00000000 00000001 00000001 3f800000 3f800000'),
		('order', '00000005 00000002 00000000 00000001 00000000 3f800000 3f800000'),
		('NaN', '00000005 00000001 00000000 00000001 7fc00000'),
		('infinite', '00000005 00000001 00000000 00000001 ff800000'),
		('zero', '00000005 00000001 00000000 00000001 00000000'),
		('minus zero', '00000005 00000001 00000000 00000001 80000000'),
		('short', '00000005 00000001 00000000 00000001'),
		('long', '00000005 00000000 00000000 00000000')) s (what, hex);

-- for a column with another number of dimensions
SELECT read_binary(sparsevec_send('{1:1}/4'), 't');
DROP FUNCTION read_binary;
DROP TABLE t, b;
