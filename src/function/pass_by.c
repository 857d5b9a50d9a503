/*
 * pass_by.c
 *		Whether a call may look into the cache at all.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "replication/logicalworker.h"

#include "coherence/writing.h"
#include "function/pass_by.h"
#include "settings.h"
#include "shmem.h"

/* Once a session. */
static void
dc_warn_not_preloaded(void)
{
	static bool warned = false;

	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errmsg("dashboard_cache is not preloaded, so cached functions run their query every time"),
			 errhint("Add dashboard_cache to shared_preload_libraries and restart the server.")));
}

/* Are the arguments larger than a result may be?  Does not fetch them. */
static bool
dc_arguments_too_large(const DcFunction *function, FunctionCallInfo fcinfo)
{
	Size		size = 0;

	for (int i = 0; i < function->n_args; i++)
	{
		if (function->args[i].length == -1 && !fcinfo->args[i].isnull)
			size += toast_raw_datum_size(fcinfo->args[i].value);
	}
	return size > dc_max_entry_bytes();
}

DcReason
dc_pass_by(const DcFunction *function, FunctionCallInfo fcinfo,
		   Snapshot snapshot)
{
	if (dc_shared == NULL)
	{
		dc_warn_not_preloaded();
		return DC_REASON_NOT_PRELOADED;
	}
	if (!dc_enabled || (dc_shared_memory_size == 0 && dc_redis_url == NULL))
		return DC_REASON_DISABLED;

	/* A snapshot taken on a standby may outlive its promotion. */
	if (RecoveryInProgress() || snapshot->takenDuringRecovery)
		return DC_REASON_STANDBY;
	if (IsolationIsSerializable())
		return DC_REASON_SERIALIZABLE;
	if (IsParallelWorker())
		return DC_REASON_PARALLEL_WORKER;
	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		return DC_REASON_SNAPSHOT_MOVED;

	/* It may see rows that this transaction has not invalidated yet. */
	if (dc_sees_unannounced(snapshot) || IsLogicalWorker())
		return DC_REASON_OWN_WRITES;
	if (dc_arguments_too_large(function, fcinfo))
		return DC_REASON_TOO_LARGE;
	return DC_REASON_NONE;
}
