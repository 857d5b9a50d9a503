/*
 * dependency.h
 *		What a query read while it ran.
 */
#ifndef DC_DEPENDENCY_H
#define DC_DEPENDENCY_H

#include "coherence/relation.h"
#include "coherence/stamp.h"
#include "coherence/tag.h"
#include "datatype/timestamp.h"

/* An entry that would have more tags for columns depends on any column. */
#define DC_MAX_READ_TAGS 80

/* A relation that a plan reads. */
typedef struct DcRead
{
	Oid			relation;
	Oid			user;			/* who reads it, */
	Oid			check_as;		/* with whose rights */
	Bitmapset  *columns;		/* offset as in RTEPermissionInfo.selectedCols */
	bool		any_column;		/* it may depend on more than those */
} DcRead;

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
	bool		unknown;		/* parallel workers did what cannot be told */
	DcRead	   *reads;
	int			n_reads;
	int			max_reads;
	bool		has_tags;		/* do the tags say what the reads do? */
	DcTag	   *tags;			/* of the entries that went into it, at first */
	int			n_tags;
	int			max_tags;
	bool		has_inner;		/* there were any */
	TimestampTz expires_at;		/* the first of them; DT_NOEND: none does */
	MemoryContext context;		/* where that is allocated */
} DcReading;

extern void dc_dependency_register(void);

extern void dc_reading_begin(DcReading *reading, const DcReader *reader);

/*
 * When the query is done, but before the end: the tags of what was read, of
 * these rows only.
 */
extern void dc_reading_make_tags(DcReading *reading, const DcSlice *slices,
								 int n_slices);

/* Also when the query failed.  What the reading has found stays readable. */
extern void dc_reading_end(DcReading *reading);

/*
 * For a cached function that is called inside the query.  What its result
 * depends on, and how long it lives, goes for what is made of it too; has_key
 * says that a glob may mean it too.
 */
extern bool dc_reading_is_open(void);
extern void dc_reading_note_entry(const DcTag *tags, int n, bool has_key,
								  TimestampTz expires_at);
extern void dc_reading_note_snapshot(Snapshot snapshot);

/* In a parallel worker: all that is beyond the above. */
extern void dc_reading_note_unknown(void);
extern void dc_reading_note_row_security(void);

#endif							/* DC_DEPENDENCY_H */
