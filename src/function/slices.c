/*
 * slices.c
 *		The #slice option: which rows of a table a cached function reads.
 *
 * The table's name means what it means in the query: it is looked up for each
 * call, in the call's search_path.  A NULL argument is taken for "all rows",
 * which is what queries commonly make of it.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "coherence/slice.h"
#include "function/slices.h"

static void
dc_bad_slice(const char *text, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("%s has an invalid value: \"%s\"", what, text),
			 errhint("Write table.column = argument, as in \"issues.tenant_id = tenant\".")));
}

static char *
dc_trimmed(const char *begin, const char *end)
{
	while (begin < end && isspace((unsigned char) *begin))
		begin++;
	while (end > begin && isspace((unsigned char) end[-1]))
		end--;
	return pnstrdup(begin, end - begin);
}

DcSliceOption *
dc_slice_parse(const char *text, const char *what, DcFieldNumber argument,
			   void *arg)
{
	DcSliceOption *slice = palloc0(sizeof(DcSliceOption));
	const char *equals = strrchr(text, '=');
	List	   *names = NIL;
	List	   *parts;
	ListCell   *cell;
	char	   *name;

	if (equals == NULL ||
		!SplitIdentifierString(dc_trimmed(text, equals), '.', &parts))
		dc_bad_slice(text, what);
	name = dc_trimmed(equals + 1, equals + strlen(equals));
	if (list_length(parts) < 2 || list_length(parts) > 3 || *name == '\0')
		dc_bad_slice(text, what);
	slice->column = llast(parts);
	foreach(cell, list_truncate(list_copy(parts), list_length(parts) - 1))
		names = lappend(names, makeString(lfirst(cell)));
	slice->table = names;
	slice->argument = argument(name, arg);
	if (slice->argument < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s names an argument \"%s\" that the function does not have",
						what, name),
				 errhint("Arguments go by their names, or by their positions from 1 on.")));
	slice->text = psprintf("%s = %s", slice->column, name);
	return slice;
}

/* Whether or not the caller may use its schema: the query may, by a view. */
Oid
dc_slice_table(const DcSliceOption *slice)
{
	const char *name = strVal(llast(slice->table));
	Oid			schema;

	if (list_length(slice->table) == 1)
		return RelnameGetRelid(name);
	schema = get_namespace_oid(strVal(linitial(slice->table)), true);
	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

/* The column's type and collation; false if it is not there. */
static bool
dc_slice_column(const DcSliceOption *slice, Oid table, Oid *type,
				Oid *collation)
{
	AttrNumber	number = OidIsValid(table) ? get_attnum(table, slice->column) :
	InvalidAttrNumber;
	int32		typmod;

	if (number <= 0)
		return false;
	get_atttypetypmodcoll(table, number, type, &typmod, collation);
	return true;
}

static void
dc_slice_check(const DcFunction *function, const DcSliceOption *slice)
{
	Oid			table = dc_slice_table(slice);
	Oid			argument = function->args[slice->argument].oid;
	Oid			type;
	Oid			collation;

	if (!OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("option \"slice\": table \"%s\" does not exist",
						NameListToString(slice->table))));
	if (get_rel_relkind(table) != RELKIND_RELATION &&
		get_rel_relkind(table) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("option \"slice\": \"%s\" is not a table",
						NameListToString(slice->table)),
				 errhint("Name the table that is read, and watched.")));
	if (!dc_slice_column(slice, table, &type, &collation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("option \"slice\": column \"%s\" of table \"%s\" does not exist",
						slice->column, NameListToString(slice->table))));
	if (!dc_slice_type_ok(type))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("option \"slice\": column \"%s\" of type %s cannot be a slice",
						slice->column, format_type_be(type)),
				 errdetail("The type has no equality that can be hashed.")));
	if (!dc_slice_types_match(type, argument, InvalidOid))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("option \"slice\": column \"%s\" is of type %s, but the argument of type %s",
						slice->column, format_type_be(type),
						format_type_be(argument)),
				 errhint("Declare the argument with the column's type.")));
}

void
dc_slices_check(const DcFunction *function)
{
	ListCell   *cell;

	foreach(cell, function->options.slices)
		dc_slice_check(function, lfirst(cell));
}

/*
 * Is what the call takes for equal, equal for the column too?  Not if the call
 * has a collation of its own in which different bytes may be equal.
 */
static bool
dc_collations_agree(Oid call, Oid column)
{
	return !OidIsValid(call) || !OidIsValid(column) || call == column ||
		get_collation_isdeterministic(call);
}

DcSlice    *
dc_slices_of(const DcFunction *function, FunctionCallInfo fcinfo, int *n)
{
	DcSlice    *slices = palloc(Max(list_length(function->options.slices), 1) *
								sizeof(DcSlice));
	ListCell   *cell;

	*n = 0;
	foreach(cell, function->options.slices)
	{
		const DcSliceOption *slice = lfirst(cell);
		NullableDatum argument = fcinfo->args[slice->argument];
		Oid			argument_type = function->args[slice->argument].oid;
		Oid			table = dc_slice_table(slice);
		Oid			type;
		Oid			collation;

		if (!dc_slice_column(slice, table, &type, &collation))
			continue;
		slices[*n].relation = table;
		slices[*n].column = slice->column;

		/* The column's type may have changed since the validator looked. */
		slices[*n].all = argument.isnull ||
			!dc_slice_types_match(argument_type, type, collation) ||
			!dc_collations_agree(function->collation, collation);
		slices[*n].value = slices[*n].all ? 0 :
			dc_slice_hash(argument.value, argument_type, collation);
		(*n)++;
	}
	return slices;
}
