# shellcheck shell=bash
# What ./run measures with Redis, on servers of its own that listen on unix
# sockets in $dir: Redis, and memcached for the comparison with pgmemcache.
#
# The server of ./run is restarted, since what is measured first needs shared
# memory turned off.  Redis is turned on and off by reloading redis_url, and
# stopped by SIGSTOP, which is how it hangs.

redis_calls=1000				# of which the round trips are counted
redis_timeout=500				# ms
page_entries=10000				# to be cleared, among
other_keys=1000000
clear_rounds=3
stop_rounds=5
daemons=()						# by process id
redis_pid=

# Not as the server: runuser would stay between, and stop when Redis is stopped.
as_daemon=()
[ "$(id -u)" != 0 ] ||
	as_daemon=(setpriv --reuid postgres --regid postgres --init-groups --)

redis()
{
	redis-cli -s "$dir/redis.sock" "$@"
}

# What is needed besides the server, as Debian's packages.
redis_packages()
{
	command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null ||
		echo redis-server
}

pgmemcache_packages()
{
	[ -e "$("$pg_config" --pkglibdir)/pgmemcache.so" ] ||
		echo "postgresql-$(server_version)-pgmemcache"
	command -v memcached >/dev/null || echo memcached
}

server_version()
{
	"$pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
}

# install_also PACKAGE ...: false if that is not possible.
install_also()
{
	[ $# = 0 ] || (
		trap uninstall_guards EXIT
		install_packages "$@"
	)
}

# Before throwaway_server's own EXIT trap, which knows nothing of these.
stop_daemons()
{
	local pid

	trap '' INT TERM HUP
	for pid in ${daemons[@]+"${daemons[@]}"}
	do
		kill -KILL "$pid" || true
		wait "$pid" || true
	done 2>/dev/null
	clean_up
}

start_redis()
{
	local packages

	packages=$(redis_packages)
	# shellcheck disable=SC2086 # one word a package
	install_also $packages || die "there is no redis-server"
	trap stop_daemons EXIT
	"${as_daemon[@]}" redis-server --port 0 --unixsocket "$dir/redis.sock" \
		--save '' --appendonly no --enable-debug-command local \
		--latency-tracking-info-percentiles 100 --dir "$dir" \
		>"$dir/redis.log" &
	redis_pid=$!
	daemons+=("$redis_pid")
	wait_until redis_answers
}

redis_answers()
{
	[ "$(redis PING 2>/dev/null)" = PONG ]
}

# Polls a command until it succeeds.
wait_until()
{
	local i

	for ((i = 0; i < 3000; i++))
	do
		! "$@" || return 0
		sleep 0.02
	done
	die "waited in vain: $*"
}

redis_state_is()
{
	[ "$(sql -c 'SELECT state FROM dashboard_cache.redis_status')" = "$1" ]
}

set_redis_url()
{
	sql -c "ALTER SYSTEM SET dashboard_cache.redis_url = '$1'" \
		-c 'SELECT pg_reload_conf()' >/dev/null
}

# Turns Redis "up", "down" (it hangs) or "off" (there is none).
redis_goes()
{
	! redis_state_is "$1" || return 0
	set_redis_url ''
	wait_until redis_state_is off
	case $1 in
		off) kill -CONT "$redis_pid"; return ;;
		up) kill -CONT "$redis_pid" ;;
		down) kill -STOP "$redis_pid" ;;
	esac
	set_redis_url "unix://$dir/redis.sock"
	wait_until redis_state_is "$1"
}

# restart_server MODE SHARED_MEMORY_SIZE: ends as pg_ctl's mode says; what
# waits for Redis must not wait for ever.
restart_server()
{
	local pg_ctl

	pg_ctl=$dir/pg$("$pg_config" --bindir)/pg_ctl
	sql -c "ALTER SYSTEM SET dashboard_cache.shared_memory_size = '$2'"
	kill -CONT "$redis_pid"
	"${as_server[@]}" "$pg_ctl" -D "$dir/data" -l "$dir/server.log" -w \
		-m "$1" restart >/dev/null ||
		{ tail -n 20 "$dir/server.log" >&2; die "the server did not restart"; }
}

# Microseconds a transaction.
us_run()
{
	tps -f "$here/$1.pgbench" | awk '{ print 1000000 / $1 }'
}

us_get()
{
	redis-benchmark -s "$dir/redis.sock" -c 1 -n 15000 --csv GET bench:text |
		awk -F '"' '/^"GET/ { print 1000000 / $4 }'
}

redis_hit_run()
{
	if [ "$1" = row_and_get ]
	then
		echo "$(us_run redis_row) $(us_get)" | awk '{ print $1 + $2 }'
	else
		us_run "$1"
	fi
}

redis_hits()
{
	local mode clients=1

	sql -c 'SELECT v FROM text_row_table' | head -c -1 |
		redis -x SET bench:text >/dev/null
	[ "$(redis STRLEN bench:text)" = \
		"$(sql -c 'SELECT octet_length(v) FROM text_row_table')" ] ||
		die "Redis has not the table's text"
	sql -c 'SELECT cached_text(30)' >/dev/null
	for mode in prepared simple
	do
		pairs_of redis_hit_run row_and_get redis_text |
			row "table row + GET / Redis hit, text, $mode" us ratio '<=' 1.25
	done
	verify postgres "misses = 1 AND hits > 0 AND redis_hits = hits
		FROM $(counters_of 'cached_text(int)')"
}

start_memcached()
{
	local packages file

	packages=$(pgmemcache_packages)
	# shellcheck disable=SC2086 # one word a package
	install_also $packages || return 1

	# The installation that the server looks at was made before.
	for file in "$("$pg_config" --pkglibdir)/pgmemcache.so" \
		"$("$pg_config" --sharedir)"/extension/pgmemcache*
	do
		ln -sf "$file" "$dir/pg$file"
	done
	"${as_daemon[@]}" memcached -s "$dir/memcached.sock" \
		>"$dir/memcached.log" 2>&1 &
	daemons+=($!)
	wait_until test -S "$dir/memcached.sock"
	echo "pgmemcache.default_servers = '$dir/memcached.sock'" |
		"${as_server[@]}" tee -a "$dir/data/postgresql.conf" >/dev/null
	sql -c 'CREATE EXTENSION pgmemcache' -c 'SELECT pg_reload_conf()' >/dev/null
}

memcache_hits()
{
	local mode clients=1

	start_memcached || {
		echo "pgmemcache / Redis hit, jsonb: skipped, it cannot be installed"
		return
	}
	verify postgres "memcache_set('k', v) FROM text_row_table"
	verify postgres "memcache_get('k')::jsonb = cached_json(30)"
	for mode in prepared simple
	do
		pairs_of redis_hit_run memcache_json redis_json |
			row "pgmemcache / Redis hit, jsonb, $mode" us ratio '<=' 1
	done
	verify postgres "misses = 1 AND redis_hits = hits
		FROM $(counters_of 'cached_json(int)')"
}

# In one session: how often Redis has read and written, and was connected to,
# for hits and for misses.  What it does to tell us is counted first, and taken
# off.
round_trips()
{
	local n=$redis_calls hit fill connections

	{
		echo 'SELECT cached_numbered(0) \g /dev/null'
		echo_counts
		echo_counts
		echo "SELECT count(cached_numbered(0)) FROM generate_series(1, $n) \\g /dev/null"
		echo_counts
		echo "SELECT count(cached_numbered(i)) FROM generate_series(1, $n) i \\g /dev/null"
		echo_counts
	} | sql >"$dir/counts"
	awk -F : -v n="$n" '
		{ sub("\r", "") }
		/^total_connections_received/ { k++; connections[k] = $2 }
		/^total_reads_processed/ { reads[k] = $2 }
		END {
			own = reads[2] - reads[1]
			own_connections = connections[2] - connections[1]
			print (reads[3] - reads[2] - own) / n,
				(reads[4] - reads[3] - own) / n,
				connections[4] - connections[2] - 2 * own_connections
		}' "$dir/counts" >"$dir/round_trips"
	read -r hit fill connections <"$dir/round_trips"
	verify postgres "redis_hits = $n AND fills = $n + 1
		FROM $(counters_of 'cached_numbered(int)')"
	fact 'round trips a hit' "$hit" '' '<=' 1.01
	fact 'round trips a miss and fill' "$fill" '' '<=' 2.02
	fact "connections opened by $n of each" "$connections" '' '<=' 0
}

echo_counts()
{
	echo "\\! redis-cli -s '$dir/redis.sock' INFO stats | grep -E '^total_(connections_received|reads_processed)'"
}

# After a rest, while Redis was waited for, processors are slow to wake up.
warm_up()
{
	pgbench -n -t $((1000 / clients)) -M "$mode" -c "$clients" -j "$clients" "$@" \
		>"$dir/pgbench.out" 2>&1 || die "pgbench failed"
}

# Redis that hangs is waited for longer than none, so a first run does not count.
hung_run()
{
	redis_goes "$1"
	tps -f "$here/$script.pgbench" >/dev/null
	tps -f "$here/$script.pgbench"
}

# The slowest call of eight clients, in ms; Redis hangs after a second, if it
# is there at all.  They do not call as often as they can: on processors that
# have no rest, one of eight waits for its turn for longer than for Redis.
slowest_run()
{
	local slowest

	redis_goes "$1"
	rm -f "$dir"/slowest.*
	pgbench -n -T 3 -R 500 -M prepared -c 8 -j 8 -l \
		--log-prefix="$dir/slowest" -f "$here/redis_report.pgbench" \
		>"$dir/pgbench.out" 2>&1 &
	if [ "$1" = up ]
	then
		sleep 1
		kill -STOP "$redis_pid"
	fi
	wait $! || { cat "$dir/pgbench.out" >&2; die "pgbench failed"; }

	# The log's third field is the time since the call was due, and its seventh
	# for how long it then was not made.
	slowest=$(cat "$dir"/slowest.* |
		awk '$3 - $7 > slowest { slowest = $3 - $7 }
			END { print slowest / 1000 }')
	echo "$slowest"
	if [ "$1" = up ]
	then
		[ "${slowest%.*}" -ge $((redis_timeout - 1)) ] ||
			die "Redis hung, and nobody waited"
		wait_until redis_state_is down
	fi
}

# What it adds to the slowest call that there is without Redis.
slowest()
{
	local i

	for ((i = 0; i < stop_rounds; i++))
	do
		echo "$(slowest_run off) $(slowest_run up)"
	done |
		awk '$1 > a { a = $1 } $2 > b { b = $2 } END { print a, b }' |
		row "slowest of -c 8, no Redis / SIGSTOP" ms difference '<=' \
			$((redis_timeout + 50))
}

# redis_hung WHAT SCRIPT
redis_hung()
{
	local mode=prepared clients=8 script=$2

	pairs_of hung_run off down |
		row "no Redis / Redis hangs, $1, -c 8" tps ratio '>=' 0.95
}

# Moves Redis, and what will be started, to some of the processors.
use_processors()
{
	taskset -cp "$1" $$ >/dev/null
	taskset -acp "$1" "$redis_pid" >/dev/null
}

# One run of TPC-B, while somebody looks at the dashboards twenty times a second:
# so there is always something to invalidate, and with each sweep of the worker's
# something to clear.
redis_tpcb_run()
{
	redis_goes "$1"
	sql -d tpcb_redis -c 'VACUUM pgbench_branches, pgbench_tellers'
	warm_up tpcb_redis
	pgbench -n -T "$seconds" -R 20 -M prepared -f "$here/redis_total.pgbench" \
		tpcb_redis >"$dir/reader.out" 2>&1 &
	tps tpcb_redis
	wait $! || { cat "$dir/reader.out" >&2; die "pgbench failed"; }
}

# On one processor: so whatever else is done takes time from the writers, and how
# processes spread over several is not measured with it.
redis_tpcb()
{
	local mode=prepared clients state cleared all

	all=$(processors)
	use_processors "${all%%[-,]*}"
	restart_server fast 64MB
	createdb tpcb_redis
	pgbench -i -s 20 -q tpcb_redis >"$dir/tpcb.init" 2>&1
	sql -d tpcb_redis -c 'CREATE EXTENSION dashboard_cache' -f "$here/tpcb.sql"
	cleared=$(sql -c 'SELECT keys_cleared FROM dashboard_cache.redis_status')
	clients=1
	redis_tpcb_run up >/dev/null
	for state in up down
	do
		for clients in 1 2
		do
			pairs_of redis_tpcb_run off $state |
				row "TPC-B, no Redis / Redis $state, -c $clients" \
					tps ratio '>=' 0.97
		done
		verify tpcb_redis "keys_cleared >= $cleared + 50
			FROM dashboard_cache.redis_status"
	done
	verify tpcb_redis "fills > 50
		FROM $(counters_of 'cached_total(int)')"
	use_processors "$all"
}

# The slowest command since the last reset, in ms.
slowest_command()
{
	redis INFO latencystats | tr -d '\r' |
		awk -F '[=:]' '$1 !~ /config|info|debug|dbsize/ && $3 > slowest {
			slowest = $3
		} END { print slowest / 1000 }'
}

redis_was_scanned()
{
	redis INFO commandstats | grep -q '^cmdstat_scan:'
}

only_others_are_left()
{
	[ "$(redis DBSIZE)" = "$other_keys" ]
}

fill_pages()
{
	sql -c "SELECT count(cached_page(i)) FROM generate_series(1, $page_entries) i" \
		>/dev/null
	[ "$(redis DBSIZE)" = $((other_keys + page_entries)) ] ||
		die "$page_entries entries are not that many keys in Redis"
	redis CONFIG RESETSTAT >/dev/null
}

# Prints what the slowest command of clearing the pages took, which the worker's
# directory knows, but for a few that found no room in it, or does not know.
clear_pages()
{
	fill_pages
	if [ "$1" = known ]
	then
		verify postgres "keys_known > $page_entries * 0.99
			FROM dashboard_cache.redis_status"
	else
		restart_server immediate 64MB
		verify postgres "keys_known = 0 FROM dashboard_cache.redis_status"
		wait_until redis_state_is up
	fi
	sql -c "SELECT dashboard_cache.invalidate_pattern('page:*')" >/dev/null
	wait_until only_others_are_left
	[ "$1" = known ] || redis_was_scanned ||
		die "keys were cleared that nobody can have found"
	slowest_command
}

clearing()
{
	local round known

	# What is left of the other lines is not to be cleared with this, and what
	# the worker looks for when it starts is to be found missing first.
	redis FLUSHALL >/dev/null
	redis CONFIG RESETSTAT >/dev/null
	restart_server immediate 64MB
	wait_until redis_state_is up
	wait_until redis_was_scanned
	redis DEBUG POPULATE "$other_keys" other 100 >/dev/null
	sql -f "$here/redis_clear.sql"
	for known in known unknown
	do
		for ((round = 0; round < clear_rounds; round++))
		do
			clear_pages $known
		done >"$dir/clearing"
		# What else the machine does can only make a command slower.
		fact "slowest command, 10,000 of 1,010,000, $known" \
			"$(sort -n "$dir/clearing" | head -n 1)" ms '<=' 5
	done
}

redis_lines()
{
	local pairs=$((pairs < 11 ? pairs : 11))

	start_redis
	restart_server fast 0
	sql -f "$here/redis.sql"
	redis_goes up
	redis_hits
	memcache_hits
	round_trips
	redis_hung report redis_report
	slowest

	restart_server fast 64MB
	redis_hung 'hit in memory' redis_text
	redis_tpcb
	redis_goes up
	clearing
}
