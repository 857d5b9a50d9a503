/*
 * slice.c
 *		The values that cut a table's rows into slices.
 *
 * Values go by their types' own hash functions, which agree with equality,
 * between types of one family too: 7 is 7 as integer and as bigint.  Two
 * values with one hash share a slice, which costs misses.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "coherence/slice.h"
#include "settings.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(dashboard_cache_note_row);
PG_FUNCTION_INFO_V1(dashboard_cache_note_update);

#define SH_PREFIX dc_hashes
#define SH_ELEMENT_TYPE DcHashElement
#define SH_KEY_TYPE uint64
#define SH_KEY value
#define SH_HASH_KEY(table, key) ((uint32) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE

typedef struct DcHashElement
{
	uint64		value;
	char		status;			/* simplehash's */
} DcHashElement;

#include "lib/simplehash.h"

/* So many values, of a type that is passed by value, are known at a glance. */
#define DC_RECENT 256

/* An argument of a WHEN clause's function. */
typedef struct DcSliceArgument
{
	TypeCacheEntry *type;
	Oid			collation;
	bool		has_last;		/* only of a type that is passed by value */
	Datum		last;
	Datum	   *recent;			/* by their low bits; NULL while there is one */
} DcSliceArgument;

/* What such a function remembers, in fn_extra: for one statement. */
typedef struct DcSeen
{
	DcSliceArgument *arguments;
	DcSliceSet *slices;			/* for each slice column */
} DcSeen;

static DcSliceNote *notes = NULL;
static int	n_notes = 0;
static int	max_notes = 0;

void
dc_slice_set_init(DcSliceSet *set, MemoryContext context)
{
	memset(set, 0, sizeof(*set));
	set->context = context;
}

bool
dc_slice_set_add(DcSliceSet *set, uint64 value)
{
	bool		found;

	/* Most statements write to one slice. */
	if (!set->any)
	{
		set->any = true;
		set->first = value;
		return true;
	}
	if (set->values == NULL)
	{
		if (value == set->first)
			return false;
		set->values = dc_hashes_create(set->context, 64, NULL);
		dc_hashes_insert(set->values, set->first, &found);
	}
	dc_hashes_insert(set->values, value, &found);
	if (found)
		return false;
	set->too_many =
		set->values->members > (uint32) dc_max_slices_per_statement;
	return true;
}

static TypeCacheEntry *
dc_hashable_type(Oid type)
{
	return lookup_type_cache(type, TYPECACHE_HASH_OPFAMILY |
							 TYPECACHE_HASH_EXTENDED_PROC |
							 TYPECACHE_HASH_EXTENDED_PROC_FINFO);
}

bool
dc_slice_type_ok(Oid type)
{
	return OidIsValid(dc_hashable_type(type)->hash_extended_proc);
}

bool
dc_slice_types_match(Oid a, Oid b, Oid collation)
{
	TypeCacheEntry *x = dc_hashable_type(a);
	TypeCacheEntry *y = dc_hashable_type(b);

	if (!dc_slice_type_ok(a) || !dc_slice_type_ok(b))
		return false;
	if (getBaseType(a) == getBaseType(b))
		return true;

	/* Enums, arrays and rows have one family, and hashes of their own. */
	if (x->hash_opf != y->hash_opf || IsPolymorphicType(x->hash_opintype) ||
		x->hash_opintype == RECORDOID)
		return false;

	/* Not all types of text's family are hashed by the collation. */
	return x->hash_extended_proc == y->hash_extended_proc ||
		!OidIsValid(collation) || get_collation_isdeterministic(collation);
}

static uint64
dc_hash_with(TypeCacheEntry *type, Datum value, Oid collation)
{
	return DatumGetUInt64(FunctionCall2Coll(&type->hash_extended_proc_finfo,
											collation, value,
											UInt64GetDatum(0)));
}

uint64
dc_slice_hash(Datum value, Oid type, Oid collation)
{
	return dc_hash_with(dc_hashable_type(type), value, collation);
}

/*
 * Notes.
 */

int
dc_slice_notes(const DcSliceNote **all)
{
	*all = notes;
	return n_notes;
}

void
dc_slice_forget_notes(int first)
{
	n_notes = Min(n_notes, first);
}

static void
dc_note(DcSliceNote note)
{
	if (notes == NULL)
	{
		notes = MemoryContextAlloc(TopTransactionContext,
								   64 * sizeof(DcSliceNote));
		max_notes = 64;
	}
	else if (n_notes == max_notes)
	{
		notes = repalloc(notes, 2 * max_notes * sizeof(DcSliceNote));
		max_notes *= 2;
	}
	notes[n_notes++] = note;
}

static void
dc_slice_xact_callback(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_PREPARE &&
		event != XACT_EVENT_ABORT)
		return;
	notes = NULL;
	n_notes = max_notes = 0;
}

void
dc_slice_register(void)
{
	RegisterXactCallback(dc_slice_xact_callback, NULL);
}

/*
 * The functions that stand in the WHEN clauses of row triggers, which the
 * server asks before it queues a row for the trigger.  They note the row's
 * slices for the statement trigger, which knows the columns that were set, and
 * let no row through.  So of a million rows none is queued, and as many are
 * noted as there are slices.  What a function remembers lives as long as the
 * clause, compiled for one statement, table and trigger.
 */

static void
dc_slice_argument_init(DcSliceArgument *argument, FmgrInfo *flinfo, int i)
{
	Oid			type = get_fn_expr_argtype(flinfo, i);

	argument->type = OidIsValid(type) ? dc_hashable_type(type) : NULL;
	if (argument->type == NULL ||
		!OidIsValid(argument->type->hash_extended_proc) ||
		!IsA(flinfo->fn_expr, FuncExpr))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slices need values of a type with a hash function"),
				 errhint("Call dashboard_cache.watch(), which creates the triggers.")));
	argument->collation =
		exprCollation(list_nth(((FuncExpr *) flinfo->fn_expr)->args, i));
}

static DcSeen *
dc_seen_begin(FunctionCallInfo fcinfo, int per_column)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	int			n = PG_NARGS();
	DcSeen	   *seen = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(DcSeen));

	seen->arguments = MemoryContextAllocZero(flinfo->fn_mcxt,
											 n * sizeof(DcSliceArgument));
	seen->slices = MemoryContextAlloc(flinfo->fn_mcxt,
									  n * sizeof(DcSliceSet));
	for (int i = 0; i < n; i++)
	{
		dc_slice_argument_init(&seen->arguments[i], flinfo, i);
		if (i % per_column == 0)
			dc_slice_set_init(&seen->slices[i / per_column], flinfo->fn_mcxt);
	}
	flinfo->fn_extra = seen;
	return seen;
}

/* Is it known to have been noted?  Only of a type that is passed by value. */
static bool
dc_is_recent(DcSliceArgument *argument, Datum value, MemoryContext context)
{
	Datum	   *recent;

	if (argument->has_last && value == argument->last)
		return true;
	if (argument->has_last && argument->recent == NULL)
	{
		argument->recent = MemoryContextAlloc(context,
											  DC_RECENT * sizeof(Datum));
		for (int i = 0; i < DC_RECENT; i++)
			argument->recent[i] = argument->last;
	}
	argument->has_last = true;
	argument->last = value;
	if (argument->recent == NULL)
		return false;
	recent = &argument->recent[value % DC_RECENT];
	if (*recent == value)
		return true;
	*recent = value;
	return false;
}

static void
dc_note_value(DcSliceArgument *argument, Datum value, int position,
			  DcSliceSet *slices)
{
	DcSliceNote note = {.position = position};

	if (argument->type->typbyval &&
		dc_is_recent(argument, value, slices->context))
		return;
	note.value = dc_hash_with(argument->type, value, argument->collation);
	if (!dc_slice_set_add(slices, note.value))
		return;
	note.too_many = slices->too_many;
	dc_note(note);
}

static Datum
dc_note_slices(FunctionCallInfo fcinfo, int per_column)
{
	DcSeen	   *seen = fcinfo->flinfo->fn_extra;

	/* Nobody is to be told. */
	if (dc_shared == NULL)
		PG_RETURN_BOOL(false);
	if (unlikely(seen == NULL))
		seen = dc_seen_begin(fcinfo, per_column);
	for (int i = 0; i < PG_NARGS(); i++)
	{
		int			position = i / per_column;

		/* No entry is of NULL's slice: see function/slices.c. */
		if (!PG_ARGISNULL(i) && !seen->slices[position].too_many)
			dc_note_value(&seen->arguments[i], PG_GETARG_DATUM(i), position,
						  &seen->slices[position]);
	}
	PG_RETURN_BOOL(false);
}

/* dashboard_cache.note_row(VARIADIC "any"): a value for each slice column */
Datum
dashboard_cache_note_row(PG_FUNCTION_ARGS)
{
	return dc_note_slices(fcinfo, 1);
}

/* dashboard_cache.note_update(VARIADIC "any"): the old and the new value */
Datum
dashboard_cache_note_update(PG_FUNCTION_ARGS)
{
	return dc_note_slices(fcinfo, 2);
}
