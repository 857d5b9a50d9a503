/*
 * redis_store.c
 *		Entries in Redis: hashes with the fields "value" and "stamp".
 *
 * One round trip finds an entry, and one fills it.  Whether it may be served
 * is decided by the ledger, as for entries in shared memory; what Redis holds
 * is only believed if this server has signed it, for this very call.
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "coherence/clearing.h"
#include "compat.h"
#include "redis/client.h"
#include "settings.h"
#include "store/compress.h"
#include "store/directory.h"
#include "store/envelope.h"
#include "store/redis_store.h"

DcName
dc_redis_name(const DcIdentity *identity, const char *key, int key_length)
{
	DcName		name = {
		.database = MyDatabaseId,
		.key = key,
		.key_length = key_length,
	};

	dc_sha256(identity->bytes, identity->length, name.sum);
	return name;
}

/*
 * Finding.
 */

static bool
dc_is_string(const DcReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_STRING;
}

static bool
dc_is_nil(const DcReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_NIL;
}

/* Was the envelope signed by this start of the server, or one before it? */
static bool
dc_is_signed(const DcReply *stamp)
{
	const DcIncarnation *incarnation;
	uint64		id;

	if (!dc_envelope_incarnation(stamp->bytes, stamp->length, &id))
		return false;
	incarnation = dc_incarnation_of(id);
	return incarnation != NULL &&
		dc_envelope_verify(stamp->bytes, stamp->length, incarnation->secret);
}

/* Is the value the one that the envelope is about? */
static bool
dc_is_value_of(const DcEnvelope *envelope, const DcReply *value)
{
	uint8		sum[sizeof(envelope->value_sum)];

	if (value->length != envelope->value_size)
		return false;
	dc_sha256(value->bytes, value->length, sum);
	return memcmp(sum, envelope->value_sum, sizeof(sum)) == 0;
}

/*
 * The last entry that was verified, so that the same bytes need not be again:
 * a session mostly asks for what it has asked for before.  The secrets are the
 * same as long as the server runs.
 */
#define DC_REMEMBERED_SIZE 16384

static struct
{
	uint64		serial;			/* 0: nothing yet */
	Size		value_size;
	Size		stamp_size;
	char		bytes[DC_REMEMBERED_SIZE];	/* value, stamp */
}			remembered;

static bool
dc_is_remembered(const DcReply *value, const DcReply *stamp)
{
	return remembered.serial != 0 &&
		value->length == remembered.value_size &&
		stamp->length == remembered.stamp_size &&
		memcmp(remembered.bytes, value->bytes, value->length) == 0 &&
		memcmp(remembered.bytes + value->length, stamp->bytes,
			   stamp->length) == 0;
}

/* Returns the serial by which it will be known, or 0. */
static uint64
dc_remember(const DcReply *value, const DcReply *stamp)
{
	static uint64 last = 0;

	if (value->length + stamp->length > DC_REMEMBERED_SIZE)
		return 0;
	remembered.value_size = value->length;
	remembered.stamp_size = stamp->length;
	memcpy(remembered.bytes, value->bytes, value->length);
	memcpy(remembered.bytes + value->length, stamp->bytes, stamp->length);
	remembered.serial = ++last;
	return remembered.serial;
}

/* Is it the entry of this call, and of a time that has been? */
static bool
dc_is_for(const DcEnvelope *envelope, const DcIdentity *identity)
{
	return envelope->dependencies.database == MyDatabaseId &&
		envelope->identity_size == identity->length &&
		memcmp(envelope->identity, identity->bytes, identity->length) == 0 &&
		envelope->dependencies.stamp->xmax <= dc_next_xid_hint();
}

static bool
dc_take_value(const DcEnvelope *envelope, const DcReply *value,
			  DcRedisEntry *entry)
{
	entry->value = value->bytes;
	entry->size = value->length;
	if (!envelope->compressed)
		return true;
	if (envelope->raw_size > dc_max_entry_bytes())
		return false;
	entry->value = dc_decompress(value->bytes, value->length,
								 envelope->raw_size);
	entry->size = envelope->raw_size;
	return entry->value != NULL;
}

/* Believes nothing of what was found before it is checked. */
static DcOutcome
dc_redis_judge(const DcReply *value, const DcReply *stamp,
			   const DcIdentity *identity, const DcReader *reader,
			   TimestampTz now, DcRedisEntry *entry)
{
	DcEnvelope	envelope;
	const char *problem;
	DcOutcome	outcome;
	bool		known;

	if (!dc_is_string(value) || !dc_is_string(stamp))
		return DC_REJECTED;
	known = dc_is_remembered(value, stamp);
	if (!(known || dc_is_signed(stamp)) ||
		!dc_envelope_parse(stamp->bytes, stamp->length, &envelope, &problem) ||
		!dc_is_for(&envelope, identity) ||
		!(known || dc_is_value_of(&envelope, value)))
		return DC_REJECTED;

	entry->serial = known ? remembered.serial : dc_remember(value, stamp);
	entry->dependencies = envelope.dependencies;
	entry->expires_at = envelope.expires_at;
	entry->isnull = envelope.isnull;
	entry->row_security = envelope.row_security;
	outcome = dc_entry_judge(&entry->dependencies, entry->expires_at, reader,
							 now);
	if (outcome == DC_HIT && !dc_take_value(&envelope, value, entry))
		return DC_REJECTED;
	return outcome;
}

DcOutcome
dc_redis_find(const DcName *name, const DcIdentity *identity,
			  const DcReader *reader, TimestampTz now, DcRedisEntry *entry)
{
	StringInfoData full_name;
	StringInfoData command;
	DcReply    *reply;
	const char *arguments[4] = {"HMGET", NULL, "value", "stamp"};
	size_t		lengths[4] = {5, 0, 5, 5};

	initStringInfo(&full_name);
	dc_name_append(name, &full_name);
	arguments[1] = full_name.data;
	lengths[1] = full_name.len;
	initStringInfo(&command);
	dc_append_command(&command, lengthof(arguments), arguments, lengths);

	switch (dc_redis_call(&command, 1, &reply))
	{
		case DC_REDIS_ANSWERED:
			break;
		case DC_REDIS_NO_ANSWER:
			return DC_NO_ANSWER;
		case DC_REDIS_TOO_LONG:
			return DC_REJECTED;
	}
	if (reply->type == REDIS_REPLY_ERROR &&
		strncmp(reply->bytes, "WRONGTYPE", 9) == 0)
		return DC_REJECTED;
	if (dc_redis_refused(reply))
		return DC_NO_ANSWER;
	if (reply->type != REDIS_REPLY_ARRAY || reply->n != 2)
		return DC_REJECTED;
	if (dc_is_nil(reply->elements[0]) && dc_is_nil(reply->elements[1]))
		return DC_ABSENT;
	return dc_redis_judge(reply->elements[0], reply->elements[1], identity,
						  reader, now, entry);
}

/*
 * Filling.
 */

/* The commands that put the entry there: all of them, or none. */
static void
dc_append_fill(StringInfo out, const StringInfoData *name, const char *value,
			   Size value_size, const char *stamp, Size stamp_size,
			   int64 milliseconds)
{
	char		expiry[32];
	const char *multi[] = {"MULTI"};
	const char *unlink[] = {"UNLINK", name->data};
	const char *hset[] = {"HSET", name->data, "value", value, "stamp", stamp};
	const char *pexpire[] = {"PEXPIRE", name->data, expiry};
	const char *exec[] = {"EXEC"};
	size_t		lengths[] = {4, name->len, 5, value_size, 5, stamp_size};
	size_t		of_multi[] = {5};
	size_t		of_unlink[] = {6, name->len};
	size_t		of_pexpire[] = {7, name->len, 0};
	size_t		of_exec[] = {4};

	of_pexpire[2] = snprintf(expiry, sizeof(expiry), INT64_FORMAT,
							 milliseconds);
	dc_append_command(out, 1, multi, of_multi);
	dc_append_command(out, 2, unlink, of_unlink);
	dc_append_command(out, 6, hset, lengths);
	dc_append_command(out, 3, pexpire, of_pexpire);
	dc_append_command(out, 1, exec, of_exec);
}

#define DC_FILL_REPLIES 5

/* Has it been put there?  Tells of the first refusal. */
static bool
dc_is_filled(DcReply **replies)
{
	const DcReply *done = replies[DC_FILL_REPLIES - 1];

	for (int i = 0; i < DC_FILL_REPLIES; i++)
	{
		if (dc_redis_refused(replies[i]))
			return false;
	}
	if (done->type != REDIS_REPLY_ARRAY)
		return false;
	for (Size i = 0; i < done->n; i++)
	{
		if (dc_redis_refused(done->elements[i]))
			return false;
	}
	return true;
}

/* When Redis is to forget it. */
static TimestampTz
dc_redis_expiry(TimestampTz expires_at, TimestampTz now)
{
	return Min(expires_at, now + DC_REDIS_MAX_TTL);
}

/* The field "stamp", and the value as it goes over the wire. */
static char *
dc_sign(const DcIdentity *identity, const DcRedisEntry *entry,
		const char **value, Size *value_size, Size *size)
{
	const DcIncarnation *incarnation = dc_incarnation();
	DcEnvelope	envelope = {
		.isnull = entry->isnull,
		.row_security = entry->row_security,
		.expires_at = entry->expires_at,
		.raw_size = entry->size,
		.dependencies = entry->dependencies,
		.identity = identity->bytes,
		.identity_size = identity->length,
	};
	char	   *compressed = NULL;

	*value = entry->value;
	*value_size = entry->size;
	if (dc_compress_threshold >= 0 && entry->size > dc_compress_threshold)
		compressed = dc_compress(entry->value, entry->size, value_size);
	if (compressed != NULL)
		*value = compressed;
	else
		*value_size = entry->size;
	envelope.compressed = compressed != NULL;
	envelope.value_size = *value_size;
	dc_sha256(*value, *value_size, envelope.value_sum);
	return dc_envelope_write(&envelope, incarnation->id, incarnation->secret,
							 size);
}

/*
 * The directory knows of the entry, and its tags are armed, before it is sent.
 * A transaction that has touched them by then may have found nothing to
 * clear, so we look whether there is one.
 */
DcFillOutcome
dc_redis_fill(const DcName *name, const DcIdentity *identity,
			  const DcReader *reader, TimestampTz now,
			  const DcRedisEntry *entry)
{
	TimestampTz expiry = dc_redis_expiry(entry->expires_at, now);
	StringInfoData full_name;
	StringInfoData commands;
	DcReply    *replies[DC_FILL_REPLIES];
	const char *value;
	char	   *stamp;
	Size		value_size;
	Size		stamp_size;
	bool		filled;

	if (entry->size > dc_max_entry_bytes() ||
		entry->size + identity->length > MaxAllocSize / 2)
		return DC_NO_ROOM;
	stamp = dc_sign(identity, entry, &value, &value_size, &stamp_size);
	initStringInfo(&full_name);
	dc_name_append(name, &full_name);
	initStringInfo(&commands);
	dc_append_fill(&commands, &full_name, value, value_size, stamp, stamp_size,
				   Max((expiry - now) / 1000, 1));

	if (!dc_directory_add(name, &entry->dependencies, expiry))
		return DC_NEWER_IS_THERE;
	dc_ledger_arm(entry->dependencies.tags, entry->dependencies.n_tags);
	filled = dc_redis_call(&commands, DC_FILL_REPLIES,
						   replies) == DC_REDIS_ANSWERED &&
		dc_is_filled(replies);

	/* The worker may have cleared the name before it was there. */
	if (dc_ledger_in_doubt(&entry->dependencies, reader))
	{
		(void) dc_directory_add(name, &entry->dependencies, expiry);
		dc_clearing_wake();
	}
	return filled ? DC_FILLED : DC_NO_ROOM;
}
