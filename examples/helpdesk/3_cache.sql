-- The cache: all that it takes.

CREATE EXTENSION dashboard_cache;

-- Writes the function cached_dashboard_stats(days, reference_date).
SELECT dashboard_cache.cache('dashboard_stats(int, date)',
							 ttl => '5 minutes',
							 key => 'dashboard:stats:{reference_date}:{days}')
\g /dev/null

-- Whoever writes to what the dashboard reads makes its results stale, when
-- the transaction commits.
CREATE TRIGGER invalidate_dashboard
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenants
FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('dashboard:*');

CREATE TRIGGER invalidate_dashboard
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON issues
FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('dashboard:*');

CREATE TRIGGER invalidate_dashboard
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON requests
FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('dashboard:*');

CREATE TRIGGER invalidate_dashboard
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON changes
FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('dashboard:*');
