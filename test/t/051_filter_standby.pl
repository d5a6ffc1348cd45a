# A streaming standby answers filtered searches, with every strategy, while the
# primary changes the rows: right answers all the time, and in the end the same
# as the primary's.  After its promotion it goes on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbFilter qw(create_items strategies search_script start_scripts stop_scripts without_node answers_by);
use VecdbLoad qw(wait_until);

use constant ROWS => 1200;
use constant SEARCHES => $ENV{VECDB_FILTER_SEARCHES} || 40;

my $primary = PostgreSQL::Test::Cluster->new('primary');
my $standby = PostgreSQL::Test::Cluster->new('standby');

$primary->init(allows_streaming => 1);
$primary->append_conf(
	'postgresql.conf', q{
	autovacuum = off
	wal_keep_size = 1GB
	jit = off
	log_statement = none
	max_standby_streaming_delay = -1
	hot_standby_feedback = on
	wal_receiver_status_interval = 1
	});
$primary->start;
create_items($primary, 'postgres', ROWS);
$primary->backup('backup');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
is(without_node($standby, 'postgres'), '', 'all searches are by the node, where there is one');

my $set = '\set id random(1, ' . ROWS . ")\n\\set seed random(1, 200000)\n";
my $writers = start_scripts(
	$primary, 'postgres', 2,
	insert => [ 6, $set . "INSERT INTO items VALUES (:id, item_vector(:seed), item_metadata(:seed), 0) ON CONFLICT DO NOTHING;\n" ],
	change => [ 4, $set . "UPDATE items SET v = item_vector(:seed), m = item_metadata(:seed) WHERE id = :id;\n" ],
	note => [ 3, $set . "UPDATE items SET note = note + 1 WHERE id BETWEEN :id AND :id + 5;\n" ],
	delete => [ 3, $set . "DELETE FROM items WHERE id = :id;\n" ],
	vacuum => [ 1, "VACUUM (SKIP_LOCKED) items;\n" ]);

foreach my $strategy (strategies($standby, 'postgres'))
{
	my ($name) = $strategy =~ /= (\w+)/ ? $1 : 'as planned';
	my $file = PostgreSQL::Test::Utils::tempdir . '/search.sql';
	my $replayed = $standby->safe_psql('postgres', 'SELECT pg_last_wal_replay_lsn()');
	my ($output, $errors);

	open my $fh, '>', $file or die "$file: $!";
	print $fh search_script($strategy);
	close $fh;
	IPC::Run::run([ 'pgbench', '-n', '-c', 2, '-j', 1, '-t', SEARCHES / 2, '-f', $file, $standby->connstr('postgres') ],
		'>', \$output, '2>', \$errors);
	is(join("\n", grep { /ERROR:|FATAL:|aborted/ } split /\n/, $errors), '', "$name: every answer of the standby is right");
	like($output, qr/number of transactions actually processed: @{[SEARCHES]}\/@{[SEARCHES]}/, "$name: all searches were made");
	ok( wait_until(sub { $standby->safe_psql('postgres', "SELECT pg_last_wal_replay_lsn() > '$replayed'") eq 't' }),
		"$name: the primary worked meanwhile");
}
is(stop_scripts($writers), '', 'the writers met no error');
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->wait_for_catchup($standby);
foreach my $strategy (strategies($primary, 'postgres'))
{
	is(answers_by($standby, 'postgres', $strategy), answers_by($primary, 'postgres', $strategy),
		"the standby answers as the primary: $strategy");
}
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', 'INSERT INTO items SELECT n + 5000, item_vector(n), item_metadata(n), 0 FROM generate_series(1, 50) n');
is( $standby->safe_psql('postgres', q{SELECT count(*) FROM
		(SELECT id FROM items WHERE m @~ '{"g": 3}' ORDER BY v <-> item_vector(3) LIMIT 5) s WHERE id > 5000}) > 0,
	1, 'the promoted standby finds new rows');
is($standby->safe_psql('postgres', q{SELECT * FROM vecdb_index_check('items_v', heap_all_indexed => true)}), '',
	'its index is sound');

$standby->stop;
done_testing();
