# A server that is not what it says: a liar between Redis and the server, which
# answers with something else, late, in part or not at all.
use strict;
use warnings;

use DashboardCacheTest;
use LiarServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisServer;
use Test::More;
use Time::HiRes qw(time);

# The time limit, and what a call may take besides on a busy machine.
my $timeout = 1;
my $margin = 5;

my $redis = RedisServer->new('liar');
my $liar = LiarServer->new($redis, tcp => 1);
my @urls = ($liar->url, $liar->url =~ s/127\.0\.0\.1/localhost/r);
my $node = new_node('liar',
	settings => "dashboard_cache.shared_memory_size = 0\n"
	  . "dashboard_cache.redis_timeout = '${timeout}s'\n"
	  . "dashboard_cache.redis_url = '$urls[0]'\n");
create_example($node);
my $total = 10;

sub sql { return $node->safe_psql('postgres', @_); }

sql(
	q{
	CREATE TABLE words AS
		SELECT i AS id, string_agg(md5((i * j)::text), '') AS word
		FROM generate_series(1, 50) i, generate_series(1, 100) j GROUP BY i;
	CREATE FUNCTION cached_word(i int) RETURNS text LANGUAGE cached STABLE AS $$
	#key words:{i}
	SELECT word FROM words WHERE id = i
	$$;
	CREATE FUNCTION cached_big() RETURNS bytea LANGUAGE cached STABLE AS $$
	#key big
	SELECT string_agg(sha512(i::text::bytea), '')
	FROM generate_series(1, 100000) i
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

ok(wait_for_redis($node, 'up'), 'a server that can lie');
call_right('the truth');
is(call($node), "$total: Redis hit", 'as long as it does not, it is used');
is(sql("$wrong_words AND id <= 20"), 0, 'and for other calls');
my @well_formed = (
	'integer', 'status', 'nil array', 'empty array', 'long array',
	'array of arrays', 'array of integers', 'array of errors', 'twice');
my %refusals = map { $_ => 'refused' } 'moved', 'empty error', 'long error';

# One lie, and what comes of it.  What is no answer to the question may cost
# the connection, or a miss.
sub lie
{
	my ($lie, $commands) = @_;
	my $what = "$lie to $commands";

	# A new start again: who has failed a moment ago is left alone for longer.
	push @urls, shift @urls;
	use_redis($node, redis_url => $urls[0]);
	is(call($node), "$total: Redis hit", "$what: a hit before it");

	my $before = -s $node->logfile;
	$liar->tell($lie, $commands);
	if ($commands =~ /HMGET|connect/)
	{
		call_right($what);
	}
	else
	{
		write_sale($node, 1);
		$total += 1;
		call_right($what);
	}
	is(sql("$wrong_words AND id <= 3"), 0, "$what: other answers are right");
	cmp_ok($liar->count_lies, '>', 0, "$what: it did");
	$liar->tell_the_truth;
	wait_for_redis($node, 'up');
	call_right("$what, afterwards");
	is(call($node), "$total: Redis hit", "$what: a hit afterwards");
	return breaker_log($node, $before);
}

foreach my $lie (LiarServer::lies())
{
	my $logged = lie($lie, 'HMGET');

	if (grep { $_ eq $lie } @well_formed)
	{
		like($logged, qr/^(?:refused|(?:down up ?)*)$/, "$lie: what is logged");
	}
	elsif ($refusals{$lie})
	{
		like($logged, qr/^(?:refused)?$/, "$lie: what is logged");
	}
	else
	{
		like($logged, qr/^down up(?: down up)*$/, "$lie: what is logged");
	}
}
foreach my $lie ('garbage', 'silence', 'half, then reset', 'end', 'twice',
	'drip', 'nil array', 'array of integers', 'loading')
{
	lie($lie, 'EXEC');
}
lie($_, 'MULTI') foreach 'silence', 'end', 'twice';
lie($_, 'connect') foreach 'garbage', 'web page', 'silence', 'end';
lie($_, 'UNLINK') foreach 'garbage', 'silence', 'nil array';

# One for whom every answer is somebody else's.
is( sql(
		q{SELECT count(*) FROM words WHERE id <= 50 AND cached_word(id) <> word}),
	0, 'entries');
$liar->tell('twice', 'HMGET');
is( sql(
		q{SELECT count(*) FROM words WHERE id <= 50 AND cached_word(id) <> word}),
	0, 'no answer is taken for that to another question');
cmp_ok($liar->count_lies, '>', 0, 'though there were some to be taken');
$liar->tell_the_truth;

# A large result, when the server stops listening in the middle of it.
my $digest = sql(
	q{SELECT md5(string_agg(sha512(i::text::bytea), ''))
	FROM generate_series(1, 100000) i});
foreach my $lie ('end', 'silence')
{
	wait_for_redis($node, 'up');
	$liar->tell($lie, 'MULTI');
	is(sql('SELECT md5(cached_big())'),
		$digest, "a large result, and $lie while it is sent");
	cmp_ok($liar->count_lies, '>', 0, 'which was so');
	$liar->tell_the_truth;
}
is(logged_errors($node), '', 'the server logged no error');

$liar->stop;
$node->stop;
done_testing();
