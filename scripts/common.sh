# shellcheck shell=bash
#
# common.sh: messages, state directory, users, locks, ports.
#
# Sourced by ./vecdb.  Everything that vecdb makes lives in one state
# directory per checkout, so that two checkouts never meet:
#
#   root      private copy of PostgreSQL with this checkout's extension
#   src       copy of the sources that it was built from
#   data      the demo's cluster        run   its socket
#   log       logs                      http  PostgREST and nginx
#   npm       PostgREST, if it had to be installed
#   test      the same again for ./vecdb test, which never touches the demo
#
# As root the servers run as the user "postgres", who may not be able to enter
# the checkout: whatever a server reads is copied to the state directory or
# goes through psql.

# --- messages -------------------------------------------------------------

step() {
	printf '==> %s\n' "$*"
}

note() {
	printf '    %s\n' "$*"
}

warn() {
	printf 'vecdb: warning: %s\n' "$*" >&2
}

# die MESSAGE [HINT...]: the only way out after an error.
die() {
	printf 'vecdb: error: %s\n' "$1" >&2
	shift
	[ $# -eq 0 ] || printf 'vecdb: hint: %s\n' "$@" >&2
	exit 1
}

# show_log FILE [LINES]: the end of a log, indented, on stderr.
show_log() {
	[ -s "$1" ] || return 0
	printf '    --- end of %s\n' "$1" >&2
	tail -n "${2:-20}" "$1" | sed 's/^/    /' >&2
	printf '    ---\n' >&2
}

# --- environment ----------------------------------------------------------

# Nothing of the caller's PostgreSQL set-up may leak into ours: a PGHOST would
# send the demo's SQL to another server.
clean_environment() {
	local name

	for name in ${!PG@}; do
		[ "$name" = PG_CONFIG ] || unset "$name"
	done
	unset CDPATH MAKEFLAGS MFLAGS MAKELEVEL
	export LC_ALL=C.UTF-8
	export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
	ME=$(id -un)
}

is_root() {
	[ "$EUID" -eq 0 ]
}

readonly STATE_MARK=made-by-vecdb

# Sets STATE; creates nothing.
find_state() {
	local LC_ALL=C name sum

	# The sum tells checkouts of one name apart.
	sum=$(printf '%s' "$VECDB_DIR" | cksum)
	name=${VECDB_DIR##*/}
	name=${name//[!A-Za-z0-9_.-]/_}
	name=${name:0:30}-${sum%% *}
	if [ -n "${VECDB_HOME:-}" ]; then
		case $VECDB_HOME in
			/*) STATE=${VECDB_HOME%/} ;;
			*) die "VECDB_HOME must be an absolute path, not \"$VECDB_HOME\"" ;;
		esac
	elif is_root; then
		STATE=/var/lib/vecdb/$name
	else
		[ -n "${XDG_STATE_HOME:-}${HOME:-}" ] ||
			die "neither HOME nor VECDB_HOME is set"
		STATE=${XDG_STATE_HOME:-$HOME/.local/state}/vecdb/$name
	fi
	case $STATE in
		*[!A-Za-z0-9/_.+~,-]*)
			die "the state directory \"$STATE\" has a character in its name that configuration files cannot hold" \
				"Set VECDB_HOME to a path of letters, digits and / _ . + ~ , - only." ;;
	esac
}

# make_state KB: create the state directory and see that KB are free there.
make_state() {
	local free

	mkdir -p "$STATE" || die "cannot create the state directory $STATE" "Set VECDB_HOME."
	# ./vecdb remove deletes it whole, so it must be ours alone.
	if [ ! -e "$STATE/$STATE_MARK" ] && [ -n "$(ls -A "$STATE")" ]; then
		die "$STATE is not empty and was not made by vecdb" "Set VECDB_HOME to a directory of its own."
	fi
	[ -w "$STATE" ] || die "no permission to write to $STATE" \
		"It was made by another user; run as that user, or set VECDB_HOME."
	free=$(df -Pk "$STATE" | awk 'NR == 2 { print $4 }')
	touch "$STATE/$STATE_MARK" || die "cannot write to $STATE"
	[ "$free" -ge "$1" ] || die \
		"$STATE needs $(($1 / 1024)) MB, its disk has only $((free / 1024)) MB free" \
		"Make room, or set VECDB_HOME to a directory on another disk."
}

# lock NAME: held until this process ends.  Daemons that we start must close
# descriptor 9 (see as_server and start_detached).
lock() {
	exec 9> "$STATE/$1.lock"
	flock -n 9 || die "another ./vecdb is at work on $STATE" "Wait until it has finished."
}

# --- users ----------------------------------------------------------------

# as_server COMMAND...: run it as the user of the servers, outside the
# checkout, with a clean environment as root.  Callers add settings by env(1).
as_server() {
	if is_root; then
		(cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups \
			env -i HOME=/var/lib/postgresql PATH="$PATH" LC_ALL=C.UTF-8 \
			TZ="${TZ:-UTC}" TMPDIR=/tmp "$@" 9>&-)
	else
		(cd / && exec "$@" 9>&-)
	fi
}

# own PATH...: give it to the user of the servers.
own() {
	if is_root; then
		chown -R postgres:postgres "$@"
	fi
}

# The user of the servers must be able to walk down to the state directory.
check_server_user() {
	is_root || return 0
	id postgres > /dev/null 2>&1 || die "there is no user \"postgres\" to run PostgreSQL as" \
		"Debian's package postgresql-common creates it."
	as_server test -x "$STATE" || die "the user postgres cannot enter $STATE" \
		"Set VECDB_HOME to a directory that every user can enter."
}

# --- ports ----------------------------------------------------------------

port_busy() {
	(: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

# choose_port VARIABLE KIND FIRST: print the port to use.  One that the user
# set must be free; else the port of the last run, else the next free one.
choose_port() {
	local wanted=${!1:-} kind=$2 first=$3 port

	if [ -n "$wanted" ]; then
		[[ $wanted =~ ^[0-9]{1,5}$ ]] && [ "$wanted" -ge 1 ] && [ "$wanted" -le 65535 ] ||
			die "$1 must be a port number, not \"$wanted\""
		! port_busy "$wanted" || die "port $wanted is in use by another program" \
			"Stop that program, set $1 to another port, or unset it to get the next free one."
		printf '%s\n' "$wanted"
		return
	fi
	port=$(cat "$STATE/$kind.port" 2> /dev/null || true)
	if [[ ! $port =~ ^[0-9]+$ ]] || port_busy "$port"; then
		port=$first
		while port_busy "$port"; do
			port=$((port + 1))
			[ $port -lt $((first + 100)) ] ||
				die "no free port between $first and $port" "Set $1."
		done
	fi
	printf '%s\n' "$port"
}

# --- stamps ---------------------------------------------------------------

# checksum PATH...: one line for the contents and names of files and trees.
checksum() {
	find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r cksum | cksum
}

stamp_is() {
	[ "$(cat "$1" 2> /dev/null)" = "$2" ]
}
