-- Every way to write: what is cached is what the plain query says, after each
CREATE EXTENSION dashboard_cache;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE dc_writes_reader;
CREATE ROLE dc_writes_group;
CREATE SCHEMA writes;
CREATE SCHEMA fresh;
GRANT USAGE ON SCHEMA writes, fresh TO PUBLIC;
SET search_path = writes;

--
-- The driver.  Each way is a line in a table, and starts with tables of its
-- own, in the schema "fresh":
--   fixture, setup   made, and the fixture's tables watched
--   later            done then
--   expression FROM source   cached by tenant
--   writes           done then, a command in a line, each committed by itself
-- first with the tables unsliced, then, unless slice is empty, with slices, and
-- with a function besides that declares the slice.
--
CREATE TABLE fixtures (name text PRIMARY KEY, tables text, watched text[]);
CREATE TABLE ways (
	id int GENERATED ALWAYS AS IDENTITY,
	way text,
	writes text,
	fixture text DEFAULT 't',
	source text DEFAULT 't',
	expression text DEFAULT $$concat(count(*), ':', sum(v))$$,
	slice text DEFAULT 't',
	setup text DEFAULT '',
	later text DEFAULT '',
	options text DEFAULT '',
	reader text,
	become text GENERATED ALWAYS AS ('SET ROLE ' || reader) STORED,
	reset text GENERATED ALWAYS AS (CASE WHEN reader <> '' THEN 'RESET ROLE' END) STORED
);

-- What calls printed, and whether they then were hits; and what came of a way.
CREATE TABLE answers (n int, function text, tenant text, query text, before text, filled bool);
CREATE TABLE outcomes (n int GENERATED ALWAYS AS IDENTITY, id int, sliced bool,
	filled bool DEFAULT true, same bool DEFAULT true, changed bool DEFAULT false, kept text, holes bigint);
CREATE VIEW outcome AS SELECT * FROM outcomes WHERE n = (SELECT max(n) FROM outcomes);
GRANT ALL ON answers, outcome TO PUBLIC;

CREATE PROCEDURE start_way(way_id int, sliced bool) LANGUAGE plpgsql AS $$
DECLARE
	way ways := (SELECT w FROM ways w WHERE id = way_id);
	fixture fixtures := (SELECT f FROM fixtures f WHERE name = way.fixture);
	query text := format('SELECT %s FROM %s WHERE tenant = $1 OR $1 IS NULL', way.expression, way.source);
	options text := E'#ttl 1 hour\n' || way.options;
	watched text;
	function text;
BEGIN
	DROP SCHEMA fresh CASCADE;
	CREATE SCHEMA fresh;
	GRANT USAGE ON SCHEMA fresh TO PUBLIC;
	EXECUTE fixture.tables;
	EXECUTE way.setup;
	FOREACH watched IN ARRAY fixture.watched LOOP
		PERFORM dashboard_cache.watch(watched::regclass, CASE WHEN sliced THEN 'tenant' END);
	END LOOP;
	EXECUTE way.later;
	DELETE FROM answers;
	FOREACH function IN ARRAY CASE WHEN sliced THEN '{wide, narrow}'::text[] ELSE '{wide}' END LOOP
		IF function = 'narrow' THEN
			options := options || format(E'#slice %s.tenant = which\n', way.slice);
		END IF;
		EXECUTE format('CREATE FUNCTION fresh.%I(which int) RETURNS text LANGUAGE cached STABLE AS %L', function, options || query);
		INSERT INTO answers SELECT n, function, t, query FROM unnest('{1, 2, 3, NULL}'::text[]) WITH ORDINALITY AS tenants (t, n);
	END LOOP;
	INSERT INTO outcomes (id, sliced) VALUES (way.id, start_way.sliced);
END $$;

-- An error is an answer too.
CREATE FUNCTION answer(query text, tenant text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE query INTO STRICT result USING tenant::int;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END $$;

CREATE FUNCTION ask(function text, tenant text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN answer(format('SELECT fresh.%I($1)', function), tenant); END $$;

CREATE FUNCTION hits(name text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN RETURN coalesce((SELECT hits FROM dashboard_cache.stats WHERE function = format('fresh.%I', name)::regproc), 0); END $$;

-- Each result is written down last: a transaction that has written fills nothing.
CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
DECLARE
	a answers;
	done answers[];
	hits bigint;
BEGIN
	FOR a IN SELECT * FROM answers ORDER BY function, n LOOP
		a.before := ask(a.function, a.tenant);
		hits := hits(a.function);
		a.filled := ask(a.function, a.tenant) = a.before AND answer(a.query, a.tenant) = a.before
			AND (hits(a.function) > hits OR a.before = '42501');
		done := done || a;
	END LOOP;
	DELETE FROM answers;
	INSERT INTO answers SELECT * FROM unnest(done);
END $$;

-- kept: which calls were hits, of the function that declares the slice if there is one.
CREATE PROCEDURE compare() LANGUAGE plpgsql AS $$
DECLARE
	a answers;
	o outcomes := (SELECT o FROM outcome o);
	hits bigint;
	now text;
BEGIN
	o.kept := '';
	FOR a IN SELECT * FROM answers ORDER BY function, n LOOP
		hits := hits(a.function);
		now := ask(a.function, a.tenant);
		o.filled := o.filled AND a.filled;
		o.same := o.same AND now = answer(a.query, a.tenant);
		o.changed := o.changed OR now <> a.before;
		IF hits(a.function) > hits AND (a.function = 'narrow') = o.sliced THEN
			o.kept := o.kept || coalesce(a.tenant, 'all') || ' ';
		END IF;
	END LOOP;
	UPDATE outcome SET (filled, same, changed, kept) = (SELECT o.filled, o.same, o.changed, o.kept);
END $$;

CREATE PROCEDURE finish_way() LANGUAGE plpgsql AS $$
BEGIN UPDATE outcome SET holes = (SELECT count(*) FROM dashboard_cache.check()); END $$;

CREATE VIEW commands AS
	SELECT id, sliced, n, command
	FROM ways, unnest(CASE slice WHEN '' THEN '{false}' ELSE '{false, true}'::bool[] END) sliced,
		LATERAL unnest(ARRAY[format('CALL start_way(%s, %L)', id, sliced), become, 'CALL fill()', reset]
			|| string_to_array(writes, E'\n')
			|| ARRAY[become, 'CALL compare()', reset, 'CALL finish_way()'])
		WITH ORDINALITY AS c (command, n)
	WHERE command IS NOT NULL;

-- Two tags may by chance share a place in the ledger, which costs hits.  So what keeps some entries is done again, with
-- other tables: kept is what was kept in any run.
CREATE VIEW again AS
	SELECT c.* FROM commands c JOIN (SELECT id, sliced, kept FROM outcomes) o USING (id, sliced)
	WHERE kept <> '1 2 3 all ' AND (sliced OR kept <> '') AND command <> 'CALL finish_way()';
CREATE FUNCTION all_kept(way_id int, pass bool) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT string_agg(DISTINCT call, ' ' ORDER BY call)
	FROM writes.outcomes o, string_to_table(trim(kept), ' ') call WHERE (o.id, o.sliced) = (way_id, pass)
$$;
CREATE VIEW results AS
	SELECT way, CASE WHEN sliced THEN 'sliced' ELSE '' END AS sliced, bool_and(filled) AS filled, bool_and(same) AS same,
		bool_or(changed) AS changed, coalesce(all_kept(id, o.sliced), '') AS kept, max(holes) AS holes
	FROM ways JOIN outcomes o USING (id) GROUP BY id, way, o.sliced ORDER BY id, o.sliced;

\set ECHO none
\set run 'SELECT command FROM commands ORDER BY id, sliced, n \\gexec'
\set run_again 'SELECT command FROM again ORDER BY id, sliced, n \\gexec'
-- VACUUM, since each way leaves dead rows in the catalogs
\set show 'TABLE results; TRUNCATE ways, outcomes RESTART IDENTITY; VACUUM;'

--
-- The tables
--
INSERT INTO fixtures VALUES
('t', $$
	CREATE TABLE t (id int PRIMARY KEY, tenant int, v int, w int DEFAULT 0);
	INSERT INTO t SELECT i, (i - 1) / 3 + 1, i FROM generate_series(1, 9) i;
	CREATE TABLE u (id int PRIMARY KEY, tenant int, v int);
	INSERT INTO u VALUES (1, 1, 10), (4, 2, 40);
	CREATE VIEW view_t AS SELECT * FROM t;
$$, '{t}'),
('family', $$
	CREATE TABLE parent (id int PRIMARY KEY, tenant int, UNIQUE (id, tenant));
	INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3), (9, 3);
	CREATE TABLE child (id int PRIMARY KEY, tenant int, a int, b int DEFAULT 9);
	INSERT INTO child VALUES (10, 1, 1, 1), (11, 1, 1, 2), (20, 2, 2, 2), (30, 3, 3, 3);
	CREATE TABLE grandchild (id int PRIMARY KEY, tenant int, child int);
	INSERT INTO grandchild VALUES (100, 1, 10), (101, 1, 11), (200, 2, 20), (300, 3, 30);
$$, '{child, grandchild}'),
-- partitions of which one is laid out otherwise, and one has partitions itself
('p', $$
	CREATE TABLE p (id int, tenant int, v int, w int) PARTITION BY RANGE (id);
	CREATE TABLE p_1 PARTITION OF p (PRIMARY KEY (id)) FOR VALUES FROM (1) TO (10);
	CREATE TABLE p_2 (gone text, w int, v int, tenant int, id int);
	ALTER TABLE p_2 DROP gone;
	ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES FROM (10) TO (20);
	CREATE TABLE p_3 PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY LIST (tenant);
	CREATE TABLE p_3_1 PARTITION OF p_3 FOR VALUES IN (1);
	CREATE TABLE p_3_rest PARTITION OF p_3 DEFAULT;
	INSERT INTO p SELECT i, i % 10, i, 0 FROM generate_series(1, 29) i WHERE i % 10 BETWEEN 1 AND 3;
	CREATE TABLE loose (LIKE p);
	INSERT INTO loose VALUES (31, 1, 31, 0);
$$, '{p}'),
('h', $$
	CREATE TABLE h (id int, tenant int, v int, w int);
	CREATE TABLE h_child (extra int) INHERITS (h);
	CREATE TABLE h_grandchild () INHERITS (h_child);
	CREATE TABLE other (id int, tenant int, v int, w int);
	CREATE TABLE h_both () INHERITS (h, other);
	CREATE TABLE loose (LIKE h);
	INSERT INTO h VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3);
	INSERT INTO h_child VALUES (11, 1, 11), (12, 2, 12), (13, 3, 13);
	INSERT INTO h_grandchild VALUES (21, 1, 21), (22, 2, 22);
	INSERT INTO h_both VALUES (31, 1, 31), (32, 2, 32);
	INSERT INTO loose VALUES (41, 1, 41);
$$, '{h, other}'),
('m', $$
	CREATE TABLE t (id int PRIMARY KEY, tenant int, v int);
	INSERT INTO t SELECT i, (i - 1) / 3 + 1, i FROM generate_series(1, 9) i;
	CREATE MATERIALIZED VIEW m AS TABLE t;
	CREATE UNIQUE INDEX ON m (id);
	CREATE MATERIALIZED VIEW m_of_m AS TABLE m;
$$, '{t}'),
-- for a reader who has still to be given something
('mine', $$
	GRANT dc_writes_group TO dc_writes_reader;
	REVOKE dc_writes_group FROM dc_writes_reader;
	ALTER ROLE dc_writes_reader NOSUPERUSER INHERIT NOBYPASSRLS;
	CREATE TABLE t (id int PRIMARY KEY, tenant int, v int);
	INSERT INTO t SELECT i, (i - 1) / 3 + 1, i FROM generate_series(1, 9) i;
	CREATE TABLE u (tenant int);
	CREATE FUNCTION f(v int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN v; END';
	CREATE VIEW view_t AS TABLE t;
	CREATE FUNCTION definer() RETURNS SETOF t LANGUAGE sql STABLE SECURITY DEFINER AS 'TABLE fresh.t';
	GRANT SELECT ON u, view_t TO dc_writes_reader;
$$, '{t}');

SET search_path = fresh, writes, public;

--
-- INSERT, UPDATE, DELETE, MERGE, COPY, TRUNCATE
--
INSERT INTO ways (way, writes) VALUES
('INSERT', 'INSERT INTO t VALUES (10, 1, 10)'),
('INSERT, several tenants', 'INSERT INTO t VALUES (10, 1, 10), (11, 2, 11), (12, 1, 12)'),
('INSERT, of a tenant that is not there', 'INSERT INTO t VALUES (10, 4, 10)'),
('INSERT, no tenant', 'INSERT INTO t VALUES (10, NULL, 10)'),
('INSERT SELECT', 'INSERT INTO t SELECT id + 10, tenant, v FROM t WHERE tenant < 3'),
('INSERT SELECT, no rows', 'INSERT INTO t SELECT * FROM t WHERE false'),
('INSERT ON CONFLICT DO UPDATE, updates', 'INSERT INTO t VALUES (1, 1, 100) ON CONFLICT (id) DO UPDATE SET v = excluded.v'),
('INSERT ON CONFLICT DO UPDATE, inserts', 'INSERT INTO t VALUES (10, 2, 100) ON CONFLICT (id) DO UPDATE SET v = excluded.v'),
('INSERT ON CONFLICT DO UPDATE, of the tenant', 'INSERT INTO t VALUES (1, 1, 100) ON CONFLICT (id) DO UPDATE SET tenant = 2'),
('INSERT ON CONFLICT DO NOTHING, nothing', 'INSERT INTO t VALUES (1, 1, 100) ON CONFLICT DO NOTHING'),
('INSERT ON CONFLICT DO NOTHING, inserts', 'INSERT INTO t VALUES (1, 1, 100), (10, 2, 10) ON CONFLICT DO NOTHING'),
('UPDATE', 'UPDATE t SET v = v + 1 WHERE id = 1'),
('UPDATE, all rows', 'UPDATE t SET v = v + 1'),
('UPDATE, no rows', 'UPDATE t SET v = v + 1 WHERE false'),
('UPDATE, to the same', 'UPDATE t SET v = v'),
('UPDATE, a column that is not read', 'UPDATE t SET w = 1'),
('UPDATE, from one tenant to another', 'UPDATE t SET tenant = 2 WHERE id = 1'),
('UPDATE, from a tenant to none', 'UPDATE t SET tenant = NULL WHERE id = 1'),
('UPDATE, tenants change places', 'UPDATE t SET tenant = 3 - tenant WHERE id IN (1, 2, 4)'),
('UPDATE, several columns', 'UPDATE t SET (w, v) = (SELECT 1, 2) WHERE id = 1'),
('UPDATE FROM', 'UPDATE t SET v = u.v FROM u WHERE u.id = t.id'),
('UPDATE WHERE CURRENT OF', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM t WHERE id = 5 FOR UPDATE; MOVE c; UPDATE t SET v = 100 WHERE CURRENT OF c; COMMIT'),
('DELETE', 'DELETE FROM t WHERE id = 1'),
('DELETE, all rows', 'DELETE FROM t'),
('DELETE USING', 'DELETE FROM t USING u WHERE u.id = t.id'),
('DELETE WHERE CURRENT OF', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM t WHERE id = 5; MOVE c; DELETE FROM t WHERE CURRENT OF c; COMMIT'),
('MERGE, inserts', 'MERGE INTO t USING (VALUES (10, 1)) AS n (id, tenant) ON n.id = t.id WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.tenant, 10)'),
('MERGE, updates', 'MERGE INTO t USING u ON u.id = t.id WHEN MATCHED THEN UPDATE SET v = u.v'),
('MERGE, deletes', 'MERGE INTO t USING u ON u.id = t.id WHEN MATCHED AND t.id = 4 THEN DELETE WHEN MATCHED THEN DO NOTHING'),
('MERGE, does nothing', 'MERGE INTO t USING u ON u.id = t.id WHEN MATCHED THEN DO NOTHING'),
('COPY', $$COPY t FROM PROGRAM 'echo 10,1,10,0' (FORMAT csv)$$),
('COPY, of some columns and rows', $$COPY t (tenant, id, v) FROM PROGRAM 'printf "1,10,10\n2,11,11\n"' (FORMAT csv) WHERE id = 11$$),
('TRUNCATE', 'TRUNCATE t'),
('TRUNCATE, several tables', 'TRUNCATE u, t RESTART IDENTITY'),
('SELECT FOR UPDATE', 'DO $d$ BEGIN PERFORM * FROM t FOR UPDATE; END $d$'),
('writes of another table', 'INSERT INTO u VALUES (5, 1, 1)
	UPDATE u SET v = 0
	DELETE FROM u'),
('more tenants than are told apart', 'INSERT INTO t SELECT i, i, i FROM generate_series(1001, 2001) i');
INSERT INTO ways (way, setup, writes) VALUES
('TRUNCATE CASCADE', 'CREATE TABLE above (id int PRIMARY KEY); ALTER TABLE t ADD above int REFERENCES above', 'TRUNCATE above CASCADE');

-- more than one command, and more than one transaction
INSERT INTO ways (way, writes) VALUES
('PREPARE', 'PREPARE write(int) AS UPDATE t SET v = 100 WHERE id = $1
	EXECUTE write(1)
	CALL compare()
	EXECUTE write(4)
	DEALLOCATE write'),
('savepoints', 'BEGIN; SAVEPOINT a; INSERT INTO t VALUES (10, 1, 10); ROLLBACK TO a; SAVEPOINT b; INSERT INTO t VALUES (11, 2, 11); RELEASE b; COMMIT'),
('rollback', 'BEGIN; INSERT INTO t VALUES (10, 1, 10); ROLLBACK'),
('PREPARE TRANSACTION', $$BEGIN; INSERT INTO t VALUES (10, 1, 10); PREPARE TRANSACTION 'dc_writes'
	CALL compare()
	COMMIT PREPARED 'dc_writes'$$),
('written, read, and written again', 'UPDATE t SET v = 100 WHERE id = 1
	CALL compare()
	UPDATE t SET v = 200 WHERE id = 1
	CALL compare()
	UPDATE t SET v = 300 WHERE id = 4'),
('DO, COMMIT within', 'DO $d$ BEGIN UPDATE t SET v = 100 WHERE id = 1; COMMIT; UPDATE t SET v = 100 WHERE id = 4; ROLLBACK; UPDATE t SET v = 100 WHERE id = 7; END $d$'),
('plpgsql, an exception after the write', 'DO $d$ BEGIN UPDATE t SET v = 100 WHERE id = 1; BEGIN UPDATE t SET v = 100 WHERE id = 4; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; END $d$'),
('plpgsql, a write after the exception', 'DO $d$ BEGIN RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN UPDATE t SET v = 100 WHERE id = 1; END $d$'),
('EXPLAIN ANALYZE', $$DO $d$ BEGIN EXECUTE 'EXPLAIN ANALYZE UPDATE t SET v = 100 WHERE id = 1'; END $d$ $$),
('COPY (UPDATE ... RETURNING) TO', $$COPY (UPDATE t SET v = 100 WHERE id = 1 RETURNING id) TO PROGRAM 'cat >/dev/null'$$),
('plpgsql, EXECUTE', $$DO $d$ BEGIN EXECUTE format('UPDATE %I SET v = $1 WHERE id = 1', 't') USING 100; END $d$ $$);
INSERT INTO ways (way, setup, writes) VALUES
('a function that SELECT calls', 'CREATE FUNCTION write() RETURNS int LANGUAGE sql AS ''INSERT INTO t VALUES (10, 1, 10); SELECT 1''',
	'DO $d$ BEGIN PERFORM write(); END $d$'),
('an SQL function, RETURNING', 'CREATE FUNCTION write() RETURNS SETOF int LANGUAGE sql AS ''UPDATE t SET v = 100 WHERE id = 1 RETURNING id''',
	'DO $d$ BEGIN PERFORM FROM write(); END $d$'),
('an SQL function, BEGIN ATOMIC', 'CREATE PROCEDURE write() LANGUAGE sql BEGIN ATOMIC UPDATE t SET v = 100 WHERE id = 1; END', 'CALL write()');

-- data-modifying CTEs; of two that update one table, the server fires the statement triggers of one only
INSERT INTO ways (way, writes) VALUES
('CTE', 'WITH c AS (DELETE FROM t WHERE id = 1 RETURNING *) INSERT INTO u SELECT id + 10, tenant, v FROM c'),
('CTE that is not read', 'WITH c AS (UPDATE t SET v = 100 WHERE id = 1) UPDATE u SET v = 1'),
('CTE, SELECT', 'DO $d$ DECLARE r record; BEGIN WITH c AS (INSERT INTO t VALUES (10, 1, 10) RETURNING id) SELECT * INTO r FROM c; END $d$'),
('CTE, insert and delete', 'WITH c AS (DELETE FROM t WHERE id = 1 RETURNING *), d AS (INSERT INTO t SELECT id + 10, 2, v FROM c) DELETE FROM u'),
('CTEs, two updates, one read', 'WITH a AS (UPDATE t SET v = 100 WHERE id = 1), b AS (UPDATE t SET w = 100 WHERE id = 4) INSERT INTO u VALUES (9, 9, 9)'),
('CTEs, two updates, the other read', 'WITH a AS (UPDATE t SET w = 100 WHERE id = 1), b AS (UPDATE t SET v = 100 WHERE id = 4) INSERT INTO u VALUES (9, 9, 9)'),
('CTE and query, two updates, the first read', 'WITH a AS (UPDATE t SET v = 100 WHERE id = 1) UPDATE t SET w = 100 WHERE id = 4'),
('CTE and query, two updates, the second read', 'WITH a AS (UPDATE t SET w = 100 WHERE id = 1) UPDATE t SET v = 100 WHERE id = 4'),
('CTEs, three updates', 'WITH a AS (UPDATE t SET w = 1 WHERE id = 1), b AS (UPDATE t SET v = 100 WHERE id = 4), c AS (UPDATE t SET w = 2 WHERE id = 7) INSERT INTO u VALUES (9, 9, 9)'),
('CTEs, two updates, one of the tenant', 'WITH a AS (UPDATE t SET tenant = 2 WHERE id = 1), b AS (UPDATE t SET w = 100 WHERE id = 4) UPDATE t SET w = 100 WHERE id = 5'),
('CTE and MERGE', 'WITH a AS (SELECT * FROM u) MERGE INTO t USING a ON a.id = t.id WHEN MATCHED THEN UPDATE SET v = a.v');
:run
:run_again
:show

--
-- Through something else: views, rules, triggers, foreign keys
--
INSERT INTO ways (way, setup, writes, source) VALUES
('updatable view', '', 'INSERT INTO view_t VALUES (10, 1, 10)
	UPDATE view_t SET v = 100 WHERE id = 1
	DELETE FROM view_t WHERE id = 2', 't'),
('updatable view, a column that is not read', '', 'UPDATE view_t SET w = 1', 't'),
('updatable view, read by it', '', 'UPDATE view_t SET v = 100 WHERE id = 1', 'view_t'),
('updatable view, ON CONFLICT', 'CREATE VIEW of_view AS SELECT id AS a, tenant, v AS w, w AS v FROM view_t WITH CHECK OPTION',
	'INSERT INTO of_view VALUES (1, 1, 100, 0) ON CONFLICT (a) DO UPDATE SET w = excluded.w', 't'),
('updatable view, other names', 'CREATE VIEW of_view AS SELECT id AS a, tenant, v AS w, w AS v FROM view_t', 'UPDATE of_view SET w = 100 WHERE a = 1', 't'),
('updatable view, other names, a column that is not read', 'CREATE VIEW of_view AS SELECT id AS a, tenant, v AS w, w AS v FROM view_t', 'UPDATE of_view SET v = 100', 't');

INSERT INTO ways (way, setup, writes) VALUES
('view with INSTEAD OF triggers', $$
	CREATE VIEW grouped AS SELECT tenant, sum(v) AS v FROM t GROUP BY tenant;
	CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = NEW.v WHERE tenant = NEW.tenant; RETURN NEW; END';
	CREATE TRIGGER instead INSTEAD OF INSERT OR UPDATE ON grouped FOR EACH ROW EXECUTE FUNCTION instead();
$$, 'UPDATE grouped SET v = 50 WHERE tenant = 2'),
('view with INSTEAD OF triggers, COPY', $$
	CREATE VIEW grouped AS SELECT tenant, sum(v) AS v FROM t GROUP BY tenant;
	CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = NEW.v WHERE tenant = NEW.tenant; RETURN NEW; END';
	CREATE TRIGGER instead INSTEAD OF INSERT ON grouped FOR EACH ROW EXECUTE FUNCTION instead();
$$, $$COPY grouped FROM PROGRAM 'echo 2,50' (FORMAT csv)$$),
('rule DO ALSO', 'CREATE RULE also AS ON UPDATE TO u DO ALSO UPDATE t SET v = NEW.v WHERE id = NEW.id', 'UPDATE u SET v = 100 WHERE id = 1'),
('rule DO INSTEAD', 'CREATE RULE instead AS ON DELETE TO u DO INSTEAD DELETE FROM t WHERE id = OLD.id', 'DELETE FROM u'),
('rule DO INSTEAD, several', 'CREATE RULE instead AS ON INSERT TO u DO INSTEAD (UPDATE t SET w = 1 WHERE id = NEW.id; UPDATE t SET v = 100 WHERE id = NEW.id + 3)', 'INSERT INTO u VALUES (1)'),
('rule DO INSTEAD, on what is read', 'CREATE RULE instead AS ON INSERT TO t DO INSTEAD UPDATE t SET v = NEW.v WHERE id = NEW.id', 'INSERT INTO t VALUES (1, 1, 100)'),
('rule DO INSTEAD NOTHING', 'CREATE RULE instead AS ON INSERT TO t DO INSTEAD NOTHING', 'INSERT INTO t VALUES (10, 1, 100)'),
('rule WHERE', 'CREATE RULE sometimes AS ON INSERT TO u WHERE NEW.v > 5 DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.tenant, NEW.v)', 'INSERT INTO u VALUES (10, 1, 100), (11, 1, 1)');

-- triggers that write, or change what is written
INSERT INTO ways (way, setup, writes) VALUES
('AFTER trigger that writes, row', $$
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = 100 WHERE id = NEW.id; RETURN NULL; END';
	CREATE TRIGGER write AFTER INSERT OR UPDATE ON u FOR EACH ROW EXECUTE FUNCTION write();
$$, 'UPDATE u SET v = 100 WHERE id = 1'),
('AFTER trigger that writes, statement', $$
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO t SELECT id + 10, tenant, v FROM n; RETURN NULL; END';
	CREATE TRIGGER write AFTER INSERT ON u REFERENCING NEW TABLE AS n EXECUTE FUNCTION write();
$$, 'INSERT INTO u VALUES (10, 1, 100)'),
('BEFORE trigger that writes', $$
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE id = OLD.id; RETURN OLD; END';
	CREATE TRIGGER write BEFORE DELETE ON u FOR EACH ROW EXECUTE FUNCTION write();
$$, 'DELETE FROM u WHERE id = 1'),
('DEFAULT that writes', $$
	CREATE FUNCTION write() RETURNS int LANGUAGE sql AS 'UPDATE t SET v = 100 WHERE id = 1 RETURNING v';
	ALTER TABLE u ALTER v SET DEFAULT write();
$$, 'INSERT INTO u VALUES (10, 1)'),
('trigger that writes the same table', $$
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = 100 WHERE id = NEW.id; RETURN NULL; END';
	CREATE TRIGGER a_write AFTER UPDATE OF w ON t FOR EACH ROW EXECUTE FUNCTION write();
$$, 'UPDATE t SET w = 1 WHERE id = 1'),
('trigger that writes the same table, later', $$
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = 100 WHERE id = NEW.id; RETURN NULL; END';
	CREATE TRIGGER z_write AFTER UPDATE OF w ON t FOR EACH ROW EXECUTE FUNCTION write();
$$, 'UPDATE t SET w = 1 WHERE id = 1'),
('trigger that writes, forty deep', $$
	CREATE TABLE deep (id int PRIMARY KEY, tenant int, v int);
	INSERT INTO deep SELECT i, 4, 0 FROM generate_series(1, 40) i;
	SELECT dashboard_cache.watch('deep', 'tenant');
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE deep SET v = 1 WHERE id = NEW.id + 1; RETURN NULL; END';
	CREATE TRIGGER write AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION write();
	CREATE TRIGGER write AFTER UPDATE ON deep FOR EACH ROW EXECUTE FUNCTION write();
$$, 'UPDATE t SET v = 100 WHERE id = 1'),
('trigger at commit that writes', $$
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = 100 WHERE id = NEW.id; RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER write AFTER UPDATE ON u DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION write();
$$, 'UPDATE u SET v = 100 WHERE id = 1'),
('BEFORE UPDATE trigger that sets another column', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE t SET w = 1 WHERE id = 1'),
('BEFORE UPDATE trigger that sets the tenant', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.tenant := 2; RETURN NEW; END';
	CREATE TRIGGER z_other BEFORE UPDATE OF w ON t FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE t SET w = 1 WHERE id = 1'),
('BEFORE UPDATE trigger, ON CONFLICT', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION other();
$$, 'INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET w = 2'),
('BEFORE UPDATE trigger, MERGE', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION other();
$$, 'MERGE INTO t USING u ON u.id = t.id WHEN MATCHED THEN UPDATE SET w = 2'),
('BEFORE INSERT trigger that sets the tenant', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.tenant := 2; RETURN NEW; END';
	CREATE TRIGGER z_other BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION other();
$$, 'INSERT INTO t VALUES (10, 1, 10)'),
('BEFORE trigger that suppresses', $$
	CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER no BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION no();
$$, 'UPDATE t SET v = 100
	DELETE FROM t');
INSERT INTO ways (way, later, writes) VALUES
('BEFORE UPDATE trigger, made after watch()', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE t SET w = 1 WHERE id = 1');
INSERT INTO ways (way, setup, expression, writes) VALUES
('generated column', 'ALTER TABLE t ADD g int GENERATED ALWAYS AS (w + 1) STORED', 'concat(sum(g))', 'UPDATE t SET w = 1 WHERE id = 1'),
('generated column, another is set', 'ALTER TABLE t ADD x int, ADD g int GENERATED ALWAYS AS (w + 1) STORED', 'concat(sum(g))', 'UPDATE t SET x = 1 WHERE id = 1'),
('system column', '', $$string_agg(ctid::text, ' ' ORDER BY ctid)$$, 'UPDATE t SET w = 1 WHERE id = 1'),
('whole row', '', $$string_agg(t::text, ' ' ORDER BY id)$$, 'UPDATE t SET w = 1 WHERE id = 1'),
('only which rows there are', '', 'concat(count(*))', 'UPDATE t SET v = 1, w = 1'),
('only which rows there are, INSERT', '', 'concat(count(*))', 'INSERT INTO t VALUES (10, 1, 10)');

-- foreign keys; of two of them on one table, the server fires the statement triggers of one only
INSERT INTO ways (way, fixture, source, slice, expression, setup, writes)
SELECT way, 'family', source, source, expression, setup, writes FROM (VALUES
('ON DELETE CASCADE', 'child', $$concat(count(*))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE CASCADE', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE CASCADE, no children', 'child', $$concat(count(*))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE CASCADE', 'DELETE FROM parent WHERE id = 9'),
('ON DELETE CASCADE, grandchildren', 'grandchild', $$concat(count(*))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE CASCADE;
	ALTER TABLE grandchild ADD FOREIGN KEY (child) REFERENCES child ON DELETE CASCADE', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE CASCADE, to itself', 'child', $$concat(count(*))$$, 'ALTER TABLE child ADD above int REFERENCES child ON DELETE CASCADE; UPDATE child SET above = 10 WHERE id = 20', 'DELETE FROM child WHERE id = 10'),
('ON DELETE CASCADE, a trigger there writes', 'grandchild', $$concat(sum(child))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE CASCADE;
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN UPDATE grandchild SET child = NULL WHERE child = OLD.id; RETURN OLD; END'';
	CREATE TRIGGER write AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION write()', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE CASCADE, a trigger before it writes', 'child', $$concat(count(*))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE CASCADE;
	CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN UPDATE grandchild SET child = NULL WHERE child = OLD.id; RETURN OLD; END'';
	CREATE TRIGGER write BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION write()', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE SET NULL', 'child', $$concat(sum(a))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE SET NULL', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE SET NULL, not read', 'child', $$concat(sum(b))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE SET NULL', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE SET NULL, deferrable', 'child', $$concat(sum(a))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE SET NULL twice, the first read', 'child', $$concat(sum(a))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE SET NULL;
	ALTER TABLE child ADD FOREIGN KEY (b) REFERENCES parent ON DELETE SET NULL', 'DELETE FROM parent WHERE id = 2'),
('ON DELETE SET NULL twice, the second read', 'child', $$concat(sum(b))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON DELETE SET NULL;
	ALTER TABLE child ADD FOREIGN KEY (b) REFERENCES parent ON DELETE SET NULL', 'DELETE FROM parent WHERE id = 2'),
('ON DELETE SET NULL, of the tenant', 'child', $$concat(count(*))$$, 'ALTER TABLE child ADD FOREIGN KEY (a, tenant) REFERENCES parent (id, tenant) ON DELETE SET NULL (tenant)', 'DELETE FROM parent WHERE id = 1'),
('ON DELETE SET DEFAULT', 'child', $$concat(sum(b))$$, 'ALTER TABLE child ADD FOREIGN KEY (b) REFERENCES parent ON DELETE SET DEFAULT', 'DELETE FROM parent WHERE id = 2'),
('ON UPDATE CASCADE', 'child', $$concat(sum(a))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON UPDATE CASCADE', 'UPDATE parent SET id = 8 WHERE id = 1'),
('ON UPDATE CASCADE twice, the first read', 'child', $$concat(sum(a))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON UPDATE CASCADE;
	ALTER TABLE child ADD FOREIGN KEY (b) REFERENCES parent ON UPDATE CASCADE', 'UPDATE parent SET id = 8 WHERE id = 2'),
('ON UPDATE CASCADE twice, the second read', 'child', $$concat(sum(b))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON UPDATE CASCADE;
	ALTER TABLE child ADD FOREIGN KEY (b) REFERENCES parent ON UPDATE CASCADE', 'UPDATE parent SET id = 8 WHERE id = 2'),
('ON UPDATE CASCADE, of the tenant', 'child', $$concat(count(*))$$, 'ALTER TABLE child ADD FOREIGN KEY (a, tenant) REFERENCES parent (id, tenant) ON UPDATE CASCADE', 'UPDATE parent SET tenant = 2 WHERE id = 1'),
('ON UPDATE SET NULL', 'child', $$concat(sum(a))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent ON UPDATE SET NULL', 'UPDATE parent SET id = 8 WHERE id = 1'),
('TRUNCATE CASCADE, by a foreign key', 'grandchild', $$concat(count(*))$$, 'ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES parent; ALTER TABLE grandchild ADD FOREIGN KEY (child) REFERENCES child', 'TRUNCATE parent CASCADE')
) AS f (way, source, expression, setup, writes);
:run
:run_again
:show

--
-- Partitions
--
INSERT INTO ways (fixture, source, slice, way, later, writes) SELECT 'p', 'p', 'p', * FROM (VALUES
('INSERT', '', 'INSERT INTO p VALUES (4, 1, 100)'),
('INSERT, into several', '', 'INSERT INTO p VALUES (4, 1, 100), (14, 1, 100), (24, 1, 100), (25, 2, 100)'),
('UPDATE', '', 'UPDATE p SET v = 100 WHERE tenant = 1'),
('UPDATE, a column that is not read', '', 'UPDATE p SET w = 1'),
('UPDATE, to another partition', '', 'UPDATE p SET id = 15 WHERE id = 1'),
('UPDATE, to another partition, tableoid read', '', 'UPDATE p SET id = 15 WHERE id = 1'),
('UPDATE, to another partition and tenant', '', 'UPDATE p SET tenant = 2, id = 15 WHERE id = 1'),
('UPDATE, to another partition of a partition', '', 'UPDATE p_3 SET tenant = 2 WHERE id = 21'),
('DELETE', '', 'DELETE FROM p WHERE id IN (1, 12)'),
('MERGE', '', 'MERGE INTO p USING (VALUES (1, 1), (12, 2)) AS n (id, tenant) ON n.id = p.id WHEN MATCHED THEN UPDATE SET id = p.id + 10, v = 0'),
('COPY', '', $$COPY p FROM PROGRAM 'printf "4,1,100,0\n15,2,100,0\n"' (FORMAT csv)$$),
('TRUNCATE', '', 'TRUNCATE p'),
('INSERT into a partition', '', 'INSERT INTO p_1 VALUES (4, 1, 100)'),
('INSERT into a partition laid out otherwise', '', 'INSERT INTO p_2 (id, tenant, v) VALUES (14, 1, 100)'),
('INSERT into a partition with partitions', '', 'INSERT INTO p_3 VALUES (24, 1, 100)'),
('INSERT into a partition of a partition', '', 'INSERT INTO p_3_1 VALUES (24, 1, 100)'),
('ON CONFLICT in a partition', '', 'INSERT INTO p_1 VALUES (1, 1, 100) ON CONFLICT (id) DO UPDATE SET v = excluded.v'),
('UPDATE of a partition', '', 'UPDATE p_1 SET v = 100 WHERE id = 1'),
('UPDATE of a partition, a column that is not read', '', 'UPDATE p_1 SET w = 100 WHERE id = 1'),
('UPDATE of a partition laid out otherwise', '', 'UPDATE p_2 SET v = 100 WHERE id = 11'),
('UPDATE of a partition laid out otherwise, a column that is not read', '', 'UPDATE p_2 SET w = 100'),
('UPDATE of the tenant in a partition', '', 'UPDATE p_2 SET tenant = 2 WHERE id = 11'),
('DELETE from a partition', '', 'DELETE FROM p_1 WHERE id = 1'),
('DELETE from a partition of a partition', '', 'DELETE FROM p_3_rest WHERE id = 22'),
('MERGE into a partition', '', 'MERGE INTO p_2 USING (VALUES (11)) AS n (id) ON n.id = p_2.id WHEN MATCHED THEN UPDATE SET v = 100'),
('COPY into a partition', '', $$COPY p_2 (id, tenant, v) FROM PROGRAM 'echo 14,1,100' (FORMAT csv)$$),
('TRUNCATE of a partition', '', 'TRUNCATE p_1'),
('TRUNCATE of a partition of a partition', '', 'TRUNCATE p_3_rest'),
('CTEs, updates of two partitions', '', 'WITH a AS (UPDATE p_1 SET v = 100 WHERE id = 1), b AS (UPDATE p_1 SET w = 100 WHERE id = 1) UPDATE p_2 SET v = 100 WHERE id = 12'),
('new partition', '', 'CREATE TABLE p_4 PARTITION OF p FOR VALUES FROM (30) TO (40)
	CALL compare()
	INSERT INTO p VALUES (31, 1, 31)'),
('into a new partition', 'CREATE TABLE p_4 PARTITION OF p FOR VALUES FROM (30) TO (40)', 'INSERT INTO p_4 VALUES (31, 1, 31)'),
('UPDATE of a new partition', 'CREATE TABLE p_4 PARTITION OF p FOR VALUES FROM (30) TO (40); INSERT INTO p_4 VALUES (31, 1, 31)', 'UPDATE p_4 SET v = 100'),
('TRUNCATE of a new partition', 'CREATE TABLE p_4 PARTITION OF p FOR VALUES FROM (30) TO (40); INSERT INTO p_4 VALUES (31, 1, 31)', 'TRUNCATE p_4'),
('into a new partition of a partition', 'CREATE TABLE p_3_2 PARTITION OF p_3 FOR VALUES IN (4)', 'INSERT INTO p_3_2 VALUES (24, 4, 100)'),
('ATTACH', '', 'ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (30) TO (40)'),
('into an attached partition', 'ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (30) TO (40)', 'INSERT INTO loose VALUES (32, 2, 32)'),
('UPDATE of an attached partition', 'ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (30) TO (40)', 'UPDATE loose SET v = 100'),
('ATTACH, of a table with partitions', 'CREATE TABLE tree (LIKE p) PARTITION BY LIST (tenant); CREATE TABLE tree_1 PARTITION OF tree DEFAULT; INSERT INTO tree VALUES (31, 1, 31)', 'ALTER TABLE p ATTACH PARTITION tree FOR VALUES FROM (30) TO (40)'),
('into a partition of an attached table', 'CREATE TABLE tree (LIKE p) PARTITION BY LIST (tenant); CREATE TABLE tree_1 PARTITION OF tree DEFAULT; ALTER TABLE p ATTACH PARTITION tree FOR VALUES FROM (30) TO (40)', 'INSERT INTO tree_1 VALUES (31, 1, 31)'),
('ATTACH, of a watched table', $$SELECT dashboard_cache.watch('loose', CASE WHEN EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE '%slice%') THEN 'tenant' END)$$, 'ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (30) TO (40)
	CALL compare()
	UPDATE loose SET v = 100'),
('into the default partition', 'CREATE TABLE p_default PARTITION OF p DEFAULT', 'INSERT INTO p VALUES (99, 1, 99)'),
('DETACH', '', 'ALTER TABLE p DETACH PARTITION p_1'),
('into a detached partition', 'ALTER TABLE p DETACH PARTITION p_1', 'UPDATE p_1 SET v = 100'),
('DETACH CONCURRENTLY', '', 'ALTER TABLE p DETACH PARTITION p_1 CONCURRENTLY'),
('DETACH and ATTACH', '', 'ALTER TABLE p DETACH PARTITION p_1
	UPDATE p_1 SET v = 100
	ALTER TABLE p ATTACH PARTITION p_1 FOR VALUES FROM (1) TO (10)
	CALL compare()
	UPDATE p_1 SET v = 200'),
('DETACH and ATTACH, of a table with partitions', '', 'ALTER TABLE p DETACH PARTITION p_3
	INSERT INTO p_3_1 VALUES (24, 1, 100)
	ALTER TABLE p ATTACH PARTITION p_3 FOR VALUES FROM (20) TO (30)
	CALL compare()
	INSERT INTO p_3_1 VALUES (25, 1, 100)'),
('DROP', '', 'DROP TABLE p_1'),
('DROP, of a partition with partitions', '', 'DROP TABLE p_3'),
('BEFORE UPDATE trigger on one partition', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON p_2 FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE p SET w = 1 WHERE id = 11'),
('BEFORE UPDATE trigger on the partition written', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON p_2 FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE p_2 SET w = 1 WHERE id = 11'),
('BEFORE UPDATE trigger on all partitions', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE p_3_rest SET w = 1 WHERE id = 22'),
('BEFORE INSERT trigger on the partition that a row moves to', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE INSERT ON p_2 FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE p SET id = 15 WHERE id = 1'),
('BEFORE INSERT trigger that sets the tenant, on the partition that a row moves to', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.tenant := 2; RETURN NEW; END';
	CREATE TRIGGER other BEFORE INSERT ON p_2 FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE p SET id = 15 WHERE id = 1'),
('two slices, attached with them the other way round', $$
	SELECT dashboard_cache.watch('p', 'w'), dashboard_cache.watch('loose', 'w'), dashboard_cache.watch('loose', 'tenant');
	ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (30) TO (40);
$$, 'UPDATE loose SET v = 100
	CALL compare()
	UPDATE p SET v = 200 WHERE id = 31
	CALL compare()
	UPDATE loose SET tenant = 2'),
('foreign key from a partitioned table', $$CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (100); UPDATE p SET w = 100 WHERE tenant = 1; UPDATE p SET w = NULL WHERE tenant <> 1;
	ALTER TABLE p ADD FOREIGN KEY (w) REFERENCES parent ON DELETE CASCADE$$, 'DELETE FROM parent')
) AS p;
UPDATE ways SET expression = 'concat(sum(id))' WHERE way = 'UPDATE, to another partition';
UPDATE ways SET expression = $$concat(count(*) FILTER (WHERE tableoid = 'p_1'::regclass))$$ WHERE way = 'UPDATE, to another partition, tableoid read';
-- one partition read by its own name
INSERT INTO ways (fixture, source, slice, way, writes) SELECT 'p', source, slice, way, writes FROM (VALUES
('a partition read, INSERT', 'p_2', 'p', 'INSERT INTO p VALUES (14, 1, 100)'),
('a partition read, UPDATE', 'p_2', 'p', 'UPDATE p SET v = 100 WHERE id = 12'),
('a partition read, UPDATE of it', 'p_2', 'p', 'UPDATE p_2 SET v = 100 WHERE id = 12'),
('a partition read, a row moves into it', 'p_2', 'p', 'UPDATE p SET id = 15 WHERE id = 1'),
('a partition read, TRUNCATE', 'p_2', 'p', 'TRUNCATE p'),
('a partition read, DETACH', 'p_2', 'p', 'ALTER TABLE p DETACH PARTITION p_2
	UPDATE p_2 SET v = 100'),
('a partition with partitions read, UPDATE of one', 'p_3', 'p', 'UPDATE p_3_1 SET v = 100')
) AS p (way, source, slice, writes);

--
-- Inheritance
--
INSERT INTO ways (fixture, source, slice, way, later, writes) SELECT 'h', source, slice, way, later, writes FROM (VALUES
('INSERT', 'h', 'h', '', 'INSERT INTO h VALUES (4, 1, 100)'),
('INSERT into a child', 'h', 'h', '', 'INSERT INTO h_child VALUES (14, 1, 100)'),
('INSERT into a grandchild', 'h', 'h', '', 'INSERT INTO h_grandchild VALUES (14, 1, 100)'),
('UPDATE', 'h', 'h', '', 'UPDATE h SET v = 100 WHERE id IN (1, 22)'),
('UPDATE ONLY', 'h', 'h', '', 'UPDATE ONLY h SET v = 100 WHERE id = 1'),
('UPDATE, only children have such rows', 'h', 'h', '', 'UPDATE h SET v = 100 WHERE id = 12'),
('UPDATE of a child', 'h', 'h', '', 'UPDATE h_child SET v = 100 WHERE id = 11'),
('UPDATE of a child, its own column', 'h', 'h', '', 'UPDATE h_child SET extra = 1'),
('UPDATE of a child, its own column and another', 'h', 'h', '', 'UPDATE h_child SET extra = 1, tenant = 2 WHERE id = 11'),
('DELETE', 'h', 'h', '', 'DELETE FROM h WHERE id > 20'),
('DELETE from a child', 'h', 'h', '', 'DELETE FROM h_child WHERE id = 11'),
('TRUNCATE', 'h', 'h', '', 'TRUNCATE h'),
('TRUNCATE ONLY', 'h', 'h', '', 'TRUNCATE ONLY h'),
('TRUNCATE of a child', 'h', 'h', '', 'TRUNCATE h_grandchild'),
('COPY into a child', 'h', 'h', '', $$COPY h_child FROM PROGRAM 'echo 14,1,100,0,0' (FORMAT csv)$$),
('UPDATE of a child with two parents', 'h', 'h', '', 'UPDATE h_both SET v = 100 WHERE id = 31'),
('the other parent read, UPDATE of the child', 'other', 'other', '', 'UPDATE h_both SET v = 100 WHERE id = 31'),
('the other parent read, UPDATE of the first', 'other', 'other', '', 'UPDATE h SET v = 100 WHERE id = 31'),
('the other parent read, TRUNCATE of the first', 'other', 'other', '', 'TRUNCATE h'),
('a child read, UPDATE of the parent', 'h_child', 'h', '', 'UPDATE h SET v = 100 WHERE id = 11'),
('a child read, UPDATE of its child', 'h_child', 'h', '', 'UPDATE h_grandchild SET v = 100 WHERE id = 21'),
('a child read, its own column', 'h_child', 'h', '', 'UPDATE h_child SET extra = 1'),
('a child with two parents read, UPDATE of one', 'h_both', 'h', '', 'UPDATE h SET v = 100 WHERE id = 31'),
('a child with two parents read, UPDATE of the other', 'h_both', 'h', '', 'UPDATE other SET v = 100 WHERE id = 31'),
('a child with two parents read, UPDATE', 'h_both', 'h', '', 'UPDATE h_both SET v = 100 WHERE id = 31'),
('new child', 'h', 'h', '', 'CREATE TABLE h_new () INHERITS (h)
	INSERT INTO h_new VALUES (41, 1, 100)'),
('INSERT into a new child', 'h', 'h', 'CREATE TABLE h_new () INHERITS (h)', 'INSERT INTO h_new VALUES (41, 1, 100)'),
('INSERT into a new grandchild', 'h', 'h', 'CREATE TABLE h_new () INHERITS (h_child)', 'INSERT INTO h_new VALUES (41, 1, 100)'),
('INHERIT', 'h', 'h', '', 'ALTER TABLE loose INHERIT h'),
('UPDATE of a child that came by INHERIT', 'h', 'h', 'ALTER TABLE loose INHERIT h', 'UPDATE loose SET v = 100'),
('UPDATE of the child of one that came by INHERIT', 'h', 'h', 'CREATE TABLE below () INHERITS (loose); INSERT INTO below VALUES (51, 1, 51); ALTER TABLE loose INHERIT h', 'UPDATE below SET v = 100'),
('two slices, a child that came with them the other way round', 'h', 'h', $$
	SELECT dashboard_cache.watch('h', 'w'), dashboard_cache.watch('loose', 'w'), dashboard_cache.watch('loose', 'tenant');
	UPDATE loose SET w = 7;
	ALTER TABLE loose INHERIT h;
$$, 'UPDATE loose SET v = 100
	CALL compare()
	UPDATE h SET v = 200 WHERE id = 41
	CALL compare()
	UPDATE h SET tenant = 2 WHERE id = 41'),
('NO INHERIT', 'h', 'h', '', 'ALTER TABLE h_child NO INHERIT h'),
('NO INHERIT, and read by itself', 'h_child', 'h', '', 'ALTER TABLE h_child NO INHERIT h
	CALL compare()
	UPDATE h_child SET v = 100'),
('DROP of a child', 'h', 'h', '', 'DROP TABLE h_grandchild'),
('BEFORE UPDATE trigger on one child', 'h', 'h', $$
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 100; RETURN NEW; END';
	CREATE TRIGGER other BEFORE UPDATE ON h_child FOR EACH ROW EXECUTE FUNCTION other();
$$, 'UPDATE h SET w = 1 WHERE id = 11')
) AS h (way, source, slice, later, writes);
:run
:run_again
:show

--
-- session_replication_role, and triggers that are disabled
--
INSERT INTO ways (way, fixture, source, slice, writes)
SELECT format('as a replica: %s', way), fixture, source, source,
	E'SET session_replication_role = replica\n' || writes || E'\nRESET session_replication_role'
FROM (VALUES
('INSERT', 't', 't', 'INSERT INTO t VALUES (10, 1, 10)'),
('UPDATE', 't', 't', 'UPDATE t SET v = 100 WHERE id = 1'),
('UPDATE, a column that is not read', 't', 't', 'UPDATE t SET w = 100 WHERE id = 1'),
('UPDATE of the tenant', 't', 't', 'UPDATE t SET tenant = 2 WHERE id = 1'),
('DELETE', 't', 't', 'DELETE FROM t WHERE id = 1'),
('MERGE', 't', 't', 'MERGE INTO t USING u ON u.id = t.id WHEN MATCHED THEN UPDATE SET v = u.v'),
('CTEs, two updates', 't', 't', 'WITH a AS (UPDATE t SET v = 100 WHERE id = 1) UPDATE t SET w = 100 WHERE id = 4'),
('COPY', 't', 't', $$COPY t FROM PROGRAM 'echo 10,1,10,0' (FORMAT csv)$$),
('TRUNCATE', 't', 't', 'TRUNCATE t'),
('partition, INSERT', 'p', 'p', 'INSERT INTO p VALUES (4, 1, 100)'),
('partition, INSERT into it', 'p', 'p', 'INSERT INTO p_3_1 VALUES (24, 1, 100)'),
('partition, UPDATE', 'p', 'p', 'UPDATE p SET v = 100 WHERE id = 11'),
('partition, UPDATE of it', 'p', 'p', 'UPDATE p_2 SET v = 100 WHERE id = 11'),
('partition, UPDATE to another', 'p', 'p', 'UPDATE p SET id = 15, tenant = 2 WHERE id = 1'),
('partition, DELETE', 'p', 'p', 'DELETE FROM p WHERE id = 11'),
('partition, TRUNCATE', 'p', 'p', 'TRUNCATE p_1'),
('partition, new', 'p', 'p', 'CREATE TABLE p_4 PARTITION OF p FOR VALUES FROM (30) TO (40)
	CALL compare()
	INSERT INTO p VALUES (31, 1, 31)'),
('child, INSERT', 'h', 'h', 'INSERT INTO h_grandchild VALUES (41, 1, 41)'),
('child, UPDATE', 'h', 'h', 'UPDATE h SET v = 100 WHERE id = 11')
) AS r (way, fixture, source, writes);
INSERT INTO ways (way, writes) VALUES
('session_replication_role = local', 'SET session_replication_role = local
	UPDATE t SET v = 100 WHERE id = 1
	RESET session_replication_role'),
('session_replication_role changes on the way', $$BEGIN; UPDATE t SET w = 100 WHERE id = 1; SET LOCAL session_replication_role = replica; UPDATE t SET v = 100 WHERE id = 1; COMMIT$$),
('triggers disabled, and enabled again, in one transaction', 'BEGIN; ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET v = 100 WHERE id = 1; ALTER TABLE t ENABLE TRIGGER USER; COMMIT'),
('triggers disabled, written, and enabled again', 'ALTER TABLE t DISABLE TRIGGER ALL
	UPDATE t SET v = 100 WHERE id = 1
	CALL compare()
	UPDATE t SET v = 200 WHERE id = 1
	ALTER TABLE t ENABLE TRIGGER ALL'),
('triggers disabled, and then written', 'ALTER TABLE t DISABLE TRIGGER ALL
	UPDATE t SET v = 100 WHERE id = 1');
-- these are holes, and shown as such
INSERT INTO ways (way, later, writes) VALUES
('hole: triggers disabled', 'ALTER TABLE t DISABLE TRIGGER ALL', 'UPDATE t SET v = 100 WHERE id = 1'),
('hole: trigger enabled for replicas only', 'ALTER TABLE t ENABLE REPLICA TRIGGER dashboard_cache_write', 'UPDATE t SET v = 100 WHERE id = 1'),
('hole: trigger dropped', 'DROP TRIGGER dashboard_cache_write ON t', 'TRUNCATE t'),
('trigger disabled for replicas', 'ALTER TABLE t DISABLE TRIGGER dashboard_cache_replica', 'SET session_replication_role = replica
	UPDATE t SET v = 100 WHERE id = 1
	RESET session_replication_role'),
('hole: not watched any more', $$SELECT dashboard_cache.unwatch('t')$$, 'UPDATE t SET v = 100 WHERE id = 1'),
('a hole, and watched again', $$ALTER TABLE t DISABLE TRIGGER ALL; DROP TRIGGER dashboard_cache_write ON t; SELECT dashboard_cache.watch('t')$$, 'UPDATE t SET v = 100 WHERE id = 1');
INSERT INTO ways (fixture, source, slice, way, later, writes) VALUES
('p', 'p', 'p', 'hole: triggers of a partition disabled', 'ALTER TABLE p_3_1 DISABLE TRIGGER USER', 'UPDATE p_3_1 SET v = 100'),
('p', 'p', 'p', 'triggers disabled on a partition only, another written', 'ALTER TABLE p_3_1 DISABLE TRIGGER USER', 'UPDATE p_1 SET v = 100'),
('p', 'p', 'p', 'a hole in a partition, and watched again', $$ALTER TABLE p_3_1 DISABLE TRIGGER USER; DROP TRIGGER dashboard_cache_write ON p_1; SELECT dashboard_cache.watch('p')$$, 'UPDATE p_3_1 SET v = 100
	TRUNCATE p_1');
:run
:run_again
:show

--
-- Materialized views
--
INSERT INTO ways (fixture, slice, source, way, writes) VALUES
('m', '', 'm', 'write of the table', 'INSERT INTO t VALUES (10, 1, 10)'),
('m', '', 'm', 'REFRESH', 'INSERT INTO t VALUES (10, 1, 10)
	REFRESH MATERIALIZED VIEW m'),
('m', '', 'm', 'REFRESH CONCURRENTLY', 'INSERT INTO t VALUES (10, 1, 10)
	REFRESH MATERIALIZED VIEW CONCURRENTLY m'),
('m', '', 'm', 'REFRESH WITH NO DATA', 'REFRESH MATERIALIZED VIEW m WITH NO DATA'),
('m', '', 'm', 'REFRESH in a transaction', 'BEGIN; INSERT INTO t VALUES (10, 1, 10); REFRESH MATERIALIZED VIEW m; COMMIT'),
('m', '', 'm', 'REFRESH of another', 'INSERT INTO t VALUES (10, 1, 10)
	REFRESH MATERIALIZED VIEW m_of_m'),
('m', '', 'm_of_m', 'REFRESH of what it is made of', 'INSERT INTO t VALUES (10, 1, 10)
	REFRESH MATERIALIZED VIEW m'),
('m', '', 'm_of_m', 'REFRESH of both', 'INSERT INTO t VALUES (10, 1, 10)
	REFRESH MATERIALIZED VIEW m
	REFRESH MATERIALIZED VIEW m_of_m'),
('m', '', 'm', 'dropped and made anew', 'DROP MATERIALIZED VIEW m CASCADE
	CREATE MATERIALIZED VIEW m AS SELECT id, tenant, v + 1 AS v FROM t');

--
-- Definitions
--
INSERT INTO ways (way, writes) VALUES
('ALTER TABLE, type', 'DROP VIEW view_t
	ALTER TABLE t ALTER v TYPE numeric USING v * 1.5'),
('ALTER TABLE, type, no rewrite', 'ALTER TABLE t ADD x varchar(5) DEFAULT ''x''
	ALTER TABLE t ALTER x TYPE text'),
('ALTER TABLE, columns change names', 'BEGIN; ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME w TO v; COMMIT'),
('ALTER TABLE, columns change names, then UPDATE', 'BEGIN; ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME w TO v; COMMIT
	CALL compare()
	UPDATE t SET v = 100 WHERE id = 1'),
('ALTER TABLE, the tenant changes its name', 'ALTER TABLE t RENAME tenant TO x'),
('ALTER TABLE, another column takes the name of the tenant', 'UPDATE t SET w = id
	BEGIN; ALTER TABLE t RENAME tenant TO x; ALTER TABLE t RENAME w TO tenant; COMMIT
	CALL compare()
	UPDATE t SET v = 100 WHERE id IN (1, 2, 3)'),
('ALTER TABLE, another type of the tenant', $$DROP VIEW view_t
	DO $d$ BEGIN PERFORM dashboard_cache.unwatch('t'); ALTER TABLE t ALTER tenant TYPE bigint; PERFORM dashboard_cache.watch('t', 'tenant'); END $d$
	CALL compare()
	UPDATE t SET v = 100 WHERE id = 1$$),
('ALTER TABLE, drops the tenant and adds it', 'ALTER TABLE t DROP tenant CASCADE, ADD x int, ADD tenant int DEFAULT 1
	CALL compare()
	UPDATE t SET v = 100 WHERE id = 1'),
('ALTER TABLE, drops and adds', 'ALTER TABLE t DROP v CASCADE, ADD v int DEFAULT 7'),
('ALTER TABLE, default', 'ALTER TABLE t ALTER v SET DEFAULT 100'),
('ALTER TABLE, default, then INSERT', 'ALTER TABLE t ALTER v SET DEFAULT 100
	CALL compare()
	INSERT INTO t (id, tenant) VALUES (10, 1)'),
('ALTER TABLE, volatile default', 'ALTER TABLE t ADD x float DEFAULT random()'),
('ALTER TABLE, rewrite, then UPDATE', 'ALTER TABLE t ADD x float DEFAULT random()
	CALL compare()
	UPDATE t SET v = 100 WHERE id = 1'),
('VACUUM FULL, CLUSTER, then UPDATE', 'VACUUM FULL t
	CLUSTER t USING t_pkey
	CALL compare()
	UPDATE t SET v = 100 WHERE id = 1'),
('tables change names', 'BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t; COMMIT'),
('table with another name, then UPDATE', 'ALTER TABLE t RENAME TO x
	CALL compare()
	CREATE VIEW t AS TABLE x
	CALL compare()
	UPDATE x SET v = 100 WHERE id = 1'),
('table in another schema', 'ALTER TABLE t SET SCHEMA public
	CALL compare()
	ALTER TABLE public.t SET SCHEMA fresh
	CALL compare()
	UPDATE t SET v = 100 WHERE id = 1'),
('DROP TABLE', 'DROP TABLE t CASCADE'),
('DROP TABLE, CREATE TABLE', 'DROP TABLE t CASCADE
	CREATE TABLE t AS SELECT 1 AS id, 2 AS tenant, 3 AS v'),
('DROP TABLE, SELECT INTO', 'BEGIN; DROP TABLE t CASCADE; SELECT id, 2 AS tenant, 3 AS v INTO t FROM u; COMMIT'),
('a view in its place', 'BEGIN; ALTER TABLE t RENAME TO x; CREATE VIEW t AS SELECT id, tenant, -v AS v FROM x; COMMIT
	CALL compare()
	UPDATE x SET v = 100 WHERE id = 1'),
('UNLOGGED', 'ALTER TABLE t SET UNLOGGED
	CALL compare()
	UPDATE t SET v = 100 WHERE id = 1'),
('schemas change names', 'CREATE SCHEMA fresh_too
	CREATE TABLE fresh_too.t AS SELECT 1 AS id, 2 AS tenant, 3 AS v
	BEGIN; ALTER TABLE t SET SCHEMA public; ALTER TABLE fresh_too.t SET SCHEMA fresh; COMMIT
	CALL compare()
	DROP SCHEMA fresh_too
	DROP TABLE public.t CASCADE');
INSERT INTO ways (way, slice, source, expression, setup, writes) VALUES
('CREATE OR REPLACE VIEW', 't', 'seen', $$concat(sum(v))$$, 'CREATE VIEW seen AS TABLE t', 'CREATE OR REPLACE VIEW seen AS SELECT id, tenant, -v AS v, w FROM t'),
('CREATE OR REPLACE VIEW, then UPDATE', 't', 'seen', $$concat(sum(v))$$, 'CREATE VIEW seen AS SELECT id, tenant, v FROM t', 'CREATE OR REPLACE VIEW seen AS SELECT id, tenant, w AS v FROM t
	CALL compare()
	UPDATE t SET w = 100 WHERE id = 1'),
('ALTER VIEW, column', 't', 'seen', $$concat(sum(v))$$, 'CREATE VIEW seen AS TABLE t', 'ALTER VIEW seen RENAME v TO x
	ALTER VIEW seen RENAME w TO v'),
('CREATE OR REPLACE FUNCTION, SQL', 't', 't', $$concat(sum(f(v)))$$, 'CREATE FUNCTION f(v int) RETURNS int LANGUAGE sql STABLE AS ''SELECT v''', 'CREATE OR REPLACE FUNCTION f(v int) RETURNS int LANGUAGE sql STABLE AS ''SELECT v + 1'''),
('CREATE OR REPLACE FUNCTION, plpgsql', 't', 't', $$concat(sum(f(v)))$$, 'CREATE FUNCTION f(v int) RETURNS int LANGUAGE plpgsql STABLE AS ''BEGIN RETURN v; END''', 'CREATE OR REPLACE FUNCTION f(v int) RETURNS int LANGUAGE plpgsql STABLE AS ''BEGIN RETURN v + 1; END'''),
('CREATE OR REPLACE FUNCTION that reads, then INSERT', 't', 't', $$concat(sum(f(v)))$$, 'CREATE FUNCTION f(v int) RETURNS int LANGUAGE plpgsql STABLE AS ''BEGIN RETURN v; END''; SELECT dashboard_cache.watch(''u'')', 'CREATE OR REPLACE FUNCTION f(v int) RETURNS int LANGUAGE plpgsql STABLE AS ''BEGIN RETURN v + (SELECT count(*) FROM u); END''
	CALL compare()
	INSERT INTO u VALUES (50, 1, 1)'),
('CREATE FUNCTION that fits better', 't', 't', $$concat(sum(f(v)))$$, 'CREATE FUNCTION f(v numeric) RETURNS numeric LANGUAGE sql STABLE AS ''SELECT v''', 'CREATE FUNCTION f(v int) RETURNS int LANGUAGE sql STABLE AS ''SELECT v + 1'''),
('DROP FUNCTION', 't', 't', $$concat(sum(f(v)))$$, 'CREATE FUNCTION f(v numeric) RETURNS numeric LANGUAGE sql STABLE AS ''SELECT v''; CREATE FUNCTION f(v int) RETURNS int LANGUAGE sql STABLE AS ''SELECT v + 1''', 'DROP FUNCTION f(int)'),
('ALTER FUNCTION SET', 't', 't', $$concat(sum(v), f())$$, 'CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql STABLE AS ''BEGIN RETURN current_setting(''''DateStyle''''); END''', 'ALTER FUNCTION f() SET DateStyle = German'),
('ALTER FUNCTION RENAME', 't', 't', $$concat(sum(f(v)))$$, 'CREATE FUNCTION f(v int) RETURNS int LANGUAGE plpgsql STABLE AS ''BEGIN RETURN v; END''; CREATE FUNCTION g(v int) RETURNS int LANGUAGE plpgsql STABLE AS ''BEGIN RETURN -v; END''', 'ALTER FUNCTION f(int) RENAME TO h
	CALL compare()
	ALTER FUNCTION g(int) RENAME TO f'),
('ALTER TYPE, enum', 't', 't', $$concat(max(e))$$, 'CREATE TYPE e AS ENUM (''a'', ''b''); ALTER TABLE t ADD e e; UPDATE t SET e = ''a''', 'ALTER TYPE e RENAME VALUE ''a'' TO ''c''');
INSERT INTO ways (way, slice, source, expression, setup, writes) VALUES
('a table that comes first in search_path', '', 'x', $$concat(count(*))$$, 'DROP TABLE IF EXISTS public.x; CREATE TABLE public.x (id int, tenant int); SELECT dashboard_cache.watch(''public.x'')',
	'CREATE TABLE fresh.x AS SELECT 1 AS id, 1 AS tenant
	CALL compare()
	DROP TABLE public.x');
:run
:run_again
:show

--
-- Privileges and policies; cached and compared as a reader
--
SET writes.k = 0;
INSERT INTO ways (fixture, reader, way, setup, writes) SELECT 'mine', 'dc_writes_reader', * FROM (VALUES
('GRANT', '', 'GRANT SELECT ON t TO dc_writes_reader'),
('GRANT TO PUBLIC', '', 'GRANT SELECT ON ALL TABLES IN SCHEMA fresh TO PUBLIC'),
('GRANT, of columns', 'GRANT SELECT (tenant) ON t TO dc_writes_reader', 'GRANT SELECT (v) ON t TO dc_writes_reader'),
('GRANT to a role of which it is', 'GRANT dc_writes_group TO dc_writes_reader', 'GRANT SELECT ON t TO dc_writes_group'),
('GRANT of a role', 'GRANT SELECT ON t TO dc_writes_group', 'GRANT dc_writes_group TO dc_writes_reader'),
('ALTER GROUP', 'GRANT SELECT ON t TO dc_writes_group', 'ALTER GROUP dc_writes_group ADD USER dc_writes_reader
	CALL compare()
	ALTER GROUP dc_writes_group DROP USER dc_writes_reader'),
('GRANT pg_read_all_data', '', 'GRANT pg_read_all_data TO dc_writes_reader
	SET ROLE dc_writes_reader
	CALL compare()
	RESET ROLE
	REVOKE pg_read_all_data FROM dc_writes_reader'),
('REVOKE', 'GRANT SELECT ON t TO dc_writes_reader', 'REVOKE SELECT ON t FROM dc_writes_reader'),
('REVOKE ALL', 'GRANT SELECT ON t TO dc_writes_reader', 'REVOKE ALL ON ALL TABLES IN SCHEMA fresh FROM dc_writes_reader'),
('REVOKE FROM PUBLIC', 'GRANT SELECT ON t TO PUBLIC', 'REVOKE SELECT ON t FROM PUBLIC'),
('REVOKE, of columns', 'GRANT SELECT (tenant, v) ON t TO dc_writes_reader', 'REVOKE SELECT (v) ON t FROM dc_writes_reader'),
('REVOKE, rolled back', 'GRANT SELECT ON t TO dc_writes_reader', 'BEGIN; REVOKE SELECT ON t FROM dc_writes_reader; ROLLBACK'),
('REVOKE from a role of which it is', 'GRANT SELECT ON t TO dc_writes_group; GRANT dc_writes_group TO dc_writes_reader', 'REVOKE SELECT ON t FROM dc_writes_group'),
('REVOKE of a role', 'GRANT SELECT ON t TO dc_writes_group; GRANT dc_writes_group TO dc_writes_reader', 'REVOKE dc_writes_group FROM dc_writes_reader'),
('DROP OWNED', 'GRANT SELECT ON t TO dc_writes_group; GRANT dc_writes_group TO dc_writes_reader', 'DROP OWNED BY dc_writes_group'),
('ALTER TABLE OWNER', '', 'ALTER TABLE t OWNER TO dc_writes_reader'),
('REASSIGN OWNED', 'ALTER TABLE t OWNER TO dc_writes_reader', 'REASSIGN OWNED BY dc_writes_reader TO dc_writes_group'),
('ALTER ROLE SUPERUSER', '', 'ALTER ROLE dc_writes_reader SUPERUSER'),
('ALTER ROLE NOSUPERUSER', 'ALTER ROLE dc_writes_reader SUPERUSER', 'ALTER ROLE dc_writes_reader NOSUPERUSER'),
('ALTER DEFAULT PRIVILEGES', '', 'ALTER DEFAULT PRIVILEGES IN SCHEMA fresh GRANT SELECT ON TABLES TO dc_writes_reader
	BEGIN; DROP TABLE t CASCADE; CREATE TABLE t AS SELECT 1 AS id, 1 AS tenant, 1 AS v; COMMIT')
) AS g (way, setup, writes);
INSERT INTO ways (fixture, reader, source, way, setup, writes) SELECT 'mine', 'dc_writes_reader', * FROM (VALUES
('view_t', 'view: REVOKE', '', 'REVOKE SELECT ON view_t FROM dc_writes_reader'),
('view_t', 'view: REVOKE from its owner', 'GRANT SELECT ON t TO dc_writes_group; ALTER VIEW view_t OWNER TO dc_writes_group', 'REVOKE SELECT ON t FROM dc_writes_group'),
('view_t', 'view: another owner', '', 'ALTER VIEW view_t OWNER TO dc_writes_group'),
('view_t', 'view: security_invoker', '', 'ALTER VIEW view_t SET (security_invoker = true)'),
('view_t', 'view: write', '', 'UPDATE t SET v = 100 WHERE id = 1'),
('definer()', 'SECURITY DEFINER: REVOKE', '', 'REVOKE EXECUTE ON FUNCTION definer FROM PUBLIC'),
('definer()', 'SECURITY DEFINER: REVOKE from its owner', 'GRANT SELECT ON t TO dc_writes_group; ALTER FUNCTION definer OWNER TO dc_writes_group', 'REVOKE SELECT ON t FROM dc_writes_group'),
('definer()', 'SECURITY DEFINER: another owner', '', 'ALTER FUNCTION definer OWNER TO dc_writes_group'),
('definer()', 'SECURITY INVOKER', '', 'ALTER FUNCTION definer SECURITY INVOKER'),
('definer()', 'SECURITY DEFINER: write', '', 'UPDATE t SET v = 100 WHERE id = 1')
) AS g (source, way, setup, writes);
INSERT INTO ways (fixture, reader, expression, way, setup, writes) VALUES
('mine', 'dc_writes_reader', 'concat(sum(f(v)))', 'function: REVOKE', 'GRANT SELECT ON t TO PUBLIC', 'REVOKE EXECUTE ON FUNCTION f FROM PUBLIC'),
('mine', 'dc_writes_reader', 'concat(sum(f(v)))', 'function: GRANT', 'GRANT SELECT ON t TO PUBLIC; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC', 'GRANT EXECUTE ON FUNCTION f TO dc_writes_reader');
INSERT INTO ways (fixture, reader, options, way, setup, writes) SELECT 'mine', 'dc_writes_reader', E'#vary writes.k\n', way, 'GRANT SELECT ON t TO PUBLIC;' || setup, writes FROM (VALUES
('ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON t USING (v > 5)', 'ALTER TABLE t ENABLE ROW LEVEL SECURITY'),
('DISABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'ALTER TABLE t DISABLE ROW LEVEL SECURITY'),
('FORCE ROW LEVEL SECURITY', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY, OWNER TO dc_writes_reader', 'ALTER TABLE t FORCE ROW LEVEL SECURITY'),
('CREATE POLICY', 'ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON t USING (v > 5)'),
('CREATE POLICY, restrictive', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'CREATE POLICY q ON t AS RESTRICTIVE USING (v > 6)'),
('ALTER POLICY', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'ALTER POLICY p ON t USING (v > 6)'),
('ALTER POLICY, roles', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'ALTER POLICY p ON t TO dc_writes_group'),
('DROP POLICY', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'DROP POLICY p ON t'),
('ALTER ROLE BYPASSRLS', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'ALTER ROLE dc_writes_reader BYPASSRLS'),
('ALTER ROLE NOBYPASSRLS', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER ROLE dc_writes_reader BYPASSRLS', 'ALTER ROLE dc_writes_reader NOBYPASSRLS'),
('policy for a role: GRANT of it', 'CREATE POLICY p ON t TO dc_writes_group USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'GRANT dc_writes_group TO dc_writes_reader'),
('policy: write', 'CREATE POLICY p ON t USING (v > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'UPDATE t SET v = 100 WHERE id = 1'),
('policy that reads a column, UPDATE of it', 'CREATE POLICY p ON t USING (id > 5); ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'UPDATE t SET id = 100 WHERE id = 1'),
('policy that reads a table', $$SELECT dashboard_cache.watch('u'); CREATE POLICY p ON t USING (tenant IN (TABLE u)); ALTER TABLE t ENABLE ROW LEVEL SECURITY$$, 'INSERT INTO u VALUES (2)'),
('policy that asks a function that reads a table', $$SELECT dashboard_cache.watch('u');
	CREATE FUNCTION may(which int) RETURNS bool LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = fresh AS 'BEGIN RETURN EXISTS (SELECT FROM u WHERE tenant = which); END';
	CREATE POLICY p ON t USING (may(tenant)); ALTER TABLE t ENABLE ROW LEVEL SECURITY$$, 'INSERT INTO u VALUES (2)'),
('policy that asks for a setting', $$CREATE POLICY p ON t USING (v > current_setting('writes.k')::int); ALTER TABLE t ENABLE ROW LEVEL SECURITY$$, 'SET writes.k = 5
	SET ROLE dc_writes_reader
	CALL compare()
	RESET ROLE
	SET writes.k = 0')
) AS g (way, setup, writes);
:run
:show

--
-- What starts with a new session, and what psql has to send
--
INSERT INTO ways (way, fixture, source, expression) VALUES
('ALTER DATABASE SET', 't', 't', $$concat(current_setting('writes.k', true), count(*))$$),
('ALTER DATABASE RESET', 't', 't', $$concat(current_setting('writes.k', true), count(*))$$),
('ALTER ROLE SET', 't', 't', $$concat(current_setting('writes.k', true), count(*))$$),
('ALTER ROLE IN DATABASE SET', 't', 't', $$concat(current_setting('writes.k', true), count(*))$$),
('COPY FROM stdin', 't', 't', 'concat(sum(v))'),
('COPY FROM stdin, a partition', 'p', 'p_2', 'concat(sum(v))');
\set again '\\c -\\\\ SET search_path = fresh, writes, public; SET client_min_messages = warning; CALL compare(); CALL finish_way();'
CALL start_way(1, false); CALL fill();
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET writes.k = 1', current_database()); END $$;
:again
CALL start_way(2, false); CALL fill();
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET writes.k', current_database()); END $$;
:again
CALL start_way(3, false); CALL fill();
ALTER ROLE CURRENT_USER SET writes.k = 2;
:again
CALL start_way(4, false); CALL fill();
DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET writes.k = 3', current_database()); END $$;
:again
ALTER ROLE CURRENT_USER RESET writes.k;
DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I RESET writes.k', current_database()); END $$;
CALL start_way(5, false); CALL fill();
COPY t FROM stdin;
10	1	10	0
\.
CALL compare(); CALL finish_way();
CALL start_way(5, true); CALL fill();
COPY t FROM stdin;
10	1	10	0
\.
CALL compare(); CALL finish_way();
CALL start_way(6, false); CALL fill();
COPY p_2 (id, tenant, v) FROM stdin;
14	1	100
\.
CALL compare(); CALL finish_way();
:show

\c -
\set ECHO all
SET client_min_messages = warning;
DROP SCHEMA fresh, writes CASCADE;
DROP EXTENSION dashboard_cache;
DROP ROLE dc_writes_reader;
DROP ROLE dc_writes_group;
