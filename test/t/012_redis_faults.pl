# Whatever happens to Redis: right answers meanwhile, and hits again afterwards.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes qw(sleep time);

# The time limit, and what a call may take besides on a busy machine.
my $timeout = 1;
my $margin = 5;

my $redis = RedisServer->new('faults', tcp => 1, start => 0);
my @urls = ($redis->url, 'redis://127.0.0.1:' . $redis->port);
my $node = new_node('faults',
	settings => "dashboard_cache.shared_memory_size = 0\n"
	  . "dashboard_cache.redis_timeout = '${timeout}s'\n"
	  . "dashboard_cache.redis_url = '$urls[0]'\n"
	  . "restart_after_crash = on\n");
create_example($node);
my $total = 10;

sub sql { return $node->safe_psql('postgres', @_); }

sql(
	q{
	CREATE TABLE words AS
		SELECT i AS id, string_agg(md5((i * j)::text), '') AS word
		FROM generate_series(1, 500) i, generate_series(1, 100) j GROUP BY i;
	CREATE FUNCTION cached_word(i int) RETURNS text LANGUAGE cached STABLE AS $$
	#key words:{i}
	SELECT word FROM words WHERE id = i
	$$;
	CREATE FUNCTION big() RETURNS bytea LANGUAGE plpgsql STABLE AS $$
	BEGIN
		PERFORM pg_advisory_lock(1), pg_advisory_unlock(1);
		RETURN (SELECT string_agg(sha512(i::text::bytea), '')
			FROM generate_series(1, 100000) i);
	END $$;
	CREATE FUNCTION cached_big() RETURNS bytea LANGUAGE cached STABLE AS $$
	#key big
	SELECT big()
	$$});
my $wrong_words =
  'SELECT count(*) FROM words WHERE cached_word(id) IS DISTINCT FROM word';

# A call whose answer has to be right, and in time, however it came about.
sub call_right
{
	my ($what) = @_;
	my $began_at = time();
	my $call = call($node);
	my $took = time() - $began_at;

	like($call, qr/^$total: (?!counted)/, "$what: answer is right");
	cmp_ok($took, '<', $timeout + $margin, "$what: answer is in time");
	return $call;
}

# Causes a fault and ends it.  logs: what the server logs meanwhile.
sub fault
{
	my ($what, %params) = @_;
	my $log;

	# With each fault a new start: the log tells of refused commands once a
	# minute.
	push @urls, shift @urls;
	ok(use_redis($node, redis_url => $urls[0]), "$what: before it");
	call_right("$what, before it");
	is(call($node), "$total: Redis hit", "$what: a hit before it");
	$log = -s $node->logfile;

	$params{cause}->();
	call_right("$what, first call");
	write_sale($node, 1);
	$total += 1;
	call_right("$what, after a write");
	call_right("$what, after that");
	is(sql("$wrong_words AND id <= 20"), 0, "$what: other answers are right");
	is( redis_status($node, 'state'),
		$params{logs} =~ /down/ ? 'down' : 'up',
		"$what: state")
	  unless ref($params{logs});
	like(redis_status($node, 'last_error'), $params{error}, "$what: error")
	  if $params{error};

	$params{end}->();
	ok(wait_for_redis($node, 'up'), "$what: is over");
	call_right("$what, first call afterwards");
	is(call($node), "$total: Redis hit", "$what: a hit afterwards");
	is(sql("$wrong_words AND id <= 20"), 0, "$what: and right answers");
	like(breaker_log($node, $log), qr/^$params{logs}$/,
		"$what: what is logged");
	return;
}

sub config { return $redis->command('CONFIG', 'SET', @_); }
sub acl { return $redis->command('ACL', 'SETUSER', 'default', @_); }

#
# Not running
#

ok(wait_for_redis($node, 'down'), 'Redis is not there when the server starts');
is(call_right('not there'), '10: misses redis_down', 'calls run the query');
is(call_right('not there'), '10: misses redis_down', 'every time');
is(breaker_log($node), 'down', 'one line says so');
$redis->start;
ok(wait_for_redis($node, 'up'), 'it is found when it is started');
is(call($node), '10: miss', 'the next call is kept');
is(call($node), '10: Redis hit', 'and the one after it is a hit');
is(breaker_log($node), 'down up', 'another line says that it is there');

fault(
	'killed',
	cause => sub { $redis->kill9 },
	end => sub { $redis->start },
	error => qr/could not connect/,
	logs => 'down up');
fault(
	'shut down',
	cause => sub { $redis->stop },
	end => sub { $redis->start },
	error => qr/could not connect/,
	logs => 'down up');
fault(
	'restarted empty',
	cause => sub { $redis->restart_empty },
	end => sub { },
	logs => '');
fault(
	'stopped by a signal',
	cause => sub { $redis->freeze },
	end => sub { $redis->thaw },
	error => qr/timeout/,
	logs => 'down up');

#
# Not well
#

fault(
	'full',
	cause => sub { config(maxmemory => 1) },
	end => sub { config(maxmemory => 0) },
	error => qr/^(?:OOM|EXECABORT)/,
	logs => 'refused');

my $evicted = $redis->info('evicted_keys');
fault(
	'full, and evicting',
	cause => sub {
		config(
			'maxmemory' => $redis->info('used_memory') + 1024 * 1024,
			'maxmemory-policy' => 'allkeys-lru');
		is(sql($wrong_words), 0, 'answers are right while keys are evicted')
		  foreach 1 .. 2;
	},
	end => sub { config(maxmemory => 0) },
	logs => '');
cmp_ok($redis->info('evicted_keys'), '>', $evicted, 'keys were evicted');

fault(
	'loading',
	cause => sub {
		$redis->replies(map { [ 'SET', "filler:$_", 'x' x 1000 ] } 1 .. 3000);
		$redis->stop_and_save;
		local $redis->{settings} =
		    "key-load-delay 10000\n"
		  . "loading-process-events-interval-bytes 1024\n";
		$redis->start;
	},
	end => sub {
		config('key-load-delay', 0);
		wait_until(sub { $redis->info('loading') == 0 });
	},
	error => qr/^LOADING/,
	logs => 'down up');
$redis->command('FLUSHALL');

my @replica = ('REPLICAOF', '127.0.0.1', PostgreSQL::Test::Cluster::get_free_port());
fault(
	'a replica',
	cause => sub { $redis->command(@replica) },
	end => sub { $redis->command('REPLICAOF', 'NO', 'ONE') },
	error => qr/READONLY|EXECABORT/,
	logs => 'refused');
fault(
	'a replica without its master',
	cause => sub {
		config('replica-serve-stale-data', 'no');
		$redis->command(@replica);
	},
	end => sub { $redis->command('REPLICAOF', 'NO', 'ONE') },
	error => qr/MASTERDOWN|READONLY/,
	logs => qr/refused(?: down up)?/);

fault(
	'another password',
	cause => sub {
		config(requirepass => 'another');
		$redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
	},
	end => sub { config(requirepass => '') },
	error => qr/^NOAUTH/,
	logs => 'down up');

foreach my $command ('hset', 'hmget', 'exec', 'unlink')
{
	fault(
		"$command forbidden",
		cause => sub { acl("-$command") },
		end => sub { acl('+@all') },
		error => qr/^(?:NOPERM|EXECABORT)/,
		logs => 'refused');
}
fault(
	'scan forbidden',
	cause => sub {
		acl('-scan');
		sql('SELECT dashboard_cache.flush()');
		wait_until(sub { redis_status($node, 'last_error') =~ /^NOPERM/ });
	},
	end => sub { acl('+@all') },
	error => qr/^NOPERM/,
	logs => 'refused');
fault(
	'keys forbidden',
	cause => sub { acl('resetkeys', '~nothing') },
	end => sub { acl('~*') },
	error => qr/^(?:NOPERM|EXECABORT)/,
	logs => 'refused');
fault(
	'too many clients',
	cause => sub {
		config(maxclients => 1);
		$redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
	},
	end => sub { config(maxclients => 1000) },
	logs => 'down up');

#
# Connections that were closed while nobody looked
#

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->set_query_timer_restart();

sub session_call
{
	my ($result, $counted) = count_session_call($node, 'cached_sales_total()',
		$session, 'SELECT cached_sales_total()');

	return ($result =~ /^(\d+) in run/)[0] . ": $counted";
}

is(session_call(), "$total: hits redis_hits", 'a session with a connection');
my $log = -s $node->logfile;
$redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
is(session_call(), "$total: hits redis_hits",
	'a connection that was killed is opened again');
$redis->restart_empty;
is(session_call(), "$total: misses fills", 'so it is with a new server');
is(session_call(), "$total: hits redis_hits", 'which then has an entry');
is(breaker_log($node, $log), '', 'none of that is an outage');

# In the middle of a transaction, and of a statement.
is( $session->query_safe(
		q{BEGIN; SELECT count(*) FROM words WHERE cached_word(id) <> word}),
	0, 'a transaction');
$redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
is( $session->query_safe(
		q{SELECT count(*) FROM words WHERE cached_word(id) <> word; COMMIT}),
	0, 'goes on with another connection');
is(breaker_log($node, $log), '', 'quietly');

#
# FLUSHALL and CLIENT KILL under load
#

sql(
	q{
	CREATE FUNCTION plain_total() RETURNS text LANGUAGE sql STABLE AS
	'SELECT sum(amount)::text FROM sales';
	SELECT dashboard_cache.cache('plain_total()', key => 'sales:plain');
	CREATE PROCEDURE compare(OUT wrong int, OUT compared int)
	LANGUAGE plpgsql AS $$
	DECLARE
		stop_at timestamptz := clock_timestamp() + interval '1.5 s';
		is_wrong bool;
	BEGIN
		wrong := 0;
		compared := 0;
		WHILE clock_timestamp() < stop_at LOOP
			SELECT cached_plain_total() IS DISTINCT FROM plain_total()
				OR cached_word(1 + compared % 20) IS DISTINCT FROM
					(SELECT word FROM words WHERE id = 1 + compared % 20)
				INTO is_wrong;
			wrong := wrong + is_wrong::int;
			compared := compared + 1;
			IF compared % 25 = 0 THEN
				UPDATE sales SET amount = amount + 0;
				COMMIT;
				INSERT INTO sales VALUES (1);
				COMMIT;
				DELETE FROM sales WHERE ctid =
					(SELECT max(ctid) FROM sales WHERE amount = 1);
				COMMIT;
			END IF;
			COMMIT;
		END LOOP;
	END $$});
my @load = map { $node->background_psql('postgres') } 1 .. 3;
$_->query_until(qr/comparing/, "\\echo comparing\nCALL compare(0, 0);\n")
  foreach @load;
my $disturbed = 0;
my $load_ends_at = time() + 1.4;
while (time() < $load_ends_at)
{
	$redis->command('FLUSHALL');
	$redis->command('CLIENT', 'KILL', 'TYPE', 'normal') if ++$disturbed % 3 == 0;
	sleep(0.01);
}
cmp_ok($disturbed, '>', 20, 'FLUSHALL and CLIENT KILL under load');
foreach my $load (@load)
{
	my ($wrong, $compared) =
	  $load->query_safe('SELECT 1') =~ /^(\d+)\|(\d+)$/m;

	is($wrong, 0, 'no answer was wrong');
	cmp_ok($compared, '>', 20, 'of many');
	$load->quit;
}
my %counts = counters($node, 'cached_plain_total()');
cmp_ok($counts{redis_hits}, '>', 0, 'some were from Redis');
$total = sql('SELECT sum(amount) FROM sales');
wait_for_redis($node, 'up');
call_right('after the load');
is(call($node), "$total: Redis hit", 'a hit after the load');

#
# A large result, when the server stops listening in the middle of it
#

my $digest = sql(
	q{SELECT md5(string_agg(sha512(i::text::bytea), ''))
	FROM generate_series(1, 100000) i});
my $lock = $node->background_psql('postgres');
$lock->query_safe('SELECT pg_advisory_lock(1)');
$session->query_until(qr/calling/,
	"\\echo calling\nSELECT md5(cached_big());\n");
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_locks
	WHERE locktype = 'advisory' AND NOT granted});
$redis->freeze;
$lock->query_safe('SELECT pg_advisory_unlock(1)');
$lock->quit;
is($session->query_safe('SELECT 1'), "$digest\n1",
	'a large result that nobody takes');
is(redis_status($node, 'last_error'), 'timeout', 'has a time limit too');
$redis->thaw;
wait_for_redis($node, 'up');
$session->query_safe('SELECT cached_big()');
is_deeply(
	[
		count_session_call(
			$node, 'cached_big()', $session, 'SELECT md5(cached_big())')
	],
	[ $digest, 'hits redis_hits' ],
	'and is a hit afterwards');

#
# Cancelled while waiting
#

configure($node, redis_timeout => '60s');
wait_until(
	sub { $session->query_safe('SHOW dashboard_cache.redis_timeout') eq '1min' }
);
my $pid = $session->query_safe('SELECT pg_backend_pid()');

# Waits until the session waits for Redis.
sub wait_for_wait
{
	return $node->poll_query_until('postgres',
		"SELECT wait_event_type = 'Extension' FROM pg_stat_activity"
		  . " WHERE pid = $pid AND state = 'active'");
}

# By somebody
is(session_call(), "$total: hits redis_hits", 'a session, to be cancelled');
$redis->freeze;
my $began_at = time();
$session->query_until(qr/calling/,
	"\\echo calling\nSELECT cached_sales_total();\n");
ok(wait_for_wait(), 'it waits for Redis');
$log = -s $node->logfile;
sql("SELECT pg_cancel_backend($pid)");
$node->wait_for_log(qr/ERROR:  canceling statement/, $log);
cmp_ok(time() - $began_at, '<', 30, 'it does not wait when it is cancelled');
$redis->thaw;
$session->query('SELECT 1');
$session->{stderr} = '';
wait_for_redis($node, 'up');
is(session_call(), "$total: hits redis_hits",
	'and it takes no answer for another');

# A time limit for the statement leaves enough for the query itself.
$redis->freeze;
$session->query_safe("SET statement_timeout = '5s'");
like(session_call(), qr/^$total: misses /,
	'a session with a time limit of its own gets its answer');
$session->query_safe('RESET statement_timeout');
$redis->thaw;
wait_for_redis($node, 'up');
is(session_call(), "$total: hits redis_hits", 'and a hit afterwards');

# The end of the session, and of the postmaster.
$redis->freeze;
$session->query_until(qr/calling/,
	"\\echo calling\nSELECT cached_sales_total();\n");
ok(wait_for_wait(), 'a session waits');
sql("SELECT pg_terminate_backend($pid)");
$node->poll_query_until('postgres',
	"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
eval { $session->quit };
$redis->thaw;
is(call($node), "$total: Redis hit", 'it is terminated');

$session = $node->background_psql('postgres', on_error_stop => 0);
$pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe('SELECT cached_sales_total()');
$redis->freeze;
$session->query_until(qr/calling/,
	"\\echo calling\nSELECT cached_sales_total();\n");
ok(wait_for_wait(), 'a session waits');
my $killed_at = time();
$node->kill9;
ok(wait_until(sub { !kill(0, $pid) }), 'it ends when the postmaster does');
cmp_ok(time() - $killed_at, '<', 20, 'and does not wait for Redis');
eval { $session->quit };
$redis->thaw;
wait_until(sub { eval { $node->start(fail_ok => 1) } });
ok(wait_for_redis($node, 'up'), 'a new start');
call_right('after a crash');
is(call($node), "$total: Redis hit", 'with hits');

#
# With shared memory
#

$node->append_conf('postgresql.conf',
	    "dashboard_cache.shared_memory_size = '16MB'\n"
	  . "dashboard_cache.redis_timeout = '${timeout}s'\n");
$node->restart;
ok(wait_for_redis($node, 'up'), 'with shared memory');
call_right('both');
is(call($node), "$total: hit", 'shared memory is asked first');
is(sql("$wrong_words AND id <= 20"), 0, 'entries in both');
$log = -s $node->logfile;
$redis->freeze;
is(call_right('stopped'), "$total: hit", 'hits need no Redis');
is(redis_status($node, 'state'), 'up', 'nobody has noticed');
write_sale($node, 1);
$total += 1;
like(
	call_right('stopped'),
	qr/^$total: (?:miss|misses (?:stale )?redis_errors fills)$/,
	'a miss is kept in shared memory');
is(call_right('stopped'), "$total: hit", 'and served');
write_sale($node, 1);
$total += 1;
is(call_right('stopped'), "$total: miss", 'and the next one');
is(call_right('stopped'), "$total: hit", 'is so too');
$redis->thaw;
ok(wait_for_redis($node, 'up'), 'Redis is back');
is(call($node), "$total: hit", 'entries outlive its outage');
is(sql("$wrong_words AND id <= 20"), 0, 'right answers after it');
write_sale($node, 1);
$total += 1;
is(call($node), "$total: miss", 'a write after it');
is(breaker_log($node, $log), 'down up', 'and one line each in the log');

is( join("\n",
		grep { !/ERROR:  canceling statement/ }
		  split(/\n/, logged_errors($node))),
	'',
	'the server logged no error');
$node->stop;
done_testing();
