# Concurrent inserts into hnsw indexes, from the first row on: the index keeps
# its invariants, every row is found by a scan that needs no sweep, recall is
# that of a build, and a crash at any moment leaves a sound index.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant CLIENTS => 5;
use constant TRANSACTIONS => 60;
use constant ROWS => 12;		# of a transaction
use constant CRASHES => 4;

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nwal_writer_delay = 1ms\nenable_seqscan = off");
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION vecdb;
	CREATE FUNCTION some_vector(seed float8) RETURNS vector LANGUAGE sql VOLATILE AS
		'SELECT array_agg(sin($1 * 12.9898 * (1 + i % 7)) + random() / 3)::real[]::vector FROM generate_series(1, 24) i';
	});

# A table whose index begins empty
sub create
{
	my ($table, $options) = @_;

	$node->safe_psql(
		'postgres', qq{
		CREATE TABLE $table (id bigserial PRIMARY KEY, v vector(24));
		CREATE INDEX ${table}_v ON $table USING hnsw (v vector_l2_ops) $options;
		});
}

# Nothing is wrong with the index, and it has the table's rows
sub is_sound
{
	my ($table, $when) = @_;

	is($node->safe_psql('postgres', "SELECT * FROM vecdb_index_check('${table}_v', true)"),
		'', "the index of $table is sound $when");
	is( $node->safe_psql(
			'postgres', qq{
			SELECT count(*) = (SELECT count(v) FROM $table), count(*) = count(DISTINCT id)
				FROM (SELECT id FROM $table ORDER BY v <-> some_vector(1)) t;
			SELECT sweeps FROM vecdb_hnsw_stats()
			}),
		"t|t\n0",
		"a scan of $table gives every row once, by its links, $when");
}

# Many rows of different vectors, with many links a node and with few; rows of
# few vectors
create('spread', '');
create('narrow', 'WITH (m = 2)');
create('hot', '');
$node->pgbench(
	sprintf('--no-vacuum --client=%d --transactions=%d', CLIENTS, TRANSACTIONS),
	0, [qr/processed: @{[CLIENTS * TRANSACTIONS]}/], [qr/^$/],
	'concurrent inserts',
	{
		'021_inserts' => sprintf(
			q{
			\set seed random(1, 1000000)
			\set few random(1, 5)
			INSERT INTO spread (v) SELECT some_vector(:seed + i) FROM generate_series(1, %1$d) i;
			INSERT INTO narrow (v) SELECT some_vector(:seed + i) FROM generate_series(1, %1$d) i;
			INSERT INTO hot (v) SELECT array_fill(:few::real, ARRAY[24])::vector FROM generate_series(1, %1$d) i;
			}, ROWS)
	});
foreach my $table (qw(spread narrow hot))
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM $table"), CLIENTS * TRANSACTIONS * ROWS, "all rows are in $table");
	is_sound($table, 'after concurrent inserts');
}
cmp_ok($node->safe_psql('postgres', "SELECT live_nodes FROM vecdb_index_info('hot_v')"),
	'<=', 5 * CLIENTS, 'rows with the same vector share nodes');
cmp_ok($node->safe_psql('postgres', "SELECT recall FROM vecdb_index_recall('spread_v', 200, 10, 100)"),
	'>=', 0.97, 'recall after inserts only');
my $grown = $node->safe_psql('postgres', "SELECT pg_relation_size('spread_v')");
$node->safe_psql('postgres', 'REINDEX INDEX spread_v');
cmp_ok($grown, '<=', 1.1 * $node->safe_psql('postgres', "SELECT pg_relation_size('spread_v')") + 8192 * CLIENTS,
	'the index is as large as a built one');

# The plug is pulled while all of them insert
my $committed = $node->safe_psql('postgres', 'SELECT count(*) FROM spread');
foreach my $round (1 .. CRASHES)
{
	my ($out, $err) = ('', '');
	my $script = $node->basedir . "/crash-$round.sql";

	append_to_file(
		$script, sprintf q{
		\set seed random(1, 1000000)
		INSERT INTO spread (v) SELECT some_vector(:seed + i) FROM generate_series(1, %1$d) i;
		INSERT INTO narrow (v) SELECT some_vector(:seed + i) FROM generate_series(1, %1$d) i;
		INSERT INTO hot (v) SELECT array_fill(:seed %% 3, ARRAY[24])::real[]::vector FROM generate_series(1, %1$d) i;
		}, ROWS);
	my $bench = IPC::Run::start(
		[
			'pgbench', '--no-vacuum', '--client=' . CLIENTS, '--transactions=100000',
			'--file', $script, $node->connstr('postgres')
		],
		'>', \$out, '2>', \$err);

	$node->poll_query_until('postgres', "SELECT count(*) >= $committed + 300 FROM spread")
	  or die "pgbench inserts nothing: $err";
	$node->stop('immediate');
	$bench->finish;
	$node->start;
	$committed = $node->safe_psql('postgres', 'SELECT count(*) FROM spread');
	is_sound($_, "after crash $round") foreach qw(spread narrow hot);
}

# and it goes on
$node->safe_psql('postgres', 'INSERT INTO spread (v) SELECT some_vector(i) FROM generate_series(1, 200) i; VACUUM spread');
is_sound('spread', 'after more inserts');
$node->stop;
done_testing();
