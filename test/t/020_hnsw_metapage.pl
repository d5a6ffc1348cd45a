# An index whose metapage cannot be read, being damaged or of another version,
# breaks no query: the planner leaves it out and says so.  Writes to its table
# are errors, and REINDEX cures it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Offsets in the metapage: after the page's header
use constant MAGIC => 24;
use constant VERSION => 28;
use constant DIM => 32;
use constant METRIC => 48;
use constant SLOTS => 54;
use constant NODES_PER_PAGE => 58;

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init(extra => ['--data-checksums']);
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION vecdb;
	CREATE TABLE t (id int PRIMARY KEY, v vector(16));
	INSERT INTO t SELECT i, (SELECT array_agg(sin(i * j)) FROM generate_series(1, 16) j)::vector
		FROM generate_series(1, 3000) i;
	CREATE INDEX t_idx ON t USING hnsw (v);
	ANALYZE t;
	});

my $search = "SELECT id FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = 77) LIMIT 1";

# Changes the file of the index while the server is down.
sub patch_index
{
	my ($change) = @_;
	my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('t_idx')");

	$node->stop;
	open(my $file, '+<:raw', $path) or die "$path: $!";
	$change->($file);
	close($file) or die "$path: $!";
	$node->start;
}

sub write_at
{
	my ($offset, $bytes) = @_;

	return sub {
		my ($file) = @_;

		seek($file, $offset, 0);
		print $file $bytes;
	};
}

# What every such index has in common
sub check_left_out
{
	my ($name, $detail) = @_;
	my ($out, $err);

	$node->psql('postgres', "EXPLAIN $search; EXPLAIN $search; $search", stdout => \$out, stderr => \$err);
	unlike($out, qr/t_idx/, "$name: not in the plan");
	like($out, qr/^77$/m, "$name: the answer is right");
	is(() = $err =~ /WARNING:  index "t_idx" cannot be used by queries/g, 1, "$name: one warning in a session");
	like($err, qr/$detail/, "$name: says what is wrong");
	like($err, qr/HINT:  Please REINDEX it\./, "$name: and what to do");
	unlike($err, qr/ERROR/, "$name: no error");

	$node->psql('postgres', "SELECT count(*) FROM t; SELECT id FROM t WHERE id = 5", stdout => \$out, stderr => \$err);
	is($err, '', "$name: other queries do not care");

	my $rc = $node->psql('postgres', "INSERT INTO t SELECT 5000, v FROM t WHERE id = 1", stderr => \$err);
	is($rc, 3, "$name: a write is an error");
	like($err, qr/ERROR:  .*t_idx|invalid page in block 0|could not read block/, "$name: which is about the index");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), '3000', "$name: nothing was written");

	$node->safe_psql('postgres', 'REINDEX INDEX t_idx');
	$node->psql('postgres', "EXPLAIN $search; $search", stdout => \$out, stderr => \$err);
	like($out, qr/Index Scan using t_idx/, "$name: REINDEX brings it back");
	like($out, qr/^77$/m, "$name: the answer is right again");
	is($err, '', "$name: without a warning");
}

# with a checksum that is wrong, the page is not looked into
patch_index(write_at(VERSION, pack('L', 99)));
check_left_out('checksum', 'DETAIL:  Its metapage is damaged\.');

$node->stop;
command_ok([ 'pg_checksums', '--disable', '-D', $node->data_dir ], 'checksums are off from here');
$node->start;

patch_index(write_at(VERSION, pack('L', 99)));
check_left_out('version', 'DETAIL:  It has format version 99, and this library reads \d+\.');
patch_index(write_at(MAGIC, pack('L', 0)));
check_left_out('magic', 'DETAIL:  Its metapage is damaged\.');
patch_index(write_at(DIM, pack('L', 0xFFFFFFFF)));
check_left_out('dimension', 'DETAIL:  Its metapage is damaged: invalid layout\.');
patch_index(write_at(METRIC, pack('S', 17)));
check_left_out('metric', 'DETAIL:  Its metapage is damaged: invalid layout\.');
patch_index(write_at(SLOTS, pack('S', 60000)));
check_left_out('slots', 'DETAIL:  Its metapage is damaged: invalid sizes\.');
patch_index(write_at(NODES_PER_PAGE, pack('S', 0)));
check_left_out('nodes', 'DETAIL:  Its metapage is damaged: invalid sizes\.');
patch_index(write_at(0, "\0" x 8192));
check_left_out('zeroes', 'DETAIL:  Its metapage is damaged\.');
patch_index(write_at(0, "\xA5" x 8192));
check_left_out('noise', 'DETAIL:  Its metapage is damaged\.');
patch_index(sub { truncate($_[0], 0) or die $! });
check_left_out('empty file', 'DETAIL:  Its metapage is damaged\.');

$node->stop;
done_testing();
