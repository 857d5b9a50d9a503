/*
 * lookup.c
 *		A call of a cached function, from its arguments to its result:
 *		pass by?  identity, shared memory, Redis, compute, fill.
 *
 * Every call counts one of: a hit; a reason for passing the cache by; or a
 * miss, and then a fill or a reason for not keeping the result.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "coherence/dependency.h"
#include "coherence/ledger.h"
#include "function/compute.h"
#include "function/identity.h"
#include "function/inspect.h"
#include "function/lookup.h"
#include "function/pass_by.h"
#include "function/redis_tier.h"
#include "function/result.h"
#include "function/slices.h"
#include "function/wire.h"
#include "redis/breaker.h"
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
	StringInfo	key;			/* NULL until it is needed */
	TimestampTz now;
	bool		is_current;		/* does it run with definitions of today? */
	struct DcCall *outer;		/* inside whose query it is */
} DcCall;

/* The innermost call whose query runs. */
static DcCall *running = NULL;

static TimestampTz
dc_expires_at(const DcFunction *function, TimestampTz now)
{
	int64		ttl = dc_function_ttl(function);

	return ttl == DC_TTL_INFINITE ? DT_NOEND : now + ttl;
}

/* Why the result may not be kept, whatever the entry would depend on. */
static DcReason
dc_keep_out(const DcCall *call, const DcResult *result,
			const DcReading *reading)
{
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return DC_REASON_OWN_ID;
	if (reading->temporary)
		return DC_REASON_TEMPORARY;
	if (reading->unknown)
		return DC_REASON_PARALLEL_WORKER;
	if (reading->row_security && call->function->options.vary == NIL)
		return DC_REASON_ROW_SECURITY;
	if (reading->snapshot_moved || !call->is_current)
		return DC_REASON_SNAPSHOT_MOVED;
	if (result->isnull && !call->function->options.cache_nulls)
		return DC_REASON_NULL;
	if (result->size + call->identity.length > dc_max_entry_bytes())
		return DC_REASON_TOO_LARGE;
	return DC_REASON_NONE;
}

/*
 * A part of it may have been read in a newer snapshot.  That is as good as ours
 * if nothing that the entry depends on has come between the two.
 */
static bool
dc_newest_agrees(const DcCall *call, const DcReading *reading,
				 const DcDependencies *dependencies)
{
	DcDependencies newest = *dependencies;

	newest.stamp = reading->newest;
	return newest.stamp == NULL || dc_ledger_valid(&newest, &call->reader);
}

static const StringInfoData *
dc_call_key(DcCall *call)
{
	if (call->key == NULL)
		call->key = dc_key_of(call->function, call->fcinfo);
	return call->key;
}

/*
 * Is Redis asked for this call?  Not for what no other session can use, if it
 * is kept in shared memory, nor for what Redis cannot carry just now.
 */
static bool
dc_uses_redis(const DcCall *call)
{
	return dc_breaker_allows() &&
		(!call->identity.is_private || dc_shared_memory_size == 0) &&
		dc_wire_can_carry(call->function);
}

/* Puts it where it can be found, or says why not. */
static DcReason
dc_store(DcCall *call, const DcFill *fill)
{
	DcFillOutcome shared = dc_store_fill(fill);
	DcFillOutcome in_redis = DC_NO_ROOM;

	if (shared == DC_NEWER_IS_THERE)
		return DC_REASON_OLD_SNAPSHOT;
	if (dc_uses_redis(call))
	{
		in_redis = dc_redis_tier_fill(call->function, fill, &call->reader,
									  call->now);
		if (in_redis == DC_NO_ROOM)
			dc_count(call->function->stats, DC_REDIS_ERRORS);
	}
	if (shared == DC_FILLED || in_redis == DC_FILLED)
		return DC_REASON_NONE;
	if (in_redis == DC_NEWER_IS_THERE)
		return DC_REASON_OLD_SNAPSHOT;
	return dc_shared_memory_size == 0 ? DC_REASON_REDIS_DOWN :
		DC_REASON_TOO_LARGE;
}

/* Its own tags, and those of the entries that went into it. */
static void
dc_call_tags(DcCall *call, const DcReading *reading,
			 DcDependencies *dependencies)
{
	int			n;
	DcTag	   *tags = dc_tags_of(call->function, call->fcinfo,
								  dc_call_key(call), reading->n_tags, &n);

	for (int i = 0; i < reading->n_tags; i++)
		dc_tags_add(tags, &n, reading->tags[i]);
	dependencies->tags = tags;
	dependencies->n_tags = n;
	dependencies->has_inner = reading->has_inner;
}

/* Keeps the result, or says why not. */
static DcReason
dc_keep(DcCall *call, const DcResult *result, const DcReading *reading)
{
	DcFunction *function = call->function;
	const StringInfoData *key = dc_call_key(call);
	DcFill		fill = {
		.identity = &call->identity,
		.dependencies = {
			.stamp = dc_stamp_take(&call->reader),
			.database = MyDatabaseId,
			.key = key->data,
			.key_length = key->len,
		},
		.expires_at = Min(dc_expires_at(function, call->now),
						  reading->expires_at),
	};

	if (key->len > DC_MAX_KEY)
		return DC_REASON_TOO_LARGE;
	dc_call_tags(call, reading, &fill.dependencies);
	if (!dc_newest_agrees(call, reading, &fill.dependencies))
		return DC_REASON_SNAPSHOT_MOVED;

	fill.value = dc_result_flatten(function, result);
	fill.value.row_security = reading->row_security;
	return dc_store(call, &fill);
}

static void
dc_fill(DcCall *call, const DcResult *result, const DcReading *reading)
{
	DcReason	reason = dc_keep_out(call, result, reading);

	if (reason == DC_REASON_NONE)
		reason = dc_keep(call, result, reading);
	if (reason == DC_REASON_NONE)
		dc_count(call->function->stats, DC_FILLS);
	else
		dc_count_reason(call->function->stats, reason);
}

/* Its result would have to be known before it is. */
static void
dc_check_no_cycle(const DcCall *call)
{
	for (const DcCall *outer = running; outer != NULL; outer = outer->outer)
	{
		if (outer->identity.length == call->identity.length &&
			memcmp(outer->identity.bytes, call->identity.bytes,
				   call->identity.length) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_RECURSION),
					 errmsg("cached function \"%s\" calls itself with the same arguments",
							call->function->name)));
	}
}

/* Runs the query in the call's reading, whatever becomes of it. */
static void
dc_compute_reading(DcCall *call, DcReading *reading, DcResult *result)
{
	dc_check_no_cycle(call);
	call->outer = running;
	running = call;
	dc_reading_begin(reading, &call->reader);
	PG_TRY();
	{
		DcSlice    *slices;
		int			n;

		dc_compute(call->function, call->fcinfo, result);
		slices = dc_slices_of(call->function, call->fcinfo, &n);
		dc_reading_make_tags(reading, slices, n);
	}
	PG_CATCH();
	{
		running = call->outer;
		dc_reading_end(reading);
		dc_count_reason(call->function->stats, DC_REASON_ERROR);
		PG_RE_THROW();
	}
	PG_END_TRY();
	running = call->outer;
	dc_reading_end(reading);
}

/* A miss: runs the query, and keeps the result if that is allowed. */
static Datum
dc_miss(DcCall *call)
{
	DcReading	reading;
	DcResult	result;

	dc_count(call->function->stats, DC_MISSES);
	call->is_current = dc_function_renew_plan(call->function);
	dc_compute_reading(call, &reading, &result);
	dc_fill(call, &result, &reading);
	dc_inspect_report(call->function, &reading);
	return dc_result_return(call->function, call->fcinfo, &result);
}

static Datum
dc_hit(DcCall *call, DcFound *found)
{
	dc_count(call->function->stats, DC_HITS);
	if (found->value.row_security)
		dc_reading_note_row_security();
	if (found->tags != NULL)
		dc_reading_note_entry(found->tags, found->n_tags, true,
							  found->expires_at);
	return dc_result_return_value(call->function, call->fcinfo, &found->value);
}

static Datum
dc_run_uncached(DcFunction *function, FunctionCallInfo fcinfo)
{
	DcResult	result;

	(void) dc_function_renew_plan(function);
	dc_compute(function, fcinfo, &result);
	return dc_result_return(function, fcinfo, &result);
}

/* What is found there comes to shared memory too. */
static DcOutcome
dc_look_in_redis(DcCall *call, DcFound *found)
{
	const StringInfoData *key = dc_call_key(call);
	DcFill		entry;
	DcOutcome	outcome;

	if (key->len > DC_MAX_KEY)
		return DC_ABSENT;
	entry.identity = &call->identity;
	outcome = dc_redis_tier_find(call->function, key, &call->reader, call->now,
								 &entry);
	switch (outcome)
	{
		case DC_HIT:
			dc_count(call->function->stats, DC_REDIS_HITS);
			(void) dc_store_fill(&entry);
			found->value = entry.value;
			found->tags = dc_reading_is_open() ?
				unconstify(DcTag *, entry.dependencies.tags) : NULL;
			found->n_tags = entry.dependencies.n_tags;
			found->expires_at = entry.expires_at;
			break;
		case DC_REJECTED:
			dc_count(call->function->stats, DC_REDIS_REJECTED);
			break;
		case DC_NO_ANSWER:
			dc_count(call->function->stats, DC_REDIS_ERRORS);
			break;
		default:
			break;
	}
	return outcome;
}

/* The entry if there is one to serve, else what to do instead. */
static DcOutcome
dc_look_up(DcCall *call, Snapshot snapshot, DcFound *found)
{
	DcOutcome	outcome;
	DcOutcome	in_redis;

	dc_ledger_begin();
	dc_reader_init(&call->reader, snapshot);
	call->identity = dc_identity_of(call->function, call->fcinfo);
	call->now = GetCurrentTimestamp();
	outcome = dc_store_find(&call->identity, &call->reader, call->now,
							dc_reading_is_open(), found);
	if (outcome == DC_HIT || outcome == DC_OWN_WRITES || !dc_uses_redis(call))
		return outcome;
	in_redis = dc_look_in_redis(call, found);

	/* A stale entry in either place makes it a stale miss. */
	return outcome == DC_STALE && in_redis != DC_HIT &&
		in_redis != DC_OWN_WRITES ? DC_STALE : in_redis;
}

/*
 * Called inside another cached function's query: whatever becomes of this call,
 * what invalidates its result, and its TTL, go for the other's too.
 */
static void
dc_hand_over(DcCall *call)
{
	TimestampTz now = GetCurrentTimestamp();
	int			n;
	DcTag	   *tags = dc_tags_of(call->function, call->fcinfo,
								  dc_call_key(call), 0, &n);

	dc_reading_note_entry(tags, n, true, dc_expires_at(call->function, now));
}

Datum
dc_call(DcFunction *function, FunctionCallInfo fcinfo)
{
	DcCall		call = {.function = function,.fcinfo = fcinfo};
	Snapshot	snapshot = GetActiveSnapshot();
	DcReason	reason = dc_pass_by(function, fcinfo, snapshot);
	DcFound		found;

	dc_reading_note_snapshot(snapshot);
	dc_reading_note_unknown();
	if (dc_reading_is_open())
		dc_hand_over(&call);
	if (reason == DC_REASON_NONE)
	{
		switch (dc_look_up(&call, snapshot, &found))
		{
			case DC_HIT:
				return dc_hit(&call, &found);
			case DC_OWN_WRITES:
				reason = DC_REASON_OWN_WRITES;
				break;
			case DC_STALE:
				dc_count(function->stats, DC_STALES);
				return dc_miss(&call);
			case DC_EXPIRED:
			case DC_ABSENT:
			case DC_REJECTED:
			case DC_NO_ANSWER:
				return dc_miss(&call);
		}
	}
	if (reason != DC_REASON_NOT_PRELOADED)
		dc_count_reason(function->stats, reason);
	return dc_run_uncached(function, fcinfo);
}
