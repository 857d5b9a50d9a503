# shellcheck shell=bash
# A throwaway Redis server for the server of server.sh, for scripts that source
# this file after that one.
#
# It listens on a socket in the same directory ($dir), for the same user, keeps
# nothing on disk, and ends with the other server, also by $dir/stop.

redis_server=					# the program, when there is one

# Debian packs the server's program as redis-check-rdb with the tools: the name
# that it is called by decides.  So nothing need be installed that starts a
# system service.
redis_program()
{
	command -v redis-cli >/dev/null &&
		{ command -v redis-server || command -v redis-check-rdb; }
}

# Finds Redis, or installs it where nobody has to be asked for a password.
find_redis()
{
	if ! redis_server=$(redis_program) &&
		command -v apt-get >/dev/null &&
		{ [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
	then
		(
			trap uninstall_guards EXIT
			install_packages redis-tools
		)
		redis_server=$(redis_program)
	fi
	[ -n "$redis_server" ]
}

redis()
{
	redis-cli -s "$dir/redis.sock" "$@"
}

# Besides starting it, leaves programs in $dir that kill it and start it again.
throwaway_redis()
{
	unset REDISCLI_AUTH
	ln -s "$redis_server" "$dir/redis-server"
	cat >"$dir/redis_start" <<-START
		#!/bin/bash
		cd '$dir'
		${as_server[*]} ./redis-server --daemonize yes --pidfile '$dir/redis.pid' \\
			--port 0 --unixsocket '$dir/redis.sock' --save '' --dir '$dir' \\
			--logfile '$dir/redis.log' >/dev/null
		until [ "\$(redis-cli -s '$dir/redis.sock' PING 2>&1)" = PONG ]
		do
			((tries++ < 500)) || exit 1
			sleep 0.02
		done
	START
	cat >"$dir/redis_kill" <<-KILL
		#!/bin/bash
		[ -s '$dir/redis.pid' ] || exit 0
		kill -9 "\$(cat '$dir/redis.pid')"
		rm '$dir/redis.pid'
	KILL
	mv "$dir/stop" "$dir/stop_postgres"
	cat >"$dir/stop" <<-STOP
		#!/bin/bash
		# Stops both servers and removes all of them.
		'$dir/redis_kill'
		'$dir/stop_postgres'
	STOP
	chmod 755 "$dir"/{redis_start,redis_kill,stop}
	"$dir/redis_start" ||
		{ tail -n 20 "$dir/redis.log" >&2; die "redis-server did not start"; }
}
