/*
 * redis_name.c
 *		The names of entries in Redis.
 *
 * What people read comes first.  The owner keeps databases apart, and clusters
 * that use one Redis with one prefix; it stands at a fixed distance from the
 * end, so that no key, whatever is in it, looks like another owner's.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/hashfn.h"
#include "utils/builtins.h"

#include "settings.h"
#include "store/redis_name.h"

#define DC_OWNER_DIGITS 16
#define DC_CLUSTER_DIGITS 8

/* "#", the owner, ".", the sum. */
#define DC_NAME_TAIL (1 + DC_OWNER_DIGITS + 1 + 2 * DC_NAME_SUM)

/* Writes the owner's digits, and a zero. */
static void
dc_name_owner(Oid database, char *out)
{
	uint64		system = GetSystemIdentifier();
	uint32		cluster = (uint32) hash_bytes_extended((unsigned char *) &system,
													   sizeof(system), 0);

	snprintf(out, DC_OWNER_DIGITS + 1, "%08x%08x", cluster, database);
}

void
dc_name_append(const DcName *name, StringInfo out)
{
	char		owner[DC_OWNER_DIGITS + 1];

	dc_name_owner(name->database, owner);
	appendStringInfoString(out, dc_key_prefix);
	appendStringInfoChar(out, ':');
	appendBinaryStringInfo(out, name->key, name->key_length);
	appendStringInfoChar(out, '#');
	appendStringInfoString(out, owner);
	appendStringInfoChar(out, '.');
	enlargeStringInfo(out, 2 * DC_NAME_SUM);
	out->len += hex_encode((const char *) name->sum, DC_NAME_SUM,
						   out->data + out->len);
	out->data[out->len] = '\0';
}

/* The value of so many lower-case hexadecimal digits. */
static bool
dc_hex_bytes(const char *digits, int n, uint8 *bytes)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = 0; i < n; i++)
	{
		const char *digit = memchr(hex, digits[i], 16);

		if (digit == NULL)
			return false;
		bytes[i / 2] = (uint8) (bytes[i / 2] << 4 | (digit - hex));
	}
	return true;
}

bool
dc_name_parse(const char *bytes, Size length, DcName *name)
{
	Size		head = strlen(dc_key_prefix) + 1;
	const char *tail = bytes + length - DC_NAME_TAIL;
	char		owner[DC_OWNER_DIGITS + 1];
	uint8		database[4];

	if (length < head + DC_NAME_TAIL || length > PG_INT32_MAX ||
		strncmp(bytes, dc_key_prefix, head - 1) != 0 || bytes[head - 1] != ':' ||
		tail[0] != '#' || tail[1 + DC_OWNER_DIGITS] != '.' ||
		!dc_hex_bytes(tail + 1 + DC_CLUSTER_DIGITS, 8, database) ||
		!dc_hex_bytes(tail + 2 + DC_OWNER_DIGITS, 2 * DC_NAME_SUM, name->sum))
		return false;
	name->database = (Oid) database[0] << 24 | (Oid) database[1] << 16 |
		(Oid) database[2] << 8 | database[3];
	name->key = bytes + head;
	name->key_length = (int) (length - head - DC_NAME_TAIL);
	dc_name_owner(name->database, owner);
	return memcmp(tail + 1, owner, DC_OWNER_DIGITS) == 0;
}

void
dc_name_append_glob(const char *pattern, int length, Oid database,
					StringInfo out)
{
	char		owner[DC_OWNER_DIGITS + 1];

	for (const char *p = dc_key_prefix; *p != '\0'; p++)
	{
		if (strchr("*?[]^-\\", *p) != NULL)
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *p);
	}
	appendStringInfoChar(out, ':');
	if (pattern != NULL)
		appendBinaryStringInfo(out, pattern, length);
	else
		appendStringInfoChar(out, '*');
	dc_name_owner(database, owner);
	if (pattern == NULL)
		owner[DC_CLUSTER_DIGITS] = '\0';
	appendStringInfo(out, "#%s*", owner);
}
