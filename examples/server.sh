# shellcheck shell=bash
# A throwaway PostgreSQL server with dashboard_cache preloaded, for scripts
# that source this file: ./demo.sh and ../bench/run.
#
# Everything lives in one temporary directory ($dir), and goes with it: the
# build, the data, the socket, and a PostgreSQL installation that is the
# system's one by symbolic links, so that "make install" has a place that
# needs no privileges and that no other server reads.  A server finds its
# libraries by where its executable is, hence the copies of the executables.
#
# The server listens on a socket in that directory only, which nobody but its
# own user may enter.  Called by root it runs as "postgres", otherwise as the
# caller.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
dir=
keep=false
no_cluster=/etc/postgresql-common/createcluster.d/dashboard_cache_demo.conf
no_start=/usr/sbin/policy-rc.d
no_start_is_ours=false
as_server=()					# what makes a command the server's user's
[ "$(id -u)" != 0 ] || as_server=(runuser -u postgres --)

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "$(basename "$0"): $*"
	exit 1
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

has_header()
{
	[ -f "/usr/include/$1" ] || [ -f "/usr/local/include/$1" ]
}

# What a build and a server need and this machine lacks, as Debian's packages.
missing_packages()
{
	local version file

	command -v make >/dev/null || echo make
	command -v gcc >/dev/null && [ -f /usr/include/stdio.h ] ||
		echo gcc libc6-dev
	has_header hiredis/hiredis.h || echo libhiredis-dev
	has_header openssl/ssl.h || echo libssl-dev
	has_header zstd.h || echo libzstd-dev
	if version=$("$pg_config" --version 2>/dev/null)
	then
		version=${version#PostgreSQL }
		version=${version%%[!0-9]*}
		for file in initdb postgres pg_ctl pgbench
		do
			[ -x "$("$pg_config" --bindir)/$file" ] || echo "postgresql-$version"
		done
		[ -x "$("$pg_config" --bindir)/psql" ] ||
			echo "postgresql-client-$version"
		[ -f "$("$pg_config" --pgxs)" ] || echo "postgresql-server-dev-$version"
	else
		echo postgresql-default postgresql-server-dev-default
	fi
}

# Installs packages without creating, starting or upgrading any cluster.
install_packages()
{
	local default

	[ -z "${PG_CONFIG:-}" ] || [[ " $*" != *" postgresql-"* ]] ||
		die "PG_CONFIG=$PG_CONFIG leads to no complete PostgreSQL: it lacks what Debian packs in ${*//-default/}"
	command -v apt-get >/dev/null ||
		die "please install what these Debian packages hold: $*"
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null
	then
		die "please install, as root: apt-get install $*"
	fi

	say "Not all that is needed is here; asking apt-get for its package lists"
	as_root apt-get update -qq
	default=$(apt-cache depends postgresql |
		sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
	set -- "${@//default/$default}"
	say "Installing with apt-get: $*"
	if apt-get install -s --no-install-recommends "$@" |
		grep -qE '^Inst postgresql-[0-9]+ \['
	then
		die "that would upgrade, and restart, an installed server: please install them yourself: $*"
	fi

	# A new server package makes a cluster, and starts all that are stopped.
	as_root mkdir -p "$(dirname "$no_cluster")"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
	if [ ! -e "$no_start" ]
	then
		no_start_is_ours=true
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$no_start" >/dev/null
		as_root chmod 755 "$no_start"
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
		--no-install-recommends "$@" >"$dir/apt.log" 2>&1 </dev/null ||
		{ tail -n 20 "$dir/apt.log" >&2; die "apt-get failed"; }
	uninstall_guards
}

uninstall_guards()
{
	if [ -e "$no_cluster" ]
	then
		as_root rm -f "$no_cluster"
		as_root rmdir --ignore-fail-on-non-empty "$(dirname "$no_cluster")"
	fi
	if $no_start_is_ours
	then
		no_start_is_ours=false
		as_root rm -f "$no_start"
	fi
}

# Builds a copy of the sources, and installs it into $dir/pg.
install_extension()
{
	local path file bindir

	bindir=$("$pg_config" --bindir)
	mkdir -p "$dir/build" "$dir/pg$bindir"
	tar -C "$repo" --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		-cf - Makefile dashboard_cache.control src sql |
		tar -C "$dir/build" --no-same-owner -xf -

	for path in "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)"
	do
		mkdir -p "$(dirname "$dir/pg$path")"
		cp -as "$path" "$dir/pg$path"
	done
	for file in postgres initdb pg_ctl
	do
		cp "$bindir/$file" "$dir/pg$bindir/"
	done

	# The bitcode serves JIT compilation, which has no use for it here.
	{
		make -C "$dir/build" -j"$(nproc)" PG_CONFIG="$pg_config" with_llvm=no
		make -C "$dir/build" PG_CONFIG="$pg_config" with_llvm=no \
			DESTDIR="$dir/pg" install
	} >"$dir/build.log" 2>&1 || { tail -n 30 "$dir/build.log" >&2; die "the build failed"; }
}

# Standard input: further settings.
start_server()
{
	local server_bin

	server_bin=$dir/pg$("$pg_config" --bindir)
	"${as_server[@]}" "$server_bin/initdb" -D "$dir/data" -U postgres -A trust -N \
		--no-locale -E UTF8 >"$dir/initdb.log" 2>&1 ||
		{ cat "$dir/initdb.log" >&2; die "initdb failed"; }
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$dir'"
		echo "port = 5432"
		echo "shared_preload_libraries = 'dashboard_cache'"
		echo "timezone = 'UTC'"
		echo "fsync = off"
		echo "jit = off"
		cat
	} | "${as_server[@]}" tee -a "$dir/data/postgresql.conf" >/dev/null

	cat >"$dir/stop" <<-STOP
		#!/bin/bash
		# Stops this server and removes all of it.
		cd /
		${as_server[*]} '$server_bin/pg_ctl' -D '$dir/data' -m immediate stop
		rm -rf '$dir'
	STOP
	chmod 755 "$dir/stop"

	"${as_server[@]}" "$server_bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w \
		start >/dev/null ||
		{ tail -n 20 "$dir/server.log" >&2; die "the server did not start"; }
}

# Removes everything, unless the server is to be kept.
clean_up()
{
	local job

	trap '' INT TERM HUP
	for job in $(jobs -p)
	do
		kill "$job" 2>/dev/null || true
	done
	uninstall_guards
	if [ -z "$dir" ] || $keep
	then
		return
	fi
	if [ -x "$dir/stop" ]
	then
		"$dir/stop" >/dev/null 2>&1 || true
	fi
	rm -rf "$dir"
}

# From nothing to a running server; standard input: further settings.
throwaway_server()
{
	local packages variable

	umask 022
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	dir=$(mktemp -dt dashboard_cache.XXXXXX)
	cd "$dir" || die "cannot enter $dir"

	packages=$(missing_packages | tr ' ' '\n' | sort -u | tr '\n' ' ')
	# shellcheck disable=SC2086 # one word a package
	[ -z "$packages" ] || install_packages $packages
	if [ "$(id -u)" = 0 ]
	then
		chown postgres: "$dir"
	fi

	say "Building dashboard_cache for $("$pg_config" --version)"
	install_extension
	start_server

	# What the caller has set for servers of his own.
	for variable in "${!PG@}"
	do
		unset "$variable"
	done
	export PGHOST=$dir PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	PATH=$("$pg_config" --bindir):$PATH
}

# psql, quiet and unaligned, that stops at the first error.
sql()
{
	psql -XqAt -v ON_ERROR_STOP=1 "$@"
}
