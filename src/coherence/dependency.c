/*
 * dependency.c
 *		Watches the plans that run inside a cached function's query.
 *
 * The executor's run hook sees every plan: those of views and SQL functions
 * that were inlined, and those that functions run for themselves.
 *
 * A parallel worker may run functions too.  What its leader has to know of
 * their plans it leaves in shared memory, in the leader's place.  A note that
 * comes late, or is another query's, costs no more than a result not kept.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"

#include "coherence/dependency.h"
#include "compat.h"

/* What a worker tells its leader. */
#define DC_NOTE_ROW_SECURITY 1
#define DC_NOTE_SNAPSHOT 2

static DcReading *current = NULL;
static pg_atomic_uint32 *notes = NULL;	/* one for each process */
static ExecutorRun_hook_type previous_executor_run = NULL;

Size
dc_dependency_shmem_size(void)
{
	return mul_size(dc_max_processes(), sizeof(pg_atomic_uint32));
}

void
dc_dependency_shmem_init(void)
{
	bool		found;

	notes = ShmemInitStruct("dashboard_cache notes",
							dc_dependency_shmem_size(), &found);
	for (int i = 0; !found && i < dc_max_processes(); i++)
		pg_atomic_init_u32(&notes[i], 0);
}

static bool
dc_reads_temporary(const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION &&
		get_rel_persistence(rte->relid) == RELPERSISTENCE_TEMP;
}

static bool
dc_reads_secured(PlannedStmt *plan, RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION &&
		check_enable_rls(rte->relid, dc_rte_check_as_user(plan, rte),
						 true) == RLS_ENABLED;
}

static void
dc_note_relations(PlannedStmt *plan)
{
	ListCell   *cell;

	foreach(cell, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		current->temporary |= dc_reads_temporary(rte);
		current->row_security |= dc_reads_secured(plan, rte);
	}
}

static bool
dc_same_snapshot(Snapshot a, Snapshot b)
{
	return a->xmin == b->xmin && a->xmax == b->xmax && a->xcnt == b->xcnt &&
		memcmp(a->xip, b->xip, a->xcnt * sizeof(TransactionId)) == 0;
}

/* Of two that this process took: was a taken before b? */
static bool
dc_is_older(Snapshot a, Snapshot b)
{
	return TransactionIdPrecedes(a->xmax, b->xmax) ||
		(a->xmax == b->xmax && a->xcnt > b->xcnt);
}

/* Keeps the stamp, which is palloc'd, if it is the latest. */
static void
dc_reading_note_stamp(DcReading *reading, DcStamp *stamp)
{
	DcStamp    *older = reading->newest;

	if (older != NULL && !dc_stamp_is_later(stamp, older))
		older = stamp;
	else
		reading->newest = stamp;
	if (older != NULL)
		pfree(older);
}

/*
 * A VOLATILE function takes a new snapshot for each of its queries.  What it
 * reads may be newer than what the rest reads.  New snapshots of one process
 * never go back, so the latest says what all of them can have seen; only a
 * cursor that was opened before the call has an older one.
 */
void
dc_reading_note_snapshot(Snapshot snapshot)
{
	MemoryContext old_context;
	DcReader	reader;

	if (current == NULL || snapshot == NULL ||
		snapshot->snapshot_type != SNAPSHOT_MVCC ||
		dc_same_snapshot(snapshot, current->reader->snapshot))
		return;
	if (dc_is_older(snapshot, current->reader->snapshot))
	{
		current->snapshot_moved = true;
		return;
	}
	old_context = MemoryContextSwitchTo(current->context);
	dc_reader_init(&reader, snapshot);
	dc_reading_note_stamp(current, dc_stamp_take(&reader));
	MemoryContextSwitchTo(old_context);
}

/*
 * In a parallel worker.  The first plan is the leader's, in the leader's
 * snapshot; those that follow are run by functions.  (Snapshots of one process
 * with the same bounds and number of ids have the same ids.)
 */
static void
dc_note_for_leader(QueryDesc *query)
{
	static SnapshotData first =
	{
		.xmin = InvalidTransactionId
	};
	Snapshot	snapshot = query->snapshot;
	uint32		note = 0;
	ListCell   *cell;

	if (!TransactionIdIsValid(first.xmin))
	{
		first.xmin = snapshot->xmin;
		first.xmax = snapshot->xmax;
		first.xcnt = snapshot->xcnt;
	}
	if (snapshot->xmin != first.xmin || snapshot->xmax != first.xmax ||
		snapshot->xcnt != first.xcnt)
		note |= DC_NOTE_SNAPSHOT;
	foreach(cell, query->plannedstmt->rtable)
	{
		if (dc_reads_secured(query->plannedstmt, lfirst(cell)))
			note |= DC_NOTE_ROW_SECURITY;
	}
	if (note != 0)
		pg_atomic_fetch_or_u32(&notes[dc_leader_process()], note);
}

/* Run and not started: a cursor may have been opened before. */
static void
dc_executor_run(DC_EXECUTOR_RUN_PARAMETERS)
{
	if (IsParallelWorker())
		dc_note_for_leader(queryDesc);
	else if (current != NULL)
	{
		dc_note_relations(queryDesc->plannedstmt);
		dc_reading_note_snapshot(queryDesc->snapshot);
	}
	if (previous_executor_run)
		previous_executor_run(DC_EXECUTOR_RUN_ARGUMENTS);
	else
		standard_ExecutorRun(DC_EXECUTOR_RUN_ARGUMENTS);
}

void
dc_dependency_register(void)
{
	previous_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = dc_executor_run;
}

void
dc_reading_begin(DcReading *reading, const DcReader *reader)
{
	memset(reading, 0, sizeof(*reading));
	reading->outer = current;
	reading->reader = reader;
	reading->context = CurrentMemoryContext;
	reading->expires_at = DT_NOEND;
	if (reading->outer == NULL)
		pg_atomic_write_u32(&notes[dc_my_process()], 0);
	current = reading;
}

void
dc_reading_end(DcReading *reading)
{
	DcReading  *outer = reading->outer;
	uint32		note = pg_atomic_read_u32(&notes[dc_my_process()]);

	reading->row_security |= (note & DC_NOTE_ROW_SECURITY) != 0;
	reading->snapshot_moved |= (note & DC_NOTE_SNAPSHOT) != 0;
	current = outer;
	if (outer == NULL)
		return;
	outer->temporary |= reading->temporary;
	outer->row_security |= reading->row_security;
	outer->snapshot_moved |= reading->snapshot_moved;
	dc_reading_note_entry(reading->tags, reading->n_tags, reading->expires_at);
	if (reading->newest != NULL)
	{
		MemoryContext old_context = MemoryContextSwitchTo(outer->context);
		Size		size = dc_stamp_size(reading->newest->n_running);

		dc_reading_note_stamp(outer, memcpy(palloc(size), reading->newest,
											size));
		MemoryContextSwitchTo(old_context);
	}
}

bool
dc_reading_is_open(void)
{
	return current != NULL;
}

/* Makes room for so many tags more. */
static void
dc_reading_grow(DcReading *reading, int n)
{
	if (reading->n_tags + n <= reading->max_tags)
		return;
	reading->max_tags = Max(2 * reading->max_tags, reading->n_tags + n);
	if (reading->tags == NULL)
		reading->tags = MemoryContextAlloc(reading->context,
										   reading->max_tags * sizeof(DcTag));
	else
		reading->tags = repalloc(reading->tags,
								 reading->max_tags * sizeof(DcTag));
}

void
dc_reading_note_entry(const DcTag *tags, int n, TimestampTz expires_at)
{
	dc_reading_grow(current, n);
	for (int i = 0; i < n; i++)
		dc_tags_add(current->tags, &current->n_tags, tags[i]);
	current->has_inner |= n > 0;
	current->expires_at = Min(current->expires_at, expires_at);
}

void
dc_reading_note_row_security(void)
{
	if (current != NULL)
		current->row_security = true;
}
