/*
 * redis_tier.c
 *		Between a call and Redis: entries in the form that the call knows.
 */
#include "postgres.h"

#include "function/redis_tier.h"
#include "function/wire.h"
#include "redis/client.h"

/* The key points into a reply that the next call to Redis ends. */
static void
dc_take_key(DcDependencies *dependencies)
{
	char	   *key = palloc(dependencies->key_length + 1);

	memcpy(key, dependencies->key, dependencies->key_length);
	dependencies->key = key;
}

/*
 * The last value that was read: to read the same bytes again takes longer
 * than all the rest.
 */
#define DC_READ_SIZE 32768

static struct
{
	uint64		serial;			/* of the entry; 0: nothing yet */
	Oid			function;
	uint64		types_hash;
	Size		size;
	char		bytes[DC_READ_SIZE];
}			last_read;

static void
dc_remember_value(const DcFunction *function, const DcRedisEntry *entry,
				  const DcValue *value)
{
	if (entry->serial == 0 || value->size == 0 || value->size > DC_READ_SIZE)
		return;
	last_read.serial = entry->serial;
	last_read.function = function->oid;
	last_read.types_hash = function->types_hash;
	last_read.size = value->size;
	memcpy(last_read.bytes, value->bytes, value->size);
}

/* value->isnull is set already. */
static bool
dc_read_value(DcFunction *function, const DcRedisEntry *entry, DcValue *value)
{
	if (entry->serial != 0 && entry->serial == last_read.serial &&
		last_read.function == function->oid &&
		last_read.types_hash == function->types_hash)
	{
		value->size = last_read.size;
		value->bytes = memcpy(palloc(value->size), last_read.bytes,
							  value->size);
		return true;
	}
	if (!dc_wire_read(function, entry->value, entry->size, value))
		return false;
	dc_remember_value(function, entry, value);
	return true;
}

/* Makes what was found the call's: nothing points to the reply any more. */
static DcOutcome
dc_take_found(DcFunction *function, const DcRedisEntry *entry, DcFill *found)
{
	found->dependencies = entry->dependencies;
	found->expires_at = entry->expires_at;
	dc_take_key(&found->dependencies);
	found->value.isnull = entry->isnull;
	found->value.row_security = entry->row_security;
	return dc_read_value(function, entry, &found->value) ?
		DC_HIT : DC_REJECTED;
}

DcOutcome
dc_redis_tier_find(DcFunction *function, const StringInfoData *key,
				   const DcReader *reader, TimestampTz now, DcFill *found)
{
	DcName		name = dc_redis_name(found->identity, key->data, key->len);
	DcRedisEntry entry;
	DcOutcome	outcome = dc_redis_find(&name, found->identity, reader, now,
										&entry);

	if (outcome == DC_HIT)
		outcome = dc_take_found(function, &entry, found);
	dc_redis_forget();
	return outcome;
}

DcFillOutcome
dc_redis_tier_fill(DcFunction *function, const DcFill *fill,
				   const DcReader *reader, TimestampTz now)
{
	DcName		name = dc_redis_name(fill->identity, fill->dependencies.key,
									 fill->dependencies.key_length);
	DcRedisEntry entry = {
		.dependencies = fill->dependencies,
		.expires_at = fill->expires_at,
		.isnull = fill->value.isnull,
		.row_security = fill->value.row_security,
	};

	entry.value = dc_wire_write(function, &fill->value, &entry.size);
	return entry.value == NULL ? DC_NO_ROOM :
		dc_redis_fill(&name, fill->identity, reader, now, &entry);
}
