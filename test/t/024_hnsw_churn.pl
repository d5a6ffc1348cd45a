# All rows of a table replaced in ten rounds of delete, insert and VACUUM, while
# others search and insert: the index finds what a new one would find, has not
# grown by more than what was in it twice, and is sound and complete.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbLoad qw(wait_until);

use constant ROWS => 2000;
use constant ROUNDS => 10;
use constant DIMENSION => 32;

my %operators = (vector_l2_ops => '<->', vector_cosine_ops => '<=>', vector_ip_ops => '<#>', vector_l1_ops => '<+>');
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nmax_parallel_maintenance_workers = 0\njit = off");
$node->start;

# Points hardly clustered, the same on every machine: on such, links make the
# greatest difference.  Queries are points, too.
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION vecdb;
	CREATE FUNCTION point(n integer) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
		SELECT array_agg((hashint4(n % 50 * 10007 + i) / 4294967296.0
						  + hashint4(n * 10009 - i) / 2147483648.0)::real)::vector
		  FROM generate_series(1, } . DIMENSION . q{) i
	$$;
	CREATE TABLE queries AS SELECT n, point(n) AS v FROM generate_series(100001, 100200) n;
	});

# Part of the nearest 10 of all queries that the index finds.
sub recall
{
	my ($table, $op, $ef) = @_;

	return $node->safe_psql(
		'postgres', qq{
		SET enable_sort = off;
		SET enable_indexscan = off;
		CREATE TEMPORARY TABLE truth AS
		SELECT n, ARRAY(SELECT id FROM $table ORDER BY v $op q.v LIMIT 10) AS ids FROM queries q;
		SET enable_indexscan = on;
		SET enable_seqscan = off;
		SET hnsw.ef_search = $ef;
		SELECT avg((SELECT count(*) FROM
					(SELECT id FROM $table ORDER BY v $op q.v LIMIT 10) s WHERE id = ANY (ids))) / 10
		  FROM queries q JOIN truth USING (n)});
}

# Rows that a scan of the whole index returns, without a sweep, and problems.
sub state_of
{
	my ($table, $op) = @_;

	return $node->safe_psql(
		'postgres', qq{
		SELECT * FROM vecdb_index_check('${table}_v', heap_all_indexed => true);
		SET enable_seqscan = off;
		SET enable_sort = off;
		SET hnsw.max_scan_tuples = 2147483647;
		SELECT count(DISTINCT id) FROM (SELECT id FROM $table ORDER BY v $op point(0)) s;
		SELECT 'sweeps ' || sweeps FROM vecdb_hnsw_stats();
		SELECT 'dying ' || dying_nodes FROM vecdb_index_info('${table}_v')});
}

sub size_of
{
	return $node->safe_psql('postgres', "SELECT pg_relation_size('$_[0]_v')");
}

foreach my $ops (sort keys %operators)
{
	my $op = $operators{$ops};
	my $table = $ops =~ s/vector_(.*)_ops/churn_$1/r;
	my $part = ROWS / ROUNDS;

	$node->safe_psql(
		'postgres', qq{
		CREATE TABLE $table (id integer PRIMARY KEY, v vector(} . DIMENSION . qq{));
		INSERT INTO $table SELECT n, point(n) FROM generate_series(1, @{[ROWS]}) n;
		CREATE INDEX ${table}_v ON $table USING hnsw (v $ops)});
	my $size = size_of($table);

	foreach my $round (0 .. ROUNDS - 1)
	{
		my ($from, $to) = ($round * $part + 1, ($round + 1) * $part);

		$node->safe_psql(
			'postgres', "DELETE FROM $table WHERE id BETWEEN $from AND $to;
			INSERT INTO $table SELECT n + @{[ROWS]}, point(n + @{[ROWS]}) FROM generate_series($from, $to) n");
		$node->safe_psql('postgres', "VACUUM $table");
	}
	is(state_of($table, $op), "@{[ROWS]}\nsweeps 0\ndying 0", "$ops: all replaced: every row is found, the index is sound");
	is( $node->safe_psql('postgres', "SELECT reltuples FROM pg_class WHERE relname = '${table}_v'"),
		ROWS, "$ops: VACUUM counts the rows");
	cmp_ok(size_of($table), '<=', $size * (1 + 1 / ROUNDS) + 2 * 8192, "$ops: the index has not grown more than once");

	# When vacuum only drops links, 0.09 to 0.13 and 0.03.
	my %loss = $ops eq 'vector_l1_ops' ? (20 => 0.045, 40 => 0.04) : (20 => 0.045, 40 => 0.02);
	my %recall = map { $_ => recall($table, $op, $_) } (20, 40);

	$node->safe_psql('postgres', "REINDEX INDEX ${table}_v");
	foreach my $ef (sort keys %recall)
	{
		my $fresh = recall($table, $op, $ef);

		note("$ops: recall at ef_search $ef: $recall{$ef}, of a new index $fresh");
		cmp_ok($recall{$ef}, '>=', $fresh - $loss{$ef}, "$ops: recall at ef_search $ef is near that of a new index");
	}
}

# The same while sessions insert and search all the time.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE busy (id serial PRIMARY KEY, v vector(} . DIMENSION . q{));
	CREATE SEQUENCE point_number START 1000;
	INSERT INTO busy (v) SELECT point(n) FROM generate_series(1, 600) n;
	CREATE INDEX busy_v ON busy USING hnsw (v vector_l2_ops);
	});
my $script = PostgreSQL::Test::Utils::tempdir . '/busy.sql';

append_to_file(
	$script, q{
	INSERT INTO busy (v) VALUES (point(nextval('point_number')::integer));
	SET enable_seqscan = off;
	SELECT 1 / (count(DISTINCT id) = count(*))::integer FROM
		(SELECT id FROM busy ORDER BY v <-> point(:client_id * 7 + 3) LIMIT 30) s;
	});
my ($output, $errors) = ('', '');
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-c', 3, '-t', 1000000, '-f', $script, '-d', $node->connstr('postgres') ],
	'>', \$output, '2>', \$errors);
my $inserted = sub { $node->safe_psql('postgres', 'SELECT last_value FROM point_number') };

foreach my $round (1 .. 8)
{
	my $before = $inserted->();

	ok(wait_until(sub { $load->pump_nb; $inserted->() > $before + 100 }), "round $round: rows come");
	# In turns: the oldest, every other, all of them.
	$node->safe_psql('postgres',
		'DELETE FROM busy' . ('', ' WHERE id < (SELECT avg(id) FROM busy)', ' WHERE id % 2 = 0')[$round % 3]);
	$node->safe_psql('postgres', 'VACUUM busy');
	is($node->safe_psql('postgres', "SELECT * FROM vecdb_index_check('busy_v')"), '', "round $round: sound under load");
}
$load->kill_kill(grace => 5);
unlike($errors, qr/ERROR/, 'no session met an error');
ok(wait_until(sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'") == 0 }),
	'the sessions are gone');
$node->safe_psql('postgres', 'VACUUM busy');
is(state_of('busy', '<->'), $node->safe_psql('postgres', 'SELECT count(*) FROM busy') . "\nsweeps 0\ndying 0",
	'the index is sound and complete after the load');

$node->stop;
done_testing();
