/*
 * wire.c
 *		Values as Redis holds them.
 *
 * A single json, jsonb, text or xml is written as it prints.  All else is
 * written as its type's send function does, and read by its receive function;
 * a row, as COPY's binary format has it, as the number of its columns and then
 * the length (-1: NULL) and the bytes of each; and a set as its rows, one after
 * the other.
 *
 * Such functions can fail, for a reason as good as a label that an enum has no
 * longer, and a cache may not fail: so they run in a subtransaction, and an
 * error means that the value cannot be had from Redis.  They also convert
 * text to and from the client's encoding; meanwhile that is the server's.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "compat.h"
#include "function/wire.h"
#include "function/wire_type.h"

/* A jsonb of fewer bytes prints as less than what palloc gives. */
#define DC_SURE_TO_PRINT (64 * 1024 * 1024)

/* What is done in a subtransaction. */
typedef struct DcWireJob
{
	DcFunction *function;
	StringInfoData in;
	StringInfoData out;
	DcValue    *value;
} DcWireJob;

/*
 * Subtransactions.
 */

/* Errors other than the end of the query make it false. */
static bool
dc_guarded(void (*work) (DcWireJob *), DcWireJob *job)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int			encoding = pg_get_client_encoding();
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		SetClientEncoding(GetDatabaseEncoding());
		work(job);
		SetClientEncoding(encoding);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		SetClientEncoding(encoding);
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}

/*
 * Writing.
 */

static void
dc_wire_put(DcWireType *type, Datum value, StringInfo out)
{
	if (type->as_stored)
	{
		struct varlena *stored = PG_DETOAST_DATUM_PACKED(value);

		appendBinaryStringInfo(out, VARDATA_ANY(stored),
							   VARSIZE_ANY_EXHDR(stored));
	}
	else
	{
		bytea	   *bytes = SendFunctionCall(&type->write, value);

		appendBinaryStringInfo(out, VARDATA(bytes),
							   VARSIZE(bytes) - VARHDRSZ);
	}
}

static void
dc_wire_put_row(DcFunction *function, TupleTableSlot *slot, StringInfo out)
{
	DcWire	   *wire = dc_wire_of(function);

	slot_getallattrs(slot);
	pq_sendint32(out, wire->n_live);
	for (int i = 0; i < wire->n; i++)
	{
		int			at = out->len;
		uint32		length;

		if (TupleDescAttr(function->columns, i)->attisdropped)
			continue;
		pq_sendint32(out, (uint32) -1);
		if (slot->tts_isnull[i])
			continue;
		dc_wire_put(&wire->types[i], slot->tts_values[i], out);
		length = pg_hton32(out->len - at - sizeof(length));
		memcpy(out->data + at, &length, sizeof(length));
	}
}

static void
dc_wire_put_rows(DcWireJob *job)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(job->function->columns,
													&TTSOpsMinimalTuple);

	for (Size at = 0; at < job->value->size;)
	{
		MinimalTuple row = (MinimalTuple) (job->value->bytes + at);

		ExecStoreMinimalTuple(row, slot, false);
		dc_wire_put_row(job->function, slot, &job->out);
		at += MAXALIGN(row->t_len);
	}
	ExecDropSingleTupleTableSlot(slot);
}

static void
dc_wire_put_scalar(DcWireJob *job)
{
	DcWireType *type = dc_wire_of(job->function)->types;
	Datum		value = type->by_value ? *(Datum *) job->value->bytes :
	PointerGetDatum(job->value->bytes);

	dc_wire_put(type, value, &job->out);
}

static void
dc_wire_put_jsonb(DcWireJob *job)
{
	struct varlena *stored = (struct varlena *) job->value->bytes;

	(void) JsonbToCString(&job->out, (JsonbContainer *) VARDATA(stored),
						  VARSIZE(stored));
}

/* Writes a value that is as it prints, but for jsonb. */
static char *
dc_wire_text(const DcValue *value, Size *size)
{
	*size = VARSIZE_ANY_EXHDR(value->bytes);
	return VARDATA_ANY(value->bytes);
}

char	   *
dc_wire_write(DcFunction *function, const DcValue *value, Size *size)
{
	DcWireJob	job = {.function = function,.value = unconstify(DcValue *, value)};
	Oid			scalar;

	*size = 0;
	if (value->size == 0)
		return "";
	scalar = dc_wire_of(function)->scalar;
	if (scalar == TEXTOID)
		return dc_wire_text(value, size);
	initStringInfo(&job.out);

	/* What prints a jsonb can only fail for its length. */
	if (scalar == JSONBOID && value->size < DC_SURE_TO_PRINT)
		dc_wire_put_jsonb(&job);
	else if (!dc_guarded(scalar == JSONBOID ? dc_wire_put_jsonb :
						 function->columns == NULL ? dc_wire_put_scalar :
						 dc_wire_put_rows, &job))
		return NULL;
	*size = job.out.len;
	return job.out.data;
}

/*
 * Reading.
 */

static void
dc_wire_garbage(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("value in Redis is damaged")));
}

/* Reads a value that takes all of the bytes. */
static Datum
dc_wire_get(DcWireType *type, char *bytes, int length)
{
	StringInfoData in = {.data = bytes,.len = length,.maxlen = length + 1};
	char		next = bytes[length];
	Datum		value;

	if (type->as_stored)
		return PointerGetDatum(cstring_to_text_with_len(bytes, length));

	/* Receive functions rely on a zero behind the bytes. */
	bytes[length] = '\0';
	value = ReceiveFunctionCall(&type->read, &in, type->io_parameter, -1);
	if (in.cursor != length)
		dc_wire_garbage();
	bytes[length] = next;
	return value;
}

/* Makes it the value, without pointers. */
static void
dc_wire_keep_scalar(const DcWireType *type, Datum datum, DcValue *value)
{
	if (type->by_value)
	{
		value->size = sizeof(Datum);
		value->bytes = palloc(sizeof(Datum));
		memcpy(value->bytes, &datum, sizeof(Datum));
		return;
	}
	if (type->length == -1)
		datum = PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
	value->bytes = DatumGetPointer(datum);
	value->size = datumGetSize(datum, false, type->length);
}

static void
dc_wire_get_scalar(DcWireJob *job)
{
	DcWireType *type = dc_wire_of(job->function)->types;

	dc_wire_keep_scalar(type, dc_wire_get(type, job->in.data, job->in.len),
						job->value);
}

/* Reads a row, and appends it as it is kept. */
static void
dc_wire_get_row(DcWireJob *job, Datum *values, bool *nulls)
{
	DcWire	   *wire = dc_wire_of(job->function);
	StringInfo	in = &job->in;
	MinimalTuple row;
	int			size;

	if (pq_getmsgint(in, 4) != wire->n_live)
		dc_wire_garbage();
	for (int i = 0; i < wire->n; i++)
	{
		int			length;

		nulls[i] = true;
		if (TupleDescAttr(job->function->columns, i)->attisdropped)
			continue;
		length = (int) pq_getmsgint(in, 4);
		nulls[i] = length == -1;
		if (nulls[i])
			continue;
		if (length < 0 || length > in->len - in->cursor)
			dc_wire_garbage();
		values[i] = dc_wire_get(&wire->types[i], in->data + in->cursor, length);
		if (wire->types[i].length == -1)
			values[i] = PointerGetDatum(PG_DETOAST_DATUM(values[i]));
		in->cursor += length;
	}
	row = dc_form_minimal_tuple(job->function->columns, values, nulls);
	size = MAXALIGN(row->t_len);
	enlargeStringInfo(&job->out, size);
	memset(job->out.data + job->out.len, 0, size);
	memcpy(job->out.data + job->out.len, row, row->t_len);
	job->out.len += size;
}

static void
dc_wire_get_rows(DcWireJob *job)
{
	DcWire	   *wire = dc_wire_of(job->function);
	Datum	   *values = palloc0(wire->n * sizeof(Datum));
	bool	   *nulls = palloc0(wire->n * sizeof(bool));
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "dashboard_cache row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(scratch);
	int64		n = 0;

	while (job->in.cursor < job->in.len)
	{
		dc_wire_get_row(job, values, nulls);
		MemoryContextReset(scratch);
		n++;
	}
	if (n != 1 && !job->function->returns_set)
		dc_wire_garbage();
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(scratch);
	job->value->bytes = job->out.data;
	job->value->size = job->out.len;
}

static void
dc_wire_get_jsonb(DcWireJob *job)
{
	Datum		value = DirectFunctionCall1(jsonb_in,
											CStringGetDatum(job->in.data));

	job->value->bytes = DatumGetPointer(value);
	job->value->size = VARSIZE(job->value->bytes);
}

bool
dc_wire_read(DcFunction *function, const char *bytes, Size size,
			 DcValue *value)
{
	DcWireJob	job = {.function = function,.value = value};
	Oid			scalar = dc_wire_of(function)->scalar;

	value->size = 0;
	value->bytes = NULL;
	if (value->isnull || (function->returns_set && size == 0))
		return size == 0;

	if (scalar == TEXTOID)
	{
		value->bytes = (char *) cstring_to_text_with_len(bytes, size);
		value->size = VARSIZE(value->bytes);
		return true;
	}

	/* A copy that ends in a zero, and may be written to. */
	initStringInfo(&job.in);
	appendBinaryStringInfo(&job.in, bytes, size);
	initStringInfo(&job.out);
	return dc_guarded(scalar == JSONBOID ? dc_wire_get_jsonb :
					  function->columns == NULL ? dc_wire_get_scalar :
					  dc_wire_get_rows, &job);
}
