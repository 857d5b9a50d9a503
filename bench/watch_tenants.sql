-- Issues of a hundred tenants, in a table that is watched with slices and in one
-- without, and entries of each.  What tenant 100 asks, who is written to, is
-- counted apart.
SELECT format('CREATE TABLE %s (
				   id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
				   tenant_id int,
				   open boolean,
				   note text)', name),
	format('CREATE INDEX ON %s (tenant_id)', name),
	format('INSERT INTO %s (tenant_id, open)
			SELECT n %% 100 + 1, n %% 3 = 0 FROM generate_series(1, 1000) n', name),
	format('VACUUM ANALYZE %s', name)
FROM unnest('{issues,wide_issues}'::text[]) name \gexec

SELECT format('CREATE FUNCTION %s(tenant int) RETURNS bigint
			   LANGUAGE cached STABLE PARALLEL RESTRICTED AS %L', name,
			  format(E'#ttl infinity\n%sSELECT count(*) FROM %s WHERE tenant_id = tenant AND open',
					 slice, relation))
FROM (VALUES
	('cached_others', 'issues', E'#slice issues.tenant_id = tenant\n'),
	('cached_written', 'issues', E'#slice issues.tenant_id = tenant\n'),
	('cached_wide', 'wide_issues', '')) AS entry (name, relation, slice) \gexec
SELECT dashboard_cache.watch('issues', slice => 'tenant_id') \g /dev/null
SELECT dashboard_cache.watch('wide_issues') \g /dev/null
