# shellcheck shell=bash
#
# suites.sh: the test suites: test.
#
# Everything happens below STATE/test: a private PostgreSQL, a copy of the
# sources, temporary clusters that only listen on sockets.  A running demo is
# not disturbed.  As root the suites run as the user of the servers, since
# PostgreSQL refuses root.
#
# suite_NAME [TESTS...] runs one suite and counts what its harness reports; a
# suite that crashes, hangs or runs nothing counts as one more failure.  In CI
# a skip is a failure, too, unless its reason begins with "platform:".

readonly SUITES="lint unit regress isolation filter planner tap http"

# Where in test/ the tests of a suite are.
declare -A SUITE_HOME=([lint]=lint [unit]=unit [regress]=../sql [isolation]=isolation
	[filter]=filter [planner]=planner [tap]=t [http]=http)

# Seconds; a suite that hangs must not hang CI.
readonly SUITE_TIMEOUT=${VECDB_SUITE_TIMEOUT:-1500}

# --- counting -------------------------------------------------------------

# count PASSED FAILED SKIPPED
count() {
	PASSED=$((PASSED + $1))
	FAILED=$((FAILED + $2))
	SKIPPED=$((SKIPPED + $3))
}

# problem MESSAGE: something went wrong that no harness counted.
problem() {
	printf 'not ok: %s\n' "$*"
	count 0 1 0
}

# count_skips NUMBER FILE: NUMBER tests were skipped, FILE shows the reasons.
count_skips() {
	local number=$1 excused

	excused=$(grep -c 'platform:' "$2") || true
	[ "$excused" -le "$number" ] || excused=$number
	if [ "${CI:-}" = true ] && [ "$number" -gt "$excused" ]; then
		problem "$((number - excused)) skipped for a reason that is not the platform's"
		count 0 $((number - excused - 1)) "$excused"
	else
		count 0 0 "$number"
	fi
}

# count_lines LABEL STATUS FILE: add up FILE's lines "N passed, N failed" with
# an optional ", N skipped".
count_lines() {
	local label=$1 status=$2 file=$3 passed failed skipped

	read -r passed failed skipped < <(
		sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed\(, \([0-9]*\) skipped\)\{0,1\}$/\1 \2 \4/p' "$file" |
			awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
	count "$passed" "$failed" 0
	count_skips "$skipped" "$file"
	if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
		problem "$label ended with status $status"
	elif [ $((passed + failed + skipped)) -eq 0 ]; then
		problem "$label ran no test"
	fi
}

# --- running --------------------------------------------------------------

# in_tree [NAME=VALUE...] COMMAND...: run in the copy of the sources, as the
# user of the servers unless RUN_AS says otherwise.
in_tree() {
	local limit=()

	# At a terminal the user is the limit, and ^C must reach every process.
	[ -t 0 ] || limit=(timeout --kill-after=20 "$SUITE_TIMEOUT")
	"${RUN_AS:-as_server}" "${limit[@]}" env -C "$TREE" CI="${CI:-}" TMPDIR="$SCRATCH" \
		PG_CONFIG="$PGBIN/pg_config" PGBIN="$PGBIN" PYTHONDONTWRITEBYTECODE=1 "$@" < /dev/null
}

as_caller() {
	(cd / && exec "$@" 9>&-)
}

# logged FILE COMMAND...: run it, show its output and keep it in FILE; sets
# STATUS.
logged() {
	local file=$1

	shift
	STATUS=0
	"$@" 2>&1 | tee "$file" || STATUS=$?
	case $STATUS in
		124 | 137) printf 'stopped after %s seconds\n' "$SUITE_TIMEOUT" ;;
	esac
}

# show_diffs FILE: the differences that a regression test left.
show_diffs() {
	if [ -s "$1" ]; then
		printf -- '--- %s\n' "$1"
		head -n 500 "$1"
		printf -- '---\n'
	fi
}

# --- set-up ---------------------------------------------------------------

# Everything but the build: fails by die only.
prepare_tests() {
	make_state $((1500 * 1024))
	lock test
	install_needs test
	check_server_user
	TEST=$STATE/test
	OUT=$TEST/out
	TREE=$TEST/build/src
	mkdir -p "$OUT" "$TEST/build"
	own "$TEST/build"
	SCRATCH=$(mktemp -d /tmp/vecdb-test.XXXXXX)
	chmod 0755 "$SCRATCH"
	own "$SCRATCH"
	make_root "$TEST/root"
	own "$TEST/root"
	OWNER=as_server
	update_tree "$TREE"
}

# What a suite that was stopped left running: the servers that name one of its
# directories in their command line.
stop_leftovers() {
	local dir file process

	for dir in "$SCRATCH" "$TREE/tmp_check"; do
		[ -d "$dir" ] || continue
		while read -r file; do
			stop_cluster "${file%/*}" immediate
		done < <(find "$dir" -name postmaster.pid)
		for process in /proc/[0-9]*; do
			if tr '\0' ' ' < "$process/cmdline" 2> /dev/null | grep -qF -- " $dir/"; then
				kill "${process#/proc/}" 2> /dev/null
			fi
		done
	done
}

# At every exit.  One that comes before the results is a failure, too, and the
# last line says so.
end_tests() {
	set +e
	if [ -n "${CLUSTER:-}" ]; then
		stop_cluster "$CLUSTER" immediate
		as_server rm -rf "$CLUSTER"
	fi
	if [ -n "${SCRATCH:-}" ]; then
		stop_leftovers > /dev/null 2>&1
		rm -rf "$SCRATCH"
	fi
	if [ $DONE = no ]; then
		totals $((TOTAL_FAILED + FAILED + 1))
	fi
}

# totals FAILED: the last line of every run.
totals() {
	printf '%d passed, %d failed, %d skipped\n' $TOTAL_PASSED "$1" $TOTAL_SKIPPED
}

# One temporary cluster serves the suites that need no more than one.
test_cluster() {
	[ -z "${CLUSTER:-}" ] || return 0
	step "Creating a temporary cluster"
	stop_cluster "$TEST/build/cluster" immediate
	as_server rm -rf "$TEST/build/cluster"
	init_cluster "$TEST/build/cluster" --auth=trust --no-sync
	CLUSTER=$TEST/build/cluster
	as_server tee -a "$CLUSTER/postgresql.conf" > /dev/null <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$SCRATCH'
	unix_socket_permissions = 0700
	fsync = off
	log_line_prefix = '%m [%p] %q%a '
	CONF
	CLUSTER_ENV=(PGHOST="$SCRATCH" PGPORT=5432 PGUSER=postgres)
	as_server touch "$TEST/build/cluster.log"
	if ! start_cluster "$CLUSTER" "$TEST/build/cluster.log"; then
		show_log "$TEST/build/cluster.log"
		die "the temporary cluster does not start"
	fi
}

# --- suites ---------------------------------------------------------------

suite_lint() {
	logged "$OUT/lint" in_tree PATH="$PATH" test/lint/run "$@"
	count_lines lint "$STATUS" "$OUT/lint"
}

suite_unit() {
	local names=("${@/#/test/unit/}")

	logged "$OUT/unit" in_tree make -s PG_CONFIG="$PGBIN/pg_config" \
		${names[0]:+UNIT="${names[*]}"} unit
	count_lines unit "$STATUS" "$OUT/unit"
}

# regression LABEL WANTED DIFFS MAKE-ARGUMENTS...: pg_regress or isolation.
# Counts the lines of both output styles (TAP since PostgreSQL 16).
regression() {
	local label=$1 wanted=$2 diffs=$3 passed failed

	shift 3
	test_cluster
	as_server rm -f "$diffs"
	logged "$OUT/$label" in_tree "${CLUSTER_ENV[@]}" make -s PG_CONFIG="$PGBIN/pg_config" "$@" installcheck
	passed=$(grep -cE '^(test|  +)[^.]*\.\.\. ok|^ok [0-9]+ ' "$OUT/$label") || true
	failed=$(grep -cE '^(test|  +)[^.]*\.\.\. (FAILED|failed)|^not ok [0-9]+ ' "$OUT/$label") || true
	count "$passed" "$failed" 0
	if [ $((passed + failed)) -ne "$wanted" ] || [ "$wanted" -eq 0 ]; then
		problem "$label ran $((passed + failed)) of $wanted tests"
	elif [ "$STATUS" -ne 0 ] && [ "$failed" -eq 0 ]; then
		problem "$label ended with status $STATUS"
	fi
	show_diffs "$diffs"
}

suite_regress() {
	local names=("$@")

	[ $# -gt 0 ] || readarray -t names < <(cd "$TREE/sql" && printf '%s\n' *.sql | sed 's/\.sql$//')
	regression regress ${#names[@]} "$TREE/regression.diffs" ISOLATION= TAP_TESTS= REGRESS="${names[*]}"
}

suite_isolation() {
	local names=("$@")

	[ $# -gt 0 ] ||
		readarray -t names < <(cd "$TREE/test/isolation/specs" && printf '%s\n' *.spec | sed 's/\.spec$//')
	regression isolation ${#names[@]} "$TREE/test/isolation/regression.diffs" \
		REGRESS= TAP_TESTS= ISOLATION="${names[*]}"
}

# TESTS are the program's own arguments: --seed N, --rounds N.
suite_filter() {
	test_cluster
	as_server env "${CLUSTER_ENV[@]}" "$PGBIN/dropdb" --if-exists filter_check > /dev/null 2>&1
	as_server env "${CLUSTER_ENV[@]}" "$PGBIN/createdb" filter_check
	as_server env "${CLUSTER_ENV[@]}" "$PGBIN/psql" -Xq -d filter_check -c 'CREATE EXTENSION vecdb'
	logged "$OUT/filter" in_tree "${CLUSTER_ENV[@]}" PGDATABASE=filter_check \
		"$PYTHON" test/filter/check_filter.py "$@"
	count_lines filter "$STATUS" "$OUT/filter"
}

# TESTS are the program's own arguments: --seed N, --rounds N.
suite_planner() {
	test_cluster
	as_server env "${CLUSTER_ENV[@]}" "$PGBIN/dropdb" --if-exists planner_check > /dev/null 2>&1
	as_server env "${CLUSTER_ENV[@]}" "$PGBIN/createdb" planner_check
	logged "$OUT/planner" in_tree "${CLUSTER_ENV[@]}" PGDATABASE=planner_check \
		"$PYTHON" test/planner/check_search.py "$@"
	count_lines planner "$STATUS" "$OUT/planner"
}

suite_tap() {
	local files=("${@/#/test/t/}") lib pgxs

	pgxs=$("$PGBIN/pg_config" --pgxs)
	lib=${pgxs%/makefiles/*}/test
	[ $# -gt 0 ] || files=("$TREE"/test/t/*.pl)
	as_server rm -rf "$TREE/tmp_check"
	as_server mkdir "$TREE/tmp_check"
	logged "$OUT/tap" in_tree TESTDIR="$TREE" TESTDATADIR="$TREE/tmp_check" \
		TESTLOGDIR="$TREE/tmp_check/log" PG_REGRESS="$lib/regress/pg_regress" \
		PERL5LIB="$lib/perl:$TREE/test/perl" perl test/run_tap.pl "${files[@]}"
	count_lines tap "$STATUS" "$OUT/tap"
}

# As root it runs as root, since http/serve does then, too; PostgreSQL and
# whatever serve starts run as the user of the servers all the same.
suite_http() {
	local RUN_AS=as_caller files=("${@/#/test/http/}") junit=$TEST/build/http.xml passed failed skipped

	get_postgrest
	prepare_python
	prepare_node
	[ $# -gt 0 ] || files=(test/http)
	rm -f "$junit"
	logged "$OUT/http" in_tree POSTGREST="$POSTGREST" "$TEST/venv/bin/python" -m pytest \
		-p no:cacheprovider -rs --tb=short --junitxml="$junit" "${files[@]}"
	if ! read -r passed failed skipped < <("$PYTHON" "$VECDB_DIR/test/count_junit.py" "$junit"); then
		problem "http left no result, status $STATUS"
		return
	fi
	count "$passed" "$failed" 0
	count_skips "$skipped" "$OUT/http"
	if [ $((passed + failed + skipped)) -eq 0 ]; then
		problem "http ran no test"
	elif [ "$STATUS" -ne 0 ] && [ "$failed" -eq 0 ]; then
		problem "http ended with status $STATUS"
	fi
}

# The Python environment and the npm packages of the HTTP tests, made by us,
# whose package clients are configured, and only read by the tests.
prepare_python() {
	local stamp

	stamp="$("$PYTHON" --version) $(cd "$VECDB_DIR" && checksum test/http/requirements.txt)"
	if ! stamp_is "$TEST/venv/stamp" "$stamp"; then
		step "Installing the HTTP tests' Python packages"
		rm -rf "$TEST/venv"
		if ! "$PYTHON" -m venv "$TEST/venv" > "$OUT/venv" 2>&1 ||
			! "$TEST/venv/bin/python" -m pip install -q -r "$VECDB_DIR/test/http/requirements.txt" \
				>> "$OUT/venv" 2>&1; then
			show_log "$OUT/venv"
			die "cannot install the Python packages of test/http/requirements.txt" \
				"Check that pip reaches its registry."
		fi
		chmod -R a+rX "$TEST/venv"
		printf '%s\n' "$stamp" > "$TEST/venv/stamp"
	fi
}

prepare_node() {
	local stamp

	[ -f "$VECDB_DIR/test/http/package.json" ] || return 0
	stamp=$(cd "$VECDB_DIR" && checksum test/http/package.json test/http/package-lock.json)
	if ! stamp_is "$TEST/node/stamp" "$stamp"; then
		step "Installing the HTTP tests' npm packages"
		rm -rf "$TEST/node"
		mkdir -p "$TEST/node"
		cp "$VECDB_DIR"/test/http/package*.json "$TEST/node/"
		if ! (cd "$TEST/node" && npm ci --no-audit --no-fund) > "$OUT/npm" 2>&1; then
			show_log "$OUT/npm"
			die "cannot install the npm packages of test/http/package.json" \
				"Check that npm reaches its registry."
		fi
		chmod -R a+rX "$TEST/node"
		printf '%s\n' "$stamp" > "$TEST/node/stamp"
	fi
	as_server ln -sfn "$TEST/node/node_modules" "$TREE/test/http/node_modules"
}

# --- the command ----------------------------------------------------------

run_suite() {
	local suite=$1

	shift
	PASSED=0 FAILED=0 SKIPPED=0
	step "Suite: $suite"
	if [ -e "$VECDB_DIR/test/${SUITE_HOME[$suite]}" ]; then
		"suite_$suite" "$@"
	else
		problem "there is no test/${SUITE_HOME[$suite]}"
	fi
	SUMMARY+=("$(printf '%-10s %5d passed, %d failed, %d skipped' "$suite" $PASSED $FAILED $SKIPPED)")
	TOTAL_PASSED=$((TOTAL_PASSED + PASSED))
	TOTAL_FAILED=$((TOTAL_FAILED + FAILED))
	TOTAL_SKIPPED=$((TOTAL_SKIPPED + SKIPPED))
	FAILED=0
}

cmd_test() {
	local suite wanted=$SUITES

	SUMMARY=() TOTAL_PASSED=0 TOTAL_FAILED=0 TOTAL_SKIPPED=0 FAILED=0 DONE=no
	if [ $# -gt 0 ]; then
		case " $SUITES " in
			*" $1 "*) wanted=$1 ;;
			*) die "unknown suite \"$1\"" "The suites are: $SUITES" ;;
		esac
		shift
	fi
	trap end_tests EXIT
	trap 'exit 130' INT TERM HUP
	prepare_tests
	step "Building, warnings are errors"
	build_into "$TREE" || die "the extension does not build: no suite was run"
	for suite in $wanted; do
		run_suite "$suite" "$@"
	done
	step "Results"
	printf '    %s\n' "${SUMMARY[@]}"
	DONE=yes
	totals $TOTAL_FAILED
	[ $TOTAL_FAILED -eq 0 ] && [ $TOTAL_PASSED -gt 0 ]
}
