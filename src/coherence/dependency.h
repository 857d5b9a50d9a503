/*
 * dependency.h
 *		What a query read while it ran.
 */
#ifndef DC_DEPENDENCY_H
#define DC_DEPENDENCY_H

#include "coherence/stamp.h"

/*
 * Collects, from begin to end, what all plans that run meanwhile read, however
 * deep.  Readings nest; what an inner one finds, the outer one has read too.
 */
typedef struct DcReading
{
	struct DcReading *outer;
	const DcReader *reader;		/* the snapshot that all is to be read in */
	bool		temporary;		/* a temporary table */
	bool		row_security;	/* a table whose policies are in force */
	DcStamp    *newest;			/* of the latest other snapshot, if any */
	bool		snapshot_moved; /* one was used that cannot be told */
	MemoryContext context;		/* where that is allocated */
} DcReading;

extern Size dc_dependency_shmem_size(void);
extern void dc_dependency_shmem_init(void);
extern void dc_dependency_register(void);

extern void dc_reading_begin(DcReading *reading, const DcReader *reader);

/* Also when the query failed. */
extern void dc_reading_end(DcReading *reading);

/* For a cached function that is called inside the query. */
extern void dc_reading_note_snapshot(Snapshot snapshot);
extern void dc_reading_note_row_security(void);

#endif							/* DC_DEPENDENCY_H */
