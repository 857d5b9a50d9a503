/*
 * envelope.c
 *		The field "stamp" of an entry in Redis: everything but the value.
 *
 * A fixed head, then the ids that were running, the tags, the identity and
 * the key, then an HMAC-SHA256 (RFC 2104) of all of it.  The head has the
 * value's SHA-256, so the HMAC vouches for the value too.  The secret never
 * leaves the server's memory: what was not written by this server, or by an
 * earlier start that this one continues, or was changed since, does not pass.
 * Nothing but the server that wrote it reads it, hence native byte order.
 *
 * Nothing here throws, but for being out of memory; it can be built and
 * fuzzed without a server.
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "store/envelope.h"

/* Changes with the layout. */
#define DC_ENVELOPE_MAGIC UINT64CONST(0x31306E6F65636364)

#define DC_SUM_SIZE 32

/* More tags or running ids than these nobody has written. */
#define DC_ENVELOPE_MAX_ITEMS (1024 * 1024)

#define DC_FLAG_NULL 1
#define DC_FLAG_ROW_SECURITY 2
#define DC_FLAG_COMPRESSED 4
#define DC_FLAG_HAS_INNER 8

/* Without gaps: its bytes are compared and summed. */
typedef struct DcEnvelopeHead
{
	uint64		magic;
	uint64		incarnation;
	int64		expires_at;
	uint64		xmin;
	uint64		xmax;
	uint64		value_size;
	uint64		raw_size;
	uint64		identity_size;
	uint32		database;
	uint32		flags;
	uint32		n_running;
	uint32		n_tags;
	uint32		key_size;
	uint32		reserved;
	uint8		value_sum[DC_SUM_SIZE];
} DcEnvelopeHead;

void
dc_sha256(const void *bytes, Size size, uint8 *sum)
{
	SHA256(size > 0 ? bytes : "", size, sum);
}

static bool
dc_envelope_sum(const char *bytes, Size size, const uint8 *secret, uint8 *sum)
{
	unsigned int length;

	return HMAC(EVP_sha256(), secret, DC_SUM_SIZE, (const uint8 *) bytes, size,
				sum, &length) != NULL;
}

bool
dc_envelope_incarnation(const char *bytes, Size size, uint64 *id)
{
	DcEnvelopeHead head;

	if (size < sizeof(head) + DC_SUM_SIZE)
		return false;
	memcpy(&head, bytes, sizeof(head));
	*id = head.incarnation;
	return head.magic == DC_ENVELOPE_MAGIC;
}

bool
dc_envelope_verify(const char *bytes, Size size, const uint8 *secret)
{
	uint8		sum[DC_SUM_SIZE];

	return size >= DC_SUM_SIZE &&
		dc_envelope_sum(bytes, size - DC_SUM_SIZE, secret, sum) &&
		CRYPTO_memcmp(sum, bytes + size - DC_SUM_SIZE, DC_SUM_SIZE) == 0;
}

/* Are the running ids ascending, and between the bounds? */
static bool
dc_stamp_is_sound(const DcStamp *stamp)
{
	if (stamp->xmin > stamp->xmax)
		return false;
	for (uint32 i = 0; i < stamp->n_running; i++)
	{
		if (stamp->running[i] < stamp->xmin || stamp->running[i] >= stamp->xmax ||
			(i > 0 && stamp->running[i] <= stamp->running[i - 1]))
			return false;
	}
	return true;
}

static DcStamp *
dc_envelope_stamp(const DcEnvelopeHead *head, const char *bytes)
{
	DcStamp    *stamp = palloc(dc_stamp_size(head->n_running));

	stamp->xmin = head->xmin;
	stamp->xmax = head->xmax;
	stamp->n_running = head->n_running;
	memcpy(stamp->running, bytes, head->n_running * sizeof(uint64));
	return stamp;
}

static DcTag *
dc_envelope_tags(const DcEnvelopeHead *head, const char *bytes)
{
	DcTag	   *tags = palloc(Max(head->n_tags, 1) * sizeof(DcTag));

	memcpy(tags, bytes, head->n_tags * sizeof(DcTag));
	return tags;
}

/* Do the lengths in the head add up to that of the whole? */
static bool
dc_envelope_adds_up(const DcEnvelopeHead *head, Size size)
{
	if (head->n_running > DC_ENVELOPE_MAX_ITEMS ||
		head->n_tags > DC_ENVELOPE_MAX_ITEMS ||
		head->key_size > DC_MAX_KEY || head->identity_size > size)
		return false;
	return size == sizeof(*head) + head->n_running * sizeof(uint64) +
		head->n_tags * sizeof(DcTag) + head->identity_size + head->key_size +
		DC_SUM_SIZE;
}

bool
dc_envelope_parse(const char *bytes, Size size, DcEnvelope *envelope,
				  const char **problem)
{
	DcEnvelopeHead head;
	const char *p = bytes + sizeof(head);
	DcStamp    *stamp;

	*problem = "its stamp is damaged";
	if (size < sizeof(head) + DC_SUM_SIZE)
		return false;
	memcpy(&head, bytes, sizeof(head));
	if (head.magic != DC_ENVELOPE_MAGIC || !dc_envelope_adds_up(&head, size))
		return false;

	envelope->isnull = (head.flags & DC_FLAG_NULL) != 0;
	envelope->row_security = (head.flags & DC_FLAG_ROW_SECURITY) != 0;
	envelope->compressed = (head.flags & DC_FLAG_COMPRESSED) != 0;
	envelope->dependencies.has_inner = (head.flags & DC_FLAG_HAS_INNER) != 0;
	envelope->expires_at = head.expires_at;
	envelope->value_size = head.value_size;
	envelope->raw_size = head.raw_size;
	memcpy(envelope->value_sum, head.value_sum, DC_SUM_SIZE);
	envelope->dependencies.stamp = stamp = dc_envelope_stamp(&head, p);
	if (!dc_stamp_is_sound(stamp))
		return false;
	p += head.n_running * sizeof(uint64);
	envelope->dependencies.tags = dc_envelope_tags(&head, p);
	envelope->dependencies.n_tags = head.n_tags;
	envelope->dependencies.database = head.database;
	p += head.n_tags * sizeof(DcTag);
	envelope->identity = p;
	envelope->identity_size = head.identity_size;
	p += head.identity_size;
	envelope->dependencies.key = p;
	envelope->dependencies.key_length = head.key_size;
	*problem = NULL;
	return true;
}

static char *
dc_put_bytes(char *to, const void *bytes, Size size)
{
	if (size > 0)
		memcpy(to, bytes, size);
	return to + size;
}

char	   *
dc_envelope_write(const DcEnvelope *envelope, uint64 incarnation,
				  const uint8 *secret, Size *size)
{
	const DcDependencies *dependencies = &envelope->dependencies;
	const DcStamp *stamp = dependencies->stamp;
	DcEnvelopeHead head = {
		.magic = DC_ENVELOPE_MAGIC,
		.incarnation = incarnation,
		.expires_at = envelope->expires_at,
		.xmin = stamp->xmin,
		.xmax = stamp->xmax,
		.value_size = envelope->value_size,
		.raw_size = envelope->raw_size,
		.identity_size = envelope->identity_size,
		.database = dependencies->database,
		.flags = (envelope->isnull ? DC_FLAG_NULL : 0) |
		(envelope->row_security ? DC_FLAG_ROW_SECURITY : 0) |
		(envelope->compressed ? DC_FLAG_COMPRESSED : 0) |
		(dependencies->has_inner ? DC_FLAG_HAS_INNER : 0),
		.n_running = stamp->n_running,
		.n_tags = dependencies->n_tags,
		.key_size = dependencies->key_length,
	};
	char	   *bytes;
	char	   *p;

	memcpy(head.value_sum, envelope->value_sum, DC_SUM_SIZE);
	p = bytes = palloc(sizeof(head) + head.n_running * sizeof(uint64) +
					   head.n_tags * sizeof(DcTag) + head.identity_size +
					   head.key_size + DC_SUM_SIZE);
	p = dc_put_bytes(p, &head, sizeof(head));
	p = dc_put_bytes(p, stamp->running, head.n_running * sizeof(uint64));
	p = dc_put_bytes(p, dependencies->tags, head.n_tags * sizeof(DcTag));
	p = dc_put_bytes(p, envelope->identity, head.identity_size);
	p = dc_put_bytes(p, dependencies->key, head.key_size);
	if (!dc_envelope_sum(bytes, p - bytes, secret, (uint8 *) p))
		memset(p, 0, DC_SUM_SIZE);	/* it will never be believed */
	*size = p - bytes + DC_SUM_SIZE;
	return bytes;
}
