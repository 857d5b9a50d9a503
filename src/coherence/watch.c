/*
 * watch.c
 *		Tables whose writes are announced: watch() and unwatch().
 *
 * They create and drop triggers, and nothing else is stored anywhere.  A
 * statement trigger announces all writes.  Logical replication's apply fires
 * none but for TRUNCATE, so there is a row trigger for replicas, which others
 * do not fire.  Slices have row triggers that never fire, one for each event
 * since a WHEN clause names OLD or NEW: it is their WHEN clauses that note the
 * slices, for the statement trigger.
 *
 * A statement fires the statement triggers of the table that it names only,
 * so each part of a table has its own.  Row triggers a partition gets from its
 * parent, but a table that inherits does not.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "coherence/relation.h"
#include "coherence/slice.h"
#include "coherence/watch.h"
#include "coherence/watch_state.h"
#include "compat.h"

PG_FUNCTION_INFO_V1(dashboard_cache_watch);
PG_FUNCTION_INFO_V1(dashboard_cache_unwatch);
PG_FUNCTION_INFO_V1(dashboard_cache_is_watched);

/*
 * Creating and dropping.  SPI is connected.
 */

static void
dc_execute(const char *command)
{
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", command);
}

static char *
dc_quoted_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

/* Notes the slices, and is never true. */
static void
dc_append_when(StringInfo command, const DcWatchTrigger *trigger,
			   const List *slices)
{
	const char *separator = "";
	ListCell   *cell;

	appendStringInfo(command, "WHEN (dashboard_cache.%s(", trigger->notes);
	foreach(cell, slices)
	{
		for (int i = 0; i < lengthof(trigger->rows); i++)
		{
			if (trigger->rows[i] == NULL)
				continue;
			appendStringInfo(command, "%s%s.%s", separator, trigger->rows[i],
							 quote_identifier(lfirst(cell)));
			separator = ", ";
		}
	}
	appendStringInfoString(command, ")) ");
}

static void
dc_append_arguments(StringInfo command, const List *slices)
{
	const char *separator = "";
	ListCell   *cell;

	foreach(cell, slices)
	{
		appendStringInfo(command, "%s%s", separator,
						 quote_literal_cstr(lfirst(cell)));
		separator = ", ";
	}
}

static void
dc_trigger_enable(const DcWatchTrigger *trigger, const char *table)
{
	dc_execute(psprintf("ALTER TABLE %s ENABLE %sTRIGGER %s", table,
						trigger->enabled == TRIGGER_FIRES_ALWAYS ? "ALWAYS " :
						trigger->enabled == TRIGGER_FIRES_ON_REPLICA ?
						"REPLICA " : "", trigger->name));
}

static void
dc_trigger_create(const DcWatchTrigger *trigger, const char *table,
				  const List *slices)
{
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command,
					 "CREATE OR REPLACE TRIGGER %s AFTER %s ON %s FOR EACH %s ",
					 trigger->name, trigger->events, table,
					 trigger->for_row ? "ROW" : "STATEMENT");
	if (trigger->notes != NULL)
		dc_append_when(&command, trigger, slices);
	appendStringInfoString(&command,
						   "EXECUTE FUNCTION dashboard_cache.touch(");
	if (trigger->takes_slices)
		dc_append_arguments(&command, slices);
	appendStringInfoChar(&command, ')');
	dc_execute(command.data);
	pfree(command.data);
	dc_trigger_enable(trigger, table);
}

static void
dc_watch_table(Oid relation, const List *slices)
{
	DcWatchState state = dc_watch_state(relation);
	char	   *name = dc_quoted_name(relation);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		const DcWatchTrigger *trigger = &dc_watch_triggers[i];

		if (dc_trigger_is_right(&state, i, slices))
			continue;

		/* What comes from the parent can be off, and nothing else. */
		if (state.is_clone[i] || dc_trigger_is_only_off(&state, i, slices))
			dc_trigger_enable(trigger, name);
		else
			dc_trigger_create(trigger, name, slices);
	}
}

/* After the locks no part is missed. */
static List *
dc_lock_tables(Oid relation)
{
	List	   *locked = NIL;
	bool		found = true;

	while (found)
	{
		ListCell   *cell;

		found = false;
		foreach(cell, dc_watch_tables(relation))
		{
			Oid			table = lfirst_oid(cell);

			if (list_member_oid(locked, table))
				continue;
			found = true;
			LockRelationOid(table, ShareRowExclusiveLock);
			locked = lappend_oid(locked, table);
		}
	}
	return dc_watch_tables(relation);
}

void
dc_watch_lock(Oid table)
{
	list_free(dc_lock_tables(table));
}

/* With one slice more for the first. */
static void
dc_watch_each(List *tables, const char *slice)
{
	ListCell   *cell;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	foreach(cell, tables)
	{
		List	   *slices = dc_wanted_slices(lfirst_oid(cell));

		if (slice != NULL && cell == list_head(tables) &&
			!dc_names_has(slices, slice))
			slices = lappend(slices, unconstify(char *, slice));
		dc_watch_table(lfirst_oid(cell), slices);
	}
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

void
dc_watch(Oid relation, const char *slice)
{
	List	   *tables = dc_lock_tables(relation);

	dc_watch_each(tables, slice);
}

/*
 * A table that is watched becomes a partition of one that is: it gets row
 * triggers from its parent, so its own have to go.
 */
void
dc_watch_before_attach(Oid parent, Oid part)
{
	DcWatchState of_parent = dc_watch_state(parent);
	DcWatchState state = dc_watch_state(part);
	char	   *name = dc_quoted_name(part);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (dc_watch_triggers[i].for_row && of_parent.present[i] &&
			state.present[i] && !state.is_clone[i])
			dc_execute(psprintf("DROP TRIGGER %s ON %s",
								dc_watch_triggers[i].name, name));
	}
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

/* Locked; what belongs to others is theirs to watch, and check() tells. */
static List *
dc_own_tables(Oid relation)
{
	List	   *own = NIL;
	ListCell   *cell;

	foreach(cell, dc_watch_tables(relation))
	{
		if (!dc_owns_relation(lfirst_oid(cell)))
			continue;
		LockRelationOid(lfirst_oid(cell), ShareRowExclusiveLock);
		own = lappend_oid(own, lfirst_oid(cell));
	}
	return own;
}

void
dc_watch_repair(Oid table)
{
	ListCell   *cell;

	foreach(cell, dc_relation_roots(table))
	{
		DcWatchState state = dc_watch_state(lfirst_oid(cell));

		if (!dc_watch_is_begun(&state) || dc_tables_are_right(table))
			continue;
		dc_watch_each(dc_own_tables(table), NULL);
		return;
	}
}

/*
 * The SQL functions.
 */

static DcRefusal *dc_refusal(int sqlstate, const char *reason, const char *hint,
							 const char *format,...) pg_attribute_printf(4, 5);

static DcRefusal *
dc_refusal(int sqlstate, const char *reason, const char *hint,
		   const char *format,...)
{
	DcRefusal  *refusal = palloc(sizeof(DcRefusal));
	char		message[1024];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	refusal->sqlstate = sqlstate;
	refusal->reason = reason;
	refusal->message = pstrdup(message);
	refusal->hint = hint;
	return refusal;
}

static DcRefusal *
dc_refusal_of_kind(Oid relation, const char *name)
{
	switch (get_rel_relkind(relation))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_VIEW:
			return dc_refusal(ERRCODE_WRONG_OBJECT_TYPE, "view",
							  "Watch the tables that it reads.",
							  "cannot watch view \"%s\"", name);
		case RELKIND_MATVIEW:
			return dc_refusal(ERRCODE_WRONG_OBJECT_TYPE, "materialized view",
							  "There is no need to: REFRESH invalidates by itself.",
							  "cannot watch materialized view \"%s\"", name);
		case RELKIND_FOREIGN_TABLE:
			return dc_refusal(ERRCODE_WRONG_OBJECT_TYPE, "foreign table",
							  "Nobody here is told of writes to it: give the functions that read it a #ttl.",
							  "cannot watch foreign table \"%s\"", name);
		default:
			return dc_refusal(ERRCODE_WRONG_OBJECT_TYPE, "not a table", NULL,
							  "\"%s\" is not a table", name);
	}
	if (relation < FirstNormalObjectId)
		return dc_refusal(ERRCODE_WRONG_OBJECT_TYPE, "system table",
						  "Give the functions that read it a #ttl.",
						  "cannot watch system table \"%s\"", name);
	if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP)
		return dc_refusal(ERRCODE_WRONG_OBJECT_TYPE, "temporary table",
						  "Results that are made of temporary tables are not kept.",
						  "cannot watch temporary table \"%s\"", name);
	return NULL;
}

static DcRefusal *
dc_refusal_of_owner(Oid relation)
{
	ListCell   *cell;

	foreach(cell, dc_watch_tables(relation))
	{
		if (!dc_owns_relation(lfirst_oid(cell)))
			return dc_refusal(ERRCODE_INSUFFICIENT_PRIVILEGE, "not yours",
							  "Its owner can watch it.",
							  "must be owner of table %s",
							  get_rel_name(lfirst_oid(cell)));
	}
	return NULL;
}

DcRefusal  *
dc_watch_refusal(Oid relation)
{
	char	   *name = get_rel_name(relation);
	Oid			root;
	DcRefusal  *refusal;

	if (name == NULL)
		return dc_refusal(ERRCODE_UNDEFINED_TABLE, "dropped", NULL,
						  "relation with OID %u does not exist", relation);
	refusal = dc_refusal_of_kind(relation, name);
	if (refusal == NULL)
		refusal = dc_refusal_of_owner(relation);
	if (refusal != NULL)
		return refusal;
	root = linitial_oid(dc_relation_roots(relation));
	if (root != relation)
		return dc_refusal(ERRCODE_WRONG_OBJECT_TYPE, "part of another",
						  psprintf("Watch \"%s\": its parts are watched with it.",
								   get_rel_name(root)),
						  "\"%s\" is a part of table \"%s\"", name,
						  get_rel_name(root));
	return NULL;
}

static void
dc_check_watchable(Oid relation)
{
	DcRefusal  *refusal = dc_watch_refusal(relation);

	if (refusal != NULL)
		ereport(ERROR,
				(errcode(refusal->sqlstate),
				 errmsg("%s", refusal->message),
				 refusal->hint == NULL ? 0 : errhint("%s", refusal->hint)));
}

static void
dc_check_slice(Oid relation, const char *slice)
{
	AttrNumber	number = get_attnum(relation, slice);
	Oid			type;

	if (number == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", slice,
						get_rel_name(relation)),
				 errhint("A slice is a column, such as the tenant's number.")));
	type = get_atttype(relation, number);
	if (number < 0 || !dc_slice_type_ok(type))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("column \"%s\" of type %s cannot be a slice", slice,
						format_type_be(type)),
				 errdetail("The type has no equality that can be hashed.")));
	if (dc_relation(relation)->is_virtual[number - 1])
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("virtual generated column \"%s\" cannot be a slice",
						slice),
				 errdetail("Triggers do not see its value.")));
}

/* dashboard_cache.watch(relation regclass, slice name) */
Datum
dashboard_cache_watch(PG_FUNCTION_ARGS)
{
	const char *slice = PG_ARGISNULL(1) ? NULL : NameStr(*PG_GETARG_NAME(1));
	Oid			relation;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("table to watch must not be null")));
	relation = PG_GETARG_OID(0);
	dc_check_watchable(relation);
	if (slice != NULL)
		dc_check_slice(relation, slice);
	dc_watch(relation, slice);
	PG_RETURN_VOID();
}

/* A partition loses with its parent what it has got from it. */
static void
dc_unwatch_table(Oid relation)
{
	DcWatchState state = dc_watch_state(relation);
	char	   *name = dc_quoted_name(relation);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (state.present[i] && !state.is_clone[i])
			dc_execute(psprintf("DROP TRIGGER %s ON %s",
								dc_watch_triggers[i].name, name));
	}
}

static bool
dc_watch_is_begun_on_any(List *tables)
{
	ListCell   *cell;

	foreach(cell, tables)
	{
		DcWatchState state = dc_watch_state(lfirst_oid(cell));

		if (dc_watch_is_begun(&state))
			return true;
	}
	return false;
}

/* dashboard_cache.unwatch(relation regclass) */
Datum
dashboard_cache_unwatch(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	List	   *tables;
	ListCell   *cell;

	dc_check_watchable(relation);
	tables = dc_lock_tables(relation);
	if (!dc_watch_is_begun_on_any(tables))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not watched",
						get_rel_name(relation))));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	foreach(cell, tables)
		dc_unwatch_table(lfirst_oid(cell));
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	PG_RETURN_VOID();
}

/* dashboard_cache.is_watched(relation regclass) */
Datum
dashboard_cache_is_watched(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);

	if (get_rel_name(relation) == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(dc_watch_is_complete(relation));
}
