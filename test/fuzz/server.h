/*
 * server.h
 *		What the fuzz targets share.
 */
#ifndef DC_FUZZ_SERVER_H
#define DC_FUZZ_SERVER_H

/* Ends the process, as a finding, unless the condition holds. */
#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
					#condition); \
			abort(); \
		} \
	} while (0)

/* What libFuzzer calls and provides. */
extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);
extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size,
									  size_t max_size, unsigned int seed);

/* Frees all that was palloc'd, as the end of a call does in the server. */
extern void free_all(void);

#endif							/* DC_FUZZ_SERVER_H */
