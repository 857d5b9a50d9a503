# After a crash nothing old is trusted, and prepared transactions that outlived
# it still invalidate when they are committed.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('crash', settings => "restart_after_crash = on\n");
create_example($node);
my $total = 10;

# Kills a backend, and waits until the postmaster has started anew.
sub kill_backend
{
	my ($pid) = @_;
	my $log = -s $node->logfile;

	kill('KILL', $pid) == 1 or die "could not kill backend $pid: $!";
	$node->wait_for_log(
		qr/all server processes terminated.*ready to accept connections/s,
		$log);
	$node->poll_query_until('postgres', 'SELECT true');
	return;
}

# Waits for a session that runs such a query, and returns its pid.
sub pid_of
{
	my ($query) = @_;
	my $sessions = qq{FROM pg_stat_activity WHERE query LIKE '$query'
		AND state = 'active' AND pid <> pg_backend_pid()};

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $sessions")
	  or die "no session runs $query";
	return $node->safe_psql('postgres', "SELECT pid $sessions");
}

#
# kill -9 of a backend
#

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION slow_total() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
	DECLARE total bigint;
	BEGIN
		SELECT sum(amount) INTO total FROM sales;
		IF current_setting('test.slow', true) = 'on' THEN
			PERFORM pg_sleep(600);
		END IF;
		RETURN total;
	END $$;
	SELECT dashboard_cache.cache('slow_total()', ttl => 'infinity',
		key => 'sales:slow')});

is(call($node), "$total: miss", 'an entry from before the crash');
is(call($node), "$total: hit", 'it is served');

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/filling/,
	"SET test.slow = on;\n\\echo filling\nSELECT cached_slow_total();\n");
kill_backend(pid_of('SELECT cached_slow_total%'));
is(call($node), "$total: miss",
	'nothing old is served after a backend was killed');
is(call($node), "$total: hit", 'and new entries are');
is_deeply(
	[
		count_call(
			$node, 'cached_slow_total()', 'SELECT cached_slow_total()')
	],
	[ $total, 'misses fills' ],
	'a fill that was killed leaves nothing behind');
eval { $session->quit };

# A write that is killed before its commit never happened.
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/writing/,
	"BEGIN;\nINSERT INTO sales VALUES (100);\n\\echo writing\nSELECT pg_sleep(600);\n");
kill_backend(pid_of('SELECT pg_sleep%'));
is(call($node), "$total: miss", 'a write that was killed is not seen');
eval { $session->quit };

# Kills at some moment of a stream of fills, evictions and hits.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE words AS SELECT i AS id, repeat(i::text, 1000) AS word
	FROM generate_series(1, 300) i;
	CREATE FUNCTION cached_word(i int) RETURNS text LANGUAGE cached STABLE
	AS $$
	SELECT word FROM words WHERE id = i
	$$});
my $wrong = q{SELECT count(*) FROM words WHERE cached_word(id) <> word};

foreach my $round (1 .. 3)
{
	$session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_until(
		qr/streaming/, q{
		\echo streaming
		DO $$
		BEGIN
			LOOP
				PERFORM cached_word(id) FROM words;
				PERFORM dashboard_cache.flush();
				COMMIT;
			END LOOP;
		END $$;
	});
	my $pid = pid_of('%cached_word(id)%');
	select(undef, undef, undef, 0.05 + rand(0.2));
	kill_backend($pid);
	eval { $session->quit };
	is($node->safe_psql('postgres', $wrong),
		'0', "answers are right after a kill between fills, round $round");
}

#
# kill -9 of the postmaster
#

is(call($node), "$total: miss", 'an entry from before the postmaster dies');
write_sale($node, 1);
$total += 1;
is(call($node), "$total: miss", 'an entry after a write that is not flushed');
is(call($node), "$total: hit", 'it is served');
crash($node);
ok(!-e saved_file($node), 'a postmaster that was killed has saved nothing');
is(call($node), "$total: miss",
	'nothing old is served after the postmaster was killed');
is(call($node), "$total: hit", 'and new entries are');
write_sale($node, 1);
$total += 1;
is(call($node), "$total: miss", 'and invalidated');

#
# Prepared transactions
#

my %stops = (
	'crash' => sub { crash($node); },
	'immediate shutdown' => sub { $node->stop('immediate'); $node->start; },
	'clean restart' => sub { $node->restart; },);

sub prepare_sale
{
	my ($amount) = @_;

	$node->safe_psql('postgres',
		"BEGIN; INSERT INTO sales VALUES ($amount); PREPARE TRANSACTION 'sale'"
	);
	return;
}

foreach my $stop (sort keys %stops)
{
	# The entry is filled after the restart, so the commit is all that there is
	# to invalidate it.
	prepare_sale(100);
	$stops{$stop}->();
	call($node);
	is(call($node), "$total: hit",
		"$stop: an entry is served beside a prepared write");
	$node->safe_psql('postgres', "COMMIT PREPARED 'sale'");
	$total += 100;
	is(call($node), "$total: miss",
		"$stop: COMMIT PREPARED invalidates an entry from after it");
	is(call($node), "$total: hit", "$stop: and the next one is kept");

	# The entry is older than the prepared write.
	prepare_sale(1000);
	is(call($node), "$total: hit",
		"$stop: PREPARE TRANSACTION invalidates nothing yet");
	$stops{$stop}->();
	is( call($node),
		$stop eq 'clean restart' ? "$total: hit" : "$total: miss",
		"$stop: a prepared write is not seen after it");
	$node->safe_psql('postgres', "COMMIT PREPARED 'sale'");
	$total += 1000;
	is(call($node), "$total: miss",
		"$stop: COMMIT PREPARED invalidates an entry from before it");

	# Two restarts, and no commit.
	prepare_sale(10000);
	$stops{$stop}->();
	$node->restart;
	call($node);
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'sale'");
	like(call($node), qr/^$total: (?:hit|miss)$/,
		"$stop: ROLLBACK PREPARED changes nothing");
	is(call($node), "$total: hit", "$stop: and entries are served after it");
}

# More prepared writes than the ledger has room for at one tag, committed in
# another order than they were prepared in.
foreach my $i (1 .. 12)
{
	$node->safe_psql('postgres',
		"BEGIN; INSERT INTO sales VALUES (1); PREPARE TRANSACTION 'sale $i'");
}
$stops{'crash'}->();
foreach my $i (7, 1, 12, 2, 11, 3, 10, 4, 9, 5, 8, 6)
{
	call($node);
	is(call($node), "$total: hit", "an entry before COMMIT PREPARED of $i");
	$node->safe_psql('postgres', "COMMIT PREPARED 'sale $i'");
	$total += 1;
	is(call($node), "$total: miss",
		"COMMIT PREPARED of one of many invalidates: $i");
}

is(logged_errors($node), '', 'the server logged no error');

$node->stop;
done_testing();
