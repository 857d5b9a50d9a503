/*
 * layout.c
 *		How values of a type lie in memory, as a hash.
 *
 * Stored bytes are read only by who finds the same layout in the catalogs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "function/layout.h"

static uint64
dc_hash_words(uint64 hash, uint64 a, uint64 b)
{
	uint64		words[2] = {a, b};

	return hash_bytes_extended((unsigned char *) words, sizeof(words), hash);
}

uint64
dc_layout_add_columns(uint64 hash, TupleDesc columns)
{
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		hash = dc_hash_words(hash, column->attisdropped,
							 (uint64) column->attlen << 8 | column->attalign);
		if (!column->attisdropped)
			hash = dc_layout_add_type(hash, column->atttypid);
	}
	return hash;
}

uint64
dc_layout_add_type(uint64 hash, Oid type)
{
	TypeCacheEntry *entry;
	Oid			element = get_element_type(type);

	check_stack_depth();
	hash = dc_hash_words(hash, type, element);
	if (OidIsValid(element))
		return dc_layout_add_type(hash, element);

	entry = lookup_type_cache(type, TYPECACHE_TUPDESC |
							  TYPECACHE_RANGE_INFO |
							  TYPECACHE_MULTIRANGE_INFO |
							  TYPECACHE_DOMAIN_BASE_INFO);
	hash = dc_hash_words(hash, entry->typlen, entry->typalign);
	if (entry->typtype == TYPTYPE_DOMAIN)
		return dc_layout_add_type(hash, entry->domainBaseType);
	if (entry->typtype == TYPTYPE_RANGE)
		return dc_layout_add_type(hash, entry->rngelemtype->type_id);
	if (entry->typtype == TYPTYPE_MULTIRANGE)
		return dc_layout_add_type(hash, entry->rngtype->type_id);
	if (entry->tupDesc != NULL)
		return dc_layout_add_columns(hash, entry->tupDesc);
	return hash;
}
