/*
 * ledger.h
 *		Which transactions touched which tag: the one place that knows what is
 *		still valid.
 */
#ifndef DC_LEDGER_H
#define DC_LEDGER_H

#include "access/xlogdefs.h"
#include "coherence/stamp.h"
#include "coherence/tag.h"
#include "port/atomics.h"
#include "storage/s_lock.h"

#define DC_SLOT_IDS 5

/* One cache line: what is known about the tags that share it. */
typedef struct DcSlot
{
	pg_atomic_uint64 newest;	/* no id here, nor the horizon, is above */
	pg_atomic_uint64 horizon;	/* any id up to this may have touched it */
	pg_atomic_uint64 ids[DC_SLOT_IDS];	/* ids above it that did; 0: none */
	slock_t		lock;			/* held by who publishes; readers take none */
} DcSlot;

/* What an entry offers for the test. */
typedef struct DcDependencies
{
	const DcStamp *stamp;
	const DcTag *tags;
	int			n_tags;
	Oid			database;		/* with the key, for the globs */
	const char *key;			/* not terminated */
	int			key_length;
} DcDependencies;

extern Size dc_ledger_shmem_size(void);
extern void dc_ledger_shmem_init(void);
extern void dc_ledger_clear(void);
extern bool dc_ledger_save(FILE *file);
extern bool dc_ledger_load(FILE *file, TimeLineID timeline);

/*
 * Must have been called before anything is looked up or filled; not during
 * recovery.
 */
extern void dc_ledger_begin(void);

extern bool dc_ledger_valid(const DcDependencies *entry,
							const DcReader *reader);
extern void dc_ledger_publish(DcTag tag, uint64 xid);
extern void dc_ledger_raise_horizon(uint64 horizon);

/* For patterns, which have slots of their own. */
extern void dc_slot_init(DcSlot *slot);
extern void dc_slot_publish(DcSlot *slot, uint64 xid);
extern bool dc_slot_valid(DcSlot *slot, const DcStamp *stamp,
						  const DcReader *reader);

#endif							/* DC_LEDGER_H */
