-- A cached aggregate over the tables of pgbench's own benchmark, TPC-B.  Its
-- writers change one account and one branch in each transaction.

CREATE EXTENSION dashboard_cache;
CREATE INDEX ON pgbench_accounts (bid);
VACUUM ANALYZE pgbench_accounts;

CREATE FUNCTION branch_totals(branch int) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
SELECT jsonb_build_object(
	'branch', bbalance,
	'accounts', (SELECT sum(abalance) FROM pgbench_accounts WHERE bid = branch),
	'overdrawn', (SELECT count(*) FROM pgbench_accounts
				  WHERE bid = branch AND abalance < 0))
FROM pgbench_branches WHERE bid = branch
$$;

CREATE FUNCTION cached_branch_totals(branch int) RETURNS jsonb
LANGUAGE cached STABLE PARALLEL RESTRICTED
AS $$
#ttl infinity
#key branch:{branch}
SELECT branch_totals(branch)
$$;

-- A write touches the results of its own branches only.
CREATE TRIGGER invalidate_branch
AFTER INSERT OR UPDATE OR DELETE ON pgbench_accounts
FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('branch:{bid}');

CREATE TRIGGER invalidate_branches
AFTER TRUNCATE ON pgbench_accounts
FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('branch:*');

CREATE TRIGGER invalidate_branch
AFTER INSERT OR UPDATE OR DELETE ON pgbench_branches
FOR EACH ROW EXECUTE FUNCTION dashboard_cache.invalidate('branch:{bid}');

CREATE TRIGGER invalidate_branches
AFTER TRUNCATE ON pgbench_branches
FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('branch:*');

-- Where the readers note what must not be.
CREATE TABLE differences (
	branch		int NOT NULL,
	noticed_at	timestamptz NOT NULL DEFAULT clock_timestamp()
);
