-- Tables that are watched, and cached functions over them, none with a trigger
-- or a key of its own.  Each write adds 1 to something here too.
--
-- All tables but a few have the same columns: "v" is what most functions read,
-- "note" what few do, "pad" what only those do that read whole rows.  By the
-- seed, functions are SQL or PL/pgSQL, and tables sliced by this or that.

CREATE SCHEMA watched;
CREATE SCHEMA s1;
CREATE SCHEMA s2;
CREATE ROLE r1;
CREATE ROLE r2;
CREATE ROLE r3;
SET search_path = watched, public;
ALTER DATABASE stress SET search_path = watched, public;
SELECT setseed(:seed % 1000 / 1000.0);

-- Changes that are no matter of snapshots: compare_watched() has to know
-- whether one came in its way.
CREATE UNLOGGED SEQUENCE changes_begun;
CREATE UNLOGGED SEQUENCE changes_done;
CREATE UNLOGGED SEQUENCE changes_refused;
CREATE UNLOGGED SEQUENCE generation;
SELECT nextval('changes_begun'), nextval('changes_done');

--
-- Tables, of all shapes
--
CREATE SEQUENCE new_id START 10000;
CREATE TABLE w1 (id int DEFAULT nextval('new_id'), tenant int, region int, v bigint,
	note int, pad int DEFAULT 0, PRIMARY KEY (id, tenant, region)) WITH (fillfactor = 40);
CREATE TABLE w2 (LIKE w1 INCLUDING ALL) WITH (fillfactor = 40);
-- partitions by what the slices are by; one comes and goes
CREATE TABLE w3 (LIKE w1 INCLUDING ALL) PARTITION BY LIST (tenant);
CREATE TABLE w3_1 PARTITION OF w3 FOR VALUES IN (1, 2, 3);
CREATE TABLE w3_2 PARTITION OF w3 FOR VALUES IN (4, 5, 6, 7, 8);
CREATE TABLE w3_extra PARTITION OF w3 FOR VALUES IN (9);
-- partitions of partitions, with columns in another order
CREATE TABLE w4 (LIKE w1 INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE w4_1 PARTITION OF w4 FOR VALUES FROM (0) TO (20) PARTITION BY LIST (region);
CREATE TABLE w4_1_1 PARTITION OF w4_1 FOR VALUES IN (1);
CREATE TABLE w4_1_2 PARTITION OF w4_1 FOR VALUES IN (2, 3);
CREATE TABLE w4_2 (gone int, pad int DEFAULT 0, note int, v bigint, region int NOT NULL,
	tenant int NOT NULL, id int NOT NULL DEFAULT nextval('new_id'));
ALTER TABLE w4_2 DROP gone;
ALTER TABLE w4 ATTACH PARTITION w4_2 FOR VALUES FROM (20) TO (2000000);
CREATE TABLE w4_extra PARTITION OF w4 FOR VALUES FROM (2000000) TO (MAXVALUE);
CREATE TABLE w5 (LIKE w1 INCLUDING ALL) WITH (fillfactor = 40);
CREATE TABLE w5_child () INHERITS (w5);
CREATE TABLE w6 (LIKE w1 INCLUDING ALL) PARTITION BY HASH (region);
CREATE TABLE w6_1 PARTITION OF w6 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE w6_2 PARTITION OF w6 FOR VALUES WITH (MODULUS 2, REMAINDER 1);

INSERT INTO w1 SELECT i, i % 8 + 1, i % 3 + 1, i, 0 FROM generate_series(1, 50) i;
INSERT INTO w2 TABLE w1;
INSERT INTO w2 SELECT i, 1, 1, i, 0 FROM generate_series(60, 62) i;
INSERT INTO w3 TABLE w1;
INSERT INTO w3 VALUES (9000, 9, 1, 1, 0);
INSERT INTO w4 TABLE w1;
INSERT INTO w4 VALUES (2000001, 9, 1, 1, 0);
INSERT INTO w5 SELECT * FROM w1 WHERE id <= 25;
INSERT INTO w5_child SELECT * FROM w1 WHERE id > 25;
INSERT INTO w6 TABLE w1;

-- Foreign keys that cascade
CREATE TABLE cust (id int PRIMARY KEY, rate int);
CREATE TABLE orders (id int PRIMARY KEY DEFAULT nextval('new_id'), v bigint,
	cust int REFERENCES cust ON UPDATE CASCADE ON DELETE CASCADE);
CREATE INDEX ON orders (cust);
CREATE FUNCTION fill_cust() RETURNS void LANGUAGE sql AS '
	INSERT INTO watched.cust SELECT i, 1 FROM generate_series(1, 8) i;
	INSERT INTO watched.orders SELECT nextval(''watched.new_id''), i, i % 8 + 1
		FROM generate_series(1, 20) i';
SELECT fill_cust();

-- Triggers that set what the statement does not; w1's comes and goes
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN NEW.v := OLD.v + 2; RETURN NEW; END';
CREATE TRIGGER counted BEFORE UPDATE ON w4_1_2
	FOR EACH ROW EXECUTE FUNCTION counted();
CREATE TRIGGER counted BEFORE UPDATE ON w5_child
	FOR EACH ROW EXECUTE FUNCTION counted();

-- What writes in the middle of another write
CREATE FUNCTION bump(c int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	UPDATE watched.orders SET v = v + 1 WHERE cust = c;
	RETURN 1;
END $$;

-- Tables that are not always there
CREATE FUNCTION write_new() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	UPDATE watched.w3_new SET v = v + 1;
	UPDATE watched.w5_new SET v = v + 1;
EXCEPTION
	WHEN undefined_table OR lock_not_available THEN
END $$;

-- Views: one to write through by itself, one by rules, one that changes
CREATE VIEW v1 AS SELECT id, tenant, region, v FROM w1;
CREATE VIEW v3 AS SELECT id, tenant, region, v FROM w3 WHERE tenant < 9;
CREATE VIEW ruled AS SELECT id, tenant, v FROM w2;
CREATE RULE written AS ON UPDATE TO ruled DO INSTEAD
	UPDATE w2 SET v = NEW.v WHERE id = OLD.id;
CREATE VIEW several AS SELECT tenant, v FROM v1
	UNION ALL SELECT tenant, v FROM v3 UNION ALL SELECT tenant, v FROM w5;
CREATE VIEW changing AS SELECT tenant, v FROM w1;
CREATE MATERIALIZED VIEW stored AS SELECT tenant, sum(v) AS total FROM w2 GROUP BY tenant;
CREATE UNIQUE INDEX ON stored (tenant);

-- What the search path, privileges and policies choose
CREATE TABLE s1.items (v bigint);
CREATE TABLE s2.items (v bigint);
INSERT INTO s1.items VALUES (10);
INSERT INTO s2.items VALUES (1000);
CREATE TABLE secrets (tenant int, v bigint);
CREATE TABLE secured (tenant int, v bigint);
INSERT INTO secrets SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO secured SELECT i, i FROM generate_series(1, 9) i;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secured USING (tenant = current_setting('stress.tenant')::int);

--
-- Functions, cached by cache(), which watches what they read
--
CREATE TABLE subjects (n int PRIMARY KEY, call text);

-- A function, and its number for compare_watched()
CREATE PROCEDURE make(nr int, name text, argument text, query text, slice text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
	argument_type text := split_part(argument, ' ', 2);
	in_sql boolean := random() < 0.7;
BEGIN
	EXECUTE format('CREATE FUNCTION watched.%I(%s) RETURNS text LANGUAGE %s STABLE AS %L',
		name, argument, CASE WHEN in_sql THEN 'sql' ELSE 'plpgsql' END,
		CASE WHEN in_sql THEN query ELSE format('BEGIN RETURN (%s); END', query) END);
	PERFORM dashboard_cache.cache(format('watched.%I(%s)', name, argument_type),
		ttl => 'infinity', slice => slice);
	INSERT INTO subjects VALUES (nr, name || CASE split_part(argument, ' ', 1)
		WHEN 't' THEN '(%1$s)' WHEN 'r' THEN '(%2$s)' ELSE '()' END);
END $$;

-- Some declare slices that their table is not watched with, and some do not
-- declare those that it has: both is right, if wide.
DO $$
DECLARE
	w text;
	by_tenant text;
	by_region text;
BEGIN
	FOR i IN 1..6 LOOP
		w := 'w' || i;
		IF i IN (1, 3) OR random() < 0.5 THEN
			PERFORM dashboard_cache.watch(w::regclass, slice => 'tenant');
		END IF;
		IF random() < 0.4 THEN
			PERFORM dashboard_cache.watch(w::regclass, slice => 'region');
		END IF;
		by_tenant := format('watched.%s.tenant = t', w);
		by_region := format('watched.%s.region = r', w);
		CALL make(5 * i - 4, 'sum_' || w, 't int',
			format('SELECT sum(v)::text FROM watched.%s WHERE tenant = t', w),
			by_tenant);
		CALL make(5 * i - 3, 'region_' || w, 'r int',
			format('SELECT sum(v)::text FROM watched.%s WHERE region = r', w),
			CASE WHEN random() < 0.7 THEN by_region END);
		CALL make(5 * i - 2, 'rows_' || w, '',
			format('SELECT count(*)::text FROM watched.%s', w));
		CALL make(5 * i - 1, 'notes_' || w, 't int',
			format('SELECT sum(note)::text FROM watched.%s WHERE tenant = t', w),
			CASE WHEN random() < 0.5 THEN by_tenant END);
		CALL make(5 * i, 'whole_' || w, 't bigint',
			format('SELECT sum(hashtext(w::text))::text FROM watched.%s w WHERE tenant = t', w),
			CASE WHEN random() < 0.5 THEN by_tenant END);
	END LOOP;
END $$;
SELECT dashboard_cache.watch('orders', slice => 'cust');

CREATE FUNCTION factor() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION ratio() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CALL make(31, 'several_sum', 't int', 'SELECT sum(v)::text FROM watched.several WHERE tenant = t',
	'w1.tenant = t, w5.tenant = t');
CALL make(32, 'changing_sum', 't int', 'SELECT sum(v)::text FROM watched.changing WHERE tenant = t');
CALL make(33, 'factored', 't int', 'SELECT watched.sum_w2(t) || ''*'' || watched.factor() || ''*'' || watched.ratio()');
CALL make(34, 'orders_sum', 't int', 'SELECT sum(v)::text FROM watched.orders WHERE cust = t',
	'orders.cust = t');
CALL make(35, 'joined', '', 'SELECT sum(v * rate)::text FROM watched.orders o, watched.cust c WHERE o.cust = c.id');
CALL make(36, 'stored_sum', 't int', 'SELECT total::text FROM watched.stored WHERE tenant = t');

-- Made of others, whose slices it takes over
CREATE FUNCTION made(t int) RETURNS text LANGUAGE sql STABLE AS
	'SELECT watched.sum_w1(t) || watched.notes_w3(t) || watched.factored(t)';
CREATE FUNCTION cached_made(t int) RETURNS text LANGUAGE cached STABLE AS '
	#ttl infinity
	SELECT watched.cached_sum_w1(t) || watched.cached_notes_w3(t)
		|| watched.cached_factored(t) WHERE public.pause()';
INSERT INTO subjects VALUES (37, 'made(%1$s)');

-- For read_as.sql only
SET search_path = watched, public, s1;
CREATE FUNCTION items() RETURNS text LANGUAGE plpgsql STABLE AS
	'BEGIN RETURN (SELECT sum(v) FROM items); END';
SELECT dashboard_cache.cache('items()', ttl => 'infinity');
SELECT dashboard_cache.watch('s2.items');
SET search_path = watched, public;
CREATE FUNCTION secret(t int) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN
	RETURN (SELECT sum(v) FROM watched.secrets WHERE tenant = t);
EXCEPTION
	WHEN insufficient_privilege THEN
		RETURN 'may not';
END $$;
SELECT dashboard_cache.cache('secret(int)', ttl => 'infinity');
CREATE FUNCTION secured() RETURNS text LANGUAGE sql STABLE AS
	'SELECT sum(v)::text FROM watched.secured';
SELECT dashboard_cache.cache('secured()', ttl => 'infinity', vary => 'stress.tenant');
INSERT INTO subjects VALUES (41, 'items()'), (42, 'secret(%1$s)'), (43, 'secured()');

GRANT USAGE ON SCHEMA watched, s1, s2 TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA watched, s1, s2 TO r1, r2;
REVOKE ALL ON secrets FROM r1, r2;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, watched TO r1, r2;

--
-- Comparing
--

-- Nobody keeps a lock on it, so whoever asks for its size takes one, and with
-- it notices all that others have changed.
CREATE TABLE beacon ();

-- Cached and plain are read by one statement, but what a statement uses of
-- definitions is what there is when it gets there.  So if they differ and a
-- change came in between, that says nothing, and they are compared again.
CREATE FUNCTION compare_watched(subject int, t int) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	what text;
	cached text;
	plain text;
	done bigint;
	begun bigint;
BEGIN
	SELECT format(call, t, t % 3 + 1) INTO STRICT what
		FROM watched.subjects WHERE n = subject;
	FOR attempt IN 1..1000 LOOP
		done := pg_sequence_last_value('watched.changes_done');
		begun := pg_sequence_last_value('watched.changes_begun');
		PERFORM pg_relation_size('watched.beacon');
		EXECUTE format('SELECT watched.cached_%1$s, watched.%1$s', what)
			INTO cached, plain;
		EXIT WHEN cached IS NOT DISTINCT FROM plain;
		EXIT WHEN begun = done
			AND begun = pg_sequence_last_value('watched.changes_begun');
		PERFORM pg_sleep(0.01);
	END LOOP;
	PERFORM public.note(what, cached, plain);
END $$;

-- One of the functions over a table
CREATE FUNCTION compare_table(nr int, t int) RETURNS void
LANGUAGE sql VOLATILE AS
	'SELECT watched.compare_watched(5 * nr - (random() * 4.99)::int % 5, t)';

-- Waits for the end of a change, for a while.
CREATE FUNCTION await_change() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	done bigint := pg_sequence_last_value('watched.changes_done');
BEGIN
	FOR attempt IN 1..400 LOOP
		EXIT WHEN done <> pg_sequence_last_value('watched.changes_done');
		PERFORM pg_sleep(0.002);
	END LOOP;
END $$;

--
-- Changes
--

-- With what it had, with more, or with less: tables may change their slices
CREATE FUNCTION watch_again(w regclass, slices text[]) RETURNS void
LANGUAGE plpgsql AS $$ BEGIN
	PERFORM dashboard_cache.unwatch(w);
	PERFORM dashboard_cache.watch(w);
	PERFORM dashboard_cache.watch(w, slice) FROM unnest(slices) slice;
END $$;

CREATE FUNCTION is_partition(part regclass) RETURNS boolean LANGUAGE sql AS
	'SELECT relispartition FROM pg_class WHERE oid = part';

CREATE FUNCTION has_column(w regclass, name name) RETURNS boolean LANGUAGE sql AS
	'SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = w AND attname = name)';

-- What waits for others' locks gives up soon, so as not to have others wait.
CREATE FUNCTION change(what int, n int, how int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	w text := 'w' || n;
BEGIN
	SET LOCAL lock_timeout = '100ms';
	CASE what
		WHEN 1 THEN
			PERFORM watch_again(w::regclass,
				(ARRAY['{}', '{tenant}', '{region}', '{tenant, region}'])[how]::text[]);
		WHEN 2 THEN
			PERFORM dashboard_cache.watch(w::regclass, slice => 'tenant');
		WHEN 3 THEN
			IF is_partition('w3_extra') THEN
				ALTER TABLE w3 DETACH PARTITION w3_extra;
			ELSE
				ALTER TABLE w3 ATTACH PARTITION w3_extra FOR VALUES IN (9);
			END IF;
		WHEN 4 THEN
			IF is_partition('w4_extra') THEN
				ALTER TABLE w4 DETACH PARTITION w4_extra;
			ELSE
				ALTER TABLE w4 ATTACH PARTITION w4_extra
					FOR VALUES FROM (2000000) TO (MAXVALUE);
			END IF;
		WHEN 5 THEN
			IF to_regclass('w3_new') IS NULL THEN
				CREATE TABLE w3_new PARTITION OF w3 FOR VALUES IN (10, 11);
				INSERT INTO w3 VALUES (9010, 10, 1, how, 1), (9011, 11, 1, 1, 1);
			ELSE
				DROP TABLE w3_new;
			END IF;
		WHEN 6 THEN
			IF to_regclass('w5_new') IS NULL THEN
				CREATE TABLE w5_new () INHERITS (w5);
				INSERT INTO w5_new VALUES (9001, 9, 1, how, 1);
			ELSE
				DROP TABLE w5_new;
			END IF;
		WHEN 7 THEN
			-- what is detached at the time would no longer fit
			IF n IN (3, 4) THEN
				RETURN;
			END IF;
			IF has_column(w::regclass, 'more') THEN
				EXECUTE format('ALTER TABLE %s DROP more', w);
			ELSE
				EXECUTE format('ALTER TABLE %s ADD more int DEFAULT %s', w, how);
			END IF;
		WHEN 8 THEN
			IF n IN (3, 4) THEN
				RETURN;
			END IF;
			EXECUTE format('ALTER TABLE %s ALTER pad TYPE %s, ALTER pad SET DEFAULT %s', w,
				CASE WHEN how % 2 = 0 THEN 'bigint' ELSE 'int' END, how);
		WHEN 9 THEN
			-- unseen by the triggers, but not by those that wait for the change
			EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', w);
			EXECUTE format('UPDATE %s SET v = v + 1 WHERE tenant = %s', w, how);
			PERFORM watch_again(w::regclass, '{tenant}');
		WHEN 10 THEN
			EXECUTE format('CREATE OR REPLACE VIEW changing AS
				SELECT tenant, v + %s AS v FROM w1', nextval('generation'));
		WHEN 11 THEN
			REFRESH MATERIALIZED VIEW stored;
		WHEN 12 THEN
			REFRESH MATERIALIZED VIEW CONCURRENTLY stored;
		WHEN 13 THEN
			IF how % 2 = 0 THEN
				ALTER POLICY own ON secured
					USING (tenant = current_setting('stress.tenant')::int);
			ELSE
				ALTER POLICY own ON secured
					USING (tenant <> current_setting('stress.tenant')::int);
			END IF;
		WHEN 14 THEN
			IF EXISTS (SELECT FROM pg_trigger
					WHERE tgname = 'counted' AND tgrelid = 'w1'::regclass) THEN
				DROP TRIGGER counted ON w1;
			ELSE
				CREATE TRIGGER counted BEFORE UPDATE ON w1
					FOR EACH ROW EXECUTE FUNCTION counted();
			END IF;
		WHEN 15 THEN
			TRUNCATE w6_1;
		WHEN 16 THEN
			TRUNCATE w3_extra, w5_child;
			INSERT INTO w3_extra VALUES (9000, 9, 1, nextval('generation'), 0);
			INSERT INTO w5_child SELECT i, i % 8 + 1, i % 3 + 1, i, 0
				FROM generate_series(26, 50) i;
		WHEN 17 THEN
			TRUNCATE cust CASCADE;
			PERFORM fill_cust();
		WHEN 18 THEN
			TRUNCATE w6;
			INSERT INTO w6 SELECT i, i % 8 + 1, i % 3 + 1, nextval('generation'), 0
				FROM generate_series(1, 50) i;
	END CASE;
EXCEPTION
	WHEN lock_not_available OR deadlock_detected THEN
		PERFORM nextval('changes_refused');
END $$;
