/*
 * entry.c
 *		An entry's layout: its sections follow the header, each on a MAXALIGN
 *		boundary: stamp, tags, value, identity, key.
 *
 * An entry is made once and never changes.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "coherence/pending.h"
#include "store/entry.h"

static inline char *
dc_entry_stamp(const DcEntry *entry)
{
	return (char *) entry + MAXALIGN(sizeof(DcEntry));
}

static inline char *
dc_entry_tags(const DcEntry *entry)
{
	return dc_entry_stamp(entry) + MAXALIGN(entry->stamp_size);
}

static inline char *
dc_entry_value(const DcEntry *entry)
{
	return dc_entry_tags(entry) + MAXALIGN(entry->n_tags * sizeof(DcTag));
}

static inline char *
dc_entry_identity(const DcEntry *entry)
{
	return dc_entry_value(entry) + MAXALIGN(entry->value_size);
}

static inline char *
dc_entry_key(const DcEntry *entry)
{
	return dc_entry_identity(entry) + MAXALIGN(entry->identity_size);
}

DcDependencies
dc_entry_dependencies(const DcEntry *entry)
{
	DcDependencies dependencies = {
		.stamp = (const DcStamp *) dc_entry_stamp(entry),
		.tags = (const DcTag *) dc_entry_tags(entry),
		.n_tags = entry->n_tags,
		.database = entry->database,
		.key = dc_entry_key(entry),
		.key_length = entry->key_size,
		.has_inner = entry->has_inner,
	};

	return dependencies;
}

DcOutcome
dc_entry_judge(const DcDependencies *dependencies, TimestampTz expires_at,
			   const DcReader *reader, TimestampTz now)
{
	if (expires_at <= now)
		return DC_EXPIRED;
	if (dc_pending_touches(dependencies))
		return DC_OWN_WRITES;
	return dc_ledger_valid(dependencies, reader) ? DC_HIT : DC_STALE;
}

bool
dc_entry_is(const DcEntry *entry, const DcIdentity *identity)
{
	return entry->identity_size == identity->length &&
		memcmp(dc_entry_identity(entry), identity->bytes,
			   identity->length) == 0;
}

DcEntry
dc_entry_plan(const DcFill *fill)
{
	const DcDependencies *dependencies = &fill->dependencies;
	DcEntry		entry = {
		.database = dependencies->database,
		.isnull = fill->value.isnull,
		.row_security = fill->value.row_security,
		.has_inner = dependencies->has_inner,
		.expires_at = fill->expires_at,
		.stamp_size = dc_stamp_size(dependencies->stamp->n_running),
		.n_tags = dependencies->n_tags,
		.value_size = fill->value.size,
		.identity_size = fill->identity->length,
		.key_size = dependencies->key_length,
	};

	entry.size = dc_entry_key(&entry) - (char *) &entry +
		MAXALIGN(entry.key_size);
	return entry;
}

void
dc_entry_write(DcEntry *entry, const DcEntry *plan, const DcFill *fill)
{
	*entry = *plan;
	memcpy(dc_entry_stamp(entry), fill->dependencies.stamp, entry->stamp_size);
	memcpy(dc_entry_tags(entry), fill->dependencies.tags,
		   entry->n_tags * sizeof(DcTag));
	if (entry->value_size > 0)
		memcpy(dc_entry_value(entry), fill->value.bytes, entry->value_size);
	memcpy(dc_entry_identity(entry), fill->identity->bytes,
		   entry->identity_size);
	memcpy(dc_entry_key(entry), fill->dependencies.key, entry->key_size);
}

static void *
dc_copy(const void *bytes, Size size)
{
	return memcpy(MemoryContextAllocHuge(CurrentMemoryContext, size), bytes,
				  size);
}

void
dc_entry_copy(const DcEntry *entry, bool with_tags, DcFound *found)
{
	found->value.isnull = entry->isnull;
	found->value.row_security = entry->row_security;
	found->value.size = entry->value_size;
	found->value.bytes = entry->value_size == 0 ? NULL :
		dc_copy(dc_entry_value(entry), entry->value_size);
	found->tags = !with_tags ? NULL :
		dc_copy(dc_entry_tags(entry), entry->n_tags * sizeof(DcTag));
	found->n_tags = entry->n_tags;
	found->expires_at = entry->expires_at;
}

void
dc_entry_copy_head(const DcEntry *entry, char *head)
{
	memcpy(head, dc_entry_identity(entry), DC_IDENTITY_HEAD);
}
