# shellcheck shell=bash
#
# server.sh: PostgreSQL servers built from source to find faults.  Sourced by
# the programs of this directory and of test/fuzz.
#
#   cassert  gcc, assertions, and the memory checks that valgrind understands
#   asan     clang, assertions, AddressSanitizer, UndefinedBehaviorSanitizer
#
# Everything is in SERVER_STATE, by default /var/lib/vecdb/server for root, or
# ~/.local/state/vecdb/server: postgresql-VERSION (sources), KIND/build, KIND/pg
# (the installation), KIND/home (what ./vecdb test makes), KIND/reports.
#
# The sources are PG_SOURCE, a directory or tar file; or those of
# SERVER_VERSION; or of the minor version of PG_CONFIG; or of any that the
# distribution has, since here the faults of vecdb are looked for.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly ROOT

# shellcheck source=test/core/sources.sh
. "$ROOT/test/core/sources.sh"

fail() {
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	shift
	[ $# -eq 0 ] || printf "${0##*/}: hint: %s\n" "$@" >&2
	exit 1
}

say() {
	printf '== %s\n' "$*"
}

# as_server COMMAND...: as the user who may run a server.
as_server() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups \
			env -i PATH="$PGROOT/bin:$PATH" LC_ALL=C.UTF-8 TMPDIR=/tmp "$@"
	else
		env PATH="$PGROOT/bin:$PATH" LC_ALL=C.UTF-8 "$@"
	fi
}

# Sets TREE, the sources.
get_sources() {
	local config=${PG_CONFIG:-pg_config} version tried=()

	if [ -n "${PG_SOURCE:-}" ]; then
		TREE=$STATE/given
		[ ! -d "$PG_SOURCE" ] || TREE=$(cd "$PG_SOURCE" && pwd)
		[ -d "$PG_SOURCE" ] || unpack "$PG_SOURCE" "$TREE"
		return
	fi
	version=$("$config" --version | sed 's/^PostgreSQL \([0-9.]*\).*/\1/')
	# What is there already, before anything is fetched.
	for TREE in "$STATE/postgresql-${SERVER_VERSION:-$version}" "$STATE/postgresql-${version%%.*}".*; do
		[ ! -f "$TREE/configure" ] || return 0
	done
	# shellcheck disable=SC2046
	for version in ${SERVER_VERSION:-$version $(distribution_versions "${version%%.*}")}; do
		say "Getting the sources of PostgreSQL $version"
		TREE=$STATE/postgresql-$version
		if from_distribution "$version" || from_site "$version"; then
			return
		fi
		tried+=("$version")
	done
	fail "no sources of PostgreSQL can be had (tried: ${tried[*]})" \
		"PG_SOURCE names a source directory or tar file."
}

# 15.18 and earlier minor versions forget the ctid of a row that an index scan
# has held back until its exact distance was due (ExecForceStoreHeapTuple), which
# the suites look at.
mend_sources() {
	perl -0pi -e 's/(\tbslot->base\.tuple = heap_copytuple\(tuple\);\n)(\t+slot->tts_flags)/$1\t\tslot->tts_tid = tuple->t_self;\n$2/' \
		"$TREE/src/backend/executor/execTuples.c"
}

# What the sanitizers do is compiled in, since a server's environment is not ours
# everywhere.  Reports go to files, and end the process, which tests notice.
# PostgreSQL measures its stack's depth, which fake stacks confuse, and does not
# free what ends with its processes.
sanitizer_options() {
	cat > "$1/options.c" <<-OPTIONS
	const char *__asan_default_options(void);
	const char *__ubsan_default_options(void);
	const char *
	__asan_default_options(void)
	{
		return "detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:"
			"disable_coredump=1:strict_string_checks=0:log_path=$1/reports/report";
	}
	const char *
	__ubsan_default_options(void)
	{
		return "print_stacktrace=1:abort_on_error=1:log_path=$1/reports/report";
	}
	OPTIONS
	"${CLANG:-clang-14}" -c -o "$1/options.o" "$1/options.c"
}

# configure_server KIND: in the directory of the build.
configure_server() {
	local kind=$1 common=(--prefix="$STATE/$1/pg" --enable-cassert --enable-debug --enable-tap-tests
		--without-icu --without-readline --with-openssl)

	case $kind in
		cassert)
			"$TREE/configure" "${common[@]}" CC=gcc CFLAGS="-O1 -g -fno-omit-frame-pointer" \
				CPPFLAGS="$([ ! -f /usr/include/valgrind/memcheck.h ] || echo -DUSE_VALGRIND)" ;;
		asan)
			sanitizer_options "$STATE/$kind"
			# detect_leaks: configure's own programs leak
			env ASAN_OPTIONS=detect_leaks=0 "$TREE/configure" "${common[@]}" CC="${CLANG:-clang-14}" \
				CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
				LDFLAGS="-fsanitize=address,undefined" LDFLAGS_EX="$STATE/$kind/options.o" ;;
		*) fail "there is no kind of server \"$kind\"" ;;
	esac
}

# build_server KIND: have the server of that kind; sets PGROOT, REPORTS, TREE.
build_server() {
	local kind=$1 dir log

	find_state server "${SERVER_STATE:-}"
	get_sources
	dir=$STATE/$kind
	log=$dir/build.log
	PGROOT=$dir/pg
	REPORTS=$dir/reports
	if [ ! -f "$dir/built" ] || [ "$(cat "$dir/built")" != "$(version_of "$TREE")" ]; then
		say "Building PostgreSQL $(version_of "$TREE"), $kind: log in $log"
		rm -rf "$dir"
		mkdir -p "$dir/build"
		mend_sources
		if ! (cd "$dir/build" && configure_server "$kind" && make -s -j2 && make -s install) > "$log" 2>&1; then
			tail -n 30 "$log" >&2
			fail "PostgreSQL does not build" "Debian's package postgresql-15 names what it needs: apt-get build-dep."
		fi
		version_of "$TREE" > "$dir/built"
	fi
	mkdir -p "$REPORTS" "$dir/home"
	rm -f "$REPORTS"/*
	# every process of a server may report
	chmod 1777 "$REPORTS"
	chmod -R a+rX "$PGROOT"
}

# show_reports: what was found; fails if there is something.
show_reports() {
	local file found=0

	for file in "$REPORTS"/*; do
		[ -s "$file" ] || continue
		found=$((found + 1))
		printf -- '--- %s\n' "$file"
		head -n 60 "$file"
	done
	printf 'reports: %d\n' $found
	[ $found -eq 0 ]
}
