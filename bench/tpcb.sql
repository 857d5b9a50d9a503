-- What TPC-B pays for statement triggers on all four tables, with entries
-- there for them to invalidate.
CREATE FUNCTION cached_total(branch int) RETURNS bigint
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key dashboard:total:{branch}
SELECT sum(bbalance) FROM pgbench_branches WHERE bid = branch
$$;
SELECT count(cached_total(n)) FROM generate_series(1, 20) n \g /dev/null

SELECT format('CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
			   ON pgbench_%s FOR EACH STATEMENT
			   EXECUTE FUNCTION dashboard_cache.invalidate(''dashboard:*'')', name)
FROM unnest('{accounts,branches,tellers,history}'::text[]) name \gexec
