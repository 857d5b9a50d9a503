/*
 * slice.h
 *		The values that cut a table's rows into slices, as hashes.
 */
#ifndef DC_SLICE_H
#define DC_SLICE_H

/* Can values of the type be told apart by their hashes? */
extern bool dc_slice_type_ok(Oid type);

/* Do equal values of the two types have the same hash, by this collation? */
extern bool dc_slice_types_match(Oid a, Oid b, Oid collation);

/* Values that are equal have the same.  The type is one of those above. */
extern uint64 dc_slice_hash(Datum value, Oid type, Oid collation);

/* The slices that a statement writes to. */
typedef struct DcSliceSet
{
	bool		too_many;		/* more than max_slices_per_statement */
	bool		any;			/* is the next one set? */
	uint64		first;
	struct dc_hashes_hash *values;	/* NULL while there is one at most */
	MemoryContext context;
} DcSliceSet;

extern void dc_slice_set_init(DcSliceSet *set, MemoryContext context);

/* Returns whether it was not there. */
extern bool dc_slice_set_add(DcSliceSet *set, uint64 value);

/* A row with this value was written, or so many that they are not told. */
typedef struct DcSliceNote
{
	int			position;		/* among the table's slice columns, from 0 on */
	bool		too_many;
	uint64		value;
} DcSliceNote;

/*
 * What has been noted in this transaction and is not forgotten.  A statement
 * remembers how many notes there were when it began.
 */
extern int	dc_slice_notes(const DcSliceNote **notes);
extern void dc_slice_forget_notes(int first);

extern void dc_slice_register(void);

#endif							/* DC_SLICE_H */
