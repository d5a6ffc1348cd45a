-- vecdb_match and @~: every operator against every kind of value

-- one document for each thing that the path x can find
CREATE TEMP TABLE doc (n int, name text, d jsonb);
INSERT INTO doc VALUES
	(1, 'missing', '{}'), (2, 'null', '{"x": null}'),
	(3, 'false', '{"x": false}'), (4, 'true', '{"x": true}'),
	(5, '-1', '{"x": -1}'), (6, '1', '{"x": 1}'), (7, '1.0', '{"x": 1.0}'), (8, '2', '{"x": 2}'),
	(9, '""', '{"x": ""}'), (10, '"1"', '{"x": "1"}'), (11, '"B"', '{"x": "B"}'),
	(12, '"a"', '{"x": "a"}'), (13, '"é"', '{"x": "é"}'), (14, '"true"', '{"x": "true"}'),
	(15, '[]', '{"x": []}'), (16, '[1]', '{"x": [1]}'), (17, '[1.0,"a",1]', '{"x": [1.0, "a", 1]}'),
	(18, '["a",null]', '{"x": ["a", null]}'), (19, '[[1]]', '{"x": [[1]]}'),
	(20, '[{"k":1}]', '{"x": [{"k": 1}]}'), (21, '{}', '{"x": {}}'),
	(22, '{"k":1}', '{"x": {"k": 1}}'), (23, '{"k":1.0,"l":2}', '{"x": {"l": 2, "k": 1.0}}'),
	(24, 'doc null', 'null'), (25, 'doc 1', '1'), (26, 'doc "x"', '"x"'),
	(27, 'doc [{"x":1}]', '[{"x": 1}]'), (28, 'doc ["x"]', '["x"]');

-- the names of the documents that match, and the number of them
CREATE FUNCTION pg_temp.matches(filter vecdb_filter) RETURNS text LANGUAGE sql AS $$
	SELECT count(*) || ': ' || coalesce(string_agg(name, ' ' ORDER BY n), '') FROM doc WHERE d @~ filter
$$;

\pset format unaligned
\pset tuples_only on

-- equality; an operand of any type
SELECT f, pg_temp.matches(f::vecdb_filter) FROM unnest(ARRAY[
	'{}', '{"x": null}', '{"x": {"$eq": null}}', '{"x": false}', '{"x": true}',
	'{"x": 1}', '{"x": 1.00}', '{"x": 10e-1}', '{"x": -1}', '{"x": "1"}', '{"x": ""}', '{"x": "A"}',
	'{"x": "\u00e9"}', '{"x": "e\u0301"}', '{"x": []}', '{"x": [1]}', '{"x": [1, "a", 1.0]}', '{"x": [1, 1, "a"]}',
	'{"x": [[1.0]]}', '{"x": [null, "a"]}', '{"x": {"$eq": {}}}', '{"x": {"$eq": {"k": 1.0}}}',
	'{"x": {"$eq": {"k": 1, "l": 2}}}', '{"x": {"$eq": {"k": 1, "m": 2}}}', '{"x": {"$eq": {"k": 1, "l": 3}}}',
	'{"x": {"$eq": [{"k": 1}]}}'
]) f;

-- order: numbers, strings by bytes, booleans
SELECT f, pg_temp.matches(f::vecdb_filter) FROM unnest(ARRAY[
	'{"x": {"$gt": 1}}', '{"x": {"$gte": 1}}', '{"x": {"$lt": 1}}', '{"x": {"$lte": 1}}',
	'{"x": {"$gt": "B"}}', '{"x": {"$gte": "B"}}', '{"x": {"$lt": "B"}}', '{"x": {"$lte": "B"}}',
	'{"x": {"$gt": ""}}', '{"x": {"$gte": ""}}', '{"x": {"$gt": "tru"}}', '{"x": {"$lt": "trued"}}',
	'{"x": {"$gt": false}}', '{"x": {"$gte": false}}', '{"x": {"$lt": true}}', '{"x": {"$lte": true}}',
	'{"x": {"$gt": true}}', '{"x": {"$lt": false}}',
	'{"x": {"$gt": -1, "$lt": 2}}', '{"x": {"$gte": -1, "$lte": 2}}', '{"x": {"$gte": 1, "$lte": 1}}',
	'{"x": {"$gt": 1, "$gte": 1}}', '{"x": {"$lt": 2, "$lte": 1}}', '{"x": {"$gt": 2, "$lt": 1}}',
	'{"x": {"$gt": 0, "$lt": "z"}}', '{"x": {"$gt": "", "$lt": 5}}', '{"x": {"$gt": 0, "$lte": true}}'
]) f;

-- lists
SELECT f, pg_temp.matches(f::vecdb_filter) FROM unnest(ARRAY[
	'{"x": {"$in": []}}', '{"x": {"$in": [1]}}', '{"x": {"$in": ["1", 2, true]}}', '{"x": {"$in": [null, 5]}}',
	'{"x": {"$in": [[], {}, [1.0], {"k": 1}]}}', '{"x": {"$in": ["é", "a", "a", 1, 1.0, null, false, [[1]]]}}'
]) f;

-- presence
SELECT f, pg_temp.matches(f::vecdb_filter) FROM unnest(ARRAY[
	'{"x": {"$exists": true}}', '{"x": {"$exists": false}}', '{"y": {"$exists": true}}'
]) f;

-- arrays
SELECT f, pg_temp.matches(f::vecdb_filter) FROM unnest(ARRAY[
	'{"x": {"$contains": 1}}', '{"x": {"$contains": "a"}}', '{"x": {"$contains": null}}', '{"x": {"$contains": true}}',
	'{"x": {"$contains": []}}', '{"x": {"$contains": [1]}}', '{"x": {"$contains": {"k": 1.0}}}', '{"x": {"$contains": {}}}',
	'{"x": {"$contains": "1"}}', '{"x": {"$contains": "k"}}',
	'{"x": {"$containsAny": []}}', '{"x": {"$containsAny": [null, {"k": 1}]}}', '{"x": {"$containsAny": ["b", 1, 1]}}',
	'{"x": {"$containsAll": []}}', '{"x": {"$containsAll": [1]}}', '{"x": {"$containsAll": [1, 1.0]}}',
	'{"x": {"$containsAll": ["a", 1]}}', '{"x": {"$containsAll": ["a", null]}}', '{"x": {"$containsAll": ["a", 1, null]}}',
	'{"x": {"$containsAll": [[1]]}}'
]) f;

-- complements, in full
SELECT f, pg_temp.matches(f::vecdb_filter) FROM unnest(ARRAY[
	'{"x": {"$ne": 1}}', '{"x": {"$ne": null}}', '{"x": {"$nin": []}}', '{"x": {"$nin": [1, "a", null, []]}}',
	'{"x": {"$not": {"$gte": 1}}}', '{"x": {"$not": {"$gt": -1, "$lt": 2}}}', '{"x": {"$not": {"$contains": 1}}}',
	'{"x": {"$not": {"$exists": false}}}', '{"x": {"$not": {"$ne": "a"}}}', '{"x": {"$not": {"$not": {"$lt": 0}}}}',
	'{"$not": {}}', '{"$not": {"x": 1}}', '{"$not": {"x": {"$exists": true}, "y": 1}}',
	'{"$not": {"$not": {"x": "a"}}}'
]) f;

-- each document is on one side of each pair, so this prints only totals
WITH v(v) AS (SELECT unnest(ARRAY['null', 'true', '1', '"a"', '[]', '[1]', '{"k": 1}'])),
pair(a, b) AS (
	SELECT format('{"x": {"$eq": %s}}', v), format('{"x": {"$ne": %s}}', v) FROM v
	UNION ALL SELECT format('{"x": {"$in": [%s, 2]}}', v), format('{"x": {"$nin": [%s, 2]}}', v) FROM v
	UNION ALL SELECT '{"x": {"$exists": true}}', '{"x": {"$exists": false}}'
	UNION ALL SELECT format('{"x": {"%s": %s}}', op, v), format('{"x": {"$not": {"%s": %s}}}', op, v)
		FROM v, unnest(ARRAY['$eq', '$contains']) op
	UNION ALL SELECT format('{"x": {"%s": %s}}', op, v), format('{"$not": {"x": {"%s": %s}}}', op, v)
		FROM unnest(ARRAY['$gt', '$gte', '$lt', '$lte']) op, v WHERE v IN ('true', '1', '"a"')
	UNION ALL SELECT format('{"x": {"%s": [%s]}}', op, v), format('{"x": {"$not": {"%s": [%s]}}}', op, v)
		FROM v, unnest(ARRAY['$containsAny', '$containsAll']) op)
SELECT count(*) AS pairs, count(*) FILTER (WHERE d @~ a::vecdb_filter) AS left_side,
	count(*) FILTER (WHERE d @~ a::vecdb_filter AND NOT d @~ b::vecdb_filter OR d @~ b::vecdb_filter AND NOT d @~ a::vecdb_filter) AS exactly_one
FROM doc, pair;

-- AND, OR, NOT
SELECT f, pg_temp.matches(f::vecdb_filter) FROM unnest(ARRAY[
	'{"$and": [{"x": {"$gt": 0}}, {"x": {"$lt": 2}}]}', '{"$and": [{"$and": [{"x": {"$gte": 1, "$lte": 2}}]}, {"x": {"$gte": 2}}]}',
	'{"$and": [{"x": {"$gte": 1, "$lt": 2}}, {"x": {"$gte": -1, "$lt": 5}}]}',
	'{"$and": [{"x": {"$lt": 5}}, {"x": {"$gte": 1, "$lt": 2}}]}', '{"$and": [{"x": {"$gte": -1}}, {"x": {"$gte": 1, "$lt": 2}}]}',
	'{"$and": [{"x": {"$gt": -1}}, {"y": 1}, {"x": {"$lt": 5}}]}', '{"$and": [{"x": {"$lt": 2}}, {"$or": [{"x": {"$gt": 0}}, {"x": 5}]}]}',
	'{"$or": [{"x": 1}, {"x": "a"}]}', '{"$or": [{"x": 2}, {"$or": [{"x": null}, {"x": true}]}]}', '{"$or": [{"x": 1}, {}]}',
	'{"$or": [{"x": {"$gt": 1}}, {"x": {"$lt": 0}}]}',
	'{"x": {"$exists": true}, "$or": [{"x": {"$ne": {"k": 1}}}], "$not": {"x": {"$gte": ""}}, "$and": [{"x": {"$nin": [null, 1, 2]}}]}',
	'{"$not": {"$or": [{"x": {"$exists": true}}, {"y": 1}]}}', '{"$not": {"$and": [{"x": {"$gt": 0}}, {"x": {"$lt": 2}}]}}',
	'{"$and": [{}, {}]}', '{"$or": [{"$not": {}}]}'
]) f;

-- paths
SELECT d, string_agg(f, '  ' ORDER BY n) FROM unnest(ARRAY[
	'{"a": {"b": 1}}', '{"a.b": 1}', '{"a": [{"b": 1}]}', '{"a": null}', '{"a": "b"}', '{"a": {"b": {"c": 1}}}',
	'{"a": {"b.c": 1}}', '{"a": {"b": null}}', '{"a": {"0": 1}}', '{"a": [1]}', '{"a": {"": 1}}', '[]', '{"A": {"b": 1}}'
]::jsonb[]) WITH ORDINALITY AS doc(d, i),
unnest(ARRAY['{"a.b": 1}', '{"a.b.c": 1}', '{"a.b": null}', '{"a.0": 1}', '{"a.b": {"$exists": true}}',
	'{"a.b": {"$exists": false}}', '{"a.b.c": {"$ne": 1}}', '{"a": {"$eq": {"b": 1}}}'
]) WITH ORDINALITY AS filter(f, n)
WHERE d @~ f::vecdb_filter GROUP BY d, i ORDER BY i;

\pset tuples_only off

-- numbers beyond float8, and equal ones that look different
SELECT '{"x": 1e400}'::jsonb @~ '{"x": {"$gt": 1e399, "$lt": 1.1e400}}' AS huge,
	'{"x": 9007199254740993}'::jsonb @~ '{"x": 9007199254740992}' AS not_float8,
	'{"x": 0.1}'::jsonb @~ '{"x": {"$in": [0.1000000000000000055511151231257827]}}' AS not_nearest,
	'{"x": 0.1000}'::jsonb @~ '{"x": {"$in": [5, 1e-1]}}' AS scale,
	'{"x": -0.0}'::jsonb @~ '{"x": 0}' AS zero,
	'{"x": 1e-400}'::jsonb @~ '{"x": {"$gt": 0}}' AS tiny;

-- long lists, every element found and nothing else: multiples of 3 up to 5997
SELECT count(*) FILTER (WHERE found) AS found, count(*) FILTER (WHERE found = (i % 3 = 0)) AS right_answers, count(*)
FROM (SELECT i, jsonb_build_object('x', i) @~ f AS found
	FROM generate_series(1, 6000) i,
		(SELECT jsonb_build_object('x', jsonb_build_object('$in', jsonb_agg(3 * (7919 * j % 2000))))::vecdb_filter AS f
			FROM generate_series(0, 2000) j) filter) s;
SELECT jsonb_build_object('x', all_of) @~ jsonb_build_object('x', jsonb_build_object('$containsAll', all_of))::vecdb_filter AS has_all,
	jsonb_build_object('x', all_of - 77) @~ jsonb_build_object('x', jsonb_build_object('$containsAll', all_of))::vecdb_filter AS lacks_one,
	jsonb_build_object('x', (all_of - 77) || '[5, 6, 7]') @~ jsonb_build_object('x', jsonb_build_object('$containsAll', all_of))::vecdb_filter AS lacks_one_of_many
FROM (SELECT jsonb_agg(to_jsonb(i) ORDER BY i) || '["a", [1], {"k": null}, null]' AS all_of FROM generate_series(1, 300) i) s;

-- NULL arguments
SELECT NULL::jsonb @~ '{}' AS null_document, '{}'::jsonb @~ NULL AS null_filter;

-- the compiled filter follows the argument: per row, ...
CREATE TEMP TABLE search (id int, filter vecdb_filter);
INSERT INTO search VALUES (1, '{"x": 1}'), (2, '{"x": 2}'), (3, NULL), (4, '{"x": {"$in": [1, 2]}}'), (5, '{}');
SELECT s.id, count(*) FILTER (WHERE d @~ filter) AS matching FROM search s, doc GROUP BY s.id ORDER BY s.id;
SELECT n, string_agg(s.id::text, ' ' ORDER BY s.id) AS searches
FROM doc, search s WHERE d @~ s.filter AND n IN (1, 6, 8) GROUP BY n ORDER BY n;
-- ... in one expression of a function, ...
DO $$
DECLARE
	f vecdb_filter; document jsonb := '{"x": 1}'; result text := '';
BEGIN
	FOR f IN SELECT filter FROM search, generate_series(1, 2) ORDER BY id LOOP
		result := result || coalesce((document @~ f)::text, 'null') || ' ';
	END LOOP;
	RAISE NOTICE '%', result;
END $$;
-- ... in a generic plan, ...
SET plan_cache_mode = force_generic_plan;
PREPARE q(vecdb_filter) AS SELECT count(*) FROM doc WHERE vecdb_match(d, $1);
EXECUTE q('{"x": 1}');
EXECUTE q('{"x": 2}');
EXECUTE q(NULL);
DEALLOCATE q;
RESET plan_cache_mode;
-- ... and in an array of filters
SELECT n, d @~ ANY (ARRAY['{"x": 1}', '{"x": 2}', '{"x": {"$exists": false}}']::vecdb_filter[]) AS any_of_three,
	d @~ ALL (ARRAY['{"x": 1}', '{"x": {"$gt": 0}}']::vecdb_filter[]) AS all_of_two
FROM doc WHERE n IN (1, 2, 6, 8) ORDER BY n;

-- documents and filters that are stored out of line or compressed
CREATE TEMP TABLE big (d jsonb, f vecdb_filter);
INSERT INTO big SELECT jsonb_build_object('pad', repeat('x', n), 'x', n),
	jsonb_build_object('pad', repeat('x', n), 'x', jsonb_build_object('$lte', n))::vecdb_filter
FROM unnest(ARRAY[10, 100000, 3000000]) n;
SELECT count(*) FILTER (WHERE d @~ f) AS matching, count(*) FROM (SELECT a.d, b.f FROM big a, big b) s;

-- memory: 5,000 calls for one row share one memory context and leave nothing in
-- it: no detoasted document (36 kB), no iterator over an array, no old filter
CREATE TEMP TABLE toasted AS
SELECT jsonb_build_object('numbers', (SELECT jsonb_agg(i) FROM generate_series(1, 3000) i),
	'objects', '[{"k": [1]}, {"k": [2, 3]}, {"k": [3]}]'::jsonb) AS d;
CREATE FUNCTION pg_temp.growth(document jsonb, repeated vecdb_filter[], OUT hit boolean, OUT bytes bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
	before bigint;
BEGIN
	SELECT sum(total_bytes) INTO before FROM pg_backend_memory_contexts;
	SELECT coalesce(document, d) @~ ALL (repeated), (SELECT sum(total_bytes) FROM pg_backend_memory_contexts)
	INTO hit, bytes FROM toasted;
	bytes := bytes - before;
END $$;
-- what it takes to have the array of filters at hand shows with an empty document
CREATE FUNCTION pg_temp.leak(variadic filters vecdb_filter[]) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN t.hit THEN 'all true, ' ELSE 'not all true, ' END ||
		CASE WHEN t.bytes - e.bytes < 5000 * 20 THEN 'no leak' ELSE (t.bytes - e.bytes) / 5000 || ' bytes lost by each' END
	FROM (SELECT array_agg(filters[1 + i % cardinality(filters)]) AS repeated FROM generate_series(1, 5000) i) r,
		pg_temp.growth('{}', repeated) e, pg_temp.growth(NULL, repeated) t
$$;
SELECT unnest(ARRAY[
	pg_temp.leak('{"numbers": {"$exists": true}}'),
	pg_temp.leak('{"numbers": {"$contains": 1}}'),
	pg_temp.leak('{"numbers": {"$not": {"$contains": 0}}}'),
	pg_temp.leak('{"objects": {"$containsAll": [{"k": [2, 3]}]}}'),
	pg_temp.leak('{"objects": {"$not": {"$containsAny": [{"k": [2, 4]}, {"k": [2, 2]}]}}}'),
	pg_temp.leak((SELECT jsonb_build_object('numbers', jsonb_build_object('$containsAll', jsonb_agg(i)))::vecdb_filter
		FROM generate_series(1, 65) i)),
	pg_temp.leak('{"numbers": {"$exists": true}}', '{"x": {"$nin": [1, 2, 3]}}', '{}')]) AS growth;

-- LEAKPROOF: a filter runs below a security barrier, so an index may serve it
CREATE TEMP VIEW guarded WITH (security_barrier) AS SELECT * FROM doc WHERE n < 10;
EXPLAIN (COSTS OFF) SELECT * FROM guarded WHERE d @~ '{"x": 1}';

-- the planner tries the filter on the sample
CREATE TEMP TABLE sampled AS SELECT jsonb_build_object('x', i % 10) AS d FROM generate_series(1, 5000) i;
ANALYZE sampled;
CREATE FUNCTION pg_temp.estimate(filter text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE format('EXPLAIN (FORMAT json) SELECT * FROM sampled WHERE d @~ %L', filter) INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
END $$;
SELECT pg_temp.estimate('{"x": {"$lt": 5}}') BETWEEN 2300 AND 2700 AS half,
	pg_temp.estimate('{"x": 3}') BETWEEN 350 AND 650 AS tenth,
	pg_temp.estimate('{"y": 1}') <= 50 AS none;
