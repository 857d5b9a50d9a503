# dashboard_cache.enabled turns the cache off for a session, a role or a
# database, and what is written meanwhile is not missed.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('disabled');
create_example($node);
$node->safe_psql(
	'postgres', q{
	CREATE ROLE dashboard LOGIN;
	CREATE ROLE report LOGIN;
	GRANT SELECT, INSERT ON sales, runs TO dashboard, report});

my %dashboard = (user => 'dashboard');
my %report = (user => 'report');
my $total = 10;

sub call_twice
{
	my ($what, $expected, %params) = @_;

	call($node, %params);
	is(call($node, %params), "$total: $expected", $what);
	return;
}

call_twice('results are kept by default', 'hit', %report);
call_twice('and for another role', 'hit', %dashboard);

#
# For a role
#

$node->safe_psql('postgres',
	'ALTER ROLE report SET dashboard_cache.enabled = off');
call_twice('role for which it is off runs the query', 'disabled', %report);
is(call($node, %dashboard), "$total: hit", 'and others do not');

$node->safe_psql(
	'postgres',
	'INSERT INTO sales VALUES (1)',
	extra_params => [ '-U', 'report' ]);
$total += 1;
is(call($node, %dashboard), "$total: miss",
	'a write of the role for which it is off invalidates');
is(call($node, %dashboard), "$total: hit", 'and the next entry is kept');

$node->safe_psql('postgres', 'ALTER ROLE report RESET dashboard_cache.enabled');
is(call($node, %report), "$total: miss",
	'entry from before it was off is stale when it is on again');
is(call($node, %report), "$total: hit", 'and the next one is kept');

#
# For a database
#

$node->safe_psql('postgres', 'CREATE DATABASE other');
create_example($node, 'other');
is(call($node, database => 'other'), '10: miss', 'entry in another database');
is(call($node, database => 'other'), '10: hit', 'it is served');
$node->safe_psql('postgres',
	'ALTER DATABASE other SET dashboard_cache.enabled = off');
is(call($node, database => 'other'),
	'10: disabled', 'database for which it is off runs the query');
is(call($node, %dashboard), "$total: hit", 'and others do not');
write_sale($node, 5, 'other');
is(call($node, database => 'other'), '15: disabled', 'and sees its writes');
$node->safe_psql('postgres',
	'ALTER ROLE dashboard IN DATABASE other SET dashboard_cache.enabled = on');
$node->safe_psql('other',
	'GRANT SELECT ON sales, runs TO dashboard');
is(call($node, database => 'other', %dashboard),
	'15: miss', 'a role in that database may have it on');
is(call($node, database => 'other', %dashboard), '15: hit', 'and is served');
$node->safe_psql('postgres', 'ALTER DATABASE other RESET dashboard_cache.enabled');
is(call($node, database => 'other'),
	'15: miss', 'entry from before it was off is stale when it is on again');

#
# For a session, a transaction, a function, and the server
#

sub select_with
{
	my ($before) = @_;
	my ($result, $counted) = count_call($node, 'cached_sales_total()',
		"$before; SELECT cached_sales_total()", %dashboard);

	return $counted;
}

is(select_with('SET dashboard_cache.enabled = off'),
	'disabled', 'off for a session');
is(select_with('BEGIN; SET LOCAL dashboard_cache.enabled = off'),
	'disabled', 'off for a transaction');
is( select_with(
		'BEGIN; SET LOCAL dashboard_cache.enabled = off; COMMIT'),
	'hits',
	'and on again after it');

my $session = $node->background_psql('postgres',
	extra_params => [ '-U', 'dashboard' ]);
my $served = $session->query_safe('SELECT cached_sales_total()');
$node->safe_psql('postgres', 'UPDATE runs SET n = n + 1');
is($session->query_safe('SELECT cached_sales_total()'),
	$served, 'a session is served');
$node->append_conf('postgresql.conf', 'dashboard_cache.enabled = off');
$node->reload;
ok( $node->poll_query_until(
		'postgres', 'SHOW dashboard_cache.enabled', 'off'),
	'off for the server by a reload');

# The session's own reload may come a moment later, between two statements.
my $result;
foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	$result = $session->query_safe('SELECT cached_sales_total()');
	last if $result ne $served;
	select(undef, undef, undef, 0.1);
}
isnt($result, $served, 'a session that was there before runs the query then');
$session->quit;
is(call($node, %dashboard), "$total: disabled", 'and so does a new one');

$node->stop;
done_testing();
