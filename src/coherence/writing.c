/*
 * writing.c
 *		Counts the statements of this session that are in the middle of their
 *		writes.
 *
 * A statement's triggers fire at its end, or one after the other.  Until the
 * last of them has, a VOLATILE function that the statement or a trigger calls
 * can see rows that are not on any tag.
 *
 * If a statement updates one table in several places, by WITH or by foreign
 * keys that set columns, the server fires that table's statement trigger once,
 * and tells it the columns of the last place only.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "tcop/utility.h"

#include "coherence/slice.h"
#include "coherence/when.h"
#include "coherence/writing.h"
#include "compat.h"

/* Deeper statements do not tell their notes from others'. */
#define DC_MAX_WRITING_DEPTH 32

/* A statement in the middle of its writes. */
typedef struct DcWriting
{
	const QueryDesc *query;		/* NULL: a utility statement */
	int			first_note;		/* of the slices that it writes to */
} DcWriting;

static int	depth = 0;
static CommandId outermost = 0; /* what the outermost of them writes as */
static bool hides_columns = false;	/* until the outermost has ended */
static DcWriting writing[DC_MAX_WRITING_DEPTH];

static ExecutorRun_hook_type previous_executor_run = NULL;
static ExecutorFinish_hook_type previous_executor_finish = NULL;
static ProcessUtility_hook_type previous_process_utility = NULL;

/* The statement's own snapshot, and those before it, see nothing of it. */
bool
dc_sees_unannounced(Snapshot snapshot)
{
	return depth > 0 && snapshot->curcid > outermost;
}

bool
dc_writing_hides_columns(void)
{
	return hides_columns;
}

int
dc_writing_first_note(void)
{
	return depth > 0 && depth <= DC_MAX_WRITING_DEPTH ?
		writing[depth - 1].first_note : 0;
}

static void
dc_begin_writing(CommandId command, const QueryDesc *query, int first_note)
{
	if (depth < DC_MAX_WRITING_DEPTH)
	{
		writing[depth].query = query;
		writing[depth].first_note = first_note;
	}
	if (depth++ == 0)
		outermost = command;
}

static void
dc_end_writing(void)
{
	if (--depth == 0)
		hides_columns = false;
}

static int
dc_notes_by_now(void)
{
	const DcSliceNote *notes;

	return dc_slice_notes(&notes);
}

/* A foreign key's query leaves its triggers to the statement that caused it. */
static bool
dc_leaves_triggers(const QueryDesc *query)
{
	return (query->estate->es_top_eflags & EXEC_FLAG_SKIP_TRIGGERS) != 0;
}

static void
dc_begin_writing_query(const QueryDesc *query, int first_note)
{
	dc_begin_writing(query->snapshot->curcid, query, first_note);
	hides_columns |= query->plannedstmt->hasModifyingCTE ||
		dc_leaves_triggers(query);
}

/* Is it known what had been noted when the query began to run? */
static bool
dc_knows_first_note(const QueryDesc *query)
{
	return depth < DC_MAX_WRITING_DEPTH && writing[depth].query == query;
}

static bool
dc_query_writes(const QueryDesc *query)
{
	return query->operation != CMD_SELECT ||
		query->plannedstmt->hasModifyingCTE;
}

static void
dc_executor_run(DC_EXECUTOR_RUN_PARAMETERS)
{
	ExecutorRun_hook_type run = previous_executor_run ?
	previous_executor_run : standard_ExecutorRun;

	if (!dc_query_writes(queryDesc))
	{
		run(DC_EXECUTOR_RUN_ARGUMENTS);
		return;
	}
	dc_when_prepare(queryDesc);
	dc_begin_writing_query(queryDesc, dc_notes_by_now());
	PG_TRY();
	{
		run(DC_EXECUTOR_RUN_ARGUMENTS);
	}
	PG_FINALLY();
	{
		dc_end_writing();
	}
	PG_END_TRY();
}

static void
dc_finish_writing(QueryDesc *query, int first_note)
{
	ExecutorFinish_hook_type finish = previous_executor_finish ?
	previous_executor_finish : standard_ExecutorFinish;

	dc_begin_writing_query(query, first_note);
	PG_TRY();
	{
		finish(query);
	}
	PG_FINALLY();
	{
		dc_end_writing();
	}
	PG_END_TRY();
}

/* AFTER triggers fire here, and then nobody needs the notes any more. */
static void
dc_executor_finish(QueryDesc *query)
{
	bool		known = dc_knows_first_note(query);
	int			first_note = known ? writing[depth].first_note : 0;

	if (dc_query_writes(query))
	{
		dc_finish_writing(query, first_note);
		if (known && !dc_leaves_triggers(query))
			dc_slice_forget_notes(first_note);
	}
	else if (previous_executor_finish)
		previous_executor_finish(query);
	else
		standard_ExecutorFinish(query);
}

static bool
dc_utility_writes(const Node *statement)
{
	return IsA(statement, TruncateStmt) ||
		(IsA(statement, CopyStmt) && ((const CopyStmt *) statement)->is_from);
}

static void
dc_process_utility(PlannedStmt *statement, const char *source,
				   bool read_only_tree, ProcessUtilityContext context,
				   ParamListInfo parameters, QueryEnvironment *environment,
				   DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type process = previous_process_utility ?
	previous_process_utility : standard_ProcessUtility;
	int			first_note = dc_notes_by_now();

	if (!dc_utility_writes(statement->utilityStmt))
	{
		process(statement, source, read_only_tree, context, parameters,
				environment, dest, completion);
		return;
	}
	dc_begin_writing(GetCurrentCommandId(false), NULL, first_note);
	PG_TRY();
	{
		process(statement, source, read_only_tree, context, parameters,
				environment, dest, completion);
	}
	PG_FINALLY();
	{
		dc_end_writing();
	}
	PG_END_TRY();
	dc_slice_forget_notes(first_note);
}

void
dc_writing_register(void)
{
	previous_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = dc_executor_run;
	previous_executor_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = dc_executor_finish;
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = dc_process_utility;
}
