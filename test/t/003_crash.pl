# An immediate stop in the middle of concurrent upserts, deletions, creations
# and drops loses nothing that was committed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use VecdbTest qw(registry_is_sound);

# Workers, the work of each, and the confirmed steps after which we pull the
# plug: far fewer than there is work for, so that it hits them at work.
use constant WORKERS => 3;
use constant ROUNDS => 4000;
use constant CONFIRMED => 150;

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->append_conf('postgresql.conf', "checkpoint_timeout = 30s\nwal_writer_delay = 1ms");
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION vecdb;
	SELECT vecdb.create_collection('shared', 8, 'euclidean');
	});

# A worker's script: every step ends with a line that says what is now
# committed, as "what collection id value".
sub script
{
	my ($worker) = @_;
	my $sql = '';

	foreach my $n (1 .. ROUNDS)
	{
		my $id = "w$worker-" . $n % 40;
		my $vector = '[' . join(',', map { $worker * 1000 + $n + $_ } 1 .. 8) . ']';

		$sql .= qq{SELECT vecdb.upsert('shared', '[{"id": "$id", "vector": $vector, "metadata": {"n": $n}}]');\n}
		  . "\\echo point shared $id $n\n";
		if ($n % 7 == 0)
		{
			$sql .= "SELECT vecdb.delete_points('shared', ARRAY['$id']);\n\\echo gone shared $id $n\n";
		}
		if ($n % 5 == 0)
		{
			my $own = "own-$worker-" . $n / 5 % 3;

			$sql .= "SELECT vecdb.create_collection('$own', 3);\n\\echo created $own - $n\n"
			  . qq{SELECT vecdb.upsert('$own', '[{"id": "x", "vector": [1, 2, $n], "metadata": {"n": $n}}]');\n}
			  . "\\echo point $own x $n\n"
			  . "SELECT vecdb.drop_collection('$own');\n\\echo dropped $own - $n\n";
		}
	}
	return $sql;
}

my (@workers, @output);
foreach my $worker (1 .. WORKERS)
{
	my $script = PostgreSQL::Test::Utils::tempdir . "/worker-$worker.sql";

	PostgreSQL::Test::Utils::append_to_file($script, script($worker));
	$output[$worker] = '';
	push @workers, IPC::Run::start(
		[ 'psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $script ],
		'>', \$output[$worker], '2>', \my $errors);
}

my $confirmed = 0;
foreach my $wait (1 .. 6000)
{
	$_->pump_nb foreach @workers;
	$confirmed = grep { /^(point|gone|created|dropped) / } map { split /\n/ } @output[ 1 .. WORKERS ];
	last if $confirmed >= CONFIRMED;
	usleep(10_000);
}
cmp_ok($confirmed, '>=', CONFIRMED, 'the workers work');
$node->stop('immediate');
foreach my $worker (@workers)
{
	$worker->finish;
}
ok(!(grep { /ERROR/ } @output[ 1 .. WORKERS ]), 'no worker met an error before the stop');

my $finished = grep { /shared w\d-\d+ ${\ ROUNDS}$/m } @output[ 1 .. WORKERS ];
is($finished, 0, 'the stop hit every worker at work');

# What the confirmed steps leave behind.  The step that was under way when the
# server stopped may have been committed or not: what it touches is not judged.
my (%points, %collections, %open);
foreach my $worker (1 .. WORKERS)
{
	# A last line without its end was not read whole.
	my @lines = $output[$worker] =~ /^((?:point|gone|created|dropped) \S+ \S+ \d+)\n/mg;
	my ($last, $n);

	foreach (@lines)
	{
		my ($what, $collection, $id);

		($what, $collection, $id, $n) = split / /;
		$points{"$collection $id"} = $n if $what eq 'point';
		delete $points{"$collection $id"} if $what eq 'gone';
		$collections{$collection} = 1 if $what eq 'created';
		if ($what eq 'dropped')
		{
			delete $collections{$collection};
			delete $points{"$collection x"};
		}
		$last = $what;
	}
	# The next step of the script is one of: the next point, the deletion of
	# this one, or something with the own collection.
	$open{"shared w$worker-" . ($n % 40)} = 1;
	$open{"shared w$worker-" . (($n + 1) % 40)} = 1;
	$open{"own-$worker-" . int($n / 5) % 3} = 1;
}

$node->start;
registry_is_sound($node, 'postgres', 'registry and tables agree after the crash');

my %found = map { split /\|/, $_, 2 } split /\n/,
  $node->safe_psql('postgres', q{SELECT 'shared ' || id, metadata->>'n'
	FROM vecdb.search('shared', '[0,0,0,0,0,0,0,0]', 10000)});
my %existing = map { $_ => 1 } split /\n/,
  $node->safe_psql('postgres', q{SELECT name FROM vecdb.list_collections() WHERE name <> 'shared'});

my @wrong;
foreach my $key (grep { /^shared/ } keys %points)
{
	next if $open{$key};
	push @wrong, "$key is " . ($found{$key} // 'lost') . ", not $points{$key}"
	  if ($found{$key} // '') ne $points{$key};
}
foreach my $key (keys %found)
{
	push @wrong, "$key is there" unless $open{$key} || exists $points{$key};
}
is("@wrong", '', 'every committed upsert and deletion is there, and nothing else');

@wrong = grep { !$open{$_} && !$existing{$_} } keys %collections;
is("@wrong", '', 'every created collection is there');
@wrong = grep { !$open{$_} && !$collections{$_} } keys %existing;
is("@wrong", '', 'every dropped collection is gone');
cmp_ok(scalar(keys %found), '>', 20, 'there was something to lose');

# It goes on where it stopped.
is( $node->safe_psql('postgres', q{
		SELECT vecdb.upsert('shared', '[{"id": "after", "vector": [0,0,0,0,0,0,0,0]}]');
		SELECT id, score FROM vecdb.search('shared', '[0,0,0,0,0,0,0,0]', 1);
		SELECT (vecdb.create_collection('after', 2)).name}),
	"1\nafter|0\nafter",
	'the server takes new points and collections');

$node->stop;
done_testing();
