# What logical replication writes on a subscriber invalidates there like any
# other write, though it fires other triggers: the initial copy, each kind of
# change, partitioned and sliced tables, tables without a key, and transactions
# that are prepared.
use strict;
use warnings;

use DashboardCacheTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = new_node('publisher', allows_streaming => 'logical');
my $subscriber =
  new_node('subscriber', settings => "wal_retrieve_retry_interval = 100ms\n");
my $connection = $publisher->connstr . ' dbname=postgres';

# "routed" is an ordinary table there, and partitioned here; of "leaves", which is
# partitioned on both sides, the partitions are replicated; of "rooted" the whole.
my $tables = q{
	CREATE TABLE keyed (id int PRIMARY KEY, amount int, note text);
	CREATE TABLE keyless (amount int, note text);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE TABLE sliced (tenant int, id int, amount int, PRIMARY KEY (tenant, id));
	CREATE TABLE sliced_keyless (tenant int, amount int);
	ALTER TABLE sliced_keyless REPLICA IDENTITY FULL;
	CREATE TABLE leaves (id int, amount int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE leaves_1 PARTITION OF leaves FOR VALUES FROM (0) TO (100);
	CREATE TABLE leaves_2 PARTITION OF leaves FOR VALUES FROM (100) TO (200);
	CREATE TABLE rooted (id int, amount int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE rooted_1 PARTITION OF rooted FOR VALUES FROM (0) TO (100);
	CREATE TABLE rooted_2 PARTITION OF rooted FOR VALUES FROM (100) TO (200);
};
my $routed = q{
	CREATE TABLE routed (region int, id int, amount int, PRIMARY KEY (region, id))};
my $partitions = q{
	PARTITION BY LIST (region);
	CREATE TABLE routed_1 PARTITION OF routed FOR VALUES IN (1);
	CREATE TABLE routed_2 PARTITION OF routed FOR VALUES IN (2) PARTITION BY RANGE (id);
	CREATE TABLE routed_2_1 PARTITION OF routed_2 FOR VALUES FROM (0) TO (100);
	CREATE TABLE routed_2_2 PARTITION OF routed_2 FOR VALUES FROM (100) TO (200);
};
my $functions = q{
	CREATE FUNCTION keyed_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM keyed';
	CREATE FUNCTION keyless_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM keyless';
	CREATE FUNCTION leaves_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM leaves';
	CREATE FUNCTION rooted_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM rooted';
	CREATE FUNCTION routed_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount * region), 0) FROM routed';
	CREATE FUNCTION sliced_total(t int) RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM sliced WHERE tenant = t';
	CREATE FUNCTION sliced_keyless_total(t int) RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM sliced_keyless WHERE tenant = t';
	CREATE FUNCTION all_sliced() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM sliced';
};
my $rows = q{
	INSERT INTO keyed VALUES (1, 10, 'a'), (2, 20, 'b');
	INSERT INTO keyless VALUES (10, 'a'), (20, 'b');
	INSERT INTO sliced VALUES (7, 1, 10), (8, 1, 20), (9, 1, 30);
	INSERT INTO sliced_keyless VALUES (7, 10), (8, 20), (9, 30);
	INSERT INTO leaves VALUES (1, 10), (101, 20);
	INSERT INTO rooted VALUES (1, 10), (101, 20);
	INSERT INTO routed VALUES (1, 1, 10), (2, 1, 20), (2, 101, 30);
};

$publisher->safe_psql('postgres', "$tables $routed; $functions $rows");
$publisher->safe_psql(
	'postgres', q{
	CREATE PUBLICATION most FOR TABLE
		keyed, keyless, sliced, sliced_keyless, leaves, routed;
	CREATE PUBLICATION roots FOR TABLE rooted
		WITH (publish_via_partition_root)});

$subscriber->safe_psql('postgres',
	"CREATE EXTENSION dashboard_cache; $tables $routed $partitions $functions");
$subscriber->safe_psql(
	'postgres', q{
	SELECT dashboard_cache.watch(t, 'tenant')
		FROM unnest('{sliced, sliced_keyless}'::regclass[]) t;
	SELECT dashboard_cache.cache(f || '()', ttl => 'infinity')
		FROM unnest('{keyed_total, keyless_total, leaves_total, rooted_total,
			routed_total, all_sliced}'::text[]) f;
	SELECT dashboard_cache.cache(f || '_total(int)', ttl => 'infinity',
			slice => f || '.tenant = t')
		FROM unnest('{sliced, sliced_keyless}'::text[]) f});

# The calls.  What their names begin with is the table that they read.
my %calls = (
	keyed => 'keyed_total()',
	keyless => 'keyless_total()',
	leaves => 'leaves_total()',
	rooted => 'rooted_total()',
	routed => 'routed_total()',
	sliced => 'all_sliced()',
	sliced_7 => 'sliced_total(7)',
	sliced_8 => 'sliced_total(8)',
	sliced_keyless_7 => 'sliced_keyless_total(7)',
	sliced_keyless_8 => 'sliced_keyless_total(8)');

# Compares each in one statement, and says what was counted for it.
$subscriber->safe_psql(
	'postgres', q{
	CREATE TABLE calls (name text, call text);
	CREATE FUNCTION counted() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
		SELECT jsonb_build_object('hit', sum(hits), 'miss', sum(fills),
			'other', sum(misses) - sum(fills)) FROM dashboard_cache.stats
	$$;
	CREATE FUNCTION look() RETURNS TABLE (name text, cached text, plain text,
										  counted text)
		LANGUAGE plpgsql VOLATILE AS $$
	DECLARE
		c record;
		before jsonb;
	BEGIN
		FOR c IN SELECT * FROM calls ORDER BY calls.name LOOP
			before := counted();
			EXECUTE format('SELECT cached_%s, %s', c.call, c.call)
				INTO look.cached, look.plain;
			SELECT c.name, string_agg(key, ' ') INTO look.name, look.counted
				FROM jsonb_each(counted())
				WHERE value <> coalesce(nullif(before -> key, 'null'), '0');
			RETURN NEXT;
		END LOOP;
	END $$});
$subscriber->safe_psql('postgres',
	"INSERT INTO calls VALUES ('$_', '$calls{$_}')")
  foreach sort keys %calls;

# The calls that missed, of those that read the tables, if any are given, in
# alphabetical order; and of all of them any other trouble.  Tables know nothing
# of each other's writes, but may share an invalidation by chance.
sub look
{
	my @tables = @_;
	my @missed;

	foreach (split /\n/, $subscriber->safe_psql('postgres',
			q{SELECT concat_ws('|', name, coalesce(cached, '-'),
				coalesce(plain, '-'), counted) FROM look()}))
	{
		my ($name, $cached, $plain, $counted) = split /\|/, $_, -1;

		push @missed, $name
		  if $counted eq 'miss'
		  && (!@tables || grep { $name =~ /^$_(?:_\d)?$/ } @tables);
		push @missed, "$name was counted as $counted"
		  unless $counted =~ /^(?:hit|miss)$/;
		push @missed, "$name is $plain, cached as $cached"
		  if $cached ne $plain;
	}
	return join ' ', @missed;
}

sub fill
{
	my ($what) = @_;

	look();
	is(look(), '', "everything is served before $what");
	return;
}

sub check
{
	return $subscriber->safe_psql('postgres',
		'SELECT function, relation, problem FROM dashboard_cache.check()');
}

my $all = join ' ', sort keys %calls;
is(look(), $all, 'all calls fill');
is(check(), '', 'nothing can go unseen before there is a subscription');

#
# The initial copy
#

# It begins when nobody locks the tables any more.
my $lock = $subscriber->background_psql('postgres');
$lock->query_safe(
	'BEGIN; LOCK TABLE keyed, keyless, sliced, sliced_keyless, leaves, rooted,
		routed IN SHARE MODE');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION two_phase CONNECTION '$connection' PUBLICATION most
		WITH (two_phase, synchronous_commit = on);
	CREATE SUBSCRIPTION one_phase CONNECTION '$connection' PUBLICATION roots
		WITH (synchronous_commit = on)");
fill('the initial copy');
is( $subscriber->safe_psql('postgres',
		'SELECT keyed_total() = 0 AND routed_total() = 0'),
	't', 'and the tables are empty');
$lock->query_safe('COMMIT');
$lock->quit;
$subscriber->wait_for_subscription_sync($publisher, $_)
  foreach 'two_phase', 'one_phase';
is(look(), $all, 'the initial copy invalidates everything');
is(look(), '', 'and the next results are kept');
is( $subscriber->safe_psql('postgres', 'SELECT plain FROM look()'),
	$publisher->safe_psql('postgres',
		join ' UNION ALL ', map { "SELECT $calls{$_}" } sort keys %calls),
	'which are those of the publisher');
is(check(), '', 'with subscriptions, nothing can go unseen');

#
# Changes
#

sub catch_up
{
	$publisher->wait_for_catchup($_) foreach 'two_phase', 'one_phase';
	return;
}

# replicates WHAT, SQL, MISSES: what the publisher commits to a table
# invalidates these calls and no others.
sub replicates
{
	my ($what, $sql, $misses) = @_;
	my ($table) = $sql =~
	  /\b(keyed|keyless|sliced|sliced_keyless|leaves|rooted|routed)\b/;

	fill($what);
	$publisher->safe_psql('postgres', $sql);
	catch_up();
	is(look($table), $misses, "$what: $sql" =~ s/\s+/ /gr);
	return;
}

replicates('INSERT', q{INSERT INTO keyed VALUES (3, 30, 'c')}, 'keyed');
replicates('UPDATE', 'UPDATE keyed SET amount = amount + 1 WHERE id = 1',
	'keyed');
replicates('an update of the key', 'UPDATE keyed SET id = 4 WHERE id = 1',
	'keyed');
replicates('DELETE', 'DELETE FROM keyed WHERE id = 2', 'keyed');
replicates('TRUNCATE', 'TRUNCATE keyed', 'keyed');
replicates('COPY', q{COPY keyed FROM PROGRAM 'echo 5,50,x' (FORMAT csv)},
	'keyed');

replicates('INSERT without a key', q{INSERT INTO keyless VALUES (30, 'c')},
	'keyless');
replicates('UPDATE without a key',
	'UPDATE keyless SET amount = amount + 1 WHERE amount = 10', 'keyless');
replicates('DELETE without a key', 'DELETE FROM keyless WHERE amount = 20',
	'keyless');
replicates('TRUNCATE without a key', 'TRUNCATE keyless', 'keyless');

replicates('INSERT of two tenants',
	'INSERT INTO sliced VALUES (7, 2, 1), (9, 2, 1)', 'sliced sliced_7');
replicates('UPDATE of a slice',
	'UPDATE sliced SET amount = amount + 1 WHERE tenant = 8',
	'sliced sliced_8');
replicates('UPDATE of another slice',
	'UPDATE sliced SET amount = amount + 1 WHERE tenant = 9', 'sliced');
replicates(
	'a move between slices',
	'UPDATE sliced SET tenant = 8, id = 3 WHERE tenant = 7 AND id = 2',
	'sliced sliced_7 sliced_8');
replicates('DELETE from a slice',
	'DELETE FROM sliced WHERE tenant = 8 AND id = 3',
	'sliced sliced_8');
replicates(
	'several transactions',
	'UPDATE sliced SET amount = amount + 1 WHERE tenant = 7;
	UPDATE sliced SET amount = amount + 1 WHERE tenant = 7;
	UPDATE sliced SET amount = amount + 1 WHERE tenant = 8',
	'sliced sliced_7 sliced_8');
replicates(
	'a transaction of several changes',
	'BEGIN;
	UPDATE sliced SET amount = amount + 1 WHERE tenant = 9;
	SAVEPOINT s;
	UPDATE sliced SET amount = amount + 1 WHERE tenant = 8;
	ROLLBACK TO s;
	UPDATE sliced SET tenant = 7, id = 4 WHERE tenant = 9 AND id = 2;
	UPDATE sliced SET amount = amount + 1 WHERE tenant = 9;
	COMMIT',
	'sliced sliced_7');
replicates('TRUNCATE of all slices', 'TRUNCATE sliced',
	'sliced sliced_7 sliced_8');
replicates('what is rolled back',
	'BEGIN; INSERT INTO sliced VALUES (7, 1, 10); ROLLBACK', '');
replicates(
	'a move between slices without a key',
	'UPDATE sliced_keyless SET tenant = 8 WHERE tenant = 7',
	'sliced_keyless_7 sliced_keyless_8');
replicates('DELETE from a slice without a key',
	'DELETE FROM sliced_keyless WHERE tenant = 8 AND amount = 20',
	'sliced_keyless_8');

replicates('INSERT into a partitioned table',
	'INSERT INTO routed VALUES (2, 102, 5)', 'routed');
replicates('UPDATE in a partition',
	'UPDATE routed SET amount = amount + 1 WHERE id = 102', 'routed');
replicates('a move between partitions', 'UPDATE routed SET region = 1 WHERE id = 102',
	'routed');
replicates('DELETE from a partition', 'DELETE FROM routed WHERE id = 102',
	'routed');
replicates('TRUNCATE of a partitioned table', 'TRUNCATE routed', 'routed');

foreach my $table ('leaves', 'rooted')
{
	replicates("INSERT into $table",
		"INSERT INTO $table VALUES (2, 5)", $table);
	replicates("UPDATE of $table",
		"UPDATE $table SET amount = amount + 1 WHERE id = 101", $table);
	replicates("a move within $table",
		"UPDATE $table SET id = 102 WHERE id = 2", $table);
	replicates("DELETE from $table", "DELETE FROM $table WHERE id = 102",
		$table);
	replicates("TRUNCATE of $table", "TRUNCATE $table", $table);
}

#
# A prepared transaction
#

fill('PREPARE TRANSACTION');
$publisher->safe_psql('postgres',
	q{BEGIN; INSERT INTO keyed VALUES (6, 60); INSERT INTO sliced VALUES (7, 9, 1);
	PREPARE TRANSACTION 'dashboard_cache'});
catch_up();
is( $subscriber->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'),
	'1', 'PREPARE TRANSACTION is replicated');
is(look(), '', 'what is prepared invalidates nothing');
$publisher->safe_psql('postgres', q{COMMIT PREPARED 'dashboard_cache'});
catch_up();
is(look('keyed', 'sliced'), 'keyed sliced sliced_7', 'until COMMIT PREPARED');

#
# A trigger that asks in the middle of it all
#

$subscriber->safe_psql(
	'postgres', q{
	CREATE TABLE seen (n serial, cached bigint, plain bigint);
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql
	SET search_path = public AS $$ BEGIN
		INSERT INTO seen (cached, plain) SELECT cached_keyed_total(), keyed_total();
		RETURN NULL;
	END $$;
	CREATE TRIGGER see AFTER INSERT OR UPDATE ON keyed
		FOR EACH ROW EXECUTE FUNCTION see();
	ALTER TABLE keyed ENABLE REPLICA TRIGGER see});
replicates(
	'what a trigger looks at',
	'BEGIN; INSERT INTO keyed VALUES (7, 70);
	UPDATE keyed SET amount = amount + 1 WHERE id = 7; COMMIT',
	'keyed');
is( $subscriber->safe_psql('postgres',
		'SELECT count(*), sum((cached IS DISTINCT FROM plain)::int) FROM seen'),
	'2|0', 'a trigger sees what is being applied');
$subscriber->safe_psql('postgres', 'DROP TRIGGER see ON keyed');

#
# A table that joins
#

$publisher->safe_psql('postgres',
	q{CREATE TABLE late (id int PRIMARY KEY, amount int);
	INSERT INTO late VALUES (1, 10);
	ALTER PUBLICATION roots ADD TABLE late});
$subscriber->safe_psql('postgres',
	q{CREATE TABLE late (id int PRIMARY KEY, amount int);
	CREATE FUNCTION late_total() RETURNS bigint LANGUAGE sql STABLE AS
		'SELECT coalesce(sum(amount), 0) FROM late';
	SELECT dashboard_cache.cache('late_total()', ttl => 'infinity');
	INSERT INTO calls VALUES ('late', 'late_total()')});
$lock = $subscriber->background_psql('postgres');
$lock->query_safe('BEGIN; LOCK TABLE late IN SHARE MODE');
$subscriber->safe_psql('postgres',
	'ALTER SUBSCRIPTION one_phase REFRESH PUBLICATION');
fill('the copy of another table');
$lock->query_safe('COMMIT');
$lock->quit;
$subscriber->wait_for_subscription_sync($publisher, 'one_phase');
is(look('late'), 'late', 'its copy invalidates what has read it');
is($subscriber->safe_psql('postgres', 'SELECT cached_late_total()'),
	'10', 'and is seen');

# A session that writes as the apply worker does.
fill('session_replication_role = replica');
$subscriber->safe_psql('postgres',
	'SET session_replication_role = replica; UPDATE sliced SET amount = amount + 1');
is(look('sliced'), 'sliced sliced_7',
	'session_replication_role = replica makes no difference');

#
# Holes
#

# A subscription's table without its row trigger, and what puts it right.
foreach my $break (
	'ALTER TABLE keyed DISABLE TRIGGER dashboard_cache_replica',
	'ALTER TABLE keyed ENABLE TRIGGER dashboard_cache_replica',
	'DROP TRIGGER dashboard_cache_replica ON keyed',
	'ALTER TABLE keyed DISABLE TRIGGER dashboard_cache_write')
{
	$subscriber->safe_psql('postgres', $break);
	look();
	like(check(), qr/^cached_keyed_total\(\)\|keyed\|\S/m,
		"check() shows the hole after $break");
	like(check(), qr/^\|keyed\|subscription two_phase writes to it/m,
		'and what writes through it')
	  if $break =~ /(?:DISABLE|DROP).*replica/;
	unlike(check(), qr/\|(?!keyed\|)\w+\|/, 'and no other');
	$subscriber->safe_psql('postgres',
		q{SELECT dashboard_cache.watch('keyed')});
	look();
	is(check(), '', 'which watch() mends');
}

foreach my $partition ('routed_1', 'routed_2_2')
{
	$subscriber->safe_psql('postgres',
		"ALTER TABLE $partition DISABLE TRIGGER dashboard_cache_replica");
	look();
	like(check(), qr/^cached_routed_total\(\)\|/m,
		"check() shows that the partition $partition has a hole");
	$subscriber->safe_psql('postgres',
		q{SELECT dashboard_cache.watch('routed')});
	look();
	is(check(), '', 'which watch() mends');
}
replicates('INSERT into what was mended', 'INSERT INTO routed VALUES (1, 7, 70)',
	'routed');
replicates('UPDATE of what was mended',
	q{UPDATE keyed SET note = 'changed', amount = 1}, 'keyed');

$subscriber->safe_psql('postgres', q{SELECT dashboard_cache.unwatch('late')});
look();
like(check(), qr/^cached_late_total\(\)\|late\|/m,
	q{check() shows a subscription's table that is not watched});
like(check(), qr/^\|late\|subscription one_phase writes to it/m,
	'and its subscription');

is(logged_errors($subscriber), '', 'the subscriber logged no error');

$subscriber->stop;
$publisher->stop;
done_testing();
