-- A cheap query, so that what a miss adds to it is not lost in its noise.
CREATE TABLE numbers AS
SELECT n AS id, n % 100 AS value FROM generate_series(1, 10000) n;
ALTER TABLE numbers ADD PRIMARY KEY (id);
VACUUM ANALYZE numbers;

CREATE FUNCTION body(i bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT jsonb_build_object('sum', sum(value), 'count', count(*))
			FROM numbers WHERE id BETWEEN i % 9000 AND i % 9000 + 10);
END
$$;
SELECT dashboard_cache.cache('body(bigint)', ttl => 'infinity') \g /dev/null
