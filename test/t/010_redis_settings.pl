# Which Redis server is used, and how it is logged in to; all of it by reload,
# under sessions that go on.
use strict;
use warnings;

use DashboardCacheTest;
use IO::Socket::IP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;

my $redis = RedisServer->new('first', tcp => 1);
my $second = RedisServer->new('second');
my $tcp = '127.0.0.1:' . $redis->port;
my $node = new_node('settings',
	settings => "dashboard_cache.shared_memory_size = 0\n");
my $total = 10;
create_example($node);

# Every password of this file, so that it can be looked for.
my $secret = 's3cret';

sub sql { return $node->safe_psql('postgres', @_); }

#
# Without Redis
#

is(redis_status($node, 'state'), 'off', 'without a URL Redis is off');
is(call($node), '10: disabled', 'and without shared memory the cache is');
is(call($node), '10: disabled', 'every time');

#
# What is refused
#

sub alter_system
{
	my ($name, $value) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SET log_min_error_statement = panic;\n"
		  . "ALTER SYSTEM SET dashboard_cache.$name = '$value'");

	return $stderr;
}

my %bad_urls = (
	'localhost' => qr/must begin with redis:/,
	'http://localhost' => qr/must begin with redis:/,
	'redis:localhost' => qr/must begin with redis:/,
	'redis://' => qr/no host name/,
	"redis://:$secret\@" => qr/no host name/,
	"redis://user:$secret\@:6379" => qr/no host name/,
	'redis://host:0' => qr/port must be a number/,
	'redis://host:65536' => qr/port must be a number/,
	'redis://host:6379x' => qr/port must be a number/,
	'redis://host:-1' => qr/port must be a number/,
	'redis://host:99999999999999999999' => qr/port must be a number/,
	'redis://::1' => qr/no host name/,
	'redis://fe80::1' => qr/stands in brackets/,
	'redis://[::1' => qr/is not closed/,
	'redis://[::1]6379' => qr/may only stand a port/,
	'redis://host/one' => qr/database must be a number/,
	'redis://host/-1' => qr/database must be a number/,
	'redis://host/1/2' => qr/database must be a number/,
	'redis://host/0?db=1' => qr/no "\?"/,
	"redis://user:${secret}%4\@host" => qr/two hexadecimal digits/,
	"redis://user:${secret}%zz\@host" => qr/two hexadecimal digits/,
	"redis://user:${secret}%00\@host" => qr/not 00/,
	"redis://:$secret" . 'x' x 300 . '@host' => qr/too long/,
	'redis://' . 'h' x 300 => qr/too long/,
	'unix://redis.sock' => qr/is absolute/,
	'unix://' => qr/is absolute/,
	'unix:///' . 'x' x 200 => qr/too long/,
	'unix:///redis.sock?database=1' => qr/only stand "\?db="/,
	'unix:///redis.sock?db=x' => qr/database must be a number/,);

foreach my $url (sort keys %bad_urls)
{
	my $stderr = alter_system('redis_url', $url);

	like(
		$stderr,
		qr/ERROR:  invalid value for parameter "dashboard_cache\.redis_url"/,
		'refused: ' . substr($url, 0, 60));
	like($stderr, qr/DETAIL:  .*$bad_urls{$url}/, 'the message says why');
	unlike($stderr, qr/$secret/, 'without its password')
	  if $url =~ /$secret/;
}

my %bad_settings = (
	'redis_tls_verify' => [ 'yes', qr/Available values: none, ca, full/ ],
	'redis_timeout' => [ '0', qr/outside the valid range/ ],
	'redis_connect_timeout' => [ '-1', qr/outside the valid range/ ],
	'sweep_interval' => [ '0', qr/outside the valid range/ ],
	'compress_threshold' => [ '-2', qr/outside the valid range/ ],
	'key_prefix' => [ '', qr/must have 1 to 128 bytes/ ],
	'redis_password' => [ $secret x 100, qr/may have 255 bytes/ ],);

foreach my $name (sort keys %bad_settings)
{
	my ($value, $reason) = @{ $bad_settings{$name} };
	my $stderr = alter_system($name, $value);

	like($stderr, qr/ERROR:  .*"dashboard_cache\.$name"/, "refused: $name");
	like($stderr, $reason, 'the message says why');
	unlike($stderr, qr/$secret/, 'without a password');
}

my %defaults = (
	redis_url => '',
	redis_password => '********',
	redis_tls_ca_file => '',
	redis_tls_cert_file => '',
	redis_tls_key_file => '',
	redis_tls_verify => 'full',
	redis_timeout => '500ms',
	redis_connect_timeout => '500ms',
	key_prefix => 'dashboard_cache',
	compress_threshold => '10kB',
	sweep_interval => '100ms',);
is(sql("SHOW dashboard_cache.$_"), $defaults{$_}, "default of $_")
  foreach sort keys %defaults;

# Long enough for a busy machine.
configure($node, redis_timeout => '10s');

# By reload the server goes on with what it had.
ok(use_redis($node, redis_url => $redis->url), 'a server is used by reload');
is(call($node), '10: miss', 'the first call runs the query');
is(call($node), '10: Redis hit', 'the second is a hit');
my $log = -s $node->logfile;
configure($node, redis_url => "redis://:$secret\@host:port");
$node->wait_for_log(qr/configuration file .* contains errors/, $log);
like(
	log_since($node, $log),
	qr/LOG:  invalid value for parameter "dashboard_cache\.redis_url"/,
	'a bad URL is refused by reload too');
is(call($node), '10: Redis hit', 'and the server before stays in use');

#
# Addresses
#

my $socket = $redis->socket;
(my $encoded = $socket) =~ s/(.)/sprintf('%%%02x', ord($1))/ge;
$encoded =~ s/%2f/\//g;
my %urls = (
	"redis://$tcp" => "$tcp/0",
	"REDIS://$tcp/0" => "$tcp/0",
	"redis://$tcp/" => "$tcp/0",
	"redis://%31%32%37.0.0.1:" . $redis->port => "$tcp/0",
	'redis://localhost:' . $redis->port => 'localhost:' . $redis->port . '/0',
	"unix://$socket?db=0" => "$socket?db=0",
	"unix://$encoded" => "$socket?db=0",);
$urls{ 'redis://[::1]:' . $redis->port } = '[::1]:' . $redis->port . '/0'
  if IO::Socket::IP->new(PeerHost => '::1', PeerPort => $redis->port);

foreach my $url (sort keys %urls)
{
	# Something else in between, since the same server may be written in two
	# ways.
	use_redis($node, redis_url => $second->url);
	ok(use_redis($node, redis_url => $url), "up: $url");
	is(redis_status($node, 'server'), $urls{$url}, 'and the view names it');
	is(call($node), '10: Redis hit', 'and it is the server from before');
}

my %dead = (
	'redis://nowhere.invalid' => qr/./,
	'redis://127.0.0.1:' . PostgreSQL::Test::Cluster::get_free_port() =>
	  qr/could not connect: Connection refused/,
	'unix:///nonexistent/redis.sock' =>
	  qr/could not connect: No such file or directory/,
	"redis://$tcp/99" => qr/ERR DB index is out of range/,
	"redis://:$secret\@$tcp" => qr/ERR AUTH .*without any password/,
	"redis://user:$secret\@$tcp" => qr/WRONGPASS/,);

foreach my $url (sort keys %dead)
{
	$log = -s $node->logfile;
	ok(!use_redis($node, redis_url => $url), "down: $url");
	like(redis_status($node, 'last_error'), $dead{$url}, 'the view says why');
	is(redis_status($node, q{last_error_at > since - interval '1 s'}), 't', 'and when');
	is(breaker_log($node, $log), 'down', 'the log says so once');
	is(call($node), '10: misses redis_down', 'calls go on without it');
	is(call($node), '10: misses redis_down', 'every time');
	is(breaker_log($node, $log), 'down', 'and the log says no more');
	ok(use_redis($node, redis_url => $redis->url), 'a good one ends it');
	is(call($node), '10: Redis hit', 'with a hit');
}

#
# Users, passwords, databases, names
#

$redis->replies(
	[ 'CONFIG', 'SET', 'requirepass', $secret ],
	[ 'ACL', 'SETUSER', 'dash', 'on', ">user-$secret", '~*', '&*', '+@all' ],
	[ 'ACL', 'SETUSER', 'we:i@rd%/', 'on', ">%/:\@?#$secret", '~*', '&*', '+@all' ]);
my @logins = (
	[ "redis://:$secret\@$tcp", '', 'a password alone' ],
	[ "redis://$tcp", $secret, 'a password alone in a setting' ],
	[ "redis://dash:user-$secret\@$tcp", '', 'a user and a password' ],
	[ "redis://dash\@$tcp", "user-$secret", 'a user, and a setting' ],
	[ "unix://dash:user-$secret\@$socket", '', 'on a Unix socket' ],
	[ "unix://$socket", $secret, 'on a Unix socket, in a setting' ],
	[
		"redis://we%3Ai%40rd%25%2F:%25%2f%3a%40%3f%23$secret\@$tcp",
		'wrong', 'percent-encoded, and the setting does not count'
	],);

foreach my $login (@logins)
{
	my ($url, $password, $what) = @$login;

	ok( use_redis(
			$node,
			redis_url => $url,
			redis_password => $password),
		"logged in: $what");
	is(call($node), '10: Redis hit', 'and served');
	unlike(sql('SELECT s FROM dashboard_cache.redis_status s'),
		qr/$secret/, 'no password in the view');

	# A parallel worker gets the settings by their texts.
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		q{SET force_parallel_mode = on;
		SELECT count(*) FROM pg_class WHERE relname = 'sales'});
	is($stdout . $stderr, '1', 'parallel workers start');
	ok( !use_redis(
			$node,
			redis_url => $url =~ s/:[^:]*\@/:wrong\@/r,
			redis_password => 'wrong'),
		'and with a wrong password it is down');
	like(redis_status($node, 'last_error'), qr/WRONGPASS/, 'for that reason');
}
ok(!use_redis($node, redis_url => "redis://$tcp", redis_password => ''),
	'a server that wants a password is down without one');
like(redis_status($node, 'last_error'), qr/NOAUTH/, 'for that reason');

foreach my $database (0, 3, 15)
{
	ok( use_redis(
			$node, redis_url => "redis://:$secret\@$tcp/$database"),
		"database $database");
	is(redis_status($node, 'server'), "$tcp/$database", 'the view names it');
	call($node);
	is(call($node), '10: Redis hit', 'it is used');
	$redis->command('SELECT', $database);
	is(scalar(grep { /:sales:total#/ } $redis->keys), 1, 'and no other');
	$redis->command('FLUSHDB');
}
$redis->command('SELECT', 0);
is(scalar($redis->keys), 0, 'nothing was left elsewhere');

my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe('SELECT cached_sales_total()');
is( scalar(grep { $_ eq "dashboard_cache:$pid" } $redis->client_names),
	1, 'a connection is named after its session');
my $worker = sql(
	q{SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'dashboard_cache%'});
is_deeply(
	[ grep { !/^dashboard_cache:(?:$pid|$worker)$/ } $redis->client_names ],
	[], 'those of sessions that ended are closed');

#
# Who may see what
#

is(sql('SHOW dashboard_cache.redis_password'),
	'********', 'a password is not shown');
unlike(sql('SHOW dashboard_cache.redis_url'),
	qr/$secret/, 'nor that in a URL');
is( sql("SELECT count(*) FROM pg_settings s WHERE s::text LIKE '%$secret%'"),
	0, 'nor by pg_settings');
sql('CREATE ROLE visitor LOGIN; CREATE ROLE reader LOGIN IN ROLE pg_read_all_settings;'
	  . 'CREATE ROLE monitor LOGIN IN ROLE pg_monitor');

# What somebody sees, or the error.
sub as_user
{
	my ($user, $query) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres', $query,
		extra_params => [ '-U', $user ]);

	return $status == 0 ? $stdout : $stderr;
}

foreach my $name ('redis_url', 'redis_password')
{
	like(as_user('visitor', "SHOW dashboard_cache.$name"),
		qr/must be superuser or have privileges of pg_read_all_settings/,
		"$name is not everybody's");
	unlike(as_user('reader', "SHOW dashboard_cache.$name"),
		qr/ERROR|$secret/, "$name has no password for who reads all");
	like(as_user('visitor', "SET dashboard_cache.$name = 'redis://host'"),
		qr/cannot be changed now/, "nor is $name changed by a session");
}
like(as_user('visitor', 'SELECT * FROM dashboard_cache.redis_status'),
	qr/permission denied/, "the view is not everybody's");
is(as_user('monitor', 'SELECT state FROM dashboard_cache.redis_status'),
	'up', 'and is for monitoring');
like(
	as_user(
		'monitor',
		'SELECT state FROM dashboard_cache.redis_status'
		  . q{ WHERE since <= now() AND keys_known >= 0 AND keys_cleared >= 0}),
	qr/up/,
	'with its numbers');

#
# A session that goes on while the settings change
#

sub session_call
{
	my ($result, $counted) = count_session_call($node, 'cached_sales_total()',
		$session, 'SELECT cached_sales_total()');

	return ($result =~ /^(\d+) in run/)[0] . ": $counted";
}

# The session too has to have heard of it.
sub session_uses
{
	my ($url) = @_;

	use_redis($node, redis_url => $url) or return 0;
	return wait_until(
		sub {
			$session->query_safe('SHOW dashboard_cache.redis_url') eq $url;
		});
}

$redis->command('CONFIG', 'SET', 'requirepass', '');
ok(session_uses("redis://$tcp"), 'a reload under a session');
is(session_call(), '10: misses fills', 'the session goes on');
is(session_call(), '10: hits redis_hits', 'and is served');
ok(session_uses($second->url), 'another server');
$second->command('FLUSHALL');
is(session_call(), '10: misses fills', 'the session reconnects');
is(session_call(), '10: hits redis_hits', 'and is served');
is(scalar($second->keys('*:sales:total#*')), 1, 'from the other server');
ok(session_uses("redis://$tcp"), 'the first server again');
is(session_call(), '10: hits redis_hits', 'has its entry still');
ok(session_uses($second->url), 'the other server again');
write_sale($node, 1);
like(session_call(), qr/^11: misses (?:stale )?fills$/,
	'a write is seen there');
ok(session_uses("redis://$tcp"), 'and on the first server');
like(session_call(), qr/^11: misses (?:stale )?fills$/,
	'what is there from before the write is not served');
is(session_call(), '11: hits redis_hits', 'and replaced');
is( scalar(
		grep { $_ eq "dashboard_cache:$pid" } $second->client_names),
	0,
	'the old connection is closed');

configure($node, key_prefix => 'elsewhere');
wait_until(sub {
	$session->query_safe('SHOW dashboard_cache.key_prefix') eq 'elsewhere'; });
is(session_call(), '11: misses fills', 'another prefix has other entries');
is(scalar($redis->keys('elsewhere:sales:total#*')), 1, 'under its name');
is(session_call(), '11: hits redis_hits', 'which are served');

configure($node, redis_url => '');
wait_for_redis($node, 'off');
wait_until(
	sub { $session->query_safe('SHOW dashboard_cache.redis_url') eq ''; });
is(session_call(), '11: disabled', 'an empty URL turns Redis off');
ok(session_uses("redis://$tcp"), 'and it comes back');
is(session_call(), '11: hits redis_hits', 'with its entries');

# One deadline, which a reload changes too.
configure($node, redis_timeout => '100ms');
wait_until(sub {
	$session->query_safe('SHOW dashboard_cache.redis_timeout') eq '100ms'; });
$redis->freeze;
my $waited = $session->query_safe(
	q{SELECT clock_timestamp() AS before \gset
	SELECT cached_sales_total() \gset
	SELECT clock_timestamp() - :'before' BETWEEN '90ms' AND '5s'});
is($waited, 't', 'a new time limit is kept');
$redis->thaw;
wait_for_redis($node, 'up');
is(session_call(), '11: hits redis_hits', 'and it is over after that');
$session->quit;

# What a reload changes is logged by the server itself, with its value.
ok( use_redis($node, redis_url => "redis://$tcp", redis_password => $secret)
	  == 0,
	'a password that nobody asked for is refused');
my $asked_for = qr/parameter "dashboard_cache\.|permission denied|must be superuser/;
is( join("\n", grep { !/$asked_for/ } split(/\n/, logged_errors($node))),
	'', 'the server logged no other error');
is( join("\n",
		grep { /$secret/ }
		  grep { !/LOG:  statement: |parameter "\S+redis_url" changed to/ }
		  split(/\n/, log_since($node))),
	'',
	'and no password');

$node->stop;
done_testing();
