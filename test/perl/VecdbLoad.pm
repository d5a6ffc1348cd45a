# VecdbLoad: tables with hnsw indexes, load on them, and whether they are sound.
#
# A table of the load has rows 1 .. rows at most: inserts add missing ones,
# deletions remove some, updates give new vectors or leave them, so that each
# table stays about two thirds full.
package VecdbLoad;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

our @EXPORT_OK = qw(load_tables create_tables start_load stop_load end_load wait_for_wal
  kill_server problems answers_of wait_until);

# Table => what it is made of.  distinct: so many vectors are shared by all rows;
# type: of the vectors, if it is not vector.
sub load_tables
{
	return (
		load_cosine => { rows => 900, dimension => 64, ops => 'vector_cosine_ops', op => '<=>' },
		load_wide => { rows => 300, dimension => 768, ops => 'vector_l2_ops', op => '<->' },
		load_split => { rows => 40, dimension => 9000, ops => 'vector_l2_ops', op => '<->' },
		load_equal => { rows => 1500, dimension => 8, distinct => 15, ops => 'vector_l1_ops', op => '<+>' },
		load_product => { rows => 300, dimension => 32, ops => 'vector_ip_ops', op => '<#>' },
		load_sparse => { rows => 300, dimension => 5000, type => 'sparsevec', ops => 'sparsevec_cosine_ops', op => '<=>' },
		load_long => { rows => 40, dimension => 90000, type => 'sparsevec', ops => 'sparsevec_l1_ops', op => '<+>' },
		load_bits => { rows => 900, dimension => 128, type => 'bit', ops => 'bit_hamming_ops', op => '<~>' });
}

sub type_of
{
	my ($table) = @_;

	return $table->{type} // 'vector';
}

# SQL expression: the vector that a number stands for.
sub vector_of
{
	my ($table, $number) = @_;

	$number = "($number) % $table->{distinct}" if $table->{distinct};
	return 'load_' . type_of($table) . "($number, $table->{dimension})";
}

# Creates the tables, two thirds full, and their indexes.
sub create_tables
{
	my ($node, $db, %tables) = @_;
	my $sql = <<'SQL';
CREATE EXTENSION IF NOT EXISTS vecdb;
CREATE FUNCTION load_vector(n integer, dimension integer) RETURNS vector
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT array_agg((hashint4(n * 10007 + i) / 2147483648.0
					  + hashint4(n % 10 * 10007 - i) / 4294967296.0)::real)::vector
	  FROM generate_series(1, dimension) i
$$;
-- one element in 50 dimensions, half of them at places that n % 10 tells
CREATE FUNCTION load_sparsevec(n integer, dimension integer) RETURNS sparsevec
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT ('{' || string_agg(place || ':' || weight, ',') || '}/' || dimension)::sparsevec
	  FROM (SELECT 1 + abs(hashint4((CASE WHEN i % 2 = 0 THEN n % 10 ELSE n END) * 10007 + i)) % dimension AS place,
				   max(1 + abs(hashint4(n * 10007 - i)) % 1000 / 500.0) AS weight
			  FROM generate_series(1, dimension / 50) i GROUP BY 1) elements
$$;
CREATE FUNCTION load_bit(n integer, dimension integer) RETURNS bit
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT string_agg(CASE WHEN (hashint4(n * 10007 + i) & 7 = 0) <> (hashint4(n % 10 * 10007 - i) & 1 = 0)
						   THEN '1' ELSE '0' END, '' ORDER BY i)::bit varying
	  FROM generate_series(1, dimension) i
$$;
SQL

	foreach my $name (sort keys %tables)
	{
		my $table = $tables{$name};
		my $vector = vector_of($table, 'n');
		my $type = type_of($table);

		$sql .= <<"SQL";
CREATE TABLE $name (id integer PRIMARY KEY, v $type($table->{dimension}), note integer);
CREATE INDEX ${name}_note ON $name (note);
INSERT INTO $name SELECT n, $vector, n FROM generate_series(1, $table->{rows}) n WHERE n % 3 > 0;
CREATE INDEX ${name}_v ON $name USING hnsw (v $table->{ops});
ANALYZE $name;
SQL
	}
	$node->safe_psql($db, $sql);
}

# The statements of the load on a table: what => [weight, pgbench script].
sub scripts_of
{
	my ($name, $table) = @_;
	my $set = "\\set id random(1, $table->{rows})\n\\set seed random(1, 200000)\n";
	my $some = int($table->{rows} / 20) + 1;
	my $vector = vector_of($table, ':seed');

	return (
		insert => [ 10, $set . "INSERT INTO $name VALUES (:id, $vector, :id) ON CONFLICT DO NOTHING;\n" ],
		many => [ 1, $set . "INSERT INTO $name SELECT n, " . vector_of($table, ':seed + n') . ", n"
			  . " FROM generate_series(:id, :id + $some) n WHERE n <= $table->{rows} ON CONFLICT DO NOTHING;\n" ],
		delete => [ 4, $set . "DELETE FROM $name WHERE id = :id;\n" ],
		some => [ 1, $set . "DELETE FROM $name WHERE id BETWEEN :id AND :id + $some;\n" ],
		update => [ 4, $set . "UPDATE $name SET v = $vector WHERE id = :id;\n" ],
		note => [ 3, $set . "UPDATE $name SET note = note + 1 WHERE id = :id;\n" ],
		empty => [ 1, $set . "UPDATE $name SET v = NULL WHERE id = :id;\n" ],
		rollback => [ 1, $set . "BEGIN;\nUPDATE $name SET v = $vector WHERE id = :id;\nROLLBACK;\n" ],
		search => [ 4, $set . search_of($name, $table, ':seed', 50) . ";\n" ],
		vacuum => [ 2, "VACUUM (SKIP_LOCKED) $name;\n" ]);
}

# A search that fails if it returns a row twice.
sub search_of
{
	my ($name, $table, $seed, $limit) = @_;

	return "SELECT 1 / (count(*) = count(DISTINCT id))::integer FROM"
	  . " (SELECT id FROM $name ORDER BY v $table->{op} " . vector_of($table, $seed) . " LIMIT $limit) s";
}

# Starts pgbench; it runs until it is stopped or the server is.  only: the
# kinds of statements, of all if it is not there.
sub start_load
{
	my ($node, $db, $tables, %params) = @_;
	my %load = (node => $node, db => $db, errors => '', output => '');
	my @files;

	foreach my $name (sort keys %$tables)
	{
		my %scripts = scripts_of($name, $tables->{$name});

		foreach my $what (sort keys %scripts)
		{
			my $file = PostgreSQL::Test::Utils::tempdir . "/$name-$what.sql";

			next if $params{only} && !grep { $_ eq $what } @{ $params{only} };
			open my $fh, '>', $file or die "$file: $!";
			print $fh $scripts{$what}[1];
			close $fh;
			push @files, '-f', "$file\@$scripts{$what}[0]";
		}
	}
	$load{run} = IPC::Run::start(
		[ 'pgbench', '-n', '-T', $params{seconds} // 3600, '-c', $params{clients} // 4, '-j', 1,
			'--max-tries', 100, @files, $node->connstr($db) . ' application_name=load' ],
		'<', \undef, '>', \$load{output}, '2>', \$load{errors});
	return \%load;
}

# Ends a load, on a server that goes on, and waits for its last statements.
# Returns the errors that it met.
sub stop_load
{
	my ($load) = @_;
	my $errors;

	$load->{run}->signal('INT');
	$errors = end_load($load);
	$load->{node}->poll_query_until($load->{db},
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'load'");
	return $errors;
}

# Waits for the end of a load, whose server is gone; returns the errors that its statements met.
sub end_load
{
	my ($load) = @_;

	eval { $load->{run}->finish };
	return join "\n", grep { /ERROR:|PANIC:/ } split /\n/, $load->{errors};
}

# Waits until the load has written so many bytes of WAL since the position.
# False if it ended before.
sub wait_for_wal
{
	my ($node, $db, $load, $since, $bytes) = @_;

	foreach my $try (1 .. 3000)
	{
		return 0 unless $load->{run}->pumpable;
		$load->{run}->pump_nb;
		return 1
		  if $node->safe_psql($db, "SELECT pg_current_wal_insert_lsn() - '$since' > $bytes") eq 't';
		usleep(20_000);
	}
	return 0;
}

# Kills the postmaster by SIGKILL, and at once all its processes unless they are
# to notice by themselves; waits until all are gone.
sub kill_server
{
	my ($node, $db, %params) = @_;
	my @processes = split /\n/, $node->safe_psql($db, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');

	$node->kill9;
	kill 9, @processes unless $params{postmaster_only};
	wait_until(sub { !grep { kill 0, $_ } @processes }) or kill 9, @processes;
	return;
}

# Waits, a minute at most, until a condition holds.
sub wait_until
{
	my ($condition) = @_;

	foreach my $try (1 .. 1200)
	{
		return 1 if $condition->();
		usleep(50_000);
	}
	return 0;
}

# What is wrong with the indexes of the tables while nobody writes, one line
# each; '' if they are sound:
# - vecdb_index_check() finds something;
# - a scan of the whole index does not return every row once, or not by links;
# - of the rows of all tables more than one in 1,000 does not find its own
#   vector among the nearest 10 with ef_search 200, or a search had to sweep.
# Puts the number of rows and of those not found into the hash given.
sub problems
{
	my ($node, $db, $tables, $seen) = @_;
	my @problems;
	my ($rows, $lost) = (0, 0);

	foreach my $name (sort keys %$tables)
	{
		my $table = $tables->{$name};
		my $query = vector_of($table, 0);
		# The greatest inner product is not that with itself.
		my $find = $table->{op} eq '<#>' ? 'false' : qq{NOT EXISTS (SELECT FROM
				(SELECT b.v FROM $name b ORDER BY b.v $table->{op} a.v LIMIT 10) s WHERE s.v = a.v)};
		my $output = $node->safe_psql(
			$db, qq{
			SELECT concat_ws(' ', 'block', block, 'node', node, problem)
			  FROM vecdb_index_check('${name}_v', heap_all_indexed => true);
			SET enable_seqscan = off;
			SET enable_sort = off;
			SET hnsw.ef_search = 200;
			SET hnsw.max_scan_tuples = 2147483647;
			CREATE TEMPORARY TABLE scanned AS
			SELECT id FROM $name ORDER BY v $table->{op} $query;
			SELECT 'scanned without the index' FROM vecdb_hnsw_stats()
			 WHERE results < (SELECT count(*) FROM scanned);
			SELECT 'a sweep found rows' FROM vecdb_hnsw_stats() WHERE sweeps > 0;
			SELECT 'memory was short' FROM vecdb_hnsw_stats() WHERE memory_limited > 0;
			SET enable_seqscan = on;
			SET enable_indexscan = off;
			SELECT 'returned twice: ' || string_agg(id::text, ' ') FROM
				(SELECT id FROM scanned GROUP BY id HAVING count(*) > 1) s HAVING count(*) > 0;
			SELECT 'not returned: ' || string_agg(id::text, ' ') FROM
				(SELECT id FROM $name WHERE v IS NOT NULL EXCEPT SELECT id FROM scanned) s HAVING count(*) > 0;
			SELECT 'returned, but not there: ' || string_agg(id::text, ' ') FROM
				(SELECT id FROM scanned EXCEPT SELECT id FROM $name WHERE v IS NOT NULL) s HAVING count(*) > 0;
			RESET enable_indexscan;
			SET enable_seqscan = off;
			SELECT 'rows ' || count(*) || ' ' || count(*) FILTER (WHERE $find)
			  FROM $name a WHERE v IS NOT NULL;
			SELECT 'a search had to sweep' FROM vecdb_hnsw_stats() WHERE sweeps > 0;
			});

		foreach (split /\n/, $output)
		{
			if (/^rows (\d+) (\d+)$/)
			{
				$rows += $1;
				$lost += $2;
			}
			else
			{
				push @problems, "$name: $_" if $_ ne '';
			}
		}
	}
	push @problems, "$lost of $rows rows do not find themselves" if $lost * 1000 > $rows;
	push @problems, "there are only $rows rows" if $rows < 10;
	$seen->{rows} += $rows;
	$seen->{lost} += $lost;
	return join "\n", @problems;
}

# What searches of the tables answer, by the indexes.
sub answers_of
{
	my ($node, $db, $tables) = @_;
	my $sql = "SET enable_seqscan = off;\nSET enable_sort = off;\n";

	foreach my $name (sort keys %$tables)
	{
		my $table = $tables->{$name};
		my $query = vector_of($table, 'n');

		$sql .= qq{SELECT '$name', count(*), md5(string_agg(id || ' ' || d, ',')) FROM
				(SELECT id, v $table->{op} } . vector_of($table, 0) . qq{ AS d FROM $name
				  WHERE v IS NOT NULL ORDER BY v $table->{op} } . vector_of($table, 0) . qq{) s;
			SELECT n, array_agg(id) FROM (SELECT * FROM generate_series(1, 20) n, LATERAL
				(SELECT id FROM $name ORDER BY v $table->{op} $query LIMIT 10) s) s GROUP BY n ORDER BY n;\n};
	}
	return $node->safe_psql($db, $sql);
}

1;
