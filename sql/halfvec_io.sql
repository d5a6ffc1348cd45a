-- text, type modifier, binary form and casts of halfvec

-- text in and out: what the nearest float16 is
SELECT '[1,2,3]'::halfvec;
SELECT ' [ -1, -2.5	,+3e2,0x1p4,.3 ] '::halfvec;
SELECT '[1.23456,0.1,-0,65504,65519.99]'::halfvec;
-- ties to even, the smallest normal and subnormal numbers, what is nearest to 0
SELECT '[2049,2051,1.00048828125,1.00146484375]'::halfvec;
SELECT '[6.1035156e-05,6.0975552e-05,5.9604645e-08,2.9802322e-08,2.9802326e-08,-1e-8]'::halfvec;
-- every float16 that is finite is read from its exact text, and from its own
SELECT count(*), count(*) FILTER (WHERE halfvec_send(v) <> bits) AS misread,
	count(*) FILTER (WHERE halfvec_send(v::text::halfvec) <> bits) AS changed
	FROM (SELECT '\x00010000'::bytea || set_byte(set_byte('\x0000', 0, i / 256), 1, i % 256) AS bits,
			format('[%s%s]', CASE WHEN i >= 32768 THEN '-' END,
				CASE WHEN (i / 1024) % 32 = 0 THEN (i % 1024) * 2.0 ^ -24
				ELSE (1024 + i % 1024) * 2.0 ^ ((i / 1024) % 32 - 25) END)::halfvec AS v
		FROM generate_series(0, 65535) i WHERE (i / 1024) % 32 < 31) h;

-- refused: with pgvector's words
SELECT '[hello,1]'::halfvec;
SELECT '[1,NaN]'::halfvec;
SELECT '[-Infinity,1]'::halfvec;
SELECT '[65520,1]'::halfvec;
SELECT '[1,-6.552e4 ,a]'::halfvec;
SELECT '[4e38]'::halfvec;
SELECT '[1,2,3'::halfvec;
SELECT '[1,2]9'::halfvec;
SELECT '1,2'::halfvec;
SELECT '[]'::halfvec;
SELECT '[1,]'::halfvec;
SELECT '[1,,3]'::halfvec;

-- the SQLSTATEs behind the words
CREATE FUNCTION state_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT literal, state_of(format('SELECT %L::halfvec', literal))
	FROM unnest(ARRAY['[1]', '[a]', '1', '[1]x', '[]', '[nan]', '[inf]', '[65520]', '[4e38]']) literal;
SELECT state_of('SELECT ''[1,2]''::halfvec(3)') AS wrong_dimension,
	state_of(format('SELECT ''[%s]''::halfvec', repeat('1,', 16000) || '1')) AS too_long,
	state_of('SELECT NULL::halfvec(0)') AS bad_typmod,
	state_of('SELECT ''[1e5]''::vector::halfvec') AS cast_overflow,
	state_of('SELECT ''[6e4]''::halfvec + ''[6e4]''') AS overflow;

-- dimensions
SELECT '[1,2,3]'::halfvec(3);
SELECT '[1,2,3]'::halfvec(2);
SELECT '[1,2,3]'::halfvec(3, 2);
SELECT '[1,2,3]'::halfvec(0);
SELECT '[1,2,3]'::halfvec(16001);
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::halfvec);
SELECT vector_dims(('[' || repeat('1,', 16000) || '1]')::halfvec);

-- columns; two bytes an element
CREATE TABLE h (a halfvec, b halfvec(3), c halfvec(3)[]);
INSERT INTO h VALUES ('[1,2]', '[1,2,3]', ARRAY['[4,5,6]', '[7,8,9]']::halfvec(3)[]), (NULL, NULL, NULL);
INSERT INTO h (b) VALUES ('[1,2]');
INSERT INTO h (c) VALUES ('{"[1,2]"}');
SELECT * FROM h;
SELECT attname, format_type(atttypid, atttypmod), attstorage, attalign
	FROM pg_attribute WHERE attrelid = 'h'::regclass AND attnum > 0 ORDER BY attnum;
SELECT pg_column_size('[1,2,3,4]'::halfvec), pg_column_size('[1,2,3,4]'::vector);

-- binary form: int16 dimensions, int16 zero, float16 each, network order
SELECT halfvec_send('[1,-2.5,0,65504]');
CREATE TABLE received (LIKE h);
\copy h TO 'results/halfvec_io.bin' WITH (FORMAT binary)
\copy received FROM 'results/halfvec_io.bin' WITH (FORMAT binary)
SELECT * FROM received;
-- files whose one value has no dimension, too many, a wrong number, NaN, -Infinity, rubbish, not all
CREATE TABLE strict (b halfvec(2));
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4\0\0\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4\76\201\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\6\0\1\0\0\74\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\10\0\2\0\0\176\0\74\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\10\0\2\0\0\74\0\374\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\10\0\2\0\7\74\0\74\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\6\0\2\0\0\74\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\10\0\2\0\0\74\0\300\0\377\377"' WITH (FORMAT binary)
SELECT * FROM strict;
DROP TABLE received, strict;

-- a value that does not fit in place keeps its elements
CREATE TABLE wide (id int, embedding halfvec(3000));
INSERT INTO wide SELECT i, array_agg((i * j) % 97)::halfvec FROM generate_series(1, 3) i, generate_series(1, 3000) j GROUP BY i;
SELECT id, vector_dims(embedding), halfvec_get(embedding, 3000) FROM wide ORDER BY id;
SELECT bool_and(embedding::text::halfvec = embedding) FROM wide;
DROP TABLE h, wide;

-- casts: from arrays
SELECT ARRAY[1,2,3]::halfvec, ARRAY[1.5,2.5]::halfvec, ARRAY[1,2]::float4[]::halfvec, ARRAY[1,2]::float8[]::halfvec;
SELECT '{1,2,3}'::real[]::halfvec(3);
SELECT '{1,2,3}'::real[]::halfvec(2);
SELECT '{1,NULL}'::real[]::halfvec;
SELECT '{NaN}'::real[]::halfvec;
SELECT '{-Infinity}'::float8[]::halfvec;
SELECT '{}'::real[]::halfvec;
SELECT '{{1}}'::real[]::halfvec;
SELECT '{65519,-65519}'::real[]::halfvec;
SELECT '{1,65520}'::real[]::halfvec;
SELECT ARRAY[-70000]::halfvec;
SELECT ARRAY[123456.7]::halfvec;
SELECT '{4e38}'::float8[]::halfvec;
SELECT '{1e-8,-1e-46}'::float8[]::halfvec;
SELECT array_fill(0, ARRAY[16001])::halfvec;
-- from and to vector
SELECT '[1,2.5,0.1,1e-9]'::vector::halfvec, '[1,2.5,0.1]'::halfvec::vector;
SELECT '[1,2]'::vector::halfvec(3);
SELECT '[1,2]'::halfvec::vector(3);
SELECT '[1,-65520]'::vector::halfvec;
SELECT '[3.4e38]'::vector::halfvec;
SELECT '[1,2]'::halfvec::halfvec(2);
SELECT '[1,2]'::halfvec::halfvec(3);
-- to arrays and JSON
SELECT '[1,0.1]'::halfvec::real[], halfvec_to_float4('[1.5,2]', -1, false);
SELECT '[1,-2.5,65504,6e-8,0]'::halfvec::json, to_jsonb('[0.1]'::halfvec);
-- which of them need no cast to be written
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast
	WHERE 'halfvec'::regtype IN (castsource, casttarget)
		AND castsource::regtype::text <> 'sparsevec' AND casttarget::regtype::text <> 'sparsevec'
	ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
CREATE TABLE t (h halfvec(2), v vector(2), r real[]);
INSERT INTO t (h) VALUES (ARRAY[1,2]), ('[3,4]'::vector), ('{5,6}'::float8[]);
INSERT INTO t (v, r) VALUES ('[7,8]'::halfvec, '[9,10]'::halfvec);
SELECT * FROM t;
-- a vector becomes a halfvec where one is called for, and not the reverse
SELECT '[1,2]'::vector <-> '[1,4]'::halfvec AS mixed, '[1,2]'::halfvec + '[0.1,0]'::vector AS sum;
DROP TABLE t;
DROP FUNCTION state_of;
