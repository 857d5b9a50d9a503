/*
 * slice.c
 *		The values that cut a table's rows into slices.
 *
 * Values go by their types' own hash functions, which agree with equality,
 * between types of one family too: 7 is 7 as integer and as bigint.  Two
 * values with one hash share a slice, which costs misses.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/typcache.h"

#include "coherence/slice.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(dashboard_cache_first_of_slice);

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

/* What first_of_slice() remembers, in fn_extra: for one statement. */
typedef struct DcSeen
{
	TypeCacheEntry *type;
	bool		any;			/* is the next one set? */
	Datum		last;			/* of a type that is passed by value */
	DcSliceSet	slices;
} DcSeen;

void
dc_slice_set_init(DcSliceSet *set, MemoryContext context)
{
	set->too_many = false;
	set->values = dc_hashes_create(context, 64, NULL);
}

bool
dc_slice_set_add(DcSliceSet *set, uint64 value)
{
	bool		found;

	dc_hashes_insert(set->values, value, &found);
	set->too_many = set->values->members > dc_max_slices_per_statement;
	return !found;
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
dc_slice_types_match(Oid a, Oid b)
{
	return dc_slice_type_ok(a) && dc_slice_type_ok(b) &&
		dc_hashable_type(a)->hash_opf == dc_hashable_type(b)->hash_opf;
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

static DcSeen *
dc_seen_begin(FmgrInfo *flinfo)
{
	Oid			type = get_fn_expr_argtype(flinfo, 0);
	DcSeen	   *seen;

	if (!OidIsValid(type) || !dc_slice_type_ok(type))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dashboard_cache.first_of_slice() needs a value of a type with a hash function"),
				 errhint("Call dashboard_cache.watch(), which creates the triggers.")));
	seen = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(DcSeen));
	seen->type = dc_hashable_type(type);
	dc_slice_set_init(&seen->slices, flinfo->fn_mcxt);
	flinfo->fn_extra = seen;
	return seen;
}

/*
 * dashboard_cache.first_of_slice(value "any"): is it the first row of its
 * slice that the statement writes?
 *
 * It stands in the WHEN clause of a row trigger, which the server asks before
 * it queues the row for the trigger.  So of a million rows as many are queued
 * as there are slices; and beyond a set number, for which the trigger gives up
 * too and takes them for all slices, none.  What it remembers lives as long as
 * the clause, compiled for one statement, table and trigger.
 */
Datum
dashboard_cache_first_of_slice(PG_FUNCTION_ARGS)
{
	DcSeen	   *seen = fcinfo->flinfo->fn_extra;
	Datum		value;

	/* No entry has a slice of those: see function/slices.c. */
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	if (unlikely(seen == NULL))
		seen = dc_seen_begin(fcinfo->flinfo);
	value = PG_GETARG_DATUM(0);
	if (seen->slices.too_many || (seen->any && value == seen->last))
		PG_RETURN_BOOL(false);
	seen->any = seen->type->typbyval;
	seen->last = value;

	value = dc_hash_with(seen->type, value, PG_GET_COLLATION());
	PG_RETURN_BOOL(dc_slice_set_add(&seen->slices, value));
}
