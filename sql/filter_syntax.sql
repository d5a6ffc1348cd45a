-- vecdb_filter: what is a filter, what is none, and what the error says

-- SQLSTATE, message and hint of a filter that is rejected
CREATE FUNCTION pg_temp.rejection(filter text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; hint text;
BEGIN
	PERFORM filter::vecdb_filter;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		hint = PG_EXCEPTION_HINT;
	RETURN state || ': ' || message ||
		CASE WHEN hint <> '' THEN E'\n  hint: ' || hint ELSE '' END;
END $$;

\pset format unaligned
\pset tuples_only on

-- accepted; the output is jsonb's text
SELECT f::vecdb_filter FROM unnest(ARRAY[
	'{}',
	' { "lang" : "en" } ',
	'{"lang": null, "n": -0.50, "b": true, "tags": ["a", 1, [], {}]}',
	'{"year": {"$gte": 2015, "$lt": 2020}, "authors": {"$contains": "Vaswani"}, "lang": "en"}',
	'{"a.b.c": {"$eq": {"x": {"$y": [1.0]}, "dotted.key": 1, "": 2}}}',
	'{"a": {"$ne": null, "$gt": "x", "$gte": false, "$lt": 1e40, "$lte": "y", "$in": [], "$nin": [null, [1], {"a": 1}]}}',
	'{"a": {"$exists": false, "$contains": [1], "$containsAny": [], "$containsAll": [1, "1"]}}',
	'{"a": {"$not": {"$not": {"$gt": 1, "$lt": 0}}}}',
	'{"$and": [{}, {"$or": [{"a": 1}, {"$not": {"b": 2}}]}], "$not": {}, "$or": [{"c": 3}]}',
	'{"Grüße": "\u00fc\ud83d\ude00\"\\\/\n\u0001", "a$b": 1, "0": 2, " ": 3}'
]) f;

-- broken JSON
SELECT f, pg_temp.rejection(f) FROM unnest(ARRAY[
	'', ' ', '{', '{"a"', '{"a":}', '{"a": 1,}', '{"a": 1}}', '{a: 1}', '{"a": ''x''}',
	'{"a": 01}', '{"a": NaN}', '{"a": 1e}', '{"a": {"$in": [1, }}', '{"a": "\x"}',
	'{"a": "\u0000"}', '{"\u0000": 1}', '{"a": "\ud800"}'
]) f;

-- no object
SELECT f, pg_temp.rejection(f) FROM unnest(ARRAY[
	'null', 'true', '1', '"a"', '[]', '[{"a": 1}]', '[1]',
	'{"$and": {"a": 1}}', '{"$and": []}', '{"$or": []}', '{"$or": null}', '{"$and": "x"}',
	'{"$and": [{"a": 1}, 2]}', '{"$or": [[]]}', '{"$or": [{"$and": [{}, null]}]}',
	'{"$not": []}', '{"$not": 1}', '{"$and": [{"$not": "x"}]}'
]) f;

-- operators in the wrong place and unknown ones
SELECT f, pg_temp.rejection(f) FROM unnest(ARRAY[
	'{"year": {"$foo": 1}}', '{"$foo": 1}', '{"$gt": 1}', '{"$exists": true}', '{"$": 1}',
	'{"year": {"$": 1}}', '{"year": {"$GT": 1}}', '{"year": {"$gt ": 1}}',
	'{"year": {"gte": 2015}}', '{"address": {"city": "Oslo"}}', '{"a": {"": 1}}',
	'{"a": {"$gt": 1, "b": 2}}', '{"a": {}}', '{"a": {"$not": {}}}',
	'{"a": {"$and": [{"$gt": 1}]}}', '{"a": {"$or": []}}', '{"a": {"$not": 5}}',
	'{"a": {"$not": ["x"]}}', '{"a": {"$not": {"b": 1}}}',
	'{"$or": [{"x": 1}, {"y": {"$not": {"$in": [1], "$bar": []}}}]}'
]) f;

-- operands of the wrong type, for every operator
SELECT op || ' ' || string_agg(v || CASE pg_temp.rejection(format('{"x": {"%s": %s}}', op, v))
		WHEN 'accepted' THEN ' yes' ELSE ' no' END, ', ' ORDER BY ord)
FROM unnest(ARRAY['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$exists',
		'$contains', '$containsAny', '$containsAll', '$not']) WITH ORDINALITY AS o(op, n),
	unnest(ARRAY['null', 'true', '1', '"s"', '[]', '[1]', '{}', '{"$eq": 1}', '{"b": 1}'])
		WITH ORDINALITY AS v(v, ord)
GROUP BY n, op ORDER BY n;
SELECT f, pg_temp.rejection(f) FROM unnest(ARRAY[
	'{"x": {"$gt": null}}', '{"x": {"$gte": []}}', '{"x": {"$lt": {}}}', '{"x": {"$lte": [1]}}',
	'{"x": {"$in": "a"}}', '{"x": {"$nin": {"a": 1}}}', '{"x": {"$exists": 1}}',
	'{"x": {"$exists": null}}', '{"x": {"$containsAny": "a"}}', '{"x": {"$containsAll": null}}',
	'{"a.b": {"$not": {"$in": true}}}'
]) f;

-- paths
SELECT f, pg_temp.rejection(f) FROM unnest(ARRAY[
	'{"": 1}', '{".": 1}', '{"a.": 1}', '{".a": 1}', '{"a..b": {"$gt": 1}}',
	'{"year.$gte": 2015}', '{"a.$b.c": 1}', '{"$or": [{"a": 1}, {"b.": 1}]}'
]) f;

-- a duplicate key loses no condition, not even deep inside an operand
SELECT f, pg_temp.rejection(f) FROM unnest(ARRAY[
	'{"a": 1, "b": 2, "a": 3}', '{"a": {"$gt": 1, "$gt": 2}}', '{"a": 1, "\u0061": 1}',
	'{"$and": [{"x": 1}], "$and": [{"y": 1}]}', '{"$or": [{"a": 1}, {"b": {"$eq": [0, {"k": 1, "k": 2}]}}]}',
	'{"a": {"$eq": {"x": {"y": 1, "z": 2, "y": 3}}}}', '{"": 1, "": 2}'
]) f;

-- several faults: the text's faults come first
SELECT pg_temp.rejection('{"a": {"$foo": 1}, "b": 1, "b": 2}');

-- limits, each with the last value that is accepted
SELECT n, pg_temp.rejection('{"a": {"$eq": ' || repeat('[', n) || repeat(']', n) || '}}')
FROM unnest(ARRAY[62, 63, 100000]) n;
SELECT n, pg_temp.rejection(repeat('{"$not": ', n) || '{}' || repeat('}', n))
FROM unnest(ARRAY[63, 64, 100000]) n;
SELECT n, pg_temp.rejection(repeat('{"$and": [', n) || '{"a": 1}' || repeat(']}', n))
FROM unnest(ARRAY[31, 32, 100000]) n;
SELECT pg_temp.rejection(repeat('[', 100000));
SELECT n, pg_temp.rejection((SELECT json_object_agg('f' || i, i) FROM generate_series(1, n) i)::text)
FROM unnest(ARRAY[1000, 1001]) n;
SELECT n, pg_temp.rejection('{"$or": [' || (SELECT string_agg('{}', ',') FROM generate_series(1, n)) || ']}')
FROM unnest(ARRAY[999, 1000, 100000]) n;
SELECT op, n, pg_temp.rejection(format('{"a": {"%s": %s}}', op, (SELECT json_agg(i) FROM generate_series(1, n) i)))
FROM unnest(ARRAY['$in', '$nin', '$containsAny', '$containsAll']) op, unnest(ARRAY[10000, 10001]) n
ORDER BY op, n;
SELECT n, pg_temp.rejection('{"' || repeat('a.', n - 1) || 'a": 1}') = 'accepted'
FROM unnest(ARRAY[64]) n;
SELECT pg_temp.rejection('{"' || repeat('a.', 64) || 'a": 1}');

-- numbers: accepted is what jsonb accepts, and the error names the place
CREATE FUNCTION pg_temp.is_jsonb(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN value::jsonb IS NOT NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN false;
END $$;
SELECT f, pg_temp.is_jsonb(f), pg_temp.rejection(format('{"a": {"$in": [1, %s]}}', f)) FROM unnest(ARRAY[
	'1e131071', '9.99e131071', '1e131072', '10e131071', '-1e131072', '0.001e131074', '0.001e131075',
	'1e-16383', '1e-16384', '1.0e-16383', '0e131072', '0.0e200000', '0e-16384', '0e99999999999999999999',
	'1e99999999999999999999', '1e-99999999999999999999', '1E+400', '1E-400', '123e+0002'
]) f;
SELECT pg_temp.rejection('1e131072');

-- keys that a message repeats are shortened between characters
SELECT pg_temp.rejection('{"' || repeat('ü', 50) || '": {"$' || repeat('x', 100) || '": 1}}');

-- a large value survives
SELECT length(('{"a": "' || repeat('x', 3000000) || '"}')::vecdb_filter::text);

\pset tuples_only off

-- casts
SELECT '{"a": {"$gt": 1.50}}'::jsonb::vecdb_filter AS from_jsonb,
	'{"a":  {"$gt": 1.50}}'::json::vecdb_filter AS from_json,
	'{"a": {"$gt": 1.50}}'::text::vecdb_filter AS from_text,
	('{"a": {"$gt": 1.50}}'::vecdb_filter::jsonb) -> 'a' ->> '$gt' AS to_jsonb,
	vecdb_filter('{"a": 1}'::jsonb) AS function_call;
SELECT '{"a": {"x": 1}}'::jsonb::vecdb_filter;
SELECT '{"a": 1, "a": 2}'::json::vecdb_filter;
SELECT ('{"a": ' || repeat('[', 70) || repeat(']', 70) || '}')::jsonb::vecdb_filter;
SELECT '"x"'::jsonb::vecdb_filter;
SELECT NULL::jsonb::vecdb_filter IS NULL AS is_null;

-- assignment
CREATE TEMP TABLE saved_search (id int, filter vecdb_filter DEFAULT '{}');
INSERT INTO saved_search VALUES (1, '{"a": 1}'::jsonb), (2, '{"b": [2]}'::json), (3, '{"c": 3}'::text), (4, NULL);
INSERT INTO saved_search (id) VALUES (5);
INSERT INTO saved_search VALUES (6, '{"a": {"$gt": null}}');
SELECT * FROM saved_search ORDER BY id;

-- binary format: version 1, then the text
SELECT get_byte(b, 0) AS version, convert_from(substr(b, 2), 'UTF8') AS json
FROM vecdb_filter_send('{"a":1}') b;

-- what the planner knows about the operator
SELECT provolatile, proparallel, proleakproof, proisstrict, procost
FROM pg_proc WHERE oid = 'vecdb_match(jsonb, vecdb_filter)'::regprocedure;
SELECT oprcode, oprrest, oprjoin FROM pg_operator
WHERE oid = '@~(jsonb, vecdb_filter)'::regoperator;
