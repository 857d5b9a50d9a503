/*
 * watch.c
 *		Tables whose writes are announced: watch() and unwatch().
 *
 * They create and drop triggers, and nothing else is stored anywhere.  A
 * statement trigger announces INSERT, UPDATE and DELETE, and another one, that
 * fires for replicas too, TRUNCATE.  Logical replication's apply, and sessions
 * that replicate by themselves, fire no statement triggers, so there is a row
 * trigger for those, which others do not fire.  Slices have row triggers, one
 * for each event, since a WHEN clause names OLD or NEW.
 *
 * A statement fires the statement triggers of the table that it names only,
 * so each part of a table has its own.  Row triggers a partition gets from its
 * parent, but a table that inherits does not.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "coherence/relation.h"
#include "coherence/slice.h"
#include "coherence/watch.h"
#include "compat.h"

PG_FUNCTION_INFO_V1(dashboard_cache_watch);
PG_FUNCTION_INFO_V1(dashboard_cache_unwatch);
PG_FUNCTION_INFO_V1(dashboard_cache_is_watched);

typedef struct DcWatchTrigger
{
	const char *name;
	const char *events;
	bool		for_row;
	char		enabled;		/* as in pg_trigger.tgenabled */
	const char *rows[2];		/* in WHEN; NULL unless it is for slices */
} DcWatchTrigger;

static const DcWatchTrigger watch_triggers[] = {
	{"dashboard_cache_write", "INSERT OR UPDATE OR DELETE", false,
	TRIGGER_FIRES_ON_ORIGIN, {NULL}},
	{"dashboard_cache_truncate", "TRUNCATE", false,
	TRIGGER_FIRES_ALWAYS, {NULL}},
	{"dashboard_cache_replica", "INSERT OR UPDATE OR DELETE", true,
	TRIGGER_FIRES_ON_REPLICA, {NULL}},
	{"dashboard_cache_slice_insert", "INSERT", true,
	TRIGGER_FIRES_ALWAYS, {"NEW"}},
	{"dashboard_cache_slice_update", "UPDATE", true,
	TRIGGER_FIRES_ALWAYS, {"OLD", "NEW"}},
	{"dashboard_cache_slice_delete", "DELETE", true,
	TRIGGER_FIRES_ALWAYS, {"OLD"}},
};

#define DC_WATCH_TRIGGERS lengthof(watch_triggers)

/* What is there of them on a table. */
typedef struct DcWatchState
{
	bool		present[DC_WATCH_TRIGGERS];
	bool		enabled[DC_WATCH_TRIGGERS]; /* as they should be */
	bool		is_clone[DC_WATCH_TRIGGERS];	/* comes from the parent */
	List	   *slices[DC_WATCH_TRIGGERS];	/* the arguments: char * */
} DcWatchState;

/*
 * Looking: in the catalog alone, since nobody holds a lock on the parts.
 */

static bool
dc_is_touch(Oid function)
{
	const char *name = get_func_name(function);
	const char *schema = get_namespace_name(get_func_namespace(function));

	return name != NULL && schema != NULL && strcmp(name, "touch") == 0 &&
		strcmp(schema, "dashboard_cache") == 0;
}

/* The arguments of a trigger: strings, one after the other. */
static List *
dc_trigger_arguments(Relation triggers, HeapTuple row)
{
	bool		isnull;
	Datum		bytes = heap_getattr(row, Anum_pg_trigger_tgargs,
									 RelationGetDescr(triggers), &isnull);
	const char *p = VARDATA_ANY(DatumGetByteaPP(bytes));
	List	   *arguments = NIL;

	for (int i = 0; i < ((Form_pg_trigger) GETSTRUCT(row))->tgnargs; i++)
	{
		arguments = lappend(arguments, pstrdup(p));
		p += strlen(p) + 1;
	}
	return arguments;
}

static void
dc_watch_state_add(DcWatchState *state, Relation triggers, HeapTuple row)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(row);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (strcmp(NameStr(trigger->tgname), watch_triggers[i].name) != 0 ||
			!dc_is_touch(trigger->tgfoid))
			continue;
		state->present[i] = true;
		state->enabled[i] = trigger->tgenabled == watch_triggers[i].enabled ||
			trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
		state->is_clone[i] = OidIsValid(trigger->tgparentid);
		state->slices[i] = dc_trigger_arguments(triggers, row);
	}
}

static DcWatchState
dc_watch_state(Oid relation)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	DcWatchState state;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	memset(&state, 0, sizeof(state));
	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, NULL,
							  1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
		dc_watch_state_add(&state, triggers, row);
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return state;
}

/* Is it to be watched, whatever has become of that? */
static bool
dc_watch_is_begun(const DcWatchState *state)
{
	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (state->present[i])
			return true;
	}
	return false;
}

static bool
dc_names_has(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* All slice columns that any of the triggers has. */
static List *
dc_watch_slices(const DcWatchState *state)
{
	List	   *slices = NIL;
	ListCell   *cell;

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		foreach(cell, state->slices[i])
		{
			if (!dc_names_has(slices, lfirst(cell)))
				slices = lappend(slices, lfirst(cell));
		}
	}
	return slices;
}

/* Is a trigger as it should be, for these slices? */
static bool
dc_trigger_is_right(const DcWatchState *state, int i, const List *slices)
{
	ListCell   *cell;

	if (watch_triggers[i].rows[0] == NULL)
		return state->present[i] && state->enabled[i];
	if (slices == NIL)
		return true;
	foreach(cell, slices)
	{
		if (!dc_names_has(state->slices[i], lfirst(cell)))
			return false;
	}
	return state->enabled[i];
}

static bool
dc_table_is_right(Oid relation, const List *slices)
{
	DcWatchState state = dc_watch_state(relation);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (!dc_trigger_is_right(&state, i, slices))
			return false;
	}
	return true;
}

/* The table and its parts, parts of parts, and so on, foreign ones apart. */
static List *
dc_watch_tables(Oid relation)
{
	List	   *all = find_all_inheritors(relation, NoLock, NULL);
	List	   *tables = NIL;
	ListCell   *cell;

	foreach(cell, all)
	{
		if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_FOREIGN_TABLE)
			tables = lappend_oid(tables, lfirst_oid(cell));
	}
	return tables;
}

static bool
dc_tables_are_right(Oid relation, const List *slices)
{
	ListCell   *cell;

	foreach(cell, dc_watch_tables(relation))
	{
		if (!dc_table_is_right(lfirst_oid(cell), slices))
			return false;
	}
	return true;
}

/* No part of the root is foreign, and all have what the root has. */
static bool
dc_root_is_right(Oid root)
{
	DcWatchState state = dc_watch_state(root);
	List	   *all = find_all_inheritors(root, NoLock, NULL);

	return list_length(all) == list_length(dc_watch_tables(root)) &&
		dc_tables_are_right(root, dc_watch_slices(&state));
}

bool
dc_watch_is_complete(Oid relation)
{
	ListCell   *cell;

	/* REFRESH announces itself. */
	if (get_rel_relkind(relation) == RELKIND_MATVIEW)
		return true;
	foreach(cell, dc_relation_roots(relation))
	{
		if (!dc_root_is_right(lfirst_oid(cell)))
			return false;
	}
	return true;
}

bool
dc_watch_has_slice(Oid relation, const char *column)
{
	DcWatchState state = dc_watch_state(relation);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (watch_triggers[i].rows[0] != NULL &&
			!(state.enabled[i] && dc_names_has(state.slices[i], column)))
			return false;
	}
	return true;
}

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

/* WHEN the row is the first of one of its slices. */
static void
dc_append_when(StringInfo command, const DcWatchTrigger *trigger,
			   const List *slices)
{
	const char *separator = "WHEN (";
	ListCell   *cell;

	foreach(cell, slices)
	{
		for (int i = 0; i < lengthof(trigger->rows); i++)
		{
			if (trigger->rows[i] == NULL)
				continue;
			appendStringInfo(command,
							 "%sdashboard_cache.first_of_slice(%s.%s)",
							 separator, trigger->rows[i],
							 quote_identifier(lfirst(cell)));
			separator = " OR ";
		}
	}
	appendStringInfoString(command, ") ");
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
dc_trigger_create(const DcWatchTrigger *trigger, const char *table,
				  const List *slices)
{
	bool		for_slices = trigger->rows[0] != NULL;
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command,
					 "CREATE OR REPLACE TRIGGER %s AFTER %s ON %s FOR EACH %s ",
					 trigger->name, trigger->events, table,
					 trigger->for_row ? "ROW" : "STATEMENT");
	if (for_slices)
		dc_append_when(&command, trigger, slices);
	appendStringInfoString(&command,
						   "EXECUTE FUNCTION dashboard_cache.touch(");
	if (for_slices)
		dc_append_arguments(&command, slices);
	appendStringInfoChar(&command, ')');
	dc_execute(command.data);

	resetStringInfo(&command);
	appendStringInfo(&command, "ALTER TABLE %s ENABLE %sTRIGGER %s", table,
					 trigger->enabled == TRIGGER_FIRES_ALWAYS ? "ALWAYS " :
					 trigger->enabled == TRIGGER_FIRES_ON_REPLICA ? "REPLICA " :
					 "", trigger->name);
	dc_execute(command.data);
	pfree(command.data);
}

static void
dc_watch_table(Oid relation, const List *slices)
{
	DcWatchState state = dc_watch_state(relation);
	char	   *name = dc_quoted_name(relation);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		const DcWatchTrigger *trigger = &watch_triggers[i];
		StringInfoData command;

		if (dc_trigger_is_right(&state, i, slices))
			continue;
		if (!state.is_clone[i])
		{
			dc_trigger_create(trigger, name, slices);
			continue;
		}

		/* It comes from the parent, so only that it is off can be wrong. */
		initStringInfo(&command);
		appendStringInfo(&command, "ALTER TABLE %s ENABLE %s TRIGGER %s", name,
						 trigger->enabled == TRIGGER_FIRES_ALWAYS ? "ALWAYS" :
						 "REPLICA", trigger->name);
		dc_execute(command.data);
	}
}

/*
 * Who makes a table a part of another locks that against what we lock it
 * against, so after the lock no part is missed.
 */
static void
dc_watch_tables_with(Oid relation, const List *slices)
{
	List	   *done = NIL;
	bool		found = true;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	while (found)
	{
		ListCell   *cell;

		found = false;
		foreach(cell, dc_watch_tables(relation))
		{
			Oid			table = lfirst_oid(cell);

			if (list_member_oid(done, table))
				continue;
			found = true;
			done = lappend_oid(done, table);
			LockRelationOid(table, ShareRowExclusiveLock);
			if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table)))
				dc_watch_table(table, slices);
		}
	}
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

void
dc_watch(Oid relation, const char *slice)
{
	DcWatchState state = dc_watch_state(relation);
	List	   *slices = dc_watch_slices(&state);

	if (slice != NULL && !dc_names_has(slices, slice))
		slices = lappend(slices, pstrdup(slice));
	if (!dc_tables_are_right(relation, slices))
		dc_watch_tables_with(relation, slices);
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
		if (watch_triggers[i].for_row && of_parent.present[i] &&
			state.present[i] && !state.is_clone[i])
			dc_execute(psprintf("DROP TRIGGER %s ON %s",
								watch_triggers[i].name, name));
	}
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

void
dc_watch_after_attach(Oid part)
{
	ListCell   *cell;

	foreach(cell, dc_relation_roots(part))
	{
		DcWatchState state = dc_watch_state(lfirst_oid(cell));
		List	   *slices = dc_watch_slices(&state);

		if (dc_watch_is_begun(&state) && !dc_tables_are_right(part, slices))
			dc_watch_tables_with(part, slices);
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
								watch_triggers[i].name, name));
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
	tables = dc_watch_tables(relation);
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
