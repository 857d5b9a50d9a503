/*
 * language.c
 *		The language "cached": its call handler and its validator.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "function/compute.h"
#include "function/definition.h"
#include "function/lookup.h"
#include "function/result.h"
#include "function/slices.h"

PG_FUNCTION_INFO_V1(dashboard_cache_call_handler);
PG_FUNCTION_INFO_V1(dashboard_cache_validator);

/* Deeper calls inside each other's queries are taken for endless. */
#define DC_MAX_DEPTH 64

static int	depth = 0;

static void
dc_check_depth(const DcFunction *function)
{
	if (depth >= DC_MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_RECURSION),
				 errmsg("cached function \"%s\" is called inside %d cached functions",
						function->name, depth),
				 errhint("Does it call itself without end?")));
}

Datum
dashboard_cache_call_handler(PG_FUNCTION_ARGS)
{
	DcFunction *function = dc_function_of(fcinfo);
	volatile Datum result = 0;

	dc_check_depth(function);
	depth++;

	/* A definition that is in use is not freed when it is replaced. */
	dc_function_keep(function);
	PG_TRY();
	{
		result = dc_call(function, fcinfo);
	}
	PG_FINALLY();
	{
		depth--;
		dc_function_release(function);
	}
	PG_END_TRY();
	return result;
}

/* Shows where in the source an error is, rather than in CREATE FUNCTION. */
static void
dc_validator_context(void *arg)
{
	HeapTuple	row = arg;
	bool		isnull;
	Datum		source = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_prosrc,
										 &isnull);

	if (!isnull)
		(void) function_parse_error_transpose(TextDatumGetCString(source));
	errcontext("cached function \"%s\"",
			   NameStr(((Form_pg_proc) GETSTRUCT(row))->proname));
}

static void
dc_validate(HeapTuple row)
{
	DcFunction *function = dc_function_parse(row, InvalidOid);
	Query	   *query;

	/* A restore creates functions before what they read. */
	if (!check_function_bodies)
		return;
	dc_slices_check(function);
	query = dc_analyze(function);
	dc_result_check(function, ExecCleanTypeFromTL(query->targetList));
}

Datum
dashboard_cache_validator(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	ErrorContextCallback context = {
		.callback = dc_validator_context,
		.previous = error_context_stack,
	};
	HeapTuple	row;

	if (!CheckFunctionValidatorAccess(fcinfo->flinfo->fn_oid, oid))
		PG_RETURN_VOID();
	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for function %u", oid);

	context.arg = row;
	error_context_stack = &context;
	dc_validate(row);
	error_context_stack = context.previous;
	ReleaseSysCache(row);
	PG_RETURN_VOID();
}
