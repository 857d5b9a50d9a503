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
  new_node start_after_crash saved_file create_example
  call count_call counters write_sale log_since
);

# What calls are counted as, in the order in which call() names them.
my @counters = qw(
  hits misses stale fills disabled standby serializable parallel_worker
  own_writes own_id temporary row_security snapshot_moved old_snapshot
  too_large null error
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

# Starts a server whose postmaster was killed.  Its children may need a moment
# to notice, and until then a new postmaster refuses to start.
sub start_after_crash
{
	my ($node) = @_;

	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $node->start(fail_ok => 1);
		select(undef, undef, undef, 0.1);
	}
	BAIL_OUT("server does not start after a crash");
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

# The connection string's options and psql's, from call()'s parameters.
sub _psql
{
	my ($node, $sql, %params) = @_;
	my @options = defined $params{user} ? ('-U', $params{user}) : ();

	return $node->safe_psql($params{database} // 'postgres',
		$sql, extra_params => \@options);
}

# How often the function's calls were counted as what: a hash.
sub counters
{
	my ($node, $function, %params) = @_;
	my $rows = _psql(
		$node, qq{
		SELECT counter.key, counter.value
		FROM dashboard_cache.stats s,
			jsonb_each_text(to_jsonb(s) - 'function') AS counter
		WHERE s.function = '$function'::regprocedure}, %params);
	my %counters = map { split /\|/ } split /\n/, $rows;

	return map { $_ => $counters{$_} // 0 } @counters;
}

# Runs the SQL, which calls the function once, and returns its result and what
# the call was counted as.
sub count_call
{
	my ($node, $function, $sql, %params) = @_;
	my %before = counters($node, $function, %params);
	my $result = _psql($node, $sql, %params);
	my %after = counters($node, $function, %params);
	my @counted;

	foreach my $counter (@counters)
	{
		my $difference = $after{$counter} - $before{$counter};

		push @counted, $counter if $difference == 1;
		push @counted, "$difference $counter"
		  if $difference != 0 && $difference != 1;
	}
	return ($result, join(' ', @counted));
}

# Calls the example's function, and returns its total and what became of the
# call: "10: hit", "10: fill" (nothing was there), "10: stale, fill" (a write
# had invalidated what was there), or a reason for passing the cache by, as in
# "10: disabled".
sub call
{
	my ($node, %params) = @_;
	my %names = (
		'hits' => 'hit',
		'misses fills' => 'fill',
		'misses stale fills' => 'stale, fill');
	my $run = $node->safe_psql($params{database} // 'postgres',
		'UPDATE runs SET n = n + 1 RETURNING n');
	my ($result, $counted) =
	  count_call($node, 'cached_sales_total()',
		'SELECT cached_sales_total()', %params);
	my ($total, $result_run) = $result =~ /^(.*) in run (\d+)$/
	  or return "unexpected result \"$result\"";
	my $ran = $result_run == $run;

	return "$total: counted as $counted, but " . ($ran ? 'ran' : 'did not run')
	  if $ran == ($counted eq 'hits');
	return "$total: " . ($names{$counted} // $counted);
}

# What the server has logged since the offset, or since its start.
sub log_since
{
	my ($node, $offset) = @_;

	return slurp_file($node->logfile, $offset // 0);
}

1;
