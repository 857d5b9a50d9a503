/*
 * redis_store.h
 *		Entries in Redis.
 */
#ifndef DC_REDIS_STORE_H
#define DC_REDIS_STORE_H

#include "store/entry.h"
#include "store/redis_name.h"

/* No key stays in Redis for longer, whatever its TTL: 30 days. */
#define DC_REDIS_MAX_TTL (30 * USECS_PER_DAY)

/* An entry as Redis holds it, checked, but for what its value means. */
typedef struct DcRedisEntry
{
	DcDependencies dependencies;
	TimestampTz expires_at;
	bool		isnull;
	bool		row_security;
	const char *value;			/* not compressed */
	Size		size;
	uint64		serial;			/* two found with the same one have the same
								 * bytes; 0: none has */
} DcRedisEntry;

/* What makes the call's name in Redis. */
extern DcName dc_redis_name(const DcIdentity *identity, const char *key,
							int key_length);

/*
 * What is found, if the outcome is DC_HIT, lives until the next call to Redis,
 * or is palloc'd.
 */
extern DcOutcome dc_redis_find(const DcName *name, const DcIdentity *identity,
							   const DcReader *reader, TimestampTz now,
							   DcRedisEntry *entry);

/*
 * The reader is whose snapshot the entry is of.  DC_NO_ROOM if Redis did not
 * take it.
 */
extern DcFillOutcome dc_redis_fill(const DcName *name, const DcIdentity *identity,
								   const DcReader *reader, TimestampTz now,
								   const DcRedisEntry *entry);

#endif							/* DC_REDIS_STORE_H */
