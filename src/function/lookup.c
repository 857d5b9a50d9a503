/*
 * lookup.c
 *		A call of a cached function, from its arguments to its result:
 *		pass by?  identity, shared memory, compute, fill.
 *
 * Every call counts one of: a hit; a reason for passing the cache by; or a
 * miss, and then a fill or a reason for not keeping the result.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "coherence/dependency.h"
#include "coherence/ledger.h"
#include "function/compute.h"
#include "function/identity.h"
#include "function/lookup.h"
#include "function/result.h"
#include "settings.h"
#include "shmem.h"
#include "store/shared_store.h"

/* What a call that does not pass by works with. */
typedef struct DcCall
{
	DcFunction *function;
	FunctionCallInfo fcinfo;
	DcReader	reader;
	DcIdentity	identity;
	TimestampTz now;
} DcCall;

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

static DcReason
dc_pass_by(Snapshot snapshot)
{
	if (dc_shared == NULL)
	{
		dc_warn_not_preloaded();
		return DC_REASON_NOT_PRELOADED;
	}
	if (!dc_enabled || dc_shared_memory_size == 0)
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

	/*
	 * A trigger that fires before ours sees rows that this transaction has
	 * written and not invalidated yet.
	 */
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
		DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0)) > 0)
		return DC_REASON_OWN_WRITES;
	return DC_REASON_NONE;
}

static TimestampTz
dc_expires_at(const DcFunction *function, TimestampTz now)
{
	int64		ttl = function->options.ttl;

	if (ttl == DC_TTL_DEFAULT)
		ttl = dc_default_ttl < 0 ? DC_TTL_INFINITE :
			(int64) dc_default_ttl * USECS_PER_SEC;
	return ttl == DC_TTL_INFINITE ? DT_NOEND : now + ttl;
}

/* Why the result may not be kept, if so. */
static DcReason
dc_keep_out(const DcCall *call, const DcResult *result,
			const DcReading *reading, const DcDependencies *dependencies)
{
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return DC_REASON_OWN_ID;
	if (reading->temporary)
		return DC_REASON_TEMPORARY;
	if (reading->row_security && call->function->options.vary == NIL)
		return DC_REASON_ROW_SECURITY;
	if (result->isnull && !call->function->options.cache_nulls)
		return DC_REASON_NULL;
	if (result->size > (Size) dc_max_entry_size * 1024)
		return DC_REASON_TOO_LARGE;

	if (reading->snapshot_moved)
		return DC_REASON_SNAPSHOT_MOVED;

	/*
	 * A part of it was read in a newer snapshot.  That is as good as ours if
	 * nothing that the entry depends on has come between the two.
	 */
	if (reading->newest != NULL)
	{
		DcDependencies newest = *dependencies;

		newest.stamp = reading->newest;
		if (!dc_ledger_valid(&newest, &call->reader))
			return DC_REASON_SNAPSHOT_MOVED;
	}
	return DC_REASON_NONE;
}

static void
dc_fill(DcCall *call, const DcResult *result, const DcReading *reading)
{
	DcFunction *function = call->function;
	StringInfo	key = dc_key_of(function, call->fcinfo);
	DcFill		fill = {
		.identity = &call->identity,
		.dependencies = {
			.stamp = dc_stamp_take(&call->reader),
			.database = MyDatabaseId,
			.key = key->data,
			.key_length = key->len,
		},
		.expires_at = dc_expires_at(function, call->now),
	};
	DcReason	reason;

	fill.dependencies.tags = dc_tags_of(function, call->fcinfo, key,
										&fill.dependencies.n_tags);
	reason = dc_keep_out(call, result, reading, &fill.dependencies);
	if (reason == DC_REASON_NONE)
	{
		fill.value = dc_result_flatten(function, result);
		fill.value.row_security = reading->row_security;
		switch (dc_store_fill(&fill))
		{
			case DC_FILLED:
				dc_count(function->stats, DC_FILLS);
				return;
			case DC_NEWER_IS_THERE:
				reason = DC_REASON_OLD_SNAPSHOT;
				break;
			case DC_NO_ROOM:
				reason = DC_REASON_TOO_LARGE;
				break;
		}
	}
	dc_count_reason(function->stats, reason);
}

/* Runs the query in the call's reading, whatever becomes of it. */
static void
dc_compute_reading(DcCall *call, DcReading *reading, DcResult *result)
{
	dc_reading_begin(reading, &call->reader);
	PG_TRY();
	{
		dc_compute(call->function, call->fcinfo, result);
	}
	PG_CATCH();
	{
		dc_reading_end(reading);
		dc_count_reason(call->function->stats, DC_REASON_ERROR);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dc_reading_end(reading);
}

/* A miss: runs the query, and keeps the result if that is allowed. */
static Datum
dc_miss(DcCall *call)
{
	DcReading	reading;
	DcResult	result;

	dc_count(call->function->stats, DC_MISSES);
	dc_compute_reading(call, &reading, &result);
	dc_fill(call, &result, &reading);
	return dc_result_return(call->function, call->fcinfo, &result);
}

static Datum
dc_hit(DcCall *call, DcValue *value)
{
	dc_count(call->function->stats, DC_HITS);
	if (value->row_security)
		dc_reading_note_row_security();
	return dc_result_return_value(call->function, call->fcinfo, value);
}

static Datum
dc_run_uncached(DcFunction *function, FunctionCallInfo fcinfo)
{
	DcResult	result;

	dc_compute(function, fcinfo, &result);
	return dc_result_return(function, fcinfo, &result);
}

/* The value if there is one to serve, else what to do instead. */
static DcOutcome
dc_look_up(DcCall *call, Snapshot snapshot, DcValue *value)
{
	dc_ledger_begin();
	dc_reader_init(&call->reader, snapshot);
	call->identity = dc_identity_of(call->function, call->fcinfo);
	call->now = GetCurrentTimestamp();
	return dc_store_find(&call->identity, &call->reader, call->now, value);
}

Datum
dc_call(DcFunction *function, FunctionCallInfo fcinfo)
{
	DcCall		call = {.function = function,.fcinfo = fcinfo};
	Snapshot	snapshot = GetActiveSnapshot();
	DcReason	reason = dc_pass_by(snapshot);
	DcValue		value;

	dc_reading_note_snapshot(snapshot);
	if (reason == DC_REASON_NONE)
	{
		switch (dc_look_up(&call, snapshot, &value))
		{
			case DC_HIT:
				return dc_hit(&call, &value);
			case DC_OWN_WRITES:
				reason = DC_REASON_OWN_WRITES;
				break;
			case DC_STALE:
				dc_count(function->stats, DC_STALES);
				return dc_miss(&call);
			case DC_EXPIRED:
			case DC_ABSENT:
				return dc_miss(&call);
		}
	}
	if (reason != DC_REASON_NOT_PRELOADED)
		dc_count_reason(function->stats, reason);
	return dc_run_uncached(function, fcinfo);
}
