-- The cache: all that it takes.

CREATE EXTENSION dashboard_cache;

-- Writes the function cached_dashboard_stats(days, reference_date), and watches
-- the four tables that the dashboard reads: whoever writes to what it has read
-- makes its results stale, when the transaction commits.
SELECT dashboard_cache.cache('dashboard_stats(int, date)',
							 ttl => '5 minutes',
							 key => 'dashboard:stats:{reference_date}:{days}')
\g /dev/null
