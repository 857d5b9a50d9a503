-- What a dashboard's user meets.  demo.sh makes a table of what this prints:
-- "@" begins a step, \timing adds its times, "=" says what the step showed.
\set show '->> \'open_issues\' AS shown'
\timing on

\echo '@ the plain query'
SELECT dashboard_stats(30, '2025-12-31') :show \gset
SELECT dashboard_stats(30, '2025-12-31') :show \gset
SELECT dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ first cached call, runs the query'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ cached calls'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ a write: INSERT of an open issue'
INSERT INTO issues (tenant_id, priority, opened_at)
VALUES (3, 'urgent', '2025-12-31 17:00');
\echo '=' ''

\echo '@ the fresh result, runs the query'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ cached again'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\timing off
BEGIN;
\timing on
\echo '@ in a transaction: DELETE of 100 issues'
DELETE FROM issues WHERE id <= 100;
\echo '=' ''
\echo '@   its own call sees that, runs the query'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown
\timing off
ROLLBACK;
\timing on

\echo '@ rolled back, so still cached'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ cached = plain?'
SELECT CASE WHEN cached_dashboard_stats(30, '2025-12-31')
				 = dashboard_stats(30, '2025-12-31')
			THEN 'equal' ELSE 'DIFFERENT' END AS shown \gset
\echo '=' :shown

\timing off
SELECT hits, misses, stale, own_writes FROM dashboard_cache.stats \gset
\echo 'Counted:' :hits 'hits,' :misses 'misses,' :stale 'of them after a write;' :own_writes 'call passed by in the writing transaction.'
