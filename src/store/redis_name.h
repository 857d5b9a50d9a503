/*
 * redis_name.h
 *		The names of entries in Redis.
 */
#ifndef DC_REDIS_NAME_H
#define DC_REDIS_NAME_H

#include "lib/stringinfo.h"

#define DC_NAME_SUM 32

/*
 * prefix:key#owner.sum, where owner says, in 16 hexadecimal digits, which
 * cluster and database the entry is of, and sum, in 64, which call.
 */
typedef struct DcName
{
	Oid			database;
	uint8		sum[DC_NAME_SUM];	/* SHA-256 of the call's identity */
	const char *key;			/* not terminated */
	int			key_length;
} DcName;

extern void dc_name_append(const DcName *name, StringInfo out);

/*
 * Takes a name apart; false if it is none of this cluster's.  The key points
 * into the bytes.
 */
extern bool dc_name_parse(const char *bytes, Size length, DcName *name);

/*
 * A glob that matches this cluster's names: those whose keys match the
 * pattern, in one database, or, if the pattern is NULL, all.
 */
extern void dc_name_append_glob(const char *pattern, int length, Oid database,
								StringInfo out);

#endif							/* DC_REDIS_NAME_H */
