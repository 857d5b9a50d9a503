/*
 * invalidate.c
 *		The SQL functions that invalidate by hand.
 *
 * All take effect when the transaction commits, and cost the same however
 * many entries they hit.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "coherence/pending.h"
#include "compat.h"

PG_FUNCTION_INFO_V1(dashboard_cache_invalidate_key);
PG_FUNCTION_INFO_V1(dashboard_cache_invalidate_pattern);
PG_FUNCTION_INFO_V1(dashboard_cache_invalidate_tag);
PG_FUNCTION_INFO_V1(dashboard_cache_flush);

/* The only argument, which must say something. */
static struct varlena *
dc_name_argument(FunctionCallInfo fcinfo, const char *what)
{
	struct varlena *name = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);

	if (name == NULL || VARSIZE_ANY_EXHDR(name) == 0)
		ereport(ERROR,
				(errcode(name == NULL ? ERRCODE_NULL_VALUE_NOT_ALLOWED :
						 ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg(name == NULL ? "%s must not be null" :
						"%s must not be empty", what),
				 errhint("To invalidate all that is cached in this database, call dashboard_cache.flush().")));
	return name;
}

static void
dc_invalidate_name(FunctionCallInfo fcinfo, DcTagKind kind, const char *what)
{
	struct varlena *name = dc_name_argument(fcinfo, what);

	dc_pending_add_tag(dc_tag(kind, VARDATA_ANY(name),
							  VARSIZE_ANY_EXHDR(name)));
}

Datum
dashboard_cache_invalidate_key(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("dashboard_cache.invalidate_key()");
	dc_invalidate_name(fcinfo, DC_TAG_KEY, "key");
	PG_RETURN_VOID();
}

Datum
dashboard_cache_invalidate_tag(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("dashboard_cache.invalidate_tag()");
	dc_invalidate_name(fcinfo, DC_TAG_NAME, "tag");
	PG_RETURN_VOID();
}

Datum
dashboard_cache_invalidate_pattern(PG_FUNCTION_ARGS)
{
	struct varlena *name = dc_name_argument(fcinfo, "pattern");
	DcPattern	pattern = dc_pattern_parse(VARDATA_ANY(name),
										   VARSIZE_ANY_EXHDR(name), false);

	PreventCommandDuringRecovery("dashboard_cache.invalidate_pattern()");
	dc_pending_add_pattern(&pattern);
	PG_RETURN_VOID();
}

Datum
dashboard_cache_flush(PG_FUNCTION_ARGS)
{
	DcPattern	everything = dc_pattern_parse("*", 1, false);

	PreventCommandDuringRecovery("dashboard_cache.flush()");
	dc_pending_add_pattern(&everything);
	PG_RETURN_VOID();
}
