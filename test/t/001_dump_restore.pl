# pg_dump and pg_restore carry the extension, the collections, their registry
# and its sequence: as a superuser, and as an ordinary owner of a database.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbTest qw(fill answers registry_is_sound);

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN');

my $dir = PostgreSQL::Test::Utils::tempdir;

# Dump, restore in two ways, and compare; all as one user.
sub check_as
{
	my ($user) = @_;
	my @as = ('-U', $user);
	my %as = (extra_params => \@as);
	my $db = "source_$user";

	$node->safe_psql('postgres', "CREATE DATABASE $db OWNER $user");
	$node->safe_psql($db, 'CREATE EXTENSION vecdb', %as);
	fill($node, $db, %as);

	# Ordinary tables with our types, too.
	$node->safe_psql(
		$db, q{
		CREATE TABLE items (v vector(3), f vecdb_filter, d real[] DEFAULT '{1,2}', h halfvec(3) DEFAULT '[0.1,65504,6e-8]');
		INSERT INTO items VALUES ('[1,2,3.5]', '{"a": {"$gt": 1}}');
		CREATE INDEX items_h ON items USING hnsw (h halfvec_cosine_ops);
		CREATE INDEX items_v_half ON items USING hnsw ((v::halfvec(3)) halfvec_l1_ops);
		CREATE VIEW near AS SELECT v, v <-> '[1,1,1]' AS d FROM items ORDER BY 2;
		}, %as);
	my $expected = answers($node, $db, %as);
	my $items = $node->safe_psql($db, 'TABLE items; TABLE near', %as);
	like($expected, qr/^by-cosine\|16\|cosine\|200$/m, "$user: the source answers");

	my $number = $node->safe_psql($db, 'SELECT last_value FROM vecdb.collection_id', %as);

	$node->command_ok([ 'pg_dump', @as, '-f', "$dir/$user.sql", $db ], "$user: plain dump");
	$node->command_ok([ 'pg_dump', @as, '-Fc', '-f', "$dir/$user.dump", $db ],
		"$user: custom dump");

	foreach my $way (qw(plain custom))
	{
		my $copy = "${way}_$user";

		$node->safe_psql('postgres', "CREATE DATABASE $copy OWNER $user TEMPLATE template0");
		if ($way eq 'plain')
		{
			$node->command_ok(
				[ 'psql', '-X', '-q', @as, '-v', 'ON_ERROR_STOP=1', '-f', "$dir/$user.sql", '-d', $copy ],
				"$user: $way restore");
		}
		else
		{
			$node->command_ok(
				[ 'pg_restore', @as, '-j', '3', '--exit-on-error', '-d', $copy, "$dir/$user.dump" ],
				"$user: $way restore, three jobs");
		}
		is(answers($node, $copy, %as), $expected, "$user: $way copy answers the same");
		is($node->safe_psql($copy, 'TABLE items; TABLE near', %as),
			$items, "$user: $way copy has the same tables");
		is($node->safe_psql($copy, 'SELECT last_value FROM vecdb.collection_id', %as),
			$number, "$user: $way copy continues the numbers");
		is( $node->safe_psql(
				$copy, q{SELECT vecdb.create_collection('new', 2);
					SELECT vecdb.upsert('new', '[{"id": "a", "vector": [1, 0]}]');
					SELECT id FROM vecdb.search('new', '[1,1]');
					SELECT vecdb.drop_collection('by-dot')}, %as),
			"(new,2,cosine,0)\n1\na\n",
			"$user: $way copy takes new collections and drops old ones");
		registry_is_sound($node, $copy, "$user: $way copy: registry and tables agree");
	}
}

check_as('owner');
$node->safe_psql('postgres', 'CREATE ROLE root_of_all LOGIN SUPERUSER');
check_as('root_of_all');

# A dump of single tables without the extension's data leaves no entry that
# has no table.
$node->safe_psql('postgres', 'CREATE DATABASE part');
$node->command_ok(
	[ 'pg_dump', '-f', "$dir/part.sql", '-t', 'items', '-t', 'near', 'source_root_of_all' ],
	'dump of two tables');
$node->safe_psql('part', 'CREATE EXTENSION vecdb');
$node->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'part', '-f', "$dir/part.sql" ],
	'restore of them into a database that has the extension');
is($node->safe_psql('part', 'SELECT count(*) FROM vecdb.list_collections()'),
	'0', 'no collections came along');

$node->stop;
done_testing();
