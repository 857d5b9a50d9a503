-- Entries that differ by 32 tags.
SELECT format('CREATE FUNCTION tagged_%s(i int) RETURNS int
			   LANGUAGE cached STABLE PARALLEL RESTRICTED AS %L',
			  n, format(E'#ttl infinity\n#tags %s\nSELECT i',
						(SELECT string_agg('tag' || t, ', ')
						 FROM generate_series(1, n) t)))
FROM unnest('{1,33}'::int[]) n \gexec
