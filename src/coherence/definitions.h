/*
 * definitions.h
 *		What no snapshot hides from a query: definitions and privileges, and
 *		what was truncated.
 */
#ifndef DC_DEFINITIONS_H
#define DC_DEFINITIONS_H

#include "coherence/stamp.h"

extern Size dc_definitions_shmem_size(void);
extern void dc_definitions_shmem_init(void);

/* At the ledger's start: any id up to this may have changed some. */
extern void dc_definitions_start(uint64 horizon);

/*
 * A transaction that changes some begins before it commits, publishes its id,
 * and ends when all others have been told of its commit.
 */
extern void dc_definitions_begin(void);
extern void dc_definitions_publish(uint64 xid);
extern void dc_definitions_end(void);

/* May it have published the id, be it before a restart? */
extern bool dc_definitions_may_be_of(uint64 xid);

/* Would a query see more than what the reader's snapshot says? */
extern bool dc_definitions_are_ahead(const DcReader *reader);

/*
 * Takes in what has changed; false if a change is under way that the snapshot
 * may know of already, and this session not.
 */
extern bool dc_definitions_are_current(void);

#endif							/* DC_DEFINITIONS_H */
