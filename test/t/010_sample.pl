# The sample: its files are sound, sample/load is idempotent and mends, and the
# questions find the papers that they should.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# What exact search reached when the vectors were made, less a little for
# another kernel's rounding: measured 25, 19 and 0.777.
my $MIN_TOP3   = 25;
my $MIN_FIRST  = 18;
my $MIN_RECALL = 0.75;

my $sample = "$FindBin::RealBin/../../sample";

# Returns the decoded value of a JSON text in UTF-8.
sub decode
{
	return JSON::PP->new->utf8->decode($_[0]);
}

my %papers;
my @ids;
foreach my $line (split /\n/, slurp_file("$sample/papers.jsonl"))
{
	my $paper = decode($line);
	push @ids, $paper->{id};
	$papers{ $paper->{id} } = $paper;
}
my $questions = decode(slurp_file("$sample/questions.json"));

# The files.
cmp_ok(scalar @ids, '>=', 500, 'there are about 500 papers');
is(join(' ', @ids), join(' ', sort keys %papers), 'papers are sorted by a unique id');
is(scalar @$questions, 25, 'there are 25 questions');
my @odd = grep {
	my $p = $papers{$_};
	my $words = () = $p->{summary} =~ /\S+/g;
	join(' ', sort keys %$p) ne 'authors field id summary title year'
	  || $p->{year} !~ /^\d{4}$/
	  || $p->{id} !~ /^[a-z0-9-]+$/
	  || $p->{id} !~ /-$p->{year}-/
	  || !@{ $p->{authors} }
	  || grep({ !length } @{ $p->{authors} }, $p->{title}, $p->{field})
	  || $words < 12
	  || $words > 45
} @ids;
is("@odd", '', 'every paper is complete');
is(join(' ', grep { !$papers{$_} } map { @{ $_->{expect} } } @$questions),
	'', 'every expected paper exists');

my $node = PostgreSQL::Test::Cluster->new('sample');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION vecdb');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';

# Runs sample/load with arguments; returns (success, stdout, stderr).
sub load
{
	my ($out, $err);
	my $ok = IPC::Run::run([ "$sample/load", @_ ], '>', \$out, '2>', \$err);
	return ($ok, $out, $err);
}

# Returns what identifies the physical rows of the collection: any write to it
# changes this.
sub physical_rows
{
	return $node->safe_psql(
		'postgres', q{
		DO $$
		BEGIN
			EXECUTE format('CREATE OR REPLACE TEMP VIEW sample_rows AS SELECT id, ctid, xmin, xmax FROM %s',
				(SELECT vecdb.collection_table(id) FROM vecdb.collections WHERE name = 'papers'));
		END $$;
		SELECT md5(string_agg(r::text, ',' ORDER BY id)) FROM sample_rows r;});
}

# The loader.
my $n = @ids;
my ($ok, $out, $err) = load();
ok($ok, 'sample/load succeeds') or diag($err);
is($out, "collection \"papers\": $n papers, $n written, 0 already there\n",
	'the first run writes every paper');
is( $node->safe_psql('postgres', 'SELECT dimension, distance, count FROM vecdb.list_collections()'),
	"384|cosine|$n",
	'the collection is what it should be');

my $before = physical_rows();
($ok, $out, $err) = load();
is($out, "collection \"papers\": $n papers, 0 written, $n already there\n",
	'the second run finds every paper');
is(physical_rows(), $before, 'and writes nothing');

$node->safe_psql(
	'postgres', q{
	SELECT vecdb.delete_points('papers', '{bayes-1763-doctrine}');
	SELECT vecdb.upsert('papers', json_build_array(
		json_build_object('id', 'turing-1936-computable', 'metadata', json_build_object('title', 'changed'),
			'vector', (SELECT vector::json FROM vecdb.get_point('papers', 'turing-1936-computable'))),
		json_build_object('id', 'mine',
			'vector', (SELECT vector::json FROM vecdb.get_point('papers', 'nash-1950-equilibrium'))),
		json_build_object('id', 'shannon-1948-communication', 'metadata',
			(SELECT metadata::json FROM vecdb.get_point('papers', 'shannon-1948-communication')),
			'vector', (SELECT vector::json FROM vecdb.get_point('papers', 'nash-1950-equilibrium')))));
});
($ok, $out, $err) = load();
is( $out,
	"collection \"papers\": $n papers, 3 written, " . ($n - 3) . " already there\n",
	'a missing, a changed and a misplaced paper are mended');
is( $node->safe_psql(
		'postgres', q{
	SELECT metadata->>'title' FROM vecdb.get_point('papers', 'turing-1936-computable');
	SELECT count(*) FROM vecdb.get_point('papers', 'mine');
	SELECT vecdb.delete_points('papers', '{mine}')}),
	"$papers{'turing-1936-computable'}{title}\n1\n1",
	'and a point of one\'s own is left alone');

isnt(physical_rows(), $before, 'which the check of the second run would have seen');

my $point = decode($node->safe_psql('postgres',
	q{SELECT metadata FROM vecdb.get_point('papers', 'godel-1931-undecidable')}));
my %expected = %{ $papers{'godel-1931-undecidable'} };
delete $expected{id};
is_deeply($point, \%expected, 'metadata arrives whole, with its accents');

$node->safe_psql('postgres', q{SELECT FROM vecdb.create_collection('small', 3, 'dot')});
($ok, $out, $err) = load('small');
ok(!$ok, 'a collection of another shape is refused');
like($err, qr/collection "small" exists with 3 dimensions and distance dot/, 'with a clear message');
$node->safe_psql('postgres', 'CREATE DATABASE bare');
{
	local $ENV{PGDATABASE} = 'bare';
	($ok, $out, $err) = load();
	like($err, qr/extension vecdb is not installed/, 'a database without the extension is told so');
}
{
	local $ENV{PGPORT} = 1;
	($ok, $out, $err) = load();
	ok(!$ok && $err =~ /nothing was loaded/, 'no server: no success');
}

# The questions.
my ($first, $top3, $recall) = (0, 0, 0);
my @top;
foreach my $number (1 .. @$questions)
{
	my $question = $questions->[ $number - 1 ];
	my %expect   = map { $_ => 1 } @{ $question->{expect} };
	my ($vector) = run_command([ "$sample/question", $number ]);
	my @found    = split /\n/,
	  $node->safe_psql('postgres', "SELECT id FROM vecdb.search('papers', '$vector', 5)");
	is(scalar @found, 5, "question $number gets five papers");
	my @hit = grep { $expect{$_} } @found;
	my $possible = keys %expect < 5 ? keys %expect : 5;

	$first++ if $expect{ $found[0] };
	$recall += @hit / $possible;
	ok((grep { $expect{$_} } @found[ 0 .. 2 ]),
		"one of the first three is expected: $question->{question}")
	  and $top3++;
	@top = @found if $number == 1;
}
$recall /= @$questions;
note(sprintf('first %d, top 3 %d of %d, recall of the top 5 %.3f',
		$first, $top3, scalar @$questions, $recall));
cmp_ok($top3,   '>=', $MIN_TOP3,   'questions with an expected paper in the top 3');
cmp_ok($first,  '>=', $MIN_FIRST,  'questions with an expected paper first');
cmp_ok($recall, '>=', $MIN_RECALL, 'recall of the top 5');

# The meaning, not the words: the question says neither "cat" nor anything
# else that the papers say.
is($questions->[0]{question}, 'papers about feline behavior', 'the first question');
foreach my $id (@top[ 0 .. 2 ])
{
	my $text = "$papers{$id}{title} $papers{$id}{summary}";
	like($text, qr/\bcats?\b/i, "$id is about cats");
	unlike($text, qr/feline|behavio/i, "and $id has neither word of the question");
}

my ($listed) = run_command(["$sample/question"]);
is(scalar(my @lines = split /\n/, $listed), 25, 'sample/question lists the questions');
my ($text) = run_command([ "$sample/question", '--text', 'cigarettes' ]);
is($text, 'cigarettes and cancer', 'and finds one by a part of its text');
command_fails_like([ "$sample/question", '26' ],
	qr/questions 1 to 25, not 26/, 'a number out of range is refused');
command_fails_like([ "$sample/question", 'the' ],
	qr/7 questions contain "the"/, 'so is an ambiguous text');

$node->stop;
done_testing();
