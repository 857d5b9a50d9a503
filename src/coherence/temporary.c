/*
 * temporary.c
 *		Which temporary relations the session has.
 */
#include "postgres.h"

#include "access/xact.h"
#include "nodes/parsenodes.h"

#include "coherence/temporary.h"

static uint64 generation = 0;
static bool has_changes = false;	/* in this transaction */

uint64
dc_temporary_generation(void)
{
	return generation;
}

/* They may be dropped, or come back. */
static void
dc_temporary_xact_callback(XactEvent event, void *arg)
{
	if (!has_changes)
		return;
	generation++;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		has_changes = false;
}

static void
dc_temporary_subxact_callback(SubXactEvent event, SubTransactionId mine,
							  SubTransactionId parent, void *arg)
{
	if (has_changes && event == SUBXACT_EVENT_ABORT_SUB)
		generation++;
}

bool
dc_drops_relations(const DropStmt *statement)
{
	switch (statement->removeType)
	{
		case OBJECT_TABLE:
		case OBJECT_SEQUENCE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_FOREIGN_TABLE:
			return true;
		default:
			return false;
	}
}

/* May it change which temporary relations there are? */
static bool
dc_defines_relations(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateStmt:
		case T_CreateTableAsStmt:
		case T_CreateSeqStmt:
		case T_ViewStmt:
		case T_AlterTableStmt:
		case T_AlterSeqStmt:
		case T_AlterObjectSchemaStmt:
		case T_RenameStmt:
		case T_DiscardStmt:
			return true;
		case T_DropStmt:
			return dc_drops_relations((const DropStmt *) statement);
		default:
			return false;
	}
}

void
dc_temporary_after(const Node *statement)
{
	if (!dc_defines_relations(statement))
		return;
	generation++;
	has_changes = true;
}

void
dc_temporary_register(void)
{
	RegisterXactCallback(dc_temporary_xact_callback, NULL);
	RegisterSubXactCallback(dc_temporary_subxact_callback, NULL);
}
