# VecdbFilter: a table for filtered searches, load on it, and searches that fail
# if their answer is not what it should be.
package VecdbFilter;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;

our @EXPORT_OK = qw(create_items strategies search_script start_scripts stop_scripts without_node answers_by);

# Creates the table: vectors in clusters; in m the group g, tied to the vectors,
# and a number n and a tag that are not.  Rows 1 .. rows, two thirds there.
sub create_items
{
	my ($node, $db, $rows) = @_;

	$node->safe_psql(
		$db, qq{
		CREATE EXTENSION IF NOT EXISTS vecdb;
		CREATE FUNCTION item_vector(n integer) RETURNS vector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$\$
			SELECT array_agg((hashint4(n % 10 * 10007 + i) / 2147483648.0
							  + hashint4(n * 10009 - i) / 8589934592.0)::real)::vector
			  FROM generate_series(1, 24) i
		\$\$;
		CREATE FUNCTION item_metadata(n integer) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$\$
			SELECT jsonb_build_object('g', n % 10, 'n', abs(hashint4(n)) % 1000,
									  'tags', jsonb_build_array('t' || abs(hashint4(n + 1)) % 50))
		\$\$;
		CREATE TABLE items (id integer PRIMARY KEY, v vector(24), m jsonb, note integer)
			WITH (vacuum_truncate = off, toast.vacuum_truncate = off);
		INSERT INTO items SELECT n, item_vector(n), item_metadata(n), 0
		  FROM generate_series(1, $rows) n WHERE n % 3 > 0;
		CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
		DO \$\$ BEGIN
			EXECUTE 'CREATE INDEX items_m ON items USING gin (m '
				|| coalesce((SELECT opcname FROM pg_opclass WHERE opcname = 'jsonb_filter_ops'), '') || ')';
		END \$\$;
		ANALYZE items;
		});
	return;
}

# Filters that few, some and most rows pass, near the query and far from it.
my @filters = (
	'{"n": {"$lt": 2}}', '{"n": {"$gte": 100, "$lt": 200}}', '{"g": 3}', '{"g": {"$ne": 3}}',
	'{"g": {"$in": [1, 2]}, "n": {"$gte": 500}}', '{"tags": {"$contains": "t7"}}', '{"n": 17}', '{}');

# The settings of the node's strategies; one without any where there is no node.
sub strategies
{
	my ($node, $db) = @_;

	return ('SELECT 1;') unless has_node($node, $db);
	return map { "SET vecdb.filter_strategy = $_;" } qw(auto vector exact graph);
}

sub has_node
{
	my ($node, $db) = @_;

	return $node->safe_psql($db,
		q{SELECT '[1]'::vector; SELECT count(*) FROM pg_settings WHERE name = 'vecdb.enable_scan'}) =~ /1$/;
}

# A pgbench script of one search for each filter.  It fails (division by zero)
# unless the search returns min(limit, matching rows) different rows, all of them
# matching, and nearest first if a strategy is set (an index scan promises that
# within a batch only).
sub search_script
{
	my ($strategy) = @_;
	my $ordered = $strategy =~ /filter_strategy/ ? 'd >= previous' : 'true';
	my $sql = "SET enable_seqscan = off;\n$strategy\n\\set seed random(1, 200000)\n\\set limit random(1, 40)\n";

	foreach my $filter (@filters)
	{
		$sql .= qq{WITH found AS MATERIALIZED
			(SELECT id, m, v <-> item_vector(:seed) AS d, row_number() OVER () AS place FROM
				(SELECT * FROM items WHERE m @~ '$filter' ORDER BY v <-> item_vector(:seed) LIMIT :limit) s),
			ordered AS (SELECT *, lag(d) OVER (ORDER BY place) AS previous FROM found),
			matching AS (SELECT count(v) AS rows FROM items WHERE vecdb_match(m, '$filter'))
			SELECT 1 / (count(*) = count(DISTINCT id) AND bool_and(vecdb_match(m, '$filter')) IS NOT FALSE
						AND bool_and($ordered) IS NOT FALSE
						AND count(*) = least(:limit, (SELECT rows FROM matching)))::integer FROM ordered;\n};
	}
	return $sql;
}

# Starts pgbench with scripts, name => [weight, text], until it is stopped.
sub start_scripts
{
	my ($node, $db, $clients, %scripts) = @_;
	my %load = (node => $node, db => $db, errors => '', output => '');
	my @files;

	foreach my $name (sort keys %scripts)
	{
		my $file = PostgreSQL::Test::Utils::tempdir . "/$name.sql";

		open my $fh, '>', $file or die "$file: $!";
		print $fh $scripts{$name}[1];
		close $fh;
		push @files, '-f', "$file\@$scripts{$name}[0]";
	}
	$load{run} = IPC::Run::start(
		[ 'pgbench', '-n', '-T', 3600, '-c', $clients, '-j', 1, '--max-tries', 100, @files,
			$node->connstr($db) . ' application_name=load' ],
		'<', \undef, '>', \$load{output}, '2>', \$load{errors});
	return \%load;
}

# Ends it, and waits for its last statements.  Returns (errors, transactions).
sub stop_scripts
{
	my ($load) = @_;

	$load->{run}->signal('INT');
	eval { $load->{run}->finish };
	$load->{node}->poll_query_until($load->{db},
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'load'");
	return join "\n", grep { /ERROR:|PANIC:|FATAL:/ } split /\n/, $load->{errors};
}

# The filters whose plans do not have the node, where there is one.
sub without_node
{
	my ($node, $db) = @_;

	return '' unless has_node($node, $db);
	return join "\n", grep {
		$node->safe_psql($db,
			"SET enable_seqscan = off; EXPLAIN SELECT id FROM items WHERE m @~ '$_' ORDER BY v <-> item_vector(1) LIMIT 10")
		  !~ /Custom Scan \(VecdbScan\)/
	} @filters;
}

# What searches for all filters find, with a strategy.
sub answers_by
{
	my ($node, $db, $strategy) = @_;
	my $sql = "SET enable_seqscan = off;\n$strategy\n";

	foreach my $filter (@filters)
	{
		$sql .= qq{SELECT n, array_agg(id) FROM (SELECT * FROM generate_series(1, 5) n, LATERAL
			(SELECT id FROM items WHERE m @~ '$filter' ORDER BY v <-> item_vector(n) LIMIT 10) s) s GROUP BY n ORDER BY n;\n};
	}
	return $node->safe_psql($db, $sql);
}

1;
