# Damaged pages of hnsw indexes: whatever is done with the index then gives an
# answer or an error that names the damage, and never a crash or an endless loop.
#
# A round stops the server, puts the database's files back as they were at
# first, and damages the file of every index anew.  Round 0 is a certain damage; the
# others are numbered, and a number always means the same damage:
#   VECDB_DAMAGE_ROUNDS=200 VECDB_DAMAGE_FIRST=13 make installcheck \
#     REGRESS= ISOLATION= PROVE_TESTS=test/t/040_hnsw_damage.pl

use strict;
use warnings;

use File::Copy;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{VECDB_DAMAGE_ROUNDS} || 8;
my $first = $ENV{VECDB_DAMAGE_FIRST} || 1;

use constant BLOCK => 8192;
use constant CONTENT => 24;
use constant SPECIAL => BLOCK - 8;

# Page kinds
use constant { META => 1, NODES => 2, POSTINGS => 3, VECTOR => 4 };

# Indexes by name: all forms of nodes that there are.
my %indexes = (
	codes => 'vector_l2_ops',
	cosine => 'vector_cosine_ops',
	product => 'vector_ip_ops',
	taxicab => 'vector_l1_ops',
	split => 'vector_l2_ops');
my %dimensions = (codes => 24, cosine => 48, product => 16, taxicab => 8, split => 3072);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(no_data_checksums => 1);
$node->append_conf(
	'postgresql.conf', q{
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
statement_timeout = 30s
log_min_messages = warning
});
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE damage');
$node->safe_psql(
	'damage', q{
	CREATE EXTENSION vecdb;
	CREATE FUNCTION a_vector(seed int, dim int) RETURNS vector LANGUAGE sql IMMUTABLE
		RETURN (SELECT array_agg(round(sin(seed * 12.9898 + d * 78.233 + seed * d)::numeric, 3))
			FROM generate_series(1, dim) d)::vector});
foreach my $name (sort keys %indexes)
{
	my $dim = $dimensions{$name};
	my $rows = $dim > 1000 ? 30 : 400;

	# Rows of one vector have segments; some nodes are free, some rows came later.
	$node->safe_psql(
		'damage', qq{
		CREATE TABLE $name (id serial PRIMARY KEY, v vector($dim));
		INSERT INTO $name (v) SELECT a_vector(n, $dim) FROM generate_series(1, $rows) n;
		INSERT INTO $name (v) SELECT a_vector(n % 3, $dim) FROM generate_series(1, 250) n;
		CREATE INDEX ${name}_index ON $name USING hnsw (v $indexes{$name});
		DELETE FROM $name WHERE id % 9 = 4;
		VACUUM $name;
		INSERT INTO $name (v) SELECT a_vector(n + 1000, $dim) FROM generate_series(1, $rows / 20) n;
		DELETE FROM $name WHERE id % 9 = 5;
		CHECKPOINT});
}

my $data = $node->data_dir;
my $database = $node->safe_psql('damage', 'SELECT oid FROM pg_database WHERE datname = current_database()');
my %paths = map { $_ => $node->safe_psql('damage', "SELECT pg_relation_filepath('${_}_index')") }
  keys %indexes;
is( $node->safe_psql('damage', join(' UNION ALL ', map { "SELECT problem FROM vecdb_index_check('${_}_index', true)" }
			sort keys %indexes)),
	'', 'the indexes are sound');
$node->stop;
my $saved = PostgreSQL::Test::Utils::tempdir . '/saved';
PostgreSQL::Test::RecursiveCopy::copypath("$data/base/$database", $saved);

# What is done with a damaged index, each in a statement of its own.
sub statements
{
	my ($name) = @_;
	my $dim = $dimensions{$name};
	my $operator = { vector_l2_ops => '<->', vector_cosine_ops => '<=>', vector_ip_ops => '<#>',
		vector_l1_ops => '<+>' }->{ $indexes{$name} };

	return (
		(map { "SELECT count(*) FROM (SELECT id FROM $name ORDER BY v $operator a_vector($_, $dim) LIMIT 10) s" } 1 .. 3),
		"SELECT count(*) FROM (SELECT id FROM $name ORDER BY v $operator a_vector(7, $dim)) s",
		"SELECT count(*) FROM (SELECT id FROM $name ORDER BY v $operator NULL::vector) s",
		"SELECT count(problem) FROM vecdb_index_check('${name}_index', true)",
		"SELECT size FROM vecdb_index_info('${name}_index')",
		"SELECT vecdb_index_prewarm('${name}_index')",
		"SELECT ef FROM vecdb_index_recall('${name}_index', 3)",
		(map { "INSERT INTO $name (v) SELECT a_vector($_, $dim)" } 2001 .. 2004),
		"INSERT INTO $name (v) SELECT a_vector(1, $dim) FROM generate_series(1, 45)",
		"UPDATE $name SET v = a_vector(id + 5000, $dim) WHERE id < 10",
		"DELETE FROM $name WHERE id % 5 = 1",
		"VACUUM $name",
		"SELECT count(*) FROM (SELECT id FROM $name ORDER BY v $operator a_vector(9, $dim)) s",
		"INSERT INTO $name (v) SELECT a_vector(n + 9000, $dim) FROM generate_series(1, 10) n",
		"SELECT count(problem) FROM vecdb_index_check('${name}_index')",
		"REINDEX INDEX ${name}_index",
		"SELECT count(*) / 0 FROM vecdb_index_check('${name}_index', true) HAVING count(*) > 0");
}

# Errors that may be: ours, with a hint; PostgreSQL's own for a page that it
# finds bad, for a row that is on no page of the table, for distances that
# contradict the rows' (a vector is damaged), for a heap TID whose row has gone.
sub is_allowed
{
	my ($error) = @_;

	return 1 if $error =~ /^XX002: index "\w+" contains/ && $error =~ /^HINT:  Please REINDEX it\.$/m;
	return 1 if $error =~ /^0A000: index "\w+" has format version/ && $error =~ /^HINT:/m;
	return 1 if $error =~ /^XX001: (invalid page in block|could not read block)/;
	return 1 if $error =~ /^XX000: index returned tuples in wrong order/;
	return 0;
}

sub byte { return pack('C', int(rand(256))) }

# Overwrites n random bytes between two offsets in a block.
sub overwrite
{
	my ($file, $block, $from, $to, $n) = @_;

	foreach (1 .. $n)
	{
		substr($$file, $block * BLOCK + $from + int(rand($to - $from)), 1) = byte();
	}
}

# Damages the content of a file, and says how.
sub damage
{
	my ($file) = @_;
	my $nblocks = length($$file) / BLOCK;
	my %blocks;

	for my $block (0 .. $nblocks - 1)
	{
		push @{ $blocks{ unpack('C', substr($$file, $block * BLOCK + SPECIAL + 4, 1)) } }, $block;
	}
	my @kinds = sort keys %blocks;
	my $kind = $kinds[ int(rand(@kinds)) ];
	my @candidates = @{ $blocks{$kind} };
	my $block = $candidates[ int(rand(@candidates)) ];
	my $how = int(rand(10));

	if ($how < 4)
	{
		# anywhere, in some pages of a kind
		my $pages = 1 + int(rand(4));

		overwrite($file, $candidates[ int(rand(@candidates)) ], CONTENT, SPECIAL, 1 + int(rand(60)))
		  foreach 1 .. $pages;
		return "bytes of $pages pages of kind $kind";
	}
	if ($how < 6)
	{
		# in the first bytes of all pages of the kind: headers of nodes and segments, the metapage
		overwrite($file, $_, CONTENT, CONTENT + 60, 1 + int(rand(3))) foreach @candidates;
		return "first bytes of all pages of kind $kind";
	}
	if ($how == 6)
	{
		overwrite($file, $block, rand() < 0.5 ? 0 : SPECIAL, rand() < 0.5 ? CONTENT : BLOCK, 2);
		return "header or special space of block $block";
	}
	if ($how == 7)
	{
		my $other = int(rand($nblocks));

		substr($$file, $block * BLOCK, BLOCK) = substr($$file, $other * BLOCK, BLOCK);
		return "block $block is a copy of block $other";
	}
	if ($how == 8)
	{
		substr($$file, $block * BLOCK, BLOCK) = "\0" x BLOCK;
		return "block $block is zero";
	}
	my $kept = int(rand($nblocks));
	substr($$file, $kept * BLOCK) = '';
	return "only $kept of $nblocks blocks are left";
}

# The root is free, and the entry, too: a walk finds nothing, and an insert no node
# where its own could be anchored.
sub damage_root
{
	my ($file) = @_;
	my ($node_bytes, $nodes_per_page) = unpack('SS', substr($$file, CONTENT + 32, 4));
	my $root = substr($$file, CONTENT + 48, 6);
	my ($high, $low) = unpack('SS', $root);
	my $number = $high << 16 | $low;

	substr($$file, CONTENT + 40, 8) = $root . pack('S', 0);
	substr($$file,
		int($number / $nodes_per_page) * BLOCK + CONTENT + $number % $nodes_per_page * $node_bytes + 2, 1) = "\0";
	return 'the root is free';
}

my (%seen, $statements);
ROUND: foreach my $round (0, $first .. $first + $rounds - 1)
{
	my (@wrong, %how);

	srand($round);
	remove_tree("$data/base/$database");
	PostgreSQL::Test::RecursiveCopy::copypath($saved, "$data/base/$database");
	foreach my $name (sort keys %indexes)
	{
		my $file = slurp_file("$data/$paths{$name}");

		$how{$name} = $round == 0 ? damage_root(\$file) : damage(\$file);
		open my $out, '>:raw', "$data/$paths{$name}" or die "$paths{$name}: $!";
		print $out $file;
		close $out;
	}
	$node->start;
	foreach my $name (sort keys %indexes)
	{
		my @statements = statements($name);
		my $script = "\\set VERBOSITY verbose\nSET enable_seqscan = off;\n"
		  . join('', map { "\\warn @\n$_;\n" } @statements);
		my $stderr = '';

		$node->psql('damage', $script, stderr => \$stderr, on_error_stop => 0, timeout => 300,
			timed_out => \my $timed_out);
		my (undef, @messages) = split /^@\n/m, "$stderr\n", -1;
		$statements += @messages;
		push @wrong, "round $round, $name ($how{$name}): only $#messages statements: $stderr"
		  if @messages != @statements || $timed_out;
		foreach my $i (0 .. $#messages)
		{
			next unless $messages[$i] =~ /(?:ERROR|FATAL|PANIC):  (.*)/s || $messages[$i] =~ /(server closed.*)/s;
			my $error = $1;
			$seen{$1}++ if $error =~ /^(\w{5}):/;
			push @wrong, "round $round, $name ($how{$name}): $statements[$i]: $messages[$i]"
			  unless is_allowed($error);
		}
		last if $stderr =~ /server closed/;
	}
	is(join("\n", @wrong), '', "round $round: an answer, or an error that tells");
	last ROUND if $rounds < 50 && @wrong;
	eval { $node->stop('fast'); 1 } or $node->stop('immediate', fail_ok => 1);
	if (join('', @wrong) =~ /server closed/)
	{
		$node->start;			# what a crash left to be done
		$node->stop;
	}
}

cmp_ok($seen{XX002} // 0, '>', $rounds, "damage was met (of $statements statements: "
	  . join(', ', map { "$_ $seen{$_} times" } sort keys %seen) . ')');
ok(!$node->log_contains('TRAP|PANIC|terminated by signal'), 'no process crashed');
done_testing();
