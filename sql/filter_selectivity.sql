-- How many rows a filter is expected to match: counted in an index, with the
-- values that parameters have when a generic plan runs.
SET enable_seqscan = off;
SET jit = off;
CREATE TABLE doc (id int PRIMARY KEY, v vector(4), d jsonb);
INSERT INTO doc
SELECT i, ARRAY[i % 97, i % 89, i % 83, 1]::vector,
	CASE WHEN i % 50 = 7 THEN '{}' ELSE
	jsonb_build_object('id', i, 'half', i % 2, 'fiftieth', 'f' || i % 50, 'year', 1990 + i % 30,
		'tags', jsonb_build_array('t' || i % 10, 'all'), 'price', (i * 7919 % 20000) / 4.0) END
FROM generate_series(1, 20000) i;
CREATE INDEX doc_d ON doc USING gin (d jsonb_filter_ops) WITH (fastupdate = off);
ANALYZE doc;

-- what is expected, to what is there: 1 is right within a tenth, and a few rows
CREATE FUNCTION expected(filter text, tab text = 'doc', OUT matching bigint, OUT factor numeric)
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	rows numeric;
BEGIN
	EXECUTE format('EXPLAIN (FORMAT json) SELECT FROM %s WHERE d @~ %L', tab, filter) INTO plan;
	rows := plan->0->'Plan'->>'Plan Rows';
	EXECUTE format('SELECT count(*) FROM %s WHERE d @~ %L', tab, filter) INTO matching;
	factor := CASE WHEN abs(rows - matching) <= 5 + 0.1 * matching THEN 1
		ELSE round(rows / greatest(matching, 1), 1) END;
END $$;

SELECT filter, (expected(filter)).* FROM (VALUES
	('{}'),
	('{"id": 77}'),
	('{"id": -1}'),
	('{"half": 1}'),
	('{"fiftieth": "f3"}'),
	('{"fiftieth": {"$ne": "f3"}}'),
	('{"fiftieth": {"$in": ["f3", "f4", "f5", "none"]}}'),
	('{"fiftieth": {"$nin": ["f3", "f4", "f5", "none"]}}'),
	('{"id": {"$in": [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40]}}'),
	('{"year": {"$gte": 2000, "$lt": 2003}}'),
	('{"year": {"$gte": 2000}}'),
	('{"year": {"$gte": 3000}}'),
	('{"price": {"$lt": 10}}'),
	('{"price": {"$gte": 1000, "$lt": 2000}}'),
	('{"price": {"$gte": 1000.25, "$lt": 1000.75}}'),
	('{"price": {"$gt": 0}}'),
	('{"half": 1, "year": {"$gte": 2000, "$lt": 2010}}'),
	('{"$or": [{"fiftieth": "f3"}, {"year": 2001}]}'),
	('{"$not": {"half": 0}}'),
	('{"tags": {"$contains": "t3"}}'),
	('{"tags": {"$containsAll": ["t3", "all"]}}'),
	('{"tags": {"$containsAny": ["t3", "t4"]}}'),
	('{"tags": {"$exists": true}}'),
	('{"none": {"$exists": true}}')) v(filter);

-- one column of several
CREATE INDEX doc_two ON doc USING gin (d jsonb_path_ops, d jsonb_filter_ops);
DROP INDEX doc_d;
SELECT filter, (expected(filter)).* FROM (VALUES ('{"id": 77}'), ('{"half": 1}'), ('{"price": {"$gte": 1000, "$lt": 2000}}')) v(filter);
-- an index of some rows tells nothing of all; nor is one there
DROP INDEX doc_two;
CREATE INDEX doc_some ON doc USING gin (d jsonb_filter_ops) WHERE id < 10;
SELECT * FROM expected('{}');
DROP INDEX doc_some;
CREATE INDEX doc_d ON doc USING gin (d jsonb_filter_ops) WITH (fastupdate = off);

-- empty, and grown since it was analyzed
CREATE TABLE empty (d jsonb);
CREATE INDEX ON empty USING gin (d jsonb_filter_ops);
SELECT * FROM expected('{"a": 1}', 'empty');
INSERT INTO empty SELECT d FROM doc;
SELECT * FROM expected('{"id": 77}', 'empty');
SELECT * FROM expected('{"half": 1}', 'empty');

-- A generic plan begins as its values suggest: few rows by the bitmap, without
-- a look at the graph; many through the graph.
CREATE INDEX doc_v ON doc USING hnsw (v vector_l2_ops);
SET plan_cache_mode = force_generic_plan;
PREPARE search(vecdb_filter, vector, int) AS
	SELECT id FROM doc WHERE d @~ $1 ORDER BY v <-> $2 LIMIT $3;
CREATE FUNCTION strategy(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	node json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
	node := plan->0->'Plan';
	WHILE node->>'Node Type' <> 'Custom Scan' LOOP
		node := node->'Plans'->0;
	END LOOP;
	RETURN node->>'Strategy';
END $$;
SELECT strategy($$EXECUTE search('{"id": 77}', '[1,2,3,4]', 10)$$);
SELECT strategy($$EXECUTE search('{"price": {"$lt": 3}}', '[1,2,3,4]', 10)$$);
SELECT strategy($$EXECUTE search('{"half": {"$in": [0, 1]}}', '[1,2,3,4]', 10)$$);

-- with conditions of other kinds, and values from another table
PREPARE search_both(vecdb_filter, int) AS
	SELECT id FROM doc WHERE d @~ $1 AND id < $2 ORDER BY v <-> '[1,2,3,4]' LIMIT 10;
SELECT strategy($$EXECUTE search_both('{"half": 1}', 20)$$);
SELECT strategy($$EXECUTE search_both('{"half": {"$in": [0, 1]}}', 30000)$$);
CREATE TABLE wanted (f vecdb_filter);
INSERT INTO wanted VALUES ('{"id": 77}'), ('{"id": 99}'), ('{"id": 101}');
SELECT f, found.id FROM wanted, LATERAL (
	SELECT id FROM doc WHERE d @~ f ORDER BY v <-> '[1,2,3,4]' LIMIT 10) found ORDER BY 2;

-- with policies the answers and the estimates are those of the visible rows
CREATE ROLE regress_vecdb_reader;
GRANT SELECT ON doc TO regress_vecdb_reader;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
CREATE POLICY below ON doc USING (id < 100);
SET ROLE regress_vecdb_reader;
EXECUTE search('{"id": 77}', '[1,2,3,4]', 10);
EXECUTE search('{"id": 177}', '[1,2,3,4]', 10);
SELECT count(*) FROM (SELECT FROM doc WHERE d @~ '{"half": 1}' ORDER BY v <-> '[1,2,3,4]' LIMIT 100) s;
RESET ROLE;
DROP TABLE doc, empty, wanted;
DROP FUNCTION expected, strategy;
DROP ROLE regress_vecdb_reader;
