-- When the cache is passed by, and what is counted then
CREATE EXTENSION dashboard_cache;
CREATE SCHEMA passing_by;
SET search_path = passing_by;

CREATE TABLE t (v int);
INSERT INTO t VALUES (1);
CREATE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT sum(v) FROM t $$;
CREATE VIEW counted AS
	SELECT hits, misses, fills, disabled, serializable, own_writes, own_id, snapshot_moved
	FROM dashboard_cache.stats WHERE function = 'total'::regproc;
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON t EXECUTE FUNCTION dashboard_cache.invalidate('total');

-- the kill switch; invalidations are recorded meanwhile
SELECT total();
SET dashboard_cache.enabled = off;
INSERT INTO t VALUES (2);
SELECT total();
RESET dashboard_cache.enabled;
SELECT total();
TABLE counted;

-- SERIALIZABLE
SELECT dashboard_cache.reset_stats();
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT total();
COMMIT;
TABLE counted;

-- a transaction with an id: hits are fine, a miss is not kept
CREATE TABLE other (v int);
SELECT total();
SELECT dashboard_cache.reset_stats();
BEGIN;
INSERT INTO other VALUES (1);
SELECT total();
COMMIT;
SELECT dashboard_cache.flush();
BEGIN;
INSERT INTO other VALUES (1);
SELECT total();
SELECT total();
COMMIT;
TABLE counted;

-- own writes
SELECT dashboard_cache.reset_stats();
SELECT total();
BEGIN;
SELECT total();
INSERT INTO t VALUES (3);
SELECT total();
SAVEPOINT s;
UPDATE t SET v = 100;
SELECT total();
ROLLBACK TO s;
SELECT total();
ROLLBACK;
SELECT total();
TABLE counted;

-- a function inside that is VOLATILE sees what the call's snapshot does not
SELECT dashboard_cache.reset_stats();
CREATE FUNCTION volatile_total() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN (SELECT sum(v) FROM t); END $$;
CREATE FUNCTION cached_volatile() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT volatile_total() $$;
SELECT cached_volatile(), cached_volatile();
SELECT hits, misses, fills, snapshot_moved FROM dashboard_cache.stats WHERE function = 'cached_volatile'::regproc;

-- arguments and keys that are too large to keep anything for
CREATE FUNCTION size_of(t text) RETURNS int LANGUAGE cached STABLE AS $$ SELECT length(t) $$;
SELECT size_of(repeat('x', 1000)), size_of(repeat('x', 1000));
SELECT size_of(repeat('x', 1100)), size_of(repeat('x', 1100));
SELECT size_of(repeat('x', 17000000)), size_of(repeat('x', 17000000));
SELECT hits, misses, fills, too_large FROM dashboard_cache.stats WHERE function = 'size_of'::regproc;

-- cached functions in cached functions, plpgsql and SQL
CREATE FUNCTION outer_total() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT total() + total() $$;
CREATE FUNCTION in_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ DECLARE r bigint; BEGIN r := total(); RETURN r + outer_total(); END $$;
SELECT outer_total(), outer_total(), in_plpgsql();

-- what an inner one depends on goes for the outer one too: tags, key, and TTL
CREATE FUNCTION inner_total() RETURNS bigint LANGUAGE cached STABLE AS $$
#key inner:total
#tags totals
#ttl infinity
SELECT sum(v) FROM t $$;
CREATE FUNCTION middle() RETURNS bigint LANGUAGE cached STABLE AS $$
#ttl infinity
SELECT inner_total() $$;
CREATE FUNCTION around() RETURNS bigint LANGUAGE cached STABLE AS $$
#ttl infinity
SELECT middle() $$;
\set became 'SELECT function, hits, misses FROM dashboard_cache.stats WHERE function::text ~ ''^(inner_total|middle|around)'' ORDER BY function::text; SELECT dashboard_cache.reset_stats() \\g /dev/null'
SELECT dashboard_cache.reset_stats() \g /dev/null
SELECT around(); :became
SELECT around(); :became
SELECT dashboard_cache.invalidate_tag('totals'); SELECT around(); :became
SELECT dashboard_cache.invalidate_key('inner:total'); SELECT around(), inner_total(); :became
-- also if the inner one was a hit
SELECT dashboard_cache.invalidate_key('around'); SELECT around(); :became
SELECT dashboard_cache.invalidate_pattern('inner:*'); SELECT around(); :became
-- by a glob that only the inner key matches
SELECT dashboard_cache.invalidate_pattern('*nner:t*'); SELECT around(); :became
-- also if the inner one passes by
ALTER FUNCTION inner_total() SET dashboard_cache.enabled = off;
SELECT around(); :became
SELECT dashboard_cache.invalidate_tag('totals'); SELECT around(); :became
ALTER FUNCTION inner_total() RESET ALL;
-- the TTL
CREATE OR REPLACE FUNCTION inner_total() RETURNS bigint LANGUAGE cached STABLE AS $$
#ttl 100 milliseconds
SELECT sum(v) FROM t $$;
SELECT around(); :became
SELECT pg_sleep(0.2);
SELECT around(); :became

-- in a parallel query
SELECT dashboard_cache.reset_stats();
CREATE TABLE many AS SELECT i FROM generate_series(1, 10000) i;
CREATE FUNCTION in_workers(a int) RETURNS int LANGUAGE cached STABLE PARALLEL SAFE AS $$ SELECT a $$;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT sum(in_workers(i % 3)) FROM many;
SELECT hits, misses, parallel_worker FROM dashboard_cache.stats WHERE function = 'in_workers'::regproc;
CREATE FUNCTION by_workers() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT sum(i) FROM many $$;
SELECT by_workers(), by_workers();

-- row security in a function that workers run
CREATE ROLE dc_reader;
GRANT USAGE ON SCHEMA passing_by TO dc_reader;
CREATE TABLE secured (tenant text);
INSERT INTO secured VALUES ('7'), ('8'), ('8');
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secured USING (tenant = current_setting('app.tenant'));
GRANT SELECT ON secured, many TO dc_reader;
CREATE FUNCTION n_secured() RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN (SELECT count(*) FROM passing_by.secured); END $$;
CREATE FUNCTION by_secured_workers() RETURNS numeric LANGUAGE cached STABLE AS $$ SELECT sum(n_secured()) FROM many WHERE i <= 100 $$;
SET ROLE dc_reader;
SET app.tenant = '7'; SELECT by_secured_workers();
SET app.tenant = '8'; SELECT by_secured_workers();
RESET ROLE;
SELECT hits, misses, row_security FROM dashboard_cache.stats WHERE function = 'by_secured_workers'::regproc;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA passing_by CASCADE;
DROP EXTENSION dashboard_cache;
DROP ROLE dc_reader;
