# A streaming standby searches hnsw indexes while the primary writes them: no
# error, no row twice, and in the end the same pages and the same answers.  It
# replays with wal_consistency_checking, and goes on as a primary.  A base
# backup made under the load restores a moment in the middle of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbLoad qw(load_tables create_tables start_load stop_load wait_for_wal wait_until problems answers_of);

# WAL that the load writes in each of its parts
use constant PART_BYTES => ($ENV{VECDB_STANDBY_MB} || 4) * 1024 * 1024;

my $primary = PostgreSQL::Test::Cluster->new('primary');
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $restored = PostgreSQL::Test::Cluster->new('restored');
my %tables = load_tables();

$primary->init(allows_streaming => 1, has_archiving => 1);
# Queries of the standby are not to be cancelled for what vacuum removes, nor to
# meet the exclusive lock of a truncation; and whatever the standby has not
# received when a checkpoint comes is kept for it.
$primary->append_conf(
	'postgresql.conf', q{
	autovacuum = off
	max_connections = 30
	shared_buffers = 8MB
	max_wal_size = 512MB
	wal_keep_size = 4GB
	log_statement = none
	wal_consistency_checking = 'all'
	max_standby_streaming_delay = -1
	hot_standby_feedback = on
	wal_receiver_status_interval = 1
	});
$primary->start;
create_tables($primary, 'postgres', %tables);
$primary->safe_psql('postgres',
	join '', map { "ALTER TABLE $_ SET (vacuum_truncate = off, toast.vacuum_truncate = off);\n" } keys %tables);
$primary->backup('first');
$standby->init_from_backup($primary, 'first', has_streaming => 1);
$standby->start;

sub position
{
	return $primary->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
}

my $load = start_load($primary, 'postgres', \%tables);
my $searches = start_load($standby, 'postgres', \%tables, clients => 2, only => ['search']);

ok(wait_for_wal($primary, 'postgres', $load, position(), PART_BYTES), 'the primary works');
$primary->backup('middle');
# Indexes that are built and dropped under the queries of the standby come by WAL, too.
$primary->safe_psql('postgres', 'CREATE INDEX more ON load_cosine USING hnsw (v vector_l2_ops)');
$primary->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY load_wide_v');
ok(wait_for_wal($primary, 'postgres', $load, position(), PART_BYTES), 'the primary still works');

# The moment to be restored: no writer is between two statements of it, so that
# what is there then is known.
my $moment = $primary->safe_psql(
	'postgres',
	join('', 'BEGIN; LOCK TABLE ', join(', ', sort keys %tables), " IN SHARE MODE;\n",
		"SELECT pg_create_restore_point('moment');\n",
		map({"SELECT '$_', count(*), md5(string_agg(id || ' ' || coalesce(note, 0) || v::text, ',' ORDER BY id)) FROM $_;\n"}
			sort keys %tables),
		'COMMIT;'));
ok(wait_for_wal($primary, 'postgres', $load, position(), PART_BYTES), 'the primary works on');
is(stop_load($load), '', 'the load met no error');
is(stop_load($searches), '', 'the queries of the standby met no error, and no row twice');
my $queries = $standby->safe_psql('postgres',
	q{SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'});
cmp_ok($queries, '>', 100, 'there were queries');
note("$queries on the standby, " . $primary->safe_psql('postgres',
		q{SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'})
	  . ' transactions on the primary');

# What was rolled back may end with WAL that nobody waited for.
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->wait_for_catchup($standby);
is(answers_of($standby, 'postgres', \%tables), answers_of($primary, 'postgres', \%tables),
	'the standby answers as the primary');
foreach my $index ('more', map { "${_}_v" } sort keys %tables)
{
	is($standby->safe_psql('postgres', "SELECT * FROM vecdb_index_check('$index', true)"),
		'', "$index is sound on the standby");
}

# A checkpoint on both, and the files are the same to the byte.
$standby->safe_psql('postgres', 'CHECKPOINT');
foreach my $index ('more', map { "${_}_v" } sort keys %tables)
{
	my $sql = "SELECT md5(pg_read_binary_file(pg_relation_filepath('$index')))";

	is($standby->safe_psql('postgres', $sql), $primary->safe_psql('postgres', $sql),
		"$index has the same pages");
}
unlike(PostgreSQL::Test::Utils::slurp_file($standby->logfile),
	qr/inconsistent page|invalid page|PANIC:|ERROR:/, 'replay was consistent');
is(problems($primary, 'postgres', \%tables, {}), '', 'the indexes of the primary are sound');
# so that the archive has all of the load
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
$primary->stop;

$standby->promote;
is(problems($standby, 'postgres', \%tables, {}), '', 'and those of the standby, promoted');
$load = start_load($standby, 'postgres', \%tables);
ok( wait_for_wal($standby, 'postgres', $load,
		$standby->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'), PART_BYTES / 4),
	'the promoted standby works');
is(stop_load($load), '', 'without errors');
$standby->safe_psql('postgres', join '', map { "VACUUM $_;\n" } keys %tables);
is(problems($standby, 'postgres', \%tables, {}), '', 'its indexes are sound then');
$standby->stop;

# The backup from the middle, restored to the moment.
$restored->init_from_backup($primary, 'middle', has_restoring => 1, standby => 0);
$restored->append_conf(
	'postgresql.conf', q{
	recovery_target_name = 'moment'
	recovery_target_action = 'promote'
	archive_mode = off
	});
$restored->start;
$restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
is( $restored->safe_psql(
		'postgres',
		join '', map {"SELECT '$_', count(*), md5(string_agg(id || ' ' || coalesce(note, 0) || v::text, ',' ORDER BY id)) FROM $_;\n"}
		  sort keys %tables),
	join("\n", grep { /^load_/ } split /\n/, $moment),
	'the rows are those of the moment');
is(problems($restored, 'postgres', \%tables, {}), '', 'the restored indexes are sound');
$load = start_load($restored, 'postgres', \%tables);
ok( wait_for_wal($restored, 'postgres', $load,
		$restored->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'), PART_BYTES / 4),
	'the restored server works');
is(stop_load($load), '', 'without errors');
is(problems($restored, 'postgres', \%tables, {}), '', 'its indexes are sound then');

$restored->stop;
done_testing();
