# Filtered searches while others insert, update, delete and vacuum the rows, and
# rebuild the indexes: no error, no row twice, none that does not match, none
# missing, nearest first; with every strategy.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecdbFilter qw(create_items strategies search_script start_scripts stop_scripts without_node);

use constant ROWS => 1500;
# Searches of each strategy, of all filters each.
use constant SEARCHES => $ENV{VECDB_FILTER_SEARCHES} || 60;

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\njit = off\nlog_statement = none");
$node->start;
create_items($node, 'postgres', ROWS);
is(without_node($node, 'postgres'), '', 'all searches are by the node, where there is one');

my $set = '\set id random(1, ' . ROWS . ")\n\\set seed random(1, 200000)\n";
my $writers = start_scripts(
	$node, 'postgres', 3,
	insert => [ 8, $set . "INSERT INTO items VALUES (:id, item_vector(:seed), item_metadata(:seed), 0) ON CONFLICT DO NOTHING;\n" ],
	move => [ 3, $set . "UPDATE items SET v = item_vector(:seed) WHERE id = :id;\n" ],
	mark => [ 3, $set . "UPDATE items SET m = item_metadata(:seed) WHERE id = :id;\n" ],
	note => [ 4, $set . "UPDATE items SET note = note + 1 WHERE id BETWEEN :id AND :id + 5;\n" ],
	empty => [ 1, $set . "UPDATE items SET v = NULL WHERE id = :id;\n" ],
	delete => [ 4, $set . "DELETE FROM items WHERE id = :id;\n" ],
	rollback => [ 1, $set . "BEGIN;\nUPDATE items SET v = item_vector(:seed), m = item_metadata(:seed) WHERE id = :id;\nROLLBACK;\n" ],
	vacuum => [ 2, "VACUUM (SKIP_LOCKED) items;\n" ]);

foreach my $strategy (strategies($node, 'postgres'))
{
	my ($name) = $strategy =~ /= (\w+)/ ? $1 : 'as planned';
	my $file = PostgreSQL::Test::Utils::tempdir . '/search.sql';
	my ($output, $errors);

	open my $fh, '>', $file or die "$file: $!";
	print $fh search_script($strategy);
	close $fh;
	IPC::Run::run([ 'pgbench', '-n', '-c', 2, '-j', 1, '-t', SEARCHES / 2, '-f', $file, $node->connstr('postgres') ],
		'>', \$output, '2>', \$errors);
	is(join("\n", grep { /ERROR:|FATAL:|aborted/ } split /\n/, $errors), '', "$name: every answer is right");
	like($output, qr/number of transactions actually processed: @{[SEARCHES]}\/@{[SEARCHES]}/, "$name: all searches were made");
	$node->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY items_v; REINDEX INDEX CONCURRENTLY items_m')
	  if $name ne 'vector';
}
is(stop_scripts($writers), '', 'the writers met no error');
is($node->safe_psql('postgres', 'SELECT count(*) > 500 FROM items WHERE v IS NOT NULL'), 't', 'there are rows');
is($node->safe_psql('postgres', q{SELECT * FROM vecdb_index_check('items_v', heap_all_indexed => true)}), '',
	'the index is sound');

$node->stop;
done_testing();
