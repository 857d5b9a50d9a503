-- What makes two calls the same call, and what does not
CREATE EXTENSION dashboard_cache;
CREATE SCHEMA identity;
GRANT USAGE ON SCHEMA identity TO PUBLIC;
SET search_path = identity;
CREATE ROLE dc_alice;
CREATE ROLE dc_bob;

-- Was the last call of the function a hit?
CREATE TABLE seen (function regproc PRIMARY KEY, hits bigint);
CREATE FUNCTION outcome(name regproc) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity AS $$
DECLARE
	now_hits bigint := (SELECT s.hits FROM dashboard_cache.stats s WHERE s.function = name);
	was_hits bigint := (SELECT s.hits FROM seen s WHERE s.function = name);
BEGIN
	INSERT INTO seen VALUES (name, now_hits) ON CONFLICT (function) DO UPDATE SET hits = excluded.hits;
	RETURN CASE WHEN now_hits > coalesce(was_hits, 0) THEN 'hit' ELSE 'miss' END;
END $$;

CREATE FUNCTION args(a int, b text, c numeric DEFAULT 1) RETURNS text LANGUAGE cached STABLE
AS $$ SELECT concat_ws('|', a, b, c) $$;
SELECT args(1, 'x'); SELECT outcome('args');
SELECT args(1, 'x'); SELECT outcome('args');
SELECT args(1, 'x', 1.0); SELECT outcome('args');
SELECT args(1, NULL); SELECT outcome('args');
SELECT args(1, ''); SELECT outcome('args');
SELECT args(1, ':'); SELECT outcome('args');
SELECT args(1, NULL); SELECT outcome('args');

-- arguments with a delimiter in them do not run together
CREATE FUNCTION two(a text, b text) RETURNS text LANGUAGE cached STABLE AS $$ SELECT format('[%s][%s]', a, b) $$;
SELECT two('a:b', 'c'), two('a', 'b:c');

-- equal by collation, and not the same bytes
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE FUNCTION echo(a text) RETURNS text LANGUAGE cached STABLE AS $$ SELECT a $$;
SELECT echo('a' COLLATE ignore_case), echo('A' COLLATE ignore_case);

-- the collation of the call decides comparisons
CREATE FUNCTION same(a text, b text) RETURNS bool LANGUAGE cached STABLE AS $$ SELECT a = b $$;
SELECT same('x' COLLATE "C", 'X'), same('x' COLLATE ignore_case, 'X'), same('x' COLLATE "C", 'X');

-- toasted, short, compressed and expanded arguments
CREATE TABLE big (t text, i int[]);
ALTER TABLE big ALTER t SET STORAGE EXTERNAL;
INSERT INTO big VALUES (repeat('x', 10000), ARRAY[1, 2, 3]);
CREATE FUNCTION size_of(t text, i int[]) RETURNS int LANGUAGE cached STABLE AS $$
#key size_of:{i}
SELECT length(t) + cardinality(i) $$;
SELECT size_of(t, i) FROM big; SELECT outcome('size_of');
SELECT size_of(repeat('x', 10000), ARRAY[1, 2] || 3); SELECT outcome('size_of');
DO $$ DECLARE a int[] := ARRAY[1, 2]; BEGIN a[3] := 3; PERFORM size_of(repeat('x', 10000), a); END $$; SELECT outcome('size_of');

-- settings that change what values mean
CREATE FUNCTION prints() RETURNS text LANGUAGE cached STABLE
AS $$ SELECT concat_ws(' ', timestamptz '2026-02-03 12:00 UTC', interval '26 hours', 0.1::float8 * 3, '\x41'::bytea) $$;
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres';
SELECT prints(); SELECT outcome('prints');
SET timezone_abbreviations = 'India'; SELECT outcome('prints') FROM prints(); RESET timezone_abbreviations;
SET TimeZone = 'Europe/Helsinki'; SELECT prints(); SELECT outcome('prints');
SET DateStyle = 'German'; SELECT prints(); SELECT outcome('prints');
SET IntervalStyle = 'iso_8601'; SELECT prints(); SELECT outcome('prints');
SET extra_float_digits = 0; SELECT prints(); SELECT outcome('prints');
SET bytea_output = 'escape'; SELECT prints(); SELECT outcome('prints');
RESET TimeZone; RESET DateStyle; RESET IntervalStyle; RESET extra_float_digits; RESET bytea_output;
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres';
SELECT prints(); SELECT outcome('prints');
RESET TimeZone; RESET DateStyle; RESET IntervalStyle;

-- search_path: a schema per tenant
CREATE SCHEMA tenant_a; CREATE TABLE tenant_a.issues AS SELECT 1 AS id;
CREATE SCHEMA tenant_b; CREATE TABLE tenant_b.issues AS SELECT i AS id FROM generate_series(1, 2) i;
SET search_path = identity, tenant_a;
CREATE FUNCTION identity.n_issues() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT count(*) FROM issues $$;
SELECT n_issues(); SELECT outcome('n_issues');
SET search_path = identity, tenant_b; SELECT n_issues(); SELECT outcome('n_issues');
SET search_path = identity, tenant_a; SELECT n_issues(); SELECT outcome('n_issues');

-- a temporary table in the way is read, and its result not kept
CREATE TEMPORARY TABLE issues AS SELECT i AS id FROM generate_series(1, 3) i;
SELECT n_issues(), n_issues();
DROP TABLE pg_temp.issues;
SELECT n_issues();
SET search_path = identity;
SELECT hits, misses, fills, temporary FROM dashboard_cache.stats WHERE function = 'n_issues'::regproc;

-- roles
CREATE FUNCTION who() RETURNS text LANGUAGE cached STABLE AS $$ SELECT current_user::text $$;
CREATE FUNCTION owner_who() RETURNS text LANGUAGE cached STABLE SECURITY DEFINER AS $$ SELECT current_user::text $$;
ALTER FUNCTION owner_who() OWNER TO dc_bob;
SET ROLE dc_alice; SELECT who(), owner_who();
SET ROLE dc_bob; SELECT who(), owner_who(); SELECT outcome('who'), outcome('owner_who');
RESET ROLE;

-- who may not read the table gets no hit of somebody who may
CREATE TABLE secret AS SELECT 'secret'::text AS s;
GRANT SELECT ON secret TO dc_alice;
CREATE FUNCTION get_secret() RETURNS text LANGUAGE cached STABLE AS $$ SELECT s FROM secret $$;
SET ROLE dc_alice; SELECT get_secret();
SET ROLE dc_bob; SELECT get_secret();
RESET ROLE;

-- who is behind SET ROLE, and behind SECURITY DEFINER
CREATE FUNCTION behind() RETURNS text LANGUAGE cached STABLE SECURITY DEFINER
AS $$ SELECT session_user || ' ' || current_setting('role') $$;
SET SESSION AUTHORIZATION dc_alice; SELECT behind();
SET SESSION AUTHORIZATION dc_bob; SELECT behind();
RESET SESSION AUTHORIZATION;
SET ROLE dc_alice; SELECT split_part(behind(), ' ', 2);
SET ROLE dc_bob; SELECT split_part(behind(), ' ', 2);
RESET ROLE;

-- SET clauses of the function
CREATE FUNCTION in_zone() RETURNS text LANGUAGE cached STABLE SET TimeZone = 'Asia/Tokyo'
AS $$ SELECT (timestamptz '2026-02-03 12:00 UTC')::text $$;
SET TimeZone = 'UTC'; SELECT in_zone();
SET TimeZone = 'Europe/Helsinki'; SELECT in_zone(); SELECT outcome('in_zone');
RESET TimeZone;

-- #vary
CREATE FUNCTION tenant() RETURNS text LANGUAGE cached STABLE AS $$
#vary app.tenant, app.region
SELECT concat_ws('/', current_setting('app.tenant', true), current_setting('app.region', true)) $$;
SELECT tenant();
SET app.tenant = '7'; SELECT tenant(); SELECT outcome('tenant');
SET app.tenant = '8'; SELECT tenant(); SELECT outcome('tenant');
SET app.tenant = '7'; SELECT tenant(); SELECT outcome('tenant');
SET app.region = 'eu'; SELECT tenant(); SELECT outcome('tenant');

-- row security: passed by, unless #vary says what the policies depend on
CREATE TABLE secured (tenant text, v int);
INSERT INTO secured VALUES ('7', 1), ('8', 10), ('8', 10);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secured USING (tenant = current_setting('app.tenant'));
GRANT SELECT ON secured TO dc_alice;
CREATE VIEW secured_view WITH (security_invoker) AS SELECT * FROM secured;
GRANT SELECT ON secured_view TO dc_alice;
CREATE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT sum(v) FROM secured_view $$;
CREATE FUNCTION total_inside() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT sum(v) FROM secured); END $$;
CREATE FUNCTION total_nested() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT total_inside() $$;
CREATE FUNCTION total_vary() RETURNS bigint LANGUAGE cached STABLE AS $$
#vary app.tenant
SELECT sum(v) FROM secured $$;
CREATE FUNCTION total_around() RETURNS bigint LANGUAGE cached STABLE AS $$ SELECT total_vary() $$;
SET ROLE dc_alice;
SET app.tenant = '7'; SELECT total(), total_nested(), total_vary(), total_around();
SET app.tenant = '8'; SELECT total(), total_nested(), total_vary(), total_around();
SET app.tenant = '7'; SELECT total(), total_nested(), total_vary(), total_around();
RESET ROLE;
SELECT total(), total_nested();
SELECT total(), total_nested();
SELECT function, hits, misses, fills, row_security FROM dashboard_cache.stats
WHERE function::text LIKE 'total%' ORDER BY function::text;

-- the names that people see
SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo';
CREATE FUNCTION named(d date, t timestamptz, s text) RETURNS int LANGUAGE cached STABLE AS $$
#key day:{d}:{t}:{s|none}\:{1}
SELECT 1 $$;
SELECT named('2026-02-03', '2026-02-03 12:00 UTC', NULL); SELECT outcome('named');
SELECT dashboard_cache.invalidate_key('day:2026-02-03:2026-02-03 12:00:00+00:none:2026-02-03');
SELECT named('2026-02-03', '2026-02-03 12:00 UTC', NULL); SELECT outcome('named');
SELECT named('2026-02-03', '2026-02-03 12:00 UTC', NULL); SELECT outcome('named');
CREATE FUNCTION unnamed(int, text) RETURNS int LANGUAGE cached STABLE AS $$ SELECT $1 $$;
SELECT unnamed(1, NULL); SELECT outcome('unnamed');
SELECT dashboard_cache.invalidate_key('unnamed:1:null');
SELECT unnamed(1, NULL); SELECT outcome('unnamed');

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA identity, tenant_a, tenant_b CASCADE;
DROP EXTENSION dashboard_cache;
DROP ROLE dc_alice; DROP ROLE dc_bob;
