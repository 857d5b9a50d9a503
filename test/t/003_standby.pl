# A standby runs the query each time; what it saw is no entry after it was
# promoted, and what a former primary kept is none after it was a standby.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $function = 'cached_sales_total()';
my $select = 'SELECT cached_sales_total()';

my $primary = new_node('primary', allows_streaming => 1);
create_example($primary);
my $total = 10;
is(call($primary), "$total: miss", 'an entry on the primary');
is(call($primary), "$total: hit", 'it is served there');

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

#
# On a standby
#

# The total and the run of a call, and what it was counted as.
sub call_standby
{
	my ($result, $counted) = count_call($standby, $function, $select);

	return "$result: $counted";
}

sub next_run
{
	my $run = $primary->safe_psql('postgres',
		'UPDATE runs SET n = n + 1 RETURNING n');

	$primary->wait_for_catchup($standby);
	return $run;
}

foreach my $call ('first', 'second')
{
	my $run = next_run();

	is(call_standby(), "$total in run $run: standby",
		"$call call on a standby runs the query");
}

write_sale($primary, 1);
$total += 1;
my $run = next_run();
is(call_standby(), "$total in run $run: standby",
	'a write to the primary is seen on the standby');
is(call($primary), "$total: miss", 'and on the primary');
is(call($primary), "$total: hit", 'which keeps its entries');

foreach my $invalidation (
	q{invalidate_key('sales:total')}, q{invalidate_tag('sales_tag')},
	q{invalidate_pattern('sales:*')}, q{flush()})
{
	my ($status, $stdout, $stderr) =
	  $standby->psql('postgres', "SELECT dashboard_cache.$invalidation");
	like(
		$stderr,
		qr/ERROR:  cannot execute dashboard_cache\.\w+\(\) during recovery/,
		"$invalidation on a standby is refused");
}

my $log = -s $standby->logfile;
is( $standby->safe_psql('postgres',
		"SET dashboard_cache.enabled = off; $select"),
	"$total in run " . ($run + 2),
	'cached functions can be turned off on a standby');

#
# Promotion
#

# A transaction whose snapshot is from before the promotion, and does not see a
# write that is committed by then.
my $writer = $primary->background_psql('postgres');
$writer->query_safe('BEGIN; INSERT INTO sales VALUES (7)');
write_sale($primary, 1);
$total += 1;
$primary->wait_for_catchup($standby);
my $old = $standby->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $old_result = $old->query_safe($select);
like($old_result, qr/^$total in run /, 'a snapshot on a standby');
$writer->query_safe('COMMIT');
$writer->quit;
$total += 7;
$primary->wait_for_catchup($standby);

# The primary stops first and is a standby later.
$primary->stop;
ok(-s saved_file($primary), 'the primary saves its entries');
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');

is(call($standby), "$total: miss", 'first call after a promotion is a miss');
is(call($standby), "$total: hit", 'second call after a promotion is served');
is($old->query_safe($select),
	$old_result, 'a snapshot from before the promotion sees what it saw');
write_sale($standby, 1);
$total += 1;
is(call($standby), "$total: miss", 'a write after a promotion invalidates');
is(call($standby), "$total: hit", 'and the next entry is kept');

is($old->query_safe($select),
	$old_result, 'and so it does after a write');
$old->query_safe('COMMIT');
is(call($standby), "$total: hit",
	'and leaves no entry of its own behind');
isnt($old->query_safe($select),
	$old_result, 'the same session is served in its next transaction');
$old->quit;

#
# A primary that becomes a standby
#

sub demote
{
	my ($node, $new_primary) = @_;

	$node->append_conf('postgresql.conf',
		"primary_conninfo = '" . $new_primary->connstr . "'");
	$node->set_standby_mode;
	$node->start;
	$new_primary->wait_for_catchup($node);
	return;
}

# Since the primary stopped, its successor has written what it knows nothing of.
demote($primary, $standby);
my ($result, $counted) = count_call($primary, $function, $select);
like($result, qr/^$total in run /,
	'a former primary sees the writes of its successor');
is($counted, 'standby', 'by running the query');

$standby->stop;
$primary->promote;
$primary->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
is(call($primary), "$total: miss",
	'a former primary serves nothing old when it is promoted again');
is(call($primary), "$total: hit", 'and new entries');

# Back again: with a write that is prepared on one side and committed on the
# other, and with a restart as a standby, which must not keep anything either.
write_sale($primary, 1);
$total += 1;
demote($standby, $primary);
$primary->safe_psql('postgres',
	q{BEGIN; INSERT INTO sales VALUES (100); PREPARE TRANSACTION 'sale'});
write_sale($primary, 1);
$total += 1;
$primary->wait_for_catchup($standby);
$standby->restart;
ok(!-e saved_file($standby), 'a standby saves nothing');
write_sale($primary, 1);
$total += 1;
$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
is(call($standby), "$total: miss",
	'nor does a standby that was restarted before it is promoted');
is(call($standby), "$total: hit", 'which then keeps entries');
$standby->safe_psql('postgres', "COMMIT PREPARED 'sale'");
$total += 100;
is(call($standby), "$total: miss",
	'commit of what was prepared before a promotion invalidates');
is(call($standby), "$total: hit", 'and the next entry is kept');

is(logged_errors($standby, $log), '', 'the server logged no other error');
$standby->stop;

# A former primary whose first act is to make room for a new glob, before
# anybody has asked for an entry, the worker included.
my $former = new_node(
	'former',
	allows_streaming => 1,
	settings => "max_worker_processes = 0\n");
create_example($former);
$former->safe_psql('postgres',
	join(';',
		map { "SELECT dashboard_cache.invalidate_pattern('x?$_')" }
		  (1 .. 300)));
call($former);
is(call($former), '10: hit', 'an entry, and as many globs as there is room for');
$former->backup('backup');
my $successor = PostgreSQL::Test::Cluster->new('successor');
$successor->init_from_backup($former, 'backup', has_streaming => 1);
$successor->start;
$former->wait_for_catchup($successor);
$former->stop;
$successor->promote;
$successor->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
write_sale($successor, 1);
demote($former, $successor);
$successor->stop;
$former->promote;
$former->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
$former->safe_psql('postgres',
	q{SELECT dashboard_cache.invalidate_pattern('y?1')});
is(call($former), '11: miss',
	'nothing old is served after another glob has taken a place');
is(call($former), '11: hit', 'and new entries are');

$former->stop;
done_testing();
