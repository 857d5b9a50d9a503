/*
 * redis_status.c
 *		The view dashboard_cache.redis_status: how it is with Redis.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "redis/breaker.h"
#include "shmem.h"
#include "store/directory.h"

#define DC_REDIS_STATUS_COLUMNS 7

PG_FUNCTION_INFO_V1(dashboard_cache_redis_status);

static const char *const state_names[] = {
	[DC_REDIS_OFF] = "off",
	[DC_REDIS_CONNECTING] = "connecting",
	[DC_REDIS_UP] = "up",
	[DC_REDIS_DOWN] = "down",
};

/* dashboard_cache.redis_status_row(): what the view shows. */
Datum
dashboard_cache_redis_status(PG_FUNCTION_ARGS)
{
	TupleDesc	columns;
	DcBreakerStatus status;
	Datum		values[DC_REDIS_STATUS_COLUMNS] = {0};
	bool		nulls[DC_REDIS_STATUS_COLUMNS] = {0};
	int			n = 0;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (dc_shared == NULL)
		PG_RETURN_NULL();

	status = dc_breaker_status();
	values[n++] = CStringGetTextDatum(state_names[status.state]);
	values[n++] = TimestampTzGetDatum(status.since);
	nulls[n] = status.server[0] == '\0';
	values[n++] = CStringGetTextDatum(status.server);
	nulls[n] = nulls[n + 1] = status.last_error[0] == '\0';
	values[n++] = CStringGetTextDatum(status.last_error);
	values[n++] = TimestampTzGetDatum(status.last_error_at);
	values[n++] = Int64GetDatum(dc_directory_count());
	values[n++] = Int64GetDatum(dc_directory_cleared());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns),
													  values, nulls)));
}
