/*
 * ddl.c
 *		Invalidates when definitions or privileges change.
 *
 * What a query returns depends on the functions, views, types and policies on
 * its way, and on who may read what.  A statement that may change any of that
 * invalidates, with its transaction, all that is cached in the database; if
 * it is about roles, which all databases share, in all of them.  Statements
 * that cannot change a result are listed here; what is not listed counts as
 * one that can.
 *
 * It invalidates before the statement and after it, since some commit in the
 * middle; for the others the second time finds the tag there already.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "coherence/ddl.h"
#include "coherence/definitions.h"
#include "coherence/pending.h"
#include "coherence/relation.h"
#include "coherence/temporary.h"
#include "coherence/upkeep.h"

/* What a statement may have changed. */
typedef enum DcReach
{
	DC_REACH_NOTHING,
	DC_REACH_RELATION,			/* the rows of the one that it names */
	DC_REACH_DATABASE,
	DC_REACH_CLUSTER,
} DcReach;

static ProcessUtility_hook_type previous_process_utility = NULL;

/* A relation that is not there (IF EXISTS) changes nothing either. */
static bool
dc_is_temporary(const RangeVar *relation)
{
	Oid			oid;

	if (relation->relpersistence == RELPERSISTENCE_TEMP)
		return true;
	oid = RangeVarGetRelid(relation, NoLock, true);
	return !OidIsValid(oid) || get_rel_persistence(oid) == RELPERSISTENCE_TEMP;
}

static DcReach
dc_reach_of_drop(const DropStmt *statement)
{
	ListCell   *cell;

	/* It may have to be the first in its transaction to take an id. */
	if (statement->removeType == OBJECT_INDEX)
		return DC_REACH_NOTHING;
	if (!dc_drops_relations(statement))
		return DC_REACH_DATABASE;
	foreach(cell, statement->objects)
	{
		RangeVar   *relation = makeRangeVarFromNameList(lfirst(cell));

		if (!dc_is_temporary(relation))
			return DC_REACH_DATABASE;
	}
	return DC_REACH_NOTHING;
}

static DcReach
dc_reach_unless_temporary(const RangeVar *relation)
{
	return dc_is_temporary(relation) ? DC_REACH_NOTHING : DC_REACH_DATABASE;
}

/* Who is new has read nothing yet, but may come with members. */
static DcReach
dc_reach_of_new_role(const CreateRoleStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		const char *option = lfirst_node(DefElem, cell)->defname;

		if (strcmp(option, "rolemembers") == 0 ||
			strcmp(option, "adminmembers") == 0 ||
			strcmp(option, "addroleto") == 0)
			return DC_REACH_CLUSTER;
	}
	return DC_REACH_NOTHING;
}

/* A temporary table can become a part of one that is not. */
static DcReach
dc_reach_of_alter_table(const AlterTableStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->cmds)
	{
		AlterTableType type = lfirst_node(AlterTableCmd, cell)->subtype;

		if (type == AT_AddInherit || type == AT_DropInherit)
			return DC_REACH_DATABASE;
	}
	return dc_reach_unless_temporary(statement->relation);
}

/* A relation that is about to be made: only its name can say. */
static DcReach
dc_reach_of_new(const RangeVar *relation)
{
	return relation->relpersistence == RELPERSISTENCE_TEMP ?
		DC_REACH_NOTHING : DC_REACH_DATABASE;
}

/* Our own settings do not change what a query means. */
static DcReach
dc_reach_of_setting(const VariableSetStmt *setting, DcReach reach)
{
	return setting->name != NULL &&
		strncmp(setting->name, "dashboard_cache.", 16) == 0 ?
		DC_REACH_NOTHING : reach;
}

static DcReach
dc_reach_of_renaming(const RenameStmt *statement)
{
	switch (statement->renameType)
	{
		case OBJECT_ROLE:
			return DC_REACH_CLUSTER;
		case OBJECT_DATABASE:
		case OBJECT_TABLESPACE:
		case OBJECT_INDEX:
			return DC_REACH_NOTHING;
		default:
			return DC_REACH_DATABASE;
	}
}

static DcReach
dc_reach_of(Node *statement)
{
	switch (nodeTag(statement))
	{
			/* What only runs, shows or stores. */
		case T_TransactionStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
		case T_PrepareStmt:
		case T_ExecuteStmt:
		case T_DeallocateStmt:
		case T_DeclareCursorStmt:
		case T_ClosePortalStmt:
		case T_FetchStmt:
		case T_ExplainStmt:
		case T_DoStmt:
		case T_CallStmt:
		case T_CopyStmt:
		case T_TruncateStmt:
		case T_LockStmt:
		case T_ConstraintsSetStmt:
		case T_CheckPointStmt:
		case T_DiscardStmt:
		case T_LoadStmt:
		case T_NotifyStmt:
		case T_ListenStmt:
		case T_UnlistenStmt:
		case T_AlterSystemStmt:
			return DC_REACH_NOTHING;

			/* What changes how fast a result comes, or what it is called. */
		case T_VacuumStmt:
		case T_ClusterStmt:
		case T_IndexStmt:
		case T_ReindexStmt:
		case T_CreateStatsStmt:
		case T_AlterStatsStmt:
		case T_CommentStmt:
		case T_SecLabelStmt:
			return DC_REACH_NOTHING;

			/* Databases and tablespaces have no entries of this one. */
		case T_CreatedbStmt:
		case T_DropdbStmt:
		case T_CreateTableSpaceStmt:
		case T_DropTableSpaceStmt:
		case T_AlterTableSpaceOptionsStmt:
			return DC_REACH_NOTHING;

		case T_CreateRoleStmt:
			return dc_reach_of_new_role((CreateRoleStmt *) statement);

		case T_CreateStmt:
			if (((CreateStmt *) statement)->inhRelations != NIL)
				return DC_REACH_DATABASE;
			return dc_reach_of_new(((CreateStmt *) statement)->relation);
		case T_CreateTableAsStmt:
			return dc_reach_of_new(((CreateTableAsStmt *) statement)->into->rel);
		case T_CreateSeqStmt:
			return dc_reach_of_new(((CreateSeqStmt *) statement)->sequence);
		case T_ViewStmt:
			return dc_reach_of_new(((ViewStmt *) statement)->view);

			/* Its own tag says it. */
		case T_RefreshMatViewStmt:
			return DC_REACH_RELATION;

		case T_AlterTableStmt:
			return dc_reach_of_alter_table((AlterTableStmt *) statement);
		case T_AlterSeqStmt:
			return dc_reach_unless_temporary(((AlterSeqStmt *) statement)->sequence);
		case T_AlterRoleSetStmt:
			return dc_reach_of_setting(((AlterRoleSetStmt *) statement)->setstmt,
									   DC_REACH_CLUSTER);
		case T_AlterDatabaseSetStmt:
			return dc_reach_of_setting(((AlterDatabaseSetStmt *) statement)->setstmt,
									   DC_REACH_DATABASE);
		case T_RenameStmt:
			return dc_reach_of_renaming((RenameStmt *) statement);
		case T_DropStmt:
			return dc_reach_of_drop((DropStmt *) statement);

		case T_GrantRoleStmt:
		case T_AlterRoleStmt:
		case T_DropRoleStmt:
		case T_DropOwnedStmt:
		case T_ReassignOwnedStmt:
			return DC_REACH_CLUSTER;

		default:
			return DC_REACH_DATABASE;
	}
}

static void
dc_invalidate_rows(const RangeVar *name)
{
	Oid			oid = RangeVarGetRelid(name, NoLock, true);
	const DcRelation *relation = OidIsValid(oid) ? dc_relation(oid) : NULL;

	for (int i = 0; relation != NULL && i < relation->n_roots; i++)
		dc_pending_add_tag(relation->roots[i].rows);
}

static void
dc_invalidate_reach(DcReach reach, Node *statement)
{
	switch (reach)
	{
		case DC_REACH_NOTHING:
			return;
		case DC_REACH_RELATION:
			dc_invalidate_rows(((RefreshMatViewStmt *) statement)->relation);
			break;
		case DC_REACH_DATABASE:
			dc_pending_add_tag(dc_tag(DC_TAG_DATABASE, "", 0));
			break;
		case DC_REACH_CLUSTER:
			dc_pending_add_tag(dc_tag(DC_TAG_CLUSTER, "", 0));
			break;
	}
	dc_pending_add_unversioned();
}

/*
 * The statement.
 */

/* The id of a prepared transaction; 0 if there is none. */
static uint64
dc_prepared_id(const char *gid)
{
	Oid			type = TEXTOID;
	Datum		value = CStringGetTextDatum(gid);
	uint64		id = 0;
	bool		isnull;

	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("SELECT transaction FROM pg_catalog.pg_prepared_xact()"
							  " WHERE gid OPERATOR(pg_catalog.=) $1",
							  1, &type, &value, NULL, true, 1) == SPI_OK_SELECT &&
		SPI_processed == 1)
	{
		Datum		xid = SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1, &isnull);

		id = dc_widen_id(DatumGetTransactionId(xid));
	}
	SPI_finish();
	PopActiveSnapshot();
	return id;
}

/* Does it commit definitions, which their own session could not announce? */
static bool
dc_commits_definitions(const Node *statement)
{
	const TransactionStmt *transaction = (const TransactionStmt *) statement;

	return IsA(statement, TransactionStmt) &&
		transaction->kind == TRANS_STMT_COMMIT_PREPARED &&
		!RecoveryInProgress() && !IsTransactionBlock() &&
		dc_definitions_may_be_of(dc_prepared_id(transaction->gid));
}

static void
dc_process_utility(PlannedStmt *statement, const char *source,
				   bool read_only_tree, ProcessUtilityContext context,
				   ParamListInfo parameters, QueryEnvironment *environment,
				   DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type process = previous_process_utility ?
	previous_process_utility : standard_ProcessUtility;
	Node	   *node = statement->utilityStmt;
	DcReach		reach = RecoveryInProgress() ? DC_REACH_NOTHING :
	dc_reach_of(node);

	dc_invalidate_reach(reach, node);
	if (reach != DC_REACH_NOTHING)
		dc_upkeep_before(node);
	if (dc_commits_definitions(node))
		dc_pending_begin_defining();
	process(statement, source, read_only_tree, context, parameters,
			environment, dest, completion);
	dc_invalidate_reach(reach, node);
	dc_temporary_after(node);
	if (reach != DC_REACH_NOTHING)
		dc_upkeep_after(node);
}

void
dc_ddl_register(void)
{
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = dc_process_utility;
}
