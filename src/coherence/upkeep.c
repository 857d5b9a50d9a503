/*
 * upkeep.c
 *		Keeps watched what is, when tables and their triggers are altered.
 *
 * A table that becomes a part of one that is watched is watched too, and goes
 * on being watched when it is detached.  Triggers that are enabled all at once
 * get their own ways of firing back, and slices that are renamed their names.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/parsenodes.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "coherence/upkeep.h"
#include "coherence/watch.h"
#include "compat.h"

static void
dc_before_alter_table(const AlterTableStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->cmds)
	{
		const AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);
		Oid			table = RangeVarGetRelid(statement->relation, NoLock, true);
		Oid			part;

		/*
		 * Who is writing to its parts meanwhile tells those who read it by
		 * its old ancestors.
		 */
		if ((command->subtype == AT_AddInherit ||
			 command->subtype == AT_DropInherit) &&
			OidIsValid(table) && dc_owns_relation(table))
			dc_watch_lock(table);
		if (command->subtype != AT_AttachPartition)
			continue;
		part = RangeVarGetRelid(castNode(PartitionCmd, command->def)->name,
								NoLock, true);
		if (OidIsValid(table) && OidIsValid(part) && dc_owns_relation(part))
			dc_watch_before_attach(table, part);
	}
}

/* Whose triggers may have to be put right after the command, or NULL. */
static const RangeVar *
dc_table_to_repair(const AlterTableStmt *statement,
				   const AlterTableCmd *command)
{
	switch (command->subtype)
	{
			/* A partition loses its row triggers when it is detached. */
		case AT_AttachPartition:
		case AT_DetachPartition:
			return castNode(PartitionCmd, command->def)->name;

		case AT_AddInherit:

			/* Those that are to fire always, or for replicas, do not now. */
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
			return statement->relation;
		default:
			return NULL;
	}
}

static void
dc_repair_table(Oid table)
{
	if (OidIsValid(table) && dc_owns_relation(table))
		dc_watch_repair(table);
}

static void
dc_repair(const RangeVar *table)
{
	dc_repair_table(RangeVarGetRelid(table, NoLock, true));
}

/* Where the table was made, whatever else of the name is found first. */
static void
dc_repair_new(const RangeVar *table)
{
	dc_repair_table(get_relname_relid(table->relname,
									  RangeVarGetCreationNamespace(table)));
}

/* The server does so only if the table has columns. */
static void
dc_tell_of_new_parents(const AlterTableStmt *statement,
					   const AlterTableCmd *command)
{
	Oid			table;

	if (command->subtype != AT_AddInherit &&
		command->subtype != AT_DropInherit)
		return;
	table = RangeVarGetRelid(statement->relation, NoLock, true);
	if (OidIsValid(table))
		CacheInvalidateRelcacheByRelid(table);
}

static void
dc_after_alter_table(const AlterTableStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->cmds)
	{
		const RangeVar *table = dc_table_to_repair(statement, lfirst(cell));

		dc_tell_of_new_parents(statement, lfirst(cell));
		if (table != NULL)
			dc_repair(table);
	}
}

void
dc_upkeep_before(const Node *statement)
{
	if (IsA(statement, AlterTableStmt))
		dc_before_alter_table((const AlterTableStmt *) statement);
}

void
dc_upkeep_after(const Node *statement)
{
	if (IsA(statement, AlterTableStmt))
		dc_after_alter_table((const AlterTableStmt *) statement);
	else if (IsA(statement, RenameStmt) &&
			 ((const RenameStmt *) statement)->renameType == OBJECT_COLUMN &&
			 ((const RenameStmt *) statement)->relation != NULL)
		dc_repair(((const RenameStmt *) statement)->relation);	/* of a slice */
	else if (IsA(statement, CreateStmt) &&
			 ((const CreateStmt *) statement)->inhRelations != NIL)
		dc_repair_new(((const CreateStmt *) statement)->relation);
}
