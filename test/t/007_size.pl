# However small the memory and however large the results: never an error, never
# a wrong answer.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub set_size
{
	my ($node, $size) = @_;

	$node->append_conf('postgresql.conf',
		"dashboard_cache.shared_memory_size = '$size'");
	return;
}

my $node = new_node('size',
	settings => "dashboard_cache.shared_memory_size = '2MB'\n");
create_example($node);
$node->safe_psql(
	'postgres', q{
	CREATE TABLE reports AS
		SELECT id, string_agg(md5(id::text || i), '') AS report
		FROM generate_series(1, 3000) id,
			generate_series(1, 1 + id * id % 100) i
		GROUP BY id ORDER BY id;
	ALTER TABLE reports ADD PRIMARY KEY (id);
	CREATE FUNCTION cached_report(id int) RETURNS text
	LANGUAGE cached STABLE AS $$
	#ttl infinity
	SELECT report FROM reports r WHERE r.id = $1
	$$});

# How many of the reports are wrong?
my $wrong = 'SELECT count(*) FROM reports r WHERE cached_report(id)'
  . ' IS DISTINCT FROM report';

sub count_reports
{
	my ($from, $to) = @_;
	my %before = counters($node, 'cached_report(integer)');
	my $n = $node->safe_psql('postgres',
		"$wrong AND id BETWEEN $from AND $to");
	my %after = counters($node, 'cached_report(integer)');

	return ($n, map { $_ => $after{$_} - $before{$_} } keys %after);
}

#
# A large result, while there is room
#

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_text(kilobytes int) RETURNS text
	LANGUAGE cached STABLE AS $$
	#ttl infinity
	SELECT repeat(md5('x'), kilobytes * 32)
	$$});

sub call_text
{
	my ($kilobytes) = @_;

	return join ' ',
	  count_call(
		$node,
		'cached_text(integer)',
		"SELECT cached_text($kilobytes) = repeat(md5('x'), $kilobytes * 32)");
}

is(call_text(500), 't misses fills', 'a large result is kept');
is(call_text(500), 't hits', 'and served');

#
# More results than there is room for
#

my ($n_wrong, %counted) = count_reports(1, 3000);
is($n_wrong, '0', 'results are right when they fill the memory');
is($counted{misses}, '3000', 'all of them are computed');
is($counted{fills}, '3000', 'and kept, at the expense of others');

($n_wrong, %counted) = count_reports(1, 3000);
is($n_wrong, '0', 'results are right when there is no room for them all');
cmp_ok($counted{misses}, '>', 0, 'some have been evicted');

($n_wrong, %counted) = count_reports(2901, 3000);
is($counted{hits}, '100', 'the latest ones are served');
is($n_wrong, '0', 'and right');

# One that is used again and again outlives many that are not.
my $misses = 0;
foreach my $i (0 .. 29)
{
	my ($result, $how) =
	  count_call($node, 'cached_report(integer)',
		'SELECT cached_report(100) = (SELECT report FROM reports WHERE id = 100)'
	  );
	$misses++ if $how ne 'hits';
	count_reports(101 + 50 * $i, 150 + 50 * $i);
}
is($misses, 1, 'an entry that is used often is not evicted');

# One result that has no room even in an empty memory.
call($node);
foreach my $kilobytes (2048, 10240)
{
	is(call_text($kilobytes), 't misses too_large',
		"result of $kilobytes kB that does not fit is right");
	is(call_text($kilobytes), 't misses too_large', 'each time');
}
is(call($node), '10: hit', 'and evicts nothing, since that would not help');
is( $node->safe_psql(
		'postgres',
		'SELECT bool_and(cached_text(700 + i) = repeat(md5(\'x\'), (700 + i) * 32))'
		  . ' FROM generate_series(1, 20) i'),
	't',
	'large results that displace each other are right');

$node->safe_psql('postgres', 'ALTER SYSTEM SET dashboard_cache.max_entry_size = 100');
$node->reload;
$node->poll_query_until('postgres',
	q{SELECT current_setting('dashboard_cache.max_entry_size') = '100kB'});
is(call_text(101), 't misses too_large',
	'result beyond max_entry_size is not kept');
is(call_text(90), 't misses fills', 'result within max_entry_size is kept');
is(call_text(90), 't hits', 'and served');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$node->reload;

# All of that from several sessions at once, with invalidations between.
$node->pgbench(
	'--no-vacuum --client=4 --jobs=2 --transactions=300',
	0,
	[qr/processed: 1200\/1200/],
	[qr/^$/],
	'concurrent fills and evictions are right',
	{
		'evict' => q{
			\set id random(1, 3000)
			SELECT 1 / (cached_report(:id) = report)::int
			FROM reports WHERE id = :id;
			\set kilobytes random(1, 600)
			SELECT 1 / (length(cached_text(:kilobytes)) = :kilobytes * 1024)::int;
			\if :id > 2900
			SELECT dashboard_cache.flush();
			\endif
		}
	});

#
# Restarts with another size
#

is(call($node), '10: miss', 'an entry');
count_reports(1, 3000);
set_size($node, '1MB');
$node->restart;
($n_wrong, %counted) = count_reports(1, 3000);
is($n_wrong, '0', 'results are right after a restart with less memory');
is($counted{hits} + $counted{misses}, '3000', 'with the cache in use');

call($node);
is(call($node), '10: hit', 'an entry before a restart with more memory');
set_size($node, '8MB');
$node->restart;
is(call($node), '10: hit', 'is kept');

# Writes while there is no memory are known when there is some again.
set_size($node, '0');
$node->restart;
foreach my $call ('first', 'second')
{
	is(call($node), '10: disabled',
		"$call call runs the query when the size is 0");
}
is(call_text(1), 't disabled', 'other functions too');
write_sale($node, 5);
is(call($node), '15: disabled', 'writes are seen when the size is 0');
set_size($node, '8MB');
$node->restart;
is(call($node), '15: miss', 'nothing old is served when it is 8MB again');
is(call($node), '15: hit', 'and new entries are');

#
# Results of many sizes before a large one
#

set_size($node, '64MB');
$node->restart;
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_bytes(i int, n int) RETURNS text
	LANGUAGE cached STABLE AS $$
	#ttl infinity
	SELECT repeat(chr(65 + i % 26), n)
	$$});
my $call_all = 'SELECT count(cached_bytes(i, 100 + i * 7919 % 20000))'
  . ' FROM generate_series(1, 20000) i';

# Counts the calls that are served, in a transaction that cannot fill.
sub count_served
{
	my %before = counters($node, 'cached_bytes(integer,integer)');
	$node->safe_psql('postgres',
		"BEGIN; SELECT pg_current_xact_id(); $call_all; ROLLBACK");
	my %after = counters($node, 'cached_bytes(integer,integer)');

	return $after{hits} - $before{hits};
}

$node->safe_psql('postgres', $call_all);
my $n_served = count_served();
cmp_ok($n_served, '>', 4000, 'results of up to 20 kB fill 64 MB');
is(call_text(10240), 't misses fills',
	'a result of 10 MB is kept when the memory is full of smaller ones');
is(call_text(10240), 't hits', 'and served');
cmp_ok(count_served(), '>', $n_served / 2, 'and most of the others stay');

# However long it has been full, it holds as much as when it was new.
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_number(i int) RETURNS int LANGUAGE cached STABLE AS $$
	#ttl infinity
	SELECT i
	$$;
	SELECT count(cached_number(i)) FROM generate_series(1, 200000) i;
	SELECT count(cached_number(-i)) FROM generate_series(1, 5000) i});
my %before = counters($node, 'cached_number(integer)');
$node->safe_psql('postgres',
	'SELECT count(cached_number(-i)) FROM generate_series(1, 5000) i');
my %after = counters($node, 'cached_number(integer)');
is($after{hits} - $before{hits}, 5000,
	'memory that has been full for long is as good as new');

is(logged_errors($node), '', 'the server logged no error');

#
# Sizes that make no sense
#

# The server takes the default, as for any library's setting.
foreach my $size ('1kB', '1023kB')
{
	my $log = -s $node->logfile;

	set_size($node, $size);
	$node->restart;
	like(
		log_since($node, $log),
		qr/WARNING:  invalid value for parameter "dashboard_cache\.shared_memory_size": \d+
.*DETAIL:  .*too small to hold anything\.
.*HINT:  Set it to at least 1MB, or to 0/,
		"$size is refused, with the reason and a hint");
	is($node->safe_psql('postgres', 'SHOW dashboard_cache.shared_memory_size'),
		'64MB', 'and the default is taken');
}
foreach my $size ('-1', '5 apples', '2TB')
{
	my $log = -s $node->logfile;

	set_size($node, $size);
	$node->restart;
	like(
		log_since($node, $log),
		qr/WARNING:  .*"dashboard_cache\.shared_memory_size"/,
		"$size is refused by the setting's name");
}
set_size($node, '1MB');
$node->restart;
call($node);
is(call($node), '15: hit', 'the smallest size works');

$node->stop;
done_testing();
