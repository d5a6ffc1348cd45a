# Index builds by several processes end when one of them is stopped, and leave
# nothing behind; finished ones survive a crash.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->append_conf(
	'postgresql.conf', q{
	max_parallel_maintenance_workers = 2
	max_worker_processes = 8
	min_parallel_table_scan_size = 0
	autovacuum = off
	});
$node->start;

# stuck() keeps the process waiting that meets row 2000, while the others have
# nothing left to load and wait for it.
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION vecdb;
	CREATE TABLE items (id int, v vector(8));
	INSERT INTO items SELECT i, ARRAY[sin(i), cos(i), sin(i * 2), cos(i * 3), sin(i * 5), cos(i * 7),
		i % 11, i % 13]::real[]::vector FROM generate_series(1, 4000) i;
	CREATE FUNCTION stuck(v vector, id int) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
	BEGIN
		IF id = 2000 THEN
			PERFORM pg_sleep(3600);
		END IF;
		RETURN v;
	END $$;
	});

my $busy = q{
	SELECT count(*) >= 3 FROM pg_stat_activity
	WHERE query LIKE 'CREATE INDEX%' AND state = 'active'};
my $workers = q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'};
my $temporary = q{SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp', true, false)};

# Starts a build, stops it in its middle by the statement, and returns its error.
sub stop_build
{
	my ($memory, $stop) = @_;
	my ($out, $err) = ('', '');
	my @statements = (
		'SET client_min_messages = warning',
		"SET maintenance_work_mem = '$memory'",
		'CREATE INDEX items_v ON items USING hnsw ((stuck(v, id)::vector(8)) vector_l2_ops)');
	my $build = IPC::Run::start(
		[ 'psql', '-X', '-d', $node->connstr('postgres'), map { ('-c', $_) } @statements ],
		'>' => \$out, '2>' => \$err);

	ok($node->poll_query_until('postgres', $busy), 'three processes are at work');
	$node->safe_psql('postgres', $stop);
	$build->finish;
	ok($node->poll_query_until('postgres', $workers), 'no worker is left');
	is($node->safe_psql('postgres', $temporary), '0', 'no temporary file is left');
	is( $node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'items_v'}),
		'0', 'no index is left');
	return $err;
}

my $leader = q{FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND backend_type = 'client backend'};
my $worker = q{FROM (SELECT pid FROM pg_stat_activity WHERE backend_type = 'parallel worker' ORDER BY pid LIMIT 1) w};

for my $memory ('64MB', '1MB')
{
	like(stop_build($memory, "SELECT pg_cancel_backend(pid) $leader"),
		qr/canceling statement due to user request/, "$memory: cancelled");
	like(stop_build($memory, "SELECT pg_terminate_backend(pid) $leader"),
		qr/terminating connection/, "$memory: leader terminated");
	like(stop_build($memory, "SELECT pg_terminate_backend(pid) $worker"),
		qr/parallel worker/, "$memory: worker terminated");
}

# What is committed is there after a crash; an unlogged index is empty then.
$node->safe_psql(
	'postgres', q{
	CREATE UNLOGGED TABLE fleeting AS SELECT * FROM items;
	CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
	CREATE INDEX fleeting_v ON fleeting USING hnsw (v vector_l2_ops);
	SET maintenance_work_mem = '1MB';
	CREATE TABLE others (id int, v vector(64));
	INSERT INTO others SELECT i, array_fill(i::real, ARRAY[64])::vector FROM generate_series(1, 5000) i;
	CREATE INDEX others_v ON others USING hnsw (v vector_l2_ops);
	});
$node->stop('immediate');
$node->start;

my $all = q{
	SET enable_seqscan = off;
	SELECT count(DISTINCT id) FROM (SELECT id FROM %s ORDER BY v <-> (SELECT v FROM items LIMIT 1)) s;
	SELECT count(*) FROM vecdb_index_check('%s');
};

is($node->safe_psql('postgres', sprintf($all, 'items', 'items_v')), "4000\n0", 'logged index');
is($node->safe_psql('postgres', sprintf($all, 'fleeting', 'fleeting_v')), "0\n0", 'unlogged index');
is( $node->safe_psql(
		'postgres', q{
		SET enable_seqscan = off;
		SELECT count(DISTINCT id) FROM (SELECT id FROM others ORDER BY v <-> array_fill(7::real, ARRAY[64])::vector) s;
		SELECT count(*) FROM vecdb_index_check('others_v');
		}),
	"5000\n0",
	'index that was built in parts');

$node->stop;
done_testing();
