# shellcheck shell=bash
#
# demo.sh: the demonstration: demo, stop, status, psql, remove.
#
# Who may log in (pg_hba.conf): the user who started the demo and the user of
# the servers through the Unix socket, known by the kernel (peer) and mapped
# to the roles below; everyone else by password (scram-sha-256) on 127.0.0.1.
# Nothing listens on other addresses.
#
#   postgres              superuser; socket only, has no password
#   vecdb                 owner of the database vecdb; its password is in
#                         STATE/password (pgpass format, mode 0600)
#   vecdb_authenticator   PostgREST's login; socket only, has no password
#
# Each step compares a stamp with what it would do, so that a second run is
# quick; a stamp is written after its step has succeeded.

# --- pieces ---------------------------------------------------------------

demo_paths() {
	DATA=$STATE/data
	LOGS=$STATE/log
	HTTP=$STATE/http
}

# Sets PGBIN and PGHOST, PGPORT, ... of the demo for psql as superuser; fails
# when it has never been set up.
demo_client() {
	demo_paths
	PGBIN=$(cat "$STATE/pgbin" 2> /dev/null) || return 1
	PGPORT=$(cat "$STATE/pg.port" 2> /dev/null) || return 1
	PGHOST=$(cat "$STATE/socket" 2> /dev/null) || return 1
	export PGPORT PGHOST PGUSER=postgres PGDATABASE=vecdb PATH="$PGBIN:$PATH"
}

# SQL from standard input as superuser; stops at the first error.
demo_sql() {
	"$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -v VERBOSITY=terse "$@"
}

# --- steps ----------------------------------------------------------------

# Builds and installs when the sources or the system's PostgreSQL changed; a
# running server is then stopped, since it must not mix old and new code.
demo_install() {
	local stamp

	OWNER=own_commands
	if ! root_is_current "$STATE/root" && cluster_pid "$DATA" > /dev/null; then
		step "Stopping the server: the system's PostgreSQL has changed"
		stop_cluster "$DATA"
	fi
	make_root "$STATE/root"
	printf '%s\n' "$PGBIN" > "$STATE/pgbin"
	stamp="$(installation_stamp) $(cd "$VECDB_DIR" && checksum Makefile vecdb.control vecdb--*.sql src)"
	if stamp_is "$STATE/root/installed" "$stamp"; then
		return
	fi
	step "Building and installing the extension (into the private copy)"
	update_tree "$STATE/src"
	rm -f "$STATE/root/installed"
	build_into "$STATE/src" || die "the extension does not build" "The whole log: $STATE/src.log"
	stop_cluster "$DATA"
	printf '%s\n' "$stamp" > "$STATE/root/installed"
}

write_cluster_config() {
	local user

	as_server tee "$DATA/vecdb.conf" > /dev/null <<-CONF
	# written by ./vecdb at every start; your own settings go to postgresql.conf
	port = $1
	listen_addresses = '127.0.0.1'
	unix_socket_directories = '$2'
	cluster_name = 'vecdb'
	logging_collector = on
	log_directory = '$LOGS/postgresql'
	log_filename = 'postgresql-%a.log'
	log_rotation_age = 1d
	log_truncate_on_rotation = on
	log_line_prefix = '%m [%p] %q%u@%d '
	CONF
	as_server tee "$DATA/pg_hba.conf" > /dev/null <<-'CONF'
	# written by ./vecdb at every start
	local  all  all                peer map=vecdb
	host   all  all  127.0.0.1/32  scram-sha-256
	CONF
	for user in "$ME" postgres; do
		printf 'vecdb "%s" postgres\nvecdb "%s" vecdb\nvecdb "%s" vecdb_authenticator\n' \
			"$user" "$user" "$user"
		is_root || break
	done | as_server tee "$DATA/pg_ident.conf" > /dev/null
}

demo_cluster() {
	local major socket port

	if [ ! -d "$DATA" ]; then
		step "Creating the database cluster in $DATA"
		# The directory must belong to the servers' user, its parent does not.
		rm -rf "$DATA.new" "$STATE/made"
		mkdir -p "$STATE/made"
		own "$STATE/made"
		init_cluster "$STATE/made/data" --data-checksums --auth-local=peer --auth-host=scram-sha-256
		printf "\ninclude_if_exists 'vecdb.conf'\n" | as_server tee -a "$STATE/made/data/postgresql.conf" > /dev/null
		mv "$STATE/made/data" "$DATA"
		rmdir "$STATE/made"
		rm -f "$STATE"/*.stamp
	fi
	major=$(as_server cat "$DATA/PG_VERSION")
	case $("$PGBIN/postgres" --version) in
		*") $major."* | *" $major."*) ;;
		*) die "the data in $DATA is of PostgreSQL $major, the server is $("$PGBIN/postgres" --version)" \
			"Set PG_CONFIG to that of PostgreSQL $major; or move the data by pg_dump; or ./vecdb remove." ;;
	esac
	if cluster_pid "$DATA" > /dev/null; then
		return
	fi
	socket=$(socket_dir "$STATE/run")
	mkdir -p "$LOGS/postgresql"
	own "$LOGS/postgresql"
	port=$(choose_port VECDB_PG_PORT pg 5433)
	step "Starting PostgreSQL on port $port"
	write_cluster_config "$port" "$socket"
	as_server touch "$LOGS/postgresql/startup.log"
	if ! start_cluster "$DATA" "$LOGS/postgresql/startup.log"; then
		show_log "$LOGS/postgresql/startup.log"
		show_log "$(find "$LOGS/postgresql" -name 'postgresql-*.log' -printf '%T@ %p\n' |
			sort -n | sed -n '$s/^[^ ]* //p')"
		die "PostgreSQL does not start"
	fi
	printf '%s\n' "$socket" > "$STATE/socket"
	printf '%s\n' "$port" > "$STATE/pg.port"
}

# The role and database vecdb, the extension, and what HTTP needs.
demo_database() {
	local password stamp sums

	demo_client
	sums=$(cd "$VECDB_DIR" && checksum vecdb--*.sql)
	stamp="$sums $(cd "$VECDB_DIR" && checksum http/setup.sql)"
	if [ -f "$STATE/password" ] && stamp_is "$STATE/database.stamp" "$stamp"; then
		return
	fi
	step "Setting up the database vecdb"
	if [ ! -f "$STATE/password" ]; then
		password=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
		(umask 077 && printf '127.0.0.1:*:*:vecdb:%s\n' "$password" > "$STATE/password.new")
	else
		password=$(sed 's/.*://' "$STATE/password")
	fi
	demo_sql -d postgres <<-SQL
	SELECT 'CREATE ROLE vecdb' WHERE to_regrole('vecdb') IS NULL \gexec
	ALTER ROLE vecdb LOGIN PASSWORD '$password';
	SELECT 'CREATE DATABASE vecdb OWNER vecdb TEMPLATE template0'
	  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'vecdb') \gexec
	SQL
	[ -f "$STATE/password" ] || mv "$STATE/password.new" "$STATE/password"
	# By the database's owner, who is no superuser: the extension is trusted.
	demo_sql <<-'SQL'
	SET client_min_messages = warning;
	SET ROLE vecdb;
	CREATE EXTENSION IF NOT EXISTS vecdb;
	ALTER EXTENSION vecdb UPDATE;
	SQL
	if [ -f "$STATE/extension.stamp" ] && ! stamp_is "$STATE/extension.stamp" "$sums"; then
		warn "vecdb--*.sql changed, but this database keeps the SQL objects that it was made with" \
			"unless the version number changed, too; ./vecdb remove starts afresh"
	fi
	printf '%s\n' "$sums" > "$STATE/extension.stamp"
	demo_sql -f "$VECDB_DIR/http/setup.sql" > "$STATE/log/setup.log" 2>&1 || {
		show_log "$STATE/log/setup.log"
		die "http/setup.sql failed"
	}
	printf '%s\n' "$stamp" > "$STATE/database.stamp"
}
