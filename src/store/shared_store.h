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

/* Drops what has expired or is stale for the reader. */
extern void dc_store_sweep(const DcReader *reader, TimestampTz now);

/*
 * Write and read all entries: in the postmaster, when nobody else is there.
 * False when that failed half-way.
 */
extern bool dc_store_save(FILE *file);
extern bool dc_store_load(FILE *file);

#endif							/* DC_SHARED_STORE_H */
