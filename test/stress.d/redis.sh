# shellcheck shell=bash
# The Redis server of ../stress, which sources this file, and a process that
# causes its faults while the clients run.
#
# Redis listens on a socket in the work directory.  What it holds is in its
# database 0; database 1 is where the faults keep copies.

redis_kinds=(kill kill_old restart stop flush disconnect full read_only
	copy bring_back reload)

# Fails when Redis replies with an error.
redis_cli() {
	timeout 20 redis-cli -e -s "$work/redis.sock" "$@"
}

start_redis() {
	local n

	"${unprivileged[@]}" redis-server --port 0 --unixsocket "$work/redis.sock" \
		--dir "$work/redis" --save '' --databases 2 --logfile redis.log \
		>redis.start 2>&1 &
	echo $! >redis.pid
	disown
	for ((n = 0; n < 300; n++)); do
		[ "$(redis_cli PING 2>&1)" != PONG ] || return 0
		sleep 0.1
	done
	give_up "redis-server did not start" redis.start redis/redis.log
}

# Waits for the end of what a signal or SHUTDOWN ends.
await_end_of_redis() {
	local n

	for ((n = 0; n < 1000; n++)); do
		kill -0 "$(<redis.pid)" 2>/dev/null || {
			: >redis.pid
			return 0
		}
		sleep 0.02
	done
	give_up "redis-server did not end" redis/redis.log
}

kill_redis() {
	[ -s redis.pid ] || return 0
	kill -KILL "$(<redis.pid)"
	await_end_of_redis
}

# pause MIN MAX, in milliseconds
pause() {
	local ms=$(($1 + RANDOM % ($2 - $1)))

	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

#
# The faults.  Each ends with a Redis that works.
#

cause_kill() {
	kill_redis
	rm -f redis/dump.rdb
	pause 1 800
	start_redis
}

# What it comes back with is what the last restart saved.
cause_kill_old() {
	kill_redis
	pause 1 800
	start_redis
}

cause_restart() {
	redis_cli SHUTDOWN SAVE
	await_end_of_redis
	pause 1 800
	start_redis
}

# At times shorter than redis_timeout, at times longer.
cause_stop() {
	kill -STOP "$(<redis.pid)"
	pause 20 1200
	kill -CONT "$(<redis.pid)"
}

cause_flush() {
	redis_cli FLUSHALL
}

cause_disconnect() {
	redis_cli CLIENT KILL TYPE normal SKIPME yes
}

# It reads and clears, but refuses fills.
cause_full() {
	redis_cli CONFIG SET maxmemory 1
	pause 20 800
	redis_cli CONFIG SET maxmemory 0
}

# It reads, but refuses fills and clearing.
cause_read_only() {
	redis_cli REPLICAOF 127.0.0.1 1
	pause 20 800
	redis_cli REPLICAOF NO ONE
}

# Entries under names that are not theirs, and values with others' stamps,
# all of the same function
cause_copy() {
	redis_cli EVAL "
		local names = {}
		local copied = 0
		math.randomseed(ARGV[1])
		for _, to in ipairs(redis.call('KEYS', '*')) do
			local kind = to:match('^[^:]*:[^:]*')
			local same = names[kind] or {}
			local from = #same > 0 and same[math.random(#same)]
			local how = math.random(3)
			if from and how == 1 then
				redis.call('COPY', from, to, 'REPLACE')
				copied = copied + 1
			elseif from and how == 2 then
				redis.call('HSET', to, 'value',
					redis.call('HGET', from, 'value'))
				copied = copied + 1
			end
			table.insert(same, to)
			names[kind] = same
		end
		return 'copied ' .. copied" 0 "$RANDOM"
}

# Entries under their own names, some time after writes have cleared them
cause_bring_back() {
	copy_all 0 1
	pause 20 1500
	copy_all 1 0
	redis_cli -n 1 FLUSHDB
}

# copy_all FROM TO, which are databases
copy_all() {
	redis_cli -n "$1" EVAL "
		local copied = 0
		for _, key in ipairs(redis.call('KEYS', '*')) do
			copied = copied
				+ redis.call('COPY', key, key, 'DB', ARGV[1], 'REPLACE')
		end
		return 'copied ' .. copied" 0 "$2"
}

# Sessions reconnect at any change of settings, even of one that does not
# matter on a unix socket.
cause_reload() {
	local verify

	verify=$(sql -c 'SHOW dashboard_cache.redis_tls_verify')
	[ "$verify" = none ] && verify=full || verify=none
	sql -o /dev/null \
		-c "ALTER SYSTEM SET dashboard_cache.redis_tls_verify = '$verify'" \
		-c 'SELECT pg_reload_conf()'
}

redis_state() {
	sql -c 'SELECT state FROM dashboard_cache.redis_status'
}

# Redis works, so sooner or later the extension finds that out.  After several
# faults the next try may be so far off that hardly any time with Redis would
# be left; with other settings it is made at once.
await_redis_up() {
	local n

	for ((n = 1; n <= 600; n++)); do
		[ "$(redis_state)" != up ] || return 0
		[ $((n % 40)) != 0 ] || cause_reload
		sleep 0.05
	done
	give_up "Redis works, but redis_status says: $(redis_state)" server.log
}

# All kinds one after the other, in another order each time.  Mostly, there is
# some time in between for hits.
cause_faults() {
	local i
	local -a kinds=()

	RANDOM=$seed
	while [ ! -e clients.done ]; do
		[ ${#kinds[@]} -gt 0 ] || kinds=("${redis_kinds[@]}")
		i=$((RANDOM % ${#kinds[@]}))
		pause 50 700
		"cause_${kinds[i]}"
		echo "${kinds[i]}" >>redis.faults
		[ $((RANDOM % 4)) = 0 ] || await_redis_up
		unset "kinds[i]"
		kinds=("${kinds[@]}")
	done
	await_redis_up
}
