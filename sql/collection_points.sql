-- vecdb.parse_points(): JSON text to rows, and every fault with its place

SELECT * FROM vecdb.parse_points('[{"id":"b","vector":[1,2.5]},{"id":"a","vector":[-3e0,4],"metadata":{"x":[1,{"y":null}]}}]', 2);
SELECT * FROM vecdb.parse_points('{"points": [{"metadata":{}, "vector":[ 1 , 2 ] , "id":"\u00e9\n\"\ud83d\ude00"}]}', 2);
SELECT count(*) FROM vecdb.parse_points('[]', 2);
SELECT count(*) FROM vecdb.parse_points('{"points":[]}', 2);

CREATE FUNCTION fault(points text, dimension int DEFAULT 2) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM * FROM vecdb.parse_points(points::json, dimension);
	RETURN 'no fault';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN detail <> '' THEN ' -- ' || detail ELSE '' END;
END $$;

-- the list
SELECT fault(p) FROM unnest(ARRAY['1', '"x"', 'null', '{}', '{"points":null}', '{"points":{}}', '{"point":[]}',
	'{"points":[],"more":1}', '{"points":[],"points":[]}', '[1]', '[[]]', '[null]', '[{"id":"a","vector":[1,2]},"b"]']) p;
-- fields
SELECT fault('[{"id":"ok","vector":[1,2]},' || p || ']') FROM unnest(ARRAY['{}', '{"id":"a"}', '{"vector":[1,2]}',
	'{"id":"a","vector":[1,2],"vektor":1}', '{"id":"a","vector":[1,2],"":1}', '{"id":"a","vector":[1,2],"vector":[1,2]}',
	'{"id":"a","id":"b","vector":[1,2]}', '{"id":"a","vector":[1,2],"metadata":{},"metadata":{}}',
	'{"id":"a","vector":[1,2],"Metadata":{}}', format('{"id":"a","vector":[1,2],"%s":1}', repeat('é', 100))]) p;
-- ids
SELECT fault('[{"vector":[1,2],"id":' || p || '}]') FROM unnest(ARRAY['1', 'null', 'true', '[]', '{}', '""',
	'"' || repeat('x', 1024) || '"', '"' || repeat('x', 1025) || '"', '"' || repeat('é', 513) || '"', '"a\u0000b"', '"\ud800"']) p;
SELECT fault('[{"id":"x","vector":[1,2]},{"id":"y","vector":[1,2]},{"id":"z","vector":[1,2]},{"id":"y","vector":[3,4]}]');
SELECT fault('[{"id":"a/b","vector":[1,2]},{"id":"A/b","vector":[1,2]},{"id":"a\/b","vector":[1,2]}]');
-- vectors
SELECT fault('[{"id":"a","vector":' || p || '}]') FROM unnest(ARRAY['1', 'null', '"[1,2]"', '{}', '[]', '[1]', '[1,2,3]', '[1,null]',
	'[1,"2"]', '["NaN",1]', '[true,1]', '[[1],2]', '[[1,2]]', '[{},1]', '[1e39,1]', '[1,-1e400]', '[1,1e-400]', '[0,-0]',
	'[0.1234567890123456789012345678901234567890,1]']) p;
SELECT fault('[{"id":"a","vector":[' || repeat('1,', 16000) || '1]}]', 16000);
SELECT fault('[{"id":"a","vector":[' || repeat('1,', 15999) || '1]}]', 16000);
SELECT fault('[]', 0);
SELECT fault('[]', -1);
SELECT fault('[]', 16001);
SELECT fault('[{"id":"a","vector":[1,2,3,"x"]}]');
-- metadata
SELECT fault('[{"id":"a","vector":[1,2],"metadata":' || p || '}]') FROM unnest(ARRAY['1', 'null', '"x"', '[]', '{"a":"\u0000"}',
	'{"a":1e200000}', '{"a":"]}"}', '{"a":{"b":[{}]}}']) p;
-- JSON that is none does not get as far as the function; deep nesting neither
SELECT left(fault(p), 5) FROM unnest(ARRAY['', '[', '[{"id":"a","vector":[1,2]}', '[{"id":"a","vector":[1,.5]}]', '[{"id":"a","vector":[1,NaN]}]',
	'[{"id":"a","vector":[01,2]}]', '[{"id":"a" "vector":[1,2]}]', '[{"id":"a","vector":[1,2],}]', '[{"id":"a","vector":[1,2]},]']) p;
SELECT left(fault('[{"id":"a","vector":[1,2],"metadata":' || repeat('{"a":', 100000) || '1' || repeat('}', 100000) || '}]'), 33);

-- numbers of a vector are read as vector_in() reads them, metadata as jsonb_in()
SELECT bool_and(p.embedding = (j->>'vector')::vector), bool_and(p.metadata = (j->'metadata')::jsonb), count(*)
	FROM json_array_elements((SELECT json_agg(json_build_object('id', i::text, 'vector',
		(SELECT json_agg(sin(i * j) * 10 ^ (i % 30 - 15)) FROM generate_series(1, 20) j),
		'metadata', json_build_object('n', i, 'deep', json_build_array(i, NULL, json_build_object('s', repeat('"', i))))))
		FROM generate_series(1, 200) i)) j,
	LATERAL vecdb.parse_points(json_build_array(j), 20) p;

DROP FUNCTION fault;
