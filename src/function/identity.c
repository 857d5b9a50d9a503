/*
 * identity.c
 *		Everything that the result of a call can depend on, but for the data.
 *
 * All settings are read as they are while the handler runs, so the function's
 * SECURITY DEFINER and SET clauses have been applied.  Each part is either of
 * fixed size or preceded by its length, so no two calls share an identity.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "parser/parse_expr.h"
#include "parser/parser.h"
#include "pgtime.h"
#include "tsearch/ts_cache.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/pg_locale.h"
#include "utils/rls.h"
#include "utils/xml.h"

#include "coherence/temporary.h"
#include "compat.h"
#include "function/identity.h"

/* A search path of so many schemas is read without allocating. */
#define DC_PATH_LENGTH 16

/* What is put here is small, and there is mostly room for it. */
static inline void
dc_put(StringInfo out, const void *bytes, Size size)
{
	if (likely(size < (Size) (out->maxlen - out->len)))
	{
		memcpy(out->data + out->len, bytes, size);
		out->len += size;
	}
	else
		appendBinaryStringInfoNT(out, bytes, size);
}

static void
dc_put_string(StringInfo out, const char *string)
{
	int32		length = string == NULL ? -1 : (int32) strlen(string);

	dc_put(out, &length, sizeof(length));
	if (string != NULL)
		dc_put(out, string, length);
}

/*
 * The schemas that names are looked up in.  A session with a temporary schema
 * has entries of its own, since no other knows what that holds, and new ones
 * when its temporary relations change; the setting's text says where in the
 * path it comes.  Returns whether it is such a session.
 */
static bool
dc_put_search_path(StringInfo out)
{
	Oid			path[DC_PATH_LENGTH];
	int			n = fetch_search_path_array(path, DC_PATH_LENGTH);
	Oid			temporary;
	Oid			temporary_toast;

	GetTempNamespaceState(&temporary, &temporary_toast);
	dc_put(out, &temporary, sizeof(temporary));
	if (OidIsValid(temporary))
	{
		uint64		generation = dc_temporary_generation();

		dc_put(out, &generation, sizeof(generation));
		dc_put(out, &MyProcPid, sizeof(MyProcPid));
		dc_put(out, &MyStartTimestamp, sizeof(MyStartTimestamp));
	}
	dc_put(out, &n, sizeof(n));
	if (n <= DC_PATH_LENGTH)
		dc_put(out, path, n * sizeof(Oid));
	else
	{
		List	   *all = fetch_search_path(true);
		ListCell   *cell;

		foreach(cell, all)
		{
			Oid			schema = lfirst_oid(cell);

			dc_put(out, &schema, sizeof(schema));
		}
		list_free(all);
	}
	dc_put_string(out, namespace_search_path);
	return OidIsValid(temporary);
}

/* The settings that change what values mean or how they print. */
static void
dc_put_settings(StringInfo out)
{
	int32		numbers[] = {
		DateStyle, DateOrder, IntervalStyle, extra_float_digits,
		bytea_output, xmlbinary, xmloption, row_security,
		Array_nulls, quote_all_identifiers, Transform_null_equals,
		standard_conforming_strings,
	};

	dc_put(out, numbers, sizeof(numbers));
	dc_put_string(out, pg_get_timezone_name(session_timezone));
	dc_put_string(out, locale_messages);
	dc_put_string(out, locale_monetary);
	dc_put_string(out, locale_numeric);
	dc_put_string(out, locale_time);
	dc_put_string(out, TSCurrentConfig);
	dc_put_string(out, GetConfigOption("timezone_abbreviations", false, false));
}

static void
dc_put_vary(StringInfo out, const List *vary)
{
	ListCell   *cell;

	foreach(cell, vary)
		dc_put_string(out, GetConfigOption(lfirst(cell), true, false));
}

static void
dc_put_argument(StringInfo out, DcType type, NullableDatum argument)
{
	int32		length = -1;
	const void *bytes = NULL;

	if (argument.isnull)
		bytes = NULL;
	else if (type.by_value)
	{
		length = sizeof(Datum);
		bytes = &argument.value;
	}
	else if (type.length == -1)
	{
		struct varlena *value = PG_DETOAST_DATUM_PACKED(argument.value);

		length = VARSIZE_ANY_EXHDR(value);
		bytes = VARDATA_ANY(value);
	}
	else
	{
		length = type.length == -2 ?
			(int32) strlen(DatumGetCString(argument.value)) : type.length;
		bytes = DatumGetPointer(argument.value);
	}
	dc_put(out, &length, sizeof(length));
	if (length > 0)
		dc_put(out, bytes, length);
}

/* What an identity begins with. */
typedef struct DcIdentityHead
{
	Oid			database;
	Oid			function;
	Oid			collation;
	Oid			user;
	Oid			session_user;
	Oid			outer_user;
} DcIdentityHead;

StaticAssertDecl(sizeof(DcIdentityHead) == DC_IDENTITY_HEAD,
				 "a view of an entry has room for the head");

void
dc_identity_tell(const char *bytes, Oid *function, Oid *user)
{
	DcIdentityHead head;

	memcpy(&head, bytes, sizeof(head));
	*function = head.function;
	*user = head.user;
}

DcIdentity
dc_identity_of(const DcFunction *function, FunctionCallInfo fcinfo)
{
	StringInfoData out;
	DcIdentity	identity;
	DcIdentityHead head = {
		.database = MyDatabaseId,
		.function = function->oid,
		.collation = function->collation,
		.user = GetUserId(),
		.session_user = GetSessionUserId(),
		.outer_user = GetOuterUserId(),
	};
	uint64		hashes[] = {
		function->source_hash[0], function->source_hash[1],
		function->types_hash,
	};

	initStringInfo(&out);
	dc_put(&out, &head, sizeof(head));
	dc_put(&out, hashes, sizeof(hashes));
	dc_put_string(&out, dc_system_user());
	identity.is_private = dc_put_search_path(&out);
	dc_put_settings(&out);
	dc_put_vary(&out, function->options.vary);
	for (int i = 0; i < function->n_args; i++)
		dc_put_argument(&out, function->args[i], fcinfo->args[i]);

	identity.bytes = out.data;
	identity.length = out.len;
	for (int i = 0; i < 2; i++)
		identity.hash[i] = hash_bytes_extended((unsigned char *) out.data,
											   out.len, i);
	return identity;
}

/*
 * Names.
 */

typedef struct DcCallArguments
{
	const DcFunction *function;
	FunctionCallInfo fcinfo;
} DcCallArguments;

static DcFieldValue
dc_argument_value(int number, void *arg)
{
	DcCallArguments *call = arg;
	DcFieldValue field = {
		.value = call->fcinfo->args[number].value,
		.isnull = call->fcinfo->args[number].isnull,
		.type = call->function->args[number].oid,
	};

	return field;
}

StringInfo
dc_key_of(const DcFunction *function, FunctionCallInfo fcinfo)
{
	DcCallArguments call = {function, fcinfo};
	StringInfo	key = makeStringInfo();

	if (function->options.key != NULL)
		dc_template_expand(function->options.key, DC_TEMPLATE_NAME,
						   dc_argument_value, &call, key);
	else
		appendStringInfoString(key, function->name);
	for (int i = 0; function->options.key == NULL && i < function->n_args; i++)
	{
		DcFieldValue field = dc_argument_value(i, &call);

		appendStringInfoChar(key, ':');
		dc_template_append(&field, DC_TEMPLATE_NAME, "null", key);
	}
	return key;
}

DcTag	   *
dc_tags_of(const DcFunction *function, FunctionCallInfo fcinfo,
		   const StringInfoData *key, int more, int *n)
{
	DcCallArguments call = {function, fcinfo};
	DcTag	   *tags;
	ListCell   *cell;

	tags = palloc((DC_MAX_KEY_TAGS + list_length(function->options.tags) +
				   more) * sizeof(DcTag));
	*n = dc_tags_of_key(key->data, key->len, tags);
	foreach(cell, function->options.tags)
	{
		StringInfoData tag;

		initStringInfo(&tag);
		dc_template_expand(lfirst(cell), DC_TEMPLATE_NAME,
						   dc_argument_value, &call, &tag);
		tags[(*n)++] = dc_tag(DC_TAG_NAME, tag.data, tag.len);
	}
	return tags;
}
