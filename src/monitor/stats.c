/*
 * stats.c
 *		Counts what becomes of the calls of each cached function.
 *
 * The rows are a fixed array in shared memory, found by hash and claimed by
 * compare-and-swap, so counting takes no lock and allocates nothing.  When no
 * row is free, one of a function that was dropped is taken over.  A count that
 * races with that, or with a reset, may be lost.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "monitor/stats.h"
#include "shmem.h"

/* Functions of all databases; more of them share the last row. */
#define DC_STATS_ROWS 4096

/* The function, the counters, and the reasons that are counted. */
#define DC_FIRST_REASON DC_REASON_DISABLED
#define DC_STATS_COLUMNS \
	(1 + DC_N_COUNTERS + DC_N_REASONS - DC_FIRST_REASON)

PG_FUNCTION_INFO_V1(dashboard_cache_stats);
PG_FUNCTION_INFO_V1(dashboard_cache_reset_stats);

static DcStats *rows = NULL;

Size
dc_stats_shmem_size(void)
{
	return DC_STATS_ROWS * sizeof(DcStats);
}

static void
dc_stats_zero(DcStats *stats)
{
	for (int i = 0; i < DC_N_COUNTERS; i++)
		pg_atomic_write_u64(&stats->counters[i], 0);
	for (int i = 0; i < DC_N_REASONS; i++)
		pg_atomic_write_u64(&stats->reasons[i], 0);
}

void
dc_stats_shmem_init(void)
{
	bool		found;

	rows = ShmemInitStruct("dashboard_cache stats", dc_stats_shmem_size(),
						   &found);
	if (found)
		return;
	for (int i = 0; i < DC_STATS_ROWS; i++)
	{
		pg_atomic_init_u64(&rows[i].function, 0);
		for (int j = 0; j < DC_N_COUNTERS; j++)
			pg_atomic_init_u64(&rows[i].counters[j], 0);
		for (int j = 0; j < DC_N_REASONS; j++)
			pg_atomic_init_u64(&rows[i].reasons[j], 0);
	}
}

/* Is it a function of this database? */
static bool
dc_stats_is_here(DcStats *stats)
{
	uint64		function = pg_atomic_read_u64(&stats->function);

	return function != 0 && (Oid) (function >> 32) == MyDatabaseId;
}

static bool
dc_function_exists(Oid function)
{
	return SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function));
}

/* Gives the row of a function of this database that is gone to another. */
static bool
dc_stats_take_over(DcStats *stats, uint64 wanted)
{
	uint64		there = pg_atomic_read_u64(&stats->function);

	if (!dc_stats_is_here(stats) || dc_function_exists((Oid) there) ||
		!pg_atomic_compare_exchange_u64(&stats->function, &there, wanted))
		return false;
	dc_stats_zero(stats);
	return true;
}

DcStats    *
dc_stats_of(Oid function)
{
	uint64		wanted = (uint64) MyDatabaseId << 32 | function;
	uint32		hash = murmurhash32(MyDatabaseId ^ function);

	for (int i = 0; i < DC_STATS_ROWS - 1; i++)
	{
		DcStats    *stats = &rows[(hash + i) % (DC_STATS_ROWS - 1)];
		uint64		there = 0;

		if (pg_atomic_compare_exchange_u64(&stats->function, &there, wanted) ||
			there == wanted)
			return stats;
	}
	for (int i = 0; i < DC_STATS_ROWS - 1; i++)
	{
		if (dc_stats_take_over(&rows[i], wanted))
			return &rows[i];
	}
	return &rows[DC_STATS_ROWS - 1];
}

void
dc_count(DcStats *stats, DcCounter counter)
{
	pg_atomic_fetch_add_u64(&stats->counters[counter], 1);
}

void
dc_count_reason(DcStats *stats, DcReason reason)
{
	pg_atomic_fetch_add_u64(&stats->reasons[reason], 1);
}

static Datum
dc_counter_datum(pg_atomic_uint64 *counter)
{
	return Int64GetDatum((int64) pg_atomic_read_u64(counter));
}

/* dashboard_cache.stats_rows(): what the view dashboard_cache.stats shows. */
Datum
dashboard_cache_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; dc_shared != NULL && i < DC_STATS_ROWS - 1; i++)
	{
		DcStats    *stats = &rows[i];
		Oid			function;
		Datum		values[DC_STATS_COLUMNS];
		bool		nulls[DC_STATS_COLUMNS] = {0};
		int			n = 0;

		function = (Oid) pg_atomic_read_u64(&stats->function);
		if (!dc_stats_is_here(stats) || !dc_function_exists(function))
			continue;
		values[n++] = ObjectIdGetDatum(function);
		for (int j = 0; j < DC_N_COUNTERS; j++)
			values[n++] = dc_counter_datum(&stats->counters[j]);
		for (int j = DC_FIRST_REASON; j < DC_N_REASONS; j++)
			values[n++] = dc_counter_datum(&stats->reasons[j]);
		tuplestore_putvalues(result->setResult, result->setDesc,
							 values, nulls);
	}
	return (Datum) 0;
}

/* dashboard_cache.reset_stats() */
Datum
dashboard_cache_reset_stats(PG_FUNCTION_ARGS)
{
	for (int i = 0; dc_shared != NULL && i < DC_STATS_ROWS - 1; i++)
	{
		if (dc_stats_is_here(&rows[i]))
			dc_stats_zero(&rows[i]);
	}
	PG_RETURN_VOID();
}
