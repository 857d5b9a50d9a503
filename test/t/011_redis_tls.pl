# TLS: whom the server lets itself be told by that this is Redis.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $us = 'DNS:localhost,IP:127.0.0.1';

sub make { return RedisServer::make_certificate($dir, @_); }

my $authority = make('authority');
my $stranger = make('stranger');
my %certificates = (
	'right' => make('right', $authority, $us),
	'of another host' =>
	  make('elsewhere', $authority, 'DNS:elsewhere.example,IP:127.0.0.2'),
	'of a name only' => make('name', $authority, 'DNS:localhost'),
	'of any host' => make('wildcard', $authority, 'DNS:*.example'),
	'expired' => make('expired', $authority, $us, -1),
	'not trusted' => make('untrusted', $stranger, $us),);
my $client = make('client', $authority, 'DNS:client');
my $wrong_client = make('wrong_client', $stranger, 'DNS:client');

my $redis = RedisServer->new(
	'tls',
	tcp => 1,
	tls => 1,
	settings => <<"CONFIG");
tls-cert-file $certificates{right}.crt
tls-key-file $certificates{right}.key
tls-ca-cert-file $authority.crt
tls-auth-clients no
CONFIG
my $port = $redis->tls_port;
my $node = new_node('tls',
	settings => "dashboard_cache.shared_memory_size = 0\n"
	  . "dashboard_cache.redis_timeout = '10s'\n"
	  . "dashboard_cache.redis_connect_timeout = '10s'\n");
create_example($node);

# What the server shows to who connects from now on.
sub show_certificate
{
	my ($certificate) = @_;

	$redis->command(
		'CONFIG', 'SET',
		'tls-cert-file' => "$certificate.crt",
		'tls-key-file' => "$certificate.key");
	return;
}

my %settings;

# Changes settings, of which at least one has to be another than before.  Returns
# "up" and what became of a call, or why it is down.
sub attempt
{
	%settings = (%settings, @_);
	my $log = -s $node->logfile;

	if (use_redis($node, %settings))
	{
		call($node);
		return 'up: ' . call($node);
	}
	is(breaker_log($node, $log), 'down', 'the log says so once');
	is(call($node), '10: misses redis_down', 'calls go on without Redis');
	return 'down: ' . redis_status($node, 'last_error');
}

my $served = qr{^up: 10: Redis hit$};
my $url = "rediss://localhost:$port";
my $address = "rediss://127.0.0.1:$port";

#
# Authorities
#

like(attempt(redis_url => $url, redis_tls_ca_file => "$authority.crt"),
	$served, 'the right authority');
is(redis_status($node, 'server'), "localhost:$port/0", 'the view names it');
like(attempt(redis_url => $address), $served, 'by its address');

my $unknown =
  qr/^down: TLS handshake: (?:self.signed|unable to get local issuer) certificate/;
like(attempt(redis_tls_ca_file => "$stranger.crt"),
	$unknown, 'the wrong authority');
like(attempt(redis_tls_verify => 'ca'), $unknown, 'without the host name');
like(attempt(redis_tls_verify => 'none'), $served, 'nothing is verified');
like(attempt(redis_tls_verify => 'full', redis_tls_ca_file => ''),
	$unknown, "the system's authorities do not know it");
$node->stop;
{
	local $ENV{SSL_CERT_FILE} = "$authority.crt";
	$node->start;
}
ok(wait_for_redis($node, 'up'), "the system's authorities do");
is(call($node), '10: Redis hit', 'and it is used');
$node->restart;
ok(wait_for_redis($node, 'down'), 'and not any more');
like(attempt(redis_tls_ca_file => "$authority.crt"),
	$served, 'the right authority again');

like(
	attempt(redis_tls_ca_file => "$dir/nonexistent"),
	qr/^down: could not load dashboard_cache\.redis_tls_ca_file: .*No such file/,
	'a file that does not exist');
append_to_file("$dir/garbage", 'garbage');
like(
	attempt(redis_tls_ca_file => "$dir/garbage"),
	qr/^down: could not load dashboard_cache\.redis_tls_ca_file: /,
	'a file that holds no certificate');

#
# Certificates
#

# A certificate, and what is said of it if it is verified, if all but the name
# is, and if nothing is.
my $name_mismatch = qr/^down: TLS handshake: hostname mismatch/i;
my $address_mismatch = qr/^down: TLS handshake: IP address mismatch/i;
my $expired = qr/^down: TLS handshake: certificate has expired/;
my @shown = (
	[ 'of another host', $url, $name_mismatch, $served ],
	[ 'of another host', $address, $address_mismatch, $served ],
	[ 'of a name only', $url, $served, $served ],
	[ 'of a name only', $address, $address_mismatch, $served ],
	[ 'of any host', $url, $name_mismatch, $served ],
	[ 'expired', $url, $expired, $expired ],
	[ 'not trusted', $url, $unknown, $unknown ],
	[ 'right', $url, $served, $served ],);

foreach my $case (@shown)
{
	my ($what, $where, @expected) = @$case;

	show_certificate($certificates{$what});
	foreach my $verify ('full', 'ca', 'none')
	{
		my $expected = shift(@expected) // $served;

		like(
			attempt(
				redis_url => $where,
				redis_tls_ca_file => "$authority.crt",
				redis_tls_verify => $verify),
			$expected,
			"a certificate $what, verifying $verify, at $where");
	}
}

# What was fine at the start may not be later.
like(attempt(redis_tls_verify => 'full'), $served, 'a server that is trusted');
show_certificate($certificates{'not trusted'});
is(call($node), '10: misses redis_errors redis_down',
	'each session verifies for itself');
like('down: ' . redis_status($node, 'last_error'), $unknown, 'why');
show_certificate($certificates{right});
ok(wait_for_redis($node, 'up'), 'it comes back by itself');
is(call($node), '10: Redis hit', 'with a hit');

#
# Clients' certificates
#

$redis->command('CONFIG', 'SET', 'tls-auth-clients', 'yes');
like(
	attempt(redis_url => $address),
	qr/^down: .*(?:certificate required|closed)/,
	'a server that wants a certificate');
my %pair = (
	redis_tls_cert_file => "$client.crt",
	redis_tls_key_file => "$client.key");
like(attempt(%pair), $served, 'gets one');
like(
	attempt(
		redis_tls_cert_file => "$wrong_client.crt",
		redis_tls_key_file => "$wrong_client.key"),
	qr/^down: .*(?:unknown ca|closed)/,
	'and refuses another');
my $unloadable =
  qr/^down: could not load dashboard_cache\.redis_tls_cert_file and redis_tls_key_file: /;
like(attempt(%pair, redis_tls_key_file => "$wrong_client.key"),
	$unloadable, 'a key that does not fit');
like(attempt(%pair, redis_tls_key_file => "$dir/nonexistent"),
	$unloadable, 'a key that is not there');
like(attempt(%pair, redis_tls_key_file => ''),
	$unloadable, 'a certificate without a key');
like(attempt(%pair), $served, 'the right ones again');
$redis->command('CONFIG', 'SET', 'tls-auth-clients', 'no');

#
# Plain against TLS
#

configure($node, redis_timeout => '1s');
like(attempt(redis_url => 'rediss://localhost:' . $redis->port),
	qr/^down: /, 'TLS to a plain port');
like(attempt(redis_url => "redis://localhost:$port"),
	qr/^down: /, 'plain to a TLS port');
configure($node, redis_timeout => '10s');
like(attempt(redis_url => 'redis://localhost:' . $redis->port),
	$served, 'plain to a plain port');
like(attempt(redis_url => $url), $served, 'TLS to a TLS port');

#
# Much at once, and a server that stops
#

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_random() RETURNS bytea LANGUAGE cached STABLE AS $$
	SELECT string_agg(sha512(i::text::bytea), '')
	FROM generate_series(1, 100000) i
	$$});
my @digests = map {
	[
		count_call(
			$node, 'cached_random()', 'SELECT md5(cached_random())')
	]
} 1 .. 2;
is_deeply(
	[ map { $_->[1] } @digests ],
	[ 'misses fills', 'hits redis_hits' ],
	'6 MB go through');
is($digests[1][0], $digests[0][0], 'unchanged');

my $session = $node->background_psql('postgres');
$session->query_safe('SELECT cached_sales_total()');
$redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
my $log = -s $node->logfile;
is_deeply(
	[
		count_session_call(
			$node, 'cached_random()',
			$session, 'SELECT md5(cached_random())')
	],
	[ $digests[0][0], 'hits redis_hits' ],
	'a connection that was closed is opened again');
is(breaker_log($node, $log), '', 'which is nothing to log');

configure($node, redis_timeout => '1s');
wait_until(sub {
	$session->query_safe('SHOW dashboard_cache.redis_timeout') eq '1s'; });
$redis->freeze;
is_deeply(
	[
		count_session_call(
			$node, 'cached_random()',
			$session, 'SELECT md5(cached_random())')
	],
	[ $digests[0][0], 'misses redis_errors redis_down' ],
	'a server that stops');
like(redis_status($node, 'last_error'), qr/timeout/, 'is waited for so long');
$redis->thaw;
ok(wait_for_redis($node, 'up'), 'and comes back');
is_deeply(
	[
		count_session_call(
			$node, 'cached_random()',
			$session, 'SELECT md5(cached_random())')
	],
	[ $digests[0][0], 'hits redis_hits' ],
	'with a hit');
is(breaker_log($node, $log), 'down up', 'and one line each in the log');
$session->quit;

is(logged_errors($node), '', 'the server logged no error');
$node->stop;
done_testing();
