-- Definitions and privileges that change: a hit never shows the old state
CREATE EXTENSION dashboard_cache;
CREATE SCHEMA ddl;
CREATE SCHEMA other;
CREATE ROLE dc_reader;
CREATE ROLE dc_group;
GRANT USAGE ON SCHEMA ddl, other TO dc_reader, dc_group;
SET search_path = ddl, other;

CREATE TABLE ddl.t (k int, v int);
INSERT INTO t VALUES (1, 10), (2, 20);
CREATE TABLE ddl.parted (k int, v int) PARTITION BY LIST (k);
CREATE TABLE ddl.parted_1 PARTITION OF ddl.parted FOR VALUES IN (1);
CREATE TABLE ddl.parted_2 (k int, v int);
INSERT INTO parted VALUES (1, 100);
INSERT INTO parted_2 VALUES (2, 200);
CREATE VIEW ddl.v AS SELECT k, v FROM t;
CREATE MATERIALIZED VIEW ddl.m AS SELECT sum(v) AS total FROM t;
CREATE TYPE ddl.mood AS ENUM ('sad', 'happy');
CREATE FUNCTION ddl.factor() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION ddl.plain() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN
	RETURN format('v %s, m %s, parted %s, factor %s, %s',
		(SELECT sum(v) FROM v), (SELECT total FROM m), (SELECT sum(v) FROM parted), factor(), enum_last(NULL::mood));
EXCEPTION WHEN insufficient_privilege THEN RETURN 'may not';
END $$;
CREATE FUNCTION ddl.cached() RETURNS text LANGUAGE cached STABLE AS $$
#ttl infinity
SELECT plain() $$;

-- each statement finds the cache filled, and then the cached result is compared
\pset tuples_only on
\set check 'SELECT cached() = plain() AS same, plain();'
:check
CREATE OR REPLACE VIEW v AS SELECT k, v + 1 AS v FROM t; :check
CREATE OR REPLACE FUNCTION factor() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN coalesce(current_setting(''ddl.f'', true), ''2''); END'; :check
ALTER FUNCTION factor() SET ddl.f = '3'; :check
ALTER FUNCTION factor() RENAME TO old_factor; CREATE FUNCTION factor() RETURNS int LANGUAGE sql STABLE AS 'SELECT 4'; :check
ALTER FUNCTION factor() SET SCHEMA other; :check
DROP FUNCTION factor(); CREATE FUNCTION factor() RETURNS int LANGUAGE sql STABLE AS 'SELECT 5'; :check
INSERT INTO t VALUES (3, 30); REFRESH MATERIALIZED VIEW m; :check
CREATE UNIQUE INDEX ON m (total); INSERT INTO t VALUES (4, 40); REFRESH MATERIALIZED VIEW CONCURRENTLY m; :check
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN (2); :check
ALTER TABLE parted DETACH PARTITION parted_1; :check
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES IN (1); :check
ALTER TABLE parted DETACH PARTITION parted_1 CONCURRENTLY; :check
DROP TABLE parted_1; :check
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES IN (1); INSERT INTO parted VALUES (1, 300); :check
ALTER TABLE t DROP CONSTRAINT IF EXISTS none, ADD w int DEFAULT 1000; :check
ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME w TO v; CREATE OR REPLACE VIEW v AS SELECT k, v FROM t; :check
ALTER TABLE parted RENAME v TO w; ALTER TABLE parted ADD v numeric(10, 1) DEFAULT 5; :check
ALTER TABLE parted ALTER v TYPE int USING v * 2; :check
ALTER TYPE mood ADD VALUE 'merry'; :check
ALTER TYPE mood RENAME VALUE 'merry' TO 'glad'; :check
CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO v DO INSTEAD SELECT 1 AS k, 3 AS v; :check
BEGIN; CREATE OR REPLACE VIEW v AS SELECT k, 0 AS v FROM t; SELECT plain(); ROLLBACK; :check
BEGIN; SAVEPOINT s; DROP VIEW v; ROLLBACK TO s; COMMIT; :check

-- privileges; the cached function is called as dc_reader
\set check_reader 'SET ROLE dc_reader; SELECT cached() = plain() AS same, plain(); RESET ROLE;'
:check_reader
GRANT SELECT ON ALL TABLES IN SCHEMA ddl TO dc_reader; :check_reader
REVOKE SELECT ON m FROM dc_reader; :check_reader
GRANT SELECT ON m TO dc_group; :check_reader
GRANT dc_group TO dc_reader; :check_reader
REVOKE dc_group FROM dc_reader; :check_reader
ALTER ROLE dc_reader SUPERUSER; :check_reader
ALTER ROLE dc_reader NOSUPERUSER; :check_reader
GRANT SELECT ON m TO PUBLIC; :check_reader
REVOKE SELECT ON m FROM PUBLIC; :check_reader
ALTER GROUP dc_group ADD USER dc_reader; :check_reader
DROP OWNED BY dc_group; :check_reader

-- policies; it is cached with the setting that they depend on
CREATE TABLE ddl.secured AS SELECT k FROM generate_series(1, 10) k;
CREATE FUNCTION ddl.cached_secured() RETURNS bigint LANGUAGE cached STABLE AS $$
#ttl infinity
#vary ddl.k
SELECT count(*) FROM ddl.secured $$;
GRANT SELECT ON secured TO dc_reader;
\set check_secured 'SET ROLE dc_reader; SELECT cached_secured() = count(*) AS same, count(*) FROM secured; RESET ROLE;'
SET ddl.k = 3;
:check_secured
ALTER TABLE secured ENABLE ROW LEVEL SECURITY; :check_secured
CREATE POLICY p ON secured USING (k <= current_setting('ddl.k')::int); :check_secured
ALTER POLICY p ON secured USING (k > current_setting('ddl.k')::int); :check_secured
CREATE POLICY q ON secured USING (k = 1); :check_secured
ALTER ROLE dc_reader BYPASSRLS; :check_secured
ALTER ROLE dc_reader NOBYPASSRLS; :check_secured
DROP POLICY q ON secured; :check_secured

-- what changes no result invalidates nothing
\pset tuples_only off
SELECT cached() IS NOT NULL AS filled;
SELECT dashboard_cache.reset_stats();
ANALYZE t;
VACUUM t;
CREATE INDEX ON t (k);
CREATE INDEX CONCURRENTLY concurrent ON t (k);
DROP INDEX CONCURRENTLY concurrent;
REINDEX TABLE t;
CLUSTER t USING t_k_idx;
COMMENT ON TABLE t IS 'a table';
ALTER ROLE dc_group SET dashboard_cache.enabled = on;
CREATE STATISTICS ddl.s ON k, v FROM t;
BEGIN; LOCK TABLE t; COMMIT;
EXPLAIN (COSTS OFF) SELECT 1;
DO $$ BEGIN PERFORM 1; END $$;
SELECT cached() IS NOT NULL AS still;
SELECT hits, misses FROM dashboard_cache.stats WHERE function = 'cached()'::regprocedure;
-- temporary relations invalidate nothing either, but they may hide others: the session has entries of its own, and new ones after each change
CREATE TEMP TABLE first (k int);
SELECT cached() IS NOT NULL AS filled;
SELECT dashboard_cache.reset_stats();
SELECT cached() IS NOT NULL AS still;
CREATE TEMP TABLE x AS SELECT 1 AS k;
CREATE TEMP VIEW y AS SELECT 1 AS k;
ALTER TABLE x ADD v int;
DROP VIEW y;
DROP TABLE IF EXISTS x, no_such_table;
SELECT cached() IS NOT NULL AS anew;
SELECT hits, misses, stale FROM dashboard_cache.stats WHERE function = 'cached()'::regprocedure;
CREATE TABLE ddl.hidden AS SELECT 1 AS v;
CREATE FUNCTION ddl.cached_hidden() RETURNS int LANGUAGE cached STABLE AS 'SELECT v FROM hidden';
SELECT cached_hidden();
CREATE TEMP TABLE hidden AS SELECT 2 AS v; SELECT cached_hidden();
DROP TABLE hidden; SELECT cached_hidden();
BEGIN; CREATE TEMP VIEW hidden AS SELECT 3 AS v; SELECT cached_hidden(); ROLLBACK; SELECT cached_hidden();
BEGIN; CREATE TEMP TABLE hidden ON COMMIT DROP AS SELECT 4 AS v; SELECT cached_hidden(); COMMIT; SELECT cached_hidden();
BEGIN; SAVEPOINT s; CREATE TEMP TABLE hidden AS SELECT 5 AS v; SELECT cached_hidden(); ROLLBACK TO s; SELECT cached_hidden(); COMMIT;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA ddl, other CASCADE;
DROP EXTENSION dashboard_cache;
DROP ROLE dc_reader;
DROP ROLE dc_group;
