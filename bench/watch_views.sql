-- A query of ten tables behind five views, and none at all.
SELECT format('CREATE TABLE source_%s AS
			   SELECT n AS id, n %% 100 AS value FROM generate_series(1, 1000) n', i),
	format('ALTER TABLE source_%s ADD PRIMARY KEY (id)', i),
	format('VACUUM ANALYZE source_%s', i)
FROM generate_series(1, 10) i \gexec
SELECT format('CREATE VIEW pair_%s AS SELECT a.id, a.value + b.value AS value
			   FROM source_%s a JOIN source_%s b USING (id)', i, 2 * i - 1, 2 * i)
FROM generate_series(1, 5) i \gexec

CREATE FUNCTION pairs(i bigint) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT a.value + b.value + c.value + d.value + e.value
			FROM pair_1 a JOIN pair_2 b USING (id) JOIN pair_3 c USING (id)
				JOIN pair_4 d USING (id) JOIN pair_5 e USING (id)
			WHERE id = i % 1000 + 1);
END
$$;
SELECT dashboard_cache.cache('pairs(bigint)', ttl => 'infinity') \g /dev/null

CREATE FUNCTION cached_none(i bigint) RETURNS int
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
SELECT i::int
$$;
