-- A million rows of pgbench's accounts, of a hundred branches in turn, and tables
-- to copy them to.  Without indexes and WAL, so that what triggers add shows.
COPY (SELECT n, n % 100 + 1, 0, '' FROM generate_series(1, 1000000) n)
TO :'file';

SELECT format('CREATE UNLOGGED TABLE %s (aid int NOT NULL, bid int, abalance int, filler char(84))',
			  name)
FROM unnest('{unwatched,watched,sliced}'::text[]) name \gexec
SELECT format('CREATE FUNCTION cached_%s(branch int) RETURNS bigint
			   LANGUAGE cached STABLE PARALLEL RESTRICTED AS %L',
			  name,
			  E'#ttl infinity\n'
			  || CASE name WHEN 'sliced' THEN E'#slice sliced.bid = branch\n' ELSE '' END
			  || format('SELECT count(*) FROM %s WHERE bid = branch', name))
FROM unnest('{unwatched,watched,sliced}'::text[]) name \gexec

SELECT dashboard_cache.watch('watched') \g /dev/null
SELECT dashboard_cache.watch('sliced', slice => 'bid') \g /dev/null
