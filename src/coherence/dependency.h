/*
 * dependency.h
 *		What a query read while it ran.
 */
#ifndef DC_DEPENDENCY_H
#define DC_DEPENDENCY_H

#include "coherence/stamp.h"
#include "coherence/tag.h"
#include "datatype/timestamp.h"

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
	DcTag	   *tags;			/* of the entries that went into it */
	int			n_tags;
	int			max_tags;
	bool		has_inner;		/* there were any */
	TimestampTz expires_at;		/* the first of them; DT_NOEND: none does */
	MemoryContext context;		/* where that is allocated */
} DcReading;

extern Size dc_dependency_shmem_size(void);
extern void dc_dependency_shmem_init(void);
extern void dc_dependency_register(void);

extern void dc_reading_begin(DcReading *reading, const DcReader *reader);

/* Also when the query failed. */
extern void dc_reading_end(DcReading *reading);

/*
 * For a cached function that is called inside the query.  What its result
 * depends on, and how long it lives, goes for what is made of it too.
 */
extern bool dc_reading_is_open(void);
extern void dc_reading_note_entry(const DcTag *tags, int n,
								  TimestampTz expires_at);
extern void dc_reading_note_snapshot(Snapshot snapshot);
extern void dc_reading_note_row_security(void);

#endif							/* DC_DEPENDENCY_H */
