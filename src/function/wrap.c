/*
 * wrap.c
 *		dashboard_cache.cache(): writes the CREATE FUNCTION of a cached
 *		function for a function or view that exists, and watches what it reads.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "function/definition.h"
#include "function/discover.h"

PG_FUNCTION_INFO_V1(dashboard_cache_cache_function);
PG_FUNCTION_INFO_V1(dashboard_cache_cache_relation);
PG_FUNCTION_INFO_V1(dashboard_cache_cache_object);

/* The cached function to be written. */
typedef struct DcWrapper
{
	char	   *schema;
	char	   *name;
	oidvector  *argument_types;
	char	   *arguments;		/* as in CREATE FUNCTION, with defaults */
	char	   *result;
	char	   *query;
} DcWrapper;

/* The arguments of cache() after the first, in SQL's order. */
static const char *const wrapper_options[] = {
	"ttl", "key", NULL, "tags", "vary", "cache_nulls", "slice",
};

#define DC_ARGUMENT_NAME 3
#define DC_ARGUMENT_WATCH 8

/*
 * Adds an option line.  The value stays on its line: a line feed would begin
 * another option, or the query.
 */
static void
dc_append_option(StringInfo source, const char *name, const char *value)
{
	if (strpbrk(value, "\r\n") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a single line", name)));
	appendStringInfo(source, "#%s %s\n", name, value);
}

static char *
dc_wrapper_source(const DcWrapper *wrapper, FunctionCallInfo fcinfo)
{
	StringInfoData source;

	initStringInfo(&source);
	appendStringInfoChar(&source, '\n');
	for (int i = 0; i < lengthof(wrapper_options); i++)
	{
		const char *name = wrapper_options[i];

		if (name == NULL || PG_ARGISNULL(i + 1))
			continue;
		if (strcmp(name, "cache_nulls") == 0)
			dc_append_option(&source, name,
							 PG_GETARG_BOOL(i + 1) ? "on" : "off");
		else
			dc_append_option(&source, name,
							 text_to_cstring(PG_GETARG_TEXT_PP(i + 1)));
	}
	appendStringInfo(&source, "%s\n", wrapper->query);
	return source.data;
}

/* The function of that name and arguments, or InvalidOid. */
static Oid
dc_wrapper_oid(const DcWrapper *wrapper)
{
	Oid			schema = get_namespace_oid(wrapper->schema, false);

	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(wrapper->name),
						   PointerGetDatum(wrapper->argument_types),
						   ObjectIdGetDatum(schema));
}

/* Only a cached function is replaced, never a function of another language. */
static void
dc_check_replaceable(const DcWrapper *wrapper)
{
	Oid			oid = dc_wrapper_oid(wrapper);
	HeapTuple	row;
	Oid			language;

	if (!OidIsValid(oid))
		return;
	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for function %u", oid);
	language = ((Form_pg_proc) GETSTRUCT(row))->prolang;
	ReleaseSysCache(row);
	if (language != get_language_oid("cached", false))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_FUNCTION),
				 errmsg("function %s exists already and is not a cached function",
						format_procedure(oid)),
				 errhint("Give the cached function another name: name => '...'.")));
}

static Oid
dc_wrapper_create(DcWrapper *wrapper, FunctionCallInfo fcinfo)
{
	StringInfoData command;
	Oid			oid;

	if (!PG_ARGISNULL(DC_ARGUMENT_NAME))
		wrapper->name = text_to_cstring(PG_GETARG_TEXT_PP(DC_ARGUMENT_NAME));
	dc_check_replaceable(wrapper);

	initStringInfo(&command);
	appendStringInfo(&command,
					 "CREATE OR REPLACE FUNCTION %s(%s) RETURNS %s"
					 " LANGUAGE cached STABLE PARALLEL RESTRICTED AS %s",
					 quote_qualified_identifier(wrapper->schema, wrapper->name),
					 wrapper->arguments, wrapper->result,
					 quote_literal_cstr(dc_wrapper_source(wrapper, fcinfo)));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(command.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not create cached function");
	SPI_finish();
	oid = dc_wrapper_oid(wrapper);
	if (!PG_ARGISNULL(DC_ARGUMENT_WATCH) && PG_GETARG_BOOL(DC_ARGUMENT_WATCH))
		dc_watch_what_is_read(oid);
	return oid;
}

/*
 * Functions.
 */

/* The call of the function with its own arguments. */
static char *
dc_call_text(HeapTuple row, const char *qualified_name)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(row);
	StringInfoData call;
	char	  **input_names;
	int			n_names = dc_argument_names(row, &input_names);

	initStringInfo(&call);
	appendStringInfo(&call, "%s(", qualified_name);
	for (int i = 0; i < proc->pronargs; i++)
	{
		if (i > 0)
			appendStringInfoString(&call, ", ");
		if (OidIsValid(proc->provariadic) && i == proc->pronargs - 1)
			appendStringInfoString(&call, "VARIADIC ");
		if (i < n_names && input_names[i] != NULL)
			appendStringInfoString(&call, quote_identifier(input_names[i]));
		else
			appendStringInfo(&call, "$%d", i + 1);
	}
	appendStringInfoChar(&call, ')');
	return call.data;
}

static void
dc_check_wrappable(HeapTuple row)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(row);

	if (proc->prokind != PROKIND_FUNCTION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a plain function", format_procedure(proc->oid)),
				 errhint("Aggregates, window functions and procedures cannot be cached; a query that uses them can.")));
	if (proc->prolang == get_language_oid("cached", false))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("function %s is cached already", format_procedure(proc->oid))));
}

static Oid
dc_cache_function(Oid oid, FunctionCallInfo fcinfo)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	Form_pg_proc proc;
	DcWrapper	wrapper;
	Datum		arguments;
	Datum		result;
	char	   *name;
	bool		returns_rows;

	if (!HeapTupleIsValid(row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", oid)));
	dc_check_wrappable(row);
	proc = (Form_pg_proc) GETSTRUCT(row);
	wrapper.schema = get_namespace_name(proc->pronamespace);
	wrapper.name = psprintf("cached_%s", NameStr(proc->proname));
	wrapper.argument_types = buildoidvector(proc->proargtypes.values,
											proc->pronargs);
	arguments = DirectFunctionCall1(pg_get_function_arguments, oid);
	wrapper.arguments = TextDatumGetCString(arguments);
	result = DirectFunctionCall1(pg_get_function_result, oid);
	wrapper.result = TextDatumGetCString(result);
	name = quote_qualified_identifier(wrapper.schema, NameStr(proc->proname));
	returns_rows = proc->proretset || type_is_rowtype(proc->prorettype);
	wrapper.query = psprintf(returns_rows ? "SELECT * FROM %s" : "SELECT %s",
							 dc_call_text(row, name));
	ReleaseSysCache(row);
	return dc_wrapper_create(&wrapper, fcinfo);
}

/*
 * Views.
 */

static Oid
dc_cache_relation(Oid oid, FunctionCallInfo fcinfo)
{
	DcWrapper	wrapper;
	char	   *name = get_rel_name(oid);
	char	   *qualified_name;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", oid)));
	if (get_rel_relkind(oid) != RELKIND_VIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a view", name),
				 errhint("Create a view, or a function, with the query that is to be cached.")));
	wrapper.schema = get_namespace_name(get_rel_namespace(oid));
	wrapper.name = psprintf("cached_%s", name);
	wrapper.argument_types = buildoidvector(NULL, 0);
	wrapper.arguments = "";
	qualified_name = quote_qualified_identifier(wrapper.schema, name);
	wrapper.result = psprintf("SETOF %s", qualified_name);
	wrapper.query = psprintf("SELECT * FROM %s", qualified_name);
	return dc_wrapper_create(&wrapper, fcinfo);
}

/* The first argument, which every form of cache() needs. */
static void
dc_check_object(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("what to cache must not be null"),
				 errhint("Name a function with its argument types, as in 'dashboard_stats(integer)', or a view.")));
}

Datum
dashboard_cache_cache_function(PG_FUNCTION_ARGS)
{
	dc_check_object(fcinfo);
	PG_RETURN_OID(dc_cache_function(PG_GETARG_OID(0), fcinfo));
}

Datum
dashboard_cache_cache_relation(PG_FUNCTION_ARGS)
{
	dc_check_object(fcinfo);
	PG_RETURN_OID(dc_cache_relation(PG_GETARG_OID(0), fcinfo));
}

/* A text with parentheses is a function's signature, one without a view. */
Datum
dashboard_cache_cache_object(PG_FUNCTION_ARGS)
{
	char	   *object;
	Datum		name;

	dc_check_object(fcinfo);
	object = text_to_cstring(PG_GETARG_TEXT_PP(0));
	name = CStringGetDatum(object);
	if (strchr(object, '(') != NULL)
	{
		Oid			oid = DirectFunctionCall1(regprocedurein, name);

		PG_RETURN_OID(dc_cache_function(oid, fcinfo));
	}
	PG_RETURN_OID(dc_cache_relation(DirectFunctionCall1(regclassin, name),
									fcinfo));
}
