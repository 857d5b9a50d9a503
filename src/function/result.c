/*
 * result.c
 *		A result between the query, the caller and the store.
 *
 * A scalar is kept as its flat datum, everything else as minimal tuples, each
 * on a MAXALIGN boundary.  Flat means: nothing points anywhere, neither into
 * a TOAST table nor into memory.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "compat.h"
#include "function/layout.h"
#include "function/result.h"

/* How the columns of the query's rows become those of the result. */
typedef enum DcShape
{
	DC_SHAPE_SCALAR,			/* one column, one value */
	DC_SHAPE_COLUMNS,			/* column by column */
	DC_SHAPE_WHOLE_ROW,			/* one column that holds the composite */
} DcShape;

typedef struct DcReceiver
{
	DestReceiver dest;			/* must be first */
	const DcFunction *function;
	DcResult   *result;
	DcShape		shape;
	MemoryContext context;		/* of the result */
	MemoryContext scratch;		/* emptied after each row */
} DcReceiver;

/*
 * Checks.
 */

static bool
dc_type_fits(Oid actual, Oid declared)
{
	/* A domain's checks are not run here, so it must be cast to. */
	return actual == declared ||
		(IsBinaryCoercible(actual, declared) &&
		 get_typtype(declared) != TYPTYPE_DOMAIN);
}

static void
dc_result_mismatch(const DcFunction *function, int column, Oid actual,
				   Oid declared)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			 errmsg("query of cached function \"%s\" does not return the declared type",
					function->name),
			 errdetail("Column %d is of type %s, and %s is declared.",
					   column, format_type_be(actual),
					   format_type_be(declared)),
			 errhint("Cast the column: \"...::%s\".", format_type_be(declared))));
}

static int
dc_live_columns(TupleDesc columns)
{
	int			n = 0;

	for (int i = 0; i < columns->natts; i++)
		n += !TupleDescAttr(columns, i)->attisdropped;
	return n;
}

static void
dc_check_column_count(const DcFunction *function, int actual, int declared)
{
	if (actual != declared)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("query of cached function \"%s\" does not return the declared columns",
						function->name),
				 errdetail("It returns %d, and %d are declared.",
						   actual, declared)));
}

/*
 * A record that merely has as many fields is not a whole row: what is in it is
 * known only when it is there.
 */
static DcShape
dc_result_shape(const DcFunction *function, TupleDesc columns)
{
	if (!function->is_composite)
		return DC_SHAPE_SCALAR;
	if (columns->natts == 1 && function->result.oid != RECORDOID &&
		TupleDescAttr(columns, 0)->atttypid == function->result.oid)
		return DC_SHAPE_WHOLE_ROW;
	return DC_SHAPE_COLUMNS;
}

void
dc_result_check(const DcFunction *function, TupleDesc columns)
{
	TupleDesc	declared = function->columns;
	int			n = 0;
	Oid			type;

	switch (dc_result_shape(function, columns))
	{
		case DC_SHAPE_WHOLE_ROW:
			break;
		case DC_SHAPE_SCALAR:
			dc_check_column_count(function, columns->natts, 1);
			type = TupleDescAttr(columns, 0)->atttypid;
			if (!dc_type_fits(type, function->result.oid))
				dc_result_mismatch(function, 1, type, function->result.oid);
			break;
		case DC_SHAPE_COLUMNS:
			if (get_typtype(function->result.oid) == TYPTYPE_DOMAIN)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
						 errmsg("query of cached function \"%s\" does not return the declared type",
								function->name),
						 errhint("Return one column that is cast to the domain: \"ROW(...)::%s\".",
								 format_type_be(function->result.oid))));
			dc_check_column_count(function, columns->natts,
								  dc_live_columns(declared));
			for (int i = 0; i < declared->natts; i++)
			{
				if (TupleDescAttr(declared, i)->attisdropped)
					continue;
				type = TupleDescAttr(columns, n++)->atttypid;
				if (!dc_type_fits(type, TupleDescAttr(declared, i)->atttypid))
					dc_result_mismatch(function, n, type,
									   TupleDescAttr(declared, i)->atttypid);
			}
			break;
	}
}

/*
 * Taking the query's rows.
 */

/* A copy without pointers; nothing to do for what is not a varlena. */
static Datum
dc_flat_datum(Datum value, bool by_value, int16 length)
{
	if (by_value)
		return value;
	if (length == -1)
		return PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	return datumCopy(value, by_value, length);
}

static Size
dc_datum_bytes(const DcFunction *function, Datum value)
{
	return function->result.by_value ? sizeof(Datum) :
		datumGetSize(value, false, function->result.length);
}

/* Forms the declared row of the values that are there, flat. */
static MinimalTuple
dc_form_row(TupleDesc declared, TupleTableSlot *slot)
{
	Datum	   *values = palloc0(declared->natts * sizeof(Datum));
	bool	   *nulls = palloc0(declared->natts * sizeof(bool));
	int			n = 0;

	for (int i = 0; i < declared->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(declared, i);

		nulls[i] = column->attisdropped || slot->tts_isnull[n];
		if (!nulls[i])
			values[i] = column->attlen == -1 ?
				PointerGetDatum(PG_DETOAST_DATUM(slot->tts_values[n])) :
				slot->tts_values[n];
		n += !column->attisdropped;
	}
	return dc_form_minimal_tuple(declared, values, nulls);
}

/* The row that a composite of the declared type holds. */
static MinimalTuple
dc_row_of_composite(TupleDesc declared, Datum composite)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(composite);
	HeapTupleData tuple = {
		.t_len = HeapTupleHeaderGetDatumLength(header),
		.t_data = header,
	};
	Datum	   *values = palloc(declared->natts * sizeof(Datum));
	bool	   *nulls = palloc(declared->natts * sizeof(bool));
	TupleDesc	actual;
	bool		same;

	actual = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
									HeapTupleHeaderGetTypMod(header));
	same = dc_layout_add_columns(0, actual) ==
		dc_layout_add_columns(0, declared);
	ReleaseTupleDesc(actual);
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type of a cached function's result was changed while it ran")));

	heap_deform_tuple(&tuple, declared, values, nulls);
	for (int i = 0; i < declared->natts; i++)
	{
		if (!nulls[i] && TupleDescAttr(declared, i)->attlen == -1)
			values[i] = PointerGetDatum(PG_DETOAST_DATUM(values[i]));
	}
	return dc_form_minimal_tuple(declared, values, nulls);
}

static void
dc_take_scalar(DcReceiver *self, TupleTableSlot *slot)
{
	const DcType *type = &self->function->result;
	DcResult   *result = self->result;
	MemoryContext old_context;

	result->isnull = slot->tts_isnull[0];
	if (result->isnull)
		return;
	old_context = MemoryContextSwitchTo(self->context);
	result->value = dc_flat_datum(slot->tts_values[0], type->by_value,
								  type->length);
	MemoryContextSwitchTo(old_context);
	result->size = dc_datum_bytes(self->function, result->value);
}

static void
dc_take_row(DcReceiver *self, TupleTableSlot *slot)
{
	TupleDesc	declared = self->function->columns;
	DcResult   *result = self->result;
	MemoryContext old_context = MemoryContextSwitchTo(self->scratch);
	MinimalTuple row = NULL;

	if (self->shape != DC_SHAPE_WHOLE_ROW)
		row = dc_form_row(declared, slot);
	else if (!slot->tts_isnull[0])
		row = dc_row_of_composite(declared, slot->tts_values[0]);
	else if (result->rows != NULL)
		row = dc_form_minimal_tuple(declared,
									palloc0(declared->natts * sizeof(Datum)),
									memset(palloc(declared->natts), true,
										   declared->natts));
	if (row != NULL)
		result->size += MAXALIGN(row->t_len);

	if (result->rows != NULL)
	{
		TupleTableSlot *out = MakeSingleTupleTableSlot(declared,
													   &TTSOpsMinimalTuple);

		ExecStoreMinimalTuple(row, out, false);
		tuplestore_puttupleslot(result->rows, out);
		ExecDropSingleTupleTableSlot(out);
	}
	else
	{
		result->isnull = row == NULL;
		MemoryContextSwitchTo(self->context);
		result->row = row == NULL ? NULL : dc_copy_minimal_tuple(row);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(self->scratch);
}

/* False ends the query: a single value takes the first row only. */
static bool
dc_receive_slot(TupleTableSlot *slot, DestReceiver *dest)
{
	DcReceiver *self = (DcReceiver *) dest;

	slot_getallattrs(slot);
	if (self->function->columns == NULL)
		dc_take_scalar(self, slot);
	else
		dc_take_row(self, slot);
	return self->function->returns_set;
}

static void
dc_receiver_startup(DestReceiver *dest, int operation, TupleDesc columns)
{
	DcReceiver *self = (DcReceiver *) dest;

	/* What the query returns can have changed with what it reads. */
	dc_result_check(self->function, columns);
	self->shape = dc_result_shape(self->function, columns);
}

static void
dc_receiver_shutdown(DestReceiver *dest)
{
}

static void
dc_receiver_destroy(DestReceiver *dest)
{
	MemoryContextDelete(((DcReceiver *) dest)->scratch);
}

/* Where a set goes: a tuplestore that lives as long as the caller's query. */
static Tuplestorestate *
dc_begin_set(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old_context;
	Tuplestorestate *rows;
	bool		random;

	if (info == NULL || !IsA(info, ReturnSetInfo) ||
		(info->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	old_context = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	random = (info->allowedModes & SFRM_Materialize_Random) != 0;
	rows = tuplestore_begin_heap(random, false, work_mem);
	MemoryContextSwitchTo(old_context);
	return rows;
}

DestReceiver *
dc_result_receiver(const DcFunction *function, FunctionCallInfo fcinfo,
				   DcResult *result)
{
	DcReceiver *self = palloc0(sizeof(DcReceiver));

	self->dest.receiveSlot = dc_receive_slot;
	self->dest.rStartup = dc_receiver_startup;
	self->dest.rShutdown = dc_receiver_shutdown;
	self->dest.rDestroy = dc_receiver_destroy;
	self->dest.mydest = DestNone;
	self->function = function;
	self->result = result;
	self->context = CurrentMemoryContext;
	self->scratch = AllocSetContextCreate(CurrentMemoryContext,
										  "dashboard_cache row",
										  ALLOCSET_SMALL_SIZES);
	memset(result, 0, sizeof(*result));
	result->isnull = !function->returns_set;
	if (function->returns_set)
		result->rows = dc_begin_set(fcinfo);
	return &self->dest;
}

/*
 * To and from the store's bytes.
 */

static char *
dc_append_row(char *to, MinimalTuple row)
{
	memcpy(to, row, row->t_len);
	return to + MAXALIGN(row->t_len);
}

static void
dc_flatten_set(const DcFunction *function, Tuplestorestate *rows, char *to)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(function->columns,
													&TTSOpsMinimalTuple);

	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		should_free;
		MinimalTuple row = ExecFetchSlotMinimalTuple(slot, &should_free);

		to = dc_append_row(to, row);
		if (should_free)
			heap_free_minimal_tuple(row);
	}
	ExecDropSingleTupleTableSlot(slot);
}

DcValue
dc_result_flatten(const DcFunction *function, const DcResult *result)
{
	DcValue		value = {.isnull = result->isnull,.size = result->size};

	if (value.size == 0)
		return value;
	value.bytes = MemoryContextAllocHuge(CurrentMemoryContext, value.size);
	if (result->rows != NULL)
		dc_flatten_set(function, result->rows, value.bytes);
	else if (result->row != NULL)
		dc_append_row(value.bytes, result->row);
	else if (function->result.by_value)
		memcpy(value.bytes, &result->value, value.size);
	else
		memcpy(value.bytes, DatumGetPointer(result->value), value.size);
	return value;
}

/* The composite value that the row is. */
static Datum
dc_row_datum(const DcFunction *function, MinimalTuple row)
{
	HeapTuple	tuple = heap_tuple_from_minimal_tuple(row);

	return heap_copy_tuple_as_datum(tuple, function->columns);
}

static Datum
dc_return_set(const DcFunction *function, FunctionCallInfo fcinfo,
			  Tuplestorestate *rows)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context = info->econtext->ecxt_per_query_memory;
	MemoryContext old_context = MemoryContextSwitchTo(context);

	tuplestore_rescan(rows);
	info->returnMode = SFRM_Materialize;
	info->setResult = rows;
	info->setDesc = CreateTupleDescCopy(function->columns);
	MemoryContextSwitchTo(old_context);
	fcinfo->isnull = true;
	return (Datum) 0;
}

Datum
dc_result_return(const DcFunction *function, FunctionCallInfo fcinfo,
				 DcResult *result)
{
	if (function->returns_set)
		return dc_return_set(function, fcinfo, result->rows);
	fcinfo->isnull = result->isnull;
	if (result->isnull)
		return (Datum) 0;
	return function->columns != NULL ? dc_row_datum(function, result->row) :
		result->value;
}

static Datum
dc_return_stored_set(const DcFunction *function, FunctionCallInfo fcinfo,
					 DcValue *value)
{
	Tuplestorestate *rows = dc_begin_set(fcinfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(function->columns,
													&TTSOpsMinimalTuple);

	for (Size at = 0; at < value->size;)
	{
		MinimalTuple row = (MinimalTuple) (value->bytes + at);

		ExecStoreMinimalTuple(row, slot, false);
		tuplestore_puttupleslot(rows, slot);
		at += MAXALIGN(row->t_len);
	}
	ExecDropSingleTupleTableSlot(slot);
	return dc_return_set(function, fcinfo, rows);
}

Datum
dc_result_return_value(const DcFunction *function, FunctionCallInfo fcinfo,
					   DcValue *value)
{
	if (function->returns_set)
		return dc_return_stored_set(function, fcinfo, value);
	fcinfo->isnull = value->isnull;
	if (value->isnull)
		return (Datum) 0;
	if (function->columns != NULL)
		return dc_row_datum(function, (MinimalTuple) value->bytes);
	if (function->result.by_value)
		return *(Datum *) value->bytes;
	return PointerGetDatum(value->bytes);
}
