/*
 * envelope.h
 *		What stands beside an entry's value in Redis: the field "stamp".
 */
#ifndef DC_ENVELOPE_H
#define DC_ENVELOPE_H

#include "store/entry.h"

/* An entry as Redis holds it, but for the bytes of its value. */
typedef struct DcEnvelope
{
	bool		isnull;
	bool		row_security;
	bool		compressed;
	TimestampTz expires_at;
	uint64		value_size;		/* as it is in Redis */
	uint64		raw_size;		/* not compressed */
	uint8		value_sum[32];	/* SHA-256 of the value as it is in Redis */
	DcDependencies dependencies;
	const char *identity;
	Size		identity_size;
} DcEnvelope;

/*
 * The incarnation that the bytes say they are of.  False if they are too
 * short to be an envelope.
 */
extern bool dc_envelope_incarnation(const char *bytes, Size size, uint64 *id);

/* Were the bytes made with this secret, and are they all there? */
extern bool dc_envelope_verify(const char *bytes, Size size,
							   const uint8 *secret);

/*
 * Reads what dc_envelope_write() has written.  Points into the bytes, but for
 * the stamp and the tags, which are palloc'd.  Trusts no length, and says
 * what is wrong in *problem.
 */
extern bool dc_envelope_parse(const char *bytes, Size size,
							  DcEnvelope *envelope, const char **problem);

/* palloc'd; sets *size. */
extern char *dc_envelope_write(const DcEnvelope *envelope, uint64 incarnation,
							   const uint8 *secret, Size *size);

/* The SHA-256 of the bytes: 32 bytes.  Can't fail. */
extern void dc_sha256(const void *bytes, Size size, uint8 *sum);

#endif							/* DC_ENVELOPE_H */
