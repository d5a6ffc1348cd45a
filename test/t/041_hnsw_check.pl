# vecdb_index_check() sees each kind of damage: one table for each, whose index
# file is changed while the server is stopped.  Also: what the server counts of
# the use of indexes when the library is preloaded.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant BLOCK => 8192;
use constant CONTENT => 24;

# Bytes of a node before the vector, and where its parts are; see page.h.
use constant { HEADER => 40, STATE => 2, LEVEL => 3, NLINKS => 4, NTIDS => 5, NEXT => 6, TIDS => 12 };
use constant { LIVE => 1, DYING => 2, ANCHOR => 0x8000, POSTINGS => 3 };

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(no_data_checksums => 1);
$node->append_conf('postgresql.conf', "autovacuum = off\nshared_preload_libraries = vecdb");
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION vecdb;
	CREATE FUNCTION a_vector(seed int, dim int) RETURNS vector LANGUAGE sql IMMUTABLE
		RETURN (SELECT array_agg(round(sin(seed * 12.9898 + d * 78.233 + seed * d)::numeric, 3))
			FROM generate_series(1, dim) d)::vector;
	CREATE TABLE pattern (id int, v vector(16));
	INSERT INTO pattern SELECT n, a_vector(n, 16) FROM generate_series(1, 200) n;
	INSERT INTO pattern SELECT n, a_vector(1, 16) FROM generate_series(201, 300) n});

# The index under change: its file, and its layout.
my ($file, %layout);

sub u16 { return unpack('S', substr($file, $_[0], 2)) }
sub set16 { substr($file, $_[0], 2) = pack('S', $_[1]); return }
sub u8 { return unpack('C', substr($file, $_[0], 1)) }
sub set8 { substr($file, $_[0], 1) = pack('C', $_[1]); return }

# Reference at an offset: number and version with flag.
sub ref_at { return (u16($_[0]) << 16 | u16($_[0] + 2), u16($_[0] + 4)) }

sub set_ref
{
	my ($at, $number, $extra) = @_;

	set16($at, $number >> 16);
	set16($at + 2, $number & 0xFFFF);
	set16($at + 4, $extra);
	return;
}

sub kind { return u8($_[0] * BLOCK + BLOCK - 4) }

sub node_at
{
	my ($number) = @_;

	return int($number / $layout{nodes_per_page}) * BLOCK + CONTENT
	  + $number % $layout{nodes_per_page} * $layout{node_bytes};
}

sub slot { return node_at($_[0]) + HEADER + $layout{vector_bytes} + $_[1] * $layout{slot_bytes} }
sub nlinks { return u8(node_at($_[0]) + NLINKS) }
sub level { return u8(node_at($_[0]) + LEVEL) }
sub is_anchor { return (ref_at(slot(@_)))[1] & ANCHOR }

# Nodes in use.
sub nodes
{
	return grep { kind(int($_ / $layout{nodes_per_page})) == 2 && u8(node_at($_) + STATE) == LIVE }
	  $layout{nodes_per_page} .. length($file) / BLOCK * $layout{nodes_per_page} - 1;
}

# The first node, of level 0 and not the root, of which something is true.
sub find_node
{
	my ($condition) = @_;

	foreach my $number (grep { level($_) == 0 && $_ != $layout{root_node} } nodes())
	{
		return $number if $condition->($number);
	}
	die 'there is no such node';
}

sub anchors { my ($number) = @_; return grep { is_anchor($number, $_) } 0 .. nlinks($number) - 1 }
sub leaf { return find_node(sub { !anchors($_[0]) && u8(node_at($_[0]) + NTIDS) == 1 }) }

# Where a node is anchored: the node and its link.
sub anchor_of
{
	my ($child) = @_;

	foreach my $number (grep { level($_) == 0 } nodes())
	{
		foreach my $i (anchors($number))
		{
			return ($number, $i) if (ref_at(slot($number, $i)))[0] == $child;
		}
	}
	die "node $child has no anchor";
}

sub upper { return (grep { level($_) == 1 } nodes())[0] }
sub posting_block { return (grep { kind($_) == POSTINGS } 0 .. length($file) / BLOCK - 1)[0] }
sub clear_anchor { my $at = slot(@_) + 4; return set16($at, u16($at) & 0x7FFF) }

# Damage by name: what is done, and the problems with numbers as N.
my %damages = (
	none => [ sub { }, '' ],
	magic => [ sub { set16(CONTENT, 1) }, 'metapage has no magic number' ],
	dimensions => [ sub { set16(CONTENT + 8, 15) }, "dimensions in the metapage are not those of the column" ],
	metric => [ sub { set16(CONTENT + 24, 1) }, 'layout in the metapage is none that this library makes for the operator class' ],
	sizes => [ sub { set16(CONTENT + 32, 8) }, 'layout in the metapage is none that this library makes for the operator class' ],
	entry => [ sub { set16(CONTENT + 46, 3) }, 'metapage names as entry a node that is not there, or not on level N' ],
	page_id => [ sub { set16(posting_block() * BLOCK + BLOCK - 2, 7) },
		'block in the list of posting pages with room is none|page is not one of an hnsw index|row (N,N) of table "T" is not in the index|segment N of block N is not on a page of postings' ],
	zeroes => [ sub { substr($file, posting_block() * BLOCK, BLOCK) = "\0" x BLOCK },
		'block in the list of posting pages with room is none|row (N,N) of table "T" is not in the index|segment N of block N is not on a page of postings' ],
	state => [ sub { set8(node_at(leaf()) + STATE, 7) }, 'node has an unknown state|row (N,N) of table "T" is not in the index' ],
	nlinks => [ sub { set8(node_at(leaf()) + NLINKS, 255) }, 'node has more links than slots|row (N,N) of table "T" is not in the index' ],
	unused => [ sub { set8(node_at(leaf()) + HEADER - 1, 1) }, 'node has content in unused bytes|row (N,N) of table "T" is not in the index' ],
	dying => [ sub { set8(node_at(leaf()) + STATE, DYING) }, 'dying node has heap TIDs|row (N,N) of table "T" is not in the index' ],
	freed => [ sub { set8(node_at(leaf()) + STATE, 0) }, 'link N leads to node N, which is free|row (N,N) of table "T" is not in the index' ],
	version => [ sub { my $at = node_at(leaf()); set16($at, u16($at) + 1) }, 'anchor N leads to node N, which is gone' ],
	vector => [ sub { my $at = node_at(leaf()) + HEADER + 12 + 7; set8($at, u8($at) ^ 0x01) }, 'norm does not agree with the elements' ],
	code => [ sub { my $at = slot(leaf(), 2) + 12; set8($at, u8($at) ^ 0x10) },
		'slot N is not what follows from the vectors of node and neighbour N' ],
	own => [ sub { my $leaf = leaf(); set_ref(slot($leaf, 1), $leaf, 0) }, 'link N leads to its own node' ],
	beyond => [ sub { set_ref(slot(leaf(), 1), 0x7F000000, 0) }, 'link N leads to N, where there is no node' ],
	twice => [
		sub {
			my $leaf = leaf();
			substr($file, slot($leaf, 1), $layout{slot_bytes}) = substr($file, slot($leaf, 0), $layout{slot_bytes});
		},
		'links N and N lead to the same node N' ],
	across => [ sub { set_ref(slot(leaf(), 1), upper(), 0) }, 'link N leads from level N to node N on level N' ],
	upper => [ sub { set_ref(node_at(upper()) + NEXT, leaf(), 0) }, 'node on level N leads down to node N, which has another vector' ],
	lost => [ sub { clear_anchor(anchor_of(leaf())) }, 'N nodes cannot be reached from the root along anchors|node has no anchor' ],
	circle => [
		sub {
			my ($above, $i, $back);
			my $parent = find_node(
				sub {
					my ($number) = @_;

					foreach my $child (map { (ref_at(slot($number, $_)))[0] } anchors($number))
					{
						($above, $i) = ($child, $_)
						  foreach grep { (ref_at(slot($child, $_)))[0] == $number } 0 .. nlinks($child) - 1;
					}
					return defined $above;
				});

			clear_anchor(anchor_of($parent));
			set16(slot($above, $i) + 4, u16(slot($above, $i) + 4) | ANCHOR);
		},
		'N nodes cannot be reached from the root along anchors|node is anchored by nodes that it anchors itself' ],
	tid_twice => [
		sub {
			my $leaf = leaf();
			my $other = find_node(sub { $_[0] != $leaf && u8(node_at($_[0]) + NTIDS) == 1 });

			substr($file, node_at($leaf) + TIDS, 6) = substr($file, node_at($other) + TIDS, 6);
		},
		'heap TID (N,N) is in node N, too|row (N,N) of table "T" is not in the index' ],
	tid_nowhere => [ sub { set16(node_at(leaf()) + TIDS + 4, 999) },
		'heap TID (N,N) leads to no row of table "T"|row (N,N) of table "T" is not in the index' ],
	tid_invalid => [ sub { set16(node_at(leaf()) + TIDS + 4, 0) },
		'heap TID (N,N) is invalid|heap TID (N,N) leads to no row of table "T"|row (N,N) of table "T" is not in the index' ],
	owner => [ sub { set_ref(posting_block() * BLOCK + CONTENT, leaf(), 0) },
		'row (N,N) of table "T" is not in the index|segment N is not in the chain of its owner|segment N of block N belongs to another node or to none' ],
	chain => [ sub { set_ref(posting_block() * BLOCK + CONTENT + 6, posting_block(), 0) },
		'segment N of block N is in a chain that has no end' ],
	room => [ sub { set16(posting_block() * BLOCK + BLOCK - 8, posting_block()); set16(posting_block() * BLOCK + BLOCK - 6, 0) },
		'list of posting pages with room has no end' ]);

foreach my $name (sort keys %damages)
{
	$node->safe_psql('postgres',
		"CREATE TABLE t_$name AS SELECT * FROM pattern; CREATE INDEX ${name}_index ON t_$name USING hnsw (v vector_l2_ops) WITH (m = 8)");
}
my $layout = $node->safe_psql('postgres',
	q{SELECT node_bytes, nodes_per_page, root_node, 12 + 64 * CASE codec WHEN 'int8' THEN 1 ELSE 2 END,
		12 + code_dimensions * bits / 8 FROM vecdb_index_info('none_index')});
@layout{qw(node_bytes nodes_per_page root_node vector_bytes slot_bytes)} = split /\|/, $layout;
my %paths = map { $_ => $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('${_}_index')") }
  keys %damages;
$node->stop;
foreach my $name (sort keys %damages)
{
	$file = slurp_file($paths{$name});
	$damages{$name}[0]->();
	open my $out, '>:raw', $paths{$name} or die "$paths{$name}: $!";
	print $out $file;
	close $out;
}
$node->start;
foreach my $name (sort keys %damages)
{
	my $found = $node->safe_psql(
		'postgres', qq{
		SELECT string_agg(what, '|' ORDER BY what COLLATE "C")
		FROM (SELECT DISTINCT regexp_replace(replace(problem, '"t_$name"', '"T"'), '\\d+', 'N', 'g') AS what
			FROM vecdb_index_check('${name}_index', true)) p});

	# A row that two nodes have is compared with the vector of the one that comes
	# last: reported when that is the wrong one, which depends on the graph.
	$found =~ s/\|row \(N,N\) of table "T" has another vector than its node// if $name eq 'tid_twice';
	is($found, $damages{$name}[1], "damage: $name");
}

# What the server counts, by the end of each transaction, whoever did it; it is
# there for all, and set to zero by those who may.
sub server_counts
{
	return $node->safe_psql('postgres', "SELECT scans, inserts, tid_appends FROM vecdb_hnsw_stats_server");
}

$node->safe_psql('postgres', 'SELECT vecdb_hnsw_stats_server_reset()');
is(server_counts(), '0|0|0', 'the counts of the server begin at zero');
$node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT id FROM t_none ORDER BY v <-> a_vector(5, 16) LIMIT 1') for 1 .. 3;
$node->safe_psql('postgres', q{
	BEGIN; INSERT INTO t_none VALUES (1000, a_vector(1000, 16)); ROLLBACK;
	INSERT INTO t_none VALUES (1001, a_vector(1000, 16)), (1002, a_vector(2, 16))});
is(server_counts(), '3|1|2', 'the counts of all backends, of transactions that failed, too');
is( $node->safe_psql('postgres', q{
		SET enable_seqscan = off;
		SELECT scans FROM vecdb_hnsw_stats;
		SELECT count(*) FROM (SELECT id FROM t_none ORDER BY v <-> a_vector(5, 16) LIMIT 1) s;
		SELECT s.scans, b.scans FROM vecdb_hnsw_stats_server s, vecdb_hnsw_stats b;
		SELECT vecdb_hnsw_stats_reset();
		SELECT s.scans, b.scans FROM vecdb_hnsw_stats_server s, vecdb_hnsw_stats b}),
	"0\n1\n4|1\n\n4|0",
	'a backend and the server are set to zero each by itself');

done_testing();
