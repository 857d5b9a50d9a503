/*
 * worker.c
 *		The background worker: drops entries that nobody will be served again.
 *
 * It keeps the memory tidy.  No answer depends on it: whether an entry may be
 * served is decided by who asks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "settings.h"
#include "store/shared_store.h"
#include "worker.h"

/* How long to sleep between two sweeps, in milliseconds. */
#define DC_SWEEP_INTERVAL 10000

PGDLLEXPORT void dashboard_cache_worker_main(Datum arg);

static void
dc_worker_sweep(void)
{
	DcReader	reader;

	StartTransactionCommand();
	dc_reader_init(&reader, GetTransactionSnapshot());
	dc_store_sweep(&reader, GetCurrentTimestamp());
	CommitTransactionCommand();
}

void
dashboard_cache_worker_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	dc_ledger_begin();

	while (!ShutdownRequestPending)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 DC_SWEEP_INTERVAL, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		dc_worker_sweep();
	}

	/* With 0 it would not be started again, if it was ended by itself. */
	proc_exit(1);
}

void
dc_worker_register(void)
{
	BackgroundWorker worker = {
		.bgw_name = "dashboard_cache worker",
		.bgw_type = "dashboard_cache worker",
		.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 5,
		.bgw_library_name = "dashboard_cache",
		.bgw_function_name = "dashboard_cache_worker_main",
	};

	RegisterBackgroundWorker(&worker);
}
