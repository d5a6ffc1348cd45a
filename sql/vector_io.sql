-- text, type modifier and binary form of vector

-- text in and out
SELECT '[1,2,3]'::vector;
SELECT '[-1,-2.5,+3e2]'::vector;
SELECT '[1.,2.e1,.3,0x1p4]'::vector;
SELECT ' [ 1,  2 ,	3  ] '::vector;
SELECT E'[1\n,\r2\x0b,\f3]\t'::vector;
SELECT '[1.23456]'::vector;
SELECT '[0.1,1e-45,3.4028235e38,-0,16777217,1e-46]'::vector;
SELECT '[0.30000001192092896,0.29999999,123456789.5]'::vector;

-- refused: with pgvector's words
SELECT '[hello,1]'::vector;
SELECT '[NaN,1]'::vector;
SELECT '[1,nan]'::vector;
SELECT '[Infinity,1]'::vector;
SELECT '[-inf,1]'::vector;
SELECT '[4e38,1]'::vector;
SELECT '[1,-4e38 ]'::vector;
SELECT '[1,2,3'::vector;
SELECT '[1,2,3]9'::vector;
SELECT '1,2,3'::vector;
SELECT ''::vector;
SELECT '['::vector;
SELECT '[ '::vector;
SELECT '[,'::vector;
SELECT '[]'::vector;
SELECT '[ ]'::vector;
SELECT '[,]'::vector;
SELECT '[1,]'::vector;
SELECT '[1a]'::vector;
SELECT '[1,,3]'::vector;
SELECT '[1, ,3]'::vector;
SELECT '[1 2]'::vector;
SELECT '[1,[2]]'::vector;
SELECT '["1"]'::vector;
SELECT '{1,2}'::vector;

-- the SQLSTATEs behind the words
CREATE FUNCTION state_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT literal, state_of(format('SELECT %L::vector', literal))
	FROM unnest(ARRAY['[1]', '[a]', '1', '[1]x', '[]', '[nan]', '[inf]', '[4e38]', '[1,']) literal;
SELECT state_of('SELECT ''[1,2]''::vector(3)') AS wrong_dimension,
	state_of(format('SELECT ''[%s]''::vector', repeat('1,', 16000) || '1')) AS too_long,
	state_of('SELECT NULL::vector(0)') AS bad_typmod;

-- dimensions
SELECT '[1,2,3]'::vector(3);
SELECT '[1,2,3]'::vector(2);
SELECT '[1,2,3]'::vector(3, 2);
SELECT '[1,2,3]'::vector('a');
SELECT '[1,2,3]'::vector(0);
SELECT '[1,2,3]'::vector(-1);
SELECT '[1,2,3]'::vector(16001);
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::vector);
SELECT vector_dims(('[' || repeat('1,', 16000) || '1]')::vector);

-- every column type that can be asked for
CREATE TABLE v (a vector, b vector(3), c vector(3)[]);
INSERT INTO v VALUES ('[1,2]', '[1,2,3]', ARRAY['[4,5,6]', '[7,8,9]']::vector(3)[]), (NULL, NULL, NULL);
INSERT INTO v (b) VALUES ('[1,2]');
INSERT INTO v (c) VALUES ('{"[1,2]"}');
SELECT * FROM v;
SELECT attname, format_type(atttypid, atttypmod), attstorage
	FROM pg_attribute WHERE attrelid = 'v'::regclass AND attnum > 0 ORDER BY attnum;

-- binary form: int16 dimensions, int16 zero, float4 each, network order
SELECT vector_send('[1,-2.5,0]');
CREATE TABLE received (LIKE v);
\copy v TO 'results/vector_io.bin' WITH (FORMAT binary)
\copy received FROM 'results/vector_io.bin' WITH (FORMAT binary)
SELECT * FROM received;
-- files whose one vector has no dimension, too many, a wrong number, NaN, rubbish
CREATE TABLE strict (b vector(2));
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4\0\0\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4\76\201\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\10\0\1\0\0\77\200\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\14\0\2\0\0\177\300\0\0\77\200\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\14\0\2\0\0\377\200\0\0\77\200\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\14\0\2\0\7\77\200\0\0\77\200\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\10\0\2\0\0\77\200\0\0\377\377"' WITH (FORMAT binary)
\copy strict FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\14\0\2\0\0\77\200\0\0\300\0\0\0\377\377"' WITH (FORMAT binary)
SELECT * FROM strict;
DROP TABLE received, strict;

-- a vector that does not fit in place keeps its values
CREATE TABLE wide (id int, embedding vector(3000));
INSERT INTO wide SELECT i, array_agg((i * j) % 97)::vector FROM generate_series(1, 3) i, generate_series(1, 3000) j GROUP BY i;
SELECT id, vector_dims(embedding), vector_get(embedding, 3000) FROM wide ORDER BY id;
SELECT count(*) FROM wide WHERE embedding = (SELECT array_agg((2 * j) % 97)::vector FROM generate_series(1, 3000) j);
-- out and in again
SELECT bool_and(embedding::text::vector = embedding) FROM wide;

DROP TABLE v, wide;
DROP FUNCTION state_of;
