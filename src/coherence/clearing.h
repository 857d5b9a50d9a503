/*
 * clearing.h
 *		What committing transactions leave for the worker to clear from Redis.
 */
#ifndef DC_CLEARING_H
#define DC_CLEARING_H

#include "coherence/pattern.h"
#include "datatype/timestamp.h"

/* A pattern that a transaction has invalidated. */
typedef struct DcClearing
{
	uint64		xid;			/* that did, or will have done, it */
	Oid			database;
	int			length;
	char		pattern[DC_MAX_GLOB];	/* not terminated */
} DcClearing;

/* No more than these wait; what does not fit is left to its expiry. */
#define DC_MAX_CLEARINGS 64

extern Size dc_clearing_shmem_size(void);
extern void dc_clearing_shmem_init(void);

/* For the worker: is there a Redis to clear? */
extern void dc_clearing_turn(bool on);
extern bool dc_clearing_is_on(void);

/*
 * Until when Redis may hold entries that no directory knows, so that only
 * their names tell which have to go.
 */
extern void dc_clearing_note_unknown(TimestampTz until);
extern TimestampTz dc_clearing_unknown_until(void);

/* For who publishes an armed tag; neither can fail or wait. */
extern void dc_clearing_wake(void);
extern void dc_clearing_add(const char *pattern, int length, uint64 xid);

/*
 * For the worker: is there anything to look for?  Until it has begun to look,
 * nobody wakes it again.  Copies what waits, and removes n of it.
 */
extern bool dc_clearing_is_wanted(void);
extern void dc_clearing_begin(void);
extern int	dc_clearing_waiting(DcClearing *clearings);
extern void dc_clearing_remove(const DcClearing *clearings, int n);

#endif							/* DC_CLEARING_H */
