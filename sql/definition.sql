-- The language, its options, and cache()
CREATE EXTENSION dashboard_cache;
CREATE SCHEMA definition;
SET search_path = definition;

CREATE TABLE issues (id int PRIMARY KEY, tenant int, title text, dropped int);
ALTER TABLE issues DROP COLUMN dropped;
CREATE VIEW open_issues AS SELECT * FROM issues;
CREATE FUNCTION issue_stats(days int DEFAULT 30, reference_date date DEFAULT NULL)
RETURNS jsonb LANGUAGE sql STABLE
AS $$ SELECT jsonb_build_object('issues', count(*), 'days', days) FROM issues $$;

-- cache() writes the function: arguments, names, defaults and result are kept
SELECT dashboard_cache.cache('issue_stats(int, date)', ttl => '5 minutes',
	key => 'dashboard:stats:{reference_date|default}:{days}');
\sf cached_issue_stats
SELECT cached_issue_stats(), cached_issue_stats(7), cached_issue_stats(reference_date => '2026-01-01');
SELECT dashboard_cache.cache('open_issues', name => 'issue_list', ttl => 'infinity', cache_nulls => true,
	tags => 'issues', vary => 'app.tenant');
\sf issue_list
SELECT dashboard_cache.cache(function => 'issue_stats(int, date)', name => 'by_function');
SELECT dashboard_cache.cache(relation => 'open_issues', name => 'by_relation');
CREATE FUNCTION "Odd""Name"("select" int, int, VARIADIC rest text[]) RETURNS TABLE (a int, "b c" text)
LANGUAGE sql STABLE AS $$ SELECT $1 + $2, array_to_string($3, ',') $$;
SELECT dashboard_cache.cache('"Odd""Name"(int, int, text[])');
\sf "cached_Odd""Name"
SELECT * FROM "cached_Odd""Name"(1, 2, 'x', 'y');
CREATE FUNCTION with_out(IN a int, INOUT b int, OUT c text) LANGUAGE sql STABLE AS $$ SELECT b + a, 'c'::text $$;
SELECT dashboard_cache.cache('with_out(int, int)');
SELECT * FROM cached_with_out(1, 2);

-- again: a cached function is replaced, another one is not
SELECT dashboard_cache.cache('issue_stats(int, date)', ttl => '1 hour');
\sf cached_issue_stats
SELECT dashboard_cache.cache('issue_stats(int, date)', name => 'issue_stats');
SELECT dashboard_cache.cache('cached_issue_stats(int, date)');
SELECT dashboard_cache.cache('issues');
SELECT dashboard_cache.cache('no_such_view');
SELECT dashboard_cache.cache('no_such_function(int)');
SELECT dashboard_cache.cache('sum(int)');
SELECT dashboard_cache.cache(NULL::text);
SELECT dashboard_cache.cache('issue_stats(int, date)', ttl => E'1 day\nSELECT 1');

-- options: what is wrong is named with its line
\set VERBOSITY default
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl 5 minutes
#tll 5 minutes
SELECT 1 $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl 5 minits
SELECT 1 $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl -1 minute
SELECT 1 $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl 0
SELECT 1 $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl 1000 years
SELECT 1 $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl
SELECT 1 $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl 1 day
#ttl 2 days
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#key x:{b}
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#key x:{2}
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#key x:{a
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#key x:{a|none
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#tags one, , two
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#tags one, tenant:{b}
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#vary app tenant
SELECT 1 $$;
CREATE FUNCTION bad(a int) RETURNS int LANGUAGE cached STABLE AS $$
#cache_nulls perhaps
SELECT 1 $$;

-- bodies
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS '';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS '#ttl 1 day';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'SELECT 1; SELECT 2';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'INSERT INTO issues VALUES (1) RETURNING 1';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'UPDATE issues SET tenant = 1';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'DELETE FROM issues';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'CREATE TABLE t (a int)';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'SELECT 1 INTO t';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'WITH w AS (DELETE FROM issues RETURNING id) SELECT id FROM w';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'SELECT id FROM issues FOR UPDATE';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS $$
#ttl 1 day
SELECT no_such_column FROM issues $$;
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'SELECT 1::bigint';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached STABLE AS 'SELECT 1, 2';
CREATE FUNCTION bad() RETURNS issues LANGUAGE cached STABLE AS 'SELECT 1, 2';
CREATE FUNCTION bad() RETURNS issues LANGUAGE cached STABLE AS 'SELECT 1, 2, now()';
CREATE FUNCTION bad() RETURNS int LANGUAGE cached IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION bad() RETURNS record LANGUAGE cached STABLE AS 'SELECT 1, 2';
CREATE FUNCTION bad() RETURNS SETOF record LANGUAGE cached STABLE AS 'SELECT 1, 2';
CREATE FUNCTION bad(OUT a record, OUT b int) LANGUAGE cached STABLE AS 'SELECT ROW(1), 2';
CREATE FUNCTION bad(OUT a record[], OUT b int) LANGUAGE cached STABLE AS 'SELECT ARRAY[ROW(1)], 2';
CREATE FUNCTION bad() RETURNS TABLE (a bytea, b int) LANGUAGE cached STABLE AS 'SELECT ROW(4000, 2)';
CREATE DOMAIN ascending AS issues CHECK ((value).id < (value).tenant);
CREATE FUNCTION bad() RETURNS ascending LANGUAGE cached STABLE AS $$ SELECT 2, 1, 'x' $$;
CREATE FUNCTION bad() RETURNS ascending LANGUAGE cached STABLE AS $$ SELECT ROW(2, 1, 'x')::issues $$;
CREATE FUNCTION ascending() RETURNS ascending LANGUAGE cached STABLE AS $$ SELECT ROW(1, 2, 'x')::ascending $$;
SELECT ascending(); SELECT ascending();
CREATE FUNCTION bad() RETURNS void LANGUAGE cached STABLE AS 'SELECT 1';
CREATE FUNCTION bad() RETURNS trigger LANGUAGE cached STABLE AS 'SELECT 1';
CREATE FUNCTION bad(a anyelement) RETURNS anyelement LANGUAGE cached STABLE AS 'SELECT a';
CREATE FUNCTION bad(a anyelement) RETURNS int LANGUAGE cached STABLE AS 'SELECT 1';
CREATE PROCEDURE bad() LANGUAGE cached AS 'SELECT 1';
DO LANGUAGE cached 'SELECT 1';

-- without the checks of bodies, as in a restore, the options are still checked
SET check_function_bodies = off;
CREATE FUNCTION later() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT count(*) FROM not_yet';
CREATE FUNCTION bad() RETURNS bigint LANGUAGE cached STABLE AS $$
#tll 5 minutes
SELECT count(*) FROM not_yet $$;
CREATE FUNCTION never() RETURNS bigint LANGUAGE cached STABLE AS 'DELETE FROM issues';
RESET check_function_bodies;
SELECT later();
CREATE TABLE not_yet ();
SELECT later();
SELECT never();

-- settings
SET dashboard_cache.default_ttl = 0;
SET dashboard_cache.default_ttl = '1 fortnight';
-- the server's own messages differ between versions
\set VERBOSITY sqlstate
SET dashboard_cache.default_ttl = -2;
SET dashboard_cache.max_entry_size = 0;
SET dashboard_cache.max_entry_size = '2GB';
\set VERBOSITY default
SET dashboard_cache.no_such_setting = 1;
SET dashboard_cache.shared_memory_size = 0;
SHOW dashboard_cache.default_ttl;

-- TTLs: default, option, infinity; an expired entry is a miss
CREATE FUNCTION clock() RETURNS timestamptz LANGUAGE cached STABLE AS $$
#ttl 200 milliseconds
SELECT clock_timestamp() $$;
CREATE FUNCTION default_clock() RETURNS timestamptz LANGUAGE cached STABLE AS 'SELECT clock_timestamp()';
CREATE FUNCTION forever() RETURNS timestamptz LANGUAGE cached STABLE AS $$
#ttl infinity
SELECT clock_timestamp() $$;
SET dashboard_cache.default_ttl = 1;
SELECT default_clock() AS default_before, clock() AS clock_before, forever() AS forever_before \gset
SELECT pg_sleep(0.3);
SELECT clock() > :'clock_before' AS expired;
SELECT pg_sleep(1);
SELECT default_clock() > :'default_before' AS expired, forever() = :'forever_before' AS kept;
RESET dashboard_cache.default_ttl;

-- a new definition starts anew, the old one's result is not served
CREATE FUNCTION version() RETURNS int LANGUAGE cached STABLE AS 'SELECT 1';
SELECT definition.version();
CREATE OR REPLACE FUNCTION version() RETURNS int LANGUAGE cached STABLE AS 'SELECT 2';
SELECT definition.version();

SET client_min_messages = warning;
DROP SCHEMA definition CASCADE;
DROP EXTENSION dashboard_cache;
