/*
 * stats.h
 *		Counts what becomes of the calls of each cached function.
 */
#ifndef DC_STATS_H
#define DC_STATS_H

#include "monitor/reason.h"
#include "port/atomics.h"

typedef enum DcCounter
{
	DC_HITS,
	DC_MISSES,
	DC_FILLS,
	DC_STALES,					/* of the misses: a write had invalidated it */
	DC_REDIS_HITS,				/* of the hits: came from Redis */
	DC_REDIS_REJECTED,			/* of the misses: Redis held what is of no use */
	DC_REDIS_ERRORS,			/* of the misses: Redis did not take part */
	DC_N_COUNTERS
} DcCounter;

/* A function's row.  Rows never move. */
typedef struct DcStats
{
	pg_atomic_uint64 function;	/* database and function oid; 0: unused */
	pg_atomic_uint64 counters[DC_N_COUNTERS];
	pg_atomic_uint64 reasons[DC_N_REASONS];
} DcStats;

extern Size dc_stats_shmem_size(void);
extern void dc_stats_shmem_init(void);

/* Never NULL: when all rows are taken, functions share the last one. */
extern DcStats *dc_stats_of(Oid function);

extern void dc_count(DcStats *stats, DcCounter counter);
extern void dc_count_reason(DcStats *stats, DcReason reason);

#endif							/* DC_STATS_H */
