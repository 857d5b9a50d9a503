-- What a dashboard's user meets when Redis is killed and comes back, in one
-- session.  Prints what 4_tour.sql prints.
\set show '->> \'open_issues\' AS shown'
CALL await_redis();
SELECT dashboard_cache.reset_stats() \g /dev/null
\timing on

\echo '@ first cached call, connects to Redis'
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

\timing off
SELECT keys_cleared FROM dashboard_cache.redis_status \gset
\timing on
\echo '@ a write: INSERT of an open issue'
INSERT INTO issues (tenant_id, priority, opened_at)
VALUES (5, 'urgent', '2025-12-31 18:00');
\echo '=' ''

\echo '@   its key is gone from Redis after'
CALL await_cleared(:keys_cleared);
\echo '= redis-cli EXISTS:' `redis-cli -s redis.sock EXISTS "$REDIS_KEY"`

\echo '@ the fresh result, runs the query'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ cached again'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ kill -9 of Redis'
\! ./redis_kill
\echo '=' ''

\echo '@   the call that meets it, runs the query'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@   more calls'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@   dashboard_cache.redis_status'
\timing off
SELECT state, last_error FROM dashboard_cache.redis_status \gset
\timing on
\echo '=' :state: :last_error

\echo '@ Redis is started again: noticed after'
\! ./redis_start
CALL await_redis();
\timing off
SELECT state FROM dashboard_cache.redis_status \gset
\timing on
\echo '=' :state

\echo '@   the next call, runs the query'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@   cached again'
SELECT cached_dashboard_stats(30, '2025-12-31') :show \gset
\echo '=' :shown

\echo '@ cached = plain?'
SELECT CASE WHEN cached_dashboard_stats(30, '2025-12-31')
				 = dashboard_stats(30, '2025-12-31')
			THEN 'equal' ELSE 'DIFFERENT' END AS shown \gset
\echo '=' :shown

\timing off
SELECT hits, redis_hits, misses, redis_down FROM dashboard_cache.stats \gset
\echo 'Counted:' :hits 'hits,' :redis_hits 'of them from Redis;' :misses 'misses,' :redis_down 'of them while Redis was down.'
