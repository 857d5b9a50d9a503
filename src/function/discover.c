/*
 * discover.c
 *		Watches what a cached function reads, for cache().
 *
 * The query is planned and run once, in a subtransaction that is rolled back,
 * with the arguments' defaults, or else plain values of their types.  Some
 * queries read other tables for other arguments; check() tells of those when
 * they have run.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "coherence/dependency.h"
#include "coherence/watch.h"
#include "coherence/watch_state.h"
#include "function/attempt.h"
#include "function/compute.h"
#include "function/definition.h"
#include "function/discover.h"
#include "function/inspect.h"
#include "function/slices.h"
#include "shmem.h"

typedef struct DcDiscovery
{
	DcFunction *function;
	NullableDatum *arguments;
	DcReading	reading;
} DcDiscovery;

/*
 * Arguments.
 */

static const char *
dc_plain_value(Oid type)
{
	char		category;
	bool		is_preferred;

	get_type_category_preferred(type, &category, &is_preferred);
	switch (category)
	{
		case TYPCATEGORY_ARRAY:
			return "{}";
		case TYPCATEGORY_BOOLEAN:
			return "false";
		case TYPCATEGORY_DATETIME:
			return "now";
		case TYPCATEGORY_NUMERIC:
			return "1";
		case TYPCATEGORY_STRING:
			return "";
		case TYPCATEGORY_TIMESPAN:
			return "1 day";
		default:
			return type == UUIDOID ? "00000000-0000-0000-0000-000000000000" :
				type == JSONOID || type == JSONBOID ? "{}" : NULL;
	}
}

static NullableDatum
dc_plain_argument(Oid type)
{
	const char *text = dc_plain_value(type);
	NullableDatum argument = {.isnull = text == NULL};
	Oid			input;
	Oid			parameter;

	if (argument.isnull)
		return argument;
	getTypeInputInfo(type, &input, &parameter);
	argument.value = OidInputFunctionCall(input, unconstify(char *, text),
										  parameter, -1);
	return argument;
}

/* The values of the last arguments, for as many as have a default. */
static void
dc_default_arguments(HeapTuple row, NullableDatum *arguments)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(row);
	EState	   *estate = CreateExecutorState();
	int			i = proc->pronargs - proc->pronargdefaults;
	bool		isnull;
	Datum		defaults = SysCacheGetAttr(PROCOID, row,
										   Anum_pg_proc_proargdefaults, &isnull);
	ListCell   *cell;

	if (isnull)
		return;
	foreach(cell, castNode(List, stringToNode(TextDatumGetCString(defaults))))
	{
		ExprState  *state = ExecPrepareExpr(lfirst(cell), estate);

		arguments[i].value = ExecEvalExpr(state,
										  GetPerTupleExprContext(estate),
										  &arguments[i].isnull);
		i++;
	}

	/* The values lie in the executor's memory, which goes with the caller's. */
}

static void
dc_find_arguments(void *arg)
{
	DcDiscovery *discovery = arg;
	DcFunction *function = discovery->function;
	HeapTuple	row = SearchSysCache1(PROCOID,
									  ObjectIdGetDatum(function->oid));
	int			n_plain;

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for function %u", function->oid);
	n_plain = function->n_args -
		((Form_pg_proc) GETSTRUCT(row))->pronargdefaults;
	for (int i = 0; i < n_plain; i++)
		discovery->arguments[i] = dc_plain_argument(function->args[i].oid);
	dc_default_arguments(row, discovery->arguments);
	ReleaseSysCache(row);
}

/*
 * Running.
 */

static void
dc_run_once(void *arg)
{
	DcDiscovery *discovery = arg;

	dc_find_arguments(discovery);
	dc_compute_nothing(discovery->function, discovery->arguments);
}

static void
dc_run_with_nulls(void *arg)
{
	DcDiscovery *discovery = arg;

	for (int i = 0; i < discovery->function->n_args; i++)
		discovery->arguments[i].isnull = true;
	dc_compute_nothing(discovery->function, discovery->arguments);
}

static DcFunction *
dc_function_to_run(Oid oid)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	DcFunction *function;

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for function %u", oid);
	function = dc_function_parse(row, DEFAULT_COLLATION_OID);
	ReleaseSysCache(row);
	return function;
}

/* Returns what went wrong, or NULL; what has been read by then counts. */
static char *
dc_discover(DcDiscovery *discovery)
{
	DcReader	reader;
	char	   *volatile error = NULL;

	dc_reader_init(&reader, GetActiveSnapshot());
	dc_reading_begin(&discovery->reading, &reader);
	PG_TRY();
	{
		error = dc_attempt(dc_run_once, discovery);
		if (error != NULL)
			error = dc_attempt(dc_run_with_nulls, discovery);
	}
	PG_FINALLY();
	{
		dc_reading_end(&discovery->reading);
	}
	PG_END_TRY();
	return error;
}

/*
 * Watching.
 */

static void
dc_append_unwatched(StringInfo list, Oid relation, const char *reason)
{
	char	   *schema = get_namespace_name_or_temp(get_rel_namespace(relation));

	appendStringInfo(list, "%s%s (%s)", list->len == 0 ? "" : ", ",
					 quote_qualified_identifier(schema,
												get_rel_name(relation)),
					 reason);
}

/* By the slices, too, that the function declares. */
static void
dc_watch_table_of(const DcFunction *function, Oid relation)
{
	ListCell   *cell;

	dc_watch(relation, NULL);
	foreach(cell, function->options.slices)
	{
		const DcSliceOption *slice = lfirst(cell);

		if (dc_slice_table(slice) == relation)
			dc_watch(relation, slice->column);
	}
}

static void
dc_watch_read(const DcFunction *function, Oid relation, StringInfo unwatched)
{
	DcRefusal  *refusal = dc_watch_refusal(relation);

	if (refusal == NULL)
		dc_watch_table_of(function, relation);
	else if (!dc_watch_is_complete(relation))
		dc_append_unwatched(unwatched, relation, refusal->reason);

	/* All but foreign parts. */
	if (refusal == NULL && !dc_watch_is_complete(relation))
		dc_append_unwatched(unwatched, relation, "has foreign partitions");
}

/* The tables, by their topmost ancestors, without views. */
static List *
dc_relations_read(const DcReading *reading)
{
	List	   *relations = NIL;

	for (int i = 0; i < reading->n_reads; i++)
	{
		Oid			relation = reading->reads[i].relation;
		char		kind = get_rel_relkind(relation);

		if (kind != RELKIND_VIEW && kind != '\0')
			relations = list_concat_unique_oid(relations,
											   dc_relation_roots(relation));
	}
	return relations;
}

static void
dc_report_unwatched(const char *name, const char *unwatched, const char *error)
{
	if (error != NULL)
		ereport(NOTICE,
				(errmsg("what function \"%s\" reads is not known yet", name),
				 errdetail("Its query failed without arguments of its own: %s.",
						   error),
				 errhint("Call it, and then dashboard_cache.check().")));
	if (*unwatched != '\0')
		ereport(NOTICE,
				(errmsg("function \"%s\" reads what is not watched: %s", name,
						unwatched),
				 errdetail("Results that depend on it are kept until their time to live is over."),
				 errhint("dashboard_cache.check() shows what can be done.")));
}

void
dc_watch_what_is_read(Oid oid)
{
	DcDiscovery discovery = {0};
	StringInfoData unwatched;
	char	   *error;
	ListCell   *cell;

	/* Nothing is kept then either. */
	if (dc_shared == NULL)
		return;
	discovery.function = dc_function_to_run(oid);
	discovery.arguments = palloc0((discovery.function->n_args + 1) *
								  sizeof(NullableDatum));
	error = dc_discover(&discovery);
	initStringInfo(&unwatched);
	foreach(cell, dc_relations_read(&discovery.reading))
		dc_watch_read(discovery.function, lfirst_oid(cell), &unwatched);
	dc_report_unwatched(discovery.function->name, unwatched.data, error);
	dc_inspect_report(discovery.function, &discovery.reading);
}
