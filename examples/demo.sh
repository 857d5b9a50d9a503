#!/bin/bash
# Shows what dashboard_cache does, in about a minute, on a throwaway server.
# Installs what is missing with apt-get, and leaves all else as it was.
#
#   ./examples/demo.sh           removes the server at the end
#   ./examples/demo.sh --keep    leaves it running, and says how to connect
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"
# shellcheck source-path=SCRIPTDIR source=redis.sh
. "$here/redis.sh"

asked_to_keep=false
case "$*" in
	'') ;;
	--keep) asked_to_keep=true ;;
	*) die "usage: $0 [--keep]" ;;
esac

bank_seconds=20
bank_readers=2					# of each isolation level
bank_writes_per_second=60

# The table of a help desk's tour: a step, the median of its times if it was
# timed, and what it showed.
as_table()
{
	awk '
	/^@/ { step = substr($0, 3); n = 0; next }
	/^Time: / {
		for (i = n++; i > 0 && times[i - 1] > $2; i--)
			times[i] = times[i - 1]
		times[i] = $2 + 0
		next
	}
	/^=/ {
		if (n > 1)
			step = step " (median of " n ")"
		time = n ? sprintf("%.2f ms", times[int(n / 2)]) : ""
		shown = substr($0, 3)
		line = sprintf("  %-43s %11s  %s", step, time, shown)
		sub(/ +$/, "", line)
		print line
		if (shown == "DIFFERENT")
			bad = 1
		fflush()
		next
	}
	{ print "\n  " $0 }
	END { exit bad }'
}

helpdesk()
{
	local file

	echo
	echo "1. A help desk's dashboard"
	echo
	createdb helpdesk
	for file in 1_tables 2_dashboard 3_cache
	do
		sql -d helpdesk -f "$here/helpdesk/$file.sql"
	done
	sql -d helpdesk -F ' ' -c "
		SELECT ' ', to_char((SELECT count(*) FROM issues), '999,999'), 'issues,',
			   to_char((SELECT count(*) FROM requests), '999,999'), 'requests,',
			   to_char((SELECT count(*) FROM changes), '999,999'),
			   'changes of', (SELECT count(*) FROM tenants), 'tenants'"
	echo
	echo "  What makes the cache (see helpdesk/3_cache.sql):"
	echo "    SELECT dashboard_cache.cache('dashboard_stats(int, date)', ...)"
	echo "  It reads, and so has put triggers on:"
	sql -d helpdesk -F ' ' -c "
		SELECT '    ' || relation, array_to_string(columns, ', ')
		FROM dashboard_cache.dependencies ORDER BY relation::text"
	echo
	printf '  %-43s %11s  %s\n' 'What its users meet:' 'time' 'open issues'
	sql -d helpdesk -f "$here/helpdesk/4_tour.sql" | as_table ||
		die "a step of the help desk failed, or cached and plain differ"
}

# Runs pgbench in the background, as one of the caller's jobs, with its report
# in a file.
bank_clients()
{
	local report=$1

	shift
	pgbench -n -T "$bank_seconds" "$@" bank >"$dir/$report" 2>&1 &
	jobs+=($!)
}

transactions_of()
{
	sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' \
		"$dir/$1"
}

# Restarts the server with another setting.
restart_with()
{
	sql -c "ALTER SYSTEM SET $1"
	"${as_server[@]}" "$dir/pg$("$pg_config" --bindir)/pg_ctl" -D "$dir/data" \
		-l "$dir/server.log" -w restart >/dev/null ||
		{ tail -n 20 "$dir/server.log" >&2; die "the server did not restart"; }
}

behind_redis()
{
	local key value url=unix://$dir/redis.sock

	echo
	echo "2. Redis behind it"
	echo
	if ! find_redis
	then
		echo "  Left out, since there is no redis-server (Debian: apt-get install redis-tools)"
		return
	fi
	throwaway_redis
	echo "  What puts it there, without a restart (see helpdesk/5_redis.sql):"
	echo "    ALTER SYSTEM SET dashboard_cache.redis_url = '$url'"
	sql -d helpdesk -v redis_url="$url" -f "$here/helpdesk/5_redis.sql"
	key=$(redis --scan)
	value=$(redis HGET "$key" value)
	echo
	echo "  What redis-cli sees:"
	echo "    \$ redis-cli --scan"
	echo "    ${key:0:70}..."
	echo "    \$ redis-cli HGET ${key%#*}#... value"
	echo "    ${value:0:70}..."
	echo "    \$ redis-cli TTL ${key%#*}#..."
	echo "    $(redis TTL "$key")"
	echo
	echo "  Now with shared memory turned off, so that only Redis can answer:"
	echo
	restart_with 'dashboard_cache.shared_memory_size = 0'
	printf '  %-43s %11s  %s\n' 'What its users meet:' 'time' 'open issues'
	REDIS_KEY=$key sql -d helpdesk -f "$here/helpdesk/6_redis_tour.sql" |
		as_table || die "a step with Redis failed, or cached and plain differ"
	restart_with "dashboard_cache.shared_memory_size = '64MB'"
}

bank()
{
	local job committed repeatable differences jobs=()

	echo
	echo "3. A bank under fire: pgbench's TPC-B, scale 20"
	echo
	createdb bank
	pgbench -i -s 20 -q bank >"$dir/bank.init" 2>&1
	sql -d bank -f "$here/bank/1_cache.sql"
	echo "  For $bank_seconds seconds: $bank_writes_per_second writes a second, and $((2 * bank_readers)) readers, each of whose"
	echo "  statements compares the cached totals of a branch (100,000"
	echo "  accounts) with those that the plain query gives."
	echo

	bank_clients writers -c 2 -R "$bank_writes_per_second"
	bank_clients read_committed -c "$bank_readers" \
		-f "$here/bank/read_committed.pgbench"
	bank_clients repeatable_read -c "$bank_readers" \
		-f "$here/bank/repeatable_read.pgbench"
	for job in "${jobs[@]}"
	do
		wait "$job" || {
			cat "$dir"/{writers,read_committed,repeatable_read} >&2
			die "pgbench failed"
		}
	done

	committed=$(transactions_of read_committed)
	repeatable=$((2 * $(transactions_of repeatable_read)))
	differences=$(sql -d bank -c 'SELECT count(*) FROM differences')
	printf '  %-28s %8d\n' \
		'writing transactions' "$(transactions_of writers)" \
		'READ COMMITTED comparisons' "$committed" \
		'REPEATABLE READ comparisons' "$repeatable"
	sql -d bank -F ' ' -c "
		SELECT '  cached side: ' || hits || ' hits, ' || misses || ' misses, '
			|| stale || ' of them after a write'
		FROM dashboard_cache.stats"
	echo
	echo "  $((committed + repeatable)) comparisons, $differences differences"
	[ "$differences" = 0 ]
}

# Prints how to use and how to end what is kept.
leave_running()
{
	local user=

	keep=true
	[ "$(id -u)" != 0 ] || user=' (as root or postgres)'
	echo
	echo "The server is running$user:"
	echo "  connect: psql -h $dir -p 5432 -U postgres helpdesk    (or: bank)"
	[ ! -e "$dir/redis.sock" ] ||
		echo "  its Redis: redis-cli -s $dir/redis.sock"
	echo "  stop and remove: $dir/stop"
}

throwaway_server </dev/null
failed=false
helpdesk
behind_redis
bank || failed=true
if $asked_to_keep
then
	leave_running
fi
if $failed
then
	die "cached and plain results differ"
fi
