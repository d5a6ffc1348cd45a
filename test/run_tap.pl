#!/usr/bin/perl
#
# run_tap.pl FILE...: run TAP tests one after the other, show what failed and
# why something was skipped, and end with "N passed, N failed, N skipped".
#
# prove(1) prints no number of assertions that failed; a file that died after
# its last assertion, or ran fewer than it planned, is one more failure here.

use strict;
use warnings;

use File::Basename;
use TAP::Harness;

my ($passed, $failed, $skipped) = (0, 0, 0);

my $harness = TAP::Harness->new({ verbosity => 0, failures => 1, merge => 0 });

$harness->callback(
	made_parser => sub {
		my ($parser, $test) = @_;

		$parser->callback(
			test => sub {
				my ($result) = @_;

				if ($result->has_skip)
				{
					printf "skipped in %s: %s\n", $test->[1], $result->explanation;
				}
			});
	});

$harness->callback(
	after_test => sub {
		my ($test, $parser) = @_;
		my $skips = $parser->skipped;
		my $failures = $parser->failed;

		if ($parser->skip_all)
		{
			printf "skipped %s: %s\n", $test->[1], $parser->skip_all;
			$skipped++;
			return;
		}
		$passed += $parser->passed - $skips;
		$skipped += $skips;
		if ($failures == 0 && ($parser->has_problems || $parser->tests_run == 0))
		{
			printf "not ok: %s: %s\n", $test->[1],
			  join('; ', $parser->parse_errors) || 'exit status ' . $parser->exit;
			$failures = 1;
		}
		$failed += $failures;
		show_log($test->[1]) if $failures;
	});

# The end of what the test and its servers logged.
sub show_log
{
	my $name = basename(shift, '.pl');
	my $log = "tmp_check/log/regress_log_$name";

	return unless open my $fh, '<', $log;
	my @lines = <$fh>;
	splice @lines, 0, -60 if @lines > 60;
	print "--- end of $log\n", @lines, "---\n";
	close $fh;
}

$harness->runtests(@ARGV) if @ARGV;
printf "%d passed, %d failed, %d skipped\n", $passed, $failed, $skipped;
exit($failed == 0 && $passed > 0 ? 0 : 1);
