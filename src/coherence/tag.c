/*
 * tag.c
 *		Hashes names to tags.
 *
 * Two names with one hash share invalidations, which costs misses and never
 * a wrong answer, so nothing ever looks a name up again.  The database is
 * part of the hash: databases never touch each other's entries, but with the
 * tag that is meant to.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"

#include "coherence/tag.h"

DcTag
dc_tag(DcTagKind kind, const char *name, size_t length)
{
	Oid			database = kind == DC_TAG_CLUSTER ? InvalidOid : MyDatabaseId;

	return hash_bytes_extended((const unsigned char *) name, length,
							   (uint64) database << 8 | (uint64) kind);
}

int
dc_tags_of_key(const char *key, size_t length, DcTag *tags)
{
	int			n = 0;
	int			prefixes = 0;

	tags[n++] = dc_tag(DC_TAG_CLUSTER, "", 0);
	tags[n++] = dc_tag(DC_TAG_DATABASE, "", 0);
	tags[n++] = dc_tag(DC_TAG_KEY, key, length);
	for (size_t i = 0; i < length && prefixes < DC_MAX_PREFIXES; i++)
	{
		if (key[i] == ':')
		{
			tags[n++] = dc_tag(DC_TAG_PREFIX, key, i + 1);
			prefixes++;
		}
	}
	return n;
}

void
dc_tags_add(DcTag *tags, int *n, DcTag tag)
{
	for (int i = 0; i < *n; i++)
	{
		if (tags[i] == tag)
			return;
	}
	tags[(*n)++] = tag;
}
