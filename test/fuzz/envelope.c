/*
 * envelope.c
 *		Fuzz target: any bytes as the field "stamp" of an entry in Redis.
 *
 * Most bytes are no envelope, since the lengths in one must add up.  So every
 * other input is not what libFuzzer makes of an earlier one, but what
 * dc_envelope_write() makes of random contents, some of which no server would
 * write.  What parses must lie within its bounds, and must come out the same
 * when it is written and parsed again.
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "coherence/tag.h"
#include "server.h"
#include "store/envelope.h"

/* What is made at random has so much of each, at most. */
#define MAX_RUNNING 30
#define MAX_TAGS 40
#define MAX_IDENTITY 300
#define MAX_KEY (DC_MAX_KEY + 10)

#define INCARNATION UINT64CONST(0x1234567890ABCDEF)

static const uint8 secret[32] = "nobody but the server knows this";

static pg_prng_state prng;

/* More often small than large. */
static uint64
some_number(uint64 max)
{
	return pg_prng_uint64_range(&prng, 0, pg_prng_uint64_range(&prng, 0, max));
}

static char *
some_bytes(Size size)
{
	char	   *bytes = palloc(size);

	for (Size i = 0; i < size; i++)
		bytes[i] = (char) pg_prng_uint32(&prng);
	return bytes;
}

/* With ids that ascend, as a snapshot's do, but for one in some stamps. */
static DcStamp *
some_stamp(void)
{
	uint32		n = some_number(MAX_RUNNING);
	DcStamp    *stamp = palloc(dc_stamp_size(n));
	uint64		xid = some_number(PG_UINT32_MAX);

	stamp->xmin = xid;
	stamp->n_running = n;
	for (uint32 i = 0; i < n; i++)
	{
		stamp->running[i] = xid;
		xid += 1 + some_number(1000);
	}
	stamp->xmax = xid;
	if (n > 0 && some_number(9) == 0)
		stamp->running[some_number(n - 1)] = xid - 10 + some_number(20);
	return stamp;
}

static void
some_dependencies(DcDependencies *dependencies)
{
	dependencies->stamp = some_stamp();
	dependencies->database = pg_prng_uint32(&prng);
	dependencies->n_tags = some_number(MAX_TAGS);
	dependencies->tags = (DcTag *)
		some_bytes(dependencies->n_tags * sizeof(DcTag));
	dependencies->key_length = some_number(MAX_KEY);
	dependencies->key = some_bytes(dependencies->key_length);
}

/* palloc'd. */
static char *
some_envelope(unsigned int seed, Size *size)
{
	DcEnvelope	envelope = {0};

	pg_prng_seed(&prng, seed);
	envelope.isnull = pg_prng_bool(&prng);
	envelope.row_security = pg_prng_bool(&prng);
	envelope.compressed = pg_prng_bool(&prng);
	envelope.expires_at = (TimestampTz) pg_prng_uint64(&prng);
	envelope.value_size = some_number(PG_UINT64_MAX);
	envelope.raw_size = some_number(PG_UINT64_MAX);
	envelope.identity_size = some_number(MAX_IDENTITY);
	envelope.identity = some_bytes(envelope.identity_size);
	some_dependencies(&envelope.dependencies);
	dc_sha256(envelope.identity, envelope.identity_size, envelope.value_sum);
	return dc_envelope_write(&envelope, INCARNATION, secret, size);
}

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size,
						unsigned int seed)
{
	char	   *bytes;
	Size		made;

	if (seed % 2 == 0)
		return LLVMFuzzerMutate(data, size, max_size);

	bytes = some_envelope(seed, &made);
	made = Min(made, max_size);
	memcpy(data, bytes, made);
	free_all();
	return made;
}

static void
check_within(const char *bytes, Size size, const char *part, Size part_size)
{
	CHECK(part >= bytes && part_size <= size &&
		  part - bytes <= size - part_size);
}

static void
check_stamp(const DcStamp *stamp)
{
	CHECK(stamp->xmin <= stamp->xmax);
	for (uint32 i = 0; i < stamp->n_running; i++)
	{
		CHECK(stamp->running[i] >= stamp->xmin &&
			  stamp->running[i] < stamp->xmax);
		CHECK(!dc_stamp_completed(stamp, stamp->running[i]));
		CHECK(i == 0 || stamp->running[i] > stamp->running[i - 1]);
	}
}

static void
check_parts(const char *bytes, Size size, const DcEnvelope *envelope)
{
	const DcDependencies *dependencies = &envelope->dependencies;
	uint64		sum = 0;

	check_within(bytes, size, envelope->identity, envelope->identity_size);
	CHECK(dependencies->key_length >= 0 &&
		  dependencies->key_length <= DC_MAX_KEY);
	check_within(bytes, size, dependencies->key, dependencies->key_length);
	check_stamp(dependencies->stamp);
	CHECK(dependencies->n_tags >= 0);
	for (int i = 0; i < dependencies->n_tags; i++)
		sum += dependencies->tags[i];
	CHECK(sum == 0 || dependencies->n_tags > 0);
}

static void
check_same(const DcEnvelope *a, const DcEnvelope *b)
{
	const DcDependencies *x = &a->dependencies;
	const DcDependencies *y = &b->dependencies;

	CHECK(a->isnull == b->isnull && a->row_security == b->row_security &&
		  a->compressed == b->compressed && a->expires_at == b->expires_at);
	CHECK(a->value_size == b->value_size && a->raw_size == b->raw_size &&
		  memcmp(a->value_sum, b->value_sum, sizeof(a->value_sum)) == 0);
	CHECK(a->identity_size == b->identity_size &&
		  memcmp(a->identity, b->identity, a->identity_size) == 0);
	CHECK(x->database == y->database && x->n_tags == y->n_tags &&
		  memcmp(x->tags, y->tags, x->n_tags * sizeof(DcTag)) == 0);
	CHECK(x->key_length == y->key_length &&
		  memcmp(x->key, y->key, x->key_length) == 0);
	CHECK(x->stamp->xmin == y->stamp->xmin &&
		  x->stamp->xmax == y->stamp->xmax &&
		  x->stamp->n_running == y->stamp->n_running &&
		  memcmp(x->stamp->running, y->stamp->running,
				 x->stamp->n_running * sizeof(uint64)) == 0);
}

static void
check_round_trip(const DcEnvelope *envelope, Size original_size)
{
	const char *problem = NULL;
	DcEnvelope	again;
	uint64		incarnation;
	Size		size;
	char	   *bytes = dc_envelope_write(envelope, INCARNATION, secret, &size);

	CHECK(size == original_size);
	CHECK(dc_envelope_incarnation(bytes, size, &incarnation) &&
		  incarnation == INCARNATION);
	CHECK(dc_envelope_verify(bytes, size, secret));
	CHECK(dc_envelope_parse(bytes, size, &again, &problem));
	check_same(envelope, &again);
	bytes[size / 2] ^= 1;
	CHECK(!dc_envelope_verify(bytes, size, secret));
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	/* In a reply from Redis it begins anywhere. */
	char	   *bytes = (char *) palloc(size + 1) + 1;
	const char *problem = NULL;
	uint64		incarnation;
	DcEnvelope	envelope;

	if (size > 0)
		memcpy(bytes, data, size);
	(void) dc_envelope_incarnation(bytes, size, &incarnation);
	(void) dc_envelope_verify(bytes, size, secret);
	if (dc_envelope_parse(bytes, size, &envelope, &problem))
	{
		check_parts(bytes, size, &envelope);
		check_round_trip(&envelope, size);
	}
	else
		CHECK(problem != NULL && problem[0] != '\0');
	free_all();
	return 0;
}
