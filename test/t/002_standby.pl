# A streaming standby answers the same searches, refuses writes cleanly, and
# goes on as a primary.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbTest qw(fill answers registry_is_sound error_of);

my $primary = PostgreSQL::Test::Cluster->new('primary');
my $standby = PostgreSQL::Test::Cluster->new('standby');

$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION vecdb');
$primary->backup('base');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# All of it comes by WAL, after the backup.
fill($primary, 'postgres');
$primary->wait_for_catchup($standby);
is(answers($standby, 'postgres'), answers($primary, 'postgres'),
	'the standby answers as the primary');

$primary->safe_psql(
	'postgres', q{
	SELECT vecdb.delete_points('by-cosine', ARRAY['p1', 'p2']);
	SELECT vecdb.upsert('by-cosine', json_build_array(json_build_object('id', 'p3',
		'vector', (SELECT json_agg(1) FROM generate_series(1, 16)), 'metadata', json_build_object('n', 0))));
	SELECT vecdb.drop_collection('by-dot');
	SELECT vecdb.create_collection('by-dot', 16, 'dot');
	});
$primary->wait_for_catchup($standby);
is(answers($standby, 'postgres'), answers($primary, 'postgres'),
	'the standby follows changes');
is($standby->safe_psql('postgres', q{SELECT count FROM vecdb.get_collection('by-cosine')}),
	'198', 'the standby counts what was deleted');

my %writes = (
	upsert => q{SELECT vecdb.upsert('by-cosine', '[]')},
	create_collection => q{SELECT vecdb.create_collection('new', 3)},
	drop_collection => q{SELECT vecdb.drop_collection('by-cosine')},
	delete_points => q{SELECT vecdb.delete_points('by-cosine', ARRAY['p5'])});

foreach my $name (sort keys %writes)
{
	my $error = error_of($standby, 'postgres', $writes{$name});

	like($error, qr/^25006: cannot execute [A-Z ]+ in a read-only transaction$/,
		"$name on the standby: a clean error");
}
is( error_of($standby, 'postgres', q{SELECT * FROM vecdb.search('none', '[1]')}),
	'42P01: collection "none" does not exist',
	'an unknown collection is the same error there');

$standby->promote;
is( $standby->safe_psql(
		'postgres', q{SELECT vecdb.create_collection('new', 3);
			SELECT vecdb.upsert('new', '[{"id": "a", "vector": [1, 0, 0]}]');
			SELECT id FROM vecdb.search('new', '[1,1,1]')}),
	"(new,3,cosine,0)\n1\na",
	'the promoted standby takes new collections');
registry_is_sound($standby, 'postgres', 'registry and tables agree after promotion');

$standby->stop;
$primary->stop;
done_testing();
