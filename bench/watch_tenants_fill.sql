SELECT count(cached_others(n)), count(cached_written(n)), count(cached_wide(n))
FROM generate_series(1, 100) n \g /dev/null
SELECT dashboard_cache.reset_stats() \g /dev/null
