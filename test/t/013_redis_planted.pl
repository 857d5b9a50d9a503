# What somebody else has put into Redis, or changed there, is never served: it
# is a miss, is counted as rejected, and is replaced.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;

# The same damage each time.
srand(20261121);

my $redis = RedisServer->new('planted');
my $url = $redis->url;
my $node = new_node('planted',
	settings => "dashboard_cache.shared_memory_size = 0\n"
	  . "dashboard_cache.redis_url = '$url'\n"
	  . "dashboard_cache.redis_timeout = '10s'\n");
create_example($node);
wait_for_redis($node, 'up');
my $total = 10;

# Results of each kind: the type, and the query for argument i.
my %kinds = (
	number => [ 'bigint', q{SELECT i * 1000003::bigint} ],
	text => [ 'text', q{SELECT repeat(md5(i::text), 20)} ],
	json =>
	  [ 'jsonb', q{SELECT jsonb_build_object('i', i, 'l', repeat('1', i))} ],
	long => [
		'text',
		q{SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 500) j}
	],
	record => [ 'planted', q{SELECT i, md5(i::text), ARRAY[i, NULL]} ],
	set => [
		'SETOF planted',
		q{SELECT j, md5(j::text), ARRAY[i, j] FROM generate_series(1, 30) j}
	],
	nothing => [ 'text', q{SELECT nullif(i, i)::text} ],);

$node->safe_psql(
	'postgres',
	'CREATE TYPE planted AS (n int, t text, a int[]);'
	  . join '', map {
		my ($type, $query) = @{ $kinds{$_} };

		"CREATE FUNCTION plain_$_(i int) RETURNS $type LANGUAGE sql STABLE"
		  . " AS \$\$ $query \$\$;"
		  . "CREATE FUNCTION cached_$_(i int) RETURNS $type"
		  . " LANGUAGE cached STABLE AS \$\$\n#cache_nulls on\n#key $_:{i}\n"
		  . "$query\n\$\$;"
	  } sort keys %kinds);

# How many of the calls from 1 to n return what they should not?
sub compare
{
	my ($kind, $n) = @_;

	return "SELECT count(*) FROM generate_series(1, $n) i WHERE"
	  . " (SELECT string_agg(r::text, ';') FROM cached_$kind(i) r)"
	  . " IS DISTINCT FROM"
	  . " (SELECT string_agg(r::text, ';') FROM plain_$kind(i) r)";
}

# Calls it with 1 to n, and expects each call to be counted as that.
sub is_counted
{
	my ($kind, $n, $counted, $what, %params) = @_;
	my $times = $n == 1 ? '' : "$n ";

	is_deeply(
		[
			count_call(
				$node, "cached_$kind(integer)", compare($kind, $n), %params)
		],
		[ '0', join ' ', map { "$times$_" } split / /, $counted ],
		$what);
	return;
}

# The entries of calls with 1 to n, in that order: [ key, value, stamp ].
sub entries
{
	my ($kind, $n) = @_;
	my %keys = map { /:$kind:(\d+)#/ ? ($1 => $_) : () } $redis->keys("*:$kind:*");
	my @keys = @keys{ 1 .. $n };
	my @fields = $redis->replies(map { [ 'HMGET', $_, 'value', 'stamp' ] } @keys);

	return map { [ $keys[$_], @{ $fields[$_] } ] } 0 .. $#keys;
}

# Puts the value and the stamp there; those that are undefined stay as they are.
sub put
{
	my @entries = @_;
	my @replies = $redis->replies(
		map {
			my ($key, $value, $stamp) = @$_;

			[
				'HSET', $key,
				defined $value ? ('value', $value) : (),
				defined $stamp ? ('stamp', $stamp) : ()
			];
		} @entries);

	die "could not put: $$_" foreach grep { ref($_) } @replies;
	return;
}

# Damages the entries of calls with 1 to n, each by a function that returns the
# new value and the new stamp, and lets them be found.
sub plant
{
	my ($kind, $n, $what, $damage) = @_;

	is($node->safe_psql('postgres', compare($kind, $n)), 0, "$kind, $what");
	my @entries = entries($kind, $n);
	is(scalar(grep { defined $_->[2] } @entries), $n, 'all are there');
	put(
		map {
			my ($key, $value, $stamp) = @{ $entries[$_] };

			[ $key, $damage->($_ + 1, $value, $stamp) ];
		} 0 .. $#entries);
	is_counted($kind, $n, 'misses redis_rejected fills', 'none is served');
	is_counted($kind, $n, 'hits redis_hits', 'all are replaced');
	return;
}

sub flip
{
	my ($bytes, $at, $bits) = @_;

	substr($bytes, $at, 1) =
	  chr(ord(substr($bytes, $at, 1)) ^ ($bits // 1 << int(rand(8))));
	return $bytes;
}

#
# Damage
#

is(call($node), '10: miss', 'an entry');
is(call($node), '10: Redis hit', 'it is served');

# Bits in every byte of a stamp: in an entry of its own each, in each kind.  So
# many entries that the longest stamp has been through.
foreach my $kind (sort keys %kinds)
{
	$node->safe_psql('postgres', compare($kind, 1));
	my $n = length((entries($kind, 1))[0][2]) + 20;

	plant($kind, $n, 'a bit in each byte of a stamp',
		sub { (undef, flip($_[2], ($_[0] - 1) % length($_[2]))) });
	next unless $kind eq 'text';
	plant($kind, $n, 'all bits of each byte of a stamp',
		sub { (undef, flip($_[2], ($_[0] - 1) % length($_[2]), 255)) });
	plant($kind, $n, 'a stamp cut at each byte',
		sub { (undef, substr($_[2], 0, ($_[0] - 1) % length($_[2]))) });
	plant($kind, $n, 'a stamp without its first bytes',
		sub { (undef, substr($_[2], 1 + ($_[0] - 1) % length($_[2]))) });
	plant($kind, $n, 'zeros from each byte of a stamp on',
		sub {
			my $at = ($_[0] - 1) % length($_[2]);

			(undef, substr($_[2], 0, $at) . "\xff" x (length($_[2]) - $at));
		});
}

# A thousand bits of values
my %flips = (
	number => 50,
	text => 250,
	json => 250,
	long => 150,
	record => 150,
	set => 150,);
foreach my $kind (sort keys %flips)
{
	plant($kind, $flips{$kind}, 'a bit of a value',
		sub { (flip($_[1], int(rand(length($_[1]))))) });
	plant($kind, 30, 'a value cut anywhere',
		sub { (substr($_[1], 0, int(rand(length($_[1]))))) });
}
foreach my $kind (sort keys %kinds)
{
	plant($kind, 3, 'a value that goes on', sub { (($_[1] // "") . "\0") });
	plant($kind, 3, 'a value that begins earlier', sub { ("x" . ($_[1] // "")) });
	plant($kind, 3, 'a stamp that goes on', sub { (undef, "$_[2]\0") });
	plant($kind, 3, 'a long stamp', sub { (undef, $_[2] x 10000) });
	plant($kind, 3, 'no stamp', sub { (undef, '') });
	plant($kind, 3, 'garbage',
		sub { (pack('N*', map { rand(2**32) } 1 .. 50)) x 2 });
	plant($kind, 3, 'no value', sub { ('') }) if $kind ne 'nothing';
}
plant('text', 1, 'a value of 17 MB', sub { ('x' x 17_000_000) });
plant('text', 1, 'a stamp of 17 MB', sub { (undef, 'x' x 17_000_000) });

#
# Somebody else's
#

# Another kind's, of a call with the same argument.
my @names = sort keys %kinds;
foreach my $kind (@names)
{
	foreach my $other (@names)
	{
		next if $other eq $kind;
		$node->safe_psql('postgres', compare($other, 3));
		my @others = entries($other, 3);

		plant($kind, 3, "all of $other",
			sub { @{ $others[ $_[0] - 1 ] }[ 1, 2 ] });
		plant($kind, 3, "the value of $other",
			sub { ($others[ $_[0] - 1 ][1]) })
		  unless $other eq 'nothing';
		plant($kind, 3, "the stamp of $other",
			sub { (undef, $others[ $_[0] - 1 ][2]) });
	}

	# Of a call with another argument.
	next if $kind eq 'nothing';
	$node->safe_psql('postgres', compare($kind, 11));
	my @calls = entries($kind, 11);
	plant($kind, 10, 'all of another call',
		sub { @{ $calls[ $_[0] ] }[ 1, 2 ] });
	plant($kind, 10, 'the value of another call',
		sub { ($calls[ $_[0] ][1]) });
	plant($kind, 10, 'the stamp of another call',
		sub { (undef, $calls[ $_[0] ][2]) });
}

# Of another user, and of another database.
sub key_of
{
	my ($pattern, @known) = @_;
	my %known = map { $_ => 1 } @known;
	my @keys = grep { !$known{$_} } $redis->keys($pattern);

	die "not one: @keys" if @keys != 1;
	return $keys[0];
}

sub copy_entry
{
	my ($from, $to) = @_;

	put([ $to, @{ $redis->command('HMGET', $from, 'value', 'stamp') } ]);
	return;
}

$node->safe_psql('postgres',
	'CREATE ROLE visitor LOGIN; GRANT ALL ON sales, runs TO visitor');
call($node);
my $ours = key_of('*:sales:total#*');
call($node, user => 'visitor');
my $visitors = key_of('*:sales:total#*', $ours);
is(call($node, user => 'visitor'), '10: Redis hit', "another user's entry");
copy_entry($ours, $visitors);
is(call($node, user => 'visitor'),
	'10: misses redis_rejected fills', 'is not that of the first');
copy_entry($visitors, $ours);
is(call($node), '10: misses redis_rejected fills', 'nor the other way round');

$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE postgres');
call($node, database => 'copy');
my $copys = key_of('*:sales:total#*', $ours, $visitors);
is(call($node, database => 'copy'),
	'10: Redis hit', "another database's entry");
copy_entry($ours, $copys);
is(call($node, database => 'copy'),
	'10: misses redis_rejected fills', 'is not that of the first');

#
# Fields and types
#

my %shapes = (
	'without a value' => [ [ 'HDEL', 'value' ] ],
	'without a stamp' => [ [ 'HDEL', 'stamp' ] ],
	'with another field only' =>
	  [ [ 'DEL' ], [ 'HSET', 'field', 'x' ] ],
	'a string' => [ ['DEL'], [ 'SET', 'x' ] ],
	'a list' => [ ['DEL'], [ 'RPUSH', 'value', 'stamp' ] ],
	'a set' => [ ['DEL'], [ 'SADD', 'value', 'stamp' ] ],
	'a sorted set' => [ ['DEL'], [ 'ZADD', 1, 'value', 2, 'stamp' ] ],
	'a stream' => [ ['DEL'], [ 'XADD', '*', 'value', 'stamp' ] ],
	'a HyperLogLog' => [ ['DEL'], [ 'PFADD', 'value' ] ],);
my $log = -s $node->logfile;

foreach my $shape (sort keys %shapes)
{
	$redis->command($_->[0], $ours, @$_[ 1 .. $#$_ ])
	  foreach @{ $shapes{$shape} };
	is( call($node),
		$shape =~ /another field/
		? '10: miss'
		: '10: misses redis_rejected fills',
		"an entry is $shape");
	is(call($node), '10: Redis hit', 'and is one again');
	cmp_ok($redis->command('PTTL', $ours), '>', 0, 'with an expiry');
}
is(breaker_log($node, $log), '', 'which is no fault of the server');
$redis->command('HSET', $ours, 'comment', 'x');
is(call($node), '10: Redis hit', 'a field more does no harm');
$redis->command('PERSIST', $ours);
is(call($node), '10: Redis hit', 'nor does it if somebody took the expiry');

#
# The past
#

# What was right once is stale now.
my @old = @{ $redis->command('HMGET', $ours, 'value', 'stamp') };
write_sale($node, 1);
$total += 1;
is(call($node), '11: miss', 'a write');
put([ $ours, @old ]);
is_deeply(
	[
		count_call(
			$node, 'cached_sales_total()',
			'SELECT left(cached_sales_total(), 2)')
	],
	[ '11', 'misses stale fills' ],
	'an entry from before a write is stale, though it is genuine');
is(call($node), '11: Redis hit', 'and is replaced');
@old = @{ $redis->command('HMGET', $ours, 'value', 'stamp') };
$node->restart;
wait_for_redis($node, 'up');
put([ $ours, @old ]);
is(call($node), '11: Redis hit', 'one from before a clean restart is right');
write_sale($node, 1);
$total += 1;
$node->restart;
wait_for_redis($node, 'up');
put([ $ours, @old ]);
is_deeply(
	[
		count_call(
			$node, 'cached_sales_total()',
			'SELECT left(cached_sales_total(), 2)')
	],
	[ '12', 'misses stale fills' ],
	'and stale if it was invalidated before that');

# After a crash nobody knows what was written.
$node->safe_psql('postgres', compare('text', 30));
my @before = entries('text', 30);
crash($node);
wait_for_redis($node, 'up');
ok( wait_until(
		sub {
			!$redis->keys('*:text:*');
		}),
	'what a crash has left is cleared');
put(@before);
is_counted('text', 30, 'misses redis_rejected fills',
	'nothing is served from before a crash');
put(@before);
is_counted('text', 30, 'misses redis_rejected fills', 'nor later');
is_counted('text', 30, 'hits redis_hits', 'what was kept since is');
my @since = entries('text', 30);
$node->restart;
wait_for_redis($node, 'up');
put(@before);
is_counted('text', 30, 'misses redis_rejected fills',
	'nor after a restart');
put(@since);
is_counted('text', 30, 'hits redis_hits', 'what was kept since is again');

# A copy of the data directory has the same name for everything, and another
# future.
call($node);
$node->stop;
$node->backup_fs_cold('copy');
$node->start;
wait_for_redis($node, 'up');
is(call($node), '12: Redis hit', 'an original');
write_sale($node, 1);
$total += 1;
is(call($node), '13: miss', 'with a future');
is_counted('text', 30, 'hits redis_hits', 'and with entries');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'copy', standby => 0);
$copy->start;
wait_for_redis($copy, 'up');
like(call($copy), qr/^12: (?:miss|misses redis_rejected fills)$/,
	"a copy does not know its original's future");
is(call($copy), '12: Redis hit', 'and has one of its own');
is(call($node), '13: misses redis_rejected fills',
	"nor does the original know its copy's");
is(call($node), '13: Redis hit', 'and has its own');
write_sale($copy, 100);
like(call($copy), qr/^112: (?:miss|misses redis_rejected fills)$/,
	'both write');
like(call($node), qr/^13: (?:miss|misses redis_rejected fills)$/,
	'and disagree');
is(logged_errors($copy), '', 'the copy logged no error');
$copy->stop;

#
# With shared memory
#

$node->append_conf('postgresql.conf',
	"dashboard_cache.shared_memory_size = '1MB'\n");
$node->restart;
wait_for_redis($node, 'up');
call($node);
is(call($node), '13: hit', 'an entry in both tiers');
put([ $ours, 'garbage' ]);
is(call($node), '13: hit', 'shared memory is asked first');
$node->safe_psql('postgres', compare('long', 300));
is(call($node), '13: misses redis_rejected fills',
	'what shared memory had no room for, and was damaged in Redis');
is(call($node), '13: hit', 'is kept in shared memory again');
$node->safe_psql('postgres', compare('long', 300));
is(call($node), '13: Redis hit', 'and in Redis');

#
# What is larger than anything that could be wanted
#

$node->append_conf('postgresql.conf',
	"dashboard_cache.shared_memory_size = 0\n");
$node->restart;
wait_for_redis($node, 'up');
plant('text', 1, 'a value of 40 MB', sub { ('x' x 40_000_000) });
plant('text', 1, 'a stamp of 40 MB', sub { (undef, 'x' x 40_000_000) });

# Genuine, but more than this session wants.
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_large() RETURNS bytea LANGUAGE cached STABLE AS $$
	SELECT string_agg(sha512(i::text::bytea), '')
	FROM generate_series(1, 100000) i
	$$});
my $large = 'SELECT length(cached_large())';
my @counted = map {
	[ count_call($node, 'cached_large()', $_) ]
} $large, "SET dashboard_cache.max_entry_size = '1MB'; $large", $large;
is_deeply(
	\@counted,
	[
		[ 6400000, 'misses fills' ],
		[ 6400000, 'misses redis_rejected too_large' ],
		[ 6400000, 'hits redis_hits' ]
	],
	'a session that wants smaller results than others');

is(breaker_log($node), '', 'Redis was never to blame');
is(redis_status($node, 'state'), 'up', 'and was never given up');
is(logged_errors($node), '', 'the server logged no error');
$node->stop;
done_testing();
