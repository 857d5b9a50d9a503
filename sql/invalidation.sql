-- Keys, patterns, tags, triggers: what a write invalidates, and what it does not
CREATE EXTENSION dashboard_cache;
CREATE SCHEMA invalidation;
SET search_path = invalidation;

CREATE TABLE drivers (driver_id int PRIMARY KEY, team text, note text);
INSERT INTO drivers SELECT i, 'team ' || i % 2, '' FROM generate_series(1, 4) i;
CREATE FUNCTION detail(id int) RETURNS int LANGUAGE cached STABLE AS $$
#key driver:detail:{id}
#tags driver {id}, drivers
SELECT count(*)::int FROM drivers WHERE driver_id = id $$;
CREATE FUNCTION team(name text) RETURNS int LANGUAGE cached STABLE AS $$
#key driver:team:{name}
#tags drivers
SELECT count(*)::int FROM drivers WHERE team = name $$;
CREATE FUNCTION total() RETURNS int LANGUAGE cached STABLE AS $$
#key total
SELECT count(*)::int FROM drivers $$;

-- Calls all of them, and says which were misses
CREATE FUNCTION misses() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	call text;
	before bigint;
	result text := '';
BEGIN
	FOREACH call IN ARRAY ARRAY['detail(1)', 'detail(2)', 'detail(12)', 'team(''team 0'')', 'team(''team*'')', 'total()']
	LOOP
		SELECT sum(misses) INTO before FROM dashboard_cache.stats;
		EXECUTE 'SELECT ' || call;
		IF (SELECT sum(misses) FROM dashboard_cache.stats) > coalesce(before, 0) THEN
			result := result || ' ' || call;
		END IF;
	END LOOP;
	RETURN CASE result WHEN '' THEN ' none' ELSE result END;
END $$;
SELECT misses();
SELECT misses();
-- for after DDL, which invalidates everything
\set refill 'SELECT misses() \\g /dev/null'

-- by hand
SELECT dashboard_cache.invalidate_key('driver:detail:1'); SELECT misses();
SELECT dashboard_cache.invalidate_key('driver:detail:3'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:detail:2'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:*'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:detail:*'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver*'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('*:1*'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:detail:?'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:detail:[^2]'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:detail:[a-z0-1]*'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:team:team\*'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:team:team[*]'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('*'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('t*l'); SELECT misses();
SELECT dashboard_cache.invalidate_pattern('none*'); SELECT misses();
SELECT dashboard_cache.invalidate_tag('drivers'); SELECT misses();
SELECT dashboard_cache.invalidate_tag('driver 2'); SELECT misses();
SELECT dashboard_cache.invalidate_tag('no such tag'); SELECT misses();
SELECT dashboard_cache.flush(); SELECT misses();
SELECT misses();

-- many globs: the table of patterns overflows, and nothing is missed
SELECT count(dashboard_cache.invalidate_pattern('no*' || i)) FROM generate_series(1, 300) i;
SELECT misses() <> '' AS any;
SELECT misses();
SELECT dashboard_cache.invalidate_pattern('driver:det*'); SELECT misses();

-- many tags: the whole database is invalidated
SELECT count(dashboard_cache.invalidate_key('no such key ' || i)) FROM generate_series(1, 100000) i;
SELECT misses();
SELECT misses();

-- nothing happens before the commit, nor after a rollback
BEGIN; SELECT dashboard_cache.flush(); ROLLBACK; SELECT misses();
BEGIN; SELECT dashboard_cache.flush(); SELECT misses(); COMMIT;
SELECT misses();
SELECT own_writes > 0 AS passed_by FROM dashboard_cache.stats WHERE function = 'total'::regproc;

-- subtransactions
BEGIN;
SAVEPOINT a; SELECT dashboard_cache.invalidate_key('driver:detail:1'); ROLLBACK TO a;
SAVEPOINT b; SELECT dashboard_cache.invalidate_key('driver:detail:2'); RELEASE b;
COMMIT;
SELECT misses();
BEGIN;
SAVEPOINT a;
SAVEPOINT b; SELECT dashboard_cache.invalidate_key('driver:detail:1'); RELEASE b;
SELECT dashboard_cache.invalidate_key('driver:detail:12');
ROLLBACK TO a;
SELECT dashboard_cache.invalidate_key('total');
SAVEPOINT c; SELECT dashboard_cache.invalidate_key('driver:detail:1'); SELECT dashboard_cache.invalidate_pattern('*2*'); ROLLBACK TO c;
COMMIT;
SELECT misses();
BEGIN;
SELECT dashboard_cache.invalidate_key('driver:detail:1');
SAVEPOINT a; SELECT dashboard_cache.invalidate_key('driver:detail:1'); ROLLBACK TO a;
COMMIT;
SELECT misses();
-- more than are searched one by one
BEGIN;
SAVEPOINT a; SELECT count(dashboard_cache.invalidate_key('key ' || i)) FROM generate_series(1, 100) i; SELECT dashboard_cache.invalidate_key('total'); ROLLBACK TO a;
SAVEPOINT b; SELECT count(dashboard_cache.invalidate_key('key ' || i)) FROM generate_series(50, 100) i; SELECT dashboard_cache.invalidate_key('driver:detail:1'); RELEASE b;
COMMIT;
SELECT misses();
DO $$ BEGIN
	FOR i IN 1..100 LOOP
		BEGIN
			PERFORM dashboard_cache.invalidate_key('total');
			IF i < 100 THEN RAISE division_by_zero; END IF;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
END $$;
SELECT misses();

-- a transaction that prepares
BEGIN; SELECT dashboard_cache.invalidate_key('total'); PREPARE TRANSACTION 'dc_first';
SELECT misses();
COMMIT PREPARED 'dc_first';
SELECT misses();
BEGIN; SELECT dashboard_cache.invalidate_key('total'); PREPARE TRANSACTION 'dc_second';
ROLLBACK PREPARED 'dc_second';
SELECT misses();

-- an error at commit undoes the invalidation with the rest; at most it costs a miss
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
:refill
BEGIN; SELECT dashboard_cache.flush(); INSERT INTO child VALUES (1); COMMIT;
SELECT misses();

-- triggers: statement
CREATE TRIGGER all_drivers AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON drivers
	EXECUTE FUNCTION dashboard_cache.invalidate('driver:*', 'total');
:refill
INSERT INTO drivers VALUES (12, 'team 0'); SELECT misses();
UPDATE drivers SET note = 'x' WHERE false; SELECT misses();
COPY drivers FROM stdin;
20	team 1	copied
\.
SELECT misses();
BEGIN; TRUNCATE drivers; SELECT total(), detail(1); ROLLBACK; SELECT misses();
SELECT total(), detail(1);
DROP TRIGGER all_drivers ON drivers;

-- row: from OLD and from NEW
CREATE TRIGGER one_driver AFTER INSERT OR UPDATE OR DELETE ON drivers FOR EACH ROW
	EXECUTE FUNCTION dashboard_cache.invalidate('driver:detail:{driver_id}', 'driver:team:{team|none}');
:refill
INSERT INTO drivers VALUES (100, 'team*'); SELECT misses();
UPDATE drivers SET driver_id = 1000 WHERE driver_id = 1; SELECT misses();
UPDATE drivers SET driver_id = 1 WHERE driver_id = 1000; SELECT misses();
UPDATE drivers SET team = 'team 0' WHERE driver_id = 100; SELECT misses();
DELETE FROM drivers WHERE driver_id = 2; SELECT misses();
DROP TRIGGER one_driver ON drivers;

-- row, before: the row is written as it would be
CREATE TRIGGER before_driver BEFORE INSERT OR UPDATE OR DELETE ON drivers FOR EACH ROW
	EXECUTE FUNCTION dashboard_cache.invalidate('driver:detail:*');
:refill
INSERT INTO drivers VALUES (2, 'team 0'); SELECT misses();
UPDATE drivers SET note = 'new' WHERE driver_id = 2 RETURNING note; SELECT misses();
DELETE FROM drivers WHERE driver_id = 12 RETURNING driver_id; SELECT misses();
DROP TRIGGER before_driver ON drivers;

-- with a condition
CREATE TRIGGER some_drivers AFTER UPDATE ON drivers FOR EACH ROW WHEN (OLD.team IS DISTINCT FROM NEW.team)
	EXECUTE FUNCTION dashboard_cache.invalidate('total');
:refill
UPDATE drivers SET note = 'y'; SELECT misses();
UPDATE drivers SET team = 'team 3' WHERE driver_id = 3; SELECT misses();
DROP TRIGGER some_drivers ON drivers;

-- statement, with transition tables; and without, where a column is any value
CREATE TRIGGER changed AFTER UPDATE ON drivers REFERENCING OLD TABLE AS o NEW TABLE AS n
	FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('driver:detail:{driver_id}');
:refill
UPDATE drivers SET note = 'z' WHERE driver_id IN (1, 3); SELECT misses();
DROP TRIGGER changed ON drivers;
CREATE TRIGGER truncated AFTER TRUNCATE ON drivers EXECUTE FUNCTION dashboard_cache.invalidate('driver:detail:{driver_id}');
:refill
CREATE TABLE copy AS TABLE drivers;
:refill
BEGIN; TRUNCATE drivers; INSERT INTO drivers TABLE copy; COMMIT; SELECT misses();
DROP TRIGGER truncated ON drivers;
CREATE TRIGGER half AFTER UPDATE ON drivers REFERENCING NEW TABLE AS n
	FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('driver:detail:{driver_id}');
:refill
UPDATE drivers SET driver_id = 1000 WHERE driver_id = 1; SELECT misses();
UPDATE drivers SET driver_id = 1 WHERE driver_id = 1000; SELECT misses();
DROP TRIGGER half ON drivers;

-- a glob that is too long for the table of patterns is widened
CREATE TABLE names (name text);
CREATE TRIGGER named AFTER INSERT ON names FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('driver:team:{name}*');
:refill
INSERT INTO names VALUES (repeat('x', 300)); SELECT misses();
DROP TRIGGER named ON names;
CREATE TRIGGER named AFTER INSERT ON names FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('{name}*');
:refill
INSERT INTO names VALUES (repeat('x', 300)); SELECT misses();
DROP TRIGGER named ON names;

-- equal values that print differently make the same names
CREATE TABLE amounts (n numeric(10, 2), c char(5), f float8);
CREATE FUNCTION amount(n numeric, c char, f float8) RETURNS bigint LANGUAGE cached STABLE AS $$
#key amount:{n}:{c}:{f}
SELECT count(*) FROM amounts a WHERE (a.n, a.c, a.f) = (amount.n, amount.c, amount.f) $$;
CREATE TRIGGER amounts AFTER INSERT ON amounts FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('amount:{n}:{c}:{f}');
SELECT amount(5, 'x', 0);
INSERT INTO amounts VALUES (5, 'x', '-0');
SELECT amount(5, 'x', 0);

-- on a view
CREATE VIEW driver_view AS SELECT * FROM drivers;
CREATE TRIGGER instead INSTEAD OF INSERT ON driver_view FOR EACH ROW
	EXECUTE FUNCTION dashboard_cache.invalidate('driver:detail:{driver_id}');
:refill
INSERT INTO driver_view VALUES (2, 'x') RETURNING driver_id; SELECT misses();

-- own writes: also in a trigger that fires before the invalidation
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'total: %', invalidation.total(); RETURN NULL; END $$;
CREATE TRIGGER a_look AFTER INSERT ON drivers EXECUTE FUNCTION look();
CREATE TRIGGER b_invalidate AFTER INSERT ON drivers EXECUTE FUNCTION dashboard_cache.invalidate('total');
CREATE TRIGGER c_look AFTER INSERT ON drivers EXECUTE FUNCTION look();
SELECT total();
INSERT INTO drivers VALUES (50), (51);
SELECT total();
-- and in what the writing statement itself calls
CREATE FUNCTION compare() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN RETURN (SELECT format('cached %s, plain %s', total(), count(*)) FROM drivers); END $$;
INSERT INTO drivers SELECT 60 + i, compare() FROM generate_series(1, 2) i RETURNING team;
WITH w AS (INSERT INTO drivers SELECT 70 + i FROM generate_series(1, 2) i RETURNING compare()) TABLE w;
-- while the statement's own snapshot may well be served
CREATE TABLE totals (total int);
SELECT total();
SELECT dashboard_cache.reset_stats();
INSERT INTO totals SELECT total();
SELECT hits, own_writes FROM dashboard_cache.stats WHERE function = 'total'::regproc;
DELETE FROM drivers WHERE driver_id > 60; SELECT dashboard_cache.flush();
DROP TRIGGER a_look ON drivers; DROP TRIGGER b_invalidate ON drivers; DROP TRIGGER c_look ON drivers;

-- bad input
\set VERBOSITY default
SELECT dashboard_cache.invalidate_key(NULL);
SELECT dashboard_cache.invalidate_key('');
SELECT dashboard_cache.invalidate_tag(NULL);
SELECT dashboard_cache.invalidate_tag('');
SELECT dashboard_cache.invalidate_pattern(NULL);
SELECT dashboard_cache.invalidate_pattern('');
SELECT dashboard_cache.invalidate_pattern('driver:[12');
SELECT dashboard_cache.invalidate_pattern('driver:\[12');
SELECT dashboard_cache.invalidate_pattern('*' || repeat('x', 255));
SELECT dashboard_cache.invalidate_pattern(repeat('x', 1000) || ':*');
SELECT dashboard_cache.invalidate();
CREATE FUNCTION calls_it() RETURNS void LANGUAGE sql AS 'SELECT dashboard_cache.invalidate()';
CREATE TRIGGER bad AFTER INSERT ON drivers EXECUTE FUNCTION dashboard_cache.invalidate();
INSERT INTO drivers VALUES (90);
DROP TRIGGER bad ON drivers;
CREATE TRIGGER bad AFTER INSERT ON drivers FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('x:{no_such_column}');
INSERT INTO drivers VALUES (90);
DROP TRIGGER bad ON drivers;
CREATE TRIGGER bad AFTER INSERT ON drivers FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('x:{team');
INSERT INTO drivers VALUES (90);
DROP TRIGGER bad ON drivers;
CREATE TRIGGER bad AFTER INSERT ON drivers FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('');
INSERT INTO drivers VALUES (90);
DROP TRIGGER bad ON drivers;
CREATE TRIGGER bad AFTER INSERT ON drivers FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('x[{team}');
INSERT INTO drivers VALUES (90);
DROP TRIGGER bad ON drivers;
CREATE TRIGGER bad BEFORE INSERT ON drivers FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('x:{team}');
INSERT INTO drivers VALUES (90);
DROP TRIGGER bad ON drivers;
CREATE CONSTRAINT TRIGGER bad AFTER INSERT ON drivers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	EXECUTE FUNCTION dashboard_cache.invalidate('x');
INSERT INTO drivers VALUES (90);
DROP TRIGGER bad ON drivers;
SELECT count(*) FROM drivers WHERE driver_id = 90;
SELECT misses();

-- clearing is not PUBLIC's
CREATE ROLE dc_nobody;
GRANT USAGE ON SCHEMA invalidation TO dc_nobody;
SET ROLE dc_nobody;
SELECT dashboard_cache.flush();
SELECT dashboard_cache.invalidate_key('total');
SELECT dashboard_cache.invalidate_tag('x');
SELECT dashboard_cache.invalidate_pattern('x');
SELECT dashboard_cache.reset_stats();
SELECT count(*) > 0 AS may_look FROM dashboard_cache.stats;
RESET ROLE;

SELECT dashboard_cache.reset_stats();
SELECT sum(hits + misses + fills + stale) FROM dashboard_cache.stats;

SET client_min_messages = warning;
DROP SCHEMA invalidation CASCADE;
DROP EXTENSION dashboard_cache;
DROP ROLE dc_nobody;
