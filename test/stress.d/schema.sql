-- The tables, their ways to invalidate, and the cached functions over them.
-- Each write adds 1 to something, so an old result never equals a new one.

CREATE EXTENSION dashboard_cache;

-- Unlogged, so that counting gives a reader no transaction id.
CREATE UNLOGGED SEQUENCE checks;
CREATE UNLOGGED SEQUENCE differences;

-- 24 keys; rows 1 to 4 for short writes, those from 10 on for one slow
-- writer each, who would hold up the others.
CREATE TABLE by_row (k int, i int, v bigint, PRIMARY KEY (k, i))
	WITH (fillfactor = 20);
CREATE TABLE by_statement (LIKE by_row INCLUDING ALL) WITH (fillfactor = 20);
CREATE TABLE by_guess (LIKE by_row INCLUDING ALL) WITH (fillfactor = 20);
CREATE TABLE by_glob (LIKE by_row INCLUDING ALL) WITH (fillfactor = 20);
CREATE TABLE by_hand (LIKE by_row INCLUDING ALL) WITH (fillfactor = 20);
CREATE TABLE by_prefix (LIKE by_row INCLUDING ALL) WITH (fillfactor = 20);
INSERT INTO by_row SELECT k, i, 0 FROM generate_series(1, 24) k, generate_series(1, 30) i;
INSERT INTO by_statement TABLE by_row;
INSERT INTO by_guess TABLE by_row;
INSERT INTO by_glob TABLE by_row;
INSERT INTO by_hand TABLE by_row;
INSERT INTO by_prefix TABLE by_row;

-- Some bodies take longer than others' commits.
CREATE FUNCTION pause() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN
	IF random() < 0.1 THEN
		PERFORM pg_sleep(0.001 + random() * 0.004);
	END IF;
	RETURN true;
END $$;

--
-- A scalar, invalidated row by row through its exact key
--
CREATE FUNCTION plain_by_row(k int) RETURNS bigint LANGUAGE sql STABLE AS
	'SELECT sum(v) FROM by_row t WHERE t.k = $1';
CREATE FUNCTION cached_by_row(k int) RETURNS bigint LANGUAGE cached STABLE AS '
	#key by_row:{k}
	SELECT plain_by_row(k) WHERE pause()';

CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON by_row
	FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate(
		'by_row:{k}', 'part:{k}', 'report:{k}', 'late:{k}');

--
-- A document, invalidated by prefix from transition tables
--
CREATE FUNCTION plain_by_statement(k int, what text) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(what, CASE what WHEN 'sum' THEN to_jsonb(sum(v))
							  ELSE jsonb_agg(v ORDER BY i) END)
	FROM by_statement t WHERE t.k = $1
$$;
CREATE FUNCTION cached_by_statement(k int, what text) RETURNS jsonb
LANGUAGE cached STABLE AS '
	#ttl infinity
	#key by_statement:{k}:{what}
	SELECT plain_by_statement(k, what) WHERE pause()';

CREATE TRIGGER inserted AFTER INSERT ON by_statement
	REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION
	dashboard_cache.invalidate('by_statement:{k}:*', 'report:{k}');
CREATE TRIGGER updated AFTER UPDATE ON by_statement
	REFERENCING OLD TABLE AS old NEW TABLE AS new
	FOR EACH STATEMENT EXECUTE FUNCTION
	dashboard_cache.invalidate('by_statement:{k}:*', 'report:{k}');
CREATE TRIGGER deleted AFTER DELETE ON by_statement
	REFERENCING OLD TABLE AS old FOR EACH STATEMENT EXECUTE FUNCTION
	dashboard_cache.invalidate('by_statement:{k}:*', 'report:{k}');

--
-- A set, invalidated by a statement trigger that knows no rows: a glob
--
CREATE FUNCTION plain_by_guess(k int) RETURNS SETOF by_guess
LANGUAGE sql STABLE AS
	'SELECT * FROM by_guess t WHERE t.k = $1 AND v > 0 ORDER BY i';
CREATE FUNCTION cached_by_guess(k int) RETURNS SETOF by_guess
LANGUAGE cached STABLE AS '
	#key by_guess:{k}:rows
	SELECT g.* FROM plain_by_guess(k) g WHERE pause()';

CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON by_guess
	FOR EACH STATEMENT EXECUTE FUNCTION
	dashboard_cache.invalidate('by_guess:{k}:rows');

--
-- Many wide texts, invalidated row by row through a glob; they do not all
-- fit into the memory that they are given
--
CREATE FUNCTION plain_by_glob(k int, part int) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT repeat(md5(sum(v)::text || part), 100 + 10 * part)
	FROM by_glob t WHERE t.k = $1
$$;
CREATE FUNCTION cached_by_glob(k int, part int) RETURNS text
LANGUAGE cached STABLE AS '
	#key by_glob:{k}:{part}:wide
	SELECT plain_by_glob(k, part) WHERE pause()';

CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON by_glob
	FOR EACH ROW EXECUTE FUNCTION
	dashboard_cache.invalidate('[a-c]y_glob:{k}:*:w?de');

--
-- The same, but seldom written, and through prefixes, so that what is evicted
-- from shared memory can come back from Redis
--
CREATE FUNCTION plain_by_prefix(k int, part int) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT repeat(md5(sum(v)::text || part), 100 + 10 * part)
	FROM by_prefix t WHERE t.k = $1
$$;
CREATE FUNCTION cached_by_prefix(k int, part int) RETURNS text
LANGUAGE cached STABLE AS '
	#key by_prefix:{k}:{part}
	SELECT plain_by_prefix(k, part) WHERE pause()';

CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON by_prefix
	FOR EACH ROW EXECUTE FUNCTION
	dashboard_cache.invalidate('by_prefix:{k}:*');

--
-- Often NULL; whoever writes says what that invalidates
--
CREATE FUNCTION plain_by_hand(k int) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN sum(v) % 3 > 0 THEN sum(v) END
	FROM by_hand t WHERE t.k = $1
$$;
CREATE FUNCTION cached_by_hand(k int) RETURNS bigint
LANGUAGE cached STABLE AS '
	#key hand:{k}
	#tags hands, hand-{k}
	#cache_nulls on
	SELECT plain_by_hand(k) WHERE pause()';

CREATE FUNCTION invalidate_by_hand(k int, how int) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	CASE how
		WHEN 1, 2, 3 THEN PERFORM dashboard_cache.invalidate_key('hand:' || k);
		WHEN 4, 5, 6 THEN PERFORM dashboard_cache.invalidate_tag('hand-' || k);
		WHEN 7, 8, 9 THEN PERFORM dashboard_cache.invalidate_pattern('h[^b-z]nd:' || k);
		WHEN 10, 11 THEN PERFORM dashboard_cache.invalidate_pattern('hand:' || k);
		WHEN 12 THEN PERFORM dashboard_cache.invalidate_pattern('hand:*');
		WHEN 13 THEN PERFORM dashboard_cache.invalidate_tag('hands');
	END CASE;
END $$;

CREATE FUNCTION write_by_hand(key int, nr int, how int) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	UPDATE by_hand SET v = v + 1 WHERE k = key AND i = nr;
	PERFORM invalidate_by_hand(key, how);
END $$;

-- An exception that is caught rolls a subtransaction back.
CREATE FUNCTION write_in_vain(key int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	UPDATE by_row SET v = v + 1 WHERE k = key AND i = 1;
	PERFORM write_by_hand(key, 1, 4);
	RAISE division_by_zero;
EXCEPTION
	WHEN division_by_zero THEN
END $$;

--
-- Over two tables, by way of another cached function
--
CREATE FUNCTION cached_part(k int) RETURNS bigint LANGUAGE cached STABLE AS '
	#key part:{k}
	SELECT plain_by_row(k) WHERE pause()';
CREATE FUNCTION cached_report(k int) RETURNS TABLE (rows bigint, part bigint)
LANGUAGE cached STABLE AS '
	#key report:{k}
	SELECT sum(s.v)::bigint, cached_part($1) FROM by_statement s
	WHERE s.k = $1 AND pause()';
CREATE FUNCTION plain_report(k int) RETURNS TABLE (rows bigint, part bigint)
LANGUAGE sql STABLE AS
	'SELECT sum(s.v)::bigint, plain_by_row($1) FROM by_statement s WHERE s.k = $1';

--
-- A query that may see more than its snapshot, except in REPEATABLE READ
--
CREATE FUNCTION late_sum(key int) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	PERFORM pause();
	RETURN (SELECT sum(v) FROM by_row WHERE k = key);
END $$;
CREATE FUNCTION cached_late(k int) RETURNS bigint LANGUAGE cached STABLE AS '
	#key late:{k}
	SELECT late_sum(k)';

--
-- Comparing
--
CREATE FUNCTION note(what text, cached text, plain text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	PERFORM nextval('checks');
	IF cached IS DISTINCT FROM plain THEN
		PERFORM nextval('differences');
		RAISE LOG 'difference: % is cached as "%", and is "%"; %, snapshot %', what,
			left(cached, 100), left(plain, 100),
			current_setting('transaction_isolation'), pg_current_snapshot();
	END IF;
END $$;

-- Cached and plain are read by one statement.
CREATE FUNCTION compare(subject int, k int, d int) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_variable
DECLARE
	what text;
	cached text;
	plain text;
BEGIN
	CASE subject
		WHEN 1, 2 THEN
			SELECT format('by_row(%s)', k),
				cached_by_row(k), plain_by_row(k)
				INTO what, cached, plain;
		WHEN 3 THEN
			SELECT format('by_statement(%s, %s)', k, f),
				cached_by_statement(k, f), plain_by_statement(k, f)
				INTO what, cached, plain
				FROM (SELECT (ARRAY['sum', 'list'])[1 + d % 2]) AS one_of(f);
		WHEN 4 THEN
			SELECT format('by_guess(%s)', k),
				(SELECT array_agg(c) FROM cached_by_guess(k) c),
				(SELECT array_agg(p) FROM plain_by_guess(k) p)
				INTO what, cached, plain;
		WHEN 5 THEN
			SELECT format('by_glob(%s, %s)', k, d),
				cached_by_glob(k, d), plain_by_glob(k, d)
				INTO what, cached, plain;
		WHEN 6, 7 THEN
			SELECT format('by_hand(%s)', k),
				cached_by_hand(k), plain_by_hand(k)
				INTO what, cached, plain;
		WHEN 8 THEN
			SELECT format('report(%s)', k), c, p
				INTO what, cached, plain
				FROM cached_report(k) c, plain_report(k) p;
		WHEN 9 THEN
			SELECT format('late(%s)', k), cached_late(k), plain_by_row(k)
				INTO what, cached, plain;
			-- There the query may have seen newer rows, rightly.
			IF current_setting('transaction_isolation') = 'read committed' THEN
				RETURN;
			END IF;
		WHEN 10 THEN
			SELECT format('by_prefix(%s, %s)', k, d),
				cached_by_prefix(k, d), plain_by_prefix(k, d)
				INTO what, cached, plain;
	END CASE;
	PERFORM note(what, cached, plain);
END $$;

-- What is refused when it wants to commit has got as far as it can.
CREATE TABLE refused (k int);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE serialization_failure USING MESSAGE = 'stress: refused at commit';
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON refused
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
