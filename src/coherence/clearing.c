/*
 * clearing.c
 *		What committing transactions leave for the worker to clear from Redis.
 *
 * No answer depends on it: an entry in Redis is checked against the ledger
 * when it is used.  It keeps Redis tidy, for the sake of its memory and of
 * other programs that read there.
 *
 * Who commits does two things at most: raises a flag, once until the worker
 * has seen it, and puts a pattern into a queue, if there may be entries in
 * Redis that nobody has a list of.  Both happen just before the commit, so
 * the worker may have to wait until it is done.
 *
 * Locks: a spinlock protects the queue; the flags are atomics.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "coherence/clearing.h"
#include "shmem.h"

typedef struct DcClearingQueue
{
	pg_atomic_uint32 is_on;
	pg_atomic_uint32 woken;
	pg_atomic_uint64 unknown_until; /* a TimestampTz; 0: all is known */
	slock_t		lock;			/* for what follows */
	int			n;
	DcClearing	clearings[DC_MAX_CLEARINGS];
} DcClearingQueue;

static DcClearingQueue *queue = NULL;

Size
dc_clearing_shmem_size(void)
{
	return sizeof(DcClearingQueue);
}

void
dc_clearing_shmem_init(void)
{
	bool		found;

	queue = ShmemInitStruct("dashboard_cache clearing",
							dc_clearing_shmem_size(), &found);
	if (found)
		return;
	memset(queue, 0, sizeof(*queue));
	pg_atomic_init_u32(&queue->is_on, 0);
	pg_atomic_init_u32(&queue->woken, 0);
	pg_atomic_init_u64(&queue->unknown_until, 0);
	SpinLockInit(&queue->lock);
}

void
dc_clearing_turn(bool on)
{
	pg_atomic_write_u32(&queue->is_on, on);
}

bool
dc_clearing_is_on(void)
{
	return pg_atomic_read_u32(&queue->is_on) != 0;
}

void
dc_clearing_note_unknown(TimestampTz until)
{
	uint64		old = pg_atomic_read_u64(&queue->unknown_until);

	while (old < (uint64) until &&
		   !pg_atomic_compare_exchange_u64(&queue->unknown_until, &old,
										   (uint64) until))
		;
}

TimestampTz
dc_clearing_unknown_until(void)
{
	return (TimestampTz) pg_atomic_read_u64(&queue->unknown_until);
}

void
dc_clearing_wake(void)
{
	if (dc_clearing_is_on() && pg_atomic_read_u32(&queue->woken) == 0 &&
		pg_atomic_exchange_u32(&queue->woken, 1) == 0)
		dc_wake_worker();
}

/* "*" is asked for by hand, and clears what an earlier start has left too. */
static bool
dc_clearing_is_needed(const char *pattern, int length)
{
	uint64		until = pg_atomic_read_u64(&queue->unknown_until);

	return dc_clearing_is_on() &&
		((length == 1 && *pattern == '*') ||
		 (until != 0 && (uint64) GetCurrentTimestamp() < until));
}

/* Is there room?  The last place is for what clears everything. */
static bool
dc_clearing_has_room(const char *pattern, int length)
{
	return queue->n < DC_MAX_CLEARINGS - 1 ||
		(queue->n < DC_MAX_CLEARINGS && length == 1 && *pattern == '*');
}

/* Each transaction has its own: one may end long before another. */
static bool
dc_clearing_waits(const char *pattern, int length, uint64 xid)
{
	for (int i = 0; i < queue->n; i++)
	{
		const DcClearing *clearing = &queue->clearings[i];

		if (clearing->xid == xid && clearing->length == length &&
			memcmp(clearing->pattern, pattern, length) == 0)
			return true;
	}
	return false;
}

void
dc_clearing_add(const char *pattern, int length, uint64 xid)
{
	if (!dc_clearing_is_needed(pattern, length))
		return;
	SpinLockAcquire(&queue->lock);
	if (dc_clearing_has_room(pattern, length) &&
		!dc_clearing_waits(pattern, length, xid))
	{
		DcClearing *clearing = &queue->clearings[queue->n++];

		clearing->xid = xid;
		clearing->database = MyDatabaseId;
		clearing->length = length;
		memcpy(clearing->pattern, pattern, length);
	}
	SpinLockRelease(&queue->lock);
}

bool
dc_clearing_is_wanted(void)
{
	return pg_atomic_read_u32(&queue->woken) != 0;
}

void
dc_clearing_begin(void)
{
	(void) pg_atomic_exchange_u32(&queue->woken, 0);
}

int
dc_clearing_waiting(DcClearing *clearings)
{
	int			n;

	SpinLockAcquire(&queue->lock);
	n = queue->n;
	memcpy(clearings, queue->clearings, n * sizeof(DcClearing));
	SpinLockRelease(&queue->lock);
	return n;
}

static bool
dc_clearing_is_done(const DcClearing *clearing, const DcClearing *done, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (memcmp(clearing, &done[i],
				   offsetof(DcClearing, pattern)) == 0 &&
			memcmp(clearing->pattern, done[i].pattern, done[i].length) == 0)
			return true;
	}
	return false;
}

void
dc_clearing_remove(const DcClearing *clearings, int n)
{
	int			kept = 0;

	SpinLockAcquire(&queue->lock);
	for (int i = 0; i < queue->n; i++)
	{
		if (!dc_clearing_is_done(&queue->clearings[i], clearings, n))
			queue->clearings[kept++] = queue->clearings[i];
	}
	queue->n = kept;
	SpinLockRelease(&queue->lock);
}
