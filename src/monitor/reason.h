/*
 * reason.h
 *		Why a call passed the cache by, or its result was not kept.
 */
#ifndef DC_REASON_H
#define DC_REASON_H

/* In the order of the columns of dashboard_cache.stats. */
typedef enum DcReason
{
	DC_REASON_NONE,
	DC_REASON_NOT_PRELOADED,	/* the library is not preloaded; not counted */

	/* The call ran its query. */
	DC_REASON_DISABLED,			/* dashboard_cache.enabled is off */
	DC_REASON_STANDBY,			/* the snapshot is a standby's */
	DC_REASON_SERIALIZABLE,		/* a hit would take no predicate locks */
	DC_REASON_PARALLEL_WORKER,	/* it does not know its leader's writes, nor
								 * the leader all that it does */
	DC_REASON_OWN_WRITES,		/* this transaction's writes are in the way */

	/* It was a miss, and the result was not kept. */
	DC_REASON_OWN_ID,			/* the transaction may see its own rows */
	DC_REASON_TEMPORARY,		/* it read a temporary table */
	DC_REASON_ROW_SECURITY,		/* policies decided, and there is no #vary */
	DC_REASON_SNAPSHOT_MOVED,	/* a part of it saw newer data than the rest */
	DC_REASON_OLD_SNAPSHOT,		/* a newer result is there */
	DC_REASON_TOO_LARGE,		/* result, key or arguments */
	DC_REASON_NULL,				/* NULL, without #cache_nulls */
	DC_REASON_REDIS_DOWN,		/* no shared memory, and Redis took it not */
	DC_REASON_ERROR,			/* the query failed */
	DC_N_REASONS
} DcReason;

#endif							/* DC_REASON_H */
