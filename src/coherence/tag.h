/*
 * tag.h
 *		What an invalidation names and an entry depends on: a 64-bit hash.
 */
#ifndef DC_TAG_H
#define DC_TAG_H

typedef uint64 DcTag;

/* What a tag's name is the name of; part of the hash. */
typedef enum DcTagKind
{
	DC_TAG_CLUSTER = 'a',		/* everything cached in any database; no name */
	DC_TAG_DATABASE = 'd',		/* everything cached in a database; no name */
	DC_TAG_KEY = 'k',			/* one key */
	DC_TAG_PREFIX = 'p',		/* keys that begin so; the name ends in ':' */
	DC_TAG_NAME = 't',			/* a tag that #tags gave */
	DC_TAG_GLOB = 'g',			/* a pattern that only matching can decide */
	DC_TAG_ROWS = 'r',			/* which rows a table has; its oid */
	DC_TAG_COLUMN = 'c',		/* what is in a column; the table's oid, and
								 * the column's name or nothing: any column */
	DC_TAG_SLICE = 's',			/* one of those two, for the rows with one
								 * value in a slice column */
	DC_TAG_WIDE = 'w',			/* all slices of a table; its oid */
} DcTagKind;

/*
 * A key carries a tag for each of its prefixes that end in ':', up to this
 * many; a pattern for a longer prefix is matched as a glob.
 */
#define DC_MAX_PREFIXES 32

/* The longest key, in bytes, of an entry: matching a glob takes its time. */
#define DC_MAX_KEY 1024

extern DcTag dc_tag(DcTagKind kind, const char *name, size_t length);

/* Appends the tags that any entry with this key has; returns how many. */
extern int	dc_tags_of_key(const char *key, size_t length, DcTag *tags);

/* Adds one to those there are, unless it is among them. */
extern void dc_tags_add(DcTag *tags, int *n, DcTag tag);

#define DC_MAX_KEY_TAGS (DC_MAX_PREFIXES + 3)

#endif							/* DC_TAG_H */
