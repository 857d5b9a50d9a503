/*
 * when.c
 *		Keeps the WHEN clauses of watch()'s row triggers ready to run.
 *
 * The server reads a clause from its text, and plans it, in each statement that
 * fires the trigger, which costs more than what the clause does.  So here that
 * is done once, and put where the server looks before it does so itself; what
 * a clause remembers is still the statement's own.  Where this does not reach
 * (COPY, partitions that rows are routed to, MERGE) the server goes on as ever.
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteManip.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "coherence/when.h"

/* For more tables than these the server does it, for those that it meets. */
#define DC_MAX_RELATIONS 8

typedef struct DcWhen
{
	Oid			trigger;		/* the key */
	const char *text;			/* as in the catalog */
	List	   *clause;			/* planned; NIL: it is not one of ours */
} DcWhen;

static HTAB *clauses = NULL;
static MemoryContext context = NULL;

static void
dc_clauses_begin(void)
{
	HASHCTL		control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(DcWhen),
	};

	if (context == NULL)
		context = AllocSetContextCreate(CacheMemoryContext,
										"dashboard_cache WHEN clauses",
										ALLOCSET_SMALL_SIZES);
	control.hcxt = context;
	clauses = hash_create("dashboard_cache WHEN clauses", 64, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* As TriggerEnabled() does it. */
static List *
dc_clause_read(const Trigger *trigger)
{
	Node	   *clause = stringToNode(trigger->tgqual);

	ChangeVarNodes(clause, PRS2_OLD_VARNO, INNER_VAR, 0);
	ChangeVarNodes(clause, PRS2_NEW_VARNO, OUTER_VAR, 0);
	return (List *) expression_planner((Expr *) make_ands_implicit((Expr *) clause));
}

/* Whose plan depends on nothing but its text: a call with columns. */
static bool
dc_is_plain_call(const List *clause)
{
	ListCell   *cell;

	if (list_length(clause) != 1 || !IsA(linitial(clause), FuncExpr))
		return false;
	foreach(cell, linitial_node(FuncExpr, clause)->args)
	{
		if (!IsA(lfirst(cell), Var))
			return false;
	}
	return true;
}

static void
dc_when_read(DcWhen *when, const Trigger *trigger)
{
	List	   *clause = dc_clause_read(trigger);
	MemoryContext old_context = MemoryContextSwitchTo(context);

	when->clause = dc_is_plain_call(clause) ? copyObject(clause) : NIL;
	when->text = pstrdup(trigger->tgqual);
	MemoryContextSwitchTo(old_context);
}

static List *
dc_clause_of(const Trigger *trigger)
{
	DcWhen	   *when;
	bool		found;

	if (clauses == NULL)
		dc_clauses_begin();
	when = hash_search(clauses, &trigger->tgoid, HASH_ENTER, &found);
	if (!found)
	{
		when->text = "";
		when->clause = NIL;
	}
	if (strcmp(when->text, trigger->tgqual) != 0)
		dc_when_read(when, trigger);
	return when->clause;
}

static void
dc_when_prepare_relation(ResultRelInfo *relation, EState *estate, int16 event)
{
	TriggerDesc *triggers = relation->ri_TrigDesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		MemoryContext old_context;
		List	   *clause;

		if (trigger->tgqual == NULL || relation->ri_TrigWhenExprs[i] != NULL ||
			(trigger->tgtype & event) == 0 ||
			strncmp(trigger->tgname, "dashboard_cache_slice_", 22) != 0)
			continue;
		clause = dc_clause_of(trigger);
		if (clause == NIL)
			continue;
		old_context = MemoryContextSwitchTo(estate->es_query_cxt);
		relation->ri_TrigWhenExprs[i] = ExecInitQual(clause, NULL);
		MemoryContextSwitchTo(old_context);
	}
}

static void
dc_when_prepare_plan(PlanState *plan)
{
	ModifyTableState *modify = (ModifyTableState *) plan;
	int16		event;

	if (!IsA(plan, ModifyTableState) || modify->mt_nrels > DC_MAX_RELATIONS)
		return;
	switch (modify->operation)
	{
		case CMD_INSERT:
			event = TRIGGER_TYPE_INSERT;
			break;
		case CMD_UPDATE:
			event = TRIGGER_TYPE_UPDATE;
			break;
		case CMD_DELETE:
			event = TRIGGER_TYPE_DELETE;
			break;
		default:
			return;
	}
	for (int i = 0; i < modify->mt_nrels; i++)
		dc_when_prepare_relation(&modify->resultRelInfo[i], plan->state, event);
}

void
dc_when_prepare(QueryDesc *query)
{
	ListCell   *cell;

	dc_when_prepare_plan(query->planstate);
	foreach(cell, query->estate->es_auxmodifytables)
		dc_when_prepare_plan(lfirst(cell));
}
