/*
 * redis_clear.c
 *		Removes from Redis what has been invalidated.
 *
 * Most stale keys are in the directory, whose rows are judged like entries.
 * What it does not know, since an earlier start has left it or the directory
 * is too small, is found by its name: SCAN goes through all keys of Redis, a
 * few hundred at a time, and those are taken that are this cluster's, that the
 * directory does not know, and that are orphans or match an invalidated
 * pattern.  All keys go by UNLINK, a hundred at a time.
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "coherence/clearing.h"
#include "redis/client.h"
#include "settings.h"
#include "store/directory.h"
#include "store/redis_clear.h"

/* Keys in an UNLINK. */
#define DC_BATCH 100

/* Keys that a SCAN looks at. */
#define DC_SCAN_COUNT "500"

/* For how long to clear before looking after other things, in milliseconds. */
#define DC_SLICE 20

/* When to try again what Redis has refused, in milliseconds. */
#define DC_SCAN_RETRY 10000

/* A pass through the keys of Redis. */
typedef struct DcScan
{
	bool		active;
	bool		orphans;		/* all that the directory does not know */
	int			n_clearings;
	DcClearing	clearings[DC_MAX_CLEARINGS];
	char		cursor[32];
	TimestampTz began;
	TimestampTz not_before;		/* when the next pass may begin */
} DcScan;

static DcScan scan;

/*
 * Removes the names, at most DC_BATCH of them.
 */
static bool
dc_unlink(const StringInfoData *names, int n)
{
	const char *arguments[DC_BATCH + 1] = {"UNLINK"};
	size_t		lengths[DC_BATCH + 1] = {6};
	StringInfoData command;
	DcReply    *reply;

	if (n == 0)
		return true;
	for (int i = 0; i < n; i++)
	{
		arguments[i + 1] = names[i].data;
		lengths[i + 1] = names[i].len;
	}
	initStringInfo(&command);
	dc_append_command(&command, n + 1, arguments, lengths);
	if (dc_redis_call(&command, 1, &reply) != DC_REDIS_ANSWERED ||
		dc_redis_refused(reply))
		return false;
	if (reply->type == REDIS_REPLY_INTEGER)
		dc_directory_count_cleared(reply->integer);
	return true;
}

/*
 * What the directory knows.
 */

/* Removes up to DC_BATCH keys, beginning with this one. */
static bool
dc_clear_batch(const List *stale, int first)
{
	StringInfoData names[DC_BATCH] = {0};
	int			n = Min(list_length(stale) - first, DC_BATCH);

	for (int i = 0; i < n; i++)
	{
		const DcKnownKey *known = list_nth(stale, first + i);

		initStringInfo(&names[i]);
		dc_name_append(&known->name, &names[i]);
	}
	if (!dc_unlink(names, n))
		return false;
	for (int i = 0; i < n; i++)
		dc_directory_remove(list_nth(stale, first + i));
	return true;
}

TimestampTz
dc_redis_clear_known(const DcReader *reader, TimestampTz now)
{
	static int	next = 0;		/* row to go on from */
	static bool in_doubt = false;
	TimestampTz end = TimestampTzPlusMilliseconds(now, DC_SLICE);

	do
	{
		DcDirectorySweep sweep = dc_directory_sweep(next, DC_BATCH, reader,
													now);

		in_doubt |= sweep.in_doubt;
		for (int i = 0; i < list_length(sweep.stale); i += DC_BATCH)
		{
			if (!dc_clear_batch(sweep.stale, i))
				return TimestampTzPlusMilliseconds(now, dc_sweep_interval);
		}
		next = sweep.next;
	} while (next >= 0 && GetCurrentTimestamp() < end);

	if (next >= 0)
		return now;
	next = 0;
	if (!in_doubt)
		return DT_NOEND;
	in_doubt = false;
	return TimestampTzPlusMilliseconds(now, dc_sweep_interval);
}

/*
 * What it does not know.
 */

/*
 * Takes what waits and can be done.  Returns when to ask again, if that is
 * nothing.
 */
static TimestampTz
dc_scan_begin(const DcReader *reader, TimestampTz now)
{
	DcClearing	waiting[DC_MAX_CLEARINGS];
	int			n = dc_clearing_waiting(waiting);

	scan.orphans = dc_directory_has_orphans();
	scan.n_clearings = 0;
	for (int i = 0; i < n; i++)
	{
		/* Before its transaction has ended, what it clears may come again. */
		if (dc_reader_completed(reader, waiting[i].xid))
			scan.clearings[scan.n_clearings++] = waiting[i];
	}
	scan.active = scan.orphans || scan.n_clearings > 0;
	strcpy(scan.cursor, "0");
	scan.began = now;
	return n == 0 ? DT_NOEND :
		TimestampTzPlusMilliseconds(now, dc_sweep_interval);
}

/* Redis gets as long a rest from scans as they take. */
static void
dc_scan_end(void)
{
	TimestampTz now = GetCurrentTimestamp();

	dc_clearing_remove(scan.clearings, scan.n_clearings);
	if (scan.orphans)
		dc_directory_no_orphans();
	scan.active = false;
	scan.not_before = now + (now - scan.began);
}

static void
dc_scan_give_up(void)
{
	scan.active = false;
	scan.not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  DC_SCAN_RETRY);
}

/* Is the key one that has to go? */
static bool
dc_scan_wants(const DcReply *key)
{
	DcName		name;

	if (key == NULL || key->type != REDIS_REPLY_STRING ||
		!dc_name_parse(key->bytes, key->length, &name) ||
		dc_directory_has(&name))
		return false;
	if (scan.orphans)
		return true;
	for (int i = 0; i < scan.n_clearings; i++)
	{
		const DcClearing *clearing = &scan.clearings[i];

		if (name.database == clearing->database &&
			dc_glob_matches(clearing->pattern, clearing->length,
							name.key, name.key_length))
			return true;
	}
	return false;
}

/*
 * A glob of the keys to be looked at.  A single pattern narrows it, unless it
 * has what would take in the glob's end.
 */
static void
dc_scan_append_glob(StringInfo out)
{
	const DcClearing *only = &scan.clearings[0];

	if (scan.orphans || scan.n_clearings != 1 ||
		memchr(only->pattern, '[', only->length) != NULL ||
		memchr(only->pattern, '\\', only->length) != NULL)
		dc_name_append_glob(NULL, 0, InvalidOid, out);
	else
		dc_name_append_glob(only->pattern, only->length, only->database, out);
}

/* Asks for some keys; the reply is checked. */
static DcReply *
dc_scan_ask(void)
{
	StringInfoData glob;
	StringInfoData command;
	DcReply    *reply;
	const char *arguments[] = {"SCAN", scan.cursor, "MATCH", NULL, "COUNT", DC_SCAN_COUNT};
	size_t		lengths[] = {4, strlen(scan.cursor), 5, 0, 5, strlen(DC_SCAN_COUNT)};

	initStringInfo(&glob);
	dc_scan_append_glob(&glob);
	arguments[3] = glob.data;
	lengths[3] = glob.len;
	initStringInfo(&command);
	dc_append_command(&command, lengthof(arguments), arguments, lengths);
	if (dc_redis_call(&command, 1, &reply) != DC_REDIS_ANSWERED ||
		dc_redis_refused(reply) ||
		reply->type != REDIS_REPLY_ARRAY || reply->n != 2 ||
		reply->elements[0]->type != REDIS_REPLY_STRING ||
		reply->elements[0]->length >= sizeof(scan.cursor) ||
		reply->elements[1]->type != REDIS_REPLY_ARRAY)
		return NULL;
	return reply;
}

/* One SCAN, and the removing of what it has found. */
static bool
dc_scan_step(void)
{
	DcReply    *reply = dc_scan_ask();
	StringInfoData *names;
	int			n = 0;

	if (reply == NULL)
		return false;
	strcpy(scan.cursor, reply->elements[0]->bytes);

	/* Copies, since the reply goes with the next call. */
	names = palloc((reply->elements[1]->n + 1) * sizeof(StringInfoData));
	for (Size i = 0; i < reply->elements[1]->n; i++)
	{
		const DcReply *key = reply->elements[1]->elements[i];

		if (!dc_scan_wants(key))
			continue;
		initStringInfo(&names[n]);
		appendBinaryStringInfo(&names[n++], key->bytes, key->length);
	}
	for (int i = 0; i < n; i += DC_BATCH)
	{
		if (!dc_unlink(names + i, Min(n - i, DC_BATCH)))
			return false;
	}
	return true;
}

void
dc_redis_clear_afresh(void)
{
	scan.active = false;
}

TimestampTz
dc_redis_clear_unknown(const DcReader *reader, TimestampTz now)
{
	TimestampTz end = TimestampTzPlusMilliseconds(now, DC_SLICE);
	TimestampTz later;

	if (!scan.active && now < scan.not_before)
		return scan.not_before;
	if (!scan.active)
	{
		later = dc_scan_begin(reader, now);
		if (!scan.active)
			return later;
	}
	while (GetCurrentTimestamp() < end)
	{
		if (!dc_scan_step())
		{
			dc_scan_give_up();
			return scan.not_before;
		}
		if (strcmp(scan.cursor, "0") == 0)
		{
			dc_scan_end();
			return scan.not_before;
		}
	}
	return now;
}
