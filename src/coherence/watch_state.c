/*
 * watch_state.c
 *		Which of watch()'s triggers are on a table.
 *
 * Looks into the catalogs alone, since nobody holds a lock on all parts of a
 * table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/primnodes.h"
#include "nodes/readfuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "coherence/relation.h"
#include "coherence/watch_state.h"

const DcWatchTrigger dc_watch_triggers[DC_WATCH_TRIGGERS] = {
	{"dashboard_cache_write", "INSERT OR UPDATE OR DELETE OR TRUNCATE", false,
	TRIGGER_FIRES_ALWAYS, true, NULL, {NULL}},
	{"dashboard_cache_replica", "INSERT OR UPDATE OR DELETE", true,
	TRIGGER_FIRES_ON_REPLICA, true, NULL, {NULL}},
	{"dashboard_cache_slice_insert", "INSERT", true,
	TRIGGER_FIRES_ON_ORIGIN, false, "note_row", {"NEW"}},
	{"dashboard_cache_slice_update", "UPDATE", true,
	TRIGGER_FIRES_ON_ORIGIN, false, "note_update", {"OLD", "NEW"}},
	{"dashboard_cache_slice_delete", "DELETE", true,
	TRIGGER_FIRES_ON_ORIGIN, false, "note_row", {"OLD"}},
};

bool
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

/*
 * The columns whose values the trigger's WHEN clause notes, as they are named
 * now.
 */
static List *
dc_trigger_columns(Relation triggers, HeapTuple row, int per_column)
{
	Oid			table = ((Form_pg_trigger) GETSTRUCT(row))->tgrelid;
	List	   *columns = NIL;
	bool		isnull;
	Datum		clause = heap_getattr(row, Anum_pg_trigger_tgqual,
									  RelationGetDescr(triggers), &isnull);
	FuncExpr   *call;

	if (isnull)
		return NIL;
	call = stringToNode(TextDatumGetCString(clause));
	for (int i = 0; IsA(call, FuncExpr) && i < list_length(call->args);
		 i += per_column)
	{
		const Var  *value = list_nth(call->args, i);
		char	   *name = NULL;

		if (IsA(value, Var))
			name = get_attname(table, value->varattno, true);
		columns = lappend(columns, name == NULL ? pstrdup("") : name);
	}
	return columns;
}

static List *
dc_trigger_slices(const DcWatchTrigger *trigger, Relation triggers,
				  HeapTuple row)
{
	if (trigger->takes_slices)
		return dc_trigger_arguments(triggers, row);
	if (trigger->notes != NULL)
		return dc_trigger_columns(triggers, row,
								  trigger->rows[1] == NULL ? 1 : 2);
	return NIL;
}

static void
dc_watch_state_add(DcWatchState *state, Relation triggers, HeapTuple row)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(row);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (strcmp(NameStr(trigger->tgname), dc_watch_triggers[i].name) != 0 ||
			!dc_is_touch(trigger->tgfoid))
			continue;
		state->present[i] = true;
		state->enabled[i] = trigger->tgenabled == dc_watch_triggers[i].enabled ||
			trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
		state->is_clone[i] = OidIsValid(trigger->tgparentid);
		state->slices[i] = dc_trigger_slices(&dc_watch_triggers[i], triggers,
											 row);
	}
}

DcWatchState
dc_watch_state(Oid relation)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	DcWatchState state;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	memset(&state, 0, sizeof(state));
	state.relation = relation;
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

bool
dc_watch_is_begun(const DcWatchState *state)
{
	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (state->present[i])
			return true;
	}
	return false;
}

List	   *
dc_watch_slices(const DcWatchState *state)
{
	List	   *slices = NIL;
	ListCell   *cell;

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		foreach(cell, state->slices[i])
		{
			if (!dc_names_has(slices, lfirst(cell)) &&
				get_attnum(state->relation, lfirst(cell)) > 0)
				slices = lappend(slices, lfirst(cell));
		}
	}
	return slices;
}

List	   *
dc_wanted_slices(Oid table)
{
	List	   *roots = dc_relation_roots(table);
	List	   *slices = NIL;
	ListCell   *cell;
	ListCell   *name;

	foreach(cell, roots)
	{
		DcWatchState state = dc_watch_state(lfirst_oid(cell));

		foreach(name, dc_watch_slices(&state))
		{
			if (!dc_names_has(slices, lfirst(name)))
				slices = lappend(slices, lfirst(name));
		}
	}
	return slices;
}

/* Do the names begin with the others? */
static bool
dc_names_begin_with(const List *names, const List *others)
{
	ListCell   *cell;
	ListCell   *other;

	if (list_length(names) < list_length(others))
		return false;
	forboth(cell, names, other, others)
	{
		if (strcmp(lfirst(cell), lfirst(other)) != 0)
			return false;
	}
	return true;
}

static bool
dc_is_for_slices(int i)
{
	return dc_watch_triggers[i].takes_slices ||
		dc_watch_triggers[i].notes != NULL;
}

static bool
dc_is_there(const DcWatchState *state, int i)
{
	return state->present[i] && state->enabled[i];
}

static bool
dc_is_for_these_slices(const DcWatchState *state, int i, const List *slices)
{
	return !dc_is_for_slices(i) ||
		(list_length(state->slices[i]) == list_length(slices) &&
		 dc_names_begin_with(state->slices[i], slices));
}

bool
dc_trigger_is_right(const DcWatchState *state, int i, const List *slices)
{
	if (dc_watch_triggers[i].notes != NULL && slices == NIL)
		return true;
	return dc_is_there(state, i) && dc_is_for_these_slices(state, i, slices);
}

bool
dc_trigger_is_only_off(const DcWatchState *state, int i, const List *slices)
{
	return state->present[i] && !state->enabled[i] &&
		dc_is_for_these_slices(state, i, slices);
}

static bool
dc_table_is_right(Oid table)
{
	DcWatchState state = dc_watch_state(table);
	List	   *slices = dc_wanted_slices(table);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (!dc_trigger_is_right(&state, i, slices))
			return false;
	}
	return true;
}

/* Without regard to slices. */
static bool
dc_table_is_complete(Oid table)
{
	DcWatchState state = dc_watch_state(table);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (dc_watch_triggers[i].notes == NULL && !dc_is_there(&state, i))
			return false;
	}
	return true;
}

/* Whose temporary tables inherit from it has results of its own anyway. */
static bool
dc_is_temporary_table(Oid table)
{
	return get_rel_persistence(table) == RELPERSISTENCE_TEMP;
}

static List *
dc_parts_of(Oid relation, bool with_foreign)
{
	List	   *all = find_all_inheritors(relation, NoLock, NULL);
	List	   *tables = NIL;
	ListCell   *cell;

	foreach(cell, all)
	{
		Oid			table = lfirst_oid(cell);

		if (!dc_is_temporary_table(table) &&
			(with_foreign || get_rel_relkind(table) != RELKIND_FOREIGN_TABLE))
			tables = lappend_oid(tables, table);
	}
	return tables;
}

List	   *
dc_watch_tables(Oid relation)
{
	return dc_parts_of(relation, false);
}

bool
dc_tables_are_right(Oid relation)
{
	ListCell   *cell;

	foreach(cell, dc_watch_tables(relation))
	{
		if (!dc_table_is_right(lfirst_oid(cell)))
			return false;
	}
	return true;
}

static bool
dc_root_is_complete(Oid root)
{
	ListCell   *cell;

	/* Foreign ones have no such triggers. */
	foreach(cell, dc_parts_of(root, true))
	{
		if (!dc_table_is_complete(lfirst_oid(cell)))
			return false;
	}
	return true;
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
		if (!dc_root_is_complete(lfirst_oid(cell)))
			return false;
	}
	return true;
}

/*
 * A statement on the root meets what the triggers of all its parts have noted,
 * so for all of them a slice column has to stand in the same place.
 */
static bool
dc_table_has_slices(Oid table, const List *slices)
{
	DcWatchState state = dc_watch_state(table);

	for (int i = 0; i < DC_WATCH_TRIGGERS; i++)
	{
		if (dc_is_for_slices(i) &&
			!(dc_is_there(&state, i) &&
			  dc_names_begin_with(state.slices[i], slices)))
			return false;
	}
	return true;
}

List	   *
dc_watched_slices(Oid root)
{
	DcWatchState state = dc_watch_state(root);
	List	   *slices = dc_watch_slices(&state);
	ListCell   *cell;

	if (slices == NIL)
		return NIL;
	foreach(cell, dc_parts_of(root, true))
	{
		if (!dc_table_has_slices(lfirst_oid(cell), slices))
			return NIL;
	}
	return slices;
}
