-- the extension as a whole

-- every object that can be described is (operator classes and casts are named well enough)
SELECT pg_describe_object(e.classid, e.objid, 0) AS uncommented
	FROM pg_depend e
	LEFT JOIN pg_description d ON d.classoid = e.classid AND d.objoid = e.objid AND d.objsubid = 0
	WHERE e.deptype = 'e' AND e.refclassid = 'pg_extension'::regclass
		AND e.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vecdb')
		AND e.classid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_class'::regclass, 'pg_operator'::regclass, 'pg_namespace'::regclass, 'pg_am'::regclass)
		AND d.description IS NULL
		AND NOT EXISTS (SELECT FROM pg_type t WHERE e.classid = 'pg_type'::regclass AND t.oid = e.objid AND t.typelem <> 0)
		AND NOT EXISTS (SELECT FROM pg_type t WHERE e.classid = 'pg_type'::regclass AND t.oid = e.objid AND t.typrelid = 'vecdb.collections'::regclass)
		AND NOT EXISTS (SELECT FROM pg_class c WHERE e.classid = 'pg_class'::regclass AND c.oid = e.objid AND c.relkind IN ('i', 't', 'c'))
	ORDER BY 1;

-- a trusted extension's objects belong to a superuser: nothing may run with its rights
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend e ON e.classid = 'pg_proc'::regclass AND e.objid = p.oid
	WHERE e.deptype = 'e' AND e.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vecdb') AND p.prosecdef;

-- what pg_dump carries, and what everybody may do with it
SELECT unnest(extconfig)::regclass FROM pg_extension WHERE extname = 'vecdb';
SELECT relname, relacl::text LIKE '%=U/%' OR relacl::text LIKE '%=ard/%' AS public_rights FROM pg_class
	WHERE oid IN ('vecdb.collections'::regclass, 'vecdb.collection_id'::regclass) ORDER BY 1;

-- it can live in any schema
CREATE SCHEMA "Odd schema";
DROP EXTENSION vecdb;
CREATE EXTENSION vecdb SCHEMA "Odd schema";
SET search_path = pg_catalog;
SELECT name FROM vecdb.create_collection('odd', 2, 'euclidean');
SELECT vecdb.upsert('odd', '[{"id":"a","vector":[1,2],"metadata":{"x":1}},{"id":"b","vector":[1,3]}]');
SELECT id, score FROM vecdb.search('odd', '[1,2]', filter => '{"x":1}');
SELECT vecdb.count('odd', '{"x":{"$exists":false}}');
SELECT id, vector FROM vecdb.search('odd', '[1,4]', 1, include_vector => true);
DROP EXTENSION vecdb;
SELECT vecdb.drop_collection('odd');
RESET search_path;
DROP EXTENSION vecdb;
DROP SCHEMA "Odd schema";
DROP SCHEMA vecdb_data;
-- a schema vecdb that was there before is not taken over
CREATE SCHEMA vecdb;
\set SHOW_CONTEXT never
CREATE EXTENSION vecdb;
DROP SCHEMA vecdb;
CREATE EXTENSION vecdb;
