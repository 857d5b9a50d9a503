/*
 * definitions.c
 *		What no snapshot hides from a query.
 *
 * Definitions and privileges are not versioned: whatever its snapshot, a query
 * meets those of today, and so it does a table that was truncated.  Entries
 * become invalid by the tags that such a transaction touches, for readers that
 * know it as completed.  This is for the others: is there an id that the
 * reader's snapshot does not know as completed, and that is over nevertheless?
 * Then the reader has to run the query.
 *
 * The ids are kept in an array of fixed size; the oldest give way to a
 * horizon, as in the ledger.  A reader for whom all are completed remembers
 * that, so while nothing new is published, its later snapshots need not look.
 *
 * And a commit is seen by new snapshots a moment before its messages reach
 * other sessions, so what is computed in that moment is not to be kept: a
 * counter tells.
 *
 * Locks: writers take the spinlock.  Readers take none; a writer raises the
 * horizon before it overwrites an id, and a reader reads the ids first.
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/inval.h"

#include "coherence/definitions.h"

#define DC_DEFINITION_IDS 128

typedef struct DcDefinitions
{
	slock_t		lock;
	pg_atomic_uint32 under_way; /* between begin and end */
	pg_atomic_uint64 version;	/* how often something was published */
	pg_atomic_uint64 newest;	/* no id here, nor the horizon, is above */
	pg_atomic_uint64 horizon;	/* any id up to this may be one */
	pg_atomic_uint64 ids[DC_DEFINITION_IDS];	/* 0: none */
} DcDefinitions;

/* The reader for whom all that had been published was completed. */
typedef struct DcSettledReader
{
	uint64		version;		/* by then; 0: none */
	uint64		xmax;
	uint32		n_running;
} DcSettledReader;

static DcDefinitions *definitions = NULL;
static DcSettledReader settled = {0};

Size
dc_definitions_shmem_size(void)
{
	return sizeof(DcDefinitions);
}

void
dc_definitions_shmem_init(void)
{
	bool		found;

	definitions = ShmemInitStruct("dashboard_cache definitions",
								  dc_definitions_shmem_size(), &found);
	if (found)
		return;
	SpinLockInit(&definitions->lock);
	pg_atomic_init_u32(&definitions->under_way, 0);
	pg_atomic_init_u64(&definitions->version, 1);
	pg_atomic_init_u64(&definitions->newest, 0);
	pg_atomic_init_u64(&definitions->horizon, 0);
	for (int i = 0; i < DC_DEFINITION_IDS; i++)
		pg_atomic_init_u64(&definitions->ids[i], 0);
}

static void
dc_raise_to(pg_atomic_uint64 *value, uint64 id)
{
	if (pg_atomic_read_u64(value) < id)
		pg_atomic_write_u64(value, id);
}

void
dc_definitions_start(uint64 horizon)
{
	SpinLockAcquire(&definitions->lock);
	dc_raise_to(&definitions->horizon, horizon);
	dc_raise_to(&definitions->newest, horizon);
	SpinLockRelease(&definitions->lock);
	pg_atomic_fetch_add_u64(&definitions->version, 1);
}

void
dc_definitions_begin(void)
{
	pg_atomic_fetch_add_u32(&definitions->under_way, 1);
}

void
dc_definitions_end(void)
{
	pg_atomic_fetch_sub_u32(&definitions->under_way, 1);
}

/* Before the commit: who is over has been counted in the version. */
void
dc_definitions_publish(uint64 xid)
{
	int			oldest = 0;

	SpinLockAcquire(&definitions->lock);
	for (int i = 1; i < DC_DEFINITION_IDS; i++)
	{
		if (pg_atomic_read_u64(&definitions->ids[i]) <
			pg_atomic_read_u64(&definitions->ids[oldest]))
			oldest = i;
	}
	dc_raise_to(&definitions->horizon,
				pg_atomic_read_u64(&definitions->ids[oldest]));
	pg_write_barrier();
	pg_atomic_write_u64(&definitions->ids[oldest], xid);
	dc_raise_to(&definitions->newest, xid);
	SpinLockRelease(&definitions->lock);
	pg_atomic_fetch_add_u64(&definitions->version, 1);
}

bool
dc_definitions_may_be_of(uint64 xid)
{
	for (int i = 0; i < DC_DEFINITION_IDS; i++)
	{
		if (pg_atomic_read_u64(&definitions->ids[i]) == xid)
			return true;
	}
	pg_read_barrier();
	return xid <= pg_atomic_read_u64(&definitions->horizon);
}

/*
 * Is the id, which the snapshot does not know as completed, over?  If not, it
 * may be soon, and nobody will be told once more.
 */
static bool
dc_is_over(uint64 xid, bool *unsettled)
{
	if (!TransactionIdIsInProgress((TransactionId) xid))
		return true;
	*unsettled = true;
	return false;
}

static bool
dc_ids_are_ahead(const DcReader *reader, bool *unsettled)
{
	for (int i = 0; i < DC_DEFINITION_IDS; i++)
	{
		uint64		id = pg_atomic_read_u64(&definitions->ids[i]);

		if (id >= reader->xmin && id != reader->own &&
			!dc_reader_completed(reader, id) && dc_is_over(id, unsettled))
			return true;
	}
	return false;
}

/* Any id up to the horizon that the snapshot has running may be one. */
static bool
dc_horizon_is_ahead(const DcReader *reader, bool *unsettled)
{
	Snapshot	snapshot = reader->snapshot;
	uint64		horizon;

	pg_read_barrier();
	horizon = pg_atomic_read_u64(&definitions->horizon);
	if (horizon < reader->xmin)
		return false;
	if (horizon >= reader->xmax)
		return true;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
	{
		uint64		id = dc_widen_id(snapshot->xip[i]);

		if (id <= horizon && id != reader->own && dc_is_over(id, unsettled))
			return true;
	}
	return false;
}

/* Of this process: was the snapshot taken before the one that is settled? */
static bool
dc_is_before_settled(const DcReader *reader)
{
	return reader->xmax < settled.xmax ||
		(reader->xmax == settled.xmax &&
		 reader->snapshot->xcnt > settled.n_running);
}

bool
dc_definitions_are_ahead(const DcReader *reader)
{
	uint64		version;
	bool		unsettled = false;

	if (likely(pg_atomic_read_u64(&definitions->newest) < reader->xmin))
		return false;
	version = pg_atomic_read_u64(&definitions->version);
	if (version == settled.version && !dc_is_before_settled(reader))
		return false;
	pg_read_barrier();
	if (dc_ids_are_ahead(reader, &unsettled) ||
		dc_horizon_is_ahead(reader, &unsettled))
		return true;
	if (!unsettled)
	{
		settled.version = version;
		settled.xmax = reader->xmax;
		settled.n_running = reader->snapshot->xcnt;
	}
	return false;
}

/*
 * The counter was raised before a snapshot can know the commit as completed,
 * and is lowered when its messages are on their way.
 */
bool
dc_definitions_are_current(void)
{
	bool		current = pg_atomic_read_u32(&definitions->under_way) == 0;

	pg_memory_barrier();
	AcceptInvalidationMessages();
	return current;
}
