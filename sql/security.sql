-- An entry is served to whom running the query would give the same rows, and to nobody else
CREATE EXTENSION dashboard_cache;
CREATE ROLE dc_alice;
CREATE ROLE dc_bob;
CREATE ROLE dc_team;
CREATE ROLE dc_boss;
GRANT dc_team TO dc_alice;
CREATE SCHEMA security;
GRANT USAGE, CREATE ON SCHEMA security TO dc_alice, dc_bob, dc_team, dc_boss;
SET search_path = security;

-- Calls, and whether that was a hit; an error is told by its name.
CREATE FUNCTION hits(which regproc) RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT coalesce(sum(hits), 0) FROM dashboard_cache.stats WHERE function = which $$;
CREATE FUNCTION call(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	which regproc;
	before bigint;
	result text;
BEGIN
	which := split_part(query, '(', 1);
	before := hits(which);
	EXECUTE 'SELECT string_agg(x::text, '' '') FROM ' || query || ' x' INTO result;
	RETURN concat_ws(' ', coalesce(result, 'null'), CASE WHEN hits(which) > before THEN '(hit)' END);
EXCEPTION WHEN insufficient_privilege THEN RETURN 'may not';
END $$;
CREATE FUNCTION called(query text, OUT alice text, OUT bob text) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE dc_alice;
	alice := call(query);
	SET LOCAL ROLE dc_bob;
	bob := call(query);
	RESET ROLE;
END $$;

CREATE TABLE t (tenant text, v int);
INSERT INTO t VALUES ('alice', 1), ('bob', 10), ('bob', 20);
GRANT SELECT ON t TO dc_alice, dc_bob;
SELECT dashboard_cache.watch('t', 'tenant');

--
-- Row security
--
CREATE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(v) FROM t';
CREATE FUNCTION total_by_user() RETURNS bigint LANGUAGE cached STABLE AS $$
#vary role
SELECT sum(v) FROM t $$;
CREATE FUNCTION total_by_setting() RETURNS bigint LANGUAGE cached STABLE AS $$
#vary app.tenant
SELECT sum(v) FROM t $$;
CREATE FUNCTION total_as_owner() RETURNS bigint LANGUAGE cached STABLE SECURITY DEFINER SET search_path = security AS 'SELECT sum(v) FROM t';
CREATE VIEW t_invoker WITH (security_invoker) AS TABLE t;
CREATE VIEW t_owner AS TABLE t;
GRANT SELECT ON t_invoker, t_owner TO PUBLIC;
CREATE FUNCTION total_view_invoker() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(v) FROM t_invoker';
CREATE FUNCTION total_view_owner() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(v) FROM t_owner';
CREATE FUNCTION plain_definer() RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = security AS 'BEGIN RETURN (SELECT sum(v) FROM t); END';
CREATE FUNCTION plain_invoker() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(v) FROM t); END';
CREATE FUNCTION total_in_definer() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT plain_definer()';
CREATE FUNCTION total_in_invoker() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT plain_invoker()';
CREATE FUNCTION total_around() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT total_by_setting()';
CREATE FUNCTION total_around_owner() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT total_as_owner()';
CREATE FUNCTION total_of(who text) RETURNS bigint LANGUAGE cached STABLE AS $$
#vary app.tenant
#slice t.tenant = who
SELECT sum(v) FROM t WHERE tenant = who $$;
CREATE TABLE queries (n int GENERATED ALWAYS AS IDENTITY, query text);
INSERT INTO queries (query) SELECT oid::regproc || '()' FROM pg_proc WHERE pronamespace = 'security'::regnamespace AND proname LIKE 'total%' AND pronargs = 0 ORDER BY proname;
INSERT INTO queries (query) VALUES ('total_of(''alice'')'), ('total_of(''bob'')');
GRANT SELECT ON queries TO PUBLIC;
-- twice, so that there is something to hit
\set compare 'SELECT query, a.alice AS alice_first, a.bob AS bob_first, b.alice, b.bob FROM queries, LATERAL called(query || left('''', n)) a, LATERAL called(query || left('''', length(a.bob))) b ORDER BY n;'
-- none yet
:compare
-- by the user; the owner, and what runs as the owner, is exempt
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (tenant = substr(current_user, 4));
:compare
-- by a setting
DROP POLICY own ON t;
CREATE POLICY by_setting ON t USING (tenant = current_setting('app.tenant', true));
SET app.tenant = 'alice';
:compare
SET app.tenant = 'bob';
SELECT * FROM called('total_by_setting()');
SELECT * FROM called('total()');
SELECT * FROM called('total_around()');
SELECT * FROM called('total_of(''alice'')');
SET app.tenant = 'alice';
SELECT * FROM called('total_by_setting()');
-- a write of another tenant's rows, and of its own
INSERT INTO t VALUES ('bob', 30);
SELECT * FROM called('total_of(''alice'')');
INSERT INTO t VALUES ('alice', 2);
SELECT * FROM called('total_of(''alice'')');
-- FORCE: the owner too
ALTER TABLE t FORCE ROW LEVEL SECURITY;
ALTER TABLE t OWNER TO dc_boss;
ALTER FUNCTION total_as_owner() OWNER TO dc_boss;
SELECT * FROM called('total_as_owner()');
SELECT * FROM called('total_as_owner()');
ALTER TABLE t NO FORCE ROW LEVEL SECURITY;
SELECT * FROM called('total_as_owner()');
SELECT * FROM called('total_as_owner()');
-- row_security = off is an error where a policy would apply, also for what is cached
SET app.tenant = 'alice';
SELECT * FROM called('total_by_setting()');
SET row_security = off;
SELECT * FROM called('total_by_setting()');
SELECT * FROM called('total_around()');
RESET row_security;
-- a policy that reads another table
CREATE TABLE members (tenant text, who name);
GRANT SELECT ON members TO PUBLIC;
INSERT INTO members VALUES ('alice', 'dc_alice');
SELECT dashboard_cache.watch('members');
DROP POLICY by_setting ON t;
CREATE POLICY by_members ON t USING (tenant IN (SELECT tenant FROM members WHERE who = current_user));
SELECT * FROM called('total_by_setting()');
SELECT * FROM called('total_by_setting()');
INSERT INTO members VALUES ('bob', 'dc_alice'), ('bob', 'dc_bob');
SELECT * FROM called('total_by_setting()');
DELETE FROM members WHERE tenant = 'bob' AND who = 'dc_alice';
SELECT * FROM called('total_by_setting()');
SELECT function, row_security FROM dashboard_cache.stats WHERE row_security > 0 ORDER BY function::text;
SELECT problem FROM dashboard_cache.check() WHERE function::text LIKE 'total%';
DROP POLICY by_members ON t;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
ALTER TABLE t OWNER TO CURRENT_USER;
DROP FUNCTION total_as_owner() CASCADE;

--
-- REVOKE ends the hits with its commit, and for who revokes at once
--
SELECT * FROM called('total()');
SELECT * FROM called('total()');
BEGIN; REVOKE SELECT ON t FROM dc_bob; SELECT * FROM called('total()'); ROLLBACK;
SELECT * FROM called('total()');
BEGIN; SAVEPOINT a; REVOKE SELECT ON t FROM dc_bob; ROLLBACK TO a; SELECT * FROM called('total()'); COMMIT;
REVOKE SELECT ON t FROM dc_bob;
SELECT * FROM called('total()');
SELECT * FROM called('total()');
GRANT SELECT ON t TO dc_bob;
SELECT * FROM called('total()');
-- of the cached function itself, and its schema
REVOKE EXECUTE ON FUNCTION total() FROM PUBLIC;
SELECT * FROM called('total()');
GRANT EXECUTE ON FUNCTION total() TO dc_alice;
SELECT * FROM called('total()');
GRANT EXECUTE ON FUNCTION total() TO PUBLIC;
CREATE SCHEMA inside;
CREATE FUNCTION inside.total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(v) FROM security.t';
SELECT * FROM called('inside.total()');
GRANT USAGE ON SCHEMA inside TO dc_alice;
SELECT * FROM called('inside.total()');
SELECT * FROM called('inside.total()');
REVOKE USAGE ON SCHEMA inside FROM dc_alice;
SELECT * FROM called('inside.total()');
DROP SCHEMA inside CASCADE;
-- an inner function that one may not call
CREATE FUNCTION outer_total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT total()';
SELECT * FROM called('outer_total()');
SELECT * FROM called('outer_total()');
REVOKE EXECUTE ON FUNCTION total() FROM PUBLIC;
SELECT * FROM called('outer_total()');
GRANT EXECUTE ON FUNCTION total() TO PUBLIC;

--
-- SET ROLE, SESSION AUTHORIZATION; SECURITY DEFINER
--
CREATE FUNCTION who() RETURNS text LANGUAGE cached STABLE AS $$ SELECT format('%s, by SET ROLE %s, may read %s', current_user, current_user <> session_user, has_table_privilege('t', 'SELECT')) $$;
SELECT * FROM called('who()');
SELECT * FROM called('who()');
SET SESSION AUTHORIZATION dc_bob; SELECT call('who()'), call('who()'); RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION dc_alice; SET ROLE dc_team; SELECT call('who()'); RESET ROLE; SELECT call('who()'); RESET SESSION AUTHORIZATION;
-- a definer's function has the definer's rights in all that it calls, and one entry for all callers of a session user
CREATE FUNCTION definer_total() RETURNS bigint LANGUAGE cached STABLE SECURITY DEFINER SET search_path = security AS 'SELECT sum(v) FROM t';
REVOKE SELECT ON t FROM dc_alice, dc_bob;
SELECT * FROM called('definer_total()');
SELECT * FROM called('definer_total()');
SELECT * FROM called('total()');
ALTER FUNCTION definer_total() SECURITY INVOKER;
SELECT * FROM called('definer_total()');
ALTER FUNCTION definer_total() SECURITY DEFINER;
ALTER FUNCTION definer_total() OWNER TO dc_boss;
SELECT * FROM called('definer_total()');
GRANT SELECT ON t TO dc_boss;
SELECT * FROM called('definer_total()');
SELECT * FROM called('definer_total()');
REVOKE SELECT ON t FROM dc_boss;
SELECT * FROM called('definer_total()');
GRANT SELECT ON t TO dc_alice, dc_bob;

--
-- A role that is dropped, and another of the same name
--
CREATE ROLE dc_passing;
GRANT USAGE ON SCHEMA security TO dc_passing;
GRANT SELECT ON t TO dc_passing;
SET ROLE dc_passing; SELECT call('total()'), call('total()'); RESET ROLE;
DROP OWNED BY dc_passing;
DROP ROLE dc_passing;
CREATE ROLE dc_passing;
GRANT USAGE ON SCHEMA security TO dc_passing;
SET ROLE dc_passing; SELECT call('total()'); RESET ROLE;
GRANT SELECT ON t TO dc_passing;
SET ROLE dc_passing; SELECT call('total()'), call('total()'); RESET ROLE;
ALTER ROLE dc_passing RENAME TO dc_passed;
SET ROLE dc_passed; SELECT call('total()'), call('who()'); RESET ROLE;
DROP OWNED BY dc_passed;
DROP ROLE dc_passed;

--
-- Who may watch, and writes of those who may not
--
SET ROLE dc_bob;
CREATE TABLE bobs (tenant int, v int);
SELECT dashboard_cache.watch('bobs', 'tenant');
SELECT dashboard_cache.watch('t');
SELECT dashboard_cache.unwatch('t');
CREATE FUNCTION bobs_total(which int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice bobs.tenant = which
SELECT count(*) FROM bobs WHERE tenant = which $$;
-- who writes needs no right to the triggers' functions
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON bobs TO dc_alice;
SELECT call('bobs_total(1)'), call('bobs_total(1)');
SET ROLE dc_alice;
INSERT INTO bobs VALUES (1, 1);
SET ROLE dc_bob; SELECT call('bobs_total(1)'); SET ROLE dc_alice;
UPDATE bobs SET tenant = 2;
SET ROLE dc_bob; SELECT call('bobs_total(1)'); SET ROLE dc_alice;
TRUNCATE bobs;
SELECT dashboard_cache.watch('bobs');
SELECT dashboard_cache.unwatch('bobs');
RESET ROLE;
-- nothing else is anybody's to clear
SET ROLE dc_bob;
SELECT dashboard_cache.flush();
CREATE TRIGGER touching AFTER INSERT ON bobs FOR EACH ROW EXECUTE FUNCTION dashboard_cache.touch('no_such_column');
INSERT INTO bobs VALUES (1, 1);
DROP TRIGGER touching ON bobs;
RESET ROLE;
-- cache(): what is not the caller's is not watched
CREATE TABLE others (v int);
GRANT SELECT ON others TO dc_bob;
SET ROLE dc_bob;
CREATE FUNCTION both_totals() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(bobs.v) + sum(others.v) FROM bobs, others';
SELECT dashboard_cache.cache('both_totals()');
RESET ROLE;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'others'::regclass;

--
-- Who sees what
--
CREATE FUNCTION keyed(secret text) RETURNS int LANGUAGE cached STABLE AS $$
#key keyed:{secret}
SELECT 1 $$;
SET ROLE dc_alice; SELECT keyed('of alice');
SET ROLE dc_bob; SELECT keyed('of bob'), keyed('of bob, too');
SET ROLE dc_team; SELECT keyed('of the team');
RESET ROLE; SELECT keyed('of a superuser');
-- with Redis alone there are none to see
CREATE FUNCTION seen() RETURNS TABLE (seen text) LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('dashboard_cache.shared_memory_size') = '0' THEN
		RETURN QUERY SELECT key FROM (VALUES ('keyed:of alice', 'dc_alice'::name),
			('keyed:of bob', 'dc_bob'), ('keyed:of bob, too', 'dc_bob'), ('keyed:of the team', 'dc_team'), ('keyed:of a superuser', session_user)) k (key, role)
			WHERE pg_has_role(role, 'USAGE') ORDER BY 1;
	ELSE
		RETURN QUERY SELECT key FROM dashboard_cache.entries WHERE function = 'security.keyed(text)'::regprocedure ORDER BY 1;
	END IF;
END $$;
SET ROLE dc_alice; SELECT * FROM seen();
SET ROLE dc_bob; SELECT * FROM seen();
SET ROLE dc_team; SELECT * FROM seen();
SET ROLE dc_boss; SELECT * FROM seen();
RESET ROLE; SELECT * FROM seen();
-- of roles whose rights one has, and not of those that one may only become
ALTER ROLE dc_boss NOINHERIT;
GRANT dc_alice TO dc_boss;
SET ROLE dc_boss; SELECT * FROM seen(); RESET ROLE;
REVOKE dc_alice FROM dc_boss;
ALTER ROLE dc_boss INHERIT;
GRANT dc_alice TO dc_boss;
SET ROLE dc_boss; SELECT * FROM seen(); RESET ROLE;
-- what is shown of an entry
SELECT keyed('of bob');
SELECT function, key, role = session_user::regrole AS mine, bytes > 0 AS has_size, expires_at > now() AS lives, tags > 0 AS has_tags, valid FROM dashboard_cache.entries WHERE key = 'keyed:of bob' AND valid
UNION SELECT 'keyed(text)', 'keyed:of bob', true, true, true, true, true WHERE current_setting('dashboard_cache.shared_memory_size') = '0';
SELECT dashboard_cache.invalidate_key('keyed:of bob');
SELECT count(*) FROM dashboard_cache.entries WHERE key = 'keyed:of bob' AND valid;
-- check() looks at others' functions, and runs nothing of theirs
SET ROLE dc_bob;
CREATE FUNCTION run_by() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE 'run by %', current_user; RETURN 1; END $$;
CREATE FUNCTION bobs_run() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT count(random()) FROM bobs WHERE v = run_by()';
SELECT bobs_run();
RESET ROLE;
SELECT function, relation, problem FROM dashboard_cache.check() WHERE function::text = 'bobs_run()';
-- what looking at a query runs anyway, input functions and what they call, runs as who wrote it
\set VERBOSITY terse
SET ROLE dc_bob;
CREATE FUNCTION checked_by(v int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'checked as %', current_user; RETURN true; END $$;
CREATE DOMAIN checked AS int CHECK (checked_by(value));
CREATE TYPE checked_row AS (v checked);
CREATE FUNCTION bobs_literal() RETURNS text LANGUAGE cached STABLE AS $$ SELECT ('(1)'::checked_row)::text $$;
RESET ROLE;
SELECT function, relation, problem FROM dashboard_cache.check() WHERE function::text = 'bobs_literal()';
SET ROLE dc_alice;
SELECT volatile_functions, error FROM dashboard_cache.function_facts('bobs_literal()');
RESET ROLE;
\set VERBOSITY default
-- dependencies and check() are about definitions, and everybody's; statistics too
SET ROLE dc_boss;
SELECT count(*) > 0 FROM dashboard_cache.dependencies;
SELECT count(*) >= 0 FROM dashboard_cache.check();
RESET ROLE;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA security CASCADE;
DROP EXTENSION dashboard_cache;
DROP ROLE dc_alice; DROP ROLE dc_bob; DROP ROLE dc_team; DROP ROLE dc_boss;
