# What a clean restart keeps, and what it must not trust.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $refused = qr/file "pg_stat\/dashboard_cache\.saved" is not used: /;

my $node = new_node('restart');
my $saved = saved_file($node);
create_example($node);

is(call($node), '10: miss', 'first call runs the query');
is(call($node), '10: hit', 'second call is served');

#
# What is kept
#

foreach my $mode ('fast', 'smart')
{
	$node->stop($mode);
	ok(-s $saved, "$mode shutdown saves the cache");
	$node->start;
	ok(!-e $saved, "file of a $mode shutdown is removed at the start");
	is(call($node), '10: hit', "entry outlives a $mode shutdown");
}

my $total = 10;
write_sale($node, 1);
$total += 1;
is(call($node), "$total: miss",
	'a write invalidates an entry from before the restart');
is(call($node), "$total: hit", 'and the next one is kept');

my %invalidations = (
	'a key' => q{SELECT dashboard_cache.invalidate_key('sales:total')},
	'a tag' => q{SELECT dashboard_cache.invalidate_tag('sales_tag')},
	'a prefix' => q{SELECT dashboard_cache.invalidate_pattern('sales:*')},
	'a glob' => q{SELECT dashboard_cache.invalidate_pattern('s*:[st]otal')},
	'a flush' => q{SELECT dashboard_cache.flush()},
	'a trigger' => q{INSERT INTO sales VALUES (0)},);

foreach my $what (sort keys %invalidations)
{
	$node->safe_psql('postgres', $invalidations{$what});
	$node->restart;
	is(call($node), "$total: miss",
		"entry that was invalidated by $what stays so over a restart");
}

$node->safe_psql('postgres',
	"BEGIN; $invalidations{'a flush'}; ROLLBACK; $invalidations{'a key'}");
is(call($node), "$total: miss", 'an entry to be rolled back to');
$node->safe_psql('postgres', "BEGIN; $invalidations{'a flush'}; ROLLBACK");
$node->restart;
is(call($node), "$total: hit",
	'an invalidation that was rolled back stays so over a restart');

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION cached_for_a_second() RETURNS timestamptz
	LANGUAGE cached STABLE AS $$
	#ttl 1 second
	SELECT clock_timestamp()
	$$});
my @first = count_call(
	$node,
	'cached_for_a_second()',
	'SELECT cached_for_a_second()');
is($first[1], 'misses fills', 'an entry with a short time to live is kept');
$node->stop;
sleep(2);
$node->start;
my @second = count_call(
	$node,
	'cached_for_a_second()',
	'SELECT cached_for_a_second()');
isnt($second[0], $first[0], 'time to live passes while the server is down');
is($second[1], 'misses fills', 'and the entry is a miss then');

$node->safe_psql(
	'postgres', q{
	CREATE TABLE numbers AS SELECT generate_series(1, 2000) AS n;
	CREATE FUNCTION cached_rows(int) RETURNS TABLE (n int, t text, a int[])
	LANGUAGE cached STABLE AS $$
	#ttl infinity
	SELECT n, CASE WHEN n % 3 > 0 THEN repeat('é', n) END, ARRAY[n, NULL, $1]
	FROM numbers
	$$;
	CREATE FUNCTION cached_null() RETURNS text LANGUAGE cached STABLE AS $$
	#cache_nulls on
	SELECT max(NULL::text) FROM numbers
	$$});
my $digest = q{SELECT md5(string_agg(r::text, ',')) FROM cached_rows(7) r};
my $rows = $node->safe_psql('postgres', $digest);
$node->safe_psql('postgres', 'SELECT cached_null(); TRUNCATE numbers');
$node->restart;
is_deeply(
	[ count_call($node, 'cached_rows(int)', $digest) ],
	[ $rows, 'hits' ],
	'a set of rows outlives a restart');
is_deeply(
	[
		count_call(
			$node, 'cached_null()', 'SELECT cached_null() IS NULL')
	],
	[ 't', 'hits' ],
	'a NULL outlives a restart');

#
# What is not trusted
#

sub restart_and_refuse
{
	my ($what, $between) = @_;

	$node->stop;
	my $log = -s $node->logfile;
	$between->();
	$node->start;
	like(log_since($node, $log), $refused, "$what is refused");
	is(call($node), "$total: miss", "nothing is served after $what");
	is(call($node), "$total: hit", "the cache works after $what");
}

sub preload
{
	my ($libraries) = @_;

	$node->adjust_conf('postgresql.conf', 'shared_preload_libraries',
		"'$libraries'");
}

restart_and_refuse(
	'a start without the library',
	sub {
		preload('');
		$node->start;
		write_sale($node, 5);
		$total += 5;
		$node->stop;
		ok(-e $saved, 'file outlives a start without the library');
		preload('dashboard_cache');
	});

restart_and_refuse(
	'a crash without the library',
	sub {
		preload('');
		$node->start;
		write_sale($node, 6);
		$total += 6;
		$node->stop('immediate');
		preload('dashboard_cache');
	});

# Overwrites the file's content, but leaves it the file that it is, so that
# only what is in it can give it away.
sub rewrite
{
	my ($content) = @_;

	open(my $file, '+<', $saved) or die "could not open \"$saved\": $!";
	binmode $file;
	print $file $content;
	truncate($file, length($content)) or die "truncate: $!";
	close($file) or die "could not write \"$saved\": $!";
}

$node->stop;
my $old = slurp_file($saved);
$node->start;
write_sale($node, 7);
$total += 7;
restart_and_refuse('a file from an earlier shutdown', sub { rewrite($old) });

$node->stop;
$old = slurp_file($saved);
$node->start;
write_sale($node, 8);
$total += 8;
$node->stop('immediate');
ok(!-e $saved, 'an immediate shutdown saves nothing');
$node->start;
is(call($node), "$total: miss",
	'nothing is served after an immediate shutdown');

$node->stop('immediate');
open(my $file, '>', $saved) or die "could not create \"$saved\": $!";
binmode $file;
print $file $old;
close($file);
my $log = -s $node->logfile;
$node->start;
like(log_since($node, $log), $refused, 'a file beside a crash is refused');
is(call($node), "$total: miss", 'nothing is served after a crash');

my %truncations = (
	'an empty file' => sub { 0 },
	'a file of one byte' => sub { 1 },
	'half a file' => sub { int($_[0] / 2) },
	'a file that lacks its last byte' => sub { $_[0] - 1 });

foreach my $what (sort keys %truncations)
{
	restart_and_refuse($what,
		sub { my $c = slurp_file($saved);
			rewrite(substr($c, 0, $truncations{$what}->(length($c)))); });
}

my %flips = (
	'the first byte' => sub { 0 },
	'the header' => sub { 40 },
	'the middle' => sub { int($_[0] / 2) },
	'the last byte' => sub { $_[0] - 1 });

foreach my $what (sort keys %flips)
{
	restart_and_refuse(
		"a flipped bit in $what",
		sub {
			my $content = slurp_file($saved);
			my $at = $flips{$what}->(length($content));

			substr($content, $at, 1) =
			  chr(ord(substr($content, $at, 1)) ^ 4);
			rewrite($content);
		});
}

restart_and_refuse('a longer file',
	sub { rewrite(slurp_file($saved) . "\0" x 100) });

# A copy of the data directory is another server with the same past.
$node->stop;
$node->backup_fs_cold('copy');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'copy', standby => 0);
$copy->start;
like(log_since($copy), $refused, 'a copy of the data directory is refused');
ok(!-e saved_file($copy), 'the file in the copy is removed');
is(call($copy), "$total: miss", 'nothing is served in the copy');
$copy->stop;
$node->start;
is(call($node), "$total: hit", 'the original keeps its entries');

# Nothing of this may have been a crash or an error to the server.
is(logged_errors($node), '', 'the server logged no error');

$node->stop;
done_testing();
