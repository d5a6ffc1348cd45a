-- jsonb_filter_ops: filters by a GIN index

SELECT amvalidate(oid), opcdefault AS is_default, opckeytype::regtype AS keys
	FROM pg_opclass WHERE opcname = 'jsonb_filter_ops';
SELECT amopstrategy, amopopr::regoperator FROM pg_amop
	WHERE amopfamily = (SELECT opcfamily FROM pg_opclass WHERE opcname = 'jsonb_filter_ops') ORDER BY 1;

CREATE TABLE doc (n int, d jsonb);
CREATE INDEX doc_d ON doc USING gin (d jsonb_filter_ops) WITH (fastupdate = off);
INSERT INTO doc VALUES
	(1, '{}'), (2, '{"x": null}'), (3, '{"x": false}'), (4, '{"x": true}'),
	(5, '{"x": -1}'), (6, '{"x": 1}'), (7, '{"x": 1.0}'), (8, '{"x": 2}'),
	(9, '{"x": ""}'), (10, '{"x": "1"}'), (11, '{"x": "B"}'), (12, '{"x": "a"}'), (13, '{"x": "é"}'),
	(14, '{"x": []}'), (15, '{"x": [1]}'), (16, '{"x": [1.0, "a", 1]}'), (17, '{"x": ["a", null, true]}'),
	(18, '{"x": [[1]]}'), (19, '{"x": [{"k": 1}]}'), (20, '{"x": {}}'), (21, '{"x": {"k": 1}}'),
	(22, '{"x": {"k": "v", "l": {"m": [7]}}, "y": 3}'), (23, 'null'), (24, '1'), (25, '[{"x": 1}]'), (26, NULL);

-- What a filter finds by the index, whether any row was rechecked, and how many
-- rows a sequential scan sees differently.  The executor counts its calls of the
-- operator's function.
SET track_functions = 'all';
SET enable_seqscan = off;
CREATE FUNCTION probe(condition text, OUT plan text, OUT nfound bigint, OUT rechecked boolean, OUT differ bigint)
	LANGUAGE plpgsql AS $$
DECLARE
	query text := 'SELECT coalesce(array_agg(n ORDER BY n), ''{}'') FROM doc WHERE d ' || condition;
	by_index int[];
	by_scan int[];
	calls bigint[];
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		plan := coalesce(plan, substring(line from 'Bitmap Index Scan'));
	END LOOP;
	calls[1] := (SELECT sum(s.calls) FROM pg_stat_xact_user_functions s WHERE funcname = 'vecdb_match');
	EXECUTE query INTO by_index;
	calls[2] := (SELECT sum(s.calls) FROM pg_stat_xact_user_functions s WHERE funcname = 'vecdb_match');
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'off', true);
	EXECUTE query INTO by_scan;
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'on', true);
	nfound := cardinality(by_index);
	rechecked := coalesce(calls[2], 0) > coalesce(calls[1], 0);
	differ := (SELECT count(*) FROM unnest(by_index) i FULL JOIN unnest(by_scan) s ON i = s
		WHERE i IS NULL OR s IS NULL);
END $$;

EXPLAIN (COSTS OFF) SELECT n FROM doc WHERE d @~ '{"x": 1}';

\pset format unaligned
\pset tuples_only on

-- exact keys: no row is looked at again
SELECT f, probe.* FROM unnest(ARRAY[
	'{}', '{"x": 1}', '{"x": 1.00}', '{"x": "1"}', '{"x": ""}', '{"x": "é"}', '{"x": null}', '{"x": false}', '{"x": {"$ne": 1}}',
	'{"x": {"$in": [1, "a", null, true, "none"]}}', '{"x": {"$nin": [1, "a", null]}}', '{"x": {"$in": []}}', '{"x": {"$nin": []}}',
	'{"x": {"$gt": 1}}', '{"x": {"$gte": 1}}', '{"x": {"$lt": 1}}', '{"x": {"$lte": 1}}', '{"x": {"$gt": -1, "$lt": 2}}',
	'{"x": {"$gte": -1, "$lte": 1}}', '{"x": {"$gt": 2, "$lt": 1}}', '{"x": {"$gt": 1, "$lte": 1}}', '{"x": {"$gte": 1, "$lte": 1}}',
	'{"x": {"$gt": ""}}', '{"x": {"$gte": ""}}', '{"x": {"$lt": "B"}}', '{"x": {"$gt": "1", "$lte": "a"}}',
	'{"x": {"$gte": false}}', '{"x": {"$gt": false}}', '{"x": {"$lt": true}}', '{"x": {"$gt": true}}', '{"x": {"$gte": false, "$lte": true}}',
	'{"x": {"$exists": true}}', '{"x": {"$exists": false}}', '{"y": {"$exists": true}}', '{"x.l": {"$exists": true}}', '{"x.l.m.n": {"$exists": false}}',
	'{"x": {"$contains": 1}}', '{"x": {"$contains": null}}', '{"x": {"$containsAny": ["a", true, 9]}}', '{"x": {"$containsAny": []}}',
	'{"x": {"$containsAll": [1, "a"]}}', '{"x": {"$containsAll": []}}', '{"x": {"$not": {"$contains": "a"}}}', '{"x.k": 1}', '{"x.k": {"$gte": "u"}, "y": 3}',
	'{"x.l.m": {"$contains": 7}}', '{"$or": [{"x": 1}, {"x": "a"}, {"y": {"$gt": 2}}]}', '{"$not": {"$or": [{"x": 1}, {"x": {"$gt": ""}}]}}',
	'{"$not": {}}', '{"x": 1, "y": {"$exists": false}}', '{"$not": {"$and": [{"x": {"$exists": true}}, {"$not": {"x": 1}}]}}'
]) f, probe(format('@~ %L', f));

-- hashes of arrays and objects: rechecked
SELECT f, probe.* FROM unnest(ARRAY[
	'{"x": []}', '{"x": [1]}', '{"x": [1, "a", 1.00]}', '{"x": {"$eq": {}}}', '{"x": {"$eq": {"k": 1.0}}}', '{"x": {"$ne": {"k": 1}}}',
	'{"x": {"$contains": [1.0]}}', '{"x": {"$contains": {"k": 1}}}', '{"x": {"$containsAll": [[1], "b"]}}', '{"x": {"$in": ["a", [1]]}}'
]) f, probe(format('@~ %L', f));

-- @>, too: scalars in objects and arrays are exact
SELECT f, probe.nfound, probe.plan, probe.differ FROM unnest(ARRAY[
	'{}', '[]', '1', '"x"', 'null', '{"x": 1}', '{"x": null}', '{"x": "a"}', '{"x": {}}', '{"x": []}', '{"x": [1]}', '{"x": ["a", 1]}',
	'{"x": [null]}', '{"x": [[1]]}', '{"x": [[]]}', '{"x": [{"k": 1}]}', '{"x": {"k": "v"}}', '{"x": {"l": {"m": [7]}}, "y": 3}', '[{"x": 1}]', '{"x": 5}'
]) f, probe(format('@> %L', f));

-- documents at the limits of the format, and what they hold
INSERT INTO doc
	SELECT 100 + i, jsonb_build_object('s', repeat('x', i)) FROM generate_series(46, 50) i
	UNION ALL SELECT 200 + i, jsonb_build_object('s', repeat('x', 48) || i) FROM generate_series(1, 5) i
	UNION ALL SELECT 300 + i, jsonb_build_object('s', repeat('é', 23 + i)) FROM generate_series(0, 2) i
	UNION ALL SELECT 400 + i, jsonb_build_object(repeat('p', i), i) FROM generate_series(126, 131) i
	UNION ALL SELECT 600, jsonb_build_object('s', repeat('long ', 100000), repeat('key', 100000), 1, '', 1, '$a', 1, 'a.b', 1, 'a', '{"b": 2}'::jsonb)
	UNION ALL SELECT 601, format('{"n": %s}', repeat('9', 100000))::jsonb
	UNION ALL SELECT 602, format('{"n": 1.%s1}', repeat('0', 10000))::jsonb
	UNION ALL SELECT 603, (repeat('[', 1000) || repeat(']', 1000))::jsonb
	UNION ALL SELECT 604, (repeat('{"o":', 1000) || '1' || repeat('}', 1000))::jsonb
	UNION ALL SELECT 605, jsonb_build_object('deep', (repeat('[', 1000) || repeat(']', 1000))::jsonb);
SELECT left(f::text, 60), probe.* FROM (VALUES
	(jsonb_build_object('s', repeat('x', 48))), (jsonb_build_object('s', repeat('x', 49))), (jsonb_build_object('s', repeat('x', 48) || 3)),
	(jsonb_build_object('s', jsonb_build_object('$gt', repeat('x', 48)))), (jsonb_build_object('s', jsonb_build_object('$gte', repeat('x', 49)))),
	(jsonb_build_object('s', jsonb_build_object('$lt', repeat('x', 48)))), (jsonb_build_object('s', jsonb_build_object('$lte', repeat('x', 48) || 3))),
	(jsonb_build_object('s', jsonb_build_object('$gt', repeat('x', 48) || 1, '$lt', repeat('x', 48) || 4))),
	(jsonb_build_object('s', jsonb_build_object('$gt', 'x', '$lt', 'y'))), (jsonb_build_object('s', jsonb_build_object('$gte', repeat('é', 24)))),
	(jsonb_build_object('s', jsonb_build_object('$lt', repeat('é', 25)))), (jsonb_build_object('s', repeat('long ', 100000))),
	(jsonb_build_object(repeat('p', 128), 128)), (jsonb_build_object(repeat('p', 129), 129)),
	(jsonb_build_object(repeat('p', 130), jsonb_build_object('$gt', 0))), (jsonb_build_object(repeat('p', 131), jsonb_build_object('$exists', false))),
	('{"a.b": 2}'), ('{"a.b": 1}'), ('{"n": {"$gt": 1e9999}}'), (format('{"n": %s}', repeat('9', 100000))::jsonb), (format('{"n": {"$gt": 1.%s}}', repeat('0', 9999) || 1)::jsonb),
	(format('{"n": {"$gte": 1, "$lt": 1.%s2}}', repeat('0', 10000))::jsonb), ('{"n": {"$gt": 1, "$lt": 2}}'), ('{"n": {"$lte": 1}}'),
	(jsonb_build_object(repeat('o.', 63) || 'o', '{"$exists": true}'::jsonb)), ('{"deep": {"$exists": true}}'), ('{"o.o.o": {"$ne": 1}}')
) v(f), probe(format('@~ %L', f));
SELECT left(f::text, 60), probe.nfound, probe.differ FROM (VALUES
	(jsonb_build_object(repeat('p', 131), 131)), ('{"": 1}'), ('{"a.b": 1}'), ('{"$a": 1, "a": {"b": 2}}'),
	((repeat('{"o":', 1000) || '1' || repeat('}', 1000))::jsonb), ((repeat('{"o":', 1000) || '2' || repeat('}', 1000))::jsonb)
) v(f), probe(format('@> %L', f));

-- more keys than a document may have: as a list, as fields; no filter can do
-- without a look at these
INSERT INTO doc SELECT 700, jsonb_build_object('list', jsonb_agg(i), 'kind', 'big') FROM generate_series(1, 70000) i;
INSERT INTO doc SELECT 701, jsonb_object_agg('f' || i, i) || '{"kind": "big"}' FROM generate_series(1, 40000) i;
SELECT f, probe.* FROM unnest(ARRAY['{"list": {"$contains": 69999}}', '{"list": {"$contains": 70001}}', '{"f39999": 39999}',
	'{"f1": {"$lt": 2}, "kind": "big"}', '{"kind": "big"}', '{"kind": {"$ne": "big"}}', '{"kind": {"$exists": false}}', '{"x": 1}', '{"$not": {}}'
]) f, probe(format('@~ %L', f));
SELECT f, probe.nfound, probe.differ FROM unnest(ARRAY['{"kind": "big", "f7": 7}', '{"list": [1, 70000]}', '{"list": [0]}']) f, probe(format('@> %L', f));

-- a list that is longer than what a query may look up goes to the recheck
SELECT probe.* FROM (SELECT jsonb_build_object('$or', jsonb_agg(jsonb_build_object('x', jsonb_build_object('$in', list)))) AS f
	FROM (SELECT jsonb_agg(10000 * part + i) AS list FROM generate_series(1, 3) part, generate_series(1, 10000) i GROUP BY part) lists) s,
	probe(format('@~ %L', f));

\pset format aligned
\pset tuples_only off

-- Ranges beside an equality give up after so many values; alone they do not,
-- nor beside what many rows have.
CREATE TABLE many AS SELECT i AS n, jsonb_build_object('id', i, 'n', i * 7919 % 3000, 'even', i % 2 = 0,
	'lang', CASE WHEN i % 10 = 0 THEN 'no' ELSE 'en' END, 'tags', jsonb_build_array('t' || i % 5, i % 7)) AS d
	FROM generate_series(1, 3000) i;
CREATE INDEX many_d ON many USING gin (d jsonb_filter_ops);
ANALYZE many;
CREATE FUNCTION count_many(filter vecdb_filter, range_limit int, OUT nfound bigint, OUT rechecked boolean) LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	PERFORM set_config('vecdb.index_range_limit', range_limit::text, true);
	before := coalesce((SELECT sum(s.calls) FROM pg_stat_xact_user_functions s WHERE funcname = 'vecdb_match'), 0);
	nfound := (SELECT count(*) FROM many WHERE d @~ filter);
	rechecked := coalesce((SELECT sum(s.calls) FROM pg_stat_xact_user_functions s WHERE funcname = 'vecdb_match'), 0) > before;
END $$;
SELECT f AS filter, l AS range_limit, c.* FROM unnest(ARRAY['{"id": 77, "n": {"$gte": 0}}', '{"id": 77, "n": {"$gte": 600, "$lt": 650}}',
		'{"n": {"$lt": 2000}}', '{"even": true, "n": {"$lt": 2000}}', '{"n": {"$lt": 2000, "$exists": true}}',
		'{"$or": [{"id": 77, "n": {"$gte": 0}}, {"n": {"$lt": 10}}]}', '{"$not": {"id": 77, "n": {"$gte": 0}}}']) f,
	unnest('{1000000,0,100}'::int[]) l, count_many(f::vecdb_filter, l) c;
-- by default it depends on how long it takes
SELECT f AS filter, c.nfound FROM unnest(ARRAY['{"id": 77, "n": {"$gte": 0}}', '{"lang": "no", "n": {"$gte": 1000}}', '{"lang": {"$in": ["no", "en"]}, "n": {"$lt": 9}}']) f,
	count_many(f::vecdb_filter, -1) c;
SHOW vecdb.index_range_limit;
SET vecdb.index_range_limit = -2;

-- parameters, in a generic plan, and NULL
SET plan_cache_mode = force_generic_plan;
PREPARE find(vecdb_filter) AS SELECT count(*) FROM many WHERE d @~ $1;
EXPLAIN (COSTS OFF) EXECUTE find('{"n": {"$lt": 10}}');
EXECUTE find('{"n": {"$lt": 10}}');
EXECUTE find('{"lang": {"$ne": "en"}}');
EXECUTE find('{}');
EXECUTE find(NULL);
RESET plan_cache_mode;

-- per row of another table
SELECT f::text, count(m.n) FROM unnest(ARRAY['{"n": 5}', '{"n": {"$in": [1, 2, 3]}}', NULL, '{"tags": {"$contains": "t4"}}']::vecdb_filter[]) f
	LEFT JOIN LATERAL (SELECT n FROM many WHERE d @~ f OFFSET 0) m ON true GROUP BY 1 ORDER BY 2, 1;

-- with itself and with other indexes
CREATE INDEX many_n ON many (n);
EXPLAIN (COSTS OFF) SELECT count(*) FROM many WHERE d @~ '{"n": {"$lt": 100}}' AND d @> '{"even": true}';
SELECT count(*) FROM many WHERE d @~ '{"n": {"$lt": 100}}' AND d @> '{"even": true}';
EXPLAIN (COSTS OFF) SELECT count(*) FROM many WHERE d @~ '{"n": {"$lt": 10}}' OR n < 10;
SELECT count(*), sum(n) FROM many WHERE d @~ '{"n": {"$lt": 10}}' OR n < 10;

-- partial and expression indexes
CREATE TABLE other (n int, doc json, live boolean);
INSERT INTO other SELECT n, json_build_object('meta', d), n % 3 > 0 FROM many;
CREATE INDEX other_live ON other USING gin ((doc::jsonb -> 'meta') jsonb_filter_ops) WHERE live;
EXPLAIN (COSTS OFF) SELECT count(*) FROM other WHERE doc::jsonb -> 'meta' @~ '{"n": {"$lt": 10}}' AND live;
SELECT count(*) FROM other WHERE doc::jsonb -> 'meta' @~ '{"n": {"$lt": 10}}' AND live;
SELECT count(*) FROM other WHERE doc::jsonb -> 'meta' @~ '{"n": {"$lt": 10}}';

-- changes: the pending list and its end, deletion, building again
SELECT count(*) FROM many WHERE d @~ '{"lang": "se"}';
INSERT INTO many SELECT 4000 + i, jsonb_build_object('lang', 'se', 'n', -i) FROM generate_series(1, 50) i;
SELECT count(*) FROM many WHERE d @~ '{"lang": "se"}';
SELECT count(*) FROM many WHERE d @~ '{"n": {"$lt": -10}}';
SELECT count(*) FROM many WHERE d @~ '{"lang": "se", "n": {"$gte": -10}}';
SELECT gin_clean_pending_list('many_d') > 0 AS cleaned;
SELECT count(*) FROM many WHERE d @~ '{"lang": "se", "n": {"$gte": -10}}';
DELETE FROM many WHERE d @~ '{"lang": "se", "n": {"$gte": -10}}';
UPDATE many SET d = d || '{"lang": "dk"}' WHERE d @~ '{"lang": "se"}';
VACUUM many;
SELECT count(*) FILTER (WHERE d @~ '{"lang": "dk"}') AS dk, count(*) FROM many WHERE d @~ '{"lang": {"$in": ["se", "dk"]}}';
REINDEX INDEX many_d;
SELECT count(*) FROM many WHERE d @~ '{"lang": "dk", "n": {"$lt": -10}}';
REINDEX INDEX CONCURRENTLY many_d;
DROP INDEX many_n;
CREATE INDEX CONCURRENTLY many_again ON many USING gin (d jsonb_filter_ops, (d) jsonb_path_ops);
DROP INDEX many_d;
SELECT count(*) FROM many WHERE d @~ '{"lang": "dk", "n": {"$lt": -10}}';
SELECT count(*) FROM many WHERE d @~ '{"lang": {"$ne": "en"}, "n": {"$lt": 0}}' AND d @? '$.lang ? (@ == "dk")';

-- bitmaps too large for work_mem
SET work_mem = '64kB';
CREATE TABLE wide (n int, d jsonb, filler text);
ALTER TABLE wide ALTER filler SET STORAGE PLAIN;
INSERT INTO wide SELECT i, jsonb_build_object('n', i, 'm', i % 2), repeat('x', 7000) FROM generate_series(1, 2000) i;
CREATE INDEX wide_d ON wide USING gin (d jsonb_filter_ops);
SELECT count(*), sum(n) FROM wide WHERE d @~ '{"n": {"$gt": 10}}';
SELECT count(*), sum(n) FROM wide WHERE d @~ '{"n": {"$gt": 10}, "m": {"$ne": 1}}';
SELECT count(*), sum(n) FROM wide WHERE d @~ '{"$not": {"n": {"$gt": 10}}}';
CREATE INDEX wide_n ON wide (n);
ANALYZE wide;
SET enable_indexscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM wide WHERE d @~ '{"m": 1}' AND n BETWEEN 100 AND 1500;
SELECT count(*), sum(n) FROM wide WHERE d @~ '{"m": 1}' AND n BETWEEN 100 AND 1500;
RESET work_mem;

-- parallel workers read the bitmap's rows
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*) FROM wide WHERE d @~ '{"n": {"$gt": 10}}';
SELECT count(*) FROM wide WHERE d @~ '{"n": {"$gt": 10}}';
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- row-level security: @~ may be an index condition, since it leaks nothing; @> may not
CREATE ROLE regress_vecdb_reader;
GRANT SELECT ON wide TO regress_vecdb_reader;
ALTER TABLE wide ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON wide TO regress_vecdb_reader USING (n % 2 = 1);
SET ROLE regress_vecdb_reader;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT n FROM wide WHERE d @~ '{"n": {"$lt": 10}}';
SELECT n FROM wide WHERE d @~ '{"n": {"$lt": 10}}' ORDER BY n;
RESET enable_seqscan;
EXPLAIN (COSTS OFF) SELECT n FROM wide WHERE d @> '{"n": 7}';
SET enable_seqscan = off;
PREPARE secure(vecdb_filter) AS SELECT n FROM wide WHERE d @~ $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE secure('{"n": 7}');
EXECUTE secure('{"n": 7}');
EXECUTE secure('{"n": 8}');
RESET ROLE;

DROP TABLE doc, many, other, wide;
DROP ROLE regress_vecdb_reader;
DROP FUNCTION probe, count_many;
