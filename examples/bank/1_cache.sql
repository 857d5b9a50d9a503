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

-- A branch's totals depend on its own rows only, so a write touches the results
-- of its own branch.
SELECT dashboard_cache.cache('branch_totals(int)', ttl => 'infinity', key => 'branch:{branch}',
	slice => 'pgbench_accounts.bid = branch, pgbench_branches.bid = branch')
\g /dev/null

-- Where the readers note what must not be.
CREATE TABLE differences (
	branch		int NOT NULL,
	noticed_at	timestamptz NOT NULL DEFAULT clock_timestamp()
);
