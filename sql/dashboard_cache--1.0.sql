/* dashboard_cache 1.0 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION dashboard_cache" to load this file. \quit

CREATE SCHEMA dashboard_cache;
COMMENT ON SCHEMA dashboard_cache IS
	'Result cache for aggregate queries: functions to define, invalidate and watch it.';
GRANT USAGE ON SCHEMA dashboard_cache TO PUBLIC;

--
-- The language
--

CREATE FUNCTION dashboard_cache.call_handler() RETURNS language_handler
AS 'MODULE_PATHNAME', 'dashboard_cache_call_handler' LANGUAGE C;
COMMENT ON FUNCTION dashboard_cache.call_handler() IS
	'Call handler of the language "cached".';

CREATE FUNCTION dashboard_cache.validator(function oid) RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_validator'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.validator(oid) IS
	'Validator of the language "cached".';

CREATE TRUSTED LANGUAGE cached
	HANDLER dashboard_cache.call_handler
	VALIDATOR dashboard_cache.validator;
COMMENT ON LANGUAGE cached IS
	'A query whose result is cached: option lines (#ttl, #key, #tags, #vary, #slice, #cache_nulls), then one SELECT.';

--
-- Writing cached functions
--

CREATE FUNCTION dashboard_cache.cache(
	function regprocedure,
	ttl text DEFAULT NULL,
	key text DEFAULT NULL,
	name text DEFAULT NULL,
	tags text DEFAULT NULL,
	vary text DEFAULT NULL,
	cache_nulls boolean DEFAULT NULL,
	slice text DEFAULT NULL,
	watch boolean DEFAULT true)
RETURNS regprocedure
AS 'MODULE_PATHNAME', 'dashboard_cache_cache_function'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.cache(regprocedure, text, text, text, text, text, boolean, text, boolean) IS
	'Creates the cached function of a function, in its schema, with the same arguments and result, and returns it. ttl: an interval or infinity. key, tags, vary, cache_nulls, slice: as the option lines of the same name. name: of the new function, instead of cached_ and the old name. watch: also runs the query once, with its defaults or plain values for arguments, and calls watch() for the tables that it reads; a NOTICE names those that cannot be watched. Replaces a cached function of that name; raises duplicate_function for any other.';

CREATE FUNCTION dashboard_cache.cache(
	relation regclass,
	ttl text DEFAULT NULL,
	key text DEFAULT NULL,
	name text DEFAULT NULL,
	tags text DEFAULT NULL,
	vary text DEFAULT NULL,
	cache_nulls boolean DEFAULT NULL,
	slice text DEFAULT NULL,
	watch boolean DEFAULT true)
RETURNS regprocedure
AS 'MODULE_PATHNAME', 'dashboard_cache_cache_relation'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.cache(regclass, text, text, text, text, text, boolean, text, boolean) IS
	'Creates the cached function of a view: without arguments, in the view''s schema, returning a set of its rows. Otherwise like cache(regprocedure). Raises wrong_object_type if the relation is no view.';

CREATE FUNCTION dashboard_cache.cache(
	object text,
	ttl text DEFAULT NULL,
	key text DEFAULT NULL,
	name text DEFAULT NULL,
	tags text DEFAULT NULL,
	vary text DEFAULT NULL,
	cache_nulls boolean DEFAULT NULL,
	slice text DEFAULT NULL,
	watch boolean DEFAULT true)
RETURNS regprocedure
AS 'MODULE_PATHNAME', 'dashboard_cache_cache_object'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.cache(text, text, text, text, text, text, boolean, text, boolean) IS
	'What a literal without a cast calls: cache(regprocedure) if it has parentheses, as in ''dashboard_stats(int)'', else cache(regclass).';

--
-- Invalidating
--

CREATE FUNCTION dashboard_cache.invalidate() RETURNS trigger
AS 'MODULE_PATHNAME', 'dashboard_cache_invalidate'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.invalidate() IS
	'Trigger function: invalidates the keys that match the patterns given as its arguments, when the transaction commits. {column} in a pattern stands for the column''s value in OLD and in NEW, of the row or of the transition tables; in a statement trigger without transition tables, or for an UPDATE without both, for any value. Raises an error, at the first write, for no pattern, an empty one, an unclosed brace or bracket, a column that does not exist, a deferrable trigger, and columns in a BEFORE row trigger.';

CREATE FUNCTION dashboard_cache.touch() RETURNS trigger
AS 'MODULE_PATHNAME', 'dashboard_cache_touch'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.touch() IS
	'Trigger function of the triggers that watch() creates: invalidates, when the transaction commits, what has read what the statement changed. Arguments: the names of the slice columns, in the order in which note_row() and note_update() note their values. Raises an error unless it is an AFTER trigger that is not deferrable.';

CREATE FUNCTION dashboard_cache.note_row(VARIADIC slices "any") RETURNS boolean
AS 'MODULE_PATHNAME', 'dashboard_cache_note_row'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.note_row("any") IS
	'In the WHEN clause of watch()''s triggers: notes, for touch(), the values of the slice columns of a row that is written. Always false. Raises an error for a type without a hash function.';

CREATE FUNCTION dashboard_cache.note_update(VARIADIC slices "any") RETURNS boolean
AS 'MODULE_PATHNAME', 'dashboard_cache_note_update'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.note_update("any") IS
	'The same for an update: of each slice column the old and the new value.';

CREATE FUNCTION dashboard_cache.watch(relation regclass, slice name DEFAULT NULL) RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_watch'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.watch(regclass, name) IS
	'Creates triggers on the table, and on its partitions and what inherits from it, now and later, so that each write invalidates the results that have read what it changed: INSERT, DELETE and TRUNCATE all that read the table, UPDATE those that read a column that it sets. slice: a column by whose values results are told apart that declare it with #slice; may be called again for more. Creates or enables what is missing, and else does nothing. Raises wrong_object_type for what is not a table of the user''s own making or is a part of another table, insufficient_privilege for what is not the caller''s, undefined_column for a slice that is no column, and wrong_object_type for one of a type without a hash function.';

CREATE FUNCTION dashboard_cache.unwatch(relation regclass) RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_unwatch'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.unwatch(regclass) IS
	'Drops the triggers that watch() has created. Raises object_not_in_prerequisite_state if there are none, and otherwise the errors of watch().';

CREATE FUNCTION dashboard_cache.is_watched(relation regclass) RETURNS boolean
AS 'MODULE_PATHNAME', 'dashboard_cache_is_watched'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION dashboard_cache.is_watched(regclass) IS
	'Is every write to the relation announced: are all triggers of watch() there and enabled, on all of its parts, or is it a materialized view? NULL if there is no such relation.';

CREATE FUNCTION dashboard_cache.invalidate_key(key text) RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_invalidate_key'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.invalidate_key(text) IS
	'Invalidates the entries with this key, when the transaction commits. Raises an error if the key is null or empty.';

CREATE FUNCTION dashboard_cache.invalidate_pattern(pattern text) RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_invalidate_pattern'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.invalidate_pattern(text) IS
	'Invalidates the entries whose keys match the glob (* ? [a-z] [^a] \, as in Redis''s KEYS), when the transaction commits. Raises an error if the pattern is null or empty, has an unclosed bracket, or is a glob of more than 255 bytes that is not of the form prefix:*.';

CREATE FUNCTION dashboard_cache.invalidate_tag(tag text) RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_invalidate_tag'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.invalidate_tag(text) IS
	'Invalidates the entries with this tag, when the transaction commits. Raises an error if the tag is null or empty.';

CREATE FUNCTION dashboard_cache.flush() RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_flush'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.flush() IS
	'Invalidates all entries of this database, when the transaction commits.';

--
-- Statistics
--

CREATE FUNCTION dashboard_cache.stats_rows(
	OUT function regprocedure,
	OUT hits bigint,
	OUT misses bigint,
	OUT fills bigint,
	OUT stale bigint,
	OUT redis_hits bigint,
	OUT redis_rejected bigint,
	OUT redis_errors bigint,
	OUT disabled bigint,
	OUT standby bigint,
	OUT serializable bigint,
	OUT parallel_worker bigint,
	OUT own_writes bigint,
	OUT own_id bigint,
	OUT temporary bigint,
	OUT row_security bigint,
	OUT snapshot_moved bigint,
	OUT old_snapshot bigint,
	OUT too_large bigint,
	OUT "null" bigint,
	OUT redis_down bigint,
	OUT error bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dashboard_cache_stats'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION dashboard_cache.stats_rows() IS
	'The rows of the view dashboard_cache.stats.';

CREATE VIEW dashboard_cache.stats AS
	SELECT * FROM dashboard_cache.stats_rows();
COMMENT ON VIEW dashboard_cache.stats IS
	'What became of the calls of each cached function of this database since the server''s start or reset_stats().';
COMMENT ON COLUMN dashboard_cache.stats.hits IS 'calls that were served from the cache';
COMMENT ON COLUMN dashboard_cache.stats.misses IS 'calls that found no entry to serve and ran the query';
COMMENT ON COLUMN dashboard_cache.stats.fills IS 'misses whose result was kept';
COMMENT ON COLUMN dashboard_cache.stats.stale IS 'misses that found an entry which a write had invalidated';
COMMENT ON COLUMN dashboard_cache.stats.redis_hits IS 'of the hits: came from Redis';
COMMENT ON COLUMN dashboard_cache.stats.redis_rejected IS 'of the misses: Redis held what cannot be used: damaged, an earlier server start''s, or another call''s';
COMMENT ON COLUMN dashboard_cache.stats.redis_errors IS 'of the misses: Redis did not answer, or could not keep the result';
COMMENT ON COLUMN dashboard_cache.stats.disabled IS 'passed by: dashboard_cache.enabled is off, or there is neither shared memory nor Redis';
COMMENT ON COLUMN dashboard_cache.stats.standby IS 'passed by: on a standby';
COMMENT ON COLUMN dashboard_cache.stats.serializable IS 'passed by: in a SERIALIZABLE transaction, since a hit takes no predicate locks';
COMMENT ON COLUMN dashboard_cache.stats.parallel_worker IS 'passed by: in a parallel worker; or missed and not kept: parallel workers did what cannot be followed';
COMMENT ON COLUMN dashboard_cache.stats.own_writes IS 'passed by: the transaction has invalidated the entry itself, or is in the middle of a write';
COMMENT ON COLUMN dashboard_cache.stats.own_id IS 'missed and not kept: the transaction has an id, so it may see rows that nobody else does';
COMMENT ON COLUMN dashboard_cache.stats.temporary IS 'missed and not kept: the query read a temporary table';
COMMENT ON COLUMN dashboard_cache.stats.row_security IS 'missed and not kept: row security was in force, and there is no #vary';
COMMENT ON COLUMN dashboard_cache.stats.snapshot_moved IS 'missed and not kept: a VOLATILE function in the query saw a write that the rest did not';
COMMENT ON COLUMN dashboard_cache.stats.old_snapshot IS 'missed and not kept: the entry in place is of a newer snapshot';
COMMENT ON COLUMN dashboard_cache.stats.too_large IS 'not kept: the result, the arguments or the key are too large, or there was no room';
COMMENT ON COLUMN dashboard_cache.stats."null" IS 'missed and not kept: the result is NULL, and #cache_nulls is off';
COMMENT ON COLUMN dashboard_cache.stats.redis_down IS 'missed and not kept: shared_memory_size is 0, and Redis did not take it';
COMMENT ON COLUMN dashboard_cache.stats.error IS 'missed and not kept: the query failed';
GRANT SELECT ON dashboard_cache.stats TO PUBLIC;

CREATE FUNCTION dashboard_cache.reset_stats() RETURNS void
AS 'MODULE_PATHNAME', 'dashboard_cache_reset_stats'
LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION dashboard_cache.reset_stats() IS
	'Sets all counters of this database''s cached functions to zero.';

--
-- What depends on what
--

CREATE FUNCTION dashboard_cache.dependency_rows(
	OUT function regprocedure,
	OUT relation regclass,
	OUT columns name[],
	OUT slice text,
	OUT watched boolean,
	OUT last_invalidation timestamptz,
	OUT slice_watched boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dashboard_cache_dependency_rows'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.dependency_rows() IS
	'The rows of the view dashboard_cache.dependencies, and one without relation for each function that is known to read none. slice_watched: is the table watched with that slice?';

CREATE VIEW dashboard_cache.dependencies AS
	SELECT function, relation, columns, slice, watched, last_invalidation
	FROM dashboard_cache.dependency_rows() WHERE relation IS NOT NULL;
COMMENT ON VIEW dashboard_cache.dependencies IS
	'What the cached functions of this database have read since definitions last changed.';
COMMENT ON COLUMN dashboard_cache.dependencies.relation IS 'the table, by its topmost ancestor, or another relation';
COMMENT ON COLUMN dashboard_cache.dependencies.columns IS 'the columns whose updates invalidate; NULL: any, {}: none, only rows that come or go';
COMMENT ON COLUMN dashboard_cache.dependencies.slice IS 'the rows that it reads, as #slice says';
COMMENT ON COLUMN dashboard_cache.dependencies.watched IS 'is every write announced, to all parts of the table? If not, results live until their time to live is over';
COMMENT ON COLUMN dashboard_cache.dependencies.last_invalidation IS 'when, in whole seconds, a commit last announced a change of what is read, in any slice; NULL: not since the cache began empty';
GRANT SELECT ON dashboard_cache.dependencies TO PUBLIC;

CREATE FUNCTION dashboard_cache.entry_rows(
	OUT function regprocedure,
	OUT key text,
	OUT role regrole,
	OUT bytes bigint,
	OUT expires_at timestamptz,
	OUT tags integer,
	OUT valid boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dashboard_cache_entry_rows'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION dashboard_cache.entry_rows() IS
	'The rows of the view dashboard_cache.entries.';

CREATE VIEW dashboard_cache.entries AS
	SELECT * FROM dashboard_cache.entry_rows();
COMMENT ON VIEW dashboard_cache.entries IS
	'The entries of this database in shared memory that the user, or a role whose rights it has, has made.';
COMMENT ON COLUMN dashboard_cache.entries.key IS 'the name that patterns match';
COMMENT ON COLUMN dashboard_cache.entries.role IS 'the role that the query ran as, whom alone it is served';
COMMENT ON COLUMN dashboard_cache.entries.bytes IS 'its size, with all that belongs to it';
COMMENT ON COLUMN dashboard_cache.entries.expires_at IS 'infinity: not before it is invalidated';
COMMENT ON COLUMN dashboard_cache.entries.tags IS 'how many tags can invalidate it';
COMMENT ON COLUMN dashboard_cache.entries.valid IS 'would it be served now?';
GRANT SELECT ON dashboard_cache.entries TO PUBLIC;

CREATE FUNCTION dashboard_cache.function_facts(
	function regprocedure,
	OUT ttl interval,
	OUT volatile_functions regprocedure[],
	OUT error text)
AS 'MODULE_PATHNAME', 'dashboard_cache_function_facts'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION dashboard_cache.function_facts(regprocedure) IS
	'What check() wants to know of a cached function: its time to live (NULL: infinite), the volatile functions that its query calls, and why the query cannot be analysed.';

CREATE FUNCTION dashboard_cache.check(
	OUT function regprocedure,
	OUT relation regclass,
	OUT problem text,
	OUT hint text)
RETURNS SETOF record LANGUAGE sql VOLATILE PARALLEL UNSAFE SET jit = off
BEGIN ATOMIC
-- Names mean what they mean here; only function_facts() uses the caller's
-- search_path, as the queries of cached functions do.
WITH RECURSIVE cached AS MATERIALIZED (
	SELECT p.oid::regprocedure AS function, f.*
	FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'cached',
		dashboard_cache.function_facts(p.oid) f
), dependency AS MATERIALIZED (
	SELECT * FROM dashboard_cache.dependency_rows()
), touching AS (
	-- the triggers of watch(), as they are
	SELECT t.tgrelid, t.tgname, t.tgenabled, t.tgargs, t.tgparentid
	FROM pg_trigger t
	WHERE t.tgfoid = 'dashboard_cache.touch()'::regprocedure
		AND t.tgname LIKE 'dashboard\_cache\_%'
), watched AS (
	-- tables that are to be watched, and what is to be there
	SELECT DISTINCT t.tgrelid AS root, w.name, w.enabled
	FROM touching t, LATERAL (
		VALUES ('dashboard_cache_write'::name, '{A}'::"char"[]),
			('dashboard_cache_replica', '{R,A}')
	) AS w (name, enabled)
	WHERE NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = t.tgrelid)
), part AS (
	SELECT root, root AS relid FROM watched
	UNION
	SELECT part.root, i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.relid
), hole AS (
	SELECT NULL::regprocedure AS function, c.oid::regclass AS relation,
		CASE WHEN c.relkind = 'f' THEN 'foreign partition of a watched table'
			WHEN t.tgrelid IS NULL THEN 'trigger ' || w.name || ' is missing'
			WHEN t.tgenabled = 'D' THEN 'trigger ' || w.name || ' is disabled'
			ELSE 'trigger ' || w.name || ' does not always fire when it should' END AS problem,
		CASE WHEN c.relkind = 'f' THEN 'Writes to it go unseen: give the functions that read it a #ttl.'
			ELSE format('SELECT dashboard_cache.watch(%L)', w.root::regclass) END AS hint
	FROM watched w JOIN part USING (root) JOIN pg_class c ON c.oid = part.relid
		LEFT JOIN touching t ON t.tgrelid = c.oid AND t.tgname = w.name
	WHERE c.relpersistence <> 't' AND (t.tgrelid IS NULL OR t.tgenabled <> ALL (w.enabled))
	UNION
	SELECT NULL, c.oid::regclass, 'subscription ' || s.subname || ' writes to it, and trigger dashboard_cache_replica does not fire',
		format('SELECT dashboard_cache.watch(%L)', c.oid::regclass)
	FROM pg_subscription_rel r JOIN pg_class c ON c.oid = r.srrelid
		JOIN (SELECT oid, subname, subdbid FROM pg_subscription) s ON s.oid = r.srsubid
	WHERE (c.oid IN (SELECT relid FROM part) OR c.oid IN (SELECT d.relation FROM dependency d))
		AND NOT EXISTS (SELECT FROM touching t WHERE t.tgrelid = c.oid
			AND t.tgname = 'dashboard_cache_replica' AND t.tgenabled IN ('R', 'A'))
	UNION
	SELECT d.function, d.relation,
		CASE WHEN c.relkind = 'f' THEN 'reads a foreign table'
			WHEN c.relkind = 'S' THEN 'reads a sequence'
			WHEN c.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) THEN 'reads a system table'
			WHEN EXISTS (SELECT FROM part WHERE part.root = c.oid) THEN 'reads a table that is watched in part'
			ELSE 'reads a table that is not watched' END,
		CASE WHEN c.relkind IN ('r', 'p') AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
			THEN format('SELECT dashboard_cache.watch(%L)', c.oid::regclass)
			ELSE 'Writes to it go unseen: results live until their time to live is over.' END
	FROM dependency d JOIN pg_class c ON c.oid = d.relation
	WHERE NOT d.watched
	UNION
	SELECT d.function, d.relation, format('#slice %s.%s: the table is not watched with this slice', c.relname, d.slice),
		format('SELECT dashboard_cache.watch(%L, slice => %L); until then every write to the table invalidates', d.relation, split_part(d.slice, ' = ', 1))
	FROM dependency d JOIN pg_class c ON c.oid = d.relation
	WHERE d.watched AND NOT d.slice_watched
	UNION
	SELECT cached.function, NULL, 'calls the volatile function ' || v::regprocedure,
		'What it returns can change without a write. Declare it STABLE if it is.'
	FROM cached, unnest(cached.volatile_functions) v
	UNION
	SELECT cached.function, NULL, 'its query fails: ' || cached.error, 'Replace the function, or set the search_path that it is meant for.'
	FROM cached
	WHERE cached.error IS NOT NULL AND cached.function NOT IN (SELECT d.function FROM dependency d)
	UNION
	SELECT cached.function, NULL, 'what it reads is not known', 'Call it once.'
	FROM cached
	WHERE cached.error IS NULL AND cached.function NOT IN (SELECT d.function FROM dependency d)
)
SELECT * FROM hole
UNION ALL
SELECT cached.function, NULL, 'results are kept for ever in spite of the above', 'Give the function a #ttl.'
FROM cached
WHERE cached.ttl IS NULL AND EXISTS (
	SELECT FROM hole
	WHERE hole.function = cached.function AND hole.problem NOT LIKE '#slice%'
		OR hole.function IS NULL AND hole.relation IN (
			SELECT part.relid FROM part JOIN dependency d ON d.relation = part.root
			WHERE d.function = cached.function))
ORDER BY 1, 2, 3;
END;
COMMENT ON FUNCTION dashboard_cache.check() IS
	'A row for each hole through which a write could go unseen, and what to do about it. No rows: what the cached functions of this database return is what their queries would. relation: the table that is meant, if any.';

--
-- Redis
--

CREATE FUNCTION dashboard_cache.redis_status_row(
	OUT state text,
	OUT since timestamptz,
	OUT server text,
	OUT last_error text,
	OUT last_error_at timestamptz,
	OUT keys_known bigint,
	OUT keys_cleared bigint)
AS 'MODULE_PATHNAME', 'dashboard_cache_redis_status'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION dashboard_cache.redis_status_row() IS
	'The row of the view dashboard_cache.redis_status.';

CREATE VIEW dashboard_cache.redis_status AS
	SELECT * FROM dashboard_cache.redis_status_row();
COMMENT ON VIEW dashboard_cache.redis_status IS
	'How it is with Redis, for all databases of the server: one row.';
COMMENT ON COLUMN dashboard_cache.redis_status.state IS 'off: there is no redis_url; connecting: not tried yet; up; down: it failed, and the background worker keeps trying';
COMMENT ON COLUMN dashboard_cache.redis_status.since IS 'since when it is so';
COMMENT ON COLUMN dashboard_cache.redis_status.server IS 'the server, and its database';
COMMENT ON COLUMN dashboard_cache.redis_status.last_error IS 'the last that went wrong since the settings changed, or the server was started';
COMMENT ON COLUMN dashboard_cache.redis_status.last_error_at IS 'when that was';
COMMENT ON COLUMN dashboard_cache.redis_status.keys_known IS 'keys in Redis that will be removed when they are invalidated';
COMMENT ON COLUMN dashboard_cache.redis_status.keys_cleared IS 'keys removed from Redis since the server''s start';
REVOKE ALL ON FUNCTION dashboard_cache.redis_status_row() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dashboard_cache.redis_status_row() TO pg_monitor;
GRANT EXECUTE ON FUNCTION dashboard_cache.redis_status_row() TO @extowner@ WITH GRANT OPTION;
GRANT SELECT ON dashboard_cache.redis_status TO pg_monitor;
GRANT SELECT ON dashboard_cache.redis_status TO @extowner@ WITH GRANT OPTION;

--
-- What clears others' entries or counters is for who created the extension,
-- to use and to grant.  The trigger function is PUBLIC's: a table's owner
-- decides what its writes invalidate.
--

REVOKE EXECUTE ON FUNCTION
	dashboard_cache.invalidate_key(text),
	dashboard_cache.invalidate_pattern(text),
	dashboard_cache.invalidate_tag(text),
	dashboard_cache.flush(),
	dashboard_cache.reset_stats()
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	dashboard_cache.invalidate_key(text),
	dashboard_cache.invalidate_pattern(text),
	dashboard_cache.invalidate_tag(text),
	dashboard_cache.flush(),
	dashboard_cache.reset_stats()
TO @extowner@ WITH GRANT OPTION;
