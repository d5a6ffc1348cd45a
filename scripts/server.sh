# shellcheck shell=bash
#
# server.sh: the private copy of PostgreSQL, the build, the clusters.
#
# A PostgreSQL installation is relocatable: its programs find their files
# relative to themselves.  We copy the system's and install the extension into
# the copy, so that no installation needs root, two checkouts keep out of each
# other's way, and the vecdb.so of a production server is never overwritten.

# --- private PostgreSQL ---------------------------------------------------

# A stamp that changes when the system's package is upgraded.
installation_stamp() {
	local bindir

	bindir=$("$SYSTEM_PG_CONFIG" --bindir)
	printf '%s %s %s\n' "$SYSTEM_PG_CONFIG" "$("$SYSTEM_PG_CONFIG" --version)" \
		"$(stat -L -c %s.%Y "$bindir/postgres" "$bindir/psql" \
			"$("$SYSTEM_PG_CONFIG" --includedir-server)/pg_config.h" | tr '\n' ' ')"
}

# make_root DIR: have a copy of the system's PostgreSQL in DIR; sets PGBIN.
# Prints nothing when it is there and current.  A server that runs from an old
# copy must have been stopped (see root_is_current).
make_root() {
	local dir=$1 stamp what from

	stamp=$(installation_stamp)
	if ! root_is_current "$dir"; then
		step "Copying $("$SYSTEM_PG_CONFIG" --version) to $dir"
		rm -rf "$dir.new" "$dir.old"
		mkdir -p "$dir.new"
		copy_programs "$("$SYSTEM_PG_CONFIG" --bindir)" "$dir.new"
		for what in pkglibdir sharedir includedir-server pkgincludedir; do
			from=$("$SYSTEM_PG_CONFIG" "--$what")
			# One may lie inside another.
			if [ ! -d "$dir.new$from" ]; then
				mkdir -p "$dir.new$(dirname "$from")"
				cp -R --preserve=mode,timestamps "$from" "$dir.new$from" ||
					die "cannot copy $from"
			fi
		done
		chmod -R a+rX,u+w "$dir.new"
		printf '%s\n' "$stamp" > "$dir.new/stamp"
		[ ! -e "$dir" ] || mv "$dir" "$dir.old"
		mv "$dir.new" "$dir"
		rm -rf "$dir.old"
	fi
	PGBIN=$dir$("$SYSTEM_PG_CONFIG" --bindir)
	case $("$PGBIN/pg_config" --sharedir) in
		"$dir"/*) ;;
		*) die "the PostgreSQL that $SYSTEM_PG_CONFIG belongs to cannot be copied: it is not relocatable" \
			"Set PG_CONFIG to another one." ;;
	esac
	export PATH="$PGBIN:$PATH"
}

# PostgreSQL's programs only: elsewhere than on Debian they may share a
# directory with everything else.
copy_programs() {
	local bindir=$1 to=$2$1 program

	mkdir -p "$to"
	for program in postgres psql initdb createdb dropdb createuser dropuser clusterdb reindexdb \
		vacuumdb pgbench "$bindir"/pg_*; do
		program=${program##*/}
		[ ! -f "$bindir/$program" ] || cp -L --preserve=mode,timestamps "$bindir/$program" "$to/" ||
			die "cannot copy $bindir/$program"
	done
}

root_is_current() {
	[ -d "$1" ] && stamp_is "$1/stamp" "$(installation_stamp)"
}

# --- sources and build ----------------------------------------------------

# The files of the checkout, without what builds and editors leave in it.
list_sources() {
	(cd "$VECDB_DIR" && find . \
		\( -name .git -o -name node_modules -o -name __pycache__ -o -name .pytest_cache \
		-o -path ./results -o -path ./tmp_check -o -path ./log -o -path ./test/isolation/results \) -prune -o \
		-type f ! -name '*.o' ! -name '*.bc' ! -name '*.so' ! -name '*~' ! -name '.*.sw?' \
		! \( \( -path './test/unit/*' -o -path './bench/*' \) -perm -u=x ! -name '*.*' ! -name run \) \
		-print0 | LC_ALL=C sort -z)
}

# update_tree DIR: make DIR a copy of the sources that keeps its build
# products: only what differs is written, so that make sees what changed.
# Runs as "$OWNER", a function that runs a command as the owner of the tree;
# the checkout is read by us, since that owner may not be able to.
update_tree() {
	local dir=$1

	"$OWNER" rm -rf "$dir.new"
	"$OWNER" mkdir -p "$dir" "$dir.new"
	list_sources | tar -C "$VECDB_DIR" --no-recursion --null -cf - -T - |
		"$OWNER" tar -C "$dir.new" --no-same-owner -xmf - || die "cannot copy the sources to $dir"
	# shellcheck disable=SC2016
	"$OWNER" bash -euc '
		cd "$1.new"
		find . -type f | LC_ALL=C sort > "$1.list"
		# Files that are no longer in the sources: begin anew.
		if [ -f "$1.sources" ] && [ -n "$(LC_ALL=C comm -13 "$1.list" "$1.sources")" ]; then
			rm -rf "$1"
			mkdir "$1"
		fi
		while IFS= read -r file; do
			if ! cmp -s "$file" "$1/$file"; then
				mkdir -p "$1/${file%/*}"
				cp "$file" "$1/$file"
			fi
		done < "$1.list"
		mv "$1.list" "$1.sources"
		rm -rf "$1.new"' update_tree "$dir"
}

own_commands() {
	"$@"
}

# build_into DIR: build DIR and install it into the private PostgreSQL;
# warnings are errors (the Makefile says so).  Log: DIR.log.
build_into() {
	local dir=$1 stamp

	stamp="$(installation_stamp) $PGBIN"
	if [ -e "$dir.built-with" ] && ! stamp_is "$dir.built-with" "$stamp"; then
		"$OWNER" make -s -C "$dir" PG_CONFIG="$PGBIN/pg_config" clean > /dev/null
	fi
	if ! "$OWNER" make -C "$dir" -j2 PG_CONFIG="$PGBIN/pg_config" all > "$dir.log" 2>&1 ||
		! "$OWNER" make -C "$dir" PG_CONFIG="$PGBIN/pg_config" install >> "$dir.log" 2>&1; then
		show_log "$dir.log" 40
		return 1
	fi
	printf '%s\n' "$stamp" | "$OWNER" tee "$dir.built-with" > /dev/null
}

# --- cluster --------------------------------------------------------------

# cluster_pid DATA: print the process id of the server on DATA.  A pid file
# alone proves nothing after a crash: the process must have its directory there.
cluster_pid() {
	local pid cwd

	pid=$(head -n 1 "$1/postmaster.pid" 2> /dev/null) || return 1
	cwd=$(as_server readlink "/proc/$pid/cwd" 2> /dev/null) || return 1
	[ "$cwd" = "$(readlink -f "$1")" ] && printf '%s\n' "$pid"
}

# init_cluster DATA OPTIONS...: make a cluster, or nothing: an interrupted
# initdb leaves a directory of another name, which the next one removes.
init_cluster() {
	local data=$1 log=$1.initdb.log

	shift
	as_server rm -rf "$data.new"
	if ! as_server "$PGBIN/initdb" -D "$data.new" -U postgres --encoding=UTF8 \
		--locale=C.UTF-8 "$@" > "$log" 2>&1; then
		show_log "$log"
		die "initdb could not make the cluster $data"
	fi
	as_server mv "$data.new" "$data"
	rm -f "$log"
}

# start_cluster DATA LOG: start it and wait until it answers.  What it says
# before its own logging begins is in LOG.
start_cluster() {
	local data=$1 log=$2 gone

	# After a reboot the number in a left-over pid file may be an innocent
	# process's, which would keep PostgreSQL from starting.  The file stays, with
	# the number of a process that is gone: PostgreSQL also learns from it whether
	# orphans of the old server still use the data.
	if [ -e "$data/postmaster.pid" ] && ! cluster_pid "$data" > /dev/null; then
		true & gone=$!
		wait $gone
		as_server sed -i "1s/.*/$gone/" "$data/postmaster.pid"
	fi
	as_server "$PGBIN/pg_ctl" -D "$data" -l "$log" -w -t 120 start > /dev/null 2>&1
}

# stop_cluster DATA [MODE]
stop_cluster() {
	if cluster_pid "$1" > /dev/null; then
		as_server "$PGBIN/pg_ctl" -D "$1" -m "${2:-fast}" -w -t 120 stop > /dev/null
	fi
}

# socket_dir DIR: print DIR, or when a socket's path below it would exceed the
# system's limit (107 bytes), a short private directory instead.
socket_dir() {
	local dir=$1 sum

	if [ ${#dir} -gt 80 ]; then
		sum=$(printf '%s' "$dir" | cksum)
		dir=/tmp/vecdb-$(id -u)-${sum%% *}
	fi
	mkdir -p "$dir"
	if [ -L "$dir" ] || ! { [ -O "$dir" ] || [ "$(stat -c %U "$dir")" = postgres ]; }; then
		die "$dir belongs to another user" "Set VECDB_HOME to a shorter path."
	fi
	chmod 0755 "$dir"
	own "$dir"
	printf '%s\n' "$dir"
}
