/*
 * definition.c
 *		What a cached function's pg_proc row says, parsed and kept.
 *
 * Kept per backend, as procedural languages do: found by the function's oid,
 * and valid as long as the pg_proc row is the same one (xmin and tid).
 *
 * What is kept besides about types can change without that row: ALTER TYPE or
 * ALTER TABLE changes how a composite value is laid out.  It is looked up
 * again after any invalidation of types or relations, and its hash is part of
 * each call's identity, so bytes of another layout are never read.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "coherence/definitions.h"
#include "coherence/ledger.h"
#include "coherence/temporary.h"
#include "function/definition.h"
#include "function/header.h"
#include "function/layout.h"
#include "settings.h"
#include "shmem.h"

static HTAB *functions = NULL;
static uint64 types_generation = 1;

/*
 * The same for roles: not in all versions does the server plan anew when
 * policies stop applying to a role, or begin to.
 */
static uint64 roles_generation = 1;

/* The columns of the rows that the function returns, or NULL for a scalar. */
static TupleDesc
dc_result_columns(const DcFunction *function, bool *is_composite)
{
	TypeFuncClass class;
	TupleDesc	columns;

	class = get_func_result_type(function->oid, NULL, &columns);
	*is_composite = class == TYPEFUNC_COMPOSITE ||
		class == TYPEFUNC_COMPOSITE_DOMAIN;
	if (!*is_composite)
	{
		if (!function->returns_set)
			return NULL;
		columns = CreateTemplateTupleDesc(1);
		TupleDescInitEntry(columns, 1, function->name, function->result.oid,
						   -1, 0);
	}
	return columns;
}

/* Looks up what the types of the function look like now. */
static void
dc_function_look_up_types(DcFunction *function)
{
	uint64		generation = types_generation;
	uint64		hash;
	TupleDesc	columns;

	columns = dc_result_columns(function, &function->is_composite);
	hash = dc_layout_add_type(0, function->result.oid);
	if (columns != NULL)
		hash = dc_layout_add_columns(hash, columns);
	for (int i = 0; i < function->n_args; i++)
		hash = dc_layout_add_type(hash, function->args[i].oid);

	/* Mostly nothing has changed: then nothing is allocated to stay. */
	if (columns != NULL &&
		(function->columns == NULL || hash != function->types_hash))
	{
		MemoryContext old_context = MemoryContextSwitchTo(function->context);

		function->columns = BlessTupleDesc(CreateTupleDescCopy(columns));
		MemoryContextSwitchTo(old_context);
	}
	if (hash != function->types_hash)
		function->wire = NULL;	/* it goes with the context */
	function->types_hash = hash;
	function->types_generation = generation;
}

static void
dc_types_changed_relation(Datum arg, Oid relation)
{
	types_generation++;
}

static void
dc_types_changed_syscache(Datum arg, int cache, uint32 hash)
{
	types_generation++;
}

static void
dc_roles_changed(Datum arg, int cache, uint32 hash)
{
	roles_generation++;
}

void
dc_definition_register(void)
{
	CacheRegisterRelcacheCallback(dc_types_changed_relation, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, dc_types_changed_syscache,
								  (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, dc_roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, dc_roles_changed, (Datum) 0);
}

/*
 * Parsing.
 */

static DcType
dc_type_of(Oid oid)
{
	DcType		type = {.oid = oid};

	get_typlenbyval(oid, &type.length, &type.by_value);
	return type;
}

int
dc_argument_names(HeapTuple row, char ***names)
{
	bool		no_names;
	bool		no_modes;
	Datum		all_names;
	Datum		modes;

	all_names = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_proargnames,
								&no_names);
	modes = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_proargmodes, &no_modes);
	return no_names ? 0 :
		get_func_input_arg_names(all_names, no_modes ? (Datum) 0 : modes,
								 names);
}

/* The number of the argument in a template: its name, or its position. */
static int
dc_argument_number(const char *name, void *arg)
{
	HeapTuple	row = arg;
	int			n_args = ((Form_pg_proc) GETSTRUCT(row))->pronargs;
	char	  **names;
	int			n_names = dc_argument_names(row, &names);
	char	   *end;
	long		position = strtol(name, &end, 10);

	if (*name != '\0' && *end == '\0')
		return position >= 1 && position <= n_args ? position - 1 : -1;
	for (int i = 0; i < n_names; i++)
	{
		if (names[i] != NULL && strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

static void
dc_check_types(Form_pg_proc proc)
{
	char		result_type = get_typtype(proc->prorettype);

	if (proc->prokind != PROKIND_FUNCTION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("language \"cached\" is for functions only")));
	for (int i = 0; i < proc->pronargs; i++)
	{
		Oid			type = proc->proargtypes.values[i];

		if (get_typtype(type) == TYPTYPE_PSEUDO)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
					 errmsg("cached functions cannot have arguments of type %s",
							format_type_be(type)),
					 errhint("Declare the argument with the type that it is called with.")));
	}
	/* A record's columns may be known from OUT arguments or TABLE. */
	if (result_type == TYPTYPE_PSEUDO &&
		(proc->prorettype != RECORDOID ||
		 get_func_result_type(proc->oid, NULL, NULL) != TYPEFUNC_COMPOSITE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("cached functions cannot return type %s",
						format_type_be(proc->prorettype)),
				 errhint("Declare the result with its type, or with RETURNS TABLE and the columns.")));
	if (proc->provolatile == PROVOLATILE_IMMUTABLE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("cached functions cannot be IMMUTABLE"),
				 errdetail("The planner would compute the result once and keep it in plans, where no invalidation reaches it."),
				 errhint("Declare the function STABLE.")));
}

/* A record is understood only by the session that made it. */
static void
dc_check_columns(const DcFunction *function)
{
	for (int i = 0; function->columns != NULL &&
		 i < function->columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(function->columns, i);

		if (!column->attisdropped &&
			get_typtype(column->atttypid) == TYPTYPE_PSEUDO)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
					 errmsg("cached functions cannot return columns of type %s",
							format_type_be(column->atttypid)),
					 errhint("Declare the column with its type.")));
	}
}

static char *
dc_source_of(HeapTuple row)
{
	bool		isnull;
	Datum		source = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_prosrc,
										 &isnull);

	if (isnull)
		elog(ERROR, "null prosrc");
	return TextDatumGetCString(source);
}

/* Fills in what the row says, in the current context. */
static void
dc_function_read(DcFunction *function, HeapTuple row)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(row);
	char	   *source = dc_source_of(row);
	int			source_length = strlen(source);

	dc_check_types(proc);
	function->name = pstrdup(NameStr(proc->proname));
	for (int i = 0; i < 2; i++)
		function->source_hash[i] =
			hash_bytes_extended((unsigned char *) source, source_length, i);
	dc_header_parse(source, &function->options, dc_argument_number, row);
	function->query = source;
	function->n_args = proc->pronargs;
	function->args = palloc0(proc->pronargs * sizeof(DcType));
	for (int i = 0; i < proc->pronargs; i++)
		function->args[i] = dc_type_of(proc->proargtypes.values[i]);
	function->result = dc_type_of(proc->prorettype);
	function->returns_set = proc->proretset;
	function->parse_info = prepare_sql_fn_parse_info(row, NULL,
													 function->collation);
	dc_function_look_up_types(function);
	dc_check_columns(function);
}

DcFunction *
dc_function_parse(HeapTuple row, Oid collation)
{
	DcFunction *function = palloc0(sizeof(DcFunction));

	function->oid = ((Form_pg_proc) GETSTRUCT(row))->oid;
	function->collation = collation;
	function->context = CurrentMemoryContext;
	function->row_xmin = HeapTupleHeaderGetRawXmin(row->t_data);
	function->row_tid = row->t_self;
	dc_function_read(function, row);
	return function;
}

/*
 * Keeping.
 */

static void
dc_function_free(DcFunction *function)
{
	if (function->plan != NULL)
		SPI_freeplan(function->plan);
	MemoryContextDelete(function->context);
}

int64
dc_function_ttl(const DcFunction *function)
{
	int64		ttl = function->options.ttl;

	if (ttl != DC_TTL_DEFAULT)
		return ttl;
	return dc_default_ttl < 0 ? DC_TTL_INFINITE :
		(int64) dc_default_ttl * USECS_PER_SEC;
}

void
dc_function_keep(DcFunction *function)
{
	function->use_count++;
}

void
dc_function_release(DcFunction *function)
{
	if (--function->use_count == 0 && function->replaced)
		dc_function_free(function);
}

/* Parses the row into a context of its own. */
static DcFunction *
dc_function_create(HeapTuple row, Oid collation)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "dashboard_cache function",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	DcFunction *function = dc_function_parse(row, collation);

	MemoryContextSwitchTo(old_context);
	if (dc_shared != NULL)
		function->stats = dc_stats_of(function->oid);
	MemoryContextSetParent(context, CacheMemoryContext);
	return function;
}

/* The place for the definition, which may be NULL or out of date. */
static DcFunction **
dc_function_place(Oid oid, Oid collation)
{
	struct
	{
		Oid			oid;
		Oid			collation;
	}			id = {oid, collation};
	struct
	{
		Oid			id[2];
		DcFunction *function;
	}		   *place;
	bool		found;

	if (unlikely(functions == NULL))
	{
		HASHCTL		control = {
			.keysize = sizeof(id),
			.entrysize = sizeof(*place),
		};

		functions = hash_create("dashboard_cache functions", 64, &control,
								HASH_ELEM | HASH_BLOBS);
	}
	place = hash_search(functions, &id, HASH_ENTER, &found);
	if (!found)
		place->function = NULL;
	return &place->function;
}

static bool
dc_function_is_current(const DcFunction *function, HeapTuple row)
{
	return function != NULL &&
		function->row_xmin == HeapTupleHeaderGetRawXmin(row->t_data) &&
		ItemPointerEquals(unconstify(ItemPointerData *, &function->row_tid),
						  &row->t_self);
}

/* Puts a new definition in place of the old one. */
static void
dc_function_replace(DcFunction **place, HeapTuple row, Oid collation)
{
	DcFunction *old = *place;

	*place = NULL;
	if (old != NULL && old->use_count > 0)
		old->replaced = true;
	else if (old != NULL)
		dc_function_free(old);
	*place = dc_function_create(row, collation);
}

/*
 * A plan that is kept knows nothing of a function that would fit better and has
 * been created since, nor of a table that comes first in the search path.
 */
bool
dc_function_renew_plan(DcFunction *function)
{
	uint64		definitions = 0;
	bool		current = true;

	if (dc_shared != NULL)
	{
		/* First: what comes later is news for the next call. */
		definitions = dc_ledger_last_definitions();
		pg_memory_barrier();
		current = dc_definitions_are_current();
	}

	if (likely(function->roles_generation == roles_generation &&
			   function->temporary_generation == dc_temporary_generation() &&
			   function->definitions == definitions && current))
		return true;
	if (function->use_count > 1)
		return false;
	function->roles_generation = roles_generation;
	function->temporary_generation = dc_temporary_generation();
	function->definitions = current ? definitions : 0;
	if (function->plan != NULL)
		SPI_freeplan(function->plan);
	function->plan = NULL;
	return current;
}

DcFunction *
dc_function_of(FunctionCallInfo fcinfo)
{
	Oid			oid = fcinfo->flinfo->fn_oid;
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	DcFunction **place;

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for function %u", oid);
	place = dc_function_place(oid, fcinfo->fncollation);
	if (unlikely(!dc_function_is_current(*place, row)))
		dc_function_replace(place, row, fcinfo->fncollation);

	/* A call that is under way goes on with the types that it began with. */
	if (unlikely((*place)->types_generation != types_generation))
	{
		if ((*place)->use_count > 0)
			dc_function_replace(place, row, fcinfo->fncollation);
		else
			dc_function_look_up_types(*place);
	}
	ReleaseSysCache(row);
	return *place;
}
