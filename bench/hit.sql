-- A dashboard's result of about 3.4 kB, in a table and in the cache.
CREATE TABLE one_row_table AS
SELECT jsonb_build_object(
	'to', '2025-12-31', 'from', '2025-12-02',
	'daily', jsonb_agg(jsonb_build_object(
		'day', date '2025-12-01' + n,
		'asked', abs(hashint8extended(n, 1) % 1000),
		'opened', abs(hashint8extended(n, 2) % 1000)))) AS v
FROM generate_series(1, 64) n;
VACUUM ANALYZE one_row_table;

CREATE FUNCTION dashboard(days int, reference_date date) RETURNS jsonb
LANGUAGE sql STABLE AS 'SELECT v FROM one_row_table';

SELECT dashboard_cache.cache('dashboard(int, date)', ttl => 'infinity',
							 key => 'dashboard:{reference_date}:{days}')
\g /dev/null
