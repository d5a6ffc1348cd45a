# shellcheck shell=bash
#
# sources.sh: where PostgreSQL's own sources come from, for what has to be
# built from them or needs the tests in them.  Sourced; what it keeps is in the
# directory STATE.  Needs a function fail MESSAGE [HINT...].
#
readonly SITE=https://ftp.postgresql.org/pub/source

# find_state NAME [GIVEN]: sets STATE, by default /var/lib/vecdb/NAME for root,
# else ~/.local/state/vecdb/NAME, and makes it.
find_state() {
	if [ -n "${2:-}" ]; then
		STATE=$2
	elif [ "$(id -u)" -eq 0 ]; then
		STATE=/var/lib/vecdb/$1
	else
		STATE=${XDG_STATE_HOME:-$HOME/.local/state}/vecdb/$1
	fi
	mkdir -p "$STATE"
	STATE=$(cd "$STATE" && pwd)
}

# version_of DIRECTORY: of a PostgreSQL source.
version_of() {
	sed -n "s/^PACKAGE_VERSION='\(.*\)'/\1/p" "$1/configure" | head -n 1
}

# unpack FILE DIRECTORY: a tar file whose content is one directory.
unpack() {
	rm -rf "$2.new"
	mkdir -p "$2.new"
	tar -xf "$1" -C "$2.new" --strip-components=1
	rm -rf "$2"
	mv "$2.new" "$2"
}

# ask_apt: sets APT, the options with which apt knows the source packages.  Its
# lists are kept apart, since the machine's own may have none.
ask_apt() {
	local work=$STATE/apt

	command -v apt-get > /dev/null || return 1
	mkdir -p "$work/lists/partial" "$work/parts"
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null |
		sed -n 's/^deb /deb-src /p' > "$work/parts/all.list" || true
	cat /etc/apt/sources.list.d/*.sources 2> /dev/null |
		sed 's/^Types:.*/Types: deb-src/' > "$work/parts/all.sources" || true
	APT=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts"
		-o Dir::State::Lists="$work/lists" -o APT::Sandbox::User=)
	apt-get -q "${APT[@]}" update > "$work/log" 2>&1 || true
}

# distribution_versions MAJOR: the minor versions whose source packages apt
# lists, the newest first.  A listed one may be gone from the server.
distribution_versions() {
	ask_apt || return 0
	apt-cache "${APT[@]}" showsrc "postgresql-$1" 2> /dev/null |
		sed -n 's/^Version: \([0-9.]*\)-.*/\1/p' | sort -Vru
}

# The source package; apt checks its sums against the signed index.
from_distribution() {
	local version=$1 work=$STATE/apt found

	ask_apt || return 1
	found=$(apt-cache "${APT[@]}" showsrc "postgresql-${version%%.*}" 2> /dev/null |
		sed -n "s/^Version: \($version-.*\)/\1/p" | head -n 1)
	[ -n "$found" ] || return 1
	rm -f "$work"/postgresql-*
	(cd "$work" && apt-get -q "${APT[@]}" --download-only --only-source source \
		"postgresql-${version%%.*}=$found" >> "$work/log" 2>&1) || return 1
	unpack "$(echo "$work"/postgresql-*.orig.tar.*)" "$STATE/postgresql-$version"
	rm -f "$work"/postgresql-*
}

from_site() {
	local version=$1 file=postgresql-$1.tar.bz2

	command -v curl > /dev/null || return 1
	curl -fsSL -m 600 -o "$STATE/$file" "$SITE/v$version/$file" 2> /dev/null || return 1
	curl -fsSL -m 60 -o "$STATE/$file.sha256" "$SITE/v$version/$file.sha256" 2> /dev/null || return 1
	(cd "$STATE" && sha256sum --check --status "$file.sha256") || fail "$SITE/v$version/$file has another SHA-256 sum"
	unpack "$STATE/$file" "$STATE/postgresql-$version"
	rm -f "$STATE/$file" "$STATE/$file.sha256"
}

