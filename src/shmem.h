/*
 * shmem.h
 *		The extension's shared memory: set up once, NULL when not preloaded.
 */
#ifndef DC_SHMEM_H
#define DC_SHMEM_H

#include "storage/lwlock.h"

/* The store's partitions; each has a lock of its own. */
#define DC_PARTITIONS 128

typedef struct DcShared
{
	LWLock	   *pattern_lock;
	LWLock	   *page_lock;
	LWLock	   *directory_lock;
	LWLock	   *reads_lock;
	LWLockPadded *partition_locks;	/* DC_PARTITIONS of them */
	struct Latch *worker_latch; /* NULL while there is no worker */
} DcShared;

/* NULL when the library was not preloaded. */
extern DcShared *dc_shared;

extern void dc_shmem_register(void);

/* Gives the background worker, if there is one, something to do.  Can't fail. */
extern void dc_wake_worker(void);

#endif							/* DC_SHMEM_H */
