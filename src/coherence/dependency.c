/*
 * dependency.c
 *		Watches the plans that run inside a cached function's query.
 *
 * The executor's run hook sees every plan: those of views and SQL functions
 * that were inlined, and those that functions run for themselves.
 *
 * A relation's columns are those that its reader needs the privilege for, so
 * a view's are all that the view selects.  What is read for other reasons than
 * the query's, for a policy say, counts as any column.
 *
 * A parallel worker may run functions too, and leaves notes of their plans for
 * its leader (worker_notes.c).
 */
#include "postgres.h"

#include "access/parallel.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"

#include "coherence/dependency.h"
#include "coherence/worker_notes.h"
#include "compat.h"
#include "shmem.h"

static DcReading *current = NULL;
static ExecutorRun_hook_type previous_executor_run = NULL;

/*
 * Relations.
 */

static bool
dc_is_temporary_relation(Oid relation)
{
	return get_rel_persistence(relation) == RELPERSISTENCE_TEMP;
}

static bool
dc_reads_secured(PlannedStmt *plan, RangeTblEntry *rte)
{
	return check_enable_rls(rte->relid, dc_rte_check_as_user(plan, rte),
							true) == RLS_ENABLED;
}

/* Makes room for one more element, in the reading's context. */
static void *
dc_reading_grow(DcReading *reading, void *array, int n, int *max, Size size)
{
	if (n <= *max)
		return array;
	*max = Max(Max(2 * *max, n), 16);
	if (array == NULL)
		return MemoryContextAlloc(reading->context, *max * size);
	return repalloc(array, *max * size);
}

static void
dc_reading_add_read(DcReading *reading, const DcRead *read)
{
	MemoryContext old_context = MemoryContextSwitchTo(reading->context);

	reading->reads = dc_reading_grow(reading, reading->reads,
									 reading->n_reads + 1,
									 &reading->max_reads, sizeof(DcRead));
	reading->reads[reading->n_reads] = *read;
	reading->reads[reading->n_reads].columns = bms_copy(read->columns);
	reading->n_reads++;
	MemoryContextSwitchTo(old_context);
}

/* Mostly a plan that has run before, so mostly it is found here. */
static DcRead *
dc_reading_find(DcReading *reading, const DcRead *read)
{
	for (int i = 0; i < reading->n_reads; i++)
	{
		DcRead	   *there = &reading->reads[i];

		if (there->relation == read->relation && there->user == read->user &&
			there->check_as == read->check_as)
			return there;
	}
	return NULL;
}

static void
dc_reading_note_read(DcReading *reading, const DcRead *read)
{
	DcRead	   *there = dc_reading_find(reading, read);
	MemoryContext old_context;

	if (there == NULL)
	{
		dc_reading_add_read(reading, read);
		return;
	}
	there->any_column |= read->any_column;
	if (bms_is_subset(read->columns, there->columns))
		return;
	old_context = MemoryContextSwitchTo(reading->context);
	there->columns = bms_add_members(there->columns, read->columns);
	MemoryContextSwitchTo(old_context);
}

/* Policies read columns of their own. */
static void
dc_note_relation(PlannedStmt *plan, RangeTblEntry *rte, bool any_column)
{
	DcRead		read = {
		.relation = rte->relid,
		.user = GetUserId(),
		.check_as = dc_rte_check_as_user(plan, rte),
		.columns = dc_rte_selected_columns(plan, rte),
		.any_column = any_column || !dc_rte_tells_columns(rte),
	};

	if (dc_reading_find(current, &read) == NULL)
	{
		bool		secured = dc_reads_secured(plan, rte);

		current->temporary |= dc_is_temporary_relation(rte->relid);
		current->row_security |= secured;
		read.any_column |= secured;
	}
	dc_reading_note_read(current, &read);
}

/*
 * Those that stand for a part of another: what is read is noted there.  But a
 * temporary table may be a part, of what is not a partitioned table, too.
 */
static Bitmapset *
dc_parts_in_plan(const PlannedStmt *plan)
{
	Bitmapset  *parts = NULL;
	ListCell   *cell;

	foreach(cell, plan->appendRelations)
	{
		const AppendRelInfo *part = lfirst_node(AppendRelInfo, cell);

		if (OidIsValid(part->parent_reloid) &&
			(rt_fetch(part->parent_relid, plan->rtable)->relkind ==
			 RELKIND_PARTITIONED_TABLE ||
			 !dc_is_temporary_relation(rt_fetch(part->child_relid,
												plan->rtable)->relid)))
			parts = bms_add_member(parts, part->child_relid);
	}
	return parts;
}

static bool
dc_takes_sample(PlanState *state, void *arg)
{
	return state != NULL &&
		(IsA(state, SampleScanState) ||
		 planstate_tree_walker(state, dc_takes_sample, arg));
}

/* A sample is of what lies where, which any update changes. */
static void
dc_note_relations(PlannedStmt *plan, PlanState *state)
{
	Bitmapset  *parts = dc_parts_in_plan(plan);
	bool		any_column = dc_takes_sample(state, NULL);
	int			i = 0;
	ListCell   *cell;

	foreach(cell, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		i++;
		if (rte->rtekind == RTE_RELATION && !bms_is_member(i, parts))
			dc_note_relation(plan, rte, any_column);
	}
	bms_free(parts);
}

/*
 * Snapshots.
 */

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
 * In a parallel worker.
 */

static void
dc_note_relations_for_leader(PlannedStmt *plan)
{
	Bitmapset  *parts = dc_parts_in_plan(plan);
	int			i = 0;
	ListCell   *cell;

	foreach(cell, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		i++;
		if (rte->rtekind != RTE_RELATION || bms_is_member(i, parts))
			continue;
		if (dc_reads_secured(plan, rte))
			dc_worker_note(DC_NOTE_ROW_SECURITY);
		if (dc_is_temporary_relation(rte->relid))
			dc_worker_note(DC_NOTE_TEMPORARY);
		dc_worker_note_relation(rte->relid);
	}
	bms_free(parts);
}

/*
 * The first plan is the leader's, in the leader's snapshot; those that follow
 * are run by functions.  (Snapshots of one process with the same bounds and
 * number of ids have the same ids.)  A worker runs one plan of one leader, and
 * an error is its end.
 */
static void
dc_note_for_leader(QueryDesc *query)
{
	static SnapshotData first =
	{
		.xmin = InvalidTransactionId
	};
	Snapshot	snapshot = query->snapshot;

	if (!TransactionIdIsValid(first.xmin))
	{
		first.xmin = snapshot->xmin;
		first.xmax = snapshot->xmax;
		first.xcnt = snapshot->xcnt;
		return;
	}
	if (snapshot->xmin != first.xmin || snapshot->xmax != first.xmax ||
		snapshot->xcnt != first.xcnt)
		dc_worker_note(DC_NOTE_SNAPSHOT);
	dc_note_relations_for_leader(query->plannedstmt);
}

void
dc_reading_note_unknown(void)
{
	if (IsParallelWorker() && dc_shared != NULL)
		dc_worker_note(DC_NOTE_UNKNOWN);
}

static void
dc_take_notes(DcReading *reading)
{
	uint32		flags = dc_worker_notes();

	reading->row_security |= (flags & DC_NOTE_ROW_SECURITY) != 0;
	reading->temporary |= (flags & DC_NOTE_TEMPORARY) != 0;
	reading->snapshot_moved |= (flags & DC_NOTE_SNAPSHOT) != 0;
	reading->unknown |= (flags & DC_NOTE_UNKNOWN) != 0;
	for (int i = 0; OidIsValid(dc_worker_noted_relation(i)); i++)
	{
		DcRead		read = {
			.relation = dc_worker_noted_relation(i),
			.any_column = true,
		};

		dc_reading_note_read(reading, &read);
	}
}

/*
 * The hook.
 */

/* Run and not started: a cursor may have been opened before. */
static void
dc_executor_run(DC_EXECUTOR_RUN_PARAMETERS)
{
	if (IsParallelWorker())
		dc_note_for_leader(queryDesc);
	else if (current != NULL)
	{
		dc_note_relations(queryDesc->plannedstmt, queryDesc->planstate);
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
		dc_worker_notes_clear();
	current = reading;
}

static void
dc_reading_reserve_tags(DcReading *reading, int n)
{
	reading->tags = dc_reading_grow(reading, reading->tags,
									reading->n_tags + n, &reading->max_tags,
									sizeof(DcTag));
}

/*
 * So many readings of single columns that a hit would have more slots to look
 * at than is worth it depend on any column instead.
 */
static bool
dc_reading_is_wide(const DcReading *reading)
{
	int			n = 0;

	for (int i = 0; i < reading->n_reads; i++)
		n += 1 + bms_num_members(reading->reads[i].columns);
	return n > DC_MAX_READ_TAGS;
}

void
dc_reading_make_tags(DcReading *reading, const DcSlice *slices, int n_slices)
{
	bool		wide;

	dc_take_notes(reading);
	wide = dc_reading_is_wide(reading);
	for (int i = 0; i < reading->n_reads; i++)
	{
		const DcRead *read = &reading->reads[i];
		DcRelation *relation = dc_relation(read->relation);
		DcTag	   *tags;
		int			n;

		if (relation->n_roots == 0)
			continue;
		tags = palloc(dc_relation_max_tags(relation, n_slices) * sizeof(DcTag));
		n = dc_relation_tags(relation, read->columns,
							 wide || read->any_column, slices, n_slices, tags);
		dc_reading_reserve_tags(reading, n);
		for (int j = 0; j < n; j++)
			dc_tags_add(reading->tags, &reading->n_tags, tags[j]);
		pfree(tags);
	}
	reading->has_tags = true;
}

void
dc_reading_end(DcReading *reading)
{
	DcReading  *outer = reading->outer;

	dc_take_notes(reading);
	current = outer;
	if (outer == NULL)
		return;
	outer->temporary |= reading->temporary;
	outer->row_security |= reading->row_security;
	outer->snapshot_moved |= reading->snapshot_moved;
	outer->unknown |= reading->unknown;
	for (int i = 0; !reading->has_tags && i < reading->n_reads; i++)
		dc_reading_note_read(outer, &reading->reads[i]);
	dc_reading_note_entry(reading->tags, reading->n_tags,
						  reading->has_inner, reading->expires_at);
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

void
dc_reading_note_entry(const DcTag *tags, int n, bool has_key,
					  TimestampTz expires_at)
{
	dc_reading_reserve_tags(current, n);
	for (int i = 0; i < n; i++)
		dc_tags_add(current->tags, &current->n_tags, tags[i]);
	current->has_inner |= has_key;
	current->expires_at = Min(current->expires_at, expires_at);
}

void
dc_reading_note_row_security(void)
{
	if (current != NULL)
		current->row_security = true;
}
