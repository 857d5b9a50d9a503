-- Redis behind the cache: the first two lines are all that it takes.

ALTER SYSTEM SET dashboard_cache.redis_url = :'redis_url';
SELECT pg_reload_conf() \g /dev/null

-- Results that are computed from now on go to Redis too.  Here nobody wants to
-- wait for that.
CREATE PROCEDURE await_redis() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 3000 LOOP
		IF (SELECT state FROM dashboard_cache.redis_status) = 'up' THEN
			RETURN;
		END IF;
		PERFORM pg_sleep(0.01);
	END LOOP;
	RAISE 'Redis is not up: %', (SELECT r FROM dashboard_cache.redis_status r);
END $$;

CREATE PROCEDURE await_cleared(before bigint) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 10000 LOOP
		IF (SELECT keys_cleared FROM dashboard_cache.redis_status) > before THEN
			RETURN;
		END IF;
		PERFORM pg_sleep(0.001);
	END LOOP;
	RAISE 'nothing is cleared from Redis';
END $$;

CALL await_redis();
SELECT dashboard_cache.flush() \g /dev/null
SELECT cached_dashboard_stats(30, '2025-12-31') \g /dev/null
