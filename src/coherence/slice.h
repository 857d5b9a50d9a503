/*
 * slice.h
 *		The values that cut a table's rows into slices, as hashes.
 */
#ifndef DC_SLICE_H
#define DC_SLICE_H

/* Can values of the type be told apart by their hashes? */
extern bool dc_slice_type_ok(Oid type);

/* Do equal values of the two types have the same hash? */
extern bool dc_slice_types_match(Oid a, Oid b);

/* Values that are equal have the same.  The type is one of those above. */
extern uint64 dc_slice_hash(Datum value, Oid type, Oid collation);

/* The slices that a statement writes to. */
typedef struct DcSliceSet
{
	bool		too_many;		/* more than max_slices_per_statement */
	struct dc_hashes_hash *values;
} DcSliceSet;

extern void dc_slice_set_init(DcSliceSet *set, MemoryContext context);

/* Returns whether it was not there. */
extern bool dc_slice_set_add(DcSliceSet *set, uint64 value);

#endif							/* DC_SLICE_H */
