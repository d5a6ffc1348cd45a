-- collections: create, write, search, rights

\set VERBOSITY terse

-- whatever other tests have created: some lines show the numbers of tables
ALTER SEQUENCE vecdb.collection_id RESTART;

-- create
SELECT * FROM vecdb.create_collection('papers', 3);
SELECT * FROM vecdb.create_collection('near', 2, 'euclidean');
SELECT * FROM vecdb.create_collection(name => 'dots', dimension => 2, distance => 'dot');
SELECT * FROM vecdb.create_collection('papers', 5, 'dot');
SELECT * FROM vecdb.create_collection(NULL, 3);
SELECT * FROM vecdb.create_collection('', 3);
SELECT * FROM vecdb.create_collection('no spaces', 3);
SELECT * FROM vecdb.create_collection('naïve', 3);
SELECT * FROM vecdb.create_collection(E'a\n', 3);
SELECT * FROM vecdb.create_collection(repeat('x', 64), 3);
SELECT * FROM vecdb.create_collection('x"; DROP TABLE vecdb.collections; --', 3);
SELECT * FROM vecdb.create_collection('zero', 0);
SELECT * FROM vecdb.create_collection('none', NULL);
SELECT * FROM vecdb.create_collection('big', 16001);
SELECT * FROM vecdb.create_collection('odd', 3, 'manhattan');
SELECT * FROM vecdb.create_collection('odd', 3, NULL);
SELECT * FROM vecdb.list_collections();

-- the table behind a collection is an ordinary one
SELECT id AS papers_id FROM vecdb.collections WHERE name = 'papers' \gset
SELECT column_name, data_type, udt_name, is_nullable, collation_name FROM information_schema.columns
	WHERE table_schema = 'vecdb_data' AND table_name = 'c_' || :papers_id ORDER BY ordinal_position;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = ('vecdb_data.c_' || :papers_id)::regclass AND attname = 'embedding';
SELECT reloptions, relowner = current_user::regrole AS mine, obj_description(oid) FROM pg_class WHERE oid = ('vecdb_data.c_' || :papers_id)::regclass;
SELECT name FROM vecdb.create_collection('wide', 2001);
SELECT reloptions FROM pg_class WHERE oid = (SELECT vecdb.collection_table(id) FROM vecdb.collections WHERE name = 'wide');
SELECT vecdb.drop_collection('wide');

-- upsert: insert, replace, all or nothing
SELECT vecdb.upsert('papers', '[{"id":"a","vector":[1,0,0],"metadata":{"year":2017,"tags":["x","y"]}},
	{"id":"b","vector":[0,1,0],"metadata":{"year":2020}}, {"id":"c","vector":[1,1,0]}]');
SELECT vecdb.upsert('papers', '{"points":[{"id":"b","vector":[0,2,0],"metadata":{"year":2021}},{"id":"d","vector":[0,0,1]}]}');
SELECT vecdb.upsert('papers', '[]');
SELECT * FROM vecdb.get_point('papers', 'b');
SELECT vecdb.upsert('papers', '[{"id":"e","vector":[1,2,3]},{"id":"f","vector":[1,2]}]');
SELECT vecdb.upsert('papers', '[{"id":"e","vector":[1,2,3]},{"id":"e","vector":[1,2,3]}]');
SELECT vecdb.upsert('papers', NULL);
SELECT vecdb.upsert('nowhere', '[]');
SELECT vecdb.upsert(NULL, '[]');
SELECT vecdb.count('papers', '{}');

-- search: score, order, fields
SELECT id, round(score::numeric, 5), metadata, vector FROM vecdb.search('papers', '[1,0.1,0]');
SELECT id, round(score::numeric, 5), metadata FROM vecdb.search('papers', '[1,0.1,0]', 2);
SELECT id, round(score::numeric, 5), metadata FROM vecdb.search('papers', '[1,0.1,0]', 2, '{"year":{"$gte":2018}}');
SELECT id, round(score::numeric, 5), metadata, vector FROM vecdb.search('papers', '[1,0.1,0]', 1, '{}', false);
SELECT id, round(score::numeric, 5), metadata, vector FROM vecdb.search('papers', '[1,0.1,0]', 1, include_metadata => false, include_vector => true);
SELECT id FROM vecdb.search('papers', '[1,0.1,0]', 2, "offset" => 1);
SELECT id FROM vecdb.search('papers', '[1,0.1,0]', "offset" => 10);
SELECT id, round(score::numeric, 5) FROM vecdb.search('papers', '[1,1,0]', score_threshold => 0.7);
SELECT id FROM vecdb.search('papers', '[1,1,0]', filter => NULL, top_k => 1);
SELECT id FROM vecdb.search('papers', '[1,1,0]', filter => '{"tags":{"$contains":"y"}}');
-- clients may send the filter as jsonb or json
SELECT id FROM vecdb.search('papers', '[1,1,0]', filter => '{"year":2017}'::jsonb);
SELECT vecdb.count('papers', '{"year":2017}'::json);
-- equal scores are ordered by id
SELECT vecdb.upsert('papers', '[{"id":"t3","vector":[0,0,2]},{"id":"t1","vector":[0,0,3]},{"id":"t2","vector":[0,0,4]}]');
SELECT id, score FROM vecdb.search('papers', '[0,0,5]', 3);
SELECT id, score FROM vecdb.search('papers', '[0,0,5]', 2, "offset" => 1);

-- the other distances: the best is first, the threshold bounds the worse side
SELECT vecdb.upsert(c, '[{"id":"o","vector":[0,0]},{"id":"p","vector":[3,4]},{"id":"q","vector":[-3,-4]}]') FROM unnest(ARRAY['near', 'dots']) c;
SELECT id, score FROM vecdb.search('near', '[3,4]');
SELECT id, score FROM vecdb.search('near', '[3,4]', score_threshold => 5);
SELECT id, score FROM vecdb.search('dots', '[1,1]');
SELECT id, score FROM vecdb.search('dots', '[1,1]', score_threshold => 0);

-- a zero vector is a point, but has no cosine similarity to any
SELECT vecdb.upsert('papers', '[{"id":"zero","vector":[0,0,0]}]');
SELECT vecdb.count('papers', '{}'), count(*) FILTER (WHERE id = 'zero') AS found, count(*) FROM vecdb.search('papers', '[1,1,1]', 100);
SELECT * FROM vecdb.search('papers', '[0,0,0]');
-- a small one has a direction, and is not near to everything
SELECT vecdb.upsert('papers', '[{"id":"small","vector":[-1e-30,0,0]}]');
SELECT id, round(score::numeric, 5) FROM vecdb.search('papers', '[1e-25,0,0]', 20) WHERE id IN ('a', 'b', 'small');
SELECT vecdb.delete_points('papers', '{{small},{nobody}}');
SELECT id, score FROM vecdb.search('near', '[0,0]', 1);

-- what is refused
SELECT * FROM vecdb.search('papers', '[1,2]');
SELECT * FROM vecdb.search('papers', NULL);
SELECT * FROM vecdb.search('papers', '[1,2,3]', 0);
SELECT * FROM vecdb.search('papers', '[1,2,3]', 10001);
SELECT * FROM vecdb.search('papers', '[1,2,3]', NULL);
SELECT * FROM vecdb.search('papers', '[1,2,3]', "offset" => -1);
SELECT * FROM vecdb.search('papers', '[1,2,3]', score_threshold => 'NaN');
SELECT * FROM vecdb.search('papers', '[1,2,3]', filter => '{"year":{"$near":1}}');
SELECT * FROM vecdb.search('nowhere', '[1,2,3]');

-- get, count, delete
SELECT * FROM vecdb.get_point('papers', 'nobody');
SELECT * FROM vecdb.get_point('papers', NULL);
SELECT to_json(p) FROM vecdb.get_point('papers', 'a') p;
SELECT vecdb.count('papers', '{"year":2017}'), vecdb.count('papers', '{"year":1900}'), vecdb.count('papers', NULL);
SELECT vecdb.delete_points('papers', '{t1,t2,t3,zero,t1,nobody}');
SELECT vecdb.delete_points('papers', '{}');
SELECT vecdb.delete_points('papers', NULL);
SELECT vecdb.delete_points('papers', '{a,NULL}');
SELECT vecdb.delete_points('nowhere', '{a}');
SELECT * FROM vecdb.get_collection('papers');
SELECT * FROM vecdb.get_collection('nowhere');
SELECT * FROM vecdb.get_collection(NULL);

-- the bodies of search requests
SELECT * FROM vecdb.search_request('{"vector":[1,2]}');
SELECT * FROM vecdb.search_request('{"top_k":3,"filter":{"a":{"$in":[1]}},"include_metadata":true,"include_vector":true,"offset":1e1,"score_threshold":-0.5,"vector":[1,2]}');
SELECT * FROM vecdb.search_request('{"top_k":null,"filter":null,"include_metadata":null,"include_vector":null,"offset":null,"score_threshold":null,"vector":[1,2]}');
SELECT * FROM vecdb.search_request('{}');
SELECT * FROM vecdb.search_request('[]');
SELECT * FROM vecdb.search_request('{"vector":null}');
SELECT * FROM vecdb.search_request('{"vector":[1],"topk":3}');
SELECT * FROM vecdb.search_request('{"vector":[1],"vector":[2]}');
SELECT * FROM vecdb.search_request('{"vector":[1],"top_k":"3"}');
SELECT * FROM vecdb.search_request('{"vector":[1],"top_k":2.5}');
SELECT * FROM vecdb.search_request('{"vector":[1],"top_k":1e99}');
SELECT * FROM vecdb.search_request('{"vector":[1],"top_k":0}');
SELECT * FROM vecdb.search_request('{"vector":[1],"offset":-1}');
SELECT * FROM vecdb.search_request('{"vector":[1],"offset":2147483648}');
SELECT * FROM vecdb.search_request('{"vector":[1],"include_vector":1}');
SELECT * FROM vecdb.search_request('{"vector":[1],"score_threshold":"x"}');
SELECT * FROM vecdb.search_request('{"vector":[1],"score_threshold":1e999}');
SELECT * FROM vecdb.search_request('{"vector":[1],"filter":[]}');
SELECT * FROM vecdb.search_request('{"vector":[1],"filter":{"a":{"$x":1}}}');

-- rights are the rights on the table
CREATE ROLE regress_vecdb_reader;
CREATE ROLE regress_vecdb_creator;
SET ROLE regress_vecdb_reader;
SELECT * FROM vecdb.list_collections();
SELECT * FROM vecdb.search('papers', '[1,2,3]');
SELECT * FROM vecdb.get_collection('papers');
SELECT * FROM vecdb.create_collection('mine', 2);
SELECT vecdb.drop_collection('papers');
DELETE FROM vecdb.collections;
INSERT INTO vecdb.collections (id, name, dimension, distance) SELECT id, 'stolen', 3, 'dot' FROM vecdb.collections WHERE name = 'papers';
INSERT INTO vecdb.collections (name, dimension, distance) VALUES ('squatted', 3, 'dot');
UPDATE vecdb.collections SET name = 'x';
TRUNCATE vecdb.collections;
SELECT setval('vecdb.collection_id', 1);
RESET ROLE;
SELECT format('GRANT SELECT ON %s TO regress_vecdb_reader', vecdb.collection_table(:papers_id)) \gexec
GRANT CREATE ON SCHEMA vecdb_data TO regress_vecdb_creator;
SET ROLE regress_vecdb_reader;
SELECT * FROM vecdb.list_collections();
SELECT id FROM vecdb.search('papers', '[1,2,3]', 1);
SELECT vecdb.upsert('papers', '[{"id":"a","vector":[1,2,3]}]');
SELECT vecdb.delete_points('papers', '{a}');
SELECT vecdb.drop_collection('papers');
RESET ROLE;
-- INSERT alone does not suffice to replace; the message names the collection
SELECT format('GRANT INSERT, DELETE ON %s TO regress_vecdb_reader', vecdb.collection_table(:papers_id)) \gexec
SET ROLE regress_vecdb_reader;
SELECT vecdb.upsert('papers', '[{"id":"a","vector":[1,2,3]}]');
SELECT vecdb.delete_points('papers', '{a}');
RESET ROLE;
-- whoever may create tables there has collections of his own
SET ROLE regress_vecdb_creator;
SELECT * FROM vecdb.create_collection('mine', 2);
SELECT vecdb.upsert('mine', '[{"id":"a","vector":[1,2]}]');
SELECT * FROM vecdb.list_collections();
RESET ROLE;
-- row-level security holds in every function
SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', vecdb.collection_table(:papers_id)) \gexec
SELECT format('CREATE POLICY young ON %s USING (metadata @~ ''{"year":{"$gt":2018}}'')', vecdb.collection_table(:papers_id)) \gexec
SELECT format('GRANT ALL ON %s TO regress_vecdb_reader', vecdb.collection_table(:papers_id)) \gexec
SET ROLE regress_vecdb_reader;
SELECT id FROM vecdb.search('papers', '[1,1,1]');
SELECT vecdb.count('papers', '{}'), vecdb.delete_points('papers', '{a}');
SELECT * FROM vecdb.get_point('papers', 'a');
SELECT vecdb.upsert('papers', '[{"id":"a","vector":[1,2,3],"metadata":{"year":2022}}]');
SELECT vecdb.upsert('papers', '[{"id":"new","vector":[1,2,3],"metadata":{"year":2000}}]');
RESET ROLE;

-- an error of a trigger stays as it is
CREATE FUNCTION regress_vecdb_trigger() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN RAISE undefined_table USING MESSAGE = 'no audit table', DETAIL = 'Its detail.', HINT = 'Its hint.'; END$$;
SELECT format('CREATE TRIGGER audit BEFORE INSERT OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION regress_vecdb_trigger()',
	vecdb.collection_table(:papers_id)) \gexec
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT vecdb.upsert('papers', '[{"id":"a","vector":[1,2,3]}]');
SELECT vecdb.delete_points('papers', '{b}');
\unset SHOW_CONTEXT
\set VERBOSITY terse
SELECT format('DROP TRIGGER audit ON %s', vecdb.collection_table(:papers_id)) \gexec
DROP FUNCTION regress_vecdb_trigger();

-- a table dropped by hand disappears from the list and leaves its name free
SELECT format('DROP TABLE %s', vecdb.collection_table(:papers_id)) \gexec
SELECT * FROM vecdb.list_collections();
SELECT * FROM vecdb.search('papers', '[1,2,3]');
SELECT vecdb.drop_collection('papers');
SELECT * FROM vecdb.create_collection('papers', 7);
SELECT * FROM vecdb.get_collection('papers');

-- drop: the obstacles are told in terms of the collection
\set VERBOSITY default
SELECT format('CREATE VIEW on_papers AS SELECT id FROM %s', vecdb.collection_table(id)) FROM vecdb.collections WHERE name = 'papers' \gexec
\set SHOW_CONTEXT never
SELECT vecdb.drop_collection('papers');
DROP VIEW on_papers;
BEGIN;
SELECT format('DECLARE reading CURSOR FOR SELECT id FROM %s', vecdb.collection_table(id)) FROM vecdb.collections WHERE name = 'papers' \gexec
SELECT vecdb.drop_collection('papers');
ROLLBACK;
\unset SHOW_CONTEXT
\set VERBOSITY terse

-- a view is no collection: its functions would run with the reader's rights
CREATE VIEW vecdb_data.c_4711 AS SELECT 1 AS id;
INSERT INTO vecdb.collections VALUES (4711, 'view', 2, 'dot');
SELECT vecdb.collection_table(4711);
DROP VIEW vecdb_data.c_4711;

-- drop; a rolled-back drop has not happened
BEGIN; SELECT vecdb.drop_collection('papers'); ROLLBACK;
SELECT name FROM vecdb.list_collections();
SELECT vecdb.drop_collection(name) FROM vecdb.list_collections();
SELECT vecdb.drop_collection('papers');
SELECT count(*) FROM vecdb.collections;
SELECT count(*) FROM pg_class WHERE relnamespace = 'vecdb_data'::regnamespace;

-- the functions do not depend on the caller's search_path, nor on what is in it
CREATE SCHEMA evil;
CREATE FUNCTION evil.cheat(public.vector, public.vector) RETURNS float8 LANGUAGE sql AS 'SELECT 0.0::float8';
CREATE OPERATOR evil.<=> (LEFTARG = public.vector, RIGHTARG = public.vector, FUNCTION = evil.cheat);
CREATE FUNCTION evil.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
SET search_path = evil, pg_catalog;
SELECT name FROM vecdb.create_collection('safe', 2);
SELECT vecdb.upsert('safe', '[{"id":"a","vector":[1,0]},{"id":"b","vector":[0,1]}]');
SELECT id, score FROM vecdb.search('safe', '[0,1]', filter => '{"x":{"$exists":false}}');
SELECT vecdb.drop_collection('safe');
RESET search_path;
DROP SCHEMA evil CASCADE;

DROP SCHEMA vecdb_data;
DROP ROLE regress_vecdb_reader, regress_vecdb_creator;
