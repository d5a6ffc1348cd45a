# Who may do what: the extension is trusted, so the owner of a database, no
# superuser, may create and drop it; collections belong to who created them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbTest qw(error_of);

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE ROLE owner LOGIN;
	CREATE ROLE guest LOGIN;
	CREATE DATABASE shop OWNER owner;
	});

my %owner = (extra_params => [ '-U', 'owner' ]);
my %guest = (extra_params => [ '-U', 'guest' ]);

like(error_of($node, 'shop', 'CREATE EXTENSION vecdb', %guest),
	qr/^42501: permission denied to create extension "vecdb"/,
	'a guest may not create the extension');
is(error_of($node, 'shop', 'CREATE EXTENSION vecdb', %owner),
	'', 'the owner of the database may');

# What a trusted extension must not have: its objects are the superuser's.
is( $node->safe_psql('shop', q{
		SELECT p.oid::regprocedure FROM pg_proc p
		  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		 WHERE e.extname = 'vecdb' AND p.prosecdef}),
	'',
	'no function runs with its owner\'s rights');
is( $node->safe_psql('shop', q{SELECT rolname FROM pg_roles
		WHERE rolname NOT IN (current_user, 'owner', 'guest') AND rolname !~ '^pg_'}),
	'',
	'no role was created');

# Collections belong to their creator.
is($node->safe_psql('shop', q{SELECT vecdb.create_collection('things', 2);
		SELECT vecdb.upsert('things', '[{"id": "a", "vector": [1, 0]}, {"id": "b", "vector": [0, 1]}]')}, %owner),
	"(things,2,cosine,0)\n2", 'the owner creates and fills a collection');
like(error_of($node, 'shop', q{SELECT vecdb.create_collection('mine', 2)}, %guest),
	qr/^42501: permission denied to create collections/,
	'a guest may not create one');
foreach my $sql (
	q{SELECT * FROM vecdb.search('things', '[1,0]')},
	q{SELECT vecdb.count('things', '{}')},
	q{SELECT * FROM vecdb.get_collection('things')},
	q{SELECT * FROM vecdb.get_point('things', 'a')},
	q{SELECT vecdb.upsert('things', '[{"id": "c", "vector": [1, 0]}]')},
	q{SELECT vecdb.delete_points('things', ARRAY['a'])},
	q{SELECT vecdb.drop_collection('things')})
{
	is(error_of($node, 'shop', $sql, %guest),
		'42P01: collection "things" does not exist', "for a guest it does not exist: $sql");
}
is($node->safe_psql('shop', 'SELECT count(*) FROM vecdb.list_collections()', %guest),
	'0', 'nor is it in the list');

# Rights on a collection are rights on its table.
my $table = $node->safe_psql('shop', q{SELECT vecdb.collection_table(id) FROM vecdb.collections});
$node->safe_psql('shop', "GRANT SELECT ON $table TO guest", %owner);
is($node->safe_psql('shop', q{SELECT id FROM vecdb.search('things', '[1,0]')}, %guest),
	"a\nb", 'with SELECT a guest may search');
foreach my $sql (
	q{SELECT vecdb.upsert('things', '[{"id": "c", "vector": [1, 0]}]')},
	q{SELECT vecdb.delete_points('things', ARRAY['a'])})
{
	is(error_of($node, 'shop', $sql, %guest),
		'42501: permission denied for collection "things"', "but not: $sql");
}
is(error_of($node, 'shop', q{SELECT vecdb.drop_collection('things')}, %guest),
	'42501: must be owner of collection "things"', 'nor drop it');

# The registry is written through the functions only by those who may.
like(error_of($node, 'shop', q{DELETE FROM vecdb.collections}, %guest),
	qr/^42501: must be owner of collection "things"/, 'a guest cannot deregister it');
like(error_of($node, 'shop', q{INSERT INTO vecdb.collections VALUES (99, 'fake', 2, 'dot')}, %guest),
	qr/^42501: /, 'nor register a table that is not there');
like(error_of($node, 'shop', q{UPDATE vecdb.collections SET name = 'x'}, %owner),
	qr/^42501: /, 'nobody renames an entry by hand');

# Dropping the extension would destroy the data, so PostgreSQL asks.
like(error_of($node, 'shop', 'DROP EXTENSION vecdb', %guest),
	qr/^42501: must be owner of extension vecdb/, 'a guest may not drop the extension');
like(error_of($node, 'shop', 'DROP EXTENSION vecdb', %owner),
	qr/^2BP01: cannot drop extension vecdb because other objects depend on it/,
	'nor does the owner by accident while there are collections');
is($node->safe_psql('shop', q{SELECT id FROM vecdb.search('things', '[1,0]')}, %owner),
	"a\nb", 'the collection is untouched');

# CASCADE takes the vectors, whose type goes; the tables and the rest stay.
is(error_of($node, 'shop', 'DROP EXTENSION vecdb CASCADE', %owner),
	'', 'with CASCADE the owner may');
is($node->safe_psql('shop', "SELECT * FROM $table ORDER BY id", %owner),
	"a|{}\nb|{}", 'the table keeps ids and metadata');
$node->safe_psql('shop', 'DROP SCHEMA vecdb_data CASCADE', %owner);

# Without collections it goes and comes back, into another schema, too.
$node->safe_psql('shop', 'CREATE EXTENSION vecdb; DROP EXTENSION vecdb', %owner);
is( $node->safe_psql('shop', q{
		CREATE SCHEMA types;
		CREATE EXTENSION vecdb SCHEMA types;
		SELECT (vecdb.create_collection('again', 2, 'dot')).name;
		SELECT vecdb.upsert('again', '[{"id": "a", "vector": [1, 2], "metadata": {"n": 1}}]');
		SELECT id, score FROM vecdb.search('again', '[3,4]', 1, '{"n": 1}')}, %owner),
	"again\n1\na|11",
	'it works in another schema that is not on the search path');

# Who may create objects in the target schema before the extension is installed
# there cannot make it use them: none of its objects depends on a guest's.
$node->safe_psql(
	'postgres', q{
	CREATE DATABASE trap OWNER owner;
	\c trap
	CREATE SCHEMA bait;
	GRANT CREATE, USAGE ON SCHEMA bait TO guest;
	SET ROLE guest;
	CREATE FUNCTION bait.glue(text, bigint) RETURNS text LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''caught %'', current_user; END';
	CREATE FUNCTION bait.glue(bigint, bigint) RETURNS text LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''caught %'', current_user; END';
	CREATE OPERATOR bait.|| (LEFTARG = text, RIGHTARG = bigint, FUNCTION = bait.glue);
	CREATE OPERATOR bait.|| (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = bait.glue);
	CREATE FUNCTION bait.nextval(text) RETURNS bigint LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''caught %'', current_user; END';
	CREATE FUNCTION bait.to_regclass(varchar) RETURNS regclass LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''caught %'', current_user; END';
	});
$node->safe_psql('trap', 'CREATE EXTENSION vecdb SCHEMA bait');
is( $node->safe_psql('trap', q{
		SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
		 WHERE refclassid = 'pg_proc'::regclass AND refobjid IN (SELECT oid FROM pg_proc WHERE proowner = 'guest'::regrole)
		    OR refclassid = 'pg_operator'::regclass AND refobjid IN (SELECT oid FROM pg_operator WHERE oprowner = 'guest'::regrole)
		EXCEPT SELECT pg_describe_object('pg_operator'::regclass, oid, 0) FROM pg_operator WHERE oprowner = 'guest'::regrole}),
	'',
	'what a guest has put into the target schema is not used');
is( $node->safe_psql('trap', q{
		SELECT vecdb.create_collection('c', 2);
		SELECT vecdb.upsert('c', '[{"id": "a", "vector": [1, 2]}]');
		SELECT vecdb.delete_points('c', ARRAY['a']), count(*) FROM vecdb.list_collections();
		SELECT vecdb.drop_collection('c')}),
	"(c,2,cosine,0)\n1\n1|1\n",
	'nor run by a superuser');

# A view in the place of a collection's table is not read.
$node->safe_psql(
	'trap', q{
	GRANT CREATE ON SCHEMA vecdb_data TO guest;
	SET ROLE guest;
	CREATE FUNCTION bait.trap() RETURNS int LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''caught %'', current_user; END';
	CREATE TABLE vecdb_data.c_77 (id text);
	INSERT INTO vecdb.collections VALUES (77, 'trap', 2, 'dot');
	DROP TABLE vecdb_data.c_77;
	CREATE VIEW vecdb_data.c_77 AS SELECT bait.trap() AS id;
	});
is($node->safe_psql('trap', 'SELECT * FROM vecdb.list_collections()'),
	'', 'a view is not listed');
is(error_of($node, 'trap', q{SELECT * FROM vecdb.get_collection('trap')}),
	'42P01: collection "trap" does not exist', 'nor read');

$node->stop;
done_testing();
