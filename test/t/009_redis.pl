# Redis behind the cache: what is written there, read from there and cleared
# there, on a server without entries in shared memory and on one with both.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes qw(time);

my $redis = RedisServer->new('basics');
my $node = redis_node('alone', 0);
my $total = 10;

sub redis_node
{
	my ($name, $shared_memory_size) = @_;
	my $url = $redis->url;
	my $node = new_node(
		$name,
		extra => [ '--locale=C', '--encoding=UTF8' ],
		settings => "dashboard_cache.redis_url = '$url'\n"
		  . "dashboard_cache.redis_timeout = '10s'\n"
		  . "dashboard_cache.shared_memory_size = '$shared_memory_size'\n");

	create_example($node);
	wait_for_redis($node, 'up');
	return $node;
}

# Others' keys, among them some that look like ours.
my $somebodys = '0123456789abcdef.' . '0' x 64;
my %foreign = map { $_ => "of $_" } (
	'app', 'dashboard_cache', 'dashboard_cache:',
	'dashboard_cache:sales:total', 'dashboard_cache:sales:total#',
	"dashboard_cache:sales:total#$somebodys",
	"dashboard_cache2:sales:total#$somebodys");
$redis->replies(map { [ 'SET', $_, $foreign{$_} ] } keys %foreign);

sub own_keys
{
	my ($pattern) = @_;

	return grep { !exists $foreign{$_} } $redis->keys($pattern);
}

# Waits until no key is like that, and returns how many still are.
sub wait_until_gone
{
	my ($pattern) = @_;

	wait_until(sub { !own_keys($pattern) });
	return scalar(own_keys($pattern));
}

#
# How an entry looks
#

is(call($node), '10: miss', 'first call runs the query');
is(call($node), '10: Redis hit', 'second call is served from Redis');

my @keys = own_keys();
is(scalar(@keys), 1, 'an entry is one key');
my $key = $keys[0];
my ($database_id, $call_id) =
  $key =~ /^dashboard_cache:sales:total#([0-9a-f]{16})\.([0-9a-f]{64})$/;
ok(defined $call_id, 'which is named after the entry, the database, the call')
  or diag $key;
is($redis->cli('TYPE', $key), 'hash', 'it is a hash');
is(join(' ', sort split /\n/, $redis->cli('HKEYS', $key)),
	'stamp value', 'of value and stamp');
is($redis->cli('HGET', $key, 'value'), '10 in run 1', 'redis-cli reads a text');
my $ttl = $redis->cli('PTTL', $key);
cmp_ok($ttl, '<=', 30 * 86400 * 1000, 'without a limit it lives for 30 days');
cmp_ok($ttl, '>', 29.9 * 86400 * 1000, 'and no less');

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_json() RETURNS jsonb LANGUAGE cached STABLE AS $$
	#ttl 5 minutes
	SELECT jsonb_build_object('total', 1.50, 'name', 'Zoë')
	$$;
	SELECT cached_json();
	CREATE FUNCTION cached_second() RETURNS text LANGUAGE cached STABLE AS $$
	#ttl 1 second
	SELECT clock_timestamp()::text
	$$});
($key) = own_keys('*json*');
is( $redis->cli('HGET', $key, 'value'),
	'{"name": "Zoë", "total": 1.50}',
	'redis-cli reads a jsonb');
$ttl = $redis->cli('PTTL', $key);
cmp_ok($ttl, '<=', 300_000, 'an entry lives as long as its function says');
cmp_ok($ttl, '>', 240_000, 'and no less');

my $second = $node->safe_psql('postgres', 'SELECT cached_second()');
is(wait_until_gone('*second*'), 0, 'an entry expires in Redis');
isnt($node->safe_psql('postgres', 'SELECT cached_second()'),
	$second, 'and is a miss then');

#
# What is said to Redis
#

# The commands of the SQL's session, which are the only ones at that time but for
# the worker's.
sub commands_of
{
	my ($sql) = @_;
	my $log = $redis->dir . '/monitor';
	my $monitor =
	  RedisServer::spawn($log, 'redis-cli', '-s', $redis->socket, 'MONITOR');

	wait_until(sub { -s $log });
	$node->safe_psql('postgres', $sql);
	$redis->command('ECHO', 'the end');
	wait_until(sub { slurp_file($log) =~ /"the end"/ });
	RedisServer::end($monitor, 'TERM');
	my @commands = slurp_file($log) =~ /^[\d.]+ \[.*?\] "(\w+)"/mg;
	unlink $log;
	return join ' ', grep { !/^(?:CLIENT|SELECT|ECHO|PING)$/ } map { uc } @commands;
}

$node->safe_psql('postgres', 'SELECT cached_json()');
is( commands_of(
		q{SELECT cached_json(); SELECT cached_json(); SELECT cached_json()}),
	'HMGET HMGET HMGET',
	'a hit is one command');
$redis->command('DEL', $key);
is( commands_of('SELECT cached_json()'),
	'HMGET MULTI UNLINK HSET PEXPIRE EXEC',
	'a fill sets value and expiry in one step');
is( commands_of(
		q{BEGIN; INSERT INTO runs VALUES (0); DELETE FROM runs WHERE n = 0;
		CREATE TEMPORARY TABLE t (); COMMIT}),
	'',
	'writes that touch nothing cached send nothing');

#
# Results of all kinds
#

my @results = (
	[ 'jsonb', q{'{"a": [1, 2.50, null, true, "x\u00e9\ud83d\ude00\"\\\\"]}'} ],
	[ 'jsonb', q{'null'} ],
	[ 'json', q{'{"b": 1,   "b": 2, "a" : [ ]}'} ],
	[ 'text', q{E'line\nline\ttab\\\\ \'quoted\' é€😀'} ],
	[ 'text', q{''} ],
	[ 'text', q{repeat('long é ', 50000)} ],
	[ 'varchar(10)', q{'abc  '::varchar(10)} ],
	[ 'char(10)', q{'abc'::char(10)} ],
	[ '"char"', q{'x'::"char"} ],
	[ 'name', q{'a_name'::name} ],
	[ 'boolean', q{false} ],
	[ 'smallint', q{(-32768)::int2} ],
	[ 'int', q{-2147483648} ],
	[ 'bigint', q{9223372036854775807} ],
	[ 'real', q{1.17549435e-38::float4} ],
	[ 'float8', q{'-0'::float8} ],
	[ 'float8', q{'NaN'::float8} ],
	[ 'float8', q{0.1::float8 + 0.2} ],
	[ 'numeric', q{'NaN'::numeric} ],
	[ 'numeric', q{'-Infinity'::numeric} ],
	[ 'numeric', q{1.000000 / 3 + 1e40} ],
	[ 'numeric', q{12345678901234567890.10000} ],
	[ 'money', q{'12.34'::money} ],
	[ 'date', q{'infinity'::date} ],
	[ 'timestamp', q{'4713-01-01 00:00:00 BC'::timestamp} ],
	[ 'timestamptz', q{'2026-11-21 12:00:00.123456+03'::timestamptz} ],
	[ 'time', q{'24:00:00'::time} ],
	[ 'timetz', q{'12:34:56.789-05:30'::timetz} ],
	[ 'interval', q{'-1 year 2 mons -3 days 04:05:06.7'::interval} ],
	[ 'bytea', q{'\x00ff0d0a24'::bytea} ],
	[ 'bytea', q{decode(repeat('00', 100000), 'hex')} ],
	[ 'uuid', q{'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid} ],
	[ 'inet', q{'2001:db8::1/64'::inet} ],
	[ 'point', q{'(1.5,-2)'::point} ],
	[ 'bit varying', q{B'10110'::varbit} ],
	[ 'xml', q{'<a>b</a>'::xml} ],
	[ 'tsvector', q{'a:1A fat:2 cat:3'::tsvector} ],
	[ 'regclass', q{'sales'::regclass} ],
	[ 'oid', q{4294967295::oid} ],
	[ 'int[]', q{'[0:1][2:3]={{1,NULL},{3,4}}'::int[]} ],
	[ 'int[]', q{'{}'::int[]} ],
	[ 'text[]', q{ARRAY['NULL', NULL, '', 'a"b,{}', 'é']} ],
	[ 'jsonb[]', q{ARRAY['{"a": 1}', NULL, '[]']::jsonb[]} ],
	[ 'int4range', q{'(1,)'::int4range} ],
	[ 'nummultirange', q{'{[1.5,2),[3,)}'::nummultirange} ],
	[ 'mood', q{SELECT mood FROM moods} ],
	[ 'positive', q{42::positive} ],
	[ 'address', q{SELECT ROW('Zoë', mood, ARRAY[1.5, NULL])::address FROM moods} ],
	[ 'address', q{ROW(NULL, NULL, NULL)::address} ],
	[ 'address[]', q{ARRAY[ROW('a', 'ok', '{}'), NULL]::address[]} ],
	[
		'home', q{jsonb_populate_record(NULL::home,
		'{"n": 1, "address": {"name": "b", "mood": "sad"}}')}
	],
	[ 'dropped', q{ROW(1, 'kept')::dropped} ],
	[ 'SETOF int', q{generate_series(1, 3000)} ],
	[ 'SETOF int', q{NULL::int FROM generate_series(1, 3)} ],
	[ 'SETOF text', q{'none'::text WHERE false} ],
	[ 'SETOF address', q{r.name, r.mood, r.sizes FROM (VALUES
		('é', 'ok'::mood, '{1}'::numeric[]), (NULL, NULL, NULL)) r(name, mood, sizes)} ],
	[ 'SETOF dropped', q{i, repeat('x', i) FROM generate_series(0, 500) i} ],
	[ 'TABLE (a int, b text, c jsonb)',
		q{i, CASE WHEN i % 2 = 0 THEN i::text END, to_jsonb(i) FROM generate_series(1, 200) i}
	],
	[ 'text', q{NULL::text} ],
	[ 'int', q{NULL::int} ],
	[ 'address', q{NULL::address} ],);

$node->safe_psql(
	'postgres', q{
	CREATE TYPE mood AS ENUM ('sad', 'ok');
	CREATE TABLE moods AS SELECT 'ok'::mood AS mood;
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE TYPE address AS (name text, mood mood, sizes numeric[]);
	CREATE TYPE home AS (n int, address address);
	CREATE TABLE dropped (a int, gone text, b text);
	ALTER TABLE dropped DROP COLUMN gone} . ';'
	  . join '', map {
		my ($type, $result) = @{ $results[$_] };

		$result = "($result)::$type" if $type !~ /SETOF|TABLE/;
		"CREATE FUNCTION cached_result_$_() RETURNS $type"
		  . " LANGUAGE cached STABLE AS \$\$\n#cache_nulls on\n"
		  . "SELECT $result\n\$\$;\n"
	  } 0 .. $#results);

# Each row of each function, as it prints.
my $all_results = join ";\n", map {
	"SELECT $_, CASE WHEN length(f::text) > 200 THEN md5(f::text)"
	  . " ELSE quote_nullable(f::text) END"
	  . " FROM (SELECT cached_result_$_() AS f OFFSET 0) s"
} 0 .. $#results;
my $computed = $node->safe_psql('postgres', $all_results);
my $served = $node->safe_psql('postgres', $all_results);
my %computed = group_rows($computed);
my %served = group_rows($served);
my %counts = $node->safe_psql('postgres',
	q{SELECT substring(function::text, 'result_(\d+)'),
		format('%s fills, %s Redis hits', fills, redis_hits)
	FROM dashboard_cache.stats WHERE function::text LIKE '%result%'}) =~
  /^(\d+)\|(.*)$/mg;

sub group_rows
{
	my ($output) = @_;
	my %groups;
	my $last;

	foreach my $line (split /\n/, $output)
	{
		$last = $1 if $line =~ /^(\d+)\|/;
		$groups{$last} .= "$line\n";
	}
	return %groups;
}

foreach my $i (0 .. $#results)
{
	(my $what = "$results[$i][0]: $results[$i][1]") =~ s/\s+/ /g;

	is($counts{$i}, '1 fills, 1 Redis hits', "served from Redis: $what");
	is($served{$i}, $computed{$i}, "equal: $what");
}

# The layout of a type may change while entries of it are there.
$node->safe_psql('postgres',
	q{ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';
	ALTER TYPE home ADD ATTRIBUTE note text;
	ALTER DOMAIN positive ADD CHECK (VALUE < 100)});
my %changed = (
	mood => 'fine',
	address => '(Zoë,fine,"{1.5,NULL}")',
	home => '(1,"(b,sad,)",)',
	positive => '42',);
foreach my $type (sort keys %changed)
{
	my ($i) = grep { $results[$_][0] eq $type } 0 .. $#results;

	is($node->safe_psql('postgres', "SELECT cached_result_$i()"),
		$changed{$type}, "right after its type was altered: $type");
}

#
# Compression
#

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_long(n int) RETURNS text LANGUAGE cached STABLE AS
	$$
	#key long:{n}
	SELECT repeat('x', n)
	$$;
	CREATE FUNCTION cached_random(n int) RETURNS bytea LANGUAGE cached STABLE AS
	$$
	#key random:{n}
	SELECT string_agg(sha512(i::text::bytea), '')
	FROM generate_series(1, n / 64) i
	$$});

sub stored
{
	my ($n) = @_;
	my @found = own_keys("*:long:$n#*");

	return join ' ', map {
		my $value = $redis->command('HGET', $_, 'value');

		$value eq 'x' x $n ? 'as it is'
		  : $value =~ /^\x28\xb5\x2f\xfd/ && length($value) < $n ? 'compressed'
		  : "$n became " . length($value)
	} @found;
}

# Calls it in two sessions.
sub call_long
{
	my ($n, $name) = @_;
	my @calls = map {
		[ count_call($node, 'cached_long(integer)',
				"SELECT cached_long($n) = repeat('x', $n)") ]
	} 1 .. 2;

	is_deeply(
		\@calls,
		[ [ 't', 'misses fills' ], [ 't', 'hits redis_hits' ] ],
		"served alike: $name");
	return;
}

call_long(10240, 'as long as the threshold');
is(stored(10240), 'as it is', 'up to the threshold a value is as it is');
call_long(10241, 'above the threshold');
is(stored(10241), 'compressed', 'above the threshold it is compressed');
call_long(10_000_000, '10 MB');
is(stored(10_000_000), 'compressed', 'so are 10 MB');

configure($node, compress_threshold => '-1');
$node->poll_query_until('postgres',
	q{SELECT current_setting('dashboard_cache.compress_threshold') = '-1'});
call_long(5_000_000, 'never compressed');
is(stored(5_000_000), 'as it is', 'at -1 nothing is compressed');
is_deeply(
	[
		count_call($node, 'cached_long(integer)',
			"SELECT cached_long(10241) = repeat('x', 10241)")
	],
	[ 't', 'hits redis_hits' ],
	'what was compressed is served when nothing is any more');
configure($node, compress_threshold => '0');
$node->poll_query_until('postgres',
	q{SELECT current_setting('dashboard_cache.compress_threshold') = '0'});
call_long(2000, 'compressed from the first byte on');
is(stored(2000), 'compressed', 'at 0 everything is that gets shorter');
call_long(1, 'a value that does not get shorter');
configure($node, compress_threshold => '10kB');
my @random = map {
	$node->safe_psql('postgres', 'SELECT md5(cached_random(1000000))')
} 1 .. 2;
is($random[1], $random[0], 'what cannot be compressed is served alike');
is( $node->safe_psql('postgres',
		q{SELECT redis_hits FROM dashboard_cache.stats
		WHERE function = 'cached_random(int)'::regprocedure}),
	1,
	'and from Redis');

is_deeply(
	[
		count_call($node, 'cached_long(integer)',
			"SET dashboard_cache.max_entry_size = '1MB'; SELECT length(cached_long(1100000))"
		)
	],
	[ '1100000', 'misses too_large' ],
	'what is too large is not kept');
is(stored(1100000), '', 'in Redis neither');

#
# Encodings
#

$node->safe_psql(
	'postgres', q{
	CREATE TYPE note AS (note text);
	CREATE FUNCTION cached_text(euro text) RETURNS text
	LANGUAGE cached STABLE AS $$
	SELECT 'é ä ' || euro
	$$;
	CREATE FUNCTION cached_jsonb(euro text) RETURNS jsonb
	LANGUAGE cached STABLE AS $$
	SELECT jsonb_build_object('é', euro)
	$$;
	CREATE FUNCTION cached_array(euro text) RETURNS text[]
	LANGUAGE cached STABLE AS $$
	SELECT ARRAY['é', euro]
	$$;
	CREATE FUNCTION cached_note(euro text) RETURNS note
	LANGUAGE cached STABLE AS $$
	SELECT 'é ' || euro
	$$;
	CREATE FUNCTION cached_notes(euro text) RETURNS TABLE (a text, b text)
	LANGUAGE cached STABLE AS $$
	SELECT n::text || 'é', euro FROM generate_series(1, 3) n
	$$});
my %expected = (
	text => 'é ä X',
	jsonb => '{"é": "X"}',
	array => '{é,X}',
	note => '("é X")',
	notes => '(1é,X)(2é,X)(3é,X)',);
# Asked for in ASCII, and looked at in the server.
my %arguments = ('ü' => 'chr(252)', '€' => 'chr(8364)');

foreach my $argument (sort keys %arguments)
{
	foreach my $encoding ('LATIN1', 'UTF8')
	{
		$node->safe_psql('postgres', 'SELECT dashboard_cache.flush()');
		wait_until_gone('*');
		foreach my $kind (sort keys %expected)
		{
			(my $wanted = $expected{$kind}) =~ s/X/$argument/g;
			my $hex = unpack('H*', $wanted);
			my $select = "SELECT encode(convert_to(string_agg(r::text, ''),"
			  . " 'UTF8'), 'hex') = '$hex'"
			  . " FROM cached_$kind($arguments{$argument}) r";
			my @calls = map {
				join ' ',
				  count_call($node, "cached_$kind(text)",
					"SET client_encoding = '$_'; $select")
			} $encoding, 'UTF8', 'LATIN1', 'EUC_JP', 'SQL_ASCII';

			is( join(', ', @calls),
				join(', ', 't misses fills', ('t hits redis_hits') x 4),
				"$kind with $argument, kept by a session in $encoding");
		}
	}
}

#
# Clearing
#

# An entry that goes when asked to: what was asked for earlier is done by then.
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_marker() RETURNS int LANGUAGE cached STABLE AS $$
	#key marker
	SELECT 1
	$$;
	CREATE FUNCTION cached_order(i int) RETURNS int LANGUAGE cached STABLE AS $$
	#key orders:{i}
	#tags order:{i}
	SELECT i
	$$});

sub wait_for_clearing
{
	$node->safe_psql('postgres', 'SELECT cached_marker()');
	own_keys('*:marker#*') or die 'there is no marker';
	$node->safe_psql('postgres',
		q{SELECT dashboard_cache.invalidate_key('marker')});
	return wait_until_gone('*:marker#*');
}

my %invalidations = (
	'a key' => q{SELECT dashboard_cache.invalidate_key('sales:total')},
	'a tag' => q{SELECT dashboard_cache.invalidate_tag('sales_tag')},
	'a prefix' => q{SELECT dashboard_cache.invalidate_pattern('sales:*')},
	'a glob' => q{SELECT dashboard_cache.invalidate_pattern('s*:[st]otal')},
	'a flush' => q{SELECT dashboard_cache.flush()},
	'a trigger' => q{INSERT INTO sales VALUES (0)},);
my $fastest = 1000;

$node->safe_psql('postgres', $invalidations{'a flush'});
is(wait_until_gone('*'), 0, 'a flush removes everything');

foreach my $what (sort keys %invalidations)
{
	is(call($node), "$total: miss", "an entry to be cleared by $what");
	$node->safe_psql('postgres', 'SELECT cached_order(1)');
	is(scalar(own_keys('*:sales:total#*')), 1, 'it is in Redis');

	$node->safe_psql('postgres',
		"BEGIN; $invalidations{$what}; ROLLBACK;"
		  . "BEGIN; SAVEPOINT s; $invalidations{$what}; ROLLBACK TO s; COMMIT");
	is(wait_for_clearing(), 0, 'the worker clears');
	is(scalar(own_keys('*:sales:total#*')),
		1, "$what that is rolled back clears nothing");

	my $committed_at = time();
	$node->safe_psql('postgres', $invalidations{$what});
	is(wait_until_gone('*:sales:total#*'), 0, "$what clears the entry");
	$fastest = time() - $committed_at if time() - $committed_at < $fastest;
	is( scalar(own_keys('*:orders:1#*')),
		$what eq 'a flush' ? 0 : 1,
		$what eq 'a flush' ? 'and all others' : 'and no other');
}
cmp_ok($fastest, '<', 0.5, 'soon after the commit');

# Two-phase commit
foreach my $end ('COMMIT', 'ROLLBACK')
{
	call($node);
	$node->safe_psql('postgres',
		"BEGIN; INSERT INTO sales VALUES (1); PREPARE TRANSACTION 'sale'");
	wait_for_clearing();
	is(call($node), "$total: Redis hit",
		'PREPARE TRANSACTION clears nothing');
	$node->safe_psql('postgres', "$end PREPARED 'sale'");
	if ($end eq 'COMMIT')
	{
		is(wait_until_gone('*:sales:total#*'), 0, 'COMMIT PREPARED clears');
		$total += 1;
		is(call($node), "$total: miss", 'and it is a miss');
	}
	else
	{
		# It had announced itself, so the entry may have gone.
		like(call($node), qr/^$total: (?:miss|Redis hit)$/,
			'ROLLBACK PREPARED is right');
		is(call($node), "$total: Redis hit", 'and it is a hit');
	}
}

# Many
my $orders = 'SELECT sum(cached_order(i)) FROM generate_series(1, 500) i';
my $cleared = redis_status($node, 'keys_cleared');
$node->safe_psql('postgres', $orders);
is(scalar(own_keys('*:orders:*')), 500, 'many entries');
cmp_ok(redis_status($node, 'keys_known'), '>=', 500, 'the worker knows them');
$node->safe_psql('postgres',
	q{SELECT dashboard_cache.invalidate_pattern('orders:?[13579]')});
is(wait_until_gone('*:orders:?[13579]#*'), 0, 'many are cleared by a glob');
cmp_ok(scalar(own_keys('*:orders:*')), '>=', 500 - 45 - 25, 'and few others');
$node->safe_psql('postgres',
	q{SELECT dashboard_cache.invalidate_tag('order:' || i)
	FROM generate_series(1, 500, 2) i});
is(wait_until_gone('*:orders:*[13579]#*'), 0, 'many are cleared by tags');

# Some share a slot of the ledger with one that was invalidated.
cmp_ok(scalar(own_keys('*:orders:*[02468]#*')), '>=', 225, 'and few others');
cmp_ok(redis_status($node, 'keys_cleared') - $cleared,
	'>=', 250, 'and counted');

# More than the worker remembers
$node->safe_psql(
	'postgres', q{
	SELECT sum(cached_order(i)) FROM generate_series(1001, 18500) i;
	SELECT dashboard_cache.invalidate_pattern('orders:*')});
is(wait_until_gone('*:orders:*'), 0, 'very many are cleared by a pattern');

# Keys that look like patterns, or like names
my @odd = (
	'*', '?', '[a]', 'a', '\\', '\\*', '^', ']', '-', '#', 'x#y.z', ' ', "\n", '%s',
	'{', "'", '"', 'é', ':', '::', $somebodys, "#$somebodys");
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_odd(t text) RETURNS text LANGUAGE cached STABLE AS $$
	#key odd:{t}
	SELECT t
	$$});
foreach my $i (0 .. $#odd)
{
	(my $odd = $odd[$i]) =~ s/'/''/g;
	my $others =
	  'SELECT count(*) FROM unnest(ARRAY['
	  . join(', ', map { "'" . s/'/''/gr . "'" } @odd)
	  . ']) t WHERE cached_odd(t) <> t';
	is($node->safe_psql('postgres', $others), 0, 'odd keys')
	  if $i == 0;
	is(scalar(own_keys('*:odd:*')), scalar(@odd), "before clearing $odd")
	  if $i == 0;
	$node->safe_psql('postgres',
		"SELECT dashboard_cache.invalidate_key('odd:$odd')");
	wait_until(sub { own_keys('*:odd:*') == @odd - 1 });
	is( scalar(
			grep { index($_, "dashboard_cache:odd:$odd[$i]#$database_id") == 0 }
			  own_keys('*:odd:*')),
		0,
		"an odd key is cleared: $odd");
	is_deeply(
		[ count_call($node, 'cached_odd(text)', $others) ],
		[ 0, (@odd - 1) . ' hits ' . (@odd - 1) . ' redis_hits misses fills' ],
		'and no other');
}

# A fill that is late: what it read has been written since.
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION wait_for_lock(t text) RETURNS text LANGUAGE plpgsql STABLE
	AS $$
	BEGIN
		PERFORM pg_advisory_lock(1), pg_advisory_unlock(1);
		RETURN t;
	END $$;
	CREATE FUNCTION cached_late() RETURNS text LANGUAGE cached STABLE AS $$
	#key sales:late
	SELECT wait_for_lock(sum(amount)::text) FROM sales
	$$});
my $lock = $node->background_psql('postgres');
$lock->query_safe('SELECT pg_advisory_lock(1)');
my $late = $node->background_psql('postgres');
$late->query_until(qr/calling/, "\\echo calling\nSELECT cached_late();\n");
$node->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_locks
	WHERE locktype = 'advisory' AND NOT granted});
write_sale($node, 1);
$lock->query_safe('SELECT pg_advisory_unlock(1)');
is($late->query_safe('SELECT 1'), "$total\n1",
	'a fill that a write has overtaken returns what its snapshot saw');
is(wait_until_gone('*:sales:late#*'), 0, 'and leaves nothing in Redis');
$total += 1;
is($node->safe_psql('postgres', 'SELECT cached_late()'),
	$total, 'and the next call is right');
is(scalar(own_keys('*:sales:late#*')), 1, 'and kept');
$_->quit foreach $late, $lock;

#
# Other databases, other servers, other prefixes
#

my $other = redis_node('both', '1MB');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE postgres');
call($node);
is(call($node), "$total: Redis hit", 'an entry of one database');
is(call($node, database => 'copy'),
	"$total: miss", 'its copy has entries of its own');
is(call($node, database => 'copy'), "$total: Redis hit", 'in Redis');
is(call($other), '10: miss', 'so has another server');

$node->safe_psql('copy', 'SELECT dashboard_cache.flush()');
wait_until(sub { own_keys('*:sales:total#*') == 2 });
is(call($node, database => 'copy'),
	"$total: miss", 'a flush removes the entries of a database');
is(call($node), "$total: Redis hit", "and leaves the other's");

# What the worker does not remember it finds by name.
my $cluster = substr($database_id, 0, 8);
my $sum = 'a' x 64;
my $unknown = "dashboard_cache:unknown#$database_id.$sum";
my @others = (
	"dashboard_cache:unknown#${cluster}ffffffff.$sum",
	"dashboard_cache:unknown#$database_id.$sum#$somebodys",
	"dashboard_cache:unknown#$database_id.$sum#01234567"
	  . substr($database_id, 8) . ".$sum",
	"dashboard_cache:unknown#$database_id.a$sum",
	"dashboard_cache:unknown#$database_id." . uc $sum,
	"dashboard_cache:unknown#$database_id.",
	"xdashboard_cache:unknown#$database_id.$sum");
$redis->replies(map { [ 'HSET', $_, 'value', 'x' ] } $unknown, @others);
call($node);
$node->safe_psql('postgres',
	q{CREATE FUNCTION cached_n(n int) RETURNS int LANGUAGE cached STABLE AS 'SELECT n'});
$node->safe_psql('postgres', 'SELECT sum(cached_n(n)) FROM generate_series(1, 10) n');
my $db_keys = () = own_keys("dashboard_cache:*#$database_id.*");
cmp_ok($db_keys, '>', 1 + @others, 'there are entries to remove');
$node->safe_psql('postgres', 'SELECT dashboard_cache.flush()');
is(wait_until_gone($unknown), 0, 'a flush removes what nobody remembers');
wait_until(
	sub { own_keys("dashboard_cache:*#$database_id.*") == @others - 2 });
is( scalar(own_keys("dashboard_cache:*#$database_id.*")),
	@others - 2,
	'and all other entries');
is($redis->command('EXISTS', @others), scalar(@others), 'and no others');
$redis->command('DEL', @others);
is(call($other), '10: hit', "another server's entries stay");
is(scalar(grep { !/#$cluster/ } own_keys('*:sales:total#*')),
	1, 'in Redis too');

# The prefix is no pattern, though it looks like one.
my $prefix = 'a*b[c]?\d';
my $similar = "aZZbcQd:sales:total#$database_id.$call_id";
$foreign{$similar} = 'similar';
$redis->command('SET', $similar, 'similar');
configure($node, key_prefix => $prefix);
$node->poll_query_until('postgres',
	"SELECT current_setting('dashboard_cache.key_prefix') = '$prefix'");
is(call($node), "$total: miss", 'another prefix');
is(call($node), "$total: Redis hit", 'has other entries');
is_deeply(
	[ grep { index($_, "$prefix:") == 0 } own_keys() ],
	["$prefix:sales:total#$database_id.$call_id"],
	'with that prefix');
$node->restart;
wait_for_redis($node, 'up');
is(call($node), "$total: Redis hit", 'they outlive a restart');
foreach my $what ('a glob', 'a flush')
{
	$redis->command('HSET', "$prefix:sales:total#$database_id.$sum", 'x', 'y');
	$node->safe_psql('postgres', $invalidations{$what});
	wait_until(
		sub {
			!grep { index($_, "$prefix:") == 0 } own_keys();
		});
	is(scalar(grep { index($_, "$prefix:") == 0 } own_keys()),
		0, "$what clears them");
	is(call($node), "$total: miss", 'and they are misses');
}
configure($node, key_prefix => 'dashboard_cache');

#
# Both tiers
#

is(call($other), '10: hit', 'shared memory is asked first');
$other->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_filler(i int) RETURNS text LANGUAGE cached STABLE AS
	$$
	SELECT repeat(i::text, 1000)
	$$});
call($other);
my $fill_up =
  'SELECT sum(length(cached_filler(i))) FROM generate_series(1, 600) i';
$other->safe_psql('postgres', $fill_up);
is(call($other), '10: Redis hit',
	'what shared memory had no room for is in Redis');
is(call($other), '10: hit', 'and in shared memory again then');
$other->safe_psql('postgres', $fill_up);
is(scalar(grep { !/#$cluster/ } own_keys('*:sales:total#*')),
	1, 'when shared memory has no room for it again');
write_sale($other, 1);
wait_until(sub { !grep { !/#$cluster/ } own_keys('*:sales:total#*') });
is(scalar(grep { !/#$cluster/ } own_keys('*:sales:total#*')), 0,
	'what is in Redis only is cleared too');
is(call($other), '11: miss', 'and is a miss');

#
# Restarts
#

call($node);
is(call($node), "$total: Redis hit", 'an entry from before a restart');
$node->restart;
wait_for_redis($node, 'up');
is(call($node), "$total: Redis hit", 'it outlives a clean restart');
$node->restart;
wait_for_redis($node, 'up');
is(call($node), "$total: Redis hit", 'and a second one');
$node->safe_psql('postgres', $invalidations{'a tag'});
is(wait_until_gone("dashboard_cache:sales:total#$database_id.*"),
	0, 'and is cleared by its tag then');
is(call($node), "$total: miss", 'and is a miss');
write_sale($node, 1);
$total += 1;
is(call($node), "$total: miss", 'a write invalidates the next');
$node->safe_psql('postgres',
	"BEGIN; INSERT INTO sales VALUES (1); PREPARE TRANSACTION 'sale'");
$node->restart;
wait_for_redis($node, 'up');
is(call($node), "$total: Redis hit", 'a prepared write over a restart');
$node->safe_psql('postgres', "COMMIT PREPARED 'sale'");
$total += 1;
is(call($node), "$total: miss", 'invalidates once it is committed');

is(call($node), "$total: Redis hit", 'an entry from before a crash');
crash($node);
wait_for_redis($node, 'up');
like(call($node), qr/^$total: (?:miss|misses redis_rejected fills)$/,
	'it is none after it');
is(call($node), "$total: Redis hit", 'and the next one is');
crash($other);
wait_for_redis($other, 'up');
like(call($other), qr/^11: (?:miss|misses redis_rejected fills)$/,
	'so it is with both tiers');
is(call($other), '11: hit', 'and the next one is kept');

#
# Others' keys, and the end
#

my @forever = grep { $redis->command('PTTL', $_) < 0 } own_keys();
is_deeply(\@forever, [], 'each entry has an expiry');
is_deeply({ map { $_ => $redis->command('GET', $_) } keys %foreign },
	\%foreign, "others' keys are as they were");
is(logged_errors($_), '', 'the server logged no error') foreach $node, $other;
unlike(log_since($_), qr/is down|refused a command/, 'and no outage')
  foreach $node, $other;

$_->stop foreach $node, $other;
done_testing();
