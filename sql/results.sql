-- Every kind of result comes back from the cache as the query made it
CREATE EXTENSION dashboard_cache;
CREATE SCHEMA results;
SET search_path = results;

-- Calls twice: ran is what the query gave, kept what the cache did.
CREATE FUNCTION hits(name text) RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT hits FROM dashboard_cache.stats WHERE function = name::regproc $$;

CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE wide (id int, dropped text, body text, added text DEFAULT 'x');
ALTER TABLE wide DROP COLUMN dropped;
ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
INSERT INTO wide SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 3) i;

CREATE FUNCTION f_int() RETURNS int LANGUAGE cached STABLE AS 'SELECT 42';
CREATE FUNCTION f_numeric() RETURNS numeric LANGUAGE cached STABLE AS 'SELECT 1.500';
CREATE FUNCTION f_bool() RETURNS bool LANGUAGE cached STABLE AS 'SELECT true';
CREATE FUNCTION f_name() RETURNS name LANGUAGE cached STABLE AS 'SELECT ''a name''::name';
CREATE FUNCTION f_uuid() RETURNS uuid LANGUAGE cached STABLE AS 'SELECT ''6dd47c5a-1e1a-4c6d-8b0f-d6a0d2f1e9b7''::uuid';
CREATE FUNCTION f_text() RETURNS text LANGUAGE cached STABLE AS 'SELECT body FROM wide WHERE id = 1';
CREATE FUNCTION f_varchar_as_text() RETURNS text LANGUAGE cached STABLE AS 'SELECT ''v''::varchar';
CREATE FUNCTION f_jsonb() RETURNS jsonb LANGUAGE cached STABLE AS 'SELECT jsonb_object_agg(id, body) FROM wide';
CREATE FUNCTION f_array() RETURNS text[] LANGUAGE cached STABLE AS 'SELECT array_agg(body ORDER BY id) FROM wide';
CREATE FUNCTION f_domain() RETURNS positive LANGUAGE cached STABLE AS 'SELECT 7::positive';
CREATE FUNCTION f_enum() RETURNS mood LANGUAGE cached STABLE AS 'SELECT ''ok''::mood';
CREATE FUNCTION f_range() RETURNS int4range LANGUAGE cached STABLE AS 'SELECT int4range(1, 5)';
CREATE FUNCTION f_pair() RETURNS pair LANGUAGE cached STABLE AS 'SELECT 1, ''one''';
CREATE FUNCTION f_pair_value() RETURNS pair LANGUAGE cached STABLE AS 'SELECT ROW(2, ''two'')::pair';
CREATE FUNCTION f_pairs() RETURNS pair[] LANGUAGE cached STABLE AS 'SELECT ARRAY[ROW(1, ''a''), ROW(2, NULL)]::pair[]';
CREATE FUNCTION f_row() RETURNS wide LANGUAGE cached STABLE AS 'SELECT * FROM wide WHERE id = 2';
CREATE FUNCTION f_row_value() RETURNS wide LANGUAGE cached STABLE AS 'SELECT w FROM wide w WHERE id = 3';
CREATE FUNCTION f_out(OUT a int, OUT b text) LANGUAGE cached STABLE AS 'SELECT 1, ''out''';
CREATE FUNCTION f_set() RETURNS SETOF int LANGUAGE cached STABLE AS 'SELECT generate_series(1, 3)';
CREATE FUNCTION f_set_null() RETURNS SETOF int LANGUAGE cached STABLE AS 'VALUES (1), (NULL), (3)';
CREATE FUNCTION f_set_row() RETURNS SETOF wide LANGUAGE cached STABLE AS 'TABLE wide';
CREATE FUNCTION f_set_row_value() RETURNS SETOF pair LANGUAGE cached STABLE AS 'VALUES (ROW(1, ''a'')::pair), (NULL), (ROW(NULL, NULL)::pair)';
CREATE FUNCTION f_table() RETURNS TABLE (id int, len int) LANGUAGE cached STABLE AS 'SELECT id, length(body) FROM wide ORDER BY 1';
CREATE FUNCTION f_empty() RETURNS SETOF int LANGUAGE cached STABLE AS 'SELECT 1 WHERE false';

CREATE FUNCTION check_all() RETURNS TABLE (name text, ran text, equal bool, hit bool) LANGUAGE plpgsql AS $$
DECLARE
	p record;
	first text; second text; before bigint;
BEGIN
	FOR p IN SELECT proname, oid FROM pg_proc
		WHERE pronamespace = 'results'::regnamespace AND proname LIKE 'f\_%' ORDER BY 1
	LOOP
		EXECUTE format('SELECT string_agg(x::text, '' '') FROM %I() x', p.proname) INTO first;
		before := hits(p.oid::regproc::text);
		EXECUTE format('SELECT string_agg(x::text, '' '') FROM %I() x', p.proname) INTO second;
		name := p.proname;
		ran := left(first, 40);
		equal := first IS NOT DISTINCT FROM second;
		hit := hits(p.oid::regproc::text) = before + 1;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM check_all();

-- where rows are taken apart
SELECT a, b FROM f_out();
SELECT (f_pair()).*;
SELECT (f_row()).id, length((f_row()).body), (f_row()).added;
SELECT id, length(body), added FROM f_set_row();
SELECT * FROM f_table();
SELECT f_set();
SELECT (f_pairs())[1].b, f_jsonb() = f_jsonb();
SELECT count(*) FROM f_set() a, f_table() b;

-- the first row is the value; no row is NULL
CREATE FUNCTION many() RETURNS int LANGUAGE cached STABLE AS 'SELECT id FROM wide ORDER BY id DESC';
CREATE FUNCTION no_value() RETURNS int LANGUAGE cached STABLE AS 'SELECT 1 WHERE false';
CREATE FUNCTION no_value_kept() RETURNS int LANGUAGE cached STABLE AS $$
#cache_nulls on
SELECT 1 WHERE false $$;
CREATE FUNCTION no_row() RETURNS wide LANGUAGE cached STABLE AS 'SELECT * FROM wide WHERE false';
CREATE FUNCTION no_row_kept() RETURNS wide LANGUAGE cached STABLE AS $$
#cache_nulls on
SELECT * FROM wide WHERE false $$;
SELECT many(), no_value(), no_value_kept(), no_row(), no_row_kept();
SELECT many(), no_value(), no_value_kept(), no_row(), no_row_kept();
SELECT function, hits, misses, fills, "null" FROM dashboard_cache.stats
WHERE function::text ~ 'many|no_value|no_row' ORDER BY function::text;

-- large values: ten megabytes are kept, more than max_entry_size are not
CREATE FUNCTION large(megabytes int) RETURNS text LANGUAGE cached STABLE
AS $$ SELECT repeat(md5(megabytes::text), megabytes * 32768) $$;
CREATE FUNCTION large_set(megabytes int) RETURNS SETOF text LANGUAGE cached STABLE
AS $$ SELECT repeat(md5(i::text), 32768) FROM generate_series(1, megabytes) i $$;
SELECT md5(large(10)) = md5(large(10)) AS same, length(large(10)), length(large(17));
SELECT count(*), sum(length(x)) FROM large_set(10) x;
SELECT count(*), sum(length(x)) FROM large_set(10) x;
SELECT count(*), sum(length(x)) FROM large_set(17) x;
SET dashboard_cache.max_entry_size = '1kB';
SELECT length(large(1));
RESET dashboard_cache.max_entry_size;
SELECT function, hits, misses, fills, too_large FROM dashboard_cache.stats
WHERE function::text ~ 'large' ORDER BY function::text;

-- a type that changes its layout is never read in the old one
SELECT f_pair(), length(f_row()::text);
ALTER TYPE pair ALTER ATTRIBUTE a TYPE text;
SELECT f_pair();
CREATE OR REPLACE FUNCTION f_pair() RETURNS pair LANGUAGE cached STABLE AS 'SELECT ''1''::text, ''one''';
SELECT f_pair();
SELECT f_pair_value();
SELECT f_pair_value();
ALTER TABLE wide ADD COLUMN more int DEFAULT 5;
SELECT (f_row()).more, (f_row()).id;

-- nor is a call that is under way given the new layout
CREATE TYPE changing AS (a text, b text);
CREATE FUNCTION change(n int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	IF n > 0 THEN
		ALTER TYPE changing ADD ATTRIBUTE more text;
		BEGIN PERFORM changed(0); EXCEPTION WHEN OTHERS THEN NULL; END;
	END IF;
	RETURN n;
END $$;
CREATE FUNCTION changed(n int) RETURNS SETOF changing LANGUAGE cached STABLE AS $$
SELECT 'v', change(CASE WHEN i = 2 THEN n ELSE 0 END) FROM generate_series(1, 3) i $$;
SELECT a, b FROM changed(1);

-- values that hardly are any, or that not every way to write them keeps
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
CREATE FUNCTION nothings() RETURNS SETOF nothing LANGUAGE cached STABLE AS 'SELECT * FROM nothing';
CREATE FUNCTION one_nothing() RETURNS nothing LANGUAGE cached STABLE AS 'SELECT n FROM nothing n LIMIT 1';
CREATE FUNCTION xmls() RETURNS xml[] LANGUAGE cached STABLE AS $$ SELECT ARRAY['<?xml version="1.0"?><a/>'::xml] $$;
CREATE FUNCTION xml_rows() RETURNS TABLE (x xml, t text) LANGUAGE cached STABLE AS $$ SELECT '<?xml version="1.0"?><a/>'::xml, '' $$;
CREATE FUNCTION acls() RETURNS aclitem[] LANGUAGE cached STABLE AS $$ SELECT relacl FROM pg_class WHERE relname = 'pg_class' $$;
CREATE TYPE level AS ENUM ('low', 'high');
CREATE FUNCTION levels() RETURNS TABLE (l level, ls level[]) LANGUAGE cached STABLE AS $$ SELECT 'high'::level, '{low,high}'::level[] $$;
CREATE FUNCTION deep() RETURNS jsonb LANGUAGE cached STABLE AS $$ SELECT (repeat('[', 1000) || repeat(']', 1000))::jsonb $$;
SELECT (SELECT count(*) FROM nothings()), (SELECT count(*) FROM nothings()), one_nothing(), one_nothing(), one_nothing() IS NULL AS "null";
SELECT (xmls())[1]::text, (xmls())[1]::text, acls() = acls() AS acls, length(deep()::text), length(deep()::text);
SELECT x::text, t FROM xml_rows(); SELECT x::text, t FROM xml_rows();
SELECT * FROM levels(); SELECT * FROM levels();
BEGIN;
ALTER TYPE level RENAME VALUE 'low' TO 'middle'; ALTER TYPE level RENAME VALUE 'high' TO 'low'; ALTER TYPE level RENAME VALUE 'middle' TO 'high';
COMMIT;
SELECT * FROM levels();

-- an error leaves nothing behind
CREATE FUNCTION failing(divisor int) RETURNS int LANGUAGE cached STABLE AS 'SELECT 10 / divisor';
SELECT failing(0);
SELECT failing(0);
SELECT failing(5), failing(5);
SET statement_timeout = '100ms';
CREATE FUNCTION slow(seconds float) RETURNS text LANGUAGE cached STABLE AS 'SELECT ''slept'' FROM (SELECT pg_sleep(seconds)) x';
SELECT slow(10);
RESET statement_timeout;
SELECT slow(0), slow(0);
SELECT function, hits, misses, fills, error FROM dashboard_cache.stats
WHERE function::text ~ 'failing|slow' ORDER BY function::text;

-- where a set is not possible
SELECT 1 WHERE f_set() = 1;

SET client_min_messages = warning;
DROP SCHEMA results CASCADE;
DROP EXTENSION dashboard_cache;
