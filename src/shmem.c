/*
 * shmem.c
 *		Asks for the shared memory and sets it up: the only place with
 *		shared-memory hooks.
 *
 * Lock order: a partition lock of the store, or the pattern lock, or the
 * directory lock, or the reads lock; inside a partition lock, the page lock; inside all,
 * ProcArrayLock, and spinlocks (a ledger slot's, the definitions', the free
 * rows', the breaker's, the clearing queue's).  No two partition locks are held at once, and nothing that can
 * wait for anything else, allocate or raise an error is done under any of
 * them, but for the copy of a hit's value.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"

#include "coherence/clearing.h"
#include "coherence/definitions.h"
#include "coherence/ledger.h"
#include "coherence/pattern.h"
#include "coherence/worker_notes.h"
#include "monitor/reads.h"
#include "monitor/stats.h"
#include "redis/breaker.h"
#include "saved.h"
#include "shmem.h"
#include "store/directory.h"
#include "store/shared_store.h"

#define DC_TRANCHE "dashboard_cache"
#define DC_N_LOCKS (DC_PARTITIONS + 4)

DcShared   *dc_shared = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
dc_shmem_request(void)
{
	if (previous_request_hook)
		previous_request_hook();

	RequestAddinShmemSpace(MAXALIGN(sizeof(DcShared)));
	RequestAddinShmemSpace(dc_ledger_shmem_size());
	RequestAddinShmemSpace(dc_definitions_shmem_size());
	RequestAddinShmemSpace(dc_patterns_shmem_size());
	RequestAddinShmemSpace(dc_worker_notes_shmem_size());
	RequestAddinShmemSpace(dc_stats_shmem_size());
	RequestAddinShmemSpace(dc_reads_shmem_size());
	RequestAddinShmemSpace(dc_store_shmem_size());
	RequestAddinShmemSpace(dc_breaker_shmem_size());
	RequestAddinShmemSpace(dc_clearing_shmem_size());
	RequestAddinShmemSpace(dc_directory_shmem_size());
	RequestNamedLWLockTranche(DC_TRANCHE, DC_N_LOCKS);
}

static void
dc_shmem_startup(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	dc_shared = ShmemInitStruct("dashboard_cache", sizeof(DcShared), &found);
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche(DC_TRANCHE);

		dc_shared->pattern_lock = &locks[DC_PARTITIONS].lock;
		dc_shared->page_lock = &locks[DC_PARTITIONS + 1].lock;
		dc_shared->directory_lock = &locks[DC_PARTITIONS + 2].lock;
		dc_shared->reads_lock = &locks[DC_PARTITIONS + 3].lock;
		dc_shared->partition_locks = locks;
		dc_shared->worker_latch = NULL;
	}
	dc_ledger_shmem_init();
	dc_definitions_shmem_init();
	dc_patterns_shmem_init();
	dc_worker_notes_shmem_init();
	dc_stats_shmem_init();
	dc_reads_shmem_init();
	dc_store_shmem_init();
	dc_breaker_shmem_init();
	dc_clearing_shmem_init();
	dc_directory_shmem_init();
	LWLockRelease(AddinShmemInitLock);

	if (!IsUnderPostmaster)
	{
		dc_saved_load();
		on_shmem_exit(dc_saved_store, (Datum) 0);
	}
}

void
dc_shmem_register(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = dc_shmem_request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = dc_shmem_startup;
}

void
dc_wake_worker(void)
{
	Latch	   *latch = dc_shared->worker_latch;

	if (latch != NULL)
		SetLatch(latch);
}
