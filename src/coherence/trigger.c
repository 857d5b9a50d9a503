/*
 * trigger.c
 *		The trigger function dashboard_cache.invalidate('pattern', ...).
 *
 * A pattern may name columns; it is then made once from OLD and once from
 * NEW, for a row or for each row of the transition tables.  A statement
 * trigger that does not have those, or for an UPDATE not both, does not know
 * the rows, so there a column stands for any value.
 *
 * The parsed patterns are kept in the trigger's FmgrInfo, that is, for the
 * statement.
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "coherence/pending.h"
#include "coherence/template.h"
#include "compat.h"

PG_FUNCTION_INFO_V1(dashboard_cache_invalidate);

/* What a call works with; kept in fn_extra. */
typedef struct DcInvalidation
{
	int			n_patterns;
	DcTemplate **patterns;
	bool		per_row;		/* some pattern names a column */
	MemoryContext scratch;		/* emptied after each row */
} DcInvalidation;

/* The row whose columns are asked for; no slot: they are not known. */
typedef struct DcTriggerRow
{
	TupleDesc	tupdesc;
	HeapTuple	tuple;
} DcTriggerRow;

static int
dc_column_number(const char *name, void *arg)
{
	TupleDesc	tupdesc = arg;
	int			number = SPI_fnumber(tupdesc, name);

	if (number <= 0)
		return -1;
	if (TupleDescAttr(tupdesc, number - 1)->attgenerated == DC_GENERATED_VIRTUAL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" is a virtual generated column, whose value triggers do not see",
						name),
				 errhint("Name the columns that it is computed from, or write \"*\".")));
	return number;
}

static DcFieldValue
dc_column_value(int number, void *arg)
{
	DcTriggerRow *row = arg;
	DcFieldValue field = {.any = row->tuple == NULL};

	if (!field.any)
	{
		field.type = SPI_gettypeid(row->tupdesc, number);
		field.value = heap_getattr(row->tuple, number, row->tupdesc,
								   &field.isnull);
	}
	return field;
}

static void
dc_check_trigger(FunctionCallInfo fcinfo)
{
	Trigger    *trigger;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("dashboard_cache.invalidate() must be called as a trigger"),
				 errhint("To invalidate by hand, call dashboard_cache.invalidate_pattern().")));

	trigger = ((TriggerData *) fcinfo->context)->tg_trigger;
	if (trigger->tgnargs == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger \"%s\" gives dashboard_cache.invalidate() no pattern",
						trigger->tgname),
				 errhint("Write EXECUTE FUNCTION dashboard_cache.invalidate('pattern').")));

	/* Until it fired, the transaction would be served what it has changed. */
	if (trigger->tgdeferrable)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("trigger \"%s\", which executes dashboard_cache.invalidate(), must not be deferrable",
						trigger->tgname),
				 errhint("The invalidation takes effect at commit anyway: create the trigger without DEFERRABLE.")));
}

static DcInvalidation *
dc_invalidation_parse(FmgrInfo *flinfo, Trigger *trigger, TupleDesc tupdesc)
{
	MemoryContext old_context = MemoryContextSwitchTo(flinfo->fn_mcxt);
	DcInvalidation *self = palloc0(sizeof(DcInvalidation));

	self->n_patterns = trigger->tgnargs;
	self->patterns = palloc(self->n_patterns * sizeof(DcTemplate *));
	for (int i = 0; i < self->n_patterns; i++)
	{
		const char *text = trigger->tgargs[i];
		char	   *what = psprintf("pattern \"%s\" of trigger \"%s\"", text,
									trigger->tgname);

		self->patterns[i] = dc_template_parse(text, what, dc_column_number,
											  tupdesc);
		self->per_row |= dc_template_has_fields(self->patterns[i]);
		pfree(what);
	}
	if (self->per_row && TRIGGER_FOR_ROW(trigger->tgtype) &&
		TRIGGER_FOR_BEFORE(trigger->tgtype))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("trigger \"%s\" takes columns from a row before it is final",
						trigger->tgname),
				 errdetail("Other BEFORE triggers may change the row, and generated columns are not computed yet."),
				 errhint("Create the trigger AFTER the event.")));
	self->scratch = AllocSetContextCreate(flinfo->fn_mcxt,
										  "dashboard_cache trigger",
										  ALLOCSET_SMALL_SIZES);
	flinfo->fn_extra = self;
	MemoryContextSwitchTo(old_context);
	return self;
}

static void
dc_invalidate_row(DcInvalidation *self, TupleDesc tupdesc, HeapTuple tuple)
{
	MemoryContext old_context = MemoryContextSwitchTo(self->scratch);
	DcTriggerRow row = {.tupdesc = tupdesc,.tuple = tuple};

	for (int i = 0; i < self->n_patterns; i++)
	{
		StringInfoData text;
		DcPattern	pattern;

		initStringInfo(&text);
		dc_template_expand(self->patterns[i], DC_TEMPLATE_PATTERN,
						   dc_column_value, &row, &text);
		pattern = dc_pattern_parse(text.data, text.len, true);
		dc_pending_add_pattern(&pattern);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(self->scratch);
}

static void
dc_invalidate_rows(DcInvalidation *self, TupleDesc tupdesc,
				   Tuplestorestate *rows)
{
	TupleTableSlot *slot;

	if (rows == NULL)
		return;
	slot = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		should_free;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, true, &should_free);

		dc_invalidate_row(self, tupdesc, tuple);
		if (should_free)
			heap_freetuple(tuple);
		CHECK_FOR_INTERRUPTS();
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* Of a statement: are all rows in the transition tables, old and new? */
static bool
dc_knows_rows(TriggerData *data)
{
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		return data->tg_oldtable != NULL && data->tg_newtable != NULL;
	return data->tg_oldtable != NULL || data->tg_newtable != NULL;
}

/* What a trigger has to return, so that a row is written as it would be. */
static Datum
dc_trigger_result(TriggerData *data)
{
	if (TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) ||
		TRIGGER_FIRED_AFTER(data->tg_event))
		return PointerGetDatum(NULL);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(data->tg_event) ?
						   data->tg_newtuple : data->tg_trigtuple);
}

Datum
dashboard_cache_invalidate(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	DcInvalidation *self = fcinfo->flinfo->fn_extra;
	TupleDesc	tupdesc;

	dc_check_trigger(fcinfo);
	tupdesc = RelationGetDescr(data->tg_relation);
	if (self == NULL)
		self = dc_invalidation_parse(fcinfo->flinfo, data->tg_trigger,
									 tupdesc);

	if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
	{
		dc_invalidate_row(self, tupdesc, data->tg_trigtuple);
		if (self->per_row && TRIGGER_FIRED_BY_UPDATE(data->tg_event))
			dc_invalidate_row(self, tupdesc, data->tg_newtuple);
	}
	else if (self->per_row && dc_knows_rows(data))
	{
		dc_invalidate_rows(self, tupdesc, data->tg_oldtable);
		dc_invalidate_rows(self, tupdesc, data->tg_newtable);
	}
	else
		dc_invalidate_row(self, tupdesc, NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		dc_pending_add_unversioned();
	return dc_trigger_result(data);
}
