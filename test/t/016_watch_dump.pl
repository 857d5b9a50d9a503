# That tables are watched, with or without slices, partitioned or not, is in the
# catalogs too: their owner, who is no superuser, can dump and restore them, as
# a whole or by sections, and all is as it was.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('watch_dump');
my $directory = PostgreSQL::Test::Utils::tempdir;

$node->safe_psql(
	'postgres', q{
	CREATE ROLE app_owner LOGIN;
	GRANT pg_execute_server_program TO app_owner;
	CREATE DATABASE source OWNER app_owner});

# Prints what psql prints, errors and notices too.
sub sql
{
	my ($database, $sql, $user) = @_;
	my ($status, $stdout, $stderr) = $node->psql(
		$database, $sql,
		extra_params => [ '-U', $user // 'app_owner' ],
		on_error_stop => 1);

	return join "\n", grep { $_ ne '' } $stdout, $stderr;
}

is( sql(
		'source', q{
	CREATE EXTENSION dashboard_cache;

	CREATE TABLE plain (k int PRIMARY KEY, amount int, note text);
	CREATE TABLE sliced (tenant bigint, region text, amount int);
	CREATE TABLE parted (day int, tenant int, amount int) PARTITION BY RANGE (day);
	CREATE TABLE "parted 1" PARTITION OF parted FOR VALUES FROM (0) TO (10);
	CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)
		PARTITION BY LIST (tenant);
	CREATE TABLE parted_2_7 PARTITION OF parted_2 FOR VALUES IN (7);
	-- its columns are in another order
	CREATE TABLE parted_2_8 (amount int, gone int, tenant int, day int);
	ALTER TABLE parted_2_8 DROP gone;
	ALTER TABLE parted_2 ATTACH PARTITION parted_2_8 FOR VALUES IN (8);
	CREATE TABLE parent (amount int);
	CREATE TABLE child (extra int) INHERITS (parent);
	CREATE TABLE unwatched (amount int);
	CREATE TABLE half (amount int);
	CREATE VIEW notes AS SELECT k, note FROM plain ORDER BY k;

	INSERT INTO plain VALUES (1, 10, 'a'), (2, 20, 'b');
	INSERT INTO sliced VALUES (7, 'north', 10), (8, 'south', 20);
	INSERT INTO parted VALUES (1, 7, 10), (11, 7, 20), (11, 8, 30);
	INSERT INTO parent VALUES (10);
	INSERT INTO child VALUES (20);
	INSERT INTO unwatched VALUES (10);
	INSERT INTO half VALUES (10);

	CREATE FUNCTION plain_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM plain';
	CREATE FUNCTION tenant_total(t int) RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM sliced WHERE tenant = t';
	CREATE FUNCTION region_total(r text) RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM sliced WHERE region = r';
	CREATE FUNCTION parted_total(t int) RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM parted WHERE tenant = t';
	CREATE FUNCTION all_parted() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM parted';
	CREATE FUNCTION parent_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM parent';
	CREATE FUNCTION unwatched_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM unwatched';
	CREATE FUNCTION half_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM half';
}), '', 'tables and functions');

# Of "unwatched" and "half" check() will have something to say.
sql('source', q{
	SELECT dashboard_cache.watch('sliced', 'tenant');
	SELECT dashboard_cache.watch('sliced', 'region');
	SELECT dashboard_cache.watch('parted', slice => 'tenant');
	SELECT dashboard_cache.cache('plain_total()');
	SELECT dashboard_cache.cache('notes');
	SELECT dashboard_cache.cache('tenant_total(int)', slice => 'sliced.tenant = t');
	SELECT dashboard_cache.cache('region_total(text)', slice => 'sliced.region = r');
	SELECT dashboard_cache.cache('parted_total(int)', slice => 'public.parted.tenant = t');
	SELECT dashboard_cache.cache('all_parted()');
	SELECT dashboard_cache.cache('parent_total()');
	SELECT dashboard_cache.cache('unwatched_total()', watch => false, ttl => 'infinity');
	SELECT dashboard_cache.cache('half_total()');
	ALTER TABLE half DISABLE TRIGGER dashboard_cache_write});

my %calls = (
	plain => 'plain_total()',
	tenant_7 => 'tenant_total(7)',
	tenant_8 => 'tenant_total(8)',
	north => q{region_total('north')},
	south => q{region_total('south')},
	parted_7 => 'parted_total(7)',
	parted_8 => 'parted_total(8)',
	parted => 'all_parted()',
	parent => 'parent_total()',
	unwatched => 'unwatched_total()',
	half => 'half_total()',
	notes => '');
my @calls = sort keys %calls;

# What is written to which table they may miss for.  Tables know nothing of each
# other's writes, but may share an invalidation by chance.
my %readers = (
	plain => qr/^(?:plain|notes)$/,
	sliced => qr/^(?:tenant|north|south)/,
	parted => qr/^parted/,
	parent => qr/^parent$/);

# Calls everything twice, such that each entry is there; then it calls each once
# more after the SQL, and returns those readers of the table that were not served,
# in the order of their names, and what was not as the query has it.  Without
# SQL, of all tables.
sub missed
{
	my ($database, $table, $sql) = @_;
	my $readers = defined $table ? $readers{$table} : qr/./;
	my @missed;
	my $call_all = join '', map {
		my $call = $calls{$_};
		my ($cached, $plain) =
		  $_ eq 'notes'
		  ? map { "(SELECT string_agg(n::text, ' ') FROM $_ n)" }
		  ('cached_notes()', 'notes')
		  : ("cached_$call", $call);

		"SELECT '$_', sum(hits), 'was' FROM dashboard_cache.stats;
		SELECT '$_', $cached, $plain;
		SELECT '$_', sum(hits), 'is' FROM dashboard_cache.stats;\n"
	} @calls;
	my $output = sql($database,
		"$call_all $call_all " . ($sql // '') . "\n\\echo now\n$call_all");
	my %was;

	$output =~ s/.*^now\n//ms or return $output;
	foreach (split /\n/, $output)
	{
		my ($name, $value, $other) = split /\|/, $_, -1;

		if ($other eq 'was')
		{
			$was{$name} = $value;
		}
		elsif ($other eq 'is')
		{
			push @missed, $name if $value == $was{$name} && $name =~ $readers;
		}
		elsif ($value ne $other)
		{
			push @missed, "$name is $other, cached as $value";
		}
	}
	return join ' ', @missed;
}

sub check
{
	my ($database) = @_;

	return sql($database,
		'SELECT * FROM dashboard_cache.check() c ORDER BY c::text');
}

sub dependencies
{
	my ($database) = @_;

	return sql($database,
		'SELECT function, relation, columns, slice, watched
		FROM dashboard_cache.dependencies d ORDER BY d::text');
}

is(missed('source'), '', 'everything is served in the source');
my $check = check('source');
like($check, qr/^cached_unwatched_total\(\)\|unwatched\|/m,
	'check() knows of the table that is not watched');
like($check, qr/^cached_half_total\(\)\|half\|/m,
	'and of the disabled trigger');
unlike(
	$check,
	qr/^(?!cached_unwatched_total\(\)\||(?:cached_half_total\(\))?\|half\|)./m,
	'and of nothing else');
my $dependencies = dependencies('source');

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

sub dump_to
{
	my ($file, @options) = @_;

	$node->command_ok(
		[
			'pg_dump', '-U', 'app_owner', '-f', "$directory/$file", @options,
			'-d', 'source'
		],
		"dump: $file");
	return;
}

sub restore
{
	my ($file, $database, @options) = @_;
	my $plain = $file =~ /\.sql$/;

	$node->command_ok(
		[
			$plain
			? ('psql', '-Xq', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f')
			: ('pg_restore', '--exit-on-error'),
			"$directory/$file",
			'-U', 'app_owner', '-d', $database, @options
		],
		"restore: $file into $database");
	return;
}

sub create_target
{
	my ($database) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER app_owner");
	return;
}

my $schema = dump_schema('source');
my $all = join ' ', @calls;

# What is restored works.
sub works
{
	my ($database) = @_;

	is(dump_schema($database), $schema, "$database has the same definitions");
	is(missed($database), '', "everything is served in $database");
	is(check($database), $check, 'check() says the same');
	is(dependencies($database), $dependencies, 'so does dependencies');

	my @writes = (
		[ plain => 'UPDATE plain SET amount = amount + 1', 'plain' ],
		[ plain => q{UPDATE plain SET note = note || 'x'}, 'notes' ],
		[
			sliced => q{INSERT INTO sliced VALUES (7, 'south', 5)},
			'south tenant_7'
		],
		[
			sliced => q{UPDATE sliced SET tenant = 8
				WHERE region = 'south' AND tenant = 7},
			'tenant_7 tenant_8'
		],
		[ sliced => 'TRUNCATE sliced', 'north south tenant_7 tenant_8' ],
		[ parted => 'INSERT INTO parted VALUES (12, 8, 1)', 'parted parted_8' ],
		[
			parted => 'UPDATE parted_2_7 SET amount = amount + 1',
			'parted parted_7'
		],
		[
			parted => 'UPDATE parted SET day = 2, amount = 3 WHERE day = 12',
			'parted parted_8'
		],
		[
			parted => 'UPDATE parted_2_8 SET amount = amount + 1',
			'parted parted_8'
		],
		[
			parted => q{COPY "parted 1" FROM PROGRAM 'echo 2,7,9' (FORMAT csv)},
			'parted parted_7'
		],
		[ parent => 'INSERT INTO child VALUES (5)', 'parent' ],
		[ parent => 'UPDATE parent SET amount = amount + 1', 'parent' ],
		[ parent => 'TRUNCATE parent', 'parent' ]);

	foreach (@writes)
	{
		my ($table, $sql, $missed) = @$_;

		is(missed($database, $table, "$sql;"),
			$missed, "$database: $sql" =~ s/\s+/ /gr);
	}

	# as does what joins
	is( sql(
			$database, q{
			CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30);
			CREATE TABLE parted_4 (LIKE parted);
			ALTER TABLE parted ATTACH PARTITION parted_4 FOR VALUES FROM (30) TO (40);
			CREATE TABLE grandchild () INHERITS (child)}),
		'',
		"new partitions and children in $database");
	is(missed($database, 'parted', 'INSERT INTO parted_3 VALUES (20, 7, 5);'),
		'parted parted_7', 'a new partition is watched, with its slices');
	is(missed($database, 'parted', 'INSERT INTO parted_4 VALUES (30, 8, 5);'),
		'parted parted_8', 'so is an attached one');
	is(missed($database, 'parent', 'INSERT INTO grandchild VALUES (5);'),
		'parent', 'and a new child');
	is(check($database), $check, 'check() says the same after that');
	is(dependencies($database), $dependencies, 'and so does dependencies');
	return;
}

dump_to('custom', '--format=custom');
create_target('by_custom');
restore('custom', 'by_custom');
works('by_custom');

dump_to('plain.sql');
create_target('by_plain');
restore('plain.sql', 'by_plain');
works('by_plain');

# Between the sections the tables are there, but not watched: what is cached then
# is forgotten when the triggers come.
my @sections = ('pre-data', 'data', 'post-data');
create_target('by_section');
dump_to("$_.sql", "--section=$_") foreach @sections;
restore('pre-data.sql', 'by_section');
like(
	missed('by_section'),
	qr/^$/,
	'functions are there before the triggers, and serve');
like(
	check('by_section'),
	qr/^cached_parted_total\(integer\)\|parted\|/m,
	'but check() has something to say about it');
restore('data.sql', 'by_section');
restore('post-data.sql', 'by_section');
is( sql('by_section', 'SELECT cached_all_parted(), cached_plain_total()'),
	sql('source', 'SELECT all_parted(), plain_total()'),
	'nothing is served that was cached before the triggers came');
works('by_section');

# Over what is there already: its triggers are dropped, and created again.
dump_to('clean', '--format=custom');
create_target('again');
restore('clean', 'again');
missed('again');
restore('clean', 'again', '--clean');
is(sql('again', 'SELECT cached_all_parted()'),
	'60', 'what was restored over its like is served');
works('again');

# In parallel, and by a superuser for the owner
create_target('parallel');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error', '-j', '2', '-d', 'parallel',
		"$directory/custom"
	],
	'restore in parallel');
works('parallel');

#
# Rows that are loaded into what is watched already
#

$node->safe_psql('postgres', 'CREATE DATABASE loaded OWNER app_owner');
restore('custom', 'loaded', '--schema-only');
dump_to('rows', '--format=custom', '--data-only');
missed('loaded');
restore('rows', 'loaded');
is( sql('loaded', 'SELECT cached_all_parted(), cached_parent_total()'),
	'60|30', 'loading rows invalidates');

# Those that are to fire always, or for replicas, it would leave enabled like any
# other.
sql('loaded', 'TRUNCATE plain, sliced, parted, parent, unwatched, half');
missed('loaded');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error', '--disable-triggers', '-d', 'loaded',
		"$directory/rows"
	],
	'a superuser loads rows with all triggers disabled');
is( sql('loaded', 'SELECT cached_all_parted(), cached_parent_total()'),
	'60|30', 'which is seen all the same');
missed('loaded');
unlike(
	check('loaded'),
	qr/^(?!cached_unwatched_total\(\)\|)./m,
	'and leaves the triggers as watch() has them');
sql('loaded', 'ALTER TABLE half DISABLE TRIGGER dashboard_cache_write');
works('loaded');

is(logged_errors($node), '', 'the server logged no error');

$node->stop;
done_testing();
