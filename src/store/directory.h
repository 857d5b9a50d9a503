/*
 * directory.h
 *		The keys in Redis that the worker has to clear one day.
 */
#ifndef DC_DIRECTORY_H
#define DC_DIRECTORY_H

#include "nodes/pg_list.h"
#include "store/entry.h"
#include "store/redis_name.h"

/* A key in Redis, as its row knows it. */
typedef struct DcKnownKey
{
	int			row;			/* to be told what became of it */
	uint64		xmin;			/* with what follows: which fill of the name */
	uint64		xmax;
	int			n_running;
	DcName		name;			/* its key is palloc'd */
} DcKnownKey;

/* What a sweep has found. */
typedef struct DcDirectorySweep
{
	List	   *stale;			/* of DcKnownKey *, palloc'd */
	int			next;			/* row to go on from; -1: all were seen */
	bool		in_doubt;		/* some may soon be stale */
} DcDirectorySweep;

extern Size dc_directory_shmem_size(void);
extern void dc_directory_shmem_init(void);
extern void dc_directory_clear(void);
extern bool dc_directory_save(FILE *file);
extern bool dc_directory_load(FILE *file);

/*
 * Before the entry is sent to Redis.  What does not fit is noted as unknown.
 * False, and nothing is changed, if one of a later snapshot is there.
 */
extern bool dc_directory_add(const DcName *name,
							 const DcDependencies *dependencies,
							 TimestampTz expires_at);
extern bool dc_directory_has(const DcName *name);
extern int64 dc_directory_count(void);

/* How many keys have been removed from Redis since the start. */
extern void dc_directory_count_cleared(int64 n);
extern int64 dc_directory_cleared(void);

/*
 * For the worker: may there be keys in Redis that an earlier start has left,
 * and that nobody will use again?
 */
extern bool dc_directory_has_orphans(void);
extern void dc_directory_no_orphans(void);

/* Looks at rows from there on, until it has found max stale ones. */
extern DcDirectorySweep dc_directory_sweep(int first, int max,
										   const DcReader *reader,
										   TimestampTz now);

/* Forgets it, unless the name has been filled again. */
extern void dc_directory_remove(const DcKnownKey *key);

#endif							/* DC_DIRECTORY_H */
