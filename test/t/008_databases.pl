# Databases of one server share the memory, and nothing that is in it.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('databases');
my %north = (database => 'north');
my %south = (database => 'south');
my $north_total = 10;

$node->safe_psql('postgres', 'CREATE DATABASE north');
create_example($node, 'north');

# A copy: its functions and tables have the same oids.
$node->safe_psql('postgres', 'CREATE DATABASE south TEMPLATE north');
is( $node->safe_psql('south',
		q{SELECT 'cached_sales_total'::regproc::oid}),
	$node->safe_psql('north', q{SELECT 'cached_sales_total'::regproc::oid}),
	'the copy of a function has the same oid');

is(call($node, %north), '10: miss', 'an entry in one database');
is(call($node, %north), '10: hit', 'it is served there');
$node->safe_psql('south', 'UPDATE sales SET amount = 20');
is(call($node, %south), '20: miss', 'the other database knows nothing of it');
is(call($node, %south), '20: hit', 'and keeps its own');
is(call($node, %north), '10: hit', 'beside it');

my %invalidations = (
	'a trigger' => q{INSERT INTO sales VALUES (0)},
	'a key' => q{SELECT dashboard_cache.invalidate_key('sales:total')},
	'a tag' => q{SELECT dashboard_cache.invalidate_tag('sales_tag')},
	'a prefix' => q{SELECT dashboard_cache.invalidate_pattern('sales:*')},
	'a glob' => q{SELECT dashboard_cache.invalidate_pattern('*')},
	'a flush' => q{SELECT dashboard_cache.flush()},);

foreach my $what (sort keys %invalidations)
{
	$node->safe_psql('north', $invalidations{$what});
	is(call($node, %south), '20: hit',
		"$what in one database leaves the other's entries");
	is(call($node, %north), '10: miss', "$what invalidates in its own");
	is(call($node, %north), '10: hit', 'and the next entry is kept');
}

# A transaction of one database that is prepared while the other fills.
$node->safe_psql('north',
	q{BEGIN; INSERT INTO sales VALUES (1); PREPARE TRANSACTION 'sale'});
$node->safe_psql('south', $invalidations{'a flush'});
is(call($node, %south), '20: miss',
	'an entry is filled beside a prepared transaction of another database');
$node->safe_psql('north', q{COMMIT PREPARED 'sale'});
is(call($node, %south), '20: hit', 'and outlives its commit');
is(call($node, %north), '11: miss', 'which is seen in its own database');

#
# Statistics
#

$node->safe_psql(
	'south', q{
	CREATE FUNCTION cached_south() RETURNS int LANGUAGE cached STABLE AS $$
	SELECT 1
	$$;
	SELECT cached_south()});
is( $node->safe_psql('north',
		'SELECT function FROM dashboard_cache.stats'),
	'cached_sales_total()',
	'statistics show the functions of their database only');
my %before = counters($node, 'cached_sales_total()', %south);
cmp_ok($before{hits}, '>', 0, 'there are counts to keep');
$node->safe_psql('north', 'SELECT dashboard_cache.reset_stats()');
is_deeply({ counters($node, 'cached_sales_total()', %south) },
	\%before, "reset_stats() leaves other databases' counts");
my %after = counters($node, 'cached_sales_total()', %north);
is_deeply([ grep { $_ != 0 } values %after ],
	[], 'and resets those of its own');

#
# Databases that come and go
#

$node->safe_psql('postgres', 'ALTER DATABASE north RENAME TO west');
is(call($node, database => 'west'),
	'11: hit', 'entries outlive the renaming of their database');
call($node, %south);
$node->safe_psql('postgres', 'DROP DATABASE west');
is(call($node, %south), '20: hit',
	"dropping a database leaves the others' entries");
$node->safe_psql('postgres', 'CREATE DATABASE west');
create_example($node, 'west');
is(call($node, database => 'west'),
	'10: miss', 'a database of the same name starts with none');

is(logged_errors($node), '', 'the server logged no error');

$node->stop;
done_testing();
