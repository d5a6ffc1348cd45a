-- Collections are read and written by statements that a session prepares once
-- and keeps.  What changes behind them must show at once, and what goes wrong
-- must leave nothing behind.

\set VERBOSITY terse
-- the number of statements that are kept for tables of collections
CREATE FUNCTION kept(part text DEFAULT '') RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM pg_backend_memory_contexts
	WHERE name = 'CachedPlanSource' AND ident ~ ('vecdb_data\.c_\d.*' || part) $$;
CREATE FUNCTION tab(collection text) RETURNS text LANGUAGE sql AS $$
	SELECT vecdb.collection_table(id)::text FROM vecdb.collections WHERE name = collection $$;
CREATE FUNCTION settings() RETURNS text LANGUAGE sql AS $$
	SELECT format('expected_rows %s, search_path %s', current_setting('vecdb.expected_rows'), current_setting('search_path')) $$;

SELECT * FROM vecdb.last_search();
SELECT name FROM vecdb.create_collection('c', 3, 'euclidean');
SELECT id FROM vecdb.search('c', '[1,2,3]');
SELECT vecdb.count('c', '{}'), vecdb.count('c', '{"a":1}'), vecdb.delete_points('c', filter => '{"a":1}');
SELECT vecdb.upsert('c', json_agg(json_build_object('id', 'p' || i, 'vector', json_build_array(i, 0, 0),
	'metadata', json_build_object('n', i, 'odd', i % 2 = 1)))) FROM generate_series(1, 9) i;

-- one statement for searches with a filter, one for those without, whatever else they ask for
SELECT kept('n LIMIT 16');
SELECT id, score FROM vecdb.search('c', '[0,0,0]', 2);
SELECT id, score, metadata, vector FROM vecdb.search('c', '[0,0,0]', 1, include_vector => true);
SELECT id, score, metadata, vector FROM vecdb.search('c', '[0,0,0]', 1, include_metadata => NULL, include_vector => NULL);
SELECT id FROM vecdb.search('c', '[0,0,0]', 2, '{"odd":true}', "offset" => 1);
SELECT id FROM vecdb.search('c', '[0,0,0]', 2, '{"n":{"$gt":7}}', score_threshold => 8);
SELECT id FROM vecdb.search('c', '[0,0,0]', 2, score_threshold => 0.5);
SELECT kept('n LIMIT 16');
-- and for very different numbers of rows
SELECT count(*) FROM vecdb.search('c', '[0,0,0]', 10000);
SELECT count(*) FROM vecdb.search('c', '[0,0,0]', 10000, "offset" => 2147483647);
SELECT count(*) FROM vecdb.search('c', '[0,0,0]', 10000, "offset" => 8);
SELECT substring(ident FROM 'n (LIMIT \d+)') AS class FROM pg_backend_memory_contexts
	WHERE name = 'CachedPlanSource' AND ident ~ 'n LIMIT \d' ORDER BY length(ident), 1;

-- dropped and created again: another table, another distance, another dimension
SELECT vecdb.drop_collection('c');
SELECT * FROM vecdb.search('c', '[1,2,3]');
SELECT vecdb.count('c', '{}');
SELECT name FROM vecdb.create_collection('c', 2, 'dot');
SELECT vecdb.upsert('c', '[{"id":"a","vector":[1,2]},{"id":"b","vector":[3,4]}]');
SELECT kept() AS only_the_upsert;
SELECT id, score FROM vecdb.search('c', '[1,1]');
SELECT id FROM vecdb.get_point('c', 'a');
-- the same by rollback, of the whole and of a part
BEGIN;
SELECT vecdb.drop_collection('c');
SELECT name FROM vecdb.create_collection('c', 1, 'cosine');
SELECT count(*) FROM vecdb.search('c', '[1]');
SAVEPOINT s;
SELECT vecdb.drop_collection('c');
SELECT count(*) FROM vecdb.search('c', '[1]');
ROLLBACK TO s;
SELECT count(*) FROM vecdb.search('c', '[1]');
ROLLBACK;
SELECT id, score FROM vecdb.search('c', '[1,1]');
-- dropped by hand, and another table renamed into its place
SELECT tab('c') AS tab \gset
SELECT id AS c_id FROM vecdb.collections WHERE name = 'c' \gset
CREATE TABLE vecdb_data.other (LIKE :tab INCLUDING DEFAULTS);
INSERT INTO vecdb_data.other VALUES ('z', '[5,5]', '{}');
DROP TABLE :tab;
SELECT * FROM vecdb.search('c', '[1,1]');
ALTER TABLE vecdb_data.other RENAME TO c_:c_id;
SELECT id, score FROM vecdb.search('c', '[1,1]');
SELECT id, embedding FROM :tab;
-- two tables that change places
SELECT name FROM vecdb.create_collection('d', 2, 'dot');
SELECT vecdb.upsert('d', '[{"id":"y","vector":[6,6]}]');
SELECT tab('d') AS d_tab, id AS d_id FROM vecdb.collections WHERE name = 'd' \gset
SELECT id FROM vecdb.search('d', '[1,1]');
BEGIN;
ALTER TABLE :tab RENAME TO swap;
ALTER TABLE :d_tab RENAME TO c_:c_id;
ALTER TABLE vecdb_data.swap RENAME TO c_:d_id;
SELECT (SELECT id FROM vecdb.search('c', '[1,1]')) AS c, (SELECT id FROM vecdb.search('d', '[1,1]')) AS d;
ROLLBACK;
SELECT (SELECT id FROM vecdb.search('c', '[1,1]')) AS c, (SELECT id FROM vecdb.search('d', '[1,1]')) AS d;

-- a table that is altered
ALTER TABLE :tab ADD extra int DEFAULT 7;
SELECT * FROM vecdb.search('c', '[1,1]', include_vector => true);
SELECT * FROM vecdb.get_point('c', 'z');
ALTER TABLE :tab DROP extra;
ALTER TABLE :tab ALTER embedding TYPE vector(3) USING '[1,2,3]';
SELECT * FROM vecdb.search('c', '[1,1]');
UPDATE vecdb.collections SET dimension = 3, distance = 'cosine' WHERE name = 'c';
SELECT id, score, vector FROM vecdb.search('c', '[1,2,3]', include_vector => true);
ALTER TABLE :tab ALTER metadata DROP DEFAULT, ALTER metadata TYPE json;
SELECT * FROM vecdb.search('c', '[1,2,3]');
SELECT * FROM vecdb.get_point('c', 'z');
\set VERBOSITY sqlstate
SELECT * FROM vecdb.search('c', '[1,2,3]', filter => '{"a":1}');
ALTER TABLE :tab DROP metadata;
SELECT * FROM vecdb.search('c', '[1,2,3]');
\set VERBOSITY terse
SELECT vecdb.count('c', '{}');
ALTER TABLE :tab ADD metadata jsonb NOT NULL DEFAULT '{}';
SELECT * FROM vecdb.search('c', '[1,2,3]');
SELECT settings();
SELECT vecdb.drop_collection('c'), vecdb.drop_collection('d');

-- an index that goes and comes; what the search says of itself
SELECT name FROM vecdb.create_collection('c', 3, 'euclidean');
SELECT vecdb.upsert('c', json_agg(json_build_object('id', 'p' || i, 'vector', json_build_array(i, i % 7, i % 5),
	'metadata', json_build_object('n', i, 'odd', i % 2 = 1)))) FROM generate_series(1, 2000) i;
SELECT tab('c') AS tab \gset
ANALYZE :tab;
SELECT id FROM vecdb.search('c', '[1000,0,0]', 3);
SELECT strategy, advice FROM vecdb.last_search();
SELECT indexrelid::regclass AS hnsw FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam
	WHERE indrelid = :'tab'::regclass AND amname = 'hnsw' \gset
BEGIN;
DROP INDEX :hnsw;
SELECT id FROM vecdb.search('c', '[1000,0,0]', 3);
SELECT strategy, reason, replace(advice, :'tab', 'TABLE') FROM vecdb.last_search();
SELECT advice FROM vecdb.last_search() \gset
SELECT id FROM vecdb.search('c', '[1000,0,0]', 3, '{"odd":true}');
SELECT strategy, advice FROM vecdb.last_search();
:advice;
SELECT id FROM vecdb.search('c', '[1000,0,0]', 3);
SELECT strategy, advice FROM vecdb.last_search();
ROLLBACK;
-- what is refused is no search
SELECT * FROM vecdb.search('c', NULL);
SELECT strategy FROM vecdb.last_search();
SELECT id FROM vecdb.search('c', '[1000,0,0]', 3, '{"n":{"$lt":900}}');
SELECT id FROM vecdb.search('c', '[1000,0,0]', 3, '{"n":{"$lt":900}}', "offset" => 897);
SELECT id FROM vecdb.search('c', '[1000,0,0]', 3, '{"n":{"$lt":900}}', "offset" => 899);

-- delete by filter: exactly one of ids and filter, and {} is all
SELECT vecdb.delete_points('c', filter => '{"n":{"$gt":12}}');
SELECT vecdb.delete_points('c', filter => '{"n":{"$gt":12}}');
SELECT vecdb.delete_points('c', NULL, '{"odd":true,"n":{"$in":[1,2,3]}}');
SELECT vecdb.delete_points('c', ids => '{p5}', filter => NULL);
SELECT vecdb.delete_points('c');
SELECT vecdb.delete_points('c', NULL, NULL);
SELECT vecdb.delete_points('c', '{p4}', '{}');
SELECT vecdb.delete_points('c', filter => '{"n":{"$near":1}}');
SELECT vecdb.delete_points('nowhere', filter => '{}');
SELECT vecdb.count('c', '{}');
BEGIN;
SELECT vecdb.delete_points('c', filter => '{}');
SELECT count(*) FROM vecdb.search('c', '[1,1,1]');
SELECT vecdb.delete_points('c', filter => '{}');
ROLLBACK;

-- roles: the rights are those of who asks, not of who asked first
CREATE ROLE regress_vecdb_a;
CREATE ROLE regress_vecdb_b;
GRANT EXECUTE ON FUNCTION settings() TO PUBLIC;
SELECT count(*) FROM vecdb.search('c', '[1,1,1]');
SET ROLE regress_vecdb_a;
SELECT count(*) FROM vecdb.search('c', '[1,1,1]');
RESET ROLE;
GRANT SELECT ON :tab TO regress_vecdb_a;
SET ROLE regress_vecdb_a;
SELECT count(*) FROM vecdb.search('c', '[1,1,1]');
SELECT vecdb.delete_points('c', filter => '{}');
SET ROLE regress_vecdb_b;
SELECT count(*) FROM vecdb.search('c', '[1,1,1]');
RESET ROLE;
REVOKE SELECT ON :tab FROM regress_vecdb_a;
GRANT DELETE ON :tab TO regress_vecdb_a;
SET ROLE regress_vecdb_a;
SELECT count(*) FROM vecdb.search('c', '[1,1,1]');
SELECT vecdb.delete_points('c', filter => '{}');
SELECT vecdb.delete_points('c', '{p2}');
RESET ROLE;
-- the registry is read with the caller's rights, too
REVOKE SELECT ON vecdb.collections FROM PUBLIC;
GRANT SELECT ON :tab TO regress_vecdb_a;
SET ROLE regress_vecdb_a;
SELECT count(*) FROM vecdb.search('c', '[1,1,1]');
RESET ROLE;
GRANT SELECT ON vecdb.collections TO PUBLIC;

-- row-level security: each role has its own policies, in one session
GRANT ALL ON :tab TO regress_vecdb_a, regress_vecdb_b;
ALTER TABLE :tab ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON :tab TO regress_vecdb_a USING (metadata @~ '{"n":{"$lte":6}}');
CREATE POLICY b ON :tab TO regress_vecdb_b USING (metadata @~ '{"odd":true}');
CREATE FUNCTION seen() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s by search, %s odd, %s counted', (SELECT string_agg(id, ' ') FROM vecdb.search('c', '[0,0,0]', 20)),
		(SELECT string_agg(id, ' ') FROM vecdb.search('c', '[0,0,0]', 20, '{"odd":true}')), vecdb.count('c', '{}')) $$;
SELECT seen();
SET ROLE regress_vecdb_a;
SELECT seen();
SET ROLE regress_vecdb_b;
SELECT seen();
SET ROLE regress_vecdb_a;
SELECT seen();
RESET ROLE;
SELECT kept('n LIMIT 256') AS one_pair_for_each_role;
ALTER POLICY a ON :tab USING (metadata @~ '{"n":{"$lte":4}}');
SET ROLE regress_vecdb_a;
SELECT seen();
SET row_security = off;
\set VERBOSITY sqlstate
SELECT seen();
\set VERBOSITY terse
RESET row_security;
SELECT seen();
BEGIN;
SELECT vecdb.delete_points('c', filter => '{}');
SELECT vecdb.upsert('c', '[{"id":"new","vector":[1,1,1],"metadata":{"n":100}}]');
ROLLBACK;
RESET ROLE;
SELECT seen();
DROP POLICY a ON :tab;
SET ROLE regress_vecdb_a;
SELECT seen();
RESET ROLE;
ALTER TABLE :tab DISABLE ROW LEVEL SECURITY;
SET ROLE regress_vecdb_a;
SELECT seen();
RESET ROLE;
DROP POLICY b ON :tab;
-- security definer: the rights of the owner
CREATE FUNCTION lent() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
	SELECT id FROM vecdb.search('c', '[0,0,0]', 1) $$;
REVOKE ALL ON :tab FROM regress_vecdb_b;
SET ROLE regress_vecdb_b;
SELECT * FROM lent();
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);
SELECT * FROM lent();
RESET ROLE;

-- searches within searches: the same statement runs inside itself
SELECT a.id, string_agg(b.id, ' ' ORDER BY b.score) FROM vecdb.search('c', '[0,0,0]', 3, include_vector => true) a,
	LATERAL vecdb.search('c', a.vector, 2, "offset" => 1) b GROUP BY 1 ORDER BY 1;
SELECT (vecdb.search('c', '[0,0,0]', 2)).id, (vecdb.search('c', '[9,0,0]', 3)).id;
CREATE FUNCTION near_self(jsonb) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	RETURN ($1->>'n')::int IN (SELECT (metadata->>'n')::int FROM vecdb.search('c', '[6,6,1]', 2));
END $$;
ALTER TABLE :tab ENABLE ROW LEVEL SECURITY;
CREATE POLICY near ON :tab USING (near_self(metadata));
SET ROLE regress_vecdb_a;
SELECT id FROM vecdb.search('c', '[0,0,0]', 5);
SELECT strategy IS NOT NULL AS told FROM vecdb.last_search();
RESET ROLE;
ALTER TABLE :tab DISABLE ROW LEVEL SECURITY;
-- a trigger that writes to, and reads, the collection that is written to
CREATE FUNCTION cascade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'deleting % while there are %, nearest %', OLD.id, vecdb.count('c', '{}'),
		(SELECT id FROM vecdb.search('c', OLD.embedding, 1));
	PERFORM vecdb.delete_points('c', filter => jsonb_build_object('n', (OLD.metadata->>'n')::int + 4)::public.vecdb_filter);
	RETURN OLD;
END $$;
CREATE TRIGGER cascade BEFORE DELETE ON :tab FOR EACH ROW EXECUTE FUNCTION cascade();
BEGIN;
SELECT vecdb.delete_points('c', filter => '{"n":2}');
SELECT string_agg(id, ' ') FROM vecdb.search('c', '[0,0,0]', 20);
ROLLBACK;
CREATE OR REPLACE FUNCTION cascade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM vecdb.drop_collection('c');
	RETURN OLD;
END $$;
SELECT vecdb.delete_points('c', '{p2}');
DROP TRIGGER cascade ON :tab;

-- errors in the middle, many of them: settings, statements, SPI are as before
CREATE FUNCTION fails(jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF $1->>'n' = current_setting('regress.sleep_at', true) THEN
		PERFORM pg_sleep(600);
	END IF;
	RETURN 1 / (($1->>'n')::int - coalesce(current_setting('regress.fail_at', true), '4')::int) IS NOT NULL;
END $$;
GRANT EXECUTE ON FUNCTION fails TO PUBLIC;
DROP POLICY near ON :tab;
CREATE POLICY failing ON :tab USING (fails(metadata));
ALTER TABLE :tab ENABLE ROW LEVEL SECURITY;
SET ROLE regress_vecdb_a;
SELECT settings();
SELECT id FROM vecdb.search('c', '[0,0,0]', 5);
SELECT strategy IS NULL AS untold FROM vecdb.last_search();
SELECT settings();
DO $$
DECLARE
	errors int := 0;
BEGIN
	FOR i IN 1..300 LOOP
		BEGIN
			PERFORM vecdb.delete_points('c', filter => '{"n":4}') FROM vecdb.search('c', '[0,0,0]', 5);
		EXCEPTION WHEN division_by_zero THEN
			errors := errors + 1;
		END;
	END LOOP;
	RAISE NOTICE '% errors', errors;
END $$;
SELECT settings();
SELECT vecdb.count('c', '{"n":4}');
-- a search that takes too long, and the next one that does not
SET regress.fail_at = 0;
SET regress.sleep_at = 6;
SET statement_timeout = '200ms';
SELECT id FROM vecdb.search('c', '[0,0,0]', 5);
RESET statement_timeout;
SET regress.sleep_at = 0;
SELECT id FROM vecdb.search('c', '[0,0,0]', 5);
SELECT settings();
RESET ROLE;
ALTER TABLE :tab DISABLE ROW LEVEL SECURITY;
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);

-- the setting of the caller does not get lost
SET vecdb.expected_rows = 77;
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);
SELECT settings();
BEGIN;
SET LOCAL vecdb.expected_rows = 78;
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);
SELECT settings();
COMMIT;
SELECT settings();
RESET vecdb.expected_rows;

-- cursors and loops over what changes meanwhile
BEGIN;
DECLARE found CURSOR FOR SELECT id FROM vecdb.search('c', '[0,0,0]', 5);
FETCH 2 FROM found;
SELECT vecdb.delete_points('c', filter => '{}');
FETCH 1 FROM found;
SELECT vecdb.drop_collection('c');
FETCH ALL FROM found;
ROLLBACK;
DO $$
DECLARE
	p record;
	told text := '';
BEGIN
	FOR p IN SELECT * FROM vecdb.search('c', '[0,0,0]', 100, include_vector => true) LOOP
		told := told || format(' %s of %s', p.id, (SELECT count(*) FROM vecdb.search('c', p.vector, 100)));
		PERFORM vecdb.delete_points('c', ARRAY[p.id]);
	END LOOP;
	RAISE NOTICE '%', told;
	RAISE EXCEPTION 'undone';
END $$;
-- a transaction sees its own changes
BEGIN;
SELECT vecdb.upsert('c', '[{"id":"mine","vector":[0,0,0]}]');
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);
ROLLBACK;
BEGIN READ ONLY;
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);
SELECT vecdb.delete_points('c', filter => '{}');
ROLLBACK;
-- prepared by the user, planned as he likes, thrown away as he likes
PREPARE mine(vector, vecdb_filter) AS SELECT id FROM vecdb.search('c', $1, 2, $2);
EXECUTE mine('[0,0,0]', '{"n":{"$gt":6}}');
SET plan_cache_mode = force_custom_plan;
EXECUTE mine('[0,0,0]', '{"n":{"$gt":7}}');
RESET plan_cache_mode;
DISCARD PLANS;
EXECUTE mine('[0,0,0]', '{"n":{"$gt":8}}');
DISCARD ALL;
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);

-- however many collections there are, a bounded number of statements is kept
SELECT count(*) FROM generate_series(1, 80) i, vecdb.create_collection('many' || i, 2);
SELECT sum(vecdb.upsert('many' || i, json_build_array(json_build_object('id', 'id' || i, 'vector', json_build_array(1, i)))))
	FROM generate_series(1, 80) i;
SELECT count(*), bool_and(s.id = 'id' || i), sum(vecdb.count('many' || i, '{}')) FROM generate_series(1, 80) i, vecdb.search('many' || i, '[1,1]') s;
SELECT kept() BETWEEN 190 AND 200 AS bounded;
SELECT count(*), bool_and(p.id = 'id' || i) FROM generate_series(1, 80) i, vecdb.get_point('many' || i, 'id' || i) p;
SELECT kept() BETWEEN 190 AND 200 AS bounded;
SELECT count(vecdb.drop_collection(name)) FROM vecdb.list_collections() WHERE name LIKE 'many%';
SELECT id FROM vecdb.search('c', '[0,0,0]', 1);
SELECT kept() AS of_what_is_there;

DROP POLICY failing ON :tab;
SELECT vecdb.drop_collection('c');
DROP FUNCTION kept, tab, settings, seen, lent, near_self, cascade, fails;
DROP SCHEMA vecdb_data;
DROP ROLE regress_vecdb_a, regress_vecdb_b;
