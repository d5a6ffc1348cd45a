# VecdbTest: what the TAP tests have in common.
package VecdbTest;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT_OK = qw(fill answers registry_is_sound error_of);

# SQL expression: points number first .. last as JSON, the same ones every time.
sub points
{
	my ($first, $last, $dimension) = @_;

	return qq{(SELECT json_agg(json_build_object(
		'id', 'p' || n,
		'vector', (SELECT json_agg(round(sin(n * 7 + d)::numeric, 4)) FROM generate_series(1, $dimension) d),
		'metadata', json_build_object('n', n, 'parity', n % 2, 'tags', json_build_array('t' || n % 3))))
		FROM generate_series($first, $last) n)};
}

# Creates three collections, one for each distance, with 200 points each.  A
# fourth one is dropped again, so that the numbers of the tables have a gap.
sub fill
{
	my ($node, $db, %params) = @_;
	my $sql = "SELECT vecdb.create_collection('gone', 3); SELECT vecdb.drop_collection('gone');\n";

	foreach my $distance (qw(cosine euclidean dot))
	{
		$sql .= "SELECT vecdb.create_collection('by-$distance', 16, '$distance');\n"
		  . "SELECT vecdb.upsert('by-$distance', " . points(1, 200, 16) . ");\n";
	}
	$node->safe_psql($db, $sql, %params);
}

# What a database answers: the list of its collections, the whole content of
# each, searches with and without a filter.
sub answers
{
	my ($node, $db, %params) = @_;
	my $query = '[' . join(',', map { sprintf('%.4f', cos($_)) } 1 .. 16) . ']';
	my $sql = "SELECT * FROM vecdb.list_collections();\n";

	foreach my $distance (qw(cosine euclidean dot))
	{
		$sql .= <<"SQL";
SELECT * FROM vecdb.get_collection('by-$distance');
SELECT * FROM vecdb.get_point('by-$distance', 'p17');
SELECT vecdb.count('by-$distance', '{"tags": {"\$contains": "t1"}}');
SELECT id, score, metadata, vector FROM vecdb.search('by-$distance', '$query', 200, include_vector => true);
SELECT id, score FROM vecdb.search('by-$distance', '$query', 10, '{"n": {"\$gte": 100}, "parity": 1}');
SQL
	}
	return $node->safe_psql($db, $sql, %params);
}

# One test: each registered collection has its table, and the other way round.
sub registry_is_sound
{
	my ($node, $db, $name) = @_;

	is( $node->safe_psql(
			$db, q{
			SELECT 'no table: ' || name FROM vecdb.collections
			 WHERE vecdb.collection_table(id) IS NULL
			UNION ALL
			SELECT 'not registered: ' || relname FROM pg_class
			 WHERE relnamespace = to_regnamespace('vecdb_data') AND relkind = 'r'
			   AND relname NOT IN (SELECT 'c_' || id FROM vecdb.collections)}),
		'',
		$name);
}

# The SQLSTATE and message of the error that a statement raises, or ''.
sub error_of
{
	my ($node, $db, $sql, %params) = @_;
	my $stderr = '';

	$node->psql($db, "\\set VERBOSITY verbose\n$sql", stderr => \$stderr,
		on_error_stop => 1, %params);
	return $stderr =~ /ERROR:  (.*)/ ? $1 : '';
}

1;
