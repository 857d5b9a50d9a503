/*
 * wire_type.c
 *		How values of a function's result type are written and read, and whether
 *		they come back as they were.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "function/wire.h"
#include "function/wire_type.h"

static bool dc_columns_come_back(TupleDesc columns, bool are_part);

/*
 * Types whose stored bytes are text, or bytes, and nothing else.  Nothing is
 * to be checked or converted; xml's send function would write another
 * declaration of the encoding.
 */
static bool
dc_is_as_stored(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
		case XMLOID:
		case BYTEAOID:
			return true;
		default:
			return false;
	}
}

/*
 * Does what its send function writes come back as it was?  Not without such
 * functions, and not xml in anything else: its functions rewrite its
 * declaration.
 */
static bool
dc_type_comes_back(Oid oid, bool is_part)
{
	Oid			base = getBaseType(oid);
	Oid			element = get_element_type(base);
	TypeCacheEntry *entry;
	int16		length;
	bool		by_value;
	char		alignment;
	char		delimiter;
	Oid			parameter;
	Oid			sends;
	Oid			receives;

	check_stack_depth();
	if (OidIsValid(element))
		return dc_type_comes_back(element, true);
	if (dc_is_as_stored(base))
		return base != XMLOID || !is_part;
	entry = lookup_type_cache(base, TYPECACHE_TUPDESC | TYPECACHE_RANGE_INFO |
							  TYPECACHE_MULTIRANGE_INFO);
	if (entry->typtype == TYPTYPE_RANGE)
		return dc_type_comes_back(entry->rngelemtype->type_id, true);
	if (entry->typtype == TYPTYPE_MULTIRANGE)
		return dc_type_comes_back(entry->rngtype->type_id, true);
	if (entry->tupDesc != NULL)
		return dc_columns_come_back(entry->tupDesc, true);
	get_type_io_data(base, IOFunc_send, &length, &by_value, &alignment,
					 &delimiter, &parameter, &sends);
	get_type_io_data(base, IOFunc_receive, &length, &by_value, &alignment,
					 &delimiter, &parameter, &receives);
	return OidIsValid(sends) && OidIsValid(receives);
}

static bool
dc_columns_come_back(TupleDesc columns, bool are_part)
{
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped &&
			!dc_type_comes_back(column->atttypid, are_part))
			return false;
	}
	return true;
}

static void
dc_wire_type(Oid oid, DcWireType *type, MemoryContext context)
{
	HeapTuple	row;
	Form_pg_type form;

	type->oid = getBaseType(oid);
	row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type->oid));
	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for type %u", type->oid);
	form = (Form_pg_type) GETSTRUCT(row);
	type->as_stored = dc_is_as_stored(type->oid);
	fmgr_info_cxt(form->typsend, &type->write, context);
	fmgr_info_cxt(form->typreceive, &type->read, context);
	type->io_parameter = getTypeIOParam(row);
	type->length = form->typlen;
	type->by_value = form->typbyval;
	ReleaseSysCache(row);
}

/* JSONBOID, or TEXTOID for what is stored as it prints. */
static Oid
dc_wire_scalar(const DcFunction *function)
{
	Oid			type;

	if (function->columns != NULL)
		return InvalidOid;
	type = getBaseType(function->result.oid);
	if (type == JSONBOID)
		return type;
	return dc_is_as_stored(type) ? TEXTOID : InvalidOid;
}

static DcWire *
dc_wire_new(DcFunction *function)
{
	int			n = function->columns == NULL ? 1 : function->columns->natts;
	DcWire	   *wire = MemoryContextAllocZero(function->context,
											  offsetof(DcWire, types) +
											  n * sizeof(DcWireType));

	wire->scalar = dc_wire_scalar(function);
	wire->can_carry = function->columns == NULL ?
		dc_type_comes_back(function->result.oid, false) :
		dc_columns_come_back(function->columns, false);
	wire->n = n;
	for (int i = 0; wire->can_carry && i < n; i++)
	{
		if (function->columns == NULL)
			dc_wire_type(function->result.oid, &wire->types[i],
						 function->context);
		else if (!TupleDescAttr(function->columns, i)->attisdropped)
		{
			dc_wire_type(TupleDescAttr(function->columns, i)->atttypid,
						 &wire->types[i], function->context);
			wire->n_live++;
		}
	}
	return wire;
}

DcWire	   *
dc_wire_of(DcFunction *function)
{
	if (function->wire == NULL)
		function->wire = dc_wire_new(function);
	return function->wire;
}

/* There are no subtransactions while parallel workers are running. */
bool
dc_wire_can_carry(DcFunction *function)
{
	const DcWire *wire = dc_wire_of(function);

	return wire->can_carry &&
		(wire->scalar == TEXTOID || !IsInParallelMode());
}
