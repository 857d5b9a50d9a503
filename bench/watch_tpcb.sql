-- An entry of each of TPC-B's tables for each branch, with slices or without.
SELECT format('CREATE OR REPLACE FUNCTION cached_%s(branch int) RETURNS bigint
			   LANGUAGE cached STABLE PARALLEL RESTRICTED AS %L',
			  name,
			  E'#ttl infinity\n'
			  || CASE WHEN :sliced
					  THEN format(E'#slice pgbench_%s.bid = branch\n', name)
					  ELSE '' END
			  || query)
FROM (VALUES
	('accounts', 'SELECT sum(abalance) FROM pgbench_accounts
		WHERE bid = branch AND aid BETWEEN (branch - 1) * 100000 + 1
									   AND (branch - 1) * 100000 + 10'),
	('branches', 'SELECT sum(bbalance) FROM pgbench_branches WHERE bid = branch'),
	('tellers', 'SELECT sum(tbalance) FROM pgbench_tellers WHERE bid = branch'),
	('history', 'SELECT count(*) FROM
		(SELECT FROM pgbench_history WHERE bid = branch LIMIT 1) h'))
	AS entry (name, query) \gexec
