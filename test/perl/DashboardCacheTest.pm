# DashboardCacheTest: servers with the extension preloaded, and an example whose
# calls tell whether they were served from the cache.
#
# The example's query reads two tables.  The writes to "sales" are announced by
# a trigger.  Those to "runs" are not, and call() makes one before each call:
# so a result that names the latest run was computed, and one that names an
# earlier run was kept from it.  What the call was counted as must say the same.
package DashboardCacheTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  new_node crash saved_file create_example
  call count_call count_session_call counters write_sale log_since logged_errors
  configure use_redis wait_for_redis redis_status breaker_log wait_until
);

# What calls are counted as, in the order in which call() names them.
my @counters = qw(
  hits redis_hits misses stale redis_rejected redis_errors fills disabled
  standby serializable parallel_worker own_writes own_id temporary
  row_security snapshot_moved old_snapshot too_large null redis_down error
);

my $example = <<'SQL';
CREATE TABLE sales (amount int);
INSERT INTO sales VALUES (10);
CREATE TABLE runs (n int);
INSERT INTO runs VALUES (0);

CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON sales
	FOR EACH STATEMENT EXECUTE FUNCTION dashboard_cache.invalidate('sales:*');

CREATE FUNCTION sales_total() RETURNS text LANGUAGE sql STABLE AS
	'SELECT format(''%s in run %s'', (SELECT sum(amount) FROM sales),
		(SELECT n FROM runs))';

CREATE FUNCTION cached_sales_total() RETURNS text
LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
#ttl infinity
#key sales:total
#tags sales_tag
SELECT sales_total()
$$;
SQL

# A server that preloads the library.  settings: lines for postgresql.conf.
# start => 0 leaves it stopped; the other parameters are init()'s.
sub new_node
{
	my ($name, %params) = @_;
	my $settings = delete $params{settings};
	my $start = delete $params{start} // 1;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%params);
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'dashboard_cache'\n"
		  . "max_prepared_transactions = 20\n"
		  . "autovacuum = off\n");
	$node->append_conf('postgresql.conf', $settings) if defined $settings;
	$node->start if $start;
	return $node;
}

# Kills the postmaster, and starts it again.  Its children need a moment to
# notice, and a new one refuses to start while they live.
sub crash
{
	my ($node) = @_;
	my @children = split /\n/,
	  $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity');

	$node->kill9;
	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last unless kill(0, @children);
		select(undef, undef, undef, 0.1);
	}
	$node->start;
	return;
}

# The file that a clean shutdown leaves.
sub saved_file
{
	my ($node) = @_;

	return $node->data_dir . '/pg_stat/dashboard_cache.saved';
}

sub create_example
{
	my ($node, $database) = @_;

	$node->safe_psql($database // 'postgres',
		"CREATE EXTENSION dashboard_cache;\n$example");
	return;
}

# An announced write.
sub write_sale
{
	my ($node, $amount, $database) = @_;

	$node->safe_psql($database // 'postgres',
		"INSERT INTO sales VALUES ($amount)");
	return;
}

# Runs SQL in the database and as the user that the parameters name, if any.
sub _psql
{
	my ($node, $sql, %params) = @_;
	my @options = defined $params{user} ? ('-U', $params{user}) : ();

	return $node->safe_psql($params{database} // 'postgres',
		$sql, extra_params => \@options);
}

# The query for the function's counters: rows of tag, counter and value.
sub _counters_query
{
	my ($function, $tag) = @_;

	return qq{
		SELECT '$tag', counter.key, counter.value
		FROM dashboard_cache.stats s,
			jsonb_each_text(to_jsonb(s) - 'function') AS counter
		WHERE s.function = '$function'::regprocedure;
	};
}

# How often the function's calls were counted as what: a hash.
sub counters
{
	my ($node, $function, %params) = @_;
	my $rows = _psql($node, _counters_query($function, 'now'), %params);
	my %counters = $rows =~ /^now\|(\w+)\|(\d+)$/mg;

	return map { $_ => $counters{$_} // 0 } @counters;
}

# Runs the SQL, which calls the function once, in one session, and returns what
# it prints and what the call was counted as.
sub count_call
{
	my ($node, $function, $sql, %params) = @_;
	my $output = _psql(
		$node,
		_counters_query($function, 'before')
		  . "$sql;"
		  . _counters_query($function, 'after'),
		%params);
	my %before = $output =~ /^before\|(\w+)\|(\d+)$/mg;
	my %after = $output =~ /^after\|(\w+)\|(\d+)$/mg;

	$output =~ s/^(?:before|after)\|.*(?:\n|$)//mg;
	chomp $output;
	return ($output, _difference(\%before, \%after));
}

# The same in a session that is open already.
sub count_session_call
{
	my ($node, $function, $session, $sql) = @_;
	my %before = counters($node, $function);
	my $output = $session->query_safe($sql);
	my %after = counters($node, $function);

	return ($output, _difference(\%before, \%after));
}

# What was counted in between, as words.
sub _difference
{
	my ($before, $after) = @_;
	my @counted;

	foreach my $counter (@counters)
	{
		my $difference = ($after->{$counter} // 0) - ($before->{$counter} // 0);

		push @counted, $counter if $difference == 1;
		push @counted, "$difference $counter"
		  if $difference != 0 && $difference != 1;
	}
	return join(' ', @counted);
}

# Calls the example's function, and returns its total and what became of the
# call: "10: hit" (from shared memory), "10: Redis hit", "10: miss" (if the result
# was kept), or what else it was counted as, as in "10: disabled".  That a miss
# was stale is not told: the worker may have dropped the entry already.
sub call
{
	my ($node, %params) = @_;
	my %names = (
		'hits' => 'hit',
		'hits redis_hits' => 'Redis hit',
		'misses fills' => 'miss',
		'misses stale fills' => 'miss');
	my $run = $node->safe_psql($params{database} // 'postgres',
		'UPDATE runs SET n = n + 1 RETURNING n');
	my ($result, $counted) =
	  count_call($node, 'cached_sales_total()',
		'SELECT cached_sales_total()', %params);
	my ($total, $result_run) = $result =~ /^(.*) in run (\d+)$/
	  or return "unexpected result \"$result\"";
	my $ran = $result_run == $run;

	return "$total: counted as $counted, but " . ($ran ? 'ran' : 'did not run')
	  if $ran == ($counted =~ /^hits/);
	return "$total: " . ($names{$counted} // $counted);
}

#
# Redis
#

# Settings of the extension, which the server and its sessions soon know.
sub configure
{
	my ($node, %settings) = @_;
	my $lines = '';

	foreach my $name (sort keys %settings)
	{
		(my $value = $settings{$name}) =~ s/(['\\])/$1$1/g;
		$lines .= "dashboard_cache.$name = '$value'\n";
	}
	$node->append_conf('postgresql.conf', $lines);
	$node->reload;
	return;
}

# Settings that change which Redis server is used, or how.  Waits until it has
# been tried, and returns whether it is up.
sub use_redis
{
	my ($node, %settings) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT clock_timestamp()');

	configure($node, %settings);
	$node->poll_query_until('postgres',
		"SELECT state IN ('up', 'down') FROM dashboard_cache.redis_status"
		  . " WHERE since > '$before'");
	return redis_status($node, 'state') eq 'up';
}

sub wait_for_redis
{
	my ($node, $state) = @_;

	return $node->poll_query_until('postgres',
		"SELECT state = '$state' FROM dashboard_cache.redis_status");
}

sub redis_status
{
	my ($node, $column) = @_;

	return $node->safe_psql('postgres',
		"SELECT $column FROM dashboard_cache.redis_status");
}

# What the server has logged about Redis since the offset: "down up" after an
# outage, and "refused" for a command that Redis refused.
sub breaker_log
{
	my ($node, $offset) = @_;
	my %names = ('is down' => 'down', 'is up again' => 'up');

	return join ' ', map { $names{$_} // 'refused' } log_since($node, $offset)
	  =~ /LOG:  Redis server "[^"]*" (is down|is up again|refused a command)/g;
}

# Waits until the function returns true, and returns what it returned last.
sub wait_until
{
	my ($function) = @_;
	my $give_up_at = time() + $PostgreSQL::Test::Utils::timeout_default;

	while (1)
	{
		my $result = $function->();

		return $result if $result || time() > $give_up_at;
		select(undef, undef, undef, 0.02);
	}
}

# What the server has logged since the offset, or since its start.
sub log_since
{
	my ($node, $offset) = @_;

	return slurp_file($node->logfile, $offset // 0);
}

# The errors that the server has logged since the offset, or since its start,
# but for those of processes that a shutdown or a start met, their own server's
# or their primary's.
sub logged_errors
{
	my ($node, $offset) = @_;

	return join "\n",
	  grep { !/FATAL:  (?:terminating|the database system is|.*primary)/ }
	  grep { / (?:ERROR|FATAL|PANIC): / } split /\n/,
	  log_since($node, $offset);
}

1;
