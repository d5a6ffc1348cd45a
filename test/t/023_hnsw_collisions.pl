# Many sessions write a few rows: all of them meet at the same nodes, pages and
# segments.  Nothing hangs, nobody meets an error, statements can be cancelled
# anywhere, and the indexes are sound in the end.
#
# VECDB_SOAK_SECONDS and VECDB_SOAK_CLIENTS make it longer (make soak).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbLoad qw(load_tables create_tables start_load stop_load wait_for_wal problems);

my $seconds = $ENV{VECDB_SOAK_SECONDS} || 0;
my $clients = $ENV{VECDB_SOAK_CLIENTS} || 16;

# WAL of a round, between two looks at the indexes
use constant ROUND_BYTES => 4_000_000;

my $node = PostgreSQL::Test::Cluster->new('main');
my %tables = load_tables();

foreach my $name (keys %tables)
{
	$tables{$name}{rows} = $name eq 'load_equal' ? 100 : 12;
	$tables{$name}{distinct} = 2 if $tables{$name}{distinct};
}
$node->init;
# A statement that waits so long hangs.
$node->append_conf(
	'postgresql.conf', q{
	autovacuum = off
	max_connections = 100
	statement_timeout = 60s
	log_statement = none
	});
$node->start;
create_tables($node, 'postgres', %tables);

my $start = time;
my $cancelled = 0;

srand(7);
for (my $round = 1; $round <= 3 || time - $start < $seconds; $round++)
{
	my $since = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	my $load = start_load($node, 'postgres', \%tables, clients => $clients);

	# Other statements are cancelled wherever they happen to be.
	foreach my $n (1 .. 15)
	{
		my $name = (sort keys %tables)[ $n % keys %tables ];
		my $first = 1000 * $n;
		my $vector = VecdbLoad::vector_of($tables{$name}, "n + $round * 100000");
		my $stderr;

		$node->psql(
			'postgres', 'SET statement_timeout = ' . (1 + int(rand(30))) . ";\n"
			  . "INSERT INTO $name SELECT n, $vector, n FROM generate_series($first, $first + 200) n;\n"
			  . "DELETE FROM $name WHERE id >= 1000;\nVACUUM $name;\n",
			on_error_stop => 0, stderr => \$stderr);
		$cancelled += () = $stderr =~ /statement timeout/g;
		# else the table would grow
		$node->safe_psql('postgres', "DELETE FROM $name WHERE id >= 1000");
	}
	ok(wait_for_wal($node, 'postgres', $load, $since, ROUND_BYTES), "round $round: the load is at work");
	is(stop_load($load), '', "round $round: no error, nothing hangs");
	foreach my $name (sort keys %tables)
	{
		is($node->safe_psql('postgres', "SELECT * FROM vecdb_index_check('${name}_v', true)"),
			'', "round $round: $name is sound");
	}
	last unless Test::More->builder->is_passing;
}
cmp_ok($cancelled, '>', 3, 'statements were cancelled');
$node->safe_psql('postgres', join '', map { "VACUUM $_;\n" } keys %tables);
is(problems($node, 'postgres', \%tables, {}), '', 'every row is found');

# Nothing has grown without bound: the rows would fit on far less.
my $most = $node->safe_psql('postgres',
	join ' ', 'SELECT greatest(0', map({", pg_relation_size('${_}_v') / 8192"} grep { !/split|wide|long/ } keys %tables), ')');
cmp_ok($most, '<', 500, 'space is used again');

$node->stop;
done_testing();
