# Everything about cached functions is in the catalogs: the owner of a database,
# who is no superuser, can dump it and restore it elsewhere.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('dump');
my $file = "$PostgreSQL::Test::Utils::tmp_check/dump";

$node->safe_psql(
	'postgres', q{
	CREATE ROLE app_owner LOGIN;
	CREATE ROLE app_reader LOGIN;
	CREATE DATABASE source OWNER app_owner;
	CREATE DATABASE target OWNER app_owner});

sub psql_as
{
	my ($user, $database, $sql) = @_;

	return $node->psql(
		$database, $sql,
		extra_params => [ '-U', $user ],
		on_error_stop => 1);
}

sub as_owner
{
	my ($database, $sql) = @_;
	my ($status, $stdout, $stderr) = psql_as('app_owner', $database, $sql);

	is($stderr, '', 'no error or warning for: ' . $sql =~ s/\s+/ /gr);
	return $stdout;
}

as_owner('source', 'CREATE EXTENSION dashboard_cache');
as_owner(
	'source', q{
	CREATE TABLE sales (shop text, amount int);
	CREATE TABLE runs (n int)});
as_owner(
	'source', q{
	CREATE VIEW shops AS SELECT shop, sum(amount) AS total, max(n) AS run
		FROM sales, runs GROUP BY shop ORDER BY shop});
as_owner(
	'source', q{
	CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON sales
		FOR EACH ROW EXECUTE FUNCTION
		dashboard_cache.invalidate('shop:{shop}', 'shops')});
as_owner(
	'source', q{
	CREATE FUNCTION shop_total(shop text DEFAULT 'A')
	RETURNS TABLE (total bigint, run int) LANGUAGE sql STABLE AS
	'SELECT sum(amount), max(n) FROM sales s, runs WHERE s.shop = $1'});

# One written by hand, one for a function, one for a view.
as_owner(
	'source', q[
	CREATE FUNCTION cached_run(text, i int DEFAULT 1) RETURNS int
	LANGUAGE cached STABLE PARALLEL RESTRICTED AS $$
	#ttl infinity
	#key run:{1|none}:{i}
	#tags it's a \{ \, tag, "quoted"
	#vary app.tenant
	#cache_nulls on
	SELECT max(n) FROM runs WHERE $1 <> 'it''s $1'
	$$]);
as_owner('source',
	q{SELECT dashboard_cache.cache('shop_total(text)', ttl => 'infinity',
		key => 'shop:{shop}', watch => false)});
as_owner('source',
	q{SELECT dashboard_cache.cache('shops', key => 'shops', watch => false)});

# Rights that the extension does not give, and one that it gives.
as_owner(
	'source', q{
	GRANT EXECUTE ON FUNCTION dashboard_cache.invalidate_tag(text)
	TO app_reader});
as_owner('source', 'REVOKE EXECUTE ON FUNCTION cached_shops() FROM PUBLIC');
as_owner(
	'source', q{
	INSERT INTO sales VALUES ('A', 10), ('B', 20);
	INSERT INTO runs VALUES (1)});

sub dump_schema
{
	my ($database) = @_;
	my ($stdout, $stderr);

	run_log(
		[
			'pg_dump', '-U', 'app_owner', '--schema-only',
			'-h', $node->host, '-p', $node->port, $database
		],
		'>', \$stdout, '2>', \$stderr);
	is($stderr, '', "pg_dump of $database has nothing to say");

	# A key that is new for each dump.
	$stdout =~ s/^\\(?:un)?restrict .*\n//mg;
	return $stdout;
}

my $dump = dump_schema('source');
unlike($dump, qr/call_handler|CREATE LANGUAGE|CREATE SCHEMA/,
	'what the extension made is not dumped');

foreach my $format ('custom', 'plain')
{
	$node->safe_psql('postgres',
		'DROP DATABASE target; CREATE DATABASE target OWNER app_owner');
	$node->command_ok(
		[
			'pg_dump', '-U', 'app_owner', "--format=$format",
			'--file', $file, '-d', 'source'
		],
		"database is dumped by its owner, format $format");
	if ($format eq 'plain')
	{
		$node->command_ok(
			[
				'psql', '-XqU', 'app_owner', '-v', 'ON_ERROR_STOP=1',
				'-d', 'target', '-f', $file
			],
			'plain dump is restored by the owner');
	}
	else
	{
		$node->command_ok(
			[
				'pg_restore', '-U', 'app_owner', '--exit-on-error',
				'-d', 'target', $file
			],
			'custom dump is restored by the owner');
	}
	is(dump_schema('target'), $dump,
		"restored database has the same definitions, format $format");
}

# The functions work there: they miss, are served, and are invalidated.
my %calls = (
	'cached_shops()' =>
	  [ q{SELECT string_agg(s::text, ' ') FROM cached_shops() s}, 'sales' ],
	'cached_shop_total(text)' =>
	  [ q{SELECT cached_shop_total('B')}, 'sales' ],
	'cached_run(text, integer)' => [ q{SELECT cached_run('a')}, undef ]);

foreach my $function (sort keys %calls)
{
	my ($sql, $writes) = @{ $calls{$function} };
	my @call =
	  ($node, $function, $sql, database => 'target', user => 'app_owner');
	my ($first, $counted) = count_call(@call);

	is($counted, 'misses fills', "$function misses in the restored database");
	as_owner('target', 'UPDATE runs SET n = n + 1');
	is_deeply([ count_call(@call) ],
		[ $first, 'hits' ], "$function is served in the restored database");
	next unless defined $writes;

	as_owner('target', "INSERT INTO $writes VALUES ('B', 1)");
	my ($second) = count_call(@call);
	isnt($second, $first, "restored trigger invalidates $function");
	is_deeply([ count_call(@call) ],
		[ $second, 'hits' ], "$function is served after that");
}

# So do the rights.
my ($status, $stdout, $stderr) =
  psql_as('app_reader', 'target', 'SELECT cached_shops()');
like(
	$stderr,
	qr/permission denied for function cached_shops/,
	'revoked right is restored');
($status, $stdout, $stderr) =
  psql_as('app_reader', 'target', q{SELECT dashboard_cache.flush()});
like(
	$stderr,
	qr/permission denied for function flush/,
	'flush() is not for everybody in the restored database');
($status, $stdout, $stderr) = psql_as('app_reader', 'target',
	q{SELECT dashboard_cache.invalidate_tag('sales')});
is($stderr, '', 'granted right is restored');
as_owner('target',
	q{SELECT dashboard_cache.flush(), dashboard_cache.reset_stats()});

# And everything goes.
foreach my $database ('source', 'target')
{
	($status, $stdout, $stderr) =
	  psql_as('app_owner', $database, 'DROP EXTENSION dashboard_cache');
	like(
		$stderr,
		qr/cannot drop extension dashboard_cache because other objects depend on it/,
		"extension is not dropped under its functions in $database");
	($status, $stdout, $stderr) = psql_as('app_owner', $database,
		'DROP EXTENSION dashboard_cache CASCADE');
	like($stderr, qr/NOTICE:  drop cascades to 4 other objects/,
		"owner drops the extension with its functions in $database");
	is( $node->safe_psql(
			$database, q{
			SELECT count(*) FROM pg_namespace WHERE nspname = 'dashboard_cache'
			UNION ALL
			SELECT count(*) FROM pg_language WHERE lanname = 'cached'
			UNION ALL
			SELECT count(*) FROM pg_proc WHERE proname LIKE 'cached%'}),
		"0\n0\n0",
		"nothing is left in $database");
}

$node->stop;
done_testing();
