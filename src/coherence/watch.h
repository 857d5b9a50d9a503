/*
 * watch.h
 *		Tables whose writes are announced by triggers that nobody has to
 *		write.
 */
#ifndef DC_WATCH_H
#define DC_WATCH_H

#include "nodes/pg_list.h"

/* Why a table cannot be watched by the current user. */
typedef struct DcRefusal
{
	int			sqlstate;
	const char *reason;			/* such as "foreign table" */
	const char *message;
	const char *hint;			/* or NULL */
} DcRefusal;

/* NULL if it can; palloc'd. */
extern DcRefusal *dc_watch_refusal(Oid relation);

/*
 * Creates what is missing of the triggers on the table and its parts; with a
 * slice column, also those for its slices.  Takes locks that exclude writers.
 */
extern void dc_watch(Oid relation, const char *slice);

/*
 * Locks the table and its parts against writers, and against who would make
 * another table a part of them.
 */
extern void dc_watch_lock(Oid table);

/* Before a table becomes a partition of another. */
extern void dc_watch_before_attach(Oid parent, Oid part);

/*
 * After a table's triggers or ancestors have changed: puts its triggers, and
 * those of its parts, right again if it, or an ancestor, is to be watched.
 */
extern void dc_watch_repair(Oid table);

#endif							/* DC_WATCH_H */
