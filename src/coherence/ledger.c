/*
 * ledger.c
 *		The ids of the transactions that touched each tag, and the test that
 *		follows from them.
 *
 * An entry is valid for a reader when every id on its tags looks the same
 * from both snapshots: completed in both, or in neither.  A transaction
 * publishes its id before anybody can see it as completed, and a reader takes
 * its snapshot before it reads here, so no id that matters can be missing.
 *
 * A tag has no place of its own: its hash picks one of a fixed number of
 * slots.  When a slot is full, the oldest of its ids is folded into the
 * slot's horizon.  The ledger as a whole has a horizon too, for what happened
 * before this server start and for patterns that had to give way.
 *
 * Locks: writers take the slot's spinlock.  Readers take none: a writer
 * raises the horizon before it overwrites the id that the horizon now covers,
 * and a reader reads the ids before the horizon, so it meets each id in one
 * of the two.  All horizons and all "newest" only ever rise.
 *
 * Whoever keeps an entry where its readers do not come here, in Redis, arms
 * its tags first; the first transaction that touches an armed slot disarms it
 * and sees to it that the entry is looked for.  All others pass.
 *
 * Nothing here allocates or throws.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "storage/shmem.h"
#include "storage/spin.h"

#include "coherence/definitions.h"
#include "coherence/ledger.h"
#include "coherence/pattern.h"
#include "compat.h"

/* A power of two; with 64-byte slots this makes 4 MB. */
#define DC_LEDGER_SLOTS 65536

StaticAssertDecl(sizeof(DcSlot) == 64, "a slot fills one cache line");

/* A start continues so many of those before it, one clean restart each. */
#define DC_INCARNATIONS 16

typedef struct DcLedger
{
	pg_atomic_uint64 horizon;	/* of every slot; 0 until dc_ledger_begin() */

	/* What was read back at the start; constant from then on. */
	uint64		saved_horizon;	/* 0: nothing */
	TimeLineID	saved_timeline;
	char		pad[64 - 2 * sizeof(uint64) - sizeof(TimeLineID)];

	/* The latest first; constant from the start on. */
	DcIncarnation incarnations[DC_INCARNATIONS];
	char		pad2[64 - DC_INCARNATIONS * sizeof(DcIncarnation) % 64];
	DcSlot		slots[DC_LEDGER_SLOTS];
} DcLedger;

static DcLedger *ledger = NULL;

static void dc_raise(uint64 horizon);
static void dc_incarnation_begin(void);

Size
dc_ledger_shmem_size(void)
{
	return sizeof(DcLedger);
}

void
dc_ledger_shmem_init(void)
{
	bool		found;

	ledger = ShmemInitStruct("dashboard_cache ledger",
							 dc_ledger_shmem_size(), &found);
	if (!found)
		dc_ledger_clear();
}

void
dc_ledger_clear(void)
{
	pg_atomic_init_u64(&ledger->horizon, 0);
	ledger->saved_horizon = 0;
	memset(ledger->incarnations, 0, sizeof(ledger->incarnations));
	dc_incarnation_begin();
	for (int i = 0; i < DC_LEDGER_SLOTS; i++)
		dc_slot_init(&ledger->slots[i]);
}

void
dc_slot_init(DcSlot *slot)
{
	pg_atomic_init_u64(&slot->newest, 0);
	pg_atomic_init_u64(&slot->horizon, 0);
	for (int i = 0; i < DC_SLOT_IDS; i++)
		pg_atomic_init_u64(&slot->ids[i], 0);
	SpinLockInit(&slot->lock);

	/* An earlier start may have left something in Redis. */
	pg_atomic_init_u32(&slot->state, DC_SLOT_ARMED);
}

/* In the postmaster, when nobody else is there: all spinlocks are free. */
bool
dc_ledger_save(FILE *file)
{
	return fwrite(ledger, sizeof(DcLedger), 1, file) == 1;
}

bool
dc_ledger_load(FILE *file, TimeLineID timeline)
{
	if (fread(ledger, sizeof(DcLedger), 1, file) != 1)
		return false;
	ledger->saved_horizon = pg_atomic_read_u64(&ledger->horizon);
	ledger->saved_timeline = timeline;
	pg_atomic_write_u64(&ledger->horizon, 0);
	dc_incarnation_begin();
	return true;
}

/*
 * Each start signs with a secret of its own and believes those of the starts
 * whose ledger it has read back.  So if the machine is set back to an earlier
 * state, what was written in between, in another history, is not believed.
 */
static void
dc_incarnation_begin(void)
{
	DcIncarnation *new = &ledger->incarnations[0];

	memmove(new + 1, new, (DC_INCARNATIONS - 1) * sizeof(DcIncarnation));
	if (!pg_strong_random(new->secret, DC_INCARNATION_SECRET) ||
		!pg_strong_random(&new->id, sizeof(new->id)))
		ereport(FATAL,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random secret for dashboard_cache")));
	new->id = Max(new->id, 1);
}

const DcIncarnation *
dc_incarnation(void)
{
	return &ledger->incarnations[0];
}

const DcIncarnation *
dc_incarnation_of(uint64 id)
{
	for (int i = 0; id != 0 && i < DC_INCARNATIONS; i++)
	{
		if (ledger->incarnations[i].id == id)
			return &ledger->incarnations[i];
	}
	return NULL;
}

/*
 * Unless the ledger was read back after a clean stop, all that is known of
 * the time before is that every id assigned by now may have touched any tag.
 * That includes transactions that were prepared before a crash.
 *
 * A server that was stopped cleanly may also have been a standby since then,
 * and have replayed writes that the ledger does not know.  Its timeline is
 * another one then.
 */
void
dc_ledger_begin(void)
{
	uint64		last;

	if (likely(pg_atomic_read_u64(&ledger->horizon) != 0))
		return;
	last = U64FromFullTransactionId(ReadNextFullTransactionId()) - 1;
	dc_definitions_start(last);
	if (ledger->saved_horizon != 0 &&
		ledger->saved_timeline == GetWALInsertionTimeLine())
		dc_raise(ledger->saved_horizon);
	else
		dc_raise(last);
}

/* It may be the first that is heard of the ledger: 0 must not be lost. */
void
dc_ledger_raise_horizon(uint64 horizon)
{
	dc_ledger_begin();
	dc_raise(horizon);
}

static void
dc_raise(uint64 horizon)
{
	uint64		old = pg_atomic_read_u64(&ledger->horizon);

	while (old < horizon &&
		   !pg_atomic_compare_exchange_u64(&ledger->horizon, &old, horizon))
		;
}

static inline DcSlot *
dc_slot_of(DcTag tag)
{
	return &ledger->slots[tag % DC_LEDGER_SLOTS];
}

/* Seconds, from 2000 on and for 68 years. */
uint32
dc_slot_time(TimestampTz time)
{
	return (uint32) (time / USECS_PER_SEC) << 1;
}

bool
dc_ledger_publish(DcTag tag, uint64 xid, uint32 now)
{
	return dc_slot_publish(dc_slot_of(tag), xid, now);
}

void
dc_ledger_prefetch(DcTag tag)
{
	dc_prefetch_to_write(dc_slot_of(tag));
}

TimestampTz
dc_ledger_touched_at(DcTag tag)
{
	return (TimestampTz) (pg_atomic_read_u32(&dc_slot_of(tag)->state) >> 1) *
		USECS_PER_SEC;
}

/*
 * The id is published before the flag is taken, and who arms reads the ids
 * after it: one of the two notices the other.
 */
void
dc_ledger_arm(const DcTag *tags, int n)
{
	for (int i = 0; i < n; i++)
		pg_atomic_fetch_or_u32(&dc_slot_of(tags[i])->state, DC_SLOT_ARMED);
	pg_memory_barrier();
}

bool
dc_slot_publish(DcSlot *slot, uint64 xid, uint32 now)
{
	int			oldest = 0;
	uint64		oldest_id = PG_UINT64_MAX;
	uint64		horizon;
	bool		known;

	SpinLockAcquire(&slot->lock);
	horizon = pg_atomic_read_u64(&slot->horizon);
	known = xid <= horizon;
	for (int i = 0; i < DC_SLOT_IDS; i++)
	{
		uint64		id = pg_atomic_read_u64(&slot->ids[i]);

		known |= id == xid;
		if (id < oldest_id)		/* an unused place is 0, hence the oldest */
		{
			oldest = i;
			oldest_id = id;
		}
	}
	if (!known)
	{
		/* One of the ids, or this one, gives way to the horizon. */
		if (Min(oldest_id, xid) > horizon)
			pg_atomic_write_u64(&slot->horizon, Min(oldest_id, xid));
		pg_write_barrier();
		if (xid > oldest_id)
			pg_atomic_write_u64(&slot->ids[oldest], xid);
		if (xid > pg_atomic_read_u64(&slot->newest))
			pg_atomic_write_u64(&slot->newest, xid);
	}
	SpinLockRelease(&slot->lock);
	return (pg_atomic_exchange_u32(&slot->state, now) & DC_SLOT_ARMED) != 0;
}

bool
dc_slot_valid(DcSlot *slot, const DcStamp *stamp, const DcReader *reader)
{
	uint64		floor = Min(stamp->xmin, reader->xmin);

	/* Both completed whatever is here: the usual case, one load. */
	if (pg_atomic_read_u64(&slot->newest) < floor)
		return true;

	for (int i = 0; i < DC_SLOT_IDS; i++)
	{
		uint64		id = pg_atomic_read_u64(&slot->ids[i]);

		if (id >= floor &&
			dc_stamp_completed(stamp, id) != dc_reader_completed(reader, id))
			return false;
	}
	pg_read_barrier();
	return dc_stamp_agrees_below(stamp, reader,
								 pg_atomic_read_u64(&slot->horizon));
}

bool
dc_ledger_valid(const DcDependencies *entry, const DcReader *reader)
{
	if (dc_definitions_are_ahead(reader))
		return false;
	for (int i = 0; i < entry->n_tags; i++)
	{
		if (!dc_slot_valid(dc_slot_of(entry->tags[i]), entry->stamp, reader))
			return false;
	}
	if (!dc_patterns_valid(entry, reader))
		return false;

	/* Last, since patterns that give way are folded into it. */
	pg_read_barrier();
	return dc_stamp_agrees_below(entry->stamp, reader,
								 pg_atomic_read_u64(&ledger->horizon));
}

uint64
dc_ledger_last_definitions(void)
{
	DcSlot	   *database = dc_slot_of(dc_tag(DC_TAG_DATABASE, "", 0));
	DcSlot	   *cluster = dc_slot_of(dc_tag(DC_TAG_CLUSTER, "", 0));

	return Max(pg_atomic_read_u64(&database->newest),
			   pg_atomic_read_u64(&cluster->newest));
}

bool
dc_slot_in_doubt(DcSlot *slot, const DcReader *reader)
{
	if (pg_atomic_read_u64(&slot->newest) < reader->xmin)
		return false;
	for (int i = 0; i < DC_SLOT_IDS; i++)
	{
		uint64		id = pg_atomic_read_u64(&slot->ids[i]);

		if (id != 0 && !dc_reader_completed(reader, id))
			return true;
	}
	return false;
}

bool
dc_ledger_in_doubt(const DcDependencies *entry, const DcReader *reader)
{
	for (int i = 0; i < entry->n_tags; i++)
	{
		if (dc_slot_in_doubt(dc_slot_of(entry->tags[i]), reader))
			return true;
	}
	return dc_patterns_in_doubt(reader);
}
