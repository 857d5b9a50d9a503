# shellcheck shell=bash
# What ./run measures of watched tables: what their triggers cost those who
# write, what noting what was read costs a miss and a hit, and how many entries a
# write leaves alone.

ratio_seconds=3					# of reading and writing at once

# What has to be so for TPC-B's four tables to be "unwatched", "watched" or
# "sliced", and their entries to depend on it.
state_is()
{
	case $1 in
		unwatched) echo 'NOT watched' ;;
		watched) echo 'watched AND slice IS NULL' ;;
		sliced) echo "watched AND slice = 'bid = branch'" ;;
	esac
}

# Moves the server, and what will be started, to some of the processors.
serve_on()
{
	local pid

	taskset -cp "$1" $$ >/dev/null
	for pid in $(head -n 1 "$dir/data/postmaster.pid") \
		$(sql -c 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
	do
		taskset -cp "$1" "$pid" >/dev/null
	done
}

# One run of TPC-B, while somebody asks for entries of all tables fifty times a
# second.  So there is always something to invalidate.  Where tables are not
# watched nothing would be, so there the query is run each time, as it is here.
watched_tpcb_run()
{
	local counted=fills options=

	sql -d tpcb_watch -v state="$1" -f "$here/watch_tpcb_state.sql"
	verify tpcb_watch "count(*) = 4 AND bool_and($(state_is "$1"))
		FROM dashboard_cache.dependencies"
	verify tpcb_watch 'count(*) = 80 FROM dashboard_cache.entries WHERE valid'
	if [ "$1" = unwatched ]
	then
		counted=disabled options='-c dashboard_cache.enabled=off'
	fi
	PGOPTIONS=$options pgbench -n -T "$seconds" -R 50 -M prepared \
		-f "$here/watch_tpcb.pgbench" tpcb_watch >"$dir/reader.out" 2>&1 &
	tps tpcb_watch
	wait $! || { cat "$dir/reader.out" >&2; die "pgbench failed"; }
	verify tpcb_watch "count(*) = 4 AND min($counted) >= 5 * $seconds
		FROM dashboard_cache.stats"
}

# watched_tpcb STATE TARGET
watched_tpcb()
{
	local mode clients sliced=false pairs=$((pairs < 11 ? pairs : 11))

	[ "$1" != sliced ] || sliced=true
	sql -d tpcb_watch -v sliced=$sliced -f "$here/watch_tpcb.sql"
	for mode in simple prepared
	do
		for clients in 1 2
		do
			watched_tpcb_run "$1" >/dev/null
			pairs_of watched_tpcb_run unwatched "$1" |
				row "TPC-B, unwatched / $1, $mode, -c $clients" \
					tps ratio '>=' "$2"
		done
	done
}

# On one processor, as redis_tpcb does it, and for the same reason.
watched_tpcbs()
{
	local all

	createdb tpcb_watch
	pgbench -i -s 20 -q tpcb_watch >"$dir/tpcb.init" 2>&1
	sql -d tpcb_watch -c 'CREATE EXTENSION dashboard_cache'
	all=$(processors)
	serve_on "${all%%[-,]*}"
	watched_tpcb watched 0.95
	watched_tpcb sliced 0.93
	serve_on "$all"
}

# copy_once TABLE LEFT: what copies the rows into the table, which has entries
# of a hundred branches, of which so many are to be valid afterwards.
copy_once()
{
	local entries

	entries="FROM dashboard_cache.entries
		WHERE valid AND function = 'cached_$1(int)'::regprocedure \\gset"
	cat <<-SQL
		TRUNCATE $1;
		SELECT count(cached_$1(n)) FROM generate_series(1, 100) n \\g /dev/null
		SELECT count(*) AS before $entries
		\\timing on
		COPY $1 FROM '$dir/rows';
		\\timing off
		SELECT count(*) AS after $entries
		\\echo entries :before of 100, then :after of $2
	SQL
}

# copies TABLE TARGET
copies()
{
	local i

	for ((i = 0; i < pairs; i++))
	do
		if ((i % 2 == 0))
		then
			copy_once unwatched 100; copy_once "$1" 0
		else
			copy_once "$1" 0; copy_once unwatched 100
		fi
	done | sql >"$dir/copies"
	awk '/^entries/ && ($2 + 0 != $4 + 0 || $6 != $8) { exit 1 }' \
		"$dir/copies" || die "COPY has not invalidated what it had to"
	awk '/^Time/ {
		if (n++ % 2 == 0)
			first = $2
		else if (n % 4 == 2)
			print first, $2
		else
			print $2, first
	}' "$dir/copies" |
		row "COPY of a million rows, unwatched / $1" ms ratio '<=' "$2"
	verify postgres "cached_$1(1) = 10000"
}

# Ten tables behind five views.
views()
{
	local i mode=prepared clients=1

	sql -f "$here/watch_views.sql"
	pairs_of miss_run watch_views_body watch_views_cached |
		row 'a query of ten tables / a miss and fill' us difference '<=' 50
	verify postgres "hits = 0 AND misses = fills AND fills > 0
		FROM $(counters_of 'cached_pairs(bigint)')"
	verify postgres "count(*) = 10 AND bool_and(watched)
		FROM dashboard_cache.dependencies
		WHERE function = 'cached_pairs(bigint)'::regprocedure"

	sql -c 'SELECT dashboard_cache.reset_stats()' >/dev/null
	{
		printf '%s\n' 'SELECT cached_none(1), cached_pairs(1) \g /dev/null' \
			'\timing on' '\o /dev/null'
		for ((i = 0; i < pairs; i++))
		do
			echo "SELECT count(cached_none(1)) FROM generate_series(1, $calls);"
			echo "SELECT count(cached_pairs(1)) FROM generate_series(1, $calls);"
		done
	} | sql >"$dir/views"
	awk -v calls="$calls" '
		/^Time/ { printf "%s%s", 1000 * $2 / calls, n++ % 2 ? "\n" : " " }' \
		"$dir/views" |
		row 'hit of no table / of ten, within a statement' \
			us difference '<=' 1
	verify postgres "bool_and(misses = 1 AND hits = $pairs * $calls)
		FROM dashboard_cache.stats
		WHERE function IN ('cached_none(bigint)'::regprocedure,
						   'cached_pairs(bigint)'::regprocedure)"
}

# Reads and writes at once, by the scripts; all entries are there before.
read_and_write()
{
	sql -f "$here/watch_tenants_fill.sql"
	pgbench -n -T "$ratio_seconds" -R 200 -M prepared \
		-f "$here/watch_$2.pgbench" >"$dir/writer.out" 2>&1 &
	pgbench -n -T "$ratio_seconds" -M prepared -c 2 -j 2 \
		-f "$here/watch_$1.pgbench" >"$dir/reader.out" 2>&1 ||
		{ cat "$dir/reader.out" >&2; die "pgbench failed"; }
	wait $! || { cat "$dir/writer.out" >&2; die "pgbench failed"; }
}

# hit_ratio FUNCTION: of those of its calls that ran while somebody wrote.
hit_ratio()
{
	sql -c "SELECT hits::float8 / (hits + misses)
		FROM $(counters_of "$1") AND hits > 1000"
}

hit_ratios()
{
	sql -f "$here/watch_tenants.sql"
	read_and_write tenants_read tenants_write
	verify postgres "misses > 50 * $ratio_seconds
		FROM $(counters_of 'cached_written(int)')"
	fact 'hits of 99 tenants while one is written to' \
		"$(hit_ratio 'cached_others(int)')" '' '>=' 0.99

	read_and_write column_read column_write
	verify postgres "sum(length(note)) > 50 * $ratio_seconds FROM wide_issues"
	fact 'hits while a column is set that none reads' \
		"$(hit_ratio 'cached_wide(int)')" '' '>=' 1

	# Of the hundreds of tags that slices have some share a place in the ledger,
	# which costs misses.
	read_and_write slice_column_read slice_column_write
	verify postgres "sum(length(note)) > 50 * $ratio_seconds FROM issues"
	fact 'the same, with slices' "$(hit_ratio 'cached_others(int)')" \
		'' '>=' 0.999
}

watch_lines()
{
	watched_tpcbs
	sql -v file="$dir/rows" -f "$here/watch_copy.sql"
	copies watched 1.02
	copies sliced 1.15
	views
	hit_ratios
}
