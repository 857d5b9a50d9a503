-- What is watched, what a function depends on, and what check() finds missing
CREATE EXTENSION dashboard_cache;
CREATE ROLE dc_owner;
CREATE ROLE dc_other;
CREATE SCHEMA watching;
GRANT ALL ON SCHEMA watching TO dc_owner, dc_other;
SET search_path = watching;

-- The triggers of a table: level, when they are enabled, arguments.
CREATE FUNCTION triggers(pattern text) RETURNS TABLE (relation regclass, trigger name, level text, enabled text, arguments text)
LANGUAGE sql STABLE AS $$
	SELECT tgrelid::regclass, tgname, CASE tgtype & 1 WHEN 1 THEN 'row' ELSE 'statement' END,
		CASE tgenabled WHEN 'O' THEN 'origin' WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica' ELSE 'no' END,
		replace(encode(tgargs, 'escape'), '\000', ' ')
	FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
	WHERE NOT tgisinternal AND relname ~ pattern OR tgname LIKE 'dashboard\_cache%' AND relname ~ pattern
	ORDER BY 1::text, 2
$$;
-- Tables with how many triggers of ours, those that are not enabled as they should be apart.
CREATE FUNCTION counted(pattern text) RETURNS TABLE (relation regclass, write bigint, replica bigint, slice bigint)
LANGUAGE sql STABLE AS $$
	SELECT c.oid::regclass, count(*) FILTER (WHERE tgname LIKE '%\_write' AND tgenabled = 'A'),
		count(*) FILTER (WHERE tgname LIKE '%\_replica' AND tgenabled = 'R'),
		count(*) FILTER (WHERE tgname LIKE '%\_slice\_%' AND tgenabled IN ('O', 'A'))
	FROM pg_class c LEFT JOIN pg_trigger ON tgrelid = c.oid AND tgname LIKE 'dashboard\_cache\_%'
	WHERE c.relname ~ pattern AND c.relkind IN ('r', 'p') AND c.relnamespace = 'watching'::regnamespace
	GROUP BY c.oid ORDER BY c.oid::regclass::text
$$;

--
-- watch() and unwatch()
--
CREATE TABLE issues (id int PRIMARY KEY, tenant_id int, state text, opened date, note text, place point);
SELECT dashboard_cache.watch('issues');
SELECT * FROM triggers('^issues$');
-- again: nothing happens
CREATE TABLE before AS SELECT oid, xmin::text AS version FROM pg_trigger;
SELECT dashboard_cache.watch('issues');
SELECT count(*) FROM (SELECT oid, xmin::text AS version FROM pg_trigger EXCEPT TABLE before) changed;
-- slices
SELECT dashboard_cache.watch('issues', slice => 'tenant_id');
SELECT * FROM triggers('^issues$');
SELECT dashboard_cache.watch('issues', 'state');
SELECT trigger, arguments FROM triggers('^issues$') WHERE arguments <> '';
TRUNCATE before;
INSERT INTO before SELECT oid, xmin::text AS version FROM pg_trigger;
SELECT dashboard_cache.watch('issues'), dashboard_cache.watch('issues', 'tenant_id'), dashboard_cache.watch('issues', 'state');
SELECT count(*) FROM (SELECT oid, xmin::text AS version FROM pg_trigger EXCEPT TABLE before) changed;
-- what is missing or disabled is put right
ALTER TABLE issues DISABLE TRIGGER dashboard_cache_write, DISABLE TRIGGER dashboard_cache_slice_update, ENABLE TRIGGER dashboard_cache_replica;
DROP TRIGGER dashboard_cache_replica ON issues;
DROP TRIGGER dashboard_cache_slice_delete ON issues;
SELECT * FROM counted('^issues$');
SELECT dashboard_cache.watch('issues');
SELECT * FROM counted('^issues$');
SELECT trigger, arguments FROM triggers('^issues$') WHERE arguments <> '';
SELECT dashboard_cache.unwatch('issues');
SELECT * FROM triggers('^issues$');
-- a user's own triggers stay
CREATE TRIGGER own AFTER INSERT ON issues EXECUTE FUNCTION dashboard_cache.invalidate('own');
SELECT dashboard_cache.watch('issues', 'tenant_id'), dashboard_cache.unwatch('issues');
SELECT trigger FROM triggers('^issues$');
DROP TRIGGER own ON issues;
-- undone with the transaction
BEGIN; SELECT dashboard_cache.watch('issues'); ROLLBACK;
SELECT count(*) FROM triggers('^issues$');

-- names that have to be quoted
CREATE SCHEMA "Watching, ""too""";
CREATE TABLE "Watching, ""too"""."A 'table'" ("the \ ""Slice's""" int, "Other" text);
SELECT dashboard_cache.watch('"Watching, ""too"""."A ''table''"', 'the \ "Slice''s"');
SELECT dashboard_cache.watch('"Watching, ""too"""."A ''table''"', 'Other');
INSERT INTO "Watching, ""too"""."A 'table'" VALUES (1, 'x');
SELECT trigger, arguments FROM triggers('^A ') WHERE arguments <> '';
SELECT dashboard_cache.unwatch('"Watching, ""too"""."A ''table''"');
SELECT count(*) FROM triggers('^A ');
DROP SCHEMA "Watching, ""too""" CASCADE;

-- partitions and children, those there are and those to come
CREATE TABLE parted (id int, tenant_id int, v int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20) PARTITION BY LIST (tenant_id);
CREATE TABLE parted_2_1 PARTITION OF parted_2 DEFAULT;
CREATE TABLE parted_loose (LIKE parted);
CREATE TABLE parted_watched (LIKE parted);
CREATE TABLE inherited (id int, tenant_id int);
CREATE TABLE inherited_1 () INHERITS (inherited);
CREATE TABLE inherited_2 () INHERITS (inherited_1);
CREATE TABLE inherited_loose (LIKE inherited);
SELECT dashboard_cache.watch('parted'), dashboard_cache.watch('inherited');
SELECT * FROM counted('^(parted|inherited)');
SELECT dashboard_cache.watch('parted', 'tenant_id'), dashboard_cache.watch('inherited', 'tenant_id');
SELECT dashboard_cache.watch('parted_watched');
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30);
CREATE TABLE parted_2_2 PARTITION OF parted_2 FOR VALUES IN (1);
ALTER TABLE parted ATTACH PARTITION parted_loose FOR VALUES FROM (30) TO (40);
ALTER TABLE parted ATTACH PARTITION parted_watched FOR VALUES FROM (40) TO (50);
CREATE TABLE inherited_3 () INHERITS (inherited_2);
ALTER TABLE inherited_loose INHERIT inherited;
SELECT * FROM counted('^(parted|inherited)');
-- detached: it keeps what it had, and can be attached again
ALTER TABLE parted DETACH PARTITION parted_1;
ALTER TABLE parted DETACH PARTITION parted_2;
SELECT * FROM counted('^parted');
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (0) TO (10);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);
SELECT * FROM counted('^parted');
ALTER TABLE inherited_1 NO INHERIT inherited;
ALTER TABLE inherited_1 INHERIT inherited;
-- put right on a partition
ALTER TABLE parted_1 DISABLE TRIGGER USER;
DROP TRIGGER dashboard_cache_write ON parted_2_1;
SELECT * FROM counted('^parted_(1|2_1)$');
SELECT dashboard_cache.watch('parted');
SELECT * FROM counted('^parted_(1|2_1)$');
SELECT dashboard_cache.unwatch('parted'), dashboard_cache.unwatch('inherited');
SELECT * FROM counted('^(parted|inherited)') WHERE write + replica + slice > 0;
-- dump and restore writes such triggers too: what CREATE TRIGGER says is what there is
SELECT dashboard_cache.watch('issues', 'tenant_id');
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'issues'::regclass AND tgname LIKE 'dash%' ORDER BY tgname;
-- the server keeps what triggers name; other columns are free
\set VERBOSITY terse
ALTER TABLE issues ALTER tenant_id TYPE bigint;
ALTER TABLE issues DROP tenant_id;
ALTER TABLE issues ALTER opened TYPE timestamptz, DROP note;
\set VERBOSITY default
SELECT dashboard_cache.unwatch('issues');

-- bad input
\set VERBOSITY default
CREATE VIEW a_view AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW a_matview AS SELECT 1 AS a;
CREATE TEMPORARY TABLE a_temp (a int);
CREATE SEQUENCE a_sequence;
CREATE FOREIGN DATA WRAPPER dc_dummy;
CREATE SERVER dc_dummy FOREIGN DATA WRAPPER dc_dummy;
CREATE FOREIGN TABLE a_foreign (a int) SERVER dc_dummy;
SELECT dashboard_cache.watch('a_view');
SELECT dashboard_cache.watch('a_matview');
SELECT dashboard_cache.watch('a_temp');
SELECT dashboard_cache.watch('a_foreign');
SELECT dashboard_cache.watch('a_sequence');
SELECT dashboard_cache.watch('issues_pkey');
SELECT dashboard_cache.watch('pg_class');
SELECT dashboard_cache.watch('information_schema.sql_features');
SELECT dashboard_cache.watch('parted_1');
SELECT dashboard_cache.watch('inherited_2');
SELECT dashboard_cache.watch('no_such_table');
SELECT dashboard_cache.watch(0);
SELECT dashboard_cache.watch(NULL);
SELECT dashboard_cache.watch('issues', 'no_such_column');
SELECT dashboard_cache.watch('issues', 'ctid');
SELECT dashboard_cache.watch('issues', 'place');
SELECT dashboard_cache.watch('issues', '');
SELECT dashboard_cache.unwatch('issues');
SELECT dashboard_cache.unwatch('a_view');
SELECT dashboard_cache.unwatch('parted_1');
SELECT dashboard_cache.unwatch(NULL);
SELECT dashboard_cache.touch();
SELECT count(*) FROM triggers('.');
SET ROLE dc_other;
SELECT dashboard_cache.watch('issues');
SELECT dashboard_cache.unwatch('issues');
RESET ROLE;
-- a partition that is somebody else's
ALTER TABLE issues OWNER TO dc_owner;
ALTER TABLE parted OWNER TO dc_owner;
SET ROLE dc_owner;
SELECT dashboard_cache.watch('issues'), dashboard_cache.unwatch('issues');
SELECT dashboard_cache.watch('parted');
RESET ROLE;
SELECT count(*) FROM triggers('.');
-- triggers that are written by hand, and wrong
CREATE TRIGGER by_hand BEFORE INSERT ON issues FOR EACH ROW EXECUTE FUNCTION dashboard_cache.touch();
INSERT INTO issues VALUES (1);
DROP TRIGGER by_hand ON issues;
CREATE CONSTRAINT TRIGGER by_hand AFTER INSERT ON issues DEFERRABLE FOR EACH ROW EXECUTE FUNCTION dashboard_cache.touch();
INSERT INTO issues VALUES (1);
DROP TRIGGER by_hand ON issues;
SELECT count(*) FROM issues;
ALTER TABLE issues OWNER TO CURRENT_USER; ALTER TABLE parted OWNER TO CURRENT_USER;

-- #slice
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.no_such_column = tenant
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice no_such_table.tenant_id = tenant
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant_id = no_such_argument
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant numeric) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant_id = tenant
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant point) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.place = tenant
SELECT count(*) FROM issues WHERE place ~= tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice a_view.a = tenant
SELECT count(*) FROM a_view WHERE a = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant_id
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice tenant_id = tenant
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant_id = tenant,
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant_id = tenant
#slice issues.tenant_id = tenant
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
CREATE OR REPLACE FUNCTION sliced(tenant int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant_id = 7
SELECT count(*) FROM issues WHERE tenant_id = tenant $$;
\set VERBOSITY terse
-- a function that calls itself
CREATE FUNCTION forever(i int) RETURNS int LANGUAGE cached STABLE AS 'SELECT i';
CREATE OR REPLACE FUNCTION forever(i int) RETURNS int LANGUAGE cached STABLE AS 'SELECT forever(i)';
SELECT forever(1);
CREATE FUNCTION a_half(i int) RETURNS int LANGUAGE cached STABLE AS 'SELECT forever(i)';
CREATE OR REPLACE FUNCTION forever(i int) RETURNS int LANGUAGE cached STABLE AS 'SELECT a_half(i)';
SELECT forever(1);
-- with other arguments it comes to an end
CREATE OR REPLACE FUNCTION forever(i int) RETURNS int LANGUAGE cached STABLE AS 'SELECT CASE WHEN i = 0 THEN 0 ELSE forever(i - 1) + 1 END';
SELECT forever(5), forever(5);
DROP FUNCTION forever(int), a_half(int);
DROP TABLE issues, parted, inherited CASCADE;

--
-- What calls are hits
--
-- Calls, and whether the last call of the function was a hit.
CREATE FUNCTION hits(which regproc) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN RETURN coalesce((SELECT hits FROM dashboard_cache.stats WHERE function = which), 0); END $$;
CREATE FUNCTION is_hit(call text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
	which regproc := split_part(call, '(', 1);
	before bigint := hits(which);
BEGIN
	EXECUTE 'SELECT count(*) FROM ' || call || ' x';
	RETURN hits(which) > before;
END $$;

-- One function for each query, and one line for each: which writes invalidate it.  Two tags may by chance share a
-- place in the ledger, which costs hits; so all is done twice, with other tables, and counts if it is so both times.
CREATE PROCEDURE make_tables() LANGUAGE plpgsql AS $make$
BEGIN
	DROP TABLE IF EXISTS t, other, parted, inherited CASCADE;
	CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, g int GENERATED ALWAYS AS (c * 2) STORED);
	CREATE TABLE other (id int PRIMARY KEY, a int);
	CREATE TABLE parted (id int, a int, b int) PARTITION BY RANGE (id);
	CREATE TABLE parted_1 (b int, a int, id int);
	ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (0) TO (10);
	CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
	CREATE TABLE inherited (id int, a int, b int);
	CREATE TABLE inherited_1 (c int) INHERITS (inherited);
	INSERT INTO t SELECT i, i, i, i FROM generate_series(1, 5) i;
	INSERT INTO other SELECT i, i FROM generate_series(1, 5) i;
	INSERT INTO parted SELECT i, i, i FROM generate_series(1, 15) i;
	INSERT INTO inherited_1 SELECT i, i, i, i FROM generate_series(1, 5) i;
	CREATE VIEW view_ab AS SELECT id, a, b FROM t;
	CREATE VIEW view_of_view AS SELECT id, a FROM view_ab WHERE a > 0;
	CREATE VIEW view_invoker WITH (security_invoker) AS SELECT id, a FROM t;
	CREATE VIEW view_barrier WITH (security_barrier) AS SELECT id, a FROM t WHERE b > 0;
	CREATE MATERIALIZED VIEW matview AS SELECT id, a FROM t;
	PERFORM dashboard_cache.watch(r::regclass) FROM unnest('{t, other, parted, inherited}'::text[]) r;
END $make$;
CALL make_tables();
CREATE FUNCTION sql_a() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(a) FROM t';
CREATE FUNCTION sql_rows() RETURNS TABLE (x int) LANGUAGE sql STABLE AS 'SELECT a FROM t';
CREATE FUNCTION plpgsql_a() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(a) FROM t); END';
CREATE FUNCTION plpgsql_dynamic(name text) RETURNS bigint LANGUAGE plpgsql STABLE AS
	'DECLARE r bigint; BEGIN EXECUTE format(''SELECT sum(a) FROM %I'', name) INTO r; RETURN r; END';
CREATE FUNCTION plpgsql_loop() RETURNS bigint LANGUAGE plpgsql STABLE AS
	'DECLARE r record; s bigint := 0; BEGIN FOR r IN SELECT a FROM t LOOP s := s + r.a; END LOOP; RETURN s; END';
CREATE FUNCTION plpgsql_cursor() RETURNS bigint LANGUAGE plpgsql STABLE AS
	'DECLARE c CURSOR FOR SELECT a FROM t ORDER BY a; r int; BEGIN OPEN c; FETCH c INTO r; CLOSE c; RETURN r; END';
CREATE FUNCTION plpgsql_caught() RETURNS bigint LANGUAGE plpgsql STABLE AS
	'BEGIN PERFORM a FROM t; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN RETURN 0; END';
CREATE FUNCTION deep() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sql_a() + sum(a) FROM view_of_view); END';
CREATE FUNCTION inner_a() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(a) FROM t';
CREATE TABLE queries (n int GENERATED ALWAYS AS IDENTITY, name text, query text);
CREATE TABLE writes (n int GENERATED ALWAYS AS IDENTITY, name text, command text);
INSERT INTO queries (name, query) VALUES
('count', 'SELECT count(*) FROM t'),
('exists', 'SELECT EXISTS (SELECT FROM t)::int'),
('sum_a', 'SELECT sum(a) FROM t'),
('where_a', 'SELECT count(*) FROM t WHERE a > 1'),
('order_by_a', 'SELECT b FROM t ORDER BY a LIMIT 1'),
('group_by_a', 'SELECT count(*) FROM (SELECT a FROM t GROUP BY a) s'),
('having_a', 'SELECT count(*) FROM t HAVING sum(a) > 0'),
('filter_a', 'SELECT count(*) FILTER (WHERE a > 1) FROM t'),
('window_a', 'SELECT max(r) FROM (SELECT rank() OVER (ORDER BY a) AS r FROM t) s'),
('by_key', 'SELECT a FROM t WHERE id = 1'),
('generated', 'SELECT sum(g) FROM t'),
('whole_row', 'SELECT max(t::text) FROM t'),
('star_of_subquery', 'SELECT sum(a) FROM (SELECT * FROM t) s'),
('row_of_subquery', 'SELECT max(s::text) FROM (SELECT a FROM t) s'),
('ctid', 'SELECT max(ctid::text) FROM t'),
('tableoid', 'SELECT max(tableoid::regclass::text) FROM t'),
('subquery', 'SELECT (SELECT sum(a) FROM t)'),
('in_subquery', 'SELECT count(*) FROM other WHERE id IN (SELECT a FROM t)'),
('array', 'SELECT cardinality(ARRAY(SELECT a FROM t))'),
('cte', 'WITH c AS (SELECT a FROM t) SELECT sum(a) FROM c'),
('cte_materialized', 'WITH c AS MATERIALIZED (SELECT a, b FROM t) SELECT sum(a) FROM c'),
('cte_recursive', 'WITH RECURSIVE c AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM c JOIN t ON t.a = c.i) SELECT count(*) FROM c'),
('join', 'SELECT count(*) FROM other JOIN t USING (id, a)'),
('left_join_removed', 'SELECT sum(other.a) FROM other LEFT JOIN t ON t.id = other.id'),
('lateral', 'SELECT sum(x.a) FROM other, LATERAL (SELECT a FROM t WHERE t.id = other.id) x'),
('set_operation', 'SELECT sum(a) FROM (SELECT a FROM t UNION SELECT a FROM other) s'),
('never_true', 'SELECT count(a) FROM t WHERE false'),
('tablesample', 'SELECT count(*) FROM t TABLESAMPLE SYSTEM (50) REPEATABLE (1)'),
('grouping_sets', 'SELECT count(*) FROM (SELECT a, sum(b) FROM t GROUP BY ROLLUP (a)) s'),
('view', 'SELECT sum(a) FROM view_ab'),
('view_of_view', 'SELECT sum(a) FROM view_of_view'),
('view_invoker', 'SELECT sum(a) FROM view_invoker'),
('view_barrier', 'SELECT sum(a) FROM view_barrier'),
('matview', 'SELECT sum(a) FROM matview'),
('in_sql', 'SELECT sql_a()'),
('in_sql_rows', 'SELECT sum(x) FROM sql_rows()'),
('in_plpgsql', 'SELECT plpgsql_a()'),
('in_plpgsql_dynamic', 'SELECT plpgsql_dynamic(''t'')'),
('in_plpgsql_loop', 'SELECT plpgsql_loop()'),
('in_plpgsql_cursor', 'SELECT plpgsql_cursor()'),
('in_plpgsql_caught', 'SELECT plpgsql_caught()'),
('in_deep', 'SELECT deep()'),
('in_cached', 'SELECT inner_a()'),
('in_cached_and_more', 'SELECT inner_a() + sum(b) FROM t'),
('other', 'SELECT sum(a) FROM other'),
('parted', 'SELECT sum(a) FROM parted'),
('parted_count', 'SELECT count(*) FROM parted'),
('parted_pruned', 'SELECT sum(a) FROM parted WHERE id < 5'),
('parted_1', 'SELECT sum(a) FROM parted_1'),
('inherited', 'SELECT sum(a) FROM inherited'),
('inherited_only', 'SELECT count(a) FROM ONLY inherited'),
('inherited_1', 'SELECT sum(c) FROM inherited_1'),
('nothing', 'SELECT 1');
INSERT INTO writes (name, command) VALUES
('a', 'UPDATE t SET a = a + 1'),
('b', 'UPDATE t SET b = b + 1'),
('c', 'UPDATE t SET c = c + 1'),
('rows', 'INSERT INTO t SELECT max(id) + 1, 0, 0, 0 FROM t'),
('delete', 'DELETE FROM t WHERE id = (SELECT max(id) FROM t)'),
('other.a', 'UPDATE other SET a = a'),
('parted.a', 'UPDATE parted SET a = a'),
('parted_1.a', 'UPDATE parted_1 SET a = a'),
('parted_1.b', 'UPDATE parted_1 SET b = b'),
('parted_2.a', 'UPDATE parted_2 SET a = a'),
('inherited.a', 'UPDATE inherited SET a = a'),
('inherited_1.a', 'UPDATE inherited_1 SET a = a'),
('inherited_1.c', 'UPDATE inherited_1 SET c = c'),
('parted_1.rows', 'INSERT INTO parted_1 VALUES (1, 1, 1)'),
('inherited_1.rows', 'DELETE FROM inherited_1 WHERE id = 1'),
('refresh', 'REFRESH MATERIALIZED VIEW matview'),
('other.truncate', 'TRUNCATE other');

CREATE TABLE missed (run int, query int, write int);
CREATE PROCEDURE measure(run int) LANGUAGE plpgsql AS $$
DECLARE
	q queries;
	w writes;
	missed int[];
BEGIN
	FOR w IN SELECT * FROM writes ORDER BY n LOOP
		FOR q IN SELECT * FROM queries LOOP
			PERFORM is_hit(format('q_%s()', q.name));
		END LOOP;
		COMMIT;
		EXECUTE w.command;
		COMMIT;
		missed := '{}';
		FOR q IN SELECT * FROM queries LOOP
			IF NOT is_hit(format('q_%s()', q.name)) THEN missed := missed || q.n; END IF;
		END LOOP;
		INSERT INTO missed SELECT run, query, w.n FROM unnest(missed) query;
		COMMIT;
	END LOOP;
END $$;
DO $$
DECLARE
	q queries;
BEGIN
	FOR q IN SELECT * FROM queries LOOP
		EXECUTE format('CREATE FUNCTION %I() RETURNS text LANGUAGE cached STABLE AS %L',
			'q_' || q.name, E'#ttl infinity\nSELECT (' || q.query || ')::text');
	END LOOP;
END $$;
CALL measure(1);
SET client_min_messages = warning;
CALL make_tables();
RESET client_min_messages;
CALL measure(2);
SELECT q.name, (SELECT string_agg(w.name, ' ' ORDER BY w.n) FROM writes w
	WHERE (SELECT count(*) FROM missed WHERE query = q.n AND write = w.n) = 2) AS missed_by
FROM queries q ORDER BY q.n;
SELECT name, relation, columns, slice, watched FROM dashboard_cache.dependencies d JOIN queries q ON d.function = format('q_%s()', q.name)::regprocedure ORDER BY n, relation::text;
SELECT * FROM dashboard_cache.check();
SELECT dashboard_cache.unwatch(r) FROM unnest('{t, other, parted, inherited}'::regclass[]) r;
DO $$ DECLARE f regprocedure; BEGIN
	FOR f IN SELECT oid FROM pg_proc WHERE proname LIKE 'q\_%' AND pronamespace = 'watching'::regnamespace LOOP EXECUTE 'DROP FUNCTION ' || f; END LOOP;
END $$;
DROP FUNCTION inner_a();

--
-- cache()
--
CREATE TABLE mine (id int, tenant int, v int);
INSERT INTO mine VALUES (1, 1, 10), (2, 2, 20);
CREATE TABLE theirs (id int, v int);
CREATE TABLE untouched (id int);
ALTER TABLE mine OWNER TO dc_owner;
ALTER TABLE untouched OWNER TO dc_owner;
ALTER TABLE theirs OWNER TO dc_other;
GRANT SELECT ON theirs TO dc_owner;
CREATE VIEW mine_seen AS TABLE mine;
ALTER VIEW mine_seen OWNER TO dc_owner;
SET ROLE dc_owner;
CREATE FUNCTION f_mine() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM mine_seen';
SELECT dashboard_cache.cache('f_mine()');
SELECT * FROM counted('^(mine|untouched|theirs)$');
SELECT is_hit('cached_f_mine()'), is_hit('cached_f_mine()');
UPDATE mine SET v = v + 1;
SELECT is_hit('cached_f_mine()'), cached_f_mine();
UPDATE mine SET id = id + 1;
SELECT is_hit('cached_f_mine()');
-- again, and without
SELECT dashboard_cache.cache('f_mine()');
SELECT dashboard_cache.unwatch('mine');
SELECT dashboard_cache.cache('f_mine()', watch => false);
SELECT * FROM counted('^mine$');
-- a view
SELECT dashboard_cache.cache('mine_seen');
SELECT * FROM counted('^mine$');
SELECT dashboard_cache.unwatch('mine');
-- with a slice
CREATE FUNCTION f_slice(tenant int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM mine WHERE mine.tenant = f_slice.tenant';
SELECT dashboard_cache.cache('f_slice(int)', slice => 'mine.tenant = tenant', ttl => '1 hour');
SELECT prosrc FROM pg_proc WHERE proname = 'cached_f_slice';
SELECT * FROM counted('^mine$');
SELECT dashboard_cache.unwatch('mine');
SELECT dashboard_cache.cache('f_slice(int)', slice => 'mine.no_such_column = tenant');
SELECT dashboard_cache.cache('f_slice(int)', slice => 'mine.tenant = no_such_argument');
-- what is somebody else's, a catalog, or cannot be watched, is named
CREATE FUNCTION f_theirs() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM mine, theirs, pg_catalog.pg_class, watching.matview';
RESET ROLE;
GRANT SELECT ON matview TO dc_owner;
SET ROLE dc_owner;
SELECT dashboard_cache.cache('f_theirs()');
SELECT * FROM counted('^(mine|theirs)$');
SELECT relation, problem FROM dashboard_cache.check() WHERE function = 'cached_f_theirs()'::regprocedure ORDER BY 1::text, 2;
CREATE TEMPORARY TABLE of_session AS SELECT 1 AS v;
CREATE FUNCTION f_temp() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(v) FROM of_session); END';
SELECT dashboard_cache.cache('f_temp()');
DROP TABLE of_session;
-- found by running it: arguments with defaults, and without
CREATE FUNCTION f_runs(d date, n int, t text, a int[], j jsonb, which text DEFAULT 'untouched') RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	r bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %I', which) INTO r;
	RETURN r;
END $$;
SELECT dashboard_cache.cache('f_runs');
SELECT dashboard_cache.cache('f_runs(date, int, text, int[], jsonb, text)');
SELECT * FROM counted('^untouched$');
SELECT dashboard_cache.unwatch('untouched');
-- what it does is undone, and that it fails is no matter
CREATE FUNCTION f_writes() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN INSERT INTO untouched VALUES (1); RETURN 1; END $$;
SELECT dashboard_cache.cache('f_writes()');
SELECT count(*) FROM untouched;
CREATE FUNCTION f_fails(n int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM FROM untouched; RETURN 1 / n; END $$;
SELECT dashboard_cache.cache('f_fails(int)');
SELECT * FROM counted('^untouched$');
CREATE FUNCTION f_nothing() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
SELECT dashboard_cache.cache('f_nothing()');
-- it is one transaction: undone together
BEGIN;
SELECT dashboard_cache.cache('f_mine()', name => 'undone');
ROLLBACK;
SELECT to_regproc('undone');
RESET ROLE;
SELECT dashboard_cache.unwatch(r) FROM unnest('{mine, untouched}'::regclass[]) r;
DROP FUNCTION cached_f_mine(), cached_f_slice(int), cached_f_theirs(), cached_f_temp(), cached_f_writes(), cached_f_fails(int), cached_f_nothing(),
	cached_f_runs(date, int, text, int[], jsonb, text), cached_mine_seen();

--
-- Slices: by type, what is written and what is asked for
--
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN small AS int CHECK (value < 100);
CREATE TABLE slice_types (n int GENERATED ALWAYS AS IDENTITY, of_column text, of_argument text, written text, same text, another text);
INSERT INTO slice_types (of_column, of_argument, written, same, another) VALUES
('int', 'int', '7', '7', '8'),
('int', 'bigint', '7', '7', '8'),
('bigint', 'int', '-7', '-7', '7'),
('smallint', 'bigint', '-7', '-7', '7'),
('bigint', 'bigint', '5000000000', '5000000000', '5000000001'),
('int', 'small', '7', '7', '8'),
('small', 'int', '7', '7', '8'),
('numeric', 'numeric', '1.00', '1.0', '1.01'),
('numeric(10, 2)', 'numeric', '1', '1.000', '1.01'),
('float8', 'float8', '-0', '0', '1'),
('float8', 'float4', '0.5', '0.5', '0.25'),
('float8', 'float8', 'NaN', 'NaN', 'Infinity'),
('text', 'text', 'a', 'a', 'b'),
('varchar(10)', 'text', 'a', 'a', 'a '),
('text', 'varchar', '', '', 'a'),
('name', 'text', 'a', 'a', 'b'),
('char(5)', 'char(3)', 'a', 'a', 'b'),
('text COLLATE ignore_case', 'text', 'A', 'a', 'b'),
('text COLLATE ignore_case', 'varchar', 'a', 'A', 'b'),
('text COLLATE "C"', 'text', 'a', 'a', 'A'),
('date', 'date', '2026-02-03', '2026-02-03', '2026-02-04'),
('timestamptz', 'timestamptz', '2026-02-03 12:00 UTC', '2026-02-03 14:00+02', '2026-02-03 12:00+02'),
('interval', 'interval', '1 day', '24 hours', '25 hours'),
('uuid', 'uuid', '6dd47c5a-1e1a-4c6d-8b0f-d6a0d2f1e9b7', '6DD47C5A-1e1a-4c6d-8b0f-d6a0d2f1e9b7', '6dd47c5a-1e1a-4c6d-8b0f-d6a0d2f1e9b8'),
('mood', 'mood', 'ok', 'ok', 'sad'),
('bool', 'bool', 't', 'true', 'false'),
('bytea', 'bytea', '\x00', '\000', '\x01'),
('jsonb', 'jsonb', '{"a": 1.0}', '{"a": 1.00}', '{"a": 2}'),
('int[]', 'int[]', '{1,2}', '{1, 2}', '{2,1}'),
('text[]', 'text[]', '{a,b}', '{"a", b}', '{a}'),
('inet', 'inet', '10.0.0.1', '10.0.0.1/32', '10.0.0.2'),
('int4range', 'int4range', '[1,5)', '(0,4]', '[1,6)'),
('timetz', 'timetz', '12:00+00', '12:00+00', '12:00+02'),
('money', 'money', '1', '1.00', '2'),
('text', 'name', 'a', 'a', 'b'),
-- refused
('int', 'numeric', '7', '7', '8'),
('int', 'text', '7', '7', '8'),
('timestamptz', 'timestamp', '2026-02-03', '2026-02-03', '2026-02-04'),
('date', 'timestamp', '2026-02-03', '2026-02-03', '2026-02-04'),
('text', 'char(3)', 'a', 'a', 'b'),
('json', 'json', '1', '1', '2'),
('point', 'point', '(0,0)', '(0,0)', '(1,1)'),
('xml', 'xml', '<a/>', '<a/>', '<b/>'),
('bit(1)', 'bit(1)', '0', '0', '1');
CREATE TABLE slice_outcomes (n int, watched text, declared text, found text, written_missed bool, another_missed bool);
-- Two calls, for what is written and for another; found: the query itself finds the row.
CREATE PROCEDURE slice_types() LANGUAGE plpgsql AS $$
DECLARE
	s slice_types;
	o slice_outcomes;
	one bool;
BEGIN
	FOR s IN SELECT * FROM slice_types ORDER BY n LOOP
		o := ROW(s.n, 'yes', 'yes', NULL, NULL, NULL);
		EXECUTE format('CREATE TABLE sliced (key %s, v int)', s.of_column);
		BEGIN
			PERFORM dashboard_cache.watch('sliced', 'key');
		EXCEPTION WHEN OTHERS THEN
			o.watched := sqlstate;
			PERFORM dashboard_cache.watch('sliced');
		END;
		BEGIN
			EXECUTE format('CREATE FUNCTION by_key(wanted %s) RETURNS bigint LANGUAGE cached STABLE AS ''
				#slice sliced.key = wanted
				SELECT count(*) FROM sliced WHERE key = wanted''', s.of_argument);
		EXCEPTION WHEN OTHERS THEN
			o.declared := sqlstate;
		END;
		IF o.declared = 'yes' THEN
			COMMIT;
			PERFORM is_hit(format('by_key(%L)', s.same)), is_hit(format('by_key(%L)', s.another));
			one := is_hit(format('by_key(%L)', s.same)) AND is_hit(format('by_key(%L)', s.another));
			COMMIT;
			EXECUTE format('INSERT INTO sliced VALUES (%L)', s.written);
			COMMIT;
			o.written_missed := one AND NOT is_hit(format('by_key(%L)', s.same));
			o.another_missed := NOT is_hit(format('by_key(%L)', s.another));
			EXECUTE format('SELECT concat(by_key(%L), by_key(%L))', s.same, s.another) INTO o.found;
			EXECUTE format('DROP FUNCTION by_key(%s)', s.of_argument);
		END IF;
		INSERT INTO slice_outcomes SELECT o.*;
		DROP TABLE sliced;
		COMMIT;
	END LOOP;
END $$;
CALL slice_types();
SELECT of_column, of_argument, watched, declared, found, written_missed, another_missed FROM slice_types JOIN slice_outcomes USING (n) ORDER BY n;

-- the call's collation decides what is equal
CREATE TABLE sliced (key text);
SELECT dashboard_cache.watch('sliced', 'key');
CREATE FUNCTION by_key(wanted text) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice sliced.key = wanted
SELECT count(*) FROM sliced WHERE key = wanted $$;
SELECT by_key('A' COLLATE ignore_case), by_key('A');
INSERT INTO sliced VALUES ('a');
SELECT by_key('A' COLLATE ignore_case), by_key('A');
DROP TABLE sliced; DROP FUNCTION by_key(text);

-- two slices of a table, slices of two tables, through a view and a function, and inside another cached function
CREATE PROCEDURE make_slices() LANGUAGE plpgsql AS $make$
BEGIN
	DROP TABLE IF EXISTS issues, users CASCADE;
	CREATE TABLE issues (id int PRIMARY KEY, tenant int, state text, v int);
	CREATE TABLE users (id int PRIMARY KEY, tenant int, v int);
	INSERT INTO issues SELECT i, i % 3, CASE WHEN i < 5 THEN 'open' ELSE 'closed' END, i FROM generate_series(1, 9) i;
	INSERT INTO users SELECT i, i % 3, i FROM generate_series(1, 9) i;
	CREATE VIEW issues_seen AS TABLE issues;
	PERFORM dashboard_cache.watch(to_regclass('issues'), 'tenant'), dashboard_cache.watch(to_regclass('issues'), 'state'), dashboard_cache.watch(to_regclass('users'), 'tenant');
END $make$;
SET client_min_messages = warning;
CALL make_slices();
CREATE FUNCTION of_tenant(t int) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT coalesce(sum(v), 0) FROM issues_seen WHERE tenant = t); END';
CREATE FUNCTION by_tenant(t int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant = t
SELECT coalesce(sum(v), 0) FROM issues WHERE tenant = t $$;
CREATE FUNCTION by_state(s text) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.state = s
SELECT coalesce(sum(v), 0) FROM issues WHERE state = s $$;
CREATE FUNCTION by_both(t int, s text) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant = t, watching.issues.state = s
SELECT coalesce(sum(v), 0) FROM issues WHERE tenant = t AND state = s $$;
CREATE FUNCTION by_two_tables(t int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant = t, users.tenant = t
SELECT (SELECT coalesce(sum(v), 0) FROM issues WHERE tenant = t) + (SELECT coalesce(sum(v), 0) FROM users WHERE tenant = t) $$;
CREATE FUNCTION by_one_of_two(t int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant = t
SELECT (SELECT coalesce(sum(v), 0) FROM issues WHERE tenant = t) + (SELECT coalesce(sum(v), 0) FROM users) $$;
CREATE FUNCTION by_function(t int) RETURNS bigint LANGUAGE cached STABLE AS $$
#slice issues.tenant = t
SELECT of_tenant(t) $$;
CREATE FUNCTION around(t int) RETURNS bigint LANGUAGE cached STABLE AS 'SELECT by_tenant(t)';
CREATE FUNCTION around_two(t int, u int) RETURNS bigint LANGUAGE cached STABLE AS 'SELECT by_tenant(t) + by_tenant(u)';
CREATE FUNCTION around_and_more(t int) RETURNS bigint LANGUAGE cached STABLE AS 'SELECT by_tenant(t) + coalesce(sum(v), 0) FROM issues';
CREATE FUNCTION wide(t int) RETURNS bigint LANGUAGE cached STABLE AS 'SELECT coalesce(sum(v), 0) FROM issues WHERE tenant = t';
CREATE TABLE calls (n int GENERATED ALWAYS AS IDENTITY, call text);
INSERT INTO calls (call) VALUES ('by_tenant(1)'), ('by_tenant(2)'), ('by_tenant(NULL)'), ('by_state(''open'')'), ('by_state(''closed'')'), ('by_both(1, ''open'')'),
('by_both(1, NULL)'), ('by_two_tables(1)'), ('by_two_tables(2)'), ('by_one_of_two(1)'), ('by_one_of_two(2)'), ('by_function(1)'), ('by_function(2)'),
('around(1)'), ('around(2)'), ('around_two(1, 2)'), ('around_and_more(1)'), ('wide(2)');
CREATE FUNCTION misses() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT CASE count(*) FILTER (WHERE hit) WHEN 0 THEN 'all' ELSE coalesce(string_agg(call, ' ' ORDER BY n) FILTER (WHERE NOT hit), 'none') END
	FROM (SELECT n, call, is_hit(call) AS hit FROM calls ORDER BY n) c
$$;
CREATE TABLE steps (n int GENERATED ALWAYS AS IDENTITY, command text);
INSERT INTO steps (command) VALUES
('INSERT INTO issues VALUES (10, 1, ''open'', 10)'),
('UPDATE issues SET v = v + 1 WHERE id = 10'),
('UPDATE issues SET id = 11 WHERE id = 10'),
('UPDATE issues SET tenant = 2 WHERE id = 11'),
('UPDATE issues SET state = ''closed'' WHERE id = 11'),
('UPDATE issues SET state = state WHERE id = 11'),
('DELETE FROM issues WHERE id = 11'),
('INSERT INTO issues VALUES (12, 7, ''new'', 12), (13, NULL, NULL, 13)'),
('UPDATE issues SET v = v + 1 WHERE id = 13'),
('UPDATE issues SET v = v WHERE false'),
('INSERT INTO users VALUES (10, 1, 10)'),
('UPDATE users SET v = v + 1 WHERE tenant = 2'),
('TRUNCATE users'),
('TRUNCATE issues');
CREATE TABLE missed_calls (run int, step int, call int);
CREATE PROCEDURE measure_slices(run int) LANGUAGE plpgsql AS $$
DECLARE
	s steps;
	missed int[];
BEGIN
	PERFORM is_hit(call) FROM calls;
	COMMIT;
	FOR s IN SELECT * FROM steps ORDER BY n LOOP
		EXECUTE s.command;
		COMMIT;
		missed := ARRAY(SELECT n FROM calls WHERE NOT is_hit(call));
		INSERT INTO missed_calls SELECT run, s.n, call FROM unnest(missed) call;
		COMMIT;
	END LOOP;
END $$;
CALL measure_slices(1);
CALL make_slices();
CALL measure_slices(2);
RESET client_min_messages;
SELECT command, (SELECT CASE count(*) WHEN (SELECT count(*) FROM calls) THEN 'all' ELSE string_agg(call, ' ' ORDER BY c.n) END FROM calls c
	WHERE (SELECT count(*) FROM missed_calls WHERE step = s.n AND call = c.n) = 2) AS misses
FROM steps s ORDER BY n;
SELECT misses();
-- many values one by one (some may by chance share a place in the ledger with others, so twice); more than
-- dashboard_cache.max_slices_per_statement all at once
SHOW dashboard_cache.max_slices_per_statement;
INSERT INTO issues SELECT i, i, i, 0 FROM generate_series(1001, 1100) i; SELECT misses() AS first \gset
INSERT INTO issues SELECT i, i, i, 0 FROM generate_series(1101, 1200) i; SELECT misses() AS second \gset
SELECT :'first' <> 'all' OR :'second' <> 'all' AS not_all;
UPDATE issues SET v = v + 1 WHERE id BETWEEN 1001 AND 1100; SELECT misses() AS first \gset
UPDATE issues SET v = v + 1 WHERE id BETWEEN 1101 AND 1200; SELECT misses() AS second \gset
SELECT :'first' <> 'all' OR :'second' <> 'all' AS not_all;
INSERT INTO issues SELECT i, i, i, 0 FROM generate_series(3000, 4000) i; SELECT misses();
UPDATE issues SET tenant = tenant + 100000, state = state || 'x' WHERE id BETWEEN 3000 AND 3600; SELECT misses();
DELETE FROM issues WHERE id >= 3000; SELECT misses();
TRUNCATE issues; SELECT misses();

-- slices that are not declared, or not there: it works, and is wide
SELECT dashboard_cache.unwatch('users'), dashboard_cache.unwatch('issues');
SELECT dashboard_cache.watch('users'), dashboard_cache.watch('issues', 'state');
SELECT misses();
INSERT INTO issues VALUES (1, 1, 'open', 1); SELECT misses();
INSERT INTO issues VALUES (2, 1, 'new', 1); SELECT misses();
UPDATE users SET v = 1 WHERE false; SELECT misses();
SELECT function, relation, problem, hint FROM dashboard_cache.check() ORDER BY function::text, relation::text, problem;
SELECT function, relation, columns, slice, watched FROM dashboard_cache.dependencies WHERE function::text ~ '^(by|around|wide)' ORDER BY function::text, relation::text, slice;
SELECT dashboard_cache.unwatch('users'), dashboard_cache.unwatch('issues');

--
-- dependencies and check()
--
DROP TABLE issues, users, calls CASCADE;
DROP FUNCTION by_tenant(int), by_state(text), by_both(int, text), by_two_tables(int), by_one_of_two(int), by_function(int), around(int), around_two(int, int), around_and_more(int), wide(int);
SELECT * FROM dashboard_cache.check();
SELECT * FROM dashboard_cache.dependencies;
CREATE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(a) FROM t';
-- nothing is known before it has run
SELECT function, relation FROM dashboard_cache.dependencies;
SELECT * FROM dashboard_cache.check();
SELECT total() IS NULL;
SELECT function, relation, columns, slice, watched FROM dashboard_cache.dependencies;
SELECT * FROM dashboard_cache.check();
SELECT dashboard_cache.watch('t'); SELECT total() IS NULL;
SELECT function, relation, columns, slice, watched FROM dashboard_cache.dependencies;
SELECT * FROM dashboard_cache.check();
-- last_invalidation, in whole seconds: of what it depends on
CREATE TABLE begun AS SELECT date_trunc('second', clock_timestamp()) AS at FROM pg_sleep(1.1);
SELECT last_invalidation >= begun.at AS since FROM dashboard_cache.dependencies, begun;
UPDATE t SET b = b + 1;
INSERT INTO other VALUES (1000);
BEGIN; UPDATE t SET a = a + 1; ROLLBACK;
SELECT last_invalidation >= begun.at AS since FROM dashboard_cache.dependencies, begun;
UPDATE t SET a = a + 1;
SELECT last_invalidation >= begun.at AS since FROM dashboard_cache.dependencies, begun;
-- triggers
ALTER TABLE t DISABLE TRIGGER dashboard_cache_write; SELECT total() IS NULL;
SELECT watched FROM dashboard_cache.dependencies;
SELECT * FROM dashboard_cache.check();
ALTER TABLE t ENABLE REPLICA TRIGGER dashboard_cache_write; SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
ALTER TABLE t ENABLE ALWAYS TRIGGER dashboard_cache_write; SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
ALTER TABLE t ENABLE TRIGGER dashboard_cache_write; SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
SELECT dashboard_cache.watch('t'); SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
DROP TRIGGER dashboard_cache_replica ON t; SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
SELECT dashboard_cache.watch('t'); SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
-- partitions, one of which is a foreign table
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(a) FROM parted WHERE id < 5';
SELECT dashboard_cache.watch('parted'); SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
DROP TRIGGER dashboard_cache_write ON parted_2; SELECT total() IS NULL;
SELECT relation, watched FROM dashboard_cache.dependencies;
SELECT * FROM dashboard_cache.check();
SELECT dashboard_cache.watch('parted'); SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
CREATE FOREIGN TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30) SERVER dc_dummy; SELECT total() IS NULL;
SELECT relation, watched FROM dashboard_cache.dependencies;
SELECT * FROM dashboard_cache.check();
SELECT dashboard_cache.watch('parted');
DROP FOREIGN TABLE parted_3; SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
-- catalogs; materialized views count as watched
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT sum(a) + (SELECT count(*) FROM pg_am) FROM matview';
SELECT total() IS NULL;
SELECT relation, columns, watched FROM dashboard_cache.dependencies ORDER BY relation::text;
SELECT * FROM dashboard_cache.check();
-- functions that are volatile: called by name, or further down
CREATE FUNCTION any_number() RETURNS float LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN random(); END';
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT count(random()) FROM t';
SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT count(any_number()) FROM t';
SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
CREATE FUNCTION any_number_stable() RETURNS float LANGUAGE sql STABLE AS 'SELECT any_number()';
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT count(any_number_stable()) FROM t';
SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
-- now() and the like, which the TTL bounds; and no TTL
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS 'SELECT count(now()) FROM t';
SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS E'#ttl infinity\nSELECT count(now()) FROM t';
SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS E'#ttl infinity\nSELECT count(*) FROM other';
SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();
CREATE OR REPLACE FUNCTION total() RETURNS bigint LANGUAGE cached STABLE AS E'#ttl infinity\nSELECT count(*) FROM t';
SELECT total() IS NULL;
SELECT * FROM dashboard_cache.check();

SET client_min_messages = warning;
DROP SCHEMA watching CASCADE;
DROP SERVER dc_dummy CASCADE;
DROP FOREIGN DATA WRAPPER dc_dummy;
DROP EXTENSION dashboard_cache;
DROP ROLE dc_owner;
DROP ROLE dc_other;
