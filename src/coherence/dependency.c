/*
 * dependency.c
 *		Watches the plans that run inside a cached function's query.
 *
 * The executor's start hook sees every plan: those of views and SQL functions
 * that were inlined, and those that functions run for themselves.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"

#include "coherence/dependency.h"
#include "compat.h"

static DcReading *current = NULL;
static ExecutorStart_hook_type previous_executor_start = NULL;

static void
dc_note_relations(PlannedStmt *plan)
{
	ListCell   *cell;

	foreach(cell, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		if (rte->rtekind != RTE_RELATION)
			continue;
		if (get_rel_persistence(rte->relid) == RELPERSISTENCE_TEMP)
			current->temporary = true;
		if (check_enable_rls(rte->relid, dc_rte_check_as_user(plan, rte),
							 true) == RLS_ENABLED)
			current->row_security = true;
	}
}

static bool
dc_same_snapshot(Snapshot a, Snapshot b)
{
	return a->xmin == b->xmin && a->xmax == b->xmax && a->xcnt == b->xcnt &&
		memcmp(a->xip, b->xip, a->xcnt * sizeof(TransactionId)) == 0;
}

/*
 * A VOLATILE function takes a new snapshot for each of its queries.  What it
 * reads may be newer than what the rest reads.
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
	old_context = MemoryContextSwitchTo(current->context);
	dc_reader_init(&reader, snapshot);
	current->newest = dc_stamp_take(&reader);
	MemoryContextSwitchTo(old_context);
}

static void
dc_executor_start(QueryDesc *query, int flags)
{
	if (current != NULL && (flags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
	{
		dc_note_relations(query->plannedstmt);
		dc_reading_note_snapshot(query->snapshot);
	}
	if (previous_executor_start)
		previous_executor_start(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

void
dc_dependency_register(void)
{
	previous_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = dc_executor_start;
}

void
dc_reading_begin(DcReading *reading, const DcReader *reader)
{
	memset(reading, 0, sizeof(*reading));
	reading->outer = current;
	reading->reader = reader;
	reading->context = CurrentMemoryContext;
	current = reading;
}

void
dc_reading_end(DcReading *reading)
{
	DcReading  *outer = reading->outer;

	current = outer;
	if (outer == NULL)
		return;
	outer->temporary |= reading->temporary;
	outer->row_security |= reading->row_security;
	if (reading->newest != NULL)
	{
		MemoryContext old_context = MemoryContextSwitchTo(outer->context);
		Size		size = dc_stamp_size(reading->newest->n_running);

		outer->newest = memcpy(palloc(size), reading->newest, size);
		MemoryContextSwitchTo(old_context);
	}
}

void
dc_reading_note_row_security(void)
{
	if (current != NULL)
		current->row_security = true;
}
