/*
 * stamp.h
 *		What a snapshot sees as completed: an entry's, and a reader's.
 *
 * Ids are 64 bits wide, and those of top-level transactions only, since only
 * they are ever published in the ledger.
 */
#ifndef DC_STAMP_H
#define DC_STAMP_H

#include "utils/snapshot.h"

/* The snapshot that an entry was computed in. */
typedef struct DcStamp
{
	uint64		xmin;			/* all below are completed */
	uint64		xmax;			/* this and all above are not */
	uint32		n_running;		/* ids in between that are not */
	uint64		running[FLEXIBLE_ARRAY_MEMBER]; /* ascending */
} DcStamp;

/* The snapshot of who asks; points into it, so it must outlive this. */
typedef struct DcReader
{
	Snapshot	snapshot;
	uint64		xmin;
	uint64		xmax;
	uint64		own;			/* the transaction's own id, or 0 */
} DcReader;

extern void dc_reader_init(DcReader *reader, Snapshot snapshot);
extern bool dc_reader_completed(const DcReader *reader, uint64 xid);

/* An id that is within two billion of the next one. */
extern uint64 dc_widen_id(TransactionId xid);

static inline Size
dc_stamp_size(uint32 n_running)
{
	return offsetof(DcStamp, running) + n_running * sizeof(uint64);
}

/* palloc'd.  Without the reader's own id: what has one is not kept. */
extern DcStamp *dc_stamp_take(const DcReader *reader);

/* Of two that one process took: was a taken later than b? */
extern bool dc_stamp_is_later(const DcStamp *a, const DcStamp *b);
extern bool dc_stamp_completed(const DcStamp *stamp, uint64 xid);

/* Do both see the same ids, of those up to the horizon, as completed? */
extern bool dc_stamp_agrees_below(const DcStamp *stamp, const DcReader *reader,
								  uint64 horizon);

#endif							/* DC_STAMP_H */
