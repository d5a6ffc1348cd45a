# A server that is killed while hnsw indexes are written loses nothing: after
# each of many crashes the indexes are sound and complete.
#
# VECDB_SOAK_SECONDS and VECDB_SOAK_CLIENTS make it longer (make soak).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbLoad qw(load_tables create_tables start_load end_load wait_for_wal kill_server wait_until problems);

my $seconds = $ENV{VECDB_SOAK_SECONDS} || 0;
my $clients = $ENV{VECDB_SOAK_CLIENTS} || 4;

use constant ROUNDS => 20;

# WAL that a round writes before the crash, at most
use constant ROUND_BYTES => 3_000_000;

my $node = PostgreSQL::Test::Cluster->new('main');
my %tables = load_tables();
my %seen = (rows => 0, lost => 0);

$node->init;
# Small buffers, so that pages are written and read again under the load.
$node->append_conf(
	'postgresql.conf', q{
	restart_after_crash = on
	autovacuum = off
	shared_buffers = 4MB
	max_wal_size = 64MB
	max_connections = 100
	checkpoint_timeout = 30s
	log_statement = none
	});
$node->start;
create_tables($node, 'postgres', %tables);
is(problems($node, 'postgres', \%tables, \%seen), '', 'the indexes are sound');

# Kills a process of the load, at best one that vacuums: the server restarts.
sub kill_backend
{
	my $process = $node->safe_psql(
		'postgres', q{
		SELECT pid FROM pg_stat_activity WHERE application_name = 'load' AND pid <> pg_backend_pid()
		 ORDER BY state = 'active' AND query LIKE 'VACUUM%' DESC, random() LIMIT 1});

	kill 9, $process;
}

my @how = (
	[ 'postmaster and all processes' => sub { kill_server($node, 'postgres') } ],
	[ 'postmaster' => sub { kill_server($node, 'postgres', postmaster_only => 1) } ],
	[ 'backend' => \&kill_backend ],
	[ 'immediate stop' => sub { $node->stop('immediate') } ]);

my $start = time;

srand($seconds ? time : 3);
for (my $round = 1; $round <= ROUNDS || time - $start < $seconds; $round++)
{
	my ($name, $kill) = @{ $how[ $round % @how ] };
	my $since = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	my $load = start_load($node, 'postgres', \%tables, clients => $clients);
	my $has_worked = wait_for_wal($node, 'postgres', $load, $since, int(rand(ROUND_BYTES)));
	my $errors;

	$node->safe_psql('postgres', 'CHECKPOINT') if $round % 3 == 0;
	$kill->();
	$errors = end_load($load);
	if (defined $node->{_pid})
	{
		# The load has ended, so the restart has begun.
		wait_until(sub { system('pg_isready', '-q', '-d', $node->connstr('postgres')) == 0 });
	}
	else
	{
		$node->start;
	}
	ok($has_worked, "round $round: the load was at work ($name)");
	is($errors, '', "round $round: no error before the crash");
	is(problems($node, 'postgres', \%tables, \%seen), '', "round $round: the indexes are sound");
	last unless Test::More->builder->is_passing;
}
note("$seen{rows} rows looked for, $seen{lost} not found");

# Nothing is left behind that a vacuum would not clear up.
$node->safe_psql('postgres', join '', map { "VACUUM $_;\n" } keys %tables);
is( $node->safe_psql('postgres', join ' + ', 'SELECT 0', map { "(vecdb_index_info('${_}_v')).dying_nodes" } keys %tables),
	'0', 'vacuum leaves no dying nodes');
is(problems($node, 'postgres', \%tables, \%seen), '', 'the indexes are sound after a last vacuum');

$node->stop;
done_testing();
