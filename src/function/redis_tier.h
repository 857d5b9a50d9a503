/*
 * redis_tier.h
 *		Between a call and Redis: entries in the form that the call knows.
 */
#ifndef DC_REDIS_TIER_H
#define DC_REDIS_TIER_H

#include "function/definition.h"
#include "store/redis_store.h"

/* found->identity is the call's.  On a hit the rest is filled in, palloc'd. */
extern DcOutcome dc_redis_tier_find(DcFunction *function,
									const StringInfoData *key,
									const DcReader *reader, TimestampTz now,
									DcFill *found);

/* DC_NO_ROOM if Redis did not take it, or the value cannot be written. */
extern DcFillOutcome dc_redis_tier_fill(DcFunction *function, const DcFill *fill,
										const DcReader *reader, TimestampTz now);

#endif							/* DC_REDIS_TIER_H */
