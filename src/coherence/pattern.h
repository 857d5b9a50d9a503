/*
 * pattern.h
 *		Glob patterns over keys, as Redis understands them: * ? [a-z] [^a] \.
 */
#ifndef DC_PATTERN_H
#define DC_PATTERN_H

#include "coherence/ledger.h"

/* The longest glob, in bytes, that no tag can stand for. */
#define DC_MAX_GLOB 255

/* A pattern, and the cheapest tag that says the same. */
typedef struct DcPattern
{
	DcTag		tag;
	bool		is_key;			/* no wildcard in it */
	bool		is_glob;		/* only matching can tell what it hits */
	const char *text;			/* the pattern; not a copy */
	int			length;
} DcPattern;

/*
 * Raises an error for what is no pattern: empty, or with an unclosed bracket.
 * A glob of more than DC_MAX_GLOB bytes is an error too, or, if so asked,
 * becomes the narrowest tag that covers it.
 */
extern DcPattern dc_pattern_parse(const char *text, int length, bool widen);

/* This function can't fail. */
extern bool dc_glob_matches(const char *pattern, int pattern_length,
							const char *string, int string_length);

extern Size dc_patterns_shmem_size(void);
extern void dc_patterns_shmem_init(void);
extern void dc_patterns_clear(void);
extern bool dc_patterns_save(FILE *file);
extern bool dc_patterns_load(FILE *file);

/* May the pattern mean the entry, or one that went into it? */
extern bool dc_glob_touches(const char *pattern, int pattern_length,
							const DcDependencies *entry);
extern void dc_patterns_publish(const char *text, int length, uint64 xid);
extern bool dc_patterns_valid(const DcDependencies *entry,
							  const DcReader *reader);

/* Is anybody who has used a glob still running?  May say so wrongly. */
extern bool dc_patterns_in_doubt(const DcReader *reader);

#endif							/* DC_PATTERN_H */
