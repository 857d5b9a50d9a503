# Without shared_preload_libraries nothing is kept, everything works, and each
# session is told once.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $warning =
  qr/^psql:<stdin>:\d+: WARNING:  dashboard_cache is not preloaded, so cached functions run their query every time
HINT:  Add dashboard_cache to shared_preload_libraries and restart the server\.$/m;

my $node = new_node('not_preloaded', settings => "shared_preload_libraries = ''\n");

sub run_sql
{
	my ($sql) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres', $sql);

	is($status, 0, 'succeeds: ' . $sql =~ s/\s+/ /gr);
	return ($stdout, $stderr);
}

sub count_warnings
{
	my ($stderr) = @_;
	my $n = () = $stderr =~ /WARNING/g;

	return $n;
}

my ($stdout, $stderr) = run_sql('CREATE EXTENSION dashboard_cache');
is($stderr, '', 'CREATE EXTENSION says nothing');
$node->safe_psql('postgres', 'DROP EXTENSION dashboard_cache');
create_example($node);

($stdout, $stderr) = run_sql('SELECT cached_sales_total()');
is($stdout, '10 in run 0', 'call runs the query');
like($stderr, $warning, 'and warns with a hint');
is(count_warnings($stderr), 1, 'once');

($stdout, $stderr) = run_sql(
	q{
	SELECT cached_sales_total();
	UPDATE runs SET n = n + 1;
	SELECT cached_sales_total();
	BEGIN;
	UPDATE runs SET n = n + 1;
	SELECT cached_sales_total();
	ROLLBACK;
	SELECT cached_sales_total();
});
is($stdout, join("\n", map { "10 in run $_" } (0, 1, 2, 1)),
	'each call runs the query');
is(count_warnings($stderr), 1, 'another session warns once, at its first call');

($stdout, $stderr) = run_sql(
	q{
	INSERT INTO sales VALUES (5);
	SELECT dashboard_cache.invalidate_key('sales:total');
	SELECT dashboard_cache.invalidate_tag('sales_tag');
	SELECT dashboard_cache.invalidate_pattern('s*[a-z]');
	SELECT dashboard_cache.flush();
	SELECT dashboard_cache.reset_stats();
	SELECT count(*) FROM dashboard_cache.stats;
	SET dashboard_cache.enabled = off;
	SET dashboard_cache.default_ttl = 10;
});
is($stderr, '',
	'trigger, invalidations, statistics and settings work in silence');
like($stdout, qr/^0$/m, 'statistics are empty');

($stdout, $stderr) = run_sql(
	q{
	CREATE FUNCTION cached_amounts() RETURNS SETOF sales
	LANGUAGE cached STABLE AS $$
	#ttl 1 minute
	SELECT * FROM sales ORDER BY amount
	$$;
	SELECT dashboard_cache.cache('sales_total()', name => 'total_again');
	SELECT sum(amount) FROM cached_amounts();
	SELECT total_again();
});
is($stdout, "total_again()\n15\n15 in run 1",
	'functions are created, and are right, sets too');
is(count_warnings($stderr), 1, 'warned once for them all');

(undef, $stdout, $stderr) = $node->psql(
	'postgres', q{
	CREATE FUNCTION cached_bad() RETURNS int LANGUAGE cached STABLE AS
	'#color red
	SELECT 1'});
like(
	$stderr,
	qr/ERROR:  unknown option "color" in line 1/,
	'definitions are validated');

# Prepared transactions and savepoints with invalidations in them.
($stdout, $stderr) = run_sql(
	q{
	BEGIN;
	SAVEPOINT s;
	INSERT INTO sales VALUES (100);
	ROLLBACK TO s;
	INSERT INTO sales VALUES (1);
	PREPARE TRANSACTION 'sale';
	COMMIT PREPARED 'sale';
	SELECT cached_sales_total();
});
is($stdout, '16 in run 1', 'prepared writes are seen');

# A setting of the library's shared memory may have stayed behind.
$node->append_conf('postgresql.conf',
	'dashboard_cache.shared_memory_size = 32MB');
$node->restart;
($stdout, $stderr) = run_sql('SELECT cached_sales_total()');
is($stdout, '16 in run 1', 'call runs the query with a setting left behind');
like($stderr, $warning, 'and warns with a hint');
is(count_warnings($stderr), 1, 'once');

# Preloaded at last.
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'dashboard_cache'");
$node->restart;
($stdout, $stderr) = run_sql('SELECT cached_sales_total()');
is($stderr, '', 'no warning once it is preloaded');
is(call($node), '16: hit', 'and the result is kept');

$node->stop;
done_testing();
