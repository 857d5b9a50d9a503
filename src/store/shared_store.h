/*
 * shared_store.h
 *		Entries in shared memory.
 */
#ifndef DC_SHARED_STORE_H
#define DC_SHARED_STORE_H

#include "store/entry.h"

/* Smaller than this the tier can hold nothing: 1 MB. */
#define DC_MIN_STORE_KB 1024

extern Size dc_store_shmem_size(void);
extern void dc_store_shmem_init(void);

/* On a hit what is found is a palloc'd copy. */
extern DcOutcome dc_store_find(const DcIdentity *identity,
							   const DcReader *reader, TimestampTz now,
							   bool with_tags, DcFound *found);
extern DcFillOutcome dc_store_fill(const DcFill *fill);

/*
 * What is to be seen of an entry.  Views the first one at or behind the place
 * *i, and sets that to its place; false if there is none.
 */
typedef struct DcEntryView
{
	Oid			database;
	char		identity[DC_IDENTITY_HEAD]; /* its first bytes */
	char		key[DC_MAX_KEY];
	int			key_length;
	Size		size;
	TimestampTz expires_at;
	int			n_tags;
	bool		valid;			/* for the reader, by now */
} DcEntryView;

extern bool dc_store_view(int *i, const DcReader *reader, TimestampTz now,
						  DcEntryView *view);

/* Drops what has expired or is stale for the reader. */
extern void dc_store_sweep(const DcReader *reader, TimestampTz now);

/*
 * Write and read all entries: in the postmaster, when nobody else is there.
 * False when that failed half-way.
 */
extern bool dc_store_save(FILE *file);
extern bool dc_store_load(FILE *file);

#endif							/* DC_SHARED_STORE_H */
