/*
 * redis_clear.h
 *		Removes from Redis what has been invalidated; the worker's business.
 */
#ifndef DC_REDIS_CLEAR_H
#define DC_REDIS_CLEAR_H

#include "coherence/stamp.h"
#include "datatype/timestamp.h"

/*
 * Clears the keys that the directory knows to be stale for the reader, whose
 * snapshot has just been taken.  Returns whether others may soon be.
 */
extern bool dc_redis_clear_known(const DcReader *reader, TimestampTz now);

/*
 * Goes on with clearing by name what the directory does not know, for some
 * milliseconds.  Returns when to call again: at once, at another time, or
 * DT_NOEND if there is nothing to do.
 */
extern TimestampTz dc_redis_clear_unknown(const DcReader *reader,
										  TimestampTz now);

#endif							/* DC_REDIS_CLEAR_H */
