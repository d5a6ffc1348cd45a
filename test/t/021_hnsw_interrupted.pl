# A crash in the middle of CREATE INDEX, REINDEX CONCURRENTLY or VACUUM leaves
# indexes that are sound, or none; unlogged indexes start again empty.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbLoad qw(load_tables create_tables kill_server problems wait_until);

my $node = PostgreSQL::Test::Cluster->new('main');
my %all = load_tables();
my %tables = map { $_ => $all{$_} } qw(load_cosine load_split load_equal);

$tables{load_cosine}{rows} = 1500;
$node->init;
$node->append_conf(
	'postgresql.conf', q{
	autovacuum = off
	max_parallel_maintenance_workers = 0
	log_statement = none
	});
$node->start;
create_tables($node, 'postgres', %tables);

# Starts statements in a session of their own.
sub start_statement
{
	my @sql = @_;
	my %session = (output => '');

	$session{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=statement', map { ('-c', $_) } @sql ],
		'<', \undef, '>', \$session{output}, '2>&1');
	return \%session;
}

# Waits until a query is true, then kills the server, and starts it again.
# False if it never was.
sub crash_when
{
	my ($session, $query) = @_;
	my $came = wait_until(sub { $node->safe_psql('postgres', "SELECT coalesce(($query), false)") eq 't' });

	kill_server($node, 'postgres');
	eval { $session->{run}->finish };
	$node->start;
	return $came;
}

# Every row of a large table is a step of a build; the rows come slowly.
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION slowly(v vector, id integer) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
		IF current_setting('my.slow', true) = 'on' AND id % 50 = 0 THEN
			PERFORM pg_sleep(0.1);
		END IF;
		RETURN v;
	END $$;
	});

foreach my $phase (1 .. 3)
{
	my $size = $node->safe_psql('postgres', q{SELECT pg_relation_size('load_cosine_v')});
	my $session = start_statement(
		'SET my.slow = on', q{
		CREATE INDEX interrupted ON load_cosine USING hnsw ((slowly(v, id)::vector(64)) vector_cosine_ops)});

	ok( crash_when($session,
			'SELECT tuples_done >= ' . $phase * 200 . ' FROM pg_stat_progress_create_index'),
		"crash $phase while an index is built");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'interrupted'}),
		'0', 'it is not there');
	is($node->safe_psql('postgres', q{SELECT pg_relation_size('load_cosine_v')}), $size, 'the other one is');
}
$node->safe_psql(
	'postgres', q{CREATE INDEX interrupted ON load_cosine
		USING hnsw ((slowly(v, id)::vector(64)) vector_cosine_ops)});
is($node->safe_psql('postgres', q{SELECT * FROM vecdb_index_check('interrupted', true)}),
	'', 'it can be built again');

# REINDEX CONCURRENTLY, while rows come and go.
my $session = start_statement('SET my.slow = on', 'REINDEX INDEX CONCURRENTLY interrupted');
ok( wait_until(sub {
		$node->safe_psql('postgres', q{SELECT coalesce((SELECT tuples_done >= 100
			FROM pg_stat_progress_create_index), false)}) eq 't' }),
	'an index is built concurrently');
$node->safe_psql(
	'postgres', q{
	DELETE FROM load_cosine WHERE id % 7 = 0;
	INSERT INTO load_cosine SELECT n, load_vector(n, 64), n FROM generate_series(1, 1500, 3) n ON CONFLICT DO NOTHING;
	UPDATE load_cosine SET v = load_vector(id + 5000, 64) WHERE id % 11 = 0});
ok(crash_when($session, 'SELECT tuples_done >= 300 FROM pg_stat_progress_create_index'),
	'crash while an index is built concurrently');
is( $node->safe_psql('postgres', q{SELECT c.relname, i.indisvalid, i.indisready FROM pg_index i
		JOIN pg_class c ON c.oid = indexrelid WHERE c.relname LIKE 'interrupted%' ORDER BY 1}),
	"interrupted|t|t\ninterrupted_ccnew|f|f",
	'the old one is valid, the new one is not');
is($node->safe_psql('postgres', q{SELECT * FROM vecdb_index_check('interrupted', true)}),
	'', 'the old one is sound');
$node->safe_psql('postgres', q{DROP INDEX interrupted_ccnew});
$node->safe_psql('postgres', q{REINDEX INDEX CONCURRENTLY interrupted});
is($node->safe_psql('postgres', q{SELECT * FROM vecdb_index_check('interrupted', true)}),
	'', 'REINDEX CONCURRENTLY succeeds then');
is(problems($node, 'postgres', \%tables, {}), '', 'all indexes are sound');
$node->safe_psql('postgres', 'DROP INDEX interrupted');

# Crashes at many moments of vacuums: of each index a third of the rows is dead.
# The delays make them slow enough to be hit; WAL tells how far they are.
srand(5);
foreach my $round (1 .. 6)
{
	my $name = (sort keys %tables)[ $round % 3 ];
	my $table = $tables{$name};
	my $vector = VecdbLoad::vector_of($table, "n + $round * 1000");
	my $since;

	$node->safe_psql(
		'postgres', qq{
		INSERT INTO $name SELECT n, $vector, n FROM generate_series(1, $table->{rows}) n ON CONFLICT DO NOTHING;
		DELETE FROM $name WHERE (id + $round) % 3 = 0;
		DELETE FROM $name WHERE id BETWEEN $round AND $table->{rows} / 4 + $round;
		CHECKPOINT});
	$since = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	$session = start_statement('SET vacuum_cost_delay = 5', 'SET vacuum_cost_limit = 20', "VACUUM $name");
	ok( crash_when(
			$session,
			"SELECT phase LIKE 'vacuuming indexes' AND pg_current_wal_insert_lsn() - '$since' > "
			  . int(rand(120_000))
			  . ' FROM pg_stat_progress_vacuum'),
		"crash $round while $name is vacuumed");
	is(problems($node, 'postgres', { $name => $table }, {}), '', 'its index is sound');
	next if $round % 2;
	$node->safe_psql('postgres', "VACUUM $name");
	is(problems($node, 'postgres', { $name => $table }, {}), '', 'and after the vacuum that was repeated');
	is($node->safe_psql('postgres', "SELECT dying_nodes FROM vecdb_index_info('${name}_v')"),
		'0', 'which finished it');
}

# The same without crashes, at many more moments: vacuums that are cancelled
# early and late, each followed by one that is not.
my $cancelled = 0;

foreach my $moment (1 .. 12)
{
	my $stderr;

	$node->safe_psql(
		'postgres', qq{
		INSERT INTO load_cosine SELECT n, load_vector(n + $moment * 2000, 64), n FROM generate_series(1, 1500) n
			ON CONFLICT DO NOTHING;
		DELETE FROM load_cosine WHERE (id + $moment) % 3 = 0 OR id BETWEEN $moment * 20 AND $moment * 20 + 200});
	$node->psql('postgres', 'SET vacuum_cost_delay = 0.5; SET vacuum_cost_limit = 10;'
		  . 'SET statement_timeout = ' . $moment * 30 . ";\nVACUUM load_cosine;\n", stderr => \$stderr);
	$cancelled++ if $stderr =~ /statement timeout/;
	is($node->safe_psql('postgres', q{SELECT * FROM vecdb_index_check('load_cosine_v', true)}),
		'', "vacuum cancelled at moment $moment");
	$node->safe_psql('postgres', 'VACUUM load_cosine');
}
cmp_ok($cancelled, '>', 0, 'vacuums were cancelled');
is(problems($node, 'postgres', \%tables, {}), '', 'all indexes are sound');

# An unlogged index comes back empty, and works.
$node->safe_psql(
	'postgres', q{
	CREATE UNLOGGED TABLE unlogged (id integer PRIMARY KEY, v vector(9000));
	CREATE INDEX unlogged_v ON unlogged USING hnsw (v vector_l2_ops);
	INSERT INTO unlogged SELECT n, load_vector(n, 9000) FROM generate_series(1, 20) n;
	CREATE UNLOGGED TABLE small (id integer PRIMARY KEY, v vector(64));
	INSERT INTO small SELECT n, load_vector(n, 64) FROM generate_series(1, 200) n;
	CREATE INDEX small_v ON small USING hnsw (v vector_cosine_ops);
	});
kill_server($node, 'postgres');
$node->start;
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM unlogged;
		SELECT * FROM vecdb_index_check('unlogged_v', true);
		SELECT * FROM vecdb_index_check('small_v', true);
		INSERT INTO unlogged SELECT n, load_vector(n, 9000) FROM generate_series(1, 20) n;
		INSERT INTO small SELECT n, load_vector(n, 64) FROM generate_series(1, 200) n;
		SELECT * FROM vecdb_index_check('unlogged_v', true);
		SELECT * FROM vecdb_index_check('small_v', true);
		SET enable_seqscan = off;
		SELECT id FROM unlogged ORDER BY v <-> load_vector(7, 9000) LIMIT 1;
		SELECT count(*) FROM (SELECT id FROM small ORDER BY v <=> load_vector(7, 64)) s;
		SELECT id FROM small ORDER BY v <=> load_vector(7, 64) LIMIT 1}),
	"0\n7\n200\n7",
	'unlogged indexes are empty after a crash, and work');
$node->stop;
$node->start;
is( $node->safe_psql(
		'postgres', q{SELECT count(*) FROM small; SELECT * FROM vecdb_index_check('small_v', true)}),
	'200', 'they survive a clean stop');

$node->stop;
done_testing();
