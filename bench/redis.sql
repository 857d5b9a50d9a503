-- A dashboard's result of about 3.4 kB: in a table as text, and in the cache as
-- text and as jsonb.
CREATE TABLE text_row_table AS
SELECT jsonb_build_object(
	'to', '2025-12-31', 'from', '2025-12-02',
	'daily', jsonb_agg(jsonb_build_object(
		'day', date '2025-12-01' + n,
		'asked', abs(hashint8extended(n, 1) % 1000),
		'opened', abs(hashint8extended(n, 2) % 1000))))::text AS v
FROM generate_series(1, 64) n;
VACUUM ANALYZE text_row_table;

CREATE FUNCTION cached_text(days int) RETURNS text
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key redis:text:{days}
SELECT v FROM text_row_table
$$;

CREATE FUNCTION cached_json(days int) RETURNS jsonb
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key redis:json:{days}
SELECT v::jsonb FROM text_row_table
$$;

-- Of which round trips are counted.
CREATE FUNCTION cached_numbered(i int) RETURNS text
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key redis:entry:{i}
SELECT v || i FROM text_row_table
$$;

-- A report that takes about a millisecond.
CREATE TABLE report_rows AS
SELECT n % 1000 AS id, n AS value FROM generate_series(1, 10000) n;
VACUUM ANALYZE report_rows;

CREATE FUNCTION cached_report(i int) RETURNS text
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key redis:report:{i}
SELECT sum(value)::text FROM report_rows WHERE id <= i
$$;
