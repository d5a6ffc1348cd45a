# shellcheck shell=bash
#
# demo.sh: the demonstration: demo, stop, status, psql, env, remove.
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
		if wanted_is "${VECDB_PG_PORT:-}" pg; then
			return
		fi
		# Before anything is stopped for a port that cannot be had.
		choose_port VECDB_PG_PORT pg 5433 > /dev/null
		step "Stopping PostgreSQL: it gets another port"
		stop_cluster "$DATA"
	fi
	socket=$(socket_dir "$STATE/run")
	mkdir -p "$LOGS/postgresql"
	own "$LOGS/postgresql"
	port=$(choose_port VECDB_PG_PORT pg 5433)
	step "Starting PostgreSQL on port $port"
	write_cluster_config "$port" "$socket"
	# Lock files of a crash, which PostgreSQL honours while its process is a
	# zombie; the directory is this cluster's alone, and no server runs on it.
	as_server rm -f "$socket"/.s.PGSQL.*
	as_server truncate -s 0 "$LOGS/postgresql/startup.log"
	if ! start_cluster "$DATA" "$LOGS/postgresql/startup.log"; then
		show_log "$LOGS/postgresql/startup.log"
		show_log "$(find "$LOGS/postgresql" -name 'postgresql-*.log' -printf '%T@ %p\n' |
			sort -n | sed -n '$s/^[^ ]* //p')" 8
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
	stamp="$sums $(cd "$VECDB_DIR" && checksum http)"
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
	# What the owner creates in SQL is served over HTTP, too, as what the admin
	# creates, and the other way round.
	demo_sql <<-'SQL'
	SET client_min_messages = warning;
	GRANT vecdb_admin TO vecdb;
	ALTER DEFAULT PRIVILEGES FOR ROLE vecdb IN SCHEMA vecdb_data
	  GRANT SELECT ON TABLES TO vecdb_reader;
	ALTER DEFAULT PRIVILEGES FOR ROLE vecdb IN SCHEMA vecdb_data
	  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO vecdb_writer, vecdb_admin;
	SQL
	printf '%s\n' "$stamp" > "$STATE/database.stamp"
}

demo_http() {
	local stamp port

	[ ${#HTTP} -le 80 ] || die "the state directory's name is too long for sockets: $STATE" \
		"Set VECDB_HOME to a shorter one."
	stamp="$(cd "$VECDB_DIR" && checksum http) $POSTGREST $PGPORT $PGHOST"
	if "$VECDB_DIR/http/serve" status "$HTTP" > /dev/null 2>&1; then
		if stamp_is "$STATE/http.stamp" "$stamp" && wanted_is "${VECDB_HTTP_PORT:-}" http; then
			return
		fi
		step "Stopping PostgREST and nginx: their set-up has changed"
	fi
	wanted_is "${VECDB_HTTP_PORT:-}" http || choose_port VECDB_HTTP_PORT http 8080 > /dev/null
	# Also when only one of the two is left, or answers no more.
	[ ! -d "$HTTP" ] || "$VECDB_DIR/http/serve" stop "$HTTP" > /dev/null
	port=$(choose_port VECDB_HTTP_PORT http 8080)
	step "Starting PostgREST and nginx on port $port"
	# The directory's own options: nothing of an earlier start may survive.
	rm -f "$HTTP/options"
	env -u VECDB_HTTP_PORT "$VECDB_DIR/http/serve" start "$HTTP" --port "$port" \
		--db-host "$PGHOST" --db-port "$PGPORT" --db-name vecdb --db-user vecdb_authenticator \
		--postgrest "$POSTGREST" > "$LOGS/serve.log" 2>&1 9>&- || {
		show_log "$LOGS/serve.log"
		die "PostgREST and nginx do not start"
	}
	printf '%s\n' "$port" > "$STATE/http.port"
	printf '%s\n' "$stamp" > "$STATE/http.stamp"
}

# wanted_is PORT KIND: no port is asked for, or the one that is in use.
wanted_is() {
	[ -z "$1" ] || stamp_is "$STATE/$2.port" "$1"
}

# The collection belongs to vecdb_admin, as one created over HTTP would.
demo_sample() {
	local stamp

	stamp=$(cd "$VECDB_DIR" && checksum sample)
	if stamp_is "$STATE/sample.stamp" "$stamp" &&
		[ "$(demo_sql -At -c "SELECT count(*) FROM vecdb.list_collections() WHERE name = 'papers'")" = 1 ]; then
		return
	fi
	step "Loading the sample: research papers with sentence embeddings"
	PGOPTIONS='-c role=vecdb_admin' "$VECDB_DIR/sample/load" papers | sed 's/^/    /' ||
		die "the sample could not be loaded"
	printf '%s\n' "$stamp" > "$STATE/sample.stamp"
}

# --- what it can do -------------------------------------------------------

# show_search PHRASE FILTER: search for the question of the sample that contains
# PHRASE in SQL, then the same over HTTP; both must find the same papers.
show_search() {
	local phrase=$1 filter=${2:-{\}} question vector answer ids columns

	question=$("$VECDB_DIR/sample/question" --text "$phrase")
	vector=$("$VECDB_DIR/sample/question" "$phrase")
	columns="round(score::numeric, 3) AS score, metadata->>'year' AS year, left(metadata->>'title', 72) AS title"
	step "Search: \"$question\"${2:+, filter $filter}"
	sed 's/^/    /' <<-TEXT

	./vecdb psql <<SQL
	SELECT $columns
	  FROM vecdb.search('papers', '\$(sample/question '$phrase')', 5, '${filter//\$/\\\$}');
	SQL

	TEXT
	demo_sql -P footer=off -v vector="$vector" -v filter="$filter" <<< \
		"SELECT $columns FROM vecdb.search('papers', :'vector', 5, :'filter');" | sed 's/^/    /'
	# The vector is too long for an argument on some systems.
	answer=$(curl -sS --noproxy '*' -H 'Content-Type: application/json' --data-binary @- \
		"$URL/collections/papers/search" \
		<<< "{\"vector\": $vector, \"top_k\": 5, \"filter\": $filter, \"include_metadata\": false}") ||
		die "the HTTP API does not answer at $URL" "See $HTTP/log."
	sed 's/^/    /' <<-TEXT
	curl -s -H 'Content-Type: application/json' $URL/collections/papers/search -d @- <<JSON
	{"vector": \$(sample/question '$phrase'), "top_k": 5,
	 "filter": ${filter//\$/\\\$}, "include_metadata": false}
	JSON

	$answer

	TEXT
	ids=$(demo_sql -At -v vector="$vector" -v filter="$filter" <<< \
		"SELECT string_agg(id, ' ') FROM vecdb.search('papers', :'vector', 5, :'filter');")
	[ "$(python3 -c 'import json, sys
print(*(result["id"] for result in json.load(sys.stdin)["results"]))' <<< "$answer")" = "$ids" ] ||
		die "HTTP and SQL do not find the same papers"
}

print_connections() {
	step "Running; ./vecdb stop stops it, the data stays"
	sed 's/^/    /' <<-TEXT
	HTTP   $URL
	       curl $URL/collections
	psql   ./vecdb psql
	TCP    PGPASSFILE=$STATE/password psql -h 127.0.0.1 -p $PGPORT -U vecdb vecdb
	URL    postgresql://vecdb@127.0.0.1:$PGPORT/vecdb (password: end of $STATE/password)
	data   $DATA
	logs   $LOGS/postgresql, $HTTP/log
	TEXT
	note ""
	note "No authentication: whoever may use this machine may use the HTTP API."
	note "http/README.md says how to switch it on."
}

# --- commands -------------------------------------------------------------

cmd_demo() {
	make_state $((1000 * 1024))
	demo_paths
	lock demo
	install_needs demo
	check_server_user
	mkdir -p "$LOGS"
	get_postgrest
	demo_install
	demo_cluster
	demo_database
	demo_http
	demo_sample
	URL=http://127.0.0.1:$(cat "$STATE/http.port")
	show_search 'feline behavior'
	show_search 'side channels'
	show_search 'vocabulary into embeddings' '{"year": {"$gte": 2015}}'
	print_connections
}

cmd_stop() {
	if ! demo_client; then
		note "nothing is running: there has been no ./vecdb demo here"
		return
	fi
	lock demo
	if "$VECDB_DIR/http/serve" status "$HTTP" > /dev/null 2>&1; then
		step "Stopping PostgREST and nginx"
	fi
	# Also what remains when only one of the two is running.
	[ ! -d "$HTTP" ] || "$VECDB_DIR/http/serve" stop "$HTTP" > /dev/null
	if cluster_pid "$DATA" > /dev/null; then
		step "Stopping PostgreSQL"
		stop_cluster "$DATA" || die "PostgreSQL does not stop" "See $LOGS/postgresql."
	fi
	note "stopped; the data is in $DATA"
}

cmd_status() {
	local pid

	note "state directory  $STATE"
	if ! demo_client; then
		note "not set up       ./vecdb demo does it"
		return
	fi
	if pid=$(cluster_pid "$DATA"); then
		note "PostgreSQL       running, process $pid, 127.0.0.1:$PGPORT and $PGHOST"
		demo_sql -At -F '  ' -c "SELECT name, dimension || ' dimensions', distance, count || ' points'
			FROM vecdb.list_collections()" | sed 's/^/    collection       /'
	else
		note "PostgreSQL       stopped"
	fi
	if "$VECDB_DIR/http/serve" status "$HTTP" > /dev/null 2>&1; then
		note "HTTP API         running, http://127.0.0.1:$(cat "$STATE/http.port")"
	else
		note "HTTP API         stopped"
	fi
}

cmd_psql() {
	demo_client || die "there is no demo to connect to" "Start it: ./vecdb demo"
	cluster_pid "$DATA" > /dev/null || die "the demo is stopped" "Start it: ./vecdb demo"
	exec "$PGBIN/psql" "$@"
}

cmd_env() {
	demo_client || die "there is no demo to connect to" "Start it: ./vecdb demo"
	printf 'export %s=%q\n' PGHOST "$PGHOST" PGPORT "$PGPORT" PGUSER "$PGUSER" \
		PGDATABASE "$PGDATABASE" PATH "$PATH"
}

cmd_remove() {
	local answer=${1:-}

	if [ ! -e "$STATE/$STATE_MARK" ]; then
		note "nothing to remove: $STATE was not made by vecdb"
		return
	fi
	case $answer in
		--yes) ;;
		'')
			[ -t 0 ] || die "./vecdb remove asks before it deletes" "Without a terminal: ./vecdb remove --yes"
			printf 'Delete %s with all its data? (yes/no) ' "$STATE"
			read -r answer
			[ "$answer" = yes ] || die "nothing was removed" ;;
		*) die "unknown argument \"$answer\"" "See ./vecdb help." ;;
	esac
	cmd_stop
	lock test
	case ${PGHOST:-} in
		/tmp/vecdb-*) rm -rf "$PGHOST" ;;
	esac
	rm -rf "$STATE"
	note "removed $STATE"
}
