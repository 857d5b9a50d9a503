/*
 * compress.h
 *		Values that are compressed, by zstd.
 */
#ifndef DC_COMPRESS_H
#define DC_COMPRESS_H

/* palloc'd, and shorter than the bytes; NULL if that cannot be. */
extern char *dc_compress(const char *bytes, Size size, Size *compressed_size);

/*
 * palloc'd; NULL if the bytes are not the compressed form of exactly so many.
 */
extern char *dc_decompress(const char *bytes, Size size, Size raw_size);

#endif							/* DC_COMPRESS_H */
