/*
 * redis_clear.h
 *		Removes from Redis what has been invalidated; the worker's business.
 */
#ifndef DC_REDIS_CLEAR_H
#define DC_REDIS_CLEAR_H

#include "coherence/stamp.h"
#include "datatype/timestamp.h"

/*
 * Both work for some milliseconds, and return when to call them again: now,
 * to go on, or at another time, or DT_NOEND if there is nothing to do.  The reader's
 * snapshot has just been taken.
 *
 * The first clears the keys that the directory knows to be stale, the second,
 * by name, what it does not know.
 */
extern TimestampTz dc_redis_clear_known(const DcReader *reader,
										TimestampTz now);
extern TimestampTz dc_redis_clear_unknown(const DcReader *reader,
										  TimestampTz now);

/* Redis was away: what of it has been looked at says nothing any more. */
extern void dc_redis_clear_afresh(void);

#endif							/* DC_REDIS_CLEAR_H */
