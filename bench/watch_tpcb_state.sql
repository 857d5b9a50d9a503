-- Watches TPC-B's tables, with slices or without, or none of them, and then fills
-- an entry of each table for each branch.
SELECT dashboard_cache.unwatch(tgrelid) FROM pg_trigger
WHERE tgname = 'dashboard_cache_write' \g /dev/null
SELECT dashboard_cache.watch(relation, CASE WHEN :'state' = 'sliced' THEN name 'bid' END)
FROM unnest('{pgbench_accounts,pgbench_branches,pgbench_tellers,pgbench_history}'::regclass[]) relation
WHERE :'state' <> 'unwatched' \g /dev/null
VACUUM pgbench_branches, pgbench_tellers;
SELECT count(cached_accounts(n)), count(cached_branches(n)),
	count(cached_tellers(n)), count(cached_history(n))
FROM generate_series(1, 20) n \g /dev/null
SELECT dashboard_cache.reset_stats() \g /dev/null
