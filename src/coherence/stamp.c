/*
 * stamp.c
 *		Compares what two snapshots see as completed.
 *
 * The reader's own id counts as not completed, as it does for everybody else:
 * what the transaction itself has invalidated is asked of pending.c.
 *
 * The server's XidInMVCCSnapshot() is not used, because it looks up
 * subtransactions' parents under a lock that all backends share; for
 * top-level ids the snapshot's xip[] says it all.  A snapshot taken during
 * recovery has no xip[], so such readers are kept away (see lookup.c).
 *
 * Nothing here locks; only dc_stamp_take() allocates.
 */
#include "postgres.h"

#include "access/xact.h"

#include "coherence/stamp.h"
#include "compat.h"

/* Widens an id that is within two billion of the next one. */
static uint64
dc_widen(TransactionId xid, uint64 next)
{
	return next + (int64) (int32) (xid - (TransactionId) next);
}

void
dc_reader_init(DcReader *reader, Snapshot snapshot)
{
	uint64		next = dc_next_xid_hint();
	TransactionId own = GetTopTransactionIdIfAny();

	reader->snapshot = snapshot;
	reader->xmin = dc_widen(snapshot->xmin, next);
	reader->xmax = dc_widen(snapshot->xmax, next);
	reader->own = TransactionIdIsValid(own) ? dc_widen(own, next) : 0;
}

uint64
dc_widen_id(TransactionId xid)
{
	return dc_widen(xid, dc_next_xid_hint());
}

bool
dc_reader_completed(const DcReader *reader, uint64 xid)
{
	if (xid < reader->xmin)
		return true;
	if (xid >= reader->xmax || xid == reader->own)
		return false;
	for (uint32 i = 0; i < reader->snapshot->xcnt; i++)
	{
		if (reader->snapshot->xip[i] == (TransactionId) xid)
			return false;
	}
	return true;
}

static int
dc_compare_ids(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
}

DcStamp    *
dc_stamp_take(const DcReader *reader)
{
	Snapshot	snapshot = reader->snapshot;
	DcStamp    *stamp = palloc(dc_stamp_size(snapshot->xcnt));
	uint32		n = 0;

	stamp->xmin = reader->xmin;
	stamp->xmax = reader->xmax;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		stamp->running[n++] = dc_widen(snapshot->xip[i], reader->xmax);
	stamp->n_running = n;
	qsort(stamp->running, n, sizeof(uint64), dc_compare_ids);
	return stamp;
}

bool
dc_stamp_is_later(const DcStamp *a, const DcStamp *b)
{
	return a->xmax > b->xmax ||
		(a->xmax == b->xmax && a->n_running < b->n_running);
}

bool
dc_stamp_completed(const DcStamp *stamp, uint64 xid)
{
	if (xid < stamp->xmin)
		return true;
	if (xid >= stamp->xmax)
		return false;
	return bsearch(&xid, stamp->running, stamp->n_running, sizeof(uint64),
				   dc_compare_ids) == NULL;
}

/* How many of the stamp's running ids are in [low, high]? */
static uint64
dc_stamp_running_between(const DcStamp *stamp, uint64 low, uint64 high)
{
	uint64		n = 0;

	for (uint32 i = 0; i < stamp->n_running; i++)
		n += stamp->running[i] >= low && stamp->running[i] <= high;
	return n;
}

/* The same for a reader. */
static uint64
dc_reader_running_between(const DcReader *reader, uint64 low, uint64 high)
{
	uint64		n = 0;

	for (uint32 i = 0; i < reader->snapshot->xcnt; i++)
	{
		uint64		xid = dc_widen(reader->snapshot->xip[i], reader->xmax);

		n += xid >= low && xid <= high;
	}
	if (reader->own < reader->xmax)
		n += reader->own >= low && reader->own <= high;
	return n;
}

bool
dc_stamp_agrees_below(const DcStamp *stamp, const DcReader *reader,
					  uint64 horizon)
{
	uint64		in_both;		/* first id that one of them has not begun */
	uint64		last;			/* last id that the other may have completed */
	uint64		low = Min(stamp->xmin, reader->xmin);

	if (horizon < stamp->xmin && horizon < reader->xmin)
		return true;

	/* Below both xmaxs the same ids must be running. */
	in_both = Min(stamp->xmax, reader->xmax);
	last = Min(horizon, in_both - 1);
	for (uint32 i = 0; i < stamp->n_running; i++)
	{
		if (stamp->running[i] <= last &&
			dc_reader_completed(reader, stamp->running[i]))
			return false;
	}
	if (dc_stamp_running_between(stamp, low, last) !=
		dc_reader_running_between(reader, low, last))
		return false;

	/* From there on one has completed none, so the other must not either. */
	last = Min(horizon, Max(stamp->xmax, reader->xmax) - 1);
	if (last < in_both)
		return true;
	if (stamp->xmax > reader->xmax)
		return dc_stamp_running_between(stamp, in_both, last) ==
			last - in_both + 1;
	return dc_reader_running_between(reader, in_both, last) ==
		last - in_both + 1;
}
