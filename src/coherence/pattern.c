/*
 * pattern.c
 *		Which keys a pattern means, and the table of those to be matched.
 *
 * Most patterns need no matching: an exact key, `prefix:*` and `*` are tags
 * that every entry carries.  The others are kept in a small table in shared
 * memory, each with a ledger slot of its own; a reader tries them against
 * the entry's key.  When the table is full, the pattern that was used longest
 * ago is folded into the horizon of the whole ledger.
 *
 * Locks: DcShared's pattern lock is held by who publishes.  Readers take none;
 * each row has a version, odd while its text is being replaced, and a reader
 * that meets a change takes the entry for stale.  The ledger's horizon is
 * raised before a row is replaced, and read after the rows.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "coherence/pattern.h"
#include "shmem.h"

#define DC_PATTERNS 128

typedef struct DcPatternRow
{
	DcSlot		slot;
	pg_atomic_uint32 version;	/* odd: the fields below are changing */
	Oid			database;
	int			length;			/* 0: unused */
	char		text[DC_MAX_GLOB];	/* not terminated */
} DcPatternRow;

typedef struct DcPatterns
{
	pg_atomic_uint64 newest;	/* no slot's newest is above this */
	char		pad[64 - sizeof(pg_atomic_uint64)];
	DcPatternRow rows[DC_PATTERNS];
} DcPatterns;

static DcPatterns *patterns = NULL;

/* Where the class that begins at p ends, or NULL if it does not. */
static const char *
dc_class_end(const char *p, const char *end)
{
	for (p++; p < end && *p != ']'; p++)
	{
		if (*p == '\\' && p + 1 < end)
			p++;
	}
	return p < end ? p : NULL;
}

/*
 * Writes the text that the pattern begins with, unescaped, to literal, and
 * returns where the first wildcard stands (or the end).
 */
static const char *
dc_pattern_literal(const char *p, const char *end, char *literal, int *length)
{
	*length = 0;
	for (; p < end && *p != '*' && *p != '?' && *p != '['; p++)
	{
		if (*p == '\\' && p + 1 < end)
			p++;
		literal[(*length)++] = *p;
	}
	return p;
}

static int
dc_count_colons(const char *text, int length)
{
	int			n = 0;

	for (int i = 0; i < length; i++)
		n += text[i] == ':';
	return n;
}

static void
dc_pattern_check(const char *text, int length)
{
	const char *end = text + length;

	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pattern must not be empty"),
				 errhint("The pattern \"*\" means every key.")));
	for (const char *p = text; p < end; p++)
	{
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '[' && (p = dc_class_end(p, end)) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("pattern \"%.*s\" has an unclosed \"[\"", length, text),
					 errhint("Close it with \"]\", or write \"\\[\" for the character itself.")));
	}
}

/* The tag of the longest prefix in the literal that entries carry one for. */
static DcTag
dc_covering_tag(const char *literal, int length)
{
	int			end = 0;
	int			prefixes = 0;

	for (int i = 0; i < length && prefixes < DC_MAX_PREFIXES; i++)
	{
		if (literal[i] == ':')
		{
			end = i + 1;
			prefixes++;
		}
	}
	return end == 0 ? dc_tag(DC_TAG_DATABASE, "", 0) :
		dc_tag(DC_TAG_PREFIX, literal, end);
}

static bool
dc_is_prefix(const char *literal, int length)
{
	return length > 0 && literal[length - 1] == ':' &&
		dc_count_colons(literal, length) <= DC_MAX_PREFIXES;
}

DcPattern
dc_pattern_parse(const char *text, int length, bool widen)
{
	DcPattern	pattern = {.text = text,.length = length};
	const char *end = text + length;
	const char *wildcard;
	char	   *literal;
	int			literal_length;
	bool		only_star;

	dc_pattern_check(text, length);

	literal = palloc(length);
	wildcard = dc_pattern_literal(text, end, literal, &literal_length);
	only_star = wildcard == end - 1 && *wildcard == '*';
	pattern.is_key = wildcard == end;
	if (pattern.is_key)
		pattern.tag = dc_tag(DC_TAG_KEY, literal, literal_length);
	else if (only_star &&
			 (literal_length == 0 || dc_is_prefix(literal, literal_length)))
		pattern.tag = dc_covering_tag(literal, literal_length);
	else if (length <= DC_MAX_GLOB)
	{
		pattern.tag = dc_tag(DC_TAG_GLOB, text, length);
		pattern.is_glob = true;
	}
	else if (widen)
		pattern.tag = dc_covering_tag(literal, literal_length);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pattern is too long"),
				 errdetail("It has %d bytes; a pattern that is neither a key nor of the form \"prefix:*\" may have %d.",
						   length, DC_MAX_GLOB),
				 errhint("Use a tag for what the pattern means.")));
	pfree(literal);
	return pattern;
}

/* Does the class [p, end] (both brackets included) hold the character? */
static bool
dc_class_matches(const char *p, const char *end, unsigned char c)
{
	bool		negated = p[1] == '^';
	bool		found = false;

	for (p += negated ? 2 : 1; p < end; p++)
	{
		unsigned char low;
		unsigned char high;

		if (*p == '\\' && p + 1 < end)
			p++;
		low = high = (unsigned char) *p;
		if (p + 2 < end && p[1] == '-')
		{
			high = (unsigned char) p[2];
			p += 2;
		}
		found |= c >= Min(low, high) && c <= Max(low, high);
	}
	return found != negated;
}

/*
 * Does one element of the pattern, other than '*', match the character?
 * Moves *p past it.
 */
static bool
dc_element_matches(const char **p, const char *end, char c)
{
	const char *element = (*p)++;
	const char *close;

	switch (*element)
	{
		case '?':
			return true;
		case '[':
			close = dc_class_end(element, end);
			if (close == NULL)
				return false;
			*p = close + 1;
			return dc_class_matches(element, close, (unsigned char) c);
		case '\\':
			if (*p < end)
				element = (*p)++;
			return *element == c;
		default:
			return *element == c;
	}
}

/*
 * On a mismatch only the last '*' needs to take one character more: what the
 * earlier ones took can stay.  So the time is at most the product of the two
 * lengths.
 */
bool
dc_glob_matches(const char *pattern, int pattern_length,
				const char *string, int string_length)
{
	const char *p = pattern;
	const char *p_end = pattern + pattern_length;
	const char *s = string;
	const char *s_end = string + string_length;
	const char *after_star = NULL;
	const char *star_took = NULL;

	while (s < s_end)
	{
		if (p < p_end && *p == '*')
		{
			after_star = ++p;
			star_took = s;
		}
		else if (p < p_end && dc_element_matches(&p, p_end, *s))
			s++;
		else if (after_star != NULL)
		{
			p = after_star;
			s = ++star_took;
		}
		else
			return false;
	}
	while (p < p_end && *p == '*')
		p++;
	return p == p_end;
}

bool
dc_glob_touches(const char *pattern, int pattern_length,
				const DcDependencies *entry)
{
	return entry->has_inner ||
		dc_glob_matches(pattern, pattern_length, entry->key,
						entry->key_length);
}

Size
dc_patterns_shmem_size(void)
{
	return sizeof(DcPatterns);
}

void
dc_patterns_shmem_init(void)
{
	bool		found;

	patterns = ShmemInitStruct("dashboard_cache patterns",
							   dc_patterns_shmem_size(), &found);
	if (!found)
		dc_patterns_clear();
}

void
dc_patterns_clear(void)
{
	pg_atomic_init_u64(&patterns->newest, 0);
	for (int i = 0; i < DC_PATTERNS; i++)
	{
		dc_slot_init(&patterns->rows[i].slot);
		pg_atomic_init_u32(&patterns->rows[i].version, 0);
		patterns->rows[i].length = 0;
	}
}

/* In the postmaster, when nobody else is there. */
bool
dc_patterns_save(FILE *file)
{
	return fwrite(patterns, sizeof(DcPatterns), 1, file) == 1;
}

bool
dc_patterns_load(FILE *file)
{
	return fread(patterns, sizeof(DcPatterns), 1, file) == 1;
}

static bool
dc_row_is(const DcPatternRow *row, const char *text, int length)
{
	return row->length == length && row->database == MyDatabaseId &&
		memcmp(row->text, text, length) == 0;
}

/* The pattern's row, or else an unused one, or else the one to give way. */
static DcPatternRow *
dc_row_for(const char *text, int length)
{
	DcPatternRow *oldest = &patterns->rows[0];

	for (int i = 0; i < DC_PATTERNS; i++)
	{
		DcPatternRow *row = &patterns->rows[i];

		if (row->length == 0 || dc_row_is(row, text, length))
			return row;
		if (pg_atomic_read_u64(&row->slot.newest) <
			pg_atomic_read_u64(&oldest->slot.newest))
			oldest = row;
	}
	return oldest;
}

/* Gives the row to another pattern. */
static void
dc_row_replace(DcPatternRow *row, const char *text, int length)
{
	if (row->length > 0)
		dc_ledger_raise_horizon(pg_atomic_read_u64(&row->slot.newest));
	pg_atomic_fetch_add_u32(&row->version, 1);
	row->database = MyDatabaseId;
	row->length = length;
	memcpy(row->text, text, length);
	dc_slot_init(&row->slot);
	pg_write_barrier();
	pg_atomic_fetch_add_u32(&row->version, 1);
}

void
dc_patterns_publish(const char *text, int length, uint64 xid)
{
	DcPatternRow *row;

	LWLockAcquire(dc_shared->pattern_lock, LW_EXCLUSIVE);
	row = dc_row_for(text, length);
	if (!dc_row_is(row, text, length))
		dc_row_replace(row, text, length);
	dc_slot_publish(&row->slot, xid, 0);
	if (xid > pg_atomic_read_u64(&patterns->newest))
		pg_atomic_write_u64(&patterns->newest, xid);
	LWLockRelease(dc_shared->pattern_lock);
}

static bool
dc_row_valid(DcPatternRow *row, const DcDependencies *entry,
			 const DcReader *reader)
{
	uint32		version = pg_atomic_read_u32(&row->version);
	bool		valid;

	if (version % 2 != 0)
		return false;
	pg_read_barrier();
	valid = row->length == 0 || row->database != entry->database ||
		dc_slot_valid(&row->slot, entry->stamp, reader) ||
		!dc_glob_touches(row->text, Min(row->length, DC_MAX_GLOB), entry);
	pg_read_barrier();
	return valid && version == pg_atomic_read_u32(&row->version);
}

bool
dc_patterns_valid(const DcDependencies *entry, const DcReader *reader)
{
	/* Both completed whoever used a glob: the usual case, one load. */
	if (pg_atomic_read_u64(&patterns->newest) <
		Min(entry->stamp->xmin, reader->xmin))
		return true;

	for (int i = 0; i < DC_PATTERNS; i++)
	{
		if (!dc_row_valid(&patterns->rows[i], entry, reader))
			return false;
	}
	return true;
}

bool
dc_patterns_in_doubt(const DcReader *reader)
{
	if (pg_atomic_read_u64(&patterns->newest) < reader->xmin)
		return false;
	for (int i = 0; i < DC_PATTERNS; i++)
	{
		if (dc_slot_in_doubt(&patterns->rows[i].slot, reader))
			return true;
	}
	return false;
}
