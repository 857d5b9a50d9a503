# What only parallel workers read is depended on like anything else.
#
# In each query, functions that are PARALLEL SAFE read tables that the query does
# not name.  in_worker() says whether workers ran them, and is part of the result,
# so that a server which starts no workers fails the tests.  It keeps a leader that
# takes part from being done before workers have started.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('parallel', settings => <<'CONF');
parallel_setup_cost = 0
parallel_tuple_cost = 0
min_parallel_table_scan_size = 0
max_parallel_workers_per_gather = 2
max_parallel_workers = 16
max_worker_processes = 24
jit = off
CONF
my $forced =
  $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';

# How the same query comes to workers.
my %ways = (
	'workers alone' => 'SET parallel_leader_participation = off',
	'workers and leader' => 'SET parallel_leader_participation = on',

	# The whole query, by one worker.
	'a forced worker' =>
	  "SET max_parallel_workers_per_gather = 1; SET parallel_setup_cost = 1e9; SET $forced = on");
my $alone = $ways{'workers alone'};

$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION dashboard_cache;
	CREATE TABLE many AS SELECT i FROM generate_series(1, 10000) i;
	VACUUM ANALYZE many;
	CREATE FUNCTION in_worker() RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
	DECLARE
		it_is boolean := (SELECT leader_pid IS NOT NULL
						  FROM pg_stat_get_activity(pg_backend_pid()));
	BEGIN
		IF NOT it_is THEN
			PERFORM pg_sleep(0.01);
		END IF;
		RETURN it_is;
	END
	$$;
	SELECT dashboard_cache.watch('many')});

# The query in which workers call a function, for rows of all pages.
sub query_of
{
	my ($call) = @_;

	return "SELECT format('%s by %s', sum($call), "
	  . "CASE WHEN bool_or(in_worker()) THEN 'workers' ELSE 'nobody' END) "
	  . 'FROM many WHERE i % 500 = 0';
}

# A PARALLEL SAFE function of an integer, and a cached one named cached_... whose
# query has workers call it.
sub function_in_workers
{
	my ($name, $body, %params) = @_;
	my $language = $params{language} // 'plpgsql';
	my $query = query_of("$name(i)");
	my $header = $params{header} // '';

	return qq{
		CREATE FUNCTION $name(i int) RETURNS bigint
		LANGUAGE $language STABLE PARALLEL SAFE AS \$\$ $body \$\$;
		CREATE FUNCTION cached_$name() RETURNS text
		LANGUAGE cached STABLE PARALLEL RESTRICTED AS \$\$
		#ttl infinity
		$header
		$query
		\$\$;
	} =~ s/^[ \t]+//gmr =~ s/\n+/\n/gr;
}

# Calls the function in a session with the settings, and returns the result and
# what it was counted as.  That a miss was stale is not told: the worker may have
# dropped the entry already.
sub call_cached
{
	my ($name, $settings, %params) = @_;
	my ($result, $counted) = count_call($node, "cached_$name()",
		"$settings; SELECT cached_$name()", %params);

	return ($result, $counted =~ s/ stale//r);
}

sub plain
{
	my ($name, $settings) = @_;

	return $node->safe_psql('postgres',
		"$settings; " . query_of("$name(i)"));
}

sub forget
{
	my ($name) = @_;

	$node->safe_psql('postgres',
		"SELECT dashboard_cache.invalidate_key('cached_$name')");
	return;
}

# Fills, hits, writes, and finds that the write is seen.
sub sees_write
{
	my ($what, $name, $settings, $write) = @_;

	# What the last test, or another way, has left is not to be served here.
	forget($name);
	my ($before, $counted) = call_cached($name, $settings);
	is($counted, 'misses fills', "$what: a result is kept");
	like($before, qr/ by workers$/, "$what: that workers have made");
	is((call_cached($name, $settings))[1], 'hits', "$what: it is served");

	$node->safe_psql('postgres', $write);
	my $after;
	($after, $counted) = call_cached($name, $settings);
	is($counted, 'misses fills', "$what: and not after the write");
	isnt($after, $before, "$what: which changes the result");
	is($after, plain($name, $settings), "$what: as for the query itself");
	return;
}

#
# How workers may come to read a table, and how it may be written to
#

sub reads
{
	my ($table) = @_;

	return "BEGIN RETURN (SELECT sum(value) FROM $table); END";
}

my @cases = (
	{
		name => 'plain',
		what => 'plpgsql',
		body => reads('t_plain'),
		writes => {
			INSERT => 'INSERT INTO t_plain VALUES (1)',
			UPDATE => 'UPDATE t_plain SET value = value + 1',
			DELETE => 'DELETE FROM t_plain WHERE ctid = (SELECT min(ctid) FROM t_plain)'
		}
	},
	{
		name => 'empty',
		what => 'a table without rows',
		setup => 'TRUNCATE t_empty',
		body => 'BEGIN RETURN (SELECT count(value) FROM t_empty); END',
		writes => { INSERT => 'INSERT INTO t_empty VALUES (1)' }
	},
	{
		name => 'truncated',
		what => 'a table that is truncated',
		body =>
		  'BEGIN RETURN (SELECT coalesce(sum(value), 0) FROM t_truncated); END',
		ways => ['workers alone'],
		writes => { TRUNCATE => 'TRUNCATE t_truncated' }
	},
	{
		name => 'sql_function',
		what => 'an SQL function',
		language => 'sql',
		body => 'SELECT sum(value) FROM t_sql_function',
		writes => { UPDATE => 'UPDATE t_sql_function SET value = value + 1' }
	},
	{
		name => 'looping',
		what => 'a cursor',
		body => q{
			DECLARE r record; total bigint := 0;
			BEGIN
				FOR r IN SELECT value FROM t_looping LOOP
					total := total + r.value;
				END LOOP;
				RETURN total;
			END},
		writes => { UPDATE => 'UPDATE t_looping SET value = value + 1' }
	},
	{
		name => 'nested',
		what => 'functions in functions in a view',
		setup => q{
			CREATE FUNCTION dynamic() RETURNS bigint
			LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
			DECLARE result bigint;
			BEGIN
				EXECUTE 'SELECT sum(value) FROM t_nested' INTO result;
				RETURN result;
			END $$;
			CREATE VIEW v_nested AS SELECT dynamic() AS value;
			CREATE FUNCTION middle() RETURNS bigint
			LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT value FROM v_nested'},
		body => 'BEGIN RETURN (SELECT middle()); END',
		writes => { UPDATE => 'UPDATE t_nested SET value = value + 1' }
	},
	{
		name => 'partitioned',
		what => 'a partitioned table',
		setup => q{
			DROP TABLE t_partitioned;
			CREATE TABLE t_partitioned (k int, value int) PARTITION BY LIST (k);
			CREATE TABLE t_partition_1 PARTITION OF t_partitioned FOR VALUES IN (1);
			INSERT INTO t_partitioned VALUES (1, 10)},
		body => reads('t_partitioned'),
		writes => {
			'INSERT into a partition' => 'INSERT INTO t_partition_1 VALUES (1, 1)',
			'UPDATE of a partition' => 'UPDATE t_partition_1 SET value = value + 1',
			UPDATE => 'UPDATE t_partitioned SET value = value + 1'
		}
	},
	{
		name => 'partitions',
		what => 'more partitions than a note has room for',
		setup => q{
			DROP TABLE t_partitions;
			CREATE TABLE t_partitions (k int, value int) PARTITION BY LIST (k);
			DO $$ BEGIN FOR n IN 1 .. 40 LOOP
				EXECUTE format('CREATE TABLE t_partitions_%1$s
					PARTITION OF t_partitions FOR VALUES IN (%1$s)', n);
			END LOOP; END $$;
			INSERT INTO t_partitions SELECT n, n FROM generate_series(1, 40) n},
		body => reads('t_partitions'),
		writes => { UPDATE => 'UPDATE t_partitions_40 SET value = value + 1' }
	},
	{
		name => 'inherited',
		what => 'a table with a child',
		setup => q{
			CREATE TABLE t_child () INHERITS (t_inherited);
			INSERT INTO t_child VALUES (5)},
		body => reads('t_inherited'),
		writes => { 'UPDATE of the child' => 'UPDATE t_child SET value = value + 1' }
	},
	{
		name => 'materialized',
		what => 'a materialized view',
		setup => 'CREATE MATERIALIZED VIEW m AS SELECT value FROM t_materialized',
		body => reads('m'),
		writes => {
			REFRESH =>
			  'UPDATE t_materialized SET value = value + 1; REFRESH MATERIALIZED VIEW m'
		}
	},
	{
		name => 'definer',
		what => 'SECURITY DEFINER',
		setup => q{
			CREATE FUNCTION as_owner() RETURNS bigint LANGUAGE plpgsql
			STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public AS $$
			BEGIN RETURN (SELECT sum(value) FROM t_definer); END $$},
		body => 'BEGIN RETURN as_owner(); END',
		writes => { UPDATE => 'UPDATE t_definer SET value = value + 1' }
	});

foreach my $case (@cases)
{
	my $name = $case->{name};

	$node->safe_psql(
		'postgres', join ';',
		"CREATE TABLE t_$name (value int)",
		"INSERT INTO t_$name VALUES (1), (2)",
		$case->{setup} // '',
		function_in_workers($name, $case->{body}, language => $case->{language}),
		"SELECT dashboard_cache.watch('t_$name')");
}
foreach my $case (@cases)
{
	foreach my $way (sort @{ $case->{ways} // [ keys %ways ] })
	{
		foreach my $event (sort keys %{ $case->{writes} })
		{
			sees_write("$way: $case->{what}: $event",
				$case->{name}, $ways{$way}, $case->{writes}{$event});
		}
	}
}


#
# What is said of it
#

sub relations_of
{
	my ($name) = @_;

	return $node->safe_psql(
		'postgres', qq{
		SELECT string_agg(relation::text || CASE WHEN watched THEN '' ELSE ' unwatched' END,
						  ', ' ORDER BY relation::text)
		FROM dashboard_cache.dependencies
		WHERE function = 'cached_$name()'::regprocedure});
}

sub problems_of
{
	my ($name) = @_;

	return $node->safe_psql(
		'postgres', qq{
		SELECT string_agg(relation::text, ', ')
		FROM dashboard_cache.check()
		WHERE function = 'cached_$name()'::regprocedure});
}

call_cached('nested', $alone);
is(relations_of('nested'), 'many, t_nested',
	'what workers read is among the dependencies');
is(problems_of('nested'), '', 'all is watched');

$node->safe_psql('postgres', q{SELECT dashboard_cache.unwatch('t_nested')});
call_cached('nested', $alone);
is(relations_of('nested'), 'many, t_nested unwatched',
	'and so is a table that is not watched');
is(problems_of('nested'), 't_nested', 'which check() finds');
$node->safe_psql('postgres', q{SELECT dashboard_cache.watch('t_nested')});

#
# A query that calls a cached function whose query has workers
#

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_outer() RETURNS text
	LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
	#ttl infinity
	SELECT cached_plain()
	$$;
	CREATE TABLE t_leader AS SELECT 1 AS value;
	SELECT dashboard_cache.watch('t_leader');
	CREATE FUNCTION cached_leader(i int) RETURNS bigint
	LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
	#ttl infinity
	SELECT sum(value) FROM t_leader
	$$;
	CREATE FUNCTION cached_between() RETURNS text
	LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
	#ttl infinity
	SELECT string_agg(DISTINCT format('%s %s', cached_leader(i % 3), in_workers), ', ')
	FROM (SELECT i, plain(i) || CASE WHEN in_worker() THEN ' by workers' ELSE '' END AS in_workers
		  FROM many WHERE i % 500 = 0 OFFSET 0) m
	$$});

foreach my $inner ('is a miss', 'is a hit')
{
	$node->safe_psql('postgres', 'SELECT dashboard_cache.flush()');
	call_cached('plain', $alone) if $inner eq 'is a hit';
	my ($before, $counted) = call_cached('outer', $alone);
	is($counted, 'misses fills', "the inner $inner: a result is kept");
	is((call_cached('outer', $alone))[1], 'hits', "the inner $inner: it is served");
	$node->safe_psql('postgres', 'UPDATE t_plain SET value = value + 1');
	is((call_cached('outer', $alone))[0],
		plain('plain', $alone), "the inner $inner: the outer sees the write");
}

# The leader computes other entries while its workers run.
foreach my $table ('t_leader', 't_plain')
{
	$node->safe_psql('postgres', 'SELECT dashboard_cache.flush()');
	my ($before, $counted) = call_cached('between', $alone);
	like($before, qr/^\d+ \d+ by workers$/, 'workers run beside the leader');
	is($counted, 'misses fills', 'a result of both is kept');
	is((call_cached('between', $alone))[1], 'hits', 'it is served');
	$node->safe_psql('postgres', "UPDATE $table SET value = value + 1");
	my ($after) = call_cached('between', $alone);
	isnt($after, $before, "and not after a write to $table");
	$node->safe_psql('postgres', 'SELECT dashboard_cache.flush()');
	is($after, (call_cached('between', $alone))[0], 'which it sees');
}

#
# Cached functions that workers pass by.  What those say of themselves, the leader
# does not get to know, so nothing is kept.
#

$node->safe_psql(
	'postgres',
	q{
	CREATE TABLE t_announced AS SELECT 1 AS value;
	CREATE TRIGGER invalidate AFTER UPDATE ON t_announced
	EXECUTE FUNCTION dashboard_cache.invalidate('announced:*');
	CREATE FUNCTION tagged() RETURNS bigint
	LANGUAGE cached STABLE PARALLEL SAFE AS $$
	#ttl 1 hour
	#key announced:total
	SELECT sum(value) FROM t_announced
	$$;
	}
	  . function_in_workers('handed_over', 'BEGIN RETURN tagged(); END'));

foreach my $way (sort keys %ways)
{
	foreach my $expected_count ('misses parallel_worker',
		'misses parallel_worker')
	{
		my ($result, $counted) = call_cached('handed_over', $ways{$way});

		is($counted, $expected_count, "$way: an inner function is passed by");
		is($result, plain('handed_over', $alone), 'the result is right');
		$node->safe_psql('postgres',
			'UPDATE t_announced SET value = value + 1');
	}
}

#
# More tables than anybody makes room for
#

my $tables = 40;

$node->safe_psql(
	'postgres', join ';',
	map({ ("CREATE TABLE wide_$_ AS SELECT 1 AS value",
				"SELECT dashboard_cache.watch('wide_$_')") } 1 .. $tables),
	function_in_workers(
		'wide', q{
		DECLARE result bigint; total bigint := 0;
		BEGIN
			FOR n IN 1 .. 40 LOOP
				EXECUTE format('SELECT sum(value) FROM wide_%s', n) INTO result;
				total := total + result;
			END LOOP;
			RETURN total;
		END}));

my $plain_wide = query_of('wide(i)');
my $served = $node->safe_psql(
	'postgres',
	"$alone;\n" . join '',
	map({ qq{
			SELECT cached_wide() \\g /dev/null
			UPDATE wide_$_ SET value = value + 1;
			SELECT cached_wide() = ($plain_wide) AND cached_wide() LIKE '% by workers';}
		} 1 .. $tables));
is($served, join("\n", ('t') x $tables),
	"a write to any of $tables tables is seen");
is_deeply(
	[ call_cached('wide', $alone) ],
	[ 20 * 2 * $tables . ' by workers', 'misses parallel_worker' ],
	'what is not noted is not kept');

#
# Slices
#

$node->safe_psql(
	'postgres', q{
	CREATE TABLE t_tenants AS SELECT n AS tenant, n AS value FROM generate_series(7, 8) n;
	SELECT dashboard_cache.watch('t_tenants', slice => 'tenant');
	CREATE FUNCTION of_tenant(t int) RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
	BEGIN RETURN (SELECT sum(value) FROM t_tenants WHERE tenant = t); END
	$$;
	CREATE FUNCTION cached_of_tenant(t int) RETURNS text
	LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
	#ttl infinity
	#slice t_tenants.tenant = t
	} . query_of('of_tenant(t)') . '$$');

sub call_of_tenant
{
	my ($tenant) = @_;

	return $node->safe_psql('postgres',
		"$alone; SELECT cached_of_tenant($tenant)");
}

is(call_of_tenant(7), '140 by workers', 'entry of a slice');
is(call_of_tenant(8), '160 by workers', 'and of another');
$node->safe_psql('postgres',
	'UPDATE t_tenants SET value = 9 WHERE tenant = 7');
is(call_of_tenant(7), '180 by workers', 'write to the slice is seen');
is(call_of_tenant(8), '160 by workers', 'beside the other');
$node->safe_psql('postgres',
	'UPDATE t_tenants SET tenant = 8 WHERE tenant = 7');
is(call_of_tenant(7), ' by workers', 'row that has left a slice');
is(call_of_tenant(8), '340 by workers', 'has come to another');

#
# Row security
#

$node->safe_psql(
	'postgres',
	q{
	CREATE ROLE reader LOGIN;
	CREATE TABLE t_secured AS SELECT n AS owner, n AS value FROM generate_series(1, 3) n;
	CREATE TABLE t_visible AS SELECT 1 AS owner;
	ALTER TABLE t_secured ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON t_secured USING (
		owner IN (SELECT v.owner FROM t_visible v)
		OR owner = current_setting('app.owner')::int);
	GRANT SELECT ON many, t_secured, t_visible TO reader;
	SELECT dashboard_cache.watch('t_secured');
	SELECT dashboard_cache.watch('t_visible');
	}
	  . function_in_workers('secured', reads('t_secured'))
	  . function_in_workers('varied', reads('t_secured'),
		header => '#vary app.owner'));

my %reader = (user => 'reader');

sub secured_is
{
	my ($name, $owner, $expected, $expected_count, $what) = @_;
	my ($result, $counted) =
	  call_cached($name, "$alone; SET app.owner = $owner", %reader);

	is($result, "$expected by workers", $what);
	is($counted, $expected_count, "$what: $expected_count");
	return;
}

secured_is('secured', 2, 60, 'misses row_security', 'workers meet row security');
secured_is('secured', 3, 80, 'misses row_security', 'and again');
secured_is('varied', 2, 60, 'misses fills', 'with #vary');
secured_is('varied', 2, 60, 'hits', 'and again');
secured_is('varied', 3, 80, 'misses fills', 'with another value');
$node->safe_psql('postgres', 'INSERT INTO t_visible VALUES (3)');
secured_is('varied', 2, 120, 'misses fills',
	'after a write to what the policy reads');
secured_is('varied', 2, 120, 'hits', 'and again');
$node->safe_psql('postgres', 'UPDATE t_secured SET value = 10 WHERE owner = 1');
secured_is('varied', 2, 300, 'misses fills', 'after a write to the table');
$node->safe_psql('postgres', 'ALTER ROLE reader BYPASSRLS');
secured_is('varied', 2, 300, 'misses fills', 'for who passes row security by');

# Only the function's owner meets the policies.
$node->safe_psql('postgres',
	'ALTER ROLE reader NOBYPASSRLS; GRANT CREATE ON SCHEMA public TO reader');
$node->safe_psql(
	'postgres',
	q{
	CREATE FUNCTION as_reader() RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER AS $$
	BEGIN RETURN (SELECT sum(value) FROM t_secured); END $$;
	ALTER FUNCTION as_reader() OWNER TO reader;
	}
	  . function_in_workers('for_others', 'BEGIN RETURN as_reader(); END'));
is((call_cached('for_others', "$alone; SET app.owner = 2"))[1],
	'misses row_security', 'row security of the owner of a function');

#
# Workers that take long
#

# The function reads, waits for a lock that another session holds, and reads
# again, with a snapshot of its own if it is VOLATILE.
$node->safe_psql(
	'postgres',
	q{
	CREATE TABLE t_before AS SELECT 1 AS value;
	CREATE TABLE t_after AS SELECT 1 AS value;
	SELECT dashboard_cache.watch('t_before');
	SELECT dashboard_cache.watch('t_after');
	}
	  . function_in_workers(
		'waiting', q{
		DECLARE result bigint := (SELECT sum(value) FROM t_before);
		BEGIN
			PERFORM pg_advisory_xact_lock_shared(1);
			RETURN result + (SELECT sum(value) FROM t_after);
		END})
	  . function_in_workers(
		'moving', q{
		DECLARE result bigint := (SELECT sum(value) FROM t_before);
		BEGIN
			PERFORM pg_advisory_xact_lock_shared(1);
			RETURN result + (SELECT sum(value) FROM t_after);
		END})
	  . 'ALTER FUNCTION moving(int) VOLATILE');

my $holder = $node->background_psql('postgres');
my $caller = $node->background_psql('postgres');
my $old = $node->background_psql('postgres');

# Calls the function in a session of its own, and does something while it waits.
sub call_while
{
	my ($name, $meanwhile) = @_;

	$holder->query_safe('BEGIN; SELECT pg_advisory_xact_lock(1)');
	$caller->query_until(qr/started/,
		"$alone;\n\\echo started\nSELECT cached_$name();\n");
	$node->poll_query_until('postgres',
		q{SELECT count(*) > 0 FROM pg_stat_activity
		  WHERE wait_event = 'advisory' AND backend_type = 'parallel worker'});
	$meanwhile->();
	$holder->query_safe('COMMIT');
	return $caller->query_safe('SELECT 1') =~ s/\n?1\z//r;
}

call_while(
	'waiting',
	sub {
		sees_write('beside waiting workers', 'plain', $alone,
			'UPDATE t_plain SET value = value + 1');
	});
is((call_cached('waiting', $alone))[1], 'hits', 'workers that waited: a hit');
foreach my $table ('t_before', 't_after')
{
	$node->safe_psql('postgres', "UPDATE $table SET value = value + 1");
	my ($result, $counted) = call_cached('waiting', $alone);
	is($counted, 'misses fills', "workers that waited: a write to $table");
	is($result, plain('waiting', $alone), 'which is seen');
}

foreach my $table ('t_before', 't_after')
{
	forget('waiting');
	call_while('waiting',
		sub {
			$node->safe_psql('postgres', "UPDATE $table SET value = value + 1");
		});
	is((call_cached('waiting', $alone))[0],
		plain('waiting', $alone), "a write to $table while workers wait");
}

# What the function returns is of no snapshot at all.  (The older one has to be
# older by nothing but the write.)
$old->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $alone");
my $old_result = $old->query_safe(query_of('moving(i)'));
my $moved = call_while('moving',
	sub { $node->safe_psql('postgres', 'UPDATE t_after SET value = value + 1') });
isnt($moved, $old_result, 'VOLATILE function in workers sees a newer write');
is($old->query_safe('SELECT cached_moving()'),
	$old_result, 'an older snapshot does not');
is((call_cached('moving', $alone))[0],
	plain('moving', $alone), 'and a new one does');
$_->quit foreach ($holder, $caller, $old);

is(logged_errors($node), '', 'the server logged no error');
$node->stop;
done_testing();
