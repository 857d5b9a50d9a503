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
#include "datatype/timestamp.h"
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
	pg_atomic_uint32 state;		/* DC_SLOT_ARMED, and from the next bit on
								 * when it was last touched; see
								 * dc_slot_time() */
} DcSlot;

/* Redis may hold what depends on it. */
#define DC_SLOT_ARMED 1

#define DC_INCARNATION_SECRET 32

/*
 * A start of the server.  What it signs with its secret, it will believe, and
 * so will the starts that continue it.
 */
typedef struct DcIncarnation
{
	uint64		id;				/* never 0 */
	uint8		secret[DC_INCARNATION_SECRET];
} DcIncarnation;

/* What an entry offers for the test. */
typedef struct DcDependencies
{
	const DcStamp *stamp;
	const DcTag *tags;
	int			n_tags;
	Oid			database;		/* with the key, for the globs */
	const char *key;			/* not terminated */
	int			key_length;
	bool		has_inner;		/* entries went into it whose keys are not
								 * here */
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
extern void dc_ledger_raise_horizon(uint64 horizon);

/* A time as slots keep it. */
extern uint32 dc_slot_time(TimestampTz time);

/* For people: when was it last touched, in whole seconds?  0: not known. */
extern TimestampTz dc_ledger_touched_at(DcTag tag);

/*
 * Returns whether the tag was armed, and disarms it: true means that somebody
 * has to look for entries that are not checked when they are read.
 */
extern bool dc_ledger_publish(DcTag tag, uint64 xid, uint32 now);

/* For whoever will publish the tag soon: brings its slot near. */
extern void dc_ledger_prefetch(DcTag tag);
extern void dc_ledger_arm(const DcTag *tags, int n);

/* Is anybody still running who has touched what the entry depends on? */
extern bool dc_ledger_in_doubt(const DcDependencies *entry,
							   const DcReader *reader);

/* The last transaction that has changed definitions for this database. */
extern uint64 dc_ledger_last_definitions(void);

/* This start, and the one that is meant by the id, or NULL. */
extern const DcIncarnation *dc_incarnation(void);
extern const DcIncarnation *dc_incarnation_of(uint64 id);

/* For patterns, which have slots of their own. */
extern void dc_slot_init(DcSlot *slot);
extern bool dc_slot_publish(DcSlot *slot, uint64 xid, uint32 now);
extern bool dc_slot_valid(DcSlot *slot, const DcStamp *stamp,
						  const DcReader *reader);
extern bool dc_slot_in_doubt(DcSlot *slot, const DcReader *reader);

#endif							/* DC_LEDGER_H */
