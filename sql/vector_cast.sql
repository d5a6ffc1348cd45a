-- casts between vector, arrays and JSON

SELECT ARRAY[1,2,3]::vector;
SELECT ARRAY[1.0,2.0,3.0]::vector;
SELECT ARRAY[1,2,3]::float4[]::vector, ARRAY[1,2,3]::float8[]::vector, ARRAY[1,2,3]::numeric[]::vector;
SELECT '{1,2,3}'::real[]::vector(3);
SELECT '{1,2,3}'::real[]::vector(2);
SELECT '[2:4]={1,2,3}'::real[]::vector;
SELECT '{NULL}'::real[]::vector;
SELECT '{NaN}'::real[]::vector;
SELECT '{Infinity}'::real[]::vector;
SELECT '{-Infinity}'::float8[]::vector;
SELECT '{NaN}'::numeric[]::vector;
SELECT '{}'::real[]::vector;
SELECT '{{1}}'::real[]::vector;
SELECT '{1e40}'::float8[]::vector;
SELECT '{1e-50}'::float8[]::vector;
SELECT ARRAY[1e40]::numeric[]::vector;
SELECT ARRAY[2147483647,16777217]::vector;
SELECT array_fill(0, ARRAY[16001])::vector;
SELECT ('{' || repeat('0,', 99999) || '0}')::float8[]::vector;
SELECT array_to_vector(ARRAY['a'], -1, false);

SELECT '[1,2,3]'::vector::real[];
SELECT array_agg(n)::vector(3) FROM generate_series(1, 3) n;
SELECT '[1,2,3]'::vector::vector(3);
SELECT '[1,2,3]'::vector::vector(2);
SELECT vector_to_float4('[1.5,2]', -1, false);
SELECT unnest('[1,2]'::vector::real[]);
-- the cast is implicit where real[] is asked for
CREATE FUNCTION first_of(real[]) RETURNS real LANGUAGE sql AS 'SELECT $1[1]';
SELECT first_of('[7,8]'::vector);
DROP FUNCTION first_of;

-- an assignment takes an array of numbers
CREATE TABLE t (embedding vector(2));
INSERT INTO t VALUES (ARRAY[1,2]), (ARRAY[1.5,2.5]), ('{3,4}'::float8[]);
INSERT INTO t VALUES (ARRAY[1,2,3]);
SELECT * FROM t;
-- but no other context does
SELECT '[1,2]'::vector + ARRAY[1,2];

-- JSON: an array of numbers, in every function that makes JSON
SELECT '[1,-2.5,1e20,1e-7,0]'::vector::json;
SELECT to_json('[1,2]'::vector), to_jsonb('[1,2]'::vector), json_build_object('v', '[1,2]'::vector);
SELECT row_to_json(t) FROM t;
SELECT jsonb_typeof(to_jsonb('[3.4028235e38,1e-45,-0]'::vector)) AS valid_json;
SELECT (json_populate_record(NULL::t, '{"embedding": [7, 8]}')).embedding;
DROP TABLE t;
