/*
 * inspect.c
 *		What people are shown of cached functions and their entries: the rows
 *		of dashboard_cache.dependencies, entries and check().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "coherence/watch_state.h"
#include "compat.h"
#include "function/attempt.h"
#include "function/compute.h"
#include "function/identity.h"
#include "function/inspect.h"
#include "function/slices.h"
#include "monitor/reads.h"
#include "settings.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(dashboard_cache_dependency_rows);
PG_FUNCTION_INFO_V1(dashboard_cache_entry_rows);
PG_FUNCTION_INFO_V1(dashboard_cache_function_facts);

/*
 * What a call has read.
 */

static void
dc_add_read_columns(DcReadsRow *row, const DcRelation *relation,
					const DcRead *read)
{
	int			number = -1;

	row->any_column = read->any_column ||
		dc_relation_reads_any(relation, read->columns);
	while (!row->any_column &&
		   (number = bms_next_member(read->columns, number)) >= 0)
		dc_reads_row_add_column(row,
								number + FirstLowInvalidHeapAttributeNumber);
}

/* Appends the rows of one read, as far as there is room; returns how many. */
static int
dc_rows_of_read(const DcReadsRow *model, const DcRead *read, DcReadsRow *rows,
				int room)
{
	const DcRelation *relation = dc_relation(read->relation);
	int			n = Min(relation->n_roots, room);

	for (int i = 0; i < n; i++)
	{
		rows[i] = *model;
		rows[i].relation = relation->roots[i].oid;
		dc_add_read_columns(&rows[i], relation, read);
	}
	if (relation->n_roots > 0 || room == 0 ||
		get_rel_relkind(read->relation) == RELKIND_VIEW)
		return n;
	rows[0] = *model;
	rows[0].relation = read->relation;
	rows[0].any_column = true;
	return 1;
}

static int
dc_max_rows(const DcReading *reading)
{
	int			n = 0;

	for (int i = 0; i < reading->n_reads; i++)
		n += Max(1, dc_relation(reading->reads[i].relation)->n_roots);
	return n;
}

void
dc_inspect_report(DcFunction *function, const DcReading *reading)
{
	int			max = dc_max_rows(reading);
	DcReadsRow *rows = palloc(Max(max, 1) * sizeof(DcReadsRow));
	DcReadsRow	model;
	int			n = 0;
	uint64		hash;

	memset(&model, 0, sizeof(model));
	model.database = MyDatabaseId;
	model.function = function->oid;
	model.source = function->source_hash[0];
	model.definitions = dc_ledger_last_definitions();
	for (int i = 0; i < reading->n_reads && n < max; i++)
		n += dc_rows_of_read(&model, &reading->reads[i], rows + n, max - n);

	/* Functions that read nothing are known too. */
	if (n == 0)
		rows[n++] = model;

	/* Mostly it is what the last call has read. */
	hash = hash_bytes_extended((unsigned char *) rows, n * sizeof(DcReadsRow),
							   0);
	if (hash != function->reported)
		dc_reads_add(rows, n);
	function->reported = hash;
	pfree(rows);
}

/*
 * Functions.
 */

typedef struct DcParsing
{
	Oid			oid;
	DcFunction *function;
} DcParsing;

static void
dc_parse_function(void *arg)
{
	DcParsing  *parsing = arg;
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(parsing->oid));

	if (!HeapTupleIsValid(row))
		return;
	if (((Form_pg_proc) GETSTRUCT(row))->prolang ==
		get_language_oid("cached", true))
		parsing->function = dc_function_parse(row, DEFAULT_COLLATION_OID);
	ReleaseSysCache(row);
}

/* NULL if there is none any more, or if it does not parse. */
static DcFunction *
dc_function_for_people(Oid oid)
{
	DcParsing	parsing = {.oid = oid};

	(void) dc_attempt(dc_parse_function, &parsing);
	return parsing.function;
}

/*
 * dashboard_cache.dependency_rows()
 */

static Datum
dc_column_names(const DcReadsRow *row, bool *isnull)
{
	const DcRelation *relation = dc_relation(row->relation);
	Datum	   *names;
	int			n = 0;

	*isnull = row->any_column;
	if (*isnull)
		return (Datum) 0;
	names = palloc((relation->n_columns + 1) * sizeof(Datum));
	for (int i = 0; i < relation->n_columns; i++)
	{
		if (dc_reads_row_has_column(row, i + 1))
			names[n++] = NameGetDatum(&relation->names[i]);
	}
	return PointerGetDatum(construct_array(names, n, NAMEOID, NAMEDATALEN,
										   false, TYPALIGN_CHAR));
}

static const DcSliceOption *
dc_slice_of_relation(const DcFunction *function, Oid relation)
{
	const char *name = get_rel_name(relation);
	ListCell   *cell;

	foreach(cell, function->options.slices)
	{
		const DcSliceOption *slice = lfirst(cell);

		if (name != NULL && strcmp(strVal(llast(slice->table)), name) == 0)
			return slice;
	}
	return NULL;
}

static TimestampTz
dc_last_touched(const DcReadsRow *row)
{
	const DcRelation *relation = dc_relation(row->relation);
	TimestampTz last = 0;

	for (int i = 0; i < relation->n_roots; i++)
	{
		const DcRoot *root = &relation->roots[i];

		last = Max(last, dc_ledger_touched_at(root->rows));
		if (row->any_column)
			last = Max(last, dc_ledger_touched_at(root->any_column));
		for (int j = 0; j < relation->n_columns; j++)
		{
			if (dc_reads_row_has_column(row, j + 1))
				last = Max(last, dc_ledger_touched_at(root->columns[j]));
		}
	}
	return last;
}

/* By function, the newest first. */
static int
dc_compare_reads(const void *a, const void *b)
{
	const DcReadsRow *x = a;
	const DcReadsRow *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	return x->definitions > y->definitions ? -1 :
		x->definitions < y->definitions;
}

static void
dc_put_dependency(ReturnSetInfo *result, const DcReadsRow *row,
				  const DcFunction *function)
{
	const DcSliceOption *slice = dc_slice_of_relation(function, row->relation);
	TimestampTz last = dc_last_touched(row);
	Datum		values[] = {
		ObjectIdGetDatum(row->function),
		ObjectIdGetDatum(row->relation),
		0,
		slice == NULL ? (Datum) 0 : CStringGetTextDatum(slice->text),
		BoolGetDatum(OidIsValid(row->relation) &&
					 dc_watch_is_complete(row->relation)),
		TimestampTzGetDatum(last),
		BoolGetDatum(slice != NULL &&
					 dc_names_has(dc_watched_slices(row->relation),
								  slice->column)),
	};
	bool		nulls[lengthof(values)] = {
		[1] = !OidIsValid(row->relation),
		[3] = slice == NULL,
		[5] = last == 0,
		[6] = slice == NULL,
	};

	values[2] = dc_column_names(row, &nulls[2]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
dashboard_cache_dependency_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DcReadsRow *rows;
	DcReadsRow *newest = NULL;
	DcFunction *function = NULL;
	int			n = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (dc_shared == NULL)
		return (Datum) 0;
	rows = dc_reads_copy(&n);
	qsort(rows, n, sizeof(DcReadsRow), dc_compare_reads);
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || rows[i].function != newest->function)
		{
			newest = &rows[i];
			function = dc_function_for_people(newest->function);
		}
		if (function == NULL || function->source_hash[0] != rows[i].source ||
			rows[i].definitions < newest->definitions ||
			(OidIsValid(rows[i].relation) &&
			 get_rel_name(rows[i].relation) == NULL))
			continue;
		dc_put_dependency(result, &rows[i], function);
		CHECK_FOR_INTERRUPTS();
	}
	return (Datum) 0;
}

/*
 * dashboard_cache.entry_rows()
 */

Datum
dashboard_cache_entry_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DcReader	reader;
	DcEntryView view;

	InitMaterializedSRF(fcinfo, 0);
	if (dc_shared == NULL || RecoveryInProgress())
		return (Datum) 0;
	dc_ledger_begin();
	dc_reader_init(&reader, GetActiveSnapshot());
	for (int i = 0; dc_store_view(&i, &reader, GetCurrentTimestamp(), &view);
		 i++)
	{
		Oid			function;
		Oid			user;
		Datum		values[7];
		bool		nulls[7] = {0};

		CHECK_FOR_INTERRUPTS();
		dc_identity_tell(view.identity, &function, &user);
		if (view.database != MyDatabaseId ||
			!has_privs_of_role(GetUserId(), user))
			continue;
		values[0] = ObjectIdGetDatum(function);
		values[1] = PointerGetDatum(cstring_to_text_with_len(view.key,
															 view.key_length));
		values[2] = ObjectIdGetDatum(user);
		values[3] = Int64GetDatum((int64) view.size);
		values[4] = TimestampTzGetDatum(view.expires_at);
		values[5] = Int32GetDatum(view.n_tags);
		values[6] = BoolGetDatum(view.valid);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

/*
 * dashboard_cache.function_facts(): what check() wants to know of a cached
 * function.
 */

typedef struct DcVolatiles
{
	List	   *oids;
} DcVolatiles;

static bool
dc_note_volatile(Oid function, void *arg)
{
	DcVolatiles *volatiles = arg;

	if (func_volatile(function) == PROVOLATILE_VOLATILE)
		volatiles->oids = list_append_unique_oid(volatiles->oids, function);
	return false;
}

static bool
dc_find_volatiles(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, dc_note_volatile, arg);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, dc_find_volatiles, arg, 0);
	return expression_tree_walker(node, dc_find_volatiles, arg);
}

typedef struct DcAnalysis
{
	const DcFunction *function;
	DcVolatiles volatiles;
} DcAnalysis;

/*
 * Looking at a query can run code, in input functions of its literals' types.
 * That is not to happen with more rights than the function's owner has, who
 * wrote it; nor with the owner's, in a search_path of somebody who has not got
 * them.
 */
static bool
dc_become_owner(const Form_pg_proc proc)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	if (!has_privs_of_role(user, proc->proowner))
		return false;
	SetUserIdAndSecContext(proc->proowner, context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	return true;
}

/*
 * As who and with what settings the query is to be looked at; the end of the
 * subtransaction undoes it.  False if the user may not.
 */
static bool
dc_begin_analysis(Oid function)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull = true;
	Datum		settings;

	if (!HeapTupleIsValid(row))
		return false;
	if (!dc_become_owner((Form_pg_proc) GETSTRUCT(row)))
	{
		ReleaseSysCache(row);
		return false;
	}
	settings = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_proconfig, &isnull);
	if (!isnull)
		ProcessGUCArray(DatumGetArrayTypePCopy(settings),
						superuser() ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
						GUC_ACTION_SAVE);
	ReleaseSysCache(row);
	return true;
}

/* The volatile functions that the query calls, also through views. */
static void
dc_find_volatile_functions(void *arg)
{
	DcAnalysis *analysis = arg;
	Query	   *query;
	ListCell   *cell;

	if (!dc_begin_analysis(analysis->function->oid))
		return;
	query = dc_analyze(analysis->function);

	AcquireRewriteLocks(query, true, false);
	foreach(cell, QueryRewrite(query))
		dc_find_volatiles(lfirst(cell), &analysis->volatiles);
}

static Datum
dc_functions_array(const List *oids)
{
	Datum	   *elements = palloc(Max(list_length(oids), 1) * sizeof(Datum));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, oids)
		elements[n++] = ObjectIdGetDatum(lfirst_oid(cell));
	return PointerGetDatum(construct_array(elements, n, REGPROCEDUREOID,
										   sizeof(Oid), true,
										   TYPALIGN_INT));
}

static Interval *
dc_ttl_interval(int64 ttl)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = ttl;
	return interval;
}

Datum
dashboard_cache_function_facts(PG_FUNCTION_ARGS)
{
	DcParsing	parsing = {.oid = PG_GETARG_OID(0)};
	DcAnalysis	analysis = {0};
	int64		ttl = 0;
	char	   *error;
	TupleDesc	columns;
	Datum		values[3];
	bool		nulls[3] = {0};

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	error = dc_attempt(dc_parse_function, &parsing);
	if (parsing.function != NULL)
	{
		analysis.function = parsing.function;
		ttl = dc_function_ttl(parsing.function);
		error = dc_attempt(dc_find_volatile_functions, &analysis);
	}
	values[0] = IntervalPGetDatum(dc_ttl_interval(ttl));
	nulls[0] = ttl == DC_TTL_INFINITE;
	values[1] = dc_functions_array(analysis.volatiles.oids);
	values[2] = error == NULL ? (Datum) 0 : CStringGetTextDatum(error);
	nulls[2] = error == NULL;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns),
													  values, nulls)));
}
