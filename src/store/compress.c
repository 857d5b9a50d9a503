/*
 * compress.c
 *		Values that are compressed, by zstd (RFC 8878).
 */
#include "postgres.h"

#include <zstd.h>

#include "store/compress.h"
#include "utils/memutils.h"

#define DC_COMPRESSION_LEVEL 1

static char *
dc_try_alloc(Size size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, Max(size, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

char	   *
dc_compress(const char *bytes, Size size, Size *compressed_size)
{
	char	   *out = dc_try_alloc(size);

	if (out == NULL)
		return NULL;

	/* With no more room than the bytes themselves take, it must save some. */
	*compressed_size = ZSTD_compress(out, size - 1, bytes, size,
									 DC_COMPRESSION_LEVEL);
	if (!ZSTD_isError(*compressed_size))
		return out;
	pfree(out);
	return NULL;
}

char	   *
dc_decompress(const char *bytes, Size size, Size raw_size)
{
	char	   *out = dc_try_alloc(raw_size);

	if (out == NULL)
		return NULL;
	if (ZSTD_decompress(out, raw_size, bytes, size) == raw_size)
		return out;
	pfree(out);
	return NULL;
}
